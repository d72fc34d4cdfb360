/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retrieving items (XEP-0060, 6.5): the newest, some by their ids, or pages of
 * them (XEP-0059). As many as one stanza takes; what is left out, the <set/>
 * lets the asker go on for. One that alone is too large for a stanza stands
 * there without its payload, as it was announced.
 */
#include <stdlib.h>
#include <string.h>

#include <xylem/json.h>
#include <xmpp/pubsub.h>
#include <xmpp/rsm.h>

#define IDS_MOST 1000U

/* Items as they are to stand in the answer, old to new. */
struct page {
	const struct topic_settings *settings;
	const char *domain; /* rows of disco#items with it as their address; NULL: items */
	struct xylem_arena *arena;
	struct xylem_buffer bytes;
	struct place {
		size_t start;
		struct xylem_span id;
	} * places;
	size_t n, room;
	size_t dropped; /* of the oldest, which no longer fit */
	size_t most;    /* bytes of an answer */
	bool forward;
};

/* Going back, what newer items leave no room for is let go: it would not fit in the end, either. */
static void drop_old(struct page *page)
{
	size_t n = 0;
	while (n + 1 < page->n && page->bytes.n - page->places[n].start > page->most) {
		n++;
	}
	size_t bytes = page->places[n].start;
	memmove(page->bytes.bytes, page->bytes.bytes + bytes, page->bytes.n - bytes);
	page->bytes.n -= bytes;
	page->n -= n;
	page->dropped += n;
	memmove(page->places, page->places + n, page->n * sizeof(*page->places));
	for (size_t i = 0; i < page->n; i++) {
		page->places[i].start -= bytes;
	}
}

/* In discovery an item has a name and no node (5.5). */
static void write_one(
	struct page *page, struct xylem_span id, const struct xylem_message *message, bool with_payload)
{
	if (page->domain == NULL) {
		pubsub_write_item(&page->bytes, page->settings, message, with_payload);
		return;
	}
	xylem_buffer_text(&page->bytes, "<item");
	xml_write_attribute(&page->bytes, "jid", xylem_span_of(page->domain));
	xml_write_attribute(&page->bytes, "name", id);
	xylem_buffer_text(&page->bytes, "/>");
}

static bool collect(void *context, struct xylem_span id, const struct xylem_message *message)
{
	struct page *page = context;

	if (page->n == page->room) {
		size_t room = page->room == 0 ? 64 : page->room * 2;
		struct place *places = realloc(page->places, room * sizeof(*places));
		if (places == NULL) {
			page->bytes.failed = true;
			return false;
		}
		page->places = places;
		page->room = room;
	}
	size_t start = page->bytes.n;
	page->places[page->n++] = (struct place){ start, xylem_arena_copy(page->arena, id) };
	write_one(page, id, message, true);
	if (page->bytes.n - start > page->most) {
		xylem_buffer_cut(&page->bytes, start);
		write_one(page, id, message, false);
	}
	if (!page->forward && page->bytes.n > 4 * page->most) {
		drop_old(page);
	}
	/* Going forward, what comes behind the first that do not fit is not needed. */
	return !xylem_buffer_failed(&page->bytes) && (!page->forward || page->bytes.n <= page->most);
}

static size_t end_of(const struct page *page, size_t i)
{
	return i + 1 < page->n ? page->places[i + 1].start : page->bytes.n;
}

/* The items [*ret_first, *ret_end) that fit: the oldest going forward, else the newest. One at least. */
static void fit(const struct page *page, size_t *ret_first, size_t *ret_end)
{
	size_t first = 0, end = page->n;

	if (page->forward) {
		while (end > 1 && end_of(page, end - 1) > page->most) {
			end--;
		}
	} else {
		while (first + 1 < end && page->bytes.n - page->places[first].start > page->most) {
			first++;
		}
	}
	*ret_first = first;
	*ret_end = end;
}

static void page_finish(struct page *page)
{
	xylem_buffer_finish(&page->bytes);
	free(page->places);
}

/* --- What is asked for ---------------------------------------------------- */

static const struct pubsub_refusal refusals[] = {
	{ -XYLEM_E_UNSUPPORTED, "cancel", "feature-not-implemented", "unsupported persistent-items" },
	{ -XYLEM_E_INVALID, "modify", "bad-request", NULL },
	{ -XYLEM_E_LIMIT, "cancel", "not-allowed", "max-items-exceeded" },
	{ -XYLEM_E_UNPROCESSABLE, "modify", "bad-request", "item-required" },
	{ 0, NULL, NULL, NULL },
};

/* Whoever is subscribed several times says as which (6.5.9.1). False: refused. */
static bool check_subid(
	const struct xmpp_request *request, const char *name, const struct xml_node *operation)
{
	struct topic_subscription found;
	struct xylem_span subid = xml_attribute(operation, "subid");
	int error = topic_subscription(
		service_topics(request->service), name, request->sender, subid, &found);
	if (error == -XYLEM_E_INVALID) {
		pubsub_refuse(request, "modify", "bad-request", "subid-required");
	} else if (error == -XYLEM_E_UNPROCESSABLE) {
		pubsub_refuse(request, "modify", "not-acceptable", "invalid-subid");
	}
	return error != -XYLEM_E_INVALID && error != -XYLEM_E_UNPROCESSABLE;
}

static int read_some(struct page *page, const struct xmpp_request *request, const char *name,
	const struct xml_node *operation, struct xylem_reason *reason)
{
	size_t n = 0;
	for (const struct xml_node *one = xml_child(operation, NS_PUBSUB, "item"); one != NULL;
		one = xml_next(one, NS_PUBSUB, "item")) {
		if (++n > IDS_MOST) {
			return -XYLEM_E_LIMIT;
		}
		struct xylem_span id = xml_attribute(one, "id");
		if (id.n == 0) {
			return -XYLEM_E_UNPROCESSABLE;
		}
		/* One that is not there is left out (6.5.9.12). */
		int error = topic_item_get(service_topics(request->service), name, id, collect, page, reason);
		if (error != 0 && error != -XYLEM_E_NOT_FOUND) {
			return error;
		}
	}
	return 0;
}

/* The page that max_items or the <set/> ask for. */
static int read_query(const struct xmpp_request *request, const char *name, const struct xml_node *operation,
	const struct rsm *rsm, struct topic_query *query, struct xylem_reason *reason)
{
	int64_t most = 0;
	struct topics *topics = service_topics(request->service);
	struct xylem_span max_items = xml_attribute(operation, "max_items");
	if (max_items.n > 0 && (xylem_json_int64(max_items, &most) != 0 || most < 1)) {
		xylem_reason_set(reason, "max_items is a number from 1");
		return -XYLEM_E_INVALID;
	}
	*query = (struct topic_query){ .count = rsm->has_max ? (size_t)rsm->max : (size_t)most,
		.backward = !rsm->asked || rsm->last || xylem_span_present(rsm->before),
		.skip = rsm->index };
	int error = 0;
	if (xylem_span_present(rsm->after)) {
		query->has_after = true;
		error = topic_item_find(topics, name, rsm->after, &query->after, reason);
	}
	if (error == 0 && xylem_span_present(rsm->before)) {
		query->has_before = true;
		error = topic_item_find(topics, name, rsm->before, &query->before, reason);
	}
	return error;
}

static bool pass_over(void *context, struct xylem_span id, const struct xylem_message *message)
{
	return false;
}

/* --- The answer ----------------------------------------------------------- */

/* What fits, `close`, and where it is asked for or something is left out, which page it is. */
static void write_page(const struct page *page, const struct rsm *rsm, const struct topic_page *found,
	const char *close, struct xylem_buffer *out)
{
	size_t first, end;

	fit(page, &first, &end);
	if (end > first) {
		size_t at = page->places[first].start;
		xylem_buffer_append(out, page->bytes.bytes + at, end_of(page, end - 1) - at);
	}
	xylem_buffer_text(out, close);
	if (rsm->asked || page->dropped > 0 || end - first < page->n) {
		bool some = end > first;
		rsm_write(out, some ? page->places[first].id : XYLEM_SPAN_NONE,
			found->index + page->dropped + first,
			some ? page->places[end - 1].id : XYLEM_SPAN_NONE, found->total);
	}
	out->failed = out->failed || page->bytes.failed;
}

static void answer(const struct xmpp_request *request, const char *name, const struct page *page,
	const struct rsm *rsm, const struct topic_page *found)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	pubsub_open(request, &out, NS_PUBSUB);
	xylem_buffer_text(&out, "<items");
	xml_write_attribute(&out, "node", xylem_span_of(name));
	xylem_buffer_byte(&out, '>');
	write_page(page, rsm, found, "</items>", &out);
	pubsub_close(request, &out);
}

static int read_page(struct page *page, const struct xmpp_request *request, const char *name,
	const struct xml_node *operation, const struct rsm *rsm, struct topic_page *found,
	struct xylem_reason *reason)
{
	struct topic_query query;
	if (xml_child(operation, NS_PUBSUB, "item") != NULL) {
		return read_some(page, request, name, operation, reason);
	}
	int error = read_query(request, name, operation, rsm, &query, reason);
	if (error != 0) {
		return error;
	}
	bool count_only = rsm->has_max && rsm->max == 0;
	page->forward = !query.backward;
	return topic_items(service_topics(request->service), name, &query, count_only ? pass_over : collect,
		page, found, reason);
}

static void items(const struct xmpp_request *request, const struct xml_node *operation)
{
	struct rsm rsm;
	struct topic_state state;
	struct topic_page found = { 0 };
	struct xylem_reason reason = { "" };
	const char *name = pubsub_entitled(request, operation, TOPIC_READ);
	if (name == NULL || topic_state(service_topics(request->service), name, &state) != 0 ||
		!check_subid(request, name, operation)) {
		return;
	}
	struct page page = { .settings = &state.settings,
		.arena = request->arena,
		.most = pubsub_item_most(xmpp_service_link(request->service)) };
	int error = rsm_read(request->payload, &rsm, request->arena);
	error = error != 0 ? error : read_page(&page, request, name, operation, &rsm, &found, &reason);
	if (error != 0) {
		pubsub_refuse_code(request, refusals, error, reason.text);
	} else {
		answer(request, name, &page, &rsm, &found);
	}
	page_finish(&page);
}

int pubsub_write_rows(const struct xmpp_request *request, const char *name, struct xylem_buffer *out,
	struct xylem_reason *reason)
{
	struct rsm rsm;
	struct topic_page found = { 0 };
	struct page page = { .domain = service_options(request->service)->domain,
		.arena = request->arena,
		.most = pubsub_item_most(xmpp_service_link(request->service)) };

	int error = rsm_read(request->payload, &rsm, request->arena);
	error = error != 0 ? error : read_page(&page, request, name, NULL, &rsm, &found, reason);
	if (error == 0) {
		write_page(&page, &rsm, &found, "", out);
	}
	page_finish(&page);
	return error;
}

const struct pubsub_operation pubsub_retrieving[] = {
	{ NS_PUBSUB, "items", false, items },
	{ NULL, NULL, false, NULL },
};
