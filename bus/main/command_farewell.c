/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemd farewell FILE: for systemd's ExecStopPost. When the bus has died, its
 * contacts over XMPP are told that it is gone. While a bus runs on this data
 * folder there is nothing to say, and nothing is said.
 */
#include <signal.h>
#include <stdio.h>

#include <config/config.h>
#include <journal/folder.h>
#include <main/commands.h>
#include <xmpp/farewell.h>

#define FAREWELL_US 15000000

static int say(const struct config_view *view)
{
	char path[4096];
	size_t told = 0;
	struct xylem_reason reason = { "" };
	const struct config_xmpp *xmpp = view->xmpp;
	const struct xmpp_options options = { .server = xmpp->server,
		.domain = xmpp->domain,
		.secret = xylem_secret_borrow(xmpp->secret),
		.max_stanza = (size_t)xmpp->max_stanza };
	snprintf(path, sizeof(path), "%s/catalogue.db", view->bus->data);
	int error = xmpp_farewell(path, &options, FAREWELL_US, &told, &reason);
	if (error) {
		fprintf(stderr, "xylemd: farewell: %s\n", reason.text);
		return 1;
	}
	printf("told %zu contact%s of %s\n", told, told == 1 ? "" : "s", xmpp->domain);
	return 0;
}

/* The lock is held meanwhile: a bus that starts now waits its turn. */
static int say_if_alone(const struct config_view *view)
{
	char path[4096];
	struct io_file *lock;
	struct xylem_reason reason = { "" };
	snprintf(path, sizeof(path), "%s/journal", view->bus->data);
	int error = journal_folder_lock(io_system(), path, &lock, &reason);
	if (error == -XYLEM_E_BUSY) {
		printf("the bus runs: nothing to say\n");
		return 0;
	}
	if (error) {
		fprintf(stderr, "xylemd: farewell: %s\n", reason.text);
		return 1;
	}
	int code = say(view);
	io_system()->close(io_system(), lock);
	return code;
}

const char command_farewell_usage[] = "usage: xylemd farewell FILE\n";

int command_farewell(int argc, char **argv)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	if (argc != 2) {
		fputs(command_farewell_usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (config_load(&config, argv[1], &report) != 0) {
		fprintf(stderr, "xylemd: farewell: `xylemd check %s` says what is wrong with it\n", argv[1]);
		config_report_finish(&report);
		return 1;
	}
	config_report_finish(&report);
	const struct config_view *view = config_view(config);
	int code = view->xmpp && view->xmpp->server ? say_if_alone(view) : 0;
	config_unref(config);
	return code;
}
