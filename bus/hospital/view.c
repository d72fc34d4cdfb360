/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases and groups as JSON, with everything that a person needs to decide.
 *
 * The list shows rows; one case adds its lanes, replays, drafts and history.
 * Data is not in here: it has a call and a role of its own.
 */
#include "case.h"

#include <stdlib.h>
#include <string.h>

#include <catalogue/column.h>
#include <message/envelope.h>
#include <trace/outcome.h>

#define PAGE_DEFAULT 50
#define PAGE_MOST 500

struct look {
	struct hospital *hospital;
	const struct hospital_filter *filter;
	const char *state;
	uint64_t number;
	json_t *result;
};

/* --- Groups --------------------------------------------------------------- */

static json_t *group_json(sqlite3_stmt *row)
{
	json_t *cases = json_pack("{s:o, s:o, s:o, s:o}", "open", column_json(row, 9), "replaying",
		column_json(row, 10), "resolved", column_json(row, 11), "discarded", column_json(row, 12));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "group", column_json(row, 0),
		"route", column_json(row, 1), "destination", column_name(row, 2), "stage",
		column_json(row, 3), "code", column_json(row, 4), "pattern", column_json(row, 5), "first",
		column_time(row, 6), "last", column_time(row, 7), "failures", column_json(row, 8), "cases",
		cases);
}

static int read_groups(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct look *look = context;
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT g.number, g.route, g.destination, g.stage, g.code, g.pattern, g.first_us, g.last_us, "
		"g.failures,"
		" count(*) FILTER (WHERE c.state = 'open'), count(*) FILTER (WHERE c.state = 'replaying'),"
		" count(*) FILTER (WHERE c.state = 'resolved'), count(*) FILTER (WHERE c.state = 'discarded')"
		" FROM groups g JOIN cases c ON c.group_number = g.number GROUP BY g.number"
		" HAVING count(*) FILTER (WHERE c.state = ?1 OR (?1 IS NULL AND c.state IN ('open', "
		"'replaying'))) > 0"
		" ORDER BY g.last_us DESC, g.number DESC",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	catalogue_bind_text(row, 1, xylem_span_of(look->state));
	int r;
	while ((r = catalogue_step_row(database, row, reason)) == 1) {
		if (json_array_append_new(look->result, group_json(row)) < 0) {
			return -XYLEM_E_MEMORY;
		}
	}
	return r;
}

/* Runs a read that fills `result`; it goes to the caller, or with the error. */
static int run(struct look *look, catalogue_work work, json_t **ret_json, struct xylem_reason *reason)
{
	int r = look->result ? catalogue_read(look->hospital->catalogue, work, look, reason)
			     : -XYLEM_E_MEMORY;
	if (r < 0) {
		json_decref(look->result);
		return r;
	}
	*ret_json = look->result;
	return 0;
}

static int check_state(const char *state, struct xylem_reason *reason)
{
	static const char *const states[] = { "open", "replaying", "resolved", "discarded" };
	for (size_t i = 0; state && i < 4; i++) {
		if (strcmp(state, states[i]) == 0) {
			return 0;
		}
	}
	if (state) {
		xylem_reason_set(
			reason, "\"%s\" is no state of a case: open, replaying, resolved, discarded", state);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

int hospital_groups(
	struct hospital *hospital, const char *state, json_t **ret_groups, struct xylem_reason *reason)
{
	int r = check_state(state, reason);
	if (r < 0) {
		return r;
	}
	struct look look = { .hospital = hospital, .state = state, .result = json_array() };
	return run(&look, read_groups, ret_groups, reason);
}

/* --- Cases ---------------------------------------------------------------- */

#define CASE_COLUMNS                                                                                      \
	"number, version, state, group_number, partition, offset, journal_us, route, destination, "       \
	"failed_at, stage,"                                                                               \
	" step, failure, code, reason, attempts, failures, first_us, last_us, generation, ingress, key, " \
	"id, source,"                                                                                     \
	" type, subject, draft, bytes"

/*
 * Stages are counted for people as their names count them: 0 is `where`, 1 the first step, the number behind the
 * last step the delivery. Kept is the index of the step, -1 for `where`. Of a replay and a draft it is where they go in.
 */
static json_t *column_stage(sqlite3_stmt *row, int column)
{
	return json_integer(sqlite3_column_int64(row, column) + 1);
}

static bool put(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) == 0;
}

/* Columns of CASE_COLUMNS, shown as they are. */
static const struct {
	const char *name;
	int column;
	json_t *(*show)(sqlite3_stmt *row, int column);
} case_members[] = {
	{ "case", 0, column_json },
	{ "version", 1, column_json },
	{ "state", 2, column_json },
	{ "group", 3, column_json },
	{ "time", 6, column_time },
	{ "route", 7, column_json },
	{ "destination", 8, column_name },
	{ "failed_at", 9, column_name },
	{ "stage", 10, column_json },
	{ "step", 11, column_stage },
	{ "failure", 12, column_json },
	{ "code", 13, column_json },
	{ "reason", 14, column_json },
	{ "attempts", 15, column_json },
	{ "failures", 16, column_json },
	{ "first", 17, column_time },
	{ "last", 18, column_time },
	{ "generation", 19, column_json },
	{ "ingress", 20, column_json },
	{ "key", 21, column_json },
	{ "id", 22, column_json },
	{ "source", 23, column_json },
	{ "type", 24, column_json },
	{ "subject", 25, column_json },
	{ "draft", 26, column_json },
	{ "bytes", 27, column_json },
};

static json_t *case_json(sqlite3_stmt *row)
{
	json_t *object = json_object();
	struct xylem_position at = { (uint32_t)sqlite3_column_int64(row, 4),
		(uint64_t)sqlite3_column_int64(row, 5) };
	bool good = object && put(object, "handle", position_json(at));
	for (size_t i = 0; good && i < sizeof(case_members) / sizeof(case_members[0]); i++) {
		good = put(object, case_members[i].name, case_members[i].show(row, case_members[i].column));
	}
	if (!good) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static size_t page_limit(const struct hospital_filter *filter)
{
	if (filter->limit == 0) {
		return PAGE_DEFAULT;
	}
	return filter->limit < PAGE_MOST ? filter->limit : PAGE_MOST;
}

static int read_cases(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct look *look = context;
	const struct hospital_filter *filter = look->filter;
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT " CASE_COLUMNS " FROM cases WHERE (?1 = 0 OR number < ?1)"
		" AND (state = ?2 OR (?2 IS NULL AND state IN ('open', 'replaying')))"
		" AND (?3 = 0 OR group_number = ?3) AND (?4 IS NULL OR route = ?4)"
		" AND (?5 IS NULL OR failed_at = ?5) AND (?6 IS NULL OR code = ?6)"
		" ORDER BY number DESC LIMIT ?7",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	size_t limit = page_limit(filter);
	sqlite3_bind_int64(row, 1, (int64_t)filter->after);
	catalogue_bind_text(row, 2, xylem_span_of(filter->state));
	sqlite3_bind_int64(row, 3, (int64_t)filter->group);
	catalogue_bind_text(row, 4, xylem_span_of(filter->route));
	catalogue_bind_text(row, 5, xylem_span_of(filter->destination));
	catalogue_bind_text(row, 6, xylem_span_of(filter->code));
	sqlite3_bind_int64(row, 7, (int64_t)limit + 1);
	json_t *cases = json_array(), *next = json_null();
	int r;
	while ((r = catalogue_step_row(database, row, reason)) == 1) {
		if (json_array_size(cases) == limit) {
			json_t *last = json_array_get(cases, limit - 1);
			next = json_incref(json_object_get(last, "case"));
			break;
		}
		if (json_array_append_new(cases, case_json(row)) < 0) {
			r = -XYLEM_E_MEMORY;
			break;
		}
	}
	bool kept = put(look->result, "cases", cases);
	kept &= put(look->result, "next", next);
	return r < 0 ? r : kept ? 0 : -XYLEM_E_MEMORY;
}

int hospital_cases(struct hospital *hospital, const struct hospital_filter *filter, json_t **ret_page,
	struct xylem_reason *reason)
{
	int r = check_state(filter->state, reason);
	if (r < 0) {
		return r;
	}
	struct look look = { .hospital = hospital, .filter = filter, .result = json_object() };
	return run(&look, read_cases, ret_page, reason);
}

/* --- One case ------------------------------------------------------------- */

static json_t *outcome_json(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL
		       ? json_string("pending")
		       : json_string(outcome_name((enum outcome)sqlite3_column_int(row, column)));
}

/* Rows of a statement with the case's number bound, each made an element of the array `name`. */
static int list(struct look *look, sqlite3 *database, const char *name, const char *sql,
	json_t *(*show)(sqlite3_stmt *row), struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(database, sql, reason);
	json_t *array = json_array();
	if (!row || !put(look->result, name, array)) {
		return row ? -XYLEM_E_MEMORY : -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, (int64_t)look->number);
	int r;
	while ((r = catalogue_step_row(database, row, reason)) == 1) {
		if (json_array_append_new(array, show(row)) < 0) {
			return -XYLEM_E_MEMORY;
		}
	}
	return r;
}

static json_t *lane_json(sqlite3_stmt *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "destination", column_json(row, 0), "replay",
		column_json(row, 1), "outcome", outcome_json(row, 2), "time", column_time(row, 3), "code",
		column_json(row, 4), "reason", column_json(row, 5));
}

static json_t *replay_json(sqlite3_stmt *row)
{
	json_t *handle = json_null();
	if (sqlite3_column_type(row, 8) != SQLITE_NULL) {
		struct xylem_position at = { (uint32_t)sqlite3_column_int64(row, 7),
			(uint64_t)sqlite3_column_int64(row, 8) };
		handle = position_json(at);
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "number", column_json(row, 0),
		"destination", column_name(row, 1), "step", column_stage(row, 2), "draft",
		column_json(row, 3), "edited", json_boolean(sqlite3_column_int(row, 3) > 0), "id",
		column_json(row, 4), "who", column_json(row, 5), "time", column_time(row, 6), "handle",
		handle);
}

static json_t *draft_json(sqlite3_stmt *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "number", column_json(row, 0), "step",
		column_stage(row, 1), "who", column_json(row, 2), "time", column_time(row, 3), "bytes",
		column_json(row, 4));
}

static json_t *note_json(sqlite3_stmt *row)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "kind", column_json(row, 0), "who", column_name(row, 1),
		"time", column_time(row, 2), "text", column_name(row, 3));
}

static int read_lists(struct look *look, sqlite3 *database, struct xylem_reason *reason)
{
	int r = list(look, database, "lanes",
		"SELECT destination, number, outcome, time_us, code, reason FROM replay_lanes"
		" WHERE case_number = ?1 AND superseded = 0 ORDER BY destination, number",
		lane_json, reason);
	r = r < 0 ? r
		  : list(look, database, "replays",
			    "SELECT number, destination, step, draft, id, who, time_us, partition, offset "
			    "FROM replays"
			    " WHERE case_number = ?1 AND number > 0 ORDER BY number",
			    replay_json, reason);
	r = r < 0 ? r
		  : list(look, database, "drafts",
			    "SELECT number, step, who, time_us, length(data) FROM drafts WHERE case_number = "
			    "?1 ORDER BY number",
			    draft_json, reason);
	return r < 0 ? r
		     : list(look, database, "history",
			       "SELECT kind, who, time_us, text FROM notes WHERE case_number = ?1 ORDER BY "
			       "number",
			       note_json, reason);
}

/* What each replay came to on each lane, the superseded ones included, under the replay. */
static int read_replay_lanes(struct look *look, sqlite3 *database, struct xylem_reason *reason)
{
	json_t *replays = json_object_get(look->result, "replays"), *replay;
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT destination, number, outcome, time_us, code, reason FROM replay_lanes"
		" WHERE case_number = ?1 AND number = ?2 ORDER BY destination",
		reason);
	size_t i;
	int r = row ? 0 : -XYLEM_E_INTERNAL;
	json_array_foreach(replays, i, replay)
	{
		json_t *lanes = json_array();
		if (r < 0 || !put(replay, "lanes", lanes)) {
			return r < 0 ? r : -XYLEM_E_MEMORY;
		}
		sqlite3_reset(row);
		sqlite3_bind_int64(row, 1, (int64_t)look->number);
		sqlite3_bind_int64(row, 2, json_integer_value(json_object_get(replay, "number")));
		while ((r = catalogue_step_row(database, row, reason)) == 1) {
			if (json_array_append_new(lanes, lane_json(row)) < 0) {
				return -XYLEM_E_MEMORY;
			}
		}
	}
	return r;
}

static int read_case(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct look *look = context;
	sqlite3_stmt *row = catalogue_statement(
		database, "SELECT " CASE_COLUMNS " FROM cases WHERE number = ?1", reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, (int64_t)look->number);
	int r = catalogue_step_row(database, row, reason);
	if (r == 0) {
		xylem_reason_set(reason, "there is no case %llu", (unsigned long long)look->number);
		return -XYLEM_E_NOT_FOUND;
	}
	json_t *object = r < 0 ? NULL : case_json(row);
	if (r < 0 || json_object_update_new(look->result, object) < 0) {
		return r < 0 ? r : -XYLEM_E_MEMORY;
	}
	r = read_lists(look, database, reason);
	return r < 0 ? r : read_replay_lanes(look, database, reason);
}

int case_show(struct hospital *hospital, uint64_t number, json_t **ret_case, struct xylem_reason *reason)
{
	if (!ret_case) {
		return 0;
	}
	struct look look = { .hospital = hospital, .number = number, .result = json_object() };
	return run(&look, read_case, ret_case, reason);
}

int hospital_case(struct hospital *hospital, uint64_t number, json_t **ret_case, struct xylem_reason *reason)
{
	return case_show(hospital, number, ret_case, reason);
}

/* --- Data ----------------------------------------------------------------- */

struct data_look {
	uint64_t number;
	const char *which;
	struct xylem_buffer *out;
	char *content_type;
};

static int copy_out(struct data_look *look, struct xylem_span bytes, const struct xylem_span *draft,
	struct xylem_reason *reason)
{
	size_t n = envelope_extensions(bytes);
	struct xylem_extension *room = calloc(n + 1, sizeof(*room));
	struct xylem_message message;
	int r = room ? envelope_read(bytes, &message, room) : -XYLEM_E_MEMORY;
	if (r < 0) {
		xylem_reason_set(reason, "the data of case %llu cannot be read: %s",
			(unsigned long long)look->number, xylem_error_row(r)->text);
	} else {
		struct xylem_span type = message.datacontenttype;
		size_t length = type.n < 127 ? type.n : 0;
		memcpy(look->content_type, type.at ? type.at : "", length);
		look->content_type[length] = '\0';
		xylem_buffer_span(look->out, draft ? *draft : message.data);
		r = xylem_buffer_failed(look->out) ? -XYLEM_E_MEMORY : 0;
	}
	free(room);
	return r;
}

static int read_data(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct data_look *look = context;
	bool original = strcmp(look->which, "original") == 0, draft = strcmp(look->which, "draft") == 0;
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT CASE ?2 WHEN 1 THEN original ELSE coalesce(failing, original) END, drafts.data"
		" FROM case_data JOIN cases ON cases.number = case_data.case_number"
		" LEFT JOIN drafts ON drafts.case_number = cases.number AND drafts.number = cases.draft"
		" WHERE case_data.case_number = ?1",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, (int64_t)look->number);
	sqlite3_bind_int(row, 2, original);
	int r = catalogue_step_row(database, row, reason);
	if (r < 0) {
		return r;
	}
	struct xylem_span drafted = r == 1 ? catalogue_column(row, 1) : XYLEM_SPAN_NONE;
	if (r == 0 || (draft && !xylem_span_present(drafted))) {
		xylem_reason_set(reason, r == 0 ? "there is no case %llu" : "case %llu has no draft",
			(unsigned long long)look->number);
		return -XYLEM_E_NOT_FOUND;
	}
	return copy_out(look, catalogue_column(row, 0), draft ? &drafted : NULL, reason);
}

int hospital_case_data(struct hospital *hospital, uint64_t number, const char *which,
	struct xylem_buffer *out, char content_type[128], struct xylem_reason *reason)
{
	const char *wanted = which && which[0] ? which : "failing";
	if (strcmp(wanted, "failing") != 0 && strcmp(wanted, "draft") != 0 &&
		strcmp(wanted, "original") != 0) {
		xylem_reason_set(reason,
			"a case has \"failing\", \"draft\" and \"original\" data, not \"%s\"", wanted);
		return -XYLEM_E_INVALID;
	}
	struct data_look look = { number, wanted, out, content_type };
	return catalogue_read(hospital->catalogue, read_data, &look, reason);
}
