/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VIEW_H
#define CONSOLE_VIEW_H

#include <jansson.h>

#include <config/config.h>
#include <route/lane.h>
#include <xylem/message.h>

/* How things of the bus look as JSON, the same in every operation. New references; NULL without memory. */
json_t *view_lane(const struct lane_state *lane);
json_t *view_place(const struct config_place *place); /* "xylem.yaml:12:5" */
json_t *view_time(int64_t wall_us);                   /* RFC 3339; null for 0 */
json_t *view_position(struct xylem_position position);
json_t *view_strings(const struct xylem_strings *strings);
/* Text as it stands, with what is not UTF-8 replaced. */
json_t *view_text(struct xylem_span text);
/* An array of what a report says: {file, line, column, warning, detail}. */
json_t *view_report(const struct config_report *report);

/*
 * Data of a message: {contenttype, size, data_text} when it is UTF-8, byte for
 * byte, else data_base64.
 */
json_t *view_data(struct xylem_span contenttype, struct xylem_span data);

#endif
