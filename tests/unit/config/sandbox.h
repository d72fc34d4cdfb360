/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONFIG_SANDBOX_H
#define TESTS_UNIT_CONFIG_SANDBOX_H

/* A folder of a test's own, with the files that it writes. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char sandbox[64];

static inline int sandbox_setup(void **state)
{
	strcpy(sandbox, "/tmp/xylem-config-XXXXXX");
	return mkdtemp(sandbox) && chdir(sandbox) == 0 ? 0 : -1;
}

static inline int sandbox_unlink(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	return remove(path);
}

static inline int sandbox_teardown(void **state)
{
	return chdir("/") == 0 ? nftw(sandbox, sandbox_unlink, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static inline void sandbox_bytes(const char *path, mode_t mode, const void *bytes, size_t n)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (descriptor < 0 || write(descriptor, bytes, n) != (ssize_t)n || fchmod(descriptor, mode) < 0) {
		abort();
	}
	close(descriptor);
}

static inline void sandbox_write(const char *path, mode_t mode, const char *text)
{
	sandbox_bytes(path, mode, text, strlen(text));
}

#endif
