/* test_hkdf.c - HMAC, HKDF and HKDF-Expand-Label: the RFCs' vectors, libcrypto, limits and aliasing. */
#include "engine/bytes.h"
#include "engine/hkdf.h"
#include "guard.h"
#include "primitives.h"
#include "unit.h"
#include "vectors.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

static const enum sl_hash hashes[] = {SL_SHA256, SL_SHA384, SL_SHA512};
static const char *const names[] = {"sha256", "sha384", "sha512"};
#define N_HASHES (sizeof hashes / sizeof hashes[0])

#define OKM_MAX (255 * SL_HASH_LEN_MAX)

static uint8_t data[4096];

static int setup(void **state) {
  (void)state;
  fill(data, sizeof data, 2);
  return 0;
}

static enum sl_hash hash_named(const struct vectors *v) {
  size_t h = 0;
  while (strcmp(names[h], vectors_word(v, "alg")) != 0) assert_true(++h < N_HASHES);
  return hashes[h];
}

static void hmac_rfc4231(void **state) {
  (void)state;
  struct vectors v;
  for (vectors_open(&v, "hmac_rfc4231.txt"); vectors_next(&v);) {
    size_t key_len, msg_len, mac_len;
    enum sl_hash hash = hash_named(&v);
    const uint8_t *key = vectors_bytes(&v, "key", &key_len), *msg = vectors_bytes(&v, "msg", &msg_len),
                  *mac = vectors_bytes(&v, "mac", &mac_len);
    uint8_t got[SL_HASH_LEN_MAX];
    assert_true(mac_len > 0 && mac_len <= sl_hash_len(hash));
    assert_int_equal(sl_hmac_once(hash, key, key_len, msg, msg_len, got), SL_OK);
    if (memcmp(got, mac, mac_len) != 0) fail_msg("%s", vectors_where(&v));
  }
  vectors_close(&v);
}

static void hkdf_rfc5869(void **state) {
  (void)state;
  struct vectors v;
  for (vectors_open(&v, "hkdf_rfc5869.txt"); vectors_next(&v);) {
    size_t ikm_len, salt_len, info_len, prk_len, okm_len;
    enum sl_hash hash = hash_named(&v);
    const uint8_t *ikm = vectors_bytes(&v, "ikm", &ikm_len), *salt = vectors_bytes(&v, "salt", &salt_len),
                  *info = vectors_bytes(&v, "info", &info_len), *prk = vectors_bytes(&v, "prk", &prk_len),
                  *okm = vectors_bytes(&v, "okm", &okm_len);
    uint8_t got_prk[SL_HASH_LEN_MAX], got[OKM_MAX];
    assert_int_equal(prk_len, sl_hash_len(hash));
    assert_int_equal(okm_len, vectors_number(&v, "len"));
    assert_int_equal(sl_hkdf_extract(hash, salt, salt_len, ikm, ikm_len, got_prk), SL_OK);
    assert_memory_equal(got_prk, prk, prk_len);
    assert_int_equal(sl_hkdf_expand(hash, prk, prk_len, info, info_len, got, okm_len), SL_OK);
    assert_memory_equal(got, okm, okm_len);
  }
  vectors_close(&v);
}

static void labels_rfc8448(void **state) {
  (void)state;
  struct vectors v;
  for (vectors_open(&v, "hkdf_label_rfc8448.txt"); vectors_next(&v);) {
    size_t secret_len, context_len, okm_len;
    enum sl_hash hash = hash_named(&v);
    const uint8_t *secret = vectors_bytes(&v, "secret", &secret_len),
                  *context = vectors_bytes(&v, "context", &context_len), *okm = vectors_bytes(&v, "okm", &okm_len);
    uint8_t got[OKM_MAX];
    assert_int_equal(secret_len, sl_hash_len(hash));
    assert_int_equal(okm_len, vectors_number(&v, "len"));
    assert_int_equal(sl_hkdf_expand_label(hash, secret, vectors_word(&v, "label"), context, context_len, got, okm_len),
                     SL_OK);
    if (memcmp(got, okm, okm_len) != 0) fail_msg("%s", vectors_where(&v));
  }
  vectors_close(&v);
}

static void hmac_by_libcrypto(size_t h, const uint8_t *key, size_t key_len, const uint8_t *in, size_t len,
                              uint8_t *out) {
  unsigned n;
  assert_non_null(HMAC(EVP_get_digestbyname(names[h]), key, (int)key_len, in, len, out, &n));
  assert_int_equal(n, sl_hash_len(hashes[h]));
}

/* Key lengths on both sides of a block, messages in two pieces. */
static void hmac_against_libcrypto(void **state) {
  (void)state;
  for (size_t h = 0; h < N_HASHES; h++)
    for (size_t key_len = 0; key_len <= 300; key_len++) {
      const size_t len = number(key_len, 500), cut = number(key_len + 1000, len + 1);
      const uint8_t *key = data + 1000;
      uint8_t want[SL_HASH_LEN_MAX], got[SL_HASH_LEN_MAX];
      struct sl_hmac_ctx ctx, copy;
      static const struct sl_hmac_ctx empty;
      hmac_by_libcrypto(h, key, key_len, data, len, want);
      assert_int_equal(sl_hmac_init(&ctx, hashes[h], key_len > 0 ? key : NULL, key_len), SL_OK);
      sl_hmac_update(&ctx, data, cut);
      copy = ctx;
      sl_hmac_update(&ctx, data + cut, len - cut);
      sl_hmac_final(&ctx, got);
      assert_memory_equal(got, want, sl_hash_len(hashes[h]));
      assert_memory_equal(&ctx, &empty, sizeof ctx);

      sl_hmac_final(&copy, got);
      hmac_by_libcrypto(h, key, key_len, data, cut, want);
      assert_memory_equal(got, want, sl_hash_len(hashes[h]));
    }
}

static void hkdf_by_libcrypto(size_t h, int mode, const uint8_t *key, size_t key_len, const uint8_t *salt,
                              size_t salt_len, const uint8_t *info, size_t info_len, uint8_t *out, size_t out_len) {
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
  EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
  OSSL_PARAM params[6], *p = params;
  *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)names[h], 0);
  *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
  *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, key_len);
  if (salt_len > 0) *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_len);
  if (info_len > 0) *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_len);
  *p = OSSL_PARAM_construct_end();
  assert_int_equal(EVP_KDF_derive(ctx, out, out_len, params), 1);
  EVP_KDF_CTX_free(ctx);
  EVP_KDF_free(kdf);
}

static void extract_against_libcrypto(void **state) {
  (void)state;
  for (size_t h = 0; h < N_HASHES; h++)
    for (size_t salt_len = 0; salt_len <= 200; salt_len += salt_len < 2 ? 1 : 11) {
      const size_t hash_len = sl_hash_len(hashes[h]), ikm_len = 1 + number(salt_len, 200);
      const uint8_t *salt = data + 2000;
      uint8_t want[SL_HASH_LEN_MAX], buffer[300];
      hkdf_by_libcrypto(h, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, data, ikm_len, salt, salt_len, NULL, 0, want, hash_len);
      assert_int_equal(sl_hkdf_extract(hashes[h], salt, salt_len, data, ikm_len, buffer), SL_OK);
      assert_memory_equal(buffer, want, hash_len);
      /* prk over ikm, prk over salt */
      memcpy(buffer, data, ikm_len);
      assert_int_equal(sl_hkdf_extract(hashes[h], salt, salt_len, buffer, ikm_len, buffer), SL_OK);
      assert_memory_equal(buffer, want, hash_len);
      memcpy(buffer, salt, salt_len);
      assert_int_equal(sl_hkdf_extract(hashes[h], buffer, salt_len, data, ikm_len, buffer), SL_OK);
      assert_memory_equal(buffer, want, hash_len);
    }
}

/* No salt, an empty salt and a hash length of zeros are the same; so are no input and an empty one. */
static void empty_salts(void **state) {
  (void)state;
  static const uint8_t zeros[SL_HASH_LEN_MAX];
  for (size_t h = 0; h < N_HASHES; h++) {
    const size_t hash_len = sl_hash_len(hashes[h]);
    uint8_t a[SL_HASH_LEN_MAX], b[SL_HASH_LEN_MAX];
    assert_int_equal(sl_hkdf_extract(hashes[h], NULL, 0, data, 32, a), SL_OK);
    assert_int_equal(sl_hkdf_extract(hashes[h], data, 0, data, 32, b), SL_OK);
    assert_memory_equal(a, b, hash_len);
    assert_int_equal(sl_hkdf_extract(hashes[h], zeros, hash_len, data, 32, b), SL_OK);
    assert_memory_equal(a, b, hash_len);
    assert_int_equal(sl_hkdf_extract(hashes[h], NULL, 0, NULL, 0, a), SL_OK);
    hmac_by_libcrypto(h, zeros, hash_len, zeros, 0, b);
    assert_memory_equal(a, b, hash_len);
  }
}

static void expand_against_libcrypto(void **state) {
  (void)state;
  for (size_t h = 0; h < N_HASHES; h++) {
    const size_t hash_len = sl_hash_len(hashes[h]);
    const size_t longest[] = {254 * hash_len + 1, 255 * hash_len - 1, 255 * hash_len};
    for (size_t i = 0; i <= 3 * hash_len + 1 + 3; i++) {
      const size_t len = i <= 3 * hash_len + 1 ? i : longest[i - 3 * hash_len - 2], info_len = number(len, 300);
      uint8_t want[OKM_MAX], got[OKM_MAX + 1];
      got[len] = 0x5a;
      assert_int_equal(sl_hkdf_expand(hashes[h], data, hash_len, data + 100, info_len, got, len), SL_OK);
      assert_int_equal(got[len], 0x5a);
      if (len == 0) continue; /* libcrypto refuses it */
      hkdf_by_libcrypto(h, EVP_KDF_HKDF_MODE_EXPAND_ONLY, data, hash_len, NULL, 0, data + 100, info_len, want, len);
      assert_memory_equal(got, want, len);
      /* out over prk */
      memcpy(got, data, hash_len);
      assert_int_equal(sl_hkdf_expand(hashes[h], got, hash_len, data + 100, info_len, got, len), SL_OK);
      assert_memory_equal(got, want, len);
    }
  }
}

/* HkdfLabel written out a second way, every label and context length there is. */
static void labels_against_libcrypto(void **state) {
  (void)state;
  for (size_t h = 0; h < N_HASHES; h++)
    for (size_t i = 0; i <= 255; i++) {
      const size_t hash_len = sl_hash_len(hashes[h]);
      const size_t label_len = i <= 249 ? i : 249, context_len = 255 - i, len = 1 + number(i, 3 * hash_len);
      char label[250];
      uint8_t info[600], want[OKM_MAX], got[OKM_MAX];
      size_t n = 0;
      for (size_t j = 0; j < label_len; j++) label[j] = (char)(data[j] % 94 + 33);
      label[label_len] = '\0';
      info[n++] = (uint8_t)(len >> 8);
      info[n++] = (uint8_t)len;
      info[n++] = (uint8_t)(6 + label_len);
      memcpy(info + n, "tls13 ", 6);
      memcpy(info + n + 6, label, label_len);
      n += 6 + label_len;
      info[n++] = (uint8_t)context_len;
      memcpy(info + n, data + 300, context_len);
      n += context_len;
      hkdf_by_libcrypto(h, EVP_KDF_HKDF_MODE_EXPAND_ONLY, data, hash_len, NULL, 0, info, n, want, len);
      assert_int_equal(
          sl_hkdf_expand_label(hashes[h], data, label, context_len > 0 ? data + 300 : NULL, context_len, got, len),
          SL_OK);
      assert_memory_equal(got, want, len);
      /* out over secret */
      memcpy(got, data, hash_len);
      assert_int_equal(sl_hkdf_expand_label(hashes[h], got, label, data + 300, context_len, got, len), SL_OK);
      assert_memory_equal(got, want, len);
    }
}

static void limits(void **state) {
  (void)state;
  static uint8_t out[OKM_MAX + 1], untouched[OKM_MAX + 1];
  char label[251];
  memset(label, 'x', 250);
  label[250] = '\0';
  memset(out, 0x5a, sizeof out);
  memset(untouched, 0x5a, sizeof out);
  for (size_t h = 0; h < N_HASHES; h++) {
    const enum sl_hash hash = hashes[h];
    const size_t most = 255 * sl_hash_len(hash);
    assert_int_equal(sl_hkdf_expand(hash, data, 32, data, 10, out, most + 1), SL_E_LENGTH);
    assert_int_equal(sl_hkdf_expand(hash, data, 32, data, 10, out, SIZE_MAX), SL_E_LENGTH);
    assert_int_equal(sl_hkdf_expand_label(hash, data, "x", data, 10, out, most + 1), SL_E_LENGTH);
    assert_int_equal(sl_hkdf_expand_label(hash, data, "x", data, 10, out, 65536 + 16), SL_E_LENGTH);
    assert_int_equal(sl_hkdf_expand_label(hash, data, label, data, 10, out, 16), SL_E_LENGTH);
    assert_int_equal(sl_hkdf_expand_label(hash, data, "x", data, 256, out, 16), SL_E_LENGTH);
    assert_memory_equal(out, untouched, sizeof out);
    assert_int_equal(sl_hkdf_expand_label(hash, data, label + 1, data, 255, out, most), SL_OK);
    assert_int_equal(out[most], 0x5a);
    memset(out, 0x5a, sizeof out);
  }
  static const enum sl_hash unknown[] = {SL_HASH_NONE, SL_HASH_END, (enum sl_hash)1000};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    static const struct sl_hmac_ctx empty;
    struct sl_hmac_ctx ctx;
    memset(&ctx, 0x5a, sizeof ctx);
    assert_int_equal(sl_hmac_init(&ctx, unknown[i], data, 32), SL_E_ARG);
    assert_memory_equal(&ctx, &empty, sizeof ctx);
    sl_hmac_update(&ctx, data, 300);
    sl_hmac_final(&ctx, out);
    assert_int_equal(sl_hmac_once(unknown[i], data, 32, data, 32, out), SL_E_ARG);
    assert_int_equal(sl_hkdf_extract(unknown[i], data, 32, data, 32, out), SL_E_ARG);
    assert_int_equal(sl_hkdf_expand(unknown[i], data, 32, data, 32, out, 0), SL_E_ARG);
    assert_int_equal(sl_hkdf_expand(unknown[i], data, 32, data, 32, out, 16), SL_E_ARG);
    assert_int_equal(sl_hkdf_expand_label(unknown[i], data, "x", data, 32, out, 16), SL_E_ARG);
    assert_memory_equal(out, untouched, sizeof out);
  }
}

/* Each argument in turn ends or begins at unmapped memory. */
static void guard_pages(void **state) {
  (void)state;
  struct guard g = guard_new(256);
  for (size_t h = 0; h < N_HASHES; h++)
    for (int side = 0; side < 2; side++)
      for (size_t len = 0; len <= 255; len++) {
        uint8_t *p = side == 0 ? guard_after(&g, len) : guard_before(&g, len);
        uint8_t want[SL_HASH_LEN_MAX], got[SL_HASH_LEN_MAX];
        const size_t hash_len = sl_hash_len(hashes[h]);
        memmove(p, data, len);
        assert_int_equal(sl_hmac_once(hashes[h], p, len, p, len, got), SL_OK);
        assert_int_equal(sl_hmac_once(hashes[h], data, len, data, len, want), SL_OK);
        assert_memory_equal(got, want, hash_len);
        assert_int_equal(sl_hkdf_expand_label(hashes[h], data, "x", p, len, got, 20), SL_OK);
        assert_int_equal(sl_hkdf_expand_label(hashes[h], data, "x", data, len, want, 20), SL_OK);
        assert_memory_equal(got, want, 20);
        assert_int_equal(sl_hkdf_expand(hashes[h], data, hash_len, data, 7, p, len), SL_OK);
        if (len == 0) continue;
        uint8_t okm[255];
        hkdf_by_libcrypto(h, EVP_KDF_HKDF_MODE_EXPAND_ONLY, data, hash_len, NULL, 0, data, 7, okm, len);
        assert_memory_equal(p, okm, len);
      }
  guard_free(&g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hmac_rfc4231),
      cmocka_unit_test(hkdf_rfc5869),
      cmocka_unit_test(labels_rfc8448),
      cmocka_unit_test(hmac_against_libcrypto),
      cmocka_unit_test(extract_against_libcrypto),
      cmocka_unit_test(empty_salts),
      cmocka_unit_test(expand_against_libcrypto),
      cmocka_unit_test(labels_against_libcrypto),
      cmocka_unit_test(limits),
      cmocka_unit_test(guard_pages),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
