/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemctl stages HANDLE: what each route makes of a message, one block a
 * route, below it each stage with the data as it is there, and of the attributes
 * those that the stage changed. Where it ends in a case, the reason is last. A note
 * comes first where the route is not what it was when the message came in.
 */
#include <stdio.h>
#include <string.h>

#include <console/ctl/ctl.h>
#include <xylem/json.h>

static void show_text(const char *before, const json_t *text)
{
	XYLEM_BUFFER_SCOPED line = { 0 };
	view_plain(&line, json_is_string(text) ? json_string_value(text) : "");
	printf("%s%.*s\n", before, (int)line.n, line.n ? line.bytes : "");
}

/* On one line: control characters in JSON are white space between values. */
static void show_json(const char *json)
{
	XYLEM_BUFFER_SCOPED line = { 0 };
	for (const char *at = json; *at; at++) {
		xylem_buffer_byte(&line, strchr("\n\r\t", *at) ? ' ' : *at);
	}
	xylem_buffer_byte(&line, '\0');
	json_t *text = json_string(line.bytes);
	show_text("    ", text);
	json_decref(text);
}

static void show_data(const json_t *event)
{
	const char *text = json_string_value(json_object_get(event, "data_text"));
	const json_t *bytes = json_object_get(event, "data_base64");
	if (json_object_get(event, "data_left_out")) {
		puts("    (data left out: the answer would be too large)");
	} else if (bytes) {
		show_text("    base64 ", bytes);
	} else if (text && xylem_json_check(xylem_span_of(text), NULL, NULL) == 0) {
		show_json(text);
	} else {
		show_text("    ", json_object_get(event, "data_text"));
	}
}

/* `before`: the event of the last stage, where both have one; NULL: no attributes. */
static void show_event(const json_t *event, const json_t *before)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)event, name, value)
	{
		const json_t *last = json_object_get(before, name);
		if (before && strncmp(name, "data_", 5) != 0 && !(last && json_equal(last, value))) {
			printf("    %s: ", name);
			show_text("", value);
		}
	}
	show_data(event);
}

static void show_stage(const json_t *stage, const json_t *before)
{
	const json_t *events = json_object_get(stage, "events"), *event;
	json_int_t count = json_integer_value(json_object_get(stage, "count"));
	size_t i, n = json_array_size(events);
	show_text("  ", json_object_get(stage, "stage"));
	json_array_foreach(events, i, event)
	{
		show_event(event, n == 1 && json_array_size(before) == 1 ? json_array_get(before, 0) : NULL);
	}
	if (count > (json_int_t)n) {
		printf("    and %lld more\n", (long long)count - (long long)n);
	}
}

static void show_route(const json_t *route)
{
	const json_t *stage, *before = NULL, *failure = json_object_get(route, "failure");
	size_t i;
	printf("route %s: %s\n", json_string_value(json_object_get(route, "route")),
		json_string_value(json_object_get(route, "outcome")));
	if (json_object_get(route, "note")) {
		show_text("  note: ", json_object_get(route, "note"));
	}
	json_array_foreach(json_object_get(route, "stages"), i, stage)
	{
		show_stage(stage, before);
		before = json_object_get(stage, "events");
	}
	if (failure) {
		const char *at = json_string_value(json_object_get(failure, "stage"));
		const char *code = json_string_value(json_object_get(failure, "code"));
		printf("  %s%s%s: ", at ? at : "", at ? ", " : "", code ? code : "");
		show_text("", json_object_get(failure, "reason"));
	}
}

void ctl_stages_show(const json_t *answer)
{
	const json_t *routes = json_object_get(answer, "routes"), *route;
	size_t i;
	json_array_foreach(routes, i, route)
	{
		show_route(route);
	}
	if (json_array_size(routes) == 0) {
		puts("no route takes it");
	}
}
