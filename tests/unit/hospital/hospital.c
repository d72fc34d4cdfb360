/* SPDX-License-Identifier: Apache-2.0 */
/* The hospital on a real catalogue and a real journal: admission, groups, versions, replays, restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

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

static void shell(const char *format, const char *folder)
{
	char command[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(command, sizeof(command), format, folder, folder);
#pragma GCC diagnostic pop
	assert_int_equal(system(command), 0);
}

static void check(int r, const struct xylem_reason *reason)
{
	if (r < 0) {
		print_error("%s: %s\n", xylem_error_row(r)->name, reason->text);
	}
	assert_int_equal(r, 0);
}

static void stop(struct place *place)
{
	place->batch = journal_batch_free(place->batch);
	place->hospital = hospital_close(place->hospital);
	place->journal = journal_close(place->journal);
	place->catalogue = catalogue_close(place->catalogue);
}

static void start(struct place *place)
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

static void restart(struct place *place)
{
	stop(place);
	start(place);
}

static int add_lanes(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return catalogue_step_done(database,
		catalogue_statement(database,
			"INSERT INTO lanes (route, destination, created_us)"
			" VALUES ('orders', 'erp', 0), ('orders', 'events', 0), ('orders', 'partner', 0)",
			reason),
		reason);
}

static int set_up(void **state)
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

static int tear_down(void **state)
{
	struct place *place = *state;
	stop(place);
	shell("rm -rf '%s'", place->folder);
	free(place);
	return 0;
}

/* --- Messages and admissions ---------------------------------------------- */

static struct xylem_position append(struct place *place, const char *id, const char *data)
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

static int admit_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct admitting *admitting = context;
	return hospital_admit(
		admitting->hospital, database, &admitting->admission, &admitting->number, reason);
}

/* `failing`: the data at the failing stage; NULL for that of the original. */
static uint64_t admit(struct place *place, struct xylem_position at, const char *destination,
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

static uint64_t admit_at_partner(struct place *place, struct xylem_position at)
{
	return admit(place, at, "partner", "deliver", 2, "http-422", "total 19.99 is not \"19.98\"",
		"{\"total\":1999}");
}

static uint64_t admit_in_step(struct place *place, struct xylem_position at)
{
	return admit(place, at, NULL, "step 1 validate", 0, "schema", "/total: missing", NULL);
}

struct settling {
	struct place *place;
	const char *destination;
	int outcome;
};

static int settle_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct settling *settling = context;
	return hospital_settle_replay(settling->place->hospital, database,
		&settling->place->batch->messages[0], "orders", settling->destination, settling->outcome,
		reason);
}

static void settle(struct place *place, struct xylem_position at, const char *destination, int outcome)
{
	struct xylem_reason reason = { "" };
	assert_int_equal(journal_get(place->journal, at, place->batch), 0);
	struct settling settling = { place, destination, outcome };
	check(catalogue_write(place->catalogue, settle_work, &settling, &reason), &reason);
}

/* --- Looking -------------------------------------------------------------- */

static json_t *show(struct place *place, uint64_t number)
{
	json_t *json;
	struct xylem_reason reason;
	check(hospital_case(place->hospital, number, &json, &reason), &reason);
	return json;
}

static void assert_member(json_t *object, const char *name, const char *want)
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

static void assert_state(struct place *place, uint64_t number, const char *state)
{
	json_t *json = show(place, number);
	assert_member(json, "state", state);
	json_decref(json);
}

static uint64_t version_of(struct place *place, uint64_t number)
{
	json_t *json = show(place, number);
	uint64_t version = (uint64_t)json_integer_value(json_object_get(json, "version"));
	json_decref(json);
	return version;
}

static int replay(struct place *place, uint64_t number, const char *from, const char *destination)
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

static struct replays replays_in(struct place *place)
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

static struct xylem_position last_replay(struct place *place)
{
	struct replays found = replays_in(place);
	assert_true(found.n > 0);
	return found.at[found.n - 1];
}

/* --- Admission ------------------------------------------------------------ */

static void a_case_says_everything(void **state)
{
	struct place *place = *state;
	struct xylem_position at = append(place, "e-1", "{\"total\":19.99}");
	uint64_t number = admit_at_partner(place, at);
	json_t *json = show(place, number);
	char handle[XYLEM_HANDLE_SIZE];
	assert_member(json, "handle", xylem_handle_format(at, handle));
	static const char *const members[][2] = { { "case", "1" }, { "group", "1" }, { "version", "1" },
		{ "state", "open" }, { "route", "orders" }, { "destination", "partner" },
		{ "stage", "deliver" }, { "step", "2" }, { "failure", "wrong" }, { "code", "http-422" },
		{ "reason", "total 19.99 is not \"19.98\"" }, { "attempts", "1" }, { "failures", "1" },
		{ "id", "e-1" }, { "source", "/shop" }, { "type", "order.created" }, { "subject", "o-1" },
		{ "key", "c-77" }, { "ingress", "shop" }, { "generation", "abc" }, { "draft", "0" } };
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		assert_member(json, members[i][0], members[i][1]);
	}
	json_decref(json);
	struct hospital_state counts;
	hospital_state(place->hospital, &counts);
	assert_int_equal(counts.open, 1);
	assert_int_equal(counts.groups, 1);
}

static void the_same_failure_is_the_same_case(void **state)
{
	struct place *place = *state;
	struct xylem_position at = append(place, "e-1", "{}");
	assert_int_equal(admit_at_partner(place, at), 1);
	assert_int_equal(admit_at_partner(place, at), 1);
	restart(place);
	assert_int_equal(admit_at_partner(place, at), 1);
	assert_int_equal(admit(place, at, "erp", "deliver", 2, "23503", "no", NULL), 2);
	assert_int_equal(admit_in_step(place, at), 3);
	assert_int_equal(admit_in_step(place, at), 3); /* each lane of the route says so */
	struct hospital_state counts;
	hospital_state(place->hospital, &counts);
	assert_int_equal(counts.open, 3);
}

static void cases_of_one_cause_are_a_group(void **state)
{
	struct place *place = *state;
	for (int i = 0; i < 5; i++) {
		char id[16], why[64];
		snprintf(id, sizeof(id), "e-%d", i);
		snprintf(why, sizeof(why), "Key (customer)=(c-%d) is not present", i);
		admit(place, append(place, id, "{}"), "erp", "deliver", 2, i < 4 ? "23503" : "23505", why,
			NULL);
	}
	json_t *groups;
	struct xylem_reason reason;
	check(hospital_groups(place->hospital, NULL, &groups, &reason), &reason);
	assert_int_equal(json_array_size(groups), 2);
	json_t *first = json_array_get(groups, 1);
	assert_member(first, "group", "1");
	assert_member(first, "failures", "4");
	assert_member(first, "pattern", "Key (customer)=(<v>) is not present");
	assert_member(json_object_get(first, "cases"), "open", "4");
	json_decref(groups);
	struct hospital_filter filter = { .group = 1, .limit = 3 };
	json_t *page;
	check(hospital_cases(place->hospital, &filter, &page, &reason), &reason);
	assert_int_equal(json_array_size(json_object_get(page, "cases")), 3);
	filter.after = (uint64_t)json_integer_value(json_object_get(page, "next"));
	json_decref(page);
	check(hospital_cases(place->hospital, &filter, &page, &reason), &reason);
	assert_int_equal(json_array_size(json_object_get(page, "cases")), 1);
	assert_member(page, "next", "null");
	json_decref(page);
	filter = (struct hospital_filter){ .state = "lost" };
	assert_int_equal(hospital_cases(place->hospital, &filter, &page, &reason), -XYLEM_E_INVALID);
}

static void assert_data(struct place *place, uint64_t number, const char *which, const char *want)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	char type[128];
	struct xylem_reason reason;
	check(hospital_case_data(place->hospital, number, which, &out, type, &reason), &reason);
	assert_true(xylem_span_is(xylem_buffer_borrow(&out), want));
	assert_string_equal(type, "application/json");
}

static void data_is_kept_of_each_stage(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{\"total\":19.99}"));
	assert_data(place, number, "original", "{\"total\":19.99}");
	assert_data(place, number, "failing", "{\"total\":1999}");
	assert_data(place, number, NULL, "{\"total\":1999}");
	XYLEM_BUFFER_SCOPED out = { 0 };
	char type[128];
	struct xylem_reason reason;
	assert_int_equal(hospital_case_data(place->hospital, number, "draft", &out, type, &reason),
		-XYLEM_E_NOT_FOUND);
	assert_int_equal(
		hospital_case_data(place->hospital, 99, "failing", &out, type, &reason), -XYLEM_E_NOT_FOUND);
	assert_int_equal(
		hospital_case_data(place->hospital, number, "best", &out, type, &reason), -XYLEM_E_INVALID);
	json_t *json = NULL;
	check(hospital_draft(
		      place->hospital, number, 1, xylem_span_of("{\"total\":1998}"), "ops", &json, &reason),
		&reason);
	assert_member(json, "draft", "1");
	json_decref(json);
	assert_data(place, number, "draft", "{\"total\":1998}");
	assert_data(place, number, "failing", "{\"total\":1999}");
}

/* --- Versions ------------------------------------------------------------- */

static void two_persons_cannot_resolve_one_case(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	uint64_t seen = version_of(place, number);
	json_t *json = NULL;
	struct xylem_reason reason;
	check(hospital_discard(place->hospital, number, seen, "not ours", "anna", &json, &reason), &reason);
	json_decref(json);
	assert_int_equal(hospital_replay(place->hospital, number, seen, NULL, NULL, "bert", &json, &reason),
		-XYLEM_E_CONFLICT);
	assert_non_null(strstr(reason.text, "changed meanwhile"));
	assert_int_equal(
		hospital_draft(place->hospital, number, seen, xylem_span_of("x"), "bert", &json, &reason),
		-XYLEM_E_CONFLICT);
	assert_int_equal(replays_in(place).n, 0);
	assert_state(place, number, "discarded");
	assert_int_equal(replay(place, number, NULL, NULL), -XYLEM_E_CONFLICT); /* seen, but discarded */
	check(hospital_restore(place->hospital, number, version_of(place, number), "bert", &json, &reason),
		&reason);
	assert_member(json, "state", "open");
	json_decref(json);
	assert_int_equal(
		hospital_restore(place->hospital, number, version_of(place, number), "bert", &json, &reason),
		-XYLEM_E_CONFLICT);
	assert_int_equal(
		hospital_discard(place->hospital, 99, 1, NULL, "bert", &json, &reason), -XYLEM_E_NOT_FOUND);
}

struct racer {
	struct place *place;
	uint64_t number, version;
	_Atomic int *won;
};

static void *discard_it(void *context)
{
	struct racer *racer = context;
	struct xylem_reason reason;
	if (hospital_discard(
		    racer->place->hospital, racer->number, racer->version, "mine", "x", NULL, &reason) == 0) {
		(*racer->won)++;
	}
	return NULL;
}

static void of_many_at_once_one_wins(void **state)
{
	struct place *place = *state;
	for (int round = 0; round < 10; round++) {
		char id[16];
		snprintf(id, sizeof(id), "e-%d", round);
		_Atomic int won = 0;
		uint64_t number = admit_at_partner(place, append(place, id, "{}"));
		struct racer racer = { place, number, version_of(place, number), &won };
		pthread_t threads[4];
		for (int i = 0; i < 4; i++) {
			assert_int_equal(pthread_create(&threads[i], NULL, discard_it, &racer), 0);
		}
		for (int i = 0; i < 4; i++) {
			pthread_join(threads[i], NULL);
		}
		assert_int_equal(won, 1);
	}
}

static void notes_and_changes_are_the_history(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	json_t *json = NULL;
	struct xylem_reason reason;
	check(hospital_note(place->hospital, number, "asked the partner", "anna", &json, &reason), &reason);
	json_decref(json);
	check(hospital_discard(place->hospital, number, 1, "they say no", "anna", &json, &reason), &reason);
	json_t *history = json_object_get(json, "history");
	assert_int_equal(json_array_size(history), 2);
	assert_member(json_array_get(history, 0), "text", "asked the partner");
	assert_member(json_array_get(history, 1), "kind", "discard");
	assert_member(json_array_get(history, 1), "who", "anna");
	assert_member(json_array_get(history, 1), "text", "they say no");
	json_decref(json);
	assert_int_equal(hospital_note(place->hospital, 99, "x", "anna", &json, &reason), -XYLEM_E_NOT_FOUND);
}

/* --- Replays -------------------------------------------------------------- */

static void a_replay_is_the_event_at_its_stage(void **state)
{
	struct place *place = *state;
	struct xylem_position original = append(place, "e-1", "{\"total\":19.99}");
	uint64_t number = admit_at_partner(place, original);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	assert_state(place, number, "replaying");
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	const struct xylem_message *message = &place->batch->messages[0];
	struct replay address;
	assert_int_equal(replay_read(message, &address), 0);
	assert_int_equal(address.case_number, number);
	assert_int_equal(address.number, 1);
	assert_int_equal(address.step, 2);
	assert_true(xylem_span_is(address.route, "orders"));
	assert_true(xylem_span_is(address.destination, "partner"));
	assert_int_equal(message->parent.offset, original.offset);
	assert_true(xylem_span_is(message->id, "e-1"));
	assert_true(xylem_span_is(message->key, "c-77"));
	assert_true(xylem_span_is(message->ingress, "shop"));
	assert_true(xylem_span_is(message->data, "{\"total\":1999}"));
	assert_true(xylem_span_is(xylem_message_attribute(message, xylem_span_of("region")), "eu"));
	assert_int_equal(replay(place, number, NULL, NULL), -XYLEM_E_CONFLICT); /* under way */
	settle(place, last_replay(place), "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
	settle(place, last_replay(place), "partner", OUTCOME_EXPIRED); /* said once */
	assert_state(place, number, "resolved");
	assert_int_equal(replays_in(place).n, 1);
}

static void from_the_start_is_the_original(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{\"total\":19.99}"));
	assert_int_equal(replay(place, number, "middle", NULL), -XYLEM_E_INVALID);
	assert_int_equal(replay(place, number, NULL, "nowhere"), -XYLEM_E_NOT_FOUND);
	assert_int_equal(replay(place, number, "start", "erp"), 0); /* another destination */
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	struct replay address;
	assert_int_equal(replay_read(&place->batch->messages[0], &address), 0);
	assert_int_equal(address.step, 0);
	assert_true(xylem_span_is(address.destination, "erp"));
	assert_true(xylem_span_is(place->batch->messages[0].data, "{\"total\":19.99}"));
	settle(place, last_replay(place), "erp", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

static void an_edited_replay_is_a_new_event(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	json_t *json = NULL;
	struct xylem_reason reason;
	check(hospital_draft(
		      place->hospital, number, 1, xylem_span_of("{\"total\":1998}"), "ops", &json, &reason),
		&reason);
	json_decref(json);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	const struct xylem_message *message = &place->batch->messages[0];
	assert_true(xylem_span_is(message->data, "{\"total\":1998}"));
	assert_int_equal(message->id.n, 36);
	assert_true(xylem_span_is(xylem_message_attribute(message, xylem_span_of("causationid")), "e-1"));
	json = show(place, number);
	json_t *made = json_array_get(json_object_get(json, "replays"), 0);
	assert_true(xylem_span_is(message->id, json_string_value(json_object_get(made, "id"))));
	assert_member(made, "who", "ops");
	assert_true(json_is_true(json_object_get(made, "edited")));
	json_decref(json);
}

static void failing_again_opens_the_same_case(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{\"total\":19.99}"));
	json_t *json = NULL;
	struct xylem_reason reason;
	check(hospital_draft(
		      place->hospital, number, 1, xylem_span_of("{\"total\":1998}"), "ops", &json, &reason),
		&reason);
	json_decref(json);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct xylem_position first = last_replay(place);
	for (int i = 0; i < 2; i++) { /* again after a crash: nothing twice */
		assert_int_equal(
			admit(place, first, "partner", "deliver", 2, "http-409", "there already", NULL),
			number);
	}
	json = show(place, number);
	assert_member(json, "state", "open");
	assert_member(json, "failures", "2");
	assert_member(json, "code", "http-409");
	assert_member(json, "group", "2");
	assert_member(json, "draft", "0"); /* it is in the data now */
	json_decref(json);
	assert_data(place, number, "failing", "{\"total\":1998}");
	assert_data(place, number, "original", "{\"total\":19.99}");
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct replays made = replays_in(place);
	assert_int_equal(made.n, 2);
	assert_int_equal(made.number[1], 2);
	settle(place, made.at[1], "partner", OUTCOME_FILTERED);
	assert_state(place, number, "resolved");
}

static void a_route_case_goes_to_every_lane(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct xylem_position at = last_replay(place);
	assert_string_equal(replays_in(place).lane[0], "");
	settle(place, at, "erp", OUTCOME_DELIVERED);
	settle(place, at, "events", OUTCOME_FILTERED);
	assert_state(place, number, "replaying");
	settle(place, at, "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

static void a_route_case_that_fails_again_is_failed_once(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	for (int lane = 0; lane < 3; lane++) {
		assert_int_equal(admit_in_step(place, last_replay(place)), number);
	}
	json_t *json = show(place, number);
	assert_member(json, "state", "open");
	assert_member(json, "failures", "2");
	json_decref(json);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct replays made = replays_in(place);
	assert_int_equal(made.n, 2);
	assert_string_equal(made.lane[1], "");
}

/* Of three lanes two refuse the repaired message: only those two get it again. */
static void only_lanes_that_failed_get_it_again(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct xylem_position at = last_replay(place);
	settle(place, at, "events", OUTCOME_DELIVERED);
	assert_int_equal(admit(place, at, "erp", "deliver", 2, "23503", "no customer", "{\"m\":1}"), number);
	assert_int_equal(
		admit(place, at, "partner", "deliver", 2, "http-422", "no total", "{\"m\":1}"), number);
	assert_state(place, number, "open");
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct replays made = replays_in(place);
	assert_int_equal(made.n, 3);
	assert_string_equal(made.lane[1], "erp");
	assert_string_equal(made.lane[2], "partner");
	assert_int_equal(made.number[2], 3);
	settle(place, made.at[1], "erp", OUTCOME_DELIVERED);
	assert_state(place, number, "replaying");
	settle(place, made.at[2], "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

static void one_lane_of_a_route_case_leaves_the_others_open(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, "erp"), 0);
	settle(place, last_replay(place), "erp", OUTCOME_DELIVERED);
	assert_state(place, number, "open"); /* events and partner do not have it */
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct replays made = replays_in(place);
	assert_int_equal(made.n, 3);
	assert_string_equal(made.lane[1], "events");
	assert_string_equal(made.lane[2], "partner");
}

static void an_expired_replay_opens_the_case(void **state)
{
	struct place *place = *state;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	settle(place, last_replay(place), "partner", OUTCOME_EXPIRED);
	assert_state(place, number, "open");
}

/* `where` is step -1; its replay begins at the first step, with the edited data. */
static void a_case_of_where_goes_on_after_it(void **state)
{
	struct place *place = *state;
	uint64_t number = admit(
		place, append(place, "e-1", "{}"), NULL, "where", -1, "where-error", "no", NULL);
	struct xylem_reason reason;
	check(hospital_draft(place->hospital, number, 1, xylem_span_of("{\"a\":1}"), "ops", NULL, &reason),
		&reason);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	struct replay address;
	assert_int_equal(replay_read(&place->batch->messages[0], &address), 0);
	assert_int_equal(address.step, 0);
	assert_true(xylem_span_is(place->batch->messages[0].data, "{\"a\":1}"));
}

static int admit_unrouted(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	int r = catalogue_step_done(database,
		catalogue_statement(database,
			"INSERT OR IGNORE INTO lanes (route, destination, created_us) VALUES "
			"('bus.unrouted', 'count', 0)",
			reason),
		reason);
	return r < 0 ? r : admit_work(database, context, reason);
}

/* What no route took is offered to all; whichever takes it settles the case, and may fail it. */
static void an_unrouted_case_is_settled_by_who_takes_it(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	assert_int_equal(journal_get(place->journal, append(place, "e-1", "{}"), place->batch), 0);
	struct admitting admitting = { .hospital = place->hospital,
		.admission = { .route = "bus.unrouted",
			.destination = "count",
			.stage = "deliver",
			.failure = XYLEM_FAILURE_WRONG,
			.code = "unrouted",
			.reason = "no route takes it",
			.original = &place->batch->messages[0],
			.failing = &place->batch->messages[0] } };
	check(catalogue_write(place->catalogue, admit_unrouted, &admitting, &reason), &reason);
	uint64_t number = admitting.number;
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	struct xylem_position at = last_replay(place);
	settle(place, at, "erp", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
	assert_int_equal(admit(place, at, "partner", "deliver", 1, "http-422", "no", NULL), number);
	assert_state(place, number, "open");
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	struct replay address;
	assert_int_equal(replay_read(&place->batch->messages[0], &address), 0);
	assert_true(xylem_span_is(address.route, "orders"));
	assert_true(xylem_span_is(address.destination, "partner"));
	settle(place, last_replay(place), "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

/* --- Restart -------------------------------------------------------------- */

static int forget_positions(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	return catalogue_step_done(database,
		catalogue_statement(database,
			"UPDATE replays SET partition = NULL, offset = NULL WHERE number > 0", reason),
		reason);
}

/* The crash came after the intent, before the append: the record is made at the next start, once. */
static void an_intent_survives_a_crash_before_the_append(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	uint64_t number = admit_at_partner(place, append(place, "e-1", "{}"));
	json_t *json = NULL;
	check(hospital_draft(
		      place->hospital, number, 1, xylem_span_of("{\"total\":1998}"), "ops", &json, &reason),
		&reason);
	json_decref(json);
	stop(place);
	shell("cp -r '%s/journal' '%s/before'", place->folder);
	start(place);
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	check(catalogue_write(place->catalogue, forget_positions, NULL, &reason), &reason);
	json = show(place, number);
	char id[64];
	snprintf(id, sizeof(id), "%s",
		json_string_value(
			json_object_get(json_array_get(json_object_get(json, "replays"), 0), "id")));
	json_decref(json);
	stop(place);
	shell("cd '%s' && rm -rf journal && mv '%s'/before journal", place->folder);
	start(place);
	assert_int_equal(replays_in(place).n, 1);
	assert_int_equal(journal_get(place->journal, last_replay(place), place->batch), 0);
	assert_true(xylem_span_is(place->batch->messages[0].id, id));
	assert_true(xylem_span_is(place->batch->messages[0].data, "{\"total\":1998}"));
	restart(place);
	assert_int_equal(replays_in(place).n, 1);
	settle(place, last_replay(place), "partner", OUTCOME_DELIVERED);
	assert_state(place, number, "resolved");
}

/* The crash came after the append: the record is found, not made again. */
static void a_record_that_is_there_is_not_made_again(void **state)
{
	struct place *place = *state;
	struct xylem_reason reason;
	uint64_t number = admit_in_step(place, append(place, "e-1", "{}"));
	assert_int_equal(replay(place, number, NULL, NULL), 0);
	append(place, "e-2", "{}");
	check(catalogue_write(place->catalogue, forget_positions, NULL, &reason), &reason);
	restart(place);
	assert_int_equal(replays_in(place).n, 1);
	json_t *json = show(place, number);
	char handle[XYLEM_HANDLE_SIZE];
	assert_member(json_array_get(json_object_get(json, "replays"), 0), "handle",
		xylem_handle_format(last_replay(place), handle));
	json_decref(json);
}

/* --- Room ----------------------------------------------------------------- */

static void resolved_cases_make_room_and_numbers_are_not_reused(void **state)
{
	struct place *place = *state;
	place->max_cases = 3;
	restart(place);
	for (int i = 0; i < 8; i++) {
		char id[16];
		snprintf(id, sizeof(id), "e-%d", i);
		assert_true(hospital_has_room(place->hospital));
		uint64_t number = admit_at_partner(place, append(place, id, "{}"));
		assert_int_equal(number, i + 1);
		assert_int_equal(replay(place, number, NULL, NULL), 0);
		settle(place, last_replay(place), "partner", OUTCOME_DELIVERED);
	}
	struct hospital_filter filter = { .state = "resolved" };
	json_t *page;
	struct xylem_reason reason;
	check(hospital_cases(place->hospital, &filter, &page, &reason), &reason);
	assert_int_equal(json_array_size(json_object_get(page, "cases")), 3);
	json_decref(page);
	for (int i = 0; i < 3; i++) {
		assert_true(hospital_has_room(place->hospital));
		char id[16];
		snprintf(id, sizeof(id), "f-%d", i);
		assert_int_equal(admit_at_partner(place, append(place, id, "{}")), 9 + i);
	}
	assert_false(hospital_has_room(place->hospital));
	restart(place);
	assert_false(hospital_has_room(place->hospital));
	check(hospital_discard(place->hospital, 9, 1, NULL, "ops", NULL, &reason), &reason);
	assert_true(hospital_has_room(place->hospital));
	settle(place, last_replay(place), "partner",
		OUTCOME_DELIVERED); /* of a case that is gone: no matter */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_case_says_everything),
		TEST(the_same_failure_is_the_same_case),
		TEST(cases_of_one_cause_are_a_group),
		TEST(data_is_kept_of_each_stage),
		TEST(two_persons_cannot_resolve_one_case),
		TEST(of_many_at_once_one_wins),
		TEST(notes_and_changes_are_the_history),
		TEST(a_replay_is_the_event_at_its_stage),
		TEST(from_the_start_is_the_original),
		TEST(an_edited_replay_is_a_new_event),
		TEST(failing_again_opens_the_same_case),
		TEST(a_route_case_goes_to_every_lane),
		TEST(a_route_case_that_fails_again_is_failed_once),
		TEST(only_lanes_that_failed_get_it_again),
		TEST(one_lane_of_a_route_case_leaves_the_others_open),
		TEST(an_expired_replay_opens_the_case),
		TEST(a_case_of_where_goes_on_after_it),
		TEST(an_unrouted_case_is_settled_by_who_takes_it),
		TEST(an_intent_survives_a_crash_before_the_append),
		TEST(a_record_that_is_there_is_not_made_again),
		TEST(resolved_cases_make_room_and_numbers_are_not_reused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
