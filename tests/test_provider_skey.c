/* test_provider_skey.c - opaque keys: what they hold, what they refuse, and that a cipher does with one what it does with its bytes.
 *
 * The provider's entries are called as a core would, with any libcrypto; and through EVP where there is one of OpenSSL 3.5 or
 * later: LD_LIBRARY_PATH=/opt/openssl-3.5/lib build/tests/test_provider_skey */
#define _GNU_SOURCE
#include "provider_direct.h"
#include "provider_pair.h"
#include <dlfcn.h>

enum { OP_SKEYMGMT = 15, SELECT_PARAMETERS = 1, SELECT_SECRET_KEY = 2, KEY_MAX = 32, TEXT_LEN = 100, TAG_LEN = 16 };
enum { FREE = 1, IMPORT, EXPORT, GENERATE, IMPORT_PARAMS = 6, GENERATE_PARAMS = 7, SEAL_INIT = 19, OPEN_INIT = 20 };

typedef void *import_fn(void *prov, int selection, const OSSL_PARAM params[]);
typedef void *generate_fn(void *prov, const OSSL_PARAM params[]);
typedef int export_fn(void *skey, int selection, OSSL_CALLBACK *callback, void *arg);
typedef void free_fn(void *skey);
typedef int skey_init_fn(void *ctx, void *skey, const uint8_t *iv, size_t iv_len, const OSSL_PARAM params[]);
typedef const OSSL_PARAM *params_fn(void *prov);

static const uint8_t secret[KEY_MAX + 1] = {1, 2, 3, 4, 5}, iv[12] = {6};

/* The kinds of key, the ciphers they are for, and a key's length there. */
static const struct {
  const char *name, *cipher;
  size_t len;
} kinds[] = {
    {"AES", "AES-128-GCM", 16},
    {"AES", "AES-256-GCM", 32},
    {"AES-128-GCM", "AES-128-GCM", 16},
    {"AES-256-GCM", "AES-256-GCM", 32},
    {"ChaCha20-Poly1305", "ChaCha20-Poly1305", 32},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

/* Whether a kind is offered here: just when its cipher is. */
static bool is_offered(size_t i) {
  bool has_cipher = direct_algorithm(OSSL_OP_CIPHER, kinds[i].cipher) != NULL;
  assert_int_equal(direct_algorithm(OP_SKEYMGMT, kinds[i].name) != NULL, has_cipher);
  if (!has_cipher) printf("  n/a %s: not offered with these kernels\n", kinds[i].cipher);
  return has_cipher;
}

/* ---- the tables ---------------------------------------------------------------------------------------------- */

static void *import(const OSSL_DISPATCH *table, int selection, const void *bytes, size_t len) {
  OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string("raw-bytes", (void *)(uintptr_t)bytes, len),
                         OSSL_PARAM_construct_end()};
  return ((import_fn *)direct_entry(table, IMPORT))(direct_ctx, selection, params);
}

static void *generate(const OSSL_DISPATCH *table, size_t *len) {
  OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t("key-length", len), OSSL_PARAM_construct_end()};
  return ((generate_fn *)direct_entry(table, GENERATE))(direct_ctx, len != NULL ? params : params + 1);
}

static void release(const OSSL_DISPATCH *table, void *skey) {
  ((free_fn *)direct_entry(table, FREE))(skey);
}

struct exported {
  size_t len;
  uint8_t bytes[KEY_MAX];
};
static int take(const OSSL_PARAM params[], void *arg) {
  struct exported *e = arg;
  assert_string_equal(params[0].key, "raw-bytes");
  assert_int_equal(params[0].data_type, OSSL_PARAM_OCTET_STRING);
  assert_null(params[1].key);
  e->len = params[0].data_size;
  memcpy(e->bytes, params[0].data, e->len);
  return 1;
}

static int export(const OSSL_DISPATCH *table, void *skey, int selection, struct exported *out) {
  return ((export_fn *)direct_entry(table, EXPORT))(skey, selection, take, out);
}

static void assert_none(void *skey, const char *reason) {
  assert_null(skey);
  assert_string_equal(direct_reason(), reason);
  direct_last_reason = 0;
}

static void test_import_and_export(void **state) {
  (void)state;
  for (size_t i = 0; i < N_KINDS; i++) {
    const OSSL_DISPATCH *table = direct_algorithm(OP_SKEYMGMT, kinds[i].name);
    if (!is_offered(i)) continue;
    bool is_aes = kinds[i].name[0] == 'A';
    for (size_t len = 0; len <= KEY_MAX + 1; len++) {
      struct exported e = {0};
      void *skey = import(table, SELECT_SECRET_KEY | SELECT_PARAMETERS, secret, len);
      if (len != 32 && !(is_aes && (len == 16 || len == 24))) {
        assert_none(skey, "invalid key length");
        continue;
      }
      assert_non_null(skey);
      assert_int_equal(export(table, skey, SELECT_SECRET_KEY, &e), 1);
      assert_int_equal(e.len, len);
      assert_memory_equal(e.bytes, secret, len);
      assert_int_equal(export(table, skey, SELECT_PARAMETERS, &e), 0);
      release(table, skey);
    }
    assert_none(import(table, SELECT_PARAMETERS, secret, 32), "a parameter is of a wrong type or does not fit");
    assert_none(import(table, SELECT_SECRET_KEY, NULL, 32), "a parameter is of a wrong type or does not fit");
    release(table, NULL);
    assert_string_equal(((params_fn *)direct_entry(table, IMPORT_PARAMS))(direct_ctx)->key, "raw-bytes");
    assert_string_equal(((params_fn *)direct_entry(table, GENERATE_PARAMS))(direct_ctx)->key, "key-length");
  }
}

/* Each other than the one before; 32 bytes when no length is given. */
static void test_generate(void **state) {
  (void)state;
  for (size_t i = 0; i < N_KINDS; i++) {
    const OSSL_DISPATCH *table = direct_algorithm(OP_SKEYMGMT, kinds[i].name);
    struct exported e[2] = {{0}, {0}};
    size_t len = 32, wrong = 33;
    if (!is_offered(i)) continue;
    for (size_t j = 0; j < 2; j++) {
      void *skey = generate(table, j == 0 ? NULL : &len);
      assert_non_null(skey);
      assert_int_equal(export(table, skey, SELECT_SECRET_KEY, &e[j]), 1);
      assert_int_equal(e[j].len, 32);
      release(table, skey);
    }
    assert_memory_not_equal(e[0].bytes, e[1].bytes, 32);
    assert_none(generate(table, &wrong), "invalid key length");
    direct_n_allocs = 0, direct_fail_at = 1;
    assert_none(generate(table, &len), "out of memory");
    direct_fail_at = 0;
  }
}

/* ---- ciphers ------------------------------------------------------------------------------------------------- */

struct sealed {
  uint8_t text[TEXT_LEN], tag[TAG_LEN];
};

/* What OpenSSL's own makes of zeros with the bytes of the key. */
static struct sealed seal_theirs(size_t i) {
  struct sealed out = {{0}, {0}};
  int n;
  EVP_CIPHER *cipher = fetch_cipher(THEIRS, kinds[i].cipher);
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, secret, iv), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, out.text, &n, out.text, TEXT_LEN), 1);
  assert_int_equal(EVP_EncryptFinal_ex(ctx, out.text, &n), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out.tag), 1);
  EVP_CIPHER_CTX_free(ctx);
  EVP_CIPHER_free(cipher);
  return out;
}

static void test_ciphers_take_them(void **state) {
  (void)state;
  for (size_t i = 0; i < N_KINDS; i++) {
    const OSSL_DISPATCH *keys = direct_algorithm(OP_SKEYMGMT, kinds[i].name);
    const OSSL_DISPATCH *cipher = direct_algorithm(OSSL_OP_CIPHER, kinds[i].cipher);
    if (!is_offered(i)) continue;
    OSSL_FUNC_cipher_update_fn *update = (OSSL_FUNC_cipher_update_fn *)direct_entry(cipher, OSSL_FUNC_CIPHER_UPDATE);
    OSSL_FUNC_cipher_final_fn *final = (OSSL_FUNC_cipher_final_fn *)direct_entry(cipher, OSSL_FUNC_CIPHER_FINAL);
    void *ctx = ((OSSL_FUNC_cipher_newctx_fn *)direct_entry(cipher, OSSL_FUNC_CIPHER_NEWCTX))(direct_ctx);
    void *skey = import(keys, SELECT_SECRET_KEY, secret, kinds[i].len);
    struct sealed want = seal_theirs(i), got = {{0}, {0}};
    uint8_t *tag_at = want.tag;
    size_t n;
    assert_int_equal(((skey_init_fn *)direct_entry(cipher, SEAL_INIT))(ctx, skey, iv, sizeof iv, NULL), 1);
    release(keys, skey); /* the cipher has what it needs */
    assert_int_equal(update(ctx, got.text, &n, TEXT_LEN, got.text, TEXT_LEN), 1);
    assert_int_equal(final(ctx, got.text, &n, TEXT_LEN), 1);
    assert_memory_equal(got.text, want.text, TEXT_LEN);

    /* Opening, with the key that is there. */
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string("tag", tag_at, TAG_LEN), OSSL_PARAM_construct_end()};
    assert_int_equal(((skey_init_fn *)direct_entry(cipher, OPEN_INIT))(ctx, NULL, iv, sizeof iv, params), 1);
    assert_int_equal(update(ctx, got.text, &n, TEXT_LEN, got.text, TEXT_LEN), 1);
    assert_int_equal(final(ctx, got.text, &n, TEXT_LEN), 1);
    assert_true(all_are(got.text, TEXT_LEN, 0));
    ((OSSL_FUNC_cipher_freectx_fn *)direct_entry(cipher, OSSL_FUNC_CIPHER_FREECTX))(ctx);
  }
}

/* Keys of another kind, and of a length that the cipher does not have. */
static void test_ciphers_refuse_others(void **state) {
  (void)state;
  for (size_t i = 0; i < N_KINDS; i++) {
    const OSSL_DISPATCH *cipher = direct_algorithm(OSSL_OP_CIPHER, kinds[i].cipher);
    if (!is_offered(i)) continue;
    void *ctx = ((OSSL_FUNC_cipher_newctx_fn *)direct_entry(cipher, OSSL_FUNC_CIPHER_NEWCTX))(direct_ctx);
    for (size_t j = 0; j < N_KINDS; j++) {
      const OSSL_DISPATCH *keys = direct_algorithm(OP_SKEYMGMT, kinds[j].name);
      if (keys == NULL) continue;
      bool same_kind = (kinds[i].cipher[0] == 'A') == (kinds[j].cipher[0] == 'A');
      void *skey = import(keys, SELECT_SECRET_KEY, secret, kinds[j].len);
      for (int entry = SEAL_INIT; entry <= OPEN_INIT; entry++) {
        int ret = ((skey_init_fn *)direct_entry(cipher, entry))(ctx, skey, iv, sizeof iv, NULL);
        assert_int_equal(ret, same_kind && kinds[i].len == kinds[j].len);
        if (ret == 1) continue;
        assert_string_equal(direct_reason(),
                            same_kind ? "invalid key length" : "the key is incomplete or of another kind");
      }
      release(keys, skey);
    }
    ((OSSL_FUNC_cipher_freectx_fn *)direct_entry(cipher, OSSL_FUNC_CIPHER_FREECTX))(ctx);
  }
}

/* ---- through EVP --------------------------------------------------------------------------------------------- */

/* What 3.0's headers do not declare. */
static struct {
  void *(*import)(OSSL_LIB_CTX *lib, const char *name, uint8_t *bytes, size_t len, const char *properties);
  void *(*to_provider)(void *skey, OSSL_LIB_CTX *lib, OSSL_PROVIDER *provider, const char *properties);
  int (*raw_key)(const void *skey, const uint8_t **bytes, size_t *len);
  const char *(*provider_name)(const void *skey);
  void (*release)(void *skey);
  int (*init)(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, void *skey, const uint8_t *iv, size_t iv_len, int is_seal,
              const OSSL_PARAM params[]);
} evp;

static bool has_evp(void) {
  const struct {
    const char *name;
    void *at;
  } symbols[] = {
      {"EVP_SKEY_import_raw_key", &evp.import}, {"EVP_SKEY_to_provider", &evp.to_provider},
      {"EVP_SKEY_get0_raw_key", &evp.raw_key},  {"EVP_SKEY_get0_provider_name", &evp.provider_name},
      {"EVP_SKEY_free", &evp.release},          {"EVP_CipherInit_SKEY", &evp.init},
  };
  for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
    void *symbol = dlsym(RTLD_DEFAULT, symbols[i].name);
    if (symbol == NULL) return false;
    memcpy(symbols[i].at, &symbol, sizeof symbol);
  }
  return true;
}

static void assert_seals(EVP_CIPHER *cipher, void *skey, const struct sealed *want) {
  struct sealed got = {{0}, {0}};
  int n;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  assert_int_equal(evp.init(ctx, cipher, skey, iv, sizeof iv, 1, NULL), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, got.text, &n, got.text, TEXT_LEN), 1);
  assert_int_equal(EVP_EncryptFinal_ex(ctx, got.text, &n), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, got.tag), 1);
  EVP_CIPHER_CTX_free(ctx);
  assert_memory_equal(&got, want, sizeof got);
}

/* As openssl-sealane.cnf has it: both providers, Sealane's preferred. What is asked for by name is Sealane's, keys and ciphers;
 * a key of OpenSSL's own can be taken over. */
static void test_evp(void **state) {
  (void)state;
  if (!has_evp()) {
    printf("  n/a: %s has no opaque keys\n", OpenSSL_version(OPENSSL_VERSION));
    return;
  }
  OSSL_PROVIDER *sealane, *standard;
  OSSL_LIB_CTX *lib = context_with("sealane", &sealane);
  standard = OSSL_PROVIDER_load(lib, "default");
  assert_non_null(standard);
  assert_int_equal(EVP_set_default_properties(lib, "?provider=sealane"), 1);
  for (size_t i = 0; i < N_KINDS; i++) {
    if (!is_offered(i)) continue;
    struct sealed want = seal_theirs(i);
    uint8_t bytes[KEY_MAX];
    const uint8_t *raw;
    size_t len;
    memcpy(bytes, secret, KEY_MAX);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(lib, kinds[i].cipher, NULL);
    void *skey = evp.import(lib, kinds[i].name, bytes, kinds[i].len, NULL);
    assert_non_null(skey);
    assert_string_equal(evp.provider_name(skey), "sealane");
    assert_int_equal(evp.raw_key(skey, &raw, &len), 1);
    assert_int_equal(len, kinds[i].len);
    assert_memory_equal(raw, secret, len);
    assert_seals(cipher, skey, &want);
    evp.release(skey);

    if (strcmp(kinds[i].name, "AES") == 0) {
      void *theirs = evp.import(lib, "AES", bytes, kinds[i].len, "provider=default");
      void *ours = evp.to_provider(theirs, lib, sealane, NULL);
      assert_non_null(ours);
      assert_seals(cipher, ours, &want);
      evp.release(theirs);
      evp.release(ours);
    }
    EVP_CIPHER_free(cipher);
  }
  assert_int_equal(OSSL_PROVIDER_unload(sealane), 1);
  assert_int_equal(OSSL_PROVIDER_unload(standard), 1);
  OSSL_LIB_CTX_free(lib);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_import_and_export),
      cmocka_unit_test(test_generate),
      cmocka_unit_test(test_ciphers_take_them),
      cmocka_unit_test(test_ciphers_refuse_others),
      cmocka_unit_test(test_evp),
  };
  force_what_there_is();
  return cmocka_run_group_tests(tests, direct_set_up, direct_tear_down);
}
