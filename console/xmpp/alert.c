/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Word of a new group in the hospital, as a chat message with the words that
 * act on it: to the operators who are online; if none is, to all of them, and
 * their servers keep it. At most one for each group and hour.
 *
 * A group is new when nothing else of it is in the hospital. That it was told
 * is written down first: a crash then costs a message, and never repeats one.
 * Cases wait while the link is down.
 */
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <console/xmpp/face_body.h>
#include <xmpp/presence.h>
#include <xylem/log.h>

#define HOUR_US 3600000000LL

/* What is said of a group. */
struct word {
	uint64_t number; /* of the case */
	bool wanted;
	int64_t group;
	char route[128], destination[128], stage[128], code[64], reason[400], id[200];
};

/* --- Is it new? On the catalogue's thread ------------------------------------------ */

static int read_number(sqlite3 *database, const char *sql, int64_t a, int64_t b, int64_t *ret_number,
	struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(database, sql, reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, a);
	sqlite3_bind_int64(row, 2, b);
	int r = catalogue_step_row(database, row, reason);
	*ret_number = r == 1 ? sqlite3_column_int64(row, 0) : 0;
	sqlite3_reset(row);
	return r < 0 ? r : 0;
}

static void copy(char *to, size_t size, sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	snprintf(to, size, "%s", text ? text : "");
}

static int read_case(sqlite3 *database, struct word *word, struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT group_number, route, failed_at, stage, code, reason, id FROM cases"
		" WHERE number = ?1 AND state IN ('open', 'replaying')",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, (int64_t)word->number);
	int r = catalogue_step_row(database, row, reason);
	if (r == 1) {
		word->group = sqlite3_column_int64(row, 0);
		copy(word->route, sizeof(word->route), row, 1);
		copy(word->destination, sizeof(word->destination), row, 2);
		copy(word->stage, sizeof(word->stage), row, 3);
		copy(word->code, sizeof(word->code), row, 4);
		copy(word->reason, sizeof(word->reason), row, 5);
		copy(word->id, sizeof(word->id), row, 6);
	}
	sqlite3_reset(row);
	return r;
}

static int write_told(sqlite3 *database, int64_t group, int64_t now, struct xylem_reason *reason)
{
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT OR REPLACE INTO group_alerts (group_number, time_us) VALUES (?1, ?2)", reason);
	if (!insert) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, group);
	sqlite3_bind_int64(insert, 2, now);
	return catalogue_step_done(database, insert, reason);
}

static int decide(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct word *word = context;
	int64_t told = 0, others = 0, now = clock_wall_us();
	int r = read_case(database, word, reason);
	if (r != 1) {
		return r;
	}
	r = read_number(database, "SELECT max(time_us) FROM group_alerts WHERE group_number = ?1 AND ?2 = 0",
		word->group, 0, &told, reason);
	r = r ? r
	      : read_number(database,
			"SELECT count(*) FROM cases WHERE group_number = ?1 AND number < ?2"
			" AND state IN ('open', 'replaying')",
			word->group, (int64_t)word->number, &others, reason);
	word->wanted = !r && others == 0 && (told == 0 || told > now || now - told >= HOUR_US);
	return word->wanted ? write_told(database, word->group, now, reason) : r;
}

/* --- Telling -------------------------------------------------------------------------- */

static void write_text(struct xylem_buffer *out, const struct word *word)
{
	unsigned long long number = (unsigned long long)word->number;
	xylem_buffer_format(out, "New in the hospital: %s%s%s, %s, %s: %s\n", word->route,
		word->destination[0] ? "/" : "", word->destination, word->stage, word->code, word->reason);
	xylem_buffer_format(
		out, "Case %llu, group %lld, message %s.\n", number, (long long)word->group, word->id);
	xylem_buffer_format(out,
		"show %llu | replay %llu | discard %llu | cases group=%lld | replay group %lld", number,
		number, number, (long long)word->group, (long long)word->group);
}

static void told(void *context, const struct link_outcome *outcome)
{
}

static void send(struct face *face, const char *jid, const char *id, struct xylem_span text)
{
	XYLEM_BUFFER_SCOPED out = { 0 };
	struct link *link = xmpp_service_link(face->service);
	const struct outbox_track track = { id, jid, told, face };
	struct xylem_reason reason;
	stanza_open(&out, "message", "chat", xylem_span_of(link_domain(link)), xylem_span_of(jid),
		xylem_span_of(id));
	xylem_buffer_text(&out, "><body>");
	xml_escape_words(&out, text);
	xylem_buffer_text(&out, "</body></message>");
	int error = link_send(link, xylem_buffer_borrow(&out), &track, &reason);
	if (error) {
		xylem_log(XYLEM_LOG_WARNING, "xmpp", "%s was not told of a new group in the hospital: %s",
			jid, reason.text);
	}
}

/* Those who may act: `online` only, or all. How many. */
static size_t tell(struct face *face, const struct word *word, bool online)
{
	XYLEM_BUFFER_SCOPED text = { 0 };
	char id[64];
	size_t n = 0;
	struct config *config = bus_config(face->bus);
	const struct config_view *view = config_view(config);
	snprintf(id, sizeof(id), "group-%lld-%llu", (long long)word->group, (unsigned long long)word->number);
	write_text(&text, word);
	for (size_t i = 0; i < view->user_count; i++) {
		const struct config_user *user = &view->users[i];
		for (size_t j = 0; user->role >= ROLE_OPERATOR && j < user->jids.n; j++) {
			const char *jid = user->jids.items[j];
			if (jid[0] != '@' &&
				(!online || xmpp_presence_of(face->service, jid) == PRESENCE_ONLINE)) {
				send(face, jid, id, xylem_buffer_borrow(&text));
				n++;
			}
		}
	}
	config_unref(config);
	return n;
}

static void look_at(struct face *face, uint64_t number)
{
	struct word word = { .number = number };
	struct xylem_reason reason = { "" };
	if (catalogue_write(bus_catalogue(face->bus), decide, &word, &reason) == 0 && word.wanted &&
		tell(face, &word, true) == 0) {
		tell(face, &word, false);
	}
}

/* --- The queue --------------------------------------------------------------------------- */

/* The oldest; false: none, and the work has ended. */
static bool next_case(struct face *face, uint64_t *ret_number)
{
	pthread_mutex_lock(&face->alerts_lock);
	bool more = face->case_count > 0;
	face->alerting = more;
	if (more) {
		*ret_number = face->cases[0];
		memmove(face->cases, face->cases + 1, --face->case_count * sizeof(face->cases[0]));
	}
	pthread_mutex_unlock(&face->alerts_lock);
	return more;
}

static void run(struct work *work)
{
	struct face *face = (struct face *)(void *)((char *)work - offsetof(struct face, alert_work));
	uint64_t number;
	while (next_case(face, &number)) {
		look_at(face, number);
	}
}

void face_case(struct face *face, uint64_t number)
{
	pthread_mutex_lock(&face->alerts_lock);
	if (face->case_count < ALERTS_WAITING) {
		face->cases[face->case_count++] = number;
	}
	pthread_mutex_unlock(&face->alerts_lock);
	xmpp_presence_wake(face->service);
}

void alert_flush(struct face *face)
{
	struct link_state link;
	link_state(xmpp_service_link(face->service), &link);
	pthread_mutex_lock(&face->alerts_lock);
	bool wanted = link.up && face->case_count > 0 && !face->alerting;
	face->alerting = face->alerting || wanted;
	pthread_mutex_unlock(&face->alerts_lock);
	if (wanted) {
		face->alert_work.run = run;
		if (workers_submit(face->workers, &face->alert_work) != 0) {
			pthread_mutex_lock(&face->alerts_lock);
			face->alerting = false;
			pthread_mutex_unlock(&face->alerts_lock);
		}
	}
}
