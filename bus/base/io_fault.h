/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_IO_FAULT_H
#define BASE_IO_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include <base/io.h>

/*
 * The I/O seam's two test implementations, in builds with -Dtest_seams=true
 * only. From outside they are chosen by XYLEM_IO, words with a comma between:
 *
 *   volatile             a kill is a power loss: see io_volatile.c for what is held back
 *   nosync               with it: syncs do nothing. The negative control of every durability test
 *   fault:OP:N:ERROR     the N-th call of OP fails (EIO, ENOSPC, ... or a number); KILL: the process
 *                        ends there. OP is the name of the member of struct io, or `any`
 *   fault:OP:N+:ERROR    the N-th and every later one
 *
 * for example XYLEM_IO=volatile,fault:fdatasync:5:KILL. What it does not
 * understand ends the process with a message: a typing error must not pass for
 * a test.
 */

/* `spec` as in XYLEM_IO; NULL when it is not understood or there is no memory. Never freed. */
struct io *io_parse(const char *spec);

/* --- The n-th fault ------------------------------------------------------- */

#define IO_FAULT_KILL 100000

/* Everything goes to `under`, but call number `nth` (from 1) of `op` answers -error. */
struct io *io_fault_new(struct io *under, const char *op, uint64_t nth, bool and_later, int error);
struct io *io_fault_free(struct io *io);
/* How many calls of its op there were, and whether one was failed. */
uint64_t io_fault_calls(struct io *io);
bool io_fault_fired(struct io *io);
/* Ends the fault: later calls succeed. */
void io_fault_heal(struct io *io);

/* --- Power loss ----------------------------------------------------------- */

struct io *io_volatile_new(bool nosync);
/* Drops what was held back. */
struct io *io_volatile_free(struct io *io);
/*
 * The power goes. Of what was held back, a part that `seed` decides reaches the
 * disk: any 512-byte sectors of any file, the sizes or not, and the first few
 * of the renames and unlinks; seed 0: nothing. All files opened through `io`
 * must be closed. The folder is then as a machine would find it.
 */
void io_volatile_lose(struct io *io, uint64_t seed);

#endif
