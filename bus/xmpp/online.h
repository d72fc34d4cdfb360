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

/* ASIDE: with a negative priority, it gets only what is sent to its full address (RFC 6121, 8.5.2.1). */
enum online_as { ONLINE_NOT, ONLINE_HERE, ONLINE_ASIDE };
/* Takes somebody (bare, normalised, and the resource, which may be absent) in or out. True: that changed something. */
bool online_set(struct online *online, const char *bare, struct xylem_span resource, enum online_as as);
/* The link went down: nobody is known to be online. */
void online_clear(struct online *online);

/* Is this full address available, or any resource of this bare one that stands not aside? `jid`: as above. */
bool online_has(struct online *online, const char *jid);

/* Each available resource of a bare address, as a full one; called with a copy, under no lock. */
void online_each(struct online *online, const char *bare, void (*each)(void *context, const char *full),
	void *context);

#endif
