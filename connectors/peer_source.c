/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving half of `peer`.
 *
 *     IQ -> allowed? held? -> in the order of its call? -> each event: known, under way, or new
 *        -> the new ones to the journal in one append -> after the sync: the answer with all handles
 *
 * Each message carries where it comes from as an extension (PEER/STREAM/REF). So
 * the journal itself says what was taken, in the same commit as the message, and
 * after any crash this is read back from there (peer_learn.c); peer_known.c holds
 * it in memory.
 *
 * The rule not to break: an event is answered for only when it is on the disk; a
 * repeat of what is under way waits for that. What is not done here: nothing is
 * kept for who is not allowed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/jid.h>
#include <base/thread.h>
#include <connectors/peer_source.h>
#include <connectors/peer_wire.h>
#include <xmpp/deferred.h>

/* One batch, from the link to the journal's answer. */
struct landing {
	struct peer_source *in;
	struct deferred *deferred;
	struct peer_stream *stream;
	struct peer_name call;
	struct landing *newer;   /* on its way to the disk behind this one */
	struct landing *waiting; /* batches of repeats only, of what is with this one or before it */
	struct landing *next;    /* of those that wait with it */
	size_t count;            /* events that are, or will be, on the disk */
	size_t under_way;        /* repeats of what was not on the disk when they came */
	int error;               /* of the journal, for one of those */
	char code[32];           /* of the event behind them, if it is refused; else empty */
	struct xylem_reason why;
	struct {
		struct peer_name name;
		bool fresh;
	} events[];
};

/* --- Answers ------------------------------------------------------------------------ */

static void refuse(struct peer_source *in, const struct xml_node *stanza, const struct stanza_error *error)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (stanza_error(&out, stanza, error) && !xylem_buffer_failed(&out)) {
		link_answer(xmpp_service_link(in->peer->service), xylem_buffer_borrow(&out));
	}
}

static void refuse_code(
	struct peer_source *in, const struct xml_node *stanza, int code, const struct xylem_reason *reason)
{
	const struct xylem_error_row *row = xylem_error_row(code);
	const char *text = reason && reason->text[0] ? reason->text : row->text;
	refuse(in, stanza, &(struct stanza_error){ row->xmpp_type, row->xmpp_condition, text, NULL });
}

/* Locked. */
static void write_answer(const struct landing *landing, int error, struct xylem_buffer *out)
{
	struct xylem_position handles[PEER_EVENTS_MAX];
	struct peer_taken taken = { .count = landing->count, .handles = handles };

	if (error != 0) {
		(void)stanza_error_code(out, &landing->deferred->iq, error, NULL);
		return;
	}
	for (size_t i = 0; i < landing->count; i++) {
		handles[i] = (struct xylem_position){ 0, 0 };
		(void)peer_stream_find(landing->stream, landing->events[i].name, &handles[i]);
	}
	if (landing->code[0] != '\0') {
		taken.code = xylem_span_of(landing->code);
		taken.text = xylem_span_of(landing->why.text);
	}
	stanza_result_open(out, &landing->deferred->iq);
	peer_taken_write(out, &taken);
	stanza_result_close(out);
}

/* Locked; lets go of the lock while it sends. */
static void answer(struct landing *landing, int error)
{
	struct peer_source *in = landing->in;
	XYLEM_BUFFER_SCOPED out = { 0 };

	write_answer(landing, error, &out);
	pthread_mutex_unlock(&in->lock);
	deferred_answer(landing->deferred, &out);
	free(landing);
	pthread_mutex_lock(&in->lock);
}

/* Locked. */
static void settle(struct landing *landing, int error, const struct xylem_receipt *receipts)
{
	struct peer_source *in = landing->in;
	size_t fresh = 0;

	for (size_t i = 0; i < landing->count; i++) {
		if (!landing->events[i].fresh) {
			continue;
		}
		if (error) {
			peer_stream_drop(landing->stream, landing->events[i].name);
			continue;
		}
		in->from = receipts[fresh].position;
		peer_stream_settle(landing->stream, landing->events[i].name, receipts[fresh++].position);
	}
	in->unsaved += fresh;
}

/* Locked. */
static void set_out(struct peer_source *in, struct landing *landing)
{
	*(in->newest ? &in->newest->newer : &in->oldest) = landing;
	in->newest = landing;
}

/* Locked. It has arrived, or did not get away. */
static void remove_from_way(struct peer_source *in, const struct landing *landing)
{
	struct landing *before = NULL, *at = in->oldest;
	while (at != landing) {
		before = at;
		at = at->newer;
	}
	*(before ? &before->newer : &in->oldest) = landing->newer;
	in->newest = in->newest == landing ? before : in->newest;
}

/*
 * Locked. What was on its way did not get to the disk: who repeated it meanwhile
 * must not hear that it is there, though what came with the repeat may be.
 */
static void fail_repeats(struct landing *landing, int error)
{
	for (struct landing *at = landing; at; at = at->newer) {
		at->error = at->under_way > 0 ? error : at->error;
		for (struct landing *waiting = at->waiting; waiting; waiting = waiting->next) {
			waiting->error = error;
		}
	}
}

/* On the journal's thread, after the sync. */
static void on_journaled(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
	struct landing *landing = context;
	struct peer_source *in = landing->in;

	pthread_mutex_lock(&in->lock);
	settle(landing, error, receipts);
	if (error) {
		fail_repeats(landing, error);
		peer_stream_break(landing->stream, landing->call); /* what follows would be before it */
	}
	remove_from_way(in, landing);
	struct landing *waiting = landing->waiting;
	answer(landing, error ? error : landing->error);
	while (waiting) {
		struct landing *next = waiting->next;
		answer(waiting, error ? error : waiting->error);
		waiting = next;
	}
	pthread_cond_broadcast(&in->changed);
	pthread_mutex_unlock(&in->lock);
}

/* --- A batch ----------------------------------------------------------------------- */

/* What is wrong with the event for this bus; NULL: nothing. Marks it with where it comes from. */
static const char *admit(struct peer_source *in, const struct xylem_source *source, const char *sender,
	struct xylem_span stream, struct peer_event *event, struct xylem_reason *why)
{
	struct xylem_message *message = &event->message;
	unsigned hops = peer_hops(message);
	char *from = xylem_arena_format(in->arena, "%s/%.*s/%.*s", sender, (int)stream.n, stream.at,
		(int)event->ref.n, event->ref.at);
	char *sent = xylem_arena_format(in->arena, "%u", hops + 1);

	if (hops >= PEER_HOPS_MAX) {
		xylem_reason_set(why, "%u buses have sent it on already: it goes round in a circle", hops);
		return "hops";
	}
	if (message->data.n > xylem_source_max_message(source)) {
		xylem_reason_set(why, "%zu bytes of data; bus.max_message here is %zu", message->data.n,
			xylem_source_max_message(source));
		return "too-large";
	}
	if (!from || !sent ||
		xylem_message_set_attribute(
			message, in->arena, XYLEM_SPAN_LITERAL(PEER_FROM), xylem_span_of(from)) != 0 ||
		xylem_message_set_attribute(
			message, in->arena, XYLEM_SPAN_LITERAL(PEER_HOPS), xylem_span_of(sent)) != 0) {
		xylem_reason_set(why, "no memory for its extensions");
		return "invalid";
	}
	return xylem_message_check(message, why) ? "invalid" : NULL;
}

struct arrival {
	struct peer_source *in;
	struct xylem_source *source;
	const struct xml_node *stanza;
	const char *sender;
	struct peer_batch batch;
	struct xylem_message *fresh; /* for the journal */
	size_t fresh_count;
};

/* Locked. Sorts the events into known and new ones, up to the first that is refused. */
static int sort_out(struct arrival *arrival, struct landing *landing)
{
	struct peer_source *in = arrival->in;
	for (size_t i = 0; i < arrival->batch.count; i++) {
		struct peer_event *event = &arrival->batch.events[i];
		struct xylem_position handle;
		struct peer_name name = peer_name_of(event->ref);
		enum peer_verdict verdict = peer_stream_find(landing->stream, name, &handle);
		landing->events[i].name = name;
		landing->under_way += verdict == PEER_UNDER_WAY;
		if (verdict == PEER_NEW) {
			const char *code = admit(in, arrival->source, arrival->sender, arrival->batch.stream,
				event, &landing->why);
			if (code) {
				snprintf(landing->code, sizeof(landing->code), "%s", code);
				return 0;
			}
			if (peer_stream_add(landing->stream, name, (struct xylem_position){ 0, 0 }) != 0) {
				return -XYLEM_E_MEMORY;
			}
			landing->events[i].fresh = true;
			arrival->fresh[arrival->fresh_count++] = event->message;
		}
		landing->count = i + 1;
	}
	return 0;
}

/* Locked. 0; or the error that answers the batch, with nothing of it kept. */
static int take_up(struct arrival *arrival, struct landing *landing, struct xylem_reason *reason)
{
	struct peer_source *in = arrival->in;
	const struct peer_batch *batch = &arrival->batch;
	int error = peer_known_stream(
		in->known, xylem_span_of(arrival->sender), batch->stream, clock_wall_us(), &landing->stream);
	if (error == -XYLEM_E_LIMIT) {
		xylem_reason_set(
			reason, "%d streams of one bus are in use at this address", PEER_STREAMS_MAX);
	}
	if (error) {
		return error;
	}
	if (!peer_stream_next(landing->stream, batch->call, batch->number)) {
		return -XYLEM_E_CONFLICT;
	}
	error = sort_out(arrival, landing);
	if (error) {
		settle(landing, error, NULL);
	}
	return error;
}

static void refuse_batch(struct arrival *arrival, int error, const struct xylem_reason *reason)
{
	if (error == -XYLEM_E_CONFLICT) {
		refuse(arrival->in, arrival->stanza,
			&(struct stanza_error){ "wait", "unexpected-request",
				"the batch before it in its call was not taken whole",
				"<out-of-order xmlns='" NS_PEER "'/>" });
		return;
	}
	refuse_code(arrival->in, arrival->stanza, error, reason);
}

static void count_events(const struct arrival *arrival, const struct landing *landing)
{
	struct xylem_host *host = arrival->in->peer->host;
	if (landing->count > arrival->fresh_count) {
		xylem_host_count(host, "repeats", landing->count - arrival->fresh_count);
	}
	if (landing->code[0]) {
		xylem_host_count(host, "refused", 1);
	}
}

/* Locked. The journal does not take it: nothing of it was there. */
static void take_back(struct arrival *arrival, struct landing *landing)
{
	const struct peer_batch *batch = &arrival->batch;
	settle(landing, -XYLEM_E_BUSY, NULL);
	peer_stream_took(landing->stream, batch->call, batch->number, true);
	remove_from_way(landing->in, landing);
}

/* Hands the new events to the journal. */
static void hand_in(struct arrival *arrival, struct landing *landing)
{
	struct peer_source *in = arrival->in;
	struct xylem_reason reason = { "" };
	int error = xylem_source_submit(
		arrival->source, arrival->fresh, arrival->fresh_count, on_journaled, landing, &reason);
	if (error) {
		pthread_mutex_lock(&in->lock);
		take_back(arrival, landing);
		pthread_mutex_unlock(&in->lock);
		deferred_refuse(landing->deferred,
			&(struct stanza_error){ xylem_error_row(error)->xmpp_type,
				xylem_error_row(error)->xmpp_condition, reason.text, NULL });
		free(landing);
	}
}

static void land(struct arrival *arrival, struct landing *landing)
{
	struct peer_source *in = arrival->in;
	const struct peer_batch *batch = &arrival->batch;
	struct xylem_reason reason = { "" };

	pthread_mutex_lock(&in->lock);
	int error = take_up(arrival, landing, &reason);
	landing->deferred = error ? NULL : deferred_new(in->peer->service, arrival->stanza);
	if (!error && !landing->deferred) {
		error = -XYLEM_E_MEMORY;
		settle(landing, error, NULL);
	}
	if (error) {
		pthread_mutex_unlock(&in->lock);
		refuse_batch(arrival, error, &reason);
		free(landing);
		return;
	}
	count_events(arrival, landing);
	landing->call = peer_name_of(batch->call);
	peer_stream_took(landing->stream, batch->call, batch->number, landing->code[0] != '\0');
	if (arrival->fresh_count > 0) {
		set_out(in, landing);
		pthread_mutex_unlock(&in->lock);
		hand_in(arrival, landing);
		return;
	}
	if (landing->under_way > 0) {
		landing->next = in->newest->waiting;
		in->newest->waiting = landing;
	} else {
		answer(landing, 0);
	}
	pthread_mutex_unlock(&in->lock);
}

static void take(struct peer_source *in, struct xylem_source *source, const struct xml_node *stanza,
	const struct xml_node *element, const char *sender)
{
	struct xylem_reason reason = { "" };
	struct arrival arrival = { .in = in, .source = source, .stanza = stanza, .sender = sender };
	int error = peer_batch_read(element, in->arena, &arrival.batch, &reason);
	if (error == 0) {
		size_t n = arrival.batch.count;
		struct landing *landing = calloc(1, sizeof(*landing) + n * sizeof(landing->events[0]));
		arrival.fresh = xylem_arena_take(in->arena, n * sizeof(*arrival.fresh));
		if (landing && arrival.fresh) {
			landing->in = in;
			land(&arrival, landing);
		} else {
			free(landing);
			error = -XYLEM_E_MEMORY;
		}
	}
	if (error) {
		refuse_code(in, stanza, error, &reason);
	}
	xylem_arena_reset(in->arena);
}

/* --- A stanza ---------------------------------------------------------------------- */

bool peer_source_admits(const struct peer_source *in, const char *bare)
{
	return jid_listed(in->peer->options->allow, bare);
}

/* A bus is a domain; who has an account at it is not the bus. */
static bool sender_of(const struct xml_node *stanza, char sender[JID_SIZE])
{
	struct jid from;
	return jid_split(xml_attribute(stanza, "from"), &from) && !xylem_span_present(from.local) &&
	       !xylem_span_present(from.resource) && jid_normalise(xml_attribute(stanza, "from"), sender);
}

static bool is_bus_protocol(const struct xml_node *payload)
{
	static const char family[] = "urn:xylem:bus:";
	return payload && payload->namespace.n >= sizeof(family) - 1 &&
	       memcmp(payload->namespace.at, family, sizeof(family) - 1) == 0;
}

/* An IQ has one child (RFC 6120, 8.2.3); a second batch would be lost behind the answer to the first. */
static bool is_one_batch(const struct xml_node *stanza, const struct xml_node *payload)
{
	return xylem_span_is(xml_attribute(stanza, "type"), "set") && xml_is(payload, NS_PEER, "batch") &&
	       xml_next(payload, NS_PEER, NULL) == NULL;
}

bool peer_source_stanza(struct peer_source *in, const struct xml_node *stanza)
{
	const struct xml_node *payload = xml_child(stanza, NULL, NULL);
	struct xylem_source *source = atomic_load(&in->source);
	char sender[JID_SIZE];

	if (!xml_is(stanza, NS_COMPONENT, "iq") || !is_bus_protocol(payload)) {
		return false;
	}
	if (!sender_of(stanza, sender) || !peer_source_admits(in, sender)) {
		refuse(in, stanza, &(struct stanza_error){ "auth", "forbidden", NULL, NULL });
	} else if (!xml_is(payload, NS_PEER, NULL)) {
		refuse(in, stanza,
			&(struct stanza_error){ "cancel", "feature-not-implemented",
				"this bus speaks " NS_PEER, "<unsupported-version xmlns='" NS_PEER "'/>" });
	} else if (!is_one_batch(stanza, payload)) {
		refuse(in, stanza,
			&(struct stanza_error){
				"modify", "bad-request", "one `batch` in an IQ of type set", NULL });
	} else if (source == NULL) {
		refuse(in, stanza,
			&(struct stanza_error){
				"wait", "resource-constraint", "the bus is starting or stopping", NULL });
	} else if (xylem_source_held(source)) {
		refuse_code(in, stanza, -XYLEM_E_BUSY, NULL);
	} else {
		take(in, source, stanza, payload, sender);
	}
	return true;
}

/* --- Life ---------------------------------------------------------------------------- */

struct peer_source *peer_source_new(struct peer *peer)
{
	struct peer_source *in = calloc(1, sizeof(*in));
	if (in) {
		in->peer = peer;
		in->arena = xylem_arena_new(0);
		pthread_mutex_init(&in->lock, NULL);
		pthread_cond_init(&in->changed, NULL);
	}
	return in && in->arena ? in : peer_source_free(in);
}

struct peer_source *peer_source_free(struct peer_source *in)
{
	if (in) {
		peer_source_end(in);
		xylem_arena_free(in->arena);
		pthread_mutex_destroy(&in->lock);
		pthread_cond_destroy(&in->changed);
		free(in);
	}
	return NULL;
}

int peer_source_begin(struct peer_source *in, struct xylem_source *source, struct xylem_reason *reason)
{
	in->known = peer_known_new((size_t)in->peer->options->remember);
	in->unsaved = 0;
	in->ending = false;
	int error = in->known ? peer_learn(in, source, reason) : -XYLEM_E_MEMORY;
	if (error == 0) {
		peer_learn_save(in);
		error = thread_start(&in->saver, "peer", 0, peer_learn_saver, in);
	}
	if (error) {
		in->known = peer_known_free(in->known);
		return error;
	}
	in->saving = true;
	atomic_store(&in->source, source);
	return 0;
}

void peer_source_end(struct peer_source *in)
{
	if (!in->saving) {
		return;
	}
	atomic_store(&in->source, NULL);
	/* A batch that is being handed in has read the source before: wait until it is through, and on the disk. */
	xmpp_service_settle(in->peer->service);
	pthread_mutex_lock(&in->lock);
	while (in->oldest) {
		pthread_cond_wait(&in->changed, &in->lock);
	}
	in->ending = true;
	pthread_cond_broadcast(&in->changed);
	pthread_mutex_unlock(&in->lock);
	pthread_join(in->saver, NULL);
	in->saving = false;
	peer_learn_save(in);
	in->known = peer_known_free(in->known);
}
