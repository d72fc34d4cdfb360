/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xylemd reference FOLDER: writes the reference pages, one a section,
 * connector and transform. Pages of modules that this build does not have are
 * left as they are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <config/tables.h>
#include <main/commands.h>

static int page_save(const char *folder, const char *name, const struct xylem_buffer *page)
{
	char path[4096];
	if (page->failed || snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
		return -1;
	}
	FILE *file = fopen(path, "w");
	bool written = file && fwrite(page->bytes, 1, page->n, file) == page->n;
	if ((file && fclose(file) != 0) || !written) {
		fprintf(stderr, "xylemd reference: %s: %s\n", path, strerror(errno));
		return -1;
	}
	return 0;
}

const char command_reference_usage[] = "usage: xylemd reference FOLDER\n";

int command_reference(int argc, char **argv)
{
	static struct table tables[TABLES_MOST];
	if (argc != 2) {
		fputs(command_reference_usage, stderr);
		return 2;
	}
	size_t n = tables_list(tables);
	int error = 0;
	for (size_t i = 0; i < n && !error; i++) {
		XYLEM_BUFFER_SCOPED page = { 0 };
		char name[128];
		reference_write(&tables[i], &page);
		error = page_save(argv[1], reference_file_name(&tables[i], name), &page);
	}
	XYLEM_BUFFER_SCOPED index = { 0 };
	reference_index_write(tables, n, &index);
	if (!error) {
		error = page_save(argv[1], "README.md", &index);
	}
	return error ? 1 : 0;
}
