/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said to an endpoint becomes a message of the bus: the payload by
 * docs/xmpp.md, and in extension attributes where it came from, so that an
 * answer finds its way back. The stanza is answered after the journal's sync
 * (IQ result; receipt, XEP-0184, where asked for) and not before.
 *
 * The rule not to break: `xmppfrom` is what the server stamped, also where the
 * event that was sent claims another.
 */
#include <connectors/xmpp_endpoint_body.h>

#include <stdlib.h>
#include <string.h>

#include <xylem/log.h>
#include <xmpp/body.h>
#include <xmpp/payload.h>

/* --- Reading ---------------------------------------------------------------- */

const struct xml_node *intake_content(const struct xml_node *stanza)
{
	const struct xml_node *wrapper = xml_child(stanza, NS_XYLEM, "event");
	if (wrapper != NULL) {
		return xml_child(wrapper, NULL, NULL);
	}
	const struct xml_node *body = body_is_written(stanza) ? xml_child(stanza, NS_COMPONENT, "body")
							      : NULL;
	for (const struct xml_node *c = xml_child(stanza, NULL, NULL); body == NULL && c != NULL;
		c = xml_next(c, NULL, NULL)) {
		if (!body_is_decoration(c)) {
			return c;
		}
	}
	return body;
}

struct xylem_span intake_id(const struct xml_node *stanza)
{
	struct xylem_span origin = xml_attribute(xml_child(stanza, NS_SID, "origin-id"), "id");
	return origin.n > 0 ? origin : xml_attribute(stanza, "id");
}

/* An empty or absent value takes the attribute away: nobody may claim it. */
static bool mark(
	struct xylem_message *message, struct xylem_arena *arena, const char *name, struct xylem_span value)
{
	return xylem_message_set_attribute(
		       message, arena, xylem_span_of(name), value.n > 0 ? value : XYLEM_SPAN_NONE) == 0;
}

static int mark_all(struct endpoint *endpoint, const struct said *said, struct xylem_message *message)
{
	struct xylem_arena *arena = endpoint->arena;
	const struct xml_node *corrected = xml_child(said->stanza, "urn:xmpp:message-correct:0", "replace");
	bool ok = mark(message, arena, "xmppfrom", xylem_span_of(said->from)) &&
		  mark(message, arena, "xmppid", xml_attribute(said->stanza, "id")) &&
		  mark(message, arena, "xmppthread",
			  xml_text(xml_child(said->stanza, NS_COMPONENT, "thread"), arena)) &&
		  mark(message, arena, "xmppreplaces", xml_attribute(corrected, "id")) &&
		  mark(message, arena, "xmppanswers", body_answers(said->stanza)) &&
		  mark(message, arena, "xmppitem", said->item) &&
		  mark(message, arena, "xmppkind", xylem_span_of(said->kind));
	return ok ? 0 : -XYLEM_E_MEMORY;
}

/* An event without data. */
static int read_nothing(
	const struct payload_defaults *defaults, struct xylem_arena *arena, struct xylem_message *ret_message)
{
	char text[XYLEM_UUID_SIZE];

	*ret_message = (struct xylem_message){
		.kind = XYLEM_MESSAGE, .id = defaults->id, .type = defaults->type, .source = defaults->source
	};
	if (ret_message->id.n == 0) {
		ret_message->id = xylem_arena_copy(arena, xylem_span_of(xylem_uuid_new(text)));
	}
	return ret_message->id.at == NULL ? -XYLEM_E_MEMORY : 0;
}

static int read_said(struct endpoint *endpoint, const struct said *said, struct xylem_message *ret_message,
	struct xylem_reason *reason)
{
	struct xylem_arena *arena = endpoint->arena;
	const struct payload_defaults defaults = { .id = said->id,
		.type = xylem_span_of(said->type),
		.source = xylem_span_of(xylem_arena_format(arena, "xmpp:%s", said->source)) };
	int error = said->content == NULL ? read_nothing(&defaults, arena, ret_message)
		    : xml_is(said->content, NS_COMPONENT, "body")
			    ? payload_read_text(body_written(said->stanza, arena), &defaults, arena,
				      ret_message, reason)
			    : payload_read(said->content, &defaults, arena, ret_message, reason);
	if (error != 0) {
		return error;
	}
	ret_message->key = xylem_span_of(said->key); /* what one sender sends keeps its order */
	if (!xylem_span_present(ret_message->subject) && said->subject.n > 0) {
		ret_message->subject = said->subject;
	}
	return mark_all(endpoint, said, ret_message);
}

/* --- Answering ---------------------------------------------------------------- */

/* What is known of the stanza when its message is on disk: its addresses, in one allocation. */
struct intake {
	struct endpoint *endpoint;
	struct xml_node stanza;
	struct xml_attribute attributes[4];
	bool receipt, silent;
	bool named; /* can it be repeated? */
	struct repeats_name name;
	char text[];
};

static void post(struct endpoint *endpoint, struct xylem_buffer *out)
{
	if (!xylem_buffer_failed(out) && out->n > 0) {
		endpoint->carrier->post(endpoint->link, xylem_buffer_borrow(out));
	}
}

static void refuse_code(
	struct endpoint *endpoint, const struct said *said, int code, const struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	(void)stanza_error_code(&out, said->stanza, code, reason->text[0] != '\0' ? reason->text : NULL);
	post(endpoint, &out);
}

static void write_receipt(struct xylem_buffer *out, const struct xml_node *message)
{
	stanza_open(out, "message", NULL, xml_attribute(message, "to"), xml_attribute(message, "from"),
		XYLEM_SPAN_NONE);
	xml_write_attribute(out, "type", xml_attribute(message, "type"));
	xylem_buffer_text(out, "><received xmlns='" NS_RECEIPTS "'");
	xml_write_attribute(out, "id", xml_attribute(message, "id"));
	xylem_buffer_text(out, "/></message>");
}

static struct intake *intake_new(struct endpoint *endpoint, const struct said *said)
{
	static const char *const names[] = { "from", "to", "id", "type" };
	const struct xml_node *stanza = said->stanza;
	size_t n = 0;

	for (size_t i = 0; i < 4; i++) {
		n += xml_attribute(stanza, names[i]).n;
	}
	struct intake *intake = calloc(1, sizeof(*intake) + n + 1);
	if (intake == NULL) {
		return NULL;
	}
	intake->endpoint = endpoint;
	intake->silent = said->silent;
	intake->receipt = xml_is(stanza, NS_COMPONENT, "message") &&
			  xml_child(stanza, NS_RECEIPTS, "request") != NULL &&
			  xml_attribute(stanza, "id").n > 0;
	intake->stanza.name = xml_is(stanza, NULL, "message") ? XYLEM_SPAN_LITERAL("message")
							      : XYLEM_SPAN_LITERAL("iq");
	char *at = intake->text;
	struct xml_attribute **end = &intake->stanza.attributes;
	for (size_t i = 0; i < 4; i++) {
		struct xylem_span value = xml_attribute(stanza, names[i]);
		if (xylem_span_present(value)) {
			memcpy(at, value.at, value.n);
			intake->attributes[i] = (struct xml_attribute){ .name = xylem_span_of(names[i]),
				.value = xylem_span(at, value.n) };
			*end = &intake->attributes[i];
			end = &intake->attributes[i].next;
			at += value.n;
		}
	}
	return intake;
}

static void pending(struct endpoint *endpoint, bool more)
{
	if (endpoint->carrier->pending != NULL) {
		endpoint->carrier->pending(endpoint->owner, more);
	}
}

/* Says what became of it, and frees. */
static void answer(struct intake *intake, int error)
{
	struct endpoint *endpoint = intake->endpoint;
	XYLEM_BUFFER_SCOPED out = { 0 };

	if (error != 0 && !intake->silent) {
		(void)stanza_error_code(&out, &intake->stanza, error, NULL);
	} else if (error == 0 && xylem_span_is(intake->stanza.name, "iq")) {
		stanza_result_open(&out, &intake->stanza);
		stanza_result_close(&out);
	} else if (error == 0 && intake->receipt && !intake->silent) {
		write_receipt(&out, &intake->stanza);
	}
	post(endpoint, &out);
	free(intake);
	pending(endpoint, false);
}

/* On the journal's thread, after the sync. */
static void on_journaled(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
	struct intake *intake = context;

	if (intake->named) {
		repeats_settle(intake->endpoint->repeats, &intake->name, error == 0);
	}
	answer(intake, error);
}

/* A repeat is answered as the first one was; while that one is under way, an IQ is told to ask again. */
static bool answer_repeat(struct intake *intake)
{
	enum repeats_verdict verdict = intake->named ? repeats_see(intake->endpoint->repeats, &intake->name)
						     : REPEATS_NEW;

	if (verdict == REPEATS_NEW) {
		return false;
	}
	intake->silent = intake->silent ||
			 (verdict == REPEATS_UNDER_WAY && !xylem_span_is(intake->stanza.name, "iq"));
	answer(intake, verdict == REPEATS_TAKEN ? 0 : -XYLEM_E_BUSY);
	return true;
}

static int submit(struct endpoint *endpoint, const struct said *said, const struct xylem_message *message,
	struct xylem_reason *reason)
{
	struct intake *intake = intake_new(endpoint, said);
	if (intake == NULL) {
		return -XYLEM_E_MEMORY;
	}
	intake->named = !said->silent && repeats_name(message, &intake->name);
	pending(endpoint, true);
	if (answer_repeat(intake)) {
		return 0;
	}
	int error = xylem_source_submit(endpoint->source, message, 1, on_journaled, intake, reason);
	if (error != 0) {
		if (intake->named) {
			repeats_settle(endpoint->repeats, &intake->name, false);
		}
		free(intake);
		pending(endpoint, false);
	}
	return error;
}

void intake_said(struct endpoint *endpoint, const struct said *said)
{
	struct xylem_message message = { 0 };
	struct xylem_reason reason = { "" };
	int error = read_said(endpoint, said, &message, &reason);

	error = error != 0 ? error : submit(endpoint, said, &message, &reason);
	if (error != 0 && said->silent) {
		xylem_log(XYLEM_LOG_WARNING, "xmpp", "%s: what %s said was not taken in: %s",
			xylem_host_name(endpoint->host), said->source,
			reason.text[0] != '\0' ? reason.text : xylem_error_row(error)->text);
	} else if (error != 0) {
		refuse_code(endpoint, said, error, &reason);
	}
	xylem_arena_reset(endpoint->arena);
}
