/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idempotency keys. What runs now is a short list in memory; what was answered
 * is a table of the catalogue. A crash between doing and keeping the answer
 * means that a repetition does it again: the promise is "at least once", as
 * for messages, and the window is one commit.
 *
 * The rule not to break: an answer of one caller is never shown to another;
 * the caller is part of the name.
 */
#include <pthread.h>
#include <stdlib.h>

#include <openssl/sha.h>

#include <base/clock.h>
#include <console/idempotency.h>
#include <xylem/log.h>

struct running {
	unsigned char name[32];
	struct running *next;
};

struct idempotency {
	struct catalogue *catalogue;
	pthread_mutex_t lock;
	struct running *running;
};

struct idempotency *idempotency_new(struct catalogue *catalogue)
{
	struct idempotency *idempotency = calloc(1, sizeof(*idempotency));
	if (idempotency) {
		idempotency->catalogue = catalogue;
		pthread_mutex_init(&idempotency->lock, NULL);
	}
	return idempotency;
}

struct idempotency *idempotency_free(struct idempotency *idempotency)
{
	if (!idempotency) {
		return NULL;
	}
	while (idempotency->running) {
		struct running *next = idempotency->running->next;
		free(idempotency->running);
		idempotency->running = next;
	}
	pthread_mutex_destroy(&idempotency->lock);
	free(idempotency);
	return NULL;
}

int idempotency_key(const char *header, struct xylem_span *ret_key, struct xylem_reason *reason)
{
	size_t n = strlen(header);
	if (n >= 2 && header[0] == '"' && header[n - 1] == '"') {
		header++;
		n -= 2;
	}
	bool plain = n > 0 && n <= IDEMPOTENCY_KEY_MAX;
	for (size_t i = 0; plain && i < n; i++) {
		plain = header[i] > ' ' && header[i] < 0x7f && header[i] != '"';
	}
	if (!plain) {
		xylem_reason_set(reason,
			"Idempotency-Key is 1 to %d visible ASCII characters, in quotes or without",
			IDEMPOTENCY_KEY_MAX);
		return -XYLEM_E_INVALID;
	}
	*ret_key = xylem_span(header, n);
	return 0;
}

void idempotency_name(struct idempotency_request *ret_request, const char *caller, const char *path,
	struct xylem_span key, struct xylem_span body)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	xylem_buffer_format(&text, "%s\n%s\n", caller, path); /* neither has a line break: checked before */
	xylem_buffer_span(&text, key);
	SHA256((const unsigned char *)text.bytes, text.n, ret_request->name);
	SHA256((const unsigned char *)body.at, body.n, ret_request->fingerprint);
}

/* --- What runs now --------------------------------------------------------- */

static int enter(struct idempotency *idempotency, const struct idempotency_request *request)
{
	int error = 0;
	struct running *entry = malloc(sizeof(*entry));
	if (!entry) {
		return -XYLEM_E_MEMORY;
	}
	memcpy(entry->name, request->name, sizeof(entry->name));
	pthread_mutex_lock(&idempotency->lock);
	for (const struct running *other = idempotency->running; other && !error; other = other->next) {
		error = memcmp(other->name, entry->name, sizeof(entry->name)) == 0 ? -XYLEM_E_CONFLICT : 0;
	}
	if (!error) {
		entry->next = idempotency->running;
		idempotency->running = entry;
	}
	pthread_mutex_unlock(&idempotency->lock);
	if (error) {
		free(entry);
	}
	return error;
}

static void leave(struct idempotency *idempotency, const struct idempotency_request *request)
{
	pthread_mutex_lock(&idempotency->lock);
	for (struct running **at = &idempotency->running; *at; at = &(*at)->next) {
		if (memcmp((*at)->name, request->name, sizeof(request->name)) == 0) {
			struct running *gone = *at;
			*at = gone->next;
			free(gone);
			break;
		}
	}
	pthread_mutex_unlock(&idempotency->lock);
}

/* --- What was answered --------------------------------------------------------- */

struct answer {
	const struct idempotency_request *request;
	bool found, same_body;
	int status;
	struct xylem_buffer *out;
	struct xylem_span text;
};

static int look_up(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct answer *answer = context;
	sqlite3_stmt *select = catalogue_statement(database,
		"SELECT fingerprint, status, answer FROM idempotency WHERE name = ? AND time_us > ?", reason);
	if (!select) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_blob(select, 1, answer->request->name, 32, SQLITE_STATIC);
	sqlite3_bind_int64(select, 2, clock_wall_us() - IDEMPOTENCY_KEEP_US);
	answer->found = sqlite3_step(select) == SQLITE_ROW;
	if (answer->found) {
		answer->same_body = sqlite3_column_bytes(select, 0) == 32 &&
				    memcmp(sqlite3_column_blob(select, 0), answer->request->fingerprint,
					    32) == 0;
		answer->status = sqlite3_column_int(select, 1);
		xylem_buffer_append(
			answer->out, sqlite3_column_blob(select, 2), (size_t)sqlite3_column_bytes(select, 2));
	}
	sqlite3_reset(select);
	return 0;
}

static int keep(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	const struct answer *answer = context;
	sqlite3_stmt *forget = catalogue_statement(
		database, "DELETE FROM idempotency WHERE time_us <= ?", reason);
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT OR REPLACE INTO idempotency (name, fingerprint, time_us, status, answer) "
		"VALUES (?, ?, ?, ?, ?)",
		reason);
	if (!forget || !insert) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int64(forget, 1, clock_wall_us() - IDEMPOTENCY_KEEP_US);
	int error = catalogue_step_done(database, forget, reason);
	sqlite3_bind_blob(insert, 1, answer->request->name, 32, SQLITE_STATIC);
	sqlite3_bind_blob(insert, 2, answer->request->fingerprint, 32, SQLITE_STATIC);
	sqlite3_bind_int64(insert, 3, clock_wall_us());
	sqlite3_bind_int(insert, 4, answer->status);
	sqlite3_bind_blob(insert, 5, answer->text.at, (int)answer->text.n, SQLITE_STATIC);
	return error ? error : catalogue_step_done(database, insert, reason);
}

int idempotency_begin(struct idempotency *idempotency, const struct idempotency_request *request,
	int *ret_status, struct xylem_buffer *out, struct xylem_reason *reason)
{
	int error = enter(idempotency, request);
	if (error) {
		xylem_reason_set(
			reason, error == -XYLEM_E_CONFLICT
					? "the first request with this Idempotency-Key is still running"
					: "no memory");
		return error;
	}
	struct answer answer = { .request = request, .out = out };
	error = catalogue_read(idempotency->catalogue, look_up, &answer, reason);
	if (!error && !answer.found) {
		return 0;
	}
	leave(idempotency, request);
	if (error) {
		return error;
	}
	if (!answer.same_body) {
		xylem_reason_set(reason, "this Idempotency-Key was used with another body");
		return -XYLEM_E_UNPROCESSABLE;
	}
	*ret_status = answer.status;
	return 1;
}

void idempotency_end(struct idempotency *idempotency, const struct idempotency_request *request, int status,
	struct xylem_span text)
{
	if (status < 500 && status != 429) {
		struct answer answer = { .request = request, .status = status, .text = text };
		struct xylem_reason reason;
		if (catalogue_write(idempotency->catalogue, keep, &answer, &reason)) {
			xylem_log(XYLEM_LOG_WARNING, "console", "an Idempotency-Key is not kept: %s",
				reason.text);
		}
	}
	leave(idempotency, request);
}
