/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the routes to people and into the room:
 *
 *     event -> to whom -> who is online -> stanza -> server's word, receipt, reflection -> result
 *
 * To whom: `to`, an address that the event names, who sent what the event was
 * made of, the room. Nothing is sent for a message before all of that is known,
 * so that a message which is held back was not sent to some of them already.
 *
 * The rules not to break: the absence of an error is never taken for more than
 * `confirm` says; and an address out of an event has to be one that may talk to
 * this endpoint, so that nobody makes the bus write to whom he likes.
 */
#include <connectors/xmpp_endpoint_body.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <base/clock.h>
#include <base/hash.h>
#include <connectors/pick.h>
#include <connectors/xmpp_offers.h>
#include <connectors/xmpp_room.h>

#define FOUND_MAX 100 /* addresses in one event */
#define FULL_SIZE (JID_SIZE + 512)
#define SIGHT_US ((int64_t)5 * 1000000) /* no presence after that long: offline */
#define SIGHT_STEP_NS 20000000L
#define WAITED 256

struct recipient {
	const char *address; /* as it is written to */
	char bare[JID_SIZE]; /* normalised */
	enum delivery_to whose;
};

struct recipients {
	struct recipient *items;
	size_t n, room;
};

struct worker {
	struct endpoint *endpoint;
	int64_t timeout_us, deadline_us;
	_Atomic bool interrupted;
	struct delivery *delivery;
	struct pick address;
	struct xylem_buffer stanza;
	struct xylem_arena *arena;
	uint64_t waited[WAITED]; /* hashes of addresses that did not show their presence in time */
	size_t waited_next;
};

/* --- To whom ------------------------------------------------------------------- */

static void wrong(struct worker *worker, size_t i, const char *code, const char *text)
{
	delivery_fail(worker->delivery, i, XYLEM_FAILURE_WRONG, code, text);
}

static const char *resource_of(const char *address)
{
	const char *slash = strchr(address, '/');
	return slash != NULL ? slash : "";
}

/* Whoever is named twice gets it once. */
static bool is_listed(const struct recipients *list, const struct recipient *one)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->items[i].bare, one->bare) == 0 &&
			strcmp(resource_of(list->items[i].address), resource_of(one->address)) == 0) {
			return true;
		}
	}
	return false;
}

static bool add(struct worker *worker, struct recipients *list, const char *address, enum delivery_to whose)
{
	if (list->n == list->room) {
		size_t room = list->room == 0 ? 8 : 2 * list->room;
		struct recipient *items = xylem_arena_take(worker->arena, room * sizeof(*items));
		if (items == NULL) {
			return false;
		}
		if (list->n > 0) {
			memcpy(items, list->items, list->n * sizeof(*items));
		}
		list->items = items;
		list->room = room;
	}
	struct recipient *recipient = &list->items[list->n];
	recipient->address = address;
	recipient->whose = whose;
	list->n += address != NULL && jid_normalise(xylem_span_of(address), recipient->bare) &&
		   !is_listed(list, recipient);
	return address != NULL;
}

static bool add_listed(struct worker *worker, struct recipients *list, struct xylem_strings addresses)
{
	const struct room *room = worker->endpoint->room;
	char bare[JID_SIZE];

	for (size_t i = 0; i < addresses.n; i++) {
		const char *one = addresses.items[i];
		bool is_room = room != NULL && jid_normalise(xylem_span_of(one), bare) && room_is(room, bare);
		enum delivery_to whose = is_room                    ? DELIVERY_ROOM
					 : strchr(one, '@') != NULL ? DELIVERY_PERSON
								    : DELIVERY_DOMAIN;
		if (!add(worker, list, one, whose)) {
			return false;
		}
	}
	return true;
}

/* An address out of the event: `xmpp:` may stand before it. False: the message has failed. */
static bool add_found(struct worker *worker, size_t i, struct recipients *list, struct xylem_span text)
{
	char bare[JID_SIZE];

	if (text.n > 5 && memcmp(text.at, "xmpp:", 5) == 0) {
		text = xylem_span(text.at + 5, text.n - 5);
	}
	if (!jid_normalise(text, bare)) {
		wrong(worker, i, "xmpp-address", "what the event has as its address is none");
		return false;
	}
	if (!endpoint_admits(worker->endpoint, bare)) {
		wrong(worker, i, "xmpp-address-refused",
			"the event names an address that may not talk to this endpoint: see `allow`");
		return false;
	}
	return add(worker, list, xylem_arena_text(worker->arena, text), DELIVERY_FOUND);
}

static bool add_array(struct worker *worker, size_t i, struct recipients *list, struct xylem_span array)
{
	struct xylem_json_iterator at = { 0 };
	struct xylem_span text;

	if (xylem_json_count(array) > FOUND_MAX) {
		wrong(worker, i, "xmpp-address", "the event names more than 100 addresses");
		return false;
	}
	xylem_json_iterate(&at, array);
	while (xylem_json_next(&at)) {
		if (xylem_json_type(at.value) != XYLEM_JSON_STRING ||
			xylem_json_string(at.value, worker->arena, &text) != 0) {
			text = XYLEM_SPAN_NONE;
		}
		if (!add_found(worker, i, list, text)) {
			return false;
		}
	}
	return true;
}

static bool add_named(
	struct worker *worker, size_t i, struct recipients *list, const struct xylem_message *message)
{
	size_t offset;
	struct xylem_reason ignored;
	bool json = worker->address.kind == PICK_DATA &&
		    xylem_content_type_is_json(message->datacontenttype) &&
		    xylem_json_check(message->data, &offset, &ignored) == 0;
	struct xylem_span text = pick_value(&worker->address, message, json, NULL, NULL, worker->arena);

	return json && xylem_json_type(text) == XYLEM_JSON_ARRAY && text.at[0] == '['
		       ? add_array(worker, i, list, text)
		       : add_found(worker, i, list, text);
}

/* Who sent what the event was made of. */
static bool add_sender(
	struct worker *worker, size_t i, struct recipients *list, const struct xylem_message *message)
{
	const struct room *room = worker->endpoint->room;
	struct xylem_span from = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("xmppfrom"));
	struct xylem_span kind = xylem_message_attribute(message, XYLEM_SPAN_LITERAL("xmppkind"));
	char bare[JID_SIZE];

	if (!xylem_span_present(from)) {
		wrong(worker, i, "xmpp-no-sender",
			"the event was not made of a message, nobody can be answered");
		return false;
	}
	if (!xylem_span_is(kind, "groupchat")) {
		return add_found(worker, i, list, from);
	}
	if (room == NULL || !jid_normalise(from, bare) || !room_is(room, bare)) {
		wrong(worker, i, "xmpp-room-other", "it was said in a room that this endpoint is not in");
		return false;
	}
	return add(worker, list, worker->endpoint->options->room, DELIVERY_ROOM);
}

static bool find_recipients(
	struct worker *worker, size_t i, struct recipients *list, const struct xylem_message *message)
{
	const struct endpoint_options *options = worker->endpoint->options;
	bool ok = add_listed(worker, list, options->to);

	if (ok && options->reply) {
		ok = add_sender(worker, i, list, message);
	} else if (ok && options->room != NULL) {
		ok = add(worker, list, options->room, DELIVERY_ROOM);
	}
	ok = ok && (options->address == NULL || add_named(worker, i, list, message));
	if (ok && list->n == 0) {
		wrong(worker, i, "xmpp-address", "the event names no address");
	}
	return ok && list->n > 0;
}

/* --- Who is online ---------------------------------------------------------------- */

static bool was_waited_for(const struct worker *worker, uint64_t hash)
{
	for (size_t i = 0; i < WAITED; i++) {
		if (worker->waited[i] == hash) {
			return true;
		}
	}
	return false;
}

/* Who has just been asked may take a moment to show up; who does not is offline, and not waited for again. */
static bool is_online(struct worker *worker, const char *bare)
{
	const struct endpoint *endpoint = worker->endpoint;
	uint64_t hash = hash_bytes(bare, strlen(bare)) | 1;
	int64_t until = clock_mono_us() + SIGHT_US;
	enum endpoint_sight sight = endpoint->carrier->sight(endpoint->owner, bare);

	if (sight == ENDPOINT_UNKNOWN && was_waited_for(worker, hash)) {
		return false;
	}
	while (sight == ENDPOINT_UNKNOWN && !atomic_load(&worker->interrupted) && clock_mono_us() < until &&
		clock_mono_us() < worker->deadline_us) {
		nanosleep(&(struct timespec){ 0, SIGHT_STEP_NS }, NULL);
		sight = endpoint->carrier->sight(endpoint->owner, bare);
	}
	if (sight == ENDPOINT_UNKNOWN) {
		worker->waited[worker->waited_next++ % WAITED] = hash;
	}
	return sight == ENDPOINT_ONLINE;
}

/* Applies `offline`. False: the message has its result. */
static bool look_around(struct worker *worker, size_t i, struct recipients *list)
{
	const struct endpoint_options *options = worker->endpoint->options;
	struct recipients kept = { 0 };
	bool away = false;
	char text[JID_SIZE + 80];

	for (size_t j = 0; j < list->n; j++) {
		const struct recipient *one = &list->items[j];
		if (one->whose == DELIVERY_ROOM || is_online(worker, one->bare)) {
			(void)add(worker, &kept, one->address, one->whose);
			continue;
		}
		away = true;
		snprintf(text, sizeof(text), "%.300s is not online, as far as the bus can see", one->bare);
		if (options->offline == OFFLINE_HOLD) {
			delivery_fail(worker->delivery, i, XYLEM_FAILURE_DOWN, "xmpp-offline", text);
			return false;
		}
	}
	if (away && options->offline == OFFLINE_FALLBACK) {
		(void)add_listed(worker, &kept, options->fallback);
	}
	if (kept.n == 0) {
		delivery_fail(worker->delivery, i, XYLEM_DISCARDED, "xmpp-offline", text);
	}
	*list = kept;
	return kept.n > 0;
}

/* --- Sending ------------------------------------------------------------------------ */

static bool expect(
	struct worker *worker, size_t i, const char *id, const char *from, const char *code, const char *text)
{
	delivery_expect(worker->delivery, i, code, text);
	if (awaited_add(worker->endpoint->awaited, worker->delivery, i, id, from) != 0) {
		delivery_fail(worker->delivery, i, XYLEM_FAILURE_DOWN, "memory", "out of memory");
		return false;
	}
	return true;
}

static bool wants_receipt(const struct endpoint *endpoint, const struct recipient *one)
{
	switch (endpoint->options->confirm) {
	case CONFIRM_RECEIPT:
		return one->whose != DELIVERY_ROOM;
	case CONFIRM_OFFERED:
		return one->whose != DELIVERY_ROOM && offers_receipts(endpoint->offers, one->bare);
	default:
		return false;
	}
}

/* False: nothing further needs to be tried. */
static bool send_one(struct worker *worker, size_t i, struct letter *letter, const struct recipient *one)
{
	struct endpoint *endpoint = worker->endpoint;

	letter->to = one->address;
	letter->room = one->whose == DELIVERY_ROOM;
	letter->receipt = wants_receipt(endpoint, one);
	if ((letter->receipt || letter->room) && awaited_came(endpoint->awaited, letter->id, one->bare)) {
		return true; /* the answer to an earlier attempt */
	}
	if (letter->receipt &&
		!expect(worker, i, letter->id, one->bare, "xmpp-no-receipt", "no receipt came in time")) {
		return false;
	}
	if (letter->room && !expect(worker, i, letter->id, one->bare, "xmpp-room-silent",
				    "the room did not say it in time")) {
		return false;
	}
	compose(endpoint, letter, worker->arena, &worker->stanza);
	if (xylem_buffer_failed(&worker->stanza)) {
		delivery_fail(worker->delivery, i, XYLEM_FAILURE_DOWN, "memory", "out of memory");
		return false;
	}
	return delivery_send(worker->delivery, i, xylem_buffer_borrow(&worker->stanza), letter->id,
		letter->room ? one->bare : one->address, one->whose);
}

/* Are we in the room, where one of them is it? */
static bool in_room(struct worker *worker, size_t i, const struct recipients *list)
{
	struct xylem_result result = { 0 };
	char occupant[FULL_SIZE];

	for (size_t j = 0; j < list->n; j++) {
		if (list->items[j].whose == DELIVERY_ROOM &&
			!room_occupant(worker->endpoint->room, occupant, &result)) {
			delivery_fail(worker->delivery, i, result.failure, result.code, result.reason.text);
			return false;
		}
	}
	return true;
}

static bool send_message(struct worker *worker, size_t i, const struct xylem_message *message)
{
	struct recipients list = { 0 };
	char id[ID_SIZE + 12], handle[XYLEM_HANDLE_SIZE];
	struct letter letter = { .message = message, .id = id };
	bool going = true;

	/* The place in the journal makes the id: a retry carries the same. */
	xylem_handle_format(message->position, handle);
	if (message->part > 0) {
		snprintf(id, sizeof(id), "m-%s.%u", handle, message->part);
	} else {
		snprintf(id, sizeof(id), "m-%s", handle);
	}
	if (!find_recipients(worker, i, &list, message)) {
		delivery_fail(worker->delivery, i, XYLEM_FAILURE_DOWN, "memory", "out of memory");
		return true;
	}
	if (worker->endpoint->options->offline != OFFLINE_STORE && !look_around(worker, i, &list)) {
		return true;
	}
	if (!in_room(worker, i, &list)) {
		return true;
	}
	for (size_t j = 0; j < list.n && going; j++) {
		going = send_one(worker, i, &letter, &list.items[j]);
	}
	return going;
}

static void send_all(struct worker *worker, const struct xylem_message *const *messages, size_t n)
{
	bool going = true;

	for (size_t i = 0; i < n; i++) {
		going = going && send_message(worker, i, messages[i]);
		if (!going) {
			delivery_fail(
				worker->delivery, i, XYLEM_FAILURE_DOWN, "xmpp-link", "the link is down");
		}
		xylem_arena_reset(worker->arena);
	}
}

void endpoint_deliver(
	void *context, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct worker *worker = context;

	worker->deadline_us = clock_mono_us() + worker->timeout_us;
	atomic_store(&worker->interrupted, false);
	if (delivery_begin(worker->delivery, n, worker->deadline_us) != 0) {
		for (size_t i = 0; i < n; i++) {
			xylem_result_fail(&results[i], XYLEM_FAILURE_DOWN, "memory", "out of memory");
		}
		return;
	}
	send_all(worker, messages, n);
	delivery_end(worker->delivery, results);
	awaited_drop(worker->endpoint->awaited, worker->delivery);
}

void endpoint_interrupt(void *context)
{
	struct worker *worker = context;

	atomic_store(&worker->interrupted, true);
	delivery_interrupt(worker->delivery);
}

/* --- Life ------------------------------------------------------------------------------ */

static bool goes_somewhere(const struct endpoint_options *options)
{
	return options->to.n > 0 || options->address != NULL || options->reply || options->room != NULL;
}

void endpoint_sink_close(void *context)
{
	struct worker *worker = context;
	if (worker != NULL) {
		delivery_free(worker->delivery);
		pick_finish(&worker->address);
		xylem_buffer_finish(&worker->stanza);
		xylem_arena_free(worker->arena);
		free(worker);
	}
}

int endpoint_sink_open(
	struct endpoint *endpoint, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	if (!goes_somewhere(endpoint->options)) {
		xylem_reason_set(reason,
			"connector %s: nothing says whom messages go to; write `to`, `address`, `reply` or "
			"`room`",
			xylem_host_name(endpoint->host));
		return -XYLEM_E_INVALID;
	}
	struct worker *worker = calloc(1, sizeof(*worker));
	if (worker == NULL) {
		return -XYLEM_E_MEMORY;
	}
	worker->endpoint = endpoint;
	worker->timeout_us = timeout_us;
	worker->delivery = delivery_new(endpoint->carrier->delivery, endpoint->link);
	worker->arena = xylem_arena_new(0);
	int error = pick_init(&worker->address, endpoint->options->address, false, reason);
	if (error != 0 || worker->delivery == NULL || worker->arena == NULL) {
		endpoint_sink_close(worker);
		return error != 0 ? error : -XYLEM_E_MEMORY;
	}
	*ret_worker = worker;
	return 0;
}
