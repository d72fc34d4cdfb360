/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XYLEM_IO, in test builds: which implementation of the I/O seam a process
 * uses. io_fault.h has the notation.
 */
#include <base/io_fault.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int error_by_name(const char *name)
{
	static const struct {
		const char *name;
		int error;
	} names[] = {
		{ "KILL", IO_FAULT_KILL },
		{ "EIO", EIO },
		{ "ENOSPC", ENOSPC },
		{ "EDQUOT", EDQUOT },
		{ "EMFILE", EMFILE },
		{ "ENOMEM", ENOMEM },
		{ "EACCES", EACCES },
		{ "EROFS", EROFS },
		{ "ENOENT", ENOENT },
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i].name) == 0) {
			return names[i].error;
		}
	}
	char *end;
	long number = strtol(name, &end, 10);
	return *name && *end == '\0' && number > 0 && number < 4096 ? (int)number : 0;
}

static bool op_known(const char *op)
{
	static const char *const ops[] = { "open", "pread", "pwrite", "fdatasync", "allocate", "truncate",
		"size", "rename", "unlink", "sync_folder", "any" };
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(op, ops[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* OP:N:ERROR or OP:N+:ERROR */
static struct io *fault_parse(struct io *lower, const char *text)
{
	char op[16], count[24], name[16], *end;
	if (sscanf(text, "%15[^:]:%23[^:]:%15s", op, count, name) != 3) {
		return NULL;
	}
	uint64_t nth = strtoull(count, &end, 10);
	bool later = strcmp(end, "+") == 0;
	int error = error_by_name(name);
	if (nth == 0 || (*end && !later) || error == 0 || !op_known(op)) {
		return NULL;
	}
	return io_fault_new(lower, op, nth, later, error);
}

struct io *io_parse(const char *spec)
{
	char words[256], *rest = words;
	bool loses = false, nosync = false;
	const char *faults[8];
	size_t fault_count = 0;
	if (snprintf(words, sizeof(words), "%s", spec) >= (int)sizeof(words)) {
		return NULL;
	}
	for (const char *word; (word = strsep(&rest, ","));) {
		if (strcmp(word, "volatile") == 0) {
			loses = true;
		} else if (strcmp(word, "nosync") == 0) {
			nosync = true;
		} else if (strncmp(word, "fault:", 6) == 0 &&
			   fault_count < sizeof(faults) / sizeof(faults[0])) {
			faults[fault_count++] = word + 6;
		} else {
			return NULL;
		}
	}
	struct io *io = nosync && !loses ? NULL : loses ? io_volatile_new(nosync) : io_system();
	for (size_t i = 0; i < fault_count && io; i++) {
		io = fault_parse(io, faults[i]);
	}
	return io;
}

static struct io *chosen;

static void chosen_make(void)
{
	const char *spec = getenv("XYLEM_IO");
	chosen = spec && *spec ? io_parse(spec) : io_system();
	if (!chosen) {
		fprintf(stderr, "XYLEM_IO=%s is not understood: volatile[,nosync] or fault:OP:N[+]:ERROR\n",
			spec);
		exit(2);
	}
}

struct io *io_chosen(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, chosen_make);
	return chosen;
}
