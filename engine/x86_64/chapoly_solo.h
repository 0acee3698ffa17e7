/* chapoly_solo.h - part of chapoly_template.h: one text by itself, all lanes are its blocks. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_SOLO_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_SOLO_H

/* ---- Poly1305 ------------------------------------------------------------------------------------------------- */

/* r^Q_LANES ... r^1 in lanes, whose limbs go to `lanes`. The result is r^Q_LANES in all lanes, or for a long text whose steps take
 * powers from lanes: the lanes' own to the power of Q_LANES. */
INLINE struct poly_value chapoly_solo_new_powers(const struct sl_poly1305 *poly, uint64_t *lanes, bool is_long) {
#define ALL UINT64_MAX
  static const uint64_t upper[3][8] = {{ALL, 0, ALL, 0, ALL, 0, ALL, 0},
                                       {ALL, ALL, 0, 0, ALL, ALL, 0, 0},
                                       {ALL, ALL, ALL, ALL, 0, 0, 0, 0}}; /* lanes whose bit k is 0 */
#undef ALL
  v low = q_set(poly->r[0] | poly->r[1] << 44), high = q_set(poly->r[1] >> 20 | poly->r[2] << 24);
  struct poly_value x = poly_block(low, high, q_zero());
  unsigned log_lanes = __builtin_ctz(Q_LANES), n_rounds = is_long ? 2 * log_lanes : log_lanes;
  /* Lanes have r^n ... r^1, over and over, n = 1, 2, 4, ..., and then all of them are squared. */
  for (unsigned k = 0; k < n_rounds; k++) {
    struct poly_value before = x;
    struct poly_factor f = poly_factor(k < log_lanes ? poly_first(x) : x);
    poly_times(&x, &f);
    if (k < log_lanes) x = poly_select(q_load(upper[k]), x, before);
    for (unsigned i = 0; i < POLY_LIMBS && k + 1 == log_lanes; i++)
      q_store(lanes + Q_LANES * i, q_to_run_order(x.limb[i]));
  }
  return n_rounds > log_lanes ? x : poly_first(x);
}

/* What a text in pieces has kept: behind the lanes, and if they are all there is, in lane 0. */
INLINE struct poly_value chapoly_solo_kept(const uint64_t *lanes, bool is_long) {
  const uint64_t *behind = lanes + POLY_LIMBS * Q_LANES;
  struct poly_value x;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    x.limb[i] = is_long ? q_load(behind + Q_LANES * i) : q_set(lanes[Q_LANES * i]);
  }
  return x;
}

/* What steps take, in w->solo; and in `lanes` what the end takes. A text in pieces keeps both. */
INLINE void chapoly_solo_powers(struct chapoly_work *w, const struct sl_poly1305 *poly, uint64_t *lanes,
                                struct sl_stream *piece, bool is_long) {
  bool has_them = piece != NULL && piece->n_powers > is_long;
  struct poly_value x = has_them ? chapoly_solo_kept(lanes, is_long) : chapoly_solo_new_powers(poly, lanes, is_long);
  w->solo = poly_factor(x);
  if (piece == NULL || has_them) return;
  piece->n_powers = 1 + is_long;
  for (unsigned i = 0; i < POLY_LIMBS && is_long; i++) q_store(lanes + Q_LANES * (POLY_LIMBS + i), x.limb[i]);
}
_Static_assert(2 * POLY_LIMBS * sizeof(v) <= sizeof((struct sl_stream *)0)->powers, "the powers must fit their place");

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
  w->used |= USED_SOLO;
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
    for (unsigned j = 0; j < Q_LANES; j++) limb[i] += sum[j] & POLY_LIMB_MASK;
  }
  poly_join(poly->h, limb);
  sl_wipe(limb, sizeof limb);
}

/* Absorbs n_steps STEP_LEN bytes. The hash is only added to the first of a text, when there are two at least. */
static void chapoly_solo_steps(struct chapoly_work *w, const uint8_t *p, size_t n_steps, bool is_first, bool is_long) {
  struct poly_value h = w->hash[0];
  for (size_t n; n_steps > 0; n_steps -= n, is_first = false) {
    n = is_long ? POLY_SOLO_MERGED : 1 + (size_t)is_first;
    if (n > n_steps) n = n_steps;
    p += n * STEP_LEN;
    struct poly_sum s = poly_sum_of(poly_run_at(p - STEP_LEN));
    UNROLL for (unsigned i = 1; i < POLY_SOLO_MERGED; i++) {
      if (i == n) break;
      s = poly_sum_add_power(s, poly_run_at(p - (i + 1) * STEP_LEN), &w->solo, i, POLY_BLOCK);
    }
    h = poly_carried(poly_sum_add_power(s, h, &w->solo, n - is_first, POLY_VALUE)); /* h last: all else is early */
  }
  w->hash[0] = h;
}

/* ---- ChaCha20 -------------------------------------------------------------------------------------------------- */

static void chapoly_solo_start(struct chapoly_work *w, const uint8_t *key, const uint8_t *nonce, size_t n_states,
                               uint32_t counter) {
  for (size_t s = 0; s < n_states; s++) {
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
