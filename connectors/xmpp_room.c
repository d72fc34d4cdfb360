/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A room, seen from one of its occupants.
 *
 *     out -> (is it there?) -> asking -> in -> out ...
 *
 * It is entered without history. What is said by others comes in as events; our
 * own words come back too, and that is the proof that they were said. Whoever is
 * shown out waits longer each time before he asks again; what put him out decides
 * whether a person has to act (banned, members only, wrong password) or time.
 * A room that is not there is not made, unless `room.create` says so, and one
 * that was destroyed is not made again.
 *
 * The rule not to break: history and our own words are never read as data. A room
 * has no receipts: what is said while the bus is away, or holds its sources back,
 * does not come in.
 */
#include <connectors/xmpp_room_body.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/thread.h>

#define SECOND_US ((int64_t)1000000)
#define ANSWER_US (30 * SECOND_US)
#define BACKOFF_US (2 * SECOND_US)
#define BACKOFF_MAX_US (600 * SECOND_US)
#define SETTLED_US (60 * SECOND_US) /* who stayed so long begins anew with short waits */
#define NICKS 9                     /* tries of other nicknames */

/* --- State: under the lock -------------------------------------------------------- */

static void base_nick(struct room *room)
{
	const struct endpoint_options *options = room->endpoint->options;
	const char *nick = options->nick != NULL ? options->nick : xylem_host_name(room->endpoint->host);

	room->nicks++;
	if (room->nicks > 1) {
		snprintf(room->nick, sizeof(room->nick), "%.140s%u", nick, room->nicks);
	} else {
		snprintf(room->nick, sizeof(room->nick), "%.140s", nick);
	}
}

static void went_out(struct room *room, const struct leaving *leaving)
{
	int64_t now = clock_mono_us();

	if (room->phase == ROOM_IN && now - room->since_us > SETTLED_US) {
		room->backoff_us = 0;
	}
	room->backoff_us = room->backoff_us == 0                   ? BACKOFF_US
			   : room->backoff_us * 2 < BACKOFF_MAX_US ? room->backoff_us * 2
								   : BACKOFF_MAX_US;
	room->phase = ROOM_OUT;
	room->pinging = false;
	room->due_us = now + room->backoff_us;
	room->nicks = 0;
	room->failure = leaving->failure;
	snprintf(room->code, sizeof(room->code), "xmpp-room-%.20s", leaving->condition);
	snprintf(room->why, sizeof(room->why), "not in the room %.120s: %.100s", room->jid, leaving->words);
	pthread_cond_signal(&room->wake);
}

static void tell(struct room *room, bool in, const char *why)
{
	xylem_host_health(room->endpoint->host, in, "%s", in ? "connected, in the room" : why);
}

void room_leave(struct room *room, const struct leaving *leaving)
{
	char why[sizeof(room->why)];

	pthread_mutex_lock(&room->lock);
	went_out(room, leaving);
	memcpy(why, room->why, sizeof(why));
	pthread_mutex_unlock(&room->lock);
	tell(room, false, why);
}

void room_entered(struct room *room, struct xylem_span nick)
{
	pthread_mutex_lock(&room->lock);
	bool news = room->phase != ROOM_IN;
	room->phase = ROOM_IN;
	room->nicks = 0;
	snprintf(room->nick, sizeof(room->nick), "%.*s", (int)nick.n, nick.at);
	room->since_us = clock_mono_us();
	room->due_us = room->since_us + room->endpoint->options->room_ping_us;
	room->destroyed = false;
	pthread_cond_signal(&room->wake);
	pthread_mutex_unlock(&room->lock);
	if (news) {
		xylem_host_ready(room->endpoint->host);
		tell(room, true, "");
	}
}

bool room_is_ours(struct room *room, struct xylem_span nick)
{
	pthread_mutex_lock(&room->lock);
	bool ours = room->phase != ROOM_OUT && xylem_span_is(nick, room->nick);
	pthread_mutex_unlock(&room->lock);
	return ours;
}

/* --- Asking to be let in ------------------------------------------------------------ */

static void post(struct room *room, struct xylem_buffer *out)
{
	if (!xylem_buffer_failed(out)) {
		room->endpoint->carrier->post(room->endpoint->link, xylem_buffer_borrow(out));
	}
}

static void write_addresses(
	struct room *room, struct xylem_buffer *out, const char *element, const char *type, const char *nick)
{
	const struct endpoint *endpoint = room->endpoint;

	xylem_buffer_format(out, "<%s", element);
	xml_write_attribute(out, "type", xylem_span_of(type));
	XYLEM_BUFFER_SCOPED text = { 0 };
	if (endpoint->stamp) {
		xylem_buffer_format(&text, "%s/%s", endpoint->address, endpoint->resource);
		xml_write_attribute(out, "from", xylem_buffer_borrow(&text));
	}
	xylem_buffer_clear(&text);
	xylem_buffer_format(&text, nick != NULL ? "%s/%s" : "%s", room->jid, nick);
	xml_write_attribute(out, "to", xylem_buffer_borrow(&text));
	out->failed = out->failed || xylem_buffer_failed(&text);
}

static void ask_in(struct room *room, const char *nick)
{
	const struct xylem_secret *password = room->endpoint->options->room_password;
	XYLEM_BUFFER_SCOPED out = { 0 };

	write_addresses(room, &out, "presence", NULL, nick);
	xylem_buffer_text(&out, "><x xmlns='" NS_MUC "'><history maxstanzas='0'/>");
	if (password != NULL) {
		xylem_buffer_text(&out, "<password>");
		xml_escape_text(&out, xylem_secret_borrow(password));
		xylem_buffer_text(&out, "</password>");
	}
	xylem_buffer_text(&out, "</x></presence>");
	post(room, &out);
	if (out.bytes != NULL) {
		explicit_bzero(out.bytes, out.n);
	}
}

static void say_goodbye(struct room *room)
{
	XYLEM_BUFFER_SCOPED out = { 0 };

	write_addresses(room, &out, "presence", "unavailable", room->nick);
	xylem_buffer_text(&out, "/>");
	post(room, &out);
}

/* Of a room that we made: open it with the server's defaults (XEP-0045, 10.1.2). */
void room_open_new(struct room *room)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	char id[XYLEM_UUID_SIZE];

	write_addresses(room, &out, "iq", "set", NULL);
	xml_write_attribute(&out, "id", xylem_span_of(xylem_uuid_new(id)));
	xylem_buffer_text(
		&out, "><query xmlns='" NS_MUC "#owner'><x xmlns='" NS_DATA "' type='submit'/></query></iq>");
	post(room, &out);
}

/* --- What was answered ---------------------------------------------------------------- */

/* XEP-0045, 7.2: why it did not let us in. */
static struct leaving refusal(const char *condition)
{
	static const struct leaving table[] = {
		{ XYLEM_FAILURE_MISCONFIGURED, "not-authorized", "it wants another password" },
		{ XYLEM_FAILURE_MISCONFIGURED, "forbidden", "this address is banned" },
		{ XYLEM_FAILURE_MISCONFIGURED, "registration-required", "it is for members only" },
		{ XYLEM_FAILURE_MISCONFIGURED, "item-not-found", "there is no such room" },
		{ XYLEM_FAILURE_MISCONFIGURED, "not-allowed", "it may not be made" },
		{ XYLEM_FAILURE_MISCONFIGURED, "not-acceptable", "the nickname is not acceptable" },
		{ XYLEM_FAILURE_MISCONFIGURED, "jid-malformed", "no nickname" },
		{ XYLEM_FAILURE_MISCONFIGURED, "gone", "it is gone" },
		{ XYLEM_FAILURE_DOWN, "conflict", "the nickname is taken, and so are others" },
		{ XYLEM_FAILURE_DOWN, "service-unavailable", "it is full, or its service is away" },
		{ XYLEM_FAILURE_DOWN, "remote-server-not-found", "its server is not found" },
		{ XYLEM_FAILURE_DOWN, "remote-server-timeout", "its server does not answer" },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(condition, table[i].condition) == 0) {
			return table[i];
		}
	}
	return (struct leaving){ XYLEM_FAILURE_DOWN, condition, condition };
}

void room_refused(struct room *room, const struct xml_node *stanza)
{
	struct xylem_span condition = endpoint_condition(stanza);
	char text[40], nick[NICK_SIZE];

	snprintf(text, sizeof(text), "%.*s", (int)condition.n, condition.at);
	pthread_mutex_lock(&room->lock);
	bool again = room->phase == ROOM_ASKING && strcmp(text, "conflict") == 0 && room->nicks < NICKS;
	bool ours = room->phase == ROOM_ASKING;
	if (again) {
		base_nick(room);
		room->due_us = clock_mono_us() + ANSWER_US;
	}
	memcpy(nick, room->nick, sizeof(nick));
	pthread_mutex_unlock(&room->lock);
	if (again) {
		ask_in(room, nick);
	} else if (ours) {
		struct leaving leaving = refusal(text);
		room_leave(room, &leaving);
	}
}

/* Is it there? On the carrier's thread. */
static void on_checked(void *context, const struct xml_node *answer)
{
	struct room *room = context;
	char nick[NICK_SIZE], text[40];
	assert(room->magic == ROOM_MAGIC);

	pthread_mutex_lock(&room->lock);
	bool asked = room->phase == ROOM_CHECKING;
	bool there = asked && answer != NULL && xylem_span_is(xml_attribute(answer, "type"), "result");
	if (there) {
		room->phase = ROOM_ASKING;
		room->nicks = 0;
		base_nick(room);
		room->due_us = clock_mono_us() + ANSWER_US;
	}
	memcpy(nick, room->nick, sizeof(nick));
	pthread_mutex_unlock(&room->lock);
	if (there) {
		ask_in(room, nick);
	} else if (asked) {
		struct xylem_span condition = answer == NULL ? XYLEM_SPAN_LITERAL("remote-server-timeout")
							     : endpoint_condition(answer);
		snprintf(text, sizeof(text), "%.*s", (int)condition.n, condition.at);
		struct leaving leaving = refusal(text);
		room_leave(room, &leaving);
	}
}

/* XEP-0410, 3.1: these errors come from a client of ours, so we are in it; others from the room. */
static bool still_in(const struct xml_node *answer)
{
	if (answer == NULL || xylem_span_is(xml_attribute(answer, "type"), "result")) {
		return true; /* nothing heard: time will tell */
	}
	struct xylem_span condition = endpoint_condition(answer);
	return xylem_span_is(condition, "service-unavailable") ||
	       xylem_span_is(condition, "feature-not-implemented") ||
	       xylem_span_is(condition, "item-not-found") || xylem_span_is(condition, "forbidden") ||
	       xylem_span_is(condition, "remote-server-timeout");
}

const struct leaving room_forgotten = { XYLEM_FAILURE_DOWN, "forgotten",
	"it does not know this address any more" };

static void on_pinged(void *context, const struct xml_node *answer)
{
	struct room *room = context;
	assert(room->magic == ROOM_MAGIC);
	bool in = still_in(answer);

	pthread_mutex_lock(&room->lock);
	bool asked = room->pinging && room->phase == ROOM_IN;
	room->pinging = false;
	room->due_us = asked ? clock_mono_us() + room->endpoint->options->room_ping_us : room->due_us;
	pthread_mutex_unlock(&room->lock);
	if (asked && !in) {
		room_leave(room, &room_forgotten);
	}
}

/* --- For the sink ------------------------------------------------------------------------------- */

bool room_occupant(struct room *room, char ret_full[JID_SIZE + 512], struct xylem_result *result)
{
	pthread_mutex_lock(&room->lock);
	bool in = room->phase == ROOM_IN;
	if (in) {
		snprintf(ret_full, JID_SIZE + 512, "%s/%s", room->jid, room->nick);
	} else {
		xylem_result_fail(result, room->failure, room->code, "%s", room->why);
	}
	pthread_mutex_unlock(&room->lock);
	return in;
}

int room_probe(struct room *room, struct xylem_result *result)
{
	char full[JID_SIZE + 512];
	return room_occupant(room, full, result) ? 0 : -XYLEM_E_UNREACHABLE;
}

/* --- What has its time: the room's own thread ------------------------------------------------------ */

static void check_there(struct room *room)
{
	struct endpoint *endpoint = room->endpoint;
	struct xylem_reason reason;
	char id[XYLEM_UUID_SIZE];
	XYLEM_BUFFER_SCOPED out = { 0 };

	write_addresses(room, &out, "iq", "get", NULL);
	xml_write_attribute(&out, "id", xylem_span_of(xylem_uuid_new(id)));
	xylem_buffer_text(&out, "><query xmlns='" NS_DISCO_INFO "'/></iq>");
	if (endpoint->carrier->request(endpoint->link, xylem_buffer_borrow(&out), id, room->jid, ANSWER_US,
		    on_checked, room, &reason) != 0) {
		on_checked(room, NULL);
	}
}

static void ping(struct room *room, const char *nick)
{
	struct endpoint *endpoint = room->endpoint;
	struct xylem_reason reason;
	char id[XYLEM_UUID_SIZE], to[JID_SIZE + NICK_SIZE];
	XYLEM_BUFFER_SCOPED out = { 0 };

	snprintf(to, sizeof(to), "%s/%s", room->jid, nick);
	write_addresses(room, &out, "iq", "get", nick);
	xml_write_attribute(&out, "id", xylem_span_of(xylem_uuid_new(id)));
	xylem_buffer_text(&out, "><ping xmlns='" NS_PING "'/></iq>");
	if (endpoint->carrier->request(endpoint->link, xylem_buffer_borrow(&out), id, to, ANSWER_US,
		    on_pinged, room, &reason) != 0) {
		on_pinged(room, NULL);
	}
}

enum action { ACTION_NONE, ACTION_CHECK, ACTION_ASK, ACTION_GIVE_UP, ACTION_PING };

/* Under the lock. */
static enum action next_action(struct room *room, int64_t now)
{
	if (!room->up || now < room->due_us || room->pinging) {
		return ACTION_NONE;
	}
	switch (room->phase) {
	case ROOM_OUT:
		room->due_us = now + ANSWER_US;
		if (!room->endpoint->options->room_create || room->destroyed) {
			room->phase = ROOM_CHECKING;
			return ACTION_CHECK;
		}
		room->phase = ROOM_ASKING;
		room->nicks = 0;
		base_nick(room);
		return ACTION_ASK;
	case ROOM_IN:
		room->pinging = true;
		return ACTION_PING;
	case ROOM_CHECKING:
	case ROOM_ASKING:
		break;
	}
	return ACTION_GIVE_UP;
}

static void act(struct room *room, enum action action, const char *nick)
{
	static const struct leaving silent = { XYLEM_FAILURE_DOWN, "timeout", "it did not answer in 30 s" };

	switch (action) {
	case ACTION_CHECK:
		check_there(room);
		break;
	case ACTION_ASK:
		ask_in(room, nick);
		break;
	case ACTION_GIVE_UP:
		room_leave(room, &silent);
		break;
	case ACTION_PING:
		ping(room, nick);
		break;
	case ACTION_NONE:
		break;
	}
}

static void *run(void *context)
{
	struct room *room = context;
	char nick[NICK_SIZE];
	assert(room->magic == ROOM_MAGIC);

	pthread_mutex_lock(&room->lock);
	while (!room->stopping) {
		enum action action = next_action(room, clock_mono_us());
		if (action == ACTION_NONE) {
			/* At least every second: a due time may lie far ahead while the link is down. */
			struct timespec until = clock_timespec(clock_mono_us() + SECOND_US);
			pthread_cond_clockwait(&room->wake, &room->lock, CLOCK_MONOTONIC, &until);
			continue;
		}
		memcpy(nick, room->nick, sizeof(nick));
		pthread_mutex_unlock(&room->lock);
		act(room, action, nick);
		pthread_mutex_lock(&room->lock);
	}
	pthread_mutex_unlock(&room->lock);
	return NULL;
}

/* --- Life ---------------------------------------------------------------------------------------------- */

void room_changed(struct room *room, bool up, const char *why)
{
	char text[sizeof(room->why)];

	pthread_mutex_lock(&room->lock);
	room->up = up;
	room->phase = ROOM_OUT;
	room->pinging = false;
	room->due_us = room->backoff_us = 0;
	room->nicks = 0;
	room->failure = XYLEM_FAILURE_DOWN;
	snprintf(room->code, sizeof(room->code), "xmpp-room");
	snprintf(room->why, sizeof(room->why), "%.40s%.200s", up ? "not entered yet: the room " : "",
		up ? room->jid : why);
	memcpy(text, room->why, sizeof(text));
	pthread_cond_signal(&room->wake);
	pthread_mutex_unlock(&room->lock);
	tell(room, false, text);
}

struct room *room_new(struct endpoint *endpoint)
{
	struct room *room = calloc(1, sizeof(*room));
	if (room == NULL) {
		return NULL;
	}
	room->magic = ROOM_MAGIC;
	room->endpoint = endpoint;
	pthread_mutex_init(&room->lock, NULL);
	pthread_cond_init(&room->wake, NULL);
	(void)jid_normalise(xylem_span_of(endpoint->options->room), room->jid);
	room->failure = XYLEM_FAILURE_DOWN;
	snprintf(room->code, sizeof(room->code), "xmpp-room");
	snprintf(room->why, sizeof(room->why), "not connected yet");
	room->started = thread_start(&room->thread, "xmpp-room", 0, run, room) == 0;
	return room->started ? room : room_free(room);
}

struct room *room_free(struct room *room)
{
	if (room == NULL) {
		return NULL;
	}
	assert(room->magic == ROOM_MAGIC);
	pthread_mutex_lock(&room->lock);
	bool in = room->phase == ROOM_IN;
	room->stopping = true;
	pthread_cond_signal(&room->wake);
	pthread_mutex_unlock(&room->lock);
	if (room->started) {
		pthread_join(room->thread, NULL);
	}
	room->endpoint->carrier->delivery->forget(room->endpoint->link, room);
	if (in) {
		say_goodbye(room);
	}
	pthread_mutex_destroy(&room->lock);
	pthread_cond_destroy(&room->wake);
	room->magic = 0;
	free(room);
	return NULL;
}
