/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_WRITE_H
#define JQ_WRITE_H

#include "jq/machine.h"

/* Appends the value; stops when there are more than `most` bytes in the buffer. False: a limit, or no memory. */
bool jq_write(struct jq_machine *machine, struct jq_value value, const struct jq_form *form, size_t most,
	struct xylem_buffer *out);

/* The value as JSON in at most size - 1 bytes, cut as jq cuts values in messages. */
void jq_value_cut(struct jq_machine *machine, struct jq_value value, size_t size, char *room);

/* Says which limit was reached, where and what it is; -XYLEM_E_LIMIT. */
int jq_limit_reason(const struct jq_machine *machine, struct xylem_reason *reason);

#endif
