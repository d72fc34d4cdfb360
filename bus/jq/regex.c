/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching a text by a regular expression, on PCRE2.
 *
 * A pattern may come from a message. So its length, the nesting of its
 * parentheses, the work and the memory of one match are bounded, and every
 * match costs steps of the run.
 *
 * Compiled patterns are kept with the machine, by their text and flags: programs
 * use few, and compiling one costs more than matching it.
 */
#include <stdlib.h>

#include "jq/builtin.h"
#include "jq/regex.h"
#include "json/utf8.h"

enum {
	PATTERN_MOST = 16 * 1024, /* bytes */
	PARENTHESES_MOST = 100,   /* inside each other */
	MATCH_LIMIT = 1000000,    /* steps of one match */
	MATCH_HEAP_KIB = 8192,
	MATCHES_TIMED = 16,  /* matches between looks at the clock: one may take tens of milliseconds */
	LONGEST_DEPTH = 200, /* recursion of the matcher that finds the longest */
	KEPT = 32,           /* patterns for a machine */
};

/* --- Patterns -------------------------------------------------------------------- */

struct regex_kept {
	struct regex_pattern patterns[KEPT];
	size_t n, next;
	pcre2_match_data *match; /* one for all: PCRE2 leaves its working memory there */
	uint32_t match_groups;   /* that it has room for */
	uint32_t matches;        /* since the clock was looked at */
	pcre2_match_context *context;
	pcre2_match_context *longest; /* for pcre2_dfa_match(), which recurses */
};

static void pattern_finish(struct regex_pattern *pattern)
{
	pcre2_code_free(pattern->code);
	free(pattern->text);
	*pattern = (struct regex_pattern){ .code = NULL };
}

static void kept_free(void *pointer)
{
	struct regex_kept *kept = pointer;
	for (size_t i = 0; i < kept->n; i++) {
		pattern_finish(&kept->patterns[i]);
	}
	pcre2_match_data_free(kept->match);
	pcre2_match_context_free(kept->context);
	pcre2_match_context_free(kept->longest);
	free(kept);
}

static pcre2_match_context *context_new(void)
{
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	if (context) {
		pcre2_set_match_limit(context, MATCH_LIMIT);
		pcre2_set_heap_limit(context, MATCH_HEAP_KIB);
	}
	return context;
}

static struct regex_kept *kept_of(struct jq_machine *machine)
{
	void **place = jq_patterns(machine, kept_free);
	if (*place) {
		return *place;
	}
	struct regex_kept *kept = calloc(1, sizeof(*kept));
	if (!kept) {
		return NULL;
	}
	kept->context = context_new();
	kept->longest = context_new();
	if (!kept->context || !kept->longest) {
		kept_free(kept);
		return NULL;
	}
	pcre2_set_depth_limit(kept->longest, LONGEST_DEPTH);
	*place = kept;
	return kept;
}

static struct jq_value compile_failed(
	struct jq_machine *machine, struct xylem_span text, int error, size_t offset)
{
	unsigned char words[160] = "";
	pcre2_get_error_message(error, words, sizeof(words));
	return jq_fail(machine, "%.*s (at offset %zu) is not a valid regex: %s",
		(int)(text.n > 200 ? 200 : text.n), text.at, offset, (const char *)words);
}

static void pattern_read(struct regex_pattern *pattern)
{
	uint32_t captures = 0;
	pcre2_pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT, &captures);
	pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMECOUNT, &pattern->name_count);
	pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMEENTRYSIZE, &pattern->name_size);
	pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMETABLE, &pattern->names);
	pattern->groups = captures + 1;
}

static int pattern_compile(struct regex_pattern *pattern, struct xylem_span text, uint32_t options,
	int *ret_error, size_t *ret_offset)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	if (!context) {
		return -XYLEM_E_MEMORY;
	}
	pcre2_set_max_pattern_length(context, PATTERN_MOST);
	pcre2_set_parens_nest_limit(context, PARENTHESES_MOST);
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	pattern->code = pcre2_compile((PCRE2_SPTR)text.at, text.n,
		options | PCRE2_UTF | PCRE2_UCP | PCRE2_DUPNAMES | PCRE2_NEVER_BACKSLASH_C, ret_error,
		ret_offset, context);
	pcre2_compile_context_free(context);
	if (!pattern->code) {
		return -XYLEM_E_INVALID;
	}
	pattern->text = malloc(text.n + 1);
	if (!pattern->text) {
		pattern_finish(pattern);
		return -XYLEM_E_MEMORY;
	}
	pattern_read(pattern);
	memcpy(pattern->text, text.n ? text.at : "", text.n);
	pattern->n = text.n;
	pattern->options = options;
	return 0;
}

static struct regex_pattern *kept_find(struct regex_kept *kept, struct xylem_span text, uint32_t options)
{
	for (size_t i = 0; i < kept->n; i++) {
		struct regex_pattern *pattern = &kept->patterns[i];
		if (pattern->options == options &&
			xylem_span_equal(xylem_span(pattern->text, pattern->n), text)) {
			return pattern;
		}
	}
	return NULL;
}

static struct regex_pattern *kept_add(struct regex_kept *kept, const struct regex_pattern *fresh)
{
	struct regex_pattern *place = &kept->patterns[kept->next];
	if (kept->n == KEPT) {
		pattern_finish(place);
	} else {
		kept->n++;
	}
	kept->next = (kept->next + 1) % KEPT;
	*place = *fresh;
	return place;
}

/* Valid until the machine's next call of this. NULL: an error was raised. */
static struct regex_pattern *pattern_take(
	struct jq_machine *machine, struct regex_kept *kept, struct xylem_span text, uint32_t options)
{
	struct regex_pattern *found = kept_find(kept, text, options);
	if (found) {
		return found;
	}
	struct regex_pattern fresh = { .code = NULL };
	int words = 0;
	size_t offset = 0;
	if (!jq_spend(machine, 10 + text.n)) {
		return NULL;
	}
	int error = pattern_compile(&fresh, text, options, &words, &offset);
	if (error == -XYLEM_E_INVALID) {
		compile_failed(machine, text, words, offset);
	} else if (error) {
		jq_fail(machine, "out of memory for a regular expression");
	}
	return error ? NULL : kept_add(kept, &fresh);
}

/* --- One call ------------------------------------------------------------------------ */

static bool flag_take(struct regex_flags *flags, char c)
{
	switch (c) {
	case 'g':
		flags->global = true;
		return true;
	case 'i':
		flags->options |= PCRE2_CASELESS;
		return true;
	case 'x':
		flags->options |= PCRE2_EXTENDED;
		return true;
	case 's':
		return true; /* `^` and `$` are the ends of the text: they are without it too */
	case 'm':
	case 'p':
		flags->options |= PCRE2_DOTALL;
		return true;
	case 'l':
		flags->longest = true;
		return true;
	case 'n':
		flags->not_empty = true;
		return true;
	default:
		return false;
	}
}

static bool flags_read(struct jq_machine *machine, struct jq_value value, struct regex_flags *flags)
{
	if (value.kind == JQ_NULL) {
		return true;
	}
	if (!jq_is_string(value)) {
		jq_fail_type(machine, value, "is not a string");
		return false;
	}
	struct xylem_span text = jq_string_bytes(machine, value);
	for (size_t i = 0; i < text.n; i++) {
		if (!flag_take(flags, text.at[i])) {
			jq_fail(machine, "%.*s is not a valid modifier string",
				(int)(text.n > 100 ? 100 : text.n), text.at);
			return false;
		}
	}
	return true;
}

static bool match_room(struct regex_kept *kept, uint32_t groups)
{
	if (kept->match_groups < groups) {
		pcre2_match_data_free(kept->match);
		kept->match = pcre2_match_data_create(groups, NULL);
		kept->match_groups = kept->match ? groups : 0;
	}
	return kept->match_groups >= groups;
}

static bool pattern_begin(struct regex_search *search, struct jq_value regex)
{
	struct regex_kept *kept = kept_of(search->machine);
	if (!kept) {
		jq_fail(search->machine, "out of memory for a regular expression");
		return false;
	}
	search->kept = kept;
	search->pattern = pattern_take(
		search->machine, kept, jq_string_bytes(search->machine, regex), search->flags.options);
	if (search->pattern && !match_room(kept, search->pattern->groups)) {
		jq_fail(search->machine, "out of memory for a regular expression");
		return false;
	}
	search->match = kept->match;
	return search->pattern != NULL;
}

bool regex_begin(struct regex_search *search, struct jq_machine *machine, struct jq_value input,
	struct jq_value regex, struct jq_value flags)
{
	*search = (struct regex_search){ .machine = machine };
	if (!jq_is_string(input)) {
		jq_fail_type(machine, input, "cannot be matched, as it is not a string");
		return false;
	}
	if (!jq_is_string(regex)) {
		jq_fail_type(machine, regex, "is not a string");
		return false;
	}
	if (!flags_read(machine, flags, &search->flags)) {
		return false;
	}
	search->text = jq_string_bytes(machine, input);
	if (!search->text.at) {
		search->text.at = "";
	}
	return pattern_begin(search, regex);
}

bool regex_begin_short(struct regex_search *search, struct jq_machine *machine, struct jq_value input,
	struct jq_value argument)
{
	struct jq_value regex = argument, flags = jq_simple(JQ_NULL);
	if (jq_is_array(argument)) {
		regex = jq_array_item(machine, argument, 0);
		struct jq_value second = jq_array_item(machine, argument, 1);
		flags = jq_is_none(second) ? flags : second;
	}
	if (jq_is_none(regex) || (!jq_is_array(argument) && !jq_is_string(argument))) {
		jq_fail(machine, "%s not a string or array", jq_type_name(argument));
		return false;
	}
	return regex_begin(search, machine, input, regex, flags);
}

/* For `l`: the match again, ended where the longest of those that begin there ends. */
static int longest_match(struct regex_search *search, uint32_t options)
{
	int work[4096];
	struct regex_pattern *pattern = search->pattern;
	PCRE2_SIZE *ends = pcre2_get_ovector_pointer(search->match);
	size_t begin = ends[0];
	int found = pcre2_dfa_match(pattern->code, (PCRE2_SPTR)search->text.at, search->text.n, begin,
		options | PCRE2_ANCHORED, search->match, search->kept->longest, work,
		sizeof(work) / sizeof(*work));
	if (found < 0) {
		return found;
	}
	size_t end = ends[1];
	return pcre2_match(pattern->code, (PCRE2_SPTR)search->text.at, end, begin,
		options | PCRE2_ANCHORED | PCRE2_ENDANCHORED, search->match, search->kept->context);
}

static void match_failed(struct regex_search *search, int error)
{
	unsigned char words[160] = "";
	pcre2_get_error_message(error, words, sizeof(words));
	jq_fail(search->machine, "Regex failure: %s", (const char *)words);
}

/* Steps for what was passed over, and for what making values of the match takes. Counts code points up to it. */
static bool match_pay(struct regex_search *search, size_t begin, size_t end)
{
	const struct regex_pattern *pattern = search->pattern;
	size_t passed = end > search->from ? end - search->from : 0;
	size_t groups = pattern->groups * ((size_t)pattern->name_count + 4) / 16;
	if (begin >= search->byte) {
		search->point = regex_point(search, begin);
		search->byte = begin;
	}
	return jq_spend(search->machine, passed / 16 + groups + (end - begin) / 64 * pattern->groups);
}

/* What a match took is not told in steps. */
static bool matches_timed(struct regex_search *search)
{
	if (++search->kept->matches < MATCHES_TIMED) {
		return true;
	}
	search->kept->matches = 0;
	return jq_time_left(search->machine);
}

int regex_next(struct regex_search *search)
{
	uint32_t options = PCRE2_NO_UTF_CHECK | (search->flags.not_empty ? PCRE2_NOTEMPTY : 0);
	struct regex_pattern *pattern = search->pattern;
	if (search->over || search->from > search->text.n) {
		return 0;
	}
	if (!jq_spend(search->machine, 1) || !matches_timed(search)) {
		return -1;
	}
	int found = pcre2_match(pattern->code, (PCRE2_SPTR)search->text.at, search->text.n, search->from,
		options, search->match, search->kept->context);
	if (found > 0 && search->flags.longest) {
		found = longest_match(search, options);
	}
	if (found == PCRE2_ERROR_NOMATCH) {
		return 0;
	}
	if (found < 0) {
		match_failed(search, found);
		return -1;
	}
	PCRE2_SIZE *ends = pcre2_get_ovector_pointer(search->match);
	/* \K in a lookahead can end a match before it begins. */
	size_t end = ends[1] < ends[0] ? ends[0] : ends[1];
	if (!match_pay(search, ends[0], end)) {
		return -1;
	}
	search->over = !search->flags.global;
	search->from = end;
	if (ends[1] <= ends[0] && end <= search->text.n) {
		uint32_t point;
		const char *at = search->text.at + end;
		search->from += end < search->text.n ? utf8_next(at, search->text.at + search->text.n, &point)
						     : 1;
	}
	return 1;
}

int64_t regex_point(struct regex_search *search, size_t byte)
{
	bool before = byte < search->byte;
	size_t from = before ? 0 : search->byte;
	int64_t point = before ? 0 : search->point;
	return point + (int64_t)utf8_count(xylem_span(search->text.at + from, byte - from));
}

struct regex_group regex_group_at(const struct regex_search *search, uint32_t number)
{
	PCRE2_SIZE *ends = pcre2_get_ovector_pointer(search->match);
	size_t from = ends[2 * number], to = ends[2 * number + 1];
	struct regex_group group = { from != PCRE2_UNSET && to != PCRE2_UNSET, from, to < from ? from : to };
	return group;
}

struct xylem_span regex_name(const struct regex_pattern *pattern, uint32_t i, uint32_t *ret_group)
{
	const unsigned char *row = pattern->names + (size_t)i * pattern->name_size;
	*ret_group = (uint32_t)row[0] << 8 | row[1];
	return xylem_span_of((const char *)row + 2);
}
