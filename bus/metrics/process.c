/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_*: what every Prometheus client library tells of its process, read
 * from /proc at each scrape. What cannot be read is left out rather than 0.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <metrics/families.h>

static void write_value(
	struct xylem_buffer *out, const char *name, enum metric_type type, const char *help, double value)
{
	exposition_head(out, name, type, help);
	xylem_buffer_format(out, "%s ", name);
	exposition_number(out, value);
	xylem_buffer_byte(out, '\n');
}

/* The first bytes of a file, terminated. */
static bool read_text(const char *path, char *text, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0) {
		return false;
	}
	ssize_t n = read(file, text, size - 1);
	close(file);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void write_memory(struct xylem_buffer *out)
{
	char text[128];
	unsigned long long size, resident;
	if (!read_text("/proc/self/statm", text, sizeof(text)) ||
		sscanf(text, "%llu %llu", &size, &resident) != 2) {
		return;
	}
	double page = (double)sysconf(_SC_PAGESIZE);
	write_value(out, "process_virtual_memory_bytes", METRIC_GAUGE, "Virtual memory size.",
		(double)size * page);
	write_value(out, "process_resident_memory_bytes", METRIC_GAUGE, "Resident memory size.",
		(double)resident * page);
}

static void write_descriptors(struct xylem_buffer *out)
{
	DIR *folder = opendir("/proc/self/fd");
	if (folder) {
		int n = -1; /* the folder's own */
		for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
			n += entry->d_name[0] != '.';
		}
		closedir(folder);
		write_value(out, "process_open_fds", METRIC_GAUGE, "Open file descriptors.", n);
	}
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		write_value(out, "process_max_fds", METRIC_GAUGE, "Most file descriptors that may be open.",
			(double)limit.rlim_cur);
	}
}

static void write_cpu(struct xylem_buffer *out)
{
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		double user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
		double system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
		write_value(out, "process_cpu_seconds_total", METRIC_COUNTER, "User and system time spent.",
			user + system);
	}
}

/* Field `n` (from 1) of /proc/self/stat; those up to 2 hold the name, which may have spaces and brackets. */
static bool stat_field(const char *text, int n, unsigned long long *ret_value)
{
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < n; field++) {
		at = strchr(at + 1, ' ');
	}
	return at && sscanf(at, "%llu", ret_value) == 1;
}

/* Seconds since the epoch at which the machine started. */
static bool boot_time(unsigned long long *ret_value)
{
	char text[16384];
	if (!read_text("/proc/stat", text, sizeof(text))) {
		return false;
	}
	const char *at = strstr(text, "\nbtime ");
	return at && sscanf(at, "\nbtime %llu", ret_value) == 1;
}

static void write_times(struct xylem_buffer *out)
{
	char text[1024];
	unsigned long long count, start, boot;
	if (!read_text("/proc/self/stat", text, sizeof(text))) {
		return;
	}
	if (stat_field(text, 20, &count)) {
		write_value(out, "process_threads", METRIC_GAUGE, "Threads of the process.", (double)count);
	}
	if (stat_field(text, 22, &start) && boot_time(&boot)) {
		write_value(out, "process_start_time_seconds", METRIC_GAUGE, "When the process started.",
			(double)boot + (double)start / (double)sysconf(_SC_CLK_TCK));
	}
}

void process_write(struct xylem_buffer *out)
{
	write_memory(out);
	write_descriptors(out);
	write_cpu(out);
	write_times(out);
}
