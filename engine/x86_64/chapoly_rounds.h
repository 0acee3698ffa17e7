/* chapoly_rounds.h - the twenty rounds of a ChaCha20 state in 16 registers (RFC 8439 2.3), and between their instructions Poly1305 in
 * general registers (engine/poly64.h).
 *
 * In assembly, for compilers neither keep an order nor a state in 16 registers. The state has twelve of them for rows a, b, d, two
 * for one half of row c, whose other half waits in memory, and two for rotations. A state waits for its own results one cycle of
 * four; Poly1305, which waits for its own nearly always, goes into that. It must come a few instructions at a time: schedulers
 * that are full of what waits have no room for what need not. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_ROUNDS_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_ROUNDS_H

#include "engine/x86_64/poly64_asm.h"

/* clang-format off */

/* Two quarter rounds (RFC 8439 2.1) side by side, of registers a, b, c, d and e, f, g, h; and eight pieces of something else. */
#define ROUNDS_PAIR(a, b, c, d, e, f, g, h, P1, P2, P3, P4, P5, P6, P7, P8)                                            \
  ROUNDS_ADD(b, a) ROUNDS_ADD(f, e) ROUNDS_XOR(a, d) ROUNDS_XOR(e, h) P1                                               \
  ROUNDS_BYTES(16, d) ROUNDS_BYTES(16, h) ROUNDS_ADD(d, c) ROUNDS_ADD(h, g) P2                                         \
  ROUNDS_XOR(c, b) ROUNDS_XOR(g, f) ROUNDS_BITS(12, 20, b, 10) P3 ROUNDS_BITS(12, 20, f, 11)                           \
  ROUNDS_ADD(b, a) ROUNDS_ADD(f, e) P4 ROUNDS_XOR(a, d) ROUNDS_XOR(e, h)                                               \
  ROUNDS_BYTES(8, d) ROUNDS_BYTES(8, h) P5 ROUNDS_ADD(d, c) ROUNDS_ADD(h, g) ROUNDS_XOR(c, b) P6 ROUNDS_XOR(g, f)      \
  ROUNDS_BITS(7, 25, b, 10) P7 ROUNDS_BITS(7, 25, f, 11) P8
#define ROUNDS_PAIR_OF(...) ROUNDS_PAIR(__VA_ARGS__)

/* The halves of row c change places: one goes to vector `to` of out, the other comes from there. */
#define ROUNDS_OTHER(to, to_1, from, from_1)                                                                           \
  ROUNDS_STORE_AT(8, to) ROUNDS_STORE_AT(9, to_1) ROUNDS_LOAD_AT(out, from, 8) ROUNDS_LOAD_AT(out, from_1, 9)

/* Columns, then diagonals. P and Q are eight pieces each. */
#define ROUNDS_DOUBLE(P, Q)                                                                                            \
  ROUNDS_PAIR_OF(0, 4, 8, 12, 1, 5, 9, 13, P)                                                                          \
  ROUNDS_OTHER(8, 9, 10, 11)                                                                                           \
  ROUNDS_PAIR_OF(2, 6, 8, 14, 3, 7, 9, 15, Q)                                                                          \
  ROUNDS_PAIR_OF(0, 5, 8, 15, 1, 6, 9, 12, P)                                                                          \
  ROUNDS_OTHER(10, 11, 8, 9)                                                                                           \
  ROUNDS_PAIR_OF(2, 7, 8, 13, 3, 4, 9, 14, Q)
#define ROUNDS_NOTHING "", "", "", "", "", "", "", ""

/* All but the half of row c that is in memory. */
#define ROUNDS_LOAD(i)  ROUNDS_LOAD_AT(start, i, i)
#define ROUNDS_STORE(i) ROUNDS_STORE_AT(i, i)
#define ROUNDS_EACH(X)  X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(12) X(13) X(14) X(15)

#define HASH_LOAD                                                                                                      \
  "movq %c[h](%[hash]), %[h0]\n\t"                                                                                     \
  "movq 8+%c[h](%[hash]), %[h1]\n\t"                                                                                   \
  "movq 16+%c[h](%[hash]), %[h2]\n\t"                                                                                  \
  "movq %c[n_blocks](%[hash]), %[n]\n\t"                                                                               \
  "movq %c[block](%[hash]), %[m]\n\t"
/* Behind a record's last block, the next record. One without blocks comes last and goes on for as long as it is let, to no effect. */
#define HASH_NEXT                                                                                                      \
  "jnz 4f\n\t"                                                                                                         \
  "movq %[h0], %c[h](%[hash])\n\t"                                                                                     \
  "movq %[h1], 8+%c[h](%[hash])\n\t"                                                                                   \
  "movq %[h2], 16+%c[h](%[hash])\n\t"                                                                                  \
  "addq %[size], %[hash]\n\t"                                                                                          \
  HASH_LOAD                                                                                                            \
  "4:\n\t"
/* out = the rounds of start; and between them n_blocks of the list of hashes. */
SHARED void chacha_one_state(w out[16], const w *start, struct chapoly_hash *hash, size_t n_blocks) {
  uint64_t h0, h1, h2, d0, d0_1, d1, n, low, high;
  uint64_t n_both = (n_blocks + HASH_BLOCKS - 1) / HASH_BLOCKS, n_alone = 10 - n_both; /* double rounds */
  const uint8_t *m;
  out[10] = start[10], out[11] = start[11];
  __asm__ volatile(
      ROUNDS_EACH(ROUNDS_LOAD)
      "cmpq $0, %[both]\n\t"
      "je 2f\n\t"
      HASH_LOAD
      ".p2align 5\n"
      "1:\n\t"
      ROUNDS_DOUBLE(HASH_WITH_FIRST, HASH_WITH_SECOND)
      "decq %[both]\n\t"
      "jnz 1b\n"
      "2:\n\t"
      "cmpq $0, %[alone]\n\t"
      "je 4f\n\t"
      ".p2align 5\n"
      "3:\n\t"
      ROUNDS_DOUBLE(ROUNDS_NOTHING, ROUNDS_NOTHING)
      "decq %[alone]\n\t"
      "jnz 3b\n"
      "4:\n\t"
      ROUNDS_EACH(ROUNDS_STORE)
      : [hash] "+&r"(hash), [h0] "=&r"(h0), [h1] "=&r"(h1), [h2] "=&r"(h2), [d0] "=&r"(d0), [d0_1] "=&r"(d0_1),
        [d1] "=&r"(d1), [n] "=&r"(n), [m] "=&r"(m), "=&a"(low), "=&d"(high), [both] "+m"(n_both), [alone] "+m"(n_alone)
      : [start] "r"(start), [out] "r"(out),
        [bytes16] "m"(rounds_bytes[0]), [bytes8] "m"(rounds_bytes[1]), HASH_OPERANDS,
        [n_blocks] "i"(offsetof(struct chapoly_hash, n_blocks)), [block] "i"(offsetof(struct chapoly_hash, block)),
        [size] "i"(sizeof(struct chapoly_hash))
      : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15");
}

_Static_assert(offsetof(struct chapoly_hash, poly) == 0, "a hash begins with what HASH_OPERANDS are of");

/* clang-format on */

#endif
