/* wide.h - the product of two 64-bit numbers, all 128 bits of it, with and without a compiler that has such a type.
 *
 * Multiplication must take the same time for all operands. That holds for the 64-bit multipliers of x86-64 and of 64-bit
 * ARM server cores; on cores where small operands are multiplied faster, these kernels are correct but leak. */
#ifndef SEALANE_ENGINE_PORTABLE_WIDE_H
#define SEALANE_ENGINE_PORTABLE_WIDE_H

#include <stdint.h>

#if defined(__SIZEOF_INT128__) && !defined(SEALANE_NO_INT128)

typedef unsigned __int128 sl_wide;

static inline sl_wide sl_wide_mul(uint64_t a, uint64_t b) {
  return (sl_wide)a * b;
}
static inline sl_wide sl_wide_from(uint64_t a) {
  return a;
}
static inline sl_wide sl_wide_add(sl_wide a, sl_wide b) {
  return a + b;
}
static inline uint64_t sl_wide_hi(sl_wide a) {
  return (uint64_t)(a >> 64);
}
static inline uint64_t sl_wide_lo(sl_wide a) {
  return (uint64_t)a;
}

#else

typedef struct {
  uint64_t hi, lo;
} sl_wide;

static inline sl_wide sl_wide_from(uint64_t a) {
  return (sl_wide){0, a};
}
static inline sl_wide sl_wide_add(sl_wide a, sl_wide b) {
  uint64_t lo = a.lo + b.lo;
  /* The carry, without a comparison that could become a branch: set where both have a bit, or one has and the sum lost it. */
  uint64_t carry = ((a.lo & b.lo) | ((a.lo | b.lo) & ~lo)) >> 63;
  return (sl_wide){a.hi + b.hi + carry, lo};
}
/* By halves, as on paper. */
static inline sl_wide sl_wide_mul(uint64_t a, uint64_t b) {
  uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
  uint64_t mid0 = a0 * b1, mid1 = a1 * b0;
  sl_wide r = {a1 * b1, a0 * b0};
  r = sl_wide_add(r, (sl_wide){mid0 >> 32, mid0 << 32});
  return sl_wide_add(r, (sl_wide){mid1 >> 32, mid1 << 32});
}
static inline uint64_t sl_wide_hi(sl_wide a) {
  return a.hi;
}
static inline uint64_t sl_wide_lo(sl_wide a) {
  return a.lo;
}

#endif

/* The low 64 bits of a >> n, 0 < n < 64. */
static inline uint64_t sl_wide_shift(sl_wide a, unsigned n) {
  return sl_wide_hi(a) << (64 - n) | sl_wide_lo(a) >> n;
}

#endif
