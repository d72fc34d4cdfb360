/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reload: the running bus takes another generation, all or nothing. The new
 * configuration is loaded and its connectors are opened beside the old ones;
 * then topics, XMPP and lanes take it; then it is the current one, and what
 * only the old one had is stopped.
 *
 * The rule not to break: what can fail comes before the first thing that cannot
 * be taken back, and a source that cannot start is not a failure: the keeper
 * tries it again. What the start alone can set (data folder, journal, addresses)
 * is refused here, by name.
 *
 * Locks: reload, held throughout; generation, only for the swap itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include <base/logging.h>
#include <config/report.h>
#include <main/bus_body.h>
#include <xylem/log.h>

static const char *fixed_changed(const struct config_view *now, const struct config_view *then)
{
	bool xmpp_now = now->xmpp && now->xmpp->server, xmpp_then = then->xmpp && then->xmpp->server;
	if (strcmp(now->bus->data, then->bus->data) != 0) {
		return "bus.data";
	}
	if (memcmp(now->journal, then->journal, sizeof(*now->journal)) != 0) {
		return "journal";
	}
	if (strcmp(now->console->listen, then->console->listen) != 0) {
		return "console.listen";
	}
	if (xmpp_now != xmpp_then ||
		(xmpp_now && (strcmp(now->xmpp->server, then->xmpp->server) != 0 ||
				     strcmp(now->xmpp->domain, then->xmpp->domain) != 0))) {
		return "xmpp.server or xmpp.domain";
	}
	return NULL;
}

static void stop_changed(const struct instances *before, const struct instances *after)
{
	for (size_t i = 0; i < before->n; i++) {
		if (!instances_has(after, before->items[i])) {
			instance_stop(before->items[i]);
		}
	}
}

static void hold_new(struct bus *bus, const struct instances *before, const struct instances *after)
{
	for (size_t i = 0; i < after->n && bus->holding; i++) {
		if (!instances_has(before, after->items[i])) {
			instance_hold(after->items[i], true);
		}
	}
}

/* Topics and people of a generation; the one before can be had again. */
static int people_apply(struct bus *bus, const struct config_view *view)
{
	int error = topics_apply(bus->topics, view);
	return error || !bus->xmpp ? error : xmpp_service_apply(bus->xmpp, view);
}

/* Swaps to `config`, taking it over; on an error everything is as before. */
static int swap(struct bus *bus, struct config *config, struct xylem_reason *reason)
{
	struct instances instances, before = bus->instances;
	int error = instances_open(bus, config, &before, &instances, reason);
	if (error) {
		return error;
	}
	error = people_apply(bus, config_view(config));
	error = error ? error : bus_lanes_apply(bus, config, &instances, reason);
	if (error) {
		(void)people_apply(bus, config_view(bus->config));
		instances_finish(&instances);
		return error;
	}
	if (bus->xmpp) {
		xmpp_service_review(bus->xmpp);
	}
	hold_new(bus, &before, &instances);
	stop_changed(&before, &instances);
	pthread_mutex_lock(&bus->generation_lock);
	struct config *old = bus->config;
	bus->config = config_ref(config);
	bus->instances = instances;
	pthread_mutex_unlock(&bus->generation_lock);
	struct xylem_reason late = { "" };
	if (instances_start(bus, &bus->instances, &late) != 0) {
		xylem_log(XYLEM_LOG_ERROR, "reload", "%s (it is tried again)", late.text);
	}
	instances_finish(&before);
	config_unref(old);
	if (bus_generations_note(bus, &late) != 0) {
		xylem_log(XYLEM_LOG_ERROR, "reload", "what the routes are now was not noted: %s", late.text);
	}
	logging_set(config_view(bus->config)->bus->log_level, config_view(bus->config)->bus->log_format == 1);
	return 0;
}

static int reload(struct bus *bus, struct config_report *report)
{
	struct config *config = NULL;
	int error = config_load(&config, bus->path, report);
	if (error) {
		return error;
	}
	struct xylem_reason reason = { "" };
	const struct config_place place = { bus->path, 1, 1 };
	const char *fixed = fixed_changed(config_view(bus->config), config_view(config));
	config_restart_check(config_view(bus->config), config_view(config), place, report);
	if (fixed) {
		xylem_reason_set(&reason, "%s cannot change while the bus runs: restart it", fixed);
		error = -XYLEM_E_CONFLICT;
	} else {
		error = swap(bus, config, &reason);
	}
	if (error) {
		report_error(
			report, place, "%s", reason.text[0] ? reason.text : xylem_error_row(error)->text);
	}
	config_unref(config);
	return error;
}

int bus_reload(struct bus *bus, struct config_report *report)
{
	pthread_mutex_lock(&bus->reload_lock);
	int error = reload(bus, report);
	events_reload(bus, !error, config_view(bus->config)->generation);
	pthread_mutex_unlock(&bus->reload_lock);
	return error;
}
