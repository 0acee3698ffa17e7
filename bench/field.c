/* field.c - who races in `aead`, checked before they are timed. */
#include "field.h"
#include "bench.h"
#include "clock.h"
#include <stdlib.h>
#include <string.h>

static const char *op_name(const struct field *f) {
  return f->is_open ? "open" : "seal";
}

/* ---- contenders ---------------------------------------------------------------------------------------------- */

static bool list_has(const char *list, const char *name) {
  size_t len = strlen(name);
  for (const char *p = list; p != NULL; p = strchr(p, ',')) {
    p += *p == ',';
    if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0')) return true;
  }
  return false;
}

static struct contender *add_contender(struct field *f, const struct rival *rival) {
  if (f->n_contenders == FIELD_CONTENDERS_MAX) bench_die("over %d rows a cell", FIELD_CONTENDERS_MAX);
  struct contender *c = &f->contenders[f->n_contenders++];
  *c = (struct contender){.rival = rival};
  return c;
}

size_t field_kernels(enum sl_aead aead, const char *kernels, struct rival_way out[RIVAL_WAYS_MAX]) {
  struct rival_way ways[RIVAL_WAYS_MAX];
  size_t n_all = rival_sealane.ways(aead, ways), n = 0;
  bool all = kernels != NULL && strcmp(kernels, "all") == 0;
  for (size_t i = 0; i < n_all && kernels != NULL; i++) {
    if (all || list_has(kernels, ways[i].name)) out[n++] = ways[i];
  }
  if (n > 0) return n;
  for (size_t i = 0; i < n_all; i++) {
    if (ways[i].is_default) out[n++] = ways[i];
  }
  if (n > 0) return n;
  memcpy(out, ways, n_all * sizeof ways[0]); /* none was chosen: they say why */
  if (n_all > 0) return n_all;
  out[0] = (struct rival_way){.name = "none", .reason = "no kernel of this suite was built"};
  return 1;
}

void field_check_kernels(const char *kernels) {
  bench_check_kernels();
  if (kernels == NULL || strcmp(kernels, "all") == 0) return;
  char *copy = strdup(kernels), *rest = copy;
  if (copy == NULL) bench_die("out of memory");
  while (rest != NULL) {
    const char *name = strsep(&rest, ",");
    bool known = false;
    for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END && !known; aead++) {
      struct rival_way ways[RIVAL_WAYS_MAX];
      size_t n = rival_sealane.ways(aead, ways);
      for (size_t i = 0; i < n && !known; i++) known = strcmp(ways[i].name, name) == 0;
    }
    if (!known) bench_die("--kernel: '%s' is no AEAD kernel; see " BENCH_PROGRAM " kernels", name);
  }
  free(copy);
}

static void add_kernels(struct field *f, const char *kernels) {
  struct rival_way ways[RIVAL_WAYS_MAX];
  size_t n = field_kernels(f->aead, kernels, ways);
  for (size_t i = 0; i < n; i++) {
    struct contender *c = add_contender(f, &rival_sealane);
    c->ways[0] = ways[i];
    c->n_ways = 1;
  }
}

static void add_lane(struct field *f, struct contender *c, const char *way) {
  if (f->n_lanes == FIELD_LANES_MAX) bench_die("over %d lanes a cell", FIELD_LANES_MAX);
  struct lane *lane = &f->lanes[f->n_lanes++];
  *lane = (struct lane){.rival = c->rival, .way = way};
  lane->seats = bench_alloc(f->n_threads, sizeof lane->seats[0]);
  lane->seat_list = bench_alloc(f->n_threads, sizeof lane->seat_list[0]);
  for (size_t i = 0; i < f->n_threads; i++) {
    void *state = c->rival->setup(f->aead, way, f->is_open, f->secrets, f->n_keys);
    if (state == NULL)
      bench_die("%s %s: cannot set up %zu keys of %s", c->rival->name, way, f->n_keys, sl_aead_name(f->aead));
    lane->seats[i] = (struct seat){.rival = c->rival, .state = state, .is_open = f->is_open};
    lane->seat_list[i] = &lane->seats[i];
  }
}

static void add_lanes(struct field *f, struct contender *c) {
  c->first_lane = f->n_lanes;
  for (size_t i = 0; i < c->n_ways; i++) {
    if (c->ways[i].reason[0] == '\0') add_lane(f, c, c->ways[i].name);
  }
  c->n_lanes = f->n_lanes - c->first_lane;
}

void field_init(struct field *f, const char *kernels, const struct flag_list *rivals) {
  size_t secret_len = sl_aead_secret_len(f->aead);
  f->secrets = bench_alloc(f->n_keys, secret_len);
  texts_fill(f->secrets, f->n_keys * secret_len, (uint64_t)f->aead);
  f->oracle = rival_openssl.setup(f->aead, "evp", false, f->secrets, f->n_keys);
  if (f->oracle == NULL) bench_die("openssl: cannot set up %s, which checks everybody's output", sl_aead_name(f->aead));

  f->n_contenders = f->n_lanes = 0;
  add_kernels(f, kernels);
  for (size_t i = 0; i < rivals->n; i++) {
    struct contender *c = add_contender(f, rival_list[rivals->v[i]]);
    c->n_ways = c->rival->ways(f->aead, c->ways);
  }
  for (size_t i = 0; i < f->n_contenders; i++) add_lanes(f, &f->contenders[i]);
}

void field_free(struct field *f) {
  for (size_t i = 0; i < f->n_lanes; i++) {
    struct lane *lane = &f->lanes[i];
    for (size_t k = 0; k < f->n_threads; k++) lane->rival->release(lane->seats[k].state);
    free(lane->seats);
    free(lane->seat_list);
  }
  rival_openssl.release(f->oracle);
  free(f->secrets);
  f->n_contenders = f->n_lanes = 0;
}

/* ---- one cell: check, race ----------------------------------------------------------------------------------- */

static bool call_seat(struct seat *seat) {
  const struct texts *t = seat->texts;
  const uint32_t *keys = t->keys + seat->position;
  const uint8_t *tags = t->tags + seat->position * SL_AEAD_TAG_LEN;
  bool ok = seat->is_open ? seat->rival->open(seat->state, keys, tags) : seat->rival->seal(seat->state, keys);
  seat->position += t->seal.n;
  if (seat->position == t->n_positions) seat->position = 0;
  return ok;
}

static bool run_seat(void *ctx, size_t n_calls) {
  bool ok = true;
  for (size_t i = 0; i < n_calls; i++) ok &= call_seat(ctx);
  return ok;
}

/* Appends what the first batch wrote, texts and (seal) tags, to `copy`. */
static void copy_outputs(const struct rival_texts *texts, bool is_open, uint8_t *copy) {
  size_t tag_len = is_open ? 0 : SL_AEAD_TAG_LEN;
  for (size_t i = 0; i < texts->n; i++, copy += texts->len + tag_len) {
    memcpy(copy, texts->text[i].out, texts->len);
    memcpy(copy + texts->len, texts->text[i].tag, tag_len);
  }
}

static void wipe_outputs(const struct rival_texts *texts, bool is_open) {
  for (size_t i = 0; i < texts->n; i++) {
    memset(texts->text[i].out, 0xa5, texts->len);
    if (!is_open) memset(texts->text[i].tag, 0xa5, SL_AEAD_TAG_LEN);
  }
}

/* What the first batch must write: what OpenSSL writes or, to open, what it sealed. */
static void make_wanted(struct field *f, struct texts *t, uint8_t *want) {
  bool ok;
  if (f->is_open) {
    ok = texts_make_tags(t, &rival_openssl, f->oracle, want);
  } else {
    ok = rival_openssl.prepare(f->oracle, &t->seal) && rival_openssl.seal(f->oracle, t->keys);
    copy_outputs(&t->seal, false, want);
  }
  if (!ok) bench_die("openssl evp: %s of %zu bytes failed", sl_aead_name(f->aead), t->seal.len);
}

static void check_seat(struct field *f, const struct lane *lane, struct seat *seat, const struct texts *t,
                       const uint8_t *want, uint8_t *got) {
  const struct rival_texts *texts = f->is_open ? &t->open : &t->seal;
  const char *suite = sl_aead_name(f->aead), *op = op_name(f);
  seat->texts = t;
  seat->position = 0;
  wipe_outputs(texts, f->is_open);
  if (!seat->rival->prepare(seat->state, texts) || !call_seat(seat))
    bench_die("%s %s: %s %s of %zu bytes failed", seat->rival->name, lane->way, suite, op, texts->len);
  copy_outputs(texts, f->is_open, got);
  if (memcmp(want, got, texts->n * (texts->len + (f->is_open ? 0 : SL_AEAD_TAG_LEN))) != 0)
    bench_die("%s %s: %s %s of %zu bytes gives another result than openssl evp", seat->rival->name, lane->way, suite,
              op, texts->len);
}

/* Whoever is fast because it is wrong is not measured. Every thread's texts are the same bytes, and so are the tags. */
static void check_lanes(struct field *f, struct texts *texts) {
  size_t bytes = texts->seal.n * (texts->seal.len + SL_AEAD_TAG_LEN);
  uint8_t *want = bench_alloc(bytes, 1), *got = bench_alloc(bytes, 1);
  make_wanted(f, &texts[0], want);
  for (size_t i = 1; i < f->n_threads; i++)
    memcpy(texts[i].tags, texts[0].tags, texts[0].n_positions * SL_AEAD_TAG_LEN);
  for (size_t i = 0; i < f->n_lanes; i++) {
    for (size_t k = 0; k < f->n_threads; k++) check_seat(f, &f->lanes[i], &f->lanes[i].seats[k], &texts[k], want, got);
  }
  free(want);
  free(got);
}

static void find_best(struct field *f) {
  for (size_t i = 0; i < f->n_contenders; i++) {
    struct contender *c = &f->contenders[i];
    c->best = NULL;
    c->best_way = c->ways[0].name;
    for (size_t k = c->first_lane; k < c->first_lane + c->n_lanes; k++) {
      if (c->best != NULL && f->race[k].best >= c->best->best) continue;
      c->best = &f->race[k];
      c->best_way = f->lanes[k].way;
    }
  }
}

double field_race(struct field *f, size_t len, size_t batch, const struct race_limits *limits) {
  struct texts *texts = bench_alloc(f->n_threads, sizeof texts[0]);
  for (size_t i = 0; i < f->n_threads; i++) texts_init(&texts[i], batch, len, f->n_keys);
  check_lanes(f, texts);
  for (size_t i = 0; i < f->n_lanes; i++)
    f->race[i] = (struct race_lane){.run = run_seat,
                                    .thread_ctx = f->lanes[i].seat_list,
                                    .n_warm_calls = texts_warm_calls(&texts[0]),
                                    .n_calls_min = texts_least_calls(&texts[0])};
  f->race[f->n_lanes] = (struct race_lane){.run = clock_lane_run};
  const struct race_lane *failed = race_run(f->race, f->n_lanes + 1, limits);
  if (failed != NULL) {
    const struct lane *lane = &f->lanes[failed - f->race];
    bench_die("%s %s: a record of %zu bytes failed while being timed", lane->rival->name, lane->way, len);
  }
  find_best(f);
  for (size_t i = 0; i < f->n_threads; i++) texts_free(&texts[i]);
  free(texts);
  return f->race[f->n_lanes].best / CLOCK_LANE_CYCLES;
}
