/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all cases stand on: the words of a failure, the connector's instance and
 * worker, and its peer. bus.c opens and closes what lies under them.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include <base/clock.h>
#include <config/config.h>
#include <connector/instance.h>
#include <xylem/xylem.h>

#include "cases.h"
#include "suite.h"

const char suite_skip[] = "skip";

const char *suite_failed(struct suite *suite, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(suite->why, sizeof(suite->why), format, arguments);
	va_end(arguments);
	return suite->why;
}

void suite_pause(int milliseconds)
{
	poll(NULL, 0, milliseconds);
}

const char *suite_instance_open(struct suite *suite)
{
	struct xylem_reason reason = { "" };
	const struct instance_options options = {
		.name = suite->connector->name,
		.kind = suite->kind,
		.options = suite->connector->options,
		.config = suite->config,
		.data = suite->folder,
	};
	int error = instance_open(&suite->instance, &options, &reason);
	return error ? suite_failed(suite, "open: %s: %s", xylem_error_row(error)->name, reason.text) : NULL;
}

void suite_instance_drop(struct suite *suite)
{
	if (suite->worker) {
		suite->kind->sink_close(suite->worker);
		suite->worker = NULL;
	}
	suite->instance = instance_unref(suite->instance);
}

const char *opens_and_closes(struct suite *suite)
{
	for (int i = 0; i < 3; i++) {
		const char *why = suite_instance_open(suite);
		if (why) {
			return why;
		}
		suite_instance_drop(suite);
	}
	return NULL;
}

const char *suite_worker_open(struct suite *suite, int64_t timeout_us)
{
	struct xylem_reason reason = { "" };
	if (!suite->instance) {
		const char *why = suite_instance_open(suite);
		if (why) {
			return why;
		}
	}
	if (suite->worker) {
		suite->kind->sink_close(suite->worker);
		suite->worker = NULL;
	}
	int error = instance_sink_open(suite->instance, timeout_us, &suite->worker, &reason);
	return error ? suite_failed(suite, "sink_open: %s: %s", xylem_error_row(error)->name, reason.text)
		     : NULL;
}

const char *suite_peer_mode(struct suite *suite, const char *name)
{
	switch (peer_ask(&suite->peer, PATIENCE, "mode %s", name)) {
	case PEER_OK:
		return NULL;
	case PEER_NO:
		suite_failed(suite, "the peer cannot do that: %s %s", name, suite->peer.line);
		return suite_skip;
	default:
		return suite_failed(suite, "peer, mode %s: %s", name, suite->peer.line);
	}
}
