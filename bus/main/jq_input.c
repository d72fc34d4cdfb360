/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the inputs of `xylemd jq` in large blocks and finds where each ends; a
 * text is looked at where it was read, and copied only when a block ends in
 * the middle of it.
 *
 * While a program runs over one input and asks for further ones, what it has
 * must not move. So a held block is set aside when the next is needed, and
 * freed at the release.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <json/scan.h>
#include <json/utf8.h>
#include <main/jq_input.h>
#include <main/jq_stream.h>
#include <xylem/json.h>

#define BLOCK ((size_t)512 * 1024)

struct aside {
	struct aside *next;
	char *bytes;
};

struct jq_input {
	enum jq_input_kind kind;
	char *const *paths;
	size_t path_count, path; /* the next to open */
	const char *name;        /* NULL: nothing was opened yet */
	int descriptor;          /* -1: none open */
	char *bytes;
	size_t at, n, room; /* what is not given out yet stands from `at` to `n` */
	size_t counted; /* newlines before this byte are in `lines`; where the file begins, or behind it */
	uint64_t lines;
	const char *text_name; /* where the text given out last, or refused, begins */
	uint64_t text_line;
	struct xylem_span given_text;
	bool ended, held, given;
	bool fresh; /* of the file nothing was read yet */
	size_t missing;
	struct aside *aside;
	struct xylem_buffer text; /* of lines, wholes, lists and events */
	struct jq_stream *stream; /* NULL: inputs are no events */
};

static bool is_stream(enum jq_input_kind kind)
{
	return kind == JQ_INPUT_STREAM || kind == JQ_INPUT_STREAM_SLURP;
}

struct jq_input *jq_input_new(enum jq_input_kind kind, char *const *paths, size_t path_count)
{
	struct jq_input *input = calloc(1, sizeof(*input));
	if (input) {
		input->kind = kind;
		input->paths = paths;
		input->path_count = path_count;
		input->descriptor = -1;
		input->stream = is_stream(kind) ? jq_stream_new() : NULL;
	}
	return input && is_stream(kind) && !input->stream ? jq_input_free(input) : input;
}

struct jq_input *jq_input_free(struct jq_input *input)
{
	if (input) {
		jq_input_release(input);
		if (input->descriptor > STDIN_FILENO) {
			close(input->descriptor);
		}
		xylem_buffer_finish(&input->text);
		jq_stream_free(input->stream);
		free(input->bytes);
		free(input);
	}
	return NULL;
}

void jq_input_hold(struct jq_input *input)
{
	input->held = true;
}

void jq_input_release(struct jq_input *input)
{
	for (struct aside *aside; (aside = input->aside);) {
		input->aside = aside->next;
		free(aside->bytes);
		free(aside);
	}
	input->held = false;
}

size_t jq_input_missing(const struct jq_input *input)
{
	return input->missing;
}

const char *jq_input_name(const struct jq_input *input)
{
	return input->text_name;
}

/* Newlines of the file up to `at`; none when `at` is still in the one before. */
static uint64_t lines_count(struct jq_input *input)
{
	while (input->counted < input->at) {
		const char *from = input->bytes + input->counted;
		const char *line = memchr(from, '\n', input->at - input->counted);
		input->counted = line ? input->counted + (size_t)(line - from) + 1 : input->at;
		input->lines += line != NULL;
	}
	return input->lines;
}

const char *jq_input_last(const struct jq_input *input)
{
	return input->text_name ? input->text_name : input->name;
}

uint64_t jq_input_line(struct jq_input *input)
{
	uint64_t lines = lines_count(input);
	bool within = input->kind == JQ_INPUT_JSON || input->kind == JQ_INPUT_STREAM; /* a line */
	size_t left = input->n - input->at;
	return lines + (within && left && memchr(input->bytes + input->at, '\n', left) != NULL);
}

struct jq_input_place jq_input_place(const struct jq_input *input)
{
	struct jq_input_place place = { input->text_name, input->text_line };
	size_t offset = 0;
	if (xylem_json_check(input->given_text, &offset, &(struct xylem_reason){ "" }) < 0) {
		for (size_t i = 0; i < offset && i < input->given_text.n; i++) {
			place.line += input->given_text.at[i] == '\n';
		}
	}
	return place;
}

/* --- Bytes ------------------------------------------------------------------- */

static int path_open(struct jq_input *input, const char *path)
{
	int descriptor = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0) {
		fprintf(stderr, "xylemd jq: error: could not open %s: %s\n", path, strerror(errno));
		input->missing++;
	} else {
		input->name = descriptor == STDIN_FILENO ? "<stdin>" : path;
	}
	return descriptor;
}

/* The next file, or standard input where there are no paths. */
static bool file_next(struct jq_input *input)
{
	if (input->descriptor > STDIN_FILENO) {
		close(input->descriptor);
	}
	input->descriptor = -1;
	if (!input->path_count && !input->name) {
		input->descriptor = path_open(input, "-");
	}
	while (input->path < input->path_count && input->descriptor < 0) {
		input->descriptor = path_open(input, input->paths[input->path++]);
	}
	input->lines = 0;
	input->counted = input->n;
	input->fresh = true;
	return input->descriptor >= 0;
}

/* A block with room for more behind what is not given out yet. */
static int block_renew(struct jq_input *input)
{
	size_t left = input->n - input->at;
	size_t room = left * 2 > BLOCK ? left * 2 : BLOCK;
	lines_count(input);
	if (!input->held && input->bytes && input->room >= left + BLOCK / 2) {
		memmove(input->bytes, input->bytes + input->at, left);
	} else {
		char *bytes = malloc(room);
		struct aside *aside = input->held && input->bytes ? malloc(sizeof(*aside)) : NULL;
		if (!bytes || (input->held && input->bytes && !aside)) {
			free(bytes);
			free(aside);
			return -XYLEM_E_MEMORY;
		}
		if (left) {
			memcpy(bytes, input->bytes + input->at, left);
		}
		if (aside) {
			*aside = (struct aside){ input->aside, input->bytes };
			input->aside = aside;
		} else {
			free(input->bytes);
		}
		input->bytes = bytes;
		input->room = room;
	}
	input->counted -= input->at;
	input->at = 0;
	input->n = left;
	return 0;
}

/* What one read() gives; 0 at the end of the file. */
static ssize_t file_read(struct jq_input *input)
{
	ssize_t got;
	do {
		got = read(input->descriptor, input->bytes + input->n, input->room - input->n);
	} while (got < 0 && errno == EINTR);
	return got;
}

/* Passes over the mark (U+FEFF) that some write at the start of a file. */
static void mark_skip(struct jq_input *input, size_t from)
{
	static const char mark[] = "\xef\xbb\xbf";
	ssize_t got = 1;
	while (got > 0 && input->n - from < 3 && memcmp(input->bytes + from, mark, input->n - from) == 0 &&
		input->n < input->room) {
		got = file_read(input);
		input->n += got > 0 ? (size_t)got : 0;
	}
	if (input->n - from >= 3 && memcmp(input->bytes + from, mark, 3) == 0) {
		input->n -= 3;
		memmove(input->bytes + from, input->bytes + from + 3, input->n - from);
	}
}

/* More bytes behind `n`; `ended` when there are none. */
static int bytes_more(struct jq_input *input, struct xylem_reason *reason)
{
	if (input->n == input->room) {
		int error = block_renew(input);
		if (error) {
			xylem_reason_set(reason, "out of memory");
			return error;
		}
	}
	while (input->descriptor >= 0 || file_next(input)) {
		size_t from = input->n;
		ssize_t got = file_read(input);
		if (got < 0) {
			fprintf(stderr, "xylemd jq: error: %s cannot be read: %s\n", input->name,
				strerror(errno));
			input->missing++;
		}
		input->n += got > 0 ? (size_t)got : 0;
		if (got > 0 && input->fresh && input->kind != JQ_INPUT_LINES &&
			input->kind != JQ_INPUT_WHOLE) {
			mark_skip(input, from);
		}
		input->fresh = false;
		if (input->n > from) {
			return 0;
		}
		if (got <= 0 && !file_next(input)) {
			break;
		}
	}
	input->ended = true;
	return 0;
}

/* --- JSON texts ---------------------------------------------------------------- */

static bool between(char c)
{
	return scan_is_space(c) || c == 0x1e;
}

/* Passes over what stands between texts; -XYLEM_E_END at the end of everything. */
static int gap_skip(struct jq_input *input, struct xylem_reason *reason)
{
	for (;;) {
		while (input->at < input->n && between(input->bytes[input->at])) {
			input->at++;
		}
		if (input->at < input->n) {
			return 0;
		}
		if (input->ended) {
			return -XYLEM_E_END;
		}
		int error = bytes_more(input, reason);
		if (error) {
			return error;
		}
	}
}

static bool is_sign(char c)
{
	return c == ',' || c == ':' || (c | 0x20) == '{' || (c | 0x20) == '}';
}

/*
 * The text (of a stream: the word) that begins at `at`. One that ends where the bytes do may go on in the next block,
 * unless it is closed by itself.
 */
static int text_find(struct jq_input *input, size_t *ret_n, struct xylem_reason *reason)
{
	if (input->stream && is_sign(input->bytes[input->at])) {
		*ret_n = 1;
		return 0;
	}
	for (size_t had = 0;;) {
		const char *from = input->bytes + input->at, *to = input->bytes + input->n;
		const char *end = had * 2 > (size_t)(to - from) && !input->ended ? to : scan_text(from, to);
		char last = end > from ? end[-1] : '\0';
		bool closed = (*from == '{' && last == '}') || (*from == '[' && last == ']') ||
			      (*from == '"' && last == '"' && end - from > 1);
		if (end < to || (closed && xylem_json_check(xylem_span(from, (size_t)(end - from)), NULL,
						   &(struct xylem_reason){ "" }) == 0)) {
			*ret_n = (size_t)(end - from);
			return 0;
		}
		if (input->ended) {
			*ret_n = (size_t)(to - from);
			return 0;
		}
		had = (size_t)(to - from);
		int error = bytes_more(input, reason);
		if (error) {
			return error;
		}
	}
}

static int text_next(struct jq_input *input, struct xylem_span *ret_text, struct xylem_reason *reason)
{
	size_t n = 0;
	int error = gap_skip(input, reason);
	if (!error) {
		input->text_line = lines_count(input) + 1;
		input->text_name = input->name;
		error = text_find(input, &n, reason);
	}
	if (error) {
		return error;
	}
	*ret_text = xylem_span(input->bytes + input->at, n ? n : 1);
	input->given_text = *ret_text;
	input->at += ret_text->n;
	return 0;
}

static int json_next(struct jq_input *input, struct xylem_span *ret_json, struct xylem_reason *reason)
{
	struct xylem_span text;
	int error = text_next(input, &text, reason);
	error = error ? error : xylem_json_check(text, NULL, reason);
	if (!error) {
		*ret_json = text;
	}
	return error;
}

/* --- Events of a stream --------------------------------------------------------------- */

static bool is_closed(struct xylem_span word)
{
	return is_sign(*word.at) || *word.at == '"';
}

/* Appends the next event. */
static int event_next(struct jq_input *input, struct xylem_buffer *event, struct xylem_reason *reason)
{
	bool made = false;
	int error = 0;
	while (!made && !error) {
		struct xylem_span word;
		error = text_next(input, &word, reason);
		if (!error && input->ended && input->at == input->n && !is_closed(word)) {
			error = jq_stream_end(input->stream, reason); /* a number that was cut off, perhaps */
		}
		error = error ? error : jq_stream_take(input->stream, word, event, &made, reason);
	}
	return error == -XYLEM_E_END && jq_stream_end(input->stream, reason) < 0 ? -XYLEM_E_INVALID : error;
}

/* --- Lines, wholes and lists ------------------------------------------------------ */

static int all_read(struct jq_input *input, struct xylem_reason *reason)
{
	while (!input->ended) {
		int error = bytes_more(input, reason);
		if (error) {
			return error;
		}
	}
	return 0;
}

/* A copy of its own for each, where inputs are held. */
static int text_give(struct jq_input *input, struct xylem_span *ret_json, struct xylem_reason *reason)
{
	if (xylem_buffer_failed(&input->text)) {
		xylem_reason_set(reason, "out of memory");
		return -XYLEM_E_MEMORY;
	}
	*ret_json = xylem_buffer_borrow(&input->text);
	if (!input->held) {
		return 0;
	}
	struct aside *aside = malloc(sizeof(*aside));
	size_t n;
	char *bytes = aside ? xylem_buffer_take(&input->text, &n) : NULL;
	if (!bytes) {
		free(aside);
		xylem_reason_set(reason, "out of memory");
		return -XYLEM_E_MEMORY;
	}
	*aside = (struct aside){ input->aside, bytes };
	input->aside = aside;
	*ret_json = xylem_span(bytes, n);
	return 0;
}

static int line_next(struct jq_input *input, struct xylem_span *ret_json, struct xylem_reason *reason)
{
	const char *end = NULL;
	size_t looked = 0;
	for (;;) {
		const char *from = input->bytes + input->at;
		size_t n = input->n - input->at;
		end = n > looked ? memchr(from + looked, '\n', n - looked) : NULL;
		if (end || input->ended) {
			break;
		}
		looked = n;
		int error = bytes_more(input, reason);
		if (error) {
			return error;
		}
	}
	size_t n = end ? (size_t)(end - input->bytes) - input->at : input->n - input->at;
	if (!end && n == 0) {
		return -XYLEM_E_END;
	}
	input->text_name = input->name;
	xylem_buffer_clear(&input->text);
	xylem_json_write_string(&input->text, xylem_span(input->bytes + input->at, n));
	input->at += n + (end != NULL);
	return text_give(input, ret_json, reason);
}

static int whole_next(struct jq_input *input, struct xylem_span *ret_json, struct xylem_reason *reason)
{
	if (input->given) {
		return -XYLEM_E_END;
	}
	input->given = true;
	int error = all_read(input, reason);
	if (error) {
		return error;
	}
	input->text_name = input->name;
	xylem_buffer_clear(&input->text);
	xylem_json_write_string(&input->text, xylem_span(input->bytes + input->at, input->n - input->at));
	input->at = input->n;
	return text_give(input, ret_json, reason);
}

/* A text, or an event. */
static int item_next(struct jq_input *input, struct xylem_buffer *event, struct xylem_span *ret_json,
	struct xylem_reason *reason)
{
	if (!input->stream) {
		return json_next(input, ret_json, reason);
	}
	xylem_buffer_clear(event);
	int error = event_next(input, event, reason);
	if (!error) {
		*ret_json = xylem_buffer_borrow(event);
	}
	return error;
}

static int list_next(struct jq_input *input, struct xylem_span *ret_json, struct xylem_reason *reason)
{
	struct xylem_span json;
	int error = 0;
	if (input->given) {
		return -XYLEM_E_END;
	}
	input->given = true;
	xylem_buffer_clear(&input->text);
	xylem_buffer_byte(&input->text, '[');
	XYLEM_BUFFER_SCOPED event = { 0 };
	while (!(error = item_next(input, &event, &json, reason))) {
		xylem_json_write_comma(&input->text);
		xylem_buffer_span(&input->text, json);
	}
	xylem_buffer_byte(&input->text, ']');
	input->text_name = error == -XYLEM_E_END ? input->name : input->text_name;
	return error == -XYLEM_E_END ? text_give(input, ret_json, reason) : error;
}

static int stream_next(struct jq_input *input, struct xylem_span *ret_json, struct xylem_reason *reason)
{
	xylem_buffer_clear(&input->text);
	int error = event_next(input, &input->text, reason);
	return error ? error : text_give(input, ret_json, reason);
}

/* What is behind the last input has no name. */
static int ended_note(struct jq_input *input, int error)
{
	input->text_name = error == -XYLEM_E_END ? NULL : input->text_name;
	return error;
}

int jq_input_text(struct jq_input *input, struct xylem_span *ret_text, struct xylem_reason *reason)
{
	return input->kind == JQ_INPUT_JSON ? ended_note(input, text_next(input, ret_text, reason))
					    : jq_input_next(input, ret_text, reason);
}

int jq_input_next(struct jq_input *input, struct xylem_span *ret_json, struct xylem_reason *reason)
{
	switch (input->kind) {
	case JQ_INPUT_JSON:
		return ended_note(input, json_next(input, ret_json, reason));
	case JQ_INPUT_LINES:
		return ended_note(input, line_next(input, ret_json, reason));
	case JQ_INPUT_STREAM:
		return ended_note(input, stream_next(input, ret_json, reason));
	case JQ_INPUT_WHOLE:
		return ended_note(input, whole_next(input, ret_json, reason));
	default:
		return ended_note(input, list_next(input, ret_json, reason));
	}
}
