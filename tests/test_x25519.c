/* test_x25519.c - X25519: RFC 7748's vectors through every kernel, libcrypto for random and extreme inputs, peers that cheat.
 *
 *   test_x25519            everything but RFC 7748's million rounds
 *   test_x25519 million    these alone, with the chosen kernel: some 20 seconds */
#include "engine/x25519.h"
#include "guard.h"
#include "primitives.h"
#include "unit.h"
#include "vectors.h"
#include <openssl/evp.h>
#include <string.h>

#define ROUNDS_MAX 1000 /* of iterated vectors, outside the million */

static int setup(void **state) {
  (void)state;
  say_what_cannot_run(SL_ALG_X25519);
  return 0;
}

static void multiply(const struct sl_kernel *kernel, uint8_t *out, const uint8_t *scalar, const uint8_t *point) {
  const struct sl_x25519_job job = {out, scalar, point};
  kernel->x25519.run(&job, 1);
}

static const struct sl_kernel *chosen(void) {
  const struct sl_kernel *kernel;
  assert_int_equal(sl_kernel_chosen(SL_ALG_X25519, &kernel), SL_OK);
  return kernel;
}

/* libcrypto's verdict is false for points of small order. */
static bool by_libcrypto(uint8_t out[32], const uint8_t *scalar, const uint8_t *point) {
  EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, 32);
  EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, 32);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
  size_t len = 32;
  assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
  assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
  memset(out, 0, 32);
  bool ok = EVP_PKEY_derive(ctx, out, &len) == 1;
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(own);
  EVP_PKEY_free(peer);
  return ok;
}

static void iterate(const struct sl_kernel *kernel, uint8_t scalar[32], const uint8_t *point_in, uint64_t rounds) {
  uint8_t point[32], next[32];
  memcpy(point, point_in, 32);
  for (uint64_t i = 0; i < rounds; i++) {
    multiply(kernel, next, scalar, point);
    memcpy(point, scalar, 32);
    memcpy(scalar, next, 32);
  }
}

/* The vectors with at least `from` and at most `to` rounds. */
static size_t rfc7748_between(uint64_t from, uint64_t to, const struct sl_kernel *kernel) {
  struct vectors v;
  size_t n = 0;
  for (vectors_open(&v, "x25519_rfc7748.txt"); vectors_next(&v);) {
    size_t scalar_len, point_len, shared_len;
    const uint8_t *scalar = vectors_bytes(&v, "scalar", &scalar_len), *point = vectors_bytes(&v, "point", &point_len),
                  *shared = vectors_bytes(&v, "shared", &shared_len);
    const uint64_t rounds = vectors_has(&v, "rounds") ? vectors_number(&v, "rounds") : 1;
    uint8_t got[32];
    assert_true(scalar_len == 32 && point_len == 32 && shared_len == 32);
    if (rounds < from || rounds > to) continue;
    memcpy(got, scalar, 32);
    iterate(kernel, got, point, rounds);
    if (memcmp(got, shared, 32) != 0) fail_msg("%s: %s", kernel->name, vectors_where(&v));
    n++;
  }
  vectors_close(&v);
  return n;
}

static void rfc7748(void **state) {
  (void)state;
  size_t place = 0;
  for (const struct sl_kernel *k; (k = next_kernel(SL_ALG_X25519, &place)) != NULL;)
    assert_true(rfc7748_between(1, ROUNDS_MAX, k) > 7);
  printf("  n/a a million rounds: only with `test_x25519 million`\n");
}

static void rfc7748_million(void **state) {
  (void)state;
  assert_int_equal(rfc7748_between(ROUNDS_MAX + 1, UINT64_MAX, chosen()), 1);
}

/* The public functions on RFC 7748 6.1, both ways round. */
static void both_sides_agree(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 50; i++) {
    uint8_t a[32], b[32], public_a[32], public_b[32], shared_a[32], shared_b[32];
    fill(a, 32, 2 * i);
    fill(b, 32, 2 * i + 1);
    assert_int_equal(sl_x25519_public(public_a, a), SL_OK);
    assert_int_equal(sl_x25519_public(public_b, b), SL_OK);
    assert_int_equal(sl_x25519_shared(shared_a, a, public_b), SL_OK);
    assert_int_equal(sl_x25519_shared(shared_b, b, public_a), SL_OK);
    assert_memory_equal(shared_a, shared_b, 32);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, a, 32);
    size_t len = 32;
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, shared_b, &len), 1);
    assert_memory_equal(public_a, shared_b, 32);
    EVP_PKEY_free(key);
  }
}

static void random_against_libcrypto(void **state) {
  (void)state;
  size_t place = 0;
  for (const struct sl_kernel *k; (k = next_kernel(SL_ALG_X25519, &place)) != NULL;)
    for (uint64_t i = 0; i < 400; i++) {
      uint8_t scalar[32], point[32], want[32], got[32];
      fill(scalar, 32, i);
      fill(point, 32, i + 10000);
      assert_true(by_libcrypto(want, scalar, point));
      multiply(k, got, scalar, point);
      if (memcmp(got, want, 32) != 0) fail_msg("%s: number %d", k->name, (int)i);
    }
}

/* Bytes that make limbs of any size full, empty, or hold one bit. */
static void extreme(uint8_t out[32], unsigned i) {
  static const uint8_t whole[] = {0x00, 0xff, 0x55, 0xaa, 0x80, 0x7f, 0x01, 0xfe};
  if (i < 8) {
    memset(out, whole[i], 32);
  } else if (i < 8 + 256) { /* one bit */
    memset(out, 0, 32);
    out[(i - 8) / 8] = (uint8_t)(1u << (i - 8) % 8);
  } else { /* all but one bit */
    memset(out, 0xff, 32);
    out[(i - 264) / 8] = (uint8_t) ~(1u << (i - 264) % 8);
  }
}
#define N_EXTREMES 520u

static void extremes_against_libcrypto(void **state) {
  (void)state;
  size_t place = 0;
  for (const struct sl_kernel *k; (k = next_kernel(SL_ALG_X25519, &place)) != NULL;)
    for (unsigned i = 0; i < N_EXTREMES; i++) {
      uint8_t scalar[32], point[32], want[32], got[32];
      extreme(point, i);
      fill(scalar, 32, i);
      by_libcrypto(want, scalar, point); /* zeros where it refuses */
      multiply(k, got, scalar, point);
      if (memcmp(got, want, 32) != 0) fail_msg("%s: point %u", k->name, i);
      extreme(scalar, i);
      fill(point, 32, i);
      assert_true(by_libcrypto(want, scalar, point));
      multiply(k, got, scalar, point);
      if (memcmp(got, want, 32) != 0) fail_msg("%s: scalar %u", k->name, i);
    }
}

/* p + n as 32 bytes, n < 20; 2p + n with twice. */
static void near_p(uint8_t out[32], int n, bool twice) {
  memset(out, 0xff, 32);
  out[31] = twice ? 0xff : 0x7f;
  out[0] = (uint8_t)((twice ? 0xda : 0xed) + n); /* p = ..ed, 2p = ..da; no carry in this range */
}

/* u-coordinates from p to 2^255 - 1 stand for u - p; bit 255 stands for nothing. */
static void coordinates_past_the_field(void **state) {
  (void)state;
  size_t place = 0;
  for (const struct sl_kernel *k; (k = next_kernel(SL_ALG_X25519, &place)) != NULL;)
    for (int n = 0; n < 19; n++) {
      uint8_t scalar[32], point[32], reduced[32] = {(uint8_t)n}, want[32], got[32];
      fill(scalar, 32, (uint64_t)n);
      near_p(point, n, false);
      multiply(k, want, scalar, reduced);
      multiply(k, got, scalar, point);
      assert_memory_equal(got, want, 32);
      point[31] |= 0x80;
      multiply(k, got, scalar, point);
      assert_memory_equal(got, want, 32);
      by_libcrypto(got, scalar, point);
      assert_memory_equal(got, want, 32);
    }
}

static void ignored_bits(void **state) {
  (void)state;
  size_t place = 0;
  for (const struct sl_kernel *k; (k = next_kernel(SL_ALG_X25519, &place)) != NULL;)
    for (uint64_t i = 0; i < 40; i++) {
      uint8_t scalar[32], point[32], want[32], got[32];
      fill(scalar, 32, i);
      fill(point, 32, i + 1000);
      multiply(k, want, scalar, point);
      point[31] ^= 0x80;
      multiply(k, got, scalar, point);
      assert_memory_equal(got, want, 32);
      /* clamped away: the lowest three bits of the scalar and the highest two */
      scalar[0] ^= (uint8_t)(i % 7 + 1);
      scalar[31] ^= (uint8_t)((i % 3 + 1) << 6);
      multiply(k, got, scalar, point);
      assert_memory_equal(got, want, 32);
      scalar[0] ^= 8;
      multiply(k, got, scalar, point);
      assert_memory_not_equal(got, want, 32);
    }
}

/* The points whose order divides the cofactor, on the curve and on its twist: 0, 1, p - 1 and two of order 8, and what
 * else 256 bits write for them. Every scalar takes them to zero. */
static void small_orders(void **state) {
  (void)state;
  static const uint8_t order8[2][32] = {
      {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
       0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
      {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
       0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
  };
  static const uint8_t zeros[32];
  uint8_t points[14][32] = {{0}, {1}}, scalar[32], out[32], want[32];
  near_p(points[2], -1, false);
  near_p(points[3], 0, false);
  near_p(points[4], 1, false);
  memcpy(points[5], order8[0], 32);
  memcpy(points[6], order8[1], 32);
  for (int i = 0; i < 7; i++) { /* again with bit 255 */
    memcpy(points[7 + i], points[i], 32);
    points[7 + i][31] |= 0x80;
  }
  for (size_t i = 0; i < sizeof points / sizeof points[0]; i++)
    for (uint64_t s = 0; s < 5; s++) {
      size_t place = 0;
      fill(scalar, 32, s);
      memset(out, 0x5a, 32);
      assert_int_equal(sl_x25519_shared(out, scalar, points[i]), SL_E_KEY_SHARE);
      assert_memory_equal(out, zeros, 32);
      assert_false(by_libcrypto(want, scalar, points[i]));
      for (const struct sl_kernel *k; (k = next_kernel(SL_ALG_X25519, &place)) != NULL;) {
        memset(out, 0x5a, 32);
        multiply(k, out, scalar, points[i]);
        assert_memory_equal(out, zeros, 32);
      }
    }
  /* Their neighbours are fine. */
  near_p(points[0], -2, false);
  near_p(points[1], 2, false);
  assert_int_equal(sl_x25519_shared(out, scalar, points[0]), SL_OK);
  assert_int_equal(sl_x25519_shared(out, scalar, points[1]), SL_OK);
}

static void output_over_point(void **state) {
  (void)state;
  size_t place = 0;
  uint8_t scalar[32], point[32], want[32];
  for (const struct sl_kernel *k; (k = next_kernel(SL_ALG_X25519, &place)) != NULL;) {
    fill(scalar, 32, 1);
    fill(point, 32, 2);
    multiply(k, want, scalar, point);
    multiply(k, point, scalar, point);
    assert_memory_equal(point, want, 32);
  }
  fill(point, 32, 2);
  assert_int_equal(sl_x25519_shared(point, scalar, point), SL_OK);
  assert_memory_equal(point, want, 32);
}

/* Any number of jobs in one call. */
static void many_jobs(void **state) {
  (void)state;
  size_t place = 0;
  for (const struct sl_kernel *k; (k = next_kernel(SL_ALG_X25519, &place)) != NULL;)
    for (size_t n = 1; n <= 19; n++) {
      uint8_t scalars[19][32], points[19][32], outs[19][32], want[32];
      struct sl_x25519_job jobs[19];
      for (size_t i = 0; i < n; i++) {
        fill(scalars[i], 32, i + 100 * n);
        fill(points[i], 32, i + 50 + 100 * n);
        jobs[i] = (struct sl_x25519_job){outs[i], scalars[i], points[i]};
      }
      k->x25519.run(jobs, n);
      for (size_t i = 0; i < n; i++) {
        multiply(k, want, scalars[i], points[i]);
        assert_memory_equal(outs[i], want, 32);
      }
    }
}

static void guard_pages(void **state) {
  (void)state;
  struct guard out = guard_new(32), scalar = guard_new(32), point = guard_new(32);
  size_t place = 0;
  uint8_t want[32];
  for (const struct sl_kernel *k; (k = next_kernel(SL_ALG_X25519, &place)) != NULL;)
    for (int side = 0; side < 2; side++) {
      uint8_t *o = side == 0 ? guard_after(&out, 32) : guard_before(&out, 32);
      uint8_t *s = side == 0 ? guard_after(&scalar, 32) : guard_before(&scalar, 32);
      uint8_t *p = side == 0 ? guard_after(&point, 32) : guard_before(&point, 32);
      fill(s, 32, 5);
      fill(p, 32, 6);
      assert_true(by_libcrypto(want, s, p));
      multiply(k, o, s, p);
      assert_memory_equal(o, want, 32);
    }
  guard_free(&out);
  guard_free(&scalar);
  guard_free(&point);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rfc7748),
      cmocka_unit_test(both_sides_agree),
      cmocka_unit_test(random_against_libcrypto),
      cmocka_unit_test(extremes_against_libcrypto),
      cmocka_unit_test(coordinates_past_the_field),
      cmocka_unit_test(ignored_bits),
      cmocka_unit_test(small_orders),
      cmocka_unit_test(output_over_point),
      cmocka_unit_test(many_jobs),
      cmocka_unit_test(guard_pages),
  };
  const struct CMUnitTest million[] = {cmocka_unit_test(rfc7748_million)};
  if (argc == 2 && strcmp(argv[1], "million") == 0) return cmocka_run_group_tests(million, NULL, NULL);
  if (argc == 1) return cmocka_run_group_tests(tests, setup, NULL);
  fprintf(stderr, "usage: test_x25519 [million]\n");
  return 2;
}
