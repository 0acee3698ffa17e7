/* primitives.h - what the tests of hashes and key exchange share: the kernels of an algorithm, and bytes to feed them. */
#ifndef SEALANE_TESTS_PRIMITIVES_H
#define SEALANE_TESTS_PRIMITIVES_H

#include "engine/kernel.h"
#include "unit.h"
#include <stdio.h>

/* The next kernel of an algorithm that can run here, after *place in sl_kernel_list; NULL at the end. Start with *place 0. */
static inline const struct sl_kernel *next_kernel(enum sl_algorithm algorithm, size_t *place) {
  while (sl_kernel_list[*place] != NULL) {
    const struct sl_kernel *kernel = sl_kernel_list[(*place)++];
    if (kernel->algorithm == algorithm && sl_kernel_named(kernel->name) != NULL) return kernel;
  }
  return NULL;
}

/* Says n/a for the kernels of an algorithm that next_kernel() leaves out. */
static inline void say_what_cannot_run(enum sl_algorithm algorithm) {
  for (size_t i = 0; sl_kernel_list[i] != NULL; i++) {
    const struct sl_kernel *kernel = sl_kernel_list[i];
    if (kernel->algorithm == algorithm && sl_kernel_named(kernel->name) == NULL)
      printf("  n/a %s: this CPU cannot run it, or it is turned off\n", kernel->name);
  }
}

/* Bytes that look random and are the same in every run (a 64-bit congruential generator's upper bits). */
static inline void fill(uint8_t *out, size_t len, uint64_t seed) {
  uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  for (size_t i = 0; i < len; i++) {
    x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    out[i] = (uint8_t)(x >> 56);
  }
}

static inline uint64_t number(uint64_t seed, uint64_t below) {
  uint8_t bytes[8];
  uint64_t n = 0;
  fill(bytes, sizeof bytes, seed);
  for (int i = 0; i < 8; i++) n = n << 8 | bytes[i];
  return n % below;
}

#endif
