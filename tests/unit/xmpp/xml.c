/* SPDX-License-Identifier: Apache-2.0 */
/* The stream reader and the writer: what survives, what is refused, and where the limits are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <xylem/error.h>
#include <xmpp/stream.h>

#define HEADER                                                                                            \
	"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' " \
	"id='1'>"
#define LIMIT ((size_t)4096)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct seen {
	struct xylem_buffer
		text; /* the first child of each stanza, or the stanza where it has none, each on a line */
	int stanzas, violations, headers, ends;
	int last_violation;
	char from[64];
};

static void on_header(void *context, const struct xml_node *header)
{
	struct seen *seen = context;
	seen->headers++;
	assert_true(xml_is(header, "http://etherx.jabber.org/streams", "stream"));
}

static void on_stanza(void *context, const struct xml_node *stanza, int violation)
{
	struct seen *seen = context;
	struct xylem_span from = xml_attribute(stanza, "from");

	seen->stanzas++;
	seen->violations += violation != 0 ? 1 : 0;
	seen->last_violation = violation;
	snprintf(seen->from, sizeof(seen->from), "%.*s", (int)from.n, from.n > 0 ? from.at : "");
	if (violation != 0) {
		assert_null(stanza->first);
		return;
	}
	const struct xml_node *child = xml_child(stanza, NULL, NULL);
	xml_write(child != NULL ? child : stanza, &seen->text);
	xylem_buffer_byte(&seen->text, '\n');
}

static void on_end(void *context)
{
	struct seen *seen = context;
	seen->ends++;
}

static const struct stream_events events = { on_header, on_stanza, on_end };

/* Feeds the text in pieces of `piece` bytes; what stream_feed() said last. */
static int read_in_pieces(struct seen *seen, const char *text, size_t n, size_t piece)
{
	struct stream *stream = stream_new(LIMIT, &events, seen);
	struct xylem_reason reason;
	int error = 0;

	assert_non_null(stream);
	for (size_t at = 0; at < n && error == 0; at += piece) {
		error = stream_feed(stream, xylem_span(text + at, n - at < piece ? n - at : piece), &reason);
	}
	if (error != 0) {
		/* A stream that failed stays failed. */
		assert_int_equal(stream_feed(stream, XYLEM_SPAN_LITERAL("<a/>"), &reason), error);
	}
	stream_free(stream);
	return error;
}

/* --- What survives --------------------------------------------------------- */

static const struct {
	const char *stanza, *child; /* `child`: as it has to be written, to stand for itself */
} kept[] = {
	{ "<message><b xml:lang='de'>x</b></message>",
		"<b xmlns='jabber:component:accept' xml:lang='de'>x</b>" },
	{ "<message><b xmlns='u:x' xmlns:a='u:a' xmlns:b='u:b' a:t='1' b:t='2'/></message>",
		"<b xmlns='u:x' xmlns:a='u:a' xmlns:b='u:b' a:t='1' b:t='2'/>" },
	{ "<message><a xmlns='u:x'><b xmlns=''><c/></b></a></message>",
		"<a xmlns='u:x'><b xmlns=''><c/></b></a>" },
	{ "<message xmlns:p='u:p'><p:a><p:b p:c='1'/>p:qname</p:a></message>",
		"<p:a xmlns='jabber:component:accept' xmlns:p='u:p'><p:b p:c='1'/>p:qname</p:a>" },
	/* A prefix that the stanza declares, and the child declares anew. */
	{ "<message xmlns:p='u:p'><p:a xmlns:p='u:q'/></message>",
		"<p:a xmlns='jabber:component:accept' xmlns:p='u:q'/>" },
	/* A prefix of the stream's header. */
	{ "<message><stream:a/></message>", "<stream:a xmlns='jabber:component:accept' "
					    "xmlns:stream='http://etherx.jabber.org/streams'/>" },
	{ "<message><a xmlns='u:x' stream:b='1'/></message>",
		"<a xmlns='u:x' xmlns:stream='http://etherx.jabber.org/streams' stream:b='1'/>" },
	{ "<message><a xmlns='u'><![CDATA[<b>&amp;]]>]]&gt;</a></message>",
		"<a xmlns='u'>&lt;b>&amp;amp;]]&gt;</a>" },
	{ "<message><a xmlns='u'>&lt;&gt;&amp;&apos;&quot;&#65;&#x1F600;</a></message>",
		"<a xmlns='u'>&lt;>&amp;'\"A\xF0\x9F\x98\x80</a>" },
	{ "<message><a xmlns='u' b='&quot;&apos;&lt;&#9;&#10;&#13;'>x&#13;\ny</a></message>",
		"<a xmlns='u' b='\"&apos;&lt;&#9;&#10;&#13;'>x&#13;\ny</a>" },
	{ "<message><a xmlns='u'>one<b/>two<c>three</c>four</a></message>",
		"<a xmlns='u'>one<b/>two<c>three</c>four</a>" },
	{ "<message><p:a xmlns:p='u'><b xmlns='v'/></p:a></message>",
		"<p:a xmlns='jabber:component:accept' xmlns:p='u'><b xmlns='v'/></p:a>" },
	{ "<message><a xmlns='u'>]] ></a></message>", "<a xmlns='u'>]] ></a>" },
};

static void keeps_what_it_reads(void **state)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		for (size_t piece = 1; piece < 200; piece = piece * 3 + 1) {
			struct seen seen = { 0 };
			XYLEM_BUFFER_SCOPED text = { 0 };
			xylem_buffer_format(
				&text, "<?xml version='1.0'?>" HEADER "%s</stream:stream>", kept[i].stanza);
			assert_int_equal(read_in_pieces(&seen, text.bytes, text.n, piece), 0);
			assert_int_equal(seen.stanzas, 1);
			assert_int_equal(seen.headers, 1);
			assert_int_equal(seen.ends, 1);
			xylem_buffer_byte(&seen.text, '\0');
			XYLEM_BUFFER_SCOPED expected = { 0 };
			xylem_buffer_format(&expected, "%s\n", kept[i].child);
			xylem_buffer_byte(&expected, '\0');
			assert_string_equal(seen.text.bytes, expected.bytes);
			xylem_buffer_finish(&seen.text);
		}
	}
}

/* What was written, read again inside another stanza, is written the same. */
static void writes_what_it_reads_again(void **state)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct seen seen = { 0 };
		XYLEM_BUFFER_SCOPED text = { 0 };
		XYLEM_BUFFER_SCOPED expected = { 0 };
		xylem_buffer_format(&text, HEADER "<iq xmlns='u:y'>%s</iq>", kept[i].child);
		assert_int_equal(read_in_pieces(&seen, text.bytes, text.n, text.n), 0);
		xylem_buffer_format(&expected, "%s\n", kept[i].child);
		assert_true(
			xylem_span_equal(xylem_buffer_borrow(&seen.text), xylem_buffer_borrow(&expected)));
		xylem_buffer_finish(&seen.text);
	}
}

/* --- What ends a stream ----------------------------------------------------- */

static void refuses_what_a_stream_must_not_have(void **state)
{
	static const char *const refused[] = {
		"<!DOCTYPE a [<!ENTITY b 'c'>]>" HEADER "<message/>",
		HEADER "<!-- a comment --><message/>",
		HEADER "<message><!-- a comment --></message>",
		HEADER "<message><?php echo 1 ?></message>",
		HEADER "text<message/>",
		HEADER "<message>&unknown;</message>",
		HEADER "<message>\x01</message>",
		HEADER "<message>&#1;</message>",
		HEADER "<message>\xFF</message>",
		HEADER "<message>\xED\xA0\x80</message>",
		HEADER "<message a='1' a='2'/>",
		HEADER "<message><x:a/></message>",
		HEADER "<message></iq>",
		"no XML at all <",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct seen seen = { 0 };
		assert_int_equal(read_in_pieces(&seen, refused[i], strlen(refused[i]), 7), -XYLEM_E_INVALID);
		xylem_buffer_finish(&seen.text);
	}
}

/* --- Limits ------------------------------------------------------------------ */

static void make_nested(struct xylem_buffer *out, int depth)
{
	xylem_buffer_text(out, HEADER "<message from='a@b'>");
	for (int i = 1; i < depth; i++) {
		xylem_buffer_text(out, "<a>");
	}
	for (int i = 1; i < depth; i++) {
		xylem_buffer_text(out, "</a>");
	}
	xylem_buffer_text(out, "</message><message/>");
}

static void make_attributes(struct xylem_buffer *out, int n)
{
	xylem_buffer_text(out, HEADER "<message from='a@b'><a");
	for (int i = 0; i < n; i++) {
		xylem_buffer_format(out, " b%d=''", i);
	}
	xylem_buffer_text(out, "/></message><message/>");
}

static void make_sized(struct xylem_buffer *out, int n)
{
	const size_t frame = strlen("<message from='a@b'></message>");
	xylem_buffer_text(out, HEADER "<message from='a@b'>");
	for (size_t i = frame; i < (size_t)n; i++) {
		xylem_buffer_byte(out, 'x');
	}
	xylem_buffer_text(out, "</message><message/>");
}

static void limits_cost_one_stanza_and_not_the_stream(void **state)
{
	static const struct {
		void (*make)(struct xylem_buffer *out, int n);
		int most, violation;
	} limits[] = {
		{ make_nested, STREAM_DEPTH, -XYLEM_E_LIMIT },
		{ make_attributes, STREAM_ATTRIBUTES, -XYLEM_E_LIMIT },
		{ make_sized, (int)LIMIT, -XYLEM_E_TOO_LARGE },
	};
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		for (int over = -1; over <= 1; over++) {
			struct seen seen = { 0 };
			XYLEM_BUFFER_SCOPED text = { 0 };
			limits[i].make(&text, limits[i].most + over);
			assert_int_equal(read_in_pieces(&seen, text.bytes, text.n, 1000), 0);
			assert_int_equal(seen.stanzas, 2);
			assert_int_equal(seen.violations, over > 0 ? 1 : 0);
			xylem_buffer_finish(&seen.text);
			seen = (struct seen){ 0 };
			/* The sender is known when it has to be told. */
			xylem_buffer_cut(&text, text.n - strlen("<message/>"));
			assert_int_equal(read_in_pieces(&seen, text.bytes, text.n, 1000), 0);
			assert_int_equal(seen.last_violation, over > 0 ? limits[i].violation : 0);
			assert_string_equal(seen.from, "a@b");
			xylem_buffer_finish(&seen.text);
		}
	}
}

static void a_deep_or_endless_stanza_costs_no_memory(void **state)
{
	struct seen seen = { 0 };
	XYLEM_BUFFER_SCOPED text = { 0 };

	xylem_buffer_text(&text, HEADER "<message>");
	for (int i = 0; i < 50000; i++) {
		xylem_buffer_text(&text, "<a>&quot;");
	}
	for (int i = 0; i < 50000; i++) {
		xylem_buffer_text(&text, "</a>");
	}
	xylem_buffer_text(&text, "</message><message/>");
	assert_int_equal(read_in_pieces(&seen, text.bytes, text.n, 4096), 0);
	assert_int_equal(seen.stanzas, 2);
	assert_int_equal(seen.violations, 1);
	xylem_buffer_finish(&seen.text);
}

/* Tags of which %s is more than a parser should keep: however they come, one stanza is lost and nothing else. */
static void a_tag_that_is_too_long_costs_one_stanza(void **state)
{
#define URI "urn:a-name-that-is-longer-than-what-is-kept-of-a-value:"
	static const char *const tags[] = {
		"<message from='a@b'><a b='%s'/></message>",
		"<message from='a@b'><a b=\"%s\" >text<c/></a></message>",
		"<message from='a@b' id='%s'/>",
		"<message from='a@b'>'<![CDATA[]]><![CDATA[<x '\">]]>\"<a b='%s'/><![CDATA[<]]></message>",
		"<message from='a@b' id='%s' c='/' d=\"'>\"><a>x</a></message>",
		"<message from='a@b'><p:a b='%s' xmlns:p='u:p' c='1'><p:c p:d=''/></p:a></message>",
		"<message from='a@b'><a b='%s' xmlns:p='" URI "1' xmlns:q='" URI
		"2' p:c='' q:c=''/></message>",
		"<message from='a@b'><p:a xmlns:q='%s1' xmlns:p='%s2' p:c='' q:c=''/></message>",
		"<message from='a@b'><a b='%s' c='>&gt;&#x1F600;\xF0\x9F\x98\x80/>' "
		"d='&lt;&lt;&lt;&lt;&lt;&lt;&lt;&lt;&lt;'/></message>",
	};
	static const char *const fillings[] = { "x", "&quot;", "&apos;", "&#10;", "\xC3\xA9",
		"\xF0\x9F\x98\x80", "/>", "ab &lt;" };
	static const size_t pieces[] = { 997, SIZE_MAX / 2 };
	for (size_t i = 0; i < COUNT(tags) * COUNT(fillings) * COUNT(pieces); i++) {
		const char *rest = tags[i % COUNT(tags)],
			   *filling = fillings[i / COUNT(tags) % COUNT(fillings)];
		XYLEM_BUFFER_SCOPED text = { 0 };
		struct seen seen = { 0 };
		xylem_buffer_text(&text, HEADER);
		for (const char *place; (place = strstr(rest, "%s")) != NULL; rest = place + 2) {
			xylem_buffer_append(&text, rest, (size_t)(place - rest));
			for (size_t n = 0; n < LIMIT + 80000; n += strlen(filling)) {
				xylem_buffer_text(&text, filling);
			}
		}
		xylem_buffer_text(&text, rest);
		xylem_buffer_text(&text, "<message from='a@b'/>");
		size_t piece = pieces[i / COUNT(tags) / COUNT(fillings)];
		if (read_in_pieces(&seen, text.bytes, text.n, piece) != 0 || seen.stanzas != 2 ||
			seen.violations != 1) {
			fail_msg("%s of %s in pieces of %zu: %d stanzas, %d too large", tags[i % COUNT(tags)],
				filling, piece, seen.stanzas, seen.violations);
		}
		assert_string_equal(seen.from, "a@b");
		xylem_buffer_finish(&seen.text);
	}
}

/* A tag without end is more than anybody waits for. */
static void a_tag_without_end_ends_the_stream(void **state)
{
	static const struct {
		const char *begin, *filling;
		size_t n;
	} rows[] = { { "<message a='", "x", (size_t)33 << 20 }, { "<a", "a", (size_t)3 << 20 },
		{ "<a ", " ", (size_t)3 << 20 }, { "<a b='&#", "0", (size_t)3 << 20 } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		XYLEM_BUFFER_SCOPED text = { 0 };
		struct seen seen = { 0 };
		xylem_buffer_text(&text, HEADER);
		xylem_buffer_text(&text, rows[i].begin);
		for (size_t n = 0; n < rows[i].n; n++) {
			xylem_buffer_byte(&text, rows[i].filling[0]);
		}
		assert_int_equal(read_in_pieces(&seen, text.bytes, text.n, 65536), -XYLEM_E_TOO_LARGE);
		xylem_buffer_finish(&seen.text);
	}
}

static void white_space_between_stanzas_is_no_stanza(void **state)
{
	struct seen seen = { 0 };
	XYLEM_BUFFER_SCOPED text = { 0 };

	xylem_buffer_text(&text, HEADER);
	for (int i = 0; i < 3 * (int)LIMIT; i++) {
		xylem_buffer_text(&text, i % 7 != 0 ? " " : "\r\n\t");
	}
	xylem_buffer_text(&text, "<message/>");
	assert_int_equal(read_in_pieces(&seen, text.bytes, text.n, 100), 0);
	assert_int_equal(seen.stanzas, 1);
	assert_int_equal(seen.violations, 0);
	xylem_buffer_finish(&seen.text);
}

/* --- Characters --------------------------------------------------------------- */

static void checks_characters(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int bad; /* offset; -1: all good */
	} cases[] = {
		{ "", 0, -1 },
		{ "plain\t\r\n", 8, -1 },
		{ "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, -1 },
		{ "\xEF\xBF\xBD\xEE\x80\x80\xED\x9F\xBF\xF4\x8F\xBF\xBF", 13, -1 },
		{ "a\0b", 3, 1 },
		{ "\x01", 1, 0 },
		{ "ab\x1F", 3, 2 },
		{ "\x7F", 1, -1 },
		{ "\xEF\xBF\xBE", 3, 0 },
		{ "\xEF\xBF\xBF", 3, 0 },
		{ "\xED\xA0\x80", 3, 0 },
		{ "\xC0\x80", 2, 0 },
		{ "\xE0\x80\x80", 3, 0 },
		{ "\xF0\x80\x80\x80", 4, 0 },
		{ "\xF4\x90\x80\x80", 4, 0 },
		{ "x\xE2\x82", 3, 1 },
		{ "\x80", 1, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t at = 99;
		bool good = xml_check(xylem_span(cases[i].bytes, cases[i].n), &at);
		assert_int_equal(good, cases[i].bad < 0);
		assert_int_equal(at, good ? 99 : (size_t)cases[i].bad);
	}
}

/* Behind up to 40 plain bytes and before as many: sixteen are looked at together. */
static void checks_characters_wherever_they_stand(void **state)
{
	static const struct {
		const char *bytes;
		int bad; /* offset; -1: all good */
	} cases[] = { { "\xE2\x82\xAC", -1 }, { "\t", -1 }, { "\x7F", -1 }, { "\xED\xA0\x80", 0 },
		{ "\x1F", 0 }, { "\xC3\xA9\x01", 2 }, { "\x80", 0 } };
	char text[96];

	for (size_t i = 0; i < COUNT(cases) * 41; i++) {
		size_t pad = i % 41, n = strlen(cases[i / 41].bytes), at = 99;
		int bad = cases[i / 41].bad;
		memset(text, 'x', sizeof(text));
		memcpy(text + pad, cases[i / 41].bytes, n);
		assert_int_equal(xml_check(xylem_span(text, 2 * pad + n), &at), bad < 0);
		assert_int_equal(at, bad < 0 ? 99 : pad + (size_t)bad);
		assert_int_equal(xml_is_plain(xylem_span(text, 2 * pad + n)), bad < 0);
	}
}

static void escapes_wherever_it_stands(void **state)
{
	static const struct {
		const char *from, *text, *attribute;
	} cases[] = { { "&", "&amp;", "&amp;" }, { "<", "&lt;", "&lt;" }, { "]]>", "]]&gt;", "]]>" },
		{ ">", ">", ">" }, { "'", "'", "&apos;" }, { "\r", "&#13;", "&#13;" },
		{ "\t\n", "\t\n", "&#9;&#10;" }, { "a&b<c", "a&amp;b&lt;c", "a&amp;b&lt;c" },
		{ "\xC3\xA9", "\xC3\xA9", "\xC3\xA9" }, { "", "", "" } };
	char from[96], to[96];

	for (size_t i = 0; i < COUNT(cases) * 41; i++) {
		XYLEM_BUFFER_SCOPED out = { 0 };
		int pad = (int)(i % 41);
		static const char x[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
		snprintf(from, sizeof(from), "%.*s%s%.*s", pad, x, cases[i / 41].from, pad, x);
		snprintf(to, sizeof(to), "%.*s%s%.*s", pad, x, cases[i / 41].text, pad, x);
		xml_escape_text(&out, xylem_span_of(from));
		assert_true(xylem_span_is(xylem_buffer_borrow(&out), to));
		assert_true(strcmp(from, to) == 0 || !xml_is_plain(xylem_span_of(from)));
		xylem_buffer_clear(&out);
		snprintf(to, sizeof(to), "%.*s%s%.*s", pad, x, cases[i / 41].attribute, pad, x);
		xml_escape_attribute(&out, xylem_span_of(from));
		assert_true(xylem_span_is(xylem_buffer_borrow(&out), to));
	}
}

static void repairs_what_a_person_reads(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "", "" },
		{ "plain \xc3\xa4\t\n", "plain \xc3\xa4\t\n" },
		{ "a\x01"
		  "b\x1f",
			"a\xef\xbf\xbd"
			"b\xef\xbf\xbd" },
		{ "\xff<\xc3", "\xef\xbf\xbd<\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		XYLEM_BUFFER_SCOPED out = { 0 };
		size_t at;
		xml_repair(xylem_span_of(rows[i].from), &out);
		assert_true(xylem_span_is(xylem_buffer_borrow(&out), rows[i].to));
		assert_true(xml_check(xylem_buffer_borrow(&out), &at));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_it_reads),
		cmocka_unit_test(writes_what_it_reads_again),
		cmocka_unit_test(refuses_what_a_stream_must_not_have),
		cmocka_unit_test(limits_cost_one_stanza_and_not_the_stream),
		cmocka_unit_test(a_deep_or_endless_stanza_costs_no_memory),
		cmocka_unit_test(a_tag_that_is_too_long_costs_one_stanza),
		cmocka_unit_test(a_tag_without_end_ends_the_stream),
		cmocka_unit_test(white_space_between_stanzas_is_no_stanza),
		cmocka_unit_test(checks_characters),
		cmocka_unit_test(checks_characters_wherever_they_stand),
		cmocka_unit_test(escapes_wherever_it_stands),
		cmocka_unit_test(repairs_what_a_person_reads),
	};
	stream_free(NULL);
	return cmocka_run_group_tests_name("xmpp xml", tests, NULL, NULL);
}
