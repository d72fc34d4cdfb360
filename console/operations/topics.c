/* SPDX-License-Identifier: Apache-2.0 */
/* topics: the named streams inside the bus and who may have them. */
#include <console/operations/table.h>
#include <console/view.h>

static const struct xylem_option options[] = { XYLEM_OPTIONS_END };

static json_t *topic_view(const struct config_topic *topic)
{
	static const char *const accesses[] = { "whitelist", "open", "authorize" };
	return json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:I, s:f, s:o}", "name", topic->name, "title",
		view_text(xylem_span_of(topic->title)), "description",
		view_text(xylem_span_of(topic->description)), "access", accesses[topic->access], "subscribe",
		view_strings(&topic->subscribe), "publish", view_strings(&topic->publish), "max_items",
		(json_int_t)topic->max_items, "expire_s", (double)topic->expire_us / 1e6, "place",
		view_place(&topic->place));
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	struct config *config = bus_config(bus);
	const struct config_view *view = config_view(config);
	json_t *list = json_array();
	for (size_t i = 0; i < view->topic_count; i++) {
		json_array_append_new(list, topic_view(&view->topics[i]));
	}
	config_unref(config);
	*ret_result = json_pack("{s:o}", "topics", list);
	return 0;
}

const struct operation operation_topics = {
	.name = "topics",
	.words = "topics",
	.method = "GET",
	.path = "topics",
	.role = ROLE_VIEWER,
	.summary = "Lists the topics of the configuration and who may subscribe and publish.",
	.arguments = options,
	.run = run,
};
