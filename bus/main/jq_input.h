/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIN_JQ_INPUT_H
#define MAIN_JQ_INPUT_H

#include <stdint.h>

#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/span.h>

/* The inputs of `xylemd jq`: documents, lines or whole files, one after the other, from files or standard input. */
struct jq_input;

enum jq_input_kind {
	JQ_INPUT_JSON,         /* JSON texts, white space (or RS of RFC 7464) between them or none */
	JQ_INPUT_LINES,        /* each line as a string */
	JQ_INPUT_WHOLE,        /* everything as one string */
	JQ_INPUT_SLURP,        /* everything as one list of JSON texts */
	JQ_INPUT_STREAM,       /* JSON texts as events (jq_stream.h) */
	JQ_INPUT_STREAM_SLURP, /* all events as one list */
};

/* `paths` are borrowed, `-` is standard input; none: standard input. NULL: no memory. */
struct jq_input *jq_input_new(enum jq_input_kind kind, char *const *paths, size_t path_count);
struct jq_input *jq_input_free(struct jq_input *input);

/*
 * The next input, as valid JSON: 0 with *ret_json, valid until the next call, or, while
 * inputs are held, until jq_input_release(). -XYLEM_E_END: there is none further.
 * -XYLEM_E_INVALID: it is not JSON; the reason says what is wrong. -XYLEM_E_MEMORY.
 */
int jq_input_next(struct jq_input *input, struct xylem_span *ret_json, struct xylem_reason *reason);

/* The same for whoever checks a JSON text anyway: of JQ_INPUT_JSON it may be invalid. */
int jq_input_text(struct jq_input *input, struct xylem_span *ret_text, struct xylem_reason *reason);

/* Keeps what is given out from now on (and what was given out last) in its place. */
void jq_input_hold(struct jq_input *input);
void jq_input_release(struct jq_input *input);

/* Files that could not be opened or read: their number so far. Each was named on standard error. */
size_t jq_input_missing(const struct jq_input *input);
/* Where the last input came from: "<stdin>" or a path; NULL: there was none yet, or none is left. */
const char *jq_input_name(const struct jq_input *input);
/* The same, but at the end of all of them the last; NULL: none was read yet. */
const char *jq_input_last(const struct jq_input *input);
/* Newlines of that file read up to the end of the line on which the last input ends. */
uint64_t jq_input_line(struct jq_input *input);

/* Of what is not JSON: the file where it begins and the line where it goes wrong, from 1. Valid until the next call. */
struct jq_input_place {
	const char *name;
	uint64_t line;
};
struct jq_input_place jq_input_place(const struct jq_input *input);

#endif
