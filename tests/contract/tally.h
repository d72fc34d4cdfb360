/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONTRACT_TALLY_H
#define TESTS_CONTRACT_TALLY_H

struct tally {
	unsigned count, failures;
};

/* Prints a case: what it returned (suite.h), and the reason if that is `suite_skip`. */
void tally_say(struct tally *tally, const char *name, const char *why, const char *text);

#endif
