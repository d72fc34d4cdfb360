/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `{a: .x, b: .y.z, ...}` over a text with notes: the members that the paths
 * begin with are found in one pass over the input's members, by a table of their
 * names that was made when the program was compiled. A name that comes twice is
 * found where it is last, since the pass goes on.
 */
#include "jq/evaluate.h"
#include "jq/index.h"

enum { PATHS_LEAST = 4 };

static uint32_t name_hash(const char *name, size_t n)
{
	if (n == 0) {
		return 0;
	}
	uint32_t first = (unsigned char)name[0], last = (unsigned char)name[n - 1],
		 before = (unsigned char)name[n > 1 ? n - 2 : 0];
	return (uint32_t)n * 0x9e3779b1u + first * 0x85ebca77u + before * 0xc2b2ae3du + last * 0x27d4eb2fu;
}

/* Where a name is, or would be. */
static struct jq_record_slot *slot_find(const struct jq_record *record, const char *name, size_t n)
{
	uint32_t at = name_hash(name, n) >> record->shift;
	struct jq_record_slot *slot = &record->slots[at];
	while (slot->name && (slot->n != n || !jq_same_bytes(slot->name, name, n))) {
		at = (at + 1) & record->mask;
		slot = &record->slots[at];
	}
	return slot;
}

/* --- When it is compiled ------------------------------------------------------- */

static bool begins_at_input(const struct jq_node *value)
{
	return value->fields && !value->fields->base;
}

static struct jq_record *record_new(struct jq_tree *tree, uint32_t values, uint32_t paths)
{
	struct jq_record *record = xylem_arena_zero(tree->arena, sizeof(*record));
	uint32_t bits = 1;
	while (1u << bits < paths * 2) {
		bits++;
	}
	if (record) {
		record->shift = 32 - bits;
		record->mask = (1u << bits) - 1;
		record->slots = xylem_arena_zero(tree->arena, sizeof(struct jq_record_slot) << bits);
		record->of = xylem_arena_take(tree->arena, values);
	}
	return record && record->slots && record->of ? record : NULL;
}

bool jq_record_make(struct jq_tree *tree, struct jq_node *node)
{
	uint32_t values = node->count / 2, paths = 0;
	for (uint32_t i = 0; i < values; i++) {
		paths += begins_at_input(node->list[i * 2 + 1]);
	}
	if (!node->optional || paths < PATHS_LEAST || paths > JQ_RECORD_NAMES) {
		return true;
	}
	struct jq_record *record = record_new(tree, values, paths);
	if (!record) {
		return jq_tree_fail(tree, NULL, 0, "out of memory");
	}
	for (uint32_t i = 0; i < values; i++) {
		const struct jq_node *value = node->list[i * 2 + 1];
		record->of[i] = JQ_RECORD_NAMES;
		if (begins_at_input(value)) {
			const struct jq_field *field = &value->fields->fields[0];
			struct jq_record_slot *slot = slot_find(record, field->name, field->n);
			if (!slot->name) {
				*slot = (struct jq_record_slot){ field->name, (uint32_t)field->n,
					record->n++ };
			}
			record->of[i] = (uint8_t)slot->index;
		}
	}
	node->record = record;
	return true;
}

/* --- When it is run -------------------------------------------------------------- */

static bool members_find(struct jq_machine *machine, const struct jq_record *record,
	const struct json_entry *object, const struct json_entry **found)
{
	const struct json_entry *end = json_entry_next(object);
	for (const struct json_entry *entry = object + 1; entry < end; entry = json_entry_next(entry)) {
		if (entry->name_n == JSON_NAME_ESCAPED) {
			return false; /* compared by the general way */
		}
		const char *name = machine->index.begin + entry->at - entry->name_back;
		struct jq_record_slot *slot = slot_find(record, name, entry->name_n);
		if (slot->name) {
			found[slot->index] = entry;
		}
	}
	return true;
}

const struct json_entry **jq_record_find(
	struct jq_machine *machine, const struct jq_record *record, struct jq_value input)
{
	const struct json_entry *object = input.kind == JQ_OBJECT_RAW ? jq_entry_of(machine, input) : NULL;
	size_t size = record->n * sizeof(struct json_entry *);
	const struct json_entry **found = object ? jq_take(machine, size) : NULL;
	if (!found) {
		return NULL;
	}
	memset(found, 0, size);
	machine->fuel -= json_entry_span(object) / 64;
	if (members_find(machine, record, object, found)) {
		return found;
	}
	jq_give(machine, found, size);
	return NULL;
}

void jq_record_give(
	struct jq_machine *machine, const struct jq_record *record, const struct json_entry **found)
{
	if (found) {
		jq_give(machine, found, record->n * sizeof(struct json_entry *));
	}
}
