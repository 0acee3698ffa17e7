/* x25519_ladder.h - the body of every scalar X25519 kernel: Montgomery ladder and inversion (RFC 7748 section 5).
 *
 * A kernel defines its field elements, then includes this:
 *
 *     struct tight, struct loose     elements as arrays `limb` of equal size; what is tight is loose, too
 *     add, sub                       tight, tight -> loose
 *     mul, square, mul_a24           loose -> tight; mul_a24 multiplies by A24 = (486662 - 2) / 4 = 121665
 *     decode, encode                 32 bytes little-endian, top bit ignored -> tight; tight -> the one below p
 *
 * No branch and no address depends on a limb. What follows does not either: the scalar's bits choose with masks. */
#ifndef SEALANE_ENGINE_X25519_LADDER_H
#define SEALANE_ENGINE_X25519_LADDER_H

#include "bytes.h"
#include "kernel.h"

/* A tight element is a loose one. */
static inline struct loose loosen(const struct tight *f) {
  struct loose h;
  memcpy(h.limb, f->limb, sizeof h.limb);
  return h;
}

static inline struct tight mul_tight(const struct tight *f, const struct tight *g) {
  struct loose lf = loosen(f), lg = loosen(g);
  return mul(&lf, &lg);
}

static struct tight square_times(const struct tight *f, unsigned n) {
  struct tight h = *f;
  for (unsigned i = 0; i < n; i++) {
    struct loose l = loosen(&h);
    h = square(&l);
  }
  return h;
}

/* 1 / f = f^(p - 2) by Fermat, p - 2 = 2^255 - 21; 0 for 0. xN below is f^(2^N - 1), made from
 * x(M + N) = xM^(2^N) * xN; the end is (2^250 - 1) 2^5 + 11 = 2^255 - 21. */
static struct tight invert(const struct tight *f) {
  struct tight f2 = square_times(f, 1);
  struct tight t = square_times(&f2, 2);
  struct tight f9 = mul_tight(&t, f);
  struct tight f11 = mul_tight(&f9, &f2);
  t = square_times(&f11, 1);
  struct tight x5 = mul_tight(&t, &f9); /* 22 + 9 = 31 = 2^5 - 1 */
  t = square_times(&x5, 5);
  struct tight x10 = mul_tight(&t, &x5);
  t = square_times(&x10, 10);
  struct tight x20 = mul_tight(&t, &x10);
  t = square_times(&x20, 20);
  struct tight x40 = mul_tight(&t, &x20);
  t = square_times(&x40, 10);
  struct tight x50 = mul_tight(&t, &x10);
  t = square_times(&x50, 50);
  struct tight x100 = mul_tight(&t, &x50);
  t = square_times(&x100, 100);
  struct tight x200 = mul_tight(&t, &x100);
  t = square_times(&x200, 50);
  struct tight x250 = mul_tight(&t, &x50);
  t = square_times(&x250, 5);
  return mul_tight(&t, &f11);
}

/* f when bit is 0, g when it is 1, with the same instructions. */
static inline struct loose choose(uint64_t bit, const struct loose *f, const struct loose *g) {
  uint64_t mask = 0 - bit;
  struct loose h;
  __asm__("" : "+r"(mask)); /* keeps the compiler from seeing that there are two cases */
  for (size_t i = 0; i < sizeof h.limb / sizeof h.limb[0]; i++)
    h.limb[i] = f->limb[i] ^ (mask & (f->limb[i] ^ g->limb[i]));
  return h;
}

/* What the ladder carries from bit to bit, in projective u-coordinates U/Z: with k the scalar's bits so far,
 * (u2 : z2) is k times the point and (u3 : z3) is k + 1 times it, or the other way round. */
struct ladder {
  struct tight u1, u2, z2, u3, z3;
};

/* One step: doubles one of the two points, the second when `swap` is 1, and adds the two up. Names are the formula's in
 * RFC 7748 5, but for the exchange of points: there it comes first, exchanging A with C and B with D. The sum of DA and CB
 * does not notice, the difference changes its sign and is squared; so only what is doubled, F and G, needs to be chosen. */
static inline void step(struct ladder *l, uint64_t swap) {
  struct loose A = add(&l->u2, &l->z2), B = sub(&l->u2, &l->z2);
  struct loose C = add(&l->u3, &l->z3), D = sub(&l->u3, &l->z3);
  struct loose F = choose(swap, &A, &C), G = choose(swap, &B, &D);
  struct tight DA = mul(&D, &A), CB = mul(&C, &B);
  struct tight FF = square(&F), GG = square(&G);
  struct loose sum = add(&DA, &CB), difference = sub(&DA, &CB), E = sub(&FF, &GG);
  struct tight difference2 = square(&difference), a24E = mul_a24(&E);
  struct loose t = add(&FF, &a24E);

  l->u3 = square(&sum);
  l->z3 = mul_tight(&l->u1, &difference2);
  l->u2 = mul_tight(&FF, &GG);
  l->z2 = mul(&E, &t);
}

static void multiply(const struct sl_x25519_job *job) {
  struct ladder l = {.u2 = {{1}}, .z3 = {{1}}};
  struct tight result;
  uint8_t k[32];
  uint64_t before = 0;

  /* Clamping (RFC 7748 5): a multiple of the cofactor 8, bit 255 clear, bit 254 set. */
  memcpy(k, job->scalar, 32);
  k[0] &= 0xf8;
  k[31] &= 0x7f;
  k[31] |= 0x40;
  l.u1 = l.u3 = decode(job->point);

  /* The points are exchanged when a bit differs from the one before. The last bit is 0, so they end in order. */
  for (int i = 254; i >= 0; i--) {
    uint64_t bit = k[i / 8] >> (i % 8) & 1u;
    step(&l, before ^ bit);
    before = bit;
  }

  result = invert(&l.z2);
  result = mul_tight(&l.u2, &result);
  encode(job->out, &result);
  sl_wipe(&l, sizeof l);
  sl_wipe(&result, sizeof result);
  sl_wipe(k, sizeof k);
}

static void run(const struct sl_x25519_job *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) multiply(&jobs[i]);
}

#endif
