/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source's queue of submissions. The journal's answers, on its thread, only
 * mark them; the source's own thread takes answered ones from the head, so that
 * offsets are stored in order and never before everything before them.
 */
#include <stdlib.h>

#include "kafka_batch.h"

void kafka_batch_free(struct kafka_batch *batch)
{
	if (batch->first != NULL) {
		rd_kafka_topic_partition_list_destroy(batch->first);
	}
	if (batch->after != NULL) {
		rd_kafka_topic_partition_list_destroy(batch->after);
	}
	free(batch);
}

/* The entry of this record's partition, added with `offset` when it is new. */
rd_kafka_topic_partition_t *kafka_batch_entry(
	rd_kafka_topic_partition_list_t *list, const rd_kafka_message_t *record, int64_t offset)
{
	const char *topic = rd_kafka_topic_name(record->rkt);
	rd_kafka_topic_partition_t *found = list->cnt > 0
						    ? &list->elems[list->cnt - 1]
						    : NULL; /* records come in stretches of a partition */

	if (found == NULL || found->partition != record->partition || strcmp(found->topic, topic) != 0) {
		found = rd_kafka_topic_partition_list_find(list, topic, record->partition);
	}
	if (found == NULL) {
		found = rd_kafka_topic_partition_list_add(list, topic, record->partition);
		found->offset = offset;
	}
	return found;
}

struct kafka_batch *kafka_batch_new(struct kafka_source *source, size_t n)
{
	struct kafka_batch *batch = calloc(1, sizeof(*batch));
	size_t i;

	if (batch == NULL) {
		return NULL;
	}
	batch->source = source;
	batch->n = n;
	batch->first = rd_kafka_topic_partition_list_new(8);
	batch->after = rd_kafka_topic_partition_list_new(8);
	for (i = 0; i < n; i++) {
		const rd_kafka_message_t *record = source->gathered[i];

		kafka_batch_entry(batch->first, record, record->offset);
		kafka_batch_entry(batch->after, record, 0)->offset = record->offset + 1;
	}
	return batch;
}

/* On the journal's commit thread. */
void kafka_batch_on_disk(void *context, int error, const struct xylem_receipt *receipts, size_t n)
{
	struct kafka_batch *batch = context;
	struct kafka_source *source = batch->source;

	pthread_mutex_lock(&source->lock);
	batch->error = error;
	batch->answered = true;
	source->under_way -= batch->n;
	pthread_cond_broadcast(&source->answered);
	pthread_mutex_unlock(&source->lock);
}

/* The head of the queue when the journal has answered for it, taken off; NULL: not yet. */
struct kafka_batch *kafka_batch_take(struct kafka_source *source)
{
	struct kafka_batch *batch;

	pthread_mutex_lock(&source->lock);
	batch = source->head != NULL && source->head->answered ? source->head : NULL;
	if (batch != NULL) {
		source->head = batch->next;
		source->tail = source->head ? source->tail : &source->head;
	}
	pthread_mutex_unlock(&source->lock);
	return batch;
}

/* Waits up to `wait_us` for an answer of the journal; all: for all of them. */
void kafka_batch_await(struct kafka_source *source, int64_t wait_us, bool all)
{
	int64_t end = kafka_clock() + wait_us;
	struct timespec until = { .tv_sec = end / 1000000, .tv_nsec = end % 1000000 * 1000 };
	int error = 0;

	pthread_mutex_lock(&source->lock);
	while (error == 0 && source->head != NULL &&
		(all ? source->under_way > 0 : !source->head->answered)) {
		error = pthread_cond_clockwait(&source->answered, &source->lock, CLOCK_MONOTONIC, &until);
	}
	pthread_mutex_unlock(&source->lock);
}

size_t kafka_batches_under_way(struct kafka_source *source)
{
	size_t n;

	pthread_mutex_lock(&source->lock);
	n = source->under_way;
	pthread_mutex_unlock(&source->lock);
	return n;
}

void kafka_batch_queue(struct kafka_source *source, struct kafka_batch *batch)
{
	pthread_mutex_lock(&source->lock);
	*source->tail = batch;
	source->tail = &batch->next;
	source->under_way += batch->n;
	pthread_mutex_unlock(&source->lock);
}

/* The batch was refused at the door: it comes off the tail, where the last one always is. */
void kafka_batch_unqueue(struct kafka_source *source, struct kafka_batch *batch)
{
	struct kafka_batch **link = &source->head;

	pthread_mutex_lock(&source->lock);
	while (*link != batch) {
		link = &(*link)->next;
	}
	*link = NULL;
	source->tail = link;
	source->under_way -= batch->n;
	pthread_mutex_unlock(&source->lock);
	kafka_batch_free(batch);
}
