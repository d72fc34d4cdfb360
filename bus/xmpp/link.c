/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The component link (XEP-0114): an XML stream with a handshake, one thread
 * that reads, writes and reconnects.
 *
 *     wait ── connect ── header ── handshake ── up ──(any failure)── wait
 *
 * Other threads only put stanzas into the outbox, under the lock, and wake the
 * thread by an eventfd. The thread writes what the outbox has in one sendmsg of
 * many stanzas, and calls back outside of the lock. Confirmation: an IQ to our
 * own domain goes through the server and comes back to us; the server works in
 * order, so that whatever error an earlier local stanza earned has come before.
 * While the outbox is long the link does not read: a server that cannot be
 * answered is not asked for more.
 *
 * The rules not to break: nothing enters the outbox that was not checked for
 * size and characters, because one bad byte closes the stream for everybody;
 * no callback is called with the lock held.
 *
 * Here is what other threads call; the thread itself is link_stream.c, its
 * barriers are link_barrier.c, our own requests are link_request.c, our answers link_answer.c. What is not here: what stanzas mean (service.c),
 * TLS (the server's component port belongs on loopback or into a tunnel).
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/jid.h>
#include <base/thread.h>
#include <xmpp/link_body.h>

#define STANZA_DEFAULT ((size_t)256 * 1024)
#define QUEUE_HIGH ((size_t)4 << 20)
#define HELD_HIGH ((size_t)16 << 20)
#define UNCONFIRMED_HIGH 20000U
#define MORE_ENOUGH ((size_t)128 << 10) /* queued bytes for which the link is woken though more follow */

static void wake(struct link *link)
{
	uint64_t one = 1;
	/* Full means that a wake is pending already. */
	(void)!write(link->wake_fd, &one, sizeof(one));
}

const char *link_id(struct link *link, char id[LINK_ID_SIZE])
{
	snprintf(id, LINK_ID_SIZE, "x%s-%llx", link->id_base,
		(unsigned long long)atomic_fetch_add(&link->ids, 1));
	return id;
}

const char *link_domain(const struct link *link)
{
	return link->domain;
}

size_t link_max_stanza(const struct link *link)
{
	return link->max_stanza;
}

/* --- Sending, from any thread -------------------------------------------- */

bool link_has_room(const struct link *link)
{
	return outbox_queued_bytes(link->outbox) < QUEUE_HIGH &&
	       outbox_held_bytes(link->outbox) < HELD_HIGH &&
	       outbox_unconfirmed(link->outbox) < UNCONFIRMED_HIGH;
}

int link_may_send(const struct link *link)
{
	if (link->stopping) {
		return -XYLEM_E_STOPPING;
	}
	if (link->phase != PHASE_UP) {
		return -XYLEM_E_UNREACHABLE;
	}
	return link_has_room(link) ? 0 : -XYLEM_E_BUSY;
}

int link_check(const struct link *link, struct xylem_span stanza, struct xylem_reason *reason)
{
	size_t at;
	if (stanza.n > link->max_stanza) {
		xylem_reason_set(
			reason, "a stanza of %zu bytes; xmpp.max_stanza is %zu", stanza.n, link->max_stanza);
		return -XYLEM_E_TOO_LARGE;
	}
	if (!xml_check(stanza, &at)) {
		xylem_reason_set(reason,
			"byte %zu of the stanza (0x%02x) is no character of XML 1.0 in UTF-8", at,
			(unsigned char)stanza.at[at]);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

/* Under the lock. */
int link_enqueue(struct link *link, struct xylem_span stanza, const struct outbox_track *track)
{
	int error = outbox_add(link->outbox, stanza, track);
	if (error != 0) {
		return error;
	}
	link->state.sent++;
	metric_add(link->out, 1);
	if (track != NULL && link->since_barrier++ == 0) {
		link->oldest_us = clock_mono_us();
	}
	link->since_bytes += stanza.n;
	bool waits = track != NULL && track->more && outbox_queued_bytes(link->outbox) < MORE_ENOUGH;
	if (!link->woken && !link->writable_wanted && !waits) {
		link->woken = true;
		wake(link);
	}
	return 0;
}

int link_send(struct link *link, struct xylem_span stanza, const struct outbox_track *track,
	struct xylem_reason *reason)
{
	int error = link_check(link, stanza, reason);
	if (error != 0) {
		return error;
	}
	pthread_mutex_lock(&link->lock);
	error = link_may_send(link);
	if (error == 0) {
		error = link_enqueue(link, stanza, track);
	} else {
		xylem_reason_set(reason, "the link to %s: %s", link->server,
			link->phase == PHASE_UP ? xylem_error_row(error)->text : link->state.why);
	}
	pthread_mutex_unlock(&link->lock);
	return error;
}

void link_flush(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	link->flush = true;
	if (!link->woken) {
		link->woken = true;
		wake(link);
	}
	pthread_mutex_unlock(&link->lock);
}

void link_forget(struct link *link, const void *context)
{
	pthread_mutex_lock(&link->lock);
	outbox_forget(link->outbox, context);
	requests_forget(link, context);
	while (link->calling == context) {
		pthread_cond_wait(&link->quiet, &link->lock);
	}
	pthread_mutex_unlock(&link->lock);
}

int link_wait_room(struct link *link, int64_t deadline_mono_us, const _Atomic bool *interrupted)
{
	int result;

	pthread_mutex_lock(&link->lock);
	while ((result = link_may_send(link)) == -XYLEM_E_BUSY) {
		int64_t now = clock_mono_us();
		if (interrupted != NULL && atomic_load(interrupted)) {
			result = -XYLEM_E_INTERRUPTED;
			break;
		}
		if (now >= deadline_mono_us) {
			result = -XYLEM_E_TIMEOUT;
			break;
		}
		/* Nobody signals an interruption here, so look at it now and then. */
		int64_t until = now + SECOND_US / 20 < deadline_mono_us ? now + SECOND_US / 20
									: deadline_mono_us;
		struct timespec ts = clock_timespec(until);
		pthread_cond_clockwait(&link->room, &link->lock, CLOCK_MONOTONIC, &ts);
	}
	pthread_mutex_unlock(&link->lock);
	return result;
}

/* --- Lifecycle ----------------------------------------------------------- */

static bool copy_options(struct link *link, const struct link_options *options)
{
	link->server = strdup(options->server);
	link->domain = strdup(options->domain);
	link->secret = malloc(options->secret.n + 1);
	if (link->server == NULL || link->domain == NULL || link->secret == NULL) {
		return false;
	}
	if (options->secret.n > 0) {
		memcpy(link->secret, options->secret.at, options->secret.n);
	}
	link->secret_n = options->secret.n;
	link->max_stanza = options->max_stanza != 0 ? options->max_stanza : STANZA_DEFAULT;
	link->stanza = options->stanza;
	link->changed = options->changed;
	link->context = options->context;
	return true;
}

static bool make_parts(struct link *link)
{
	struct epoll_event event = { .events = EPOLLIN };
	unsigned char random[4] = { 0 };

	(void)!getrandom(random, sizeof(random), GRND_NONBLOCK);
	snprintf(link->id_base, sizeof(link->id_base), "%02x%02x%02x%02x", random[0], random[1], random[2],
		random[3]);
	link->out = metric_series(METRIC_XMPP_STANZAS, "out", NULL, NULL);
	link->in = metric_series(METRIC_XMPP_STANZAS, "in", NULL, NULL);
	link->up = metric_series(METRIC_XMPP_LINK_UP, NULL, NULL, NULL);
	link->outbox = outbox_new();
	link->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	link->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	event.data.fd = link->wake_fd;
	return link->outbox != NULL && link->wake_fd >= 0 && link->epoll_fd >= 0 &&
	       epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, link->wake_fd, &event) == 0;
}

int link_new(struct link **ret_link, const struct link_options *options, struct xylem_reason *reason)
{
	struct jid jid;
	size_t at;
	if (!jid_split(xylem_span_of(options->domain), &jid) || jid.local.n > 0 || jid.resource.n > 0 ||
		strpbrk(options->domain, "'<>&\" ") != NULL || !xml_check(jid.domain, &at)) {
		xylem_reason_set(reason, "xmpp.domain: %s is no domain", options->domain);
		return -XYLEM_E_INVALID;
	}
	struct link *link = calloc(1, sizeof(*link));
	if (link == NULL) {
		return -XYLEM_E_MEMORY;
	}
	link->magic = LINK_MAGIC;
	link->fd = link->wake_fd = link->epoll_fd = -1;
	pthread_mutex_init(&link->lock, NULL);
	pthread_cond_init(&link->room, NULL);
	pthread_cond_init(&link->quiet, NULL);
	snprintf(link->state.why, sizeof(link->state.why), "not connected yet");
	if (!copy_options(link, options) || !make_parts(link)) {
		link_free(link);
		xylem_reason_set(reason, "out of memory or descriptors");
		return -XYLEM_E_MEMORY;
	}
	*ret_link = link;
	return 0;
}

int link_start(struct link *link, struct xylem_reason *reason)
{
	if (thread_start(&link->thread, "xmpp", (size_t)1 << 20, link_run, link) != 0) {
		xylem_reason_set(reason, "the XMPP thread cannot be started");
		return -XYLEM_E_MEMORY;
	}
	link->started = true;
	return 0;
}

void link_stop(struct link *link, int64_t drain_us)
{
	if (link == NULL || !link->started) {
		return;
	}
	pthread_mutex_lock(&link->lock);
	link->stopping = true;
	link->drain_until_us = clock_mono_us() + drain_us;
	pthread_cond_broadcast(&link->room);
	pthread_mutex_unlock(&link->lock);
	wake(link);
	pthread_join(link->thread, NULL);
	link->started = false;
}

static void close_descriptor(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

struct link *link_free(struct link *link)
{
	if (link == NULL) {
		return NULL;
	}
	assert(link->magic == LINK_MAGIC);
	link_stop(link, 0);
	outbox_free(link->outbox);
	close_descriptor(link->wake_fd);
	close_descriptor(link->epoll_fd);
	if (link->secret != NULL) {
		explicit_bzero(link->secret, link->secret_n);
	}
	free(link->secret);
	free(link->server);
	free(link->domain);
	pthread_mutex_destroy(&link->lock);
	pthread_cond_destroy(&link->room);
	pthread_cond_destroy(&link->quiet);
	link->magic = 0;
	free(link);
	return NULL;
}

void link_state(struct link *link, struct link_state *ret_state)
{
	pthread_mutex_lock(&link->lock);
	*ret_state = link->state;
	ret_state->resent = outbox_resent(link->outbox);
	ret_state->queued_bytes = outbox_queued_bytes(link->outbox);
	ret_state->unconfirmed = outbox_unconfirmed(link->outbox);
	pthread_mutex_unlock(&link->lock);
}

/* --- For deliveries -------------------------------------------------------- */

static int carrier_send(
	void *link, struct xylem_span stanza, const struct outbox_track *track, struct xylem_reason *reason)
{
	return link_send(link, stanza, track, reason);
}

static void carrier_flush(void *link)
{
	link_flush(link);
}

static int carrier_wait_room(void *link, int64_t deadline_mono_us, const _Atomic bool *interrupted)
{
	return link_wait_room(link, deadline_mono_us, interrupted);
}

static void carrier_forget(void *link, const void *context)
{
	link_forget(link, context);
}

static bool carrier_up(void *link, char ret_why[256])
{
	struct link_state state;

	link_state(link, &state);
	memcpy(ret_why, state.why, sizeof(state.why));
	return state.up;
}

const struct delivery_carrier link_carrier = { carrier_send, carrier_flush, carrier_wait_room, carrier_forget,
	carrier_up };
