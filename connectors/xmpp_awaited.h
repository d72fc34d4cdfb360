/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_AWAITED_H
#define CONNECTORS_XMPP_AWAITED_H

#include <xmpp/delivery.h>

/*
 * What the deliveries of an endpoint wait for beside the server's word: a
 * receipt, a room's reflection, each by the id of what was sent and by who has to
 * answer. Any thread. It is bounded by what is in delivery: lanes times batch.
 */
struct awaited;

struct awaited *awaited_new(void);
struct awaited *awaited_free(struct awaited *awaited);

/* `from`: bare; of what is said in a room, the room. -XYLEM_E_MEMORY. */
int awaited_add(
	struct awaited *awaited, struct delivery *delivery, size_t i, const char *id, const char *from);
/* Did it come while nobody waited for it (after a deadline, before the next attempt)? Then it is forgotten. */
bool awaited_came(struct awaited *awaited, const char *id, const char *from);
/* It came: tells the delivery. False: nobody waits for that; the last 256 are remembered. */
bool awaited_met(struct awaited *awaited, struct xylem_span id, const char *from);
/* An error came instead. False: nobody waits for that. */
bool awaited_refused(
	struct awaited *awaited, struct xylem_span id, const char *from, const struct link_outcome *outcome);
/* Nothing of this delivery is waited for any more, and none of its calls is under way. */
void awaited_drop(struct awaited *awaited, struct delivery *delivery);

#endif
