/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing by a face: into the journal like any message, then into the index
 * of items, and only then is it answered: whoever hears that an item is
 * published can retrieve it, and can retract it. The fan-out lane comes to the
 * same record later and tells the subscribers.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <topic/state.h>

struct publishing {
	struct topics *topics;
	topic_done done;
	void *context;
	bool persist;
	int64_t max_items;
	char *topic;
	size_t n, promised;        /* promised: of a topic that rejects, the room that it takes meanwhile */
	struct xylem_arena *arena; /* of this and the ids */
	struct xylem_span *ids;
};

static struct publishing *publishing_new(struct topics *topics, const struct topic_state *state,
	const struct xylem_message *messages, size_t n)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct publishing *publishing = arena == NULL ? NULL : xylem_arena_zero(arena, sizeof(*publishing));
	struct xylem_span *ids = publishing == NULL ? NULL : xylem_arena_zero(arena, n * sizeof(*ids));
	char *topic = ids == NULL ? NULL : xylem_arena_text(arena, xylem_span_of(state->name));
	bool failed = topic == NULL;
	for (size_t i = 0; i < n && !failed; i++) {
		ids[i] = xylem_arena_copy(arena, messages[i].id);
		failed = ids[i].at == NULL;
	}
	if (failed) {
		xylem_arena_free(arena);
		return NULL;
	}
	*publishing = (struct publishing){ .topics = topics,
		.persist = state->settings.persist,
		.max_items = state->settings.max_items,
		.topic = topic,
		.n = n,
		.arena = arena,
		.ids = ids };
	return publishing;
}

/* --- Room, where a full topic rejects ------------------------------------- */

/* Takes room for items that are not there yet; how much of it others have taken. */
static size_t promise(struct publishing *publishing)
{
	size_t before = 0;
	pthread_mutex_lock(&publishing->topics->lock);
	struct node *node = topics_find(publishing->topics, publishing->topic);
	if (node != NULL) {
		before = node->promised;
		node->promised += publishing->n;
		publishing->promised = publishing->n;
	}
	pthread_mutex_unlock(&publishing->topics->lock);
	return before;
}

static void give_back(struct publishing *publishing)
{
	if (publishing->promised == 0) {
		return;
	}
	pthread_mutex_lock(&publishing->topics->lock);
	struct node *node = topics_find(publishing->topics, publishing->topic);
	if (node != NULL) { /* another one of that name, maybe */
		size_t n = publishing->promised;
		node->promised -= n < node->promised ? n : node->promised;
	}
	pthread_mutex_unlock(&publishing->topics->lock);
	publishing->promised = 0;
}

/* How many of the messages are other items than there are: an id that is there is that item again (12.8). */
static int count_new(struct publishing *publishing, size_t *ret_new, struct xylem_reason *reason)
{
	*ret_new = 0;
	for (size_t i = 0; i < publishing->n; i++) {
		struct xylem_position at;
		int error = topic_item_find(
			publishing->topics, publishing->topic, publishing->ids[i], &at, reason);
		if (error != 0 && error != -XYLEM_E_NOT_FOUND) {
			return error;
		}
		*ret_new += error != 0;
	}
	return 0;
}

/*
 * Would it have more than it may? What others are publishing counts before it is
 * there, so that of several at once none is taken that would push another out.
 */
static int check_room(
	struct publishing *publishing, const struct topic_settings *settings, struct xylem_reason *reason)
{
	size_t more = 0;
	if (settings->when_full != TOPIC_REJECT || settings->max_items == 0 || !settings->persist) {
		return 0;
	}
	size_t promised = promise(publishing);
	const struct topic_query query = { .count = 1, .backward = true, .has_before = true };
	struct topic_page page;
	int error = topic_items(publishing->topics, publishing->topic, &query, NULL, NULL, &page, reason);
	error = error != 0 ? error : count_new(publishing, &more, reason);
	bool full = error == 0 && more > 0 && page.total + promised + more > (uint64_t)settings->max_items;
	return full ? -XYLEM_E_CONFLICT : error;
}

/* --- Publishing ----------------------------------------------------------- */

static void entered(void *context, int error)
{
	struct publishing *publishing = context;

	give_back(publishing);
	publishing->done(publishing->context, error);
	xylem_arena_free(publishing->arena);
}

static int enter(struct publishing *publishing, const struct xylem_receipt *receipts)
{
	struct item_entry *entries = xylem_arena_zero(publishing->arena, publishing->n * sizeof(*entries));
	if (entries == NULL) {
		return -XYLEM_E_MEMORY;
	}
	for (size_t i = 0; i < publishing->n; i++) {
		entries[i] = (struct item_entry){ .topic = publishing->topic,
			.id = publishing->ids[i],
			.position = receipts[i].position,
			.max_items = publishing->max_items };
	}
	return items_enter(publishing->topics, entries, publishing->n, entered, publishing);
}

/* On the journal's thread. */
static void appended(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
	struct publishing *publishing = context;

	if (error == 0 && publishing->persist) {
		error = enter(publishing, receipts);
		if (error == 0) {
			return;
		}
	}
	entered(publishing, error);
}

int topic_publish(struct topics *topics, const char *name, const struct xylem_message *messages, size_t n,
	topic_done done, void *context, struct xylem_reason *reason)
{
	char ingress[TOPIC_NAME_SIZE + 16];
	struct topic_state state;

	if (topic_state(topics, name, &state) != 0) {
		xylem_reason_set(reason, "there is no topic %.100s", name);
		return -XYLEM_E_NOT_FOUND;
	}
	struct publishing *publishing = publishing_new(topics, &state, messages, n);
	if (publishing == NULL) {
		return -XYLEM_E_MEMORY;
	}
	publishing->done = done;
	publishing->context = context;
	snprintf(ingress, sizeof(ingress), "topic:%s", name);
	int error = check_room(publishing, &state.settings, reason);
	error = error != 0 ? error
			   : topics->bus.publish(
				     topics->bus.context, ingress, messages, n, appended, publishing, reason);
	if (error != 0) {
		give_back(publishing);
		xylem_arena_free(publishing->arena);
	}
	return error;
}
