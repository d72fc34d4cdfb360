/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing stanzas and answering them. An answer carries no copy of the request:
 * it is matched by its id, and what was wrong in it is not sent round again.
 */
#include <xylem/error.h>
#include <xmpp/stanza.h>

void stanza_open(struct xylem_buffer *out, const char *name, const char *type, struct xylem_span from,
	struct xylem_span to, struct xylem_span id)
{
	xylem_buffer_byte(out, '<');
	xylem_buffer_text(out, name);
	xml_write_attribute(out, "type", xylem_span_of(type));
	xml_write_attribute(out, "from", from);
	xml_write_attribute(out, "to", to);
	xml_write_attribute(out, "id", id);
}

static void open_answer(
	struct xylem_buffer *out, const struct xml_node *request, const char *name, const char *type)
{
	stanza_open(out, name, type, xml_attribute(request, "to"), xml_attribute(request, "from"),
		xml_attribute(request, "id"));
	xylem_buffer_byte(out, '>');
}

void stanza_result_open(struct xylem_buffer *out, const struct xml_node *request)
{
	open_answer(out, request, "iq", "result");
}

void stanza_result_close(struct xylem_buffer *out)
{
	xylem_buffer_text(out, "</iq>");
}

static const char *name_of(const struct xml_node *stanza)
{
	return xylem_span_is(stanza->name, "iq")        ? "iq"
	       : xylem_span_is(stanza->name, "message") ? "message"
							: "presence";
}

bool stanza_error(struct xylem_buffer *out, const struct xml_node *request, const struct stanza_error *error)
{
	struct xylem_span type = xml_attribute(request, "type");
	const char *name = name_of(request);
	if (xylem_span_is(type, "error") || xylem_span_is(type, "result") ||
		!xylem_span_present(xml_attribute(request, "from"))) {
		return false;
	}
	open_answer(out, request, name, "error");
	xylem_buffer_format(
		out, "<error type='%s'><%s xmlns='" NS_STANZA_ERROR "'/>", error->type, error->condition);
	if (error->text != NULL) {
		xylem_buffer_text(out, "<text xmlns='" NS_STANZA_ERROR "'>");
		xml_escape_text(out, xylem_span_of(error->text));
		xylem_buffer_text(out, "</text>");
	}
	if (error->application != NULL) {
		xylem_buffer_text(out, error->application);
	}
	xylem_buffer_format(out, "</error></%s>", name);
	return true;
}

bool stanza_error_code(struct xylem_buffer *out, const struct xml_node *request, int code, const char *text)
{
	const struct xylem_error_row *row = xylem_error_row(code);
	const struct stanza_error error = { row->xmpp_type, row->xmpp_condition, text, NULL };
	return stanza_error(out, request, &error);
}

bool stanza_is_aside(const struct xml_node *presence)
{
	const struct xml_node *priority = xml_child(presence, NS_COMPONENT, "priority");
	struct xylem_span text = priority != NULL && priority->first != NULL ? priority->first->text
									     : XYLEM_SPAN_NONE;
	size_t i = 0;

	while (i < text.n && (text.at[i] == ' ' || text.at[i] == '\t' || text.at[i] == '\n')) {
		i++;
	}
	return i < text.n && text.at[i] == '-';
}
