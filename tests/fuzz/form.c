/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as XML that holds submitted forms: what is read is an object of strings and arrays of strings, and each
 * operation takes its arguments out of it or says what is wrong.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <console/xmpp/form.h>
#include <xmpp/stream.h>

#include "../unit/console/test_bus.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void ignore(void *context, const struct xml_node *node)
{
}

static void ignore_end(void *context)
{
}

static void take_all(const json_t *fields)
{
	size_t n;
	const struct operation *const *table = operations(&n);
	for (size_t i = 0; i < n; i++) {
		json_t *arguments = json_object();
		for (const struct xylem_option *option = table[i]->arguments; option->name; option++) {
			struct xylem_reason reason = { "" };
			int error = form_take(fields, option, arguments, &reason);
			assert(error == 0 || reason.text[0]);
		}
		json_decref(arguments);
	}
}

static void read_forms(void *context, const struct xml_node *stanza, int violation)
{
	struct xylem_arena *arena = xylem_arena_new((size_t)8 << 20);
	json_t *fields = NULL;
	const struct xml_node *form = violation ? NULL : xml_child(stanza, NS_DATA, "x");
	if (form && form_read(form, arena, &fields) == 0) {
		take_all(fields);
		json_decref(fields);
	}
	xylem_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct stream_events events = { ignore, read_forms, ignore_end };
	struct xylem_reason reason;
	struct stream *stream = stream_new((size_t)64 * 1024, &events, NULL);
	assert(stream);
	(void)stream_feed(stream, xylem_span((const char *)bytes, n), &reason);
	stream_free(stream);
	return 0;
}
