/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subscribers of a topic, as an immutable list: a fan-out over thousands of
 * them holds a reference, not a lock, while people come and go.
 */
#include <stdlib.h>
#include <string.h>

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

/* Where the address is, or would be. */
static size_t place(const struct roster *roster, const char *jid)
{
	size_t low = 0, high = roster == NULL ? 0 : roster->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(roster->jids[middle], jid) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

bool roster_has(const struct roster *roster, const char *jid)
{
	size_t at = place(roster, jid);
	return roster != NULL && at < roster->n && strcmp(roster->jids[at], jid) == 0;
}

static size_t text_size(const struct roster *roster)
{
	size_t n = 0;
	for (size_t i = 0; roster != NULL && i < roster->n; i++) {
		n += strlen(roster->jids[i]) + 1;
	}
	return n;
}

struct builder {
	struct roster *roster;
	char *text;
};

static bool builder_start(struct builder *builder, size_t count, size_t text)
{
	struct roster *roster = malloc(sizeof(*roster) + count * sizeof(roster->jids[0]) + text);
	if (roster == NULL) {
		return false;
	}
	atomic_init(&roster->references, 1);
	roster->n = 0;
	builder->roster = roster;
	builder->text = (char *)roster + sizeof(*roster) + count * sizeof(roster->jids[0]);
	return true;
}

static void builder_add(struct builder *builder, const char *jid)
{
	size_t n = strlen(jid) + 1;
	memcpy(builder->text, jid, n);
	builder->roster->jids[builder->roster->n++] = builder->text;
	builder->text += n;
}

struct roster *roster_with(const struct roster *roster, const char *jid)
{
	struct builder builder;
	size_t n = roster == NULL ? 0 : roster->n, at = place(roster, jid);

	if (!builder_start(&builder, n + 1, text_size(roster) + strlen(jid) + 1)) {
		return NULL;
	}
	for (size_t i = 0; i < at; i++) {
		builder_add(&builder, roster->jids[i]);
	}
	builder_add(&builder, jid);
	for (size_t i = at; i < n; i++) {
		if (strcmp(roster->jids[i], jid) != 0) {
			builder_add(&builder, roster->jids[i]);
		}
	}
	return builder.roster;
}

struct roster *roster_without(const struct roster *roster, const char *jid)
{
	struct builder builder;
	size_t n = roster == NULL ? 0 : roster->n;

	if (!builder_start(&builder, n, text_size(roster))) {
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(roster->jids[i], jid) != 0) {
			builder_add(&builder, roster->jids[i]);
		}
	}
	return builder.roster;
}
