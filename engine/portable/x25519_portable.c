/* x25519_portable.c - the Montgomery ladder on Curve25519 in C (RFC 7748 section 5), constant time.
 *
 * The field is the integers modulo p = 2^255 - 19. An element is five limbs of 51 bits,
 *
 *     f = f0 + f1 2^51 + f2 2^102 + f3 2^153 + f4 2^204,
 *
 * and a limb may be a little over 51 bits: two types say how much. With e = 2^11,
 *
 *     tight   every limb < 2^51 + e           results of multiplications and of decoding
 *     loose   every limb < 3 * 2^51 + 2e      results of one addition or subtraction of tight ones
 *
 * Additions and subtractions take tight and give loose; multiplications take loose and give tight; so carries are done in
 * multiplications only, and the compiler refuses a formula that would need one in between. Every function's bounds are
 * proven above it. 3 * 2^51 + 2e < 2^53 is all that multiplications need. */
#include "engine/bytes.h"
#include "engine/kernel.h"

typedef unsigned __int128 uint128_t;

struct tight {
  uint64_t limb[5];
};
struct loose {
  uint64_t limb[5];
};

#define LIMB_BITS 51
#define LIMB_MASK ((UINT64_C(1) << LIMB_BITS) - 1)

/* 2p in limbs: 2(2^51 - 19), then 2(2^51 - 1) four times. */
#define TWO_P_0    UINT64_C(0xfffffffffffda) /* calc: 2 * (2**51 - 19) */
#define TWO_P_1234 UINT64_C(0xffffffffffffe) /* calc: 2 * (2**51 - 1) */

/* (A - 2) / 4 for Curve25519's A = 486662 (RFC 7748 5). */
#define A24 121665u

/* The limbs of 255 bits; the top bit is ignored (RFC 7748 5), and values from p to 2^255 - 1 are taken modulo p by
 * what follows. Limbs < 2^51: tight. */
static struct tight decode(const uint8_t in[static 32]) {
  return (struct tight){{
      sl_load64_le(in) & LIMB_MASK,            /* bits   0 ..  50 */
      sl_load64_le(in + 6) >> 3 & LIMB_MASK,   /* bits  51 .. 101: byte 6 is bit 48 */
      sl_load64_le(in + 12) >> 6 & LIMB_MASK,  /* bits 102 .. 152: byte 12 is bit 96 */
      sl_load64_le(in + 19) >> 1 & LIMB_MASK,  /* bits 153 .. 203: byte 19 is bit 152 */
      sl_load64_le(in + 24) >> 12 & LIMB_MASK, /* bits 204 .. 254: byte 24 is bit 192 */
  }};
}

/* The unique representative below p, little-endian.
 *
 * Tight limbs make f < 2^255 + e (1 + 2^51 + ... + 2^204) < 2^255 + 2^216 < 2p - 19, so q = floor((f + 19) / 2^255) is 1
 * when f >= p and 0 otherwise, and f - q p = f + 19 q - q 2^255. The first chain of carries computes q alone: each step
 * divides by 2^51 and rounds down, and rounding down in steps is rounding down at once. The second adds 19 q and carries;
 * the mask of the last limb takes q 2^255 away. */
static void encode(uint8_t out[static 32], const struct tight *f) {
  uint64_t l0 = f->limb[0], l1 = f->limb[1], l2 = f->limb[2], l3 = f->limb[3], l4 = f->limb[4];
  uint64_t q = (l0 + 19) >> LIMB_BITS;
  q = (l1 + q) >> LIMB_BITS;
  q = (l2 + q) >> LIMB_BITS;
  q = (l3 + q) >> LIMB_BITS;
  q = (l4 + q) >> LIMB_BITS;

  l0 += 19 * q;
  l1 += l0 >> LIMB_BITS;
  l2 += l1 >> LIMB_BITS;
  l3 += l2 >> LIMB_BITS;
  l4 += l3 >> LIMB_BITS;
  l0 &= LIMB_MASK;
  l1 &= LIMB_MASK;
  l2 &= LIMB_MASK;
  l3 &= LIMB_MASK;
  l4 &= LIMB_MASK;

  sl_store64_le(out, l0 | l1 << 51);
  sl_store64_le(out + 8, l1 >> 13 | l2 << 38);
  sl_store64_le(out + 16, l2 >> 26 | l3 << 25);
  sl_store64_le(out + 24, l3 >> 39 | l4 << 12);
}

/* Limbs < 2 (2^51 + e): loose. */
static inline struct loose add(const struct tight *f, const struct tight *g) {
  struct loose h;
  for (int i = 0; i < 5; i++) h.limb[i] = f->limb[i] + g->limb[i];
  return h;
}

/* f - g + 2p. No limb goes below zero, since g's limbs < 2^51 + e < 2^52 - 38; none reaches 2^51 + e + 2^52, that is
 * 3 * 2^51 + e: loose. */
static inline struct loose sub(const struct tight *f, const struct tight *g) {
  struct loose h;
  h.limb[0] = f->limb[0] + TWO_P_0 - g->limb[0];
  for (int i = 1; i < 5; i++) h.limb[i] = f->limb[i] + TWO_P_1234 - g->limb[i];
  return h;
}

/* Carries a product's columns into limbs; the carry out of the top comes back times 19, since 2^255 = 19 modulo p.
 *
 * Needs columns < 77 * 2^106 and c4 < 5 * 2^106. Carries into columns 1 to 4 then are < (77 * 2^106 + 2^62) / 2^51 < 2^62:
 * they fit 64 bits. c4 stays < 5 * 2^106 + 2^62, so the carry out of it is < 2^57.4, 19 times that < 2^61.7, and l0 before
 * its own carry < 2^51 + 2^61.7 < 2^62. What it carries into l1 is < 2^11 = e, so l1 < 2^51 + e and the others < 2^51:
 * tight. */
static inline struct tight carry(uint128_t c0, uint128_t c1, uint128_t c2, uint128_t c3, uint128_t c4) {
  uint64_t l0, l1, l2, l3, l4;
  c1 += (uint64_t)(c0 >> LIMB_BITS);
  c2 += (uint64_t)(c1 >> LIMB_BITS);
  c3 += (uint64_t)(c2 >> LIMB_BITS);
  c4 += (uint64_t)(c3 >> LIMB_BITS);
  l0 = ((uint64_t)c0 & LIMB_MASK) + 19 * (uint64_t)(c4 >> LIMB_BITS);
  l1 = ((uint64_t)c1 & LIMB_MASK) + (l0 >> LIMB_BITS);
  l2 = (uint64_t)c2 & LIMB_MASK;
  l3 = (uint64_t)c3 & LIMB_MASK;
  l4 = (uint64_t)c4 & LIMB_MASK;
  return (struct tight){{l0 & LIMB_MASK, l1, l2, l3, l4}};
}

/* Schoolbook product; limb products of weight 2^255 and up come back times 19.
 *
 * Loose limbs are < 2^53: 19 g < 2^57.3 fits 64 bits, a product is < 2^106, and the columns hold at most 1 + 4 * 19 = 77 of
 * them (c0), then 58, 39, 20 and 5 (c4): carry()'s need. */
static inline struct tight mul(const struct loose *f, const struct loose *g) {
  const uint64_t f0 = f->limb[0], f1 = f->limb[1], f2 = f->limb[2], f3 = f->limb[3], f4 = f->limb[4];
  const uint64_t g0 = g->limb[0], g1 = g->limb[1], g2 = g->limb[2], g3 = g->limb[3], g4 = g->limb[4];
  const uint64_t g1_19 = 19 * g1, g2_19 = 19 * g2, g3_19 = 19 * g3, g4_19 = 19 * g4;
  uint128_t c0 = (uint128_t)f0 * g0 + (uint128_t)f1 * g4_19 + (uint128_t)f2 * g3_19 + (uint128_t)f3 * g2_19 +
                 (uint128_t)f4 * g1_19;
  uint128_t c1 =
      (uint128_t)f0 * g1 + (uint128_t)f1 * g0 + (uint128_t)f2 * g4_19 + (uint128_t)f3 * g3_19 + (uint128_t)f4 * g2_19;
  uint128_t c2 =
      (uint128_t)f0 * g2 + (uint128_t)f1 * g1 + (uint128_t)f2 * g0 + (uint128_t)f3 * g4_19 + (uint128_t)f4 * g3_19;
  uint128_t c3 =
      (uint128_t)f0 * g3 + (uint128_t)f1 * g2 + (uint128_t)f2 * g1 + (uint128_t)f3 * g0 + (uint128_t)f4 * g4_19;
  uint128_t c4 = (uint128_t)f0 * g4 + (uint128_t)f1 * g3 + (uint128_t)f2 * g2 + (uint128_t)f3 * g1 + (uint128_t)f4 * g0;
  return carry(c0, c1, c2, c3, c4);
}

/* mul(f, f) with equal products taken once and doubled: the same columns, the same bounds. 38 f < 2^58.3 fits 64 bits. */
static inline struct tight square(const struct loose *f) {
  const uint64_t f0 = f->limb[0], f1 = f->limb[1], f2 = f->limb[2], f3 = f->limb[3], f4 = f->limb[4];
  const uint64_t f0_2 = 2 * f0, f1_2 = 2 * f1, f3_19 = 19 * f3, f4_19 = 19 * f4;
  uint128_t c0 = (uint128_t)f0 * f0 + (uint128_t)f1_2 * f4_19 + (uint128_t)(2 * f2) * f3_19;
  uint128_t c1 = (uint128_t)f0_2 * f1 + (uint128_t)(2 * f2) * f4_19 + (uint128_t)f3 * f3_19;
  uint128_t c2 = (uint128_t)f0_2 * f2 + (uint128_t)f1 * f1 + (uint128_t)(2 * f3) * f4_19;
  uint128_t c3 = (uint128_t)f0_2 * f3 + (uint128_t)f1_2 * f2 + (uint128_t)f4 * f4_19;
  uint128_t c4 = (uint128_t)f0_2 * f4 + (uint128_t)f1_2 * f3 + (uint128_t)f2 * f2;
  return carry(c0, c1, c2, c3, c4);
}

/* A24 < 2^17, so columns are < 2^70: carry()'s need by far. */
static inline struct tight mul_a24(const struct loose *f) {
  const uint64_t *l = f->limb;
  return carry((uint128_t)l[0] * A24, (uint128_t)l[1] * A24, (uint128_t)l[2] * A24, (uint128_t)l[3] * A24,
               (uint128_t)l[4] * A24);
}

#include "engine/x25519_ladder.h"

const struct sl_kernel sl_kernel_x25519_portable = {
    .name = "x25519_portable",
    .algorithm = SL_ALG_X25519,
    .x25519 = {.run = run},
};
