/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users: who has which role, by token or by JID. A token is looked up by its
 * SHA-256 among all of them, in a time that does not tell how near a guess was.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include <config/loading.h>
#include <config/nearest.h>
#include <config/report.h>
#include <config/text.h>

#define TOKEN_SHORT 16 /* bytes; fewer can be guessed */

static void user_check(
	struct loading *loading, const struct tree_member *member, const struct config_user *user)
{
	struct xylem_reason reason;
	char quoted[TREE_QUOTE_SIZE];
	if (text_name(member->key->text, &reason) < 0) {
		report_error(loading->report, tree_place(member->key), "user %s %s",
			tree_quote(member->key, quoted), reason.text);
	}
	struct xylem_span token = xylem_secret_borrow(user->token);
	if (!user->token && !tree_find(member->value, "token") && user->jids.n == 0) {
		report_warning(loading->report, tree_place(member->key),
			"user `%s` has neither `token` nor `jids`, so nobody can be this user; add one",
			user->name);
	} else if (user->token && token.n < TOKEN_SHORT) {
		report_warning(loading->report, tree_place(member->key),
			"the token of user `%s` is shorter than %d characters and can be guessed; make one "
			"with `openssl rand -hex 32`",
			user->name, TOKEN_SHORT);
	}
}

static void user_load(struct loading *loading, const struct tree_member *member, struct config_user *user,
	unsigned char token_sum[32])
{
	char subject[128];
	struct loading_part part;
	snprintf(subject, sizeof(subject), "user `%.64s`", member->key->text);
	part_begin(loading, &part, subject);
	user->name = member->key->text;
	if (config_fill(sections[SECTION_USERS].options, user, member->value, &part.fill) == 0) {
		user->role += ROLE_VIEWER;
		jids_normalise(loading, &user->jids, tree_find(member->value, "jids"), subject, false);
		user_check(loading, member, user);
	}
	if (user->token) {
		struct xylem_span token = xylem_secret_borrow(user->token);
		digest_sha256(token.at, token.n, token_sum);
	}
	part_end(loading, &part, NULL);
}

static bool jid_shared(const struct config_user *a, const struct config_user *b, const char **ret_jid)
{
	for (size_t i = 0; i < a->jids.n; i++) {
		for (size_t j = 0; j < b->jids.n; j++) {
			if (a->jids.items[i] && b->jids.items[j] &&
				strcmp(a->jids.items[i], b->jids.items[j]) == 0) {
				*ret_jid = a->jids.items[i];
				return true;
			}
		}
	}
	return false;
}

static void doubles_check(struct loading *loading, const struct tree_node *section,
	const struct config_user *users, unsigned char (*sums)[32])
{
	for (size_t i = 1; i < section->n; i++) {
		for (size_t j = 0; j < i; j++) {
			const char *jid;
			struct config_place place = tree_place(section->members[i].key);
			if (users[i].token && users[j].token && memcmp(sums[i], sums[j], 32) == 0) {
				report_error(loading->report, place,
					"users `%s` and `%s` have the same token; give each its own",
					users[j].name, users[i].name);
			}
			if (jid_shared(&users[i], &users[j], &jid)) {
				report_error(loading->report, place,
					"users `%s` and `%s` both have the JID `%s`; remove it from one",
					users[j].name, users[i].name, jid);
			}
		}
	}
}

void users_load(struct loading *loading)
{
	const struct tree_node *section = loading->sections[SECTION_USERS];
	if (!section || !section->n) {
		return;
	}
	struct config_user *users = loading_take(loading, section->n * sizeof(*users));
	unsigned char(*sums)[32] = loading_take(loading, section->n * sizeof(*sums));
	for (size_t i = 0; i < section->n; i++) {
		user_load(loading, &section->members[i], &users[i], sums[i]);
	}
	doubles_check(loading, section, users, sums);
	loading->config->view.users = users;
	loading->config->view.user_count = section->n;
	loading->config->token_sums = sums;
}

const struct config_user *config_user_by_token(const struct config_view *view, struct xylem_span token)
{
	const struct config *config = (const struct config *)view;
	const struct config_user *found = NULL;
	unsigned char sum[32];
	digest_sha256(token.at, token.n, sum);
	for (size_t i = 0; i < view->user_count; i++) {
		bool same = CRYPTO_memcmp(sum, config->token_sums[i], sizeof(sum)) == 0;
		found = same && view->users[i].token ? &view->users[i] : found;
	}
	return found;
}

const struct config_user *config_user_by_jid(const struct config_view *view, const char *bare_jid)
{
	char normal[TEXT_JID_SIZE];
	if (strlen(bare_jid) >= TEXT_JID_SIZE || text_jid(bare_jid, normal, NULL) < 0) {
		return NULL;
	}
	for (size_t i = 0; i < view->user_count; i++) {
		for (size_t j = 0; j < view->users[i].jids.n; j++) {
			if (strcmp(view->users[i].jids.items[j], normal) == 0) {
				return &view->users[i];
			}
		}
	}
	return NULL;
}
