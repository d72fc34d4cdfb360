/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no single section can see: messages that would go round for ever, names
 * that mean two things, things that nothing uses, and kinds that need a
 * section which is not there.
 */
#include <string.h>

#include <config/loading.h>
#include <config/report.h>
#include <route/lane_options.h>

static bool takes_from(const struct config_route *route, const char *prefix, const char *name)
{
	size_t n = strlen(prefix);
	for (size_t i = 0; i < route->from.n; i++) {
		if (strncmp(route->from.items[i], prefix, n) == 0 &&
			strcmp(route->from.items[i] + n, name) == 0) {
			return true;
		}
	}
	return false;
}

/* --- loops: topic -> route -> topic ---------------------------------------- */

struct hop {
	size_t topic;
	size_t route, lane; /* the edge that is being followed */
};

enum colour { WHITE, GREY, BLACK };

/* Where a lane's messages become items: a lane has one such topic at most. */
static const struct config_topic *lane_topic(const struct config_lane *lane)
{
	return lane->topic ? lane->topic : lane->otherwise_topic;
}

/* The next topic that `hop` leads to; false when there is none further. Leaves the hop at that edge. */
static bool hop_next(const struct config_view *view, struct hop *hop, size_t *ret_topic)
{
	for (; hop->route < view->route_count; hop->route++, hop->lane = 0) {
		const struct config_route *route = &view->routes[hop->route];
		if (!takes_from(route, "topic:", view->topics[hop->topic].name)) {
			continue;
		}
		for (; hop->lane < route->lane_count; hop->lane++) {
			const struct config_topic *topic = lane_topic(&route->lanes[hop->lane]);
			if (topic) {
				*ret_topic = (size_t)(topic - view->topics);
				return true;
			}
		}
	}
	return false;
}

static void loop_report(struct loading *loading, const struct hop *stack, size_t depth, size_t first)
{
	const struct config_view *view = &loading->config->view;
	XYLEM_BUFFER_SCOPED text = { 0 };
	for (size_t i = first; i < depth; i++) {
		xylem_buffer_format(&text, "topic:%s -> route %s -> ", view->topics[stack[i].topic].name,
			view->routes[stack[i].route].name);
	}
	xylem_buffer_format(&text, "topic:%s%c", view->topics[stack[first].topic].name, 0);
	const struct hop *last = &stack[depth - 1];
	report_error(loading->report, view->routes[last->route].lanes[last->lane].place,
		"messages would go round for ever: %s; remove one of these destinations",
		text.failed ? "" : text.bytes);
}

static void loops_from(struct loading *loading, size_t start, enum colour *colours, struct hop *stack)
{
	const struct config_view *view = &loading->config->view;
	size_t depth = 1, next;
	stack[0] = (struct hop){ .topic = start };
	colours[start] = GREY;
	while (depth) {
		struct hop *top = &stack[depth - 1];
		if (!hop_next(view, top, &next)) {
			colours[top->topic] = BLACK;
			depth--;
			if (depth) {
				stack[depth - 1].lane++;
			}
		} else if (colours[next] == WHITE) {
			colours[next] = GREY;
			stack[depth++] = (struct hop){ .topic = next };
		} else {
			if (colours[next] == GREY) {
				size_t first = 0;
				while (stack[first].topic != next) {
					first++;
				}
				loop_report(loading, stack, depth, first);
			}
			top->lane++;
		}
	}
}

static void loops_check(struct loading *loading)
{
	size_t n = loading->config->view.topic_count;
	enum colour *colours = loading_take(loading, n * sizeof(*colours));
	struct hop *stack = loading_take(loading, n * sizeof(*stack));
	for (size_t i = 0; i < n; i++) {
		if (colours[i] == WHITE) {
			loops_from(loading, i, colours, stack);
		}
	}
}

/* --- what nothing uses ------------------------------------------------------ */

static bool delivered_to(const struct config_view *view, const struct config_connector *connector,
	const struct config_topic *topic)
{
	for (size_t i = 0; i < view->route_count; i++) {
		for (size_t j = 0; j < view->routes[i].lane_count; j++) {
			const struct config_lane *lane = &view->routes[i].lanes[j];
			if ((connector && lane->connector == connector) ||
				(topic && lane_topic(lane) == topic)) {
				return true;
			}
		}
	}
	return false;
}

static bool read_from(const struct config_view *view, const char *prefix, const char *name)
{
	for (size_t i = 0; i < view->route_count; i++) {
		if (takes_from(&view->routes[i], prefix, name)) {
			return true;
		}
	}
	return false;
}

static void connector_check(struct loading *loading, const struct config_connector *connector)
{
	const struct config_view *view = &loading->config->view;
	if (!loading->report->errors && !read_from(view, "", connector->name) &&
		!delivered_to(view, connector, NULL)) {
		report_warning(loading->report, connector->place,
			"no route uses the connector `%s`; name it under `from` or `to` of a route, or "
			"remove it",
			connector->name);
	}
	if (connector->kind && strcmp(connector->kind->name, "xmpp") == 0 && !view->xmpp->server) {
		report_error(loading->report, connector->place,
			"connector `%s` (xmpp) needs the link to an XMPP server; write the section `xmpp`",
			connector->name);
	}
	if (config_find_topic(view, connector->name)) {
		report_error(loading->report, connector->place, "`%s` is a connector and a topic; rename one",
			connector->name);
	}
}

static void topic_check(struct loading *loading, const struct config_topic *topic)
{
	const struct config_view *view = &loading->config->view;
	bool alerted = view->hospital->alerts && strcmp(view->hospital->alerts, topic->name) == 0;
	if (!loading->report->errors && !alerted && !topic->implied && !delivered_to(view, NULL, topic) &&
		topic->publish.n == 0) {
		report_warning(loading->report, topic->place,
			"nothing reaches the topic `%s`; put `topic:%s` under `to` of a route, or say who "
			"may `publish`",
			topic->name, topic->name);
	}
}

static void alerts_check(struct loading *loading)
{
	const char *alerts = loading->config->view.hospital->alerts;
	if (alerts && !config_find_topic(&loading->config->view, alerts)) {
		report_error(loading->report, tree_place(loading->sections[SECTION_HOSPITAL]),
			"`alerts` names the topic `%s`, which is not declared; write it under `topics`",
			alerts);
	}
}

/* The option that chooses the ordering key of a source, where the kind has one without a default. */
static bool key_unset(const struct config_connector *connector)
{
	for (const struct xylem_option *option = connector->kind->options; option->name; option++) {
		bool pointer = option->type == XYLEM_OPTION_POINTER || option->type == XYLEM_OPTION_STRING;
		if (strcmp(option->name, "key") == 0 && pointer && !option->default_value) {
			const void *const *value =
				(const void *const *)(const void *)((const char *)connector->options +
								    option->offset);
			return *value == NULL;
		}
	}
	return false;
}

static bool ordered_by_key(const struct config_view *view, const char *source)
{
	for (size_t i = 0; i < view->route_count; i++) {
		const struct config_route *route = &view->routes[i];
		for (size_t j = 0; j < route->lane_count && takes_from(route, "", source); j++) {
			if (route->lanes[j].connector && route->lanes[j].options->order == LANE_ORDER_KEY) {
				return true;
			}
		}
	}
	return false;
}

static void order_check(struct loading *loading, const struct config_connector *connector)
{
	if (!loading->report->errors && (connector->kind->flags & XYLEM_CONNECTOR_SOURCE) &&
		key_unset(connector) && ordered_by_key(&loading->config->view, connector->name)) {
		report_warning(loading->report, connector->place,
			"`key` of connector `%s` is not set, so its messages keep no order unless they bring "
			"a key; set `key`, "
			"or say `deliver: { order: none }` in its routes",
			connector->name);
	}
}

/* Does an option of the connector say that it turns nothing away? By its own words, where it has them. */
static bool turns_away(const struct config_connector *connector)
{
	for (const struct xylem_option *option = connector->kind->options; option->name; option++) {
		if (strcmp(option->name, "offline") == 0 && option->type == XYLEM_OPTION_ENUM) {
			const int *value = (const int *)(const void *)((const char *)connector->options +
								       option->offset);
			return strcmp(option->choices[*value], "discard") == 0;
		}
	}
	return true;
}

static void otherwise_check(struct loading *loading, const struct config_route *route)
{
	for (size_t i = 0; i < route->lane_count; i++) {
		const struct config_lane *lane = &route->lanes[i];
		if (lane->connector && lane->options->otherwise && !loading->report->errors &&
			lane->connector->options && !turns_away(lane->connector)) {
			report_warning(loading->report, lane->place,
				"lane %s of route `%s` has `otherwise`, but the connector `%s` turns no "
				"message away; write `offline: discard` there",
				lane->destination, route->name, lane->connector->name);
		}
	}
}

void crosscheck(struct loading *loading)
{
	const struct config_view *view = &loading->config->view;
	if (view->topic_count) {
		loops_check(loading);
	}
	for (size_t i = 0; i < view->connector_count; i++) {
		connector_check(loading, &view->connectors[i]);
		order_check(loading, &view->connectors[i]);
	}
	for (size_t i = 0; i < view->topic_count; i++) {
		topic_check(loading, &view->topics[i]);
	}
	for (size_t i = 0; i < view->route_count; i++) {
		otherwise_check(loading, &view->routes[i]);
	}
	alerts_check(loading);
}
