/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no route takes is counted, with an outcome of its own; or, with
 * `bus.unrouted: hospital`, it becomes a case.
 */
#include <stdlib.h>

#include <main/bus_body.h>

static int unrouted_open(
	struct xylem_host *host, const void *options, void **ret_instance, struct xylem_reason *reason)
{
	*ret_instance = *(struct bus *const *)options;
	return 0;
}

static void unrouted_close(void *instance)
{
}

static int unrouted_sink_open(
	void *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	*ret_worker = instance;
	return 0;
}

static void unrouted_deliver(
	void *worker, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
	struct config *config = bus_config(worker);
	bool hospital = config_view(config)->bus->unrouted == UNROUTED_HOSPITAL;
	config_unref(config);
	metric_add(metric_series(METRIC_UNROUTED, NULL, NULL, NULL), n);
	for (size_t i = 0; hospital && i < n; i++) {
		xylem_result_fail(&results[i], XYLEM_FAILURE_WRONG, "unrouted",
			"no route takes messages of type %.*s from %.*s", (int)messages[i]->type.n,
			messages[i]->type.at, (int)messages[i]->ingress.n, messages[i]->ingress.at);
	}
}

static void unrouted_sink_close(void *worker)
{
}

static const struct xylem_option no_options[] = { XYLEM_OPTIONS_END };

const struct xylem_connector unrouted_sink = {
	.contract_version = XYLEM_CONTRACT_VERSION,
	.flags = XYLEM_CONNECTOR_SINK,
	.name = "unrouted",
	.summary = "Counts what no route takes.",
	.options = no_options,
	.options_size = sizeof(struct bus *),
	.batch = { 512, (size_t)1024 * 1024 },
	.open = unrouted_open,
	.close = unrouted_close,
	.sink_open = unrouted_sink_open,
	.deliver = unrouted_deliver,
	.sink_close = unrouted_sink_close,
};
