/* gcm_solo.h - AES-GCM of one record, or of one piece of a stream, at 512 bits. Straight through registers: nothing secret is in
 * memory, nothing waits for a store, and what one record has left to do goes on beside the beginning of the next.
 *
 *     short     an end
 *     long      first chunk | chunk | ... | end
 *
 * A chunk is 4 vectors inside the text, but for the record's head; an end 1 to 4, masked. A chunk is hashed between the AES rounds of
 * what follows, lanes apart, save the last: its positions get their own powers, H^16 ... H, and its lanes are added. Then all before the
 * end is one block, which is added to the end's first, and the end's positions get their own powers. Lengths come at once
 * with the rest: they take the power H on position 0, where a short record has nothing, and are a product of their own
 * in a long one. */
#ifndef SEALANE_ENGINE_X86_64_GCM_SOLO_H
#define SEALANE_ENGINE_X86_64_GCM_SOLO_H

#include "engine/x86_64/gcm_template.h"

enum { CHUNK = 4, CHUNK_LEN = CHUNK * V_BYTES };
_Static_assert((int)CHUNK == (int)V_ALIGN && (int)CHUNK == (int)V_EXACT,
               "a chunk's counters have one base, its positions a power each");

/* Positions from a record's beginning on. */
static const uint8_t gcm_five_positions[(CHUNK + 1) * V_LANES][16] __attribute__((aligned(64))) = {
    POSITIONS_4(0), POSITIONS_4(4), POSITIONS_4(8), POSITIONS_4(12), POSITIONS_4(16),
};

/* What is compared with a text's length, for masks: the place of each byte of an end's vectors, where the text begins with the
 * vector, and in the 32 bytes before, for a record's head, places no text has. */
#define PLACES_8(p)  p, p + 1, p + 2, p + 3, p + 4, p + 5, p + 6, p + 7
#define PLACES_32(p) PLACES_8(p), PLACES_8(p + 8), PLACES_8(p + 16), PLACES_8(p + 24)
#define NOWHERE_8    255, 255, 255, 255, 255, 255, 255, 255
static const uint8_t gcm_places[LEAD_LEN + CHUNK_LEN] __attribute__((aligned(64))) = {
    NOWHERE_8,     NOWHERE_8,     NOWHERE_8,      NOWHERE_8,      PLACES_32(0),   PLACES_32(32),
    PLACES_32(64), PLACES_32(96), PLACES_32(128), PLACES_32(160), PLACES_32(192), PLACES_32(224),
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

/* All rounds but the last. */
INLINE void gcm_solo_rounds(const uint8_t *key, unsigned rounds, v x[], unsigned n) {
  __asm__("" : "+r"(key));
  UNROLL for (unsigned k = 1; k < 10; k++) gcm_solo_round(key, x, n, k);
  gcm_solo_more(key, rounds, x, n);
}

INLINE void gcm_solo_counters(v base, v x[], unsigned n) {
  const uint8_t *positions = gcm_positions[0];
  __asm__("" : "+r"(positions)); /* loops need their registers */
  UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_xor(base, v_load(positions + V_BYTES * j));
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
  size_t left;      /* bytes to do, with the head's, without the tail byte */
  uint32_t counter; /* of the next position */
  v base;           /* its counter block, round key 0 added */
};

/* Vector j of what is next; a record's head and an end's masks reach beyond what there is. */
INLINE const uint8_t *gcm_solo_in(const struct gcm_solo *g, unsigned j) {
  return gcm_at(g->in, V_BYTES * (ptrdiff_t)j);
}
INLINE uint8_t *gcm_solo_out(const struct gcm_solo *g, unsigned j) {
  return (uint8_t *)gcm_at(g->out, V_BYTES * (ptrdiff_t)j);
}

INLINE void gcm_solo_step(struct gcm_solo *g) {
  uint32_t key_word = sl_load32_le(g->key + 12);
  g->in = gcm_solo_in(g, CHUNK);
  g->out = gcm_solo_out(g, CHUNK);
  g->left -= CHUNK_LEN;
  g->counter += CHUNK * V_LANES;
  g->base = v_set_word3(g->base, __builtin_bswap32(g->counter) ^ key_word);
}

/* All rounds but the last of AES for n vectors. */
INLINE void gcm_solo_aes(const struct gcm_solo *g, unsigned rounds, v x[], unsigned n) {
  gcm_solo_counters(g->base, x, n);
  gcm_solo_rounds(g->key, rounds, x, n);
}

INLINE v gcm_solo_vec(const struct gcm_solo *g, unsigned j, v x, v last_key, bool seal) {
  v data = v_load(gcm_solo_in(g, j)), done = v_aesenclast(x, v_xor(data, last_key));
  v_store(gcm_solo_out(g, j), done);
  return seal ? done : data;
}

/* The first chunk's text; *lead: what takes the head's place for GHASH, and becomes what AES made of it. */
INLINE void gcm_solo_first(struct gcm_solo *g, unsigned rounds, v hash[], size_t lead_len, v *lead, bool seal) {
  v last_key = v_load_all(g->key + 16 * rounds);
  v_mask text = v_mask_from(lead_len);
  v data = v_merge_where(*lead, text, g->in), done = v_aesenclast(hash[0], v_xor(data, last_key));
  v_store_where(g->out, text, done);
  *lead = v_xor(*lead, done);
  hash[0] = seal ? v_take_where(data, text, done) : data;
  UNROLL for (unsigned j = 1; j < CHUNK; j++) hash[j] = gcm_solo_vec(g, j, hash[j], last_key, seal);
}

/* Whole chunks behind the first, which is in hash[], with what is before it in acc. Leaves the last chunk there, and returns what is
 * before that. */
INLINE v gcm_solo_chunks(struct gcm_solo *g, unsigned rounds, v hash[], v acc, bool seal) {
  v last_key = v_load_all(g->key + 16 * rounds);
  ROLLED for (; g->left >= CHUNK_LEN; gcm_solo_step(g)) {
    v x[CHUNK];
    struct gcm_sum s;
    __asm__("" : "+r"(g->key)); /* keeps it from loading keys once for all chunks, only to spill them */
    gcm_solo_counters(g->base, x, CHUNK);
    UNROLL for (unsigned k = 1; k < 10; k++) {
      gcm_solo_round(g->key, x, CHUNK, k);
      if (k != 6 && k != 8) continue; /* late, since a chunk sealed just before is not there sooner */
      const unsigned a = k == 6 ? 1 : 3, b = k == 6 ? 2 : 0;
      v y = gcm_reversed(hash[a]), z = gcm_reversed(hash[b]);
      v p = v_load_all(g->key - V_BYTES * (CHUNK - a)), q = v_load_all(g->key - V_BYTES * (CHUNK - b));
      if (b == 0) z = v_xor(z, acc);
      s = gcm_add_products(s, y, p, p, z, q, q, k == 6);
    }
    gcm_solo_more(g->key, rounds, x, CHUNK);
    acc = gcm_reduced(s);
    UNROLL for (unsigned j = 0; j < CHUNK; j++) hash[j] = gcm_solo_vec(g, j, x[j], last_key, seal);
  }
  return acc;
}

/* The products of the last chunk. */
INLINE struct gcm_sum gcm_solo_last(const struct gcm_solo *g, const v hash[], v acc) {
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  UNROLL for (unsigned j = 0; j < CHUNK; j++) {
    v y = gcm_reversed(hash[j]);
    if (j == 0) y = v_xor(y, acc);
    s = gcm_add_product(s, y, v_load(g->key - V_BYTES * (CHUNK - j)), j == 0);
  }
  return s;
}

/* ---- ends --------------------------------------------------------------------------------------------------------- */

/* The text of an end of n vectors, `len` bytes and no tail byte; x[] gets what GHASH takes, unturned. lead: what that is in front of a
 * record's head. Returns what AES makes of zeros there. is_piece: there is text, up to a whole chunk, whose length no
 * byte holds. */
INLINE v gcm_end_text(const struct gcm_solo *g, v last_key, const uint8_t *places, size_t len, v x[], unsigned n,
                      v lead, bool is_piece, bool seal) {
  v v_len = v_all_bytes((uint8_t)(len - is_piece)), first = lead;
  UNROLL for (unsigned j = 0; j < n; j++) {
    v place = v_load(places + V_BYTES * j);
    v_mask text = is_piece ? v_up_to(place, v_len) : v_below(place, v_len);
    v data = v_merge_where(j == 0 ? lead : v_zero(), text, gcm_solo_in(g, j));
    v done = v_aesenclast(x[j], v_xor(data, last_key));
    v_store_where(gcm_solo_out(g, j), text, done);
    if (j == 0) first = v_xor(first, done);
    x[j] = seal ? v_take_where(data, text, done) : data;
  }
  return first;
}

/* The same with a tail byte behind the `len` bytes, in either direction. */
INLINE v gcm_end_text_tail(const struct gcm_solo *g, struct sl_aead_job *job, v last_key, const uint8_t *places,
                           size_t len, v x[], unsigned n, v lead, bool seal) {
  v v_len = v_all_bytes((uint8_t)len), first = lead, tail = v_zero();
  v given = v_all_bytes(seal ? job->tail : 0);
  UNROLL for (unsigned j = 0; j < n; j++) {
    v place = v_load(places + V_BYTES * j);
    v_mask plain = v_below(place, v_len), at = v_equal(place, v_len), text = v_mask_or(plain, at);
    v data = v_take_where(j == 0 ? lead : v_zero(), at, given);
    data = v_merge_where(data, seal ? plain : text, gcm_solo_in(g, j));
    v done = v_aesenclast(x[j], v_xor(data, last_key));
    v_store_where(gcm_solo_out(g, j), seal ? text : plain, done);
    tail = v_take_where(tail, at, done);
    if (j == 0) first = v_xor(first, done);
    x[j] = seal ? v_take_where(data, text, done) : data;
  }
  if (!seal) job->tail = v_byte(tail, (size_t)(places - gcm_places) == 0 ? (len + LEAD_LEN) % V_BYTES : len % V_BYTES);
  return first;
}

INLINE v gcm_end_run(const struct gcm_solo *g, struct sl_aead_job *job, unsigned rounds, const uint8_t *places,
                     size_t len, v x[], unsigned n, v lead, bool seal) {
  v last_key = v_load_all(g->key + 16 * rounds);
  v_settle(&last_key); /* once for all ways */
  if (job->tail_len > 0) return gcm_end_text_tail(g, job, last_key, places, len, x, n, lead, seal);
  if (seal) return gcm_end_text(g, last_key, places, len, x, n, lead, false, true);
  return gcm_end_text(g, last_key, places, len, x, n, lead, false, false);
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
      h = n < CHUNK ? v_set_low(v_load(own), block_load_all(first))
                    : v_merge_where(v_load_all(first), v_mask_from(16), own);
    }
    s = gcm_add_product(s, a, h, false);
  }
  return s;
}

/* ---- records and pieces --------------------------------------------------------------------------------------- */

/* The products of what comes behind whole chunks, of which the last is in hash[] and what was before it in acc. s: products to begin
 * with; is_record: the lengths follow. */
INLINE struct gcm_sum gcm_solo_end(struct gcm_solo *g, struct sl_aead_job *job, unsigned rounds, const v hash[], v acc,
                                   struct gcm_sum s, bool is_record, bool seal) {
  v x[CHUNK];
  size_t len = g->left + job->tail_len;
  const uint8_t *own = g->key - 16 * ((len + 15) / 16 + is_record), *places = gcm_places + LEAD_LEN;
  UNROLL for (unsigned j = 0; j < CHUNK; j++) x[j] = v_zero();
  if (len > 3 * V_BYTES) {
    gcm_solo_aes(g, rounds, x, 4);
  } else if (len > 2 * V_BYTES) {
    gcm_solo_aes(g, rounds, x, 3);
  } else if (len > V_BYTES) {
    gcm_solo_aes(g, rounds, x, 2);
  } else if (len > 0) {
    gcm_solo_aes(g, rounds, x, 1);
  }
  v y = v_low(gcm_sum_of_lanes(gcm_reduced(gcm_solo_last(g, hash, acc))));
  if (len > 3 * V_BYTES) {
    gcm_end_run(g, job, rounds, places, g->left, x, 4, v_zero(), seal);
    return gcm_end_hash(s, x, 4, y, own, own);
  }
  if (len > 2 * V_BYTES) {
    gcm_end_run(g, job, rounds, places, g->left, x, 3, v_zero(), seal);
    return gcm_end_hash(s, x, 3, y, own, own);
  }
  if (len > V_BYTES) {
    gcm_end_run(g, job, rounds, places, g->left, x, 2, v_zero(), seal);
    return gcm_end_hash(s, x, 2, y, own, own);
  }
  if (len > 0) {
    gcm_end_run(g, job, rounds, places, g->left, x, 1, v_zero(), seal);
    return gcm_end_hash(s, x, 1, y, own, own);
  }
  if (is_record) return gcm_add_product(s, y, v_load_all(own), false);
  s.high = v_xor(s.high, y);
  return s;
}

/* A whole chunk or more, from an aligned counter on. A record: lead_len is LEAD_LEN, y the lengths; the result is its tag. A piece of a
 * stream, whole blocks: lead_len is 0, y the hash so far; the result is the hash, turned about. nonce: the counter block in all lanes;
 * lead: the AAD's block in its place. */
INLINE __m128i gcm_solo_long(struct sl_aead_job *job, unsigned rounds, uint32_t counter, size_t lead_len, v nonce,
                             v lead, __m128i y, bool seal) {
  const bool is_record = lead_len > 0;
  struct gcm_solo g = {.key = gcm_key_mem(job->key, rounds),
                       .in = gcm_at(job->in, -(ptrdiff_t)lead_len),
                       .out = (uint8_t *)gcm_at(job->out, -(ptrdiff_t)lead_len),
                       .left = lead_len + job->len,
                       .counter = counter};
  v hash[CHUNK], acc = v_zero(), h = v_low(block_load_all(g.key - 16));
  g.base = v_xor(nonce, v_load_all(g.key));
  gcm_solo_aes(&g, rounds, hash, CHUNK);
  gcm_solo_first(&g, rounds, hash, lead_len, &lead, seal);
  gcm_solo_step(&g);
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  /* An end of 16 positions and the lengths would need H^17: the lengths then come as a step of their own. */
  const bool is_full = g.left % CHUNK_LEN + job->tail_len > CHUNK_LEN - 16;
  if (!is_record) {
    acc = v_low(y);
  } else if (is_full) {
    s.high = v_low(y);
  } else {
    s = gcm_product(v_low(y), h);
  }
  acc = gcm_solo_chunks(&g, rounds, hash, acc, seal);
  s = gcm_solo_end(&g, job, rounds, hash, acc, s, is_record && !is_full, seal);
  y = gcm_sum_of_lanes(gcm_reduced(s));
  if (!is_record) return gcm_block_reversed(y);
  if (is_full) y = v_lane(gcm_reduced(gcm_product(v_low(y), h)), 0);
  return _mm_xor_si128(gcm_block_reversed(y), v_lane(lead, 1));
}
PART __m128i gcm_long_seal(struct sl_aead_job *job, unsigned rounds, uint32_t counter, size_t lead_len, v nonce, v lead,
                           __m128i y) {
  return gcm_solo_long(job, rounds, counter, lead_len, nonce, lead, y, true);
}
PART __m128i gcm_long_open(struct sl_aead_job *job, unsigned rounds, uint32_t counter, size_t lead_len, v nonce, v lead,
                           __m128i y) {
  return gcm_solo_long(job, rounds, counter, lead_len, nonce, lead, y, false);
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

INLINE __m128i gcm_solo_lengths(const struct sl_aead_job *job) {
  uint64_t text_bits = 8 * (uint64_t)(job->len + job->tail_len), aad_bits = 8 * (uint64_t)job->aad_len;
  return _mm_insert_epi64(_mm_cvtsi64_si128((long long)text_bits), (long long)aad_bits, 1);
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
  UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_xor3(nonce, k0, v_load(gcm_five_positions[V_LANES * j]));
  gcm_solo_rounds(g.key, rounds, x, n);
  const uint8_t *own = g.key - 16 * ((job->len + job->tail_len + 15) / 16 + LEAD_LEN / 16 + 1);
  v done = gcm_end_run(&g, job, rounds, gcm_places, job->len, x, n, aad, seal);
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  s = gcm_end_hash(s, x, n, v_low(gcm_solo_lengths(job)), own, g.key - 16);
  gcm_put_tag(job, gcm_block_reversed(gcm_sum_of_lanes(gcm_reduced(s))), v_lane(done, 1), seal);
  v_leave();
}

/* A record of a chunk and one vector more, without a position of its own for lengths: the first vector goes ahead. */
INLINE void gcm_solo_five(struct sl_aead_job *job, unsigned rounds, v aad, bool seal) {
  struct gcm_solo g = gcm_solo_begin(job, rounds);
  v x[CHUNK + 1], *last = &x[CHUNK], nonce = v_all(block_load_nonce(job->nonce)), k0 = v_load_all(g.key);
  UNROLL for (unsigned j = 0; j <= CHUNK; j++) x[j] = v_xor3(nonce, k0, v_load(gcm_five_positions[V_LANES * j]));
  gcm_solo_rounds(g.key, rounds, x, CHUNK + 1);
  size_t len = LEAD_LEN + job->len - CHUNK_LEN;
  const uint8_t *own = g.key - 16 * ((len + job->tail_len + 15) / 16 + (CHUNK - 1) * V_LANES + 1);
  gcm_solo_first(&g, rounds, x, LEAD_LEN, &aad, seal);
  g.in = gcm_solo_in(&g, CHUNK);
  g.out = gcm_solo_out(&g, CHUNK);
  gcm_end_run(&g, job, rounds, gcm_places + LEAD_LEN, len, last, 1, v_zero(), seal);

  v ahead = gcm_reduced(gcm_product(gcm_reversed(x[0]), v_load_all(g.key - V_BYTES)));
  struct gcm_sum s = gcm_product(v_low(gcm_solo_lengths(job)), v_low(block_load_all(g.key - 16)));
  s = gcm_add_product(s, v_xor(ahead, gcm_reversed(x[1])), v_load(own), false);
  UNROLL for (unsigned j = 2; j <= CHUNK; j++) {
    s = gcm_add_product(s, gcm_reversed(x[j]), v_load(own + V_BYTES * (j - 1)), false);
  }
  gcm_put_tag(job, gcm_block_reversed(gcm_sum_of_lanes(gcm_reduced(s))), v_lane(aad, 1), seal);
  v_leave();
}
PART void gcm_five_seal(struct sl_aead_job *job, unsigned rounds, v aad) {
  gcm_solo_five(job, rounds, aad, true);
}
PART void gcm_five_open(struct sl_aead_job *job, unsigned rounds, v aad) {
  gcm_solo_five(job, rounds, aad, false);
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
GCM_SHORT(3, seal)
GCM_SHORT(3, open)
GCM_SHORT(4, seal)
GCM_SHORT(4, open)

PART void gcm_long_job(struct sl_aead_job *job, unsigned rounds, v aad, bool seal) {
  v nonce = v_all(block_load_nonce(job->nonce));
  __m128i tag = (seal ? gcm_long_seal : gcm_long_open)(job, rounds, 0, LEAD_LEN, nonce, aad, gcm_solo_lengths(job));
  gcm_put_tag(job, tag, _mm_setzero_si128(), seal);
  v_leave();
}

INLINE void gcm_solo_with(struct sl_aead_job *job, unsigned rounds, v aad, bool seal) {
  size_t len = LEAD_LEN + job->len + job->tail_len;
  if (len <= V_BYTES) {
    (seal ? gcm_short_1_seal : gcm_short_1_open)(job, rounds, aad);
  } else if (len <= 2 * V_BYTES) {
    (seal ? gcm_short_2_seal : gcm_short_2_open)(job, rounds, aad);
  } else if (len <= 3 * V_BYTES) {
    (seal ? gcm_short_3_seal : gcm_short_3_open)(job, rounds, aad);
  } else if (len <= 4 * V_BYTES) {
    (seal ? gcm_short_4_seal : gcm_short_4_open)(job, rounds, aad);
  } else if (len <= CHUNK_LEN + 3 * 16) {
    (seal ? gcm_five_seal : gcm_five_open)(job, rounds, aad);
  } else {
    gcm_long_job(job, rounds, aad, seal);
  }
}
PART void gcm_solo_much_aad(struct sl_aead_job *job, unsigned rounds, bool seal) {
  gcm_solo_with(job, rounds, gcm_solo_aad_long(job, rounds), seal);
}

/* One job, from its arguments to its tag. */
INLINE void gcm_solo_job(struct sl_aead_job *job, unsigned rounds, bool seal) {
  if (__builtin_expect(job->aad_len > 16, 0)) {
    gcm_solo_much_aad(job, rounds, seal);
  } else {
    gcm_solo_with(job, rounds, v_in_lane_1(block_load(job->aad, job->aad_len)), seal);
  }
}

/* ---- pieces of streams ----------------------------------------------------------------------------------------- */

enum { PIECE_SHORT = 2 * CHUNK_LEN }; /* bytes */

/* A piece of n vectors or less, from any counter on. */
INLINE __m128i gcm_piece_short(struct gcm_solo *g, unsigned rounds, unsigned n, __m128i hash, bool seal) {
  v x[CHUNK];
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  const uint8_t *own = g->key - g->left;
  UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_xor(g->base, v_count(g->counter + V_LANES * j));
  gcm_solo_rounds(g->key, rounds, x, n);
  v last_key = v_load_all(g->key + 16 * rounds);
  v_settle(&last_key);
  if (seal) {
    gcm_end_text(g, last_key, gcm_places + LEAD_LEN, g->left, x, n, v_zero(), true, true);
  } else {
    gcm_end_text(g, last_key, gcm_places + LEAD_LEN, g->left, x, n, v_zero(), true, false);
  }
  s = gcm_end_hash(s, x, n, v_low(hash), own, own);
  return gcm_block_reversed(gcm_sum_of_lanes(gcm_reduced(s)));
}

/* Up to a chunk. */
PART __m128i gcm_piece_chunk(const struct sl_aead_job *piece, unsigned rounds, uint32_t counter, __m128i nonce,
                             __m128i hash, bool seal) {
  struct gcm_solo g = {.key = gcm_key_mem(piece->key, rounds),
                       .in = piece->in,
                       .out = piece->out,
                       .left = piece->len,
                       .counter = counter};
  g.base = v_xor(v_all(nonce), v_load_all(g.key));
  if (g.left <= V_BYTES) return gcm_piece_short(&g, rounds, 1, hash, seal);
  if (g.left <= 2 * V_BYTES) return gcm_piece_short(&g, rounds, 2, hash, seal);
  return gcm_piece_short(&g, rounds, 4, hash, seal);
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
  v first = v_all(_mm_insert_epi32(nonce, (int)__builtin_bswap32(counter), 3));
  return (seal ? gcm_long_seal : gcm_long_open)(piece, rounds, counter, 0, first, v_zero(), hash);
}

#endif
