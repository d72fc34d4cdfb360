/* SPDX-License-Identifier: Apache-2.0 */
/* The circuit of a lane: when it opens, when it probes, what closes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <route/circuit.h>

static const struct lane_options options = {
	.probe_us = 1000000,
	.backoff_us = 500000,
	.backoff_max_us = 8000000,
	.attempts = 5,
};

static void opens_on_down_and_probes_with_growing_waits(void **state)
{
	struct circuit circuit = { 0 };
	struct xylem_result down = { .failure = XYLEM_FAILURE_DOWN };
	int64_t now = 0, wait = 0;
	assert_true(circuit_admits(&circuit, now));
	assert_true(circuit_failed(&circuit, &options, &down, now));
	assert_false(circuit_failed(&circuit, &options, &down, now)); /* the rest of the same batch */
	for (int i = 0; i < 6; i++) {
		int64_t next = circuit_next(&circuit);
		assert_false(circuit_admits(&circuit, next - 1));
		assert_true(circuit_admits(&circuit, next));
		assert_true(next - now >=
			    wait * 6 / 10); /* twice as long, or at the bound; each with its jitter */
		wait = next - now;
		assert_true(wait <= options.backoff_max_us * 12 / 10);
		now = next;
		circuit.probing = true;
		assert_false(circuit_admits(&circuit, now));
		assert_false(circuit_failed(&circuit, &options, &down, now));
	}
	assert_true(circuit_answered(&circuit));
	assert_false(circuit_answered(&circuit));
	assert_true(circuit_admits(&circuit, now));
	assert_int_equal(circuit_next(&circuit), INT64_MAX);
}

static void one_poisoned_message_does_not_open_it(void **state)
{
	struct circuit circuit = { 0 };
	struct xylem_result busy = { .failure = XYLEM_FAILURE_BUSY };
	for (int i = 0; i < 100; i++) {
		assert_false(circuit_busy(&circuit, &options, &busy, 7, i));
	}
	assert_false(circuit.open);
}

static void several_different_busy_ones_in_a_row_do(void **state)
{
	struct circuit circuit = { 0 };
	struct xylem_result busy = { .failure = XYLEM_FAILURE_BUSY };
	for (uint64_t i = 0; i < 7; i++) {
		assert_false(circuit_busy(&circuit, &options, &busy, i, 1));
	}
	circuit_answered(&circuit); /* one that went through: they were not in a row */
	for (uint64_t i = 0; i < 7; i++) {
		assert_false(circuit_busy(&circuit, &options, &busy, 100 + i, 1));
	}
	assert_true(circuit_busy(&circuit, &options, &busy, 200, 1));
	assert_true(circuit.open);
	assert_int_equal(circuit.failure, XYLEM_FAILURE_DOWN);
}

static void retry_after_is_honoured(void **state)
{
	struct circuit circuit = { 0 };
	struct xylem_result down = { .failure = XYLEM_FAILURE_DOWN, .retry_after_us = 90000000 };
	circuit_failed(&circuit, &options, &down, 5);
	assert_int_equal(circuit_next(&circuit), 90000005);
	circuit_hurry(&circuit, 10);
	assert_true(circuit_admits(&circuit, 10));
}

static void backoff_doubles_up_to_its_bound(void **state)
{
	for (uint32_t attempts = 1; attempts < 40; attempts++) {
		int64_t wait = circuit_backoff(&options, attempts);
		int64_t plain = options.backoff_us << (attempts < 5 ? attempts - 1 : 4);
		assert_in_range(wait, plain * 8 / 10, plain * 12 / 10);
	}
	assert_int_equal(circuit_jitter(0), 0);
	assert_int_equal(circuit_jitter(3), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_on_down_and_probes_with_growing_waits),
		cmocka_unit_test(one_poisoned_message_does_not_open_it),
		cmocka_unit_test(several_different_busy_ones_in_a_row_do),
		cmocka_unit_test(retry_after_is_honoured),
		cmocka_unit_test(backoff_doubles_up_to_its_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
