/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streaming form of JSON: bytes are taken apart into words as `xylemd jq
 * --stream` does it. Each event must be valid JSON, and a text that is valid
 * must be taken to its end.
 */
#include <stdint.h>
#include <stdlib.h>

#include <json/scan.h>
#include <main/jq_stream.h>
#include <xylem/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct xylem_span word_at(const char *at, const char *end)
{
	bool sign = *at == ',' || *at == ':' || (*at | 0x20) == '{' || (*at | 0x20) == '}';
	const char *stop = sign ? at + 1 : scan_text(at, end);
	return xylem_span(at, stop > at ? (size_t)(stop - at) : 1);
}

static int words_take(struct jq_stream *stream, struct xylem_span text, struct xylem_reason *reason)
{
	const char *end = text.at + text.n, *at = scan_space(text.at, end);
	while (at < end) {
		XYLEM_BUFFER_SCOPED event = { 0 };
		bool made;
		struct xylem_span word = word_at(at, end);
		int error = jq_stream_take(stream, word, &event, &made, reason);
		if (error) {
			return error;
		}
		if (made && xylem_json_check(xylem_buffer_borrow(&event), NULL, NULL) == -XYLEM_E_INVALID) {
			abort();
		}
		at = scan_space(at + word.n, end);
	}
	return jq_stream_end(stream, reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct xylem_span text = xylem_span((const char *)bytes, n);
	struct xylem_reason reason;
	struct jq_stream *stream = jq_stream_new();
	int error = stream ? words_take(stream, text, &reason) : 0;
	jq_stream_free(stream);
	if (error && xylem_json_check(text, NULL, NULL) == 0) {
		abort();
	}
	return 0;
}
