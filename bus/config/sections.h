/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SECTIONS_H
#define CONFIG_SECTIONS_H

#include <stdbool.h>

#include <xylem/option.h>

/* The sections of the file, in the order in which the reference shows them. */
enum section_number {
	SECTION_BUS,
	SECTION_JOURNAL,
	SECTION_HOSPITAL,
	SECTION_CONSOLE,
	SECTION_XMPP,
	SECTION_USERS,
	SECTION_CONNECTORS,
	SECTION_TOPICS,
	SECTION_ROUTES,
	SECTION_COUNT,
};

struct section {
	const char *name;
	const char *summary;
	const struct xylem_option
		*options;  /* of the section, or of each entry; connectors: NULL, the kind's own */
	const char *entry; /* what an entry is called ("user"); NULL: the section is one mapping of options */
	bool required;
};

extern const struct section sections[SECTION_COUNT];

/* Members of a route that are not plain options: `where`, `steps`, `to`, `deliver`. NULL-terminated. */
extern const char *const route_elsewhere[];

#endif
