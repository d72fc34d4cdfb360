/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending half of `peer`.
 *
 * One delivery is one call: its messages go as numbered batches, each as large
 * as a stanza may be, several at a time without an answer. The receiver takes a
 * batch only if it took the one before it whole, so that the order of the call
 * holds even if one is refused or lost in the middle. What follows a failure is
 * not tried, whatever became of it: it comes again under the same names, and the
 * receiver knows what it has.
 *
 * No answer, a receiver that is held back or away: `down`, no message is at
 * fault. An event that is refused for what it is: `wrong`.
 *
 * The rule not to break: a message has the same name in every repeat and no
 * other has it. It is made of its place in the journal, its part and its time
 * there (a journal that was lost or restored gives the same places again, at
 * other times); the lane is the stream.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <connectors/peer_sink.h>
#include <connectors/peer_wire.h>
#include <xmpp/stanza.h>

#define STANZA_AROUND 512 /* bytes of a stanza around its events, beside its addresses */

static struct link *link_of(const struct peer_worker *worker)
{
	return xmpp_service_link(worker->peer->service);
}

/* --- Flights ----------------------------------------------------------------------- */

static bool is_interrupted(struct peer_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	bool interrupted = worker->interrupted;
	pthread_mutex_unlock(&worker->lock);
	return interrupted;
}

/* Waits for room in the link, in short steps, since nobody signals an interruption there. */
static int request(struct peer_worker *worker, struct peer_flight *flight, link_answered answered,
	struct xylem_reason *reason)
{
	struct link *link = link_of(worker);
	struct xylem_span stanza = xylem_buffer_borrow(&worker->stanza);
	int error;
	flight->state = FLIGHT_OUT;
	for (;;) {
		int64_t now = clock_mono_us(), left = worker->deadline_us - now;
		error = left <= 0 ? -XYLEM_E_TIMEOUT
				  : link_request(link, stanza, flight->id, worker->peer->options->to, left,
					    answered, flight, reason);
		if (error != -XYLEM_E_BUSY || is_interrupted(worker)) {
			return error;
		}
		(void)link_wait_room(link, now + 100000, NULL);
	}
}

/* Waits until it is answered; the deadline of the request ends this. False: interrupted. */
static bool await(struct peer_worker *worker, const struct peer_flight *flight)
{
	pthread_mutex_lock(&worker->lock);
	while (flight->state == FLIGHT_OUT && !worker->interrupted) {
		pthread_cond_wait(&worker->changed, &worker->lock);
	}
	bool answered = flight->state != FLIGHT_OUT;
	pthread_mutex_unlock(&worker->lock);
	return answered;
}

static void open_stanza(struct peer_worker *worker, struct peer_flight *flight, const char *type)
{
	xylem_buffer_clear(&worker->stanza);
	link_id(link_of(worker), flight->id);
	stanza_open(&worker->stanza, "iq", type, xylem_span_of(link_domain(link_of(worker))),
		xylem_span_of(worker->peer->options->to), xylem_span_of(flight->id));
	xylem_buffer_byte(&worker->stanza, '>');
}

/* --- Results ------------------------------------------------------------------------ */

static void fail(
	struct peer_worker *worker, size_t i, enum xylem_failure failure, const char *code, const char *text)
{
	worker->over = true;
	if (i < worker->n) {
		xylem_result_fail(&worker->results[i], failure, code, "%s", text);
	}
}

/* A batch that is not understood may be so for anything in it, or for the bus that does not understand. */
static enum xylem_failure failure_of(const struct peer_flight *flight, bool waits, bool large)
{
	if (waits) {
		return XYLEM_FAILURE_DOWN;
	}
	if (strcmp(flight->condition, "bad-request") == 0) {
		return XYLEM_FAILURE_BUSY;
	}
	return large ? XYLEM_FAILURE_WRONG : xylem_failure_of_xmpp(flight->type, flight->condition);
}

/* The whole batch was refused; the first of its messages stands for it. */
static void judge_refused(struct peer_worker *worker, struct peer_flight *flight)
{
	char code[64];
	bool large = strcmp(flight->condition, "policy-violation") == 0;
	bool waits = strcmp(flight->type, "wait") == 0;

	worker->over = true;
	if (flight->out_of_order && worker->settled > 0) {
		return;
	}
	if (large && !waits && flight->count > 1) {
		worker->most = flight->count / 2;
		return;
	}
	atomic_store(&worker->peer->agreed, 0);
	snprintf(code, sizeof(code), "peer-%s", flight->condition);
	fail(worker, flight->from, failure_of(flight, waits, large), code,
		flight->text[0] ? flight->text : flight->condition);
}

static void judge_taken(struct peer_worker *worker, struct peer_flight *flight)
{
	for (size_t i = 0; i < flight->taken.count; i++) {
		struct xylem_result *result = &worker->results[flight->from + i];
		result->failure = XYLEM_DELIVERED;
		result->handle = flight->taken.handles[i];
	}
	worker->settled = flight->from + flight->taken.count;
	if (flight->taken.count < flight->count) {
		char code[64];
		snprintf(code, sizeof(code), "peer-%s", flight->code);
		fail(worker, worker->settled, XYLEM_FAILURE_WRONG, code,
			flight->text[0] ? flight->text : flight->code);
	}
}

static void judge(struct peer_worker *worker, struct peer_flight *flight)
{
	char why[256] = "the other bus did not answer in time";
	struct link_state state;

	switch (flight->state) {
	case FLIGHT_TAKEN:
		judge_taken(worker, flight);
		return;
	case FLIGHT_REFUSED:
		judge_refused(worker, flight);
		return;
	default:
		link_state(link_of(worker), &state);
		if (!state.up) {
			snprintf(why, sizeof(why), "%s", state.why);
		}
		fail(worker, flight->from, XYLEM_FAILURE_DOWN, "peer-no-answer", why);
	}
}

/* --- Sending ------------------------------------------------------------------------- */

static void ref_of(const struct xylem_message *message, char ref[PEER_NAME_MAX])
{
	char handle[XYLEM_HANDLE_SIZE];
	snprintf(ref, PEER_NAME_MAX, "%s.%" PRIu32 ".%" PRIx64,
		xylem_handle_format(message->position, handle), message->part,
		(uint64_t)message->journal_time_us);
}

static size_t room_of(const struct peer_worker *worker)
{
	size_t most = link_max_stanza(link_of(worker)), own = (size_t)worker->peer->options->stanza;
	size_t around = STANZA_AROUND + strlen(worker->peer->options->to) +
			strlen(link_domain(link_of(worker)));
	most = own < most ? own : most;
	return most > around ? most - around : 0;
}

/* Can this message travel at all? Its result says why not. */
static bool fit_for_travel(struct peer_worker *worker, size_t i, size_t cost)
{
	const struct xylem_message *message = worker->messages[i];
	struct xylem_reason reason = { "" };
	size_t room = room_of(worker);
	const char *code = NULL;

	if (peer_hops(message) >= PEER_HOPS_MAX) {
		code = "peer-hops";
		xylem_reason_set(&reason, "%d buses have sent it on already: it goes round in a circle",
			PEER_HOPS_MAX);
	} else if (cost > room) {
		code = "peer-too-large";
		xylem_reason_set(&reason, "it needs %zu bytes of a stanza; `stanza` leaves %zu", cost, room);
	} else if (xylem_message_check(message, &reason) != 0) {
		code = "peer-invalid";
	}
	if (code) {
		fail(worker, i, XYLEM_FAILURE_WRONG, code, reason.text);
	}
	return code == NULL;
}

/*
 * Writes the next batch into the stanza; the number of its messages. 0: the next
 * message cannot travel, which is said only when all before it are settled, so
 * that nothing behind a failure is delivered.
 */
static size_t pack(struct peer_worker *worker, struct peer_flight *flight)
{
	size_t used = 0, room = room_of(worker), i = worker->sent;
	char stream[PEER_NAME_MAX + 1];

	peer_stream_name(worker->messages[i]->route, xylem_host_name(worker->peer->host), stream);
	open_stanza(worker, flight, "set");
	peer_batch_open(
		&worker->stanza, xylem_span_of(stream), xylem_span_of(worker->call), worker->number + 1);
	for (; i < worker->n && i - worker->sent < worker->most; i++) {
		const struct xylem_message *message = worker->messages[i];
		size_t cost = peer_event_cost(message);
		struct xylem_reason ignored;
		char ref[PEER_NAME_MAX];
		bool fits = cost <= room && peer_hops(message) < PEER_HOPS_MAX &&
			    xylem_message_check(message, &ignored) == 0;
		if (!fits || used + cost > room) {
			break;
		}
		used += cost;
		ref_of(message, ref);
		peer_event_write(&worker->stanza, xylem_span_of(ref), message);
	}
	peer_batch_close(&worker->stanza);
	xylem_buffer_text(&worker->stanza, "</iq>");
	return i - worker->sent;
}

static void failed_to_send(struct peer_worker *worker, size_t i, int error, const char *text)
{
	bool wrong = error == -XYLEM_E_INVALID || error == -XYLEM_E_TOO_LARGE;
	const char *code = error == -XYLEM_E_INVALID     ? "peer-not-xml"
			   : error == -XYLEM_E_TOO_LARGE ? "peer-too-large"
							 : "xmpp-link";
	fail(worker, i, wrong ? XYLEM_FAILURE_WRONG : XYLEM_FAILURE_DOWN, code,
		text[0] ? text : xylem_error_row(error)->text);
}

/* Sends one batch. False: not now, or never (then `over`). */
static bool send_next(struct peer_worker *worker)
{
	struct peer_flight *flight = &worker->flights[(worker->first + worker->flying) % PEER_FLIGHTS_MAX];
	struct xylem_reason reason = { "" };
	size_t count = pack(worker, flight);

	if (count == 0) {
		if (worker->flying == 0) {
			(void)fit_for_travel(
				worker, worker->sent, peer_event_cost(worker->messages[worker->sent]));
			worker->over = true;
		}
		return false;
	}
	flight->from = worker->sent;
	flight->count = count;
	xylem_arena_reset(flight->arena);
	int error = xylem_buffer_failed(&worker->stanza)
			    ? -XYLEM_E_MEMORY
			    : request(worker, flight, peer_answer_taken, &reason);
	if (error != 0) {
		if (worker->flying == 0) {
			failed_to_send(worker, worker->sent, error, reason.text);
		}
		return false;
	}
	worker->sent += count;
	worker->number++;
	worker->flying++;
	return true;
}

static void send_more(struct peer_worker *worker)
{
	size_t window = (size_t)worker->peer->options->window;
	while (!worker->over && worker->sent < worker->n && worker->flying < window && send_next(worker)) {
	}
}

static void settle_oldest(struct peer_worker *worker)
{
	struct peer_flight *flight = &worker->flights[worker->first];
	if (!await(worker, flight)) {
		fail(worker, flight->from, XYLEM_FAILURE_DOWN, "interrupted",
			"stopped before the other bus answered");
		return;
	}
	judge(worker, flight);
	worker->first = (worker->first + 1) % PEER_FLIGHTS_MAX;
	worker->flying--;
}

/* Those that are still out: nobody waits for their answers. */
static void forget(struct peer_worker *worker)
{
	for (; worker->flying > 0; worker->flying--) {
		link_forget(link_of(worker), &worker->flights[worker->first]);
		worker->first = (worker->first + 1) % PEER_FLIGHTS_MAX;
	}
}

/* --- Does the other side speak this? ---------------------------------------------------- */

static void judge_features(struct peer_worker *worker, struct peer_flight *flight, uint64_t connects)
{
	if (flight->state != FLIGHT_TAKEN) {
		judge(worker, flight);
	} else if (!flight->speaks) {
		fail(worker, 0, XYLEM_FAILURE_MISCONFIGURED, "peer-version",
			"the address in `to` does not speak " NS_PEER);
	} else {
		atomic_store(&worker->peer->agreed, connects);
	}
}

static void ask(struct peer_worker *worker, uint64_t connects)
{
	struct peer_flight *flight = &worker->flights[worker->first];
	struct xylem_reason reason = { "" };

	flight->from = 0;
	flight->count = 1;
	flight->speaks = false;
	xylem_arena_reset(flight->arena);
	open_stanza(worker, flight, "get");
	xylem_buffer_text(&worker->stanza, "<query xmlns='" NS_DISCO_INFO "'/></iq>");
	int error = request(worker, flight, peer_answer_features, &reason);
	if (error != 0) {
		failed_to_send(worker, 0, error, reason.text);
		return;
	}
	if (!await(worker, flight)) {
		link_forget(link_of(worker), flight);
		fail(worker, 0, XYLEM_FAILURE_DOWN, "interrupted", "stopped before the other bus answered");
		return;
	}
	judge_features(worker, flight, connects);
}

/* Asked once on each connection, and again after a refusal. */
static void agree(struct peer_worker *worker)
{
	struct link_state state;
	link_state(link_of(worker), &state);
	if (!state.up) {
		fail(worker, 0, XYLEM_FAILURE_DOWN, "xmpp-link", state.why);
	} else if (atomic_load(&worker->peer->agreed) != state.connects) {
		ask(worker, state.connects);
	}
}

/* --- The sink's face ------------------------------------------------------------------------ */

static void begin(struct peer_worker *worker, const struct xylem_message *const *messages, size_t n,
	struct xylem_result *results)
{
	pthread_mutex_lock(&worker->lock);
	worker->interrupted = false;
	pthread_mutex_unlock(&worker->lock);
	worker->deadline_us = clock_mono_us() + worker->timeout_us;
	worker->messages = messages;
	worker->results = results;
	worker->n = n;
	worker->sent = worker->settled = 0;
	worker->number = 0;
	worker->over = false;
	xylem_uuid_new(worker->call);
	for (size_t i = 0; i < n; i++) {
		results[i].failure = XYLEM_NOT_TRIED;
	}
}

void peer_sink_deliver(
	void *context, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct peer_worker *worker = context;

	begin(worker, messages, n, results);
	agree(worker);
	while (!worker->over && worker->settled < n) {
		send_more(worker);
		if (worker->flying > 0) {
			settle_oldest(worker);
		}
	}
	forget(worker);
	if (!worker->over && worker->most < PEER_EVENTS_MAX) {
		worker->most++; /* slowly: a batch that was too large once most likely is again */
	}
}

void peer_sink_interrupt(void *context)
{
	struct peer_worker *worker = context;
	pthread_mutex_lock(&worker->lock);
	worker->interrupted = true;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

static bool flights_make(struct peer_worker *worker)
{
	bool made = true;
	for (size_t i = 0; i < PEER_FLIGHTS_MAX; i++) {
		worker->flights[i].worker = worker;
		worker->flights[i].arena = xylem_arena_new(0);
		made = made && worker->flights[i].arena;
	}
	return made;
}

int peer_sink_open(void *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct peer *peer = instance;
	if (peer->options->to == NULL) {
		xylem_reason_set(reason, "connector %s: `to` says where messages go; it is missing",
			xylem_host_name(peer->host));
		return -XYLEM_E_INVALID;
	}
	struct peer_worker *worker = calloc(1, sizeof(*worker));
	if (worker == NULL) {
		return -XYLEM_E_MEMORY;
	}
	worker->peer = peer;
	worker->timeout_us = timeout_us;
	worker->most = PEER_EVENTS_MAX;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->changed, NULL);
	if (!flights_make(worker)) {
		peer_sink_close(worker);
		return -XYLEM_E_MEMORY;
	}
	*ret_worker = worker;
	return 0;
}

void peer_sink_close(void *context)
{
	struct peer_worker *worker = context;
	if (worker != NULL) {
		for (size_t i = 0; i < PEER_FLIGHTS_MAX; i++) {
			xylem_arena_free(worker->flights[i].arena);
		}
		pthread_mutex_destroy(&worker->lock);
		pthread_cond_destroy(&worker->changed);
		xylem_buffer_finish(&worker->stanza);
		free(worker);
	}
}

int peer_sink_probe(void *instance, int64_t timeout_us, struct xylem_result *result)
{
	struct peer *peer = instance;
	struct xylem_reason reason = { "" };
	struct link_state state;
	void *worker = NULL;

	if (peer->options->to == NULL) {
		link_state(xmpp_service_link(peer->service), &state);
		if (!state.up) {
			xylem_result_fail(result, XYLEM_FAILURE_DOWN, "xmpp-link", "%s", state.why);
		}
		return state.up ? 0 : -XYLEM_E_UNREACHABLE;
	}
	if (peer_sink_open(instance, timeout_us, &worker, &reason) != 0) {
		xylem_result_fail(result, XYLEM_FAILURE_DOWN, "memory", "out of memory");
		return -XYLEM_E_MEMORY;
	}
	atomic_store(&peer->agreed, 0);
	begin(worker, NULL, 1, result);
	agree(worker);
	bool up = !((struct peer_worker *)worker)->over;
	result->failure = up ? XYLEM_DELIVERED : result->failure;
	peer_sink_close(worker);
	return up ? 0 : -XYLEM_E_UNREACHABLE;
}
