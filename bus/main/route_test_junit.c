/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of route tests as JUnit's XML, which every build server reads.
 */
#include <json/utf8.h>
#include <main/route_test.h>

/* The Char of XML 1.0. */
static bool is_allowed(uint32_t point)
{
	return point == '\t' || point == '\n' || point == '\r' || (point >= 0x20 && point < 0xfffe) ||
	       point > 0xffff;
}

static const char *instead_of(uint32_t point)
{
	switch (point) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '\t':
		return "&#9;";
	case '\n':
		return "&#10;";
	case '\r':
		return "&#13;";
	default:
		return is_allowed(point) ? NULL : "?";
	}
}

/* Text for an attribute or an element; what XML 1.0 cannot hold, and what is no UTF-8, becomes `?`. */
static void text_write(struct xylem_buffer *out, struct xylem_span text)
{
	const char *at = text.at, *end = at + text.n;
	while (at < end) {
		uint32_t point = 0;
		size_t n = utf8_next(at, end, &point);
		const char *instead = n ? instead_of(point) : "?";
		n = n ? n : 1;
		xylem_buffer_span(out, instead ? xylem_span_of(instead) : xylem_span(at, n));
		at += n;
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

void route_test_junit_broken(struct xylem_buffer *out, const char *name, struct xylem_span why)
{
	xylem_buffer_text(out, "<testsuite name=\"");
	text_write(out, xylem_span_of(name));
	xylem_buffer_text(out, "\" tests=\"1\" failures=\"0\" errors=\"1\">\n<testcase classname=\"");
	text_write(out, xylem_span_of(name));
	xylem_buffer_text(out, "\" name=\"can be read\"><error message=\"cannot be read\">");
	text_write(out, why);
	xylem_buffer_text(out, "</error></testcase>\n</testsuite>\n");
}
