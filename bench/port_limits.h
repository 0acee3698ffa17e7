/* port_limits.h - how fast the execution ports let anybody be, measured (port_loops.h).
 *
 *   AES-GCM             a block of 16 bytes is AES of its counter and its GHASH products; the mask of the tag and the AAD
 *                       are together one such block more, and the lengths one block of GHASH
 *   ChaCha20-Poly1305   a block of 64 bytes is key stream and Poly1305; the key of Poly1305 is a block of key stream more
 *
 * Loads and stores have ports of their own on these CPUs and are left out, as are reductions, carries into the
 * next record and every latency: nobody reaches 100 %. */
#ifndef SEALANE_BENCH_PORT_LIMITS_H
#define SEALANE_BENCH_PORT_LIMITS_H

#include <sealane/aead.h>

struct port_limit {
  const char *na;     /* why there is none; NULL when there is */
  unsigned bits;      /* width of the vectors that gave it */
  double text_cycles; /* per byte of text */
  double once_cycles; /* per byte of what comes once a record */
};

/* Measures those of all suites, in about `seconds`. */
void limits_measure(struct port_limit out[SL_AEAD_END], double seconds);
/* The least cycles a record of len bytes takes. */
double limits_cycles(const struct port_limit *limit, enum sl_aead aead, size_t len);

#endif
