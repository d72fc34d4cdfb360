/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items that outlive their record. A topic with `max_items` or `item_expire`
 * keeps items for as long as it says, the journal keeps records for as long as
 * its retention says. So when a segment is about to go, what topics still keep
 * of it is copied into the catalogue, and then the segment is let go. The row
 * of the item stays as it is (its order, its time, its place in the journal, which
 * is its id in the archive); only the record is found elsewhere.
 *
 * The rule not to break: a segment is let go after the COMMIT of all its copies.
 * A crash before it copies again what was not copied yet.
 *
 * What it does not do: nothing is appended to the journal, so no lane sees
 * a carried item again (docs/decisions/0090-kept-items-are-copied.md). A copy goes
 * in the transaction in which its item goes: a row that changes (retracted, replaced)
 * has a trigger for it in the catalogue, who deletes rows calls copies_drop().
 */
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <base/crash.h>
#include <message/envelope.h>
#include <topic/state.h>
#include <xylem/log.h>

#define ITEMS_AT_ONCE 256U
#define BYTES_AT_ONCE ((size_t)1 << 20)
#define TOPICS_AT_ONCE 200U
#define CARRIED_MOST ((int64_t)1 << 30) /* bytes, of all topics */

struct copy {
	struct xylem_position position;
	int64_t time_us;
	struct xylem_span record; /* absent: the journal does not have it */
};

/* A step: some items of one topic. */
struct batch {
	struct topics *topics;
	struct xylem_arena *arena;
	char topic[TOPIC_NAME_SIZE];
	int64_t from_us; /* older ones have expired */
	struct copy copies[ITEMS_AT_ONCE];
	size_t n, bytes;
	bool more; /* the topic may have others */
	uint64_t carried, left;
};

/* --- Which ---------------------------------------------------------------- */

static bool keeps(const struct node *node)
{
	const struct topic_settings *settings = &node->settings;
	return node_exists(node) && settings->persist && (settings->max_items > 0 || settings->expire_s > 0);
}

/* The topic to go on with; false: all are done. */
static bool next_topic(struct topics *topics, struct batch *batch)
{
	struct carry *carry = &topics->carry;

	pthread_mutex_lock(&topics->lock);
	size_t i = topics_place(topics, carry->topic);
	while (i < topics->node_count &&
		(!keeps(topics->nodes[i]) ||
			(carry->topic_done && strcmp(topics->nodes[i]->name, carry->topic) == 0))) {
		i++;
	}
	bool found = i < topics->node_count;
	if (found) {
		const struct node *node = topics->nodes[i];
		if (strcmp(node->name, carry->topic) != 0) {
			carry->number = -1;
		}
		snprintf(carry->topic, sizeof(carry->topic), "%s", node->name);
		memcpy(batch->topic, carry->topic, sizeof(batch->topic));
		carry->topic_done = false;
		batch->from_us = node->settings.expire_s > 0
					 ? clock_wall_us() - node->settings.expire_s * 1000000
					 : 0;
	}
	pthread_mutex_unlock(&topics->lock);
	return found;
}

static int select_items(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct batch *batch = context;
	const struct carry *carry = &batch->topics->carry;
	sqlite3_stmt *statement = catalogue_statement(database,
		"SELECT partition, offset FROM topic_entries WHERE topic = ?1 AND number > ?2 AND number < "
		"?3 "
		"AND partition = ?4 AND gone = 0 AND carried = 0 AND time_us >= ?5 ORDER BY number LIMIT ?6",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, batch->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, carry->number);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)carry->before.offset);
	sqlite3_bind_int64(statement, 4, carry->before.partition);
	sqlite3_bind_int64(statement, 5, batch->from_us);
	sqlite3_bind_int64(statement, 6, ITEMS_AT_ONCE);
	int step;
	while ((step = catalogue_step_row(database, statement, reason)) == 1) {
		batch->copies[batch->n++].position = (struct xylem_position){ (uint32_t)sqlite3_column_int64(
										      statement, 0),
			(uint64_t)sqlite3_column_int64(statement, 1) };
	}
	batch->more = batch->n == ITEMS_AT_ONCE;
	return step;
}

/* --- Copying -------------------------------------------------------------- */

static int copy_record(struct batch *batch, struct copy *copy, const struct xylem_message *message)
{
	size_t n = envelope_size(message);
	char *bytes = xylem_arena_zero(batch->arena, n);
	if (bytes == NULL) {
		return -XYLEM_E_MEMORY;
	}
	envelope_write(message, bytes);
	copy->record = xylem_span(bytes, n);
	copy->time_us = message->journal_time_us;
	batch->bytes += n;
	return 0;
}

/* Reads the records; those beyond BYTES_AT_ONCE are left to the next step. */
static int read_records(struct batch *batch)
{
	struct journal_batch *records = journal_batch_new();
	int error = records == NULL ? -XYLEM_E_MEMORY : 0;
	for (size_t i = 0; i < batch->n && error == 0; i++) {
		if (batch->bytes >= BYTES_AT_ONCE) {
			batch->n = i;
			batch->more = true;
			break;
		}
		error = journal_get(batch->topics->bus.journal, batch->copies[i].position, records);
		if (error == 0) {
			error = copy_record(batch, &batch->copies[i], &records->messages[0]);
		} else if (error != -XYLEM_E_IO && error != -XYLEM_E_MEMORY) {
			error = 0; /* gone or damaged: there is nothing to copy */
		}
	}
	journal_batch_free(records);
	return error;
}

static int read_total(sqlite3 *database, int64_t *ret_bytes, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(
		database, "SELECT bytes FROM topic_carried_total", reason);
	int step = statement == NULL ? -XYLEM_E_IO : catalogue_step_row(database, statement, reason);
	*ret_bytes = step == 1 ? sqlite3_column_int64(statement, 0) : 0;
	return step < 0 ? step : 0;
}

static sqlite3_stmt *bound(sqlite3 *database, const char *sql, const struct batch *batch,
	struct xylem_position position, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, sql, reason);
	if (statement != NULL) {
		sqlite3_bind_text(statement, 1, batch->topic, -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 2, position.partition);
		sqlite3_bind_int64(statement, 3, (sqlite3_int64)position.offset);
	}
	return statement;
}

static int write_copy(
	sqlite3 *database, struct batch *batch, const struct copy *copy, struct xylem_reason *reason)
{
	/* Only what is still that item: it may have been retracted or replaced since it was read. */
	sqlite3_stmt *statement = bound(database,
		"UPDATE topic_entries SET carried = 1 WHERE topic = ?1 AND number = ?3 AND partition = ?2 "
		"AND "
		"offset = ?3 AND gone = 0 AND carried = 0",
		batch, copy->position, reason);
	int error = statement == NULL ? -XYLEM_E_IO : catalogue_step_done(database, statement, reason);
	if (error != 0 || sqlite3_changes(database) == 0) {
		return error;
	}
	statement = bound(database,
		"INSERT INTO topic_carried (topic, partition, offset, time_us, record) VALUES (?1, ?2, ?3, "
		"?4, ?5) "
		"ON CONFLICT DO NOTHING",
		batch, copy->position, reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int64(statement, 4, copy->time_us);
	catalogue_bind_blob(statement, 5, copy->record);
	batch->carried++;
	return catalogue_step_done(database, statement, reason);
}

int copies_drop(sqlite3 *database, const char *topic, int64_t number, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(
		database, "DELETE FROM topic_carried WHERE topic = ?1 AND offset <= ?2", reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, number);
	return catalogue_step_done(database, statement, reason);
}

static int remove_older(
	sqlite3 *database, const char *sql, const struct batch *batch, struct xylem_reason *reason)
{
	sqlite3_stmt *statement = catalogue_statement(database, sql, reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, batch->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, batch->from_us);
	return catalogue_step_done(database, statement, reason);
}

/* Copies of items that have expired are of no use to anybody. */
static int remove_expired(sqlite3 *database, const struct batch *batch, struct xylem_reason *reason)
{
	int error = remove_older(database,
		"DELETE FROM topic_entries WHERE topic = ?1 AND carried = 1 AND time_us < ?2", batch, reason);
	return error != 0
		       ? error
		       : remove_older(database, "DELETE FROM topic_carried WHERE topic = ?1 AND time_us < ?2",
				 batch, reason);
}

static int write_copies(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct batch *batch = context;
	int64_t total = 0;

	batch->carried = batch->left = 0;
	int error = batch->from_us > 0 ? remove_expired(database, batch, reason) : 0;
	error = error != 0 ? error : read_total(database, &total, reason);
	for (size_t i = 0; i < batch->n && error == 0; i++) {
		const struct copy *copy = &batch->copies[i];
		total += (int64_t)copy->record.n;
		if (xylem_span_present(copy->record) && total <= CARRIED_MOST) {
			error = write_copy(database, batch, copy, reason);
		} else {
			batch->left++;
		}
	}
	return error;
}

static int carry_batch(struct topics *topics, struct batch *batch, struct xylem_reason *reason)
{
	struct carry *carry = &topics->carry;
	int error = catalogue_read(topics->bus.catalogue, select_items, batch, reason);
	error = error != 0 ? error : read_records(batch);
	if (error == 0 && batch->n > 0) {
		error = catalogue_write(topics->bus.catalogue, write_copies, batch, reason);
	}
	if (error == 0) {
		carry->number = batch->n > 0 ? (int64_t)batch->copies[batch->n - 1].position.offset
					     : carry->number;
		carry->topic_done = !batch->more;
		carry->carried += batch->carried;
		carry->left += batch->left;
	}
	if (batch->carried > 0) {
		crash_point("carried");
	}
	return error;
}

/* --- Steps ---------------------------------------------------------------- */

static void finish(struct topics *topics)
{
	struct carry *carry = &topics->carry;

	if (carry->carried > 0) {
		xylem_log(XYLEM_LOG_INFO, "topics",
			"%lu items that topics keep were copied out of journal segments that go",
			(unsigned long)carry->carried);
	}
	if (carry->left > 0) {
		xylem_log(XYLEM_LOG_WARNING, "topics",
			"%lu items that topics would keep go with their journal segment: they are damaged, "
			"or the copies have reached %ld bytes; lower max_items, or raise journal.retain",
			(unsigned long)carry->left, (long)CARRIED_MOST);
	}
	carry->active = false;
	journal_let_go(topics->bus.journal, carry->before);
}

static bool begin(struct topics *topics)
{
	struct carry *carry = &topics->carry;
	struct xylem_position before;

	if (!carry->active && journal_leaving(topics->bus.journal, &before)) {
		*carry = (struct carry){
			.active = true, .before = before, .number = -1, .failing = carry->failing
		};
	}
	return carry->active;
}

/* Said once, until it works again. */
static void say_failed(struct carry *carry, int error, const struct xylem_reason *reason)
{
	if (error != 0 && !carry->failing) {
		xylem_log(XYLEM_LOG_WARNING, "topics",
			"items of %s cannot be copied, so their journal segment stays: %s", carry->topic,
			reason->text[0] != '\0' ? reason->text : xylem_error_row(error)->text);
	}
	carry->failing = error != 0;
}

bool topics_carry(struct topics *topics)
{
	if (!begin(topics)) {
		return false;
	}
	struct xylem_reason reason = { "" };
	struct xylem_arena *arena = xylem_arena_new(0);
	struct batch *batch = arena == NULL ? NULL : xylem_arena_zero(arena, sizeof(*batch));
	int error = batch == NULL ? -XYLEM_E_MEMORY : 0;
	for (size_t i = 0; i < TOPICS_AT_ONCE && error == 0 && batch->n == 0; i++) {
		*batch = (struct batch){ .topics = topics, .arena = arena };
		if (!next_topic(topics, batch)) {
			finish(topics);
			break;
		}
		error = carry_batch(topics, batch, &reason);
	}
	xylem_arena_free(arena);
	say_failed(&topics->carry, error, &reason);
	return error == 0;
}

/* --- Retrieving ----------------------------------------------------------- */

struct wanted {
	const char *topic;
	struct xylem_position position;
	struct xylem_arena *arena;
	struct xylem_message message;
};

static int read_copy(struct wanted *wanted, sqlite3_stmt *statement)
{
	struct xylem_span record = xylem_arena_copy(wanted->arena, catalogue_column(statement, 1));
	size_t n = envelope_extensions(record);
	struct xylem_extension *room = xylem_arena_zero(wanted->arena, (n + 1) * sizeof(*room));
	wanted->message = (struct xylem_message){ .position = wanted->position,
		.journal_time_us = sqlite3_column_int64(statement, 0) };
	return record.at == NULL || room == NULL ? -XYLEM_E_MEMORY
						 : envelope_read(record, &wanted->message, room);
}

static int select_copy(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct wanted *wanted = context;
	sqlite3_stmt *statement = catalogue_statement(database,
		"SELECT time_us, record FROM topic_carried WHERE topic = ?1 AND partition = ?2 AND offset = "
		"?3",
		reason);
	if (statement == NULL) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(statement, 1, wanted->topic, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, wanted->position.partition);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)wanted->position.offset);
	int step = catalogue_step_row(database, statement, reason);
	return step < 0 ? step : step == 0 ? -XYLEM_E_NOT_FOUND : read_copy(wanted, statement);
}

int item_carried(struct topics *topics, const char *topic, struct xylem_position position,
	struct xylem_arena *arena, struct xylem_message *ret_message)
{
	struct xylem_reason reason = { "" };
	struct wanted wanted = { .topic = topic, .position = position, .arena = arena };
	int error = catalogue_read(topics->bus.catalogue, select_copy, &wanted, &reason);
	if (error == 0) {
		*ret_message = wanted.message;
	}
	return error;
}
