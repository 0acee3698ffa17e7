/* pool.h - memory with a ceiling: pools of equal buffers that connections hold while bytes are on their way, and an
 * arena for what lives only until the end of a turn. Pages are touched, and so counted, when first used. */
#ifndef SEALANE_SERVE_POOL_H
#define SEALANE_SERVE_POOL_H

#include "list.h"
#include <stdint.h>

struct pool {
  uint8_t *mem;
  uint32_t *free_stack; /* indices; the one used last is on top, so that its cache lines and pages are used again */
  size_t buf_len, n_bufs, n_free;
  struct link waiters; /* whoever found it empty, first come first served; served by the pool's user */
};

/* returns: false when the system has no memory. */
bool pool_init(struct pool *pool, size_t buf_len, size_t n_bufs);
void pool_free(struct pool *pool);
/* NULL when all are out. */
uint8_t *pool_get(struct pool *pool);
void pool_put(struct pool *pool, uint8_t *buf);

struct arena {
  uint8_t *mem;
  size_t cap, used;
};

bool arena_init(struct arena *arena, size_t cap);
void arena_free(struct arena *arena);
/* 64-byte aligned; NULL when what is left is too little. */
uint8_t *arena_take(struct arena *arena, size_t len);
/* Gives the end of the last piece taken back: it keeps its first `len` bytes. */
void arena_trim(struct arena *arena, const uint8_t *piece, size_t len);
static inline void arena_reset(struct arena *arena) {
  arena->used = 0;
}

#endif
