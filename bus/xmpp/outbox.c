/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to go out and what is out but not confirmed.
 *
 * Two lists hold the stanzas: the queue (to be written, in order) and the ring
 * (tracked and not confirmed, in order); a tracked stanza is in both until it
 * is written. A barrier covers the ring up to the number that it was queued
 * behind; several may be under way, and come back in their order. When a stream ends, the queue is made anew from the ring, so that
 * nothing is lost and everything keeps its order and its id.
 *
 * One stanza that the server does not bear closes the stream with all traffic
 * on it, again after each reconnect. So a stanza that was exposed to such an
 * end is a suspect and travels alone: only it and its barrier are out, and if
 * the stream ends again, it was the one.
 *
 * The rule not to break: a callback is never lost. Each tracked stanza is handed
 * out by outbox_settled() exactly once, unless its context was forgotten.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/hash.h>
#include <base/jid.h>
#include <xmpp/outbox.h>
#include <xmpp/xml.h>

#define OUTBOX_MAGIC 0x6f757462U
#define BUCKETS 1024U
#define PIECE 1024U              /* so much a server reads at once, surely */
#define SPACES_MAX (240U * 1024) /* with a stanza behind them less than servers bear at once */
#define ENDS_SUSPECT 2U
#define ENDS_BLAMED 4U

struct outgoing {
	struct outgoing *queue_next;
	struct outgoing *ring_next, *ring_before;
	struct outgoing *bucket_next;
	uint64_t number; /* of tracked ones; 0: not tracked */
	uint64_t hash;
	link_confirmed done;
	void *context;
	struct link_outcome *outcome; /* NULL: nothing is known against it */
	bool queued;
	bool barrier;
	bool exposed; /* some of it was written to this stream */
	bool suspect;
	bool sent_before; /* on an earlier stream */
	unsigned ends;    /* streams that ended without a word while it was exposed */
	size_t n;
	size_t id_n, to_n; /* behind the bytes */
	char bytes[];
};

struct outbox {
	uint32_t magic;
	struct outgoing *queue, *queue_last;
	struct outgoing *ring, *ring_last;
	struct outgoing *settled, *settled_last; /* by queue_next */
	struct outgoing *buckets[BUCKETS];
	size_t head_written; /* of the queue's first */
	size_t queued_bytes, held_bytes, unconfirmed, exposed, suspects;
	uint64_t next_number, resent;
	uint64_t barriers[OUTBOX_BARRIERS]; /* those under way, by what they cover */
	size_t barrier_count;
};

struct outbox *outbox_new(void)
{
	struct outbox *outbox = calloc(1, sizeof(*outbox));
	if (outbox != NULL) {
		outbox->magic = OUTBOX_MAGIC;
		outbox->next_number = 1;
	}
	return outbox;
}

/* --- Keeping ------------------------------------------------------------- */

static size_t footprint(const struct outgoing *out)
{
	return sizeof(*out) + out->n + out->id_n + out->to_n;
}

static void discard(struct outbox *outbox, struct outgoing *out)
{
	outbox->held_bytes -= footprint(out);
	free(out->outcome);
	free(out);
}

static struct xylem_span id_of(const struct outgoing *out)
{
	return xylem_span(out->bytes + out->n, out->id_n);
}

/* The bare address, normalised: an error may come from the bare one for a full one, and as the server writes it. */
static struct xylem_span to_of(const struct outgoing *out)
{
	return xylem_span(out->bytes + out->n + out->id_n, out->to_n);
}

static uint64_t hash_of(struct xylem_span id, struct xylem_span bare)
{
	return hash_bytes(id.at, id.n) * 31 + hash_bytes(bare.at, bare.n);
}

static void enqueue(struct outbox *outbox, struct outgoing *out)
{
	out->queue_next = NULL;
	out->queued = true;
	if (outbox->queue_last == NULL) {
		outbox->queue = out;
	} else {
		outbox->queue_last->queue_next = out;
	}
	outbox->queue_last = out;
	outbox->queued_bytes += out->n;
}

static void enqueue_behind(struct outbox *outbox, struct outgoing *before, struct outgoing *out)
{
	out->queued = true;
	out->queue_next = before->queue_next;
	before->queue_next = out;
	if (outbox->queue_last == before) {
		outbox->queue_last = out;
	}
	outbox->queued_bytes += out->n;
}

static void track(struct outbox *outbox, struct outgoing *out)
{
	out->number = outbox->next_number++;
	out->ring_before = outbox->ring_last;
	if (outbox->ring_last == NULL) {
		outbox->ring = out;
	} else {
		outbox->ring_last->ring_next = out;
	}
	outbox->ring_last = out;
	outbox->unconfirmed++;
	struct outgoing **bucket = &outbox->buckets[out->hash % BUCKETS];
	out->bucket_next = *bucket;
	*bucket = out;
}

/* Out of the ring; it is no longer tracked, and freed by whoever holds it last. */
static void untrack(struct outbox *outbox, struct outgoing *out)
{
	*(out->ring_before != NULL ? &out->ring_before->ring_next : &outbox->ring) = out->ring_next;
	*(out->ring_next != NULL ? &out->ring_next->ring_before : &outbox->ring_last) = out->ring_before;
	struct outgoing **link = &outbox->buckets[out->hash % BUCKETS];
	while (*link != out) {
		link = &(*link)->bucket_next;
	}
	*link = out->bucket_next;
	outbox->unconfirmed--;
	outbox->exposed -= out->exposed ? 1 : 0;
	outbox->suspects -= out->suspect ? 1 : 0;
	out->exposed = false;
	out->suspect = false;
	out->number = 0;
}

/*
 * Spaces behind a stanza that a server may read in pieces. Where a piece ends
 * within a tag, expat (2.6, and Debian's 2.5.0 from deb12u2 on) looks at the tag
 * again only when twice as many bytes are there (CVE-2023-52425), and the servers leave it
 * at that: the end of the stanza would lie there until something else is sent.
 */
static size_t spaces_behind(struct xylem_span stanza)
{
	size_t longest = stanza.n <= PIECE ? 0 : xml_longest_tag(stanza);
	return longest < SPACES_MAX ? longest : SPACES_MAX;
}

static struct outgoing *outgoing_new(
	struct outbox *outbox, struct xylem_span stanza, const struct outbox_track *t)
{
	size_t spaces = spaces_behind(stanza);
	struct xylem_span id = xylem_span_of(t != NULL ? t->id : NULL);
	char bare[JID_SIZE];
	bool address = t != NULL && jid_normalise(xylem_span_of(t->to), bare);
	struct xylem_span to = address ? xylem_span_of(bare) : XYLEM_SPAN_NONE;
	struct outgoing *out = malloc(sizeof(*out) + stanza.n + spaces + id.n + to.n);
	if (out == NULL) {
		return NULL;
	}
	memset(out, 0, sizeof(*out));
	out->n = stanza.n + spaces;
	out->id_n = id.n;
	out->to_n = to.n;
	memcpy(out->bytes, stanza.at, stanza.n);
	memset(out->bytes + stanza.n, ' ', spaces);
	if (id.n > 0) {
		memcpy(out->bytes + out->n, id.at, id.n);
	}
	if (to.n > 0) {
		memcpy(out->bytes + out->n + id.n, to.at, to.n);
	}
	outbox->held_bytes += footprint(out);
	return out;
}

int outbox_add(struct outbox *outbox, struct xylem_span stanza, const struct outbox_track *t)
{
	struct outgoing *out = outgoing_new(outbox, stanza, t);
	if (out == NULL) {
		return -XYLEM_E_MEMORY;
	}
	if (t != NULL) {
		out->done = t->done;
		out->context = t->context;
		out->hash = hash_of(id_of(out), to_of(out));
		track(outbox, out);
	}
	enqueue(outbox, out);
	return 0;
}

/* --- Barriers ------------------------------------------------------------ */

bool outbox_barrier_due(const struct outbox *outbox)
{
	return outbox->barrier_count == 0 && outbox->ring != NULL;
}

bool outbox_barrier_out(const struct outbox *outbox)
{
	return outbox->barrier_count > 0;
}

bool outbox_barrier_room(const struct outbox *outbox)
{
	return outbox->barrier_count < OUTBOX_BARRIERS && outbox->suspects == 0;
}

int outbox_barrier(struct outbox *outbox, struct xylem_span stanza)
{
	assert(outbox->barrier_count < OUTBOX_BARRIERS);
	struct outgoing *out = outgoing_new(outbox, stanza, NULL);
	if (out == NULL) {
		return -XYLEM_E_MEMORY;
	}
	out->barrier = true;
	uint64_t *covers = &outbox->barriers[outbox->barrier_count++];
	if (outbox->suspects > 0 && outbox->ring->suspect && outbox->ring->queued) {
		*covers = outbox->ring->number;
		enqueue_behind(outbox, outbox->ring, out);
	} else {
		*covers = outbox->next_number - 1;
		enqueue(outbox, out);
	}
	return 0;
}

static void settle(struct outbox *outbox, struct outgoing *out)
{
	untrack(outbox, out);
	out->queue_next = NULL;
	if (outbox->settled_last == NULL) {
		outbox->settled = out;
	} else {
		outbox->settled_last->queue_next = out;
	}
	outbox->settled_last = out;
}

void outbox_barrier_back(struct outbox *outbox)
{
	if (outbox->barrier_count == 0) {
		return;
	}
	uint64_t covers = outbox->barriers[0];
	outbox->barrier_count--;
	memmove(outbox->barriers, outbox->barriers + 1, outbox->barrier_count * sizeof(covers));
	while (outbox->ring != NULL && outbox->ring->number <= covers && !outbox->ring->queued) {
		settle(outbox, outbox->ring);
	}
}

bool outbox_settled(
	struct outbox *outbox, link_confirmed *ret_done, void **ret_context, struct link_outcome *ret_outcome)
{
	struct outgoing *out = outbox->settled;
	if (out == NULL) {
		return false;
	}
	outbox->settled = out->queue_next;
	if (outbox->settled == NULL) {
		outbox->settled_last = NULL;
	}
	*ret_done = out->done;
	*ret_context = out->context;
	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (out->outcome != NULL) {
		*ret_outcome = *out->outcome;
	}
	discard(outbox, out);
	return true;
}

/* --- Writing ------------------------------------------------------------- */

/* A suspect goes alone; nothing that could be blamed for it goes beside it. */
static bool may_go(const struct outbox *outbox, const struct outgoing *out)
{
	if (out->number == 0 || out->exposed || outbox->suspects == 0) {
		return true;
	}
	return outbox->exposed == 0;
}

size_t outbox_gather(struct outbox *outbox, struct iovec *pieces, size_t room)
{
	size_t n = 0;

	for (struct outgoing *out = outbox->queue; out != NULL && n < room && may_go(outbox, out);
		out = out->queue_next) {
		size_t skip = n == 0 ? outbox->head_written : 0;
		pieces[n].iov_base = out->bytes + skip;
		pieces[n].iov_len = out->n - skip;
		n++;
		if (out->number != 0 && !out->exposed) {
			out->exposed = true;
			outbox->exposed++;
			outbox->resent += out->sent_before ? 1 : 0;
		}
	}
	return n;
}

static void dequeue(struct outbox *outbox)
{
	struct outgoing *out = outbox->queue;

	outbox->queue = out->queue_next;
	if (outbox->queue == NULL) {
		outbox->queue_last = NULL;
	}
	outbox->queued_bytes -= out->n;
	outbox->head_written = 0;
	out->queued = false;
	if (out->number == 0) {
		discard(outbox, out);
	}
}

void outbox_written(struct outbox *outbox, size_t n)
{
	while (n > 0) {
		size_t left = outbox->queue->n - outbox->head_written;
		if (n < left) {
			outbox->head_written += n;
			return;
		}
		n -= left;
		dequeue(outbox);
	}
}

/* --- What comes back ----------------------------------------------------- */

static void copy_text(char *to, size_t room, struct xylem_span text)
{
	snprintf(to, room, "%.*s", (int)(text.n < room ? text.n : room), text.n > 0 ? text.at : "");
}

static void record(struct outgoing *out, int error, struct xylem_span type, struct xylem_span condition,
	struct xylem_span text)
{
	if (out->outcome == NULL) {
		out->outcome = calloc(1, sizeof(*out->outcome));
	}
	if (out->outcome != NULL) {
		out->outcome->error = error;
		copy_text(out->outcome->type, sizeof(out->outcome->type), type);
		copy_text(out->outcome->condition, sizeof(out->outcome->condition), condition);
		copy_text(out->outcome->text, sizeof(out->outcome->text), text);
	}
}

bool outbox_refused(struct outbox *outbox, struct xylem_span id, struct xylem_span from,
	struct xylem_span type, struct xylem_span condition, struct xylem_span text)
{
	char normal[JID_SIZE];
	if (!jid_normalise(from, normal)) {
		return false;
	}
	struct xylem_span bare = xylem_span_of(normal);
	uint64_t hash = hash_of(id, bare);

	for (struct outgoing *out = outbox->buckets[hash % BUCKETS]; out != NULL; out = out->bucket_next) {
		if (out->hash == hash && xylem_span_equal(id_of(out), id) &&
			xylem_span_equal(to_of(out), bare)) {
			record(out, -XYLEM_E_UNPROCESSABLE, type, condition, text);
			return true;
		}
	}
	return false;
}

/* --- Ends of streams ----------------------------------------------------- */

static void queue_clear(struct outbox *outbox)
{
	while (outbox->queue != NULL) {
		dequeue(outbox);
	}
	outbox->barrier_count = 0;
}

static void suspect(struct outbox *outbox, struct outgoing *out)
{
	if (!out->suspect) {
		out->suspect = true;
		outbox->suspects++;
	}
}

/*
 * A server that closes on what it does not bear often resets the connection, and
 * its last words are lost. So an end without a word counts, too, but only by
 * repetition: a cut cable has no preference for one stanza.
 */
static void count_end(struct outbox *outbox)
{
	bool alone = outbox->exposed == 1;

	for (struct outgoing *out = outbox->ring, *next; out != NULL; out = next) {
		next = out->ring_next;
		if (!out->exposed) {
			continue;
		}
		out->ends++;
		if (out->suspect && alone && out->ends >= ENDS_BLAMED) {
			record(out, -XYLEM_E_INVALID, xylem_span_of("wait"), xylem_span_of("connection-lost"),
				xylem_span_of("the connection was lost again and again with this stanza"));
			settle(outbox, out);
		} else if (out->ends >= ENDS_SUSPECT) {
			suspect(outbox, out);
		}
	}
}

static void blame_exposed(struct outbox *outbox, const char *condition)
{
	bool found = outbox->exposed == 1;

	for (struct outgoing *out = outbox->ring, *next; out != NULL; out = next) {
		next = out->ring_next;
		if (!out->exposed) {
			continue;
		}
		if (found) {
			record(out, -XYLEM_E_INVALID, xylem_span_of("modify"), xylem_span_of(condition),
				xylem_span_of("the server closed the stream because of this stanza"));
			settle(outbox, out);
		} else {
			suspect(outbox, out);
		}
	}
}

void outbox_restart(struct outbox *outbox, const char *blame)
{
	queue_clear(outbox);
	if (blame != NULL) {
		blame_exposed(outbox, blame);
	} else {
		count_end(outbox);
	}
	for (struct outgoing *out = outbox->ring; out != NULL; out = out->ring_next) {
		out->sent_before = out->sent_before || out->exposed;
		out->exposed = false;
		enqueue(outbox, out);
	}
	outbox->exposed = 0;
}

void outbox_abandon(struct outbox *outbox, int error)
{
	queue_clear(outbox);
	while (outbox->ring != NULL) {
		record(outbox->ring, error, XYLEM_SPAN_NONE, XYLEM_SPAN_NONE, XYLEM_SPAN_NONE);
		settle(outbox, outbox->ring);
	}
}

/* Takes a stanza that is not begun out of the queue; the first may be half written. */
static void unqueue(struct outbox *outbox, struct outgoing *out)
{
	struct outgoing *before = NULL;
	for (struct outgoing *q = outbox->queue; q != NULL && q != out; q = q->queue_next) {
		before = q;
	}
	*(before != NULL ? &before->queue_next : &outbox->queue) = out->queue_next;
	if (outbox->queue_last == out) {
		outbox->queue_last = before;
	}
	outbox->queued_bytes -= out->n;
	out->queued = false;
}

static void forget_settled(struct outbox *outbox, const void *context)
{
	struct outgoing **link = &outbox->settled;

	outbox->settled_last = NULL;
	while (*link != NULL) {
		struct outgoing *out = *link;
		if (out->context == context) {
			*link = out->queue_next;
			discard(outbox, out);
		} else {
			outbox->settled_last = out;
			link = &out->queue_next;
		}
	}
}

void outbox_forget(struct outbox *outbox, const void *context)
{
	forget_settled(outbox, context);
	for (struct outgoing *out = outbox->ring, *next; out != NULL; out = next) {
		next = out->ring_next;
		if (out->context != context) {
			continue;
		}
		bool begun = out->exposed;
		untrack(outbox, out);
		if (out->queued && !begun) {
			unqueue(outbox, out);
		}
		if (!out->queued) {
			discard(outbox, out);
		}
	}
}

struct outbox *outbox_free(struct outbox *outbox)
{
	if (outbox != NULL) {
		assert(outbox->magic == OUTBOX_MAGIC);
		outbox_abandon(outbox, -XYLEM_E_STOPPING);
		link_confirmed done;
		void *context;
		struct link_outcome outcome;
		while (outbox_settled(outbox, &done, &context, &outcome)) {
			/* Nobody is left to be told: link_stop() has told them. */
		}
		outbox->magic = 0;
		free(outbox);
	}
	return NULL;
}

size_t outbox_queued_bytes(const struct outbox *outbox)
{
	return outbox->queued_bytes;
}

size_t outbox_left_bytes(const struct outbox *outbox)
{
	return outbox->queued_bytes - outbox->head_written;
}

size_t outbox_unconfirmed(const struct outbox *outbox)
{
	return outbox->unconfirmed;
}

size_t outbox_held_bytes(const struct outbox *outbox)
{
	return outbox->held_bytes;
}

uint64_t outbox_resent(const struct outbox *outbox)
{
	return outbox->resent;
}
