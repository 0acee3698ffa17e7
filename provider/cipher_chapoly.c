/* cipher_chapoly.c - ChaCha20-Poly1305 as EVP sees it: texts in pieces, and TLS 1.2 records (RFC 7905).
 *
 * It answers as OpenSSL's own does, call for call (tests/test_provider.c), but for two things it refuses: to work without a key,
 * and to take AAD after text. */
#include "bytes.h"
#include "cipher.h"
#include "params.h"
#include "pipeline.h"
#include "skey.h"
#include <openssl/evp.h>

enum { NONCE_LEN = SL_AEAD_NONCE_LEN };

static const struct cipher_kind chapoly_kind = {SL_CHACHA20_POLY1305, EVP_CIPH_STREAM_CIPHER, 8192};

/* Versions of OpenSSL from which ... */
enum {
  NONCE_SERVES_ONCE = 400, /* more of a text is refused; before, the next piece begins one with the same nonce */
  TAG_IS_NEEDED =
      400, /* the end of a text that is opened fails without a tag; before, there was nothing to compare with */
};

struct chapoly {
  struct cipher c; /* first; in TEXT_NONE, the next piece begins a text with `nonce` */
  bool is_over;    /* its nonce has served */
  bool has_tls_len;
  size_t tls_len; /* bytes of text of the record that comes next */
  size_t tag_len;
  uint8_t fixed[NONCE_LEN], nonce[NONCE_LEN]; /* fixed: without the sequence number */
};

static void *chapoly_new(void *prov) {
  return cipher_new(prov, &chapoly_kind, sizeof(struct chapoly));
}
static void *chapoly_dup(void *ctx) {
  return cipher_dup(ctx, sizeof(struct chapoly));
}
static void chapoly_free(void *ctx) {
  cipher_free(ctx, sizeof(struct chapoly));
}

/* ---- the text ------------------------------------------------------------------------------------------------ */

/* A TLS 1.2 record: text, tag. */
static int chapoly_record(struct chapoly *x, uint8_t *out, size_t *out_len, const uint8_t *in, size_t len) {
  *out_len = 0;
  if (in == NULL || out == NULL || len != x->tls_len + TAG_LEN) return prov_fail(x->c.prov, PROV_E_TLS_RECORD);
  x->has_tls_len = false;
  if (!cipher_record(&x->c, x->nonce, out, in, x->tls_len)) return 0;
  *out_len = x->c.is_open ? x->tls_len : len;
  return 1;
}

/* A piece: AAD when out is NULL, the end of the text when in is. */
static int chapoly_piece(struct chapoly *x, uint8_t *out, size_t *out_len, const uint8_t *in, size_t len) {
  *out_len = 0;
  if (x->c.n_pipes > 0) return prov_fail(x->c.prov, PROV_E_PIPES);
  if (x->c.key.ops == NULL) return prov_fail(x->c.prov, PROV_E_NO_KEY);
  if (x->has_tls_len) return chapoly_record(x, out, out_len, in, len);
  if (x->c.text.state == TEXT_NONE && !text_begin(&x->c, &x->c.text, x->nonce, NONCE_LEN)) return 0;
  if (in == NULL) {
    bool lacks_tag = x->c.is_open && x->tag_len == 0;
    if (lacks_tag && x->c.prov->core_version >= TAG_IS_NEEDED) return prov_fail(x->c.prov, PROV_E_NO_TAG);
    if (!text_end(&x->c, &x->c.text, x->tag_len)) return 0;
  } else if (!text_piece(&x->c, &x->c.text, out, in, len)) {
    return 0;
  }
  *out_len = len;
  return 1;
}

/* EVP_Cipher(), which without a text is the end of one. OpenSSL's own did nothing then, and 1 was no verdict, before 3.0.22. */
static int chapoly_cipher(void *ctx, unsigned char *out, size_t *out_len, size_t out_cap, const unsigned char *in,
                          size_t len) {
  struct chapoly *x = ctx;
  *out_len = 0;
  if (len == 0 && in != NULL) return 1;
  if (out_cap < len) return prov_fail(x->c.prov, PROV_E_SPACE);
  return chapoly_piece(x, out, out_len, in, len);
}

static int chapoly_update(void *ctx, unsigned char *out, size_t *out_len, size_t out_cap, const unsigned char *in,
                          size_t len) {
  struct chapoly *x = ctx;
  *out_len = 0;
  if (x->is_over) return prov_fail(x->c.prov, PROV_E_NO_IV);
  if (len == 0) return 1;
  return chapoly_cipher(ctx, out, out_len, out_cap, in, len);
}

static int chapoly_final(void *ctx, unsigned char *out, size_t *out_len, size_t out_cap) {
  struct chapoly *x = ctx;
  (void)out_cap;
  if (!chapoly_piece(x, out, out_len, NULL, 0)) return 0;
  x->is_over = x->c.prov->core_version >= NONCE_SERVES_ONCE;
  return 1;
}

/* ---- parameters ---------------------------------------------------------------------------------------------- */

static int set_fixed_number(struct chapoly *x, const OSSL_PARAM *p, uint64_t wanted, enum prov_reason reason) {
  uint64_t value;
  if (!param_get_number(p, &value)) return prov_fail(x->c.prov, PROV_E_PARAMETER);
  return value == wanted ? 1 : prov_fail(x->c.prov, reason);
}
static int set_key_len(struct chapoly *x, const OSSL_PARAM *p) {
  return set_fixed_number(x, p, cipher_key_len(&x->c), PROV_E_KEY_LENGTH);
}
static int set_iv_len(struct chapoly *x, const OSSL_PARAM *p) {
  if (!set_fixed_number(x, p, NONCE_LEN, PROV_E_IV_LENGTH)) return 0;
  x->is_over = false;
  return 1;
}

/* Without memory: the length alone. */
static int set_tag(struct chapoly *x, const OSSL_PARAM *p) {
  if (p->data_type != OSSL_PARAM_OCTET_STRING) return prov_fail(x->c.prov, PROV_E_PARAMETER);
  if (p->data_size == 0 || p->data_size > TAG_LEN) return prov_fail(x->c.prov, PROV_E_TAG);
  if (p->data != NULL) {
    if (!x->c.is_open) return prov_fail(x->c.prov, PROV_E_TAG_NOT_NEEDED);
    copy_tag(x->c.text.tag, p->data, p->data_size);
  }
  x->tag_len = p->data_size;
  return 1;
}

/* The next piece is a TLS record. Its AAD has the length of the text alone, and begins with the sequence number, which
 * RFC 7905 2 adds to the nonce. */
static int set_tls_aad(struct chapoly *x, const OSSL_PARAM *p) {
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL) return prov_fail(x->c.prov, PROV_E_PARAMETER);
  if (p->data_size != TLS_AAD_LEN) return prov_fail(x->c.prov, PROV_E_TLS_AAD);
  memcpy(x->c.tls_aad, p->data, TLS_AAD_LEN);
  uint8_t *len_at = x->c.tls_aad + TLS_AAD_LEN - 2;
  size_t len = sl_load16_be(len_at);
  if (x->c.is_open) {
    if (len < TAG_LEN) return prov_fail(x->c.prov, PROV_E_TLS_AAD);
    len -= TAG_LEN;
    sl_store16_be(len_at, (uint16_t)len);
  }
  memcpy(x->nonce, x->fixed, NONCE_LEN);
  for (size_t i = 0; i < 8; i++) x->nonce[4 + i] ^= x->c.tls_aad[i];
  text_drop(&x->c.text);
  x->tls_len = len;
  x->has_tls_len = true;
  x->c.tls_pad = TAG_LEN;
  return 1;
}

static int set_tls_fixed(struct chapoly *x, const OSSL_PARAM *p) {
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL) return prov_fail(x->c.prov, PROV_E_PARAMETER);
  if (p->data_size != NONCE_LEN) return prov_fail(x->c.prov, PROV_E_TLS_IV);
  memcpy(x->fixed, p->data, NONCE_LEN);
  memcpy(x->nonce, p->data, NONCE_LEN);
  return 1;
}

static int set_pipe_tags(struct chapoly *x, const OSSL_PARAM *p) {
  return pipeline_set_tags(&x->c, p);
}

static int chapoly_set_ctx_params(void *ctx, const OSSL_PARAM params[]) {
  static const struct {
    const char *name;
    int (*set)(struct chapoly *x, const OSSL_PARAM *p);
  } known[] = {
      {OSSL_CIPHER_PARAM_KEYLEN, set_key_len},
      {OSSL_CIPHER_PARAM_AEAD_IVLEN, set_iv_len},
      {OSSL_CIPHER_PARAM_AEAD_TAG, set_tag},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, set_tls_aad},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, set_tls_fixed},
      {PARAM_PIPELINE_TAG, set_pipe_tags},
  };
  if (params == NULL || params->key == NULL) return 1;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    const OSSL_PARAM *p = param_find_const(params, known[i].name);
    if (p != NULL && !known[i].set(ctx, p)) return 0;
  }
  return 1;
}

static const OSSL_PARAM *chapoly_settable_ctx_params(void *ctx, void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_CIPHER_PARAM_KEYLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD_IVLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {PARAM_PIPELINE_TAG, OSSL_PARAM_OCTET_PTR, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)ctx, (void)prov;
  return list;
}

static int chapoly_get_ctx_params(void *ctx, OSSL_PARAM params[]) {
  struct chapoly *x = ctx;
  const struct {
    const char *name;
    uint64_t value;
  } numbers[] = {
      {OSSL_CIPHER_PARAM_AEAD_IVLEN, NONCE_LEN},
      {OSSL_CIPHER_PARAM_KEYLEN, cipher_key_len(&x->c)},
      {OSSL_CIPHER_PARAM_AEAD_TAGLEN, x->tag_len},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, x->c.tls_pad},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    OSSL_PARAM *p = param_find(params, numbers[i].name);
    if (p != NULL && !param_set_number(p, numbers[i].value)) return prov_fail(x->c.prov, PROV_E_PARAMETER);
  }
  OSSL_PARAM *p = param_find(params, PARAM_PIPELINE_TAG);
  if (p != NULL && !pipeline_get_tags(&x->c, p)) return 0;
  p = param_find(params, OSSL_CIPHER_PARAM_AEAD_TAG);
  if (p == NULL) return 1;
  if (p->data_type != OSSL_PARAM_OCTET_STRING) return prov_fail(x->c.prov, PROV_E_PARAMETER);
  size_t len = p->data_size;
  if (x->c.is_open || len == 0 || len > TAG_LEN) return prov_fail(x->c.prov, PROV_E_TAG);
  return param_set_octets(p, x->c.text.tag, len) ? 1 : prov_fail(x->c.prov, PROV_E_PARAMETER);
}

static const OSSL_PARAM *chapoly_gettable_ctx_params(void *ctx, void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_CIPHER_PARAM_KEYLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD_IVLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD_TAGLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {PARAM_PIPELINE_TAG, OSSL_PARAM_OCTET_PTR, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)ctx, (void)prov;
  return list;
}

/* ---- EVP_CipherInit ------------------------------------------------------------------------------------------ */

static int init(struct chapoly *x, const uint8_t *key, size_t key_len, const uint8_t *iv, size_t iv_len,
                const OSSL_PARAM params[], bool is_open) {
  x->c.is_open = is_open;
  x->c.n_pipes = 0;
  if (iv != NULL && iv_len != NONCE_LEN) return prov_fail(x->c.prov, PROV_E_IV_LENGTH);
  if (key != NULL && !cipher_set_key(&x->c, key, key_len)) return 0;
  if (iv != NULL) {
    memcpy(x->fixed, iv, NONCE_LEN);
    memcpy(x->nonce, iv, NONCE_LEN);
    x->is_over = false;
  }
  if (key != NULL || iv != NULL) {
    text_drop(&x->c.text);
    x->has_tls_len = false;
  }
  return chapoly_set_ctx_params(x, params);
}
static int chapoly_seal_init(void *ctx, const unsigned char *key, size_t key_len, const unsigned char *iv,
                             size_t iv_len, const OSSL_PARAM params[]) {
  return init(ctx, key, key_len, iv, iv_len, params, false);
}
static int chapoly_open_init(void *ctx, const unsigned char *key, size_t key_len, const unsigned char *iv,
                             size_t iv_len, const OSSL_PARAM params[]) {
  return init(ctx, key, key_len, iv, iv_len, params, true);
}

static int skey_init(struct chapoly *x, const void *skey, const uint8_t *iv, size_t iv_len, const OSSL_PARAM params[],
                     bool is_open) {
  const uint8_t *key;
  size_t key_len;
  return skey_secret(x->c.prov, skey, SKEY_CHACHA20_POLY1305, &key, &key_len) &&
         init(x, key, key_len, iv, iv_len, params, is_open);
}
static int chapoly_seal_skey_init(void *ctx, void *skey, const unsigned char *iv, size_t iv_len,
                                  const OSSL_PARAM params[]) {
  return skey_init(ctx, skey, iv, iv_len, params, false);
}
static int chapoly_open_skey_init(void *ctx, void *skey, const unsigned char *iv, size_t iv_len,
                                  const OSSL_PARAM params[]) {
  return skey_init(ctx, skey, iv, iv_len, params, true);
}

static int chapoly_get_params(OSSL_PARAM params[]) {
  return cipher_get_params(params, &chapoly_kind);
}

const OSSL_DISPATCH prov_chacha20_poly1305[] = {
    {OSSL_FUNC_CIPHER_NEWCTX, FUNCTION(chapoly_new)},
    {OSSL_FUNC_CIPHER_FREECTX, FUNCTION(chapoly_free)},
    {OSSL_FUNC_CIPHER_DUPCTX, FUNCTION(chapoly_dup)},
    {OSSL_FUNC_CIPHER_ENCRYPT_INIT, FUNCTION(chapoly_seal_init)},
    {OSSL_FUNC_CIPHER_DECRYPT_INIT, FUNCTION(chapoly_open_init)},
    {OSSL_FUNC_CIPHER_UPDATE, FUNCTION(chapoly_update)},
    {OSSL_FUNC_CIPHER_FINAL, FUNCTION(chapoly_final)},
    {OSSL_FUNC_CIPHER_CIPHER, FUNCTION(chapoly_cipher)},
    {OSSL_FUNC_CIPHER_GET_PARAMS, FUNCTION(chapoly_get_params)},
    {OSSL_FUNC_CIPHER_GETTABLE_PARAMS, FUNCTION(cipher_gettable_params)},
    {OSSL_FUNC_CIPHER_GET_CTX_PARAMS, FUNCTION(chapoly_get_ctx_params)},
    {OSSL_FUNC_CIPHER_GETTABLE_CTX_PARAMS, FUNCTION(chapoly_gettable_ctx_params)},
    {OSSL_FUNC_CIPHER_SET_CTX_PARAMS, FUNCTION(chapoly_set_ctx_params)},
    {OSSL_FUNC_CIPHER_SETTABLE_CTX_PARAMS, FUNCTION(chapoly_settable_ctx_params)},
    {FUNC_ENCRYPT_SKEY_INIT, FUNCTION(chapoly_seal_skey_init)},
    {FUNC_DECRYPT_SKEY_INIT, FUNCTION(chapoly_open_skey_init)},
    PIPELINE_FUNCTIONS,
    {0, NULL},
};
