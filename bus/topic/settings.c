/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of a topic, as a table: forms are rendered from it, submitted
 * values are checked by it, and the catalogue keeps what differs from what
 * would be without.
 *
 * The rule not to break: a setting that changes nothing must not stand here.
 */
#include <stddef.h>
#include <string.h>

#include <topic/settings.h>
#include <xylem/json.h>

static const struct topic_choice accesses[] = { { "whitelist",
							"Those on the list may subscribe and retrieve" },
	{ "open", "Whoever may talk to the bus may subscribe and retrieve" },
	{ "authorize", "An owner approves each subscription" }, { NULL, NULL } };
static const struct topic_choice publish_models[] = { { "publishers", "Publishers may publish" },
	{ "subscribers", "Subscribers may publish" }, { "open", "Whoever may talk to the bus may publish" },
	{ NULL, NULL } };
static const struct topic_choice send_lasts[] = { { "never", "Never" },
	{ "on_sub", "When a new subscription is processed" },
	{ "on_sub_and_presence",
		"When a new subscription is processed and whenever a subscriber comes online" },
	{ NULL, NULL } };
static const struct topic_choice when_fulls[] = { { "retract-oldest",
							  "Retract the oldest item for the new one" },
	{ "discard-oldest", "Discard the oldest item for the new one" }, { "reject", "Reject the new item" },
	{ NULL, NULL } };
static const struct topic_choice deliveries[] = { { "normal", "Messages of type normal" },
	{ "headline", "Messages of type headline" }, { NULL, NULL } };
static const struct topic_choice replies[] = { { "none", "Nobody" }, { "owner", "The owners" },
	{ "publisher", "The publisher of the item" }, { NULL, NULL } };

#define AT(member) offsetof(struct topic_settings, member)
#define SIZE(member) sizeof(((struct topic_settings *)0)->member)
#define SECONDS_MOST ((int64_t)10 * 365 * 86400)

static const struct topic_setting table[] = {
	{ "title", TOPIC_TEXT, AT(title), SIZE(title), "A friendly name for the node", NULL, 0, true },
	{ "description", TOPIC_TEXT, AT(description), SIZE(description), "A description of the node", NULL, 0,
		true },
	{ "type", TOPIC_TEXT, AT(type), SIZE(type), "The type of the payloads, usually a namespace", NULL, 0,
		true },
	{ "language", TOPIC_TEXT, AT(language), SIZE(language), "The default language of the node", NULL, 0,
		false },
	{ "contact", TOPIC_LINES, AT(contact), SIZE(contact), "The addresses to contact with questions", NULL,
		0, false },
	{ "access_model", TOPIC_CHOICE, AT(access), 0, "Who may subscribe and retrieve items", accesses, 0,
		true },
	{ "publish_model", TOPIC_CHOICE, AT(publish), 0, "Who may publish", publish_models, 0, false },
	{ "subscribe", TOPIC_FLAG, AT(subscribe), 0, "Whether to allow subscriptions", NULL, 0, false },
	{ "deliver_notifications", TOPIC_FLAG, AT(deliver_notifications), 0,
		"Whether to deliver event notifications", NULL, 0, false },
	{ "deliver_payloads", TOPIC_FLAG, AT(deliver_payloads), 0,
		"Whether to deliver payloads with event notifications", NULL, 0, false },
	{ "notification_type", TOPIC_CHOICE, AT(delivery), 0, "The delivery style for notifications",
		deliveries, 0, false },
	{ "presence_based_delivery", TOPIC_FLAG, AT(presence_based), 0,
		"Whether to deliver notifications to available users only", NULL, 0, false },
	{ "send_last_published_item", TOPIC_CHOICE, AT(send_last), 0, "When to send the last published item",
		send_lasts, 0, false },
	{ "persist_items", TOPIC_FLAG, AT(persist), 0, "Whether to persist items to storage", NULL, 0,
		false },
	{ "max_items", TOPIC_NUMBER, AT(max_items), 0,
		"The most items to persist; `max` for all that the bus keeps", NULL, 1000000, true },
	{ "publish_node_full", TOPIC_CHOICE, AT(when_full), 0, "What publishing on a full node does",
		when_fulls, 0, false },
	{ "item_expire", TOPIC_NUMBER, AT(expire_s), 0,
		"Seconds after which items are dropped; `max` for never", NULL, SECONDS_MOST, true },
	{ "max_payload_size", TOPIC_NUMBER, AT(max_payload), 0,
		"The largest payload in bytes; `max` for what the bus takes", NULL, (int64_t)1 << 30, false },
	{ "purge_offline", TOPIC_FLAG, AT(purge_offline), 0,
		"Whether to purge all items when their publisher goes offline", NULL, 0, false },
	{ "tempsub", TOPIC_FLAG, AT(temporary), 0,
		"Whether all subscriptions end when the subscriber goes offline", NULL, 0, false },
	{ "notify_config", TOPIC_FLAG, AT(notify_config), 0,
		"Whether to notify subscribers when the configuration changes", NULL, 0, false },
	{ "notify_delete", TOPIC_FLAG, AT(notify_delete), 0,
		"Whether to notify subscribers when the node is deleted", NULL, 0, false },
	{ "notify_retract", TOPIC_FLAG, AT(notify_retract), 0,
		"Whether to notify subscribers when items are removed", NULL, 0, false },
	{ "notify_sub", TOPIC_FLAG, AT(notify_subscribers), 0,
		"Whether to notify owners about new subscribers and unsubscribes", NULL, 0, false },
	{ "itemreply", TOPIC_CHOICE, AT(item_reply), 0, "Who should receive replies to items", replies, 0,
		false },
};
#define COUNT (sizeof(table) / sizeof(table[0]))

const struct topic_setting *topic_settings_table(size_t *ret_n)
{
	*ret_n = COUNT;
	return table;
}

const struct topic_setting *topic_setting_find(struct xylem_span name)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (xylem_span_is(name, table[i].name)) {
			return &table[i];
		}
	}
	return NULL;
}

bool topic_setting_line(struct xylem_span *left, struct xylem_span *ret_line)
{
	if (left->n == 0) {
		return false;
	}
	const char *end = memchr(left->at, '\n', left->n);
	size_t n = end != NULL ? (size_t)(end - left->at) : left->n;
	*ret_line = xylem_span(left->at, n);
	n += end != NULL;
	*left = xylem_span(left->at + n, left->n - n);
	return true;
}

void topic_settings_default(struct topic_settings *settings)
{
	*settings = (struct topic_settings){
		.access = ACCESS_WHITELIST,
		.send_last = TOPIC_LAST_ON_SUB,
		.deliver_notifications = true,
		.deliver_payloads = true,
		.persist = true,
		.subscribe = true,
		.notify_delete = true,
		.notify_retract = true,
	};
}

/* --- One value ------------------------------------------------------------ */

static void *member(struct topic_settings *settings, const struct topic_setting *setting)
{
	return (char *)settings + setting->offset;
}

static const void *member_of(const struct topic_settings *settings, const struct topic_setting *setting)
{
	return (const char *)settings + setting->offset;
}

static int set_choice(const struct topic_setting *setting, struct xylem_span value, int *ret_choice)
{
	for (int i = 0; setting->choices[i].value != NULL; i++) {
		if (xylem_span_is(value, setting->choices[i].value)) {
			*ret_choice = i;
			return 0;
		}
	}
	bool model = setting->choices == accesses &&
		     (xylem_span_is(value, "presence") || xylem_span_is(value, "roster"));
	return model ? -XYLEM_E_UNSUPPORTED : -XYLEM_E_INVALID;
}

/* XEP-0004: 0, 1, false, true. */
static int set_flag(struct xylem_span value, bool *ret_flag)
{
	bool yes = xylem_span_is(value, "1") || xylem_span_is(value, "true");
	if (!yes && !xylem_span_is(value, "0") && !xylem_span_is(value, "false")) {
		return -XYLEM_E_INVALID;
	}
	*ret_flag = yes;
	return 0;
}

static int set_number(const struct topic_setting *setting, struct xylem_span value, int64_t *ret_number)
{
	int64_t number = 0;
	if (value.n > 0 && !xylem_span_is(value, "max") &&
		(xylem_json_int64(value, &number) != 0 || number < 1 || number > setting->maximum)) {
		return -XYLEM_E_INVALID;
	}
	*ret_number = number;
	return 0;
}

static int set_text(const struct topic_setting *setting, struct xylem_span value, char *text)
{
	if (value.n >= setting->size) {
		return -XYLEM_E_INVALID;
	}
	memcpy(text, value.at != NULL ? value.at : "", value.n);
	text[value.n] = '\0';
	return 0;
}

int topic_settings_set(struct topic_settings *settings, struct xylem_span name, struct xylem_span value,
	struct xylem_reason *reason)
{
	const struct topic_setting *setting = topic_setting_find(name);
	if (setting == NULL) {
		return -XYLEM_E_NOT_FOUND;
	}
	void *at = member(settings, setting);
	int error = setting->kind <= TOPIC_LINES    ? set_text(setting, value, at)
		    : setting->kind == TOPIC_FLAG   ? set_flag(value, at)
		    : setting->kind == TOPIC_CHOICE ? set_choice(setting, value, at)
						    : set_number(setting, value, at);
	if (error != 0) {
		xylem_reason_set(reason, "%s cannot be \"%.*s\"", setting->name,
			(int)(value.n < 80 ? value.n : 80), value.at != NULL ? value.at : "");
	}
	return error;
}

void topic_settings_get(
	const struct topic_settings *settings, const struct topic_setting *setting, struct xylem_buffer *out)
{
	const void *at = member_of(settings, setting);
	switch (setting->kind) {
	case TOPIC_TEXT:
	case TOPIC_LINES:
		xylem_buffer_text(out, at);
		break;
	case TOPIC_FLAG:
		xylem_buffer_byte(out, *(const bool *)at ? '1' : '0');
		break;
	case TOPIC_CHOICE:
		xylem_buffer_text(out, setting->choices[*(const int *)at].value);
		break;
	case TOPIC_NUMBER:
		if (*(const int64_t *)at == 0) {
			xylem_buffer_text(out, "max");
		} else {
			xylem_buffer_format(out, "%lld", (long long)*(const int64_t *)at);
		}
	}
}

bool topic_setting_same(
	const struct topic_settings *a, const struct topic_settings *b, const struct topic_setting *setting)
{
	const void *x = member_of(a, setting), *y = member_of(b, setting);
	switch (setting->kind) {
	case TOPIC_TEXT:
	case TOPIC_LINES:
		return strcmp(x, y) == 0;
	case TOPIC_FLAG:
		return *(const bool *)x == *(const bool *)y;
	case TOPIC_CHOICE:
		return *(const int *)x == *(const int *)y;
	default:
		return *(const int64_t *)x == *(const int64_t *)y;
	}
}

void topic_setting_copy(
	struct topic_settings *to, const struct topic_settings *from, const struct topic_setting *setting)
{
	static const size_t sizes[] = {
		[TOPIC_FLAG] = sizeof(bool), [TOPIC_CHOICE] = sizeof(int), [TOPIC_NUMBER] = sizeof(int64_t)
	};
	memcpy(member(to, setting), member_of(from, setting),
		setting->kind <= TOPIC_LINES ? setting->size : sizes[setting->kind]);
}

/* --- Kept ----------------------------------------------------------------- */

void topic_settings_write(
	const struct topic_settings *settings, const struct topic_settings *base, struct xylem_buffer *out)
{
	XYLEM_BUFFER_SCOPED value = { 0 };

	xylem_buffer_byte(out, '{');
	for (size_t i = 0; i < COUNT; i++) {
		if (topic_setting_same(settings, base, &table[i])) {
			continue;
		}
		xylem_buffer_clear(&value);
		topic_settings_get(settings, &table[i], &value);
		xylem_json_write_name(out, table[i].name);
		xylem_json_write_string(out, xylem_buffer_borrow(&value));
		out->failed = out->failed || value.failed;
	}
	xylem_buffer_byte(out, '}');
}

void topic_settings_read(struct topic_settings *settings, struct xylem_span json)
{
	struct xylem_reason ignored;
	size_t offset;
	struct xylem_arena *arena = xylem_arena_new(0);
	if (arena == NULL || xylem_json_check(json, &offset, &ignored) != 0) {
		xylem_arena_free(arena);
		return;
	}
	for (size_t i = 0; i < COUNT; i++) {
		struct xylem_span text, value = xylem_json_member(json, xylem_span_of(table[i].name));
		if (xylem_json_type(value) == XYLEM_JSON_STRING &&
			xylem_json_string(value, arena, &text) == 0) {
			(void)topic_settings_set(settings, xylem_span_of(table[i].name), text, &ignored);
		}
	}
	xylem_arena_free(arena);
}

/* Cut at a character. */
static void copy_text(char *to, size_t size, const char *text)
{
	size_t n = text != NULL ? strlen(text) : 0;
	if (n >= size) {
		n = size - 1;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) {
			n--;
		}
	}
	memcpy(to, text != NULL ? text : "", n);
	to[n] = '\0';
}

void topic_settings_declared(struct topic_settings *settings, const struct config_topic *topic)
{
	topic_settings_default(settings);
	copy_text(settings->title, sizeof(settings->title), topic->title);
	copy_text(settings->description, sizeof(settings->description), topic->description);
	copy_text(settings->type, sizeof(settings->type), topic->type);
	settings->access = topic->access;
	settings->max_items = topic->max_items;
	settings->expire_s = topic->expire_us / 1000000;
}
