/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHECKER_CHECKER_H
#define CHECKER_CHECKER_H

/* The subcommands: the exit status; argv[0] is the subcommand's name. */
int checker_load(int argc, char **argv);
int checker_sink(int argc, char **argv);
int checker_verify(int argc, char **argv);

#endif
