/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_ADDRESS_GUARD_H
#define CONNECTORS_ADDRESS_GUARD_H

#include <stdbool.h>

#include <sys/socket.h>

#include <xylem/error.h>
#include <xylem/option.h>

/*
 * Which addresses an outgoing connection may reach: the one guard for
 * everything that takes a URL. Asked with the address that a socket is about
 * to connect to, after the name was resolved, so that a name that changes its
 * mind (DNS rebinding) changes nothing.
 */
enum address_class {
	ADDRESS_PUBLIC = 1 << 0,     /* what is none of the others */
	ADDRESS_PRIVATE = 1 << 1,    /* RFC 1918, RFC 6598, fc00::/7 */
	ADDRESS_LOOPBACK = 1 << 2,   /* 127.0.0.0/8, ::1 */
	ADDRESS_LINK_LOCAL = 1 << 3, /* 169.254.0.0/16, fe80::/10: cloud metadata lives here */
	ADDRESS_SPECIAL = 1 << 4,    /* unspecified, multicast, broadcast, reserved */
};

struct address_range {
	unsigned char bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;
};

struct address_guard {
	unsigned classes;
	struct address_range ranges[32];
	size_t range_count;
};

/*
 * `allow`: public, private, loopback, link-local, and networks (10.1.0.0/16,
 * fd00::/8, single addresses). -XYLEM_E_INVALID with the item.
 */
int address_guard_init(struct address_guard *guard, struct xylem_strings allow, struct xylem_reason *reason);
/* The class of an address; v4-mapped, NAT64 and 6to4 addresses are those within. */
enum address_class address_class_of(const struct sockaddr *address);
const char *address_class_name(enum address_class class);
bool address_guard_allows(const struct address_guard *guard, const struct sockaddr *address);

#endif
