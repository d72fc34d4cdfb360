/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive of a topic (XEP-0313 with XEP-0442): its items one by one, each as
 * it was told, with the time at which it came; pages by the place in the
 * journal, which is the archive's id. The archive is what the topic keeps.
 */
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <xmpp/pubsub.h>
#include <xmpp/rsm.h>

#define PAGE_MOST 250U
#define PAGE_DEFAULT 50U
#define PAGE_BYTES ((size_t)2 << 20)

struct archive {
	const struct xmpp_request *request;
	const char *topic;
	struct topic_settings settings;
	struct xylem_span query_id;
	struct rsm rsm;
	struct topic_query query;
	const struct xml_node *ids; /* the field; NULL: a page */
	bool nobody;                /* `with` somebody who is not the bus */
	bool flip;
	/* What is sent: messages, one behind the other. */
	struct xylem_buffer bytes;
	size_t starts[PAGE_MOST + 1], n;
	char handles[PAGE_MOST][XYLEM_HANDLE_SIZE];
	bool cut; /* more would have been too large */
};

static const struct pubsub_refusal refusals[] = {
	{ -XYLEM_E_LIMIT, "cancel", "not-allowed", "max-items-exceeded" },
	{ -XYLEM_E_UNSUPPORTED, "cancel", "feature-not-implemented", "unsupported persistent-items" },
	{ 0, NULL, NULL, NULL },
};

/* --- What is asked for ---------------------------------------------------- */

static int read_handle(struct archive *archive, struct xylem_span text, bool *ret_has,
	struct xylem_position *ret_position, struct xylem_reason *reason)
{
	if (!xylem_span_present(text)) {
		return 0;
	}
	*ret_has = true;
	if (xylem_handle_parse(text, ret_position) != 0) {
		return -XYLEM_E_NOT_FOUND;
	}
	return topic_item_check(
		service_topics(archive->request->service), archive->topic, *ret_position, reason);
}

static int read_time(struct xylem_span text, int64_t *ret_us)
{
	return text.n > 0 ? clock_parse(text.at, text.n, ret_us) : -XYLEM_E_INVALID;
}

static int read_field(struct archive *archive, const struct xml_node *field, struct xylem_span name,
	struct xylem_reason *reason)
{
	char bare[JID_SIZE];
	struct topic_query *query = &archive->query;
	struct xylem_span value = form_value(field, archive->request->arena);
	if (xylem_span_is(name, "start")) {
		return read_time(value, &query->from_us);
	}
	if (xylem_span_is(name, "end")) {
		int error = read_time(value, &query->until_us);
		/* Results are stamped in milliseconds: up to one's stamp is with it. */
		query->until_us += query->until_us % 1000 == 0 ? 999 : 0;
		return error;
	}
	if (xylem_span_is(name, "after-id")) {
		return read_handle(archive, value, &query->has_after, &query->after, reason);
	}
	if (xylem_span_is(name, "before-id")) {
		return read_handle(archive, value, &query->has_before, &query->before, reason);
	}
	if (xylem_span_is(name, "ids")) {
		archive->ids = field;
	} else if (xylem_span_is(name, "with")) {
		/* All messages of the archive are from the bus. */
		archive->nobody = !jid_normalise(value, bare) ||
				  !xylem_span_is(xylem_span_of(bare),
					  service_options(archive->request->service)->domain);
	} else {
		xylem_reason_set(reason, "no such field: %.*s", (int)name.n, name.at);
		return -XYLEM_E_UNSUPPORTED;
	}
	return 0;
}

static int read_form(struct archive *archive, struct xylem_reason *reason)
{
	bool cancel;
	struct xylem_span name;
	const struct xml_node *form = form_find(archive->request->payload, &cancel);
	if (form == NULL) {
		return 0;
	}
	int error = form_is(form, NS_MAM, archive->request->arena) ? 0 : -XYLEM_E_INVALID;
	for (const struct xml_node *field = form_field(form, NULL, &name); field != NULL && error == 0;
		field = form_field(form, field, &name)) {
		error = read_field(archive, field, name, reason);
	}
	return error;
}

static void later(bool *has, struct xylem_position *position, const struct xylem_position *other)
{
	if (!*has || other->offset > position->offset) {
		*position = *other;
	}
	*has = true;
}

static void earlier(bool *has, struct xylem_position *position, const struct xylem_position *other)
{
	if (!*has || other->offset < position->offset) {
		*position = *other;
	}
	*has = true;
}

/* The page within the bounds of the form. */
static int read_page(struct archive *archive, struct xylem_reason *reason)
{
	struct rsm *rsm = &archive->rsm;
	struct topic_query *query = &archive->query;
	struct xylem_position at;
	bool after = false, before = false;
	int error = rsm_read(archive->request->payload, rsm, archive->request->arena);
	error = error != 0 ? error : read_handle(archive, rsm->after, &after, &at, reason);
	if (error == 0 && after) {
		later(&query->has_after, &query->after, &at);
	}
	error = error != 0 ? error : read_handle(archive, rsm->before, &before, &at, reason);
	if (error == 0 && before) {
		earlier(&query->has_before, &query->before, &at);
	}
	query->backward = rsm->last || before;
	query->skip = rsm->index;
	query->count = !rsm->has_max          ? PAGE_DEFAULT
		       : rsm->max > PAGE_MOST ? PAGE_MOST
		       : rsm->max == 0        ? 1
					      : (size_t)rsm->max;
	return error;
}

/* --- What is sent --------------------------------------------------------- */

static void write_result(
	struct archive *archive, const char *handle, const struct xylem_message *message, bool with_payload)
{
	char stamp[CLOCK_TEXT_SIZE];
	struct xylem_buffer *out = &archive->bytes;
	const struct xml_node *iq = archive->request->iq;

	xylem_buffer_text(out, "<message");
	xml_write_attribute(out, "from", xml_attribute(iq, "to"));
	xml_write_attribute(out, "to", xml_attribute(iq, "from"));
	xylem_buffer_text(out, "><result xmlns='" NS_MAM "'");
	xml_write_attribute(out, "queryid", archive->query_id);
	xml_write_attribute(out, "id", xylem_span_of(handle));
	xylem_buffer_format(out,
		"><forwarded xmlns='" NS_FORWARD "'><delay xmlns='" NS_DELAY
		"' stamp='%s'/><message xmlns='jabber:client'",
		clock_format(message->journal_time_us, stamp));
	xml_write_attribute(out, "from", xylem_span_of(service_options(archive->request->service)->domain));
	xylem_buffer_format(out, " id='item-%s'>", handle);
	pubsub_write_event(out, archive->topic, &archive->settings, message, with_payload);
	xylem_buffer_text(out, "</message></forwarded></result></message>");
}

static bool collect(void *context, struct xylem_span id, const struct xylem_message *message)
{
	struct archive *archive = context;
	size_t start = archive->bytes.n, i = archive->n;
	if (i == PAGE_MOST) {
		return false;
	}
	const char *handle = xylem_handle_format(message->position, archive->handles[i]);
	write_result(archive, handle, message, true);
	if (archive->bytes.n - start > link_max_stanza(xmpp_service_link(archive->request->service))) {
		xylem_buffer_cut(&archive->bytes, start);
		write_result(archive, handle, message, false);
	}
	/* A page that goes back is cut at its old end, so all of it has to be there. */
	if (!archive->query.backward && i > 0 && archive->bytes.n > PAGE_BYTES) {
		xylem_buffer_cut(&archive->bytes, start);
		archive->cut = true;
		return false;
	}
	archive->starts[archive->n++] = start;
	return !xylem_buffer_failed(&archive->bytes);
}

static void send_one(const struct archive *archive, size_t i)
{
	size_t end = i + 1 < archive->n ? archive->starts[i + 1] : archive->bytes.n;
	link_answer(xmpp_service_link(archive->request->service),
		xylem_span(archive->bytes.bytes + archive->starts[i], end - archive->starts[i]));
}

/* Of a page that goes back, where it begins. */
static size_t first_that_fits(const struct archive *archive)
{
	size_t first = 0;
	while (first + 1 < archive->n && archive->bytes.n - archive->starts[first] > PAGE_BYTES) {
		first++;
	}
	return first;
}

static void send_page(struct archive *archive, const struct topic_page *page, bool count_only)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	size_t first = count_only ? archive->n : first_that_fits(archive), n = archive->n - first;

	for (size_t i = 0; i < n; i++) {
		send_one(archive, archive->flip ? archive->n - 1 - i : first + i);
	}
	uint64_t index = page->index + first;
	/* Complete: nothing lies beyond, in the direction of the page, within the bounds of the form. */
	bool whole = !archive->cut && first == 0 && page->n < archive->query.count;
	bool end = archive->query.backward ? index == 0 : index + n >= page->total;
	stanza_result_open(&out, archive->request->iq);
	xylem_buffer_format(&out, "<fin xmlns='" NS_MAM "'%s>",
		!count_only && (whole || (end && !archive->cut)) ? " complete='true'" : "");
	rsm_write(&out, n > 0 ? xylem_span_of(archive->handles[first]) : XYLEM_SPAN_NONE, index,
		n > 0 ? xylem_span_of(archive->handles[archive->n - 1]) : XYLEM_SPAN_NONE, page->total);
	xylem_buffer_text(&out, "</fin>");
	stanza_result_close(&out);
	request_answer(archive->request, &out);
}

static int by_place(const void *a, const void *b)
{
	const struct xylem_position *x = a, *y = b;
	int partitions = (x->partition > y->partition) - (x->partition < y->partition);
	return partitions != 0 ? partitions : (x->offset > y->offset) - (x->offset < y->offset);
}

/* What is asked for by ids comes in the order of the archive, as everything does, and once. */
static int find_ids(struct archive *archive, struct xylem_position positions[PAGE_MOST], size_t *ret_n,
	struct xylem_reason *reason)
{
	size_t n = 0;
	for (const struct xml_node *value = xml_child(archive->ids, NS_DATA, "value"); value != NULL;
		value = xml_next(value, NS_DATA, "value")) {
		bool has = false;
		struct xylem_position at = { 0, 0 };
		int error = read_handle(archive, xml_text(value, archive->request->arena), &has, &at, reason);
		if (error != 0 || n == PAGE_MOST) {
			return error != 0 ? error : -XYLEM_E_LIMIT;
		}
		positions[n++] = at;
	}
	qsort(positions, n, sizeof(*positions), by_place);
	*ret_n = n;
	return 0;
}

static int read_ids(struct archive *archive, struct topic_page *page, struct xylem_reason *reason)
{
	size_t n = 0;
	struct xylem_position positions[PAGE_MOST];
	struct topics *topics = service_topics(archive->request->service);
	int error = find_ids(archive, positions, &n, reason);
	for (size_t i = 0; i < n && error == 0; i++) {
		struct topic_page one;
		const struct topic_query query = { .count = 1,
			.backward = true,
			.has_before = true,
			.before = { positions[i].partition, positions[i].offset + 1 } };
		if (i > 0 && by_place(&positions[i], &positions[i - 1]) == 0) {
			continue;
		}
		error = topic_items(topics, archive->topic, &query, collect, archive, &one, reason);
		page->n++;
	}
	page->total = page->n;
	return error;
}

static int run(struct archive *archive, struct topic_page *page, struct xylem_reason *reason)
{
	int error = read_form(archive, reason);
	error = error != 0 ? error : read_page(archive, reason);
	if (error != 0 || archive->nobody) {
		return error;
	}
	return archive->ids != NULL ? read_ids(archive, page, reason)
				    : topic_items(service_topics(archive->request->service), archive->topic,
					      &archive->query, collect, archive, page, reason);
}

static void query(
	const struct xmpp_request *request, const char *topic, const struct topic_settings *settings)
{
	struct topic_page page = { 0 };
	struct xylem_reason reason = { "" };
	struct archive *archive = xylem_arena_zero(request->arena, sizeof(*archive));
	if (archive == NULL) {
		request_refuse_code(request, -XYLEM_E_MEMORY, NULL);
		return;
	}
	archive->request = request;
	archive->topic = topic;
	archive->settings = *settings;
	archive->query_id = xml_attribute(request->payload, "queryid");
	archive->flip = xml_child(request->payload, NS_MAM, "flip-page") != NULL;
	int error = run(archive, &page, &reason);
	if (error != 0) {
		pubsub_refuse_code(request, error == -XYLEM_E_UNSUPPORTED && reason.text[0] ? NULL : refusals,
			error, reason.text);
	} else {
		send_page(archive, &page, archive->rsm.has_max && archive->rsm.max == 0);
	}
	xylem_buffer_finish(&archive->bytes);
}

/* --- Forms and meta-data -------------------------------------------------- */

static void answer_form(const struct xmpp_request *request)
{
	static const char *const fields[][2] = { { "with", "jid-single" }, { "start", "text-single" },
		{ "end", "text-single" }, { "before-id", "text-single" }, { "after-id", "text-single" },
		{ "ids", "list-multi" } };
	XYLEM_BUFFER_SCOPED out = { 0 };

	stanza_result_open(&out, request->iq);
	xylem_buffer_text(&out, "<query xmlns='" NS_MAM "'");
	xml_write_attribute(&out, "node", xml_attribute(request->payload, "node"));
	xylem_buffer_byte(&out, '>');
	form_open(&out, "form", NS_MAM);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		xylem_buffer_format(&out, "<field var='%s' type='%s'%s", fields[i][0], fields[i][1],
			i == 5 ? "><validate xmlns='http://jabber.org/protocol/xdata-validate' "
				 "datatype='xs:string'><open/></validate></field>"
			       : "/>");
	}
	form_close(&out);
	xylem_buffer_text(&out, "</query>");
	stanza_result_close(&out);
	request_answer(request, &out);
}

struct edge {
	struct xylem_buffer *out;
	const char *name;
};

static bool write_edge(void *context, struct xylem_span id, const struct xylem_message *message)
{
	const struct edge *edge = context;
	char handle[XYLEM_HANDLE_SIZE], stamp[CLOCK_TEXT_SIZE];
	xylem_buffer_format(edge->out, "<%s id='%s' timestamp='%s'/>", edge->name,
		xylem_handle_format(message->position, handle),
		clock_format(message->journal_time_us, stamp));
	return true;
}

static void metadata(const struct xmpp_request *request, const char *topic)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct topic_page page;
	struct xylem_reason reason = { "" };
	struct edge start = { &out, "start" }, end = { &out, "end" };
	const struct topic_query oldest = { .count = 1 }, newest = { .count = 1, .backward = true };
	struct topics *topics = service_topics(request->service);

	stanza_result_open(&out, request->iq);
	xylem_buffer_text(&out, "<metadata xmlns='" NS_MAM "'>");
	int error = topic_items(topics, topic, &oldest, write_edge, &start, &page, &reason);
	error = error != 0 ? error : topic_items(topics, topic, &newest, write_edge, &end, &page, &reason);
	if (error != 0) {
		pubsub_refuse_code(request, refusals, error, reason.text);
		return;
	}
	xylem_buffer_text(&out, "</metadata>");
	stanza_result_close(&out);
	request_answer(request, &out);
}

/* --- The features --------------------------------------------------------- */

static const char *entitled(const struct xmpp_request *request, struct topic_state *ret_state)
{
	if (service_topics(request->service) == NULL) {
		request_refuse_code(request, -XYLEM_E_NOT_FOUND, NULL);
		return NULL;
	}
	const char *name = pubsub_entitled(request, request->payload, TOPIC_READ);
	return name != NULL && topic_state(service_topics(request->service), name, ret_state) == 0 ? name
												   : NULL;
}

static void answer_query(const struct xmpp_request *request)
{
	struct topic_state state;
	if (!request->set) {
		answer_form(request);
		return;
	}
	const char *name = entitled(request, &state);
	if (name != NULL) {
		query(request, name, &state.settings);
	}
}

static void answer_metadata(const struct xmpp_request *request)
{
	struct topic_state state;
	const char *name = request->set ? NULL : entitled(request, &state);
	if (request->set) {
		request_refuse_code(request, -XYLEM_E_METHOD, NULL);
	} else if (name != NULL) {
		metadata(request, name);
	}
}

const struct xmpp_feature feature_mam = { .namespace = NS_MAM, .name = "query", .answer = answer_query };
const struct xmpp_feature feature_mam_metadata = {
	.namespace = NS_MAM, .name = "metadata", .answer = answer_metadata
};
