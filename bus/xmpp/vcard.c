/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcard-temp (XEP-0054) of the domain and of the parts: a name, a sentence and
 * a picture, which is what clients show of a contact (XEP-0153 names it in
 * presence; avatar.c has it for those who look in PubSub).
 */
#include <xmpp/picture.h>
#include <xmpp/presence_body.h>

#define NS_VCARD "vcard-temp"

void vcard_write_picture(struct xylem_buffer *out, enum presence_show show)
{
	const struct picture *picture = picture_of(show);

	if (picture != NULL) {
		xylem_buffer_format(
			out, "<x xmlns='vcard-temp:x:update'><photo>%s</photo></x>", picture->sha1);
	}
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

static void write_photo(const struct xmpp_request *request, struct xylem_buffer *out)
{
	const struct picture *picture = picture_of(
		presence_show_of(service_presence(request->service), request->local));

	if (picture != NULL) {
		xylem_buffer_format(out, "<PHOTO><TYPE>%s</TYPE><BINVAL>%s</BINVAL></PHOTO>", picture->type,
			picture->base64);
	}
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
	xylem_buffer_text(&out, "</DESC>");
	write_photo(request, &out);
	xylem_buffer_text(&out, "</vCard>");
	stanza_result_close(&out);
	request_answer(request, &out);
}

const struct xmpp_feature feature_vcard = {
	.namespace = NS_VCARD, .name = "vCard", .endpoints = true, .answer = answer
};
