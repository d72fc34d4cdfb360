/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_BUILTIN_H
#define CONFIG_BUILTIN_H

#include <xylem/connector.h>
#include <xylem/transform.h>

/* The kinds compiled in, sorted by name, NULL-terminated. A test may link arrays of its own instead. */
extern const struct xylem_connector *const builtin_connectors[];
extern const struct xylem_transform *const builtin_transforms[];

#endif
