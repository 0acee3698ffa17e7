/* test_huge.c - texts over 4 GiB and AAD over 2^29 bytes, where 32 bits of a length, or of a length in bits, no longer do; on
 * every AEAD kernel, against libcrypto. The memory is one window of a few MiB, mapped again and again. */
#define _GNU_SOURCE
#include "unit.h"

#include "each_kernel.h"
#include <openssl/evp.h>
#include <sys/mman.h>
#include <unistd.h>

/* 7 bytes short of a page: an end that is no end of a block. */
#define TEXT_LEN (UINT64_C(0x100000000) + 3 * 4096 - 7)
#define AAD_LEN  (UINT64_C(0x20000000) + 4096 - 7)
#define WINDOW   (UINT64_C(8) << 20)

static uint8_t *in, *out; /* TEXT_LEN bytes of address space each; a window apart, bytes of out are the same memory */

static uint8_t *map_windows(size_t len) {
  int fd = memfd_create("window", MFD_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(ftruncate(fd, WINDOW), 0);
  size_t n = (len + WINDOW - 1) / WINDOW;
  uint8_t *base = mmap(NULL, n * WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  assert_ptr_not_equal(base, MAP_FAILED);
  for (size_t i = 0; i < n; i++) {
    void *p = mmap(base + i * WINDOW, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
  }
  close(fd);
  return base;
}

static int setup(void **state) {
  (void)state;
  in = map_windows(TEXT_LEN);
  out = map_windows(TEXT_LEN);
  fill_random(in, WINDOW, 1);
  return 0;
}

static const uint8_t nonce[SL_AEAD_NONCE_LEN] = {1, 2, 3};
static const uint8_t secret[32] = {4, 5, 6};

static EVP_CIPHER_CTX *new_ctx(enum sl_aead aead) {
  const EVP_CIPHER *ciphers[SL_AEAD_END] = {NULL, EVP_aes_128_gcm(), EVP_aes_256_gcm(), EVP_chacha20_poly1305()};
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  assert_int_equal(EVP_EncryptInit_ex(ctx, ciphers[aead], NULL, secret, nonce), 1);
  return ctx;
}

static size_t window_at(uint64_t at, uint64_t len) {
  return len - at < WINDOW ? len - at : WINDOW;
}

enum { END = 1 << 16 }; /* bytes of the end of a text that are compared */

/* What comes of aad_len and len bytes of in: as plaintext, or as ciphertext. */
struct wanted {
  uint8_t tag[SL_AEAD_TAG_LEN], end[END];
  size_t end_len;
};

/* As libcrypto has it, a window at a time. in as ciphertext: the key stream makes a plaintext of it, which, sealed, is in again,
 * and has the tag. */
static void want(struct wanted *w, enum sl_aead aead, uint64_t aad_len, uint64_t len, bool is_open) {
  EVP_CIPHER_CTX *ctx = new_ctx(aead), *again = new_ctx(aead);
  static uint8_t text[WINDOW];
  int n;
  for (uint64_t at = 0; at < aad_len; at += WINDOW)
    assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, in + at, (int)window_at(at, aad_len)), 1);
  for (uint64_t at = 0; at < len; at += WINDOW) {
    int piece = (int)window_at(at, len);
    if (is_open) {
      assert_int_equal(EVP_EncryptUpdate(again, out + at, &n, in + at, piece), 1);
      assert_int_equal(EVP_EncryptUpdate(ctx, text, &n, out + at, piece), 1);
    } else {
      assert_int_equal(EVP_EncryptUpdate(ctx, out + at, &n, in + at, piece), 1);
    }
  }
  assert_int_equal(EVP_EncryptFinal_ex(ctx, text, &n), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SL_AEAD_TAG_LEN, w->tag), 1);
  w->end_len = len < END ? len : END;
  memcpy(w->end, out + len - w->end_len, w->end_len);
  EVP_CIPHER_CTX_free(ctx);
  EVP_CIPHER_CTX_free(again);
}

/* Why a kernel is not asked; NULL when it is. */
static const char *reason_not_to(const struct sl_kernel *kernel, uint64_t len, bool is_open) {
  if (len == 0) return NULL;
  if (kernel->needs == 0) return "it would take minutes";
  bool is_two_passes = strcmp(kernel->name, "ipsec_mb_chapoly") == 0;
  return is_two_passes && !is_open ? "it hashes what it wrote after all of it, which here is no longer there" : NULL;
}

static void run_kernel(const struct aead_kernel *k, const struct wanted *w, uint64_t aad_len, uint64_t len,
                       bool is_open) {
  struct sl_aead_key key;
  uint8_t tag[SL_AEAD_TAG_LEN];
  memcpy(tag, w->tag, sizeof tag);
  if (!is_open) memset(tag, 0, sizeof tag);
  memset(out, 0, WINDOW);
  assert_int_equal(sl_aead_key_init_kernel(&key, k->aead, secret, sl_aead_secret_len(k->aead), k->kernel->name), SL_OK);
  struct sl_aead_job job = {
      .key = &key, .aad = in, .in = in, .out = out, .tag = tag, .len = len, .aad_len = (uint32_t)aad_len};
  memcpy(job.nonce, nonce, sizeof nonce);
  size_t n_failed = is_open ? sl_aead_open(&job, 1) : sl_aead_seal(&job, 1);
  bool is_right = n_failed == 0 && memcmp(tag, w->tag, sizeof tag) == 0;
  if (!is_right || memcmp(out + len - w->end_len, w->end, w->end_len) != 0)
    fail_msg("%s, %s, %s, %llu bytes, AAD %llu", k->kernel->name, sl_aead_name(k->aead), is_open ? "open" : "seal",
             (unsigned long long)len, (unsigned long long)aad_len);
  sl_aead_key_wipe(&key);
}

static void try_length(uint64_t aad_len, uint64_t len) {
  static struct wanted w;
  struct aead_kernel kernels[AEAD_KERNELS_MAX];
  size_t n = each_aead_kernel(kernels);
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    for (unsigned is_open = 0; is_open <= 1; is_open++) {
      want(&w, aead, aad_len, len, is_open);
      for (size_t i = 0; i < n; i++) {
        if (kernels[i].aead != aead) continue;
        const char *why_not = reason_not_to(kernels[i].kernel, len, is_open);
        if (why_not != NULL) printf("  n/a %s: %s\n", kernels[i].kernel->name, why_not);
        if (why_not == NULL) run_kernel(&kernels[i], &w, aad_len, len, is_open);
      }
    }
  }
}

static void long_aad(void **state) {
  (void)state;
  try_length(AAD_LEN, 0);
}

static void long_text(void **state) {
  (void)state;
  try_length(0, TEXT_LEN);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(long_aad), cmocka_unit_test(long_text)};
  say_what_is_missing();
  return cmocka_run_group_tests(tests, setup, NULL);
}
