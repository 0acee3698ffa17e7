/* chapoly_solo.h - part of chapoly_template.h: one text by itself, all lanes are its blocks. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_SOLO_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_SOLO_H

/* chapoly_stream.h: what becomes of the hash in a piece of a text. */
static void chapoly_stream_begin(struct chapoly_work *w, const struct sl_stream *s, const uint8_t *p, bool is_long);
static void chapoly_stream_end(const struct chapoly_work *w, struct sl_stream *s, const uint8_t *p, size_t rest,
                               bool has_vectors);

/* ---- Poly1305 ------------------------------------------------------------------------------------------------- */

/* The powers of r, and the AAD: its blocks lie in the last lanes of as many vectors as it takes. */
SHARED void chapoly_solo_key(struct chapoly_work *w, const struct sl_aead_job *job, const uint8_t key[32],
                             bool is_long) {
  struct poly_factor top = poly_clamped(q_set(sl_load64_le(key)), q_set(sl_load64_le(key + 8)));
  struct poly_value each = poly_value_of(&top), x;
  w->tag_low[0] = sl_load64_le(key + 16);
  w->tag_high[0] = sl_load64_le(key + 24);

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
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    q_store(w->powers[i], top.limb[i]);
    q_store(w->powers[i] + Q_LANES, each.limb[i]);
    q_store(w->powers[i] + 2 * Q_LANES, q_set(i == 0));
  }
  w->r[0][0] = top;
  if (is_long) poly_powers(w, 0);

  struct poly_value h = poly_zero();
  size_t n_blocks = ((size_t)job->aad_len + 15) / 16, n_lead = -n_blocks % Q_LANES;
  for (size_t at = 0; at < n_lead + n_blocks; at += Q_LANES) {
    v low, high, is_there = at == 0 ? q_to_run_order(poly_lanes_from(n_lead)) : poly_ones();
    for (size_t i = 0; i < Q_LANES; i++) {
      size_t off = 16 * (at + i - n_lead);
      bool is_lead = at + i < n_lead;
      block_store_all(w->blocks[i], is_lead ? _mm_setzero_si128() : poly_end(job->aad + off, job->aad_len - off));
    }
    q_gather_run(w->blocks[0], &low, &high);
    poly_times(&h, &w->r[0][0]);
    h = poly_add(h, poly_block(low, high, is_there));
  }
  w->hash[0] = h;
}

/* Absorbs n_steps STEP_LEN bytes. */
SHARED void chapoly_solo_steps(struct chapoly_work *w, const uint8_t *p, size_t n_steps, bool is_long) {
  struct poly_value h = w->hash[0];
  if (is_long) {
    for (; n_steps >= POLY_MERGED; n_steps -= POLY_MERGED, p += POLY_MERGED * STEP_LEN) {
      struct poly_sum s = poly_sum_of(poly_run_at(p + (POLY_MERGED - 1) * STEP_LEN));
      POLY_UNROLL for (unsigned i = 0; i < POLY_MERGED; i++) {
        struct poly_value x = i + 1 < POLY_MERGED ? poly_run_at(p + (POLY_MERGED - 2 - i) * STEP_LEN) : h;
        s = poly_sum_add(s, x, &w->r[i][0]);
      }
      h = poly_carried(s);
    }
  }
  for (; n_steps > 0; n_steps--, p += STEP_LEN) h = poly_mul_add(h, &w->r[0][0], poly_run_at(p));
  w->hash[0] = h;
}

/* Lane i of x times w->powers[][from + i]. */
SHARED void poly_times_powers(const struct chapoly_work *w, struct poly_value *x, size_t from) {
  struct poly_value powers;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) powers.limb[i] = q_to_run_order(q_load(w->powers[i] + from));
  struct poly_factor f = poly_factor(powers);
  poly_times(x, &f);
}

/* All lanes of x become their sum. */
SHARED void poly_sum_lanes(struct poly_value *x) {
  for (unsigned i = 0; i < POLY_LIMBS; i++) {
    uint64_t lanes[Q_LANES], sum = 0;
    q_store(lanes, x->limb[i]);
    UNROLL for (unsigned j = 0; j < Q_LANES; j++) sum += lanes[j];
    x->limb[i] = q_set(sum);
  }
}

/* Absorbs the rest of the text, under STEP_LEN bytes at p, and the lengths: n blocks, 1 to Q_LANES. Lane i of the hash lacks
 * r^(Q_LANES + n - i) when it gets no block any more, else r^Q_LANES before its block, and r^(n - i) for it. */
SHARED void chapoly_solo_finish(struct chapoly_work *w, const struct chapoly_records *rec, struct sl_stream *piece,
                                const uint8_t *p, size_t rest) {
  if (piece != NULL) {
    chapoly_stream_end(w, piece, p, rest, rec->text_len[0] >= STREAM_VECTORS_LEN);
    return;
  }
  struct poly_value h = w->hash[0];
  v low, high;
  size_t n = (rest + 15) / 16;
  memset(w->blocks, 0, sizeof w->blocks);
  for (size_t i = 0; i < n; i++) block_store_all(w->blocks[i], poly_end(p + 16 * i, rest - 16 * i));
  if (n == Q_LANES) {
    poly_times(&h, &w->r[0][0]);
    h = poly_add(h, poly_run_at(w->blocks[0]));
    memset(w->blocks, 0, sizeof w->blocks);
    n = 0;
  }
  sl_store64_le(w->blocks[n], rec->aad_len[0]);
  sl_store64_le(w->blocks[n] + 8, rec->text_len[0]);
  n++;
  q_gather_run(w->blocks[0], &low, &high);

  poly_times_powers(w, &h, Q_LANES - n);
  h = poly_add(h, poly_block(low, high, q_to_run_order(poly_lanes_before(n))));
  poly_times_powers(w, &h, 2 * Q_LANES - n);
  poly_sum_lanes(&h);
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

INLINE void chapoly_solo_record(struct chapoly_records *rec, struct sl_aead_job *const *jobs) {
  const struct sl_aead_job *job = jobs[0];
  rec->n = rec->width = 1;
  rec->log_width = 0;
  rec->job = jobs;
  rec->in[0] = job->in;
  rec->out[0] = job->out;
  rec->len_min = job->len;
  rec->aad_len[0] = job->aad_len;
  rec->text_len[0] = rec->text_max = job->len + job->tail_len;
  rec->lanes_base = 0;
}

/* A record comes with a head or without: then its first pass makes what is in one. A piece of a text in pieces comes with
 * its stream, and no AAD or tail. */
static void chapoly_solo(struct chapoly_work *w, struct sl_aead_job *job, const struct chapoly_head *head,
                         struct sl_stream *piece, bool seal) {
  struct chapoly_records rec;
  chapoly_solo_record(&rec, &job);
  const uint8_t *cipher = seal ? job->out : job->in;
  size_t base = head != NULL || piece != NULL, n_blocks = 1 + (rec.text_max + 63) / 64;
  bool has_last = head != NULL && chapoly_has_odd_block(rec.text_max), finished = false;
  if (has_last) n_blocks--;
  size_t n_steps = rec.text_max / STEP_LEN, pos = 0; /* pos: steps */
  if (piece != NULL && rec.text_max < STREAM_VECTORS_LEN) n_steps = 0;
  size_t rest = rec.text_max - STEP_LEN * n_steps;
  bool is_long = n_steps >= SOLO_LONG_STEPS;
  size_t n_states = n_blocks - base > W_LANES ? W_STATES : 1;
  w->used |= USED_SOLO | (n_states > 1 ? USED_STATES : 0) | (is_long ? USED_MERGED : 0);
  chapoly_solo_start(w, job->key, job->nonce, n_states, piece != NULL ? piece->counter : (uint32_t)base);
  if (head != NULL) chapoly_solo_key(w, job, head->key, is_long);
  chacha_pass(w, n_states, PASS_BLOCKS, NULL);
  if (base == 0) {
    uint8_t key[32];
    chacha_first_key(key, w);
    chapoly_solo_key(w, job, key, is_long);
    sl_wipe(key, sizeof key);
  }
  for (size_t next, n_next; base < n_blocks; base = next, n_states = n_next) {
    next = base + PASS_BLOCKS;
    n_next = next >= n_blocks ? 0 : n_blocks - next <= W_LANES ? 1 : W_STATES;
    size_t end = 64 * (next - 1);
    size_t to = seal ? end / STEP_LEN : (end + STEP_LEN - 1) / STEP_LEN;
    if (to > n_steps) to = n_steps;
    if (seal) chapoly_turn(w, &rec, base, n_states, n_next, seal);
    if (has_last && seal && n_next == 0) chapoly_text_block(job, (rec.text_max - 1) & ~(size_t)63, head->last, seal);
    if (piece != NULL && pos == 0 && to > 0) {
      chapoly_stream_begin(w, piece, cipher, is_long);
      pos = 1;
    }
    chapoly_solo_steps(w, cipher + STEP_LEN * pos, to - pos, is_long);
    pos = to;
    if (!seal && !finished && end > STEP_LEN * n_steps) {
      chapoly_solo_finish(w, &rec, piece, cipher + STEP_LEN * n_steps, rest);
      finished = true;
    }
    if (!seal) chapoly_turn(w, &rec, base, n_states, n_next, seal);
  }
  if (!finished) {
    chapoly_solo_steps(w, cipher + STEP_LEN * pos, n_steps - pos, is_long);
    chapoly_solo_finish(w, &rec, piece, cipher + STEP_LEN * n_steps, rest);
  }
  if (piece != NULL) return;
  if (!seal && has_last) chapoly_text_block(job, (rec.text_max - 1) & ~(size_t)63, head->last, seal);
  chapoly_tags(w, &rec);
  chapoly_end(job, w->tag_low[0], w->tag_high[0], seal);
}

/* One record of which a single state has all blocks: too little for vectors of Poly1305 to pay for their powers. */
static void chapoly_small(struct chapoly_work *w, struct sl_aead_job *job, bool seal) {
  struct chapoly_records rec;
  uint8_t key[32], lengths[16], tag[16];
  struct sl_poly1305 poly;
  chapoly_solo_record(&rec, &job);
  chapoly_solo_start(w, job->key, job->nonce, 1, 0);
  chacha_pass(w, 1, 0, NULL);
  chacha_first_key(key, w);
  sl_poly1305_init(&poly, key);
  sl_wipe(key, sizeof key);
  chapoly_absorb(&poly, job->aad, job->aad_len);
  if (!seal) chapoly_absorb(&poly, job->in, rec.text_max);
  if (rec.text_max > 0) chapoly_turn(w, &rec, 0, 1, 0, seal);
  if (seal) chapoly_absorb(&poly, job->out, rec.text_max);
  sl_store64_le(lengths, job->aad_len);
  sl_store64_le(lengths + 8, rec.text_max);
  chapoly_absorb(&poly, lengths, sizeof lengths);
  sl_poly1305_final(&poly, tag);
  chapoly_end(job, sl_load64_le(tag), sl_load64_le(tag + 8), seal);
  sl_wipe(tag, sizeof tag);
}

#endif
