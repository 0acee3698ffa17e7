/* test_secp256r1.c - secp256r1 key exchange: NIST's cases, private keys at the ends of their range, libcrypto's own ECDH for
 * random keys, and libcrypto without memory. */
#include "unit.h"
#include "vectors.h"
#include <handshake/groups.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_LEN = SL_EXCHANGE_SECRET_LEN, SHARED_LEN = SL_EXCHANGE_SHARED_LEN, POINT_LEN = SL_SHARE_MAX };

static bool is_zero(const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (bytes[i] != 0) return false;
  return true;
}

static void nist(void **state) {
  struct vectors v;
  size_t n_refused = 0;
  (void)state;
  for (vectors_open(&v, "secp256r1_nist.txt"); vectors_next(&v);) {
    size_t secret_len, point_len;
    const uint8_t *secret = vectors_bytes(&v, "secret", &secret_len), *point = vectors_bytes(&v, "point", &point_len);
    bool is_sound = strcmp(vectors_word(&v, "result"), "ok") == 0;
    uint8_t share[POINT_LEN], shared[SHARED_LEN];
    assert_true(secret_len == SECRET_LEN && point_len == POINT_LEN);
    assert_true(sl_secp256r1_is_secret(secret));
    memset(shared, 0xee, sizeof shared);
    sl_err err = sl_secp256r1_exchange(share, shared, secret, point);
    if (err != (is_sound ? SL_OK : SL_E_KEY_SHARE)) fail_msg("%s: %s", vectors_where(&v), sl_err_name(err));
    if (is_sound) {
      size_t len;
      const uint8_t *own = vectors_bytes(&v, "own", &len);
      assert_memory_equal(share, own, POINT_LEN);
      const uint8_t *want = vectors_bytes(&v, "shared", &len);
      assert_memory_equal(shared, want, SHARED_LEN);
    } else {
      assert_true(is_zero(shared, sizeof shared));
      n_refused++;
    }
  }
  vectors_close(&v);
  assert_true(n_refused >= 4);
}

/* 1 and order - 1 are private keys, 0 and the order are not. */
static void range_of_secrets(void **state) {
  static const uint8_t order[SECRET_LEN] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                            0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
  uint8_t secret[SECRET_LEN] = {0};
  (void)state;
  assert_false(sl_secp256r1_is_secret(secret));
  secret[SECRET_LEN - 1] = 1;
  assert_true(sl_secp256r1_is_secret(secret));
  memcpy(secret, order, sizeof secret);
  assert_false(sl_secp256r1_is_secret(secret));
  secret[SECRET_LEN - 1]--;
  assert_true(sl_secp256r1_is_secret(secret));
  secret[SECRET_LEN - 1] += 2;
  assert_false(sl_secp256r1_is_secret(secret));
  memset(secret, 0xff, sizeof secret);
  assert_false(sl_secp256r1_is_secret(secret));
  memcpy(secret, order, sizeof secret);
  secret[3]--; /* smaller in an early byte, larger in all later ones */
  memset(secret + 4, 0xff, sizeof secret - 4);
  assert_true(sl_secp256r1_is_secret(secret));
}

/* What libcrypto's ECDH makes of the same keys: its public key of ours, and the secret from the other side. */
static void libcrypto_agrees(void **state) {
  (void)state;
  for (unsigned round = 0; round < 50; round++) {
    uint8_t secret[SECRET_LEN], share[POINT_LEN], shared[SHARED_LEN], theirs[POINT_LEN], want[SHARED_LEN];
    size_t theirs_len, want_len = sizeof want;
    assert_int_equal(RAND_bytes(secret, sizeof secret), 1);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, theirs, sizeof theirs, &theirs_len),
        1);
    assert_int_equal(theirs_len, POINT_LEN);
    assert_int_equal(sl_secp256r1_exchange(share, shared, secret, theirs), SL_OK);

    EVP_PKEY *ours = EVP_PKEY_new();
    assert_non_null(ours);
    assert_int_equal(EVP_PKEY_copy_parameters(ours, key), 1);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(ours, share, POINT_LEN), 1);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
    assert_int_equal(EVP_PKEY_derive_set_peer(ctx, ours), 1);
    assert_int_equal(EVP_PKEY_derive(ctx, want, &want_len), 1);
    assert_int_equal(want_len, SHARED_LEN);
    assert_memory_equal(shared, want, SHARED_LEN);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(key);
  }
}

/* Shares that are no point: of another form, at (0, 0), and a coordinate over the field's modulus. */
static void no_point(void **state) {
  static const struct {
    uint8_t form, x, y;
  } bad[] = {{4, 0x00, 0x00}, {4, 0xff, 0x00}, {4, 0x00, 0xff}, {4, 0xff, 0xff}, {0, 0x00, 0x00},
             {2, 0x03, 0x03}, {3, 0x03, 0x03}, {6, 0x03, 0x03}, {7, 0x03, 0x03}};
  uint8_t secret[SECRET_LEN] = {7}, peer[POINT_LEN], share[POINT_LEN], shared[SHARED_LEN];
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    peer[0] = bad[i].form;
    memset(peer + 1, bad[i].x, 32);
    memset(peer + 33, bad[i].y, 32);
    memset(shared, 0xee, sizeof shared);
    assert_int_equal(sl_secp256r1_exchange(share, shared, secret, peer), SL_E_KEY_SHARE);
    assert_true(is_zero(shared, sizeof shared));
    assert_int_equal(ERR_peek_error(), 0);
  }
}

/* libcrypto's allocations: `n_left` succeed, then all fail; negative: all succeed. */
static long n_left = -1, n_made;

static bool has_memory(void) {
  n_made++;
  return n_left < 0 || n_left-- > 0;
}
static void *make(size_t len, const char *file, int line) {
  (void)file;
  (void)line;
  return has_memory() ? malloc(len) : NULL;
}
static void *remake(void *p, size_t len, const char *file, int line) {
  (void)file;
  (void)line;
  return has_memory() ? realloc(p, len) : NULL;
}
static void unmake(void *p, const char *file, int line) {
  (void)file;
  (void)line;
  free(p);
}

/* Wherever memory ends, that is what is said, and not that a sound share is none. */
static void no_memory(void **state) {
  const EC_GROUP *group = *state;
  uint8_t secret[SECRET_LEN] = {7}, peer[POINT_LEN], share[POINT_LEN], shared[SHARED_LEN];
  assert_int_equal(
      EC_POINT_point2oct(group, EC_GROUP_get0_generator(group), POINT_CONVERSION_UNCOMPRESSED, peer, sizeof peer, NULL),
      POINT_LEN);
  n_made = 0;
  assert_int_equal(sl_secp256r1_exchange(share, shared, secret, peer), SL_OK);
  long n = n_made;
  assert_true(n > 20);
  for (long i = 0; i < n; i++) {
    memset(shared, 0xee, sizeof shared);
    n_left = i;
    sl_err err = sl_secp256r1_exchange(share, shared, secret, peer);
    n_left = -1;
    if (err != SL_E_MEMORY) fail_msg("allocation %ld of %ld failed: %s", i + 1, n, sl_err_name(err));
    assert_true(is_zero(shared, sizeof shared));
    assert_int_equal(ERR_peek_error(), 0);
  }
}

static int make_group(void **state) {
  *state = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  return *state == NULL;
}
static int free_group(void **state) {
  EC_GROUP_free(*state);
  return 0;
}

int main(void) {
  if (CRYPTO_set_mem_functions(make, remake, unmake) != 1) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(nist), cmocka_unit_test(range_of_secrets),
                                     cmocka_unit_test(libcrypto_agrees), cmocka_unit_test(no_point),
                                     cmocka_unit_test_setup_teardown(no_memory, make_group, free_group)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
