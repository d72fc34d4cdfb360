/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list under one lock; a receipt comes seldom enough for looking through it.
 * The lock is held while the delivery is told, so that dropping waits for that.
 */
#include <connectors/xmpp_awaited.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/hash.h>

#define LATE 256

struct word {
	struct word *next;
	struct delivery *delivery;
	size_t i;
	char *from;
	char id[64];
};

struct awaited {
	pthread_mutex_t lock;
	struct word *words;
	uint64_t late[LATE]; /* hashes of id and sender; 0: none */
	size_t late_next;
};

struct awaited *awaited_new(void)
{
	struct awaited *awaited = calloc(1, sizeof(*awaited));
	if (awaited != NULL) {
		pthread_mutex_init(&awaited->lock, NULL);
	}
	return awaited;
}

static void word_free(struct word *word)
{
	free(word->from);
	free(word);
}

struct awaited *awaited_free(struct awaited *awaited)
{
	if (awaited != NULL) {
		while (awaited->words != NULL) {
			struct word *word = awaited->words;
			awaited->words = word->next;
			word_free(word);
		}
		pthread_mutex_destroy(&awaited->lock);
		free(awaited);
	}
	return NULL;
}

int awaited_add(
	struct awaited *awaited, struct delivery *delivery, size_t i, const char *id, const char *from)
{
	struct word *word = calloc(1, sizeof(*word));
	if (word == NULL || (word->from = strdup(from)) == NULL) {
		free(word);
		return -XYLEM_E_MEMORY;
	}
	word->delivery = delivery;
	word->i = i;
	snprintf(word->id, sizeof(word->id), "%s", id);
	pthread_mutex_lock(&awaited->lock);
	word->next = awaited->words;
	awaited->words = word;
	pthread_mutex_unlock(&awaited->lock);
	return 0;
}

/* Never 0. */
static uint64_t hash_of(struct xylem_span id, const char *from)
{
	return (hash_bytes(id.at, id.n) * 31 + hash_bytes(from, strlen(from))) | 1;
}

bool awaited_came(struct awaited *awaited, const char *id, const char *from)
{
	uint64_t hash = hash_of(xylem_span_of(id), from);
	bool found = false;

	pthread_mutex_lock(&awaited->lock);
	for (size_t i = 0; i < LATE; i++) {
		if (awaited->late[i] == hash) {
			awaited->late[i] = 0;
			found = true;
		}
	}
	pthread_mutex_unlock(&awaited->lock);
	return found;
}

/* Under the lock: tells all who wait for it, and takes them out. `outcome` NULL: it came. */
static bool tell(
	struct awaited *awaited, struct xylem_span id, const char *from, const struct link_outcome *outcome)
{
	bool found = false;

	for (struct word **at = &awaited->words; *at != NULL;) {
		struct word *word = *at;
		if (!xylem_span_is(id, word->id) || strcmp(from, word->from) != 0) {
			at = &word->next;
			continue;
		}
		if (outcome == NULL) {
			delivery_met(word->delivery, word->i);
		} else {
			delivery_refused(word->delivery, word->i, outcome);
		}
		found = true;
		*at = word->next;
		word_free(word);
	}
	return found;
}

bool awaited_met(struct awaited *awaited, struct xylem_span id, const char *from)
{
	pthread_mutex_lock(&awaited->lock);
	bool found = tell(awaited, id, from, NULL);
	if (!found) {
		awaited->late[awaited->late_next++ % LATE] = hash_of(id, from);
	}
	pthread_mutex_unlock(&awaited->lock);
	return found;
}

bool awaited_refused(
	struct awaited *awaited, struct xylem_span id, const char *from, const struct link_outcome *outcome)
{
	pthread_mutex_lock(&awaited->lock);
	bool found = tell(awaited, id, from, outcome);
	pthread_mutex_unlock(&awaited->lock);
	return found;
}

void awaited_drop(struct awaited *awaited, struct delivery *delivery)
{
	pthread_mutex_lock(&awaited->lock);
	for (struct word **at = &awaited->words; *at != NULL;) {
		struct word *word = *at;
		if (word->delivery == delivery) {
			*at = word->next;
			word_free(word);
		} else {
			at = &word->next;
		}
	}
	pthread_mutex_unlock(&awaited->lock);
}
