/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics that no section declares, but that routes name: a client has made
 * them, or they begin to be with the route. They stand in the view like
 * declared ones, marked, so that everything that follows a route to its topic finds
 * one. A name that is nearly that of a declared topic is taken for a typing error,
 * and left for the route to complain of.
 */
#include <stdlib.h>
#include <string.h>

#include <config/loading.h>
#include <config/nearest.h>
#include <config/text.h>

struct implying {
	struct loading *loading;
	const struct config_topic *declared;
	size_t declared_count;
	struct config_topic *topics; /* the declared ones, and then the others */
	size_t n, room;
};

static bool is_known(const struct implying *implying, const char *name)
{
	for (size_t i = 0; i < implying->n; i++) {
		if (strcmp(implying->topics[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_near(const struct implying *implying, const char *name)
{
	struct nearest nearest;
	nearest_init(&nearest, name);
	for (size_t i = 0; i < implying->declared_count; i++) {
		nearest_offer(&nearest, implying->declared[i].name);
	}
	return nearest.name != NULL;
}

static void imply(struct implying *implying, const struct tree_node *node)
{
	struct xylem_reason ignored;
	if (!node || node->kind != TREE_SCALAR || strncmp(node->text, "topic:", 6) != 0) {
		return;
	}
	const char *name = node->text + 6;
	if (implying->n < implying->room && !is_known(implying, name) && !is_near(implying, name) &&
		text_topic_name(name, &ignored) == 0) {
		implying->topics[implying->n++] = (struct config_topic){
			.name = name, .implied = true, .place = tree_place(node)
		};
	}
}

/* `erp`, or `erp: { options }`, where `otherwise` names another. */
static void imply_lane(struct implying *implying, const struct tree_node *node)
{
	if (node->kind == TREE_MAPPING && node->n == 1) {
		imply(implying, node->members[0].key);
		imply(implying, tree_find(node->members[0].value, "otherwise"));
	} else {
		imply(implying, node);
	}
}

static void imply_route(struct implying *implying, const struct tree_node *route)
{
	const struct tree_node *from = tree_find(route, "from"), *to = tree_find(route, "to");
	for (size_t i = 0; from && from->kind == TREE_LIST && i < from->n; i++) {
		imply(implying, from->items[i]);
	}
	for (size_t i = 0; to && to->kind == TREE_LIST && i < to->n; i++) {
		imply_lane(implying, to->items[i]);
	}
	imply(implying, tree_find(tree_find(route, "deliver"), "otherwise"));
}

/* As many names as routes can hold. */
static size_t names_at_most(const struct tree_node *routes)
{
	size_t n = 0;
	for (size_t i = 0; i < routes->n; i++) {
		n += routes->members[i].value->weight + 1;
	}
	return n;
}

static int by_name(const void *a, const void *b)
{
	const struct config_topic *x = a, *y = b;
	return strcmp(x->name, y->name);
}

void topics_imply(struct loading *loading)
{
	const struct tree_node *routes = loading->sections[SECTION_ROUTES];
	struct config_view *view = &loading->config->view;
	if (!routes || routes->kind != TREE_MAPPING || routes->n == 0) {
		return;
	}
	struct implying implying = { .loading = loading,
		.declared = view->topics,
		.declared_count = view->topic_count,
		.n = view->topic_count,
		.room = view->topic_count + names_at_most(routes) };
	implying.topics = calloc(implying.room, sizeof(*implying.topics));
	if (!implying.topics) {
		return; /* the routes then say that there is no such topic */
	}
	if (view->topic_count > 0) {
		memcpy(implying.topics, view->topics, view->topic_count * sizeof(*view->topics));
	}
	for (size_t i = 0; i < routes->n; i++) {
		imply_route(&implying, routes->members[i].value);
	}
	if (implying.n > view->topic_count) {
		struct config_topic *all = loading_take(loading, implying.n * sizeof(*all));
		memcpy(all, implying.topics, implying.n * sizeof(*all));
		qsort(all, implying.n, sizeof(*all), by_name);
		view->topics = all;
		view->topic_count = implying.n;
	}
	free(implying.topics);
}
