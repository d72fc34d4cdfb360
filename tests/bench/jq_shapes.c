/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs and documents of the jq bench, and how they are timed:
 * processor time of the thread, so that other work on the machine counts less.
 * With --rounds 0 everything is prepared and nothing is run: the difference of
 * two counts of instructions (callgrind) is then what the rounds took.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/jq_shapes.h"

static const char order[] =
	"{\"order\":{\"id\":\"A-10077\",\"customer\":\"c-4711\",\"created\":\"2026-11-21T09:30:00.125Z\","
	"\"currency\":\"EUR\",\"lines\":[{\"sku\":\"XY-1000\",\"title\":\"Garden hose, 20 m\",\"qty\":2,"
	"\"price\":39.99},{\"sku\":\"XY-2040\",\"title\":\"Nozzle\",\"qty\":1,\"price\":19.99},{\"sku\":"
	"\"XY-3001\",\"title\":\"Waescheklammern\",\"qty\":3,\"price\":10.00}],\"address\":{\"name\":\"Erika "
	"Mustermann\",\"street\":\"Heidestrasse 17\",\"city\":\"Cologne\",\"zip\":\"51147\",\"country\":"
	"\"DE\"}},\"meta\":{\"channel\":\"web\",\"campaign\":\"autumn-26\",\"retries\":0,\"paid\":true}}";

static const char *order_document(size_t *ret_n)
{
	*ret_n = sizeof(order) - 1;
	return order;
}

struct text {
	char bytes[160 * 1024];
	size_t n;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	text->n += (size_t)vsnprintf(text->bytes + text->n, sizeof(text->bytes) - text->n, format, arguments);
	va_end(arguments);
}

/* 100 sales of 7 shops. */
static const char *sales_document(size_t *ret_n)
{
	static struct text text = { .n = 0 };
	text.n = 0;
	put(&text, "[");
	for (int i = 0; i < 100; i++) {
		put(&text, "%s{\"shop\":\"s%d\",\"amount\":%d}", i ? "," : "", i * 5 % 7, i * 37 % 1000);
	}
	put(&text, "]");
	*ret_n = text.n;
	return text.bytes;
}

static const char *fields_document(size_t *ret_n)
{
	static struct text text = { .n = 0 };
	text.n = 0;
	put(&text, "{");
	for (int i = 0; i < 40; i++) {
		put(&text, "%s\"field_%d\":\"value %d\"", i ? "," : "", i, i * 7);
	}
	put(&text, "}");
	*ret_n = text.n;
	return text.bytes;
}

/* 100 KB, of which the program wants one member in the middle. */
static const char *large_document(size_t *ret_n)
{
	static struct text text = { .n = 0 };
	text.n = 0;
	put(&text, "{\"rows\":[");
	for (int i = 0; text.n < 51 * 1024; i++) {
		put(&text, "%s{\"n\":%d,\"text\":\"some words, and \\\"quotes\\\", %d\"}", i ? "," : "", i,
			i * 3);
	}
	put(&text, "],\"order\":{\"id\":\"A-1\"},\"more\":[");
	for (int i = 0; text.n < 100 * 1024; i++) {
		put(&text, "%s[%d,%d.5,true,null]", i ? "," : "", i, i);
	}
	put(&text, "]}");
	*ret_n = text.n;
	return text.bytes;
}

static const char fields_program[] =
	"{a0:.field_0,a1:.field_1,a2:.field_2,a3:.field_3,a4:.field_4,a5:.field_5,a6:.field_6,a7:.field_7,"
	"a8:.field_8,a9:.field_9,a10:.field_10,a11:.field_11,a12:.field_12,a13:.field_13,a14:.field_14,"
	"a15:.field_15,a16:.field_16,a17:.field_17,a18:.field_18,a19:.field_19,a20:.field_20,a21:.field_21,"
	"a22:.field_22,a23:.field_23,a24:.field_24,a25:.field_25,a26:.field_26,a27:.field_27,a28:.field_28,"
	"a29:.field_29,a30:.field_30,a31:.field_31,a32:.field_32,a33:.field_33,a34:.field_34,a35:.field_35,"
	"a36:.field_36,a37:.field_37,a38:.field_38,a39:.field_39}";

const struct jq_shape jq_shapes[] = {
	{ "mapping", "{id: .order.id, total: (.order.lines|map(.price*.qty)|add), customer: .order.customer}",
		order_document },
	{ "identity", ".", order_document },
	{ "path", ".order.id", order_document },
	{ "select", "select(.meta.channel==\"web\")", order_document },
	{ "group_by", "group_by(.shop) | map({shop: .[0].shop, total: (map(.amount) | add)})",
		sales_document },
	{ "40 fields", fields_program, fields_document },
	{ "100 KB, one field", ".order.id", large_document },
	{ "regex", ".order.created | capture(\"(?<day>[0-9-]+)T(?<hour>[0-9]+)\") | .day + \" \" + .hour",
		order_document },
};
const size_t jq_shape_count = sizeof(jq_shapes) / sizeof(jq_shapes[0]);

static double cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void shape_run(const struct jq_engine *engine, const struct jq_shape *shape, long rounds)
{
	size_t n, bytes = 0;
	const char *document = shape->document(&n);
	double begin = cpu_us();
	void *compiled = engine->compile(shape->program);
	double compile = cpu_us() - begin;
	if (!compiled) {
		fprintf(stderr, "%s does not compile\n", shape->name);
		exit(1);
	}
	begin = cpu_us();
	for (long round = 0; round < rounds; round++) {
		bytes = engine->run(compiled, document, n);
	}
	double took = rounds ? (cpu_us() - begin) / (double)rounds : 0;
	printf("{\"engine\":\"%s\",\"shape\":\"%s\",\"us\":%.3f,\"compile_us\":%.1f,\"in\":%zu,\"out\":%zu,"
	       "\"rounds\":%ld}\n",
		engine->name, shape->name, took, compile, n, bytes, rounds);
	fflush(stdout);
	engine->release(compiled);
}

int jq_bench_main(const struct jq_engine *engine, int argc, char **argv)
{
	static const struct option options[] = { { "rounds", required_argument, NULL, 'r' },
		{ "shape", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 } };
	long rounds = 20000;
	const char *only = NULL;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r') {
			rounds = strtol(optarg, NULL, 10);
		} else if (option == 's') {
			only = optarg;
		} else {
			return 2;
		}
	}
	for (size_t i = 0; i < jq_shape_count; i++) {
		size_t n;
		jq_shapes[i].document(&n);
	}
	for (size_t i = 0; i < jq_shape_count; i++) {
		if (!only || strcmp(only, jq_shapes[i].name) == 0) {
			shape_run(engine, &jq_shapes[i], rounds);
		}
	}
	return 0;
}
