/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions: `test`, `match`, `capture`, `scan`, `split`, `sub` and
 * `gsub`. What has several outputs gives them as one list here; the
 * definitions in builtin_string.c take the list apart.
 *
 * jq stands on Oniguruma, this on PCRE2 (regex.c). What people write is the
 * same in both; where they differ is said in docs/jq.md. Classes such as \w and
 * [[:alpha:]] know all of Unicode, positions are code points, empty matches
 * count.
 */
#include "jq/builtin.h"
#include "jq/regex.h"

/* --- Groups as values ------------------------------------------------------------------ */

static struct jq_value text_between(struct regex_search *search, size_t from, size_t to)
{
	return jq_string(search->machine, xylem_span(search->text.at + from, to - from));
}

static struct jq_value group_text(struct regex_search *search, struct regex_group group)
{
	return group.there ? text_between(search, group.from, group.to) : jq_simple(JQ_NULL);
}

/* Sets a member with a constant name; NONE stays NONE. */
static struct jq_value with(
	struct jq_machine *machine, struct jq_value object, const char *name, struct jq_value value)
{
	if (jq_is_none(object) || jq_is_none(value)) {
		return jq_simple(JQ_NONE);
	}
	return jq_object_set(machine, object, jq_string_borrow(xylem_span_of(name)), value);
}

static struct jq_value push(struct jq_machine *machine, struct jq_value array, struct jq_value value)
{
	return jq_is_none(array) || jq_is_none(value) ? jq_simple(JQ_NONE)
						      : jq_array_push(machine, array, value);
}

/* `offset`, `length` and `string` of a group. */
static struct jq_value group_value(struct regex_search *search, struct regex_group group)
{
	struct jq_machine *machine = search->machine;
	struct jq_value object = jq_object(machine, 4);
	int64_t offset = group.there ? regex_point(search, group.from) : -1;
	int64_t length = group.there ? regex_point(search, group.to) - offset : 0;
	object = with(machine, object, "offset", jq_int(offset));
	object = with(machine, object, "length", jq_int(length));
	return with(machine, object, "string", group_text(search, group));
}

static struct jq_value group_name(struct regex_search *search, uint32_t number)
{
	for (uint32_t i = 0; i < search->pattern->name_count; i++) {
		uint32_t group;
		struct xylem_span name = regex_name(search->pattern, i, &group);
		if (group == number) {
			return jq_string(search->machine, name);
		}
	}
	return jq_simple(JQ_NULL);
}

static struct jq_value match_value(struct regex_search *search)
{
	struct jq_machine *machine = search->machine;
	struct jq_value object = group_value(search, regex_group_at(search, 0));
	struct jq_value captures = jq_array(machine, search->pattern->groups);
	for (uint32_t i = 1; i < search->pattern->groups && !jq_is_none(captures); i++) {
		struct jq_value group = group_value(search, regex_group_at(search, i));
		captures = push(machine, captures, with(machine, group, "name", group_name(search, i)));
	}
	return with(machine, object, "captures", captures);
}

/* The named groups as an object; of several of one name the last. */
static struct jq_value captures_value(struct regex_search *search)
{
	struct jq_machine *machine = search->machine;
	struct jq_value object = jq_object(machine, search->pattern->name_count);
	for (uint32_t number = 1;
		search->pattern->name_count && number < search->pattern->groups && !jq_is_none(object);
		number++) {
		struct jq_value name = group_name(search, number);
		if (name.kind == JQ_NULL) {
			continue;
		}
		struct jq_value text = group_text(search, regex_group_at(search, number));
		object = jq_is_none(name) || jq_is_none(text) ? jq_simple(JQ_NONE)
							      : jq_object_set(machine, object, name, text);
	}
	return object;
}

/* What `scan` gives: the match, or its groups where it has some. */
static struct jq_value scan_value(struct regex_search *search)
{
	if (search->pattern->groups == 1) {
		return group_text(search, regex_group_at(search, 0));
	}
	struct jq_value groups = jq_array(search->machine, search->pattern->groups);
	for (uint32_t i = 1; i < search->pattern->groups && !jq_is_none(groups); i++) {
		groups = push(search->machine, groups, group_text(search, regex_group_at(search, i)));
	}
	return groups;
}

/* One value for each match. */
static struct jq_value each_match(
	struct regex_search *search, struct jq_value (*value)(struct regex_search *search))
{
	struct jq_value list = jq_array(search->machine, 2);
	int found = 0;
	while (!jq_is_none(list) && (found = regex_next(search)) > 0) {
		list = push(search->machine, list, value(search));
	}
	return found < 0 ? jq_simple(JQ_NONE) : list;
}

/* --- The builtins ------------------------------------------------------------------------ */

static struct jq_value test(struct regex_search *search)
{
	int found = regex_next(search);
	return found < 0 ? jq_simple(JQ_NONE) : jq_bool(found > 0);
}

static struct jq_value test_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct regex_search search;
	return regex_begin_short(&search, machine, input, arguments[0]) ? test(&search) : jq_simple(JQ_NONE);
}

static struct jq_value test_2(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct regex_search search;
	return regex_begin(&search, machine, input, arguments[0], arguments[1]) ? test(&search)
										: jq_simple(JQ_NONE);
}

static struct jq_value match_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct regex_search search;
	return regex_begin_short(&search, machine, input, arguments[0]) ? each_match(&search, match_value)
									: jq_simple(JQ_NONE);
}

static struct jq_value match_2(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct regex_search search;
	return regex_begin(&search, machine, input, arguments[0], arguments[1])
		       ? each_match(&search, match_value)
		       : jq_simple(JQ_NONE);
}

static struct jq_value capture_1(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct regex_search search;
	return regex_begin_short(&search, machine, input, arguments[0]) ? each_match(&search, captures_value)
									: jq_simple(JQ_NONE);
}

static struct jq_value capture_2(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct regex_search search;
	return regex_begin(&search, machine, input, arguments[0], arguments[1])
		       ? each_match(&search, captures_value)
		       : jq_simple(JQ_NONE);
}

static struct jq_value scan_2(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct regex_search search;
	if (!regex_begin(&search, machine, input, arguments[0], arguments[1])) {
		return jq_simple(JQ_NONE);
	}
	search.flags.global = true;
	return each_match(&search, scan_value);
}

/* What lies between the matches. */
static struct jq_value split_2(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct regex_search search;
	size_t from = 0;
	int found = 0;
	if (!regex_begin(&search, machine, input, arguments[0], arguments[1])) {
		return jq_simple(JQ_NONE);
	}
	search.flags.global = true;
	struct jq_value parts = jq_array(machine, 4);
	while (!jq_is_none(parts) && (found = regex_next(&search)) > 0) {
		struct regex_group match = regex_group_at(&search, 0);
		size_t to = match.from < from ? from : match.from;
		parts = push(machine, parts, text_between(&search, from, to));
		from = match.to < from ? from : match.to;
	}
	if (found < 0) {
		return jq_simple(JQ_NONE);
	}
	return push(machine, parts, text_between(&search, from, search.text.n));
}

/* For `sub`: [text before, named groups] for each match, and the text behind the last. */
static struct jq_value edits_2(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	struct regex_search search;
	size_t from = 0;
	int found = 0;
	if (!regex_begin(&search, machine, input, arguments[0], arguments[1])) {
		return jq_simple(JQ_NONE);
	}
	struct jq_value edits = jq_array(machine, 4);
	while (!jq_is_none(edits) && (found = regex_next(&search)) > 0) {
		struct regex_group match = regex_group_at(&search, 0);
		size_t to = match.from < from ? from : match.from;
		struct jq_value edit = push(machine, jq_array(machine, 2), text_between(&search, from, to));
		edit = push(machine, edit, captures_value(&search));
		edits = push(machine, edits, edit);
		from = match.to < from ? from : match.to;
	}
	if (found < 0) {
		return jq_simple(JQ_NONE);
	}
	return push(machine, edits, text_between(&search, from, search.text.n));
}

const struct jq_builtin jq_builtin_regex[] = {
	{ "_capture", 1, capture_1 },
	{ "_capture", 2, capture_2 },
	{ "_edits", 2, edits_2 },
	{ "_match", 1, match_1 },
	{ "_match", 2, match_2 },
	{ "_scan", 2, scan_2 },
	{ "split", 2, split_2 },
	{ "test", 1, test_1 },
	{ "test", 2, test_2 },
	{ .name = NULL },
};
