/* chapoly_solo.h - part of chapoly_template.h: one text by itself, all lanes are its blocks. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_SOLO_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_SOLO_H

/* ---- Poly1305 ------------------------------------------------------------------------------------------------- */

/* The powers of r that vectors take, from r. */
INLINE void chapoly_solo_new_powers(struct chapoly_work *w, const struct sl_poly1305 *poly, uint64_t *lanes,
                                    bool is_long) {
#define ALL UINT64_MAX
  static const uint64_t upper[3][8] = {{ALL, 0, ALL, 0, ALL, 0, ALL, 0},
                                       {ALL, ALL, 0, 0, ALL, ALL, 0, 0},
                                       {ALL, ALL, ALL, ALL, 0, 0, 0, 0}}; /* lanes whose bit k is 0 */
#undef ALL
  v low = q_set(poly->r[0] | poly->r[1] << 44), high = q_set(poly->r[1] >> 20 | poly->r[2] << 24);
  struct poly_factor top = poly_factor(poly_block(low, high, q_zero()));
  struct poly_value each = poly_value_of(&top), x;

  /* top is r^n, and the lanes of `each` have r^n ... r^1, over and over. */
  for (size_t k = 0, n = 1; n < Q_LANES; k++, n *= 2) {
    x = each;
    poly_times(&x, &top);
    each = poly_select(q_load(upper[k]), x, each);
    x = poly_value_of(&top);
    poly_times(&x, &top);
    top = poly_factor(x);
  }
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) q_store(lanes + Q_LANES * i, q_to_run_order(each.limb[i]));
  w->r[0][0] = top;
  if (is_long) poly_powers(w, 0);
}

/* The same in w->r and, for the end, in `lanes`. A text in pieces keeps them: lanes, and one lane of each of w->r. */
INLINE void chapoly_solo_powers(struct chapoly_work *w, const struct sl_poly1305 *poly, uint64_t *lanes,
                                struct sl_stream *piece, bool is_long) {
  size_t n = is_long ? POLY_MERGED : 1;
  uint64_t *kept = lanes + POLY_LIMBS * Q_LANES;
  if (piece == NULL || piece->n_powers < n) {
    chapoly_solo_new_powers(w, poly, lanes, is_long);
    if (piece == NULL) return;
    for (size_t k = 0; k < n; k++) {
      for (unsigned i = 0; i < POLY_LIMBS; i++) memcpy(kept + POLY_LIMBS * k + i, &w->r[k][0].limb[i], sizeof kept[0]);
    }
    piece->n_powers = (uint8_t)n;
    return;
  }
  for (size_t k = 0; k < n; k++) {
    struct poly_value x;
    UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) x.limb[i] = q_set(kept[POLY_LIMBS * k + i]);
    w->r[k][0] = poly_factor(x);
  }
}
_Static_assert(8 * POLY_LIMBS * (Q_LANES + POLY_MERGED) <= sizeof((struct sl_stream *)0)->powers,
               "the powers must fit their place");

/* The hash so far becomes lane 0, and is not yet multiplied: a block of each lane comes first. */
INLINE void chapoly_solo_begin(struct chapoly_work *w, const struct sl_poly1305 *poly) {
  uint64_t h1 = poly->h[1] + (poly->h[0] >> 44), h2 = poly->h[2] + (h1 >> 44), low, high;
  low = (poly->h[0] & SL_POLY1305_44) | h1 << 44;
  high = (h1 & SL_POLY1305_44) >> 20 | h2 << 24;
  v first = q_to_run_order(poly_lanes_before(1));
  struct poly_value h = poly_block(q_and(q_set(low), first), q_and(q_set(high), first), q_zero());
  /* What is over 2^128, under 2^3, has its place in the last limb. */
  h.limb[POLY_LIMBS - 1] = q_add(h.limb[POLY_LIMBS - 1], q_and(q_set(h2 >> 40 << POLY_TOP_BITS), first));
  w->hash[0] = h;
}

/* Where limbs of r^Q_LANES ... r^1 are, which go to the lanes in the end. */
INLINE uint64_t *chapoly_solo_lanes(struct chapoly_work *w, struct sl_stream *piece) {
  return piece != NULL ? piece->powers : w->lanes;
}

static void chapoly_solo_hash(struct chapoly_work *w, const struct sl_poly1305 *poly, struct sl_stream *piece,
                              bool is_long) {
  w->used |= USED_SOLO | (is_long ? USED_SOLO_LONG : 0);
  chapoly_solo_powers(w, poly, chapoly_solo_lanes(w, piece), piece, is_long);
  chapoly_solo_begin(w, poly);
}

/* The sum of the lanes becomes the hash; lane i lacks r^(Q_LANES - i). */
static void chapoly_solo_end(struct chapoly_work *w, struct sl_poly1305 *poly, struct sl_stream *piece) {
  const uint64_t *lanes = chapoly_solo_lanes(w, piece);
  struct poly_value x;
  uint64_t limb[POLY_LIMBS];
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) x.limb[i] = q_load(lanes + Q_LANES * i);
  struct poly_factor f = poly_factor(x);
  poly_times(&w->hash[0], &f);
  for (unsigned i = 0; i < POLY_LIMBS; i++) {
    const uint64_t *sum = (const uint64_t *)&w->hash[0].limb[i];
    limb[i] = 0;
    for (unsigned j = 0; j < Q_LANES; j++) limb[i] += sum[j];
  }
  poly_join(poly->h, limb);
  sl_wipe(limb, sizeof limb);
}

/* Absorbs n_steps STEP_LEN bytes; in the first of a text the hash is only added. */
static void chapoly_solo_steps(struct chapoly_work *w, const uint8_t *p, size_t n_steps, bool is_first, bool is_long) {
  struct poly_value h = w->hash[0];
  for (size_t n; n_steps > 0; n_steps -= n, is_first = false) {
    n = !is_long ? 1 : n_steps < POLY_MERGED ? n_steps : POLY_MERGED;
    p += n * STEP_LEN;
    struct poly_value x = poly_run_at(p - STEP_LEN);
    if (is_first && n == 1) {
      h = poly_add(h, x);
      continue;
    }
    struct poly_sum s = poly_sum_of(x);
    POLY_UNROLL for (unsigned i = 0; i + 1 < POLY_MERGED; i++) {
      if (i + 1 == n) break;
      s = poly_sum_add(s, poly_run_at(p - (i + 2) * STEP_LEN), &w->r[i][0]);
    }
    h = poly_carried(poly_sum_add(s, h, &w->r[n - 1 - is_first][0])); /* h last: all else is early */
  }
  w->hash[0] = h;
}

/* ---- ChaCha20 -------------------------------------------------------------------------------------------------- */

static void chapoly_solo_start(struct chapoly_work *w, const uint8_t *key, const uint8_t *nonce, size_t n_states,
                               uint32_t counter) {
  for (size_t s = 0; s < STATES(n_states); s++) {
    v *start = w->start + 16 * s;
    chacha_start_constants(start);
    ROLLED for (size_t i = 0; i < 8; i++) start[4 + i] = w_set(sl_load32_le(key + 4 * i));
    ROLLED for (size_t i = 0; i < 3; i++) start[13 + i] = w_set(sl_load32_le(nonce + 4 * i));
    start[12] = w_places((uint32_t)s * W_LANES + counter, 0);
  }
  chacha_begin(w, n_states);
  chacha_pass(w, n_states, PASS_BLOCKS, NULL, true);
}

#endif
