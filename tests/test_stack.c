/* test_stack.c - what AEAD kernels leave on the stack: not the key, nor what gives it or a tag away. They run on stacks that
 * are looked through afterwards. What a compiler spills by itself is not claimed (docs/security.md), but does not do here. */
#define _GNU_SOURCE /* memmem, pthread_attr_setstack */
#include "each_kernel.h"
#include "portable/chacha20.h"
#include "stream.h"
#include "unit.h"
#include <pthread.h>
#include <sys/mman.h>

/* gcc's code without sanitizers. Clang 14 spills the counters' base of long records. */
#if defined(__clang__) || defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
enum { IS_CHECKED_BUILD = 0 };
#else
enum { IS_CHECKED_BUILD = 1 };
#endif

enum { JOBS_MAX = 33, LEN_MAX = 5000, STACK_LEN = 1 << 18, UNUSED = 0xa7 };

static struct sl_aead_key keys[JOBS_MAX];
static struct sl_aead_job jobs[JOBS_MAX];
static uint8_t secrets[JOBS_MAX][32], text[JOBS_MAX][LEN_MAX], sealed[JOBS_MAX][LEN_MAX], tags[JOBS_MAX][16];
static uint8_t aad[13];
static uint8_t *stack;

struct work {
  size_t n, n_failed;
  bool is_open;
};

static void *run(void *arg) {
  struct work *work = arg;
  work->n_failed = work->is_open ? sl_aead_open(jobs, work->n) : sl_aead_seal(jobs, work->n);
  return NULL;
}

/* A text in two pieces. */
struct piece {
  struct sl_stream stream;
  const uint8_t *in;
  uint8_t *out;
  size_t len;
  sl_err err;
  bool is_open;
};

static void *run_piece(void *arg) {
  struct piece *p = arg;
  p->err = sl_stream_text(&p->stream, &keys[0], NULL, p->out, p->in, p->len, p->is_open);
  return NULL;
}

static void *write_down(void *arg) {
  volatile uint8_t copy[1 << 14]; /* most of it below what a thread's end writes over */
  for (size_t i = 0; i < sizeof copy; i++) copy[i] = ((const uint8_t *)arg)[i % 32];
  return (void *)(uintptr_t)copy[0];
}

static void run_on_stack(void *(*body)(void *), void *arg) {
  pthread_attr_t attr;
  pthread_t thread;
  memset(stack, UNUSED, STACK_LEN);
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstack(&attr, stack, STACK_LEN), 0);
  assert_int_equal(pthread_create(&thread, &attr, body, arg), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(pthread_attr_destroy(&attr), 0);
}

static void check_absent(const struct aead_kernel *k, const char *what, const uint8_t *bytes, size_t len) {
  if (memmem(stack, STACK_LEN, bytes, len) == NULL) return;
  fail_msg("%s, %s: %s is left on the stack", k->kernel->name, sl_aead_name(k->aead), what);
}

/* E(J0), which hides a tag: that of nothing at all, whose GHASH is 0. */
static void mask_of(uint8_t mask[16], const struct sl_aead_job *like) {
  struct sl_aead_job job = {.key = like->key, .tag = mask};
  memcpy(job.nonce, like->nonce, sizeof job.nonce);
  assert_int_equal(sl_aead_seal(&job, 1), 0);
}

/* RFC 8439 2.5, 2.6: as it comes, and with the bits of r cleared that are. Compilers keep a copy of s in the portable kernel. */
static void check_poly1305_key(const struct aead_kernel *k, size_t i) {
  uint8_t stream[SL_CHACHA20_STREAM_LEN];
  if (strcmp(k->kernel->name, "chapoly_portable") == 0) return;
  sl_chacha20_blocks4(stream, secrets[i], jobs[i].nonce, 0);
  check_absent(k, "r of Poly1305", stream, 16);
  check_absent(k, "s of Poly1305", stream + 16, 16);
  for (size_t at = 3; at < 16; at += 4) stream[at] &= 15;
  for (size_t at = 4; at < 16; at += 4) stream[at] &= 252;
  check_absent(k, "r of Poly1305, cleared,", stream, 16);
}

static void check_job(const struct aead_kernel *k, size_t i) {
  size_t secret_len = sl_aead_secret_len(k->aead);
  for (size_t at = 0; at < secret_len; at += 16) check_absent(k, "the key", secrets[i] + at, 16);
  if (k->aead == SL_CHACHA20_POLY1305) {
    check_poly1305_key(k, i);
    return;
  }
  uint8_t block[SL_AEAD_NONCE_LEN];
  for (size_t at = 0; at < sizeof block; at++) block[at] = jobs[i].nonce[at] ^ secrets[i][at];
  check_absent(k, "round key 0, under a nonce,", block, sizeof block);
}

static void check(const struct aead_kernel *k, size_t n, size_t len) {
  uint8_t masks[JOBS_MAX][16];
  for (size_t i = 0; i < n; i++) {
    uint64_t seed = 1000 * len + 10 * n + i;
    fill_random(secrets[i], sizeof secrets[i], seed);
    assert_int_equal(
        sl_aead_key_init_kernel(&keys[i], k->aead, secrets[i], sl_aead_secret_len(k->aead), k->kernel->name), SL_OK);
    fill_random(text[i], len, ~seed);
    jobs[i] = (struct sl_aead_job){.key = &keys[i],
                                   .aad = aad,
                                   .aad_len = sizeof aad,
                                   .in = text[i],
                                   .out = sealed[i],
                                   .tag = tags[i],
                                   .len = len};
    fill_random(jobs[i].nonce, sizeof jobs[i].nonce, seed + (1u << 30));
    if (k->aead != SL_CHACHA20_POLY1305) mask_of(masks[i], &jobs[i]);
  }
  for (int pass = 0; pass < 3; pass++) { /* sealing, opening, and opening with a wrong tag among them */
    struct work work = {.n = n, .is_open = pass > 0};
    tags[n / 2][5] ^= pass == 2;
    run_on_stack(run, &work);
    assert_int_equal(work.n_failed, pass == 2);
    for (size_t i = 0; i < n; i++) {
      check_job(k, i);
      if (k->aead != SL_CHACHA20_POLY1305) check_absent(k, "what hides a tag", masks[i], sizeof masks[i]);
      jobs[i].in = sealed[i];
      jobs[i].out = text[i];
    }
  }
}

/* The jobs are there: check(). */
static void check_pieces(const struct aead_kernel *k, size_t len) {
  for (int is_open = 0; is_open < 2; is_open++) {
    struct piece p = {.in = text[0], .out = sealed[0], .len = len, .is_open = is_open};
    uint8_t tag[16];
    assert_int_equal(sl_stream_start(&p.stream, &keys[0], jobs[0].nonce, sizeof jobs[0].nonce), SL_OK);
    for (int i = 0; i < 2; i++) {
      run_on_stack(run_piece, &p);
      assert_int_equal(p.err, SL_OK);
      check_job(k, 0);
    }
    sl_stream_tag(&p.stream, &keys[0], NULL, tag);
  }
}

/* Bytes. */
static const size_t lens[] = {0, 5, 16, 63, 64, 70, 100, 200, 256, 300, 600, 1350, 3000, LEN_MAX};

static void test_stack(void **state) {
  (void)state;
  static const size_t ns[] = {JOBS_MAX, 16, 8, 5, 4, 3, 2, 1};
  struct aead_kernel kernels[AEAD_KERNELS_MAX];
  size_t n_kernels = each_aead_kernel(kernels);
  if (!IS_CHECKED_BUILD) {
    printf("  n/a: this compiler, or these options, spill what belongs in registers\n");
    skip();
  }
  say_what_is_missing();
  for (size_t i = 0; i < n_kernels; i++) {
    if (strncmp(kernels[i].kernel->name, "ipsec_mb_", 9) == 0) {
      printf("  n/a %s, %s: another library's\n", kernels[i].kernel->name, sl_aead_name(kernels[i].aead));
      continue;
    }
    for (size_t l = 0; l < sizeof lens / sizeof lens[0]; l++) {
      for (size_t j = 0; j < sizeof ns / sizeof ns[0]; j++) check(&kernels[i], ns[j], lens[l]);
      if (kernels[i].kernel->stream.start != NULL) check_pieces(&kernels[i], lens[l]);
    }
  }
}

/* The search finds. */
static void test_search(void **state) {
  (void)state;
  uint8_t bytes[32];
  fill_random(bytes, sizeof bytes, 7);
  run_on_stack(write_down, bytes);
  assert_non_null(memmem(stack, STACK_LEN, bytes, sizeof bytes));
}

static int setup(void **state) {
  (void)state;
  stack = mmap(NULL, STACK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return stack == MAP_FAILED;
}

static int teardown(void **state) {
  (void)state;
  return munmap(stack, STACK_LEN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_search),
      cmocka_unit_test(test_stack),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
