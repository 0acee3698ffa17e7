/* chapoly_template.h - AEAD_CHACHA20_POLY1305 (RFC 8439 2.8) in wide vectors with many registers, many records at once. A kernel
 * includes its vectors (chapoly_vec512.h), its Poly1305 in lanes (chapoly_poly52.h) and this. Widths with 16 registers have another body,
 * engine/chapoly_units.h. Who goes where and when is chapoly_common.c's, which calls what is here through struct chapoly_width.
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
 * when opening, for the text may be replaced in place. A turn leaves a group's ciphertext in pairs, as Poly1305
 * has it in lanes, whatever the direction.
 *
 *     pass 0 | pass 1 and text 0 | Poly1305 | pass 2 and text 1 | Poly1305 | ... | rest, lengths, tags
 *
 * The text of a pass is xored at the turn to the next one. A turn takes addresses, one a lane (struct chapoly_lanes): what is
 * no whole block of text comes from zeros and goes to w->rest, as bare stream, and is looked after behind the turn. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_TEMPLATE_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_TEMPLATE_H

#include "engine/stream.h"
#include "engine/stream_through.h"
#include "engine/x86_64/chapoly_common.h"

enum {
  PASS_BLOCKS = W_STATES * W_LANES,
  N_VECTORS = PASS_BLOCKS / Q_LANES, /* of Poly1305, in a group of the greatest width */
  STEP_LEN = 16 * Q_LANES,           /* bytes a solo vector takes */
  HEADS = PASS_BLOCKS / 2,           /* solos whose heads are made in one pass */
};

/* What is secret or stands for a secret of the records at work: what is used seldom at the end, for it must be erased. */
struct chapoly_work {
  v streams[W_STATES][16 * W_STATES];           /* of this pass and the one before, in pairs */
  v start[16 * W_STATES];                       /* the states of this pass */
  v first[16 * W_STATES];                       /* what chacha_first_columns() makes of them */
  struct poly_value hash[N_VECTORS];            /* solo: [0] */
  struct chapoly_tags tags;                     /* s, then the tags */
  struct poly_factor r[POLY_MERGED][N_VECTORS]; /* powers 1, 2, ... of each r */
  struct poly_factor solo;                      /* solo: r^Q_LANES, or powers 8, 7 ... 1 of it, a lane each */
  uint64_t lanes[POLY_LIMBS * Q_LANES];         /* solo: limbs of r^Q_LANES ... r^1 */
  uint8_t rest[PASS_BLOCKS][64];                /* stream of lanes that are no whole block of text */
  v *stream;                                    /* that of streams[] which is of this pass */
  unsigned n_powers;                            /* of those in r[], where they are merged */
  unsigned used;                                /* USED_ bits: what has to be erased */
} __attribute__((aligned(64)));

enum {
  USED_PASS = 1,    /* a state, as long as it is */
  USED_STATES = 2,  /* two of them */
  USED_STREAMS = 4, /* the stream of the pass before, where it is no ciphertext now */
  USED_GROUP = 8,   /* Poly1305 of a group */
  USED_SOLO = 16,   /* Poly1305 of a solo */
  USED_REST = 32,
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
  return w->streams[w->stream == w->streams[0]];
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
  if (w->n_powers > 1) chapoly_wipe_pairs(w->r[1], (w->n_powers - 1) * sizeof w->r[0]);
  if (w->used & USED_SOLO) {
    chapoly_wipe(w->lanes, sizeof w->lanes);
    chapoly_wipe(w->hash, sizeof w->hash[0]);
    chapoly_wipe(&w->solo, sizeof w->solo);
  }
}
_Static_assert((offsetof(struct chapoly_work, r[1]) - offsetof(struct chapoly_work, hash)) % (2 * sizeof(v)) == 0,
               "what a group uses is an even number of vectors");
_Static_assert(W_LANES * 64 == 16 * sizeof(v), "the blocks of a state are as long as the state");

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
  if (lanes != NULL) w->stream = chapoly_other_stream(w);
  chacha_states(w->stream, w->start, w->first, n_states, before, lanes, seal);
  for (size_t s = 0; s < n_states; s++) {
    w->start[16 * s + 12] = w_add(w->start[16 * s + 12], w_set((uint32_t)blocks_per_record));
  }
  return before;
}

/* Vector i of pairs, for places [Q_LANES u, Q_LANES u + Q_LANES) of a pass. */
INLINE const v *chacha_pair(const v *stream, size_t u, unsigned i) {
  return stream + (2 * i + u % 2) * W_STATES + u / 2;
}

/* Bytes of block 0, which is place 0, as the pass left it. */
static void chacha_first_key(const struct chapoly_work *w, uint8_t key[32]) {
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
INLINE struct poly_value poly_select(v mask, struct poly_value a, struct poly_value b) {
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) a.limb[i] = q_select(mask, a.limb[i], b.limb[i]);
  return a;
}
/* Lane 0's in all lanes. */
INLINE struct poly_value poly_first(struct poly_value x) {
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) x.limb[i] = q_first(x.limb[i]);
  return x;
}
/* The hash h of one record, and a block. */
INLINE struct poly_value poly_absorbed(struct poly_value h, const struct poly_factor *f, struct poly_value block) {
  return poly_carried(poly_sum_add(poly_sum_of(block), h, f, POLY_ALONE));
}

INLINE v poly_ones(void) {
  return q_set(~UINT64_C(0));
}
/* Whole blocks, Q_LANES of one message. */
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

/* x = x f, where that is not done for every block: what comes next waits for it. */
INLINE void poly_times(struct poly_value *x, const struct poly_factor *f) {
  *x = poly_carried(poly_sum_add(poly_sum_of(poly_zero()), *x, f, POLY_ALONE));
}

/* The powers of w->r[0][u] that are merged. */
SHARED void poly_powers(struct chapoly_work *w, size_t u) {
  for (unsigned i = 1; i < w->n_powers; i++) {
    struct poly_value x = poly_value_of(&w->r[i / 2][u]);
    poly_times(&x, &w->r[(i - 1) / 2][u]);
    w->r[i][u] = poly_factor(x);
  }
}

/* ---- tags -------------------------------------------------------------------------------------------------------- */

/* Vectors of Poly1305 that have a record in them. */
INLINE size_t chapoly_n_vectors(const struct chapoly_records *rec) {
  return (rec->n + Q_LANES - 1) / Q_LANES;
}

/* What the texts ought to have as tags: the hashes, plus s, modulo 2^128. */
static const struct chapoly_tags *chapoly_group_tags(struct chapoly_work *w, const struct chapoly_records *rec) {
  for (size_t u = 0; u < chapoly_n_vectors(rec); u++) {
    uint64_t *tag_low = w->tags.low + Q_LANES * u, *tag_high = w->tags.high + Q_LANES * u;
    v low, high, s = q_load(tag_low);
    poly_times(&w->hash[u], &w->r[0][u]);
    poly_finish(w->hash[u], &low, &high);
    v sum = q_add(low, s);
    v carry = q_right(q_or(q_and(low, s), q_and_not(q_or(low, s), sum)), 63);
    q_store(tag_low, sum);
    q_store(tag_high, q_add(q_add(high, q_load(tag_high)), carry));
  }
  return &w->tags;
}

/* ---- from pass to pass ---------------------------------------------------------------------------------------- */

/* Blocks of each record in a pass. */
INLINE size_t chapoly_per_pass(const struct chapoly_records *rec) {
  return (size_t)PASS_BLOCKS >> rec->log_width;
}

/* Where the block of a place is in its text; of block 0: farther than any text goes. */
INLINE size_t chapoly_off_of(const struct chapoly_records *rec, size_t base, size_t place) {
  return 64 * (base + (place >> rec->log_width)) - 64;
}

/* By Q_LANES places that are alike, or one by one. */
static void chapoly_set_lanes(struct chapoly_work *w, struct chapoly_records *rec, size_t base, size_t n_places) {
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
    q_store(in, q_set((uintptr_t)sl_chapoly_zeros));
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

/* The turn. Where both passes have W_STATES, the rounds xor the text, too. */
static const void *chapoly_next(struct chapoly_work *w, struct chapoly_lanes *lanes, size_t n_states, size_t n_next,
                                size_t blocks_per_record, bool seal) {
  const v *pairs = NULL;
  if (n_states == W_STATES && n_next == W_STATES) {
    if (w->used & USED_REST) w->used |= USED_STREAMS;
    pairs = chacha_pass(w, n_next, blocks_per_record, lanes, seal);
  } else {
    for (size_t s = 0; s < n_states; s++) {
      chacha_xor_lanes(lanes->out + s * W_LANES, lanes->in + s * W_LANES, w->stream + s);
    }
    if (n_next > 0) chacha_pass(w, n_next, blocks_per_record, NULL, seal);
  }
  if (n_states != W_STATES) return pairs; /* what is next takes new ones */
  UNROLL for (size_t l = 0; l < PASS_BLOCKS; l += Q_LANES) {
    v step = q_load(lanes->step + l);
    q_store(lanes->in + l, q_add(q_load(lanes->in + l), step));
    q_store(lanes->out + l, q_add(q_load(lanes->out + l), step));
  }
  return pairs;
}

#include "engine/x86_64/chapoly_solo.h"

#include "engine/x86_64/chapoly_group.h"

/* Place i has block 0 of record i, place HEADS + i its last one. */
static void chapoly_heads(struct chapoly_work *w, struct chapoly_head *heads, struct sl_aead_job *const *jobs,
                          size_t n) {
  struct chapoly_records rec;
  rec.width = HEADS;
  rec.log_width = 0;
  for (size_t i = 0; i < PASS_BLOCKS; i++) {
    const struct sl_aead_job *job = jobs[i % HEADS < n ? i % HEADS : 0];
    rec.key[i] = sl_chapoly_secret(job->key);
    rec.nonce[i] = job->nonce;
  }
  chapoly_group_start(w, &rec, W_STATES);
  for (size_t l = 0; l < PASS_BLOCKS; l++) {
    size_t place = l / W_LANES * W_LANES + lane_place(l % W_LANES), which = place % HEADS;
    const struct sl_aead_job *job = jobs[which < n ? which : 0];
    uint32_t counter = place < HEADS ? 0 : (uint32_t)((job->len + job->tail_len + 63) / 64);
    memcpy((uint8_t *)&w->start[l / W_LANES * 16 + 12] + 4 * (l % W_LANES), &counter, sizeof counter);
    rec.lanes.in[place] = (uintptr_t)sl_chapoly_zeros;
    rec.lanes.out[place] = (uintptr_t)(place < HEADS ? heads[which].key : heads[which].last);
  }
  chacha_pass(w, W_STATES, 0, NULL, true);
  for (size_t s = 0; s < W_STATES; s++) {
    chacha_xor_lanes(rec.lanes.out + s * W_LANES, rec.lanes.in + s * W_LANES, w->stream + s);
  }
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

static const struct chapoly_width chapoly_width = {
    .log_places = __builtin_ctz(PASS_BLOCKS),
    .log_lanes = __builtin_ctz(W_LANES),
    .log_q_lanes = __builtin_ctz(Q_LANES),
    .cost_poly = COST_POLY,
    .cost_solo = COST_SOLO,
    .cost_few = COST_FEW,
    .cost_group = COST_GROUP,
    .set_lanes = chapoly_set_lanes,
    .next = chapoly_next,
    .group_begin = chapoly_group_begin,
    .group_absorb = chapoly_group_steps,
    .group_finish = chapoly_group_finish,
    .group_tags = chapoly_group_tags,
    .solo_start = chapoly_solo_start,
    .solo_key = chacha_first_key,
    .solo_hash = chapoly_solo_hash,
    .solo_steps = chapoly_solo_steps,
    .solo_end = chapoly_solo_end,
    .heads = chapoly_heads,
    .few_blocks = chacha_few_blocks,
    .text_block = row_text_block,
};
_Static_assert((int)PASS_BLOCKS <= (int)PLACES_MAX, "every pass has its places");

INLINE void chapoly_work_begin(struct chapoly_work *w) {
  w->used = w->n_powers = 0;
  w->stream = w->streams[W_STATES - 1];
}
SHARED void chapoly_jobs(struct sl_aead_job *const *jobs, size_t n, bool seal) {
  struct chapoly_work w;
  chapoly_work_begin(&w);
  sl_chapoly_jobs(&chapoly_width, &w, jobs, n, seal);
  chapoly_work_wipe(&w);
}
static void chapoly_seal(struct sl_aead_job *const *jobs, size_t n) {
  chapoly_jobs(jobs, n, true);
}
static void chapoly_open(struct sl_aead_job *const *jobs, size_t n) {
  chapoly_jobs(jobs, n, false);
}

static void chapoly_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  sl_chapoly_stream_absorb(&chapoly_width, s, key, blocks, 16 * n);
}
static void chapoly_stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                                 size_t len, bool is_open) {
  struct chapoly_work w;
  chapoly_work_begin(&w);
  sl_chapoly_stream_crypt(&chapoly_width, &w, s, key, out, in, len, is_open);
  chapoly_work_wipe(&w);
}
static void chapoly_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  sl_chapoly_stream_tag(&chapoly_width, s, key, tag);
}

#define CHAPOLY_KERNEL_OPS                                                                                             \
  { {SL_CHACHA20_POLY1305, 32, 16 + 32, sl_chapoly_expand, chapoly_seal, chapoly_open}, }
#define CHAPOLY_STREAM_OPS                                                                                             \
  { 64, sl_chapoly_stream_start, chapoly_stream_absorb, chapoly_stream_crypt, chapoly_stream_tag, stream_through }

#endif
