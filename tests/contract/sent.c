/* SPDX-License-Identifier: Apache-2.0 */
/* What a source's other side was told to send, what of it came into the journal, and what was acknowledged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <journal/journal.h>
#include <xylem/xylem.h>

#include "sent.h"
#include "suite.h"

const char *sent_begin(struct suite *suite, size_t n, struct sent *sent)
{
	switch (peer_ask(&suite->peer, PATIENCE, "send %zu", n)) {
	case PEER_OK:
		break;
	case PEER_NO:
		suite_failed(suite, "the peer cannot send");
		return suite_skip;
	default:
		return suite_failed(suite, "peer: %s", suite->peer.line);
	}
	memset(sent, 0, sizeof(*sent));
	for (char *rest = suite->peer.line, *word; sent->n < n && (word = strsep(&rest, " "));) {
		if (*word) {
			snprintf(sent->names[sent->n++], sizeof(sent->names[0]), "%s", word);
		}
	}
	return sent->n == n ? NULL : suite_failed(suite, "the peer names %zu tags of %zu", sent->n, n);
}

/* Marks the tag that the message carries; false for one that nobody sent, or one out of order. */
static bool sent_mark(struct sent *sent, const struct xylem_message *message)
{
	for (size_t i = 0; i < sent->n; i++) {
		if (!memmem(message->data.at, message->data.n, sent->names[i], strlen(sent->names[i]))) {
			continue;
		}
		for (size_t k = 0; k < i; k++) {
			if (!sent->seen[k]) {
				return false;
			}
		}
		sent->seen[i] = true;
		return true;
	}
	return false;
}

static bool sent_whole(const struct sent *sent)
{
	for (size_t i = 0; i < sent->n; i++) {
		if (!sent->seen[i]) {
			return false;
		}
	}
	return true;
}

const char *sent_arrived(struct suite *suite, struct sent *sent)
{
	struct journal_batch *batch = journal_batch_new();
	struct journal_waiter *waiter = journal_waiter_new(suite->journal);
	int64_t end = clock_mono_us() + PATIENCE * SECOND;
	const char *why = NULL;
	while (!why && !sent_whole(sent)) {
		if (journal_read(suite->journal, suite->read, 100, 1 << 20, batch)) {
			why = suite_failed(suite, "the journal cannot be read");
		}
		for (size_t i = 0; !why && i < batch->n; i++) {
			if (!sent_mark(sent, &batch->messages[i])) {
				why = suite_failed(suite,
					"in the journal, but not sent, or out of order: %.*s",
					(int)(batch->messages[i].data.n < 200 ? batch->messages[i].data.n
									      : 200),
					batch->messages[i].data.at);
			}
		}
		suite->read = batch->n ? batch->next : suite->read;
		if (!why && batch->n == 0) {
			if (clock_mono_us() > end) {
				why = suite_failed(suite, "not all that was sent came into the journal");
			} else {
				journal_wait(waiter, suite->read, clock_mono_us() + SECOND);
			}
		}
	}
	journal_waiter_free(waiter);
	journal_batch_free(batch);
	return why;
}

void sent_catch_up(struct suite *suite)
{
	suite->read = journal_end(suite->journal);
}

bool sent_nothing(struct suite *suite)
{
	struct xylem_position end = journal_end(suite->journal);
	return end.offset == suite->read.offset;
}

const char *sent_acknowledged(struct suite *suite, size_t n, int milliseconds, size_t *ret_n)
{
	if (peer_ask(&suite->peer, PATIENCE + milliseconds / 1000, "wait-acked %zu %d", n, milliseconds) !=
		PEER_OK) {
		return suite_failed(suite, "peer: %s", suite->peer.line);
	}
	*ret_n = strtoul(suite->peer.line, NULL, 10);
	return NULL;
}

const char *sent_acknowledged_all(struct suite *suite, size_t n)
{
	size_t got = 0;
	const char *why = sent_acknowledged(suite, n, (PATIENCE - 5) * 1000, &got);
	return why || got >= n ? why : suite_failed(suite, "%zu of %zu were acknowledged", got, n);
}
