/* test_provider_kdf.c - the OpenSSL provider's TLS13-KDF against OpenSSL's own: the same random parameters go to a context of each,
 * at once or one after the other, and results, outputs and sizes must agree.
 *
 *   test_provider_kdf            some thousand cases
 *   test_provider_kdf CASES      that many */
#include "provider_pair.h"
#include <openssl/kdf.h>

enum { INPUT_MAX = 300, OUT_MAX = 20000 };

static unsigned long n_cases = 6000;
static EVP_KDF *kdfs[BOTH];

static int set_up(void **state) {
  pair_set_up(state);
  for (int w = 0; w < BOTH; w++) kdfs[w] = EVP_KDF_fetch(contexts[w], "TLS13-KDF", NULL);
  ERR_clear_error();
  if (kdfs[OURS] == NULL) printf("  n/a TLS13-KDF: not offered with these kernels\n");
  return 0;
}
static int tear_down(void **state) {
  for (int w = 0; w < BOTH; w++) EVP_KDF_free(kdfs[w]);
  return pair_tear_down(state);
}

/* The memory of one call's parameters. */
struct given {
  OSSL_PARAM params[10];
  uint8_t inputs[5][INPUT_MAX];
  int mode;
};

/* Any of what there is; what TLS gives is frequent. */
static void random_params(struct given *g, uint64_t *seed, bool all) {
  static const char *const digests[] = {
      "SHA256", "SHA2-256", "sha-256", "SHA384", "SHA2-384", "SHA512", "2.16.840.1.101.3.4.2.1"};
  static const char *const modes[] = {"EXTRACT_AND_EXPAND", "extract_only", "EXPAND_ONLY", "EXPAND"};
  static const char *const names[] = {"key", "salt", "prefix", "label", "data"};
  OSSL_PARAM *end = g->params;
  if (all || random_below(seed, 4) == 0) {
    const char *name = digests[random_below(seed, sizeof digests / sizeof digests[0])];
    if (random_below(seed, 40) == 0) name = "no-such-digest";
    *end++ = OSSL_PARAM_construct_utf8_string("digest", (char *)(uintptr_t)name, 0);
  }
  if (all || random_below(seed, 4) == 0) {
    g->mode = random_below(seed, 20) ? 1 + (int)random_below(seed, 2) : (int)random_below(seed, 5) - 1;
    *end++ = random_below(seed, 4) ? OSSL_PARAM_construct_int("mode", &g->mode)
                                   : OSSL_PARAM_construct_utf8_string(
                                         "mode", (char *)(uintptr_t)modes[random_below(seed, 20) ? g->mode & 3 : 3], 0);
  }
  if (random_below(seed, 10) == 0) {
    *end++ = OSSL_PARAM_construct_utf8_string("properties", (char *)(uintptr_t) "", 0);
  }
  for (size_t i = 0; i < 5; i++) {
    if (random_below(seed, all ? 8 : 2) == 0) continue;
    bool is_label = i == 2 || i == 3; /* OpenSSL's forgets one of a wrong type, but not its length, and dies */
    size_t len = random_below(seed, 3) ? 32 + 16 * random_below(seed, 3) : random_below(seed, INPUT_MAX);
    if (is_label) len = random_below(seed, 8) ? 6 + random_below(seed, 10) : random_below(seed, 200);
    fill_random(g->inputs[i], INPUT_MAX, (*seed)++);
    *end++ = OSSL_PARAM_construct_octet_string(names[i], g->inputs[i], len);
    if (!is_label && random_below(seed, 60) == 0) end[-1].data_type = OSSL_PARAM_UTF8_STRING;
  }
  if (end == g->params) { /* versions differ in what no parameter at all does to data */
    *end++ = OSSL_PARAM_construct_utf8_string("properties", (char *)(uintptr_t) "", 0);
  }
  *end = OSSL_PARAM_construct_end();
}

static size_t any_out_len(uint64_t *seed) {
  switch (random_below(seed, 8)) {
  case 0:
    return random_below(seed, 3);
  case 1:
    return random_below(seed, OUT_MAX);
  case 2:
    return random_below(seed, 200);
  default:
    return 16 * (1 + random_below(seed, 4));
  }
}

/* From 3.6 on, a context says what it was given. */
static void answers_agree(EVP_KDF_CTX *const ctx[BOTH]) {
  struct {
    char digest[20], mode_name[20];
    int mode;
    uint8_t salt[INPUT_MAX];
    size_t sizes[4];
  } said[BOTH];
  int ret[BOTH][4];
  if (!is_openssl_from(3, 6)) return;
  memset(said, 0, sizeof said);
  for (int w = 0; w < BOTH; w++) {
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", said[w].digest, sizeof said[w].digest),
                           OSSL_PARAM_construct_utf8_string("mode", said[w].mode_name, sizeof said[w].mode_name),
                           OSSL_PARAM_construct_int("mode", &said[w].mode),
                           OSSL_PARAM_construct_octet_string("salt", said[w].salt, INPUT_MAX)};
    for (size_t i = 0; i < 4; i++) {
      OSSL_PARAM one[] = {params[i], OSSL_PARAM_construct_end()};
      ret[w][i] = EVP_KDF_CTX_get_params(ctx[w], one);
      said[w].sizes[i] = one[0].return_size;
    }
  }
  for (size_t i = 0; i < 4; i++) returns_agree("get", ret[OURS][i], ret[THEIRS][i]);
  assert_memory_equal(&said[OURS], &said[THEIRS], sizeof said[OURS]);
}

static void random_calls(uint64_t seed) {
  static uint8_t out[BOTH][OUT_MAX];
  EVP_KDF_CTX *ctx[BOTH];
  for (int w = 0; w < BOTH; w++) ctx[w] = EVP_KDF_CTX_new(kdfs[w]);
  for (size_t i = 0, n = 1 + random_below(&seed, 6); i < n; i++) {
    struct given given;
    int ret[BOTH], asked[BOTH];
    size_t len = any_out_len(&seed), size[BOTH];
    uint64_t what = random_below(&seed, 12);
    random_params(&given, &seed, i == 0 || random_below(&seed, 3) == 0);
    for (int w = 0; w < BOTH; w++) {
      memset(out[w], 0x5a, sizeof out[w]);
      if (what == 0) {
        ret[w] = EVP_KDF_CTX_set_params(ctx[w], given.params);
      } else if (what == 1) {
        EVP_KDF_CTX_reset(ctx[w]);
        ret[w] = 1;
      } else {
        ret[w] = EVP_KDF_derive(ctx[w], out[w], len, what == 2 ? NULL : given.params);
      }
      OSSL_PARAM unknown[] = {OSSL_PARAM_construct_size_t("no", &size[w]), OSSL_PARAM_construct_end()};
      asked[w] =
          OPENSSL_version_major() > 3 || OPENSSL_version_minor() > 0 ? 0 : EVP_KDF_CTX_get_params(ctx[w], unknown);
      size[w] = EVP_KDF_CTX_get_kdf_size(ctx[w]);
    }
    returns_agree(what == 0 ? "set" : "derive", ret[OURS], ret[THEIRS]);
    returns_agree("get", asked[OURS], asked[THEIRS]);
    answers_agree(ctx);
    assert_int_equal(size[OURS], size[THEIRS]);
    if (ret[OURS] == 1 && memcmp(out[OURS], out[THEIRS], OUT_MAX) != 0) {
      for (const OSSL_PARAM *p = given.params; p->key != NULL; p++) printf("  %s: %zu bytes\n", p->key, p->data_size);
      fail_msg("call %zu of a case: another output than OpenSSL's", i + 1);
    }
    if (random_below(&seed, 8) == 0) { /* OpenSSL's has this from 3.1 on */
      EVP_KDF_CTX *copy = EVP_KDF_CTX_dup(ctx[OURS]);
      assert_non_null(copy);
      EVP_KDF_CTX_free(ctx[OURS]);
      ctx[OURS] = copy;
    }
  }
  for (int w = 0; w < BOTH; w++) EVP_KDF_CTX_free(ctx[w]);
  ERR_clear_error();
}

static void test_random_calls(void **state) {
  (void)state;
  for (unsigned long n = 0; kdfs[OURS] != NULL && n < n_cases; n++) random_calls(1000003 * (uint64_t)(n + 1));
}

static void test_lists(void **state) {
  (void)state;
  if (kdfs[OURS] == NULL) return;
  lists_agree("settable", EVP_KDF_settable_ctx_params(kdfs[OURS]), EVP_KDF_settable_ctx_params(kdfs[THEIRS]), NULL);
  lists_agree("gettable", EVP_KDF_gettable_ctx_params(kdfs[OURS]), EVP_KDF_gettable_ctx_params(kdfs[THEIRS]),
              "digest,mode,salt");
}

static void test_reasons(void **state) {
  (void)state;
  if (kdfs[OURS] == NULL) return;
  uint8_t bytes[300] = {0};
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdfs[OURS]);
  OSSL_PARAM digest[] = {OSSL_PARAM_construct_utf8_string("digest", (char *)(uintptr_t) "SHA1", 0),
                         OSSL_PARAM_construct_end()};
  assert_reason(EVP_KDF_derive(ctx, bytes, 32, NULL), "no digest has been set, or one that TLS 1.3 does not have");
  assert_reason(EVP_KDF_derive(ctx, bytes, 20, digest), "no digest has been set, or one that TLS 1.3 does not have");
  digest[0].data = (char *)(uintptr_t) "SHA256";
  digest[0].data_size = 6;
  assert_reason(EVP_KDF_derive(ctx, bytes, 32, digest), "no mode of TLS13-KDF");
  OSSL_PARAM inputs[] = {OSSL_PARAM_construct_int("mode", &mode),
                         OSSL_PARAM_construct_octet_string("label", bytes, 256),
                         OSSL_PARAM_construct_octet_string("key", bytes, 32), OSSL_PARAM_construct_end()};
  assert_reason(EVP_KDF_derive(ctx, bytes, 32, inputs),
                "an input is too long, or the output has another length than this step gives");
  EVP_KDF_CTX_free(ctx);
}

int main(int argc, char *argv[]) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_calls),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_reasons),
  };
  if (argc > 1) n_cases = strtoul(argv[1], NULL, 10);
  force_what_there_is();
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
