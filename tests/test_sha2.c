/* test_sha2.c - SHA-2: published vectors through every kernel, every way to cut a message, libcrypto for the rest. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_CTX: the only oracle whose length counter can be set */
#include "engine/sha2.h"
#include "guard.h"
#include "primitives.h"
#include "unit.h"
#include "vectors.h"
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

static const enum sl_hash hashes[] = {SL_SHA256, SL_SHA384, SL_SHA512};
#define N_HASHES (sizeof hashes / sizeof hashes[0])

static uint8_t data[1 << 20];

static int setup(void **state) {
  (void)state;
  fill(data, sizeof data, 1);
  say_what_cannot_run(SL_ALG_SHA256);
  say_what_cannot_run(SL_ALG_SHA512);
  return 0;
}

static enum sl_algorithm algorithm_of(enum sl_hash hash) {
  return hash == SL_SHA256 ? SL_ALG_SHA256 : SL_ALG_SHA512;
}

static struct sl_hash_ctx start(enum sl_hash hash, const struct sl_kernel *kernel) {
  struct sl_hash_ctx ctx;
  assert_int_equal(sl_hash_init(&ctx, hash), SL_OK);
  ctx.ops = &kernel->sha2;
  return ctx;
}

static void digest(uint8_t *out, enum sl_hash hash, const struct sl_kernel *kernel, const uint8_t *in, size_t len) {
  struct sl_hash_ctx ctx = start(hash, kernel);
  sl_hash_update(&ctx, in, len);
  sl_hash_final(&ctx, out);
}

static void digest_by_libcrypto(uint8_t *out, enum sl_hash hash, const uint8_t *in, size_t len) {
  const EVP_MD *md = hash == SL_SHA256 ? EVP_sha256() : hash == SL_SHA384 ? EVP_sha384() : EVP_sha512();
  assert_int_equal(EVP_Digest(in, len, out, NULL, md, NULL), 1);
}

static enum sl_hash hash_named(const struct vectors *v) {
  const char *name = vectors_word(v, "alg");
  if (strcmp(name, "sha256") == 0) return SL_SHA256;
  if (strcmp(name, "sha384") == 0) return SL_SHA384;
  assert_string_equal(name, "sha512");
  return SL_SHA512;
}

static void nist_messages(void **state) {
  (void)state;
  struct vectors v;
  for (vectors_open(&v, "sha2_nist.txt"); vectors_next(&v);) {
    size_t msg_len, want_len;
    enum sl_hash hash = hash_named(&v);
    const uint8_t *msg = vectors_bytes(&v, "msg", &msg_len), *want = vectors_bytes(&v, "digest", &want_len);
    uint8_t got[SL_HASH_LEN_MAX];
    assert_int_equal(want_len, sl_hash_len(hash));
    assert_int_equal(sl_hash_once(hash, msg, msg_len, got), SL_OK);
    assert_memory_equal(got, want, want_len);
    size_t place = 0;
    for (const struct sl_kernel *k; (k = next_kernel(algorithm_of(hash), &place)) != NULL;) {
      digest(got, hash, k, msg, msg_len);
      if (memcmp(got, want, want_len) != 0) fail_msg("%s: %s", k->name, vectors_where(&v));
    }
  }
  vectors_close(&v);
}

static void nist_monte_carlo(void **state) {
  (void)state;
  struct vectors v;
  for (vectors_open(&v, "sha2_monte_nist.txt"); vectors_next(&v);) {
    size_t seed_len, want_len, place = 0;
    enum sl_hash hash = hash_named(&v);
    const uint8_t *seed = vectors_bytes(&v, "seed", &seed_len), *want = vectors_bytes(&v, "digest", &want_len);
    const size_t len = sl_hash_len(hash);
    assert_int_equal(seed_len, len);
    assert_int_equal(want_len, len);
    for (const struct sl_kernel *k; (k = next_kernel(algorithm_of(hash), &place)) != NULL;) {
      uint8_t now[SL_HASH_LEN_MAX], abc[3 * SL_HASH_LEN_MAX];
      memcpy(now, seed, len);
      for (uint64_t round = 0; round < vectors_number(&v, "rounds"); round++) {
        for (size_t i = 0; i < 3; i++) memcpy(abc + i * len, now, len);
        for (int i = 0; i < 1000; i++) {
          digest(now, hash, k, abc, 3 * len);
          memmove(abc, abc + len, 2 * len);
          memcpy(abc + 2 * len, now, len);
        }
      }
      if (memcmp(now, want, len) != 0) fail_msg("%s: %s", k->name, vectors_where(&v));
    }
  }
  vectors_close(&v);
}

/* Every length from 0 to 300 - more than two of the largest blocks - cut in two at every place. */
static void every_cut(void **state) {
  (void)state;
  for (size_t h = 0; h < N_HASHES; h++) {
    const size_t hash_len = sl_hash_len(hashes[h]);
    size_t place = 0;
    for (const struct sl_kernel *k; (k = next_kernel(algorithm_of(hashes[h]), &place)) != NULL;)
      for (size_t len = 0; len <= 300; len++) {
        uint8_t want[SL_HASH_LEN_MAX], got[SL_HASH_LEN_MAX];
        digest_by_libcrypto(want, hashes[h], data, len);
        for (size_t cut = 0; cut <= len; cut++) {
          struct sl_hash_ctx ctx = start(hashes[h], k);
          sl_hash_update(&ctx, data, cut);
          sl_hash_update(&ctx, data + cut, len - cut);
          sl_hash_final(&ctx, got);
          if (memcmp(got, want, hash_len) != 0) fail_msg("%s: length %zu cut at %zu", k->name, len, cut);
        }
        struct sl_hash_ctx ctx = start(hashes[h], k);
        for (size_t i = 0; i < len; i++) {
          sl_hash_update(&ctx, data + i, 1);
          sl_hash_update(&ctx, NULL, 0);
        }
        sl_hash_final(&ctx, got);
        assert_memory_equal(got, want, hash_len);
      }
  }
}

static void long_messages_in_random_pieces(void **state) {
  (void)state;
  for (size_t h = 0; h < N_HASHES; h++) {
    size_t place = 0;
    for (const struct sl_kernel *k; (k = next_kernel(algorithm_of(hashes[h]), &place)) != NULL;)
      for (uint64_t round = 0; round < 20; round++) {
        uint8_t want[SL_HASH_LEN_MAX], got[SL_HASH_LEN_MAX];
        const size_t from = number(round, 64), len = number(round + 100, sizeof data - 64);
        uint64_t n_pieces = 0;
        digest_by_libcrypto(want, hashes[h], data + from, len);
        struct sl_hash_ctx ctx = start(hashes[h], k);
        for (size_t done = 0, piece; done < len; done += piece) {
          n_pieces++;
          piece = number(n_pieces + 1000 * round, n_pieces % 4 == 0 ? 100000 : 300);
          if (piece > len - done) piece = len - done;
          sl_hash_update(&ctx, data + from + done, piece);
        }
        sl_hash_final(&ctx, got);
        if (memcmp(got, want, sl_hash_len(hashes[h])) != 0) fail_msg("%s: round %d", k->name, (int)round);
      }
  }
}

/* The length in bits passes 32 bits, and for SHA-512 64 bits: both counters are set to what nobody can wait for. */
static void length_counters(void **state) {
  (void)state;
  static const uint64_t lens[] = {UINT64_C(1) << 29, (UINT64_C(1) << 29) + 64 * 77, UINT64_C(1) << 60,
                                  UINT64_C(0x1fffffffffffff80)};
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
    uint8_t want[SL_HASH_LEN_MAX], got[SL_HASH_LEN_MAX];
    SHA256_CTX ref256;
    struct sl_hash_ctx ctx;
    SHA256_Init(&ref256);
    ref256.Nl = (uint32_t)(lens[i] << 3);
    ref256.Nh = (uint32_t)(lens[i] >> 29);
    SHA256_Update(&ref256, data, 100);
    SHA256_Final(want, &ref256);
    assert_int_equal(sl_hash_init(&ctx, SL_SHA256), SL_OK);
    ctx.total_len = lens[i];
    sl_hash_update(&ctx, data, 100);
    sl_hash_final(&ctx, got);
    assert_memory_equal(got, want, 32);
  }
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
    /* Sixteen times as many: bits above the 64th. */
    const uint64_t len = lens[i] << 3;
    uint8_t want[SL_HASH_LEN_MAX], got[SL_HASH_LEN_MAX];
    SHA512_CTX ref512;
    struct sl_hash_ctx ctx;
    SHA512_Init(&ref512);
    ref512.Nl = len << 3;
    ref512.Nh = len >> 61;
    SHA512_Update(&ref512, data, 100);
    SHA512_Final(want, &ref512);
    assert_int_equal(sl_hash_init(&ctx, SL_SHA512), SL_OK);
    ctx.total_len = len;
    sl_hash_update(&ctx, data, 100);
    sl_hash_final(&ctx, got);
    assert_memory_equal(got, want, 64);
  }
}

/* A copy taken anywhere goes its own way, peeking changes nothing. */
static void copies_and_peeks(void **state) {
  (void)state;
  for (size_t h = 0; h < N_HASHES; h++)
    for (size_t at = 0; at <= 300; at++) {
      const size_t hash_len = sl_hash_len(hashes[h]);
      uint8_t want[SL_HASH_LEN_MAX], got[SL_HASH_LEN_MAX];
      uint8_t forked[700];
      struct sl_hash_ctx ctx, fork;
      assert_int_equal(sl_hash_init(&ctx, hashes[h]), SL_OK);
      sl_hash_update(&ctx, data, at);
      fork = ctx;
      sl_hash_peek(&ctx, got);
      digest_by_libcrypto(want, hashes[h], data, at);
      assert_memory_equal(got, want, hash_len);
      assert_memory_equal(&fork, &ctx, sizeof ctx);

      sl_hash_update(&ctx, data + at, 200);
      sl_hash_update(&fork, data + 5000, 200);
      sl_hash_final(&ctx, got);
      digest_by_libcrypto(want, hashes[h], data, at + 200);
      assert_memory_equal(got, want, hash_len);
      memcpy(forked, data, at);
      memcpy(forked + at, data + 5000, 200);
      digest_by_libcrypto(want, hashes[h], forked, at + 200);
      sl_hash_final(&fork, got);
      assert_memory_equal(got, want, hash_len);
    }
}

static void output_may_lie_in_the_input(void **state) {
  (void)state;
  for (size_t h = 0; h < N_HASHES; h++)
    for (size_t at = 0; at + SL_HASH_LEN_MAX <= 256; at += 13) {
      const size_t hash_len = sl_hash_len(hashes[h]);
      uint8_t buffer[256], want[SL_HASH_LEN_MAX];
      memcpy(buffer, data, sizeof buffer);
      digest_by_libcrypto(want, hashes[h], data, sizeof buffer);
      assert_int_equal(sl_hash_once(hashes[h], buffer, sizeof buffer, buffer + at), SL_OK);
      assert_memory_equal(buffer + at, want, hash_len);
      assert_memory_equal(buffer, data, at);
      assert_memory_equal(buffer + at + hash_len, data + at + hash_len, sizeof buffer - at - hash_len);
    }
}

/* Input and output at either end of mapped memory, through every kernel: nothing outside is touched. */
static void guard_pages(void **state) {
  (void)state;
  struct guard in = guard_new(600), out = guard_new(SL_HASH_LEN_MAX);
  for (size_t h = 0; h < N_HASHES; h++) {
    const size_t hash_len = sl_hash_len(hashes[h]);
    size_t place = 0;
    for (const struct sl_kernel *k; (k = next_kernel(algorithm_of(hashes[h]), &place)) != NULL;)
      for (size_t len = 0; len <= 600; len++) {
        uint8_t want[SL_HASH_LEN_MAX];
        digest_by_libcrypto(want, hashes[h], data, len);
        memcpy(guard_after(&in, len), data, len);
        digest(guard_before(&out, hash_len), hashes[h], k, guard_after(&in, len), len);
        assert_memory_equal(guard_before(&out, hash_len), want, hash_len);
        memmove(guard_before(&in, len), data, len);
        digest(guard_after(&out, hash_len), hashes[h], k, guard_before(&in, len), len);
        assert_memory_equal(guard_after(&out, hash_len), want, hash_len);
      }
  }
  guard_free(&in);
  guard_free(&out);
}

static void empty_and_wiped_objects(void **state) {
  (void)state;
  static const struct sl_hash_ctx empty;
  uint8_t out[SL_HASH_LEN_MAX], untouched[SL_HASH_LEN_MAX];
  struct sl_hash_ctx ctx = {0};
  memset(out, 0x5a, sizeof out);
  memcpy(untouched, out, sizeof out);

  sl_hash_update(&ctx, data, 1000);
  sl_hash_peek(&ctx, out);
  sl_hash_final(&ctx, out);
  assert_memory_equal(&ctx, &empty, sizeof ctx);
  assert_memory_equal(out, untouched, sizeof out);

  for (size_t h = 0; h < N_HASHES; h++) {
    assert_int_equal(sl_hash_init(&ctx, hashes[h]), SL_OK);
    sl_hash_update(&ctx, data, 1000);
    sl_hash_final(&ctx, out);
    assert_memory_equal(&ctx, &empty, sizeof ctx);
    assert_memory_equal(out + sl_hash_len(hashes[h]), untouched, sizeof out - sl_hash_len(hashes[h]));
    memcpy(out, untouched, sizeof out);
  }

  static const enum sl_hash unknown[] = {SL_HASH_NONE, SL_HASH_END, (enum sl_hash)1000, (enum sl_hash) - 1};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    memset(&ctx, 0x5a, sizeof ctx);
    assert_int_equal(sl_hash_init(&ctx, unknown[i]), SL_E_ARG);
    assert_memory_equal(&ctx, &empty, sizeof ctx);
    assert_int_equal(sl_hash_once(unknown[i], data, 10, out), SL_E_ARG);
    assert_memory_equal(out, untouched, sizeof out);
    assert_int_equal(sl_hash_len(unknown[i]), 0);
    assert_int_equal(sl_hash_block_len(unknown[i]), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nist_messages),
      cmocka_unit_test(nist_monte_carlo),
      cmocka_unit_test(every_cut),
      cmocka_unit_test(long_messages_in_random_pieces),
      cmocka_unit_test(length_counters),
      cmocka_unit_test(copies_and_peeks),
      cmocka_unit_test(output_may_lie_in_the_input),
      cmocka_unit_test(guard_pages),
      cmocka_unit_test(empty_and_wiped_objects),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
