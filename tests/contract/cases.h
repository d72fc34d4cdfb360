/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONTRACT_CASES_H
#define TESTS_CONTRACT_CASES_H

struct suite;

/* The cases, in the order in which contract.c runs them; what they return is said in suite.h. */

/* descriptor.c, suite.c */
const char *descriptor_whole(struct suite *suite);
const char *closing_nothing(struct suite *suite);
const char *opens_and_closes(struct suite *suite);

/* sink.c, interrupt.c */
const char *probe_finds(struct suite *suite);
const char *delivers(struct suite *suite);
const char *refused_is_wrong(struct suite *suite);
const char *one_wrong_among_good(struct suite *suite);
const char *overloaded_is_busy(struct suite *suite);
const char *forbidden_is_misconfigured(struct suite *suite);
const char *away_is_down(struct suite *suite);
const char *probe_misses(struct suite *suite);
const char *cut_is_not_delivered(struct suite *suite);
const char *silence_ends_at_the_deadline(struct suite *suite);
const char *interrupt_ends_it(struct suite *suite);
const char *interrupt_is_forgotten(struct suite *suite);
const char *sink_closes(struct suite *suite);

/* source.c */
const char *takes_in(struct suite *suite);
const char *starts_again(struct suite *suite);
const char *opens_again(struct suite *suite);
const char *held_back(struct suite *suite);
const char *full_disk(struct suite *suite);
const char *broken_off(struct suite *suite);
const char *stopped_is_stopped(struct suite *suite);
const char *source_closes(struct suite *suite);

#endif
