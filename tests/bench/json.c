/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What JSON costs on a message's path, in nanoseconds of CPU a message:
 * an order of about 512 bytes through the scanner, a pointer, `set`, `where`
 * and `validate`, beside jansson parsing the same bytes in the same run.
 *
 *     build/tests/bench/bench-json [ROUNDS]
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <message/envelope.h>
#include <route/where.h>
#include <transforms/schema.h>
#include <xylem/json.h>

static const char order[] =
	"{\"order\":{\"id\":\"A-10077\",\"customer\":\"c-4711\",\"created\":\"2026-11-21T09:30:00.125Z\","
	"\"currency\":\"EUR\",\"total\":129.97,\"lines\":[{\"sku\":\"XY-1000\",\"title\":\"Garden hose, 20 "
	"m\","
	"\"qty\":2,\"price\":39.99},{\"sku\":\"XY-2040\",\"title\":\"Nozzle\",\"qty\":1,\"price\":19.99},"
	"{\"sku\":\"XY-3001\",\"title\":\"W\xc3\xa4scheklammern\",\"qty\":3,\"price\":10.00}],"
	"\"address\":{\"name\":\"Erika Mustermann\",\"street\":\"Heidestra\xc3\x9f"
	"e 17\",\"city\":\"K\xc3\xb6ln\","
	"\"zip\":\"51147\",\"country\":\"DE\"},\"paid\":true,\"note\":null},"
	"\"meta\":{\"channel\":\"web\",\"campaign\":\"autumn-26\",\"retries\":0}}";

static const char schema_text[] =
	"{\"type\":\"object\",\"required\":[\"order\"],\"properties\":{\"order\":{\"type\":\"object\","
	"\"required\":[\"id\","
	"\"customer\",\"lines\"],\"properties\":{\"id\":{\"type\":\"string\",\"minLength\":1},\"total\":{"
	"\"type\":\"number\","
	"\"minimum\":0},\"lines\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"object\","
	"\"required\":[\"sku\",\"qty\"],"
	"\"properties\":{\"qty\":{\"type\":\"integer\",\"minimum\":1},\"price\":{\"multipleOf\":0.01}}}}}}}}";

static struct xylem_span text;
static struct xylem_message message;
static struct xylem_json_pointer *pointer;
static struct xylem_arena *arena;
static struct xylem_buffer out;
static struct where *where_type, *where_data;
static struct schema_file *schema;
static struct schema_worker *schema_worker;
static char envelope[2048];
static volatile size_t sink; /* what is computed must not be optimised away */

static void run_jansson(void)
{
	json_t *root = json_loadb(text.at, text.n, 0, NULL);
	sink = json_object_size(root);
	json_decref(root);
}

static void run_check(void)
{
	sink = (size_t)xylem_json_check(text, NULL, NULL);
}

static void run_get(void)
{
	sink = xylem_json_pointer_get(pointer, text).n;
}

static void run_set(void)
{
	xylem_buffer_clear(&out);
	xylem_json_set(pointer, text, XYLEM_SPAN_LITERAL("\"mobile\""), &out, NULL);
	sink = out.n;
}

static void run_where(struct where *where)
{
	bool match = false;
	struct xylem_reason reason;
	where_match(where, &message, &match, &reason);
	sink = match;
}

static void run_where_type(void)
{
	run_where(where_type);
}

static void run_where_data(void)
{
	run_where(where_data);
}

static void run_validate(void)
{
	xylem_arena_reset(arena);
	sink = (size_t)schema_check(schema, schema_worker, text, arena, NULL);
}

static void run_event(void)
{
	xylem_buffer_clear(&out);
	xylem_message_write_json(&message, &out);
	sink = out.n;
}

static void run_envelope(void)
{
	struct xylem_message read;
	envelope_write(&message, envelope);
	envelope_read(xylem_span(envelope, envelope_size(&message)), &read, NULL);
	sink = read.data.n;
}

static const struct {
	const char *name;
	void (*run)(void);
} measures[] = {
	{ "jansson parse, free (for comparison)", run_jansson },
	{ "check", run_check },
	{ "pointer get /meta/channel", run_get },
	{ "set /meta/channel", run_set },
	{ "where .type == ...", run_where_type },
	{ "where .data.order.total > 100 and ...", run_where_data },
	{ "validate against a schema", run_validate },
	{ "event as JSON", run_event },
	{ "envelope write and read", run_envelope },
};

static struct where *where_new(const char *expression)
{
	struct where *where;
	struct xylem_reason reason;
	if (where_compile(expression, &where, NULL, &reason) < 0) {
		fprintf(stderr, "%s: %s\n", expression, reason.text);
		exit(1);
	}
	return where;
}

static void prepare(void)
{
	struct xylem_reason reason;
	text = xylem_span(order, sizeof(order) - 1);
	message = (struct xylem_message){
		.kind = XYLEM_MESSAGE,
		.ingress = XYLEM_SPAN_LITERAL("shop"),
		.id = XYLEM_SPAN_LITERAL("0197a1c2-7b3a-7c11-8a5e-3f1f0a6b9c2d"),
		.source = XYLEM_SPAN_LITERAL("shop"),
		.type = XYLEM_SPAN_LITERAL("order.created"),
		.time = XYLEM_SPAN_LITERAL("2026-11-21T09:30:00.125Z"),
		.datacontenttype = XYLEM_SPAN_LITERAL("application/json"),
		.data = text,
	};
	arena = xylem_arena_new(0);
	where_type = where_new(".type == \"order.created\"");
	where_data = where_new(".data.order.total > 100 and .data.meta.channel == \"web\"");
	schema_worker = schema_worker_new();
	if (!arena || !schema_worker ||
		xylem_json_pointer_new(&pointer, XYLEM_SPAN_LITERAL("/meta/channel"), NULL) < 0 ||
		schema_file_new(&schema, xylem_span_of(schema_text), &reason) < 0) {
		fputs("not prepared\n", stderr);
		exit(1);
	}
}

/* Of this thread: other work on the machine does not count. */
static double cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 500000;
	prepare();
	printf("%zu bytes, %ld rounds\n", text.n, rounds);
	for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
		double start = cpu_ns();
		for (long round = 0; round < rounds; round++) {
			measures[i].run();
		}
		double ns = (cpu_ns() - start) / (double)rounds;
		printf("%-40s %8.0f ns %8.2f M/s\n", measures[i].name, ns, 1000 / ns);
	}
	where_free(where_type);
	where_free(where_data);
	schema_file_free(schema);
	schema_worker_free(schema_worker);
	xylem_json_pointer_free(pointer);
	xylem_buffer_finish(&out);
	xylem_arena_free(arena);
	return 0;
}
