/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Software version (XEP-0092): name and version. The operating system is
 * nobody's business and is left out, as the XEP allows.
 */
#include <xmpp/feature.h>

static void answer(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (request->set) {
		request_refuse_code(request, -XYLEM_E_METHOD, NULL);
		return;
	}
	stanza_result_open(&out, request->iq);
	xylem_buffer_text(&out, "<query xmlns='" NS_VERSION "'><name>Xylem</name><version>");
	xml_escape_text(&out, xylem_span_of(service_options(request->service)->version));
	xylem_buffer_text(&out, "</version></query>");
	stanza_result_close(&out);
	request_answer(request, &out);
}

const struct xmpp_feature feature_version = {
	.namespace = NS_VERSION, .name = "query", .endpoints = true, .answer = answer
};
