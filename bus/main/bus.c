/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole bus as a table of parts: started from the first row to the last,
 * stopped from the last to the first. What comes in starts last and stops
 * first; what keeps things starts first and stops last. A part that fails to
 * start stops all before it: there is no bus with a part missing.
 *
 * The order of the rows is the order of need. Locks and theirs: docs/rooms.md.
 * Not here: how a running bus takes another configuration (reload.c), and what
 * it is asked (faces.c).
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/logging.h>
#include <main/bus_body.h>
#include <xylem/log.h>

#ifndef XYLEM_VERSION
#define XYLEM_VERSION "0"
#endif

static const struct config_view *view_of(const struct bus *bus)
{
	return config_view(bus->config);
}

/* --- Configuration and data folder ------------------------------------------ */

static int config_start(struct bus *bus, struct xylem_reason *reason)
{
	struct config_report report = { 0 };
	int error = config_load(&bus->config, bus->path, &report);
	for (size_t i = 0; i < report.n; i++) {
		const struct config_problem *problem = &report.problems[i];
		xylem_log(problem->warning ? XYLEM_LOG_WARNING : XYLEM_LOG_ERROR, "config", "%s:%d:%d: %s",
			problem->place.file, problem->place.line, problem->place.column, problem->text);
	}
	if (error) {
		xylem_reason_set(reason, "%s: %zu error%s in the configuration; `xylemd check %s` lists them",
			bus->path, report.errors, report.errors == 1 ? "" : "s", bus->path);
	}
	config_report_finish(&report);
	if (!error) {
		logging_set(view_of(bus)->bus->log_level, view_of(bus)->bus->log_format == 1);
	}
	return error;
}

static void config_stop(struct bus *bus)
{
	bus->config = config_unref(bus->config);
}

/* Makes a folder and those above it. */
static int folders_make(const char *path, struct xylem_reason *reason)
{
	char part[4096];
	snprintf(part, sizeof(part), "%s", path);
	for (char *at = part + 1;; at++) {
		if (*at != '/' && *at != '\0') {
			continue;
		}
		char kept = *at;
		*at = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST) {
			xylem_reason_set(reason, "cannot make the folder %.300s: %s", part, strerror(errno));
			return -XYLEM_E_IO;
		}
		*at = kept;
		if (kept == '\0') {
			return 0;
		}
	}
}

static int data_start(struct bus *bus, struct xylem_reason *reason)
{
	const char *folder = view_of(bus)->bus->data;
	int error = folders_make(folder, reason);
	if (!error && access(folder, W_OK | X_OK) != 0) {
		xylem_reason_set(reason, "the folder %.300s cannot be written: %s", folder, strerror(errno));
		error = -XYLEM_E_IO;
	}
	return error;
}

/* --- Journal and catalogue ----------------------------------------------------- */

static bool journal_exists(const char *data)
{
	char pattern[4096];
	snprintf(pattern, sizeof(pattern), "%s/journal/*.segment", data);
	glob_t found = { 0 };
	bool exists = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
	globfree(&found);
	return exists;
}

static struct xylem_position synced_end(void *context)
{
	struct bus *bus = context;
	return journal_end(bus->journal);
}

static int catalogue_start(struct bus *bus, struct xylem_reason *reason)
{
	char path[4096];
	const char *data = view_of(bus)->bus->data;
	snprintf(path, sizeof(path), "%s/catalogue.db", data);
	struct catalogue_options options = { .path = path,
		.io = io_chosen(),
		.journal_exists = journal_exists(data),
		.accept_gap = bus->accept_gap };
	return catalogue_open(&bus->catalogue, &options, reason);
}

static void catalogue_stop(struct bus *bus)
{
	bus->catalogue = catalogue_close(bus->catalogue);
}

static void recovery_log(const struct journal_recovery *recovery)
{
	if (recovery->torn_bytes > 0) {
		xylem_log(XYLEM_LOG_NOTICE, "journal",
			"cut %lu bytes of a torn tail: they were never acknowledged",
			(unsigned long)recovery->torn_bytes);
	}
	if (recovery->damaged_bytes > 0) {
		xylem_log(XYLEM_LOG_ERROR, "journal",
			"%lu bytes in %lu batches are damaged and lie aside in %s",
			(unsigned long)recovery->damaged_bytes, (unsigned long)recovery->damaged_batches,
			recovery->quarantine);
	}
}

static int journal_start(struct bus *bus, struct xylem_reason *reason)
{
	char folder[4096];
	const struct config_view *view = view_of(bus);
	snprintf(folder, sizeof(folder), "%s/journal", view->bus->data);
	struct journal_options options = {
		.folder = folder,
		.io = io_chosen(),
		.segment_size = (uint64_t)view->journal->segment_size,
		.retain_bytes = (uint64_t)view->journal->retain_bytes,
		.retain_us = view->journal->retain_us,
		.hold_bytes = (uint64_t)view->journal->max_bytes,
		.reserve_bytes = (uint64_t)view->journal->reserve_bytes,
		.acknowledged_end = catalogue_acknowledged_end(bus->catalogue),
		.accept_gap = bus->accept_gap,
	};
	struct journal_recovery recovery = { 0 };
	int error = journal_open(&bus->journal, &options, &recovery, reason);
	recovery_log(&recovery);
	if (!error) {
		catalogue_acknowledged_provider(bus->catalogue, synced_end, bus);
	}
	return error;
}

static void journal_stop(struct bus *bus)
{
	/* The catalogue asks for the end until it is told not to; its last commit comes after this. */
	catalogue_acknowledged_provider(bus->catalogue, NULL, NULL);
	bus->journal = journal_close(bus->journal);
}

/* --- Hospital, intake, topics ---------------------------------------------------- */

static int hospital_start(struct bus *bus, struct xylem_reason *reason)
{
	const struct config_hospital *limits = view_of(bus)->hospital;
	struct hospital_options options = { bus->catalogue, bus->journal, (uint64_t)limits->max_cases,
		(uint64_t)limits->max_bytes };
	return hospital_open(&bus->hospital, &options, reason);
}

static void hospital_stop(struct bus *bus)
{
	bus->hospital = hospital_close(bus->hospital);
}

static int intake_start(struct bus *bus, struct xylem_reason *reason)
{
	bus->intake = intake_new(bus->journal, (size_t)view_of(bus)->bus->max_message);
	if (!bus->intake) {
		return -XYLEM_E_MEMORY;
	}
	intake_on_accepted(bus->intake, events_accepted, bus);
	return 0;
}

static void intake_stop(struct bus *bus)
{
	doors_close(bus);
	bus->intake = intake_free(bus->intake);
}

static int topics_start(struct bus *bus, struct xylem_reason *reason)
{
	struct topics_bus face = { bus->journal, bus->catalogue, publish_submit, bus };
	int error = topics_new(&bus->topics, &face, reason);
	error = error ? error : topics_apply(bus->topics, view_of(bus));
	if (!error) {
		topics_make_current(bus->topics);
	}
	return error;
}

static void topics_stop(struct bus *bus)
{
	topics_make_current(NULL);
	bus->topics = topics_free(bus->topics);
}

/* --- XMPP -------------------------------------------------------------------------- */

static int xmpp_start(struct bus *bus, struct xylem_reason *reason)
{
	const struct config_xmpp *xmpp = view_of(bus)->xmpp;
	if (!xmpp || !xmpp->server) {
		return 0;
	}
	struct xmpp_options options = { xmpp->server, xmpp->domain, xylem_secret_borrow(xmpp->secret),
		(size_t)xmpp->max_stanza, view_of(bus)->bus->name, XYLEM_VERSION, bus->topics,
		bus->catalogue };
	int error = xmpp_service_new(&bus->xmpp, &options, reason);
	error = error ? error : xmpp_service_apply(bus->xmpp, view_of(bus));
	error = error ? error : xmpp_service_start(bus->xmpp, reason);
	if (!error) {
		xmpp_service_review(bus->xmpp);
		xmpp_service_make_current(bus->xmpp);
	}
	return error;
}

static void xmpp_stop(struct bus *bus)
{
	if (bus->xmpp) {
		xmpp_service_make_current(NULL);
		xmpp_service_stop(bus->xmpp, 2000000);
		bus->xmpp = xmpp_service_free(bus->xmpp);
	}
}

/* --- Connectors and lanes ------------------------------------------------------------ */

static int internal_open(struct bus *bus, const struct xylem_connector *kind, const void *options,
	struct instance **ret_instance, struct xylem_reason *reason)
{
	struct instance_options instance = {
		.name = kind->name, .kind = kind, .options = options, .data = view_of(bus)->bus->data
	};
	return instance_open(ret_instance, &instance, reason);
}

static int connectors_start(struct bus *bus, struct xylem_reason *reason)
{
	static const struct instances none = { 0 };
	int error = internal_open(bus, &topic_fanout, NULL, &bus->fanout, reason);
	error = error ? error : internal_open(bus, &unrouted_sink, &bus, &bus->unrouted, reason);
	return error ? error : instances_open(bus, bus->config, &none, &bus->instances, reason);
}

static void connectors_stop(struct bus *bus)
{
	instances_finish(&bus->instances);
	bus->fanout = instance_unref(bus->fanout);
	bus->unrouted = instance_unref(bus->unrouted);
}

static struct instance *sink_find(void *instances, const char *name)
{
	return instances_find(instances, name);
}

int bus_lanes_apply(
	struct bus *bus, struct config *config, struct instances *instances, struct xylem_reason *reason)
{
	struct lanes_sinks sinks = { sink_find, bus->fanout, bus->unrouted, instances };
	return lanes_apply(bus->lanes, config, &sinks, reason);
}

static int lanes_begin(struct bus *bus, struct xylem_reason *reason)
{
	bus->lane_services = (struct lane_services){ bus->journal, bus->catalogue, bus->hospital, events_lane,
		events_settled, alerts_admitted, bus };
	int error = lanes_new(&bus->lanes, &bus->lane_services, reason);
	error = error ? error : bus_lanes_apply(bus, bus->config, &bus->instances, reason);
	if (!error) {
		/* Until it is told, the journal takes all that it keeps for unsettled. */
		journal_release(bus->journal, lanes_released(bus->lanes));
	}
	return error;
}

static void lanes_stop(struct bus *bus)
{
	int64_t grace = view_of(bus)->bus->shutdown_us / 2;
	bus->lanes = lanes_free(bus->lanes, grace);
}

static int sources_start(struct bus *bus, struct xylem_reason *reason)
{
	return instances_start(bus, &bus->instances, reason);
}

static void sources_stop(struct bus *bus)
{
	intake_refuse(bus->intake, -XYLEM_E_STOPPING);
	instances_stop(&bus->instances);
}

static int rest_start(struct bus *bus, struct xylem_reason *reason)
{
	return rest_new(&bus->rest, bus, reason);
}

static void rest_stop(struct bus *bus)
{
	bus->rest = rest_free(bus->rest);
}

/* Lanes may tell of cases from the moment they run: they see the face or none. */
static int face_start(struct bus *bus, struct xylem_reason *reason)
{
	struct face *face = NULL;
	int error = bus->xmpp ? face_new(&face, bus, bus->xmpp, reason) : 0;
	atomic_store(&bus->face, face);
	return error;
}

static void face_stop(struct bus *bus)
{
	pthread_rwlock_wrlock(&bus->listeners_lock);
	struct face *face = atomic_exchange(&bus->face, NULL);
	pthread_rwlock_unlock(&bus->listeners_lock);
	face_free(face);
}

/* --- The table -------------------------------------------------------------------------- */

static const struct part {
	const char *name;
	int (*start)(struct bus *bus, struct xylem_reason *reason);
	void (*stop)(struct bus *bus);
} parts[] = {
	{ "config", config_start, config_stop },
	{ "data", data_start, NULL },
	{ "catalogue", catalogue_start, catalogue_stop },
	{ "journal", journal_start, journal_stop },
	{ "hospital", hospital_start, hospital_stop },
	{ "intake", intake_start, intake_stop },
	{ "topics", topics_start, topics_stop },
	{ "xmpp", xmpp_start, xmpp_stop },
	{ "connectors", connectors_start, connectors_stop },
	{ "lanes", lanes_begin, lanes_stop },
	{ "generations", bus_generations_note, NULL },
	{ "console", rest_start, rest_stop },
	{ "commands", face_start, face_stop },
	{ "sources", sources_start, sources_stop },
	{ "keeper", keeper_start, keeper_stop },
};
#define PARTS (sizeof(parts) / sizeof(*parts))

static void stop_from(struct bus *bus, size_t count)
{
	while (count-- > 0) {
		if (parts[count].stop) {
			xylem_log(XYLEM_LOG_INFO, "main", "stopping %s", parts[count].name);
			parts[count].stop(bus);
		}
	}
}

static struct bus *bus_free(struct bus *bus)
{
	pthread_mutex_destroy(&bus->generation_lock);
	pthread_mutex_destroy(&bus->reload_lock);
	pthread_mutex_destroy(&bus->doors_lock);
	pthread_mutex_destroy(&bus->keeper_lock);
	pthread_cond_destroy(&bus->keeper_wake);
	pthread_rwlock_destroy(&bus->listeners_lock);
	free(bus->listeners);
	free(bus);
	return NULL;
}

int bus_start(struct bus **ret_bus, const char *path, bool accept_gap, struct xylem_reason *reason)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	if (!bus) {
		return -XYLEM_E_MEMORY;
	}
	bus->path = path;
	bus->accept_gap = accept_gap;
	bus->started_us = clock_wall_us();
	pthread_mutex_init(&bus->generation_lock, NULL);
	pthread_mutex_init(&bus->reload_lock, NULL);
	pthread_mutex_init(&bus->doors_lock, NULL);
	pthread_mutex_init(&bus->keeper_lock, NULL);
	pthread_cond_init(&bus->keeper_wake, NULL);
	pthread_rwlock_init(&bus->listeners_lock, NULL);
	for (size_t i = 0; i < PARTS; i++) {
		struct xylem_reason why = { "" };
		int error = parts[i].start(bus, &why);
		if (error) {
			xylem_reason_set(reason, "%s: %.480s", parts[i].name,
				why.text[0] ? why.text : xylem_error_row(error)->text);
			/* A part that failed half-way is stopped too: stopping takes what is not there. */
			stop_from(bus, i + 1);
			bus_free(bus);
			return error;
		}
	}
	events_reload(bus, true, view_of(bus)->generation);
	*ret_bus = bus;
	return 0;
}

struct bus *bus_stop(struct bus *bus)
{
	if (bus) {
		stop_from(bus, PARTS);
		bus_free(bus);
	}
	return NULL;
}
