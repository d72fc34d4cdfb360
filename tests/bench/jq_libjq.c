/* SPDX-License-Identifier: Apache-2.0 */
/* The jq bench on Debian's libjq: parse, run, write, as a bus on libjq would for each message. */
#include <string.h>

#include <jq.h>

#include "tests/bench/jq_shapes.h"

static void *compile(const char *program)
{
	jq_state *jq = jq_init();
	return jq && jq_compile(jq, program) ? jq : NULL;
}

static size_t run(void *compiled, const char *document, size_t n)
{
	size_t bytes = 0;
	jv input = jv_parse_sized(document, (int)n), result;
	jq_start(compiled, input, 0);
	while (jv_is_valid(result = jq_next(compiled))) {
		jv text = jv_dump_string(result, 0);
		bytes += (size_t)jv_string_length_bytes(text);
	}
	jv_free(result);
	return bytes;
}

static void release(void *compiled)
{
	jq_state *jq = compiled;
	jq_teardown(&jq);
}

int main(int argc, char **argv)
{
	static const struct jq_engine engine = { "libjq", compile, run, release };
	return jq_bench_main(&engine, argc, argv);
}
