/* chapoly_units.c - ChaCha20-Poly1305 in units of 64 bytes (RFC 8439 2.8) for NEON. */
#include "engine/aarch64/block.h"
#include "engine/poly64.h"

#define INLINE static inline __attribute__((always_inline))
#define SHARED static __attribute__((noinline)) /* a function of its own, once */

INLINE v block_xor(v a, v b) {
  return veorq_u8(a, b);
}
INLINE v block_and(v a, v b) {
  return vandq_u8(a, b);
}

/* n >= 1 blocks. */
SHARED void hash_blocks(struct poly64 *hash, const uint8_t *block, uint64_t n) {
  struct poly64 poly = *hash;
  for (; n > 0; n--, block += 16) poly64_block(&poly, block);
  *hash = poly;
}

#include "engine/chapoly_units.h"
