/* test_record.c - records against libcrypto: every byte of the wire computed a second way, then opened again. */
#include "guard.h"
#include "unit.h"

#include "engine/bytes.h"
#include <openssl/evp.h>
#include <sealane/record.h>
#include <stdlib.h>

static const enum sl_aead aeads[] = {SL_AES_128_GCM, SL_AES_256_GCM, SL_CHACHA20_POLY1305};
#define N_AEADS (sizeof aeads / sizeof aeads[0])

static uint8_t secret[32], iv[12];
static uint8_t text[SL_RECORD_FRAGMENT_MAX], wire[SL_RECORD_WIRE_MAX + 64], want[SL_RECORD_WIRE_MAX + 64],
    plain[SL_RECORD_WIRE_MAX];

static int setup(void **state) {
  (void)state;
  uint32_t x = 12345;
  for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
  memcpy(secret, text + 100, sizeof secret);
  memcpy(iv, text + 200, sizeof iv);
  return 0;
}

/* The record by libcrypto: inner is content, type and zeros. Returns its length. */
static size_t wire_by_libcrypto(uint8_t *out, enum sl_aead aead, uint64_t seq, const uint8_t *inner, size_t inner_len) {
  const EVP_CIPHER *cipher = aead == SL_AES_128_GCM   ? EVP_aes_128_gcm()
                             : aead == SL_AES_256_GCM ? EVP_aes_256_gcm()
                                                      : EVP_chacha20_poly1305();
  uint8_t nonce[12];
  memcpy(nonce, iv, 12);
  for (int i = 0; i < 8; i++) nonce[11 - i] ^= (uint8_t)(seq >> 8 * i);
  out[0] = 23;
  out[1] = 3;
  out[2] = 3;
  sl_store16_be(out + 3, (uint16_t)(inner_len + 16));
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  int n;
  assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, secret, nonce), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, out, 5), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, out + 5, &n, inner, (int)inner_len), 1);
  assert_int_equal(EVP_EncryptFinal_ex(ctx, out + 5 + n, &n), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + 5 + inner_len), 1);
  EVP_CIPHER_CTX_free(ctx);
  return 5 + inner_len + 16;
}

static struct sl_record_key new_key(enum sl_aead aead) {
  struct sl_record_key key;
  assert_int_equal(sl_record_key_init(&key, aead, secret, sl_aead_secret_len(aead), iv), SL_OK);
  return key;
}

static size_t make_inner(uint8_t *inner, size_t len, uint8_t type, size_t pad_len) {
  memcpy(inner, text, len);
  inner[len] = type;
  memset(inner + len + 1, 0, pad_len);
  return len + 1 + pad_len;
}

enum how { APART, IN_PLACE, GATHERED, N_HOWS };

static void check_one(enum sl_aead aead, uint64_t seq, size_t len, size_t pad_len, enum how how) {
  static uint8_t inner[SL_RECORD_FRAGMENT_MAX + 1];
  struct sl_record_key key = new_key(aead), peer = key;
  struct sl_record record;
  key.seq = peer.seq = seq;
  size_t want_len = wire_by_libcrypto(want, aead, seq, inner, make_inner(inner, len, 22, pad_len));

  memset(wire, 0xa5, sizeof wire);
  struct iovec pieces[4] = {{text, len}};
  size_t n_pieces = 1;
  if (how == IN_PLACE) {
    memcpy(wire + 5, text, len);
    pieces[0].iov_base = wire + 5;
  } else if (how == GATHERED) {
    pieces[0] = (struct iovec){text, len / 3};
    pieces[1] = (struct iovec){NULL, 0};
    pieces[2] = (struct iovec){text + len / 3, len / 2};
    pieces[3] = (struct iovec){text + len / 3 + len / 2, len - len / 3 - len / 2};
    n_pieces = 4;
  }
  assert_int_equal(sl_record_seal(&record, &key, 22, pieces, n_pieces, pad_len, wire, want_len), SL_OK);
  assert_int_equal(record.err, SL_E_PENDING);
  assert_int_equal(sl_record_run(&record), SL_OK);
  assert_int_equal(record.wire_len, want_len);
  assert_memory_equal(wire, want, want_len);
  assert_int_equal(wire[want_len], 0xa5);
  assert_int_equal(key.seq, seq + 1);

  uint8_t *to = how == IN_PLACE ? wire + 5 : plain;
  assert_int_equal(sl_record_open(&record, &peer, wire, want_len, to, want_len - SL_RECORD_OVERHEAD), SL_OK);
  assert_int_equal(sl_record_run(&record), SL_OK);
  assert_int_equal(record.type, 22);
  assert_int_equal(record.plain_len, len);
  assert_int_equal(record.wire_len, want_len);
  assert_memory_equal(to, text, len);
  if (how != IN_PLACE) assert_memory_equal(wire, want, want_len);
  sl_record_key_wipe(&key);
  sl_record_key_wipe(&peer);
}

static void records_equal_libcrypto(void **state) {
  (void)state;
  static const size_t lens[] = {0, 1, 2, 15, 16, 17, 63, 64, 65, 255, 1350, 4096, 16000, 16383, 16384};
  static const size_t pads[] = {0, 1, 15, 16, 17, 300};
  static const uint64_t seqs[] = {0, 1, 255, 256, 0x1234567, SL_RECORD_LIMIT_GCM - 1};
  for (size_t a = 0; a < N_AEADS; a++)
    for (size_t l = 0; l < sizeof lens / sizeof lens[0]; l++)
      for (size_t p = 0; p < sizeof pads / sizeof pads[0]; p++)
        for (enum how how = 0; how < N_HOWS; how++)
          if (lens[l] + pads[p] <= SL_RECORD_TEXT_MAX) check_one(aeads[a], seqs[(l + p) % 6], lens[l], pads[p], how);
}

static void sequence_numbers_use_all_64_bits(void **state) {
  (void)state;
  check_one(SL_CHACHA20_POLY1305, UINT64_C(0x8000000000000001), 100, 0, APART);
  check_one(SL_CHACHA20_POLY1305, UINT64_MAX - 1, 100, 0, APART);
}

static void any_flipped_bit_is_refused_and_leaves_zeros(void **state) {
  (void)state;
  static const uint8_t zeros[100];
  for (size_t a = 0; a < N_AEADS; a++) {
    struct sl_record_key key = new_key(aeads[a]);
    struct sl_record record;
    struct iovec piece = {text, 40};
    assert_int_equal(sl_record_seal(&record, &key, 23, &piece, 1, 0, wire, sizeof wire), SL_OK);
    assert_int_equal(sl_record_run(&record), SL_OK);
    size_t wire_len = record.wire_len;
    for (size_t bit = 0; bit < wire_len * 8; bit++) {
      if (bit / 8 == 3 || bit / 8 == 4) continue; /* the length: another record altogether */
      key.seq = 0;
      memset(plain, 0x77, sizeof plain);
      wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
      record.job.err = bit % 2 ? SL_E_PENDING : SL_OK; /* of another life; to kernels it would mean something */
      assert_int_equal(sl_record_open(&record, &key, wire, wire_len, plain, sizeof plain), SL_OK);
      assert_int_equal(sl_record_run(&record), SL_E_AUTH);
      assert_int_equal(record.plain_len, 0);
      assert_memory_equal(plain, zeros, 40);
      assert_int_equal(plain[40], 0x77);
      wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    key.seq = 1; /* right bytes at the wrong place */
    assert_int_equal(sl_record_open(&record, &key, wire, wire_len, plain, sizeof plain), SL_OK);
    assert_int_equal(sl_record_run(&record), SL_E_AUTH);
    sl_record_key_wipe(&key);
  }
}

static void inner_plaintext_rules(void **state) {
  (void)state;
  static uint8_t inner[SL_RECORD_FRAGMENT_MAX];
  struct {
    size_t len, pad_len;
    uint8_t type;
    sl_err err;
  } cases[] = {
      {0, 0, 0, SL_E_NO_CONTENT_TYPE},
      {0, 30, 0, SL_E_NO_CONTENT_TYPE},
      {0, 16384, 0, SL_E_NO_CONTENT_TYPE},
      {0, 16385, 0, SL_E_LENGTH},
      {16384, 0, 23, SL_OK},
      {0, 16384, 23, SL_OK},
      {16385, 0, 23, SL_E_LENGTH},
      {16384, 1, 23, SL_E_LENGTH},
      {1, 16384, 23, SL_E_LENGTH},
      {16623, 0, 23, SL_E_LENGTH},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct sl_record_key key = new_key(SL_AES_128_GCM);
    struct sl_record record;
    memset(inner, cases[i].type == 0 ? 0 : 0x31, sizeof inner);
    inner[cases[i].len] = cases[i].type;
    memset(inner + cases[i].len + 1, 0, cases[i].pad_len);
    size_t wire_len = wire_by_libcrypto(wire, SL_AES_128_GCM, 0, inner, cases[i].len + 1 + cases[i].pad_len);
    assert_int_equal(sl_record_open(&record, &key, wire, wire_len, plain, sizeof plain), SL_OK);
    assert_int_equal(sl_record_run(&record), cases[i].err);
    if (cases[i].err == SL_OK) assert_int_equal(record.plain_len, cases[i].len);
    if (cases[i].err != SL_OK)
      for (size_t k = 0; k < wire_len - SL_RECORD_OVERHEAD; k++) assert_int_equal(plain[k], 0);
    sl_record_key_wipe(&key);
  }
}

static void bad_arguments_take_nothing(void **state) {
  (void)state;
  struct sl_record_key key = new_key(SL_AES_128_GCM), empty = {0};
  struct sl_record r;
  struct iovec one = {text, 10}, null = {NULL, 1}, long_one = {text, 16385}, two[2] = {{text, 16384}, {text, 1}};
  struct iovec wrap[2] = {{text, 10}, {text, SIZE_MAX - 4}};
  struct iovec overlap = {wire + 6, 10}, overlap_end = {wire + 31, 10}, clear = {wire + 32, 10};
  struct iovec same[2] = {{wire + 5, 5}, {text, 5}};
  assert_int_equal(sl_record_seal(&r, &key, 23, &one, 1, 0, NULL, 100), SL_E_ARG);
  assert_int_equal(sl_record_seal(&r, &key, 0, &one, 1, 0, wire, 100), SL_E_ARG);
  assert_int_equal(sl_record_seal(&r, &key, 23, NULL, 1, 0, wire, 100), SL_E_ARG);
  assert_int_equal(sl_record_seal(&r, &key, 23, &null, 1, 0, wire, 100), SL_E_ARG);
  assert_int_equal(sl_record_seal(&r, &empty, 23, &one, 1, 0, wire, 100), SL_E_KEY);
  assert_int_equal(sl_record_seal(&r, &key, 23, &long_one, 1, 0, wire, sizeof wire), SL_E_LENGTH);
  assert_int_equal(sl_record_seal(&r, &key, 23, two, 2, 0, wire, sizeof wire), SL_E_LENGTH);
  assert_int_equal(sl_record_seal(&r, &key, 23, wrap, 2, 0, wire, sizeof wire), SL_E_LENGTH);
  assert_int_equal(sl_record_seal(&r, &key, 23, &one, 1, 16375, wire, sizeof wire), SL_E_LENGTH);
  assert_int_equal(sl_record_seal(&r, &key, 23, &one, 1, SIZE_MAX, wire, sizeof wire), SL_E_LENGTH);
  assert_int_equal(sl_record_seal(&r, &key, 23, &one, 1, 0, wire, 31), SL_E_SPACE);
  assert_int_equal(sl_record_seal(&r, &key, 23, &overlap, 1, 0, wire, 100), SL_E_OVERLAP);
  assert_int_equal(sl_record_seal(&r, &key, 23, &overlap_end, 1, 0, wire, 100), SL_E_OVERLAP);
  assert_int_equal(sl_record_seal(&r, &key, 23, same, 2, 0, wire, 100), SL_E_OVERLAP);
  assert_int_equal(key.seq, 0);
  assert_int_equal(r.err, SL_E_OVERLAP);
  assert_int_equal(sl_record_run(&r), SL_E_OVERLAP);
  assert_int_equal(sl_record_seal(&r, &key, 23, &clear, 1, 0, wire, 100), SL_OK);
  assert_int_equal(sl_record_run(&r), SL_OK);

  key.seq = 0;
  assert_int_equal(sl_record_open(&r, &key, NULL, 32, plain, 10), SL_E_ARG);
  assert_int_equal(sl_record_open(&r, &key, wire, 4, plain, 10), SL_E_ARG);
  assert_int_equal(sl_record_open(&r, &key, wire, 31, plain, 10), SL_E_ARG);
  assert_int_equal(sl_record_open(&r, &key, wire, 33, plain, 10), SL_E_ARG);
  assert_int_equal(sl_record_open(&r, &key, wire, 32, NULL, 10), SL_E_ARG);
  assert_int_equal(sl_record_open(&r, &key, wire, 32, plain, 9), SL_E_SPACE);
  assert_int_equal(sl_record_open(&r, &key, wire, 32, wire + 4, 10), SL_E_OVERLAP);
  assert_int_equal(sl_record_open(&r, &empty, wire, 32, plain, 10), SL_E_KEY);
  static const uint8_t short_record[21] = {23, 3, 3, 0, 16}, long_record[5 + 16641] = {23, 3, 3, 0x41, 0x01};
  assert_int_equal(sl_record_open(&r, &key, short_record, 21, plain, sizeof plain), SL_E_LENGTH);
  assert_int_equal(sl_record_open(&r, &key, long_record, sizeof long_record, plain, sizeof plain), SL_E_LENGTH);
  assert_int_equal(key.seq, 0);
  assert_int_equal(sl_record_open(&r, &key, wire, 32, plain, 10), SL_OK);
  assert_int_equal(sl_record_run(&r), SL_OK);
  sl_record_key_wipe(&key);
}

/* Not even the header of what is too short to have one is looked at; and no byte behind a record that is. */
static void nothing_behind_the_wire_is_read(void **state) {
  (void)state;
  struct sl_record_key key = new_key(SL_AES_128_GCM);
  struct sl_record r;
  struct guard g = guard_new(64);
  for (size_t len = 0; len < SL_RECORD_HEADER_LEN; len++)
    assert_int_equal(sl_record_open(&r, &key, guard_before(&g, len), len, plain, sizeof plain), SL_E_ARG);
  uint8_t *header = guard_before(&g, SL_RECORD_HEADER_LEN);
  for (unsigned fragment_len = 0; fragment_len <= 0xffff; fragment_len += 15) {
    sl_store16_be(header + 3, (uint16_t)fragment_len);
    sl_err err = fragment_len == 0 ? SL_E_LENGTH : SL_E_ARG;
    assert_int_equal(sl_record_open(&r, &key, header, SL_RECORD_HEADER_LEN, plain, sizeof plain), err);
  }
  assert_int_equal(key.seq, 0);
  guard_free(&g);
}

static void keys_stop_at_their_limit(void **state) {
  (void)state;
  struct sl_record_key key = new_key(SL_AES_256_GCM);
  struct sl_record r;
  struct iovec one = {text, 10};
  assert_int_equal(key.limit, SL_RECORD_LIMIT_GCM);
  key.seq = key.limit - 1;
  assert_int_equal(sl_record_seal(&r, &key, 23, &one, 1, 0, wire, 100), SL_OK);
  assert_int_equal(sl_record_run(&r), SL_OK);
  assert_int_equal(sl_record_seal(&r, &key, 23, &one, 1, 0, wire, 100), SL_E_SEQ);
  assert_int_equal(sl_record_open(&r, &key, wire, 32, plain, 10), SL_E_SEQ);
  key = new_key(SL_CHACHA20_POLY1305);
  key.seq = UINT64_MAX;
  assert_int_equal(sl_record_seal(&r, &key, 23, &one, 1, 0, wire, 100), SL_E_SEQ);
  sl_record_key_wipe(&key);
}

static void a_bad_key_leaves_an_empty_object(void **state) {
  (void)state;
  struct sl_record_key key, empty = {0};
  memset(&key, 0x55, sizeof key);
  assert_int_equal(sl_record_key_init(&key, SL_AES_128_GCM, secret, 15, iv), SL_E_ARG);
  assert_memory_equal(&key, &empty, sizeof key);
  assert_int_equal(sl_record_key_init(&key, SL_AEAD_END, secret, 16, iv), SL_E_ARG);
  sl_record_key_wipe(&key);
  assert_memory_equal(&key, &empty, sizeof key);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(records_equal_libcrypto),
      cmocka_unit_test(sequence_numbers_use_all_64_bits),
      cmocka_unit_test(any_flipped_bit_is_refused_and_leaves_zeros),
      cmocka_unit_test(inner_plaintext_rules),
      cmocka_unit_test(bad_arguments_take_nothing),
      cmocka_unit_test(nothing_behind_the_wire_is_read),
      cmocka_unit_test(keys_stop_at_their_limit),
      cmocka_unit_test(a_bad_key_leaves_an_empty_object),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
