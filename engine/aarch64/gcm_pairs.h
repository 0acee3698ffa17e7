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

/* The last block of a text that has more, where it is cut or has its tail byte. The 16 bytes with which the text ends are loaded as
 * a whole, without those of the block before, and written as a whole, with them. */
INLINE v gcm_pair_end(struct sl_aead_job *job, v x, v last_key, size_t off, bool seal) {
  size_t to_plain = job->len - off, to_text = to_plain + job->tail_len;
  size_t n_in = seal ? to_plain : to_text, n_out = seal ? to_text : to_plain;
  v data = block_end(block_load_all(job->in + off + n_in - 16), n_in), before = block_load_all(job->out + off - 16);
  if (seal) data = block_put_byte(data, to_plain, job->tail_len ? job->tail : 0);
  v done = v_xor3(x, last_key, data);
  block_store_all(job->out + off + n_out - 16, block_join(before, done, n_out));
  if (!seal && job->tail_len) job->tail = block_byte(done, to_plain);
  return seal ? block_keep(done, to_text) : data;
}

/* Two records of n_blocks blocks of text, a constant where this is called, and up to 16 bytes of AAD. */
INLINE void gcm_pair(struct sl_aead_job *const jobs[2], unsigned rounds, unsigned n_blocks, struct gcm_hidden *hidden,
                     bool seal) {
  const unsigned n = 1 + n_blocks;
  const uint8_t *const key[2] = {gcm_key_mem(jobs[0]->key, rounds), gcm_key_mem(jobs[1]->key, rounds)};
  const size_t end = 16 * (n_blocks - 1);
  v x[2 * (PAIR_BLOCKS + 1)], aad[2];
  SL_UNROLL for (unsigned i = 0; i < 2; i++) aad[i] = block_load(jobs[i]->aad, jobs[i]->aad_len);
  gcm_pair_rounds(jobs, key, rounds, x, n);

  SL_UNROLL for (unsigned i = 0; i < 2; i++) {
    struct sl_aead_job *job = jobs[i];
    v k = block_load_all(key[i] + 16 * rounds), *last = &x[n * i + n_blocks];
    block_store_all(hidden->mask[i], v_xor(x[n * i], k));
    x[n * i] = aad[i];
    SL_UNROLL for (unsigned j = 1; j < n_blocks; j++) {
      size_t off = 16 * (j - 1);
      x[n * i + j] = gcm_block(job->out + off, job->in + off, x[n * i + j], k, seal);
    }
    if (job->len == end + 16) {
      *last = gcm_block(job->out + end, job->in + end, *last, k, seal);
    } else if (n_blocks > 1) {
      *last = gcm_pair_end(job, *last, k, end, seal);
    } else {
      block_store_all(hidden->end[i], *last);
    }
  }
  if (n_blocks == 1) {
    SL_UNROLL for (unsigned i = 0; i < 2; i++) {
      if (jobs[i]->len == end + 16) continue;
      x[n * i + 1] = gcm_block_end(jobs[i], hidden->end[i], key[i] + 16 * rounds, end, seal);
    }
  }
  __asm__("" : "+m"(*hidden)); /* what is there is read from there */

  struct gcm_sum s[2] = {gcm_no_sum(), gcm_no_sum()};
  const unsigned n_hash = n + 1, odd = n_hash % 2; /* with the lengths, whose power is H */
  if (odd) {
    const size_t off = PAIR_LEN * ((n_hash + 1) / 2);
    SL_UNROLL for (unsigned i = 0; i < 2; i++) s[i] = gcm_add_one(s[i], v_turn(x[n * i]), key[i] - off);
  }
  SL_UNROLL for (unsigned j = odd; j < n_hash; j += 2) {
    SL_UNROLL for (unsigned i = 0; i < 2; i++) {
      v a = v_turn(x[n * i + j]);
      v b = j + 1 < n ? v_turn(x[n * i + j + 1]) : gcm_lengths(jobs[i]->aad_len, gcm_text_len(jobs[i]));
      s[i] = gcm_add_two(s[i], a, b, key[i] - PAIR_LEN * ((n_hash - j) / 2), j == 0);
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
