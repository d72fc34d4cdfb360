/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_KAFKA_BATCH_H
#define CONNECTORS_KAFKA_BATCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "kafka_client.h"

/*
 * What the source has under way: submissions in the order in which they were
 * handed in, each with the offsets that may be committed when it is on disk.
 * Private to kafka_source.c and kafka_batch.c.
 */

/* One submission: from, inclusive, and the offsets to store when it is on disk. */
struct kafka_batch {
	struct kafka_batch *next;
	struct kafka_source *source;
	rd_kafka_topic_partition_list_t *first, *after;
	size_t n;
	bool answered;
	int error;
};

struct kafka_source {
	struct kafka_instance *instance;
	struct xylem_source *door;
	pthread_t thread;
	bool running;
	atomic_bool stopping;

	/* Of the thread. */
	rd_kafka_t *client;
	rd_kafka_message_t **gathered;
	size_t gathered_count, gathered_room, gathered_bytes;
	size_t piece; /* records in the next submission at most */
	bool bare;    /* the next record goes without key and data: it was refused with them */
	bool paused;
	int64_t stuck_since; /* 0: it goes */
	struct xylem_arena *arena;

	/* Under the lock: written by the journal's commit thread, too. */
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct kafka_batch *head, **tail;
	size_t under_way; /* messages */
};

/* The first `n` gathered records as a submission; NULL without memory. */
struct kafka_batch *kafka_batch_new(struct kafka_source *source, size_t n);
void kafka_batch_free(struct kafka_batch *batch);
/* The entry of this record's partition, added with `offset` when it is new. */
rd_kafka_topic_partition_t *kafka_batch_entry(
	rd_kafka_topic_partition_list_t *list, const rd_kafka_message_t *record, int64_t offset);

/* To the end of the queue, before it is handed in: the answer may come before that call returns. */
void kafka_batch_queue(struct kafka_source *source, struct kafka_batch *batch);
/* The batch was refused at the door: it comes off the tail, where the last one always is, and is freed. */
void kafka_batch_unqueue(struct kafka_source *source, struct kafka_batch *batch);
/* The journal's answer (xylem_submit_done), on its commit thread. `context`: the batch. */
void kafka_batch_on_disk(void *context, int error, const struct xylem_receipt *receipts, size_t n);
/* The head of the queue when the journal has answered for it, taken off; NULL: not yet. */
struct kafka_batch *kafka_batch_take(struct kafka_source *source);
/* Waits up to `wait_us` for an answer of the journal; all: for all of them. */
void kafka_batch_await(struct kafka_source *source, int64_t wait_us, bool all);
/* Messages handed in and not answered. */
size_t kafka_batches_under_way(struct kafka_source *source);

#endif
