/* chapoly_ends.h - the ends of texts for the widths without masks: 16 bytes at a time, from block.h. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_ENDS_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_ENDS_H

#include "engine/x86_64/block.h"
#include "engine/x86_64/chapoly_macros.h"

/* The first n <= 16 bytes of p, zeros behind; nothing else is read. */
SHARED __m128i b_load(const uint8_t *p, size_t n) {
  return block_load(p, n);
}

#endif
