/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the value of a ce- header: what decodes is UTF-8 without controls, and comes back when encoded. */
#include <assert.h>
#include <stdint.h>

#include <connectors/cloudevents_http.h>
#include <connectors/lines.h>
#include <json/utf8.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_span value = xylem_span((const char *)bytes, n), text, again;
	struct xylem_reason reason;
	if (!cloudevents_header_decode(value, arena, &text, &reason)) {
		assert(utf8_valid(text));
		struct xylem_buffer out = { 0 };
		cloudevents_header_encode(&out, text);
		for (size_t i = 0; i < out.n; i++) {
			assert(out.bytes[i] > 0x20 && out.bytes[i] < 0x7f);
		}
		struct xylem_span encoded = xylem_buffer_borrow(&out);
		assert(!cloudevents_header_decode(
			encoded.at ? encoded : xylem_span("", 0), arena, &again, &reason));
		assert(xylem_span_equal(text, again));
		xylem_buffer_finish(&out);
	}
	cloudevents_mode_of(value);
	struct xylem_span rest = value, line;
	while (lines_next(&rest, &line)) {
		assert(line.n > 0 && line.at >= value.at && line.at + line.n <= value.at + value.n);
	}
	xylem_arena_free(arena);
	return 0;
}
