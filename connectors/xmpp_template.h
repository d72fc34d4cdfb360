/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONNECTORS_XMPP_TEMPLATE_H
#define CONNECTORS_XMPP_TEMPLATE_H

#include <xylem/arena.h>
#include <xylem/buffer.h>
#include <xylem/error.h>
#include <xylem/message.h>

/*
 * Text with places: `{/data/order/id}` and `{/subject}` stand for what the event
 * has there (connectors/pick.h), `{{` for a brace. Compiled once, read by any thread.
 */
struct template;

/* -XYLEM_E_INVALID with what is wrong; -XYLEM_E_MEMORY. */
int template_new(struct template **ret_template, const char *text, struct xylem_reason *reason);
struct template *template_free(struct template *template);

/* What the event lacks is left out. `json`: its data has passed xylem_json_check(). */
void template_write(const struct template *template, const struct xylem_message *message, bool json,
	struct xylem_arena *arena, struct xylem_buffer *out);

#endif
