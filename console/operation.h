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
	char name[128]; /* user or JID, for the audit */
	enum config_role role;
	char from[64]; /* where from, for the audit: "rest 127.0.0.1", "xmpp"; may be empty */
};

struct operation {
	const char *name;      /* `lane-pause`: the XMPP command node */
	const char *words;     /* `pause lane`: chat and CLI */
	const char *also;      /* what chat takes as well: `replay` for `hospital replay`; NULL: nothing */
	const char *method;    /* GET or POST */
	const char *path;      /* `lanes/{lane}/pause`, below /api/v1; {x} is an argument */
	enum config_role role; /* the least that may */
	bool unsafe;           /* changes something: POST, audited */
	bool payload;          /* shows data of messages, which is audited too */
	/*
	 * The result is one piece of data, an object of `contenttype` and `data_text` or
	 * `data_base64`; a face that can hands out the bytes themselves.
	 */
	bool bytes;
	bool bulk;           /* changes much at once: chat and commands ask again */
	const char *among;   /* `state` of the things that it can be done to; NULL: what is listed */
	const char *summary; /* one sentence */
	const struct xylem_option *arguments; /* filled struct, as options of connectors */
	size_t arguments_size;
	/*
	 * `arguments` is the filled struct, `body` the raw request body (may be
	 * absent). 0 and a JSON object; or a code of the error table with the
	 * reason, and where several things are wrong an array of
	 * {pointer or file, line, column; detail} in *ret_result. Any thread.
	 */
	int (*run)(struct bus *bus, const struct operation_caller *caller, const void *arguments,
		struct xylem_span body, json_t **ret_result, struct xylem_reason *reason);
};

/* All, sorted by name. */
const struct operation *const *operations(size_t *ret_n);
const struct operation *operation_find(const char *name);

/*
 * The operation of a method and a decoded path below /api/v1 (`lanes/orders/erp/pause`), and the value that
 * stands for its {x}. A value may hold slashes: of several that match, the one with the
 * longest literal text is taken. NULL: none; then *ret_allow is the method that the path would
 * take, or NULL where it is unknown. The value borrows `path`.
 */
const struct operation *operation_match(
	const char *method, struct xylem_span path, struct xylem_span *ret_value, const char **ret_allow);
/* The name between the braces of the path; false: it has none. */
bool operation_placeholder(const struct operation *operation, struct xylem_span *ret_name);

/*
 * Reads a JSON object as arguments: unknown and doubled members are refused by name. Members of type
 * XYLEM_OPTION_JSON are checked but left out: operation_run takes them from the body, digit by digit.
 * -XYLEM_E_INVALID; *ret_errors may then be an array of {pointer, detail}.
 */
int operation_read_body(const struct operation *operation, struct xylem_span body, json_t **ret_arguments,
	json_t **ret_errors, struct xylem_reason *reason);

/*
 * Checks the role, types the arguments (a JSON object of strings or typed
 * values), runs it, and writes the audit record for unsafe ones. Every face
 * calls this and nothing else.
 */
int operation_run(struct bus *bus, const struct operation *operation, const struct operation_caller *caller,
	const json_t *arguments, struct xylem_span body, json_t **ret_result, struct xylem_reason *reason);
/* The same; on failure *ret_errors may be an array that says more (see run), for the caller to decref. */
int operation_run_report(struct bus *bus, const struct operation *operation,
	const struct operation_caller *caller, const json_t *arguments, struct xylem_span body,
	json_t **ret_result, json_t **ret_errors, struct xylem_reason *reason);

#endif
