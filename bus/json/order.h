/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_ORDER_H
#define JSON_ORDER_H

#include <xylem/json.h>

/*
 * jq's order of all values: null, false, true, numbers, strings, arrays (by
 * elements), objects (by their sorted names, then by values in the order of
 * names). Numbers by value, exactly. Of several members of one name the last
 * counts. -1, 0, 1. Takes memory for objects; without it two different texts
 * are different values.
 */
int json_order(struct xylem_span a, struct xylem_span b);

/* Members of an object by name: several of one name are one. */
size_t json_member_count(struct xylem_span object);

#endif
