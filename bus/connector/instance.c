/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open connectors, and the bus as a connector may see it (struct xylem_host is
 * the instance itself). Health is what the connector last said or what its
 * lanes last met; only changes are told.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <base/reason.h>
#include <connector/instance.h>
#include <metrics/metrics.h>
#include <xylem/log.h>

#define INSTANCE_MAGIC 0x696e7374U

struct xylem_host {
	uint32_t magic;
	_Atomic int references;
	char *name;
	const struct xylem_connector *kind;
	struct config *config;
	char *data;
	char *folder; /* made on first use */
	void *body;   /* the connector's own */
	struct xylem_source *source;
	instance_changed changed;
	void *context;
	pthread_mutex_t lock; /* `source` and `holds`: starting, stopping, holding */
	int holds;
	_Atomic uint64_t ready;
	pthread_mutex_t health_lock; /* `up` and `why`; taken by connectors in any of their calls */
	bool up;
	char why[256];
};

struct instance {
	struct xylem_host host;
};

static struct instance *instance_of(struct xylem_host *host)
{
	assert(host->magic == INSTANCE_MAGIC);
	return (struct instance *)host;
}

/* --- Life ----------------------------------------------------------------- */

static void destroy(struct instance *instance)
{
	struct xylem_host *host = &instance->host;
	instance_stop(instance);
	if (host->body) {
		host->kind->close(host->body);
	}
	config_unref(host->config);
	pthread_mutex_destroy(&host->lock);
	pthread_mutex_destroy(&host->health_lock);
	free(host->folder);
	free(host->data);
	free(host->name);
	host->magic = 0;
	free(instance);
}

int instance_open(
	struct instance **ret_instance, const struct instance_options *options, struct xylem_reason *reason)
{
	struct instance *instance = calloc(1, sizeof(*instance));
	if (!instance) {
		return -XYLEM_E_MEMORY;
	}
	struct xylem_host *host = &instance->host;
	*host = (struct xylem_host){ .magic = INSTANCE_MAGIC,
		.references = 1,
		.kind = options->kind,
		.up = true,
		.changed = options->changed,
		.context = options->context };
	pthread_mutex_init(&host->lock, NULL);
	pthread_mutex_init(&host->health_lock, NULL);
	host->config = options->config ? config_ref(options->config) : NULL;
	host->name = strdup(options->name);
	host->data = strdup(options->data ? options->data : ".");
	int error = host->name && host->data ? host->kind->open(host, options->options, &host->body, reason)
					     : -XYLEM_E_MEMORY;
	if (error) {
		destroy(instance);
		return error;
	}
	*ret_instance = instance;
	return 0;
}

struct instance *instance_ref(struct instance *instance)
{
	atomic_fetch_add(&instance->host.references, 1);
	return instance;
}

struct instance *instance_unref(struct instance *instance)
{
	if (instance && atomic_fetch_sub(&instance->host.references, 1) == 1) {
		destroy(instance);
	}
	return NULL;
}

const char *instance_name(const struct instance *instance)
{
	return instance->host.name;
}

const struct xylem_connector *instance_kind(const struct instance *instance)
{
	return instance->host.kind;
}

/* --- Source side ---------------------------------------------------------- */

static void held_changed(void *context, bool held)
{
	struct xylem_host *host = context;
	if (host->kind->source_hold) {
		host->kind->source_hold(host->body, held);
	}
}

int instance_start(struct instance *instance, struct intake *intake, struct xylem_reason *reason)
{
	struct xylem_host *host = &instance->host;
	int error = 0;
	pthread_mutex_lock(&host->lock);
	if ((host->kind->flags & XYLEM_CONNECTOR_SOURCE) && host->kind->source_start && !host->source) {
		host->source = intake_source_new(intake, host->name);
		error = host->source ? 0 : -XYLEM_E_MEMORY;
		if (!error) {
			intake_source_on_hold(host->source, held_changed, host);
			for (int i = 0; i < host->holds; i++) {
				intake_source_hold(host->source, true);
			}
			error = host->kind->source_start(host->body, host->source, reason);
		}
		if (error) {
			host->source = intake_source_free(host->source);
		}
	}
	pthread_mutex_unlock(&host->lock);
	return error;
}

void instance_stop(struct instance *instance)
{
	struct xylem_host *host = &instance->host;
	pthread_mutex_lock(&host->lock);
	if (host->source) {
		host->kind->source_stop(host->body);
		host->source = intake_source_free(host->source);
	}
	pthread_mutex_unlock(&host->lock);
}

void instance_hold(struct instance *instance, bool hold)
{
	struct xylem_host *host = &instance->host;
	pthread_mutex_lock(&host->lock);
	host->holds += hold ? 1 : -1;
	assert(host->holds >= 0);
	if (host->source) {
		intake_source_hold(host->source, hold);
	}
	pthread_mutex_unlock(&host->lock);
}

/* --- Sink side, probes ---------------------------------------------------- */

int instance_sink_open(
	struct instance *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	struct xylem_host *host = &instance->host;
	if (!(host->kind->flags & XYLEM_CONNECTOR_SINK)) {
		xylem_reason_set(reason, "connector %s (%s) is no sink", host->name, host->kind->name);
		return -XYLEM_E_UNSUPPORTED;
	}
	return host->kind->sink_open(host->body, timeout_us, ret_worker, reason);
}

int instance_probe(struct instance *instance, int64_t timeout_us, struct xylem_result *ret_result)
{
	struct xylem_host *host = &instance->host;
	if (!host->kind->probe) {
		return -XYLEM_E_UNSUPPORTED;
	}
	*ret_result = (struct xylem_result){ 0 };
	int error = host->kind->probe(host->body, timeout_us, ret_result);
	instance_health(instance, !error && !ret_result->failure,
		error || ret_result->failure ? ret_result->reason.text : "");
	return error;
}

/* --- Health --------------------------------------------------------------- */

void instance_health(struct instance *instance, bool up, const char *why)
{
	struct xylem_host *host = &instance->host;
	pthread_mutex_lock(&host->health_lock);
	bool changed = host->up != up;
	host->up = up;
	if (changed || !up) {
		reason_copy(host->why, sizeof(host->why), up ? "" : why);
	}
	pthread_mutex_unlock(&host->health_lock);
	if (!changed) {
		return;
	}
	metric_set(metric_series(METRIC_CONNECTOR_UP, host->name, NULL, NULL), up);
	if (up) {
		xylem_log(XYLEM_LOG_NOTICE, "connector", "%s is up", host->name);
	} else {
		xylem_log(XYLEM_LOG_WARNING, "connector", "%s is down: %s", host->name, why);
	}
	if (host->changed) {
		host->changed(host->context, instance);
	}
}

void instance_state(struct instance *instance, struct instance_state *ret_state)
{
	struct xylem_host *host = &instance->host;
	*ret_state = (struct instance_state){ 0 };
	pthread_mutex_lock(&host->lock);
	ret_state->source = host->source != NULL;
	ret_state->sink = host->kind->flags & XYLEM_CONNECTOR_SINK;
	ret_state->held = host->source && xylem_source_held(host->source);
	ret_state->received = host->source ? intake_source_received(host->source) : 0;
	pthread_mutex_unlock(&host->lock);
	pthread_mutex_lock(&host->health_lock);
	ret_state->up = host->up;
	memcpy(ret_state->why, host->why, sizeof(host->why));
	pthread_mutex_unlock(&host->health_lock);
}

/* --- What the contract offers --------------------------------------------- */

const char *xylem_host_name(const struct xylem_host *host)
{
	return host->name;
}

static bool folder_make(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST) {
		return true;
	}
	xylem_log(XYLEM_LOG_ERROR, "connector", "cannot make the folder %s: %s", path, strerror(errno));
	return false;
}

const char *xylem_host_folder(struct xylem_host *host)
{
	if (host->folder) {
		return host->folder;
	}
	char *path = NULL;
	if (asprintf(&path, "%s/connectors", host->data) < 0) {
		return NULL;
	}
	bool made = folder_make(path);
	free(path);
	path = NULL;
	if (made && asprintf(&path, "%s/connectors/%s", host->data, host->name) >= 0 && folder_make(path)) {
		host->folder = path;
		return path;
	}
	free(path);
	return NULL;
}

void xylem_host_health(struct xylem_host *host, bool up, const char *format, ...)
{
	struct xylem_reason why = { "" };
	va_list arguments;
	va_start(arguments, format);
	xylem_reason_vset(&why, format, arguments);
	va_end(arguments);
	instance_health(instance_of(host), up, why.text);
}

void xylem_host_ready(struct xylem_host *host)
{
	atomic_fetch_add(&host->ready, 1);
}

uint64_t instance_ready(const struct instance *instance)
{
	return atomic_load(&instance->host.ready);
}

void xylem_host_count(struct xylem_host *host, const char *name, uint64_t n)
{
	metric_add(metric_series(METRIC_CONNECTOR, host->name, name, NULL), n);
}
