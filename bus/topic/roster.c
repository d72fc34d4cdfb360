/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subscribers of a topic, as an immutable list: a fan-out over thousands of
 * them holds a reference, not a lock, while people come and go. One allocation:
 * the entries, then their texts.
 */
#include <stdlib.h>
#include <string.h>

#include <base/jid.h>
#include <topic/state.h>

struct roster *roster_ref(struct roster *roster)
{
	if (roster != NULL) {
		atomic_fetch_add(&roster->references, 1);
	}
	return roster;
}

struct roster *roster_unref(struct roster *roster)
{
	if (roster != NULL && atomic_fetch_sub(&roster->references, 1) == 1) {
		free(roster);
	}
	return NULL;
}

static int order(const char *jid, const char *subid, const struct subscriber *other)
{
	int by_jid = strcmp(jid, other->jid);
	return by_jid != 0 ? by_jid : strcmp(subid, other->subid);
}

/* Where this one is, or would be. */
static size_t place(const struct roster *roster, const char *jid, const char *subid)
{
	size_t low = 0, high = roster == NULL ? 0 : roster->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (order(jid, subid, &roster->items[middle]) > 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

const struct subscriber *roster_find(const struct roster *roster, const char *jid, size_t *ret_n)
{
	size_t at = place(roster, jid, ""), n = 0;

	while (roster != NULL && at + n < roster->n && strcmp(roster->items[at + n].jid, jid) == 0) {
		n++;
	}
	*ret_n = n;
	return n > 0 ? &roster->items[at] : NULL;
}

size_t roster_count(const struct roster *roster, const char *bare, size_t *ret_active)
{
	size_t n = 0, active = 0;
	/* The addresses with a resource stand behind the bare one, but not at once behind it. */
	for (size_t at = place(roster, bare, ""); roster != NULL && at < roster->n; at++) {
		const struct subscriber *one = &roster->items[at];
		if (strncmp(one->jid, bare, strlen(bare)) != 0) {
			break;
		}
		bool theirs = xylem_span_is(jid_bare(xylem_span_of(one->jid)), bare);
		n += theirs ? 1 : 0;
		active += theirs && !one->pending ? 1 : 0;
	}
	*ret_active = active;
	return n;
}

/* --- Making --------------------------------------------------------------- */

struct builder {
	struct roster *roster;
	char *text;
};

static bool builder_start(struct builder *builder, size_t count, size_t text)
{
	struct roster *roster = malloc(sizeof(*roster) + count * sizeof(roster->items[0]) + text);
	if (roster == NULL) {
		return false;
	}
	atomic_init(&roster->references, 1);
	roster->n = roster->active = 0;
	builder->roster = roster;
	builder->text = (char *)roster + sizeof(*roster) + count * sizeof(roster->items[0]);
	return true;
}

static void builder_add(struct builder *builder, const struct subscriber *subscriber)
{
	size_t n = strlen(subscriber->jid) + 1;
	struct subscriber *to = &builder->roster->items[builder->roster->n++];
	*to = *subscriber;
	memcpy(builder->text, subscriber->jid, n);
	to->jid = builder->text;
	builder->text += n;
	builder->roster->active += subscriber->pending ? 0 : 1;
}

static size_t text_size(const struct subscriber *subscribers, size_t n)
{
	size_t size = 0;
	for (size_t i = 0; i < n; i++) {
		size += strlen(subscribers[i].jid) + 1;
	}
	return size;
}

struct roster *roster_new(const struct subscriber *subscribers, size_t n)
{
	struct builder builder;

	if (!builder_start(&builder, n, text_size(subscribers, n))) {
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		builder_add(&builder, &subscribers[i]);
	}
	return builder.roster;
}

struct roster *roster_with(const struct roster *roster, const struct subscriber *subscriber)
{
	struct builder builder;
	size_t n = roster == NULL ? 0 : roster->n;
	size_t at = place(roster, subscriber->jid, subscriber->subid);
	size_t text = n == 0 ? 0 : text_size(roster->items, n);

	if (!builder_start(&builder, n + 1, text + strlen(subscriber->jid) + 1)) {
		return NULL;
	}
	for (size_t i = 0; i < at; i++) {
		builder_add(&builder, &roster->items[i]);
	}
	builder_add(&builder, subscriber);
	for (size_t i = at; i < n; i++) {
		if (order(subscriber->jid, subscriber->subid, &roster->items[i]) != 0) {
			builder_add(&builder, &roster->items[i]);
		}
	}
	return builder.roster;
}

struct roster *roster_without(const struct roster *roster, const char *jid, const char *subid)
{
	struct builder builder;
	size_t n = roster == NULL ? 0 : roster->n;

	if (!builder_start(&builder, n, n == 0 ? 0 : text_size(roster->items, n))) {
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (order(jid, subid, &roster->items[i]) != 0) {
			builder_add(&builder, &roster->items[i]);
		}
	}
	return builder.roster;
}
