/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOPIC_SETTINGS_H
#define TOPIC_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <config/config.h>
#include <xylem/buffer.h>
#include <xylem/error.h>

/*
 * What a topic is set to: the node configuration of XEP-0060 (16.4.4), as a
 * table that the forms, the catalogue and the checks read. Values are a struct
 * of their own; texts are cut at the size of their field.
 */
enum topic_publish_model { TOPIC_PUBLISHERS, TOPIC_SUBSCRIBERS, TOPIC_ANYBODY };
enum topic_send_last { TOPIC_LAST_NEVER, TOPIC_LAST_ON_SUB, TOPIC_LAST_ON_PRESENCE };
enum topic_when_full { TOPIC_RETRACT_OLDEST, TOPIC_DISCARD_OLDEST, TOPIC_REJECT };
enum topic_delivery { TOPIC_NORMAL, TOPIC_HEADLINE };
enum topic_reply { TOPIC_REPLY_NONE, TOPIC_REPLY_OWNER, TOPIC_REPLY_PUBLISHER };

struct topic_settings {
	char title[256], description[512], type[128], language[36], contact[256];
	int access;     /* enum config_access */
	int publish;    /* enum topic_publish_model */
	int send_last;  /* enum topic_send_last */
	int when_full;  /* enum topic_when_full */
	int delivery;   /* enum topic_delivery: the type of notifications */
	int item_reply; /* enum topic_reply */
	bool deliver_notifications, deliver_payloads, persist, subscribe;
	bool presence_based, purge_offline, temporary;
	bool notify_config, notify_delete, notify_retract, notify_subscribers;
	int64_t max_items;   /* 0: all that the journal keeps (`max`) */
	int64_t max_payload; /* bytes; 0: what the bus takes */
	int64_t expire_s;    /* of items; 0: none (`max`) */
};

/* LINES: several texts, kept as one a line. */
enum topic_setting_kind { TOPIC_TEXT, TOPIC_LINES, TOPIC_FLAG, TOPIC_CHOICE, TOPIC_NUMBER };

struct topic_choice {
	const char *value, *label;
};
struct topic_setting {
	const char *name; /* without `pubsub#` */
	enum topic_setting_kind kind;
	size_t offset, size;                /* of the member; size of a text or of lines */
	const char *label;                  /* for a person */
	const struct topic_choice *choices; /* of CHOICE, in the order of its enum, ended by NULL */
	int64_t maximum;                    /* of NUMBER; 0 is written `max` */
	bool declared; /* a topic of the configuration has it from there: it cannot be changed elsewhere */
};
/* The first line of what *left is, which is then what comes behind it. False: there is none. */
bool topic_setting_line(struct xylem_span *left, struct xylem_span *ret_line);
/* All of them, in the order of the form. */
const struct topic_setting *topic_settings_table(size_t *ret_n);
const struct topic_setting *topic_setting_find(struct xylem_span name);

/* A new topic's, before anybody has said anything. */
void topic_settings_default(struct topic_settings *settings);
/*
 * One value as text. -XYLEM_E_NOT_FOUND: no such setting; -XYLEM_E_UNSUPPORTED:
 * an access model of XEP-0060 that a component cannot have (`presence`,
 * `roster`); -XYLEM_E_INVALID, with the reason.
 */
int topic_settings_set(struct topic_settings *settings, struct xylem_span name, struct xylem_span value,
	struct xylem_reason *reason);
/* The value as topic_settings_set() takes it. */
void topic_settings_get(
	const struct topic_settings *settings, const struct topic_setting *setting, struct xylem_buffer *out);
bool topic_setting_same(
	const struct topic_settings *a, const struct topic_settings *b, const struct topic_setting *setting);

void topic_setting_copy(
	struct topic_settings *to, const struct topic_settings *from, const struct topic_setting *setting);

/* What differs from `base` as a JSON object of texts, and back; a value that is not valid any more is passed over. */
void topic_settings_write(
	const struct topic_settings *settings, const struct topic_settings *base, struct xylem_buffer *out);
void topic_settings_read(struct topic_settings *settings, struct xylem_span json);
/* What the configuration says of a topic, over the default. */
void topic_settings_declared(struct topic_settings *settings, const struct config_topic *topic);

#endif
