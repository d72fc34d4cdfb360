/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which addresses an outgoing connection may reach. An address is put into one
 * of a few classes, after it was unwrapped (an IPv4 address can hide in an
 * IPv6 one in four ways), and allowed when its class or a listed network is.
 *
 * The rule not to break: what is checked is the address that the socket
 * connects to, never a name.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <connectors/address_guard.h>

struct network {
	unsigned char bytes[16];
	unsigned bits;
	enum address_class class;
};

#define V4(a, b, c, d)                                               \
	{                                                            \
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d \
	}

/* The first that matches decides; IPv4 as v4-mapped (IANA special-purpose registries). */
static const struct network networks[] = {
	{ V4(127, 0, 0, 0), 104, ADDRESS_LOOPBACK },
	{ V4(10, 0, 0, 0), 104, ADDRESS_PRIVATE },
	{ V4(172, 16, 0, 0), 108, ADDRESS_PRIVATE },
	{ V4(192, 168, 0, 0), 112, ADDRESS_PRIVATE },
	{ V4(100, 64, 0, 0), 106, ADDRESS_PRIVATE },
	{ V4(169, 254, 0, 0), 112, ADDRESS_LINK_LOCAL },
	{ V4(0, 0, 0, 0), 104, ADDRESS_SPECIAL },
	{ V4(192, 0, 0, 0), 120, ADDRESS_SPECIAL },
	{ V4(192, 0, 2, 0), 120, ADDRESS_SPECIAL },
	{ V4(198, 18, 0, 0), 111, ADDRESS_PRIVATE }, /* benchmarking networks */
	{ V4(198, 51, 100, 0), 120, ADDRESS_SPECIAL },
	{ V4(203, 0, 113, 0), 120, ADDRESS_SPECIAL },
	{ V4(224, 0, 0, 0), 99, ADDRESS_SPECIAL }, /* multicast, reserved, broadcast */
	{ V4(0, 0, 0, 0), 96, ADDRESS_PUBLIC },
	{ { [15] = 1 }, 128, ADDRESS_LOOPBACK },
	{ { 0 }, 96, ADDRESS_SPECIAL }, /* unspecified, v4-compatible */
	{ { 0xfe, 0x80 }, 10, ADDRESS_LINK_LOCAL },
	{ { 0xfe, 0xc0 }, 10, ADDRESS_PRIVATE },
	{ { 0xfd, 0x00, 0x0e, 0xc2 }, 32, ADDRESS_LINK_LOCAL }, /* fd00:ec2::254, a cloud's metadata */
	{ { 0xfc }, 7, ADDRESS_PRIVATE },
	{ { 0xff }, 8, ADDRESS_SPECIAL },
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, ADDRESS_SPECIAL },
	{ { 0 }, 0, ADDRESS_PUBLIC },
};

static const struct {
	const char *name;
	enum address_class class;
} class_names[] = {
	{ "public", ADDRESS_PUBLIC },
	{ "private", ADDRESS_PRIVATE },
	{ "loopback", ADDRESS_LOOPBACK },
	{ "link-local", ADDRESS_LINK_LOCAL },
	{ "special", ADDRESS_SPECIAL },
};

static bool within(const unsigned char bytes[16], const unsigned char network[16], unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(bytes, network, whole) != 0) {
		return false;
	}
	return rest == 0 || ((bytes[whole] ^ network[whole]) & (0xff << (8 - rest) & 0xff)) == 0;
}

static void map_v4(unsigned char bytes[16], const unsigned char v4[4])
{
	unsigned char mapped[16] = V4(v4[0], v4[1], v4[2], v4[3]);
	memcpy(bytes, mapped, 16);
}

/* 16 bytes, with an IPv4 address that hides in an IPv6 one taken out. False: no internet address. */
static bool address_unwrap(const struct sockaddr *address, unsigned char bytes[16])
{
	static const unsigned char nat64[16] = { 0x00, 0x64, 0xff, 0x9b };
	static const unsigned char nat64_local[16] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };
	static const unsigned char sixtofour[16] = { 0x20, 0x02 };
	if (address->sa_family == AF_INET) {
		map_v4(bytes, (const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr);
		return true;
	}
	if (address->sa_family != AF_INET6) {
		return false;
	}
	memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
	unsigned char inner[4];
	if (within(bytes, nat64, 96) || within(bytes, nat64_local, 48)) {
		memcpy(inner, bytes + 12, 4);
		map_v4(bytes, inner);
	} else if (within(bytes, sixtofour, 16)) {
		memcpy(inner, bytes + 2, 4);
		map_v4(bytes, inner);
	}
	return true;
}

static enum address_class class_of(const unsigned char bytes[16])
{
	size_t i = 0;
	while (!within(bytes, networks[i].bytes, networks[i].bits)) {
		i++; /* the last one takes all */
	}
	return networks[i].class;
}

enum address_class address_class_of(const struct sockaddr *address)
{
	unsigned char bytes[16];
	return address_unwrap(address, bytes) ? class_of(bytes) : ADDRESS_SPECIAL;
}

const char *address_class_name(enum address_class class)
{
	for (size_t i = 0; i < sizeof(class_names) / sizeof(class_names[0]); i++) {
		if (class_names[i].class == class) {
			return class_names[i].name;
		}
	}
	return "unknown";
}

/* NETWORK/BITS or ADDRESS. */
static bool range_parse(const char *text, struct address_range *range)
{
	char address[64];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	if (n >= sizeof(address)) {
		return false;
	}
	memcpy(address, text, n);
	address[n] = '\0';
	unsigned char v4[4];
	unsigned width = 128;
	if (inet_pton(AF_INET, address, v4) == 1) {
		map_v4(range->bytes, v4);
		width = 32;
	} else if (inet_pton(AF_INET6, address, range->bytes) != 1) {
		return false;
	}
	unsigned long bits = width;
	if (slash) {
		char *end = NULL;
		bits = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > width) {
			return false;
		}
	}
	range->bits = (unsigned)bits + (128 - width);
	return true;
}

static bool class_parse(const char *text, unsigned *classes)
{
	for (size_t i = 0; i < 4; i++) { /* `special` is allowed by its network only */
		if (strcmp(text, class_names[i].name) == 0) {
			*classes |= class_names[i].class;
			return true;
		}
	}
	return false;
}

int address_guard_init(struct address_guard *guard, struct xylem_strings allow, struct xylem_reason *reason)
{
	struct address_guard made = { 0 };
	for (size_t i = 0; i < allow.n; i++) {
		if (class_parse(allow.items[i], &made.classes)) {
			continue;
		}
		if (made.range_count == sizeof(made.ranges) / sizeof(made.ranges[0])) {
			xylem_reason_set(reason, "allow: at most %zu networks", made.range_count);
			return -XYLEM_E_INVALID;
		}
		if (!range_parse(allow.items[i], &made.ranges[made.range_count])) {
			xylem_reason_set(reason,
				"allow: \"%s\" is none of public, private, loopback, link-local, and no "
				"network such as 10.1.0.0/16",
				allow.items[i]);
			return -XYLEM_E_INVALID;
		}
		made.range_count++;
	}
	*guard = made;
	return 0;
}

bool address_guard_allows(const struct address_guard *guard, const struct sockaddr *address)
{
	unsigned char bytes[16];
	if (!address_unwrap(address, bytes)) {
		return false;
	}
	if (guard->classes & class_of(bytes)) {
		return true;
	}
	for (size_t i = 0; i < guard->range_count; i++) {
		if (within(bytes, guard->ranges[i].bytes, guard->ranges[i].bits)) {
			return true;
		}
	}
	return false;
}
