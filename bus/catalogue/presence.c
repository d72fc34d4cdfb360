/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the catalogue may be opened: is it there, should it be, is it whole.
 *
 * The rule not to break: a missing or damaged catalogue stops the start with a
 * reason that says what to do. It is never made anew in silence: cursors and
 * cases would be gone.
 */
#include "presence.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int presence_find(const struct catalogue_options *options, struct xylem_reason *reason)
{
	struct io_file *file;
	int r = options->io->open(options->io, options->path, O_RDONLY | O_CLOEXEC, 0, &file);
	if (r == -ENOENT) {
		return 0;
	}
	if (r < 0) {
		xylem_reason_set(reason, "%s: cannot be opened: %s", options->path, strerror(-r));
		return -XYLEM_E_IO;
	}
	int64_t size = options->io->size(options->io, file);
	options->io->close(options->io, file);
	if (size < 0) {
		xylem_reason_set(reason, "%s: cannot be read: %s", options->path, strerror((int)-size));
		return -XYLEM_E_IO;
	}
	return size > 0;
}

int presence_check(const struct catalogue_options *options, bool exists, struct xylem_reason *reason)
{
	if (exists || !options->journal_exists || options->accept_gap) {
		return 0;
	}
	xylem_reason_set(reason,
		"%s is missing beside a journal: cursors, outcomes and hospital cases would be lost, and "
		"messages "
		"delivered again or not at all. Put the file back, or start with --accept-gap to begin a new "
		"one",
		options->path);
	return -XYLEM_E_DAMAGED;
}

static int check_page(void *context, int columns, char **values, char **names)
{
	struct xylem_reason *reason = context;
	if (columns > 0 && values[0] && strcmp(values[0], "ok") != 0) {
		xylem_reason_set(reason, "%s", values[0]);
		return 1;
	}
	return 0;
}

int presence_check_bytes(struct connection *writer, struct xylem_reason *reason)
{
	struct xylem_reason found = { "" };
	sqlite3 *database = connection_database(writer);
	int r = sqlite3_exec(database, "PRAGMA quick_check(1)", check_page, &found, NULL);
	if (r == SQLITE_OK) {
		return 0;
	}
	if (found.text[0] == '\0') {
		xylem_reason_set(&found, "%s", sqlite3_errmsg(database));
	}
	xylem_reason_set(reason, "%s", found.text);
	return r == SQLITE_ABORT ? -XYLEM_E_DAMAGED : connection_error(r);
}
