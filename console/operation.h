/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_OPERATION_H
#define CONSOLE_OPERATION_H

#include <jansson.h>

#include <config/config.h>
#include <main/bus.h>
#include <xylem/option.h>

/*
 * An operation is something that a person or program can do to the bus,
 * defined once: name, role, typed arguments, sentence, function. REST, CLI,
 * XMPP commands and chat render this table; no face has logic of its own.
 */
struct operation_caller {
	char name[128];         /* user or JID, for the audit */
	enum config_role role;
};

struct operation {
	const char *name;       /* `lane-pause`: the XMPP command node */
	const char *words;      /* `pause lane`: chat and CLI */
	const char *method;     /* GET or POST */
	const char *path;       /* `lanes/{lane}/pause`, below /api/v1; {x} is an argument */
	enum config_role role;  /* the least that may */
	bool unsafe;            /* changes something: POST, audited */
	const char *summary;    /* one sentence */
	const struct xylem_option *arguments; /* filled struct, as options of connectors */
	size_t arguments_size;
	/*
	 * `arguments` is the filled struct, `body` the raw request body (may be
	 * absent). 0 and a JSON object or array; or a code of the error table with
	 * the reason. Any thread.
	 */
	int (*run)(struct bus *bus, const struct operation_caller *caller, const void *arguments,
		struct xylem_span body, json_t **ret_result, struct xylem_reason *reason);
};

/* All, sorted by name. */
const struct operation *const *operations(size_t *ret_n);
const struct operation *operation_find(const char *name);

/*
 * Checks the role, types the arguments (a JSON object of strings or typed
 * values), runs it, and writes the audit record for unsafe ones. Every face
 * calls this and nothing else.
 */
int operation_run(struct bus *bus, const struct operation *operation, const struct operation_caller *caller,
	const json_t *arguments, struct xylem_span body, json_t **ret_result, struct xylem_reason *reason);

#endif
