/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets a notification now, of those who are subscribed: those who are to
 * be delivered to, and where the topic or the subscription asks for it, those
 * who are online. An address with several subscriptions gets one, with all
 * their ids (XEP-0060, 6.1.6).
 */
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <topic/state.h>

/* Under the lock. */
static bool wanted(const struct topics *topics, const struct topic_settings *settings,
	const struct subscriber *subscriber, int64_t now)
{
	const struct topic_subscription_options *options = &subscriber->options;
	if (subscriber->pending || !options->deliver ||
		(options->expires_us > 0 && options->expires_us <= now && !options->temporary)) {
		return false;
	}
	if (!settings->presence_based && options->show == 0) {
		return true;
	}
	unsigned show = attendance_show(topics, subscriber->jid);
	return options->show == 0 ? show != 0 : (show & options->show) != 0;
}

bool recipients_of(struct topics *topics, const struct topic_settings *settings, const struct roster *roster,
	struct recipients *ret_recipients)
{
	size_t n = roster == NULL ? 0 : roster->n, used = 0;
	struct recipients made = { .items = calloc(n + 1, sizeof(*made.items)),
		.subids = calloc(n + 1, sizeof(*made.subids)) };
	if (made.items == NULL || made.subids == NULL) {
		recipients_finish(&made);
		return false;
	}
	int64_t now = clock_wall_us();
	bool looks = settings->presence_based;
	for (size_t i = 0; i < n && !looks; i++) {
		looks = roster->items[i].options.show != 0;
	}
	if (looks) {
		pthread_mutex_lock(&topics->lock);
	}
	for (size_t i = 0; i < n; i++) {
		const struct subscriber *one = &roster->items[i];
		if (!wanted(topics, settings, one, now)) {
			continue;
		}
		struct topic_recipient *last = made.n > 0 ? &made.items[made.n - 1] : NULL;
		if (last == NULL || strcmp(last->jid, one->jid) != 0) {
			last = &made.items[made.n++];
			*last = (struct topic_recipient){ .jid = one->jid, .subids = &made.subids[used] };
		}
		made.subids[used++] = one->subid;
		last->subid_count++;
		last->body = last->body || one->options.body;
	}
	if (looks) {
		pthread_mutex_unlock(&topics->lock);
	}
	*ret_recipients = made;
	return true;
}

void recipients_finish(struct recipients *recipients)
{
	free(recipients->items);
	free(recipients->subids);
	*recipients = (struct recipients){ 0 };
}
