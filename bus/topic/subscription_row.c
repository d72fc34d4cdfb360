/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscriptions as rows of the catalogue: written one by one, read at the start
 * all at once, a roster a topic. Temporary ones do not outlive the process that
 * saw their subscribers online.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <topic/state.h>
#include <topic/subscription_row.h>
#include <xylem/json.h>

void subscription_name(char ret_subid[TOPIC_SUBID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[8] = { 0 };

	/* Without entropy ids could repeat, which only the same address would notice. */
	(void)!getrandom(bytes, sizeof(bytes), 0);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ret_subid[2 * i] = digits[bytes[i] >> 4];
		ret_subid[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_subid[16] = '\0';
}

/* --- Options -------------------------------------------------------------- */

static void write_options(struct xylem_buffer *out, const struct topic_subscription_options *options)
{
	xylem_buffer_format(out, "{\"deliver\":%d,\"body\":%d,\"temporary\":%d,\"show\":%u}",
		options->deliver, options->body, options->temporary, options->show);
}

static int64_t number_of(struct xylem_span json, const char *name, int64_t missing)
{
	int64_t number = missing;
	struct xylem_span value = xylem_json_member(json, xylem_span_of(name));
	return xylem_span_present(value) && xylem_json_int64(value, &number) == 0 ? number : missing;
}

static void read_options(struct xylem_span json, struct topic_subscription_options *options)
{
	struct xylem_reason ignored;
	size_t offset;
	topic_subscription_default(options);
	if (xylem_json_check(json, &offset, &ignored) == 0) {
		options->deliver = number_of(json, "deliver", 1) != 0;
		options->body = number_of(json, "body", 0) != 0;
		options->temporary = number_of(json, "temporary", 0) != 0;
		options->show = (unsigned)number_of(json, "show", 0);
	}
}

/* --- Writing -------------------------------------------------------------- */

static int write_row(sqlite3 *database, struct change *change, const char *sql, struct xylem_reason *reason)
{
	XYLEM_BUFFER_SCOPED options = { 0 };
	sqlite3_stmt *statement = catalogue_statement(database, sql, reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	write_options(&options, &change->subscriber.options);
	sqlite3_bind_text(statement, 1, change->topic, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, change->jid, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, change->subscriber.subid, -1, SQLITE_STATIC);
	sqlite3_bind_text(
		statement, 4, change->subscriber.pending ? "pending" : "subscribed", -1, SQLITE_STATIC);
	catalogue_bind_text(statement, 5, xylem_buffer_borrow(&options));
	sqlite3_bind_int64(statement, 6, change->time_us);
	if (change->subscriber.options.expires_us > 0) {
		sqlite3_bind_int64(statement, 7, change->subscriber.options.expires_us);
	}
	return catalogue_step_done(database, statement, reason);
}

int subscription_write(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	static const char *const first =
		"INSERT INTO subscriptions (topic, jid, subid, state, options, created_us, expires_us) "
		"SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS "
		"(SELECT 1 FROM subscriptions WHERE topic = ?1 AND jid = ?2)";
	static const char *const any =
		"INSERT INTO subscriptions (topic, jid, subid, state, options, created_us, expires_us) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET state = ?4, options = ?5, "
		"expires_us = ?7";
	int error = change_check_topic(database, change, reason);
	error = error != 0 ? error : write_row(database, change, change->flag ? first : any, reason);
	change->flag = change->flag && sqlite3_changes(database) == 0;
	return error;
}

int subscription_delete(sqlite3 *database, struct change *change, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(
		database, "DELETE FROM subscriptions WHERE topic = ?1 AND jid = ?2 AND subid = ?3", reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, change->topic, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, change->jid, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, change->subscriber.subid, -1, SQLITE_STATIC);
	return catalogue_step_done(database, statement, reason);
}

/* --- At start ------------------------------------------------------------- */

/* The subscribers of one topic while they are read. */
struct reading {
	struct topics *topics;
	struct xylem_arena *arena;
	char *topic;
	struct subscriber *items;
	size_t n, room;
};

static int finish_topic(struct reading *reading)
{
	if (reading->n == 0) {
		return 0;
	}
	struct node *node = topics_node(reading->topics, reading->topic);
	struct roster *roster = node == NULL ? NULL : roster_new(reading->items, reading->n);
	reading->n = 0;
	xylem_arena_reset(reading->arena);
	if (roster == NULL) {
		return -XYLEM_E_MEMORY;
	}
	roster_unref(node->roster);
	node->roster = roster;
	return 0;
}

static bool make_room(struct reading *reading)
{
	if (reading->n < reading->room) {
		return true;
	}
	size_t room = reading->room == 0 ? 64 : reading->room * 2;
	struct subscriber *items = realloc(reading->items, room * sizeof(*items));
	reading->items = items != NULL ? items : reading->items;
	reading->room = items != NULL ? room : reading->room;
	return items != NULL;
}

static int read_row(struct reading *reading, sqlite3_stmt *statement)
{
	struct xylem_span topic = catalogue_column(statement, 0), subid = catalogue_column(statement, 2);
	int error = reading->n > 0 && !xylem_span_is(topic, reading->topic) ? finish_topic(reading) : 0;
	if (error == 0 && reading->n == 0) {
		reading->topic = xylem_arena_text(reading->arena, topic);
	}
	char *jid = xylem_arena_text(reading->arena, catalogue_column(statement, 1));
	if (error != 0 || reading->topic == NULL || jid == NULL || !make_room(reading)) {
		return -XYLEM_E_MEMORY;
	}
	struct subscriber *one = &reading->items[reading->n++];
	*one = (struct subscriber){ .jid = jid };
	memcpy(one->subid, subid.at, subid.n < TOPIC_SUBID_SIZE ? subid.n : TOPIC_SUBID_SIZE - 1);
	one->pending = xylem_span_is(catalogue_column(statement, 3), "pending");
	read_options(catalogue_column(statement, 4), &one->options);
	/* Nobody saw the subscribers of temporary ones since: they end at the first tick, and are told. */
	one->options.expires_us = one->options.temporary ? 1 : sqlite3_column_int64(statement, 5);
	return 0;
}

static int load(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct reading *reading = context;
	sqlite3_stmt *statement = catalogue_statement(database,
		"SELECT topic, jid, subid, state, options, expires_us FROM subscriptions "
		"ORDER BY topic, jid, subid",
		reason);
	int step = statement == NULL ? -XYLEM_E_IO : 1;
	while (step == 1 && (step = catalogue_step_row(database, statement, reason)) == 1) {
		step = read_row(reading, statement) == 0 ? 1 : -XYLEM_E_MEMORY;
	}
	return step == 0 ? finish_topic(reading) : step;
}

int subscriptions_load(struct topics *topics, struct xylem_reason *reason)
{
	struct reading reading = { .topics = topics, .arena = xylem_arena_new(0) };
	if (reading.arena == NULL) {
		return -XYLEM_E_MEMORY;
	}
	int error = catalogue_read(topics->bus.catalogue, load, &reading, reason);
	xylem_arena_free(reading.arena);
	free(reading.items);
	topics->next_expiry_us = 1; /* the first tick looks */
	return error;
}
