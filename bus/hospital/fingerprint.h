/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOSPITAL_FINGERPRINT_H
#define HOSPITAL_FINGERPRINT_H

#include <xylem/span.h>

/*
 * What failures have in common. The pattern of a reason is the reason without
 * the values that differ from message to message: `<n>` stands for a number,
 * `<q>` for something in quotes, `<v>` for what follows `=(`, `<uuid>`, `<hex>`.
 */
#define PATTERN_SIZE 256
void pattern_of(struct xylem_span text, char ret_pattern[PATTERN_SIZE]);

/*
 * 32 hex digits: of the route, the destination ('' for a step), the kind of
 * stage (its name without numbers), the code and the reason's pattern.
 */
#define FINGERPRINT_SIZE 33
void fingerprint_of(const char *route, const char *destination, const char *stage, const char *code,
	const char *pattern, char ret_fingerprint[FINGERPRINT_SIZE]);

#endif
