/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `@text` and `@json`.
 */
#include "jq/builtin.h"

jq_format *jq_format_find(struct xylem_span name)
{
	return xylem_span_is(name, "text")   ? jq_value_tostring
	       : xylem_span_is(name, "json") ? jq_value_tojson
					     : NULL;
}
