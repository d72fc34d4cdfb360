/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOPIC_SUBSCRIPTION_ROW_H
#define TOPIC_SUBSCRIPTION_ROW_H

#include <topic/state.h>

/* Inside the room only: subscriptions as rows of the catalogue. */

/* Writes change->subscriber. With change->flag only if the address has none yet. */
int subscription_write(sqlite3 *database, struct change *change, struct xylem_reason *reason);
/* Removes the one with the id of change->subscriber. */
int subscription_delete(sqlite3 *database, struct change *change, struct xylem_reason *reason);
/* A new id, which nobody can guess. */
void subscription_name(char ret_subid[TOPIC_SUBID_SIZE]);

#endif
