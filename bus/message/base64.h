/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MESSAGE_BASE64_H
#define MESSAGE_BASE64_H

#include <xylem/arena.h>
#include <xylem/buffer.h>

/* RFC 4648, 4: the plain alphabet, with padding. */
void message_base64_write(struct xylem_buffer *out, struct xylem_span bytes);
/* Strict: no white space, padding in place, unused bits zero. -XYLEM_E_INVALID, -XYLEM_E_MEMORY. */
int message_base64_read(struct xylem_span text, struct xylem_arena *arena, struct xylem_span *ret_bytes);

#endif
