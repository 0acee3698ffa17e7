/* gcm_stream.h - AES-GCM of texts in pieces (engine/stream.h). A piece is a text (gcm_single.h) whose first group begins at its
 * counter; the hash so far is added to its first block. What is less than a block at a piece's end is done on its own. */
#ifndef SEALANE_ENGINE_AARCH64_GCM_STREAM_H
#define SEALANE_ENGINE_AARCH64_GCM_STREAM_H

#include "engine/aarch64/gcm_single.h"
#include "engine/stream.h"

INLINE unsigned gcm_stream_rounds(const struct sl_aead_key *key) {
  return key->ops->aead == SL_AES_256_GCM ? 14 : 10;
}

/* The nonce and zeros; counter stands behind it. */
INLINE v gcm_stream_nonce(const struct sl_stream *s) {
  return v_set_word3(block_load_all(s->nonce), 0);
}
_Static_assert(offsetof(struct sl_stream, nonce) + 16 <= sizeof(struct sl_stream), "a nonce is read as one block");

/* The key stream at the stream's counter, which steps on. */
PART v gcm_stream_block(struct sl_stream *s, const struct sl_aead_key *key) {
  v x = gcm_counter(gcm_stream_nonce(s), s->counter++);
  return gcm_encrypt(x, gcm_key_mem(key, gcm_stream_rounds(key)), gcm_stream_rounds(key));
}

static void gcm_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  v acc = v_turn(block_load_all((const uint8_t *)s->hash));
  for (size_t n_now; n > 0; n -= n_now, blocks += 16 * n_now) {
    n_now = n < 2 * N_PAIRS ? n : 2 * N_PAIRS;
    acc = gcm_hash(acc, (const uint8_t(*)[16])blocks, n_now, gcm_key_mem(key, gcm_stream_rounds(key)));
  }
  block_store_all((uint8_t *)s->hash, v_turn(acc));
}

/* Whole blocks, len > 0 bytes. */
PART void gcm_stream_blocks(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                            size_t len, bool seal) {
  struct sl_aead_job piece = {.in = in, .out = out, .len = len};
  size_t n_blocks = len / 16, first = s->counter % GROUP, n_first = GROUP - first < n_blocks ? GROUP - first : n_blocks;
  struct gcm_text t = {.job = &piece,
                       .key = gcm_key_mem(key, gcm_stream_rounds(key)),
                       .rounds = gcm_stream_rounds(key),
                       .nonce = gcm_stream_nonce(s),
                       .counter = s->counter - (uint32_t)first};
  struct gcm_run run;
  gcm_run_begin(&run, t.key);
  size_t from = ROWS - n_first;
  (void)gcm_key_stream(&t, &run, run.rows + from, first, n_first);
  gcm_text_blocks(&t, run.rows + from, n_first, seal);
  gcm_add_to(run.rows[from], block_load_all((const uint8_t *)s->hash));
  for (size_t row = ROWS - GROUP; row < from; row++) block_store_all(run.rows[row], v_zero());
  run.from = from;
  t.counter += GROUP;
  if (n_blocks > n_first) gcm_text_on(&t, &run, n_blocks - n_first, 0, seal);
  block_store_all((uint8_t *)s->hash, v_turn(gcm_run_hash(&run)));
  s->counter += (uint32_t)n_blocks;
  sl_wipe(&run, sizeof run);
}

typedef v block;
static inline block block_xor(block a, block b) {
  return v_xor(a, b);
}

#include "engine/gcm_stream_ends.h"

#endif
