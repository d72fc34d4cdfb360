/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the things of the bus look as JSON. Names and units stand in docs/api.md:
 * times are RFC 3339 in UTC, durations end in their unit, positions are handles.
 */
#include <base/clock.h>
#include <message/base64.h>
#include <console/view.h>

json_t *view_time(int64_t wall_us)
{
	char text[CLOCK_TEXT_SIZE];
	return wall_us ? json_string(clock_format(wall_us, text)) : json_null();
}

json_t *view_position(struct xylem_position position)
{
	char text[XYLEM_HANDLE_SIZE];
	return json_string(xylem_handle_format(position, text));
}

json_t *view_text(struct xylem_span text)
{
	if (!xylem_span_present(text)) {
		return json_null();
	}
	json_t *string = json_stringn(text.at, text.n);
	if (string) {
		return string;
	}
	XYLEM_BUFFER_SCOPED plain = { 0 };
	for (size_t i = 0; i < text.n; i++) {
		unsigned char byte = (unsigned char)text.at[i];
		xylem_buffer_byte(&plain, byte < 0x80 ? (char)byte : '?');
	}
	return json_stringn(plain.bytes, plain.n);
}

json_t *view_strings(const struct xylem_strings *strings)
{
	json_t *list = json_array();
	for (size_t i = 0; i < strings->n; i++) {
		json_array_append_new(list, json_string(strings->items[i]));
	}
	return list;
}

json_t *view_place(const struct config_place *place)
{
	return place->file ? json_sprintf("%s:%d:%d", place->file, place->line, place->column) : json_null();
}

json_t *view_lane(const struct lane_state *lane)
{
	json_t *view = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:f, s:I, s:I, s:I}", "lane",
		lane->name, "route", lane->route, "destination", lane->destination, "state",
		lane_condition_name(lane->condition), "why",
		lane->why[0] ? view_text(xylem_span_of(lane->why)) : json_null(), "cursor",
		view_position(lane->cursor), "backlog", (json_int_t)lane->backlog, "oldest_s",
		(double)lane->oldest_us / 1e6, "in_flight", (json_int_t)lane->in_flight, "waiting",
		(json_int_t)lane->waiting, "blocked_keys", (json_int_t)lane->blocked_keys);
	json_t *counts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "delivered",
		(json_int_t)lane->delivered, "filtered", (json_int_t)lane->filtered, "expired",
		(json_int_t)lane->expired, "hospitalised", (json_int_t)lane->hospitalised, "discarded",
		(json_int_t)lane->discarded, "diverted", (json_int_t)lane->diverted, "attempts",
		(json_int_t)lane->attempts, "failed_attempts", (json_int_t)lane->failed_attempts, "next_try",
		view_time(lane->next_try_us));
	json_object_update(view, counts);
	json_decref(counts);
	return view;
}

json_t *view_report(const struct config_report *report)
{
	json_t *list = json_array();
	for (size_t i = 0; i < report->n; i++) {
		const struct config_problem *problem = &report->problems[i];
		json_array_append_new(
			list, json_pack("{s:s*, s:i, s:i, s:b, s:o}", "file", problem->place.file, "line",
				      problem->place.line, "column", problem->place.column, "warning",
				      problem->warning, "detail", view_text(xylem_span_of(problem->text))));
	}
	return list;
}

json_t *view_data(struct xylem_span contenttype, struct xylem_span data)
{
	json_t *view = json_pack(
		"{s:o, s:I}", "contenttype", view_text(contenttype), "size", (json_int_t)data.n);
	json_t *text = json_stringn(data.at ? data.at : "", data.n);
	if (text) {
		json_object_set_new(view, "data_text", text);
		return view;
	}
	XYLEM_BUFFER_SCOPED base64 = { 0 };
	message_base64_write(&base64, data);
	json_object_set_new(view, "data_base64", json_stringn(base64.bytes, base64.n));
	return view;
}
