/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin token: how a fresh bus lets its owner in without a default
 * password. Whoever may read the data folder owns the bus anyway; everybody
 * else needs a user of the configuration.
 *
 * The rule not to break: the token itself goes into its file and nowhere else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <console/token.h>
#include <xylem/log.h>

/* Secret scanners can find tokens by this. */
#define PREFIX "xylem_"
#define RANDOM_BYTES 32
#define TOKEN_SIZE (sizeof(PREFIX) + 2 * RANDOM_BYTES)
#define TOKEN_MIN 32

static int fail(struct xylem_reason *reason, const char *verb, const char *path)
{
	xylem_reason_set(reason, "cannot %s %s: %s", verb, path, strerror(errno));
	return -XYLEM_E_IO;
}

static bool write_all(int file, struct xylem_span text)
{
	while (text.n) {
		ssize_t n = write(file, text.at, text.n);
		if (n < 0 && errno != EINTR) {
			return false;
		}
		if (n > 0) {
			text = xylem_span(text.at + n, text.n - (size_t)n);
		}
	}
	return true;
}

static bool sync_folder_of(const char *path)
{
	char folder[512];
	const char *slash = strrchr(path, '/');
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = file >= 0 && fsync(file) == 0;
	if (file >= 0) {
		close(file);
	}
	return synced;
}

int file_replace(const char *path, struct xylem_span text, unsigned mode, struct xylem_reason *reason)
{
	char temporary[600];
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	unlink(temporary);
	int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (file < 0) {
		return fail(reason, "write", temporary);
	}
	bool written = write_all(file, text) && fsync(file) == 0;
	written = close(file) == 0 && written;
	if (!written || rename(temporary, path) || !sync_folder_of(path)) {
		int error = fail(reason, "write", path);
		unlink(temporary);
		return error;
	}
	return 0;
}

static int make(struct admin_token *token, struct xylem_reason *reason)
{
	unsigned char random[RANDOM_BYTES];
	char text[TOKEN_SIZE + 1] = PREFIX;
	if (RAND_bytes(random, sizeof(random)) != 1) {
		xylem_reason_set(reason, "no random numbers for the admin token");
		return -XYLEM_E_INTERNAL;
	}
	for (size_t i = 0; i < sizeof(random); i++) {
		snprintf(text + sizeof(PREFIX) - 1 + 2 * i, 3, "%02x", random[i]);
	}
	SHA256((const unsigned char *)text, strlen(text), token->sha256);
	strcat(text, "\n");
	int error = file_replace(token->path, xylem_span_of(text), 0600, reason);
	OPENSSL_cleanse(random, sizeof(random));
	OPENSSL_cleanse(text, sizeof(text));
	if (!error) {
		xylem_log(XYLEM_LOG_NOTICE, "console", "the admin token is in %s", token->path);
	}
	return error;
}

static int check_file(int file, const char *path, struct xylem_reason *reason)
{
	struct stat status;
	if (fstat(file, &status)) {
		return fail(reason, "look at", path);
	}
	if (!S_ISREG(status.st_mode) || (status.st_mode & 077) || status.st_uid != geteuid()) {
		xylem_reason_set(reason,
			"%s must be a file that only its owner, who runs the bus, may read (chmod 600)",
			path);
		return -XYLEM_E_INVALID;
	}
	return 0;
}

static int read_token(int file, struct admin_token *token, struct xylem_reason *reason)
{
	char text[256];
	ssize_t n = read(file, text, sizeof(text));
	if (n < 0) {
		return fail(reason, "read", token->path);
	}
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' ')) {
		n--;
	}
	if (n < TOKEN_MIN) {
		xylem_reason_set(reason,
			"%s holds no token of at least %d characters; remove it to get a new one",
			token->path, TOKEN_MIN);
		return -XYLEM_E_INVALID;
	}
	SHA256((const unsigned char *)text, (size_t)n, token->sha256);
	OPENSSL_cleanse(text, sizeof(text));
	return 0;
}

int admin_token_init(struct admin_token *token, const char *data_folder, struct xylem_reason *reason)
{
	snprintf(token->path, sizeof(token->path), "%s/admin.token", data_folder);
	int file = open(token->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (file < 0) {
		return errno == ENOENT ? make(token, reason) : fail(reason, "read", token->path);
	}
	int error = check_file(file, token->path, reason);
	if (!error) {
		error = read_token(file, token, reason);
	}
	close(file);
	return error;
}

bool admin_token_is(const struct admin_token *token, struct xylem_span given)
{
	unsigned char sha256[32];
	SHA256((const unsigned char *)given.at, given.n, sha256);
	return CRYPTO_memcmp(sha256, token->sha256, sizeof(sha256)) == 0;
}
