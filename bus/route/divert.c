/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a destination turned away, on its way to another one.
 *
 *     lane: sink says `discarded` -> append a derived record -> settle as `diverted`
 *
 * The other destination gets it through a lane of its own, with its own order,
 * retries and hospital, so that it may be slow or dead without holding up the
 * one that turned the message away.
 *
 * The rule not to break: the record is on disk before the message is settled.
 * What was appended just before a crash is not settled yet; so a start scans
 * the journal, and what is found there is not offered to the first destination
 * again, which may take it this time.
 */
#include <route/divert.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/hash.h>

#define SCAN_COUNT 1024
#define SCAN_BYTES ((size_t)1024 * 1024)

/* By a hash of parent and id: 64 bits, keyed per process. */
struct known {
	uint64_t hash;
	struct xylem_position at;
};

struct divert {
	struct journal *journal;
	char lane[256];    /* ROUTE/DESTINATION that diverts */
	char ingress[264]; /* of the records */
	bool topic;
	struct known *known; /* by hash */
	size_t n, room;
};

/* --- The record ------------------------------------------------------------- */

static bool record_id(const struct divert *divert, const struct xylem_message *message,
	struct xylem_arena *arena, struct xylem_span *ret_id)
{
	char handle[XYLEM_HANDLE_SIZE];
	if (!divert->topic) {
		*ret_id = message->id;
		return true;
	}
	xylem_handle_format(message->position, handle);
	const char *lane = divert->lane;
	char *id = message->part ? xylem_arena_format(arena, "%s.%s.%u", handle, lane, message->part)
				 : xylem_arena_format(arena, "%s.%s", handle, lane);
	*ret_id = xylem_span_of(id);
	return id != NULL;
}

static int record_make(const struct divert *divert, const struct xylem_message *message,
	struct xylem_arena *arena, struct xylem_message *ret_record)
{
	struct xylem_message record = *message;
	record.kind = XYLEM_DERIVED;
	record.parent = message->position;
	record.part = 0;
	record.ingress = xylem_span_of(divert->ingress);
	if (!record_id(divert, message, arena, &record.id)) {
		return -XYLEM_E_MEMORY;
	}
	int error = xylem_message_set_attribute(
		&record, arena, XYLEM_SPAN_LITERAL(DIVERTED_FROM), xylem_span_of(divert->lane));
	if (!error && divert->topic) {
		error = xylem_message_set_attribute(
			&record, arena, XYLEM_SPAN_LITERAL("causationid"), message->id);
	}
	*ret_record = record;
	return error;
}

int divert_append(const struct divert *divert, const struct xylem_message *const *messages, size_t n,
	struct xylem_position *ret_positions)
{
	struct xylem_message *records = malloc(n * sizeof(*records));
	struct xylem_arena *arena = xylem_arena_new(0);
	int error = records && arena ? 0 : -XYLEM_E_MEMORY;
	for (size_t i = 0; i < n && !error; i++) {
		error = record_make(divert, messages[i], arena, &records[i]);
	}
	error = error ? error : journal_append_wait(divert->journal, records, n, true, ret_positions);
	xylem_arena_free(arena);
	free(records);
	return error;
}

/* --- What is diverted already ------------------------------------------------- */

static uint64_t known_hash(struct xylem_position parent, struct xylem_span id)
{
	return hash_bytes(id.at, id.n) ^ hash_bytes(&parent.offset, sizeof(parent.offset));
}

static int known_order(const void *a, const void *b)
{
	uint64_t x = ((const struct known *)a)->hash, y = ((const struct known *)b)->hash;
	return x < y ? -1 : x > y;
}

static int known_add(struct divert *divert, const struct xylem_message *record)
{
	if (divert->n == divert->room) {
		size_t room = divert->room ? divert->room * 2 : 64;
		struct known *known = realloc(divert->known, room * sizeof(*known));
		if (!known) {
			return -XYLEM_E_MEMORY;
		}
		divert->known = known;
		divert->room = room;
	}
	divert->known[divert->n++] = (struct known){ known_hash(record->parent, record->id),
		record->position };
	return 0;
}

static bool is_ours(const struct divert *divert, const struct xylem_message *record)
{
	return record->kind == XYLEM_DERIVED && xylem_span_is(record->ingress, divert->ingress) &&
	       xylem_span_is(
		       xylem_message_attribute(record, XYLEM_SPAN_LITERAL(DIVERTED_FROM)), divert->lane);
}

static int scan(struct divert *divert, struct xylem_position at)
{
	struct xylem_position begin = journal_begin(divert->journal), end = journal_end(divert->journal);
	at = at.offset < begin.offset ? begin : at;
	struct journal_batch *batch = journal_batch_new();
	int error = batch ? 0 : -XYLEM_E_MEMORY;
	while (!error && at.offset < end.offset) {
		error = journal_read(divert->journal, at, SCAN_COUNT, SCAN_BYTES, batch);
		bool gap = error == -XYLEM_E_DAMAGED; /* what was in it may be diverted twice */
		error = gap ? 0 : error;
		if (!error && !gap && batch->n == 0) {
			break;
		}
		for (size_t i = 0; !error && !gap && i < batch->n; i++) {
			error = is_ours(divert, &batch->messages[i]) ? known_add(divert, &batch->messages[i])
								     : 0;
		}
		at = batch->next;
	}
	journal_batch_free(batch);
	if (divert->n > 0) {
		qsort(divert->known, divert->n, sizeof(*divert->known), known_order);
	}
	return error;
}

bool divert_known(
	const struct divert *divert, const struct xylem_message *message, struct xylem_position *ret_at)
{
	if (divert->n == 0) {
		return false;
	}
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_span id;
	struct known *found = NULL;
	if (arena && record_id(divert, message, arena, &id)) {
		struct known sought = { .hash = known_hash(message->position, id) };
		found = bsearch(&sought, divert->known, divert->n, sizeof(sought), known_order);
	}
	if (found) {
		*ret_at = found->at;
	}
	xylem_arena_free(arena);
	return found != NULL;
}

/* --- Life ---------------------------------------------------------------------- */

int divert_new(struct divert **ret_divert, const struct divert_options *options)
{
	struct divert *divert = calloc(1, sizeof(*divert));
	if (!divert) {
		return -XYLEM_E_MEMORY;
	}
	divert->journal = options->journal;
	divert->topic = strncmp(options->otherwise, "topic:", 6) == 0;
	snprintf(divert->lane, sizeof(divert->lane), "%.126s/%.126s", options->route, options->destination);
	if (divert->topic) {
		snprintf(divert->ingress, sizeof(divert->ingress), "%.200s", options->otherwise);
	} else {
		snprintf(divert->ingress, sizeof(divert->ingress), "lane:%.126s/%.126s", options->route,
			options->otherwise);
	}
	int error = scan(divert, options->known_from);
	if (error) {
		divert_free(divert);
		return error;
	}
	*ret_divert = divert;
	return 0;
}

struct divert *divert_free(struct divert *divert)
{
	if (divert) {
		free(divert->known);
		free(divert);
	}
	return NULL;
}
