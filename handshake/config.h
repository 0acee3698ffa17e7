/* config.h - the inside of struct sl_config: everything connections share, immutable once they do. */
#ifndef SEALANE_HANDSHAKE_CONFIG_H
#define SEALANE_HANDSHAKE_CONFIG_H

#include "credential.h"

/* TLS 1.3 cipher suites (RFC 8446 B.4). */
enum sl_suite {
  SL_TLS_AES_128_GCM_SHA256 = 0x1301,
  SL_TLS_AES_256_GCM_SHA384 = 0x1302,
  SL_TLS_CHACHA20_POLY1305_SHA256 = 0x1303
};
#define SL_SUITES_MAX 3u

struct sl_config {
  unsigned n_refs; /* atomic */
  uint16_t suites[SL_SUITES_MAX];
  size_t n_suites;
  uint8_t *alpn; /* ProtocolNameList as on the wire, without its outer length: u8 length, name, ... */
  size_t alpn_len;
  struct sl_credential *credentials; /* in order of adding */
  sl_keylog_fn *keylog;
  void *keylog_ctx;
  sl_random_fn *random; /* NULL: the operating system's */
  void *random_ctx;
  char why[256];
};

/* "TLS_AES_128_GCM_SHA256"; "" for anything else. */
const char *sl_suite_name(uint16_t suite);
/* Fills out[0..len) from the configured source. errors: SL_E_RANDOM */
SL_MUST_USE sl_err sl_config_random(const struct sl_config *config, uint8_t *out, size_t len);
/* The credential and scheme for a client that named server_name ("" for none) and allows these signature schemes (in its
 * order): the first credential that certifies the name and shares a scheme, else the first that shares one; the scheme
 * is the credential's most preferred among the client's. NULL when none shares a scheme. */
const struct sl_credential *sl_config_credential(const struct sl_config *config, const char *server_name,
                                                 const uint16_t *schemes, size_t n_schemes, uint16_t *scheme);

#endif
