/* texts.c - the memory an AEAD measurement works on. */
#include "texts.h"
#include "bench.h"
#include <stdlib.h>
#include <string.h>

enum { LINE = 64, PAGE = 4096 };

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

void texts_fill(uint8_t *p, size_t len, uint64_t seed) {
  for (size_t i = 0; i < len; i += 8) {
    uint64_t v = next_random(&seed);
    memcpy(p + i, &v, len - i < 8 ? len - i : 8);
  }
}

static void shuffle_keys(uint32_t *keys, size_t n_keys, size_t n_positions) {
  uint64_t random = 2;
  for (size_t i = 0; i < n_keys; i++) keys[i] = (uint32_t)i;
  for (size_t i = n_keys; i > 1; i--) {
    size_t k = next_random(&random) % i;
    uint32_t swap = keys[i - 1];
    keys[i - 1] = keys[k];
    keys[k] = swap;
  }
  for (size_t i = n_keys; i < n_positions; i++) keys[i] = keys[i - n_keys];
}

void texts_init(struct texts *t, size_t n_texts, size_t len, size_t n_keys) {
  /* An odd number of lines from text to text spreads the texts over all sets of the caches. */
  size_t stride = (RIVAL_AAD_LEN + len + SL_AEAD_TAG_LEN + LINE - 1) / LINE;
  stride = (stride | 1) * LINE;
  size_t nonces_len = (n_texts * SL_AEAD_NONCE_LEN + LINE - 1) / LINE * LINE;
  size_t side_len = (n_texts * stride + PAGE - 1) / PAGE * PAGE;
  /* The two sides lie half a page apart modulo pages: a load never looks like the store just before it. */
  size_t total = side_len + PAGE / 2 + side_len + nonces_len + n_texts * 2 * sizeof(struct rival_text);
  *t = (struct texts){
      .n_keys = n_keys, .memory = bench_alloc(total, 1), .n_positions = (n_keys + n_texts - 1) / n_texts * n_texts};
  texts_fill(t->memory, side_len + PAGE / 2 + side_len + nonces_len, 1);

  uint8_t *plain = t->memory, *wire = plain + side_len + PAGE / 2, *nonces = wire + side_len;
  struct rival_text *seal = (struct rival_text *)(nonces + nonces_len), *open = seal + n_texts;
  for (size_t i = 0; i < n_texts; i++, plain += stride, wire += stride, nonces += SL_AEAD_NONCE_LEN) {
    const uint8_t header[RIVAL_AAD_LEN] = {23, 3, 3, (uint8_t)((len + SL_AEAD_TAG_LEN) >> 8),
                                           (uint8_t)(len + SL_AEAD_TAG_LEN)};
    memcpy(wire, header, sizeof header);
    uint8_t *text = wire + sizeof header;
    seal[i] = (struct rival_text){.in = plain, .out = text, .tag = text + len, .aad = wire, .nonce = nonces};
    open[i] = (struct rival_text){.in = text, .out = plain, .tag = text + len, .aad = wire, .nonce = nonces};
  }
  t->seal = (struct rival_texts){.n = n_texts, .len = len, .text = seal};
  t->open = (struct rival_texts){.n = n_texts, .len = len, .text = open};
  t->keys = bench_alloc(t->n_positions, sizeof t->keys[0]);
  shuffle_keys(t->keys, n_keys, t->n_positions);
  t->tags = bench_alloc(t->n_positions, SL_AEAD_TAG_LEN);
}

/* Sealing zeros yields the key stream; key stream xor the wanted ciphertext is the plaintext that seals to it. */
bool texts_make_tags(struct texts *t, const struct rival *oracle, void *state, uint8_t *first_plain) {
  size_t n = t->open.n, len = t->open.len;
  struct rival_text *scratch_text = bench_alloc(n, sizeof scratch_text[0]);
  uint8_t *plain = bench_alloc(n, len), *sealed = bench_alloc(n, len);
  for (size_t i = 0; i < n; i++) {
    scratch_text[i] = t->seal.text[i];
    scratch_text[i].in = plain + i * len;
    scratch_text[i].out = sealed + i * len;
  }
  struct rival_texts scratch = {.n = n, .len = len, .text = scratch_text};
  bool ok = true;
  for (size_t p = 0; p < t->n_positions && ok; p += n) {
    memset(plain, 0, n * len);
    for (size_t i = 0; i < n; i++) scratch_text[i].tag = t->tags + (p + i) * SL_AEAD_TAG_LEN;
    ok = oracle->prepare(state, &scratch) && oracle->seal(state, t->keys + p);
    for (size_t i = 0; i < n && ok; i++) {
      for (size_t k = 0; k < len; k++) plain[i * len + k] = sealed[i * len + k] ^ t->open.text[i].in[k];
    }
    if (p == 0) memcpy(first_plain, plain, n * len);
    ok = ok && oracle->seal(state, t->keys + p);
    for (size_t i = 0; i < n && ok; i++) ok = memcmp(sealed + i * len, t->open.text[i].in, len) == 0;
  }
  free(scratch_text);
  free(plain);
  free(sealed);
  return ok;
}

void texts_free(struct texts *t) {
  free(t->memory);
  free(t->keys);
  free(t->tags);
  *t = (struct texts){0};
}

size_t texts_warm_calls(const struct texts *t) {
  size_t n = t->n_positions < WARM_RECORDS_MAX ? t->n_positions : WARM_RECORDS_MAX;
  return n / t->seal.n;
}

size_t texts_least_calls(const struct texts *t) {
  size_t n = t->n_positions < COLD_SAMPLE_RECORDS ? t->n_positions : COLD_SAMPLE_RECORDS;
  return t->n_keys <= HOT_KEYS_MAX ? 1 : n / t->seal.n;
}
