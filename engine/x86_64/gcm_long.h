/* gcm_long.h - AES-GCM of long records, a run of them at a time, and of pieces of streams, at 512 bits.
 *
 *     a record    first chunk | chunk | ... | end, of 1 to 4 vectors e
 *     GHASH       of each chunk but the last: lanes apart, powers H^16 H^12 H^8 H^4      between the rounds of a later one
 *                 of the last chunk's first e vectors: lanes apart, powers H^4e ... H^4  between the rounds of the end
 *                 of its others and the end, four vectors always: each position its own power, then lanes are added
 *                                                                                        between the rounds of the next record
 *
 * So AES always has GHASH beside it, but for the first chunk of a run. Lengths stand behind the text in the last vector; where that is
 * full, they are a step of their own. */
#ifndef SEALANE_ENGINE_X86_64_GCM_LONG_H
#define SEALANE_ENGINE_X86_64_GCM_LONG_H

#include "engine/x86_64/gcm_solo.h"

/* ---- products ----------------------------------------------------------------------------------------------------- */

/* Constants, in registers all the way: as constants gcc spreads them over lanes again and again. */
struct gcm_constants {
  v turn, poly;
};
INLINE struct gcm_constants gcm_long_constants(void) {
  struct gcm_constants c = {gcm_turn(), gcm_poly()};
  __asm__("" : "+v"(c.turn), "+v"(c.poly));
  return c;
}

/* GHASH so far, lanes apart, as two terms of a sum. */
struct gcm_before {
  v acc, more;
};

/* A chunk's products by its positions' own powers, which are at `own`: vectors 1 and 2, then 3, turned about already, and 0. */
struct gcm_half {
  v low, mid, high, more;
};
INLINE struct gcm_half gcm_own_half(struct gcm_constants c, const v hash[], const uint8_t *own) {
  v p = v_load(own + V_BYTES), q = v_load(own + 2 * V_BYTES);
  v y = v_shuffle(hash[1], c.turn), z = v_shuffle(hash[2], c.turn);
  v mid = v_xor3(v_clmul_lh(y, p), v_clmul_hl(y, p), v_clmul_lh(z, q));
  return (struct gcm_half){v_xor(v_clmul_ll(y, p), v_clmul_ll(z, q)), v_xor(mid, v_clmul_hl(z, q)), v_clmul_hh(y, p),
                           v_clmul_hh(z, q)};
}
INLINE struct gcm_before gcm_own_whole(struct gcm_constants c, struct gcm_half s, struct gcm_before before, v first,
                                       v y, const uint8_t *own) {
  v p = v_load(own), q = v_load(own + 3 * V_BYTES);
  v z = v_xor3(v_shuffle(first, c.turn), before.acc, before.more);
  v low = v_xor3(s.low, v_clmul_ll(y, q), v_clmul_ll(z, p));
  v mid = v_xor3(s.mid, v_clmul_lh(y, q), v_clmul_hl(y, q));
  mid = v_xor3(mid, v_clmul_lh(z, p), v_clmul_hl(z, p));
  mid = v_xor3(mid, v_swap(low), v_clmul_ll(low, c.poly));
  v high = v_xor3(s.high, s.more, v_clmul_hh(y, q));
  return (struct gcm_before){v_xor3(high, v_swap(mid), v_clmul_ll(mid, c.poly)), v_clmul_hh(z, p)};
}

/* The same lanes apart, by the powers every chunk has, each of them twice: h in the key, and g = h/x^64 at `down`. A product a0 g + a1 h
 * of the halves of a block has 192 bits, not 256, and is reduced in one step, not two (docs/gcm.md). */
struct gcm_down_half {
  v low, mid, more;
};
INLINE struct gcm_down_half gcm_down_half(struct gcm_constants c, const v hash[], const uint8_t *key,
                                          const uint8_t *down) {
  v p = v_load_all(key - 3 * V_BYTES), q = v_load_all(key - 2 * V_BYTES);
  v gp = v_load_all(down + 16), gq = v_load_all(down + 2 * 16);
  v y = v_shuffle(hash[1], c.turn), z = v_shuffle(hash[2], c.turn);
  v low = v_xor3(v_clmul_ll(y, gp), v_clmul_hl(y, p), v_clmul_ll(z, gq));
  v mid = v_xor3(v_clmul_lh(y, gp), v_clmul_hh(y, p), v_clmul_lh(z, gq));
  return (struct gcm_down_half){v_xor(low, v_clmul_hl(z, q)), mid, v_clmul_hh(z, q)};
}
INLINE struct gcm_before gcm_down_whole(struct gcm_constants c, struct gcm_down_half s, struct gcm_before before,
                                        v first, v last, const uint8_t *key, const uint8_t *down) {
  v p = v_load_all(key - 4 * V_BYTES), q = v_load_all(key - V_BYTES);
  v gp = v_load_all(down), gq = v_load_all(down + 3 * 16);
  v y = v_shuffle(last, c.turn), z = v_xor3(v_shuffle(first, c.turn), before.acc, before.more);
  v low = v_xor3(s.low, v_clmul_ll(y, gq), v_clmul_hl(y, q));
  v mid = v_xor3(s.mid, s.more, v_clmul_lh(y, gq));
  low = v_xor3(low, v_clmul_ll(z, gp), v_clmul_hl(z, p));
  mid = v_xor3(mid, v_clmul_hh(y, q), v_clmul_lh(z, gp));
  return (struct gcm_before){v_xor3(mid, v_swap(low), v_clmul_ll(low, c.poly)), v_clmul_hh(z, p)};
}
/* h/x^64 of the powers H^16, H^12, H^8 and H^4, one a lane. */
INLINE v gcm_down(struct gcm_constants c, const uint8_t *key) {
  const uint8_t *at[V_LANES];
  UNROLL for (unsigned i = 0; i < V_LANES; i++) at[i] = key - V_BYTES * (ptrdiff_t)(CHUNK - i);
  v h = v_gather(at);
  return v_xor(v_swap(h), v_clmul_ll(h, c.poly));
}

/* ---- a run -------------------------------------------------------------------------------------------------------- */

/* What is in memory: public, but for the powers, which are erased. */
struct gcm_run {
  struct sl_aead_job *const *jobs, *const *at, *const *last;
  uint8_t down[V_BYTES];
  struct gcm_row row;
} __attribute__((aligned(64)));

/* A record, and what is left of it when its text is done. */
struct gcm_long {
  struct sl_aead_job *job;
  const uint8_t *key, *own, *lengths; /* powers of the last four vectors; what is added to the last of them */
  bool is_full;                       /* that is full */
  struct gcm_before before;
  v hash[CHUNK], lead;
  struct gcm_constants c;
};

/* A piece of a stream. */
struct gcm_long_piece {
  uint32_t counter; /* of its first position, a multiple of a chunk's */
  __m128i hash;     /* so far, turned about */
};

/* Whole chunks behind the first, which is in hash[], while there is something behind them. Leaves the last there. Sealed ones are
 * hashed half a chunk later than others: text that is not there yet would fill the scheduler. */
INLINE struct gcm_before gcm_long_chunks(struct gcm_constants c, struct gcm_run *run, struct gcm_solo *g,
                                         size_t tail_len, unsigned rounds, v hash[], struct gcm_before before,
                                         bool seal) {
  if (g->left + tail_len <= CHUNK_LEN) return before;
  v last_key = v_load_all(g->key + 16 * rounds), late[2] = {v_zero(), v_zero()};
  struct gcm_down_half half = {v_zero(), v_zero(), v_zero()};
  bool is_late = false;
  v_store(run->down, gcm_down(c, g->key));
  ROLLED for (; g->left + tail_len > CHUNK_LEN; gcm_solo_step(g)) {
    v x[CHUNK];
    const uint8_t *down = run->down;
    __asm__("" : "+r"(g->key), "+r"(down)); /* keeps it from loading keys once for all chunks, only to spill them */
    gcm_solo_counters(g, x, CHUNK);
    UNROLL for (unsigned k = 1; k < 10; k++) {
      gcm_solo_round(g->key, x, CHUNK, k);
      if (k == 2 && is_late) before = gcm_down_whole(c, half, before, late[0], late[1], g->key, down);
      if (k == 6) half = gcm_down_half(c, hash, g->key, down);
      if (k == 8 && !seal) before = gcm_down_whole(c, half, before, hash[0], hash[3], g->key, down);
    }
    late[0] = hash[0];
    late[1] = hash[3];
    is_late = seal;
    gcm_solo_more(g->key, rounds, x, CHUNK);
    UNROLL for (unsigned j = 0; j < CHUNK; j++) hash[j] = gcm_solo_vec(g, j, x[j], last_key, seal);
  }
  return seal ? gcm_down_whole(c, half, before, late[0], late[1], g->key, run->down) : before;
}

/* An end of n vectors. As many of the last chunk are hashed; its others and the end's take their place. */
INLINE void gcm_long_end(struct gcm_long *r, struct gcm_solo *g, unsigned rounds, unsigned n, bool seal) {
  const struct gcm_constants c = r->c;
  v x[CHUNK];
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  __asm__("" : "+r"(g->key)); /* keeps it from loading for all ends at once, and spreading what it loaded one by one */
  gcm_solo_counters(g, x, n);
  UNROLL for (unsigned k = 1; k < 10; k++) {
    gcm_solo_round(g->key, x, n, k);
    if (k != 6) continue;
    UNROLL for (unsigned j = 0; j < n; j++) {
      v y = v_shuffle(r->hash[j], c.turn);
      if (j == 0) y = v_xor3(y, r->before.acc, r->before.more);
      s = gcm_add_product(s, y, v_load_all(g->key - V_BYTES * (n - j)), j == 0);
    }
  }
  gcm_solo_more(g->key, rounds, x, n);
  gcm_end_text(g, r->job, rounds, 0, g->left, x, n, v_zero(), seal);
  s.mid = v_xor3(s.mid, v_swap(s.low), v_clmul_ll(s.low, c.poly));
  r->before = (struct gcm_before){v_xor3(s.high, v_swap(s.mid), v_clmul_ll(s.mid, c.poly)), v_zero()};
  UNROLL for (unsigned j = 0; j + n < CHUNK; j++) r->hash[j] = r->hash[j + n];
  UNROLL for (unsigned j = 0; j < n; j++) r->hash[CHUNK - n + j] = x[j];
}

/* All text, when AES of the first chunk is done but for its last round. */
INLINE void gcm_long_text(struct gcm_run *run, struct gcm_long *r, struct gcm_solo *g, unsigned rounds, size_t lead_len,
                          bool seal) {
  const struct sl_aead_job *job = r->job;
  const bool is_record = lead_len > 0;
  if (is_record) gcm_row_set(&run->row, job);
  gcm_solo_first(g, rounds, r->hash, lead_len, &r->lead, seal);
  gcm_solo_step(g);
  r->before = gcm_long_chunks(r->c, run, g, job->tail_len, rounds, r->hash, r->before, seal);
  size_t len = g->left + job->tail_len;
  r->key = g->key;
  if (len > 3 * V_BYTES) {
    gcm_long_end(r, g, rounds, 4, seal);
  } else if (len > 2 * V_BYTES) {
    gcm_long_end(r, g, rounds, 3, seal);
  } else if (len > V_BYTES) {
    gcm_long_end(r, g, rounds, 2, seal);
  } else {
    gcm_long_end(r, g, rounds, 1, seal);
  }
  size_t n_last = (len + 15) / 16 % V_LANES; /* blocks in the last vector */
  r->is_full = n_last == 0;
  if (r->is_full) n_last = V_LANES;
  r->own = r->key - 16 * (3 * V_LANES + n_last + (is_record && !r->is_full));
  r->lengths = run->row.lengths - (is_record ? 16 * n_last : V_BYTES);
}

/* The last four vectors' products, in two steps. */
INLINE struct gcm_half gcm_long_half(const struct gcm_long *r) {
  return gcm_own_half(r->c, r->hash, r->own);
}
INLINE struct gcm_before gcm_long_whole(const struct gcm_long *r, struct gcm_half half) {
  v last = v_xor(v_shuffle(r->hash[3], r->c.turn), v_load(r->lengths));
  return gcm_own_whole(r->c, half, r->before, r->hash[0], last, r->own);
}
INLINE __m128i gcm_long_tag(const struct gcm_long *r, struct gcm_before sum) {
  __m128i y = gcm_sum_of_lanes(v_xor(sum.acc, sum.more));
  if (r->is_full) {
    y = _mm_xor_si128(y, gcm_solo_lengths(r->job));
    y = v_lane(gcm_reduced(gcm_product(v_low(y), v_low(block_load_all(r->key - 16)))), 0);
  }
  return _mm_xor_si128(gcm_block_reversed(y), v_lane(r->lead, 1));
}

INLINE struct gcm_solo gcm_long_begin(const struct sl_aead_job *job, unsigned rounds, size_t lead_len) {
  struct gcm_solo g = {.key = gcm_key_mem(job->key, rounds),
                       .in = gcm_at(job->in, -(ptrdiff_t)lead_len),
                       .out = (uint8_t *)gcm_at(job->out, -(ptrdiff_t)lead_len),
                       .left = lead_len + job->len,
                       .positions = gcm_wide_positions[0]};
  g.base = v_xor(v_all(block_load_nonce(job->nonce)), v_load_all(g.key));
  return g;
}

INLINE size_t gcm_run_leave(struct gcm_run *run) {
  v_store(run->down, v_zero());
  __asm__ volatile("" : "+m"(run->down));
  v_leave();
  return (size_t)(run->at - run->jobs);
}

/* n records, of more than a chunk each; lead: the first one's AAD in its place. A wrong tag ends it, and the next begins anew. Or one
 * piece, whole blocks of more than a chunk, whose job has its nonce. Returns how many are done. */
INLINE size_t gcm_long_run(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, v lead,
                           struct gcm_long_piece *piece, bool seal) {
  struct gcm_run run;
  run.jobs = run.at = jobs;
  run.last = jobs + n - 1;
  gcm_row_clear(&run.row);
  const size_t lead_len = piece == NULL ? LEAD_LEN : 0;
  struct gcm_long r = {.job = *jobs, .lead = lead, .before = {v_zero(), v_zero()}, .c = gcm_long_constants()};
  struct gcm_solo g = gcm_long_begin(r.job, rounds, lead_len);
  if (piece != NULL) {
    g.counter = piece->counter;
    gcm_solo_find(&g);
    gcm_solo_set_base(&g);
    r.before.acc = v_low(piece->hash);
  }
  gcm_solo_counters(&g, r.hash, CHUNK);
  gcm_solo_rounds(g.key, rounds, r.hash, CHUNK);
  for (;;) {
    gcm_long_text(&run, &r, &g, rounds, lead_len, seal);
    if (run.at == run.last) break;
    v x[CHUNK];
    struct gcm_half half;
    struct gcm_before sum;
    struct sl_aead_job *next = *++run.at;
    __asm__("" : "+m"(run.at), "+m"(run.last)); /* or gcc keeps them in vectors, and takes a port for each move */
    g = gcm_long_begin(next, rounds, lead_len);
    gcm_solo_counters(&g, x, CHUNK);
    UNROLL for (unsigned k = 1; k < 10; k++) {
      gcm_solo_round(g.key, x, CHUNK, k);
      if (k == 6) half = gcm_long_half(&r);
      if (k == 8) sum = gcm_long_whole(&r, half);
    }
    gcm_solo_more(g.key, rounds, x, CHUNK);
    __m128i tag = gcm_long_tag(&r, sum);
    if (!gcm_put_tag_if_right(r.job, tag, seal)) {
      gcm_failed(r.job, tag);
      return gcm_run_leave(&run);
    }
    r.job = next;
    r.lead = gcm_solo_aad(next);
    r.before = (struct gcm_before){v_zero(), v_zero()};
    UNROLL for (unsigned j = 0; j < CHUNK; j++) r.hash[j] = x[j];
  }
  struct gcm_before sum = gcm_long_whole(&r, gcm_long_half(&r));
  if (piece == NULL) {
    gcm_put_tag(r.job, gcm_long_tag(&r, sum), _mm_setzero_si128(), seal);
  } else {
    piece->hash = gcm_sum_of_lanes(v_xor(sum.acc, sum.more));
  }
  run.at++;
  return gcm_run_leave(&run);
}
PART size_t gcm_long_seal(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, v lead,
                          struct gcm_long_piece *piece) {
  return gcm_long_run(jobs, n, rounds, lead, piece, true);
}
PART size_t gcm_long_open(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, v lead,
                          struct gcm_long_piece *piece) {
  return gcm_long_run(jobs, n, rounds, lead, piece, false);
}

/* How many of the n jobs at `jobs` it has done: none where the first is not of its kind. */
INLINE size_t gcm_longs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  size_t n_now = 0;
  while (n_now < n && gcm_is_long(jobs[n_now])) n_now++;
  return n_now == 0 ? 0 : (seal ? gcm_long_seal : gcm_long_open)(jobs, n_now, rounds, gcm_solo_aad(jobs[0]), NULL);
}

/* ---- pieces of streams ----------------------------------------------------------------------------------------- */

enum { PIECE_SHORT = 2 * CHUNK_LEN }; /* bytes */

/* A piece of n vectors or less, from any counter on. */
INLINE __m128i gcm_piece_short(struct gcm_solo *g, struct sl_aead_job *piece, unsigned rounds, unsigned n, __m128i hash,
                               bool seal) {
  v x[CHUNK];
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  const uint8_t *own = g->key - g->left;
  UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_xor(g->base, v_count(g->counter + V_LANES * j));
  gcm_solo_rounds(g->key, rounds, x, n);
  if (seal) {
    gcm_end_text(g, piece, rounds, 0, g->left, x, n, v_zero(), true);
  } else {
    gcm_end_text(g, piece, rounds, 0, g->left, x, n, v_zero(), false);
  }
  s = gcm_end_hash(s, x, n, v_low(hash), own, own);
  return gcm_block_reversed(gcm_sum_of_lanes(gcm_reduced(s)));
}

/* Up to a chunk. */
PART __m128i gcm_piece_chunk(struct sl_aead_job *piece, unsigned rounds, uint32_t counter, __m128i nonce, __m128i hash,
                             bool seal) {
  struct gcm_solo g = {.key = gcm_key_mem(piece->key, rounds),
                       .in = piece->in,
                       .out = piece->out,
                       .left = piece->len,
                       .counter = counter};
  g.base = v_xor(v_all(nonce), v_load_all(g.key));
  if (g.left <= V_BYTES) return gcm_piece_short(&g, piece, rounds, 1, hash, seal);
  if (g.left <= 2 * V_BYTES) return gcm_piece_short(&g, piece, rounds, 2, hash, seal);
  if (g.left <= 3 * V_BYTES) return gcm_piece_short(&g, piece, rounds, 3, hash, seal);
  return gcm_piece_short(&g, piece, rounds, 4, hash, seal);
}

/* Whole blocks of a piece of a stream (gcm_stream.h), len > 0 bytes: takes and returns the hash as SP 800-38D writes it. Short ones a
 * chunk at a time, from any counter on; longer ones what is before a multiple of a chunk's counters, then chunks. */
INLINE __m128i gcm_piece(struct sl_aead_job *piece, unsigned rounds, uint32_t counter, __m128i nonce, __m128i hash,
                         bool seal) {
  const unsigned n_chunk = CHUNK * V_LANES;
  size_t left = piece->len;
  for (;;) {
    size_t n_over = left <= PIECE_SHORT ? 0 : counter % n_chunk, n = n_chunk - n_over;
    hash = gcm_block_reversed(hash);
    if (left > PIECE_SHORT && n_over == 0) break;
    piece->len = left < 16 * n ? left : 16 * n;
    hash = gcm_piece_chunk(piece, rounds, counter, nonce, hash, seal);
    counter += (uint32_t)(piece->len / 16);
    piece->in += piece->len;
    piece->out += piece->len;
    left -= piece->len;
    if (left == 0) return hash;
  }
  piece->len = left;
  struct gcm_long_piece p = {.counter = counter, .hash = hash};
  uint8_t block[16];
  block_store_all(block, nonce);
  memcpy(piece->nonce, block, sizeof piece->nonce);
  (seal ? gcm_long_seal : gcm_long_open)(&piece, 1, rounds, v_zero(), &p);
  return gcm_block_reversed(p.hash);
}

#endif
