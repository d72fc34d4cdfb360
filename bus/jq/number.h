/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JQ_NUMBER_H
#define JQ_NUMBER_H

#include "jq/value.h"

/* A number to calculate with: an integer that fits 64 bits, or the nearest double. */
struct jq_number {
	bool integer;
	union {
		int64_t i;
		double d;
	};
};
struct jq_number jq_number_read(struct jq_value number);

static inline double jq_number_of(struct jq_number number)
{
	return number.integer ? (double)number.i : number.d;
}

/* Integers stay exact where the result fits 64 bits; else as binary64. `/` and `%`: the divisor is not zero. */
struct jq_value jq_number_add(struct jq_value a, struct jq_value b);
struct jq_value jq_number_subtract(struct jq_value a, struct jq_value b);
struct jq_value jq_number_multiply(struct jq_value a, struct jq_value b);
struct jq_value jq_number_divide(struct jq_value a, struct jq_value b);
struct jq_value jq_number_negate(struct jq_value number);
/* jq's %: both cut to integers; the sign of the dividend. */
int64_t jq_number_cut(struct jq_value number); /* toward zero, at the ends of 64 bits */

/* By value, exactly: <0, 0, >0. A double stands for the shortest text that reads as it. NaN is below all, itself too. */
int jq_number_order(struct jq_value a, struct jq_value b);

#endif
