/* aead.c - sealane-bench aead: seals and opens of bare AEAD records, Sealane's kernels and the rivals side by side.
 *
 *   for each suite and direction     every contender expands the same keys
 *     for each length and batch      one cell: the same texts for all, outputs checked against OpenSSL's,
 *                                    then one race of all lanes, then one row per contender
 *
 * A contender has a row: one per kernel of ours, one per rival. A lane is one way of a contender that can run here. */
#include "bench.h"
#include "flags.h"
#include "output.h"
#include "race.h"
#include "texts.h"
#include <math.h>
#include <sealane/cpu.h>
#include <stdlib.h>
#include <string.h>

enum { CONTENDERS_MAX = 64, LANES_MAX = 128, RIVALS_MAX = 16 };

/* With up to this many keys all of them are walked through before each sample; more are as cold as they come. */
enum { HOT_KEYS_MAX = 256 };

static const char *const op_names[] = {"seal", "open", NULL};
enum { OP_SEAL, OP_OPEN };

struct lane {
  const struct rival *rival;
  const char *way;
  void *state;
  /* the cell being measured */
  const struct texts *texts;
  bool is_open;
  size_t position; /* of the next call in the cycle of keys; goes on from sample to sample */
};

struct contender {
  const struct rival *rival;
  struct rival_way ways[RIVAL_WAYS_MAX]; /* ours: one */
  size_t n_ways;
  struct lane *lanes; /* one per way that can run here */
  size_t n_lanes;
  /* the cell being measured */
  const struct race_lane *best; /* of its lanes; NULL: n/a */
};

struct cell {
  enum sl_aead aead;
  bool is_open;
  size_t len, batch;
};

struct bench {
  struct flag_list suites, lens, batches, ops, rivals;
  uint64_t n_keys, n_rounds;
  double seconds;
  const char *kernels; /* --kernel; NULL: the chosen one of each suite */
  const char *json_path;
  struct output out;
  size_t n_cells, cell_number;
  char versions[RIVALS_MAX][64]; /* of rival_list, then ours */

  /* of one suite and direction */
  struct contender contenders[CONTENDERS_MAX];
  size_t n_contenders;
  struct lane lanes[LANES_MAX];
  struct race_lane race[LANES_MAX]; /* parallel to lanes */
  size_t n_lanes;
  uint8_t *secrets;
  void *oracle; /* OpenSSL, sealing with the same keys */
};

/* ---- contenders ---------------------------------------------------------------------------------------------- */

static bool list_has(const char *list, const char *name) {
  size_t len = strlen(name);
  for (const char *p = list; p != NULL; p = strchr(p, ',')) {
    p += *p == ',';
    if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0')) return true;
  }
  return false;
}

static struct contender *add_contender(struct bench *b, const struct rival *rival) {
  if (b->n_contenders == CONTENDERS_MAX) bench_die("over %d rows a cell", CONTENDERS_MAX);
  struct contender *c = &b->contenders[b->n_contenders++];
  *c = (struct contender){.rival = rival};
  return c;
}

static void add_kernel(struct bench *b, const struct rival_way *way) {
  struct contender *c = add_contender(b, &rival_sealane);
  c->ways[0] = *way;
  c->n_ways = 1;
}

/* Ours: the kernels asked for by name that serve this suite, else the chosen one. */
static void add_kernels(struct bench *b, enum sl_aead aead) {
  struct rival_way ways[RIVAL_WAYS_MAX];
  size_t n = rival_sealane.ways(aead, ways), n_before = b->n_contenders;
  bool all = b->kernels != NULL && strcmp(b->kernels, "all") == 0;
  for (size_t i = 0; i < n && b->kernels != NULL; i++) {
    if (all || list_has(b->kernels, ways[i].name)) add_kernel(b, &ways[i]);
  }
  for (size_t i = 0; i < n && b->n_contenders == n_before; i++) {
    if (ways[i].is_default) add_kernel(b, &ways[i]);
  }
  for (size_t i = 0; i < n && b->n_contenders == n_before + i; i++) add_kernel(b, &ways[i]); /* none was chosen: why */
  if (b->n_contenders == n_before) {
    struct rival_way none = {.name = "none", .reason = "no kernel of this suite was built"};
    add_kernel(b, &none);
  }
}

static void add_lanes(struct bench *b, struct contender *c, enum sl_aead aead, bool is_open) {
  c->lanes = &b->lanes[b->n_lanes];
  for (size_t i = 0; i < c->n_ways; i++) {
    if (c->ways[i].reason[0] != '\0') continue;
    if (b->n_lanes == LANES_MAX) bench_die("over %d lanes a cell", LANES_MAX);
    void *state = c->rival->setup(aead, c->ways[i].name, is_open, b->secrets, b->n_keys);
    if (state == NULL)
      bench_die("%s %s: cannot set up %zu keys of %s", c->rival->name, c->ways[i].name, (size_t)b->n_keys,
                sl_aead_name(aead));
    b->lanes[b->n_lanes++] = (struct lane){.rival = c->rival, .way = c->ways[i].name, .state = state};
    c->n_lanes++;
  }
}

static void add_contenders(struct bench *b, enum sl_aead aead, bool is_open) {
  size_t secret_len = sl_aead_secret_len(aead);
  b->secrets = bench_alloc(b->n_keys, secret_len);
  texts_fill(b->secrets, b->n_keys * secret_len, (uint64_t)aead);
  b->oracle = rival_openssl.setup(aead, "evp", false, b->secrets, b->n_keys);
  if (b->oracle == NULL) bench_die("openssl: cannot set up %s, which checks everybody's output", sl_aead_name(aead));

  b->n_contenders = b->n_lanes = 0;
  add_kernels(b, aead);
  for (size_t i = 0; i < b->rivals.n; i++) {
    struct contender *c = add_contender(b, rival_list[b->rivals.v[i]]);
    c->n_ways = c->rival->ways(aead, c->ways);
  }
  for (size_t i = 0; i < b->n_contenders; i++) add_lanes(b, &b->contenders[i], aead, is_open);
}

static void remove_contenders(struct bench *b) {
  for (size_t i = 0; i < b->n_lanes; i++) b->lanes[i].rival->release(b->lanes[i].state);
  rival_openssl.release(b->oracle);
  free(b->secrets);
  b->n_contenders = b->n_lanes = 0;
}

/* ---- one cell: check, race ----------------------------------------------------------------------------------- */

static bool call_lane(struct lane *lane) {
  const struct texts *t = lane->texts;
  const uint32_t *keys = t->keys + lane->position;
  const uint8_t *tags = t->tags + lane->position * SL_AEAD_TAG_LEN;
  bool ok = lane->is_open ? lane->rival->open(lane->state, keys, tags) : lane->rival->seal(lane->state, keys);
  lane->position += t->seal.n;
  if (lane->position == t->n_positions) lane->position = 0;
  return ok;
}

static bool run_lane(void *ctx, size_t n_calls) {
  bool ok = true;
  for (size_t i = 0; i < n_calls; i++) ok &= call_lane(ctx);
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
static void make_wanted(struct bench *b, const struct cell *cell, struct texts *t, uint8_t *want) {
  bool ok;
  if (cell->is_open) {
    ok = texts_make_tags(t, &rival_openssl, b->oracle, want);
  } else {
    ok = rival_openssl.prepare(b->oracle, &t->seal) && rival_openssl.seal(b->oracle, t->keys);
    copy_outputs(&t->seal, false, want);
  }
  if (!ok) bench_die("openssl evp: %s of %zu bytes failed", sl_aead_name(cell->aead), cell->len);
}

/* Whoever is fast because it is wrong is not measured. */
static void check_lanes(struct bench *b, const struct cell *cell, struct texts *t) {
  const struct rival_texts *texts = cell->is_open ? &t->open : &t->seal;
  const char *suite = sl_aead_name(cell->aead), *op = op_names[cell->is_open];
  size_t bytes = texts->n * (texts->len + SL_AEAD_TAG_LEN);
  uint8_t *want = bench_alloc(bytes, 1), *got = bench_alloc(bytes, 1);
  make_wanted(b, cell, t, want);
  for (size_t i = 0; i < b->n_lanes; i++) {
    struct lane *lane = &b->lanes[i];
    lane->texts = t;
    lane->is_open = cell->is_open;
    lane->position = 0;
    wipe_outputs(texts, cell->is_open);
    if (!lane->rival->prepare(lane->state, texts) || !call_lane(lane))
      bench_die("%s %s: %s %s of %zu bytes failed", lane->rival->name, lane->way, suite, op, cell->len);
    copy_outputs(texts, cell->is_open, got);
    if (memcmp(want, got, bytes) != 0)
      bench_die("%s %s: %s %s of %zu bytes gives another result than openssl evp", lane->rival->name, lane->way, suite,
                op, cell->len);
  }
  free(want);
  free(got);
}

static void race_cell(struct bench *b, const struct cell *cell) {
  struct texts t;
  texts_init(&t, cell->batch, cell->len, b->n_keys);
  check_lanes(b, cell, &t);
  size_t n_calls_cycle = t.n_positions / cell->batch;
  for (size_t i = 0; i < b->n_lanes; i++)
    b->race[i] = (struct race_lane){
        .run = run_lane, .ctx = &b->lanes[i], .n_warm_calls = b->n_keys <= HOT_KEYS_MAX ? n_calls_cycle : 1};
  const struct race_limits limits = {.n_rounds = b->n_rounds, .seconds = b->seconds};
  const struct race_lane *failed = race_run(b->race, b->n_lanes, &limits);
  if (failed != NULL) {
    const struct lane *lane = failed->ctx;
    bench_die("%s %s: a record of %zu bytes failed while being timed", lane->rival->name, lane->way, cell->len);
  }
  for (size_t i = 0; i < b->n_contenders; i++) {
    struct contender *c = &b->contenders[i];
    c->best = NULL;
    for (size_t k = 0; k < c->n_lanes; k++) {
      const struct race_lane *lane = &b->race[c->lanes - b->lanes + k];
      if (c->best == NULL || lane->best < c->best->best) c->best = lane;
    }
  }
  texts_free(&t);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

static const char *way_of(const struct contender *c) {
  return c->best != NULL ? ((const struct lane *)c->best->ctx)->way : c->ways[0].name;
}

static const char *version_of(const struct bench *b, const struct rival *rival) {
  size_t i = 0;
  while (rival_list[i] != NULL && rival_list[i] != rival) i++;
  return b->versions[i];
}

/* How many times faster than another: by the best rounds and by the medians; NaN when either did not run. */
struct ratio {
  double best, median;
};

static struct ratio ratio_to(const struct bench *b, const struct contender *c, const struct rival *rival) {
  for (size_t i = 0; i < b->n_contenders; i++) {
    const struct contender *other = &b->contenders[i];
    if (other->rival != rival || other->best == NULL || c->best == NULL) continue;
    return (struct ratio){other->best->best / c->best->best, other->best->median / c->best->median};
  }
  return (struct ratio){NAN, NAN};
}

/* On a machine that was busy for a whole cell one lane may have had a quiet moment that the other had not. */
static bool is_doubtful(struct ratio ratio) {
  return fabs(ratio.best / ratio.median - 1) > 0.1;
}

static void print_heading(struct bench *b, const struct cell *cell) {
  output_print(&b->out, "\n%s %s, %zu keys\n%6s %6s  %-8s %-16s %10s %10s %7s %8s", sl_aead_name(cell->aead),
               op_names[cell->is_open], (size_t)b->n_keys, "bytes", "batch", "impl", "kernel", "ns", "median", "spread",
               "GB/s");
  for (size_t i = 0; i < b->rivals.n; i++) output_print(&b->out, "  x %-8s", rival_list[b->rivals.v[i]]->name);
  output_print(&b->out, "\n");
}

static void print_row(struct bench *b, const struct cell *cell, const struct contender *c) {
  output_print(&b->out, "%6zu %6zu  %-8s %-16s ", cell->len, cell->batch, c->rival->name, way_of(c));
  if (c->best == NULL) {
    output_print(&b->out, "%10s  %s\n", "n/a", c->ways[0].reason);
    return;
  }
  double batch = (double)cell->batch, ns = c->best->best / batch;
  output_print(&b->out, "%10.2f %10.2f %6.1f%% %8.3f", ns, c->best->median / batch, c->best->spread * 100,
               (double)cell->len / ns);
  for (size_t i = 0; i < b->rivals.n; i++) {
    struct ratio ratio = ratio_to(b, c, rival_list[b->rivals.v[i]]);
    if (isnan(ratio.best)) {
      output_print(&b->out, "  %10s", "n/a");
    } else {
      output_print(&b->out, "  %9.2f%c", ratio.best, is_doubtful(ratio) ? '?' : ' ');
    }
  }
  output_print(&b->out, "\n");
}

static void write_row(struct bench *b, const struct cell *cell, const struct contender *c) {
  struct output *out = &b->out;
  double batch = (double)cell->batch;
  json_begin(out);
  json_text(out, "bench", "aead");
  json_text(out, "impl", c->rival->name);
  json_text(out, "version", version_of(b, c->rival));
  json_text(out, "kernel", way_of(c));
  json_text(out, "suite", sl_aead_name(cell->aead));
  json_text(out, "op", op_names[cell->is_open]);
  json_integer(out, "len", cell->len);
  json_integer(out, "batch", cell->batch);
  json_integer(out, "keys", b->n_keys);
  if (c->best == NULL) {
    json_null(out, "ns");
    json_text(out, "na", c->ways[0].reason);
  } else {
    json_number(out, "ns", c->best->best / batch);
    json_number(out, "gbps", (double)cell->len / (c->best->best / batch));
    json_number(out, "median_ns", c->best->median / batch);
    json_number(out, "spread", c->best->spread);
    json_integer(out, "rounds", c->best->n_rounds);
    json_integer(out, "records_per_round", c->best->n_calls * cell->batch);
    json_object_begin(out, "faster_than");
    for (size_t i = 0; i < b->rivals.n; i++) {
      const struct rival *rival = rival_list[b->rivals.v[i]];
      if (rival != c->rival) json_number(out, rival->name, ratio_to(b, c, rival).best);
    }
    json_object_end(out);
  }
  json_text(out, "cpu", bench_cpu_name());
  json_end(out);
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static void bench_suite(struct bench *b, enum sl_aead aead, bool is_open) {
  add_contenders(b, aead, is_open);
  struct cell cell = {.aead = aead, .is_open = is_open};
  print_heading(b, &cell);
  for (size_t l = 0; l < b->lens.n; l++) {
    for (size_t k = 0; k < b->batches.n; k++) {
      cell.len = b->lens.v[l];
      cell.batch = b->batches.v[k];
      output_progress(&b->out, "%zu of %zu: %s %s, %zu bytes, batch of %zu", ++b->cell_number, b->n_cells,
                      sl_aead_name(aead), op_names[is_open], cell.len, cell.batch);
      race_cell(b, &cell);
      for (size_t i = 0; i < b->n_contenders; i++) {
        print_row(b, &cell, &b->contenders[i]);
        write_row(b, &cell, &b->contenders[i]);
      }
    }
  }
  remove_contenders(b);
}

static void check_kernel_names(const struct bench *b) {
  char why[256] = "";
  sl_err err = sl_kernels_check(why, sizeof why);
  if (err != SL_OK) bench_die("%s", why[0] != '\0' ? why : sl_err_text(err));
  if (b->kernels == NULL || strcmp(b->kernels, "all") == 0) return;

  char *copy = strdup(b->kernels), *rest = copy;
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

static void parse_flags(struct bench *b, int argc, char *argv[]) {
  const char *suites[SL_AEAD_END] = {0}; /* choice 0 is SL_AES_128_GCM */
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) suites[aead - 1] = sl_aead_name(aead);
  const char *rivals[RIVALS_MAX] = {0};
  for (size_t i = 0; rival_list[i] != NULL && i < RIVALS_MAX - 1; i++) rivals[i] = rival_list[i]->name;

  const struct flag flags[] = {
      {.name = "--suite",
       .arg = "NAME,...",
       .kind = FLAG_CHOICES,
       .out = &b->suites,
       .choices = suites,
       .help = "algorithms, default aes-128-gcm"},
      {.name = "--op",
       .arg = "NAME,...",
       .kind = FLAG_CHOICES,
       .out = &b->ops,
       .choices = op_names,
       .help = "directions, default seal"},
      {.name = "--len",
       .arg = "BYTES,...",
       .kind = FLAG_NUMBERS,
       .out = &b->lens,
       .min = 0,
       .max = 1u << 24,
       .help = "text of a record, default 64,256,1350,16384"},
      {.name = "--batch",
       .arg = "N,...",
       .kind = FLAG_NUMBERS,
       .out = &b->batches,
       .min = 1,
       .max = 1024,
       .help = "records in one call, default 1,32"},
      {.name = "--keys",
       .arg = "N",
       .kind = FLAG_NUMBER,
       .out = &b->n_keys,
       .min = 1,
       .max = 1000000,
       .help = "keys the records rotate among, default 64"},
      {.name = "--kernel",
       .arg = "NAME,...",
       .kind = FLAG_TEXT,
       .out = &b->kernels,
       .help = "kernels of ours, or all; default the chosen one of each suite"},
      {.name = "--rivals",
       .arg = "NAME,...",
       .kind = FLAG_CHOICES,
       .out = &b->rivals,
       .choices = rivals,
       .nothing = "none",
       .help = "whom to measure beside ours, default all"},
      {.name = "--rounds",
       .arg = "N",
       .kind = FLAG_NUMBER,
       .out = &b->n_rounds,
       .min = RACE_ROUNDS_MIN,
       .max = RACE_ROUNDS_MAX,
       .help = "samples of each implementation in a cell at most, default 1000"},
      {.name = "--seconds",
       .arg = "S",
       .kind = FLAG_SECONDS,
       .out = &b->seconds,
       .max = 3600,
       .help = "time for a cell of the table, default 0.5"},
      {.name = "--json",
       .arg = "FILE",
       .kind = FLAG_TEXT,
       .out = &b->json_path,
       .help = "also one JSON object a row; - for standard output, the table then goes to standard error"},
  };
  flags_parse(flags, sizeof flags / sizeof flags[0],
              "Times one AEAD record: ns per record, best of many interleaved rounds, and how many times faster than\n"
              "each rival. 5 bytes of AAD, 12 of nonce, 16 of tag, as in a TLS 1.3 record.",
              argc, argv);
  for (size_t l = 0; l < b->lens.n; l++) {
    for (size_t k = 0; k < b->batches.n; k++) {
      if (b->lens.v[l] * b->batches.v[k] > 1u << 28)
        bench_die("--batch: '%zu' texts of %zu bytes are over 256 MiB", (size_t)b->batches.v[k], (size_t)b->lens.v[l]);
    }
  }
}

static int run(int argc, char *argv[]) {
  struct bench *b = bench_alloc(1, sizeof *b);
  b->suites = (struct flag_list){1, {SL_AES_128_GCM - 1}};
  b->ops = (struct flag_list){1, {OP_SEAL}};
  b->lens = (struct flag_list){4, {64, 256, 1350, 16384}};
  b->batches = (struct flag_list){2, {1, 32}};
  b->n_keys = 64;
  b->n_rounds = 1000;
  b->seconds = 0.5;
  size_t n_rivals = 0;
  for (; rival_list[n_rivals] != NULL && n_rivals < RIVALS_MAX - 1; n_rivals++) {
    b->rivals.v[b->rivals.n++] = n_rivals;
    rival_list[n_rivals]->version(b->versions[n_rivals], sizeof b->versions[0]);
  }
  rival_sealane.version(b->versions[n_rivals], sizeof b->versions[0]);
  parse_flags(b, argc, argv);
  check_kernel_names(b);
  output_open(&b->out, b->json_path);

  b->n_cells = b->suites.n * b->ops.n * b->lens.n * b->batches.n;
  output_print(&b->out, "%s\nsealane %s", bench_cpu_name(), version_of(b, &rival_sealane));
  for (size_t i = 0; i < b->rivals.n; i++) {
    const struct rival *rival = rival_list[b->rivals.v[i]];
    output_print(&b->out, ", %s %s", rival->name, version_of(b, rival));
  }
  output_print(&b->out, "; ns per record, best of up to %zu rounds; x: times faster than\n", (size_t)b->n_rounds);
  for (size_t s = 0; s < b->suites.n; s++) {
    for (size_t o = 0; o < b->ops.n; o++) bench_suite(b, (enum sl_aead)(b->suites.v[s] + 1), b->ops.v[o] == OP_OPEN);
  }
  output_close(&b->out);
  free(b);
  return 0;
}

const struct bench_command bench_aead = {
    .name = "aead", .summary = "seal and open AEAD records, against the rivals", .run = run};
