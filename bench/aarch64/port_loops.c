/* port_loops.c - AArch64: AES, polynomial products, logic, shuffles, adds, shifts and multiply-adds of 128-bit vectors.
 *
 * Registers: v28-v31 are only read; results go to registers nothing reads, or, where an instruction adds to its result,
 * to several in turn. What they hold does not matter. */
#include "../port_loops.h"

#define CLOBBERS                                                                                                       \
  "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17",  \
      "v18", "v19", "v20", "v21", "cc"
#define LOOP(name, body)                                                                                               \
  static void name(size_t n) {                                                                                         \
    __asm__ volatile(".p2align 6\n"                                                                                    \
                     "1:\n\t" body "subs %0, %0, #1\n\t"                                                               \
                     "b.ne 1b\n\t"                                                                                     \
                     : "+r"(n)                                                                                         \
                     :                                                                                                 \
                     : CLOBBERS);                                                                                      \
  }
#define REPEAT(n, body)          ".rept " #n "\n\t" body ".endr\n\t"
#define OP3(op, type, d, a, b)   op " v" #d "." type ", v" #a "." type ", v" #b "." type "\n\t"
#define IMM(op, type, imm, d, a) op " v" #d "." type ", v" #a "." type ", #" #imm "\n\t"

/* ---- one instruction ----------------------------------------------------------------------------------------- */

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
#define INSTRUCTION(name, F) LOOP(name, REPEAT(8, TWELVE(F)))

/* The two halves of a round stand side by side, where cores fuse them. */
#define AESE(d)         "aese v" #d ".16b, v31.16b\n\t"
#define ROUND(d)        AESE(d) "aesmc v" #d ".16b, v" #d ".16b\n\t"
#define PMULL(d, a, b)  "pmull v" #d ".1q, v" #a ".1d, v" #b ".1d\n\t"
#define PMULL2(d, a, b) "pmull2 v" #d ".1q, v" #a ".2d, v" #b ".2d\n\t"
#define EOR(d, a, b)    OP3("eor", "16b", d, a, b)

INSTRUCTION(aese_aesmc, ROUND)
#define F(d) PMULL(d, 31, 30)
INSTRUCTION(pmull, F)
#undef F
#define F(d) EOR(d, 31, 30)
INSTRUCTION(eor, F)
#undef F
#define F(d) "eor3 v" #d ".16b, v31.16b, v30.16b, v29.16b\n\t"
INSTRUCTION(eor3, F)
#undef F
#define F(d) "tbl v" #d ".16b, {v31.16b}, v30.16b\n\t"
INSTRUCTION(tbl, F)
#undef F
#define F(d) OP3("add", "4s", d, 31, 30)
INSTRUCTION(add, F)
#undef F
#define F(d) IMM("shl", "4s", 7, d, 31)
INSTRUCTION(shl, F)
#undef F
#define F(d) IMM("sri", "4s", 25, d, 31)
INSTRUCTION(sri, F)
#undef F
#define F(d) "umlal v" #d ".2d, v31.2s, v30.2s\n\t"
INSTRUCTION(umlal, F)
#undef F

/* ---- AES-GCM -------------------------------------------------------------------------------------------------- */

/* Eight blocks: 0-7 are AES states. Meanwhile GHASH takes eight others, two by two: 8-11 and 16-19 are data and products,
 * 12-14 the sums low, mid, high. Reductions are left out: a kernel may put them off as long as it likes. */
#define ROUND_A       ROUND(0) ROUND(1) ROUND(2) ROUND(3)
#define ROUND_B       ROUND(4) ROUND(5) ROUND(6) ROUND(7)
#define FOUR_A        "rev64 v8.16b, v31.16b\n\t" PMULL(9, 8, 31) "ext v10.16b, v8.16b, v8.16b, #8\n\t" PMULL2(11, 8, 31)
#define FOUR_B        PMULL(16, 10, 31) PMULL2(17, 10, 31) EOR(12, 12, 9) EOR(14, 14, 11) EOR(13, 13, 16) EOR(13, 13, 17)
#define THREE_A       "rev64 v8.16b, v31.16b\n\t" PMULL(9, 8, 31) "ext v10.16b, v8.16b, v8.16b, #8\n\t" PMULL2(11, 8, 31)
#define THREE_B       EOR(10, 10, 8) PMULL(16, 10, 31) EOR(12, 12, 9) EOR(14, 14, 11) EOR(13, 13, 16)
#define ROUNDS_2(how) ROUND_A how##_A ROUND_B how##_B EOR(18, 31, 30) ROUND_A how##_A ROUND_B how##_B EOR(18, 31, 30)
#define COUNT_8                                                                                                        \
  OP3("add", "4s", 0, 31, 30)                                                                                          \
  OP3("add", "4s", 1, 31, 30)                                                                                          \
  OP3("add", "4s", 2, 31, 30)                                                                                          \
  OP3("add", "4s", 3, 31, 30)                                                                                          \
  OP3("add", "4s", 4, 31, 30)                                                                                          \
  OP3("add", "4s", 5, 31, 30) OP3("add", "4s", 6, 31, 30) OP3("add", "4s", 7, 31, 30)
#define LAST_8       AESE(0) AESE(1) AESE(2) AESE(3) AESE(4) AESE(5) AESE(6) AESE(7)
#define GCM_128(how) COUNT_8 ROUND_A ROUND_B REPEAT(4, ROUNDS_2(how)) LAST_8
#define GCM_256(how) COUNT_8 ROUND_A ROUND_B REPEAT(4, ROUNDS_2(how) ROUND_A ROUND_B) LAST_8
LOOP(gcm128_four, GCM_128(FOUR))
LOOP(gcm128_three, GCM_128(THREE))
LOOP(gcm256_four, GCM_256(FOUR))
LOOP(gcm256_three, GCM_256(THREE))
LOOP(ghash_four, REPEAT(8, FOUR_A FOUR_B))
LOOP(ghash_three, REPEAT(8, THREE_A THREE_B))

/* ---- ChaCha20-Poly1305 ---------------------------------------------------------------------------------------- */

/* For a block of 64 bytes, four being done at once: 84 additions and exclusive ors, 20 rotations each by 16 (rev32), 8
 * (tbl), 12 and 7 (shl, sri), 8 zips; Poly1305 in five limbs of 26 bits takes 25 products for two of its blocks. */
#define FOUR_OF(op, type)                                                                                              \
  OP3(op, type, 0, 31, 30) OP3(op, type, 1, 31, 30) OP3(op, type, 2, 31, 30) OP3(op, type, 3, 31, 30)
#define ROTATIONS                                                                                                      \
  "rev32 v4.8h, v31.8h\n\ttbl v5.16b, {v31.16b}, v30.16b\n\t" IMM("shl", "4s", 12, 6, 31) IMM("sri", "4s", 20, 6, 30)  \
      IMM("shl", "4s", 7, 7, 31) IMM("sri", "4s", 25, 7, 30)
#define CHACHA                                                                                                         \
  REPEAT(20, FOUR_OF("add", "4s") FOUR_OF("eor", "16b") ROTATIONS)                                                     \
  FOUR_OF("add", "4s") FOUR_OF("eor", "16b") REPEAT(2, FOUR_OF("zip1", "4s"))
#define UMLAL(d) "umlal v" #d ".2d, v31.2s, v30.2s\n\t"
#define POLY                                                                                                           \
  REPEAT(10, UMLAL(12) UMLAL(13) UMLAL(14) UMLAL(15) UMLAL(16))                                                        \
  REPEAT(4, IMM("ushr", "2d", 26, 8, 31) IMM("ushr", "2d", 26, 9, 31) IMM("ushr", "2d", 26, 10, 31)                    \
                IMM("ushr", "2d", 26, 11, 31) FOUR_OF("and", "16b"))                                                   \
  REPEAT(3, FOUR_OF("add", "2d"))
LOOP(chapoly, CHACHA POLY)
LOOP(chacha, CHACHA)

/* ---- the list -------------------------------------------------------------------------------------------------- */

#define ROW(text, features, symbol)                                                                                    \
  { .name = text, .bits = 128, .needs = features, .run = symbol, .n_per_run = PER_RUN }
#define MIX(text, features, symbol, bytes, what, suite)                                                                \
  { .name = text, .bits = 128, .needs = features, .run = symbol, .n_per_run = bytes, .role = what, .aead = suite }

const struct port_loop port_loops[] = {
    ROW("aese+aesmc", "aes_arm", aese_aesmc),
    ROW("pmull", "pmull", pmull),
    ROW("eor", "asimd", eor),
    ROW("eor3", "sha3", eor3),
    ROW("tbl", "asimd", tbl),
    ROW("add", "asimd", add),
    ROW("shl", "asimd", shl),
    ROW("sri", "asimd", sri),
    ROW("umlal", "asimd", umlal),
    MIX("aes-128-gcm, 4 products", "aes_arm pmull", gcm128_four, 128, PORT_TEXT, SL_AES_128_GCM),
    MIX("aes-128-gcm, 3 products", "aes_arm pmull", gcm128_three, 128, PORT_TEXT, SL_AES_128_GCM),
    MIX("aes-256-gcm, 4 products", "aes_arm pmull", gcm256_four, 128, PORT_TEXT, SL_AES_256_GCM),
    MIX("aes-256-gcm, 3 products", "aes_arm pmull", gcm256_three, 128, PORT_TEXT, SL_AES_256_GCM),
    MIX("ghash, 4 products", "pmull", ghash_four, 128, PORT_ONCE, SL_AES_128_GCM),
    MIX("ghash, 3 products", "pmull", ghash_three, 128, PORT_ONCE, SL_AES_128_GCM),
    MIX("chacha20-poly1305", "asimd", chapoly, 64, PORT_TEXT, SL_CHACHA20_POLY1305),
    MIX("chacha20", "asimd", chacha, 64, PORT_ONCE, SL_CHACHA20_POLY1305),
};
const size_t n_port_loops = sizeof port_loops / sizeof port_loops[0];
