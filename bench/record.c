/* record.c - sealane-bench record: whole TLS 1.3 records of many connections, the record and batch API against libssl's
 * SSL_write and SSL_read into memory.
 *
 *   for each suite, direction and number of connections   real handshakes make them: a group of rows. Sealane's keys come
 *                                                         from the same handshakes, and its records must be libssl's, byte
 *                                                         for byte, before anything is timed
 *     for each length and batch                           one cell: each call takes the next `batch` connections
 *
 * libssl runs in two ways, and the row is the faster: with the buffers each connection keeps, and with
 * SSL_MODE_RELEASE_BUFFERS, which allocates for every record but stays in the caches. */
#include "bench.h"
#include "clock.h"
#include "flags.h"
#include "pairs.h"
#include "plot.h"
#include "port_limits.h"
#include "report.h"
#include "texts.h"
#include <openssl/crypto.h>
#include <sealane/batch.h>
#include <sealane/version.h>
#include <stdlib.h>
#include <string.h>

enum { CHECKED_CONNS = 32, BATCH_MAX = 1024, SLOTS_MAX = 4096 };
/* An event loop with many connections has the list of those that are ready, and asks for the keys of the next few. */
enum { CONNS_AHEAD = 8 };
/* Records to open are made before the clock runs, as many as this many bytes hold: they fit the second-level cache. */
enum { SLOT_BYTES = 1 << 19 };

static const char *const op_names[] = {"seal", "open", NULL};
enum { OP_SEAL, OP_OPEN };
static const char *const rival_names[] = {"openssl", NULL};

/* libssl's ways. */
enum { KEPT, RELEASED, N_WAYS };
static const char *const way_names[N_WAYS] = {"kept buffers", "freed buffers"};
static const uint64_t way_modes[N_WAYS] = {0, SSL_MODE_RELEASE_BUFFERS};

/* What the lanes of a cell share. */
struct cell {
  size_t len, batch;
  struct texts texts; /* order of connections, texts, wires */
  uint8_t *slots;     /* open: records to come */
  size_t slot_len, n_slots;
  uint8_t *plain; /* open: where they go; one text per record of a batch, plain_len apart */
  size_t plain_len;
};

struct lane {
  struct cell *cell;
  size_t position, slot; /* of the next call */
  /* ours */
  struct sl_record_key *seal_keys, *open_keys;
  struct sl_record *records;
  struct sl_batch batch;
  /* libssl */
  struct pairs *pairs;
};

struct bench {
  struct flag_list suites, ops, lens, batches, conns, rivals;
  uint64_t n_rounds;
  double seconds;
  const char *json_path, *plot_path;
  struct output out;
  struct report report;
  struct port_limit limits[SL_AEAD_END];
  size_t n_cells, cell_number;
  /* the group */
  enum sl_aead aead;
  bool is_open;
  size_t n_conns, n_sets;
  struct identity identity;
  struct pairs sets[N_WAYS];
  struct sl_record_key *seal_keys, *open_keys;
  struct sl_record *records;
  void *batch_memory;
};

/* ---- ours ------------------------------------------------------------------------------------------------------- */

static uint8_t *wire_of(const struct texts *t, size_t i) {
  return (uint8_t *)(uintptr_t)t->seal.text[i].aad; /* where the header stands */
}

static bool batch_done(struct lane *lane, size_t n) {
  sl_batch_run(&lane->batch);
  bool ok = true;
  for (size_t i = 0; i < n; i++) ok &= lane->records[i].err == SL_OK;
  return ok;
}

/* Begins to ask ahead: returns how many records of a batch of n are to ask for the key of the one CONNS_AHEAD behind them.
 * Nobody asks for the next batch, which a loop does not know yet. */
static size_t ask_ahead(const struct lane *lane, const struct sl_record_key *keys, const uint32_t *conns, size_t n) {
  if (lane->cell->texts.n_keys <= HOT_KEYS_MAX) return 0;
  for (size_t i = 0; i < n && i < CONNS_AHEAD; i++) sl_record_key_prefetch(&keys[conns[i]]);
  return n > CONNS_AHEAD ? n - CONNS_AHEAD : 0;
}

/* Seals the batch's texts for the connections conns[0..batch); record i goes to wire + i * stride, or to its own wire. */
static bool seal_batch(struct lane *lane, const uint32_t *conns, uint8_t *wire, size_t stride) {
  const struct cell *cell = lane->cell;
  struct sl_record_key *keys = lane->seal_keys;
  size_t cap = SL_RECORD_WIRE_LEN(cell->len, 0), n = cell->batch, n_ahead = ask_ahead(lane, keys, conns, n);
  bool ok = true;
  for (size_t i = 0; i < n; i++) {
    if (i < n_ahead) sl_record_key_prefetch(&keys[conns[i + CONNS_AHEAD]]);
    struct iovec text = {(void *)(uintptr_t)cell->texts.seal.text[i].in, cell->len};
    uint8_t *to = wire != NULL ? wire + i * stride : wire_of(&cell->texts, i);
    ok &=
        sl_record_seal(&lane->records[i], &keys[conns[i]], SL_CONTENT_APPLICATION_DATA, &text, 1, 0, to, cap) == SL_OK;
    ok &= sl_batch_add(&lane->batch, &lane->records[i]) == SL_OK;
  }
  return batch_done(lane, n) && ok;
}

static bool open_batch(struct lane *lane, const uint32_t *conns, const uint8_t *wire, size_t stride) {
  const struct cell *cell = lane->cell;
  struct sl_record_key *keys = lane->open_keys;
  size_t wire_len = SL_RECORD_WIRE_LEN(cell->len, 0), n = cell->batch, n_ahead = ask_ahead(lane, keys, conns, n);
  bool ok = true;
  for (size_t i = 0; i < n; i++) {
    if (i < n_ahead) sl_record_key_prefetch(&keys[conns[i + CONNS_AHEAD]]);
    ok &= sl_record_open(&lane->records[i], &keys[conns[i]], wire + i * stride, wire_len,
                         cell->plain + i * cell->plain_len, cell->plain_len) == SL_OK;
    ok &= sl_batch_add(&lane->batch, &lane->records[i]) == SL_OK;
  }
  return batch_done(lane, n) && ok;
}

/* ---- libssl ----------------------------------------------------------------------------------------------------- */

static bool ssl_write(const struct lane *lane, uint32_t conn, size_t i, uint8_t *to) {
  const struct cell *cell = lane->cell;
  struct wire *w = &lane->pairs->to_client;
  size_t written = 0;
  *w = (struct wire){.data = to, .cap = SL_RECORD_WIRE_LEN(cell->len, 0)};
  return SSL_write_ex(lane->pairs->pair[conn].server, cell->texts.seal.text[i].in, cell->len, &written) == 1 &&
         written == cell->len && w->end == w->cap;
}

static bool ssl_read(const struct lane *lane, uint32_t conn, const uint8_t *from, uint8_t *plain) {
  const struct cell *cell = lane->cell;
  size_t len = 0, wire_len = SL_RECORD_WIRE_LEN(cell->len, 0);
  lane->pairs->to_client = (struct wire){.data = (uint8_t *)(uintptr_t)from, .cap = wire_len, .end = wire_len};
  return SSL_read_ex(lane->pairs->pair[conn].client, plain, cell->plain_len, &len) == 1 && len == cell->len;
}

/* ---- lanes ------------------------------------------------------------------------------------------------------ */

static const uint32_t *next_conns(struct lane *lane, size_t *position) {
  const struct texts *t = &lane->cell->texts;
  const uint32_t *conns = t->keys + *position;
  *position += lane->cell->batch;
  if (*position == t->n_positions) *position = 0;
  return conns;
}

/* A key that many samples share would come to RFC 8446's limit of records: with few of them, each sample begins anew. */
static bool prepare_ours_seal(void *ctx, size_t n_calls) {
  struct lane *lane = ctx;
  size_t n_keys = lane->cell->texts.n_keys;
  (void)n_calls;
  for (size_t i = 0; i < n_keys && n_keys <= HOT_KEYS_MAX; i++) lane->seal_keys[i].seq = lane->open_keys[i].seq = 0;
  return true;
}

static bool run_ours_seal(void *ctx, size_t n_calls) {
  struct lane *lane = ctx;
  bool ok = true;
  for (size_t i = 0; i < n_calls; i++) ok &= seal_batch(lane, next_conns(lane, &lane->position), NULL, 0);
  return ok;
}

static bool prepare_ours_open(void *ctx, size_t n_calls) {
  struct lane *lane = ctx;
  struct cell *cell = lane->cell;
  size_t position = lane->position, step = cell->batch * cell->slot_len;
  bool ok = prepare_ours_seal(ctx, n_calls);
  for (size_t i = 0; i < n_calls; i++)
    ok &= seal_batch(lane, next_conns(lane, &position), cell->slots + i * step, cell->slot_len);
  lane->slot = 0;
  return ok;
}

static bool run_ours_open(void *ctx, size_t n_calls) {
  struct lane *lane = ctx;
  struct cell *cell = lane->cell;
  bool ok = true;
  for (size_t i = 0; i < n_calls; i++, lane->slot += cell->batch)
    ok &=
        open_batch(lane, next_conns(lane, &lane->position), cell->slots + lane->slot * cell->slot_len, cell->slot_len);
  return ok;
}

static bool run_ssl_seal(void *ctx, size_t n_calls) {
  struct lane *lane = ctx;
  bool ok = true;
  for (size_t n = 0; n < n_calls; n++) {
    const uint32_t *conns = next_conns(lane, &lane->position);
    for (size_t i = 0; i < lane->cell->batch; i++) ok &= ssl_write(lane, conns[i], i, wire_of(&lane->cell->texts, i));
  }
  return ok;
}

static bool prepare_ssl_open(void *ctx, size_t n_calls) {
  struct lane *lane = ctx;
  struct cell *cell = lane->cell;
  size_t position = lane->position;
  bool ok = true;
  for (size_t n = 0; n < n_calls; n++) {
    const uint32_t *conns = next_conns(lane, &position);
    for (size_t i = 0; i < cell->batch; i++)
      ok &= ssl_write(lane, conns[i], i, cell->slots + (n * cell->batch + i) * cell->slot_len);
  }
  lane->slot = 0;
  return ok;
}

static bool run_ssl_open(void *ctx, size_t n_calls) {
  struct lane *lane = ctx;
  struct cell *cell = lane->cell;
  bool ok = true;
  for (size_t n = 0; n < n_calls; n++) {
    const uint32_t *conns = next_conns(lane, &lane->position);
    for (size_t i = 0; i < cell->batch; i++, lane->slot++)
      ok &= ssl_read(lane, conns[i], cell->slots + lane->slot * cell->slot_len, cell->plain + i * cell->plain_len);
  }
  return ok;
}

/* ---- one cell ----------------------------------------------------------------------------------------------------- */

static void cell_init(struct cell *cell, size_t len, size_t batch, size_t n_conns, bool is_open) {
  *cell = (struct cell){.len = len, .batch = batch};
  /* One byte more than the text: the inner content type. */
  texts_init(&cell->texts, batch, len + 1, n_conns);
  cell->slot_len = (SL_RECORD_WIRE_LEN(len, 0) / 64 | 1) * 64 + 64;
  cell->plain_len = (len / 64 | 1) * 64 + 64;
  if (!is_open) return;
  cell->n_slots = SLOT_BYTES / cell->slot_len;
  if (cell->n_slots > SLOTS_MAX) cell->n_slots = SLOTS_MAX;
  if (cell->n_slots < 2 * batch) cell->n_slots = 2 * batch; /* a call to warm up, one to time */
  cell->slots = bench_alloc(cell->n_slots, cell->slot_len);
  cell->plain = bench_alloc(batch, cell->plain_len);
}

static void cell_free(struct cell *cell) {
  texts_free(&cell->texts);
  free(cell->slots);
  free(cell->plain);
}

static void lane_init(struct lane *lane, struct bench *b, struct cell *cell, struct pairs *pairs) {
  *lane = (struct lane){
      .cell = cell, .pairs = pairs, .seal_keys = b->seal_keys, .open_keys = b->open_keys, .records = b->records};
  if (sl_batch_init(&lane->batch, BATCH_MAX, b->batch_memory, sl_batch_mem_len(BATCH_MAX)) != SL_OK)
    bench_die("sealane: cannot make a batch of %d records", BATCH_MAX);
}

/* Every way's connections, some of them, every length: Sealane, with keys of the same handshake, writes what libssl
 * writes and reads what libssl reads. Afterwards both ends of each connection have seen the same records. */
static void check_set(struct bench *b, struct pairs *set, const char *way) {
  size_t n = set->n < CHECKED_CONNS ? set->n : CHECKED_CONNS;
  uint8_t *wire = bench_alloc(SL_RECORD_WIRE_MAX, 1);
  uint32_t conn = 0;
  for (size_t i = 0; i < n; i++) {
    pairs_record_key(set, i, &b->seal_keys[0]);
    b->open_keys[0] = b->seal_keys[0];
    for (size_t l = 0; l < b->lens.n; l++) {
      struct cell cell;
      struct lane lane;
      cell_init(&cell, b->lens.v[l], 1, 1, true);
      lane_init(&lane, b, &cell, set);
      size_t wire_len = SL_RECORD_WIRE_LEN(cell.len, 0);
      const uint8_t *text = cell.texts.seal.text[0].in;
      bool ok = seal_batch(&lane, &conn, wire, 0) && ssl_write(&lane, (uint32_t)i, 0, cell.slots);
      if (!ok || memcmp(wire, cell.slots, wire_len) != 0)
        bench_die("openssl %s: a record of %zu bytes is not what sealane makes of it", way, cell.len);
      ok = open_batch(&lane, &conn, cell.slots, 0) && memcmp(cell.plain, text, cell.len) == 0;
      memset(cell.plain, 0, cell.plain_len);
      ok = ok && ssl_read(&lane, (uint32_t)i, wire, cell.plain) && memcmp(cell.plain, text, cell.len) == 0;
      if (!ok) bench_die("openssl %s: a record of %zu bytes does not come back as it was", way, cell.len);
      cell_free(&cell);
    }
  }
  sl_record_key_wipe(&b->seal_keys[0]);
  sl_record_key_wipe(&b->open_keys[0]);
  free(wire);
}

static void race_cell(struct bench *b, size_t len, size_t batch) {
  enum { OURS, SSL_FIRST, CLOCK = SSL_FIRST + N_WAYS };
  struct cell cell;
  struct lane lanes[SSL_FIRST + N_WAYS];
  struct race_lane race[CLOCK + 1];
  cell_init(&cell, len, batch, b->n_conns, b->is_open);
  size_t n_lanes = SSL_FIRST + b->n_sets;
  /* Records to open are made before each sample, and few fit: there is no walk through thousands of keys to warm up with. */
  bool is_few = b->is_open && b->n_conns > HOT_KEYS_MAX;
  for (size_t i = 0; i < n_lanes; i++) {
    lane_init(&lanes[i], b, &cell, i >= SSL_FIRST ? &b->sets[i - SSL_FIRST] : NULL);
    race[i] = (struct race_lane){.ctx = &lanes[i],
                                 .n_warm_calls = is_few ? 1 : texts_warm_calls(&cell.texts),
                                 .n_calls_min = texts_least_calls(&cell.texts),
                                 .n_calls_max = b->is_open ? cell.n_slots / batch : 0};
    if (i == OURS) {
      race[i].prepare = b->is_open ? prepare_ours_open : prepare_ours_seal;
      race[i].run = b->is_open ? run_ours_open : run_ours_seal;
    } else {
      race[i].prepare = b->is_open ? prepare_ssl_open : NULL;
      race[i].run = b->is_open ? run_ssl_open : run_ssl_seal;
    }
  }
  race[n_lanes] = (struct race_lane){.run = clock_lane_run};
  const struct race_limits limits = {.n_rounds = b->n_rounds, .seconds = b->seconds};
  const struct race_lane *failed = race_run(race, n_lanes + 1, &limits);
  if (failed == &race[OURS]) bench_die("sealane: a record of %zu bytes failed while being timed", len);
  if (failed != NULL) pairs_die("openssl: a record failed while being timed");

  size_t best = SSL_FIRST;
  for (size_t i = SSL_FIRST; i < n_lanes; i++) best = race[i].best < race[best].best ? i : best;
  const struct report_row rows[] = {{.impl = "sealane",
                                     .version = SEALANE_VERSION,
                                     .way = sl_aead_key_kernel(&b->seal_keys[0].aead),
                                     .lane = &race[OURS]},
                                    {.impl = "openssl",
                                     .version = OpenSSL_version(OPENSSL_VERSION_STRING),
                                     .way = way_names[best - SSL_FIRST],
                                     .lane = &race[best]}};
  const struct report_cell report = {
      .len = len, .batch = batch, .ns_per_cycle = race[n_lanes].best / CLOCK_LANE_CYCLES};
  report_cell(&b->report, &report, rows, b->rivals.n > 0 ? 2 : 1);
  cell_free(&cell);
}

/* ---- groups ------------------------------------------------------------------------------------------------------- */

static void handshakes_progress(void *ctx, size_t n_done) {
  struct bench *b = ctx;
  output_progress(&b->out, "%zu of %zu: %s %s, %zu of %zu handshakes", b->cell_number + 1, b->n_cells,
                  sl_aead_name(b->aead), op_names[b->is_open], n_done, b->n_conns);
}

static void group_init(struct bench *b) {
  identity_make(&b->identity, b->aead);
  b->seal_keys = bench_alloc(b->n_conns, sizeof b->seal_keys[0]);
  b->open_keys = bench_alloc(b->n_conns, sizeof b->open_keys[0]);
  b->records = bench_alloc(BATCH_MAX, sizeof b->records[0]);
  b->batch_memory = bench_alloc(sl_batch_mem_len(BATCH_MAX), 1);
  b->n_sets = b->rivals.n > 0 ? N_WAYS : 0;
  /* Without the rival, handshakes are still where keys come from. */
  size_t n_sets = b->n_sets > 0 ? b->n_sets : 1;
  for (size_t i = 0; i < n_sets; i++) {
    pairs_init(&b->sets[i], &b->identity, b->aead, b->n_conns, way_modes[i], handshakes_progress, b);
    check_set(b, &b->sets[i], way_names[i]);
  }
  for (size_t i = 0; i < b->n_conns; i++) {
    pairs_record_key(&b->sets[0], i, &b->seal_keys[i]);
    b->open_keys[i] = b->seal_keys[i];
  }
}

static void group_free(struct bench *b) {
  for (size_t i = 0; i < N_WAYS; i++) {
    if (b->sets[i].n > 0) pairs_free(&b->sets[i]);
  }
  for (size_t i = 0; i < b->n_conns; i++) {
    sl_record_key_wipe(&b->seal_keys[i]);
    sl_record_key_wipe(&b->open_keys[i]);
  }
  free(b->seal_keys);
  free(b->open_keys);
  free(b->records);
  free(b->batch_memory);
  identity_free(&b->identity);
}

static void bench_group(struct bench *b, enum sl_aead aead, bool is_open, size_t n_conns) {
  b->aead = aead;
  b->is_open = is_open;
  b->n_conns = n_conns;
  group_init(b);
  struct report *r = &b->report;
  r->aead = aead;
  r->op = op_names[is_open];
  r->n_keys = n_conns;
  r->n_threads = 1;
  r->is_cold = n_conns > HOT_KEYS_MAX;
  r->limit = b->limits[aead];
  report_begin_group(r);
  for (size_t l = 0; l < b->lens.n; l++) {
    for (size_t k = 0; k < b->batches.n; k++) {
      output_progress(&b->out, "%zu of %zu: %s %s, %zu connections, %zu bytes, batch of %zu", ++b->cell_number,
                      b->n_cells, sl_aead_name(aead), r->op, n_conns, (size_t)b->lens.v[l], (size_t)b->batches.v[k]);
      race_cell(b, b->lens.v[l], b->batches.v[k]);
    }
  }
  report_end_group(r);
  group_free(b);
}

/* ---- the command ---------------------------------------------------------------------------------------------------- */

static void parse_flags(struct bench *b, int argc, char *argv[]) {
  const struct flag flags[] = {
      flag_suites(&b->suites, "algorithms, default aes-128-gcm"),
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
       .min = 1,
       .max = SL_RECORD_TEXT_MAX,
       .help = "text of a record, default 64,1350,16384"},
      {.name = "--batch",
       .arg = "N,...",
       .kind = FLAG_NUMBERS,
       .out = &b->batches,
       .min = 1,
       .max = BATCH_MAX,
       .help = "records in one batch, default 1,32"},
      {.name = "--conns",
       .arg = "N,...",
       .kind = FLAG_NUMBERS,
       .out = &b->conns,
       .min = 1,
       .max = 100000,
       .help = "connections the records rotate among, default 64; over 256 they are cold"},
      {.name = "--rivals",
       .arg = "NAME,...",
       .kind = FLAG_CHOICES,
       .out = &b->rivals,
       .choices = rival_names,
       .nothing = "none",
       .help = "whom to measure beside ours, default all"},
      flag_rounds(&b->n_rounds),
      flag_seconds(&b->seconds, "time for a cell of the table, default 0.5"),
      flag_json(&b->json_path),
      flag_plot(&b->plot_path, "also draw GB/s over the length (needs gnuplot)"),
  };
  flags_parse(flags, sizeof flags / sizeof flags[0],
              "Times one TLS 1.3 record of one of many connections, from text to wire or back: sl_record_seal() or\n"
              "sl_record_open(), sl_batch_add() and sl_batch_run() against SSL_write() or SSL_read() of libssl.",
              argc, argv);
}

static int run(int argc, char *argv[]) {
  struct bench *b = bench_alloc(1, sizeof *b);
  b->suites = (struct flag_list){1, {SL_AES_128_GCM - 1}};
  b->ops = (struct flag_list){1, {OP_SEAL}};
  b->lens = (struct flag_list){3, {64, 1350, 16384}};
  b->batches = (struct flag_list){2, {1, 32}};
  b->conns = (struct flag_list){1, {64}};
  b->rivals = (struct flag_list){1, {0}};
  b->n_rounds = 1000;
  b->seconds = 0.5;
  parse_flags(b, argc, argv);
  bench_check_kernels();
  output_open(&b->out, b->json_path);
  b->report = (struct report){.out = &b->out, .bench = "record", .keys_name = "conns", .plot = plot_open(b->plot_path)};
  for (size_t i = 0; i < b->rivals.n; i++) b->report.rivals[b->report.n_rivals++] = rival_names[b->rivals.v[i]];

  output_print(&b->out, "%s\nsealane %s%s%s; ns per record, best of up to %zu rounds; x: times faster than\n",
               bench_cpu_name(), SEALANE_VERSION, b->rivals.n > 0 ? ", openssl " : "",
               b->rivals.n > 0 ? OpenSSL_version(OPENSSL_VERSION_STRING) : "", (size_t)b->n_rounds);
  limits_measure(b->limits, b->seconds < 0.3 ? b->seconds : 0.3);
  b->n_cells = b->suites.n * b->ops.n * b->conns.n * b->lens.n * b->batches.n;
  for (size_t s = 0; s < b->suites.n; s++) {
    for (size_t o = 0; o < b->ops.n; o++) {
      for (size_t c = 0; c < b->conns.n; c++)
        bench_group(b, (enum sl_aead)(b->suites.v[s] + 1), b->ops.v[o] == OP_OPEN, b->conns.v[c]);
    }
  }
  output_close(&b->out);
  plot_close(b->report.plot);
  free(b);
  return 0;
}

const struct bench_command bench_record = {
    .name = "record", .summary = "whole TLS records of many connections, against libssl", .run = run};
