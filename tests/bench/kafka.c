/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka's part of the bench. `produce` fills a topic with orders of 512 bytes;
 * `consume` is the ceiling: librdkafka alone reads COUNT records and does
 * nothing with them. Both print one line of JSON with messages and times.
 *
 *     bench-kafka produce|consume BROKERS TOPIC COUNT
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

enum { BODY = 512, TAKE = 1000, WAIT_MS = 5, LOOK_S = 60 };

static int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static rd_kafka_t *client_new(rd_kafka_type_t type, const char *const (*settings)[2])
{
	char text[512] = "";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	bool set = true;
	for (; set && (*settings)[0]; settings++) {
		set = rd_kafka_conf_set(conf, (*settings)[0], (*settings)[1], text, sizeof(text)) ==
		      RD_KAFKA_CONF_OK;
	}
	rd_kafka_t *client = set ? rd_kafka_new(type, conf, text, sizeof(text)) : NULL;
	if (!client) {
		fprintf(stderr, "bench-kafka: %s\n", text);
		exit(1);
	}
	return client;
}

static void print(uint64_t messages, int64_t begin, int64_t end)
{
	printf("{\"messages\":%" PRIu64 ",\"begin_us\":%" PRId64 ",\"end_us\":%" PRId64 "}\n", messages,
		begin, end);
}

/* --- Producing ------------------------------------------------------------ */

static size_t order_write(char body[BODY + 1], uint64_t number)
{
	int head = snprintf(body, BODY + 1,
		"{\"number\":%" PRIu64 ",\"customer\":\"c17\",\"total\":19.99,\"note\":\"", number);
	memset(body + head, 'n', (size_t)(BODY - head - 2));
	memcpy(body + BODY - 2, "\"}", 2);
	return BODY;
}

static void produce(const char *brokers, const char *topic, uint64_t count)
{
	const char *const settings[][2] = { { "bootstrap.servers", brokers }, { "linger.ms", "20" },
		{ "queue.buffering.max.messages", "100000" }, { NULL, NULL } };
	rd_kafka_t *client = client_new(RD_KAFKA_PRODUCER, settings);
	int64_t begin = now_us();
	for (uint64_t i = 0; i < count;) {
		char body[BODY + 1], key[24];
		int key_n = snprintf(key, sizeof(key), "c%" PRIu64, i % 1000);
		rd_kafka_resp_err_t error = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic),
			RD_KAFKA_V_KEY(key, (size_t)key_n),
			RD_KAFKA_V_VALUE(body, order_write(body, 100000000000 + i)),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
		if (error && error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			fprintf(stderr, "bench-kafka: %s\n", rd_kafka_err2str(error));
			exit(1);
		}
		i += error ? 0 : 1;
		rd_kafka_poll(client, error ? 10 : 0);
	}
	if (rd_kafka_flush(client, LOOK_S * 1000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		fprintf(stderr, "bench-kafka: the broker did not take everything in %d s\n", LOOK_S);
		exit(1);
	}
	print(count, begin, now_us());
	rd_kafka_destroy(client);
}

/* --- Consuming ------------------------------------------------------------ */

static void consume(const char *brokers, const char *topic, uint64_t count)
{
	const char *const settings[][2] = { { "bootstrap.servers", brokers }, { "group.id", "ceiling" },
		{ "auto.offset.reset", "earliest" }, { "enable.auto.commit", "false" }, { NULL, NULL } };
	rd_kafka_t *client = client_new(RD_KAFKA_CONSUMER, settings);
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
	rd_kafka_poll_set_consumer(client);
	rd_kafka_subscribe(client, topics);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
	rd_kafka_message_t *taken[TAKE];
	uint64_t read = 0;
	int64_t begin = 0, end = 0, late = now_us() + LOOK_S * INT64_C(1000000);
	while (read < count && now_us() < late) {
		ssize_t n = rd_kafka_consume_batch_queue(queue, WAIT_MS, taken, TAKE);
		for (ssize_t i = 0; i < n; i++) {
			read += taken[i]->err ? 0 : 1;
			rd_kafka_message_destroy(taken[i]);
		}
		end = now_us();
		/* From the first record on: finding the broker and joining the group is not reading. */
		begin = begin || read == 0 ? begin : end;
	}
	print(read, begin, end);
	rd_kafka_queue_destroy(queue);
	rd_kafka_consumer_close(client);
	rd_kafka_topic_partition_list_destroy(topics);
	rd_kafka_destroy(client);
	if (read < count) {
		fprintf(stderr, "bench-kafka: %" PRIu64 " of %" PRIu64 " records in %d s\n", read, count,
			LOOK_S);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	uint64_t count = argc == 5 ? strtoull(argv[4], NULL, 10) : 0;
	if (count > 0 && strcmp(argv[1], "produce") == 0) {
		produce(argv[2], argv[3], count);
	} else if (count > 0 && strcmp(argv[1], "consume") == 0) {
		consume(argv[2], argv[3], count);
	} else {
		fprintf(stderr, "usage: bench-kafka produce|consume BROKERS TOPIC COUNT\n");
		return 2;
	}
	return 0;
}
