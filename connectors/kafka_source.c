/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source side of the kafka connector.
 *
 * One thread an instance polls the consumer, makes events of records, and hands them
 * in by batches without waiting for the disk. Batches under way stand in a queue in
 * the order in which they were handed in. The journal's answers only mark them;
 * the thread takes answered batches from the head and stores their offsets, which librdkafka
 * commits within 200 ms. So an offset is committed only when everything before it
 * in its partition is on disk.
 *
 * While the bus takes nothing in, or the window is full, the partitions are paused and the consumer is
 * still polled, so that it keeps its place in the group. On a rebalance the
 * batches under way are waited for and their offsets committed before partitions are given up.
 *
 * The rule not to break: an offset is stored only after the journal answered 0
 * for it and for all before it.
 *
 * What comes twice: records of the last 200 ms when the bus dies, and what was under way when
 * a partition was taken away. They have the same ids.
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <xylem/log.h>

#include "kafka_batch.h"
#include "kafka_record.h"

#define BATCH_COUNT 1000
#define BATCH_BYTES (2 << 20)
#define POLL_MS 100
#define STUCK_US 200000  /* how long nothing may go before the partitions are paused */
#define DRAIN_US 5000000 /* how long to wait for the disk before partitions are given up */
#define AGAIN_US 2000000 /* between attempts of a consumer that cannot go on */

/* ---- what was polled and not handed in ---- */

static void forget_gathered(struct kafka_source *source, size_t n)
{
	size_t i;

	if (n == 0) {
		return;
	}
	for (i = 0; i < n; i++) {
		source->gathered_bytes -= source->gathered[i]->len;
		rd_kafka_message_destroy(source->gathered[i]);
	}
	memmove(source->gathered, source->gathered + n,
		(source->gathered_count - n) * sizeof(*source->gathered));
	source->gathered_count -= n;
}

/* Whoever gets these partitions reads the records again. */
static void forget_partitions(struct kafka_source *source, const rd_kafka_topic_partition_list_t *revoked)
{
	size_t i, kept = 0;

	for (i = 0; i < source->gathered_count; i++) {
		rd_kafka_message_t *record = source->gathered[i];
		const char *topic = rd_kafka_topic_name(record->rkt);
		bool gone = false;
		int k;

		for (k = 0; k < revoked->cnt && !gone; k++) {
			gone = revoked->elems[k].partition == record->partition &&
			       strcmp(revoked->elems[k].topic, topic) == 0;
		}
		if (gone) {
			source->gathered_bytes -= record->len;
			rd_kafka_message_destroy(record);
		} else {
			source->gathered[kept++] = record;
		}
	}
	source->gathered_count = kept;
}

/* Takes a record in; without memory for it the process could not go on anyway, so it is read again later. */
static bool keep(struct kafka_source *source, rd_kafka_message_t *record)
{
	if (source->gathered_count == source->gathered_room) {
		size_t room = source->gathered_room ? source->gathered_room * 2 : BATCH_COUNT;
		rd_kafka_message_t **more = reallocarray(source->gathered, room, sizeof(*more));

		if (more == NULL) {
			return false;
		}
		source->gathered = more;
		source->gathered_room = room;
	}
	source->gathered[source->gathered_count++] = record;
	source->gathered_bytes += record->len;
	return true;
}

static void rewind_to(struct kafka_source *source, rd_kafka_topic_partition_list_t *first)
{
	rd_kafka_error_t *error = rd_kafka_seek_partitions(source->client, first, 5000);

	if (error != NULL) {
		xylem_log(XYLEM_LOG_WARNING, "kafka", "%s: cannot go back to what was not journaled: %s",
			xylem_host_name(source->instance->host), rd_kafka_error_string(error));
		rd_kafka_error_destroy(error);
	}
}

/* One poll. False: there is nothing now. */
static bool poll_once(struct kafka_source *source, int timeout_ms)
{
	rd_kafka_message_t *record = rd_kafka_consumer_poll(source->client, timeout_ms);

	if (record == NULL) {
		return false;
	}
	if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		xylem_host_health(source->instance->host, false, "%s", rd_kafka_message_errstr(record));
		xylem_log(XYLEM_LOG_WARNING, "kafka", "%s: %s", xylem_host_name(source->instance->host),
			rd_kafka_message_errstr(record));
		rd_kafka_message_destroy(record);
	} else if (!keep(source, record)) {
		rd_kafka_topic_partition_list_t *back = rd_kafka_topic_partition_list_new(1);

		kafka_batch_entry(back, record, record->offset);
		rewind_to(source, back);
		rd_kafka_topic_partition_list_destroy(back);
		rd_kafka_message_destroy(record);
		return false;
	}
	return true;
}

/* ---- offsets ---- */

/*
 * A batch is not in the journal, or nobody knows: everything from its first record on is read
 * again, with what was handed in after it.
 */
static void start_over(struct kafka_source *source, struct kafka_batch *failed)
{
	rd_kafka_topic_partition_list_t *first = failed->first;
	struct kafka_batch *later;
	size_t i;

	xylem_log(XYLEM_LOG_WARNING, "kafka", "%s: %zu records were not journaled (%s); they are read again",
		xylem_host_name(source->instance->host), failed->n, xylem_error_row(failed->error)->text);
	kafka_batch_await(source, DRAIN_US, true);
	while ((later = kafka_batch_take(source)) != NULL) {
		int k;

		for (k = 0; k < later->first->cnt; k++) {
			const rd_kafka_topic_partition_t *at = &later->first->elems[k];

			if (rd_kafka_topic_partition_list_find(first, at->topic, at->partition) == NULL) {
				rd_kafka_topic_partition_list_add(first, at->topic, at->partition)->offset =
					at->offset;
			}
		}
		kafka_batch_free(later);
	}
	for (i = 0; i < source->gathered_count; i++) {
		kafka_batch_entry(first, source->gathered[i], source->gathered[i]->offset);
	}
	forget_gathered(source, source->gathered_count);
	rewind_to(source, first);
	source->stuck_since = kafka_clock();
}

static void store_answered(struct kafka_source *source)
{
	struct kafka_batch *batch;

	while ((batch = kafka_batch_take(source)) != NULL) {
		if (batch->error == 0) {
			/* A partition that was taken away meanwhile is refused here: its new owner reads from the last commit. */
			(void)rd_kafka_offsets_store(source->client, batch->after);
			xylem_host_count(source->instance->host, "records", batch->n);
		} else {
			start_over(source, batch);
		}
		kafka_batch_free(batch);
	}
}

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t event,
	rd_kafka_topic_partition_list_t *partitions, void *context)
{
	struct kafka_source *source = context;
	bool cooperative = strcmp(rd_kafka_rebalance_protocol(client), "COOPERATIVE") == 0;
	rd_kafka_error_t *error = NULL;

	if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		error = cooperative ? rd_kafka_incremental_assign(client, partitions) : NULL;
		if (!cooperative) {
			rd_kafka_assign(client, partitions);
		}
		source->paused = false;
		xylem_host_health(source->instance->host, true, "%d partitions", partitions->cnt);
	} else {
		kafka_batch_await(source, DRAIN_US, true);
		store_answered(source);
		forget_partitions(source, partitions);
		if (!rd_kafka_assignment_lost(client)) {
			(void)rd_kafka_commit(client, NULL, 0);
		}
		error = cooperative ? rd_kafka_incremental_unassign(client, partitions) : NULL;
		if (!cooperative) {
			rd_kafka_assign(client, NULL);
		}
	}
	if (error != NULL) {
		xylem_log(XYLEM_LOG_WARNING, "kafka", "%s: rebalance: %s",
			xylem_host_name(source->instance->host), rd_kafka_error_string(error));
		rd_kafka_error_destroy(error);
	}
}

static void on_error(rd_kafka_t *client, int error, const char *text, void *context)
{
	struct kafka_source *source = context;

	xylem_host_health(source->instance->host, false, "%s", text);
}

/* ---- handing in ---- */

/* The record as the record room takes it; headers are borrowed from the record. */
static bool read_record(
	struct kafka_source *source, rd_kafka_message_t *record, struct xylem_message *ret_message)
{
	rd_kafka_timestamp_type_t kind;
	rd_kafka_headers_t *headers = NULL;
	struct kafka_input input = {
		.topic = rd_kafka_topic_name(record->rkt),
		.partition = record->partition,
		.offset = record->offset,
		.key = record->key ? xylem_span(record->key, record->key_len) : XYLEM_SPAN_NONE,
		.value = record->payload ? xylem_span(record->payload, record->len) : XYLEM_SPAN_NONE,
		.max_message = source->bare ? 0 : xylem_source_max_message(source->door),
	};
	struct kafka_header *copies = NULL;

	input.timestamp_ms = rd_kafka_message_timestamp(record, &kind);
	if (source->bare) {
		input.key = XYLEM_SPAN_NONE;
	} else if (rd_kafka_message_headers(record, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		size_t n = rd_kafka_header_cnt(headers), i;

		copies = xylem_arena_take(source->arena, (n + 1) * sizeof(*copies));
		for (i = 0; copies != NULL && i < n; i++) {
			const char *name = "";
			const void *value = NULL;
			size_t size = 0;

			rd_kafka_header_get_all(headers, i, &name, &value, &size);
			copies[i] = (struct kafka_header){ xylem_span_of(name), xylem_span(value, size) };
		}
		input.headers = copies;
		input.header_count = copies ? n : 0;
	}
	return kafka_record_read(&input, source->arena, ret_message);
}

/* Hands in the first `n` gathered records. 0, or what the door said. */
static int submit(struct kafka_source *source, size_t n, struct xylem_reason *reason)
{
	struct xylem_message *messages = xylem_arena_take(source->arena, n * sizeof(*messages));
	struct kafka_batch *batch = kafka_batch_new(source, n);
	size_t i;
	int error = messages == NULL || batch == NULL ? -XYLEM_E_MEMORY : 0;

	for (i = 0; error == 0 && i < n; i++) {
		error = read_record(source, source->gathered[i], &messages[i]) ? 0 : -XYLEM_E_MEMORY;
	}
	if (error == 0) {
		/* Queued first: the answer may come before the call returns. */
		kafka_batch_queue(source, batch);
		error = xylem_source_submit(source->door, messages, n, kafka_batch_on_disk, batch, reason);
		if (error != 0) {
			kafka_batch_unqueue(source, batch);
		}
	} else if (batch != NULL) {
		kafka_batch_free(batch);
	}
	xylem_arena_reset(source->arena);
	return error;
}

/* Something in this piece cannot be journaled as it is: smaller pieces, and at last the one record without its data. */
static void narrow(struct kafka_source *source, size_t n, const struct xylem_reason *reason)
{
	if (n > 1) {
		source->piece = n / 2;
		return;
	}
	xylem_log(XYLEM_LOG_WARNING, "kafka", "%s: %s %d offset %lld is taken in without key and data: %s",
		xylem_host_name(source->instance->host), rd_kafka_topic_name(source->gathered[0]->rkt),
		(int)source->gathered[0]->partition, (long long)source->gathered[0]->offset, reason->text);
	source->bare = true;
}

/* True when records went in. */
static bool hand_in(struct kafka_source *source)
{
	size_t waiting = kafka_batches_under_way(source), window = (size_t)source->instance->options->window;
	size_t n = source->gathered_count < source->piece ? source->gathered_count : source->piece;
	struct xylem_reason reason = { "" };
	int error;

	if (n == 0 || waiting >= window || xylem_source_held(source->door)) {
		return false;
	}
	n = n < window - waiting ? n : window - waiting;
	error = submit(source, n, &reason);
	if (error == -XYLEM_E_INVALID || error == -XYLEM_E_TOO_LARGE) {
		if (source->bare) {
			return false; /* nothing smaller can be made of it: hold the partition rather than lose it */
		}
		narrow(source, n, &reason);
		return true;
	}
	if (error != 0) {
		return false;
	}
	forget_gathered(source, n);
	source->bare = false;
	source->piece = source->piece < BATCH_COUNT / 2 ? source->piece * 2 : BATCH_COUNT;
	return true;
}

/* ---- the thread ---- */

static void set_paused(struct kafka_source *source, bool paused)
{
	rd_kafka_topic_partition_list_t *assigned = NULL;

	if (source->paused != paused &&
		rd_kafka_assignment(source->client, &assigned) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		paused ? rd_kafka_pause_partitions(source->client, assigned)
		       : rd_kafka_resume_partitions(source->client, assigned);
		rd_kafka_topic_partition_list_destroy(assigned);
		source->paused = paused;
	}
}

/* Nothing goes in now. For a moment it only waits; longer, it pauses and polls, to stay in the group. */
static void stay(struct kafka_source *source)
{
	int64_t now = kafka_clock();

	source->stuck_since = source->stuck_since ? source->stuck_since : now;
	if (now - source->stuck_since < STUCK_US && kafka_batches_under_way(source) > 0) {
		kafka_batch_await(source, POLL_MS * 1000 / 4, false);
		return;
	}
	set_paused(source, true);
	poll_once(source, POLL_MS);
}

static void gather(struct kafka_source *source)
{
	bool more = source->gathered_count > 0 ||
		    poll_once(source, kafka_batches_under_way(source) > 0 ? 1 : POLL_MS);

	while (more && source->gathered_count < BATCH_COUNT && source->gathered_bytes < BATCH_BYTES) {
		more = poll_once(source, 0);
	}
}

static void consume(struct kafka_source *source)
{
	char text[1];

	while (!atomic_load(&source->stopping) &&
		rd_kafka_fatal_error(source->client, text, sizeof(text)) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		store_answered(source);
		if (!source->paused) {
			gather(source);
		}
		if (source->gathered_count == 0 && !source->paused) {
			continue;
		}
		if (hand_in(source) || (source->gathered_count == 0 && !xylem_source_held(source->door))) {
			source->stuck_since = 0;
			set_paused(source, false);
		} else {
			stay(source);
		}
	}
}

static rd_kafka_t *client_new(struct kafka_source *source, struct xylem_reason *reason)
{
	const struct kafka_options *options = source->instance->options;
	rd_kafka_conf_t *conf = kafka_conf_new(
		options, KAFKA_CONSUMER, xylem_host_name(source->instance->host), reason);
	char text[300];
	rd_kafka_t *client;

	if (conf == NULL) {
		return NULL;
	}
	rd_kafka_conf_set_opaque(conf, source);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_error_cb(conf, on_error);
	client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (client == NULL) {
		rd_kafka_conf_destroy(conf);
		xylem_reason_set(reason, "%s", text);
		return NULL;
	}
	rd_kafka_poll_set_consumer(client);
	return client;
}

static int subscribe(struct kafka_source *source, struct xylem_reason *reason)
{
	const struct kafka_options *options = source->instance->options;
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(
		(int)options->topics.n + 1);
	rd_kafka_resp_err_t error;
	size_t i;

	for (i = 0; i < options->topics.n; i++) {
		rd_kafka_topic_partition_list_add(topics, options->topics.items[i], RD_KAFKA_PARTITION_UA);
	}
	if (options->topics.n == 0) {
		rd_kafka_topic_partition_list_add(topics, options->topic, RD_KAFKA_PARTITION_UA);
	}
	error = rd_kafka_subscribe(source->client, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
		xylem_reason_set(reason, "cannot subscribe: %s", rd_kafka_err2str(error));
		return -XYLEM_E_INVALID;
	}
	return 0;
}

/* While the group is left: partitions are given back, records that were fetched already go (somebody reads them again). */
static void leave_event(struct kafka_source *source, rd_kafka_event_t *event)
{
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) {
		on_rebalance(source->client, rd_kafka_event_error(event),
			rd_kafka_event_topic_partition_list(event), source);
	}
	rd_kafka_event_destroy(event);
}

/* Leaves the group, with offsets committed as far as they are known. Brokers that do not answer are not waited for. */
static void leave(struct kafka_source *source)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(source->client);
	int64_t deadline = kafka_clock() + DRAIN_US;
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(source->client, queue);

	/* As events: rd_kafka_queue_poll_callback() ends the process when it meets a fetched record (2.0.2). */
	while (error == NULL && !rd_kafka_consumer_closed(source->client) && kafka_clock() < deadline) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, POLL_MS);

		if (event != NULL) {
			leave_event(source, event);
		}
	}
	rd_kafka_error_destroy(error);
	forget_gathered(source, source->gathered_count);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy_flags(source->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	source->client = NULL;
	source->paused = false;
}

static void *run(void *context)
{
	struct kafka_source *source = context;
	struct xylem_reason reason = { "" };

	while (!atomic_load(&source->stopping)) {
		if (source->client == NULL) {
			source->client = client_new(source, &reason);
		}
		if (source->client != NULL && subscribe(source, &reason) == 0) {
			consume(source);
			xylem_reason_set(&reason, "the consumer cannot go on; it is made anew");
		}
		if (source->client != NULL) {
			leave(source);
		}
		if (!atomic_load(&source->stopping)) {
			int64_t until = kafka_clock() + AGAIN_US;
			struct timespec pause = { .tv_nsec = 50000000 };

			xylem_host_health(source->instance->host, false, "%s", reason.text);
			while (!atomic_load(&source->stopping) && kafka_clock() < until) {
				nanosleep(&pause, NULL);
			}
		}
	}
	return NULL;
}

/* ---- lifecycle ---- */

void kafka_source_free(struct kafka_source *source)
{
	struct kafka_batch *batch;

	if (source == NULL) {
		return;
	}
	assert(!source->running);
	while ((batch = kafka_batch_take(source)) != NULL) {
		kafka_batch_free(batch);
	}
	assert(source->head == NULL); /* the core has completed what was submitted */
	pthread_cond_destroy(&source->answered);
	pthread_mutex_destroy(&source->lock);
	xylem_arena_free(source->arena);
	free(source->gathered);
	free(source);
}

static struct kafka_source *source_new(struct kafka_instance *instance, struct xylem_source *door)
{
	struct kafka_source *source = calloc(1, sizeof(*source));

	if (source == NULL) {
		return NULL;
	}
	source->instance = instance;
	source->door = door;
	source->piece = BATCH_COUNT;
	source->tail = &source->head;
	pthread_mutex_init(&source->lock, NULL);
	pthread_cond_init(&source->answered, NULL);
	source->arena = xylem_arena_new(0);
	if (source->arena == NULL) {
		kafka_source_free(source);
		return NULL;
	}
	return source;
}

/* Signals are for the bus's main thread. */
static int start_thread(struct kafka_source *source)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&source->thread, NULL, run, source);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

int kafka_source_start(void *given, struct xylem_source *door, struct xylem_reason *reason)
{
	struct kafka_instance *instance = given;
	struct kafka_source *source = source_new(instance, door);
	int error = source ? 0 : -XYLEM_E_MEMORY;

	assert(instance->magic == KAFKA_MAGIC);
	if (error != 0) {
		xylem_reason_set(reason, "out of memory");
		return error;
	}
	source->client = client_new(source, reason);
	error = source->client ? 0 : -XYLEM_E_INVALID;
	if (error == 0 && start_thread(source) != 0) {
		xylem_reason_set(reason, "no thread");
		rd_kafka_destroy(source->client);
		error = -XYLEM_E_MEMORY;
	}
	if (error != 0) {
		kafka_source_free(source);
		return error;
	}
	source->running = true;
	kafka_source_free(
		instance->source); /* of an earlier start; the core has completed what it submitted */
	instance->source = source;
	return 0;
}

void kafka_source_stop(void *given)
{
	struct kafka_instance *instance = given;
	struct kafka_source *source = instance->source;

	if (source != NULL && source->running) {
		atomic_store(&source->stopping, true);
		pthread_join(source->thread, NULL);
		source->running = false;
	}
}
