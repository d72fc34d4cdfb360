/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_ACKED_H
#define XMPP_ACKED_H

#include <stdint.h>

/* Bytes that the other side's kernel has taken on this TCP connection so far (RFC 4898); 0 where it is not known. */
uint64_t acked_bytes(int fd);

#endif
