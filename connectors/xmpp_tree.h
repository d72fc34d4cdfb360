/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_TREE_H
#define CONNECTORS_XMPP_TREE_H

#include <strophe.h>

#include <xmpp/xml.h>

/*
 * A stanza of libstrophe as a tree of ours, in the arena; texts are borrowed from
 * the stanza. `jabber:client` becomes NS_COMPONENT, so that whoever reads stanzas
 * need not know who received them. What libstrophe has lost (prefixes, namespaces
 * of attributes) stays lost. NULL: deeper than 32 elements, or out of memory.
 */
const struct xml_node *tree_of(xmpp_stanza_t *stanza, struct xylem_arena *arena);

#endif
