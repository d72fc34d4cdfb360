/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chat words. The line is split once; the operation is the one whose words
 * begin it (the longest, and of `show 7` and `show 0-7` the one whose thing has
 * that form); then each word goes where the operation's arguments want it.
 *
 * The rule not to break: a word that fits nowhere refuses the line. A phone
 * that corrects what was typed must not make something else happen.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <config/nearest.h>
#include <console/noun.h>
#include <console/xmpp/form.h>
#include <console/xmpp/words.h>
#include <xylem/json.h>

#define TOKENS_MOST 100

struct tokens {
	struct xylem_span line;
	struct xylem_span at[TOKENS_MOST];
	size_t n;
};

/* --- Splitting -------------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool split(struct xylem_span line, struct tokens *tokens)
{
	*tokens = (struct tokens){ .line = line };
	size_t i = 0;
	while (i < line.n) {
		size_t begin = i;
		while (i < line.n && !is_space(line.at[i])) {
			i++;
		}
		if (i > begin) {
			if (tokens->n == TOKENS_MOST) {
				return false;
			}
			tokens->at[tokens->n++] = xylem_span(line.at + begin, i - begin);
		}
		i++;
	}
	return true;
}

/* Everything from the token on, as it was written. */
static struct xylem_span rest(const struct tokens *tokens, size_t from)
{
	const char *begin = tokens->at[from].at;
	const struct xylem_span *last = &tokens->at[tokens->n - 1];
	return xylem_span(begin, (size_t)(last->at + last->n - begin));
}

static bool is_number(struct xylem_span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.at[i] < '0' || text.at[i] > '9') {
			return false;
		}
	}
	return text.n > 0 && text.n < 19;
}

/* --- Which operation ------------------------------------------------------------------ */

/* How many tokens the words take; 0: they do not begin the line. Without case: phones capitalise. */
static size_t match(const struct tokens *tokens, const char *words)
{
	size_t used = 0;
	for (const char *at = words; at && *at;) {
		size_t n = strcspn(at, " ");
		if (used == tokens->n || tokens->at[used].n != n ||
			strncasecmp(tokens->at[used].at, at, n) != 0) {
			return 0;
		}
		used++;
		at += n + (at[n] == ' ');
	}
	return used;
}

/* Does the thing of this operation look like the token? Of two with the same words it decides. */
static bool thing_fits(const struct operation *operation, const struct tokens *tokens, size_t used)
{
	const struct xylem_option *placed = operation_placed(operation);
	bool number = placed && placed->type == XYLEM_OPTION_INTEGER;
	if (used == tokens->n) {
		return !placed;
	}
	return number == (is_number(tokens->at[used]) || xylem_span_is(tokens->at[used], "group"));
}

static const struct operation *find(const struct tokens *tokens, size_t first, const struct scope *scope,
	enum config_role role, size_t *ret_used)
{
	struct tokens line = *tokens;
	memmove(line.at, line.at + first, (line.n - first) * sizeof(line.at[0]));
	line.n -= first;
	size_t n, best = 0;
	const struct operation *const *table = operations(&n), *found = NULL;
	for (size_t i = 0; i < n; i++) {
		size_t words = match(&line, table[i]->words), also = match(&line, table[i]->also);
		size_t used = words > also ? words : also;
		size_t score = used * 2 + (used && thing_fits(table[i], &line, used));
		if (role >= table[i]->role && scope_has(scope, table[i]) && used && score > best) {
			best = score;
			found = table[i];
			*ret_used = first + used;
		}
	}
	return found;
}

/* --- Its arguments ----------------------------------------------------------------------- */

struct reading {
	const struct tokens *tokens;
	const struct scope *scope;
	struct words *words;
	struct xylem_reason *reason;
};

static bool is_set(const struct reading *reading, const struct xylem_option *option)
{
	char value[SCOPE_LOCAL];
	return json_object_get(reading->words->arguments, option->name) ||
	       scope_fixes(reading->scope, reading->words->operation, option, value);
}

static int set(struct reading *reading, const struct xylem_option *option, struct xylem_span value)
{
	json_t *text = json_stringn(value.at ? value.at : "", value.n);
	if (!text) {
		xylem_reason_set(reading->reason, "`%s` is no text in UTF-8", option->name);
		return -XYLEM_E_INVALID;
	}
	return json_object_set_new(reading->words->arguments, option->name, text) ? -XYLEM_E_MEMORY : 0;
}

/* NAME=VALUE or --NAME VALUE of an argument: how many tokens it takes; 0: it is none; negative: an error. */
static int read_named(struct reading *reading, size_t i)
{
	struct xylem_span token = reading->tokens->at[i];
	bool dashes = token.n > 2 && memcmp(token.at, "--", 2) == 0;
	if (dashes) {
		token = xylem_span(token.at + 2, token.n - 2);
	}
	const char *equals = memchr(token.at, '=', token.n);
	struct xylem_span name = xylem_span(token.at, equals ? (size_t)(equals - token.at) : token.n);
	for (const struct xylem_option *option = reading->words->operation->arguments; option->name;
		option++) {
		if (!xylem_span_is(name, option->name) || (!equals && !dashes)) {
			continue;
		}
		struct xylem_span value = equals ? xylem_span(equals + 1, token.n - name.n - 1)
					  : i + 1 < reading->tokens->n ? reading->tokens->at[i + 1]
								       : XYLEM_SPAN_LITERAL("");
		int error = set(reading, option, value);
		return error ? error : equals ? 1 : 2;
	}
	if (dashes) {
		xylem_reason_set(reading->reason, "%s has no argument `%.*s`",
			reading->words->operation->words, (int)name.n, name.at);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

/* The thing, or several numbers, or `group G`. How many tokens; negative: an error. */
static int read_things(struct reading *reading, const struct xylem_option *placed, size_t i)
{
	const struct tokens *tokens = reading->tokens;
	struct words *words = reading->words;
	bool group = words->operation->unsafe && xylem_span_is(tokens->at[i], "group") &&
		     placed->type == XYLEM_OPTION_INTEGER;
	if (group && i + 1 < tokens->n && is_number(tokens->at[i + 1])) {
		snprintf(words->group, sizeof(words->group), "%.*s", (int)tokens->at[i + 1].n,
			tokens->at[i + 1].at);
		const char *end = tokens->at[i + 1].at + tokens->at[i + 1].n;
		words->group_at = xylem_span(tokens->at[i].at, (size_t)(end - tokens->at[i].at));
		return 2;
	}
	size_t n = 1;
	while (words->operation->unsafe && placed->type == XYLEM_OPTION_INTEGER && i + n < tokens->n &&
		is_number(tokens->at[i]) && is_number(tokens->at[i + n])) {
		n++;
	}
	if (n == 1) {
		int error = set(reading, placed, tokens->at[i]);
		return error ? error : 1;
	}
	if (n > WORDS_THINGS) {
		xylem_reason_set(reading->reason, "at most %d at once", WORDS_THINGS);
		return -XYLEM_E_LIMIT;
	}
	words->things = json_array();
	for (size_t k = 0; k < n; k++) {
		json_array_append_new(words->things, json_stringn(tokens->at[i + k].at, tokens->at[i + k].n));
	}
	return (int)n;
}

static bool thing_named(const struct words *words, const struct xylem_option *placed)
{
	return words->group[0] || words->things || json_object_get(words->arguments, placed->name);
}

/* The first argument without which the operation does not run, beside the thing and its version; NULL: all are there. */
static const struct xylem_option *missing(const struct reading *reading)
{
	const struct operation *operation = reading->words->operation;
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		bool version = strcmp(option->name, "version") == 0;
		if ((option->flags & XYLEM_OPTION_REQUIRED) && !version && !is_set(reading, option) &&
			option != operation_placed(operation)) {
			return option;
		}
	}
	return NULL;
}

/* What takes the rest of the line: a required text, or data. NULL: nothing does. */
static const struct xylem_option *rest_option(const struct reading *reading)
{
	const struct operation *operation = reading->words->operation;
	const struct xylem_option *data = operation_option(operation, "data_text");
	const struct xylem_option *required = missing(reading);
	if (required) {
		return required;
	}
	return data && !is_set(reading, data) ? data : operation_option(operation, "note");
}

/* One word of several required ones (`publish topic:news ...`), or everything that is left. */
static int read_rest(struct reading *reading, size_t i)
{
	const struct xylem_option *option = rest_option(reading);
	if (!option || is_set(reading, option)) {
		xylem_reason_set(reading->reason, "what is `%.*s`?", (int)reading->tokens->at[i].n,
			reading->tokens->at[i].at);
		return -XYLEM_E_INVALID;
	}
	const struct operation *operation = reading->words->operation;
	const struct xylem_option *data = operation_option(operation, "data");
	bool one_word = data && !form_is_data(option);
	struct xylem_span text = one_word ? reading->tokens->at[i] : rest(reading->tokens, i);
	struct xylem_reason why;
	size_t offset;
	if (!one_word && data && form_is_data(option)) {
		bool json = xylem_json_check(text, &offset, &why) == 0;
		if (!json && text.at[0] == '{') {
			/* Quotation marks that a phone has made typographic, above all. */
			xylem_reason_set(
				reading->reason, "%s. For text that begins so: data_text=...", why.text);
			return -XYLEM_E_INVALID;
		}
		option = json ? data : option;
	}
	int error = set(reading, option, text);
	return error ? error : one_word ? 1 : (int)(reading->tokens->n - i);
}

static int read_arguments(struct reading *reading, size_t i)
{
	const struct xylem_option *placed = operation_placed(reading->words->operation);
	char value[SCOPE_LOCAL];
	if (placed && scope_fixes(reading->scope, reading->words->operation, placed, value)) {
		placed = NULL;
	}
	while (i < reading->tokens->n) {
		int used = read_named(reading, i);
		if (used == 0 && placed && !thing_named(reading->words, placed)) {
			used = read_things(reading, placed, i);
		} else if (used == 0) {
			used = read_rest(reading, i);
		}
		if (used < 0) {
			return used;
		}
		i += (size_t)used;
	}
	if ((placed && !thing_named(reading->words, placed)) || missing(reading)) {
		XYLEM_BUFFER_SCOPED usage = { 0 };
		words_write_usage(&usage, reading->words->operation, reading->scope);
		xylem_reason_set(reading->reason, "%sWrite: %.*s", placed ? "which one? " : "", (int)usage.n,
			usage.bytes ? usage.bytes : "");
		return -XYLEM_E_INVALID;
	}
	return 0;
}

/* --- A line --------------------------------------------------------------------------------- */

static bool first_is(const struct tokens *tokens, const char *word)
{
	return match(tokens, word) == 1;
}

void words_finish(struct words *words)
{
	json_decref(words->arguments);
	json_decref(words->things);
	*words = (struct words){ 0 };
}

static void offer_first(struct nearest *nearest, char word[32], const char *words)
{
	size_t distance = nearest->distance;
	char first[32];
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(words, " "), words);
	nearest_offer(nearest, first);
	if (nearest->distance < distance) {
		memcpy(word, first, sizeof(first));
		nearest->name = word;
	}
}

/* Does something begin with this word that needs more of them? Then the reason says how it is written. */
static bool begun(
	const char *word, const struct scope *scope, enum config_role role, struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED usage = { 0 };
	size_t n, length = strlen(word);
	const struct operation *const *table = operations(&n);
	for (size_t i = 0; i < n; i++) {
		bool begins = strncasecmp(table[i]->words, word, length) == 0 &&
			      table[i]->words[length] == ' ' && !table[i]->also;
		if (begins && role >= table[i]->role && scope_has(scope, table[i])) {
			xylem_buffer_text(&usage, usage.n ? " | " : "");
			words_write_usage(&usage, table[i], scope);
		}
	}
	if (usage.n > 0) {
		xylem_reason_set(reason, "Write: %.*s", (int)usage.n, usage.bytes);
	}
	return usage.n > 0;
}

/* The word that was probably meant, of those that the sender may use here. */
static int unknown(const struct tokens *tokens, size_t at, const struct scope *scope, enum config_role role,
	struct xylem_reason *reason)
{
	char wanted[65], word[32], hint[NEAREST_HINT_SIZE];
	struct nearest nearest;
	size_t n;
	const struct operation *const *table = operations(&n);
	snprintf(wanted, sizeof(wanted), "%.*s", (int)tokens->at[at].n, tokens->at[at].at);
	if (begun(wanted, scope, role, reason)) {
		return -XYLEM_E_NOT_FOUND;
	}
	nearest_init(&nearest, wanted);
	for (size_t i = 0; i < n; i++) {
		if (role >= table[i]->role && scope_has(scope, table[i])) {
			offer_first(&nearest, word, table[i]->words);
			offer_first(&nearest, word, table[i]->also ? table[i]->also : table[i]->words);
		}
	}
	xylem_reason_set(reason, "I do not know `%s` here%s Write `help`.", wanted,
		nearest_hint(&nearest, hint)[0] ? hint : ".");
	return -XYLEM_E_NOT_FOUND;
}

int words_read(struct xylem_span line, const struct scope *scope, enum config_role role,
	struct words *ret_words, struct xylem_reason *reason)
{
	struct tokens tokens;
	struct words words = { .kind = WORDS_OPERATION };
	size_t used = 0;
	bool fits = split(line, &tokens);
	if (!fits || tokens.n == 0) {
		xylem_reason_set(reason, fits ? "Write `help`." : "that is too long for me");
		return -XYLEM_E_INVALID;
	}
	if (first_is(&tokens, "yes") && tokens.n == 2 && tokens.at[1].n < sizeof(words.code)) {
		words.kind = WORDS_CONFIRM;
		snprintf(words.code, sizeof(words.code), "%.*s", (int)tokens.at[1].n, tokens.at[1].at);
		*ret_words = words;
		return 0;
	}
	if (scope->kind != SCOPE_BUS && first_is(&tokens, "status") && tokens.n == 1) {
		words.kind = WORDS_STATUS;
		*ret_words = words;
		return 0;
	}
	bool help = first_is(&tokens, "help") || first_is(&tokens, "?");
	words.operation = find(&tokens, help, scope, role, &used);
	if (help && (words.operation || tokens.n == 1)) {
		words.kind = WORDS_HELP;
		*ret_words = words;
		return 0;
	}
	if (!words.operation && !help &&
		(words.operation = find(&tokens, 0, scope, ROLE_ADMIN, &used)) != NULL) {
		words.kind = WORDS_FORBIDDEN;
		*ret_words = words;
		return 0;
	}
	if (!words.operation) {
		return unknown(&tokens, help, scope, role, reason);
	}
	words.arguments = json_object();
	struct reading reading = { &tokens, scope, &words, reason };
	int error = read_arguments(&reading, used);
	if (error) {
		words_finish(&words);
		return error;
	}
	*ret_words = words;
	return 0;
}

/* --- Help ------------------------------------------------------------------------------------- */

static void write_upper(struct xylem_buffer *out, const char *text)
{
	for (; *text; text++) {
		xylem_buffer_byte(out, (char)toupper((unsigned char)*text));
	}
}

void words_write_usage(struct xylem_buffer *out, const struct operation *operation, const struct scope *scope)
{
	char value[SCOPE_LOCAL];
	const struct xylem_option *placed = operation_placed(operation);
	xylem_buffer_text(out, operation->also ? operation->also : operation->words);
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		bool version = strcmp(option->name, "version") == 0 && placed;
		if ((option->flags & XYLEM_OPTION_REQUIRED) && !version &&
			!scope_fixes(scope, operation, option, value)) {
			xylem_buffer_byte(out, ' ');
			write_upper(out, option->name);
		}
	}
}

static void write_one(struct xylem_buffer *out, const struct operation *operation, const struct scope *scope)
{
	words_write_usage(out, operation, scope);
	xylem_buffer_format(out, "\n%s", operation->summary);
	for (const struct xylem_option *option = operation->arguments; option->name; option++) {
		xylem_buffer_format(out, "\n%s=: %s", option->name, option->summary);
		for (size_t i = 0; option->type == XYLEM_OPTION_ENUM && option->choices[i]; i++) {
			xylem_buffer_format(out, "%s%s", i ? ", " : " ", option->choices[i]);
		}
	}
}

void words_write_help(struct xylem_buffer *out, const struct operation *operation, const struct scope *scope,
	enum config_role role)
{
	size_t n;
	const struct operation *const *table = operations(&n);
	if (operation) {
		write_one(out, operation, scope);
		return;
	}
	xylem_buffer_text(out, scope->kind != SCOPE_BUS ? "status\n" : "");
	for (size_t i = 0; i < n; i++) {
		if (role >= table[i]->role && scope_has(scope, table[i])) {
			words_write_usage(out, table[i], scope);
			xylem_buffer_byte(out, '\n');
		}
	}
	xylem_buffer_text(out, "`help WORDS` says more. ");
	xylem_buffer_text(out,
		scope->kind == SCOPE_BUS
			? "Parts have addresses of their own: connector.NAME@, route.NAME@, topic.NAME@ here."
			: "What is not about this part is asked of the bus itself.");
}
