/* cipher_gcm.c - AES-GCM as EVP sees it: nonces of any length, texts in pieces, TLS 1.2 records with explicit nonces
 * (RFC 5288 3), and nonces that count themselves (SP 800-38D 8.2.1), as OpenSSH uses them.
 *
 * It answers as OpenSSL's own AES-GCM does, call for call (tests/test_provider.c), but for two things. A new key ends the
 * text under way and uses up its IV, where OpenSSL goes on with an all-zero counter block. And a text whose tag was wrong is
 * over, where OpenSSL goes on with a hash that no text has. */
#include "bytes.h"
#include "cipher.h"
#include "params.h"
#include "pipeline.h"
#include "skey.h"
#include <openssl/evp.h>

enum {
  TLS_FIXED_LEN = 4,
  TLS_EXPLICIT_LEN = 8,
};

/* OpenSSL has it from 3.4 on; 3.0's headers do not know the name. */
#define PARAM_IV_GENERATED "iv-generated"

/* The version of OpenSSL from which an IV that is to be made can be asked for before the text. */
enum { ASKING_MAKES_IV = 400 };

/* What has become of the IV. */
enum iv_state {
  IV_NONE,
  IV_SET,  /* the next piece begins a text with it */
  IV_USED, /* a text is under way */
  IV_OVER, /* its text has ended, or it was of another length */
};

struct gcm {
  struct cipher c;
  enum iv_state iv_state;
  bool has_tag_len, has_tls_aad;
  bool counts;      /* `iv` goes up by one with each text */
  bool iv_was_made; /* at random, all of one or a part, since the context was made */
  size_t tag_len, iv_len;
  uint64_t n_records; /* sealed with this key */
  uint8_t iv[IV_MAX];
};

static void *gcm_new(void *prov, const struct cipher_kind *kind) {
  struct gcm *g = cipher_new(prov, kind, sizeof *g);
  if (g != NULL) g->iv_len = IV_DEFAULT_LEN;
  return g;
}
static void *gcm_dup(void *ctx) {
  return cipher_dup(ctx, sizeof(struct gcm));
}
static void gcm_free(void *ctx) {
  cipher_free(ctx, sizeof(struct gcm));
}

static bool has_key(const struct gcm *g) {
  return g->c.key.ops != NULL;
}

/* Begins a text with the IV. */
static int start(struct gcm *g) {
  if (!has_key(g)) return prov_fail(g->c.prov, PROV_E_NO_KEY);
  if (!text_begin(&g->c, &g->c.text, g->iv, g->iv_len)) return 0;
  g->iv_state = IV_USED;
  return 1;
}

/* ---- the text ------------------------------------------------------------------------------------------------ */

/* A TLS 1.2 record in place: explicit nonce, text, tag. */
static int gcm_record(struct gcm *g, uint8_t *out, size_t *out_len, const uint8_t *in, size_t len) {
  enum { AROUND = TLS_EXPLICIT_LEN + TAG_LEN };
  g->has_tls_aad = false;
  g->iv_state = IV_OVER;
  *out_len = 0;
  if (!has_key(g)) return prov_fail(g->c.prov, PROV_E_NO_KEY);
  if (out == NULL || out != in || len < AROUND) return prov_fail(g->c.prov, PROV_E_TLS_RECORD);
  if (!g->counts || g->iv_len != IV_DEFAULT_LEN) return prov_fail(g->c.prov, PROV_E_TLS_IV);
  g->tag_len = TAG_LEN; /* a record's: that of a text before is over */

  uint8_t *explicit_nonce = g->iv + g->iv_len - TLS_EXPLICIT_LEN, nonce[IV_DEFAULT_LEN];
  if (g->c.is_open) {
    memcpy(explicit_nonce, in, TLS_EXPLICIT_LEN);
    memcpy(nonce, g->iv, sizeof nonce);
  } else {
    if (g->n_records == UINT64_MAX) return prov_fail(g->c.prov, PROV_E_RECORDS);
    g->n_records++;
    memcpy(out, explicit_nonce, TLS_EXPLICIT_LEN);
    memcpy(nonce, g->iv, sizeof nonce);
    sl_store64_be(explicit_nonce, sl_load64_be(explicit_nonce) + 1);
  }
  if (!cipher_record(&g->c, nonce, out + TLS_EXPLICIT_LEN, in + TLS_EXPLICIT_LEN, len - AROUND)) return 0;
  *out_len = g->c.is_open ? len - AROUND : len;
  return 1;
}

/* As FIPS 140 likes it: sealing without an IV makes one at random, for EVP_CIPHER_CTX_get_updated_iv(). */
static int make_iv(struct gcm *g) {
  if (g->c.is_open || g->iv_len < IV_DEFAULT_LEN) return prov_fail(g->c.prov, PROV_E_NO_IV);
  if (!prov_random(g->c.prov, g->iv, g->iv_len)) return 0;
  g->iv_state = IV_SET;
  g->iv_was_made = true;
  return 1;
}

/* A piece: AAD when out is NULL, the end of the text when in is. */
static int gcm_piece(struct gcm *g, uint8_t *out, size_t *out_len, const uint8_t *in, size_t len) {
  *out_len = 0;
  if (g->c.n_pipes > 0) return prov_fail(g->c.prov, PROV_E_PIPES);
  if (g->has_tls_aad) return gcm_record(g, out, out_len, in, len);
  if (!has_key(g)) return prov_fail(g->c.prov, PROV_E_NO_KEY);
  if (g->iv_state == IV_OVER) return prov_fail(g->c.prov, PROV_E_NO_IV);
  if (g->iv_state == IV_NONE && !make_iv(g)) return 0;
  if (g->iv_state == IV_SET && !start(g)) return 0;

  if (in == NULL) {
    if (g->c.is_open && !g->has_tag_len) return prov_fail(g->c.prov, PROV_E_NO_TAG);
    g->iv_state = IV_OVER;
    if (!text_end(&g->c, &g->c.text, g->tag_len)) return 0;
    if (!g->c.is_open) {
      g->has_tag_len = true;
      g->tag_len = TAG_LEN;
    }
    return 1;
  }
  if (!text_piece(&g->c, &g->c.text, out, in, len)) return 0;
  *out_len = len;
  return 1;
}

static int gcm_update(void *ctx, unsigned char *out, size_t *out_len, size_t out_cap, const unsigned char *in,
                      size_t len) {
  struct gcm *g = ctx;
  *out_len = 0;
  if (len == 0) return 1;
  if (out_cap < len) return prov_fail(g->c.prov, PROV_E_SPACE);
  return gcm_piece(g, out, out_len, in, len);
}

static int gcm_final(void *ctx, unsigned char *out, size_t *out_len, size_t out_cap) {
  (void)out_cap;
  int ok = gcm_piece(ctx, out, out_len, NULL, 0);
  *out_len = 0;
  return ok;
}

/* EVP_Cipher() */
static int gcm_cipher(void *ctx, unsigned char *out, size_t *out_len, size_t out_cap, const unsigned char *in,
                      size_t len) {
  struct gcm *g = ctx;
  if (out_cap < len) return prov_fail(g->c.prov, PROV_E_SPACE);
  if (!gcm_piece(g, out, out_len, in, len)) return 0;
  *out_len = len;
  return 1;
}

/* ---- parameters ---------------------------------------------------------------------------------------------- */

static int set_tag(struct gcm *g, const OSSL_PARAM *p) {
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL || p->data_size > TAG_LEN) {
    return prov_fail(g->c.prov, PROV_E_PARAMETER);
  }
  if (!g->c.is_open) return prov_fail(g->c.prov, PROV_E_TAG_NOT_NEEDED);
  if (p->data_size == 0) return prov_fail(g->c.prov, PROV_E_TAG);
  if (p->data_size == TAG_LEN)
    memcpy(g->c.text.tag, p->data, TAG_LEN);
  else
    memcpy(g->c.text.tag, p->data, p->data_size);
  g->tag_len = p->data_size;
  g->has_tag_len = true;
  return 1;
}

static int set_iv_len(struct gcm *g, const OSSL_PARAM *p) {
  uint64_t len;
  if (!param_get_number(p, &len)) return prov_fail(g->c.prov, PROV_E_PARAMETER);
  if (len == 0 || len > IV_MAX) return prov_fail(g->c.prov, PROV_E_IV_LENGTH);
  if (len == g->iv_len) return 1;
  if (g->iv_state != IV_NONE) g->iv_state = IV_OVER;
  g->iv_len = len;
  return 1;
}

/* The next piece is a TLS record. Its AAD has the length of the text alone. */
static int set_tls_aad(struct gcm *g, const OSSL_PARAM *p) {
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL) return prov_fail(g->c.prov, PROV_E_PARAMETER);
  if (p->data_size != TLS_AAD_LEN) return prov_fail(g->c.prov, PROV_E_TLS_AAD);
  memcpy(g->c.tls_aad, p->data, TLS_AAD_LEN);
  g->has_tls_aad = true;
  uint8_t *len_at = g->c.tls_aad + TLS_AAD_LEN - 2;
  size_t len = sl_load16_be(len_at), around = TLS_EXPLICIT_LEN + (g->c.is_open ? TAG_LEN : 0);
  if (len < around) return prov_fail(g->c.prov, PROV_E_TLS_AAD);
  sl_store16_be(len_at, (uint16_t)(len - around));
  g->c.tls_pad = TAG_LEN;
  return 1;
}

/* The part of the nonce that stays; what counts begins at random. (size_t)-1: the whole IV is given, and counts on. */
static int set_tls_fixed(struct gcm *g, const OSSL_PARAM *p) {
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL) return prov_fail(g->c.prov, PROV_E_PARAMETER);
  size_t len = p->data_size;
  bool is_whole = len == (size_t)-1;
  if (is_whole) {
    memcpy(g->iv, p->data, g->iv_len);
  } else {
    if (len < TLS_FIXED_LEN || len > g->iv_len || g->iv_len - len < TLS_EXPLICIT_LEN) {
      return prov_fail(g->c.prov, PROV_E_TLS_IV);
    }
    memcpy(g->iv, p->data, len);
    if (!g->c.is_open && !prov_random(g->c.prov, g->iv + len, g->iv_len - len)) return 0;
    if (!g->c.is_open) g->iv_was_made = true;
  }
  g->counts = true;
  g->iv_state = IV_SET;
  return 1;
}

/* Opening: the part of the nonce that came with the text. */
static int set_tls_explicit(struct gcm *g, const OSSL_PARAM *p) {
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL) return prov_fail(g->c.prov, PROV_E_PARAMETER);
  if (!has_key(g)) return prov_fail(g->c.prov, PROV_E_NO_KEY);
  if (!g->counts || !g->c.is_open || p->data_size > g->iv_len) return prov_fail(g->c.prov, PROV_E_TLS_IV);
  memcpy(g->iv + g->iv_len - p->data_size, p->data, p->data_size);
  return start(g);
}

static int set_pipe_tags(struct gcm *g, const OSSL_PARAM *p) {
  return pipeline_set_tags(&g->c, p);
}
static int get_pipe_tags(struct gcm *g, OSSL_PARAM *p) {
  return pipeline_get_tags(&g->c, p);
}

/* Begins a text with the IV that counts, gives its last bytes out, and steps it on. */
static int get_next_iv(struct gcm *g, OSSL_PARAM *p) {
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL) return prov_fail(g->c.prov, PROV_E_PARAMETER);
  if (!g->counts || g->iv_len < TLS_EXPLICIT_LEN) return prov_fail(g->c.prov, PROV_E_TLS_IV);
  if (!start(g)) return 0;
  size_t len = p->data_size == 0 || p->data_size > g->iv_len ? g->iv_len : p->data_size;
  memcpy(p->data, g->iv + g->iv_len - len, len);
  uint8_t *counter = g->iv + g->iv_len - TLS_EXPLICIT_LEN;
  sl_store64_be(counter, sl_load64_be(counter) + 1);
  return 1;
}

static int gcm_set_ctx_params(void *ctx, const OSSL_PARAM params[]) {
  static const struct {
    const char *name;
    int (*set)(struct gcm *g, const OSSL_PARAM *p);
  } known[] = {
      {OSSL_CIPHER_PARAM_AEAD_TAG, set_tag},
      {OSSL_CIPHER_PARAM_AEAD_IVLEN, set_iv_len},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, set_tls_aad},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, set_tls_fixed},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_SET_IV_INV, set_tls_explicit},
      {PARAM_PIPELINE_TAG, set_pipe_tags},
  };
  if (params == NULL || params->key == NULL) return 1;
  bool is_one = params[1].key == NULL; /* as records have it */
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    const OSSL_PARAM *p = param_find_const(params, known[i].name);
    if (p == NULL) continue;
    if (!known[i].set(ctx, p)) return 0;
    if (is_one) break;
  }
  return 1;
}

static const OSSL_PARAM *gcm_settable_ctx_params(void *ctx, void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_CIPHER_PARAM_AEAD_IVLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_SET_IV_INV, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {PARAM_PIPELINE_TAG, OSSL_PARAM_OCTET_PTR, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)ctx, (void)prov;
  return list;
}

static int get_number(struct gcm *g, OSSL_PARAM *p, uint64_t value) {
  return param_set_number(p, value) ? 1 : prov_fail(g->c.prov, PROV_E_PARAMETER);
}
static int get_iv_len(struct gcm *g, OSSL_PARAM *p) {
  return get_number(g, p, g->iv_len);
}
static int get_key_len(struct gcm *g, OSSL_PARAM *p) {
  return get_number(g, p, cipher_key_len(&g->c));
}
static int get_tag_len(struct gcm *g, OSSL_PARAM *p) {
  return get_number(g, p, g->has_tag_len ? g->tag_len : TAG_LEN);
}
static int get_tls_pad(struct gcm *g, OSSL_PARAM *p) {
  return get_number(g, p, g->c.tls_pad);
}
static int get_iv_was_made(struct gcm *g, OSSL_PARAM *p) {
  return get_number(g, p, g->iv_was_made);
}
static int get_iv(struct gcm *g, OSSL_PARAM *p) {
  bool may_make = g->c.prov->core_version >= ASKING_MAKES_IV && !g->has_tls_aad;
  if (g->iv_state == IV_NONE && !(may_make ? make_iv(g) : prov_fail(g->c.prov, PROV_E_NO_IV))) return 0;
  if (g->iv_len > p->data_size) return prov_fail(g->c.prov, PROV_E_IV_LENGTH);
  if (p->data_type == OSSL_PARAM_OCTET_PTR) {
    p->return_size = g->iv_len;
    if (p->data != NULL) *(const void **)p->data = g->iv;
    return 1;
  }
  return param_set_octets(p, g->iv, g->iv_len) ? 1 : prov_fail(g->c.prov, PROV_E_PARAMETER);
}
static int get_tag(struct gcm *g, OSSL_PARAM *p) {
  size_t len = p->data_size;
  if (len == 0 || len > TAG_LEN || g->c.is_open || !g->has_tag_len) return prov_fail(g->c.prov, PROV_E_TAG);
  return param_set_octets(p, g->c.text.tag, len) ? 1 : prov_fail(g->c.prov, PROV_E_PARAMETER);
}

static int gcm_get_ctx_params(void *ctx, OSSL_PARAM params[]) {
  static const struct {
    const char *name;
    int (*get)(struct gcm *g, OSSL_PARAM *p);
  } known[] = {
      /* What records ask for comes first. */
      {OSSL_CIPHER_PARAM_AEAD_IVLEN, get_iv_len},
      {OSSL_CIPHER_PARAM_AEAD_TAG, get_tag},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, get_tls_pad},
      {OSSL_CIPHER_PARAM_KEYLEN, get_key_len},
      {OSSL_CIPHER_PARAM_AEAD_TAGLEN, get_tag_len},
      {OSSL_CIPHER_PARAM_IV, get_iv},
      {OSSL_CIPHER_PARAM_UPDATED_IV, get_iv},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_GET_IV_GEN, get_next_iv},
      {PARAM_IV_GENERATED, get_iv_was_made},
      {PARAM_PIPELINE_TAG, get_pipe_tags},
  };
  for (OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++) {
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
      if (!param_is(p, known[i].name)) continue;
      if (!known[i].get(ctx, p)) return 0;
      break;
    }
  }
  return 1;
}

static const OSSL_PARAM *gcm_gettable_ctx_params(void *ctx, void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_CIPHER_PARAM_KEYLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD_IVLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD_TAGLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_IV, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_CIPHER_PARAM_UPDATED_IV, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_GET_IV_GEN, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {PARAM_IV_GENERATED, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(unsigned), 0},
      {PARAM_PIPELINE_TAG, OSSL_PARAM_OCTET_PTR, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)ctx, (void)prov;
  return list;
}

/* ---- EVP_CipherInit ------------------------------------------------------------------------------------------ */

static int init(struct gcm *g, const uint8_t *key, size_t key_len, const uint8_t *iv, size_t iv_len,
                const OSSL_PARAM params[], bool is_open) {
  g->c.is_open = is_open;
  g->c.n_pipes = 0;
  if (iv != NULL) {
    if (iv_len == 0 || iv_len > IV_MAX) return prov_fail(g->c.prov, PROV_E_IV_LENGTH);
    if (iv_len == IV_DEFAULT_LEN)
      memcpy(g->iv, iv, IV_DEFAULT_LEN); /* in two moves */
    else
      memcpy(g->iv, iv, iv_len);
    g->iv_len = iv_len;
    g->iv_state = IV_SET;
  }
  if (key != NULL) {
    if (!cipher_set_key(&g->c, key, key_len)) return 0;
    g->n_records = 0;
    if (g->iv_state == IV_USED) g->iv_state = IV_OVER;
  }
  return gcm_set_ctx_params(g, params);
}
static int gcm_seal_init(void *ctx, const unsigned char *key, size_t key_len, const unsigned char *iv, size_t iv_len,
                         const OSSL_PARAM params[]) {
  return init(ctx, key, key_len, iv, iv_len, params, false);
}
static int gcm_open_init(void *ctx, const unsigned char *key, size_t key_len, const unsigned char *iv, size_t iv_len,
                         const OSSL_PARAM params[]) {
  return init(ctx, key, key_len, iv, iv_len, params, true);
}
static int skey_init(struct gcm *g, const void *skey, const uint8_t *iv, size_t iv_len, const OSSL_PARAM params[],
                     bool is_open) {
  const uint8_t *key;
  size_t key_len;
  return skey_secret(g->c.prov, skey, SKEY_AES, &key, &key_len) && init(g, key, key_len, iv, iv_len, params, is_open);
}
static int gcm_seal_skey_init(void *ctx, void *skey, const unsigned char *iv, size_t iv_len,
                              const OSSL_PARAM params[]) {
  return skey_init(ctx, skey, iv, iv_len, params, false);
}
static int gcm_open_skey_init(void *ctx, void *skey, const unsigned char *iv, size_t iv_len,
                              const OSSL_PARAM params[]) {
  return skey_init(ctx, skey, iv, iv_len, params, true);
}

#define AES_GCM(bits)                                                                                                  \
  static const struct cipher_kind kind_##bits = {SL_AES_##bits##_GCM, EVP_CIPH_GCM_MODE, KEPT_LEN};                    \
  static void *gcm_##bits##_new(void *prov) {                                                                          \
    return gcm_new(prov, &kind_##bits);                                                                                \
  }                                                                                                                    \
  static int gcm_##bits##_get_params(OSSL_PARAM params[]) {                                                            \
    return cipher_get_params(params, &kind_##bits);                                                                    \
  }                                                                                                                    \
  const OSSL_DISPATCH prov_aes_##bits##_gcm[] = {                                                                      \
      {OSSL_FUNC_CIPHER_NEWCTX, FUNCTION(gcm_##bits##_new)},                                                           \
      {OSSL_FUNC_CIPHER_FREECTX, FUNCTION(gcm_free)},                                                                  \
      {OSSL_FUNC_CIPHER_DUPCTX, FUNCTION(gcm_dup)},                                                                    \
      {OSSL_FUNC_CIPHER_ENCRYPT_INIT, FUNCTION(gcm_seal_init)},                                                        \
      {OSSL_FUNC_CIPHER_DECRYPT_INIT, FUNCTION(gcm_open_init)},                                                        \
      {OSSL_FUNC_CIPHER_UPDATE, FUNCTION(gcm_update)},                                                                 \
      {OSSL_FUNC_CIPHER_FINAL, FUNCTION(gcm_final)},                                                                   \
      {OSSL_FUNC_CIPHER_CIPHER, FUNCTION(gcm_cipher)},                                                                 \
      {OSSL_FUNC_CIPHER_GET_PARAMS, FUNCTION(gcm_##bits##_get_params)},                                                \
      {OSSL_FUNC_CIPHER_GETTABLE_PARAMS, FUNCTION(cipher_gettable_params)},                                            \
      {OSSL_FUNC_CIPHER_GET_CTX_PARAMS, FUNCTION(gcm_get_ctx_params)},                                                 \
      {OSSL_FUNC_CIPHER_GETTABLE_CTX_PARAMS, FUNCTION(gcm_gettable_ctx_params)},                                       \
      {OSSL_FUNC_CIPHER_SET_CTX_PARAMS, FUNCTION(gcm_set_ctx_params)},                                                 \
      {OSSL_FUNC_CIPHER_SETTABLE_CTX_PARAMS, FUNCTION(gcm_settable_ctx_params)},                                       \
      {FUNC_ENCRYPT_SKEY_INIT, FUNCTION(gcm_seal_skey_init)},                                                          \
      {FUNC_DECRYPT_SKEY_INIT, FUNCTION(gcm_open_skey_init)},                                                          \
      PIPELINE_FUNCTIONS,                                                                                              \
      {0, NULL},                                                                                                       \
  };
AES_GCM(128)
AES_GCM(256)
