/* gcm_template.h - AES-GCM (SP 800-38D) for x86, one body for every vector width. A variant includes its vec*.h, then
 * gcm_wide.h or gcm_narrow.h, then makes its table. The algebra is in docs/gcm.md; values have the same names there.
 *
 * A record is laid on a line of 16-byte positions:
 *
 *     position    0     1     2 ............ n+1     and then: lengths
 *     counter     0     1     2 ............ n+1
 *     AES out     -     mask  key stream             mask = E(J0), which hides the tag
 *     GHASH in    -     AAD   ciphertext             the last block of the AAD; those before it are hashed ahead
 *
 * so one vector of positions serves both AES and GHASH, AAD and mask ride in vectors that are computed anyway, and
 * position p's counter is p. Vectors are taken in groups:
 *
 *     long record     first group | full group | ... | last group, the end of the text in its last vector
 *     short record    only group, with both ends
 *
 * Each group is hashed between the AES rounds of a later one. In a full group of G vectors lanes stay apart and vector j is
 * multiplied by H^(V_LANES * (G - j)) in all of them; in the last group each position p gets its own power, H^(n+2-p), and
 * the lanes are added (that takes a full vector in the last group: the lanes of the sum so far lie on its positions). That
 * sum, the step with the lengths and the tag are done for V_LANES records together (gcm_finish).
 *
 * That is the way of narrow vectors, one record at a time (gcm_single.h, gcm_narrow.h); pieces of streams (gcm_stream.h) go it as
 * well. Wide ones go straight through registers (gcm_solo.h, gcm_long.h), or hold a record a lane (gcm_lanes.h). Here is what all
 * share. */
#ifndef SEALANE_ENGINE_X86_64_GCM_TEMPLATE_H
#define SEALANE_ENGINE_X86_64_GCM_TEMPLATE_H

#include "engine/aead_jobs.h"
#include "engine/kernel.h"

/* A function of its own, once; a width may have no use for it. */
#define PART static __attribute__((noinline, unused))

enum {
  LEAD_LEN = 2 * 16,            /* bytes of positions before the text */
  N_POWERS = 16,                /* in a key: H^16 ... H^1, H last */
  POWERS_LEN = 16 * N_POWERS,   /* bytes */
  V_EXACT = N_POWERS / V_LANES, /* vectors those reach */
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

/* What distinguishes the counter blocks of V_ALIGN vectors. Those begin at multiples of as many positions, so the big-endian
 * sum of their first counter and these is an exclusive or. */
#define POSITION(p)                                                                                                    \
  { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, p }
#define POSITIONS_4(p) POSITION(p), POSITION(p + 1), POSITION(p + 2), POSITION(p + 3)
static const uint8_t gcm_positions[16][16] __attribute__((aligned(64))) = {
    POSITIONS_4(0),
    POSITIONS_4(4),
    POSITIONS_4(8),
    POSITIONS_4(12),
};
_Static_assert(V_ALIGN *V_LANES <= 16, "positions are in the table");

/* GHASH takes blocks as polynomials with the first bit as the lowest power: bytes reversed, and bits as they are. */
INLINE v gcm_turn(void) {
  return v_all(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}
INLINE v gcm_reversed(v x) {
  return v_shuffle(x, gcm_turn());
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

/* s + a*g + b*h; g_folded = gcm_folded(g). `first`: there is no sum yet. */
INLINE struct gcm_sum gcm_add_products(struct gcm_sum s, v a, v g, v g_folded, v b, v h, v h_folded, bool first) {
  if (first) {
    v mid = V_SCHOOLBOOK ? v_xor3(v_clmul_lh(a, g), v_clmul_hl(a, g), v_clmul_lh(b, h))
                         : v_xor(v_clmul_ll(gcm_folded(a), g_folded), v_clmul_ll(gcm_folded(b), h_folded));
    return (struct gcm_sum){v_xor(v_clmul_ll(a, g), v_clmul_ll(b, h)),
                            V_SCHOOLBOOK ? v_xor(mid, v_clmul_hl(b, h)) : mid,
                            v_xor(v_clmul_hh(a, g), v_clmul_hh(b, h))};
  }
  s.low = v_xor3(s.low, v_clmul_ll(a, g), v_clmul_ll(b, h));
  s.high = v_xor3(s.high, v_clmul_hh(a, g), v_clmul_hh(b, h));
  if (V_SCHOOLBOOK) {
    s.mid = v_xor3(s.mid, v_clmul_lh(a, g), v_clmul_hl(a, g));
    s.mid = v_xor3(s.mid, v_clmul_lh(b, h), v_clmul_hl(b, h));
  } else {
    s.mid = v_xor3(s.mid, v_clmul_ll(gcm_folded(a), g_folded), v_clmul_ll(gcm_folded(b), h_folded));
  }
  return s;
}

/* s + a*h, or a*h where there is no sum yet. */
INLINE struct gcm_sum gcm_add_product(struct gcm_sum s, v a, v h, bool first) {
  v low = v_clmul_ll(a, h), high = v_clmul_hh(a, h);
  v mid = V_SCHOOLBOOK ? v_clmul_lh(a, h) : v_clmul_ll(gcm_folded(a), gcm_folded(h));
  if (V_SCHOOLBOOK) mid = first ? v_xor(mid, v_clmul_hl(a, h)) : v_xor3(s.mid, mid, v_clmul_hl(a, h));
  if (first) return (struct gcm_sum){low, mid, high};
  return (struct gcm_sum){v_xor(s.low, low), V_SCHOOLBOOK ? mid : v_xor(s.mid, mid), v_xor(s.high, high)};
}

INLINE struct gcm_sum gcm_product(v a, v h) {
  return gcm_add_product((struct gcm_sum){v_zero(), v_zero(), v_zero()}, a, h, true);
}

/* x^63 + x^62 + x^57: docs/gcm.md */
INLINE v gcm_poly(void) {
  return v_all(_mm_set_epi64x(0, (long long)0xc200000000000000));
}

INLINE v gcm_reduced(struct gcm_sum s) {
  const v poly = gcm_poly();
  v mid = V_SCHOOLBOOK ? s.mid : v_xor3(s.mid, s.low, s.high);
  mid = v_xor3(mid, v_swap(s.low), v_clmul_ll(s.low, poly));
  return v_xor3(s.high, v_swap(mid), v_clmul_ll(mid, poly));
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

/* The end of a key's memory: H^16 ... H^1, each over x (docs/gcm.md), then round keys; one pointer to where these meet serves both.
 * Powers descend, so that V_LANES of them are one load, at any count; a vector of them that reaches beyond H meets round keys,
 * and is still inside the key. */
INLINE const uint8_t *gcm_key_mem(const struct sl_aead_key *key, unsigned rounds) {
  return sl_key_mem(key, 16 * ((size_t)rounds + 1));
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
  uint8_t *mem = sl_key_mem(key, 16 * ((size_t)rounds + 1));
  gcm_expand_rounds(mem, secret, rounds);

  __m128i h = block_load_all(mem);
  for (unsigned r = 1; r < rounds; r++) h = _mm_aesenc_si128(h, block_load_all(mem + 16 * r));
  h = _mm_aesenclast_si128(h, block_load_all(mem + 16 * rounds));

  /* H over x: shifted left by one, the bit that falls out folded back. */
  uint8_t bytes[16];
  block_store_all(bytes, h);
  uint64_t high = sl_load64_be(bytes), low = sl_load64_be(bytes + 8), carry = 0 - (high >> 63);
  high = (high << 1 | low >> 63) ^ (carry & 0xc200000000000000);
  low = low << 1 ^ (carry & 1);
  block_store_all(mem - 16, _mm_set_epi64x((long long)high, (long long)low));
  for (unsigned i = 2; i <= N_POWERS; i++) {
    v a = v_load_all(mem - 16 * (i / 2)), b = v_load_all(mem - 16 * (i - i / 2));
    block_store_all(mem - 16 * i, v_lane(gcm_reduced(gcm_product(a, b)), 0));
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

/* The end of an opened job whose tag ought to have been this one. */
PART __attribute__((cold)) void gcm_failed(struct sl_aead_job *job, __m128i tag) {
  uint8_t bytes[SL_AEAD_TAG_LEN];
  block_store_all(bytes, tag);
  sl_aead_job_failed(job, bytes);
}
INLINE void gcm_put_tag(struct sl_aead_job *job, __m128i ghash, __m128i mask, bool seal) {
  __m128i tag = _mm_xor_si128(ghash, mask);
  if (seal) {
    block_store_all(job->tag, tag);
  } else if (!sl_aead_job_verdict(job, block_differs(tag, block_load_all(job->tag)))) {
    gcm_failed(job, tag);
  }
}

/* One record a lane: GHASH = (sum + lengths) H, tag = GHASH + mask. Of V_LANES records n are real. */
PART void gcm_finish(const struct gcm_done done[], unsigned n, bool seal) {
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

/* ---- a record of narrow vectors -------------------------------------------------------------------------------- */

/* A record under way. `n_vecs` below is a constant wherever those functions are called. */
struct gcm_record {
  struct sl_aead_job *job;
  const uint8_t *in;
  uint8_t *out;
  const uint8_t *key;         /* gcm_key_mem() */
  size_t text_len;            /* bytes, with the tail */
  uint8_t base[16];           /* nonce and zeros, round key 0 added */
  uint32_t counter, key_word; /* of the group's first position, in host order; the last word of round key 0 */
  __m128i mask;               /* E(J0) */
  v aad;                      /* what GHASH takes at position 1 */
  ptrdiff_t aad_off;          /* of the vector it is in: gcm_single.h */
  v acc;                      /* GHASH so far, lanes apart: to be added to the next vector */
};

INLINE void gcm_done_with(struct gcm_done *done, const struct gcm_record *r) {
  done->mask = r->mask;
  done->lengths = _mm_set_epi64x((long long)(8 * (uint64_t)r->job->aad_len), (long long)(8 * (uint64_t)r->text_len));
  done->h = r->key - 16;
  done->job = r->job;
}

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
PART v gcm_aad_long(const struct sl_aead_job *job, const uint8_t *key) {
  v h = v_low(block_load_all(key - 16)), acc = v_zero();
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
INLINE v gcm_aad(const struct sl_aead_job *job, const uint8_t *key) {
  if (__builtin_expect(job->aad_len > 16, 0)) return gcm_aad_long(job, key);
  size_t place = V_LANES > 1 ? 16 : 0;
  return gcm_reversed(v_load_span(gcm_at(job->aad, -(ptrdiff_t)place), place, place + job->aad_len));
}

INLINE void gcm_set_nonce(struct gcm_record *r, __m128i nonce) {
  block_store_all(r->base, _mm_xor_si128(nonce, block_load_all(r->key)));
  __asm__("" : "+m"(r->base)); /* to spread it from memory costs no vector port, from a register it does */
  r->key_word = sl_load32_le(r->key + 12);
}

INLINE void gcm_begin(struct gcm_record *r, struct sl_aead_job *job, unsigned rounds) {
  r->job = job;
  r->in = job->in;
  r->out = job->out;
  r->key = gcm_key_mem(job->key, rounds);
  r->text_len = job->len + job->tail_len;
  gcm_set_nonce(r, block_load_nonce(job->nonce));
  r->counter = 0;
  r->aad = gcm_aad(job, r->key);
  r->acc = v_zero();
}

/* Erases what was written to memory: the nonce is public, so base tells round key 0, which is AES-128's key; and with the mask
 * a tag tells H. Not by address, or compilers would keep all of a record in memory. */
INLINE void gcm_forget(struct gcm_record *r) {
  block_store_all(r->base, _mm_setzero_si128());
  r->key_word = 0;
  r->mask = _mm_setzero_si128();
  __asm__ volatile("" : "+m"(r->base), "+m"(r->key_word), "+m"(r->mask));
}

/* A group's first counter block in all lanes, round key 0 added, where lanes and vectors add their numbers. */
INLINE v gcm_counter(const struct gcm_record *r) {
  return v_set_word3(v_load_all(r->base), __builtin_bswap32(r->counter) ^ r->key_word);
}

/* AES's input for the next n_vecs vectors, round key 0 added. */
INLINE void gcm_counters(struct gcm_record *r, v x[], unsigned n_vecs) {
  v base = v_zero();
  UNROLL for (unsigned j = 0; j < n_vecs; j++) {
    if (j % V_ALIGN == 0) {
      base = gcm_counter(r);
      r->counter += V_LANES * V_ALIGN;
    }
    x[j] = v_xor(base, v_load(gcm_positions[V_LANES * (j % V_ALIGN)]));
  }
}

/* The round whose key lies at `at`. */
INLINE void gcm_round(const struct gcm_record *r, v x[], unsigned n_vecs, size_t at) {
  v k = v_load_all(r->key + at);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) x[j] = v_aesenc(x[j], k);
}

/* All rounds but the last on x. 9 rounds or 13: the first, and four at a time. */
INLINE void gcm_rounds(const struct gcm_record *r, unsigned rounds, v x[], unsigned n_vecs) {
  size_t at = 2 * 16, end = 16 * (size_t)rounds;
  gcm_round(r, x, n_vecs, 16);
  ROLLED for (; at < end; at += 4 * 16) {
    UNROLL for (unsigned k = 0; k < 4; k++) gcm_round(r, x, n_vecs, at + 16 * k);
    UNROLL for (unsigned j = 0; j < n_vecs; j++) v_settle(&x[j]);
  }
}

/* One vector inside the text: encrypts or decrypts it and returns what GHASH takes. */
INLINE v gcm_vec(const struct gcm_record *r, v x, v last_key, ptrdiff_t off, bool seal) {
  v data = v_load(r->in + off);
  v done = v_aesenclast(x, v_xor(data, last_key));
  v_store(r->out + off, done);
  return gcm_reversed(v_select(seal, done, data));
}

/* Where a record's text ends, seen from a vector: behind it; in it; anywhere. */
enum gcm_tail { INSIDE, ENDS, MAY_END };

/* How much of a vector at `off` lies before `end`. */
INLINE size_t gcm_span(ptrdiff_t end, ptrdiff_t off, enum gcm_tail tail) {
  ptrdiff_t len = end - off;
  if (tail == INSIDE) return V_BYTES;
  return tail == MAY_END ? gcm_clamp(len) : (size_t)len;
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

#endif
