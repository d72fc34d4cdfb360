/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a route became what it is. Stages are computed again on demand, and only
 * with the configuration that is there: whoever reads them has to hear when the
 * message went through another one. So a row is written whenever a route is
 * another than the row before says, at the start and at each reload.
 *
 * The rule: a row is never earlier than the one before it, whatever the clock does.
 * Not here: the texts. An old configuration names files that have changed since,
 * and an environment that is gone.
 */
#include "generation.h"

#include <string.h>

/* --- Writing -------------------------------------------------------------- */

struct noting {
	const struct generation_route *routes;
	size_t n;
	int64_t now_us;
};

static int run_named(sqlite3 *database, sqlite3_stmt *statement, const struct generation_route *route,
	int64_t number, struct xylem_reason *reason)
{
	if (!statement) {
		return -XYLEM_E_INTERNAL;
	}
	catalogue_bind_text(statement, 1, xylem_span_of(route->route));
	sqlite3_bind_int64(statement, 2, number);
	if (sqlite3_bind_parameter_count(statement) > 2) {
		catalogue_bind_blob(statement, 3, xylem_span((const char *)route->hash, 32));
	}
	return catalogue_step_done(database, statement, reason);
}

static int note_route(
	sqlite3 *database, const struct generation_route *route, int64_t now_us, struct xylem_reason *reason)
{
	int r = run_named(database,
		catalogue_statement(database,
			"INSERT INTO route_generations (route, since_us, hash)"
			" SELECT ?1, max(?2, coalesce((SELECT max(since_us) + 1 FROM route_generations WHERE "
			"route = ?1), ?2)), ?3"
			" WHERE ?3 IS NOT (SELECT hash FROM route_generations WHERE route = ?1 ORDER BY "
			"since_us DESC LIMIT 1)",
			reason),
		route, now_us, reason);
	return r < 0 ? r
		     : run_named(database,
			       catalogue_statement(database,
				       "DELETE FROM route_generations WHERE route = ?1 AND since_us IN "
				       "(SELECT "
				       "since_us FROM route_generations"
				       " WHERE route = ?1 ORDER BY since_us DESC LIMIT -1 OFFSET ?2)",
				       reason),
			       route, GENERATION_MOST, reason);
}

static int note(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	const struct noting *noting = context;
	for (size_t i = 0; i < noting->n; i++) {
		int r = note_route(database, &noting->routes[i], noting->now_us, reason);
		if (r < 0) {
			return r;
		}
	}
	/* Of routes that are long gone. */
	sqlite3_stmt *trim = catalogue_statement(database,
		"DELETE FROM route_generations WHERE (route, since_us) IN (SELECT route, since_us FROM "
		"route_generations ORDER BY since_us DESC LIMIT -1 OFFSET ?1)",
		reason);
	if (!trim) {
		return -XYLEM_E_INTERNAL;
	}
	sqlite3_bind_int64(trim, 1, GENERATION_ALL);
	return catalogue_step_done(database, trim, reason);
}

int generation_note(struct catalogue *catalogue, const struct generation_route *routes, size_t n,
	int64_t now_us, struct xylem_reason *reason)
{
	struct noting noting = { routes, n, now_us };
	return catalogue_write(catalogue, note, &noting, reason);
}

/* --- Reading -------------------------------------------------------------- */

struct finding {
	const char *route;
	int64_t time_us;
	struct generation_found *found;
};

static int find(sqlite3 *database, void *context, struct xylem_reason *reason)
{
	struct finding *finding = context;
	sqlite3_stmt *row = catalogue_statement(database,
		"SELECT hash, coalesce((SELECT min(since_us) FROM route_generations WHERE route = ?1 AND "
		"since_us > ?2), 0)"
		" FROM route_generations WHERE route = ?1 AND since_us <= ?2 ORDER BY since_us DESC LIMIT 1",
		reason);
	if (!row) {
		return -XYLEM_E_INTERNAL;
	}
	catalogue_bind_text(row, 1, xylem_span_of(finding->route));
	sqlite3_bind_int64(row, 2, finding->time_us);
	int r = catalogue_step_row(database, row, reason);
	struct xylem_span hash = r == 1 ? catalogue_column(row, 0) : XYLEM_SPAN_NONE;
	if (r < 0) {
		return r;
	}
	if (hash.n != sizeof(finding->found->hash)) {
		return -XYLEM_E_NOT_FOUND;
	}
	memcpy(finding->found->hash, hash.at, hash.n);
	finding->found->changed_us = sqlite3_column_int64(row, 1);
	return 0;
}

int generation_find(struct catalogue *catalogue, const char *route, int64_t time_us,
	struct generation_found *ret_found, struct xylem_reason *reason)
{
	struct generation_found found = { .changed_us = 0 };
	struct finding finding = { route, time_us, &found };
	int r = catalogue_read(catalogue, find, &finding, reason);
	if (r == 0) {
		*ret_found = found;
	}
	return r;
}
