/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CATALOGUE_PRESENCE_H
#define CATALOGUE_PRESENCE_H

#include "catalogue.h"
#include "connection.h"

/* 1: there is a database; 0: none, or an empty file; or an error. */
int presence_find(const struct catalogue_options *options, struct xylem_reason *reason);
/* A missing one beside a journal is refused. */
int presence_check(const struct catalogue_options *options, bool exists, struct xylem_reason *reason);
/* Reads the whole file, so that damage stops the start and not a lane at night. */
int presence_check_bytes(struct connection *writer, struct xylem_reason *reason);

#endif
