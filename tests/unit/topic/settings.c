/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a topic: set from text, written back, kept as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <topic/settings.h>

static int set(struct topic_settings *settings, const char *name, const char *value)
{
	struct xylem_reason reason = { "" };
	return topic_settings_set(settings, xylem_span_of(name), xylem_span_of(value), &reason);
}

static void values(void **state)
{
	static const struct {
		const char *name, *value;
		int error;
		const char *back; /* NULL: as given */
	} cases[] = {
		{ "title", "Ä <&>", 0, NULL },
		{ "title", "", 0, NULL },
		{ "access_model", "open", 0, NULL },
		{ "access_model", "authorize", 0, NULL },
		{ "access_model", "presence", -XYLEM_E_UNSUPPORTED, NULL },
		{ "access_model", "roster", -XYLEM_E_UNSUPPORTED, NULL },
		{ "access_model", "anybody", -XYLEM_E_INVALID, NULL },
		{ "persist_items", "false", 0, "0" },
		{ "persist_items", "1", 0, NULL },
		{ "persist_items", "yes", -XYLEM_E_INVALID, NULL },
		{ "max_items", "7", 0, NULL },
		{ "max_items", "max", 0, NULL },
		{ "max_items", "", 0, "max" },
		{ "max_items", "0", -XYLEM_E_INVALID, NULL },
		{ "max_items", "-1", -XYLEM_E_INVALID, NULL },
		{ "max_items", "1000001", -XYLEM_E_INVALID, NULL },
		{ "item_expire", "3600", 0, NULL },
		{ "notification_type", "headline", 0, NULL },
		{ "notification_type", "chat", -XYLEM_E_INVALID, NULL },
		{ "publish_node_full", "reject", 0, NULL },
		{ "no_such", "1", -XYLEM_E_NOT_FOUND, NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct topic_settings settings, before;
		XYLEM_BUFFER_SCOPED text = { 0 };
		topic_settings_default(&settings);
		before = settings;
		assert_int_equal(set(&settings, cases[i].name, cases[i].value), cases[i].error);
		const struct topic_setting *row = topic_setting_find(xylem_span_of(cases[i].name));
		if (cases[i].error != 0) {
			assert_true(row == NULL || topic_setting_same(&settings, &before, row));
			continue;
		}
		topic_settings_get(&settings, row, &text);
		assert_true(xylem_span_is(
			xylem_buffer_borrow(&text), cases[i].back != NULL ? cases[i].back : cases[i].value));
	}
}

static void texts_have_an_end(void **state)
{
	struct topic_settings settings;
	char text[257];
	topic_settings_default(&settings);
	memset(text, 'x', sizeof(text));
	text[256] = '\0';
	assert_int_equal(set(&settings, "title", text), -XYLEM_E_INVALID);
	text[255] = '\0';
	assert_int_equal(set(&settings, "title", text), 0);
	assert_string_equal(settings.title, text);
}

/* Only what differs is kept, and comes back as it was. */
static void kept(void **state)
{
	struct topic_settings base, settings, again;
	XYLEM_BUFFER_SCOPED json = { 0 };
	size_t n;
	const struct topic_setting *table = topic_settings_table(&n);

	topic_settings_default(&base);
	settings = again = base;
	topic_settings_write(&settings, &base, &json);
	assert_true(xylem_span_is(xylem_buffer_borrow(&json), "{}"));
	assert_int_equal(set(&settings, "title", "a \"b\" \\ \n"), 0);
	assert_int_equal(set(&settings, "access_model", "open"), 0);
	assert_int_equal(set(&settings, "deliver_payloads", "0"), 0);
	assert_int_equal(set(&settings, "max_items", "12"), 0);
	xylem_buffer_clear(&json);
	topic_settings_write(&settings, &base, &json);
	topic_settings_read(&again, xylem_buffer_borrow(&json));
	for (size_t i = 0; i < n; i++) {
		assert_true(topic_setting_same(&settings, &again, &table[i]));
	}
	/* What is no JSON, or not valid any more, leaves what there is. */
	topic_settings_read(&again, XYLEM_SPAN_LITERAL("{\"access_model\":\"none\",\"max_items\":12"));
	topic_settings_read(&again, XYLEM_SPAN_LITERAL("{\"access_model\":\"none\",\"max_items\":12}"));
	assert_int_equal(again.access, ACCESS_OPEN);
}

static void declared(void **state)
{
	struct topic_settings settings;
	char title[300];
	memset(title, 'x', sizeof(title));
	memcpy(title + 254, "\xc3\xa4", 3); /* the field's last byte is the first half of a letter */
	const struct config_topic topic = {
		.name = "t", .title = title, .access = ACCESS_AUTHORIZE, .max_items = 3, .expire_us = 5000000
	};
	topic_settings_declared(&settings, &topic);
	assert_int_equal(strlen(settings.title), 254);
	assert_int_equal(settings.access, ACCESS_AUTHORIZE);
	assert_int_equal(settings.max_items, 3);
	assert_int_equal(settings.expire_s, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(values), cmocka_unit_test(texts_have_an_end),
		cmocka_unit_test(kept), cmocka_unit_test(declared) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
