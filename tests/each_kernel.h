/* each_kernel.h - the kernels a test goes through: all of the list, so that a new kernel is tested by being listed. */
#ifndef SEALANE_TESTS_EACH_KERNEL_H
#define SEALANE_TESTS_EACH_KERNEL_H

#include "kernel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A kernel and one AEAD it serves. */
struct aead_kernel {
  const struct sl_kernel *kernel;
  enum sl_aead aead;
};

enum { AEAD_KERNELS_MAX = 64 };

/* Prints "n/a" with the reason for each kernel that cannot run here. */
static inline void say_what_is_missing(void) {
  size_t n = sl_kernels_list(NULL, 0);
  struct sl_kernel_info *kernels = calloc(n + 1, sizeof *kernels);
  if (kernels == NULL || sl_kernels_list(kernels, n) != n) abort();
  for (size_t i = 0; i < n; i++) {
    if (!kernels[i].available) printf("  n/a %s: %s\n", kernels[i].name, kernels[i].reason);
  }
  free(kernels);
}

/* Every AEAD of every kernel that can run here. Returns how many. */
static inline size_t each_aead_kernel(struct aead_kernel out[AEAD_KERNELS_MAX]) {
  size_t n = 0;
  for (size_t i = 0; sl_kernel_list[i] != NULL; i++) {
    const struct sl_kernel *kernel = sl_kernel_list[i];
    if (kernel->algorithm != SL_ALG_AES_GCM && kernel->algorithm != SL_ALG_CHACHA20_POLY1305) continue;
    if (sl_kernel_named(kernel->name) != kernel) continue;
    for (size_t j = 0; j < 2; j++) {
      if (kernel->aead[j].aead == SL_AEAD_NONE) continue;
      if (n == AEAD_KERNELS_MAX) abort();
      out[n++] = (struct aead_kernel){kernel, kernel->aead[j].aead};
    }
  }
  if (n == 0) abort(); /* the portable ones run everywhere */
  return n;
}

/* The portable kernel that serves an AEAD: the oracle. */
static inline const char *oracle_of(enum sl_aead aead) {
  return aead == SL_CHACHA20_POLY1305 ? "chapoly_portable" : "gcm_portable";
}

static inline bool all_are(const uint8_t *p, size_t len, uint8_t value) {
  uint8_t differs = 0;
  for (size_t i = 0; i < len; i++) differs |= p[i] ^ value;
  return differs == 0;
}

/* Bytes that depend on seed and place alone (splitmix64). */
static inline void fill_random(uint8_t *out, size_t len, uint64_t seed) {
  for (size_t i = 0; i < len; i += 8) {
    uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    memcpy(out + i, &z, len - i < 8 ? len - i : 8);
  }
}

/* A number below `below`; moves *seed on. */
static inline uint64_t random_below(uint64_t *seed, uint64_t below) {
  uint8_t bytes[8];
  uint64_t z;
  fill_random(bytes, 8, *seed);
  memcpy(&z, bytes, 8);
  *seed += UINT64_C(0x9e3779b97f4a7c15);
  return z % below;
}

#endif
