/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The picture, once for each state. Only the palette differs: its second colour
 * is put in, and with it the sum that PNG keeps over a chunk (PNG, third
 * edition, 5.3, 11.2.2; Annex D has the sum).
 *
 * The rule not to break: few and fixed. A client keeps every picture that it was
 * ever told of, by its hash, and asks again only for one that it does not know.
 */
#include <xmpp/picture.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <message/base64.h>

#define STATES 4
/* Where in the bytes: of the palette's chunk the type, the second colour, and the sum, which covers type and colours. */
#define PALETTE 37
#define COLOUR 44
#define SUM 50
#define SIZE 250

/* PICTURE_SIDE by PICTURE_SIDE points, three colours: nothing, vessels, light. */
static const char drawn[] =
	"iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAgMAAAAOFJJnAAAACVBMVEUAAAAbazro9emM6os9AAAAAXRSTlMAQObY"
	"ZgAAAGlJREFUeNqVkLsNwCAMRKFgBPbJCClw4xEYid5IMCVniAxKqlz1ZJ0/Z+e2PNE1gaCnsEpB4QZEhTQtLGry"
	"xL0LTIG4VIHpgFxqA0TKLA1tBzSW/B/ec2zFd7sdZqeiDZDOOBbQIu8nLA0Wf0z6DJuMNgAAAABJRU5ErkJggg==";

static const unsigned char colours[STATES][3] = {
	[SHOW_AVAILABLE] = { 0x1b, 0x6b, 0x3a }, /* green */
	[SHOW_AWAY] = { 0xb3, 0x6b, 0x00 },      /* amber */
	[SHOW_DND] = { 0x5c, 0x5c, 0x7a },       /* slate: somebody paused it */
	[SHOW_XA] = { 0xa3, 0x20, 0x20 },        /* red */
};

static struct {
	char base64[(SIZE + 2) / 3 * 4 + 1];
	char sha1[41];
	struct picture face;
} pictures[STATES];
static bool painted;

static uint32_t sum_of(const unsigned char *bytes, size_t n)
{
	uint32_t sum = 0xffffffffU;

	for (size_t i = 0; i < n; i++) {
		sum ^= bytes[i];
		for (int bit = 0; bit < 8; bit++) {
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320U : 0);
		}
	}
	return ~sum;
}

static bool paint(size_t state, struct xylem_span drawing)
{
	unsigned char bytes[SIZE], hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	XYLEM_BUFFER_SCOPED base64 = { 0 };

	memcpy(bytes, drawing.at, drawing.n);
	memcpy(bytes + COLOUR, colours[state], sizeof(colours[state]));
	uint32_t sum = sum_of(bytes + PALETTE, SUM - PALETTE);
	for (size_t i = 0; i < 4; i++) {
		bytes[SUM + i] = (unsigned char)(sum >> (24 - 8 * i));
	}
	message_base64_write(&base64, xylem_span((const char *)bytes, drawing.n));
	if (base64.failed || base64.n >= sizeof(pictures[state].base64) ||
		EVP_Digest(bytes, drawing.n, hash, &n, EVP_sha1(), NULL) != 1) {
		return false;
	}
	memcpy(pictures[state].base64, base64.bytes, base64.n);
	for (unsigned i = 0; i < n && i < 20; i++) {
		snprintf(pictures[state].sha1 + 2 * i, 3, "%02x", hash[i]);
	}
	pictures[state].face = (struct picture){ "image/png", pictures[state].base64, pictures[state].sha1,
		drawing.n };
	return true;
}

static void paint_all(void)
{
	struct xylem_arena *arena = xylem_arena_new(0);
	struct xylem_span drawing = XYLEM_SPAN_NONE;
	bool good = arena != NULL && message_base64_read(xylem_span_of(drawn), arena, &drawing) == 0 &&
		    drawing.n <= SIZE;

	for (size_t i = 0; i < STATES && good; i++) {
		good = paint(i, drawing);
	}
	painted = good;
	xylem_arena_free(arena);
}

const struct picture *picture_of(enum presence_show show)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, paint_all);
	return painted ? &pictures[show].face : NULL;
}
