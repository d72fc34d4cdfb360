/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: what the configuration in force consists of: names, kinds and places. Option values are not shown,
 * so that no secret and no address of a partner can slip out by this way.
 */
#include <console/operations/table.h>
#include <console/view.h>

static const struct xylem_option options[] = { XYLEM_OPTIONS_END };

static json_t *named(const char *name, const char *kind, const struct config_place *place)
{
	return json_pack("{s:s, s:s*, s:o}", "name", name, "kind", kind, "place", view_place(place));
}

static json_t *users_view(const struct config_view *view)
{
	json_t *list = json_array();
	for (size_t i = 0; i < view->user_count; i++) {
		const struct config_user *user = &view->users[i];
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o}", "name", user->name, "role",
						    config_role_name(user->role), "token",
						    user->token != NULL, "jids", view_strings(&user->jids)));
	}
	return list;
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	struct config *config = bus_config(bus);
	const struct config_view *view = config_view(config);
	json_t *connectors = json_array(), *topics = json_array(), *routes = json_array();
	for (size_t i = 0; i < view->connector_count; i++) {
		const struct config_connector *connector = &view->connectors[i];
		json_array_append_new(
			connectors, named(connector->name, connector->kind->name, &connector->place));
	}
	for (size_t i = 0; i < view->topic_count; i++) {
		json_array_append_new(topics, named(view->topics[i].name, NULL, &view->topics[i].place));
	}
	for (size_t i = 0; i < view->route_count; i++) {
		json_array_append_new(routes, named(view->routes[i].name, NULL, &view->routes[i].place));
	}
	*ret_result = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "generation", view->generation, "name",
		view->bus->name, "data", view->bus->data, "users", users_view(view), "connectors", connectors,
		"topics", topics, "routes", routes);
	config_unref(config);
	return 0;
}

const struct operation operation_config = {
	.name = "config",
	.words = "config",
	.method = "GET",
	.path = "config",
	.role = ROLE_DEPLOYER,
	.summary = "Shows what the configuration in force consists of, without the values of options.",
	.arguments = options,
	.run = run,
};
