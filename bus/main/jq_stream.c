/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as a stream of events, so that a text of any size can be gone over with
 * as much memory as it is deep. The path is kept as the JSON that events
 * show; each level knows where its part of it begins.
 */
#include <stdio.h>
#include <stdlib.h>

#include <main/jq_stream.h>
#include <xylem/json.h>

enum { DEPTH = 10000 };

/* What may come next. */
enum expected { VALUE, VALUE_OR_CLOSE, KEY_OR_CLOSE, KEY, COLON, COMMA_OR_CLOSE };

struct level {
	bool object;
	uint64_t index;
	size_t path; /* bytes of the path before this level's part */
};

struct jq_stream {
	enum expected expected;
	struct xylem_buffer path; /* `"a",0` */
	struct level *levels;
	size_t depth, room;
};

struct jq_stream *jq_stream_new(void)
{
	return calloc(1, sizeof(struct jq_stream));
}

struct jq_stream *jq_stream_free(struct jq_stream *stream)
{
	if (stream) {
		xylem_buffer_finish(&stream->path);
		free(stream->levels);
		free(stream);
	}
	return NULL;
}

/* --- Levels ------------------------------------------------------------------- */

static struct level *level_top(struct jq_stream *stream)
{
	return &stream->levels[stream->depth - 1];
}

/* Goes back to the path before the part of the innermost level. */
static void part_drop(struct jq_stream *stream)
{
	stream->path.n = level_top(stream)->path;
}

static void part_put(struct jq_stream *stream, struct xylem_span part)
{
	part_drop(stream);
	if (stream->path.n) {
		xylem_buffer_byte(&stream->path, ',');
	}
	xylem_buffer_span(&stream->path, part);
}

static void index_put(struct jq_stream *stream)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)level_top(stream)->index);
	part_put(stream, xylem_span(text, (size_t)n));
}

static int level_push(struct jq_stream *stream, bool object, struct xylem_reason *reason)
{
	if (stream->depth == DEPTH) {
		xylem_reason_set(reason, "nested deeper than %d levels", DEPTH);
		return -XYLEM_E_LIMIT;
	}
	if (stream->depth == stream->room) {
		size_t room = stream->room ? stream->room * 2 : 32;
		struct level *levels = realloc(stream->levels, room * sizeof(*levels));
		if (!levels) {
			return -XYLEM_E_MEMORY;
		}
		stream->levels = levels;
		stream->room = room;
	}
	stream->levels[stream->depth++] = (struct level){ .object = object, .path = stream->path.n };
	if (!object) {
		index_put(stream);
	}
	stream->expected = object ? KEY_OR_CLOSE : VALUE_OR_CLOSE;
	return 0;
}

/* --- Words ---------------------------------------------------------------------- */

static void event_put(
	struct jq_stream *stream, struct xylem_buffer *event, const char *comma, struct xylem_span leaf)
{
	xylem_buffer_text(event, "[[");
	xylem_buffer_span(event, xylem_buffer_borrow(&stream->path));
	xylem_buffer_text(event, "]");
	xylem_buffer_text(event, comma);
	xylem_buffer_span(event, leaf);
	xylem_buffer_text(event, "]");
}

static void value_done(struct jq_stream *stream)
{
	stream->expected = stream->depth ? COMMA_OR_CLOSE : VALUE;
}

static int refuse(struct jq_stream *stream, struct xylem_reason *reason)
{
	static const char *const words[] = { "a value", "a value or a closing bracket",
		"a member name or a closing brace", "a member name in quotes",
		"a colon after the member name" };
	const char *expected = stream->expected < COMMA_OR_CLOSE ? words[stream->expected]
			       : level_top(stream)->object       ? "a comma or a closing brace"
								 : "a comma or a closing bracket";
	xylem_reason_set(reason, "not valid JSON: %s is expected", expected);
	return -XYLEM_E_INVALID;
}

static int close_take(struct jq_stream *stream, bool object, struct xylem_buffer *event, bool *ret_event,
	struct xylem_reason *reason)
{
	bool empty = stream->expected == (object ? KEY_OR_CLOSE : VALUE_OR_CLOSE);
	if (!stream->depth || level_top(stream)->object != object ||
		!(empty || stream->expected == COMMA_OR_CLOSE)) {
		return refuse(stream, reason);
	}
	if (!empty) {
		event_put(stream, event, "", XYLEM_SPAN_LITERAL(""));
	}
	part_drop(stream);
	if (empty) {
		event_put(stream, event, ",", object ? XYLEM_SPAN_LITERAL("{}") : XYLEM_SPAN_LITERAL("[]"));
	}
	stream->depth--;
	value_done(stream);
	*ret_event = true;
	return 0;
}

static int comma_take(struct jq_stream *stream, struct xylem_reason *reason)
{
	if (stream->expected != COMMA_OR_CLOSE) {
		return refuse(stream, reason);
	}
	if (level_top(stream)->object) {
		stream->expected = KEY;
	} else {
		level_top(stream)->index++;
		index_put(stream);
		stream->expected = VALUE;
	}
	return 0;
}

static int scalar_take(struct jq_stream *stream, struct xylem_span word, struct xylem_buffer *event,
	bool *ret_event, struct xylem_reason *reason)
{
	bool key = stream->expected == KEY || stream->expected == KEY_OR_CLOSE;
	if (key ? *word.at != '"' : stream->expected > VALUE_OR_CLOSE) {
		return refuse(stream, reason);
	}
	int error = xylem_json_check(word, NULL, reason);
	if (error) {
		return error;
	}
	if (key) {
		part_put(stream, word);
		stream->expected = COLON;
		return 0;
	}
	event_put(stream, event, ",", word);
	value_done(stream);
	*ret_event = true;
	return 0;
}

static int word_take(struct jq_stream *stream, struct xylem_span word, struct xylem_buffer *event,
	bool *ret_event, struct xylem_reason *reason)
{
	switch (*word.at) {
	case '[':
	case '{':
		return stream->expected <= VALUE_OR_CLOSE ? level_push(stream, *word.at == '{', reason)
							  : refuse(stream, reason);
	case ']':
	case '}':
		return close_take(stream, *word.at == '}', event, ret_event, reason);
	case ',':
		return comma_take(stream, reason);
	case ':':
		if (stream->expected != COLON) {
			return refuse(stream, reason);
		}
		stream->expected = VALUE;
		return 0;
	default:
		return scalar_take(stream, word, event, ret_event, reason);
	}
}

int jq_stream_take(struct jq_stream *stream, struct xylem_span word, struct xylem_buffer *event,
	bool *ret_event, struct xylem_reason *reason)
{
	*ret_event = false;
	int error = word_take(stream, word, event, ret_event, reason);
	if (!error && (xylem_buffer_failed(event) || xylem_buffer_failed(&stream->path))) {
		error = -XYLEM_E_MEMORY;
	}
	if (error == -XYLEM_E_MEMORY) {
		xylem_reason_set(reason, "out of memory");
	}
	return error;
}

int jq_stream_end(const struct jq_stream *stream, struct xylem_reason *reason)
{
	if (!stream->depth) {
		return 0;
	}
	xylem_reason_set(reason, "not valid JSON: it ends within %s",
		stream->levels[stream->depth - 1].object ? "an object" : "a list");
	return -XYLEM_E_INVALID;
}
