/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract suite: takes a connector through its whole life against a real
 * other side, and asks of it what <xylem/connector.h> promises to the bus.
 *
 *     contract-suite [--plugin FILE.so] -- PEER [ARGUMENT ...]   one connector, its peer writes the configuration
 *     contract-suite [--plugin FILE.so] --config FILE            one connector, without an other side
 *     contract-suite --registry FOLDER                           every registered one: descriptor, closing, and
 *                                                                that FOLDER has a peer_NAME.py for it
 *
 * The peer (README.md) is told by lines to accept, refuse, cut, stall, be
 * away, and to send. What it cannot do is skipped, and said. The journal and
 * the intake are the bus's own, in a folder that goes when the suite ends.
 *
 * The rule not to break: nothing here knows a connector by name.
 */
#include <assert.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <config/config.h>
#include <connector/instance.h>
#include <intake/intake.h>
#include <journal/journal.h>
#include <xmpp/service.h>
#include <xylem/xylem.h>

#include "peer.h"

#define SECOND 1000000LL
#define PATIENCE 30 /* seconds that anything may take before it counts as never */

struct suite {
	char folder[64];
	struct peer peer;
	bool has_peer;
	struct config *config;
	const struct config_connector *connector;
	const struct xylem_connector *kind;
	struct journal *journal;
	struct xmpp_service *xmpp;
	struct intake *intake;
	struct instance *instance;
	void *worker;
	struct xylem_position read; /* in the journal: what was not looked at yet */
	unsigned made;              /* messages for sinks so far */
	struct xylem_arena *arena;
	char why[1024];
};

static const char skip[] = "skip";

static const char *failed(struct suite *suite, const char *format, ...) XYLEM_PRINTF(2, 3);
static const char *failed(struct suite *suite, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(suite->why, sizeof(suite->why), format, arguments);
	va_end(arguments);
	return suite->why;
}

/* Between two tries of something that gives no event. */
static void poll_pause(int milliseconds)
{
	poll(NULL, 0, milliseconds);
}

/* --- The descriptor ---------------------------------------------------- */

static bool name_valid(const char *name)
{
	return name && *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static const char *option_check(
	struct suite *suite, const struct xylem_connector *kind, const struct xylem_option *option)
{
	size_t n = option->summary ? strlen(option->summary) : 0;
	if (n == 0 || option->summary[n - 1] != '.') {
		return failed(suite, "option %s: its summary is a sentence with a full stop", option->name);
	}
	if (!option->since) {
		return failed(suite, "option %s: `since` is missing", option->name);
	}
	if (option->type == XYLEM_OPTION_ENUM && !(option->choices && option->choices[0])) {
		return failed(suite, "option %s: an ENUM has choices", option->name);
	}
	if (option->offset >= kind->options_size) {
		return failed(suite, "option %s: lies outside the struct", option->name);
	}
	if (!option->example && !option->default_value && !(option->flags & XYLEM_OPTION_REQUIRED)) {
		return failed(suite,
			"option %s: neither default nor example, so that nobody can see its notation",
			option->name);
	}
	for (const struct xylem_option *other = kind->options; other != option; other++) {
		if (strcmp(other->name, option->name) == 0) {
			return failed(suite, "option %s: there twice", option->name);
		}
	}
	return NULL;
}

static const char *descriptor_whole(struct suite *suite)
{
	const struct xylem_connector *kind = suite->kind;
	bool source = kind->flags & XYLEM_CONNECTOR_SOURCE, sink = kind->flags & XYLEM_CONNECTOR_SINK;
	if (kind->contract_version != XYLEM_CONTRACT_VERSION) {
		return failed(suite, "contract version %u, the bus has %u", kind->contract_version,
			XYLEM_CONTRACT_VERSION);
	}
	if (!name_valid(kind->name) || !kind->summary || !kind->options || !kind->open || !kind->close) {
		return failed(suite, "name, summary, options, open and close are required");
	}
	if (!source && !sink) {
		return failed(suite, "it is neither source nor sink");
	}
	if (source && (!kind->source_start || !kind->source_stop)) {
		return failed(suite, "a source has start and stop");
	}
	if (sink && (!kind->sink_open || !kind->deliver || !kind->sink_close)) {
		return failed(suite, "a sink has open, deliver and close");
	}
	for (const struct xylem_option *option = kind->options; option->name; option++) {
		const char *why = option_check(suite, kind, option);
		if (why) {
			return why;
		}
	}
	return NULL;
}

static const char *closing_nothing(struct suite *suite)
{
	suite->kind->close(NULL);
	if (suite->kind->sink_close) {
		suite->kind->sink_close(NULL);
	}
	return NULL;
}

/* --- Instances --------------------------------------------------------- */

static const char *instance_make(struct suite *suite)
{
	struct xylem_reason reason = { "" };
	const struct instance_options options = {
		.name = suite->connector->name,
		.kind = suite->kind,
		.options = suite->connector->options,
		.config = suite->config,
		.data = suite->folder,
	};
	int error = instance_open(&suite->instance, &options, &reason);
	return error ? failed(suite, "open: %s: %s", xylem_error_row(error)->name, reason.text) : NULL;
}

static void instance_drop(struct suite *suite)
{
	if (suite->worker) {
		suite->kind->sink_close(suite->worker);
		suite->worker = NULL;
	}
	suite->instance = instance_unref(suite->instance);
}

static const char *opens_and_closes(struct suite *suite)
{
	for (int i = 0; i < 3; i++) {
		const char *why = instance_make(suite);
		if (why) {
			return why;
		}
		instance_drop(suite);
	}
	return NULL;
}

static const char *worker_make(struct suite *suite, int64_t timeout_us)
{
	struct xylem_reason reason = { "" };
	if (!suite->instance) {
		const char *why = instance_make(suite);
		if (why) {
			return why;
		}
	}
	if (suite->worker) {
		suite->kind->sink_close(suite->worker);
		suite->worker = NULL;
	}
	int error = instance_sink_open(suite->instance, timeout_us, &suite->worker, &reason);
	return error ? failed(suite, "sink_open: %s: %s", xylem_error_row(error)->name, reason.text) : NULL;
}

/* --- Sink: messages and results ---------------------------------------- */

struct load {
	size_t n;
	struct xylem_message messages[64];
	const struct xylem_message *pointers[64];
	struct xylem_result results[64];
};

/* Messages with ids c000001 ..., data {"id":"c000001","n":1}, each of a key of its own. */
static void load_make(struct suite *suite, struct load *load, size_t n)
{
	memset(load, 0, sizeof(*load));
	load->n = n;
	for (size_t i = 0; i < n; i++) {
		unsigned number = ++suite->made;
		char *id = xylem_arena_format(suite->arena, "c%06u", number);
		char *data = xylem_arena_format(suite->arena, "{\"id\":\"%s\",\"n\":%u}", id, number);
		load->messages[i] = (struct xylem_message){
			.position = { 0, number },
			.journal_time_us = clock_wall_us(),
			.kind = XYLEM_MESSAGE,
			.ingress = XYLEM_SPAN_LITERAL("contract"),
			.key = xylem_span_of(id),
			.id = xylem_span_of(id),
			.source = XYLEM_SPAN_LITERAL("/contract"),
			.type = XYLEM_SPAN_LITERAL("contract.test"),
			.datacontenttype = XYLEM_SPAN_LITERAL("application/json"),
			.data = xylem_span_of(data),
		};
		load->pointers[i] = &load->messages[i];
	}
}

static void load_deliver(struct suite *suite, struct load *load)
{
	memset(load->results, 0, sizeof(load->results));
	suite->kind->deliver(suite->worker, load->pointers, load->n, load->results);
}

static size_t load_count(const struct load *load, enum xylem_failure failure)
{
	size_t n = 0;
	for (size_t i = 0; i < load->n; i++) {
		n += load->results[i].failure == failure;
	}
	return n;
}

static const char *load_shown(struct suite *suite, const struct load *load, const char *what)
{
	const struct xylem_result *worst = &load->results[0];
	for (size_t i = 0; i < load->n; i++) {
		if (load->results[i].failure != XYLEM_DELIVERED &&
			load->results[i].failure != XYLEM_NOT_TRIED) {
			worst = &load->results[i];
			break;
		}
	}
	return failed(suite,
		"%s: %zu delivered, %zu down, %zu misconfigured, %zu busy, %zu wrong, %zu not tried; %s: %s",
		what, load_count(load, XYLEM_DELIVERED), load_count(load, XYLEM_FAILURE_DOWN),
		load_count(load, XYLEM_FAILURE_MISCONFIGURED), load_count(load, XYLEM_FAILURE_BUSY),
		load_count(load, XYLEM_FAILURE_WRONG), load_count(load, XYLEM_NOT_TRIED), worst->code,
		worst->reason.text);
}

/* Whoever fails says so in words and with a code. */
static const char *load_reasons(struct suite *suite, const struct load *load)
{
	for (size_t i = 0; i < load->n; i++) {
		const struct xylem_result *result = &load->results[i];
		bool failure = result->failure != XYLEM_DELIVERED && result->failure != XYLEM_NOT_TRIED;
		if (failure && (!result->code[0] || !result->reason.text[0])) {
			return failed(suite, "message %zu failed as %s without code or reason", i,
				xylem_failure_name(result->failure));
		}
	}
	return NULL;
}

/*
 * Delivers again and again what is not delivered yet, as a lane does, until all
 * is or patience ends: a connector may need a moment to connect again.
 */
static const char *load_insist(struct suite *suite, struct load *load)
{
	int64_t end = clock_mono_us() + PATIENCE * SECOND;
	struct load left = *load;
	for (;;) {
		load_deliver(suite, &left);
		size_t kept = 0;
		for (size_t i = 0; i < left.n; i++) {
			if (left.results[i].failure != XYLEM_DELIVERED) {
				left.pointers[kept] = left.pointers[i];
				left.results[kept++] = left.results[i];
			}
		}
		left.n = kept;
		if (kept == 0) {
			return NULL;
		}
		if (clock_mono_us() > end) {
			return load_shown(suite, &left, "not delivered again");
		}
		poll_pause(50);
	}
}

/* All ids of the load are at the other side. */
static const char *load_arrived(struct suite *suite, const struct load *load)
{
	if (peer_ask(&suite->peer, PATIENCE, "wait-received %u %d", suite->made, (PATIENCE - 5) * 1000) ==
		PEER_FAILED) {
		return failed(suite, "peer: %s", suite->peer.line);
	}
	for (size_t i = 0; i < load->n; i++) {
		struct xylem_span id = load->pointers[i]->id;
		if (!memmem(suite->peer.line, strlen(suite->peer.line), id.at, id.n)) {
			return failed(suite, "%.*s was called delivered and is not at the other side",
				(int)id.n, id.at);
		}
	}
	return NULL;
}

static const char *mode(struct suite *suite, const char *name)
{
	switch (peer_ask(&suite->peer, PATIENCE, "mode %s", name)) {
	case PEER_OK:
		return NULL;
	case PEER_NO:
		failed(suite, "the peer cannot do that: %s %s", name, suite->peer.line);
		return skip;
	default:
		return failed(suite, "peer, mode %s: %s", name, suite->peer.line);
	}
}

/* --- Sink: steps ------------------------------------------------------- */

static const char *probe_finds(struct suite *suite)
{
	struct xylem_result result = { 0 };
	if (!suite->kind->probe) {
		failed(suite, "it has no probe");
		return skip;
	}
	const char *why = mode(suite, "accept");
	why = why || suite->instance ? why : instance_make(suite);
	if (why) {
		return why;
	}
	int64_t end = clock_mono_us() + PATIENCE * SECOND;
	while (instance_probe(suite->instance, 5 * SECOND, &result)) {
		if (clock_mono_us() > end) {
			return failed(
				suite, "the probe finds nobody: %s: %s", result.code, result.reason.text);
		}
		memset(&result, 0, sizeof(result));
		poll_pause(50);
	}
	return NULL;
}

static const char *delivers(struct suite *suite)
{
	struct load load;
	const char *why = mode(suite, "accept");
	why = why ? why : worker_make(suite, 10 * SECOND);
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
	const char *why = mode(suite, name);
	why = why ? why : worker_make(suite, 3 * SECOND);
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
	why = why ? why : mode(suite, "accept");
	why = why ? why : load_insist(suite, &load);
	return why ? why : load_arrived(suite, &load);
}

static const char *refused_is_wrong(struct suite *suite)
{
	return fails_as(suite, "wrong", XYLEM_FAILURE_WRONG, XYLEM_FAILURE_WRONG);
}

static const char *overloaded_is_busy(struct suite *suite)
{
	return fails_as(suite, "busy", XYLEM_FAILURE_BUSY, XYLEM_FAILURE_BUSY);
}

static const char *forbidden_is_misconfigured(struct suite *suite)
{
	return fails_as(suite, "misconfigured", XYLEM_FAILURE_MISCONFIGURED, XYLEM_FAILURE_MISCONFIGURED);
}

static const char *away_is_down(struct suite *suite)
{
	return fails_as(suite, "down", XYLEM_FAILURE_DOWN, XYLEM_FAILURE_DOWN);
}

static const char *cut_is_not_delivered(struct suite *suite)
{
	return fails_as(suite, "cut", XYLEM_FAILURE_DOWN, XYLEM_FAILURE_BUSY);
}

static const char *silence_ends_at_the_deadline(struct suite *suite)
{
	return fails_as(suite, "stall", XYLEM_FAILURE_BUSY, XYLEM_FAILURE_DOWN);
}

static const char *probe_misses(struct suite *suite)
{
	struct xylem_result result = { 0 };
	if (!suite->kind->probe) {
		failed(suite, "it has no probe");
		return skip;
	}
	const char *why = mode(suite, "down");
	why = why || suite->instance ? why : instance_make(suite);
	if (why) {
		return why;
	}
	int error = instance_probe(suite->instance, 5 * SECOND, &result);
	why = mode(suite, "accept");
	if (!error || result.failure != XYLEM_FAILURE_DOWN || !result.code[0] || !result.reason.text[0]) {
		return failed(suite, "the probe of a peer that is away says %s (%s: %s)",
			xylem_failure_name(result.failure), result.code, result.reason.text);
	}
	return why;
}

/* One message among good ones is refused; the others are not made to pay. */
static const char *one_wrong_among_good(struct suite *suite)
{
	struct load load;
	const char *why = mode(suite, "accept");
	why = why ? why : worker_make(suite, 10 * SECOND);
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
		failed(suite, "the peer cannot refuse a single message");
		return skip;
	default:
		return failed(suite, "peer: %s", suite->peer.line);
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
	why = mode(suite, "accept");
	why = why ? why : load_insist(suite, &load);
	return why ? why : load_arrived(suite, &load);
}

struct delivery {
	struct suite *suite;
	struct load load;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool over;
};

static void *delivery_run(void *context)
{
	struct delivery *delivery = context;
	load_deliver(delivery->suite, &delivery->load);
	pthread_mutex_lock(&delivery->lock);
	delivery->over = true;
	pthread_cond_signal(&delivery->changed);
	pthread_mutex_unlock(&delivery->lock);
	return NULL;
}

/* deliver() hangs at a silent peer with an hour to go: only the interrupt ends it. */
static const char *interrupt_ends_it(struct suite *suite)
{
	struct delivery delivery = { .suite = suite };
	if (!suite->kind->interrupt) {
		failed(suite, "it has no interrupt");
		return skip;
	}
	const char *why = mode(suite, "stall");
	why = why ? why : worker_make(suite, 3600 * SECOND);
	if (why) {
		return why;
	}
	load_make(suite, &delivery.load, 3);
	pthread_mutex_init(&delivery.lock, NULL);
	pthread_cond_init(&delivery.changed, NULL);
	pthread_t thread;
	pthread_create(&thread, NULL, delivery_run, &delivery);
	enum peer_answer stalled = peer_ask(&suite->peer, PATIENCE, "wait-stalled %d", (PATIENCE - 5) * 1000);
	suite->kind->interrupt(suite->worker);

	struct timespec end = clock_timespec(clock_mono_us() + PATIENCE * SECOND);
	int late = 0;
	pthread_mutex_lock(&delivery.lock);
	while (!delivery.over && !late) {
		late = pthread_cond_clockwait(&delivery.changed, &delivery.lock, CLOCK_MONOTONIC, &end);
	}
	pthread_mutex_unlock(&delivery.lock);
	if (late) {
		printf("Bail out! deliver() did not return after interrupt()\n");
		exit(1);
	}
	pthread_join(thread, NULL);
	if (stalled == PEER_FAILED) {
		return failed(suite, "peer: %s", suite->peer.line);
	}
	if (load_count(&delivery.load, XYLEM_DELIVERED) > 0) {
		return load_shown(suite, &delivery.load, "interrupted");
	}
	why = mode(suite, "accept");
	why = why ? why : load_insist(suite, &delivery.load);
	return why ? why : load_arrived(suite, &delivery.load);
}

/* An interrupt before the call is over when the call begins. */
static const char *interrupt_is_forgotten(struct suite *suite)
{
	struct load load;
	if (!suite->kind->interrupt) {
		failed(suite, "it has no interrupt");
		return skip;
	}
	const char *why = mode(suite, "accept");
	why = why ? why : worker_make(suite, 10 * SECOND);
	if (why) {
		return why;
	}
	load_make(suite, &load, 2);
	why = load_insist(suite, &load);
	if (why) {
		return why;
	}
	suite->kind->interrupt(suite->worker);
	load_make(suite, &load, 2);
	load_deliver(suite, &load);
	return load_count(&load, XYLEM_DELIVERED) == 2 ? load_arrived(suite, &load)
						       : load_shown(suite, &load, "after it");
}

static const char *sink_closes(struct suite *suite)
{
	const char *why = worker_make(suite, SECOND);
	instance_drop(suite);
	return why;
}

/* --- Source: what came into the journal -------------------------------- */

struct tags {
	size_t n;
	char names[64][40];
	bool seen[64];
};

static const char *send(struct suite *suite, size_t n, struct tags *tags)
{
	switch (peer_ask(&suite->peer, PATIENCE, "send %zu", n)) {
	case PEER_OK:
		break;
	case PEER_NO:
		failed(suite, "the peer cannot send");
		return skip;
	default:
		return failed(suite, "peer: %s", suite->peer.line);
	}
	memset(tags, 0, sizeof(*tags));
	for (char *rest = suite->peer.line, *word; tags->n < n && (word = strsep(&rest, " "));) {
		if (*word) {
			snprintf(tags->names[tags->n++], sizeof(tags->names[0]), "%s", word);
		}
	}
	return tags->n == n ? NULL : failed(suite, "the peer names %zu tags of %zu", tags->n, n);
}

/* Marks the tag that the message carries; false for one that nobody sent, or one out of order. */
static bool tags_mark(struct tags *tags, const struct xylem_message *message)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (!memmem(message->data.at, message->data.n, tags->names[i], strlen(tags->names[i]))) {
			continue;
		}
		for (size_t k = 0; k < i; k++) {
			if (!tags->seen[k]) {
				return false;
			}
		}
		tags->seen[i] = true;
		return true;
	}
	return false;
}

static bool tags_all(const struct tags *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (!tags->seen[i]) {
			return false;
		}
	}
	return true;
}

/* All tags are in the journal, in order, at least once, and nothing beside them. */
static const char *journal_has(struct suite *suite, struct tags *tags)
{
	struct journal_batch *batch = journal_batch_new();
	struct journal_waiter *waiter = journal_waiter_new(suite->journal);
	int64_t end = clock_mono_us() + PATIENCE * SECOND;
	const char *why = NULL;
	while (!why && !tags_all(tags)) {
		if (journal_read(suite->journal, suite->read, 100, 1 << 20, batch)) {
			why = failed(suite, "the journal cannot be read");
		}
		for (size_t i = 0; !why && i < batch->n; i++) {
			if (!tags_mark(tags, &batch->messages[i])) {
				why = failed(suite, "in the journal, but not sent, or out of order: %.*s",
					(int)(batch->messages[i].data.n < 200 ? batch->messages[i].data.n
									      : 200),
					batch->messages[i].data.at);
			}
		}
		suite->read = batch->n ? batch->next : suite->read;
		if (!why && batch->n == 0) {
			if (clock_mono_us() > end) {
				why = failed(suite, "not all that was sent came into the journal");
			} else {
				journal_wait(waiter, suite->read, clock_mono_us() + SECOND);
			}
		}
	}
	journal_waiter_free(waiter);
	journal_batch_free(batch);
	return why;
}

/* Passes over what a retry may have put in twice. */
static void journal_catch_up(struct suite *suite)
{
	suite->read = journal_end(suite->journal);
}

static bool journal_quiet(struct suite *suite)
{
	struct xylem_position end = journal_end(suite->journal);
	return end.offset == suite->read.offset;
}

/* How many of the last send the producers have seen acknowledged, after waiting for `n`. */
static const char *acknowledged(struct suite *suite, size_t n, int milliseconds, size_t *ret_n)
{
	if (peer_ask(&suite->peer, PATIENCE + milliseconds / 1000, "wait-acked %zu %d", n, milliseconds) !=
		PEER_OK) {
		return failed(suite, "peer: %s", suite->peer.line);
	}
	*ret_n = strtoul(suite->peer.line, NULL, 10);
	return NULL;
}

static const char *acknowledged_all(struct suite *suite, size_t n)
{
	size_t got = 0;
	const char *why = acknowledged(suite, n, (PATIENCE - 5) * 1000, &got);
	return why || got >= n ? why : failed(suite, "%zu of %zu were acknowledged", got, n);
}

/* --- Source: steps ----------------------------------------------------- */

static const char *source_run(struct suite *suite)
{
	struct xylem_reason reason = { "" };
	if (!suite->instance) {
		const char *why = instance_make(suite);
		if (why) {
			return why;
		}
	}
	int error = instance_start(suite->instance, suite->intake, &reason);
	return error ? failed(suite, "source_start: %s: %s", xylem_error_row(error)->name, reason.text)
		     : NULL;
}

static const char *exchange(struct suite *suite, size_t n)
{
	struct tags tags;
	const char *why = send(suite, n, &tags);
	why = why ? why : journal_has(suite, &tags);
	why = why ? why : acknowledged_all(suite, n);
	journal_catch_up(suite);
	return why;
}

static const char *takes_in(struct suite *suite)
{
	const char *why = source_run(suite);
	why = why ? why : exchange(suite, 1);
	return why ? why : exchange(suite, 50);
}

static const char *starts_again(struct suite *suite)
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

static const char *opens_again(struct suite *suite)
{
	instance_stop(suite->instance);
	instance_drop(suite);
	const char *why = source_run(suite);
	return why ? why : exchange(suite, 3);
}

/* While held back or refused nothing is acknowledged; afterwards all of it comes in. */
static const char *waits(struct suite *suite, bool held)
{
	struct tags tags;
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
	journal_catch_up(suite);
	why = send(suite, 3, &tags);
	why = why ? why : acknowledged(suite, 1, 500, &got);
	if (!why && got > 0) {
		why = failed(suite, "%zu acknowledged that the bus did not take", got);
	}
	if (!why && !journal_quiet(suite)) {
		why = failed(suite, "something came into the journal");
	}
	if (held) {
		instance_hold(suite->instance, false);
	} else {
		intake_refuse(suite->intake, 0);
	}
	why = why ? why : journal_has(suite, &tags);
	why = why ? why : acknowledged_all(suite, 3);
	journal_catch_up(suite);
	return why;
}

static const char *held_back(struct suite *suite)
{
	return waits(suite, true);
}

static const char *full_disk(struct suite *suite)
{
	return waits(suite, false);
}

/* Half a message is no message, and what comes after it is not touched by it. */
static const char *broken_off(struct suite *suite)
{
	const char *why = source_run(suite);
	if (why) {
		return why;
	}
	switch (peer_ask(&suite->peer, PATIENCE, "send-broken")) {
	case PEER_OK:
		return exchange(suite, 2);
	case PEER_NO:
		failed(suite, "the peer cannot break off in a message");
		return skip;
	default:
		return failed(suite, "peer: %s", suite->peer.line);
	}
}

/* After stop nothing is submitted, whatever is sent. */
static const char *stopped_is_stopped(struct suite *suite)
{
	struct tags tags;
	size_t got = 0;
	const char *why = source_run(suite);
	why = why ? why : exchange(suite, 1);
	if (why) {
		return why;
	}
	instance_stop(suite->instance);
	journal_catch_up(suite);
	why = send(suite, 2, &tags);
	why = why ? why : acknowledged(suite, 1, 500, &got);
	if (!why && (got > 0 || !journal_quiet(suite))) {
		why = failed(suite, "a stopped source took something in");
	}
	why = why ? why : source_run(suite);
	why = why ? why : journal_has(suite, &tags);
	why = why ? why : acknowledged_all(suite, 2);
	journal_catch_up(suite);
	return why;
}

static const char *source_closes(struct suite *suite)
{
	instance_stop(suite->instance);
	instance_drop(suite);
	return NULL;
}

/* --- The run ----------------------------------------------------------- */

enum needs { NOTHING, CONFIG, SINK_PEER, SOURCE_PEER };

static const struct step {
	const char *name;
	enum needs needs;
	const char *(*run)(struct suite *suite);
} steps[] = {
	{ "the descriptor is whole", NOTHING, descriptor_whole },
	{ "closing nothing is allowed", NOTHING, closing_nothing },
	{ "it opens without its other side, and closes", CONFIG, opens_and_closes },
	{ "sink: the probe finds its other side", SINK_PEER, probe_finds },
	{ "sink: what it calls delivered has arrived", SINK_PEER, delivers },
	{ "sink: a refused message is wrong", SINK_PEER, refused_is_wrong },
	{ "sink: one refused among good ones", SINK_PEER, one_wrong_among_good },
	{ "sink: an overloaded peer is busy", SINK_PEER, overloaded_is_busy },
	{ "sink: refused credentials are misconfigured", SINK_PEER, forbidden_is_misconfigured },
	{ "sink: a peer that is away is down, and found again", SINK_PEER, away_is_down },
	{ "sink: the probe misses a peer that is away", SINK_PEER, probe_misses },
	{ "sink: a cut in the middle is not delivered", SINK_PEER, cut_is_not_delivered },
	{ "sink: silence ends at the deadline", SINK_PEER, silence_ends_at_the_deadline },
	{ "sink: interrupt() ends a delivery", SINK_PEER, interrupt_ends_it },
	{ "sink: interrupt() before a delivery is forgotten", SINK_PEER, interrupt_is_forgotten },
	{ "sink: it closes", SINK_PEER, sink_closes },
	{ "source: what is sent comes into the journal, then is acknowledged", SOURCE_PEER, takes_in },
	{ "source: it stops and starts again", SOURCE_PEER, starts_again },
	{ "source: it closes and opens again", SOURCE_PEER, opens_again },
	{ "source: held back, it acknowledges nothing", SOURCE_PEER, held_back },
	{ "source: with a full disk, it acknowledges nothing", SOURCE_PEER, full_disk },
	{ "source: half a message is none", SOURCE_PEER, broken_off },
	{ "source: stopped, it takes nothing in", SOURCE_PEER, stopped_is_stopped },
	{ "source: it stops and closes", SOURCE_PEER, source_closes },
};

struct tally {
	unsigned count, failures;
};

static void say(struct tally *tally, const char *name, const char *why, const char *text)
{
	tally->count++;
	if (!why) {
		printf("ok %u - %s\n", tally->count, name);
	} else if (why == skip) {
		printf("ok %u - %s # SKIP %s\n", tally->count, name, text);
	} else {
		tally->failures++;
		printf("not ok %u - %s\n# %s\n", tally->count, name, why);
	}
	fflush(stdout);
}

static bool wanted(const struct suite *suite, enum needs needs)
{
	switch (needs) {
	case NOTHING:
		return true;
	case CONFIG:
		return suite->config != NULL;
	case SINK_PEER:
		return suite->has_peer && suite->kind->flags & XYLEM_CONNECTOR_SINK;
	case SOURCE_PEER:
		return suite->has_peer && suite->kind->flags & XYLEM_CONNECTOR_SOURCE;
	}
	return false;
}

static void steps_run(struct suite *suite, struct tally *tally)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (wanted(suite, steps[i].needs)) {
			suite->why[0] = '\0';
			const char *why = steps[i].run(suite);
			char name[200];
			snprintf(name, sizeof(name), "%s: %s", suite->kind->name, steps[i].name);
			say(tally, name, why, suite->why);
			xylem_arena_reset(suite->arena);
		}
	}
}

static bool config_read(struct suite *suite, const char *path)
{
	struct config_report report = { 0 };
	int error = config_load(&suite->config, path, &report);
	for (size_t i = 0; i < report.n; i++) {
		const struct config_problem *problem = &report.problems[i];
		printf("# %s:%d:%d: %s\n", problem->place.file, problem->place.line, problem->place.column,
			problem->text);
	}
	config_report_finish(&report);
	if (error || config_view(suite->config)->connector_count != 1) {
		printf("Bail out! %s: a configuration with exactly one connector is needed\n", path);
		return false;
	}
	suite->connector = &config_view(suite->config)->connectors[0];
	suite->kind = suite->connector->kind;
	return true;
}

static bool bus_open(struct suite *suite)
{
	char folder[80];
	struct xylem_reason reason = { "" };
	struct journal_recovery recovery;
	snprintf(folder, sizeof(folder), "%s/journal", suite->folder);
	const struct journal_options options = {
		.folder = folder,
		.io = io_system(),
		.segment_size = 4 << 20,
		.retain_bytes = 64 << 20,
		.retain_us = 3600 * SECOND,
		.hold_bytes = 1ULL << 30,
		.reserve_bytes = 1 << 20,
	};
	int error = journal_open(&suite->journal, &options, &recovery, &reason);
	if (error) {
		printf("Bail out! journal: %s\n", reason.text);
		return false;
	}
	suite->intake = intake_new(suite->journal, 1 << 20);
	suite->read = journal_end(suite->journal);
	return true;
}

/* A connector that speaks through the bus's own link to an XMPP server finds one. */
static bool xmpp_open(struct suite *suite)
{
	const struct config_view *view = config_view(suite->config);
	struct xylem_reason reason = { "" };
	if (!view->xmpp || !view->xmpp->server) {
		return true;
	}
	const struct xmpp_options options = { .server = view->xmpp->server,
		.domain = view->xmpp->domain,
		.secret = xylem_secret_borrow(view->xmpp->secret),
		.max_stanza = (size_t)view->xmpp->max_stanza,
		.name = "contract",
		.version = "0" };
	if (xmpp_service_new(&suite->xmpp, &options, &reason) || xmpp_service_apply(suite->xmpp, view) ||
		xmpp_service_start(suite->xmpp, &reason)) {
		printf("Bail out! xmpp: %s\n", reason.text);
		return false;
	}
	xmpp_service_make_current(suite->xmpp);
	return true;
}

static void xmpp_close(struct suite *suite)
{
	xmpp_service_make_current(NULL);
	xmpp_service_stop(suite->xmpp, SECOND);
	suite->xmpp = xmpp_service_free(suite->xmpp);
}

static int folder_remove(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	return remove(path);
}

static bool peer_open(struct suite *suite, char **arguments)
{
	if (!peer_start(&suite->peer, arguments)) {
		printf("Bail out! peer: %s\n", suite->peer.line);
		return false;
	}
	suite->has_peer = true;
	if (peer_ask(&suite->peer, 120, "start %s", suite->folder) != PEER_OK) {
		printf("Bail out! peer: %s\n", suite->peer.line);
		return false;
	}
	return config_read(suite, suite->peer.line);
}

static void one_connector(const char *config, char **peer, struct tally *tally)
{
	struct suite suite = { .folder = "/tmp/xylem-contract-XXXXXX" };
	suite.arena = xylem_arena_new(0);
	bool ready = mkdtemp(suite.folder) && bus_open(&suite) &&
		     (peer ? peer_open(&suite, peer) : config_read(&suite, config)) && xmpp_open(&suite);
	if (ready) {
		steps_run(&suite, tally);
	} else {
		tally->failures++;
	}
	instance_drop(&suite);
	xmpp_close(&suite);
	intake_free(suite.intake);
	journal_close(suite.journal);
	config_unref(suite.config);
	if (suite.has_peer) {
		peer_stop(&suite.peer);
	}
	xylem_arena_free(suite.arena);
	nftw(suite.folder, folder_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* A peer, or a file that says in its first line why this one is tested elsewhere. */
static const char *peer_there(struct suite *suite, const char *folder)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/peer_%s.py", folder, suite->kind->name);
	if (access(path, R_OK) == 0) {
		return NULL;
	}
	snprintf(path, sizeof(path), "%s/elsewhere_%s.txt", folder, suite->kind->name);
	FILE *file = fopen(path, "r");
	if (!file) {
		return failed(suite, "peer_%s.py is missing: no connector goes without the suite",
			suite->kind->name);
	}
	bool said = fgets(suite->why, sizeof(suite->why), file) != NULL;
	suite->why[strcspn(suite->why, "\n")] = '\0';
	fclose(file);
	return said ? skip : failed(suite, "%s says nothing", path);
}

static void every_connector(const char *folder, struct tally *tally)
{
	size_t n = 0;
	const struct xylem_connector *const *kinds = registry_connectors(&n);
	for (size_t i = 0; i < n; i++) {
		struct suite suite = { .kind = kinds[i] };
		char name[100];
		suite.arena = xylem_arena_new(0);
		steps_run(&suite, tally);
		snprintf(name, sizeof(name), "%s: it has a peer", kinds[i]->name);
		const char *why = peer_there(&suite, folder);
		say(tally, name, why, suite.why);
		xylem_arena_free(suite.arena);
	}
}

/* A module is found by the registry in a folder; the suite is told its file. */
static void plugin_use(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash) {
		*slash = '\0';
	}
	setenv("XYLEM_PLUGINS", slash ? path : ".", 1);
}

int main(int argc, char **argv)
{
	const char *config = NULL, *registry = NULL;
	char **peer = NULL;
	for (int i = 1; i < argc && !peer; i++) {
		if (strcmp(argv[i], "--") == 0) {
			peer = &argv[i + 1];
		} else if (strcmp(argv[i], "--plugin") == 0 && i + 1 < argc) {
			plugin_use(argv[++i]);
		} else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
			config = argv[++i];
		} else if (strcmp(argv[i], "--registry") == 0 && i + 1 < argc) {
			registry = argv[++i];
		}
	}
	if (!config && !registry && !(peer && *peer)) {
		fprintf(stderr, "usage: contract-suite [--plugin FILE.so] (--config FILE | --registry FOLDER "
				"| -- PEER ...)\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	struct tally tally = { 0 };
	if (registry) {
		every_connector(registry, &tally);
	} else {
		one_connector(config, peer, &tally);
	}
	printf("1..%u\n", tally.count);
	return tally.failures ? 1 : 0;
}
