/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemctl show HANDLE --as-test: a message of the trace as tests for
 * `xylemd test` (docs/route-tests.md): its event as it came in, and what each
 * route that takes it makes of it now. Whoever reads it decides whether that is
 * what it should be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <console/ctl/ctl.h>
#include <xylem/json.h>

/* Text as YAML's double-quoted form, which takes JSON's. */
static void put_text(struct xylem_buffer *out, const json_t *text)
{
	char *json = json_dumps(text, JSON_ENCODE_ANY);
	xylem_buffer_text(out, json ? json : "\"\"");
	free(json);
}

/* JSON text within YAML: one line, since white space between values means nothing. */
static void put_json(struct xylem_buffer *out, const char *json)
{
	bool inside = false;
	for (const char *at = json; *at; at++) {
		xylem_buffer_byte(out, !inside && strchr("\n\r\t", *at) ? ' ' : *at);
		if (inside && *at == '\\' && at[1]) {
			xylem_buffer_byte(out, *++at);
		} else if (*at == '"') {
			inside = !inside;
		}
	}
}

/* `data` where it is JSON, else `data_text`; what is neither has to come from a file. */
static void put_data(struct xylem_buffer *out, const char *indent, const json_t *holder)
{
	const json_t *text = json_object_get(holder, "data_text");
	if (json_object_get(holder, "data_base64")) {
		xylem_buffer_format(
			out, "%sdata_file: data.bin # not text: xylemctl data HANDLE > data.bin\n", indent);
	}
	if (!text) {
		return;
	}
	if (xylem_json_check(xylem_span_of(json_string_value(text)), NULL, NULL) == 0) {
		xylem_buffer_format(out, "%sdata: ", indent);
		put_json(out, json_string_value(text));
	} else {
		xylem_buffer_format(out, "%sdata_text: ", indent);
		put_text(out, text);
	}
	xylem_buffer_byte(out, '\n');
}

static void put_member(struct xylem_buffer *out, const char *indent, const char *name, const json_t *holder,
	const char *member)
{
	const json_t *value = json_object_get(holder, member);
	if (json_is_string(value) && *json_string_value(value)) {
		xylem_buffer_format(out, "%s%s: ", indent, name);
		put_text(out, value);
		xylem_buffer_byte(out, '\n');
	}
}

static void put_event(struct xylem_buffer *out, const json_t *message, const json_t *data)
{
	static const char *const members[][2] = { { "from", "ingress" }, { "key", "key" }, { "id", "id" },
		{ "source", "source" }, { "type", "type" }, { "subject", "subject" },
		{ "time", "event_time" }, { "datacontenttype", "datacontenttype" },
		{ "dataschema", "dataschema" } };
	const json_t *extensions = json_object_get(message, "extensions");
	const char *name;
	json_t *value;
	xylem_buffer_text(out, "    event:\n");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		put_member(out, "      ", members[i][0], message, members[i][1]);
	}
	if (json_object_size(extensions)) {
		xylem_buffer_text(out, "      extensions:\n");
		json_object_foreach((json_t *)(uintptr_t)extensions, name, value)
		{
			put_member(out, "        ", name, extensions, name);
		}
	}
	put_data(out, "      ", data);
}

/* One of several events that came out, as a member of a list. */
static void put_part(struct xylem_buffer *out, const json_t *event)
{
	xylem_buffer_text(out, "        - id: ");
	put_text(out, json_object_get(event, "id"));
	xylem_buffer_byte(out, '\n');
	put_data(out, "          ", event);
}

static void put_delivered(struct xylem_buffer *out, const json_t *events)
{
	size_t n = json_array_size(events), i;
	const json_t *first = json_array_get(events, 0), *event;
	if (n == 1 && json_object_get(first, "data_text")) {
		put_data(out, "      ", first);
	} else if (n > 1) {
		xylem_buffer_text(out, "      parts:\n");
		json_array_foreach(events, i, event)
		{
			put_part(out, event);
		}
	} else {
		xylem_buffer_text(out, "      outcome: delivered\n");
	}
}

static void put_expectation(struct xylem_buffer *out, const json_t *route)
{
	const char *outcome = json_string_value(json_object_get(route, "outcome"));
	const json_t *stages = json_object_get(route, "stages"), *failure = json_object_get(route, "failure");
	size_t n = json_array_size(stages);
	xylem_buffer_text(out, "    expect:\n");
	if (failure) {
		xylem_buffer_format(
			out, "      step: %d\n", (int)json_integer_value(json_object_get(failure, "step")));
		put_member(out, "      ", "code", failure, "code");
		put_member(out, "      ", "error", failure, "reason");
	} else if (n && outcome && strcmp(outcome, "delivered") == 0) {
		put_delivered(out, json_object_get(json_array_get(stages, n - 1), "events"));
	} else {
		xylem_buffer_format(out, "      outcome: %s\n", outcome ? outcome : "filtered");
	}
}

/* The file of the configuration, from the place of a route in it; "xylem.yaml:12:5". */
static void put_config(struct xylem_buffer *out, const json_t *routes)
{
	const json_t *first = json_array_get(json_object_get(routes, "routes"), 0);
	const char *place = json_string_value(json_object_get(first, "place"));
	size_t n = place ? strlen(place) : 0;
	for (int colons = 0; n && colons < 2; n--) {
		colons += place[n - 1] == ':';
	}
	json_t *path = n ? json_stringn(place, n) : json_string("CONFIGURATION.yaml");
	xylem_buffer_text(out, "config: ");
	put_text(out, path);
	xylem_buffer_byte(out, '\n');
	json_decref(path);
}

static int get(
	struct client *client, const char *path, const char *handle, const char *rest, json_t **ret_json)
{
	XYLEM_BUFFER_SCOPED target = { 0 };
	xylem_buffer_text(&target, path);
	client_encode(&target, xylem_span_of(handle), true);
	xylem_buffer_format(&target, "%s", rest);
	xylem_buffer_byte(&target, '\0');
	return target.failed ? CTL_REFUSED
			     : client_ask_json(client, "GET", target.bytes, XYLEM_SPAN_NONE, ret_json);
}

/* The data as it came in, as the stages have theirs. */
static int get_data(struct client *client, const char *handle, json_t *ret_data)
{
	struct client_answer answer = { 0 };
	XYLEM_BUFFER_SCOPED target = { 0 };
	xylem_buffer_text(&target, "/api/v1/messages/");
	client_encode(&target, xylem_span_of(handle), true);
	xylem_buffer_text(&target, "/data");
	xylem_buffer_byte(&target, '\0');
	int code = client_ask(client, "GET", target.bytes, NULL, XYLEM_SPAN_NONE, &answer);
	if (!code) {
		arguments_set_data(ret_data, xylem_buffer_borrow(&answer.body));
	}
	xylem_buffer_finish(&answer.body);
	return code;
}

static void tests_print(const char *handle, const json_t *message, const json_t *data, const json_t *stages,
	const json_t *routes)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	const json_t *route;
	size_t i;
	xylem_buffer_format(&out,
		"# Made by: xylemctl show %s --as-test. What is expected is what the routes make of it "
		"now.\n",
		handle);
	put_config(&out, routes);
	xylem_buffer_text(&out, "tests:\n");
	json_array_foreach(json_object_get(stages, "routes"), i, route)
	{
		const char *name = json_string_value(json_object_get(route, "route"));
		xylem_buffer_format(
			&out, "  - name: message %s in route %s\n    route: %s\n", handle, name, name);
		put_member(&out, "    ", "now", message, "time");
		put_event(&out, message, data);
		put_expectation(&out, route);
	}
	fwrite(out.n ? out.bytes : "", 1, out.n, stdout);
}

int ctl_as_test(struct client *client, const char *handle)
{
	json_t *message = NULL, *stages = NULL, *routes = NULL, *data = json_object();
	int code = get(client, "/api/v1/messages/", handle, "", &message);
	code = code ? code : get(client, "/api/v1/messages/", handle, "/stages", &stages);
	code = code ? code : get(client, "/api/v1/routes", "", "", &routes);
	code = code ? code : get_data(client, handle, data);
	if (!code && json_array_size(json_object_get(stages, "routes")) == 0) {
		fprintf(stderr, "xylemctl: no route takes message %s\n", handle);
		code = CTL_REFUSED;
	}
	if (!code) {
		tests_print(handle, message, data, stages, routes);
	}
	json_decref(message);
	json_decref(stages);
	json_decref(routes);
	json_decref(data);
	return code;
}
