/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <jansson.h>

/*
 * The JSON Schema (2020-12) of the whole configuration file, for editors and
 * other programs. A file that the bus takes is valid by it; the bus checks
 * more (names that lead nowhere, files, expressions). NULL: no memory.
 */
json_t *schema_new(void);

#endif
