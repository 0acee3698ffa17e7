/* config.c - struct sl_config: certificates, suites, protocols, key log and randomness of many connections. It is built by
 * one thread, then shared and never changed; the reference count alone is written from many. */
#include "config.h"

#include <engine/bytes.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 3, 4))) static sl_err fail(struct sl_config *config, sl_err err, const char *format,
                                                         ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(config->why, sizeof config->why, format, args);
  va_end(args);
  return err;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

sl_err sl_config_new(struct sl_config **out) {
  struct sl_config *config = calloc(1, sizeof *config);
  *out = config;
  if (config == NULL) return SL_E_MEMORY;
  *config = (struct sl_config){
      .n_refs = 1,
      /* AES-128 first: the fastest where AES instructions are, and as strong as the x25519 exchange that keys it. */
      .suites = {SL_TLS_AES_128_GCM_SHA256, SL_TLS_AES_256_GCM_SHA384, SL_TLS_CHACHA20_POLY1305_SHA256},
      .n_suites = SL_SUITES_MAX,
  };
  return SL_OK;
}

struct sl_config *sl_config_ref(struct sl_config *config) {
  __atomic_fetch_add(&config->n_refs, 1, __ATOMIC_RELAXED);
  return config;
}

void sl_config_free(struct sl_config *config) {
  /* release: our reads are over before the count drops; acquire: so are everybody's before the last one erases */
  if (config == NULL || __atomic_sub_fetch(&config->n_refs, 1, __ATOMIC_ACQ_REL) > 0) return;
  while (config->credentials != NULL) {
    struct sl_credential *first = config->credentials;
    config->credentials = first->next;
    sl_credential_free(first);
  }
  free(config->alpn);
  sl_wipe(config, sizeof *config);
  free(config);
}

/* Others may be reading it, `why` included: nothing is written. */
static bool is_shared(const struct sl_config *config) {
  return __atomic_load_n(&config->n_refs, __ATOMIC_RELAXED) > 1;
}

const char *sl_config_why(const struct sl_config *config) {
  return config->why;
}

/* ---- certificates -------------------------------------------------------------------------------------------- */

#define SHOWN_PATH_MAX 88u /* two paths and a sentence fit into struct sl_config's why */

/* A path for a sentence: its end, where names differ, when it is long; no byte that would act on a terminal. */
static void show_path(char shown[static SHOWN_PATH_MAX], const char *path) {
  size_t len = strlen(path), skip = len < SHOWN_PATH_MAX ? 0 : len - (SHOWN_PATH_MAX - 4);
  while (skip > 0 && ((uint8_t)path[skip] & 0xc0) == 0x80) skip++; /* not in the middle of a UTF-8 character */
  snprintf(shown, SHOWN_PATH_MAX, "%s%s", skip > 0 ? "..." : "", path + skip);
  for (char *c = shown; *c != 0; c++)
    if ((uint8_t)*c < 0x20 || *c == 0x7f) *c = '?';
}

/* Reads to the end of the file into text[0..cap); returns the bytes, cap when there are that many or more, or -1 with
 * errno. */
static ssize_t read_all(int fd, char *text, size_t cap) {
  size_t len = 0;
  while (len < cap) {
    ssize_t n = read(fd, text + len, cap - len);
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    len += (size_t)n;
  }
  return (ssize_t)len;
}

static void text_free(char *text, size_t len) {
  if (text == NULL) return;
  sl_wipe(text, len);
  free(text);
}

/* What an open file holds, in pem->text for text_free(). The buffer takes one byte more than the file has, so that one
 * that grows meanwhile is noticed. */
static sl_err read_regular(struct sl_config *config, struct sl_pem *pem, int fd) {
  char error[64];
  struct stat st;
  if (fstat(fd, &st) != 0) {
    if (strerror_r(errno, error, sizeof error) != 0) error[0] = 0;
    return fail(config, SL_E_FILE, "%s: %s", pem->name, error);
  }
  if (!S_ISREG(st.st_mode))
    return fail(config, SL_E_FILE, "%s: %s, not a file", pem->name,
                S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
  if (st.st_size > (off_t)SL_PEM_FILE_MAX)
    return fail(config, SL_E_FILE, "%s: larger than the %u bytes a PEM file may have", pem->name, SL_PEM_FILE_MAX);
  size_t cap = (size_t)st.st_size + 1;
  char *text = calloc(1, cap);
  if (text == NULL) return fail(config, SL_E_MEMORY, "%s: %s", pem->name, sl_err_text(SL_E_MEMORY));
  ssize_t len = read_all(fd, text, cap);
  if (len >= 0 && (size_t)len < cap) {
    pem->text = text;
    pem->len = (size_t)len;
    return SL_OK;
  }
  if (len >= 0)
    snprintf(error, sizeof error, "it changes while it is read");
  else if (strerror_r(errno, error, sizeof error) != 0)
    error[0] = 0;
  text_free(text, cap);
  return fail(config, SL_E_FILE, "%s: %s", pem->name, error);
}

/* O_NONBLOCK: opening a pipe without a writer would wait for one. */
static sl_err read_pem(struct sl_config *config, struct sl_pem *pem, const char *path) {
  char error[64];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) {
    if (strerror_r(errno, error, sizeof error) != 0) error[0] = 0;
    return fail(config, SL_E_FILE, "%s: %s", pem->name, error);
  }
  sl_err err = read_regular(config, pem, fd);
  close(fd);
  return err;
}

static sl_err add_credential(struct sl_config *config, const struct sl_pem *chain, const struct sl_pem *key,
                             sl_sign_fn *sign, void *ctx) {
  struct sl_credential *added, **end = &config->credentials;
  sl_err err = sl_credential_new(&added, chain, key, sign, ctx, config->why, sizeof config->why);
  if (err != SL_OK) return err;
  while (*end != NULL) end = &(*end)->next;
  *end = added;
  return SL_OK;
}

sl_err sl_config_add_cert_files(struct sl_config *config, const char *chain_path, const char *key_path) {
  char chain_name[SHOWN_PATH_MAX], key_name[SHOWN_PATH_MAX];
  if (is_shared(config)) return SL_E_STATE;
  if (chain_path == NULL || key_path == NULL) return fail(config, SL_E_ARG, "a chain and a key file are needed");
  show_path(chain_name, chain_path);
  show_path(key_name, key_path);
  struct sl_pem chain = {.name = chain_name}, key = {.name = key_name};
  sl_err err = read_pem(config, &chain, chain_path);
  if (err == SL_OK) err = read_pem(config, &key, key_path);
  if (err == SL_OK) err = add_credential(config, &chain, &key, NULL, NULL);
  text_free((char *)chain.text, chain.len); /* it may hold the key too */
  text_free((char *)key.text, key.len);
  return err;
}

static const char chain_in_memory[] = "certificate chain", key_in_memory[] = "private key";

static sl_err check_memory(struct sl_config *config, const struct sl_pem *pem) {
  if (pem->text == NULL) return fail(config, SL_E_ARG, "%s: none is given", pem->name);
  if (pem->len > SL_PEM_FILE_MAX)
    return fail(config, SL_E_LENGTH, "%s: larger than the %u bytes a PEM text may have", pem->name, SL_PEM_FILE_MAX);
  return SL_OK;
}

sl_err sl_config_add_cert_pem(struct sl_config *config, const char *chain, size_t chain_len, const char *key,
                              size_t key_len) {
  const struct sl_pem chain_pem = {chain_in_memory, chain, chain_len}, key_pem = {key_in_memory, key, key_len};
  if (is_shared(config)) return SL_E_STATE;
  sl_err err = check_memory(config, &chain_pem);
  if (err == SL_OK) err = check_memory(config, &key_pem);
  return err ? err : add_credential(config, &chain_pem, &key_pem, NULL, NULL);
}

sl_err sl_config_add_cert_signer(struct sl_config *config, const char *chain, size_t chain_len, sl_sign_fn *sign,
                                 void *ctx) {
  const struct sl_pem chain_pem = {chain_in_memory, chain, chain_len};
  if (is_shared(config)) return SL_E_STATE;
  if (sign == NULL) return fail(config, SL_E_ARG, "a signer is needed");
  sl_err err = check_memory(config, &chain_pem);
  return err ? err : add_credential(config, &chain_pem, NULL, sign, ctx);
}

/* The schemes a credential and a client share, by the credential's preference; 0 for none. */
static uint16_t shared_scheme(const struct sl_credential *c, const uint16_t *schemes, size_t n_schemes) {
  for (size_t i = 0; i < c->n_schemes; i++)
    for (size_t j = 0; j < n_schemes; j++)
      if (c->schemes[i] == schemes[j]) return c->schemes[i];
  return 0;
}

const struct sl_credential *sl_config_credential(const struct sl_config *config, const char *server_name,
                                                 const uint16_t *schemes, size_t n_schemes, uint16_t *scheme) {
  const struct sl_credential *fallback = NULL;
  uint16_t fallback_scheme = 0;
  for (const struct sl_credential *c = config->credentials; c != NULL; c = c->next) {
    uint16_t shared = shared_scheme(c, schemes, n_schemes);
    if (shared == 0) continue;
    /* A name is looked for only where there is a choice: parsing subjectAltName costs microseconds. */
    bool is_only = fallback == NULL && c->next == NULL;
    if (is_only || sl_credential_names(c, server_name)) {
      *scheme = shared;
      return c;
    }
    if (fallback == NULL) {
      fallback = c;
      fallback_scheme = shared;
    }
  }
  if (fallback != NULL) *scheme = fallback_scheme;
  return fallback;
}

/* ---- suites and protocols ------------------------------------------------------------------------------------ */

static const struct {
  uint16_t suite;
  const char *name, *aead;
} suites[SL_SUITES_MAX] = {
    {SL_TLS_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", "aes-128-gcm"},
    {SL_TLS_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", "aes-256-gcm"},
    {SL_TLS_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", "chacha20-poly1305"},
};

const char *sl_suite_name(uint16_t suite) {
  for (size_t i = 0; i < SL_SUITES_MAX; i++)
    if (suites[i].suite == suite) return suites[i].name;
  return "";
}

static bool same_name(const char *name, const char *text, size_t len) {
  return strlen(name) == len && strncasecmp(name, text, len) == 0;
}

/* The code point of a name of either kind; 0 for none. */
static uint16_t suite_of_name(const char *text, size_t len) {
  for (size_t i = 0; i < SL_SUITES_MAX; i++)
    if (same_name(suites[i].name, text, len) || same_name(suites[i].aead, text, len)) return suites[i].suite;
  return 0;
}

sl_err sl_config_set_suites(struct sl_config *config, const char *names) {
  uint16_t chosen[SL_SUITES_MAX];
  size_t n = 0;
  if (is_shared(config)) return SL_E_STATE;
  if (names == NULL || names[0] == 0) return fail(config, SL_E_ARG, "no cipher suite is named");
  for (const char *at = names;; at++) {
    size_t len = strcspn(at, ":");
    int shown = len < 64 ? (int)len : 64;
    uint16_t suite = suite_of_name(at, len);
    if (suite == 0)
      return fail(config, SL_E_ARG, "unknown cipher suite \"%.*s\"; there are %s, %s and %s", shown, at, suites[0].name,
                  suites[1].name, suites[2].name);
    for (size_t i = 0; i < n; i++)
      if (chosen[i] == suite) return fail(config, SL_E_ARG, "cipher suite \"%.*s\" is named twice", shown, at);
    chosen[n++] = suite; /* no name repeats, so there are at most SL_SUITES_MAX */
    at += len;
    if (*at == 0) break;
  }
  memcpy(config->suites, chosen, n * sizeof chosen[0]);
  config->n_suites = n;
  return SL_OK;
}

sl_err sl_config_set_alpn(struct sl_config *config, const char *const *protocols, size_t n) {
  size_t total = 0;
  if (is_shared(config)) return SL_E_STATE;
  for (size_t i = 0; i < n; i++) {
    size_t len = protocols[i] ? strlen(protocols[i]) : 0;
    if (len == 0 || len > UINT8_MAX)
      return fail(config, SL_E_ARG, "ALPN protocol %zu has %zu bytes; 1 to 255 are possible", i + 1, len);
    total += 1 + len;
    if (total > UINT16_MAX) return fail(config, SL_E_ARG, "the ALPN protocols are over 65535 bytes together");
  }
  uint8_t *list = n > 0 ? malloc(total) : NULL;
  if (n > 0 && list == NULL) return fail(config, SL_E_MEMORY, "%s", sl_err_text(SL_E_MEMORY));
  for (size_t i = 0, at = 0; i < n; i++) {
    size_t len = strlen(protocols[i]);
    list[at] = (uint8_t)len;
    memcpy(list + at + 1, protocols[i], len);
    at += 1 + len;
  }
  free(config->alpn);
  config->alpn = list;
  config->alpn_len = total;
  return SL_OK;
}

void sl_config_set_keylog(struct sl_config *config, sl_keylog_fn *keylog, void *ctx) {
  config->keylog = keylog;
  config->keylog_ctx = ctx;
}

/* ---- randomness ---------------------------------------------------------------------------------------------- */

void sl_config_set_random(struct sl_config *config, sl_random_fn *random, void *ctx) {
  config->random = random;
  config->random_ctx = ctx;
}

/* getrandom(2) may give less than asked for (above 256 bytes) or be interrupted before the pool is ready. */
static sl_err random_from_system(uint8_t *out, size_t len) {
  for (size_t at = 0; at < len;) {
    ssize_t n = getrandom(out + at, len - at, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return SL_E_RANDOM;
    at += (size_t)n;
  }
  return SL_OK;
}

sl_err sl_config_random(const struct sl_config *config, uint8_t *out, size_t len) {
  sl_err err = config->random ? config->random(config->random_ctx, out, len) : random_from_system(out, len);
  if (err == SL_OK) return SL_OK;
  sl_wipe(out, len);
  return SL_E_RANDOM;
}
