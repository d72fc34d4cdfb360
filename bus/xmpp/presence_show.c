/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our own addresses show, told to their contacts by a thread of its own:
 * a changed state at once, changed numbers once a minute, everything when the
 * link comes up, goodbye when the bus stops. The last value wins: presence is
 * never queued.
 *
 * The rule not to break: sending waits for room, so it happens on this thread
 * and never on the link's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <xmpp/endpoints.h>
#include <xmpp/presence_body.h>

#define BREATH_US 100000 /* events of one moment become one look */
#define LOOK_US 1000000
/* Sent after this, a state that the server has no room for is given up: the next one comes anyway. */
#define ROOM_US 2000000

/* --- Addresses, under the lock ----------------------------------------------- */

static size_t place(const struct presence *presence, struct xylem_span local)
{
	size_t low = 0, high = presence->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *other = presence->addresses[middle]->local;
		size_t n = strlen(other), least = n < local.n ? n : local.n;
		int order = least > 0 ? memcmp(other, local.at, least) : 0;
		if (order < 0 || (order == 0 && n < local.n)) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static struct address *find(const struct presence *presence, struct xylem_span local)
{
	size_t at = place(presence, local);
	return at < presence->n && xylem_span_is(local, presence->addresses[at]->local)
		       ? presence->addresses[at]
		       : NULL;
}

static struct address *add(struct presence *presence, const char *local)
{
	if (presence->n == presence->room) {
		size_t room = presence->room == 0 ? 16 : presence->room * 2;
		struct address **grown = realloc(presence->addresses, room * sizeof(struct address *));
		if (grown == NULL) {
			return NULL;
		}
		presence->addresses = grown;
		presence->room = room;
	}
	struct address *address = calloc(1, sizeof(*address));
	if (address == NULL || (address->local = strdup(local)) == NULL) {
		free(address);
		return NULL;
	}
	size_t at = place(presence, xylem_span_of(local));
	memmove(presence->addresses + at + 1, presence->addresses + at,
		(presence->n - at) * sizeof(struct address *));
	presence->addresses[at] = address;
	presence->n++;
	return address;
}

static void drop(struct presence *presence, const char *local)
{
	size_t at = place(presence, xylem_span_of(local));
	free(presence->addresses[at]->local);
	free(presence->addresses[at]);
	presence->n--;
	memmove(presence->addresses + at, presence->addresses + at + 1,
		(presence->n - at) * sizeof(struct address *));
}

/* Cuts at a character of UTF-8. */
static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = from != NULL ? strlen(from) : 0;
	if (n >= size) {
		for (n = size - 1; n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80;) {
			n--;
		}
	}
	memcpy(to, from != NULL ? from : "", n);
	to[n] = '\0';
}

int xmpp_presence_show(struct xmpp_service *service, const char *local, const struct presence_state *state)
{
	struct presence *presence = service_presence(service);
	char words[PRESENCE_WORDS];

	copy_text(words, sizeof(words), state->words);
	pthread_mutex_lock(&presence->lock);
	struct address *address = find(presence, xylem_span_of(local));
	address = address != NULL ? address : add(presence, local);
	if (address != NULL) {
		if (address->since_us == 0 || address->show != state->show ||
			strcmp(address->words, words) != 0) {
			address->since_us = clock_mono_us();
		}
		address->hidden = false;
		address->show = state->show;
		memcpy(address->words, words, sizeof(words));
		copy_text(address->numbers, sizeof(address->numbers), state->numbers);
	}
	pthread_mutex_unlock(&presence->lock);
	return address != NULL ? 0 : -XYLEM_E_MEMORY;
}

void xmpp_presence_hide(struct xmpp_service *service, const char *local)
{
	struct presence *presence = service_presence(service);

	pthread_mutex_lock(&presence->lock);
	struct address *address = find(presence, xylem_span_of(local));
	if (address != NULL) {
		address->hidden = true;
	}
	pthread_mutex_unlock(&presence->lock);
}

void xmpp_presence_each(
	struct xmpp_service *service, bool (*each)(void *context, const char *local), void *context)
{
	struct presence *presence = service_presence(service);
	bool more = true;

	pthread_mutex_lock(&presence->lock);
	for (size_t i = 0; i < presence->n && more; i++) {
		const struct address *address = presence->addresses[i];
		if (!address->hidden && address->local[0] != '\0') {
			more = each(context, address->local);
		}
	}
	pthread_mutex_unlock(&presence->lock);
}

bool presence_shown(struct presence *presence, struct xylem_span local)
{
	pthread_mutex_lock(&presence->lock);
	const struct address *address = find(presence, local);
	bool shown = address != NULL && !address->hidden;
	pthread_mutex_unlock(&presence->lock);
	return shown;
}

enum presence_show presence_show_of(struct presence *presence, struct xylem_span local)
{
	pthread_mutex_lock(&presence->lock);
	const struct address *address = find(
		presence, xylem_span_present(local) ? local : XYLEM_SPAN_LITERAL(""));
	enum presence_show show = address != NULL && !address->hidden ? address->show : SHOW_AVAILABLE;
	pthread_mutex_unlock(&presence->lock);
	return show;
}

int64_t presence_since_s(struct presence *presence, struct xylem_span local)
{
	pthread_mutex_lock(&presence->lock);
	const struct address *address = find(presence, local);
	int64_t since = address != NULL && !address->hidden ? (clock_mono_us() - address->since_us) / 1000000
							    : -1;
	pthread_mutex_unlock(&presence->lock);
	return since;
}

/* --- Stanzas --------------------------------------------------------------------- */

/* Parts speak from a resource, as accounts do; the domain, as gateways do, from itself. */
static void open_presence(struct presence *presence, struct xylem_buffer *out, const char *type,
	const char *local, const char *to, bool full)
{
	xylem_buffer_text(out, "<presence from='");
	if (local[0] != '\0') {
		xml_escape_attribute(out, xylem_span_of(local));
		xylem_buffer_byte(out, '@');
	}
	xylem_buffer_format(out, "%s%s'", service_options(presence->service)->domain,
		full && local[0] != '\0' ? "/bus" : "");
	xml_write_attribute(out, "to", xylem_span_of(to));
	if (type != NULL) {
		xylem_buffer_format(out, " type='%s'", type);
	}
}

void presence_write(struct presence *presence, struct xylem_buffer *out, const char *type, const char *local,
	const char *to, bool full)
{
	open_presence(presence, out, type, local, to, full);
	xylem_buffer_text(out, "/>");
}

static void write_line(struct xylem_buffer *out, const struct address *address)
{
	xylem_buffer_text(out, address->words);
	xylem_buffer_text(out, address->words[0] != '\0' && address->numbers[0] != '\0' ? "; " : "");
	xylem_buffer_text(out, address->numbers);
}

static void write_status(struct xylem_buffer *out, const struct address *address)
{
	XYLEM_BUFFER_SCOPED line = { 0 };

	write_line(&line, address);
	if (line.n > 0) {
		xylem_buffer_text(out, "<status>");
		xml_escape_words(out, xylem_buffer_borrow(&line));
		xylem_buffer_text(out, "</status>");
	}
}

bool xmpp_presence_status(struct xmpp_service *service, const char *local, struct xylem_buffer *out)
{
	struct presence *presence = service_presence(service);

	pthread_mutex_lock(&presence->lock);
	const struct address *address = find(presence, xylem_span_of(local));
	bool shown = address != NULL && !address->hidden;
	if (shown) {
		write_line(out, address);
	}
	pthread_mutex_unlock(&presence->lock);
	return shown;
}

void presence_write_state(
	struct presence *presence, struct xylem_buffer *out, const char *local, const char *to, bool fallback)
{
	static const char *const shows[] = { NULL, "away", "dnd", "xa" };
	struct address copy = { 0 };

	pthread_mutex_lock(&presence->lock);
	const struct address *address = find(presence, xylem_span_of(local));
	bool there = address != NULL && !address->hidden;
	if (there) {
		copy = *address;
	}
	pthread_mutex_unlock(&presence->lock);
	if (!there && !fallback) {
		presence_write(presence, out, "unavailable", local, to, true);
		return;
	}
	open_presence(presence, out, NULL, local, to, true);
	xylem_buffer_byte(out, '>');
	if (shows[copy.show] != NULL) {
		xylem_buffer_format(out, "<show>%s</show>", shows[copy.show]);
	}
	write_status(out, &copy);
	caps_write(presence->service, xylem_span_of(local[0] != '\0' ? local : NULL), out);
	vcard_write_picture(out, copy.show);
	xylem_buffer_text(out, "</presence>");
}

/* --- Telling ------------------------------------------------------------------------ */

/* False: the link is down, and everything is told when it is up again. */
static bool send(struct presence *presence, struct xylem_buffer *out, int64_t deadline)
{
	struct link *link = xmpp_service_link(presence->service);
	struct xylem_reason reason;
	int error = link_send(link, xylem_buffer_borrow(out), NULL, &reason);

	while (error == -XYLEM_E_BUSY && link_wait_room(link, deadline, NULL) == 0) {
		error = link_send(link, xylem_buffer_borrow(out), NULL, &reason);
	}
	xylem_buffer_clear(out);
	return error != -XYLEM_E_UNREACHABLE && error != -XYLEM_E_STOPPING;
}

static bool send_event(struct presence *presence, struct xylem_buffer *out)
{
	return send(presence, out, clock_mono_us() + ROOM_US);
}

static bool exists_here(struct presence *presence, struct xylem_span address)
{
	return !xylem_span_present(address) || presence_shown(presence, address) ||
	       endpoints_have(service_endpoints(presence->service), address);
}

/* Tells what an address shows to its contacts; NULL: all addresses to all contacts. `picture`: it is another one. */
static void tell_contacts(struct presence *presence, const char *local, bool picture)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct contact *list = NULL;
	size_t n = 0;

	if (contacts_list(presence->contacts, local, &list, &n) != 0) {
		return;
	}
	for (size_t i = 0; i < n && !atomic_load(&presence->ending); i++) {
		struct xylem_span address = xylem_span_of(list[i].local[0] != '\0' ? list[i].local : NULL);
		bool exists = exists_here(presence, address);
		if (!list[i].watches ||
			(exists && !service_may_see(presence->service, address, list[i].jid))) {
			continue;
		}
		presence_write_state(presence, &out, list[i].local, list[i].jid, exists);
		if (!send(presence, &out, clock_mono_us() + ROOM_US) ||
			(picture && exists &&
				!avatar_tell(presence, list[i].local, list[i].jid, send_event))) {
			break;
		}
	}
	free(list);
}

/* Those who may see an address that is gone are told so; the row then goes. */
static void tell_one(struct presence *presence, const char *local, bool picture)
{
	tell_contacts(presence, local, picture);
	pthread_mutex_lock(&presence->lock);
	struct address *address = find(presence, xylem_span_of(local));
	if (address != NULL && address->hidden) {
		drop(presence, local);
	}
	pthread_mutex_unlock(&presence->lock);
}

/* The next address whose news is due, marked as told; NULL: none, or no memory. */
static char *next_due(struct presence *presence, bool *ret_picture)
{
	char *local = NULL;
	int64_t now = clock_mono_us();

	pthread_mutex_lock(&presence->lock);
	for (size_t i = 0; presence->up && local == NULL && i < presence->n; i++) {
		if (presence_due(presence->addresses[i], now)) {
			local = strdup(presence->addresses[i]->local);
			*ret_picture = presence->addresses[i]->show != presence->addresses[i]->told_show;
			presence_told(presence->addresses[i], now);
		}
	}
	pthread_mutex_unlock(&presence->lock);
	return local;
}

static void tell_due(struct presence *presence)
{
	char *local;
	bool picture = false;
	while (!atomic_load(&presence->ending) && (local = next_due(presence, &picture)) != NULL) {
		tell_one(presence, local, picture);
		free(local);
	}
}

/* Asks the servers of those whom we may see; who is online answers within seconds. */
static void probe_contacts(struct presence *presence)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct contact *list = NULL;
	size_t n = 0;

	if (contacts_list(presence->contacts, NULL, &list, &n) != 0) {
		return;
	}
	for (size_t i = 0; i < n && !atomic_load(&presence->ending); i++) {
		if (list[i].sight == SIGHT_GRANTED) {
			presence_write(presence, &out, "probe", list[i].local, list[i].jid, false);
			if (!send(presence, &out, clock_mono_us() + ROOM_US)) {
				break;
			}
		}
	}
	free(list);
}

/* Whoever may not see an address any more is told that the subscription has ended. */
static void review_contacts(struct presence *presence)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct contact *list = NULL;
	size_t n = 0;

	if (contacts_list(presence->contacts, NULL, &list, &n) != 0) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct xylem_span address = xylem_span_of(list[i].local[0] != '\0' ? list[i].local : NULL);
		/* An address that is gone may come back. */
		if (list[i].watches && exists_here(presence, address) &&
			!service_may_see(presence->service, address, list[i].jid)) {
			presence_write(presence, &out, "unavailable", list[i].local, list[i].jid, true);
			send(presence, &out, clock_mono_us() + ROOM_US);
			presence_write(presence, &out, "unsubscribed", list[i].local, list[i].jid, false);
			send(presence, &out, clock_mono_us() + ROOM_US);
			list[i].watches = false;
			(void)contacts_set(presence->contacts, &list[i], NULL, NULL);
		}
	}
	free(list);
}

void presence_say_goodbye(struct presence *presence, int64_t deadline_mono_us)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct contact *list = NULL;
	size_t n = 0;

	if (contacts_list(presence->contacts, NULL, &list, &n) != 0) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (list[i].watches) {
			presence_write(presence, &out, "unavailable", list[i].local, list[i].jid, true);
			if (!send(presence, &out, deadline_mono_us)) {
				break;
			}
		}
	}
	free(list);
}

/* --- The thread ---------------------------------------------------------------------- */

struct news {
	bool announce, probe, review;
};

/* Waits until there may be something to tell. False: the end. */
static bool wait_for_news(struct presence *presence, int64_t *looked_us, struct news *ret_news)
{
	pthread_mutex_lock(&presence->lock);
	for (;;) {
		int64_t now = clock_mono_us(), until = *looked_us + (presence->woken ? BREATH_US : LOOK_US);
		if (atomic_load(&presence->ending) || now >= until) {
			break;
		}
		struct timespec ts = clock_timespec(until);
		pthread_cond_clockwait(&presence->wake, &presence->lock, CLOCK_MONOTONIC, &ts);
	}
	*ret_news = (struct news){ presence->announce, presence->probe, presence->review };
	presence->woken = presence->announce = presence->probe = presence->review = false;
	pthread_mutex_unlock(&presence->lock);
	*looked_us = clock_mono_us();
	return !atomic_load(&presence->ending);
}

static void look(struct presence *presence)
{
	pthread_mutex_lock(&presence->refresh_lock);
	if (presence->refresh != NULL) {
		presence->refresh(presence->refresh_context);
	}
	pthread_mutex_unlock(&presence->refresh_lock);
}

static void announce(struct presence *presence)
{
	int64_t now = clock_mono_us();

	pthread_mutex_lock(&presence->lock);
	for (size_t i = 0; i < presence->n; i++) {
		presence_told(presence->addresses[i], now);
	}
	pthread_mutex_unlock(&presence->lock);
	tell_contacts(presence, NULL, false);
}

void *presence_run(void *context)
{
	struct presence *presence = context;
	struct news news;
	int64_t looked_us = 0;

	while (wait_for_news(presence, &looked_us, &news)) {
		look(presence);
		if (news.review) {
			review_contacts(presence);
		}
		if (news.announce) {
			announce(presence);
		}
		if (news.probe) {
			probe_contacts(presence);
		}
		tell_due(presence);
	}
	return NULL;
}

void xmpp_presence_refresh(struct xmpp_service *service, void (*refresh)(void *context), void *context)
{
	struct presence *presence = service_presence(service);

	pthread_mutex_lock(&presence->refresh_lock);
	presence->refresh = refresh;
	presence->refresh_context = context;
	pthread_mutex_unlock(&presence->refresh_lock);
}

void xmpp_presence_wake(struct xmpp_service *service)
{
	struct presence *presence = service_presence(service);

	pthread_mutex_lock(&presence->lock);
	if (!presence->woken) {
		presence->woken = true;
		pthread_cond_signal(&presence->wake);
	}
	pthread_mutex_unlock(&presence->lock);
}
