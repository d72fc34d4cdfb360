/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole configuration file: parsed, typed, checked, with kinds that have
 * every type of option. Whatever the bytes are, there is a report or a
 * generation; every place lies in the file, and every value is JSON.
 */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include <config/fill.h>
#include <config/report.h>
#include <config/value.h>
#include <tests/unit/config/kinds.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void places_check(const struct tree_node *node)
{
	if (node->kind == TREE_SCALAR) {
		for (size_t offset = 0; offset <= node->n && offset < 64; offset++) {
			struct config_place place = tree_place_inside(node, offset);
			assert(place.line >= node->line && place.column >= 1);
		}
		return;
	}
	for (size_t i = 0; i < node->n && i < 16; i++) {
		places_check(node->kind == TREE_LIST ? node->items[i] : node->members[i].value);
	}
}

static void tree_check(const char *bytes, size_t n)
{
	struct keep keep;
	struct config_report report = { 0 };
	struct tree_file file = { .name = "fuzz.yaml", .folder = "/nowhere", .text = { bytes, n } };
	struct tree_node *root = NULL;
	int error = keep_init(&keep, 0);
	assert(!error);
	if (tree_read(&file, keep.arena, &report, &root) == 0 && root && root->weight < 5000) {
		XYLEM_BUFFER_SCOPED text = { 0 };
		struct xylem_reason reason;
		size_t offset;
		struct test_options options = { 0 };
		struct fill fill = { .keep = &keep, .report = &report, .subject = "fuzz", .foreign = true };
		error = value_json(root, &text);
		assert(!error && xylem_json_check(xylem_buffer_borrow(&text), &offset, &reason) == 0);
		config_fill(test_all_options, &options, root, &fill);
		places_check(root);
	} else {
		assert(root || report.errors || n < 4096);
	}
	config_report_finish(&report);
	keep_finish(&keep);
}

static void load_check(const char *bytes, size_t n)
{
	char path[64];
	struct config *config = NULL;
	struct config_report report = { 0 };
	int descriptor = memfd_create("fuzz.yaml", MFD_CLOEXEC);
	if (descriptor < 0 || write(descriptor, bytes, n) != (ssize_t)n) {
		abort();
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	int error = config_load(&config, path, &report);
	assert((error == 0) == (config != NULL) && (error == 0) == (report.errors == 0));
	for (size_t i = 0; i < report.n; i++) {
		assert(report.problems[i].place.line >= 1 && report.problems[i].place.column >= 1);
		assert(report.problems[i].text[0]);
	}
	config_report_finish(&report);
	config_unref(config);
	close(descriptor);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 65536) {
		return 0;
	}
	tree_check((const char *)bytes, n);
	load_check((const char *)bytes, n);
	return 0;
}
