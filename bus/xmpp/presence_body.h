/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XMPP_PRESENCE_BODY_H
#define XMPP_PRESENCE_BODY_H

#include <pthread.h>
#include <stdatomic.h>

#include <xmpp/feature.h>
#include <xmpp/online.h>
#include <xmpp/presence.h>

/* The inside of presence, for its own files: presence.c (others), presence_show.c (ours). */

#define PRESENCE_WORDS 256
#define PRESENCE_NUMBERS 160
#define PRESENCE_NUMBERS_US 60000000 /* between two changes of numbers alone */

/* What one of our addresses shows, and what its contacts were told last. */
struct address {
	char *local;
	enum presence_show show, told_show;
	char words[PRESENCE_WORDS], told_words[PRESENCE_WORDS];
	char numbers[PRESENCE_NUMBERS], told_numbers[PRESENCE_NUMBERS];
	int64_t told_us;  /* monotonic; 0: never */
	int64_t since_us; /* monotonic: of the state */
	bool hidden;      /* no part any more: kept until its contacts know */
};

struct listener {
	struct listener *next;
	presence_seen seen;
	void *context;
};

struct presence {
	struct xmpp_service *service;
	struct contacts *contacts;
	struct online *online;
	struct online *pictured; /* of these, who is told of pictures (avatar_event.c) */
	unsigned asking;         /* the link's thread: resources that have not answered yet */

	pthread_mutex_t listeners_lock; /* held while they are called */
	struct listener *listeners;

	pthread_t thread;
	bool started;
	_Atomic bool ending;
	pthread_mutex_t refresh_lock; /* held during a call; taken before `lock` */
	void (*refresh)(void *context);
	void *refresh_context;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool woken, up, announce, probe, review;
	int64_t up_since_us;
	struct address **addresses; /* sorted by local part */
	size_t n, room;
};

/* presence.c */
int presence_new(struct presence **ret_presence, struct xmpp_service *service, struct catalogue *catalogue,
	struct xylem_reason *reason);
int presence_start(struct presence *presence, struct xylem_reason *reason);
/* Ends the thread and says goodbye to all contacts; the link still runs. */
void presence_stop(struct presence *presence, int64_t deadline_mono_us);
struct presence *presence_free(struct presence *presence);
/* A presence stanza, on the link's thread. */
void presence_take(struct presence *presence, const struct xmpp_request *request);
/* The link came up or went down. */
void presence_link(struct presence *presence, bool up);
/* Users or `allow` changed: contacts that may no longer see us are told so. */
void presence_review(struct presence *presence);

/* presence_due.c */
/* Has the address news for its contacts? Monotonic time. */
bool presence_due(const struct address *address, int64_t now_us);
/* What it shows now is what they know. */
void presence_told(struct address *address, int64_t now_us);

/* presence_show.c */
/* Is it a part: does it show something? */
bool presence_shown(struct presence *presence, struct xylem_span local);
/* What it shows; one that is no part: available. */
enum presence_show presence_show_of(struct presence *presence, struct xylem_span local);
/* XEP-0153 (vcard.c): <x/> for presence that shows this. */
void vcard_write_picture(struct xylem_buffer *out, enum presence_show show);
/* Seconds since its state changed; -1: it is no part. */
int64_t presence_since_s(struct presence *presence, struct xylem_span local);
/* Writes what the address shows now to `to`; one that is no part is `fallback`: available or not. */
void presence_write_state(struct presence *presence, struct xylem_buffer *out, const char *local,
	const char *to, bool fallback);
/* `<presence type='' from='' to=''/>`; `full`: from the address's resource. */
void presence_write(struct presence *presence, struct xylem_buffer *out, const char *type, const char *local,
	const char *to, bool full);
void *presence_run(void *presence);

/* avatar_event.c */
/* A resource comes (`changed`: it was not there) or goes; on the link's thread. */
void avatar_see(struct presence *presence, const struct xmpp_request *request, bool available, bool changed);
/* Tells the resources of a contact that want it the picture of `local`. False: `send` says that the link is down. */
bool avatar_tell(struct presence *presence, const char *local, const char *bare,
	bool (*send)(struct presence *presence, struct xylem_buffer *out));
void presence_say_goodbye(struct presence *presence, int64_t deadline_mono_us);

#endif
