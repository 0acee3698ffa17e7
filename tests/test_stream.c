/* test_stream.c - texts in pieces (engine/stream.h): every kernel, cut anywhere, against whole texts sealed by jobs and by
 * libcrypto. */
#include "each_kernel.h"
#include "guard.h"
#include "stream.h"
#include "unit.h"
#include <openssl/evp.h>

enum { TEXT_MAX = 20000, AAD_MAX = 200 };

struct text {
  uint8_t secret[32], nonce[64], aad[AAD_MAX], plain[TEXT_MAX], sealed[TEXT_MAX], tag[16];
  size_t nonce_len, aad_len, len;
};

static void seal_by_job(struct text *t, const struct sl_aead_key *key) {
  struct sl_aead_job job = {.key = key,
                            .aad = t->aad,
                            .aad_len = (uint32_t)t->aad_len,
                            .in = t->plain,
                            .out = t->sealed,
                            .tag = t->tag,
                            .len = t->len};
  memcpy(job.nonce, t->nonce, sizeof job.nonce);
  assert_int_equal(sl_aead_seal(&job, 1), 0);
}

/* Sealed or opened in pieces of at most piece_max bytes, in place or apart, with a fork somewhere. */
static void in_pieces(const struct text *t, const struct sl_aead_key *key, bool is_open, size_t piece_max,
                      uint64_t *seed) {
  static uint8_t buffer[TEXT_MAX];
  static struct sl_stream_room rooms[2];
  const uint8_t *from = is_open ? t->sealed : t->plain, *want = is_open ? t->plain : t->sealed;
  struct sl_stream s, fork = {0};
  uint8_t tag[16];
  bool in_place = random_below(seed, 2);
  struct sl_stream_room *room = random_below(seed, 2) ? &rooms[0] : NULL, *fork_room = room != NULL ? &rooms[1] : NULL;
  assert_int_equal(sl_stream_start(&s, key, t->nonce, t->nonce_len), SL_OK);
  for (size_t at = 0, n; at < t->aad_len; at += n) {
    n = 1 + random_below(seed, piece_max);
    if (n > t->aad_len - at) n = t->aad_len - at;
    assert_int_equal(sl_stream_aad(&s, key, t->aad + at, n), SL_OK);
  }
  memset(buffer, 0xee, sizeof buffer);
  if (in_place) memcpy(buffer, from, t->len);
  for (size_t at = 0, n; at < t->len; at += n) {
    n = random_below(seed, piece_max + 1);
    if (n > t->len - at) n = t->len - at;
    if (fork.ops == NULL && random_below(seed, 4) == 0) fork = s, rooms[1] = rooms[0];
    assert_int_equal(sl_stream_text(&s, key, room, buffer + at, in_place ? buffer + at : from + at, n, is_open), SL_OK);
  }
  assert_memory_equal(buffer, want, t->len);
  bool was_in_room = s.room_len > 0;
  sl_stream_tag(&s, key, room, tag);
  assert_memory_equal(tag, t->tag, 16);
  assert_null(s.ops);
  for (size_t i = 0; was_in_room && i < SL_STREAM_ROOM_LEN; i++) assert_int_equal(rooms[0].ahead[i], 0);

  /* The fork goes on from where it was, in one piece. */
  if (fork.ops == NULL) return;
  size_t done = (size_t)fork.text_len;
  assert_int_equal(sl_stream_text(&fork, key, fork_room, buffer, from + done, t->len - done, is_open), SL_OK);
  assert_memory_equal(buffer, want + done, t->len - done);
  sl_stream_tag(&fork, key, fork_room, tag);
  assert_memory_equal(tag, t->tag, 16);
}

static void each_kernel(void (*test)(const struct aead_kernel *k)) {
  struct aead_kernel kernels[AEAD_KERNELS_MAX];
  say_what_is_missing();
  for (size_t i = 0, n = each_aead_kernel(kernels); i < n; i++) {
    if (kernels[i].kernel->stream.start == NULL) {
      printf("  n/a %s: has no texts in pieces\n", kernels[i].kernel->name);
      continue;
    }
    test(&kernels[i]);
  }
}

static struct sl_aead_key make_key(const struct aead_kernel *k, const uint8_t *secret) {
  struct sl_aead_key key;
  sl_err err = sl_aead_key_init_kernel(&key, k->aead, secret, sl_aead_secret_len(k->aead), k->kernel->name);
  assert_int_equal(err, SL_OK);
  return key;
}

static void cut_anywhere(const struct aead_kernel *k) {
  static struct text t;
  uint64_t seed = 1;
  for (size_t n = 0; n < 700; n++) {
    t.nonce_len = 12;
    t.len = n < 300 ? n : random_below(&seed, TEXT_MAX);
    t.aad_len = random_below(&seed, n % 3 ? 40 : AAD_MAX);
    fill_random(t.secret, sizeof t.secret, seed);
    fill_random(t.nonce, sizeof t.nonce, seed + 1);
    fill_random(t.aad, sizeof t.aad, seed + 2);
    fill_random(t.plain, t.len, seed + 3);
    struct sl_aead_key key = make_key(k, t.secret);
    seal_by_job(&t, &key);
    static const size_t pieces[] = {1, 17, 70, 1000, TEXT_MAX};
    size_t piece_max = pieces[random_below(&seed, t.len < 1000 ? 5 : 4) + (t.len < 1000 ? 0 : 1)];
    in_pieces(&t, &key, false, piece_max, &seed);
    in_pieces(&t, &key, true, piece_max, &seed);
  }
}

static void test_cut_anywhere(void **state) {
  (void)state;
  each_kernel(cut_anywhere);
}

/* A piece of any number of blocks, and of some more bytes, from any counter on: where kernels change from one way of doing
 * them to another. */
static void every_place(const struct aead_kernel *k) {
  static struct text t;
  static uint8_t buffer[TEXT_MAX];
  fill_random(t.secret, sizeof t.secret, 5);
  fill_random(t.nonce, 12, 6);
  struct sl_aead_key key = make_key(k, t.secret);
  for (size_t before = 0; before <= 16; before++) {
    for (size_t n = 1; n <= 70; n++) {
      t.len = 16 * (before + n) + (before + n) % 16;
      fill_random(t.plain, t.len, 100 * before + n);
      seal_by_job(&t, &key);
      for (int is_open = 0; is_open < 2; is_open++) {
        struct sl_stream s;
        const uint8_t *from = is_open ? t.sealed : t.plain;
        uint8_t tag[16];
        assert_int_equal(sl_stream_start(&s, &key, t.nonce, 12), SL_OK);
        assert_int_equal(sl_stream_text(&s, &key, NULL, buffer, from, 16 * before, is_open), SL_OK);
        assert_int_equal(
            sl_stream_text(&s, &key, NULL, buffer + 16 * before, from + 16 * before, t.len - 16 * before, is_open),
            SL_OK);
        assert_memory_equal(buffer, is_open ? t.plain : t.sealed, t.len);
        sl_stream_tag(&s, &key, NULL, tag);
        assert_memory_equal(tag, t.tag, 16);
      }
    }
  }
}

static void test_every_place(void **state) {
  (void)state;
  each_kernel(every_place);
}

/* Nonces that are not 96 bits long, whose counters may begin anywhere and go round: only libcrypto has these. */
static void any_nonce(const struct aead_kernel *k) {
  static struct text t;
  uint64_t seed = 2;
  if (k->aead == SL_CHACHA20_POLY1305) return;
  const EVP_CIPHER *cipher = k->aead == SL_AES_128_GCM ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
  for (size_t n = 1; n <= sizeof t.nonce; n++) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len;
    t.nonce_len = n;
    t.len = random_below(&seed, TEXT_MAX);
    t.aad_len = random_below(&seed, AAD_MAX);
    fill_random(t.secret, sizeof t.secret, seed);
    fill_random(t.nonce, sizeof t.nonce, seed + 1);
    fill_random(t.plain, t.len, seed + 3);
    assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, NULL, NULL), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)n, NULL), 1);
    assert_int_equal(EVP_EncryptInit_ex(ctx, NULL, NULL, t.secret, t.nonce), 1);
    if (t.aad_len > 0) assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &len, t.aad, (int)t.aad_len), 1);
    if (t.len > 0) assert_int_equal(EVP_EncryptUpdate(ctx, t.sealed, &len, t.plain, (int)t.len), 1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, t.sealed + t.len, &len), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, t.tag), 1);
    EVP_CIPHER_CTX_free(ctx);
    struct sl_aead_key key = make_key(k, t.secret);
    in_pieces(&t, &key, false, 300, &seed);
    in_pieces(&t, &key, true, 300, &seed);
  }
}

static void test_any_nonce(void **state) {
  (void)state;
  each_kernel(any_nonce);
}

/* A counter that goes round, anywhere in a vector: the text under it is what it is in single blocks. */
static void counter_goes_round(const struct aead_kernel *k) {
  static const uint8_t zeros[TEXT_MAX];
  static uint8_t whole[TEXT_MAX];
  uint8_t secret[32] = {1}, nonce[12] = {2};
  if (k->aead == SL_CHACHA20_POLY1305) return; /* its counter never does */
  struct sl_aead_key key = make_key(k, secret);
  for (uint32_t before = 1; before < 40; before++) {
    struct sl_stream s, single;
    assert_int_equal(sl_stream_start(&s, &key, nonce, sizeof nonce), SL_OK);
    s.counter = 0 - before;
    single = s;
    assert_int_equal(sl_stream_text(&s, &key, NULL, whole, zeros, 60 * 16, false), SL_OK);
    for (size_t i = 0; i < 60; i++) {
      uint8_t block[16];
      assert_int_equal(sl_stream_text(&single, &key, NULL, block, zeros, 16, false), SL_OK);
      assert_memory_equal(whole + 16 * i, block, 16);
    }
    assert_int_equal(s.counter, 60 - before);
    assert_int_equal(single.counter, s.counter);
  }
}

static void test_counter_goes_round(void **state) {
  (void)state;
  each_kernel(counter_goes_round);
}

/* The end of the longest text that ChaCha20's counter has blocks for, `before` of them, after AAD and in pieces: text and tag. */
static void end_longest(const struct sl_aead_key *key, struct sl_stream_room *room, uint8_t *out, const uint8_t *in,
                        uint32_t before, size_t len, size_t piece_len, uint8_t tag[16]) {
  struct sl_stream s;
  uint8_t nonce[12] = {2};
  assert_int_equal(sl_stream_start(&s, key, nonce, sizeof nonce), SL_OK);
  assert_int_equal(sl_stream_aad(&s, key, in, 16), SL_OK);
  s.counter = 0 - before;
  s.text_len = 64 * ((UINT64_C(1) << 32) - 1 - before);
  for (size_t at = 0, n; at < len; at += n) {
    n = len - at < piece_len ? len - at : piece_len;
    assert_int_equal(sl_stream_text(&s, key, room, out + at, in + at, n, false), SL_OK);
  }
  if (len == 64 * before) assert_int_equal(sl_stream_text(&s, key, room, out, in, 1, false), SL_E_LENGTH);
  sl_stream_tag(&s, key, room, tag);
}

/* To the counter's end, where the next one would be 0 again; with a room, key stream is made beyond that. */
static void longest(const struct aead_kernel *k) {
  enum { BLOCKS = 300 };
  static uint8_t in[64 * BLOCKS], out[64 * BLOCKS], want[64 * BLOCKS];
  static struct sl_stream_room room;
  uint8_t secret[32] = {1}, tag[16], want_tag[16];
  if (k->aead != SL_CHACHA20_POLY1305) return; /* GCM's texts end before its counter is where it began */
  const struct aead_kernel oracle = {sl_kernel_named(oracle_of(k->aead)), k->aead};
  struct sl_aead_key key = make_key(k, secret), oracle_key = make_key(&oracle, secret);
  fill_random(in, sizeof in, 7);
  for (uint32_t before = 1; before <= BLOCKS; before++) {
    for (unsigned is_short = 0; is_short < 2; is_short++) {
      size_t len = 64 * before - 40 * is_short;
      end_longest(&oracle_key, NULL, want, in, before, len, len, want_tag);
      for (unsigned has_room = 0; has_room < 2; has_room++) {
        end_longest(&key, has_room ? &room : NULL, out, in, before, len, 100, tag);
        assert_memory_equal(out, want, len);
        assert_memory_equal(tag, want_tag, 16);
      }
    }
  }
}

static void test_longest(void **state) {
  (void)state;
  each_kernel(longest);
}

/* Nothing outside the piece is read or written: it ends where memory ends. */
static void stays_inside(const struct aead_kernel *k) {
  struct guard g = guard_new(4096);
  uint8_t secret[32] = {1}, nonce[12] = {2}, tag[16];
  struct sl_aead_key key = make_key(k, secret);
  for (size_t len = 1; len < 700; len++) {
    for (unsigned side = 0; side < 2; side++) {
      struct sl_stream s;
      uint8_t *text = guard_place(&g, len, side == 0, NULL);
      assert_int_equal(sl_stream_start(&s, &key, nonce, sizeof nonce), SL_OK);
      assert_int_equal(sl_stream_aad(&s, &key, text, len), SL_OK);
      assert_int_equal(sl_stream_text(&s, &key, NULL, text, text, len, len % 2), SL_OK);
      sl_stream_tag(&s, &key, NULL, tag);
      assert_true(guard_is_intact(&g));
    }
  }
  guard_free(&g);
}

static void test_stays_inside(void **state) {
  (void)state;
  each_kernel(stays_inside);
}

/* A text whose beginning was sealed whole goes on as a stream, and ends as the whole of it does. */
static void goes_on(const struct aead_kernel *k) {
  static struct text t;
  static uint8_t rest[TEXT_MAX];
  uint64_t seed = 1;
  for (size_t n = 0; n < 200; n++) {
    struct sl_stream s;
    uint8_t whole[16], tag[16];
    t.nonce_len = 12;
    t.aad_len = random_below(&seed, AAD_MAX);
    size_t begin = n < 100 ? n : random_below(&seed, TEXT_MAX), len = begin + random_below(&seed, TEXT_MAX - begin);
    fill_random(t.secret, sizeof t.secret, seed);
    fill_random(t.nonce, sizeof t.nonce, seed + 1);
    fill_random(t.aad, sizeof t.aad, seed + 2);
    fill_random(t.plain, len, seed + 3);
    struct sl_aead_key key = make_key(k, t.secret);
    t.len = len;
    seal_by_job(&t, &key);
    memcpy(whole, t.tag, sizeof whole);
    memcpy(rest, t.sealed + begin, len - begin);
    t.len = begin;
    seal_by_job(&t, &key);
    sl_err err = sl_stream_resume(&s, &key, t.nonce, t.aad_len, begin, t.sealed + begin / 16 * 16, t.tag);
    assert_int_equal(err, k->aead == SL_CHACHA20_POLY1305 ? SL_E_KEY : SL_OK);
    if (err != SL_OK) continue;
    size_t cut = random_below(&seed, len - begin + 1);
    uint8_t *at = t.plain + begin;
    assert_int_equal(sl_stream_text(&s, &key, NULL, at, at, cut, false), SL_OK);
    assert_int_equal(sl_stream_text(&s, &key, NULL, at + cut, at + cut, len - begin - cut, false), SL_OK);
    sl_stream_tag(&s, &key, NULL, tag);
    assert_memory_equal(at, rest, len - begin);
    assert_memory_equal(tag, whole, sizeof whole);
  }
}

static void test_goes_on(void **state) {
  (void)state;
  each_kernel(goes_on);
}

static void refuses(const struct aead_kernel *k) {
  uint8_t secret[32] = {1}, nonce[13] = {2}, byte = 0;
  struct sl_aead_key key = make_key(k, secret), empty = {0};
  struct sl_stream s = {0};
  bool is_gcm = k->aead != SL_CHACHA20_POLY1305;
  assert_int_equal(sl_stream_text(&s, &key, NULL, &byte, &byte, 1, false), SL_E_STATE);
  assert_int_equal(sl_stream_aad(&s, &key, &byte, 1), SL_E_STATE);
  assert_int_equal(sl_stream_start(&s, &empty, nonce, 12), SL_E_KEY);
  assert_int_equal(sl_stream_start(&s, &key, nonce, 0), SL_E_ARG);
  assert_int_equal(sl_stream_start(&s, &key, nonce, 13), is_gcm ? SL_OK : SL_E_ARG);
  assert_int_equal(sl_stream_start(&s, &key, nonce, 12), SL_OK);
  assert_int_equal(sl_stream_aad(&s, &key, &byte, 1), SL_OK);
  assert_int_equal(sl_stream_text(&s, &key, NULL, &byte, &byte, 1, false), SL_OK);
  assert_int_equal(sl_stream_aad(&s, &key, &byte, 1), SL_E_STATE);
  s.text_len = is_gcm ? SL_AEAD_TEXT_MAX - 1 : ((UINT64_C(1) << 32) - 1) * 64 - 1;
  assert_int_equal(sl_stream_text(&s, &key, NULL, &byte, &byte, 2, false), SL_E_LENGTH);
  assert_int_equal(sl_stream_text(&s, &key, NULL, &byte, &byte, 1, false), SL_OK);
  assert_int_equal(sl_stream_text(&s, &key, NULL, &byte, &byte, 1, false), SL_E_LENGTH);
}

static void test_refuses(void **state) {
  (void)state;
  each_kernel(refuses);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_every_place),
      cmocka_unit_test(test_any_nonce),    cmocka_unit_test(test_counter_goes_round),
      cmocka_unit_test(test_longest),      cmocka_unit_test(test_stays_inside),
      cmocka_unit_test(test_refuses),      cmocka_unit_test(test_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
