/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_OPTION_H
#define XYLEM_OPTION_H

#include <stdint.h>

#include <xylem/span.h>
#include <xylem/visible.h>

/*
 * The options table: the only truth about an option. From it come the
 * validator, the JSON Schema, the reference pages, the example configuration
 * and `xylemd explain`. The core fills a struct of the owner's (zeroed, sized
 * by the descriptor) before the owner sees it, and keeps everything that the
 * struct points to alive as long as the instance that it was made for.
 */
enum xylem_option_type {
	XYLEM_OPTION_BOOL,       /* bool */
	XYLEM_OPTION_INTEGER,    /* int64_t */
	XYLEM_OPTION_SIZE,       /* int64_t bytes: `64KiB`, `1MiB`, `10GB`, or plain bytes */
	XYLEM_OPTION_DURATION,   /* int64_t microseconds: `5ms`, `30s`, `10m`, `2h`, `7d` */
	XYLEM_OPTION_STRING,     /* const char * */
	XYLEM_OPTION_ENUM,       /* int: the index in `choices` */
	XYLEM_OPTION_NAME,       /* const char *: [a-z0-9][a-z0-9_-]* */
	XYLEM_OPTION_URL,        /* const char *: http or https, no user info */
	XYLEM_OPTION_ADDRESS,    /* const char *: HOST:PORT, [V6]:PORT or unix:PATH */
	XYLEM_OPTION_JID,        /* const char *: normalised bare JID or domain */
	XYLEM_OPTION_POINTER,    /* const struct xylem_json_pointer *, compiled (RFC 6901) */
	XYLEM_OPTION_SECRET,     /* const struct xylem_secret *; written {env:}, {file:} or {credential:} only */
	XYLEM_OPTION_PATH,       /* const char *: absolute; relative ones are taken from the file they stand in */
	XYLEM_OPTION_FILE,       /* const struct xylem_file *: read with the configuration, part of its generation */
	XYLEM_OPTION_EXPRESSION, /* const char *: a `where` expression or a jq program; `struct xylem_place` beside it: see `place` */
	XYLEM_OPTION_LIST,       /* struct xylem_strings */
	XYLEM_OPTION_MAP,        /* struct xylem_pairs: names to strings */
	XYLEM_OPTION_FILES,      /* struct xylem_files: names to files, read as FILE is */
	XYLEM_OPTION_JSON,       /* struct xylem_span: any YAML value as JSON text. Plain scalars that are JSON null,
	                            booleans or numbers stand for themselves, digits kept; all others are strings */
};

enum xylem_option_flag {
	XYLEM_OPTION_REQUIRED = 1 << 0,
	/* Changing it needs a restart of the bus, not only a reload. */
	XYLEM_OPTION_FIXED = 1 << 1,
	/* The option a short form `name: VALUE` stands for (as in `jq: '.a'`). At most one a table. */
	XYLEM_OPTION_SHORT = 1 << 2,
};

struct xylem_option {
	const char *name; /* a dot makes a nested mapping: `tls.ca` */
	enum xylem_option_type type;
	unsigned flags;
	size_t offset;             /* in the owner's struct */
	const char *default_value; /* in the notation of the configuration; NULL: zero, none or required */
	int64_t minimum, maximum;  /* of INTEGER, SIZE, DURATION (in its unit), lengths of STRING; both 0: no bounds */
	const char *const *choices; /* of ENUM, NULL-terminated */
	const char *since;
	const char *summary; /* one sentence, with its full stop */
	const char *example; /* in the notation of the configuration; NULL: the default serves */
};

#define XYLEM_OPTIONS_END { .name = NULL }

struct xylem_strings {
	const char *const *items;
	size_t n;
};

struct xylem_pair {
	const char *name;
	const char *value;
};

struct xylem_pairs {
	const struct xylem_pair *items;
	size_t n;
};

struct xylem_file {
	const char *path;
	struct xylem_span bytes;
	unsigned char sha256[32];
};

struct xylem_named_file {
	const char *name;
	const struct xylem_file *file;
};

struct xylem_files {
	const struct xylem_named_file *items;
	size_t n;
};

/* A value that nothing prints. The bytes are terminated, and wiped when the configuration goes. */
struct xylem_secret;
XYLEM_PUBLIC struct xylem_span xylem_secret_borrow(const struct xylem_secret *secret);

#endif
