/* SPDX-License-Identifier: Apache-2.0 */
/* What of a message was written: quotations and words for other clients taken out, whatever the positions say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <xylem/error.h>
#include <xmpp/body.h>
#include <xmpp/stream.h>

#define HEADER \
	"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"
#define QUOTE(range) "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>" range "</fallback>"
#define INSTEAD(of, inside) "<fallback xmlns='urn:xmpp:fallback:0' for='" of "'>" inside "</fallback>"

struct row {
	const char *message; /* what is inside of it */
	const char *written; /* NULL: nothing */
};

static const struct row rows[] = {
	{ "<body>hello</body>", "hello" },
	{ "", NULL },
	{ "<body xml:lang='de'>hallo</body><body>hello</body><body xml:lang='fr'>salut</body>", "hello" },
	{ "<body xml:lang='de'>hallo</body><body xml:lang='fr'>salut</body>", "hallo" },
	{ "<body lang='de'>hallo</body><body>hello</body>", "hallo" },
	{ "<composing xmlns='http://jabber.org/protocol/chatstates'/>", NULL },
	{ "<body>&gt; a\nb</body>", "> a\nb" },
	{ "<body>&gt; a\nb</body>" QUOTE("<body start='0' end='4'/>"), "b" },
	{ QUOTE("<body start='0' end='4'/>") "<body>&gt; a\nb</body>", "b" },
	{ "<body>&gt; \xc3\xa4\xf0\x9f\x92\x9a\nb</body>" QUOTE("<body start='0' end='5'/>"), "b" },
	{ "<body>a &gt; q b</body>" QUOTE("<body start='2' end='6'/>"), "a b" },
	{ "<body>abc</body>" QUOTE("<body start='0' end='999999999'/>"), "" },
	{ "<body>abc</body>" QUOTE("<body start='7' end='9'/>"), "abc" },
	{ "<body>abc</body>" QUOTE("<body start='2' end='1'/>"), "abc" },
	{ "<body>abc</body>" QUOTE("<body start='-1' end='2'/>"), "abc" },
	{ "<body>abc</body>" QUOTE("<body start='0' end='9999999999999999999'/>"), "abc" },
	{ "<body>abc</body>" QUOTE("<body start='' end='x'/>"), "abc" },
	{ "<body>abc</body>" QUOTE(""), "abc" },
	{ "<body>/me took a message back</body>" INSTEAD("urn:xmpp:message-retract:1", ""), NULL },
	{ "<body>+1</body>" INSTEAD("urn:xmpp:reactions:0", "<body/>"), NULL },
	{ "<body>hey +1</body>" INSTEAD("urn:xmpp:reactions:0", "<body start='3' end='6'/>"), "hey +1" },
	{ "<body>abc</body>" INSTEAD("urn:xmpp:reactions:0", "<subject/>"), "abc" },
	{ "<body>https://a.example/x.png</body>" INSTEAD("urn:xmpp:sfs:0", "<body/>"),
		"https://a.example/x.png" },
};

static void on_header(void *context, const struct xml_node *header)
{
}

static void on_end(void *context)
{
}

static void compare(void *context, const struct xml_node *stanza, int violation)
{
	const struct row *row = context;
	struct xylem_arena *arena = xylem_arena_new(0);

	assert_int_equal(violation, 0);
	struct xylem_span written = body_written(stanza, arena);
	assert_int_equal(body_is_written(stanza), row->written != NULL);
	assert_int_equal(xylem_span_present(written), row->written != NULL);
	if (row->written != NULL && !xylem_span_is(written, row->written)) {
		fail_msg("%s: %.*s", row->message, (int)written.n, written.at);
	}
	xylem_arena_free(arena);
}

static const struct stream_events events = { on_header, compare, on_end };

static void feed(const struct row *row, const struct stream_events *told)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	struct xylem_reason reason;
	struct stream *stream = stream_new(4096, told, (void *)(uintptr_t)row);

	xylem_buffer_text(&text, HEADER "<message>");
	xylem_buffer_text(&text, row->message);
	xylem_buffer_text(&text, "</message>");
	assert_int_equal(stream_feed(stream, xylem_buffer_borrow(&text), &reason), 0);
	stream_free(stream);
}

static void what_was_written(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		feed(&rows[i], &events);
	}
}

static void on_cipher(void *context, const struct xml_node *stanza, int violation)
{
	const struct row *row = context;

	assert_int_equal(violation, 0);
	assert_int_equal(body_is_encrypted(stanza), row->written == NULL);
}

static void what_nobody_here_can_read(void **state)
{
	static const struct stream_events told = { on_header, on_cipher, on_end };
	static const struct row ciphers[] = {
		{ "<body>?OTRv23?</body>", NULL },
		{ "<body>?OTR:AAMD</body>", NULL },
		{ "<body>what is ?OTR</body>", "" },
		{ "<body/>", "" },
		{ "<encrypted xmlns='urn:xmpp:omemo:2'/>", NULL },
		{ "<encrypted xmlns='urn:example'/>", "" },
	};
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		feed(&ciphers[i], &told);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_written),
		cmocka_unit_test(what_nobody_here_can_read) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
