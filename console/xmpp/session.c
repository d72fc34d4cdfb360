/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of commands: a bounded array; the oldest that nobody is at gives way. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <base/clock.h>
#include <console/xmpp/session.h>
#include <xylem/error.h>

#define KEY 32
#define RANDOM 16
#define MARK 16

struct sessions {
	pthread_mutex_t lock;
	unsigned char key[KEY];
	struct session *list[SESSIONS_MOST];
	size_t n;
};

struct sessions *sessions_new(void)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));
	if (sessions != NULL) {
		pthread_mutex_init(&sessions->lock, NULL);
		if (RAND_bytes(sessions->key, KEY) != 1) {
			return sessions_free(sessions);
		}
	}
	return sessions;
}

static struct session *session_free(struct session *session)
{
	if (session != NULL) {
		free(session->owner);
		json_decref(session->arguments);
		free(session);
	}
	return NULL;
}

struct sessions *sessions_free(struct sessions *sessions)
{
	if (sessions != NULL) {
		while (sessions->n > 0) {
			session_free(sessions->list[--sessions->n]);
		}
		pthread_mutex_destroy(&sessions->lock);
		free(sessions);
	}
	return NULL;
}

/* The parts cannot be taken for one another: no address holds a line feed. */
static char *owner_of(struct xylem_span from, struct xylem_span to, struct xylem_span node)
{
	size_t size = from.n + to.n + node.n + 3;
	char *owner = malloc(size);
	if (owner != NULL) {
		snprintf(owner, size, "%.*s\n%.*s\n%.*s", (int)from.n, from.at, (int)to.n, to.at, (int)node.n,
			node.at);
	}
	return owner;
}

static void write_hex(char *to, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		snprintf(to + 2 * i, 3, "%02x", bytes[i]);
	}
}

/* The second half of an id: what only we can make of the first and the owner. */
static bool write_mark(const struct sessions *sessions, const char *random, const char *owner, char *to)
{
	unsigned char text[SESSION_ID], mac[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE];
	unsigned n = 0, key_n = 0;
	memcpy(text, random, 2 * RANDOM);
	bool ok = HMAC(EVP_sha256(), sessions->key, KEY, text, 2 * RANDOM, key, &key_n) != NULL &&
		  HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)owner, strlen(owner), mac, &n) !=
			  NULL;
	if (ok) {
		write_hex(to, mac, MARK);
	}
	return ok;
}

/* --- The table, under the lock --------------------------------------------------- */

static void drop(struct sessions *sessions, size_t i)
{
	session_free(sessions->list[i]);
	sessions->list[i] = sessions->list[--sessions->n];
}

/* `from` NULL: of anybody. */
static bool drop_oldest(struct sessions *sessions, const char *from, size_t n)
{
	size_t oldest = SESSIONS_MOST;
	for (size_t i = 0; i < sessions->n; i++) {
		const struct session *session = sessions->list[i];
		bool wanted = !session->busy && (from == NULL || strncmp(session->owner, from, n) == 0);
		if (wanted &&
			(oldest == SESSIONS_MOST || session->used_us < sessions->list[oldest]->used_us)) {
			oldest = i;
		}
	}
	if (oldest < SESSIONS_MOST) {
		drop(sessions, oldest);
	}
	return oldest < SESSIONS_MOST;
}

static void drop_expired(struct sessions *sessions)
{
	int64_t now = clock_mono_us();
	for (size_t i = sessions->n; i-- > 0;) {
		if (!sessions->list[i]->busy && now - sessions->list[i]->used_us > SESSION_US) {
			drop(sessions, i);
		}
	}
}

/* Room for one more of whoever the owner's first line names. */
static bool make_room(struct sessions *sessions, const char *owner)
{
	size_t n = strcspn(owner, "\n") + 1, own = 0;
	drop_expired(sessions);
	for (size_t i = 0; i < sessions->n; i++) {
		own += strncmp(sessions->list[i]->owner, owner, n) == 0;
	}
	if (own >= SESSIONS_OF_ONE && !drop_oldest(sessions, owner, n)) {
		return false;
	}
	return sessions->n < SESSIONS_MOST || drop_oldest(sessions, NULL, 0);
}

/* --- Sessions ---------------------------------------------------------------------- */

struct session *sessions_begin(
	struct sessions *sessions, struct xylem_span from, struct xylem_span to, struct xylem_span node)
{
	unsigned char random[RANDOM];
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL || (session->owner = owner_of(from, to, node)) == NULL ||
		(session->arguments = json_object()) == NULL || RAND_bytes(random, RANDOM) != 1) {
		return session_free(session);
	}
	write_hex(session->id, random, RANDOM);
	if (!write_mark(sessions, session->id, session->owner, session->id + 2 * RANDOM)) {
		return session_free(session);
	}
	session->used_us = clock_mono_us();
	session->busy = true;
	pthread_mutex_lock(&sessions->lock);
	bool room = make_room(sessions, session->owner);
	if (room) {
		sessions->list[sessions->n++] = session;
	}
	pthread_mutex_unlock(&sessions->lock);
	return room ? session : session_free(session);
}

static bool is_ours(const struct sessions *sessions, struct xylem_span id, const char *owner)
{
	char mark[SESSION_ID];
	return id.n == SESSION_ID - 1 && write_mark(sessions, id.at, owner, mark) &&
	       CRYPTO_memcmp(mark, id.at + 2 * RANDOM, 2 * MARK) == 0;
}

int sessions_take(struct sessions *sessions, struct xylem_span id, struct xylem_span from,
	struct xylem_span to, struct xylem_span node, struct session **ret_session)
{
	char *owner = owner_of(from, to, node);
	if (owner == NULL) {
		return -XYLEM_E_MEMORY;
	}
	int error = is_ours(sessions, id, owner) ? -XYLEM_E_GONE : -XYLEM_E_NOT_FOUND;
	free(owner);
	pthread_mutex_lock(&sessions->lock);
	drop_expired(sessions);
	for (size_t i = 0; error == -XYLEM_E_GONE && i < sessions->n; i++) {
		struct session *session = sessions->list[i];
		if (xylem_span_is(id, session->id)) {
			error = session->busy ? -XYLEM_E_BUSY : 0;
			if (error == 0) {
				session->busy = true;
				*ret_session = session;
			}
			break;
		}
	}
	pthread_mutex_unlock(&sessions->lock);
	return error;
}

void sessions_put(struct sessions *sessions, struct session *session)
{
	pthread_mutex_lock(&sessions->lock);
	session->used_us = clock_mono_us();
	session->busy = false;
	pthread_mutex_unlock(&sessions->lock);
}

void sessions_end(struct sessions *sessions, struct session *session)
{
	pthread_mutex_lock(&sessions->lock);
	for (size_t i = 0; i < sessions->n; i++) {
		if (sessions->list[i] == session) {
			drop(sessions, i);
			break;
		}
	}
	pthread_mutex_unlock(&sessions->lock);
}

void sessions_leave(struct sessions *sessions, const char *from)
{
	size_t n = strlen(from);
	pthread_mutex_lock(&sessions->lock);
	for (size_t i = sessions->n; i-- > 0;) {
		const struct session *session = sessions->list[i];
		if (!session->busy && strncmp(session->owner, from, n) == 0 && session->owner[n] == '\n') {
			drop(sessions, i);
		}
	}
	pthread_mutex_unlock(&sessions->lock);
}
