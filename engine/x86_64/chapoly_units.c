/* chapoly_units.c - ChaCha20-Poly1305 in units of 64 bytes (RFC 8439 2.8) for x86: what widths without 32 registers have in common. */
#include "engine/x86_64/block.h"
#include "engine/x86_64/chapoly_macros.h"
#include "engine/x86_64/poly64_asm.h"

typedef __m128i v;

INLINE v block_of(uint64_t low, uint64_t high) {
  return _mm_set_epi64x((long long)high, (long long)low);
}
INLINE v block_xor(v a, v b) {
  return _mm_xor_si128(a, b);
}
INLINE v block_and(v a, v b) {
  return _mm_and_si128(a, b);
}

/* clang-format off */
/* n >= 1 blocks from m on. */
SHARED void hash_blocks(struct poly64 *hash, const uint8_t *m, uint64_t n) {
  uint64_t h0 = hash->h0, h1 = hash->h1, h2 = hash->h2, d0, d0_1, d1, low, high;
  __asm__ volatile(
      "1:\n\t"
      HASH_1 HASH_2 HASH_3 HASH_4 HASH_5 HASH_6 HASH_7 HASH_8
      "jnz 1b\n\t"
      : [h0] "+&r"(h0), [h1] "+&r"(h1), [h2] "+&r"(h2), [d0] "=&r"(d0), [d0_1] "=&r"(d0_1), [d1] "=&r"(d1),
        [n] "+&r"(n), [m] "+&r"(m), "=&a"(low), "=&d"(high)
      : [hash] "r"(hash), HASH_OPERANDS
      : "cc", "memory");
  hash->h0 = h0, hash->h1 = h1, hash->h2 = h2;
}
/* clang-format on */

#include "engine/chapoly_units.h"
