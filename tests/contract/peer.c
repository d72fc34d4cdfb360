/* SPDX-License-Identifier: Apache-2.0 */
/* A peer as a child process: a line to it, a line from it, with a deadline. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/clock.h>

#include "peer.h"

bool peer_start(struct peer *peer, char *const arguments[])
{
	int to[2], from[2];
	memset(peer, 0, sizeof(*peer));
	if (pipe(to) < 0 || pipe(from) < 0) {
		snprintf(peer->line, sizeof(peer->line), "pipe: %s", strerror(errno));
		return false;
	}
	peer->pid = fork();
	if (peer->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		execvp(arguments[0], arguments);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	peer->to = to[1];
	peer->from = from[0];
	return peer->pid > 0;
}

void peer_stop(struct peer *peer)
{
	if (peer->pid > 0) {
		peer_ask(peer, 20, "stop");
		close(peer->to);
		close(peer->from);
		kill(peer->pid, SIGKILL);
		waitpid(peer->pid, NULL, 0);
		peer->pid = 0;
	}
}

/* Moves one line out of `rest` into `line`. */
static bool line_take(struct peer *peer)
{
	char *end = memchr(peer->rest, '\n', peer->n);
	if (!end) {
		return false;
	}
	size_t n = (size_t)(end - peer->rest);
	memcpy(peer->line, peer->rest, n);
	peer->line[n] = '\0';
	peer->n -= n + 1;
	memmove(peer->rest, end + 1, peer->n);
	return true;
}

static bool line_read(struct peer *peer, int64_t end_us)
{
	while (!line_take(peer)) {
		int64_t left = (end_us - clock_mono_us()) / 1000;
		struct pollfd wait = { .fd = peer->from, .events = POLLIN };
		if (left <= 0 || poll(&wait, 1, (int)left) <= 0) {
			snprintf(peer->line, sizeof(peer->line), "the peer did not answer in time");
			return false;
		}
		ssize_t n = read(peer->from, peer->rest + peer->n, sizeof(peer->rest) - 1 - peer->n);
		if (n <= 0) {
			snprintf(peer->line, sizeof(peer->line), "the peer ended");
			return false;
		}
		peer->n += (size_t)n;
	}
	return true;
}

enum peer_answer peer_ask(struct peer *peer, int seconds, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	line[n++] = '\n';
	if (write(peer->to, line, (size_t)n) != n ||
		!line_read(peer, clock_mono_us() + seconds * 1000000LL)) {
		return PEER_FAILED;
	}
	enum peer_answer answer = strncmp(peer->line, "ok", 2) == 0   ? PEER_OK
				  : strncmp(peer->line, "no", 2) == 0 ? PEER_NO
								      : PEER_FAILED;
	size_t word = strcspn(peer->line, " ");
	word += peer->line[word] == ' ';
	memmove(peer->line, peer->line + word, strlen(peer->line + word) + 1);
	return answer;
}
