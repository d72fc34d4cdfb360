/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_OUTCOME_H
#define TRACE_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/message.h>

/* What a lane did with a message. The numbers are stored: never renumber. */
enum outcome {
	OUTCOME_DELIVERED = 1,
	OUTCOME_FILTERED = 2,
	OUTCOME_EXPIRED = 3,
	OUTCOME_HOSPITALISED = 4,
	OUTCOME_DISCARDED = 5,
	OUTCOME_UNROUTED = 6,
	OUTCOME_DIVERTED = 7, /* the destination turned it away; it went on by `otherwise` */
};
const char *outcome_name(enum outcome outcome); /* "delivered", ... */
int outcome_by_name(const char *name, enum outcome *ret_outcome);

/*
 * A lane writes its outcomes as one row for each span of its cursor: a compact
 * vector of these, in order of offset, about four bytes each. Times are Unix
 * microseconds, kept to the millisecond.
 */
struct outcome_entry {
	uint64_t offset;
	enum outcome outcome;
	uint32_t attempts; /* deliveries tried; 0: none (filtered) */
	int64_t begun_us;  /* first taken up by the lane */
	int64_t settled_us;
	uint64_t case_number; /* of HOSPITALISED; 0: not known when written */
	/* Of DELIVERED: where the other side keeps it; of DIVERTED: the record that it became; offset 0: not known. */
	struct xylem_position handle;
};

/* `{0}` is an empty vector. The bytes are those of `bytes`, borrowed with xylem_buffer_borrow(). */
struct outcome_vector {
	struct xylem_buffer bytes;
	uint32_t count;
	struct outcome_entry last; /* times in milliseconds here */
	uint64_t run;              /* further entries that are as `last`, each one offset on */
	size_t run_at;             /* where that run is written */
};
void outcome_vector_finish(struct outcome_vector *vector);
void outcome_vector_clear(struct outcome_vector *vector);
/* Offsets grow from call to call. Without memory the buffer is marked failed. */
void outcome_vector_add(struct outcome_vector *vector, const struct outcome_entry *entry);

/* Reads on; `*at` starts at 0. 1: an entry; 0: the end; -XYLEM_E_DAMAGED. */
struct outcome_reader {
	struct xylem_span bytes;
	size_t at;
	bool begun;
	struct outcome_entry last; /* times in milliseconds here */
	uint64_t run;
};
void outcome_reader_init(struct outcome_reader *reader, struct xylem_span bytes);
int outcome_read(struct outcome_reader *reader, struct outcome_entry *ret_entry);

#endif
