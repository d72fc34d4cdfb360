/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <xylem/connector.h>
#include <xylem/transform.h>

/*
 * A generation: the configuration with every file that it names, read, typed
 * by the option tables, checked, immutable, counted. docs/configuration.md.
 */
struct config;

enum config_role {
	ROLE_NONE = 0, /* a stranger */
	ROLE_VIEWER,
	ROLE_PAYLOAD_VIEWER,
	ROLE_OPERATOR,
	ROLE_DEPLOYER,
	ROLE_ADMIN, /* each may what those before it may */
};
const char *config_role_name(enum config_role role);

struct config_place {
	const char *file; /* as the user named it */
	int line, column; /* from 1 */
};

/* `bus:` */
struct config_bus {
	const char *name;
	const char *data;    /* absolute folder */
	int64_t max_message; /* bytes of data of one message */
	int unrouted;        /* enum config_unrouted */
	int64_t shutdown_us;
	int log_level;  /* enum xylem_log_level */
	int log_format; /* 0 text, 1 json */
};
enum config_unrouted { UNROUTED_COUNT, UNROUTED_HOSPITAL };

/* `journal:` */
struct config_journal {
	int64_t segment_size, retain_bytes, retain_us, max_bytes, reserve_bytes;
};

/* `hospital:` */
struct config_hospital {
	int64_t max_cases, max_bytes;
	const char *alerts; /* name of the topic that is told of each new case; NULL: none */
};

/* `console:` */
struct config_console {
	const char *listen; /* HOST:PORT; default 127.0.0.1:7070 */
	int64_t max_body;
	bool public_metrics; /* /metrics without a token */
	struct xylem_strings
		hosts; /* names by which it is reached (`Host`); required when `listen` is not loopback */
};

/* `xmpp:` */
struct config_xmpp {
	const char *server; /* HOST:PORT of the component listener; NULL: the bus has no XMPP */
	const char *domain;
	const struct xylem_secret *secret;
	int64_t max_stanza; /* escaped bytes */
	struct xylem_strings allow;
	struct xylem_strings create; /* JIDs, @domain: who may make topics */
	int create_access;           /* enum config_access: what these begin with */
};

/* `users:` NAME: */
struct config_user {
	const char *name;
	int role; /* enum config_role */
	const struct xylem_secret *token;
	struct xylem_strings jids; /* bare, normalised */
};

/* `connectors:` NAME: { KIND: { ... } } */
struct config_connector {
	const char *name;
	const struct xylem_connector *kind;
	const void *options;            /* filled struct of kind->options_size */
	unsigned char options_hash[32]; /* to see on reload whether it changed (secrets and files included) */
	struct config_place place;
};

/* `topics:` NAME: */
struct config_topic {
	const char *name;
	const char *title, *description;
	struct xylem_strings subscribe, publish; /* JIDs, @domain */
	const char *type;                        /* of the payloads; NULL: any */
	int access;                              /* enum config_access */
	int64_t max_items;                       /* 0: all that the journal keeps */
	int64_t expire_us;
	bool implied; /* not under `topics`: a route names it. Nothing is declared of it */
	struct config_place place;
};
enum config_access { ACCESS_WHITELIST, ACCESS_OPEN, ACCESS_AUTHORIZE };

struct config_step {
	const struct xylem_transform *kind; /* NULL: `where` as a step */
	const void *options;
	void *program; /* compiled, owned by the configuration */
	struct config_place place;
};

struct where; /* bus/route/where.h */

/* `to:` of a route: one lane */
struct config_lane {
	const char *destination;                  /* as written: `erp` or `topic:orders` */
	const struct config_connector *connector; /* NULL: a topic */
	const struct config_topic *topic;
	const struct lane_options
		*options; /* bus/route/lane_options.h: route's `deliver:` overlaid by the destination's own */
	/* Of `options->otherwise`: the topic. A connector there has a lane of its own, `otherwise_only`. */
	const struct config_topic *otherwise_topic;
	bool otherwise_only;
	struct config_place place;
};

/* `routes:` NAME: */
struct config_route {
	const char *name;
	struct xylem_strings from; /* connector names and `topic:NAME` */
	struct where *where;       /* NULL: takes all */
	const struct config_step *steps;
	size_t step_count;
	const struct config_lane *lanes;
	size_t lane_count;
	unsigned char steps_hash[32]; /* of from, where and steps with their files */
	struct config_place place;
};

struct config_view {
	char generation[65]; /* hex SHA-256 of everything */
	const struct config_bus *bus;
	const struct config_journal *journal;
	const struct config_hospital *hospital;
	const struct config_console *console;
	const struct config_xmpp *xmpp;
	const struct config_user *users;
	size_t user_count;
	const struct config_connector *connectors;
	size_t connector_count;
	const struct config_topic *topics;
	size_t topic_count;
	const struct config_route *routes;
	size_t route_count;
};

struct config_problem {
	struct config_place place;
	bool warning;
	char text[512]; /* one line: what, why, what to do; with the nearest known name */
	char *excerpt;  /* below that: the line of a program, and a caret under its place; NULL: none */
};
struct config_report {
	struct config_problem *problems;
	size_t n, errors;
};
void config_report_finish(struct config_report *report);

/*
 * Reads FILE and `conf.d/` beside it, types and checks everything, compiles
 * the steps. All problems are collected (up to 100), not only the first. 0 with
 * warnings only; -XYLEM_E_INVALID with errors; -XYLEM_E_IO when FILE cannot be read.
 */
int config_load(struct config **ret_config, const char *path, struct config_report *report);
/*
 * As far as routes can be run by themselves: topics, routes with `where` and steps, and of
 * connectors their names and kinds. No secret is read, no option of a connector looked at; a variable
 * that is not set stands for itself. What is not loaded is NULL in the view.
 */
int config_load_routes(struct config **ret_config, const char *path, struct config_report *report);
/* For a reload: warns of options that changed and are read at the start only. `place`: of the file. */
void config_restart_check(const struct config_view *old, const struct config_view *now,
	struct config_place place, struct config_report *report);
struct config *config_ref(struct config *config);
struct config *config_unref(struct config *config);
/* Valid as long as a reference is held. */
const struct config_view *config_view(const struct config *config);

const struct config_connector *config_find_connector(const struct config_view *view, const char *name);
const struct config_topic *config_find_topic(const struct config_view *view, const char *name);
const struct config_route *config_find_route(const struct config_view *view, const char *name);
/*
 * Does the connector take messages in? One that stands under `to` and under no
 * `from` is a destination only: a file that is written is not read back. One
 * that no route names takes in, and what it takes is counted as unrouted.
 */
bool config_takes_in(const struct config_view *view, const char *connector);

/* Who has this token (compared by SHA-256, in constant time); NULL: nobody. */
const struct config_user *config_user_by_token(const struct config_view *view, struct xylem_span token);
/* Who has this JID, by its bare form; NULL: nobody. */
const struct config_user *config_user_by_jid(const struct config_view *view, const char *bare_jid);

/*
 * The registry of kinds: built-in ones from a sorted array, then modules of the
 * plugin folder (XYLEM_PLUGINS in the environment for tests, else the one fixed
 * at build time). NULL for an unknown name. Loaded once, never unloaded.
 */
const struct xylem_connector *registry_connector(const char *name, struct xylem_reason *reason);
const struct xylem_transform *registry_transform(const char *name, struct xylem_reason *reason);
/* Every known kind, sorted by name; loads all modules. *ret_n of them; static. */
const struct xylem_connector *const *registry_connectors(size_t *ret_n);
const struct xylem_transform *const *registry_transforms(size_t *ret_n);

#endif
