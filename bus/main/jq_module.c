/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where `xylemd jq` looks for what a program imports: in the folders of -L, in
 * their order, and nowhere else; NAME.jq or NAME/NAME.jq there, for data .json.
 */
#include <string.h>

#include <config/source_file.h>
#include <main/jq_arguments.h>

#define FILE_MOST ((size_t)1024 * 1024 * 1024)

static bool read_from(const struct jq_arguments *arguments, const char *path, struct xylem_span *ret_text,
	const char **ret_file)
{
	struct xylem_reason ignored;
	if (!path || source_file_take(path, FILE_MOST, arguments->arena, ret_text, &ignored) < 0) {
		return false;
	}
	*ret_file = path;
	return true;
}

int jq_arguments_module(
	void *context, struct xylem_span name, bool data, struct xylem_span *ret_text, const char **ret_file)
{
	const struct jq_arguments *arguments = context;
	const char *slash = memrchr(name.at, '/', name.n), *end = name.at + name.n;
	const char *last = slash ? slash + 1 : name.at, *ending = data ? "json" : "jq";
	for (size_t i = 0; i < arguments->folder_count; i++) {
		const char *beside = xylem_arena_format(
			arguments->arena, "%s/%.*s.%s", arguments->folders[i], (int)name.n, name.at, ending);
		const char *within = xylem_arena_format(arguments->arena, "%s/%.*s/%.*s.%s",
			arguments->folders[i], (int)name.n, name.at, (int)(end - last), last, ending);
		if (read_from(arguments, beside, ret_text, ret_file) ||
			read_from(arguments, within, ret_text, ret_file)) {
			return 0;
		}
	}
	return -XYLEM_E_NOT_FOUND;
}
