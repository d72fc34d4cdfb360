/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fingerprint of a failure: which group a case belongs to.
 *
 * A thousand orders refused for a thousand unknown customers are one problem.
 * So the values in a reason are replaced by placeholders before it is compared.
 * The replacement reads left to right and looks at nothing but the bytes: it
 * knows no connector and no language.
 *
 * The rule not to break: a change here makes new groups out of old failures.
 * It does not try to be clever about words: a name without quotes stays.
 */
#include "fingerprint.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

struct pattern {
	char *out;
	size_t n;
};

static void put(struct pattern *pattern, const char *text, size_t n)
{
	if (pattern->n + n < PATTERN_SIZE) {
		memcpy(pattern->out + pattern->n, text, n);
		pattern->n += n;
	}
}

static bool word(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* 8-4-4-4-12 hex digits. */
static size_t uuid_length(struct xylem_span text)
{
	if (text.n < 36) {
		return 0;
	}
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text.at[i] != '-' : !isxdigit((unsigned char)text.at[i])) {
			return 0;
		}
	}
	return text.n > 36 && word(text.at[36]) ? 0 : 36;
}

/* 0x..., or a word of eight hex digits and more with a digit in it ("deadbeef" stays a word). */
static size_t hex_length(struct xylem_span text)
{
	size_t n = text.n > 2 && text.at[0] == '0' && (text.at[1] == 'x' || text.at[1] == 'X') ? 2 : 0;
	bool prefixed = n > 0, digit = false, letter = false;
	for (; n < text.n && isxdigit((unsigned char)text.at[n]); n++) {
		bool is_digit = isdigit((unsigned char)text.at[n]);
		digit |= is_digit;
		letter |= !is_digit;
	}
	if (n < text.n && word(text.at[n])) {
		return 0;
	}
	return (prefixed && n > 2) || (n >= 8 && digit && letter) ? n : 0;
}

/* Digits with what may stand between them in a number, a date or an address; ends with a digit. */
static size_t number_length(struct xylem_span text)
{
	size_t n = 0, end = 0;
	for (; n < text.n && (isdigit((unsigned char)text.at[n]) || strchr(".,:+-eE", text.at[n])); n++) {
		bool is_digit = isdigit((unsigned char)text.at[n]);
		bool exponent = n > 0 && (text.at[n - 1] | 0x20) == 'e' &&
				(text.at[n] == '-' || text.at[n] == '+');
		if (!is_digit && end != n && !exponent) {
			break; /* two of those in a row are no number */
		}
		end = is_digit ? n + 1 : end;
	}
	return end;
}

/* From an opening quote to its partner; an apostrophe inside a word is none. */
static size_t quoted_length(struct xylem_span text, bool after_word)
{
	char quote = text.at[0];
	if ((quote != '"' && quote != '\'' && quote != '`') || (quote == '\'' && after_word)) {
		return 0;
	}
	for (size_t i = 1; i < text.n; i++) {
		if (text.at[i] == '\\') {
			i++;
		} else if (text.at[i] == quote &&
			   (quote != '\'' || i + 1 == text.n || !word(text.at[i + 1]))) {
			return i + 1;
		}
	}
	return 0;
}

/* PostgreSQL's `Key (customer)=(c-77)`. */
static size_t value_length(struct xylem_span text)
{
	if (text.n < 3 || text.at[0] != '=' || text.at[1] != '(') {
		return 0;
	}
	const char *end = memchr(text.at, ')', text.n);
	return end ? (size_t)(end - text.at) + 1 : 0;
}

static size_t replace(struct pattern *pattern, struct xylem_span text, bool after_word)
{
	size_t n;
	if ((n = quoted_length(text, after_word)) > 0) {
		put(pattern, "<q>", 3);
	} else if ((n = value_length(text)) > 0) {
		put(pattern, "=(<v>)", 6);
	} else if (!after_word && (n = uuid_length(text)) > 0) {
		put(pattern, "<uuid>", 6);
	} else if (!after_word && (n = hex_length(text)) > 0) {
		put(pattern, "<hex>", 5);
	} else if (isdigit((unsigned char)text.at[0])) {
		n = number_length(text);
		put(pattern, "<n>", 3);
	}
	return n;
}

void pattern_of(struct xylem_span text, char ret_pattern[PATTERN_SIZE])
{
	struct pattern pattern = { ret_pattern, 0 };
	bool after_word = false, after_space = true;
	while (text.n > 0) {
		size_t n = replace(&pattern, text, after_word);
		bool space = n == 0 && ((unsigned char)text.at[0] <= ' ' || text.at[0] == 0x7f);
		after_word = n == 0 && word(text.at[0]);
		if (space && !after_space) {
			put(&pattern, " ", 1);
		} else if (n == 0 && !space) {
			put(&pattern, text.at, 1);
		}
		after_space = space;
		n = n ? n : 1;
		text = xylem_span(text.at + n, text.n - n);
	}
	if (pattern.n > 0 && ret_pattern[pattern.n - 1] == ' ') {
		pattern.n--;
	}
	ret_pattern[pattern.n] = '\0';
}

/* "step 2 validate" and "step 3 validate" are one kind: a step may move. */
static size_t stage_kind(const char *stage, char *out, size_t room)
{
	size_t n = 0;
	for (; *stage && n + 1 < room; stage++) {
		if (!isdigit((unsigned char)*stage)) {
			out[n++] = *stage;
		}
	}
	out[n] = '\0';
	return n;
}

void fingerprint_of(const char *route, const char *destination, const char *stage, const char *code,
	const char *pattern, char ret_fingerprint[FINGERPRINT_SIZE])
{
	char kind[128];
	stage_kind(stage, kind, sizeof(kind));
	const char *parts[] = { route, destination, kind, code, pattern };
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
	for (size_t i = 0; good && i < sizeof(parts) / sizeof(parts[0]); i++) {
		good = EVP_DigestUpdate(context, parts[i], strlen(parts[i]) + 1) == 1;
	}
	memset(sum, 0, sizeof(sum));
	if (good) {
		EVP_DigestFinal_ex(context, sum, NULL);
	}
	EVP_MD_CTX_free(context);
	for (size_t i = 0; i < (FINGERPRINT_SIZE - 1) / 2; i++) {
		snprintf(ret_fingerprint + 2 * i, 3, "%02x", sum[i]);
	}
}
