/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscribers that cannot be reached any more. What comes back for notifications
 * as an error that time does not mend (the account is gone, somebody blocks the bus)
 * is noted for the address, with the time of the first. After a day of nothing
 * but that, its subscriptions end, and the log and a counter say so. Any good sign
 * takes the note away: a stanza from the address, or ten minutes without an error
 * after an item was sent. Ten minutes, since other servers' errors come late, when
 * our own has long confirmed the item.
 *
 * The rule not to break: an error counts for the address it came from and no
 * other, so that nobody can end somebody else's subscription.
 *
 * What it does not do: it sends nothing again. Errors of a time (`wait`, an
 * unreachable server) change nothing here; the subscriber catches up by retrieving.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/jid.h>
#include <metrics/metrics.h>
#include <topic/state.h>
#include <xylem/log.h>

#define REFUSALS_MOST 10000U
#define PATIENCE_US (INT64_C(24) * 3600 * 1000000)
#define SILENCE_US (INT64_C(10) * 60 * 1000000)

struct refusal {
	char *jid; /* as the errors had it: bare or full */
	int64_t first_us;
	int64_t sent_us; /* when an item was sent for which no error came yet; 0: none */
};
/* Sorted by address. */
struct refusals {
	struct refusal *items;
	size_t n, room;
};

/* --- The list, under the lock ----------------------------------------------- */

static size_t place(const struct refusals *refusals, const char *jid)
{
	size_t low = 0, high = refusals->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(refusals->items[middle].jid, jid) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static struct refusal *find(const struct topics *topics, const char *jid)
{
	const struct refusals *refusals = topics->refusals;
	size_t at = refusals == NULL ? 0 : place(refusals, jid);
	bool found = refusals != NULL && at < refusals->n && strcmp(refusals->items[at].jid, jid) == 0;
	return found ? &refusals->items[at] : NULL;
}

static struct refusals *list_of(struct topics *topics)
{
	if (topics->refusals == NULL) {
		topics->refusals = calloc(1, sizeof(*topics->refusals));
	}
	return topics->refusals;
}

static bool grow(struct refusals *refusals)
{
	if (refusals->n < refusals->room) {
		return true;
	}
	size_t room = refusals->room == 0 ? 16 : refusals->room * 2;
	struct refusal *items = realloc(refusals->items, room * sizeof(*items));
	if (items == NULL) {
		return false;
	}
	refusals->items = items;
	refusals->room = room;
	return true;
}

static bool put_in(struct topics *topics, const char *jid, int64_t first_us)
{
	struct refusals *refusals = list_of(topics);
	char *copy = refusals == NULL || refusals->n >= REFUSALS_MOST || !grow(refusals) ? NULL : strdup(jid);
	if (copy == NULL) {
		return false;
	}
	size_t at = place(refusals, jid);
	memmove(refusals->items + at + 1, refusals->items + at,
		(refusals->n - at) * sizeof(*refusals->items));
	refusals->items[at] = (struct refusal){ .jid = copy, .first_us = first_us };
	atomic_store(&topics->refusing, ++refusals->n);
	return true;
}

static void take_out(struct topics *topics, struct refusal *refusal)
{
	struct refusals *refusals = topics->refusals;
	size_t at = (size_t)(refusal - refusals->items);
	free(refusal->jid);
	atomic_store(&topics->refusing, --refusals->n);
	memmove(refusals->items + at, refusals->items + at + 1,
		(refusals->n - at) * sizeof(*refusals->items));
}

void refusals_finish(struct topics *topics)
{
	while (topics->refusals != NULL && topics->refusals->n > 0) {
		take_out(topics, &topics->refusals->items[topics->refusals->n - 1]);
	}
	if (topics->refusals != NULL) {
		free(topics->refusals->items);
		free(topics->refusals);
		topics->refusals = NULL;
	}
}

/* --- The catalogue ---------------------------------------------------------- */

static int load(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct topics *topics = context;
	sqlite3_stmt *statement = catalogue_statement(
		database, "SELECT jid, first_us FROM subscriber_refusals", reason);
	int step = statement == NULL ? -XYLEM_E_IO : 1;
	while (step == 1 && (step = catalogue_step_row(database, statement, reason)) == 1) {
		const char *jid = (const char *)sqlite3_column_text(statement, 0);
		if (jid == NULL || !put_in(topics, jid, sqlite3_column_int64(statement, 1))) {
			xylem_reason_set(reason, "topics: out of memory");
			return -XYLEM_E_MEMORY;
		}
	}
	return step;
}

int refusals_load(struct topics *topics, struct xylem_reason *reason)
{
	return catalogue_read(topics->bus.catalogue, load, topics, reason);
}

static int write_noted(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database,
		"INSERT INTO subscriber_refusals (jid, first_us, condition) VALUES (?1, ?2, ?3) "
		"ON CONFLICT DO UPDATE SET first_us = ?2, condition = ?3",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, change->jid, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, change->time_us);
	sqlite3_bind_text(statement, 3, change->text, -1, SQLITE_STATIC);
	return catalogue_step_done(database, statement, reason);
}

static int write_cleared(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(
		database, "DELETE FROM subscriber_refusals WHERE jid = ?1", reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, change->jid, -1, SQLITE_STATIC);
	return catalogue_step_done(database, statement, reason);
}

/* What memory knows is written when the catalogue comes to it; a crash before forgets one error. */
static void save(struct topics *topics, const char *jid, const char *condition, int64_t first_us)
{
	struct change *change = change_new(topics, "", jid);
	if (change == NULL) {
		return;
	}
	change->write = condition != NULL ? write_noted : write_cleared;
	change->text = condition == NULL ? NULL : xylem_arena_text(change->arena, xylem_span_of(condition));
	change->time_us = first_us;
	(void)change_submit(change);
}

/* --- Errors ------------------------------------------------------------------ */

/* Those that time may mend (RFC 6120, 8.3.2 and 8.3.3); the rest say that it stays so. */
static bool is_passing(const char *type, const char *condition)
{
	static const char *const conditions[] = { "remote-server-timeout", "remote-server-not-found",
		"resource-constraint", "internal-server-error" };

	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (strcmp(condition, conditions[i]) == 0) {
			return true;
		}
	}
	return strcmp(type, "wait") == 0;
}

/* Under the lock: is there a subscription that the address may speak of? */
static bool is_subscribed(const struct topics *topics, const char *bare)
{
	size_t active;

	for (size_t i = 0; i < topics->node_count; i++) {
		if (roster_count(topics->nodes[i]->roster, bare, &active) > 0) {
			return true;
		}
	}
	return false;
}

static void end_one(struct topics *topics, const struct topic_subscription *one, const char *condition)
{
	xylem_log(XYLEM_LOG_NOTICE, "topics",
		"%s: the subscription of %s ends: for a day nothing but errors came from there, the last %s",
		one->topic, one->jid, condition);
	metric_add(metric_series(METRIC_TOPIC_ENDED, NULL, NULL, NULL), 1);
	(void)topic_subscription_decide(
		topics, one->topic, one->jid, xylem_span_of(one->subid), false, NULL, NULL);
}

/* Those of the address itself; where it is bare and has none, those of its full ones: servers answer so. */
static void end_all(struct topics *topics, const char *jid, const char *bare, const char *condition)
{
	struct topic_subscription *list;
	size_t n, own = 0;

	if (topic_subscriptions(topics, NULL, bare, &list, &n) != 0) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		own += strcmp(list[i].jid, jid) == 0 ? 1 : 0;
	}
	for (size_t i = 0; i < n; i++) {
		bool theirs = own > 0 ? strcmp(list[i].jid, jid) == 0 : strcmp(jid, bare) == 0;
		if (theirs) {
			end_one(topics, &list[i], condition);
		}
	}
	free(list);
}

enum topic_refusal topics_refused_at(
	struct topics *topics, const char *jid, const char *type, const char *condition, int64_t now_us)
{
	char bare[JID_SIZE];
	enum topic_refusal result = TOPIC_REFUSAL_PASSED;

	if (!jid_normalise(xylem_span_of(jid), bare)) {
		return result;
	}
	pthread_mutex_lock(&topics->lock);
	struct refusal *there = find(topics, jid);
	if (there != NULL) {
		there->sent_us = 0; /* whatever it says, it is no silence */
	}
	if (is_passing(type, condition)) {
		result = TOPIC_REFUSAL_PASSED;
	} else if (there != NULL && now_us - there->first_us >= PATIENCE_US) {
		take_out(topics, there);
		result = TOPIC_REFUSAL_ENDED;
	} else if (there != NULL) {
		result = TOPIC_REFUSAL_KNOWN;
	} else if (is_subscribed(topics, bare) && put_in(topics, jid, now_us)) {
		result = TOPIC_REFUSAL_NOTED;
	}
	pthread_mutex_unlock(&topics->lock);
	if (result == TOPIC_REFUSAL_NOTED) {
		xylem_log(XYLEM_LOG_INFO, "topics",
			"%s cannot be told: %s; its subscriptions end if it is so for a day", jid, condition);
		save(topics, jid, condition, now_us);
	} else if (result == TOPIC_REFUSAL_ENDED) {
		end_all(topics, jid, bare, condition);
		save(topics, jid, NULL, 0);
	}
	return result;
}

void topics_refused(struct topics *topics, const char *jid, const char *type, const char *condition)
{
	(void)topics_refused_at(topics, jid, type, condition, clock_wall_us());
}

/* --- Good signs --------------------------------------------------------------- */

/* Under the lock: of an address of this bare one, copied; false: none. */
static bool take_one(struct topics *topics, const char *bare, char ret_jid[JID_SIZE + 1024])
{
	struct refusals *refusals = topics->refusals;
	size_t n = strlen(bare);

	for (size_t at = refusals == NULL ? 0 : place(refusals, bare); refusals != NULL && at < refusals->n;
		at++) {
		struct refusal *refusal = &refusals->items[at];
		if (strncmp(refusal->jid, bare, n) != 0) {
			break;
		}
		if (refusal->jid[n] == '\0' || refusal->jid[n] == '/') {
			snprintf(ret_jid, JID_SIZE + 1024, "%s", refusal->jid);
			take_out(topics, refusal);
			return true;
		}
	}
	return false;
}

void topics_alive(struct topics *topics, const char *bare)
{
	char jid[JID_SIZE + 1024];
	bool more = atomic_load(&topics->refusing) > 0;

	while (more) {
		pthread_mutex_lock(&topics->lock);
		more = take_one(topics, bare, jid);
		pthread_mutex_unlock(&topics->lock);
		if (more) {
			save(topics, jid, NULL, 0);
		}
	}
}

/* Under the lock: true when the last item has been without an error for long enough. */
static bool was_silent(struct topics *topics, const char *jid, int64_t now_us)
{
	struct refusal *refusal = find(topics, jid);
	if (refusal == NULL) {
		return false;
	}
	if (refusal->sent_us == 0) {
		refusal->sent_us = now_us;
	}
	return now_us - refusal->sent_us > SILENCE_US;
}

void refusals_sent(struct topics *topics, const char *jid, int64_t now_us)
{
	char bare[JID_SIZE];

	if (atomic_load(&topics->refusing) == 0 || !jid_normalise(xylem_span_of(jid), bare)) {
		return;
	}
	pthread_mutex_lock(&topics->lock);
	bool own = was_silent(topics, jid, now_us);
	bool good = was_silent(topics, bare, now_us) || own;
	pthread_mutex_unlock(&topics->lock);
	if (good) {
		topics_alive(topics, bare);
	}
}
