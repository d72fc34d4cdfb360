/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libstrophe's trees as ours. Nothing here recurses: each node remembers what it
 * was made of.
 */
#include <connectors/xmpp_tree.h>

#include <string.h>

#include <xmpp/stanza.h>
#include <xmpp/stream.h>

struct pair {
	struct xml_node node; /* first: a pair is its node */
	xmpp_stanza_t *of;
	unsigned depth;
};

static struct xylem_span namespace_of(const char *ns)
{
	return ns == NULL                         ? XYLEM_SPAN_NONE
	       : strcmp(ns, "jabber:client") == 0 ? XYLEM_SPAN_LITERAL(NS_COMPONENT)
						  : xylem_span_of(ns);
}

/* Written elsewhere, the element has to say its namespace where it differs from its parent's. */
static bool declare(struct pair *pair, struct xylem_arena *arena)
{
	struct xml_node *node = &pair->node;
	struct xylem_span outer = node->parent == NULL ? XYLEM_SPAN_NONE : node->parent->namespace;

	if (node->parent != NULL && xylem_span_equal(outer, node->namespace)) {
		return true;
	}
	node->declarations = xylem_arena_zero(arena, sizeof(*node->declarations));
	if (node->declarations != NULL) {
		node->declarations->uri = xylem_span_present(node->namespace) ? node->namespace
									      : XYLEM_SPAN_LITERAL("");
	}
	return node->declarations != NULL;
}

static bool copy_attributes(struct pair *pair, struct xylem_arena *arena)
{
	int n = xmpp_stanza_get_attribute_count(pair->of);
	const char **pairs = n <= 0 ? NULL : xylem_arena_zero(arena, (size_t)n * 2 * sizeof(*pairs));
	struct xml_attribute **end = &pair->node.attributes;

	if (n > 0 && pairs == NULL) {
		return false;
	}
	n = n <= 0 ? 0 : xmpp_stanza_get_attributes(pair->of, pairs, 2 * n);
	for (int i = 0; i + 1 < n; i += 2) {
		if (strcmp(pairs[i], "xmlns") == 0) {
			continue;
		}
		struct xml_attribute *attribute = xylem_arena_zero(arena, sizeof(*attribute));
		if (attribute == NULL) {
			return false;
		}
		attribute->name = xylem_span_of(pairs[i]);
		attribute->value = xylem_span_of(pairs[i + 1]);
		*end = attribute;
		end = &attribute->next;
	}
	return true;
}

static struct pair *pair_new(xmpp_stanza_t *of, struct pair *parent, struct xylem_arena *arena)
{
	struct pair *pair = xylem_arena_zero(arena, sizeof(*pair));
	if (pair == NULL) {
		return NULL;
	}
	pair->of = of;
	pair->node.parent = parent == NULL ? NULL : &parent->node;
	pair->depth = parent == NULL ? 1 : parent->depth + 1;
	if (xmpp_stanza_is_text(of)) {
		pair->node.text = xylem_span_of(xmpp_stanza_get_text_ptr(of));
	} else {
		pair->node.name = xylem_span_of(xmpp_stanza_get_name(of));
		pair->node.namespace = namespace_of(xmpp_stanza_get_ns(of));
		if (pair->depth > STREAM_DEPTH || !copy_attributes(pair, arena) || !declare(pair, arena)) {
			return NULL;
		}
	}
	if (parent != NULL) {
		*(parent->node.last == NULL ? &parent->node.first : &parent->node.last->next) = &pair->node;
		parent->node.last = &pair->node;
	}
	return pair;
}

const struct xml_node *tree_of(xmpp_stanza_t *stanza, struct xylem_arena *arena)
{
	struct pair *top = pair_new(stanza, NULL, arena), *parent = top;
	xmpp_stanza_t *next = top == NULL ? NULL : xmpp_stanza_get_children(stanza);

	while (parent != NULL) {
		if (next == NULL) { /* up, and on with what follows there */
			next = parent == top ? NULL : xmpp_stanza_get_next(parent->of);
			parent = (struct pair *)parent->node.parent;
			continue;
		}
		struct pair *pair = pair_new(next, parent, arena);
		if (pair == NULL) {
			return NULL;
		}
		if (xmpp_stanza_is_text(next)) {
			next = xmpp_stanza_get_next(next);
		} else {
			parent = pair;
			next = xmpp_stanza_get_children(next);
		}
	}
	return top == NULL ? NULL : &top->node;
}
