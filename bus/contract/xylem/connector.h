/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYLEM_CONNECTOR_H
#define XYLEM_CONNECTOR_H

#include <xylem/error.h>
#include <xylem/message.h>
#include <xylem/option.h>

/*
 * The connector contract. A connector is one descriptor: its options, and what
 * it does as a source, as a sink, or as both. It is compiled in, or it is a
 * module `NAME.so` in the plugin folder that exports one symbol:
 *
 *     XYLEM_PUBLIC const struct xylem_connector xylem_connector_NAME;
 *
 * The life of an instance (a named connector of the configuration):
 *
 *     open ── probe* ── source_start ── source_hold* ── source_stop ── close
 *                   └── sink_open ── deliver* ── sink_close   (one a lane worker)
 *
 * Calls on one instance never overlap, except where a callback says so.
 */
#define XYLEM_CONTRACT_VERSION 1

struct xylem_host;   /* the bus, as this instance may see it */
struct xylem_source; /* where a source hands in */

/*
 * Why a delivery failed, and what follows (docs/delivery.md):
 *   DOWN           circuit opens, probes; no attempt counted, nothing admitted
 *   MISCONFIGURED  circuit opens with an alarm, probes; nothing admitted
 *   BUSY           attempts with backoff and jitter, then a hospital case
 *   WRONG          a hospital case at once
 */
enum xylem_failure {
	XYLEM_DELIVERED = 0,
	XYLEM_FAILURE_DOWN,
	XYLEM_FAILURE_MISCONFIGURED,
	XYLEM_FAILURE_BUSY,
	XYLEM_FAILURE_WRONG,
	/* Not tried, because an earlier one of this call failed (ORDERED sinks), or left for the next call. Nothing is counted. */
	XYLEM_NOT_TRIED,
	/* Not sent, on purpose: an option of the connector says that such a message is not wanted. Settled as `discarded`, or sent on by the lane's `otherwise`. */
	XYLEM_DISCARDED,
};

/* What became of one message of a deliver() call. Zeroed by the caller: delivered is 0. */
struct xylem_result {
	enum xylem_failure failure;
	/* Stable, short, for grouping: "http-422", "23503", "kafka-10", "xmpp-forbidden". Static or copied by xylem_result_fail. */
	char code[32];
	/* For a person; what the other side said. */
	struct xylem_reason reason;
	/* What the other side asked for, in microseconds; 0: nothing. */
	int64_t retry_after_us;
	/* Of a delivered one: where the other side keeps it, for the trace (another bus's handle); offset 0: it did not say. */
	struct xylem_position handle;
};

XYLEM_PUBLIC void xylem_result_fail(struct xylem_result *result, enum xylem_failure failure, const char *code,
	const char *format, ...) XYLEM_PRINTF(4, 5);

/* The one table over HTTP status, SQLSTATE, Kafka error, XMPP condition and curl code. */
XYLEM_PUBLIC enum xylem_failure xylem_failure_of_http(long status);
XYLEM_PUBLIC enum xylem_failure xylem_failure_of_sqlstate(const char *sqlstate);
XYLEM_PUBLIC enum xylem_failure xylem_failure_of_xmpp(const char *type, const char *condition);
XYLEM_PUBLIC const char *xylem_failure_name(enum xylem_failure failure); /* "down", "misconfigured", ... */

enum xylem_connector_flag {
	XYLEM_CONNECTOR_SOURCE = 1 << 0,
	XYLEM_CONNECTOR_SINK = 1 << 1,
	/* deliver() applies in sequence and stops at the first failure; it may be given several messages of one key. */
	XYLEM_SINK_ORDERED = 1 << 2,
	/* deliver() applies all messages or none; on WRONG the core bisects to find the one at fault. */
	XYLEM_SINK_ALL_OR_NOTHING = 1 << 3,
	/* deliver() may set XYLEM_DISCARDED: `otherwise` of a lane is allowed. */
	XYLEM_SINK_DISCARDS = 1 << 4,
};

/* How many messages a sink likes to be given; a lane's own `batch` option overrides the count. */
struct xylem_batch_limits {
	size_t count;
	size_t bytes;
};

struct xylem_connector {
	uint32_t contract_version; /* XYLEM_CONTRACT_VERSION */
	unsigned flags;
	const char *name;    /* [a-z0-9_]+, the key in the configuration and the name of the file */
	const char *summary; /* one sentence */
	const struct xylem_option *options; /* ends with XYLEM_OPTIONS_END; never NULL */
	size_t options_size;                /* of the struct that the table fills */
	struct xylem_batch_limits batch;    /* sinks: defaults; {0}: 1 message */

	/*
	 * Checks what the table cannot say (two options that exclude each other). Optional.
	 * Called at load, before open; no I/O.
	 */
	int (*check)(const void *options, struct xylem_reason *reason);

	/*
	 * Makes an instance. Required. No network and no waiting: a dead peer must
	 * not hold up the start. `host` and `options` stay valid until close().
	 */
	int (*open)(struct xylem_host *host, const void *options, void **ret_instance,
		struct xylem_reason *reason);
	void (*close)(void *instance); /* required; takes NULL and half-built ones */

	/*
	 * Is the other side there and willing? Optional (then a delivery is the
	 * probe). At most `timeout_us`. 0, or what a delivery would have failed with
	 * in *result. Any thread; may overlap with deliver().
	 */
	int (*probe)(void *instance, int64_t timeout_us, struct xylem_result *result);

	/*
	 * Source side (flag SOURCE). start() returns at once; messages are handed in
	 * by xylem_source_submit() from threads of the source's own. stop() returns
	 * when no further submit comes; submissions under way are completed by the
	 * core before close(). hold(true) asks to take no more in (a full lane, a
	 * full disk) until hold(false); submits meanwhile get -XYLEM_E_BUSY. hold is
	 * optional and may be called from any thread.
	 */
	int (*source_start)(void *instance, struct xylem_source *source, struct xylem_reason *reason);
	void (*source_hold)(void *instance, bool hold);
	void (*source_stop)(void *instance);

	/*
	 * Sink side (flag SINK). One worker state for each lane worker thread.
	 * deliver() is called by that thread only. It sets one result a message
	 * (zeroed before: delivered). "Delivered" means that the other side
	 * acknowledged, never "written to the socket". It returns within the lane's
	 * deadline (`timeout_us` of sink_open) or when interrupt() was called.
	 * interrupt() comes from another thread, may come at any time, and stays in
	 * force until the next deliver() begins.
	 */
	int (*sink_open)(void *instance, int64_t timeout_us, void **ret_worker, struct xylem_reason *reason);
	void (*deliver)(void *worker, const struct xylem_message *const *messages, size_t n,
		struct xylem_result *results);
	void (*interrupt)(void *worker); /* optional for sinks that never wait longer than 1 s */
	void (*sink_close)(void *worker);
};

/* --- What the bus offers to a connector -------------------------------- */

/* The instance's name in the configuration; valid until close(). */
XYLEM_PUBLIC const char *xylem_host_name(const struct xylem_host *host);
/* A folder of the instance's own below the bus's data (made on first use, 0700); NULL with reason in the log. */
XYLEM_PUBLIC const char *xylem_host_folder(struct xylem_host *host);
/* Reports up or down with a sentence, for health views; repeated reports of the same are cheap. */
XYLEM_PUBLIC void xylem_host_health(struct xylem_host *host, bool up, const char *format, ...)
	XYLEM_PRINTF(3, 4);
/*
 * The other side, or one of those that messages go to, is there again: lanes that wait for it try within a moment,
 * not when their next probe is due. Any thread; a call too many costs one attempt.
 */
XYLEM_PUBLIC void xylem_host_ready(struct xylem_host *host);
/* Counts, under xylem_connector_NAME_total{connector="..."}; `name` is static. */
XYLEM_PUBLIC void xylem_host_count(struct xylem_host *host, const char *name, uint64_t n);

/* What a source is told of one message that is now on disk. */
struct xylem_receipt {
	struct xylem_position position;
};

/*
 * Completion of a submit: `error` 0 and one receipt a message, in the order
 * handed in, after fdatasync returned 0; or a negative error and no receipts
 * (nothing of the batch is in the journal, or nobody can say: the source must
 * not acknowledge). Called once, on the journal's commit thread: it must not
 * block and must not call back into the source's submit.
 */
typedef void (*xylem_submit_done)(void *context, int error, const struct xylem_receipt *receipts, size_t n);

/*
 * Hands in `n` messages, all or none, in this order. The bytes are copied
 * before it returns. 0: `done` will be called. -XYLEM_E_BUSY, -XYLEM_E_FULL,
 * -XYLEM_E_DEAD, -XYLEM_E_STOPPING: held back, `done` will not be called, try
 * later. -XYLEM_E_INVALID, -XYLEM_E_TOO_LARGE: a message is at fault (reason
 * says which), `done` will not be called. Any thread; never blocks long.
 * The core fills `ingress`; it checks the rest (xylem_message_check).
 */
XYLEM_PUBLIC int xylem_source_submit(struct xylem_source *source, const struct xylem_message *messages,
	size_t n, xylem_submit_done done, void *context, struct xylem_reason *reason);

/* As above, and waits for the disk. For sources that have a thread to spare. */
XYLEM_PUBLIC int xylem_source_submit_wait(struct xylem_source *source, const struct xylem_message *messages,
	size_t n, struct xylem_receipt *ret_receipts, struct xylem_reason *reason);

/*
 * What this source has handed in before, and what the journal still keeps of it, from a position on (offset 0: from
 * the beginning), in order: for sources that rebuild at their start what they have to remember, since a message and
 * what it says about itself are on disk in one commit. `each` answers false to end it. Everything that came through
 * the source's name counts, whatever kind of connector had that name then. Reads the whole stretch of the journal:
 * as long as that takes. *ret_end is where the next look back may begin. Not on the journal's thread.
 * -XYLEM_E_IO, -XYLEM_E_MEMORY.
 */
typedef bool (*xylem_source_each)(void *context, const struct xylem_message *message);
XYLEM_PUBLIC int xylem_source_recall(struct xylem_source *source, struct xylem_position from,
	xylem_source_each each, void *context, struct xylem_position *ret_end, struct xylem_reason *reason);

/*
 * Where the journal ends now: what is handed in from here on lies at it or behind. Positions are dense enough to say
 * "about the last N records" by it, and nobody may assume more.
 */
XYLEM_PUBLIC struct xylem_position xylem_source_end(const struct xylem_source *source);

/* True while the bus takes nothing in from this source. */
XYLEM_PUBLIC bool xylem_source_held(const struct xylem_source *source);

/* The largest data a message may have (`bus.max_message`), for refusing early. */
XYLEM_PUBLIC size_t xylem_source_max_message(const struct xylem_source *source);

#endif
