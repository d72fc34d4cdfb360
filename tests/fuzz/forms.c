/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any stanza as what PubSub reads from one: forms of settings and of options,
 * pages. What was read is written and reads again the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xmpp/pubsub.h>
#include <xmpp/rsm.h>
#include <xmpp/stream.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define HEADER \
	"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"

static void ignore(void *context, const struct xml_node *node)
{
}

static void ignore_end(void *context)
{
}

static void read_again(void *context, const struct xml_node *stanza, int violation)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_reason reason;
	bool cancel;
	const struct xml_node *form = form_find(stanza, &cancel);
	assert(arena != NULL && violation == 0 && form != NULL && !cancel);
	assert(form_says(form, FORM_CONFIG, arena));
	assert(settings_read_form(context, form, true, arena, &reason) == 0);
	xylem_arena_free(arena);
}

static void feed(struct xylem_span text, const struct stream_events *events, void *context)
{
	struct xylem_reason reason;
	struct stream *stream = stream_new((size_t)64 * 1024, events, context);
	assert(stream != NULL);
	(void)stream_feed(stream, text, &reason);
	stream_free(stream);
}

static void check_settings(const struct xml_node *form, struct xylem_arena *arena)
{
	static const struct stream_events again = { ignore, read_again, ignore_end };
	XYLEM_BUFFER_SCOPED text = { 0 };
	struct topic_settings settings, read;
	struct xylem_reason reason;
	size_t n, at;
	const struct topic_setting *table = topic_settings_table(&n);

	topic_settings_default(&settings);
	topic_settings_default(&read);
	if (settings_read_form(&settings, form, false, arena, &reason) != 0) {
		return;
	}
	xylem_buffer_text(&text, HEADER "<iq>");
	settings_write_form(&text, &settings, "submit", 0);
	xylem_buffer_text(&text, "</iq>");
	assert(xml_check(xylem_buffer_borrow(&text), &at));
	feed(xylem_buffer_borrow(&text), &again, &read);
	for (size_t i = 0; i < n; i++) {
		assert(topic_setting_same(&settings, &read, &table[i]));
	}
}

static void check(void *context, const struct xml_node *stanza, int violation)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct topic_subscription_options options;
	struct xylem_reason reason;
	struct rsm rsm;
	bool cancel;
	const struct xml_node *form = form_find(stanza, &cancel);

	assert(arena != NULL);
	if (violation == 0 && form != NULL) {
		check_settings(form, arena);
		topic_subscription_default(&options);
		(void)options_read_form(&options, form, arena, &reason);
	}
	if (violation == 0) {
		(void)rsm_read(stanza, &rsm, arena);
	}
	xylem_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct stream_events events = { ignore, check, ignore_end };
	XYLEM_BUFFER_SCOPED text = { 0 };

	xylem_buffer_text(&text, HEADER);
	xylem_buffer_append(&text, bytes, n);
	feed(xylem_buffer_borrow(&text), &events, NULL);
	return 0;
}
