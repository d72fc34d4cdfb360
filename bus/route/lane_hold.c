/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that a lane holds because of a case (`on_case: hold_key`). The open
 * cases are the truth: a start holds their keys, and a look now and then
 * releases those whose case is resolved or discarded.
 */
#include <stdlib.h>

#include <route/lane_body.h>
#include <xylem/log.h>

bool lane_holds_keys(const struct lane *lane)
{
	return lane->plan.options->on_case == LANE_ON_CASE_HOLD_KEY;
}

bool lane_note_held(struct lane *lane, struct xylem_span key)
{
	if (!xylem_span_present(key) || window_key_held(&lane->window, key)) {
		return true;
	}
	char **keys = realloc(lane->held_keys, (lane->held_count + 1) * sizeof(*keys));
	if (!keys) {
		return false;
	}
	lane->held_keys = keys;
	char *copy = strndup(key.at, key.n);
	if (!copy) {
		return false;
	}
	lane->held_keys[lane->held_count++] = copy;
	return true;
}

static void hold(void *context, struct xylem_span key)
{
	struct lane *lane = context;
	if (lane_note_held(lane, key)) {
		window_hold_key_named(&lane->window, key);
	}
}

void lane_held_load(struct lane *lane)
{
	struct xylem_reason reason = { "" };
	if (lane_holds_keys(lane) && hospital_open_keys(lane->services->hospital, lane->record.route,
					     lane->record.destination, hold, lane, &reason) != 0) {
		xylem_log(XYLEM_LOG_ERROR, "lane", "%s: which keys its cases hold cannot be read: %s",
			lane->name, reason.text);
	}
}

void lane_held_forget(struct lane *lane)
{
	for (size_t i = 0; i < lane->held_count; i++) {
		free(lane->held_keys[i]);
	}
	free(lane->held_keys);
	lane->held_keys = NULL;
	lane->held_count = 0;
}

struct open_keys {
	struct xylem_arena *arena;
	struct xylem_span *keys;
	size_t n, room;
	bool failed;
};

static void collect(void *context, struct xylem_span key)
{
	struct open_keys *open = context;
	if (open->n == open->room) {
		size_t room = open->room ? open->room * 2 : 64;
		struct xylem_span *keys = realloc(open->keys, room * sizeof(*keys));
		if (!keys) {
			open->failed = true;
			return;
		}
		open->keys = keys;
		open->room = room;
	}
	open->keys[open->n] = xylem_arena_copy(open->arena, key);
	open->failed = open->failed || !open->keys[open->n].at;
	open->n++;
}

static bool is_open(const struct open_keys *open, const char *key)
{
	for (size_t i = 0; i < open->n; i++) {
		if (xylem_span_is(open->keys[i], key)) {
			return true;
		}
	}
	return false;
}

static void release_closed(struct lane *lane, const struct open_keys *open)
{
	size_t kept = 0;
	for (size_t i = 0; i < lane->held_count; i++) {
		char *key = lane->held_keys[i];
		if (is_open(open, key)) {
			lane->held_keys[kept++] = key;
		} else {
			window_release_key(&lane->window, xylem_span_of(key));
			free(key);
		}
	}
	lane->held_count = kept;
}

/* Cases that are not committed yet are not among the open ones: then it is no time to look. */
static bool settled(const struct lane *lane)
{
	return lane->case_count == 0 && !lane->committing && !lane->refused;
}

void lane_held_refresh(struct lane *lane)
{
	struct open_keys open = { .arena = xylem_arena_new(0) };
	struct xylem_reason reason;
	pthread_mutex_lock(&lane->lock);
	bool look = open.arena && lane->worker_count > 0 && lane->held_count > 0 && settled(lane);
	uint64_t cases = lane->counters.hospitalised;
	pthread_mutex_unlock(&lane->lock);
	if (look &&
		hospital_open_keys(lane->services->hospital, lane->record.route, lane->record.destination,
			collect, &open, &reason) == 0 &&
		!open.failed) {
		pthread_mutex_lock(&lane->lock);
		if (settled(lane) && cases == lane->counters.hospitalised) {
			release_closed(lane, &open);
			lane_wake(lane);
		}
		pthread_mutex_unlock(&lane->lock);
	}
	free(open.keys);
	xylem_arena_free(open.arena);
}
