/* SPDX-License-Identifier: Apache-2.0 */
/* Entity time (XEP-0202): UTC, as everything that the bus says about time. */
#include <base/clock.h>
#include <xmpp/feature.h>

static void answer(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	char text[CLOCK_TEXT_SIZE];

	if (request->set) {
		request_refuse_code(request, -XYLEM_E_METHOD, NULL);
		return;
	}
	stanza_result_open(&out, request->iq);
	xylem_buffer_format(&out, "<time xmlns='" NS_TIME "'><tzo>+00:00</tzo><utc>%s</utc></time>",
		clock_format(clock_wall_us(), text));
	stanza_result_close(&out);
	request_answer(request, &out);
}

const struct xmpp_feature feature_time = {
	.namespace = NS_TIME, .name = "time", .endpoints = true, .answer = answer
};
