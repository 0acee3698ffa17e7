/* chapoly_common.h - what of chapoly_template.h needs no wide vector, chapoly_common.c: which records go side by side, the walk of a group
 * from pass to pass, ends of texts, Poly1305 in general registers. It is compiled without AVX-512, with which gcc 12 keeps words of 64 bits
 * in vectors and Poly1305 waits for them: 64 bytes alone would take 7 % more. What vectors do is a table, struct chapoly_width.
 *
 * Secrets are in a width's struct chapoly_work. What is here is public, but for key stream and hashes that pass by. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_COMMON_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_COMMON_H

#include "engine/aead_jobs.h"
#include "engine/kernel.h"
#include "engine/portable/poly1305.h"
#include "engine/stream.h"

enum {
  PLACES_MAX = 32,      /* of a pass: blocks of stream */
  GROUP_LONG_LEN = 192, /* bytes: a group whose records are all that long merges products; measured: docs/kernels.md */
};

/* Where the blocks of a pass are xored with text, as addresses, by places: each takes 64 bytes. */
struct chapoly_lanes {
  uint64_t in[PLACES_MAX], out[PLACES_MAX];
  uint64_t step[PLACES_MAX]; /* how far it is to the text of the next pass */
};

/* The records of a group, or the one of a solo: public. Lanes past the last record repeat record 0, and nobody looks
 * at what they compute. */
struct chapoly_records {
  struct chapoly_lanes lanes;
  uint64_t aad_len[PLACES_MAX], text_len[PLACES_MAX]; /* bytes, where they are not even; text: with its tail */
  const uint8_t *key[PLACES_MAX], *nonce[PLACES_MAX];
  const uint8_t *aad[PLACES_MAX], *in[PLACES_MAX];
  uint8_t *out[PLACES_MAX];
  const uint8_t *const *cipher;   /* in or out */
  struct sl_aead_job *const *job; /* n of them */
  size_t n, width;
  unsigned log_width;
  bool is_even;                                         /* of a group: all lengths are alike */
  size_t len_min, text_min, text_max, aad_min, aad_max; /* bytes, of any record */
  size_t lanes_base; /* the pass that `lanes` is for, if all text of it is whole blocks; 0: none */
} __attribute__((aligned(64)));

/* What a solo needs from outside its passes: key stream. */
struct chapoly_head {
  uint8_t key[64];  /* block 0: the key of Poly1305 */
  uint8_t last[64]; /* of the text's last block */
} __attribute__((aligned(64)));

/* Of a group's records: s of their keys, then what they ought to have as tags. */
struct chapoly_tags {
  uint64_t low[PLACES_MAX], high[PLACES_MAX];
};

struct chapoly_work;

/* A width: its measures, and what its vectors do. */
struct chapoly_width {
  uint8_t log_places;  /* of a pass; of a group: between log_q_lanes and this */
  uint8_t log_lanes;   /* of a state, of which a pass has one or two */
  uint8_t log_q_lanes; /* Poly1305's lanes */
  /* What records cost, in quarters of a state, by measurement: Poly1305 of a state's text; and besides, a record alone, one of so few
   * blocks that it has no state, and a group. */
  uint8_t cost_poly, cost_solo, cost_few, cost_group;

  /* Keys, nonces and counters to lanes; the first pass, n_states of them; r, s and the AAD. */
  void (*group_begin)(struct chapoly_work *w, const struct chapoly_records *rec, size_t n_states);
  /* What the first n_places of the pass at `base` take and give: blocks of text, or zeros and the bare stream. */
  void (*set_lanes)(struct chapoly_work *w, struct chapoly_records *rec, size_t base, size_t n_places);
  /* A pass's n_states with what lanes take and give, and the next one's n_next; lanes go on to the next pass. The result is NULL or,
   * where both are two, the ciphertext in pairs. */
  const void *(*next)(struct chapoly_work *w, struct chapoly_lanes *lanes, size_t n_states, size_t n_next,
                      size_t blocks_per_record, bool seal);

  /* Absorbs bytes [from,to) of every text, whole blocks, which come from memory or, whole rows of 64 bytes, in pairs. */
  void (*group_absorb)(struct chapoly_work *w, const struct chapoly_records *rec, size_t from, size_t to,
                       const void *pairs);
  /* The rest from `from` on, which is different for each record, and the lengths. */
  void (*group_finish)(struct chapoly_work *w, const struct chapoly_records *rec, size_t from);
  const struct chapoly_tags *(*group_tags)(struct chapoly_work *w, const struct chapoly_records *rec);

  /* Key and nonce to all lanes; the first pass, n_states of them, whose first block has `counter`. */
  void (*solo_start)(struct chapoly_work *w, const uint8_t *key, const uint8_t *nonce, size_t n_states,
                     uint32_t counter);
  /* What that block begins with. */
  void (*solo_key)(const struct chapoly_work *w, uint8_t key[32]);
  /* From a hash in general registers to one in lanes, with the powers of r that it takes; merged ones for a long text. A piece of a
   * text keeps them for the next one. */
  void (*solo_hash)(struct chapoly_work *w, const struct sl_poly1305 *poly, struct sl_stream *piece, bool is_long);
  /* Absorbs n_steps times a block in each lane. In the first of a text the hash is only added. */
  void (*solo_steps)(struct chapoly_work *w, const uint8_t *p, size_t n_steps, bool is_first, bool is_long);
  /* And back. */
  void (*solo_end)(struct chapoly_work *w, struct sl_poly1305 *poly, struct sl_stream *piece);
  /* Heads of n records, at most half as many as a pass has places. */
  void (*heads)(struct chapoly_work *w, struct chapoly_head *heads, struct sl_aead_job *const *jobs, size_t n);

  /* Blocks outside of passes: those with the counters `first`, then `second` and those behind it. n of them are wanted, at most
   * half as many as a state has, and all of those may be written. 16 bytes of nonce are read. */
  void (*few_blocks)(uint8_t (*out)[64], const uint8_t *key, const uint8_t *nonce, uint32_t first, uint32_t second,
                     size_t n);
  /* A block of a text that may end in it or before: out = in ^ stream from `off` on. */
  void (*text_block)(struct sl_aead_job *job, size_t off, const uint8_t *stream, bool seal);
};

extern const uint8_t sl_chapoly_zeros[64];

/* A kernel's struct sl_aead_ops, but for the work, which is the kernel's to make and to erase. */
void sl_chapoly_expand(struct sl_aead_key *key, const uint8_t *secret);
void sl_chapoly_jobs(const struct chapoly_width *k, struct chapoly_work *w, struct sl_aead_job *const *jobs, size_t n,
                     bool seal);
/* Its struct sl_stream_ops. */
void sl_chapoly_stream_start(struct sl_stream *s, const struct sl_aead_key *key);
void sl_chapoly_stream_absorb(const struct chapoly_width *k, struct sl_stream *s, const struct sl_aead_key *key,
                              const uint8_t *p, size_t len);
void sl_chapoly_stream_crypt(const struct chapoly_width *k, struct chapoly_work *w, struct sl_stream *s,
                             const struct sl_aead_key *key, uint8_t *out, const uint8_t *in, size_t len, bool is_open);
void sl_chapoly_stream_tag(const struct chapoly_width *k, struct sl_stream *s, const struct sl_aead_key *key,
                           uint8_t *tag);

#endif
