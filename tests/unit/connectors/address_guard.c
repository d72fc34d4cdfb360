/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses by class, however they are wrapped; what a list lets through. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include <connectors/address_guard.h>

static const struct sockaddr *address_of(const char *text)
{
	static union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	memset(&address, 0, sizeof(address));
	if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
		address.any.sa_family = AF_INET;
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &address.v6.sin6_addr), 1);
		address.any.sa_family = AF_INET6;
	}
	return &address.any;
}

static void addresses_have_a_class(void **state)
{
	static const struct {
		const char *address;
		enum address_class class;
	} rows[] = {
		{ "1.1.1.1", ADDRESS_PUBLIC },
		{ "172.15.255.255", ADDRESS_PUBLIC },
		{ "172.32.0.1", ADDRESS_PUBLIC },
		{ "100.128.0.1", ADDRESS_PUBLIC },
		{ "2606:4700::1", ADDRESS_PUBLIC },
		{ "10.0.0.1", ADDRESS_PRIVATE },
		{ "172.16.0.1", ADDRESS_PRIVATE },
		{ "172.31.255.255", ADDRESS_PRIVATE },
		{ "192.168.1.1", ADDRESS_PRIVATE },
		{ "100.64.0.1", ADDRESS_PRIVATE },
		{ "fd12::1", ADDRESS_PRIVATE },
		{ "127.0.0.1", ADDRESS_LOOPBACK },
		{ "127.255.255.254", ADDRESS_LOOPBACK },
		{ "::1", ADDRESS_LOOPBACK },
		{ "169.254.169.254", ADDRESS_LINK_LOCAL },
		{ "fe80::1", ADDRESS_LINK_LOCAL },
		{ "fd00:ec2::254", ADDRESS_LINK_LOCAL },
		{ "0.0.0.0", ADDRESS_SPECIAL },
		{ "224.0.0.1", ADDRESS_SPECIAL },
		{ "255.255.255.255", ADDRESS_SPECIAL },
		{ "::", ADDRESS_SPECIAL },
		{ "ff02::1", ADDRESS_SPECIAL },
		/* IPv4 within IPv6: mapped, NAT64, 6to4, compatible. */
		{ "::ffff:127.0.0.1", ADDRESS_LOOPBACK },
		{ "::ffff:169.254.169.254", ADDRESS_LINK_LOCAL },
		{ "64:ff9b::10.0.0.1", ADDRESS_PRIVATE },
		{ "64:ff9b::8.8.8.8", ADDRESS_PUBLIC },
		{ "2002:7f00:1::", ADDRESS_LOOPBACK },
		{ "::127.0.0.1", ADDRESS_SPECIAL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum address_class class = address_class_of(address_of(rows[i].address));
		if (class != rows[i].class) {
			fail_msg("%s is %s", rows[i].address, address_class_name(class));
		}
	}
	struct sockaddr local = { .sa_family = AF_UNIX };
	assert_int_equal(address_class_of(&local), ADDRESS_SPECIAL);
}

static void lists_let_through(void **state)
{
	const char *const items[] = { "public", "10.1.0.0/16", "192.168.0.7", "fd00::/8" };
	struct address_guard guard;
	struct xylem_reason reason;
	assert_int_equal(address_guard_init(&guard, (struct xylem_strings){ items, 4 }, &reason), 0);
	static const struct {
		const char *address;
		bool allowed;
	} rows[] = {
		{ "8.8.8.8", true },
		{ "10.1.255.255", true },
		{ "10.2.0.0", false },
		{ "192.168.0.7", true },
		{ "192.168.0.8", false },
		{ "127.0.0.1", false },
		{ "169.254.169.254", false },
		{ "fd99::1", true },
		{ "fc00::1", false },
		{ "::ffff:10.1.0.1", true },
		{ "::ffff:127.0.0.1", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (address_guard_allows(&guard, address_of(rows[i].address)) != rows[i].allowed) {
			fail_msg("%s", rows[i].address);
		}
	}
}

static void items_that_are_none(void **state)
{
	static const char *const items[] = { "", "Public", "special", "10.1.0.0/33", "10.1/16", "10.1.0.0/",
		"10.1.0.0/8x", "::/129", "example.com", "10.1.0.0/-1" };
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		struct address_guard guard;
		struct xylem_reason reason = { "" };
		assert_int_equal(address_guard_init(&guard, (struct xylem_strings){ &items[i], 1 }, &reason),
			-XYLEM_E_INVALID);
		assert_true(reason.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_have_a_class),
		cmocka_unit_test(lists_let_through),
		cmocka_unit_test(items_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
