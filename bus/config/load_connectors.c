/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connectors and topics. A connector is `NAME: { KIND: { options } }`: the kind
 * says which descriptor, the descriptor's table says which options. A kind with a
 * short form may be written `NAME: { KIND: VALUE }`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <config/loading.h>
#include <config/nearest.h>
#include <config/report.h>
#include <config/text.h>

static void kind_fill(
	struct loading *loading, const struct tree_member *kind, struct config_connector *connector)
{
	char subject[160];
	struct loading_part part;
	struct xylem_reason reason;
	snprintf(subject, sizeof(subject), "connector `%.64s` (%.32s)", connector->name,
		connector->kind->name);
	void *options = loading_take(loading, connector->kind->options_size);
	part_begin(loading, &part, subject);
	digest_text(&part.digest, connector->kind->name);
	int error = option_is_short_form(connector->kind->options, kind->value)
			    ? config_fill_short(connector->kind->options, options, kind->value, &part.fill)
			    : config_fill(connector->kind->options, options, kind->value, &part.fill);
	if (!error && connector->kind->check && connector->kind->check(options, &reason) < 0) {
		report_error(loading->report, tree_place(kind->key), "%s: %s", subject, reason.text);
	}
	part_end(loading, &part, connector->options_hash);
	connector->options = options;
}

static void connector_load(
	struct loading *loading, const struct tree_member *member, struct config_connector *connector)
{
	struct xylem_reason reason;
	char quoted[TREE_QUOTE_SIZE];
	const struct tree_node *value = member->value;
	connector->name = member->key->text;
	connector->place = tree_place(member->key);
	if (text_name(member->key->text, &reason) < 0) {
		report_error(loading->report, connector->place, "connector %s %s",
			tree_quote(member->key, quoted), reason.text);
	}
	if (value->kind != TREE_MAPPING || value->n != 1) {
		report_error(loading->report, tree_place(value),
			"connector `%.64s` must have exactly one kind; write `%.64s: { KIND: { options } }`",
			connector->name, connector->name);
		return;
	}
	connector->kind = registry_connector(value->members[0].key->text, &reason);
	if (!connector->kind) {
		report_error(loading->report, tree_place(value->members[0].key), "connector `%.64s`: %s",
			connector->name, reason.text);
		return;
	}
	if (!loading->routes_only) {
		kind_fill(loading, &value->members[0], connector);
	}
}

void connectors_load(struct loading *loading)
{
	const struct tree_node *section = loading->sections[SECTION_CONNECTORS];
	if (!section || !section->n) {
		return;
	}
	struct config_connector *connectors = loading_take(loading, section->n * sizeof(*connectors));
	for (size_t i = 0; i < section->n; i++) {
		connector_load(loading, &section->members[i], &connectors[i]);
	}
	loading->config->view.connectors = connectors;
	loading->config->view.connector_count = section->n;
}

static void topic_load(struct loading *loading, const struct tree_member *member, struct config_topic *topic)
{
	char subject[128], list_subject[160], quoted[TREE_QUOTE_SIZE];
	struct loading_part part;
	struct xylem_reason reason;
	topic->name = member->key->text;
	topic->place = tree_place(member->key);
	snprintf(subject, sizeof(subject), "topic `%.64s`", topic->name);
	if (text_topic_name(topic->name, &reason) < 0) {
		report_error(loading->report, topic->place, "topic %s %s", tree_quote(member->key, quoted),
			reason.text);
	}
	part_begin(loading, &part, subject);
	if (config_fill(sections[SECTION_TOPICS].options, topic, member->value, &part.fill) == 0) {
		snprintf(list_subject, sizeof(list_subject), "`subscribe` of %s", subject);
		jids_normalise(loading, &topic->subscribe, tree_find(member->value, "subscribe"),
			list_subject, true);
		snprintf(list_subject, sizeof(list_subject), "`publish` of %s", subject);
		jids_normalise(
			loading, &topic->publish, tree_find(member->value, "publish"), list_subject, true);
	}
	part_end(loading, &part, NULL);
}

void topics_load(struct loading *loading)
{
	const struct tree_node *section = loading->sections[SECTION_TOPICS];
	if (!section || !section->n) {
		return;
	}
	struct config_topic *topics = loading_take(loading, section->n * sizeof(*topics));
	for (size_t i = 0; i < section->n; i++) {
		topic_load(loading, &section->members[i], &topics[i]);
	}
	loading->config->view.topics = topics;
	loading->config->view.topic_count = section->n;
}

/* The three arrays are sorted by name, and the name is the first member of each entry. */
static int by_name(const void *name, const void *entry)
{
	return strcmp(name, *(const char *const *)entry);
}

const struct config_connector *config_find_connector(const struct config_view *view, const char *name)
{
	return view->connector_count ? bsearch(name, view->connectors, view->connector_count,
					       sizeof(*view->connectors), by_name)
				     : NULL;
}

const struct config_topic *config_find_topic(const struct config_view *view, const char *name)
{
	return view->topic_count
		       ? bsearch(name, view->topics, view->topic_count, sizeof(*view->topics), by_name)
		       : NULL;
}

const struct config_route *config_find_route(const struct config_view *view, const char *name)
{
	return view->route_count
		       ? bsearch(name, view->routes, view->route_count, sizeof(*view->routes), by_name)
		       : NULL;
}

static bool route_has_source(const struct config_route *route, const char *connector)
{
	for (size_t i = 0; i < route->from.n; i++) {
		if (strcmp(route->from.items[i], connector) == 0) {
			return true;
		}
	}
	return false;
}

bool config_takes_in(const struct config_view *view, const char *connector)
{
	bool destination = false;
	for (size_t i = 0; i < view->route_count; i++) {
		const struct config_route *route = &view->routes[i];
		if (route_has_source(route, connector)) {
			return true;
		}
		for (size_t k = 0; k < route->lane_count; k++) {
			const struct config_connector *to = route->lanes[k].connector;
			destination |= to && strcmp(to->name, connector) == 0;
		}
	}
	return !destination;
}
