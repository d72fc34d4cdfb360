/* SPDX-License-Identifier: Apache-2.0 */
/* The door that leads to one lane only. Names of routes and connectors have no slash, so that the text is unambiguous. */
#include <message/ingress.h>

#include <string.h>

bool message_ingress_lane(
	const struct xylem_message *message, const char *route, struct xylem_span *ret_destination)
{
	static const struct xylem_span lane = XYLEM_SPAN_LITERAL("lane:");
	struct xylem_span ingress = message->ingress;
	size_t n = strlen(route), before = lane.n + n + 1;
	if (ingress.n <= before || memcmp(ingress.at, lane.at, lane.n) != 0 ||
		memcmp(ingress.at + lane.n, route, n) != 0 || ingress.at[lane.n + n] != '/') {
		return false;
	}
	*ret_destination = xylem_span(ingress.at + before, ingress.n - before);
	return true;
}
