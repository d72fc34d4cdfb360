/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One deliver() call of a sink over the link.
 *
 * The first failure of a message is its result; a message is delivered when
 * every stanza sent for it was confirmed without an error, and every word that
 * was expected from the other side has come. What is not
 * confirmed when the time is over is `busy` while the link stands (the server
 * may have it) and `down` when it does not.
 *
 * The rule not to break: delivery_end() leaves no callback behind.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <xmpp/delivery.h>

#define DELIVERY_MAGIC 0x64656c69U

struct slot {
	struct delivery *delivery;
	struct xylem_result result;
	size_t waiting;          /* for the server */
	size_t expected;         /* words of the other side */
	const char *code, *text; /* when they do not come */
	enum delivery_to whose;
};

struct delivery {
	uint32_t magic;
	const struct delivery_carrier *carrier;
	void *link;
	_Atomic bool interrupted;
	int64_t deadline_us;
	bool sent;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot *slots;
	size_t n, room;
	size_t waiting, expected; /* of all slots */
};

struct delivery *delivery_new(const struct delivery_carrier *carrier, void *link)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	if (delivery != NULL) {
		delivery->magic = DELIVERY_MAGIC;
		delivery->carrier = carrier;
		delivery->link = link;
		pthread_mutex_init(&delivery->lock, NULL);
		pthread_cond_init(&delivery->changed, NULL);
	}
	return delivery;
}

struct delivery *delivery_free(struct delivery *delivery)
{
	if (delivery != NULL) {
		assert(delivery->magic == DELIVERY_MAGIC);
		pthread_mutex_destroy(&delivery->lock);
		pthread_cond_destroy(&delivery->changed);
		free(delivery->slots);
		delivery->magic = 0;
		free(delivery);
	}
	return NULL;
}

int delivery_begin(struct delivery *delivery, size_t n, int64_t deadline_mono_us)
{
	if (n > delivery->room) {
		struct slot *slots = realloc(delivery->slots, n * sizeof(*slots));
		if (slots == NULL) {
			return -XYLEM_E_MEMORY;
		}
		delivery->slots = slots;
		delivery->room = n;
	}
	for (size_t i = 0; i < n; i++) {
		delivery->slots[i] = (struct slot){ .delivery = delivery };
	}
	delivery->n = n;
	delivery->waiting = delivery->expected = 0;
	delivery->sent = false;
	delivery->deadline_us = deadline_mono_us;
	atomic_store(&delivery->interrupted, false);
	return 0;
}

void delivery_interrupt(struct delivery *delivery)
{
	pthread_mutex_lock(&delivery->lock);
	atomic_store(&delivery->interrupted, true);
	pthread_cond_broadcast(&delivery->changed);
	pthread_mutex_unlock(&delivery->lock);
}

/* --- Outcomes ------------------------------------------------------------- */

/* Under the lock. */
static void fail(struct slot *slot, enum xylem_failure failure, const char *code, const char *text)
{
	if (slot->result.failure == XYLEM_DELIVERED) {
		xylem_result_fail(&slot->result, failure, code, "%s", text);
	}
	/* Nothing more is expected of it. */
	slot->delivery->expected -= slot->expected;
	slot->expected = 0;
}

/* `not-acceptable` and `item-not-found` from a room: whoever asks is not in it (XEP-0045, 7.4). */
static bool left_room(const char *condition)
{
	return strcmp(condition, "not-acceptable") == 0 || strcmp(condition, "item-not-found") == 0 ||
	       strcmp(condition, "service-unavailable") == 0;
}

static enum xylem_failure failure_of(const struct slot *slot, const struct link_outcome *outcome)
{
	enum xylem_failure failure = xylem_failure_of_xmpp(outcome->type, outcome->condition);
	bool unavailable = strcmp(outcome->condition, "service-unavailable") == 0;

	switch (slot->whose) {
	case DELIVERY_DOMAIN:
		return failure;
	case DELIVERY_PERSON:
		return unavailable ? XYLEM_FAILURE_BUSY : failure;
	case DELIVERY_ROOM:
		return left_room(outcome->condition) ? XYLEM_FAILURE_DOWN : failure;
	case DELIVERY_FOUND:
		break;
	}
	return failure == XYLEM_FAILURE_DOWN            ? XYLEM_FAILURE_BUSY
	       : failure == XYLEM_FAILURE_MISCONFIGURED ? XYLEM_FAILURE_WRONG
							: failure;
}

static void judge(struct slot *slot, const struct link_outcome *outcome)
{
	char code[64], text[320];

	if (outcome->error == -XYLEM_E_UNPROCESSABLE) {
		snprintf(code, sizeof(code), "xmpp-%s", outcome->condition);
		snprintf(text, sizeof(text), "%s%s%s", outcome->condition,
			outcome->text[0] != '\0' ? ": " : "", outcome->text);
		fail(slot, failure_of(slot, outcome), code, text);
	} else if (outcome->error == -XYLEM_E_INVALID && strcmp(outcome->condition, "connection-lost") == 0) {
		fail(slot, XYLEM_FAILURE_BUSY, "xmpp-connection-lost", outcome->text);
	} else if (outcome->error == -XYLEM_E_INVALID) {
		snprintf(code, sizeof(code), "xmpp-stream-%s", outcome->condition);
		fail(slot, XYLEM_FAILURE_WRONG, code, outcome->text);
	} else if (outcome->error != 0) {
		fail(slot, XYLEM_FAILURE_DOWN, "xmpp-link", xylem_error_row(outcome->error)->text);
	}
}

static void confirmed(void *context, const struct link_outcome *outcome)
{
	struct slot *slot = context;
	struct delivery *delivery = slot->delivery;

	pthread_mutex_lock(&delivery->lock);
	judge(slot, outcome);
	slot->waiting--;
	if (--delivery->waiting == 0 || delivery->expected == 0) {
		pthread_cond_broadcast(&delivery->changed);
	}
	pthread_mutex_unlock(&delivery->lock);
}

void delivery_expect(struct delivery *delivery, size_t i, const char *code, const char *text)
{
	struct slot *slot = &delivery->slots[i];

	pthread_mutex_lock(&delivery->lock);
	if (slot->result.failure == XYLEM_DELIVERED) {
		slot->code = code;
		slot->text = text;
		slot->expected++;
		delivery->expected++;
	}
	pthread_mutex_unlock(&delivery->lock);
}

void delivery_refused(struct delivery *delivery, size_t i, const struct link_outcome *outcome)
{
	pthread_mutex_lock(&delivery->lock);
	if (i < delivery->n && delivery->slots[i].expected > 0) {
		judge(&delivery->slots[i], outcome);
		pthread_cond_broadcast(&delivery->changed);
	}
	pthread_mutex_unlock(&delivery->lock);
}

void delivery_met(struct delivery *delivery, size_t i)
{
	pthread_mutex_lock(&delivery->lock);
	if (i < delivery->n && delivery->slots[i].expected > 0) {
		delivery->slots[i].expected--;
		delivery->expected--;
		pthread_cond_broadcast(&delivery->changed);
	}
	pthread_mutex_unlock(&delivery->lock);
}

void delivery_fail(
	struct delivery *delivery, size_t i, enum xylem_failure failure, const char *code, const char *text)
{
	pthread_mutex_lock(&delivery->lock);
	fail(&delivery->slots[i], failure, code, text);
	pthread_mutex_unlock(&delivery->lock);
}

/* --- Sending -------------------------------------------------------------- */

static void count(struct delivery *delivery, size_t i, bool more)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->slots[i].waiting += more ? 1 : (size_t)-1;
	delivery->waiting += more ? 1 : (size_t)-1;
	pthread_mutex_unlock(&delivery->lock);
}

static int send_or_wait(struct delivery *delivery, struct xylem_span stanza, const struct outbox_track *track,
	struct xylem_reason *reason)
{
	int error;

	while ((error = delivery->carrier->send(delivery->link, stanza, track, reason)) == -XYLEM_E_BUSY) {
		delivery->carrier->flush(delivery->link);
		error = delivery->carrier->wait_room(
			delivery->link, delivery->deadline_us, &delivery->interrupted);
		if (error != 0) {
			xylem_reason_set(reason, "the link has no room: %s", xylem_error_row(error)->text);
			break;
		}
	}
	return error;
}

bool delivery_send(struct delivery *delivery, size_t i, struct xylem_span stanza, const char *id,
	const char *to, enum delivery_to whose)
{
	struct outbox_track track = { id, to, confirmed, &delivery->slots[i] };
	struct xylem_reason reason = { "" };

	if (whose > delivery->slots[i].whose) {
		delivery->slots[i].whose = whose;
	}
	count(delivery, i, true);
	int error = send_or_wait(delivery, stanza, &track, &reason);
	if (error == 0) {
		delivery->sent = true;
		return true;
	}
	count(delivery, i, false);
	if (error == -XYLEM_E_TOO_LARGE || error == -XYLEM_E_INVALID) {
		delivery_fail(delivery, i, XYLEM_FAILURE_WRONG,
			error == -XYLEM_E_INVALID ? "xmpp-not-xml" : "xmpp-too-large", reason.text);
		return true;
	}
	delivery_fail(delivery, i, XYLEM_FAILURE_DOWN, "xmpp-link", reason.text);
	return false;
}

/* --- Waiting -------------------------------------------------------------- */

static void await(struct delivery *delivery)
{
	struct timespec until = clock_timespec(delivery->deadline_us);

	pthread_mutex_lock(&delivery->lock);
	while (delivery->waiting + delivery->expected > 0 && !atomic_load(&delivery->interrupted) &&
		clock_mono_us() < delivery->deadline_us) {
		pthread_cond_clockwait(&delivery->changed, &delivery->lock, CLOCK_MONOTONIC, &until);
	}
	pthread_mutex_unlock(&delivery->lock);
}

static void give_up(struct delivery *delivery, struct slot *slot)
{
	char why[256];

	delivery->carrier->forget(delivery->link, slot);
	bool up = delivery->carrier->up(delivery->link, why);
	pthread_mutex_lock(&delivery->lock);
	if (slot->waiting + slot->expected > 0 && atomic_load(&delivery->interrupted)) {
		fail(slot, XYLEM_FAILURE_DOWN, "interrupted", "stopped before the server confirmed it");
	} else if (slot->waiting > 0 && up) {
		fail(slot, XYLEM_FAILURE_BUSY, "xmpp-timeout", "the server did not confirm it in time");
	} else if (slot->waiting > 0) {
		fail(slot, XYLEM_FAILURE_DOWN, "xmpp-link", why);
	} else if (slot->expected > 0) {
		fail(slot, XYLEM_FAILURE_BUSY, slot->code, slot->text);
	}
	delivery->waiting -= slot->waiting;
	slot->waiting = 0;
	pthread_mutex_unlock(&delivery->lock);
}

static bool waits(struct delivery *delivery, const struct slot *slot)
{
	pthread_mutex_lock(&delivery->lock);
	bool result = slot->waiting + slot->expected > 0;
	pthread_mutex_unlock(&delivery->lock);
	return result;
}

void delivery_end(struct delivery *delivery, struct xylem_result *results)
{
	if (delivery->sent) {
		delivery->carrier->flush(delivery->link);
		await(delivery);
	}
	for (size_t i = 0; i < delivery->n; i++) {
		if (waits(delivery, &delivery->slots[i])) {
			give_up(delivery, &delivery->slots[i]);
		}
		results[i] = delivery->slots[i].result;
	}
}
