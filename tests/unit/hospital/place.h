/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOSPITAL_PLACE_H
#define HOSPITAL_PLACE_H

/*
 * A hospital on a real catalogue and a real journal in a folder of its own, with the lanes of one route,
 * and the lanes' calls, for the tests beside it. Include after cmocka.h.
 */
#include <hospital/hospital.h>
#include <trace/outcome.h>

struct place {
	char folder[64];
	struct catalogue *catalogue;
	struct journal *journal;
	struct hospital *hospital;
	uint64_t max_cases;
	struct journal_batch *batch; /* the original of the admission under way */
};

/* --- The place ------------------------------------------------------------ */

static inline void shell(const char *format, const char *folder)
{
	char command[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(command, sizeof(command), format, folder, folder);
#pragma GCC diagnostic pop
	assert_int_equal(system(command), 0);
}

static inline void check(int r, const struct xylem_reason *reason)
{
	if (r < 0) {
		print_error("%s: %s\n", xylem_error_row(r)->name, reason->text);
	}
	assert_int_equal(r, 0);
}

static inline void stop(struct place *place)
{
	place->batch = journal_batch_free(place->batch);
	place->hospital = hospital_close(place->hospital);
	place->journal = journal_close(place->journal);
	place->catalogue = catalogue_close(place->catalogue);
}

static inline void start(struct place *place)
{
	char path[128], folder[128];
	struct xylem_reason reason = { "" };
	snprintf(path, sizeof(path), "%s/catalogue.db", place->folder);
	snprintf(folder, sizeof(folder), "%s/journal", place->folder);
	struct catalogue_options catalogue = { .path = path, .io = io_system() };
	check(catalogue_open(&place->catalogue, &catalogue, &reason), &reason);
	struct journal_options journal = { .folder = folder,
		.io = io_system(),
		.segment_size = 1 << 20,
		.retain_bytes = 1 << 30,
		.retain_us = INT64_C(86400000000),
		.hold_bytes = 1 << 30 };
	struct journal_recovery recovery;
	check(journal_open(&place->journal, &journal, &recovery, &reason), &reason);
	struct hospital_options hospital = { place->catalogue, place->journal, place->max_cases, 1 << 30 };
	check(hospital_open(&place->hospital, &hospital, &reason), &reason);
	place->batch = journal_batch_new();
}

static inline void restart(struct place *place)
{
	stop(place);
	start(place);
}

static inline int add_lanes(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return catalogue_step_done(database,
		catalogue_statement(database,
			"INSERT INTO lanes (route, destination, created_us)"
			" VALUES ('orders', 'erp', 0), ('orders', 'events', 0), ('orders', 'partner', 0)",
			reason),
		reason);
}

static inline int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct xylem_reason reason;
	strcpy(place->folder, "/tmp/xylem-hospital-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	place->max_cases = 1000;
	start(place);
	check(catalogue_write(place->catalogue, add_lanes, NULL, &reason), &reason);
	*state = place;
	return 0;
}

static inline int tear_down(void **state)
{
	struct place *place = *state;
	stop(place);
	shell("rm -rf '%s'", place->folder);
	free(place);
	return 0;
}

/* --- Messages and admissions ---------------------------------------------- */

static inline struct xylem_position append(struct place *place, const char *id, const char *data)
{
	const struct xylem_extension extensions[] = { { xylem_span_of("region"), xylem_span_of("eu") } };
	struct xylem_message message = { .kind = XYLEM_MESSAGE,
		.ingress = xylem_span_of("shop"),
		.key = xylem_span_of("c-77"),
		.id = xylem_span_of(id),
		.source = xylem_span_of("/shop"),
		.type = xylem_span_of("order.created"),
		.subject = xylem_span_of("o-1"),
		.datacontenttype = xylem_span_of("application/json"),
		.extensions = extensions,
		.extension_count = 1,
		.data = xylem_span_of(data) };
	struct xylem_position at;
	assert_int_equal(journal_append_wait(place->journal, &message, 1, false, &at), 0);
	return at;
}

struct admitting {
	struct hospital *hospital;
	struct hospital_admission admission;
	uint64_t number;
};

static inline int admit_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct admitting *admitting = context;
	return hospital_admit(
		admitting->hospital, database, &admitting->admission, &admitting->number, reason);
}

/* `failing`: the data at the failing stage; NULL for that of the original. */
static inline uint64_t admit(struct place *place, struct xylem_position at, const char *destination,
	const char *stage, int step, const char *code, const char *why, const char *failing)
{
	struct xylem_reason reason = { "" };
	assert_int_equal(journal_get(place->journal, at, place->batch), 0);
	struct xylem_message failed = place->batch->messages[0];
	if (failing) {
		failed.data = xylem_span_of(failing);
	}
	struct admitting admitting = { .hospital = place->hospital,
		.admission = { .route = "orders",
			.destination = destination,
			.stage = stage,
			.step = step,
			.failure = XYLEM_FAILURE_WRONG,
			.code = code,
			.reason = why,
			.attempts = 1,
			.original = &place->batch->messages[0],
			.failing = &failed,
			.generation = "abc" } };
	check(catalogue_write(place->catalogue, admit_work, &admitting, &reason), &reason);
	return admitting.number;
}

static inline uint64_t admit_at_partner(struct place *place, struct xylem_position at)
{
	return admit(place, at, "partner", "deliver", 2, "http-422", "total 19.99 is not \"19.98\"",
		"{\"total\":1999}");
}

static inline uint64_t admit_in_step(struct place *place, struct xylem_position at)
{
	return admit(place, at, NULL, "step 1 validate", 0, "schema", "/total: missing", NULL);
}

struct settling {
	struct place *place;
	const char *destination;
	int outcome;
};

static inline int settle_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct settling *settling = context;
	return hospital_settle_replay(settling->place->hospital, database,
		&settling->place->batch->messages[0], "orders", settling->destination, settling->outcome,
		reason);
}

static inline void settle(struct place *place, struct xylem_position at, const char *destination, int outcome)
{
	struct xylem_reason reason = { "" };
	assert_int_equal(journal_get(place->journal, at, place->batch), 0);
	struct settling settling = { place, destination, outcome };
	check(catalogue_write(place->catalogue, settle_work, &settling, &reason), &reason);
}

/* --- Looking -------------------------------------------------------------- */

static inline json_t *show(struct place *place, uint64_t number)
{
	json_t *json;
	struct xylem_reason reason;
	check(hospital_case(place->hospital, number, &json, &reason), &reason);
	return json;
}

static inline void assert_member(json_t *object, const char *name, const char *want)
{
	json_t *value = json_object_get(object, name);
	assert_non_null(value);
	char number[32];
	snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
	const char *got = json_is_string(value) ? json_string_value(value)
			  : json_is_null(value) ? "null"
						: number;
	assert_string_equal(got, want);
}

static inline void assert_state(struct place *place, uint64_t number, const char *state)
{
	json_t *json = show(place, number);
	assert_member(json, "state", state);
	json_decref(json);
}

static inline uint64_t version_of(struct place *place, uint64_t number)
{
	json_t *json = show(place, number);
	uint64_t version = (uint64_t)json_integer_value(json_object_get(json, "version"));
	json_decref(json);
	return version;
}

static inline int replay(struct place *place, uint64_t number, const char *from, const char *destination)
{
	json_t *json = NULL;
	struct xylem_reason reason = { "" };
	int r = hospital_replay(
		place->hospital, number, version_of(place, number), from, destination, "ops", &json, &reason);
	json_decref(json);
	return r;
}

/* All replay records of the journal. */
struct replays {
	size_t n;
	struct xylem_position at[16];
	uint32_t number[16];
	char lane[16][32];
};

static inline struct replays replays_in(struct place *place)
{
	struct replays found = { 0 };
	struct xylem_position at = journal_begin(place->journal);
	struct journal_batch *batch = journal_batch_new();
	while (journal_read(place->journal, at, 100, 1 << 20, batch) == 0 && batch->n > 0) {
		for (size_t i = 0; i < batch->n; i++) {
			struct replay replay;
			if (replay_read(&batch->messages[i], &replay) == 0) {
				found.at[found.n] = batch->messages[i].position;
				found.number[found.n] = replay.number;
				snprintf(found.lane[found.n], sizeof(found.lane[0]), "%.*s",
					(int)replay.destination.n,
					replay.destination.at ? replay.destination.at : "");
				found.n++;
			}
		}
		at = batch->next;
	}
	journal_batch_free(batch);
	return found;
}

static inline struct xylem_position last_replay(struct place *place)
{
	struct replays found = replays_in(place);
	assert_true(found.n > 0);
	return found.at[found.n - 1];
}

static inline void assert_data(struct place *place, uint64_t number, const char *which, const char *want)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	char type[128];
	struct xylem_reason reason;
	check(hospital_case_data(place->hospital, number, which, &out, type, &reason), &reason);
	assert_true(xylem_span_is(xylem_buffer_borrow(&out), want));
	assert_string_equal(type, "application/json");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
