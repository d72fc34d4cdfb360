/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the bus show as presence: each connector, route and topic,
 * and the bus as a whole.
 *
 *     available  all is well          dnd  paused by an operator
 *     away       works in part        xa   does not work
 *
 * Looked at on the presence thread: connectors and routes whenever a lane or
 * connector has changed; everything, topics too, after a reload and every 15 s;
 * every second only whether the bus is ready. A part is never unavailable while the bus runs: contacts that are
 * offline disappear from lists just when somebody has to look at them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <console/xmpp/face_body.h>
#include <topic/topic.h>
#include <xmpp/presence.h>

#define NUMBERS_US 15000000

/* The parts that were there at the last look, so that one that is gone can be hidden. */
struct part_list {
	char **locals;
	size_t n, room;
};

struct look {
	struct face *face;
	struct lane_state *lanes;
	size_t lane_count;
	struct connector_state *connectors;
	size_t connector_count;
	struct topic_state *topics;
	size_t topic_count;
	struct part_list found;
};

/* --- The list --------------------------------------------------------------------- */

static void list_finish(struct part_list *list)
{
	while (list->n > 0) {
		free(list->locals[--list->n]);
	}
	free(list->locals);
	*list = (struct part_list){ 0 };
}

void parts_free(struct face *face)
{
	if (face->parts) {
		list_finish(face->parts);
		free(face->parts);
		face->parts = NULL;
	}
}

static void list_add(struct part_list *list, const char *local)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		char **grown = realloc(list->locals, room * sizeof(char *));
		if (!grown) {
			return;
		}
		list->locals = grown;
		list->room = room;
	}
	list->locals[list->n] = strdup(local);
	list->n += list->locals[list->n] != NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* --- One part ---------------------------------------------------------------------- */

static void show(struct look *look, enum scope_kind kind, const char *name, enum presence_show show,
	const char *words, const char *numbers)
{
	struct scope scope = { .kind = kind };
	char local[SCOPE_LOCAL];
	snprintf(scope.name, sizeof(scope.name), "%s", name);
	scope_write(&scope, local);
	struct presence_state state = { show, words, numbers };
	if (xmpp_presence_show(look->face->service, local, &state) == 0 && kind != SCOPE_BUS) {
		list_add(&look->found, local);
	}
}

static void show_connector(struct look *look, const struct connector_state *connector)
{
	char words[300], numbers[160] = "";
	if (!connector->up) {
		snprintf(words, sizeof(words), "down: %s", connector->why);
	} else {
		snprintf(words, sizeof(words), "%s%s", connector->kind, connector->held ? ", held back" : "");
	}
	if (connector->source) {
		snprintf(numbers, sizeof(numbers), "%llu received", (unsigned long long)connector->received);
	}
	show(look, SCOPE_CONNECTOR, connector->name,
		!connector->up    ? SHOW_XA
		: connector->held ? SHOW_AWAY
				  : SHOW_AVAILABLE,
		words, numbers);
}

/* Lanes added up. */
struct sum {
	size_t lanes, paused, down;
	uint64_t delivered, backlog, cases;
	char names[160]; /* of those that do not work, with why */
};

static void note_name(struct sum *sum, const struct lane_state *lane)
{
	size_t n = strlen(sum->names);
	if (n + 20 < sizeof(sum->names)) {
		snprintf(sum->names + n, sizeof(sum->names) - n, "%s%.100s %s", n ? ", " : "", lane->name,
			lane_condition_name(lane->condition));
	}
}

static void add_lane(struct sum *sum, const struct lane_state *lane)
{
	bool paused = lane->condition == LANE_PAUSED;
	bool down = lane->condition == LANE_DOWN || lane->condition == LANE_MISCONFIGURED ||
		    lane->condition == LANE_STOPPED;
	sum->lanes++;
	sum->paused += paused;
	sum->down += down;
	sum->delivered += lane->delivered;
	sum->cases += lane->hospitalised;
	sum->backlog = lane->backlog > sum->backlog ? lane->backlog : sum->backlog;
	if (paused || down) {
		note_name(sum, lane);
	}
}

static enum presence_show show_of(const struct sum *sum)
{
	if (sum->down > 0) {
		return sum->down + sum->paused < sum->lanes ? SHOW_AWAY : SHOW_XA;
	}
	return sum->paused > 0 ? SHOW_DND : SHOW_AVAILABLE;
}

static void show_route(struct look *look, const char *name)
{
	struct sum sum = { 0 };
	char numbers[160];
	for (size_t i = 0; i < look->lane_count; i++) {
		if (strcmp(look->lanes[i].route, name) == 0 && look->lanes[i].condition != LANE_RETIRED) {
			add_lane(&sum, &look->lanes[i]);
		}
	}
	snprintf(numbers, sizeof(numbers), "%zu lane%s, backlog %llu, %llu delivered, %llu cases", sum.lanes,
		sum.lanes == 1 ? "" : "s", (unsigned long long)sum.backlog, (unsigned long long)sum.delivered,
		(unsigned long long)sum.cases);
	show(look, SCOPE_ROUTE, name, show_of(&sum), sum.names[0] ? sum.names : "ok", numbers);
}

static void show_topic(struct look *look, const struct topic_state *topic)
{
	char numbers[160];
	snprintf(numbers, sizeof(numbers), "%llu subscribers, %llu items",
		(unsigned long long)topic->subscriptions, (unsigned long long)topic->items);
	show(look, SCOPE_TOPIC, topic->name, SHOW_AVAILABLE, topic->settings.title, numbers);
}

/* --- The bus ------------------------------------------------------------------------- */

static void show_bus(struct look *look, size_t routes)
{
	struct sum sum = { 0 };
	struct hospital_state hospital;
	char obstacle[256], words[256] = "ok", numbers[160];
	size_t up = 0;
	const char *why = bus_not_ready(look->face->bus, obstacle);
	hospital_state(bus_hospital(look->face->bus), &hospital);
	for (size_t i = 0; i < look->lane_count; i++) {
		if (look->lanes[i].condition != LANE_RETIRED) {
			add_lane(&sum, &look->lanes[i]);
		}
	}
	for (size_t i = 0; i < look->connector_count; i++) {
		const struct connector_state *connector = &look->connectors[i];
		size_t n = strlen(sum.names);
		up += connector->up;
		if (!connector->up && n + 20 < sizeof(sum.names)) {
			snprintf(sum.names + n, sizeof(sum.names) - n, "%s%.100s down", n ? ", " : "",
				connector->name);
		}
	}
	if (why || sum.names[0]) {
		snprintf(words, sizeof(words), "%.250s", why ? why : sum.names);
	}
	snprintf(numbers, sizeof(numbers),
		"%zu routes, %zu lanes, %zu of %zu connectors up, %zu topics, %llu open cases", routes,
		sum.lanes, up, look->connector_count, look->face->topic_count,
		(unsigned long long)hospital.open);
	enum presence_show state = show_of(&sum);
	state = state == SHOW_XA || up < look->connector_count ? SHOW_AWAY : state;
	show(look, SCOPE_BUS, "", why ? SHOW_XA : state, words, numbers);
}

static size_t show_routes(struct look *look)
{
	struct config *config = bus_config(look->face->bus);
	const struct config_view *view = config_view(config);
	size_t n = view->route_count;
	for (size_t i = 0; i < n; i++) {
		show_route(look, view->routes[i].name);
	}
	config_unref(config);
	return n;
}

/* Those that were there and are not any more. */
static void hide_gone(struct look *look)
{
	struct face *face = look->face;
	if (look->found.n > 0) {
		qsort(look->found.locals, look->found.n, sizeof(char *), by_text);
	}
	for (size_t i = 0; face->parts && i < face->parts->n; i++) {
		if (look->found.n == 0 || !bsearch(&face->parts->locals[i], look->found.locals, look->found.n,
						  sizeof(char *), by_text)) {
			xmpp_presence_hide(face->service, face->parts->locals[i]);
		}
	}
	parts_free(face);
	face->parts = calloc(1, sizeof(*face->parts));
	if (face->parts) {
		*face->parts = look->found;
	} else {
		list_finish(&look->found);
	}
}

static void look_at(struct face *face, bool all)
{
	struct look look = { .face = face };
	struct topics *topics = all ? bus_topics(face->bus) : NULL;
	bool seen = bus_lanes(face->bus, &look.lanes, &look.lane_count) == 0 &&
		    bus_connectors(face->bus, &look.connectors, &look.connector_count) == 0 &&
		    (!topics || topics_list(topics, NULL, &look.topics, &look.topic_count) == 0);
	if (seen) {
		face->topic_count = all ? look.topic_count : face->topic_count;
		for (size_t i = 0; i < look.connector_count; i++) {
			show_connector(&look, &look.connectors[i]);
		}
		for (size_t i = 0; i < look.topic_count; i++) {
			show_topic(&look, &look.topics[i]);
		}
		show_bus(&look, show_routes(&look));
		if (all) {
			hide_gone(&look);
		} else {
			list_finish(&look.found);
		}
	}
	free(look.lanes);
	free(look.connectors);
	free(look.topics);
}

void parts_refresh(void *context)
{
	struct face *face = context;
	char obstacle[256];
	bool ready = bus_not_ready(face->bus, obstacle) == NULL;
	bool changed = atomic_exchange(&face->parts_changed, false) || ready != face->ready;
	int64_t now = clock_mono_us();
	alert_flush(face);
	bool all = atomic_exchange(&face->parts_other, false) || now - face->parts_us > NUMBERS_US;
	if (changed || all) {
		face->ready = ready;
		face->parts_us = all ? now : face->parts_us;
		look_at(face, all);
	}
}
