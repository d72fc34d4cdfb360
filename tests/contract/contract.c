/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract suite: takes a connector through its whole life against a real
 * other side, and asks of it what <xylem/connector.h> promises to the bus.
 *
 *     contract-suite [--plugin FILE.so] -- PEER [ARGUMENT ...]   one connector, its peer writes the configuration
 *     contract-suite [--plugin FILE.so] --config FILE            one connector, without an other side
 *     contract-suite --registry FOLDER                           every registered one: descriptor, closing, and
 *                                                                that FOLDER has a peer_NAME.py for it
 *
 * The peer (README.md) is told by lines to accept, refuse, cut, stall, be
 * away, and to send. What it cannot do is skipped, and said. The journal and
 * the intake are the bus's own, in a folder that goes when the suite ends.
 *
 * The cases are in cases.h by name, and in descriptor.c, sink.c, interrupt.c and
 * source.c; what they stand on in suite.h.
 *
 * The rule not to break: nothing here knows a connector by name.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <config/config.h>
#include <xylem/xylem.h>

#include "bus.h"
#include "cases.h"
#include "suite.h"
#include "tally.h"

enum needs { NOTHING, CONFIG, SINK_PEER, SOURCE_PEER };

static const struct step {
	const char *name;
	enum needs needs;
	const char *(*run)(struct suite *suite);
} steps[] = {
	{ "the descriptor is whole", NOTHING, descriptor_whole },
	{ "closing nothing is allowed", NOTHING, closing_nothing },
	{ "it opens without its other side, and closes", CONFIG, opens_and_closes },
	{ "sink: the probe finds its other side", SINK_PEER, probe_finds },
	{ "sink: what it calls delivered has arrived", SINK_PEER, delivers },
	{ "sink: a refused message is wrong", SINK_PEER, refused_is_wrong },
	{ "sink: one refused among good ones", SINK_PEER, one_wrong_among_good },
	{ "sink: an overloaded peer is busy", SINK_PEER, overloaded_is_busy },
	{ "sink: refused credentials are misconfigured", SINK_PEER, forbidden_is_misconfigured },
	{ "sink: a peer that is away is down, and found again", SINK_PEER, away_is_down },
	{ "sink: the probe misses a peer that is away", SINK_PEER, probe_misses },
	{ "sink: a cut in the middle is not delivered", SINK_PEER, cut_is_not_delivered },
	{ "sink: silence ends at the deadline", SINK_PEER, silence_ends_at_the_deadline },
	{ "sink: interrupt() ends a delivery", SINK_PEER, interrupt_ends_it },
	{ "sink: interrupt() before a delivery is forgotten", SINK_PEER, interrupt_is_forgotten },
	{ "sink: it closes", SINK_PEER, sink_closes },
	{ "source: what is sent comes into the journal, then is acknowledged", SOURCE_PEER, takes_in },
	{ "source: it stops and starts again", SOURCE_PEER, starts_again },
	{ "source: it closes and opens again", SOURCE_PEER, opens_again },
	{ "source: held back, it acknowledges nothing", SOURCE_PEER, held_back },
	{ "source: with a full disk, it acknowledges nothing", SOURCE_PEER, full_disk },
	{ "source: half a message is none", SOURCE_PEER, broken_off },
	{ "source: stopped, it takes nothing in", SOURCE_PEER, stopped_is_stopped },
	{ "source: it stops and closes", SOURCE_PEER, source_closes },
};

static bool wanted(const struct suite *suite, enum needs needs)
{
	switch (needs) {
	case NOTHING:
		return true;
	case CONFIG:
		return suite->config != NULL;
	case SINK_PEER:
		return suite->has_peer && suite->kind->flags & XYLEM_CONNECTOR_SINK;
	case SOURCE_PEER:
		return suite->has_peer && suite->kind->flags & XYLEM_CONNECTOR_SOURCE;
	}
	return false;
}

static void steps_run(struct suite *suite, struct tally *tally)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (wanted(suite, steps[i].needs)) {
			suite->why[0] = '\0';
			const char *why = steps[i].run(suite);
			char name[200];
			snprintf(name, sizeof(name), "%s: %s", suite->kind->name, steps[i].name);
			tally_say(tally, name, why, suite->why);
			xylem_arena_reset(suite->arena);
		}
	}
}

static void one_connector(const char *config, char **peer, struct tally *tally)
{
	struct suite suite = { .folder = "/tmp/xylem-contract-XXXXXX" };
	suite.arena = xylem_arena_new(0);
	if (bus_open(&suite, config, peer)) {
		steps_run(&suite, tally);
	} else {
		tally->failures++;
	}
	suite_instance_drop(&suite);
	bus_close(&suite);
	xylem_arena_free(suite.arena);
}

/* A peer, or a file that says in its first line why this one is tested elsewhere. */
static const char *peer_there(struct suite *suite, const char *folder)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/peer_%s.py", folder, suite->kind->name);
	if (access(path, R_OK) == 0) {
		return NULL;
	}
	snprintf(path, sizeof(path), "%s/elsewhere_%s.txt", folder, suite->kind->name);
	FILE *file = fopen(path, "r");
	if (!file) {
		return suite_failed(suite, "peer_%s.py is missing: no connector goes without the suite",
			suite->kind->name);
	}
	bool said = fgets(suite->why, sizeof(suite->why), file) != NULL;
	suite->why[strcspn(suite->why, "\n")] = '\0';
	fclose(file);
	return said ? suite_skip : suite_failed(suite, "%s says nothing", path);
}

static void every_connector(const char *folder, struct tally *tally)
{
	size_t n = 0;
	const struct xylem_connector *const *kinds = registry_connectors(&n);
	for (size_t i = 0; i < n; i++) {
		struct suite suite = { .kind = kinds[i] };
		char name[100];
		suite.arena = xylem_arena_new(0);
		steps_run(&suite, tally);
		snprintf(name, sizeof(name), "%s: it has a peer", kinds[i]->name);
		const char *why = peer_there(&suite, folder);
		tally_say(tally, name, why, suite.why);
		xylem_arena_free(suite.arena);
	}
}

/* A module is found by the registry in a folder; the suite is told its file. */
static void plugin_use(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash) {
		*slash = '\0';
	}
	setenv("XYLEM_PLUGINS", slash ? path : ".", 1);
}

int main(int argc, char **argv)
{
	const char *config = NULL, *registry = NULL;
	char **peer = NULL;
	for (int i = 1; i < argc && !peer; i++) {
		if (strcmp(argv[i], "--") == 0) {
			peer = &argv[i + 1];
		} else if (strcmp(argv[i], "--plugin") == 0 && i + 1 < argc) {
			plugin_use(argv[++i]);
		} else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
			config = argv[++i];
		} else if (strcmp(argv[i], "--registry") == 0 && i + 1 < argc) {
			registry = argv[++i];
		}
	}
	if (!config && !registry && !(peer && *peer)) {
		fprintf(stderr, "usage: contract-suite [--plugin FILE.so] (--config FILE | --registry FOLDER "
				"| -- PEER ...)\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	struct tally tally = { 0 };
	if (registry) {
		every_connector(registry, &tally);
	} else {
		one_connector(config, peer, &tally);
	}
	printf("1..%u\n", tally.count);
	return tally.failures || tally.count == 0 ? 1
						  : 0; /* a registry without connectors has passed nothing */
}
