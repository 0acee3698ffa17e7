/* chapoly_group.h - part of chapoly_template.h: records side by side, each in its lanes. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_GROUP_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_GROUP_H

/* Keys, nonces and counters to the lanes of n_all states. */
SHARED void chapoly_group_start(struct chapoly_work *w, const struct chapoly_records *rec, size_t n_all) {
  size_t n_states = rec->width > W_LANES ? W_STATES : 1;
  for (size_t s = 0; s < n_states; s++) {
    v x[4], *start = w->start + 16 * s;
    chacha_start_constants(start);
    EACH_OF_FOUR x[i] = w_gather(rec->key + s * W_LANES + lane_place(i), 0);
    chacha_transpose(x);
    EACH_OF_FOUR start[4 + i] = x[i];
    EACH_OF_FOUR x[i] = w_gather(rec->key + s * W_LANES + lane_place(i), 16);
    chacha_transpose(x);
    EACH_OF_FOUR start[8 + i] = x[i];
    /* the 4 bytes behind a nonce are the job's, too */
    EACH_OF_FOUR x[i] = w_gather(rec->nonce + s * W_LANES + lane_place(i), 0);
    chacha_transpose(x);
    EACH_OF_FOUR start[12 + (i + 1) % 4] = x[i];
  }
  for (size_t s = n_states; s < n_all; s++) memcpy(w->start + 16 * s, w->start, 16 * sizeof w->start[0]);
  for (uint32_t s = 0; s < n_all; s++) w->start[16 * s + 12] = w_places(s * W_LANES, rec->log_width);
  chacha_begin(w, n_all);
}

/* Absorbs the ends of messages p from `from` on: all `max` bytes long when they are even, else of lengths len. Lanes that have
 * no more keep what they have; with is_lead, it is at the beginning that they have none. */
SHARED void chapoly_group_ends(struct chapoly_work *w, const struct chapoly_records *rec, size_t u,
                               const uint8_t *const *p, const uint64_t *len, size_t from, bool is_even, size_t max,
                               bool is_lead) {
  struct poly_value h = w->hash[u];
  p += Q_LANES * u;
  len += Q_LANES * u;
  for (size_t off = from; off < max; off += 16) {
    v low, high, is_there = poly_ones();
    if (is_even) {
      q_gather_even(p, off, max - off < 16 ? max - off : 16, &low, &high);
    } else {
      const uint8_t *at[Q_LANES];
      size_t n[Q_LANES];
      uint64_t there[Q_LANES];
      for (size_t i = 0; i < Q_LANES; i++) {
        size_t lead = is_lead ? ((max + 15) & ~(size_t)15) - ((len[i] + 15) & ~(uint64_t)15) : 0;
        size_t begin = off - lead, left = len[i] - begin;
        bool is_none = off < lead || begin >= len[i];
        at[i] = is_none ? rec->nonce[i] : p[i] + begin; /* an address to read nothing from */
        n[i] = is_none ? 0 : left < 16 ? left : 16;
        there[i] = is_none ? 0 : ~UINT64_C(0);
      }
      q_gather_ends(at, n, &low, &high);
      is_there = q_load(there);
    }
    struct poly_value x = poly_mul(poly_add(h, poly_block(low, high, is_there)), &w->r[0][u]);
    h = poly_select(is_there, x, h);
  }
  w->hash[u] = h;
}

/* r and s of every record, out of block 0. AAD is set at the end of as many blocks as the longest
 * takes; blocks that are not there leave the 0 they find. */
SHARED void chapoly_group_key(struct chapoly_work *w, const struct chapoly_records *rec) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    w->r[0][u] = poly_clamped(chacha_pair(w->stream, u, 0), chacha_pair(w->stream, u, 1));
    q_store(w->tag_low + Q_LANES * u, chacha_pair(w->stream, u, 2));
    q_store(w->tag_high + Q_LANES * u, chacha_pair(w->stream, u, 3));
  }
  for (size_t u = 0; u < chapoly_n_vectors(rec) && rec->text_min >= GROUP_LONG_LEN; u++) poly_powers(w, u);
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    w->hash[u] = poly_zero();
    chapoly_group_ends(w, rec, u, rec->aad, rec->aad_len, 0, rec->aad_min == rec->aad_max, rec->aad_max, true);
  }
}

/* Absorbs bytes [from,to) of every text, whole blocks; n vectors from u on side by side. */
INLINE void chapoly_group_steps_of(struct chapoly_work *w, const struct chapoly_records *rec, size_t u, unsigned n,
                                   size_t from, size_t to) {
  struct poly_value h[4];
  UNROLL for (unsigned i = 0; i < n; i++) h[i] = w->hash[u + i];
  for (size_t off = from; off < to; off += 16) {
    UNROLL for (unsigned i = 0; i < n; i++) {
      h[i] = poly_mul(poly_add(h[i], poly_blocks_at(rec->cipher + Q_LANES * (u + i), off)), &w->r[0][u + i]);
    }
  }
  UNROLL for (unsigned i = 0; i < n; i++) w->hash[u + i] = h[i];
}
/* The same, four blocks at a time. */
INLINE void chapoly_group_rows(struct chapoly_work *w, const struct chapoly_records *rec, size_t u, size_t from,
                               size_t to) {
  struct poly_value h = w->hash[u];
  for (size_t off = from; off < to; off += 64) {
    const uint8_t *const *p = rec->cipher + Q_LANES * u;
    struct poly_sum s = poly_sum_of(poly_zero());
    POLY_UNROLL for (unsigned i = 0; i < 4; i++) {
      struct poly_value x = poly_blocks_at(p, off + 48 - 16 * i);
      if (i == 3) x = poly_add(x, h); /* h last: all else is early */
      s = poly_sum_add(s, x, &w->r[i][u]);
    }
    h = poly_carried(s);
  }
  w->hash[u] = h;
}
_Static_assert(POLY_MERGED == 4, "a row of 64 bytes is four blocks");

/* The rows of a pass, which are there in pairs. */
SHARED void chapoly_group_pairs(struct chapoly_work *w, const struct chapoly_records *rec, const v *cipher) {
  for (size_t from = 0; from < N_VECTORS; from++) {
    size_t u = from & (rec->width / Q_LANES - 1);
    if (u >= chapoly_n_vectors(rec)) continue;
    struct poly_sum s = poly_sum_of(poly_zero());
    POLY_UNROLL for (unsigned i = 0; i < 4; i++) {
      v low = chacha_pair(cipher, from, 6 - 2 * i), high = chacha_pair(cipher, from, 7 - 2 * i);
      struct poly_value x = poly_block(low, high, poly_ones());
      if (i == 3) x = poly_add(x, w->hash[u]);
      s = poly_sum_add(s, x, &w->r[i][u]);
    }
    w->hash[u] = poly_carried(s);
  }
}

SHARED void chapoly_group_steps(struct chapoly_work *w, const struct chapoly_records *rec, size_t from, size_t to) {
  size_t u = 0, n = chapoly_n_vectors(rec);
  if (rec->text_min >= GROUP_LONG_LEN) {
    size_t rows_to = from + ((to - from) & ~(size_t)63);
    for (; u < n; u++) chapoly_group_rows(w, rec, u, from, rows_to);
    from = rows_to;
    u = 0;
  }
  if (from == to) return;
  for (; u < n; u += POLY_SIDE) chapoly_group_steps_of(w, rec, u, POLY_SIDE, from, to); /* N_VECTORS is even */
}

/* Absorbs what is left from `from` on, which is different for each record: those that have no more keep what they have.
 * Then the lengths. */
SHARED void chapoly_group_finish(struct chapoly_work *w, const struct chapoly_records *rec, size_t from) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    chapoly_group_ends(w, rec, u, rec->cipher, rec->text_len, from, rec->text_min == rec->text_max, rec->text_max,
                       false);
    v aad_len = rec->is_even ? q_set(rec->aad_max) : q_load(rec->aad_len + Q_LANES * u);
    v text_len = rec->is_even ? q_set(rec->text_max) : q_load(rec->text_len + Q_LANES * u);
    struct poly_value lengths = poly_block(aad_len, text_len, poly_ones());
    w->hash[u] = poly_mul(poly_add(w->hash[u], lengths), &w->r[0][u]);
  }
}

/* How many states a pass has, of which `n_blocks` blocks of each record are left. */
INLINE size_t chapoly_group_states(const struct chapoly_records *rec, size_t n_blocks) {
  return rec->width <= W_LANES && n_blocks <= (size_t)W_LANES >> rec->log_width ? 1 : W_STATES;
}

/* All lengths, where they differ. */
SHARED void chapoly_group_lengths(struct chapoly_records *rec) {
  for (size_t i = 0; i < rec->width; i++) {
    const struct sl_aead_job *job = rec->job[i < rec->n ? i : 0];
    size_t text_len = job->len + job->tail_len;
    rec->aad_len[i] = job->aad_len;
    rec->text_len[i] = text_len;
    if (job->len < rec->len_min) rec->len_min = job->len;
    if (text_len < rec->text_min) rec->text_min = text_len;
    if (text_len > rec->text_max) rec->text_max = text_len;
    if (job->aad_len < rec->aad_min) rec->aad_min = job->aad_len;
    if (job->aad_len > rec->aad_max) rec->aad_max = job->aad_len;
  }
}

/* n records, 1 to width, in one group. */
static void chapoly_group(struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n, size_t width, bool seal) {
  struct chapoly_records rec;
  const struct sl_aead_job *first = jobs[0];
  uint64_t differ = 0;
  rec.job = jobs;
  rec.cipher = seal ? (const uint8_t *const *)rec.out : rec.in;
  rec.n = n;
  rec.width = width;
  rec.log_width = (unsigned)__builtin_ctzl(width);
  rec.lanes_base = 0;
  for (size_t i = 0; i < n; i++) {
    const struct sl_aead_job *job = jobs[i];
    rec.key[i] = chapoly_secret(job->key);
    rec.nonce[i] = job->nonce;
    rec.aad[i] = job->aad;
    rec.in[i] = job->in;
    rec.out[i] = job->out;
    differ |= (job->len ^ first->len) | (job->aad_len ^ first->aad_len) | (uint64_t)(job->tail_len ^ first->tail_len);
  }
  for (size_t i = n; i < width || i < W_LANES; i++) {
    size_t like = i < width ? 0 : i - width;
    rec.key[i] = rec.key[like];
    rec.nonce[i] = rec.nonce[like];
    rec.aad[i] = rec.aad[like];
    rec.in[i] = rec.in[like];
    rec.out[i] = rec.out[like];
  }
  rec.is_even = differ == 0;
  rec.len_min = first->len;
  rec.text_min = rec.text_max = first->len + first->tail_len;
  rec.aad_min = rec.aad_max = first->aad_len;
  if (!rec.is_even) chapoly_group_lengths(&rec);

  w->used |= USED_GROUP | (rec.text_min < GROUP_LONG_LEN ? 0 : USED_MERGED);
  size_t common = rec.text_min & ~(size_t)15, pos = 0; /* whole blocks that all have; what has been absorbed of them */
  size_t per_pass = chapoly_per_pass(&rec), n_blocks = 1 + (rec.text_max + 63) / 64;
  size_t n_states = chapoly_group_states(&rec, n_blocks);
  chapoly_group_start(w, &rec, n_states);
  bool in_pairs = W_STATES > 1 && rec.text_min >= GROUP_LONG_LEN, finished = false;
  chacha_pass(w, n_states, per_pass, NULL, seal);
  chapoly_group_key(w, &rec);
  for (size_t base = 0, next, n_next; base < n_blocks; base = next, n_states = n_next) {
    next = base + per_pass;
    n_next = next < n_blocks ? chapoly_group_states(&rec, n_blocks - next) : 0;
    size_t end = 64 * (next - 1), to = end < common ? end : common;
    if (in_pairs && n_states == W_STATES && n_next == W_STATES && chapoly_is_whole(&rec, base, n_states)) {
      chapoly_group_pairs(w, &rec, chapoly_turn(w, &rec, base, n_states, n_next, seal));
      pos = end;
      continue;
    }
    if (seal) chapoly_turn(w, &rec, base, n_states, n_next, seal);
    /* Poly1305 in pieces of several passes, which saves it some fetching of powers: behind or ahead. */
    if (!seal && !in_pairs && pos < to) to = common - to < GROUP_PIECE_LEN ? common : to + GROUP_PIECE_LEN - 64;
    if (pos < to && (!seal || in_pairs || to == common || to - pos >= GROUP_PIECE_LEN)) {
      chapoly_group_steps(w, &rec, pos, to);
      pos = to;
    }
    if (!seal && !finished && end > common) {
      chapoly_group_finish(w, &rec, common);
      finished = true;
    }
    if (!seal && (n_next > 0 || end > 0)) chapoly_turn(w, &rec, base, n_states, n_next, seal);
  }
  if (!finished) chapoly_group_finish(w, &rec, common);
  chapoly_tags(w, &rec);
  for (size_t i = 0; i < rec.n; i++) chapoly_end(rec.job[i], w->tag_low[i], w->tag_high[i], seal);
}

#endif
