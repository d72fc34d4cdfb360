/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a configuration: FILE, and `conf.d/` beside it with every
 * NAME.yaml in the order of the names. They are merged by section: a user, connector, topic
 * or route belongs to one file, and an option of a section like `bus` too; what is defined
 * twice is refused with both places. Nothing overrides anything.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <config/loading.h>
#include <config/nearest.h>
#include <config/report.h>
#include <config/source_file.h>

#define FILES_MOST 256 /* in conf.d */

struct merge {
	struct tree_member *members;
	size_t n, room;
	const struct tree_node *first; /* key of the section where it is written first */
};

static int members_add(struct merge *merge, const struct tree_node *mapping)
{
	if (merge->n + mapping->n > merge->room) {
		size_t room = 2 * (merge->n + mapping->n);
		struct tree_member *grown = realloc(merge->members, room * sizeof(*grown));
		if (!grown) {
			return -XYLEM_E_MEMORY;
		}
		merge->members = grown;
		merge->room = room;
	}
	for (size_t i = 0; i < mapping->n; i++) {
		merge->members[merge->n++] = mapping->members[i];
	}
	return 0;
}

static void section_unknown(struct loading *loading, const struct tree_node *key)
{
	char quoted[TREE_QUOTE_SIZE], hint[NEAREST_HINT_SIZE];
	struct nearest nearest;
	nearest_init(&nearest, key->text);
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		nearest_offer(&nearest, sections[i].name);
	}
	report_error(loading->report, tree_place(key), "unknown section %s%s", tree_quote(key, quoted),
		nearest.name ? nearest_hint(&nearest, hint)
			     : "; sections are bus, journal, hospital, console, xmpp, users, connectors, "
			       "topics and routes");
}

static int section_add(struct loading *loading, const struct tree_member *member, struct merge merges[])
{
	size_t number = 0;
	while (number < SECTION_COUNT && strcmp(sections[number].name, member->key->text) != 0) {
		number++;
	}
	if (number == SECTION_COUNT) {
		section_unknown(loading, member->key);
		return 0;
	}
	if (!merges[number].first) {
		merges[number].first = member->key;
	}
	if (tree_empty(member->value)) {
		return 0;
	}
	if (member->value->kind != TREE_MAPPING) {
		report_error(loading->report, tree_place(member->value),
			"section `%s` is %s; write a mapping", member->key->text,
			tree_kind_name(member->value));
		return 0;
	}
	return members_add(&merges[number], member->value);
}

static int root_add(struct loading *loading, const struct tree_node *root, struct merge merges[])
{
	if (tree_empty(root)) {
		return 0;
	}
	if (root->kind != TREE_MAPPING) {
		report_error(loading->report, tree_place(root),
			"the file is %s; write sections such as `bus:` and `routes:`", tree_kind_name(root));
		return 0;
	}
	for (size_t i = 0; i < root->n; i++) {
		int error = section_add(loading, &root->members[i], merges);
		if (error) {
			return error;
		}
	}
	return 0;
}

static int file_add(struct loading *loading, const char *path, struct merge merges[])
{
	struct xylem_arena *arena = loading->config->keep.arena;
	struct tree_file *file = loading_take(loading, sizeof(*file));
	struct xylem_reason reason;
	file->number = loading->files++;
	file->variables = loading->routes_only ? TREE_VARIABLES_STAND : TREE_VARIABLES;
	file->name = xylem_arena_text(arena, xylem_span_of(path));
	file->folder = source_file_folder(arena, path);
	if (!file->name || !file->folder) {
		return -XYLEM_E_MEMORY;
	}
	int error = source_file_take(path, TREE_BYTES, arena, &file->text, &reason);
	if (error) {
		report_error(
			loading->report, (struct config_place){ path, 1, 1 }, "the file %s", reason.text);
		return error == -XYLEM_E_MEMORY ? error : -XYLEM_E_IO;
	}
	loading->bytes += file->text.n;
	if (loading->bytes > LOADING_BYTES) {
		report_error(loading->report, (struct config_place){ path, 1, 1 },
			"the files are larger than %d bytes together; shorten them", LOADING_BYTES);
		return -XYLEM_E_INVALID;
	}
	struct tree_node *root = NULL;
	error = tree_read(file, arena, loading->report, &root);
	return error ? error : root_add(loading, root, merges);
}

static int entry_chosen(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');
	return entry->d_name[0] != '.' && end && (strcmp(end, ".yaml") == 0 || strcmp(end, ".yml") == 0);
}

static int byte_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int entry_add(struct loading *loading, const char *folder, const char *name, struct merge merges[])
{
	const char *path = xylem_arena_format(loading->config->keep.arena, "%s/%s", folder, name);
	if (!path) {
		return -XYLEM_E_MEMORY;
	}
	if (strcmp(strrchr(name, '.'), ".yml") == 0) {
		report_warning(loading->report, (struct config_place){ path, 1, 1 },
			"the file is not read, because its name does not end in .yaml; rename it");
		return 0;
	}
	int error = file_add(loading, path, merges);
	return error == -XYLEM_E_MEMORY ? error : 0; /* the report has it; the other files are checked too */
}

static int folder_add(struct loading *loading, const char *path, struct merge merges[])
{
	const char *slash = strrchr(path, '/');
	const char *folder = xylem_arena_format(
		loading->config->keep.arena, "%.*sconf.d", slash ? (int)(slash - path) + 1 : 0, path);
	struct dirent **entries;
	int n = folder ? scandir(folder, &entries, entry_chosen, byte_order) : -1;
	if (n < 0) {
		if (folder && errno != ENOENT) {
			report_error(loading->report, (struct config_place){ folder, 1, 1 },
				"the folder cannot be read: %s", strerror(errno));
		}
		return folder ? 0 : -XYLEM_E_MEMORY;
	}
	if (n > FILES_MOST) {
		report_error(loading->report, (struct config_place){ folder, 1, 1 },
			"the folder has %d files, more than %d; join some of them", n, FILES_MOST);
	}
	int error = 0;
	for (int i = 0; i < n; i++) {
		if (!error && n <= FILES_MOST) {
			error = entry_add(loading, folder, entries[i]->d_name, merges);
		}
		free(entries[i]);
	}
	free(entries);
	return error;
}

static int member_order(const void *a, const void *b)
{
	const struct tree_member *left = a, *right = b;
	int by_name = strcmp(left->key->text, right->key->text);
	if (by_name) {
		return by_name;
	}
	if (left->key->file != right->key->file) {
		return left->key->file->number < right->key->file->number ? -1 : 1;
	}
	return left->key->line - right->key->line;
}

/* Twice in one file is reported by the tree; here it is twice in different ones. */
static void doubled_report(struct loading *loading, const struct merge *merge, const struct section *section)
{
	for (size_t i = 1; i < merge->n; i++) {
		const struct tree_node *first = merge->members[i - 1].key, *again = merge->members[i].key;
		if (strcmp(first->text, again->text) == 0 && first->file != again->file) {
			report_error(loading->report, tree_place(again),
				"%s `%s` is defined twice, first at %s:%d:%d; remove one",
				section->entry ? section->entry : "option", again->text, first->file->name,
				first->line, first->column);
		}
	}
}

static void section_make(struct loading *loading, size_t number, struct merge *merge)
{
	if (!merge->first) {
		return;
	}
	if (merge->n) {
		qsort(merge->members, merge->n, sizeof(*merge->members), member_order);
	}
	doubled_report(loading, merge, &sections[number]);
	struct tree_node *node = loading_take(loading, sizeof(*node));
	struct tree_member *members = loading_take(loading, merge->n * sizeof(*members));
	*node = *merge->first;
	node->kind = TREE_MAPPING;
	node->members = members;
	for (size_t i = 0; i < merge->n; i++) {
		members[i] = merge->members[i];
	}
	node->n = merge->n;
	loading->sections[number] = node;
}

int documents_read(struct loading *loading, const char *path)
{
	struct merge merges[SECTION_COUNT] = { 0 };
	int error = file_add(loading, path, merges);
	if (error != -XYLEM_E_IO && error != -XYLEM_E_MEMORY) {
		int more = folder_add(loading, path, merges);
		error = more ? more : error;
	}
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		if (!error) {
			section_make(loading, i, &merges[i]);
		}
		free(merges[i].members);
	}
	return error;
}
