/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_XML_H
#define XMPP_XML_H

#include <stdbool.h>

#include <xylem/arena.h>
#include <xylem/buffer.h>
#include <xylem/span.h>

/*
 * A small tree of one XML element, as XMPP has them (RFC 6120, 11): elements
 * and text, no DTD, comments or processing instructions. Namespaces, prefixes
 * and declarations stay as they were written, so that foreign XML can be passed
 * on unharmed. Everything lies in the arena that the tree was read into.
 */
struct xml_attribute {
	struct xylem_span name;      /* local */
	struct xylem_span namespace; /* absent: none */
	struct xylem_span prefix;    /* absent: none */
	struct xylem_span value;
	struct xml_attribute *next;
};

/* `xmlns:prefix='uri'`; the prefix is absent for `xmlns='uri'`, the uri empty for `xmlns=''`. */
struct xml_declaration {
	struct xylem_span prefix;
	struct xylem_span uri;
	struct xml_declaration *next;
};

struct xml_node {
	struct xylem_span name;      /* local; absent: a text node */
	struct xylem_span namespace; /* absent: none */
	struct xylem_span prefix;    /* absent: none */
	struct xylem_span text;      /* of a text node; neighbours are joined */
	struct xml_attribute *attributes;
	struct xml_declaration *declarations;
	struct xml_node *parent; /* of a stanza: the stream's header */
	struct xml_node *first, *last, *next;
};

/* Is it an element of this name? `namespace` NULL: of any. */
bool xml_is(const struct xml_node *node, const char *namespace, const char *name);
/* The first child element of that name; NULL for `namespace` or `name`: any. NULL: there is none. */
struct xml_node *xml_child(const struct xml_node *node, const char *namespace, const char *name);
/* The next sibling, as above. */
struct xml_node *xml_next(const struct xml_node *node, const char *namespace, const char *name);
/* An attribute without namespace; absent if not set. */
struct xylem_span xml_attribute(const struct xml_node *node, const char *name);
/* The text directly inside, joined; empty if there is none; absent only without memory. */
struct xylem_span xml_text(const struct xml_node *node, struct xylem_arena *arena);

/*
 * Writes the element so that it means the same wherever it is put: with every
 * declaration it stands under inside its stanza, the default namespace stated
 * even when it is none. Prefixes, order of attributes and declarations are kept.
 */
void xml_write(const struct xml_node *node, struct xylem_buffer *out);

/*
 * Text and attribute values (to stand between '), escaping only what must be:
 * & < ]]> and CR; in attributes & < ' TAB LF CR. What is no XML character
 * passes: xml_check() stands before the stream.
 */
void xml_escape_text(struct xylem_buffer *out, struct xylem_span text);
void xml_escape_attribute(struct xylem_buffer *out, struct xylem_span value);
/* Text for people that may be any bytes: what is no XML character becomes U+FFFD. */
void xml_escape_words(struct xylem_buffer *out, struct xylem_span text);
/* ` name='value'`, or nothing for an absent value. */
void xml_write_attribute(struct xylem_buffer *out, const char *name, struct xylem_span value);

/* UTF-8 of XML 1.0 characters only (XML 1.0, 2.2)? If not, *ret_offset is the first byte at fault. */
bool xml_check(struct xylem_span bytes, size_t *ret_offset);
/* True: it may stand as text as it is. (False for some that may, too: those with '>'.) */
bool xml_is_plain(struct xylem_span text);
/* Bytes of the longest tag of well-formed elements, from `<` to before `>`. */
size_t xml_longest_tag(struct xylem_span bytes);
/* The bytes with U+FFFD for each that xml_check() finds: for what a person reads, never for data. */
void xml_repair(struct xylem_span bytes, struct xylem_buffer *out);

#endif
