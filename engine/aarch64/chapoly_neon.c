/* chapoly_neon.c - AEAD_CHACHA20_POLY1305 (RFC 8439 2.8) on NEON, with Poly1305 in general registers.
 *
 * All jobs of a call are one list of 64-byte units: of each record unit 0, which makes the Poly1305 key, then those of its text.
 * A pass takes the next eight of the list, whatever records they belong to, so that lanes fill however short records are. Its
 * ciphertext is put together, block behind block, and hashed between the rounds of the pass after it. Inside a long text a pass
 * has eight units that follow each other; its key stream then goes to the text without a way through memory.
 *
 *     vectors             rounds of pass k, two states of four units | text of pass k
 *     general registers   Poly1305 of the ciphertext of pass k - 1   | tags of records that ended in pass k - 1 */
#include "engine/aarch64/chapoly_chacha.h"
#include "engine/aarch64/chapoly_poly64.h"
#include "engine/aarch64/kernels.h"
#include "engine/aead_jobs.h"
#include "engine/portable/chacha20.h"
#include "engine/portable/poly1305.h"
#include "engine/portable/text.h"
#include "engine/stream.h"
#include "engine/stream_through.h"

#define PART static __attribute__((noinline)) /* a function of its own, once */

enum {
  UNITS = 2 * LANES, /* in a pass */
  BLOCKS =
      5 *
      UNITS, /* of ciphertext and what is hashed with it: the lengths behind a last unit, or AAD and lengths alone */
  HASHES = UNITS + 1, /* records in a pass, and the end of the list */
};

/* A record's hash, as far as one pass goes. */
struct chapoly_hash {
  struct poly64 poly;
  uint64_t s[2];
  size_t n_blocks;         /* in this pass */
  struct sl_aead_job *job; /* whose tag it makes then, or NULL: it goes on */
};

/* One unit of the list. */
struct chapoly_unit {
  struct sl_aead_job *job;
  size_t number;
};

/* What a call has under way. Secret: wiped in the end. */
struct chapoly_run {
  struct sl_aead_job *const *jobs; /* what is left of the list, from unit `next` of the first on */
  size_t n_jobs, next;
  uint32_t counter; /* of unit 1: 1, but in streams */
  struct chapoly_unit unit[UNITS];
  size_t n_units;
  const uint8_t *in; /* where all units of the pass follow each other inside a text: the first one's, else NULL */
  uint8_t *out;
  bool seal;
  w start[UNITS / LANES][16];
  uint8_t stream[UNITS][UNIT_LEN]; /* key stream */
  uint8_t block[BLOCKS][16];       /* ciphertext, to be hashed */
  size_t n_blocks;
  struct chapoly_hash hash[HASHES]; /* in the order of the blocks; the last one has none */
  size_t n_hashes;
};

/* ---- a pass -------------------------------------------------------------------------------------------------- */

static inline size_t n_units_of(const struct sl_aead_job *job) {
  return 1 + (sl_text_len(job) + UNIT_LEN - 1) / UNIT_LEN;
}

/* The next unit of the list. */
INLINE struct chapoly_unit run_next(struct chapoly_run *run, size_t n) {
  struct chapoly_unit unit = {run->jobs[0], run->next};
  run->next += n;
  if (run->next == n_units_of(unit.job)) {
    run->next = 0;
    run->jobs++;
    run->n_jobs--;
  }
  return unit;
}

/* The state of four units before their rounds. */
static void run_begin_state(struct chapoly_run *run, unsigned s) {
  struct chacha_lane lane[LANES];
  for (unsigned i = 0; i < LANES; i++) { /* lanes that are over repeat the first */
    struct chapoly_unit unit = run->unit[LANES * s + i < run->n_units ? LANES * s + i : 0];
    uint32_t counter = unit.number == 0 ? 0 : (uint32_t)(unit.number - 1) + run->counter;
    lane[i] = (struct chacha_lane){sl_chapoly_secret(unit.job->key), unit.job->nonce, counter};
  }
  chacha_begin(run->start[s], lane);
}
_Static_assert(offsetof(struct sl_aead_job, nonce) + 16 <= sizeof(struct sl_aead_job), "a nonce is read as one block");

/* Where hashing is: the hash in registers, and what of it is left. */
struct chapoly_place {
  struct poly64 poly;
  struct chapoly_hash *hash;
  const uint8_t *block;
  size_t n_blocks;
};

/* Hashes one block, if there is one; after a record's last the next one's hash comes. */
INLINE void place_block(struct chapoly_place *at) {
  if (at->n_blocks == 0) return;
  poly64_block(&at->poly, at->block);
  at->block += 16;
  if (--at->n_blocks > 0) return;
  at->hash->poly = at->poly;
  at->hash++;
  at->poly = at->hash->poly;
  at->n_blocks = at->hash->n_blocks;
}

/* Text under four units of key stream, and its ciphertext to where it waits for Poly1305. */
INLINE void run_text_by_four(const w x[16], uint8_t *out, const uint8_t *in, uint8_t (*block)[16], bool seal) {
  SL_UNROLL for (unsigned i = 0; i < 16; i++) {
    const unsigned off = UNIT_LEN * (i % 4) + 16 * (i / 4);
    v data = block_load_all(in + off), done = v_xor(data, vreinterpretq_u8_u32(x[i]));
    block_store_all(out + off, done);
    block_store_all(block[off / 16], seal ? done : data);
  }
}

/* Key stream of n_states states, and Poly1305 of all blocks that wait. */
INLINE void run_rounds(struct chapoly_run *run, unsigned n_states) {
  w x[UNITS / LANES][16];
  v places = chacha_places();
  struct chapoly_place at = {run->hash[0].poly, run->hash, run->block[0], run->hash[0].n_blocks};
  SL_UNROLL for (unsigned s = 0; s < n_states; s++) {
    SL_UNROLL for (unsigned i = 0; i < 16; i++) x[s][i] = run->start[s][i];
  }
  for (unsigned i = 0; i < 10; i++) {
    SL_UNROLL for (unsigned half = 0; half < 2; half++) {
      SL_UNROLL for (unsigned s = 0; s < n_states; s++) {
        chacha_half(x[s], half, places);
        place_block(&at);
      }
    }
  }
  while (at.n_blocks > 0) place_block(&at);
  SL_UNROLL for (unsigned s = 0; s < n_states; s++) {
    const size_t off = UNIT_LEN * LANES * s;
    chacha_finish(x[s], run->start[s]);
    if (run->in == NULL) {
      chacha_store(run->stream + LANES * s, x[s]);
    } else if (run->seal) {
      run_text_by_four(x[s], run->out + off, run->in + off, run->block + off / 16, true);
    } else {
      run_text_by_four(x[s], run->out + off, run->in + off, run->block + off / 16, false);
    }
  }
}

PART void run_two_states(struct chapoly_run *run) {
  run_rounds(run, 2);
}
PART void run_one_state(struct chapoly_run *run) {
  run_rounds(run, 1);
}

/* The tags of records whose hash is complete. A record that goes on takes its hash along. */
static void run_tags(struct chapoly_run *run, bool seal) {
  struct chapoly_hash *last = &run->hash[run->n_hashes];
  bool goes_on = run->n_hashes > 0 && last[-1].job == NULL;
  for (struct chapoly_hash *hash = run->hash; hash < last; hash++) {
    struct sl_aead_job *job = hash->job;
    uint8_t tag[SL_AEAD_TAG_LEN];
    if (job == NULL) continue;
    poly64_final(&hash->poly, hash->s, seal ? job->tag : tag);
    if (seal) continue;
    if (!sl_aead_job_verdict(job, sl_differ(tag, job->tag, sizeof tag))) sl_aead_job_failed(job, tag);
  }
  if (goes_on) run->hash[0] = last[-1];
  run->hash[0].n_blocks = 0;
  run->n_hashes = goes_on;
  run->n_blocks = 0;
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

/* The block that is hashed next is written to what this returns. */
INLINE uint8_t *run_block(struct chapoly_run *run) {
  run->hash[run->n_hashes - 1].n_blocks++;
  return run->block[run->n_blocks++];
}

/* A record's last block; its tag comes next. The text of a stream goes on, and has no place for a tag. */
INLINE void run_lengths(struct chapoly_run *run, struct sl_aead_job *job) {
  if (job->tag == NULL) return;
  block_store_all(run_block(run), block_of(job->aad_len, sl_text_len(job)));
  run->hash[run->n_hashes - 1].job = job;
}

/* Unit 0: a new hash, and the AAD. More of it than a block is rare and hashed at once. */
static void run_begin_record(struct chapoly_run *run, struct sl_aead_job *job, const uint8_t *stream) {
  struct chapoly_hash *hash = &run->hash[run->n_hashes++];
  const uint8_t *aad = job->aad;
  size_t left = job->aad_len;
  poly64_init(&hash->poly, stream);
  hash->s[0] = sl_load64_le(stream + 16);
  hash->s[1] = sl_load64_le(stream + 24);
  hash->n_blocks = 0;
  hash->job = NULL;
  for (; left > 16; left -= 16, aad += 16) poly64_block(&hash->poly, aad);
  if (left > 0) block_store_all(run_block(run), block_load(aad, left));
  if (sl_text_len(job) == 0) run_lengths(run, job);
}

/* A unit inside the text. */
INLINE void run_text(struct chapoly_run *run, uint8_t *out, const uint8_t *in, const uint8_t *stream, bool seal) {
  uint8_t(*block)[16] = run->block + run->n_blocks;
  SL_UNROLL for (size_t i = 0; i < UNIT_LEN; i += 16) {
    v data = block_load_all(in + i), done = v_xor(data, block_load_all(stream + i));
    block_store_all(out + i, done);
    block_store_all(block[i / 16], seal ? done : data);
  }
  run->hash[run->n_hashes - 1].n_blocks += UNIT_LEN / 16;
  run->n_blocks += UNIT_LEN / 16;
}

/* The unit in which the text ends. */
static void run_text_end(struct chapoly_run *run, struct sl_aead_job *job, size_t off, const uint8_t *stream,
                         bool seal) {
  uint8_t text[UNIT_LEN];
  size_t n = sl_text_load(text, sizeof text, job, off, !seal);
  for (size_t i = 0; i < n; i += 16) {
    v data = block_load_all(text + i), done = block_keep(v_xor(data, block_load_all(stream + i)), n - i);
    block_store_all(text + i, done);
    block_store_all(run_block(run), seal ? done : data);
  }
  sl_text_store(job, off, text, n, !seal);
  sl_wipe(text, sizeof text);
}

INLINE void run_units(struct chapoly_run *run, bool seal) {
  for (size_t i = 0; i < run->n_units; i++) {
    struct sl_aead_job *job = run->unit[i].job;
    size_t off = UNIT_LEN * (run->unit[i].number - 1);
    if (run->unit[i].number == 0) {
      run_begin_record(run, job, run->stream[i]);
      continue;
    }
    if (off + UNIT_LEN <= job->len) {
      run_text(run, job->out + off, job->in + off, run->stream[i], seal);
    } else {
      run_text_end(run, job, off, run->stream[i], seal);
    }
    if (off + UNIT_LEN >= sl_text_len(job)) run_lengths(run, job);
  }
  run->hash[run->n_hashes].n_blocks = 0;
}

/* ---- jobs ---------------------------------------------------------------------------------------------------- */

/* Whether the next units are inside a text. */
INLINE bool run_is_inside(const struct chapoly_run *run) {
  return run->next > 0 && UNIT_LEN * (run->next - 1 + UNITS) <= run->jobs[0]->len;
}

/* A pass inside a text, whose hash is the only one then. `is_next`: the pass before was inside it, too. */
INLINE void run_pass_inside(struct chapoly_run *run, bool is_next, bool seal) {
  struct chapoly_unit first = run_next(run, UNITS);
  size_t off = UNIT_LEN * (first.number - 1);
  run->in = first.job->in + off;
  run->out = first.job->out + off;
  if (is_next) {
    SL_UNROLL for (unsigned s = 0; s < UNITS / LANES; s++) {
      run->start[s][12] = vaddq_u32(run->start[s][12], vdupq_n_u32(UNITS));
    }
  } else {
    run->n_units = UNITS;
    for (size_t i = 0; i < UNITS; i++) run->unit[i] = (struct chapoly_unit){first.job, first.number + i};
    run_begin_state(run, 0);
    run_begin_state(run, 1);
  }
  run_two_states(run);
  run_tags(run, seal);
  run->n_blocks = run->hash[0].n_blocks = UNITS * UNIT_LEN / 16;
  if (off + UNITS * UNIT_LEN == sl_text_len(first.job)) run_lengths(run, first.job);
  run->hash[1].n_blocks = 0;
}

/* A pass of whatever comes next. */
INLINE void run_pass(struct chapoly_run *run, bool seal) {
  run->in = NULL;
  for (run->n_units = 0; run->n_units < UNITS && run->n_jobs > 0;) run->unit[run->n_units++] = run_next(run, 1);
  run_begin_state(run, 0);
  if (run->n_units > LANES) {
    run_begin_state(run, 1);
    run_two_states(run);
  } else {
    run_one_state(run);
  }
  run_tags(run, seal);
  run_units(run, seal);
}

/* All units of the list, and all hashes. */
INLINE void run_all(struct chapoly_run *run, bool seal) {
  run->seal = seal;
  while (run->n_jobs > 0) {
    if (!run_is_inside(run)) {
      run_pass(run, seal);
      continue;
    }
    run_pass_inside(run, false, seal);
    while (run->n_jobs > 0 && run_is_inside(run)) run_pass_inside(run, true, seal);
  }
  for (struct chapoly_place at = {run->hash[0].poly, run->hash, run->block[0], run->hash[0].n_blocks}; at.n_blocks > 0;)
    place_block(&at);
  run_tags(run, seal);
}

INLINE void run_jobs(struct sl_aead_job *const *jobs, size_t n, bool seal) {
  struct chapoly_run run;
  run.jobs = jobs;
  run.n_jobs = n;
  run.next = 0;
  run.counter = 1;
  run.n_blocks = run.n_hashes = run.hash[0].n_blocks = 0;
  run_all(&run, seal);
  sl_wipe(&run, sizeof run);
}

static void expand(struct sl_aead_key *key, const uint8_t *secret) {
  memcpy(sl_chapoly_secret(key), secret, 32);
}
static void seal(struct sl_aead_job *const *jobs, size_t n) {
  run_jobs(jobs, n, true);
}
static void open(struct sl_aead_job *const *jobs, size_t n) {
  run_jobs(jobs, n, false);
}

/* ---- texts in pieces ----------------------------------------------------------------------------------------- */

static struct sl_poly1305 *poly_of(struct sl_stream *s) {
  return (struct sl_poly1305 *)s->hash;
}

/* From limbs of 44, 44 and 42 bits, of which the middle one may be a little over, and back. */
static void poly64_from(struct poly64 *p, const struct sl_poly1305 *poly) {
  u128 low = (u128)poly->h[0] + ((u128)poly->h[1] << 44), high = (low >> 64) + ((u128)poly->h[2] << 24);
  p->h = high << 64 | (uint64_t)low;
  p->h2 = u128_high(high);
  poly64_set_r(p, poly->r[0] | poly->r[1] << 44, poly->r[1] >> 20 | poly->r[2] << 24);
}
static void poly64_to(struct sl_poly1305 *poly, const struct poly64 *p) {
  poly->h[0] = (uint64_t)p->h & SL_POLY1305_44;
  poly->h[1] = (uint64_t)(p->h >> 44) & SL_POLY1305_44;
  poly->h[2] = (uint64_t)(p->h >> 88) | p->h2 << 40;
}

static void stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  uint8_t stream[SL_CHACHA20_STREAM_LEN];
  sl_chacha20_blocks4(stream, sl_chapoly_secret(key), s->nonce, s->counter++);
  sl_poly1305_init(poly_of(s), stream);
  sl_wipe(stream, sizeof stream);
}

static void stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  (void)key; /* Poly1305's is in the hash */
  struct poly64 poly;
  poly64_from(&poly, poly_of(s));
  for (; n > 0; n--, blocks += 16) poly64_block(&poly, blocks);
  poly64_to(poly_of(s), &poly);
  sl_wipe(&poly, sizeof poly);
}

/* Whole units: a job that begins at its unit 1 and has no end. */
static void stream_units(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                         size_t len, bool is_open) {
  struct sl_aead_job piece = {.key = key, .in = in, .out = out, .len = len}, *jobs[1] = {&piece};
  struct chapoly_run run;
  memcpy(piece.nonce, s->nonce, sizeof piece.nonce);
  run.jobs = jobs;
  run.n_jobs = run.next = run.n_hashes = 1;
  run.counter = s->counter;
  run.n_blocks = run.hash[0].n_blocks = 0;
  run.hash[0].job = NULL;
  poly64_from(&run.hash[0].poly, poly_of(s));
  if (is_open) {
    run_all(&run, false);
  } else {
    run_all(&run, true);
  }
  poly64_to(poly_of(s), &run.hash[0].poly);
  s->counter += (uint32_t)(len / UNIT_LEN);
  sl_wipe(&run, sizeof run);
}

/* Less than a unit. */
static void stream_over(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in, size_t len,
                        bool is_open) {
  uint8_t stream[SL_CHACHA20_STREAM_LEN];
  sl_chacha20_blocks4(stream, sl_chapoly_secret(key), s->nonce, s->counter++);
  for (size_t i = 0; i < len; i += 16) {
    size_t n = len - i < 16 ? len - i : 16;
    v data = block_load(in + i, n), done = block_keep(v_xor(data, block_load_all(stream + i)), n);
    block_store(out + i, n, done);
    block_store_all(s->block, is_open ? data : done);
    s->n_block = n % 16;
    if (n == 16) stream_absorb(s, key, s->block, 1);
  }
  memcpy(s->unit + len, stream + len, UNIT_LEN - len);
  s->n_unit = (uint8_t)(UNIT_LEN - len);
  sl_wipe(stream, sizeof stream);
}

static void stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                         size_t len, bool is_open) {
  size_t n_over = len % UNIT_LEN, n_units = len - n_over;
  if (s->n_block > 0) stream_absorb(s, key, s->block, 1);
  s->n_block = s->n_unit = 0;
  if (n_units > 0) stream_units(s, key, out, in, n_units, is_open);
  if (n_over > 0) stream_over(s, key, out + n_units, in + n_units, n_over, is_open);
}

static void stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  uint8_t lengths[16];
  if (s->n_block > 0) stream_absorb(s, key, s->block, 1);
  block_store_all(lengths, block_of(s->aad_len, s->text_len));
  stream_absorb(s, key, lengths, 1);
  sl_poly1305_final(poly_of(s), tag);
}

const struct sl_kernel sl_kernel_chapoly_neon = {
    .name = "chapoly_neon",
    .algorithm = SL_ALG_CHACHA20_POLY1305,
    .needs = SL_CPU(NEON),
    .aead = {{SL_CHACHA20_POLY1305, 32, 16 + 32, expand, seal, open}},
    .stream = {UNIT_LEN, stream_start, stream_absorb, stream_crypt, stream_tag, stream_through},
};
