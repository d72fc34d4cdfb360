/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which members of an answer people want to see, and as what: for xylemctl,
 * which draws tables, and for XMPP, which has lines and forms. An operation
 * that is not here is shown all the same, whole.
 */
#include <stdio.h>
#include <string.h>

#include <console/columns.h>

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
	{ "SETTLED", "settled", COLUMN_TIME }, { "THERE", "remote_handle", COLUMN_TEXT },
	{ "BECAME", "diverted_to", COLUMN_TEXT }, { NULL } };

/* A replay's lanes stand below each other, as `lanes` of a line of their own. */
static const struct column replays[] = { { "REPLAY", "number", COLUMN_NUMBER },
	{ "STEP", "step", COLUMN_NUMBER }, { "EDITED", "edited", COLUMN_TEXT }, { "WHO", "who", COLUMN_TEXT },
	{ "TIME", "time", COLUMN_TIME }, { "MESSAGE", "handle", COLUMN_TEXT },
	{ "DESTINATION", "lanes.destination", COLUMN_TEXT }, { "OUTCOME", "lanes.outcome", COLUMN_STATE },
	{ "SETTLED", "lanes.time", COLUMN_TIME }, { "CODE", "lanes.code", COLUMN_TEXT },
	{ "REASON", "lanes.reason", COLUMN_TEXT }, { NULL } };

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
	{ "hospital-case", "replays", replays },
};

const struct column *columns_of(const char *operation, const char *member)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		if (strcmp(views[i].operation, operation) == 0 && strcmp(views[i].member, member) == 0) {
			return views[i].columns;
		}
	}
	return NULL;
}

bool columns_are_part(const char *operation)
{
	return strcmp(operation, "message") == 0 || strcmp(operation, "hospital-case") == 0;
}

/* What a whole answer comes down to where there is room for a line or two. */
static const struct column status[] = { { "NAME", "name", COLUMN_TEXT }, { "READY", "ready", COLUMN_STATE },
	{ "OBSTACLE", "obstacle", COLUMN_TEXT }, { "UPTIME", "uptime_s", COLUMN_SECONDS },
	{ "CONNECTORS", "connectors.total", COLUMN_NUMBER }, { "UP", "connectors.up", COLUMN_NUMBER },
	{ "LANES", "lanes.total", COLUMN_NUMBER }, { "PAUSED", "lanes.paused", COLUMN_NUMBER },
	{ "DOWN", "lanes.down", COLUMN_NUMBER }, { "STOPPED", "lanes.stopped", COLUMN_NUMBER },
	{ "BACKLOG", "lanes.longest_backlog", COLUMN_NUMBER }, { "CASES", "hospital.open", COLUMN_NUMBER },
	{ "GROUPS", "hospital.groups", COLUMN_NUMBER }, { "JOURNALED", "journal.appended", COLUMN_NUMBER },
	{ NULL } };
static const struct column lane[] = { { "LANE", "lane", COLUMN_TEXT }, { "STATE", "state", COLUMN_STATE },
	{ "WHY", "why", COLUMN_TEXT }, { "BACKLOG", "backlog", COLUMN_NUMBER },
	{ "OLDEST", "oldest_s", COLUMN_SECONDS }, { "DELIVERED", "delivered", COLUMN_NUMBER },
	{ "CASES", "hospitalised", COLUMN_NUMBER }, { NULL } };
static const struct column hospital_case[] = { { "CASE", "case", COLUMN_NUMBER },
	{ "STATE", "state", COLUMN_STATE }, { "GROUP", "group", COLUMN_NUMBER },
	{ "ROUTE", "route", COLUMN_TEXT }, { "DESTINATION", "destination", COLUMN_TEXT },
	{ "STAGE", "stage", COLUMN_TEXT }, { "CODE", "code", COLUMN_TEXT },
	{ "REASON", "reason", COLUMN_TEXT }, { "MESSAGE", "handle", COLUMN_TEXT },
	{ "ID", "id", COLUMN_TEXT }, { "LAST", "last", COLUMN_TIME },
	{ "FAILURES", "failures", COLUMN_NUMBER }, { "VERSION", "version", COLUMN_NUMBER }, { NULL } };

static const struct {
	const char *operation;
	const struct column *columns;
} summaries[] = {
	{ "bus-status", status },
	{ "lane", lane },
	{ "hospital-case", hospital_case },
	{ "hospital-replay", hospital_case },
	{ "hospital-discard", hospital_case },
	{ "hospital-restore", hospital_case },
	{ "hospital-note", hospital_case },
	{ "hospital-draft", hospital_case },
};

const struct column *columns_summary(const char *operation)
{
	for (size_t i = 0; i < sizeof(summaries) / sizeof(summaries[0]); i++) {
		if (strcmp(summaries[i].operation, operation) == 0) {
			return summaries[i].columns;
		}
	}
	return NULL;
}

const json_t *columns_value(const json_t *row, const char *path)
{
	char name[64];
	while (row && *path) {
		size_t n = strcspn(path, ".");
		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		row = json_object_get(row, name);
		path += n + (path[n] == '.');
	}
	return row;
}
