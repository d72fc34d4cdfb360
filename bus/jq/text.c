/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From JSON text to values, one level at a time and only where somebody looks.
 * The text is valid: it was checked when the message came to the step.
 *
 * Of several members of one name the last counts, at the place of the first.
 * So a member is known only at the end of its object; an object that is asked a
 * second time is made, and further questions are answered from there. Where the
 * text has an index (index.h), nothing is scanned: its members are gone
 * through by their entries.
 */
#include "json/scan.h"
#include "json/string.h"
#include "json/utf8.h"

#include "jq/index.h"
#include "jq/text.h"

static struct jq_value span_value(enum jq_kind kind, const char *at, const char *end)
{
	return (struct jq_value){ .kind = (uint8_t)kind, .n = (uint32_t)(end - at), .at = at };
}

/* `at` stands on the opening quote. */
static struct jq_value string_value(const char *at, const char *end, const char **ret_at)
{
	const char *stop = scan_quote(at + 1, end);
	if (stop < end && *stop == '"') {
		*ret_at = stop + 1;
		struct jq_value value = span_value(JQ_STRING, at + 1, stop);
		value.flags = JQ_PLAIN;
		return value;
	}
	*ret_at = scan_string(stop, end);
	return span_value(JQ_STRING_RAW, at, *ret_at);
}

struct jq_value jq_text_value(const char *at, const char *end, const char **ret_at)
{
	switch (*at) {
	case '"':
		return string_value(at, end, ret_at);
	case '{':
		*ret_at = scan_container(at, end);
		return span_value(JQ_OBJECT_RAW, at, *ret_at);
	case '[':
		*ret_at = scan_container(at, end);
		return span_value(JQ_ARRAY_RAW, at, *ret_at);
	case 'n':
		*ret_at = at + 4;
		return jq_simple(JQ_NULL);
	case 't':
		*ret_at = at + 4;
		return jq_simple(JQ_TRUE);
	case 'f':
		*ret_at = at + 5;
		return jq_simple(JQ_FALSE);
	default:
		*ret_at = scan_value(at, end);
		return span_value(JQ_LITERAL, at, *ret_at);
	}
}

/* All of it is one value: nothing to look for. */
struct jq_value jq_text_span(struct xylem_span span)
{
	const char *stop, *end = span.at + span.n;
	if (span.n == 0) {
		return jq_simple(JQ_NULL);
	}
	if (*span.at == '{' || *span.at == '[') {
		return span_value(*span.at == '{' ? JQ_OBJECT_RAW : JQ_ARRAY_RAW, span.at, end);
	}
	return jq_text_value(span.at, end, &stop);
}

struct jq_value jq_value_json(struct xylem_span json)
{
	return jq_text_span(xylem_json_trim(json));
}

/* --- Members ---------------------------------------------------------------- */

/* At a member's name: behind its colon and white space. *ret_name: a STRING or STRING_RAW. */
static const char *name_read(const char *at, const char *end, struct jq_value *ret_name)
{
	*ret_name = string_value(at, end, &at);
	at = scan_space(at, end);
	return scan_space(at + 1, end);
}

/* From behind a value or an opening bracket to the next value or name; NULL at the end of the container. */
static const char *next_read(const char *at, const char *end)
{
	at = scan_space(at, end);
	if (at < end && *at == ',') {
		at = scan_space(at + 1, end);
	}
	return at >= end || *at == '}' || *at == ']' ? NULL : at;
}

static bool name_is(struct jq_value key, struct xylem_span name)
{
	if (key.kind == JQ_STRING) {
		/* Names of one length often differ at their ends: `line1`, `line2`. */
		return key.n == name.n && (key.n == 0 || key.at[key.n - 1] == name.at[name.n - 1]) &&
		       memcmp(key.at, name.at, name.n) == 0;
	}
	return xylem_json_string_equals(xylem_span(key.at, key.n), name);
}

static struct jq_value member_scan(struct jq_value object, struct xylem_span name)
{
	const char *at = object.at + 1, *end = object.at + object.n;
	struct jq_value found = jq_simple(JQ_NONE), key;
	while ((at = next_read(at, end))) {
		at = name_read(at, end, &key);
		if (name_is(key, name)) {
			found = jq_text_value(at, end, &at);
		} else {
			at = scan_value(at, end);
		}
	}
	return found;
}

/* The place of an object; what was there of another object or run is gone. */
static struct jq_known *known_find(struct jq_machine *machine, const char *at)
{
	size_t hash = (size_t)((uintptr_t)at * 0x9e3779b97f4a7c15u >> 40);
	struct jq_known *known = &machine->known[hash % JQ_KNOWN];
	if (known->at != at || known->run != machine->run) {
		if (known->run == machine->run) {
			/* Nobody holds them: members are borrowed from the text. */
			jq_give(machine, known->members, known->room * sizeof(*known->members));
		}
		*known = (struct jq_known){ .run = machine->run };
	}
	return known;
}

/* The members of an object's text, made once as long as others do not take its place. Borrowed. */
static struct jq_object *known_object(struct jq_machine *machine, struct jq_value object)
{
	struct jq_known *known = known_find(machine, object.at);
	if (!known->object) {
		struct jq_value made = jq_object_made(machine, object);
		if (jq_is_none(made)) {
			return NULL;
		}
		known->at = object.at;
		known->object = made.object;
	}
	return known->object;
}

enum { MEMBERS_NOTED = 64 };

/* Notes up to MEMBERS_NOTED members as they stand. False: there are more. */
static bool members_note(struct jq_machine *machine, struct jq_value object, struct jq_known *known)
{
	const char *at = object.at + 1, *end = object.at + object.n;
	uint32_t n = 0, room = object.n / 5 < MEMBERS_NOTED ? object.n / 5 + 1 : MEMBERS_NOTED; /* "":0, */
	struct jq_member *members = jq_take(machine, room * sizeof(*members));
	while (members && (at = next_read(at, end))) {
		if (n == room) {
			jq_give(machine, members, room * sizeof(*members));
			return false;
		}
		at = name_read(at, end, &members[n].key);
		members[n].value = jq_text_value(at, end, &at);
		n++;
	}
	*known = (struct jq_known){
		.at = object.at, .run = machine->run, .members = members, .n = n, .room = room
	};
	return members != NULL;
}

static struct jq_value member_noted(const struct jq_known *known, struct xylem_span name)
{
	for (uint32_t i = known->n; i-- > 0;) {
		if (name_is(known->members[i].key, name)) {
			return known->members[i].value;
		}
	}
	return jq_simple(JQ_NONE);
}

enum { ENTRIES_FEW = 32 };

/* Whoever asks for more than an eighth of many members has them made, and found by their hashes. */
static struct jq_object *many_members(
	struct jq_machine *machine, struct jq_value object, const struct json_entry *entry)
{
	struct jq_known *known = known_find(machine, object.at);
	known->at = object.at;
	if (known->object) {
		return known->object;
	}
	known->members_count = known->members_count ? known->members_count : (uint32_t)jq_entry_count(entry);
	machine->fuel -= known->members_count / 16;
	return ++known->asked > known->members_count / 8 ? known_object(machine, object) : NULL;
}

static struct jq_value entry_member(struct jq_machine *machine, struct jq_value object,
	const struct json_entry *entry, struct xylem_span name)
{
	struct jq_object *made = NULL;
	if (json_entry_span(entry) > ENTRIES_FEW) {
		made = many_members(machine, object, entry);
	}
	if (made || machine->limit) {
		struct jq_value *place = made ? jq_object_place(made, name) : NULL;
		return place ? *place : jq_simple(JQ_NONE);
	}
	entry = jq_entry_member(&machine->index, entry, name.at, name.n);
	return entry ? jq_entry_value(&machine->index, entry) : jq_simple(JQ_NONE);
}

struct jq_value jq_text_member(struct jq_machine *machine, struct jq_value object, struct xylem_span name)
{
	const struct json_entry *entry = jq_entry_of(machine, object);
	if (entry) {
		return entry_member(machine, object, entry, name);
	}
	struct jq_known *known = known_find(machine, object.at);
	if (known->members) {
		return member_noted(known, name);
	}
	if (known->at) {
		struct jq_object *made = known_object(machine, object);
		struct jq_value *place = made ? jq_object_place(made, name) : NULL;
		return place ? *place : jq_simple(JQ_NONE);
	}
	jq_spend(machine, object.n / 256);
	if (members_note(machine, object, known)) {
		return member_noted(known, name);
	}
	known->at = object.at;
	return member_scan(object, name);
}

/* --- Walks ------------------------------------------------------------------- */

struct jq_walk jq_walk_over(struct jq_machine *machine, struct jq_value container)
{
	struct jq_walk
		walk; /* each member by itself: all at once takes longer than the walk of a few elements */
	walk.array = NULL;
	walk.object = NULL;
	walk.places = NULL;
	walk.at = NULL;
	walk.index = 0;
	switch (container.kind) {
	case JQ_ARRAY:
		walk.array = container.array;
		break;
	case JQ_OBJECT:
		walk.object = container.object;
		break;
	case JQ_OBJECT_RAW:
		walk.object = known_object(machine, container);
		break;
	case JQ_ARRAY_RAW:
		walk.entry = jq_entry_of(machine, container);
		if (walk.entry) {
			walk.places = &machine->index;
			walk.entry_end = json_entry_next(walk.entry++);
		} else {
			walk.at = container.at + 1;
			walk.end = container.at + container.n;
		}
		break;
	default:
		break;
	}
	return walk;
}

static bool walk_text(struct jq_walk *walk)
{
	const char *at = walk->at ? next_read(walk->at, walk->end) : NULL;
	if (!at) {
		walk->at = NULL;
		return false;
	}
	walk->value = jq_text_value(at, walk->end, &walk->at);
	walk->key = jq_int((int64_t)walk->index++);
	return true;
}

static bool walk_members(struct jq_walk *walk)
{
	if (walk->index >= walk->object->n) {
		return false;
	}
	walk->key = walk->object->members[walk->index].key;
	walk->value = walk->object->members[walk->index++].value;
	return true;
}

bool jq_walk_next(struct jq_walk *walk)
{
	if (walk->places) {
		if (walk->entry == walk->entry_end) {
			return false;
		}
		walk->value = jq_entry_value(walk->places, walk->entry);
		walk->entry = json_entry_next(walk->entry);
		walk->key = jq_int((int64_t)walk->index++);
		return true;
	}
	if (walk->array) {
		if (walk->index >= walk->array->n) {
			return false;
		}
		walk->value = walk->array->items[walk->index];
		walk->key = jq_int((int64_t)walk->index++);
		return true;
	}
	return walk->object ? walk_members(walk) : walk_text(walk);
}

/* --- Making -------------------------------------------------------------------- */

/* The same of text whose values are known. */
static struct jq_value entries_made(
	struct jq_machine *machine, const struct jq_index *index, const struct json_entry *object)
{
	const struct json_entry *end = json_entry_next(object), *entry = object + 1;
	struct jq_value made = jq_object(machine, 0);
	size_t count = 0;
	for (; !jq_is_none(made) && entry < end; entry = json_entry_next(entry)) {
		made = jq_object_set(
			machine, made, jq_entry_name(index, entry), jq_entry_value(index, entry));
		count++;
	}
	return jq_spend(machine, count) ? made : jq_simple(JQ_NONE);
}

struct jq_value jq_object_made(struct jq_machine *machine, struct jq_value text)
{
	const struct json_entry *entry = jq_entry_of(machine, text);
	if (entry) {
		return entries_made(machine, &machine->index, entry);
	}
	struct jq_value made = jq_object(machine, 0), key, value;
	const char *at = text.at + 1, *end = text.at + text.n;
	size_t count = 0;
	while (!jq_is_none(made) && (at = next_read(at, end))) {
		at = name_read(at, end, &key);
		value = jq_text_value(at, end, &at);
		made = jq_object_set(machine, made, key, value);
		count++;
	}
	return jq_spend(machine, count) ? made : jq_simple(JQ_NONE);
}

struct jq_value jq_made(struct jq_machine *machine, struct jq_value value)
{
	if (value.kind == JQ_ARRAY_RAW) {
		return jq_array_made(machine, value);
	}
	if (value.kind == JQ_OBJECT_RAW) {
		struct jq_object *object = known_object(machine, value);
		return object ? jq_retain_counted((struct jq_value){ .kind = JQ_OBJECT, .object = object })
			      : jq_simple(JQ_NONE);
	}
	return value;
}

struct jq_value jq_owned(struct jq_machine *machine, struct jq_value value)
{
	switch (value.kind) {
	case JQ_ARRAY_RAW:
		return jq_array_made(machine, value);
	case JQ_OBJECT_RAW:
		return jq_object_made(machine, value);
	case JQ_ARRAY:
		if (value.array->count > 1) {
			struct jq_value copy = jq_array_copy(machine, value.array);
			jq_release_counted(machine, value);
			return copy;
		}
		return value;
	case JQ_OBJECT:
		if (value.object->count > 1) {
			struct jq_value copy = jq_object_copy(machine, value.object);
			jq_release_counted(machine, value);
			return copy;
		}
		return value;
	default:
		return value;
	}
}

static size_t raw_count(struct jq_machine *machine, struct jq_value array)
{
	const struct json_entry *entry = jq_entry_of(machine, array);
	if (entry) {
		return jq_entry_count(entry);
	}
	struct jq_walk walk = jq_walk_over(machine, array);
	while (jq_walk_next(&walk)) {
	}
	return walk.index;
}

size_t jq_count(struct jq_machine *machine, struct jq_value value)
{
	struct jq_object *object;
	switch (value.kind) {
	case JQ_STRING:
		return utf8_count(xylem_span(value.at, value.n));
	case JQ_STRING_RAW:
		return json_string_count(xylem_span(value.at, value.n));
	case JQ_ARRAY:
		return value.array->n;
	case JQ_ARRAY_RAW:
		jq_spend(machine, value.n / 64);
		return raw_count(machine, value);
	case JQ_OBJECT:
		return value.object->n;
	case JQ_OBJECT_RAW:
		object = known_object(machine, value);
		return object ? object->n : 0;
	default:
		return 0;
	}
}

size_t jq_depth_bound(struct jq_value value)
{
	switch (value.kind) {
	case JQ_ARRAY:
		return value.array->depth;
	case JQ_OBJECT:
		return value.object->depth;
	case JQ_ARRAY_RAW:
	case JQ_OBJECT_RAW:
		return value.n / 2 < JQ_TEXT_DEPTH ? value.n / 2 : JQ_TEXT_DEPTH;
	default:
		return 0;
	}
}

static size_t text_depth(struct xylem_span json)
{
	const char *at = json.at, *end = at + json.n;
	size_t depth = 0, most = 0;
	while ((at = scan_structure(at, end)) < end) {
		char c = *at++;
		if (c == '"') {
			at = scan_string(at, end);
		} else if ((c | 0x20) == '{') {
			depth++;
			most = depth > most ? depth : most;
		} else {
			depth--;
		}
	}
	return most;
}

bool jq_is_deeper(struct jq_value value, struct xylem_span json, size_t levels)
{
	return jq_depth_bound(value) > levels && text_depth(json) > levels;
}

size_t jq_depth_add(struct jq_machine *machine, struct jq_value item)
{
	size_t depth = jq_depth_bound(item) + 1;
	if (depth > JQ_VALUE_DEPTH) {
		jq_limit_reached(machine, JQ_LIMIT_NESTING);
		return 0;
	}
	return depth;
}
