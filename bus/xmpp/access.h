/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_ACCESS_H
#define XMPP_ACCESS_H

#include <config/config.h>

/*
 * Who may talk to the bus over XMPP: the JIDs of `users:` and of `xmpp.allow`,
 * copied from a generation. Any thread.
 */
struct access;

struct access *access_new(void);
struct access *access_free(struct access *access);
/* -XYLEM_E_MEMORY changes nothing. */
int access_apply(struct access *access, const struct config_view *view);

/* `bare`: normalised. */
bool access_admits(struct access *access, const char *bare);
int access_role(struct access *access, const char *bare); /* enum config_role */

#endif
