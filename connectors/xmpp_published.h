/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_PUBLISHED_H
#define CONNECTORS_XMPP_PUBLISHED_H

#include <connectors/xmpp_endpoint.h>

/* People's own published events (XEP-0163) as a source: what they hear, where they are, what they write. */

/* `NODE+notify` of each node, ended by NULL, each freed by the caller; NULL without memory. */
const char **published_features(const struct endpoint_options *options);
/* An event's message, on the carrier's thread. False: it is something else. */
bool published_stanza(struct endpoint *endpoint, const struct xml_node *stanza);

#endif
