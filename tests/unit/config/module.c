/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connector module for the registry's test. MODULE_VERSION, MODULE_NAME,
 * MODULE_SYMBOL and MODULE_SINK make the good one and the bad ones.
 */
#include <stdlib.h>

#include <xylem/connector.h>

static const struct xylem_option options[] = { XYLEM_OPTIONS_END };

static int module_open(
	struct xylem_host *host, const void *filled, void **ret_instance, struct xylem_reason *reason)
{
	*ret_instance = NULL;
	return 0;
}

static int module_sink_open(
	void *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason)
{
	*ret_worker = NULL;
	return 0;
}

static void module_deliver(
	void *worker, const struct xylem_message *const *messages, size_t n, struct xylem_result *results)
{
}

XYLEM_PUBLIC extern const struct xylem_connector MODULE_SYMBOL;
const struct xylem_connector MODULE_SYMBOL = {
	.contract_version = MODULE_VERSION,
	.flags = XYLEM_CONNECTOR_SINK,
	.name = MODULE_NAME,
	.summary = "A module for a test.",
	.options = options,
	.open = module_open,
	.close = free,
	.sink_open = module_sink_open,
	.deliver = MODULE_SINK ? module_deliver : NULL,
	.sink_close = free,
};
