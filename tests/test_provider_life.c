/* test_provider_life.c - the OpenSSL provider among threads, forks, library contexts, reloads and failures: it works, or says
 * why not. */
#include "provider_pair.h"
#include <openssl/kdf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_LEN = 3000, TAG_LEN = 16, KEY_LEN = 32 };

/* ---- memory that runs out ------------------------------------------------------------------------------------ */

/* The provider's own allocations: it says the file they are made in. */
static atomic_uint n_allocations;
static atomic_int n_alive;
static unsigned fail_at; /* the one that fails, from 1; 0: none */

static bool is_own(const char *file) {
  return file != NULL && strstr(file, "provider/provider.c") != NULL;
}
static void *hooked_malloc(size_t len, const char *file, int line) {
  (void)line;
  if (is_own(file) && ++n_allocations == fail_at) return NULL;
  n_alive += is_own(file);
  return malloc(len);
}
static void *hooked_realloc(void *p, size_t len, const char *file, int line) {
  (void)file, (void)line;
  return realloc(p, len);
}
static void hooked_free(void *p, const char *file, int line) {
  (void)line;
  n_alive -= p != NULL && is_own(file);
  free(p);
}

/* ---- what is done everywhere --------------------------------------------------------------------------------- */

/* The same text, sealed in pieces half of which a copy does, and its tag: the same anywhere. */
struct sealed {
  uint8_t text[TEXT_LEN], tag[TAG_LEN];
};

static bool seals(EVP_CIPHER *cipher, struct sealed *out) {
  uint8_t key[32] = {1}, iv[12] = {2};
  int len;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new(), *copy = EVP_CIPHER_CTX_new();
  memset(out, 0, sizeof *out);
  bool ok = EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv) == 1;
  for (int at = 0; ok && at < TEXT_LEN / 2; at += 50) {
    ok = EVP_EncryptUpdate(ctx, out->text + at, &len, out->text + at, 50) == 1;
  }
  ok = ok && EVP_CIPHER_CTX_copy(copy, ctx) == 1;
  for (int at = TEXT_LEN / 2; ok && at < TEXT_LEN; at += 50) {
    ok = EVP_EncryptUpdate(copy, out->text + at, &len, out->text + at, 50) == 1;
  }
  ok = ok && EVP_EncryptFinal_ex(copy, out->tag, &len) == 1;
  ok = ok && EVP_CIPHER_CTX_ctrl(copy, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out->tag) == 1;
  EVP_CIPHER_CTX_free(ctx);
  EVP_CIPHER_CTX_free(copy);
  return ok;
}

static struct sealed want[N_CIPHERS]; /* OpenSSL's */

static bool seals_right(EVP_CIPHER *cipher, size_t i) {
  struct sealed got;
  return seals(cipher, &got) && memcmp(&got, &want[i], sizeof got) == 0;
}

/* An exchange of keys made here: both get the same. */
static bool exchanges(OSSL_LIB_CTX *lib) {
  EVP_PKEY *keys[2] = {EVP_PKEY_Q_keygen(lib, NULL, "X25519"), EVP_PKEY_Q_keygen(lib, NULL, "X25519")};
  uint8_t secrets[2][KEY_LEN] = {{0}};
  bool ok = keys[0] != NULL && keys[1] != NULL;
  for (int i = 0; ok && i < 2; i++) {
    size_t len = KEY_LEN;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(lib, keys[i], NULL);
    ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, keys[1 - i]) == 1 &&
         EVP_PKEY_derive(ctx, secrets[i], &len) == 1;
    EVP_PKEY_CTX_free(ctx);
  }
  EVP_PKEY_free(keys[0]);
  EVP_PKEY_free(keys[1]);
  return ok && memcmp(secrets[0], secrets[1], KEY_LEN) == 0;
}

/* A step of TLS 1.3's key schedule, with a secret longer than TLS has. */
static bool derives(OSSL_LIB_CTX *lib, uint8_t out[KEY_LEN]) {
  uint8_t bytes[100] = {3};
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", (char *)(uintptr_t) "SHA256", 0),
                         OSSL_PARAM_construct_int("mode", &mode),
                         OSSL_PARAM_construct_octet_string("key", bytes, sizeof bytes),
                         OSSL_PARAM_construct_octet_string("label", bytes, 5),
                         OSSL_PARAM_construct_octet_string("data", bytes, KEY_LEN),
                         OSSL_PARAM_construct_end()};
  EVP_KDF *kdf = EVP_KDF_fetch(lib, "TLS13-KDF", NULL);
  EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
  bool ok = ctx != NULL && EVP_KDF_derive(ctx, out, KEY_LEN, params) == 1;
  EVP_KDF_CTX_free(ctx);
  EVP_KDF_free(kdf);
  return ok;
}

static uint8_t want_derived[KEY_LEN];

static bool derives_right(OSSL_LIB_CTX *lib) {
  uint8_t got[KEY_LEN];
  return derives(lib, got) && memcmp(got, want_derived, KEY_LEN) == 0;
}

static bool has_kdf(OSSL_LIB_CTX *lib) {
  EVP_KDF *kdf = EVP_KDF_fetch(lib, "TLS13-KDF", NULL);
  EVP_KDF_free(kdf);
  return kdf != NULL;
}

/* Everything that is offered, in one library context. */
static bool works(OSSL_LIB_CTX *lib) {
  bool ok = !has_kdf(lib) || derives_right(lib);
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(lib, cipher_names[i], NULL);
    if (cipher != NULL) ok = ok && seals_right(cipher, i);
    EVP_CIPHER_free(cipher);
  }
  EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(lib, "X25519", NULL);
  if (keymgmt != NULL) ok = ok && exchanges(lib);
  EVP_KEYMGMT_free(keymgmt);
  ERR_clear_error();
  return ok;
}

static int set_up(void **state) {
  pair_set_up(state);
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(contexts[THEIRS], cipher_names[i], NULL);
    assert_true(seals(cipher, &want[i]));
    EVP_CIPHER_free(cipher);
  }
  assert_true(derives(contexts[THEIRS], want_derived));
  return 0;
}

/* ---- threads, forks, contexts -------------------------------------------------------------------------------- */

static EVP_CIPHER *shared[N_CIPHERS];

/* Algorithms fetched for all; a library context of its own now and then. */
static void *work_often(void *arg) {
  (void)arg;
  for (int n = 0; n < 21; n++) {
    for (size_t i = 0; i < N_CIPHERS; i++) {
      if (shared[i] != NULL && !seals_right(shared[i], i)) return &shared;
    }
    if (n % 10 == 0 && !works(contexts[OURS])) return &shared;
    if (n % 20 == 0) {
      OSSL_PROVIDER *provider;
      OSSL_LIB_CTX *lib = context_with("sealane", &provider);
      bool ok = works(lib);
      OSSL_PROVIDER_unload(provider);
      OSSL_LIB_CTX_free(lib);
      if (!ok) return &shared;
    }
  }
  OPENSSL_thread_stop();
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  enum { N_THREADS = 8 };
  pthread_t threads[N_THREADS];
  for (size_t i = 0; i < N_CIPHERS; i++) shared[i] = fetch_cipher(OURS, cipher_names[i]);
  for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, work_often, NULL), 0);
  for (int i = 0; i < N_THREADS; i++) {
    void *failed;
    assert_int_equal(pthread_join(threads[i], &failed), 0);
    assert_null(failed);
  }
  for (size_t i = 0; i < N_CIPHERS; i++) EVP_CIPHER_free(shared[i]);
}

static void assert_child_succeeds(pid_t child) {
  int status;
  assert_true(child > 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

/* A text begun before goes on in both; what is made at random is not the same in both. */
static void test_fork(void **state) {
  (void)state;
  uint8_t key[32] = {1}, iv[12] = {2}, text[100] = {0}, tags[2][TAG_LEN], made[2][12];
  int len, ends[2];
  EVP_CIPHER *cipher = first_cipher();
  if (cipher == NULL) return;
  bool is_gcm = EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new(), *maker = EVP_CIPHER_CTX_new();
  assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, text, &len, text, 33), 1);
  assert_int_equal(EVP_EncryptInit_ex(maker, cipher, NULL, key, is_gcm ? NULL : iv), 1);
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  int me = child == 0;
  bool ok = EVP_EncryptUpdate(ctx, text, &len, text, 67) == 1 && EVP_EncryptFinal_ex(ctx, text, &len) == 1 &&
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tags[me]) == 1 &&
            EVP_EncryptUpdate(maker, text, &len, text, 16) == 1;
  if (is_gcm) ok = ok && EVP_CIPHER_CTX_get_updated_iv(maker, made[me], 12) == 1;
  ok = ok && works(contexts[OURS]);
  EVP_CIPHER_CTX_free(ctx);
  EVP_CIPHER_CTX_free(maker);
  if (child == 0) {
    ok = ok && write(ends[1], tags[1], TAG_LEN) == TAG_LEN && write(ends[1], made[1], 12) == 12;
    _exit(ok ? 0 : 1);
  }
  assert_true(ok);
  assert_child_succeeds(child);
  assert_int_equal(read(ends[0], tags[1], TAG_LEN), TAG_LEN);
  assert_int_equal(read(ends[0], made[1], 12), 12);
  assert_memory_equal(tags[0], tags[1], TAG_LEN);
  if (is_gcm) assert_memory_not_equal(made[0], made[1], 12);
  close(ends[0]);
  close(ends[1]);
  EVP_CIPHER_free(cipher);
}

/* A cipher holds its provider: what was fetched works on after unloading. Nothing is left behind. */
static void test_reload(void **state) {
  (void)state;
  int before = n_alive;
  for (int i = 0; i < 100; i++) {
    OSSL_PROVIDER *provider;
    OSSL_LIB_CTX *lib = context_with("sealane", &provider);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(lib, cipher_names[0], NULL);
    assert_true(i % 10 > 0 || works(lib));
    ERR_clear_error();
    assert_int_equal(OSSL_PROVIDER_unload(provider), 1);
    if (cipher != NULL) assert_true(seals_right(cipher, 0));
    EVP_CIPHER_free(cipher);
    OSSL_LIB_CTX_free(lib);
    assert_int_equal(n_alive, before);
  }
}

/* Loaded and unloaded in one context, by turns with what is fetched from it. */
static void test_load_again(void **state) {
  (void)state;
  OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();
  assert_int_equal(OSSL_PROVIDER_set_default_search_path(lib, SEALANE_MODULES), 1);
  for (int i = 0; i < 20; i++) {
    OSSL_PROVIDER *first = OSSL_PROVIDER_load(lib, "sealane"), *second = OSSL_PROVIDER_load(lib, "sealane");
    assert_true(first != NULL && second != NULL);
    assert_int_equal(OSSL_PROVIDER_self_test(first), 1);
    assert_int_equal(OSSL_PROVIDER_unload(first), 1);
    assert_true(works(lib));
    assert_int_equal(OSSL_PROVIDER_unload(second), 1);
    assert_int_equal(OSSL_PROVIDER_available(lib, "sealane"), 0);
  }
  OSSL_LIB_CTX_free(lib);
}

/* Libcrypto's own end, with the provider loaded into the context it has by itself and things of it in use. */
static void test_cleanup(void **state) {
  (void)state;
  static EVP_CIPHER_CTX *left[2];
  for (int how = 0; how < 3; how++) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
      uint8_t key[32] = {1}, iv[12] = {2};
      OSSL_PROVIDER_set_default_search_path(NULL, SEALANE_MODULES);
      OSSL_PROVIDER *provider = OSSL_PROVIDER_load(NULL, "sealane");
      EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, cipher_names[0], "provider=sealane");
      left[0] = EVP_CIPHER_CTX_new();
      if (provider == NULL) _exit(1);
      if (cipher != NULL && EVP_EncryptInit_ex(left[0], cipher, NULL, key, iv) != 1) _exit(2);
      EVP_CIPHER_free(cipher);
      if (how == 0) { /* in order */
        EVP_CIPHER_CTX_free(left[0]);
        OSSL_PROVIDER_unload(provider);
      }
      if (how == 1) { /* in the wrong one */
        OSSL_PROVIDER_unload(provider);
        EVP_CIPHER_CTX_free(left[0]);
      }
      OPENSSL_cleanup(); /* how == 2: everything is left */
      _exit(0);
    }
    assert_child_succeeds(child);
  }
}

/* ---- failures ------------------------------------------------------------------------------------------------ */

/* Each allocation of the provider fails once: the call says so, or did not need it; nothing is wrong, nothing leaks. */
static void test_no_memory(void **state) {
  (void)state;
  unsigned n = 0;
  int before = n_alive;
  bool ended = false;
  for (fail_at = 0; !ended; fail_at = ++n) {
    n_allocations = 0;
    OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();
    assert_int_equal(OSSL_PROVIDER_set_default_search_path(lib, SEALANE_MODULES), 1);
    OSSL_PROVIDER *provider = OSSL_PROVIDER_load(lib, "sealane");
    bool ok = provider != NULL, reached;
    for (size_t i = 0; ok && i < N_CIPHERS; i++) {
      struct sealed got;
      EVP_CIPHER *cipher = EVP_CIPHER_fetch(lib, cipher_names[i], NULL);
      if (cipher == NULL) continue;
      ok = seals(cipher, &got);
      if (ok) assert_memory_equal(&got, &want[i], sizeof got);
      EVP_CIPHER_free(cipher);
    }
    ERR_clear_error();
    EVP_KEYMGMT *keymgmt = ok ? EVP_KEYMGMT_fetch(lib, "X25519", NULL) : NULL;
    if (keymgmt != NULL) ok = exchanges(lib);
    EVP_KEYMGMT_free(keymgmt);
    if (ok && has_kdf(lib)) ok = derives_right(lib);
    reached = fail_at > 0 && n_allocations >= fail_at;
    if (reached) assert_false(ok);
    if (fail_at > 0 && !reached) ended = true;
    if (!reached) assert_true(ok);
    ERR_clear_error();
    if (provider != NULL) OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(lib);
    assert_int_equal(n_alive, before);
  }
  fail_at = 0;
  assert_true(n > 5);
}

/* The text that a failed load leaves, all of it. */
static void load_errors(char *out, size_t cap) {
  const char *data;
  int flags;
  unsigned long e;
  out[0] = '\0';
  while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
    const char *reason = ERR_reason_error_string(e);
    size_t n = strlen(out);
    snprintf(out + n, cap - n, "%s: %s; ", reason != NULL ? reason : "", (flags & ERR_TXT_STRING) != 0 ? data : "");
  }
}

static const char *own_path;

/* Loads `name` from a directory in a child, whose environment a test may change; returns whether it can be loaded and works.
 * What it says goes to *why. */
static bool loads_in_child(const char *dir, const char *name, const char *variable, const char *value, char *why,
                           size_t cap) {
  int ends[2], status;
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    char out[20];
    snprintf(out, sizeof out, "%d", ends[1]);
    if (variable != NULL) setenv(variable, value, 1);
    execl(own_path, own_path, "--load", dir, name, out, (char *)NULL);
    _exit(99);
  }
  close(ends[1]);
  size_t n = 0;
  for (ssize_t got; (got = read(ends[0], why + n, cap - 1 - n)) > 0;) n += (size_t)got;
  why[n] = '\0';
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFEXITED(status)) fail_msg("loading %s from %s ends with signal %d", name, dir, WTERMSIG(status));
  assert_in_range(WEXITSTATUS(status), 0, 1);
  return WEXITSTATUS(status) == 0;
}

/* The child: 0 when the module was loaded and what it offers works, 1 when it was not loaded. */
static int load_here(const char *dir, const char *name, int out) {
  char why[2000];
  OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();
  OSSL_PROVIDER_set_default_search_path(lib, dir);
  OSSL_PROVIDER *provider = OSSL_PROVIDER_load(lib, name);
  OSSL_PROVIDER *standard = OSSL_PROVIDER_load(lib, "default");
  if (provider == NULL) load_errors(why, sizeof why);
  EVP_set_default_properties(lib, "?provider=sealane");
  for (size_t i = 0; i < N_CIPHERS; i++) { /* with the module or without */
    struct sealed got;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(lib, cipher_names[i], NULL);
    EVP_CIPHER *default_cipher = EVP_CIPHER_fetch(lib, cipher_names[i], "provider=default");
    if (cipher == NULL || !seals(default_cipher, &want[i]) || !seals(cipher, &got)) return 2;
    if (memcmp(&got, &want[i], sizeof got) != 0) return 3;
    if (provider != NULL) {
      snprintf(why, sizeof why, "%s", OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher)));
    }
    EVP_CIPHER_free(cipher);
    EVP_CIPHER_free(default_cipher);
  }
  if (!exchanges(lib)) return 4;
  if (write(out, why, strlen(why)) != (ssize_t)strlen(why)) return 5;
  if (provider != NULL) OSSL_PROVIDER_unload(provider);
  OSSL_PROVIDER_unload(standard);
  OSSL_LIB_CTX_free(lib);
  return provider != NULL ? 0 : 1;
}

static void assert_says(const char *why, const char *what) {
  if (strstr(why, what) == NULL) fail_msg("does not say \"%s\" but \"%s\"", what, why);
}

/* Copies dir/sealane.so to another, cut to `len` bytes and with a byte changed where one is wanted. */
static void write_module(const char *path, size_t len, size_t changed_at) {
  FILE *from = fopen(SEALANE_MODULES "/sealane.so", "rb"), *to = fopen(path, "wb");
  assert_true(from != NULL && to != NULL);
  for (size_t i = 0; i < len; i++) {
    int byte = fgetc(from);
    if (byte == EOF) break;
    fputc(i == changed_at ? byte ^ 0xff : byte, to);
  }
  fclose(from);
  assert_int_equal(fclose(to), 0);
}

/* A module that is missing, empty, cut within its headers, or no module at all. */
static void test_bad_module(void **state) {
  (void)state;
  char dir[] = "/tmp/sealane-module-XXXXXX", path[100], why[2000];
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/sealane.so", dir);
  assert_false(loads_in_child(dir, "sealane", NULL, NULL, why, sizeof why));
  assert_says(why, path);
  static const size_t lens[] = {0, 1, 40, 63, 64, 100, 400};
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
    write_module(path, lens[i], SIZE_MAX);
    assert_false(loads_in_child(dir, "sealane", NULL, NULL, why, sizeof why));
    assert_says(why, path);
  }
  for (size_t at = 0; at < 20; at++) { /* what makes it an ELF file of this machine */
    if (at >= 7 && at < 16) continue;  /* the ABI's version, and padding */
    write_module(path, SIZE_MAX, at);
    assert_false(loads_in_child(dir, "sealane", NULL, NULL, why, sizeof why));
    assert_says(why, path);
  }
  write_module(path, SIZE_MAX, SIZE_MAX);
  assert_true(loads_in_child(dir, "sealane", NULL, NULL, why, sizeof why));
  unlink(path);
  rmdir(dir);
}

/* Kernels and features that do not exist are said by name; a CPU without anything fast leaves the default provider at work. */
static void test_bad_environment(void **state) {
  (void)state;
  char why[2000];
  assert_false(loads_in_child(SEALANE_MODULES, "sealane", "SEALANE_KERNELS", "gcm_quantum", why, sizeof why));
  assert_says(why, "SEALANE_KERNELS: unknown kernel \"gcm_quantum\"");
  assert_false(loads_in_child(SEALANE_MODULES, "sealane", "SEALANE_CPU_OFF", "flux", why, sizeof why));
  assert_says(why, "flux");

  char *forced = strdup(getenv("SEALANE_KERNELS"));
  unsetenv("SEALANE_KERNELS");
  bool loaded = loads_in_child(SEALANE_MODULES, "sealane", "SEALANE_CPU_OFF", "ssse3,bmi2,asimd", why, sizeof why);
  setenv("SEALANE_KERNELS", forced, 1);
  free(forced);
  assert_true(loaded);
  assert_string_equal(why, "default");
}

int main(int argc, char *argv[]) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_threads),    cmocka_unit_test(test_fork),
      cmocka_unit_test(test_reload),     cmocka_unit_test(test_load_again),
      cmocka_unit_test(test_cleanup),    cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_bad_module), cmocka_unit_test(test_bad_environment),
  };
  if (argc == 5 && strcmp(argv[1], "--load") == 0) return load_here(argv[2], argv[3], atoi(argv[4]));
  own_path = argv[0];
  CRYPTO_set_mem_functions(hooked_malloc, hooked_realloc, hooked_free);
  force_what_there_is();
  return cmocka_run_group_tests(tests, set_up, pair_tear_down);
}
