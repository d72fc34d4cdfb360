/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_LINK_H
#define XMPP_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <xylem/error.h>
#include <xmpp/delivery.h>
#include <xmpp/outbox.h>
#include <xmpp/xml.h>

/*
 * The connection of the bus to its XMPP server, as an external component
 * (XEP-0114): one thread, one socket, reconnecting by itself. docs/xmpp.md.
 */
struct link;

struct link_options {
	const char *server; /* HOST:PORT, [V6]:PORT */
	const char *domain;
	struct xylem_span secret;
	size_t max_stanza; /* bytes as on the wire, both ways; 0: 256 KiB */
	/*
	 * Both on the link's thread; they must not wait for anything that needs
	 * this thread. `violation`: see stream_events. Answers to our own
	 * requests, and barriers, do not come here.
	 */
	void (*stanza)(void *context, const struct xml_node *stanza, int violation);
	void (*changed)(void *context, bool up, const char *why);
	void *context;
};

/* Copies the options, wipes its copy of the secret when freed. -XYLEM_E_INVALID, -XYLEM_E_MEMORY. */
int link_new(struct link **ret_link, const struct link_options *options, struct xylem_reason *reason);
int link_start(struct link *link, struct xylem_reason *reason);
/*
 * Sends what is queued for at most `drain_us`, closes the stream, ends the
 * thread. Tracked stanzas that are not confirmed then get -XYLEM_E_STOPPING.
 */
void link_stop(struct link *link, int64_t drain_us);
struct link *link_free(struct link *link);

const char *link_domain(const struct link *link);
size_t link_max_stanza(const struct link *link);

/*
 * Sends one complete stanza with `from` and `to`; the bytes are copied. Any
 * thread. -XYLEM_E_UNREACHABLE (not connected), -XYLEM_E_BUSY (more than 4 MiB
 * queued or 16 MiB or 20,000 stanzas unconfirmed: see link_wait_room),
 * -XYLEM_E_TOO_LARGE, -XYLEM_E_INVALID (a byte that would close the stream;
 * the reason says where), -XYLEM_E_STOPPING, -XYLEM_E_MEMORY.
 *
 * With `track`: 0 means that `done` comes once, on the link's thread, when a
 * barrier has confirmed the stanza, with what became of it (link_outcome). It
 * is sent again with the same id after a reconnect until then. `done` must not
 * block.
 */
int link_send(struct link *link, struct xylem_span stanza, const struct outbox_track *track,
	struct xylem_reason *reason);
/*
 * An answer to the server's stanza: as link_send(), but beyond BUSY up to 32 MiB;
 * what fails is counted. What XML cannot have becomes U+FFFD; a result that is too
 * large becomes an error.
 */
void link_answer(struct link *link, struct xylem_span stanza);
/* Sends the barrier for what was sent so far now, not after 100 stanzas or 1 s. */
void link_flush(struct link *link);
/* After it returns, no `done` with this context comes. Not on the link's thread. */
void link_forget(struct link *link, const void *context);
/* Waits until link_send() would not say BUSY: 0; -XYLEM_E_TIMEOUT, -XYLEM_E_INTERRUPTED, or as link_send. */
int link_wait_room(struct link *link, int64_t deadline_mono_us, const _Atomic bool *interrupted);

/*
 * Sends an IQ and hands its answer to `answered` on the link's thread: the
 * result or error stanza, or NULL (timeout, disconnect, stop). The id has to be
 * unique: link_id() makes one. An entry is removed when it is answered.
 */
typedef void (*link_answered)(void *context, const struct xml_node *answer);
int link_request(struct link *link, struct xylem_span iq, const char *id, const char *to, int64_t timeout_us,
	link_answered answered, void *context, struct xylem_reason *reason);

#define LINK_ID_SIZE 40
const char *link_id(struct link *link, char id[LINK_ID_SIZE]);

struct link_state {
	bool up;
	char why[256];           /* of being down; empty when up */
	int64_t since_us;        /* wall time of the last change */
	uint64_t sent, received; /* stanzas */
	uint64_t resent, refused, dropped_answers;
	uint64_t connects, failures;
	size_t queued_bytes, unconfirmed;
};
void link_state(struct link *link, struct link_state *ret_state);

/* For delivery_new(); `link` is the struct link. */
extern const struct delivery_carrier link_carrier;

#endif
