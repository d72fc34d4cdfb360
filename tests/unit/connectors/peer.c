/* SPDX-License-Identifier: Apache-2.0 */
/* What a bus knows of another one's repeats, and the XML between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <connectors/peer_known.h>
#include <connectors/peer_wire.h>
#include <xmpp/stream.h>

#define NOW INT64_C(1795200000000000)
#define NONE ((struct xylem_position){ 0, 0 })

static struct peer_name name_of(size_t i)
{
	char ref[32];
	snprintf(ref, sizeof(ref), "0-%zu.0.1", i);
	return peer_name_of(xylem_span_of(ref));
}

static struct peer_stream *stream_of(struct peer_known *known, const char *peer, const char *stream)
{
	struct peer_stream *found = NULL;
	assert_int_equal(
		peer_known_stream(known, xylem_span_of(peer), xylem_span_of(stream), NOW, &found), 0);
	return found;
}

static void check_known(
	const struct peer_stream *stream, size_t i, enum peer_verdict verdict, uint64_t offset)
{
	struct xylem_position handle = NONE;
	assert_int_equal(peer_stream_find(stream, name_of(i), &handle), verdict);
	assert_int_equal(handle.offset, offset);
}

static void a_name_is_new_then_under_way_then_taken(void **state)
{
	struct peer_known *known = peer_known_new(1000);
	struct peer_stream *stream = stream_of(known, "bus.a.test", "orders");
	check_known(stream, 1, PEER_NEW, 0);
	assert_int_equal(peer_stream_add(stream, name_of(1), NONE), 0);
	check_known(stream, 1, PEER_UNDER_WAY, 0);
	peer_stream_settle(stream, name_of(1), (struct xylem_position){ 3, 88 });
	check_known(stream, 1, PEER_TAKEN, 88);
	peer_stream_drop(stream, name_of(1)); /* what is on the disk stays */
	check_known(stream, 1, PEER_TAKEN, 88);
	assert_int_equal(peer_stream_add(stream, name_of(2), NONE), 0);
	peer_stream_drop(stream, name_of(2));
	check_known(stream, 2, PEER_NEW, 0);
	check_known(stream_of(known, "bus.a.test", "invoices"), 1, PEER_NEW, 0);
	check_known(stream_of(known, "bus.b.test", "orders"), 1, PEER_NEW, 0);
	assert_ptr_equal(stream_of(known, "bus.a.test", "orders"), stream);
	peer_known_free(known);
	assert_null(peer_known_free(NULL));
}

static void the_oldest_names_go_first(void **state)
{
	struct peer_known *known = peer_known_new(700);
	struct peer_stream *stream = stream_of(known, "bus.a.test", "orders");
	for (size_t i = 1; i <= 5000; i++) {
		assert_int_equal(peer_stream_add(stream, name_of(i), (struct xylem_position){ 0, i }), 0);
		if (i % 3 == 0) { /* a gap in the ring changes nothing */
			assert_int_equal(peer_stream_add(stream, name_of(100000 + i), NONE), 0);
			peer_stream_drop(stream, name_of(100000 + i));
		}
	}
	/* 700 places, every fourth of them given back. */
	for (size_t i = 1; i <= 4470; i++) {
		check_known(stream, i, PEER_NEW, 0);
	}
	for (size_t i = 4480; i <= 5000; i++) {
		check_known(stream, i, PEER_TAKEN, i);
	}
	peer_known_free(known);
}

static void streams_are_bounded(void **state)
{
	struct peer_known *known = peer_known_new(256);
	struct peer_stream *stream;
	char name[32];
	for (int i = 0; i < PEER_STREAMS_MAX; i++) {
		snprintf(name, sizeof(name), "route-%d", i);
		stream_of(known, "bus.a.test", name);
	}
	struct xylem_span peer = XYLEM_SPAN_LITERAL("bus.a.test"), more = XYLEM_SPAN_LITERAL("more");
	assert_int_equal(peer_known_stream(known, peer, more, NOW + 1000, &stream), -XYLEM_E_LIMIT);
	/* Another peer has its own, also one whose name begins in the same way. */
	for (int i = 0; i < PEER_STREAMS_MAX; i++) {
		snprintf(name, sizeof(name), "route-%d", i);
		stream_of(known, "bus.a.test.example", name);
		stream_of(known, "bus.b.test", name);
	}
	assert_int_equal(peer_known_stream(known, peer, more, NOW + 1000, &stream), -XYLEM_E_LIMIT);
	stream_of(known, "bus.b.test", "route-0");
	assert_int_equal(peer_known_stream(known, peer, more, NOW + PEER_STREAM_KEPT_US + 1000, &stream), 0);
	peer_known_free(known);
}

static void batches_of_a_call_come_in_order(void **state)
{
	struct peer_known *known = peer_known_new(256);
	struct peer_stream *stream = stream_of(known, "bus.a.test", "orders");
	struct xylem_span call = XYLEM_SPAN_LITERAL("c"), other = XYLEM_SPAN_LITERAL("d");
	assert_false(peer_stream_next(stream, call, 2));
	assert_true(peer_stream_next(stream, call, 1));
	peer_stream_took(stream, call, 1, false);
	assert_true(peer_stream_next(stream, call, 2));
	assert_false(peer_stream_next(stream, call, 3));
	assert_false(peer_stream_next(stream, other, 2));
	peer_stream_took(stream, call, 2, true);
	assert_false(peer_stream_next(stream, call, 3));
	peer_stream_took(stream, call, 1, false);
	peer_stream_break(stream, peer_name_of(call)); /* it did not get to the disk */
	assert_false(peer_stream_next(stream, call, 2));
	peer_stream_break(stream, peer_name_of(XYLEM_SPAN_LITERAL("never heard of")));
	assert_true(peer_stream_next(stream, call, 1));
	peer_stream_took(stream, call, 2, true);
	assert_false(peer_stream_next(stream, call, 3));
	peer_stream_took(stream, other, 1, false);
	for (int i = 0; i < PEER_CALLS_MAX - 1; i++) { /* so many others; `d` is the oldest then, but kept */
		char name[32];
		snprintf(name, sizeof(name), "e%d", i);
		peer_stream_took(stream, xylem_span_of(name), 1, false);
	}
	assert_true(peer_stream_next(stream, other, 2));
	peer_stream_took(stream, XYLEM_SPAN_LITERAL("one more"), 1, false);
	assert_false(peer_stream_next(stream, other, 2));
	peer_known_free(known);
}

static void what_is_written_is_known_again(void **state)
{
	struct peer_known *known = peer_known_new(500), *again = peer_known_new(500);
	struct peer_stream *stream = stream_of(known, "bus.a.test", "orders");
	for (size_t i = 1; i <= 900; i++) {
		assert_int_equal(peer_stream_add(stream, name_of(i), (struct xylem_position){ 7, i }), 0);
	}
	assert_int_equal(peer_stream_add(stream, name_of(901), NONE), 0); /* under way: not written */
	stream_of(known, "bus.b.test", "empty");
	XYLEM_BUFFER_SCOPED bytes = { 0 };
	peer_known_write(known, (struct xylem_position){ 7, 900 }, &bytes);
	struct xylem_position from;
	assert_int_equal(peer_known_read(again, xylem_buffer_borrow(&bytes), &from), 0);
	assert_int_equal(from.partition, 7);
	assert_int_equal(from.offset, 900);
	stream = stream_of(again, "bus.a.test", "orders");
	check_known(stream, 402, PEER_TAKEN, 402);
	check_known(stream, 900, PEER_TAKEN, 900);
	check_known(stream, 401, PEER_NEW, 0);
	check_known(stream, 901, PEER_NEW, 0);
	peer_known_free(again);
	for (size_t i = 0; i < bytes.n; i += 37) { /* whatever is flipped or cut off, it is not believed */
		again = peer_known_new(500);
		bytes.bytes[i] ^= 0x10;
		assert_int_equal(
			peer_known_read(again, xylem_buffer_borrow(&bytes), &from), -XYLEM_E_DAMAGED);
		bytes.bytes[i] ^= 0x10;
		assert_int_equal(peer_known_read(again, xylem_span(bytes.bytes, i), &from), -XYLEM_E_DAMAGED);
		check_known(stream_of(again, "bus.a.test", "orders"), 900, PEER_NEW, 0);
		peer_known_free(again);
	}
	peer_known_free(known);
}

/* --- The XML ------------------------------------------------------------------ */

struct reading {
	struct xylem_arena *arena;
	int error;
	struct xylem_reason reason;
	void (*check)(const struct peer_batch *batch);
};

static void ignore(void *context, const struct xml_node *node)
{
}

static void ignore_end(void *context)
{
}

static void on_stanza(void *context, const struct xml_node *stanza, int violation)
{
	struct reading *reading = context;
	struct peer_batch batch;
	reading->error = peer_batch_read(
		xml_child(stanza, NULL, NULL), reading->arena, &batch, &reading->reason);
	if (reading->error == 0 && reading->check) {
		reading->check(&batch);
	}
}

static int read_batch(struct xylem_span text, void (*check)(const struct peer_batch *batch))
{
	static const struct stream_events events = { ignore, on_stanza, ignore_end };
	struct reading reading = { .arena = xylem_arena_new(0), .error = 1, .check = check };
	struct xylem_reason reason;
	XYLEM_BUFFER_SCOPED whole = { 0 };
	xylem_buffer_text(&whole, "<stream xmlns='jabber:component:accept'><iq>");
	xylem_buffer_span(&whole, text);
	xylem_buffer_text(&whole, "</iq>");
	struct stream *stream = stream_new(1 << 20, &events, &reading);
	assert_int_equal(stream_feed(stream, xylem_buffer_borrow(&whole), &reason), 0);
	stream_free(stream);
	xylem_arena_free(reading.arena);
	return reading.error;
}

/* Data that XML cannot carry, or could be changed on the way, and data that it can. */
static const struct xylem_span payloads[] = {
	{ "{\"a\":1}", 7 },
	{ "plain text, and long enough", 27 },
	{ "\x00\xff", 2 },
	{ "line\r\nline of text", 18 },
	{ "\xef\xbf\xbf is no character", 19 },
	{ "", 0 },
	{ NULL, 0 },
	{ "<<<<<<<<<<<<<<<<<<<<<<<<", 24 },
};
#define PAYLOADS (sizeof(payloads) / sizeof(payloads[0]))
static const struct xylem_extension extension = { XYLEM_SPAN_LITERAL("traceparent"),
	XYLEM_SPAN_LITERAL("'<&>\"") };

static struct xylem_message message_of(size_t i)
{
	return (struct xylem_message){ .id = XYLEM_SPAN_LITERAL("'\"<&>"),
		.key = payloads[i],
		.source = XYLEM_SPAN_LITERAL("/shop"),
		.type = XYLEM_SPAN_LITERAL("t"),
		.extensions = &extension,
		.extension_count = 1,
		.data = payloads[i] };
}

static void check_payloads(const struct peer_batch *batch)
{
	assert_int_equal(batch->count, PAYLOADS);
	assert_int_equal(batch->number, 7);
	assert_true(xylem_span_is(batch->stream, "orders"));
	for (size_t i = 0; i < PAYLOADS; i++) {
		const struct xylem_message *message = &batch->events[i].message;
		assert_true(xylem_span_is(batch->events[i].ref, "r"));
		assert_true(xylem_span_is(message->id, "'\"<&>"));
		assert_false(xylem_span_present(message->subject));
		assert_true(xylem_span_is(message->extensions[0].value, "'<&>\""));
		assert_int_equal(xylem_span_present(message->data), payloads[i].at != NULL);
		assert_true(xylem_span_equal(message->data, payloads[i]));
		assert_int_equal(xylem_span_present(message->key), payloads[i].at != NULL);
		assert_true(xylem_span_equal(message->key, payloads[i]));
	}
}

static void bytes_travel_unharmed(void **state)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	size_t at;
	peer_batch_open(&out, XYLEM_SPAN_LITERAL("orders"), XYLEM_SPAN_LITERAL("c"), 7);
	for (size_t i = 0; i < PAYLOADS; i++) {
		struct xylem_message message = message_of(i);
		size_t before = out.n;
		peer_event_write(&out, XYLEM_SPAN_LITERAL("r"), &message);
		assert_in_range(out.n - before, 1, peer_event_cost(&message));
	}
	peer_batch_close(&out);
	assert_true(xml_check(xylem_buffer_borrow(&out), &at));
	assert_null(memchr(out.bytes, '\r', out.n));
	assert_non_null(memmem(out.bytes, out.n, "<data>plain text", 16));
	assert_int_equal(read_batch(xylem_buffer_borrow(&out), check_payloads), 0);
}

static void what_is_no_batch_is_refused(void **state)
{
#define BATCH(inside) "<batch xmlns='urn:xylem:bus:0' stream='s' call='c' n='1'>" inside "</batch>"
	static const struct {
		const char *text;
		int error;
	} rows[] = {
		{ BATCH("<event ref='r'/>"), 0 },
		{ BATCH("<event ref='r'><x xmlns='other'/></event><y xmlns='other'/>"), 0 },
		{ BATCH(""), -XYLEM_E_INVALID },
		{ BATCH("<event/>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='a/b'/>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='r'><data/><data64/></event>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='r'><data64>x</data64></event>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='r'><ext>x</ext></event>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='r'><new/></event>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='r'><data>a<data>b</data></data></event>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='r'><data>a<x xmlns='other'/>b</data></event>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='r'><data64>YQ==<x xmlns='other'/></data64></event>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='r'><ext name='a'>1<x xmlns='other'/></ext></event>"), -XYLEM_E_INVALID },
		{ BATCH("\n  <event ref='r'>\n  <data>a</data>\n </event>\n"), 0 },
		{ BATCH("<event ref='r' key='a' key64='YQ=='/>"), -XYLEM_E_INVALID },
		{ BATCH("<event ref='r'/><new/>"), -XYLEM_E_INVALID },
		{ "<batch xmlns='urn:xylem:bus:0' stream='s' n='1'><event ref='r'/></batch>",
			-XYLEM_E_INVALID },
		{ "<batch xmlns='urn:xylem:bus:0' stream='s' call='c' n='0'><event ref='r'/></batch>",
			-XYLEM_E_INVALID },
		{ "<batch xmlns='urn:xylem:bus:0' stream='s' call='c' n='4294967296'><event "
		  "ref='r'/></batch>",
			-XYLEM_E_INVALID },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int error = read_batch(xylem_span_of(rows[i].text), NULL);
		if (error != rows[i].error) {
			print_error("%s\n", rows[i].text);
		}
		assert_int_equal(error, rows[i].error);
	}
}

static void a_batch_has_an_end(void **state)
{
	for (size_t n = PEER_EVENTS_MAX; n <= PEER_EVENTS_MAX + 1; n++) {
		XYLEM_BUFFER_SCOPED out = { 0 };
		struct xylem_message message = { 0 };
		peer_batch_open(&out, XYLEM_SPAN_LITERAL("s"), XYLEM_SPAN_LITERAL("c"), 1);
		for (size_t i = 0; i < n; i++) {
			peer_event_write(&out, XYLEM_SPAN_LITERAL("r"), &message);
		}
		peer_batch_close(&out);
		assert_int_equal(read_batch(xylem_buffer_borrow(&out), NULL),
			n > PEER_EVENTS_MAX ? -XYLEM_E_INVALID : 0);
	}
}

static void hops_are_counted_and_never_believed(void **state)
{
	static const struct {
		const char *text;
		unsigned hops;
	} rows[] = { { NULL, 0 }, { "0", 0 }, { "1", 1 }, { "8", 8 }, { "-1", 1000 }, { "", 1000 },
		{ "x", 1000 }, { "99999999999", 1000 }, { "4294967295", 1000 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xylem_extension hops = { XYLEM_SPAN_LITERAL(PEER_HOPS), xylem_span_of(rows[i].text) };
		struct xylem_message message = { .extensions = &hops,
			.extension_count = rows[i].text != NULL };
		assert_int_equal(peer_hops(&message), rows[i].hops);
	}
}

static void a_lane_is_a_stream(void **state)
{
	static const char longest[] = "route-with-the-longest-name-that-a-configuration-may-give-it-abc";
	char name[PEER_NAME_MAX + 1], other[PEER_NAME_MAX + 1];
	peer_stream_name(XYLEM_SPAN_LITERAL("orders"), "partner", name);
	assert_string_equal(name, "orders:partner");
	peer_stream_name(XYLEM_SPAN_LITERAL("orders"), "partner2", other);
	assert_string_not_equal(name, other);
	peer_stream_name((struct xylem_span){ 0 }, "partner", name);
	assert_string_equal(name, ":partner");
	/* What does not fit is still the name of one lane, in every repeat. */
	assert_int_equal(sizeof(longest), 65);
	for (const char *connector = longest; *connector != '\0'; connector++) {
		char again[PEER_NAME_MAX + 1];
		peer_stream_name(xylem_span_of(longest), connector, name);
		peer_stream_name(xylem_span_of(longest), connector, again);
		peer_stream_name(xylem_span_of(longest), connector + 1, other);
		assert_string_equal(name, again);
		assert_string_not_equal(name, other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_new_then_under_way_then_taken),
		cmocka_unit_test(the_oldest_names_go_first),
		cmocka_unit_test(streams_are_bounded),
		cmocka_unit_test(batches_of_a_call_come_in_order),
		cmocka_unit_test(what_is_written_is_known_again),
		cmocka_unit_test(bytes_travel_unharmed),
		cmocka_unit_test(what_is_no_batch_is_refused),
		cmocka_unit_test(a_batch_has_an_end),
		cmocka_unit_test(a_lane_is_a_stream),
		cmocka_unit_test(hops_are_counted_and_never_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
