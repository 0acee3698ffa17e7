/* ct.h - what the constant-time tests share: secrets to compute with, and a walk over the kernels.
 *
 * Under valgrind a byte marked by sl_secret() is undefined memory; a branch or an address that depends on it is an error,
 * and so the end of the test. Results are declassified before a test looks at them. */
#ifndef SEALANE_TESTS_CT_H
#define SEALANE_TESTS_CT_H

#include "../unit.h"
#include "bytes.h"
#include "kernel.h"
#include <stdlib.h>

/* Fills p[0..len) with bytes that differ from call to call, and marks them. */
static inline void ct_make_secret(uint8_t *p, size_t len) {
  static uint32_t state = 1;
  for (size_t i = 0; i < len; i++) {
    state = state * 1664525u + 1013904223u;
    p[i] = (uint8_t)(state >> 24);
  }
  sl_secret(p, len);
}

/* Calls test for each kernel of an algorithm that valgrind's CPU can run; says which it cannot. */
static inline void ct_each_kernel(enum sl_algorithm algorithm, void (*test)(const struct sl_kernel *kernel)) {
  size_t n_run = 0;
  for (const struct sl_kernel *const *k = sl_kernel_list; *k != NULL; k++) {
    if ((*k)->algorithm != algorithm) continue;
    if (sl_kernel_named((*k)->name) == NULL) {
      print_message("n/a: %s: not on the CPU valgrind imitates\n", (*k)->name);
      continue;
    }
    test(*k);
    n_run++;
  }
  assert_true(n_run > 0);
}

#endif
