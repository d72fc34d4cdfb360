/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_LOADING_H
#define CONFIG_LOADING_H

#include <stdatomic.h>

#include <config/config.h>
#include <config/digest.h>
#include <config/fill.h>
#include <config/keep.h>
#include <config/sections.h>
#include <config/tree.h>

/* What a generation is made of; the view is its first member, so that one leads to the other. */
struct config {
	struct config_view view;
	uint32_t magic;
	atomic_uint references;
	struct keep keep;
	unsigned char (*token_sums)[32]; /* one a user; of those without a token zero */
};
#define CONFIG_MAGIC 0x636f6e66U

/* A configuration on its way: the room's files share it while they load their sections. */
struct loading {
	struct config *config;
	struct config_report *report;
	struct digest generation;
	bool routes_only;                          /* config_load_routes() */
	unsigned files;                            /* read so far */
	size_t bytes;                              /* of YAML read so far */
	struct tree_node *sections[SECTION_COUNT]; /* mappings, entries sorted by name; NULL: not written */
};

#define LOADING_BYTES (16 * 1024 * 1024) /* of all YAML files together */

/* Reads FILE and conf.d/ into `sections`. -XYLEM_E_IO when FILE cannot be read (the report says why). */
int documents_read(struct loading *loading, const char *path);

void users_load(struct loading *loading);
void connectors_load(struct loading *loading);
void topics_load(struct loading *loading);
/* load_topics.c: those that only routes name; after topics_load(). */
void topics_imply(struct loading *loading);
void routes_load(struct loading *loading);
void routes_free(struct config_view *view);
/* What single sections cannot see: loops, what nothing uses, names used twice. */
void crosscheck(struct loading *loading);

/*
 * Zeroed memory of the configuration; never NULL: what a configuration may
 * need is bounded (LOADING_BYTES and the limits of tree.h), and a machine that
 * has not that much left stops here.
 */
void *loading_take(struct loading *loading, size_t n);

/* Fills one entry or section; the sums of what was filled go into the generation, the closed one also to `closed`. */
struct loading_part {
	struct digest digest;
	struct fill fill;
};
void part_begin(struct loading *loading, struct loading_part *part, const char *subject);
void part_end(struct loading *loading, struct loading_part *part, unsigned char closed[32]);

/* JIDs of a list in their normalised form; `domains`: `@domain` may stand in it. Problems go to the report. */
void jids_normalise(struct loading *loading, struct xylem_strings *jids, const struct tree_node *list,
	const char *subject, bool domains);

#endif
