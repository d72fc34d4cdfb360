/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIN_COMMANDS_H
#define MAIN_COMMANDS_H

/* The subcommands of xylemd: each takes the arguments after its name and returns the exit code. */
int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_schema(int argc, char **argv);
int command_farewell(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_reference(int argc, char **argv);
int command_jq(int argc, char **argv);
int command_test(int argc, char **argv);

/* What they print with --help, and when they were not asked rightly. */
extern const char command_run_usage[], command_check_usage[], command_schema_usage[],
	command_farewell_usage[], command_explain_usage[], command_reference_usage[], command_test_usage[];

#endif
