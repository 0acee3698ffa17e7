/* test_mixes.c - AEAD jobs, everything at once: batches of 1 to 300 jobs with keys of one kernel or of all, suites,
 * lengths, alignments and places between guard pages mixed, in place and apart, some jobs forged and some unsound. Each
 * result is compared with the portable kernel's and with Intel IPsec-MB's (mix.h). */
#include "guard.h"
#include "mix.h"

enum { AAD_MAX = 64 };

/* What is wrong with a job. The first ones are for jobs to open. */
enum fault {
  BAD_TAG,
  BAD_CIPHER,
  BAD_AAD,
  BAD_NONCE,
  FORGED_END,
  NO_KEY = FORGED_END,
  EMPTY_KEY,
  NO_TAG,
  NO_IN,
  NO_OUT,
  NO_AAD,
  LONG_TAIL,
  LONG_TEXT,
  OUT_IN_IN,
  OUT_IN_AAD,
  OUT_IN_TAG,
  NO_FAULT
};

static const struct {
  const char *name;
  sl_err err;
} faults[] = {
    [BAD_TAG] = {"forged tag", SL_E_AUTH},
    [BAD_CIPHER] = {"forged ciphertext", SL_E_AUTH},
    [BAD_AAD] = {"forged AAD", SL_E_AUTH},
    [BAD_NONCE] = {"forged nonce", SL_E_AUTH},
    [NO_KEY] = {"no key", SL_E_KEY},
    [EMPTY_KEY] = {"empty key", SL_E_KEY},
    [NO_TAG] = {"no tag", SL_E_ARG},
    [NO_IN] = {"no in", SL_E_ARG},
    [NO_OUT] = {"no out", SL_E_ARG},
    [NO_AAD] = {"no AAD", SL_E_ARG},
    [LONG_TAIL] = {"tail of two", SL_E_ARG},
    [LONG_TEXT] = {"text too long", SL_E_LENGTH},
    [OUT_IN_IN] = {"out in in", SL_E_OVERLAP},
    [OUT_IN_AAD] = {"out in AAD", SL_E_OVERLAP},
    [OUT_IN_TAG] = {"out in tag", SL_E_OVERLAP},
    [NO_FAULT] = {"sound", SL_OK},
};

/* A job, where its buffers are, and what they must hold afterwards. */
struct slot {
  struct guard in, out, aad, tag; /* in place: in holds text and tag */
  const struct mix_key *key;
  enum fault fault;
  bool is_open, in_place;
  size_t len, cipher_len; /* bytes */
  struct sl_aead_job job;
  uint8_t aad_bytes[AAD_MAX], want_tag[SL_AEAD_TAG_LEN];
  uint8_t text[MIX_LEN_MAX + 1], cipher[MIX_LEN_MAX + 1]; /* as they should be; text with its tail */
  uint8_t placed[MIX_LEN_MAX + 1 + SL_AEAD_TAG_LEN];      /* what in held before the call */
};

static struct slot slots[MIX_N_MAX];
static struct mix_key keys[MIX_N_KEYS];
static struct sl_aead_key empty_key;
static uint64_t batch_seed;

static void must(bool holds, const struct slot *s, const char *what) {
  if (holds) return;
  fail_msg("test_mixes %llu: job %zu, %s %s, %s, %s, %zu bytes, AAD %u, tail %u, nonce[0] %u: not so: %s",
           (unsigned long long)batch_seed, (size_t)(s - slots), s->is_open ? "open" : "seal",
           sl_aead_key_kernel(&s->key->key), sl_aead_name(sl_aead_key_aead(&s->key->key)), faults[s->fault].name,
           s->len, s->job.aad_len, s->job.tail_len, s->job.nonce[0], what);
}

static int setup(void **state) {
  for (size_t i = 0; i < MIX_N_MAX; i++) {
    slots[i].in = guard_new(sizeof slots[i].placed);
    slots[i].out = guard_new(sizeof slots[i].placed);
    slots[i].aad = guard_new(AAD_MAX);
    slots[i].tag = guard_new(SL_AEAD_TAG_LEN);
  }
  return mix_setup(state);
}

/* At either guard page or anywhere between. */
static uint8_t *place(struct guard *g, size_t len, uint64_t *seed, const uint8_t *from) {
  size_t most = g->middle - len, off = 0;
  switch (random_below(seed, 3)) {
  case 0:
    off = most;
    break;
  case 1:
    off = random_below(seed, most + 1);
    break;
  default:
    break;
  }
  return guard_place_at(g, len, off, from);
}

/* The buffers of a job as one that is sound has them. */
static void place_sound(struct slot *s, uint64_t *seed) {
  struct sl_aead_job *job = &s->job;
  size_t in_len = s->is_open ? s->cipher_len : s->len, out_len = s->is_open ? s->len : s->cipher_len;
  memcpy(s->placed, s->is_open ? s->cipher : s->text, in_len);
  job->aad = place(&s->aad, job->aad_len, seed, s->aad_bytes);
  place(&s->tag, SL_AEAD_TAG_LEN, seed, s->is_open ? s->want_tag : NULL);
  if (s->in_place) {
    place(&s->in, s->cipher_len + SL_AEAD_TAG_LEN, seed, NULL);
    memcpy(s->in.placed, s->placed, in_len);
    if (s->is_open) memcpy(s->in.placed + s->cipher_len, s->want_tag, SL_AEAD_TAG_LEN);
    memcpy(s->placed, s->in.placed, s->cipher_len + SL_AEAD_TAG_LEN);
    place(&s->out, 0, seed, NULL);
    job->in = job->out = s->in.placed;
    job->tag = s->in.placed + s->cipher_len;
  } else {
    bool tag_follows = !s->is_open && random_below(seed, 2) == 0;
    job->in = place(&s->in, in_len, seed, s->placed);
    job->out = place(&s->out, out_len + (tag_follows ? SL_AEAD_TAG_LEN : 0), seed, NULL);
    job->tag = tag_follows ? job->out + out_len : s->tag.placed;
  }
}

/* A fault this job can have, or none. */
static enum fault random_fault(const struct slot *s, uint64_t *seed) {
  enum fault fault = NO_FAULT;
  uint64_t dice = random_below(seed, 8);
  if (dice == 0) fault = (enum fault)(FORGED_END + random_below(seed, NO_FAULT - FORGED_END));
  if (dice == 1 && s->is_open) fault = (enum fault)random_below(seed, FORGED_END);
  bool can = true;
  if (fault == BAD_CIPHER || fault == NO_IN) can = s->cipher_len > 0 && (s->is_open || s->len > 0);
  if (fault == NO_OUT) can = s->is_open ? s->len > 0 : s->cipher_len > 0;
  if (fault == BAD_AAD || fault == NO_AAD) can = s->job.aad_len > 0;
  if (fault == OUT_IN_IN || fault == OUT_IN_TAG) can = s->len > 1;
  if (fault == OUT_IN_AAD) can = s->len > 0 && s->job.aad_len > 0;
  return can ? fault : NO_FAULT;
}

static void spoil(struct slot *s, uint64_t *seed) {
  struct sl_aead_job *job = &s->job;
  switch (s->fault) {
  case BAD_TAG:
    job->tag[random_below(seed, SL_AEAD_TAG_LEN)] ^= (uint8_t)(1u << random_below(seed, 8));
    break;
  case BAD_CIPHER:
    s->in.placed[random_below(seed, s->cipher_len)] ^= (uint8_t)(1u << random_below(seed, 8));
    break;
  case BAD_AAD:
    s->aad.placed[random_below(seed, job->aad_len)] ^= 1;
    break;
  case BAD_NONCE:
    job->nonce[random_below(seed, SL_AEAD_NONCE_LEN)] ^= 0x80;
    break;
  case NO_KEY:
    job->key = NULL;
    break;
  case EMPTY_KEY:
    job->key = &empty_key;
    break;
  case NO_TAG:
    job->tag = NULL;
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
  case LONG_TAIL:
    job->tail_len = 2;
    break;
  case LONG_TEXT:
    job->len = SL_AEAD_TEXT_MAX + 1 - job->tail_len;
    break;
  case OUT_IN_IN:
    job->out = s->in.placed + 1;
    break;
  case OUT_IN_AAD:
    job->out = s->aad.placed;
    break;
  case OUT_IN_TAG:
    job->out = job->tag + SL_AEAD_TAG_LEN - 1;
    break;
  case NO_FAULT:
    break;
  }
  if (s->in_place) memcpy(s->placed, s->in.placed, s->in.placed_len);
  if (!s->in_place && s->fault < FORGED_END && s->in.placed_len > 0) memcpy(s->placed, s->in.placed, s->in.placed_len);
}

static void make_job(struct slot *s, const struct mix_key *key, uint64_t *seed) {
  struct sl_aead_job *job = &s->job;
  s->key = key;
  s->is_open = random_below(seed, 2);
  s->in_place = random_below(seed, 2);
  s->len = mix_len(seed, MIX_LEN_MAX);
  *job = (struct sl_aead_job){.key = &key->key,
                              .len = s->len,
                              .aad_len = (uint32_t)random_below(seed, AAD_MAX + 1),
                              .tail_len = (uint8_t)random_below(seed, 2),
                              .err = SL_E_PENDING};
  s->cipher_len = s->len + job->tail_len;
  fill_random(s->text, s->cipher_len, *seed);
  fill_random(s->aad_bytes, sizeof s->aad_bytes, *seed + 1);
  fill_random(job->nonce, sizeof job->nonce, *seed + 2);
  bool agree =
      mix_oracle_seal(key, job->nonce, s->aad_bytes, job->aad_len, s->text, s->cipher_len, s->cipher, s->want_tag);
  must(agree, s, "the oracles agree");
  job->tail = s->is_open ? 0xee : s->text[s->len];
  place_sound(s, seed);
  s->fault = random_fault(s, seed);
  spoil(s, seed);
}

/* A job that was refused for its arguments: nothing has been written. */
static void check_refused(const struct slot *s) {
  must(memcmp(s->in.placed, s->placed, s->in.placed_len) == 0, s, "in is untouched");
  must(all_are(s->out.placed, s->out.placed_len, GUARD_CANARY), s, "out is untouched");
  if (s->is_open) must(memcmp(s->tag.placed, s->want_tag, SL_AEAD_TAG_LEN) == 0, s, "the tag is untouched");
  if (!s->is_open) must(all_are(s->tag.placed, SL_AEAD_TAG_LEN, GUARD_CANARY), s, "the tag is untouched");
  must(s->job.tail == (s->is_open ? 0xee : s->text[s->len]), s, "the tail is untouched");
}

static void check_opened(const struct slot *s) {
  const struct sl_aead_job *job = &s->job;
  bool failed = s->fault < FORGED_END;
  if (failed) must(all_are(job->out, job->len, 0), s, "out is zeroed");
  if (!failed) must(job->len == 0 || memcmp(job->out, s->text, job->len) == 0, s, "out is the text");
  must(job->tail == (failed ? 0 : job->tail_len == 0 ? 0xee : s->text[s->len]), s, "the tail is right");
  size_t kept = s->in_place ? s->len : 0; /* behind the text an open in place writes nothing, either */
  must(memcmp(s->in.placed + kept, s->placed + kept, s->in.placed_len - kept) == 0, s, "in is only read");
}

static void check_sealed(const struct slot *s) {
  const struct sl_aead_job *job = &s->job;
  must(s->cipher_len == 0 || memcmp(job->out, s->cipher, s->cipher_len) == 0, s, "out is the ciphertext");
  must(memcmp(job->tag, s->want_tag, SL_AEAD_TAG_LEN) == 0, s, "the tag is right");
  if (!s->in_place) must(memcmp(s->in.placed, s->placed, s->in.placed_len) == 0, s, "in is only read");
}

static void check_slot(const struct slot *s) {
  must(s->job.err == faults[s->fault].err, s, "the error is the one expected");
  if (s->fault >= FORGED_END && s->fault != NO_FAULT) {
    check_refused(s);
  } else if (s->is_open) {
    check_opened(s);
  } else {
    check_sealed(s);
  }
  bool is_intact = guard_is_intact(&s->in) && guard_is_intact(&s->out) && guard_is_intact(&s->aad);
  must(is_intact && guard_is_intact(&s->tag), s, "nothing is written outside");
  if (s->fault != BAD_AAD) must(memcmp(s->aad.placed, s->aad_bytes, s->job.aad_len) == 0, s, "the AAD is only read");
}

static void run_batch(uint64_t seed) {
  static struct sl_aead_job jobs[2][MIX_N_MAX];
  static size_t owners[2][MIX_N_MAX];
  size_t n_jobs[2] = {0}, n_faulty[2] = {0};
  batch_seed = seed;
  const struct aead_kernel *pool;
  size_t n_pool = mix_pool(&pool, &seed), n = mix_size(&seed), n_keys = 1 + random_below(&seed, MIX_N_KEYS);
  for (size_t k = 0; k < n_keys; k++) mix_key_init(&keys[k], pool, n_pool, &seed);
  for (size_t i = 0; i < n; i++) {
    struct slot *s = &slots[i];
    make_job(s, &keys[random_below(&seed, n_keys)], &seed);
    size_t at = n_jobs[s->is_open]++;
    jobs[s->is_open][at] = s->job;
    owners[s->is_open][at] = i;
    n_faulty[s->is_open] += s->fault != NO_FAULT;
  }
  size_t n_failed[2] = {sl_aead_seal(jobs[0], n_jobs[0]), sl_aead_open(jobs[1], n_jobs[1])};
  for (size_t is_open = 0; is_open < 2; is_open++) {
    for (size_t j = 0; j < n_jobs[is_open]; j++) {
      struct slot *s = &slots[owners[is_open][j]];
      s->job = jobs[is_open][j];
      check_slot(s);
    }
    must(n_failed[is_open] == n_faulty[is_open], &slots[0], "the call says how many failed");
  }
}

static void mixes(void **state) {
  (void)state;
  for (uint64_t i = 0; i < mix_batches(600); i++) run_batch(mix_first + i);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(mixes)};
  mix_arguments(argc, argv);
  return cmocka_run_group_tests(tests, setup, NULL);
}
