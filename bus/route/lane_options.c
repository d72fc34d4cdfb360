/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a lane: what `deliver:` of a route and the mapping of one
 * destination may say.
 */
#include <stddef.h>

#include <route/lane_options.h>

#define AT(member) offsetof(struct lane_options, member)

static const char *const orders[] = { "key", "strict", "none", NULL };
static const char *const on_cases[] = { "continue", "hold_key", "stop", NULL };
static const char *const overflows[] = { "hold", "hospital", "drop", NULL };

const struct xylem_option lane_options_table[] = {
	{ .name = "order", .type = XYLEM_OPTION_ENUM, .offset = AT(order), .default_value = "key", .choices = orders,
		.since = "0.1",
		.summary = "Which messages keep their order: those of one key, all, or none." },
	{ .name = "parallel", .type = XYLEM_OPTION_INTEGER, .offset = AT(parallel), .default_value = "1",
		.minimum = 1, .maximum = 64, .since = "0.1",
		.summary = "How many deliveries run at the same time; the order per key is kept." },
	{ .name = "window", .type = XYLEM_OPTION_INTEGER, .offset = AT(window), .default_value = "4096",
		.minimum = 1, .maximum = 65536, .since = "0.1",
		.summary = "How many messages may be taken up and not settled yet; bounds what is sent again after a crash." },
	{ .name = "batch.count", .type = XYLEM_OPTION_INTEGER, .offset = AT(batch_count), .default_value = "0",
		.minimum = 0, .maximum = 10000, .since = "0.1",
		.summary = "Most messages in one delivery; 0 takes what the connector likes." },
	{ .name = "batch.bytes", .type = XYLEM_OPTION_SIZE, .offset = AT(batch_bytes), .default_value = "1MiB",
		.minimum = 1024, .maximum = 67108864, .since = "0.1",
		.summary = "Most bytes of data in one delivery; one message may always go." },
	{ .name = "batch.wait", .type = XYLEM_OPTION_DURATION, .offset = AT(batch_wait_us), .default_value = "0ms",
		.minimum = 0, .maximum = 60000000, .since = "0.1",
		.summary = "How long to wait for a batch to fill; 0 sends what is there." },
	{ .name = "timeout", .type = XYLEM_OPTION_DURATION, .offset = AT(timeout_us), .default_value = "20s",
		.minimum = 100000, .maximum = 600000000, .since = "0.1",
		.summary = "How long one delivery may take." },
	{ .name = "attempts", .type = XYLEM_OPTION_INTEGER, .offset = AT(attempts), .default_value = "8",
		.minimum = 1, .maximum = 1000, .since = "0.1",
		.summary = "How often a message is tried while the destination answers `busy`, before it becomes a case." },
	{ .name = "backoff", .type = XYLEM_OPTION_DURATION, .offset = AT(backoff_us), .default_value = "500ms",
		.minimum = 1000, .maximum = 3600000000, .since = "0.1",
		.summary = "The wait before the second attempt; it doubles each time, with jitter." },
	{ .name = "backoff_max", .type = XYLEM_OPTION_DURATION, .offset = AT(backoff_max_us), .default_value = "60s",
		.minimum = 1000, .maximum = 86400000000, .since = "0.1",
		.summary = "The longest wait between attempts, and between probes of a destination that is down." },
	{ .name = "probe", .type = XYLEM_OPTION_DURATION, .offset = AT(probe_us), .default_value = "1s",
		.minimum = 10000, .maximum = 3600000000, .since = "0.1",
		.summary = "The first wait between probes of a destination that is down; it doubles up to `backoff_max`." },
	{ .name = "expire", .type = XYLEM_OPTION_DURATION, .offset = AT(expire_us), .default_value = "0s",
		.since = "0.1",
		.summary = "Messages older than this are settled as `expired` instead of delivered; 0 keeps them." },
	{ .name = "on_case", .type = XYLEM_OPTION_ENUM, .offset = AT(on_case), .default_value = "continue",
		.choices = on_cases, .since = "0.1",
		.summary = "What follows when a message becomes a case: go on, hold later ones of its key, or stop the lane." },
	{ .name = "overflow", .type = XYLEM_OPTION_ENUM, .offset = AT(overflow), .default_value = "hold",
		.choices = overflows, .since = "0.1",
		.summary = "What follows when the backlog is full: hold the sources back, or move the oldest to the hospital, or drop them." },
	{ .name = "max_backlog", .type = XYLEM_OPTION_SIZE, .offset = AT(max_backlog), .default_value = "0",
		.since = "0.1",
		.summary = "Bytes of journal that this lane may keep waiting; 0: only the limit of the whole journal counts.",
		.example = "10GiB" },
	{ .name = "otherwise", .type = XYLEM_OPTION_STRING, .offset = AT(otherwise), .since = "0.2",
		.summary = "Where a message goes that the destination turns away: a connector, or `topic:NAME`.",
		.example = "mail" },
	{ .name = "start", .type = XYLEM_OPTION_STRING, .offset = AT(start), .default_value = "end", .since = "0.1",
		.summary = "Where a new lane begins: `end`, `earliest`, or an RFC 3339 time.",
		.example = "2026-01-01T00:00:00Z" },
	XYLEM_OPTIONS_END,
};
