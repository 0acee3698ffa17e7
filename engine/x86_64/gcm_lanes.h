/* gcm_lanes.h - AES-GCM of short records, one a lane: V_LANES records of the same number of blocks. Vector b holds block b of
 * each, so no lane is empty, lanes are never added, lengths are a block like others, and one reduction makes V_LANES tags. The
 * price is that what others load once is put together lane by lane: a masked load that spreads a block costs a slot on
 * either vector port (docs/kernels.md), so this pays while a record has few blocks. */
#ifndef SEALANE_ENGINE_X86_64_GCM_LANES_H
#define SEALANE_ENGINE_X86_64_GCM_LANES_H

#include "engine/x86_64/gcm_template.h"

enum {
  LANES_AAD_MAX = 16,   /* bytes; a power of two, and lengths stay below it */
  LANES_BLOCKS_MIN = 4, /* of text */
  LANES_BLOCKS_MAX = 5,
};

/* Lane i is the block at p[i] + off; with "two", also the one behind it. */
INLINE v gcm_gather(const uint8_t *const p[V_LANES], ptrdiff_t off) {
  const uint8_t *at[V_LANES];
  UNROLL for (unsigned i = 0; i < V_LANES; i++) at[i] = p[i] + off;
  return v_gather(at);
}
INLINE void gcm_gather_two(v x[2], const uint8_t *const p[V_LANES], ptrdiff_t off) {
  const uint8_t *at[V_LANES];
  UNROLL for (unsigned i = 0; i < V_LANES; i++) at[i] = p[i] + off;
  v_gather_two(x, at);
}

/* Two rounds of AES on n vectors, whose keys lie at `at`. */
INLINE void gcm_lanes_two_rounds(const uint8_t *const key[], v x[], unsigned n, size_t at) {
  v k[2];
  gcm_gather_two(k, key, (ptrdiff_t)at);
  UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_aesenc(x[j], k[0]);
  UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_aesenc(x[j], k[1]);
}

/* The last block of each text, at `off`, where one is not whole or ends in the tail byte. Returns what GHASH takes. */
PART v gcm_lanes_last(struct sl_aead_job *const jobs[], v x, v last_key, size_t off, bool seal) {
  v data = v_zero();
  UNROLL for (unsigned i = 0; i < V_LANES; i++) {
    size_t place = 16 * i, to_plain = place + jobs[i]->len - off, to_text = to_plain + jobs[i]->tail_len;
    data = v_merge_span(data, gcm_at(jobs[i]->in + off, -(ptrdiff_t)place), place, seal ? to_plain : to_text);
    if (seal && jobs[i]->tail_len) data = v_put_byte(data, to_plain, jobs[i]->tail);
  }
  v done = v_aesenclast(x, v_xor(data, last_key)), hash = data;
  UNROLL for (unsigned i = 0; i < V_LANES; i++) {
    size_t place = 16 * i, to_plain = place + jobs[i]->len - off, to_text = to_plain + jobs[i]->tail_len;
    v_store_span((uint8_t *)gcm_at(jobs[i]->out + off, -(ptrdiff_t)place), place, seal ? to_text : to_plain, done);
    if (seal) hash = v_take_span(hash, done, place, to_text);
    if (!seal && jobs[i]->tail_len) jobs[i]->tail = v_byte(done, to_plain);
  }
  return hash;
}

INLINE void gcm_lanes_put_each(struct sl_aead_job *const jobs[], v tags, bool seal) {
  __m128i each[V_LANES];
  v_scatter(each, tags);
  UNROLL for (unsigned i = 0; i < V_LANES; i++) gcm_put_tag(jobs[i], each[i], _mm_setzero_si128(), seal);
}
PART void gcm_lanes_wrong(struct sl_aead_job *const jobs[], v tags) {
  gcm_lanes_put_each(jobs, tags, false);
}
/* Verdicts by one compare: which tag is wrong is asked where one is. */
INLINE void gcm_lanes_verdicts(struct sl_aead_job *const jobs[], v tags) {
  const uint8_t *tag[V_LANES];
  UNROLL for (unsigned i = 0; i < V_LANES; i++) tag[i] = jobs[i]->tag;
  bool differ = v_differ(tags, v_gather(tag));
  sl_declassify(&differ, sizeof differ); /* a verdict: public */
  if (__builtin_expect(differ, false)) {
    gcm_lanes_wrong(jobs, tags);
  } else {
    UNROLL for (unsigned i = 0; i < V_LANES; i++) jobs[i]->err = SL_OK;
  }
}

/* V_LANES records of n_blocks blocks of text, a constant where this is called, and less than LANES_AAD_MAX bytes of AAD.
 * `whole`: no text's last block is cut or has a tail byte. */
INLINE void gcm_lanes_set(struct sl_aead_job *const *jobs, unsigned rounds, unsigned n_blocks, bool whole, bool seal) {
  const uint8_t *key[V_LANES], *in[V_LANES], *nonce[V_LANES];
  uint64_t lengths[V_LANES][2];
  v x[LANES_BLOCKS_MAX + 1], hash[LANES_BLOCKS_MAX + 2], k[2], aad = v_zero();
  UNROLL for (unsigned i = 0; i < V_LANES; i++) {
    const struct sl_aead_job *job = jobs[i];
    key[i] = gcm_key_mem(job->key, rounds);
    nonce[i] = job->nonce;
    lengths[i][0] = job->len + job->tail_len;
    lengths[i][1] = job->aad_len;
    aad = v_merge_span(aad, gcm_at(job->aad, -16 * (ptrdiff_t)i), 16 * i, 16 * i + job->aad_len);
  }
  __asm__("" : "+m"(lengths)); /* not put together in vectors, which takes the ports that are short */
  gcm_gather_two(k, key, 0);
  v base = v_and_xor(v_gather(nonce), v_all(block_mask(SL_AEAD_NONCE_LEN)), k[0]);
  UNROLL for (unsigned j = 0; j <= n_blocks; j++) x[j] = v_aesenc(v_xor(base, v_load_all(gcm_positions[j + 1])), k[1]);
  UNROLL for (unsigned round = 2; round < 10; round += 2) gcm_lanes_two_rounds(key, x, n_blocks + 1, 16 * round);
  if (rounds == 14) {
    UNROLL for (unsigned round = 10; round < 14; round += 2) gcm_lanes_two_rounds(key, x, n_blocks + 1, 16 * round);
  }

  v last_key = gcm_gather(key, 16 * (ptrdiff_t)rounds), mask = v_aesenclast(x[0], last_key);
  UNROLL for (unsigned i = 0; i < V_LANES; i++) in[i] = jobs[i]->in;
  hash[0] = gcm_reversed(aad);
  hash[n_blocks + 1] = v_shift8(v_load((const uint8_t *)lengths));
  v data[V_LANES], done[V_LANES];
  const unsigned n_whole = whole ? n_blocks : n_blocks - 1; /* 3 or 4 */
  gcm_gather_two(data, in, 0);
  if (n_whole == 4) {
    gcm_gather_two(data + 2, in, 32);
  } else {
    data[2] = gcm_gather(in, 32);
    done[3] = v_zero();
  }
  UNROLL for (unsigned j = 0; j < n_whole; j++) {
    done[j] = v_aesenclast(x[j + 1], v_xor(data[j], last_key));
    hash[j + 1] = gcm_reversed(v_select(seal, done[j], data[j]));
  }
  if (!whole) hash[n_blocks] = gcm_reversed(gcm_lanes_last(jobs, x[n_blocks], last_key, 16 * n_whole, seal));
  v_transpose(done);
  UNROLL for (unsigned i = 0; i < V_LANES; i++) v_store_span(jobs[i]->out, 0, 16 * n_whole, done[i]);

  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  UNROLL for (unsigned j = 0; j < n_blocks + 2; j++) {
    if (j % 2 == 0) {
      if (j + 1 < n_blocks + 2) {
        gcm_gather_two(k, key, -16 * (ptrdiff_t)(n_blocks + 2 - j));
      } else {
        k[0] = gcm_gather(key, -16 * (ptrdiff_t)(n_blocks + 2 - j));
      }
    }
    s = gcm_add_product(s, hash[j], k[j % 2], j == 0);
  }
  v tags = v_xor(gcm_reversed(gcm_reduced(s)), mask);
  if (seal) {
    gcm_lanes_put_each(jobs, tags, true);
  } else {
    gcm_lanes_verdicts(jobs, tags);
  }
}

PART void gcm_lanes_4_whole(struct sl_aead_job *const *jobs, unsigned rounds, bool seal) {
  gcm_lanes_set(jobs, rounds, 4, true, seal);
}
PART void gcm_lanes_4(struct sl_aead_job *const *jobs, unsigned rounds, bool seal) {
  gcm_lanes_set(jobs, rounds, 4, false, seal);
}
PART void gcm_lanes_5(struct sl_aead_job *const *jobs, unsigned rounds, bool seal) {
  gcm_lanes_set(jobs, rounds, 5, false, seal);
}

/* How many of the n jobs at `jobs` it has done: whole sets of V_LANES. */
INLINE size_t gcm_lanes(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  size_t n_done = 0;
  for (; n - n_done >= V_LANES; n_done += V_LANES) {
    size_t len = jobs[n_done]->len + jobs[n_done]->tail_len, n_blocks = (len + 15) / 16, unlike = 0, cut = 0,
           aad_len = 0;
    if (n_blocks < LANES_BLOCKS_MIN || n_blocks > LANES_BLOCKS_MAX) break;
    UNROLL for (unsigned i = 0; i < V_LANES; i++) {
      const struct sl_aead_job *job = jobs[n_done + i];
      unlike |= ((job->len + job->tail_len + 15) / 16) ^ n_blocks;
      cut |= job->len % 16 | job->tail_len;
      aad_len |= job->aad_len;
    }
    if (unlike || aad_len >= LANES_AAD_MAX) break;
    if (n_blocks == 5) {
      gcm_lanes_5(jobs + n_done, rounds, seal);
    } else {
      (cut ? gcm_lanes_4 : gcm_lanes_4_whole)(jobs + n_done, rounds, seal);
    }
  }
  return n_done;
}

#endif
