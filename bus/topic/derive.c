/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink behind `to: topic:NAME`. An append that succeeded just before a
 * crash is not in the lane's cursor yet; so a start scans the journal from
 * where the last commit of the lane saw its end, and passes over what it finds
 * derived there already.
 */
#include <stdio.h>
#include <stdlib.h>

#include <base/hash.h>
#include <topic/derive.h>

#define SCAN_COUNT 1024
#define SCAN_BYTES ((size_t)1024 * 1024)

/* Hashes of the ids that are in the journal: 64 bits, keyed per process, of ids that only the bus makes. */
struct known {
	uint64_t *hashes;
	size_t n, room;
};

struct derive {
	struct derive_options options;
	char ingress[160];
	char route[128]; /* options are the caller's; these texts are kept beyond the call */
	char topic[128];
};

struct derive_worker {
	struct derive *derive;
	struct known known;
	struct xylem_message *messages; /* room for one deliver() */
	struct xylem_position *positions;
	size_t room;
	struct xylem_arena *arena;
};

static int derive_open(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	struct derive *derive = calloc(1, sizeof(*derive));
	if (!derive) {
		return -XYLEM_E_MEMORY;
	}
	derive->options = *(const struct derive_options *)options;
	snprintf(derive->route, sizeof(derive->route), "%s", derive->options.route);
	snprintf(derive->topic, sizeof(derive->topic), "%s", derive->options.topic);
	derive->options.route = derive->route;
	derive->options.topic = derive->topic;
	snprintf(derive->ingress, sizeof(derive->ingress), "topic:%s", derive->options.topic);
	*ret_instance = derive;
	return 0;
}

static void derive_close(void *instance)
{
	free(instance);
}

/* --- What is derived already ------------------------------------------------ */

static int known_add(struct known *known, struct xylem_span id)
{
	if (known->n == known->room) {
		size_t room = known->room ? known->room * 2 : 256;
		uint64_t *hashes = realloc(known->hashes, room * sizeof(*hashes));
		if (!hashes) {
			return -XYLEM_E_MEMORY;
		}
		known->hashes = hashes;
		known->room = room;
	}
	known->hashes[known->n++] = hash_bytes(id.at, id.n);
	return 0;
}

static int hash_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static bool known_has(const struct known *known, struct xylem_span id)
{
	uint64_t hash = hash_bytes(id.at, id.n);
	return known->n > 0 && bsearch(&hash, known->hashes, known->n, sizeof(hash), hash_order);
}

static int scan_batch(struct derive_worker *worker, const struct journal_batch *batch)
{
	int error = 0;
	for (size_t i = 0; i < batch->n && !error; i++) {
		const struct xylem_message *message = &batch->messages[i];
		if (message->kind == XYLEM_DERIVED &&
			xylem_span_is(message->ingress, worker->derive->ingress)) {
			error = known_add(&worker->known, message->id);
		}
	}
	return error;
}

static int scan(struct derive_worker *worker)
{
	struct journal *journal = worker->derive->options.journal;
	struct xylem_position at = journal_begin(journal), end = journal_end(journal);
	if (worker->derive->options.known_from > at.offset) {
		at.offset = worker->derive->options.known_from;
	}
	struct journal_batch *batch = journal_batch_new();
	int error = batch ? 0 : -XYLEM_E_MEMORY;
	while (!error && at.offset < end.offset) {
		error = journal_read(journal, at, SCAN_COUNT, SCAN_BYTES, batch);
		if (error == -XYLEM_E_DAMAGED) {
			error = 0; /* nothing of a gap can be known; what was in it may be derived twice */
		} else if (!error && batch->n == 0) {
			break;
		} else if (!error) {
			error = scan_batch(worker, batch);
		}
		at = batch->next;
	}
	journal_batch_free(batch);
	if (worker->known.n > 0) {
		qsort(worker->known.hashes, worker->known.n, sizeof(*worker->known.hashes), hash_order);
	}
	return error;
}

/* --- Workers ---------------------------------------------------------------- */

static void derive_sink_close(void *context)
{
	struct derive_worker *worker = context;
	if (worker) {
		xylem_arena_free(worker->arena);
		free(worker->known.hashes);
		free(worker->messages);
		free(worker->positions);
		free(worker);
	}
}

static int derive_sink_open(
	void *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct derive_worker *worker = calloc(1, sizeof(*worker));
	if (!worker) {
		return -XYLEM_E_MEMORY;
	}
	worker->derive = instance;
	worker->arena = xylem_arena_new(0);
	int error = worker->arena ? scan(worker) : -XYLEM_E_MEMORY;
	if (error) {
		xylem_reason_set(reason, "topic %s: the journal cannot be scanned for derived records: %s",
			worker->derive->options.topic, xylem_error_row(error)->text);
		derive_sink_close(worker);
		return error;
	}
	*ret_worker = worker;
	return 0;
}

/* --- Deriving --------------------------------------------------------------- */

static bool derived_id(
	struct derive_worker *worker, const struct xylem_message *parent, struct xylem_span *ret_id)
{
	char handle[XYLEM_HANDLE_SIZE];
	xylem_handle_format(parent->position, handle);
	const char *route = worker->derive->options.route;
	char *id = parent->part ? xylem_arena_format(worker->arena, "%s.%s.%u", handle, route, parent->part)
				: xylem_arena_format(worker->arena, "%s.%s", handle, route);
	*ret_id = xylem_span_of(id);
	return id != NULL;
}

static int derive(
	struct derive_worker *worker, const struct xylem_message *parent, struct xylem_message *ret_derived)
{
	struct xylem_message derived = *parent;
	derived.kind = XYLEM_DERIVED;
	derived.parent = parent->position;
	derived.ingress = xylem_span_of(worker->derive->ingress);
	derived.part = 0;
	if (!derived_id(worker, parent, &derived.id)) {
		return -XYLEM_E_MEMORY;
	}
	int error = xylem_message_set_attribute(
		&derived, worker->arena, xylem_span_of("causationid"), parent->id);
	if (!error) {
		*ret_derived = derived;
	}
	return error;
}

static bool room(struct derive_worker *worker, size_t n)
{
	if (n > worker->room) {
		free(worker->messages);
		free(worker->positions);
		worker->messages = malloc(n * sizeof(*worker->messages));
		worker->positions = malloc(n * sizeof(*worker->positions));
		worker->room = worker->messages && worker->positions ? n : 0;
	}
	return n <= worker->room;
}

static int derive_all(struct derive_worker *worker, const struct xylem_message *const *messages, size_t n)
{
	xylem_arena_reset(worker->arena);
	if (!room(worker, n)) {
		return -XYLEM_E_MEMORY;
	}
	size_t fresh = 0;
	for (size_t i = 0; i < n; i++) {
		int error = derive(worker, messages[i], &worker->messages[fresh]);
		if (error) {
			return error;
		}
		fresh += !known_has(&worker->known, worker->messages[fresh].id);
	}
	return fresh == 0 ? 0
			  : journal_append_wait(worker->derive->options.journal, worker->messages, fresh,
				    true, worker->positions);
}

static void derive_deliver(
	void *context, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct derive_worker *worker = context;
	int error = derive_all(worker, messages, n);
	if (!error) {
		return;
	}
	/* Too large for a journal record is the message's fault; anything else is the journal's. */
	enum xylem_failure failure = error == -XYLEM_E_TOO_LARGE ? XYLEM_FAILURE_WRONG : XYLEM_FAILURE_DOWN;
	for (size_t i = 0; i < n; i++) {
		xylem_result_fail(&results[i], failure, xylem_error_row(error)->name,
			"topic %s: the journal says: %s", worker->derive->options.topic,
			xylem_error_row(error)->text);
	}
}

static const struct xylem_option options_table[] = { XYLEM_OPTIONS_END };

const struct xylem_connector topic_derive = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SINK | XYLEM_SINK_ORDERED | XYLEM_SINK_ALL_OR_NOTHING,
	.name = "topic",
	.summary = "Appends to a topic of the bus.",
	.options = options_table,
	.options_size = sizeof(struct derive_options),
	.batch = { 512, (size_t)1024 * 1024 },
	.open = derive_open,
	.close = derive_close,
	.sink_open = derive_sink_open,
	.deliver = derive_deliver,
	.sink_close = derive_sink_close,
};
