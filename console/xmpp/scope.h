/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_SCOPE_H
#define CONSOLE_XMPP_SCOPE_H

#include <console/operation.h>

/*
 * What an address stands for: the bus, or one connector, route or topic. At a
 * part, operations that name such a thing mean this one, and others are not
 * offered.
 */
enum scope_kind { SCOPE_BUS, SCOPE_CONNECTOR, SCOPE_ROUTE, SCOPE_TOPIC };

#define SCOPE_NAME 128
#define SCOPE_LOCAL 512
struct scope {
	enum scope_kind kind;
	char name[SCOPE_NAME];
};

/* From the local part of an address, unescaped (XEP-0106); absent: the bus. False: no such form. */
bool scope_read(struct xylem_span local, struct scope *ret_scope);
/* The local part for it; empty: the bus. */
void scope_write(const struct scope *scope, char ret_local[SCOPE_LOCAL]);

/* Is the operation one of this place? */
bool scope_has(const struct scope *scope, const struct operation *operation);
/* Does the place say what the argument is? Then *ret_value is it. */
bool scope_fixes(const struct scope *scope, const struct operation *operation,
	const struct xylem_option *option, char ret_value[SCOPE_LOCAL]);

#endif
