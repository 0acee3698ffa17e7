/* test_provider_version.c - where OpenSSL's own answers changed from version to version, the provider's do with them: its entries
 * as a core of each version calls them (docs: the enum constants in provider/ that name a version). */
#include "provider_direct.h"
#include "provider_pair.h"
#include <string.h>

enum { KEY_LEN = 32, IV_LEN = 12, TEXT_LEN = 10, TAG_LEN = 16 };

static const uint8_t key[KEY_LEN] = {1, 2, 3}, iv[IV_LEN] = {4, 5};

/* The versions on both sides of each change. */
static const struct version {
  const char *name;
  bool is_3_6, is_4_0; /* or later */
} versions[] = {{NULL, false, false},   {"3.0.19", false, false}, {"3.5.7", false, false},
                {"3.6.0", true, false}, {"4.0.2", true, true},    {"10.1.0", true, true}};
#define EACH_VERSION                                                                                                   \
  for (const struct version *version = versions; version < versions + sizeof versions / sizeof versions[0]; version++)

static void load(const struct version *version) {
  direct_version = version->name;
  direct_last_reason = 0;
  direct_load();
}

/* ---- a cipher's entries -------------------------------------------------------------------------------------- */

static const OSSL_DISPATCH *cipher;
#define CIPHER(what, id) ((OSSL_FUNC_cipher_##what##_fn *)direct_entry(cipher, OSSL_FUNC_CIPHER_##id))

/* A context with key and IV, without an IV where has_iv is false. NULL when the algorithm is not offered. */
static void *begin(const char *name, bool has_iv, bool is_open) {
  cipher = direct_algorithm(OSSL_OP_CIPHER, name);
  if (cipher == NULL) return NULL;
  void *ctx = CIPHER(newctx, NEWCTX)(direct_ctx);
  assert_non_null(ctx);
  int ok = is_open ? CIPHER(decrypt_init, DECRYPT_INIT)(ctx, key, KEY_LEN, has_iv ? iv : NULL, IV_LEN, NULL)
                   : CIPHER(encrypt_init, ENCRYPT_INIT)(ctx, key, KEY_LEN, has_iv ? iv : NULL, IV_LEN, NULL);
  assert_int_equal(ok, 1);
  return ctx;
}
static void end(void *ctx) {
  CIPHER(freectx, FREECTX)(ctx);
}
static int update(void *ctx, uint8_t *out, const uint8_t *in, size_t len) {
  size_t n = 99;
  int ok = CIPHER(update, UPDATE)(ctx, out, &n, TEXT_LEN + TAG_LEN, in, len);
  assert_int_equal(n, ok ? len : 0);
  return ok;
}
static int final(void *ctx) {
  uint8_t out[TAG_LEN];
  size_t n = 99;
  int ok = CIPHER(final, FINAL)(ctx, out, &n, sizeof out);
  assert_int_equal(n, 0);
  return ok;
}
static bool is_offered(const void *ctx, const char *name) {
  if (ctx == NULL) printf("  n/a %s: not offered with these kernels\n", name);
  return ctx != NULL;
}

/* ---- what changed -------------------------------------------------------------------------------------------- */

/* 4.0: a nonce of ChaCha20-Poly1305 serves for one text. */
static void test_nonce_serves_once(void **state) {
  (void)state;
  EACH_VERSION {
    uint8_t text[TEXT_LEN + TAG_LEN] = {0};
    load(version);
    void *ctx = begin("ChaCha20-Poly1305", true, false);
    if (is_offered(ctx, "ChaCha20-Poly1305")) {
      assert_int_equal(update(ctx, text, text, TEXT_LEN), 1);
      assert_int_equal(final(ctx), 1);
      assert_int_equal(update(ctx, text, text, TEXT_LEN), !version->is_4_0);
      if (version->is_4_0)
        assert_string_equal(direct_reason(), "no IV has been set, or the one that was has been used");
      end(ctx);
    }
    direct_unload();
  }
}

/* 4.0: a text of ChaCha20-Poly1305 is not authentic because nobody said what its tag is. AES-GCM's never was. */
static void test_tag_is_needed(void **state) {
  (void)state;
  static const char *const names[] = {"ChaCha20-Poly1305", "AES-256-GCM"};
  for (size_t i = 0; i < 2; i++) {
    EACH_VERSION {
      uint8_t text[TEXT_LEN] = {0};
      load(version);
      void *ctx = begin(names[i], true, true);
      if (is_offered(ctx, names[i])) {
        bool is_needed = i == 1 || version->is_4_0;
        assert_int_equal(update(ctx, text, text, TEXT_LEN), 1);
        assert_int_equal(final(ctx), !is_needed);
        if (is_needed) assert_string_equal(direct_reason(), "no tag has been set");
        end(ctx);
      }
      direct_unload();
    }
  }
}

/* 4.0: whoever asks AES-GCM for its IV before the text, when none was set, has one made. */
static void test_asking_makes_iv(void **state) {
  (void)state;
  EACH_VERSION {
    uint8_t got[IV_LEN] = {0}, again[IV_LEN] = {0}, text[TEXT_LEN] = {0};
    load(version);
    void *ctx = begin("AES-256-GCM", false, false);
    if (is_offered(ctx, "AES-256-GCM")) {
      for (unsigned i = 0; i < 2; i++) {
        OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_IV, i == 0 ? got : again, IV_LEN),
                               OSSL_PARAM_construct_end()};
        assert_int_equal(CIPHER(get_ctx_params, GET_CTX_PARAMS)(ctx, params), version->is_4_0);
      }
      assert_memory_equal(got, again, IV_LEN);
      static const uint8_t zeros[IV_LEN];
      assert_int_equal(memcmp(got, zeros, IV_LEN) != 0, version->is_4_0);
      if (!version->is_4_0)
        assert_string_equal(direct_reason(), "no IV has been set, or the one that was has been used");
      assert_int_equal(update(ctx, text, text, TEXT_LEN), 1); /* which makes one anyway */
      end(ctx);
    }
    direct_unload();
  }
}

/* 3.6: TLS13-KDF says what was set, and keeps its data when other parameters come. */
static void test_kdf(void **state) {
  (void)state;
  EACH_VERSION {
    load(version);
    const OSSL_DISPATCH *kdf = direct_algorithm(OSSL_OP_KDF, "TLS13-KDF");
    assert_non_null(kdf);
    void *ctx = ((OSSL_FUNC_kdf_newctx_fn *)direct_entry(kdf, OSSL_FUNC_KDF_NEWCTX))(direct_ctx);
    uint8_t secret[32] = {7}, data[32] = {8}, out[2][32];
    char digest[] = "SHA2-256", mode[] = "EXPAND_ONLY", said[20] = "", prefix[] = "tls13 ", label[] = "key";
    OSSL_PARAM set[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, mode, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof secret),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix, strlen(prefix)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, label, strlen(label)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_DATA, data, sizeof data),
        OSSL_PARAM_construct_end(),
    };
    OSSL_PARAM without_data[] = {set[4], OSSL_PARAM_construct_end()};
    OSSL_FUNC_kdf_derive_fn *derive = (OSSL_FUNC_kdf_derive_fn *)direct_entry(kdf, OSSL_FUNC_KDF_DERIVE);
    assert_int_equal(derive(ctx, out[0], sizeof out[0], set), 1);
    assert_int_equal(derive(ctx, out[1], sizeof out[1], without_data), 1);
    assert_int_equal(memcmp(out[0], out[1], sizeof out[0]) == 0, version->is_3_6);

    OSSL_PARAM get[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, said, sizeof said),
                        OSSL_PARAM_construct_end()};
    OSSL_FUNC_kdf_get_ctx_params_fn *get_params =
        (OSSL_FUNC_kdf_get_ctx_params_fn *)direct_entry(kdf, OSSL_FUNC_KDF_GET_CTX_PARAMS);
    assert_int_equal(get_params(ctx, get), version->is_3_6 ? 1 : -2);
    assert_string_equal(said, version->is_3_6 ? "SHA2-256" : "");
    ((OSSL_FUNC_kdf_freectx_fn *)direct_entry(kdf, OSSL_FUNC_KDF_FREECTX))(ctx);
    direct_unload();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nonce_serves_once),
      cmocka_unit_test(test_tag_is_needed),
      cmocka_unit_test(test_asking_makes_iv),
      cmocka_unit_test(test_kdf),
  };
  force_what_there_is();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
