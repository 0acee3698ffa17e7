/* chapoly_common.c - ChaCha20-Poly1305 (RFC 8439 2.8) in wide vectors, the part that needs none: chapoly_common.h. */
#include "engine/x86_64/chapoly_common.h"

#include "engine/x86_64/block.h"

enum {
  /* Where records go, by measurement: docs/kernels.md. */
  SOLO_VECTORS_LEN = 256, /* bytes: shorter records alone have their Poly1305 in general registers */
  SOLO_LONG_STEPS = 8,    /* longer ones merge products */
  SOLO_BLOCKS = 48,       /* of text: records of more are alone, but for full groups with the same number of blocks */
  GROUP_PIECE_LEN = 256,  /* bytes: what Poly1305 takes at a time of a group */
  JOBS_AT_ONCE = 128,     /* jobs that are sorted at a time */
};

const uint8_t sl_chapoly_zeros[64];

void sl_chapoly_expand(struct sl_aead_key *key, const uint8_t *secret) {
  memcpy(sl_chapoly_secret(key), secret, 32);
}

/* ---- Poly1305 in general registers, tags ----------------------------------------------------------------------------- */

static void chapoly_absorb(struct sl_poly1305 *poly, const uint8_t *p, size_t len) {
  uint8_t end[16];
  for (size_t off = 0; off < len; off += 16) {
    const uint8_t *block = p + off;
    if (len - off < 16) {
      block_store_all(end, block_load(block, len - off));
      block = end;
    }
    sl_poly1305_block(poly, block, 1);
  }
}

static void chapoly_final(struct sl_poly1305 *poly, uint8_t tag[16], uint64_t aad_len, uint64_t text_len) {
  uint8_t lengths[16]; /* in bytes */
  sl_store64_le(lengths, aad_len);
  sl_store64_le(lengths + 8, text_len);
  chapoly_absorb(poly, lengths, sizeof lengths);
  sl_poly1305_final(poly, tag);
}

/* The tag, or the verdict about it. */
static void chapoly_end(struct sl_aead_job *job, uint64_t tag_low, uint64_t tag_high, bool seal) {
  if (seal) {
    sl_store64_le(job->tag, tag_low);
    sl_store64_le(job->tag + 8, tag_high);
    return;
  }
  uint64_t differs = (sl_load64_le(job->tag) ^ tag_low) | (sl_load64_le(job->tag + 8) ^ tag_high);
  if (sl_aead_job_verdict(job, (uint32_t)((differs | (0 - differs)) >> 63))) return;
  uint8_t tag[SL_AEAD_TAG_LEN];
  sl_store64_le(tag, tag_low);
  sl_store64_le(tag + 8, tag_high);
  sl_aead_job_failed(job, tag);
}

static void chapoly_solo_tag(struct sl_aead_job *job, struct sl_poly1305 *poly, size_t text_len, bool seal) {
  uint8_t tag[16];
  chapoly_final(poly, tag, job->aad_len, text_len);
  chapoly_end(job, sl_load64_le(tag), sl_load64_le(tag + 8), seal);
  sl_wipe(tag, sizeof tag);
}

/* ---- from pass to pass --------------------------------------------------------------------------------------------- */

/* Whether all text of n_places places of the pass at `base` is whole blocks. */
static bool chapoly_is_whole(const struct chapoly_records *rec, size_t base, size_t n_places) {
  return base > 0 && 64 * (base - 1) + 64 * (n_places >> rec->log_width) <= rec->len_min;
}

/* Ends of texts in the pass at `base`, whose stream went where lanes give. */
static void chapoly_text_ends(const struct chapoly_width *k, const struct chapoly_records *rec, size_t base,
                              size_t n_places, bool seal) {
  for (size_t i = 0; i < rec->n; i++) {
    struct sl_aead_job *job = rec->job[i];
    size_t last = (job->len + job->tail_len - 1) / 64; /* of an empty text: too far */
    size_t place = ((last + 1 - base) << rec->log_width) + i;
    if (last + 1 < base || place >= n_places || 64 * last + 64 <= job->len) continue;
    k->text_block(job, 64 * last, (const uint8_t *)rec->lanes.out[place], seal);
  }
}

/* The text of the pass at `base`, n_states of them, and the next one: n_next states, or none. The result is NULL or, where both are two
 * and all blocks whole, the ciphertext in pairs. */
static const void *chapoly_turn(const struct chapoly_width *k, struct chapoly_work *w, struct chapoly_records *rec,
                                size_t base, size_t n_states, size_t n_next, bool seal) {
  size_t per_pass = (size_t)1 << (k->log_places - rec->log_width), n_places = n_states << k->log_lanes;
  if (base == 0 && per_pass == 1) n_states = n_places = 0; /* there were keys alone */
  bool is_whole = chapoly_is_whole(rec, base, n_places);
  if (!is_whole || rec->lanes_base != base) k->set_lanes(w, rec, base, n_places);
  const void *pairs = k->next(w, &rec->lanes, n_states, n_next, per_pass, seal);
  rec->lanes_base = is_whole && n_places >> k->log_places > 0 ? base + per_pass : 0;
  bool have_ends = rec->len_min != rec->text_max || rec->len_min % 64 != 0;
  if (!is_whole && have_ends) chapoly_text_ends(k, rec, base, n_places, seal);
  return pairs;
}

/* ---- a group ------------------------------------------------------------------------------------------------------- */

/* All lengths, where they differ. */
static void chapoly_group_lengths(struct chapoly_records *rec) {
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

/* The records of a group, n jobs; and keys and nonces for all places. */
static void chapoly_group_of(struct chapoly_records *rec, struct sl_aead_job *const *jobs, size_t n, size_t width,
                             size_t n_places, bool seal) {
  const struct sl_aead_job *first = jobs[0];
  uint64_t differ = 0;
  rec->job = jobs;
  rec->cipher = seal ? (const uint8_t *const *)rec->out : rec->in;
  rec->n = n;
  rec->width = width;
  rec->log_width = (unsigned)__builtin_ctzl(width);
  rec->lanes_base = 0;
  for (size_t i = 0; i < n; i++) {
    const struct sl_aead_job *job = jobs[i];
    rec->key[i] = sl_chapoly_secret(job->key);
    rec->nonce[i] = job->nonce;
    rec->aad[i] = job->aad;
    rec->in[i] = job->in;
    rec->out[i] = job->out;
    differ |= (job->len ^ first->len) | (job->aad_len ^ first->aad_len) | (uint64_t)(job->tail_len ^ first->tail_len);
  }
  for (size_t i = n; i < width; i++) {
    rec->key[i] = rec->key[0];
    rec->nonce[i] = rec->nonce[0];
    rec->aad[i] = rec->aad[0];
    rec->in[i] = rec->in[0];
    rec->out[i] = rec->out[0];
  }
  for (size_t i = width; i < n_places; i++) {
    rec->key[i] = rec->key[i - width];
    rec->nonce[i] = rec->nonce[i - width];
  }
  rec->is_even = differ == 0;
  rec->len_min = first->len;
  rec->text_min = rec->text_max = first->len + first->tail_len;
  rec->aad_min = rec->aad_max = first->aad_len;
  if (!rec->is_even) chapoly_group_lengths(rec);
}

/* n records, 1 to width, in one group. */
static void chapoly_group(const struct chapoly_width *k, struct chapoly_work *w, struct sl_aead_job *const *jobs,
                          size_t n, size_t width, bool seal) {
  struct chapoly_records rec;
  chapoly_group_of(&rec, jobs, n, width, (size_t)1 << k->log_places, seal);
  size_t common = rec.text_min & ~(size_t)15, pos = 0; /* whole blocks that all have; what has been absorbed of them */
  size_t per_pass = (size_t)1 << (k->log_places - rec.log_width), n_blocks = 1 + (rec.text_max + 63) / 64;
  size_t n_all = (size_t)1 << (k->log_places - k->log_lanes); /* states of a pass; of the last one: */
  size_t n_last = ((n_blocks - 1) % per_pass + 1) << rec.log_width <= (size_t)1 << k->log_lanes ? 1 : n_all;
  size_t n_states = n_blocks <= per_pass ? n_last : n_all;
  bool in_pairs = n_all > 1 && rec.text_min >= GROUP_LONG_LEN, finished = false;
  k->group_begin(w, &rec, n_states);
  for (size_t base = 0, next, n_next; base < n_blocks; base = next, n_states = n_next) {
    next = base + per_pass;
    n_next = next >= n_blocks ? 0 : next + per_pass >= n_blocks ? n_last : n_all;
    size_t end = 64 * (next - 1), to = end < common ? end : common;
    if (in_pairs && n_states == 2 && n_next == 2 && chapoly_is_whole(&rec, base, n_states << k->log_lanes)) {
      const void *pairs = chapoly_turn(k, w, &rec, base, n_states, n_next, seal);
      k->group_absorb(w, &rec, pos, end, pairs);
      pos = end;
      continue;
    }
    if (seal) chapoly_turn(k, w, &rec, base, n_states, n_next, seal);
    /* Poly1305 in pieces of several passes, which saves it some fetching of powers: behind or ahead. */
    if (!seal && !in_pairs && pos < to) to = common - to < GROUP_PIECE_LEN ? common : to + GROUP_PIECE_LEN - 64;
    if (pos < to && (!seal || in_pairs || to == common || to - pos >= GROUP_PIECE_LEN)) {
      k->group_absorb(w, &rec, pos, to, NULL);
      pos = to;
    }
    if (!seal && !finished && end > common) {
      k->group_finish(w, &rec, common);
      finished = true;
    }
    if (!seal && (n_next > 0 || end > 0)) chapoly_turn(k, w, &rec, base, n_states, n_next, seal);
  }
  if (!finished) k->group_finish(w, &rec, common);
  const struct chapoly_tags *tags = k->group_tags(w, &rec);
  for (size_t i = 0; i < rec.n; i++) chapoly_end(rec.job[i], tags->low[i], tags->high[i], seal);
}

/* ---- one text by itself -------------------------------------------------------------------------------------------- */

/* Blocks behind the last whole state. */
static size_t chapoly_n_last(const struct chapoly_width *k, size_t text_len) {
  return (text_len + 63) / 64 & (((size_t)1 << k->log_lanes) - 1);
}

/* The last blocks of a text, from `block` on, whose stream was made by itself. */
static void chapoly_last_blocks(const struct chapoly_width *k, struct sl_aead_job *job, size_t block,
                                const uint8_t (*stream)[64], bool seal) {
  for (size_t off = 64 * block; off < job->len + job->tail_len; off += 64) k->text_block(job, off, *stream++, seal);
}

/* The hash of a piece is in general registers between the pieces. */
static struct sl_poly1305 *chapoly_poly_of(struct sl_stream *s) {
  return (struct sl_poly1305 *)s->hash;
}
_Static_assert(sizeof(struct sl_poly1305) <= sizeof((struct sl_stream *)0)->hash, "the hash must fit its place");

/* One text: a record with AAD and tag, or a piece of a text in pieces, which has no tag, and no tail. It comes with a head or
 * without: then that is made here where it saves a state. A piece whose last block is not whole gets that one's stream. */
static void chapoly_solo(const struct chapoly_width *k, struct chapoly_work *w, struct sl_aead_job *job,
                         const struct chapoly_head *head, struct sl_stream *piece, bool seal) {
  struct chapoly_records rec;
  struct sl_poly1305 own, *poly = piece != NULL ? chapoly_poly_of(piece) : &own;
  uint8_t few[PLACES_MAX / 4][64] __attribute__((aligned(64))); /* [0] and those from [1] on may be a head */
  size_t lanes = (size_t)1 << k->log_lanes, places = (size_t)1 << k->log_places, few_len = 0;
  bool has_hash = piece != NULL && piece->has_hash, finished = false;
  size_t text_len = job->len + job->tail_len, n_text = (text_len + 63) / 64, n_last = chapoly_n_last(k, text_len);
  uint32_t zero = has_hash ? piece->counter - 1 : 0; /* the counter of block 0, or the one before the piece's */
  if (head != NULL) {
    if (n_last > 1) n_last = 0;
  } else if (n_last < lanes / 2 && n_last + !has_hash > 0) {
    few_len = 64 * lanes / 2;
    k->few_blocks(few, sl_chapoly_secret(job->key), job->nonce, zero, zero + (uint32_t)(n_text - n_last) + 1,
                  1 + n_last);
    head = (const struct chapoly_head *)few;
  } else {
    n_last = 0;
  }
  size_t base = has_hash || head != NULL, n_blocks = 1 + n_text - n_last, first = base;
  const uint8_t(*last)[64] = n_last > 0 ? (const uint8_t(*)[64])head->last : NULL;

  const uint8_t *cipher = seal ? job->out : job->in;
  size_t step_len = (size_t)16 << k->log_q_lanes,
         n_steps = text_len < SOLO_VECTORS_LEN ? 0 : text_len >> (4 + k->log_q_lanes);
  size_t pos = 0; /* steps */
  const uint8_t *rest = cipher + step_len * n_steps;
  size_t rest_len = text_len - step_len * n_steps;
  if (piece != NULL) rest_len &= ~(size_t)15;
  bool is_long = n_steps >= SOLO_LONG_STEPS;

  if (seal && n_last > 0) chapoly_last_blocks(k, job, n_blocks - 1, last, seal);
  size_t n_all = places >> k->log_lanes, n_states = n_blocks - base > lanes ? n_all : 1;
  if (base < n_blocks) {
    rec.n = rec.width = 1;
    rec.log_width = 0;
    rec.job = &job;
    rec.in[0] = job->in;
    rec.out[0] = job->out;
    rec.len_min = job->len;
    rec.text_max = text_len;
    rec.lanes_base = 0;
    k->solo_start(w, sl_chapoly_secret(job->key), job->nonce, n_states, zero + (uint32_t)base);
  }
  if (!has_hash) {
    uint8_t key[32];
    if (head != NULL) {
      memcpy(key, head->key, sizeof key);
    } else {
      k->solo_key(w, key);
    }
    sl_poly1305_init(poly, key);
    sl_wipe(key, sizeof key);
  }
  chapoly_absorb(poly, job->aad, job->aad_len);
  if (n_steps > 0) k->solo_hash(w, poly, piece, is_long);
  for (size_t next, n_next; base < n_blocks; base = next, n_states = n_next) {
    next = base + places;
    n_next = next >= n_blocks ? 0 : n_blocks - next <= lanes ? 1 : n_all;
    size_t end = 64 * (next - 1), to = (seal ? end : end + step_len - 1) >> (4 + k->log_q_lanes);
    if (to > n_steps) to = n_steps;
    if (seal) chapoly_turn(k, w, &rec, base, n_states, n_next, seal);
    k->solo_steps(w, cipher + step_len * pos, to - pos, pos == 0, is_long);
    pos = to;
    if (!seal && !finished && end > step_len * n_steps) {
      if (n_steps > 0) k->solo_end(w, poly, piece);
      chapoly_absorb(poly, rest, rest_len);
      finished = true;
    }
    if (!seal) chapoly_turn(k, w, &rec, base, n_states, n_next, seal);
  }
  if (!finished) {
    k->solo_steps(w, cipher + step_len * pos, n_steps - pos, pos == 0, is_long);
    if (n_steps > 0) k->solo_end(w, poly, piece);
    chapoly_absorb(poly, rest, rest_len);
  }
  if (!seal && n_last > 0) chapoly_last_blocks(k, job, n_blocks - 1, last, seal);
  if (piece == NULL) {
    chapoly_solo_tag(job, poly, text_len, seal);
  } else if (text_len % 64 != 0) {
    memcpy(piece->unit, n_last > 0 ? last[n_last - 1] : (const uint8_t *)rec.lanes.out[(n_blocks - 1 - first) % places],
           sizeof piece->unit);
  }
  sl_wipe(few, few_len);
}

/* ---- texts in pieces (engine/stream.h) ----------------------------------------------------------------------------- */

/* Nothing is computed when a text starts: has_hash says whether the Poly1305 key is there yet. The counter cannot: behind
 * the longest text it is 0 again. */
void sl_chapoly_stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  (void)s, (void)key;
}

/* Absorbs what is not text. */
void sl_chapoly_stream_absorb(const struct chapoly_width *k, struct sl_stream *s, const struct sl_aead_key *key,
                              const uint8_t *p, size_t len) {
  if (!s->has_hash) {
    uint8_t blocks[PLACES_MAX / 4][64];
    k->few_blocks(blocks, sl_chapoly_secret(key), s->nonce, 0, 1, 1);
    sl_poly1305_init(chapoly_poly_of(s), blocks[0]);
    sl_wipe(blocks, (size_t)64 << k->log_lanes >> 1);
    s->counter = 1;
    s->has_hash = true;
  }
  chapoly_absorb(chapoly_poly_of(s), p, len);
}
_Static_assert(offsetof(struct sl_stream, nonce) + 16 <= sizeof(struct sl_stream), "a nonce is read as 16 bytes");

void sl_chapoly_stream_crypt(const struct chapoly_width *k, struct chapoly_work *w, struct sl_stream *s,
                             const struct sl_aead_key *key, uint8_t *out, const uint8_t *in, size_t len, bool is_open) {
  struct sl_aead_job job = {.key = key, .aad = s->block, .aad_len = s->n_block, .in = in, .out = out, .len = len};
  size_t n_blocks = (len + 63) / 64, n_rest = len % 16;
  uint8_t rest[16]; /* of a ciphertext, before it goes */
  if (is_open) memcpy(rest, in + len - n_rest, n_rest);
  memcpy(job.nonce, s->nonce, sizeof job.nonce);
  chapoly_solo(k, w, &job, NULL, s, !is_open);
  memcpy(s->block, is_open ? rest : out + len - n_rest, n_rest);
  s->n_block = (uint8_t)n_rest;
  s->counter = (s->has_hash ? s->counter : 1) + (uint32_t)n_blocks;
  s->has_hash = true;
  s->n_unit = (uint8_t)(64 * n_blocks - len);
}

void sl_chapoly_stream_tag(const struct chapoly_width *k, struct sl_stream *s, const struct sl_aead_key *key,
                           uint8_t *tag) {
  sl_chapoly_stream_absorb(k, s, key, s->block, s->n_block);
  chapoly_final(chapoly_poly_of(s), tag, s->aad_len, s->text_len);
}

/* ---- long records -------------------------------------------------------------------------------------------------- */

/* Blocks of text. */
static size_t chapoly_n_blocks(const struct sl_aead_job *job) {
  return (job->len + job->tail_len + 63) / 64;
}

/* n records by themselves. */
static void chapoly_solos(const struct chapoly_width *k, struct chapoly_work *w, struct sl_aead_job *const *jobs,
                          size_t n, bool seal) {
  struct sl_aead_job *some[PLACES_MAX / 2];
  struct chapoly_head heads[PLACES_MAX / 2];
  size_t n_some = 0, n_heads = (size_t)1 << (k->log_places - 1), n_used = 0;
  for (size_t i = 0; i < n; i++) {
    if (chapoly_n_last(k, jobs[i]->len + jobs[i]->tail_len) > 1) { /* a head would not save it a state */
      chapoly_solo(k, w, jobs[i], NULL, NULL, seal);
    } else {
      some[n_some++] = jobs[i];
    }
    if (n_some == n_heads || i + 1 == n) {
      if (n_some > 1) k->heads(w, heads, some, n_some), n_used = n_heads;
      for (size_t j = 0; j < n_some; j++) chapoly_solo(k, w, some[j], n_some > 1 ? heads + j : NULL, NULL, seal);
      n_some = 0;
    }
  }
  sl_wipe(heads, n_used * sizeof heads[0]);
}

/* Long records, and whether they have the same number of blocks. */
static void chapoly_longs(const struct chapoly_width *k, struct chapoly_work *w, struct sl_aead_job *const *jobs,
                          size_t n, bool are_alike, bool seal) {
  size_t at = 0;
  for (size_t log_width = k->log_places; log_width >= k->log_q_lanes && are_alike; log_width--) {
    for (size_t width = (size_t)1 << log_width; n - at >= width; at += width) {
      chapoly_group(k, w, jobs + at, width, width, seal);
    }
  }
  chapoly_solos(k, w, jobs + at, n - at, seal);
}

/* ---- which records go together ------------------------------------------------------------------------------------- */

/* What records cost whose longest has so many blocks of text: one alone, and a group, which costs as much however few records
 * it has. A state is 4, a few blocks 3. */
static size_t chapoly_solo_cost(const struct chapoly_width *k, size_t n_blocks) {
  size_t lanes = (size_t)1 << k->log_lanes;
  if (n_blocks < lanes / 2) return k->cost_few + n_blocks / 2;
  size_t last = (n_blocks & (lanes - 1)) < lanes / 2 ? 3 : 4;
  return 4 * (n_blocks >> k->log_lanes) + last + (k->cost_poly * n_blocks >> k->log_lanes) + k->cost_solo;
}
static size_t chapoly_group_cost(const struct chapoly_width *k, size_t n_blocks, size_t log_width) {
  size_t lanes = (size_t)1 << k->log_lanes, n_states = (((n_blocks + 1) << log_width) + lanes - 1) >> k->log_lanes;
  return (4 + k->cost_poly) * n_states + k->cost_group + ((size_t)1 << log_width >> k->log_lanes);
}
/* n records in groups of the best width, and alone where that is less for the rest. */
static size_t chapoly_cost(const struct chapoly_width *k, size_t n_blocks, size_t n) {
  size_t alone = chapoly_solo_cost(k, n_blocks), least = n * alone;
  for (size_t log_width = k->log_q_lanes; log_width <= k->log_places; log_width++) {
    size_t group = chapoly_group_cost(k, n_blocks, log_width), rest = (n & (((size_t)1 << log_width) - 1)) * alone;
    size_t cost = (n >> log_width) * group + (rest < group ? rest : group);
    if (cost < least) least = cost;
  }
  return least;
}

/* How many of the jobs, longest first, go next, and in a group of which width: 1 is alone. */
static size_t chapoly_choose(const struct chapoly_width *k, const uint16_t *n_blocks, size_t n, size_t *width) {
  size_t widest = (size_t)1 << k->log_places, narrowest = (size_t)1 << k->log_q_lanes;
  size_t n_best = *width = 1, least = n * chapoly_solo_cost(k, n_blocks[0]);
  if (n >= widest) *width = widest;
  for (size_t log_width = k->log_q_lanes; log_width <= k->log_places && 1 < n && n < widest; log_width++) {
    size_t cost = chapoly_group_cost(k, n_blocks[0], log_width), w = (size_t)1 << log_width;
    if (n > w) cost += chapoly_cost(k, n_blocks[w], n - w);
    if (cost <= least) least = cost, *width = w;
  }
  if (*width > 1) n_best = n < *width ? n : *width;
  /* Half as wide when the latter half would be much shorter. */
  while (*width > narrowest && 4 * n_blocks[n_best - 1] + 4 <= 3 * n_blocks[0]) {
    *width /= 2;
    if (n_best > *width) n_best = *width;
  }
  return n_best;
}

/* Jobs of which none is long, longest first. */
static void chapoly_groups(const struct chapoly_width *k, struct chapoly_work *w, struct sl_aead_job *const *jobs,
                           const uint16_t *n_blocks, size_t n, bool seal) {
  for (size_t at = 0, n_taken = 1, width = 1; at < n; at += n_taken) {
    if (n > 1) n_taken = chapoly_choose(k, n_blocks + at, n - at, &width);
    if (width > 1) {
      chapoly_group(k, w, jobs + at, n_taken, width, seal);
    } else {
      chapoly_solo(k, w, jobs[at], NULL, NULL, seal);
    }
  }
}

/* By length, longest first: a counting sort over numbers of blocks. What is long comes last. */
static void chapoly_sorted(const struct chapoly_width *k, struct chapoly_work *w, struct sl_aead_job *const *jobs,
                           const uint16_t *n_blocks, size_t n, bool seal) {
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
  chapoly_groups(k, w, order, sorted_n_blocks, n_short, seal);
  size_t differ = 0;
  for (size_t i = n_short; i < n; i++) differ |= chapoly_n_blocks(order[i]) ^ chapoly_n_blocks(order[n - 1]);
  chapoly_longs(k, w, order + n_short, n_long, differ == 0, seal);
}

void sl_chapoly_jobs(const struct chapoly_width *k, struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n,
                     bool seal) {
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
      chapoly_sorted(k, w, jobs + done, n_blocks, n_now, seal);
    } else if (first <= SOLO_BLOCKS) {
      chapoly_groups(k, w, jobs + done, n_blocks, n_now, seal);
    } else {
      chapoly_longs(k, w, jobs + done, n_now, true, seal);
    }
  }
}
