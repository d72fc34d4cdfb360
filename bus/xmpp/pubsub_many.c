/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several changes by one request. They run side by side in the catalogue; the
 * last that completes, whichever thread it is on, answers.
 *
 * Smack writes the subscriptions of an owner's request in the namespace of a
 * subscriber's: what they mean is plain, and any is taken. A request in which
 * nothing is understood is an error, since its answer would say that all is done;
 * one that says nothing is done at once.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include <xmpp/pubsub_many.h>

#define ENTRIES_MOST 1000U

struct many {
	struct topics *topics;
	const struct many_kind *kind;
	struct deferred *deferred;
	struct xylem_arena *arena; /* of all of this */
	const char *topic;
	struct many_entry *entries;
	size_t n;
	_Atomic size_t open;
};

static void answer(struct many *many)
{
	XYLEM_BUFFER_SCOPED bad = { 0 };
	XYLEM_BUFFER_SCOPED out = { 0 };

	for (size_t i = 0; i < many->n; i++) {
		if (many->entries[i].error != 0) {
			many->kind->write_unchanged(many->topics, many->topic, &many->entries[i], &bad);
		}
	}
	if (bad.n == 0) {
		pubsub_done(many->deferred, xylem_buffer_failed(&bad) ? -XYLEM_E_MEMORY : 0);
		return;
	}
	const struct xml_node *iq = &many->deferred->iq;
	stanza_open(&out, "iq", "error", xml_attribute(iq, "to"), xml_attribute(iq, "from"),
		xml_attribute(iq, "id"));
	xylem_buffer_format(&out, "><pubsub xmlns='" NS_PUBSUB_OWNER "'><%s", many->kind->element);
	xml_write_attribute(&out, "node", xylem_span_of(many->topic));
	xylem_buffer_byte(&out, '>');
	xylem_buffer_span(&out, xylem_buffer_borrow(&bad));
	xylem_buffer_format(&out,
		"</%s></pubsub><error type='modify'><not-acceptable xmlns='" NS_STANZA_ERROR
		"'/></error></iq>",
		many->kind->element);
	deferred_answer(many->deferred, &out);
}

static void one_less(struct many *many)
{
	if (atomic_fetch_sub(&many->open, 1) == 1) {
		answer(many);
		xylem_arena_free(many->arena);
	}
}

void many_done(void *context, int error)
{
	struct many_entry *entry = context;
	entry->error = error;
	one_less(entry->many);
}

static const char *copy_attribute(struct xylem_arena *arena, const struct xml_node *node, const char *name)
{
	struct xylem_span value = xml_attribute(node, name);
	return xylem_span_present(value) ? xylem_arena_text(arena, value) : NULL;
}

static struct many *many_new(const struct xmpp_request *request, const struct xml_node *operation,
	const char *topic, const struct many_kind *kind, size_t n)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct many *many = arena == NULL ? NULL : xylem_arena_zero(arena, sizeof(*many));
	struct many_entry *entries = many == NULL ? NULL
						  : xylem_arena_zero(arena, (n + 1) * sizeof(*entries));
	if (entries == NULL || (many->topic = xylem_arena_text(arena, xylem_span_of(topic))) == NULL) {
		xylem_arena_free(arena);
		return NULL;
	}
	many->topics = service_topics(request->service);
	many->kind = kind;
	many->arena = arena;
	many->entries = entries;
	for (const struct xml_node *item = xml_child(operation, NULL, kind->item); item != NULL;
		item = xml_next(item, NULL, kind->item)) {
		struct many_entry *entry = &entries[many->n++];
		entry->many = many;
		entry->jid = copy_attribute(arena, item, "jid");
		entry->word = copy_attribute(arena, item, kind->item);
		entry->subid = copy_attribute(arena, item, "subid");
		if (entry->jid == NULL || entry->word == NULL) {
			xylem_arena_free(arena);
			return NULL;
		}
	}
	return many;
}

void many_run(const struct xmpp_request *request, const struct xml_node *operation, const char *topic,
	const struct many_kind *kind)
{
	size_t n = 0;
	for (const struct xml_node *item = xml_child(operation, NULL, kind->item); item != NULL;
		item = xml_next(item, NULL, kind->item)) {
		n++;
	}
	if (xml_child(operation, NULL, NULL) == NULL) {
		XYLEM_BUFFER_SCOPED out = { 0 };
		stanza_result_open(&out, request->iq);
		stanza_result_close(&out);
		request_answer(request, &out);
		return;
	}
	struct many *many = n > 0 && n <= ENTRIES_MOST ? many_new(request, operation, topic, kind, n) : NULL;
	if (many == NULL) {
		request_refuse_code(request, -XYLEM_E_INVALID,
			"there is no entry, one lacks an attribute, or there are too many");
		return;
	}
	many->deferred = pubsub_defer(request);
	if (many->deferred == NULL) {
		xylem_arena_free(many->arena);
		return;
	}
	atomic_store(&many->open, n + 1);
	for (size_t i = 0; i < n; i++) {
		int error = kind->start(many->topics, many->topic, &many->entries[i]);
		if (error != 0) {
			many_done(&many->entries[i], error);
		}
	}
	one_less(many);
}
