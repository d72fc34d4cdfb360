/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connectors of a generation. A reload keeps every instance whose name,
 * kind and options (secrets and files included) are what they were, so that
 * changing one connector disturbs no other.
 */
#include <stdlib.h>

#include <main/bus_body.h>
#include <xylem/log.h>

/* Where it stands among those before; their count when it does not, or changed. */
static size_t kept(const struct instances *before, const struct config_connector *connector)
{
	for (size_t i = 0; i < before->n; i++) {
		if (strcmp(instance_name(before->items[i]), connector->name) == 0 &&
			instance_kind(before->items[i]) == connector->kind &&
			memcmp(before->hashes[i], connector->options_hash, sizeof(connector->options_hash)) ==
				0) {
			return i;
		}
	}
	return before->n;
}

static int open_one(struct bus *bus, struct config *config, const struct config_connector *connector,
	struct instance **ret_instance, struct xylem_reason *reason)
{
	struct xylem_reason why = { "" };
	struct instance_options options = {
		.name = connector->name,
		.kind = connector->kind,
		.options = connector->options,
		.config = config,
		.data = config_view(config)->bus->data,
		.changed = events_connector,
		.context = bus,
	};
	int error = instance_open(ret_instance, &options, &why);
	if (error) {
		xylem_reason_set(reason, "%s:%d:%d: connector %s cannot be opened: %.300s",
			connector->place.file, connector->place.line, connector->place.column,
			connector->name, why.text[0] ? why.text : xylem_error_row(error)->text);
	}
	return error;
}

int instances_open(struct bus *bus, struct config *config, const struct instances *before,
	struct instances *ret_instances, struct xylem_reason *reason)
{
	const struct config_view *view = config_view(config);
	size_t n = view->connector_count;
	struct instances instances = { calloc(n + 1, sizeof(*instances.items)),
		calloc(n + 1, sizeof(*instances.hashes)), calloc(n + 1, sizeof(*instances.held)),
		calloc(n + 1, sizeof(*instances.sources)), 0 };
	int error = instances.items && instances.hashes && instances.held && instances.sources
			    ? 0
			    : -XYLEM_E_MEMORY;
	for (; instances.n < n && !error; instances.n += !error) {
		const struct config_connector *connector = &view->connectors[instances.n];
		size_t old = kept(before, connector);
		if (old < before->n) {
			instances.items[instances.n] = instance_ref(before->items[old]);
			instances.held[instances.n] = before->held[old];
		} else {
			error = open_one(bus, config, connector, &instances.items[instances.n], reason);
		}
		instances.sources[instances.n] = config_takes_in(view, connector->name);
		memcpy(instances.hashes[instances.n], connector->options_hash,
			sizeof(connector->options_hash));
	}
	if (error) {
		instances_finish(&instances);
		return error;
	}
	*ret_instances = instances;
	return 0;
}

void instances_finish(struct instances *instances)
{
	for (size_t i = 0; i < instances->n; i++) {
		instance_unref(instances->items[i]);
	}
	free(instances->items);
	free(instances->hashes);
	free(instances->held);
	free(instances->sources);
	*instances = (struct instances){ 0 };
}

struct instance *instances_find(const struct instances *instances, const char *name)
{
	for (size_t i = 0; i < instances->n; i++) {
		if (strcmp(instance_name(instances->items[i]), name) == 0) {
			return instances->items[i];
		}
	}
	return NULL;
}

bool instances_has(const struct instances *instances, const struct instance *instance)
{
	for (size_t i = 0; i < instances->n; i++) {
		if (instances->items[i] == instance) {
			return true;
		}
	}
	return false;
}

int instances_start(struct bus *bus, const struct instances *instances, struct xylem_reason *reason)
{
	int first = 0;
	for (size_t i = 0; i < instances->n; i++) {
		struct xylem_reason why = { "" };
		if (!instances->sources[i]) {
			instance_stop(instances->items[i]);
			continue;
		}
		int error = instance_start(instances->items[i], bus->intake, &why);
		if (!error) {
			continue;
		}
		const char *name = instance_name(instances->items[i]);
		const char *text = why.text[0] ? why.text : xylem_error_row(error)->text;
		instance_health(instances->items[i], false, text);
		if (!first) {
			xylem_reason_set(reason, "connector %s cannot start: %.400s", name, text);
			first = error;
		}
	}
	return first;
}

void instances_stop(const struct instances *instances)
{
	for (size_t i = 0; i < instances->n; i++) {
		instance_stop(instances->items[i]);
	}
}

void instances_hold(const struct instances *instances, bool hold)
{
	for (size_t i = 0; i < instances->n; i++) {
		instance_hold(instances->items[i], hold);
	}
}
