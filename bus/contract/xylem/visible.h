/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_VISIBLE_H
#define XYLEM_VISIBLE_H

/* Functions that a loadable module may call; everything else is hidden. */
#define XYLEM_PUBLIC __attribute__((visibility("default")))
#define XYLEM_PRINTF(text, first) __attribute__((format(printf, text, first)))

#endif
