/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_LANE_RECORD_H
#define ROUTE_LANE_RECORD_H

#include <catalogue/catalogue.h>
#include <xylem/message.h>

/* A lane as the catalogue keeps it. */
struct lane_record {
	uint32_t number;
	char route[128], destination[128];
	struct xylem_position cursor; /* first position that is not settled */
	struct xylem_buffer holes;    /* settled ones above it: an outcome vector */
	uint64_t journal_end; /* of topic lanes: derived records are searched from here after a crash */
	bool paused, retired;
	char paused_why[256]; /* who or what paused it */
};
void lane_record_finish(struct lane_record *record);

/* All that were not dropped; the caller frees each and the array. */
int lane_records_load(struct catalogue *catalogue, struct lane_record **ret_records, size_t *ret_n,
	struct xylem_reason *reason);

/* Each waits for the COMMIT. */
int lane_record_create(struct catalogue *catalogue, struct lane_record *record, struct xylem_reason *reason);
int lane_record_set_paused(
	struct catalogue *catalogue, uint32_t number, const char *why, struct xylem_reason *reason);
int lane_record_set_retired(
	struct catalogue *catalogue, uint32_t number, bool retired, struct xylem_reason *reason);
int lane_record_drop(struct catalogue *catalogue, uint32_t number, struct xylem_reason *reason);

/* Inside a job. */
/* Paused, with who or what did it; NULL: resumed. */
int lane_record_pause(sqlite3 *database, uint32_t number, const char *why, struct xylem_reason *reason);
int lane_record_write(sqlite3 *database, uint32_t number, struct xylem_position cursor,
	struct xylem_span holes, uint64_t journal_end, struct xylem_reason *reason);

#endif
