/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committed pages that are made from the operation table: docs/openapi.json and docs/operations.md.
 * XYLEM_WRITE_PAGES=1 in the environment writes them instead of comparing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <console/openapi.h>

#include "test_bus.h"

static void page_path(const char *name, char path[512])
{
	const char *source = getenv("XYLEM_SOURCE");
	assert_non_null(source);
	snprintf(path, 512, "%s/docs/%s", source, name);
}

static void compare(const char *name, const char *made)
{
	char path[512];
	page_path(name, path);
	if (getenv("XYLEM_WRITE_PAGES")) {
		FILE *file = fopen(path, "we");
		assert_non_null(file);
		assert_true(fputs(made, file) >= 0);
		assert_int_equal(fclose(file), 0);
		return;
	}
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	static char committed[1 << 20];
	size_t n = fread(committed, 1, sizeof(committed) - 1, file);
	committed[n] = '\0';
	fclose(file);
	if (strcmp(committed, made) != 0) {
		print_error("docs/%s is not what the operation table says: run "
			    "build/tests/unit-console-pages with "
			    "XYLEM_WRITE_PAGES=1 and XYLEM_SOURCE=the source folder\n",
			name);
		fail();
	}
}

static void openapi_is_committed(void **state)
{
	json_t *openapi = openapi_new();
	char *text = json_dumps(openapi, JSON_INDENT(2));
	size_t n = strlen(text);
	text = realloc(text, n + 2);
	strcpy(text + n, "\n");
	compare("openapi.json", text);
	free(text);
	json_decref(openapi);
}

static void operations_are_committed(void **state)
{
	XYLEM_BUFFER_SCOPED page = { 0 };
	operations_write_page(&page);
	xylem_buffer_byte(&page, '\0');
	compare("operations.md", page.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openapi_is_committed),
		cmocka_unit_test(operations_are_committed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
