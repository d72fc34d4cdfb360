/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link's barriers: an IQ to our own domain behind the stanzas that it
 * covers. When the server has brought it back, it has dealt with them, and who
 * sent them is told. Here is when one goes out, what its return settles, and
 * when its absence means that the connection is gone.
 *
 * The rule not to break: nobody is told with the lock held.
 */
#include <string.h>

#include <base/clock.h>
#include <xmpp/acked.h>
#include <xmpp/link_body.h>
#include <xmpp/stanza.h>

#define BARRIER_US (10 * SECOND_US) /* without its return, or any progress, the connection is given up */
#define BARRIER_AGE_US SECOND_US
#define BARRIER_COUNT 100U
#define BARRIER_MORE 128U /* stanzas behind one that is under way for which another goes out, */
#define BARRIER_BYTES ((size_t)256 * 1024) /* or bytes */
#define IDLE_US (30 * SECOND_US)

/* --- Going out ------------------------------------------------------------ */

void barrier_send(struct link *link, int64_t now)
{
	XYLEM_BUFFER_SCOPED iq = { 0 };
	struct link_barrier *barrier = &link->barriers[link->barrier_count];

	link_id(link, barrier->id);
	xylem_buffer_format(&iq,
		"<iq type='get' id='%s' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", barrier->id,
		link->domain, link->domain);
	/* So that it is read whole whatever piece it ends in: outbox.c, spaces_behind(). */
	xylem_buffer_format(&iq, "%*s", (int)iq.n, "");
	if (xylem_buffer_failed(&iq) || outbox_barrier(link->outbox, xylem_buffer_borrow(&iq)) != 0) {
		link->ended = true;
		return;
	}
	barrier->sent_us = now;
	barrier->end = link->written + outbox_left_bytes(link->outbox);
	link->barrier_count++;
	link->since_barrier = link->since_bytes = 0;
	link->flush = false;
}

void barrier_consider(struct link *link, int64_t now)
{
	bool many = link->since_barrier >= BARRIER_MORE ||
		    (link->since_barrier > 0 && link->since_bytes >= BARRIER_BYTES);
	bool asked = link->flush || many || link->since_barrier >= BARRIER_COUNT ||
		     (link->since_barrier > 0 && now - link->oldest_us >= BARRIER_AGE_US);
	bool idle = now - link->received_us >= IDLE_US;

	if (outbox_barrier_out(link->outbox)) {
		/* In a long queue several, so that its beginning is confirmed while the server reads on. */
		if (many && outbox_barrier_room(link->outbox)) {
			barrier_send(link, now);
		}
		return;
	}
	if ((asked && outbox_barrier_due(link->outbox)) || idle) {
		barrier_send(link, now);
	} else if (!outbox_barrier_due(link->outbox)) {
		link->flush = false;
		link->since_barrier = link->since_bytes = 0;
	}
}

int64_t barrier_next(const struct link *link, int64_t next)
{
	/* While one is out the next one waits for it, however old what it will cover is. */
	return link->since_barrier > 0 && !outbox_barrier_out(link->outbox) ? link->oldest_us + BARRIER_AGE_US
									    : next;
}

/*
 * A slow server, or a slow line before it, may have much to read before: the
 * time runs from when it went on last. What comes behind the barrier says nothing about it.
 */
bool barrier_overdue(struct link *link, int64_t now)
{
	const struct link_barrier *first = &link->barriers[0];

	if (link->barrier_count == 0) {
		return false;
	}
	int64_t since = first->sent_us > link->moved_us ? first->sent_us : link->moved_us;
	if (now - since < SECOND_US) {
		return false;
	}
	uint64_t acked = acked_bytes(link->fd);
	if (acked != link->acked && link->acked < first->end) {
		link->moved_us = since = now;
	}
	link->acked = acked;
	return now - since >= BARRIER_US;
}

/* --- Coming back ---------------------------------------------------------- */

void barrier_settle(struct link *link)
{
	link_confirmed done;
	void *context;
	struct link_outcome outcome;

	pthread_mutex_lock(&link->lock);
	while (outbox_settled(link->outbox, &done, &context, &outcome)) {
		link->state.refused += outcome.error == -XYLEM_E_UNPROCESSABLE ? 1 : 0;
		link->calling = context;
		pthread_mutex_unlock(&link->lock);
		done(context, &outcome);
		pthread_mutex_lock(&link->lock);
		link->calling = NULL;
		pthread_cond_broadcast(&link->quiet);
	}
	pthread_cond_broadcast(&link->room);
	pthread_mutex_unlock(&link->lock);
}

/* Which of those under way it is, from 1 on; 0: none. */
static size_t barrier_of(const struct link *link, const struct xml_node *stanza)
{
	if (!xml_is(stanza, NS_COMPONENT, "iq") ||
		!xylem_span_is(xml_attribute(stanza, "from"), link->domain)) {
		return 0;
	}
	for (size_t i = 0; i < link->barrier_count; i++) {
		if (xylem_span_is(xml_attribute(stanza, "id"), link->barriers[i].id)) {
			return i + 1;
		}
	}
	return 0;
}

/* The first `n` of those under way: what is behind has passed what is before. */
static void come_back(struct link *link, size_t n)
{
	pthread_mutex_lock(&link->lock);
	for (size_t i = 0; i < n; i++) {
		outbox_barrier_back(link->outbox);
	}
	link->barrier_count -= n;
	memmove(link->barriers, link->barriers + n, link->barrier_count * sizeof(link->barriers[0]));
	link->moved_us = clock_mono_us();
	/* Suspects go one by one, each with a barrier of its own. */
	link->flush = link->flush || outbox_barrier_due(link->outbox);
	pthread_mutex_unlock(&link->lock);
	barrier_settle(link);
}

bool barrier_take(struct link *link, const struct xml_node *stanza)
{
	size_t n = barrier_of(link, stanza);

	if (n > 0) {
		come_back(link, n);
	}
	return n > 0;
}
