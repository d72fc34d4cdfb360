/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOPIC_DERIVE_H
#define TOPIC_DERIVE_H

#include <journal/journal.h>
#include <xylem/connector.h>

/*
 * Delivering to a topic: the message is appended to the journal again, as a
 * derived record with the ingress `topic:NAME`, so that a topic's items are
 * views of the journal and routes can read from topics. docs/topics.md.
 *
 * The id of the derived event is made from the parent's position and the route
 * (`PARTITION-OFFSET.ROUTE`, and `.N` for part N of a split), so that deriving
 * twice gives the same id; `causationid` is the id of the event it was made from.
 */
struct derive_options {
	const char *topic, *route;
	struct journal *journal;
	/* Derived records from here to the end of the journal are known; their parents are passed over. */
	uint64_t known_from;
};

extern const struct xylem_connector topic_derive;

#endif
