/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_XMPP_FORM_H
#define CONSOLE_XMPP_FORM_H

#include <console/operation.h>
#include <xmpp/stanza.h>

/* Arguments of operations as fields of forms (XEP-0004), both ways. */

/* A choice that a field offers; both texts are the owner's. */
struct form_choice {
	const char *value, *label;
};

/* One field; `value`: what stands in it (NULL: the default). `choices` may be NULL. */
void form_write_field(struct xylem_buffer *out, const struct xylem_option *option, const json_t *value,
	const struct form_choice *choices, size_t n);
/* A field that is sent back as it is, and one that is only read. */
void form_write_hidden(struct xylem_buffer *out, const char *name, const json_t *value);
void form_write_fixed(struct xylem_buffer *out, const char *name, const char *text);

/*
 * The fields of a submitted form: a JSON object of strings, and of arrays of
 * strings for fields of several values; the caller decrefs it. -XYLEM_E_INVALID: no form of type
 * submit, or a field without name or twice; -XYLEM_E_LIMIT: more than 100 fields or 1,000 values.
 */
int form_read(const struct xml_node *form, struct xylem_arena *arena, json_t **ret_fields);
/*
 * Takes the value of an argument out of the fields, as the operation's arguments want it. An absent field changes
 * nothing, an empty one is no value. -XYLEM_E_INVALID with the reason.
 */
int form_take(const json_t *fields, const struct xylem_option *option, json_t *arguments,
	struct xylem_reason *reason);
/* Is it data of a message, in one of its notations? */
bool form_is_data(const struct xylem_option *option);

#endif
