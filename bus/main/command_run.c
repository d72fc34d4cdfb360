/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemd run FILE: starts the bus and stays until it is told to stop. Signals
 * are taken here and nowhere else: TERM and INT stop, HUP reloads. Tells
 * systemd by the datagrams of sd_notify(3).
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#include <base/clock.h>
#include <main/bus_body.h>
#include <main/commands.h>
#include <xylem/log.h>

static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path)) {
		return;
	}
	memcpy(address.sun_path, path, strlen(path));
	if (path[0] == '@') {
		address.sun_path[0] = '\0';
	}
	int to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (to >= 0) {
		socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
		sendto(to, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, n);
		close(to);
	}
}

static void reload(struct bus *bus)
{
	struct config_report report = { 0 };
	notify("RELOADING=1\n");
	int error = bus_reload(bus, &report);
	for (size_t i = 0; i < report.n; i++) {
		const struct config_problem *problem = &report.problems[i];
		xylem_log(problem->warning ? XYLEM_LOG_WARNING : XYLEM_LOG_ERROR, "reload", "%s:%d:%d: %s",
			problem->place.file, problem->place.line, problem->place.column, problem->text);
	}
	if (error) {
		xylem_log(XYLEM_LOG_ERROR, "reload",
			"refused: the bus goes on with the configuration that it has");
	} else {
		struct config *config = bus_config(bus);
		xylem_log(XYLEM_LOG_NOTICE, "reload", "generation %.12s", config_view(config)->generation);
		config_unref(config);
	}
	config_report_finish(&report);
	notify("READY=1\n");
}

static void stay(struct bus *bus, const sigset_t *signals)
{
	for (;;) {
		int signal = sigwaitinfo(signals, NULL);
		if (signal == SIGHUP) {
			reload(bus);
		} else if (signal == SIGTERM || signal == SIGINT) {
			xylem_log(XYLEM_LOG_NOTICE, "main", "stopping on %s", strsignal(signal));
			return;
		}
	}
}

static void process_prepare(sigset_t *signals)
{
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	/* Nothing of a secret in a core, nothing made readable for others. */
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
#ifndef XYLEM_TEST_SEAMS
	prctl(PR_SET_DUMPABLE, 0);
#endif
	umask(0077);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	json_object_seed(0);
}

const char command_run_usage[] = "usage: xylemd run [--accept-gap] FILE\n"
				 "  --accept-gap  start although acknowledged messages are missing or "
				 "damaged; what is missing is logged\n";

static int usage(void)
{
	fputs(command_run_usage, stderr);
	return 2;
}

int command_run(int argc, char **argv)
{
	static const struct option options[] = { { "accept-gap", no_argument, NULL, 'g' },
		{ NULL, 0, NULL, 0 } };
	bool accept_gap = false;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'g') {
			return usage();
		}
		accept_gap = true;
	}
	if (optind != argc - 1) {
		return usage();
	}
	sigset_t signals;
	process_prepare(&signals);
	if (geteuid() == 0) {
		xylem_log(XYLEM_LOG_WARNING, "main", "running as root: give the bus a user of its own");
	}
	struct bus *bus;
	struct xylem_reason reason = { "" };
	if (bus_start(&bus, argv[optind], accept_gap, &reason) != 0) {
		xylem_log(XYLEM_LOG_ERROR, "main", "not started: %s", reason.text);
		return 1;
	}
	xylem_log(XYLEM_LOG_NOTICE, "main", "ready: %s", rest_url(bus->rest));
	notify("READY=1\n");
	stay(bus, &signals);
	notify("STOPPING=1\n");
	bus_stop(bus);
	xylem_log(XYLEM_LOG_NOTICE, "main", "stopped");
	return 0;
}
