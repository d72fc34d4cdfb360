/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the lanes in the catalogue: name, cursor, holes, flags.
 */
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <route/lane_record.h>

void lane_record_finish(struct lane_record *record)
{
	if (record) {
		xylem_buffer_finish(&record->holes);
	}
}

struct loading {
	struct lane_record *records;
	size_t n, room;
};

static int load_row(struct loading *loading, sqlite3_stmt *row)
{
	if (loading->n == loading->room) {
		size_t room = loading->room ? loading->room * 2 : 16;
		struct lane_record *records = realloc(loading->records, room * sizeof(*records));
		if (!records) {
			return -XYLEM_E_MEMORY;
		}
		loading->records = records;
		loading->room = room;
	}
	struct lane_record *record = &loading->records[loading->n++];
	*record = (struct lane_record){ .number = (uint32_t)sqlite3_column_int64(row, 0) };
	snprintf(record->route, sizeof(record->route), "%s", (const char *)sqlite3_column_text(row, 1));
	snprintf(record->destination, sizeof(record->destination), "%s",
		(const char *)sqlite3_column_text(row, 2));
	record->cursor.partition = (uint32_t)sqlite3_column_int64(row, 3);
	record->cursor.offset = (uint64_t)sqlite3_column_int64(row, 4);
	xylem_buffer_append(
		&record->holes, sqlite3_column_blob(row, 5), (size_t)sqlite3_column_bytes(row, 5));
	record->journal_end = (uint64_t)sqlite3_column_int64(row, 6);
	record->paused = sqlite3_column_int(row, 7);
	record->retired = sqlite3_column_int(row, 8);
	snprintf(record->paused_why, sizeof(record->paused_why), "%s",
		(const char *)sqlite3_column_text(row, 9));
	return xylem_buffer_failed(&record->holes) ? -XYLEM_E_MEMORY : 0;
}

static int load_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct loading *loading = context;
	sqlite3_stmt *rows = catalogue_statement(database,
		"SELECT number, route, destination, cursor_partition, cursor_offset, holes, journal_end, "
		"paused, retired,"
		" paused_why FROM lanes WHERE dropped = 0 ORDER BY number",
		reason);
	if (!rows) {
		return -XYLEM_E_IO;
	}
	int error = 0;
	int step;
	while (!error && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		error = load_row(loading, rows);
	}
	if (!error && step != SQLITE_DONE) {
		xylem_reason_set(reason, "reading the lanes: %s", sqlite3_errmsg(database));
		error = -XYLEM_E_IO;
	}
	return error;
}

int lane_records_load(struct catalogue *catalogue, struct lane_record **ret_records, size_t *ret_n,
	struct xylem_reason *reason)
{
	struct loading loading = { 0 };
	int error = catalogue_read(catalogue, load_work, &loading, reason);
	if (error) {
		for (size_t i = 0; i < loading.n; i++) {
			lane_record_finish(&loading.records[i]);
		}
		free(loading.records);
		return error;
	}
	*ret_records = loading.records;
	*ret_n = loading.n;
	return 0;
}

static int create_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct lane_record *record = context;
	sqlite3_stmt *insert = catalogue_statement(database,
		"INSERT INTO lanes (route, destination, cursor_partition, cursor_offset, journal_end, "
		"created_us)"
		" VALUES (?, ?, ?, ?, ?, ?)",
		reason);
	if (!insert) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_text(insert, 1, record->route, -1, SQLITE_STATIC);
	sqlite3_bind_text(insert, 2, record->destination, -1, SQLITE_STATIC);
	sqlite3_bind_int64(insert, 3, record->cursor.partition);
	sqlite3_bind_int64(insert, 4, (sqlite3_int64)record->cursor.offset);
	sqlite3_bind_int64(insert, 5, (sqlite3_int64)record->journal_end);
	sqlite3_bind_int64(insert, 6, clock_wall_us());
	int error = catalogue_step_done(database, insert, reason);
	if (!error) {
		record->number = (uint32_t)sqlite3_last_insert_rowid(database);
	}
	return error;
}

int lane_record_create(struct catalogue *catalogue, struct lane_record *record, struct xylem_reason *reason)
{
	return catalogue_write(catalogue, create_work, record, reason);
}

struct mark {
	uint32_t number;
	const char *why; /* NULL: resumed */
	bool retired;
};

static int pause_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	const struct mark *mark = context;
	return lane_record_pause(database, mark->number, mark->why, reason);
}

int lane_record_set_paused(
	struct catalogue *catalogue, uint32_t number, const char *why, struct xylem_reason *reason)
{
	struct mark mark = { .number = number, .why = why };
	return catalogue_write(catalogue, pause_work, &mark, reason);
}

static int retire_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	const struct mark *mark = context;
	sqlite3_stmt *update = catalogue_statement(
		database, "UPDATE lanes SET retired = ? WHERE number = ?", reason);
	if (!update) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int(update, 1, mark->retired);
	sqlite3_bind_int64(update, 2, mark->number);
	return catalogue_step_done(database, update, reason);
}

int lane_record_set_retired(
	struct catalogue *catalogue, uint32_t number, bool retired, struct xylem_reason *reason)
{
	struct mark mark = { .number = number, .retired = retired };
	return catalogue_write(catalogue, retire_work, &mark, reason);
}

static int drop_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	sqlite3_stmt *update = catalogue_statement(
		database, "UPDATE lanes SET dropped = 1, holes = NULL WHERE number = ?", reason);
	if (!update) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int64(update, 1, *(const uint32_t *)context);
	return catalogue_step_done(database, update, reason);
}

int lane_record_drop(struct catalogue *catalogue, uint32_t number, struct xylem_reason *reason)
{
	return catalogue_write(catalogue, drop_work, &number, reason);
}

int lane_record_write(sqlite3 *database, uint32_t number, struct xylem_position cursor,
	struct xylem_span holes, uint64_t journal_end, struct xylem_reason *reason)
{
	sqlite3_stmt *update = catalogue_statement(database,
		"UPDATE lanes SET cursor_partition = ?, cursor_offset = ?, holes = ?, journal_end = ? WHERE "
		"number = ?",
		reason);
	if (!update) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int64(update, 1, cursor.partition);
	sqlite3_bind_int64(update, 2, (sqlite3_int64)cursor.offset);
	if (holes.n > 0) {
		sqlite3_bind_blob64(update, 3, holes.at, holes.n, SQLITE_STATIC);
	}
	sqlite3_bind_int64(update, 4, (sqlite3_int64)journal_end);
	sqlite3_bind_int64(update, 5, number);
	return catalogue_step_done(database, update, reason);
}

int lane_record_pause(sqlite3 *database, uint32_t number, const char *why, struct xylem_reason *reason)
{
	sqlite3_stmt *update = catalogue_statement(
		database, "UPDATE lanes SET paused = ?, paused_why = ? WHERE number = ?", reason);
	if (!update) {
		return -XYLEM_E_IO;
	}
	sqlite3_bind_int(update, 1, why != NULL);
	sqlite3_bind_text(update, 2, why ? why : "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(update, 3, number);
	return catalogue_step_done(database, update, reason);
}
