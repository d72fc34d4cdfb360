/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over each file of a folder, as a normal test: what a
 * fuzzer once found stays found. Each file lies in memory of exactly its size.
 * Besides each file as it is, every beginning of the small ones is run: parsers
 * break where input ends early.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { PREFIXES = 512 };

static void run(const char *bytes, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	if (!copy) {
		abort();
	}
	memcpy(copy, bytes, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static size_t run_file(const char *path)
{
	static char bytes[1 << 20];
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		exit(1);
	}
	size_t n = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	run(bytes, n);
	for (size_t part = 0; part < n && part < PREFIXES; part++) {
		run(bytes, part);
	}
	return n;
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	if (!folder) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	size_t count = 0;
	for (struct dirent *entry; (entry = readdir(folder));) {
		char path[4096];
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
			run_file(path);
			count++;
		}
	}
	closedir(folder);
	printf("%zu files\n", count);
	return count > 0 ? 0 : 1;
}
