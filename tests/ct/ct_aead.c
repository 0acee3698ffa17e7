/* ct_aead.c - key expansion, sealing and opening, with key and text secret, of every AEAD kernel valgrind can run. */
#include "ct.h"

enum { N = 5, LEN_MAX = 1350 };

static const size_t lens[] = {0, 1, 15, 16, 17, 64, 255, 256, 600, LEN_MAX};

static struct sl_aead_key keys[N];
static struct sl_aead_job jobs[N];
static uint8_t aad[13];
static uint8_t text[N][LEN_MAX], sealed[N][LEN_MAX + 1], opened[N][LEN_MAX], tags[N][SL_AEAD_TAG_LEN];

/* Jobs of different keys and lengths, all in one call. */
static void describe(size_t first_len, bool is_open) {
  for (size_t i = 0; i < N; i++) {
    jobs[i] = (struct sl_aead_job){.key = &keys[i],
                                   .aad = aad,
                                   .aad_len = (uint32_t)(i % sizeof aad),
                                   .in = is_open ? sealed[i] : text[i],
                                   .out = is_open ? opened[i] : sealed[i],
                                   .tag = tags[i],
                                   .len = lens[(first_len + i) % (sizeof lens / sizeof lens[0])],
                                   .tail_len = i & 1,
                                   .tail = 23};
  }
}

/* The jobs again, as the provider gives them to a kernel: the last one's text stays, and its tag becomes the right one. */
static void open_and_leave(void) {
  struct sl_aead_job *list[N];
  for (size_t i = 0; i < N; i++) {
    list[i] = &jobs[i];
    jobs[i].err = SL_E_PENDING;
  }
  uint8_t wrong = tags[N - 1][3];
  keys[0].ops->open(list, N);
  assert_int_equal(jobs[N - 1].err, SL_E_AUTH);
  sl_declassify(tags[N - 1], SL_AEAD_TAG_LEN); /* the test's own question */
  assert_int_equal(tags[N - 1][3], wrong ^ 0x10);
}

static void check(const struct sl_kernel *kernel, enum sl_aead aead) {
  for (size_t i = 0; i < N; i++) {
    uint8_t secret[32];
    size_t secret_len = sl_aead_secret_len(aead);
    ct_make_secret(secret, secret_len);
    assert_int_equal(sl_aead_key_init_kernel(&keys[i], aead, secret, secret_len, kernel->name), SL_OK);
    ct_make_secret(text[i], sizeof text[i]);
  }
  for (size_t first_len = 0; first_len < sizeof lens / sizeof lens[0]; first_len++) {
    describe(first_len, false);
    assert_int_equal(sl_aead_seal(jobs, N), 0);
    sl_declassify(sealed, sizeof sealed); /* they go on the wire */
    sl_declassify(tags, sizeof tags);

    describe(first_len, true);
    tags[N - 1][3] ^= 0x10;
    assert_int_equal(sl_aead_open(jobs, N), 1);
    assert_int_equal(jobs[N - 1].err, SL_E_AUTH);
    for (size_t i = 0; i < N - 1; i++) {
      uint32_t differs = sl_differ(opened[i], text[i], jobs[i].len);
      sl_declassify(&differs, sizeof differs); /* the test's own question */
      assert_int_equal(differs, 0);
    }
    open_and_leave();
    tags[N - 1][3] ^= 0x10;
  }
  for (size_t i = 0; i < N; i++) sl_aead_key_wipe(&keys[i]);
}

static void check_gcm(const struct sl_kernel *kernel) {
  check(kernel, SL_AES_128_GCM);
  check(kernel, SL_AES_256_GCM);
}

static void check_chapoly(const struct sl_kernel *kernel) {
  check(kernel, SL_CHACHA20_POLY1305);
}

static void aes_gcm(void **state) {
  (void)state;
  ct_each_kernel(SL_ALG_AES_GCM, check_gcm);
}

static void chacha20_poly1305(void **state) {
  (void)state;
  ct_each_kernel(SL_ALG_CHACHA20_POLY1305, check_chapoly);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(aes_gcm), cmocka_unit_test(chacha20_poly1305)};
  return cmocka_run_group_tests_name("ct_aead", tests, NULL, NULL);
}
