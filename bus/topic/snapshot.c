/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A topic as a delivery of the fan-out found it: who follows it and how it is
 * set. It is taken once for all messages of the topic that come behind each
 * other, since the settings are larger than most messages.
 *
 * The rule not to break: it belongs to one thread; only the roster in it is
 * shared, and that never changes.
 */
#include <stdlib.h>
#include <string.h>

#include <topic/state.h>

#define INGRESS "topic:"

/* Empty: the message is no topic's. */
static void name_of(const struct xylem_message *message, char ret_name[TOPIC_NAME_SIZE])
{
	size_t prefix = sizeof(INGRESS) - 1;
	struct xylem_span ingress = message->ingress;
	ret_name[0] = '\0';
	if (ingress.n > prefix && ingress.n - prefix < TOPIC_NAME_SIZE &&
		memcmp(ingress.at, INGRESS, prefix) == 0) {
		memcpy(ret_name, ingress.at + prefix, ingress.n - prefix);
		ret_name[ingress.n - prefix] = '\0';
	}
}

static struct snapshot *snapshot_new(struct topics *topics, const char name[TOPIC_NAME_SIZE])
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	if (snapshot == NULL) {
		return NULL;
	}
	snapshot->references = 1;
	strcpy(snapshot->name, name);
	pthread_mutex_lock(&topics->lock);
	struct node *node = topics_find(topics, name);
	bool made = true;
	if (node_exists(node)) {
		snapshot->exists = true;
		made = topics_told(topics, node, &snapshot->roster);
		snapshot->settings = node->settings;
	}
	pthread_mutex_unlock(&topics->lock);
	return made ? snapshot : snapshot_unref(snapshot);
}

struct snapshot *snapshot_of(
	struct topics *topics, const struct xylem_message *message, struct snapshot *before)
{
	char name[TOPIC_NAME_SIZE];

	name_of(message, name);
	if (before != NULL && strcmp(before->name, name) == 0) {
		before->references++;
		return before;
	}
	return snapshot_new(topics, name);
}

struct snapshot *snapshot_unref(struct snapshot *snapshot)
{
	if (snapshot != NULL && --snapshot->references == 0) {
		roster_unref(snapshot->roster);
		free(snapshot);
	}
	return NULL;
}
