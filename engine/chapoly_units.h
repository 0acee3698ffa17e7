/* chapoly_units.h - AEAD_CHACHA20_POLY1305 (RFC 8439 2.8) with ChaCha20 in vectors and Poly1305 in general registers, for
 * every vector width.
 *
 * All jobs of a call are one list of 64-byte units: of each record unit 0, which makes the Poly1305 key, then those of its text.
 * A pass takes the next ones of the list, whatever records they belong to, so that lanes fill however short records are. Its
 * ciphertext is put together, block behind block, and hashed between the rounds of the pass after it. Inside a long text a pass
 * has units that follow each other; its key stream then goes to the text without a way through memory.
 *
 *     vectors             rounds of pass k                         | text of pass k
 *     general registers   Poly1305 of the ciphertext of pass k - 1 | tags of records that ended in pass k - 1
 *
 * An architecture compiles this once, in its chapoly_units.c, which has blocks of 16 bytes (block.h) and hash_blocks(). What vectors do is
 * a width's table, struct chapoly_units_width. */
#ifndef SEALANE_ENGINE_CHAPOLY_UNITS_H
#define SEALANE_ENGINE_CHAPOLY_UNITS_H

#include "engine/aead_jobs.h"
#include "engine/chapoly_run.h"
#include "engine/portable/text.h"
#include "engine/portable/unroll.h"

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

/* A unit inside the text, whose ciphertext is what goes out or what comes in. */
INLINE void run_text(struct chapoly_run *run, uint8_t *out, const uint8_t *in, const uint8_t *stream, v seal) {
  uint8_t(*block)[16] = run->block + run->n_blocks;
  SL_UNROLL for (size_t i = 0; i < UNIT_LEN; i += 16) {
    v data = block_load_all(in + i), x = block_load_all(stream + i);
    block_store_all(block[i / 16], block_xor(data, block_and(x, seal)));
    block_store_all(out + i, block_xor(data, x));
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
  SL_UNROLL for (size_t i = 0; i < UNIT_LEN; i += 16) {
    block_store_all(text.out + i, block_xor(block_load_all(text.in + i), block_load_all(stream + i)));
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
  v seal = block_of(run->seal ? UINT64_MAX : 0, run->seal ? UINT64_MAX : 0);
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

/* Whether the next pass is inside a text. */
INLINE bool run_is_inside(const struct chapoly_units_width *width, const struct chapoly_run *run) {
  return run->next > 0 && UNIT_LEN * (run->next - 1 + width->n_units) <= run->jobs[0]->len;
}

/* A pass inside a text, whose hash is the only one then. `is_next`: the pass before was inside it, too. */
INLINE void run_pass_inside(const struct chapoly_units_width *width, struct chapoly_run *run, bool is_next) {
  struct chapoly_unit first = run_next(run, width->n_units);
  size_t off = UNIT_LEN * (first.number - 1), len = UNIT_LEN * width->n_units;
  run->in = first.job->in + off;
  run->out = first.job->out + off;
  if (is_next) {
    width->next(run);
  } else {
    run->n_units = width->n_units;
    for (size_t i = 0; i < run->n_units; i++) run->unit[i] = (struct chapoly_unit){first.job, first.number + i};
    width->begin(run);
  }
  width->rounds(run);
  run_tags(run);
  run->n_blocks = run->hash[0].n_blocks = len / 16;
  if (off + len == sl_text_len(first.job)) run_lengths(run, first.job);
  run_end_hashes(run);
}

/* A pass of whatever comes next. */
INLINE void run_pass(const struct chapoly_units_width *width, struct chapoly_run *run) {
  run->in = NULL;
  for (run->n_units = 0; run->n_units < width->n_units && run->n_jobs > 0;) {
    run->unit[run->n_units++] = run_next(run, 1);
  }
  if (run->n_units <= width->few_units && run->n_blocks == 0) {
    width->few(run);
  } else {
    width->begin(run);
    width->rounds(run);
  }
  run_tags(run);
  run_units(run);
}

/* All units of the list, and all hashes. */
SHARED void run_all(const struct chapoly_units_width *width, struct chapoly_run *run) {
  bool is_next = false;
  while (run->n_jobs > 0) {
    if (run_is_inside(width, run)) {
      run_pass_inside(width, run, is_next);
      is_next = run->next > 0;
    } else {
      run_pass(width, run);
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

void sl_units_expand(struct sl_aead_key *key, const uint8_t *secret) {
  memcpy(sl_chapoly_secret(key), secret, 32);
}

void sl_units_jobs(const struct chapoly_units_width *width, struct sl_aead_job *const *jobs, size_t n, bool seal) {
  struct chapoly_run run;
  run_begin(&run, jobs, n, 0, seal);
  run_all(width, &run);
  width->wipe(&run);
}

/* ---- texts in pieces ----------------------------------------------------------------------------------------- */

/* Nothing is computed when a text starts: has_hash says whether the Poly1305 key is there yet. The counter cannot: behind
 * the longest text it is 0 again. */
void sl_units_start(struct sl_stream *s, const struct sl_aead_key *key) {
  (void)s, (void)key;
}

/* The hash between two pieces. */
struct chapoly_kept {
  struct poly64 poly;
  uint64_t s[2];
};
_Static_assert(sizeof(struct chapoly_kept) <= sizeof((struct sl_stream *)0)->hash, "the hash must fit its place");

/* A job that may begin at its unit 1, and has no end. aad_len bytes of s->block come before the text. */
static void stream_run(const struct chapoly_units_width *width, struct sl_stream *s, const struct sl_aead_key *key,
                       uint8_t *out, const uint8_t *in, size_t len, size_t aad_len, bool is_open) {
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
  run_all(width, &run);
  kept.poly = run.hash[0].poly;
  memcpy(kept.s, run.hash[0].s, sizeof kept.s);
  memcpy(s->hash, &kept, sizeof kept);
  s->counter = run.counter + (uint32_t)((len + UNIT_LEN - 1) / UNIT_LEN);
  s->has_hash = true;
  sl_wipe(&kept, sizeof kept);
  width->wipe(&run);
}

void sl_units_crypt(const struct chapoly_units_width *width, struct sl_stream *s, const struct sl_aead_key *key,
                    uint8_t *out, const uint8_t *in, size_t len, bool is_open) {
  size_t aad_len = s->n_block;
  s->n_block = s->n_unit = 0;
  stream_run(width, s, key, out, in, len, aad_len, is_open);
}

void sl_units_absorb(const struct chapoly_units_width *width, struct sl_stream *s, const struct sl_aead_key *key,
                     const uint8_t *blocks, size_t n) {
  struct chapoly_kept kept;
  if (!s->has_hash) stream_run(width, s, key, NULL, NULL, 0, 0, false);
  memcpy(&kept, s->hash, sizeof kept);
  hash_blocks(&kept.poly, blocks, n);
  memcpy(s->hash, &kept, sizeof kept);
  sl_wipe(&kept, sizeof kept);
}

void sl_units_tag(const struct chapoly_units_width *width, struct sl_stream *s, const struct sl_aead_key *key,
                  uint8_t *tag) {
  struct chapoly_kept kept;
  uint8_t lengths[16];
  if (s->n_block > 0) sl_units_absorb(width, s, key, s->block, 1);
  block_store_all(lengths, block_of(s->aad_len, s->text_len));
  sl_units_absorb(width, s, key, lengths, 1);
  memcpy(&kept, s->hash, sizeof kept);
  poly64_final(&kept.poly, kept.s, tag);
  sl_wipe(&kept, sizeof kept);
}

#endif
