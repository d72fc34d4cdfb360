/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

/*
 * Named instants at which a test lets the process die as kill -9 would: the
 * environment variable XYLEM_CRASH=STEP:N ends it at the N-th passing of STEP
 * (from 1). In builds without -Dtest_seams=true it is nothing.
 *
 *   append            a message has its place in the batch, nothing is written
 *   written           the batch is written and not synced
 *   synced            the batch is synced and nobody was told
 *   evaluated         a route was evaluated over a message
 *   sink-before       a sink is about to be called
 *   sink-after        the sink has answered, nothing is settled
 *   diverted          what a sink turned away is in the journal again, nothing is settled
 *   catalogue-before  a transaction of the catalogue is about to be committed
 *   catalogue-after   it is committed and nobody was told
 *   carried           some items of topics were copied out of a segment that is about to go
 *
 * What it does not understand ends the process with a message: a typing error
 * must not pass for a test.
 */
#ifdef XYLEM_TEST_SEAMS
void crash_point(const char *step);
#else
static inline void crash_point(const char *step)
{
	(void)step;
}
#endif

#endif
