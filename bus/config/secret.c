/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets. They are named in the configuration and never written there:
 *
 *     secret: { env: XYLEM_XMPP_SECRET }
 *     secret: { file: shop.key }          # 0600, or root's and 0640
 *     secret: { credential: shop }        # systemd: LoadCredential=shop:...
 *
 * The rule: the bytes go from where they are into memory that is wiped at the
 * end, and nowhere else; no message quotes anything of a secret's value, not
 * even one written where it must not stand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <config/report.h>
#include <config/source_file.h>
#include <config/text.h>
#include <config/value.h>

#define FORMS "`{ env: NAME }`, `{ file: PATH }` or `{ credential: NAME }`"

struct origin {
	const struct xylem_option *option;
	const struct tree_node *node; /* the name or path */
	const struct fill *fill;
};

static int refuse(const struct origin *origin, const char *what, const char *why)
{
	report_error(origin->fill->report, tree_place(origin->node), "`%s` of %s: %s %s",
		origin->option->name, origin->fill->subject, what, why);
	return -XYLEM_E_INVALID;
}

static int keep_text(const struct origin *origin, const char *text, struct xylem_secret **ret_secret)
{
	size_t n = strlen(text);
	struct xylem_secret *secret = keep_secret(origin->fill->keep, n);
	if (!secret) {
		return refuse(origin, "no memory", "for the secret");
	}
	memcpy(keep_secret_room(secret), text, n);
	keep_secret_set(secret, n);
	*ret_secret = secret;
	return 0;
}

static int from_environment(const struct origin *origin, struct xylem_secret **ret_secret)
{
	const char *value = getenv(origin->node->text);
	char what[128];
	snprintf(what, sizeof(what), "the environment variable %.80s", origin->node->text);
	if (!value || !*value) {
		return refuse(origin, what,
			value ? "is empty; set it before the start" : "is not set; set it before the start");
	}
	return keep_text(origin, value, ret_secret);
}

/* Who else could read the file, and what to do about it; NULL: nobody. */
static const char *too_open(const struct stat *status)
{
	bool ours = status->st_uid == geteuid();
	if (!ours && status->st_uid != 0) {
		return "belongs to another user; make it the bus's own (chown) or root's";
	}
	if (status->st_mode & 07) {
		return "can be read by everybody on this machine; chmod 600 it";
	}
	/* Debian's way: root:xylem 0640, read through the group. */
	if ((status->st_mode & 070) && (ours || (status->st_mode & 020))) {
		return "can be read or written by its group; chmod 600 it";
	}
	return NULL;
}

/* One line end at the end is an editor's, not the secret's. */
static size_t without_line_end(const char *bytes, size_t n)
{
	if (n && bytes[n - 1] == '\n') {
		n--;
		n -= n && bytes[n - 1] == '\r';
	}
	return n;
}

static int from_path(
	const struct origin *origin, const char *path, bool checked, struct xylem_secret **ret_secret)
{
	struct xylem_reason reason;
	struct stat status;
	int descriptor;
	char what[256];
	snprintf(what, sizeof(what), "the file %.200s", origin->node->raw);
	if (source_file_open(path, SOURCE_SECRET_LIMIT, &descriptor, &status, &reason) < 0) {
		return refuse(origin, what, reason.text);
	}
	const char *open_to = checked ? too_open(&status) : NULL;
	struct xylem_secret *secret = open_to ? NULL : keep_secret(origin->fill->keep, SOURCE_SECRET_LIMIT);
	if (!secret) {
		close(descriptor);
		return refuse(origin, what, open_to ? open_to : "needs more memory than there is");
	}
	size_t n = 0;
	char *bytes = keep_secret_room(secret);
	if (source_file_read(descriptor, bytes, SOURCE_SECRET_LIMIT, &n, &reason) < 0) {
		return refuse(origin, what, reason.text);
	}
	n = without_line_end(bytes, n);
	if (n == 0) {
		return refuse(origin, what, "is empty; write the secret into it");
	}
	keep_secret_set(secret, n);
	*ret_secret = secret;
	return 0;
}

static int from_file(const struct origin *origin, struct xylem_secret **ret_secret)
{
	const char *path = source_file_path(
		origin->fill->keep->arena, origin->node->file->folder, origin->node->text);
	return path ? from_path(origin, path, true, ret_secret) : -XYLEM_E_MEMORY;
}

/* systemd makes the folder readable for this service alone (systemd.exec(5), CREDENTIALS). */
static int from_credential(const struct origin *origin, struct xylem_secret **ret_secret)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	if (strchr(origin->node->text, '/') || origin->node->text[0] == '.') {
		return refuse(origin, "the credential's name",
			"must be a plain name without `/`; write the name given to LoadCredential=");
	}
	if (!folder) {
		return refuse(origin, "there are no credentials",
			"here (CREDENTIALS_DIRECTORY is not set); start the bus by systemd with "
			"LoadCredential=");
	}
	const char *path = source_file_path(origin->fill->keep->arena, folder, origin->node->text);
	return path ? from_path(origin, path, false, ret_secret) : -XYLEM_E_MEMORY;
}

int secret_set(const struct xylem_option *option, const struct xylem_secret **ret_secret,
	const struct tree_node *node, const struct fill *fill)
{
	static const struct {
		const char *name;
		int (*read)(const struct origin *origin, struct xylem_secret **ret_secret);
	} forms[] = { { "env", from_environment }, { "file", from_file }, { "credential", from_credential } };
	if (node->kind == TREE_SCALAR) {
		report_error(fill->report, tree_place(node),
			"`%s` of %s: a secret is never written in the configuration; write " FORMS,
			option->name, fill->subject);
		return -XYLEM_E_INVALID;
	}
	const struct tree_member *member = node->kind == TREE_MAPPING && node->n == 1 ? &node->members[0]
										      : NULL;
	for (size_t i = 0; member && i < sizeof(forms) / sizeof(*forms); i++) {
		const struct tree_node *value = member->value;
		if (strcmp(forms[i].name, member->key->text) != 0 || value->kind != TREE_SCALAR ||
			!value->n) {
			continue;
		}
		struct origin origin = { option, value, fill };
		struct xylem_secret *secret;
		int error = forms[i].read(&origin, &secret);
		if (!error && fill->digest) {
			struct xylem_span bytes = xylem_secret_borrow(secret);
			digest_text(fill->digest, forms[i].name);
			digest_text(fill->digest, value->text);
			digest_secret(fill->digest, bytes.at, bytes.n);
		}
		if (!error) {
			*ret_secret = secret;
		}
		return error;
	}
	report_error(fill->report, tree_place(node), "`%s` of %s is not a way to name a secret; write " FORMS,
		option->name, fill->subject);
	return -XYLEM_E_INVALID;
}
