/* chapoly_units.h - AEAD_CHACHA20_POLY1305 (RFC 8439 2.8) with ChaCha20 in vectors and Poly1305 in general registers, the body of
 * every kernel of that kind.
 *
 * All jobs of a call are one list of 64-byte units: of each record unit 0, which makes the Poly1305 key, then those of its text.
 * A pass takes the next ones of the list, whatever records they belong to, so that lanes fill however short records are. Its
 * ciphertext is put together, block behind block, and hashed between the rounds of the pass after it. Inside a long text a pass
 * has units that follow each other; its key stream then goes to the text without a way through memory.
 *
 *     vectors             rounds of pass k, STATES states of LANES units | text of pass k
 *     general registers   Poly1305 of the ciphertext of pass k - 1       | tags of records that ended in pass k - 1
 *
 * A kernel includes this behind the vocabulary of its width:
 *
 *     v, block_*()       16 bytes
 *     w, w_*()           a word of LANES units; and W_BYTES bytes
 *     chacha_begin()     a state before its rounds
 *     chacha_rounds()    the rounds of states, and the hashes of the pass before
 *     chacha_finish()    the end of W_AT_ONCE vectors of a state: each then has bytes of its units from w_place() on
 *     chacha_few()       key stream of the first FEW_UNITS lanes, where there is nothing to hash
 *     hash_blocks()      blocks to a hash */
#ifndef SEALANE_ENGINE_CHAPOLY_UNITS_H
#define SEALANE_ENGINE_CHAPOLY_UNITS_H

#include "engine/aead_jobs.h"
#include "engine/chapoly_hash.h"
#include "engine/kernel.h"
#include "engine/portable/text.h"
#include "engine/portable/unroll.h"
#include "engine/stream.h"
#include "engine/stream_through.h"

enum {
  UNITS = STATES * LANES, /* in a pass */
  BLOCKS =
      5 *
      UNITS, /* of ciphertext and what is hashed with it: the lengths behind a last unit, or AAD and lengths alone */
  HASHES = UNITS + 1, /* records in a pass, and the end of the list */
};

/* One unit of the list. */
struct chapoly_unit {
  struct sl_aead_job *job;
  size_t number;
};

/* What a call has under way. Secret: wiped in the end. */
struct chapoly_run {
  w start[STATES][16];
  w x[ROUNDS_IN_MEMORY ? STATES : 1][16];
  uint8_t stream[UNITS][UNIT_LEN];  /* key stream */
  uint8_t block[BLOCKS][16];        /* ciphertext, to be hashed; a unit is written whole */
  struct chapoly_hash hash[HASHES]; /* in the order of the blocks; the last one has none */
  size_t n_blocks, n_hashes;
  struct sl_aead_job *const *jobs; /* what is left of the list, from unit `next` of the first on */
  size_t n_jobs, next;
  struct chapoly_unit unit[UNITS];
  size_t n_units;
  const uint8_t *in; /* where all units of the pass follow each other inside a text: the first one's, else NULL */
  uint8_t *out;
  struct sl_stream *piece; /* whose text the only job is a piece of, or NULL */
  uint32_t counter;        /* of unit 1: 1, but in pieces */
  bool seal;
};

/* ---- a pass -------------------------------------------------------------------------------------------------- */

static inline size_t n_units_of(const struct sl_aead_job *job) {
  return 1 + (sl_text_len(job) + UNIT_LEN - 1) / UNIT_LEN;
}

/* The next n units of the list. */
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

/* The lanes of state s. Those that are over repeat the first unit. */
INLINE void run_lanes(const struct chapoly_run *run, unsigned s, struct chacha_lanes *lane) {
  for (unsigned i = 0; i < LANES; i++) {
    struct chapoly_unit unit = run->unit[LANES * s + i < run->n_units ? LANES * s + i : 0];
    lane->key[i] = sl_chapoly_secret(unit.job->key);
    lane->nonce[i] = unit.job->nonce;
    lane->counter[i] = unit.number == 0 ? 0 : (uint32_t)(unit.number - 1) + run->counter;
  }
}

/* The states before their rounds. */
SHARED void run_begin_states(struct chapoly_run *run) {
  for (unsigned s = 0; s < STATES; s++) {
    struct chacha_lanes lane;
    run_lanes(run, s, &lane);
    chacha_begin(run->start[s], &lane);
  }
}
_Static_assert(offsetof(struct sl_aead_job, nonce) + 16 <= sizeof(struct sl_aead_job), "a nonce is read as one block");

/* W_BYTES of text under key stream x; and its ciphertext, what goes out or what comes in, to where it waits for Poly1305. */
INLINE void run_xor(uint8_t *out, const uint8_t *in, uint8_t *block, w x, w seal) {
  w data = w_load(in);
  w_store(block, w_xor(data, w_and(x, seal)));
  w_store(out, w_xor(data, x));
}

/* Key stream of n_states states to where it is wanted, and Poly1305 of all blocks that wait. */
INLINE void run_rounds(struct chapoly_run *run, unsigned n_states) {
  w registers[STATES][16], (*x)[16] = ROUNDS_IN_MEMORY ? run->x : registers;
  chacha_rounds(x, run->start, n_states, run->hash, run->n_blocks);
  const uint8_t *in = run->in;
  uint8_t *out = run->out, *block = run->block[0];
  w seal = w_set(run->seal ? UINT32_MAX : 0);
  SL_UNROLL for (unsigned s = 0; s < n_states; s++) {
    SL_UNROLL for (unsigned i = 0; i < 16; i += W_AT_ONCE) {
      w y[W_AT_ONCE];
      chacha_finish(y, x[s], run->start[s], i);
      SL_UNROLL for (unsigned j = 0; j < W_AT_ONCE; j++) {
        size_t off = UNIT_LEN * LANES * s + w_place(i + j);
        if (in == NULL) {
          w_store(run->stream[0] + off, y[j]);
        } else {
          run_xor(out + off, in + off, block + off, y[j], seal);
        }
      }
    }
  }
}

SHARED void run_all_states(struct chapoly_run *run) {
  run_rounds(run, STATES);
}
SHARED void run_one_state(struct chapoly_run *run) {
  run_rounds(run, 1);
}

/* The tags of records whose hash is complete. A record that goes on takes its hash along. */
SHARED void run_tags(struct chapoly_run *run) {
  struct chapoly_hash *last = &run->hash[run->n_hashes];
  bool goes_on = run->n_hashes > 0 && last[-1].job == NULL;
  for (struct chapoly_hash *hash = run->hash; hash < last; hash++) {
    struct sl_aead_job *job = hash->job;
    uint8_t tag[SL_AEAD_TAG_LEN];
    if (job == NULL) continue;
    poly64_final(&hash->poly, hash->s, run->seal ? job->tag : tag);
    if (run->seal) continue;
    if (!sl_aead_job_verdict(job, sl_differ(tag, job->tag, sizeof tag))) sl_aead_job_failed(job, tag);
  }
  if (goes_on) run->hash[0] = last[-1];
  run->hash[0].n_blocks = 0;
  run->hash[0].block = run->block[0];
  run->n_hashes = goes_on;
  run->n_blocks = 0;
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

/* The block that is hashed next is written to what this returns. */
INLINE uint8_t *run_block(struct chapoly_run *run) {
  run->hash[run->n_hashes - 1].n_blocks++;
  return run->block[run->n_blocks++];
}

/* A record's last block; its tag comes next. A text in pieces goes on. */
INLINE void run_lengths(struct chapoly_run *run, struct sl_aead_job *job) {
  if (run->piece != NULL) return;
  block_store_all(run_block(run), block_of(job->aad_len, sl_text_len(job)));
  run->hash[run->n_hashes - 1].job = job;
}

/* Unit 0: a new hash, and the AAD. More of it than a block is rare and hashed at once. */
SHARED void run_begin_record(struct chapoly_run *run, struct sl_aead_job *job, const uint8_t *stream) {
  struct chapoly_hash *hash = &run->hash[run->n_hashes++];
  const uint8_t *aad = job->aad;
  size_t left = job->aad_len;
  poly64_init(&hash->poly, stream);
  hash->s[0] = sl_load64_le(stream + 16);
  hash->s[1] = sl_load64_le(stream + 24);
  hash->n_blocks = 0;
  hash->block = run->block[run->n_blocks];
  hash->job = NULL;
  if (left > 16) {
    size_t n = (left - 1) / 16;
    hash_blocks(&hash->poly, aad, n);
    aad += 16 * n;
    left -= 16 * n;
  }
  if (left > 0) block_store_all(run_block(run), block_load(aad, left));
  if (sl_text_len(job) == 0) run_lengths(run, job);
}

/* A unit inside the text. */
INLINE void run_text(struct chapoly_run *run, uint8_t *out, const uint8_t *in, const uint8_t *stream, w seal) {
  SL_UNROLL for (size_t i = 0; i < UNIT_LEN; i += W_BYTES) {
    run_xor(out + i, in + i, run->block[run->n_blocks] + i, w_load(stream + i), seal);
  }
  run->hash[run->n_hashes - 1].n_blocks += UNIT_LEN / 16;
  run->n_blocks += UNIT_LEN / 16;
}

/* The unit in which the text ends. A text in pieces keeps what is over of the unit and of a block. */
SHARED void run_text_end(struct chapoly_run *run, struct sl_aead_job *job, size_t off, const uint8_t *stream) {
  struct sl_stream *piece = run->piece;
  struct {
    uint8_t in[UNIT_LEN], out[UNIT_LEN];
  } text;
  size_t n = sl_text_len(job) - off, n_body = job->len - off;
  __asm__("" : "+r"(n), "+r"(n_body)); /* compilers that know how few they are copy them in 200 instructions */
  memset(text.in, 0, sizeof text.in);
  if (n_body > 0) memcpy(text.in, job->in + off, n_body);
  if (n_body < n) text.in[n_body] = run->seal ? job->tail : job->in[off + n_body];
  SL_UNROLL for (size_t i = 0; i < UNIT_LEN; i += W_BYTES) {
    w_store(text.out + i, w_xor(w_load(text.in + i), w_load(stream + i)));
  }
  if (n_body < n && !run->seal) job->tail = text.out[n_body];
  if (run->seal) n_body = n;
  if (n_body > 0) memcpy(job->out + off, text.out, n_body);
  if (n < UNIT_LEN) memset(text.out + n, 0, UNIT_LEN - n);
  const uint8_t *cipher = run->seal ? text.out : text.in;
  size_t n_blocks = piece != NULL ? n / 16 : (n + 15) / 16;
  memcpy(run->block[run->n_blocks], cipher, UNIT_LEN);
  run->hash[run->n_hashes - 1].n_blocks += n_blocks;
  run->n_blocks += n_blocks;
  if (piece != NULL) {
    memcpy(piece->block, cipher + (n & ~(size_t)15), sizeof piece->block);
    memcpy(piece->unit, stream, sizeof piece->unit);
    piece->n_block = n % 16;
    piece->n_unit = (uint8_t)(UNIT_LEN - n);
  }
  sl_wipe(&text, sizeof text);
}

/* Behind the last hash of a pass. */
INLINE void run_end_hashes(struct chapoly_run *run) {
  run->hash[run->n_hashes].n_blocks = 0;
  run->hash[run->n_hashes].block = run->block[0];
}

INLINE void run_units(struct chapoly_run *run) {
  w seal = w_set(run->seal ? UINT32_MAX : 0);
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
      run_text_end(run, job, off, run->stream[i]);
    }
    if (off + UNIT_LEN >= sl_text_len(job)) run_lengths(run, job);
  }
  run_end_hashes(run);
}

/* ---- jobs ---------------------------------------------------------------------------------------------------- */

/* Whether the next units are inside a text. */
INLINE bool run_is_inside(const struct chapoly_run *run) {
  return run->next > 0 && UNIT_LEN * (run->next - 1 + UNITS) <= run->jobs[0]->len;
}

/* A pass inside a text, whose hash is the only one then. `is_next`: the pass before was inside it, too. */
INLINE void run_pass_inside(struct chapoly_run *run, bool is_next) {
  struct chapoly_unit first = run_next(run, UNITS);
  size_t off = UNIT_LEN * (first.number - 1);
  run->in = first.job->in + off;
  run->out = first.job->out + off;
  if (is_next) {
    SL_UNROLL for (unsigned s = 0; s < STATES; s++) run->start[s][12] = w_add(run->start[s][12], w_set(UNITS));
  } else {
    run->n_units = UNITS;
    for (size_t i = 0; i < UNITS; i++) run->unit[i] = (struct chapoly_unit){first.job, first.number + i};
    run_begin_states(run);
  }
  run_all_states(run);
  run_tags(run);
  run->n_blocks = run->hash[0].n_blocks = UNITS * UNIT_LEN / 16;
  if (off + UNITS * UNIT_LEN == sl_text_len(first.job)) run_lengths(run, first.job);
  run_end_hashes(run);
}

/* A pass of whatever comes next. */
INLINE void run_pass(struct chapoly_run *run) {
  run->in = NULL;
  for (run->n_units = 0; run->n_units < UNITS && run->n_jobs > 0;) run->unit[run->n_units++] = run_next(run, 1);
  if (run->n_units <= FEW_UNITS && run->n_blocks == 0) {
    struct chacha_lanes lane;
    run_lanes(run, 0, &lane);
    chacha_few(run->stream, &lane);
  } else {
    run_begin_states(run);
    if (STATES == 1 || run->n_units > LANES) {
      run_all_states(run);
    } else {
      run_one_state(run);
    }
  }
  run_tags(run);
  run_units(run);
}

/* All units of the list, and all hashes. */
SHARED void run_all(struct chapoly_run *run) {
  bool is_next = false;
  while (run->n_jobs > 0) {
    if (run_is_inside(run)) {
      run_pass_inside(run, is_next);
      is_next = run->next > 0;
    } else {
      run_pass(run);
      is_next = false;
    }
  }
  for (struct chapoly_hash *hash = run->hash; hash->n_blocks > 0; hash++) {
    hash_blocks(&hash->poly, hash->block, hash->n_blocks);
  }
  run_tags(run);
}

/* The list, from unit `next` of the first job on; the hash of that, if it has one, is in its place. */
INLINE void run_begin(struct chapoly_run *run, struct sl_aead_job *const *jobs, size_t n, size_t next, bool seal) {
  run->jobs = jobs;
  run->n_jobs = n;
  run->next = next;
  run->counter = 1;
  run->piece = NULL;
  run->seal = seal;
  run->n_blocks = run->hash[0].n_blocks = 0;
  run->hash[0].block = run->block[0];
  run->n_hashes = next > 0;
  run->hash[1].n_blocks = 0;
  run->hash[1].block = run->block[0];
}

/* sl_wipe(), in steps that start at once: of a memset compilers make `rep stos`, which does not. */
SHARED void run_wipe(struct chapoly_run *run) {
  for (uint8_t *p = (uint8_t *)run, *end = p + sizeof *run; p < end; p += sizeof(w)) w_store(p, w_set(0));
  sl_wipe(run, 0);
}

static void chapoly_expand(struct sl_aead_key *key, const uint8_t *secret) {
  memcpy(sl_chapoly_secret(key), secret, 32);
}
SHARED void chapoly_jobs(struct sl_aead_job *const *jobs, size_t n, bool seal) {
  struct chapoly_run run;
  run_begin(&run, jobs, n, 0, seal);
  run_all(&run);
  run_wipe(&run);
}
static void chapoly_seal(struct sl_aead_job *const *jobs, size_t n) {
  chapoly_jobs(jobs, n, true);
}
static void chapoly_open(struct sl_aead_job *const *jobs, size_t n) {
  chapoly_jobs(jobs, n, false);
}

/* ---- texts in pieces ----------------------------------------------------------------------------------------- */

/* Nothing is computed when a text starts: has_hash says whether the Poly1305 key is there yet. The counter cannot: behind
 * the longest text it is 0 again. */
static void chapoly_stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  (void)s, (void)key;
}

/* The hash between two pieces. */
struct chapoly_kept {
  struct poly64 poly;
  uint64_t s[2];
};
_Static_assert(sizeof(struct chapoly_kept) <= sizeof((struct sl_stream *)0)->hash, "the hash must fit its place");

/* A job that may begin at its unit 1, and has no end. aad_len bytes of s->block come before the text. */
static void chapoly_stream_run(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                               size_t len, size_t aad_len, bool is_open) {
  struct sl_aead_job piece = {.key = key, .aad = s->block, .aad_len = aad_len, .in = in, .out = out, .len = len};
  struct sl_aead_job *jobs[1] = {&piece};
  struct chapoly_run run;
  struct chapoly_kept kept;
  memcpy(piece.nonce, s->nonce, sizeof piece.nonce);
  run_begin(&run, jobs, 1, s->has_hash, !is_open);
  run.piece = s;
  if (s->has_hash) {
    memcpy(&kept, s->hash, sizeof kept);
    run.counter = s->counter;
    run.hash[0].poly = kept.poly;
    memcpy(run.hash[0].s, kept.s, sizeof kept.s);
    run.hash[0].job = NULL;
    if (aad_len > 0) memcpy(run_block(&run), s->block, sizeof s->block);
  }
  run_all(&run);
  kept.poly = run.hash[0].poly;
  memcpy(kept.s, run.hash[0].s, sizeof kept.s);
  memcpy(s->hash, &kept, sizeof kept);
  s->counter = run.counter + (uint32_t)((len + UNIT_LEN - 1) / UNIT_LEN);
  s->has_hash = true;
  sl_wipe(&kept, sizeof kept);
  run_wipe(&run);
}

static void chapoly_stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                                 size_t len, bool is_open) {
  size_t aad_len = s->n_block;
  s->n_block = s->n_unit = 0;
  chapoly_stream_run(s, key, out, in, len, aad_len, is_open);
}

static void chapoly_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  struct chapoly_kept kept;
  if (!s->has_hash) chapoly_stream_run(s, key, NULL, NULL, 0, 0, false);
  memcpy(&kept, s->hash, sizeof kept);
  hash_blocks(&kept.poly, blocks, n);
  memcpy(s->hash, &kept, sizeof kept);
  sl_wipe(&kept, sizeof kept);
}

static void chapoly_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  struct chapoly_kept kept;
  uint8_t lengths[16];
  if (s->n_block > 0) chapoly_stream_absorb(s, key, s->block, 1);
  block_store_all(lengths, block_of(s->aad_len, s->text_len));
  chapoly_stream_absorb(s, key, lengths, 1);
  memcpy(&kept, s->hash, sizeof kept);
  poly64_final(&kept.poly, kept.s, tag);
  sl_wipe(&kept, sizeof kept);
}

#define CHAPOLY_KERNEL_OPS                                                                                             \
  { {SL_CHACHA20_POLY1305, 32, 16 + 32, chapoly_expand, chapoly_seal, chapoly_open}, }
#define CHAPOLY_STREAM_OPS                                                                                             \
  { UNIT_LEN, chapoly_stream_start, chapoly_stream_absorb, chapoly_stream_crypt, chapoly_stream_tag, stream_through }

#endif
