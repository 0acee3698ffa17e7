/* gcm_short.h - short records where vectors have no masks: one at a time, hashed as they are encrypted or decrypted, in one
 * reduction with their lengths. What waits in memory is key stream. */
#ifndef SEALANE_ENGINE_X86_64_GCM_SHORT_H
#define SEALANE_ENGINE_X86_64_GCM_SHORT_H

#include "engine/x86_64/gcm_single.h"

enum {
  SHORT_LEN = 16 * (N_POWERS - 2), /* bytes of text, whose positions have powers */
  SHORT_STEP = 8,                  /* vectors of key stream at a time, but for the last nine */
  SHORT_VECS = N_POWERS / V_LANES <= SHORT_STEP ? SHORT_STEP + 1 : 2 * SHORT_STEP + 1, /* and up to two in vain */
};

/* What comes before the text: lengths, with the power H, and the AAD, on the positions 0 and 1. */
INLINE struct gcm_sum gcm_short_head(const struct gcm_record *r, const uint8_t *own) {
  uint64_t aad_bits = 8 * (uint64_t)r->job->aad_len, text_bits = 8 * (uint64_t)r->text_len;
  v lengths = v_low(_mm_set_epi64x((long long)aad_bits, (long long)text_bits));
  struct gcm_sum s = gcm_product(lengths, v_low(block_load_all(r->key - 16)));
  return gcm_add_product(s, r->aad, v_load_all(own + 16), false); /* own itself may begin before the key */
}

/* A record of up to SHORT_LEN bytes of text. */
PART void gcm_short(struct sl_aead_job *job, unsigned rounds, bool seal) {
  uint8_t group[SHORT_VECS][V_BYTES] __attribute__((aligned(64)));
  struct gcm_record r;
  gcm_begin(&r, job, rounds);
  size_t n_vecs = gcm_n_vecs(job), j = LEAD_LEN / V_BYTES;
  if (n_vecs > SHORT_STEP + 1) {
    gcm_key_stream(&r, rounds, group, SHORT_STEP);
    r.counter = SHORT_STEP * V_LANES;
    gcm_key_stream(&r, rounds, group + SHORT_STEP, n_vecs - SHORT_STEP);
  } else {
    gcm_key_stream(&r, rounds, group, n_vecs);
  }
  v last_key = v_load_all(r.key + 16 * rounds);
  const uint8_t *own = r.key - 16 * ((r.text_len + 15) / 16 + 3);
  struct gcm_sum s = gcm_short_head(&r, own);
  __m128i mask = v_lane(v_aesenclast(v_load(group[V_LANES > 1 ? 0 : 1]), last_key), V_LANES > 1);
  size_t off = 0;
  ROLLED for (; off + V_BYTES <= job->len; off += V_BYTES, j++) {
    s = gcm_add_product(s, gcm_vec(&r, v_load(group[j]), last_key, (ptrdiff_t)off, seal), v_load(own + V_BYTES * j),
                        false);
  }
  if (off < r.text_len) {
    v end = gcm_edge_vec(&r, v_load(group[j]), last_key, (ptrdiff_t)off, false, ENDS, seal);
    s = gcm_add_product(s, end, v_load(own + V_BYTES * j), false);
  }
  v sum[V_LANES] = {gcm_reduced(s)};
  UNROLL for (unsigned i = 1; i < V_LANES; i++) sum[i] = v_zero();
  gcm_put_tag(job, v_lane(gcm_reversed(v_sum_lanes(sum)), 0), mask, seal);
  gcm_wipe(group, SHORT_VECS);
  gcm_forget(&r);
}

#endif
