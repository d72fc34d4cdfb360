/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CATALOGUE_PLACE_H
#define TESTS_CATALOGUE_PLACE_H

/* A catalogue in a folder of its own, for a test of what is kept there. Include behind cmocka.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <catalogue/catalogue.h>

struct place {
	char folder[64];
	struct catalogue *catalogue;
};

static int place_set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char path[96];
	struct xylem_reason reason;
	strcpy(place->folder, "/tmp/xylem-catalogue-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(path, sizeof(path), "%s/catalogue.db", place->folder);
	const struct catalogue_options options = { .path = path, .io = io_system() };
	assert_int_equal(catalogue_open(&place->catalogue, &options, &reason), 0);
	*state = place;
	return 0;
}

static int place_tear_down(void **state)
{
	struct place *place = *state;
	char command[128];
	catalogue_close(place->catalogue);
	snprintf(command, sizeof(command), "rm -rf '%s'", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

#endif
