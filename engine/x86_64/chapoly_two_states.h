/* chapoly_two_states.h - the twenty rounds of two ChaCha20 states of sixteen blocks each, in all 32 registers.
 *
 * One state cannot fill the ports: its four quarter rounds side by side are 48 instructions in a chain of 12, and an
 * instruction takes two cycles (Zen 5), where 12 cycles would do for their number. Two states can, but compilers do not
 * keep 32 live vectors in 32 registers, though no step needs another one: docs/kernels.md has what they lose.
 * chacha_one_state() of chapoly_template.h is the same for one state. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_TWO_STATES_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_TWO_STATES_H

#define CHACHA_ASM_OP(op, from, to)    op " %%zmm" #from ", %%zmm" #to ", %%zmm" #to "\n\t"
#define CHACHA_ASM_ROTATE(bits, which) "vprold $" #bits ", %%zmm" #which ", %%zmm" #which "\n\t"
/* A quarter of a quarter round: a += b, d = (d ^ a) <<< bits, for four columns. */
#define CHACHA_ASM_QUARTER(bits, a0, b0, d0, a1, b1, d1, a2, b2, d2, a3, b3, d3)                                       \
  CHACHA_ASM_OP("vpaddd", b0, a0)                                                                                      \
  CHACHA_ASM_OP("vpaddd", b1, a1)                                                                                      \
  CHACHA_ASM_OP("vpaddd", b2, a2)                                                                                      \
  CHACHA_ASM_OP("vpaddd", b3, a3)                                                                                      \
  CHACHA_ASM_OP("vpxord", a0, d0)                                                                                      \
  CHACHA_ASM_OP("vpxord", a1, d1)                                                                                      \
  CHACHA_ASM_OP("vpxord", a2, d2)                                                                                      \
  CHACHA_ASM_OP("vpxord", a3, d3)                                                                                      \
  CHACHA_ASM_ROTATE(bits, d0) CHACHA_ASM_ROTATE(bits, d1) CHACHA_ASM_ROTATE(bits, d2) CHACHA_ASM_ROTATE(bits, d3)

#define CHACHA_ASM_ALL(X)                                                                                              \
  X(0)                                                                                                                 \
  X(1)                                                                                                                 \
  X(2)                                                                                                                 \
  X(3)                                                                                                                 \
  X(4)                                                                                                                 \
  X(5)                                                                                                                 \
  X(6)                                                                                                                 \
  X(7)                                                                                                                 \
  X(8)                                                                                                                 \
  X(9)                                                                                                                 \
  X(10)                                                                                                                \
  X(11)                                                                                                                \
  X(12)                                                                                                                \
  X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define CHACHA_ASM_LOAD(i) "vmovdqa64 64*" #i "(%[start]), %%zmm" #i "\n\t"
#define CHACHA_ASM_STORE(i)                                                                                            \
  "vpaddd 64*" #i "(%[start]), %%zmm" #i ", %%zmm" #i "\n\tvmovdqa64 %%zmm" #i ", 64*" #i "(%[out])\n\t"

/* out = start + the rounds of start (RFC 8439 2.3): words 0 to 15 of one state, then of the other. */
static inline void chacha_two_states(v *out, const v *start) {
  unsigned n_double_rounds = 10;
  /* clang-format off */
  __asm__(CHACHA_ASM_ALL(CHACHA_ASM_LOAD)
    ".p2align 6\n"
    "1:\n\t"
    CHACHA_ASM_QUARTER(16,  0,  4, 12,  1,  5, 13,  2,  6, 14,  3,  7, 15)
    CHACHA_ASM_QUARTER(12,  8, 12,  4,  9, 13,  5, 10, 14,  6, 11, 15,  7)
    CHACHA_ASM_QUARTER( 8,  0,  4, 12,  1,  5, 13,  2,  6, 14,  3,  7, 15)
    CHACHA_ASM_QUARTER( 7,  8, 12,  4,  9, 13,  5, 10, 14,  6, 11, 15,  7)
    CHACHA_ASM_QUARTER(16, 16, 20, 28, 17, 21, 29, 18, 22, 30, 19, 23, 31)
    CHACHA_ASM_QUARTER(12, 24, 28, 20, 25, 29, 21, 26, 30, 22, 27, 31, 23)
    CHACHA_ASM_QUARTER( 8, 16, 20, 28, 17, 21, 29, 18, 22, 30, 19, 23, 31)
    CHACHA_ASM_QUARTER( 7, 24, 28, 20, 25, 29, 21, 26, 30, 22, 27, 31, 23)
    /* diagonals */
    CHACHA_ASM_QUARTER(16,  0,  5, 15,  1,  6, 12,  2,  7, 13,  3,  4, 14)
    CHACHA_ASM_QUARTER(12, 10, 15,  5, 11, 12,  6,  8, 13,  7,  9, 14,  4)
    CHACHA_ASM_QUARTER( 8,  0,  5, 15,  1,  6, 12,  2,  7, 13,  3,  4, 14)
    CHACHA_ASM_QUARTER( 7, 10, 15,  5, 11, 12,  6,  8, 13,  7,  9, 14,  4)
    CHACHA_ASM_QUARTER(16, 16, 21, 31, 17, 22, 28, 18, 23, 29, 19, 20, 30)
    CHACHA_ASM_QUARTER(12, 26, 31, 21, 27, 28, 22, 24, 29, 23, 25, 30, 20)
    CHACHA_ASM_QUARTER( 8, 16, 21, 31, 17, 22, 28, 18, 23, 29, 19, 20, 30)
    CHACHA_ASM_QUARTER( 7, 26, 31, 21, 27, 28, 22, 24, 29, 23, 25, 30, 20)
    "decl %[n]\n\t"
    "jnz 1b\n\t"
    CHACHA_ASM_ALL(CHACHA_ASM_STORE)
    : [n] "+r"(n_double_rounds), "=m"(*(v(*)[32])out)
    : [start] "r"(start), [out] "r"(out), "m"(*(const v(*)[32])start)
    : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
      "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",
      "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
  /* clang-format on */
}

INLINE void chacha_states(v *out, const v *start, size_t n_states) {
  if (n_states == 2) {
    chacha_two_states(out, start);
  } else {
    chacha_one_state(out, start);
  }
}

#endif
