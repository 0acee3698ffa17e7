/* chacha20.h - the ChaCha20 key stream (RFC 8439 2.3), four blocks at once.
 *
 * The compiler's vector type holds one word of the state for four blocks with successive counters; where the machine has
 * no vectors the compiler makes four words of it. The code reads like the RFC's for one block. */
#ifndef SEALANE_ENGINE_PORTABLE_CHACHA20_H
#define SEALANE_ENGINE_PORTABLE_CHACHA20_H

#include "engine/bytes.h"
#include "engine/portable/unroll.h"

#define SL_CHACHA20_STREAM_LEN 256u /* calc: 4 * 64 */

typedef uint32_t sl_u32x4 __attribute__((vector_size(16)));

static inline sl_u32x4 sl_u32x4_set(uint32_t a) {
  return (sl_u32x4){a, a, a, a};
}
static inline sl_u32x4 sl_u32x4_rotate(sl_u32x4 a, int n) {
  return a << n | a >> (32 - n);
}

/* RFC 8439 2.1 */
static inline void sl_chacha20_quarter_round(sl_u32x4 *a, sl_u32x4 *b, sl_u32x4 *c, sl_u32x4 *d) {
  *a += *b, *d = sl_u32x4_rotate(*d ^ *a, 16);
  *c += *d, *b = sl_u32x4_rotate(*b ^ *c, 12);
  *a += *b, *d = sl_u32x4_rotate(*d ^ *a, 8);
  *c += *d, *b = sl_u32x4_rotate(*b ^ *c, 7);
}

/* Words i..i+3 of four blocks to where they belong in the stream, which is a transposition: x[w] has word w of blocks 0 to
 * 3, and each store takes words 0 to 3 of one block. */
static inline void sl_chacha20_store4(uint8_t *stream, const sl_u32x4 x[static 4]) {
  sl_u32x4 low01 = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5); /* words 0 and 1 of block 0, of block 1 */
  sl_u32x4 low23 = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5);
  sl_u32x4 high01 = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7); /* of block 2, of block 3 */
  sl_u32x4 high23 = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
  sl_u32x4 blocks[4] = {
      __builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
      __builtin_shufflevector(high01, high23, 0, 1, 4, 5), __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
  SL_UNROLL
  for (unsigned b = 0; b < 4; b++) memcpy(stream + 64 * b, &blocks[b], 16);
}

/* stream = blocks counter .. counter + 3. */
static inline void sl_chacha20_blocks4(uint8_t stream[static SL_CHACHA20_STREAM_LEN], const uint8_t key[static 32],
                                       const uint8_t nonce[static 12], uint32_t counter) {
  static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */
  sl_u32x4 start[16], x[16];
  for (unsigned i = 0; i < 4; i++) start[i] = sl_u32x4_set(constants[i]);
  for (unsigned i = 0; i < 8; i++) start[4 + i] = sl_u32x4_set(sl_load32_le(key + 4 * i));
  start[12] = sl_u32x4_set(counter) + (sl_u32x4){0, 1, 2, 3};
  for (unsigned i = 0; i < 3; i++) start[13 + i] = sl_u32x4_set(sl_load32_le(nonce + 4 * i));

  memcpy(x, start, sizeof x);
  for (unsigned i = 0; i < 10; i++) {
    SL_UNROLL
    for (unsigned c = 0; c < 4; c++) sl_chacha20_quarter_round(&x[c], &x[4 + c], &x[8 + c], &x[12 + c]);
    SL_UNROLL
    for (unsigned c = 0; c < 4; c++) /* diagonals */
      sl_chacha20_quarter_round(&x[c], &x[4 + (c + 1) % 4], &x[8 + (c + 2) % 4], &x[12 + (c + 3) % 4]);
  }
  SL_UNROLL
  for (unsigned i = 0; i < 16; i++) x[i] += start[i];
  for (unsigned i = 0; i < 16; i += 4) sl_chacha20_store4(stream + 4 * i, x + i);
  sl_wipe(start, sizeof start);
  sl_wipe(x, sizeof x);
}

#endif
