/* test_provider_x25519.c - the OpenSSL provider's X25519 against OpenSSL's own: the same random calls go to keys and exchanges of
 * each, and results, secrets and what keys say about themselves must agree.
 *
 *   test_provider_x25519            some hundred cases
 *   test_provider_x25519 CASES      that many */
#include "provider_pair.h"
#include <openssl/core_dispatch.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

enum { KEY_LEN = 32 };

static unsigned long n_cases = 600;

static bool is_like(EVP_PKEY *const keys[BOTH]) {
  if ((keys[OURS] == NULL) != (keys[THEIRS] == NULL)) fail_msg("one makes a key, the other does not");
  ERR_clear_error();
  return keys[OURS] != NULL;
}

static void free_keys(EVP_PKEY *keys[BOTH]) {
  for (int w = 0; w < BOTH; w++) EVP_PKEY_free(keys[w]);
}

/* Some points are of small order, some numbers not reduced. */
static void random_bytes(uint8_t *out, size_t len, uint64_t *seed) {
  fill_random(out, len, *seed);
  switch (random_below(seed, 12)) {
  case 0:
    memset(out, 0, len);
    out[0] = (uint8_t)random_below(seed, 2);
    break;
  case 1:
    memset(out, 0xff, len);
    out[0] = (uint8_t)(0xec + random_below(seed, 20));
    out[len - 1] &= random_below(seed, 2) ? 0x7f : 0xff;
    break;
  }
}

static size_t any_key_len(uint64_t *seed) {
  return random_below(seed, 12) ? KEY_LEN : random_below(seed, 70);
}

/* From raw bytes, or from parameters: either half, both, halves that do not belong together, of wrong lengths. */
static void random_keys(EVP_PKEY *keys[BOTH], uint64_t *seed) {
  uint8_t public[70], private[70];
  size_t public_len = any_key_len(seed), private_len = any_key_len(seed);
  uint64_t what = random_below(seed, 6);
  bool is_fitting = random_below(seed, 4) > 0;
  int selection = random_below(seed, 3) ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
  if (what == 2 && is_openssl_from(3, 6)) selection = EVP_PKEY_KEYPAIR; /* OpenSSL's own would die of a NULL pointer */
  random_bytes(public, sizeof public, seed);
  random_bytes(private, sizeof private, seed);
  if (is_fitting && private_len == KEY_LEN) {
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(contexts[THEIRS], "X25519", NULL, private, KEY_LEN);
    size_t len = sizeof public;
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, public, &len), 1);
    EVP_PKEY_free(key);
  }
  int ret[BOTH] = {1, 1};
  for (int w = 0; w < BOTH; w++) {
    keys[w] = NULL;
    if (what == 0) keys[w] = EVP_PKEY_new_raw_private_key_ex(contexts[w], "X25519", NULL, private, private_len);
    if (what == 1) keys[w] = EVP_PKEY_new_raw_public_key_ex(contexts[w], "X25519", NULL, public, public_len);
    if (what < 2) continue;
    OSSL_PARAM params[3], *end = params;
    if (what != 2) *end++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, public_len);
    if (what != 3) *end++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, private, private_len);
    *end = OSSL_PARAM_construct_end();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(contexts[w], "X25519", NULL);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    ret[w] = EVP_PKEY_fromdata(ctx, &keys[w], selection, params);
    if (ret[w] != 1) EVP_PKEY_free(keys[w]), keys[w] = NULL;
    EVP_PKEY_CTX_free(ctx);
  }
  returns_agree("fromdata", ret[OURS], ret[THEIRS]);
}

/* Everything a key can be asked, with buffers of any size. */
static void ask(EVP_PKEY *const keys[BOTH], uint64_t *seed) {
  static const char *const names[] = {"encoded-pub-key", "pub", "priv", "bits", "security-bits", "max-size", "no"};
  const char *name = names[random_below(seed, sizeof names / sizeof names[0])];
  size_t cap = random_below(seed, 3) ? 64 : random_below(seed, 64), len[BOTH] = {0};
  uint8_t out[BOTH][64] = {{0}};
  int ret[BOTH], number[BOTH][3];
  for (int w = 0; w < BOTH; w++) {
    ret[w] = EVP_PKEY_get_octet_string_param(keys[w], name, out[w], cap, &len[w]);
    number[w][0] = EVP_PKEY_get_bits(keys[w]);
    number[w][1] = EVP_PKEY_get_security_bits(keys[w]);
    number[w][2] = EVP_PKEY_get_size(keys[w]);
  }
  returns_agree(name, ret[OURS], ret[THEIRS]);
  assert_memory_equal(number[OURS], number[THEIRS], sizeof number[0]);
  if (ret[OURS] != 1) return;
  assert_int_equal(len[OURS], len[THEIRS]);
  assert_memory_equal(out[OURS], out[THEIRS], 64);
}

/* What is exported, by selection. */
static void export(EVP_PKEY *const keys[BOTH], uint64_t *seed) {
  static const int selections[] = {EVP_PKEY_KEYPAIR, EVP_PKEY_PUBLIC_KEY, EVP_PKEY_KEY_PARAMETERS,
                                   OSSL_KEYMGMT_SELECT_PRIVATE_KEY, OSSL_KEYMGMT_SELECT_PUBLIC_KEY};
  int selection = selections[random_below(seed, sizeof selections / sizeof selections[0])], ret[BOTH];
  OSSL_PARAM *params[BOTH] = {NULL, NULL};
  for (int w = 0; w < BOTH; w++) ret[w] = EVP_PKEY_todata(keys[w], selection, &params[w]);
  returns_agree("todata", ret[OURS], ret[THEIRS]);
  for (const OSSL_PARAM *p = ret[THEIRS] == 1 ? params[THEIRS] : NULL; p != NULL && p->key != NULL; p++) {
    const OSSL_PARAM *ours = OSSL_PARAM_locate_const(params[OURS], p->key);
    assert_non_null(ours);
    assert_int_equal(ours->data_size, p->data_size);
    assert_memory_equal(ours->data, p->data, p->data_size);
  }
  for (int w = 0; w < BOTH; w++) {
    if (ret[w] == 1) OSSL_PARAM_free(params[w]);
  }
}

static void check(EVP_PKEY *const keys[BOTH]) {
  int ret[BOTH][4];
  for (int w = 0; w < BOTH; w++) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(contexts[w], keys[w], NULL);
    ret[w][0] = EVP_PKEY_public_check(ctx);
    ret[w][1] = EVP_PKEY_private_check(ctx);
    ret[w][2] = EVP_PKEY_pairwise_check(ctx);
    ret[w][3] = EVP_PKEY_check(ctx);
    EVP_PKEY_CTX_free(ctx);
  }
  for (int i = 0; i < 4; i++) returns_agree("check", ret[OURS][i], ret[THEIRS][i]);
}

/* Derives by a context, or by a copy of it made half way, into a buffer of any size. */
static void derive(EVP_PKEY *const own[BOTH], EVP_PKEY *const peer[BOTH], uint64_t *seed) {
  bool by_copy = random_below(seed, 2), with_peer = random_below(seed, 8) > 0, checked = random_below(seed, 2);
  size_t cap = random_below(seed, 4) ? KEY_LEN : random_below(seed, 64), len[BOTH];
  uint8_t secret[BOTH][64] = {{0}};
  int ret[BOTH][4] = {{0}};
  for (int w = 0; w < BOTH; w++) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(contexts[w], own[w], NULL);
    ret[w][0] = EVP_PKEY_derive_init(ctx);
    if (with_peer) ret[w][1] = EVP_PKEY_derive_set_peer_ex(ctx, peer[w], checked);
    if (by_copy) {
      EVP_PKEY_CTX *copy = EVP_PKEY_CTX_dup(ctx);
      assert_non_null(copy);
      EVP_PKEY_CTX_free(ctx);
      ctx = copy;
    }
    len[w] = 99;
    ret[w][2] = EVP_PKEY_derive(ctx, NULL, &len[w]);
    if (ret[w][2] == 1) assert_int_equal(len[w], KEY_LEN);
    len[w] = cap;
    ret[w][3] = EVP_PKEY_derive(ctx, secret[w], &len[w]);
    EVP_PKEY_CTX_free(ctx);
  }
  for (int i = 0; i < 4; i++) returns_agree("derive", ret[OURS][i] > 0, ret[THEIRS][i] > 0);
  if (ret[OURS][3] <= 0) return;
  assert_int_equal(len[OURS], len[THEIRS]);
  assert_memory_equal(secret[OURS], secret[THEIRS], sizeof secret[0]);
}

/* A public key given to a key that has one already, and perhaps a private one. */
static void set_encoded(EVP_PKEY *const keys[BOTH], uint64_t *seed) {
  uint8_t public[70];
  size_t len = any_key_len(seed);
  int ret[BOTH];
  random_bytes(public, sizeof public, seed);
  for (int w = 0; w < BOTH; w++) ret[w] = EVP_PKEY_set1_encoded_public_key(keys[w], public, len);
  returns_agree("set encoded", ret[OURS], ret[THEIRS]);
}

static void compare(EVP_PKEY *const keys[BOTH], EVP_PKEY *const others[BOTH]) {
  int ret[BOTH][2];
  for (int w = 0; w < BOTH; w++) {
    EVP_PKEY *copy = EVP_PKEY_dup(keys[w]);
    assert_non_null(copy);
    ret[w][0] = EVP_PKEY_eq(keys[w], others[w]);
    ret[w][1] = EVP_PKEY_eq(keys[w], copy);
    EVP_PKEY_free(copy);
  }
  for (int i = 0; i < 2; i++) returns_agree("eq", ret[OURS][i], ret[THEIRS][i]);
}

static void random_calls(uint64_t seed) {
  EVP_PKEY *keys[BOTH], *others[BOTH];
  random_keys(keys, &seed);
  random_keys(others, &seed);
  bool has_keys = is_like(keys), has_others = is_like(others);
  for (size_t i = 0; has_keys && has_others && i < 8; i++) {
    switch (random_below(&seed, 7)) {
    case 0:
      ask(keys, &seed);
      break;
    case 1:
      export(keys, &seed);
      break;
    case 2:
      check(keys);
      break;
    case 3:
    case 4:
      derive(keys, others, &seed);
      break;
    case 5:
      compare(keys, others);
      break;
    case 6:
      if (random_below(&seed, 3) == 0) set_encoded(random_below(&seed, 2) ? keys : others, &seed);
      break;
    }
  }
  free_keys(keys);
  free_keys(others);
  ERR_clear_error();
}

static void test_random_calls(void **state) {
  (void)state;
  for (unsigned long n = 0; has_x25519() && n < n_cases; n++) random_calls(1000003 * (uint64_t)(n + 1));
}

/* Each makes a key, and both get the same secret: the way libssl does it, an empty key of the same kind takes the peer's
 * encoded point. */
static void test_made_keys(void **state) {
  (void)state;
  if (!has_x25519()) return;
  for (int n = 0; n < 20; n++) {
    EVP_PKEY *made[BOTH], *peers[BOTH];
    uint8_t *points[BOTH], secrets[BOTH][KEY_LEN], private[KEY_LEN];
    for (int w = 0; w < BOTH; w++) {
      size_t len = KEY_LEN;
      made[w] = EVP_PKEY_Q_keygen(contexts[w], NULL, "X25519");
      assert_non_null(made[w]);
      assert_int_equal(EVP_PKEY_get1_encoded_public_key(made[w], &points[w]), KEY_LEN);
      assert_int_equal(EVP_PKEY_get_raw_private_key(made[w], private, &len), 1);
      assert_int_equal(private[0] & 7, 0);
      assert_int_equal(private[31] & 0xc0, 0x40);
    }
    for (int w = 0; w < BOTH; w++) {
      size_t len = KEY_LEN;
      peers[w] = EVP_PKEY_new();
      assert_int_equal(EVP_PKEY_copy_parameters(peers[w], made[w]), 1);
      assert_int_equal(EVP_PKEY_set1_encoded_public_key(peers[w], points[1 - w], KEY_LEN), 1);
      assert_int_equal(EVP_PKEY_set1_encoded_public_key(peers[w], points[1 - w], KEY_LEN - 1), 0);
      EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(contexts[w], made[w], NULL);
      assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
      assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peers[w]), 1);
      assert_int_equal(EVP_PKEY_derive(ctx, secrets[w], &len), 1);
      EVP_PKEY_CTX_free(ctx);
    }
    assert_memory_equal(secrets[OURS], secrets[THEIRS], KEY_LEN);
    for (int w = 0; w < BOTH; w++) OPENSSL_free(points[w]);
    free_keys(made);
    free_keys(peers);
  }
  ERR_clear_error();
}

/* Parameters of making: the name of the group, in any case, and no other. */
static void test_group_names(void **state) {
  (void)state;
  static const char *const groups[] = {"x25519", "X25519", "x25519 ", "x448", "", "P-256"};
  for (size_t i = 0; has_x25519() && i < sizeof groups / sizeof groups[0]; i++) {
    int ret[BOTH];
    for (int w = 0; w < BOTH; w++) {
      EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(contexts[w], "X25519", NULL);
      OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("properties", (char *)(uintptr_t) "a=b", 0),
                             OSSL_PARAM_construct_utf8_string("group", (char *)(uintptr_t)groups[i], 0),
                             OSSL_PARAM_construct_end()};
      assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
      ret[w] = EVP_PKEY_CTX_set_params(ctx, params);
      EVP_PKEY_CTX_free(ctx);
    }
    returns_agree(groups[i], ret[OURS], ret[THEIRS]);
  }
  ERR_clear_error();
}

/* RFC 9180 A.1.1: ikmE, skEm and pkEm. OpenSSL's has this from 3.2 on. */
static void test_derived_key(void **state) {
  (void)state;
  static const uint8_t want_private[KEY_LEN] = {0x52, 0xc4, 0xa7, 0x58, 0xa8, 0x02, 0xcd, 0x8b, 0x93, 0x6e, 0xce,
                                                0xea, 0x31, 0x44, 0x32, 0x79, 0x8d, 0x5b, 0xaf, 0x2d, 0x7e, 0x92,
                                                0x35, 0xdc, 0x08, 0x4a, 0xb1, 0xb9, 0xcf, 0xa2, 0xf7, 0x36};
  static const uint8_t want_public[KEY_LEN] = {0x37, 0xfd, 0xa3, 0x56, 0x7b, 0xdb, 0xd6, 0x28, 0xe8, 0x86, 0x68,
                                               0xc3, 0xc8, 0xd7, 0xe9, 0x7d, 0x1d, 0x12, 0x53, 0xb6, 0xd4, 0xea,
                                               0x6d, 0x44, 0xc1, 0x50, 0xf7, 0x41, 0xf1, 0xbf, 0x44, 0x31};
  uint8_t ikm[KEY_LEN] = {0x72, 0x68, 0x60, 0x0d, 0x40, 0x3f, 0xce, 0x43, 0x15, 0x61, 0xae,
                          0xf5, 0x83, 0xee, 0x16, 0x13, 0x52, 0x7c, 0xff, 0x65, 0x5c, 0x13,
                          0x43, 0xf2, 0x98, 0x12, 0xe6, 0x67, 0x06, 0xdf, 0x32, 0x34};
  uint8_t private[KEY_LEN], public[KEY_LEN];
  size_t len = KEY_LEN;
  EVP_PKEY *key = NULL;
  if (!has_x25519()) return;
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(contexts[OURS], "X25519", NULL);
  OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string("dhkem-ikm", ikm, KEY_LEN - 1), OSSL_PARAM_construct_end()};
  assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
  assert_reason(EVP_PKEY_CTX_set_params(ctx, params), "invalid key length");
  params[0].data_size = KEY_LEN;
  assert_int_equal(EVP_PKEY_CTX_set_params(ctx, params), 1);
  assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
  assert_int_equal(EVP_PKEY_get_raw_private_key(key, private, &len), 1);
  assert_int_equal(EVP_PKEY_get_raw_public_key(key, public, &len), 1);
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(key);

  /* A private key is exported as it is used; the RFC's is not clamped. */
  uint8_t clamped[KEY_LEN];
  memcpy(clamped, want_private, KEY_LEN);
  clamped[0] &= 248;
  clamped[31] = (clamped[31] & 127) | 64;
  assert_memory_equal(private, clamped, KEY_LEN);
  assert_memory_equal(public, want_public, KEY_LEN);
}

static void derive_in(OSSL_LIB_CTX *lib, EVP_PKEY *own, EVP_PKEY *peer, uint8_t secret[KEY_LEN]) {
  size_t len = KEY_LEN;
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(lib, own, NULL);
  assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
  assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
  assert_int_equal(EVP_PKEY_derive(ctx, secret, &len), 1);
  EVP_PKEY_CTX_free(ctx);
}

/* Keys of ours through OpenSSL's encoders and decoders, where both providers are loaded and ours is preferred. What decoders
 * make is the default provider's; it is good for an exchange all the same. */
static void test_der(void **state) {
  (void)state;
  if (!has_x25519()) return;
  OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
  assert_int_equal(OSSL_PROVIDER_set_default_search_path(ctx, SEALANE_MODULES), 1);
  OSSL_PROVIDER *ours = OSSL_PROVIDER_load(ctx, "sealane"), *theirs = OSSL_PROVIDER_load(ctx, "default");
  assert_true(ours != NULL && theirs != NULL);
  assert_int_equal(EVP_set_default_properties(ctx, "?provider=sealane"), 1);
  EVP_PKEY *key = EVP_PKEY_Q_keygen(ctx, NULL, "X25519");
  assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)), "sealane");
  uint8_t *der = NULL;
  int len = i2d_PrivateKey(key, &der);
  assert_true(len > KEY_LEN);
  const uint8_t *p = der;
  EVP_PKEY *back = d2i_AutoPrivateKey_ex(NULL, &p, len, ctx, NULL);
  assert_non_null(back);
  assert_int_equal(EVP_PKEY_eq(key, back), 1);
  uint8_t by_decoded[KEY_LEN];
  derive_in(ctx, back, key, by_decoded);
  OPENSSL_free(der);
  EVP_PKEY_free(back);

  der = NULL;
  len = i2d_PUBKEY(key, &der);
  assert_true(len > KEY_LEN);
  p = der;
  back = d2i_PUBKEY_ex(NULL, &p, len, ctx, NULL);
  assert_non_null(back);
  assert_int_equal(EVP_PKEY_eq(key, back), 1);
  OPENSSL_free(der);
  uint8_t secrets[2][KEY_LEN];
  derive_in(ctx, key, back, secrets[0]);
  derive_in(ctx, key, key, secrets[1]);
  assert_memory_equal(secrets[0], secrets[1], KEY_LEN);
  assert_memory_equal(secrets[0], by_decoded, KEY_LEN);
  EVP_PKEY_free(back);
  EVP_PKEY_free(key);
  OSSL_PROVIDER_unload(ours);
  OSSL_PROVIDER_unload(theirs);
  OSSL_LIB_CTX_free(ctx);
}

static void test_lists(void **state) {
  (void)state;
  EVP_KEYMGMT *keymgmt[BOTH];
  EVP_KEYEXCH *keyexch[BOTH];
  if (!has_x25519()) return;
  for (int w = 0; w < BOTH; w++) {
    keymgmt[w] = EVP_KEYMGMT_fetch(contexts[w], "1.3.101.110", NULL);
    keyexch[w] = EVP_KEYEXCH_fetch(contexts[w], "1.3.101.110", NULL);
    assert_true(keymgmt[w] != NULL && keyexch[w] != NULL);
    assert_true(EVP_KEYMGMT_is_a(keymgmt[w], "x25519"));
  }
  lists_agree("gettable", EVP_KEYMGMT_gettable_params(keymgmt[OURS]), EVP_KEYMGMT_gettable_params(keymgmt[THEIRS]),
              "security-category");
  lists_agree("settable", EVP_KEYMGMT_settable_params(keymgmt[OURS]), EVP_KEYMGMT_settable_params(keymgmt[THEIRS]),
              NULL);
  /* From 3.2 on, OpenSSL's has it, too. */
  lists_agree("making", EVP_KEYMGMT_gen_settable_params(keymgmt[OURS]),
              EVP_KEYMGMT_gen_settable_params(keymgmt[THEIRS]), "dhkem-ikm");
  lists_agree("exchange", EVP_KEYEXCH_settable_ctx_params(keyexch[OURS]),
              EVP_KEYEXCH_settable_ctx_params(keyexch[THEIRS]), NULL);
  for (int w = 0; w < BOTH; w++) {
    EVP_KEYMGMT_free(keymgmt[w]);
    EVP_KEYEXCH_free(keyexch[w]);
  }
}

static void test_reasons(void **state) {
  (void)state;
  if (!has_x25519()) return;
  uint8_t zeros[KEY_LEN] = {0}, secret[KEY_LEN];
  size_t len = KEY_LEN;
  EVP_PKEY *key = EVP_PKEY_Q_keygen(contexts[OURS], NULL, "X25519");
  EVP_PKEY *zero = EVP_PKEY_new_raw_public_key_ex(contexts[OURS], "X25519", NULL, zeros, KEY_LEN);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(contexts[OURS], key, NULL);
  assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
  assert_int_equal(EVP_PKEY_derive_set_peer(ctx, zero), 1);
  assert_reason(EVP_PKEY_derive(ctx, secret, &len), "the peer's public key gives no secret");
  assert_int_equal(EVP_PKEY_derive_set_peer(ctx, key), 1);
  len = KEY_LEN - 1;
  assert_reason(EVP_PKEY_derive(ctx, secret, &len), "the output buffer is too small");
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(key);
  EVP_PKEY_free(zero);
}

int main(int argc, char *argv[]) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_calls), cmocka_unit_test(test_made_keys), cmocka_unit_test(test_group_names),
      cmocka_unit_test(test_derived_key),  cmocka_unit_test(test_der),       cmocka_unit_test(test_lists),
      cmocka_unit_test(test_reasons),
  };
  if (argc > 1) n_cases = strtoul(argv[1], NULL, 10);
  force_what_there_is();
  return cmocka_run_group_tests(tests, pair_set_up, pair_tear_down);
}
