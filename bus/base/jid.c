/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: splitting them, comparing them with lists that people wrote. What
 * is not done here is the full preparation of RFC 7622 (PRECIS): the address of
 * a sender was prepared by its server.
 */
#include <string.h>

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

bool jid_normalise(struct xylem_span text, char ret_bare[JID_SIZE])
{
	struct jid jid;
	struct xylem_span bare = jid_bare(text);

	if (!jid_split(text, &jid) || bare.n >= JID_SIZE) {
		return false;
	}
	for (size_t i = 0; i < bare.n; i++) {
		char c = bare.at[i];
		ret_bare[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	size_t n = bare.n > 1 && jid.domain.n > 1 && ret_bare[bare.n - 1] == '.' ? bare.n - 1 : bare.n;
	ret_bare[n] = '\0';
	return true;
}

static bool same_but_case(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = a[i] >= 'A' && a[i] <= 'Z' ? (char)(a[i] - 'A' + 'a') : a[i];
		if (c != b[i]) {
			return false;
		}
	}
	return true;
}

bool jid_listed(struct xylem_strings list, const char *bare)
{
	size_t n = strlen(bare);
	const char *domain = strchr(bare, '@');

	for (size_t i = 0; i < list.n; i++) {
		const char *item = list.items[i];
		size_t item_n = strlen(item);
		if (item_n == n && same_but_case(item, bare, n)) {
			return true;
		}
		if (item[0] == '@' && domain != NULL && strlen(domain) == item_n &&
			same_but_case(item, domain, item_n)) {
			return true;
		}
	}
	return false;
}
