/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ad-hoc commands (XEP-0050) as this room knows them: where they are asked for,
 * and their place in discovery. What a command is and does is the face's
 * (xmpp/request.h), which is not there while the bus starts and stops.
 */
#include <xmpp/presence_body.h>
#include <xmpp/pubsub.h>

static const struct stanza_error starting = { "wait", "resource-constraint",
	"the bus is starting or stopping: try again", NULL };

/* The one command that is PubSub's own. */
static bool is_pending(const struct xmpp_request *request, struct xylem_span node)
{
	return !xylem_span_present(request->local) && xylem_span_is(node, PUBSUB_GET_PENDING);
}

static void answer(const struct xmpp_request *request)
{
	if (request->set && is_pending(request, xml_attribute(request->payload, "node"))) {
		pubsub_get_pending(request);
		return;
	}
	if (!service_operated(request)) {
		request_refuse(
			request, &(struct stanza_error){ "cancel", "service-unavailable", NULL, NULL });
		return;
	}
	if (!request->set) {
		request_refuse_code(request, -XYLEM_E_INVALID, "a command is an IQ of type set");
		return;
	}
	const struct xmpp_face *face = service_face_hold(request->service);
	if (face == NULL) {
		request_refuse(request, &starting);
		return;
	}
	face->command(face->context, request);
	service_face_release(request->service);
}

const struct xmpp_feature feature_command = {
	.namespace = NS_COMMANDS, .name = "command", .endpoints = true, .answer = answer
};

/* --- Discovery --------------------------------------------------------------- */

static void write_info(const struct xmpp_request *request, const char *type, const char *name)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	disco_open(request, &out, NS_DISCO_INFO);
	xylem_buffer_format(&out, "<identity category='automation' type='%s'", type);
	xml_write_attribute(&out, "name", xylem_span_of(name));
	xylem_buffer_text(&out, "/><feature var='" NS_DISCO_INFO "'/><feature var='" NS_COMMANDS
				"'/><feature var='" NS_DATA "'/>");
	disco_close(request, &out);
}

bool command_info(const struct xmpp_request *request)
{
	struct xylem_span node = xml_attribute(request->payload, "node");
	if (!service_operated(request) || !request->admitted) {
		return false;
	}
	if (xylem_span_is(node, NS_COMMANDS)) {
		write_info(request, "command-list", "Commands");
		return true;
	}
	if (is_pending(request, node) && pubsub_owns_any(request)) {
		write_info(request, "command-node", "Pending subscriptions");
		return true;
	}
	const struct xmpp_face *face = service_face_hold(request->service);
	const char *name = face != NULL ? face->name(face->context, request, node) : NULL;
	if (face != NULL) {
		service_face_release(request->service);
	}
	if (name != NULL) {
		write_info(request, "command-node", name);
	}
	return name != NULL;
}

struct part_listing {
	const struct xmpp_request *request;
	struct xylem_buffer *out;
};

static bool write_part(void *context, const char *local)
{
	const struct part_listing *listing = context;
	struct xmpp_service *service = listing->request->service;

	xylem_buffer_text(listing->out, "<item jid='");
	xml_escape_attribute(listing->out, xylem_span_of(local));
	xylem_buffer_format(listing->out, "@%s'", service_options(service)->domain);
	xml_write_attribute(listing->out, "name", xylem_span_of(local));
	xylem_buffer_text(listing->out, "/>");
	return listing->out->n < link_max_stanza(xmpp_service_link(service)) - 4096;
}

/* The parts of the bus, beside its topics: clients of PubSub walk the domain's own items as nodes. */
static void list_parts(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct part_listing listing = { request, &out };

	disco_open(request, &out, NS_DISCO_ITEMS);
	xmpp_presence_each(request->service, write_part, &listing);
	disco_close(request, &out);
}

bool command_items(const struct xmpp_request *request)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct xylem_span node = xml_attribute(request->payload, "node");

	if (xylem_span_is(node, NS_PARTS) && request->admitted && !xylem_span_present(request->local)) {
		list_parts(request);
		return true;
	}
	if (!xylem_span_is(node, NS_COMMANDS) || !service_operated(request) || !request->admitted) {
		return false;
	}
	disco_open(request, &out, NS_DISCO_ITEMS);
	const struct xmpp_face *face = service_face_hold(request->service);
	if (face != NULL) {
		face->list(face->context, request, &out);
		service_face_release(request->service);
	}
	if (!xylem_span_present(request->local) && pubsub_owns_any(request)) {
		xylem_buffer_text(&out, "<item");
		xml_write_attribute(&out, "jid", xylem_span_of(service_options(request->service)->domain));
		xylem_buffer_text(&out, " node='" PUBSUB_GET_PENDING "' name='Pending subscriptions'/>");
	}
	disco_close(request, &out);
	return true;
}
