/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of a sink whose other side works, fails or refuses. Those of interrupt() are in interrupt.c. */
#include <base/clock.h>
#include <connector/instance.h>
#include <xylem/xylem.h>

#include "cases.h"
#include "load.h"
#include "suite.h"

const char *probe_finds(struct suite *suite)
{
	struct xylem_result result = { 0 };
	if (!suite->kind->probe) {
		suite_failed(suite, "it has no probe");
		return suite_skip;
	}
	const char *why = suite_peer_mode(suite, "accept");
	why = why || suite->instance ? why : suite_instance_open(suite);
	if (why) {
		return why;
	}
	int64_t end = clock_mono_us() + PATIENCE * SECOND;
	while (instance_probe(suite->instance, 5 * SECOND, &result)) {
		if (clock_mono_us() > end) {
			return suite_failed(
				suite, "the probe finds nobody: %s: %s", result.code, result.reason.text);
		}
		memset(&result, 0, sizeof(result));
		suite_pause(50);
	}
	return NULL;
}

const char *delivers(struct suite *suite)
{
	struct load load;
	const char *why = suite_peer_mode(suite, "accept");
	why = why ? why : suite_worker_open(suite, 10 * SECOND);
	if (why) {
		return why;
	}
	load_make(suite, &load, 1);
	why = load_insist(suite, &load);
	why = why ? why : load_arrived(suite, &load);
	if (why) {
		return why;
	}
	load_make(suite, &load, 50);
	load_deliver(suite, &load);
	if (load_count(&load, XYLEM_DELIVERED) != load.n) {
		return load_shown(suite, &load, "50 at once");
	}
	return load_arrived(suite, &load);
}

/* What a mode of the other side must come out as; afterwards everything is delivered all the same. */
static const char *fails_as(
	struct suite *suite, const char *name, enum xylem_failure first, enum xylem_failure second)
{
	struct load load;
	const char *why = suite_peer_mode(suite, name);
	why = why ? why : suite_worker_open(suite, 3 * SECOND);
	if (why) {
		return why;
	}
	load_make(suite, &load, 5);
	load_deliver(suite, &load);
	size_t as = load_count(&load, first) + (second != first ? load_count(&load, second) : 0);
	if (as == 0 || as + load_count(&load, XYLEM_NOT_TRIED) != load.n) {
		return load_shown(suite, &load, name);
	}
	why = load_reasons(suite, &load);
	why = why ? why : suite_peer_mode(suite, "accept");
	why = why ? why : load_insist(suite, &load);
	return why ? why : load_arrived(suite, &load);
}

const char *refused_is_wrong(struct suite *suite)
{
	return fails_as(suite, "wrong", XYLEM_FAILURE_WRONG, XYLEM_FAILURE_WRONG);
}

const char *overloaded_is_busy(struct suite *suite)
{
	return fails_as(suite, "busy", XYLEM_FAILURE_BUSY, XYLEM_FAILURE_BUSY);
}

const char *forbidden_is_misconfigured(struct suite *suite)
{
	return fails_as(suite, "misconfigured", XYLEM_FAILURE_MISCONFIGURED, XYLEM_FAILURE_MISCONFIGURED);
}

const char *away_is_down(struct suite *suite)
{
	return fails_as(suite, "down", XYLEM_FAILURE_DOWN, XYLEM_FAILURE_DOWN);
}

const char *cut_is_not_delivered(struct suite *suite)
{
	return fails_as(suite, "cut", XYLEM_FAILURE_DOWN, XYLEM_FAILURE_BUSY);
}

const char *silence_ends_at_the_deadline(struct suite *suite)
{
	return fails_as(suite, "stall", XYLEM_FAILURE_BUSY, XYLEM_FAILURE_DOWN);
}

const char *probe_misses(struct suite *suite)
{
	struct xylem_result result = { 0 };
	if (!suite->kind->probe) {
		suite_failed(suite, "it has no probe");
		return suite_skip;
	}
	const char *why = suite_peer_mode(suite, "down");
	why = why || suite->instance ? why : suite_instance_open(suite);
	if (why) {
		return why;
	}
	int error = instance_probe(suite->instance, 5 * SECOND, &result);
	why = suite_peer_mode(suite, "accept");
	if (!error || result.failure != XYLEM_FAILURE_DOWN || !result.code[0] || !result.reason.text[0]) {
		return suite_failed(suite, "the probe of a peer that is away says %s (%s: %s)",
			xylem_failure_name(result.failure), result.code, result.reason.text);
	}
	return why;
}

/* One message among good ones is refused; the others are not made to pay. */
const char *one_wrong_among_good(struct suite *suite)
{
	struct load load;
	const char *why = suite_peer_mode(suite, "accept");
	why = why ? why : suite_worker_open(suite, 10 * SECOND);
	if (why) {
		return why;
	}
	load_make(suite, &load, 5);
	switch (peer_ask(
		&suite->peer, PATIENCE, "refuse %.*s", (int)load.messages[2].id.n, load.messages[2].id.at)) {
	case PEER_OK:
		break;
	case PEER_NO:
		suite->made -= (unsigned)load.n; /* nobody will send them */
		suite_failed(suite, "the peer cannot refuse a single message");
		return suite_skip;
	default:
		return suite_failed(suite, "peer: %s", suite->peer.line);
	}
	load_deliver(suite, &load);
	const struct xylem_result *results = load.results;
	bool right = results[2].failure == XYLEM_FAILURE_WRONG;
	if (suite->kind->flags & XYLEM_SINK_ALL_OR_NOTHING) {
		right = load_count(&load, XYLEM_DELIVERED) == 0 && load_count(&load, XYLEM_FAILURE_WRONG) > 0;
	} else if (suite->kind->flags & XYLEM_SINK_ORDERED) {
		right = right && results[0].failure == 0 && results[1].failure == 0 &&
			results[3].failure == XYLEM_NOT_TRIED && results[4].failure == XYLEM_NOT_TRIED;
	} else {
		right = right && load_count(&load, XYLEM_DELIVERED) == 4;
	}
	if (!right) {
		return load_shown(suite, &load, "the third of five is refused");
	}
	why = suite_peer_mode(suite, "accept");
	why = why ? why : load_insist(suite, &load);
	return why ? why : load_arrived(suite, &load);
}

const char *sink_closes(struct suite *suite)
{
	const char *why = suite_worker_open(suite, SECOND);
	suite_instance_drop(suite);
	return why;
}
