/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small tree of XML elements: looking things up in it, and writing it.
 *
 * The writer is what makes foreign XML survive. An element that is taken out of
 * its stanza loses the declarations above it, so the top one is written with
 * all that were in scope inside the stanza, and any prefix that is still
 * undeclared (one of the stream's header) is declared where it is used. Content
 * that merely mentions a prefix (a QName in text) keeps its meaning too.
 *
 * Nothing here recurses: a tree is walked by its parent pointers.
 */
#include <string.h>

#include <json/scan.h>
#include <xmpp/xml.h>

static bool same_name(struct xylem_span a, const char *text)
{
	return text == NULL || xylem_span_is(a, text);
}

bool xml_is(const struct xml_node *node, const char *namespace, const char *name)
{
	return node != NULL && xylem_span_present(node->name) && same_name(node->namespace, namespace) &&
	       same_name(node->name, name);
}

static struct xml_node *first_match(struct xml_node *node, const char *namespace, const char *name)
{
	while (node != NULL && !xml_is(node, namespace, name)) {
		node = node->next;
	}
	return node;
}

struct xml_node *xml_child(const struct xml_node *node, const char *namespace, const char *name)
{
	return node == NULL ? NULL : first_match(node->first, namespace, name);
}

struct xml_node *xml_next(const struct xml_node *node, const char *namespace, const char *name)
{
	return first_match(node->next, namespace, name);
}

struct xylem_span xml_attribute(const struct xml_node *node, const char *name)
{
	if (node == NULL) {
		return XYLEM_SPAN_NONE;
	}
	for (const struct xml_attribute *a = node->attributes; a != NULL; a = a->next) {
		if (!xylem_span_present(a->namespace) && xylem_span_is(a->name, name)) {
			return a->value;
		}
	}
	return XYLEM_SPAN_NONE;
}

struct xylem_span xml_text(const struct xml_node *node, struct xylem_arena *arena)
{
	size_t n = 0;
	const struct xml_node *only = NULL;
	size_t pieces = 0;

	for (const struct xml_node *c = node == NULL ? NULL : node->first; c != NULL; c = c->next) {
		if (!xylem_span_present(c->name)) {
			n += c->text.n;
			only = c;
			pieces++;
		}
	}
	if (pieces <= 1) {
		return only == NULL ? XYLEM_SPAN_LITERAL("") : only->text;
	}
	char *joined = xylem_arena_take(arena, n + 1);
	if (joined == NULL) {
		return XYLEM_SPAN_NONE;
	}
	n = 0;
	for (const struct xml_node *c = node->first; c != NULL; c = c->next) {
		if (!xylem_span_present(c->name) && c->text.n > 0) {
			memcpy(joined + n, c->text.at, c->text.n);
			n += c->text.n;
		}
	}
	return xylem_span(joined, n);
}

/* --- Escaping ------------------------------------------------------------ */

static const char *text_escape(const char *at, const char *start)
{
	switch (*at) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '\r':
		return "&#13;";
	case '>':
		return at - start >= 2 && at[-1] == ']' && at[-2] == ']' ? "&gt;" : NULL;
	default:
		return NULL;
	}
}

static const char *attribute_escape(const char *at, const char *start)
{
	switch (*at) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '\'':
		return "&apos;";
	case '\t':
		return "&#9;";
	case '\n':
		return "&#10;";
	case '\r':
		return "&#13;";
	default:
		return NULL;
	}
}

typedef const char *(*escape_of)(const char *at, const char *start);
typedef const char *(*escape_skip)(const char *at, const char *end);

/* First byte that text_escape() may have a replacement for. */
static const char *text_skip(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= SCAN_STEP; at += SCAN_STEP) {
		__m128i block = scan_load(at);
		unsigned found = scan_equal(block, '&') | scan_equal(block, '<') | scan_equal(block, '>') |
				 scan_equal(block, '\r');
		if (found != 0) {
			return at + __builtin_ctz(found);
		}
	}
#endif
	while (at < end && *at != '&' && *at != '<' && *at != '>' && *at != '\r') {
		at++;
	}
	return at;
}

/* First byte that attribute_escape() may have a replacement for: they are short, so one at a time. */
static const char *attribute_skip(const char *at, const char *end)
{
	static const bool suspects[256] = {
		['&'] = true, ['<'] = true, ['\''] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true
	};

	while (at < end && !suspects[(unsigned char)*at]) {
		at++;
	}
	return at;
}

/* Most of a payload has nothing to replace, and is passed over in one go. */
static void escape(struct xylem_buffer *out, struct xylem_span text, escape_skip skip, escape_of of)
{
	const char *at = text.at, *end = text.at + text.n, *done = text.at;

	while ((at = skip(at, end)) < end) {
		const char *replacement = of(at, text.at);
		if (replacement != NULL) {
			xylem_buffer_append(out, done, (size_t)(at - done));
			xylem_buffer_text(out, replacement);
			done = at + 1;
		}
		at++;
	}
	xylem_buffer_append(out, done, (size_t)(end - done));
}

void xml_escape_text(struct xylem_buffer *out, struct xylem_span text)
{
	escape(out, text, text_skip, text_escape);
}

void xml_escape_attribute(struct xylem_buffer *out, struct xylem_span value)
{
	escape(out, value, attribute_skip, attribute_escape);
}

void xml_write_attribute(struct xylem_buffer *out, const char *name, struct xylem_span value)
{
	if (!xylem_span_present(value)) {
		return;
	}
	xylem_buffer_byte(out, ' ');
	xylem_buffer_text(out, name);
	xylem_buffer_text(out, "='");
	xml_escape_attribute(out, value);
	xylem_buffer_byte(out, '\'');
}

/* --- Writing a tree ------------------------------------------------------ */

static const struct xml_declaration *declared_here(const struct xml_node *node, struct xylem_span prefix)
{
	for (const struct xml_declaration *d = node->declarations; d != NULL; d = d->next) {
		if (xylem_span_equal(d->prefix, prefix)) {
			return d;
		}
	}
	return NULL;
}

static bool in_stanza(const struct xml_node *node)
{
	return node->parent != NULL;
}

/*
 * What the prefix stands for at `node`, as the text written so far says it: on
 * the way up to `top`, and above it inside the stanza, since the top one is
 * written with all of those.
 */
static const struct xml_declaration *declared(const struct xml_node *node, struct xylem_span prefix)
{
	for (; node != NULL && in_stanza(node); node = node->parent) {
		const struct xml_declaration *d = declared_here(node, prefix);
		if (d != NULL) {
			return d;
		}
	}
	return NULL;
}

static void write_declaration(struct xylem_buffer *out, struct xylem_span prefix, struct xylem_span uri)
{
	xylem_buffer_text(out, prefix.n > 0 ? " xmlns:" : " xmlns");
	xylem_buffer_span(out, prefix);
	xylem_buffer_text(out, "='");
	xml_escape_attribute(out, uri);
	xylem_buffer_byte(out, '\'');
}

/* True when a declaration of the prefix stands between `node` (included) and `above` (excluded). */
static bool hidden(const struct xml_node *node, const struct xml_node *above, struct xylem_span prefix)
{
	for (; node != above; node = node->parent) {
		if (declared_here(node, prefix) != NULL) {
			return true;
		}
	}
	return false;
}

/* The declarations that the top element stood under, nearest first. */
static void write_inherited(const struct xml_node *top, struct xylem_buffer *out)
{
	for (const struct xml_node *above = top->parent; above != NULL && in_stanza(above);
		above = above->parent) {
		for (const struct xml_declaration *d = above->declarations; d != NULL; d = d->next) {
			if (d->prefix.n > 0 && !hidden(top, above, d->prefix)) {
				write_declaration(out, d->prefix, d->uri);
			}
		}
	}
}

/* The default namespace at `top`: by its own prefix where it has none, else what was declared above. */
static void write_default(const struct xml_node *top, struct xylem_buffer *out)
{
	if (declared_here(top, XYLEM_SPAN_NONE) != NULL) {
		return;
	}
	struct xylem_span uri = XYLEM_SPAN_LITERAL("");
	if (top->prefix.n == 0) {
		uri = top->namespace;
	} else {
		for (const struct xml_node *above = top->parent; above != NULL; above = above->parent) {
			const struct xml_declaration *d = declared_here(above, XYLEM_SPAN_NONE);
			if (d != NULL) {
				uri = d->uri;
				break;
			}
		}
	}
	write_declaration(out, XYLEM_SPAN_NONE, uri);
}

static bool is_xml_prefix(struct xylem_span prefix)
{
	return xylem_span_is(prefix, "xml");
}

static bool needs_declaration(const struct xml_node *node, struct xylem_span prefix, struct xylem_span uri)
{
	if (prefix.n == 0 || is_xml_prefix(prefix)) {
		return false;
	}
	const struct xml_declaration *d = declared(node, prefix);
	return d == NULL || !xylem_span_equal(d->uri, uri);
}

/* Prefixes whose declaration was outside the stanza. */
static void write_missing(const struct xml_node *node, struct xylem_buffer *out)
{
	if (needs_declaration(node, node->prefix, node->namespace)) {
		write_declaration(out, node->prefix, node->namespace);
	}
	for (const struct xml_attribute *a = node->attributes; a != NULL; a = a->next) {
		bool again = xylem_span_equal(a->prefix, node->prefix);
		for (const struct xml_attribute *b = node->attributes; b != a; b = b->next) {
			again = again || xylem_span_equal(a->prefix, b->prefix);
		}
		if (!again && needs_declaration(node, a->prefix, a->namespace)) {
			write_declaration(out, a->prefix, a->namespace);
		}
	}
}

static void write_name(struct xylem_buffer *out, struct xylem_span prefix, struct xylem_span name)
{
	if (prefix.n > 0) {
		xylem_buffer_span(out, prefix);
		xylem_buffer_byte(out, ':');
	}
	xylem_buffer_span(out, name);
}

static void write_start(const struct xml_node *node, const struct xml_node *top, struct xylem_buffer *out)
{
	xylem_buffer_byte(out, '<');
	write_name(out, node->prefix, node->name);
	if (node == top) {
		write_default(node, out);
		write_inherited(node, out);
	}
	for (const struct xml_declaration *d = node->declarations; d != NULL; d = d->next) {
		write_declaration(out, d->prefix, d->uri);
	}
	write_missing(node, out);
	for (const struct xml_attribute *a = node->attributes; a != NULL; a = a->next) {
		xylem_buffer_byte(out, ' ');
		write_name(out, a->prefix, a->name);
		xylem_buffer_text(out, "='");
		xml_escape_attribute(out, a->value);
		xylem_buffer_byte(out, '\'');
	}
	xylem_buffer_text(out, node->first == NULL ? "/>" : ">");
}

static void write_end(const struct xml_node *node, struct xylem_buffer *out)
{
	xylem_buffer_text(out, "</");
	write_name(out, node->prefix, node->name);
	xylem_buffer_byte(out, '>');
}

void xml_write(const struct xml_node *top, struct xylem_buffer *out)
{
	const struct xml_node *node = top;

	while (true) {
		if (!xylem_span_present(node->name)) {
			xml_escape_text(out, node->text);
		} else {
			write_start(node, top, out);
			if (node->first != NULL) {
				node = node->first;
				continue;
			}
		}
		while (node != top && node->next == NULL) {
			node = node->parent;
			write_end(node, out);
		}
		if (node == top) {
			return;
		}
		node = node->next;
	}
}

/* --- Characters ---------------------------------------------------------- */

/* Length of the XML character at `at`, of which `n` bytes are there; 0 when it is none. */
static size_t character(const unsigned char *at, size_t n)
{
	unsigned char c = at[0];

	if (c < 0x80) {
		return c >= 0x20 || c == '\t' || c == '\n' || c == '\r' ? 1 : 0;
	}
	size_t length = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
	if (length == 0 || n < length) {
		return 0;
	}
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	if (length == 3) {
		bool overlong = c == 0xe0 && at[1] < 0xa0;
		bool surrogate = c == 0xed && at[1] > 0x9f;
		bool noncharacter = c == 0xef && at[1] == 0xbf && at[2] >= 0xbe;
		return overlong || surrogate || noncharacter ? 0 : 3;
	}
	if (length == 4) {
		bool overlong = c == 0xf0 && at[1] < 0x90;
		bool beyond = c == 0xf4 && at[1] > 0x8f;
		return overlong || beyond ? 0 : 4;
	}
	return 2;
}

/* First byte that is not a character by itself for certain: a control, or not ASCII. */
static const char *plain_skip(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= SCAN_STEP; at += SCAN_STEP) {
		/* As signed bytes, which those beyond ASCII are below. */
		__m128i plain = _mm_cmpgt_epi8(scan_load(at), _mm_set1_epi8(0x1f));
		unsigned found = ~(unsigned)_mm_movemask_epi8(plain) & 0xffffU;
		if (found != 0) {
			return at + __builtin_ctz(found);
		}
	}
#endif
	while (at < end && (signed char)*at >= 0x20) {
		at++;
	}
	return at;
}

bool xml_check(struct xylem_span bytes, size_t *ret_offset)
{
	const char *at = bytes.at, *end = bytes.at + bytes.n;

	while ((at = plain_skip(at, end)) < end) {
		size_t length = character((const unsigned char *)at, (size_t)(end - at));
		if (length == 0) {
			*ret_offset = (size_t)(at - bytes.at);
			return false;
		}
		at += length;
	}
	return true;
}

bool xml_is_plain(struct xylem_span text)
{
	size_t at;
	return text_skip(text.at, text.at + text.n) == text.at + text.n && xml_check(text, &at);
}

static const char *tag_end(const char *at, const char *end)
{
	char quote = '\0';
	for (; at < end && (quote != '\0' || *at != '>'); at++) {
		if (quote != '\0') {
			quote = *at == quote ? '\0' : quote;
		} else if (*at == '\'' || *at == '"') {
			quote = *at;
		}
	}
	return at;
}

size_t xml_longest_tag(struct xylem_span bytes)
{
	const char *end = bytes.at + bytes.n;
	const char *at = bytes.at;
	size_t longest = 0;

	while (at < end && (at = memchr(at, '<', (size_t)(end - at))) != NULL) {
		const char *tag = at;
		at = tag_end(tag, end);
		longest = (size_t)(at - tag) > longest ? (size_t)(at - tag) : longest;
	}
	return longest;
}

void xml_escape_words(struct xylem_buffer *out, struct xylem_span text)
{
	size_t at;

	while (!xml_check(text, &at)) {
		xml_escape_text(out, xylem_span(text.at, at));
		xylem_buffer_text(out, "\xef\xbf\xbd");
		text = xylem_span(text.at + at + 1, text.n - at - 1);
	}
	xml_escape_text(out, text);
}

void xml_repair(struct xylem_span bytes, struct xylem_buffer *out)
{
	size_t at;

	while (!xml_check(bytes, &at)) {
		xylem_buffer_append(out, bytes.at, at);
		xylem_buffer_text(out, "\xef\xbf\xbd");
		bytes = xylem_span(bytes.at + at + 1, bytes.n - at - 1);
	}
	xylem_buffer_span(out, bytes);
}
