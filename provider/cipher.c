/* cipher.c - what AES-GCM and ChaCha20-Poly1305 share under EVP. */
#include "cipher.h"
#include "bytes.h"
#include "params.h"

void *cipher_new(const struct prov *prov, const struct cipher_kind *kind, size_t size) {
  struct cipher *c = prov_alloc(prov, size);
  if (c == NULL) return NULL;
  c->prov = prov;
  c->kind = kind;
  return c;
}

void cipher_free(struct cipher *c, size_t size) {
  if (c == NULL) return;
  prov_wipe_free(c->prov, c->room, sizeof *c->room);
  prov_wipe_free(c->prov, c, size);
}

void *cipher_dup(const struct cipher *c, size_t size) {
  struct cipher *copy = c != NULL ? prov_alloc(c->prov, size) : NULL;
  if (copy == NULL) return NULL;
  memcpy(copy, c, size);
  copy->room = NULL;
  if (c->stream.room_len == 0) return copy;
  copy->room = prov_alloc(c->prov, sizeof *copy->room);
  if (copy->room == NULL) {
    cipher_free(copy, size);
    return NULL;
  }
  *copy->room = *c->room;
  return copy;
}

size_t cipher_key_len(const struct cipher *c) {
  return sl_aead_secret_len(c->kind->aead);
}

int cipher_set_key(struct cipher *c, const uint8_t *secret, size_t len) {
  if (len != cipher_key_len(c)) return prov_fail(c->prov, PROV_E_KEY_LENGTH);
  cipher_drop_text(c);
  sl_err err = sl_aead_key_init(&c->key, c->kind->aead, secret, len);
  if (err != SL_OK) return prov_fail_because(c->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
  return 1;
}

void cipher_drop_text(struct cipher *c) {
  sl_stream_wipe(&c->stream, c->room);
}

/* Whether the text that is under way wants a room and has none. */
static bool lacks_room(const struct cipher *c, size_t len) {
  return c->kind->aead == SL_CHACHA20_POLY1305 && c->room == NULL && sl_stream_wants_room(&c->stream, len);
}

int cipher_piece(struct cipher *c, uint8_t *out, const uint8_t *in, size_t len) {
  if (out != NULL && lacks_room(c, len)) {
    c->room = prov_alloc(c->prov, sizeof *c->room);
    if (c->room == NULL) return 0;
  }
  sl_err err = out == NULL ? sl_stream_aad(&c->stream, &c->key, in, len)
                           : sl_stream_text(&c->stream, &c->key, c->room, out, in, len, c->is_open);
  return err == SL_OK ? 1 : prov_fail_because(c->prov, PROV_E_CIPHER, "%s", sl_err_text(err));
}

int cipher_end(struct cipher *c, size_t tag_len) {
  uint8_t tag[TAG_LEN];
  sl_stream_tag(&c->stream, &c->key, c->room, tag);
  if (!c->is_open) {
    memcpy(c->tag, tag, sizeof tag);
    return 1;
  }
  uint32_t differs = sl_differ(tag, c->tag, tag_len);
  sl_wipe(tag, sizeof tag);                /* the right tag of a text that had a wrong one would be a forgery */
  sl_declassify(&differs, sizeof differs); /* the caller learns it anyway */
  return differs == 0 ? 1 : prov_fail(c->prov, PROV_E_AUTH);
}

int cipher_record(struct cipher *c, const uint8_t *nonce, uint8_t *out, const uint8_t *in, size_t len) {
  struct sl_aead_job job = {
      .key = &c->key,
      .aad = c->tls_aad,
      .aad_len = TLS_AAD_LEN,
      .in = in,
      .out = out,
      .tag = c->is_open ? (uint8_t *)(uintptr_t)in + len : out + len,
      .len = len,
  };
  memcpy(job.nonce, nonce, sizeof job.nonce);
  size_t n_failed = c->is_open ? sl_aead_open(&job, 1) : sl_aead_seal(&job, 1);
  if (n_failed == 0) return 1;
  return job.err == SL_E_AUTH ? prov_fail(c->prov, PROV_E_AUTH)
                              : prov_fail_because(c->prov, PROV_E_TLS_RECORD, "%s", sl_err_text(job.err));
}

/* ---- parameters of the cipher itself ------------------------------------------------------------------------- */

int cipher_get_params(OSSL_PARAM params[], const struct cipher_kind *kind) {
  const struct {
    const char *name;
    uint64_t value;
  } known[] = {
      {OSSL_CIPHER_PARAM_MODE, kind->mode},
      {OSSL_CIPHER_PARAM_KEYLEN, sl_aead_secret_len(kind->aead)},
      {OSSL_CIPHER_PARAM_IVLEN, IV_DEFAULT_LEN},
      {OSSL_CIPHER_PARAM_BLOCK_SIZE, 1},
      {OSSL_CIPHER_PARAM_AEAD, 1},
      {OSSL_CIPHER_PARAM_CUSTOM_IV, 1},
      {OSSL_CIPHER_PARAM_CTS, 0},
      {OSSL_CIPHER_PARAM_TLS1_MULTIBLOCK, 0},
      {OSSL_CIPHER_PARAM_HAS_RAND_KEY, 0},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    OSSL_PARAM *p = param_find(params, known[i].name);
    if (p != NULL && !param_set_number(p, known[i].value)) return 0;
  }
  return 1;
}

const OSSL_PARAM *cipher_gettable_params(void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_CIPHER_PARAM_MODE, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(unsigned), 0},
      {OSSL_CIPHER_PARAM_KEYLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_IVLEN, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_BLOCK_SIZE, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_CIPHER_PARAM_AEAD, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_CIPHER_PARAM_CUSTOM_IV, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_CIPHER_PARAM_CTS, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_CIPHER_PARAM_TLS1_MULTIBLOCK, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_CIPHER_PARAM_HAS_RAND_KEY, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)prov;
  return list;
}
