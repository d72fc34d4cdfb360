/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that are going to be taken. A bus opens all its connectors before it
 * starts the first source, and a source that cannot start yet is started again
 * later; meanwhile another one may have the listener up already. A sender who
 * asks in that time must hear 503 (come again), not 404, which many take for
 * the last word and give the message up.
 *
 * One list for the process, since claims come before the listener does.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <connectors/http_server_body.h>

struct http_claim {
	struct http_claim *next;
	char *address, *path;
};

static pthread_mutex_t claims_lock = PTHREAD_MUTEX_INITIALIZER; /* a leaf */
static struct http_claim *claims;

struct http_claim *http_claim_new(const char *address, const char *path)
{
	struct http_claim *claim = calloc(1, sizeof(*claim));
	if (!claim || !(claim->address = strdup(address)) || !(claim->path = strdup(path))) {
		return http_claim_free(claim);
	}
	pthread_mutex_lock(&claims_lock);
	claim->next = claims;
	claims = claim;
	pthread_mutex_unlock(&claims_lock);
	return claim;
}

struct http_claim *http_claim_free(struct http_claim *claim)
{
	if (!claim) {
		return NULL;
	}
	pthread_mutex_lock(&claims_lock);
	for (struct http_claim **place = &claims; *place; place = &(*place)->next) {
		if (*place == claim) {
			*place = claim->next;
			break;
		}
	}
	pthread_mutex_unlock(&claims_lock);
	free(claim->address);
	free(claim->path);
	free(claim);
	return NULL;
}

bool http_claim_has(const char *address, struct xylem_span path)
{
	bool found = false;
	pthread_mutex_lock(&claims_lock);
	for (const struct http_claim *claim = claims; claim && !found; claim = claim->next) {
		found = strcmp(claim->address, address) == 0 && http_path_matches(claim->path, path);
	}
	pthread_mutex_unlock(&claims_lock);
	return found;
}
