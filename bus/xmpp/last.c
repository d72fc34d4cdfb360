/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Last activity (XEP-0012): of the domain, the seconds since the bus started;
 * of a part, since its state last changed; of an endpoint, as the domain.
 */
#include <xmpp/presence_body.h>

static void answer(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	int64_t seconds = xylem_span_present(request->local)
				  ? presence_since_s(service_presence(request->service), request->local)
				  : -1;

	if (request->set) {
		request_refuse_code(request, -XYLEM_E_METHOD, NULL);
		return;
	}
	stanza_result_open(&out, request->iq);
	xylem_buffer_format(&out, "<query xmlns='" NS_LAST "' seconds='%lld'/>",
		(long long)(seconds >= 0 ? seconds : xmpp_service_uptime_us(request->service) / 1000000));
	stanza_result_close(&out);
	request_answer(request, &out);
}

const struct xmpp_feature feature_last = {
	.namespace = NS_LAST, .name = "query", .endpoints = true, .answer = answer
};
