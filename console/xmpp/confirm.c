/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that wait for a `yes`: one for each person, the oldest person gives way. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include <base/clock.h>
#include <console/xmpp/confirm.h>

#define PEOPLE_MOST 256
#define COMPLAINTS 20 /* a minute */
#define MINUTE_US 60000000

struct person {
	char *bare;
	char *line; /* NULL: nothing waits */
	char code[CONFIRM_CODE];
	int64_t kept_us, minute_us, used_us; /* monotonic */
	unsigned complaints;
};

struct confirmations {
	pthread_mutex_t lock;
	struct person people[PEOPLE_MOST];
	size_t n;
};

struct confirmations *confirmations_new(void)
{
	struct confirmations *confirmations = calloc(1, sizeof(*confirmations));
	if (confirmations != NULL) {
		pthread_mutex_init(&confirmations->lock, NULL);
	}
	return confirmations;
}

struct confirmations *confirmations_free(struct confirmations *confirmations)
{
	if (confirmations != NULL) {
		for (size_t i = 0; i < confirmations->n; i++) {
			free(confirmations->people[i].bare);
			free(confirmations->people[i].line);
		}
		pthread_mutex_destroy(&confirmations->lock);
		free(confirmations);
	}
	return NULL;
}

/* The row of a person, made if it is missing; NULL without memory. Under the lock. */
static struct person *find(struct confirmations *confirmations, const char *bare)
{
	size_t oldest = 0, i;
	for (i = 0; i < confirmations->n; i++) {
		if (strcmp(confirmations->people[i].bare, bare) == 0) {
			confirmations->people[i].used_us = clock_mono_us();
			return &confirmations->people[i];
		}
		oldest = confirmations->people[i].used_us < confirmations->people[oldest].used_us ? i
												  : oldest;
	}
	char *copy = strdup(bare);
	if (copy == NULL) {
		return NULL;
	}
	if (confirmations->n < PEOPLE_MOST) {
		oldest = confirmations->n++;
	} else {
		free(confirmations->people[oldest].bare);
		free(confirmations->people[oldest].line);
	}
	confirmations->people[oldest] = (struct person){ .bare = copy, .used_us = clock_mono_us() };
	return &confirmations->people[oldest];
}

bool confirm_keep(
	struct confirmations *confirmations, const char *bare, const char *line, char ret_code[CONFIRM_CODE])
{
	unsigned char random[2];
	char *copy = strdup(line);
	if (copy == NULL || RAND_bytes(random, sizeof(random)) != 1) {
		free(copy);
		return false;
	}
	snprintf(ret_code, CONFIRM_CODE, "%04u", (random[0] * 256U + random[1]) % 10000U);
	pthread_mutex_lock(&confirmations->lock);
	struct person *person = find(confirmations, bare);
	if (person != NULL) {
		free(person->line);
		person->line = copy;
		person->kept_us = clock_mono_us();
		memcpy(person->code, ret_code, CONFIRM_CODE);
	} else {
		free(copy);
	}
	pthread_mutex_unlock(&confirmations->lock);
	return person != NULL;
}

char *confirm_take(struct confirmations *confirmations, const char *bare, const char *code)
{
	char *line = NULL;
	pthread_mutex_lock(&confirmations->lock);
	struct person *person = find(confirmations, bare);
	if (person != NULL && person->line != NULL && strcmp(person->code, code) == 0 &&
		clock_mono_us() - person->kept_us < CONFIRM_US) {
		line = person->line;
		person->line = NULL;
	}
	pthread_mutex_unlock(&confirmations->lock);
	return line;
}

bool confirm_may_complain(struct confirmations *confirmations, const char *bare)
{
	int64_t now = clock_mono_us();
	pthread_mutex_lock(&confirmations->lock);
	struct person *person = find(confirmations, bare);
	if (person != NULL && now - person->minute_us > MINUTE_US) {
		person->minute_us = now;
		person->complaints = 0;
	}
	bool may = person != NULL && person->complaints++ < COMPLAINTS;
	pthread_mutex_unlock(&confirmations->lock);
	return may;
}
