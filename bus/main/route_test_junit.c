/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of route tests as JUnit's XML, which every build server reads.
 */
#include <main/route_test.h>
#include <xmpp/xml.h>

/* What XML 1.0 cannot hold, and what is no UTF-8, becomes U+FFFD. */
static void attribute_write(struct xylem_buffer *out, const char *name, struct xylem_span value)
{
	XYLEM_BUFFER_SCOPED whole = { 0 };
	xml_repair(value, &whole);
	xml_write_attribute(out, name, xylem_buffer_borrow(&whole));
}

static void result_write(struct xylem_buffer *out, const struct route_test_result *result)
{
	xylem_buffer_text(out, "<testcase");
	attribute_write(out, "classname", xylem_span_of(result->test->route));
	attribute_write(out, "name", xylem_span_of(result->test->name));
	attribute_write(out, "file", xylem_span_of(result->test->place.file));
	xylem_buffer_format(
		out, " line='%d' time='%.6f'", result->test->place.line, (double)result->took_us / 1e6);
	if (result->passed) {
		xylem_buffer_text(out, "/>\n");
		return;
	}
	xylem_buffer_text(out, "><failure message='not as expected'>");
	xml_escape_words(out, result->text);
	xylem_buffer_text(out, "</failure></testcase>\n");
}

void route_test_junit_write(
	struct xylem_buffer *out, const char *name, const struct route_test_result *results, size_t n)
{
	size_t failed = 0;
	for (size_t i = 0; i < n; i++) {
		failed += !results[i].passed;
	}
	xylem_buffer_text(out, "<testsuite");
	attribute_write(out, "name", xylem_span_of(name));
	xylem_buffer_format(out, " tests='%zu' failures='%zu' errors='0'>\n", n, failed);
	for (size_t i = 0; i < n; i++) {
		result_write(out, &results[i]);
	}
	xylem_buffer_text(out, "</testsuite>\n");
}

void route_test_junit_broken(struct xylem_buffer *out, const char *name, struct xylem_span why)
{
	xylem_buffer_text(out, "<testsuite");
	attribute_write(out, "name", xylem_span_of(name));
	xylem_buffer_text(out, " tests='1' failures='0' errors='1'>\n<testcase");
	attribute_write(out, "classname", xylem_span_of(name));
	xylem_buffer_text(out, " name='can be read'><error message='cannot be read'>");
	xml_escape_words(out, why);
	xylem_buffer_text(out, "</error></testcase>\n</testsuite>\n");
}
