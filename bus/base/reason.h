/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REASON_H
#define BASE_REASON_H

#include <stddef.h>

/* Copies a reason in words into `size` bytes, at most 512, cut between characters. */
void reason_copy(char *text, size_t size, const char *why);

#endif
