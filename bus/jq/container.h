/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_CONTAINER_H
#define JQ_CONTAINER_H

#include "jq/value.h"

/* What arrays and objects are made of, for this room alone. */

struct jq_array {
	uint32_t count; /* references; a hint */
	uint16_t depth; /* levels of containers in it, at most */
	uint16_t mark;
	uint32_t n, room;
	struct jq_value *items;
	struct jq_array *next; /* while it waits to be given back */
};

struct jq_member {
	struct jq_value key; /* a STRING */
	struct jq_value value;
};

struct jq_object {
	uint32_t count;
	uint16_t depth;
	uint16_t mark;
	uint32_t n, room;          /* room: a power of two, or 0 */
	struct jq_member *members; /* in order of insertion */
	uint32_t *slots; /* by hash, twice as many as room; index + 1. Only above MEMBERS_SEARCHED */
	struct jq_object *next;
};

enum {
	JQ_MEMBERS_SEARCHED = 8,              /* up to so many a search of all is quicker than a hash */
	JQ_VALUE_DEPTH = 256,                 /* containers within containers */
	JQ_TEXT_DEPTH = XYLEM_JSON_DEPTH - 1, /* of text that is read: an event's data, `fromjson` */
};

/* Elements or members as they were made from text or constructors: an ARRAY or OBJECT. Consumes; NONE on a limit. */
struct jq_value jq_made(struct jq_machine *machine, struct jq_value value);
/* The same, with the only reference to it, to be changed in place. Consumes. */
struct jq_value jq_owned(struct jq_machine *machine, struct jq_value value);

/* Consumes both; the index is within the array or one past its end. */
struct jq_value jq_array_put(
	struct jq_machine *machine, struct jq_value array, size_t index, struct jq_value item);
/* Puts the elements of an array in the place of those from..to. Consumes both. */
struct jq_value jq_array_splice(
	struct jq_machine *machine, struct jq_value array, size_t from, size_t to, struct jq_value items);
struct jq_value jq_array_slice(struct jq_machine *machine, struct jq_value array, size_t from, size_t to);
/* Adds a member of a new name to an owned object that was made with room for it. Consumes. */
struct jq_value jq_object_add(
	struct jq_machine *machine, struct jq_value object, struct jq_value key, struct jq_value item);
/* Consumes `array`. Without member: as it was. */
struct jq_value jq_object_remove(struct jq_machine *machine, struct jq_value object, struct xylem_span name);
/* The place of a member's value in an owned object; NULL if there is none. */
struct jq_value *jq_object_place(struct jq_object *object, struct xylem_span name);

/* Levels of containers in a value: 0 for others; for text an upper bound. */
size_t jq_depth_bound(struct jq_value value);

/* Members in the order of their names, to be given back; NULL on a limit. */
const struct jq_member **jq_members_sorted(struct jq_machine *machine, const struct jq_object *object);
void jq_members_give(
	struct jq_machine *machine, const struct jq_member **members, const struct jq_object *object);

/* A string as STRING; borrowed where it can be. NONE on a limit. */
struct jq_value jq_string_made(struct jq_machine *machine, struct jq_value string);

#endif
