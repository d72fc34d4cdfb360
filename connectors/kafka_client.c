/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What source and sink of the kafka connector share: settings of a librdkafka
 * client from our options, the meaning of error codes, the probe.
 *
 * The rule not to break: `properties` is a list of known tunables. Among the
 * properties of librdkafka are some that load libraries, run a shell or call any
 * URL (plugin.library.paths, ssl.engine.location, sasl.kerberos.kinit.cmd,
 * sasl.oauthbearer.token.endpoint.url); what is not in the list is refused, so that a new
 * one of that sort is refused, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <xylem/log.h>

#include "kafka_client.h"

static const char *const allowed[] = {
	"batch.num.messages",
	"batch.size",
	"broker.address.family",
	"broker.address.ttl",
	"check.crcs",
	"client.id",
	"client.rack",
	"compression.level",
	"fetch.error.backoff.ms",
	"fetch.max.bytes",
	"fetch.message.max.bytes",
	"fetch.min.bytes",
	"fetch.wait.max.ms",
	"group.instance.id",
	"heartbeat.interval.ms",
	"isolation.level",
	"linger.ms",
	"max.in.flight.requests.per.connection",
	"max.poll.interval.ms",
	"metadata.max.age.ms",
	"partition.assignment.strategy",
	"partitioner",
	"queue.buffering.max.kbytes",
	"queue.buffering.max.messages",
	"queued.max.messages.kbytes",
	"queued.min.messages",
	"receive.message.max.bytes",
	"reconnect.backoff.max.ms",
	"reconnect.backoff.ms",
	"request.timeout.ms",
	"retry.backoff.ms",
	"session.timeout.ms",
	"socket.connection.setup.timeout.ms",
	"socket.keepalive.enable",
	"socket.nagle.disable",
	"socket.receive.buffer.bytes",
	"socket.send.buffer.bytes",
	"socket.timeout.ms",
	"ssl.cipher.suites",
	"ssl.curves.list",
	"ssl.sigalgs.list",
	"sticky.partitioning.linger.ms",
	"topic.metadata.propagation.max.ms",
	"topic.metadata.refresh.fast.interval.ms",
	"topic.metadata.refresh.interval.ms",
	NULL,
};

int64_t kafka_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- settings ---- */

struct settings {
	rd_kafka_conf_t *conf;
	struct xylem_reason *reason;
	bool failed;
};

static void set(struct settings *settings, const char *name, const char *value)
{
	char error[300];

	if (!settings->failed && value != NULL &&
		rd_kafka_conf_set(settings->conf, name, value, error, sizeof(error)) != RD_KAFKA_CONF_OK) {
		xylem_reason_set(settings->reason, "%s: %s", name, error);
		settings->failed = true;
	}
}

static void set_number(struct settings *settings, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	set(settings, name, text);
}

static void set_secret(struct settings *settings, const char *name, const struct xylem_secret *secret)
{
	if (secret != NULL) {
		set(settings, name, xylem_secret_borrow(secret).at);
	}
}

static void set_security(struct settings *settings, const struct kafka_options *options)
{
	static const char *const mechanisms[] = { NULL, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" };
	bool sasl = options->mechanism != KAFKA_NO_SASL;

	set(settings, "security.protocol",
		options->tls ? (sasl ? "sasl_ssl" : "ssl") : (sasl ? "sasl_plaintext" : "plaintext"));
	if (options->tls) {
		set(settings, "ssl.ca.location", options->tls_ca);
		set(settings, "ssl.certificate.location", options->tls_cert);
		set(settings, "ssl.key.location", options->tls_key);
		set_secret(settings, "ssl.key.password", options->tls_key_password);
		set(settings, "ssl.endpoint.identification.algorithm",
			options->insecure_skip_verify ? "none" : "https");
		set(settings, "enable.ssl.certificate.verification",
			options->insecure_skip_verify ? "false" : "true");
	}
	if (sasl) {
		set(settings, "sasl.mechanisms", mechanisms[options->mechanism]);
		set(settings, "sasl.username", options->username);
		set_secret(settings, "sasl.password", options->password);
	}
}

static void set_producer(struct settings *settings, const struct kafka_options *options)
{
	static const char *const compressions[] = { "none", "gzip", "snappy", "lz4", "zstd" };

	set(settings, "compression.type", compressions[options->compression]);
	set_number(settings, "message.max.bytes", options->max_message);
	set(settings, "linger.ms", "1");
	set(settings, "partitioner", "murmur2_random"); /* as Java's producer places keys */
	set(settings, "reconnect.backoff.max.ms", "1000");
	set(settings, "topic.metadata.propagation.max.ms", "5000");
}

/* What the promise rests on; set last, and none of it is among `properties`. */
static void set_producer_promise(struct settings *settings)
{
	set(settings, "enable.idempotence", "true");
	set(settings, "acks", "all");
	set(settings, "enable.gapless.guarantee", "true");
	set(settings, "message.timeout.ms", "0");
}

static void set_consumer(struct settings *settings, const struct kafka_options *options, const char *name)
{
	char group[200];

	snprintf(group, sizeof(group), "xylem.%s", name);
	set(settings, "group.id", options->group ? options->group : group);
	set(settings, "auto.offset.reset", options->start == KAFKA_EARLIEST ? "earliest" : "latest");
	set(settings, "fetch.wait.max.ms", "100");
	set(settings, "queued.min.messages", "20000");
	set(settings, "queued.max.messages.kbytes", "16384");
	set(settings, "reconnect.backoff.max.ms", "1000");
	set(settings, "auto.commit.interval.ms", "200");
}

static void set_consumer_promise(struct settings *settings)
{
	set(settings, "enable.auto.commit", "true"); /* of what was stored */
	set(settings, "enable.auto.offset.store", "false");
	set(settings, "enable.partition.eof", "false");
}

static void log_line(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	/* What matters comes again through the error callback, which says it for a person. */
	xylem_log(XYLEM_LOG_INFO, "kafka", "%s: %s", facility, text);
}

rd_kafka_conf_t *kafka_conf_new(const struct kafka_options *options, enum kafka_role role, const char *name,
	struct xylem_reason *reason)
{
	struct settings settings = { .conf = rd_kafka_conf_new(), .reason = reason };
	char client[200];
	size_t i;

	snprintf(client, sizeof(client), "xylemd-%s", name);
	set(&settings, "client.id", client);
	set(&settings, "bootstrap.servers", options->brokers);
	set_security(&settings, options);
	role == KAFKA_PRODUCER ? set_producer(&settings, options) : set_consumer(&settings, options, name);
	for (i = 0; i < options->properties.n; i++) {
		set(&settings, options->properties.items[i].name, options->properties.items[i].value);
	}
	role == KAFKA_PRODUCER ? set_producer_promise(&settings) : set_consumer_promise(&settings);
	if (settings.failed) {
		rd_kafka_conf_destroy(settings.conf);
		return NULL;
	}
	rd_kafka_conf_set_log_cb(settings.conf, log_line);
	return settings.conf;
}

/* ---- check ---- */

static bool is_allowed(const char *property)
{
	size_t i;

	for (i = 0; allowed[i] != NULL; i++) {
		if (strcmp(allowed[i], property) == 0) {
			return true;
		}
	}
	return false;
}

/* Every broker of the list is on this machine. */
static bool all_loopback(const char *brokers)
{
	const char *at = brokers;

	while (*at != '\0') {
		at += strspn(at, ", ");
		if (strncmp(at, "127.", 4) != 0 && strncmp(at, "localhost", 9) != 0 &&
			strncmp(at, "[::1]", 5) != 0) {
			return false;
		}
		at += strcspn(at, ",");
		at += strspn(at, ", ");
	}
	return true;
}

static const char *combination(const struct kafka_options *options)
{
	bool sasl = options->mechanism != KAFKA_NO_SASL;

	if (options->topic == NULL && options->topics.n == 0) {
		return "`topic` is missing (or `topics`, for a source of several)";
	}
	if (sasl && (options->username == NULL || options->password == NULL)) {
		return "`sasl.mechanism` needs `sasl.username` and `sasl.password`";
	}
	if (!sasl && (options->username != NULL || options->password != NULL)) {
		return "`sasl.username` and `sasl.password` need `sasl.mechanism`";
	}
	if (sasl && !options->tls && !all_loopback(options->brokers)) {
		return "`sasl` without `tls.enabled: true` would send the password in the open";
	}
	if (!options->tls &&
		(options->tls_ca != NULL || options->tls_cert != NULL || options->insecure_skip_verify)) {
		return "`tls` options need `tls.enabled: true`";
	}
	if ((options->tls_cert == NULL) != (options->tls_key == NULL)) {
		return "`tls.cert` and `tls.key` need each other";
	}
	return NULL;
}

int kafka_check(const struct kafka_options *options, struct xylem_reason *reason)
{
	const char *wrong = combination(options);
	enum kafka_role role;
	size_t i;

	if (wrong != NULL) {
		xylem_reason_set(reason, "%s", wrong);
		return -XYLEM_E_INVALID;
	}
	for (i = 0; i < options->properties.n; i++) {
		if (!is_allowed(options->properties.items[i].name)) {
			xylem_reason_set(reason,
				"properties: `%.100s` is not among those that may be set (docs/kafka.md "
				"lists them)",
				options->properties.items[i].name);
			return -XYLEM_E_INVALID;
		}
	}
	for (role = KAFKA_PRODUCER; role <= KAFKA_CONSUMER; role++) {
		rd_kafka_conf_t *conf = kafka_conf_new(options, role, "check", reason);

		if (conf == NULL) {
			return -XYLEM_E_INVALID;
		}
		rd_kafka_conf_destroy(conf);
	}
	return 0;
}

/* ---- errors ---- */

enum xylem_failure kafka_failure_of(rd_kafka_resp_err_t error)
{
	switch (error) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return XYLEM_DELIVERED;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
		return XYLEM_FAILURE_WRONG;
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
	case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
	case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
	case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
	case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
		return XYLEM_FAILURE_MISCONFIGURED;
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__RESOLVE:
	case RD_KAFKA_RESP_ERR__SSL:
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
	case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
	case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
	case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
		return XYLEM_FAILURE_DOWN;
	default:
		return XYLEM_FAILURE_BUSY;
	}
}

void kafka_fail(struct xylem_result *result, rd_kafka_resp_err_t error, const char *detail)
{
	char code[32];

	snprintf(code, sizeof(code), "kafka-%d", (int)error);
	xylem_result_fail(result, kafka_failure_of(error), code, "%s%s%s", rd_kafka_err2str(error),
		detail ? ": " : "", detail ? detail : "");
}

/* ---- probe ---- */

/* The first error that says why nothing can be reached. */
struct probe {
	rd_kafka_resp_err_t error;
	char text[200];
};

static void probe_error(rd_kafka_t *client, int error, const char *text, void *context)
{
	struct probe *probe = context;

	if (probe->error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
		probe->error = (rd_kafka_resp_err_t)error;
		snprintf(probe->text, sizeof(probe->text), "%s", text);
	}
}

static rd_kafka_resp_err_t ask_metadata(rd_kafka_t *client, const char *name, int64_t timeout_us)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
	rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &metadata, (int)(timeout_us / 1000));

	if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
		error = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_topic_destroy(topic);
	return error;
}

int kafka_probe(struct kafka_instance *instance, int64_t timeout_us, struct xylem_result *result)
{
	const struct kafka_options *options = instance->options;
	struct probe probe = { .error = RD_KAFKA_RESP_ERR_NO_ERROR };
	struct xylem_reason reason = { "" };
	rd_kafka_conf_t *conf = kafka_conf_new(
		options, KAFKA_PRODUCER, xylem_host_name(instance->host), &reason);
	rd_kafka_resp_err_t error;
	rd_kafka_t *client = NULL;
	char text[256] = "";

	if (conf != NULL) {
		rd_kafka_conf_set_error_cb(conf, probe_error);
		rd_kafka_conf_set_opaque(conf, &probe);
		client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	}
	if (client == NULL) {
		if (conf != NULL) {
			rd_kafka_conf_destroy(conf); /* rd_kafka_new takes it only when it succeeds */
		}
		xylem_result_fail(result, XYLEM_FAILURE_MISCONFIGURED, "kafka-client", "%s",
			text[0] ? text : reason.text);
		return -XYLEM_E_INVALID;
	}
	error = ask_metadata(client, options->topic ? options->topic : options->topics.items[0], timeout_us);
	rd_kafka_poll(client, 0); /* the error callback speaks here */
	rd_kafka_destroy(client);
	if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
		xylem_host_health(instance->host, true, "the topic has its leaders");
		return 0;
	}
	kafka_fail(result, probe.error ? probe.error : error, probe.error ? probe.text : NULL);
	xylem_host_health(instance->host, false, "%s", result->reason.text);
	return -XYLEM_E_UNREACHABLE;
}
