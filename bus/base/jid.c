/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: splitting them, comparing them with lists that people wrote. What
 * is not done here is the full preparation of RFC 6122 and 7622 (one form for what
 * looks the same, `ss` for a sharp s): the address of a sender was prepared by its server.
 */
#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include <base/jid.h>

#define JID_LONGEST 3071

struct xylem_span jid_bare(struct xylem_span text)
{
	const char *slash = text.n > 0 ? memchr(text.at, '/', text.n) : NULL;
	return slash == NULL ? text : xylem_span(text.at, (size_t)(slash - text.at));
}

bool jid_split(struct xylem_span text, struct jid *ret_jid)
{
	struct jid jid = { 0 };
	struct xylem_span rest = jid_bare(text);

	if (text.n == 0 || text.n > JID_LONGEST) {
		return false;
	}
	if (rest.n < text.n) {
		jid.resource = xylem_span(text.at + rest.n + 1, text.n - rest.n - 1);
	}
	const char *at = memchr(rest.at, '@', rest.n);
	if (at != NULL) {
		jid.local = xylem_span(rest.at, (size_t)(at - rest.at));
		rest = xylem_span(at + 1, rest.n - jid.local.n - 1);
	}
	jid.domain = rest;
	bool empty = jid.domain.n == 0 || (at != NULL && jid.local.n == 0) ||
		     (xylem_span_present(jid.resource) && jid.resource.n == 0);
	if (empty || memchr(jid.domain.at, '@', jid.domain.n) != NULL) {
		return false;
	}
	*ret_jid = jid;
	return true;
}

/* --- Letters --------------------------------------------------------------- */

static pthread_once_t letters_once = PTHREAD_ONCE_INIT;
static locale_t letters;

static void letters_make(void)
{
	letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* At the end of the program, or of a module that has a copy of this file. */
__attribute__((destructor)) static void letters_free(void)
{
	if (letters != (locale_t)0) {
		freelocale(letters);
	}
}

/* One character in lower case; how many bytes of the text it took. What is no character stays as it is. */
static size_t fold_one(struct xylem_span text, char out[MB_LEN_MAX], size_t *ret_n)
{
	mbstate_t reading = { 0 }, writing = { 0 };
	wchar_t letter;
	size_t taken = mbrtowc(&letter, text.at, text.n, &reading);
	size_t n = taken == 0 || taken > text.n
			   ? (size_t)-1
			   : wcrtomb(out, (wchar_t)towlower_l((wint_t)letter, letters), &writing);

	if (n == (size_t)-1) {
		out[0] = text.at[0];
		taken = n = 1;
	}
	*ret_n = n;
	return taken;
}

/* Beyond ASCII. False: no room. */
static bool fold_letters(struct xylem_span text, char *out, size_t room)
{
	char one[MB_LEN_MAX];
	size_t length = 0, n = 0;

	pthread_once(&letters_once, letters_make);
	if (letters == (locale_t)0) {
		memcpy(out, text.at, text.n);
		out[text.n] = '\0';
		return true;
	}
	locale_t before = uselocale(letters);
	for (size_t i = 0; i < text.n && length < room; length += n) {
		i += fold_one(xylem_span(text.at + i, text.n - i), one, &n);
		if (n < room - length) {
			memcpy(out + length, one, n);
		} else {
			length = room;
		}
	}
	(void)uselocale(before);
	if (length < room) {
		out[length] = '\0';
	}
	return length < room;
}

bool jid_fold(struct xylem_span text, char *out, size_t room)
{
	size_t i = 0;

	if (text.n >= room) {
		return false;
	}
	for (; i < text.n && (signed char)text.at[i] >= 0; i++) {
		char c = text.at[i];
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	out[i] = '\0';
	return i == text.n || fold_letters(xylem_span(text.at + i, text.n - i), out + i, room - i);
}

/* --- Comparing -------------------------------------------------------------- */

bool jid_normalise(struct xylem_span text, char ret_bare[JID_SIZE])
{
	struct jid jid;
	struct xylem_span bare = jid_bare(text);

	if (!jid_split(text, &jid) || !jid_fold(bare, ret_bare, JID_SIZE)) {
		return false;
	}
	size_t n = strlen(ret_bare);
	if (n > 1 && jid.domain.n > 1 && ret_bare[n - 1] == '.') {
		ret_bare[n - 1] = '\0';
	}
	return true;
}

bool jid_listed(struct xylem_strings list, const char *bare)
{
	const char *domain = strchr(bare, '@');
	char item[JID_SIZE];

	for (size_t i = 0; i < list.n; i++) {
		if (jid_fold(xylem_span_of(list.items[i]), item, sizeof(item)) &&
			(strcmp(item, bare) == 0 || (domain != NULL && strcmp(item, domain) == 0))) {
			return true;
		}
	}
	return false;
}
