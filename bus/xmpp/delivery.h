/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_DELIVERY_H
#define XMPP_DELIVERY_H

#include <stdatomic.h>

#include <xylem/connector.h>
#include <xmpp/outbox.h>

/*
 * One deliver() call of a sink over a connection that confirms by barriers:
 * stanzas are sent for messages (several for one message are possible) and
 * waited for together. One thread; delivery_interrupt() from any.
 */
struct delivery;

/* The connection: the component link, or a client's session. What each does: link.h. */
struct delivery_carrier {
	int (*send)(void *link, struct xylem_span stanza, const struct outbox_track *track,
		struct xylem_reason *reason);
	void (*flush)(void *link);
	int (*wait_room)(void *link, int64_t deadline_mono_us, const _Atomic bool *interrupted);
	void (*forget)(void *link, const void *context);
	bool (*up)(void *link, char ret_why[256]);
};

struct delivery *delivery_new(const struct delivery_carrier *carrier, void *link);
struct delivery *delivery_free(struct delivery *delivery);

/* Begins a call with `n` messages, to end at the time. -XYLEM_E_MEMORY. */
int delivery_begin(struct delivery *delivery, size_t n, int64_t deadline_mono_us);
/*
 * Whose address it is, which decides what an error from there means:
 *   DOMAIN  the common table (xylem_failure_of_xmpp)
 *   PERSON  an account that is unavailable does not exist, or its server stores nothing: `busy`
 *   ROOM    whoever is not in it gets errors: `down`, until it is entered again
 *   FOUND   an address that stands in the event: no error opens the circuit, the message is at fault
 * Of several stanzas for one message, the last of these counts.
 */
enum delivery_to { DELIVERY_DOMAIN, DELIVERY_PERSON, DELIVERY_ROOM, DELIVERY_FOUND };
/*
 * Sends a stanza for message `i`, waiting for room. False: the link is down,
 * full past the deadline or interrupted; nothing further needs to be tried.
 */
bool delivery_send(struct delivery *delivery, size_t i, struct xylem_span stanza, const char *id,
	const char *to, enum delivery_to whose);
/*
 * Beside the server's confirmation, message `i` waits for a word from the other side (a receipt, a room's
 * reflection); what does not come in time is `busy`, with this code and text (static). Before it is sent.
 */
void delivery_expect(struct delivery *delivery, size_t i, const char *code, const char *text);
/* It came. Any thread, also after the end. */
void delivery_met(struct delivery *delivery, size_t i);
/* An error came instead, when the server had confirmed the message long ago (as those of other servers do). */
void delivery_refused(struct delivery *delivery, size_t i, const struct link_outcome *outcome);
/* The message fails without having been sent. */
void delivery_fail(
	struct delivery *delivery, size_t i, enum xylem_failure failure, const char *code, const char *text);
/* Waits for the barrier, sets the results of the `n` messages, forgets what did not come in time. */
void delivery_end(struct delivery *delivery, struct xylem_result *results);

void delivery_interrupt(struct delivery *delivery);

#endif
