/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an XML stream with expat and hands out one tree a stanza.
 *
 * A stanza is built in an arena that is reset for the next one. One that is too
 * large, too deep or has too many attributes is not built further: its top
 * element is kept, the rest is read over, and the owner can answer its sender;
 * a single tag that is too long is shortened on its way to expat (tag.c).
 * Only what no server passes on (a document that is not well-formed, a DTD, a
 * comment, an instruction) ends the stream.
 *
 * The rule not to break: what a stranger can send through a server must not
 * close the link for everybody else. What is not done here: meaning. Names and
 * namespaces are kept as they came, in expat's triplets.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include <xmpp/stream.h>
#include <xmpp/tag.h>

#define STREAM_MAGIC 0x7374726dU
#define SEPARATOR '\x01' /* no XML character, so no part of a name or namespace */
#define PIECE ((size_t)16 * 1024)
/* An unfinished tag may exceed the stanza's limit by this much, before it is shortened (tag.c), */
#define TAG_SLACK ((size_t)64 * 1024)
/* and what is passed on of it by this much, before it is given up, or when so much of it has come: no server does that. */
#define TAG_SHORT ((size_t)2 * 1024 * 1024)
#define TAG_GIVEN_UP ((uint64_t)32 * 1024 * 1024)
/* Elements open inside one another, while a stanza is read over: they cost expat memory. */
#define DEPTH_GIVEN_UP 131072U
/* A tree takes more than its text; beyond this factor it counts as too large. */
#define TREE_FACTOR 16

struct stream {
	uint32_t magic;
	XML_Parser parser;
	const struct stream_events *events;
	void *context;
	size_t limit;

	struct xylem_arena *lasting; /* the header */
	struct xylem_arena *arena;   /* the stanza */
	struct xml_node *header;
	struct xml_node *stanza;
	struct xml_node *open; /* the innermost element being built */
	struct xylem_buffer text;
	struct xml_declaration *declarations, **declarations_end;
	unsigned declaration_count;

	unsigned depth; /* open elements, the stream's included */
	int violation;
	uint64_t fed, stanza_start, last_event;
	struct tag tag;     /* the one that expat waits for, if there is one */
	uint64_t shortened; /* bytes that have come of it since it is being shortened */
	bool shortens;
	int error;
	const char *error_text;
};

static void fail(struct stream *stream, int error, const char *text)
{
	if (stream->error == 0) {
		stream->error = error;
		stream->error_text = text;
		XML_StopParser(stream->parser, XML_FALSE);
	}
}

static void violate(struct stream *stream, int violation)
{
	if (stream->violation == 0) {
		stream->violation = violation;
	}
}

static uint64_t event_end(const struct stream *stream)
{
	XML_Index at = XML_GetCurrentByteIndex(stream->parser);
	return at < 0 ? stream->fed : (uint64_t)at + (uint64_t)XML_GetCurrentByteCount(stream->parser);
}

static void mark(struct stream *stream)
{
	stream->last_event = event_end(stream);
	if (stream->depth >= 2 && stream->last_event - stream->stanza_start > stream->limit) {
		violate(stream, -XYLEM_E_TOO_LARGE);
	}
}

static struct xylem_arena *arena_now(struct stream *stream)
{
	return stream->depth == 0 ? stream->lasting : stream->arena;
}

/* --- Names --------------------------------------------------------------- */

static struct xylem_span copied(struct stream *stream, struct xylem_arena *arena, const char *at, size_t n)
{
	struct xylem_span copy = xylem_arena_copy(arena, xylem_span(at, n));
	if (copy.at == NULL) {
		violate(stream, -XYLEM_E_TOO_LARGE);
		return XYLEM_SPAN_LITERAL("");
	}
	return copy;
}

struct triplet {
	struct xylem_span namespace, name, prefix;
};

/* `uri SEPARATOR local SEPARATOR prefix`; the last or the first and last are missing where there are none. */
static struct triplet split(struct stream *stream, struct xylem_arena *arena, const char *text)
{
	struct triplet t = { 0 };
	struct xylem_span whole = copied(stream, arena, text, strlen(text));
	const char *end = whole.at + whole.n;
	const char *first = memchr(whole.at, SEPARATOR, whole.n);
	if (first == NULL) {
		t.name = whole;
		return t;
	}
	const char *second = memchr(first + 1, SEPARATOR, (size_t)(end - first - 1));
	t.namespace = xylem_span(whole.at, (size_t)(first - whole.at));
	t.name = xylem_span(first + 1, (size_t)((second != NULL ? second : end) - first - 1));
	if (second != NULL) {
		t.prefix = xylem_span(second + 1, (size_t)(end - second - 1));
	}
	return t;
}

/* --- Building ------------------------------------------------------------ */

static void append_child(struct xml_node *parent, struct xml_node *child)
{
	child->parent = parent;
	if (parent->last == NULL) {
		parent->first = child;
	} else {
		parent->last->next = child;
	}
	parent->last = child;
}

static void flush_text(struct stream *stream)
{
	if (xylem_buffer_failed(&stream->text)) {
		violate(stream, -XYLEM_E_TOO_LARGE);
	} else if (stream->text.n > 0 && stream->violation == 0) {
		struct xml_node *node = xylem_arena_zero(stream->arena, sizeof(*node));
		if (node == NULL) {
			violate(stream, -XYLEM_E_TOO_LARGE);
		} else {
			node->text = copied(stream, stream->arena, stream->text.bytes, stream->text.n);
			append_child(stream->open, node);
		}
	}
	xylem_buffer_clear(&stream->text);
}

static void read_attributes(
	struct stream *stream, struct xylem_arena *arena, struct xml_node *node, const XML_Char **pairs)
{
	struct xml_attribute **end = &node->attributes;

	for (size_t i = 0; pairs[i] != NULL && i < 2 * (size_t)STREAM_ATTRIBUTES; i += 2) {
		struct xml_attribute *a = xylem_arena_zero(arena, sizeof(*a));
		if (a == NULL) {
			violate(stream, -XYLEM_E_TOO_LARGE);
			return;
		}
		struct triplet t = split(stream, arena, pairs[i]);
		a->name = t.name;
		a->namespace = t.namespace;
		a->prefix = t.prefix;
		a->value = copied(stream, arena, pairs[i + 1], strlen(pairs[i + 1]));
		*end = a;
		end = &a->next;
	}
}

static struct xml_node *read_element(struct stream *stream, const XML_Char *name, const XML_Char **pairs)
{
	struct xylem_arena *arena = arena_now(stream);
	struct xml_node *node = xylem_arena_zero(arena, sizeof(*node));
	if (node == NULL) {
		return NULL;
	}
	struct triplet t = split(stream, arena, name);
	node->name = t.name;
	node->namespace = t.namespace;
	node->prefix = t.prefix;
	node->declarations = stream->declarations;
	read_attributes(stream, arena, node, pairs);
	return node;
}

static void check_counts(struct stream *stream, const XML_Char **pairs)
{
	size_t n = 0;
	while (n <= 2 * (size_t)STREAM_ATTRIBUTES && pairs[n] != NULL) {
		n += 2;
	}
	if (n > 2 * (size_t)STREAM_ATTRIBUTES || stream->declaration_count > STREAM_ATTRIBUTES ||
		stream->depth > STREAM_DEPTH) {
		violate(stream, -XYLEM_E_LIMIT);
	}
}

static void begin_stanza(struct stream *stream)
{
	stream->stanza_start = (uint64_t)XML_GetCurrentByteIndex(stream->parser);
	stream->violation = 0;
}

static void element_started(struct stream *stream, struct xml_node *node)
{
	if (stream->depth == 0) {
		stream->header = node;
		stream->events->header(stream->context, node);
	} else if (stream->depth == 1) {
		node->parent = stream->header;
		stream->stanza = node;
		stream->open = node;
	} else {
		append_child(stream->open, node);
		stream->open = node;
	}
}

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **pairs)
{
	struct stream *stream = context;

	if (stream->depth == 1) {
		begin_stanza(stream);
	} else if (stream->depth > 1) {
		flush_text(stream);
	}
	check_counts(stream, pairs);
	/* The top element is kept even when it breaks a rule: its sender is told. */
	if (stream->depth <= 1 || stream->violation == 0) {
		struct xml_node *node = read_element(stream, name, pairs);
		if (node == NULL && stream->depth <= 1) {
			fail(stream, -XYLEM_E_MEMORY, "out of memory");
			return;
		}
		if (node == NULL) {
			violate(stream, -XYLEM_E_TOO_LARGE);
		} else {
			element_started(stream, node);
		}
	}
	stream->declarations = NULL;
	stream->declarations_end = &stream->declarations;
	stream->declaration_count = 0;
	if (++stream->depth > DEPTH_GIVEN_UP) {
		fail(stream, -XYLEM_E_TOO_LARGE, "elements are nested without end");
	}
	mark(stream);
}

static void end_stanza(struct stream *stream)
{
	struct xml_node *stanza = stream->stanza;

	if (stream->violation != 0) {
		stanza->first = NULL;
		stanza->last = NULL;
	}
	stream->events->stanza(stream->context, stanza, stream->violation);
	stream->stanza = NULL;
	stream->open = NULL;
	stream->stanza_start = stream->last_event;
	xylem_arena_reset(stream->arena);
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
	struct stream *stream = context;

	if (stream->depth > 1) {
		flush_text(stream);
	}
	mark(stream);
	stream->depth--;
	if (stream->depth == 0) {
		stream->events->end(stream->context);
	} else if (stream->depth == 1) {
		end_stanza(stream);
	} else if (stream->violation == 0) {
		stream->open = stream->open->parent;
	}
}

static bool blank(const XML_Char *text, int n)
{
	for (int i = 0; i < n; i++) {
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n') {
			return false;
		}
	}
	return true;
}

static void XMLCALL on_text(void *context, const XML_Char *text, int n)
{
	struct stream *stream = context;

	if (stream->depth <= 1) {
		if (!blank(text, n)) {
			fail(stream, -XYLEM_E_INVALID, "text between stanzas");
		}
		stream->last_event = event_end(stream);
		stream->stanza_start = stream->last_event;
		return;
	}
	mark(stream);
	if (stream->violation == 0) {
		xylem_buffer_append(&stream->text, text, (size_t)n);
	}
}

static void XMLCALL on_declaration(void *context, const XML_Char *prefix, const XML_Char *uri)
{
	struct stream *stream = context;

	if (++stream->declaration_count > STREAM_ATTRIBUTES ||
		(stream->depth > 1 && stream->violation != 0)) {
		return;
	}
	struct xylem_arena *arena = arena_now(stream);
	struct xml_declaration *d = xylem_arena_zero(arena, sizeof(*d));
	if (d == NULL) {
		violate(stream, -XYLEM_E_TOO_LARGE);
		return;
	}
	if (prefix != NULL) {
		d->prefix = copied(stream, arena, prefix, strlen(prefix));
	}
	d->uri = uri == NULL ? XYLEM_SPAN_LITERAL("") : copied(stream, arena, uri, strlen(uri));
	*stream->declarations_end = d;
	stream->declarations_end = &d->next;
}

/* --- What a stream must not have ----------------------------------------- */

static void XMLCALL on_doctype(
	void *context, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	fail(context, -XYLEM_E_INVALID, "a document type declaration");
}

static void XMLCALL on_comment(void *context, const XML_Char *text)
{
	fail(context, -XYLEM_E_INVALID, "a comment");
}

static void XMLCALL on_instruction(void *context, const XML_Char *target, const XML_Char *data)
{
	fail(context, -XYLEM_E_INVALID, "a processing instruction");
}

/* --- Lifecycle ----------------------------------------------------------- */

static void set_handlers(struct stream *stream)
{
	XML_SetUserData(stream->parser, stream);
#ifdef XYLEM_EXPAT_DEFERS
	/* Otherwise a stanza whose last tag came in two pieces waits for the next one. The limit bounds the cost. */
	XML_SetReparseDeferralEnabled(stream->parser, XML_FALSE);
#endif
	XML_SetReturnNSTriplet(stream->parser, 1);
	XML_SetElementHandler(stream->parser, on_start, on_end);
	XML_SetCharacterDataHandler(stream->parser, on_text);
	XML_SetStartNamespaceDeclHandler(stream->parser, on_declaration);
	XML_SetStartDoctypeDeclHandler(stream->parser, on_doctype);
	XML_SetCommentHandler(stream->parser, on_comment);
	XML_SetProcessingInstructionHandler(stream->parser, on_instruction);
}

struct stream *stream_new(size_t limit, const struct stream_events *events, void *context)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	if (stream == NULL) {
		return NULL;
	}
	stream->magic = STREAM_MAGIC;
	stream->limit = limit;
	stream->events = events;
	stream->context = context;
	stream->declarations_end = &stream->declarations;
	/* Streams are UTF-8 (RFC 6120, 11.6), whatever their declaration says. */
	stream->parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
	stream->lasting = xylem_arena_new((size_t)256 * 1024);
	stream->arena = xylem_arena_new(limit * TREE_FACTOR + (size_t)256 * 1024);
	if (stream->parser == NULL || stream->lasting == NULL || stream->arena == NULL) {
		return stream_free(stream);
	}
	set_handlers(stream);
	return stream;
}

struct stream *stream_free(struct stream *stream)
{
	if (stream != NULL) {
		assert(stream->magic == STREAM_MAGIC);
		if (stream->parser != NULL) {
			XML_ParserFree(stream->parser);
		}
		xylem_arena_free(stream->lasting);
		xylem_arena_free(stream->arena);
		xylem_buffer_finish(&stream->text);
		stream->magic = 0;
		free(stream);
	}
	return NULL;
}

static int give_up(struct stream *stream, struct xylem_reason *reason)
{
	if (stream->error == 0) {
		enum XML_Error error = XML_GetErrorCode(stream->parser);
		stream->error = error == XML_ERROR_NO_MEMORY ? -XYLEM_E_MEMORY : -XYLEM_E_INVALID;
		stream->error_text = XML_ErrorString(error);
	}
	xylem_reason_set(reason, "XML stream, byte %llu: %s",
		(unsigned long long)XML_GetCurrentByteIndex(stream->parser), stream->error_text);
	return stream->error;
}

static int parse(struct stream *stream, struct xylem_span bytes, struct xylem_reason *reason)
{
	stream->fed += bytes.n;
	if (XML_Parse(stream->parser, bytes.at, (int)bytes.n, XML_FALSE) != XML_STATUS_OK) {
		return give_up(stream, reason);
	}
	return 0;
}

static int tag_too_long(struct stream *stream, struct xylem_reason *reason)
{
	xylem_reason_set(reason, "XML stream, byte %llu: a tag of more than %zu bytes",
		(unsigned long long)stream->last_event, stream->limit);
	stream->error = -XYLEM_E_TOO_LARGE;
	stream->error_text = "a tag beyond the limit";
	return stream->error;
}

static int feed_whole(struct stream *stream, struct xylem_span bytes, struct xylem_reason *reason)
{
	int error = parse(stream, bytes, reason);
	uint64_t waiting = stream->fed - stream->last_event;
	if (error != 0) {
		return error;
	}
	if (waiting <= bytes.n) {
		stream->tag = (struct tag){ 0 };
		bytes = xylem_span(bytes.at + bytes.n - waiting, waiting);
	}
	tag_follow(&stream->tag, bytes);
	if (waiting > stream->limit + TAG_SLACK) {
		stream->shortens = tag_shorten(&stream->tag);
		stream->shortened = 0;
		return stream->shortens ? 0 : tag_too_long(stream, reason);
	}
	return 0;
}

static int feed_short(
	struct stream *stream, struct xylem_span bytes, size_t *ret_used, struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	bool ended;

	*ret_used = tag_pass(&stream->tag, bytes, &out, &ended);
	if (xylem_buffer_failed(&out)) {
		xylem_reason_set(reason, "XML stream: out of memory");
		return stream->error = -XYLEM_E_MEMORY;
	}
	int error = out.n > 0 ? parse(stream, xylem_buffer_borrow(&out), reason) : 0;
	stream->shortens = !ended;
	stream->shortened += *ret_used;
	if (error == 0 && (stream->shortened > TAG_GIVEN_UP ||
				  stream->fed - stream->last_event > stream->limit + TAG_SHORT)) {
		error = tag_too_long(stream, reason);
	}
	return error;
}

int stream_feed(struct stream *stream, struct xylem_span bytes, struct xylem_reason *reason)
{
	if (stream->error != 0) {
		xylem_reason_set(reason, "XML stream: %s", stream->error_text);
		return stream->error;
	}
	for (size_t at = 0, used; at < bytes.n; at += used) {
		used = bytes.n - at < PIECE ? bytes.n - at : PIECE;
		struct xylem_span piece = xylem_span(bytes.at + at, used);
		int error = stream->shortens ? feed_short(stream, piece, &used, reason)
					     : feed_whole(stream, piece, reason);
		if (error != 0) {
			return error;
		}
	}
	return 0;
}
