/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit: who did what to the bus, append only.
 *
 * Each record carries a SHA-256 over the hash of the record before it and its
 * own fields, each with its length, so that nobody changes, inserts or takes
 * out a record in the middle without recomputing all that follow. SQLite's
 * AUTOINCREMENT remembers the last number ever given, so that records cut off
 * at the end show as well.
 *
 * The rule not to break: records are only ever added, by one job each on the
 * commit thread, which is what makes the chain one chain. It does not protect
 * against somebody who owns the file and recomputes the chain: for that, send
 * the audit elsewhere.
 */
#include "audit.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include <base/clock.h>

#include "column.h"

#define HASH_BYTES 32
#define PAGE_MOST 1000

/* --- The chain ------------------------------------------------------------ */

struct link {
	uint64_t number;
	int64_t time_us;
	struct xylem_span fields[5]; /* who, role, operation, arguments, outcome */
};

static bool add_number(EVP_MD_CTX *context, uint64_t number)
{
	unsigned char bytes[8];
	for (int i = 0; i < 8; i++) {
		bytes[i] = (unsigned char)(number >> (56 - 8 * i));
	}
	return EVP_DigestUpdate(context, bytes, sizeof(bytes)) == 1;
}

static int hash_link(
	const unsigned char before[HASH_BYTES], const struct link *link, unsigned char ret_hash[HASH_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(context, before, HASH_BYTES) == 1 && add_number(context, link->number) &&
		    add_number(context, (uint64_t)link->time_us);
	for (size_t i = 0; good && i < 5; i++) {
		struct xylem_span field = link->fields[i];
		good = add_number(context, field.n) && EVP_DigestUpdate(context, field.at, field.n) == 1;
	}
	good = good && EVP_DigestFinal_ex(context, ret_hash, NULL) == 1;
	EVP_MD_CTX_free(context);
	return good ? 0 : -XYLEM_E_MEMORY;
}

/* The last number ever given and the hash of the last record; zeros before the first. */
static int read_tail(sqlite3 *database, uint64_t *ret_number, unsigned char ret_hash[HASH_BYTES],
	struct xylem_reason *reason)
{
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'audit'),"
		" (SELECT hash FROM audit ORDER BY number DESC LIMIT 1)",
		reason);
	int r = row ? catalogue_step_row(database, row, reason) : -XYLEM_E_INTERNAL;
	if (r < 0) {
		return r;
	}
	struct xylem_span hash = catalogue_column(row, 1);
	*ret_number = (uint64_t)sqlite3_column_int64(row, 0);
	memset(ret_hash, 0, HASH_BYTES);
	memcpy(ret_hash, hash.at ? hash.at : "", hash.n == HASH_BYTES ? HASH_BYTES : 0);
	sqlite3_reset(row);
	return 0;
}

/* --- Writing -------------------------------------------------------------- */

static int write_record(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	const struct audit_record *record = context;
	unsigned char before[HASH_BYTES], hash[HASH_BYTES];
	struct link link = { .time_us = clock_wall_us(),
		.fields = { xylem_span_of(record->who), xylem_span_of(record->role),
			xylem_span_of(record->operation), xylem_span_of(record->arguments),
			xylem_span_of(record->outcome) } };
	int r = read_tail(database, &link.number, before, reason);
	link.number++;
	r = r < 0 ? r : hash_link(before, &link, hash);
	sqlite3_stmt *insert = r < 0 ? NULL
				     : catalogue_statement(database,
					       "INSERT INTO audit (number, time_us, who, role, operation, "
					       "arguments, outcome, hash)"
					       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
					       reason);
	if (!insert) {
		return r < 0 ? r : -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(insert, 1, (int64_t)link.number);
	sqlite3_bind_int64(insert, 2, link.time_us);
	for (int i = 0; i < 5; i++) {
		catalogue_bind_text(insert, 3 + i, link.fields[i]);
	}
	catalogue_bind_blob(insert, 8, xylem_span((const char *)hash, HASH_BYTES));
	return catalogue_step_done(database, insert, reason);
}

int audit_write(struct catalogue *catalogue, const struct audit_record *record, struct xylem_reason *reason)
{
	struct audit_record copy = *record;
	return catalogue_write(catalogue, write_record, &copy, reason);
}

/* --- Reading -------------------------------------------------------------- */

struct page {
	uint64_t after;
	size_t limit;
	json_t *records;
	uint64_t next; /* 0: none */
};

static json_t *record_json(sqlite3_stmt *row)
{
	struct xylem_span text = catalogue_column(row, 5);
	json_t *arguments = json_loadb(text.at, text.n, 0, NULL);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "number", column_json(row, 0), "time",
		column_time(row, 1), "who", column_json(row, 2), "role", column_json(row, 3), "operation",
		column_json(row, 4), "arguments", arguments ? arguments : column_json(row, 5), "outcome",
		column_json(row, 6));
}

static int read_page(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct page *page = context;
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT number, time_us, who, role, operation, arguments, outcome FROM audit"
		" WHERE ?1 = 0 OR number < ?1 ORDER BY number DESC LIMIT ?2",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(row, 1, (int64_t)page->after);
	sqlite3_bind_int64(row, 2, (int64_t)page->limit + 1);
	uint64_t last = 0;
	int r;
	while ((r = catalogue_step_row(database, row, reason)) == 1) {
		if (json_array_size(page->records) == page->limit) {
			page->next = last;
			return 0;
		}
		last = (uint64_t)sqlite3_column_int64(row, 0);
		if (json_array_append_new(page->records, record_json(row)) < 0) {
			return -XYLEM_E_MEMORY;
		}
	}
	return r;
}

int audit_list(struct catalogue *catalogue, uint64_t after, size_t limit, json_t **ret_page,
	struct xylem_reason *reason)
{
	struct page page = { .after = after,
		.limit = limit > 0 && limit < PAGE_MOST ? limit : PAGE_MOST,
		.records = json_array() };
	int r = page.records ? catalogue_read(catalogue, read_page, &page, reason) : -XYLEM_E_MEMORY;
	if (r < 0) {
		json_decref(page.records);
		return r;
	}
	json_t *json = json_pack("{s:o, s:o}", "records", page.records, "next",
		page.next ? json_integer((json_int_t)page.next) : json_null());
	if (!json) {
		return -XYLEM_E_MEMORY;
	}
	*ret_page = json;
	return 0;
}

/* --- Checking ------------------------------------------------------------- */

static int check_record(
	sqlite3_stmt *row, uint64_t expected, unsigned char hash[HASH_BYTES], struct xylem_reason *reason)
{
	struct link link = { .number = (uint64_t)sqlite3_column_int64(row, 0),
		.time_us = sqlite3_column_int64(row, 1) };
	for (int i = 0; i < 5; i++) {
		link.fields[i] = catalogue_column(row, 2 + i);
	}
	unsigned char right[HASH_BYTES];
	int r = hash_link(hash, &link, right);
	if (r < 0) {
		return r;
	}
	if (link.number != expected ||
		!xylem_span_equal(catalogue_column(row, 7), xylem_span((const char *)right, HASH_BYTES))) {
		xylem_reason_set(reason,
			"audit record %llu is not what was written, or one before it is missing",
			(unsigned long long)link.number);
		return -XYLEM_E_DAMAGED;
	}
	memcpy(hash, right, HASH_BYTES);
	return 0;
}

static int check_chain(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	uint64_t given = 0, seen = 0;
	unsigned char hash[HASH_BYTES];
	int r = read_tail(database, &given, hash, reason);
	memset(hash, 0, sizeof(hash));
	sqlite3_stmt *row = r < 0 ? NULL
				  : catalogue_statement(database,
					    "SELECT number, time_us, who, role, operation, arguments, "
					    "outcome, hash FROM audit ORDER BY number",
					    reason);
	if (!row) {
		return r < 0 ? r : -XYLEM_E_INTERNAL;
	}
	while ((r = catalogue_step_row(database, row, reason)) == 1) {
		r = check_record(row, ++seen, hash, reason);
		if (r < 0) {
			return r;
		}
	}
	if (r == 0 && seen != given) {
		xylem_reason_set(reason, "the audit ends at record %llu, but %llu were written",
			(unsigned long long)seen, (unsigned long long)given);
		return -XYLEM_E_DAMAGED;
	}
	return r;
}

int audit_check(struct catalogue *catalogue, struct xylem_reason *reason)
{
	return catalogue_read(catalogue, check_chain, NULL, reason);
}
