/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <config/fill.h>

/*
 * One option: from a node to the member of the owner's struct. `name` is the
 * whole name, for texts. -XYLEM_E_INVALID with the problem reported.
 */
int value_set(const struct xylem_option *option, void *options, const struct tree_node *node,
	const struct fill *fill);

/* Secrets: { env: NAME }, { file: PATH } or { credential: NAME }. */
int secret_set(const struct xylem_option *option, const struct xylem_secret **ret_secret,
	const struct tree_node *node, const struct fill *fill);

/* The value as JSON text: lists and mappings too; see XYLEM_OPTION_JSON. -XYLEM_E_MEMORY. */
int value_json(const struct tree_node *node, struct xylem_buffer *out);

#endif
