/* gcm_pairs.h - AES-GCM of short records, two side by side: the rounds of one, and its products, run while the other's wait. All
 * of a record is in registers, each position has its own power, and there are no lanes to add: one reduction makes a tag. */
#ifndef SEALANE_ENGINE_AARCH64_GCM_PAIRS_H
#define SEALANE_ENGINE_AARCH64_GCM_PAIRS_H

#include "engine/aarch64/gcm_template.h"

/* A round of both records, whose keys lie at `at`. */
INLINE void gcm_pair_round(const uint8_t *const key[2], v x[], unsigned n, size_t at) {
  SL_UNROLL for (unsigned i = 0; i < 2; i++) gcm_round(block_load_all(key[i] + at), x + n * i, n);
}

/* AES of the mask and n - 1 blocks of either, but for the last key. */
INLINE void gcm_pair_rounds(struct sl_aead_job *const jobs[2], const uint8_t *const key[2], unsigned rounds, v x[],
                            unsigned n) {
  size_t at = 16, last = 16 * (size_t)(rounds - 1);
  SL_UNROLL for (unsigned i = 0; i < 2; i++) {
    gcm_counters(x + n * i, n, gcm_nonce(jobs[i]), 1);
  }
  gcm_pair_round(key, x, n, 0);
  for (; at < last; at += 2 * 16) { /* 8 or 12 */
    gcm_pair_round(key, x, n, at);
    gcm_pair_round(key, x, n, at + 16);
    gcm_settle(x, 2 * n);
  }
  SL_UNROLL for (unsigned i = 0; i < 2; i++) gcm_round_last(block_load_all(key[i] + last), x + n * i, n);
}

/* What two records have secret while functions are called, which save no vectors. The caller's to wipe. */
struct gcm_hidden {
  uint8_t mask[2][16], end[2][16]; /* E(J0); what AES has made for the last block */
};

/* The last block of either, at `off`, where one is not whole. They come in *a and *b as AES has made them, and are ciphertext then. */
INLINE void gcm_pair_ends(struct sl_aead_job *const jobs[2], const uint8_t *const last_key[2], v *a, v *b, size_t off,
                          struct gcm_hidden *hidden, bool seal) {
  block_store_all(hidden->end[0], *a);
  block_store_all(hidden->end[1], *b);
  *a = gcm_block_end(jobs[0], hidden->end[0], last_key[0], off, seal);
  *b = gcm_block_end(jobs[1], hidden->end[1], last_key[1], off, seal);
}

/* Two records of n_blocks blocks of text, a constant where this is called, and up to 16 bytes of AAD. */
INLINE void gcm_pair(struct sl_aead_job *const jobs[2], unsigned rounds, unsigned n_blocks, struct gcm_hidden *hidden,
                     bool seal) {
  const unsigned n = 1 + n_blocks;
  const uint8_t *const key[2] = {gcm_key_mem(jobs[0]->key), gcm_key_mem(jobs[1]->key)};
  const uint8_t *const last_key[2] = {key[0] + 16 * rounds, key[1] + 16 * rounds};
  const size_t off_end = 16 * (n_blocks - 1);
  v x[2 * (PAIR_BLOCKS + 1)], aad[2];
  SL_UNROLL for (unsigned i = 0; i < 2; i++) aad[i] = block_load(jobs[i]->aad, jobs[i]->aad_len);
  gcm_pair_rounds(jobs, key, rounds, x, n);

  const bool whole = jobs[0]->len == off_end + 16 && jobs[1]->len == off_end + 16;
  SL_UNROLL for (unsigned i = 0; i < 2; i++) {
    struct sl_aead_job *job = jobs[i];
    v k = block_load_all(last_key[i]);
    block_store_all(hidden->mask[i], v_xor(x[n * i], k));
    x[n * i] = aad[i];
    SL_UNROLL for (unsigned j = 1; j < n_blocks; j++) {
      size_t off = 16 * (j - 1);
      x[n * i + j] = gcm_block(job->out + off, job->in + off, x[n * i + j], k, seal);
    }
    if (whole) {
      x[n * i + n_blocks] = gcm_block(job->out + off_end, job->in + off_end, x[n * i + n_blocks], k, seal);
    }
  }
  if (!whole) gcm_pair_ends(jobs, last_key, &x[n_blocks], &x[n + n_blocks], off_end, hidden, seal);
  __asm__("" : "+m"(*hidden)); /* what is there is read from there */

  struct gcm_sum s[2] = {gcm_no_sum(), gcm_no_sum()};
  const unsigned n_hash = n + 1, odd = n_hash % 2; /* with the lengths, whose power is H */
  SL_UNROLL for (unsigned j = 0; j < n_hash; j += j < odd ? 1 : 2) {
    SL_UNROLL for (unsigned i = 0; i < 2; i++) {
      const uint8_t *pair = key[i] - PAIR_LEN * ((n_hash - j + 1) / 2);
      if (j < odd) {
        s[i] = gcm_add_one(s[i], v_turn(x[n * i]), pair);
      } else {
        v b = j + 1 < n ? v_turn(x[n * i + j + 1]) : gcm_lengths(jobs[i]->aad_len, gcm_text_len(jobs[i]));
        s[i] = gcm_add_two(s[i], v_turn(x[n * i + j]), b, pair, j == 0);
      }
    }
  }
  SL_UNROLL for (unsigned i = 0; i < 2; i++) {
    gcm_put_tag(jobs[i], gcm_reduced(s[i]), block_load_all(hidden->mask[i]), seal);
  }
}

#define GCM_PAIR(n_blocks)                                                                                             \
  PART void gcm_pair_##n_blocks(struct sl_aead_job *const jobs[2], unsigned rounds, struct gcm_hidden *hidden,         \
                                bool seal) {                                                                           \
    if (seal) {                                                                                                        \
      gcm_pair(jobs, rounds, n_blocks, hidden, true);                                                                  \
    } else {                                                                                                           \
      gcm_pair(jobs, rounds, n_blocks, hidden, false);                                                                 \
    }                                                                                                                  \
  }
GCM_PAIR(1)
GCM_PAIR(2)
GCM_PAIR(3)
GCM_PAIR(4)
GCM_PAIR(5)
GCM_PAIR(6)

static void (*const gcm_pairs[PAIR_BLOCKS + 1])(struct sl_aead_job *const jobs[2], unsigned rounds,
                                                struct gcm_hidden *hidden, bool seal) = {
    NULL, gcm_pair_1, gcm_pair_2, gcm_pair_3, gcm_pair_4, gcm_pair_5, gcm_pair_6};

/* How many blocks of text each of two jobs has that go side by side, or 0. */
INLINE size_t gcm_pair_blocks(const struct sl_aead_job *a, const struct sl_aead_job *b) {
  size_t n = gcm_n_blocks(gcm_text_len(a));
  if (n != gcm_n_blocks(gcm_text_len(b)) || n > PAIR_BLOCKS) return 0;
  return a->aad_len <= 16 && b->aad_len <= 16 ? n : 0;
}

#endif
