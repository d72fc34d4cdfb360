/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink side of the kafka connector.
 *
 * Each lane worker has a producer of its own: idempotent, acks=all, never giving a
 * record up by itself (message.timeout.ms 0, gapless). So what a broker has
 * of one partition is always a beginning of what was handed in, and a retry of the
 * producer is never stored twice. A delivery hands in all its messages and
 * waits for the delivery reports.
 *
 * When the deadline comes first, the records stay with the producer. They are
 * remembered as flights, by position and content, and when the lane brings a
 * message again, the delivery waits for the flight under way instead of
 * making a second one: an outage of the brokers makes no duplicates. A record that is refused is fatal to a gapless producer;
 * then the client is made anew and what follows is handed in again, in pieces that
 * are halved while several are refused together, since a broker refuses a whole batch for one record.
 *
 * The rule not to break: of two messages of one key, the later is never
 * reported as delivered in a call in which the earlier failed.
 *
 * What it cannot do: a record that was handed in and whose lane gave up (a case, a
 * restart of the bus) may still arrive. It carries the same id.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <xylem/log.h>

#include "kafka_client.h"
#include "kafka_flight.h"
#include "kafka_record.h"

#define MAGIC 0x6b736e6b
#define SLICE_MS 100          /* how soon an interrupt is seen */
#define GRACE_US 1500000      /* how long all brokers may be away before a delivery says so */
#define REPORTS_US 1000000    /* how long to wait for reports of a client that is given up */
#define BATCH_LARGEST 1000000 /* batch.size of librdkafka, unless it is set */
#define BATCH_SMALLEST 16384

struct worker {
	unsigned magic;
	struct kafka_instance *instance;
	int64_t timeout_us;
	rd_kafka_t *client;
	atomic_bool interrupted;
	struct flights left; /* of earlier calls, not yet reported to the lane */
	size_t stride;       /* messages handed in together */
	int64_t batch_size;  /* of the producer in bytes, once a topic refused more; 0: as configured */
	int64_t down_since;  /* 0: some broker is there, as far as we know */
	bool refused;        /* as a user, in this call */
	rd_kafka_resp_err_t last_error;
	char last_text[256];
	struct xylem_buffer scratch;
};

/* One deliver() call. */
struct call {
	struct worker *worker;
	const struct xylem_message *const *messages;
	struct xylem_result *results;
	struct flight **flights; /* one a message; NULL: not handed in */
	size_t n;
	int64_t deadline;
};

/* ---- the client ---- */

static void on_report(rd_kafka_t *client, const rd_kafka_message_t *report, void *context)
{
	struct worker *worker = context;
	struct flight *flight = report->_private;

	flight->error = report->err;
	if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		worker->down_since = 0;
		worker->last_error = RD_KAFKA_RESP_ERR_NO_ERROR;
	}
}

static void on_error(rd_kafka_t *client, int error, const char *text, void *context)
{
	struct worker *worker = context;

	if (error == RD_KAFKA_RESP_ERR__FATAL) {
		return; /* seen by rd_kafka_fatal_error() */
	}
	if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		worker->down_since = worker->down_since ? worker->down_since : kafka_clock();
		if (worker->last_error != RD_KAFKA_RESP_ERR_NO_ERROR) {
			return; /* the error before it says why */
		}
	}
	worker->refused = worker->refused || error == RD_KAFKA_RESP_ERR__AUTHENTICATION;
	worker->last_error = (rd_kafka_resp_err_t)error;
	snprintf(worker->last_text, sizeof(worker->last_text), "%s", text);
}

static int client_open(struct worker *worker, struct xylem_reason *reason)
{
	struct kafka_instance *instance = worker->instance;
	rd_kafka_conf_t *conf = kafka_conf_new(
		instance->options, KAFKA_PRODUCER, xylem_host_name(instance->host), reason);
	char text[300];

	if (conf == NULL) {
		return -XYLEM_E_INVALID;
	}
	if (worker->batch_size > 0) {
		snprintf(text, sizeof(text), "%lld", (long long)worker->batch_size);
		rd_kafka_conf_set(conf, "batch.size", text, NULL, 0);
	}
	rd_kafka_conf_set_opaque(conf, worker);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	rd_kafka_conf_set_error_cb(conf, on_error);
	worker->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (worker->client == NULL) {
		rd_kafka_conf_destroy(conf);
		xylem_reason_set(reason, "%s", text);
		return -XYLEM_E_INVALID;
	}
	worker->down_since = 0;
	worker->last_error = RD_KAFKA_RESP_ERR_NO_ERROR;
	return 0;
}

static void drain(struct worker *worker)
{
	int64_t deadline = kafka_clock() + REPORTS_US;

	while (rd_kafka_outq_len(worker->client) > 0 && kafka_clock() < deadline) {
		rd_kafka_poll(worker->client, 10);
	}
}

/*
 * Gives the client up. What has not left yet does not leave any more; what has is waited for a
 * moment, since a record of which nobody knows whether it arrived has to be sent again.
 */
static void client_close(struct worker *worker)
{
	if (worker->client == NULL) {
		return;
	}
	rd_kafka_purge(worker->client, RD_KAFKA_PURGE_F_QUEUE);
	drain(worker);
	if (rd_kafka_outq_len(worker->client) > 0) {
		rd_kafka_purge(worker->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		drain(worker);
	}
	rd_kafka_destroy(worker->client);
	worker->client = NULL;
}

/* ---- handing in ---- */

static bool topic_valid(struct xylem_span topic)
{
	size_t i;

	for (i = 0; i < topic.n; i++) {
		char c = topic.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '.' || c == '_' || c == '-')) {
			return false;
		}
	}
	return topic.n > 0 && topic.n <= 249 && !xylem_span_is(topic, ".") && !xylem_span_is(topic, "..");
}

static int choose_topic(const struct kafka_options *options, const struct xylem_message *message,
	char topic[250], struct xylem_result *result)
{
	struct xylem_span chosen = xylem_span_of(options->topic);

	if (options->topic_attribute != NULL) {
		struct xylem_span named = xylem_message_attribute(
			message, xylem_span_of(options->topic_attribute));

		chosen = xylem_span_present(named) ? named : chosen;
	}
	if (!topic_valid(chosen)) {
		xylem_result_fail(result, XYLEM_FAILURE_WRONG, "kafka-topic",
			"`%.*s` is not the name of a topic", (int)(chosen.n < 100 ? chosen.n : 100),
			chosen.n ? chosen.at : "");
		return -XYLEM_E_INVALID;
	}
	memcpy(topic, chosen.at, chosen.n);
	topic[chosen.n] = '\0';
	return 0;
}

static rd_kafka_resp_err_t produce(rd_kafka_t *client, const char *topic, struct xylem_span key,
	struct kafka_record *record, struct flight *flight)
{
	/* An empty value is not a null one: librdkafka tells them apart by the pointer. */
	rd_kafka_resp_err_t error = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.at, key.n),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value.at, record->value.n),
		RD_KAFKA_V_HEADERS(record->headers), RD_KAFKA_V_OPAQUE(flight), RD_KAFKA_V_END);

	if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
		record->headers = NULL; /* the producer has taken them */
	}
	return error;
}

/* Hands one message in, waiting while the producer's queue is full. 0, or negative with the result set. */
static int hand_in(struct call *call, size_t i)
{
	struct worker *worker = call->worker;
	const struct kafka_options *options = worker->instance->options;
	const struct xylem_message *message = call->messages[i];
	struct flight *flight = kafka_flight_new();
	struct kafka_record record = { 0 };
	rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
	char topic[250];

	if (choose_topic(options, message, topic, &call->results[i]) != 0) {
		free(flight);
		return -XYLEM_E_INVALID;
	}
	if (flight != NULL && kafka_record_make(&record, message, (enum kafka_format)options->format,
				      &worker->scratch) == 0) {
		error = produce(worker->client, topic, message->key, &record, flight);
		while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && kafka_clock() < call->deadline &&
			!atomic_load(&worker->interrupted)) {
			rd_kafka_poll(worker->client, SLICE_MS);
			error = produce(worker->client, topic, message->key, &record, flight);
		}
	}
	if (record.headers != NULL) {
		rd_kafka_headers_destroy(record.headers);
	}
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
		free(flight);
		kafka_fail(&call->results[i], error, topic);
		return -XYLEM_E_UNREACHABLE;
	}
	call->flights[i] = flight;
	return 0;
}

/* ---- waiting ---- */

static bool all_reported(const struct call *call, size_t from, size_t to)
{
	size_t i;

	for (i = from; i < to; i++) {
		if (call->flights[i] != NULL && call->flights[i]->error == UNREPORTED) {
			return false;
		}
	}
	return true;
}

static bool producer_is_dead(const struct worker *worker)
{
	char text[1];

	return rd_kafka_fatal_error(worker->client, text, sizeof(text)) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Nothing more is to be expected within this call. */
static bool hopeless(const struct worker *worker)
{
	return worker->refused || producer_is_dead(worker) ||
	       (worker->down_since != 0 && kafka_clock() - worker->down_since > GRACE_US);
}

static void await_reports(struct call *call, size_t from, size_t to)
{
	struct worker *worker = call->worker;

	/* A client that was down when the last call ended has its grace again; nobody polled meanwhile. */
	if (worker->down_since != 0) {
		worker->down_since = kafka_clock();
	}
	worker->refused = false;
	while (!all_reported(call, from, to) && kafka_clock() < call->deadline &&
		!atomic_load(&worker->interrupted) && !hopeless(worker)) {
		int64_t left = (call->deadline - kafka_clock()) / 1000;

		rd_kafka_poll(worker->client, left < SLICE_MS ? (int)left + 1 : SLICE_MS);
	}
}

/* ---- judging ---- */

/* Not an error of its own: the record went down with the client or behind another one. */
static bool is_consequence(rd_kafka_resp_err_t error)
{
	return error == RD_KAFKA_RESP_ERR__PURGE_QUEUE || error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
	       error == RD_KAFKA_RESP_ERR__FATAL || error == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE ||
	       error == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER || error == RD_KAFKA_RESP_ERR__DESTROY;
}

/* Why the reports did not come. */
static void fail_wait(const struct worker *worker, struct xylem_result *result)
{
	if (atomic_load(&worker->interrupted)) {
		xylem_result_fail(
			result, XYLEM_FAILURE_BUSY, "interrupted", "stopped before Kafka had acknowledged");
	} else if (worker->last_error != RD_KAFKA_RESP_ERR_NO_ERROR) {
		kafka_fail(result, worker->last_error, worker->last_text);
	} else {
		xylem_result_fail(result, XYLEM_FAILURE_DOWN, "timeout",
			"no acknowledgement within the lane's timeout");
	}
}

/* The client can give no further reports of this call: it is replaced. */
static int renew(struct worker *worker, struct xylem_result *ret_failure)
{
	struct xylem_reason reason = { "" };
	char text[300] = "";

	if (worker->client != NULL &&
		rd_kafka_fatal_error(worker->client, text, sizeof(text)) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		xylem_log(XYLEM_LOG_NOTICE, "kafka", "%s: the producer is made anew: %s",
			xylem_host_name(worker->instance->host), text);
	}
	client_close(worker);
	kafka_flights_lost(&worker->left);
	if (client_open(worker, &reason) != 0) {
		xylem_result_fail(
			ret_failure, XYLEM_FAILURE_MISCONFIGURED, "kafka-client", "%s", reason.text);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

/*
 * Looks at the reports of [from, to): how many records were refused for themselves. The first of
 * them gets its result and is *ret_first.
 */
static size_t judge(struct call *call, size_t from, size_t to, size_t *ret_first)
{
	size_t i, refused = 0;

	for (i = from; i < to; i++) {
		rd_kafka_resp_err_t error = call->flights[i] ? call->flights[i]->error
							     : RD_KAFKA_RESP_ERR_NO_ERROR;

		if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == UNREPORTED || is_consequence(error)) {
			continue;
		}
		if (refused++ == 0) {
			*ret_first = i;
			kafka_fail(&call->results[i], error, NULL);
		}
	}
	return refused;
}

/* True when the message has arrived by what is known now. */
static bool arrived(const struct call *call, size_t i)
{
	return call->flights[i] != NULL && call->flights[i]->error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- delivery ---- */

/* Hands in what of [from, to) has no flight. Where it stopped, with that message's result set; `to`: all are in. */
static size_t hand_in_all(struct call *call, size_t from, size_t to)
{
	size_t i;

	for (i = from; i < to; i++) {
		if (call->flights[i] == NULL) {
			call->flights[i] = kafka_flight_take(&call->worker->left, call->messages[i]);
		}
		if (call->flights[i] == NULL && hand_in(call, i) != 0) {
			return i;
		}
		if (i % 1024 == 1023) {
			rd_kafka_poll(call->worker->client, 0);
		}
	}
	return to;
}

/* Forgets flights of [from, to) that are over and did not arrive, so that they are handed in anew. */
static void drop_failed(struct call *call, size_t from, size_t to)
{
	size_t i;

	for (i = from; i < to; i++) {
		if (call->flights[i] != NULL && call->flights[i]->error != UNREPORTED && !arrived(call, i)) {
			free(call->flights[i]);
			call->flights[i] = NULL;
		}
	}
}

/* The first of [from, to) that has not arrived; `to`: all have. */
static size_t first_missing(const struct call *call, size_t from, size_t to)
{
	while (from < to && arrived(call, from)) {
		from++;
	}
	return from;
}

/* The topic's limit may be smaller than what the producer puts together: the next client sends less at once. */
static void shrink_batches(struct worker *worker)
{
	int64_t now = worker->batch_size ? worker->batch_size : BATCH_LARGEST;

	worker->batch_size = now / 2 > BATCH_SMALLEST ? now / 2 : BATCH_SMALLEST;
}

/*
 * Delivers [from, to). True: all have arrived. False: *ret_at is the message
 * whose result says why not; SIZE_MAX: try again what is missing, with a smaller stride.
 */
static bool deliver_piece(struct call *call, size_t from, size_t to, size_t *ret_at)
{
	struct worker *worker = call->worker;
	size_t in = hand_in_all(call, from, to), refused;
	bool dead;

	await_reports(call, from, in);
	dead = producer_is_dead(worker);
	if (dead && renew(worker, &call->results[from]) != 0) {
		*ret_at = from;
		return false;
	}
	refused = judge(call, from, in, ret_at);
	if (refused > 1 && call->results[*ret_at].failure == XYLEM_FAILURE_WRONG &&
		all_reported(call, from, in)) {
		/* A broker refuses a whole batch for one record: find that one. */
		call->results[*ret_at] = (struct xylem_result){ 0 };
		worker->stride = refused / 2;
		shrink_batches(worker);
		drop_failed(call, from, in);
		*ret_at = SIZE_MAX;
		return false;
	}
	if (refused > 0) {
		return false;
	}
	*ret_at = first_missing(call, from, in);
	if (*ret_at < in && dead) {
		xylem_result_fail(&call->results[*ret_at], XYLEM_FAILURE_DOWN, "kafka-fatal",
			"the producer had to be made anew; it goes on from here");
	} else if (*ret_at < in) {
		/* The flights go on, and the lane will ask for them again. */
		fail_wait(worker, &call->results[*ret_at]);
	}
	return *ret_at == to;
}

/* Where the call stopped, with that result set; n: everything has arrived. */
static size_t deliver_call(struct call *call)
{
	size_t from = 0;

	while (from < call->n) {
		size_t left = call->n - from,
		       take = call->worker->stride < left ? call->worker->stride : left, at = 0;

		if (deliver_piece(call, from, from + take, &at)) {
			from += take;
			call->worker->stride = call->worker->stride > SIZE_MAX / 2 ? SIZE_MAX
										   : call->worker->stride * 2;
		} else if (at != SIZE_MAX) {
			return at;
		} else {
			from = first_missing(call, from, call->n);
		}
	}
	return call->n;
}

static void settle(struct call *call, size_t at)
{
	size_t i;

	for (i = 0; i < call->n; i++) {
		struct flight *flight = call->flights[i];

		if (i != at && !arrived(call, i)) {
			call->results[i].failure = XYLEM_NOT_TRIED;
		}
		if (flight != NULL && flight->error == UNREPORTED) {
			kafka_flight_leave(&call->worker->left, flight, call->messages[i]);
		} else {
			free(flight);
		}
	}
	kafka_flights_sweep(&call->worker->left);
}

static void tell_health(const struct worker *worker, const struct xylem_result *failure)
{
	if (failure == NULL) {
		xylem_host_health(worker->instance->host, true, "acknowledged");
	} else if (failure->failure == XYLEM_FAILURE_DOWN ||
		   failure->failure == XYLEM_FAILURE_MISCONFIGURED) {
		xylem_host_health(worker->instance->host, false, "%s", failure->reason.text);
	}
}

void kafka_deliver(
	void *given, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = given;
	struct call call = {
		.worker = worker,
		.messages = messages,
		.results = results,
		.flights = calloc(n + 1, sizeof(struct flight *)),
		.n = n,
		.deadline = kafka_clock() + worker->timeout_us,
	};
	size_t at = 0;

	assert(worker->magic == MAGIC);
	atomic_store(&worker->interrupted, false);
	if (call.flights == NULL) {
		xylem_result_fail(&results[0], XYLEM_FAILURE_BUSY, "memory", "no memory for a batch");
		return;
	}
	if (worker->client != NULL || renew(worker, &results[0]) == 0) {
		at = deliver_call(&call);
	}
	tell_health(worker, at < n ? &results[at] : NULL);
	settle(&call, at);
	free(call.flights);
}

/* ---- lifecycle ---- */

int kafka_sink_open(void *given, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct kafka_instance *instance = given;
	struct worker *worker;

	assert(instance->magic == KAFKA_MAGIC);
	if (instance->options->topic == NULL) {
		xylem_reason_set(reason, "`topic` is missing: a destination needs it");
		return -XYLEM_E_INVALID;
	}
	worker = calloc(1, sizeof(*worker));
	if (worker == NULL) {
		xylem_reason_set(reason, "out of memory");
		return -XYLEM_E_MEMORY;
	}
	worker->magic = MAGIC;
	worker->instance = instance;
	worker->timeout_us = timeout_us;
	worker->stride = SIZE_MAX;
	if (client_open(worker, reason) != 0) {
		free(worker);
		return -XYLEM_E_INVALID;
	}
	*ret_worker = worker;
	return 0;
}

void kafka_interrupt(void *given)
{
	struct worker *worker = given;

	atomic_store(&worker->interrupted, true);
}

void kafka_sink_close(void *given)
{
	struct worker *worker = given;

	if (worker == NULL) {
		return;
	}
	assert(worker->magic == MAGIC);
	client_close(worker);
	kafka_flights_lost(&worker->left);
	while (worker->left.first != NULL) {
		struct flight *flight = worker->left.first;

		worker->left.first = flight->next;
		free(flight);
	}
	xylem_buffer_finish(&worker->scratch);
	free(worker);
}
