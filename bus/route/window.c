/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window of a lane: a ring of entries in journal order, the chains of
 * their keys, and two lists, of what is ready and of what waits for a retry.
 * Every move of a unit is O(1), except that a retry is put in by its time.
 *
 * The rule not to break: of one key, nothing is READY or IN_FLIGHT behind
 * something unsettled, unless both are in one pick of a sink that applies in
 * sequence.
 */
#include <assert.h>
#include <stdlib.h>

#include <base/hash.h>
#include <route/window.h>

struct key {
	uint64_t hash;
	struct key *next; /* in the bucket, or among the spare ones */
	struct unit *head, *tail;
	bool held; /* by a case (`on_case: hold_key`) */
};

int window_init(struct window *window, size_t capacity, enum lane_order order, bool runs)
{
	*window = (struct window){ .capacity = capacity, .order = order, .runs = runs };
	window->bucket_count = 16;
	while (window->bucket_count < capacity) {
		window->bucket_count *= 2;
	}
	window->entries = calloc(capacity, sizeof(*window->entries));
	window->buckets = calloc(window->bucket_count, sizeof(*window->buckets));
	if (!window->entries || !window->buckets) {
		window_finish(window);
		return -XYLEM_E_MEMORY;
	}
	return 0;
}

/* --- Keys ----------------------------------------------------------------- */

static uint64_t key_hash(const struct window *window, struct xylem_span key)
{
	return window->order == LANE_ORDER_STRICT ? 0 : hash_bytes(key.at, key.n);
}

static struct key *key_find(const struct window *window, uint64_t hash)
{
	struct key *key = window->buckets[hash & (window->bucket_count - 1)];
	while (key && key->hash != hash) {
		key = key->next;
	}
	return key;
}

static struct key *key_get(struct window *window, uint64_t hash)
{
	struct key *key = key_find(window, hash);
	if (key) {
		return key;
	}
	key = window->spare_keys;
	if (key) {
		window->spare_keys = key->next;
	} else {
		key = malloc(sizeof(*key));
	}
	if (key) {
		struct key **bucket = &window->buckets[hash & (window->bucket_count - 1)];
		*key = (struct key){ .hash = hash, .next = *bucket };
		*bucket = key;
	}
	return key;
}

/* A key with nothing in its chain is forgotten, unless a case holds it. */
static void key_drop_if_idle(struct window *window, struct key *key)
{
	if (key->head || key->held) {
		return;
	}
	struct key **at = &window->buckets[key->hash & (window->bucket_count - 1)];
	while (*at != key) {
		at = &(*at)->next;
	}
	*at = key->next;
	key->next = window->spare_keys;
	window->spare_keys = key;
}

static void keys_free(struct key *key)
{
	while (key) {
		struct key *next = key->next;
		free(key);
		key = next;
	}
}

/* --- Lists ---------------------------------------------------------------- */

static void ready_push(struct window *window, struct unit *unit, bool to_back)
{
	assert(unit->state != UNIT_READY && unit->state != UNIT_WAITING);
	unit->state = UNIT_READY;
	unit->list_next = to_back ? NULL : window->ready_first;
	unit->list_previous = to_back ? window->ready_last : NULL;
	*(unit->list_previous ? &unit->list_previous->list_next : &window->ready_first) = unit;
	*(unit->list_next ? &unit->list_next->list_previous : &window->ready_last) = unit;
	window->ready++;
}

static void list_remove(struct unit **first, struct unit **last, struct unit *unit)
{
	*(unit->list_previous ? &unit->list_previous->list_next : first) = unit->list_next;
	*(unit->list_next ? &unit->list_next->list_previous : last) = unit->list_previous;
	unit->list_next = unit->list_previous = NULL;
}

static void ready_remove(struct window *window, struct unit *unit)
{
	list_remove(&window->ready_first, &window->ready_last, unit);
	unit->state = UNIT_CHAINED;
	window->ready--;
}

static void waiting_insert(struct window *window, struct unit *unit)
{
	struct unit *before = window->waiting_last;
	while (before && before->due_us > unit->due_us) {
		before = before->list_previous;
	}
	unit->list_previous = before;
	unit->list_next = before ? before->list_next : window->waiting_first;
	*(before ? &before->list_next : &window->waiting_first) = unit;
	*(unit->list_next ? &unit->list_next->list_previous : &window->waiting_last) = unit;
	window->waiting++;
}

/* --- Chains --------------------------------------------------------------- */

/* The head of a chain that nothing holds becomes ready. */
static void chain_wake(struct window *window, struct key *key, bool to_back)
{
	if (key->head && !key->held && key->head->state == UNIT_CHAINED) {
		ready_push(window, key->head, to_back);
	}
}

static void chain_append(struct window *window, struct key *key, struct unit *unit)
{
	unit->key = key;
	unit->chain_previous = key->tail;
	*(key->tail ? &key->tail->chain_next : &key->head) = unit;
	key->tail = unit;
	chain_wake(window, key, true);
}

static void chain_remove(struct window *window, struct unit *unit)
{
	struct key *key = unit->key;
	*(unit->chain_previous ? &unit->chain_previous->chain_next : &key->head) = unit->chain_next;
	*(unit->chain_next ? &unit->chain_next->chain_previous : &key->tail) = unit->chain_previous;
	unit->chain_next = unit->chain_previous = NULL;
	unit->key = NULL;
	chain_wake(window, key, true);
	key_drop_if_idle(window, key);
}

static void unit_add(
	struct window *window, struct entry *entry, struct unit *unit, const struct xylem_message *message)
{
	*unit = (struct unit){ .state = UNIT_CHAINED, .entry = entry, .message = message };
	bool ordered = window->order == LANE_ORDER_STRICT ||
		       (window->order == LANE_ORDER_KEY && xylem_span_present(message->key));
	/* A replay of a held key is what releases it: it goes past the chain. */
	if (ordered && entry->evaluated->original->kind == XYLEM_REPLAY &&
		window_key_held(window, message->key)) {
		ordered = false;
	}
	struct key *key = ordered ? key_get(window, key_hash(window, message->key)) : NULL;
	if (key) {
		chain_append(window, key, unit);
	} else {
		ready_push(window, unit, true);
	}
}

/* --- Entries -------------------------------------------------------------- */

size_t window_room(const struct window *window)
{
	return window->capacity - window->count;
}

struct entry *window_at(const struct window *window, size_t i)
{
	return i < window->count ? &window->entries[(window->head + i) % window->capacity] : NULL;
}

struct entry *window_first(const struct window *window)
{
	return window_at(window, 0);
}

static bool entry_units(struct window *window, struct entry *entry)
{
	size_t n = entry->evaluated->part_count;
	entry->units = n <= 1 ? &entry->first : calloc(n, sizeof(*entry->units));
	if (!entry->units) {
		return false;
	}
	entry->unit_count = entry->unsettled = n;
	for (size_t i = 0; i < n; i++) {
		unit_add(window, entry, &entry->units[i], &entry->evaluated->parts[i]);
	}
	return true;
}

struct entry *window_add(struct window *window, struct route_batch *batch, const struct evaluated *evaluated,
	const struct outcome_entry *settled)
{
	assert(window_room(window) > 0);
	struct entry *entry = &window->entries[(window->head + window->count) % window->capacity];
	*entry = (struct entry){ .position = evaluated->original->position, .evaluated = evaluated };
	if (settled) {
		entry->outcome = settled->outcome;
		entry->attempts = settled->attempts;
		entry->begun_us = settled->begun_us;
		entry->settled_us = settled->settled_us;
		entry->handle = settled->handle;
	} else if (evaluated->verdict == VERDICT_DELIVER && !entry_units(window, entry)) {
		return NULL;
	}
	entry->batch = route_batch_ref(batch);
	window->count++;
	window->unsettled += !settled;
	return entry;
}

static void entry_finish(struct entry *entry)
{
	if (entry->units != &entry->first) {
		free(entry->units);
	}
	route_batch_unref(entry->batch);
	*entry = (struct entry){ 0 };
}

void window_pop(struct window *window)
{
	struct entry *entry = window_first(window);
	assert(entry && window_settled(entry));
	entry_finish(entry);
	window->head = (window->head + 1) % window->capacity;
	window->count--;
}

void window_clear(struct window *window)
{
	assert(window->in_flight == 0);
	for (size_t i = 0; i < window->count; i++) {
		entry_finish(window_at(window, i));
	}
	for (size_t i = 0; i < window->bucket_count; i++) {
		for (struct key *key = window->buckets[i], *next; key; key = next) {
			next = key->next;
			key->head = key->tail = NULL;
			key_drop_if_idle(window, key);
		}
	}
	window->head = window->count = window->unsettled = 0;
	window->ready_first = window->ready_last = NULL;
	window->waiting_first = window->waiting_last = NULL;
	window->ready = window->waiting = 0;
}

void window_finish(struct window *window)
{
	if (window && window->entries && window->buckets) {
		window_clear(window);
		for (size_t i = 0; i < window->bucket_count; i++) {
			keys_free(window->buckets[i]);
		}
	}
	if (window) {
		keys_free(window->spare_keys);
		free(window->entries);
		free(window->buckets);
		*window = (struct window){ 0 };
	}
}

/* --- Moves ---------------------------------------------------------------- */

static void fly(struct window *window, struct unit *unit)
{
	if (unit->state == UNIT_READY) {
		ready_remove(window, unit);
	}
	unit->state = UNIT_IN_FLIGHT;
	window->in_flight++;
}

static void land(struct window *window, struct unit *unit)
{
	assert(unit->state == UNIT_IN_FLIGHT);
	unit->state = UNIT_CHAINED;
	window->in_flight--;
}

size_t window_pick(struct window *window, size_t count, size_t bytes, struct unit **ret_units)
{
	size_t n = 0, taken = 0;
	while (n < count && window->ready_first) {
		struct unit *unit = window->ready_first;
		if (n > 0 && taken + unit->message->data.n > bytes) {
			break;
		}
		do {
			taken += unit->message->data.n;
			fly(window, unit);
			ret_units[n++] = unit;
			unit = window->runs ? unit->chain_next : NULL;
		} while (unit && n < count && taken + unit->message->data.n <= bytes);
	}
	return n;
}

bool window_settle(struct window *window, struct unit *unit, enum outcome outcome, int64_t wall_us)
{
	struct entry *entry = unit->entry;
	if (unit->state == UNIT_IN_FLIGHT) {
		land(window, unit);
	} else if (unit->state == UNIT_READY) {
		ready_remove(window, unit);
	} else if (unit->state == UNIT_WAITING) {
		list_remove(&window->waiting_first, &window->waiting_last, unit);
		window->waiting--;
	}
	unit->state = UNIT_SETTLED;
	if (unit->key) {
		chain_remove(window, unit);
	}
	entry->attempts = unit->attempts > entry->attempts ? unit->attempts : entry->attempts;
	/* Of the parts of one message, the one that went worst speaks for it. */
	static const int rank[] = { [OUTCOME_FILTERED] = 1,
		[OUTCOME_DELIVERED] = 2,
		[OUTCOME_EXPIRED] = 3,
		[OUTCOME_DIVERTED] = 4,
		[OUTCOME_DISCARDED] = 5,
		[OUTCOME_HOSPITALISED] = 6,
		[OUTCOME_UNROUTED] = 0,
		[0] = 0 };
	if (rank[outcome] >= rank[entry->outcome]) {
		entry->outcome = outcome;
	}
	if (--entry->unsettled > 0) {
		return false;
	}
	entry->settled_us = wall_us;
	window->unsettled--;
	return true;
}

void window_settle_entry(struct window *window, struct entry *entry, enum outcome outcome, int64_t wall_us)
{
	assert(entry->unit_count == 0 && !entry->outcome);
	entry->outcome = outcome;
	entry->begun_us = entry->settled_us = wall_us;
	window->unsettled--;
}

void window_retry(struct window *window, struct unit *unit, int64_t due_us)
{
	land(window, unit);
	unit->state = UNIT_WAITING;
	unit->due_us = due_us;
	waiting_insert(window, unit);
}

void window_return(struct window *window, struct unit *unit, bool to_back)
{
	land(window, unit);
	if (!unit->key) {
		ready_push(window, unit, to_back);
	} else {
		/* Only the head of its chain is ready; what is behind it waits there. */
		chain_wake(window, unit->key, to_back);
	}
}

int64_t window_wake(struct window *window, int64_t mono_us)
{
	while (window->waiting_first && window->waiting_first->due_us <= mono_us) {
		struct unit *unit = window->waiting_first;
		list_remove(&window->waiting_first, &window->waiting_last, unit);
		window->waiting--;
		unit->state = UNIT_CHAINED;
		ready_push(window, unit, false);
	}
	return window->waiting_first ? window->waiting_first->due_us : INT64_MAX;
}

/* --- Held keys ------------------------------------------------------------ */

static void key_hold(struct window *window, struct key *key)
{
	if (key && !key->held) {
		key->held = true;
		window->blocked_keys++;
		if (key->head && key->head->state == UNIT_READY) {
			ready_remove(window, key->head);
		}
	}
}

void window_hold_key(struct window *window, struct unit *unit)
{
	key_hold(window, unit->key);
}

void window_hold_key_named(struct window *window, struct xylem_span key)
{
	key_hold(window, key_get(window, key_hash(window, key)));
}

void window_release_key(struct window *window, struct xylem_span name)
{
	struct key *key = key_find(window, key_hash(window, name));
	if (key && key->held) {
		key->held = false;
		window->blocked_keys--;
		chain_wake(window, key, false);
		key_drop_if_idle(window, key);
	}
}

bool window_key_held(const struct window *window, struct xylem_span name)
{
	struct key *key = xylem_span_present(name) ? key_find(window, key_hash(window, name)) : NULL;
	return key && key->held;
}
