/* memory.c - sealane-bench memory: what a connection that waits for its peer holds on to, a key, and a kernel.
 *
 * Connections: many are made and shake hands with clients of libssl, in memory; then the servers are freed, and what the
 * allocator has less in use afterwards, by its own count, is what they held. That misses nothing they own, and
 * nothing the clients or the library's shared parts own is in it. */
#include "bench.h"
#include "flags.h"
#include "hooks/inside.h"
#include "output.h"
#include "pairs.h"
#include "rivals/rival.h"
#include "texts.h"
#include <malloc.h>
#include <openssl/crypto.h>
#include <sealane/batch.h>
#include <sealane/cpu.h>
#include <sealane/tls.h>
#include <sealane/version.h>
#include <stdlib.h>
#include <string.h>

enum { WIRE_CAP = 1 << 17, TEXT_LEN = 100, BATCH_RECORDS = 64 };

struct bench {
  uint64_t n_conns;
  const char *json_path;
  struct output out;
  struct identity identity;
  struct wire to_server, to_client;
  uint8_t *plain;
};

static size_t bytes_in_use(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/* Sanitizers bring an allocator that does not count. */
static bool allocator_counts(void) {
  size_t before = bytes_in_use();
  void *volatile p = malloc(100000); /* volatile: or a compiler sees that nobody needs it */
  bool counts = p != NULL && bytes_in_use() >= before + 100000;
  free(p);
  return counts;
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

/* bytes, or NULL and why not. */
static void print_row(struct bench *b, const char *impl, const char *version, const char *what, const char *of,
                      const double *bytes, const char *na) {
  output_print(&b->out, "%-10s %-36s %-20s ", impl, what, of);
  if (bytes != NULL)
    output_print(&b->out, "%10.0f\n", *bytes);
  else
    output_print(&b->out, "%10s  %s\n", "n/a", na);
  json_begin(&b->out);
  json_text(&b->out, "bench", "memory");
  json_text(&b->out, "impl", impl);
  json_text(&b->out, "version", version);
  json_text(&b->out, "what", what);
  json_text(&b->out, "of", of);
  if (bytes != NULL) {
    json_number(&b->out, "bytes", *bytes);
  } else {
    json_null(&b->out, "bytes");
    json_text(&b->out, "na", na);
  }
  json_text(&b->out, "cpu", bench_cpu_name());
  json_end(&b->out);
}

/* ---- servers of either kind --------------------------------------------------------------------------------------- */

struct server {
  SSL *client;
  SSL *ssl;             /* libssl's */
  struct sl_conn *conn; /* ours */
};

struct kind {
  const char *impl, *way;
  uint64_t mode; /* SSL_MODE_* of libssl's server */
  bool is_ours;
};

/* Gives our server what the client sent, and puts what it has to say on the wire. */
static void step_ours(struct bench *b, struct server *s, struct sl_batch *batch) {
  struct wire *in = &b->to_server, *out = &b->to_client;
  sl_err err = sl_conn_feed(s->conn, batch, in->data + in->begin, in->end - in->begin, b->plain, WIRE_CAP);
  if (err != SL_OK) bench_die("sealane: %s", sl_err_text(err));
  sl_batch_run(batch);
  in->begin = in->end = 0;
  if (sl_conn_state(s->conn) == SL_CONN_FAILED) bench_die("sealane: %s", sl_conn_failure(s->conn)->text);
  out->end += sl_conn_take_output(s->conn, out->data + out->end, out->cap - out->end);
}

static void send_ours(struct bench *b, struct server *s, struct sl_batch *batch) {
  static uint8_t text[TEXT_LEN];
  struct iovec piece = {text, sizeof text};
  struct wire *out = &b->to_client;
  size_t len = 0;
  sl_err err = sl_conn_send(s->conn, batch, &piece, 1, out->data + out->end, out->cap - out->end, &len);
  if (err != SL_OK) bench_die("sealane: %s", sl_err_text(err));
  sl_batch_run(batch);
  out->end += len;
}

static void shake_hands(struct bench *b, const struct kind *kind, struct server *s, struct sl_config *config,
                        struct sl_batch *batch) {
  s->client = pairs_new_ssl(&b->identity, false, &b->to_client, &b->to_server);
  if (kind->is_ours) {
    sl_err err = sl_conn_new(&s->conn, config);
    if (err != SL_OK) bench_die("sealane: cannot make a connection: %s", sl_err_text(err));
  } else {
    s->ssl = pairs_new_ssl(&b->identity, true, &b->to_server, &b->to_client);
    SSL_set_mode(s->ssl, kind->mode);
  }
  bool client_done = false, server_done = false;
  for (int i = 0; i < 10 && !(client_done && server_done); i++) {
    client_done = pairs_step(s->client, "a handshake of libssl's client");
    if (kind->is_ours) {
      step_ours(b, s, batch);
      server_done = sl_conn_state(s->conn) == SL_CONN_OPEN;
    } else {
      server_done = pairs_step(s->ssl, "a handshake of libssl's server");
    }
  }
  if (!client_done || !server_done) bench_die("%s: a handshake does not end", kind->impl);
}

/* A record from the client, and one back. */
static void exchange(struct bench *b, const struct kind *kind, struct server *s, struct sl_batch *batch) {
  uint8_t text[TEXT_LEN] = {0};
  size_t n = 0;
  bool ok = SSL_write_ex(s->client, text, sizeof text, &n) == 1;
  if (kind->is_ours) {
    step_ours(b, s, batch);
    ok = ok && sl_conn_plain_len(s->conn) == sizeof text;
    send_ours(b, s, batch);
  } else {
    ok = ok && SSL_read_ex(s->ssl, text, sizeof text, &n) == 1 && SSL_write_ex(s->ssl, text, sizeof text, &n) == 1;
  }
  if (!ok || SSL_read_ex(s->client, text, sizeof text, &n) != 1 || n != sizeof text)
    bench_die("%s: a record did not arrive", kind->impl);
}

/* Bytes one server of this kind holds, with or without having exchanged data. */
static double measure_conns(struct bench *b, const struct kind *kind, bool with_data) {
  struct sl_config *config = NULL;
  struct sl_batch batch;
  void *batch_memory = bench_alloc(sl_batch_mem_len(BATCH_RECORDS), 1);
  const struct identity *id = &b->identity;
  if (sl_batch_init(&batch, BATCH_RECORDS, batch_memory, sl_batch_mem_len(BATCH_RECORDS)) != SL_OK ||
      sl_config_new(&config) != SL_OK ||
      sl_config_add_cert_pem(config, id->cert_pem, strlen(id->cert_pem), id->key_pem, strlen(id->key_pem)) != SL_OK)
    bench_die("sealane: cannot make a configuration: %s", config != NULL ? sl_config_why(config) : "out of memory");

  struct server *servers = bench_alloc(b->n_conns, sizeof servers[0]);
  for (size_t i = 0; i < b->n_conns; i++) {
    if (i % 64 == 0)
      output_progress(&b->out, "%s %s: %zu of %zu handshakes", kind->impl, kind->way, i, (size_t)b->n_conns);
    shake_hands(b, kind, &servers[i], config, &batch);
    if (with_data) exchange(b, kind, &servers[i], &batch);
  }
  size_t before = bytes_in_use();
  for (size_t i = 0; i < b->n_conns; i++) {
    sl_conn_free(servers[i].conn);
    SSL_free(servers[i].ssl);
  }
  double bytes = (double)(before - bytes_in_use()) / (double)b->n_conns;
  for (size_t i = 0; i < b->n_conns; i++) SSL_free(servers[i].client);
  free(servers);
  sl_config_free(config);
  free(batch_memory);
  return bytes;
}

static void bench_conns(struct bench *b) {
  static const struct kind kinds[] = {
      {"sealane", "", 0, true},
      {"openssl", "freed buffers", SSL_MODE_RELEASE_BUFFERS, false},
      {"openssl", "kept buffers", 0, false},
  };
  static const char *const whats[] = {"idle connection, fresh", "idle connection, after data"};
  bool counts = allocator_counts();
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    for (size_t with_data = 0; with_data < 2; with_data++) {
      const struct kind *kind = &kinds[i];
      double bytes = counts ? measure_conns(b, kind, with_data > 0) : 0;
      print_row(b, kind->impl, kind->is_ours ? SEALANE_VERSION : OpenSSL_version(OPENSSL_VERSION_STRING),
                whats[with_data], kind->way, counts ? &bytes : NULL,
                "this build's allocator does not count (sanitizer)");
    }
  }
}

/* ---- keys ----------------------------------------------------------------------------------------------------------- */

static void bench_our_keys(struct bench *b) {
  double size = sizeof(struct sl_aead_key);
  print_row(b, "sealane", SEALANE_VERSION, "struct sl_aead_key", "", &size, NULL);
  size = sizeof(struct sl_record_key);
  print_row(b, "sealane", SEALANE_VERSION, "struct sl_record_key", "", &size, NULL);
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    struct rival_way ways[RIVAL_WAYS_MAX];
    size_t n = rival_sealane.ways(aead, ways);
    char what[64];
    snprintf(what, sizeof what, "expanded key, %s", sl_aead_name(aead));
    for (size_t i = 0; i < n; i++) {
      struct sl_aead_key key = {0};
      static const uint8_t secret[32];
      bool ok = ways[i].reason[0] == '\0' &&
                sl_aead_key_init_kernel(&key, aead, secret, sl_aead_secret_len(aead), ways[i].name) == SL_OK;
      double len = (double)hook_key_len(&key);
      print_row(b, "sealane", SEALANE_VERSION, what, ways[i].name, ok ? &len : NULL, ways[i].reason);
      sl_aead_key_wipe(&key);
    }
  }
}

/* What n keys of a rival take: allocated, measured as they are freed. */
static double measure_keys(const struct rival *rival, enum sl_aead aead, const char *way, size_t n) {
  uint8_t *secrets = bench_alloc(n, sl_aead_secret_len(aead));
  texts_fill(secrets, n * sl_aead_secret_len(aead), 1);
  void *state = rival->setup(aead, way, false, secrets, n);
  if (state == NULL) bench_die("%s %s: cannot set up %zu keys of %s", rival->name, way, n, sl_aead_name(aead));
  size_t before = bytes_in_use();
  rival->release(state);
  double bytes = (double)before - (double)bytes_in_use();
  free(secrets);
  return bytes;
}

/* The difference between few and many, so that what there is once does not count. */
static void bench_rival_keys(struct bench *b, const struct rival *rival) {
  enum { FEW = 100, MANY = 1100 };
  char version[64], what[64];
  rival->version(version, sizeof version);
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    struct rival_way ways[RIVAL_WAYS_MAX];
    (void)rival->ways(aead, ways);
    snprintf(what, sizeof what, "expanded key, %s", sl_aead_name(aead));
    const char *na = ways[0].reason[0] != '\0' ? ways[0].reason : NULL;
    if (na == NULL && !allocator_counts()) na = "this build's allocator does not count (sanitizer)";
    double bytes = 0;
    if (na == NULL)
      bytes =
          (measure_keys(rival, aead, ways[0].name, MANY) - measure_keys(rival, aead, ways[0].name, FEW)) / (MANY - FEW);
    if (na == NULL && bytes < 1) na = "expands nothing beforehand";
    print_row(b, rival->name, version, what, ways[0].name, na == NULL ? &bytes : NULL, na);
  }
}

/* ---- code ----------------------------------------------------------------------------------------------------------- */

static void bench_code(struct bench *b) {
  size_t n = sl_kernels_list(NULL, 0);
  struct sl_kernel_info *kernels = bench_alloc(n, sizeof kernels[0]);
  n = sl_kernels_list(kernels, n);
  double all = 0;
  for (size_t i = 0; i < n; i++) {
    bool is_ours = strncmp(kernels[i].name, "ipsec_mb_", 9) != 0;
    double len = is_ours ? (double)hook_kernel_code_len(kernels[i].name) : 0;
    all += len;
    print_row(b, "sealane", SEALANE_VERSION, "code and constants", kernels[i].name, len > 0 ? &len : NULL,
              is_ours ? "no symbol table in this program" : "its code is Intel IPsec-MB's");
  }
  print_row(b, "sealane", SEALANE_VERSION, "code and constants", "all kernels", all > 0 ? &all : NULL,
            "no symbol table in this program");
  free(kernels);
}

static int run(int argc, char *argv[]) {
  struct bench b = {.n_conns = 500};
  const struct flag flags[] = {
      {.name = "--conns",
       .arg = "N",
       .kind = FLAG_NUMBER,
       .out = &b.n_conns,
       .min = 1,
       .max = 100000,
       .help = "connections to make of each kind, default 500"},
      flag_json(&b.json_path),
  };
  flags_parse(
      flags, sizeof flags / sizeof flags[0],
      "Bytes: of an idle server connection after a real handshake, and after a record each way; of an expanded\n"
      "key; of each kernel's code.",
      argc, argv);
  bench_check_kernels();
  output_open(&b.out, b.json_path);
  identity_make(&b.identity, SL_AES_128_GCM);
  uint8_t *memory = bench_alloc(3, WIRE_CAP);
  b.to_server = (struct wire){.data = memory, .cap = WIRE_CAP};
  b.to_client = (struct wire){.data = memory + WIRE_CAP, .cap = WIRE_CAP};
  b.plain = memory + 2 * WIRE_CAP;

  output_print(&b.out, "%s\n\n%-10s %-36s %-20s %10s\n", bench_cpu_name(), "impl", "what", "", "bytes");
  bench_conns(&b);
  bench_our_keys(&b);
  bench_rival_keys(&b, &rival_openssl);
  bench_rival_keys(&b, &rival_ipsec_mb);
  bench_code(&b);
  free(memory);
  identity_free(&b.identity);
  output_close(&b.out);
  return 0;
}

const struct bench_command bench_memory = {
    .name = "memory", .summary = "bytes of an idle connection, a key, a kernel", .run = run};
