/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a program apart into words. The longest word counts, as in jq. What
 * stands between quotes is read by the parser, since expressions stand within.
 */
#include "json/scan.h"

#include "jq/lexer.h"

static bool is_letter(char c)
{
	char lower = (char)(c | 0x20);
	return c == '_' || (lower >= 'a' && lower <= 'z');
}

static const char *word_end(const char *at, const char *end)
{
	while (at < end && (is_letter(*at) || scan_is_digit(*at))) {
		at++;
	}
	return at;
}

/* A name that may hold `::` between words. */
static const char *path_end(const char *at, const char *end)
{
	at = word_end(at, end);
	while (end - at > 2 && at[0] == ':' && at[1] == ':' && is_letter(at[2])) {
		at = word_end(at + 2, end);
	}
	return at;
}

static int keyword_find(struct xylem_span text)
{
	static const char *const keywords[] = { "and", "as", "break", "catch", "def", "elif", "else", "end",
		"foreach", "if", "import", "include", "label", "module", "or", "reduce", "then", "try" };
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (xylem_span_is(text, keywords[i])) {
			return TOKEN_AND + (int)i;
		}
	}
	return TOKEN_NAME;
}

static const char *digits_end(const char *at, const char *end)
{
	while (at < end && scan_is_digit(*at)) {
		at++;
	}
	return at;
}

static const char *number_end(const char *at, const char *end)
{
	at = digits_end(at, end);
	if (at < end && *at == '.') {
		at = digits_end(at + 1, end);
	}
	if (at < end && (*at | 0x20) == 'e') {
		const char *digits = at + 1;
		digits += digits < end && (*digits == '+' || *digits == '-');
		if (digits < end && scan_is_digit(*digits)) {
			return digits_end(digits, end);
		}
	}
	return at;
}

static const char *spaces_skip(const char *at, const char *end)
{
	for (;;) {
		at = scan_space(at, end);
		if (at >= end || *at != '#') {
			return at;
		}
		while (at < end && *at != '\n') {
			at++;
		}
	}
}

static const struct {
	char text[4];
	int token;
} signs[] = {
	{ "?//", TOKEN_DESTRUCTURE },
	{ "//=", TOKEN_ALTERNATIVE_UPDATE },
	{ "//", TOKEN_ALTERNATIVE },
	{ "|=", TOKEN_UPDATE },
	{ "+=", TOKEN_ADD_UPDATE },
	{ "-=", TOKEN_SUBTRACT_UPDATE },
	{ "*=", TOKEN_MULTIPLY_UPDATE },
	{ "/=", TOKEN_DIVIDE_UPDATE },
	{ "%=", TOKEN_MODULO_UPDATE },
	{ "==", TOKEN_EQUAL },
	{ "!=", TOKEN_UNEQUAL },
	{ "<=", TOKEN_LESS_EQUAL },
	{ ">=", TOKEN_GREATER_EQUAL },
	{ "..", TOKEN_RECURSE },
};

static void take(struct jq_lexer *lexer, int token, size_t skip, const char *stop)
{
	lexer->token = token;
	lexer->text = xylem_span(lexer->at + skip, (size_t)(stop - lexer->at) - skip);
	lexer->at = stop;
}

static void take_sign(struct jq_lexer *lexer)
{
	size_t left = (size_t)(lexer->end - lexer->at);
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		size_t n = strlen(signs[i].text);
		if (n <= left && memcmp(signs[i].text, lexer->at, n) == 0) {
			take(lexer, signs[i].token, 0, lexer->at + n);
			return;
		}
	}
	bool known = memchr(".?=;,:|+-*/%<>()[]{}\"", *lexer->at, 21) != NULL;
	take(lexer, known ? (unsigned char)*lexer->at : TOKEN_WRONG, 0, lexer->at + 1);
}

void jq_lexer_next(struct jq_lexer *lexer)
{
	const char *at = lexer->at = spaces_skip(lexer->at, lexer->end), *end = lexer->end;
	lexer->token_at = at;
	char next = end - at > 1 ? at[1] : '\0';
	if (at >= end) {
		lexer->token = TOKEN_END;
		lexer->text = xylem_span(at, 0);
	} else if (is_letter(*at)) {
		take(lexer, TOKEN_NAME, 0, path_end(at, end));
		lexer->token = keyword_find(lexer->text);
	} else if (scan_is_digit(*at) || (*at == '.' && scan_is_digit(next))) {
		take(lexer, TOKEN_NUMBER, 0, number_end(at, end));
	} else if (*at == '.' && is_letter(next)) {
		take(lexer, TOKEN_FIELD, 1, word_end(at + 1, end));
	} else if (*at == '$' && is_letter(next)) {
		take(lexer, TOKEN_VARIABLE, 1, path_end(at + 1, end));
	} else if (*at == '@' && (is_letter(next) || scan_is_digit(next))) {
		take(lexer, TOKEN_FORMAT, 1, word_end(at + 1, end));
	} else {
		take_sign(lexer);
	}
}
