/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases of the hospital, one or many: each change names the version of the
 * case that it was decided on, which is read first. With a group, its open
 * cases are taken page by page, and the progress is shown.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <console/ctl/ctl.h>

#define CASE_PATH "/api/v1/hospital/cases/"

static int read_case(struct client *client, const char *number, json_t **ret_view)
{
	XYLEM_BUFFER_SCOPED target = { 0 };
	xylem_buffer_text(&target, CASE_PATH);
	client_encode(&target, xylem_span_of(number), false);
	xylem_buffer_byte(&target, '\0');
	return client_ask_json(client, "GET", target.bytes, XYLEM_SPAN_NONE, ret_view);
}

/* The version of a case, as text, into the values. */
static int set_version(struct client *client, json_t *values, const char *number)
{
	if (json_object_get(values, "version")) {
		return CTL_OK;
	}
	json_t *view = NULL;
	int code = read_case(client, number, &view);
	if (code == CTL_OK) {
		json_object_set_new(values, "version",
			json_sprintf(
				"%lld", (long long)json_integer_value(json_object_get(view, "version"))));
	}
	json_decref(view);
	return code;
}

static int change(struct client *client, const struct command *command, const json_t *given,
	const char *number, json_t **ret_answer)
{
	XYLEM_BUFFER_SCOPED target = { 0 };
	XYLEM_BUFFER_SCOPED body = { 0 };
	json_t *values = json_copy((json_t *)(uintptr_t)given);
	json_object_del(values, "group");
	json_object_set_new(values, "n", json_string(number));
	int code = set_version(client, values, number);
	if (code == CTL_OK) {
		code = arguments_write(command, values, &target, &body);
	}
	if (code == CTL_OK) {
		code = client_ask_json(client, "POST", target.bytes, xylem_buffer_borrow(&body), ret_answer);
	}
	json_decref(values);
	return code;
}

/* --- Many ------------------------------------------------------------------------ */

struct progress {
	const char *words;
	size_t done, failed, total; /* total 0: not known */
	bool shown;
};

static void show_progress(struct progress *progress, bool end)
{
	if (!isatty(STDERR_FILENO) || progress->total < 2) {
		return;
	}
	fprintf(stderr, "\r%s: %zu of %zu%s", progress->words, progress->done + progress->failed,
		progress->total, end ? "\n" : "");
	progress->shown = true;
}

/* Has the newest replay failed at once, before it could be told of? */
static bool failed_again(const json_t *answer)
{
	const json_t *replays = json_object_get(answer, "replays"), *lane;
	size_t i, n = json_array_size(replays);
	json_array_foreach(json_object_get(n ? json_array_get(replays, n - 1) : NULL, "lanes"), i, lane)
	{
		const char *outcome = json_string_value(json_object_get(lane, "outcome"));
		if (outcome && strcmp(outcome, "hospitalised") == 0) {
			return true;
		}
	}
	return false;
}

static void print_state(const struct command *command, const char *number, const json_t *answer)
{
	const char *state = json_string_value(json_object_get(answer, "state"));
	const char *reason = json_string_value(json_object_get(answer, "reason"));
	XYLEM_BUFFER_SCOPED why = { 0 };
	if (reason && strcmp(command->id, "hospital-replay") == 0 && failed_again(answer)) {
		xylem_buffer_text(&why, ", failed again: ");
		view_plain(&why, reason);
	}
	printf("case %s: %s%.*s\n", number, state ? state : "done", (int)why.n, why.n ? why.bytes : "");
}

static int one(struct client *client, const struct ctl_options *options, const struct command *command,
	const json_t *values, const char *number, struct progress *progress)
{
	json_t *answer = NULL;
	int code = change(client, command, values, number, &answer);
	progress->done += code == CTL_OK;
	progress->failed += code != CTL_OK;
	if (code == CTL_OK && options->json) {
		json_dumpf(answer, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (code == CTL_OK) {
		show_progress(progress, false);
		if (progress->total < 2) {
			print_state(command, number, answer);
		}
	}
	json_decref(answer);
	return code;
}

/* The numbers of a group's open cases (discarded ones for a restore), at most a page after `after`. */
static int read_group(
	struct client *client, const char *group, bool discarded, json_int_t after, json_t **ret_page)
{
	char target[256];
	XYLEM_BUFFER_SCOPED encoded = { 0 };
	client_encode(&encoded, xylem_span_of(group), false);
	snprintf(target, sizeof(target), "/api/v1/hospital/cases?state=%s&limit=1000&group=%.*s&after=%lld",
		discarded ? "discarded" : "open", (int)encoded.n, encoded.n ? encoded.bytes : "",
		(long long)after);
	return client_ask_json(client, "GET", target, XYLEM_SPAN_NONE, ret_page);
}

/* All numbers first, so that cases that fail again are not taken twice. */
static int list_group(struct client *client, const char *group, bool discarded, json_t *numbers)
{
	json_int_t after = 0;
	for (;;) {
		json_t *page = NULL, *item;
		size_t i;
		int code = read_group(client, group, discarded, after, &page);
		if (code) {
			return code;
		}
		json_array_foreach(json_object_get(page, "cases"), i, item)
		{
			json_array_append(numbers, json_object_get(item, "case"));
		}
		after = json_integer_value(json_object_get(page, "next"));
		json_decref(page);
		if (!after) {
			return CTL_OK;
		}
	}
}

static int run_numbers(struct client *client, const struct ctl_options *options,
	const struct command *command, const json_t *values, const json_t *numbers)
{
	struct progress progress = { .words = command->words, .total = json_array_size(numbers) };
	size_t i;
	const json_t *number;
	int worst = CTL_OK;
	json_array_foreach(numbers, i, number)
	{
		char text[32];
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(number));
		int code = one(client, options, command, values, text, &progress);
		worst = code > worst ? code : worst;
		if (code == CTL_UNREACHABLE || code == CTL_UNAUTHORISED) {
			break;
		}
	}
	show_progress(&progress, true);
	if (!options->json && progress.total != 1) {
		printf("%s: %zu done, %zu refused\n", command->words, progress.done, progress.failed);
	}
	return worst;
}

static int read_numbers(const struct arguments *arguments, json_t *numbers)
{
	const char *named = json_string_value(json_object_get(arguments->values, "n"));
	for (size_t i = 0; i < arguments->word_count + (named != NULL); i++) {
		const char *word = i < arguments->word_count ? arguments->words[i] : named;
		char *end;
		long long n = strtoll(word, &end, 10);
		if (*end || n < 1) {
			fprintf(stderr, "xylemctl: `%s` is no case number\n", word);
			return CTL_USAGE;
		}
		json_array_append_new(numbers, json_integer(n));
	}
	return CTL_OK;
}

int ctl_cases(struct client *client, const struct ctl_options *options, const struct command *command,
	struct arguments *arguments)
{
	const char *group = json_string_value(json_object_get(arguments->values, "group"));
	json_t *numbers = json_array();
	int code = read_numbers(arguments, numbers);
	if (!code && (group != NULL) == (json_array_size(numbers) > 0)) {
		fprintf(stderr, "usage: xylemctl %s N ... | --group G\n", command->words);
		code = CTL_USAGE;
	}
	if (!code && group) {
		code = list_group(client, group, strcmp(command->id, "hospital-restore") == 0, numbers);
	}
	if (!code) {
		code = run_numbers(client, options, command, arguments->values, numbers);
	}
	json_decref(numbers);
	return code;
}

/* --- Edit --------------------------------------------------------------------------- */

static int run_editor(const char *path)
{
	const char *editor = getenv("VISUAL") ? getenv("VISUAL") : getenv("EDITOR");
	pid_t child = fork();
	if (child == 0) {
		/*
		 * The words of $EDITOR are the shell's to split; the path is an argument,
		 * never part of them.
		 */
		char command[512];
		snprintf(command, sizeof(command), "%s \"$1\"", editor ? editor : "vi");
		execl("/bin/sh", "sh", "-c", command, "sh", path, (char *)NULL);
		_exit(127);
	}
	int status = 0;
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "xylemctl: the editor failed: nothing was changed\n");
		return CTL_REFUSED;
	}
	return CTL_OK;
}

static int edit_bytes(struct xylem_buffer *data)
{
	const char *base = getenv("TMPDIR");
	char path[512];
	snprintf(path, sizeof(path), "%.480s/xylem-case-XXXXXX", base ? base : "/tmp");
	int file = mkostemp(path, O_CLOEXEC);
	if (file < 0 || write(file, data->bytes ? data->bytes : "", data->n) != (ssize_t)data->n) {
		fprintf(stderr, "xylemctl: cannot write %s\n", path);
		return CTL_REFUSED;
	}
	close(file);
	XYLEM_BUFFER_SCOPED edited = { 0 };
	int code = run_editor(path);
	if (!code && !arguments_file(path, &edited)) {
		code = CTL_REFUSED;
	}
	unlink(path);
	if (!code && xylem_span_equal(xylem_buffer_borrow(&edited), xylem_buffer_borrow(data))) {
		fprintf(stderr, "xylemctl: nothing was changed\n");
		code = CTL_REFUSED;
	}
	if (!code) {
		xylem_buffer_clear(data);
		xylem_buffer_span(data, xylem_buffer_borrow(&edited));
	}
	return code;
}

/* What was edited before is edited on; the first time it is the data as it failed. */
static int edit_by_hand(struct client *client, const char *number, struct xylem_buffer *data)
{
	char target[128];
	json_t *view = NULL;
	struct client_answer answer = { 0 };
	int code = read_case(client, number, &view);
	snprintf(target, sizeof(target), CASE_PATH "%.40s/data?which=%s", number,
		json_integer_value(json_object_get(view, "draft")) ? "draft" : "failing");
	json_decref(view);
	if (!code) {
		code = client_ask(client, "GET", target, NULL, XYLEM_SPAN_NONE, &answer);
	}
	if (!code) {
		xylem_buffer_span(data, xylem_buffer_borrow(&answer.body));
		code = edit_bytes(data);
	}
	xylem_buffer_finish(&answer.body);
	return code;
}

static bool has_data(const json_t *values)
{
	return json_object_get(values, "data") || json_object_get(values, "data_text") ||
	       json_object_get(values, "data_base64");
}

int ctl_edit(struct client *client, const struct ctl_options *options, const struct command *command,
	struct arguments *arguments)
{
	if (arguments->word_count < 1 || arguments->word_count > 2) {
		fprintf(stderr, "usage: xylemctl hospital edit N [FILE|-]   (without FILE: $EDITOR)\n");
		return CTL_USAGE;
	}
	XYLEM_BUFFER_SCOPED data = { 0 };
	const char *number = arguments->words[0];
	int code = set_version(
		client, arguments->values, number); /* before the data is read: an edit names it */
	if (!code && arguments->word_count == 2) {
		code = arguments_file(arguments->words[1], &data) ? CTL_OK : CTL_USAGE;
		if (code) {
			fprintf(stderr, "xylemctl: cannot read %s\n", arguments->words[1]);
		}
	} else if (!code && !has_data(arguments->values)) {
		code = edit_by_hand(client, number, &data);
	}
	if (!code && !has_data(arguments->values)) {
		arguments_set_data(arguments->values, xylem_buffer_borrow(&data));
	}
	json_t *answer = NULL;
	if (!code) {
		code = change(client, command, arguments->values, number, &answer);
	}
	if (!code && options->json) {
		json_dumpf(answer, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (!code) {
		printf("case %s: draft kept; `xylemctl hospital replay %s` sends it\n", number, number);
	}
	json_decref(answer);
	return code;
}
