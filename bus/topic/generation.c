/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What topics need of a configuration, copied out of it, so that nobody has to
 * hold a reference to a whole generation.
 */
#include <stdlib.h>
#include <string.h>

#include <topic/state.h>
#include <base/jid.h>

static const char *copy_text(struct xylem_arena *arena, const char *text, bool *failed)
{
	if (text == NULL) {
		return NULL;
	}
	const char *copy = xylem_arena_text(arena, xylem_span_of(text));
	*failed = *failed || copy == NULL;
	return copy;
}

static struct xylem_strings copy_list(struct xylem_arena *arena, struct xylem_strings list, bool *failed)
{
	const char **items = xylem_arena_zero(arena, (list.n + 1) * sizeof(*items));
	if (items == NULL) {
		*failed = true;
		return (struct xylem_strings){ 0 };
	}
	for (size_t i = 0; i < list.n; i++) {
		items[i] = copy_text(arena, list.items[i], failed);
	}
	return (struct xylem_strings){ items, list.n };
}

static void copy_topic(
	struct xylem_arena *arena, struct config_topic *to, const struct config_topic *from, bool *failed)
{
	*to = *from;
	to->name = copy_text(arena, from->name, failed);
	to->title = copy_text(arena, from->title, failed);
	to->description = copy_text(arena, from->description, failed);
	to->type = copy_text(arena, from->type, failed);
	to->subscribe = copy_list(arena, from->subscribe, failed);
	to->publish = copy_list(arena, from->publish, failed);
	memset(&to->place, 0, sizeof(to->place));
}

static void copy_people(struct generation *generation, const struct config_view *view, bool *failed)
{
	size_t n = 0;
	for (size_t i = 0; i < view->user_count; i++) {
		n += view->users[i].jids.n;
	}
	generation->people = xylem_arena_zero(generation->arena, (n + 1) * sizeof(*generation->people));
	if (generation->people == NULL) {
		*failed = true;
		return;
	}
	for (size_t i = 0; i < view->user_count; i++) {
		const struct config_user *user = &view->users[i];
		for (size_t j = 0; j < user->jids.n; j++) {
			struct person *person = &generation->people[generation->people_count++];
			person->jid = copy_text(generation->arena, user->jids.items[j], failed);
			person->role = user->role;
		}
	}
}

struct generation *generation_new(const struct config_view *view)
{
	bool failed = false;
	struct generation *generation = calloc(1, sizeof(*generation));
	if (generation == NULL) {
		return NULL;
	}
	generation->arena = xylem_arena_new(0);
	if (generation->arena == NULL) {
		return generation_free(generation);
	}
	generation->topics = xylem_arena_zero(
		generation->arena, (view->topic_count + 1) * sizeof(*generation->topics));
	failed = generation->topics == NULL;
	for (size_t i = 0; i < view->topic_count && !failed; i++) {
		copy_topic(generation->arena, &generation->topics[i], &view->topics[i], &failed);
		generation->topic_count++;
	}
	if (!failed) {
		copy_people(generation, view, &failed);
	}
	if (!failed && view->xmpp != NULL) {
		generation->allow = copy_list(generation->arena, view->xmpp->allow, &failed);
		generation->create = copy_list(generation->arena, view->xmpp->create, &failed);
		generation->create_access = view->xmpp->create_access;
	}
	return failed ? generation_free(generation) : generation;
}

struct generation *generation_free(struct generation *generation)
{
	if (generation != NULL) {
		xylem_arena_free(generation->arena);
		free(generation);
	}
	return NULL;
}

int generation_role(const struct generation *generation, const char *bare)
{
	for (size_t i = 0; i < generation->people_count; i++) {
		const char *const one[] = { generation->people[i].jid };
		if (jid_listed((struct xylem_strings){ one, 1 }, bare)) {
			return generation->people[i].role;
		}
	}
	return ROLE_NONE;
}
