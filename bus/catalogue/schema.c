/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the catalogue, as a list of steps.
 *
 * A step is applied once, in order; `PRAGMA user_version` says how many the
 * database has, and `application_id` that it is one of ours. To change a table
 * that was ever released, add a step at the end. All rooms' tables stand here,
 * so that one glance shows what is kept; the SQL that uses them is in the room.
 *
 * The rule not to break: a released step is never edited. Times are Unix
 * microseconds, positions are two integers, `destination` is '' where there is
 * none (so that UNIQUE sees it).
 */
#include "schema.h"

#include <stdint.h>
#include <stdio.h>

#include <base/clock.h>
#include <xylem/message.h>

#define APPLICATION_ID 0x58594c4d /* "XYLM" */

static const char *const steps[] = {
	/* 1: the bus itself and its lanes */
	"CREATE TABLE meta ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" instance TEXT NOT NULL,"
	" format INTEGER NOT NULL,"
	" created_us INTEGER NOT NULL,"
	" acknowledged_partition INTEGER NOT NULL DEFAULT 0,"
	" acknowledged_offset INTEGER NOT NULL DEFAULT 0"
	") STRICT;"

	/* A dropped lane keeps its row, so that its outcomes keep a name; the name later is a new lane. */
	"CREATE TABLE lanes ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" route TEXT NOT NULL,"
	" destination TEXT NOT NULL,"
	" cursor_partition INTEGER NOT NULL DEFAULT 0," /* first position that is not settled */
	" cursor_offset INTEGER NOT NULL DEFAULT 0,"
	" holes BLOB,"                             /* settled ones above it */
	" journal_end INTEGER NOT NULL DEFAULT 0," /* of topic lanes: scan from here for derived records */
	" generation TEXT,"
	" paused INTEGER NOT NULL DEFAULT 0,"
	" retired INTEGER NOT NULL DEFAULT 0,"
	" dropped INTEGER NOT NULL DEFAULT 0,"
	" created_us INTEGER NOT NULL"
	") STRICT;"
	"CREATE UNIQUE INDEX lanes_name ON lanes (route, destination) WHERE dropped = 0;"

	/* What a lane did with the positions [from_offset, to_offset). */
	"CREATE TABLE outcomes ("
	" lane INTEGER NOT NULL REFERENCES lanes (number),"
	" partition INTEGER NOT NULL,"
	" from_offset INTEGER NOT NULL,"
	" to_offset INTEGER NOT NULL,"
	" vector BLOB NOT NULL,"
	" PRIMARY KEY (lane, partition, from_offset)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE generations ("
	" hash TEXT PRIMARY KEY,"
	" loaded_us INTEGER NOT NULL,"
	" text BLOB NOT NULL"
	") STRICT, WITHOUT ROWID;"

	/* hash = SHA-256 over the hash before and this row's fields (bus/catalogue/audit.c). */
	"CREATE TABLE audit ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" time_us INTEGER NOT NULL,"
	" who TEXT NOT NULL,"
	" role TEXT NOT NULL,"
	" operation TEXT NOT NULL,"
	" arguments TEXT NOT NULL,"
	" outcome TEXT NOT NULL,"
	" hash BLOB NOT NULL"
	") STRICT;",

	/* 2: the hospital */
	/* `fingerprint`: hash of what the cases have in common; `pattern`: the reason without values. */
	"CREATE TABLE groups ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" fingerprint TEXT NOT NULL UNIQUE,"
	" route TEXT NOT NULL,"
	" destination TEXT NOT NULL,"
	" stage TEXT NOT NULL,"
	" code TEXT NOT NULL,"
	" pattern TEXT NOT NULL,"
	" first_us INTEGER NOT NULL,"
	" last_us INTEGER NOT NULL,"
	" failures INTEGER NOT NULL"
	") STRICT;"

	"CREATE TABLE cases ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" version INTEGER NOT NULL,"
	" state TEXT NOT NULL CHECK (state IN ('open', 'replaying', 'resolved', 'discarded')),"
	" group_number INTEGER NOT NULL REFERENCES groups (number),"
	" partition INTEGER NOT NULL," /* of the original record */
	" offset INTEGER NOT NULL,"
	" journal_us INTEGER NOT NULL,"
	" route TEXT NOT NULL,"
	" destination TEXT NOT NULL,"
	" failed_at TEXT NOT NULL," /* who refused it last: a step case may fail on one lane later */
	" stage TEXT NOT NULL,"
	" step INTEGER NOT NULL,"
	" failure TEXT NOT NULL,"
	" code TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" attempts INTEGER NOT NULL," /* of the last failure */
	" failures INTEGER NOT NULL," /* how often it failed: 1 and every replay that came back */
	" first_us INTEGER NOT NULL,"
	" last_us INTEGER NOT NULL,"
	" generation TEXT,"
	" ingress TEXT,"
	" key TEXT,"
	" id TEXT NOT NULL,"
	" source TEXT NOT NULL,"
	" type TEXT NOT NULL,"
	" subject TEXT,"
	" draft INTEGER NOT NULL DEFAULT 0," /* the draft that a replay takes; 0: none */
	" bytes INTEGER NOT NULL,"
	" UNIQUE (partition, offset, route, destination)"
	") STRICT;"
	"CREATE INDEX cases_group ON cases (group_number, number);"
	"CREATE INDEX cases_state ON cases (state, number);"

	/* Envelopes (bus/message/envelope.h); `failing` is NULL where it is the original. */
	"CREATE TABLE case_data ("
	" case_number INTEGER PRIMARY KEY REFERENCES cases (number) ON DELETE CASCADE,"
	" original BLOB NOT NULL,"
	" failing BLOB"
	") STRICT;"

	"CREATE TABLE drafts ("
	" case_number INTEGER NOT NULL REFERENCES cases (number) ON DELETE CASCADE,"
	" number INTEGER NOT NULL,"
	" step INTEGER NOT NULL," /* the stage whose data it replaces */
	" who TEXT NOT NULL,"
	" time_us INTEGER NOT NULL,"
	" data BLOB NOT NULL,"
	" PRIMARY KEY (case_number, number)"
	") STRICT, WITHOUT ROWID;"

	/* The intent, written before the journal record; `offset` is NULL until that is known to be there. */
	"CREATE TABLE replays ("
	" case_number INTEGER NOT NULL REFERENCES cases (number) ON DELETE CASCADE,"
	" number INTEGER NOT NULL,"
	" action INTEGER NOT NULL,"   /* number of the first replay that the same request made */
	" destination TEXT NOT NULL," /* '': every lane of the route */
	" step INTEGER NOT NULL,"
	" draft INTEGER NOT NULL,"
	" id TEXT NOT NULL," /* event id of the replay */
	" who TEXT NOT NULL,"
	" time_us INTEGER NOT NULL,"
	" scan_partition INTEGER NOT NULL," /* the journal's end before it */
	" scan_offset INTEGER NOT NULL,"
	" partition INTEGER,"
	" offset INTEGER,"
	" PRIMARY KEY (case_number, number)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX replays_intended ON replays (scan_offset) WHERE offset IS NULL;"

	/* What became of a replay on each lane; `superseded`: the later action that took it up again. */
	"CREATE TABLE replay_lanes ("
	" case_number INTEGER NOT NULL,"
	" number INTEGER NOT NULL,"
	" destination TEXT NOT NULL,"
	" outcome INTEGER,"
	" time_us INTEGER,"
	" code TEXT,"
	" reason TEXT,"
	" superseded INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY (case_number, number, destination),"
	" FOREIGN KEY (case_number, number) REFERENCES replays (case_number, number) ON DELETE CASCADE"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE notes ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" case_number INTEGER NOT NULL REFERENCES cases (number) ON DELETE CASCADE,"
	" kind TEXT NOT NULL," /* note, draft, replay, discard, restore, failed, resolved */
	" who TEXT NOT NULL,"
	" time_us INTEGER NOT NULL,"
	" text TEXT NOT NULL"
	") STRICT;"
	"CREATE INDEX notes_case ON notes (case_number, number);"

	/* Kept by triggers, so that asking whether there is room counts nothing. */
	"CREATE TABLE hospital_totals ("
	" state TEXT PRIMARY KEY,"
	" cases INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO hospital_totals VALUES ('open', 0, 0), ('replaying', 0, 0), ('resolved', 0, 0), "
	"('discarded', 0, 0);"
	"CREATE TRIGGER cases_added AFTER INSERT ON cases BEGIN"
	" UPDATE hospital_totals SET cases = cases + 1, bytes = bytes + new.bytes WHERE state = new.state;"
	"END;"
	"CREATE TRIGGER cases_changed AFTER UPDATE OF state, bytes ON cases BEGIN"
	" UPDATE hospital_totals SET cases = cases - 1, bytes = bytes - old.bytes WHERE state = old.state;"
	" UPDATE hospital_totals SET cases = cases + 1, bytes = bytes + new.bytes WHERE state = new.state;"
	"END;"
	"CREATE TRIGGER cases_removed AFTER DELETE ON cases BEGIN"
	" UPDATE hospital_totals SET cases = cases - 1, bytes = bytes - old.bytes WHERE state = old.state;"
	"END;",

	/* 3: topics: what clients made of them; what they are configured to is in the configuration */
	"CREATE TABLE topics ("
	" name TEXT PRIMARY KEY,"
	" created_us INTEGER NOT NULL,"
	" creator TEXT,"
	" options TEXT NOT NULL DEFAULT '{}'"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE subscriptions ("
	" topic TEXT NOT NULL,"
	" jid TEXT NOT NULL,"
	" subid TEXT NOT NULL,"
	" state TEXT NOT NULL,"
	" options TEXT NOT NULL DEFAULT '{}',"
	" created_us INTEGER NOT NULL,"
	" expires_us INTEGER,"
	" PRIMARY KEY (topic, jid, subid)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE affiliations ("
	" topic TEXT NOT NULL,"
	" jid TEXT NOT NULL,"
	" affiliation TEXT NOT NULL,"
	" PRIMARY KEY (topic, jid)"
	") STRICT, WITHOUT ROWID;",

	/* 4: which journal records are a topic's items (bus/topic/item.c) */
	"CREATE TABLE topic_items ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT," /* the order of the items */
	" topic TEXT NOT NULL,"
	" item TEXT NOT NULL," /* the event's id */
	" partition INTEGER NOT NULL,"
	" offset INTEGER NOT NULL,"
	" time_us INTEGER NOT NULL,"
	" UNIQUE (topic, item)"
	") STRICT;"
	"CREATE INDEX topic_items_order ON topic_items (topic, number);",

	/* 5: what was answered to a request with an Idempotency-Key (console/idempotency.c). */
	"CREATE TABLE idempotency ("
	" name BLOB PRIMARY KEY,"     /* SHA-256 of caller, path and key */
	" fingerprint BLOB NOT NULL," /* SHA-256 of the body */
	" time_us INTEGER NOT NULL,"
	" status INTEGER NOT NULL,"
	" answer BLOB NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX idempotency_time ON idempotency (time_us);",

	/* Who sees which address of the bus on XMPP, and whom it sees (bus/xmpp/contacts.c); '' is the domain. */
	"CREATE TABLE contacts ("
	" local TEXT NOT NULL,"
	" jid TEXT NOT NULL,"
	" watches INTEGER NOT NULL," /* they see us */
	" sight INTEGER NOT NULL,"   /* we see them: 0 no, 1 asked for, 2 granted */
	" time_us INTEGER NOT NULL,"
	" PRIMARY KEY (local, jid)"
	") STRICT, WITHOUT ROWID;"
	/* When people were last told of a group (console/xmpp/alert.c). */
	"CREATE TABLE group_alerts ("
	" group_number INTEGER PRIMARY KEY,"
	" time_us INTEGER NOT NULL"
	") STRICT;",

	/* Topics that clients make: every subscription has an id; what was retracted stays known */
	"UPDATE subscriptions SET subid = lower(hex(randomblob(8))) WHERE subid = '';"
	"CREATE TABLE topic_entries ("
	" topic TEXT NOT NULL,"
	" item TEXT NOT NULL,"      /* the event's id */
	" number INTEGER NOT NULL," /* the order of the items: that of their records */
	" partition INTEGER NOT NULL,"
	" offset INTEGER NOT NULL,"
	" time_us INTEGER NOT NULL,"
	" gone INTEGER NOT NULL DEFAULT 0," /* retracted: a lane that comes again does not enter it again */
	" PRIMARY KEY (topic, item)"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO topic_entries SELECT topic, item, offset, partition, offset, time_us, 0 FROM "
	"topic_items;"
	"DROP TABLE topic_items;"
	"CREATE INDEX topic_entries_order ON topic_entries (topic, number);"
	/* Records of a purged or deleted topic from before this place are no items any more. */
	"CREATE TABLE topic_purges ("
	" topic TEXT NOT NULL,"
	" partition INTEGER NOT NULL,"
	" offset INTEGER NOT NULL,"
	" PRIMARY KEY (topic, partition)"
	") STRICT, WITHOUT ROWID;"
	/* One lane tells the subscribers of all topics. It begins where the hindmost of theirs was. */
	"INSERT INTO lanes (route, destination, cursor_partition, cursor_offset, created_us)"
	" SELECT 'bus.topics', 'subscribers', 0, min(cursor_offset), max(created_us) FROM lanes"
	" WHERE route LIKE 'topic.%' AND destination = 'subscribers' AND dropped = 0 AND retired = 0"
	" HAVING count(*) > 0;"
	"UPDATE lanes SET dropped = 1 WHERE route LIKE 'topic.%' AND destination = 'subscribers';",

	/* Items that a topic keeps beyond their record in the journal (bus/topic/carry.c). */
	"ALTER TABLE topic_entries ADD COLUMN carried INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE topic_carried ("
	" topic TEXT NOT NULL,"
	" partition INTEGER NOT NULL,"
	" offset INTEGER NOT NULL,"
	" time_us INTEGER NOT NULL," /* of the record */
	" record BLOB NOT NULL,"
	" PRIMARY KEY (topic, partition, offset)"
	") STRICT;"
	"CREATE TABLE topic_carried_total (bytes INTEGER NOT NULL) STRICT;"
	"INSERT INTO topic_carried_total VALUES (0);"
	"CREATE TRIGGER topic_carried_added AFTER INSERT ON topic_carried BEGIN"
	" UPDATE topic_carried_total SET bytes = bytes + length(new.record);"
	"END;"
	"CREATE TRIGGER topic_carried_removed AFTER DELETE ON topic_carried BEGIN"
	" UPDATE topic_carried_total SET bytes = bytes - length(old.record);"
	"END;"
	/* A copy goes with its item: evicted, purged, retracted or replaced. */
	"CREATE TRIGGER topic_entry_removed AFTER DELETE ON topic_entries WHEN old.carried BEGIN"
	" DELETE FROM topic_carried WHERE topic = old.topic AND partition = old.partition AND offset = "
	"old.offset;"
	"END;"
	"CREATE TRIGGER topic_entry_changed AFTER UPDATE OF gone, offset ON topic_entries"
	" WHEN old.carried AND (new.gone OR new.offset <> old.offset) BEGIN"
	" DELETE FROM topic_carried WHERE topic = old.topic AND partition = old.partition AND offset = "
	"old.offset;"
	"END;",

	/* 6: who or what paused a lane */
	"ALTER TABLE lanes ADD COLUMN paused_why TEXT NOT NULL DEFAULT '';",

	/* Since when an address answers notifications with errors that stay (bus/topic/refusal.c). */
	"CREATE TABLE subscriber_refusals ("
	" jid TEXT PRIMARY KEY,"
	" first_us INTEGER NOT NULL,"
	" condition TEXT NOT NULL"
	") STRICT, WITHOUT ROWID;",

	/* 8: since when a route is what it is (bus/trace/generation.c); `generations` was never written */
	"DROP TABLE generations;"
	"CREATE TABLE route_generations ("
	" route TEXT NOT NULL,"
	" since_us INTEGER NOT NULL,"
	" hash BLOB NOT NULL," /* of from, where and steps with their files */
	" PRIMARY KEY (route, since_us)"
	") STRICT, WITHOUT ROWID;",
	/*
	 * 9: what a topic's items cost: an index that says too what is gone, and no trigger for each row that
	 * goes; who removes rows removes their copies (bus/topic/carry.c).
	 */
	"DROP INDEX topic_entries_order;"
	"CREATE INDEX topic_entries_order ON topic_entries (topic, number, gone);"
	"DROP TRIGGER topic_entry_removed;",
};
#define STEP_COUNT ((int)(sizeof(steps) / sizeof(steps[0])))

static int read_number(
	struct connection *connection, const char *sql, int64_t *ret_number, struct xylem_reason *reason)
{
	sqlite3_stmt *statement;
	int r = sqlite3_prepare_v2(connection_database(connection), sql, -1, &statement, NULL);
	if (r == SQLITE_OK) {
		r = sqlite3_step(statement);
		*ret_number = sqlite3_column_int64(statement, 0);
	}
	sqlite3_finalize(statement);
	if (r != SQLITE_ROW) {
		xylem_reason_set(
			reason, "catalogue: %s: %s", sql, sqlite3_errmsg(connection_database(connection)));
		return connection_error(r);
	}
	return 0;
}

static int apply(struct connection *connection, int number, struct xylem_reason *reason)
{
	char version[64];
	snprintf(version, sizeof(version), "PRAGMA user_version = %d", number);
	int r = connection_execute(connection, "BEGIN IMMEDIATE", reason);
	if (r == 0) {
		r = connection_execute(connection, steps[number - 1], reason);
	}
	if (r == 0) {
		r = connection_execute(connection, version, reason);
	}
	if (r == 0) {
		r = connection_execute(connection, "COMMIT", reason);
	}
	if (r < 0) {
		connection_execute(connection, "ROLLBACK", NULL);
	}
	return r;
}

/* The one row that says who we are. Made once, after step 1. */
static int introduce(struct connection *connection, struct xylem_reason *reason)
{
	char instance[XYLEM_UUID_SIZE], sql[256];
	snprintf(sql, sizeof(sql),
		"INSERT OR IGNORE INTO meta (one, instance, format, created_us) VALUES (1, '%s', 1, %lld)",
		xylem_uuid_new(instance), (long long)clock_wall_us());
	return connection_execute(connection, sql, reason);
}

static int check_ours(struct connection *connection, int64_t version, struct xylem_reason *reason)
{
	int64_t application, tables;
	int r = read_number(connection, "PRAGMA application_id", &application, reason);
	if (r == 0) {
		r = read_number(connection, "SELECT count(*) FROM sqlite_schema", &tables, reason);
	}
	if (r < 0) {
		return r;
	}
	if (application != APPLICATION_ID && (tables > 0 || version != 0)) {
		xylem_reason_set(reason,
			"catalogue: this SQLite database was not made by xylemd (application id %lld); "
			"give the bus a data folder of its own",
			(long long)application);
		return -XYLEM_E_DAMAGED;
	}
	if (version > STEP_COUNT) {
		xylem_reason_set(reason,
			"catalogue: made by a newer xylemd (schema %lld, this one knows %d); "
			"run the newer program",
			(long long)version, STEP_COUNT);
		return -XYLEM_E_DAMAGED;
	}
	return 0;
}

int schema_apply(struct connection *connection, struct xylem_reason *reason)
{
	int64_t version;
	int r = read_number(connection, "PRAGMA user_version", &version, reason);
	if (r == 0) {
		r = check_ours(connection, version, reason);
	}
	if (r == 0 && version == 0) {
		char sql[64];
		snprintf(sql, sizeof(sql), "PRAGMA application_id = %d", APPLICATION_ID);
		r = connection_execute(connection, sql, reason);
	}
	for (int number = (int)version + 1; r == 0 && number <= STEP_COUNT; number++) {
		r = apply(connection, number, reason);
	}
	return r == 0 ? introduce(connection, reason) : r;
}
