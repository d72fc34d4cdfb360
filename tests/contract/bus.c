/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies under an instance: the bus's own journal, intake and link to an XMPP
 * server, the peer, and the configuration that the peer writes. All of it is in
 * a folder that goes when the suite ends.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/io.h>
#include <config/config.h>
#include <intake/intake.h>
#include <journal/journal.h>
#include <xmpp/service.h>
#include <xylem/xylem.h>

#include "bus.h"
#include "suite.h"

static bool config_read(struct suite *suite, const char *path)
{
	struct config_report report = { 0 };
	int error = config_load(&suite->config, path, &report);
	for (size_t i = 0; i < report.n; i++) {
		const struct config_problem *problem = &report.problems[i];
		printf("# %s:%d:%d: %s\n", problem->place.file, problem->place.line, problem->place.column,
			problem->text);
	}
	config_report_finish(&report);
	if (error || config_view(suite->config)->connector_count != 1) {
		printf("Bail out! %s: a configuration with exactly one connector is needed\n", path);
		return false;
	}
	suite->connector = &config_view(suite->config)->connectors[0];
	suite->kind = suite->connector->kind;
	return true;
}

static bool journal_start(struct suite *suite)
{
	char folder[80];
	struct xylem_reason reason = { "" };
	struct journal_recovery recovery;
	snprintf(folder, sizeof(folder), "%s/journal", suite->folder);
	const struct journal_options options = {
		.folder = folder,
		.io = io_system(),
		.segment_size = 4 << 20,
		.retain_bytes = 64 << 20,
		.retain_us = 3600 * SECOND,
		.hold_bytes = 1ULL << 30,
		.reserve_bytes = 1 << 20,
	};
	int error = journal_open(&suite->journal, &options, &recovery, &reason);
	if (error) {
		printf("Bail out! journal: %s\n", reason.text);
		return false;
	}
	suite->intake = intake_new(suite->journal, 1 << 20);
	suite->read = journal_end(suite->journal);
	return true;
}

/* A connector that speaks through the bus's own link to an XMPP server finds one. */
static bool xmpp_open(struct suite *suite)
{
	const struct config_view *view = config_view(suite->config);
	struct xylem_reason reason = { "" };
	if (!view->xmpp || !view->xmpp->server) {
		return true;
	}
	const struct xmpp_options options = { .server = view->xmpp->server,
		.domain = view->xmpp->domain,
		.secret = xylem_secret_borrow(view->xmpp->secret),
		.max_stanza = (size_t)view->xmpp->max_stanza,
		.name = "contract",
		.version = "0" };
	if (xmpp_service_new(&suite->xmpp, &options, &reason) || xmpp_service_apply(suite->xmpp, view) ||
		xmpp_service_start(suite->xmpp, &reason)) {
		printf("Bail out! xmpp: %s\n", reason.text);
		return false;
	}
	xmpp_service_make_current(suite->xmpp);
	return true;
}

static void xmpp_close(struct suite *suite)
{
	xmpp_service_make_current(NULL);
	xmpp_service_stop(suite->xmpp, SECOND);
	suite->xmpp = xmpp_service_free(suite->xmpp);
}

static int folder_remove(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	return remove(path);
}

static bool peer_open(struct suite *suite, char **arguments)
{
	if (!peer_start(&suite->peer, arguments)) {
		printf("Bail out! peer: %s\n", suite->peer.line);
		return false;
	}
	suite->has_peer = true;
	if (peer_ask(&suite->peer, 120, "start %s", suite->folder) != PEER_OK) {
		printf("Bail out! peer: %s\n", suite->peer.line);
		return false;
	}
	return config_read(suite, suite->peer.line);
}

bool bus_open(struct suite *suite, const char *config, char **peer)
{
	return mkdtemp(suite->folder) && journal_start(suite) &&
	       (peer ? peer_open(suite, peer) : config_read(suite, config)) && xmpp_open(suite);
}

void bus_close(struct suite *suite)
{
	xmpp_close(suite);
	intake_free(suite->intake);
	journal_close(suite->journal);
	config_unref(suite->config);
	if (suite->has_peer) {
		peer_stop(&suite->peer);
	}
	nftw(suite->folder, folder_remove, 16, FTW_DEPTH | FTW_PHYS);
}
