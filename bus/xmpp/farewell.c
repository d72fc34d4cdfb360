/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goodbye for a bus that could not say it: no server tells contacts that a
 * component is gone, so they would see it as well for ever. The contacts are
 * read by a connection of its own, because the catalogue's start would check
 * every byte of it, which is not what the dead need.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <base/clock.h>
#include <xmpp/farewell.h>
#include <xmpp/stanza.h>

struct farewell {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool up;
	char why[256];
};

static void on_stanza(void *context, const struct xml_node *stanza, int violation)
{
}

static void on_changed(void *context, bool up, const char *why)
{
	struct farewell *farewell = context;
	pthread_mutex_lock(&farewell->lock);
	farewell->up = up;
	snprintf(farewell->why, sizeof(farewell->why), "%s", why != NULL ? why : "");
	pthread_cond_signal(&farewell->changed);
	pthread_mutex_unlock(&farewell->lock);
}

static int wait_up(struct farewell *farewell, int64_t deadline, struct xylem_reason *reason)
{
	struct timespec ts = clock_timespec(deadline);
	pthread_mutex_lock(&farewell->lock);
	while (!farewell->up && clock_mono_us() < deadline) {
		pthread_cond_clockwait(&farewell->changed, &farewell->lock, CLOCK_MONOTONIC, &ts);
	}
	bool up = farewell->up;
	if (!up) {
		xylem_reason_set(reason, "no connection: %s", farewell->why);
	}
	pthread_mutex_unlock(&farewell->lock);
	return up ? 0 : -XYLEM_E_TIMEOUT;
}

/* `domain`, or `local@domain/bus` as presence_show.c has it. */
static void write_goodbye(struct xylem_buffer *out, const char *domain, const char *local, const char *jid)
{
	char from[2048];
	snprintf(from, sizeof(from), "%.1000s%s%.1000s%s", local, local[0] != '\0' ? "@" : "", domain,
		local[0] != '\0' ? "/bus" : "");
	xylem_buffer_clear(out);
	stanza_open(out, "presence", "unavailable", xylem_span_of(from), xylem_span_of(jid), XYLEM_SPAN_NONE);
	xylem_buffer_text(out, "/>");
}

static int tell(struct link *link, const char *domain, sqlite3_stmt *row, int64_t deadline, size_t *told,
	struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	int error = 0;
	while (error == 0 && sqlite3_step(row) == SQLITE_ROW) {
		write_goodbye(&out, domain, (const char *)sqlite3_column_text(row, 0),
			(const char *)sqlite3_column_text(row, 1));
		error = link_wait_room(link, deadline, NULL);
		error = error != 0 ? error : link_send(link, xylem_buffer_borrow(&out), NULL, reason);
		*told += error == 0;
	}
	return error;
}

static int open_contacts(
	const char *path, sqlite3 **ret_database, sqlite3_stmt **ret_row, struct xylem_reason *reason)
{
	int r = sqlite3_open_v2(path, ret_database, SQLITE_OPEN_READWRITE, NULL);
	if (r == SQLITE_OK) {
		r = sqlite3_prepare_v2(*ret_database,
			"SELECT local, jid FROM contacts WHERE watches = 1 ORDER BY local, jid", -1, ret_row,
			NULL);
	}
	if (r != SQLITE_OK) {
		xylem_reason_set(reason, "%s: %s", path, sqlite3_errmsg(*ret_database));
		return -XYLEM_E_IO;
	}
	return 0;
}

static int log_in_and_tell(struct farewell *farewell, const struct xmpp_options *options, sqlite3_stmt *row,
	int64_t timeout_us, size_t *told, struct xylem_reason *reason)
{
	const struct link_options link_options = { .server = options->server,
		.domain = options->domain,
		.secret = options->secret,
		.max_stanza = options->max_stanza,
		.stanza = on_stanza,
		.changed = on_changed,
		.context = farewell };
	struct link *link = NULL;
	int64_t deadline = clock_mono_us() + timeout_us;
	int error = link_new(&link, &link_options, reason);
	error = error != 0 ? error : link_start(link, reason);
	error = error != 0 ? error : wait_up(farewell, deadline, reason);
	error = error != 0 ? error : tell(link, options->domain, row, deadline, told, reason);
	link_stop(link, deadline - clock_mono_us() > 0 ? deadline - clock_mono_us() : 0);
	link_free(link);
	return error;
}

int xmpp_farewell(const char *path, const struct xmpp_options *options, int64_t timeout_us, size_t *ret_told,
	struct xylem_reason *reason)
{
	struct farewell farewell = { .up = false };
	sqlite3 *database = NULL;
	sqlite3_stmt *row = NULL;
	size_t told = 0;

	pthread_mutex_init(&farewell.lock, NULL);
	pthread_cond_init(&farewell.changed, NULL);
	int error = open_contacts(path, &database, &row, reason);
	error = error != 0 ? error : log_in_and_tell(&farewell, options, row, timeout_us, &told, reason);
	sqlite3_finalize(row);
	sqlite3_close(database);
	pthread_mutex_destroy(&farewell.lock);
	pthread_cond_destroy(&farewell.changed);
	*ret_told = told;
	return error;
}
