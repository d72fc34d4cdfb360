/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream through the fan-out: what is on its way when a call returns is
 * neither sent again nor lost, and its results come in order; what is let go is
 * forgotten.
 */
#include "place.h"

#define STREAM ((size_t)2000)
#define ALL ((size_t)3000)

/* The face: it keeps what it is given until it is told to confirm. */
struct face {
	uint64_t sent[2 * ALL]; /* offsets, in their order */
	size_t sent_count;
	struct {
		void (*done)(void *context, int error);
		void *context;
	} open[ALL];
	size_t open_count;
	size_t slow; /* how many stay open when a call flushes */
	uint64_t confirmed;
};

static int notify(void *outlet, const char *topic, const struct topic_settings *settings,
	const struct xylem_message *item, const struct topic_recipient *recipients, size_t n,
	int64_t patience_us, const _Atomic bool *interrupted, void (*done)(void *context, int error),
	void *done_context)
{
	struct face *face = outlet;
	assert_int_equal(n, 1);
	face->sent[face->sent_count++] = item->position.offset;
	face->open[face->open_count].done = done;
	face->open[face->open_count++].context = done_context;
	return 0;
}

/* Oldest first, as a server does. */
static void flush(void *outlet)
{
	struct face *face = outlet;
	size_t n = face->open_count > face->slow ? face->open_count - face->slow : 0;
	for (size_t i = 0; i < n; i++) {
		face->confirmed++;
		face->open[i].done(face->open[i].context, 0);
	}
	face->open_count -= n;
	memmove(face->open, face->open + n, face->open_count * sizeof(face->open[0]));
}

static void forget(void *outlet, void *done_context)
{
	struct face *face = outlet;
	size_t kept = 0;
	for (size_t i = 0; i < face->open_count; i++) {
		if (face->open[i].context != done_context) {
			face->open[kept++] = face->open[i];
		}
	}
	assert_int_equal(kept + 1, face->open_count);
	face->open_count = kept;
}

static int tell(void *outlet, const struct topic_event *event, const struct xylem_message *item,
	const struct topic_recipient *recipients, size_t n)
{
	return 0;
}

static uint64_t confirmed(void *outlet)
{
	return ((struct face *)outlet)->confirmed;
}

/* --- A lane of its own -------------------------------------------------------- */

struct stream {
	struct face face;
	struct topic_outlet outlet;
	struct xylem_message messages[ALL];
	const struct xylem_message *given[ALL];
	struct xylem_result results[ALL];
	void *worker;
};

static void append_all(struct place *place, struct stream *stream)
{
	static struct xylem_position positions[ALL];
	for (size_t i = 0; i < ALL; i++) {
		stream->messages[i] = (struct xylem_message){ .kind = XYLEM_DERIVED,
			.id = XYLEM_SPAN_LITERAL("x"),
			.source = XYLEM_SPAN_LITERAL("/test"),
			.type = XYLEM_SPAN_LITERAL("item"),
			.ingress = XYLEM_SPAN_LITERAL("topic:all") };
	}
	assert_int_equal(journal_append_wait(place->journal, stream->messages, ALL, false, positions), 0);
	for (size_t i = 0; i < ALL; i++) {
		stream->messages[i].position = positions[i];
	}
}

#define PATIENT ((int64_t)60000000) /* longer than anything takes here */

static struct stream *stream_new(struct place *place, int64_t timeout_us)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct xylem_reason reason = { "" };
	struct answer answer;
	void *instance;
	assert_non_null(stream);
	append_all(place, stream);
	answer_start(&answer);
	int error = topic_subscription_decide(
		place->topics, "all", "al@b", XYLEM_SPAN_NONE, true, answered, &answer);
	assert_int_equal(answer_take(&answer, error), 0);
	stream->outlet = (struct topic_outlet){ .notify = notify,
		.tell = tell,
		.flush = flush,
		.forget = forget,
		.confirmed = confirmed,
		.outlet = &stream->face };
	topics_attach(place->topics, &stream->outlet);
	topics_make_current(place->topics);
	check(topic_fanout.open(NULL, NULL, &instance, &reason), &reason);
	check(topic_fanout.sink_open(instance, timeout_us, &stream->worker, &reason), &reason);
	return stream;
}

static void stream_free(struct place *place, struct stream *stream)
{
	topic_fanout.sink_close(stream->worker);
	assert_int_equal(stream->face.open_count, 0); /* nobody is left that could be called back */
	topics_attach(place->topics, NULL);
	topics_make_current(NULL);
	free(stream);
}

/* One call with the messages from `from` to `to`; how many are delivered. They are the first ones. */
static size_t deliver(struct stream *stream, size_t from, size_t to)
{
	size_t n = to - from, delivered = 0;
	for (size_t i = 0; i < n; i++) {
		stream->given[i] = &stream->messages[from + i];
	}
	memset(stream->results, 0, sizeof(stream->results));
	topic_fanout.deliver(stream->worker, stream->given, n, stream->results);
	while (delivered < n && stream->results[delivered].failure == XYLEM_DELIVERED) {
		delivered++;
	}
	for (size_t i = delivered + 1; i < n; i++) {
		assert_int_equal(stream->results[i].failure, XYLEM_NOT_TRIED);
	}
	return delivered;
}

static void assert_sent_once_in_order(const struct stream *stream, size_t n)
{
	assert_int_equal(stream->face.sent_count, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(stream->face.sent[i], stream->messages[i].position.offset);
	}
}

/* --- Tests ------------------------------------------------------------------- */

static void what_is_on_its_way_is_not_sent_again(void **state)
{
	struct place *place = *state;
	struct stream *stream = stream_new(place, PATIENT);
	stream->face.slow = 800;
	assert_int_equal(deliver(stream, 0, STREAM), STREAM - 800);
	assert_int_equal(stream->results[STREAM - 800].failure, XYLEM_NOT_TRIED);
	assert_int_equal(deliver(stream, STREAM - 800, ALL), ALL - STREAM);
	assert_sent_once_in_order(stream, ALL);
	stream->face.slow = 0;
	flush(&stream->face);
	assert_int_equal(deliver(stream, ALL - 800, ALL), 800); /* nothing new: all is waited for */
	assert_sent_once_in_order(stream, ALL);
	stream_free(place, stream);
}

/* Where the lane comes with something else, as after a change, all is sent as if nothing had been. */
static void what_does_not_come_again_is_forgotten(void **state)
{
	struct place *place = *state;
	struct stream *stream = stream_new(place, PATIENT);
	stream->face.slow = 800;
	assert_int_equal(deliver(stream, 0, STREAM), STREAM - 800);
	stream->face.slow = 0;
	assert_int_equal(deliver(stream, STREAM - 700, STREAM), 700);
	assert_int_equal(stream->face.sent_count, STREAM + 700);
	stream_free(place, stream);
}

/* Few messages are no stream: the call ends when all are confirmed, or when nothing comes back any more. */
static void few_are_waited_for(void **state)
{
	struct place *place = *state;
	struct stream *stream = stream_new(place, 3000000); /* the last one is waited for so long */
	stream->face.slow = 1;
	assert_int_equal(deliver(stream, 0, 10), 9);
	assert_int_equal(stream->results[9].failure, XYLEM_FAILURE_DOWN);
	assert_int_equal(stream->face.open_count, 0);
	stream->face.slow = 0;
	assert_int_equal(deliver(stream, 9, 10), 1);
	assert_int_equal(stream->face.sent_count, 11);
	stream_free(place, stream);
}

static void a_worker_that_ends_leaves_nothing(void **state)
{
	struct place *place = *state;
	struct stream *stream = stream_new(place, PATIENT);
	stream->face.slow = 800;
	assert_int_equal(deliver(stream, 0, STREAM), STREAM - 800);
	assert_int_equal(stream->face.open_count, 800);
	stream_free(place, stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(few_are_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_on_its_way_is_not_sent_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_does_not_come_again_is_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_worker_that_ends_leaves_nothing, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
