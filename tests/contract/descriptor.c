/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor's part of the suite: what a reader of it, and the validator of a configuration, may rely on. */
#include <string.h>

#include <xylem/xylem.h>

#include "cases.h"
#include "suite.h"

static bool name_valid(const char *name)
{
	return name && *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static const char *option_check(
	struct suite *suite, const struct xylem_connector *kind, const struct xylem_option *option)
{
	size_t n = option->summary ? strlen(option->summary) : 0;
	if (n == 0 || option->summary[n - 1] != '.') {
		return suite_failed(
			suite, "option %s: its summary is a sentence with a full stop", option->name);
	}
	if (!option->since) {
		return suite_failed(suite, "option %s: `since` is missing", option->name);
	}
	if (option->type == XYLEM_OPTION_ENUM && !(option->choices && option->choices[0])) {
		return suite_failed(suite, "option %s: an ENUM has choices", option->name);
	}
	if (option->offset >= kind->options_size) {
		return suite_failed(suite, "option %s: lies outside the struct", option->name);
	}
	if (!option->example && !option->default_value && !(option->flags & XYLEM_OPTION_REQUIRED)) {
		return suite_failed(suite,
			"option %s: neither default nor example, so that nobody can see its notation",
			option->name);
	}
	for (const struct xylem_option *other = kind->options; other != option; other++) {
		if (strcmp(other->name, option->name) == 0) {
			return suite_failed(suite, "option %s: there twice", option->name);
		}
	}
	return NULL;
}

const char *descriptor_whole(struct suite *suite)
{
	const struct xylem_connector *kind = suite->kind;
	bool source = kind->flags & XYLEM_CONNECTOR_SOURCE, sink = kind->flags & XYLEM_CONNECTOR_SINK;
	if (kind->contract_version != XYLEM_CONTRACT_VERSION) {
		return suite_failed(suite, "contract version %u, the bus has %u", kind->contract_version,
			XYLEM_CONTRACT_VERSION);
	}
	if (!name_valid(kind->name) || !kind->summary || !kind->options || !kind->open || !kind->close) {
		return suite_failed(suite, "name, summary, options, open and close are required");
	}
	if (!source && !sink) {
		return suite_failed(suite, "it is neither source nor sink");
	}
	if (source && (!kind->source_start || !kind->source_stop)) {
		return suite_failed(suite, "a source has start and stop");
	}
	if (sink && (!kind->sink_open || !kind->deliver || !kind->sink_close)) {
		return suite_failed(suite, "a sink has open, deliver and close");
	}
	for (const struct xylem_option *option = kind->options; option->name; option++) {
		const char *why = option_check(suite, kind, option);
		if (why) {
			return why;
		}
	}
	return NULL;
}

const char *closing_nothing(struct suite *suite)
{
	suite->kind->close(NULL);
	if (suite->kind->sink_close) {
		suite->kind->sink_close(NULL);
	}
	return NULL;
}
