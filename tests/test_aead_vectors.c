/* test_aead_vectors.c - published AEAD cases through every kernel this CPU can run, sealed and opened, in place and apart,
 * with and without the last byte as the tail; and once through whatever is chosen. All that again, in a process of its own,
 * for every subset of the CPU's features that allows other kernels than the rest. */
#define _GNU_SOURCE
#include "unit.h"

#include "each_kernel.h"
#include "subsets.h"
#include "vectors.h"

struct vector {
  enum sl_aead aead;
  const uint8_t *key, *nonce, *aad, *text, *cipher, *tag; /* text NULL: must not open */
  size_t key_len, aad_len, len;
};

static enum sl_aead aead_named(const char *name) {
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    if (strcmp(sl_aead_name(aead), name) == 0) return aead;
  }
  fail_msg("no AEAD is called %s", name);
  return SL_AEAD_NONE;
}

static struct vector read_vector(struct vectors *v) {
  struct vector x = {.aead = aead_named(vectors_word(v, "alg"))};
  size_t nonce_len, tag_len, text_len;
  x.key = vectors_bytes(v, "key", &x.key_len);
  x.nonce = vectors_bytes(v, "nonce", &nonce_len);
  x.aad = vectors_bytes(v, "aad", &x.aad_len);
  x.cipher = vectors_bytes(v, "cipher", &x.len);
  x.tag = vectors_bytes(v, "tag", &tag_len);
  assert_int_equal(x.key_len, sl_aead_secret_len(x.aead));
  assert_int_equal(nonce_len, SL_AEAD_NONCE_LEN);
  assert_int_equal(tag_len, SL_AEAD_TAG_LEN);
  bool is_good = strcmp(vectors_word(v, "result"), "ok") == 0;
  if (!is_good) assert_string_equal(vectors_word(v, "result"), "fail");
  if (is_good) {
    x.text = vectors_bytes(v, "text", &text_len);
    assert_int_equal(text_len, x.len);
  }
  return x;
}

/* A job over buf, whose first x->len bytes are the input; the result goes there too, or to out. */
static struct sl_aead_job job_of(const struct vector *x, const struct sl_aead_key *key, uint8_t *buf, uint8_t *out,
                                 uint8_t *tag, unsigned tail_len) {
  struct sl_aead_job job = {.key = key,
                            .aad = x->aad,
                            .in = buf,
                            .out = out,
                            .tag = tag,
                            .len = x->len - tail_len,
                            .aad_len = (uint32_t)x->aad_len,
                            .tail_len = (uint8_t)tail_len,
                            .err = SL_E_PENDING};
  memcpy(job.nonce, x->nonce, sizeof job.nonce);
  return job;
}

static void *copy(const uint8_t *from, size_t len) {
  uint8_t *to = malloc(len > 0 ? len : 1); /* exactly: sanitizers see what goes past it */
  assert_non_null(to);
  if (len > 0) memcpy(to, from, len);
  return to;
}

static void seal_one(const struct vector *x, const struct sl_aead_key *key, bool in_place, unsigned tail_len) {
  uint8_t *in = copy(x->text, x->len), *out = in_place ? in : malloc(x->len > 0 ? x->len : 1), tag[SL_AEAD_TAG_LEN];
  struct sl_aead_job job = job_of(x, key, in, out, tag, tail_len);
  if (tail_len > 0) job.tail = x->text[x->len - 1];
  assert_int_equal(sl_aead_seal(&job, 1), 0);
  assert_int_equal(job.err, SL_OK);
  assert_memory_equal(out, x->cipher, x->len);
  assert_memory_equal(tag, x->tag, SL_AEAD_TAG_LEN);
  if (!in_place) assert_memory_equal(in, x->text, x->len);
  if (!in_place) free(out);
  free(in);
}

static void open_one(const struct vector *x, const struct sl_aead_key *key, bool in_place, unsigned tail_len) {
  uint8_t *in = copy(x->cipher, x->len), tag[SL_AEAD_TAG_LEN];
  size_t out_len = x->len - tail_len;
  uint8_t *out = in_place ? in : malloc(out_len > 0 ? out_len : 1);
  memcpy(tag, x->tag, sizeof tag);
  struct sl_aead_job job = job_of(x, key, in, out, tag, tail_len);
  job.tail = 0xee;
  if (x->text != NULL) {
    assert_int_equal(sl_aead_open(&job, 1), 0);
    assert_int_equal(job.err, SL_OK);
    assert_memory_equal(out, x->text, out_len);
    if (tail_len > 0) assert_int_equal(job.tail, x->text[x->len - 1]);
  } else {
    assert_int_equal(sl_aead_open(&job, 1), 1);
    assert_int_equal(job.err, SL_E_AUTH);
    for (size_t i = 0; i < out_len; i++) assert_int_equal(out[i], 0);
    if (tail_len > 0) assert_int_equal(job.tail, 0);
  }
  if (!in_place) free(out);
  free(in);
}

static void every_way(const struct vector *x, const struct sl_aead_key *key) {
  for (unsigned tail_len = 0; tail_len <= 1 && tail_len <= x->len; tail_len++) {
    for (unsigned in_place = 0; in_place <= 1; in_place++) {
      if (x->text != NULL) seal_one(x, key, in_place, tail_len);
      open_one(x, key, in_place, tail_len);
    }
  }
}

static void run_file(const char *name) {
  struct aead_kernel kernels[AEAD_KERNELS_MAX];
  size_t n_kernels = each_aead_kernel(kernels);
  struct vectors v;
  for (vectors_open(&v, name); vectors_next(&v);) {
    struct vector x = read_vector(&v);
    struct sl_aead_key key;
    size_t n_run = 0;
    for (size_t i = 0; i < n_kernels; i++) {
      if (kernels[i].aead != x.aead) continue;
      assert_int_equal(sl_aead_key_init_kernel(&key, x.aead, x.key, x.key_len, kernels[i].kernel->name), SL_OK);
      assert_string_equal(sl_aead_key_kernel(&key), kernels[i].kernel->name);
      every_way(&x, &key);
      sl_aead_key_wipe(&key);
      n_run++;
    }
    assert_true(n_run > 0);
    assert_int_equal(sl_aead_key_init(&key, x.aead, x.key, x.key_len), SL_OK);
    every_way(&x, &key);
    sl_aead_key_wipe(&key);
  }
  vectors_close(&v);
}

static void aes_gcm_nist(void **state) {
  (void)state;
  run_file("aes_gcm_nist.txt");
}

static void chacha20_poly1305_rfc8439(void **state) {
  (void)state;
  run_file("chacha20_poly1305_rfc8439.txt");
}

static void chacha20_poly1305_others(void **state) {
  (void)state;
  run_file("chacha20_poly1305_others.txt");
}

static const struct CMUnitTest vector_tests[] = {
    cmocka_unit_test(aes_gcm_nist),
    cmocka_unit_test(chacha20_poly1305_rfc8439),
    cmocka_unit_test(chacha20_poly1305_others),
};

/* ---- subsets of features ------------------------------------------------------------------------------------- */

/* Each algorithm's first kernel that can run is chosen, and the vectors are right. */
static int run_subset(uint64_t features) {
  int n_failed = 0;
  bool has_one[SL_ALG_END] = {false};
  for (size_t i = 0; sl_kernel_list[i] != NULL; i++) {
    const struct sl_kernel *kernel = sl_kernel_list[i], *chosen;
    if ((subset_runnable(features) >> i & 1) == 0 || has_one[kernel->algorithm]) continue;
    has_one[kernel->algorithm] = true;
    if (sl_kernel_chosen(kernel->algorithm, &chosen) == SL_OK && chosen == kernel) continue;
    printf("%s is not chosen\n", kernel->name);
    n_failed++;
  }
  return n_failed + cmocka_run_group_tests(vector_tests, NULL, NULL);
}

/* Stands first: the selection of this process must not be made yet. */
static void every_subset_of_features(void **state) {
  (void)state;
  in_each_subset(run_subset);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_subset_of_features),
      vector_tests[0],
      vector_tests[1],
      vector_tests[2],
  };
  int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
  say_what_is_missing();
  return n_failed;
}
