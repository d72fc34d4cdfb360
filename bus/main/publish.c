/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages by people and programs: they come in through a door of the intake
 * like any source's, named after the ingress that they are published as.
 */
#include <stdio.h>
#include <stdlib.h>

#include <main/bus_body.h>

static struct door *door_find(struct bus *bus, const char *ingress)
{
	struct door *door = bus->doors;
	while (door && strcmp(door->ingress, ingress) != 0) {
		door = door->next;
	}
	return door;
}

static struct door *door_make(struct bus *bus, const char *ingress)
{
	struct door *door = calloc(1, sizeof(*door));
	if (!door) {
		return NULL;
	}
	snprintf(door->ingress, sizeof(door->ingress), "%s", ingress);
	door->source = intake_source_new(bus->intake, ingress);
	if (!door->source) {
		free(door);
		return NULL;
	}
	door->next = bus->doors;
	bus->doors = door;
	return door;
}

static bool ingress_known(struct bus *bus, const char *ingress)
{
	struct config *config = bus_config(bus);
	const struct config_view *view = config_view(config);
	bool topic = strncmp(ingress, "topic:", 6) == 0;
	/* Those that clients made are not in the configuration. */
	bool known = topic ? bus->topics && topic_exists(bus->topics, ingress + 6)
			   : config_find_connector(view, ingress) != NULL;
	config_unref(config);
	return known;
}

static int door_open(
	struct bus *bus, const char *ingress, struct xylem_source **ret_source, struct xylem_reason *reason)
{
	if (!ingress_known(bus, ingress)) {
		xylem_reason_set(reason,
			"there is no connector or topic \"%.100s\"; topics are written topic:NAME", ingress);
		return -XYLEM_E_NOT_FOUND;
	}
	pthread_mutex_lock(&bus->doors_lock);
	struct door *door = door_find(bus, ingress);
	door = door ? door : door_make(bus, ingress);
	pthread_mutex_unlock(&bus->doors_lock);
	if (!door) {
		return -XYLEM_E_MEMORY;
	}
	*ret_source = door->source;
	return 0;
}

int publish_submit(void *context, const char *ingress, const struct xylem_message *messages, size_t n,
	xylem_submit_done done, void *done_context, struct xylem_reason *reason)
{
	struct xylem_source *source;
	int error = door_open(context, ingress, &source, reason);
	return error ? error : xylem_source_submit(source, messages, n, done, done_context, reason);
}

int bus_publish(struct bus *bus, const char *ingress, const struct xylem_message *messages, size_t n,
	struct xylem_position *ret_positions, struct xylem_reason *reason)
{
	struct xylem_source *source;
	int error = door_open(bus, ingress, &source, reason);
	return error ? error
		     : xylem_source_submit_wait(
			       source, messages, n, (struct xylem_receipt *)ret_positions, reason);
}

void doors_close(struct bus *bus)
{
	while (bus->doors) {
		struct door *door = bus->doors;
		bus->doors = door->next;
		intake_source_free(door->source);
		free(door);
	}
}
