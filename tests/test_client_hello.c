/* test_client_hello.c - ClientHellos right and wrong, and what the server makes of each (RFC 8446 4.1.2 and 4.2). */
#include "session.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sl_config *config;

#define SET(type, bytes)    hello_set(hello, type, bytes, sizeof(bytes) - 1)
#define ADD(type, bytes)    hello_add(hello, type, bytes, sizeof(bytes) - 1)
#define FIELD(field, bytes) buffer_set(&hello->field, bytes, sizeof(bytes) - 1)
#define CHANGE(name)        static void name(struct hello *hello)

/* ---- changes that are refused --------------------------------------------------------------------------------- */

CHANGE(ssl3) {
  hello->legacy_version = 0x0300;
}
CHANGE(version_0) {
  hello->legacy_version = 0;
}
CHANGE(no_versions) {
  hello_remove(hello, SL_EXT_SUPPORTED_VERSIONS);
}
CHANGE(no_extensions) {
  hello->has_extensions = false;
}
CHANGE(tls10_hello) {
  hello->has_extensions = false, hello->legacy_version = 0x0301;
}
CHANGE(old_versions) {
  SET(SL_EXT_SUPPORTED_VERSIONS, "\x04\x03\x02\x03\x01");
}
CHANGE(old_version) {
  SET(SL_EXT_SUPPORTED_VERSIONS, "\x04\x0a\x0a\x03\x03");
}
CHANGE(future_version) {
  SET(SL_EXT_SUPPORTED_VERSIONS, "\x02\x03\x05");
}
CHANGE(empty_versions) {
  SET(SL_EXT_SUPPORTED_VERSIONS, "\0");
}
CHANGE(odd_versions) {
  SET(SL_EXT_SUPPORTED_VERSIONS, "\x03\x03\x04\x03");
}
CHANGE(long_versions) {
  SET(SL_EXT_SUPPORTED_VERSIONS, "\x04\x03\x04");
}
CHANGE(short_versions) {
  SET(SL_EXT_SUPPORTED_VERSIONS, "\x02\x03\x04\x00");
}
CHANGE(version_only) {
  SET(SL_EXT_SUPPORTED_VERSIONS, "\x03\x04");
}
CHANGE(deflate) {
  FIELD(compression, "\x01");
}
CHANGE(deflate_or_null) {
  FIELD(compression, "\x01\x00");
}
CHANGE(null_twice) {
  FIELD(compression, "\x00\x00");
}
CHANGE(no_compression) {
  FIELD(compression, "");
}
CHANGE(no_suites) {
  FIELD(suites, "");
}
CHANGE(odd_suites) {
  FIELD(suites, "\x13\x01\x13");
}
CHANGE(other_suites) {
  FIELD(suites, "\x13\x04\x13\x05\xc0\x2b");
}
CHANGE(grease_suites) {
  FIELD(suites, "\x0a\x0a");
}
CHANGE(long_session_id) {
  FIELD(session_id, "0123456789abcdef0123456789abcdef0");
}
CHANGE(bytes_behind) {
  FIELD(trailer, "\0");
}
CHANGE(no_groups) {
  hello_remove(hello, SL_EXT_SUPPORTED_GROUPS);
}
CHANGE(no_share) {
  hello_remove(hello, SL_EXT_KEY_SHARE);
}
CHANGE(neither) {
  hello_remove(hello, SL_EXT_KEY_SHARE), hello_remove(hello, SL_EXT_SUPPORTED_GROUPS);
}
CHANGE(no_schemes) {
  hello_remove(hello, SL_EXT_SIGNATURE_ALGORITHMS);
}
CHANGE(empty_schemes) {
  SET(SL_EXT_SIGNATURE_ALGORITHMS, "\0\0");
}
CHANGE(odd_schemes) {
  SET(SL_EXT_SIGNATURE_ALGORITHMS, "\0\3\x08\x07\x08");
}
CHANGE(other_schemes) {
  SET(SL_EXT_SIGNATURE_ALGORITHMS, "\0\4\x04\x03\x04\x01");
}
CHANGE(bad_schemes_cert) {
  ADD(SL_EXT_SIGNATURE_ALGORITHMS_CERT, "\0\1\x08");
}
CHANGE(empty_groups) {
  SET(SL_EXT_SUPPORTED_GROUPS, "\0\0");
}
CHANGE(odd_groups) {
  SET(SL_EXT_SUPPORTED_GROUPS, "\0\3\0\x1d\0");
}
CHANGE(groups_cut) {
  SET(SL_EXT_SUPPORTED_GROUPS, "\0");
}
CHANGE(other_groups) {
  SET(SL_EXT_SUPPORTED_GROUPS, "\0\6\0\x1e\0\x18\x1a\x1a"), SET(SL_EXT_KEY_SHARE, "\0\0");
}
CHANGE(grease_groups) {
  SET(SL_EXT_SUPPORTED_GROUPS, "\0\2\x1a\x1a"), SET(SL_EXT_KEY_SHARE, "\0\0");
}
CHANGE(share_not_offered) {
  SET(SL_EXT_KEY_SHARE, "\0\5\0\x1e\0\1\1");
}
CHANGE(share_unasked_first) {
  SET(SL_EXT_SUPPORTED_GROUPS, "\0\2\0\x17");
}
CHANGE(share_empty) {
  SET(SL_EXT_KEY_SHARE, "\0\4\0\x1d\0\0");
}
CHANGE(share_cut) {
  SET(SL_EXT_KEY_SHARE, "\0\5\0\x1d\0\2\1");
}
CHANGE(shares_long) {
  SET(SL_EXT_KEY_SHARE, "\0\0\0");
}
CHANGE(share_31) {
  SET(SL_EXT_KEY_SHARE, "\0\x23\0\x1d\0\x1f"
                        "0123456789012345678901234567890");
}
CHANGE(share_33) {
  SET(SL_EXT_KEY_SHARE, "\0\x25\0\x1d\0\x21"
                        "012345678901234567890123456789012");
}
CHANGE(share_twice) {
  SET(SL_EXT_KEY_SHARE, "\0\x0a\0\x17\0\1\1\0\x17\0\1\2");
}
CHANGE(share_zero) {
  SET(SL_EXT_KEY_SHARE, "\0\x24\0\x1d\0\x20"
                        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
}
CHANGE(share_one) {
  SET(SL_EXT_KEY_SHARE, "\0\x24\0\x1d\0\x20"
                        "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
}
CHANGE(share_minus_one) {
  SET(SL_EXT_KEY_SHARE, "\0\x24\0\x1d\0\x20"
                        "\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
}
CHANGE(share_order_8) { /* u = 3256062509165574317..., a point of order 8 */
  SET(SL_EXT_KEY_SHARE, "\0\x24\0\x1d\0\x20"
                        "\xe0\xeb\x7a\x7c\x3b\x41\xb8\xae\x16\x56\xe3\xfa\xf1\x9f\xc4\x6a"
                        "\xda\x09\x8d\xeb\x9c\x32\xb1\xfd\x86\x62\x05\x16\x5f\x49\xb8\x00");
}
/* Shares of secp256r1: one that is short, the compressed form, the hybrid form, a point off the curve, a coordinate that is
 * the prime, and the point at infinity filled up. */
#define P256_SHARE(len, bytes)                                                                                         \
  SET(SL_EXT_SUPPORTED_GROUPS, "\0\2\0\x17"), hello_set(hello, SL_EXT_KEY_SHARE, NULL, 0), p256_share(hello, len, bytes)
#define P256_X                                                                                                         \
  "\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45"   \
  "\xd8\x98\xc2\x96"
#define P256_Y                                                                                                         \
  "\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68"   \
  "\x37\xbf\x51\xf5"
#define P256_P "\xff\xff\xff\xff\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

static void p256_share(struct hello *hello, size_t len, const char *bytes) {
  uint8_t body[6 + SL_SHARE_MAX] = {0, (uint8_t)(4 + len), 0, SL_GROUP_SECP256R1, 0, (uint8_t)len};
  memcpy(body + 6, bytes, len);
  hello_set(hello, SL_EXT_KEY_SHARE, body, 6 + len);
}

CHANGE(p256_short) {
  P256_SHARE(64, "\4" P256_X P256_Y);
}
CHANGE(p256_compressed) {
  P256_SHARE(33, "\3" P256_X);
}
CHANGE(p256_hybrid) {
  P256_SHARE(65, "\7" P256_X P256_Y);
}
CHANGE(p256_off_curve) {
  P256_SHARE(65, "\4" P256_Y P256_X);
}
CHANGE(p256_prime) {
  P256_SHARE(65, "\4" P256_P P256_Y);
}
CHANGE(p256_infinity) {
  static const char zeros[SL_SHARE_MAX];
  P256_SHARE(65, zeros);
}
CHANGE(p256_infinity_short) {
  P256_SHARE(1, "\0");
}
CHANGE(duplicate_known) {
  ADD(SL_EXT_SUPPORTED_VERSIONS, "\2\3\4");
}
CHANGE(duplicate_unknown) {
  ADD(0xfafa, "");
}
CHANGE(duplicate_empty) {
  ADD(0x4a4a, "");
}
CHANGE(sni_empty_list) {
  SET(SL_EXT_SERVER_NAME, "\0\0");
}
CHANGE(sni_empty_name) {
  SET(SL_EXT_SERVER_NAME, "\0\3\0\0\0");
}
CHANGE(sni_empty_body) {
  SET(SL_EXT_SERVER_NAME, "");
}
CHANGE(sni_cut) {
  SET(SL_EXT_SERVER_NAME, "\0\5\0\0\3ab");
}
CHANGE(sni_long) {
  SET(SL_EXT_SERVER_NAME, "\0\5\0\0\2ab!");
}
CHANGE(sni_twice) {
  SET(SL_EXT_SERVER_NAME, "\0\x0a\0\0\2ab\0\0\2cd");
}
CHANGE(sni_nul) {
  SET(SL_EXT_SERVER_NAME, "\0\x08\0\0\5a\0b.c");
}
CHANGE(sni_space) {
  SET(SL_EXT_SERVER_NAME, "\0\x06\0\0\3a b");
}
CHANGE(sni_dot) {
  SET(SL_EXT_SERVER_NAME, "\0\x06\0\0\3ab.");
}
CHANGE(sni_leading_dot) {
  SET(SL_EXT_SERVER_NAME, "\0\x06\0\0\3.ab");
}
CHANGE(sni_dots) {
  SET(SL_EXT_SERVER_NAME, "\0\x07\0\0\4a..b");
}
CHANGE(sni_ipv6) {
  SET(SL_EXT_SERVER_NAME, "\0\x06\0\0\3::1");
}
CHANGE(sni_utf8) {
  SET(SL_EXT_SERVER_NAME, "\0\x07\0\0\4b\xc3\xbcr");
}
CHANGE(sni_long_label) {
  SET(SL_EXT_SERVER_NAME, "\0\x43\0\0\x40"
                          "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
}
CHANGE(sni_254) {
  uint8_t body[5 + 254] = {1, 1, 0, 0, 254};
  for (size_t i = 5; i < sizeof body; i++) body[i] = i % 10 == 0 ? '.' : 'a';
  hello_set(hello, SL_EXT_SERVER_NAME, body, sizeof body);
}
CHANGE(alpn_empty) {
  SET(SL_EXT_ALPN, "");
}
CHANGE(alpn_empty_list) {
  SET(SL_EXT_ALPN, "\0\0");
}
CHANGE(alpn_empty_name) {
  SET(SL_EXT_ALPN, "\0\4\2h2\0");
}
CHANGE(alpn_cut) {
  SET(SL_EXT_ALPN, "\0\3\3h2");
}
CHANGE(psk_no_modes) {
  hello_remove(hello, SL_EXT_PSK_KEY_EXCHANGE_MODES);
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\7\0\1x\0\0\0\0\0\x21\x20"
                             "01234567890123456789012345678901");
}
CHANGE(psk_not_last) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\7\0\1x\0\0\0\0\0\x21\x20"
                             "01234567890123456789012345678901"),
      ADD(0x1234, "");
}
CHANGE(psk_count) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\x0e\0\1x\0\0\0\0\0\1y\0\0\0\0\0\x21\x20"
                             "01234567890123456789012345678901");
}
CHANGE(psk_short_binder) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\7\0\1x\0\0\0\0\0\x20\x1f"
                             "0123456789012345678901234567890");
}
CHANGE(psk_empty_identity) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\6\0\0\0\0\0\0\0\x21\x20"
                             "01234567890123456789012345678901");
}
CHANGE(psk_no_identity) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\0\0\x21\x20"
                             "01234567890123456789012345678901");
}
CHANGE(psk_no_binder) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\7\0\1x\0\0\0\0\0\0");
}
CHANGE(psk_cut) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\7\0\1x\0\0\0\0");
}
CHANGE(psk_long) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\7\0\1x\0\0\0\0\0\x21\x20"
                             "01234567890123456789012345678901"
                             "!");
}
CHANGE(modes_empty) {
  SET(SL_EXT_PSK_KEY_EXCHANGE_MODES, "\0");
}
CHANGE(modes_long) {
  SET(SL_EXT_PSK_KEY_EXCHANGE_MODES, "\1\1\1");
}
CHANGE(early_data_body) {
  ADD(SL_EXT_EARLY_DATA, "\0");
}
CHANGE(cookie_empty) {
  ADD(SL_EXT_COOKIE, "\0\0");
}

struct refused {
  const char *name;
  void (*change)(struct hello *hello);
  sl_err reason;
  enum sl_alert alert;
  int extension;    /* the failure's; -1: none */
  const char *text; /* NULL: any */
};

#define VERSION   SL_E_VERSION, SL_ALERT_PROTOCOL_VERSION
#define DECODE    SL_E_DECODE, SL_ALERT_DECODE_ERROR
#define PARAMETER SL_E_PARAMETER, SL_ALERT_ILLEGAL_PARAMETER
#define MISSING   SL_E_EXTENSION, SL_ALERT_MISSING_EXTENSION
#define SHARE     SL_E_KEY_SHARE, SL_ALERT_ILLEGAL_PARAMETER
#define NAME      SL_E_SERVER_NAME, SL_ALERT_ILLEGAL_PARAMETER
#define ROW(change, ...)                                                                                               \
  { #change, change, __VA_ARGS__ }

static const struct refused refused[] = {
    ROW(ssl3, VERSION, SL_EXT_SUPPORTED_VERSIONS, NULL),
    ROW(version_0, VERSION, SL_EXT_SUPPORTED_VERSIONS, NULL),
    ROW(no_versions, VERSION, SL_EXT_SUPPORTED_VERSIONS, "client offers at most TLS 1.2, this server accepts TLS 1.3"),
    ROW(no_extensions, VERSION, SL_EXT_SUPPORTED_VERSIONS,
        "client offers at most TLS 1.2, this server accepts TLS 1.3"),
    ROW(tls10_hello, VERSION, SL_EXT_SUPPORTED_VERSIONS, "client offers TLS 1.0, this server accepts TLS 1.3"),
    ROW(old_versions, VERSION, SL_EXT_SUPPORTED_VERSIONS, "client offers TLS 1.0-1.1, this server accepts TLS 1.3"),
    ROW(old_version, VERSION, SL_EXT_SUPPORTED_VERSIONS, "client offers TLS 1.2, this server accepts TLS 1.3"),
    ROW(future_version, VERSION, SL_EXT_SUPPORTED_VERSIONS,
        "client offers no known version, this server accepts TLS 1.3"),
    ROW(empty_versions, DECODE, SL_EXT_SUPPORTED_VERSIONS, NULL),
    ROW(odd_versions, DECODE, SL_EXT_SUPPORTED_VERSIONS, NULL),
    ROW(long_versions, DECODE, SL_EXT_SUPPORTED_VERSIONS, NULL),
    ROW(short_versions, DECODE, SL_EXT_SUPPORTED_VERSIONS, NULL),
    ROW(version_only, DECODE, SL_EXT_SUPPORTED_VERSIONS, NULL),
    ROW(deflate, PARAMETER, -1, NULL),
    ROW(deflate_or_null, PARAMETER, -1, NULL),
    ROW(null_twice, PARAMETER, -1, NULL),
    ROW(no_compression, DECODE, -1, NULL),
    ROW(no_suites, DECODE, -1, NULL),
    ROW(odd_suites, DECODE, -1, NULL),
    ROW(other_suites, SL_E_NO_SUITE, SL_ALERT_HANDSHAKE_FAILURE, -1,
        "no common cipher suite: client 0x1304, 0x1305, 0xc02b"),
    ROW(grease_suites, SL_E_NO_SUITE, SL_ALERT_HANDSHAKE_FAILURE, -1, "no common cipher suite: client none"),
    ROW(long_session_id, DECODE, -1, NULL),
    ROW(bytes_behind, DECODE, -1, NULL),
    ROW(no_groups, MISSING, SL_EXT_SUPPORTED_GROUPS, "the ClientHello lacks the supported_groups extension"),
    ROW(no_share, MISSING, SL_EXT_KEY_SHARE, "the ClientHello lacks the key_share extension"),
    ROW(neither, MISSING, SL_EXT_SUPPORTED_GROUPS, NULL),
    ROW(no_schemes, MISSING, SL_EXT_SIGNATURE_ALGORITHMS, "the ClientHello lacks the signature_algorithms extension"),
    ROW(empty_schemes, DECODE, SL_EXT_SIGNATURE_ALGORITHMS, NULL),
    ROW(odd_schemes, DECODE, SL_EXT_SIGNATURE_ALGORITHMS, NULL),
    ROW(other_schemes, SL_E_NO_SCHEME, SL_ALERT_HANDSHAKE_FAILURE, SL_EXT_SIGNATURE_ALGORITHMS,
        "no certificate fits: client ecdsa_secp256r1_sha256, rsa_pkcs1_sha256"),
    ROW(bad_schemes_cert, DECODE, SL_EXT_SIGNATURE_ALGORITHMS_CERT, NULL),
    ROW(empty_groups, DECODE, SL_EXT_SUPPORTED_GROUPS, NULL),
    ROW(odd_groups, DECODE, SL_EXT_SUPPORTED_GROUPS, NULL),
    ROW(groups_cut, DECODE, SL_EXT_SUPPORTED_GROUPS, NULL),
    ROW(other_groups, SL_E_NO_GROUP, SL_ALERT_HANDSHAKE_FAILURE, SL_EXT_SUPPORTED_GROUPS,
        "no common group: client x448, secp384r1, server x25519, secp256r1"),
    ROW(grease_groups, SL_E_NO_GROUP, SL_ALERT_HANDSHAKE_FAILURE, SL_EXT_SUPPORTED_GROUPS,
        "no common group: client none, server x25519, secp256r1"),
    ROW(share_not_offered, PARAMETER, SL_EXT_KEY_SHARE, NULL),
    ROW(share_unasked_first, PARAMETER, SL_EXT_KEY_SHARE, NULL),
    ROW(share_empty, DECODE, SL_EXT_KEY_SHARE, NULL),
    ROW(share_cut, DECODE, SL_EXT_KEY_SHARE, NULL),
    ROW(shares_long, DECODE, SL_EXT_KEY_SHARE, NULL),
    ROW(share_31, SHARE, SL_EXT_KEY_SHARE, "the client's x25519 key share has 31 bytes instead of 32"),
    ROW(share_33, SHARE, SL_EXT_KEY_SHARE, "the client's x25519 key share has 33 bytes instead of 32"),
    ROW(share_twice, PARAMETER, SL_EXT_KEY_SHARE, NULL),
    ROW(share_zero, SHARE, SL_EXT_KEY_SHARE, NULL),
    ROW(share_one, SHARE, SL_EXT_KEY_SHARE, NULL),
    ROW(share_minus_one, SHARE, SL_EXT_KEY_SHARE, NULL),
    ROW(share_order_8, SHARE, SL_EXT_KEY_SHARE, NULL),
    ROW(p256_short, SHARE, SL_EXT_KEY_SHARE, "the client's secp256r1 key share has 64 bytes instead of 65"),
    ROW(p256_compressed, SHARE, SL_EXT_KEY_SHARE, "the client's secp256r1 key share has 33 bytes instead of 65"),
    ROW(p256_hybrid, SHARE, SL_EXT_KEY_SHARE, NULL),
    ROW(p256_off_curve, SHARE, SL_EXT_KEY_SHARE, NULL),
    ROW(p256_prime, SHARE, SL_EXT_KEY_SHARE, NULL),
    ROW(p256_infinity, SHARE, SL_EXT_KEY_SHARE, NULL),
    ROW(p256_infinity_short, SHARE, SL_EXT_KEY_SHARE, NULL),
    ROW(duplicate_known, PARAMETER, SL_EXT_SUPPORTED_VERSIONS, "the ClientHello has extension 43 twice"),
    ROW(duplicate_unknown, PARAMETER, 0xfafa, NULL),
    ROW(duplicate_empty, PARAMETER, 0x4a4a, NULL),
    ROW(sni_empty_list, DECODE, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_empty_name, DECODE, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_empty_body, DECODE, SL_EXT_SERVER_NAME, "the client's server_name extension of 0 bytes is malformed"),
    ROW(sni_cut, DECODE, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_long, DECODE, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_twice, PARAMETER, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_nul, NAME, SL_EXT_SERVER_NAME, "the client's server name of 5 bytes is not a host name"),
    ROW(sni_space, NAME, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_dot, NAME, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_leading_dot, NAME, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_dots, NAME, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_ipv6, NAME, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_utf8, NAME, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_long_label, NAME, SL_EXT_SERVER_NAME, NULL),
    ROW(sni_254, NAME, SL_EXT_SERVER_NAME, NULL),
    ROW(alpn_empty, DECODE, SL_EXT_ALPN, NULL),
    ROW(alpn_empty_list, DECODE, SL_EXT_ALPN, NULL),
    ROW(alpn_empty_name, DECODE, SL_EXT_ALPN, NULL),
    ROW(alpn_cut, DECODE, SL_EXT_ALPN, NULL),
    ROW(psk_no_modes, MISSING, SL_EXT_PSK_KEY_EXCHANGE_MODES, NULL),
    ROW(psk_not_last, PARAMETER, SL_EXT_PRE_SHARED_KEY, NULL),
    ROW(psk_count, PARAMETER, SL_EXT_PRE_SHARED_KEY, "the client sent 2 PSK identities and 1 binders"),
    ROW(psk_short_binder, DECODE, SL_EXT_PRE_SHARED_KEY, NULL),
    ROW(psk_empty_identity, DECODE, SL_EXT_PRE_SHARED_KEY, NULL),
    ROW(psk_no_identity, DECODE, SL_EXT_PRE_SHARED_KEY, NULL),
    ROW(psk_no_binder, DECODE, SL_EXT_PRE_SHARED_KEY, NULL),
    ROW(psk_cut, DECODE, SL_EXT_PRE_SHARED_KEY, NULL),
    ROW(psk_long, DECODE, SL_EXT_PRE_SHARED_KEY, NULL),
    ROW(modes_empty, DECODE, SL_EXT_PSK_KEY_EXCHANGE_MODES, NULL),
    ROW(modes_long, DECODE, SL_EXT_PSK_KEY_EXCHANGE_MODES, NULL),
    ROW(early_data_body, DECODE, SL_EXT_EARLY_DATA, NULL),
    ROW(cookie_empty, DECODE, SL_EXT_COOKIE, NULL),
};

static const size_t feed_lens[] = {SIZE_MAX, 1};

/* Each is refused alike as a first hello, in one feed and byte by byte. */
static void test_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    for (size_t f = 0; f < 2; f++) {
      const struct refused *row = &refused[i];
      struct session s;
      session_open(&s, config, STAGE_NEW, feed_lens[f]);
      row->change(&s.client.hello);
      client_say_hello(&s.client);
      session_carry(&s);
      session_refused(&s, row->reason, row->alert, row->name);
      const struct sl_failure *failure = sl_conn_failure(s.pump.conn);
      if (failure->extension != row->extension)
        fail_msg("%s: extension %d, not %d", row->name, failure->extension, row->extension);
      assert_int_equal(failure->message, SL_MSG_CLIENT_HELLO);
      if (row->text) assert_string_equal(failure->text, row->text);
      assert_false(failure->alert_received);
      session_close(&s);
    }
}

/* ---- changes that are fine ------------------------------------------------------------------------------------ */

CHANGE(nothing) {
  (void)hello;
}
CHANGE(no_session_id) {
  FIELD(session_id, "");
}
CHANGE(short_session_id) {
  FIELD(session_id, "x");
}
CHANGE(tls10_version) {
  hello->legacy_version = 0x0301;
}
CHANGE(odd_version) {
  hello->legacy_version = 0x7f1c;
}
CHANGE(no_sni) {
  hello_remove(hello, SL_EXT_SERVER_NAME);
}
CHANGE(sni_other_type) {
  SET(SL_EXT_SERVER_NAME, "\0\x0d\7\0\3\1\2\3\0\0\4host");
}
CHANGE(sni_only_other_type) {
  SET(SL_EXT_SERVER_NAME, "\0\6\7\0\3\1\2\3");
}
CHANGE(sni_ipv4) {
  SET(SL_EXT_SERVER_NAME, "\0\x0c\0\0\x09"
                          "127.0.0.1");
}
CHANGE(sni_253) {
  uint8_t body[5 + 253] = {1, 0, 0, 0, 253};
  for (size_t i = 5; i < sizeof body; i++) body[i] = i % 10 == 0 ? '.' : 'a';
  hello_set(hello, SL_EXT_SERVER_NAME, body, sizeof body);
}
CHANGE(psk_ignored) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\7\0\1x\0\0\0\0\0\x21\x20"
                             "01234567890123456789012345678901");
}
CHANGE(modes_unknown) {
  SET(SL_EXT_PSK_KEY_EXCHANGE_MODES, "\3\x0b\1\0");
}
CHANGE(cookie_ignored) {
  ADD(SL_EXT_COOKIE, "\0\1x");
}
CHANGE(ignored_ones) {
  ADD(1, "\1");         /* max_fragment_length */
  ADD(28, "\x40\1");    /* record_size_limit */
  ADD(49, "");          /* post_handshake_auth */
  ADD(5, "\1\0\0\0\0"); /* status_request */
  ADD(18, "");          /* signed_certificate_timestamp */
  ADD(27, "\2\0\2");    /* compress_certificate */
  ADD(SL_EXT_SIGNATURE_ALGORITHMS_CERT, "\0\2\4\1");
  ADD(SL_EXT_PADDING, "not all of it is zeros");
}
CHANGE(share_second) {
  struct sl_buffer body = {0};
  for (size_t i = 0; i < hello->n_extensions; i++)
    if (hello->extensions[i].type == SL_EXT_KEY_SHARE)
      buffer_set(&body, hello->extensions[i].body.data, hello->extensions[i].body.len);
  uint8_t longer[2 + 5 + 36 + 5] = {0, sizeof longer - 2, 0x6a, 0x6a, 0, 1, 0};
  memcpy(longer + 7, body.data + 2, 36);
  memcpy(longer + 43, "\0\x18\0\1\1", 5);
  hello_set(hello, SL_EXT_KEY_SHARE, longer, sizeof longer);
  sl_buffer_free(&body);
}
CHANGE(share_top_bit) { /* RFC 7748: the top bit is ignored */
  for (size_t i = 0; i < hello->n_extensions; i++)
    if (hello->extensions[i].type == SL_EXT_KEY_SHARE) hello->extensions[i].body.data[37] |= 0x80;
}
CHANGE(many_suites) {
  struct sl_buffer suites = {0};
  for (unsigned i = 0; i < 65534 / 2; i++) {
    uint8_t suite[2] = {(uint8_t)(i >> 8 | 0x80), (uint8_t)i};
    if (i == 65534 / 2 - 1) memcpy(suite, "\x13\x03", 2);
    assert_int_equal(sl_buffer_append(&suites, suite, 2), SL_OK);
  }
  buffer_set(&hello->suites, suites.data, suites.len);
  sl_buffer_free(&suites);
}
CHANGE(large_extension) {
  static const uint8_t zeros[60000];
  hello_add(hello, SL_EXT_PADDING, zeros, sizeof zeros);
}

static const struct {
  const char *name;
  void (*change)(struct hello *hello);
} accepted[] = {
    ROW(nothing),       ROW(no_session_id),  ROW(short_session_id),    ROW(tls10_version), ROW(odd_version),
    ROW(no_sni),        ROW(sni_other_type), ROW(sni_only_other_type), ROW(sni_ipv4),      ROW(sni_253),
    ROW(psk_ignored),   ROW(modes_unknown),  ROW(cookie_ignored),      ROW(ignored_ones),  ROW(share_second),
    ROW(share_top_bit), ROW(many_suites),    ROW(large_extension),
};

/* Runs a handshake to its end and tries the connection. */
static void finish(struct session *s, const char *name) {
  session_carry(s);
  if (!s->client.got_flight) fail_msg("%s: %s", name, sl_conn_failure(s->pump.conn)->text);
  client_say_finished(&s->client);
  session_carry(s);
  session_works(s, name);
  assert_int_equal(s->client.n_ccs, s->client.hello.session_id.len > 0);
}

static void test_accepted(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
    struct session whole, bytes;
    session_open(&whole, config, STAGE_NEW, SIZE_MAX);
    accepted[i].change(&whole.client.hello);
    client_say_hello(&whole.client);
    finish(&whole, accepted[i].name);
    session_open(&bytes, config, STAGE_NEW, 1);
    accepted[i].change(&bytes.client.hello);
    client_say_hello(&bytes.client);
    finish(&bytes, accepted[i].name);
    assert_int_equal(whole.transmitted.len, bytes.transmitted.len);
    assert_memory_equal(whole.transmitted.data, bytes.transmitted.data, bytes.transmitted.len);
    session_close(&whole);
    session_close(&bytes);
  }
}

/* The extensions one after the other in every place: order does not matter. */
static void test_any_order(void **state) {
  (void)state;
  for (size_t by = 1; by < 11; by++) {
    struct session s;
    session_open(&s, config, STAGE_NEW, SIZE_MAX);
    struct hello *hello = &s.client.hello;
    for (size_t i = 0; i < by; i++) {
      struct sl_buffer body = {0};
      buffer_set(&body, hello->extensions[0].body.data, hello->extensions[0].body.len);
      uint16_t type = hello->extensions[0].type;
      hello_remove(hello, type);
      hello_add(hello, type, body.data, body.len);
      sl_buffer_free(&body);
    }
    client_say_hello(&s.client);
    finish(&s, "rotated extensions");
    session_close(&s);
  }
}

/* ---- cut in every way ------------------------------------------------------------------------------------------ */

/* One ClientHello, cut into two feeds at every byte, or into records of every length: the same answer, byte for byte. */
static void test_cut_everywhere(void **state) {
  (void)state;
  struct session whole;
  session_open(&whole, config, STAGE_NEW, SIZE_MAX);
  struct sl_buffer message = {0};
  client_write_hello(&whole.client, &message);
  client_plain(&whole.client, SL_CONTENT_HANDSHAKE, message.data, message.len);
  struct sl_buffer wire = {0};
  buffer_set(&wire, whole.client.wire.data, whole.client.wire.len);
  session_carry(&whole);
  assert_true(whole.client.got_flight);
  for (size_t cut = 1; cut < wire.len; cut++) {
    struct session s;
    session_open(&s, config, STAGE_NEW, SIZE_MAX);
    assert_int_equal(pump_feed(&s.pump, wire.data, cut), SL_OK);
    assert_int_equal(s.pump.to_peer.len, 0);
    assert_int_equal(s.pump.conn->kept.len, cut);
    assert_int_equal(pump_feed(&s.pump, wire.data + cut, wire.len - cut), SL_OK);
    assert_int_equal(s.pump.to_peer.len, whole.transmitted.len);
    assert_memory_equal(s.pump.to_peer.data, whole.transmitted.data, whole.transmitted.len);
    assert_int_equal(s.pump.conn->kept.len, 0);
    session_close(&s);
  }
  for (size_t record_len = 1; record_len <= message.len; record_len++) {
    struct session s;
    session_open(&s, config, STAGE_NEW, record_len % 3 == 0 ? 7 : SIZE_MAX);
    struct sl_buffer same = {0};
    client_write_hello(&s.client, &same); /* for the transcript */
    sl_buffer_free(&same);
    for (size_t at = 0; at < message.len; at += record_len)
      client_plain(&s.client, SL_CONTENT_HANDSHAKE, message.data + at,
                   message.len - at < record_len ? message.len - at : record_len);
    session_carry(&s);
    assert_int_equal(s.transmitted.len, whole.transmitted.len);
    assert_memory_equal(s.transmitted.data, whole.transmitted.data, whole.transmitted.len);
    session_close(&s);
  }
  sl_buffer_free(&wire);
  sl_buffer_free(&message);
  session_close(&whole);
}

/* Every prefix of the message, its lengths made to fit, and every single byte changed: never accepted wrongly in a way
 * sanitizers would see, always answered with an alert or a flight. */
static void test_mangled(void **state) {
  (void)state;
  struct session first;
  session_open(&first, config, STAGE_NEW, SIZE_MAX);
  struct sl_buffer message = {0};
  client_write_hello(&first.client, &message);
  session_close(&first);
  size_t n_refused = 0, n_taken = 0;
  for (size_t len = 4; len < message.len; len++) {
    struct session s;
    session_open(&s, config, STAGE_NEW, SIZE_MAX);
    uint8_t *cut = malloc(len);
    memcpy(cut, message.data, len);
    sl_store24_be(cut + 1, (uint32_t)(len - 4));
    client_plain(&s.client, SL_CONTENT_HANDSHAKE, cut, len);
    session_carry(&s);
    /* Where the extensions begin, a hello of TLS 1.2 ends. */
    sl_err reason = sl_conn_failure(s.pump.conn)->reason;
    if (reason != SL_E_VERSION) session_refused(&s, SL_E_DECODE, SL_ALERT_DECODE_ERROR, "cut hello");
    n_refused += reason == SL_E_DECODE;
    free(cut);
    session_close(&s);
  }
  assert_int_equal(n_refused, message.len - 4 - 1);
  for (size_t i = 4; i < message.len; i++)
    for (unsigned bit = 0; bit < 8; bit++) {
      struct session s;
      session_open(&s, config, STAGE_NEW, SIZE_MAX);
      message.data[i] ^= (uint8_t)(1u << bit);
      pump_feed(&s.pump, (const uint8_t[]){22, 3, 1, (uint8_t)(message.len >> 8), (uint8_t)message.len}, 5);
      pump_feed(&s.pump, message.data, message.len);
      message.data[i] ^= (uint8_t)(1u << bit);
      bool has_failed = sl_conn_state(s.pump.conn) == SL_CONN_FAILED;
      assert_int_equal(s.pump.to_peer.data[0], has_failed ? SL_CONTENT_ALERT : SL_CONTENT_HANDSHAKE);
      n_taken += !has_failed;
      session_close(&s);
    }
  assert_true(n_taken > 1000); /* random, session id, shares, names: most bits are as good as others */
  sl_buffer_free(&message);
}

/* ---- HelloRetryRequest ---------------------------------------------------------------------------------------- */

static void test_retry(void **state) {
  (void)state;
  static const char *const suites[] = {"\x13\x01", "\x13\x02", "\x13\x03"};
  for (size_t i = 0; i < 3; i++)
    for (size_t f = 0; f < 2; f++) {
      struct session s;
      session_open(&s, config, STAGE_NEW, feed_lens[f]);
      buffer_set(&s.client.hello.suites, suites[i], 2);
      hello_set(&s.client.hello, SL_EXT_KEY_SHARE, "\0\0", 2);
      client_say_hello(&s.client);
      session_carry(&s);
      assert_true(s.client.was_retried);
      assert_int_equal(s.client.n_ccs, 1);
      client_plain(&s.client, SL_CONTENT_CHANGE_CIPHER_SPEC, "\1", 1);
      client_add_share(&s.client);
      client_say_hello(&s.client);
      finish(&s, "retried");
      struct sl_negotiated info;
      sl_conn_info(s.pump.conn, &info);
      assert_true(info.retried);
      session_close(&s);
    }
}

/* A client that has secp256r1 alone, with a share and with one to be asked for. */
static void test_secp256r1(void **state) {
  (void)state;
  for (unsigned is_retried = 0; is_retried < 2; is_retried++)
    for (size_t f = 0; f < 2; f++) {
      struct session s;
      struct sl_negotiated info;
      session_open(&s, config, STAGE_NEW, feed_lens[f]);
      client_take_group(&s.client, SL_GROUP_SECP256R1);
      if (is_retried) {
        hello_set(&s.client.hello, SL_EXT_KEY_SHARE, "\0\0", 2);
        client_say_hello(&s.client);
        session_carry(&s);
        assert_true(s.client.was_retried);
        sl_conn_info(s.pump.conn, &info);
        assert_string_equal(info.group, "");
      }
      client_add_share(&s.client);
      client_say_hello(&s.client);
      finish(&s, "secp256r1");
      sl_conn_info(s.pump.conn, &info);
      assert_string_equal(info.group, "secp256r1");
      assert_int_equal(info.retried, is_retried);
      session_close(&s);
    }
}

static unsigned n_beyond; /* how many private keys are to be over the group's order */

static sl_err beyond_order(void *ctx, uint8_t *out, size_t len) {
  (void)ctx;
  memset(out, n_beyond > 0 ? 0xff : 7, len);
  if (n_beyond > 0) n_beyond--;
  return SL_OK;
}

/* A private key that secp256r1 does not have is drawn again, a few times; any is one of x25519. */
static void test_draws(void **state) {
  (void)state;
  for (unsigned n = 1; n <= SL_SECRET_DRAWS_MAX; n++)
    for (unsigned is_x25519 = 0; is_x25519 < 2; is_x25519++) {
      struct session s;
      struct sl_config *own = session_config();
      sl_config_set_random(own, beyond_order, NULL);
      n_beyond = n;
      session_open(&s, own, STAGE_NEW, SIZE_MAX);
      client_take_group(&s.client, is_x25519 ? SL_GROUP_X25519 : SL_GROUP_SECP256R1);
      client_add_share(&s.client);
      client_say_hello(&s.client);
      if (is_x25519 || n < SL_SECRET_DRAWS_MAX) {
        finish(&s, "drawn");
      } else {
        session_carry(&s);
        session_refused(&s, SL_E_RANDOM, SL_ALERT_INTERNAL_ERROR, "never a private key");
      }
      session_close(&s);
      sl_config_free(own);
    }
}

/* With both groups and a share of secp256r1 only, x25519 is asked for. */
static void test_x25519_is_preferred(void **state) {
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_NEW, SIZE_MAX);
  client_take_group(&s.client, SL_GROUP_SECP256R1);
  client_add_share(&s.client);
  client_take_group(&s.client, SL_GROUP_X25519);
  hello_set(&s.client.hello, SL_EXT_SUPPORTED_GROUPS, "\0\4\0\x17\0\x1d", 6);
  client_say_hello(&s.client);
  session_carry(&s);
  assert_true(s.client.was_retried);
  client_add_share(&s.client);
  client_say_hello(&s.client);
  finish(&s, "x25519 after secp256r1");
  session_close(&s);
}

CHANGE(other_random) {
  hello->random[31] ^= 1;
}
CHANGE(other_session_id) {
  FIELD(session_id, "different");
}
CHANGE(fewer_suites) {
  FIELD(suites, "\x3a\x3a\x13\x01");
}
CHANGE(second_version) {
  hello->legacy_version = 0x0302;
}
CHANGE(more_groups) {
  SET(SL_EXT_SUPPORTED_GROUPS, "\0\4\x6a\x6a\0\x1d");
}
CHANGE(other_sni) {
  SET(SL_EXT_SERVER_NAME, "\0\x0c\0\0\x09localhosu");
}
CHANGE(other_alpn) {
  hello_remove(hello, SL_EXT_ALPN);
}
CHANGE(new_extension) {
  ADD(0x5555, "");
}
CHANGE(changed_unknown) {
  SET(0xfafa, "\1");
}
CHANGE(other_order) {
  hello_remove(hello, 23);
  ADD(23, "");
}
CHANGE(early_data_again) {
  ADD(SL_EXT_EARLY_DATA, "");
}
CHANGE(cookie_unasked) {
  ADD(SL_EXT_COOKIE, "\0\1x");
}
CHANGE(still_no_share) {
  SET(SL_EXT_KEY_SHARE, "\0\0");
}
CHANGE(still_other_share) {
  SET(SL_EXT_KEY_SHARE, "\0\5\0\x17\0\1\1");
}
CHANGE(padded) {
  ADD(SL_EXT_PADDING, "\0\0\0\0");
}
CHANGE(with_psk) {
  ADD(SL_EXT_PRE_SHARED_KEY, "\0\7\0\1x\0\0\0\0\0\x21\x20"
                             "01234567890123456789012345678901");
}

static const struct {
  const char *name;
  void (*change)(struct hello *hello);
  int extension;
} second_refused[] = {
    ROW(other_random, -1),
    ROW(other_session_id, -1),
    ROW(fewer_suites, -1),
    ROW(second_version, -1),
    ROW(more_groups, -1),
    ROW(other_sni, -1),
    ROW(other_alpn, -1),
    ROW(new_extension, -1),
    ROW(changed_unknown, -1),
    ROW(other_order, -1),
    ROW(early_data_again, SL_EXT_EARLY_DATA),
    ROW(cookie_unasked, SL_EXT_COOKIE),
    ROW(still_no_share, SL_EXT_KEY_SHARE),
    ROW(still_other_share, SL_EXT_KEY_SHARE),
    ROW(share_second, SL_EXT_KEY_SHARE),
};

static void test_second_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof second_refused / sizeof second_refused[0]; i++)
    for (size_t f = 0; f < 2; f++) {
      struct session s;
      session_open(&s, config, STAGE_RETRY, feed_lens[f]);
      client_add_share(&s.client);
      second_refused[i].change(&s.client.hello);
      client_say_hello(&s.client);
      session_carry(&s);
      session_refused(&s, SL_E_RETRY, SL_ALERT_ILLEGAL_PARAMETER, second_refused[i].name);
      assert_int_equal(sl_conn_failure(s.pump.conn)->extension, second_refused[i].extension);
      session_close(&s);
    }
  /* What may change. */
  void (*const allowed[])(struct hello *) = {padded, with_psk};
  for (size_t i = 0; i < 2; i++) {
    struct session s;
    session_open(&s, config, STAGE_RETRY, SIZE_MAX);
    client_add_share(&s.client);
    allowed[i](&s.client.hello);
    client_say_hello(&s.client);
    finish(&s, "allowed change");
    session_close(&s);
  }
  /* Everything refused of a first hello is refused of a second one too, if not always for the same reason. */
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    struct session s;
    session_open(&s, config, STAGE_RETRY, SIZE_MAX);
    client_add_share(&s.client);
    refused[i].change(&s.client.hello);
    client_say_hello(&s.client);
    session_carry(&s);
    if (sl_conn_state(s.pump.conn) != SL_CONN_FAILED) fail_msg("%s: not refused as a second hello", refused[i].name);
    assert_true(s.client.alert >= 0);
    session_close(&s);
  }
}

/* ---- choices --------------------------------------------------------------------------------------------------- */

static void test_choices(void **state) {
  static const struct {
    const char *ours; /* suites */
    const char *theirs;
    size_t theirs_len;
    const char *chosen;
  } rows[] = {
      {"aes-128-gcm:aes-256-gcm", "\x13\x02\x13\x01", 4, "TLS_AES_128_GCM_SHA256"},
      {"aes-256-gcm:aes-128-gcm", "\x13\x01\x13\x02", 4, "TLS_AES_256_GCM_SHA384"},
      {"chacha20-poly1305", "\x13\x01\x13\x02\x13\x03", 6, "TLS_CHACHA20_POLY1305_SHA256"},
      {"aes-128-gcm:chacha20-poly1305", "\x13\x02\x13\x03", 4, "TLS_CHACHA20_POLY1305_SHA256"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct sl_config *own = session_config();
    assert_int_equal(sl_config_set_suites(own, rows[i].ours), SL_OK);
    struct session s;
    session_open(&s, own, STAGE_NEW, SIZE_MAX);
    buffer_set(&s.client.hello.suites, rows[i].theirs, rows[i].theirs_len);
    client_say_hello(&s.client);
    finish(&s, rows[i].ours);
    struct sl_negotiated info;
    sl_conn_info(s.pump.conn, &info);
    assert_string_equal(info.version, "TLS 1.3");
    assert_string_equal(info.suite, rows[i].chosen);
    assert_string_equal(info.signature_scheme, "ed25519");
    assert_string_equal(info.server_name, "localhost");
    assert_string_equal(info.alpn, ""); /* none is configured: the client's offer is ignored */
    assert_string_not_equal(info.kernel, "none");
    assert_false(info.retried);
    session_close(&s);
    sl_config_free(own);
  }
}

static int setup(void **state) {
  (void)state;
  config = session_config();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  sl_config_free(config);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_accepted),
      cmocka_unit_test(test_any_order),
      cmocka_unit_test(test_cut_everywhere),
      cmocka_unit_test(test_mangled),
      cmocka_unit_test(test_retry),
      cmocka_unit_test(test_draws),
      cmocka_unit_test(test_secp256r1),
      cmocka_unit_test(test_x25519_is_preferred),
      cmocka_unit_test(test_second_refused),
      cmocka_unit_test(test_choices),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
