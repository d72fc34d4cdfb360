/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PLACE_H
#define CONSOLE_PLACE_H

#include <config/config.h>

struct rest;

/*
 * Small files that tell xylemctl where a bus listens and where its admin token
 * lies: DATA/console.json, and NAME.json under $XDG_RUNTIME_DIR/xylem (or
 * $XDG_CACHE_HOME/xylem, or ~/.cache/xylem) of the user who runs the bus. No
 * secret is in them. Failures are logged: the bus runs without.
 */
void place_write(struct rest *rest, const struct config_view *view);
/* Takes them away again, unless another bus has written them since. */
void place_remove(struct rest *rest);

/* The folder of the user's running buses, without making it; false: the environment names none. */
bool place_folder(char *path, size_t size);

#endif
