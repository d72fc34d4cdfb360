/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CATALOGUE_SCHEMA_H
#define CATALOGUE_SCHEMA_H

#include "connection.h"

/*
 * Brings the tables up to date: each step of the list that the database does
 * not have yet, in order, each in its own transaction. -XYLEM_E_DAMAGED for a
 * database of another program or of a newer one.
 */
int schema_apply(struct connection *connection, struct xylem_reason *reason);

#endif
