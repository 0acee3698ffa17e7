/* guard.h - memory with an unmapped page right before or right after it, so that one byte too many is a crash. */
#ifndef SEALANE_TESTS_GUARD_H
#define SEALANE_TESTS_GUARD_H

#include "unit.h"
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
  uint8_t *map;
  size_t page, middle; /* bytes: of a page, and of what is mapped between two unmapped ones */
  uint8_t *placed;     /* what guard_place() handed out last */
  size_t placed_len;
};

/* Room for up to `cap` bytes. */
static inline struct guard guard_new(size_t cap) {
  struct guard g = {.page = (size_t)sysconf(_SC_PAGESIZE)};
  g.middle = (cap + g.page - 1) / g.page * g.page;
  if (g.middle == 0) g.middle = g.page;
  g.map = mmap(NULL, g.middle + 2 * g.page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(g.map, MAP_FAILED);
  assert_int_equal(mprotect(g.map + g.page, g.middle, PROT_READ | PROT_WRITE), 0);
  return g;
}

/* len bytes that follow an unmapped page. */
static inline uint8_t *guard_after(const struct guard *g, size_t len) {
  assert_true(len <= g->middle);
  return g->map + g->page;
}

/* len bytes that an unmapped page follows. */
static inline uint8_t *guard_before(const struct guard *g, size_t len) {
  assert_true(len <= g->middle);
  return g->map + g->page + g->middle - len;
}

/* Where a buffer does not touch an unmapped page, this many bytes beside it are canaries. */
enum { GUARD_CANARY = 0xc7, GUARD_CANARIES = 256 };

static inline uint8_t *guard_canaries_begin(const struct guard *g) {
  uint8_t *begin = g->map + g->page;
  return g->placed - begin > GUARD_CANARIES ? g->placed - GUARD_CANARIES : begin;
}

static inline uint8_t *guard_canaries_end(const struct guard *g) {
  uint8_t *placed_end = g->placed + g->placed_len, *end = g->map + g->page + g->middle;
  return end - placed_end > GUARD_CANARIES ? placed_end + GUARD_CANARIES : end;
}

/* len bytes, `off` after the unmapped page, filled with `from` or, when that is NULL, canaries; there are canaries on the
 * sides that no page guards. */
static inline uint8_t *guard_place_at(struct guard *g, size_t len, size_t off, const uint8_t *from) {
  assert_true(off + len <= g->middle);
  g->placed = g->map + g->page + off;
  g->placed_len = len;
  memset(guard_canaries_begin(g), GUARD_CANARY, (size_t)(guard_canaries_end(g) - guard_canaries_begin(g)));
  if (from != NULL && len > 0) memcpy(g->placed, from, len);
  return g->placed;
}

/* The same where an unmapped page follows them (at_end) or they follow one. */
static inline uint8_t *guard_place(struct guard *g, size_t len, bool at_end, const uint8_t *from) {
  return guard_place_at(g, len, (size_t)((at_end ? guard_before(g, len) : guard_after(g, len)) - g->map) - g->page,
                        from);
}

/* Whether the canaries beside what was placed last are still there. */
static inline bool guard_is_intact(const struct guard *g) {
  bool is_intact = true;
  for (const uint8_t *p = guard_canaries_begin(g); p < g->placed; p++) is_intact &= *p == GUARD_CANARY;
  for (const uint8_t *p = g->placed + g->placed_len; p < guard_canaries_end(g); p++) is_intact &= *p == GUARD_CANARY;
  return is_intact;
}

static inline void guard_free(struct guard *g) {
  assert_int_equal(munmap(g->map, g->middle + 2 * g->page), 0);
  *g = (struct guard){0};
}

#endif
