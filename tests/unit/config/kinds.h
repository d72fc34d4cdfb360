/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONFIG_KINDS_H
#define TESTS_UNIT_CONFIG_KINDS_H

/*
 * Kinds for the tests of this room, with options of every type, so that the
 * tests do not change when a real connector does. They are linked instead of
 * the built-in ones. `webhook` and `file` bring messages, the others take
 * them, `xmpp` does both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <config/builtin.h>

struct test_options {
	const char *path, *url, *name, *text, *address, *jid, *folder, *expression;
	const char *dsn, *table, *brokers, *topic;
	int verify, on_conflict;
	bool compress;
	int64_t number, size, wait;
	const struct xylem_secret *secret;
	const struct xylem_json_pointer *key;
	const struct xylem_file *schema;
	struct xylem_strings allow;
	struct xylem_pairs headers;
	struct xylem_span json;
	const char *ca, *cert;
};
#define TEST_AT(member) offsetof(struct test_options, member)
#define TEST_TEXT(option, member)                                                                       \
	{                                                                                               \
		.name = option, .type = XYLEM_OPTION_STRING, .offset = TEST_AT(member), .since = "0.1", \
		.summary = "Text."                                                                      \
	}

static const char *const test_verifies[] = { "none", "standard-webhooks", "github", NULL };
static const char *const test_conflicts[] = { "fail", "nothing", "update", NULL };

static const struct xylem_option test_webhook_options[] = {
	{ .name = "path",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = TEST_AT(path),
		.minimum = 1,
		.maximum = 20,
		.since = "0.1",
		.summary = "The path.",
		.example = "/shop" },
	{ .name = "verify",
		.type = XYLEM_OPTION_ENUM,
		.offset = TEST_AT(verify),
		.default_value = "none",
		.choices = test_verifies,
		.since = "0.1",
		.summary = "How requests are verified." },
	{ .name = "secret",
		.type = XYLEM_OPTION_SECRET,
		.offset = TEST_AT(secret),
		.since = "0.1",
		.summary = "The key." },
	{ .name = "key",
		.type = XYLEM_OPTION_POINTER,
		.offset = TEST_AT(key),
		.since = "0.1",
		.summary = "The ordering key." },
	XYLEM_OPTIONS_END,
};
static const struct xylem_option test_postgres_options[] = {
	{ .name = "dsn",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = TEST_AT(dsn),
		.since = "0.1",
		.summary = "The database.",
		.example = "\"dbname=erp\"" },
	TEST_TEXT("table", table),
	{ .name = "on_conflict",
		.type = XYLEM_OPTION_ENUM,
		.offset = TEST_AT(on_conflict),
		.default_value = "fail",
		.choices = test_conflicts,
		.since = "0.1",
		.summary = "What then." },
	XYLEM_OPTIONS_END,
};
static const struct xylem_option test_kafka_options[] = {
	{ .name = "brokers",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = TEST_AT(brokers),
		.since = "0.1",
		.summary = "The brokers.",
		.example = "\"127.0.0.1:9092\"" },
	TEST_TEXT("topic", topic),
	{ .name = "tls.ca",
		.type = XYLEM_OPTION_PATH,
		.offset = TEST_AT(ca),
		.since = "0.1",
		.summary = "Authorities.",
		.example = "ca.pem" },
	{ .name = "tls.cert",
		.type = XYLEM_OPTION_PATH,
		.offset = TEST_AT(cert),
		.since = "0.1",
		.summary = "Certificate." },
	XYLEM_OPTIONS_END,
};
static const struct xylem_option test_http_options[] = {
	{ .name = "url",
		.type = XYLEM_OPTION_URL,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = TEST_AT(url),
		.since = "0.1",
		.summary = "Where.",
		.example = "https://partner.example/orders" },
	{ .name = "headers",
		.type = XYLEM_OPTION_MAP,
		.offset = TEST_AT(headers),
		.since = "0.1",
		.summary = "Headers." },
	{ .name = "compress",
		.type = XYLEM_OPTION_BOOL,
		.offset = TEST_AT(compress),
		.default_value = "true",
		.since = "0.1",
		.summary = "Whether." },
	XYLEM_OPTIONS_END,
};
static const struct xylem_option test_xmpp_options[] = {
	{ .name = "allow",
		.type = XYLEM_OPTION_LIST,
		.offset = TEST_AT(allow),
		.since = "0.1",
		.summary = "Who." },
	XYLEM_OPTIONS_END,
};
/* Every type once. */
static const struct xylem_option test_all_options[] = {
	{ .name = "compress",
		.type = XYLEM_OPTION_BOOL,
		.offset = TEST_AT(compress),
		.since = "0.1",
		.summary = "S." },
	{ .name = "number",
		.type = XYLEM_OPTION_INTEGER,
		.offset = TEST_AT(number),
		.minimum = 1,
		.maximum = 65535,
		.since = "0.1",
		.summary = "S." },
	{ .name = "size",
		.type = XYLEM_OPTION_SIZE,
		.offset = TEST_AT(size),
		.minimum = 1024,
		.maximum = 1 << 20,
		.since = "0.1",
		.summary = "S." },
	{ .name = "wait",
		.type = XYLEM_OPTION_DURATION,
		.offset = TEST_AT(wait),
		.default_value = "5s",
		.minimum = 1000,
		.maximum = 60000000,
		.since = "0.1",
		.summary = "S." },
	TEST_TEXT("text", text),
	{ .name = "verify",
		.type = XYLEM_OPTION_ENUM,
		.offset = TEST_AT(verify),
		.choices = test_verifies,
		.since = "0.1",
		.summary = "S." },
	{ .name = "name",
		.type = XYLEM_OPTION_NAME,
		.offset = TEST_AT(name),
		.since = "0.1",
		.summary = "S." },
	{ .name = "url", .type = XYLEM_OPTION_URL, .offset = TEST_AT(url), .since = "0.1", .summary = "S." },
	{ .name = "address",
		.type = XYLEM_OPTION_ADDRESS,
		.offset = TEST_AT(address),
		.since = "0.1",
		.summary = "S." },
	{ .name = "jid", .type = XYLEM_OPTION_JID, .offset = TEST_AT(jid), .since = "0.1", .summary = "S." },
	{ .name = "key",
		.type = XYLEM_OPTION_POINTER,
		.offset = TEST_AT(key),
		.since = "0.1",
		.summary = "S." },
	{ .name = "secret",
		.type = XYLEM_OPTION_SECRET,
		.offset = TEST_AT(secret),
		.since = "0.1",
		.summary = "S." },
	{ .name = "folder",
		.type = XYLEM_OPTION_PATH,
		.offset = TEST_AT(folder),
		.since = "0.1",
		.summary = "S." },
	{ .name = "schema",
		.type = XYLEM_OPTION_FILE,
		.offset = TEST_AT(schema),
		.since = "0.1",
		.summary = "S." },
	{ .name = "expression",
		.type = XYLEM_OPTION_EXPRESSION,
		.offset = TEST_AT(expression),
		.since = "0.1",
		.summary = "S." },
	{ .name = "allow",
		.type = XYLEM_OPTION_LIST,
		.offset = TEST_AT(allow),
		.default_value = "[a, b]",
		.since = "0.1",
		.summary = "S." },
	{ .name = "headers",
		.type = XYLEM_OPTION_MAP,
		.offset = TEST_AT(headers),
		.since = "0.1",
		.summary = "S." },
	{ .name = "json",
		.type = XYLEM_OPTION_JSON,
		.offset = TEST_AT(json),
		.since = "0.1",
		.summary = "S." },
	{ .name = "tls.ca",
		.type = XYLEM_OPTION_PATH,
		.offset = TEST_AT(ca),
		.since = "0.1",
		.summary = "S." },
	{ .name = "tls.cert",
		.type = XYLEM_OPTION_PATH,
		.offset = TEST_AT(cert),
		.since = "0.1",
		.summary = "S." },
	XYLEM_OPTIONS_END,
};

static int test_open(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	*ret_instance = NULL;
	return 0;
}

static void test_close(void *instance)
{
}

static int test_check(const void *options, struct xylem_reason *reason)
{
	const struct test_options *webhook = options;
	if (webhook->verify && !webhook->secret) {
		xylem_reason_set(reason, "`verify` needs `secret`; write `secret: { file: PATH }`");
		return -XYLEM_E_INVALID;
	}
	return 0;
}

#define TEST_KIND(kind, its_flags, its_check)                                                           \
	static const struct xylem_connector test_##kind = { .contract_version = XYLEM_CONTRACT_VERSION, \
		.flags = its_flags,                                                                     \
		.name = #kind,                                                                          \
		.summary = "A " #kind ".",                                                              \
		.options = test_##kind##_options,                                                       \
		.options_size = sizeof(struct test_options),                                            \
		.check = its_check,                                                                     \
		.open = test_open,                                                                      \
		.close = test_close }

TEST_KIND(all, XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK, NULL);
TEST_KIND(http, XYLEM_CONNECTOR_SINK, NULL);
TEST_KIND(kafka, XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK, NULL);
TEST_KIND(postgres, XYLEM_CONNECTOR_SINK, NULL);
TEST_KIND(webhook, XYLEM_CONNECTOR_SOURCE, test_check);
TEST_KIND(xmpp, XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK | XYLEM_SINK_DISCARDS, NULL);

const struct xylem_connector *const builtin_connectors[] = { &test_all, &test_http, &test_kafka,
	&test_postgres, &test_webhook, &test_xmpp, NULL };

static const struct xylem_option test_jq_options[] = {
	{ .name = "program",
		.type = XYLEM_OPTION_EXPRESSION,
		.flags = XYLEM_OPTION_REQUIRED | XYLEM_OPTION_SHORT,
		.offset = TEST_AT(expression),
		.since = "0.1",
		.summary = "The program.",
		.example = "'.data'" },
	{ .name = "compress",
		.type = XYLEM_OPTION_BOOL,
		.offset = TEST_AT(compress),
		.default_value = "false",
		.since = "0.1",
		.summary = "Whether." },
	XYLEM_OPTIONS_END,
};
static const struct xylem_option test_set_options[] = {
	{ .name = "values",
		.type = XYLEM_OPTION_JSON,
		.flags = XYLEM_OPTION_REQUIRED | XYLEM_OPTION_SHORT,
		.offset = TEST_AT(json),
		.since = "0.1",
		.summary = "The values." },
	XYLEM_OPTIONS_END,
};
static const struct xylem_option test_validate_options[] = {
	{ .name = "schema",
		.type = XYLEM_OPTION_FILE,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = TEST_AT(schema),
		.since = "0.1",
		.summary = "The schema.",
		.example = "order.schema.json" },
	XYLEM_OPTIONS_END,
};

static int test_compile(const void *options, void **ret_program, struct xylem_reason *reason)
{
	const struct test_options *step = options;
	const char *bad = step->expression ? strstr(step->expression, "bad") : NULL;
	if (bad) {
		int line = 1, column = 1;
		for (const char *at = step->expression; at < bad; at++) {
			column = *at == '\n' ? 1 : column + ((*at & 0xc0) != 0x80);
			line += *at == '\n';
		}
		xylem_reason_set(
			reason, "program:%d:%d: `bad` is not known; remove it\n    bad\n    ^", line, column);
		return -XYLEM_E_INVALID;
	}
	*ret_program = malloc(1);
	return 0;
}

static void test_apply(const void *program, void *worker, struct xylem_message *event,
	struct xylem_arena *arena, struct xylem_step_result *result)
{
}

#define TEST_STEP(kind)                                                                                  \
	static const struct xylem_transform test_##kind = { .contract_version = XYLEM_TRANSFORM_VERSION, \
		.name = #kind,                                                                           \
		.summary = "A " #kind ".",                                                               \
		.options = test_##kind##_options,                                                        \
		.options_size = sizeof(struct test_options),                                             \
		.compile = test_compile,                                                                 \
		.program_free = free,                                                                    \
		.apply = test_apply }

TEST_STEP(jq);
TEST_STEP(set);
TEST_STEP(validate);

const struct xylem_transform *const builtin_transforms[] = { &test_jq, &test_set, &test_validate, NULL };

#endif
