/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the command line of `xylemd jq`: jq's options, by jq's names. What jq
 * has and this has not is refused by its name, never passed over.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <config/source_file.h>
#include <main/jq_arguments.h>

#define FILE_MOST ((size_t)1024 * 1024 * 1024) /* of -f, --slurpfile, --rawfile and modules */

enum {
	OPTION_ARG = 256,
	OPTION_ARGJSON,
	OPTION_SLURPFILE,
	OPTION_RAWFILE,
	OPTION_ARGS,
	OPTION_JSONARGS,
	OPTION_TAB,
	OPTION_INDENT,
	OPTION_SEQ,
	OPTION_RAW0,
	OPTION_UNBUFFERED,
	OPTION_UNLIMITED,
	OPTION_STEP,
	OPTION_STREAM,
};

static const struct option options[] = {
	{ "arg", required_argument, NULL, OPTION_ARG },
	{ "argjson", required_argument, NULL, OPTION_ARGJSON },
	{ "args", no_argument, NULL, OPTION_ARGS },
	{ "ascii-output", no_argument, NULL, 'a' },
	{ "binary", no_argument, NULL, 'b' },
	{ "color-output", no_argument, NULL, 'C' },
	{ "compact-output", no_argument, NULL, 'c' },
	{ "exit-status", no_argument, NULL, 'e' },
	{ "from-file", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "indent", required_argument, NULL, OPTION_INDENT },
	{ "join-output", no_argument, NULL, 'j' },
	{ "jsonargs", no_argument, NULL, OPTION_JSONARGS },
	{ "library-path", required_argument, NULL, 'L' },
	{ "monochrome-output", no_argument, NULL, 'M' },
	{ "null-input", no_argument, NULL, 'n' },
	{ "raw-input", no_argument, NULL, 'R' },
	{ "raw-output", no_argument, NULL, 'r' },
	{ "raw-output0", no_argument, NULL, OPTION_RAW0 },
	{ "rawfile", required_argument, NULL, OPTION_RAWFILE },
	{ "seq", no_argument, NULL, OPTION_SEQ },
	{ "slurp", no_argument, NULL, 's' },
	{ "slurpfile", required_argument, NULL, OPTION_SLURPFILE },
	{ "sort-keys", no_argument, NULL, 'S' },
	{ "step", no_argument, NULL, OPTION_STEP },
	{ "stream", no_argument, NULL, OPTION_STREAM },
	{ "tab", no_argument, NULL, OPTION_TAB },
	{ "unbuffered", no_argument, NULL, OPTION_UNBUFFERED },
	{ "unlimited", no_argument, NULL, OPTION_UNLIMITED },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"usage: xylemd jq [OPTION ...] PROGRAM [FILE ...]\n"
	"The program runs once for each JSON text in the files, or in standard input (also `-`).\n"
	"  -n  no input, the program takes it by `input`   -s  all inputs as one list\n"
	"  -R  lines as strings, not JSON                  -f  PROGRAM is the name of a file\n"
	"  --stream  events [PATH, LEAF], [PATH] instead of whole texts, for what is larger than memory\n"
	"  -r  strings without quotes                      -j  the same, without newlines\n"
	"  -c  one line each     --tab, --indent N         -S  members sorted     -a  ASCII only\n"
	"  -C  colours, also to a file or pipe; -M  none (JQ_COLORS, NO_COLOR: as in jq)\n"
	"  -e  exit code by the last result: 1 for null and false, 4 for none\n"
	"  --arg NAME TEXT  --argjson NAME JSON  --slurpfile NAME FILE  --rawfile NAME FILE\n"
	"  --args, --jsonargs     what follows is $ARGS.positional\n"
	"  --seq, --raw-output0, --unbuffered     how results are separated and sent\n"
	"  -L FOLDER  where modules are\n"
	"  --step       limits and refusals of the step `jq` of a route\n"
	"  --unlimited  no end to one run; else 10^9 steps and 2 GiB of values\n";

/* What is being read; lists grow while the line is read. */
struct line {
	struct jq_arguments *arguments;
	int argc;
	char **argv;
	struct xylem_buffer named, positional; /* JSON, of $ARGS */
	enum { POSITIONAL_FILES, POSITIONAL_TEXT, POSITIONAL_JSON } positionals;
	bool from_file, raw, stream, colored, plain;
	int code;
};

static int XYLEM_PRINTF(2, 3) refuse(struct line *line, const char *format, ...)
{
	va_list arguments;
	fputs("xylemd jq: error: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\nUse xylemd jq --help for help with the command line.\n", stderr);
	line->code = 2;
	return 2;
}

/* --- Variables -------------------------------------------------------------------- */

/* The first of a name counts, as in jq. */
static void variable_add(struct line *line, const char *name, struct xylem_span json)
{
	struct jq_arguments *arguments = line->arguments;
	for (size_t i = 0; i < arguments->variable_count; i++) {
		if (strcmp(arguments->variables[i].name, name) == 0) {
			return;
		}
	}
	struct jq_argument *variables = realloc(
		arguments->variables, (arguments->variable_count + 1) * sizeof(*variables));
	if (!variables || !xylem_span_present(json)) {
		refuse(line, "out of memory");
		return;
	}
	arguments->variables = variables;
	variables[arguments->variable_count++] = (struct jq_argument){ name, json };
	if (strcmp(name, "ARGS") != 0) {
		xylem_json_write_name(&line->named, name);
		xylem_buffer_span(&line->named, json);
	}
}

static struct xylem_span string_json(struct line *line, struct xylem_span text)
{
	XYLEM_BUFFER_SCOPED json = { 0 };
	xylem_json_write_string(&json, text);
	return xylem_arena_copy(line->arguments->arena, xylem_buffer_borrow(&json));
}

static struct xylem_span file_read(struct line *line, const char *path)
{
	struct xylem_reason reason;
	struct xylem_span bytes;
	if (source_file_take(path, FILE_MOST, line->arguments->arena, &bytes, &reason) < 0) {
		refuse(line, "%s %s", path, reason.text);
		return XYLEM_SPAN_NONE;
	}
	return bytes;
}

/* The JSON texts of a file as a list. */
static struct xylem_span slurp(struct line *line, const char *path)
{
	struct xylem_reason reason = { "" };
	struct xylem_span json;
	char *paths[] = { (char *)(uintptr_t)path };
	struct jq_input *input = jq_input_new(JQ_INPUT_SLURP, paths, 1);
	int error = input ? jq_input_next(input, &json, &reason) : -XYLEM_E_MEMORY;
	struct xylem_span copy = XYLEM_SPAN_NONE;
	if (input && jq_input_missing(input)) {
		line->code = 2; /* it was said */
	} else if (error) {
		refuse(line, "--slurpfile %s: %s", path, reason.text);
	} else {
		copy = xylem_arena_copy(line->arguments->arena, json);
	}
	jq_input_free(input);
	return copy;
}

static void named_take(struct line *line, int option)
{
	const char *name = optarg, *value;
	struct xylem_reason reason;
	if (optind >= line->argc) {
		refuse(line, "an option takes two parameters (e.g. --arg varname value)");
		return;
	}
	value = line->argv[optind++];
	struct xylem_span json = XYLEM_SPAN_NONE;
	if (option == OPTION_ARG) {
		json = string_json(line, xylem_span_of(value));
	} else if (option == OPTION_ARGJSON) {
		json = xylem_json_trim(xylem_span_of(value));
		if (xylem_json_check(json, NULL, &reason) < 0) {
			refuse(line, "invalid JSON text passed to --argjson: %s", reason.text);
		}
	} else if (option == OPTION_SLURPFILE) {
		json = slurp(line, value);
	} else {
		struct xylem_span bytes = file_read(line, value);
		json = line->code ? bytes : string_json(line, bytes);
	}
	if (!line->code) {
		variable_add(line, name, json);
	}
}

/* --- What is no option --------------------------------------------------------------- */

static void positional_take(struct line *line, char *text)
{
	struct jq_arguments *arguments = line->arguments;
	struct xylem_reason reason;
	if (!arguments->program) {
		arguments->program = text;
	} else if (line->positionals == POSITIONAL_FILES) {
		arguments->files[arguments->file_count++] = text;
	} else if (line->positionals == POSITIONAL_TEXT) {
		xylem_json_write_comma(&line->positional);
		xylem_json_write_string(&line->positional, xylem_span_of(text));
	} else if (xylem_json_check(xylem_span_of(text), NULL, &reason) < 0) {
		refuse(line, "invalid JSON text passed to --jsonargs: %s", reason.text);
	} else {
		xylem_json_write_comma(&line->positional);
		xylem_buffer_text(&line->positional, text);
	}
}

static bool form_take(struct line *line, int option)
{
	struct jq_arguments *arguments = line->arguments;
	switch (option) {
	case 'a':
		arguments->form.ascii = true;
		return true;
	case 'c':
		arguments->form.indent = 0;
		arguments->form.tab = false;
		return true;
	case 'S':
		arguments->form.sorted = true;
		return true;
	case 'j':
		arguments->joined = true;
		arguments->raw_output = true;
		return true;
	case 'r':
		arguments->raw_output = true;
		return true;
	case OPTION_RAW0:
		arguments->raw_output = true;
		arguments->zero = true;
		return true;
	case OPTION_TAB:
		arguments->form.indent = 1;
		arguments->form.tab = true;
		return true;
	case OPTION_INDENT: {
		char *end;
		long indent = strtol(optarg, &end, 10);
		if (*end || end == optarg || indent < 0 || indent > 7) {
			refuse(line, "--indent takes a number from 0 to 7");
			return true;
		}
		arguments->form.indent = (uint8_t)indent;
		arguments->form.tab = false;
		return true;
	}
	default:
		return false;
	}
}

static void folder_take(struct line *line, const char *folder)
{
	struct jq_arguments *arguments = line->arguments;
	const char **folders = realloc(arguments->folders, (arguments->folder_count + 1) * sizeof(*folders));
	if (!folders) {
		refuse(line, "out of memory");
		return;
	}
	arguments->folders = folders;
	folders[arguments->folder_count++] = folder;
}

static void option_take(struct line *line, int option)
{
	struct jq_arguments *arguments = line->arguments;
	if (form_take(line, option)) {
		return;
	}
	switch (option) {
	case 1:
		positional_take(line, optarg);
		break;
	case OPTION_ARG:
	case OPTION_ARGJSON:
	case OPTION_SLURPFILE:
	case OPTION_RAWFILE:
		named_take(line, option);
		break;
	case OPTION_ARGS:
		line->positionals = POSITIONAL_TEXT;
		break;
	case OPTION_JSONARGS:
		line->positionals = POSITIONAL_JSON;
		break;
	case OPTION_SEQ:
		arguments->sequence = true;
		break;
	case OPTION_UNLIMITED:
		arguments->unlimited = true;
		break;
	case OPTION_UNBUFFERED:
		arguments->unbuffered = true;
		break;
	case OPTION_STREAM:
		line->stream = true;
		break;
	case OPTION_STEP:
		arguments->step = true;
		break;
	case 'e':
		arguments->exit_status = true;
		break;
	case 'f':
		line->from_file = true;
		break;
	case 'L':
		folder_take(line, optarg);
		break;
	case 'C':
		line->colored = true;
		break;
	case 'M':
		line->plain = true;
		break;
	case 'b':
		break; /* there are no other newlines */
	case 'V':
		puts("jq-1.7.1 (the language, by xylemd)");
		line->code = -1;
		break;
	case 'n':
		arguments->null_input = true;
		break;
	case 'R':
		line->raw = true;
		break;
	case 's':
		arguments->kind = JQ_INPUT_SLURP;
		break;
	case 'h':
		fputs(help, stdout);
		line->code = -1;
		break;
	default:
		line->code = 2; /* getopt_long() has said it */
	}
}

/* --- The whole line --------------------------------------------------------------------- */

static void program_settle(struct line *line)
{
	struct jq_arguments *arguments = line->arguments;
	if (!arguments->program && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))) {
		arguments->program = ".";
	}
	if (!arguments->program) {
		fputs(help, stderr);
		line->code = 2;
		return;
	}
	if (line->raw) {
		arguments->kind = arguments->kind == JQ_INPUT_SLURP ? JQ_INPUT_WHOLE : JQ_INPUT_LINES;
	} else if (line->stream) {
		arguments->kind = arguments->kind == JQ_INPUT_SLURP ? JQ_INPUT_STREAM_SLURP : JQ_INPUT_STREAM;
	}
	if (line->from_file) {
		arguments->program_file = arguments->program;
		struct xylem_span text = file_read(line, arguments->program_file);
		arguments->program = text.at; /* terminated */
	}
}

/* For one input at a terminal: room for large files, and an end for a program that has none. */
static const struct jq_limits limits_usual = {
	.steps = 1000000000,
	.memory = (size_t)2 << 30,
	.depth = 1000000,
	.output = (size_t)1 << 40,
	.time_us = INT64_MAX / 4,
};

static const struct jq_limits limits_none = {
	.steps = UINT64_MAX / 2,
	.memory = (size_t)1 << 40,
	.depth = 1000000,
	.output = (size_t)1 << 40,
	.time_us = INT64_MAX / 4,
};

/* At a terminal, unless NO_COLOR or -M forbids it. */
static void colors_settle(struct line *line)
{
	struct jq_arguments *arguments = line->arguments;
	const char *no_color = getenv("NO_COLOR");
	bool usual = isatty(STDOUT_FILENO) && !(no_color && *no_color);
	arguments->colored = (usual || line->colored) && !line->plain;
	if (!jq_colors_init(&arguments->colors, getenv("JQ_COLORS"))) {
		fputs("xylemd jq: $JQ_COLORS is not understood\n", stderr);
	}
}

/* $ARGS, and the limits. */
static void rest_settle(struct line *line)
{
	struct jq_arguments *arguments = line->arguments;
	char *args = xylem_arena_format(arguments->arena, "{\"positional\":[%.*s],\"named\":{%.*s}}",
		(int)line->positional.n, line->positional.n ? line->positional.bytes : "", (int)line->named.n,
		line->named.n ? line->named.bytes : "");
	variable_add(line, "ARGS", xylem_span_of(args));
	if (!arguments->step) {
		arguments->limits = arguments->unlimited ? limits_none : limits_usual;
	}
}

/* `-.a` and `-1` are programs, `-` is standard input: an option begins with a letter. */
static bool is_option(const char *text)
{
	return text[0] == '-' && (text[1] == '-' || isalpha((unsigned char)text[1]));
}

/* The next option; 1 with `optarg` for what is none, -1 behind `--` or at the end. */
static int option_next(const struct line *line)
{
	if (optind < line->argc && !is_option(line->argv[optind])) {
		optarg = line->argv[optind++];
		return 1;
	}
	return getopt_long(line->argc, line->argv, "-abCcefhjL:MnRrsSV", options, NULL);
}

int jq_arguments_init(struct jq_arguments *arguments, int argc, char **argv)
{
	*arguments = (struct jq_arguments){ .form = { .indent = 2 } };
	struct line line = { .arguments = arguments, .argc = argc, .argv = argv };
	arguments->arena = xylem_arena_new(0);
	arguments->files = calloc((size_t)argc + 1, sizeof(*arguments->files));
	if (!arguments->arena || !arguments->files) {
		return refuse(&line, "out of memory");
	}
	int option;
	optind = 1;
	while (!line.code && (option = option_next(&line)) != -1) {
		option_take(&line, option);
	}
	for (; !line.code && optind < argc; optind++) {
		positional_take(&line, argv[optind]); /* behind `--` */
	}
	if (!line.code) {
		program_settle(&line);
	}
	if (!line.code) {
		rest_settle(&line);
		colors_settle(&line);
	}
	xylem_buffer_finish(&line.named);
	xylem_buffer_finish(&line.positional);
	return line.code;
}

void jq_arguments_finish(struct jq_arguments *arguments)
{
	xylem_arena_free(arguments->arena);
	free(arguments->files);
	free(arguments->variables);
	free(arguments->folders);
}
