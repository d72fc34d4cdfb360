/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of route tests as JUnit's XML, which every build server reads.
 */
#include <main/route_test.h>

/* Text for an attribute or an element; what XML 1.0 cannot hold becomes `?`. */
static void text_write(struct xylem_buffer *out, struct xylem_span text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.at[i];
		switch (c) {
		case '<':
			xylem_buffer_text(out, "&lt;");
			break;
		case '>':
			xylem_buffer_text(out, "&gt;");
			break;
		case '&':
			xylem_buffer_text(out, "&amp;");
			break;
		case '"':
			xylem_buffer_text(out, "&quot;");
			break;
		default:
			xylem_buffer_byte(out, (unsigned char)c < 0x20 && c != '\n' && c != '\t' ? '?' : c);
		}
	}
}

static void result_write(struct xylem_buffer *out, const struct route_test_result *result)
{
	xylem_buffer_text(out, "<testcase classname=\"");
	text_write(out, xylem_span_of(result->test->route));
	xylem_buffer_text(out, "\" name=\"");
	text_write(out, xylem_span_of(result->test->name));
	xylem_buffer_format(out, "\" file=\"");
	text_write(out, xylem_span_of(result->test->place.file));
	xylem_buffer_format(
		out, "\" line=\"%d\" time=\"%.6f\"", result->test->place.line, (double)result->took_us / 1e6);
	if (result->passed) {
		xylem_buffer_text(out, "/>\n");
		return;
	}
	xylem_buffer_text(out, "><failure message=\"not as expected\">");
	text_write(out, result->text);
	xylem_buffer_text(out, "</failure></testcase>\n");
}

void route_test_junit_write(
	struct xylem_buffer *out, const char *name, const struct route_test_result *results, size_t n)
{
	size_t failed = 0;
	for (size_t i = 0; i < n; i++) {
		failed += !results[i].passed;
	}
	xylem_buffer_text(out, "<testsuite name=\"");
	text_write(out, xylem_span_of(name));
	xylem_buffer_format(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\">\n", n, failed);
	for (size_t i = 0; i < n; i++) {
		result_write(out, &results[i]);
	}
	xylem_buffer_text(out, "</testsuite>\n");
}
