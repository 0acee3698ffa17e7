/* test_provider.c - the OpenSSL provider against OpenSSL's own, call for call: the same random calls go to a context of each,
 * and results, lengths, outputs and parameters must agree.
 *
 *   test_provider            some thousand cases
 *   test_provider CASES      that many */
#include "each_kernel.h"
#include "unit.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OURS, THEIRS, BOTH };
enum { TEXT_MAX = 6000, IV_MAX = 128, TLS_AAD_LEN = 13, TAG_LEN = 16 };

static unsigned long n_cases = 6000;
static OSSL_LIB_CTX *contexts[BOTH];
static OSSL_PROVIDER *providers[BOTH];
static const char *const names[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};
enum { N_NAMES = sizeof names / sizeof names[0] };

/* A context that has one of the providers alone, so that nothing can be somebody else's. */
static void context_with(int whose, const char *provider) {
  OSSL_LIB_CTX *ctx = contexts[whose] = OSSL_LIB_CTX_new();
  assert_non_null(ctx);
  assert_int_equal(OSSL_PROVIDER_set_default_search_path(ctx, SEALANE_MODULES), 1);
  providers[whose] = OSSL_PROVIDER_load(ctx, provider);
  if (providers[whose] == NULL) {
    ERR_print_errors_fp(stderr);
    fail_msg("provider %s cannot be loaded", provider);
  }
}

static int set_up(void **state) {
  (void)state;
  context_with(OURS, "sealane");
  context_with(THEIRS, "default");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  for (int w = 0; w < BOTH; w++) {
    assert_int_equal(OSSL_PROVIDER_unload(providers[w]), 1);
    OSSL_LIB_CTX_free(contexts[w]);
  }
  return 0;
}

/* NULL and a line when it is not offered here. */
static EVP_CIPHER *fetch(int whose, const char *name) {
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(contexts[whose], name, NULL);
  ERR_clear_error();
  if (cipher == NULL) printf("  n/a %s: not offered with these kernels\n", name);
  return cipher;
}

/* ---- random calls -------------------------------------------------------------------------------------------- */

/* What a case remembers, so that it does not ask for what the two are meant to answer differently. */
struct pair {
  EVP_CIPHER *cipher[BOTH];
  EVP_CIPHER_CTX *ctx[BOTH];
  uint64_t seed;
  bool is_chapoly, has_key, has_iv, begun, has_text, has_tag, made_tag, is_enc, is_over;
  size_t key_len, iv_len;
};

static uint8_t input[TEXT_MAX + 64], output[BOTH][TEXT_MAX + 64];

static size_t below(struct pair *p, size_t n) {
  return random_below(&p->seed, n);
}

static size_t any_len(struct pair *p) {
  switch (below(p, 6)) {
  case 0:
    return below(p, 4);
  case 1:
    return 16 * below(p, 20);
  case 2:
    return below(p, TEXT_MAX);
  case 3:
    return 16 * below(p, TEXT_MAX / 16);
  default:
    return below(p, 300);
  }
}

static void outputs_agree(const char *what, int ours, int theirs, size_t len) {
  if (ours != theirs) fail_msg("%s: returns %d, OpenSSL's %d", what, ours, theirs);
  if (memcmp(output[OURS], output[THEIRS], len) != 0) fail_msg("%s: another output than OpenSSL's", what);
}

/* EVP_CipherInit_ex with any of key, IV and direction. */
static void call_init(struct pair *p) {
  uint8_t key[32], iv[IV_MAX];
  int ret[BOTH];
  bool with_iv = !p->has_iv || p->is_over || below(p, 3) > 0;
  bool with_key = !p->has_key || (below(p, 3) == 0 && (with_iv || !p->begun)); /* ours ends a text with its key */
  int direction = p->has_key && below(p, 2) ? -1 : (int)below(p, 2);
  if (direction >= 0) p->is_enc = direction;
  fill_random(key, sizeof key, p->seed++);
  fill_random(iv, sizeof iv, p->seed++);
  for (int w = 0; w < BOTH; w++) {
    ret[w] = EVP_CipherInit_ex(p->ctx[w], NULL, NULL, with_key ? key : NULL, with_iv ? iv : NULL, direction);
  }
  outputs_agree("init", ret[OURS], ret[THEIRS], 0);
  if (with_key) p->has_key = true;
  if (with_iv) p->has_iv = true, p->is_over = false;
  if (with_iv || with_key) p->begun = p->has_text = false;
  if (direction == 0) p->made_tag = false;
}

/* A piece of AAD or text, in place or not, or one that is not there. */
static void call_update(struct pair *p, bool is_aad) {
  size_t len = any_len(p);
  int ret[BOTH], out_len[BOTH] = {0};
  bool in_place = below(p, 2), by_cipher = below(p, 8) == 0, no_input = below(p, 40) == 0;
  if (is_aad && p->is_chapoly && p->has_text) return; /* ours refuses */
  if (no_input && !p->is_enc && !p->has_tag) return;
  if (by_cipher && len == 0) by_cipher = false;
  fill_random(input, len, p->seed++);
  for (int w = 0; w < BOTH; w++) {
    uint8_t *out = is_aad ? NULL : output[w];
    memset(output[w], 0x5a, sizeof output[w]);
    if (in_place) memcpy(output[w], input, len);
    const uint8_t *in = no_input ? NULL : in_place ? output[w] : input;
    if (by_cipher) {
      ret[w] = EVP_Cipher(p->ctx[w], out, in, (unsigned)len);
    } else {
      ret[w] = EVP_CipherUpdate(p->ctx[w], out, &out_len[w], in, (int)len);
    }
  }
  outputs_agree(is_aad ? "aad" : "text", ret[OURS], ret[THEIRS], sizeof output[0]);
  assert_int_equal(out_len[OURS], out_len[THEIRS]);
  if (len > 0) p->begun = true;
  if (!is_aad && len > 0) p->has_text = true;
  if (no_input && len > 0) p->has_text = false;
  if (no_input && ret[OURS] != 1 && !p->is_chapoly) p->is_over = true;
}

static void call_final(struct pair *p) {
  int ret[BOTH], out_len[BOTH] = {0};
  if (!p->is_enc && p->is_chapoly && !p->has_tag) return; /* ours refuses */
  for (int w = 0; w < BOTH; w++) {
    ret[w] = EVP_CipherFinal_ex(p->ctx[w], output[w], &out_len[w]);
  }
  outputs_agree("final", ret[OURS], ret[THEIRS], 0);
  assert_int_equal(out_len[OURS], out_len[THEIRS]);
  if (ret[OURS] == 1 && p->is_enc) p->made_tag = true;
  /* OpenSSL's GCM goes on behind a wrong tag, with a hash that no text has. */
  if (ret[OURS] != 1 && !p->is_chapoly) p->is_over = true;
  p->has_text = false;
}

/* The tag that a text so far would have is found by a copy of the other context, turned to sealing. */
static void call_set_tag(struct pair *p) {
  uint8_t tag[TAG_LEN + 1] = {0};
  int ret[BOTH];
  size_t len = below(p, 8) == 0 ? below(p, TAG_LEN + 2) : 1 + below(p, TAG_LEN);
  if (p->is_enc) return; /* it would be an error that leaves OpenSSL's with that tag */
  fill_random(tag, sizeof tag, p->seed++);
  if (p->begun && below(p, 4) > 0) {
    EVP_CIPHER_CTX *copy = EVP_CIPHER_CTX_new();
    int n;
    if (EVP_CIPHER_CTX_copy(copy, p->ctx[THEIRS]) == 1 && EVP_CipherInit_ex(copy, NULL, NULL, NULL, NULL, 1) == 1 &&
        EVP_CipherFinal_ex(copy, output[0], &n) == 1) {
      EVP_CIPHER_CTX_ctrl(copy, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag);
    }
    EVP_CIPHER_CTX_free(copy);
  }
  for (int w = 0; w < BOTH; w++) {
    ret[w] = EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_AEAD_SET_TAG, (int)len, tag);
  }
  outputs_agree("set tag", ret[OURS], ret[THEIRS], 0);
  if (ret[OURS] == 1) p->has_tag = true;
}

static void call_get_tag(struct pair *p) {
  int ret[BOTH], len = (int)below(p, TAG_LEN + 2);
  if (p->is_enc && !p->made_tag) return;
  for (int w = 0; w < BOTH; w++) {
    memset(output[w], 0, TAG_LEN + 1);
    ret[w] = EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_AEAD_GET_TAG, len, output[w]);
  }
  outputs_agree("get tag", ret[OURS], ret[THEIRS], TAG_LEN + 1);
}

static void call_set_iv_len(struct pair *p) {
  int ret[BOTH], len = below(p, 3) ? 12 : (int)below(p, IV_MAX + 3);
  for (int w = 0; w < BOTH; w++) ret[w] = EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_AEAD_SET_IVLEN, len, NULL);
  outputs_agree("set iv length", ret[OURS], ret[THEIRS], 0);
}

/* Copies go on where their originals are; those are used for something else. */
static void call_copy(struct pair *p) {
  for (int w = 0; w < BOTH; w++) {
    EVP_CIPHER_CTX *copy = EVP_CIPHER_CTX_new();
    int n;
    assert_int_equal(EVP_CIPHER_CTX_copy(copy, p->ctx[w]), 1);
    EVP_CipherUpdate(p->ctx[w], output[w], &n, input, 77);
    EVP_CIPHER_CTX_free(p->ctx[w]);
    p->ctx[w] = copy;
  }
}

static void call_get_params(struct pair *p) {
  size_t numbers[BOTH][4];
  uint8_t ivs[BOTH][2][IV_MAX];
  int ret[BOTH];
  memset(numbers, 0, sizeof numbers);
  memset(ivs, 0, sizeof ivs);
  for (int w = 0; w < BOTH; w++) {
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_KEYLEN, &numbers[w][0]),
        OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_IVLEN, &numbers[w][1]),
        OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, &numbers[w][2]),
        OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, &numbers[w][3]),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    if (p->has_iv) {
      params[4] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_IV, ivs[w][0], IV_MAX);
      params[5] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_UPDATED_IV, ivs[w][1], IV_MAX);
    }
    ret[w] = EVP_CIPHER_CTX_get_params(p->ctx[w], params);
  }
  outputs_agree("get params", ret[OURS], ret[THEIRS], 0);
  assert_memory_equal(numbers[OURS], numbers[THEIRS], sizeof numbers[0]);
  assert_memory_equal(ivs[OURS], ivs[THEIRS], sizeof ivs[0]);
}

/* OpenSSH's way: an IV that counts itself. */
static void call_counting_iv(struct pair *p) {
  uint8_t iv[IV_MAX];
  int ret[BOTH];
  int kind = (int)below(p, 3), len = EVP_CIPHER_CTX_get_iv_length(p->ctx[THEIRS]);
  if (p->is_chapoly || len < 8 || len > 16) return;
  fill_random(iv, sizeof iv, p->seed++);
  for (int w = 0; w < BOTH; w++) {
    memset(output[w], 0, sizeof iv);
    memcpy(output[w], iv, 16);
    if (kind == 0) ret[w] = EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_AEAD_SET_IV_FIXED, -1, iv);
    if (kind == 1) ret[w] = EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_GCM_IV_GEN, len, output[w]);
    if (kind == 2) ret[w] = EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_GCM_SET_IV_INV, 8, iv);
  }
  outputs_agree("counting iv", ret[OURS], ret[THEIRS], sizeof iv);
  if (kind == 0 && ret[OURS] == 1) p->has_iv = true;
  if (ret[OURS] == 1) p->begun = true, p->has_text = false;
}

static void pair_new(struct pair *p, const char *name, EVP_CIPHER *ours, EVP_CIPHER *theirs, uint64_t seed) {
  memset(p, 0, sizeof *p);
  p->seed = seed * 1000003;
  p->cipher[OURS] = ours;
  p->cipher[THEIRS] = theirs;
  p->is_chapoly = strstr(name, "Poly") != NULL;
  for (int w = 0; w < BOTH; w++) {
    p->ctx[w] = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_CipherInit_ex(p->ctx[w], p->cipher[w], NULL, NULL, NULL, 1), 1);
  }
}
static void pair_free(struct pair *p) {
  for (int w = 0; w < BOTH; w++) EVP_CIPHER_CTX_free(p->ctx[w]);
  ERR_clear_error();
}

static void random_calls(struct pair *p) {
  if (below(p, 4) == 0) call_set_iv_len(p);
  call_init(p);
  for (size_t i = 0, n = 4 + below(p, 16); i < n; i++) {
    switch (p->is_over ? 0 : below(p, 16)) {
    case 0:
    case 1:
      call_init(p);
      break;
    case 2:
    case 3:
      call_update(p, true);
      break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
      call_update(p, false);
      break;
    case 9:
    case 10:
      call_set_tag(p);
      if (below(p, 2) && !p->is_over) call_final(p);
      break;
    case 11:
      call_final(p);
      call_get_tag(p);
      break;
    case 12:
      call_copy(p);
      break;
    case 13:
      call_get_params(p);
      break;
    case 14:
      call_counting_iv(p);
      break;
    case 15:
      call_set_iv_len(p);
      break;
    }
  }
}

static void each_case(void (*one)(struct pair *p), unsigned long cases) {
  for (size_t i = 0; i < N_NAMES; i++) {
    EVP_CIPHER *ours = fetch(OURS, names[i]), *theirs = fetch(THEIRS, names[i]);
    for (unsigned long n = 0; ours != NULL && n < cases / N_NAMES; n++) {
      struct pair p;
      pair_new(&p, names[i], ours, theirs, n + 1);
      one(&p);
      pair_free(&p);
    }
    EVP_CIPHER_free(ours);
    EVP_CIPHER_free(theirs);
  }
}

static void test_random_calls(void **state) {
  (void)state;
  each_case(random_calls, n_cases);
}

/* ---- TLS 1.2 records ----------------------------------------------------------------------------------------- */

/* Both seal the same records; each opens what the other sealed, and refuses what was changed. */
static void random_records(struct pair *p) {
  uint8_t key[32], iv[12];
  size_t around = p->is_chapoly ? TAG_LEN : 8 + TAG_LEN;
  EVP_CIPHER_CTX *open[BOTH];
  fill_random(key, sizeof key, p->seed++);
  fill_random(iv, sizeof iv, p->seed++);
  for (int w = 0; w < BOTH; w++) {
    open[w] = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_CipherInit_ex(p->ctx[w], NULL, NULL, key, NULL, 1), 1);
    assert_int_equal(EVP_CipherInit_ex(open[w], p->cipher[w], NULL, key, NULL, 0), 1);
    /* GCM sealing begins to count at random: not when the whole IV is given. */
    int n_fixed = p->is_chapoly ? 12 : 4;
    assert_int_equal(EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_AEAD_SET_IV_FIXED, p->is_chapoly ? 12 : -1, iv), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(open[w], EVP_CTRL_AEAD_SET_IV_FIXED, n_fixed, iv), 1);
  }
  for (size_t i = 0, n = 1 + below(p, 4); i < n; i++) {
    uint8_t aad[TLS_AAD_LEN] = {0};
    size_t len = any_len(p), sealed_len = len + around, off = p->is_chapoly ? 0 : 8;
    size_t bad_len = below(p, 12) == 0 ? 1 + below(p, 30) : 0; /* less than there ought to be */
    int ret[BOTH], out_len[BOTH] = {0};
    aad[7] = (uint8_t)i;
    aad[8] = 23, aad[9] = 3, aad[10] = 3;
    size_t said = len + off;
    aad[11] = (uint8_t)(said >> 8), aad[12] = (uint8_t)said;
    if (bad_len > sealed_len) bad_len = 0;
    fill_random(input, len, p->seed++);
    for (int w = 0; w < BOTH; w++) {
      memset(output[w], 0, sizeof output[w]);
      memcpy(output[w] + off, input, len);
      assert_int_equal(EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_AEAD_TLS1_AAD, sizeof aad, aad), TAG_LEN);
      ret[w] = EVP_CipherUpdate(p->ctx[w], output[w], &out_len[w], output[w], (int)(sealed_len - bad_len));
    }
    outputs_agree("sealed record", ret[OURS], ret[THEIRS], ret[OURS] == 1 ? sizeof output[0] : 0);
    assert_int_equal(out_len[OURS], out_len[THEIRS]);
    if (ret[OURS] != 1 || bad_len > 0) break;

    /* Lengths in the AAD are wire lengths when opening. */
    said = sealed_len;
    aad[11] = (uint8_t)(said >> 8), aad[12] = (uint8_t)said;
    bool is_bad = below(p, 4) == 0;
    size_t bad_at = below(p, sealed_len);
    for (int w = 0; w < BOTH; w++) {
      if (is_bad) output[w][bad_at] ^= 1;
      assert_int_equal(EVP_CIPHER_CTX_ctrl(open[w], EVP_CTRL_AEAD_TLS1_AAD, sizeof aad, aad), TAG_LEN);
      ret[w] = EVP_CipherUpdate(open[w], output[w], &out_len[w], output[w], (int)sealed_len);
    }
    outputs_agree("opened record", ret[OURS], ret[THEIRS], off + len);
    assert_int_equal(out_len[OURS], out_len[THEIRS]);
    assert_int_equal(ret[OURS], is_bad ? 0 : 1);
    if (!is_bad) assert_memory_equal(output[OURS] + off, input, len);
  }
  for (int w = 0; w < BOTH; w++) EVP_CIPHER_CTX_free(open[w]);
}

static void test_random_records(void **state) {
  (void)state;
  each_case(random_records, n_cases);
}

/* AAD of wrong length, lengths too small for what a record adds. */
static void test_record_limits(void **state) {
  (void)state;
  for (size_t i = 0; i < N_NAMES; i++) {
    EVP_CIPHER *cipher[BOTH] = {fetch(OURS, names[i]), fetch(THEIRS, names[i])};
    for (int len = 0; cipher[OURS] != NULL && len < 16; len++) {
      for (int said = 0; said < 40; said++) {
        uint8_t aad[16] = {0}, key[32] = {0};
        int ret[BOTH];
        aad[12] = (uint8_t)said;
        for (int w = 0; w < BOTH; w++) {
          EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
          assert_int_equal(EVP_CipherInit_ex(ctx, cipher[w], NULL, key, NULL, said % 2), 1);
          ret[w] = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_TLS1_AAD, len, aad);
          EVP_CIPHER_CTX_free(ctx);
        }
        outputs_agree("tls aad", ret[OURS], ret[THEIRS], 0);
      }
    }
    EVP_CIPHER_free(cipher[OURS]);
    EVP_CIPHER_free(cipher[THEIRS]);
  }
  ERR_clear_error();
}

/* ---- X25519 -------------------------------------------------------------------------------------------------- */

static EVP_PKEY *x25519_from(int whose, const uint8_t *bytes, bool is_private) {
  return is_private ? EVP_PKEY_new_raw_private_key_ex(contexts[whose], "X25519", NULL, bytes, 32)
                    : EVP_PKEY_new_raw_public_key_ex(contexts[whose], "X25519", NULL, bytes, 32);
}

/* Returns EVP_PKEY_derive()'s answer. */
static int derive(int whose, EVP_PKEY *own, EVP_PKEY *peer, uint8_t *secret) {
  size_t len = 32;
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(contexts[whose], own, NULL);
  assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
  int ret = EVP_PKEY_derive_set_peer(ctx, peer);
  if (ret == 1) ret = EVP_PKEY_derive(ctx, secret, &len);
  if (ret == 1) assert_int_equal(len, 32);
  EVP_PKEY_CTX_free(ctx);
  return ret;
}

/* A key of one, its public half at the other: both get the secret, and say the same about the key. */
static void test_x25519(void **state) {
  (void)state;
  EVP_KEYMGMT *offered = EVP_KEYMGMT_fetch(contexts[OURS], "X25519", NULL);
  ERR_clear_error();
  if (offered == NULL) {
    printf("  n/a X25519: not offered with these kernels\n");
    return;
  }
  EVP_KEYMGMT_free(offered);
  for (uint64_t n = 0; n < 200; n++) {
    uint8_t bytes[2][32], public[BOTH][32], secret[BOTH][32], encoded[BOTH][32];
    EVP_PKEY *own[BOTH], *peer[BOTH], *copy[BOTH];
    int ret[BOTH], number[BOTH];
    fill_random(bytes[0], 32, 2 * n);
    fill_random(bytes[1], 32, 2 * n + 1);
    if (n % 16 == 3) memset(bytes[1], n % 32 == 3, 1), memset(bytes[1] + 1, 0, 31); /* points of small order */
    for (int w = 0; w < BOTH; w++) {
      size_t len = 32;
      own[w] = x25519_from(w, bytes[0], true);
      peer[w] = x25519_from(w, bytes[1], false);
      assert_non_null(own[w]);
      assert_non_null(peer[w]);
      assert_int_equal(EVP_PKEY_get_raw_public_key(own[w], public[w], &len), 1);
      assert_int_equal(
          EVP_PKEY_get_octet_string_param(own[w], OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, encoded[w], 32, &len), 1);
      memset(secret[w], 0, 32);
      ret[w] = derive(w, own[w], peer[w], secret[w]);
      copy[w] = EVP_PKEY_dup(own[w]);
      assert_non_null(copy[w]);
      assert_int_equal(EVP_PKEY_eq(copy[w], own[w]), 1);
      assert_int_equal(EVP_PKEY_eq(copy[w], peer[w]), 0);
      number[w] =
          EVP_PKEY_get_bits(own[w]) + 1000 * EVP_PKEY_get_security_bits(own[w]) + 1000000 * EVP_PKEY_get_size(own[w]);
      EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(contexts[w], own[w], NULL);
      assert_int_equal(EVP_PKEY_pairwise_check(ctx), 1);
      EVP_PKEY_CTX_free(ctx);
    }
    assert_int_equal(ret[OURS], ret[THEIRS]);
    assert_int_equal(number[OURS], number[THEIRS]);
    assert_memory_equal(public[OURS], public[THEIRS], 32);
    assert_memory_equal(encoded[OURS], public[OURS], 32);
    if (ret[OURS] == 1) assert_memory_equal(secret[OURS], secret[THEIRS], 32);
    for (int w = 0; w < BOTH; w++) {
      EVP_PKEY_free(own[w]);
      EVP_PKEY_free(peer[w]);
      EVP_PKEY_free(copy[w]);
    }
  }

  /* Made by one, exchanged the way libssl does it: an empty key of the same kind takes the peer's encoded point. */
  EVP_PKEY *made = EVP_PKEY_Q_keygen(contexts[OURS], NULL, "X25519"),
           *other = EVP_PKEY_Q_keygen(contexts[THEIRS], NULL, "X25519");
  uint8_t *points[2], secrets[2][32];
  assert_non_null(made);
  assert_int_equal(EVP_PKEY_get1_encoded_public_key(made, &points[0]), 32);
  assert_int_equal(EVP_PKEY_get1_encoded_public_key(other, &points[1]), 32);
  EVP_PKEY *peers[2] = {EVP_PKEY_new(), EVP_PKEY_new()};
  assert_int_equal(EVP_PKEY_copy_parameters(peers[0], made), 1);
  assert_int_equal(EVP_PKEY_set1_encoded_public_key(peers[0], points[1], 32), 1);
  assert_int_equal(EVP_PKEY_set1_encoded_public_key(peers[0], points[1], 31), 0);
  assert_int_equal(EVP_PKEY_copy_parameters(peers[1], other), 1);
  assert_int_equal(EVP_PKEY_set1_encoded_public_key(peers[1], points[0], 32), 1);
  assert_int_equal(derive(OURS, made, peers[0], secrets[0]), 1);
  assert_int_equal(derive(THEIRS, other, peers[1], secrets[1]), 1);
  assert_memory_equal(secrets[0], secrets[1], 32);
  for (int i = 0; i < 2; i++) OPENSSL_free(points[i]), EVP_PKEY_free(peers[i]);
  EVP_PKEY_free(made);
  EVP_PKEY_free(other);
  ERR_clear_error();
}

/* ---- what the cipher says about itself ----------------------------------------------------------------------- */

static void add_name(const char *name, void *names_of) {
  strcat(strcat(names_of, name), " ");
}

static void test_cipher_params(void **state) {
  (void)state;
  static const char *const numbers[] = {"mode", "keylen",    "ivlen",     "blocksize",  "aead",
                                        "cts",  "custom-iv", "tls-multi", "has-randkey"};
  for (size_t i = 0; i < N_NAMES; i++) {
    EVP_CIPHER *cipher[BOTH] = {fetch(OURS, names[i]), fetch(THEIRS, names[i])};
    for (size_t j = 0; cipher[OURS] != NULL && j < sizeof numbers / sizeof numbers[0]; j++) {
      size_t value[BOTH] = {99, 99};
      for (int w = 0; w < BOTH; w++) {
        OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(numbers[j], &value[w]), OSSL_PARAM_construct_end()};
        assert_int_equal(EVP_CIPHER_get_params(cipher[w], params), 1);
      }
      assert_int_equal(value[OURS], value[THEIRS]);
    }
    if (cipher[OURS] != NULL) {
      assert_int_equal(EVP_CIPHER_get_flags(cipher[OURS]), EVP_CIPHER_get_flags(cipher[THEIRS]));
      assert_int_equal(EVP_CIPHER_get_nid(cipher[OURS]), EVP_CIPHER_get_nid(cipher[THEIRS]));
      for (const OSSL_PARAM *p = EVP_CIPHER_settable_ctx_params(cipher[THEIRS]); p->key != NULL; p++) {
        assert_non_null(OSSL_PARAM_locate_const(EVP_CIPHER_settable_ctx_params(cipher[OURS]), p->key));
      }
      for (const OSSL_PARAM *p = EVP_CIPHER_gettable_ctx_params(cipher[THEIRS]); p->key != NULL; p++) {
        assert_non_null(OSSL_PARAM_locate_const(EVP_CIPHER_gettable_ctx_params(cipher[OURS]), p->key));
      }
      char all[BOTH][200] = {"", ""};
      for (int w = 0; w < BOTH; w++) EVP_CIPHER_names_do_all(cipher[w], add_name, all[w]);
      assert_int_equal(strlen(all[OURS]), strlen(all[THEIRS])); /* in whatever order */
    }
    EVP_CIPHER_free(cipher[OURS]);
    EVP_CIPHER_free(cipher[THEIRS]);
  }
}

/* ---- what ours refuses, and says --------------------------------------------------------------------------------- */

/* The last call must have failed, and said this about it. */
static void assert_reason(int ret, const char *reason) {
  assert_int_equal(ret, 0);
  const char *text = ERR_reason_error_string(ERR_peek_error());
  assert_non_null(text);
  assert_string_equal(text, reason);
  ERR_clear_error();
}

static void test_refuses(void **state) {
  (void)state;
  uint8_t key[32] = {1}, iv[12] = {2}, text[16] = {0};
  int len;
  for (size_t i = 0; i < N_NAMES; i++) {
    EVP_CIPHER *cipher = fetch(OURS, names[i]);
    if (cipher == NULL) continue;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, NULL, iv), 1);
    assert_reason(EVP_EncryptUpdate(ctx, text, &len, text, 16), "no key has been set");
    assert_int_equal(EVP_DecryptInit_ex(ctx, NULL, NULL, key, NULL), 1);
    assert_int_equal(EVP_DecryptUpdate(ctx, text, &len, text, 16), 1);
    assert_reason(EVP_DecryptUpdate(ctx, NULL, &len, text, 16),
                  "the text is too long, or additional data came after it");
    assert_reason(EVP_DecryptFinal_ex(ctx, text, &len), "no tag has been set");
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, text), 1);
    assert_reason(EVP_DecryptFinal_ex(ctx, text, &len),
                  "authentication failed: wrong key, or the data was changed on the way");
    assert_reason(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 0, NULL), "invalid IV length");
    if (i < 2) {
      assert_reason(EVP_DecryptUpdate(ctx, text, &len, text, 16),
                    "no IV has been set, or the one that was has been used");
      /* A new key ends a text: it does not go on under it without a nonce. */
      assert_int_equal(EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, iv), 1);
      assert_int_equal(EVP_EncryptUpdate(ctx, text, &len, text, 16), 1);
      assert_int_equal(EVP_EncryptInit_ex(ctx, NULL, NULL, key, NULL), 1);
      assert_reason(EVP_EncryptUpdate(ctx, text, &len, text, 16),
                    "no IV has been set, or the one that was has been used");
    }
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
  }
}

/* An IV nobody gave is made: twice not the same, and it opens what was sealed with it. */
static void test_made_iv(void **state) {
  (void)state;
  uint8_t key[16] = {1}, iv[2][12], text[2][40] = {{0}}, tag[16];
  int len;
  EVP_CIPHER *cipher = fetch(OURS, names[0]);
  if (cipher == NULL) return;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  for (int i = 0; i < 2; i++) {
    assert_int_equal(EVP_CIPHER_CTX_reset(ctx), 1);
    assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, key, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, text[i], &len, text[i], 40), 1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, text[i], &len), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag), 1);
    assert_int_equal(EVP_CIPHER_CTX_get_updated_iv(ctx, iv[i], 12), 1);
  }
  assert_memory_not_equal(iv[0], iv[1], 12);
  assert_int_equal(EVP_DecryptInit_ex(ctx, cipher, NULL, key, iv[1]), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag), 1);
  assert_int_equal(EVP_DecryptUpdate(ctx, text[1], &len, text[1], 40), 1);
  assert_int_equal(EVP_DecryptFinal_ex(ctx, text[1], &len), 1);

  /* TLS 1.2: four bytes given, eight counted from somewhere. */
  uint8_t records[2][8 + 16] = {{0}}, aad[13] = {0};
  aad[12] = 8;
  assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, key, NULL), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IV_FIXED, 4, iv[0]), 1);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_TLS1_AAD, 13, aad), 16);
    assert_int_equal(EVP_EncryptUpdate(ctx, records[i], &len, records[i], 24), 1);
  }
  uint64_t first = __builtin_bswap64(*(uint64_t *)(void *)records[0]);
  assert_int_equal(__builtin_bswap64(*(uint64_t *)(void *)records[1]), first + 1);
  EVP_CIPHER_CTX_free(ctx);
  EVP_CIPHER_free(cipher);
}

/* ---- coming and going ---------------------------------------------------------------------------------------- */

/* Seals 1,000 bytes; the same anywhere. */
static bool seals(EVP_CIPHER *cipher) {
  uint8_t key[32] = {1}, iv[12] = {2}, text[1000] = {0}, tag[16];
  int len;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  bool ok = EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv) == 1;
  ok = ok && EVP_EncryptUpdate(ctx, text, &len, text, sizeof text) == 1 && EVP_EncryptFinal_ex(ctx, text, &len) == 1;
  ok = ok && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
  EVP_CIPHER_CTX_free(ctx);
  return ok;
}

static void *seal_often(void *cipher) {
  for (int i = 0; i < 300; i++) {
    if (!seals(cipher)) return cipher;
  }
  return NULL;
}

static EVP_CIPHER *first_offered(void) {
  for (size_t i = 0; i < N_NAMES; i++) {
    EVP_CIPHER *cipher = fetch(OURS, names[i]);
    if (cipher != NULL) return cipher;
  }
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  pthread_t threads[4];
  EVP_CIPHER *cipher = first_offered();
  if (cipher == NULL) return;
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, seal_often, cipher), 0);
  for (int i = 0; i < 4; i++) {
    void *failed;
    assert_int_equal(pthread_join(threads[i], &failed), 0);
    assert_null(failed);
  }
  EVP_CIPHER_free(cipher);
}

static void test_fork(void **state) {
  (void)state;
  EVP_CIPHER *cipher = first_offered();
  if (cipher == NULL) return;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(seals(cipher) ? 0 : 1);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_true(seals(cipher));
  EVP_CIPHER_free(cipher);
}

/* A cipher holds its provider: what was fetched works on after unloading. */
static void test_reload(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) {
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
    assert_int_equal(OSSL_PROVIDER_set_default_search_path(ctx, SEALANE_MODULES), 1);
    OSSL_PROVIDER *provider = OSSL_PROVIDER_load(ctx, "sealane");
    assert_non_null(provider);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(ctx, names[0], NULL);
    ERR_clear_error();
    assert_int_equal(OSSL_PROVIDER_unload(provider), 1);
    if (cipher != NULL) assert_true(seals(cipher));
    EVP_CIPHER_free(cipher);
    OSSL_LIB_CTX_free(ctx);
  }
}

int main(int argc, char *argv[]) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_calls),  cmocka_unit_test(test_random_records), cmocka_unit_test(test_record_limits),
      cmocka_unit_test(test_cipher_params), cmocka_unit_test(test_x25519),         cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_made_iv),       cmocka_unit_test(test_threads),        cmocka_unit_test(test_fork),
      cmocka_unit_test(test_reload),
  };
  if (argc > 1) n_cases = strtoul(argv[1], NULL, 10);
  /* Portable kernels are offered by name only; where there is nothing better, by name they are had. */
  const struct sl_kernel *gcm, *chapoly;
  if (getenv("SEALANE_KERNELS") == NULL && sl_kernel_chosen(SL_ALG_AES_GCM, &gcm) == SL_OK &&
      sl_kernel_chosen(SL_ALG_CHACHA20_POLY1305, &chapoly) == SL_OK) {
    char forced[200];
    snprintf(forced, sizeof forced, "%s,%s", gcm->name, chapoly->name);
    setenv("SEALANE_KERNELS", forced, 1);
  }
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
