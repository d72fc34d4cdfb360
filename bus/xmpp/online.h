/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_ONLINE_H
#define XMPP_ONLINE_H

#include <stdbool.h>
#include <stddef.h>

#include <xylem/span.h>

/*
 * Who is online, as the link was told: the available resources of people. Any
 * thread. Bounded: 64 resources of one bare address, 20,000 in all; who comes
 * beyond that is not seen.
 */
struct online;

struct online *online_new(void);
struct online *online_free(struct online *online);

/* Takes `from` (bare, normalised, and the resource, which may be absent) in or out. True: that changed something. */
bool online_set(struct online *online, const char *bare, struct xylem_span resource, bool available);
/* The link went down: nobody is known to be online. */
void online_clear(struct online *online);

/* Is this full address, or any resource of this bare one, available? `jid`: as online_set() takes it. */
bool online_has(struct online *online, const char *jid);

/* Each available resource of a bare address, as a full one; called with a copy, under no lock. */
void online_each(struct online *online, const char *bare, void (*each)(void *context, const char *full),
	void *context);

#endif
