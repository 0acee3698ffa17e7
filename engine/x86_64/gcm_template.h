/* gcm_template.h - AES-GCM (SP 800-38D) for x86, one body for every vector width. A variant includes its vec*.h, then
 * this, then makes its table. The algebra is in docs/gcm.md; values have the same names there.
 *
 * A record is laid on a line of 16-byte positions:
 *
 *     position    0     1     2 ............ n+1     and then: lengths
 *     counter     0     1     2 ............ n+1
 *     AES out     -     mask  key stream             mask = E(J0), which hides the tag
 *     GHASH in    -     AAD   ciphertext             the last block of the AAD; those before it are hashed ahead
 *
 * so one vector of positions serves both AES and GHASH, AAD and mask ride in vectors that are computed anyway, and
 * position p's counter is p. Vectors are taken in groups of V_GROUP:
 *
 *     long record     first group | group | ... | last group: 2..V_GROUP+1 vectors, the end of the text in its last
 *     short record    only group: 1..V_GROUP+1 vectors, with both ends
 *
 * Each group is hashed between the AES rounds of the next one. In a full group lanes stay apart and vector j is multiplied
 * by H^(V_LANES * (V_GROUP - j)) in all of them; in the last group each position p gets its own power, H^(n+2-p), and the
 * lanes are added (that takes a full vector in the last group: the lanes of the sum so far lie on its positions). That sum,
 * the step with the lengths and the tag are done for V_LANES records together (gcm_finish).
 *
 * Here is what all widths share; how records go through it is in gcm_wide.h and gcm_narrow.h. */
#ifndef SEALANE_ENGINE_X86_64_GCM_TEMPLATE_H
#define SEALANE_ENGINE_X86_64_GCM_TEMPLATE_H

#include "engine/aead_jobs.h"
#include "engine/kernel.h"

/* A function of its own, once; a width may have no use for it. */
#define PART static __attribute__((noinline, unused))

enum {
  GROUP_LEN = V_GROUP * V_BYTES,     /* bytes */
  LONG_LEN = V_GROUP_LONG * V_BYTES, /* bytes */
  LEAD_LEN = 2 * 16,                 /* bytes of positions before the text */
  N_POWERS = 16,                     /* in a key: H^16 ... H^1, H last */
  V_EXACT = N_POWERS / V_LANES,      /* vectors those reach */
  V_LAST = V_GROUP + 1,              /* vectors in the last group at most */
};

/* Loops over vectors and records are written out, so that their arrays live in registers; loops over rounds of four and
 * over groups are not, so that the code stays small. Not under AddressSanitizer: its checks in code written out cost clang
 * minutes a file, and what they check is the same. */
#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define UNROLL
#define ROLLED
#define INLINE static inline
#elif defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)")
#define INLINE static inline __attribute__((always_inline))
#pragma clang diagnostic ignored                                                                                       \
    "-Wpass-failed" /* a loop of one turn is no loop: clang complains it cannot unroll it */
#elif defined(__OPTIMIZE__)
#define UNROLL _Pragma("GCC unroll 32")
#define ROLLED _Pragma("GCC unroll 1")
#define INLINE static inline __attribute__((always_inline))
#else /* without optimisation gcc warns that it ignores the wishes */
#define UNROLL
#define ROLLED
#define INLINE static inline __attribute__((always_inline))
#endif

/* ---- constants ----------------------------------------------------------------------------------------------- */

/* What distinguishes the counter blocks of a group. Groups begin at multiples of 8, 16 or 32 positions, so the
 * big-endian sum of a group's first counter and these is an exclusive or. */
#define POSITION(p)                                                                                                    \
  { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, p }
#define POSITIONS_4(p) POSITION(p), POSITION(p + 1), POSITION(p + 2), POSITION(p + 3)
static const uint8_t gcm_positions[32][16] __attribute__((aligned(64))) = {
    POSITIONS_4(0),  POSITIONS_4(4),  POSITIONS_4(8),  POSITIONS_4(12),
    POSITIONS_4(16), POSITIONS_4(20), POSITIONS_4(24), POSITIONS_4(28),
};
_Static_assert(V_GROUP *V_LANES <= 32, "a group's positions are in the table");

/* GHASH takes blocks as polynomials with the first bit as the lowest power: bytes reversed, and bits as they are. */
INLINE v gcm_reversed(v x) {
  return v_shuffle(x, v_all(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
}
/* A counter block from nonce words and a counter in host order. */
INLINE __m128i gcm_counter_block(__m128i counter) {
  return _mm_shuffle_epi8(counter, _mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
}

/* ---- GHASH --------------------------------------------------------------------------------------------------- */

/* A sum of products not yet reduced: low + mid x^64 + high x^128, where Karatsuba's mid still holds low and high. */
struct gcm_sum {
  v low, mid, high;
};

/* Both halves added, in both halves. */
INLINE v gcm_folded(v x) {
  return v_xor(x, v_swap(x));
}

/* s + a*g + b*h; g_folded = gcm_folded(g). */
INLINE struct gcm_sum gcm_add_products(struct gcm_sum s, v a, v g, v g_folded, v b, v h, v h_folded) {
  s.low = v_xor3(s.low, v_clmul_ll(a, g), v_clmul_ll(b, h));
  s.high = v_xor3(s.high, v_clmul_hh(a, g), v_clmul_hh(b, h));
  s.mid = v_xor3(s.mid, v_clmul_ll(gcm_folded(a), g_folded), v_clmul_ll(gcm_folded(b), h_folded));
  return s;
}

INLINE struct gcm_sum gcm_product(v a, v h) {
  return (struct gcm_sum){v_clmul_ll(a, h), v_clmul_ll(gcm_folded(a), gcm_folded(h)), v_clmul_hh(a, h)};
}

/* s + p; p where s is still nothing. */
INLINE struct gcm_sum gcm_added(struct gcm_sum s, struct gcm_sum p, bool first) {
  if (first) return p;
  return (struct gcm_sum){v_xor(s.low, p.low), v_xor(s.mid, p.mid), v_xor(s.high, p.high)};
}

INLINE v gcm_reduced(struct gcm_sum s) {
  const v poly = v_all(_mm_set_epi64x(0, (long long)0xc200000000000000)); /* x^63 + x^62 + x^57: docs/gcm.md */
  v mid = v_xor3(s.mid, s.low, s.high);
  mid = v_xor3(mid, v_swap(s.low), v_clmul_ll(s.low, poly));
  return v_xor3(s.high, v_swap(mid), v_clmul_ll(mid, poly));
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

/* key->mem: round keys, then H^16 ... H^1, each over x (docs/gcm.md). Descending, so that the powers a short record
 * needs are the key's last lines and V_LANES of them are one load, at any count. */
INLINE const uint8_t *gcm_powers_end(const struct sl_aead_key *key, unsigned rounds) {
  return key->mem + 16 * (rounds + 1) + 16 * N_POWERS;
}

static inline __m128i gcm_key_mix(__m128i k) {
  k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
  return _mm_xor_si128(k, _mm_slli_si128(k, 8));
}

/* FIPS 197 5.2. SubWord(RotWord(w)) + Rcon is aesenclast of a block with w rotated in all four columns (ShiftRows then
 * changes nothing): faster than aeskeygenassist, which wants its constant as an immediate besides. */
static void gcm_expand_rounds(uint8_t *out, const uint8_t *secret, unsigned rounds) {
  const __m128i rotated_last = _mm_set1_epi32(0x0c0f0e0d), last = _mm_set1_epi32(0x0f0e0d0c);
  __m128i rcon = _mm_set1_epi32(1), a = block_load_all(secret), b = a;
  block_store_all(out, a);
  if (rounds == 10) {
    for (unsigned r = 1; r <= 10; r++) {
      a = _mm_xor_si128(gcm_key_mix(a), _mm_aesenclast_si128(_mm_shuffle_epi8(a, rotated_last), rcon));
      block_store_all(out + 16 * r, a);
      rcon = r == 8 ? _mm_set1_epi32(0x1b) : _mm_slli_epi32(rcon, 1);
    }
    return;
  }
  b = block_load_all(secret + 16);
  block_store_all(out + 16, b);
  for (unsigned r = 2;; r += 2) {
    a = _mm_xor_si128(gcm_key_mix(a), _mm_aesenclast_si128(_mm_shuffle_epi8(b, rotated_last), rcon));
    block_store_all(out + 16 * r, a);
    if (r == 14) return;
    b = _mm_xor_si128(gcm_key_mix(b), _mm_aesenclast_si128(_mm_shuffle_epi8(a, last), _mm_setzero_si128()));
    block_store_all(out + 16 * (r + 1), b);
    rcon = _mm_slli_epi32(rcon, 1);
  }
}

static void gcm_expand(struct sl_aead_key *key, const uint8_t *secret, unsigned rounds) {
  uint8_t *powers_end = key->mem + 16 * (rounds + 1) + 16 * N_POWERS;
  gcm_expand_rounds(key->mem, secret, rounds);

  __m128i h = block_load_all(key->mem);
  for (unsigned r = 1; r < rounds; r++) h = _mm_aesenc_si128(h, block_load_all(key->mem + 16 * r));
  h = _mm_aesenclast_si128(h, block_load_all(key->mem + 16 * rounds));

  /* H over x: shifted left by one, the bit that falls out folded back. */
  uint8_t bytes[16];
  block_store_all(bytes, h);
  uint64_t high = sl_load64_be(bytes), low = sl_load64_be(bytes + 8), carry = 0 - (high >> 63);
  high = (high << 1 | low >> 63) ^ (carry & 0xc200000000000000);
  low = low << 1 ^ (carry & 1);
  block_store_all(powers_end - 16, _mm_set_epi64x((long long)high, (long long)low));
  for (unsigned i = 2; i <= N_POWERS; i++) {
    v a = v_load_all(powers_end - 16 * (i / 2)), b = v_load_all(powers_end - 16 * (i - i / 2));
    block_store_all(powers_end - 16 * i, v_lane(gcm_reduced(gcm_product(a, b)), 0));
  }
  sl_wipe(bytes, sizeof bytes);
}

/* ---- tags ---------------------------------------------------------------------------------------------------- */

/* A record whose text is done and whose tag is not. */
struct gcm_done {
  struct gcm_sum sum; /* lanes apart */
  __m128i mask, lengths;
  const uint8_t *h; /* over x, as in the key */
  struct sl_aead_job *job;
};

INLINE void gcm_put_tag(struct sl_aead_job *job, __m128i ghash, __m128i mask, bool seal) {
  __m128i tag = _mm_xor_si128(ghash, mask);
  if (seal) {
    block_store_all(job->tag, tag);
  } else {
    sl_aead_job_verdict(job, block_differs(tag, block_load_all(job->tag)));
  }
}

/* One record a lane: GHASH = (sum + lengths) H, tag = GHASH + mask. Of V_LANES records n are real. */
INLINE void gcm_finish(const struct gcm_done done[], unsigned n, bool seal) {
  v low[V_LANES], mid[V_LANES], high[V_LANES];
  const uint8_t *h[V_LANES], *lengths[V_LANES];
  UNROLL for (unsigned i = 0; i < V_LANES; i++) {
    const struct gcm_done *d = &done[i < n ? i : 0];
    low[i] = d->sum.low;
    mid[i] = d->sum.mid;
    high[i] = d->sum.high;
    h[i] = d->h;
    lengths[i] = (const uint8_t *)&d->lengths;
  }
  struct gcm_sum s = {v_sum_lanes(low), v_sum_lanes(mid), v_sum_lanes(high)};
  v y = v_xor(gcm_reduced(s), v_gather(lengths));
  y = gcm_reversed(gcm_reduced(gcm_product(y, v_gather(h))));
  __m128i ghash[V_LANES];
  v_scatter(ghash, y);
  UNROLL for (unsigned i = 0; i < V_LANES; i++) {
    if (i < n) gcm_put_tag(done[i].job, ghash[i], done[i].mask, seal);
  }
}

PART void gcm_finish_some(const struct gcm_done done[], unsigned n, bool seal) {
  gcm_finish(done, n, seal);
}

/* ---- records side by side ------------------------------------------------------------------------------------ */

/* A record under way. Functions below take `side` of them, 1, 2 or 4, whose vectors are as many: their latencies hide each
 * other's. `side` and `n_vecs` are constants wherever these are called. */
struct gcm_record {
  struct sl_aead_job *job;
  const uint8_t *in;
  uint8_t *out;
  const uint8_t *round_keys, *powers_end;
  size_t text_len; /* bytes, with the tail */
  __m128i counter; /* of the group's first position, in host order */
  __m128i mask;    /* E(J0) */
  v aad;           /* what GHASH takes at position 1 */
  v acc;           /* GHASH so far, lanes apart: to be added to the next vector */
};

/* What a long record's groups need, spread over all lanes beforehand: on Zen a load that spreads costs a vector pipe, a
 * plain one does not (docs/kernels.md). */
struct gcm_long {
  uint8_t rounds[15][V_BYTES];
  uint8_t power[V_GROUP_LONG][V_BYTES];  /* H^(V_LANES * (V_GROUP_LONG - j)) */
  uint8_t folded[V_GROUP_LONG][V_BYTES]; /* gcm_folded() of those */
} __attribute__((aligned(64)));

/* p + off without C's opinion on pointers outside an object: vectors with masks begin before the text. */
INLINE const uint8_t *gcm_at(const uint8_t *p, ptrdiff_t off) {
  return (const uint8_t *)((uintptr_t)p + (uintptr_t)off);
}
INLINE size_t gcm_clamp(ptrdiff_t off) {
  return off < 0 ? 0 : off > V_BYTES ? V_BYTES : (size_t)off;
}

/* How many vectors a job's positions fill. */
INLINE size_t gcm_n_vecs(const struct sl_aead_job *job) {
  size_t n_blocks = (job->len + job->tail_len + 15) / 16;
  return (n_blocks + LEAD_LEN / 16 + V_LANES - 1) / V_LANES;
}

/* What GHASH takes at position 1: the AAD's last block, and before it all others, a block at a time: AAD of more than one
 * block is rare. */
PART v gcm_aad_long(const struct sl_aead_job *job, const uint8_t *powers_end) {
  v h = v_load_lanes(powers_end - 16, 1), acc = v_zero();
  uint8_t vec[V_BYTES] = {0};
  const uint8_t *at = job->aad;
  size_t left = job->aad_len;
  for (; left > 16; left -= 16, at += 16) {
    acc = v_xor(acc, gcm_reversed(v_load_span(at, 0, 16)));
    acc = gcm_reduced(gcm_product(acc, h));
  }
  acc = v_xor(acc, gcm_reversed(v_load_span(at, 0, left)));
  block_store_all(vec + 16 * (V_LANES > 1), v_lane(acc, 0));
  return v_load(vec);
}

/* The same, where it belongs in its vector. A function with vectors in flight would have to save them all round a call: this
 * comes first. */
INLINE v gcm_aad(const struct sl_aead_job *job, const uint8_t *powers_end) {
  if (__builtin_expect(job->aad_len > 16, 0)) return gcm_aad_long(job, powers_end);
  size_t place = V_LANES > 1 ? 16 : 0;
  return gcm_reversed(v_load_span(gcm_at(job->aad, -(ptrdiff_t)place), place, place + job->aad_len));
}

INLINE void gcm_begin(struct gcm_record *r, struct sl_aead_job *job, unsigned rounds) {
  r->job = job;
  r->in = job->in;
  r->out = job->out;
  r->round_keys = job->key->mem;
  r->powers_end = gcm_powers_end(job->key, rounds);
  r->text_len = job->len + job->tail_len;
  r->counter = _mm_and_si128(block_load_all(job->nonce), block_mask(SL_AEAD_NONCE_LEN)); /* 4 more bytes of the job */
  r->aad = gcm_aad(job, r->powers_end);
  r->acc = v_zero();
}
_Static_assert(offsetof(struct sl_aead_job, nonce) + 16 <= sizeof(struct sl_aead_job), "a nonce is read as one block");

/* AES's input for the group's vectors, round key 0 added; steps the counter by `step` vectors. At the record's head the
 * counter is 0 and needs no turning. */
INLINE void gcm_counters(struct gcm_record r[], unsigned side, v x[], unsigned n_vecs, unsigned step, bool head) {
  UNROLL for (unsigned i = 0; i < side; i++) {
    __m128i key = block_load_all(r[i].round_keys), counter = r[i].counter;
    v base = v_all(_mm_xor_si128(head ? counter : gcm_counter_block(counter), key));
    r[i].counter = _mm_add_epi32(counter, _mm_set_epi32((int)(V_LANES * step), 0, 0, 0));
    UNROLL for (unsigned j = 0; j < n_vecs && j < step; j++) {
      x[i * n_vecs + j] = v_xor(base, v_load(gcm_positions[V_LANES * j]));
    }
    if (n_vecs > step) {
      base = v_all(_mm_xor_si128(gcm_counter_block(r[i].counter), key));
      x[i * n_vecs + step] = v_xor(base, v_load(gcm_positions[0]));
    }
  }
}

/* The round of all vectors whose keys lie at `at`. */
INLINE void gcm_round(const struct gcm_record r[], unsigned side, v x[], unsigned n_vecs, size_t at) {
  UNROLL for (unsigned i = 0; i < side; i++) {
    v k = v_load_all(r[i].round_keys + at);
    UNROLL for (unsigned j = 0; j < n_vecs; j++) {
      x[i * n_vecs + j] = v_aesenc(x[i * n_vecs + j], k);
    }
  }
}

/* The product of a full group's vector j, added to s. */
INLINE void gcm_hash_vec(const struct gcm_record r[], unsigned side, struct gcm_sum s[], const v hash[], unsigned j) {
  UNROLL for (unsigned i = 0; i < side; i++) {
    v h = v_load_all(r[i].powers_end - V_BYTES * (V_GROUP - j));
    s[i] = gcm_added(s[i], gcm_product(hash[i * V_GROUP + j], h), false);
  }
}

/* All rounds but the last on x, and between them, where there is a full group to hash, that group. Its first vector
 * comes last, because the end of the chain through all groups was added to it. */
INLINE void gcm_rounds(struct gcm_record r[], unsigned side, unsigned rounds, v x[], unsigned n_vecs, const v *hash) {
  struct gcm_sum s[V_SIDE_MAX];
  size_t at = 2 * 16, end = 16 * (size_t)rounds;
  /* Keeps the compiler from loading keys once for all groups, only to spill them. */
  UNROLL for (unsigned i = 0; i < side; i++) __asm__("" : "+r"(r[i].round_keys), "+r"(r[i].powers_end));
  gcm_round(r, side, x, n_vecs, 16);
  if (hash) {
    UNROLL for (unsigned i = 0; i < side; i++) s[i] = (struct gcm_sum){v_zero(), v_zero(), v_zero()};
    UNROLL for (unsigned step = 1; step <= 4; step++, at += 2 * 16) {
      if (V_GROUP > 4) gcm_hash_vec(r, side, s, hash, step);
      gcm_round(r, side, x, n_vecs, at);
      gcm_hash_vec(r, side, s, hash, (V_GROUP - 4 + step) % V_GROUP);
      gcm_round(r, side, x, n_vecs, at + 16);
    }
  }
  /* 9 rounds or 13: the first, and four at a time. */
  if (hash) {
    if (at < end) {
      UNROLL for (unsigned k = 0; k < 4; k++) gcm_round(r, side, x, n_vecs, at + 16 * k);
    }
    UNROLL for (unsigned i = 0; i < side; i++) r[i].acc = gcm_reduced(s[i]);
    return;
  }
  ROLLED for (; at < end; at += 4 * 16) {
    UNROLL for (unsigned k = 0; k < 4; k++) gcm_round(r, side, x, n_vecs, at + 16 * k);
    UNROLL for (unsigned j = 0; j < side * n_vecs; j++) v_settle(&x[j]);
  }
}
_Static_assert(V_GROUP == 4 || V_GROUP == 8, "gcm_rounds() has a place for each vector of a group");
_Static_assert(V_GROUP *V_LANES <= N_POWERS, "a key holds the powers of a group");

/* One vector inside the text: encrypts or decrypts it and returns what GHASH takes. */
INLINE v gcm_vec(const struct gcm_record *r, v x, v last_key, ptrdiff_t off, bool seal) {
  v data = v_load(r->in + off);
  v done = v_aesenclast(x, v_xor(data, last_key));
  v_store(r->out + off, done);
  return gcm_reversed(v_select(seal, done, data));
}

/* Where a record's text ends, seen from a vector: behind it; in it; in it or behind; in it or before; anywhere. */
enum gcm_tail { INSIDE, ENDS, ENDS_OR_GOES_ON, ENDS_OR_IS_OVER, MAY_END };

/* How much of a vector at `off` lies before `end`. */
INLINE size_t gcm_span(ptrdiff_t end, ptrdiff_t off, enum gcm_tail tail) {
  ptrdiff_t len = end - off;
  if (tail == INSIDE) return V_BYTES;
  if (tail == ENDS_OR_IS_OVER || tail == MAY_END) len = len < 0 ? 0 : len;
  if (tail == ENDS_OR_GOES_ON || tail == MAY_END) len = len > V_BYTES ? V_BYTES : len;
  return (size_t)len;
}

/* One vector of the record's head (mask, first text), its tail (last text, tail byte) or both. `off` is its place in the
 * text, negative before it. */
V_EDGE v gcm_edge_vec(struct gcm_record *r, v x, v last_key, ptrdiff_t off, bool head, enum gcm_tail tail, bool seal) {
  struct sl_aead_job *job = r->job;
  size_t from = head ? gcm_clamp(-off) : 0;
  size_t to_text = gcm_span((ptrdiff_t)r->text_len, off, tail);
  size_t to_plain = gcm_span((ptrdiff_t)(r->text_len - job->tail_len), off, tail);
  v data = v_load_span(gcm_at(r->in, off), from, seal ? to_plain : to_text);
  if (seal && tail && to_text > to_plain) data = v_put_byte(data, to_plain, job->tail);
  v done = v_aesenclast(x, v_xor(data, last_key));
  v_store_span((uint8_t *)gcm_at(r->out, off), from, seal ? to_text : to_plain, done);
  if (!seal && tail && to_text > to_plain) job->tail = v_byte(done, to_plain);
  if (head && off <= -16 && off + V_BYTES > -16) r->mask = v_lane(done, V_LANES > 1);
  return gcm_reversed(v_take_span(data, done, from, seal ? to_text : 0));
}

/* ---- long records -------------------------------------------------------------------------------------------- */

static inline void gcm_long_make(struct gcm_long *l, const struct gcm_record *r, unsigned rounds) {
  ROLLED for (unsigned i = 0; i <= rounds; i++) v_store(l->rounds[i], v_load_all(r->round_keys + 16 * i));
  v most = v_load_all(r->powers_end - 16 * N_POWERS);
  UNROLL for (unsigned j = V_GROUP_LONG; j-- > 0;) {
    unsigned exponent = V_LANES * (V_GROUP_LONG - j);
    v h = exponent <= N_POWERS ? v_load_all(r->powers_end - 16 * exponent)
                               : gcm_reduced(gcm_product(v_load_all(r->powers_end - 16 * (exponent - N_POWERS)), most));
    v_store(l->power[j], h);
    v_store(l->folded[j], gcm_folded(h));
  }
}
_Static_assert(V_LANES *V_GROUP_LONG <= 2 * N_POWERS, "one product makes a power the key does not hold");

INLINE void gcm_long_round(const struct gcm_long *l, v x[], size_t round) {
  v k = v_load(l->rounds[round]);
  UNROLL for (unsigned j = 0; j < V_GROUP_LONG; j++) x[j] = v_aesenc(x[j], k);
}
INLINE struct gcm_sum gcm_long_pair(const struct gcm_long *l, struct gcm_sum s, const v group[], size_t i, size_t j) {
  return gcm_add_products(s, group[i], v_load(l->power[i]), v_load(l->folded[i]), group[j], v_load(l->power[j]),
                          v_load(l->folded[j]));
}

/* gcm_full_group() for one record, V_GROUP_LONG vectors and what gcm_long_make() made. */
INLINE void gcm_long_group(struct gcm_record *r, const struct gcm_long *l, unsigned rounds, ptrdiff_t off, v group[],
                           bool head, bool seal) {
  v x[V_GROUP_LONG];
  __asm__("" : "+r"(l)); /* keeps the compiler from loading round keys once and spilling them round the loop */
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  size_t round = 2;
  gcm_counters(r, 1, x, V_GROUP_LONG, V_GROUP_LONG, head);
  gcm_long_round(l, x, 1);
  UNROLL for (; round < 10; round += 2) {
    if (!head) s = gcm_long_pair(l, s, group, round - 1, round % V_GROUP_LONG);
    gcm_long_round(l, x, round);
    gcm_long_round(l, x, round + 1);
  }
  ROLLED for (; round < rounds; round += 2) {
    gcm_long_round(l, x, round);
    gcm_long_round(l, x, round + 1);
    UNROLL for (unsigned j = 0; j < V_GROUP_LONG; j++) v_settle(&x[j]);
  }
  if (!head) r->acc = gcm_reduced(s);
  v last_key = v_load(l->rounds[rounds]);
  UNROLL for (unsigned j = 0; j < V_GROUP_LONG; j++) {
    ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
    v h = head && j * V_BYTES < LEAD_LEN ? gcm_edge_vec(r, x[j], last_key, at, true, INSIDE, seal)
                                         : gcm_vec(r, x[j], last_key, at, seal);
    group[j] = j == 0 ? v_xor(h, head ? r->aad : r->acc) : h;
  }
}

#endif
