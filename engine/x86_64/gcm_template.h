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

/* gcm_expand.c: one key memory for all widths, and one way to it. */
void sl_gcm_expand(struct sl_aead_key *key, const uint8_t *secret, unsigned rounds);
INLINE void gcm_expand(struct sl_aead_key *key, const uint8_t *secret, unsigned rounds) {
  sl_gcm_expand(key, secret, rounds);
}

/* ---- tags ---------------------------------------------------------------------------------------------------- */

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

/* p + off without C's opinion on pointers outside an object: vectors with masks begin before the text. */
INLINE const uint8_t *gcm_at(const uint8_t *p, ptrdiff_t off) {
  return (const uint8_t *)((uintptr_t)p + (uintptr_t)off);
}

#endif
