/* gcm_narrow.h - AES-GCM where vectors hold one or two blocks, no masks cut them, and there are 16 registers: one record at
 * a time. */
#ifndef SEALANE_ENGINE_X86_64_GCM_NARROW_H
#define SEALANE_ENGINE_X86_64_GCM_NARROW_H

#include "engine/x86_64/gcm_short.h"

enum { GROUP_LEN = V_GROUP * V_BYTES }; /* bytes */
_Static_assert(V_GROUP % V_ALIGN == 0, "groups begin where counters are aligned");

/* What a long record's groups need, spread over all lanes beforehand: on Zen a load that spreads costs a vector pipe, a
 * plain one does not (docs/kernels.md). */
struct gcm_long {
  uint8_t round[9][V_BYTES], more[4][V_BYTES], last[V_BYTES]; /* `more` are AES-256's rounds 5 to 8 */
  uint8_t power[V_GROUP][V_BYTES];                            /* H^(V_LANES * (V_GROUP - j)) */
  uint8_t folded[V_GROUP / 2][V_BYTES];                       /* gcm_folded_pair() of two of those */
  uint8_t turn[V_BYTES], poly[V_BYTES];                       /* of gcm_reversed() and gcm_reduced() */
  uint32_t word;                                              /* gcm_long_counter() */
} __attribute__((aligned(128)));

/* Both halves of a added, and both of b, side by side. */
INLINE v gcm_folded_pair(v a, v b) {
  return v_xor(v_low_halves(a, b), v_high_halves(a, b));
}

static inline void gcm_long_make(struct gcm_long *l, const struct gcm_record *r, unsigned rounds) {
  const uint8_t *key = r->key + 16;
  ROLLED for (unsigned i = 0; i < 4; i++, key += 16) v_store(l->round[i], v_load_all(key));
  ROLLED for (unsigned i = 0; i < rounds - 10; i++, key += 16) v_store(l->more[i], v_load_all(key));
  ROLLED for (unsigned i = 4; i < 9; i++, key += 16) v_store(l->round[i], v_load_all(key));
  v_store(l->last, v_load_all(key));
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) {
    v_store(l->power[j], v_load_all(r->key - 16 * V_LANES * (V_GROUP - j)));
  }
  ROLLED for (unsigned j = 0; j < V_GROUP; j += 2) {
    v_store(l->folded[j / 2], gcm_folded_pair(v_load(l->power[j]), v_load(l->power[j + 1])));
  }
  v_store(l->turn, gcm_turn());
  v_store(l->poly, gcm_poly());
}
_Static_assert(V_LANES *V_GROUP <= N_POWERS, "the key has these powers");

/* sl_wipe(): a string instruction takes longer to start than these stores, which compilers would make one of again. */
static inline void gcm_long_wipe(struct gcm_long *l) {
  ROLLED for (uint8_t *p = (uint8_t *)l, *end = p + sizeof *l; p < end; p += 4 * V_BYTES) {
    UNROLL for (unsigned i = 0; i < 4; i++) v_store(p + i * V_BYTES, v_zero());
    sl_wipe(p, 0);
  }
}
_Static_assert(sizeof(struct gcm_long) % (4 * V_BYTES) == 0, "four vectors are erased at a time");

/* AES of a full group, an operation at a time: GHASH of another group has its own between them. */
struct gcm_long_aes {
  struct gcm_long *l;
  const struct gcm_record *r;
  const uint8_t *in;
  uint8_t *out;
  uint32_t counter; /* of the group's first position */
  unsigned rounds;
  v x[V_GROUP], key;
};

/* Steps of GHASH, and the operations of AES among them: the counters and nine rounds, then the last round and the text. */
enum {
  PAIR_STEPS = 17, /* gcm_long_pair() */
  PAIR_OPS = 20,
  END_STEPS = 10, /* gcm_long_reduced() */
  END_OPS = V_GROUP,
};
_Static_assert(PAIR_OPS *V_GROUP / 2 == 10 * V_GROUP, "AES keeps up with GHASH");

/* Has x computed here and not where the compiler would rather. */
INLINE void gcm_now(v *x) {
  __asm__ volatile("" : "+x"(*x));
}

/* The counters of V_ALIGN vectors, but for what distinguishes those. */
INLINE v gcm_long_counter(struct gcm_long_aes *s) {
  s->l->word = __builtin_bswap32(s->counter) ^ s->r->key_word;
  __asm__("" : "+m"(s->l->word)); /* to spread it from memory costs no vector port, from a register it does */
  s->counter += V_LANES * V_ALIGN;
  return v_set_word3(v_load_all(s->r->base), s->l->word);
}

/* AES-256's rounds that AES-128 does not have. */
INLINE void gcm_long_more(struct gcm_long_aes *s) {
  if (s->rounds == 10) return;
  UNROLL for (unsigned i = 0; i < 4; i++) {
    s->key = v_load(s->l->more[i]);
    UNROLL for (unsigned j = 0; j < V_GROUP; j++) s->x[j] = v_aesenc(s->x[j], s->key);
  }
}

/* The operation with this number: those on the group's vectors in turn, round by round. */
INLINE void gcm_long_op(struct gcm_long_aes *s, unsigned op) {
  unsigned round = op / V_GROUP, j = op % V_GROUP;
  v *x = &s->x[j];
  if (round == 0) {
    if (j % V_ALIGN == 0) s->key = gcm_long_counter(s);
    *x = v_xor(s->key, v_load(gcm_positions[V_LANES * (j % V_ALIGN)]));
  } else if (round < 10) {
    if (j == 0) s->key = v_load(s->l->round[round - 1]);
    *x = v_aesenc(*x, s->key);
  } else {
    if (j == 0) s->key = v_load(s->l->last);
    *x = v_xor(v_aesenclast(*x, s->key), v_load(s->in + j * V_BYTES));
    v_store(s->out + j * V_BYTES, *x);
  }
  gcm_now(x);
}

/* What of AES goes behind a step of GHASH, if there is AES. */
INLINE unsigned gcm_long_ops(unsigned step) {
  unsigned end = V_GROUP / 2 * PAIR_STEPS;
  return step < end ? step * PAIR_OPS / PAIR_STEPS : 10 * V_GROUP + (step - end) * END_OPS / END_STEPS;
}
INLINE v gcm_woven(struct gcm_long_aes *s, unsigned step, v x) {
  gcm_now(&x);
  if (s) {
    UNROLL for (unsigned op = gcm_long_ops(step); op < gcm_long_ops(step + 1); op++) gcm_long_op(s, op);
  }
  return x;
}

/* a*h: its low halves are added to one sum, the high ones to another. Each power is loaded once: load ports are busy, too. */
INLINE void gcm_long_product(struct gcm_long_aes *s, unsigned step, v a, const uint8_t *power, v *low, v *high) {
  v h = v_load(power);
  gcm_now(&h);
  v x = gcm_woven(s, step, v_clmul_ll(a, h));
  v y = gcm_woven(s, step + 1, v_clmul_hh(a, h));
  *low = gcm_woven(s, step + 2, v_xor(*low, x));
  *high = gcm_woven(s, step + 3, v_xor(*high, y));
}

INLINE v gcm_long_turned(const struct gcm_long *l, const uint8_t *p) {
  __asm__("" : "+r"(l)); /* keeps the compiler from loading what turns once and keeping it in a register */
  return v_shuffle(v_load(p), v_load(l->turn));
}

/* Vectors j and j + 1 of a group, as they are on the wire. */
INLINE void gcm_long_pair(struct gcm_sum *sum, v acc, const struct gcm_long *l, const uint8_t *group, size_t j,
                          struct gcm_long_aes *s, unsigned step) {
  v a = gcm_woven(s, step, v_xor(gcm_long_turned(l, group + j * V_BYTES), acc));
  gcm_long_product(s, step + 1, a, l->power[j], &sum->low, &sum->high);
  v b = gcm_woven(s, step + 5, gcm_long_turned(l, group + (j + 1) * V_BYTES));
  v folded = gcm_woven(s, step + 6, v_low_halves(a, b));
  a = gcm_woven(s, step + 7, v_high_halves(a, b));
  folded = gcm_woven(s, step + 8, v_xor(folded, a));
  gcm_long_product(s, step + 9, b, l->power[j + 1], &sum->low, &sum->high);
  gcm_long_product(s, step + 13, folded, l->folded[j / 2], &sum->mid, &sum->mid);
}

/* gcm_reduced() */
INLINE v gcm_long_reduced(struct gcm_sum sum, const struct gcm_long *l, struct gcm_long_aes *s, unsigned step) {
  v x = gcm_woven(s, step, v_swap(sum.low));
  v y = gcm_woven(s, step + 1, v_clmul_ll(sum.low, v_load(l->poly)));
  v mid = gcm_woven(s, step + 2, v_xor(sum.mid, sum.low));
  mid = gcm_woven(s, step + 3, v_xor(mid, sum.high));
  mid = gcm_woven(s, step + 4, v_xor(mid, x));
  mid = gcm_woven(s, step + 5, v_xor(mid, y));
  x = gcm_woven(s, step + 6, v_swap(mid));
  y = gcm_woven(s, step + 7, v_clmul_ll(mid, v_load(l->poly)));
  x = gcm_woven(s, step + 8, v_xor(sum.high, x));
  return gcm_woven(s, step + 9, v_xor(x, y));
}

/* GHASH of a group on its own. */
PART v gcm_long_hash(const struct gcm_long *l, v acc, const uint8_t *group) {
  struct gcm_sum sum = {v_zero(), v_zero(), v_zero()};
  ROLLED for (size_t j = 0; j < V_GROUP; j += 2, acc = v_zero()) {
    gcm_long_pair(&sum, acc, l, group, j, NULL, 0);
  }
  return gcm_long_reduced(sum, l, NULL, 0);
}

/* GHASH of a group and AES of another. */
INLINE v gcm_long_both(const struct gcm_long *l, v acc, const uint8_t *group, struct gcm_long_aes *s) {
  struct gcm_sum sum = {v_zero(), v_zero(), v_zero()};
  UNROLL for (unsigned j = 0; j < V_GROUP; j += 2) {
    if (j == V_GROUP / 2) gcm_long_more(s);
    gcm_long_pair(&sum, j == 0 ? acc : v_zero(), l, group, j, s, j / 2 * PAIR_STEPS);
  }
  return gcm_long_reduced(sum, l, s, V_GROUP / 2 * PAIR_STEPS);
}

/* A group's GHASH comes with AES of the next where it is sealed. Where it is opened it comes with its own AES, whose text may
 * take its place. */
PART ptrdiff_t gcm_long_part(struct gcm_record *r, unsigned rounds, uint8_t group[][V_BYTES], size_t *n_vecs,
                             ptrdiff_t off, bool seal) {
  struct gcm_long keys;
  struct gcm_long *l = &keys;
  gcm_key_stream(r, rounds, group, V_GROUP);
  gcm_text(r, rounds, group, V_GROUP, off, seal);
  gcm_long_make(&keys, r, rounds);
  ROLLED for (size_t j = 0; j < V_GROUP; j++) v_store(group[j], gcm_reversed(v_load(group[j])));
  off += GROUP_LEN;
  size_t n = *n_vecs - V_GROUP;
  const uint8_t *at = group[0], *next = seal ? r->out : r->in + GROUP_LEN;
  uint32_t counter = r->counter - (LONG_LAST - V_GROUP) * V_ALIGN * V_LANES; /* of the vector too many */
  v acc = r->acc;
  if (!seal) {
    acc = gcm_long_hash(l, acc, at);
    at = r->in + off;
  }
  ROLLED for (; n > LONG_LAST; n -= V_GROUP, off += GROUP_LEN) {
    struct gcm_long_aes s = {.r = r, .in = r->in + off, .out = r->out + off, .counter = counter, .rounds = rounds};
    __asm__("" : "+r"(l), "+r"(s.in), "+r"(s.out)); /* keeps the compiler from loading keys once and spilling them */
    s.l = l;
    acc = gcm_long_both(l, acc, at, &s);
    counter = s.counter;
    at = next + off;
  }
  if (seal) acc = gcm_long_hash(l, acc, at);
  *n_vecs = n;
  r->acc = acc;
  r->counter = counter;
  gcm_long_wipe(&keys);
  return off;
}

static void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  struct gcm_done done[V_LANES]; /* longer records that wait until there is one for each lane */
  gcm_group group;
  unsigned n_done = 0;
  bool is_used = false;
  for (size_t i = 0; i < n; i++) {
    if (jobs[i]->len + jobs[i]->tail_len <= SHORT_LEN) {
      gcm_short(jobs[i], rounds, seal);
      continue;
    }
    if (n_done == V_LANES) {
      gcm_finish(done, n_done, seal);
      n_done = 0;
    }
    is_used = true;
    gcm_single_job(jobs[i], rounds, group, seal, &done[n_done++]);
  }
  if (!is_used) return;
  gcm_finish(done, n_done, seal);
  sl_wipe(done, sizeof done);
  gcm_wipe(group, GROUP_LAST);
}

#endif
