/* SPDX-License-Identifier: Apache-2.0 */
/* What a sink is given, and what became of it: its own results, and what the other side has. */
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <xylem/xylem.h>

#include "load.h"
#include "suite.h"

void load_make(struct suite *suite, struct load *load, size_t n)
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

void load_deliver(struct suite *suite, struct load *load)
{
	memset(load->results, 0, sizeof(load->results));
	suite->kind->deliver(suite->worker, load->pointers, load->n, load->results);
}

size_t load_count(const struct load *load, enum xylem_failure failure)
{
	size_t n = 0;
	for (size_t i = 0; i < load->n; i++) {
		n += load->results[i].failure == failure;
	}
	return n;
}

const char *load_shown(struct suite *suite, const struct load *load, const char *what)
{
	const struct xylem_result *worst = &load->results[0];
	for (size_t i = 0; i < load->n; i++) {
		if (load->results[i].failure != XYLEM_DELIVERED &&
			load->results[i].failure != XYLEM_NOT_TRIED) {
			worst = &load->results[i];
			break;
		}
	}
	return suite_failed(suite,
		"%s: %zu delivered, %zu down, %zu misconfigured, %zu busy, %zu wrong, %zu not tried; %s: %s",
		what, load_count(load, XYLEM_DELIVERED), load_count(load, XYLEM_FAILURE_DOWN),
		load_count(load, XYLEM_FAILURE_MISCONFIGURED), load_count(load, XYLEM_FAILURE_BUSY),
		load_count(load, XYLEM_FAILURE_WRONG), load_count(load, XYLEM_NOT_TRIED), worst->code,
		worst->reason.text);
}

const char *load_reasons(struct suite *suite, const struct load *load)
{
	for (size_t i = 0; i < load->n; i++) {
		const struct xylem_result *result = &load->results[i];
		bool failure = result->failure != XYLEM_DELIVERED && result->failure != XYLEM_NOT_TRIED;
		if (failure && (!result->code[0] || !result->reason.text[0])) {
			return suite_failed(suite, "message %zu failed as %s without code or reason", i,
				xylem_failure_name(result->failure));
		}
	}
	return NULL;
}

const char *load_insist(struct suite *suite, struct load *load)
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
		suite_pause(50);
	}
}

const char *load_arrived(struct suite *suite, const struct load *load)
{
	if (peer_ask(&suite->peer, PATIENCE, "wait-received %u %d", suite->made, (PATIENCE - 5) * 1000) ==
		PEER_FAILED) {
		return suite_failed(suite, "peer: %s", suite->peer.line);
	}
	for (size_t i = 0; i < load->n; i++) {
		struct xylem_span id = load->pointers[i]->id;
		if (!memmem(suite->peer.line, strlen(suite->peer.line), id.at, id.n)) {
			return suite_failed(suite, "%.*s was called delivered and is not at the other side",
				(int)id.n, id.at);
		}
	}
	return NULL;
}
