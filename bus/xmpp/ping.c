/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ping (XEP-0199): an empty result, at every address, for everybody who may
 * know the address. For people, an error here is the true sign that a part of
 * the bus is down: a presence can be stale.
 */
#include <xmpp/feature.h>

static void answer(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	stanza_result_open(&out, request->iq);
	stanza_result_close(&out);
	request_answer(request, &out);
}

const struct xmpp_feature feature_ping = {
	.namespace = NS_PING, .name = "ping", .strangers = true, .endpoints = true, .answer = answer
};
