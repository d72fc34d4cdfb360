/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOSPITAL_REPLAY_H
#define HOSPITAL_REPLAY_H

#include <xylem/arena.h>

#include "case.h"

/* Inside the room: a replay as the catalogue intends it, and the journal record that it becomes. */
struct intent {
	uint64_t case_number;
	uint32_t number;
	char destination[300]; /* a target of the case (case_target); "": every lane of its route */
	int step;
	uint32_t draft;       /* 0: the data is not edited */
	struct xylem_span id; /* event id of the replay; absent: that of the data */
};

/* The record of an intent, all in the arena. -XYLEM_E_CONFLICT: the case moved on, it cannot be made. */
int replay_message(sqlite3 *database, const struct case_row *row, const struct intent *intent,
	struct xylem_arena *arena, struct xylem_message *ret_message, struct xylem_reason *reason);

/* The journal has it. */
int replay_confirm(sqlite3 *database, uint64_t case_number, uint32_t number, struct xylem_position at,
	struct xylem_reason *reason);
/* The journal refused it: the replays of this action never were. */
int replay_withdraw(sqlite3 *database, uint64_t case_number, uint32_t action, struct xylem_reason *reason);

#endif
