/* SPDX-License-Identifier: Apache-2.0 */
/* topics: the named streams inside the bus and who may have them. */
#include <stdlib.h>

#include <console/operations/table.h>
#include <console/view.h>
#include <topic/topic.h>

static const struct xylem_option options[] = { XYLEM_OPTIONS_END };

static json_t *text_of(const char *text)
{
	return view_text(text[0] != '\0' ? xylem_span_of(text) : XYLEM_SPAN_NONE);
}

/* Who may, and where it stands: only of a topic that the configuration declares. */
static void add_declared(json_t *view, const struct config_topic *topic)
{
	json_object_set_new(
		view, "subscribe", topic != NULL ? view_strings(&topic->subscribe) : json_array());
	json_object_set_new(view, "publish", topic != NULL ? view_strings(&topic->publish) : json_array());
	json_object_set_new(view, "place", topic != NULL ? view_place(&topic->place) : json_null());
}

static json_t *topic_view(const struct topic_state *topic, const struct config_topic *declared)
{
	static const char *const accesses[] = { "whitelist", "open", "authorize" };
	const struct topic_settings *settings = &topic->settings;
	json_t *view = json_pack("{s:s, s:b, s:o, s:o, s:o, s:s, s:I, s:f, s:I}", "name", topic->name,
		"declared", declared != NULL, "title", text_of(settings->title), "description",
		text_of(settings->description), "type", text_of(settings->type), "access",
		accesses[settings->access], "max_items", (json_int_t)settings->max_items, "expire_s",
		(double)settings->expire_s, "subscriptions", (json_int_t)topic->subscriptions);
	if (view != NULL) {
		json_object_set_new(view, "creator", text_of(topic->creator));
		add_declared(view, declared);
	}
	return view;
}

static int run(struct bus *bus, const struct operation_caller *caller, const void *given,
	struct xylem_span body, json_t **ret_result, struct xylem_reason *reason)
{
	struct topic_state *topics = NULL;
	size_t n = 0;
	int error = topics_list(bus_topics(bus), NULL, &topics, &n);
	if (error != 0) {
		return error;
	}
	struct config *config = bus_config(bus);
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		const struct config_topic *declared = config_find_topic(config_view(config), topics[i].name);
		declared = declared != NULL && declared->implied ? NULL : declared;
		json_array_append_new(list, topic_view(&topics[i], declared));
	}
	config_unref(config);
	free(topics);
	*ret_result = json_pack("{s:o}", "topics", list);
	return 0;
}

const struct operation operation_topics = {
	.name = "topics",
	.words = "topics",
	.method = "GET",
	.path = "topics",
	.role = ROLE_VIEWER,
	.summary = "Lists the topics, declared and made by clients, and who may subscribe and publish.",
	.arguments = options,
	.run = run,
};
