/* SPDX-License-Identifier: Apache-2.0 */
/* What the arguments of operations name: the table read as sentences, so that nobody writes it down twice. */
#include <string.h>

#include <console/noun.h>

const struct xylem_option *operation_option(const struct operation *operation, const char *name)
{
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		if (strcmp(option->name, name) == 0) {
			return option;
		}
	}
	return NULL;
}

const struct xylem_option *operation_placed(const struct operation *operation)
{
	struct xylem_span name;
	if (!operation_placeholder(operation, &name)) {
		return NULL;
	}
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		if (xylem_span_is(name, option->name)) {
			return option;
		}
	}
	return NULL;
}

enum operation_noun operation_noun(const struct operation *operation, const struct xylem_option *option)
{
	static const struct {
		const char *text;
		enum operation_noun noun;
	} collections[] = { { "connectors/", NOUN_CONNECTOR }, { "routes/", NOUN_ROUTE },
		{ "lanes/", NOUN_LANE }, { "topics/", NOUN_TOPIC }, { "hospital/cases/", NOUN_CASE } },
	  names[] = { { "connector", NOUN_CONNECTOR }, { "route", NOUN_ROUTE }, { "lane", NOUN_LANE },
		  { "topic", NOUN_TOPIC }, { "ingress", NOUN_INGRESS } };
	struct xylem_span placeholder;
	bool placed = operation_placeholder(operation, &placeholder) &&
		      xylem_span_is(placeholder, option->name);
	size_t n = placed ? (size_t)(placeholder.at - operation->path) - 1 : 0;
	for (size_t i = 0; placed && i < sizeof(collections) / sizeof(collections[0]); i++) {
		if (xylem_span_is(xylem_span(operation->path, n), collections[i].text)) {
			return collections[i].noun;
		}
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(option->name, names[i].text) == 0) {
			return names[i].noun;
		}
	}
	return NOUN_NONE;
}

/* GET of the first `n` bytes of the path. */
static const struct operation *getter(const struct operation *operation, size_t n)
{
	size_t count;
	const struct operation *const *table = operations(&count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i]->method, "GET") == 0 &&
			xylem_span_is(xylem_span(operation->path, n), table[i]->path)) {
			return table[i];
		}
	}
	return NULL;
}

const struct operation *operation_lister(const struct operation *operation)
{
	struct xylem_span name;
	return operation_placeholder(operation, &name)
		       ? getter(operation, (size_t)(name.at - operation->path) - 2)
		       : NULL;
}

const struct operation *operation_shower(const struct operation *operation)
{
	struct xylem_span name;
	return operation_placeholder(operation, &name)
		       ? getter(operation, (size_t)(name.at + name.n - operation->path) + 1)
		       : NULL;
}
