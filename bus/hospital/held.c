/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of the open cases of a lane: what `on_case: hold_key` holds. Read
 * from the cases themselves, so that there is no second truth to keep.
 */
#include "case.h"

struct walk {
	const char *route, *destination;
	void (*key)(void *context, struct xylem_span key);
	void *context;
};

static int walk_work(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	const struct walk *walk = context;
	sqlite3_stmt *rows = catalogue_statement(database,
		"SELECT DISTINCT key FROM cases WHERE route = ? AND (destination = ? OR destination = '')"
		" AND state IN ('open', 'replaying') AND key IS NOT NULL",
		reason);
	if (!rows) {
		return -XYLEM_E_IO;
	}
	catalogue_bind_text(rows, 1, xylem_span_of(walk->route));
	catalogue_bind_text(rows, 2, xylem_span_of(walk->destination));
	int more;
	while ((more = catalogue_step_row(database, rows, reason)) == 1) {
		walk->key(walk->context, catalogue_column(rows, 0));
	}
	return more;
}

int hospital_open_keys(struct hospital *hospital, const char *route, const char *destination,
	void (*key)(void *context, struct xylem_span key), void *context, struct xylem_reason *reason)
{
	struct walk walk = { route, destination, key, context };
	return catalogue_read(hospital->catalogue, walk_work, &walk, reason);
}
