/* test_poly1305_lanes.c - Poly1305 in the lanes of chapoly_avx512, on operands that no ChaCha20 key is likely to make: limbs at
 * their bounds, which libcrypto's big numbers multiply, too; r of all bits or of one; texts of ones, and of what makes the
 * hash end next to p = 2^130 - 5, against libcrypto. */
#include "poly1305_lanes.h"

#include "poly1305_edges.h"
#include "unit.h"
#include <openssl/bn.h>
#include <stdlib.h>

enum { N_ROUNDS = 4000, STEPS_MAX = 19, ROWS_MAX = 4, MORE_MAX = 3 };

enum { LIMB_BITS = 52 };
static const struct poly1305_lanes *const lanes = &poly1305_lanes;
static unsigned n_rounds = N_ROUNDS;

static bool can_run(void) {
  uint64_t needs = lanes->kernel->needs;
  bool can = (sl_cpu_detect() & needs) == needs;
  if (!can) printf("  n/a %s: this CPU cannot run it\n", lanes->kernel->name);
  return can;
}

/* At or near an edge of what is under `end`; now and then any. */
static uint64_t edge(uint64_t *seed, uint64_t end) {
  switch (any(seed) % 8) {
  case 0:
    return any(seed) % 6;
  case 1:
  case 2:
    return end - 1 - any(seed) % 6;
  case 3:
    return (UINT64_C(1) << any(seed) % 64) % end;
  case 4:
    return ((UINT64_C(1) << any(seed) % 64) - 1) % end;
  case 5:
  case 6:
    return UINT64_C(0x3333333333333333) % end; /* five times it is -1 */
  default:
    return any(seed) % end;
  }
}

/* Limbs as chapoly_poly52.h has them of values and of multipliers. */
static void make_limbs(lane_limbs x, uint64_t *seed) {
  for (unsigned i = 0; i < LIMBS; i++) {
    for (unsigned l = 0; l < LANES; l++) x[i][l] = edge(seed, i < 2 ? UINT64_MAX : 1 << 27);
  }
}

static void value_of(BIGNUM *out, lane_limbs x, unsigned lane) {
  BN_zero(out);
  for (unsigned i = LIMBS; i-- > 0;) {
    BN_lshift(out, out, LIMB_BITS);
    assert_int_equal(BN_add_word(out, x[i][lane] & ((UINT64_C(1) << LIMB_BITS) - 1)), 1);
  }
}

static void block_of(BIGNUM *out, uint64_t low, uint64_t high) {
  assert_int_equal(BN_set_word(out, 1), 1);
  BN_lshift(out, out, 64);
  BN_add_word(out, high);
  BN_lshift(out, out, 64);
  BN_add_word(out, low);
}

static BIGNUM *modulus(void) {
  BIGNUM *p = BN_new();
  BN_set_bit(p, 130);
  BN_sub_word(p, 5);
  return p;
}

static void check_products(unsigned n, uint64_t *seed, BN_CTX *scratch, const BIGNUM *p) {
  lane_limbs value, factor[MERGED_MAX], got;
  uint64_t block[MERGED_MAX][2][LANES];
  BIGNUM *a = BN_new(), *b = BN_new(), *want = BN_new();
  make_limbs(value, seed);
  for (unsigned i = 0; i < n; i++) {
    make_limbs(factor[i], seed);
    for (unsigned l = 0; l < 2 * LANES; l++) block[i][l % 2][l / 2] = edge(seed, UINT64_MAX) + any(seed) % 2;
  }
  lanes->products(got, value, factor, block, n);
  for (unsigned l = 0; l < LANES; l++) {
    block_of(want, block[0][0][l], block[0][1][l]);
    for (unsigned i = 1; i <= n; i++) {
      if (i < n) {
        block_of(a, block[i][0][l], block[i][1][l]);
      } else {
        value_of(a, value, l);
      }
      value_of(b, factor[i - 1], l);
      BN_mul(a, a, b, scratch);
      BN_add(want, want, a);
    }
    BN_nnmod(want, want, p, scratch);
    value_of(a, got, l);
    BN_nnmod(a, a, p, scratch);
    if (BN_cmp(a, want) != 0) fail_msg("the sum of %u products is wrong", n);
    if (got[2][l] >= (1 << 26) + (1 << 7)) fail_msg("the sum of %u products is right, but past its bounds", n);
  }
  BN_free(a);
  BN_free(b);
  BN_free(want);
}

static void products(void **state) {
  (void)state;
  if (!can_run()) return;
  BN_CTX *scratch = BN_CTX_new();
  BIGNUM *p = modulus();
  uint64_t seed = 0;
  for (unsigned round = 0; round < n_rounds; round++) {
    check_products(1 + round % MERGED_MAX, &seed, scratch, p);
  }
  BN_free(p);
  BN_CTX_free(scratch);
}

/* All of p - 40 to p + 40, and behind that what is next to powers of 2. */
static void ends(void **state) {
  (void)state;
  if (!can_run()) return;
  BN_CTX *scratch = BN_CTX_new();
  BIGNUM *p = modulus(), *x = BN_new(), *y = BN_new();
  for (unsigned round = 0; round < 80 + 6 * 111; round++) {
    lane_limbs value = {{0}};
    uint64_t low[LANES], high[LANES];
    BN_copy(x, p);
    if (round < 80) {
      BN_sub_word(x, 40);
      BN_add_word(x, round);
    } else {
      BN_zero(y);
      BN_set_bit(y, (int)(round - 80) % 111);
      BN_add(x, x, y);
      BN_add_word(x, round % 6);
    }
    BN_copy(y, x);
    for (unsigned i = 0; i < LIMBS; i++) {
      BIGNUM *limb = BN_dup(y);
      if (i + 1 < LIMBS && BN_num_bits(limb) > LIMB_BITS) BN_mask_bits(limb, LIMB_BITS);
      for (unsigned l = 0; l < LANES; l++) value[i][l] = BN_get_word(limb);
      BN_rshift(y, y, LIMB_BITS);
      BN_free(limb);
    }
    lanes->finish(low, high, value);
    BN_nnmod(x, x, p, scratch);
    BN_copy(y, x);
    BN_mask_bits(y, 64);
    uint64_t want_low = BN_get_word(y);
    BN_rshift(x, x, 64);
    BN_mask_bits(x, 64);
    for (unsigned l = 0; l < LANES; l++) {
      assert_int_equal(low[l], want_low);
      assert_int_equal(high[l], BN_get_word(x));
    }
  }
  BN_free(x);
  BN_free(y);
  BN_free(p);
  BN_CTX_free(scratch);
}

static void groups(void **state) {
  (void)state;
  static uint8_t text[LANES][64 * ROWS_MAX + 16 * MORE_MAX];
  uint64_t seed = 1;
  if (!can_run()) return;
  for (unsigned round = 0; round < n_rounds; round++) {
    uint8_t key[LANES][32], want[16], got[16];
    const uint8_t *texts[LANES];
    uint64_t low[LANES], high[LANES];
    size_t n_rows = any(&seed) % (ROWS_MAX + 1), n_more = any(&seed) % (MORE_MAX + 1), len = 64 * n_rows + 16 * n_more;
    if (len == 0) continue;
    for (unsigned l = 0; l < LANES; l++) {
      make_key(key[l], &seed);
      make_text(text[l], len, &seed);
      texts[l] = text[l];
    }
    lanes->group(low, high, (const uint8_t(*)[32])key, texts, n_rows, n_more, any(&seed) % 2 == 0);
    for (unsigned l = 0; l < LANES; l++) {
      libcrypto_tag(want, key[l], text[l], len);
      sl_store64_le(got, low[l]);
      sl_store64_le(got + 8, high[l]);
      assert_memory_equal(got, want, 16);
    }
  }
}

static void solos(void **state) {
  (void)state;
  static uint8_t text[16 + STEPS_MAX * 16 * LANES];
  uint64_t seed = 2;
  if (!can_run()) return;
  for (unsigned round = 0; round < n_rounds; round++) {
    uint8_t key[32], want[16], got[16];
    size_t n_steps = 2 + any(&seed) % (STEPS_MAX - 1), before = any(&seed) % 2 * 16;
    size_t len = before + n_steps * 16 * LANES;
    struct sl_poly1305 poly;
    make_key(key, &seed);
    make_text(text, len, &seed);
    sl_poly1305_init(&poly, key);
    if (before > 0) sl_poly1305_block(&poly, text, 1);
    lanes->solo(&poly, text + before, n_steps, any(&seed) % 2 == 0);
    sl_poly1305_final(&poly, got);
    libcrypto_tag(want, key, text, len);
    assert_memory_equal(got, want, 16);
  }
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(products),
      cmocka_unit_test(ends),
      cmocka_unit_test(groups),
      cmocka_unit_test(solos),
  };
  if (argc > 1) n_rounds = (unsigned)strtoul(argv[1], NULL, 10);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
