/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what with a topic. An affiliation comes from three places: the
 * role of a user, the lists of the topic's declaration, and what an owner has
 * given. An outcast is one whatever the lists say; users who may change the
 * configuration own every topic.
 */
#include <stdlib.h>
#include <string.h>

#include <base/jid.h>
#include <topic/state.h>

static const char *const names[] = { "none", "outcast", "member", "publish-only", "publisher", "owner" };

const char *topic_affiliation_name(enum topic_affiliation affiliation)
{
	return names[affiliation];
}

bool topic_affiliation_of(struct xylem_span name, enum topic_affiliation *ret_affiliation)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (xylem_span_is(name, names[i])) {
			*ret_affiliation = (enum topic_affiliation)i;
			return true;
		}
	}
	return false;
}

enum topic_affiliation topics_implied(const struct topics *topics, const struct node *node, const char *bare)
{
	int role = generation_role(topics->generation, bare);
	if (role >= ROLE_DEPLOYER) {
		return TOPIC_OWNER;
	}
	if (role >= ROLE_OPERATOR || (node->declared != NULL && jid_listed(node->declared->publish, bare))) {
		return TOPIC_PUBLISHER;
	}
	bool listed = node->declared != NULL && jid_listed(node->declared->subscribe, bare);
	return role > ROLE_NONE || listed ? TOPIC_MEMBER : TOPIC_NONE;
}

enum topic_affiliation topics_affiliation(
	const struct topics *topics, const struct node *node, const char *bare)
{
	enum topic_affiliation implied = topics_implied(topics, node, bare);
	enum topic_affiliation given = node_affiliated(node, bare);
	if (given == TOPIC_OUTCAST) {
		return implied == TOPIC_OWNER ? implied : given;
	}
	if (given == TOPIC_PUBLISH_ONLY && implied == TOPIC_MEMBER) {
		return TOPIC_PUBLISHER;
	}
	return given > implied ? given : implied;
}

/* Whom the service would talk to anyway. */
static bool admitted(const struct topics *topics, const char *bare)
{
	return generation_role(topics->generation, bare) > ROLE_NONE ||
	       jid_listed(topics->generation->allow, bare);
}

static int may_publish(const struct topics *topics, const struct node *node, const char *bare,
	enum topic_affiliation affiliation)
{
	size_t active;
	if (affiliation >= TOPIC_PUBLISH_ONLY) {
		return 0;
	}
	bool anybody = node->settings.publish == TOPIC_ANYBODY && admitted(topics, bare);
	bool subscriber = node->settings.publish == TOPIC_SUBSCRIBERS &&
			  roster_count(node->roster, bare, &active) > 0 && active > 0;
	return affiliation != TOPIC_OUTCAST && (anybody || subscriber) ? 0 : -XYLEM_E_FORBIDDEN;
}

/* Seeing, subscribing, reading. */
static int may_have(const struct topics *topics, const struct node *node, const char *bare,
	enum topic_affiliation affiliation, enum topic_right right)
{
	size_t active;
	if (affiliation == TOPIC_OUTCAST || (affiliation == TOPIC_PUBLISH_ONLY && right != TOPIC_SEE)) {
		return -XYLEM_E_FORBIDDEN;
	}
	if (affiliation >= TOPIC_MEMBER) {
		return 0;
	}
	bool closed = node->settings.access == ACCESS_WHITELIST || !admitted(topics, bare);
	if (roster_count(node->roster, bare, &active) > 0 && active > 0 &&
		node->settings.access != ACCESS_WHITELIST) {
		return 0; /* whom an owner has subscribed */
	}
	if (closed) {
		return -XYLEM_E_METHOD;
	}
	return node->settings.access == ACCESS_AUTHORIZE && right == TOPIC_READ ? -XYLEM_E_UNAUTHORIZED : 0;
}

int topics_right(
	const struct topics *topics, const struct node *node, const char *bare, enum topic_right right)
{
	if (!node_exists(node)) {
		return -XYLEM_E_NOT_FOUND;
	}
	enum topic_affiliation affiliation = topics_affiliation(topics, node, bare);
	if (right == TOPIC_OWN) {
		return affiliation == TOPIC_OWNER ? 0 : -XYLEM_E_FORBIDDEN;
	}
	return right == TOPIC_PUBLISH ? may_publish(topics, node, bare, affiliation)
				      : may_have(topics, node, bare, affiliation, right);
}

/* --- Who may be told ------------------------------------------------------ */

static bool on_whitelist(const struct topics *topics, const struct node *node, const char *jid)
{
	char bare[JID_SIZE];
	if (!jid_normalise(xylem_span_of(jid), bare)) {
		return false;
	}
	enum topic_affiliation affiliation = topics_affiliation(topics, node, bare);
	return affiliation >= TOPIC_MEMBER && affiliation != TOPIC_PUBLISH_ONLY;
}

static struct roster *roster_of_whitelist(const struct topics *topics, const struct node *node)
{
	size_t n = 0;
	struct subscriber *list = malloc((node->roster->n + 1) * sizeof(*list));
	if (list == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < node->roster->n; i++) {
		if (on_whitelist(topics, node, node->roster->items[i].jid)) {
			list[n++] = node->roster->items[i];
		}
	}
	struct roster *told = n == node->roster->n ? roster_ref(node->roster) : roster_new(list, n);
	free(list);
	return told;
}

bool topics_told(const struct topics *topics, struct node *node, struct roster **ret_roster)
{
	if (node->roster == NULL || node->settings.access != ACCESS_WHITELIST) {
		*ret_roster = roster_ref(node->roster);
		return true;
	}
	if (node->told == NULL) {
		node->told = roster_of_whitelist(topics, node);
	}
	*ret_roster = roster_ref(node->told);
	return node->told != NULL;
}

void node_changed(struct node *node)
{
	node->told = roster_unref(node->told);
}

/* --- Asked ---------------------------------------------------------------- */

int topic_check(struct topics *topics, const char *name, const char *bare, enum topic_right right)
{
	pthread_mutex_lock(&topics->lock);
	int result = topics_right(topics, topics_find(topics, name), bare, right);
	pthread_mutex_unlock(&topics->lock);
	return result;
}

enum topic_affiliation topic_affiliation(struct topics *topics, const char *name, const char *bare)
{
	pthread_mutex_lock(&topics->lock);
	const struct node *node = topics_existing(topics, name);
	enum topic_affiliation result = node != NULL ? topics_affiliation(topics, node, bare) : TOPIC_NONE;
	pthread_mutex_unlock(&topics->lock);
	return result;
}

/* Somebody whom the service does not talk to by itself: listed, affiliated, or subscribed by an owner. */
static bool knows_stranger(const struct topics *topics, const struct node *node, const char *bare)
{
	size_t active;
	if (!node_exists(node)) {
		return false;
	}
	enum topic_affiliation given = node_affiliated(node, bare);
	bool listed = node->declared != NULL && (jid_listed(node->declared->subscribe, bare) ||
							jid_listed(node->declared->publish, bare));
	bool subscribed = node->settings.access != ACCESS_WHITELIST &&
			  roster_count(node->roster, bare, &active) > 0 && active > 0;
	return given == TOPIC_NONE ? listed || subscribed : given != TOPIC_OUTCAST;
}

/* Asked for every stanza of a stranger, with thousands of topics: cheap for each. */
bool topics_known(struct topics *topics, const char *bare)
{
	bool known = topics_may_create(topics, bare);

	pthread_mutex_lock(&topics->lock);
	bool talked_to = admitted(topics, bare);
	for (size_t i = 0; i < topics->node_count && !known; i++) {
		const struct node *node = topics->nodes[i];
		known = talked_to ? topics_right(topics, node, bare, TOPIC_SEE) == 0 ||
					    topics_right(topics, node, bare, TOPIC_PUBLISH) == 0
				  : knows_stranger(topics, node, bare);
	}
	pthread_mutex_unlock(&topics->lock);
	return known;
}

bool topics_may_create(struct topics *topics, const char *bare)
{
	pthread_mutex_lock(&topics->lock);
	bool may = generation_role(topics->generation, bare) >= ROLE_DEPLOYER ||
		   jid_listed(topics->generation->create, bare);
	pthread_mutex_unlock(&topics->lock);
	return may;
}

void topics_new_settings(struct topics *topics, struct topic_settings *ret_settings)
{
	topic_settings_default(ret_settings);
	pthread_mutex_lock(&topics->lock);
	ret_settings->access = topics->generation->create_access;
	pthread_mutex_unlock(&topics->lock);
}
