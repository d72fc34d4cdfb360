/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a destination is gone, asking it once in a while is enough, and no
 * message is to blame. The circuit opens on what concerns the destination as a
 * whole, and on `busy` for several different messages in a row; any answer
 * about a single message closes it. Waits double up to `backoff_max`.
 */
#include <stdlib.h>
#include <sys/random.h>

#include <route/circuit.h>

/* As many different messages in a row that met `busy`, and nothing else between, mean `down`. */
#define BUSY_MEANS_DOWN 8

bool circuit_admits(const struct circuit *circuit, int64_t mono_us)
{
	return !circuit->open || (!circuit->probing && mono_us >= circuit->next_us);
}

int64_t circuit_next(const struct circuit *circuit)
{
	return circuit->open && !circuit->probing ? circuit->next_us : INT64_MAX;
}

int64_t circuit_jitter(int64_t wait_us)
{
	uint32_t random = 0;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random)) {
		return wait_us;
	}
	int64_t fifth = wait_us / 5;
	return fifth > 0 ? wait_us - fifth + (int64_t)(random % (uint64_t)(2 * fifth + 1)) : wait_us;
}

int64_t circuit_backoff(const struct lane_options *options, uint32_t attempts)
{
	int64_t wait = options->backoff_us;
	for (uint32_t i = 1; i < attempts && wait < options->backoff_max_us; i++) {
		wait *= 2;
	}
	return circuit_jitter(wait < options->backoff_max_us ? wait : options->backoff_max_us);
}

bool circuit_answered(struct circuit *circuit)
{
	bool closed = circuit->open;
	*circuit = (struct circuit){ 0 };
	return closed;
}

static bool open_or_wait_longer(struct circuit *circuit, const struct lane_options *options,
	const struct xylem_result *result, enum xylem_failure failure, int64_t mono_us)
{
	bool opened = !circuit->open;
	if (opened) {
		circuit->open = true;
		circuit->opened_us = mono_us;
		circuit->wait_us = options->probe_us;
	} else if (circuit->probing || mono_us >= circuit->next_us) {
		circuit->wait_us = circuit->wait_us == 0                            ? options->probe_us
				   : circuit->wait_us * 2 < options->backoff_max_us ? circuit->wait_us * 2
										    : options->backoff_max_us;
	}
	circuit->failure = failure;
	circuit->last = *result;
	circuit->probing = false;
	int64_t wait = circuit_jitter(circuit->wait_us);
	circuit->next_us = mono_us + (result->retry_after_us > wait ? result->retry_after_us : wait);
	return opened;
}

bool circuit_failed(struct circuit *circuit, const struct lane_options *options,
	const struct xylem_result *result, int64_t mono_us)
{
	return open_or_wait_longer(circuit, options, result, result->failure, mono_us);
}

static bool busy_known(const struct circuit *circuit, uint64_t offset)
{
	for (unsigned i = 0; i < circuit->busy_count; i++) {
		if (circuit->busy_offsets[i] == offset) {
			return true;
		}
	}
	return false;
}

bool circuit_busy(struct circuit *circuit, const struct lane_options *options,
	const struct xylem_result *result, uint64_t offset, int64_t mono_us)
{
	if (!circuit->open && !busy_known(circuit, offset)) {
		circuit->busy_offsets[circuit->busy_count++] = offset;
	}
	if (!circuit->open && circuit->busy_count < BUSY_MEANS_DOWN) {
		return false;
	}
	return open_or_wait_longer(circuit, options, result, XYLEM_FAILURE_DOWN, mono_us);
}

void circuit_hurry(struct circuit *circuit, int64_t mono_us)
{
	if (circuit->open) {
		circuit->next_us = mono_us;
		circuit->wait_us = 0;
	}
}
