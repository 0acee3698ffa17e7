/* test_provider.c - the OpenSSL provider's ciphers against OpenSSL's own, call for call: the same random calls go to a context of
 * each, and results, lengths, outputs and parameters must agree.
 *
 *   test_provider            some thousand cases
 *   test_provider CASES      that many */
#include "provider_pair.h"

enum { TEXT_MAX = 20000, IV_MAX = 128, TLS_AAD_LEN = 13, TAG_LEN = 16 };

static unsigned long n_cases = 12000;

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

/* What has been called, for whoever must find out why the two disagree. */
static char calls[2000];

static void note(const char *format, ...) {
  size_t n = strlen(calls);
  va_list args;
  va_start(args, format);
  vsnprintf(calls + n, sizeof calls - n, format, args);
  va_end(args);
}

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
    return below(p, below(p, 8) ? 2000 : TEXT_MAX);
  case 3:
    return 16 * below(p, below(p, 8) ? 200 : TEXT_MAX / 16);
  default:
    return below(p, 300);
  }
}

static void outputs_agree(const char *what, int ours, int theirs, size_t len) {
  if (ours != theirs) fail_msg("%s: returns %d, OpenSSL's %d; calls:%s", what, ours, theirs, calls);
  if (memcmp(output[OURS], output[THEIRS], len) != 0) {
    fail_msg("%s: another output than OpenSSL's; calls:%s", what, calls);
  }
}

/* EVP_CipherInit_ex with any of key, IV and direction. */
static void call_init(struct pair *p) {
  uint8_t key[32], iv[IV_MAX];
  int ret[BOTH];
  bool with_iv = p->is_over || below(p, 4) > 0;
  bool with_key = p->has_key ? below(p, 3) == 0 && (with_iv || !p->begun) /* ours ends a text with its key */
                             : p->is_chapoly || below(p, 3) > 0;          /* ours wants one */
  int direction = p->has_key && below(p, 2) ? -1 : (int)below(p, 2);
  note(" init%s%s %d", with_key ? " key" : "", with_iv ? " iv" : "", direction);
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

/* A sealing GCM that was given no IV makes one at random. */
static bool makes_iv(const struct pair *p) {
  return !p->is_chapoly && p->is_enc && !p->has_iv;
}

/* A piece of AAD or text, in place or not, or one that is not there. */
static void call_update(struct pair *p, bool is_aad) {
  size_t len = any_len(p);
  int ret[BOTH], out_len[BOTH] = {0};
  bool in_place = below(p, 2), by_cipher = below(p, 8) == 0, no_input = below(p, 40) == 0;
  if (makes_iv(p) || (is_aad && p->is_chapoly && p->has_text)) return; /* ours refuses the latter */
  if (by_cipher && len == 0 && no_input) by_cipher = false; /* what that does changed with 3.0.22: test_cipher_ends() */
  note(" %s%s%s %zu", by_cipher ? "cipher " : "", is_aad ? "aad" : "text", no_input ? " none" : "", len);
  fill_random(input, len, p->seed++);
  for (int w = 0; w < BOTH; w++) {
    uint8_t *out = is_aad ? NULL : output[w];
    memset(output[w], 0x5a, len + 64);
    if (in_place) memcpy(output[w], input, len);
    const uint8_t *in = no_input ? NULL : in_place ? output[w] : input;
    if (by_cipher) {
      ret[w] = EVP_Cipher(p->ctx[w], out, in, (unsigned)len);
    } else {
      ret[w] = EVP_CipherUpdate(p->ctx[w], out, &out_len[w], in, (int)len);
    }
  }
  outputs_agree(is_aad ? "aad" : "text", ret[OURS], ret[THEIRS], len + 64);
  assert_int_equal(out_len[OURS], out_len[THEIRS]);
  if (ret[OURS] != 1 && !p->has_key) return;
  if (len > 0 || by_cipher) p->begun = true;
  if (!is_aad && len > 0) p->has_text = true;
  if (no_input && len > 0) p->has_text = false;
  if (no_input && ret[OURS] != 1 && !p->is_chapoly) p->is_over = true;
}

/* Many short ones. */
static void call_updates(struct pair *p) {
  uint64_t before = p->seed;
  size_t len = 1 + below(p, 500);
  if (makes_iv(p)) return;
  note(" texts %zu", len);
  for (size_t i = 0, n = below(p, 60); i < n; i++) {
    int ret[BOTH], out_len[BOTH] = {0};
    fill_random(input, len, before + i);
    for (int w = 0; w < BOTH; w++) ret[w] = EVP_CipherUpdate(p->ctx[w], output[w], &out_len[w], input, (int)len);
    outputs_agree("text", ret[OURS], ret[THEIRS], ret[OURS] == 1 ? len : 0);
    assert_int_equal(out_len[OURS], out_len[THEIRS]);
    if (ret[OURS] != 1) return;
    p->begun = p->has_text = true;
  }
}

static void call_final(struct pair *p) {
  int ret[BOTH], out_len[BOTH] = {0};
  if (makes_iv(p)) return;
  note(" final");
  for (int w = 0; w < BOTH; w++) {
    ret[w] = EVP_CipherFinal_ex(p->ctx[w], output[w], &out_len[w]);
  }
  outputs_agree("final", ret[OURS], ret[THEIRS], 0);
  assert_int_equal(out_len[OURS], out_len[THEIRS]);
  if (ret[OURS] == 1 && p->is_enc) p->made_tag = true;
  /* OpenSSL's GCM goes on behind a wrong tag, with a hash that no text has. */
  if (ret[OURS] != 1 && !p->is_chapoly && p->has_key && p->has_iv) p->is_over = true;
  p->has_text = false;
}

/* The tag that a text so far would have is found by a copy of the other context, turned to sealing. */
static void call_set_tag(struct pair *p) {
  uint8_t tag[TAG_LEN + 1] = {0};
  int ret[BOTH];
  size_t len = below(p, 8) == 0 ? below(p, TAG_LEN + 2) : 1 + below(p, TAG_LEN);
  if (p->is_enc) return; /* it would be an error that leaves OpenSSL's with that tag */
  note(" tag %zu", len);
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
  note(" get tag %d", len);
  for (int w = 0; w < BOTH; w++) {
    memset(output[w], 0, TAG_LEN + 1);
    ret[w] = EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_AEAD_GET_TAG, len, output[w]);
  }
  outputs_agree("get tag", ret[OURS], ret[THEIRS], TAG_LEN + 1);
}

static void call_set_iv_len(struct pair *p) {
  int ret[BOTH], len = below(p, 3) ? 12 : (int)below(p, IV_MAX + 3);
  for (int w = 0; w < BOTH; w++) ret[w] = EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_AEAD_SET_IVLEN, len, NULL);
  note(" ivlen %d", len);
  outputs_agree("set iv length", ret[OURS], ret[THEIRS], 0);
}

/* Copies go on where their originals are; those are used for something else. */
static void call_copy(struct pair *p) {
  note(" copy");
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
  if (memcmp(numbers[OURS], numbers[THEIRS], sizeof numbers[0]) != 0) fail_msg("other numbers; calls:%s", calls);
  if (memcmp(ivs[OURS], ivs[THEIRS], sizeof ivs[0]) != 0) fail_msg("another IV; calls:%s", calls);
}

/* OpenSSH's way: an IV that counts itself. */
static void call_counting_iv(struct pair *p) {
  uint8_t iv[IV_MAX];
  int ret[BOTH];
  int kind = (int)below(p, 3), len = EVP_CIPHER_CTX_get_iv_length(p->ctx[THEIRS]);
  assert_int_equal(EVP_CIPHER_CTX_get_iv_length(p->ctx[OURS]), len); /* both contexts remember having been asked */
  if (p->is_chapoly || len < 8 || len > 16) return;
  note(" counting iv %d", kind);
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

/* Parameters that one would not give, and questions that libssl does not ask. */
static void call_odd_params(struct pair *p) {
  static const char *const names[] = {"keylen", "ivlen",      "tag",     "taglen", "tlsaadpad",
                                      "iv",     "updated-iv", "padding", "no"};
  const char *name = names[below(p, sizeof names / sizeof names[0])];
  int ret[BOTH], type = (int)below(p, 3), kind = (int)below(p, 2);
  size_t size = below(p, 6) ? below(p, 20) : 1u << below(p, 4),
         value = below(p, 2) ? below(p, 140) : 12 + 20 * below(p, 2);
  bool has_data = kind == 0 || below(p, 8) > 0; /* OpenSSL's reads numbers from nowhere */
  size_t return_size[BOTH];
  static const unsigned types[] = {OSSL_PARAM_INTEGER, OSSL_PARAM_UNSIGNED_INTEGER, OSSL_PARAM_OCTET_STRING};
  bool is_number = type < 2;
  if (!has_data && is_number) return; /* of which types this is allowed depends on OpenSSL's version */
  if (is_number) size = below(p, 2) ? 4 : 8;
  if (!has_data && is_openssl_from(3, 6)) return; /* those say a size, whatever it is */
  if (!p->has_iv && strstr(name, "iv") != NULL && kind == 1) return;
  bool is_tag = strcmp(name, "tag") == 0;
  if (kind == 1 && is_tag && ((p->is_enc && !p->made_tag) || p->is_chapoly)) return; /* that one leaves out the size */
  if (kind == 0 && is_tag) return;                                                   /* call_set_tag() has its kinds */
  note(" %s %s", kind == 0 ? "set" : "get", name);
  for (int w = 0; w < BOTH; w++) {
    memset(output[w], 0, 64);
    memcpy(output[w], &value, sizeof value);
    OSSL_PARAM params[] = {{name, types[type], has_data ? output[w] : NULL, size, OSSL_PARAM_UNMODIFIED},
                           {NULL, 0, NULL, 0, 0}};
    ret[w] = kind == 0 ? EVP_CIPHER_CTX_set_params(p->ctx[w], params) : EVP_CIPHER_CTX_get_params(p->ctx[w], params);
    return_size[w] = params[0].return_size;
  }
  bool same_size = ret[OURS] != 1 || return_size[OURS] == return_size[THEIRS];
  if (ret[OURS] != ret[THEIRS] || !same_size || memcmp(output[OURS], output[THEIRS], 64) != 0) {
    fail_msg("%s of %s, type %u, %zu bytes%s, %zu: returns %d, OpenSSL's %d; sizes %zu, %zu; calls:%s",
             kind == 0 ? "set" : "get", name, types[type], size, has_data ? "" : " (none)", value, ret[OURS],
             ret[THEIRS], return_size[OURS], return_size[THEIRS], calls);
  }
}

static void call_questions(struct pair *p) {
  int answers[BOTH][5];
  for (int w = 0; w < BOTH; w++) {
    answers[w][0] = EVP_CIPHER_CTX_get_iv_length(p->ctx[w]);
    answers[w][1] = EVP_CIPHER_CTX_get_key_length(p->ctx[w]);
    answers[w][2] = EVP_CIPHER_CTX_get_tag_length(p->ctx[w]);
    answers[w][3] = EVP_CIPHER_CTX_get_block_size(p->ctx[w]);
    answers[w][4] = EVP_CIPHER_CTX_is_encrypting(p->ctx[w]);
  }
  assert_memory_equal(answers[OURS], answers[THEIRS], sizeof answers[0]);
}

/* All over: the cipher given again resets a context, too. */
static void call_reset(struct pair *p) {
  int ret[BOTH];
  bool by_reset = below(p, 2);
  note(" reset %d", by_reset);
  for (int w = 0; w < BOTH; w++) {
    if (by_reset) EVP_CIPHER_CTX_reset(p->ctx[w]);
    ret[w] = EVP_CipherInit_ex(p->ctx[w], p->cipher[w], NULL, NULL, NULL, 1);
  }
  outputs_agree("reset", ret[OURS], ret[THEIRS], 0);
  p->is_enc = true;
  p->has_key = p->has_iv = p->begun = p->has_text = p->has_tag = p->made_tag = p->is_over = false;
}

static void pair_new(struct pair *p, const char *name, EVP_CIPHER *ours, EVP_CIPHER *theirs, uint64_t seed) {
  memset(p, 0, sizeof *p);
  calls[0] = '\0';
  note(" %s, case %lu:", name, (unsigned long)seed);
  p->seed = seed * 1000003;
  p->cipher[OURS] = ours;
  p->cipher[THEIRS] = theirs;
  p->is_chapoly = strstr(name, "Poly") != NULL;
  p->is_enc = true;
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
  if (p->is_chapoly || below(p, 4) > 0) call_init(p);
  for (size_t i = 0, n = 4 + below(p, 20); i < n; i++) {
    if (p->is_chapoly && !p->has_key) call_init(p); /* ours wants a key */
    switch (p->is_over ? 0 : below(p, 20)) {
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
    case 16:
      call_updates(p);
      break;
    case 17:
      call_odd_params(p);
      break;
    case 18:
      call_questions(p);
      break;
    case 19:
      if (below(p, 4) == 0) call_reset(p);
      break;
    }
  }
}

static void each_case(void (*one)(struct pair *p), unsigned long cases) {
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *ours = fetch_cipher(OURS, cipher_names[i]), *theirs = fetch_cipher(THEIRS, cipher_names[i]);
    for (unsigned long n = 0; ours != NULL && n < cases / N_CIPHERS; n++) {
      struct pair p;
      pair_new(&p, cipher_names[i], ours, theirs, n + 1);
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

/* ---- one text, opened in every order of calls ---------------------------------------------------------------- */

/* How a text is opened that was sealed. */
struct way {
  size_t len, more; /* bytes of the first piece, and of the next */
  size_t tag_len;
  bool in_place, is_wrong, tag_late, copies;
};

/* Opens input[], whose tag is `tag`, this way in both contexts. */
static void open_one(struct pair *p, const struct way *way, const uint8_t *iv, const uint8_t *tag) {
  uint8_t given[TAG_LEN];
  int n, ret[BOTH][3];
  memcpy(given, tag, TAG_LEN);
  if (way->is_wrong) given[way->len % way->tag_len] ^= 0x20;
  calls[0] = '\0';
  note(" open %zu + %zu, tag %zu%s%s%s%s", way->len, way->more, way->tag_len, way->is_wrong ? " wrong" : "",
       way->tag_late ? " late" : "", way->in_place ? " in place" : "", way->copies ? " copied" : "");
  for (int w = 0; w < BOTH; w++) {
    EVP_CIPHER_CTX **ctx = &p->ctx[w];
    uint8_t *out = output[w], *in = way->in_place ? out : input;
    memset(out, 0x5a, sizeof output[w]);
    if (way->in_place) memcpy(out, input, way->len + way->more);
    assert_int_equal(EVP_CipherInit_ex(*ctx, NULL, NULL, NULL, iv, 0), 1);
    assert_int_equal(EVP_CipherUpdate(*ctx, NULL, &n, iv, 5), 1);
    for (int late = 0; late < 2; late++) {
      if (way->tag_late == late) EVP_CIPHER_CTX_ctrl(*ctx, EVP_CTRL_AEAD_SET_TAG, (int)way->tag_len, given);
      if (late == 0) ret[w][0] = EVP_CipherUpdate(*ctx, out, &n, in, (int)way->len);
    }
    if (way->copies) {
      EVP_CIPHER_CTX *copy = EVP_CIPHER_CTX_new();
      assert_int_equal(EVP_CIPHER_CTX_copy(copy, *ctx), 1);
      EVP_CIPHER_CTX_free(*ctx);
      *ctx = copy;
    }
    ret[w][1] = way->more > 0 ? EVP_CipherUpdate(*ctx, out + way->len, &n, in + way->len, (int)way->more) : 1;
    ret[w][2] = EVP_CipherFinal_ex(*ctx, given, &n);
  }
  for (int i = 0; i < 3; i++) outputs_agree("open", ret[OURS][i], ret[THEIRS][i], sizeof output[0]);
  assert_int_equal(ret[OURS][2], !way->is_wrong);
}

/* In a new context: one that saw a text go on would do the next as a stream. */
static void open_one_afresh(struct pair *p, const struct way *way) {
  uint8_t key[32], iv[12], tag[TAG_LEN];
  int n;
  fill_random(key, sizeof key, p->seed++);
  fill_random(iv, sizeof iv, p->seed++);
  fill_random(output[0], way->len + way->more, p->seed++);
  assert_int_equal(EVP_CipherInit_ex(p->ctx[THEIRS], NULL, NULL, key, iv, 1), 1);
  assert_int_equal(EVP_CipherUpdate(p->ctx[THEIRS], NULL, &n, iv, 5), 1);
  assert_int_equal(EVP_CipherUpdate(p->ctx[THEIRS], input, &n, output[0], (int)(way->len + way->more)), 1);
  assert_int_equal(EVP_CipherFinal_ex(p->ctx[THEIRS], input, &n), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(p->ctx[THEIRS], EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag), 1);
  EVP_CIPHER_CTX_free(p->ctx[OURS]);
  p->ctx[OURS] = EVP_CIPHER_CTX_new();
  assert_int_equal(EVP_CipherInit_ex(p->ctx[OURS], p->cipher[OURS], NULL, key, NULL, 0), 1);
  open_one(p, way, iv, tag);
}

static void test_opened_in_every_order(void **state) {
  (void)state;
  static const size_t lens[] = {1, 16, 127, 128, 129, 144, 256, 257, 1350, 2048, 2049, 4096, 9001, 16384};
  static const size_t mores[] = {0, 1, 15, 16, 40, 3000};
  static const size_t tag_lens[] = {TAG_LEN, 15, 4, 1};
  enum { N_LENS = sizeof lens / sizeof lens[0], N_MORES = sizeof mores / sizeof mores[0] };
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *ours = fetch_cipher(OURS, cipher_names[i]), *theirs = fetch_cipher(THEIRS, cipher_names[i]);
    struct pair p;
    if (ours != NULL) pair_new(&p, cipher_names[i], ours, theirs, i + 1);
    for (size_t n = 0; ours != NULL && n < N_LENS * N_MORES * 64; n++) {
      size_t flags = n / (N_LENS * N_MORES);
      open_one_afresh(&p, &(struct way){.len = lens[n % N_LENS],
                                        .more = mores[n / N_LENS % N_MORES],
                                        .tag_len = tag_lens[flags >> 4],
                                        .in_place = flags & 1,
                                        .is_wrong = flags & 2,
                                        .tag_late = flags & 4,
                                        .copies = flags & 8});
    }
    if (ours != NULL) pair_free(&p);
    EVP_CIPHER_free(ours);
    EVP_CIPHER_free(theirs);
  }
}

/* ---- whole texts ------------------------------------------------------------------------------------------------- */

/* AAD and text of one length each, in one to three pieces. */
static void give_text(struct pair *p, EVP_CIPHER_CTX *const ctx[BOTH], const uint8_t *aad, size_t aad_len, size_t len) {
  size_t n_pieces = 1 + below(p, 3), cut = below(p, aad_len + 1);
  int ret[BOTH], n;
  for (int w = 0; w < BOTH; w++) {
    ret[w] = EVP_CipherUpdate(ctx[w], NULL, &n, aad, (int)cut);
    ret[w] += 2 * EVP_CipherUpdate(ctx[w], NULL, &n, aad + cut, (int)(aad_len - cut));
  }
  outputs_agree("aad", ret[OURS], ret[THEIRS], 0);
  for (size_t i = 0, at = 0, n_now; i < n_pieces; i++, at += n_now) {
    n_now = i + 1 == n_pieces ? len - at : below(p, len - at + 1);
    for (int w = 0; w < BOTH; w++) ret[w] = EVP_CipherUpdate(ctx[w], output[w] + at, &n, output[w] + at, (int)n_now);
    outputs_agree("text", ret[OURS], ret[THEIRS], len);
  }
}

/* Sealed, then opened as libssl does it: the tag, right or wrong and of any length, comes first. */
static void random_texts(struct pair *p) {
  uint8_t key[32], iv[12], aad[60], tag[BOTH][TAG_LEN];
  size_t aad_len = below(p, 3) ? 5 : below(p, sizeof aad), len = below(p, 4) ? below(p, 600) : any_len(p);
  int ret[BOTH], n;
  EVP_CIPHER_CTX *open[BOTH];
  fill_random(key, sizeof key, p->seed++);
  fill_random(iv, sizeof iv, p->seed++);
  fill_random(aad, sizeof aad, p->seed++);
  fill_random(input, len, p->seed++);
  note(" aad %zu text %zu", aad_len, len);
  for (int w = 0; w < BOTH; w++) {
    memcpy(output[w], input, len);
    assert_int_equal(EVP_CipherInit_ex(p->ctx[w], NULL, NULL, key, iv, 1), 1);
  }
  give_text(p, p->ctx, aad, aad_len, len);
  for (int w = 0; w < BOTH; w++) {
    ret[w] = EVP_CipherFinal_ex(p->ctx[w], output[w] + len, &n);
    ret[w] += 2 * EVP_CIPHER_CTX_ctrl(p->ctx[w], EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag[w]);
  }
  outputs_agree("final", ret[OURS], ret[THEIRS], len);
  assert_int_equal(ret[OURS], 3); /* both calls */
  assert_memory_equal(tag[OURS], tag[THEIRS], TAG_LEN);

  bool is_bad = below(p, 3) == 0;
  size_t tag_len = below(p, 3) ? TAG_LEN : 1 + below(p, TAG_LEN), bad_at = below(p, len + tag_len);
  note(" tag %zu%s", tag_len, is_bad ? " bad" : "");
  for (int w = 0; w < BOTH; w++) {
    open[w] = EVP_CIPHER_CTX_new();
    if (is_bad) *(bad_at < len ? output[w] + bad_at : tag[w] + bad_at - len) ^= 1;
    assert_int_equal(EVP_CipherInit_ex(open[w], p->cipher[w], NULL, key, iv, 0), 1);
    ret[w] = EVP_CIPHER_CTX_ctrl(open[w], EVP_CTRL_AEAD_SET_TAG, (int)tag_len, tag[w]);
  }
  outputs_agree("set tag", ret[OURS], ret[THEIRS], 0);
  give_text(p, open, aad, aad_len, len);
  if (!is_bad) assert_memory_equal(output[OURS], input, len);
  for (int w = 0; w < BOTH; w++) {
    ret[w] = EVP_CipherFinal_ex(open[w], output[w], &n);
    EVP_CIPHER_CTX_free(open[w]);
  }
  outputs_agree("final", ret[OURS], ret[THEIRS], 0);
  if (!is_bad || tag_len >= 8) assert_int_equal(ret[OURS], is_bad ? 0 : 1); /* short ones are met by chance */
}

static void test_random_texts(void **state) {
  (void)state;
  each_case(random_texts, n_cases);
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
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *cipher[BOTH] = {fetch_cipher(OURS, cipher_names[i]), fetch_cipher(THEIRS, cipher_names[i])};
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

/* A record has a whole tag, whatever the text before it had: that length is what counts from there on. */
static void test_tag_length_after_record(void **state) {
  (void)state;
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *cipher[BOTH] = {fetch_cipher(OURS, cipher_names[i]), fetch_cipher(THEIRS, cipher_names[i])};
    for (int is_seal = 0; cipher[OURS] != NULL && is_seal < 2; is_seal++) {
      uint8_t key[32] = {1}, iv[12] = {2}, aad[TLS_AAD_LEN] = {[12] = 100}, record[100 + TAG_LEN] = {0};
      size_t tag_len[BOTH] = {0};
      for (int w = 0; w < BOTH; w++) {
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, &tag_len[w]),
                               OSSL_PARAM_construct_end()};
        int n_fixed = i < 2 ? -1 : 12, len = is_seal ? 100 + TAG_LEN : 100, n;
        assert_int_equal(EVP_DecryptInit_ex(ctx, cipher[w], NULL, key, iv), 1);
        assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 5, record), 1);
        assert_int_equal(EVP_CipherInit_ex(ctx, NULL, NULL, NULL, NULL, is_seal), 1);
        assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IV_FIXED, n_fixed, iv), 1);
        assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_TLS1_AAD, sizeof aad, aad), TAG_LEN);
        assert_int_equal(EVP_CipherUpdate(ctx, record, &n, record, len), is_seal);
        assert_int_equal(EVP_CIPHER_CTX_get_params(ctx, params), 1);
        EVP_CIPHER_CTX_free(ctx);
      }
      assert_int_equal(tag_len[OURS], tag_len[THEIRS]);
    }
    EVP_CIPHER_free(cipher[OURS]);
    EVP_CIPHER_free(cipher[THEIRS]);
  }
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
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *cipher[BOTH] = {fetch_cipher(OURS, cipher_names[i]), fetch_cipher(THEIRS, cipher_names[i])};
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
      lists_agree("cipher", EVP_CIPHER_gettable_params(cipher[OURS]), EVP_CIPHER_gettable_params(cipher[THEIRS]),
                  "encrypt-then-mac");
      lists_agree("settable", EVP_CIPHER_settable_ctx_params(cipher[OURS]),
                  EVP_CIPHER_settable_ctx_params(cipher[THEIRS]), "pipeline-tag");
      lists_agree("gettable", EVP_CIPHER_gettable_ctx_params(cipher[OURS]),
                  EVP_CIPHER_gettable_ctx_params(cipher[THEIRS]), "iv-generated,pipeline-tag");
      char all[BOTH][200] = {"", ""};
      for (int w = 0; w < BOTH; w++) EVP_CIPHER_names_do_all(cipher[w], add_name, all[w]);
      assert_int_equal(strlen(all[OURS]), strlen(all[THEIRS])); /* in whatever order */
    }
    EVP_CIPHER_free(cipher[OURS]);
    EVP_CIPHER_free(cipher[THEIRS]);
  }
}

/* EVP_Cipher() without a text is the end of one, also where there was none: the tag is made or looked at. */
static void test_cipher_ends(void **state) {
  (void)state;
  static const uint8_t key[32] = {1}, iv[12] = {2}, aad[] = "nothing but this";
  for (size_t i = 0; i < 2 * N_CIPHERS; i++) {
    EVP_CIPHER *cipher = fetch_cipher(OURS, cipher_names[i / 2]);
    if (cipher == NULL) continue;
    int aad_len = i % 2 ? (int)sizeof aad : 0, len;
    uint8_t want[TAG_LEN], got[TAG_LEN], out[TAG_LEN];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    for (unsigned by_cipher = 0; by_cipher < 2; by_cipher++) {
      assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv), 1);
      if (aad_len > 0) assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &len, aad, aad_len), 1);
      if (by_cipher) {
        assert_int_equal(EVP_Cipher(ctx, out, NULL, 0), 0);
      } else {
        assert_int_equal(EVP_EncryptFinal_ex(ctx, out, &len), 1);
      }
      assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, by_cipher ? got : want), 1);
    }
    assert_memory_equal(got, want, TAG_LEN);
    for (uint8_t is_wrong = 0; is_wrong < 2; is_wrong++) {
      got[TAG_LEN - 1] ^= is_wrong;
      assert_int_equal(EVP_DecryptInit_ex(ctx, cipher, NULL, key, iv), 1);
      assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, got), 1);
      if (aad_len > 0) assert_int_equal(EVP_DecryptUpdate(ctx, NULL, &len, aad, aad_len), 1);
      assert_int_equal(EVP_Cipher(ctx, out, aad, 0), 0); /* a piece without a length is no end */
      assert_int_equal(EVP_Cipher(ctx, out, NULL, 0), is_wrong ? -1 : 0);
    }
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
  }
}

/* ---- what ours refuses, and says --------------------------------------------------------------------------------- */

static void test_refuses(void **state) {
  (void)state;
  uint8_t key[32] = {1}, iv[12] = {2}, text[16] = {0};
  int len;
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *cipher = fetch_cipher(OURS, cipher_names[i]);
    if (cipher == NULL) continue;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, NULL, iv), 1);
    assert_reason(EVP_EncryptUpdate(ctx, text, &len, text, 16), "no key has been set");
    assert_int_equal(EVP_DecryptInit_ex(ctx, NULL, NULL, key, NULL), 1);
    assert_int_equal(EVP_DecryptUpdate(ctx, text, &len, text, 16), 1);
    assert_reason(EVP_DecryptUpdate(ctx, NULL, &len, text, 16),
                  "the text is too long, or additional data came after it");
    /* ChaCha20-Poly1305: from OpenSSL 4.0 on (test_provider_version.c). */
    if (i < 2) assert_reason(EVP_DecryptFinal_ex(ctx, text, &len), "no tag has been set");
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, text), 1);
    /* As with OpenSSL's own: libssl says what that means, and programs look at the first reason there is. */
    assert_int_equal(EVP_DecryptFinal_ex(ctx, text, &len), 0);
    assert_int_equal(ERR_peek_error(), 0);
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
  EVP_CIPHER *cipher = fetch_cipher(OURS, cipher_names[0]);
  if (cipher == NULL) return;
  unsigned was_made;
  OSSL_PARAM question[] = {OSSL_PARAM_construct_uint("iv-generated", &was_made), OSSL_PARAM_construct_end()};
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  for (int i = 0; i < 2; i++) {
    assert_int_equal(EVP_CIPHER_CTX_reset(ctx), 1);
    assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, key, NULL), 1);
    assert_int_equal(EVP_CIPHER_CTX_get_params(ctx, question), 1);
    assert_int_equal(was_made, 0);
    assert_int_equal(EVP_EncryptUpdate(ctx, text[i], &len, text[i], 40), 1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, text[i], &len), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag), 1);
    assert_int_equal(EVP_CIPHER_CTX_get_updated_iv(ctx, iv[i], 12), 1);
    assert_int_equal(EVP_CIPHER_CTX_get_params(ctx, question), 1);
    assert_int_equal(was_made, 1);
  }
  assert_memory_not_equal(iv[0], iv[1], 12);
  uint8_t asked[12];
  assert_int_equal(EVP_CIPHER_CTX_reset(ctx), 1);
  assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, key, NULL), 1);
  assert_int_equal(EVP_CIPHER_CTX_get_updated_iv(ctx, asked, 12), is_openssl_from(4, 0)); /* before its text */
  if (is_openssl_from(4, 0)) {
    assert_memory_not_equal(asked, iv[1], 12);
    assert_int_equal(EVP_EncryptUpdate(ctx, text[0], &len, text[0], 40), 1);
    assert_int_equal(EVP_CIPHER_CTX_get_updated_iv(ctx, iv[0], 12), 1);
    assert_memory_equal(asked, iv[0], 12);
  }
  ERR_clear_error();
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

int main(int argc, char *argv[]) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_calls),
      cmocka_unit_test(test_random_texts),
      cmocka_unit_test(test_random_records),
      cmocka_unit_test(test_record_limits),
      cmocka_unit_test(test_cipher_params),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_made_iv),
      cmocka_unit_test(test_opened_in_every_order),
      cmocka_unit_test(test_tag_length_after_record),
      cmocka_unit_test(test_cipher_ends),
  };
  if (argc > 1) n_cases = strtoul(argv[1], NULL, 10);
  force_what_there_is();
  return cmocka_run_group_tests(tests, pair_set_up, pair_tear_down);
}
