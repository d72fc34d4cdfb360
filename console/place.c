/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How xylemctl of the same user finds a running bus without being told: the
 * bus leaves its address and the path of its admin token in two places.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <console/place.h>
#include <console/request.h>
#include <xylem/log.h>

static char *describe(const struct rest *rest, const struct config_view *view)
{
	json_t *place = json_pack("{s:s, s:s, s:s, s:s, s:i}", "bus", view->bus->name, "url",
		rest->listener.url, "token_file", rest->admin.path, "data", view->bus->data, "pid",
		(int)getpid());
	char *text = json_dumps(place, JSON_INDENT(2));
	json_decref(place);
	return text;
}

/* Makes the last two folders of a path, for the owner only. */
static void make_folder(char *path)
{
	char *slash = strrchr(path, '/');
	*slash = '\0';
	mkdir(path, 0700);
	*slash = '/';
	mkdir(path, 0700);
}

static void write_one(char place[512], const char *text)
{
	struct xylem_reason reason;
	if (file_replace(place, xylem_span_of(text), 0600, &reason)) {
		xylem_log(XYLEM_LOG_INFO, "console", "xylemctl has to be told where the bus is: %s",
			reason.text);
		place[0] = '\0';
	}
}

void place_write(struct rest *rest, const struct config_view *view)
{
	char folder[400], *text = describe(rest, view);
	if (!text) {
		return;
	}
	snprintf(rest->place[0], sizeof(rest->place[0]), "%s/console.json", view->bus->data);
	write_one(rest->place[0], text);
	if (place_folder(folder, sizeof(folder))) {
		make_folder(folder);
		snprintf(rest->place[1], sizeof(rest->place[1]), "%s/%.100s.json", folder, view->bus->name);
		write_one(rest->place[1], text);
	}
	free(text);
}

void place_remove(struct rest *rest)
{
	for (size_t i = 0; i < 2; i++) {
		if (!rest->place[i][0]) {
			continue;
		}
		json_t *place = json_load_file(rest->place[i], 0, NULL);
		if (json_integer_value(json_object_get(place, "pid")) == (json_int_t)getpid()) {
			unlink(rest->place[i]);
		}
		json_decref(place);
		rest->place[i][0] = '\0';
	}
}
