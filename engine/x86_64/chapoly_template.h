/* chapoly_template.h - AEAD_CHACHA20_POLY1305 (RFC 8439 2.8) for x86, one body for every vector width, many records at once.
 * A variant includes its chapoly_vec*.h, its chapoly_poly*.h and this, then makes its table.
 *
 * ChaCha20 is vertical: vector i of a state has word i of W_LANES blocks. A pass computes PASS_BLOCKS lanes, which belong
 *
 *     to one record (solo)             lane l is block base + l
 *     to `width` records (a group)     lane l is block base + l / width of record l % width
 *
 * width being a power of two, so that each record gets PASS_BLOCKS / width blocks of a pass; what is called lane here is a
 * place (chapoly_chacha.h). The first pass begins with block 0, the Poly1305 key; what follows it is text. In a group, block 0
 * of record i is place i: the pairs of its words are the Poly1305 keys of lanes, as Poly1305 wants them.
 *
 * Poly1305 has Q_LANES polynomials a vector:
 *
 *     solo     lane i takes every Q_LANES-th block of the record from the i-th on; all are multiplied by r^Q_LANES, and in
 *              the end by r^Q_LANES ... r^1, and added
 *     group    lane i of vector u is record Q_LANES u + i, each with its own r
 *
 * and walks over the ciphertext of a pass as long as it is in the first-level cache: behind the pass when sealing, ahead of it
 * when opening, for the text may be replaced in place. With two states, a turn leaves a group's ciphertext in pairs, as Poly1305
 * has it in lanes, whatever the direction.
 *
 *     pass 0 | pass 1 and text 0 | Poly1305 | pass 2 and text 1 | Poly1305 | ... | rest, lengths, tags
 *
 * The text of a pass is xored at the turn to the next one. A turn takes addresses, one a lane (struct chapoly_lanes): what is
 * no whole block of text comes from zeros and goes to w->rest, as bare stream, and is looked after behind the turn. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_TEMPLATE_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_TEMPLATE_H

#include "engine/aead_jobs.h"
#include "engine/kernel.h"
#include "engine/portable/poly1305.h"
#include "engine/stream.h"

/* All a key has. */
static inline uint8_t *chapoly_secret(const struct sl_aead_key *key) {
  return sl_key_mem(key, 32);
}

enum {
  PASS_BLOCKS = W_STATES * W_LANES,
  N_VECTORS = PASS_BLOCKS / Q_LANES, /* of Poly1305, in a group of the greatest width */
  STEP_LEN = 16 * Q_LANES,           /* bytes a solo vector takes */
  HEADS = PASS_BLOCKS / 2,           /* solos whose heads are made in one pass */
  WIDTH_MIN = Q_LANES,               /* of a group: records */
  LOG_WIDTH_MIN = __builtin_ctz(WIDTH_MIN),
  WIDTH_MAX = PASS_BLOCKS,
  /* Where records go, by measurement: docs/kernels.md. Blocks are the text's. */
  SOLO_BLOCKS = 48,       /* records of more are alone, but for full groups with the same number of blocks */
  SOLO_VECTORS_LEN = 256, /* bytes: shorter records alone have their Poly1305 in scalars */
  SOLO_LONG_STEPS = 8,    /* a record of so many merges products */
  GROUP_PIECE_LEN = 256,  /* bytes */
  GROUP_LONG_LEN = 192,   /* bytes: so do groups whose records are all that long */
};

/* What a solo needs from outside its passes: key stream. */
struct chapoly_head {
  uint8_t key[64];  /* block 0: the key of Poly1305 */
  uint8_t last[64]; /* of the text's last block */
} __attribute__((aligned(64)));

/* What is secret or stands for a secret of the records at work: what is used seldom at the end, for it must be erased. */
struct chapoly_work {
  v streams[W_STATES][16 * W_STATES];                   /* of this pass and the one before, in pairs */
  v start[16 * W_STATES];                               /* the states of this pass */
  v first[16 * W_STATES];                               /* what chacha_first_columns() makes of them */
  struct poly_value hash[N_VECTORS];                    /* solo: [0] */
  uint64_t tag_low[PASS_BLOCKS], tag_high[PASS_BLOCKS]; /* s, then the tags */
  struct poly_factor r[POLY_MERGED][N_VECTORS];         /* powers 1, 2, ... of each r; solo: of r^Q_LANES, [][0] */
  uint64_t lanes[POLY_LIMBS * Q_LANES];                 /* solo: limbs of r^Q_LANES ... r^1 */
  uint8_t rest[PASS_BLOCKS][64];                        /* stream of lanes that are no whole block of text */
  union {
    struct chapoly_head heads[HEADS];
    uint8_t few[FEW_BLOCKS][64]; /* solo: blocks that are not made in a pass; [0] and [1] may be its head */
  };
  v *stream;     /* that of streams[] which is of this pass */
  unsigned used; /* USED_ bits: what has to be erased */
} __attribute__((aligned(64)));

enum {
  USED_PASS = 1,    /* a state, as long as it is */
  USED_STATES = 2,  /* two of them */
  USED_STREAMS = 4, /* the stream of the pass before, where it is no ciphertext now */
  USED_GROUP = 8,   /* Poly1305 of a group */
  USED_MERGED = 16, /* powers of r besides r */
  USED_SOLO = 32,   /* Poly1305 of a solo */
  USED_SOLO_LONG = 64,
  USED_REST = 128,
  USED_HEADS = 256,
  USED_FEW = 512,
};

/* sl_wipe() of whole vectors, in steps that start at once: of a memset the compiler makes `rep stos`, which does not. */
INLINE void chapoly_wipe(void *p, size_t len) {
  UNROLL for (size_t i = 0; i < len / sizeof(v); i++)((v *)p)[i] = q_zero();
  sl_wipe(p, len % sizeof(v));
}

/* The same for much, in a loop: a number of vectors that is even. */
SHARED void chapoly_wipe_pairs(void *p, size_t len) {
  for (size_t i = 0; i < len / sizeof(v); i += 2) ((v *)p)[i] = ((v *)p)[i + 1] = q_zero();
  sl_wipe(p, 0);
}

/* As many vectors as a state has, every `stride`th: without a loop, whose end would be mispredicted. */
SHARED void chapoly_wipe_state(v *p, size_t stride) {
  UNROLL for (size_t i = 0; i < 16; i++) p[i * stride] = q_zero();
  sl_wipe(p, 0);
}

INLINE v *chapoly_other_stream(struct chapoly_work *w) {
  return w->streams[w->stream == w->streams[0] ? W_STATES - 1 : 0];
}

SHARED void chapoly_work_wipe(struct chapoly_work *w) {
  for (size_t s = 0; s < (w->used & USED_STATES ? W_STATES : 1); s++) {
    if (w->used & USED_REST) chapoly_wipe_state((v *)w->rest[s * W_LANES], 1);
    if (!(w->used & USED_PASS)) break;
    chapoly_wipe_state(w->stream + s, W_STATES);
    chapoly_wipe(w->start + 16 * s + 4, 8 * sizeof w->start[0]); /* where the key is */
    chapoly_wipe_state(w->first + 16 * s, 1);
    if (w->used & USED_STREAMS) chapoly_wipe_state(chapoly_other_stream(w) + s, W_STATES);
  }
  if (w->used & USED_GROUP)
    chapoly_wipe_pairs(w->hash, offsetof(struct chapoly_work, r[1]) - offsetof(struct chapoly_work, hash));
  if (w->used & USED_MERGED) chapoly_wipe_pairs(w->r[1], sizeof w->r - sizeof w->r[0]);
  if (w->used & USED_SOLO) {
    chapoly_wipe(w->lanes, sizeof w->lanes);
    chapoly_wipe(w->hash, sizeof w->hash[0]);
    chapoly_wipe(w->r, sizeof w->r[0][0]);
    for (size_t i = 1; i < POLY_MERGED && w->used & USED_SOLO_LONG; i++) chapoly_wipe(w->r[i], sizeof w->r[i][0]);
  }
  if (w->used & USED_FEW) chapoly_wipe(w->few, sizeof w->few);
  if (w->used & USED_HEADS) chapoly_wipe_pairs(w->heads, sizeof w->heads);
}
_Static_assert((offsetof(struct chapoly_work, r[1]) - offsetof(struct chapoly_work, hash)) % (2 * sizeof(v)) == 0,
               "what a group uses is an even number of vectors");
_Static_assert(W_LANES * 64 == 16 * sizeof(v), "the blocks of a state are as long as the state");

/* The records of a group, or the one of a solo: public. Lanes past the last record repeat record 0, and nobody looks
 * at what they compute. */
struct chapoly_records {
  struct sl_aead_job *const *job; /* n of them */
  const uint8_t *key[PASS_BLOCKS], *nonce[PASS_BLOCKS];
  const uint8_t *aad[PASS_BLOCKS], *in[PASS_BLOCKS];
  uint8_t *out[PASS_BLOCKS];
  const uint8_t *const *cipher; /* in or out */
  size_t n, width;
  unsigned log_width;
  bool is_even;                                         /* a group: all lengths are alike */
  uint64_t aad_len[PASS_BLOCKS], text_len[PASS_BLOCKS]; /* where they are not; text: with its tail */
  size_t len_min, text_min, text_max, aad_min, aad_max; /* bytes, of any record */
  size_t lanes_base; /* the pass that `lanes` is for, if all text of it is whole blocks; 0: none */
  struct chapoly_lanes lanes;
};

/* ---- ChaCha20 ------------------------------------------------------------------------------------------------ */

/* Behind the making of a state. */
INLINE void chacha_begin(struct chapoly_work *w, size_t n_states) {
  w->used |= USED_PASS | (n_states > 1 ? USED_STATES : 0);
  for (size_t s = 0; s < n_states; s++) chacha_first_columns(w->first + 16 * s, w->start + 16 * s);
}

/* The states of a pass; on to the next pass's counters. Where lanes is not NULL, with the text of the pass before; both
 * have W_STATES then, and the result is the stream of that, where the ciphertext is now. */
SHARED const v *chacha_pass(struct chapoly_work *w, size_t n_states, size_t blocks_per_record,
                            const struct chapoly_lanes *lanes, bool seal) {
  v *before = w->stream;
  if (W_STATES > 1 && lanes != NULL) {
    w->stream = chapoly_other_stream(w);
  }
  chacha_states(w->stream, w->start, w->first, n_states, before, lanes, seal);
  for (size_t s = 0; s < n_states; s++) {
    w->start[16 * s + 12] = w_add(w->start[16 * s + 12], w_set((uint32_t)blocks_per_record));
  }
  return before;
}

/* Vector i of pairs, for places [Q_LANES u, Q_LANES u + Q_LANES) of a pass. */
INLINE v chacha_pair(const v *stream, size_t u, unsigned i) {
  return stream[(2 * i + u % 2) * W_STATES + u / 2];
}

/* Bytes of block 0, which is place 0, as the pass left it. */
INLINE void chacha_first_key(uint8_t key[32], const struct chapoly_work *w) {
  for (unsigned i = 0; i < 4; i++) memcpy(key + 8 * i, &w->stream[2 * i * W_STATES], 8);
}

/* ---- Poly1305 ------------------------------------------------------------------------------------------------ */

INLINE v poly_lanes_before(size_t i) {
  static const uint64_t table[2 * Q_LANES] = {[0 ... Q_LANES - 1] = ~UINT64_C(0)};
  return q_load(table + Q_LANES - i);
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

/* x = x f, where that is not done for every block. */
POLY_TIMES void poly_times(struct poly_value *x, const struct poly_factor *f) {
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

/* ---- tags and texts ---------------------------------------------------------------------------------------------- */

/* Poly1305 in scalars, which is what little text has: len bytes, filled up to whole blocks with zeros. */
SHARED void chapoly_absorb(struct sl_poly1305 *poly, const uint8_t *p, size_t len) {
  uint8_t end[16];
  for (size_t off = 0; off < len; off += 16) {
    const uint8_t *block = p + off;
    if (len - off < 16) {
      block_store_all(end, b_load(block, len - off));
      block = end;
    }
    sl_poly1305_block(poly, block, 1);
  }
}
/* The lengths, and the tag. Wipes poly. */
SHARED void chapoly_final(struct sl_poly1305 *poly, uint8_t tag[16], uint64_t aad_len, uint64_t text_len) {
  uint8_t lengths[16]; /* in bytes */
  sl_store64_le(lengths, aad_len);
  sl_store64_le(lengths + 8, text_len);
  chapoly_absorb(poly, lengths, sizeof lengths);
  sl_poly1305_final(poly, tag);
}

/* Vectors of Poly1305 that have a record in them. */
INLINE size_t chapoly_n_vectors(const struct chapoly_records *rec) {
  return (rec->n + Q_LANES - 1) / Q_LANES;
}

/* What the texts ought to have as tags, to w->tag_low and tag_high: the hashes, plus s, modulo 2^128. */
SHARED void chapoly_tags(struct chapoly_work *w, const struct chapoly_records *rec) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    uint64_t *tag_low = w->tag_low + Q_LANES * u, *tag_high = w->tag_high + Q_LANES * u;
    v low, high, s = q_load(tag_low);
    poly_finish(w->hash[u], &low, &high);
    v sum = q_add(low, s);
    v carry = q_right(q_or(q_and(low, s), q_and_not(q_or(low, s), sum)), 63);
    q_store(tag_low, sum);
    q_store(tag_high, q_add(q_add(high, q_load(tag_high)), carry));
  }
}

SHARED void chapoly_verdict(struct sl_aead_job *job, uint64_t differs) {
  sl_aead_job_verdict(job, (uint32_t)((differs | (0 - differs)) >> 63));
}
/* The tag, or the verdict about it. */
INLINE void chapoly_end(struct sl_aead_job *job, uint64_t tag_low, uint64_t tag_high, bool seal) {
  if (seal) {
    sl_store64_le(job->tag, tag_low);
    sl_store64_le(job->tag + 8, tag_high);
  } else {
    uint64_t differs = (sl_load64_le(job->tag) ^ tag_low) | (sl_load64_le(job->tag + 8) ^ tag_high);
    chapoly_verdict(job, differs);
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

/* ---- from pass to pass ---------------------------------------------------------------------------------------- */

static const uint8_t chapoly_zeros[64];

/* Blocks of each record in a pass. */
INLINE size_t chapoly_per_pass(const struct chapoly_records *rec) {
  return (size_t)PASS_BLOCKS >> rec->log_width;
}

/* Where the block of a place is in its text; of block 0: farther than any text goes. */
INLINE size_t chapoly_off_of(const struct chapoly_records *rec, size_t base, size_t place) {
  return 64 * (base + (place >> rec->log_width)) - 64;
}

/* What the first places of the pass at `base` take and give: by Q_LANES of them that are alike, or one by one. */
SHARED void chapoly_set_lanes(struct chapoly_work *w, struct chapoly_records *rec, size_t base, size_t n_places) {
  static const uint64_t blocks[8] = {0, 64, 128, 192, 256, 320, 384, 448};
  bool is_solo = rec->width == 1;
  for (size_t p = 0; p < n_places; p += Q_LANES) {
    uint64_t *in = rec->lanes.in + p, *out = rec->lanes.out + p, *step = rec->lanes.step + p;
    size_t first = p & (rec->width - 1), off = chapoly_off_of(rec, base, p), block = off / 64 + 1;
    size_t end = is_solo ? off + 64 * Q_LANES : off + 64;
    v along = is_solo ? q_load(blocks) : q_zero();
    if (block > 0 && off < end && end <= rec->len_min && (is_solo || first + Q_LANES <= rec->n)) {
      v from = is_solo ? q_set((uintptr_t)rec->in[0]) : q_load((const uint64_t *)(rec->in + first));
      v to = is_solo ? q_set((uintptr_t)rec->out[0]) : q_load((const uint64_t *)(rec->out + first));
      q_store(in, q_add(q_add(from, q_set(off)), along));
      q_store(out, q_add(q_add(to, q_set(off)), along));
      q_store(step, q_set(64 * chapoly_per_pass(rec)));
      continue;
    }
    q_store(in, q_set((uintptr_t)chapoly_zeros));
    q_store(out, q_add(q_set((uintptr_t)w->rest[p]), q_load(blocks)));
    q_store(step, q_zero());
    w->used |= USED_REST;
    if (!is_solo && (base + (p >> rec->log_width) == 0 || off >= rec->text_max)) continue;
    if (is_solo && base > 0 && off >= rec->text_max) continue;
    for (size_t i = 0; i < Q_LANES; i++) {
      size_t which = (first + i) & (rec->width - 1), at = chapoly_off_of(rec, base, p + i);
      if (which >= rec->n || at >= rec->job[which]->len || at + 64 > rec->job[which]->len) continue;
      in[i] = (uintptr_t)rec->in[which] + at;
      out[i] = (uintptr_t)rec->out[which] + at;
      step[i] = 64 * chapoly_per_pass(rec);
    }
  }
}
INLINE void chapoly_advance_lanes(struct chapoly_lanes *lanes) {
  UNROLL for (size_t l = 0; l < PASS_BLOCKS; l += Q_LANES) {
    v step = q_load(lanes->step + l);
    q_store(lanes->in + l, q_add(q_load(lanes->in + l), step));
    q_store(lanes->out + l, q_add(q_load(lanes->out + l), step));
  }
}

/* Ends of texts, whose stream is in w->rest. */
SHARED void chapoly_text_ends(struct chapoly_work *w, const struct chapoly_records *rec, size_t base, size_t n_places,
                              bool seal) {
  for (size_t i = 0; i < rec->n; i++) {
    struct sl_aead_job *job = rec->job[i];
    size_t last = (job->len + job->tail_len - 1) / 64; /* of an empty text: too far */
    size_t place = ((last + 1 - base) << rec->log_width) + i;
    if (last + 1 < base || place >= n_places || 64 * last + 64 <= job->len) continue;
    chapoly_text_block(job, 64 * last, w->rest[place], seal);
  }
}

/* Whether all text of the pass at `base` is whole blocks. */
INLINE bool chapoly_is_whole(const struct chapoly_records *rec, size_t base, size_t n_states) {
  return base > 0 && 64 * (base - 1) + 64 * ((n_states * W_LANES) >> rec->log_width) <= rec->len_min;
}

/* The text of the pass at `base`, n_states of them, and the next one: n_next states, or none. Where both have W_STATES > 1,
 * and base > 0, the result is the ciphertext, in pairs. */
SHARED const v *chapoly_turn(struct chapoly_work *w, struct chapoly_records *rec, size_t base, size_t n_states,
                             size_t n_next, bool seal) {
  size_t per_pass = chapoly_per_pass(rec);
  const v *cipher = NULL;
  if (base == 0 && per_pass == 1) return chacha_pass(w, n_next, per_pass, NULL, seal); /* there were keys alone */
  bool is_whole = chapoly_is_whole(rec, base, n_states);
  if (!is_whole || rec->lanes_base != base) chapoly_set_lanes(w, rec, base, n_states * W_LANES);
  if (W_STATES > 1 && n_states == W_STATES && n_next == W_STATES) {
    cipher = chacha_pass(w, n_next, per_pass, &rec->lanes, seal);
    if (!is_whole || rec->n < rec->width) w->used |= USED_STREAMS;
  } else {
    for (size_t s = 0; s < n_states; s++) {
      chacha_xor_lanes(rec->lanes.out + s * W_LANES, rec->lanes.in + s * W_LANES, w->stream + s);
    }
    if (n_next > 0) chacha_pass(w, n_next, per_pass, NULL, seal);
  }
  if (is_whole && n_states == W_STATES) {
    chapoly_advance_lanes(&rec->lanes);
    rec->lanes_base = base + per_pass;
  } else {
    rec->lanes_base = 0;
    bool have_ends = rec->len_min != rec->text_max || rec->len_min % 64 != 0;
    if (!is_whole && have_ends) chapoly_text_ends(w, rec, base, n_states * W_LANES, seal);
  }
  return cipher;
}

#include "engine/x86_64/chapoly_solo.h"

#include "engine/x86_64/chapoly_group.h"

/* ---- long records --------------------------------------------------------------------------------------------- */

/* Heads of n records at once, 1 to HEADS: place i has block 0 of record i, place HEADS + i its last one. */
SHARED void chapoly_heads(struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n) {
  struct chapoly_records rec;
  rec.width = HEADS;
  rec.log_width = 0;
  for (size_t i = 0; i < W_LANES; i++) {
    const struct sl_aead_job *job = jobs[i % HEADS < n ? i % HEADS : 0];
    rec.key[i] = chapoly_secret(job->key);
    rec.nonce[i] = job->nonce;
  }
  w->used |= USED_HEADS;
  chapoly_group_start(w, &rec, W_STATES);
  for (size_t l = 0; l < PASS_BLOCKS; l++) {
    size_t place = l / W_LANES * W_LANES + lane_place(l % W_LANES), which = place % HEADS;
    const struct sl_aead_job *job = jobs[which < n ? which : 0];
    uint32_t counter = place < HEADS ? 0 : (uint32_t)((job->len + job->tail_len + 63) / 64);
    memcpy((uint8_t *)&w->start[l / W_LANES * 16 + 12] + 4 * (l % W_LANES), &counter, sizeof counter);
    rec.lanes.in[place] = (uintptr_t)chapoly_zeros;
    rec.lanes.out[place] = (uintptr_t)(place < HEADS ? w->heads[which].key : w->heads[which].last);
  }
  chacha_pass(w, W_STATES, 0, NULL, true);
  for (size_t s = 0; s < W_STATES; s++) {
    chacha_xor_lanes(rec.lanes.out + s * W_LANES, rec.lanes.in + s * W_LANES, w->stream + s);
  }
}

/* n records by themselves. */
static void chapoly_solos(struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n, bool seal) {
  struct sl_aead_job *some[HEADS];
  size_t n_some = 0;
  for (size_t i = 0; i < n; i++) {
    if (!chapoly_wants_head(jobs[i]->len + jobs[i]->tail_len)) {
      chapoly_record(w, jobs[i], NULL, seal);
    } else {
      some[n_some++] = jobs[i];
    }
    if (n_some == HEADS || i + 1 == n) {
      if (n_some > 1) chapoly_heads(w, some, n_some);
      for (size_t j = 0; j < n_some; j++) chapoly_record(w, some[j], n_some > 1 ? &w->heads[j] : NULL, seal);
      n_some = 0;
    }
  }
}

/* Long records, and whether they have the same number of blocks. */
SHARED void chapoly_longs(struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n, bool are_alike,
                          bool seal) {
  size_t at = 0;
  for (size_t width = WIDTH_MAX; width >= WIDTH_MIN && are_alike; width /= 2) {
    for (; n - at >= width; at += width) chapoly_group(w, jobs + at, width, width, seal);
  }
  chapoly_solos(w, jobs + at, n - at, seal);
}

/* ---- many records -------------------------------------------------------------------------------------------- */

/* Blocks of text. */
INLINE size_t chapoly_n_blocks(const struct sl_aead_job *job) {
  return (job->len + job->tail_len + 63) / 64;
}

/* What records cost whose longest has so many blocks of text: one alone, and a group, which costs as much however few records
 * it has. A state is 4, a few blocks 3; COST_POLY its text's Poly1305, COST_SOLO and COST_GROUP what there is besides. COST_FEW
 * is a record without a state. */
INLINE size_t chapoly_solo_cost(size_t n_blocks) {
  if (n_blocks < FEW_BLOCKS) return COST_FEW + n_blocks / 2;
  size_t last = n_blocks % W_LANES < FEW_BLOCKS ? 3 : 4;
  return 4 * (n_blocks / W_LANES) + last + COST_POLY * n_blocks / W_LANES + COST_SOLO;
}
INLINE size_t chapoly_group_cost(size_t n_blocks, size_t width) {
  return (4 + COST_POLY) * (((n_blocks + 1) * width + W_LANES - 1) / W_LANES) + COST_GROUP + width / W_LANES;
}
/* n records in groups of the best width, and alone where that is less for the rest. */
INLINE size_t chapoly_cost(size_t n_blocks, size_t n) {
  size_t alone = chapoly_solo_cost(n_blocks), least = n * alone;
  for (size_t w = WIDTH_MIN, log_w = LOG_WIDTH_MIN; w <= WIDTH_MAX; w *= 2, log_w++) {
    size_t group = chapoly_group_cost(n_blocks, w), rest = (n & (w - 1)) * alone;
    size_t cost = (n >> log_w) * group + (rest < group ? rest : group);
    if (cost < least) least = cost;
  }
  return least;
}

/* How many of the jobs, longest first, go next, and in a group of which width: 1 is alone. */
INLINE size_t chapoly_choose(const uint16_t *n_blocks, size_t n, size_t *width) {
  size_t n_best = *width = 1, least = n * chapoly_solo_cost(n_blocks[0]);
  if (n >= WIDTH_MAX) *width = WIDTH_MAX;
  for (size_t w = WIDTH_MIN; w <= WIDTH_MAX && 1 < n && n < WIDTH_MAX; w *= 2) {
    size_t cost = chapoly_group_cost(n_blocks[0], w);
    if (n > w) cost += chapoly_cost(n_blocks[w], n - w);
    if (cost <= least) least = cost, *width = w;
  }
  if (*width > 1) n_best = n < *width ? n : *width;
  /* Half as wide when the latter half would be much shorter. */
  while (*width > WIDTH_MIN && 4 * n_blocks[n_best - 1] + 4 <= 3 * n_blocks[0]) {
    *width /= 2;
    if (n_best > *width) n_best = *width;
  }
  return n_best;
}

/* Jobs of which none is long, longest first. */
static void chapoly_groups(struct chapoly_work *w, struct sl_aead_job *const *jobs, const uint16_t *n_blocks, size_t n,
                           bool seal) {
  for (size_t at = 0, n_taken = 1, width = 1; at < n; at += n_taken) {
    if (n > 1) n_taken = chapoly_choose(n_blocks + at, n - at, &width);
    if (width > 1) {
      chapoly_group(w, jobs + at, n_taken, width, seal);
    } else {
      chapoly_record(w, jobs[at], NULL, seal);
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
  size_t differ = 0;
  for (size_t i = n_short; i < n; i++) differ |= chapoly_n_blocks(order[i]) ^ chapoly_n_blocks(order[n - 1]);
  chapoly_longs(w, order + n_short, n_long, differ == 0, seal);
}

SHARED void chapoly_jobs(struct sl_aead_job *const *jobs, size_t n, bool seal) {
  struct chapoly_work w;
  w.used = 0;
  w.stream = w.streams[W_STATES - 1];
  for (size_t done = 0, n_now; done < n; done += n_now) {
    uint16_t n_blocks[JOBS_AT_ONCE];
    size_t differ = 0, first = chapoly_n_blocks(jobs[done]);
    n_now = n - done < JOBS_AT_ONCE ? n - done : JOBS_AT_ONCE;
    for (size_t i = 0; i < n_now; i++) {
      size_t blocks = chapoly_n_blocks(jobs[done + i]);
      n_blocks[i] = (uint16_t)(blocks <= SOLO_BLOCKS ? blocks : SOLO_BLOCKS + 1);
      differ |= blocks ^ first;
    }
    if (differ != 0) {
      chapoly_sorted(&w, jobs + done, n_blocks, n_now, seal);
    } else if (first <= SOLO_BLOCKS) {
      chapoly_groups(&w, jobs + done, n_blocks, n_now, seal);
    } else {
      chapoly_longs(&w, jobs + done, n_now, true, seal);
    }
  }
  chapoly_work_wipe(&w);
}

static void chapoly_expand(struct sl_aead_key *key, const uint8_t *secret) {
  memcpy(chapoly_secret(key), secret, 32);
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
