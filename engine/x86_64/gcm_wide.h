/* gcm_wide.h - AES-GCM where vectors hold four blocks, masks cut them, and 32 registers keep several records in flight: those of
 * about 64 bytes one a lane (gcm_lanes.h), others of equal length in pairs, and what finds no company or is long on its own
 * (gcm_single.h). */
#ifndef SEALANE_ENGINE_X86_64_GCM_WIDE_H
#define SEALANE_ENGINE_X86_64_GCM_WIDE_H

#include "engine/x86_64/gcm_lanes.h"
#include "engine/x86_64/gcm_single.h"

/* ---- records side by side ------------------------------------------------------------------------------------ */

/* All rounds but the last on n_vecs vectors of two records, and between them the full groups before, unturned in `hash`.
 * Their first vectors come last, because the ends of the chains through all groups are added to them. */
INLINE void gcm_rounds_hashing(struct gcm_record r[2], unsigned rounds, v x[], unsigned n_vecs, const v hash[]) {
  struct gcm_sum s[2];
  /* Keeps the compiler from loading keys once for all groups, only to spill them. */
  UNROLL for (unsigned i = 0; i < 2; i++) __asm__("" : "+r"(r[i].key));
  UNROLL for (unsigned k = 1; k < 10; k++) {
    gcm_round(r, 2, x, n_vecs, 16 * k);
    if (k != 2 && k != 4) continue;
    const unsigned a = k - 1, b = k % V_GROUP;
    UNROLL for (unsigned i = 0; i < 2; i++) {
      v y = gcm_reversed(hash[V_GROUP * i + a]), z = gcm_reversed(hash[V_GROUP * i + b]);
      v g = v_load_all(r[i].key - V_BYTES * (V_GROUP - a)), h = v_load_all(r[i].key - V_BYTES * (V_GROUP - b));
      if (b == 0) z = v_xor(z, r[i].acc);
      s[i] = gcm_add_products(s[i], y, g, g, z, h, h, k == 2);
    }
  }
  if (rounds == 14) {
    UNROLL for (unsigned k = 10; k < 14; k++) gcm_round(r, 2, x, n_vecs, 16 * k);
  }
  UNROLL for (unsigned i = 0; i < 2; i++) r[i].acc = gcm_reduced(s[i]);
}
_Static_assert(V_GROUP == 4 && V_SCHOOLBOOK, "two pairs of vectors, powers without their folds");

/* The text of a full group of two records, with or without the records' heads. */
INLINE void gcm_group_text(struct gcm_record r[2], unsigned rounds, ptrdiff_t off, const v x[], v hash[], bool head,
                           bool seal) {
  UNROLL for (unsigned i = 0; i < 2; i++) {
    v last_key = v_load_all(r[i].key + 16 * rounds);
    UNROLL for (unsigned j = 0; j < V_GROUP; j++) {
      ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
      v y = x[i * V_GROUP + j];
      hash[i * V_GROUP + j] = head && j == 0 ? gcm_reversed(gcm_edge_vec(&r[i], y, last_key, at, true, INSIDE, seal))
                                             : gcm_vec_unturned(&r[i], y, last_key, at, seal);
    }
    if (head) r[i].acc = r[i].aad;
  }
}
_Static_assert((int)LEAD_LEN < (int)V_BYTES, "a head is in the first vector");

/* The text of the last group of two records, of n_vecs vectors each; x has V_LAST of each. */
INLINE void gcm_ends(struct gcm_record r[2], unsigned rounds, ptrdiff_t off, const v x[], unsigned n_vecs, bool seal,
                     struct gcm_done done[2]) {
  UNROLL for (unsigned i = 0; i < 2; i++) {
    const uint8_t *own = r[i].key - 16 * (((ptrdiff_t)r[i].text_len + 15 - off) / 16);
    v last_key = v_load_all(r[i].key + 16 * rounds), acc = r[i].acc;
    struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
    UNROLL for (unsigned j = 0; j < n_vecs; j++) {
      ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
      v y = x[V_LAST * i + j];
      y = j + 1 < n_vecs ? gcm_vec(&r[i], y, last_key, at, seal)
                         : gcm_edge_vec(&r[i], y, last_key, at, false, ENDS, seal);
      if (j == 0) y = v_xor(y, acc);
      if (j == 0 && n_vecs > V_EXACT) {
        acc = gcm_reduced(gcm_product(y, v_load_all(r[i].key - V_BYTES)));
        continue;
      }
      if (j == 1 && n_vecs > V_EXACT) y = v_xor(y, acc);
      s = gcm_add_product(s, y, v_load(own + V_BYTES * j), j == (n_vecs > V_EXACT));
    }
    done[i].sum = s;
    gcm_done_with(&done[i], &r[i]);
  }
}

/* The last group of two records, of 3 .. V_LAST vectors each: one code for AES, some of it in vain, and each number's for the
 * text. */
INLINE void gcm_last_some(struct gcm_record r[2], unsigned rounds, ptrdiff_t off, const v hash[], size_t n_vecs,
                          bool seal, struct gcm_done done[2]) {
  v x[2 * V_LAST];
  gcm_counters(r, 2, x, V_LAST);
  gcm_rounds_hashing(r, rounds, x, V_LAST, hash);
  if (n_vecs == 3) {
    gcm_ends(r, rounds, off, x, 3, seal, done);
  } else if (n_vecs == 4) {
    gcm_ends(r, rounds, off, x, 4, seal, done);
  } else {
    gcm_ends(r, rounds, off, x, V_LAST, seal, done);
  }
}
_Static_assert(V_LAST == 5, "every number of vectors has its case");

/* ---- long records --------------------------------------------------------------------------------------------- */

/* A long record is taken in chunks of V_GROUP vectors, each in three stages: AES from the counter to the middle round; AES
 * from there to the text; GHASH. */
struct gcm_chunks {
  uint8_t far[V_GROUP][V_BYTES]; /* H^(V_LANES * (2 * V_GROUP - j)) in all lanes */
} __attribute__((aligned(64)));

/* The first two or last two products of a chunk. */
INLINE struct gcm_sum gcm_chunk_pair(const struct gcm_chunks *c, const struct gcm_record *r, struct gcm_sum s,
                                     const v hash[], unsigned i, unsigned j, bool is_far, bool first, bool seal) {
  v a = seal ? gcm_reversed(hash[i]) : hash[i], b = seal ? gcm_reversed(hash[j]) : hash[j];
  v g = is_far ? v_load(c->far[i]) : v_load_all(r->key - V_BYTES * (V_GROUP - i));
  v h = is_far ? v_load(c->far[j]) : v_load_all(r->key - V_BYTES * (V_GROUP - j));
  if (j == 0 && is_far) b = v_xor(b, r->acc);
  return gcm_add_products(s, a, g, g, b, h, h, first);
}

/* Rounds 6 to 9 of AES-256, which AES-128 has not; its rounds from 10 on have the keys that AES-128's have from 6 on. */
INLINE void gcm_chunk_middle(const struct gcm_record *r, unsigned rounds, v x[]) {
  if (rounds == 10) return;
  UNROLL for (unsigned k = 6; k < 10; k++) gcm_round(r, 1, x, V_GROUP, 16 * k);
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) v_settle(&x[j]);
}

INLINE void gcm_chunk_step(struct gcm_chunks *c, struct gcm_record *r, unsigned rounds, v y[], v hash[], v recent[],
                           ptrdiff_t off, struct gcm_sum *s, bool is_far, bool seal) {
  const uint8_t *late = r->key + 16 * (rounds - 5);
  v x[V_GROUP];
  __asm__("" : "+r"(r->key), "+r"(late), "+r"(c));
  gcm_counters(r, 1, x, V_GROUP);
  UNROLL for (unsigned k = 1; k < 5; k++) {
    v key = v_load_all(r->key + 16 * k), later = v_load_all(late + 16 * k);
    UNROLL for (unsigned j = 0; j < V_GROUP; j++) {
      x[j] = v_aesenc(x[j], key);
      y[j] = v_aesenc(y[j], later);
    }
    if (k == 2) *s = gcm_chunk_pair(c, r, *s, hash, 1, 2, is_far, is_far, seal);
    if (k == 4) *s = gcm_chunk_pair(c, r, *s, hash, 3, 0, is_far, false, seal);
  }
  v key = v_load_all(r->key + 16 * 5), last_key = v_load_all(late + 16 * 5);
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) {
    const uint8_t *in = r->in + off + (ptrdiff_t)(j * V_BYTES);
    v data = v_load(in), done = v_aesenclast(y[j], v_xor(data, last_key));
    v_store(r->out + off + (ptrdiff_t)(j * V_BYTES), done);
    hash[j] = seal ? recent[j] : gcm_reversed(data);
    recent[j] = done;
    y[j] = v_aesenc(x[j], key);
  }
  gcm_chunk_middle(r, rounds, y);
}

/* AES of a chunk from its middle round, its text; hash[] gets what GHASH takes. */
INLINE void gcm_chunk_end(const struct gcm_record *r, unsigned rounds, v y[], v hash[], ptrdiff_t off, bool seal) {
  v last_key = v_load_all(r->key + 16 * rounds);
  UNROLL for (unsigned k = 4; k > 0; k--) gcm_round(r, 1, y, V_GROUP, 16 * (size_t)(rounds - k));
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) {
    hash[j] = gcm_vec(r, y[j], last_key, off + (ptrdiff_t)(j * V_BYTES), seal);
  }
}

/* All but the last 2 .. GROUP_LAST vectors behind a record's first chunk, which is in `hash`. */
INLINE ptrdiff_t gcm_chunks_run(struct gcm_record *r, unsigned rounds, size_t *n_vecs, ptrdiff_t off, v hash[],
                                bool seal) {
  struct gcm_chunks c;
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  v y[V_GROUP], recent[V_GROUP];
  v most = v_load_all(r->key - 16 * N_POWERS);
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) {
    v h = v_load_all(r->key - V_BYTES * (V_GROUP - j));
    v_store(c.far[j], gcm_reduced(gcm_product(h, most)));
    recent[j] = v_zero();
    if (seal) { /* a chunk of zeros comes first, and turned is what AES makes */
      recent[j] = gcm_reversed(hash[j]);
      hash[j] = v_zero();
    }
  }
  gcm_counters(r, 1, y, V_GROUP);
  UNROLL for (unsigned k = 1; k <= 5; k++) gcm_round(r, 1, y, V_GROUP, 16 * k);
  gcm_chunk_middle(r, rounds, y);
  ROLLED for (*n_vecs -= V_GROUP; *n_vecs > GROUP_LAST; *n_vecs -= V_GROUP_LONG, off += LONG_LEN) {
    gcm_chunk_step(&c, r, rounds, y, hash, recent, off, &s, true, seal);
    gcm_chunk_step(&c, r, rounds, y, hash, recent, off + GROUP_LEN, &s, false, seal);
    r->acc = gcm_reduced(s);
  }
  /* The chunks on their way: one whose AES is half done, and one or two to be hashed. */
  if (seal) {
    s = gcm_chunk_pair(&c, r, s, hash, 1, 2, true, true, true);
    s = gcm_chunk_pair(&c, r, s, hash, 3, 0, true, false, true);
    s = gcm_chunk_pair(&c, r, s, recent, 1, 2, false, false, true);
    s = gcm_chunk_pair(&c, r, s, recent, 3, 0, false, false, true);
  } else {
    hash[0] = v_xor(hash[0], r->acc);
    s = gcm_chunk_pair(&c, r, s, hash, 1, 2, false, true, false);
    s = gcm_chunk_pair(&c, r, s, hash, 3, 0, false, false, false);
  }
  gcm_chunk_end(r, rounds, y, hash, off, seal);
  hash[0] = v_xor(hash[0], gcm_reduced(s));
  s = gcm_chunk_pair(&c, r, s, hash, 1, 2, false, true, false);
  s = gcm_chunk_pair(&c, r, s, hash, 3, 0, false, false, false);
  r->acc = gcm_reduced(s);
  gcm_wipe(c.far, V_GROUP);
  return off + GROUP_LEN;
}
_Static_assert(V_GROUP_LONG == 2 * V_GROUP, "two chunks to a reduction");

PART ptrdiff_t gcm_long_part(struct gcm_record *out, unsigned rounds, uint8_t group[][V_BYTES], size_t *n_vecs,
                             ptrdiff_t off, bool seal) {
  v hash[V_GROUP];
  uint32_t counter = out->counter + V_ALIGN * V_LANES;
  gcm_key_stream(out, rounds, group, V_GROUP);
  gcm_text(out, rounds, group, V_GROUP, off, seal);
  struct gcm_record r = *out;
  r.counter = counter; /* not that of a vector too many */
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) hash[j] = v_load(group[j]);
  *n_vecs -= V_GROUP;
  off += GROUP_LEN;
  if (seal) {
    off = gcm_chunks_run(&r, rounds, n_vecs, off, hash, true);
  } else {
    off = gcm_chunks_run(&r, rounds, n_vecs, off, hash, false);
  }
  out->acc = r.acc;
  out->counter = r.counter;
  return off;
}
_Static_assert(V_GROUP == V_ALIGN, "a chunk's counters have one base");

/* ---- middling records ---------------------------------------------------------------------------------------- */

/* The last vectors of two records, which are hashed between the AES rounds of the next two. */
struct gcm_waiting {
  uint8_t hash[2][V_LAST][V_BYTES];
  const uint8_t *own[2], *key[2]; /* own: the powers of the first position on */
} __attribute__((aligned(64)));

/* The products of vector j of n_vecs, in the order 0, 2, 3, 4, 1 where the key has no powers for vector 0: it is multiplied by
 * that of all lanes, reduced and added to vector 1. */
INLINE void gcm_waiting_product(const struct gcm_waiting *w, struct gcm_sum s[2], v acc[2], unsigned j,
                                unsigned n_vecs) {
  const bool is_ahead = n_vecs > V_EXACT;
  UNROLL for (unsigned i = 0; i < 2; i++) {
    v a = v_load(w->hash[i][j]);
    if (is_ahead && j == 0) {
      acc[i] = gcm_reduced(gcm_product(a, v_load_all(w->key[i] - V_BYTES)));
      continue;
    }
    if (is_ahead && j == 1) a = v_xor(a, acc[i]);
    s[i] = gcm_add_product(s[i], a, v_load(w->own[i] + V_BYTES * j), j == (is_ahead ? 2 : 0));
  }
}
/* The place of vector j's products in that order, and back. */
INLINE unsigned gcm_waiting_nth(unsigned j, unsigned n_vecs) {
  return n_vecs <= V_EXACT || j == 0 ? j : j + 1 < n_vecs ? j + 1 : 1;
}
_Static_assert(V_LAST == V_EXACT + 1, "one vector at most is beyond the key's powers");

/* Before the first two there is nothing, and nothing times some power it is. */
INLINE void gcm_wait_for_none(struct gcm_waiting *w, const struct sl_aead_job *job, unsigned rounds, unsigned n_vecs) {
  UNROLL for (unsigned i = 0; i < 2; i++) {
    w->key[i] = gcm_key_mem(job->key, rounds);
    w->own[i] = w->key[i] - V_BYTES * n_vecs;
    UNROLL for (unsigned j = 0; j < n_vecs; j++) v_store(w->hash[i][j], v_zero());
  }
}

/* All rounds but the last on n_vecs vectors of two records, and between them the products of n_waiting vectors. */
INLINE void gcm_rounds_waiting(struct gcm_record r[2], unsigned rounds, v x[], unsigned n_vecs,
                               const struct gcm_waiting *w, struct gcm_sum s[2], v acc[2], unsigned n_waiting) {
  UNROLL for (unsigned i = 0; i < 2; i++) __asm__("" : "+r"(r[i].key));
  UNROLL for (unsigned k = 1; k < 10; k++) {
    gcm_round(r, 2, x, n_vecs, 16 * k);
    if (k <= n_waiting) gcm_waiting_product(w, s, acc, gcm_waiting_nth(k - 1, n_waiting), n_waiting);
  }
  if (rounds == 14) {
    UNROLL for (unsigned k = 10; k < 14; k++) gcm_round(r, 2, x, n_vecs, 16 * k);
    UNROLL for (unsigned j = 0; j < 2 * n_vecs; j++) v_settle(&x[j]);
  }
}

/* The last group of two records, of two vectors each, which then wait to be hashed. */
INLINE void gcm_last_two(struct gcm_record r[2], unsigned rounds, ptrdiff_t off, const v hash[], bool seal,
                         struct gcm_waiting *w) {
  v x[2 * 2];
  gcm_counters(r, 2, x, 2);
  gcm_rounds_hashing(r, rounds, x, 2, hash);
  UNROLL for (unsigned i = 0; i < 2; i++) {
    v last_key = v_load_all(r[i].key + 16 * rounds);
    v_store(w->hash[i][0], v_xor(gcm_vec(&r[i], x[2 * i], last_key, off, seal), r[i].acc));
    v_store(w->hash[i][1], gcm_edge_vec(&r[i], x[2 * i + 1], last_key, off + V_BYTES, false, ENDS, seal));
    w->own[i] = r[i].key - 16 * (((ptrdiff_t)r[i].text_len + 15 - off) / 16);
  }
}

INLINE ptrdiff_t gcm_two_middle(struct gcm_record r[2], unsigned rounds, size_t *n_vecs, v hash[], bool seal) {
  v x[2 * V_GROUP];
  ptrdiff_t off = GROUP_LEN - LEAD_LEN;
  ROLLED for (; *n_vecs > V_LAST; *n_vecs -= V_GROUP, off += GROUP_LEN) {
    gcm_counters(r, 2, x, V_GROUP);
    gcm_rounds_hashing(r, rounds, x, V_GROUP, hash);
    gcm_group_text(r, rounds, off, x, hash, false, seal);
  }
  return off;
}

/* Pairs of records of n_vecs vectors each, more than V_LAST. What runs once is there once, with a blend for the direction.
 * Where the last group is of two vectors, it is hashed while the next pair begins. */
PART void gcm_two(struct sl_aead_job *const *jobs, size_t n_pairs, unsigned rounds, size_t n_vecs, bool seal) {
  struct gcm_waiting w;
  struct gcm_done done[V_LANES];
  struct gcm_record r[2];
  struct gcm_sum s[2];
  v acc[2];
  const bool ends_in_two = n_vecs % V_GROUP == 2;
  size_t t = 0;
  gcm_wait_for_none(&w, jobs[0], rounds, 2);
  do {
    v x[2 * V_GROUP], hash[2 * V_GROUP];
    size_t n_left = n_vecs - V_GROUP;
    ptrdiff_t off;
    UNROLL for (unsigned i = 0; i < 2; i++) gcm_begin(&r[i], jobs[i], rounds);
    gcm_counters(r, 2, x, V_GROUP);
    gcm_rounds_waiting(r, rounds, x, V_GROUP, &w, s, acc, 2);
    struct gcm_done *before = &done[2 * (1 - t % 2)], *now = &done[2 * (t % 2)];
    if (t > 0 && ends_in_two) {
      before[0].sum = s[0];
      before[1].sum = s[1];
    }
    if (t > 0 && t % 2 == 0) gcm_finish_some(done, V_LANES, seal);
    gcm_group_text(r, rounds, -LEAD_LEN, x, hash, true, seal);
    if (seal) {
      off = gcm_two_middle(r, rounds, &n_left, hash, true);
    } else {
      off = gcm_two_middle(r, rounds, &n_left, hash, false);
    }
    if (ends_in_two) {
      gcm_last_two(r, rounds, off, hash, seal, &w);
      UNROLL for (unsigned i = 0; i < 2; i++) gcm_done_with(&now[i], &r[i]);
    } else {
      gcm_last_some(r, rounds, off, hash, n_left, seal, now);
    }
    jobs += 2;
  } while (++t < n_pairs);
  struct gcm_done *last = &done[2 * (1 - t % 2)];
  if (ends_in_two) {
    UNROLL for (unsigned j = 0; j < 2; j++) gcm_waiting_product(&w, s, acc, j, 2);
    last[0].sum = s[0];
    last[1].sum = s[1];
  }
  gcm_finish_some(done, t % 2 ? 2 : V_LANES, seal);
  gcm_wipe(w.hash[0], 2 * V_LAST);
  sl_wipe(done, sizeof done);
  UNROLL for (unsigned i = 0; i < 2; i++) gcm_forget(&r[i]);
}

/* ---- short records -------------------------------------------------------------------------------------------- */

/* Pairs of records of n_vecs vectors each, at most V_LAST and a constant where this is called; each pair is hashed between the
 * rounds of the next. */
INLINE void gcm_pairs_run(struct sl_aead_job *const *jobs, size_t n_pairs, unsigned rounds, unsigned n_vecs,
                          bool seal) {
  struct gcm_waiting w;
  struct gcm_done done[V_LANES];
  struct gcm_record r[2];
  struct gcm_sum s[2];
  v acc[2];
  gcm_wait_for_none(&w, jobs[0], rounds, n_vecs);
  size_t t = 0;
  do {
    v x[2 * V_LAST];
    UNROLL for (unsigned i = 0; i < 2; i++) gcm_begin(&r[i], jobs[i], rounds);
    gcm_counters(r, 2, x, n_vecs);
    gcm_rounds_waiting(r, rounds, x, n_vecs, &w, s, acc, n_vecs);
    /* Pair t's place among the done is t % 2; the sums are those of the pair before. */
    struct gcm_done *before = &done[2 * (1 - t % 2)], *now = &done[2 * (t % 2)];
    if (t > 0) {
      before[0].sum = s[0];
      before[1].sum = s[1];
      if (t % 2 == 0) gcm_finish_some(done, V_LANES, seal);
    }
    UNROLL for (unsigned i = 0; i < 2; i++) {
      v last_key = v_load_all(r[i].key + 16 * rounds);
      UNROLL for (unsigned j = 0; j < n_vecs; j++) {
        ptrdiff_t at = (ptrdiff_t)(j * V_BYTES) - LEAD_LEN;
        v y = x[i * n_vecs + j];
        y = j == 0 || j + 1 == n_vecs
                ? gcm_edge_vec(&r[i], y, last_key, at, j == 0, j + 1 < n_vecs ? INSIDE : ENDS, seal)
                : gcm_vec(&r[i], y, last_key, at, seal);
        v_store(w.hash[i][j], j == 0 ? v_xor(y, r[i].aad) : y);
      }
      w.key[i] = r[i].key;
      w.own[i] = r[i].key - 16 * (ptrdiff_t)((r[i].text_len + 15 + LEAD_LEN) / 16);
      gcm_done_with(&now[i], &r[i]);
    }
    jobs += 2;
  } while (++t < n_pairs);
  struct gcm_done *last = &done[2 * (1 - n_pairs % 2)];
  for (unsigned i = 0; i < 2; i++) last[i].sum = gcm_hash_last(&r[i], w.hash[i], n_vecs, -LEAD_LEN);
  gcm_finish_some(done, n_pairs % 2 ? 2 : V_LANES, seal);
  gcm_wipe(w.hash[0], 2 * V_LAST);
  sl_wipe(done, sizeof done);
  UNROLL for (unsigned i = 0; i < 2; i++) gcm_forget(&r[i]);
}
PART void gcm_pairs_short(struct sl_aead_job *const *jobs, size_t n_pairs, unsigned rounds, size_t n_vecs, bool seal) {
  if (n_vecs == 1) {
    gcm_pairs_run(jobs, n_pairs, rounds, 1, seal);
  } else if (n_vecs == 2) {
    gcm_pairs_run(jobs, n_pairs, rounds, 2, seal);
  } else if (n_vecs == 3) {
    gcm_pairs_run(jobs, n_pairs, rounds, 3, seal);
  } else {
    gcm_pairs_run(jobs, n_pairs, rounds, 4, seal);
  }
}
PART void gcm_pairs_seal(struct sl_aead_job *const *jobs, size_t n_pairs, unsigned rounds) {
  gcm_pairs_run(jobs, n_pairs, rounds, V_LAST, true);
}
PART void gcm_pairs_open(struct sl_aead_job *const *jobs, size_t n_pairs, unsigned rounds) {
  gcm_pairs_run(jobs, n_pairs, rounds, V_LAST, false);
}

static void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  struct gcm_done done[V_LANES]; /* records that wait until there is one for each lane */
  gcm_group group;
  unsigned n_done = 0;
  bool is_used = false;
  for (size_t i = 0; i < n;) {
    size_t n_now = gcm_lanes(jobs + i, n - i, rounds, seal), n_vecs;
    i += n_now;
    if (n_now > 0) continue;

    n_vecs = gcm_n_vecs(jobs[i]);
    n_now = 1;
    if (n_vecs < V_LONG_MIN) {
      while (i + n_now < n && gcm_n_vecs(jobs[i + n_now]) == n_vecs) n_now++;
    }
    if (n_now > 1) {
      size_t n_pairs = n_now / 2;
      if (n_vecs > V_LAST) {
        gcm_two(jobs + i, n_pairs, rounds, n_vecs, seal);
      } else if (n_vecs < V_LAST) {
        gcm_pairs_short(jobs + i, n_pairs, rounds, n_vecs, seal);
      } else {
        (seal ? gcm_pairs_seal : gcm_pairs_open)(jobs + i, n_pairs, rounds);
      }
      i += 2 * n_pairs;
      continue;
    }
    if (n_done == V_LANES) {
      gcm_finish_some(done, n_done, seal);
      n_done = 0;
    }
    is_used = true;
    gcm_single_job(jobs[i++], rounds, group, seal, &done[n_done++]);
  }
  if (n_done > 0) gcm_finish_some(done, n_done, seal);
  if (is_used) {
    sl_wipe(done, (n < V_LANES ? n : V_LANES) * sizeof done[0]);
    gcm_wipe(group, GROUP_LAST);
  }
}

#endif
