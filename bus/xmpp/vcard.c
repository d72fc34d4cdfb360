/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcard-temp (XEP-0054) of the domain and of the parts: a name, a sentence and
 * a picture, which is what clients show of a contact (XEP-0153 names it in
 * presence).
 */
#include <xmpp/feature.h>

#define NS_VCARD "vcard-temp"

/* A PNG of 32 by 32 points: vessels in a stem. */
static const char picture[] =
	"iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAgMAAAAOFJJnAAAACVBMVEUAAAAbazro9emM6os9AAAAAXRSTlMAQObY"
	"ZgAAAGlJREFUeNqVkLsNwCAMRKFgBPbJCClw4xEYid5IMCVniAxKqlz1ZJ0/Z+e2PNE1gaCnsEpB4QZEhTQtLGry"
	"xL0LTIG4VIHpgFxqA0TKLA1tBzSW/B/ec2zFd7sdZqeiDZDOOBbQIu8nLA0Wf0z6DJuMNgAAAABJRU5ErkJggg==";
#define PICTURE_SHA1 "2854fbcd2262e7613335561e2b1027930f464a27"

void vcard_write_picture(struct xylem_buffer *out)
{
	xylem_buffer_text(out, "<x xmlns='vcard-temp:x:update'><photo>" PICTURE_SHA1 "</photo></x>");
}

static void write_name(const struct xmpp_request *request, struct xylem_buffer *out)
{
	const struct xmpp_options *options = service_options(request->service);

	if (xylem_span_present(request->local)) {
		xml_escape_words(out, request->local);
		xylem_buffer_text(out, " of ");
	}
	xml_escape_words(out, xylem_span_of(options->name));
}

static void answer(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (request->set) {
		request_refuse_code(request, -XYLEM_E_METHOD, NULL);
		return;
	}
	stanza_result_open(&out, request->iq);
	xylem_buffer_text(&out, "<vCard xmlns='" NS_VCARD "'><FN>");
	write_name(request, &out);
	xylem_buffer_text(&out, "</FN><DESC>");
	xylem_buffer_text(&out, service_operated(request)
					? "A message bus. Its presence is its health; write `help` to it."
					: "A message bus. What is sent to this address becomes a message.");
	xylem_buffer_format(
		&out, "</DESC><PHOTO><TYPE>image/png</TYPE><BINVAL>%s</BINVAL></PHOTO></vCard>", picture);
	stanza_result_close(&out);
	request_answer(request, &out);
}

const struct xmpp_feature feature_vcard = {
	.namespace = NS_VCARD, .name = "vCard", .endpoints = true, .answer = answer
};
