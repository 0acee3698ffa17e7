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

/* What Poly1305 takes of records side by side. */
enum chapoly_what { CHAPOLY_AAD, CHAPOLY_TEXT, CHAPOLY_LENGTHS };

/* The 16 bytes at `off` of messages p with lengths len, and where they are there. With is_lead the messages end together, else
 * they begin together. */
INLINE v chapoly_group_uneven(const struct chapoly_records *rec, const uint8_t *const *p, const uint64_t *len,
                              size_t off, size_t max, bool is_lead, v *low, v *high) {
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
  q_gather_ends(at, n, low, high);
  return q_load(there);
}

/* Absorbs bytes [from,to) of every record's AAD or text, or its lengths: a block of all vectors before the next one, for their
 * chains run side by side. Lanes that have no more keep what they have; AAD is set at the end of as many blocks as the longest
 * takes, and blocks that are not there leave the 0 they find. */
SHARED void chapoly_group_absorb(struct chapoly_work *w, const struct chapoly_records *rec, enum chapoly_what what,
                                 size_t from, size_t to) {
  bool is_aad = what == CHAPOLY_AAD;
  const uint8_t *const *p = is_aad ? rec->aad : rec->cipher;
  const uint64_t *len = is_aad ? rec->aad_len : rec->text_len;
  size_t min = is_aad ? rec->aad_min : rec->text_min, max = is_aad ? rec->aad_max : rec->text_max;
  size_t whole = min == max || !is_aad ? min : 0, n_vectors = chapoly_n_vectors(rec);
  for (size_t off = from; off < to; off += 16) {
    for (size_t u = 0; u < n_vectors; u++) {
      v low, high, is_there = poly_ones();
      bool is_uneven = false;
      if (what == CHAPOLY_LENGTHS) {
        low = rec->is_even ? q_set(rec->aad_max) : q_load(rec->aad_len + Q_LANES * u);
        high = rec->is_even ? q_set(rec->text_max) : q_load(rec->text_len + Q_LANES * u);
      } else if (off + 16 <= whole) {
        q_gather(p + Q_LANES * u, off, &low, &high);
      } else if (min == max) {
        q_gather_even(p + Q_LANES * u, off, max - off < 16 ? max - off : 16, &low, &high);
      } else {
        is_there = chapoly_group_uneven(rec, p + Q_LANES * u, len + Q_LANES * u, off, max, is_aad, &low, &high);
        is_uneven = true;
      }
      struct poly_value h = w->hash[u], x = poly_mul(poly_add(h, poly_block(low, high, is_there)), &w->r[0][u]);
      w->hash[u] = is_uneven ? poly_select(is_there, x, h) : x;
    }
  }
}

/* Absorbs rows, four blocks at a time: bytes [from,to) of every text, or where `pairs` is not NULL the rows of a pass. */
SHARED void chapoly_group_rows(struct chapoly_work *w, const struct chapoly_records *rec, size_t from, size_t to,
                               const v *pairs) {
  size_t per_row = rec->width / Q_LANES, n_vectors = chapoly_n_vectors(rec);
  for (size_t off = from, place = 0; off < to; off += 64, place += per_row) {
    for (size_t u = 0; u < n_vectors; u++) {
      struct poly_sum s = poly_sum_of(poly_zero());
      ROLLED for (unsigned i = 0; i < 4; i++) {
        v low, high;
        if (pairs != NULL) {
          low = chacha_pair(pairs, place + u, 6 - 2 * i), high = chacha_pair(pairs, place + u, 7 - 2 * i);
        } else {
          q_gather(rec->cipher + Q_LANES * u, off + 48 - 16 * i, &low, &high);
        }
        struct poly_value x = poly_block(low, high, poly_ones());
        if (i == 3) x = poly_add(x, w->hash[u]); /* h last: all else is early */
        s = poly_sum_add(s, x, &w->r[i][u]);
      }
      w->hash[u] = poly_carried(s);
    }
  }
}
_Static_assert(POLY_MERGED == 4, "a row of 64 bytes is four blocks");

/* r and s of every record, out of block 0; and the AAD. */
SHARED void chapoly_group_key(struct chapoly_work *w, const struct chapoly_records *rec) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    w->r[0][u] = poly_clamped(chacha_pair(w->stream, u, 0), chacha_pair(w->stream, u, 1));
    q_store(w->tag_low + Q_LANES * u, chacha_pair(w->stream, u, 2));
    q_store(w->tag_high + Q_LANES * u, chacha_pair(w->stream, u, 3));
    w->hash[u] = poly_zero();
  }
  for (size_t u = 0; u < chapoly_n_vectors(rec) && rec->text_min >= GROUP_LONG_LEN; u++) poly_powers(w, u);
  chapoly_group_absorb(w, rec, CHAPOLY_AAD, 0, rec->aad_max);
}

/* Absorbs bytes [from,to) of every text, whole blocks. */
INLINE void chapoly_group_steps(struct chapoly_work *w, const struct chapoly_records *rec, size_t from, size_t to) {
  if (rec->text_min >= GROUP_LONG_LEN) {
    size_t rows_to = from + ((to - from) & ~(size_t)63);
    chapoly_group_rows(w, rec, from, rows_to, NULL);
    from = rows_to;
  }
  chapoly_group_absorb(w, rec, CHAPOLY_TEXT, from, to);
}

/* Absorbs what is left from `from` on, which is different for each record, and the lengths. */
SHARED void chapoly_group_finish(struct chapoly_work *w, const struct chapoly_records *rec, size_t from) {
  chapoly_group_absorb(w, rec, CHAPOLY_TEXT, from, rec->text_max);
  chapoly_group_absorb(w, rec, CHAPOLY_LENGTHS, 0, 16);
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
      const v *pairs = chapoly_turn(w, &rec, base, n_states, n_next, seal);
      chapoly_group_rows(w, &rec, pos, end, pairs);
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
