/* stream.c - AEAD texts in pieces: what is left over between pieces. Whole blocks are a kernel's. */
#include "stream.h"
#include "bytes.h"

/* The longest text under one nonce: GCM's is SL_AEAD_TEXT_MAX, ChaCha20's counter has 32 bits and block 0 is taken. */
#define CHAPOLY_TEXT_MAX 274877906880ull        /* calc: (2**32 - 1) * 64  RFC 8439 2.8 */
#define AAD_MAX          2305843009213693951ull /* calc: 2**61 - 1  SP 800-38D 5.2.1.1 */

static bool is_gcm(const struct sl_aead_key *key) {
  return key->ops->aead != SL_CHACHA20_POLY1305;
}

bool sl_stream_can(const struct sl_aead_key *key) {
  return key->kernel != NULL && key->kernel->stream.start != NULL;
}

/* SP 800-38D 7.1: a nonce that is not 96 bits long is hashed to the first counter block, length behind it. */
static void hash_nonce(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *nonce, size_t len) {
  uint8_t block[16] = {0};
  size_t n_rest = len % 16;
  if (len >= 16) s->ops->absorb(s, key, nonce, len / 16);
  if (n_rest > 0) {
    memcpy(block, nonce + len - n_rest, n_rest);
    s->ops->absorb(s, key, block, 1);
    memset(block, 0, sizeof block);
  }
  sl_store64_be(block + 8, 8 * (uint64_t)len);
  s->ops->absorb(s, key, block, 1);
  memcpy(block, s->hash, sizeof block);
  memset(s->hash, 0, sizeof s->hash);
  memcpy(s->nonce, block, sizeof s->nonce);
  s->counter = sl_load32_be(block + sizeof s->nonce);
}

sl_err sl_stream_start(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *nonce, size_t nonce_len) {
  if (key->ops == NULL || !sl_stream_can(key)) return SL_E_KEY;
  if (nonce_len == 0) return SL_E_ARG;
  if (nonce_len != SL_AEAD_NONCE_LEN && !is_gcm(key)) return SL_E_ARG;
  memset(s, 0, sizeof *s);
  s->ops = &key->kernel->stream;
  if (nonce_len == SL_AEAD_NONCE_LEN) {
    memcpy(s->nonce, nonce, SL_AEAD_NONCE_LEN);
    s->counter = is_gcm(key) ? 1 : 0;
  } else {
    hash_nonce(s, key, nonce, nonce_len);
  }
  s->ops->start(s, key);
  return SL_OK;
}

/* Adds to what is hashed; in pieces that need not be whole blocks. */
static void absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *data, size_t len) {
  if (s->n_block > 0) {
    size_t n = 16u - s->n_block < len ? 16u - s->n_block : len;
    memcpy(s->block + s->n_block, data, n);
    s->n_block = (uint8_t)(s->n_block + n);
    data += n;
    len -= n;
    if (s->n_block < 16) return;
    s->ops->absorb(s, key, s->block, 1);
    s->n_block = 0;
  }
  if (len >= 16) s->ops->absorb(s, key, data, len / 16);
  s->n_block = (uint8_t)(len % 16);
  if (s->n_block > 0) memcpy(s->block, data + len - s->n_block, s->n_block);
}

/* Zeros behind the block that is under way: the end of the AAD, and of the text. */
static void pad(struct sl_stream *s) {
  if (s->n_block > 0) memset(s->block + s->n_block, 0, 16u - s->n_block);
}

sl_err sl_stream_aad(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *aad, size_t len) {
  if (s->ops == NULL || s->text_len > 0) return SL_E_STATE;
  if (len > AAD_MAX - s->aad_len) return SL_E_LENGTH;
  s->aad_len += len;
  absorb(s, key, aad, len);
  return SL_OK;
}

/* A piece within one unit of key stream. */
static void text_in_unit(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                         size_t len, bool is_open) {
  const uint8_t *stream = s->unit + s->ops->unit_len - s->n_unit;
  uint8_t text[SL_STREAM_UNIT_MAX];
  memcpy(text, in, len);
  if (is_open) absorb(s, key, text, len);
  for (size_t i = 0; i < len; i++) text[i] ^= stream[i];
  if (!is_open) absorb(s, key, text, len);
  memcpy(out, text, len);
  sl_wipe(text, len);
  s->n_unit = (uint8_t)(s->n_unit - len);
}

sl_err sl_stream_text(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in, size_t len,
                      bool is_open) {
  if (s->ops == NULL) return SL_E_STATE;
  if (len > (is_gcm(key) ? SL_AEAD_TEXT_MAX : CHAPOLY_TEXT_MAX) - s->text_len) return SL_E_LENGTH;
  if (len == 0) return SL_OK;
  if (s->text_len == 0) pad(s);
  s->text_len += len;

  if (s->n_unit > 0) {
    size_t n = s->n_unit < len ? s->n_unit : len;
    text_in_unit(s, key, out, in, n, is_open);
    in += n;
    out += n;
    len -= n;
  }
  if (len > 0) s->ops->crypt(s, key, out, in, len, is_open);
  return SL_OK;
}

void sl_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t tag[static SL_AEAD_TAG_LEN]) {
  pad(s);
  s->ops->tag(s, key, tag);
  sl_wipe(s, sizeof *s);
}
