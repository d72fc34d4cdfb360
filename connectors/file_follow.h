/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_FILE_FOLLOW_H
#define CONNECTORS_FILE_FOLLOW_H

#include <connectors/pick.h>
#include <xylem/connector.h>

enum file_format {
	FILE_EVENTS, /* a CloudEvent in JSON a line */
	FILE_NDJSON, /* JSON data a line */
	FILE_LINES,  /* text a line */
};

/* What to follow; read-only, borrowed. */
struct follow_rules {
	const char *path; /* NULL: standard input */
	enum file_format format;
	bool from_end; /* where a file begins that was never read */
	const char *source, *type;
	struct pick pick_type, pick_subject, pick_key;
};

/*
 * A file read as it grows, by a thread of its own, handed in line by line. The
 * position is kept in the instance's folder, and is never ahead of what the
 * journal has on disk.
 */
struct follow;
int follow_start(struct follow **ret_follow, struct xylem_host *host, struct xylem_source *source,
	const struct follow_rules *rules, struct xylem_reason *reason);
/* Returns when the thread has ended and the position is written. NULL is fine. */
struct follow *follow_stop(struct follow *follow);

#endif
