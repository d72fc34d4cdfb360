/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_XYLEM_H
#define XYLEM_XYLEM_H

/* Everything that a connector or transform may use. */
#include <xylem/arena.h>
#include <xylem/buffer.h>
#include <xylem/connector.h>
#include <xylem/error.h>
#include <xylem/json.h>
#include <xylem/log.h>
#include <xylem/message.h>
#include <xylem/option.h>
#include <xylem/span.h>
#include <xylem/transform.h>
#include <xylem/visible.h>

#endif
