/* test_config.c - configurations: files and their sentences, choosing a certificate by name and scheme, suites, protocols,
 * references counted by many threads, random bytes from a system that interrupts. */
#define _GNU_SOURCE /* mkdtemp, syscall */

#include "made_certs.h"
#include "unit.h"
#include <engine/bytes.h>
#include <errno.h>
#include <fcntl.h>
#include <handshake/config.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- a system call that misbehaves on request ------------------------------------------------------------------ */

/* getrandom(2) of this whole program: as the kernel's, or with the answers that its manual page allows. */
static struct {
  bool rude; /* interrupted every other call, and then at most 7 bytes */
  int error; /* every call fails with it */
  unsigned n_calls;
} system_random;

ssize_t getrandom(void *out, size_t len, unsigned flags);
ssize_t getrandom(void *out, size_t len, unsigned flags) {
  unsigned n = system_random.n_calls++;
  if (system_random.error != 0) {
    errno = system_random.error;
    return -1;
  }
  if (system_random.rude && n % 2 == 0) {
    errno = EINTR;
    return -1;
  }
  if (system_random.rude && len > 7) len = 7;
  return syscall(SYS_getrandom, out, len, flags);
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static char folder[64];

/* A path in the test's folder; good until the fourth call after it. */
static const char *at(const char *name) {
  static char paths[4][128];
  static unsigned n;
  char *path = paths[n++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static const char *write_file(const char *name, const void *bytes, size_t len) {
  const char *path = at(name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, len, f), len);
  assert_int_equal(fclose(f), 0);
  return path;
}

static const char *write_text(const char *name, const char *text) {
  return write_file(name, text, strlen(text));
}

static struct sl_config *config_new(void) {
  struct sl_config *config;
  assert_int_equal(sl_config_new(&config), SL_OK);
  assert_string_equal(sl_config_why(config), "");
  return config;
}

/* A certificate with its key in a new configuration of its own, or in `config`. */
static void add_made(struct sl_config *config, const char *kind, const char *names) {
  const struct cert_wishes wishes = {.names = names};
  EVP_PKEY *key = make_key(kind);
  X509 *cert = make_cert(key, &wishes);
  char *key_pem = pem_of_key(key), *cert_pem = pem_of_cert(cert);
  assert_int_equal(sl_config_add_cert_pem(config, cert_pem, strlen(cert_pem), key_pem, strlen(key_pem)), SL_OK);
  free(key_pem);
  free(cert_pem);
  X509_free(cert);
  EVP_PKEY_free(key);
}

static void refuse_files(const char *chain, const char *key, sl_err err, const char *sentence) {
  struct sl_config *config = config_new();
  assert_string_equal(sl_err_name(sl_config_add_cert_files(config, chain, key)), sl_err_name(err));
  if (strstr(sl_config_why(config), sentence) == NULL)
    fail_msg("\"%s\" should say \"%s\"", sl_config_why(config), sentence);
  assert_null(config->credentials);
  sl_config_free(config);
}

static int make_folder(void **state) {
  EVP_PKEY *key = make_key("EC:P-256"), *other = make_key("EC:P-256");
  X509 *cert = make_cert(key, NULL);
  char *key_pem = pem_of_key(key), *other_pem = pem_of_key(other), *cert_pem = pem_of_cert(cert);
  char *both = concat(key_pem, cert_pem, NULL);
  (void)state;
  const char *tmp = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%.40s/sl_config.XXXXXX", tmp ? tmp : "/tmp");
  assert_non_null(mkdtemp(folder));
  write_text("cert.pem", cert_pem);
  write_text("key.pem", key_pem);
  write_text("other.pem", other_pem);
  write_text("both.pem", both);
  free(both);
  free(key_pem);
  free(other_pem);
  free(cert_pem);
  X509_free(cert);
  EVP_PKEY_free(key);
  EVP_PKEY_free(other);
  return 0;
}

static int remove_folder(void **state) {
  char command[128];
  (void)state;
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command);
}

static void files_are_read(void **state) {
  (void)state;
  struct sl_config *config = config_new();
  assert_int_equal(sl_config_add_cert_files(config, at("cert.pem"), at("key.pem")), SL_OK);
  assert_int_equal(sl_config_add_cert_files(config, at("both.pem"), at("both.pem")), SL_OK);
  assert_int_equal(symlink("cert.pem", at("link.pem")), 0);
  assert_int_equal(sl_config_add_cert_files(config, at("link.pem"), at("both.pem")), SL_OK);
  assert_non_null(config->credentials->next->next);
  assert_null(config->credentials->next->next->next);
  assert_string_equal(sl_config_why(config), "");
  sl_config_free(config);
}

static void files_that_cannot_be_read(void **state) {
  (void)state;
  char text[128];
  snprintf(text, sizeof text, "%s: No such file or directory", at("absent.pem"));
  refuse_files(at("absent.pem"), at("key.pem"), SL_E_FILE, text);
  refuse_files(at("cert.pem"), at("absent.pem"), SL_E_FILE, text);
  snprintf(text, sizeof text, "%s: a folder, not a file", folder);
  refuse_files(folder, at("key.pem"), SL_E_FILE, text);
  refuse_files("", at("key.pem"), SL_E_FILE, ": No such file or directory");
  snprintf(text, sizeof text, "%s: Not a directory", at("cert.pem/x"));
  refuse_files(at("cert.pem/x"), at("key.pem"), SL_E_FILE, text);
  refuse_files(NULL, at("key.pem"), SL_E_ARG, "a chain and a key file are needed");
  refuse_files(at("cert.pem"), NULL, SL_E_ARG, "a chain and a key file are needed");
}

static void unreadable_file(void **state) {
  (void)state;
  char text[128];
  write_text("secret.pem", "x");
  assert_int_equal(chmod(at("secret.pem"), 0), 0);
  bool is_root = geteuid() == 0; /* root may read any file: be somebody else meanwhile */
  if (is_root && (chmod(folder, 0755) != 0 || seteuid(65534) != 0)) {
    print_message("n/a: root may read any file and cannot be somebody else here: %s\n", strerror(errno));
    return;
  }
  snprintf(text, sizeof text, "%s: Permission denied", at("secret.pem"));
  refuse_files(at("cert.pem"), at("secret.pem"), SL_E_FILE, text);
  refuse_files(at("secret.pem"), at("key.pem"), SL_E_FILE, text);
  if (is_root) assert_int_equal(seteuid(0), 0);
}

/* A pipe nobody writes to and a device without an end must not hang a server's start. */
static void pipes_and_devices_do_not_hang(void **state) {
  (void)state;
  assert_int_equal(mkfifo(at("pipe.pem"), 0600), 0);
  alarm(20);
  refuse_files(at("pipe.pem"), at("key.pem"), SL_E_FILE, "pipe.pem: a device or pipe, not a file");
  refuse_files(at("cert.pem"), at("pipe.pem"), SL_E_FILE, "pipe.pem: a device or pipe, not a file");
  refuse_files("/dev/zero", at("key.pem"), SL_E_FILE, "/dev/zero: a device or pipe, not a file");
  alarm(0);
}

static void files_of_odd_content(void **state) {
  (void)state;
  size_t len = SL_PEM_FILE_MAX + 1;
  uint8_t *bytes = malloc(len);
  memset(bytes, '\n', len);
  write_file("empty.pem", bytes, 0);
  write_file("huge.pem", bytes, len);
  write_file("blank.pem", bytes, SL_PEM_FILE_MAX);
  for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)(i * i >> 3);
  write_file("binary.pem", bytes, 100000);
  free(bytes);
  refuse_files(at("empty.pem"), at("key.pem"), SL_E_PEM, "empty.pem: it is empty");
  refuse_files(at("cert.pem"), at("empty.pem"), SL_E_PEM, "empty.pem: it is empty");
  refuse_files(at("huge.pem"), at("key.pem"), SL_E_FILE, "huge.pem: larger than the 1048576 bytes a PEM file may have");
  refuse_files(at("cert.pem"), at("huge.pem"), SL_E_FILE, "huge.pem: larger than the");
  refuse_files(at("blank.pem"), at("key.pem"), SL_E_PEM, "blank.pem: not PEM");
  refuse_files(at("binary.pem"), at("key.pem"), SL_E_PEM, "binary.pem: not PEM");
  refuse_files(at("cert.pem"), at("binary.pem"), SL_E_PEM, "binary.pem: not PEM");
  refuse_files(at("key.pem"), at("cert.pem"), SL_E_PEM,
               "key.pem: no certificate in it, its first PEM block is \"PRIVATE KEY\"");
}

/* Also those that lie about their size: the kernel's files say 0 and hold text. */
static void files_that_grow(void **state) {
  (void)state;
  if (access("/proc/self/status", R_OK) != 0) {
    print_message("n/a: no /proc here, whose files are longer than they say\n");
    return;
  }
  refuse_files("/proc/self/status", at("key.pem"), SL_E_FILE, "/proc/self/status: it changes while it is read");
}

static void mismatch_names_both_files(void **state) {
  (void)state;
  char text[256];
  snprintf(text, sizeof text, "%s: the private key does not belong to the certificate in %s", at("other.pem"),
           at("cert.pem"));
  refuse_files(at("cert.pem"), at("other.pem"), SL_E_CERT_MISMATCH, text);
}

static void long_and_odd_paths_are_shown(void **state) {
  (void)state;
  char path[4000];
  memset(path, 'x', sizeof path);
  strcpy(path + sizeof path - 14, "/key\033[31m.pem");
  struct sl_config *config = config_new();
  assert_int_equal(sl_config_add_cert_files(config, path, path), SL_E_FILE);
  assert_int_equal(strncmp(sl_config_why(config), "...xxx", 6), 0);
  assert_non_null(strstr(sl_config_why(config), "/key?[31m.pem: File name too long"));
  for (size_t i = 0; i < 3; i++) { /* cut between characters of UTF-8, wherever the cut falls */
    memset(path, 0, sizeof path);
    memset(path, 'x', i);
    for (size_t n = i; n < 300; n += 3) memcpy(path + n, "\xe2\x82\xac", 3);
    assert_int_equal(sl_config_add_cert_files(config, path, path), SL_E_FILE);
    assert_int_equal(strncmp(sl_config_why(config), "...\xe2\x82\xac", 6), 0);
  }
  sl_config_free(config);
}

/* ---- memory and signers ---------------------------------------------------------------------------------------- */

static sl_err no_sign(void *ctx, struct sl_conn *conn, uint16_t scheme, const uint8_t *tbs, size_t tbs_len,
                      uint8_t *sig, size_t sig_cap, size_t *sig_len) {
  (void)ctx, (void)conn, (void)scheme, (void)tbs, (void)tbs_len, (void)sig, (void)sig_cap, (void)sig_len;
  return SL_E_PENDING;
}

static void memory_is_read(void **state) {
  (void)state;
  struct sl_config *config = config_new();
  add_made(config, "ED25519", NULL);
  EVP_PKEY *key = make_key("EC:P-384");
  X509 *cert = make_cert(key, NULL);
  char *cert_pem = pem_of_cert(cert);
  size_t len = strlen(cert_pem);
  assert_int_equal(sl_config_add_cert_signer(config, cert_pem, len, no_sign, NULL), SL_OK);
  assert_int_equal(config->credentials->next->schemes[0], SL_SCHEME_ECDSA_SECP384R1_SHA384);
  assert_string_equal(sl_config_why(config), "");

  assert_int_equal(sl_config_add_cert_signer(config, cert_pem, len, NULL, NULL), SL_E_ARG);
  assert_string_equal(sl_config_why(config), "a signer is needed");
  assert_int_equal(sl_config_add_cert_signer(config, NULL, 0, no_sign, NULL), SL_E_ARG);
  assert_string_equal(sl_config_why(config), "certificate chain: none is given");
  assert_int_equal(sl_config_add_cert_signer(config, "x", 1, no_sign, NULL), SL_E_PEM);
  assert_string_equal(sl_config_why(config), "certificate chain: not PEM, no \"-----BEGIN\" line in it");
  assert_int_equal(sl_config_add_cert_pem(config, cert_pem, len, NULL, 0), SL_E_ARG);
  assert_string_equal(sl_config_why(config), "private key: none is given");
  assert_int_equal(sl_config_add_cert_pem(config, cert_pem, len, "", 0), SL_E_PEM);
  assert_string_equal(sl_config_why(config), "private key: it is empty");
  assert_int_equal(sl_config_add_cert_pem(config, cert_pem, (size_t)SL_PEM_FILE_MAX + 1, cert_pem, len), SL_E_LENGTH);
  assert_string_equal(sl_config_why(config), "certificate chain: larger than the 1048576 bytes a PEM text may have");
  assert_int_equal(sl_config_add_cert_pem(config, cert_pem, len, cert_pem, SIZE_MAX), SL_E_LENGTH);
  assert_null(config->credentials->next->next); /* none of these left anything */
  free(cert_pem);
  X509_free(cert);
  EVP_PKEY_free(key);
  sl_config_free(config);
}

/* ---- choosing a certificate ------------------------------------------------------------------------------------ */

static void certificates_are_chosen(void **state) {
  (void)state;
  enum { P256 = 0x0403, P384 = 0x0503, PSS256 = 0x0804, PSS384 = 0x0805, PSS512 = 0x0806, ED = 0x0807 };
  static const char *const made[][2] = {
      {"EC:P-256", "DNS:a.example,DNS:*.wild.example"},  /* 0 */
      {"RSA:2048", "DNS:a.example,DNS:b.example"},       /* 1 */
      {"ED25519", "DNS:c.example,DNS:one.wild.example"}, /* 2 */
      {"EC:P-256", "DNS:b.example"},                     /* 3 */
  };
  static const struct {
    const char *name;
    uint16_t schemes[8];
    int which; /* -1: none */
    uint16_t scheme;
  } cases[] = {
      /* the name decides among what the client can verify */
      {"a.example", {P256, PSS256, ED}, 0, P256},
      {"A.EXAMPLE", {P256, PSS256, ED}, 0, P256},
      {"b.example", {P256, PSS256, ED}, 1, PSS256},
      {"c.example", {P256, PSS256, ED}, 2, ED},
      {"two.wild.example", {P256, PSS256, ED}, 0, P256},
      {"one.wild.example", {P256, PSS256, ED}, 0, P256}, /* two certify it: the first added */
      {"one.wild.example", {PSS256, ED}, 2, ED},
      {"a.example", {PSS256, ED}, 1, PSS256},
      {"b.example", {P256, ED}, 3, P256},
      /* a name nobody certifies, none at all: the first that shares a scheme */
      {"z.example", {P256, PSS256, ED}, 0, P256},
      {"x.y.wild.example", {PSS256, ED}, 1, PSS256},
      {"", {ED, PSS256, P256}, 0, P256},
      {"", {ED}, 2, ED},
      {"c.example", {PSS256}, 1, PSS256}, /* certified, but not verifiable for this client */
      /* the scheme is by the key's preference, whatever the client's order */
      {"b.example", {PSS512, PSS384, PSS256}, 1, PSS256},
      {"b.example", {0x0a0a, PSS512, 0x0401, PSS384}, 1, PSS384},
      {"b.example", {PSS512}, 1, PSS512},
      /* nothing in common */
      {"a.example", {P384, 0x0401, 0x0603}, -1, 0},
      {"a.example", {0}, -1, 0},
      {"", {0x0809, 0x0203}, -1, 0},
  };
  struct sl_config *config = config_new();
  for (size_t i = 0; i < 4; i++) add_made(config, made[i][0], made[i][1]);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t n = 0;
    uint16_t scheme = 0;
    while (cases[i].schemes[n] != 0) n++;
    const struct sl_credential *chosen = sl_config_credential(config, cases[i].name, cases[i].schemes, n, &scheme);
    const struct sl_credential *expected = cases[i].which < 0 ? NULL : config->credentials;
    for (int k = 0; k < cases[i].which; k++) expected = expected->next;
    if (chosen != expected || scheme != cases[i].scheme)
      fail_msg("case %zu (%s): scheme %04x, %s certificate", i, cases[i].name, scheme,
               chosen == expected ? "the right" : "another");
  }
  sl_config_free(config);
}

static void one_certificate_serves_every_name(void **state) {
  (void)state;
  static const uint16_t schemes[] = {0x0a0a, 0x0403};
  struct sl_config *config = config_new();
  uint16_t scheme = 0;
  assert_null(sl_config_credential(config, "a.example", schemes, 2, &scheme));
  assert_int_equal(scheme, 0);
  add_made(config, "EC:P-256", "DNS:a.example");
  assert_ptr_equal(sl_config_credential(config, "z.example", schemes, 2, &scheme), config->credentials);
  assert_int_equal(scheme, 0x0403);
  assert_null(sl_config_credential(config, "a.example", schemes, 1, &scheme));
  sl_config_free(config);
}

/* ---- suites and protocols -------------------------------------------------------------------------------------- */

static void suites_are_set_by_name(void **state) {
  (void)state;
  static const struct {
    const char *names;
    size_t n;
    uint16_t suites[SL_SUITES_MAX];
  } good[] = {
      {"TLS_CHACHA20_POLY1305_SHA256", 1, {0x1303}},
      {"TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", 2, {0x1302, 0x1301}},
      {"chacha20-poly1305:aes-256-gcm:aes-128-gcm", 3, {0x1303, 0x1302, 0x1301}},
      {"AES-128-GCM:tls_aes_256_gcm_sha384", 2, {0x1301, 0x1302}},
  };
  static const struct {
    const char *names, *sentence;
  } bad[] = {
      {NULL, "no cipher suite is named"},
      {"", "no cipher suite is named"},
      {":", "unknown cipher suite \"\"; there are TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384 and "
            "TLS_CHACHA20_POLY1305_SHA256"},
      {"aes-128-gcm:", "unknown cipher suite \"\";"},
      {":aes-128-gcm", "unknown cipher suite \"\";"},
      {"aes-128-gcm::aes-256-gcm", "unknown cipher suite \"\";"},
      {"aes-128", "unknown cipher suite \"aes-128\";"},
      {"aes-128-gcm,aes-256-gcm", "unknown cipher suite \"aes-128-gcm,aes-256-gcm\";"},
      {"aes-128-gcm:TLS_AES_128_CCM_SHA256", "unknown cipher suite \"TLS_AES_128_CCM_SHA256\";"},
      {"aes-128-gcm:TLS_AES_128_GCM_SHA256", "cipher suite \"TLS_AES_128_GCM_SHA256\" is named twice"},
      {"aes-128-gcm:aes-256-gcm:chacha20-poly1305:aes-256-gcm", "cipher suite \"aes-256-gcm\" is named twice"},
  };
  struct sl_config *config = config_new();
  static const uint16_t all[] = {0x1301, 0x1302, 0x1303};
  assert_int_equal(config->n_suites, 3);
  assert_memory_equal(config->suites, all, sizeof all);
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_int_equal(sl_config_set_suites(config, good[i].names), SL_OK);
    assert_int_equal(config->n_suites, good[i].n);
    assert_memory_equal(config->suites, good[i].suites, good[i].n * sizeof(uint16_t));
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(sl_config_set_suites(config, bad[i].names), SL_E_ARG);
    assert_int_equal(strncmp(sl_config_why(config), bad[i].sentence, strlen(bad[i].sentence)), 0);
    assert_int_equal(config->n_suites, 2); /* as the last good call left it */
    assert_int_equal(config->suites[0], 0x1301);
  }
  char long_name[5000];
  memset(long_name, 'y', sizeof long_name);
  long_name[sizeof long_name - 1] = 0;
  assert_int_equal(sl_config_set_suites(config, long_name), SL_E_ARG);
  assert_non_null(strstr(sl_config_why(config), "y\"; there are TLS_AES_128_GCM_SHA256"));
  sl_config_free(config);
  assert_string_equal(sl_suite_name(0x1302), "TLS_AES_256_GCM_SHA384");
  assert_string_equal(sl_suite_name(0x1304), "");
}

static void protocols_are_set(void **state) {
  (void)state;
  struct sl_config *config = config_new();
  char longest[256], too_long[257];
  memset(longest, 'p', 255);
  memset(too_long, 'p', 256);
  longest[255] = too_long[256] = 0;
  const char *const two[] = {"h2", "http/1.1"}, *const edge[] = {longest}, *const over[] = {"h2", too_long};
  const char *const empty[] = {"h2", ""}, *const null[] = {NULL};
  assert_int_equal(sl_config_set_alpn(config, two, 2), SL_OK);
  assert_int_equal(config->alpn_len, 12);
  assert_memory_equal(config->alpn, "\2h2\10http/1.1", 12);
  assert_int_equal(sl_config_set_alpn(config, over, 2), SL_E_ARG);
  assert_string_equal(sl_config_why(config), "ALPN protocol 2 has 256 bytes; 1 to 255 are possible");
  assert_int_equal(sl_config_set_alpn(config, empty, 2), SL_E_ARG);
  assert_string_equal(sl_config_why(config), "ALPN protocol 2 has 0 bytes; 1 to 255 are possible");
  assert_int_equal(sl_config_set_alpn(config, null, 1), SL_E_ARG);
  assert_memory_equal(config->alpn, "\2h2\10http/1.1", 12);
  assert_int_equal(sl_config_set_alpn(config, edge, 1), SL_OK);
  assert_int_equal(config->alpn_len, 256);
  assert_int_equal(config->alpn[0], 255);

  const char *many[257];
  for (size_t i = 0; i < 257; i++) many[i] = longest;
  many[255] = "12345678901234567890123456789012345678901234567890"; /* 255 * 256 + 51 fit */
  assert_int_equal(sl_config_set_alpn(config, many, 256), SL_OK);
  assert_int_equal(config->alpn_len, 255 * 256 + 51);
  assert_int_equal(sl_config_set_alpn(config, many, 257), SL_E_ARG);
  assert_string_equal(sl_config_why(config), "the ALPN protocols are over 65535 bytes together");
  assert_int_equal(sl_config_set_alpn(config, NULL, 0), SL_OK);
  assert_int_equal(config->alpn_len, 0);
  assert_null(config->alpn);
  sl_config_free(config);
}

/* ---- sharing --------------------------------------------------------------------------------------------------- */

static void shared_configurations_do_not_change(void **state) {
  (void)state;
  struct sl_config *config = config_new();
  const char *const protocols[] = {"h2"};
  add_made(config, "EC:P-256", NULL);
  assert_ptr_equal(sl_config_ref(config), config);
  assert_int_equal(sl_config_add_cert_files(config, at("cert.pem"), at("key.pem")), SL_E_STATE);
  assert_int_equal(sl_config_add_cert_pem(config, "", 0, "", 0), SL_E_STATE);
  assert_int_equal(sl_config_add_cert_signer(config, "", 0, no_sign, NULL), SL_E_STATE);
  assert_int_equal(sl_config_set_suites(config, "aes-128-gcm"), SL_E_STATE);
  assert_int_equal(sl_config_set_alpn(config, protocols, 1), SL_E_STATE);
  assert_int_equal(config->n_suites, 3);
  assert_null(config->alpn);
  assert_null(config->credentials->next);
  sl_config_free(config);
  assert_int_equal(sl_config_set_alpn(config, protocols, 1), SL_OK); /* the only owner again */
  sl_config_free(config);
  sl_config_free(NULL);
}

static void *take_and_drop(void *arg) {
  struct sl_config *config = arg;
  static const uint16_t schemes[] = {0x0403};
  for (int i = 0; i < 5000; i++) {
    uint16_t scheme;
    sl_config_ref(config);
    if (sl_config_credential(config, "", schemes, 1, &scheme) == NULL) return config;
    sl_config_free(config);
  }
  sl_config_free(config); /* the thread's own; the last of them erases */
  return NULL;
}

static void references_are_counted_across_threads(void **state) {
  (void)state;
  struct sl_config *config = config_new();
  pthread_t ids[4];
  add_made(config, "EC:P-256", NULL);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&ids[i], NULL, take_and_drop, sl_config_ref(config)), 0);
  sl_config_free(config);
  for (size_t i = 0; i < 4; i++) {
    void *failed;
    assert_int_equal(pthread_join(ids[i], &failed), 0);
    assert_null(failed);
  }
}

/* ---- randomness ------------------------------------------------------------------------------------------------ */

static bool is_zero(const uint8_t *p, size_t len) {
  static const uint8_t zeros[1000];
  return memcmp(p, zeros, len) == 0;
}

static void random_bytes_come_from_the_system(void **state) {
  (void)state;
  struct sl_config *config = config_new();
  uint8_t a[1000] = {0}, b[1000] = {0};
  assert_int_equal(sl_config_random(config, a, sizeof a), SL_OK);
  system_random.rude = true;
  system_random.n_calls = 0;
  assert_int_equal(sl_config_random(config, b, sizeof b - 1), SL_OK);
  system_random.rude = false;
  assert_int_equal(system_random.n_calls, 2 * 143); /* 999 bytes by 7, each after an interruption */
  assert_int_equal(b[999], 0);
  /* no stretch of 16 bytes is zero or as in the other: each happens by chance once in 2^121 runs */
  for (size_t i = 0; i + 16 < sizeof a; i += 16) {
    assert_false(is_zero(a + i, 16) || is_zero(b + i, 16));
    assert_memory_not_equal(a + i, b + i, 16);
  }
  memset(b, 1, sizeof b);
  system_random.error = ENOSYS;
  sl_err err = sl_config_random(config, b, sizeof b);
  system_random.error = 0;
  assert_int_equal(err, SL_E_RANDOM);
  assert_true(is_zero(b, sizeof b));
  assert_int_equal(sl_config_random(config, NULL, 0), SL_OK);
  sl_config_free(config);
}

static sl_err count_up(void *ctx, uint8_t *out, size_t len) {
  uint8_t *next = ctx;
  for (size_t i = 0; i < len; i++) out[i] = (*next)++;
  return *next > 100 ? SL_E_ARG : SL_OK;
}

static void random_bytes_can_be_the_applications(void **state) {
  (void)state;
  struct sl_config *config = config_new();
  uint8_t next = 1, out[60];
  sl_config_set_random(config, count_up, &next);
  assert_int_equal(sl_config_random(config, out, 3), SL_OK);
  assert_memory_equal(out, "\1\2\3", 3);
  next = 90;
  assert_int_equal(sl_config_random(config, out, sizeof out), SL_E_RANDOM); /* whatever it says, it is this */
  assert_true(is_zero(out, sizeof out));
  sl_config_set_random(config, NULL, NULL);
  assert_int_equal(sl_config_random(config, out, sizeof out), SL_OK);
  assert_false(is_zero(out, sizeof out));
  sl_config_free(config);
}

static void keep_line(void *ctx, const char *line) {
  *(const char **)ctx = line;
}

static void keylog_is_kept(void **state) {
  (void)state;
  struct sl_config *config = config_new();
  const char *line = NULL;
  assert_null(config->keylog); /* secrets leave only when asked */
  sl_config_set_keylog(config, keep_line, &line);
  config->keylog(config->keylog_ctx, "CLIENT_RANDOM");
  assert_string_equal(line, "CLIENT_RANDOM");
  sl_config_free(config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_are_read),
      cmocka_unit_test(files_that_cannot_be_read),
      cmocka_unit_test(unreadable_file),
      cmocka_unit_test(pipes_and_devices_do_not_hang),
      cmocka_unit_test(files_of_odd_content),
      cmocka_unit_test(files_that_grow),
      cmocka_unit_test(mismatch_names_both_files),
      cmocka_unit_test(long_and_odd_paths_are_shown),
      cmocka_unit_test(memory_is_read),
      cmocka_unit_test(certificates_are_chosen),
      cmocka_unit_test(one_certificate_serves_every_name),
      cmocka_unit_test(suites_are_set_by_name),
      cmocka_unit_test(protocols_are_set),
      cmocka_unit_test(shared_configurations_do_not_change),
      cmocka_unit_test(references_are_counted_across_threads),
      cmocka_unit_test(random_bytes_come_from_the_system),
      cmocka_unit_test(random_bytes_can_be_the_applications),
      cmocka_unit_test(keylog_is_kept),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
