/* selftest.c - known answers: what a kernel must get right before it may touch anyone's data.
 *
 * AEAD: five jobs of one batch under two keys, of lengths that take a kernel through all its parts: no text at all, part of
 * a block, whole blocks, and enough for its main loop. Only their tags are kept here: a tag depends on every
 * bit of the ciphertext and the AAD. Their source: computed from pattern() by OpenSSL. The same texts as streams. SHA-2: the messages "abc" and the
 * one of two blocks from FIPS 180-2's examples, padded. X25519: RFC 7748 5.2. */
#include "selftest.h"
#include "aead_jobs.h"
#include "stream.h"

/* ---- AEAD ---------------------------------------------------------------------------------------------------- */

enum { N_JOBS = 5, TEXT_MAX = 1350, AAD_MAX = 33 };

static const struct {
  uint16_t len, aad_len; /* bytes */
  uint8_t tail_len;
} shapes[N_JOBS] = {{0, 5, 0}, {13, 0, 1}, {64, 13, 0}, {257, 20, 1}, {TEXT_MAX, AAD_MAX, 0}};

enum { TAIL = 0x17 };

static const char tags[SL_AEAD_END][N_JOBS][SL_AEAD_TAG_LEN + 1] = {
    [SL_AES_128_GCM] =
        {
            "\x8e\xe2\x61\x47\x9d\x8e\x99\x46\x90\xee\x71\xd7\x67\x6e\xd4\x2d",
            "\x17\x0a\x2f\xa4\x6c\xe1\xec\xac\x28\x9f\x21\x37\x0e\xcc\x5a\x0f",
            "\xb4\xbf\xe5\xf3\xac\xfb\xb8\x86\x39\x7e\x29\x88\x31\x19\xa5\xd5",
            "\x36\x90\x19\x6a\xaa\x47\x99\x95\x8c\x2f\x93\xa1\x85\xfc\xcc\x8b",
            "\xa9\x3f\x96\x16\xab\x35\xc5\x43\xd7\x73\x70\xbc\xfd\xb2\x74\xc7",
        },
    [SL_AES_256_GCM] =
        {
            "\xad\x48\x47\xf7\x46\xb7\x5b\xde\x40\x31\x6c\xf1\x0f\xc1\x96\x57",
            "\x5e\xcf\x56\x48\x48\x77\x99\xdf\xa7\x65\x7e\xe1\x0f\xd0\x85\xe5",
            "\xb5\xf8\x1b\x5e\xc4\x7b\x25\xe6\x5f\x33\xbe\x07\xe6\x98\x74\x91",
            "\x9f\xdb\x21\xa8\x13\x19\x28\x17\xe4\x88\x35\xa9\xd3\xd7\x69\xaa",
            "\x6e\x5a\xf9\x6e\xf6\x99\x40\x5c\xa8\x0a\xe6\x8a\x27\x49\x63\x1a",
        },
    [SL_CHACHA20_POLY1305] =
        {
            "\x1b\xfd\x79\x49\x6a\x61\x20\x1b\xf8\x9b\x93\xcb\xbb\x1e\xb7\xb0",
            "\x6f\x67\x1a\x17\x07\xbb\xd1\x5b\x13\xe5\xd0\xce\xb9\x9a\xa4\xfa",
            "\x99\x98\x76\x30\x36\x20\xe8\x3f\xff\xe0\x9e\x3c\x5e\x9b\x15\x87",
            "\x10\xd6\x5a\x13\x64\x69\x6a\xf7\x13\xf4\xd7\x40\xe6\x3c\xce\xf7",
            "\xc5\xf5\x7e\x5d\x95\x1a\x1d\x2f\x8f\xf2\xc8\x77\xac\xf6\x10\xc2",
        },
};

/* The bytes of every input: no two near each other are alike. */
static void pattern(uint8_t *out, size_t len, unsigned seed) {
  for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(seed + 29 * i + (i >> 8));
}

struct aead_test {
  struct sl_aead_key keys[2];
  struct sl_aead_job jobs[N_JOBS], *order[N_JOBS];
  uint8_t tags[N_JOBS][SL_AEAD_TAG_LEN];
  uint8_t aads[N_JOBS][AAD_MAX];
  uint8_t texts[N_JOBS][TEXT_MAX + 1]; /* sealed and opened in place */
};

static void prepare(struct aead_test *t, const struct sl_kernel *kernel, const struct sl_aead_ops *ops) {
  memset(t, 0, sizeof *t);
  for (unsigned k = 0; k < 2; k++) {
    uint8_t secret[32];
    pattern(secret, ops->secret_len, 0x40 * k + 1);
    t->keys[k].ops = ops;
    t->keys[k].kernel = kernel;
    ops->expand(&t->keys[k], secret);
  }
  for (unsigned j = 0; j < N_JOBS; j++) {
    pattern(t->texts[j], shapes[j].len, j);
    pattern(t->aads[j], shapes[j].aad_len, 0xa0 + j);
    t->jobs[j] = (struct sl_aead_job){
        .key = &t->keys[j % 2],
        .aad = t->aads[j],
        .in = t->texts[j],
        .out = t->texts[j],
        .tag = t->tags[j],
        .len = shapes[j].len,
        .aad_len = shapes[j].aad_len,
        .tail_len = shapes[j].tail_len,
        .tail = TAIL,
    };
    pattern(t->jobs[j].nonce, SL_AEAD_NONCE_LEN, 0x80 + j);
    t->order[j] = &t->jobs[j];
  }
}

/* Opens everything but job `bad`, whose tag has been changed: that one must fail and leave zeros. */
static bool opens_all_but(struct aead_test *t, const struct sl_aead_ops *ops, unsigned bad) {
  bool good = true;
  t->tags[bad][bad] ^= 0x10;
  for (unsigned j = 0; j < N_JOBS; j++) {
    t->order[j] = &t->jobs[j];
    t->jobs[j].tail = (uint8_t)~TAIL;
    t->jobs[j].err = SL_OK;
  }
  ops->open(t->order, N_JOBS);
  for (unsigned j = 0; j < N_JOBS; j++) {
    const struct sl_aead_job *job = &t->jobs[j];
    uint8_t want[TEXT_MAX] = {0}, want_tail = 0;
    if (j != bad) pattern(want, job->len, j);
    if (j != bad) want_tail = TAIL;
    good &= job->err == (j == bad ? SL_E_AUTH : SL_OK);
    good &= memcmp(job->out, want, job->len) == 0;
    good &= job->tail_len == 0 || job->tail == want_tail;
  }
  return good;
}

static bool test_ops(const struct sl_kernel *kernel, const struct sl_aead_ops *ops) {
  struct aead_test t;
  bool good = true;
  for (unsigned bad = 0; good && bad < N_JOBS; bad += N_JOBS - 1) {
    prepare(&t, kernel, ops);
    ops->seal(t.order, N_JOBS);
    for (unsigned j = 0; j < N_JOBS; j++) good &= memcmp(t.tags[j], tags[ops->aead][j], SL_AEAD_TAG_LEN) == 0;
    good = good && opens_all_but(&t, ops, bad);
  }
  return good;
}

/* One of the texts as a stream, tail and all: AAD, a piece of whole units, the rest. Returns its tag. */
static void stream(const struct aead_test *t, unsigned j, uint8_t *text, bool is_open,
                   uint8_t tag[static SL_AEAD_TAG_LEN]) {
  const struct sl_aead_job *job = &t->jobs[j];
  const struct sl_stream_ops *ops = &job->key->kernel->stream;
  size_t len = job->len + job->tail_len, first = len / 2 - len / 2 % ops->unit_len;
  struct sl_stream s = {
      .ops = ops,
      .aad_len = job->aad_len,
      .text_len = len,
      .counter = job->key->ops->aead == SL_CHACHA20_POLY1305 ? 0 : 1,
      .n_block = job->aad_len % 16,
  };
  memcpy(s.nonce, job->nonce, sizeof s.nonce);
  memcpy(s.block, job->aad + job->aad_len - s.n_block, s.n_block);
  ops->start(&s, job->key);
  if (job->aad_len >= 16) ops->absorb(&s, job->key, job->aad, job->aad_len / 16);
  if (first > 0) ops->crypt(&s, job->key, text, text, first, is_open);
  if (len > first) ops->crypt(&s, job->key, text + first, text + first, len - first, is_open);
  memset(s.block + s.n_block, 0, sizeof s.block - s.n_block);
  ops->tag(&s, job->key, tag);
}

/* Streams have code of their own in a kernel. */
static bool test_stream(const struct sl_kernel *kernel, const struct sl_aead_ops *ops) {
  struct aead_test t;
  bool good = true;
  prepare(&t, kernel, ops);
  for (unsigned j = 0; j < N_JOBS; j++) {
    uint8_t text[TEXT_MAX + 1], want[TEXT_MAX + 1], tag[SL_AEAD_TAG_LEN];
    pattern(want, shapes[j].len, j);
    want[shapes[j].len] = TAIL;
    memcpy(text, want, sizeof text);
    for (int is_open = 0; is_open < 2; is_open++) {
      stream(&t, j, text, is_open == 1, tag);
      good &= memcmp(tag, tags[ops->aead][j], sizeof tag) == 0;
    }
    good &= memcmp(text, want, shapes[j].len + shapes[j].tail_len) == 0;
  }
  return good;
}

static bool test_aead(const struct sl_kernel *kernel) {
  for (unsigned i = 0; i < 2; i++) {
    const struct sl_aead_ops *ops = &kernel->aead[i];
    if (ops->aead == SL_AEAD_NONE) continue;
    if (!test_ops(kernel, ops)) return false;
    if (kernel->stream.start != NULL && !test_stream(kernel, ops)) return false;
  }
  return true;
}

/* ---- SHA-2 --------------------------------------------------------------------------------------------------- */

#define TWO_BLOCKS_256 "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define TWO_BLOCKS_512                                                                                                 \
  "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"

static const uint32_t start256[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static const uint64_t start512[8] = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
                                     UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
                                     UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
                                     UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)};
static const uint32_t digests256[2][8] = {
    {0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223, 0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad},
    {0x248d6a61, 0xd20638b8, 0xe5c02693, 0x0c3e6039, 0xa33ce459, 0x64ff2167, 0xf6ecedd4, 0x19db06c1}};
static const uint64_t digests512[2][8] = {
    {UINT64_C(0xddaf35a193617aba), UINT64_C(0xcc417349ae204131), UINT64_C(0x12e6fa4e89a97ea2),
     UINT64_C(0x0a9eeee64b55d39a), UINT64_C(0x2192992a274fc1a8), UINT64_C(0x36ba3c23a3feebbd),
     UINT64_C(0x454d4423643ce80e), UINT64_C(0x2a9ac94fa54ca49f)},
    {UINT64_C(0x8e959b75dae313da), UINT64_C(0x8cf4f72814fc143f), UINT64_C(0x8f7779c6eb9f7fa1),
     UINT64_C(0x7299aeadb6889018), UINT64_C(0x501d289e4900f7e4), UINT64_C(0x331b99dec4b5433a),
     UINT64_C(0xc7d329eeb6dd2654), UINT64_C(0x5e96e55b874be909)}};

/* A message with its padding (FIPS 180-4 5.1) as n_blocks of block_len bytes. */
static void pad(uint8_t *blocks, size_t n_blocks, size_t block_len, const char *message) {
  size_t len = strlen(message);
  memset(blocks, 0, n_blocks * block_len);
  memcpy(blocks, message, len);
  blocks[len] = 0x80;
  sl_store64_be(blocks + n_blocks * block_len - 8, 8 * (uint64_t)len);
}

static bool test_sha256(const struct sl_kernel *kernel) {
  bool good = true;
  for (size_t n_blocks = 1; n_blocks <= 2; n_blocks++) {
    uint8_t blocks[2 * 64];
    uint32_t state[8];
    memcpy(state, start256, sizeof state);
    pad(blocks, n_blocks, 64, n_blocks == 1 ? "abc" : TWO_BLOCKS_256);
    kernel->sha2.compress(state, blocks, n_blocks);
    good &= memcmp(state, digests256[n_blocks - 1], sizeof state) == 0;
  }
  return good;
}

static bool test_sha512(const struct sl_kernel *kernel) {
  bool good = true;
  for (size_t n_blocks = 1; n_blocks <= 2; n_blocks++) {
    uint8_t blocks[2 * 128];
    uint64_t state[8];
    memcpy(state, start512, sizeof state);
    pad(blocks, n_blocks, 128, n_blocks == 1 ? "abc" : TWO_BLOCKS_512);
    kernel->sha2.compress(state, blocks, n_blocks);
    good &= memcmp(state, digests512[n_blocks - 1], sizeof state) == 0;
  }
  return good;
}

/* ---- X25519 -------------------------------------------------------------------------------------------------- */

static const struct {
  const char scalar[33], point[33], product[33];
} products[2] = {
    {"\xa5\x46\xe3\x6b\xf0\x52\x7c\x9d\x3b\x16\x15\x4b\x82\x46\x5e\xdd"
     "\x62\x14\x4c\x0a\xc1\xfc\x5a\x18\x50\x6a\x22\x44\xba\x44\x9a\xc4",
     "\xe6\xdb\x68\x67\x58\x30\x30\xdb\x35\x94\xc1\xa4\x24\xb1\x5f\x7c"
     "\x72\x66\x24\xec\x26\xb3\x35\x3b\x10\xa9\x03\xa6\xd0\xab\x1c\x4c",
     "\xc3\xda\x55\x37\x9d\xe9\xc6\x90\x8e\x94\xea\x4d\xf2\x8d\x08\x4f"
     "\x32\xec\xcf\x03\x49\x1c\x71\xf7\x54\xb4\x07\x55\x77\xa2\x85\x52"},
    {"\x4b\x66\xe9\xd4\xd1\xb4\x67\x3c\x5a\xd2\x26\x91\x95\x7d\x6a\xf5"
     "\xc1\x1b\x64\x21\xe0\xea\x01\xd4\x2c\xa4\x16\x9e\x79\x18\xba\x0d",
     "\xe5\x21\x0f\x12\x78\x68\x11\xd3\xf4\xb7\x95\x9d\x05\x38\xae\x2c"
     "\x31\xdb\xe7\x10\x6f\xc0\x3c\x3e\xfc\x4c\xd5\x49\xc7\x15\xa4\x93",
     "\x95\xcb\xde\x94\x76\xe8\x90\x7d\x7a\xad\xe4\x5c\xb4\xb8\x73\xf8"
     "\x8b\x59\x5a\x68\x79\x9f\xa1\x52\xe6\xf8\xf7\x64\x7a\xac\x79\x57"},
};

static bool test_x25519(const struct sl_kernel *kernel) {
  uint8_t out[2][32];
  struct sl_x25519_job jobs[2];
  for (unsigned i = 0; i < 2; i++) {
    jobs[i] = (struct sl_x25519_job){out[i], (const uint8_t *)products[i].scalar, (const uint8_t *)products[i].point};
  }
  kernel->x25519.run(jobs, 2);
  return memcmp(out[0], products[0].product, 32) == 0 && memcmp(out[1], products[1].product, 32) == 0;
}

/* ---- all ----------------------------------------------------------------------------------------------------- */

bool sl_selftest(const struct sl_kernel *kernel) {
  switch (kernel->algorithm) {
  case SL_ALG_AES_GCM:
  case SL_ALG_CHACHA20_POLY1305:
    return test_aead(kernel);
  case SL_ALG_SHA256:
    return test_sha256(kernel);
  case SL_ALG_SHA512:
    return test_sha512(kernel);
  case SL_ALG_X25519:
    return test_x25519(kernel);
  case SL_ALG_END:
    break;
  }
  return false;
}
