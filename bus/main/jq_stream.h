/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIN_JQ_STREAM_H
#define MAIN_JQ_STREAM_H

#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/span.h>

/*
 * The streaming form of JSON (`--stream`; "Streaming" in jq's manual): a text
 * word by word in, `[PATH, LEAF]` and, where a container ends, `[PATH]` out.
 */
struct jq_stream;

/* NULL: no memory. */
struct jq_stream *jq_stream_new(void);
struct jq_stream *jq_stream_free(struct jq_stream *stream);

/*
 * The next word: a bracket, a brace, a comma, a colon, a string, a number or a name.
 * True in *ret_event: an event was appended to `event`. -XYLEM_E_INVALID with what is
 * wrong, -XYLEM_E_LIMIT (too deep), -XYLEM_E_MEMORY; then the stream is of no further use.
 */
int jq_stream_take(struct jq_stream *stream, struct xylem_span word, struct xylem_buffer *event,
	bool *ret_event, struct xylem_reason *reason);

/* The end of everything: -XYLEM_E_INVALID within a text. */
int jq_stream_end(const struct jq_stream *stream, struct xylem_reason *reason);

#endif
