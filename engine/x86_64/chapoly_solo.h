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
SHARED void chapoly_solo_powers(struct chapoly_work *w, const struct sl_poly1305 *poly, uint64_t *lanes,
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
SHARED void chapoly_solo_begin(struct chapoly_work *w, const struct sl_poly1305 *poly) {
  uint64_t h1 = poly->h[1] + (poly->h[0] >> 44), h2 = poly->h[2] + (h1 >> 44), low, high;
  low = (poly->h[0] & SL_POLY1305_44) | h1 << 44;
  high = (h1 & SL_POLY1305_44) >> 20 | h2 << 24;
  v first = q_to_run_order(poly_lanes_before(1));
  struct poly_value h = poly_block(q_and(q_set(low), first), q_and(q_set(high), first), q_zero());
  /* What is over 2^128, under 2^3, has its place in the last limb. */
  h.limb[POLY_LIMBS - 1] = q_add(h.limb[POLY_LIMBS - 1], q_and(q_set(h2 >> 40 << POLY_TOP_BITS), first));
  w->hash[0] = h;
}

/* The sum of the lanes becomes the hash; lane i lacks r^(Q_LANES - i). */
SHARED void chapoly_solo_end(struct chapoly_work *w, struct sl_poly1305 *poly, const uint64_t *lanes) {
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
SHARED void chapoly_solo_steps(struct chapoly_work *w, const uint8_t *p, size_t n_steps, bool is_first, bool is_long) {
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

/* ---- one text ------------------------------------------------------------------------------------------------- */

/* Blocks behind the last whole state. */
INLINE size_t chapoly_n_last(size_t text_len) {
  return (text_len + 63) / 64 % W_LANES;
}
/* Whether a head saves a record a state. */
INLINE bool chapoly_wants_head(size_t text_len) {
  return chapoly_n_last(text_len) <= 1;
}

/* The states of the blocks from `base` on. */
SHARED void chapoly_solo_start(struct chapoly_work *w, const struct sl_aead_key *key, const uint8_t *nonce,
                               size_t n_states, uint32_t base) {
  chacha_start_constants(w->start);
  for (unsigned i = 0; i < 8; i++) w->start[4 + i] = w_set(sl_load32_le(chapoly_secret(key) + 4 * i));
  for (unsigned i = 0; i < 3; i++) w->start[13 + i] = w_set(sl_load32_le(nonce + 4 * i));
  for (size_t s = 1; s < n_states; s++) memcpy(w->start + 16 * s, w->start, 16 * sizeof w->start[0]);
  for (size_t s = 0; s < n_states; s++) w->start[16 * s + 12] = w_places((uint32_t)s * W_LANES + base, 0);
  chacha_begin(w, n_states);
}

/* Poly1305's key, out of a head or the first pass. */
SHARED void chapoly_solo_key(struct sl_poly1305 *poly, const struct chapoly_work *w, const struct chapoly_head *head) {
  uint8_t key[32];
  if (head != NULL) {
    memcpy(key, head->key, sizeof key);
  } else {
    chacha_first_key(key, w);
  }
  sl_poly1305_init(poly, key);
  sl_wipe(key, sizeof key);
}

/* The last blocks of a text, from `block` on, whose stream was made by itself. */
SHARED void chapoly_last_blocks(struct sl_aead_job *job, size_t block, const uint8_t (*stream)[64], bool seal) {
  for (size_t off = 64 * block; off < job->len + job->tail_len; off += 64) {
    chapoly_text_block(job, off, *stream++, seal);
  }
}

SHARED void chapoly_solo_tag(struct sl_aead_job *job, struct sl_poly1305 *poly, size_t text_len, bool seal) {
  uint8_t tag[16];
  chapoly_final(poly, tag, job->aad_len, text_len);
  chapoly_end(job, sl_load64_le(tag), sl_load64_le(tag + 8), seal);
  sl_wipe(tag, sizeof tag);
}

/* The hash of a piece is in scalars between the pieces. */
INLINE struct sl_poly1305 *chapoly_poly_of(struct sl_stream *s) {
  return (struct sl_poly1305 *)s->hash;
}
_Static_assert(sizeof(struct sl_poly1305) <= sizeof((struct sl_stream *)0)->hash, "the hash must fit its place");

/* One text: a record with AAD and tag, or a piece of a text in pieces, which has no tag, and no tail. It comes with a head or
 * without: then that is made here where it saves a state. Returns the stream of the last block where that is not whole. */
SHARED const uint8_t *chapoly_solo(struct chapoly_work *w, struct sl_aead_job *job, const struct chapoly_head *head,
                                   struct sl_stream *piece, bool seal) {
  struct chapoly_records rec;
  struct sl_poly1305 own, *poly = piece != NULL ? chapoly_poly_of(piece) : &own;
  bool has_hash = piece != NULL && piece->has_hash, finished = false;
  size_t text_len = job->len + job->tail_len, n_text = (text_len + 63) / 64, n_last = chapoly_n_last(text_len);
  uint32_t zero = has_hash ? piece->counter - 1 : 0; /* the counter of block 0, or the one before the piece's */
  if (head != NULL) {
    if (n_last > 1) n_last = 0;
  } else if (n_last < FEW_BLOCKS && n_last + !has_hash > 0) {
    w->used |= USED_FEW;
    chacha_few_blocks(w->few, chapoly_secret(job->key), job->nonce, zero, zero + (uint32_t)(n_text - n_last) + 1,
                      1 + n_last);
    head = w->heads;
  } else {
    n_last = 0;
  }
  size_t base = has_hash || head != NULL, n_blocks = 1 + n_text - n_last;
  const uint8_t(*last)[64] =
      n_last > 0 ? (const uint8_t(*)[64])head->last : &w->rest[(n_blocks - 1 - base) % PASS_BLOCKS];

  uint64_t *lanes = piece != NULL ? piece->powers : w->lanes;
  const uint8_t *cipher = seal ? job->out : job->in;
  size_t n_steps = text_len < SOLO_VECTORS_LEN ? 0 : text_len / STEP_LEN, pos = 0; /* pos: steps */
  const uint8_t *rest = cipher + STEP_LEN * n_steps;
  size_t rest_len = text_len - STEP_LEN * n_steps;
  if (piece != NULL) rest_len &= ~(size_t)15;
  bool is_long = n_steps >= SOLO_LONG_STEPS;
  w->used |= (n_steps > 0 ? USED_SOLO : 0) | (is_long ? USED_SOLO_LONG : 0);

  if (seal && n_last > 0) chapoly_last_blocks(job, n_blocks - 1, last, seal);
  size_t n_states = n_blocks - base > W_LANES ? W_STATES : 1;
  if (base < n_blocks) {
    rec.n = rec.width = 1;
    rec.log_width = 0;
    rec.job = &job;
    rec.in[0] = job->in;
    rec.out[0] = job->out;
    rec.len_min = job->len;
    rec.text_max = text_len;
    rec.lanes_base = 0;
    chapoly_solo_start(w, job->key, job->nonce, n_states, zero + (uint32_t)base);
    chacha_pass(w, n_states, PASS_BLOCKS, NULL, seal);
  }
  if (!has_hash) chapoly_solo_key(poly, w, head);
  chapoly_absorb(poly, job->aad, job->aad_len);
  if (n_steps > 0) {
    chapoly_solo_powers(w, poly, lanes, piece, is_long);
    chapoly_solo_begin(w, poly);
  }
  for (size_t next, n_next; base < n_blocks; base = next, n_states = n_next) {
    next = base + PASS_BLOCKS;
    n_next = next >= n_blocks ? 0 : n_blocks - next <= W_LANES ? 1 : W_STATES;
    size_t end = 64 * (next - 1), to = seal ? end / STEP_LEN : (end + STEP_LEN - 1) / STEP_LEN;
    if (to > n_steps) to = n_steps;
    if (seal) chapoly_turn(w, &rec, base, n_states, n_next, seal);
    chapoly_solo_steps(w, cipher + STEP_LEN * pos, to - pos, pos == 0, is_long);
    pos = to;
    if (!seal && !finished && end > STEP_LEN * n_steps) {
      if (n_steps > 0) chapoly_solo_end(w, poly, lanes);
      chapoly_absorb(poly, rest, rest_len);
      finished = true;
    }
    if (!seal) chapoly_turn(w, &rec, base, n_states, n_next, seal);
  }
  if (!finished) {
    chapoly_solo_steps(w, cipher + STEP_LEN * pos, n_steps - pos, pos == 0, is_long);
    if (n_steps > 0) chapoly_solo_end(w, poly, lanes);
    chapoly_absorb(poly, rest, rest_len);
  }
  if (!seal && n_last > 0) chapoly_last_blocks(job, n_blocks - 1, last, seal);
  if (piece == NULL) chapoly_solo_tag(job, poly, text_len, seal);
  return last[n_last > 0 ? n_last - 1 : 0];
}

SHARED void chapoly_record(struct chapoly_work *w, struct sl_aead_job *job, const struct chapoly_head *head,
                           bool seal) {
  chapoly_solo(w, job, head, NULL, seal);
}

#endif
