/* chapoly_two_states.h - the twenty rounds of two ChaCha20 states of sixteen blocks each, in all 32 registers; and, during
 * them, the exclusive or of text and the stream that the rounds before left.
 *
 * One state fills the ports of Intel's cores, where an instruction takes one cycle, but not those of Zen 5, where it takes
 * two: its four quarter rounds side by side are 48 instructions in a chain of 12. Two states do; but compilers do not keep
 * 32 live vectors in 32 registers, though no step needs another one: docs/kernels.md has what they lose.
 * chacha_one_state() of chapoly_chacha.h is the same for one state.
 *
 * The rounds leave idle what is not a vector port. So text goes through the general registers, eight bytes at a time: that
 * needs half of the stream's transposition only, and the other half, shuffles, is what vector ports have least room for. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_TWO_STATES_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_TWO_STATES_H

#define CHACHA_ASM_OP(op, from, to)    op " %%zmm" #from ", %%zmm" #to ", %%zmm" #to "\n\t"
#define CHACHA_ASM_ROTATE(bits, which) "vprold $" #bits ", %%zmm" #which ", %%zmm" #which "\n\t"
/* A quarter of a quarter round: a += b, d = (d ^ a) <<< bits, for four columns; and what else there is to do. */
#define CHACHA_ASM_QUARTER(bits, a0, b0, d0, a1, b1, d1, a2, b2, d2, a3, b3, d3, also, and_also)                       \
  CHACHA_ASM_OP("vpaddd", b0, a0)                                                                                      \
  CHACHA_ASM_OP("vpaddd", b1, a1)                                                                                      \
  CHACHA_ASM_OP("vpaddd", b2, a2)                                                                                      \
  CHACHA_ASM_OP("vpaddd", b3, a3)                                                                                      \
  also CHACHA_ASM_OP("vpxord", a0, d0) CHACHA_ASM_OP("vpxord", a1, d1) CHACHA_ASM_OP("vpxord", a2, d2)                 \
      CHACHA_ASM_OP("vpxord", a3, d3) CHACHA_ASM_ROTATE(bits, d0) CHACHA_ASM_ROTATE(bits, d1) and_also                 \
      CHACHA_ASM_ROTATE(bits, d2) CHACHA_ASM_ROTATE(bits, d3)

/* Bytes [8 i, 8 i + 8) of a block whose stream begins at `at`, and is replaced by the ciphertext: what goes out when sealing, what
 * came in when opening. */
#define CHACHA_ASM_TEXT(at, i)                                                                                         \
  "movq 8*" #i "(%[in]), %[x]\n\tmovq " #at "+256*" #i                                                                 \
  "(%[stream]), %[y]\n\tmovq %[mask], %[z]\n\tandq %[y], %[z]\n\t"                                                     \
  "xorq %[x], %[y]\n\tmovq %[y], 8*" #i "(%[to])\n\txorq %[x], %[z]\n\tmovq %[z], " #at "+256*" #i "(%[stream])\n\t"
/* A place's addresses. The line behind its text is where text of the next pass goes, mostly; the hint faults nowhere. */
#define CHACHA_ASM_LANE(at)                                                                                            \
  "movq " #at "(%[lanes]), %[in]\n\tmovq 256+" #at "(%[lanes]), %[to]\n\tprefetchw 64(%[to])\n\t"
#define CHACHA_ASM_NONE(at, i) ""

/* A round of both states, columns or diagonals, and with XOR = CHACHA_ASM_TEXT, LANE = CHACHA_ASM_LANE two blocks of text. */
/* clang-format off */
#define CHACHA_ASM_COLUMNS(XOR, LANE)                                                                                  \
  CHACHA_ASM_QUARTER(16,  0,  4, 12,  1,  5, 13,  2,  6, 14,  3,  7, 15, LANE(64) XOR(128, 0), XOR(128, 1))                  \
  CHACHA_ASM_QUARTER(12,  8, 12,  4,  9, 13,  5, 10, 14,  6, 11, 15,  7, XOR(128, 2), XOR(128, 3))                          \
  CHACHA_ASM_QUARTER( 8,  0,  4, 12,  1,  5, 13,  2,  6, 14,  3,  7, 15, XOR(128, 4), XOR(128, 5))                          \
  CHACHA_ASM_QUARTER( 7,  8, 12,  4,  9, 13,  5, 10, 14,  6, 11, 15,  7, XOR(128, 6), XOR(128, 7))                          \
  CHACHA_ASM_QUARTER(16, 16, 20, 28, 17, 21, 29, 18, 22, 30, 19, 23, 31, LANE(72) XOR(136, 0), XOR(136, 1))                  \
  CHACHA_ASM_QUARTER(12, 24, 28, 20, 25, 29, 21, 26, 30, 22, 27, 31, 23, XOR(136, 2), XOR(136, 3))                          \
  CHACHA_ASM_QUARTER( 8, 16, 20, 28, 17, 21, 29, 18, 22, 30, 19, 23, 31, XOR(136, 4), XOR(136, 5))                          \
  CHACHA_ASM_QUARTER( 7, 24, 28, 20, 25, 29, 21, 26, 30, 22, 27, 31, 23, XOR(136, 6), XOR(136, 7))
#define CHACHA_ASM_DIAGONALS(XOR, LANE)                                                                                 \
  CHACHA_ASM_QUARTER(16,  0,  5, 15,  1,  6, 12,  2,  7, 13,  3,  4, 14, LANE(0) XOR(0, 0), XOR(0, 1))              \
  CHACHA_ASM_QUARTER(12, 10, 15,  5, 11, 12,  6,  8, 13,  7,  9, 14,  4, XOR(0, 2), XOR(0, 3))                      \
  CHACHA_ASM_QUARTER( 8,  0,  5, 15,  1,  6, 12,  2,  7, 13,  3,  4, 14, XOR(0, 4), XOR(0, 5))                      \
  CHACHA_ASM_QUARTER( 7, 10, 15,  5, 11, 12,  6,  8, 13,  7,  9, 14,  4, XOR(0, 6), XOR(0, 7))                      \
  CHACHA_ASM_QUARTER(16, 16, 21, 31, 17, 22, 28, 18, 23, 29, 19, 20, 30, LANE(8) XOR(8, 0), XOR(8, 1))              \
  CHACHA_ASM_QUARTER(12, 26, 31, 21, 27, 28, 22, 24, 29, 23, 25, 30, 20, XOR(8, 2), XOR(8, 3))                      \
  CHACHA_ASM_QUARTER( 8, 16, 21, 31, 17, 22, 28, 18, 23, 29, 19, 20, 30, XOR(8, 4), XOR(8, 5))                      \
  CHACHA_ASM_QUARTER( 7, 26, 31, 21, 27, 28, 22, 24, 29, 23, 25, 30, 20, XOR(8, 6), XOR(8, 7))
/* clang-format on */
#define CHACHA_ASM_NO_LANE(at) ""

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
#define CHACHA_ASM_LOAD(i) "vmovdqa64 64*" #i "(%[first]), %%zmm" #i "\n\t"
/* A quarter of the quarter round of both states' column 0. */
#define CHACHA_ASM_QUARTER_0(bits, a, b, d, other_a, other_b, other_d)                                                 \
  CHACHA_ASM_OP("vpaddd", b, a)                                                                                        \
  CHACHA_ASM_OP("vpaddd", other_b, other_a)                                                                            \
  CHACHA_ASM_OP("vpxord", a, d)                                                                                        \
  CHACHA_ASM_OP("vpxord", other_a, other_d) CHACHA_ASM_ROTATE(bits, d) CHACHA_ASM_ROTATE(bits, other_d)
#define CHACHA_ASM_ADD(i) "vpaddd 64*" #i "(%[start]), %%zmm" #i ", %%zmm" #i "\n\t"
/* Words a and b = a + 1 of a state to pairs; `at` is where those go, as bytes. At first all registers are taken, and b waits
 * there; once words 0 and 1 are gone, there is a register. */
#define CHACHA_ASM_STORE_FIRST(a, b, at)                                                                               \
  "vmovdqa64 %%zmm" #b ", " #at "(%[out])\n\t"                                                                         \
  "vpunpckhdq %%zmm" #b ", %%zmm" #a ", %%zmm" #b "\n\t"                                                               \
  "vpunpckldq " #at "(%[out]), %%zmm" #a ", %%zmm" #a "\n\t"                                                           \
  "vmovdqa64 %%zmm" #b ", 128+" #at "(%[out])\n\tvmovdqa64 %%zmm" #a ", " #at "(%[out])\n\t"
#define CHACHA_ASM_STORE(a, b, at)                                                                                     \
  "vpunpckldq %%zmm" #b ", %%zmm" #a ", %%zmm0\n\t"                                                                    \
  "vpunpckhdq %%zmm" #b ", %%zmm" #a ", %%zmm" #a "\n\t"                                                               \
  "vmovdqa64 %%zmm0, " #at "(%[out])\n\tvmovdqa64 %%zmm" #a ", 128+" #at "(%[out])\n\t"

/* Eight double rounds, each with four blocks of text. */
#define CHACHA_ASM_WITH_TEXT(label, XOR)                                                                               \
  ".p2align 6\n" label ":\n\t" CHACHA_ASM_DIAGONALS(XOR, CHACHA_ASM_LANE) CHACHA_ASM_COLUMNS(                          \
      XOR, CHACHA_ASM_LANE) "addq $16, %[stream]\n\t"                                                                  \
                            "leaq 80(%[lanes]), %[x]\n\t" /* over places 8 to 15, which went with the first eight */   \
                            "addq $16, %[lanes]\n\t"                                                                   \
                            "decl %k[n]\n\t"                                                                           \
                            "testl $3, %k[n]\n\t"                                                                      \
                            "cmovz %[x], %[lanes]\n\t"                                                                 \
                            "testl %k[n], %k[n]\n\t"                                                                   \
                            "jnz " label "b\n\t"

/* out = start + the rounds of start (RFC 8439 2.3), in pairs (chapoly_chacha.h). Words 0 to 15 of one state begin at start,
 * those of the other behind them. Unless lanes is NULL: 64 bytes each from lanes->in to lanes->out, sealed or opened with
 * `stream`, of which the ciphertext takes the place. */
SHARED void chacha_two_states(v *out, const v *start, const v *first, v *stream, const struct chapoly_lanes *lanes,
                              bool seal) {
  uint64_t x, y, z, n, mask = seal ? UINT64_MAX : 0;
  const uint8_t *in, *to;
  __asm__ volatile(
      /* clang-format off */
    CHACHA_ASM_ALL(CHACHA_ASM_LOAD)
    "vmovdqa64 64*12(%[start]), %%zmm12\n\t"
    "vmovdqa64 64*28(%[start]), %%zmm28\n\t"
    CHACHA_ASM_QUARTER_0(16, 0, 4, 12, 16, 20, 28)
    CHACHA_ASM_QUARTER_0(12, 8, 12, 4, 24, 28, 20)
    CHACHA_ASM_QUARTER_0( 8, 0, 4, 12, 16, 20, 28)
    CHACHA_ASM_QUARTER_0( 7, 8, 12, 4, 24, 28, 20)
    "movl $10, %k[n]\n\t"
    "testq %[lanes], %[lanes]\n\t"
    "jz 2f\n\t"
    "movl $8, %k[n]\n\t"
    CHACHA_ASM_WITH_TEXT("1", CHACHA_ASM_TEXT)
    "movl $2, %k[n]\n\t"
    ".p2align 6\n"
    "2:\n\t"
    CHACHA_ASM_DIAGONALS(CHACHA_ASM_NONE, CHACHA_ASM_NO_LANE)
    "decl %k[n]\n\t"
    "jz 3f\n\t"
    CHACHA_ASM_COLUMNS(CHACHA_ASM_NONE, CHACHA_ASM_NO_LANE)
    "jmp 2b\n"
    "3:\n\t"
    CHACHA_ASM_ALL(CHACHA_ASM_ADD)
    CHACHA_ASM_STORE_FIRST(0, 1, 0) CHACHA_ASM_STORE(2, 3, 256) CHACHA_ASM_STORE(4, 5, 512) CHACHA_ASM_STORE(6, 7, 768)
    CHACHA_ASM_STORE(8, 9, 1024) CHACHA_ASM_STORE(10, 11, 1280) CHACHA_ASM_STORE(12, 13, 1536)
    CHACHA_ASM_STORE(14, 15, 1792)
    CHACHA_ASM_STORE(16, 17, 64) CHACHA_ASM_STORE(18, 19, 320) CHACHA_ASM_STORE(20, 21, 576)
    CHACHA_ASM_STORE(22, 23, 832) CHACHA_ASM_STORE(24, 25, 1088) CHACHA_ASM_STORE(26, 27, 1344)
    CHACHA_ASM_STORE(28, 29, 1600) CHACHA_ASM_STORE(30, 31, 1856)
      /* clang-format on */
      : [n] "=&r"(n), [x] "=&r"(x), [y] "=&r"(y), [z] "=&r"(z), [in] "=&r"(in), [to] "=&r"(to), [stream] "+&r"(stream),
        [lanes] "+&r"(lanes)
      : [start] "r"(start), [first] "r"(first), [out] "r"(out), [mask] "r"(mask)
      : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
        "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

INLINE void chacha_states(v *out, const v *start, const v *first, size_t n_states, v *stream,
                          const struct chapoly_lanes *lanes, bool seal) {
  if (n_states == 2) {
    chacha_two_states(out, start, first, stream, lanes, seal);
  } else {
    chacha_one_state(out, start, first);
  }
}

#endif
