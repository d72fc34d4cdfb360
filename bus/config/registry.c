/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kinds there are: the built-in ones, then modules. A module is NAME.so
 * and exports xylem_connector_NAME or xylem_transform_NAME. Where modules are
 * looked for:
 *
 *   1. the folders of XYLEM_PLUGINS (colon between them), for tests and for
 *      trying a module out; nowhere else then;
 *   2. if the program itself lies in a build folder (one with `meson-private/`
 *      in it, up to four levels above the program): connectors/ and transforms/ of it;
 *   3. otherwise the folder fixed at build time (pkg-config --variable=plugindir xylem).
 *
 * Modules are loaded when a name asks for them, once, and never unloaded,
 * because their code may be on any thread's stack. The rule: a configuration
 * names kinds, never files; a folder that everybody may write to is not used.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xylem/log.h>

#include <config/builtin.h>
#include <config/config.h>
#include <config/nearest.h>

#define FOLDERS_MOST 16
#define KINDS_MOST 512
#define NAME_MOST 64

enum family { CONNECTOR, TRANSFORM };

static const char *const family_names[] = { "connector", "transform" };

struct registry {
	char *folders[FOLDERS_MOST];
	size_t folder_count;
	const void *kinds[2][KINDS_MOST]; /* sorted by name */
	size_t kind_count[2];
};

static struct registry registry;
static bool started;
/* Leaf lock of the registry: nothing else is taken while it is held. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;

/* What is a package or a build option of its own, for the message when it is missing. */
static const struct {
	enum family family;
	const char *name, *option, *package;
} separate[] = {
	{ CONNECTOR, "kafka", "kafka", "xylem-kafka" },
	{ CONNECTOR, "postgres", "postgres", "xylem-postgres" },
	{ CONNECTOR, "xmpp_client", "xmpp_client", "xylem-xmpp-client" },
	{ TRANSFORM, "jq", "jq", "xylem-jq" },
};

static const char *kind_name(enum family family, const void *kind)
{
	return family == CONNECTOR ? ((const struct xylem_connector *)kind)->name
				   : ((const struct xylem_transform *)kind)->name;
}

/* --- folders ---------------------------------------------------------------- */

static void folder_add(const char *path, size_t n)
{
	if (n && registry.folder_count < FOLDERS_MOST) {
		registry.folders[registry.folder_count++] = strndup(path, n);
	}
}

static bool build_folder_add(void)
{
	char path[PATH_MAX], mark[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n <= 0) {
		return false;
	}
	path[n] = '\0';
	for (int level = 0; level < 4; level++) {
		char *slash = strrchr(path, '/');
		if (!slash || slash == path) {
			return false;
		}
		*slash = '\0';
		snprintf(mark, sizeof(mark), "%s/meson-private", path);
		if (access(mark, F_OK) == 0) {
			snprintf(mark, sizeof(mark), "%s/connectors", path);
			folder_add(mark, strlen(mark));
			snprintf(mark, sizeof(mark), "%s/transforms", path);
			folder_add(mark, strlen(mark));
			return true;
		}
	}
	return false;
}

static void folders_find(void)
{
	const char *chosen = secure_getenv("XYLEM_PLUGINS");
	if (chosen) {
		for (const char *at = chosen; *at; at += strcspn(at, ":"), at += *at == ':') {
			folder_add(at, strcspn(at, ":"));
		}
	} else if (!build_folder_add()) {
		folder_add(XYLEM_PLUGIN_FOLDER, strlen(XYLEM_PLUGIN_FOLDER));
	}
}

/* --- kinds ------------------------------------------------------------------ */

static const void *kind_find(enum family family, const char *name)
{
	for (size_t i = 0; i < registry.kind_count[family]; i++) {
		if (strcmp(kind_name(family, registry.kinds[family][i]), name) == 0) {
			return registry.kinds[family][i];
		}
	}
	return NULL;
}

static bool kind_add(enum family family, const void *kind)
{
	size_t *n = &registry.kind_count[family], at = *n;
	const void **kinds = registry.kinds[family];
	if (*n == KINDS_MOST) {
		return false;
	}
	while (at && strcmp(kind_name(family, kinds[at - 1]), kind_name(family, kind)) > 0) {
		kinds[at] = kinds[at - 1];
		at--;
	}
	kinds[at] = kind;
	(*n)++;
	return true;
}

static bool connector_complete(const struct xylem_connector *kind, struct xylem_reason *reason)
{
	const char *lacks = NULL;
	bool source = kind->flags & XYLEM_CONNECTOR_SOURCE, sink = kind->flags & XYLEM_CONNECTOR_SINK;
	if (!kind->options || !kind->open || !kind->close) {
		lacks = "options, open or close";
	} else if (!source && !sink) {
		lacks = "a flag SOURCE or SINK";
	} else if (source && (!kind->source_start || !kind->source_stop)) {
		lacks = "source_start or source_stop";
	} else if (sink && (!kind->sink_open || !kind->deliver || !kind->sink_close)) {
		lacks = "sink_open, deliver or sink_close";
	}
	if (lacks) {
		xylem_reason_set(reason, "its descriptor lacks %s", lacks);
	}
	return !lacks;
}

/* Versions come first: nothing else of a descriptor of another version may be read. */
static bool kind_complete(enum family family, const void *kind, const char *name, struct xylem_reason *reason)
{
	uint32_t version = *(const uint32_t *)kind;
	uint32_t wanted = family == CONNECTOR ? XYLEM_CONTRACT_VERSION : XYLEM_TRANSFORM_VERSION;
	if (version != wanted) {
		xylem_reason_set(reason,
			"it was built for version %u of the %s contract, and this bus has version %u; build "
			"it again",
			version, family_names[family], wanted);
		return false;
	}
	const char *own = kind_name(family, kind);
	if (!own || strcmp(own, name) != 0) {
		xylem_reason_set(reason, "its descriptor calls itself `%s`; the file must have that name",
			own ? own : "");
		return false;
	}
	if (family == CONNECTOR) {
		return connector_complete(kind, reason);
	}
	const struct xylem_transform *transform = kind;
	bool complete = transform->options && transform->compile && transform->program_free &&
			transform->apply && !transform->worker_new == !transform->worker_free;
	if (!complete) {
		xylem_reason_set(reason,
			"its descriptor lacks options, compile, program_free, apply or half of the worker");
	}
	return complete;
}

static bool name_plain(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return n && n < NAME_MOST && !name[n];
}

static bool folder_trusted(const char *folder, struct xylem_reason *reason)
{
	struct stat status;
	if (stat(folder, &status) < 0) {
		return false; /* not there: the module is missing */
	}
	if ((status.st_mode & S_IWOTH) || (status.st_uid != 0 && status.st_uid != geteuid())) {
		xylem_reason_set(reason,
			"modules in %s are not loaded, because others may write there; make it root's and "
			"chmod 755",
			folder);
		return false;
	}
	return true;
}

/* The symbol of one family in an open module; NULL without one. */
static const void *module_kind(void *module, enum family family, const char *name)
{
	char symbol[NAME_MOST + 32];
	snprintf(symbol, sizeof(symbol), "xylem_%s_%s", family_names[family], name);
	return dlsym(module, symbol);
}

/* Loads NAME.so of a folder and adds what it has. False: not there, or refused with the reason set. */
static bool module_load(const char *folder, const char *name, struct xylem_reason *reason)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/%s.so", folder, name) >= (int)sizeof(path) ||
		access(path, F_OK) != 0 || !folder_trusted(folder, reason)) {
		return false;
	}
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module) {
		xylem_reason_set(reason, "the module %s cannot be loaded: %s", path, dlerror());
		return false;
	}
	bool added = false, seen = false;
	for (enum family family = CONNECTOR; family <= TRANSFORM; family++) {
		const void *kind = module_kind(module, family, name);
		struct xylem_reason why;
		seen |= kind != NULL;
		if (kind && !kind_complete(family, kind, name, &why)) {
			xylem_reason_set(reason, "the module %s is refused: %s", path, why.text);
		} else if (kind && !kind_find(family, name)) {
			added |= kind_add(family, kind);
		}
	}
	if (!seen) {
		xylem_reason_set(reason,
			"the module %s exports neither xylem_connector_%s nor xylem_transform_%s", path, name,
			name);
	}
	if (!added) {
		dlclose(module);
	}
	return added;
}

static void start(void)
{
	if (started) {
		return;
	}
	started = true;
	for (const struct xylem_connector *const *kind = builtin_connectors; *kind; kind++) {
		kind_add(CONNECTOR, *kind);
	}
	for (const struct xylem_transform *const *kind = builtin_transforms; *kind; kind++) {
		kind_add(TRANSFORM, *kind);
	}
	folders_find();
}

static void modules_load_all(void)
{
	for (size_t i = 0; i < registry.folder_count; i++) {
		DIR *folder = opendir(registry.folders[i]);
		struct dirent *entry;
		while (folder && (entry = readdir(folder)) != NULL) {
			char name[NAME_MAX + 1];
			struct xylem_reason reason = { "" };
			size_t n = strlen(entry->d_name);
			if (n <= 3 || strcmp(entry->d_name + n - 3, ".so") != 0) {
				continue;
			}
			memcpy(name, entry->d_name, n - 3);
			name[n - 3] = '\0';
			if (!name_plain(name) || kind_find(CONNECTOR, name) || kind_find(TRANSFORM, name)) {
				continue;
			}
			if (!module_load(registry.folders[i], name, &reason) && reason.text[0]) {
				xylem_log(XYLEM_LOG_WARNING, "registry", "%s", reason.text);
			}
		}
		if (folder) {
			closedir(folder);
		}
	}
}

static void missing_reason(enum family family, const char *name, struct xylem_reason *reason)
{
	for (size_t i = 0; i < sizeof(separate) / sizeof(*separate); i++) {
		if (separate[i].family == family && strcmp(separate[i].name, name) == 0) {
			xylem_reason_set(reason,
				"the %s `%s` is not installed; install the package %s, or build with "
				"-D%s=enabled",
				family_names[family], name, separate[i].package, separate[i].option);
			return;
		}
	}
	char hint[NEAREST_HINT_SIZE];
	struct nearest nearest;
	modules_load_all();
	nearest_init(&nearest, name);
	for (size_t i = 0; i < registry.kind_count[family]; i++) {
		nearest_offer(&nearest, kind_name(family, registry.kinds[family][i]));
	}
	for (size_t i = 0; i < sizeof(separate) / sizeof(*separate); i++) {
		if (separate[i].family == family) {
			nearest_offer(&nearest, separate[i].name);
		}
	}
	if (nearest.name) {
		nearest_hint(&nearest, hint);
	} else {
		snprintf(hint, sizeof(hint), "; see `xylemd explain %ss`", family_names[family]);
	}
	xylem_reason_set(reason, "there is no kind of %s `%.64s`%s", family_names[family], name, hint);
}

static const void *kind_get(enum family family, const char *name, struct xylem_reason *reason)
{
	struct xylem_reason refused = { "" };
	pthread_mutex_lock(&registry_lock);
	start();
	const void *kind = kind_find(family, name);
	for (size_t i = 0; !kind && name_plain(name) && i < registry.folder_count; i++) {
		module_load(registry.folders[i], name, &refused);
		kind = kind_find(family, name);
	}
	if (!kind && refused.text[0]) {
		xylem_reason_set(
			reason, "the %s `%s` cannot be used: %s", family_names[family], name, refused.text);
	} else if (!kind) {
		missing_reason(family, name, reason);
	}
	pthread_mutex_unlock(&registry_lock);
	return kind;
}

static const void *const *kinds_all(enum family family, size_t *ret_n)
{
	pthread_mutex_lock(&registry_lock);
	start();
	modules_load_all();
	*ret_n = registry.kind_count[family];
	pthread_mutex_unlock(&registry_lock);
	return registry.kinds[family];
}

const struct xylem_connector *registry_connector(const char *name, struct xylem_reason *reason)
{
	return kind_get(CONNECTOR, name, reason);
}

const struct xylem_transform *registry_transform(const char *name, struct xylem_reason *reason)
{
	return kind_get(TRANSFORM, name, reason);
}

const struct xylem_connector *const *registry_connectors(size_t *ret_n)
{
	return (const struct xylem_connector *const *)kinds_all(CONNECTOR, ret_n);
}

const struct xylem_transform *const *registry_transforms(size_t *ret_n)
{
	return (const struct xylem_transform *const *)kinds_all(TRANSFORM, ret_n);
}
