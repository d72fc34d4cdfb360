/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: messages from and to the topics of Apache Kafka.
 *
 *     connectors:
 *       events: { kafka: { brokers: "k1:9092,k2:9092", topic: orders } }
 *       feed:   { kafka: { brokers: "k1:9092", topics: [orders, returns], group: bus } }
 *
 * This file is the connector's face: options and descriptor. kafka_sink.c delivers,
 * kafka_source.c consumes, kafka_record.c knows the CloudEvents binding, kafka_client.c the
 * settings and errors. docs/kafka.md says what is promised.
 *
 * The rule not to break: options become properties of librdkafka only through the list in kafka_client.c.
 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "kafka_client.h"

static int check(const void *options, struct xylem_reason *reason)
{
	return kafka_check(options, reason);
}

static int open_instance(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	struct kafka_instance *instance = calloc(1, sizeof(*instance));

	if (instance == NULL) {
		xylem_reason_set(reason, "out of memory");
		return -XYLEM_E_MEMORY;
	}
	*instance = (struct kafka_instance){ .magic = KAFKA_MAGIC, .host = host, .options = options };
	*ret_instance = instance;
	return 0;
}

static void close_instance(void *given)
{
	struct kafka_instance *instance = given;

	if (instance == NULL) {
		return;
	}
	assert(instance->magic == KAFKA_MAGIC);
	kafka_source_free(instance->source);
	free(instance);
}

static int probe(void *instance, int64_t timeout_us, struct xylem_result *result)
{
	return kafka_probe(instance, timeout_us, result);
}

#define AT(member) offsetof(struct kafka_options, member)

static const char *const formats[] = { "binary", "structured", "plain", NULL };
static const char *const compressions[] = { "none", "gzip", "snappy", "lz4", "zstd", NULL };
static const char *const mechanisms[] = { "none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL };
static const char *const starts[] = { "earliest", "latest", NULL };

static const struct xylem_option options[] = {
	{ .name = "brokers",
		.type = XYLEM_OPTION_STRING,
		.flags = XYLEM_OPTION_REQUIRED,
		.offset = AT(brokers),
		.since = "0.1",
		.summary = "Brokers to begin with, HOST:PORT, separated by commas.",
		.example = "kafka1:9092,kafka2:9092" },
	{ .name = "topic",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(topic),
		.minimum = 1,
		.maximum = 249,
		.since = "0.1",
		.summary = "The topic that is written to, and read from where `topics` is not given.",
		.example = "orders" },
	{ .name = "topic_attribute",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(topic_attribute),
		.minimum = 1,
		.maximum = 20,
		.since = "0.1",
		.summary = "Sink: an attribute of the message that names the topic; without it in a message, "
			   "`topic` holds.",
		.example = "kafkatopic" },
	{ .name = "format",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(format),
		.default_value = "binary",
		.choices = formats,
		.since = "0.1",
		.summary = "Sink: attributes as `ce_` headers, the whole event as JSON, or the data alone." },
	{ .name = "compression",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(compression),
		.default_value = "none",
		.choices = compressions,
		.since = "0.1",
		.summary = "Sink: how batches are compressed." },
	{ .name = "max_message",
		.type = XYLEM_OPTION_SIZE,
		.offset = AT(max_message),
		.default_value = "1048588",
		.minimum = 1000,
		.maximum = 1000000000,
		.since = "0.1",
		.summary = "Sink: the largest record with its headers; larger ones are refused without "
			   "asking the broker." },
	{ .name = "topics",
		.type = XYLEM_OPTION_LIST,
		.offset = AT(topics),
		.since = "0.1",
		.summary = "Source: the topics that are read.",
		.example = "[orders, returns]" },
	{ .name = "group",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(group),
		.minimum = 1,
		.maximum = 200,
		.since = "0.1",
		.summary = "Source: the consumer group; without it `xylem.` and the connector's name.",
		.example = "bus" },
	{ .name = "start",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(start),
		.default_value = "earliest",
		.choices = starts,
		.since = "0.1",
		.summary = "Source: where to begin in a partition for which the group has no committed "
			   "offset." },
	{ .name = "window",
		.type = XYLEM_OPTION_INTEGER,
		.offset = AT(window),
		.default_value = "20000",
		.minimum = 1,
		.maximum = 1000000,
		.since = "0.1",
		.summary = "Source: how many records may be handed in and not on disk yet." },
	{ .name = "tls.enabled",
		.type = XYLEM_OPTION_BOOL,
		.offset = AT(tls),
		.default_value = "false",
		.since = "0.1",
		.summary = "Connections are encrypted and the brokers' certificates verified." },
	{ .name = "tls.ca",
		.type = XYLEM_OPTION_PATH,
		.offset = AT(tls_ca),
		.since = "0.1",
		.summary = "Certificates of the authorities to trust; without it those of the system.",
		.example = "kafka-ca.pem" },
	{ .name = "tls.cert",
		.type = XYLEM_OPTION_PATH,
		.offset = AT(tls_cert),
		.since = "0.1",
		.summary = "The bus's own certificate.",
		.example = "bus.pem" },
	{ .name = "tls.key",
		.type = XYLEM_OPTION_PATH,
		.offset = AT(tls_key),
		.since = "0.1",
		.summary = "The key of that certificate.",
		.example = "bus.key" },
	{ .name = "tls.key_password",
		.type = XYLEM_OPTION_SECRET,
		.offset = AT(tls_key_password),
		.since = "0.1",
		.summary = "The password of that key.",
		.example = "{ file: bus.key.password }" },
	{ .name = "tls.insecure_skip_verify",
		.type = XYLEM_OPTION_BOOL,
		.offset = AT(insecure_skip_verify),
		.default_value = "false",
		.since = "0.1",
		.summary = "Takes any certificate; who can answer in the broker's place can read and forge "
			   "everything." },
	{ .name = "sasl.mechanism",
		.type = XYLEM_OPTION_ENUM,
		.offset = AT(mechanism),
		.default_value = "none",
		.choices = mechanisms,
		.since = "0.1",
		.summary = "How the bus names itself to the brokers." },
	{ .name = "sasl.username",
		.type = XYLEM_OPTION_STRING,
		.offset = AT(username),
		.since = "0.1",
		.summary = "The user's name.",
		.example = "bus" },
	{ .name = "sasl.password",
		.type = XYLEM_OPTION_SECRET,
		.offset = AT(password),
		.since = "0.1",
		.summary = "The user's password.",
		.example = "{ env: KAFKA_PASSWORD }" },
	{ .name = "properties",
		.type = XYLEM_OPTION_MAP,
		.offset = AT(properties),
		.since = "0.1",
		.summary = "Further properties of librdkafka, of those that docs/kafka.md lists.",
		.example = "{ linger.ms: \"5\" }" },
	XYLEM_OPTIONS_END,
};

XYLEM_PUBLIC const struct xylem_connector xylem_connector_kafka;
const struct xylem_connector xylem_connector_kafka = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SOURCE | XYLEM_CONNECTOR_SINK | XYLEM_SINK_ORDERED,
	.name = "kafka",
	.summary = "Reads and writes topics of Apache Kafka, as CloudEvents or plain records.",
	.options = options,
	.options_size = sizeof(struct kafka_options),
	.batch = { .count = 2000, .bytes = 4 << 20 },
	.check = check,
	.open = open_instance,
	.close = close_instance,
	.probe = probe,
	.source_start = kafka_source_start,
	.source_stop = kafka_source_stop,
	.sink_open = kafka_sink_open,
	.deliver = kafka_deliver,
	.interrupt = kafka_interrupt,
	.sink_close = kafka_sink_close,
};
