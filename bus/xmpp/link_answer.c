/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to stanzas of the server. Whoever asked gets one, so what cannot be
 * sent as it stands is made fit: bytes that XML cannot have (a title, a reason
 * that quotes somebody) become U+FFFD, and a result larger than a stanza may be
 * becomes an error that says so. Only who gave an id or an address that leaves no
 * room for an answer gets none.
 *
 * The rule not to break: only what a person reads comes this way with foreign
 * bytes in it. Data (items, messages) is checked by whoever writes it, and refused.
 */
#include <string.h>

#include <xmpp/link_body.h>
#include <xmpp/stanza.h>

#define QUEUE_HARD ((size_t)32 << 20)

static const char result_open[] = "<iq type='result'";

/* The length of the start tag without its `>`; values stand between '. */
static size_t start_tag(struct xylem_span stanza)
{
	bool quoted = false;

	for (size_t i = 0; i < stanza.n; i++) {
		if (stanza.at[i] == '\'') {
			quoted = !quoted;
		} else if (stanza.at[i] == '>' && !quoted) {
			return i > 0 && stanza.at[i - 1] == '/' ? i - 1 : i;
		}
	}
	return stanza.n;
}

/* The result's addresses and id, with an error inside. */
static bool write_too_large(struct xylem_span result, struct xylem_buffer *out)
{
	size_t n = sizeof(result_open) - 1;

	if (result.n < n || memcmp(result.at, result_open, n) != 0) {
		return false;
	}
	xylem_buffer_text(out, "<iq type='error'");
	xylem_buffer_append(out, result.at + n, start_tag(result) - n);
	xylem_buffer_text(out,
		"><error type='modify'><policy-violation xmlns='" NS_STANZA_ERROR
		"'/><text xmlns='" NS_STANZA_ERROR "'>the answer is larger than a stanza may be: "
		"ask for less</text></error></iq>");
	return !xylem_buffer_failed(out);
}

/* Queues it, or counts it as dropped. */
static void enqueue(struct link *link, struct xylem_span stanza, bool fit)
{
	pthread_mutex_lock(&link->lock);
	bool room = link->phase == PHASE_UP && outbox_queued_bytes(link->outbox) + stanza.n < QUEUE_HARD;
	if (!fit || !room || link_enqueue(link, stanza, NULL) != 0) {
		link->state.dropped_answers++;
	}
	pthread_mutex_unlock(&link->lock);
}

void link_answer(struct link *link, struct xylem_span stanza)
{
	XYLEM_BUFFER_SCOPED fit = { 0 };
	size_t at;
	bool done = true;

	if (!xml_check(stanza, &at)) {
		xml_repair(stanza, &fit);
		done = !xylem_buffer_failed(&fit);
		stanza = xylem_buffer_borrow(&fit);
	}
	XYLEM_BUFFER_SCOPED refusal = { 0 };
	if (done && stanza.n > link->max_stanza) {
		done = write_too_large(stanza, &refusal);
		stanza = xylem_buffer_borrow(&refusal);
		done = done && stanza.n <= link->max_stanza;
	}
	enqueue(link, stanza, done);
}
