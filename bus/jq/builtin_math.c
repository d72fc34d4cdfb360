/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mathematics: the functions of the C library that jq knows by their names, on
 * binary64. They give what the library gives, NaN and infinities too.
 *
 * The rule: what rounds an integer gives that integer, all of its 64 bits, and
 * does not take it through a double.
 */
#include <math.h>

#include "jq/builtin.h"

static struct jq_value not_a_number(struct jq_machine *machine, struct jq_value value)
{
	return jq_fail_type(machine, value, "number required");
}

/* --- One number to one ------------------------------------------------------ */

typedef double function_of_one(double);

static struct jq_value apply_one(struct jq_machine *machine, struct jq_value input, function_of_one *function)
{
	if (!jq_is_number(input)) {
		return not_a_number(machine, input);
	}
	return jq_double(function(jq_number_double(input)));
}

/* As apply_one(), for functions under which an integer stays what it is. */
static struct jq_value apply_rounding(
	struct jq_machine *machine, struct jq_value input, function_of_one *function)
{
	int64_t integer;
	if (jq_is_number(input) && jq_number_int64(input, &integer) && (integer || input.kind == JQ_INT)) {
		return jq_int(integer);
	}
	return apply_one(machine, input, function);
}

#define MATH_ONE(name, apply, function)                                                                \
	static struct jq_value name##_0(                                                               \
		struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments) { \
		(void)arguments;                                                                       \
		return apply(machine, input, function);                                                \
	}

MATH_ONE(acos, apply_one, acos)
MATH_ONE(acosh, apply_one, acosh)
MATH_ONE(asin, apply_one, asin)
MATH_ONE(asinh, apply_one, asinh)
MATH_ONE(atan, apply_one, atan)
MATH_ONE(atanh, apply_one, atanh)
MATH_ONE(cbrt, apply_one, cbrt)
MATH_ONE(ceil, apply_rounding, ceil)
MATH_ONE(cos, apply_one, cos)
MATH_ONE(cosh, apply_one, cosh)
MATH_ONE(erf, apply_one, erf)
MATH_ONE(erfc, apply_one, erfc)
MATH_ONE(exp, apply_one, exp)
MATH_ONE(exp10, apply_one, exp10)
MATH_ONE(exp2, apply_one, exp2)
MATH_ONE(expm1, apply_one, expm1)
MATH_ONE(floor, apply_rounding, floor)
MATH_ONE(j0, apply_one, j0)
MATH_ONE(j1, apply_one, j1)
MATH_ONE(log, apply_one, log)
MATH_ONE(log10, apply_one, log10)
MATH_ONE(log1p, apply_one, log1p)
MATH_ONE(log2, apply_one, log2)
MATH_ONE(logb, apply_one, logb)
MATH_ONE(nearbyint, apply_rounding, nearbyint)
MATH_ONE(rint, apply_rounding, rint)
MATH_ONE(round, apply_rounding, round)
MATH_ONE(significand, apply_one, significand)
MATH_ONE(sin, apply_one, sin)
MATH_ONE(sinh, apply_one, sinh)
MATH_ONE(sqrt, apply_one, sqrt)
MATH_ONE(tan, apply_one, tan)
MATH_ONE(tanh, apply_one, tanh)
MATH_ONE(tgamma, apply_one, tgamma)
MATH_ONE(trunc, apply_rounding, trunc)
MATH_ONE(y0, apply_one, y0)
MATH_ONE(y1, apply_one, y1)

/* lgamma() leaves the sign in a global variable, which threads would share; this one does not. */
static double lgamma_alone(double x)
{
	int sign;
	return lgamma_r(x, &sign);
}

MATH_ONE(lgamma, apply_one, lgamma_alone)

static struct jq_value fabs_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	int64_t integer;
	(void)arguments;
	if (jq_is_number(input) && jq_number_int64(input, &integer) && integer != INT64_MIN) {
		return jq_int(integer < 0 ? -integer : integer);
	}
	return apply_one(machine, input, fabs);
}

/* --- Two numbers, and three --------------------------------------------------- */

typedef double function_of_two(double, double);

static struct jq_value apply_two(
	struct jq_machine *machine, const struct jq_value *arguments, function_of_two *function)
{
	for (int i = 0; i < 2; i++) {
		if (!jq_is_number(arguments[i])) {
			return not_a_number(machine, arguments[i]);
		}
	}
	return jq_double(function(jq_number_double(arguments[0]), jq_number_double(arguments[1])));
}

#define MATH_TWO(name, function)                                                                       \
	static struct jq_value name##_2(                                                               \
		struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments) { \
		(void)input;                                                                           \
		return apply_two(machine, arguments, function);                                        \
	}

/* A double as the nearest int: what is beyond stops at the ends, NaN is 0. */
static int whole(double number)
{
	if (isnan(number)) {
		return 0;
	}
	return number < -2147483647 ? -2147483647 : number > 2147483647 ? 2147483647 : (int)number;
}

static double jn_double(double order, double x)
{
	/* The library counts up to the order. */
	return jn(whole(order) % 1000000, x);
}

static double yn_double(double order, double x)
{
	return yn(whole(order) % 1000000, x);
}

static double ldexp_double(double x, double exponent)
{
	return ldexp(x, whole(exponent));
}

static double nexttoward_double(double x, double y)
{
	return nexttoward(x, (long double)y);
}

static double scalbln_double(double x, double exponent)
{
	return scalbln(x, whole(exponent));
}

MATH_TWO(atan2, atan2)
MATH_TWO(copysign, copysign)
MATH_TWO(drem, remainder)
MATH_TWO(fdim, fdim)
MATH_TWO(fmax, fmax)
MATH_TWO(fmin, fmin)
MATH_TWO(fmod, fmod)
MATH_TWO(hypot, hypot)
MATH_TWO(jn, jn_double)
MATH_TWO(ldexp, ldexp_double)
MATH_TWO(nextafter, nextafter)
MATH_TWO(nexttoward, nexttoward_double)
MATH_TWO(pow, pow)
MATH_TWO(scalb, scalb)
MATH_TWO(scalbln, scalbln_double)
MATH_TWO(yn, yn_double)

static struct jq_value fma_3(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)input;
	for (int i = 0; i < 3; i++) {
		if (!jq_is_number(arguments[i])) {
			return not_a_number(machine, arguments[i]);
		}
	}
	return jq_double(fma(jq_number_double(arguments[0]), jq_number_double(arguments[1]),
		jq_number_double(arguments[2])));
}

/* --- One number to two ------------------------------------------------------- */

static struct jq_value pair(struct jq_machine *machine, struct jq_value first, struct jq_value second)
{
	struct jq_value array = jq_array(machine, 2);
	if (!jq_is_none(array)) {
		array = jq_array_push(machine, array, first);
	}
	return jq_is_none(array) ? array : jq_array_push(machine, array, second);
}

static struct jq_value frexp_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	int exponent = 0;
	(void)arguments;
	if (!jq_is_number(input)) {
		return not_a_number(machine, input);
	}
	double number = jq_number_double(input);
	double mantissa = frexp(number, &exponent);
	/* What the exponent of NaN and of infinities is, C leaves open. */
	return pair(machine, jq_double(mantissa), jq_int(isfinite(number) ? exponent : 0));
}

static struct jq_value lgamma_r_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	int sign = 0;
	(void)arguments;
	if (!jq_is_number(input)) {
		return not_a_number(machine, input);
	}
	double logarithm = lgamma_r(jq_number_double(input), &sign);
	return pair(machine, jq_double(logarithm), jq_int(sign));
}

static struct jq_value modf_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	double integral;
	(void)arguments;
	if (!jq_is_number(input)) {
		return not_a_number(machine, input);
	}
	double fraction = modf(jq_number_double(input), &integral);
	return pair(machine, jq_double(fraction), jq_double(integral));
}

/* --- What kind of number ------------------------------------------------------- */

static struct jq_value infinite_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)machine, (void)input, (void)arguments;
	return jq_double(INFINITY);
}

static struct jq_value nan_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)machine, (void)input, (void)arguments;
	return jq_double(NAN);
}

static struct jq_value isfinite_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)machine, (void)arguments;
	return jq_bool(jq_is_number(input) && !isinf(jq_number_double(input)));
}

static struct jq_value isinfinite_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)machine, (void)arguments;
	return jq_bool(jq_is_number(input) && isinf(jq_number_double(input)));
}

static struct jq_value isnan_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)machine, (void)arguments;
	return jq_bool(jq_is_number(input) && isnan(jq_number_double(input)));
}

static struct jq_value isnormal_0(
	struct jq_machine *machine, struct jq_value input, const struct jq_value *arguments)
{
	(void)machine, (void)arguments;
	return jq_bool(jq_is_number(input) && isnormal(jq_number_double(input)));
}

/* --- The table ------------------------------------------------------------------ */

const struct jq_builtin jq_builtin_math[] = {
	{ "acos", 0, acos_0 },
	{ "acosh", 0, acosh_0 },
	{ "asin", 0, asin_0 },
	{ "asinh", 0, asinh_0 },
	{ "atan", 0, atan_0 },
	{ "atan2", 2, atan2_2 },
	{ "atanh", 0, atanh_0 },
	{ "cbrt", 0, cbrt_0 },
	{ "ceil", 0, ceil_0 },
	{ "copysign", 2, copysign_2 },
	{ "cos", 0, cos_0 },
	{ "cosh", 0, cosh_0 },
	{ "drem", 2, drem_2 },
	{ "erf", 0, erf_0 },
	{ "erfc", 0, erfc_0 },
	{ "exp", 0, exp_0 },
	{ "exp10", 0, exp10_0 },
	{ "exp2", 0, exp2_0 },
	{ "expm1", 0, expm1_0 },
	{ "fabs", 0, fabs_0 },
	{ "fdim", 2, fdim_2 },
	{ "floor", 0, floor_0 },
	{ "fma", 3, fma_3 },
	{ "fmax", 2, fmax_2 },
	{ "fmin", 2, fmin_2 },
	{ "fmod", 2, fmod_2 },
	{ "frexp", 0, frexp_0 },
	{ "gamma", 0, lgamma_0 },
	{ "hypot", 2, hypot_2 },
	{ "infinite", 0, infinite_0 },
	{ "isfinite", 0, isfinite_0 },
	{ "isinfinite", 0, isinfinite_0 },
	{ "isnan", 0, isnan_0 },
	{ "isnormal", 0, isnormal_0 },
	{ "j0", 0, j0_0 },
	{ "j1", 0, j1_0 },
	{ "jn", 2, jn_2 },
	{ "ldexp", 2, ldexp_2 },
	{ "lgamma", 0, lgamma_0 },
	{ "lgamma_r", 0, lgamma_r_0 },
	{ "log", 0, log_0 },
	{ "log10", 0, log10_0 },
	{ "log1p", 0, log1p_0 },
	{ "log2", 0, log2_0 },
	{ "logb", 0, logb_0 },
	{ "modf", 0, modf_0 },
	{ "nan", 0, nan_0 },
	{ "nearbyint", 0, nearbyint_0 },
	{ "nextafter", 2, nextafter_2 },
	{ "nexttoward", 2, nexttoward_2 },
	{ "pow", 2, pow_2 },
	{ "pow10", 0, exp10_0 },
	{ "remainder", 2, drem_2 },
	{ "rint", 0, rint_0 },
	{ "round", 0, round_0 },
	{ "scalb", 2, scalb_2 },
	{ "scalbln", 2, scalbln_2 },
	{ "significand", 0, significand_0 },
	{ "sin", 0, sin_0 },
	{ "sinh", 0, sinh_0 },
	{ "sqrt", 0, sqrt_0 },
	{ "tan", 0, tan_0 },
	{ "tanh", 0, tanh_0 },
	{ "tgamma", 0, tgamma_0 },
	{ "trunc", 0, trunc_0 },
	{ "y0", 0, y0_0 },
	{ "y1", 0, y1_0 },
	{ "yn", 2, yn_2 },
	{ .name = NULL },
};
