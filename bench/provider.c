/* provider.c - sealane-bench provider: what the OpenSSL provider gains, and whether OpenSSL uses it.
 *
 * Measured are a text with EVP, call for call as libssl does a TLS 1.3 record (IV, AAD, text, end, tag), 32 texts with the
 * pipelines of OpenSSL 3.5, SSL_write() of libssl itself, and a step of TLS 1.3's key schedule; each with OpenSSL's own
 * provider and with Sealane's, by turns. --doctor
 * measures nothing: it asks OpenSSL, as it is configured here, which provider it takes for each algorithm. */
#define _GNU_SOURCE
#include "bench.h"
#include "flags.h"
#include "output.h"
#include "pairs.h"
#include "race.h"
#include <dlfcn.h>
#include <limits.h>
#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <sealane/aead.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OURS, THEIRS, BOTH };
enum { SEAL, OPEN, PIPELINE, WRITE, SCHEDULE, N_OPS, TEXT_MAX = 16384, TAG_LEN = 16, AAD_LEN = 5, N_PIPES = 32 };

static const char *const op_names[] = {"seal", "open", "pipeline", "SSL_write", "TLS13-KDF", NULL};
static const char *const provider_names[BOTH] = {"sealane", "default"};
static const char *const evp_names[SL_AEAD_END] = {
    [SL_AES_128_GCM] = "AES-128-GCM",
    [SL_AES_256_GCM] = "AES-256-GCM",
    [SL_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
};

struct bench {
  struct flag_list suites, ops, lens;
  double seconds;
  const char *module, *json_path;
  bool wants_doctor;
  struct output out;
};

/* All that OpenSSL has to say: what went wrong in the provider comes before what that led to. */
static const char *why_not(void) {
  static char why[1000];
  const char *data;
  int flags;
  size_t n = 0;
  why[0] = '\0';
  for (unsigned long e; (e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0;) {
    const char *reason = ERR_reason_error_string(e);
    if ((flags & ERR_TXT_STRING) == 0) data = "";
    if (reason == NULL) reason = data[0] != '\0' ? "" : "no reason given"; /* of a provider that is gone */
    const char *parts[] = {n > 0 ? "; " : "", reason, reason[0] != '\0' && data[0] != '\0' ? ": " : "", data};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
      if (n < sizeof why - 1) n += (size_t)snprintf(why + n, sizeof why - n, "%s", parts[i]);
    }
  }
  return n > 0 ? why : "no reason given";
}

/* --module, or the sealane.so beside this program. */
static const char *module_path(const struct bench *b) {
  static char path[PATH_MAX];
  if (b->module != NULL) return b->module;
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "sealane.so");
  char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
  if (slash == NULL) return "sealane";
  strcpy(slash + 1, "sealane.so");
  return access(path, R_OK) == 0 ? path : "sealane"; /* installed: where OpenSSL looks */
}

/* ---- doctor -------------------------------------------------------------------------------------------------- */

/* What the provider says about the kernel of an algorithm; "" when it says nothing. */
struct kernel_of {
  const char *name;
  OSSL_PROVIDER *sealane;
};
static int ask_kernel(OSSL_PROVIDER *provider, void *arg) {
  struct kernel_of *of = arg;
  char key[64], *text = NULL;
  if (strcmp(OSSL_PROVIDER_get0_name(provider), "sealane") != 0) return 1;
  of->sealane = provider;
  snprintf(key, sizeof key, "sealane-kernel-%s", of->name);
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr(key, &text, 0), OSSL_PARAM_construct_end()};
  of->name = OSSL_PROVIDER_get_params(provider, params) == 1 && text != NULL ? text : "";
  return 1;
}

enum kind { CIPHER, KEYMGMT, KEYEXCH, KDF };

/* The name of the provider that OpenSSL takes; NULL when none has it. */
static const char *taken(enum kind kind, const char *name, const char *properties) {
  const OSSL_PROVIDER *provider = NULL;
  const char *text = NULL;
  if (kind == CIPHER) {
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, properties);
    if (cipher != NULL) provider = EVP_CIPHER_get0_provider(cipher);
    if (provider != NULL) text = OSSL_PROVIDER_get0_name(provider);
    EVP_CIPHER_free(cipher);
  } else if (kind == KEYMGMT) {
    EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(NULL, name, properties);
    if (keymgmt != NULL) provider = EVP_KEYMGMT_get0_provider(keymgmt);
    if (provider != NULL) text = OSSL_PROVIDER_get0_name(provider);
    EVP_KEYMGMT_free(keymgmt);
  } else if (kind == KDF) {
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, properties);
    if (kdf != NULL) provider = EVP_KDF_get0_provider(kdf);
    if (provider != NULL) text = OSSL_PROVIDER_get0_name(provider);
    EVP_KDF_free(kdf);
  } else {
    EVP_KEYEXCH *keyexch = EVP_KEYEXCH_fetch(NULL, name, properties);
    if (keyexch != NULL) provider = EVP_KEYEXCH_get0_provider(keyexch);
    if (provider != NULL) text = OSSL_PROVIDER_get0_name(provider);
    EVP_KEYEXCH_free(keyexch);
  }
  ERR_clear_error();
  return text;
}

static const struct {
  enum kind kind;
  const char *name, *of, *algorithm;
} questions[] = {
    {CIPHER, "AES-128-GCM", "cipher", "aes-gcm"},
    {CIPHER, "AES-256-GCM", "cipher", "aes-gcm"},
    {CIPHER, "ChaCha20-Poly1305", "cipher", "chacha20-poly1305"},
    {KEYMGMT, "X25519", "keys", "x25519"},
    {KEYEXCH, "X25519", "exchange", "x25519"},
    {KDF, "TLS13-KDF", "schedule", "sha256"},
};

/* The module that a configuration names for the provider; NULL when it names none, and *is_readable. */
static char *configured_module(const char *path, bool *is_readable) {
  static const char *const steps[] = {"openssl_conf", "providers", "sealane", "module"};
  CONF *conf = NCONF_new(NULL);
  long line;
  *is_readable = conf != NULL && NCONF_load(conf, path, &line) > 0;
  const char *section = "default";
  for (size_t i = 0; *is_readable && section != NULL && i < sizeof steps / sizeof steps[0]; i++) {
    section = NCONF_get_string(conf, section, steps[i]);
  }
  char *module = *is_readable && section != NULL ? strdup(section) : NULL;
  NCONF_free(conf);
  return module;
}

/* Why OpenSSL does not load the provider, for people. */
static void explain_absence(struct bench *b) {
  const char *conf = getenv("OPENSSL_CONF");
  bool is_readable = false, is_set = conf != NULL && conf[0] != '\0';
  output_print(&b->out, "\nThe provider is not loaded. OPENSSL_CONF is %s%s.\n", is_set ? "" : "not set",
               is_set ? conf : "");
  char *module = is_set ? configured_module(conf, &is_readable) : NULL;
  if (is_set && !is_readable) output_print(&b->out, "That file cannot be read: %s\n", why_not());
  if (is_readable && module == NULL) output_print(&b->out, "That file names no module for a provider sealane.\n");
  ERR_clear_error();
  OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
  const char *path = module != NULL ? module : module_path(b);
  OSSL_PROVIDER *provider = ctx != NULL ? OSSL_PROVIDER_load(ctx, path) : NULL;
  if (provider == NULL) {
    output_print(&b->out, "%s cannot be loaded: %s\n", path, why_not());
  } else if (module != NULL) {
    output_print(&b->out, "%s, which that file names, can be loaded: does it say activate = 1?\n", path);
  } else {
    output_print(&b->out, "%s can be loaded: set OPENSSL_CONF to the openssl-sealane.cnf that names it.\n", path);
  }
  if (provider != NULL) OSSL_PROVIDER_unload(provider);
  OSSL_LIB_CTX_free(ctx);
  free(module);
}

static int doctor(struct bench *b) {
  bool all_ours = true, is_loaded = false;
  output_print(&b->out, "%s\n\n%-18s %-9s %-9s %s\n", OpenSSL_version(OPENSSL_VERSION), "algorithm", "", "provider",
               "kernel");
  for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
    struct kernel_of of = {questions[i].algorithm, NULL};
    const char *provider = taken(questions[i].kind, questions[i].name, NULL), *kernel = "";
    OSSL_PROVIDER_do_all(NULL, ask_kernel, &of);
    if (of.sealane != NULL) is_loaded = true;
    bool is_ours = provider != NULL && strcmp(provider, "sealane") == 0;
    char why[400] = "";
    if (is_ours) {
      kernel = of.name;
    } else if (of.sealane != NULL && taken(questions[i].kind, questions[i].name, "provider=sealane") != NULL) {
      snprintf(why, sizeof why,
               "loaded, but not preferred: the configuration lacks default_properties = ?provider=sealane");
    } else if (of.sealane != NULL) {
      snprintf(why, sizeof why, "not offered: %s", of.name);
    } else {
      snprintf(why, sizeof why, "the provider is not loaded");
    }
    all_ours = all_ours && is_ours;
    output_print(&b->out, "%-18s %-9s %-9s %s%s\n", questions[i].name, questions[i].of,
                 provider != NULL ? provider : "none", kernel, why);
    json_begin(&b->out);
    json_text(&b->out, "bench", "doctor");
    json_text(&b->out, "algorithm", questions[i].name);
    json_text(&b->out, "kind", questions[i].of);
    json_text(&b->out, "provider", provider);
    json_text(&b->out, "kernel", is_ours ? kernel : NULL);
    json_text(&b->out, "na", is_ours ? NULL : why);
    json_end(&b->out);
  }
  if (!is_loaded) explain_absence(b);
  return all_ours ? 0 : 1;
}

/* ---- lanes --------------------------------------------------------------------------------------------------- */

struct lane {
  EVP_CIPHER_CTX *ctx;
  SSL *ssl;
  struct wire *wire;
  const char *properties;
  size_t len;
  uint8_t *in, *out;
  uint8_t tag[TAG_LEN];
};

static const uint8_t record_head[AAD_LEN] = {23, 3, 3, 0, 0}, first_iv[12] = {1};

static bool run_seal(void *ctx, size_t n_calls) {
  struct lane *l = ctx;
  int n;
  bool ok = true;
  for (size_t i = 0; i < n_calls; i++) {
    ok &= EVP_CipherInit_ex(l->ctx, NULL, NULL, NULL, first_iv, -1) == 1;
    ok &= EVP_CipherUpdate(l->ctx, NULL, &n, record_head, AAD_LEN) == 1;
    ok &= EVP_CipherUpdate(l->ctx, l->out, &n, l->in, (int)l->len) == 1;
    ok &= EVP_CipherFinal_ex(l->ctx, l->out + l->len, &n) == 1;
    ok &= EVP_CIPHER_CTX_ctrl(l->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, l->tag) == 1;
  }
  return ok;
}

static bool run_open(void *ctx, size_t n_calls) {
  struct lane *l = ctx;
  int n;
  bool ok = true;
  for (size_t i = 0; i < n_calls; i++) {
    ok &= EVP_CipherInit_ex(l->ctx, NULL, NULL, NULL, first_iv, -1) == 1;
    ok &= EVP_CIPHER_CTX_ctrl(l->ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, l->tag) == 1;
    ok &= EVP_CipherUpdate(l->ctx, NULL, &n, record_head, AAD_LEN) == 1;
    ok &= EVP_CipherUpdate(l->ctx, l->out, &n, l->in, (int)l->len) == 1;
    ok &= EVP_CipherFinal_ex(l->ctx, l->out + l->len, &n) == 1;
  }
  return ok;
}

/* OpenSSL 3.5's, which older headers do not declare. */
static struct {
  int (*init)(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const uint8_t *key, size_t key_len, size_t n,
              const uint8_t **iv, size_t iv_len);
  int (*update)(EVP_CIPHER_CTX *ctx, uint8_t **out, size_t *out_len, const size_t *out_cap, const uint8_t **in,
                const size_t *len);
  int (*final)(EVP_CIPHER_CTX *ctx, uint8_t **out, size_t *out_len, const size_t *out_cap);
} pipeline;

static bool has_pipelines(void) {
  const struct {
    const char *name;
    void *out;
  } symbols[] = {{"EVP_CipherPipelineEncryptInit", &pipeline.init},
                 {"EVP_CipherPipelineUpdate", &pipeline.update},
                 {"EVP_CipherPipelineFinal", &pipeline.final}};
  for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
    void *symbol = dlsym(RTLD_DEFAULT, symbols[i].name);
    if (symbol == NULL) return false;
    memcpy(symbols[i].out, &symbol, sizeof symbol);
  }
  return true;
}

/* N_PIPES texts of one key, a text behind the other. */
static bool run_pipeline(void *ctx, size_t n_calls) {
  struct lane *l = ctx;
  const uint8_t *iv[N_PIPES], *aad[N_PIPES], *in[N_PIPES];
  uint8_t *out[N_PIPES], tags[N_PIPES][TAG_LEN], *tag[N_PIPES];
  size_t aad_len[N_PIPES], len[N_PIPES], n[N_PIPES];
  void *tags_at = tag;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_ptr("pipeline-tag", &tags_at, TAG_LEN), OSSL_PARAM_construct_end()};
  bool ok = true;
  for (size_t i = 0; i < N_PIPES; i++) {
    iv[i] = first_iv, aad[i] = record_head, aad_len[i] = AAD_LEN, len[i] = l->len;
    in[i] = l->in + i * l->len, out[i] = l->out + i * l->len, tag[i] = tags[i];
  }
  for (size_t i = 0; i < n_calls; i++) {
    ok &= pipeline.init(l->ctx, NULL, NULL, 0, N_PIPES, iv, sizeof first_iv) == 1;
    ok &= pipeline.update(l->ctx, NULL, n, NULL, aad, aad_len) == 1;
    ok &= pipeline.update(l->ctx, out, n, len, in, len) == 1;
    ok &= pipeline.final(l->ctx, out, n, len) == 1;
    ok &= EVP_CIPHER_CTX_get_params(l->ctx, params) == 1;
  }
  return ok;
}

/* The same texts one by one. */
static bool run_singly(void *ctx, size_t n_calls) {
  struct lane l = *(struct lane *)ctx;
  uint8_t *const in = l.in, *const out = l.out;
  bool ok = true;
  for (size_t i = 0; i < n_calls; i++) {
    for (size_t j = 0; j < N_PIPES; j++) {
      l.in = in + j * l.len, l.out = out + j * l.len;
      ok &= run_seal(&l, 1);
    }
  }
  return ok;
}

static bool run_write(void *ctx, size_t n_calls) {
  struct lane *l = ctx;
  size_t n;
  bool ok = true;
  for (size_t i = 0; i < n_calls; i++) {
    l->wire->begin = l->wire->end = 0;
    ok &= SSL_write_ex(l->ssl, l->in, l->len, &n) == 1 && n == l->len;
  }
  return ok;
}

/* A step of the key schedule, as libssl makes it: all of it anew. */
static bool run_schedule(void *ctx, size_t n_calls) {
  struct lane *l = ctx;
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  const char *digest = l->len == 48 ? "SHA2-384" : "SHA2-256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, l->in, l->len),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (char *)(uintptr_t) "tls13 ", 6),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, (char *)(uintptr_t) "c hs traffic", 12),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_DATA, l->in + l->len, l->len),
      OSSL_PARAM_construct_end()};
  bool ok = true;
  for (size_t i = 0; i < n_calls; i++) {
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", l->properties);
    EVP_KDF_CTX *kdf_ctx = EVP_KDF_CTX_new(kdf);
    ok &= EVP_KDF_derive(kdf_ctx, l->out, l->len, params) == 1;
    EVP_KDF_CTX_free(kdf_ctx);
    EVP_KDF_free(kdf);
  }
  return ok;
}

/* The key is the same for both; what is opened is what was sealed. */
static void make_lane(struct lane *l, enum sl_aead aead, const char *provider, size_t op, size_t len) {
  const char *name = evp_names[aead];
  static const uint8_t key[32] = {2};
  char properties[64];
  snprintf(properties, sizeof properties, "provider=%s", provider);
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, properties);
  l->ctx = EVP_CIPHER_CTX_new();
  l->len = len;
  l->in = bench_alloc(N_PIPES * TEXT_MAX + TAG_LEN, 1);
  l->out = bench_alloc(N_PIPES * TEXT_MAX + TAG_LEN, 1);
  if (cipher == NULL || l->ctx == NULL || EVP_CipherInit_ex(l->ctx, cipher, NULL, key, first_iv, 1) != 1 ||
      !run_seal(l, 1))
    bench_die("%s of %s: %s", name, provider, why_not());
  if (op == PIPELINE && strcmp(provider, "sealane") == 0) {
    if (EVP_CIPHER_CTX_reset(l->ctx) != 1 ||
        pipeline.init(l->ctx, cipher, key, sl_aead_secret_len(aead), N_PIPES, NULL, 0) != 1)
      bench_die("%s of %s: %s", name, provider, why_not());
  }
  EVP_CIPHER_free(cipher);
  if (op != OPEN) return;
  memcpy(l->in, l->out, len);
  if (EVP_CipherInit_ex(l->ctx, NULL, NULL, NULL, NULL, 0) != 1 || !run_open(l, 1))
    bench_die("%s of %s does not open what it sealed", name, provider);
}

static void free_lane(struct lane *l) {
  EVP_CIPHER_CTX_free(l->ctx);
  free(l->in);
  free(l->out);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

static void print_row(struct bench *b, enum sl_aead aead, size_t op, size_t len, const struct race_lane *lanes) {
  double ratio = lanes[THEIRS].best / lanes[OURS].best;
  output_print(&b->out, "%-18s %-10s %6zu %12.1f %12.1f %8.2f\n", sl_aead_name(aead), op_names[op], len,
               lanes[THEIRS].best, lanes[OURS].best, ratio);
  for (size_t w = 0; w < BOTH; w++) {
    json_begin(&b->out);
    json_text(&b->out, "bench", "provider");
    json_text(&b->out, "impl", provider_names[w]);
    json_text(&b->out, "suite", sl_aead_name(aead));
    json_text(&b->out, "op", op_names[op]);
    json_integer(&b->out, "len", len);
    json_number(&b->out, "ns", lanes[w].best);
    json_number(&b->out, "gbps", (double)len / lanes[w].best);
    json_number(&b->out, "median_ns", lanes[w].median);
    json_number(&b->out, "spread", lanes[w].spread);
    json_text(&b->out, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    json_text(&b->out, "cpu", bench_cpu_name());
    json_end(&b->out);
  }
}

static void print_na(struct bench *b, enum sl_aead aead, size_t op, size_t len, const char *why) {
  output_print(&b->out, "%-18s %-10s %6zu %12s %s\n", sl_aead_name(aead), op_names[op], len, "n/a", why);
  json_begin(&b->out);
  json_text(&b->out, "bench", "provider");
  json_text(&b->out, "impl", provider_names[OURS]);
  json_text(&b->out, "suite", sl_aead_name(aead));
  json_text(&b->out, "op", op_names[op]);
  json_integer(&b->out, "len", len);
  json_null(&b->out, "ns");
  json_text(&b->out, "na", why);
  json_end(&b->out);
}

/* ours: whether the provider offers it here; else the rows say why not. */
static bool is_offered(struct bench *b, enum kind kind, enum sl_aead aead, size_t op, size_t len) {
  const char *name = kind == KDF ? "TLS13-KDF" : evp_names[aead];
  char why[200];
  if (op == PIPELINE && !has_pipelines()) {
    print_na(b, aead, op, len, "OpenSSL has pipelines from 3.5 on");
    return false;
  }
  if (taken(kind, name, "provider=sealane") != NULL) return true;
  struct kernel_of of = {aead == SL_CHACHA20_POLY1305 ? "chacha20-poly1305" : "aes-gcm", NULL};
  if (kind == KDF) of.name = "sha256";
  OSSL_PROVIDER_do_all(NULL, ask_kernel, &of);
  snprintf(why, sizeof why, "not offered: %s", of.name);
  print_na(b, aead, op, len, why);
  return false;
}

static void race(struct bench *b, enum sl_aead aead, size_t op, size_t len, struct lane *lanes) {
  static bool (*const runs[N_OPS])(void *, size_t) = {run_seal, run_open, run_pipeline, run_write, run_schedule};
  struct race_lane racers[BOTH] = {{.run = runs[op], .ctx = &lanes[OURS], .n_warm_calls = 4},
                                   {.run = runs[op], .ctx = &lanes[THEIRS], .n_warm_calls = 4}};
  if (op == PIPELINE) racers[THEIRS].run = run_singly; /* OpenSSL's own provider has none */
  struct race_limits limits = {.n_rounds = 200, .seconds = b->seconds};
  const struct race_lane *failed = race_run(racers, BOTH, &limits);
  if (failed != NULL) bench_die("%s: a call fails: %s", provider_names[failed - racers], why_not());
  for (size_t w = 0; w < BOTH && op == PIPELINE; w++) { /* in ns a text */
    racers[w].best /= N_PIPES;
    racers[w].median /= N_PIPES;
  }
  print_row(b, aead, op, len, racers);
}

static void measure_evp(struct bench *b, enum sl_aead aead, size_t op) {
  for (size_t i = 0; i < b->lens.n; i++) {
    struct lane lanes[BOTH];
    memset(lanes, 0, sizeof lanes);
    if (!is_offered(b, CIPHER, aead, op, b->lens.v[i])) continue;
    for (size_t w = 0; w < BOTH; w++) make_lane(&lanes[w], aead, provider_names[w], op, b->lens.v[i]);
    race(b, aead, op, b->lens.v[i], lanes);
    for (size_t w = 0; w < BOTH; w++) free_lane(&lanes[w]);
  }
}

static void no_progress(void *ctx, size_t n_done) {
  (void)ctx, (void)n_done;
}

/* The suite's hash is what counts: a step gives as much as that has. */
static void measure_schedule(struct bench *b, enum sl_aead aead) {
  struct lane lanes[BOTH];
  size_t len = aead == SL_AES_256_GCM ? 48 : 32;
  if (!is_offered(b, KDF, aead, SCHEDULE, len)) return;
  memset(lanes, 0, sizeof lanes);
  for (size_t w = 0; w < BOTH; w++) {
    lanes[w] = (struct lane){.properties = w == OURS ? "provider=sealane" : "provider=default", .len = len};
    lanes[w].in = bench_alloc(2 * len, 1);
    lanes[w].out = bench_alloc(len, 1);
  }
  race(b, aead, SCHEDULE, len, lanes);
  for (size_t w = 0; w < BOTH; w++) free_lane(&lanes[w]);
}

/* libssl chooses its ciphers when an SSL_CTX is made, by the properties of that moment. */
static void measure_ssl(struct bench *b, enum sl_aead aead) {
  struct identity identities[BOTH];
  struct pairs pairs[BOTH];
  struct wire wires[BOTH];
  static uint8_t memory[2 * TEXT_MAX];
  if (!is_offered(b, CIPHER, aead, WRITE, b->lens.v[0])) return;
  for (size_t w = 0; w < BOTH; w++) {
    if (EVP_set_default_properties(NULL, w == OURS ? "?provider=sealane" : "?provider=default") != 1)
      bench_die("cannot choose a provider: %s", why_not());
    identity_make(&identities[w], aead);
    pairs_init(&pairs[w], &identities[w], aead, 1, 0, no_progress, NULL);
    wires[w] = (struct wire){memory, sizeof memory, 0, 0};
  }
  for (size_t i = 0; i < b->lens.n; i++) {
    struct lane lanes[BOTH];
    memset(lanes, 0, sizeof lanes);
    for (size_t w = 0; w < BOTH; w++) {
      pairs[w].to_client = wires[w];
      lanes[w] = (struct lane){.ssl = pairs[w].pair[0].server, .wire = &pairs[w].to_client, .len = b->lens.v[i]};
      lanes[w].in = bench_alloc(TEXT_MAX, 1);
    }
    race(b, aead, WRITE, b->lens.v[i], lanes);
    for (size_t w = 0; w < BOTH; w++) free(lanes[w].in);
  }
  for (size_t w = 0; w < BOTH; w++) {
    pairs_free(&pairs[w]);
    identity_free(&identities[w]);
  }
  EVP_set_default_properties(NULL, "");
}

static void parse_flags(struct bench *b, int argc, char *argv[]) {
  const struct flag flags[] = {
      {.name = "--doctor",
       .kind = FLAG_SWITCH,
       .arg = "",
       .out = &b->wants_doctor,
       .help = "say which provider OpenSSL takes, and why; status 1 when it is not Sealane's for all"},
      flag_suites(&b->suites, "algorithms, default all"),
      {.name = "--op",
       .arg = "NAME,...",
       .kind = FLAG_CHOICES,
       .out = &b->ops,
       .choices = op_names,
       .help = "what is done, default all"},
      {.name = "--len",
       .arg = "BYTES,...",
       .kind = FLAG_NUMBERS,
       .out = &b->lens,
       .min = 1,
       .max = TEXT_MAX,
       .help = "text lengths, default 64,256,1024,1350,4096,16384"},
      flag_seconds(&b->seconds, "time for each row, default 0.3"),
      {.name = "--module",
       .arg = "FILE",
       .kind = FLAG_TEXT,
       .out = &b->module,
       .help = "the provider, default sealane.so beside this program, else the installed one"},
      flag_json(&b->json_path),
  };
  flags_parse(flags, sizeof flags / sizeof flags[0],
              "Measures OpenSSL with Sealane's provider against OpenSSL's own, by turns, in ns a call.", argc, argv);
}

static int run(int argc, char *argv[]) {
  struct bench b = {.suites = {3, {0, 1, 2}},
                    .ops = {5, {SEAL, OPEN, PIPELINE, WRITE, SCHEDULE}},
                    .lens = {6, {64, 256, 1024, 1350, 4096, 16384}},
                    .seconds = 0.3};
  parse_flags(&b, argc, argv);
  output_open(&b.out, b.json_path);
  int status = 0;
  if (b.wants_doctor) {
    status = doctor(&b);
  } else {
    OSSL_PROVIDER *sealane = OSSL_PROVIDER_load(NULL, module_path(&b)), *standard = OSSL_PROVIDER_load(NULL, "default");
    if (sealane == NULL || standard == NULL) bench_die("%s: %s", module_path(&b), why_not());
    output_print(&b.out, "%s, %s\n\n%-18s %-10s %6s %12s %12s %8s\n", OpenSSL_version(OPENSSL_VERSION),
                 bench_cpu_name(), "suite", "op", "len", "default, ns", "sealane, ns", "ratio");
    for (size_t s = 0; s < b.suites.n; s++) {
      enum sl_aead aead = (enum sl_aead)(b.suites.v[s] + 1);
      for (size_t o = 0; o < b.ops.n; o++) {
        if (b.ops.v[o] == WRITE) {
          measure_ssl(&b, aead);
        } else if (b.ops.v[o] == SCHEDULE) {
          measure_schedule(&b, aead);
        } else {
          measure_evp(&b, aead, b.ops.v[o]);
        }
      }
    }
    OSSL_PROVIDER_unload(sealane);
    OSSL_PROVIDER_unload(standard);
  }
  output_close(&b.out);
  return status;
}

const struct bench_command bench_provider = {
    .name = "provider", .summary = "OpenSSL with Sealane's provider and without; --doctor", .run = run};
