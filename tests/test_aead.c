/* test_aead.c - AEAD jobs on every kernel this CPU can run, against two oracles (the portable kernel and libcrypto): all
 * lengths between guard pages, mixed batches, every flipped bit, every place of a bad job. */
#include "unit.h"

#include "aead_jobs.h"
#include "each_kernel.h"
#include "guard.h"
#include "libcrypto_aead.h"

enum { LEN_MAX = 16640, AAD_MAX = 70000 };

static struct aead_kernel kernels[AEAD_KERNELS_MAX];
static size_t n_kernels;
static uint8_t secret[32], nonce[SL_AEAD_NONCE_LEN];
static uint8_t text[LEN_MAX + 1], aad[AAD_MAX]; /* of every job; text[len] is the tail */

static int setup(void **state) {
  (void)state;
  n_kernels = each_aead_kernel(kernels);
  fill_random(secret, sizeof secret, 1);
  fill_random(nonce, sizeof nonce, 2);
  fill_random(text, sizeof text, 3);
  fill_random(aad, sizeof aad, 4);
  return 0;
}

static struct sl_aead_key key_of(const struct aead_kernel *k) {
  struct sl_aead_key key;
  assert_int_equal(sl_aead_key_init_kernel(&key, k->aead, secret, sl_aead_secret_len(k->aead), k->kernel->name), SL_OK);
  return key;
}

/* ---- every length, between guard pages ----------------------------------------------------------------------- */

struct shape {
  size_t len, aad_len; /* bytes */
  uint8_t tail_len;
};

struct sealed {
  uint8_t cipher[LEN_MAX + 1], tag[SL_AEAD_TAG_LEN];
};

struct pages {
  struct guard key, in, out, aad, tag;
};

static void pages_init(struct pages *g) {
  g->key = guard_new(sizeof(struct sl_aead_key));
  g->in = guard_new(LEN_MAX + 1 + SL_AEAD_TAG_LEN);
  g->out = guard_new(LEN_MAX + 1 + SL_AEAD_TAG_LEN);
  g->aad = guard_new(AAD_MAX);
  g->tag = guard_new(SL_AEAD_TAG_LEN);
}

static void pages_free(struct pages *g) {
  guard_free(&g->key);
  guard_free(&g->in);
  guard_free(&g->out);
  guard_free(&g->aad);
  guard_free(&g->tag);
}

static void assert_intact(const struct pages *g, const struct shape *s) {
  assert_true(guard_is_intact(&g->key));
  assert_true(guard_is_intact(&g->in));
  assert_true(guard_is_intact(&g->out));
  assert_true(guard_is_intact(&g->aad));
  assert_true(guard_is_intact(&g->tag));
  assert_memory_equal(g->aad.placed, aad, s->aad_len);
}

/* Both oracles, which must agree. */
static void seal_by_oracles(struct sealed *want, enum sl_aead aead, const struct shape *s) {
  static uint8_t by_libcrypto[LEN_MAX + 1];
  uint8_t tag[SL_AEAD_TAG_LEN];
  struct aead_kernel portable = {sl_kernel_named(oracle_of(aead)), aead};
  struct sl_aead_key key = key_of(&portable);
  struct sl_aead_job job = {.key = &key,
                            .aad = aad,
                            .in = text,
                            .out = want->cipher,
                            .tag = want->tag,
                            .len = s->len,
                            .aad_len = (uint32_t)s->aad_len,
                            .tail_len = s->tail_len,
                            .tail = text[s->len]};
  memcpy(job.nonce, nonce, sizeof nonce);
  assert_int_equal(sl_aead_seal(&job, 1), 0);
  assert_true(libcrypto_seal(aead, secret, nonce, aad, s->aad_len, text, s->len + s->tail_len, by_libcrypto, tag));
  assert_memory_equal(want->cipher, by_libcrypto, s->len + s->tail_len);
  assert_memory_equal(want->tag, tag, sizeof tag);
}

/* Places a job's key and buffers between the pages. In place, the tag follows the text directly, as on the wire; apart, it is on
 * its own. */
static struct sl_aead_job place(struct pages *g, const struct sl_aead_key *key, const struct shape *s, bool is_open,
                                bool in_place, bool at_end, const struct sealed *want) {
  uint8_t *key_mem = guard_place(&g->key, sizeof *key, at_end, (const uint8_t *)key);
  struct sl_aead_job job = {.key = (const struct sl_aead_key *)(void *)key_mem,
                            .len = s->len,
                            .aad_len = (uint32_t)s->aad_len,
                            .tail_len = s->tail_len,
                            .tail = is_open ? 0xee : text[s->len],
                            .err = SL_E_PENDING};
  size_t cipher_len = s->len + s->tail_len;
  memcpy(job.nonce, nonce, sizeof nonce);
  job.aad = guard_place(&g->aad, s->aad_len, at_end, aad);
  guard_place(&g->tag, SL_AEAD_TAG_LEN, at_end, is_open ? want->tag : NULL);
  if (in_place) {
    guard_place(&g->in, cipher_len + SL_AEAD_TAG_LEN, at_end, NULL);
    memcpy(g->in.placed, is_open ? want->cipher : text, is_open ? cipher_len : s->len);
    if (is_open) memcpy(g->in.placed + cipher_len, want->tag, SL_AEAD_TAG_LEN);
    job.in = job.out = g->in.placed;
    job.tag = g->in.placed + cipher_len;
    guard_place(&g->out, 0, at_end, NULL);
  } else {
    job.in = guard_place(&g->in, is_open ? cipher_len : s->len, at_end, is_open ? want->cipher : text);
    job.out = guard_place(&g->out, is_open ? s->len : cipher_len, at_end, NULL);
    job.tag = g->tag.placed;
  }
  return job;
}

static void seal_and_open(struct pages *g, const struct sl_aead_key *key, const struct shape *s,
                          const struct sealed *want) {
  size_t cipher_len = s->len + s->tail_len;
  for (unsigned way = 0; way < 4; way++) {
    bool in_place = way & 1, at_end = way >> 1;
    struct sl_aead_job job = place(g, key, s, false, in_place, at_end, want);
    assert_int_equal(sl_aead_seal(&job, 1), 0);
    assert_int_equal(job.err, SL_OK);
    assert_memory_equal(job.out, want->cipher, cipher_len);
    assert_memory_equal(job.tag, want->tag, SL_AEAD_TAG_LEN);
    if (!in_place) assert_memory_equal(job.in, text, s->len);
    assert_intact(g, s);

    job = place(g, key, s, true, in_place, at_end, want);
    assert_int_equal(sl_aead_open(&job, 1), 0);
    assert_int_equal(job.err, SL_OK);
    assert_memory_equal(job.out, text, s->len);
    if (s->tail_len > 0) assert_int_equal(job.tail, text[s->len]);
    if (s->tail_len == 0) assert_int_equal(job.tail, 0xee);
    if (!in_place) assert_memory_equal(job.in, want->cipher, cipher_len);
    assert_memory_equal(job.tag, want->tag, SL_AEAD_TAG_LEN);
    assert_intact(g, s);
  }
}

/* On every kernel that serves aead. */
static void try_shape(struct pages *g, enum sl_aead aead, const struct shape *s) {
  static struct sealed want;
  seal_by_oracles(&want, aead, s);
  for (size_t i = 0; i < n_kernels; i++) {
    if (kernels[i].aead != aead) continue;
    struct sl_aead_key key = key_of(&kernels[i]);
    seal_and_open(g, &key, s, &want);
    sl_aead_key_wipe(&key);
  }
}

static void every_length(void **state) {
  (void)state;
  struct pages g;
  pages_init(&g);
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    for (size_t len = 0; len <= LEN_MAX; len++) {
      if (len == 801) len = 16380; /* every end behind two chunks of 256 bytes, and beside one and none */
      if (len == 16401) len = LEN_MAX;
      for (uint8_t tail_len = 0; tail_len <= 1; tail_len++) try_shape(&g, aead, &(struct shape){len, 5, tail_len});
    }
  }
  pages_free(&g);
}

static void every_aad_length(void **state) {
  (void)state;
  static const size_t lens[] = {0, 1, 15, 16, 17, 64, 255, 1024};
  static const size_t long_aads[] = {127, 128, 129, 255, 256, 1000, 4096, AAD_MAX};
  struct pages g;
  pages_init(&g);
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
      for (size_t aad_len = 0; aad_len <= 80; aad_len++)
        try_shape(&g, aead, &(struct shape){lens[i], aad_len, aad_len % 2});
      for (size_t j = 0; j < sizeof long_aads / sizeof long_aads[0]; j++)
        try_shape(&g, aead, &(struct shape){lens[i], long_aads[j], j % 2});
    }
  }
  pages_free(&g);
}

/* Several jobs at once, all between pages, of three lengths near each other. */
static void guarded_batches(void **state) {
  (void)state;
  enum { N = 33 };
  static const size_t sizes[] = {3, 4, 5, 9, 17, N};
  static struct pages g[N];
  static struct sealed want[3];
  static struct sl_aead_job jobs[N];
  for (size_t i = 0; i < N; i++) pages_init(&g[i]);
  for (size_t turn = 0; turn < 400; turn++) {
    enum sl_aead aead = SL_AES_128_GCM + (enum sl_aead)(turn % 3);
    size_t n = sizes[turn % (sizeof sizes / sizeof sizes[0])], len = turn < 340 ? turn : 1000 + 6 * turn;
    bool in_place = turn >> 1 & 1, at_end = turn % 5 != 0;
    struct shape shapes[3];
    for (size_t k = 0; k < 3; k++) {
      shapes[k] = (struct shape){len + k * (turn % 40), turn % 7 == 0 ? 16 * k : 5, turn >> 2 & 1};
      seal_by_oracles(&want[k], aead, &shapes[k]);
    }
    for (size_t i = 0; i < n_kernels; i++) {
      if (kernels[i].aead != aead) continue;
      struct sl_aead_key key = key_of(&kernels[i]);
      for (size_t j = 0; j < n; j++)
        jobs[j] = place(&g[j], &key, &shapes[j % 3], false, in_place, at_end, &want[j % 3]);
      assert_int_equal(sl_aead_seal(jobs, n), 0);
      for (size_t j = 0; j < n; j++) {
        assert_memory_equal(jobs[j].out, want[j % 3].cipher, jobs[j].len + jobs[j].tail_len);
        assert_memory_equal(jobs[j].tag, want[j % 3].tag, SL_AEAD_TAG_LEN);
        assert_intact(&g[j], &shapes[j % 3]);
        jobs[j] = place(&g[j], &key, &shapes[j % 3], true, in_place, at_end, &want[j % 3]);
      }
      assert_int_equal(sl_aead_open(jobs, n), 0);
      for (size_t j = 0; j < n; j++) {
        assert_memory_equal(jobs[j].out, text, jobs[j].len);
        assert_int_equal(jobs[j].tail, jobs[j].tail_len > 0 ? text[jobs[j].len] : 0xee);
        assert_intact(&g[j], &shapes[j % 3]);
      }
      sl_aead_key_wipe(&key);
    }
  }
  for (size_t i = 0; i < N; i++) pages_free(&g[i]);
}

/* ---- batches ------------------------------------------------------------------------------------------------- */

enum { BATCH_MAX = 300, BATCH_KEYS = 64, BATCH_LEN_MAX = 2100, LONG_BATCH_MAX = 40 };

struct batch_key {
  struct sl_aead_key key;
  uint8_t secret[32];
};

struct batch_buffers {
  size_t (*random_len)(uint64_t *seed);
  struct sl_aead_job jobs[BATCH_MAX];
  const struct batch_key *keys[BATCH_MAX];
  uint8_t *plain[BATCH_MAX], *buf[BATCH_MAX], *apart[BATCH_MAX]; /* text and tail; buf: and tag */
  uint8_t want[LEN_MAX + 1], want_tag[SL_AEAD_TAG_LEN];
  uint8_t mem[];
};

static struct batch_buffers *batch_buffers_new(size_t n, size_t len_max, size_t (*random_len)(uint64_t *seed)) {
  size_t text_len = len_max + 1, each_len = 3 * text_len + SL_AEAD_TAG_LEN;
  struct batch_buffers *b = malloc(sizeof *b + n * each_len);
  assert_non_null(b);
  b->random_len = random_len;
  for (size_t i = 0; i < n; i++) {
    b->plain[i] = b->mem + i * each_len;
    b->apart[i] = b->plain[i] + text_len;
    b->buf[i] = b->apart[i] + text_len;
  }
  return b;
}

/* Short ones are the interesting ones; long ones make the lanes uneven. */
static size_t random_len(uint64_t *seed) {
  switch (random_below(seed, 4)) {
  case 0:
    return random_below(seed, 17);
  case 1:
    return random_below(seed, 130);
  case 2:
    return 64;
  default:
    return random_below(seed, BATCH_LEN_MAX + 1);
  }
}

/* Near the multiples of what kernels take at once, where keys and last blocks of several records may be made together. */
static size_t random_long_len(uint64_t *seed) {
  switch (random_below(seed, 4)) {
  case 0:
    return random_below(seed, LEN_MAX + 1);
  case 1:
    return 16384;
  default:
    return 512 * (1 + random_below(seed, 32)) + random_below(seed, 131) - 65;
  }
}

static void make_jobs(struct batch_buffers *b, const struct batch_key *keys, size_t n_keys, size_t n, uint64_t *seed) {
  for (size_t i = 0; i < n; i++) {
    struct sl_aead_job *job = &b->jobs[i];
    size_t len = b->random_len(seed);
    bool in_place = random_below(seed, 2) != 0;
    b->keys[i] = &keys[random_below(seed, n_keys)];
    fill_random(b->plain[i], len + 1, *seed + i);
    *job = (struct sl_aead_job){.key = &b->keys[i]->key,
                                .aad = aad + random_below(seed, 100),
                                .in = in_place ? b->buf[i] : b->plain[i],
                                .out = b->buf[i],
                                .len = len,
                                .aad_len = (uint32_t)random_below(seed, 40),
                                .tail_len = (uint8_t)random_below(seed, 2),
                                .tail = b->plain[i][len],
                                .err = SL_E_PENDING};
    job->tag = b->buf[i] + len + job->tail_len;
    if (in_place) memcpy(b->buf[i], b->plain[i], len);
    fill_random(job->nonce, sizeof job->nonce, *seed + 1000 + i);
  }
}

static void check_sealed(struct batch_buffers *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const struct sl_aead_job *job = &b->jobs[i];
    size_t text_len = job->len + job->tail_len;
    assert_int_equal(job->err, SL_OK);
    assert_true(libcrypto_seal(sl_aead_key_aead(job->key), b->keys[i]->secret, job->nonce, job->aad, job->aad_len,
                               b->plain[i], text_len, b->want, b->want_tag));
    assert_memory_equal(job->out, b->want, text_len);
    assert_memory_equal(job->tag, b->want_tag, SL_AEAD_TAG_LEN);
  }
}

static void open_jobs(struct batch_buffers *b, size_t n, uint64_t *seed) {
  for (size_t i = 0; i < n; i++) {
    struct sl_aead_job *job = &b->jobs[i];
    job->in = b->buf[i];
    job->out = random_below(seed, 2) != 0 ? b->buf[i] : b->apart[i];
    job->tail = 0xee;
    job->err = SL_E_PENDING;
  }
  assert_int_equal(sl_aead_open(b->jobs, n), 0);
  for (size_t i = 0; i < n; i++) {
    const struct sl_aead_job *job = &b->jobs[i];
    assert_int_equal(job->err, SL_OK);
    assert_memory_equal(job->out, b->plain[i], job->len);
    if (job->tail_len > 0) assert_int_equal(job->tail, b->plain[i][job->len]);
  }
}

/* Keys of kernels[first..first+n_from), taken in turn, and batches of all sizes that use them, up to n_max jobs. */
static void run_batches(struct batch_buffers *b, size_t first, size_t n_from, size_t n_keys, size_t n_max,
                        uint64_t seed) {
  static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 127, 128, 129, BATCH_MAX};
  static struct batch_key keys[BATCH_KEYS];
  for (size_t k = 0; k < n_keys; k++) {
    const struct aead_kernel *from = &kernels[first + k % n_from];
    fill_random(keys[k].secret, sizeof keys[k].secret, seed + k);
    assert_int_equal(sl_aead_key_init_kernel(&keys[k].key, from->aead, keys[k].secret, sl_aead_secret_len(from->aead),
                                             from->kernel->name),
                     SL_OK);
  }
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0] && sizes[s] <= n_max; s++) {
    make_jobs(b, keys, n_keys, sizes[s], &seed);
    assert_int_equal(sl_aead_seal(b->jobs, sizes[s]), 0);
    check_sealed(b, sizes[s]);
    open_jobs(b, sizes[s], &seed);
  }
}

static void mixed_batches(void **state) {
  (void)state;
  struct batch_buffers *b = batch_buffers_new(BATCH_MAX, BATCH_LEN_MAX, random_len);
  for (size_t i = 0; i < n_kernels; i++) {
    run_batches(b, i, 1, 1, BATCH_MAX, 100 + i);          /* one key */
    run_batches(b, i, 1, BATCH_KEYS, BATCH_MAX, 200 + i); /* many of one kernel */
  }
  for (uint64_t round = 0; round < 4; round++) run_batches(b, 0, n_kernels, BATCH_KEYS, BATCH_MAX, 300 + round);
  free(b);
}

static void long_batches(void **state) {
  (void)state;
  struct batch_buffers *b = batch_buffers_new(LONG_BATCH_MAX, LEN_MAX, random_long_len);
  for (size_t i = 0; i < n_kernels; i++) run_batches(b, i, 1, BATCH_KEYS, LONG_BATCH_MAX, 400 + i);
  free(b);
}

/* Records that are all alike, as in a bulk transfer, at every length a lane can end at. */
static size_t even_len;
static size_t next_even_len(uint64_t *seed) {
  (void)seed;
  return even_len;
}
static void even_batches(void **state) {
  (void)state;
  static const size_t sizes[] = {2, 3, 4, 5, 8, 9, 16, 17, 32, 33};
  struct batch_buffers *b = batch_buffers_new(LONG_BATCH_MAX, BATCH_LEN_MAX, next_even_len);
  for (size_t i = 0; i < n_kernels; i++) {
    struct batch_key key;
    uint64_t seed = 500 + i;
    fill_random(key.secret, sizeof key.secret, seed);
    assert_int_equal(sl_aead_key_init_kernel(&key.key, kernels[i].aead, key.secret, sl_aead_secret_len(kernels[i].aead),
                                             kernels[i].kernel->name),
                     SL_OK);
    for (even_len = 0; even_len < 300; even_len++) {
      size_t n = sizes[even_len % (sizeof sizes / sizeof sizes[0])];
      make_jobs(b, &key, 1, n, &seed);
      for (size_t j = 0; j < n; j++) { /* heads of records alike, too */
        b->jobs[j].aad_len = 5;
        b->jobs[j].tail_len = even_len / 10 % 2;
        b->jobs[j].tag = b->buf[j] + even_len + b->jobs[j].tail_len;
      }
      assert_int_equal(sl_aead_seal(b->jobs, n), 0);
      check_sealed(b, n);
      open_jobs(b, n, &seed);
    }
    sl_aead_key_wipe(&key.key);
  }
  free(b);
}

/* ---- what must not open -------------------------------------------------------------------------------------- */

static const struct shape flip_shapes[] = {{0, 0, 0},   {0, 5, 1},  {1, 0, 0},   {15, 13, 1}, {16, 16, 0},
                                           {31, 33, 1}, {64, 5, 1}, {100, 1, 0}, {130, 20, 1}};

struct sealed_job {
  struct sl_aead_job job;
  uint8_t cipher[200], aad[64], tag[SL_AEAD_TAG_LEN], out[200];
};

/* Opens apart and in place after something was changed: neither may succeed nor leave anything but zeros. */
static void assert_fails(struct sealed_job *x) {
  for (unsigned in_place = 0; in_place <= 1; in_place++) {
    uint8_t buf[200];
    struct sl_aead_job job = x->job;
    memcpy(buf, x->cipher, sizeof buf);
    memset(x->out, 0xee, sizeof x->out);
    job.in = buf;
    job.out = in_place ? buf : x->out;
    job.tail = 0xee;
    job.err = SL_E_PENDING;
    assert_int_equal(sl_aead_open(&job, 1), 1);
    assert_int_equal(job.err, SL_E_AUTH);
    assert_true(all_are(job.out, job.len, 0));
    assert_int_equal(job.tail, job.tail_len > 0 ? 0 : job.tail);
    if (!in_place) assert_true(all_are(x->out + job.len, sizeof x->out - job.len, 0xee));
  }
}

static void flip_all(struct sealed_job *x, uint8_t *bytes, size_t len) {
  for (size_t bit = 0; bit < 8 * len; bit++) {
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_fails(x);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
}

static void every_flipped_bit(void **state) {
  (void)state;
  for (size_t i = 0; i < n_kernels; i++) {
    struct sl_aead_key key = key_of(&kernels[i]);
    for (size_t s = 0; s < sizeof flip_shapes / sizeof flip_shapes[0]; s++) {
      const struct shape *shape = &flip_shapes[s];
      struct sealed_job x = {.job = {.key = &key,
                                     .aad = x.aad,
                                     .in = text,
                                     .out = x.cipher,
                                     .tag = x.tag,
                                     .len = shape->len,
                                     .aad_len = (uint32_t)shape->aad_len,
                                     .tail_len = shape->tail_len,
                                     .tail = text[shape->len]}};
      memcpy(x.aad, aad, sizeof x.aad);
      memcpy(x.job.nonce, nonce, sizeof nonce);
      assert_int_equal(sl_aead_seal(&x.job, 1), 0);
      flip_all(&x, x.tag, SL_AEAD_TAG_LEN);
      flip_all(&x, x.cipher, shape->len + shape->tail_len);
      flip_all(&x, x.aad, shape->aad_len);
      flip_all(&x, x.job.nonce, SL_AEAD_NONCE_LEN);

      /* Unchanged it opens: the failures above had their reason. */
      x.job.in = x.cipher;
      x.job.out = x.out;
      assert_int_equal(sl_aead_open(&x.job, 1), 0);
      assert_memory_equal(x.out, text, shape->len);
    }
  }
}

/* Longer, shorter, and a byte moved between AAD and text. */
static void wrong_lengths(void **state) {
  (void)state;
  for (size_t i = 0; i < n_kernels; i++) {
    struct sl_aead_key key = key_of(&kernels[i]);
    struct sealed_job x = {
        .job = {.key = &key, .aad = x.aad, .in = text, .out = x.cipher, .tag = x.tag, .len = 64, .aad_len = 16}};
    memcpy(x.aad, aad, sizeof x.aad);
    memcpy(x.job.nonce, nonce, sizeof nonce);
    assert_int_equal(sl_aead_seal(&x.job, 1), 0);
    static const struct {
      size_t len;
      uint32_t aad_len;
    } wrong[] = {{63, 16}, {65, 16}, {64, 15}, {64, 17}, {63, 17}, {65, 15}, {0, 16}, {64, 0}, {48, 32}, {80, 0}};
    for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
      x.job.len = wrong[w].len;
      x.job.aad_len = wrong[w].aad_len;
      assert_fails(&x);
    }
  }
}

/* A third of the jobs have `len` bytes and others fewer, or all but a few have. */
static void one_bad_job_of(const struct aead_kernel *kernel, size_t len, bool mostly) {
  enum { N = 33, LEN = 256 };
  static uint8_t buf[N][LEN + 1], sealed[N][LEN + 1], tags[N][SL_AEAD_TAG_LEN];
  struct sl_aead_key keys[2] = {key_of(kernel), key_of(kernel)};
  struct sl_aead_job jobs[N];
  for (size_t j = 0; j < N; j++) {
    const bool is_like = mostly ? j % 8 != 5 : j % 3 == 0;
    jobs[j] = (struct sl_aead_job){.key = &keys[j % 2],
                                   .aad = aad,
                                   .in = text + j,
                                   .out = sealed[j],
                                   .tag = tags[j],
                                   .len = is_like ? len : j,
                                   .aad_len = j % 11 == 9 ? 20 : 5,
                                   .tail_len = j % 2 == 0,
                                   .tail = (uint8_t)j};
    memcpy(jobs[j].nonce, nonce, sizeof nonce);
    jobs[j].nonce[0] ^= (uint8_t)j;
  }
  assert_int_equal(sl_aead_seal(jobs, N), 0);
  for (size_t n = 1; n <= N; n = n < 9 ? n + 1 : n + 8) {
    for (size_t bad = 0; bad < n; bad++) {
      memcpy(buf, sealed, sizeof buf);
      tags[bad][bad % SL_AEAD_TAG_LEN] ^= 1;
      for (size_t j = 0; j < n; j++) {
        jobs[j].in = jobs[j].out = buf[j];
        jobs[j].tail = 0xee;
        jobs[j].err = SL_E_PENDING;
      }
      assert_int_equal(sl_aead_open(jobs, n), 1);
      tags[bad][bad % SL_AEAD_TAG_LEN] ^= 1;
      for (size_t j = 0; j < n; j++) {
        assert_int_equal(jobs[j].err, j == bad ? SL_E_AUTH : SL_OK);
        if (j == bad) assert_true(all_are(buf[j], jobs[j].len, 0));
        if (j != bad) assert_memory_equal(buf[j], text + j, jobs[j].len);
        if (jobs[j].tail_len > 0) assert_int_equal(jobs[j].tail, j == bad ? 0 : j);
      }
    }
  }
}
static void one_bad_job(void **state) {
  (void)state;
  for (size_t i = 0; i < n_kernels; i++) {
    one_bad_job_of(&kernels[i], 80, false);
    one_bad_job_of(&kernels[i], 64, true);
    one_bad_job_of(&kernels[i], 256, true);
  }
}

/* ---- what is left of what failed ----------------------------------------------------------------------------- */

enum { LEFT_MAX = 33, LEFT_LEN = 700 };

struct left {
  struct sl_aead_key keys[2];
  struct sl_aead_job jobs[LEFT_MAX];
  uint8_t sealed[LEFT_MAX][LEFT_LEN + 1], buf[LEFT_MAX][LEFT_LEN + 1];
  uint8_t right[LEFT_MAX][SL_AEAD_TAG_LEN], tags[LEFT_MAX][SL_AEAD_TAG_LEN];
};

/* Jobs that are sealed: alike when is_even, else of all lengths up to a few vectors and of both keys. */
static void left_seal(struct left *x, bool is_even) {
  for (size_t j = 0; j < LEFT_MAX; j++) {
    x->jobs[j] = (struct sl_aead_job){.key = &x->keys[is_even ? 0 : j % 2],
                                      .aad = aad,
                                      .in = text + j,
                                      .out = x->sealed[j],
                                      .tag = x->right[j],
                                      .len = is_even       ? 64
                                             : j % 11 == 0 ? LEFT_LEN
                                                           : 9 * j,
                                      .aad_len = 5,
                                      .tail_len = is_even || j % 3 == 0,
                                      .tail = (uint8_t)j};
    memcpy(x->jobs[j].nonce, nonce, sizeof nonce);
    x->jobs[j].nonce[0] ^= (uint8_t)j;
  }
  assert_int_equal(sl_aead_seal(x->jobs, LEFT_MAX), 0);
}

static bool left_is_bad(size_t j) {
  return j % 4 != 1;
}

/* n of them, to be opened in place, most with a wrong tag. Returns how many those are. */
static size_t left_spoil(struct left *x, size_t n) {
  size_t n_bad = 0;
  memcpy(x->buf, x->sealed, sizeof x->buf);
  memcpy(x->tags, x->right, sizeof x->tags);
  for (size_t j = 0; j < n; j++) {
    struct sl_aead_job *job = &x->jobs[j];
    job->in = job->out = x->buf[j];
    job->tag = x->tags[j];
    job->tail = 0xee;
    n_bad += left_is_bad(j);
    if (left_is_bad(j)) x->tags[j][j % SL_AEAD_TAG_LEN] ^= (uint8_t)(1 << j % 8);
  }
  return n_bad;
}

/* Whether failed jobs have left nothing, or their text; and the others theirs. */
static void assert_left(const struct left *x, size_t n, bool stays) {
  for (size_t j = 0; j < n; j++) {
    const struct sl_aead_job *job = &x->jobs[j];
    bool is_there = stays || !left_is_bad(j);
    assert_int_equal(job->err, left_is_bad(j) ? SL_E_AUTH : SL_OK);
    if (is_there) assert_memory_equal(job->out, text + j, job->len);
    if (!is_there) assert_true(all_are(job->out, job->len, 0));
    if (job->tail_len > 0) assert_int_equal(job->tail, is_there ? j : 0);
    if (is_there) assert_memory_equal(job->tag, x->right[j], SL_AEAD_TAG_LEN);
  }
}

/* With each kernel, and with two in one call: whatever err says before, nothing stays. A kernel that is called as the provider
 * does, with SL_E_PENDING there, leaves the text and the tag it ought to have. */
static void what_is_left(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 2, 3, 4, 7, 16, LEFT_MAX};
  static struct left x;
  for (size_t i = 0; i < 2 * n_kernels; i++) {
    const struct aead_kernel *kernel = &kernels[i / 2];
    bool is_even = i % 2 == 0;
    x.keys[0] = key_of(kernel);
    x.keys[1] = key_of(&kernels[(i / 2 + 1) % n_kernels]);
    left_seal(&x, is_even);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
      for (size_t err = 0, n = sizes[s]; err <= SL_ERR_END; err += n) {
        size_t n_bad = left_spoil(&x, n);
        for (size_t j = 0; j < n; j++) x.jobs[j].err = (sl_err)((err + j) % (SL_ERR_END + 1));
        assert_int_equal(sl_aead_open(x.jobs, n), n_bad);
        assert_left(&x, n, false);
        left_spoil(&x, n);
        for (size_t j = 0; j < n; j++) x.jobs[j].err = SL_E_PENDING; /* what would matter to a kernel */
        assert_int_equal(sl_aead_open(x.jobs, n), n_bad);
        assert_left(&x, n, false);
      }
    }
    x.keys[1] = key_of(kernel);
    left_seal(&x, is_even);
    for (size_t j = 0; j < LEFT_MAX; j++) { /* twice in a call, as a record that was added to a batch twice */
      struct sl_aead_job *const list[] = {&x.jobs[j], &x.jobs[j]};
      left_spoil(&x, LEFT_MAX);
      if (!left_is_bad(j)) continue;
      x.jobs[j].err = SL_OK;
      x.keys[0].ops->open(list, 2);
      assert_int_equal(x.jobs[j].err, SL_E_AUTH);
      assert_true(all_are(x.jobs[j].out, x.jobs[j].len, 0));
    }
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
      struct sl_aead_job *list[LEFT_MAX];
      left_spoil(&x, sizes[s]);
      for (size_t j = 0; j < sizes[s]; j++) {
        list[j] = &x.jobs[j];
        x.jobs[j].err = SL_E_PENDING;
      }
      x.keys[0].ops->open(list, sizes[s]);
      assert_left(&x, sizes[s], true);
    }
  }
}

/* ---- arguments ----------------------------------------------------------------------------------------------- */

/* A sound job over static buffers, to be spoilt. */
static uint8_t spoilt_in[64], spoilt_out[64 + SL_AEAD_TAG_LEN], spoilt_tag[SL_AEAD_TAG_LEN];

static struct sl_aead_job sound_job(const struct sl_aead_key *key) {
  memset(spoilt_in, 0x11, sizeof spoilt_in);
  memset(spoilt_out, 0xee, sizeof spoilt_out);
  memset(spoilt_tag, 0xee, sizeof spoilt_tag);
  return (struct sl_aead_job){.key = key,
                              .aad = aad,
                              .in = spoilt_in,
                              .out = spoilt_out,
                              .tag = spoilt_tag,
                              .len = 32,
                              .aad_len = 5,
                              .err = SL_E_PENDING};
}

static void assert_refused(struct sl_aead_job job, bool is_open, sl_err err) {
  assert_int_equal(is_open ? sl_aead_open(&job, 1) : sl_aead_seal(&job, 1), 1);
  assert_int_equal(job.err, err);
  assert_true(all_are(spoilt_in, sizeof spoilt_in, 0x11));
  assert_true(all_are(spoilt_out, sizeof spoilt_out, 0xee));
  assert_true(all_are(spoilt_tag, sizeof spoilt_tag, 0xee));
}

static void refused_arguments(void **state) {
  (void)state;
  struct sl_aead_key key = key_of(&kernels[0]);
  static const struct sl_aead_key empty;
  for (unsigned is_open = 0; is_open <= 1; is_open++) {
    struct sl_aead_job job = sound_job(&key);
    job.in = NULL;
    assert_refused(job, is_open, SL_E_ARG);
    job = sound_job(&key);
    job.out = NULL;
    assert_refused(job, is_open, SL_E_ARG);
    job = sound_job(&key);
    job.tag = NULL;
    assert_refused(job, is_open, SL_E_ARG);
    job = sound_job(&key);
    job.aad = NULL;
    assert_refused(job, is_open, SL_E_ARG);
    job = sound_job(&key);
    job.tail_len = 2;
    assert_refused(job, is_open, SL_E_ARG);
    job = sound_job(NULL);
    assert_refused(job, is_open, SL_E_KEY);
    job = sound_job(&empty);
    assert_refused(job, is_open, SL_E_KEY);
    job = sound_job(&key);
    job.len = SL_AEAD_TEXT_MAX + 1;
    assert_refused(job, is_open, SL_E_LENGTH);
    job.len = SIZE_MAX;
    assert_refused(job, is_open, SL_E_LENGTH);
    job.len = SL_AEAD_TEXT_MAX; /* one too many with the tail */
    job.tail_len = 1;
    assert_refused(job, is_open, SL_E_LENGTH);
    job.tail_len = 0; /* the longest there is; nobody runs it here */
    job.in = job.out;
    job.tag = job.out - SL_AEAD_TAG_LEN;
    job.aad_len = 0;
    assert_int_equal(sl_aead_job_check(&job, is_open), SL_OK);
  }
}

/* What is refused is so, too, where all else is as on the wire: AAD, text in place, the tag behind it. */
static void refused_on_the_wire(void **state) {
  (void)state;
  struct sl_aead_key key = key_of(&kernels[0]);
  for (unsigned is_open = 0; is_open <= 1; is_open++) {
    const struct sl_aead_job sound = {.key = &key,
                                      .aad = spoilt_out,
                                      .in = spoilt_out + 8,
                                      .out = spoilt_out + 8,
                                      .tag = spoilt_out + 8 + 32,
                                      .len = 32,
                                      .aad_len = 5};
    struct sl_aead_job job = sound;
    (void)sound_job(&key); /* fills the buffers */
    job.tail_len = 2;
    job.tag += 2;
    assert_refused(job, is_open, SL_E_ARG);
    job = sound;
    job.len = SL_AEAD_TEXT_MAX + 1;
    job.tag = (uint8_t *)((uintptr_t)job.out + job.len); /* nobody goes there */
    assert_refused(job, is_open, SL_E_LENGTH);
    job = sound;
    if (is_open) job.in = NULL;
    if (!is_open) job.out = NULL;
    job.tag = (uint8_t *)(uintptr_t)job.len;
    assert_refused(job, is_open, SL_E_ARG);
    job = sound;
    job.key = NULL;
    assert_refused(job, is_open, SL_E_KEY);
  }
}

/* Lengths of zero need no pointers; each side of an empty text with a tail needs the one its byte stands in. */
static void allowed_nulls(void **state) {
  (void)state;
  for (size_t i = 0; i < n_kernels; i++) {
    struct sl_aead_key key = key_of(&kernels[i]);
    uint8_t tag[SL_AEAD_TAG_LEN], byte;
    struct sl_aead_job job = {.key = &key, .tag = tag};
    assert_int_equal(sl_aead_seal(&job, 1), 0);
    assert_int_equal(sl_aead_open(&job, 1), 0);
    job.tail_len = 1;
    job.tail = 23;
    assert_int_equal(sl_aead_seal(&job, 1), 1);
    assert_int_equal(job.err, SL_E_ARG);
    job.out = &byte;
    assert_int_equal(sl_aead_seal(&job, 1), 0);
    job.out = NULL;
    job.tail = 0;
    assert_int_equal(sl_aead_open(&job, 1), 1);
    assert_int_equal(job.err, SL_E_ARG);
    job.in = &byte;
    assert_int_equal(sl_aead_open(&job, 1), 0);
    assert_int_equal(job.tail, 23);
  }
  assert_int_equal(sl_aead_seal(NULL, 0), 0);
  assert_int_equal(sl_aead_open(NULL, 0), 0);
}

/* The check says `want`, and so does a call, which looks for what is plainly sound first. */
static void assert_verdict(struct sl_aead_job job, bool is_open, sl_err want) {
  assert_int_equal(sl_aead_job_check(&job, is_open), want);
  size_t n_failed = is_open ? sl_aead_open(&job, 1) : sl_aead_seal(&job, 1);
  if (is_open && job.err == SL_E_AUTH) job.err = SL_OK; /* it was looked at: nothing here was ever sealed */
  assert_int_equal(job.err, want);
  assert_int_equal(n_failed, is_open || want != SL_OK);
}

/* Every placement of two ranges relative to each other, in one buffer, for sealing and opening. */
static void overlaps(void **state) {
  (void)state;
  enum { LEN = 20, PLACES = 80 };
  static uint8_t buf[2 * PLACES], text_and_tag[LEN + 1 + SL_AEAD_TAG_LEN];
  uint8_t tag[SL_AEAD_TAG_LEN], out[LEN + 1];
  struct sl_aead_key key = key_of(&kernels[0]);
  for (unsigned mode = 0; mode < 4; mode++) {
    bool is_open = mode & 1;
    uint8_t tail_len = (uint8_t)(mode >> 1);
    size_t in_len = is_open ? LEN + tail_len : LEN, out_len = is_open ? LEN : LEN + tail_len;
    for (size_t a = 0; a < PLACES; a++) {
      for (size_t b = 0; b < PLACES; b++) {
        struct sl_aead_job sound = {.key = &key, .in = text, .out = out, .tag = tag, .len = LEN, .tail_len = tail_len};
        struct sl_aead_job job = sound; /* in at a, out at b */
        job.in = buf + a;
        job.out = buf + b;
        bool want = a == b || a + in_len <= b || b + out_len <= a;
        assert_verdict(job, is_open, want ? SL_OK : SL_E_OVERLAP);

        /* in at a, out at b, the tag behind the ciphertext, as on the wire */
        job.aad = aad;
        job.tag = is_open ? buf + a + in_len : buf + b + out_len;
        if (is_open) want &= b + out_len <= a + in_len || a + in_len + SL_AEAD_TAG_LEN <= b;
        if (!is_open) want &= b + out_len + SL_AEAD_TAG_LEN <= a || a + in_len <= b + out_len;
        assert_verdict(job, is_open, want ? SL_OK : SL_E_OVERLAP);

        job = sound; /* out at a, tag at b */
        job.out = buf + a;
        job.tag = buf + b;
        want = a + out_len <= b || b + SL_AEAD_TAG_LEN <= a;
        assert_verdict(job, is_open, want ? SL_OK : SL_E_OVERLAP);

        job = sound; /* AAD at a, out at b */
        job.aad = buf + a;
        job.aad_len = 13;
        job.out = buf + b;
        want = a + 13 <= b || b + out_len <= a;
        assert_verdict(job, is_open, want ? SL_OK : SL_E_OVERLAP);

        /* the same, the tag behind the ciphertext */
        job.tag = is_open ? text_and_tag + LEN + tail_len : buf + b + out_len;
        if (is_open) job.in = text_and_tag;
        if (!is_open) want &= b + out_len + SL_AEAD_TAG_LEN <= a || a + 13 <= b + out_len;
        assert_verdict(job, is_open, want ? SL_OK : SL_E_OVERLAP);

        job = sound; /* in at a, tag at b: only a written tag is in the way */
        job.in = buf + a;
        job.tag = buf + b;
        want = is_open || a + in_len <= b || b + SL_AEAD_TAG_LEN <= a;
        assert_verdict(job, is_open, want ? SL_OK : SL_E_OVERLAP);

        job = sound; /* AAD at a, tag at b: likewise */
        job.aad = buf + a;
        job.aad_len = 13;
        job.tag = buf + b;
        want = is_open || a + 13 <= b || b + SL_AEAD_TAG_LEN <= a;
        assert_verdict(job, is_open, want ? SL_OK : SL_E_OVERLAP);
      }
    }
  }
}

/* Jobs that look like almost all, their tag behind the text, have a shorter check of their own: it says the same. Plaintext
 * and AAD at every place relative to the ciphertext, in one buffer where every job that passes may run. */
static void short_check_agrees(void **state) {
  (void)state;
  enum { PLACES = 60, AT = 20 };
  static uint8_t buf[2 * PLACES];
  static const size_t lens[] = {0, 1, 7};
  struct sl_aead_key key = key_of(&kernels[0]);
  size_t n_sound = 0, n_refused = 0;
  for (unsigned mode = 0; mode < 12; mode++) {
    bool is_open = mode & 1;
    uint8_t tail_len = mode >> 1 & 1;
    size_t len = lens[mode >> 2];
    for (size_t plain = 0; plain < PLACES; plain++) {
      for (size_t at_aad = 0; at_aad < PLACES; at_aad++) {
        struct sl_aead_job job = {.key = &key,
                                  .aad = buf + at_aad,
                                  .in = buf + (is_open ? AT : plain),
                                  .out = buf + (is_open ? plain : AT),
                                  .tag = buf + AT + len + tail_len,
                                  .len = len,
                                  .aad_len = 5,
                                  .tail_len = tail_len};
        sl_err want = sl_aead_job_check(&job, is_open);
        size_t n_failed = is_open ? sl_aead_open(&job, 1) : sl_aead_seal(&job, 1);
        assert_int_equal(n_failed, job.err != SL_OK);
        if (is_open && want == SL_OK) want = job.err == SL_E_AUTH ? SL_E_AUTH : SL_OK; /* the shorter one let it run */
        assert_int_equal(job.err, want);
        n_sound += want != SL_E_OVERLAP;
        n_refused += want == SL_E_OVERLAP;
      }
    }
  }
  assert_true(n_sound > 1000 && n_refused > 1000);
}

/* Unsound jobs at every place of a call with more jobs than are run at once: they fail alone, and the count is right. */
static void unsound_among_sound(void **state) {
  (void)state;
  enum { N = 300, LEN = 24 };
  static uint8_t out[N][LEN], tags[N][SL_AEAD_TAG_LEN];
  static struct sl_aead_job jobs[N];
  struct sl_aead_key key = key_of(&kernels[0]);
  struct sealed want;
  seal_by_oracles(&want, kernels[0].aead, &(struct shape){LEN, 5, 0});
  for (size_t step = 1; step <= N; step = step * 3 + 1) {
    size_t n_unsound = 0;
    memset(out, 0xee, sizeof out);
    for (size_t j = 0; j < N; j++) {
      bool is_unsound = j % step == step - 1;
      jobs[j] = (struct sl_aead_job){.key = is_unsound ? NULL : &key,
                                     .aad = aad,
                                     .in = text,
                                     .out = out[j],
                                     .tag = tags[j],
                                     .len = LEN,
                                     .aad_len = 5,
                                     .err = SL_E_PENDING};
      memcpy(jobs[j].nonce, nonce, sizeof nonce);
      n_unsound += is_unsound;
    }
    assert_int_equal(sl_aead_seal(jobs, N), n_unsound);
    for (size_t j = 0; j < N; j++) {
      bool is_unsound = j % step == step - 1;
      assert_int_equal(jobs[j].err, is_unsound ? SL_E_KEY : SL_OK);
      if (is_unsound) assert_true(all_are(out[j], LEN, 0xee));
      if (!is_unsound) assert_memory_equal(out[j], want.cipher, LEN);
      if (!is_unsound) assert_memory_equal(tags[j], want.tag, SL_AEAD_TAG_LEN);
    }
  }
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

static void keys(void **state) {
  (void)state;
  static const struct sl_aead_key empty;
  struct sl_aead_key key = key_of(&kernels[0]), moved;
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    size_t len = sl_aead_secret_len(aead);
    assert_int_equal(sl_aead_key_init(&key, aead, secret, len), SL_OK);
    assert_int_equal(sl_aead_key_aead(&key), aead);
    assert_non_null(sl_kernel_named(sl_aead_key_kernel(&key)));
    assert_int_equal(sl_aead_key_init(&key, aead, secret, len - 1), SL_E_ARG);
    assert_memory_equal(&key, &empty, sizeof key); /* a failed set-up leaves an empty key */
    assert_int_equal(sl_aead_key_init(&key, aead, NULL, len), SL_E_ARG);
    assert_int_equal(sl_aead_key_init(&key, aead, secret, 0), SL_E_ARG);
    assert_int_equal(sl_aead_key_init_kernel(&key, aead, secret, len, "no_such_kernel"), SL_E_KERNEL);
    assert_int_equal(sl_aead_key_init_kernel(&key, aead, secret, len, NULL), SL_E_ARG);
    const char *other = aead == SL_CHACHA20_POLY1305 ? "gcm_portable" : "chapoly_portable";
    assert_int_equal(sl_aead_key_init_kernel(&key, aead, secret, len, other), SL_E_KERNEL);
    assert_memory_equal(&key, &empty, sizeof key);
  }
  assert_int_equal(sl_aead_key_init(NULL, SL_AES_128_GCM, secret, 16), SL_E_ARG);
  assert_int_equal(sl_aead_key_init(&key, SL_AEAD_NONE, secret, 0), SL_E_ARG);
  assert_int_equal(sl_aead_key_init(&key, SL_AEAD_END, secret, 16), SL_E_ARG);
  assert_int_equal(sl_aead_secret_len(SL_AEAD_NONE), 0);
  assert_int_equal(sl_aead_secret_len(SL_AEAD_END), 0);
  assert_string_equal(sl_aead_name(SL_AEAD_END), "none");
  assert_int_equal(sl_aead_key_aead(&empty), SL_AEAD_NONE);
  assert_string_equal(sl_aead_key_kernel(&empty), "none");
  assert_int_equal(sl_aead_key_aead(NULL), SL_AEAD_NONE);
  assert_string_equal(sl_aead_key_kernel(NULL), "none");

  /* Every kernel's key works after a move, stays within its last key_len bytes, and is gone after wiping. */
  for (size_t i = 0; i < n_kernels; i++) {
    struct sealed want;
    uint8_t out[40], tag[SL_AEAD_TAG_LEN];
    seal_by_oracles(&want, kernels[i].aead, &(struct shape){40, 5, 0});
    key = key_of(&kernels[i]);
    assert_true(key.ops->key_len > 16 && key.ops->key_len <= sizeof key);
    size_t unused = sizeof key - key.ops->key_len;
    memset(&moved, 0xee, sizeof moved);
    memcpy((uint8_t *)&moved + unused, (uint8_t *)&key + unused, key.ops->key_len);
    sl_aead_key_wipe(&key);
    sl_aead_key_wipe(&key);
    assert_memory_equal(&key, &empty, sizeof key);
    struct sl_aead_job job = {.key = &moved, .aad = aad, .in = text, .out = out, .tag = tag, .len = 40, .aad_len = 5};
    memcpy(job.nonce, nonce, sizeof nonce);
    assert_int_equal(sl_aead_seal(&job, 1), 0);
    assert_memory_equal(out, want.cipher, 40);
    assert_memory_equal(tag, want.tag, SL_AEAD_TAG_LEN);
  }
  sl_aead_key_wipe(NULL);
}

/* ---- one unlike the others ------------------------------------------------------------------------------------ */

/* What can set a job apart from others of a call, soundly or not. */
enum unlike {
  NO_KEY,
  EMPTY_KEY,
  OTHER_KEY,
  NO_IN,
  NO_OUT,
  NO_AAD,
  NO_TAG,
  EMPTY_AAD,
  SHORTER,
  TOO_LONG,
  TWO_TAILS,
  IN_IN_OUT,
  IN_PLACE,
  AAD_IN_OUT,
  TAG_IN_OUT,
  TAG_APART,
  N_UNLIKE
};
enum { ALIKE = 12, ALIKE_LEN = 24, ALIKE_WIRE = 40, ALIKE_TAG = 96, ALIKE_ROOM = 128 };

static void make_unlike(struct sl_aead_job *job, enum unlike what, uint8_t *room, const struct sl_aead_key keys[3]) {
  switch (what) {
  case NO_KEY:
    job->key = NULL;
    break;
  case EMPTY_KEY:
    job->key = &keys[2];
    break;
  case OTHER_KEY:
    job->key = &keys[1];
    break;
  case NO_IN:
    job->in = NULL;
    break;
  case NO_OUT:
    job->out = NULL;
    break;
  case NO_AAD:
    job->aad = NULL;
    break;
  case NO_TAG:
    job->tag = NULL;
    break;
  case EMPTY_AAD:
    job->aad_len = 0;
    break;
  case SHORTER:
    job->len--;
    break;
  case TOO_LONG:
    job->len = SL_AEAD_TEXT_MAX + 1;
    break;
  case TWO_TAILS:
    job->tail_len = 2;
    break;
  case IN_IN_OUT:
    job->in = job->out + 1;
    break;
  case IN_PLACE:
    job->in = job->out;
    break;
  case AAD_IN_OUT:
    job->aad = job->out + job->len - 1;
    break;
  case TAG_IN_OUT:
    job->tag = job->out + 1;
    break;
  case TAG_APART:
    memcpy(room + ALIKE_TAG, job->tag, SL_AEAD_TAG_LEN);
    job->tag = room + ALIKE_TAG;
    break;
  case N_UNLIKE:
    break;
  }
}

/* Jobs that are alike but for one, in every place, in every way: together they do what each does alone. */
static void unlike_among_alike(void **state) {
  (void)state;
  static uint8_t rooms[ALIKE][ALIKE_ROOM], before[ALIKE][ALIKE_ROOM], alone[ALIKE][ALIKE_ROOM];
  const struct sl_aead_key keys[3] = {key_of(&kernels[0]), key_of(&kernels[n_kernels - 1])};
  size_t n_done = 0;
  for (size_t round = 0; round < 2 * N_UNLIKE * ALIKE; round++) {
    bool is_open = round % 2;
    size_t at = round / 2 % ALIKE, n_failed = 0;
    enum unlike what = round / 2 / ALIKE;
    struct sl_aead_job jobs[ALIKE];
    sl_err errs[ALIKE];
    for (size_t j = 0; j < ALIKE; j++) {
      uint8_t *wire = rooms[j] + ALIKE_WIRE;
      memcpy(rooms[j], text + j, ALIKE_WIRE);
      jobs[j] = (struct sl_aead_job){.key = keys,
                                     .aad = wire,
                                     .in = rooms[j],
                                     .out = wire + 5,
                                     .tag = wire + 5 + ALIKE_LEN,
                                     .len = ALIKE_LEN,
                                     .aad_len = 5};
      if (is_open) {
        assert_int_equal(sl_aead_seal(&jobs[j], 1), 0);
        jobs[j].in = wire + 5;
        jobs[j].out = rooms[j];
      }
    }
    make_unlike(&jobs[at], what, rooms[at], keys);
    memcpy(before, rooms, sizeof rooms);
    for (size_t j = 0; j < ALIKE; j++) {
      n_failed += is_open ? sl_aead_open(&jobs[j], 1) : sl_aead_seal(&jobs[j], 1);
      errs[j] = jobs[j].err;
      jobs[j].err = SL_E_PENDING;
    }
    memcpy(alone, rooms, sizeof rooms);
    memcpy(rooms, before, sizeof rooms);
    assert_int_equal(is_open ? sl_aead_open(jobs, ALIKE) : sl_aead_seal(jobs, ALIKE), n_failed);
    for (size_t j = 0; j < ALIKE; j++) assert_int_equal(jobs[j].err, errs[j]);
    assert_memory_equal(rooms, alone, sizeof rooms);
    assert_in_range(n_failed, 0, 1);
    n_done += n_failed == 0;
  }
  assert_int_equal(n_done,
                   (5 + 1) * ALIKE); /* seals: OTHER_KEY, EMPTY_AAD, SHORTER, IN_PLACE, TAG_APART; opens: that */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_length),        cmocka_unit_test(every_aad_length),
      cmocka_unit_test(guarded_batches),     cmocka_unit_test(mixed_batches),
      cmocka_unit_test(long_batches),        cmocka_unit_test(even_batches),
      cmocka_unit_test(every_flipped_bit),   cmocka_unit_test(wrong_lengths),
      cmocka_unit_test(one_bad_job),         cmocka_unit_test(refused_arguments),
      cmocka_unit_test(allowed_nulls),       cmocka_unit_test(overlaps),
      cmocka_unit_test(unsound_among_sound), cmocka_unit_test(keys),
      cmocka_unit_test(short_check_agrees),  cmocka_unit_test(refused_on_the_wire),
      cmocka_unit_test(unlike_among_alike),  cmocka_unit_test(what_is_left),
  };
  say_what_is_missing();
  return cmocka_run_group_tests(tests, setup, NULL);
}
