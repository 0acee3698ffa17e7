/* port_loops.c - x86-64: AES, carry-less products, logic, shuffles, adds, rotations and multiply-adds in all widths.
 *
 * Registers: 15 and 14 are only read; where an instruction allows it, results go to registers nothing reads, and where it
 * does not (two-operand SSE, accumulators) to several in turn. What they hold does not matter.
 * No ISA flags: the assembler takes every instruction, the compiler itself uses none of them, and it is told of the 16
 * registers it knows. */
#include "../port_loops.h"

/* op a, b, d: d = b op a. SSE has two operands: there b stands for d. */
#define OP_128(op, a, b, d)       op " %%xmm" #a ", %%xmm" #d "\n\t"
#define OP_256(op, a, b, d)       "v" op " %%ymm" #a ", %%ymm" #b ", %%ymm" #d "\n\t"
#define OP_512(op, a, b, d)       "v" op " %%zmm" #a ", %%zmm" #b ", %%zmm" #d "\n\t"
#define IMM_128(op, imm, a, b, d) op " $" #imm ", %%xmm" #a ", %%xmm" #d "\n\t"
#define IMM_256(op, imm, a, b, d) "v" op " $" #imm ", %%ymm" #a ", %%ymm" #b ", %%ymm" #d "\n\t"
#define IMM_512(op, imm, a, b, d) "v" op " $" #imm ", %%zmm" #a ", %%zmm" #b ", %%zmm" #d "\n\t"
/* op imm, a, d, in every encoding. */
#define MOV_128(op, imm, a, d) op " $" #imm ", %%xmm" #a ", %%xmm" #d "\n\t"
#define MOV_256(op, imm, a, d) "v" op " $" #imm ", %%ymm" #a ", %%ymm" #d "\n\t"
#define MOV_512(op, imm, a, d) "v" op " $" #imm ", %%zmm" #a ", %%zmm" #d "\n\t"
/* Shifts by a constant: SSE shifts in place. */
#define SHIFT_128(op, imm, a, d) op " $" #imm ", %%xmm" #d "\n\t"
#define SHIFT_256                MOV_256
#define SHIFT_512                MOV_512
/* The same with names EVEX spells otherwise. */
#define XOR_128(a, b, d)   OP_128("pxor", a, b, d)
#define XOR_256(a, b, d)   OP_256("pxor", a, b, d)
#define XOR_512(a, b, d)   OP_512("pxorq", a, b, d)
#define LOGIC_128(a, b, d) OP_128("pand", a, b, d)
#define LOGIC_256(a, b, d) OP_256("pand", a, b, d)
#define LOGIC_512(a, b, d) OP_512("pandq", a, b, d)

#define CLOBBERS                                                                                                       \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",  \
      "xmm14", "xmm15", "cc"

/* The end differs: upper halves left dirty would slow down the SSE code that follows. */
#define END_128 ""
#define END_256 "vzeroupper\n\t"
#define END_512 "vzeroupper\n\t"
#define LOOP(name, bits, body)                                                                                         \
  static void name##_##bits(size_t n) {                                                                                \
    __asm__ volatile(".p2align 6\n"                                                                                    \
                     "1:\n\t" body "dec %0\n\t"                                                                        \
                     "jnz 1b\n\t" END_##bits                                                                           \
                     : "+r"(n)                                                                                         \
                     :                                                                                                 \
                     : CLOBBERS);                                                                                      \
  }
#define REPEAT(n, body) ".rept " #n "\n\t" body ".endr\n\t"

/* ---- one instruction ----------------------------------------------------------------------------------------- */

/* Twelve at a time hide a latency of six cycles at two a cycle. */
#define TWELVE(F)                                                                                                      \
  F(0)                                                                                                                 \
  F(1)                                                                                                                 \
  F(2)                                                                                                                 \
  F(3)                                                                                                                 \
  F(4)                                                                                                                 \
  F(5)                                                                                                                 \
  F(6)                                                                                                                 \
  F(7)                                                                                                                 \
  F(8)                                                                                                                 \
  F(9)                                                                                                                 \
  F(10)                                                                                                                \
  F(11)
enum { PER_RUN = 8 * 12 };
#define INSTRUCTION(name, bits, F) LOOP(name, bits, REPEAT(8, TWELVE(F)))

#define F(d) OP_128("aesenc", 15, d, d)
INSTRUCTION(aesenc, 128, F)
#undef F
#define F(d) OP_256("aesenc", 15, d, d)
INSTRUCTION(aesenc, 256, F)
#undef F
#define F(d) OP_512("aesenc", 15, d, d)
INSTRUCTION(aesenc, 512, F)
#undef F
#define F(d) IMM_128("pclmulqdq", 0x00, 15, d, d)
INSTRUCTION(pclmulqdq, 128, F)
#undef F
#define F(d) IMM_256("pclmulqdq", 0x00, 15, 14, d)
INSTRUCTION(pclmulqdq, 256, F)
#undef F
#define F(d) IMM_512("pclmulqdq", 0x00, 15, 14, d)
INSTRUCTION(pclmulqdq, 512, F)
#undef F
#define F(d) XOR_128(15, 14, d)
INSTRUCTION(pxor, 128, F)
#undef F
#define F(d) XOR_256(15, 14, d)
INSTRUCTION(pxor, 256, F)
#undef F
#define F(d) XOR_512(15, 14, d)
INSTRUCTION(pxor, 512, F)
#undef F
#define F(d) "vpternlogq $0x96, %%ymm15, %%ymm14, %%ymm" #d "\n\t"
INSTRUCTION(pternlog, 256, F)
#undef F
#define F(d) "vpternlogq $0x96, %%zmm15, %%zmm14, %%zmm" #d "\n\t"
INSTRUCTION(pternlog, 512, F)
#undef F
#define F(d) OP_128("pshufb", 15, 14, d)
INSTRUCTION(pshufb, 128, F)
#undef F
#define F(d) OP_256("pshufb", 15, 14, d)
INSTRUCTION(pshufb, 256, F)
#undef F
#define F(d) OP_512("pshufb", 15, 14, d)
INSTRUCTION(pshufb, 512, F)
#undef F
#define F(d) OP_128("paddd", 15, 14, d)
INSTRUCTION(paddd, 128, F)
#undef F
#define F(d) OP_256("paddd", 15, 14, d)
INSTRUCTION(paddd, 256, F)
#undef F
#define F(d) OP_512("paddd", 15, 14, d)
INSTRUCTION(paddd, 512, F)
#undef F
#define F(d) SHIFT_128("psrlq", 7, 15, d)
INSTRUCTION(psrlq, 128, F)
#undef F
#define F(d) SHIFT_256("psrlq", 7, 15, d)
INSTRUCTION(psrlq, 256, F)
#undef F
#define F(d) SHIFT_512("psrlq", 7, 15, d)
INSTRUCTION(psrlq, 512, F)
#undef F
#define F(d) MOV_256("prold", 7, 15, d)
INSTRUCTION(prold, 256, F)
#undef F
#define F(d) MOV_512("prold", 7, 15, d)
INSTRUCTION(prold, 512, F)
#undef F
#define F(d) OP_128("pmuludq", 15, 14, d)
INSTRUCTION(pmuludq, 128, F)
#undef F
#define F(d) OP_256("pmuludq", 15, 14, d)
INSTRUCTION(pmuludq, 256, F)
#undef F
#define F(d) OP_512("pmuludq", 15, 14, d)
INSTRUCTION(pmuludq, 512, F)
#undef F
#define F(d) OP_256("pmadd52luq", 15, 14, d)
INSTRUCTION(pmadd52, 256, F)
#undef F
#define F(d) OP_512("pmadd52luq", 15, 14, d)
INSTRUCTION(pmadd52, 512, F)
#undef F

/* ---- AES-GCM -------------------------------------------------------------------------------------------------- */

/* Eight vectors: 0-7 are AES states. Meanwhile GHASH takes eight others two by two, in four parts: 8-11 and 16-21 are
 * data and products, 12-14 the sums low, mid, high. The parts stand between the rounds of AES because a scheduler that
 * gives instructions their port in program order would not spread them otherwise.
 * Reductions are left out: a kernel may put them off as long as it likes. */
#define AES_A(bits, op) OP_##bits(op, 15, 0, 0) OP_##bits(op, 15, 1, 1) OP_##bits(op, 15, 2, 2) OP_##bits(op, 15, 3, 3)
#define AES_B(bits, op) OP_##bits(op, 15, 4, 4) OP_##bits(op, 15, 5, 5) OP_##bits(op, 15, 6, 6) OP_##bits(op, 15, 7, 7)
/* What two-operand code moves out of the way first; the others do not need to. */
#define FRESH_128(d) "movdqa %%xmm15, %%xmm" #d "\n\t"
#define FRESH_256(d)
#define CLMUL(bits, halves, a, d) IMM_##bits("pclmulqdq", halves, 15, a, d)

/* A vector's products, four or (Karatsuba's) three, and their sums. */
#define FOUR_A(bits)                                                                                                   \
  FRESH_##bits(8) OP_##bits("pshufb", 15, 15, 8) FRESH_##bits(9) CLMUL(bits, 0x00, 8, 9) FRESH_##bits(10)              \
      CLMUL(bits, 0x10, 8, 10)
#define FOUR_B(bits)                                                                                                   \
  FRESH_##bits(11) CLMUL(bits, 0x01, 8, 11) CLMUL(bits, 0x11, 8, 8) XOR_##bits(9, 12, 12) XOR_##bits(10, 13, 13)       \
      XOR_##bits(11, 13, 13) XOR_##bits(8, 14, 14)
#define THREE_A(bits)                                                                                                  \
  FRESH_##bits(8) OP_##bits("pshufb", 15, 15, 8) FRESH_##bits(10) CLMUL(bits, 0x00, 8, 10)                             \
      MOV_##bits("pshufd", 0x4e, 8, 9) XOR_##bits(8, 9, 9)
#define THREE_B(bits)                                                                                                  \
  FRESH_##bits(11) CLMUL(bits, 0x11, 8, 11) CLMUL(bits, 0x00, 9, 9) XOR_##bits(10, 12, 12) XOR_##bits(9, 13, 13)       \
      XOR_##bits(11, 14, 14)
#define PART_1_FOUR_128  FOUR_A(128)
#define PART_2_FOUR_128  FOUR_B(128)
#define PART_3_FOUR_128  FOUR_A(128)
#define PART_4_FOUR_128  FOUR_B(128)
#define PART_1_THREE_128 THREE_A(128)
#define PART_2_THREE_128 THREE_B(128)
#define PART_3_THREE_128 THREE_A(128)
#define PART_4_THREE_128 THREE_B(128)
#define PART_1_FOUR_256  FOUR_A(256)
#define PART_2_FOUR_256  FOUR_B(256)
#define PART_3_FOUR_256  FOUR_A(256)
#define PART_4_FOUR_256  FOUR_B(256)
#define PART_1_THREE_256 THREE_A(256)
#define PART_2_THREE_256 THREE_B(256)
#define PART_3_THREE_256 THREE_A(256)
#define PART_4_THREE_256 THREE_B(256)
/* EVEX has registers for both vectors and adds three values at once. */
#define XOR3(a, b, d)   "vpternlogq $0x96, %%zmm" #a ", %%zmm" #b ", %%zmm" #d "\n\t"
#define PART_1_FOUR_512 OP_512("pshufb", 15, 15, 8) CLMUL(512, 0x00, 8, 9) CLMUL(512, 0x10, 8, 10)
#define PART_2_FOUR_512 CLMUL(512, 0x01, 8, 11) CLMUL(512, 0x11, 8, 16) XOR3(10, 11, 13)
#define PART_3_FOUR_512 OP_512("pshufb", 15, 15, 17) CLMUL(512, 0x00, 17, 18) CLMUL(512, 0x10, 17, 19) XOR3(9, 18, 12)
#define PART_4_FOUR_512 CLMUL(512, 0x01, 17, 20) CLMUL(512, 0x11, 17, 21) XOR3(19, 20, 13) XOR3(16, 21, 14)
#define PART_1_THREE_512                                                                                               \
  OP_512("pshufb", 15, 15, 8) MOV_512("pshufd", 0x4e, 8, 9) CLMUL(512, 0x00, 8, 10) XOR_512(8, 9, 9)
#define PART_2_THREE_512 CLMUL(512, 0x00, 9, 11) CLMUL(512, 0x11, 8, 16)
#define PART_3_THREE_512                                                                                               \
  OP_512("pshufb", 15, 15, 17)                                                                                         \
  MOV_512("pshufd", 0x4e, 17, 18) CLMUL(512, 0x00, 17, 19) XOR_512(17, 18, 18) XOR3(10, 19, 12)
#define PART_4_THREE_512 CLMUL(512, 0x00, 18, 20) CLMUL(512, 0x11, 17, 21) XOR3(11, 20, 13) XOR3(16, 21, 14)

/* Two rounds of AES for eight vectors, with GHASH of two, whose texts are joined with the key stream. */
#define ROUNDS_2(bits, how)                                                                                            \
  AES_A(bits, "aesenc")                                                                                                \
  PART_1_##how##_##bits AES_B(bits, "aesenc") PART_2_##how##_##bits XOR_##bits(15, 14, 8) AES_A(bits, "aesenc")        \
      PART_3_##how##_##bits                                                                                            \
      AES_B(bits, "aesenc") PART_4_##how##_##bits XOR_##bits(15, 14, 8)
#define ROUND(bits, op) AES_A(bits, op) AES_B(bits, op)
/* Counters of eight vectors. */
#define COUNT_8(bits)                                                                                                  \
  OP_##bits("paddd", 15, 15, 0) OP_##bits("paddd", 15, 15, 1) OP_##bits("paddd", 15, 15, 2)                            \
      OP_##bits("paddd", 15, 15, 3) OP_##bits("paddd", 15, 15, 4) OP_##bits("paddd", 15, 15, 5)                        \
          OP_##bits("paddd", 15, 15, 6) OP_##bits("paddd", 15, 15, 7)

#define GCM_128(bits, how) COUNT_8(bits) ROUND(bits, "aesenc") REPEAT(4, ROUNDS_2(bits, how)) ROUND(bits, "aesenclast")
#define GCM_256(bits, how)                                                                                             \
  COUNT_8(bits) ROUND(bits, "aesenc") REPEAT(4, ROUNDS_2(bits, how) ROUND(bits, "aesenc")) ROUND(bits, "aesenclast")
#define GHASH(bits, how)                                                                                               \
  REPEAT(4, PART_1_##how##_##bits PART_2_##how##_##bits PART_3_##how##_##bits PART_4_##how##_##bits)
#define GCM_LOOPS(bits)                                                                                                \
  LOOP(gcm128_four, bits, GCM_128(bits, FOUR))                                                                         \
  LOOP(gcm128_three, bits, GCM_128(bits, THREE))                                                                       \
  LOOP(gcm256_four, bits, GCM_256(bits, FOUR))                                                                         \
  LOOP(gcm256_three, bits, GCM_256(bits, THREE))                                                                       \
  LOOP(ghash_four, bits, GHASH(bits, FOUR))                                                                            \
  LOOP(ghash_three, bits, GHASH(bits, THREE))
GCM_LOOPS(128)
GCM_LOOPS(256)
GCM_LOOPS(512)

/* ---- ChaCha20-Poly1305 ---------------------------------------------------------------------------------------- */

/* Four independent ones. */
#define OP_4(bits, op)                                                                                                 \
  OP_##bits(op, 15, 14, 0) OP_##bits(op, 15, 14, 1) OP_##bits(op, 15, 14, 2) OP_##bits(op, 15, 14, 3)
#define XOR_4(bits)   XOR_##bits(15, 14, 4) XOR_##bits(15, 14, 5) XOR_##bits(15, 14, 6) XOR_##bits(15, 14, 7)
#define LOGIC_4(bits) LOGIC_##bits(15, 14, 4) LOGIC_##bits(15, 14, 5) LOGIC_##bits(15, 14, 6) LOGIC_##bits(15, 14, 7)
#define SHIFT_4(bits, op)                                                                                              \
  SHIFT_##bits(op, 7, 15, 8) SHIFT_##bits(op, 7, 15, 9) SHIFT_##bits(op, 7, 15, 10) SHIFT_##bits(op, 7, 15, 11)

/* A double round is 32 additions, 32 exclusive ors and 32 rotations of all words; ten of them, then the sum with the input and half of the
 * transposition from word-wise to block-wise. Text and the other half have other ports (docs/decisions/0010). A quarter of the
 * time. */
#define CHACHA_QUARTER_512 REPEAT(5, OP_4(512, "paddd") XOR_4(512) SHIFT_4(512, "prold"))
#define CHACHA_REST_512    OP_4(512, "paddd") OP_4(512, "punpckldq")
#define CHACHA_512         REPEAT(4, CHACHA_QUARTER_512) CHACHA_REST_512
/* Poly1305 in limbs of 52 bits, twice eight blocks at once, each 2 unpacks, 2 shifts and 17 multiply-adds, and of these one as its
 * share of carries, which many products have together. */
#define POLY_QUARTER_512 REPEAT(2, OP_4(512, "pmadd52luq"))
#define POLY_REST_512    OP_4(512, "pmadd52luq") OP_4(512, "punpckldq") SHIFT_4(512, "psrlq")
LOOP(chapoly, 512, REPEAT(4, CHACHA_QUARTER_512 POLY_QUARTER_512) CHACHA_REST_512 POLY_REST_512)
LOOP(chacha, 512, CHACHA_512)

/* Without EVEX: rotations by 16 and 8 are byte shuffles, those by 12 and 7 two shifts and an or; Poly1305 has five limbs
 * of 26 bits, 25 products and as many additions for 4 (2) blocks. The text is the same for both widths, its bytes are
 * 256 or 128. */
#define CHACHA_FIFTH(bits)                                                                                             \
  REPEAT(2, OP_4(bits, "paddd") XOR_4(bits))                                                                           \
  OP_4(bits, "pshufb") SHIFT_4(bits, "pslld") SHIFT_4(bits, "psrld") LOGIC_4(bits)
#define CHACHA_REST(bits)  REPEAT(2, OP_4(bits, "paddd") XOR_4(bits))
#define POLY_QUARTER(bits) REPEAT(2, OP_4(bits, "punpckldq") SHIFT_4(bits, "psrlq") LOGIC_4(bits) OP_4(bits, "paddq"))
#define POLY_REST(bits)    REPEAT(5, OP_4(bits, "pmuludq")) REPEAT(2, OP_4(bits, "paddq")) LOGIC_4(bits)
#define CHAPOLY(bits)                                                                                                  \
  REPEAT(4, REPEAT(5, CHACHA_FIFTH(bits) OP_4(bits, "pmuludq") OP_4(bits, "paddq")) POLY_QUARTER(bits))                \
  CHACHA_REST(bits)                                                                                                    \
  POLY_REST(bits)
#define CHACHA(bits)                                                                                                   \
  REPEAT(4, REPEAT(5, CHACHA_FIFTH(bits)) OP_4(bits, "punpckldq"))                                                     \
  CHACHA_REST(bits)                                                                                                    \
  REPEAT(2, OP_4(bits, "punpckld"                                                                                      \
                       "q"))
LOOP(chapoly, 128, CHAPOLY(128))
LOOP(chacha, 128, CHACHA(128))
LOOP(chapoly, 256, CHAPOLY(256))
LOOP(chacha, 256, CHACHA(256))

/* ---- the list -------------------------------------------------------------------------------------------------- */

#define ROW(text, width, features, symbol)                                                                             \
  { .name = text, .bits = width, .needs = features, .run = symbol##_##width, .n_per_run = PER_RUN }
#define MIX(text, width, features, symbol, bytes, what, suite)                                                         \
  {                                                                                                                    \
    .name = text, .bits = width, .needs = features, .run = symbol##_##width, .n_per_run = bytes, .role = what,         \
    .aead = suite                                                                                                      \
  }
#define GCM_MIXES(width, features)                                                                                     \
  MIX("aes-128-gcm, 4 products", width, features, gcm128_four, width, PORT_TEXT, SL_AES_128_GCM),                      \
      MIX("aes-128-gcm, 3 products", width, features, gcm128_three, width, PORT_TEXT, SL_AES_128_GCM),                 \
      MIX("aes-256-gcm, 4 products", width, features, gcm256_four, width, PORT_TEXT, SL_AES_256_GCM),                  \
      MIX("aes-256-gcm, 3 products", width, features, gcm256_three, width, PORT_TEXT, SL_AES_256_GCM),                 \
      MIX("ghash, 4 products", width, features, ghash_four, width, PORT_ONCE, SL_AES_128_GCM),                         \
      MIX("ghash, 3 products", width, features, ghash_three, width, PORT_ONCE, SL_AES_128_GCM)
/* Eight vectors of `bits` bits are as many bytes. */

const struct port_loop port_loops[] = {
    ROW("aesenc", 128, "aes", aesenc),
    ROW("vaesenc", 256, "vaes avx2", aesenc),
    ROW("vaesenc", 512, "vaes avx512f", aesenc),
    ROW("pclmulqdq", 128, "pclmulqdq", pclmulqdq),
    ROW("vpclmulqdq", 256, "vpclmulqdq avx2", pclmulqdq),
    ROW("vpclmulqdq", 512, "vpclmulqdq avx512f", pclmulqdq),
    ROW("pxor", 128, "", pxor),
    ROW("vpxor", 256, "avx2", pxor),
    ROW("vpxorq", 512, "avx512f", pxor),
    ROW("vpternlogq", 256, "avx512f avx512vl", pternlog),
    ROW("vpternlogq", 512, "avx512f", pternlog),
    ROW("pshufb", 128, "ssse3", pshufb),
    ROW("vpshufb", 256, "avx2", pshufb),
    ROW("vpshufb", 512, "avx512f avx512bw", pshufb),
    ROW("paddd", 128, "", paddd),
    ROW("vpaddd", 256, "avx2", paddd),
    ROW("vpaddd", 512, "avx512f", paddd),
    ROW("psrlq", 128, "", psrlq),
    ROW("vpsrlq", 256, "avx2", psrlq),
    ROW("vpsrlq", 512, "avx512f", psrlq),
    ROW("vprold", 256, "avx512f avx512vl", prold),
    ROW("vprold", 512, "avx512f", prold),
    ROW("pmuludq", 128, "", pmuludq),
    ROW("vpmuludq", 256, "avx2", pmuludq),
    ROW("vpmuludq", 512, "avx512f", pmuludq),
    ROW("vpmadd52luq", 256, "avx512ifma avx512vl", pmadd52),
    ROW("vpmadd52luq", 512, "avx512ifma", pmadd52),
    GCM_MIXES(128, "aes pclmulqdq ssse3"),
    GCM_MIXES(256, "vaes vpclmulqdq avx2"),
    GCM_MIXES(512, "vaes vpclmulqdq avx512f avx512bw"),
    MIX("chacha20-poly1305", 128, "ssse3", chapoly, 128, PORT_TEXT, SL_CHACHA20_POLY1305),
    MIX("chacha20-poly1305", 256, "avx2", chapoly, 256, PORT_TEXT, SL_CHACHA20_POLY1305),
    MIX("chacha20-poly1305", 512, "avx512ifma avx512f avx512bw", chapoly, 256, PORT_TEXT, SL_CHACHA20_POLY1305),
    MIX("chacha20", 128, "ssse3", chacha, 128, PORT_ONCE, SL_CHACHA20_POLY1305),
    MIX("chacha20", 256, "avx2", chacha, 256, PORT_ONCE, SL_CHACHA20_POLY1305),
    MIX("chacha20", 512, "avx512f", chacha, 256, PORT_ONCE, SL_CHACHA20_POLY1305),
};
const size_t n_port_loops = sizeof port_loops / sizeof port_loops[0];
