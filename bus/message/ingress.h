/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MESSAGE_INGRESS_H
#define MESSAGE_INGRESS_H

#include <stdbool.h>

#include <xylem/message.h>

/*
 * By which door a message came in: a connector's name, `topic:NAME`, or
 * `lane:ROUTE/DESTINATION` for what another lane of the route diverted to that
 * one (bus/route/divert.h).
 */

/* Is it for a lane of that route? *ret_destination: which; borrowed. */
bool message_ingress_lane(
	const struct xylem_message *message, const char *route, struct xylem_span *ret_destination);

/* ROUTE/DESTINATION of the only lane that it is for; absent where others may take it. Borrowed. */
struct xylem_span message_ingress_only(const struct xylem_message *message);

#endif
