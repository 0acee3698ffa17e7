/* texts.h - the memory an AEAD measurement works on: the same for every lane, laid out as a TLS server has it.
 *
 * A batch has `n_texts` texts of its own: plaintext starts on a cache line (an application's buffer), the wire side holds
 * header, text, tag of a TLS 1.3 record: the text starts 5 bytes behind a line and the tag follows it. The 5 header bytes
 * are the AAD. Keys rotate: call after call takes the next n_texts of them, in an order that no hardware prefetcher
 * guesses, so that 5,000 keys cost what 5,000 connections do.
 *
 * To open, every (text, key) pair needs its valid tag, but not its own ciphertext: any bytes are a ciphertext under any
 * key. So a batch's ciphertexts stay the same whatever the key, and the caches see what a seal of that size shows
 * them; only 16 bytes of tag per pair are stored. */
#ifndef SEALANE_BENCH_TEXTS_H
#define SEALANE_BENCH_TEXTS_H

#include "rivals/rival.h"

/* All keys are walked through before each sample, so that the caches hold what a program left there that has these keys and
 * no rival beside it: a lane with thousands of them runs through more than the second-level cache has. Up to HOT_KEYS_MAX
 * are hot. More are cold, and a sample goes through COLD_SAMPLE_RECORDS at least, so that the best sample is not the one that
 * met those few keys the caches still had; after WARM_RECORDS_MAX no cache but the last remembers what was before. */
enum { HOT_KEYS_MAX = 256, COLD_SAMPLE_RECORDS = 4096, WARM_RECORDS_MAX = 16384 };

struct texts {
  struct rival_texts seal, open;
  size_t n_keys;
  size_t n_positions; /* text-key pairs in the cycle: n_keys rounded up to whole batches */
  uint32_t *keys;     /* [n_positions] the key of each */
  uint8_t *tags;      /* [n_positions * 16] open: the tag of each */
  uint8_t *memory;
};

/* Makes the texts of one batch size and length; the tags to open are left to texts_make_tags(). */
void texts_init(struct texts *t, size_t n_texts, size_t len, size_t n_keys);
/* Fills t->tags with `oracle`, whose state seals with the keys that will open, and first_plain[0..n_texts*len) with
 * what the first batch will open to. False when it fails. */
bool texts_make_tags(struct texts *t, const struct rival *oracle, void *state, uint8_t *first_plain);
void texts_free(struct texts *t);
/* Calls in a sample: how many to warm up with, and how many at least. */
size_t texts_warm_calls(const struct texts *t);
size_t texts_least_calls(const struct texts *t);

/* Fills p[0..len) with bytes that depend on `seed` alone: a measurement wants the same every time, not secrets. */
void texts_fill(uint8_t *p, size_t len, uint64_t seed);

#endif
