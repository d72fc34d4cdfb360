/* SPDX-License-Identifier: Apache-2.0 */
/* The vector of outcomes: what goes in comes out, in few bytes, and no bytes can hurt the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <trace/outcome.h>

#define MILLISECOND 1000
#define NOW 1795200000123000

static uint64_t seed = 20261121;

static uint64_t chance(uint64_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % below;
}

static void assert_entry(const struct outcome_entry *got, const struct outcome_entry *want)
{
	assert_int_equal(got->offset, want->offset);
	assert_int_equal(got->outcome, want->outcome);
	assert_int_equal(got->attempts, want->attempts);
	assert_int_equal(got->begun_us, want->begun_us / 1000 * 1000);
	assert_int_equal(got->settled_us, want->settled_us / 1000 * 1000);
	assert_int_equal(got->case_number, want->case_number);
	assert_int_equal(got->handle.offset, want->handle.offset);
	assert_int_equal(got->handle.partition, want->handle.offset ? want->handle.partition : 0);
}

static void assert_vector(const struct outcome_vector *vector, const struct outcome_entry *entries, size_t n)
{
	struct outcome_reader reader;
	outcome_reader_init(&reader, xylem_buffer_borrow(&vector->bytes));
	struct outcome_entry entry;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(outcome_read(&reader, &entry), 1);
		assert_entry(&entry, &entries[i]);
	}
	assert_int_equal(outcome_read(&reader, &entry), 0);
	assert_int_equal(outcome_read(&reader, &entry), 0);
}

static void names_go_both_ways(void **state)
{
	for (enum outcome i = OUTCOME_DELIVERED; i <= OUTCOME_DIVERTED; i++) {
		enum outcome back;
		assert_int_equal(outcome_by_name(outcome_name(i), &back), 0);
		assert_int_equal(back, i);
	}
	enum outcome untouched = OUTCOME_EXPIRED;
	assert_int_equal(outcome_by_name("lost", &untouched), -XYLEM_E_INVALID);
	assert_int_equal(untouched, OUTCOME_EXPIRED);
	assert_string_equal(outcome_name(0), "unknown");
	assert_string_equal(outcome_name(99), "unknown");
}

static void an_empty_vector_has_no_entries(void **state)
{
	struct outcome_vector vector = { 0 };
	assert_vector(&vector, NULL, 0);
	outcome_vector_finish(&vector);
	outcome_vector_finish(NULL);
}

/* A batch delivered as a whole is one entry and one run, however long. */
static void equal_outcomes_are_a_run(void **state)
{
	struct outcome_vector vector = { 0 };
	static struct outcome_entry entries[10000];
	for (size_t i = 0; i < 10000; i++) {
		entries[i] = (struct outcome_entry){ 77 + i, OUTCOME_DELIVERED, 1, NOW, NOW + 3 * MILLISECOND,
			0 };
		outcome_vector_add(&vector, &entries[i]);
	}
	assert_int_equal(vector.count, 10000);
	assert_in_range(vector.bytes.n, 1, 20);
	assert_vector(&vector, entries, 10000);
	outcome_vector_finish(&vector);
}

/* A batch that another bus took as a whole has its handles there in a row. */
static void handles_in_a_row_are_a_run(void **state)
{
	struct outcome_vector vector = { 0 };
	static struct outcome_entry entries[10000];
	for (size_t i = 0; i < 10000; i++) {
		entries[i] = (struct outcome_entry){ 77 + i, OUTCOME_DELIVERED, 1, NOW, NOW, 0,
			{ 3, 40001 + i + (i >= 5000 ? 7 : 0) } };
		outcome_vector_add(&vector, &entries[i]);
	}
	assert_in_range(vector.bytes.n, 1, 40);
	assert_vector(&vector, entries, 10000);
	outcome_vector_finish(&vector);
}

static struct outcome_entry after(const struct outcome_entry *last)
{
	struct outcome_entry entry = *last;
	entry.offset += chance(10) ? 1 : 1 + chance(1000000);
	entry.case_number = 0;
	entry.handle.offset += entry.handle.offset != 0;
	if (chance(3)) {
		return entry;
	}
	entry.outcome = 1 + chance(7);
	entry.attempts = chance(3) ? 1 : (uint32_t)chance(1u << 31);
	entry.begun_us = last->begun_us + (int64_t)chance(100000) - 20000;
	entry.settled_us = entry.begun_us + (int64_t)chance(1000000) - 1000;
	if (entry.outcome == OUTCOME_HOSPITALISED) {
		entry.case_number = chance(100000);
	}
	entry.handle = (struct xylem_position){ (uint32_t)chance(3), chance(2) ? chance(1u << 30) : 0 };
	return entry;
}

static void any_entries_come_back(void **state)
{
	struct outcome_vector vector = { 0 };
	static struct outcome_entry entries[500];
	for (int round = 0; round < 200; round++) {
		outcome_vector_clear(&vector);
		struct outcome_entry last = { chance(1u << 30), OUTCOME_DELIVERED, 1, NOW, NOW, 0 };
		for (size_t i = 0; i < 500; i++) {
			last = entries[i] = after(&last);
			outcome_vector_add(&vector, &last);
		}
		assert_false(vector.bytes.failed);
		assert_vector(&vector, entries, 500);
	}
	outcome_vector_finish(&vector);
}

/* Deliveries one by one, a millisecond or so apart. */
static void an_entry_is_about_four_bytes(void **state)
{
	struct outcome_vector vector = { 0 };
	int64_t now = NOW;
	for (uint64_t i = 0; i < 10000; i++) {
		now += (int64_t)chance(3) * MILLISECOND;
		struct outcome_entry entry = { i, OUTCOME_DELIVERED, 1, now,
			now + (int64_t)chance(50) * MILLISECOND, 0 };
		outcome_vector_add(&vector, &entry);
	}
	assert_in_range(vector.bytes.n, 1, 40000);
	outcome_vector_finish(&vector);
}

static void the_ends_of_the_ranges_come_back(void **state)
{
	const struct outcome_entry entries[] = {
		{ 0, OUTCOME_UNROUTED, UINT32_MAX, 0, 0, UINT64_MAX },
		{ 1, OUTCOME_FILTERED, 0, -5000000, 9007199254740000, 0, { UINT32_MAX, UINT64_MAX } },
		{ UINT64_MAX - 1, OUTCOME_EXPIRED, 3, INT64_MAX, INT64_MAX, 1, { 0, 1 } },
		{ UINT64_MAX, OUTCOME_DELIVERED, 3, INT64_MAX, INT64_MIN, 0 },
	};
	struct outcome_vector vector = { 0 };
	for (size_t i = 0; i < 4; i++) {
		outcome_vector_add(&vector, &entries[i]);
	}
	assert_vector(&vector, entries, 4);
	outcome_vector_finish(&vector);
}

static int read_all(struct xylem_span bytes)
{
	struct outcome_reader reader;
	outcome_reader_init(&reader, bytes);
	struct outcome_entry entry;
	int r, n = 0;
	while ((r = outcome_read(&reader, &entry)) == 1 && n++ < 100000) {
	}
	return r;
}

static void damaged_bytes_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} rows[] = {
		{ "\x03", 1 },                                              /* another version */
		{ "\x01\x00", 2 },                                          /* a run of nothing */
		{ "\x01\x00\x05", 3 },                                      /* a run before the first entry */
		{ "\x01\x01\x00\x00", 4 },                                  /* a run of none */
		{ "\x01\x81\x01\x00\x02", 5 },                              /* a handle in version 1 */
		{ "\x02\x81\x02\x00\x02", 5 },                              /* no such tag */
		{ "\x02\x81\x01\x00", 4 },                                  /* cut in a handle */
		{ "\x02\x81\x01\x00\x00", 5 },                              /* a handle that is none */
		{ "\x01\x09", 2 },                                          /* cut in the offset */
		{ "\x01\x41\x80", 3 },                                      /* cut in a time */
		{ "\x01\x09\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 12 }, /* more than 64 bits */
		{ "\x01\x09\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01", 13 }, /* past the last offset */
		{ "\x01\x11\xff\xff\xff\xff\x7f", 7 }, /* attempts of more than 32 bits */
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(read_all(xylem_span(rows[i].bytes, rows[i].n)), -XYLEM_E_DAMAGED);
	}
}

static void cut_and_flipped_bytes_cannot_hurt(void **state)
{
	struct outcome_vector vector = { 0 };
	struct outcome_entry last = { 5, OUTCOME_DELIVERED, 1, NOW, NOW, 0 };
	for (size_t i = 0; i < 50; i++) {
		last = after(&last);
		outcome_vector_add(&vector, &last);
	}
	for (size_t n = 0; n < vector.bytes.n; n++) {
		char *copy = malloc(n + 1); /* exact room, so that the sanitizer sees a read beyond */
		memcpy(copy, vector.bytes.bytes, n);
		read_all(xylem_span(copy, n));
		if (n > 0) {
			copy[chance(n)] ^= (char)(1 + chance(255));
			read_all(xylem_span(copy, n));
		}
		free(copy);
	}
	outcome_vector_finish(&vector);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_both_ways),
		cmocka_unit_test(an_empty_vector_has_no_entries),
		cmocka_unit_test(equal_outcomes_are_a_run),
		cmocka_unit_test(handles_in_a_row_are_a_run),
		cmocka_unit_test(an_entry_is_about_four_bytes),
		cmocka_unit_test(any_entries_come_back),
		cmocka_unit_test(the_ends_of_the_ranges_come_back),
		cmocka_unit_test(damaged_bytes_are_refused),
		cmocka_unit_test(cut_and_flipped_bytes_cannot_hurt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
