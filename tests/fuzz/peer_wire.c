/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what another bus sends, a batch or the answer to one: no fault,
 * and what was read is written so that it reads again the same. Bytes that begin
 * with the magic of the file of known names are read as that instead.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <connectors/peer_known.h>
#include <connectors/peer_wire.h>
#include <xmpp/stream.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define LIMIT ((size_t)256 * 1024)
#define HEADER \
	"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"

static void ignore(void *context, const struct xml_node *node)
{
}

static void ignore_end(void *context)
{
}

static void read_text(struct xylem_span text, const struct stream_events *events, void *context)
{
	struct xylem_reason reason;
	struct stream *stream = stream_new(LIMIT, events, context);
	assert(stream != NULL);
	(void)stream_feed(stream, text, &reason);
	stream_free(stream);
}

static void same_span(struct xylem_span a, struct xylem_span b)
{
	assert(xylem_span_present(a) == xylem_span_present(b) && xylem_span_equal(a, b));
}

static void same_event(const struct peer_event *a, const struct peer_event *b)
{
	same_span(a->ref, b->ref);
	same_span(a->message.key, b->message.key);
	same_span(a->message.id, b->message.id);
	same_span(a->message.source, b->message.source);
	same_span(a->message.type, b->message.type);
	same_span(a->message.subject, b->message.subject);
	same_span(a->message.time, b->message.time);
	same_span(a->message.datacontenttype, b->message.datacontenttype);
	same_span(a->message.dataschema, b->message.dataschema);
	same_span(a->message.data, b->message.data);
	assert(a->message.extension_count == b->message.extension_count);
	for (size_t i = 0; i < a->message.extension_count; i++) {
		same_span(a->message.extensions[i].name, b->message.extensions[i].name);
		same_span(a->message.extensions[i].value, b->message.extensions[i].value);
	}
}

static void check_again(void *context, const struct xml_node *stanza, int violation)
{
	const struct peer_batch *first = context;
	struct peer_batch second;
	struct xylem_reason reason;
	struct xylem_arena *arena = xylem_arena_new(0);

	if (violation == 0) {
		assert(peer_batch_read(xml_child(stanza, NULL, NULL), arena, &second, &reason) == 0);
		same_span(first->stream, second.stream);
		same_span(first->call, second.call);
		assert(first->number == second.number && first->count == second.count);
		for (size_t i = 0; i < first->count; i++) {
			same_event(&first->events[i], &second.events[i]);
		}
	}
	xylem_arena_free(arena);
}

static void write_again(struct peer_batch *batch)
{
	static const struct stream_events again = { ignore, check_again, ignore_end };
	XYLEM_BUFFER_SCOPED text = { 0 };

	xylem_buffer_text(&text, HEADER "<iq>");
	peer_batch_open(&text, batch->stream, batch->call, batch->number);
	for (size_t i = 0; i < batch->count; i++) {
		size_t before = text.n;
		peer_event_write(&text, batch->events[i].ref, &batch->events[i].message);
		(void)peer_hops(&batch->events[i].message);
		assert(text.n - before <= peer_event_cost(&batch->events[i].message));
	}
	peer_batch_close(&text);
	xylem_buffer_text(&text, "</iq>");
	read_text(xylem_buffer_borrow(&text), &again, batch);
}

static void check_answer(const struct xml_node *element, struct xylem_arena *arena)
{
	struct peer_taken taken;
	XYLEM_BUFFER_SCOPED text = { 0 };
	if (peer_taken_read(element, arena, &taken) == 0) {
		assert(taken.count <= PEER_EVENTS_MAX);
		peer_taken_write(&text, &taken);
	}
}

static void check(void *context, const struct xml_node *stanza, int violation)
{
	const struct xml_node *child = xml_child(stanza, NULL, NULL);
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_reason reason;
	struct peer_batch batch;

	if (violation == 0 && child != NULL) {
		if (peer_batch_read(child, arena, &batch, &reason) == 0) {
			write_again(&batch);
		}
		check_answer(child, arena);
	}
	xylem_arena_free(arena);
}

static void check_known(struct xylem_span bytes)
{
	struct peer_known *known = peer_known_new(300);
	struct xylem_position from;
	XYLEM_BUFFER_SCOPED again = { 0 };
	if (peer_known_read(known, bytes, &from) == 0) {
		peer_known_write(known, from, &again);
	}
	peer_known_free(known);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct stream_events events = { ignore, check, ignore_end };
	XYLEM_BUFFER_SCOPED text = { 0 };

	if (n > 0 && bytes[0] == 'X') {
		check_known(xylem_span((const char *)bytes, n));
		return 0;
	}
	xylem_buffer_text(&text, HEADER);
	xylem_buffer_append(&text, bytes, n);
	read_text(xylem_buffer_borrow(&text), &events, NULL);
	return 0;
}
