/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_OPENAPI_H
#define CONSOLE_OPENAPI_H

#include <jansson.h>

#include <xylem/buffer.h>
#include <xylem/option.h>

/* The API as OpenAPI 3.1, and its reference page, both made from the operation table. */
json_t *openapi_new(void);
/* docs/operations.md */
void operations_write_page(struct xylem_buffer *out);

/* The JSON Schema of one argument. */
json_t *openapi_schema(const struct xylem_option *option);

#endif
