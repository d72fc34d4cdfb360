/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CATALOGUE_COLUMN_H
#define CATALOGUE_COLUMN_H

#include <jansson.h>
#include <sqlite3.h>

#include <xylem/message.h>
#include <xylem/span.h>

/*
 * Rows as JSON for the operations. New references; NULL only without memory
 * (json_object_set_new() takes that as an error). Bytes that are not UTF-8 are
 * shown with U+FFFD in their place.
 */
json_t *span_json(struct xylem_span text);       /* null for an absent span */
json_t *time_json(int64_t wall_us);              /* RFC 3339; null for 0 */
json_t *position_json(struct xylem_position at); /* the handle */
json_t *column_json(sqlite3_stmt *row, int column);
json_t *column_time(sqlite3_stmt *row, int column);
/* '' is how a table keeps "none": null. */
json_t *column_name(sqlite3_stmt *row, int column);

#endif
