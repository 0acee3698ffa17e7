/* test_record_mixes.c - the many-record path, everything at once: batches of 1 to 300 records to seal and to open, of keys
 * with the chosen kernel or with any, suites, lengths, padding and pieces mixed, in place and apart, some forged. Each wire is
 * compared with one that is made here a second way and sealed by the oracles of mix.h. The same for every subset of the CPU's
 * features. */
#define _GNU_SOURCE
#include "guard.h"
#include "mix.h"
#include "subsets.h"
#include <sealane/batch.h>

enum { PIECES_MAX = 3 };
#define NOT_EVEN SIZE_MAX

/* One direction of a connection: ours, and the count that an oracle keeps of it. */
struct way {
  struct sl_record_key key;
  struct mix_key oracles;
  uint64_t seq;
};

struct slot {
  struct guard wire, plain;
  struct sl_record record;
  const struct way *way;
  bool is_open, in_place, is_forged;
  uint8_t type;
  size_t len, pad_len, wire_len; /* bytes */
  uint8_t inner[MIX_LEN_MAX + 1], want[SL_RECORD_WIRE_MAX];
};

static struct slot slots[MIX_N_MAX];
static struct way ways[MIX_N_KEYS];
static struct sl_batch batch;
static uint64_t batch_seed;

static void must(bool holds, const struct slot *s, const char *what) {
  if (holds) return;
  fail_msg("test_record_mixes %llu: record %zu, %s%s %s, %s, %zu bytes, %zu zeros, seq %llu: not so: %s",
           (unsigned long long)batch_seed, (size_t)(s - slots), s->is_forged ? "forged, " : "",
           s->is_open ? "open" : "seal", sl_aead_key_kernel(&s->way->key.aead),
           sl_aead_name(sl_aead_key_aead(&s->way->key.aead)), s->len, s->pad_len, (unsigned long long)s->way->seq,
           what);
}

static int setup(void **state) {
  for (size_t i = 0; i < MIX_N_MAX; i++) {
    slots[i].wire = guard_new(SL_RECORD_WIRE_MAX);
    slots[i].plain = guard_new(SL_RECORD_WIRE_MAX);
  }
  void *mem = aligned_alloc(64, (sl_batch_mem_len(MIX_N_MAX) + 63) / 64 * 64);
  assert_int_equal(sl_batch_init(&batch, MIX_N_MAX, mem, sl_batch_mem_len(MIX_N_MAX)), SL_OK);
  return mix_setup(state);
}

/* A key of a kernel of the pool, anywhere in its life. */
static void way_init(struct way *way, const struct aead_kernel *pool, size_t n_pool, uint64_t *seed) {
  uint8_t secret[32], iv[SL_AEAD_NONCE_LEN];
  fill_random(secret, sizeof secret, *seed);
  fill_random(iv, sizeof iv, *seed + 1);
  mix_key_init(&way->oracles, pool, n_pool, seed);
  enum sl_aead aead = sl_aead_key_aead(&way->oracles.key);
  assert_int_equal(sl_record_key_init(&way->key, aead, secret, sl_aead_secret_len(aead), iv), SL_OK);
  way->key.aead = way->oracles.key;
  way->seq = random_below(seed, 2) == 0 ? 0 : random_below(seed, SL_RECORD_LIMIT_GCM - MIX_N_MAX);
  way->key.seq = way->seq;
}

/* The wire, made a second way: RFC 8446 5.2 and 5.3 written out. */
static void make_want(struct slot *s, const struct way *way) {
  size_t inner_len = s->len + 1 + s->pad_len, fragment_len = inner_len + SL_AEAD_TAG_LEN;
  uint8_t *header = s->want, *body = s->want + SL_RECORD_HEADER_LEN, nonce[SL_AEAD_NONCE_LEN];
  s->inner[s->len] = s->type;
  memset(s->inner + s->len + 1, 0, s->pad_len);
  const uint8_t wanted_header[] = {23, 3, 3, (uint8_t)(fragment_len >> 8), (uint8_t)fragment_len};
  memcpy(header, wanted_header, sizeof wanted_header);
  memcpy(nonce, way->key.iv, sizeof nonce);
  for (int i = 0; i < 8; i++) nonce[11 - i] ^= (uint8_t)(way->seq >> 8 * i);
  s->wire_len = SL_RECORD_HEADER_LEN + fragment_len;
  must(mix_oracle_seal(&way->oracles, nonce, header, SL_RECORD_HEADER_LEN, s->inner, inner_len, body, body + inner_len),
       s, "the oracles agree");
}

/* n pieces, some of them empty, that are s->plain. */
static void cut(struct iovec *pieces, size_t n, const struct slot *s, uint64_t *seed) {
  uint8_t *at = s->plain.placed, *end = at + s->len;
  for (size_t i = 0; i < n; i++) {
    size_t left = (size_t)(end - at), len = i == n - 1 ? left : random_below(seed, left + 1);
    pieces[i] = (struct iovec){len > 0 ? at : NULL, len};
    at += len;
  }
}

static void describe_seal(struct slot *s, struct way *way, uint64_t *seed) {
  struct iovec pieces[PIECES_MAX] = {{NULL, s->len}};
  size_t n_pieces = 1;
  guard_place(&s->wire, s->wire_len, random_below(seed, 2), NULL);
  guard_place(&s->plain, s->in_place ? 0 : s->len, random_below(seed, 2), s->inner);
  if (s->in_place) {
    pieces[0].iov_base = s->wire.placed + SL_RECORD_HEADER_LEN;
    if (s->len > 0) memcpy(pieces[0].iov_base, s->inner, s->len);
  } else {
    n_pieces = 1 + random_below(seed, PIECES_MAX);
    cut(pieces, n_pieces, s, seed);
  }
  sl_err err =
      sl_record_seal(&s->record, &way->key, s->type, pieces, n_pieces, s->pad_len, s->wire.placed, s->wire_len);
  must(err == SL_OK, s, "it can be described");
}

static void describe_open(struct slot *s, struct way *way, uint64_t *seed) {
  size_t plain_len = s->wire_len - SL_RECORD_OVERHEAD;
  guard_place(&s->wire, s->wire_len, random_below(seed, 2), s->want);
  guard_place(&s->plain, s->in_place ? 0 : plain_len, random_below(seed, 2), NULL);
  uint8_t *plain = s->in_place ? s->wire.placed + SL_RECORD_HEADER_LEN : s->plain.placed;
  if (s->is_forged) { /* anywhere but in the length, which is looked at before */
    size_t at = random_below(seed, s->wire_len - 2);
    s->wire.placed[at < 3 ? at : at + 2] ^= (uint8_t)(1u << random_below(seed, 8));
  }
  sl_err err = sl_record_open(&s->record, &way->key, s->wire.placed, s->wire_len, plain, plain_len);
  must(err == SL_OK, s, "it can be described");
}

/* even_len: of every record of the batch, which then are alike but for their direction; or NOT_EVEN. */
static void make_record(struct slot *s, struct way *way, size_t even_len, uint64_t *seed) {
  s->way = way;
  s->is_open = random_below(seed, 2);
  s->in_place = random_below(seed, 2);
  s->is_forged = s->is_open && random_below(seed, 8) == 0;
  s->len = even_len != NOT_EVEN ? even_len : mix_len(seed, SL_RECORD_TEXT_MAX);
  size_t room = SL_RECORD_TEXT_MAX - s->len, most = random_below(seed, 8) == 0 || room == 0 ? room : 1;
  s->pad_len = random_below(seed, 4) == 0 && even_len == NOT_EVEN ? random_below(seed, most + 1) : 0;
  s->type = (uint8_t)(1 + random_below(seed, 255));
  fill_random(s->inner, s->len, *seed);
  make_want(s, way);
  memset(&s->record, 0xa5, sizeof s->record);
  if (s->is_open) {
    describe_open(s, way, seed);
  } else {
    describe_seal(s, way, seed);
  }
  way->seq++;
}

static void check_sealed(const struct slot *s) {
  must(s->record.err == SL_OK, s, "it was sealed");
  must(s->record.wire_len == s->wire_len, s, "the wire has the length of the oracle's");
  must(memcmp(s->wire.placed, s->want, s->wire_len) == 0, s, "the wire is the oracle's");
  must(memcmp(s->plain.placed, s->inner, s->plain.placed_len) == 0, s, "the text is only read");
}

static void check_opened(const struct slot *s) {
  const struct sl_record *r = &s->record;
  size_t plain_len = s->wire_len - SL_RECORD_OVERHEAD;
  const uint8_t *plain = r->job.out;
  must(r->err == (s->is_forged ? SL_E_AUTH : SL_OK), s, "it opened if it was not forged");
  must(r->wire_len == s->wire_len && r->plain_len == (s->is_forged ? 0 : s->len), s, "its lengths");
  if (s->is_forged) {
    must(all_are(plain, plain_len, 0), s, "the text is zeroed");
  } else {
    must(r->type == s->type && memcmp(plain, s->inner, plain_len) == 0, s, "it is the text");
    if (!s->in_place) must(memcmp(s->wire.placed, s->want, s->wire_len) == 0, s, "the wire is only read");
    must(memcmp(s->wire.placed + s->wire_len - 16, s->want + s->wire_len - 16, 16) == 0, s, "the tag is only read");
  }
}

static void check_slot(const struct slot *s) {
  if (s->is_open) {
    check_opened(s);
  } else {
    check_sealed(s);
  }
  must(guard_is_intact(&s->wire) && guard_is_intact(&s->plain), s, "nothing is written outside");
}

static void run_batch(uint64_t seed) {
  batch_seed = seed;
  const struct aead_kernel *pool;
  size_t n_pool = mix_pool(&pool, &seed), n = mix_size(&seed), n_ways = 1 + random_below(&seed, MIX_N_KEYS);
  size_t even_len = random_below(&seed, 4) == 0 ? mix_len(&seed, 2000) : NOT_EVEN;
  for (size_t k = 0; k < n_ways; k++) way_init(&ways[k], pool, n_pool, &seed);
  for (size_t i = 0; i < n; i++) {
    make_record(&slots[i], &ways[random_below(&seed, n_ways)], even_len, &seed);
    assert_int_equal(sl_batch_add(&batch, &slots[i].record), SL_OK);
  }
  sl_batch_run(&batch);
  for (size_t i = 0; i < n; i++) check_slot(&slots[i]);
}

static void mixes(void **state) {
  (void)state;
  for (uint64_t i = 0; i < mix_batches(300); i++) run_batch(mix_first + i);
}

/* ---- one bad record in every place of a batch ---------------------------------------------------------------- */

static void one_bad_of(const struct aead_kernel *pool, size_t n_pool, size_t n, uint64_t seed) {
  static uint64_t seqs[MIX_N_MAX];
  static struct way *owners[MIX_N_MAX];
  batch_seed = seed;
  for (size_t k = 0; k < MIX_N_KEYS; k++) way_init(&ways[k], pool, n_pool, &seed);
  for (size_t i = 0; i < n; i++) {
    struct slot *s = &slots[i];
    s->way = owners[i] = &ways[random_below(&seed, MIX_N_KEYS)];
    s->is_open = true;
    s->len = mix_len(&seed, 200);
    s->pad_len = 0;
    s->type = SL_CONTENT_APPLICATION_DATA;
    fill_random(s->inner, s->len, seed);
    make_want(s, owners[i]);
    seqs[i] = owners[i]->seq++;
  }
  for (size_t bad = 0; bad < n; bad++) {
    for (size_t i = 0; i < n; i++) {
      slots[i].is_forged = i == bad;
      slots[i].in_place = (i + bad) % 2;
      owners[i]->key.seq = seqs[i];
      describe_open(&slots[i], owners[i], &seed);
      assert_int_equal(sl_batch_add(&batch, &slots[i].record), SL_OK);
    }
    sl_batch_run(&batch);
    for (size_t i = 0; i < n; i++) check_slot(&slots[i]);
  }
}

static void one_bad_in_every_place(void **state) {
  (void)state;
  one_bad_of(mix_kernels, mix_n_kernels, MIX_N_MAX, 1);
  one_bad_of(mix_chosen, mix_n_chosen, MIX_N_MAX, 2);
  for (size_t i = 0; i < mix_n_kernels && mix_is_full; i++) one_bad_of(&mix_kernels[i], 1, MIX_N_MAX, 3 + i);
}

/* ---- subsets of features ------------------------------------------------------------------------------------- */

static int run_subset(uint64_t features) {
  static const struct CMUnitTest tests[] = {cmocka_unit_test(mixes)};
  (void)features;
  if (mix_n == 0) mix_n = mix_is_full ? 300 : 20;
  return cmocka_run_group_tests(tests, setup, NULL);
}

/* Stands first: the selection of this process must not be made yet. */
static void every_subset_of_features(void **state) {
  (void)state;
  in_each_subset(run_subset);
}

int main(int argc, char **argv) {
  const struct CMUnitTest first[] = {cmocka_unit_test(every_subset_of_features)};
  const struct CMUnitTest tests[] = {cmocka_unit_test(mixes), cmocka_unit_test(one_bad_in_every_place)};
  mix_arguments(argc, argv);
  /* Where kernels are forced the subsets would be those of every other run. */
  int n_failed = getenv("SEALANE_KERNELS") == NULL ? cmocka_run_group_tests(first, NULL, NULL) : 0;
  return n_failed + cmocka_run_group_tests(tests, setup, NULL);
}
