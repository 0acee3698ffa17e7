/* gcm_solo.h - AES-GCM of one record after the other at 512 bits. Straight through registers: nothing secret is in memory, nothing
 * waits for a store, and what one record has left to do goes on beside the beginning of the next.
 *
 *     short     an end
 *     of five   first chunk | an end of one vector; in a batch, a run of them at a time
 *     long      first chunk | chunk | ... | end: gcm_long.h
 *
 * A chunk is 4 vectors inside the text, but for the record's head; an end 1 to 4, masked. Positions that come last get their own powers,
 * H^16 ... H, and their lanes are added. Lengths come at once with the rest: in short records and those of five they take the power H on
 * position 0, where there is nothing. */
#ifndef SEALANE_ENGINE_X86_64_GCM_SOLO_H
#define SEALANE_ENGINE_X86_64_GCM_SOLO_H

#include "engine/x86_64/gcm_template.h"

enum { CHUNK = 4, CHUNK_LEN = CHUNK * V_BYTES };
_Static_assert((int)CHUNK == (int)V_ALIGN && (int)CHUNK == (int)V_EXACT,
               "a chunk's counters have one base, its positions a power each");

/* What distinguishes counter blocks of which the first is a multiple of as many positions (gcm_positions): more of them, so that most
 * chunks of a record share one base. */
enum { N_POSITIONS = 64 };
#define POSITIONS_16(p) POSITIONS_4(p), POSITIONS_4(p + 4), POSITIONS_4(p + 8), POSITIONS_4(p + 12)
static const uint8_t gcm_wide_positions[N_POSITIONS][16] __attribute__((aligned(64))) = {
    POSITIONS_16(0),
    POSITIONS_16(16),
    POSITIONS_16(32),
    POSITIONS_16(48),
};

/* ---- rounds and products ---------------------------------------------------------------------------------------- */

INLINE void gcm_solo_round(const uint8_t *key, v x[], unsigned n, unsigned round) {
  v k = v_load_all(key + 16 * round);
  UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_aesenc(x[j], k);
}

/* The rounds that AES-256 has more. */
INLINE void gcm_solo_more(const uint8_t *key, unsigned rounds, v x[], unsigned n) {
  if (rounds == 10) return;
  __asm__("" : "+r"(key)); /* or the compiler loads round keys before it knows that they are wanted */
  UNROLL for (unsigned k = 10; k < 14; k++) gcm_solo_round(key, x, n, k);
  UNROLL for (unsigned j = 0; j < n; j++) v_settle(&x[j]);
}

/* All rounds but the last, 9 or 13: for more vectors than two the first, and four at a time. */
INLINE void gcm_solo_rounds(const uint8_t *key, unsigned rounds, v x[], unsigned n) {
  const uint8_t *last = key + 16 * (size_t)(rounds - 1);
  __asm__("" : "+r"(key));
  if (n <= 2) {
    UNROLL for (unsigned k = 1; k < 10; k++) gcm_solo_round(key, x, n, k);
    gcm_solo_more(key, rounds, x, n);
    return;
  }
  key += 16;
  gcm_solo_round(key, x, n, 0);
  do {
    UNROLL for (unsigned k = 1; k <= 4; k++) gcm_solo_round(key, x, n, k);
    UNROLL for (unsigned j = 0; j < n; j++) v_settle(&x[j]);
    key += 4 * 16;
  } while (key != last);
}

/* All lanes added, in 128 bits. */
INLINE __m128i gcm_sum_of_lanes(v x) {
  __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
  return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}
INLINE __m128i gcm_block_reversed(__m128i x) {
  return _mm_shuffle_epi8(x, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

/* ---- chunks ------------------------------------------------------------------------------------------------------- */

struct gcm_solo {
  const uint8_t *key, *in;
  uint8_t *out;
  size_t left;              /* bytes to do, with the head's, without the tail byte */
  uint32_t counter;         /* of the next position */
  const uint8_t *positions; /* that position's in gcm_wide_positions */
  v base;                   /* the counter block where those begin, round key 0 added */
};

/* Vector j of what is next; a record's head and an end's masks reach beyond what there is. */
INLINE const uint8_t *gcm_solo_in(const struct gcm_solo *g, unsigned j) {
  return gcm_at(g->in, V_BYTES * (ptrdiff_t)j);
}
INLINE uint8_t *gcm_solo_out(const struct gcm_solo *g, unsigned j) {
  return (uint8_t *)gcm_at(g->out, V_BYTES * (ptrdiff_t)j);
}

/* Where g->counter, a multiple of a chunk's, is in the table. */
INLINE void gcm_solo_find(struct gcm_solo *g) {
  g->positions = gcm_wide_positions[g->counter % N_POSITIONS];
}
INLINE void gcm_solo_set_base(struct gcm_solo *g) {
  uint32_t key_word = sl_load32_le(g->key + 12), counter = g->counter & ~(uint32_t)(N_POSITIONS - 1);
  g->base = v_set_word3(g->base, __builtin_bswap32(counter) ^ key_word);
}
INLINE void gcm_solo_step(struct gcm_solo *g) {
  g->in = gcm_solo_in(g, CHUNK);
  g->out = gcm_solo_out(g, CHUNK);
  g->left -= CHUNK_LEN;
  g->counter += CHUNK * V_LANES;
  gcm_solo_find(g);
  if (g->counter % N_POSITIONS == 0) gcm_solo_set_base(g);
}

INLINE void gcm_solo_counters(const struct gcm_solo *g, v x[], unsigned n) {
  UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_xor(g->base, v_load(g->positions + V_BYTES * j));
}

INLINE v gcm_solo_vec(const struct gcm_solo *g, unsigned j, v x, v last_key, bool seal) {
  v data = v_load(gcm_solo_in(g, j)), done = v_aesenclast(x, v_xor(data, last_key));
  v_store(gcm_solo_out(g, j), done);
  return seal ? done : data;
}

/* The first chunk's text; *lead: what takes the head's place for GHASH, and becomes what AES made of it. */
INLINE void gcm_solo_first(struct gcm_solo *g, unsigned rounds, v hash[], size_t lead_len, v *lead, bool seal) {
  v last_key = v_load_all(g->key + 16 * rounds);
  v data = v_merge_span(seal ? v_zero() : *lead, g->in, lead_len, V_BYTES);
  v done = v_aesenclast(hash[0], v_xor(data, last_key));
  v_store_span(g->out, lead_len, V_BYTES, done);
  hash[0] = seal ? v_take_span(*lead, done, lead_len, V_BYTES) : data;
  *lead = seal ? done : v_xor(*lead, done);
  UNROLL for (unsigned j = 1; j < CHUNK; j++) hash[j] = gcm_solo_vec(g, j, hash[j], last_key, seal);
}

/* ---- ends --------------------------------------------------------------------------------------------------------- */

/* The text of an end of n vectors, bytes [from,to_plain) and behind them the tail byte, if there is one: the last vector holds the
 * last of them. x[] gets what GHASH takes, unturned. lead: what that is in front of a record's head. Returns what AES makes of zeros
 * there. */
INLINE v gcm_end_text(const struct gcm_solo *g, struct sl_aead_job *job, unsigned rounds, size_t from, size_t to_plain,
                      v x[], unsigned n, v lead, bool seal) {
  v last_key = v_load_all(g->key + 16 * rounds), first = v_zero();
  size_t to_text = to_plain + job->tail_len;
  UNROLL for (unsigned j = 0; j < n; j++) {
    const bool ends = j + 1 == n;
    const size_t off = V_BYTES * j, start = j == 0 ? from : 0;
    const size_t plain = ends ? to_plain - off : V_BYTES, text = ends ? to_text - off : V_BYTES;
    v data = v_merge_span(!seal && j == 0 ? lead : v_zero(), gcm_solo_in(g, j), start, seal ? plain : text);
    if (ends && seal && job->tail_len) data = v_put_byte(data, plain, job->tail);
    v done = v_aesenclast(x[j], v_xor(data, last_key));
    v_store_span(gcm_solo_out(g, j), start, seal ? text : plain, done);
    if (ends && !seal && job->tail_len) job->tail = v_byte(done, plain);
    if (j == 0) first = seal ? done : v_xor(lead, done);
    x[j] = seal ? v_take_span(j == 0 ? lead : v_zero(), done, start, text) : data;
  }
  return first;
}

/* s + the products of an end: y is added to its first position, `own` the powers, `first` that of the first position: where own is that of
 * 17 positions it begins before the key. */
INLINE struct gcm_sum gcm_end_hash(struct gcm_sum s, const v x[], unsigned n, v y, const uint8_t *own,
                                   const uint8_t *first) {
  UNROLL for (unsigned j = 0; j < n; j++) {
    v a = gcm_reversed(x[j]), h;
    if (j > 0) {
      h = v_load(own + V_BYTES * j);
    } else {
      a = v_xor(a, y);
      h = n < CHUNK ? v_set_low(v_load(own), block_load_all(first)) : v_merge_span(v_load_all(first), own, 16, V_BYTES);
    }
    s = gcm_add_product(s, a, h, false);
  }
  return s;
}

/* What GHASH takes at position 1, before it is turned about: the end of the AAD, and what is before that, hashed four blocks at
 * a time. */
PART v gcm_solo_aad_long(const struct sl_aead_job *job, unsigned rounds) {
  const uint8_t *key = gcm_key_mem(job->key, rounds), *at = job->aad;
  size_t left = job->aad_len;
  __m128i hash = _mm_setzero_si128();
  do {
    size_t n = (left - 1) / 16 < V_LANES ? (left - 1) / 16 : V_LANES;
    v blocks = v_xor(gcm_reversed(v_load_span(at, 0, 16 * n)), v_low(hash));
    hash = gcm_sum_of_lanes(gcm_reduced(gcm_product(blocks, v_load(key - 16 * n))));
    at += 16 * n;
    left -= 16 * n;
  } while (left > 16);
  return v_xor(v_in_lane_1(gcm_block_reversed(hash)), v_load_span(gcm_at(at, -16), 16, 16 + left));
}

INLINE v gcm_solo_aad(const struct sl_aead_job *job) {
  return v_in_lane_1(block_load(job->aad, job->aad_len));
}

INLINE __m128i gcm_solo_lengths(const struct sl_aead_job *job) {
  uint64_t text_bits = 8 * (uint64_t)(job->len + job->tail_len), aad_bits = 8 * (uint64_t)job->aad_len;
  return _mm_insert_epi64(_mm_cvtsi64_si128((long long)text_bits), (long long)aad_bits, 1);
}

/* The same in memory, with zeros round it: a vector that begins n blocks before it has it in lane n, and for n = V_LANES nowhere. For
 * runs of records, where it is written long before it is read: two stores are not one load before they are in the cache. */
struct gcm_row {
  uint8_t zeros[V_BYTES], lengths[16], zeros_too[V_BYTES - 16];
} __attribute__((aligned(64)));

INLINE void gcm_row_clear(struct gcm_row *row) {
  v_store(row->zeros, v_zero());
  v_store(row->lengths, v_zero());
}
INLINE void gcm_row_set(struct gcm_row *row, const struct sl_aead_job *job) {
  sl_store64_le(row->lengths, 8 * (uint64_t)(job->len + job->tail_len));
  __asm__("" : "+m"(row->lengths)); /* to put both together first takes the ports that are short */
  sl_store64_le(row->lengths + 8, 8 * (uint64_t)job->aad_len);
}

INLINE struct gcm_solo gcm_solo_begin(const struct sl_aead_job *job, unsigned rounds) {
  return (struct gcm_solo){.key = gcm_key_mem(job->key, rounds),
                           .in = gcm_at(job->in, -LEAD_LEN),
                           .out = (uint8_t *)gcm_at(job->out, -LEAD_LEN)};
}

/* A record of n vectors, at most a chunk, and a constant where this is called. */
INLINE void gcm_solo_short(struct sl_aead_job *job, unsigned rounds, v aad, unsigned n, bool seal) {
  struct gcm_solo g = gcm_solo_begin(job, rounds);
  v x[CHUNK], nonce = v_all(block_load_nonce(job->nonce)), k0 = v_load_all(g.key);
  UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_xor3(nonce, k0, v_load(gcm_wide_positions[V_LANES * j]));
  gcm_solo_rounds(g.key, rounds, x, n);
  const uint8_t *own = g.key - 16 * ((job->len + job->tail_len + 15) / 16 + LEAD_LEN / 16 + 1);
  v done = gcm_end_text(&g, job, rounds, LEAD_LEN, LEAD_LEN + job->len, x, n, aad, seal);
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  s = gcm_end_hash(s, x, n, v_low(gcm_solo_lengths(job)), own, g.key - 16);
  gcm_put_tag(job, gcm_block_reversed(gcm_sum_of_lanes(gcm_reduced(s))), v_lane(done, 1), seal);
  v_leave();
}

/* Records of a chunk and one vector more. Step 0 to 4 of their products: the first vector goes ahead, and what it comes to is added to
 * the second at the end; lengths, turned about, are added to the last one. */
INLINE size_t gcm_five_n_last(const struct sl_aead_job *job) {
  return (job->len + job->tail_len + 15 + LEAD_LEN - CHUNK_LEN) / 16; /* its blocks */
}
INLINE struct gcm_sum gcm_five_products(const struct gcm_solo *g, const struct sl_aead_job *job, const v x[], v lengths,
                                        v *ahead, struct gcm_sum s, unsigned step) {
  const uint8_t *own = g->key - 16 * (3 * V_LANES + gcm_five_n_last(job) + 1); /* the second's */
  if (step == 0) {
    *ahead = gcm_reduced(gcm_product(gcm_reversed(x[0]), v_load_all(g->key - V_BYTES)));
    return s;
  }
  const unsigned j = step == CHUNK ? 1 : step + 1;
  v y = gcm_reversed(x[j]);
  if (j == 1) y = v_xor(y, *ahead);
  if (j == CHUNK) y = v_xor(y, lengths);
  return gcm_add_product(s, y, v_load(own + V_BYTES * (j - 1)), step == 1);
}
/* Their text, in two steps. lead: AAD, and then what AES makes of zeros there. */
INLINE void gcm_five_text(struct gcm_solo *g, struct sl_aead_job *job, unsigned rounds, v x[], v *lead, unsigned step,
                          bool seal) {
  if (step == 0) {
    gcm_solo_first(g, rounds, x, LEAD_LEN, lead, seal);
  } else {
    g->in = gcm_solo_in(g, CHUNK);
    g->out = gcm_solo_out(g, CHUNK);
    gcm_end_text(g, job, rounds, 0, LEAD_LEN + job->len - CHUNK_LEN, x + CHUNK, 1, v_zero(), seal);
  }
}
INLINE __m128i gcm_five_tag(struct gcm_sum s, v lead) {
  return _mm_xor_si128(gcm_block_reversed(gcm_sum_of_lanes(gcm_reduced(s))), v_lane(lead, 1));
}
INLINE struct gcm_solo gcm_five_begin(const struct sl_aead_job *job, unsigned rounds, v x[]) {
  struct gcm_solo g = gcm_solo_begin(job, rounds);
  v nonce = v_all(block_load_nonce(job->nonce)), k0 = v_load_all(g.key);
  UNROLL for (unsigned j = 0; j <= CHUNK; j++) x[j] = v_xor3(nonce, k0, v_load(gcm_wide_positions[V_LANES * j]));
  return g;
}

/* Writes a tag, or looks at the one there: when it returns false that is wrong, and gcm_failed() is next. What becomes of the record
 * then is a call, round which vectors in flight would go to the stack. */
INLINE bool gcm_put_tag_if_right(struct sl_aead_job *job, __m128i tag, bool seal) {
  if (!seal) return sl_aead_job_verdict(job, block_differs(tag, block_load_all(job->tag)));
  block_store_all(job->tag, tag);
  return true;
}

/* What is behind AES, of one that no other follows. */
INLINE void gcm_five_end(struct sl_aead_job *job, unsigned rounds, v lead, v x[], bool seal) {
  struct gcm_solo g = gcm_solo_begin(job, rounds);
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  v ahead = v_zero();
  UNROLL for (unsigned k = 0; k < 2; k++) gcm_five_text(&g, job, rounds, x, &lead, k, seal);
  v lengths = v_at_lane(gcm_solo_lengths(job), gcm_five_n_last(job));
  UNROLL for (unsigned k = 0; k < 5; k++) s = gcm_five_products(&g, job, x, lengths, &ahead, s, k);
  gcm_put_tag(job, gcm_five_tag(s, lead), _mm_setzero_si128(), seal);
  v_leave();
}
PART void gcm_five_end_seal(struct sl_aead_job *job, unsigned rounds, v lead, v a, v b, v c, v d, v e) {
  v x[CHUNK + 1] = {a, b, c, d, e};
  gcm_five_end(job, rounds, lead, x, true);
}
PART void gcm_five_end_open(struct sl_aead_job *job, unsigned rounds, v lead, v a, v b, v c, v d, v e) {
  v x[CHUNK + 1] = {a, b, c, d, e};
  gcm_five_end(job, rounds, lead, x, false);
}

/* n of them, text and GHASH of each between the rounds of the next: where records only follow each other, GHASH of one that is
 * sealed waits for its AES, and with it so much that the CPU does not see the next. A wrong tag ends it, and the next begins anew.
 * Returns how many are done. */
INLINE size_t gcm_five_run(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  v x[CHUNK + 1], ahead = v_zero(), lead = gcm_solo_aad(jobs[0]);
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  struct gcm_row row[2];
  gcm_row_clear(&row[0]);
  gcm_row_clear(&row[1]);
  gcm_row_set(&row[0], jobs[0]);
  struct gcm_solo g = gcm_five_begin(jobs[0], rounds, x);
  gcm_solo_rounds(g.key, rounds, x, CHUNK + 1);
  size_t n_done = 1;
  ROLLED for (; n_done < n; n_done++, jobs++) {
    v next[CHUNK + 1];
    struct gcm_solo g_next = gcm_five_begin(jobs[1], rounds, next);
    v lengths = v_load(row[1 - n_done % 2].lengths - 16 * gcm_five_n_last(jobs[0]));
    gcm_row_set(&row[n_done % 2], jobs[1]);
    UNROLL for (unsigned k = 1; k < 10; k++) {
      gcm_solo_round(g_next.key, next, CHUNK + 1, k);
      if (k <= 2) gcm_five_text(&g, jobs[0], rounds, x, &lead, k - 1, seal);
      if (k >= 3 && k < 8) s = gcm_five_products(&g, jobs[0], x, lengths, &ahead, s, k - 3);
    }
    gcm_solo_more(g_next.key, rounds, next, CHUNK + 1);
    __m128i tag = gcm_five_tag(s, lead);
    if (!gcm_put_tag_if_right(jobs[0], tag, seal)) {
      gcm_failed(jobs[0], tag);
      v_leave();
      return n_done;
    }
    g = g_next;
    lead = gcm_solo_aad(jobs[1]);
    UNROLL for (unsigned j = 0; j <= CHUNK; j++) x[j] = next[j];
  }
  (seal ? gcm_five_end_seal : gcm_five_end_open)(jobs[0], rounds, lead, x[0], x[1], x[2], x[3], x[4]);
  return n_done;
}
PART size_t gcm_five_run_seal(struct sl_aead_job *const *jobs, size_t n, unsigned rounds) {
  return gcm_five_run(jobs, n, rounds, true);
}
PART size_t gcm_five_run_open(struct sl_aead_job *const *jobs, size_t n, unsigned rounds) {
  return gcm_five_run(jobs, n, rounds, false);
}
enum { FIVE_LEN_MAX = CHUNK_LEN + 3 * 16 }; /* bytes, with the head: a fourth block more would want H^17 */
INLINE bool gcm_is_five(const struct sl_aead_job *job) {
  size_t len = LEAD_LEN + job->len + job->tail_len;
  return len > CHUNK_LEN && len <= FIVE_LEN_MAX && job->aad_len <= 16;
}
INLINE bool gcm_is_long(const struct sl_aead_job *job) {
  return LEAD_LEN + job->len + job->tail_len > FIVE_LEN_MAX && job->aad_len <= 16;
}
/* How many of the n jobs at `jobs` it has done: none where two do not follow each other. */
INLINE size_t gcm_fives(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  size_t n_now = 0;
  while (n_now < n && gcm_is_five(jobs[n_now])) n_now++;
  return n_now < 2 ? 0 : (seal ? gcm_five_run_seal : gcm_five_run_open)(jobs, n_now, rounds);
}

/* One alone: without a frame for what goes round a loop, and so without waiting for it, which is 15 % where calls are one behind the
 * other. */
PART void gcm_five(struct sl_aead_job *job, unsigned rounds, v aad, bool seal) {
  v x[CHUNK + 1];
  struct gcm_solo g = gcm_five_begin(job, rounds, x);
  gcm_solo_rounds(g.key, rounds, x, CHUNK + 1);
  if (seal) {
    gcm_five_end_seal(job, rounds, aad, x[0], x[1], x[2], x[3], x[4]);
  } else {
    gcm_five_end_open(job, rounds, aad, x[0], x[1], x[2], x[3], x[4]);
  }
}

/* The ways of a record, by its vectors. */
#define GCM_SHORT(n, way)                                                                                              \
  PART void gcm_short_##n##_##way(struct sl_aead_job *job, unsigned rounds, v aad) {                                   \
    gcm_solo_short(job, rounds, aad, n, IS_##way);                                                                     \
  }
enum { IS_open, IS_seal };
GCM_SHORT(1, seal)
GCM_SHORT(1, open)
GCM_SHORT(2, seal)
GCM_SHORT(2, open)
PART void gcm_short_3(struct sl_aead_job *job, unsigned rounds, v aad, bool seal) {
  gcm_solo_short(job, rounds, aad, 3, seal);
}
PART void gcm_short_4(struct sl_aead_job *job, unsigned rounds, v aad, bool seal) {
  gcm_solo_short(job, rounds, aad, 4, seal);
}

#endif
