/* poly1305_lanes.c - the kernel chapoly_avx512 once more, with a table of its insides for test_poly1305_lanes.c. It is compiled with the
 * kernel's ISA flags: nobody calls it on a CPU that lacks them. */
#define sl_kernel_chapoly_avx512 kernel_under_test
#include "engine/x86_64/chapoly_avx512.c"

#include "poly1305_lanes.h"

static struct poly_value load_value(lane_limbs limbs) {
  struct poly_value x;
  for (unsigned i = 0; i < POLY_LIMBS; i++) x.limb[i] = q_load(limbs[i]);
  return x;
}

static void lanes_products(lane_limbs out, lane_limbs value, lane_limbs *factor, uint64_t (*block)[2][LANES],
                           unsigned n) {
  struct poly_sum s = poly_sum_of(poly_block(q_load(block[0][0]), q_load(block[0][1]), poly_ones()));
  struct poly_factor f;
  for (unsigned i = 1; i < n; i++) {
    f = poly_factor(load_value(factor[i - 1]));
    s = poly_sum_add(s, poly_block(q_load(block[i][0]), q_load(block[i][1]), poly_ones()), &f, POLY_BLOCK);
  }
  f = poly_factor(load_value(factor[n - 1]));
  struct poly_value x = poly_carried(poly_sum_add(s, load_value(value), &f, n > 1 ? POLY_VALUE : POLY_ALONE));
  for (unsigned i = 0; i < POLY_LIMBS; i++) q_store(out[i], x.limb[i]);
}

static void lanes_finish(uint64_t low[LANES], uint64_t high[LANES], lane_limbs value) {
  v l, h;
  poly_finish(load_value(value), &l, &h);
  q_store(low, l);
  q_store(high, h);
}

static void lanes_group(uint64_t low[LANES], uint64_t high[LANES], const uint8_t (*key)[32], const uint8_t *const *text,
                        size_t n_rows, size_t n_more, bool is_short) {
  struct chapoly_work w;
  struct chapoly_records rec = {.cipher = text, .n = Q_LANES, .width = Q_LANES, .is_even = true};
  uint64_t r[2][Q_LANES];
  memset(&w, 0, sizeof w);
  chapoly_work_begin(&w);
  for (unsigned i = 0; i < Q_LANES; i++) {
    r[0][i] = sl_load64_le(key[i]), r[1][i] = sl_load64_le(key[i] + 8);
    w.tags.low[i] = sl_load64_le(key[i] + 16), w.tags.high[i] = sl_load64_le(key[i] + 24);
  }
  w.r[0][0] = poly_clamped(q_load(r[0]), q_load(r[1]));
  w.n_powers = is_short ? POLY_MERGED_FEW : POLY_MERGED;
  poly_powers(&w, 0);
  chapoly_group_rows(&w, &rec, 0, 64 * n_rows, NULL);
  rec.text_min = rec.text_max = 64 * n_rows + 16 * n_more;
  chapoly_group_absorb(&w, &rec, CHAPOLY_TEXT, 64 * n_rows, rec.text_max);
  const struct chapoly_tags *tags = chapoly_group_tags(&w, &rec);
  memcpy(low, tags->low, sizeof r[0]);
  memcpy(high, tags->high, sizeof r[0]);
}

static void lanes_solo(struct sl_poly1305 *poly, const uint8_t *text, size_t n_steps, bool is_long) {
  struct chapoly_work w;
  chapoly_work_begin(&w);
  chapoly_solo_hash(&w, poly, NULL, is_long);
  chapoly_solo_steps(&w, text, n_steps, true, is_long);
  chapoly_solo_end(&w, poly, NULL);
}

_Static_assert(LANES == (int)Q_LANES && LIMBS == (int)POLY_LIMBS && MERGED_MAX == (int)POLY_SOLO_MERGED,
               "the test knows the kernel's measures");

const struct poly1305_lanes poly1305_lanes = {
    .kernel = &kernel_under_test,
    .products = lanes_products,
    .finish = lanes_finish,
    .group = lanes_group,
    .solo = lanes_solo,
};
