/* test_provider_pipeline.c - pipelines, many texts in one call: each text must be what OpenSSL's own cipher makes of it alone,
 * whatever the others are.
 *
 *   test_provider_pipeline            some hundred pipelines of each cipher
 *   test_provider_pipeline PIPELINES  that many
 *
 * The provider's entries are called as a core would, with any libcrypto; and once more through EVP where there is one of OpenSSL
 * 3.5 or later: LD_LIBRARY_PATH=/opt/openssl-3.5/lib build/tests/test_provider_pipeline */
#define _GNU_SOURCE
#include "provider_direct.h"
#include "provider_pair.h"
#include <dlfcn.h>

enum { PIPES_MAX = 32, TEXT_MAX = 20000, AAD_MAX = 200, IV_MAX = 128, TAG_LEN = 16, KEY_LEN = 32 };
enum { FUNC_SEAL_INIT = 15, FUNC_OPEN_INIT = 16, FUNC_UPDATE = 17, FUNC_FINAL = 18 };

static unsigned long n_pipelines = 600;

/* ---- two ways to call a pipeline ----------------------------------------------------------------------------- */

typedef int init_fn(void *ctx, const uint8_t *key, size_t key_len, size_t n, const uint8_t **iv, size_t iv_len,
                    const OSSL_PARAM params[]);
typedef int update_fn(void *ctx, size_t n, uint8_t **out, size_t *out_len, const size_t *out_cap, const uint8_t **in,
                      const size_t *len);
typedef int final_fn(void *ctx, size_t n, uint8_t **out, size_t *out_len, const size_t *out_cap);

/* Through EVP: what 3.0's headers do not declare. */
static struct {
  int (*can)(const EVP_CIPHER *cipher, int is_seal);
  int (*init[2])(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const uint8_t *key, size_t key_len, size_t n,
                 const uint8_t **iv, size_t iv_len); /* open, seal */
  int (*update)(EVP_CIPHER_CTX *ctx, uint8_t **out, size_t *out_len, const size_t *out_cap, const uint8_t **in,
                const size_t *len);
  int (*final)(EVP_CIPHER_CTX *ctx, uint8_t **out, size_t *out_len, const size_t *out_cap);
} evp;

static bool has_evp(void) {
  const struct {
    const char *name;
    void *at;
  } symbols[] = {
      {"EVP_CIPHER_can_pipeline", &evp.can},           {"EVP_CipherPipelineDecryptInit", &evp.init[0]},
      {"EVP_CipherPipelineEncryptInit", &evp.init[1]}, {"EVP_CipherPipelineUpdate", &evp.update},
      {"EVP_CipherPipelineFinal", &evp.final},
  };
  for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
    void *symbol = dlsym(RTLD_DEFAULT, symbols[i].name);
    if (symbol == NULL) return false;
    memcpy(symbols[i].at, &symbol, sizeof symbol);
  }
  return true;
}

/* A context of one cipher, called one way. */
struct line {
  const OSSL_DISPATCH *table; /* NULL: through EVP */
  const EVP_CIPHER *cipher;
  void *ctx;
};

static struct line line_new(const OSSL_DISPATCH *table, const EVP_CIPHER *cipher) {
  struct line line = {table, cipher, NULL};
  if (table != NULL) {
    line.ctx = ((OSSL_FUNC_cipher_newctx_fn *)direct_entry(table, OSSL_FUNC_CIPHER_NEWCTX))(direct_ctx);
  } else {
    line.ctx = EVP_CIPHER_CTX_new();
  }
  return line;
}

static void line_free(struct line *line) {
  if (line->table != NULL) {
    ((OSSL_FUNC_cipher_freectx_fn *)direct_entry(line->table, OSSL_FUNC_CIPHER_FREECTX))(line->ctx);
  } else {
    EVP_CIPHER_CTX_free(line->ctx);
  }
  line->ctx = NULL;
}

/* A copy in place of the original. */
static bool line_becomes_copy(struct line *line) {
  void *copy;
  if (line->table != NULL) {
    copy = ((OSSL_FUNC_cipher_dupctx_fn *)direct_entry(line->table, OSSL_FUNC_CIPHER_DUPCTX))(line->ctx);
  } else {
    copy = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_CIPHER_CTX_copy(copy, line->ctx), 1);
  }
  if (copy == NULL) return false;
  line_free(line);
  line->ctx = copy;
  return true;
}

static int line_init(struct line *line, bool is_seal, const uint8_t *key, size_t key_len, size_t n,
                     uint8_t (*ivs)[IV_MAX], size_t iv_len) {
  const uint8_t *iv[PIPES_MAX + 1];
  for (size_t i = 0; ivs != NULL && i < n && i <= PIPES_MAX; i++) iv[i] = ivs[i];
  if (line->table != NULL) {
    init_fn *init = (init_fn *)direct_entry(line->table, is_seal ? FUNC_SEAL_INIT : FUNC_OPEN_INIT);
    return init(line->ctx, key, key_len, n, ivs != NULL ? iv : NULL, iv_len, NULL);
  }
  /* A cipher that is named again would take the context back to its beginning, number of pipes included. */
  const EVP_CIPHER *cipher = EVP_CIPHER_CTX_get0_cipher(line->ctx) == NULL ? line->cipher : NULL;
  return evp.init[is_seal](line->ctx, cipher, key, key_len, n, ivs != NULL ? iv : NULL, iv_len);
}

static int line_update(struct line *line, size_t n, uint8_t **out, size_t *out_len, const size_t *out_cap,
                       const uint8_t **in, const size_t *len) {
  if (line->table == NULL) return evp.update(line->ctx, out, out_len, out_cap, in, len);
  return ((update_fn *)direct_entry(line->table, FUNC_UPDATE))(line->ctx, n, out, out_len, out_cap, in, len);
}

static int line_final(struct line *line, size_t n) {
  uint8_t none[TAG_LEN], *out[PIPES_MAX];
  size_t out_len[PIPES_MAX], out_cap[PIPES_MAX] = {0};
  for (size_t i = 0; i < PIPES_MAX; i++) out[i] = none;
  if (line->table == NULL) return evp.final(line->ctx, out, out_len, out_cap);
  return ((final_fn *)direct_entry(line->table, FUNC_FINAL))(line->ctx, n, out, out_len, out_cap);
}

static int line_tags(struct line *line, bool sets, uint8_t (*tags)[TAG_LEN], size_t tag_len) {
  uint8_t *buffers[PIPES_MAX];
  void *array = buffers;
  for (size_t i = 0; i < PIPES_MAX; i++) buffers[i] = tags[i];
  OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_ptr("pipeline-tag", &array, tag_len), OSSL_PARAM_construct_end()};
  if (line->table == NULL) {
    return sets ? EVP_CIPHER_CTX_set_params(line->ctx, params) : EVP_CIPHER_CTX_get_params(line->ctx, params);
  }
  if (sets) {
    return ((OSSL_FUNC_cipher_set_ctx_params_fn *)direct_entry(line->table, OSSL_FUNC_CIPHER_SET_CTX_PARAMS))(line->ctx,
                                                                                                              params);
  }
  return ((OSSL_FUNC_cipher_get_ctx_params_fn *)direct_entry(line->table, OSSL_FUNC_CIPHER_GET_CTX_PARAMS))(line->ctx,
                                                                                                            params);
}

/* ---- random pipelines ---------------------------------------------------------------------------------------- */

/* What goes in, and what must come out: OpenSSL's own. */
struct texts {
  uint64_t seed;
  size_t n, iv_len, len[PIPES_MAX], aad_len[PIPES_MAX];
  uint8_t key[KEY_LEN], ivs[PIPES_MAX][IV_MAX], aad[PIPES_MAX][AAD_MAX], tags[PIPES_MAX][TAG_LEN];
  uint8_t *text[PIPES_MAX], *sealed[PIPES_MAX];
};

static size_t below(struct texts *x, size_t n) {
  return random_below(&x->seed, n);
}

static size_t any_len(struct texts *x) {
  static const size_t limits[] = {2, 17, 100, 300, 1500, 2100, 8500, TEXT_MAX};
  return below(x, 1 + limits[below(x, below(x, 16) == 0 ? 8 : 6)]);
}

static void seal_alone(struct texts *x, EVP_CIPHER *theirs, size_t i) {
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  int n;
  assert_int_equal(EVP_EncryptInit_ex(ctx, theirs, NULL, NULL, NULL), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)x->iv_len, NULL), 1);
  assert_int_equal(EVP_EncryptInit_ex(ctx, NULL, NULL, x->key, x->ivs[i]), 1);
  if (x->aad_len[i] > 0) assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, x->aad[i], (int)x->aad_len[i]), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, x->sealed[i], &n, x->text[i], (int)x->len[i]), 1);
  assert_int_equal(EVP_EncryptFinal_ex(ctx, x->sealed[i], &n), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, x->tags[i]), 1);
  EVP_CIPHER_CTX_free(ctx);
}

static void texts_new(struct texts *x, EVP_CIPHER *theirs, uint64_t seed, bool is_gcm) {
  x->seed = seed;
  x->n = 1 + below(x, PIPES_MAX);
  x->iv_len = is_gcm && below(x, 5) == 0 ? 1 + below(x, IV_MAX) : 12;
  fill_random(x->key, sizeof x->key, x->seed++);
  bool same_len = below(x, 3) == 0;
  for (size_t i = 0; i < x->n; i++) {
    x->len[i] = same_len && i > 0 ? x->len[0] : any_len(x);
    x->aad_len[i] = below(x, 4) == 0 ? below(x, AAD_MAX) : below(x, 33);
    x->text[i] = malloc(x->len[i] + 1);
    x->sealed[i] = malloc(x->len[i] + 1);
    assert_true(x->text[i] != NULL && x->sealed[i] != NULL);
    fill_random(x->ivs[i], IV_MAX, x->seed++);
    fill_random(x->aad[i], AAD_MAX, x->seed++);
    fill_random(x->text[i], x->len[i], x->seed++);
    seal_alone(x, theirs, i);
  }
}

static void texts_free(struct texts *x) {
  for (size_t i = 0; i < x->n; i++) {
    free(x->text[i]);
    free(x->sealed[i]);
  }
}

/* Gives len[i] bytes of each text in up to `pieces` calls: from in[i] to out[i], or as AAD. Each piece comes from memory of its
 * own length and goes to such, so that a sanitizer sees a byte too many. */
static bool give(struct texts *x, struct line *line, uint8_t **out, uint8_t *const *in, const size_t *len,
                 size_t pieces) {
  size_t at[PIPES_MAX] = {0};
  bool ok = true, in_place = below(x, 2);
  for (size_t piece = 0; piece < pieces && ok; piece++) {
    const uint8_t *from[PIPES_MAX];
    uint8_t *to[PIPES_MAX], *copy[PIPES_MAX];
    size_t n[PIPES_MAX], n_out[PIPES_MAX];
    for (size_t i = 0; i < x->n; i++) {
      n[i] = piece + 1 == pieces ? len[i] - at[i] : below(x, len[i] - at[i] + 1);
      copy[i] = malloc(n[i] + 1); /* one more, so that it is not NULL: at the front */
      to[i] = in_place ? copy[i] : malloc(n[i] + 1);
      assert_true(copy[i] != NULL && to[i] != NULL);
      memcpy(copy[i] + 1, in[i] + at[i], n[i]);
      from[i] = copy[i] + 1;
      to[i]++;
    }
    ok = line_update(line, x->n, out != NULL ? to : NULL, n_out, out != NULL ? n : NULL, from, n) == 1;
    for (size_t i = 0; i < x->n; i++) {
      if (ok) assert_int_equal(n_out[i], n[i]);
      if (ok && out != NULL) memcpy(out[i] + at[i], to[i], n[i]);
      free(copy[i]);
      if (!in_place) free(to[i] - 1);
      at[i] += n[i];
    }
  }
  return ok;
}

static void aads(struct texts *x, uint8_t *out[PIPES_MAX]) {
  for (size_t i = 0; i < x->n; i++) out[i] = x->aad[i];
}

static void agree(struct texts *x, const char *what, uint8_t *const *got, uint8_t *const *want) {
  for (size_t i = 0; i < x->n; i++) {
    if (memcmp(got[i], want[i], x->len[i]) == 0) continue;
    fail_msg("%s text %zu of %zu, %zu bytes: another output than OpenSSL's", what, i, x->n, x->len[i]);
  }
}

/* All the calls of a pipeline, in any pieces; false where one failed. The outputs are the caller's to look at. */
static bool run(struct texts *x, struct line *line, bool is_seal, uint8_t **out, uint8_t (*tags)[TAG_LEN],
                size_t tag_len, bool copies) {
  uint8_t *aad[PIPES_MAX];
  size_t key_len = line->cipher != NULL ? (size_t)EVP_CIPHER_get_key_length(line->cipher) : KEY_LEN;
  bool key_first = below(x, 3) == 0, tags_late = below(x, 3) == 0;
  aads(x, aad);
  if (key_first && line_init(line, is_seal, x->key, key_len, x->n, NULL, 0) != 1) return false;
  if (line_init(line, is_seal, key_first ? NULL : x->key, key_first ? 0 : key_len, x->n, x->ivs, x->iv_len) != 1) {
    return false;
  }
  if (!is_seal && !tags_late && line_tags(line, true, tags, tag_len) != 1) return false;
  if (!give(x, line, NULL, aad, x->aad_len, below(x, 3) + 1)) return false;
  if (copies && !line_becomes_copy(line)) return false;
  if (!give(x, line, out, is_seal ? x->text : x->sealed, x->len, below(x, 2) == 0 ? 1 : 1 + below(x, 4))) return false;
  if (copies && !line_becomes_copy(line)) return false;
  if (!is_seal && tags_late && line_tags(line, true, tags, tag_len) != 1) return false;
  if (line_final(line, x->n) != 1) return false;
  return !is_seal || line_tags(line, false, tags, TAG_LEN) == 1;
}

static void one_pipeline(struct line *line, EVP_CIPHER *theirs, uint64_t seed) {
  struct texts x;
  uint8_t tags[PIPES_MAX][TAG_LEN], *out[PIPES_MAX];
  texts_new(&x, theirs, seed, EVP_CIPHER_get_mode(theirs) == EVP_CIPH_GCM_MODE);
  for (size_t i = 0; i < x.n; i++) assert_non_null(out[i] = calloc(1, x.len[i] + 1));
  bool copies = below(&x, 4) == 0;

  assert_true(run(&x, line, true, out, tags, TAG_LEN, copies));
  agree(&x, "sealed", out, x.sealed);
  for (size_t i = 0; i < x.n; i++) assert_memory_equal(tags[i], x.tags[i], TAG_LEN);

  /* Opening: one may be wrong; the others are right all the same, and that one's text is what it is. */
  size_t bad = below(&x, 3) == 0 ? below(&x, x.n) : PIPES_MAX, tag_len = below(&x, 4) > 0 ? TAG_LEN : 8 + below(&x, 9);
  if (bad < x.n && x.len[bad] > 0 && below(&x, 2)) {
    size_t at = below(&x, x.len[bad]);
    x.sealed[bad][at] ^= 4;
    x.text[bad][at] ^= 4;
  } else if (bad < x.n) {
    tags[bad][below(&x, 8)] ^= 4;
  }
  for (size_t i = 0; i < x.n; i++) memset(out[i], 0, x.len[i]);
  assert_int_equal(run(&x, line, false, out, tags, tag_len, copies), bad == PIPES_MAX);
  ERR_clear_error();
  agree(&x, "opened", out, x.text);
  for (size_t i = 0; i < x.n; i++) free(out[i]);
  texts_free(&x);
}

/* Runs it for each cipher: as a core, and through EVP where that can be. */
static void each_line(void (*one)(struct line *line, EVP_CIPHER *theirs)) {
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *ours = fetch_cipher(OURS, cipher_names[i]), *theirs = fetch_cipher(THEIRS, cipher_names[i]);
    if (ours == NULL) continue;
    struct line direct = line_new(direct_algorithm(OSSL_OP_CIPHER, cipher_names[i]), ours);
    one(&direct, theirs);
    line_free(&direct);
    if (has_evp()) {
      struct line through = line_new(NULL, ours);
      assert_int_equal(evp.can(ours, 0) + evp.can(ours, 1), 2);
      assert_int_equal(evp.can(theirs, 1), 0);
      one(&through, theirs);
      line_free(&through);
    }
    EVP_CIPHER_free(ours);
    EVP_CIPHER_free(theirs);
  }
  if (!has_evp()) printf("  n/a through EVP: %s has no pipelines\n", OpenSSL_version(OPENSSL_VERSION));
}

static void many(struct line *line, EVP_CIPHER *theirs) {
  for (unsigned long i = 0; i < n_pipelines; i++) one_pipeline(line, theirs, i + 1);
}

static void test_random_pipelines(void **state) {
  (void)state;
  each_line(many);
}

/* ---- what is refused ----------------------------------------------------------------------------------------- */

static void assert_refused(const struct line *line, int ret, const char *reason) {
  assert_int_equal(ret, 0);
  const char *said = line->table != NULL ? direct_reason() : ERR_reason_error_string(ERR_peek_last_error());
  assert_non_null(said);
  assert_string_equal(said, reason);
  direct_last_reason = 0;
  ERR_clear_error();
}

#define WRONG_NUMBER "no pipeline, one of another number of texts, or a plain call within one"
#define NO_IV        "no IV has been set, or the one that was has been used"

static void refusals(struct line *line, EVP_CIPHER *theirs) {
  uint8_t key[KEY_LEN] = {1}, ivs[PIPES_MAX + 1][IV_MAX] = {{2}}, text[2][16] = {{0}}, tags[PIPES_MAX][TAG_LEN] = {{0}};
  uint8_t *out[] = {text[0], text[1]};
  const uint8_t *in[] = {text[0], text[1]};
  size_t key_len = (size_t)EVP_CIPHER_get_key_length(theirs), len[] = {16, 16}, less[] = {16, 15}, out_len[2];
  bool is_direct = line->table != NULL;

  assert_refused(line, line_init(line, true, key, key_len, 0, ivs, 12), WRONG_NUMBER);
  assert_refused(line, line_init(line, true, key, key_len + 1, 2, ivs, 12), "invalid key length");
  assert_refused(line, line_init(line, true, key, key_len, 2, ivs, 0), "invalid IV length");
  assert_refused(line, line_init(line, true, key, key_len, 2, ivs, IV_MAX + 1), "invalid IV length");
  if (is_direct) {
    assert_refused(line, line_init(line, true, key, key_len, PIPES_MAX + 1, ivs, 12), WRONG_NUMBER);
    assert_refused(line, line_update(line, 2, out, out_len, len, in, len), WRONG_NUMBER);
    assert_refused(line, line_final(line, 2), WRONG_NUMBER);
  }
  assert_int_equal(line_init(line, true, NULL, 0, 2, ivs, 12), 1);
  assert_refused(line, line_update(line, 2, out, out_len, len, in, len), "no key has been set");
  assert_int_equal(line_init(line, true, key, key_len, 2, NULL, 0), 1); /* the IVs are there */
  assert_refused(line, line_update(line, 2, out, out_len, less, in, len), "the output buffer is too small");
  assert_refused(line, line_update(line, 2, out, out_len, NULL, in, len), "the output buffer is too small");
  assert_refused(line, line_tags(line, false, tags, TAG_LEN), "invalid tag or tag length");
  assert_refused(line, line_tags(line, true, tags, TAG_LEN), "the tag is made by encryption, not given to it");
  if (is_direct) {
    assert_refused(line, line_update(line, 1, out, out_len, len, in, len), WRONG_NUMBER);
    assert_refused(line, line_final(line, 3), WRONG_NUMBER);
  }
  assert_int_equal(line_update(line, 2, out, out_len, len, in, len), 1);
  assert_refused(line, line_update(line, 2, NULL, out_len, NULL, in, len),
                 "the text is too long, or additional data came after it");
  assert_int_equal(line_final(line, 2), 1);
  /* An IV serves once; another number of pipes has none. */
  assert_refused(line, line_update(line, 2, out, out_len, len, in, len), NO_IV);
  assert_refused(line, line_final(line, 2), NO_IV);
  assert_int_equal(line_init(line, true, key, key_len, 2, NULL, 0), 1);
  assert_refused(line, line_update(line, 2, out, out_len, len, in, len), NO_IV);
  assert_int_equal(line_init(line, false, NULL, 0, 2, ivs, 12), 1);
  assert_int_equal(line_init(line, false, NULL, 0, 1, NULL, 0), 1);
  assert_refused(line, line_update(line, 1, out, out_len, len, in, len), NO_IV);
  /* Opening wants tags. */
  assert_int_equal(line_init(line, false, NULL, 0, 2, ivs, 12), 1);
  assert_int_equal(line_update(line, 2, out, out_len, len, in, len), 1);
  assert_refused(line, line_final(line, 2), "no tag has been set");
  assert_refused(line, line_tags(line, true, tags, 0), "invalid tag or tag length");
  assert_refused(line, line_tags(line, true, tags, TAG_LEN + 1), "invalid tag or tag length");
  assert_int_equal(line_tags(line, true, tags, TAG_LEN), 1);
  assert_refused(line, line_final(line, 2), "authentication failed: wrong key, or the data was changed on the way");
}

static void test_refuses(void **state) {
  (void)state;
  each_line(refusals);
}

/* A context is of pipes or of one text: what was begun as the one is not gone on with as the other. */
static void test_plain_calls_between(void **state) {
  (void)state;
  uint8_t key[KEY_LEN] = {1}, ivs[2][IV_MAX] = {{2}}, text[2][16] = {{0}}, *out[] = {text[0], text[1]};
  const uint8_t *in[] = {text[0], text[1]};
  size_t len[] = {16, 16}, out_len[2];
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *theirs = fetch_cipher(THEIRS, cipher_names[i]);
    const OSSL_DISPATCH *table = direct_algorithm(OSSL_OP_CIPHER, cipher_names[i]);
    size_t key_len = (size_t)EVP_CIPHER_get_key_length(theirs);
    EVP_CIPHER_free(theirs);
    if (table == NULL) continue;
    struct line line = line_new(table, NULL);
    OSSL_FUNC_cipher_encrypt_init_fn *init =
        (OSSL_FUNC_cipher_encrypt_init_fn *)direct_entry(table, OSSL_FUNC_CIPHER_ENCRYPT_INIT);
    OSSL_FUNC_cipher_update_fn *update = (OSSL_FUNC_cipher_update_fn *)direct_entry(table, OSSL_FUNC_CIPHER_UPDATE);
    assert_int_equal(init(line.ctx, key, key_len, ivs[0], 12, NULL), 1);
    assert_int_equal(update(line.ctx, text[0], out_len, 16, text[0], 16), 1);
    assert_int_equal(line_init(&line, true, NULL, 0, 2, ivs, 12), 1);
    assert_refused(&line, update(line.ctx, text[0], out_len, 16, text[0], 16), WRONG_NUMBER);
    assert_int_equal(line_update(&line, 2, out, out_len, len, in, len), 1);
    assert_int_equal(init(line.ctx, NULL, 0, ivs[1], 12, NULL), 1);
    assert_refused(&line, line_update(&line, 2, out, out_len, len, in, len), WRONG_NUMBER);
    assert_int_equal(update(line.ctx, text[0], out_len, 16, text[0], 16), 1);
    line_free(&line);
  }
}

/* Each allocation fails once: a call says so, nothing leaks, and the next pipeline is right. */
static void test_no_memory(void **state) {
  (void)state;
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *ours = fetch_cipher(OURS, cipher_names[i]), *theirs = fetch_cipher(THEIRS, cipher_names[i]);
    const OSSL_DISPATCH *table = direct_algorithm(OSSL_OP_CIPHER, cipher_names[i]);
    unsigned n_failed = 0;
    for (uint64_t seed = 1; table != NULL && seed < 60; seed++) {
      struct texts x;
      uint8_t tags[PIPES_MAX][TAG_LEN], *out[PIPES_MAX];
      texts_new(&x, theirs, seed, i < 2);
      for (size_t j = 0; j < x.n; j++) assert_non_null(out[j] = calloc(1, x.len[j] + 1));
      int before = direct_n_alive;
      struct line line = line_new(table, ours);
      uint64_t after_texts = x.seed;
      direct_n_allocs = 0;
      direct_fail_at = 1 + (unsigned)(seed % 6);
      bool ok = run(&x, &line, true, out, tags, TAG_LEN, true), failed = direct_n_allocs >= direct_fail_at;
      direct_fail_at = 0;
      assert_int_equal(ok, !failed);
      n_failed += failed;
      x.seed = after_texts;
      assert_true(run(&x, &line, true, out, tags, TAG_LEN, true));
      agree(&x, "sealed", out, x.sealed);
      line_free(&line);
      assert_int_equal(direct_n_alive, before);
      for (size_t j = 0; j < x.n; j++) free(out[j]);
      texts_free(&x);
    }
    if (table != NULL) assert_true(n_failed > 20);
    EVP_CIPHER_free(ours);
    EVP_CIPHER_free(theirs);
  }
}

int main(int argc, char *argv[]) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_pipelines),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_plain_calls_between),
      cmocka_unit_test(test_no_memory),
  };
  if (argc > 1) n_pipelines = strtoul(argv[1], NULL, 10);
  force_what_there_is();
  return cmocka_run_group_tests(tests, direct_set_up, direct_tear_down);
}
