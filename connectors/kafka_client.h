/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_KAFKA_CLIENT_H
#define CONNECTORS_KAFKA_CLIENT_H

#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include <xylem/connector.h>

enum kafka_format { KAFKA_BINARY, KAFKA_STRUCTURED, KAFKA_PLAIN };
enum kafka_compression { KAFKA_NONE, KAFKA_GZIP, KAFKA_SNAPPY, KAFKA_LZ4, KAFKA_ZSTD };
enum kafka_mechanism { KAFKA_NO_SASL, KAFKA_SASL_PLAIN, KAFKA_SCRAM_256, KAFKA_SCRAM_512 };
enum kafka_start { KAFKA_EARLIEST, KAFKA_LATEST };

struct kafka_options {
	const char *brokers;
	const char *topic;
	/* sink */
	const char *topic_attribute;
	int format;
	int compression;
	int64_t max_message;
	/* source */
	struct xylem_strings topics;
	const char *group;
	int start;
	int64_t window;
	/* both */
	bool tls;
	const char *tls_ca, *tls_cert, *tls_key;
	const struct xylem_secret *tls_key_password;
	bool insecure_skip_verify;
	int mechanism;
	const char *username;
	const struct xylem_secret *password;
	struct xylem_pairs properties;
};

struct kafka_instance {
	unsigned magic;
	struct xylem_host *host;
	const struct kafka_options *options;
	struct kafka_source *source; /* NULL: not started */
};
#define KAFKA_MAGIC 0x6b61666b

enum kafka_role { KAFKA_PRODUCER, KAFKA_CONSUMER };

int64_t kafka_clock(void); /* microseconds of CLOCK_MONOTONIC */

/* Option combinations and the names of `properties`. No I/O. */
int kafka_check(const struct kafka_options *options, struct xylem_reason *reason);

/*
 * A client's settings, callbacks not yet set; owned by the caller until rd_kafka_new takes it. NULL
 * with the property at fault named. `name` is the connector's.
 */
rd_kafka_conf_t *kafka_conf_new(const struct kafka_options *options, enum kafka_role role, const char *name,
	struct xylem_reason *reason);

/* The class of an error code: ours over the protocol's and librdkafka's own (docs/kafka.md). */
enum xylem_failure kafka_failure_of(rd_kafka_resp_err_t error);
/* Fills a result with class, code `kafka-N` and librdkafka's words; `detail` may be NULL. */
void kafka_fail(struct xylem_result *result, rd_kafka_resp_err_t error, const char *detail);

/* Asks for the metadata of `topic` with a client of its own. */
int kafka_probe(struct kafka_instance *instance, int64_t timeout_us, struct xylem_result *result);

/* kafka_sink.c */
int kafka_sink_open(void *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason);
void kafka_deliver(
	void *worker, const struct xylem_message *const *messages, size_t n, struct xylem_result *results);
void kafka_interrupt(void *worker);
void kafka_sink_close(void *worker);

/* kafka_source.c */
int kafka_source_start(void *instance, struct xylem_source *door, struct xylem_reason *reason);
void kafka_source_stop(void *instance);
void kafka_source_free(struct kafka_source *source);

#endif
