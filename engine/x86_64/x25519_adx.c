/* x25519_adx.c - the Montgomery ladder on Curve25519 with MULX, ADCX and ADOX (RFC 7748 section 5), constant time.
 *
 * The field is the integers modulo p = 2^255 - 19. An element is four limbs of 64 bits, and two types say how large:
 *
 *     tight   < 2^255 + 2^23     results of multiplications and of decoding
 *     loose   < 2^256            results of one addition or subtraction of tight ones
 *
 * Additions and subtractions take tight and give loose; multiplications take loose and give tight.
 *
 * The field's arithmetic is assembly, because it lives on two carry chains that run side by side: ADCX carries in CF, ADOX
 * in OF, and MULX touches neither. Compilers know one chain at most: the same formulas in intrinsics took 68 us with gcc 12
 * and 23.1 us with clang 14 for one multiplication by a scalar, these 22.2 and 21.5 (Zen 5 at 4 GHz, November 2026). All else
 * is C. portable/x25519_portable.c is the oracle, and tests/test_x25519_field.c asks libcrypto about every function here. */
#include "engine/bytes.h"
#include "engine/kernel.h"

struct tight {
  uint64_t limb[4];
};
struct loose {
  uint64_t limb[4];
};

/* f + g; a carry is 2^256, which comes back as 38. f + g < 2^256 + 2^24, so what a carry leaves is < 2^24: adding 38
 * does not carry out of the lowest limb. */
static inline struct loose add(const struct tight *f, const struct tight *g) {
  uint64_t h0 = f->limb[0], h1 = f->limb[1], h2 = f->limb[2], h3 = f->limb[3], back;
  __asm__("addq   (%[g]), %[h0]\n\t"
          "adcq  8(%[g]), %[h1]\n\t"
          "adcq 16(%[g]), %[h2]\n\t"
          "adcq 24(%[g]), %[h3]\n\t"
          "sbbq %[back], %[back]\n\t"
          "andl $38, %k[back]\n\t"
          "addq %[back], %[h0]\n\t"
          : [h0] "+&r"(h0), [h1] "+&r"(h1), [h2] "+&r"(h2), [h3] "+&r"(h3), [back] "=&r"(back)
          : [g] "r"(g), "m"(*g)
          : "cc");
  return (struct loose){{h0, h1, h2, h3}};
}

/* f - g; a borrow took 2^256 too much, so 38 goes. f - g > -2^255 - 2^23, so what a borrow leaves is > 2^254, and taking
 * 38 does not borrow again. */
static inline struct loose sub(const struct tight *f, const struct tight *g) {
  uint64_t h0 = f->limb[0], h1 = f->limb[1], h2 = f->limb[2], h3 = f->limb[3], back;
  __asm__("subq   (%[g]), %[h0]\n\t"
          "sbbq  8(%[g]), %[h1]\n\t"
          "sbbq 16(%[g]), %[h2]\n\t"
          "sbbq 24(%[g]), %[h3]\n\t"
          "sbbq %[back], %[back]\n\t"
          "andl $38, %k[back]\n\t"
          "subq %[back], %[h0]\n\t"
          "sbbq $0, %[h1]\n\t"
          "sbbq $0, %[h2]\n\t"
          "sbbq $0, %[h3]\n\t"
          : [h0] "+&r"(h0), [h1] "+&r"(h1), [h2] "+&r"(h2), [h3] "+&r"(h3), [back] "=&r"(back)
          : [g] "r"(g), "m"(*g)
          : "cc");
  return (struct loose){{h0, h1, h2, h3}};
}

/* Makes h + h4 2^256 tight, for h4 < 2^17: bit 255 and up, t < 2^18, come back times 19. 2^255 - 1 + 19 t is
 * < 2^255 + 2^23, so nothing carries out of the top. */
#define FOLD_LIMB                                                                                                      \
  "addq %[h3], %[h3]\n\t"                                                                                              \
  "adcq %[h4], %[h4]\n\t"                                                                                              \
  "shrq %[h3]\n\t"                                                                                                     \
  "imulq $19, %[h4], %[h4]\n\t"                                                                                        \
  "addq %[h4], %[h0]\n\t"                                                                                              \
  "adcq $0, %[h1]\n\t"                                                                                                 \
  "adcq $0, %[h2]\n\t"                                                                                                 \
  "adcq $0, %[h3]\n\t"

/* Makes a product h0 .. h7 < 2^512 tight: the upper half comes back times 38, the sum is < 39 * 2^256, so h4 <= 38.
 * Starts with CF and OF clear, as h7 leaves them: nothing carries out of the top of a product. */
#define FOLD_PRODUCT                                                                                                   \
  "movl $38, %%edx\n\t"                                                                                                \
  "mulxq %[h4], %[lo], %[hi]\n\t"                                                                                      \
  "adcxq %[lo], %[h0]\n\t"                                                                                             \
  "adoxq %[hi], %[h1]\n\t"                                                                                             \
  "mulxq %[h5], %[lo], %[hi]\n\t"                                                                                      \
  "adcxq %[lo], %[h1]\n\t"                                                                                             \
  "adoxq %[hi], %[h2]\n\t"                                                                                             \
  "mulxq %[h6], %[lo], %[hi]\n\t"                                                                                      \
  "adcxq %[lo], %[h2]\n\t"                                                                                             \
  "adoxq %[hi], %[h3]\n\t"                                                                                             \
  "mulxq %[h7], %[lo], %[h4]\n\t"                                                                                      \
  "movl $0, %k[hi]\n\t"                                                                                                \
  "adcxq %[lo], %[h3]\n\t"                                                                                             \
  "adoxq %[hi], %[h4]\n\t"                                                                                             \
  "adcxq %[hi], %[h4]\n\t" FOLD_LIMB

/* One row of the schoolbook: f * g[i] onto hA .. hD, which makes hE. CF carries low halves, OF high halves. Registers are
 * scarce: h7 holds the address of g until the last row has read from it and makes h7. */
#define ROW(offset, hA, hB, hC, hD, hE)                                                                                \
  "movq " offset "(%[h7]), %%rdx\n\t"                                                                                  \
  "xorl %k[lo], %k[lo]\n\t"                                                                                            \
  "mulxq (%[f]), %[lo], %[hi]\n\t"                                                                                     \
  "adcxq %[lo], %[" hA "]\n\t"                                                                                         \
  "adoxq %[hi], %[" hB "]\n\t"                                                                                         \
  "mulxq 8(%[f]), %[lo], %[hi]\n\t"                                                                                    \
  "adcxq %[lo], %[" hB "]\n\t"                                                                                         \
  "adoxq %[hi], %[" hC "]\n\t"                                                                                         \
  "mulxq 16(%[f]), %[lo], %[hi]\n\t"                                                                                   \
  "adcxq %[lo], %[" hC "]\n\t"                                                                                         \
  "adoxq %[hi], %[" hD "]\n\t"                                                                                         \
  "mulxq 24(%[f]), %[lo], %[" hE "]\n\t"                                                                               \
  "movl $0, %k[hi]\n\t"                                                                                                \
  "adcxq %[lo], %[" hD "]\n\t"                                                                                         \
  "adoxq %[hi], %[" hE "]\n\t"                                                                                         \
  "adcxq %[hi], %[" hE "]\n\t"

static inline struct tight mul(const struct loose *f, const struct loose *g) {
  uint64_t h0, h1, h2, h3, h4, h5, h6, h7 = (uintptr_t)g, lo, hi;
  __asm__("movq (%[h7]), %%rdx\n\t"
          "mulxq (%[f]), %[h0], %[h1]\n\t"
          "mulxq 8(%[f]), %[lo], %[h2]\n\t"
          "addq %[lo], %[h1]\n\t"
          "mulxq 16(%[f]), %[lo], %[h3]\n\t"
          "adcq %[lo], %[h2]\n\t"
          "mulxq 24(%[f]), %[lo], %[h4]\n\t"
          "adcq %[lo], %[h3]\n\t"
          "adcq $0, %[h4]\n\t" /* f * g[0] */
          ROW("8", "h1", "h2", "h3", "h4", "h5") ROW("16", "h2", "h3", "h4", "h5", "h6")
              ROW("24", "h3", "h4", "h5", "h6", "h7") FOLD_PRODUCT
          : [h0] "=&r"(h0), [h1] "=&r"(h1), [h2] "=&r"(h2), [h3] "=&r"(h3), [h4] "=&r"(h4), [h5] "=&r"(h5),
            [h6] "=&r"(h6), [h7] "+&r"(h7), [lo] "=&r"(lo), [hi] "=&r"(hi)
          : [f] "r"(f), "m"(*f), "m"(*g)
          : "rdx", "cc");
  return (struct tight){{h0, h1, h2, h3}};
}

/* The six products of different limbs, doubled on one chain while the four squares are added on the other. */
static inline struct tight square(const struct loose *f) {
  uint64_t h0, h1, h2, h3, h4, h5, h6, h7, lo, hi;
  __asm__("movq (%[f]), %%rdx\n\t"
          "mulxq 8(%[f]), %[h1], %[h2]\n\t"
          "mulxq 16(%[f]), %[lo], %[h3]\n\t"
          "addq %[lo], %[h2]\n\t"
          "mulxq 24(%[f]), %[lo], %[h4]\n\t"
          "adcq %[lo], %[h3]\n\t"
          "adcq $0, %[h4]\n\t"
          "movq 8(%[f]), %%rdx\n\t"
          "xorl %k[h7], %k[h7]\n\t"
          "mulxq 16(%[f]), %[lo], %[hi]\n\t"
          "adcxq %[lo], %[h3]\n\t"
          "adoxq %[hi], %[h4]\n\t"
          "mulxq 24(%[f]), %[lo], %[h5]\n\t"
          "adcxq %[lo], %[h4]\n\t"
          "adoxq %[h7], %[h5]\n\t"
          "adcxq %[h7], %[h5]\n\t"
          "movq 16(%[f]), %%rdx\n\t"
          "mulxq 24(%[f]), %[lo], %[h6]\n\t"
          "addq %[lo], %[h5]\n\t"
          "adcq $0, %[h6]\n\t"
          "movq (%[f]), %%rdx\n\t"
          "xorl %k[h7], %k[h7]\n\t"
          "mulxq %%rdx, %[h0], %[hi]\n\t"
          "adcxq %[h1], %[h1]\n\t"
          "adoxq %[hi], %[h1]\n\t"
          "movq 8(%[f]), %%rdx\n\t"
          "mulxq %%rdx, %[lo], %[hi]\n\t"
          "adcxq %[h2], %[h2]\n\t"
          "adoxq %[lo], %[h2]\n\t"
          "adcxq %[h3], %[h3]\n\t"
          "adoxq %[hi], %[h3]\n\t"
          "movq 16(%[f]), %%rdx\n\t"
          "mulxq %%rdx, %[lo], %[hi]\n\t"
          "adcxq %[h4], %[h4]\n\t"
          "adoxq %[lo], %[h4]\n\t"
          "adcxq %[h5], %[h5]\n\t"
          "adoxq %[hi], %[h5]\n\t"
          "movq 24(%[f]), %%rdx\n\t"
          "mulxq %%rdx, %[lo], %[hi]\n\t"
          "adcxq %[h6], %[h6]\n\t"
          "adoxq %[lo], %[h6]\n\t"
          "adcxq %[hi], %[h7]\n\t"
          "movl $0, %k[hi]\n\t"
          "adoxq %[hi], %[h7]\n\t" /* f * f */
          FOLD_PRODUCT
          : [h0] "=&r"(h0), [h1] "=&r"(h1), [h2] "=&r"(h2), [h3] "=&r"(h3), [h4] "=&r"(h4), [h5] "=&r"(h5),
            [h6] "=&r"(h6), [h7] "=&r"(h7), [lo] "=&r"(lo), [hi] "=&r"(hi)
          : [f] "r"(f), "m"(*f)
          : "rdx", "cc");
  return (struct tight){{h0, h1, h2, h3}};
}

/* (A - 2) / 4 for Curve25519's A = 486662 (RFC 7748 5). */
#define A24 121665u

/* A24 < 2^17, so h4 < 2^17: FOLD_LIMB's need. */
static inline struct tight mul_a24(const struct loose *f) {
  uint64_t h0, h1, h2, h3, h4, lo;
  __asm__("movl %[a24], %%edx\n\t"
          "mulxq (%[f]), %[h0], %[h1]\n\t"
          "mulxq 8(%[f]), %[lo], %[h2]\n\t"
          "addq %[lo], %[h1]\n\t"
          "mulxq 16(%[f]), %[lo], %[h3]\n\t"
          "adcq %[lo], %[h2]\n\t"
          "mulxq 24(%[f]), %[lo], %[h4]\n\t"
          "adcq %[lo], %[h3]\n\t"
          "adcq $0, %[h4]\n\t" FOLD_LIMB
          : [h0] "=&r"(h0), [h1] "=&r"(h1), [h2] "=&r"(h2), [h3] "=&r"(h3), [h4] "=&r"(h4), [lo] "=&r"(lo)
          : [f] "r"(f), [a24] "i"(A24), "m"(*f)
          : "rdx", "cc");
  return (struct tight){{h0, h1, h2, h3}};
}

/* The top bit is ignored (RFC 7748 5), and values from p to 2^255 - 1 are taken modulo p by what follows. */
static struct tight decode(const uint8_t in[static 32]) {
  return (struct tight){
      {sl_load64_le(in), sl_load64_le(in + 8), sl_load64_le(in + 16), sl_load64_le(in + 24) & INT64_MAX}};
}

/* f + n, for a sum below 2^256. */
static struct tight add_small(const struct tight *f, uint64_t n) {
  struct tight h;
  for (int i = 0; i < 4; i++) n = __builtin_add_overflow(f->limb[i], n, &h.limb[i]);
  return h;
}

/* The unique representative below p, little-endian. f < 2^255 + 2^23 < 2p - 19, so bit 255 of f + 19 says whether f >= p,
 * and f - p is f + 19 without that bit. */
static void encode(uint8_t out[static 32], const struct tight *f) {
  struct tight h = add_small(f, 19);
  h = add_small(f, 19 * (h.limb[3] >> 63));
  h.limb[3] &= INT64_MAX;
  for (int i = 0; i < 4; i++) sl_store64_le(out + 8 * i, h.limb[i]);
}

#include "engine/x25519_ladder.h"

const struct sl_kernel sl_kernel_x25519_adx = {
    .name = "x25519_adx",
    .algorithm = SL_ALG_X25519,
    .needs = SL_CPU(BMI2) | SL_CPU(ADX),
    .x25519 = {.run = run},
};
