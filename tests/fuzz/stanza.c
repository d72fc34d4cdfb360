/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an XML stream: no fault, and each child of a stanza that was read
 * is written so that it reads again the same, wherever it is put. What was
 * written in a message's body is some of it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <xylem/error.h>
#include <xmpp/body.h>
#include <xmpp/stanza.h>
#include <xmpp/stream.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define LIMIT ((size_t)64 * 1024)
#define HEADER \
	"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"

static void ignore(void *context, const struct xml_node *node)
{
}

static void ignore_end(void *context)
{
}

static void write_child(void *context, const struct xml_node *stanza, int violation)
{
	const struct xml_node *child = xml_child(stanza, NULL, NULL);
	if (violation == 0 && child != NULL) {
		xml_write(child, context);
	}
}

static void read_text(struct xylem_span text, const struct stream_events *events, void *context)
{
	struct xylem_reason reason;
	struct stream *stream = stream_new(LIMIT, events, context);
	assert(stream != NULL);
	(void)stream_feed(stream, text, &reason);
	stream_free(stream);
}

/* What was written is never more than the body, and is cut between characters. */
static void check_body(const struct xml_node *stanza)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	size_t at;

	assert(arena != NULL);
	struct xylem_span written = body_written(stanza, arena);
	assert(xylem_span_present(written) == body_is_written(stanza));
	assert(!xylem_span_present(written) ||
		(xml_check(written, &at) &&
			written.n <= xml_text(xml_child(stanza, NS_COMPONENT, "body"), arena).n));
	xylem_arena_free(arena);
}

static void check(void *context, const struct xml_node *stanza, int violation)
{
	static const struct stream_events again = { ignore, write_child, ignore_end };
	const struct xml_node *child = xml_child(stanza, NULL, NULL);
	XYLEM_BUFFER_SCOPED first = { 0 };
	XYLEM_BUFFER_SCOPED second = { 0 };
	XYLEM_BUFFER_SCOPED wrapped = { 0 };
	size_t at;

	if (violation != 0 || child == NULL) {
		return;
	}
	check_body(stanza);
	xml_write(child, &first);
	assert(xml_check(xylem_buffer_borrow(&first), &at));
	xylem_buffer_text(&wrapped, HEADER "<iq xmlns='u:another'>");
	xylem_buffer_span(&wrapped, xylem_buffer_borrow(&first));
	xylem_buffer_text(&wrapped, "</iq>");
	/* What was inherited and is now written out can make it larger than a limit. */
	if (first.n < LIMIT / 2) {
		read_text(xylem_buffer_borrow(&wrapped), &again, &second);
		assert(second.n == 0 ||
			xylem_span_equal(xylem_buffer_borrow(&first), xylem_buffer_borrow(&second)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct stream_events events = { ignore, check, ignore_end };
	XYLEM_BUFFER_SCOPED text = { 0 };

	read_text(xylem_span((const char *)bytes, n), &events, NULL);
	xylem_buffer_text(&text, HEADER);
	xylem_buffer_append(&text, bytes, n);
	read_text(xylem_buffer_borrow(&text), &events, NULL);
	return 0;
}
