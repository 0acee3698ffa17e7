/* gcm_portable.c - AES-GCM (NIST SP 800-38D) in constant-time C for any machine: the oracle that other kernels are tested
 * against. One job after the other, four blocks at a time; aes.h and ghash.h have the mathematics. */
#include "engine/aead_jobs.h"
#include "engine/kernel.h"
#include "engine/portable/aes.h"
#include "engine/portable/ghash.h"
#include "engine/portable/kernels.h"
#include "engine/portable/text.h"
#include "engine/stream.h"

struct gcm_key {
  struct sl_aes_key aes;
  struct sl_gf128 h_div_x;
};
_Static_assert(sizeof(struct gcm_key) <= sizeof((struct sl_aead_key *)0)->memory, "the key must fit its memory");

static const struct gcm_key *gcm_key(const struct sl_aead_key *key) {
  return (const struct gcm_key *)(const void *)sl_key_mem(key, sizeof(struct gcm_key));
}

static void expand(struct sl_aead_key *key, const uint8_t *secret, size_t secret_len) {
  struct gcm_key *k = (struct gcm_key *)(void *)sl_key_mem(key, sizeof(struct gcm_key));
  uint8_t h[SL_AES_BLOCKS_LEN] = {0};
  sl_aes_expand(&k->aes, secret, secret_len);
  sl_aes_encrypt4(&k->aes, h); /* H = E(key, 0), four times */
  k->h_div_x = sl_gf128_div_x(sl_gf128_load(h));
  sl_wipe(h, sizeof h);
}

static void expand128(struct sl_aead_key *key, const uint8_t *secret) {
  expand(key, secret, 16);
}

static void expand256(struct sl_aead_key *key, const uint8_t *secret) {
  expand(key, secret, 32);
}

/* Four blocks of key stream: the counter blocks nonce || counter, nonce || counter + 1, ... encrypted. */
static void key_stream(uint8_t stream[static SL_AES_BLOCKS_LEN], const struct gcm_key *key, const uint8_t *nonce,
                       uint32_t counter) {
  for (uint32_t i = 0; i < 4; i++) {
    memcpy(stream + 16 * i, nonce, SL_AEAD_NONCE_LEN);
    sl_store32_be(stream + 16 * i + SL_AEAD_NONCE_LEN, counter + i);
  }
  sl_aes_encrypt4(&key->aes, stream);
}

/* Does one job but for its verdict: out and tail are written, and the tag its ciphertext ought to have goes to tag[].
 * Counter block 1 masks the tag and the text begins with counter block 2: the first of the four is taken out. */
static void crypt(struct sl_aead_job *job, uint8_t tag[static 16], bool is_open) {
  const struct gcm_key *key = gcm_key(job->key);
  uint8_t stream[SL_AES_BLOCKS_LEN], text[SL_AES_BLOCKS_LEN], mask[16];
  struct sl_gf128 hash = {0, 0};

  uint32_t counter = 1;
  key_stream(stream, key, job->nonce, counter);
  memcpy(mask, stream, 16);
  hash = sl_ghash(hash, key->h_div_x, job->aad, job->aad_len);

  size_t n_used = 16; /* bytes of the present key stream */
  for (size_t off = 0, n; off < sl_text_len(job); off += n) {
    if (n_used == sizeof stream) {
      counter += 4;
      key_stream(stream, key, job->nonce, counter);
      n_used = 0;
    }
    n = sl_text_load(text, sizeof stream - n_used, job, off, is_open);
    if (is_open) hash = sl_ghash(hash, key->h_div_x, text, n);
    sl_text_xor(text, stream + n_used, n);
    if (!is_open) hash = sl_ghash(hash, key->h_div_x, text, n);
    sl_text_store(job, off, text, n, is_open);
    n_used = sizeof stream; /* only the last piece leaves some over */
  }

  uint8_t lengths[16]; /* in bits */
  sl_store64_be(lengths, (uint64_t)job->aad_len * 8);
  sl_store64_be(lengths + 8, (uint64_t)sl_text_len(job) * 8);
  hash = sl_ghash(hash, key->h_div_x, lengths, sizeof lengths);
  sl_gf128_store(tag, hash);
  for (unsigned i = 0; i < 16; i++) tag[i] ^= mask[i];

  sl_wipe(stream, sizeof stream);
  sl_wipe(text, sizeof text);
  sl_wipe(mask, sizeof mask);
  sl_wipe(&hash, sizeof hash);
}

static void seal(struct sl_aead_job *const *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint8_t tag[16];
    crypt(jobs[i], tag, false);
    memcpy(jobs[i]->tag, tag, sizeof tag);
  }
}

static void open(struct sl_aead_job *const *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint8_t tag[16];
    crypt(jobs[i], tag, true);
    if (!sl_aead_job_verdict(jobs[i], sl_differ(tag, jobs[i]->tag, sizeof tag))) sl_aead_job_failed(jobs[i], tag);
  }
}

/* ---- texts in pieces ----------------------------------------------------------------------------------------- */

static void stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  uint8_t stream[SL_AES_BLOCKS_LEN];
  key_stream(stream, gcm_key(key), s->nonce, s->counter++);
  memcpy(&s->hash[2], stream, 16);
  sl_wipe(stream, sizeof stream);
}

static void stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  struct sl_gf128 hash = sl_gf128_load((const uint8_t *)s->hash);
  hash = sl_ghash(hash, gcm_key(key)->h_div_x, blocks, 16 * n);
  sl_gf128_store((uint8_t *)s->hash, hash);
}

static void stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                         size_t len, bool is_open) {
  uint8_t stream[SL_AES_BLOCKS_LEN], text[SL_AES_BLOCKS_LEN];
  if (s->n_block > 0) stream_absorb(s, key, s->block, 1);
  s->n_block = s->n_unit = 0;
  for (size_t done = 0, n; done < len; done += n) {
    n = len - done < sizeof text ? len - done : sizeof text;
    size_t n_rest = n % 16, n_whole = n - n_rest;
    key_stream(stream, gcm_key(key), s->nonce, s->counter);
    s->counter += (uint32_t)(n + 15) / 16;
    memcpy(text, in + done, n);
    memset(text + n, 0, -n % 16);
    if (is_open) stream_absorb(s, key, text, n_whole / 16);
    if (is_open) memcpy(s->block, text + n_whole, n_rest);
    sl_text_xor(text, stream, n);
    if (!is_open) stream_absorb(s, key, text, n_whole / 16);
    if (!is_open) memcpy(s->block, text + n_whole, n_rest);
    memcpy(out + done, text, n);
    if (n_rest == 0) continue;
    memcpy(s->unit, stream + n_whole, 16);
    s->n_unit = (uint8_t)(16 - n_rest);
    s->n_block = (uint8_t)n_rest;
  }
  sl_wipe(stream, sizeof stream);
  sl_wipe(text, sizeof text);
}

static void stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  uint8_t lengths[16]; /* in bits */
  if (s->n_block > 0) stream_absorb(s, key, s->block, 1);
  sl_store64_be(lengths, 8 * s->aad_len);
  sl_store64_be(lengths + 8, 8 * s->text_len);
  stream_absorb(s, key, lengths, 1);
  memcpy(tag, s->hash, 16);
  sl_text_xor(tag, (const uint8_t *)&s->hash[2], 16);
}

const struct sl_kernel sl_kernel_gcm_portable = {
    .name = "gcm_portable",
    .algorithm = SL_ALG_AES_GCM,
    .needs = 0,
    .aead = {{SL_AES_128_GCM, 16, 16 + sizeof(struct gcm_key), expand128, seal, open},
             {SL_AES_256_GCM, 32, 16 + sizeof(struct gcm_key), expand256, seal, open}},
    .stream = {16, stream_start, stream_absorb, stream_crypt, stream_tag, NULL},
};
