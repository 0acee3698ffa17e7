/* chapoly_solo.h - part of chapoly_template.h: one text by itself, all lanes are its blocks. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_SOLO_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_SOLO_H

/* ---- Poly1305 ------------------------------------------------------------------------------------------------- */

/* The powers of r that vectors take. */
SHARED void chapoly_solo_powers(struct chapoly_work *w, const struct sl_poly1305 *poly, bool is_long) {
  v low = q_set(poly->r[0] | poly->r[1] << 44), high = q_set(poly->r[1] >> 20 | poly->r[2] << 24);
  struct poly_factor top = poly_factor(poly_block(low, high, q_zero()));
  struct poly_value each = poly_value_of(&top), x;

  /* top is r^k, and the lanes of `each` have r^k ... r^1, over and over. */
  for (unsigned k = 1; k < Q_LANES; k *= 2) {
    uint64_t upper[Q_LANES];
    UNROLL for (unsigned i = 0; i < Q_LANES; i++) upper[i] = (i & k) == 0 ? ~UINT64_C(0) : 0;
    x = each;
    poly_times(&x, &top);
    each = poly_select(q_load(upper), x, each);
    x = poly_value_of(&top);
    poly_times(&x, &top);
    top = poly_factor(x);
  }
  for (unsigned i = 0; i < POLY_LIMBS; i++) each.limb[i] = q_to_run_order(each.limb[i]);
  w->powers = poly_factor(each);
  w->r[0][0] = top;
  if (is_long) poly_powers(w, 0);
}

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
SHARED void chapoly_solo_end(const struct chapoly_work *w, struct sl_poly1305 *poly) {
  struct poly_value x = w->hash[0];
  uint64_t limb[POLY_LIMBS];
  poly_times(&x, &w->powers);
  for (unsigned i = 0; i < POLY_LIMBS; i++) {
    uint64_t lanes[Q_LANES];
    q_store(lanes, x.limb[i]);
    limb[i] = 0;
    for (unsigned j = 0; j < Q_LANES; j++) limb[i] += lanes[j];
  }
  poly_join(poly->h, limb);
}

/* Absorbs n_steps STEP_LEN bytes; in the first of a text the hash is only added. */
SHARED void chapoly_solo_steps(struct chapoly_work *w, const uint8_t *p, size_t n_steps, bool is_first, bool is_long) {
  struct poly_value h = w->hash[0];
  while (n_steps > 0) {
    size_t n = is_long && !is_first && n_steps >= POLY_MERGED ? POLY_MERGED : 1;
    if (n > 1) {
      struct poly_sum s = poly_sum_of(poly_run_at(p + (POLY_MERGED - 1) * STEP_LEN));
      POLY_UNROLL for (unsigned i = 0; i < POLY_MERGED; i++) {
        struct poly_value x = i + 1 < POLY_MERGED ? poly_run_at(p + (POLY_MERGED - 2 - i) * STEP_LEN) : h;
        s = poly_sum_add(s, x, &w->r[i][0]);
      }
      h = poly_carried(s);
    } else {
      if (!is_first) poly_times(&h, &w->r[0][0]);
      h = poly_add(h, poly_run_at(p));
    }
    is_first = false;
    n_steps -= n, p += n * STEP_LEN;
  }
  w->hash[0] = h;
}

/* ---- one text ------------------------------------------------------------------------------------------------- */

/* A text of whole passes and one block: its last block may come from a head. */
INLINE bool chapoly_has_odd_block(size_t text_len) {
  return (text_len + 63) / 64 % PASS_BLOCKS == 1;
}
/* Whether a head saves it a pass. */
INLINE bool chapoly_wants_head(size_t text_len) {
  return (text_len + 63) / 64 % PASS_BLOCKS <= 1;
}

/* The states of the blocks from `base` on. */
SHARED void chapoly_solo_start(struct chapoly_work *w, const struct sl_aead_key *key, const uint8_t *nonce,
                               size_t n_states, uint32_t base) {
  chacha_start_constants(w->start);
  for (unsigned i = 0; i < 8; i++) w->start[4 + i] = w_set(sl_load32_le(key->mem + 4 * i));
  for (unsigned i = 0; i < 3; i++) w->start[13 + i] = w_set(sl_load32_le(nonce + 4 * i));
  for (size_t s = 1; s < n_states; s++) memcpy(w->start + 16 * s, w->start, 16 * sizeof w->start[0]);
  for (size_t s = 0; s < n_states; s++) w->start[16 * s + 12] = w_places((uint32_t)s * W_LANES + base, 0);
  chacha_begin(w, n_states);
}

/* The hash of a record: its key, out of its head or the first pass, and its AAD. */
SHARED void chapoly_solo_hash(struct sl_poly1305 *poly, const struct chapoly_work *w, const struct chapoly_head *head,
                              const struct sl_aead_job *job) {
  uint8_t key[32];
  if (head != NULL) {
    memcpy(key, head->key, sizeof key);
  } else {
    chacha_first_key(key, w);
  }
  sl_poly1305_init(poly, key);
  sl_wipe(key, sizeof key);
  chapoly_absorb(poly, job->aad, job->aad_len);
}

/* One text of which two blocks of stream are all, block 0 of a record included. */
SHARED void chapoly_tiny(struct chapoly_work *w, struct sl_aead_job *job, struct sl_poly1305 *poly,
                         const uint32_t *piece_counter, bool seal) {
  size_t text_len = job->len + job->tail_len, n_first = 0, hashed_len = text_len;
  chacha_two_blocks(w->rest, job->key->mem, job->nonce, piece_counter != NULL ? *piece_counter : 0);
  w->used |= USED_REST;
  if (piece_counter != NULL) {
    hashed_len &= ~(size_t)15;
  } else {
    sl_poly1305_init(poly, w->rest[0]);
    chapoly_absorb(poly, job->aad, job->aad_len);
    n_first = 1;
  }
  if (!seal) chapoly_absorb(poly, job->in, hashed_len);
  for (size_t off = 0; off < text_len; off += 64) chapoly_text_block(job, off, w->rest[n_first + off / 64], seal);
  if (seal) chapoly_absorb(poly, job->out, hashed_len);
}

SHARED void chapoly_solo_tag(struct sl_aead_job *job, struct sl_poly1305 *poly, size_t text_len, bool seal) {
  uint8_t tag[16];
  chapoly_final(poly, tag, job->aad_len, text_len);
  chapoly_end(job, sl_load64_le(tag), sl_load64_le(tag + 8), seal);
  sl_wipe(tag, sizeof tag);
}

/* One text: a record with AAD and tag, or a piece of a text in pieces, which has neither, and no tail. `poly` is the piece's
 * hash or, for a record, anything. A record comes with a head or without: then its first pass makes what is in one. */
SHARED void chapoly_solo(struct chapoly_work *w, struct sl_aead_job *job, const struct chapoly_head *head,
                         struct sl_poly1305 *poly, const uint32_t *piece_counter, bool seal) {
  struct chapoly_records rec;
  bool is_piece = piece_counter != NULL;
  size_t text_len = job->len + job->tail_len;
  size_t base = is_piece || head != NULL, n_blocks = 1 + (text_len + 63) / 64;
  if (head == NULL && n_blocks - base <= 2) {
    chapoly_tiny(w, job, poly, piece_counter, seal);
    if (!is_piece) chapoly_solo_tag(job, poly, text_len, seal);
    return;
  }
  rec.n = rec.width = 1;
  rec.log_width = 0;
  rec.job = &job;
  rec.in[0] = job->in;
  rec.out[0] = job->out;
  rec.len_min = job->len;
  rec.text_max = text_len;
  rec.lanes_base = 0;

  const uint8_t *cipher = seal ? job->out : job->in;
  bool has_last = head != NULL && chapoly_has_odd_block(text_len), finished = false;
  if (has_last) n_blocks--;
  size_t n_steps = text_len < SOLO_VECTORS_LEN ? 0 : text_len / STEP_LEN, pos = 0; /* pos: steps */
  const uint8_t *rest = cipher + STEP_LEN * n_steps;
  size_t rest_len = text_len - STEP_LEN * n_steps;
  if (is_piece) rest_len &= ~(size_t)15;
  bool is_long = n_steps >= SOLO_LONG_STEPS;
  size_t n_states = n_blocks - base > W_LANES ? W_STATES : 1;
  w->used |= (n_steps > 0 ? USED_SOLO : 0) | (is_long ? USED_MERGED : 0);
  chapoly_solo_start(w, job->key, job->nonce, n_states, is_piece ? *piece_counter : (uint32_t)base);
  chacha_pass(w, n_states, PASS_BLOCKS, NULL, seal);
  if (!is_piece) {
    chapoly_solo_hash(poly, w, head, job);
  }
  if (n_steps > 0) {
    chapoly_solo_powers(w, poly, is_long);
    chapoly_solo_begin(w, poly);
  }
  for (size_t next, n_next; base < n_blocks; base = next, n_states = n_next) {
    next = base + PASS_BLOCKS;
    n_next = next >= n_blocks ? 0 : n_blocks - next <= W_LANES ? 1 : W_STATES;
    size_t end = 64 * (next - 1), to = seal ? end / STEP_LEN : (end + STEP_LEN - 1) / STEP_LEN;
    if (to > n_steps) to = n_steps;
    if (seal) chapoly_turn(w, &rec, base, n_states, n_next, seal);
    if (has_last && seal && n_next == 0) chapoly_text_block(job, (text_len - 1) & ~(size_t)63, head->last, seal);
    chapoly_solo_steps(w, cipher + STEP_LEN * pos, to - pos, pos == 0, is_long);
    pos = to;
    if (!seal && !finished && end > STEP_LEN * n_steps) {
      if (n_steps > 0) chapoly_solo_end(w, poly);
      chapoly_absorb(poly, rest, rest_len);
      finished = true;
    }
    if (!seal) chapoly_turn(w, &rec, base, n_states, n_next, seal);
  }
  if (!finished) {
    chapoly_solo_steps(w, cipher + STEP_LEN * pos, n_steps - pos, pos == 0, is_long);
    if (n_steps > 0) chapoly_solo_end(w, poly);
    chapoly_absorb(poly, rest, rest_len);
  }
  if (is_piece) return;
  if (!seal && has_last) chapoly_text_block(job, (text_len - 1) & ~(size_t)63, head->last, seal);
  chapoly_solo_tag(job, poly, text_len, seal);
}

SHARED void chapoly_record(struct chapoly_work *w, struct sl_aead_job *job, const struct chapoly_head *head,
                           bool seal) {
  struct sl_poly1305 poly;
  chapoly_solo(w, job, head, &poly, NULL, seal);
}

#endif
