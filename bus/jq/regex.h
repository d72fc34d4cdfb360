/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_REGEX_H
#define JQ_REGEX_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "jq/value.h"

struct regex_kept;

/* A compiled pattern, kept with the machine that compiled it. */
struct regex_pattern {
	pcre2_code *code;
	char *text;
	size_t n;
	uint32_t options;
	uint32_t groups;            /* with the whole match, number 0 */
	const unsigned char *names; /* entries of `name_size` bytes: group number (two bytes), name, NUL */
	uint32_t name_count, name_size;
};

struct regex_flags {
	uint32_t options; /* of pcre2_compile() */
	bool global, not_empty, longest;
};

/* One text being searched. Lives on the stack of one builtin. */
struct regex_search {
	struct jq_machine *machine;
	struct regex_kept *kept; /* of this machine */
	pcre2_match_data *match; /* the same for all of its patterns */
	struct regex_pattern *pattern;
	struct regex_flags flags;
	struct xylem_span text;
	size_t from; /* where the next search begins */
	bool over;
	size_t byte; /* `point` code points stand before this byte */
	int64_t point;
};

/* Where a group matched, in bytes. */
struct regex_group {
	bool there;
	size_t from, to;
};

/*
 * `regex` and `flags` as the builtins of two arguments take them; false: an
 * error was raised (by jq_fail). The input's bytes are borrowed.
 */
bool regex_begin(struct regex_search *search, struct jq_machine *machine, struct jq_value input,
	struct jq_value regex, struct jq_value flags);
/* As the builtins of one argument take it: a pattern, or a list of pattern and flags. */
bool regex_begin_short(struct regex_search *search, struct jq_machine *machine, struct jq_value input,
	struct jq_value argument);

/* Finds the next match. 1: found; 0: there is none further; negative: an error was raised. */
int regex_next(struct regex_search *search);

/* Of the match found last. */
struct regex_group regex_group_at(const struct regex_search *search, uint32_t number);
/* The i-th name of the pattern and the number of its group; i < name_count. */
struct xylem_span regex_name(const struct regex_pattern *pattern, uint32_t i, uint32_t *ret_number);
/* Code points before the byte, which lies in the match found last or before it. */
int64_t regex_point(struct regex_search *search, size_t byte);

#endif
