/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOGGING_H
#define BASE_LOGGING_H

#include <stdbool.h>

#include <xylem/log.h>

/* What is written and how; set at start and on reload. Notice and text by default. */
void logging_set(enum xylem_log_level level, bool json);

#endif
