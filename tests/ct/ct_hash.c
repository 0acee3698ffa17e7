/* ct_hash.c - SHA-2 compression of every kernel, HMAC and the TLS 1.3 key derivation, with message and key secret. */
#include "ct.h"
#include "hkdf.h"

enum { N_BLOCKS = 3 };

static void compress(const struct sl_kernel *kernel) {
  _Alignas(64) uint8_t state[64];
  uint8_t blocks[N_BLOCKS * SL_HASH_BLOCK_MAX];
  for (size_t n = 1; n <= N_BLOCKS; n++) {
    ct_make_secret(state, sizeof state);
    ct_make_secret(blocks, sizeof blocks);
    kernel->sha2.compress(state, blocks, n);
  }
}

static void sha256(void **state) {
  (void)state;
  ct_each_kernel(SL_ALG_SHA256, compress);
}

static void sha512(void **state) {
  (void)state;
  ct_each_kernel(SL_ALG_SHA512, compress);
}

/* What a handshake does with its secrets: HMAC over messages of all lengths round a block, HKDF, Expand-Label. */
static void derivation(void **state) {
  (void)state;
  static const enum sl_hash hashes[] = {SL_SHA256, SL_SHA384, SL_SHA512};
  for (size_t h = 0; h < sizeof hashes / sizeof hashes[0]; h++) {
    size_t hash_len = sl_hash_len(hashes[h]);
    uint8_t key[200], message[300], prk[SL_HASH_LEN_MAX], out[SL_HASH_LEN_MAX], okm[300];
    ct_make_secret(key, sizeof key);
    ct_make_secret(message, sizeof message);
    for (size_t len = 0; len < sizeof message; len += 7) {
      assert_int_equal(sl_hmac_once(hashes[h], key, len % sizeof key, message, len, out), SL_OK);
    }
    assert_int_equal(sl_hkdf_extract(hashes[h], key, hash_len, message, sizeof message, prk), SL_OK);
    assert_int_equal(sl_hkdf_expand(hashes[h], prk, hash_len, message, 50, okm, sizeof okm), SL_OK);
    assert_int_equal(sl_hkdf_expand_label(hashes[h], prk, "derived", message, hash_len, out, hash_len), SL_OK);
    assert_int_equal(sl_hkdf_expand_label(hashes[h], out, "key", NULL, 0, prk, 16), SL_OK);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(sha256), cmocka_unit_test(sha512), cmocka_unit_test(derivation)};
  return cmocka_run_group_tests_name("ct_hash", tests, NULL, NULL);
}
