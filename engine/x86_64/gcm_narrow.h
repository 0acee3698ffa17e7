/* gcm_narrow.h - AES-GCM where vectors hold one or two blocks, no masks cut them, and there are 16 registers: one record at
 * a time. */
#ifndef SEALANE_ENGINE_X86_64_GCM_NARROW_H
#define SEALANE_ENGINE_X86_64_GCM_NARROW_H

#include "engine/x86_64/gcm_single.h"

/* What a long record's groups need, spread over all lanes beforehand: on Zen a load that spreads costs a vector pipe, a
 * plain one does not (docs/kernels.md). */
struct gcm_long {
  uint8_t rounds[15][V_BYTES];
  uint8_t power[V_GROUP_LONG][V_BYTES];  /* H^(V_LANES * (V_GROUP_LONG - j)) */
  uint8_t folded[V_GROUP_LONG][V_BYTES]; /* gcm_folded() of those */
} __attribute__((aligned(64)));

static inline void gcm_long_make(struct gcm_long *l, const struct gcm_record *r, unsigned rounds) {
  ROLLED for (unsigned i = 0; i <= rounds; i++) v_store(l->rounds[i], v_load_all(r->key + 16 * i));
  v most = v_load_all(r->key - 16 * N_POWERS);
  UNROLL for (unsigned j = V_GROUP_LONG; j-- > 0;) {
    unsigned exponent = V_LANES * (V_GROUP_LONG - j);
    v h = exponent <= N_POWERS ? v_load_all(r->key - 16 * exponent)
                               : gcm_reduced(gcm_product(v_load_all(r->key - 16 * (exponent - N_POWERS)), most));
    v_store(l->power[j], h);
    v_store(l->folded[j], gcm_folded(h));
  }
}
_Static_assert(V_LANES *V_GROUP_LONG <= 2 * N_POWERS, "one product makes a power the key does not hold");

INLINE void gcm_long_round(const struct gcm_long *l, v x[], size_t round) {
  v k = v_load(l->rounds[round]);
  UNROLL for (unsigned j = 0; j < V_GROUP_LONG; j++) x[j] = v_aesenc(x[j], k);
}
INLINE struct gcm_sum gcm_long_pair(const struct gcm_record *r, const struct gcm_long *l, struct gcm_sum s,
                                    const v group[], size_t i, size_t j, bool first) {
  v a = gcm_reversed(group[i]), b = gcm_reversed(group[j]);
  if (j == 0) b = v_xor(b, r->acc);
  return gcm_add_products(s, a, v_load(l->power[i]), v_load(l->folded[i]), b, v_load(l->power[j]), v_load(l->folded[j]),
                          first);
}

/* A full group of one record, and GHASH of the one before. */
INLINE void gcm_long_group(struct gcm_record *r, const struct gcm_long *l, unsigned rounds, ptrdiff_t off, v group[],
                           bool seal) {
  v x[V_GROUP_LONG];
  __asm__("" : "+r"(l)); /* keeps the compiler from loading round keys once and spilling them round the loop */
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  size_t round = 2;
  gcm_counters(r, 1, x, V_GROUP_LONG);
  gcm_long_round(l, x, 1);
  UNROLL for (; round < 10; round += 2) {
    s = gcm_long_pair(r, l, s, group, round - 1, round % V_GROUP_LONG, round == 2);
    gcm_long_round(l, x, round);
    gcm_long_round(l, x, round + 1);
  }
  if (rounds > 10) {
    UNROLL for (; round < 14; round++) gcm_long_round(l, x, round);
  }
  r->acc = gcm_reduced(s);
  v last_key = v_load(l->rounds[rounds]);
  UNROLL for (unsigned j = 0; j < V_GROUP_LONG; j++) {
    group[j] = gcm_vec_unturned(r, x[j], last_key, off + (ptrdiff_t)(j * V_BYTES), seal);
  }
}

INLINE ptrdiff_t gcm_long_groups(struct gcm_record *r, const struct gcm_long *l, unsigned rounds, size_t *n_vecs,
                                 ptrdiff_t off, const uint8_t first[][V_BYTES], bool seal) {
  v hash[V_GROUP_LONG];
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  UNROLL for (unsigned j = 0; j < V_GROUP_LONG; j++) hash[j] = gcm_reversed(v_load(first[j]));
  ROLLED for (; *n_vecs > GROUP_LAST; *n_vecs -= V_GROUP_LONG, off += LONG_LEN) {
    gcm_long_group(r, l, rounds, off, hash, seal);
  }
  UNROLL for (unsigned j = 1; j < V_GROUP_LONG; j += 2) {
    s = gcm_long_pair(r, l, s, hash, j, (j + 1) % V_GROUP_LONG, j == 1);
  }
  r->acc = gcm_reduced(s);
  return off;
}

PART ptrdiff_t gcm_long_part(struct gcm_record *out, unsigned rounds, uint8_t group[][V_BYTES], size_t *n_vecs,
                             ptrdiff_t off, bool seal) {
  struct gcm_long l;
  gcm_key_stream(out, rounds, group, V_GROUP_LONG);
  gcm_text(out, rounds, group, V_GROUP_LONG, off, seal);
  struct gcm_record r = *out;
  r.counter = out->counter - (GROUP_LAST - V_GROUP_LONG) * V_ALIGN * V_LANES; /* of the vector too many */
  *n_vecs -= V_GROUP_LONG;
  gcm_long_make(&l, &r, rounds);
  off += LONG_LEN;
  if (seal) {
    off = gcm_long_groups(&r, &l, rounds, n_vecs, off, group, true);
  } else {
    off = gcm_long_groups(&r, &l, rounds, n_vecs, off, group, false);
  }
  out->acc = r.acc;
  out->counter = r.counter;
  sl_wipe(&l, sizeof l);
  gcm_forget(&r);
  return off;
}

static void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  struct gcm_done done[V_LANES];
  gcm_group group;
  unsigned n_done = 0;
  for (size_t i = 0; i < n; i++) {
    gcm_single_job(jobs[i], rounds, group, seal, &done[n_done++]);
    if (n_done < V_LANES && i + 1 < n) continue;
    gcm_finish_some(done, n_done, seal);
    n_done = 0;
  }
  sl_wipe(done, sizeof done);
  gcm_wipe(group, GROUP_LAST);
}

#endif
