/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that a run is about is read once, when it is checked: where its
 * values stand is noted, and members are found, elements gone through and values
 * passed over by these notes.
 *
 * The notes are a convenience: without them (a text too large, a second text,
 * `fromjson`) the text is scanned again where somebody looks (text.c), with
 * the same results. They lie in the memory of the run, and count there.
 */
#include "json/check.h"
#include "json/string.h"

#include "jq/index.h"

enum { PART = 16 }; /* of the memory that a run may use, at most for notes */

int jq_index_check(
	struct jq_machine *machine, struct xylem_span text, size_t depth, struct xylem_reason *reason)
{
	size_t most = json_index_most(text.n), size = most * sizeof(struct json_entry), count = 0;
	bool fits = text.n <= JSON_INDEXED && size <= machine->memory.limit / PART;
	struct json_entry *entries = fits && !machine->index.entries ? jq_take(machine, size) : NULL;
	if (!entries) {
		return json_check_within(text, depth, NULL, reason);
	}
	int error = json_check_indexed(text, depth, entries, &count, reason);
	if (error < 0 || count == 0) {
		jq_give(machine, entries, size);
		return error;
	}
	jq_take_less(machine, entries, size, count * sizeof(struct json_entry));
	machine->index = (struct jq_index){ text.at, text.n, entries, (uint32_t)count };
	return 0;
}

const struct json_entry *jq_entry_far(const struct jq_index *index, uint16_t spare, size_t at)
{
	/* Every 65536th entry, in the order of the text. */
	size_t low = 0, high = (index->count + UINT16_MAX - spare) / (UINT16_MAX + 1);
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct json_entry *entry = &index->entries[middle * (UINT16_MAX + 1) + spare];
		if (entry->at == at) {
			return entry;
		}
		if (entry->at < at) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return NULL;
}

bool jq_entry_escaped_is(const struct jq_index *index, const struct json_entry *entry, struct xylem_span name)
{
	struct jq_value key = jq_entry_name(index, entry);
	return xylem_json_string_equals(xylem_span(key.at, key.n), name);
}

size_t jq_entry_count(const struct json_entry *container)
{
	const struct json_entry *end = json_entry_next(container);
	size_t count = 0;
	for (const struct json_entry *entry = container + 1; entry < end; entry = json_entry_next(entry)) {
		count++;
	}
	return count;
}
