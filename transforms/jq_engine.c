/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jq language on libjq (1.6 and later).
 *
 * A step is pure, and libjq is not: it has the environment, the clock, other
 * inputs, files by `import`. All of these are taken away by definitions that
 * stand around the program. A name that a step may not use is defined by one
 * that does not exist; jq drops definitions that nobody calls, so that the
 * program fails to compile exactly when it uses the name, by jq's own rules of
 * scope. `now` and `implode` are defined anew: the first says the message's
 * journal time; the second, in libjq 1.6, ends the process on a wrong code
 * point.
 *
 * libjq has binary64 numbers only. What it would change is refused before
 * (jq_engine_accepts), never passed on changed.
 *
 * The rule not to break: nearly every jv_ function consumes its arguments.
 *
 * What it does not do: it cannot stop a program that does not end, nor bound
 * its memory; libjq has neither.
 */
#include <jq.h>
#include <stdio.h>
#include <stdlib.h>

#include <xylem/buffer.h>
#include <xylem/json.h>

#include "json/scan.h"
#include "transforms/jq_engine.h"

struct jq_engine {
	jq_state *state;
};

#define ABSENT "not_available_in_a_step"

/* One line, so that lines of the program can be told. The input is [event, now]. */
static const char prelude[] =
	". as [$__xylem_event, $__now] | {} as $ENV | $__xylem_event | ("
	"def now: $__now; def __xylem_implode: implode; "
	"def implode: if type == \"array\" and all(.[]; type == \"number\" and . >= 0 and . <= 1114111 "
	"and (. < 55296 or . > 57343) and floor == .) then __xylem_implode "
	"else error(\"implode takes an array of code points\") end; "
	"def env: env_" ABSENT "; def input: input_" ABSENT "; def inputs: inputs_" ABSENT "; "
	"def debug: debug_" ABSENT "; def debug(f): debug_" ABSENT "; def stderr: stderr_" ABSENT "; "
	"def input_filename: input_filename_" ABSENT "; def input_line_number: input_line_number_" ABSENT "; "
	"def halt: halt_" ABSENT "; def halt_error: halt_error_" ABSENT
	"; def halt_error(f): halt_error_" ABSENT "; "
	"def localtime: localtime_" ABSENT "; def strflocaltime(f): strflocaltime_" ABSENT "; "
	"def modulemeta: modulemeta_" ABSENT "; def get_search_list: get_search_list_" ABSENT "; "
	"def get_prog_origin: get_prog_origin_" ABSENT "; def get_jq_origin: get_jq_origin_" ABSENT "; ";

/* --- Compiling -------------------------------------------------------------- */

static void message_take(void *context, jv message)
{
	struct xylem_buffer *out = context;
	message = jq_format_error(message);
	if (out->n == 0 && jv_get_kind(message) == JV_KIND_STRING) {
		xylem_buffer_text(out, jv_string_value(message));
	}
	jv_free(message);
}

static jq_state *state_new(const char *text, struct xylem_buffer *message)
{
	jq_state *state = jq_init();
	if (!state) {
		return NULL;
	}
	jq_set_error_cb(state, message_take, message);
	/* Without these, `import` ends the process in libjq; with them, it finds nothing. */
	jq_set_attr(state, jv_string("JQ_LIBRARY_PATH"), jv_array());
	jq_set_attr(state, jv_string("PROGRAM_ORIGIN"), jv_string("/nonexistent"));
	if (!jq_compile(state, text)) {
		jq_teardown(&state);
		return NULL;
	}
	jq_set_error_cb(state, NULL, NULL);
	return state;
}

/* From `jq: error: TEXT at <top-level>, line N:` and what follows to `line N: TEXT`. */
static void syntax_reason(const char *message, struct xylem_reason *reason)
{
	static const char start[] = "jq: error: ", place[] = " at <top-level>, line ",
			  hint[] = " (Unix shell quoting issues?)";
	message += strncmp(message, start, strlen(start)) == 0 ? strlen(start) : 0;
	const char *at = strstr(message, place);
	if (!at) {
		xylem_reason_set(reason, "%.*s", (int)strcspn(message, "\n"), message);
		return;
	}
	const char *quoting = strstr(message, hint), *end = quoting && quoting < at ? quoting : at;
	xylem_reason_set(reason, "line %ld: %.*s", strtol(at + strlen(place), NULL, 10), (int)(end - message),
		message);
}

static bool is_word(char c)
{
	return c == '_' || scan_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The program compiles by itself, but not between the definitions. */
static void purity_reason(const char *message, struct xylem_reason *reason)
{
	const char *absent = strstr(message, "_" ABSENT);
	const char *name = absent;
	while (name && name > message && (is_word(name[-1]) || name[-1] == '$')) {
		name--;
	}
	if (absent) {
		xylem_reason_set(reason,
			"`%.*s` is not available in a step: a step sees its event and nothing else, so that "
			"it "
			"gives the same result whenever it is run again",
			(int)(absent - name), name);
	} else {
		xylem_reason_set(reason, "a step is one expression, without import, include and module");
	}
}

static bool names_environment(const char *program)
{
	for (const char *at = program; (at = strstr(at, "$ENV")); at++) {
		if (!is_word(at[4])) {
			return true;
		}
	}
	return false;
}

static int engine_compile(struct jq_engine *engine, const char *program, struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED message = { 0 };
	XYLEM_BUFFER_SCOPED text = { 0 };
	if (names_environment(program)) {
		purity_reason("$ENV_" ABSENT, reason);
		return -XYLEM_E_INVALID;
	}
	jq_state *bare = state_new(program, &message);
	if (!bare) {
		xylem_buffer_byte(&message, '\0');
		syntax_reason(message.bytes ? message.bytes : "", reason);
		return -XYLEM_E_INVALID;
	}
	jq_teardown(&bare);
	xylem_buffer_clear(&message);
	xylem_buffer_text(&text, prelude);
	xylem_buffer_text(&text, program);
	xylem_buffer_append(&text, "\n)", 3); /* a line of its own: the program may end in a comment */
	if (xylem_buffer_failed(&text)) {
		return -XYLEM_E_MEMORY;
	}
	engine->state = state_new(text.bytes, &message);
	if (!engine->state) {
		xylem_buffer_byte(&message, '\0');
		purity_reason(message.bytes ? message.bytes : "", reason);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

int jq_engine_new(const char *program, struct jq_engine **ret_engine, struct xylem_reason *reason)
{
	struct jq_engine *engine = calloc(1, sizeof(*engine));
	if (!engine) {
		return -XYLEM_E_MEMORY;
	}
	int error = engine_compile(engine, program, reason);
	if (error < 0) {
		jq_engine_free(engine);
		return error;
	}
	*ret_engine = engine;
	return 0;
}

struct jq_engine *jq_engine_free(struct jq_engine *engine)
{
	if (engine) {
		if (engine->state) {
			jq_teardown(&engine->state);
		}
		free(engine);
	}
	return NULL;
}

/* --- Numbers ---------------------------------------------------------------- */

/* The first number that a double does not give back; absent if all do. */
static struct xylem_span inexact_number(struct xylem_span json)
{
	const char *at = json.at, *end = json.at + json.n;
	while (at < end) {
		if (*at == '"') {
			at = scan_string(at + 1, end);
		} else if (*at == '-' || scan_is_digit(*at)) {
			const char *stop = scan_value(at, end);
			struct xylem_span number = xylem_span(at, (size_t)(stop - at));
			double ignored;
			bool exact = true;
			/* Up to 15 characters without an exponent are at most 15 digits: exact. */
			if (number.n > 15 || memchr(at, 'e', number.n) || memchr(at, 'E', number.n)) {
				xylem_json_double(number, &ignored, &exact);
			}
			if (!exact) {
				return number;
			}
			at = stop;
		} else {
			at++;
		}
	}
	return XYLEM_SPAN_NONE;
}

int jq_engine_accepts(struct xylem_span json, const char *base, struct xylem_reason *reason)
{
	struct xylem_span number = inexact_number(json);
	if (!xylem_span_present(number)) {
		return 0;
	}
	XYLEM_BUFFER_SCOPED place = { 0 };
	xylem_json_place(json, number.at, &place);
	xylem_reason_set(reason,
		"%s%.*s: the number %.*s would lose digits in jq, which has 53 bits for a number; send it as "
		"a "
		"string, or use `set` and `where`, which are exact",
		base, (int)(place.n > 200 ? 200 : place.n), place.n ? place.bytes : "",
		(int)(number.n > 80 ? 80 : number.n), number.at);
	return -XYLEM_E_UNPROCESSABLE;
}

/* --- Running ---------------------------------------------------------------- */

/* Consumes the message of an error. */
static int error_reason(jv message, struct xylem_reason *reason)
{
	if (jv_get_kind(message) != JV_KIND_STRING) {
		message = jv_dump_string(message, 0);
	}
	xylem_reason_set(reason, "%s", jv_string_value(message));
	jv_free(message);
	return -XYLEM_E_UNPROCESSABLE;
}

static int result_give(jv value, int (*result)(void *context, struct xylem_span json), void *context)
{
	jv text = jv_dump_string(value, 0);
	int n = jv_string_length_bytes(jv_copy(text));
	int error = result(context, xylem_span(jv_string_value(text), (size_t)n));
	jv_free(text);
	return error;
}

int jq_engine_run(struct jq_engine *engine, struct xylem_span json, int64_t now_us,
	int (*result)(void *context, struct xylem_span json), void *context, struct xylem_reason *reason)
{
	if (json.n > INT32_MAX) {
		xylem_reason_set(reason, "larger than jq takes");
		return -XYLEM_E_UNPROCESSABLE;
	}
	jv event = jv_parse_sized(json.at, (int)json.n);
	if (!jv_is_valid(event)) {
		return error_reason(jv_invalid_get_msg(event), reason);
	}
	jv input = jv_array_append(jv_array_append(jv_array(), event), jv_number((double)now_us / 1e6));
	jq_start(engine->state, input, 0);
	int error = 0;
	jv value;
	while (error == 0 && jv_is_valid(value = jq_next(engine->state))) {
		error = result_give(value, result, context);
	}
	if (error == 0 && jv_invalid_has_msg(jv_copy(value))) {
		return error_reason(jv_invalid_get_msg(value), reason);
	}
	if (error == 0) {
		jv_free(value);
	}
	return error;
}
