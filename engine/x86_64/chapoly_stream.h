/* chapoly_stream.h - ChaCha20-Poly1305 of texts in pieces (engine/stream.h) for x86; included behind chapoly_template.h, whose
 * passes and vectors of Poly1305 it uses.
 *
 * A piece is walked over as a record by itself is (chapoly_solo.h), of which the hash is in scalars before and after, too.
 *
 * Nothing is computed when a text starts: has_hash says whether the Poly1305 key is there yet. The counter cannot: behind
 * the longest text it is 0 again. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_STREAM_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_STREAM_H

static struct sl_poly1305 *chapoly_poly_of(struct sl_stream *s) {
  return (struct sl_poly1305 *)s->hash;
}
_Static_assert(sizeof(struct sl_poly1305) <= sizeof((struct sl_stream *)0)->hash, "the hash must fit its place");

static void chapoly_stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  (void)s, (void)key;
}

/* The Poly1305 key, and the block that waits to be hashed. */
SHARED void chapoly_stream_ready(struct sl_stream *s, const struct sl_aead_key *key) {
  if (!s->has_hash) {
    uint8_t blocks[2][64];
    chacha_two_blocks(blocks, key->mem, s->nonce, 0);
    sl_poly1305_init(chapoly_poly_of(s), blocks[0]);
    sl_wipe(blocks, sizeof blocks);
    s->counter = 1;
    s->has_hash = true;
  }
}

static void chapoly_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  chapoly_stream_ready(s, key);
  chapoly_absorb(chapoly_poly_of(s), blocks, 16 * n);
}

static void chapoly_stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                                 size_t len, bool is_open) {
  struct chapoly_work w;
  struct sl_aead_job job = {.key = key, .in = in, .out = out, .len = len};
  size_t n_blocks = (len + 63) / 64;
  chapoly_stream_ready(s, key);
  chapoly_absorb(chapoly_poly_of(s), s->block, s->n_block);
  s->n_block = (uint8_t)(len % 16);
  if (is_open) memcpy(s->block, in + len - s->n_block, s->n_block); /* before it goes */
  memcpy(job.nonce, s->nonce, sizeof job.nonce);
  w.used = 0;
  w.stream = w.streams[W_STATES - 1];
  chapoly_solo(&w, &job, NULL, chapoly_poly_of(s), &s->counter, !is_open);
  if (!is_open) memcpy(s->block, out + len - s->n_block, s->n_block);
  s->counter += (uint32_t)n_blocks;
  s->n_unit = (uint8_t)(64 * n_blocks - len);
  if (s->n_unit > 0) memcpy(s->unit, w.rest[(n_blocks - 1) % PASS_BLOCKS], sizeof s->unit);
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
