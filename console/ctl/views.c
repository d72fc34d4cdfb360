/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How answers look to people: for lists a table with the columns chosen here,
 * for everything else names and values, indented. An operation that is not in
 * the table below is shown all the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <console/ctl/ctl.h>

static const struct column lanes[] = { { "LANE", "lane", COLUMN_TEXT }, { "STATE", "state", COLUMN_STATE },
	{ "BACKLOG", "backlog", COLUMN_NUMBER }, { "OLDEST", "oldest_s", COLUMN_SECONDS },
	{ "DELIVERED", "delivered", COLUMN_NUMBER }, { "CASES", "hospitalised", COLUMN_NUMBER },
	{ "FAILED", "failed_attempts", COLUMN_NUMBER }, { "WHY", "why", COLUMN_TEXT }, { NULL } };
static const struct column connectors[] = { { "CONNECTOR", "name", COLUMN_TEXT },
	{ "KIND", "kind", COLUMN_TEXT }, { "SOURCE", "source", COLUMN_TEXT }, { "SINK", "sink", COLUMN_TEXT },
	{ "UP", "up", COLUMN_STATE }, { "HELD", "held", COLUMN_TEXT },
	{ "RECEIVED", "received", COLUMN_NUMBER }, { "WHY", "why", COLUMN_TEXT }, { NULL } };
static const struct column routes[] = { { "ROUTE", "name", COLUMN_TEXT }, { "FROM", "from", COLUMN_TEXT },
	{ "WHERE", "where", COLUMN_TEXT }, { "STEPS", "steps", COLUMN_TEXT }, { "TO", "to", COLUMN_TEXT },
	{ "PLACE", "place", COLUMN_TEXT }, { NULL } };
static const struct column topics[] = { { "TOPIC", "name", COLUMN_TEXT }, { "TITLE", "title", COLUMN_TEXT },
	{ "ACCESS", "access", COLUMN_TEXT }, { "SUBSCRIBE", "subscribe", COLUMN_TEXT },
	{ "PUBLISH", "publish", COLUMN_TEXT }, { NULL } };
static const struct column messages[] = { { "HANDLE", "handle", COLUMN_TEXT },
	{ "TIME", "time", COLUMN_TIME }, { "INGRESS", "ingress", COLUMN_TEXT },
	{ "TYPE", "type", COLUMN_TEXT }, { "KEY", "key", COLUMN_TEXT }, { "ID", "id", COLUMN_TEXT },
	{ "SIZE", "size", COLUMN_BYTES }, { "OUTCOMES", "outcomes", COLUMN_TEXT }, { NULL } };
static const struct column groups[] = { { "GROUP", "group", COLUMN_NUMBER },
	{ "OPEN", "cases.open", COLUMN_NUMBER }, { "REPLAYING", "cases.replaying", COLUMN_NUMBER },
	{ "CODE", "code", COLUMN_TEXT }, { "ROUTE", "route", COLUMN_TEXT },
	{ "DESTINATION", "destination", COLUMN_TEXT }, { "STAGE", "stage", COLUMN_TEXT },
	{ "LAST", "last", COLUMN_TIME }, { "PATTERN", "pattern", COLUMN_TEXT }, { NULL } };
static const struct column cases[] = { { "CASE", "case", COLUMN_NUMBER }, { "STATE", "state", COLUMN_STATE },
	{ "GROUP", "group", COLUMN_NUMBER }, { "MESSAGE", "handle", COLUMN_TEXT },
	{ "ROUTE", "route", COLUMN_TEXT }, { "DESTINATION", "destination", COLUMN_TEXT },
	{ "STAGE", "stage", COLUMN_TEXT }, { "CODE", "code", COLUMN_TEXT }, { "LAST", "last", COLUMN_TIME },
	{ "REASON", "reason", COLUMN_TEXT }, { NULL } };
static const struct column audit[] = { { "NUMBER", "number", COLUMN_NUMBER }, { "TIME", "time", COLUMN_TIME },
	{ "WHO", "who", COLUMN_TEXT }, { "ROLE", "role", COLUMN_TEXT },
	{ "OPERATION", "operation", COLUMN_TEXT }, { "OUTCOME", "outcome", COLUMN_STATE },
	{ "ARGUMENTS", "arguments", COLUMN_TEXT }, { NULL } };
static const struct column hops[] = { { "LANE", "lane", COLUMN_TEXT }, { "OUTCOME", "outcome", COLUMN_STATE },
	{ "ATTEMPTS", "attempts", COLUMN_NUMBER }, { "BEGUN", "begun", COLUMN_TIME },
	{ "SETTLED", "settled", COLUMN_TIME }, { "THERE", "remote_handle", COLUMN_TEXT }, { NULL } };

/* Which member of an answer is a table, and how. */
static const struct {
	const char *operation, *member;
	const struct column *columns;
} views[] = {
	{ "lanes", "lanes", lanes },
	{ "connectors", "connectors", connectors },
	{ "routes", "routes", routes },
	{ "topics", "topics", topics },
	{ "messages", "messages", messages },
	{ "hospital-groups", "groups", groups },
	{ "hospital-cases", "cases", cases },
	{ "audit", "records", audit },
	{ "message", "lanes", hops },
};

static const struct column *find_columns(const char *operation, const char *member)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		if (strcmp(views[i].operation, operation) == 0 && strcmp(views[i].member, member) == 0) {
			return views[i].columns;
		}
	}
	return NULL;
}

/* Columns from the members of the first row, for tables that nobody chose columns for. */
static void show_any_table(const json_t *rows)
{
	struct column columns[16] = { { NULL } };
	const char *name;
	json_t *value;
	size_t n = 0;
	json_object_foreach(json_array_get(rows, 0), name, value)
	{
		if (n < 15 && !json_is_object(value)) {
			columns[n++] = (struct column){ name, name,
				json_is_number(value) ? COLUMN_NUMBER : COLUMN_TEXT };
		}
	}
	table_show(rows, columns);
}

static bool is_table(const json_t *value)
{
	return json_array_size(value) && json_is_object(json_array_get(value, 0));
}

static void show_scalar(const json_t *value)
{
	XYLEM_BUFFER_SCOPED line = { 0 };
	char *dump = NULL;
	if (json_is_string(value)) {
		view_plain(&line, json_string_value(value));
	} else if (json_is_null(value)) {
		xylem_buffer_byte(&line, '-');
	} else if (json_is_boolean(value)) {
		xylem_buffer_text(&line, json_is_true(value) ? "yes" : "no");
	} else {
		dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));
		xylem_buffer_text(&line, dump ? dump : "");
	}
	xylem_buffer_byte(&line, '\0');
	const char *colour = json_is_string(value) ? table_state_colour(line.bytes) : "";
	printf("%s%s%s\n", colour, line.bytes ? line.bytes : "", *colour ? COLOUR_END : "");
	free(dump);
}

static void show_object(const char *operation, const json_t *object, int depth)
{
	const char *name;
	json_t *value;
	int wide = 0;
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		wide = (int)strlen(name) > wide ? (int)strlen(name) : wide;
	}
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const struct column *columns = depth ? NULL : find_columns(operation, name);
		if (columns || is_table(value)) {
			printf("%*s%s:\n", depth * 2, "", name);
			columns ? table_show(value, columns) : show_any_table(value);
		} else if (json_is_object(value) && json_object_size(value)) {
			printf("%*s%s:\n", depth * 2, "", name);
			show_object(operation, value, depth + 1);
		} else {
			printf("%*s%-*s  ", depth * 2, "", wide, name);
			show_scalar(value);
		}
	}
}

void view_show(const char *operation, const json_t *answer)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)answer, name, value)
	{
		const struct column *columns = find_columns(operation, name);
		if (columns && columns != hops) {
			table_show(value, columns);
			const json_t *next = json_object_get(answer, "next");
			char *text = next && !json_is_null(next) ? json_dumps(next, JSON_ENCODE_ANY) : NULL;
			if (text) {
				fprintf(stderr, "more: --after %.*s, or --all\n",
					(int)strcspn(text + (*text == '"'), "\""), text + (*text == '"'));
			}
			free(text);
			return;
		}
	}
	show_object(operation, answer, 0);
}
