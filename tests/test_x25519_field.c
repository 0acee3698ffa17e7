/* test_x25519_field.c - the field arithmetic inside one X25519 kernel, on operands no curve point is likely to reach.
 *
 * Compiled once per kernel, with X25519_KERNEL naming its source. Carries that happen once in 2^64 multiplications are
 * provoked here with limbs at their bounds; libcrypto's big numbers say what comes out, and every result must stay within
 * the bounds its type states. */
#define sl_kernel_x25519_adx      kernel_under_test
#define sl_kernel_x25519_portable kernel_under_test
#include X25519_KERNEL

#include "primitives.h"
#include "unit.h"
#include <openssl/bn.h>

enum { N_LIMBS = sizeof(((struct tight *)0)->limb) / 8, LIMB_WIDTH = N_LIMBS == 5 ? 51 : 64, N_ROUNDS = 20000 };

static BN_CTX *scratch;
static BIGNUM *p;

static int setup(void **state) {
  (void)state;
  scratch = BN_CTX_new();
  p = BN_new();
  BN_set_bit(p, 255);
  BN_sub_word(p, 19);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  BN_free(p);
  BN_CTX_free(scratch);
  return 0;
}

/* out = sum of limb[i] 2^(LIMB_WIDTH i), not reduced. */
static void value(BIGNUM *out, const uint64_t limb[N_LIMBS]) {
  BN_zero(out);
  for (int i = N_LIMBS - 1; i >= 0; i--) {
    BN_lshift(out, out, LIMB_WIDTH);
    assert_int_equal(BN_add_word(out, limb[i]), 1);
  }
}

static bool is_tight(const uint64_t limb[N_LIMBS]) {
  if (N_LIMBS == 4) { /* < 2^255 + 2^23 */
    return limb[3] >> 63 == 0 || (limb[3] == UINT64_C(1) << 63 && limb[2] == 0 && limb[1] == 0 && limb[0] < 1u << 23);
  }
  for (int i = 0; i < N_LIMBS; i++)
    if (limb[i] >= (UINT64_C(1) << 51) + (1u << 11)) return false;
  return true;
}

static bool is_loose(const uint64_t limb[N_LIMBS]) {
  for (int i = 0; N_LIMBS == 5 && i < N_LIMBS; i++)
    if (limb[i] >= UINT64_C(3) * (UINT64_C(1) << 51) + 2 * (1u << 11)) return false;
  return true;
}

/* A limb at or near an edge of 2^64, of 51 bits, of the types' bounds; now and then any. */
static uint64_t edge(uint64_t seed) {
  static const uint64_t edges[] = {
      0,
      1,
      18,
      19,
      20,
      37,
      38,
      39,
      (1u << 23) - 1,
      (UINT64_C(1) << 51) - 20,
      (UINT64_C(1) << 51) - 19,
      (UINT64_C(1) << 51) - 1,
      UINT64_C(1) << 51,
      (UINT64_C(1) << 51) + (1u << 11) - 1,
      (UINT64_C(1) << 52) - 1,
      UINT64_C(3) * (UINT64_C(1) << 51) + 2 * (1u << 11) - 1,
      (UINT64_C(1) << 63) - 20,
      (UINT64_C(1) << 63) - 19,
      (UINT64_C(1) << 63) - 1,
      UINT64_C(1) << 63,
      UINT64_MAX - 38,
      UINT64_MAX - 37,
      UINT64_MAX - 19,
      UINT64_MAX - 18,
      UINT64_MAX - 1,
      UINT64_MAX,
      /* 121665 times it is -1 modulo 2^64: */ UINT64_C(0x8a0dfbee3b8f4b3f),
      /* more often: */ 0,
      0,
      0,
      UINT64_MAX,
      UINT64_MAX,
      UINT64_MAX,
      UINT64_C(3) * (UINT64_C(1) << 51) + 2 * (1u << 11) - 1,
      UINT64_C(3) * (UINT64_C(1) << 51) + 2 * (1u << 11) - 1,
      (UINT64_C(1) << 51) + (1u << 11) - 1,
      (UINT64_C(1) << 51) + (1u << 11) - 1,
  };
  const uint64_t n = sizeof edges / sizeof edges[0], i = number(seed, n + 2);
  return i < n ? edges[i] : number(seed + 1, UINT64_MAX);
}

/* An element of a type. */
static void make(uint64_t limb[N_LIMBS], uint64_t *seed, bool (*fits)(const uint64_t *)) {
  do {
    for (int i = 0; i < N_LIMBS; i++) {
      /* A type of 51-bit limbs takes each limb by itself; one of 64-bit limbs, all of them or none. */
      uint64_t one[N_LIMBS] = {0};
      do one[0] = limb[i] = edge(*seed += 2);
      while (N_LIMBS == 5 && !fits(one));
    }
  } while (!fits(limb));
  if (N_LIMBS == 4 && fits == is_tight) { /* often next to 2^255, on either side: few edges fit there */
    const uint64_t side = number(*seed += 2, 4), near = edge(*seed += 2);
    for (int i = 0; side < 2 && i < 4; i++) limb[i] = side == 0 ? UINT64_MAX >> (i == 3) : (uint64_t)(i == 3) << 63;
    if (side < 2) limb[0] = side == 0 ? near : near % (1u << 23);
  }
}

/* got must be `want` modulo p. */
static void check(const char *what, const uint64_t got[N_LIMBS], bool (*fits)(const uint64_t *), const BIGNUM *want) {
  BIGNUM *a = BN_new(), *b = BN_new();
  value(a, got);
  BN_nnmod(a, a, p, scratch);
  BN_nnmod(b, want, p, scratch);
  if (BN_cmp(a, b) != 0) fail_msg("%s: wrong", what);
  if (!fits(got)) fail_msg("%s: right, but past the bounds of its type", what);
  BN_free(a);
  BN_free(b);
}

static void skip_unless_it_runs(void) {
  if ((sl_cpu_detect() & kernel_under_test.needs) == kernel_under_test.needs) return;
  printf("  n/a %s: this CPU cannot run it\n", kernel_under_test.name);
  skip();
}

static void multiplications(void **state) {
  (void)state;
  skip_unless_it_runs();
  BIGNUM *f = BN_new(), *g = BN_new(), *want = BN_new();
  uint64_t seed = 0;
  for (int round = 0; round < N_ROUNDS; round++) {
    struct loose lf, lg;
    make(lf.limb, &seed, is_loose);
    make(lg.limb, &seed, is_loose);
    value(f, lf.limb);
    value(g, lg.limb);
    BN_mul(want, f, g, scratch);
    check("mul", mul(&lf, &lg).limb, is_tight, want);
    BN_sqr(want, f, scratch);
    check("square", square(&lf).limb, is_tight, want);
    BN_copy(want, f);
    BN_mul_word(want, 121665);
    check("mul_a24", mul_a24(&lf).limb, is_tight, want);
  }
  BN_free(f);
  BN_free(g);
  BN_free(want);
}

static void sums_and_bytes(void **state) {
  (void)state;
  skip_unless_it_runs();
  BIGNUM *f = BN_new(), *g = BN_new(), *want = BN_new();
  uint64_t seed = 1;
  for (int round = 0; round < N_ROUNDS; round++) {
    struct tight tf, tg;
    uint8_t got_bytes[32], want_bytes[32];
    make(tf.limb, &seed, is_tight);
    make(tg.limb, &seed, is_tight);
    value(f, tf.limb);
    value(g, tg.limb);
    BN_add(want, f, g);
    check("add", add(&tf, &tg).limb, is_loose, want);
    BN_sub(want, f, g);
    check("sub", sub(&tf, &tg).limb, is_loose, want);

    encode(got_bytes, &tf);
    BN_nnmod(want, f, p, scratch);
    BN_bn2lebinpad(want, want_bytes, 32);
    assert_memory_equal(got_bytes, want_bytes, 32);
    fill(want_bytes, 32, seed);
    BN_lebin2bn(want_bytes, 32, want);
    BN_mask_bits(want, 255);
    check("decode", decode(want_bytes).limb, is_tight, want);
  }
  /* All of 2^255 - 40 to 2^255 + 40 that is tight, around p. */
  for (uint64_t n = 0; n < 80; n++) {
    struct tight t = {{0}};
    uint8_t got_bytes[32], want_bytes[32];
    for (int i = 0; i < N_LIMBS; i++) t.limb[i] = N_LIMBS == 5 ? (UINT64_C(1) << 51) - 1 : UINT64_MAX >> (i == 3);
    t.limb[0] -= 40;
    for (uint64_t carry_in = n, i = 0; i < N_LIMBS && N_LIMBS == 4; i++)
      carry_in = __builtin_add_overflow(t.limb[i], carry_in, &t.limb[i]);
    if (N_LIMBS == 5) t.limb[0] += n;
    assert_true(is_tight(t.limb));
    value(f, t.limb);
    encode(got_bytes, &t);
    BN_nnmod(want, f, p, scratch);
    BN_bn2lebinpad(want, want_bytes, 32);
    assert_memory_equal(got_bytes, want_bytes, 32);
  }
  BN_free(f);
  BN_free(g);
  BN_free(want);
}

static void inverses(void **state) {
  (void)state;
  skip_unless_it_runs();
  BIGNUM *f = BN_new(), *want = BN_new();
  uint64_t seed = 2;
  for (int round = 0; round < 300; round++) {
    struct tight t = {{0}};
    if (round > 0) make(t.limb, &seed, is_tight);
    value(f, t.limb);
    BN_nnmod(f, f, p, scratch);
    if (BN_is_zero(f))
      BN_zero(want);
    else
      assert_non_null(BN_mod_inverse(want, f, p, scratch));
    check("invert", invert(&t).limb, is_tight, want);
  }
  BN_free(f);
  BN_free(want);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(multiplications),
      cmocka_unit_test(sums_and_bytes),
      cmocka_unit_test(inverses),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
