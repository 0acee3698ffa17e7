/* ct_record.c - TLS records with key, IV and text secret. Types, lengths and the amount of padding are public. */
#include "ct.h"
#include <sealane/batch.h>

enum { N = 4, TEXT_LEN = 300, WIRE_CAP = SL_RECORD_WIRE_LEN(TEXT_LEN, 64) };

static struct sl_record_key seal_keys[N], open_keys[N];
static struct sl_record records[N];
static uint8_t text[N][TEXT_LEN], wire[N][WIRE_CAP], plain[N][WIRE_CAP];
static _Alignas(16) uint8_t batch_mem[4096];

static void run(struct sl_batch *batch) {
  for (size_t i = 0; i < N; i++) assert_int_equal(sl_batch_add(batch, &records[i]), SL_OK);
  sl_batch_run(batch);
}

static void round_trip(enum sl_aead aead) {
  struct sl_batch batch;
  assert_true(sl_batch_mem_len(N) <= sizeof batch_mem);
  assert_int_equal(sl_batch_init(&batch, N, batch_mem, sizeof batch_mem), SL_OK);
  for (size_t i = 0; i < N; i++) {
    uint8_t secret[32], iv[SL_AEAD_NONCE_LEN];
    size_t secret_len = sl_aead_secret_len(aead);
    ct_make_secret(secret, secret_len);
    ct_make_secret(iv, sizeof iv);
    assert_int_equal(sl_record_key_init(&seal_keys[i], aead, secret, secret_len, iv), SL_OK);
    assert_int_equal(sl_record_key_init(&open_keys[i], aead, secret, secret_len, iv), SL_OK);
    ct_make_secret(text[i], sizeof text[i]);

    struct iovec pieces[] = {{text[i], 100}, {text[i] + 100, TEXT_LEN - 100}};
    assert_int_equal(sl_record_seal(&records[i], &seal_keys[i], SL_CONTENT_APPLICATION_DATA, pieces, 2, 16 * i, wire[i],
                                    sizeof wire[i]),
                     SL_OK);
  }
  run(&batch);
  sl_declassify(wire, sizeof wire); /* it goes to the peer */

  for (size_t i = 0; i < N; i++) {
    assert_int_equal(
        sl_record_open(&records[i], &open_keys[i], wire[i], records[i].wire_len, plain[i], sizeof plain[i]), SL_OK);
  }
  wire[N - 1][7] ^= 1;
  run(&batch);
  assert_int_equal(records[N - 1].err, SL_E_AUTH);
  for (size_t i = 0; i < N - 1; i++) {
    assert_int_equal(records[i].err, SL_OK);
    assert_int_equal(records[i].type, SL_CONTENT_APPLICATION_DATA);
    assert_int_equal(records[i].plain_len, TEXT_LEN);
    uint32_t differs = sl_differ(plain[i], text[i], TEXT_LEN);
    sl_declassify(&differs, sizeof differs); /* the test's own question */
    assert_int_equal(differs, 0);
  }
  sl_batch_wipe(&batch);
}

static void every_suite(void **state) {
  (void)state;
  round_trip(SL_AES_128_GCM);
  round_trip(SL_AES_256_GCM);
  round_trip(SL_CHACHA20_POLY1305);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_suite)};
  return cmocka_run_group_tests_name("ct_record", tests, NULL, NULL);
}
