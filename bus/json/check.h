/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_CHECK_H
#define JSON_CHECK_H

#include <xylem/json.h>

/*
 * As xylem_json_check(), with at most `depth` levels (up to XYLEM_JSON_DEPTH):
 * for text that goes inside other text.
 */
int json_check_within(struct xylem_span text, size_t depth, size_t *ret_offset, struct xylem_reason *reason);

#endif
