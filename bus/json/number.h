/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_NUMBER_H
#define JSON_NUMBER_H

#include <stdint.h>

#include <xylem/span.h>

/*
 * A number literal taken apart where it stands: 0.DIGITS x 10^power. Digits run
 * from the first that is not zero to the last that is not (a decimal point may
 * lie between). Zero has count 0.
 */
struct decimal {
	bool negative;
	bool far; /* the exponent fits no integer: `power` has no meaning, `exponent` and `shift` have */
	bool exponent_negative;
	const char *digits, *end;
	size_t count;
	int64_t power;
	int64_t shift;              /* the power without the exponent */
	struct xylem_span exponent; /* its digits, without leading zeros */
};

/* False when the value is no number. */
bool decimal_read(struct xylem_span value, struct decimal *ret_decimal);
/* By value: -1, 0, 1. */
int decimal_order(const struct decimal *a, const struct decimal *b);

#endif
