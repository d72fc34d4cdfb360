/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes read as an outcome vector: no fault, and what was read is written and read again the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <trace/outcome.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define ENTRIES 4096

static size_t read_entries(struct xylem_span bytes, struct outcome_entry *entries)
{
	struct outcome_reader reader;
	outcome_reader_init(&reader, bytes);
	size_t n = 0;
	while (n < ENTRIES && outcome_read(&reader, &entries[n]) == 1) {
		n++;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct outcome_entry first[ENTRIES], second[ENTRIES];
	size_t count = read_entries(xylem_span((const char *)bytes, n), first);
	struct outcome_vector vector = { 0 };
	for (size_t i = 0; i < count; i++) {
		outcome_vector_add(&vector, &first[i]);
	}
	assert(read_entries(xylem_buffer_borrow(&vector.bytes), second) == count);
	for (size_t i = 0; i < count; i++) {
		assert(first[i].offset == second[i].offset && first[i].outcome == second[i].outcome);
		assert(first[i].attempts == second[i].attempts &&
			first[i].case_number == second[i].case_number);
		assert(first[i].begun_us == second[i].begun_us &&
			first[i].settled_us == second[i].settled_us);
		assert(first[i].handle.offset == second[i].handle.offset &&
			first[i].handle.partition == second[i].handle.partition);
	}
	outcome_vector_finish(&vector);
	return 0;
}
