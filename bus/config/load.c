/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a generation: documents, sections, cross checks, sums. Everything is
 * checked as far as it can be, so that one report has all problems; with an
 * error in it, nothing is handed out. The rule: a generation never changes
 * after config_load() returned it, so that threads share it without locks.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <config/loading.h>
#include <config/report.h>
#include <config/text.h>

const char *config_role_name(enum config_role role)
{
	static const char *const names[] = { "none", "viewer", "payload-viewer", "operator", "deployer",
		"admin" };
	return (unsigned)role < sizeof(names) / sizeof(*names) ? names[role] : "none";
}

void *loading_take(struct loading *loading, size_t n)
{
	void *memory = xylem_arena_zero(loading->config->keep.arena, n ? n : 1);
	assert(memory);
	return memory;
}

void part_begin(struct loading *loading, struct loading_part *part, const char *subject)
{
	*part = (struct loading_part){ 0 };
	int error = digest_init(&part->digest);
	assert(!error);
	part->fill = (struct fill){ .keep = &loading->config->keep,
		.report = loading->report,
		.digest = &part->digest,
		.subject = subject };
}

void part_end(struct loading *loading, struct loading_part *part, unsigned char closed[32])
{
	unsigned char open_sum[32], closed_sum[32];
	digest_result(&part->digest, open_sum, closed_sum);
	digest_finish(&part->digest);
	digest_text(&loading->generation, part->fill.subject);
	digest_bytes(&loading->generation, open_sum, sizeof(open_sum));
	if (closed) {
		memcpy(closed, closed_sum, sizeof(closed_sum));
	}
}

void jids_normalise(struct loading *loading, struct xylem_strings *jids, const struct tree_node *list,
	const char *subject, bool domains)
{
	const char **items = loading_take(loading, jids->n * sizeof(*items));
	char normal[TEXT_JID_SIZE];
	for (size_t i = 0; i < jids->n; i++) {
		struct xylem_reason reason;
		const char *text = jids->items[i];
		int error = -XYLEM_E_INVALID;
		xylem_reason_set(&reason, "is too long for a JID");
		if (strlen(text) < TEXT_JID_SIZE / 2) {
			error = domains ? text_jid_or_domain(text, normal, &reason)
					: text_jid(text, normal, &reason);
		}
		if (error) {
			char quoted[TREE_QUOTE_SIZE];
			report_error(loading->report, tree_place(list->items[i]), "%s: %s %s", subject,
				tree_quote(list->items[i], quoted), reason.text);
			continue;
		}
		size_t n = strlen(normal) + 1;
		char *copy = loading_take(loading, n);
		memcpy(copy, normal, n);
		items[i] = copy;
	}
	jids->items = items;
}

static const void *single_load(struct loading *loading, enum section_number number, size_t size)
{
	struct loading_part part;
	void *options = loading_take(loading, size);
	char subject[64];
	const char *name = sections[number].name;
	snprintf(subject, sizeof(subject), "section `%s`", name);
	part_begin(loading, &part, subject);
	part.fill.optional = true;
	config_fill(sections[number].options, options, loading->sections[number], &part.fill);
	part_end(loading, &part, NULL);
	return options;
}

static void singles_check(struct loading *loading, const char *path)
{
	struct config_view *view = &loading->config->view;
	struct config_place start = { path, 1, 1 };
	if (!loading->sections[SECTION_BUS]) {
		report_error(loading->report, start,
			"section `bus` is missing; write `bus: { name: NAME, data: FOLDER }`");
	}
	if (loading->report->errors) {
		return;
	}
	if (view->journal->max_bytes < 2 * view->journal->segment_size) {
		struct tree_node *section = loading->sections[SECTION_JOURNAL];
		report_error(loading->report, section ? tree_place(section) : start,
			"`max` of section `journal` is less than two segments; write a larger `max` or a "
			"smaller `segment`");
	}
	if (view->bus->max_message * 2 > view->journal->segment_size) {
		struct tree_node *section = loading->sections[SECTION_JOURNAL];
		report_error(loading->report, section ? tree_place(section) : start,
			"`segment` of section `journal` must hold at least two messages of "
			"`bus.max_message`; write a larger one");
	}
}

static bool on_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0 ||
	       strncmp(address, "localhost:", 10) == 0 || strncmp(address, "unix:", 5) == 0;
}

static void console_check(struct loading *loading)
{
	const struct tree_node *listen = tree_find(loading->sections[SECTION_CONSOLE], "listen");
	if (listen && loading->config->view.console->listen &&
		!on_loopback(loading->config->view.console->listen)) {
		report_warning(loading->report, tree_place(listen),
			"the console listens beyond this machine, and speaks no TLS: tokens can be read on "
			"the way; "
			"listen on 127.0.0.1 behind a TLS proxy");
	}
}

static void singles_load(struct loading *loading, const char *path)
{
	struct config_view *view = &loading->config->view;
	view->bus = single_load(loading, SECTION_BUS, sizeof(struct config_bus));
	view->journal = single_load(loading, SECTION_JOURNAL, sizeof(struct config_journal));
	view->hospital = single_load(loading, SECTION_HOSPITAL, sizeof(struct config_hospital));
	view->console = single_load(loading, SECTION_CONSOLE, sizeof(struct config_console));
	struct config_xmpp *xmpp = loading_take(loading, sizeof(*xmpp));
	*xmpp = *(const struct config_xmpp *)single_load(loading, SECTION_XMPP, sizeof(*xmpp));
	jids_normalise(loading, &xmpp->allow, tree_find(loading->sections[SECTION_XMPP], "allow"),
		"`allow` of section `xmpp`", true);
	jids_normalise(loading, &xmpp->create, tree_find(loading->sections[SECTION_XMPP], "create"),
		"`create` of section `xmpp`", true);
	view->xmpp = xmpp;
	singles_check(loading, path);
	console_check(loading);
}

static int everything_load(struct loading *loading, const char *path)
{
	int error = documents_read(loading, path);
	if (error == -XYLEM_E_IO || error == -XYLEM_E_MEMORY) {
		return error;
	}
	if (!error && !loading->routes_only) {
		singles_load(loading, path);
		users_load(loading);
	}
	if (!error) {
		topics_load(loading);
		topics_imply(loading);
		connectors_load(loading);
		routes_load(loading);
	}
	if (!error && !loading->routes_only) {
		crosscheck(loading);
	}
	return loading->report->errors ? -XYLEM_E_INVALID : error;
}

static void generation_name(struct loading *loading)
{
	unsigned char sum[32], closed[32];
	digest_result(&loading->generation, sum, closed);
	digest_hex(sum, loading->config->view.generation);
}

static int load(struct config **ret_config, const char *path, bool routes_only, struct config_report *report)
{
	struct config *config = calloc(1, sizeof(*config));
	if (!config) {
		return -XYLEM_E_MEMORY;
	}
	config->magic = CONFIG_MAGIC;
	atomic_init(&config->references, 1);
	struct loading loading = { .config = config, .report = report, .routes_only = routes_only };
	int error = keep_init(&config->keep, 0);
	if (!error) {
		error = digest_init(&loading.generation);
	}
	if (!error) {
		error = everything_load(&loading, path);
		generation_name(&loading);
		digest_finish(&loading.generation);
		report_sort(report);
	}
	if (error) {
		config_unref(config);
		return error;
	}
	*ret_config = config;
	return 0;
}

int config_load(struct config **ret_config, const char *path, struct config_report *report)
{
	return load(ret_config, path, false, report);
}

int config_load_routes(struct config **ret_config, const char *path, struct config_report *report)
{
	return load(ret_config, path, true, report);
}

struct config *config_ref(struct config *config)
{
	assert(config->magic == CONFIG_MAGIC);
	atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
	return config;
}

struct config *config_unref(struct config *config)
{
	if (!config) {
		return NULL;
	}
	assert(config->magic == CONFIG_MAGIC);
	if (atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) == 1) {
		routes_free(&config->view);
		keep_finish(&config->keep);
		config->magic = 0;
		free(config);
	}
	return NULL;
}

const struct config_view *config_view(const struct config *config)
{
	assert(config->magic == CONFIG_MAGIC);
	return &config->view;
}
