/* chapoly_stream.h - ChaCha20-Poly1305 of texts in pieces (engine/stream.h) for x86; included behind chapoly_template.h, whose
 * passes and vectors of Poly1305 it uses.
 *
 * A piece is walked over as a record by itself is (chapoly_solo.h), of which the hash is in scalars before and after, too.
 *
 * Nothing is computed when a text starts: has_hash says whether the Poly1305 key is there yet. The counter cannot: behind
 * the longest text it is 0 again. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_STREAM_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_STREAM_H

static void chapoly_stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  (void)s, (void)key;
}

/* The Poly1305 key, for what is not text. */
SHARED void chapoly_stream_ready(struct sl_stream *s, const struct sl_aead_key *key) {
  if (!s->has_hash) {
    uint8_t blocks[FEW_BLOCKS][64];
    chacha_few_blocks(blocks, chapoly_secret(key), s->nonce, 0, 1, 1);
    sl_poly1305_init(chapoly_poly_of(s), blocks[0]);
    sl_wipe(blocks, sizeof blocks);
    s->counter = 1;
    s->has_hash = true;
  }
}
_Static_assert(offsetof(struct sl_stream, nonce) + 16 <= sizeof(struct sl_stream), "a nonce is read as 16 bytes");

static void chapoly_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  chapoly_stream_ready(s, key);
  chapoly_absorb(chapoly_poly_of(s), blocks, 16 * n);
}

static void chapoly_stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                                 size_t len, bool is_open) {
  struct chapoly_work w;
  struct sl_aead_job job = {.key = key, .aad = s->block, .aad_len = s->n_block, .in = in, .out = out, .len = len};
  size_t n_blocks = (len + 63) / 64, n_rest = len % 16;
  uint8_t rest[16]; /* of a ciphertext, before it goes */
  if (is_open) memcpy(rest, in + len - n_rest, n_rest);
  memcpy(job.nonce, s->nonce, sizeof job.nonce);
  w.used = 0;
  w.stream = w.streams[W_STATES - 1];
  const uint8_t *last = chapoly_solo(&w, &job, NULL, s, !is_open);
  memcpy(s->block, is_open ? rest : out + len - n_rest, n_rest);
  s->n_block = (uint8_t)n_rest;
  s->counter = (s->has_hash ? s->counter : 1) + (uint32_t)n_blocks;
  s->has_hash = true;
  s->n_unit = (uint8_t)(64 * n_blocks - len);
  if (s->n_unit > 0) memcpy(s->unit, last, sizeof s->unit);
  chapoly_work_wipe(&w);
}

static void chapoly_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  chapoly_stream_ready(s, key);
  chapoly_absorb(chapoly_poly_of(s), s->block, s->n_block);
  chapoly_final(chapoly_poly_of(s), tag, s->aad_len, s->text_len);
}

#define CHAPOLY_STREAM_OPS                                                                                             \
  { 64, chapoly_stream_start, chapoly_stream_absorb, chapoly_stream_crypt, chapoly_stream_tag }

#endif
