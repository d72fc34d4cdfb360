/* SPDX-License-Identifier: Apache-2.0 */
/* The door that leads to one lane only. Names of routes and connectors have no slash, so that the text is unambiguous. */
#include <message/ingress.h>

#include <string.h>

static const struct xylem_span lane = XYLEM_SPAN_LITERAL("lane:");

struct xylem_span message_ingress_only(const struct xylem_message *message)
{
	struct xylem_span ingress = message->ingress;
	if (ingress.n <= lane.n || memcmp(ingress.at, lane.at, lane.n) != 0) {
		return XYLEM_SPAN_NONE;
	}
	return xylem_span(ingress.at + lane.n, ingress.n - lane.n);
}

bool message_ingress_lane(
	const struct xylem_message *message, const char *route, struct xylem_span *ret_destination)
{
	struct xylem_span only = message_ingress_only(message);
	size_t n = strlen(route);
	if (only.n <= n + 1 || memcmp(only.at, route, n) != 0 || only.at[n] != '/') {
		return false;
	}
	*ret_destination = xylem_span(only.at + n + 1, only.n - n - 1);
	return true;
}
