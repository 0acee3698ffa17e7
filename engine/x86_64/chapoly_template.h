/* chapoly_template.h - AEAD_CHACHA20_POLY1305 (RFC 8439 2.8) for x86, one body for every vector width, many records at once.
 * A variant includes its chapoly_vec*.h, its chapoly_poly*.h and this, then makes its table.
 *
 * ChaCha20 is vertical: vector i of a state has word i of W_LANES blocks. A pass computes PASS_BLOCKS lanes, which belong
 *
 *     to one record (solo)             lane l is block base + l
 *     to `width` records (a group)     lane l is block base + l / width of record l % width
 *
 * width being a power of two, so that each record gets PASS_BLOCKS / width blocks of a pass. The first pass begins with
 * block 0, the Poly1305 key; what follows it is text. In a group, block 0 of record i is lane i: the words of its vectors
 * are the Poly1305 keys of lanes, as Poly1305 wants them.
 *
 * Poly1305 has Q_LANES polynomials a vector:
 *
 *     solo     lane i takes every Q_LANES-th block of the record from the i-th on; all are multiplied by r^Q_LANES, and in
 *              the end by r^Q_LANES ... r^1, and added
 *     group    lane i of vector u is record Q_LANES u + i, each with its own r
 *
 * and walks over the ciphertext of a pass as long as it is in the first-level cache: behind the pass when sealing, ahead of it
 * when opening, for the text may be replaced in place.
 *
 *     pass 0 | text 0, Poly1305 | pass 1 | text 1, Poly1305 | ... | rest, lengths, tags */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_TEMPLATE_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_TEMPLATE_H

#include "engine/aead_jobs.h"
#include "engine/kernel.h"
#include "engine/portable/poly1305.h"
#include "engine/stream.h"

enum {
  PASS_BLOCKS = W_STATES * W_LANES,
  N_VECTORS = PASS_BLOCKS / Q_LANES, /* of Poly1305, in a group of the greatest width */
  STEP_LEN = 16 * Q_LANES,           /* bytes a solo vector takes */
  HEADS = PASS_BLOCKS / 2,           /* solos whose heads are made in one pass */
  WIDTH_MIN = Q_LANES,               /* of a group: records */
  WIDTH_MAX = PASS_BLOCKS,
  STREAM_VECTORS_LEN = 512, /* bytes: shorter pieces have their Poly1305 in scalars */
  /* Where records go, by measurement: docs/kernels.md. Blocks are the text's. */
  SOLO_BLOCKS = 48,      /* records of more are alone, however many there are */
  SOLO_AT_MOST = 2,      /* records are alone when there are so few of their length */
  SMALL_BLOCKS = 3,      /* one record of at most so many has its Poly1305 in scalars */
  SOLO_LONG_STEPS = 8,   /* a record of so many merges products */
  GROUP_PIECE_LEN = 256, /* bytes */
  GROUP_LONG_LEN = 192,  /* bytes: so do groups whose records are all that long */
};

/* What a solo needs from outside its passes. */
struct chapoly_head {
  uint8_t last[64]; /* the stream of the text's last block */
  uint8_t key[32];  /* of Poly1305 */
} __attribute__((aligned(64)));

/* What is secret or stands for a secret of the records at work: what is used seldom at the end, for it must be erased. */
struct chapoly_work {
  v start[16 * W_STATES];                               /* the states of this pass */
  uint8_t stream[PASS_BLOCKS][64];                      /* before it is bytes: the states after their rounds */
  struct poly_value hash[N_VECTORS];                    /* solo: [0] */
  uint64_t tag_low[PASS_BLOCKS], tag_high[PASS_BLOCKS]; /* s, then the tags */
  struct poly_factor r[POLY_MERGED][N_VECTORS];         /* powers 1, 2, ... of each r; solo: of r^Q_LANES, [][0] */
  uint64_t powers[POLY_LIMBS][3 * Q_LANES]; /* solo: r^Q_LANES in all of Q_LANES, r^Q_LANES ... r^1, 1 in all */
  uint8_t blocks[Q_LANES][16];              /* solo: message blocks put together */
  struct chapoly_head heads[HEADS];
  unsigned used; /* USED_ bits: what has to be erased */
} __attribute__((aligned(64)));

enum {
  USED_STATES = 1, /* the second state and its stream; the first is always */
  USED_GROUP = 2,  /* Poly1305 of a group */
  USED_MERGED = 4, /* powers of r besides r */
  USED_SOLO = 8,   /* Poly1305 of a solo */
  USED_HEADS = 16,
};

INLINE void chapoly_work_wipe(struct chapoly_work *w) {
  enum { STATE_LEN = 16 * sizeof(v), STATES = USED_STATES * (W_STATES > 1) };
  sl_wipe(w->start, w->used & STATES ? sizeof w->start : STATE_LEN);
  sl_wipe(w->stream, w->used & STATES ? sizeof w->stream : STATE_LEN);
  if (w->used & USED_GROUP) sl_wipe(w->hash, offsetof(struct chapoly_work, r[1]) - offsetof(struct chapoly_work, hash));
  if (w->used & USED_MERGED) sl_wipe(w->r[1], sizeof w->r - sizeof w->r[0]);
  if (w->used & USED_SOLO) {
    sl_wipe(w->powers, sizeof w->powers + sizeof w->blocks);
    sl_wipe(&w->hash[0], sizeof w->hash[0]);
    sl_wipe(&w->r[0][0], sizeof w->r[0][0]);
    w->tag_low[0] = w->tag_high[0] = 0;
  }
  if (w->used & USED_HEADS) sl_wipe(w->heads, sizeof w->heads);
}

/* The records of a group, or the one of a solo: public. Lanes past the last record repeat record 0, and nobody looks
 * at what they compute. */
struct chapoly_records {
  struct sl_aead_job *job[PASS_BLOCKS];
  const uint8_t *key[PASS_BLOCKS], *nonce[PASS_BLOCKS];
  const uint8_t *aad[PASS_BLOCKS], *in[PASS_BLOCKS];
  uint8_t *out[PASS_BLOCKS];
  const uint8_t *const *cipher;                         /* in or out */
  uint64_t aad_len[PASS_BLOCKS], text_len[PASS_BLOCKS]; /* text: with its tail */
  size_t n, width;
  bool is_even;                                         /* all have the same len and tail_len */
  size_t len_min, text_min, text_max, aad_min, aad_max; /* bytes, of any record */
};

/* ---- ChaCha20 ------------------------------------------------------------------------------------------------ */

/* The states of a pass to w->stream, not yet bytes; on to the next pass's counters. */
INLINE void chacha_pass(struct chapoly_work *w, size_t n_states, uint32_t blocks_per_record) {
  chacha_states((v *)w->stream, w->start, n_states);
  for (size_t s = 0; s < n_states; s++) w->start[16 * s + 12] = w_add(w->start[16 * s + 12], w_set(blocks_per_record));
}

/* ---- Poly1305 ------------------------------------------------------------------------------------------------ */

/* Loaded at Q_LANES - i: ones from lane i on; at 2 Q_LANES - i: ones before lane i. */
static const uint64_t poly_lanes_table[3 * 8] = {
    [Q_LANES... 2 * Q_LANES - 1] = ~UINT64_C(0),
};
INLINE v poly_lanes_from(size_t i) {
  return q_load(poly_lanes_table + Q_LANES - i);
}
INLINE v poly_lanes_before(size_t i) {
  return q_load(poly_lanes_table + 2 * Q_LANES - i);
}

INLINE struct poly_value poly_zero(void) {
  struct poly_value x;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) x.limb[i] = q_zero();
  return x;
}
INLINE struct poly_value poly_add(struct poly_value a, struct poly_value b) {
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) a.limb[i] = q_add(a.limb[i], b.limb[i]);
  return a;
}
INLINE struct poly_value poly_select(v mask, struct poly_value a, struct poly_value b) {
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) a.limb[i] = q_select(mask, a.limb[i], b.limb[i]);
  return a;
}
INLINE struct poly_value poly_mul(struct poly_value a, const struct poly_factor *f) {
  return poly_carried(poly_sum_add(poly_sum_of(poly_zero()), a, f));
}
/* a f + b */
INLINE struct poly_value poly_mul_add(struct poly_value a, const struct poly_factor *f, struct poly_value b) {
  return poly_carried(poly_sum_add(poly_sum_of(b), a, f));
}
INLINE struct poly_value poly_value_of(const struct poly_factor *f) {
  struct poly_value x;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) x.limb[i] = f->limb[i];
  return x;
}

INLINE v poly_ones(void) {
  return q_set(~UINT64_C(0));
}
/* Whole blocks: one of each lane's message, or Q_LANES of one message. */
INLINE struct poly_value poly_blocks_at(const uint8_t *const *p, size_t off) {
  v low, high;
  q_gather(p, off, &low, &high);
  return poly_block(low, high, poly_ones());
}
INLINE struct poly_value poly_run_at(const uint8_t *p) {
  v low, high;
  q_gather_run(p, &low, &high);
  return poly_block(low, high, poly_ones());
}

/* A block of each lane's message, which begins lead[i] bytes behind 0 and has len[i] bytes: that at `off`, filled up with
 * zeros. Lanes that have none there are zero, in *is_there too. `nowhere` are addresses to read nothing from. */
SHARED struct poly_value poly_ends_at(const uint8_t *const *p, const uint64_t *len, const uint8_t *const *nowhere,
                                      size_t off, const size_t lead[Q_LANES], v *is_there) {
  const uint8_t *at[Q_LANES];
  size_t n[Q_LANES];
  uint64_t there[Q_LANES];
  v low, high;
  UNROLL for (size_t i = 0; i < Q_LANES; i++) {
    size_t from = off - lead[i], left = len[i] - from;
    bool is_none = off < lead[i] || from >= len[i];
    at[i] = is_none ? nowhere[i] : p[i] + from;
    n[i] = is_none ? 0 : left < 16 ? left : 16;
    there[i] = is_none ? 0 : ~UINT64_C(0);
  }
  q_gather_ends(at, n, &low, &high);
  *is_there = q_load(there);
  return poly_block(low, high, *is_there);
}

/* The same where all messages begin at 0 and have n bytes there, 1 to 16. */
INLINE struct poly_value poly_even_ends_at(const uint8_t *const *p, size_t off, size_t n) {
  const uint8_t *at[Q_LANES];
  size_t n_all[Q_LANES];
  v low, high;
  UNROLL for (size_t i = 0; i < Q_LANES; i++) at[i] = p[i] + off, n_all[i] = n;
  q_gather_ends(at, n_all, &low, &high);
  return poly_block(low, high, poly_ones());
}

/* RFC 8439 2.5: some bits of r are cleared. */
INLINE struct poly_factor poly_clamped(v low, v high) {
  low = q_and(low, q_set(UINT64_C(0x0ffffffc0fffffff)));
  high = q_and(high, q_set(UINT64_C(0x0ffffffc0ffffffc)));
  return poly_factor(poly_block(low, high, q_zero()));
}

/* x = x f, where that is not done for every block. */
SHARED void poly_times(struct poly_value *x, const struct poly_factor *f) {
  *x = poly_mul(*x, f);
}

/* The powers of w->r[0][u] to be merged. */
SHARED void poly_powers(struct chapoly_work *w, size_t u) {
  for (unsigned i = 1; i < POLY_MERGED; i++) {
    struct poly_value x = poly_value_of(&w->r[i / 2][u]);
    poly_times(&x, &w->r[(i - 1) / 2][u]);
    w->r[i][u] = poly_factor(x);
  }
}

/* The block at p of which there are `left` bytes, at least one; zeros behind. */
INLINE __m128i poly_end(const uint8_t *p, size_t left) {
  return b_load(p, left < 16 ? left : 16);
}

/* chapoly_stream.h: what becomes of the hash in a piece of a text. */
static void chapoly_stream_begin(struct chapoly_work *w, const struct sl_stream *s, const uint8_t *p, bool is_long);
static void chapoly_stream_end(const struct chapoly_work *w, struct sl_stream *s, const uint8_t *p, size_t rest,
                               bool has_vectors);

/* ---- one record ---------------------------------------------------------------------------------------------- */

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

/* ---- a group ------------------------------------------------------------------------------------------------- */

/* Vectors of Poly1305 that have a record in them. */
INLINE size_t chapoly_n_vectors(const struct chapoly_records *rec) {
  return (rec->n + Q_LANES - 1) / Q_LANES;
}

/* Keys, nonces and counters to the lanes of the states. */
SHARED void chapoly_group_start(struct chapoly_work *w, const struct chapoly_records *rec, unsigned log_width) {
  size_t n_states = rec->width > W_LANES ? W_STATES : 1;
  for (size_t s = 0; s < n_states; s++) {
    v x[4], *start = w->start + 16 * s;
    chacha_start_constants(start);
    EACH_OF_FOUR x[i] = w_gather(rec->key + s * W_LANES + i, 0);
    chacha_transpose(x);
    EACH_OF_FOUR start[4 + i] = x[i];
    EACH_OF_FOUR x[i] = w_gather(rec->key + s * W_LANES + i, 16);
    chacha_transpose(x);
    EACH_OF_FOUR start[8 + i] = x[i];
    EACH_OF_FOUR x[i] = w_gather(rec->nonce + s * W_LANES + i, 0); /* the 4 bytes behind a nonce are the job's, too */
    chacha_transpose(x);
    EACH_OF_FOUR start[12 + (i + 1) % 4] = x[i];
  }
  for (size_t s = n_states; s < W_STATES; s++) memcpy(w->start + 16 * s, w->start, 16 * sizeof w->start[0]);
  for (uint32_t s = 0; s < W_STATES; s++) w->start[16 * s + 12] = w_numbers(s * W_LANES, log_width);
}

/* r and s of every record, out of block 0, which is still words. AAD is set at the end of as many blocks as the longest
 * takes; blocks that are not there leave the 0 they find. */
SHARED void chapoly_group_key(struct chapoly_work *w, const struct chapoly_records *rec) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    const v *x = (const v *)w->stream + 16 * (u / 2);
    bool half = u % 2;
    w->r[0][u] = poly_clamped(q_from_words(x[0], x[1], half), q_from_words(x[2], x[3], half));
    q_store(w->tag_low + Q_LANES * u, q_from_words(x[4], x[5], half));
    q_store(w->tag_high + Q_LANES * u, q_from_words(x[6], x[7], half));
  }
  for (size_t u = 0; u < chapoly_n_vectors(rec) && rec->text_min >= GROUP_LONG_LEN; u++) poly_powers(w, u);
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    struct poly_value h = poly_zero();
    for (size_t off = 0, end = (rec->aad_max + 15) & ~(size_t)15; off < end; off += 16) {
      if (rec->aad_min == rec->aad_max) {
        size_t left = rec->aad_max - off;
        struct poly_value b = poly_even_ends_at(rec->aad + Q_LANES * u, off, left < 16 ? left : 16);
        h = poly_mul(poly_add(h, b), &w->r[0][u]);
        continue;
      }
      size_t lead[Q_LANES];
      UNROLL for (size_t i = 0; i < Q_LANES; i++) {
        lead[i] = end - ((rec->aad_len[Q_LANES * u + i] + 15) & ~(uint64_t)15);
      }
      v is_there;
      struct poly_value b = poly_ends_at(rec->aad + Q_LANES * u, rec->aad_len + Q_LANES * u, rec->nonce + Q_LANES * u,
                                         off, lead, &is_there);
      h = poly_add(h, b);
      poly_times(&h, &w->r[0][u]);
    }
    w->hash[u] = h;
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

SHARED void chapoly_group_steps(struct chapoly_work *w, const struct chapoly_records *rec, size_t from, size_t to) {
  size_t u = 0, n = chapoly_n_vectors(rec);
  if (rec->text_min >= GROUP_LONG_LEN) {
    size_t rows_to = from + ((to - from) & ~(size_t)63);
    for (; u < n; u++) chapoly_group_rows(w, rec, u, from, rows_to);
    from = rows_to;
    u = 0;
  }
  if (from == to) return;
  for (; u + POLY_SIDE <= n; u += POLY_SIDE) chapoly_group_steps_of(w, rec, u, POLY_SIDE, from, to);
  if (POLY_SIDE > 1 && u < n) chapoly_group_steps_of(w, rec, u, 1, from, to);
}

/* Absorbs what is left from `from` on, which is different for each record: those that have no more keep what they have.
 * Then the lengths. */
SHARED void chapoly_group_finish(struct chapoly_work *w, const struct chapoly_records *rec, size_t from) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    struct poly_value h = w->hash[u];
    for (size_t off = from; off < rec->text_max; off += 16) {
      static const size_t no_lead[Q_LANES];
      if (rec->text_min == rec->text_max) { /* one, then, and it is not whole */
        struct poly_value b = poly_even_ends_at(rec->cipher + Q_LANES * u, off, rec->text_max - off);
        h = poly_mul(poly_add(h, b), &w->r[0][u]);
        continue;
      }
      v is_there;
      struct poly_value b = poly_ends_at(rec->cipher + Q_LANES * u, rec->text_len + Q_LANES * u,
                                         rec->nonce + Q_LANES * u, off, no_lead, &is_there);
      b = poly_add(h, b);
      poly_times(&b, &w->r[0][u]);
      h = poly_select(is_there, b, h);
    }
    v aad_len = q_load(rec->aad_len + Q_LANES * u), text_len = q_load(rec->text_len + Q_LANES * u);
    w->hash[u] = poly_mul(poly_add(h, poly_block(aad_len, text_len, poly_ones())), &w->r[0][u]);
  }
}

/* ---- both ---------------------------------------------------------------------------------------------------- */

/* Poly1305 in scalars, which is what little text has: len bytes, filled up to whole blocks with zeros. */
SHARED void chapoly_absorb(struct sl_poly1305 *poly, const uint8_t *p, size_t len) {
  for (size_t off = 0; off < len; off += 16) {
    uint8_t block[16];
    block_store_all(block, poly_end(p + off, len - off));
    sl_poly1305_block(poly, block, 1);
  }
}

/* What the texts ought to have as tags, to w->tag_low and tag_high: the hashes, plus s, modulo 2^128. */
SHARED void chapoly_tags(struct chapoly_work *w, const struct chapoly_records *rec) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    uint64_t low[Q_LANES], high[Q_LANES];
    v l, h;
    poly_finish(w->hash[u], &l, &h);
    q_store(low, l);
    q_store(high, h);
    for (size_t i = 0; i < Q_LANES; i++) {
      size_t lane = Q_LANES * u + i;
      uint64_t sum = low[i] + w->tag_low[lane];
      w->tag_high[lane] += high[i] + (sum < low[i]);
      w->tag_low[lane] = sum;
    }
    sl_wipe(low, sizeof low);
    sl_wipe(high, sizeof high);
  }
}

/* A block of a text that may end in it or before: out = in ^ stream from `off` on. */
SHARED void chapoly_text_block(struct sl_aead_job *job, size_t off, const uint8_t *stream, bool seal) {
  if (off + 64 <= job->len) {
    row_xor(job->out + off, job->in + off, stream);
  } else if (off < job->len + job->tail_len) {
    size_t len = job->len - off;
    if (seal) {
      row_seal_end(job->out + off, job->in + off, len, job->tail_len, job->tail, stream);
    } else {
      uint8_t tail = row_open_end(job->out + off, job->in + off, len, job->tail_len, stream);
      if (job->tail_len > 0) job->tail = tail;
    }
  }
}

/* The last blocks of records that are all alike. */
INLINE void chapoly_text_ends(const struct chapoly_records *rec, size_t first, size_t last, size_t off,
                              const uint8_t (*stream)[64], bool seal) {
  size_t len = rec->len_min - off, tail_len = rec->text_max - rec->len_min;
  for (size_t i = first; i < last; i++) {
    struct sl_aead_job *job = rec->job[i];
    if (seal) {
      row_seal_end(rec->out[i] + off, rec->in[i] + off, len, tail_len, job->tail, stream[i - first]);
    } else {
      uint8_t tail = row_open_end(rec->out[i] + off, rec->in[i] + off, len, tail_len, stream[i - first]);
      if (tail_len > 0) job->tail = tail;
    }
  }
}

/* The blocks of a pass whose first is block `base` of each record. The states are still words. */
SHARED void chapoly_text(struct chapoly_work *w, const struct chapoly_records *rec, size_t base, size_t n_states,
                         bool seal) {
  for (size_t s = 0; s < n_states; s++) {
    v *state = (v *)w->stream + 16 * s;
    size_t block = base + s * W_LANES / rec->width, first = s * W_LANES % rec->width; /* those of lane 0 */
    size_t last = first + W_LANES < rec->n ? first + W_LANES : rec->n;
    if (block > 0 && last - first == W_LANES && 64 * block <= rec->len_min) {
      chacha_xor_lanes(rec->out + first, rec->in + first, 64 * (block - 1), state);
      continue;
    }
    chacha_to_bytes(state);
    for (size_t lane = 0; lane < W_LANES; lane += rec->width, block++) {
      const uint8_t(*stream)[64] = w->stream + s * W_LANES + lane;
      size_t off = 64 * (block - 1);
      if (block == 0) continue; /* the Poly1305 key */
      if (off >= rec->text_max) break;
      if (rec->is_even && off + 64 > rec->len_min) {
        chapoly_text_ends(rec, first, last, off, stream, seal);
      } else {
        for (size_t i = first; i < last; i++) chapoly_text_block(rec->job[i], off, stream[i - first], seal);
      }
    }
  }
}

/* The tag, or the verdict about it. */
SHARED void chapoly_end(struct sl_aead_job *job, uint64_t tag_low, uint64_t tag_high, bool seal) {
  if (seal) {
    sl_store64_le(job->tag, tag_low);
    sl_store64_le(job->tag + 8, tag_high);
  } else {
    uint64_t differs = (sl_load64_le(job->tag) ^ tag_low) | (sl_load64_le(job->tag + 8) ^ tag_high);
    sl_aead_job_verdict(job, (uint32_t)((differs | (0 - differs)) >> 63));
  }
}

/* n records, 1 to width, in one group. */
static void chapoly_group(struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n, size_t width, bool seal) {
  struct chapoly_records rec;
  unsigned log_width = (unsigned)__builtin_ctzl(width);
  rec.cipher = seal ? (const uint8_t *const *)rec.out : rec.in;
  rec.n = n;
  rec.width = width;
  rec.len_min = rec.text_min = rec.aad_min = SIZE_MAX;
  rec.text_max = rec.aad_max = 0;
  size_t len_max = 0;
  for (size_t i = 0; i < n; i++) {
    struct sl_aead_job *job = jobs[i];
    size_t text_len = job->len + job->tail_len;
    rec.job[i] = job;
    rec.key[i] = job->key->mem;
    rec.nonce[i] = job->nonce;
    rec.aad[i] = job->aad;
    rec.in[i] = job->in;
    rec.out[i] = job->out;
    rec.aad_len[i] = job->aad_len;
    rec.text_len[i] = text_len;
    if (job->len < rec.len_min) rec.len_min = job->len;
    if (job->len > len_max) len_max = job->len;
    if (text_len < rec.text_min) rec.text_min = text_len;
    if (text_len > rec.text_max) rec.text_max = text_len;
    if (job->aad_len < rec.aad_min) rec.aad_min = job->aad_len;
    if (job->aad_len > rec.aad_max) rec.aad_max = job->aad_len;
  }
  rec.is_even = rec.text_min == rec.text_max && len_max == rec.len_min;
  for (size_t i = n; i < width || i < W_LANES; i++) {
    size_t like = i < width ? 0 : i - width;
    rec.key[i] = rec.key[like];
    rec.nonce[i] = rec.nonce[like];
    rec.aad[i] = rec.aad[like];
    rec.in[i] = rec.in[like];
    rec.out[i] = rec.out[like];
    rec.aad_len[i] = rec.aad_len[like];
    rec.text_len[i] = rec.text_len[like];
  }

  w->used |= USED_STATES | USED_GROUP | (rec.text_min < GROUP_LONG_LEN ? 0 : USED_MERGED);
  chapoly_group_start(w, &rec, log_width);
  size_t common = rec.text_min & ~(size_t)15, pos = 0; /* whole blocks that all have; what has been absorbed of them */
  size_t per_pass = PASS_BLOCKS >> log_width, n_blocks = 1 + (rec.text_max + 63) / 64;
  bool finished = false;
  for (size_t base = 0; base < n_blocks; base += per_pass) {
    size_t n_states = W_STATES;
    if (rec.width <= W_LANES && n_blocks - base <= (size_t)W_LANES >> log_width) n_states = 1;
    chacha_pass(w, n_states, (uint32_t)per_pass);
    if (base == 0) chapoly_group_key(w, &rec);
    size_t end = 64 * (base + per_pass - 1), to = end < common ? end : common;
    if (seal) chapoly_text(w, &rec, base, n_states, seal);
    /* Poly1305 in pieces of several passes, which saves it some fetching of powers: behind or ahead. */
    if (!seal && pos < to) to = common - to < GROUP_PIECE_LEN ? common : to + GROUP_PIECE_LEN - 64;
    if (pos < to && (!seal || to == common || to - pos >= GROUP_PIECE_LEN)) {
      chapoly_group_steps(w, &rec, pos, to);
      pos = to;
    }
    if (!seal && !finished && end > common) {
      chapoly_group_finish(w, &rec, common);
      finished = true;
    }
    if (!seal) chapoly_text(w, &rec, base, n_states, seal);
  }
  if (!finished) chapoly_group_finish(w, &rec, common);
  chapoly_tags(w, &rec);
  for (size_t i = 0; i < rec.n; i++) chapoly_end(rec.job[i], w->tag_low[i], w->tag_high[i], seal);
}

/* A text of whole passes and one block: its last block may come from a head. */
INLINE bool chapoly_has_odd_block(size_t text_len) {
  return (text_len + 63) / 64 % PASS_BLOCKS == 1;
}
/* Whether a head saves it a pass. */
INLINE bool chapoly_wants_head(size_t text_len) {
  return (text_len + 63) / 64 % PASS_BLOCKS <= 1;
}
INLINE void chapoly_solo_last(const struct chapoly_records *rec, const struct chapoly_head *head, bool seal) {
  chapoly_text_block(rec->job[0], (rec->text_max - 1) & ~(size_t)63, head->last, seal);
}

/* The states of the blocks from `base` on. */
SHARED void chapoly_solo_start(struct chapoly_work *w, const struct sl_aead_job *job, unsigned n_states,
                               uint32_t base) {
  chacha_start_constants(w->start);
  UNROLL for (unsigned i = 0; i < 8; i++) w->start[4 + i] = w_set(sl_load32_le(job->key->mem + 4 * i));
  UNROLL for (unsigned i = 0; i < 3; i++) w->start[13 + i] = w_set(sl_load32_le(job->nonce + 4 * i));
  for (unsigned s = 1; s < n_states; s++) memcpy(w->start + 16 * s, w->start, 16 * sizeof w->start[0]);
  for (unsigned s = 0; s < n_states; s++) w->start[16 * s + 12] = w_numbers(s * W_LANES + base, 0);
}

SHARED void chapoly_solo_text(struct chapoly_work *w, const struct chapoly_records *rec, size_t base, size_t n_states,
                              bool seal) {
  if (base > 0 && 64 * (base - 1 + n_states * W_LANES) <= rec->len_min) {
    for (size_t s = 0; s < n_states; s++) {
      size_t off = 64 * (base - 1 + s * W_LANES);
      chacha_xor(rec->out[0] + off, rec->in[0] + off, (const v *)w->stream + 16 * s);
    }
  } else {
    chapoly_text(w, rec, base, n_states, seal);
  }
}

/* One text by itself. A record comes with a head or without: then its first pass makes what is in one. A piece of a text in
 * pieces comes with its stream, and no AAD or tail. */
static void chapoly_solo(struct chapoly_work *w, struct sl_aead_job *job, const struct chapoly_head *head,
                         struct sl_stream *piece, bool seal) {
  struct chapoly_records rec;
  rec.n = rec.width = 1;
  rec.job[0] = job;
  rec.in[0] = job->in;
  rec.out[0] = job->out;
  rec.len_min = job->len;
  rec.is_even = false;
  rec.aad_len[0] = job->aad_len;
  rec.text_len[0] = rec.text_max = job->len + job->tail_len;
  const uint8_t *cipher = seal ? job->out : job->in;

  size_t base = head != NULL || piece != NULL, n_blocks = 1 + (rec.text_max + 63) / 64;
  bool has_last = head != NULL && chapoly_has_odd_block(rec.text_max), finished = false;
  if (has_last) n_blocks--;
  size_t n_steps = rec.text_max / STEP_LEN, pos = 0; /* pos: steps */
  if (piece != NULL && rec.text_max < STREAM_VECTORS_LEN) n_steps = 0;
  size_t rest = rec.text_max - STEP_LEN * n_steps;
  bool is_long = n_steps >= SOLO_LONG_STEPS;
  w->used |= USED_SOLO | (n_blocks - base > W_LANES ? USED_STATES : 0) | (is_long ? USED_MERGED : 0);
  chapoly_solo_start(w, job, n_blocks - base > W_LANES ? W_STATES : 1, piece != NULL ? piece->counter : (uint32_t)base);
  if (head != NULL) chapoly_solo_key(w, job, head->key, is_long);
  for (; base < n_blocks; base += PASS_BLOCKS) {
    size_t n_states = n_blocks - base <= W_LANES ? 1 : W_STATES;
    chacha_pass(w, n_states, PASS_BLOCKS);
    if (base == 0) {
      uint8_t key[32]; /* block 0 is still words, each of which begins a vector */
      for (unsigned i = 0; i < 8; i++) memcpy(key + 4 * i, (const uint8_t *)w->stream + i * sizeof(v), 4);
      chapoly_solo_key(w, job, key, is_long);
      sl_wipe(key, sizeof key);
    }

    size_t end = 64 * (base + PASS_BLOCKS - 1);
    size_t to = seal ? end / STEP_LEN : (end + STEP_LEN - 1) / STEP_LEN;
    if (to > n_steps) to = n_steps;
    if (seal) chapoly_solo_text(w, &rec, base, n_states, seal);
    if (seal && has_last && base + PASS_BLOCKS >= n_blocks) chapoly_solo_last(&rec, head, seal);
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
    if (!seal) chapoly_solo_text(w, &rec, base, n_states, seal);
  }
  if (!finished) {
    chapoly_solo_steps(w, cipher + STEP_LEN * pos, n_steps - pos, is_long);
    chapoly_solo_finish(w, &rec, piece, cipher + STEP_LEN * n_steps, rest);
  }
  if (piece != NULL) return;
  if (!seal && has_last) chapoly_solo_last(&rec, head, seal);
  chapoly_tags(w, &rec);
  chapoly_end(job, w->tag_low[0], w->tag_high[0], seal);
}

/* Heads of n records at once, 1 to HEADS: lane i has block 0 of record i, lane HEADS + i its last one. */
static void chapoly_heads(struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n) {
  struct chapoly_records rec;
  uint32_t counters[PASS_BLOCKS] = {0};
  rec.width = HEADS;
  for (size_t i = 0; i < W_LANES; i++) {
    size_t which = i % HEADS;
    const struct sl_aead_job *job = jobs[which < n ? which : 0];
    rec.key[i] = job->key->mem;
    rec.nonce[i] = job->nonce;
    counters[HEADS + which] = (uint32_t)((job->len + job->tail_len + 63) / 64);
  }
  w->used |= USED_STATES | USED_HEADS;
  chapoly_group_start(w, &rec, 0);
  for (size_t s = 0; s < W_STATES; s++) memcpy(&w->start[16 * s + 12], counters + s * W_LANES, sizeof(v));
  chacha_pass(w, W_STATES, 0);
  for (size_t s = 0; s < W_STATES; s++) chacha_to_bytes((v *)w->stream + 16 * s);
  for (size_t i = 0; i < n; i++) {
    memcpy(w->heads[i].key, w->stream[i], sizeof w->heads[i].key);
    memcpy(w->heads[i].last, w->stream[HEADS + i], sizeof w->heads[i].last);
  }
}

/* n records by themselves. */
static void chapoly_solos(struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n, bool seal) {
  struct sl_aead_job *some[HEADS];
  size_t n_some = 0;
  for (size_t i = 0; i < n; i++) {
    if (!chapoly_wants_head(jobs[i]->len + jobs[i]->tail_len)) {
      chapoly_solo(w, jobs[i], NULL, NULL, seal);
    } else {
      some[n_some++] = jobs[i];
    }
    if (n_some == HEADS || i + 1 == n) {
      if (n_some > 1) chapoly_heads(w, some, n_some);
      for (size_t j = 0; j < n_some; j++) chapoly_solo(w, some[j], n_some > 1 ? &w->heads[j] : NULL, NULL, seal);
      n_some = 0;
    }
  }
}

/* ---- one small record ---------------------------------------------------------------------------------------- */

/* One record of which a single state has all blocks: too little for vectors of Poly1305 to pay for their powers. */
static void chapoly_small(struct chapoly_work *w, struct sl_aead_job *job, bool seal) {
  size_t text_len = job->len + job->tail_len;
  uint8_t lengths[16], tag[16];
  struct sl_poly1305 poly;
  chapoly_solo_start(w, job, 1, 0);
  chacha_pass(w, 1, 0);
  chacha_to_bytes((v *)w->stream);
  sl_poly1305_init(&poly, w->stream[0]);
  chapoly_absorb(&poly, job->aad, job->aad_len);
  if (!seal) chapoly_absorb(&poly, job->in, text_len);
  for (size_t off = 0; off < text_len; off += 64) chapoly_text_block(job, off, w->stream[1 + off / 64], seal);
  if (seal) chapoly_absorb(&poly, job->out, text_len);
  sl_store64_le(lengths, job->aad_len);
  sl_store64_le(lengths + 8, text_len);
  chapoly_absorb(&poly, lengths, sizeof lengths);
  sl_poly1305_final(&poly, tag);
  chapoly_end(job, sl_load64_le(tag), sl_load64_le(tag + 8), seal);
  sl_wipe(tag, sizeof tag);
}

/* ---- many records -------------------------------------------------------------------------------------------- */

/* Jobs of which none is long, longest first, in groups as wide as records of nearly one length go. */
static void chapoly_groups(struct chapoly_work *w, struct sl_aead_job *const *jobs, const uint16_t *n_blocks, size_t n,
                           bool seal) {
  for (size_t at = 0, n_taken; at < n; at += n_taken) {
    size_t width = WIDTH_MAX, left = n - at;
    /* Half as wide when that is enough for what is left, or when the latter half would be much shorter. */
    for (; width > WIDTH_MIN; width /= 2) {
      if (left <= width / 2) continue;
      size_t last = left < width ? left : width;
      if (4 * n_blocks[at + last - 1] + 4 > 3 * n_blocks[at]) break;
    }
    n_taken = left < width ? left : width;
    if (n_taken > SOLO_AT_MOST) {
      chapoly_group(w, jobs + at, n_taken, width, seal);
    } else {
      for (size_t i = 0; i < n_taken; i++) {
        if (n_blocks[at + i] <= SMALL_BLOCKS)
          chapoly_small(w, jobs[at + i], seal);
        else
          chapoly_solo(w, jobs[at + i], NULL, NULL, seal);
      }
    }
  }
}

/* How many jobs are sorted at a time. */
enum { JOBS_AT_ONCE = 128 };

/* By length, longest first: a counting sort over numbers of blocks. What is long comes last. */
INLINE void chapoly_sorted(struct chapoly_work *w, struct sl_aead_job *const *jobs, const uint16_t *n_blocks, size_t n,
                           bool seal) {
  struct sl_aead_job *order[JOBS_AT_ONCE];
  uint16_t sorted_n_blocks[JOBS_AT_ONCE];
  uint8_t place[SOLO_BLOCKS + 1] = {0}; /* how many have so many blocks, then where the next of them goes */
  size_t n_short = 0, n_long = 0;
  for (size_t i = 0; i < n; i++) {
    if (n_blocks[i] <= SOLO_BLOCKS) place[n_blocks[i]]++;
  }
  for (size_t blocks = SOLO_BLOCKS + 1; blocks-- > 0;) {
    size_t n_these = place[blocks];
    place[blocks] = (uint8_t)n_short;
    n_short += n_these;
  }
  for (size_t i = 0; i < n; i++) {
    if (n_blocks[i] > SOLO_BLOCKS) {
      order[n - ++n_long] = jobs[i];
      continue;
    }
    size_t at = place[n_blocks[i]]++;
    order[at] = jobs[i];
    sorted_n_blocks[at] = n_blocks[i];
  }
  chapoly_groups(w, order, sorted_n_blocks, n_short, seal);
  chapoly_solos(w, order + n_short, n_long, seal);
}

SHARED void chapoly_jobs(struct sl_aead_job *const *jobs, size_t n, bool seal) {
  struct chapoly_work w;
  w.used = 0;
  for (size_t done = 0, n_now; done < n; done += n_now) {
    uint16_t n_blocks[JOBS_AT_ONCE] = {0}, differ = 0;
    n_now = n - done < JOBS_AT_ONCE ? n - done : JOBS_AT_ONCE;
    for (size_t i = 0; i < n_now; i++) {
      const struct sl_aead_job *job = jobs[done + i];
      size_t blocks = (job->len + job->tail_len + 63) / 64;
      __builtin_prefetch(job->key);
      n_blocks[i] = (uint16_t)(blocks <= SOLO_BLOCKS ? blocks : SOLO_BLOCKS + 1);
      differ |= n_blocks[i] ^ n_blocks[0];
    }
    if (differ != 0) {
      chapoly_sorted(&w, jobs + done, n_blocks, n_now, seal);
    } else if (n_blocks[0] <= SOLO_BLOCKS) {
      chapoly_groups(&w, jobs + done, n_blocks, n_now, seal);
    } else {
      chapoly_solos(&w, jobs + done, n_now, seal);
    }
  }
  chapoly_work_wipe(&w);
}

static void chapoly_expand(struct sl_aead_key *key, const uint8_t *secret) {
  memcpy(key->mem, secret, 32);
}
static void chapoly_seal(struct sl_aead_job *const *jobs, size_t n) {
  chapoly_jobs(jobs, n, true);
}
static void chapoly_open(struct sl_aead_job *const *jobs, size_t n) {
  chapoly_jobs(jobs, n, false);
}
_Static_assert(offsetof(struct sl_aead_job, nonce) + 16 <= sizeof(struct sl_aead_job), "a nonce is read as 16 bytes");

#define CHAPOLY_KERNEL_OPS                                                                                             \
  { {SL_CHACHA20_POLY1305, 32, 16 + 32, chapoly_expand, chapoly_seal, chapoly_open}, }

#endif
