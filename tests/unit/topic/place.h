/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOPIC_PLACE_H
#define TESTS_TOPIC_PLACE_H

/* Topics on a real journal and a real catalogue in a folder of their own, for the programs of this folder. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <topic/state.h>

struct place {
	char folder[64];
	struct catalogue *catalogue;
	struct journal *journal;
	struct topics *topics;
};

static inline void check(int r, const struct xylem_reason *reason)
{
	if (r < 0) {
		print_error("%s: %s\n", xylem_error_row(r)->name, reason->text);
	}
	assert_int_equal(r, 0);
}

/* --- Waiting -------------------------------------------------------------- */

struct answer {
	pthread_mutex_t lock;
	pthread_cond_t came;
	bool done;
	int error;
};

static inline void answered(void *context, int error)
{
	struct answer *answer = context;
	pthread_mutex_lock(&answer->lock);
	answer->done = true;
	answer->error = error;
	pthread_cond_signal(&answer->came);
	pthread_mutex_unlock(&answer->lock);
}

static inline void answer_start(struct answer *answer)
{
	*answer = (struct answer){ .done = false };
	pthread_mutex_init(&answer->lock, NULL);
	pthread_cond_init(&answer->came, NULL);
}

/* What the call returned, or what came later. */
static inline int answer_take(struct answer *answer, int error)
{
	pthread_mutex_lock(&answer->lock);
	while (error == 0 && !answer->done) {
		pthread_cond_wait(&answer->came, &answer->lock);
	}
	pthread_mutex_unlock(&answer->lock);
	pthread_mutex_destroy(&answer->lock);
	pthread_cond_destroy(&answer->came);
	return error != 0 ? error : answer->error;
}

/* --- A bus of its own ------------------------------------------------------ */

static inline int publish(void *context, const char *ingress, const struct xylem_message *messages, size_t n,
	xylem_submit_done done, void *done_context, struct xylem_reason *reason)
{
	struct place *place = context;
	struct xylem_message marked = messages[0];
	struct xylem_receipt receipt;
	marked.ingress = xylem_span_of(ingress);
	int error = journal_append_wait(place->journal, &marked, 1, false, &receipt.position);
	if (error == 0) {
		done(done_context, 0, &receipt, 1);
	}
	return error;
}

static inline void start(struct place *place)
{
	struct xylem_reason reason = { "" };
	static const struct config_topic topics[] = {
		{ .name = "all", .access = ACCESS_OPEN },
		{ .name = "fresh", .expire_us = INT64_C(3600000000), .access = ACCESS_OPEN },
		{ .name = "many", .max_items = 600, .access = ACCESS_OPEN },
		{ .name = "t", .max_items = 3, .access = ACCESS_OPEN },
	};
	const struct config_view view = { .topics = topics,
		.topic_count = sizeof(topics) / sizeof(topics[0]) };
	struct topics_bus bus = { place->journal, place->catalogue, publish, place };
	check(topics_new(&place->topics, &bus, &reason), &reason);
	check(topics_apply(place->topics, &view), &reason);
}

static inline int set_up_with(void **state, uint64_t segment_size, uint64_t retain_bytes)
{
	struct place *place = calloc(1, sizeof(*place));
	char path[128], folder[128];
	struct xylem_reason reason = { "" };
	strcpy(place->folder, "/tmp/xylem-topic-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(path, sizeof(path), "%s/catalogue.db", place->folder);
	snprintf(folder, sizeof(folder), "%s/journal", place->folder);
	struct catalogue_options catalogue = { .path = path, .io = io_system() };
	check(catalogue_open(&place->catalogue, &catalogue, &reason), &reason);
	struct journal_options journal = { .folder = folder,
		.io = io_system(),
		.segment_size = segment_size,
		.retain_bytes = retain_bytes,
		.retain_us = INT64_C(86400000000),
		.hold_bytes = 1 << 30 };
	struct journal_recovery recovery;
	check(journal_open(&place->journal, &journal, &recovery, &reason), &reason);
	start(place);
	*state = place;
	return 0;
}

static inline int set_up(void **state)
{
	return set_up_with(state, 1 << 20, 1 << 30);
}

static inline int tear_down(void **state)
{
	struct place *place = *state;
	char command[128];
	topics_free(place->topics);
	journal_close(place->journal);
	catalogue_close(place->catalogue);
	snprintf(command, sizeof(command), "rm -r %s", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

/* --- What is done ----------------------------------------------------------- */

static inline struct xylem_position put(struct place *place, const char *topic, const char *id)
{
	struct answer answer;
	struct xylem_reason reason = { "" };
	struct xylem_message message = { .kind = XYLEM_MESSAGE,
		.id = xylem_span_of(id),
		.source = XYLEM_SPAN_LITERAL("/test"),
		.type = XYLEM_SPAN_LITERAL("item"),
		.data = XYLEM_SPAN_LITERAL("1") };
	struct xylem_position at = journal_end(place->journal);
	answer_start(&answer);
	check(answer_take(
		      &answer, topic_publish(place->topics, topic, &message, 1, answered, &answer, &reason)),
		&reason);
	return at;
}

/* As the lane does it; true: it is told to nobody. */
static inline bool lane_enters(
	struct place *place, const char *topic, const char *id, struct xylem_position at)
{
	struct answer answer;
	bool gone = false;
	struct item_entry entry = { .topic = topic,
		.id = xylem_span_of(id),
		.position = at,
		.time_us = 1,
		.max_items = 3,
		.gone = &gone };
	answer_start(&answer);
	assert_int_equal(answer_take(&answer, items_enter(place->topics, &entry, 1, answered, &answer)), 0);
	return gone;
}

static inline int retract(struct place *place, const char *topic, const char *id)
{
	struct answer answer;
	const struct xylem_span one = xylem_span_of(id);
	answer_start(&answer);
	return answer_take(&answer, topic_retract(place->topics, topic, &one, 1, false, answered, &answer));
}

static inline bool append_id(void *context, struct xylem_span id, const struct xylem_message *message)
{
	xylem_buffer_span(context, id);
	xylem_buffer_byte(context, ' ');
	return true;
}

static inline void assert_items(struct place *place, const char *topic, const char *expected)
{
	XYLEM_BUFFER_SCOPED ids = { 0 };
	const struct topic_query all = { 0 };
	struct topic_page page;
	struct xylem_reason reason = { "" };
	check(topic_items(place->topics, topic, &all, append_id, &ids, &page, &reason), &reason);
	xylem_buffer_byte(&ids, '\0');
	assert_string_equal(ids.bytes, expected);
}

#endif
