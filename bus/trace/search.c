/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding messages, newest first.
 *
 * The journal is read backwards in chunks of offsets, each chunk forward as it
 * lies on the disk. What matches by attributes and bytes is kept; for a chunk
 * with matches the lanes' outcomes of that span are read once, which fills in
 * what became of each message and drops those that the outcome filters refuse.
 * There is no index yet: the time bounds cut the span by the journal's own, and
 * a scan that meets its deadline says how far it got, so that the next page
 * goes on from there.
 *
 * The rule not to break: a page never holds the memory of more than its limit
 * and one chunk's matches, and never skips a message without saying so.
 */
#include "span.h"

#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <catalogue/column.h>

#define CHUNK_OFFSETS 512
#define READ_BYTES (1 << 20)
#define LIMIT_DEFAULT 50
#define LIMIT_MOST 1000

/* A message that matches by what the journal says of it. */
struct match {
	uint64_t offset;
	json_t *json;
	bool right; /* by what the lanes say of it, too */
};

struct search {
	struct journal *journal;
	struct catalogue *catalogue;
	const struct trace_filter *filter;
	size_t limit;
	struct xylem_position low, high; /* what is still to be read: [low, high) */
	uint64_t scanned;
	struct journal_batch *batch;
	json_t *messages;
	uint64_t last; /* offset of the last message of the page */

	struct match matches[CHUNK_OFFSETS];
	size_t count;
};

/* --- By what the journal says --------------------------------------------- */

static bool is(struct xylem_span value, const char *wanted)
{
	return !wanted || xylem_span_is(value, wanted);
}

static bool has(struct xylem_span value, struct xylem_span text)
{
	return value.n >= text.n && memmem(value.at, value.n, text.at, text.n) != NULL;
}

static bool has_text(const struct xylem_message *message, const char *wanted)
{
	if (!wanted || !*wanted) {
		return true;
	}
	struct xylem_span text = xylem_span_of(wanted);
	const struct xylem_span spans[] = { message->data, message->id, message->key, message->subject,
		message->source, message->type, message->time, message->ingress, message->datacontenttype,
		message->dataschema };
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		if (has(spans[i], text)) {
			return true;
		}
	}
	for (size_t i = 0; i < message->extension_count; i++) {
		if (has(message->extensions[i].value, text)) {
			return true;
		}
	}
	return false;
}

static bool matches(const struct trace_filter *filter, const struct xylem_message *message)
{
	int64_t time = message->journal_time_us;
	return is(message->id, filter->id) && is(message->key, filter->key) &&
	       is(message->source, filter->source) && is(message->type, filter->type) &&
	       is(message->ingress, filter->ingress) && (!filter->since_us || time >= filter->since_us) &&
	       (!filter->until_us || time < filter->until_us) && has_text(message, filter->text);
}

static json_t *message_json(const struct xylem_message *message)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "handle",
		position_json(message->position), "time", time_json(message->journal_time_us), "ingress",
		span_json(message->ingress), "id", span_json(message->id), "type", span_json(message->type),
		"source", span_json(message->source), "subject", span_json(message->subject), "key",
		span_json(message->key), "size", (json_int_t)message->data.n, "outcomes", json_object());
}

/* --- By what the lanes say ------------------------------------------------- */

static bool asks_lanes(const struct trace_filter *filter)
{
	return filter->route || filter->destination || filter->outcome;
}

static struct match *match_at(struct search *search, uint64_t offset)
{
	size_t low = 0, high = search->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (search->matches[middle].offset < offset) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < search->count && search->matches[low].offset == offset ? &search->matches[low] : NULL;
}

static void fill_in(void *context, const struct trace_lane *lane, const struct outcome_entry *entry)
{
	struct search *search = context;
	const struct trace_filter *filter = search->filter;
	struct match *match = match_at(search, entry->offset);
	if (!match) {
		return;
	}
	json_t *outcomes = json_object_get(match->json, "outcomes");
	json_object_set_new(outcomes, lane->name, json_string(outcome_name(entry->outcome)));
	if ((!filter->route || strcmp(lane->route, filter->route) == 0) &&
		(!filter->destination || strcmp(lane->destination, filter->destination) == 0) &&
		(!filter->outcome || (int)entry->outcome == filter->outcome)) {
		match->right = true;
	}
}

static int read_outcomes(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct search *search = context;
	struct trace_lanes lanes = { 0 };
	struct xylem_arena *arena = xylem_arena_new(0);
	int r = arena ? trace_lanes_load(database, arena, &lanes, reason) : -XYLEM_E_MEMORY;
	if (r == 0) {
		r = trace_outcomes(database, &lanes, search->high.partition, search->matches[0].offset,
			search->matches[search->count - 1].offset + 1, fill_in, search, reason);
	}
	xylem_arena_free(arena);
	return r;
}

/* --- Chunks --------------------------------------------------------------- */

static int keep(struct search *search, const struct xylem_message *message)
{
	json_t *json = message_json(message);
	if (!json || search->count == CHUNK_OFFSETS) {
		json_decref(json);
		return -XYLEM_E_MEMORY;
	}
	search->matches[search->count++] = (struct match){ message->position.offset, json,
		!asks_lanes(search->filter) };
	return 0;
}

/* Reads [from, high) forward. Quarantined records are passed over: recovery has named them. */
static int read_chunk(struct search *search, struct xylem_position from)
{
	struct xylem_position at = from;
	while (at.offset < search->high.offset) {
		int r = journal_read(search->journal, at, CHUNK_OFFSETS, READ_BYTES, search->batch);
		bool passed = (r == -XYLEM_E_DAMAGED || r == -XYLEM_E_GONE) &&
			      search->batch->next.offset > at.offset;
		if (r < 0 && !passed) {
			return r;
		}
		if (r == 0 && search->batch->n == 0) {
			return 0;
		}
		for (size_t i = 0; r == 0 && i < search->batch->n; i++) {
			const struct xylem_message *message = &search->batch->messages[i];
			if (message->position.offset >= search->high.offset) {
				return 0;
			}
			search->scanned++;
			if (matches(search->filter, message) && keep(search, message) < 0) {
				return -XYLEM_E_MEMORY;
			}
		}
		at = search->batch->next;
	}
	return 0;
}

/* Hands the matches of a chunk to the page, newest first, as far as it takes them. */
static int take(struct search *search)
{
	int r = 0;
	while (search->count > 0) {
		struct match *match = &search->matches[--search->count];
		bool wanted = match->right && json_array_size(search->messages) < search->limit;
		if (!wanted) {
			json_decref(match->json);
		} else if (json_array_append_new(search->messages, match->json) < 0) {
			r = -XYLEM_E_MEMORY;
		} else {
			search->last = match->offset;
		}
	}
	return r;
}

static int scan_chunk(struct search *search, struct xylem_reason *reason)
{
	struct xylem_position from = search->low;
	if (search->high.offset - search->low.offset > CHUNK_OFFSETS) {
		from.offset = search->high.offset - CHUNK_OFFSETS;
	}
	int r = read_chunk(search, from);
	if (r < 0) {
		xylem_reason_set(reason, "reading the journal: %s", xylem_error_row(r)->text);
	} else if (search->count > 0) {
		r = catalogue_read(search->catalogue, read_outcomes, search, reason);
	}
	int taken = take(search);
	search->high = from;
	return r < 0 ? r : taken;
}

static int scan(struct search *search, struct xylem_reason *reason)
{
	int64_t deadline = search->filter->deadline_mono_us;
	int r = 0;
	while (r == 0 && search->high.offset > search->low.offset &&
		json_array_size(search->messages) < search->limit) {
		r = scan_chunk(search, reason);
		if (deadline && clock_mono_us() >= deadline) {
			break;
		}
	}
	return r;
}

/* --- The page ------------------------------------------------------------- */

static void bound(struct search *search)
{
	const struct trace_filter *filter = search->filter;
	search->low = journal_begin(search->journal);
	search->high = journal_end(search->journal);
	if (filter->before.offset > 0 && filter->before.offset < search->high.offset) {
		search->high = filter->before;
	}
	if (filter->since_us > 0) {
		struct xylem_position at = journal_seek_time(search->journal, filter->since_us);
		search->low = at.offset > search->low.offset ? at : search->low;
	}
	if (filter->until_us > 0) {
		struct xylem_position at = journal_seek_time(search->journal, filter->until_us);
		search->high = at.offset < search->high.offset ? at : search->high;
	}
}

/* A full page goes on below its last message, one that met the deadline below what was read. */
static json_t *page_json(struct search *search)
{
	bool full = json_array_size(search->messages) == search->limit;
	struct xylem_position next = search->high;
	next.offset = full ? search->last : next.offset;
	bool complete = next.offset <= search->low.offset;
	return json_pack("{s:O, s:o, s:I, s:b}", "messages", search->messages, "next",
		complete ? json_null() : position_json(next), "scanned", (json_int_t)search->scanned,
		"complete", complete);
}

int trace_search(struct journal *journal, struct catalogue *catalogue, const struct trace_filter *filter,
	json_t **ret_page, struct xylem_reason *reason)
{
	struct search *search = calloc(1, sizeof(*search));
	if (!search) {
		return -XYLEM_E_MEMORY;
	}
	search->journal = journal;
	search->catalogue = catalogue;
	search->filter = filter;
	search->limit = filter->limit == 0           ? LIMIT_DEFAULT
			: filter->limit < LIMIT_MOST ? filter->limit
						     : LIMIT_MOST;
	search->batch = journal_batch_new();
	search->messages = json_array();
	int r = search->batch && search->messages ? 0 : -XYLEM_E_MEMORY;
	if (r == 0) {
		bound(search);
		r = scan(search, reason);
	}
	json_t *page = r < 0 ? NULL : page_json(search);
	journal_batch_free(search->batch);
	json_decref(search->messages);
	free(search);
	if (page) {
		*ret_page = page;
	}
	return r < 0 ? r : page ? 0 : -XYLEM_E_MEMORY;
}
