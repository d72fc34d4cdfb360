/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values: their types, their counting, strings that were made.
 *
 * What nobody refers to any more is given back with all it holds, one after the
 * other from a list, since a value may be deeper than a stack. Within one run
 * only: a new run forgets everything.
 */
#include "json/string.h"
#include "json/utf8.h"

#include "jq/machine.h"
#include "jq/text.h"

enum xylem_json_type jq_type(struct jq_value value)
{
	static const uint8_t types[] = {
		[JQ_NONE] = XYLEM_JSON_NONE,
		[JQ_NULL] = XYLEM_JSON_NULL,
		[JQ_FALSE] = XYLEM_JSON_FALSE,
		[JQ_TRUE] = XYLEM_JSON_TRUE,
		[JQ_INT] = XYLEM_JSON_NUMBER,
		[JQ_DOUBLE] = XYLEM_JSON_NUMBER,
		[JQ_LITERAL] = XYLEM_JSON_NUMBER,
		[JQ_STRING] = XYLEM_JSON_STRING,
		[JQ_STRING_RAW] = XYLEM_JSON_STRING,
		[JQ_ARRAY] = XYLEM_JSON_ARRAY,
		[JQ_ARRAY_RAW] = XYLEM_JSON_ARRAY,
		[JQ_OBJECT] = XYLEM_JSON_OBJECT,
		[JQ_OBJECT_RAW] = XYLEM_JSON_OBJECT,
	};
	return types[value.kind];
}

const char *jq_type_name(struct jq_value value)
{
	return xylem_json_type_name(jq_type(value));
}

/* --- Strings ------------------------------------------------------------------- */

/* Stands before the bytes. */
struct head {
	uint32_t count;
	uint32_t room; /* for bytes */
};

static struct head *head_of(struct jq_value string)
{
	return (struct head *)(uintptr_t)(string.at - sizeof(struct head));
}

struct jq_value jq_string_room(struct jq_machine *machine, size_t n, char **ret_bytes)
{
	struct head *head = n > INT32_MAX ? NULL : jq_take(machine, sizeof(*head) + n);
	if (!head) {
		return jq_limit_reached(machine, JQ_LIMIT_MEMORY);
	}
	*head = (struct head){ .count = 1, .room = (uint32_t)n };
	*ret_bytes = (char *)(head + 1);
	return (struct jq_value){
		.kind = JQ_STRING, .flags = JQ_COUNTED, .n = (uint32_t)n, .at = (char *)(head + 1)
	};
}

struct jq_value jq_string(struct jq_machine *machine, struct xylem_span bytes)
{
	char *room = NULL;
	struct jq_value string = jq_string_room(machine, bytes.n, &room);
	if (!jq_is_none(string) && bytes.n) {
		memcpy(room, bytes.at, bytes.n);
	}
	return string;
}

struct jq_value jq_string_made(struct jq_machine *machine, struct jq_value string)
{
	if (string.kind != JQ_STRING_RAW) {
		return string;
	}
	char *at = NULL;
	struct jq_value made = jq_string_room(machine, string.n, &at); /* decoding never makes it longer */
	if (jq_is_none(made)) {
		return made;
	}
	const char *start = at;
	struct json_pieces pieces = json_pieces_over(xylem_span(string.at, string.n));
	while (json_pieces_next(&pieces)) {
		memcpy(at, pieces.piece.at, pieces.piece.n);
		at += pieces.piece.n;
	}
	made.n = (uint32_t)(at - start);
	return jq_spend(machine, string.n / 64) ? made : jq_simple(JQ_NONE);
}

struct xylem_span jq_string_bytes(struct jq_machine *machine, struct jq_value string)
{
	string = jq_string_made(machine, string);
	return jq_is_none(string) ? XYLEM_SPAN_LITERAL("") : xylem_span(string.at, string.n);
}

struct jq_value jq_string_append(struct jq_machine *machine, struct jq_value string, struct xylem_span bytes)
{
	size_t n = (size_t)string.n + bytes.n;
	if (jq_is_none(string) || bytes.n == 0) {
		return string;
	}
	struct head *head = string.flags & JQ_COUNTED ? head_of(string) : NULL;
	if (!head || head->count > 1 || head->room < n) {
		/* All of the size class that it falls into. */
		size_t room = 64;
		while (room < n + sizeof(*head)) {
			room *= 2;
		}
		char *at = NULL;
		struct jq_value grown = jq_string_room(machine, room - sizeof(*head), &at);
		if (jq_is_none(grown) || !jq_spend(machine, n / 64)) {
			return jq_simple(JQ_NONE);
		}
		if (string.n) {
			memcpy(at, string.at, string.n);
		}
		grown.n = string.n;
		jq_release(machine, string);
		string = grown;
	}
	memcpy((char *)(uintptr_t)string.at + string.n, bytes.at, bytes.n);
	string.n = (uint32_t)n;
	string.flags = JQ_COUNTED;
	return string;
}

/* --- Counting ------------------------------------------------------------------- */

struct jq_value jq_retain_counted(struct jq_value value)
{
	if (value.kind == JQ_ARRAY) {
		value.array->count++;
	} else if (value.kind == JQ_OBJECT) {
		value.object->count++;
	} else {
		head_of(value)->count++;
	}
	return value;
}

static void drop(struct jq_machine *machine, struct jq_value value)
{
	if (value.kind == JQ_ARRAY) {
		if (--value.array->count == 0) {
			value.array->next = machine->dead_arrays;
			machine->dead_arrays = value.array;
		}
	} else if (value.kind == JQ_OBJECT) {
		if (--value.object->count == 0) {
			value.object->next = machine->dead_objects;
			machine->dead_objects = value.object;
		}
	} else if (jq_is_counted(value) && --head_of(value)->count == 0) {
		struct head *head = head_of(value);
		jq_give(machine, head, sizeof(*head) + head->room);
	}
}

static void bury_array(struct jq_machine *machine, struct jq_array *array)
{
	for (uint32_t i = 0; i < array->n; i++) {
		if (jq_is_counted(array->items[i])) {
			drop(machine, array->items[i]);
		}
	}
	jq_give(machine, array->items, array->room * sizeof(*array->items));
	jq_give(machine, array, sizeof(*array));
}

static void bury_object(struct jq_machine *machine, struct jq_object *object)
{
	for (uint32_t i = 0; i < object->n; i++) {
		if (jq_is_counted(object->members[i].key)) {
			drop(machine, object->members[i].key);
		}
		if (jq_is_counted(object->members[i].value)) {
			drop(machine, object->members[i].value);
		}
	}
	jq_give(machine, object->members, object->room * sizeof(*object->members));
	jq_give(machine, object->slots, (size_t)object->room * 2 * sizeof(*object->slots));
	jq_give(machine, object, sizeof(*object));
}

void jq_release_counted(struct jq_machine *machine, struct jq_value value)
{
	drop(machine, value);
	while (machine->dead_arrays || machine->dead_objects) {
		struct jq_array *array = machine->dead_arrays;
		struct jq_object *object = machine->dead_objects;
		if (array) {
			machine->dead_arrays = array->next;
			bury_array(machine, array);
		} else {
			machine->dead_objects = object->next;
			bury_object(machine, object);
		}
	}
}
