/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bus, and as whom: what was said on the command line, then the
 * environment, then the files that running buses leave (console/place.h).
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <console/ctl/ctl.h>
#include <console/place.h>

#define DEFAULT_URL "http://127.0.0.1:7070"
#define PLACES_MAX 64

struct places {
	json_t *items[PLACES_MAX];
	size_t n;
};

static const char *get(const json_t *place, const char *name)
{
	const char *text = json_string_value(json_object_get(place, name));
	return text ? text : "";
}

static bool runs(const json_t *place)
{
	json_int_t pid = json_integer_value(json_object_get(place, "pid"));
	return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

static void add_place(struct places *places, const char *path)
{
	json_t *place = json_load_file(path, 0, NULL);
	if (place && runs(place) && places->n < PLACES_MAX) {
		places->items[places->n++] = place;
	} else {
		json_decref(place);
	}
}

static void read_places(struct places *places)
{
	char folder[400], path[700];
	DIR *directory = place_folder(folder, sizeof(folder)) ? opendir(folder) : NULL;
	if (!directory) {
		return;
	}
	for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
		size_t n = strlen(entry->d_name);
		if (n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0) {
			snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
			add_place(places, path);
		}
	}
	closedir(directory);
}

/* The one that is meant; NULL: none, or more than one (then *ret_code is CTL_USAGE). */
static const json_t *choose(
	const struct places *places, const struct ctl_options *options, const char *url, int *ret_code)
{
	const json_t *found = NULL;
	for (size_t i = 0; i < places->n; i++) {
		if ((options->bus && strcmp(get(places->items[i], "bus"), options->bus) != 0) ||
			(url && strcmp(get(places->items[i], "url"), url) != 0)) {
			continue;
		}
		if (found) {
			fprintf(stderr, "xylemctl: several buses run here; choose one with --bus:\n");
			for (size_t j = 0; j < places->n; j++) {
				fprintf(stderr, "  --bus %s  (%s)\n", get(places->items[j], "bus"),
					get(places->items[j], "url"));
			}
			*ret_code = CTL_USAGE;
			return NULL;
		}
		found = places->items[i];
	}
	if (!found && options->bus) {
		fprintf(stderr, "xylemctl: no bus `%s` of this user runs here\n", options->bus);
		*ret_code = CTL_USAGE;
	}
	return found;
}

static int read_token(const char *path, struct ctl_bus *bus)
{
	FILE *file = fopen(path, "re");
	if (!file || !fgets(bus->token, sizeof(bus->token), file)) {
		fprintf(stderr, "xylemctl: no token in %s: %s\n", path, file ? "empty" : strerror(errno));
		if (file) {
			fclose(file);
		}
		return CTL_USAGE;
	}
	fclose(file);
	bus->token[strcspn(bus->token, "\r\n")] = '\0';
	return CTL_OK;
}

static int find_token(const struct ctl_options *options, const json_t *place, struct ctl_bus *bus)
{
	const char *token = getenv("XYLEM_TOKEN");
	char path[512];
	if (options->token_file) {
		return read_token(options->token_file, bus);
	}
	if (token) {
		snprintf(bus->token, sizeof(bus->token), "%s", token);
		return CTL_OK;
	}
	if (options->data) {
		snprintf(path, sizeof(path), "%s/admin.token", options->data);
		return read_token(path, bus);
	}
	return place ? read_token(get(place, "token_file"), bus) : CTL_OK;
}

static int find(const struct ctl_options *options, struct places *places, struct ctl_bus *bus)
{
	const char *url = options->url ? options->url : getenv("XYLEM_URL");
	int code = CTL_OK;
	if (options->data) {
		char path[512];
		snprintf(path, sizeof(path), "%s/console.json", options->data);
		add_place(places, path);
		if (!places->n && !url) {
			fprintf(stderr, "xylemctl: no bus runs on %s (no %s)\n", options->data, path);
			return CTL_UNREACHABLE;
		}
	} else {
		read_places(places);
	}
	const json_t *place = choose(places, options, url, &code);
	if (code) {
		return code;
	}
	snprintf(bus->url, sizeof(bus->url), "%s", url ? url : place ? get(place, "url") : DEFAULT_URL);
	return find_token(options, place, bus);
}

int ctl_find_bus(const struct ctl_options *options, struct ctl_bus *ret_bus)
{
	struct places places = { .n = 0 };
	struct ctl_bus bus = { .url = "" };
	int code = find(options, &places, &bus);
	for (size_t i = 0; i < places.n; i++) {
		json_decref(places.items[i]);
	}
	if (code == CTL_OK) {
		*ret_bus = bus;
	}
	return code;
}
