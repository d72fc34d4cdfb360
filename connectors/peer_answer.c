/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What another bus, or a server on the way, answers to a batch or to the question
 * what it speaks. Read here, on the link's thread, into the flight that waits for
 * it; judged in peer_sink.c, on the lane's.
 *
 * The rule not to break: an answer is foreign bytes. What is not understood is an
 * error of the other side, never a delivery.
 */
#include <string.h>

#include <connectors/peer_sink.h>
#include <xmpp/stanza.h>

static void copy_text(char *to, size_t room, struct xylem_span text)
{
	size_t n = text.n < room ? text.n : room - 1;
	memcpy(to, text.n > 0 ? text.at : "", n);
	to[n] = '\0';
}

static void note_error(struct peer_flight *flight, const struct xml_node *answer)
{
	const struct xml_node *error = xml_child(answer, NULL, "error");
	copy_text(flight->type, sizeof(flight->type), xml_attribute(error, "type"));
	copy_text(flight->condition, sizeof(flight->condition), XYLEM_SPAN_LITERAL("undefined-condition"));
	flight->text[0] = '\0';
	for (const struct xml_node *c = xml_child(error, NS_STANZA_ERROR, NULL); c;
		c = xml_next(c, NS_STANZA_ERROR, NULL)) {
		if (xml_is(c, NULL, "text")) {
			copy_text(flight->text, sizeof(flight->text), xml_text(c, flight->arena));
		} else {
			copy_text(flight->condition, sizeof(flight->condition), c->name);
		}
	}
	flight->out_of_order = xml_child(error, NS_PEER, "out-of-order") != NULL;
	flight->state = FLIGHT_REFUSED;
}

static void note_taken(struct peer_flight *flight, const struct xml_node *answer)
{
	struct peer_taken *taken = &flight->taken;
	if (peer_taken_read(xml_child(answer, NS_PEER, "taken"), flight->arena, taken) != 0 ||
		taken->count > flight->count || (taken->count < flight->count && taken->code.n == 0)) {
		copy_text(flight->type, sizeof(flight->type), XYLEM_SPAN_LITERAL("modify"));
		copy_text(flight->condition, sizeof(flight->condition), XYLEM_SPAN_LITERAL("bad-request"));
		copy_text(flight->text, sizeof(flight->text),
			XYLEM_SPAN_LITERAL("the other side's answer cannot be read"));
		flight->state = FLIGHT_REFUSED;
		return;
	}
	copy_text(flight->code, sizeof(flight->code), taken->code);
	copy_text(flight->text, sizeof(flight->text), taken->text);
	flight->state = FLIGHT_TAKEN;
}

static void landed(struct peer_flight *flight, const struct xml_node *answer, bool question)
{
	struct peer_worker *worker = flight->worker;

	pthread_mutex_lock(&worker->lock);
	if (answer == NULL) {
		flight->state = FLIGHT_NO_ANSWER;
	} else if (xylem_span_is(xml_attribute(answer, "type"), "error")) {
		note_error(flight, answer);
	} else if (question) {
		const struct xml_node *query = xml_child(answer, NS_DISCO_INFO, "query");
		for (const struct xml_node *c = xml_child(query, NULL, "feature"); c;
			c = xml_next(c, NULL, "feature")) {
			flight->speaks |= xylem_span_is(xml_attribute(c, "var"), NS_PEER);
		}
		flight->state = FLIGHT_TAKEN;
	} else {
		note_taken(flight, answer);
	}
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

void peer_answer_taken(void *context, const struct xml_node *answer)
{
	landed(context, answer, false);
}

void peer_answer_features(void *context, const struct xml_node *answer)
{
	landed(context, answer, true);
}
