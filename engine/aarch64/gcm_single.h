/* gcm_single.h - records of any length through gcm_template.h, and pieces of streams, by groups of positions. A position's place
 * in its group is its counter modulo GROUP. AES of each group has the GHASH of the group before between its rounds, and that of
 * a record's first group has what is left of the record before: the one is short of the ports that the other leaves idle.
 *
 *     AES     a0   a1   a2 .... an   b0   b1 ....
 *     GHASH   -    a0   a1 ....      an   b0 ....      b's first group and a's tag */
#ifndef SEALANE_ENGINE_AARCH64_GCM_SINGLE_H
#define SEALANE_ENGINE_AARCH64_GCM_SINGLE_H

#include "engine/aarch64/gcm_template.h"

enum { ROWS = GROUP + 2 }; /* of blocks that GHASH takes at once: the lengths, too, and an even number */
_Static_assert(ROWS <= 2 * N_PAIRS, "each row has its power");

/* What a call of the kernel has under way. Secret: the caller's to wipe.
 *
 * GHASH takes next, as they come, the rows from `from` to ROWS, where ROWS means that nothing waits; a row of zeros stands before
 * an odd one. Until a text is done, the same rows hold what AES has made for it. */
struct gcm_run {
  uint8_t rows[ROWS + 1][16]; /* the last one is nobody's: AES may make one more than it should */
  size_t from;
  const uint8_t *key;      /* whose powers the rows take */
  struct sl_aead_job *job; /* whose tag that makes, or NULL */
  uint8_t mask[16];        /* E(J0) of that job */
  uint8_t next_mask[16];   /* of the one under way */
  uint8_t aad[16];         /* what GHASH takes at its position 1 */
  uint8_t acc[16];         /* GHASH so far, where functions are called that save no vectors */
};

/* A text under way. */
struct gcm_text {
  struct sl_aead_job *job; /* its text, and its end */
  const uint8_t *key;      /* gcm_key_mem() */
  unsigned rounds;
  v nonce;
  uint32_t counter; /* of the present group's first position */
  size_t off;       /* bytes of the text done */
};

INLINE void gcm_run_begin(struct gcm_run *run, const uint8_t *key) {
  run->from = ROWS;
  run->key = key;
  run->job = NULL;
}

/* Rows from `from` on wait. */
INLINE void gcm_run_wait(struct gcm_run *run, size_t from) {
  if (from % 2 == 1) block_store_all(run->rows[from - 1], v_zero());
  run->from = from;
}

/* What waited is hashed: its tag, if it was a record. Then the mask is that of the record under way. */
INLINE void gcm_run_turn(struct gcm_run *run, v ghash, bool seal) {
  if (run->job != NULL) gcm_put_tag(run->job, ghash, block_load_all(run->mask), seal);
  run->job = NULL;
  block_store_all(run->mask, block_load_all(run->next_mask));
}

/* a = a + b, where b is in memory. */
INLINE void gcm_add_to(uint8_t a[16], v b) {
  block_store_all(a, v_xor(block_load_all(a), b));
}

INLINE v gcm_run_hash(const struct gcm_run *run) {
  return gcm_hash(v_zero(), (const uint8_t(*)[16])run->rows + run->from, ROWS - run->from, run->key);
}

/* AES but for the last key of n positions of a group, and GHASH of what waits, which it returns. */
INLINE v gcm_step(const struct gcm_text *t, const struct gcm_run *run, v x[], size_t from, unsigned n) {
  const uint8_t *k = t->key, *last = k + 16 * (t->rounds - 1), *end = run->key;
  const uint8_t *pair = end - PAIR_LEN * ((ROWS + 1 - run->from) / 2), *row = run->rows[run->from & ~(size_t)1];
  struct gcm_sum s = gcm_no_sum();
  v first = gcm_counter(t->nonce, t->counter);
  gcm_counters(x, n, first, from);
  gcm_round(block_load_all(k), x, n);
  for (k += 16; k < last; k += 2 * 16) { /* 8 or 12 */
    gcm_round(block_load_all(k), x, n);
    if (pair < end) {
      s = gcm_add_two(s, v_turn(block_load_all(row)), v_turn(block_load_all(row + 16)), pair, false);
      row += 2 * 16;
      pair += PAIR_LEN;
    }
    gcm_round(block_load_all(k + 16), x, n);
    gcm_settle(x, n);
  }
  if (pair < end) s = gcm_add_two(s, v_turn(block_load_all(row)), v_turn(block_load_all(row + 16)), pair, false);
  gcm_round_last(block_load_all(last), x, n);
  return gcm_reduced(s);
}

INLINE v gcm_step_to(const struct gcm_text *t, const struct gcm_run *run, uint8_t (*rows)[16], size_t from,
                     unsigned n) {
  v x[GROUP];
  v acc = gcm_step(t, run, x, from, n);
  SL_UNROLL for (unsigned j = 0; j < n; j++) block_store_all(rows[j], x[j]);
  return acc;
}

/* The same of n positions or one more, to rows. */
PART v gcm_key_stream(const struct gcm_text *t, const struct gcm_run *run, uint8_t (*rows)[16], size_t from, size_t n) {
  if (n <= 2) return gcm_step_to(t, run, rows, from, 2);
  if (n <= 4) return gcm_step_to(t, run, rows, from, 4);
  if (n <= 6) return gcm_step_to(t, run, rows, from, 6);
  return gcm_step_to(t, run, rows, from, 8);
}

/* The next n blocks of text, for which key stream is in rows. */
PART void gcm_text_blocks(struct gcm_text *t, uint8_t (*rows)[16], size_t n, bool seal) {
  struct sl_aead_job *job = t->job;
  const uint8_t *last_key = t->key + 16 * t->rounds;
  size_t n_whole = (job->len - t->off) / 16 < n ? (job->len - t->off) / 16 : n;
  v k = block_load_all(last_key);
  for (size_t j = 0; j < n_whole; j++, t->off += 16) {
    block_store_all(rows[j], gcm_block(job->out + t->off, job->in + t->off, block_load_all(rows[j]), k, seal));
  }
  if (n_whole == n) return;
  block_store_all(rows[n_whole], gcm_block_end(job, rows[n_whole], last_key, t->off, seal));
  t->off += 16;
}

/* ---- full groups --------------------------------------------------------------------------------------------- */

/* The products of positions j and j + 1 of the group before with H^(8-j) and H^(7-j). */
INLINE struct gcm_sum gcm_long_pair(struct gcm_sum s, const v hash[], unsigned j, v acc, const uint8_t *key) {
  v a = v_turn(hash[j]);
  if (j == 0) a = v_xor(a, acc);
  return gcm_add_two(s, a, v_turn(hash[j + 1]), key - PAIR_LEN * ((GROUP - j) / 2), j == 2);
}

/* A full group at `in`, and GHASH of the one before, whose first position comes last: it waits for acc. */
INLINE v gcm_long_group(const uint8_t *key, unsigned rounds, v first, v acc, uint8_t *out, const uint8_t *in, v hash[],
                        bool seal) {
  v x[GROUP];
  struct gcm_sum s = gcm_no_sum();
  __asm__("" : "+r"(key)); /* keeps the compiler from loading round keys once and spilling them round the loop */
  gcm_counters(x, GROUP, first, 0);
  SL_UNROLL for (unsigned r = 0; r < 9; r++) {
    gcm_round(block_load_all(key + 16 * r), x, GROUP);
    if (r % 2 == 0 && r < 8) s = gcm_long_pair(s, hash, (r + 2) % GROUP, acc, key);
  }
  if (rounds > 10) {
    SL_UNROLL for (unsigned r = 9; r < 13; r++) gcm_round(block_load_all(key + 16 * r), x, GROUP);
  }
  acc = gcm_reduced(s);
  gcm_round_last(block_load_all(key + 16 * (rounds - 1)), x, GROUP);
  v last_key = block_load_all(key + 16 * rounds);
  SL_UNROLL for (unsigned j = 0; j < GROUP; j++) {
    hash[j] = gcm_block(out + 16 * j, in + 16 * j, x[j], last_key, seal);
  }
  return acc;
}

/* Full groups; a group's rows wait when it comes and when it goes, those that are not its own with zeros. */
INLINE void gcm_long_groups(struct gcm_text *t, struct gcm_run *run, unsigned rounds, size_t n_groups, bool seal) {
  uint8_t(*group)[16] = run->rows + ROWS - GROUP;
  v hash[GROUP], nonce = t->nonce, acc = v_zero();
  const uint8_t *in = t->job->in + t->off, *key = t->key;
  uint8_t *out = t->job->out + t->off;
  uint32_t counter = t->counter;
  SL_UNROLL for (unsigned j = 0; j < GROUP; j++) hash[j] = block_load_all(group[j]);
  for (size_t i = 0; i < n_groups; i++, in += 16 * GROUP, out += 16 * GROUP, counter += GROUP) {
    acc = gcm_long_group(key, rounds, gcm_counter(nonce, counter), acc, out, in, hash, seal);
  }
  SL_UNROLL for (unsigned j = 0; j < GROUP; j++) block_store_all(group[j], hash[j]);
  gcm_run_wait(run, ROWS - GROUP);
  gcm_add_to(group[0], v_turn(acc));
  t->off += 16 * GROUP * n_groups;
  t->counter = counter;
}

PART void gcm_long_128(struct gcm_text *t, struct gcm_run *run, size_t n_groups, bool seal) {
  if (seal) {
    gcm_long_groups(t, run, 10, n_groups, true);
  } else {
    gcm_long_groups(t, run, 10, n_groups, false);
  }
}
PART void gcm_long_256(struct gcm_text *t, struct gcm_run *run, size_t n_groups, bool seal) {
  if (seal) {
    gcm_long_groups(t, run, 14, n_groups, true);
  } else {
    gcm_long_groups(t, run, 14, n_groups, false);
  }
}

/* ---- records ------------------------------------------------------------------------------------------------- */

/* n_blocks of a text that has had its first group, which waits; then its last blocks wait, with n_behind rows behind them. */
INLINE void gcm_text_on(struct gcm_text *t, struct gcm_run *run, size_t n_blocks, size_t n_behind, bool seal) {
  if (n_blocks > GROUP) {
    size_t n_groups = (n_blocks - 1) / GROUP;
    (t->rounds == 10 ? gcm_long_128 : gcm_long_256)(t, run, n_groups, seal);
    n_blocks -= GROUP * n_groups;
  }
  size_t from = ROWS - n_behind - n_blocks;
  block_store_all(run->acc, v_turn(gcm_key_stream(t, run, run->rows + from, 0, n_blocks)));
  gcm_text_blocks(t, run->rows + from, n_blocks, seal);
  gcm_run_wait(run, from);
  gcm_add_to(run->rows[from], block_load_all(run->acc));
}

/* The first group of a record that has more: mask, AAD and FIRST_BLOCKS whole blocks; and what waits. */
enum { FIRST_BLOCKS = GROUP - 2, FIRST_ROW = ROWS - FIRST_BLOCKS - 1 };

INLINE void gcm_first_group(struct gcm_text *t, struct gcm_run *run, bool seal) {
  struct sl_aead_job *job = t->job;
  v x[1 + FIRST_BLOCKS], ghash = gcm_step(t, run, x, 1, 1 + FIRST_BLOCKS);
  v last_key = block_load_all(t->key + 16 * t->rounds);
  block_store_all(run->next_mask, v_xor(x[0], last_key));
  block_store_all(run->rows[FIRST_ROW], block_load_all(run->aad));
  SL_UNROLL for (unsigned j = 0; j < FIRST_BLOCKS; j++) {
    v text = gcm_block(job->out + 16 * j, job->in + 16 * j, x[1 + j], last_key, seal);
    block_store_all(run->rows[FIRST_ROW + 1 + j], text);
  }
  gcm_run_wait(run, FIRST_ROW);
  gcm_run_turn(run, ghash, seal);
  t->off = 16 * FIRST_BLOCKS;
  t->counter = GROUP;
}
PART void gcm_first_seal(struct gcm_text *t, struct gcm_run *run) {
  gcm_first_group(t, run, true);
}
PART void gcm_first_open(struct gcm_text *t, struct gcm_run *run) {
  gcm_first_group(t, run, false);
}

/* A record that has no more than its first group. */
PART void gcm_only_group(struct gcm_text *t, struct gcm_run *run, size_t n_blocks, bool seal) {
  size_t from = ROWS - n_blocks - 2;
  v ghash = gcm_key_stream(t, run, run->rows + from, 1, 1 + n_blocks);
  block_store_all(run->next_mask, v_xor(block_load_all(run->rows[from]), block_load_all(t->key + 16 * t->rounds)));
  gcm_run_turn(run, ghash, seal);
  block_store_all(run->rows[from], block_load_all(run->aad));
  gcm_text_blocks(t, run->rows + from + 1, n_blocks, seal);
  gcm_run_wait(run, from);
}

/* What GHASH takes at position 1: the AAD's last block, and before it all others: AAD of more than one block is rare. */
INLINE void gcm_run_aad(struct gcm_run *run, const struct sl_aead_job *job, const uint8_t *key) {
  const uint8_t *at = job->aad;
  size_t left = job->aad_len;
  v acc = v_zero();
  for (; left > 16; left -= 16, at += 16) acc = gcm_hash(acc, (const uint8_t(*)[16])at, 1, key);
  block_store_all(run->aad, v_xor(block_load(at, left), v_turn(acc)));
}

/* One job, but for what then waits. */
PART void gcm_single_job(struct sl_aead_job *job, unsigned rounds, struct gcm_run *run, bool seal) {
  size_t n_blocks = gcm_n_blocks(gcm_text_len(job));
  struct gcm_text t = {.job = job, .key = gcm_key_mem(job->key, rounds), .rounds = rounds, .nonce = gcm_nonce(job)};
  gcm_run_aad(run, job, t.key);
  if (n_blocks <= FIRST_BLOCKS) {
    gcm_only_group(&t, run, n_blocks, seal);
    run->key = t.key;
  } else {
    (seal ? gcm_first_seal : gcm_first_open)(&t, run);
    run->key = t.key;
    gcm_text_on(&t, run, n_blocks - FIRST_BLOCKS, 1, seal);
  }
  block_store_all(run->rows[ROWS - 1], v_turn(gcm_lengths(job->aad_len, gcm_text_len(job))));
  run->job = job;
}

/* The tag of the last one. */
INLINE void gcm_run_end(struct gcm_run *run, bool seal) {
  if (run->job != NULL) gcm_put_tag(run->job, gcm_run_hash(run), block_load_all(run->mask), seal);
}

#endif
