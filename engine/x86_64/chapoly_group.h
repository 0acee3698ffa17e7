/* chapoly_group.h - part of chapoly_template.h: records side by side, each in its lanes. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_GROUP_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_GROUP_H

/* Keys, nonces and counters to the lanes of n_states states. */
SHARED void chapoly_group_start(struct chapoly_work *w, const struct chapoly_records *rec, size_t n_states) {
  for (size_t s = 0; s < n_states; s++) {
    v *start = w->start + 16 * s;
    chacha_start_constants(start);
    /* Halves of keys, then nonces. The 4 bytes behind a nonce are the job's, too, and go where the counter comes. */
    ROLLED for (size_t row = 4; row < 16; row += 4) {
      const uint8_t *const *p = (row < 12 ? rec->key : rec->nonce) + s * W_LANES;
      size_t off = row == 8 ? 16 : 0;
      v x[4];
      EACH_OF_FOUR x[i] = w_gather(p + lane_place(i), off);
      chacha_transpose(x);
      EACH_OF_FOUR start[row + (i + (row == 12)) % 4] = x[i];
    }
    start[12] = w_places((uint32_t)s * W_LANES, rec->log_width);
  }
  chacha_begin(w, n_states);
}

/* What Poly1305 takes of records side by side. */
enum chapoly_what { CHAPOLY_AAD, CHAPOLY_TEXT, CHAPOLY_LENGTHS };

/* Absorbs the 16 bytes at `off` of vector u's AAD or texts, whose lengths differ. Lanes that have no more keep what they have. AADs
 * end together: blocks that are not there come first, and leave the 0 they find. */
SHARED void chapoly_group_uneven(struct chapoly_work *w, const struct chapoly_records *rec, size_t u,
                                 enum chapoly_what what, size_t off) {
  bool is_lead = what == CHAPOLY_AAD;
  const uint8_t *const *p = (is_lead ? rec->aad : rec->cipher) + Q_LANES * u;
  const uint64_t *len = (is_lead ? rec->aad_len : rec->text_len) + Q_LANES * u;
  size_t max = is_lead ? rec->aad_max : rec->text_max;
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
  v low, high;
  q_gather_ends(at, n, &low, &high);
  struct poly_value x = poly_block(low, high, q_load(there));
  w->hash[u] = poly_select(q_load(there), poly_absorbed(w->hash[u], &w->r[0][u], x), w->hash[u]);
}

/* Absorbs bytes [from,to) of every record's AAD or text, or its lengths: a block of all vectors before the next one, for their
 * chains run side by side. */
SHARED void chapoly_group_absorb(struct chapoly_work *w, const struct chapoly_records *rec, enum chapoly_what what,
                                 size_t from, size_t to) {
  bool is_aad = what == CHAPOLY_AAD;
  const uint8_t *const *p = is_aad ? rec->aad : rec->cipher;
  size_t min = is_aad ? rec->aad_min : rec->text_min, max = is_aad ? rec->aad_max : rec->text_max;
  size_t whole = min == max || !is_aad ? min : 0, n_vectors = chapoly_n_vectors(rec);
  for (size_t off = from; off < to; off += 16) {
    for (size_t u = 0; u < n_vectors; u++) {
      v low, high;
      if (what == CHAPOLY_LENGTHS) {
        low = rec->is_even ? q_set(rec->aad_max) : q_load(rec->aad_len + Q_LANES * u);
        high = rec->is_even ? q_set(rec->text_max) : q_load(rec->text_len + Q_LANES * u);
      } else if (off + 16 <= whole) {
        q_gather(p + Q_LANES * u, off, &low, &high);
      } else if (min == max) {
        q_gather_even(p + Q_LANES * u, off, max - off < 16 ? max - off : 16, &low, &high);
      } else {
        chapoly_group_uneven(w, rec, u, what, off);
        continue;
      }
      struct poly_value x = poly_block(low, high, poly_ones());
      w->hash[u] = is_aad && off == 0 ? x : poly_absorbed(w->hash[u], &w->r[0][u], x);
    }
  }
}

/* n blocks at `off` of vector u's texts, as a pass would have them in pairs. */
SHARED void chapoly_gather_pairs(const struct chapoly_records *rec, size_t u, size_t off, v *row, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    q_gather(rec->cipher + Q_LANES * u, off + 16 * i, &row[4 * i * W_STATES], &row[(4 * i + 2) * W_STATES]);
  }
}

/* Block i of a row in pairs. */
INLINE struct poly_value poly_row_block(const v *row, unsigned i) {
  return poly_block(row[4 * i * W_STATES], row[(4 * i + 2) * W_STATES], poly_ones());
}

/* Absorbs rows, four blocks at a time: bytes [from,to) of every text, or where `pairs` is not NULL the rows of a pass. n_merged blocks
 * have their products added before their carries are taken. */
INLINE void chapoly_group_rows_by(struct chapoly_work *w, const struct chapoly_records *rec, size_t from, size_t to,
                                  const v *pairs, unsigned n_merged) {
  size_t n_vectors = chapoly_n_vectors(rec);
  unsigned last = n_merged - 1;
  v gathered[14 * W_STATES + 1];
  for (size_t off = from, place = 0, in_row = 0; off < to; off += 16 * n_merged) {
    for (size_t u = 0; u < n_vectors; u++) {
      const v *row = gathered;
      if (pairs != NULL) {
        row = chacha_pair(pairs, place + u, 0) + in_row / 4 * W_STATES;
      } else {
        chapoly_gather_pairs(rec, u, off, gathered, n_merged);
      }
      struct poly_sum s = poly_sum_of(poly_row_block(row, last));
      s = poly_sum_add(s, w->hash[u], &w->r[last][u], POLY_VALUE);
      UNROLL for (unsigned i = 0; i < last; i++) {
        s = poly_sum_add(s, poly_row_block(row, i), &w->r[last - 1 - i][u], POLY_BLOCK);
      }
      w->hash[u] = poly_carried(s);
    }
    in_row = (in_row + 16 * n_merged) % 64;
    if (in_row == 0) place += rec->width / Q_LANES;
  }
}

SHARED void chapoly_group_rows(struct chapoly_work *w, const struct chapoly_records *rec, size_t from, size_t to,
                               const v *pairs) {
  if (POLY_MERGED_FEW < POLY_MERGED && w->n_powers < POLY_MERGED) {
    chapoly_group_rows_by(w, rec, from, to, pairs, POLY_MERGED_FEW);
  } else {
    chapoly_group_rows_by(w, rec, from, to, pairs, POLY_MERGED);
  }
}
_Static_assert(POLY_MERGED == 4, "a row of 64 bytes is four blocks");

/* r and s of every record, out of block 0; and the AAD. */
SHARED void chapoly_group_key(struct chapoly_work *w, const struct chapoly_records *rec) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    w->r[0][u] = poly_clamped(*chacha_pair(w->stream, u, 0), *chacha_pair(w->stream, u, 1));
    q_store(w->tags.low + Q_LANES * u, *chacha_pair(w->stream, u, 2));
    q_store(w->tags.high + Q_LANES * u, *chacha_pair(w->stream, u, 3));
    w->hash[u] = poly_zero();
  }
  for (size_t u = 0; u < chapoly_n_vectors(rec) && w->n_powers > 1; u++) poly_powers(w, u);
  chapoly_group_absorb(w, rec, CHAPOLY_AAD, 0, rec->aad_max);
}

static void chapoly_group_begin(struct chapoly_work *w, const struct chapoly_records *rec, size_t n_states) {
  w->used |= USED_GROUP;
  w->n_powers = rec->text_min < GROUP_LONG_LEN ? 1 : rec->text_min < POLY_MERGED_LEN ? POLY_MERGED_FEW : POLY_MERGED;
  chapoly_group_start(w, rec, n_states);
  chacha_pass(w, n_states, chapoly_per_pass(rec), NULL, true);
  chapoly_group_key(w, rec);
}

static void chapoly_group_steps(struct chapoly_work *w, const struct chapoly_records *rec, size_t from, size_t to,
                                const void *pairs) {
  if (rec->text_min >= GROUP_LONG_LEN) {
    size_t rows_to = from + ((to - from) & ~(size_t)63);
    chapoly_group_rows(w, rec, from, rows_to, pairs);
    from = rows_to;
  }
  if (from < to) chapoly_group_absorb(w, rec, CHAPOLY_TEXT, from, to);
}

static void chapoly_group_finish(struct chapoly_work *w, const struct chapoly_records *rec, size_t from) {
  chapoly_group_absorb(w, rec, CHAPOLY_TEXT, from, rec->text_max);
  chapoly_group_absorb(w, rec, CHAPOLY_LENGTHS, 0, 16);
}

#endif
