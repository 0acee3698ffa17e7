/* pool.c - see pool.h. */
#include "pool.h"
#include <stdlib.h>
#include <sys/mman.h>

static uint8_t *map(size_t len) {
  void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return mem == MAP_FAILED ? NULL : mem;
}

bool pool_init(struct pool *pool, size_t buf_len, size_t n_bufs) {
  *pool = (struct pool){.buf_len = buf_len, .n_bufs = n_bufs, .n_free = n_bufs};
  list_init(&pool->waiters);
  pool->mem = map(buf_len * n_bufs);
  pool->free_stack = malloc(n_bufs * sizeof(*pool->free_stack));
  if (pool->mem == NULL || pool->free_stack == NULL) {
    pool_free(pool);
    return false;
  }
  for (size_t i = 0; i < n_bufs; i++) pool->free_stack[i] = (uint32_t)(n_bufs - 1 - i);
  return true;
}

void pool_free(struct pool *pool) {
  if (pool->mem != NULL) munmap(pool->mem, pool->buf_len * pool->n_bufs);
  free(pool->free_stack);
  *pool = (struct pool){0};
}

uint8_t *pool_get(struct pool *pool) {
  if (pool->n_free == 0) return NULL;
  return pool->mem + (size_t)pool->free_stack[--pool->n_free] * pool->buf_len;
}

void pool_put(struct pool *pool, uint8_t *buf) {
  pool->free_stack[pool->n_free++] = (uint32_t)((size_t)(buf - pool->mem) / pool->buf_len);
}

bool arena_init(struct arena *arena, size_t cap) {
  *arena = (struct arena){.mem = map(cap), .cap = cap};
  return arena->mem != NULL;
}

void arena_free(struct arena *arena) {
  if (arena->mem != NULL) munmap(arena->mem, arena->cap);
  *arena = (struct arena){0};
}

static size_t aligned(size_t len) {
  return (len + 63) & ~(size_t)63;
}

uint8_t *arena_take(struct arena *arena, size_t len) {
  if (len > arena->cap || aligned(len) > arena->cap - arena->used) return NULL;
  uint8_t *piece = arena->mem + arena->used;
  arena->used += aligned(len);
  return piece;
}

void arena_trim(struct arena *arena, const uint8_t *piece, size_t len) {
  arena->used = (size_t)(piece - arena->mem) + aligned(len);
}
