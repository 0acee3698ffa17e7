/* chapoly_ends.h - the ends of texts for the widths without masks: 16 bytes at a time, from block.h. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_ENDS_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_ENDS_H

#include "engine/x86_64/block.h"
#include "engine/x86_64/chapoly_macros.h"

/* The first n <= 16 bytes of p, zeros behind; nothing else is read. */
SHARED __m128i b_load(const uint8_t *p, size_t n) {
  return block_load(p, n);
}

/* out = in ^ stream where the text ends: in_len bytes, of which and of the one behind them out_len are written. What they
 * give at `at` is returned. Written in pieces of any length by memcpy(), whose way depends on the length alone. */
static inline void row_xor(uint8_t *out, const uint8_t *in, const uint8_t *stream);
SHARED uint8_t row_end(uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len, uint8_t next, size_t at,
                       const uint8_t *stream) {
  uint8_t block[64] __attribute__((aligned(64)));
  memset(block, 0, sizeof block);
  if (in_len > 0) memcpy(block, in, in_len);
  if (in_len < sizeof block) block[in_len] = next;
  row_xor(block, block, stream);
  if (out_len > 0) memcpy(out, block, out_len);
  uint8_t tail = block[at];
  sl_wipe(block, sizeof block);
  return tail;
}

/* The block where the text ends: len < 64 bytes in memory, and behind them the tail when there is one. */
static inline void row_seal_end(uint8_t *out, const uint8_t *in, size_t len, size_t tail_len, uint8_t tail,
                                const uint8_t *stream) {
  row_end(out, len + tail_len, in, len, tail, 0, stream);
}
/* Returns the byte behind the len that were written, of which there is one when there is a tail. */
static inline uint8_t row_open_end(uint8_t *out, const uint8_t *in, size_t len, size_t tail_len,
                                   const uint8_t *stream) {
  return row_end(out, len, in, len + tail_len, 0, len, stream);
}

#endif
