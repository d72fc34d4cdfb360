/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where messages enter. A source hands in a batch; the intake checks it, marks
 * it with the ingress, and appends it to the journal in one call; the journal
 * answers after the sync, and the answer goes to the source as it comes. There
 * is no queue here: whoever cannot be served is told so at once, and keeps the
 * message.
 *
 * The rule not to break: nothing may be acknowledged to a source but what the
 * journal has answered for with error 0.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <intake/intake.h>

#define SOURCE_MAGIC 0x736f7572U
/* Batches up to this size are marked on the stack. */
#define BATCH_ON_STACK 16

struct intake {
	struct journal *journal;
	size_t max_message;
	_Atomic int refused; /* the error every submit gets; 0: none */
	intake_accepted accepted;
	void *accepted_context;
};

struct xylem_source {
	uint32_t magic;
	struct intake *intake;
	char *name;
	_Atomic int holds;
	_Atomic uint64_t received;
	pthread_mutex_t lock;
	pthread_cond_t quiet;
	size_t under_way; /* submissions without their answer, under `lock` */
	void (*on_hold)(void *context, bool held);
	void *on_hold_context;
};

/* One submission, from the append to its answer. */
struct submission {
	struct xylem_source *source;
	xylem_submit_done done;
	void *context;
};

_Static_assert(sizeof(struct xylem_receipt) == sizeof(struct xylem_position), "a receipt is a position");

struct intake *intake_new(struct journal *journal, size_t max_message)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	if (intake) {
		intake->journal = journal;
		intake->max_message = max_message;
	}
	return intake;
}

struct intake *intake_free(struct intake *intake)
{
	free(intake);
	return NULL;
}

void intake_on_accepted(struct intake *intake, intake_accepted accepted, void *context)
{
	intake->accepted = accepted;
	intake->accepted_context = context;
}

void intake_refuse(struct intake *intake, int error)
{
	atomic_store(&intake->refused, error);
}

/* --- Doors ---------------------------------------------------------------- */

struct xylem_source *intake_source_new(struct intake *intake, const char *name)
{
	struct xylem_source *source = calloc(1, sizeof(*source));
	if (!source) {
		return NULL;
	}
	source->magic = SOURCE_MAGIC;
	source->intake = intake;
	source->name = strdup(name);
	pthread_mutex_init(&source->lock, NULL);
	pthread_cond_init(&source->quiet, NULL);
	return source->name ? source : intake_source_free(source);
}

struct xylem_source *intake_source_free(struct xylem_source *source)
{
	if (source) {
		assert(source->magic == SOURCE_MAGIC);
		pthread_mutex_lock(&source->lock);
		while (source->under_way > 0) {
			pthread_cond_wait(&source->quiet, &source->lock);
		}
		pthread_mutex_unlock(&source->lock);
		pthread_mutex_destroy(&source->lock);
		pthread_cond_destroy(&source->quiet);
		free(source->name);
		source->magic = 0;
		free(source);
	}
	return NULL;
}

void intake_source_on_hold(
	struct xylem_source *source, void (*on_hold)(void *context, bool held), void *context)
{
	source->on_hold = on_hold;
	source->on_hold_context = context;
}

void intake_source_hold(struct xylem_source *source, bool hold)
{
	int before = atomic_fetch_add(&source->holds, hold ? 1 : -1);
	assert(before + (hold ? 1 : -1) >= 0);
	bool changed = hold ? before == 0 : before == 1;
	if (changed && source->on_hold) {
		source->on_hold(source->on_hold_context, hold);
	}
}

bool xylem_source_held(const struct xylem_source *source)
{
	return atomic_load_explicit(&source->holds, memory_order_relaxed) > 0;
}

size_t xylem_source_max_message(const struct xylem_source *source)
{
	return source->intake->max_message;
}

uint64_t intake_source_received(const struct xylem_source *source)
{
	return atomic_load_explicit(&source->received, memory_order_relaxed);
}

/* --- Submitting ----------------------------------------------------------- */

static int message_admit(const struct xylem_source *source, const struct xylem_message *message, size_t index,
	struct xylem_reason *reason)
{
	if (message->data.n > source->intake->max_message) {
		xylem_reason_set(reason, "message %zu has %zu bytes of data; bus.max_message allows %zu",
			index, message->data.n, source->intake->max_message);
		return -XYLEM_E_TOO_LARGE;
	}
	struct xylem_reason why = { "" };
	int error = xylem_message_check(message, &why);
	if (error) {
		xylem_reason_set(reason, "message %zu: %.400s", index, why.text);
	}
	return error;
}

static int batch_admit(const struct xylem_source *source, const struct xylem_message *messages, size_t n,
	struct xylem_reason *reason)
{
	int refused = atomic_load(&source->intake->refused);
	if (refused) {
		xylem_reason_set(reason, "the bus takes nothing in: %s", xylem_error_row(refused)->text);
		return refused;
	}
	if (xylem_source_held(source)) {
		xylem_reason_set(
			reason, "held back: the bus has as much waiting as it may hold; try again later");
		return -XYLEM_E_BUSY;
	}
	for (size_t i = 0; i < n; i++) {
		int error = message_admit(source, &messages[i], i, reason);
		if (error) {
			return error;
		}
	}
	return 0;
}

static void submission_begin(struct xylem_source *source)
{
	pthread_mutex_lock(&source->lock);
	source->under_way++;
	pthread_mutex_unlock(&source->lock);
}

static void submission_end(struct xylem_source *source)
{
	pthread_mutex_lock(&source->lock);
	if (--source->under_way == 0) {
		pthread_cond_broadcast(&source->quiet);
	}
	pthread_mutex_unlock(&source->lock);
}

static void submission_answered(void *context, int error, const struct xylem_position *positions, size_t n)
{
	struct submission submission = *(struct submission *)context;
	struct xylem_source *source = submission.source;
	free(context);
	if (!error) {
		atomic_fetch_add_explicit(&source->received, n, memory_order_relaxed);
		if (source->intake->accepted) {
			source->intake->accepted(
				source->intake->accepted_context, source->name, positions, n);
		}
	}
	submission.done(submission.context, error, (const struct xylem_receipt *)positions, error ? 0 : n);
	submission_end(source);
}

/* A copy of the batch with the ingress filled in; the caller frees what is not `room`. */
static struct xylem_message *batch_mark(const struct xylem_source *source,
	const struct xylem_message *messages, size_t n, struct xylem_message *room)
{
	struct xylem_message *marked = n <= BATCH_ON_STACK ? room : malloc(n * sizeof(*marked));
	if (marked) {
		memcpy(marked, messages, n * sizeof(*marked));
		struct xylem_span ingress = xylem_span_of(source->name);
		for (size_t i = 0; i < n; i++) {
			marked[i].ingress = ingress;
			marked[i].kind = XYLEM_MESSAGE;
		}
	}
	return marked;
}

int xylem_source_submit(struct xylem_source *source, const struct xylem_message *messages, size_t n,
	xylem_submit_done done, void *context, struct xylem_reason *reason)
{
	assert(source->magic == SOURCE_MAGIC && n > 0);
	int error = batch_admit(source, messages, n, reason);
	if (error) {
		return error;
	}
	struct xylem_message room[BATCH_ON_STACK];
	struct xylem_message *marked = batch_mark(source, messages, n, room);
	struct submission *submission = malloc(sizeof(*submission));
	if (!marked || !submission) {
		error = -XYLEM_E_MEMORY;
	} else {
		*submission = (struct submission){ source, done, context };
		submission_begin(source);
		error = journal_append(
			source->intake->journal, marked, n, false, submission_answered, submission);
		if (error) {
			submission_end(source);
		}
	}
	if (error) {
		xylem_reason_set(reason, "not journaled: %s", xylem_error_row(error)->text);
		free(submission);
	}
	if (marked != room) {
		free(marked);
	}
	return error;
}

/* --- Looking back ----------------------------------------------------------- */

#define RECALL_COUNT 4096
#define RECALL_BYTES ((size_t)4 << 20)

struct recall {
	struct xylem_source *source;
	struct xylem_position at;
	xylem_source_each each;
	void *context;
};

/* True: goes on. */
static bool recall_batch(const struct recall *recall, const struct journal_batch *batch)
{
	struct xylem_span name = xylem_span_of(recall->source->name);
	bool on = true;
	for (size_t i = 0; i < batch->n && on; i++) {
		const struct xylem_message *message = &batch->messages[i];
		if (message->kind == XYLEM_MESSAGE && xylem_span_equal(message->ingress, name)) {
			on = recall->each(recall->context, message);
		}
	}
	return on;
}

static int recall_read(struct recall *recall, struct journal_batch *batch)
{
	struct journal *journal = recall->source->intake->journal;
	for (;;) {
		int error = journal_read(journal, recall->at, RECALL_COUNT, RECALL_BYTES, batch);
		/* What is trimmed or lies in quarantine is passed: nobody can read it. */
		bool passed = (error == -XYLEM_E_GONE || error == -XYLEM_E_DAMAGED) &&
			      batch->next.offset > recall->at.offset;
		if ((error && !passed) || (!error && (batch->n == 0 || !recall_batch(recall, batch)))) {
			return error;
		}
		recall->at = batch->next;
	}
}

int xylem_source_recall(struct xylem_source *source, struct xylem_position from, xylem_source_each each,
	void *context, struct xylem_position *ret_end, struct xylem_reason *reason)
{
	assert(source->magic == SOURCE_MAGIC);
	struct xylem_position begin = journal_begin(source->intake->journal);
	struct recall recall = { source, from.offset > begin.offset ? from : begin, each, context };
	struct journal_batch *batch = journal_batch_new();
	int error = batch ? recall_read(&recall, batch) : -XYLEM_E_MEMORY;
	journal_batch_free(batch);
	if (error) {
		char handle[XYLEM_HANDLE_SIZE];
		xylem_reason_set(reason, "the journal cannot be read at %s: %s",
			xylem_handle_format(recall.at, handle), xylem_error_row(error)->text);
		return error;
	}
	*ret_end = recall.at;
	return 0;
}

struct xylem_position xylem_source_end(const struct xylem_source *source)
{
	assert(source->magic == SOURCE_MAGIC);
	return journal_end(source->intake->journal);
}

/* --- Waiting for the disk ------------------------------------------------- */

struct wait {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool over;
	int error;
	struct xylem_receipt *receipts;
};

static void wait_answered(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
	struct wait *wait = context;
	pthread_mutex_lock(&wait->lock);
	if (!error) {
		memcpy(wait->receipts, receipts, n * sizeof(*receipts));
	}
	wait->error = error;
	wait->over = true;
	pthread_cond_signal(&wait->answered);
	pthread_mutex_unlock(&wait->lock);
}

int xylem_source_submit_wait(struct xylem_source *source, const struct xylem_message *messages, size_t n,
	struct xylem_receipt *ret_receipts, struct xylem_reason *reason)
{
	struct wait wait = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, ret_receipts };
	int error = xylem_source_submit(source, messages, n, wait_answered, &wait, reason);
	if (error) {
		return error;
	}
	pthread_mutex_lock(&wait.lock);
	while (!wait.over) {
		pthread_cond_wait(&wait.answered, &wait.lock);
	}
	pthread_mutex_unlock(&wait.lock);
	if (wait.error) {
		xylem_reason_set(reason, "not journaled: %s", xylem_error_row(wait.error)->text);
	}
	return wait.error;
}
