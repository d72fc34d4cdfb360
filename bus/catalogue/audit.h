/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CATALOGUE_AUDIT_H
#define CATALOGUE_AUDIT_H

#include <jansson.h>

#include <catalogue/catalogue.h>

/*
 * Who did what to the bus, append only; each record's hash covers the one
 * before, so that a record that was changed or taken out shows. Operations
 * write it (console/operation.c); nothing else needs to.
 */
struct audit_record {
	const char *who;       /* user or JID; empty: a stranger */
	const char *role;      /* as it was then */
	const char *operation; /* `lane-pause` */
	const char *arguments; /* a JSON object in one line, without data of messages */
	const char *outcome;   /* "ok", or the name of the error: "forbidden", "conflict", ... */
};

/* Waits for the commit. */
int audit_write(struct catalogue *catalogue, const struct audit_record *record, struct xylem_reason *reason);

/*
 * Newest first, below record number `after` (0: from the newest), at most `limit`:
 * { "records": [ {number, time, who, role, operation, arguments: {}, outcome} ... ], "next": number or null }
 */
int audit_list(struct catalogue *catalogue, uint64_t after, size_t limit, json_t **ret_page,
	struct xylem_reason *reason);

/*
 * Walks the chain. 0: every record is as it was written; -XYLEM_E_DAMAGED names
 * the first that is not, or says that records at the end are missing.
 */
int audit_check(struct catalogue *catalogue, struct xylem_reason *reason);

#endif
