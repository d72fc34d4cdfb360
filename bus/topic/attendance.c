/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who of those that matter to topics is online: subscribers, and publishers of
 * topics that are purged when these go. The face tells; nothing is known about
 * anybody whom it does not speak of. Sorted by full address, so that the
 * resources of a bare one stand together.
 */
#include <stdlib.h>
#include <string.h>

#include <base/jid.h>
#include <topic/state.h>

#define ATTENDING_MOST 100000U

struct resource {
	char *full;
	unsigned show;
};
struct attendance {
	struct resource *items;
	size_t n, room;
};

static size_t place(const struct attendance *attendance, const char *full)
{
	size_t low = 0, high = attendance == NULL ? 0 : attendance->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(attendance->items[middle].full, full) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

unsigned attendance_show(const struct topics *topics, const char *jid)
{
	const struct attendance *attendance = topics->attendance;
	bool bare = strchr(jid, '/') == NULL;
	size_t n = strlen(jid);
	unsigned show = 0;

	for (size_t at = place(attendance, jid); attendance != NULL && at < attendance->n; at++) {
		const char *full = attendance->items[at].full;
		if (strncmp(full, jid, n) != 0) {
			break;
		}
		bool theirs = full[n] == '\0' || (bare && full[n] == '/');
		show |= theirs ? attendance->items[at].show : 0;
	}
	return show;
}

void attendance_finish(struct topics *topics)
{
	struct attendance *attendance = topics->attendance;
	if (attendance != NULL) {
		for (size_t i = 0; i < attendance->n; i++) {
			free(attendance->items[i].full);
		}
		free(attendance->items);
		free(attendance);
		topics->attendance = NULL;
	}
}

/* --- Changes -------------------------------------------------------------- */

static bool put_in(struct attendance *attendance, size_t at, const char *full, unsigned show)
{
	if (attendance->n >= ATTENDING_MOST) {
		return false;
	}
	if (attendance->n == attendance->room) {
		size_t room = attendance->room == 0 ? 64 : attendance->room * 2;
		struct resource *items = realloc(attendance->items, room * sizeof(*items));
		if (items == NULL) {
			return false;
		}
		attendance->items = items;
		attendance->room = room;
	}
	char *copy = strdup(full);
	if (copy == NULL) {
		return false;
	}
	memmove(attendance->items + at + 1, attendance->items + at,
		(attendance->n - at) * sizeof(*attendance->items));
	attendance->items[at] = (struct resource){ copy, show };
	attendance->n++;
	return true;
}

static void take_out(struct attendance *attendance, size_t at)
{
	free(attendance->items[at].full);
	attendance->n--;
	memmove(attendance->items + at, attendance->items + at + 1,
		(attendance->n - at) * sizeof(*attendance->items));
}

/* Under the lock: all resources of a bare address have gone. */
static void forget_all(struct attendance *attendance, const char *bare)
{
	size_t at = place(attendance, bare), n = strlen(bare);
	while (attendance != NULL && at < attendance->n &&
		strncmp(attendance->items[at].full, bare, n) == 0) {
		if (attendance->items[at].full[n] == '/') {
			take_out(attendance, at);
		} else {
			at++;
		}
	}
}

/* Under the lock: remembers it; is there a change worth looking at? */
static bool remember(struct topics *topics, const char *full, unsigned show)
{
	struct attendance *attendance = topics->attendance;
	if (attendance == NULL) {
		attendance = topics->attendance = calloc(1, sizeof(*attendance));
	}
	size_t at = place(attendance, full);
	bool there = attendance != NULL && at < attendance->n &&
		     strcmp(attendance->items[at].full, full) == 0;
	if (there && show != 0) {
		attendance->items[at].show = show;
		return false;
	}
	if (there) {
		take_out(attendance, at);
		return true;
	}
	return attendance != NULL && show != 0 && put_in(attendance, at, full, show);
}

/* Under the lock. */
static bool purges(const struct node *node, const char *bare)
{
	return node_exists(node) && node->settings.purge_offline &&
	       node_affiliated(node, bare) >= TOPIC_PUBLISH_ONLY;
}

/* Under the lock. */
static bool matters(const struct topics *topics, const char *bare)
{
	size_t active;
	for (size_t i = 0; i < topics->node_count; i++) {
		const struct node *node = topics->nodes[i];
		if (roster_count(node->roster, bare, &active) > 0 || purges(node, bare)) {
			return true;
		}
	}
	return false;
}

static void came(struct topics *topics, const struct topic_subscription *list, size_t n, const char *full,
	const char *bare, bool first)
{
	for (size_t i = 0; i < n; i++) {
		struct topic_state state;
		struct subscriber one = { .jid = list[i].jid, .options = list[i].options };
		bool concerned = strcmp(list[i].jid, full) == 0 || (first && strcmp(list[i].jid, bare) == 0);
		if (concerned && !list[i].pending && topic_state(topics, list[i].topic, &state) == 0 &&
			state.settings.send_last == TOPIC_LAST_ON_PRESENCE) {
			memcpy(one.subid, list[i].subid, TOPIC_SUBID_SIZE);
			topics_tell_last(topics, list[i].topic, &one);
		}
	}
}

static void went(struct topics *topics, const struct topic_subscription *list, size_t n, const char *full,
	const char *bare, bool last)
{
	for (size_t i = 0; i < n; i++) {
		bool all = strcmp(full, bare) == 0;
		bool concerned = all || strcmp(list[i].jid, full) == 0 ||
				 (last && strcmp(list[i].jid, bare) == 0);
		if (concerned && list[i].options.temporary) {
			(void)topic_unsubscribe(
				topics, list[i].topic, list[i].jid, xylem_span_of(list[i].subid), NULL, NULL);
		}
	}
}

static void purge(struct topics *topics, const char *bare)
{
	char name[TOPIC_NAME_SIZE];

	for (size_t i = 0;; i++) {
		pthread_mutex_lock(&topics->lock);
		while (i < topics->node_count && !purges(topics->nodes[i], bare)) {
			i++;
		}
		bool found = i < topics->node_count && strlen(topics->nodes[i]->name) < sizeof(name);
		if (found) {
			strcpy(name, topics->nodes[i]->name);
		}
		pthread_mutex_unlock(&topics->lock);
		if (!found) {
			return;
		}
		(void)topic_purge(topics, name, NULL, NULL);
	}
}

void topics_presence(struct topics *topics, const char *full, unsigned show)
{
	char bare[JID_SIZE];
	struct topic_subscription *list = NULL;
	size_t n = 0;

	if (!jid_normalise(xylem_span_of(full), bare)) {
		return;
	}
	pthread_mutex_lock(&topics->lock);
	bool others = attendance_show(topics, bare) != 0;
	bool all = show == 0 && strcmp(full, bare) == 0;
	if (all) {
		forget_all(topics->attendance, bare);
	}
	bool changed = all || ((show == 0 || matters(topics, bare)) && remember(topics, full, show));
	bool none = attendance_show(topics, bare) == 0;
	pthread_mutex_unlock(&topics->lock);
	if (!changed || topic_subscriptions(topics, NULL, bare, &list, &n) != 0) {
		return;
	}
	if (show != 0) {
		came(topics, list, n, full, bare, !others);
	} else {
		went(topics, list, n, full, bare, none);
		if (none) {
			purge(topics, bare);
		}
	}
	free(list);
}
