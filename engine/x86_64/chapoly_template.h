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

enum {
  PASS_BLOCKS = W_STATES * W_LANES,
  N_VECTORS = PASS_BLOCKS / Q_LANES, /* of Poly1305, in a group of the greatest width */
  N_FACTORS = N_VECTORS > POLY_MERGED ? N_VECTORS : POLY_MERGED,
  STEP_LEN = 16 * Q_LANES, /* bytes a solo vector takes */
  LOG_WIDTH_MIN = Q_LANES == 8   ? 3
                  : Q_LANES == 4 ? 2
                                 : 1,
  LOG_WIDTH_MAX = LOG_WIDTH_MIN + W_STATES, /* W_LANES is 2 Q_LANES */
  /* Where records go, by measurement: docs/kernels.md. */
  SOLO_BLOCKS = 48,    /* of text: longer records are alone, however many there are */
  SOLO_FEW_BLOCKS = 4, /* of text: longer ones are alone when there are */
  SOLO_AT_MOST = 3,    /*   so few for a group */
  SOLO_LONG_STEPS = 8, /* a record of so many merges products */
};

/* What is secret or stands for a secret of the records at work. Wiped at the end of a call. */
struct chapoly_work {
  v start[16 * W_STATES];                   /* the states of this pass */
  uint8_t stream[PASS_BLOCKS][64];          /* before it is bytes: the states after their rounds */
  struct poly_value hash[N_VECTORS];        /* solo: [0] */
  struct poly_factor r[N_FACTORS];          /* solo: r^Q_LANES times 1, 2, ... POLY_MERGED */
  uint64_t powers[POLY_LIMBS][3 * Q_LANES]; /* solo: r^Q_LANES in all of Q_LANES, r^Q_LANES ... r^1, 1 in all */
  uint64_t tag_low[PASS_BLOCKS], tag_high[PASS_BLOCKS]; /* s, then the tags */
  uint8_t blocks[Q_LANES][16];                          /* message blocks put together */
} __attribute__((aligned(64)));

/* The records of a group, or the one of a solo: public. Lanes past the last record repeat record 0, and nobody looks
 * at what they compute. */
struct chapoly_records {
  struct sl_aead_job *job[PASS_BLOCKS];
  const uint8_t *in[PASS_BLOCKS];     /* the text to be read */
  const uint8_t *cipher[PASS_BLOCKS]; /* the ciphertext: in or out */
  uint64_t aad_len[PASS_BLOCKS], text_len[PASS_BLOCKS];
  size_t n, width;
  size_t text_min, text_max, len_min, aad_max; /* bytes: the shortest text ... */
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

/* RFC 8439 2.5: some bits of r are cleared. */
INLINE struct poly_factor poly_clamped(v low, v high) {
  low = q_and(low, q_set(UINT64_C(0x0ffffffc0fffffff)));
  high = q_and(high, q_set(UINT64_C(0x0ffffffc0ffffffc)));
  return poly_factor(poly_block(low, high, q_zero()));
}

/* Puts block number `block` of a text of `len` bytes, filled up with zeros, to w->blocks[lane]; one behind the text is zeros.
 * Returns all ones when there is such a block, else 0. */
INLINE uint64_t poly_put_block(struct chapoly_work *w, size_t lane, const uint8_t *p, size_t len, size_t block) {
  size_t n = 16 * block < len ? len - 16 * block : 0;
  block_store_all(w->blocks[lane], n > 0 ? b_load(p + 16 * block, n < 16 ? n : 16) : _mm_setzero_si128());
  return n > 0 ? ~UINT64_C(0) : 0;
}

/* ---- one record ---------------------------------------------------------------------------------------------- */

/* The powers of r, and the AAD: its blocks lie in the last lanes of as many vectors as it takes. */
static inline void chapoly_solo_key(struct chapoly_work *w, const struct sl_aead_job *job, bool is_long) {
  const uint8_t *key = w->stream[0];
  struct poly_factor top = poly_clamped(q_set(sl_load64_le(key)), q_set(sl_load64_le(key + 8)));
  struct poly_value each = poly_value_of(&top);
  w->tag_low[0] = sl_load64_le(key + 16);
  w->tag_high[0] = sl_load64_le(key + 24);

  /* top is r^k, and the lanes of `each` have r^k ... r^1, over and over. */
  UNROLL for (unsigned k = 1; k < Q_LANES; k *= 2) {
    uint64_t upper[Q_LANES];
    UNROLL for (unsigned i = 0; i < Q_LANES; i++) upper[i] = (i & k) == 0 ? ~UINT64_C(0) : 0;
    each = poly_select(q_load(upper), poly_mul(each, &top), each);
    top = poly_factor(poly_mul(poly_value_of(&top), &top));
  }
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    q_store(w->powers[i], top.limb[i]);
    q_store(w->powers[i] + Q_LANES, each.limb[i]);
    q_store(w->powers[i] + 2 * Q_LANES, q_set(i == 0));
  }
  w->r[0] = top;
  if (is_long) {
    for (unsigned i = 1; i < POLY_MERGED; i++) w->r[i] = poly_factor(poly_mul(poly_value_of(&w->r[i - 1]), &top));
  }

  struct poly_value h = poly_zero();
  size_t n_blocks = ((size_t)job->aad_len + 15) / 16, n_lead = -n_blocks % Q_LANES;
  for (size_t at = 0; at < n_lead + n_blocks; at += Q_LANES) {
    v low, high, is_there = at == 0 ? poly_lanes_from(n_lead) : poly_ones();
    for (size_t i = 0; i < Q_LANES; i++) {
      if (at + i < n_lead) {
        block_store_all(w->blocks[i], _mm_setzero_si128());
      } else {
        poly_put_block(w, i, job->aad, job->aad_len, at + i - n_lead);
      }
    }
    q_gather_run(w->blocks[0], &low, &high);
    h = poly_mul_add(h, &w->r[0], poly_block(low, high, is_there));
  }
  w->hash[0] = h;
}

/* Absorbs n_steps STEP_LEN bytes. */
INLINE void chapoly_solo_steps(struct chapoly_work *w, const uint8_t *p, size_t n_steps, bool is_long) {
  struct poly_value h = w->hash[0];
  if (is_long) {
    for (; n_steps >= POLY_MERGED; n_steps -= POLY_MERGED, p += POLY_MERGED * STEP_LEN) {
      struct poly_sum s = poly_sum_of(poly_run_at(p + (POLY_MERGED - 1) * STEP_LEN));
      UNROLL for (unsigned i = 0; i < POLY_MERGED - 1; i++) {
        s = poly_sum_add(s, poly_run_at(p + i * STEP_LEN), &w->r[POLY_MERGED - 2 - i]);
      }
      h = poly_carried(poly_sum_add(s, h, &w->r[POLY_MERGED - 1]));
    }
  }
  for (; n_steps > 0; n_steps--, p += STEP_LEN) h = poly_mul_add(h, &w->r[0], poly_run_at(p));
  w->hash[0] = h;
}

/* Absorbs the rest of the text, under STEP_LEN bytes at p, and the lengths: n blocks, 1 to Q_LANES. Lane i of the hash lacks
 * r^(Q_LANES + n - i) when it gets no block any more, else r^Q_LANES before its block, and r^(n - i) for it. */
static inline void chapoly_solo_finish(struct chapoly_work *w, const struct chapoly_records *rec, const uint8_t *p,
                                       size_t rest) {
  struct poly_value h = w->hash[0];
  struct poly_factor before, after;
  v low, high;
  for (size_t i = 0; i < Q_LANES; i++) poly_put_block(w, i, p, rest, i);
  size_t n = (rest + 15) / 16;
  if (n == Q_LANES) {
    h = poly_mul_add(h, &w->r[0], poly_run_at(w->blocks[0]));
    memset(w->blocks, 0, sizeof w->blocks);
    n = 0;
  }
  sl_store64_le(w->blocks[n], rec->aad_len[0]);
  sl_store64_le(w->blocks[n] + 8, rec->text_len[0]);
  n++;
  q_gather_run(w->blocks[0], &low, &high);

  struct poly_value powers;
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) powers.limb[i] = q_load(w->powers[i] + Q_LANES - n);
  before = poly_factor(powers);
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) powers.limb[i] = q_load(w->powers[i] + 2 * Q_LANES - n);
  after = poly_factor(powers);
  h = poly_mul(poly_mul_add(h, &before, poly_block(low, high, poly_lanes_before(n))), &after);

  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    uint64_t lanes[Q_LANES], sum = 0;
    q_store(lanes, h.limb[i]);
    UNROLL for (unsigned j = 0; j < Q_LANES; j++) sum += lanes[j];
    h.limb[i] = q_set(sum);
  }
  w->hash[0] = h;
}

/* ---- a group ------------------------------------------------------------------------------------------------- */

/* Vectors of Poly1305 that have a record in them. */
INLINE size_t chapoly_n_vectors(const struct chapoly_records *rec) {
  return (rec->n + Q_LANES - 1) / Q_LANES;
}

/* Keys, nonces and counters to the lanes of the states. */
static inline void chapoly_group_start(struct chapoly_work *w, const struct chapoly_records *rec, unsigned log_width) {
  size_t n_states = rec->width > W_LANES ? W_STATES : 1;
  for (size_t s = 0; s < n_states; s++) {
    const uint8_t *key_low[W_LANES], *key_high[W_LANES], *nonce[W_LANES];
    v x[4], *start = w->start + 16 * s;
    for (size_t i = 0; i < W_LANES; i++) {
      const struct sl_aead_job *job = rec->job[(s * W_LANES + i) % rec->width];
      key_low[i] = job->key->mem;
      key_high[i] = job->key->mem + 16;
      nonce[i] = job->nonce; /* the 4 bytes behind it are the job's, too */
    }
    chacha_start_constants(start);
    EACH_COLUMN x[i] = w_gather(key_low + i);
    chacha_transpose(x);
    EACH_COLUMN start[4 + i] = x[i];
    EACH_COLUMN x[i] = w_gather(key_high + i);
    chacha_transpose(x);
    EACH_COLUMN start[8 + i] = x[i];
    EACH_COLUMN x[i] = w_gather(nonce + i);
    chacha_transpose(x);
    EACH_COLUMN start[12 + (i + 1) % 4] = x[i];
  }
  for (size_t s = n_states; s < W_STATES; s++) memcpy(w->start + 16 * s, w->start, 16 * sizeof w->start[0]);
  for (uint32_t s = 0; s < W_STATES; s++) w->start[16 * s + 12] = w_numbers(s * W_LANES, log_width);
}

/* r and s of every record, out of block 0, which is still words. AAD is set at the end of as many blocks as the longest
 * takes; blocks that are not there leave the 0 they find. */
static inline void chapoly_group_key(struct chapoly_work *w, const struct chapoly_records *rec) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    const v *x = (const v *)w->stream + 16 * (u / 2);
    bool half = u % 2;
    w->r[u] = poly_clamped(q_from_words(x[0], x[1], half), q_from_words(x[2], x[3], half));
    q_store(w->tag_low + Q_LANES * u, q_from_words(x[4], x[5], half));
    q_store(w->tag_high + Q_LANES * u, q_from_words(x[6], x[7], half));

    struct poly_value h = poly_zero();
    size_t n_blocks = (rec->aad_max + 15) / 16;
    for (size_t at = 0; at < n_blocks; at++) {
      uint64_t there[Q_LANES];
      v low, high;
      for (size_t i = 0; i < Q_LANES; i++) {
        const struct sl_aead_job *job = rec->job[Q_LANES * u + i];
        size_t n_lead = n_blocks - ((size_t)job->aad_len + 15) / 16;
        there[i] = poly_put_block(w, i, job->aad, job->aad_len, at < n_lead ? n_blocks : at - n_lead);
      }
      q_gather_run(w->blocks[0], &low, &high);
      h = poly_mul(poly_add(h, poly_block(low, high, q_load(there))), &w->r[u]);
    }
    w->hash[u] = h;
  }
}

/* Absorbs bytes [from,to) of every text, whole blocks; n vectors from u on side by side. */
INLINE void chapoly_group_steps_side_by_side(struct chapoly_work *w, const struct chapoly_records *rec, size_t u,
                                             unsigned n, size_t from, size_t to) {
  struct poly_value h[2];
  UNROLL for (unsigned i = 0; i < n; i++) h[i] = w->hash[u + i];
  for (size_t off = from; off < to; off += 16) {
    UNROLL for (unsigned i = 0; i < n; i++) {
      h[i] = poly_mul(poly_add(h[i], poly_blocks_at(rec->cipher + Q_LANES * (u + i), off)), &w->r[u + i]);
    }
  }
  UNROLL for (unsigned i = 0; i < n; i++) w->hash[u + i] = h[i];
}
static inline void chapoly_group_steps(struct chapoly_work *w, const struct chapoly_records *rec, size_t from,
                                       size_t to) {
  size_t u = 0, n = chapoly_n_vectors(rec);
  for (; u + 2 <= n; u += 2) chapoly_group_steps_side_by_side(w, rec, u, 2, from, to);
  if (u < n) chapoly_group_steps_side_by_side(w, rec, u, 1, from, to);
}

/* Absorbs what is left from `from` on, which is different for each record: those that have no more keep what they have.
 * Then the lengths. */
static inline void chapoly_group_finish(struct chapoly_work *w, const struct chapoly_records *rec, size_t from) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    struct poly_value h = w->hash[u];
    for (size_t off = from; off < rec->text_max; off += 16) {
      uint64_t there[Q_LANES];
      v low, high;
      for (size_t i = 0; i < Q_LANES; i++) {
        size_t lane = Q_LANES * u + i;
        there[i] = poly_put_block(w, i, rec->cipher[lane], rec->text_len[lane], off / 16);
      }
      q_gather_run(w->blocks[0], &low, &high);
      h = poly_select(q_load(there), poly_mul(poly_add(h, poly_block(low, high, poly_ones())), &w->r[u]), h);
    }
    v aad_len = q_load(rec->aad_len + Q_LANES * u), text_len = q_load(rec->text_len + Q_LANES * u);
    w->hash[u] = poly_mul(poly_add(h, poly_block(aad_len, text_len, poly_ones())), &w->r[u]);
  }
}

/* ---- both ---------------------------------------------------------------------------------------------------- */

/* What the texts ought to have as tags, to w->tag_low and tag_high: the hashes, plus s, modulo 2^128. */
static inline void chapoly_tags(struct chapoly_work *w, const struct chapoly_records *rec) {
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

/* A block of a text: out = in ^ stream from `off` on. */
INLINE void chapoly_text_block(struct sl_aead_job *job, size_t off, const uint8_t *stream, bool seal) {
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

/* The blocks of a pass whose first is block `base` of each record. */
INLINE void chapoly_text(const struct chapoly_work *w, const struct chapoly_records *rec, size_t base, bool seal) {
  for (size_t i = 0; i < PASS_BLOCKS / rec->width; i++) {
    if (base + i == 0) continue; /* the Poly1305 key */
    size_t off = 64 * (base + i - 1);
    const uint8_t *stream = w->stream[i * rec->width];
    if (off >= rec->text_max) return;
    for (size_t j = 0; j < rec->n; j++) chapoly_text_block(rec->job[j], off, stream + 64 * j, seal);
  }
}

/* The verdict, or the tag. */
INLINE void chapoly_end(const struct chapoly_work *w, const struct chapoly_records *rec, bool seal) {
  for (size_t i = 0; i < rec->n; i++) {
    uint8_t *tag = rec->job[i]->tag;
    if (seal) {
      sl_store64_le(tag, w->tag_low[i]);
      sl_store64_le(tag + 8, w->tag_high[i]);
    } else {
      uint64_t differs = (sl_load64_le(tag) ^ w->tag_low[i]) | (sl_load64_le(tag + 8) ^ w->tag_high[i]);
      sl_aead_job_verdict(rec->job[i], (uint32_t)((differs | (0 - differs)) >> 63));
    }
  }
}

/* n records, 1 to 2^log_width, in one group. */
static void chapoly_group(struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n, unsigned log_width,
                          bool seal) {
  struct chapoly_records rec;
  rec.n = n;
  rec.width = (size_t)1 << log_width;
  rec.text_min = SIZE_MAX;
  rec.text_max = rec.aad_max = 0;
  for (size_t i = 0; i < rec.width; i++) {
    struct sl_aead_job *job = jobs[i < n ? i : 0];
    size_t text_len = job->len + job->tail_len;
    rec.job[i] = job;
    rec.cipher[i] = seal ? job->out : job->in;
    rec.aad_len[i] = job->aad_len;
    rec.text_len[i] = text_len;
    if (text_len < rec.text_min) rec.text_min = text_len;
    if (text_len > rec.text_max) rec.text_max = text_len;
    if (job->aad_len > rec.aad_max) rec.aad_max = job->aad_len;
  }

  chapoly_group_start(w, &rec, log_width);
  size_t common = rec.text_min & ~(size_t)15, pos = 0; /* whole blocks that all have; what has been absorbed of them */
  size_t per_pass = PASS_BLOCKS >> log_width, n_blocks = 1 + (rec.text_max + 63) / 64;
  bool finished = false;
  for (size_t base = 0; base < n_blocks; base += per_pass) {
    size_t n_states = W_STATES;
    if (rec.width <= W_LANES && n_blocks - base <= (size_t)W_LANES >> log_width) n_states = 1;
    chacha_pass(w, n_states, (uint32_t)per_pass);
    if (base == 0) chapoly_group_key(w, &rec);
    for (size_t s = 0; s < n_states; s++) chacha_to_bytes((v *)w->stream + 16 * s);

    size_t end = 64 * (base + per_pass - 1), to = end < common ? end : common;
    if (seal) chapoly_text(w, &rec, base, seal);
    if (pos < to) chapoly_group_steps(w, &rec, pos, to);
    if (pos < to) pos = to;
    if (!seal && !finished && end > common) {
      chapoly_group_finish(w, &rec, common);
      finished = true;
    }
    if (!seal) chapoly_text(w, &rec, base, seal);
  }
  if (!finished) chapoly_group_finish(w, &rec, common);
  chapoly_tags(w, &rec);
  chapoly_end(w, &rec, seal);
}

/* One record by itself. */
static void chapoly_solo(struct chapoly_work *w, struct sl_aead_job *job, bool seal) {
  struct chapoly_records rec;
  rec.n = rec.width = 1;
  rec.job[0] = job;
  rec.aad_len[0] = job->aad_len;
  rec.text_len[0] = rec.text_max = job->len + job->tail_len;
  const uint8_t *cipher = seal ? job->out : job->in;

  UNROLL for (unsigned s = 0; s < W_STATES; s++) {
    v *start = w->start + 16 * s;
    chacha_start_constants(start);
    for (unsigned i = 0; i < 8; i++) start[4 + i] = w_set(sl_load32_le(job->key->mem + 4 * i));
    start[12] = w_numbers(s * W_LANES, 0);
    for (unsigned i = 0; i < 3; i++) start[13 + i] = w_set(sl_load32_le(job->nonce + 4 * i));
  }
  size_t n_steps = rec.text_max / STEP_LEN, pos = 0, n_blocks = 1 + (rec.text_max + 63) / 64; /* pos: steps */
  bool is_long = n_steps >= SOLO_LONG_STEPS, finished = false;
  for (size_t base = 0; base < n_blocks; base += PASS_BLOCKS) {
    size_t n_states = n_blocks - base <= W_LANES ? 1 : W_STATES;
    chacha_pass(w, n_states, PASS_BLOCKS);
    for (size_t s = 0; s < n_states; s++) chacha_to_bytes((v *)w->stream + 16 * s);
    if (base == 0) chapoly_solo_key(w, job, is_long);

    size_t end = 64 * (base + PASS_BLOCKS - 1);
    size_t to = seal ? end / STEP_LEN : (end + STEP_LEN - 1) / STEP_LEN;
    if (to > n_steps) to = n_steps;
    if (seal) chapoly_text(w, &rec, base, seal);
    chapoly_solo_steps(w, cipher + STEP_LEN * pos, to - pos, is_long);
    pos = to;
    if (!seal && !finished && end > STEP_LEN * n_steps) {
      chapoly_solo_finish(w, &rec, cipher + STEP_LEN * n_steps, rec.text_max % STEP_LEN);
      finished = true;
    }
    if (!seal) chapoly_text(w, &rec, base, seal);
  }
  if (!finished) chapoly_solo_finish(w, &rec, cipher + STEP_LEN * n_steps, rec.text_max % STEP_LEN);
  chapoly_tags(w, &rec);
  chapoly_end(w, &rec, seal);
}

/* ---- many records -------------------------------------------------------------------------------------------- */

/* Takes jobs of which none is long, longest first, in groups as wide as records of nearly one length go. */
static void chapoly_groups(struct chapoly_work *w, struct sl_aead_job *const *jobs, const uint16_t *n_blocks, size_t n,
                           bool seal) {
  for (size_t at = 0, n_taken; at < n; at += n_taken) {
    unsigned log_width = LOG_WIDTH_MAX;
    size_t left = n - at;
    /* Half as wide when that is enough for what is left, or when the narrow half of the group is much shorter. */
    for (; log_width > LOG_WIDTH_MIN; log_width--) {
      size_t width = (size_t)1 << log_width;
      if (left <= width / 2) continue;
      size_t last = left < width ? left : width;
      if (4 * n_blocks[at + last - 1] >= 3 * n_blocks[at]) break;
    }
    n_taken = left < (size_t)1 << log_width ? left : (size_t)1 << log_width;
    if (n_taken <= SOLO_AT_MOST && n_blocks[at] > SOLO_FEW_BLOCKS) {
      for (size_t i = 0; i < n_taken; i++) chapoly_solo(w, jobs[at + i], seal);
    } else {
      chapoly_group(w, jobs + at, n_taken, log_width, seal);
    }
  }
}

/* How many jobs are sorted at a time. */
enum { JOBS_AT_ONCE = 128 };

INLINE void chapoly_jobs(struct sl_aead_job *const *jobs, size_t n, bool seal) {
  struct chapoly_work w;
  for (size_t done = 0, n_now; done < n; done += n_now) {
    struct sl_aead_job *order[JOBS_AT_ONCE];
    uint16_t n_blocks[JOBS_AT_ONCE], sorted_n_blocks[JOBS_AT_ONCE];
    uint8_t n_of[SOLO_BLOCKS + 1] = {0}; /* jobs with so many blocks, then where in order[] the next one goes */
    size_t n_short = 0;
    n_now = n - done < JOBS_AT_ONCE ? n - done : JOBS_AT_ONCE;
    for (size_t i = 0; i < n_now; i++) {
      const struct sl_aead_job *job = jobs[done + i];
      size_t blocks = (job->len + job->tail_len + 63) / 64;
      __builtin_prefetch(job->key);
      n_blocks[i] = (uint16_t)(blocks <= SOLO_BLOCKS ? blocks : SOLO_BLOCKS + 1);
      if (blocks > SOLO_BLOCKS) continue;
      n_of[blocks]++;
      n_short++;
    }
    for (size_t blocks = SOLO_BLOCKS + 1, at = 0; blocks-- > 0;) {
      size_t n_these = n_of[blocks];
      n_of[blocks] = (uint8_t)at;
      at += n_these;
    }
    for (size_t i = 0; i < n_now; i++) {
      if (n_blocks[i] > SOLO_BLOCKS) {
        chapoly_solo(&w, jobs[done + i], seal);
        continue;
      }
      size_t at = n_of[n_blocks[i]]++;
      order[at] = jobs[done + i];
      sorted_n_blocks[at] = n_blocks[i];
    }
    chapoly_groups(&w, order, sorted_n_blocks, n_short, seal);
  }
  sl_wipe(&w, sizeof w);
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
