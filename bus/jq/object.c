/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that were made: members in the order of their insertion (a name that
 * comes again changes the value and keeps the place), found by a search of all
 * up to JQ_MEMBERS_SEARCHED and by open addressing above.
 *
 * The hash is seeded once a process, so that nobody outside can make all names
 * of an object collide.
 */
#include <pthread.h>
#include <sys/random.h>

#include "jq/machine.h"
#include "jq/text.h"

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void seed_make(void)
{
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed)) {
		seed = (uint64_t)(uintptr_t)&seed * 0x9e3779b97f4a7c15u;
	}
}

/* Multiply and fold, eight bytes at a time (after wyhash, W. Yi). */
static uint32_t name_hash(struct xylem_span name)
{
	pthread_once(&seed_once, seed_make);
	uint64_t hash = seed ^ name.n;
	const char *at = name.at;
	size_t n = name.n;
	while (n > 0) {
		uint64_t word = 0;
		size_t step = n < 8 ? n : 8;
		memcpy(&word, at, step);
		__uint128_t product = (__uint128_t)(hash ^ word ^ 0xa0761d6478bd642fu) * 0xe7037ed1a0b428dbu;
		hash = (uint64_t)product ^ (uint64_t)(product >> 64);
		at += step;
		n -= step;
	}
	return (uint32_t)(hash ^ hash >> 32);
}

static bool same_name(struct jq_value key, struct xylem_span name)
{
	return key.n == name.n && memcmp(key.at, name.at, name.n) == 0;
}

struct jq_value jq_object(struct jq_machine *machine, size_t room)
{
	struct jq_object *object = jq_take(machine, sizeof(*object));
	if (!object) {
		return jq_simple(JQ_NONE);
	}
	*object = (struct jq_object){ .count = 1, .depth = 1 };
	if (room > 0) {
		object->members = jq_take(machine, room * sizeof(struct jq_member));
		object->room = (uint32_t)room;
		if (!object->members) {
			return jq_simple(JQ_NONE);
		}
	}
	return (struct jq_value){ .kind = JQ_OBJECT, .object = object };
}

/* The slot of a name: where it is, or where it would be. */
static uint32_t *slot_find(const struct jq_object *object, struct xylem_span name)
{
	uint32_t mask = object->room * 2 - 1, at = name_hash(name) & mask;
	while (object->slots[at] && !same_name(object->members[object->slots[at] - 1].key, name)) {
		at = (at + 1) & mask;
	}
	return &object->slots[at];
}

static uint32_t member_index(const struct jq_object *object, struct xylem_span name)
{
	if (object->slots) {
		return *slot_find(object, name) - 1;
	}
	for (uint32_t i = 0; i < object->n; i++) {
		if (same_name(object->members[i].key, name)) {
			return i;
		}
	}
	return UINT32_MAX;
}

struct jq_value *jq_object_place(struct jq_object *object, struct xylem_span name)
{
	uint32_t index = member_index(object, name);
	return index == UINT32_MAX ? NULL : &object->members[index].value;
}

static void slots_fill(struct jq_object *object)
{
	memset(object->slots, 0, (size_t)object->room * 2 * sizeof(*object->slots));
	for (uint32_t i = 0; i < object->n; i++) {
		*slot_find(object, xylem_span(object->members[i].key.at, object->members[i].key.n)) = i + 1;
	}
}

static bool object_grow(struct jq_machine *machine, struct jq_object *object, size_t least)
{
	size_t room = 4;
	while (room < least) {
		room *= 2;
	}
	struct jq_member *members = room > UINT32_MAX / 4 ? NULL : jq_take(machine, room * sizeof(*members));
	uint32_t *slots = NULL;
	if (members && room > JQ_MEMBERS_SEARCHED) {
		slots = jq_take(machine, room * 2 * sizeof(*slots));
	}
	if (!members || (room > JQ_MEMBERS_SEARCHED && !slots)) {
		jq_limit_reached(machine, JQ_LIMIT_MEMORY);
		return false;
	}
	if (object->n) {
		memcpy(members, object->members, object->n * sizeof(*members));
	}
	jq_give(machine, object->members, object->room * sizeof(*members));
	jq_give(machine, object->slots, (size_t)object->room * 2 * sizeof(*slots));
	object->members = members;
	object->slots = slots;
	object->room = (uint32_t)room;
	if (slots) {
		slots_fill(object);
	}
	return true;
}

/* Slots for an object that has grown beyond what is searched. */
static bool object_index(struct jq_machine *machine, struct jq_object *object)
{
	return object->slots || object->n <= JQ_MEMBERS_SEARCHED ||
	       object_grow(machine, object, (size_t)object->n + 1);
}

static bool member_add(
	struct jq_machine *machine, struct jq_object *object, struct jq_value key, struct jq_value item)
{
	if (object->n == object->room && !object_grow(machine, object, (size_t)object->n + 1)) {
		return false;
	}
	object->members[object->n++] = (struct jq_member){ key, item };
	if (object->slots) {
		*slot_find(object, xylem_span(key.at, key.n)) = object->n;
	}
	return true;
}

struct jq_value jq_object_set(
	struct jq_machine *machine, struct jq_value value, struct jq_value key, struct jq_value item)
{
	value = jq_owned(machine, value);
	key = jq_string_made(machine, key);
	if (jq_is_none(value) || jq_is_none(key) || jq_is_none(item)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_object *object = value.object;
	if (item.kind >= JQ_ARRAY) {
		size_t depth = jq_depth_add(machine, item);
		if (depth == 0) {
			return jq_simple(JQ_NONE);
		}
		object->depth = object->depth < depth ? (uint16_t)depth : object->depth;
	}
	if (!object_index(machine, object)) {
		return jq_simple(JQ_NONE);
	}
	struct jq_value *place = jq_object_place(object, xylem_span(key.at, key.n));
	if (place) {
		jq_release(machine, *place);
		jq_release(machine, key);
		*place = item;
		return value;
	}
	return member_add(machine, object, key, item) ? value : jq_simple(JQ_NONE);
}

struct jq_value jq_object_add(
	struct jq_machine *machine, struct jq_value value, struct jq_value key, struct jq_value item)
{
	struct jq_object *object = value.object;
	if (item.kind >= JQ_ARRAY) {
		size_t depth = jq_depth_add(machine, item);
		if (depth == 0) {
			return jq_simple(JQ_NONE);
		}
		object->depth = object->depth < depth ? (uint16_t)depth : object->depth;
	}
	object->members[object->n++] = (struct jq_member){ key, item };
	return value;
}

struct jq_value jq_object_get(struct jq_machine *machine, struct jq_value object, struct xylem_span name)
{
	if (object.kind == JQ_OBJECT_RAW) {
		return jq_text_member(machine, object, name);
	}
	struct jq_value *place = jq_object_place(object.object, name);
	return place ? *place : jq_simple(JQ_NONE);
}

struct jq_value jq_object_remove(struct jq_machine *machine, struct jq_value value, struct xylem_span name)
{
	value = jq_owned(machine, value);
	if (jq_is_none(value)) {
		return value;
	}
	struct jq_object *object = value.object;
	uint32_t index = member_index(object, name);
	if (index == UINT32_MAX) {
		return value;
	}
	jq_release(machine, object->members[index].key);
	jq_release(machine, object->members[index].value);
	object->n--;
	memmove(&object->members[index], &object->members[index + 1],
		(object->n - index) * sizeof(*object->members));
	if (object->slots) {
		slots_fill(object);
	}
	return jq_spend(machine, object->n / 16) ? value : jq_simple(JQ_NONE);
}

struct jq_value jq_object_copy(struct jq_machine *machine, const struct jq_object *object)
{
	struct jq_value copy = jq_object(machine, 0);
	if (jq_is_none(copy) || (object->room && !object_grow(machine, copy.object, object->room))) {
		return jq_simple(JQ_NONE);
	}
	for (uint32_t i = 0; i < object->n; i++) {
		copy.object->members[i].key = jq_retain(object->members[i].key);
		copy.object->members[i].value = jq_retain(object->members[i].value);
	}
	copy.object->n = object->n;
	copy.object->depth = object->depth;
	if (copy.object->slots) {
		memcpy(copy.object->slots, object->slots, (size_t)object->room * 2 * sizeof(*object->slots));
	}
	return jq_spend(machine, object->n / 16) ? copy : jq_simple(JQ_NONE);
}
