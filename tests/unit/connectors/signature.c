/* SPDX-License-Identifier: Apache-2.0 */

/* Signatures against published vectors, and everything that must not pass for one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <connectors/signature.h>

/* Headers of one request: pairs, NULL-terminated. */
static struct xylem_span lookup(const void *context, const char *name)
{
	for (const char *const *pair = context; pair[0]; pair += 2) {
		if (strcmp(pair[0], name) == 0) {
			return xylem_span_of(pair[1]);
		}
	}
	return XYLEM_SPAN_NONE;
}

static struct signature_key *key_of(const char *secret)
{
	struct signature_key *key = NULL;
	assert_int_equal(signature_key_new(&key, xylem_span_of(secret), SIGNATURE_SHA256), 0);
	return key;
}

static struct signature_key *key_of_whsec(const char *secret)
{
	char bytes[64];
	size_t n = 0;
	struct signature_key *key = NULL;
	struct xylem_reason reason;
	assert_int_equal(signature_secret_decode(xylem_span_of(secret), bytes, &n, &reason), 0);
	assert_int_equal(signature_key_new(&key, xylem_span(bytes, n), SIGNATURE_SHA256), 0);
	return key;
}

static int claim(const struct signature_form *form, const char *const *headers, int64_t now,
	struct signature_claim *out)
{
	struct xylem_reason reason = { "" };
	int error = signature_claim_read(out, form, lookup, headers, now, 300, &reason);
	assert_true(error == 0 || reason.text[0]);
	return error;
}

static const char vector_secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static const char vector_body[] = "{\"test\": 2432232314}";
static const int64_t vector_time = 1614265330;

static void standard_webhooks_vector(void **state)
{
	const char *headers[] = { "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp",
		"1614265330", "webhook-signature",
		"v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", NULL };
	struct signature_key *key = key_of_whsec(vector_secret);
	struct signature_claim made;
	assert_int_equal(claim(&signature_standard_webhooks, headers, vector_time + 299, &made), 0);
	assert_true(signature_claim_holds(
		&made, &signature_standard_webhooks, &key, 1, xylem_span_of(vector_body)));
	assert_false(signature_claim_holds(
		&made, &signature_standard_webhooks, &key, 1, XYLEM_SPAN_LITERAL("{}")));

	struct xylem_buffer out = { 0 };
	assert_int_equal(signature_write(&out, &signature_standard_webhooks, key, made.id, made.timestamp,
				 xylem_span_of(vector_body)),
		0);
	assert_true(
		xylem_span_is(xylem_buffer_borrow(&out), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
	xylem_buffer_finish(&out);
	signature_key_free(key);
}

static void either_key_of_a_rotation_holds(void **state)
{
	const char *headers[] = { "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp",
		"1614265330", "webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", NULL };
	struct signature_key *keys[] = { key_of("another"), key_of_whsec(vector_secret) };
	struct signature_claim made;
	assert_int_equal(claim(&signature_standard_webhooks, headers, vector_time, &made), 0);
	assert_true(signature_claim_holds(
		&made, &signature_standard_webhooks, keys, 2, xylem_span_of(vector_body)));
	assert_false(signature_claim_holds(
		&made, &signature_standard_webhooks, keys, 1, xylem_span_of(vector_body)));
	signature_key_free(keys[0]);
	signature_key_free(keys[1]);
}

static void github_vector(void **state)
{
	const char *headers[] = { "X-Hub-Signature-256",
		"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", NULL };
	const char *upper[] = { "X-Hub-Signature-256",
		"sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17", NULL };
	struct signature_key *key = key_of("It's a Secret to Everybody");
	struct signature_claim made;
	assert_int_equal(claim(&signature_github, headers, 0, &made), 0);
	assert_true(signature_claim_holds(
		&made, &signature_github, &key, 1, XYLEM_SPAN_LITERAL("Hello, World!")));
	assert_false(
		signature_claim_holds(&made, &signature_github, &key, 1, XYLEM_SPAN_LITERAL("Hello, World")));
	assert_int_equal(claim(&signature_github, upper, 0, &made), 0);
	assert_true(signature_claim_holds(
		&made, &signature_github, &key, 1, XYLEM_SPAN_LITERAL("Hello, World!")));
	signature_key_free(key);
}

static void stripe_reads_its_one_header(void **state)
{
	struct signature_key *key = key_of("whsec_test");
	struct xylem_buffer header = { 0 };
	xylem_buffer_text(&header, "t=1700000000,");
	assert_int_equal(signature_write(&header, &signature_stripe, key, XYLEM_SPAN_NONE,
				 XYLEM_SPAN_LITERAL("1700000000"), XYLEM_SPAN_LITERAL("body")),
		0);
	xylem_buffer_text(&header, ",v0=00");
	char *text = xylem_buffer_take(&header, NULL);
	const char *headers[] = { "Stripe-Signature", text, NULL };
	struct signature_claim made;
	assert_int_equal(claim(&signature_stripe, headers, 1700000100, &made), 0);
	assert_true(signature_claim_holds(&made, &signature_stripe, &key, 1, XYLEM_SPAN_LITERAL("body")));
	assert_false(signature_claim_holds(&made, &signature_stripe, &key, 1, XYLEM_SPAN_LITERAL("bodY")));
	assert_int_equal(claim(&signature_stripe, headers, 1700000301, &made), -XYLEM_E_UNAUTHORIZED);
	free(text);
	signature_key_free(key);
}

static void claims_that_are_none(void **state)
{
	static const struct {
		const char *headers[8];
		int64_t now;
	} rows[] = {
		{ { NULL }, 100 },
		{ { "webhook-signature", "v1,aaaa", NULL }, 100 },
		{ { "webhook-signature", "v1,aaaa", "webhook-id", "x", NULL }, 100 },
		{ { "webhook-signature", "v1,aaaa", "webhook-timestamp", "100", NULL }, 100 },
		{ { "webhook-signature", "v1,aaaa", "webhook-id", "x", "webhook-timestamp", "", NULL }, 100 },
		{ { "webhook-signature", "v1,aaaa", "webhook-id", "x", "webhook-timestamp", "1e2", NULL },
			100 },
		{ { "webhook-signature", "v1,aaaa", "webhook-id", "x", "webhook-timestamp", "-100", NULL },
			100 },
		{ { "webhook-signature", "v1,aaaa", "webhook-id", "x", "webhook-timestamp", "9999999999999",
			  NULL },
			100 },
		{ { "webhook-signature", "v1,aaaa", "webhook-id", "x", "webhook-timestamp", "1000", NULL },
			1301 },
		{ { "webhook-signature", "v1,aaaa", "webhook-id", "x", "webhook-timestamp", "1301", NULL },
			1000 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct signature_claim made;
		if (claim(&signature_standard_webhooks, rows[i].headers, rows[i].now, &made) !=
			-XYLEM_E_UNAUTHORIZED) {
			fail_msg("row %zu was taken for a claim", i);
		}
	}
}

static void signatures_that_are_none(void **state)
{
	static const char *const texts[] = { "", " ", "v1,", "v1",
		"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=x",
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=", "v1,====", "v1,g0hM9SsE", "v1,!" };
	struct signature_key *key = key_of_whsec(vector_secret);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *headers[] = { "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp",
			"1614265330", "webhook-signature", texts[i], NULL };
		struct signature_claim made;
		assert_int_equal(claim(&signature_standard_webhooks, headers, vector_time, &made), 0);
		if (signature_claim_holds(
			    &made, &signature_standard_webhooks, &key, 1, xylem_span_of(vector_body))) {
			/* 1OF differs from 1OE only in bits that 32 bytes do not have. */
			assert_string_equal(texts[i], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=");
		}
	}
	signature_key_free(key);
}

static void base64_round_trips(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } }; /* RFC 4648, 10 */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char bytes[16];
		size_t n = 99;
		struct xylem_buffer out = { 0 };
		base64_write(&out, xylem_span_of(rows[i].bytes));
		assert_true(xylem_span_is(xylem_buffer_borrow(&out), rows[i].text));
		xylem_buffer_finish(&out);
		assert_true(base64_decode(xylem_span_of(rows[i].text), bytes, sizeof(bytes), &n));
		assert_int_equal(n, strlen(rows[i].bytes));
		assert_memory_equal(bytes, rows[i].bytes, n);
	}
	char bytes[4];
	size_t n = 0;
	assert_true(base64_decode(XYLEM_SPAN_LITERAL("Zm8"), bytes, 4, &n)); /* padding may be left out */
	assert_int_equal(n, 2);
	assert_false(base64_decode(XYLEM_SPAN_LITERAL("Z"), bytes, 4, &n));
	assert_false(base64_decode(XYLEM_SPAN_LITERAL("Zg="), bytes, 4, &n));
	assert_false(base64_decode(XYLEM_SPAN_LITERAL("Zm 8"), bytes, 4, &n));
	assert_false(base64_decode(XYLEM_SPAN_LITERAL("Zm9vYmFy"), bytes, 4, &n));
	assert_true(hex_decode(XYLEM_SPAN_LITERAL("00fF"), bytes, 4, &n));
	assert_int_equal(n, 2);
	assert_false(hex_decode(XYLEM_SPAN_LITERAL("0"), bytes, 4, &n));
	assert_false(hex_decode(XYLEM_SPAN_LITERAL("0g"), bytes, 4, &n));
	assert_false(hex_decode(XYLEM_SPAN_LITERAL("0011223344"), bytes, 4, &n));
}

static void secrets_that_are_none(void **state)
{
	static const char *const texts[] = { "", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char bytes[64];
		size_t n = 0;
		struct xylem_reason reason = { "" };
		assert_int_equal(signature_secret_decode(xylem_span_of(texts[i]), bytes, &n, &reason),
			-XYLEM_E_INVALID);
		assert_true(reason.text[0]);
	}
}

static void freeing_nothing(void **state)
{
	assert_null(signature_key_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_round_trips),
		cmocka_unit_test(standard_webhooks_vector),
		cmocka_unit_test(github_vector),
		cmocka_unit_test(stripe_reads_its_one_header),
		cmocka_unit_test(either_key_of_a_rotation_holds),
		cmocka_unit_test(claims_that_are_none),
		cmocka_unit_test(signatures_that_are_none),
		cmocka_unit_test(secrets_that_are_none),
		cmocka_unit_test(freeing_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
