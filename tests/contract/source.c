/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of a source: what it takes in, what it must not acknowledge, and its stopping. */
#include <connector/instance.h>
#include <intake/intake.h>
#include <xylem/xylem.h>

#include "cases.h"
#include "sent.h"
#include "suite.h"

static const char *source_run(struct suite *suite)
{
	struct xylem_reason reason = { "" };
	if (!suite->instance) {
		const char *why = suite_instance_open(suite);
		if (why) {
			return why;
		}
	}
	int error = instance_start(suite->instance, suite->intake, &reason);
	return error ? suite_failed(suite, "source_start: %s: %s", xylem_error_row(error)->name, reason.text)
		     : NULL;
}

static const char *exchange(struct suite *suite, size_t n)
{
	struct sent sent;
	const char *why = sent_begin(suite, n, &sent);
	why = why ? why : sent_arrived(suite, &sent);
	why = why ? why : sent_acknowledged_all(suite, n);
	sent_catch_up(suite);
	return why;
}

const char *takes_in(struct suite *suite)
{
	const char *why = source_run(suite);
	why = why ? why : exchange(suite, 1);
	return why ? why : exchange(suite, 50);
}

const char *starts_again(struct suite *suite)
{
	for (int i = 0; i < 3; i++) {
		const char *why = source_run(suite);
		why = why ? why : exchange(suite, 3);
		if (why) {
			return why;
		}
		instance_stop(suite->instance);
		instance_stop(suite->instance);
	}
	return source_run(suite);
}

const char *opens_again(struct suite *suite)
{
	instance_stop(suite->instance);
	suite_instance_drop(suite);
	const char *why = source_run(suite);
	return why ? why : exchange(suite, 3);
}

/* While held back or refused nothing is acknowledged; afterwards all of it comes in. */
static const char *waits(struct suite *suite, bool held)
{
	struct sent sent;
	size_t got = 0;
	const char *why = source_run(suite);
	if (why) {
		return why;
	}
	if (held) {
		instance_hold(suite->instance, true);
	} else {
		intake_refuse(suite->intake, -XYLEM_E_FULL);
	}
	sent_catch_up(suite);
	why = sent_begin(suite, 3, &sent);
	why = why ? why : sent_acknowledged(suite, 1, 500, &got);
	if (!why && got > 0) {
		why = suite_failed(suite, "%zu acknowledged that the bus did not take", got);
	}
	if (!why && !sent_nothing(suite)) {
		why = suite_failed(suite, "something came into the journal");
	}
	if (held) {
		instance_hold(suite->instance, false);
	} else {
		intake_refuse(suite->intake, 0);
	}
	why = why ? why : sent_arrived(suite, &sent);
	why = why ? why : sent_acknowledged_all(suite, 3);
	sent_catch_up(suite);
	return why;
}

const char *held_back(struct suite *suite)
{
	return waits(suite, true);
}

const char *full_disk(struct suite *suite)
{
	return waits(suite, false);
}

/* Half a message is no message, and what comes after it is not touched by it. */
const char *broken_off(struct suite *suite)
{
	const char *why = source_run(suite);
	if (why) {
		return why;
	}
	switch (peer_ask(&suite->peer, PATIENCE, "send-broken")) {
	case PEER_OK:
		return exchange(suite, 2);
	case PEER_NO:
		suite_failed(suite, "the peer cannot break off in a message");
		return suite_skip;
	default:
		return suite_failed(suite, "peer: %s", suite->peer.line);
	}
}

/* After stop nothing is submitted, whatever is sent. */
const char *stopped_is_stopped(struct suite *suite)
{
	struct sent sent;
	size_t got = 0;
	const char *why = source_run(suite);
	why = why ? why : exchange(suite, 1);
	if (why) {
		return why;
	}
	instance_stop(suite->instance);
	sent_catch_up(suite);
	why = sent_begin(suite, 2, &sent);
	why = why ? why : sent_acknowledged(suite, 1, 500, &got);
	if (!why && (got > 0 || !sent_nothing(suite))) {
		why = suite_failed(suite, "a stopped source took something in");
	}
	why = why ? why : source_run(suite);
	why = why ? why : sent_arrived(suite, &sent);
	why = why ? why : sent_acknowledged_all(suite, 2);
	sent_catch_up(suite);
	return why;
}

const char *source_closes(struct suite *suite)
{
	instance_stop(suite->instance);
	suite_instance_drop(suite);
	return NULL;
}
