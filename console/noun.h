/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_NOUN_H
#define CONSOLE_NOUN_H

#include <console/operation.h>

/*
 * What an argument of an operation names, read off the table: the {placeholder} of a path names a thing of the
 * collection before it, other arguments go by their own name. So that a face can offer what there is, and an
 * address of one thing can stand for the argument.
 */
enum operation_noun { NOUN_NONE, NOUN_CONNECTOR, NOUN_ROUTE, NOUN_LANE, NOUN_TOPIC, NOUN_CASE, NOUN_INGRESS };
enum operation_noun operation_noun(const struct operation *operation, const struct xylem_option *option);

/* The option that stands for the path's {placeholder}; NULL: it has none. */
const struct xylem_option *operation_placed(const struct operation *operation);
/* The operation that lists the collection of the placeholder; that shows the one thing. NULL: there is none. */
const struct operation *operation_lister(const struct operation *operation);
const struct operation *operation_shower(const struct operation *operation);
/* The option of that name; NULL. */
const struct xylem_option *operation_option(const struct operation *operation, const char *name);

#endif
