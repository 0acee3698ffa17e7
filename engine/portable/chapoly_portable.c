/* chapoly_portable.c - AEAD_CHACHA20_POLY1305 (RFC 8439 2.8) in constant-time C for any machine: the oracle that other
 * kernels are tested against. chacha20.h and poly1305.h have the two halves. */
#include "engine/aead_jobs.h"
#include "engine/kernel.h"
#include "engine/portable/chacha20.h"
#include "engine/portable/kernels.h"
#include "engine/portable/poly1305.h"
#include "engine/portable/text.h"
#include "engine/stream.h"
#include "engine/stream_through.h"

static void expand(struct sl_aead_key *key, const uint8_t *secret) {
  memcpy(sl_chapoly_secret(key), secret, 32);
}

/* Absorbs data, filled up with zeros to whole blocks (RFC 8439 2.8: pad16). */
static void absorb(struct sl_poly1305 *poly, const uint8_t *data, size_t len) {
  size_t n_rest = len % 16;
  for (size_t off = 0; off < len - n_rest; off += 16) sl_poly1305_block(poly, data + off, 1);
  if (n_rest > 0) {
    uint8_t block[16] = {0};
    memcpy(block, data + len - n_rest, n_rest);
    sl_poly1305_block(poly, block, 1);
  }
}

/* Does one job but for its verdict: out and tail are written, and the tag its ciphertext ought to have goes to tag[].
 * Block 0 of the key stream makes the Poly1305 key, its second half is thrown away, and the text begins with block 1. */
static void crypt(struct sl_aead_job *job, uint8_t tag[static 16], bool is_open) {
  const uint8_t *key = sl_chapoly_secret(job->key);
  uint8_t stream[SL_CHACHA20_STREAM_LEN], text[SL_CHACHA20_STREAM_LEN];
  struct sl_poly1305 poly;

  uint32_t counter = 0;
  sl_chacha20_blocks4(stream, key, job->nonce, counter);
  sl_poly1305_init(&poly, stream);
  absorb(&poly, job->aad, job->aad_len);

  size_t n_used = 64; /* bytes of the present key stream */
  for (size_t off = 0, n; off < sl_text_len(job); off += n) {
    if (n_used == sizeof stream) {
      counter += 4;
      sl_chacha20_blocks4(stream, key, job->nonce, counter);
      n_used = 0;
    }
    n = sl_text_load(text, sizeof stream - n_used, job, off, is_open);
    if (is_open) absorb(&poly, text, n);
    sl_text_xor(text, stream + n_used, n);
    if (!is_open) absorb(&poly, text, n);
    sl_text_store(job, off, text, n, is_open);
    n_used = sizeof stream; /* only the last piece leaves some over */
  }

  uint8_t lengths[16];
  sl_store64_le(lengths, job->aad_len);
  sl_store64_le(lengths + 8, sl_text_len(job));
  absorb(&poly, lengths, sizeof lengths);
  sl_poly1305_final(&poly, tag);

  sl_wipe(stream, sizeof stream);
  sl_wipe(text, sizeof text);
}

static void seal(struct sl_aead_job *const *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint8_t tag[16];
    crypt(jobs[i], tag, false);
    memcpy(jobs[i]->tag, tag, sizeof tag);
  }
}

static void open(struct sl_aead_job *const *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint8_t tag[16];
    crypt(jobs[i], tag, true);
    if (!sl_aead_job_verdict(jobs[i], sl_differ(tag, jobs[i]->tag, sizeof tag))) sl_aead_job_failed(jobs[i], tag);
  }
}

/* ---- texts in pieces ----------------------------------------------------------------------------------------- */

_Static_assert(sizeof(struct sl_poly1305) <= sizeof((struct sl_stream *)0)->hash, "the hash must fit its place");

static struct sl_poly1305 *poly_of(struct sl_stream *s) {
  return (struct sl_poly1305 *)s->hash;
}

static void stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  uint8_t stream[SL_CHACHA20_STREAM_LEN];
  sl_chacha20_blocks4(stream, sl_chapoly_secret(key), s->nonce, s->counter++);
  sl_poly1305_init(poly_of(s), stream);
  sl_wipe(stream, sizeof stream);
}

static void stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  (void)key; /* Poly1305's is in the hash */
  for (size_t i = 0; i < n; i++) sl_poly1305_block(poly_of(s), blocks + 16 * i, 1);
}

static void stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                         size_t len, bool is_open) {
  uint8_t stream[SL_CHACHA20_STREAM_LEN], text[SL_CHACHA20_STREAM_LEN];
  if (s->n_block > 0) stream_absorb(s, key, s->block, 1);
  s->n_block = s->n_unit = 0;
  for (size_t done = 0, n; done < len; done += n) {
    n = len - done < sizeof text ? len - done : sizeof text;
    size_t n_rest = n % 16, n_whole = n - n_rest, n_over = -n % 64;
    sl_chacha20_blocks4(stream, sl_chapoly_secret(key), s->nonce, s->counter);
    s->counter += (uint32_t)(n + 63) / 64;
    memcpy(text, in + done, n);
    memset(text + n, 0, -n % 16);
    if (is_open) stream_absorb(s, key, text, n_whole / 16);
    if (is_open) memcpy(s->block, text + n_whole, n_rest);
    sl_text_xor(text, stream, n);
    if (!is_open) stream_absorb(s, key, text, n_whole / 16);
    if (!is_open) memcpy(s->block, text + n_whole, n_rest);
    memcpy(out + done, text, n);
    memcpy(s->unit + 64 - n_over, stream + n, n_over);
    s->n_unit = (uint8_t)n_over;
    s->n_block = (uint8_t)n_rest;
  }
  sl_wipe(stream, sizeof stream);
  sl_wipe(text, sizeof text);
}

static void stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  uint8_t lengths[16]; /* in bytes */
  if (s->n_block > 0) stream_absorb(s, key, s->block, 1);
  sl_store64_le(lengths, s->aad_len);
  sl_store64_le(lengths + 8, s->text_len);
  stream_absorb(s, key, lengths, 1);
  sl_poly1305_final(poly_of(s), tag);
}

const struct sl_kernel sl_kernel_chapoly_portable = {
    .name = "chapoly_portable",
    .algorithm = SL_ALG_CHACHA20_POLY1305,
    .needs = 0,
    .aead = {{SL_CHACHA20_POLY1305, 32, 16 + 32, expand, seal, open}},
    .stream = {64, stream_start, stream_absorb, stream_crypt, stream_tag, stream_through},
};
