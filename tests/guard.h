/* guard.h - memory with an unmapped page right before or right after it, so that one byte too many is a crash. */
#ifndef SEALANE_TESTS_GUARD_H
#define SEALANE_TESTS_GUARD_H

#include "unit.h"
#include <sys/mman.h>
#include <unistd.h>

struct guard {
  uint8_t *map;
  size_t page, middle; /* bytes: of a page, and of what is mapped between two unmapped ones */
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

static inline void guard_free(struct guard *g) {
  assert_int_equal(munmap(g->map, g->middle + 2 * g->page), 0);
  *g = (struct guard){0};
}

#endif
