/* poly64_asm.h - a block of engine/poly64.h in pieces of a few instructions, to go between others: compilers take its sums through
 * memory. */
#ifndef SEALANE_ENGINE_X86_64_POLY64_ASM_H
#define SEALANE_ENGINE_X86_64_POLY64_ASM_H

#include "engine/poly64.h"

/* clang-format off */

/* h = (h + block + 2^128) r in eight pieces, for which `hash` leads to r, m to the block. n counts blocks. */
#define HASH_1                                                                                                         \
  "addq (%[m]), %[h0]\n\t"                                                                                             \
  "adcq 8(%[m]), %[h1]\n\t"                                                                                            \
  "adcq $1, %[h2]\n\t"                                                                                                 \
  "movq %[h0], %%rax\n\t"
#define HASH_2 /* h0 r0 */                                                                                             \
  "mulq %c[r0](%[hash])\n\t"                                                                                           \
  "movq %%rax, %[d0]\n\t"                                                                                              \
  "movq %%rdx, %[d0_1]\n\t"                                                                                            \
  "movq %[h0], %%rax\n\t"
#define HASH_3 /* h0 r1; from here on [h0] is the upper half of d1 */                                                  \
  "mulq %c[r1](%[hash])\n\t"                                                                                           \
  "movq %%rax, %[d1]\n\t"                                                                                              \
  "movq %%rdx, %[h0]\n\t"                                                                                              \
  "movq %[h1], %%rax\n\t"
#define HASH_4 /* h1 s1 */                                                                                             \
  "mulq %c[s1](%[hash])\n\t"                                                                                           \
  "addq %%rax, %[d0]\n\t"                                                                                              \
  "adcq %%rdx, %[d0_1]\n\t"                                                                                            \
  "movq %[h1], %%rax\n\t"
#define HASH_5 /* h1 r0 */                                                                                             \
  "mulq %c[r0](%[hash])\n\t"                                                                                           \
  "addq %%rax, %[d1]\n\t"                                                                                              \
  "adcq %%rdx, %[h0]\n\t"                                                                                              \
  "movq %c[s1](%[hash]), %%rax\n\t"
#define HASH_6 /* h2 s1; h2 r0, which is all of d2 */                                                                  \
  "imulq %[h2], %%rax\n\t"                                                                                             \
  "imulq %c[r0](%[hash]), %[h2]\n\t"                                                                                   \
  "addq %%rax, %[d1]\n\t"                                                                                              \
  "adcq $0, %[h0]\n\t"
#define HASH_7 /* carries; rax and [h0] are four times what is over 2^130, and once */                                 \
  "addq %[d0_1], %[d1]\n\t"                                                                                            \
  "adcq %[h0], %[h2]\n\t"                                                                                              \
  "movq %[h2], %%rax\n\t"                                                                                              \
  "movq %[h2], %[h0]\n\t"                                                                                              \
  "andq $-4, %%rax\n\t"                                                                                                \
  "shrq $2, %[h0]\n\t"
#define HASH_8                                                                                                         \
  "andl $3, %k[h2]\n\t"                                                                                                \
  "addq %%rax, %[h0]\n\t"                                                                                              \
  "addq %[d0], %[h0]\n\t"                                                                                              \
  "movq %[d1], %[h1]\n\t"                                                                                              \
  "adcq $0, %[h1]\n\t"                                                                                                 \
  "adcq $0, %[h2]\n\t"                                                                                                 \
  "addq $16, %[m]\n\t"                                                                                                 \
  "decq %[n]\n\t"
#define HASH_OPERANDS                                                                                                  \
  [h] "i"(offsetof(struct poly64, h0)), [r0] "i"(offsetof(struct poly64, r0)),                   \
  [r1] "i"(offsetof(struct poly64, r1)), [s1] "i"(offsetof(struct poly64, s1))

/* clang-format on */

#endif
