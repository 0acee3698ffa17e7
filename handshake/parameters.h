/* parameters.h - the numbers two peers agree on, as tables: suites, groups, handshake messages (RFC 8446 appendix B; IANA
 * "TLS Parameters"), and the lists of them in sentences for people. */
#ifndef SEALANE_HANDSHAKE_PARAMETERS_H
#define SEALANE_HANDSHAKE_PARAMETERS_H

#include "codec.h"
#include "config.h"
#include "groups.h"
#include <engine/sha2.h>

/* HandshakeType. SL_MSG_NONE is not on the wire: a state waits for work of its own instead of a message. */
enum sl_message {
  SL_MSG_CLIENT_HELLO = 1,
  SL_MSG_SERVER_HELLO = 2,
  SL_MSG_NEW_SESSION_TICKET = 4,
  SL_MSG_END_OF_EARLY_DATA = 5,
  SL_MSG_ENCRYPTED_EXTENSIONS = 8,
  SL_MSG_CERTIFICATE = 11,
  SL_MSG_CERTIFICATE_REQUEST = 13,
  SL_MSG_CERTIFICATE_VERIFY = 15,
  SL_MSG_FINISHED = 20,
  SL_MSG_KEY_UPDATE = 24,
  SL_MSG_MESSAGE_HASH = 254,
  SL_MSG_NONE = 256
};

/* ExtensionType. */
enum sl_extension {
  SL_EXT_SERVER_NAME = 0,
  SL_EXT_SUPPORTED_GROUPS = 10,
  SL_EXT_SIGNATURE_ALGORITHMS = 13,
  SL_EXT_ALPN = 16,
  SL_EXT_PADDING = 21,
  SL_EXT_PRE_SHARED_KEY = 41,
  SL_EXT_EARLY_DATA = 42,
  SL_EXT_SUPPORTED_VERSIONS = 43,
  SL_EXT_COOKIE = 44,
  SL_EXT_PSK_KEY_EXCHANGE_MODES = 45,
  SL_EXT_SIGNATURE_ALGORITHMS_CERT = 50,
  SL_EXT_KEY_SHARE = 51
};

enum { SL_TLS_1_2 = 0x0303, SL_TLS_1_3 = 0x0304 };
enum { SL_HELLO_RANDOM_LEN = 32, SL_SESSION_ID_MAX = 32, SL_MESSAGE_HEADER_LEN = 4 };
enum { SL_UPDATE_NOT_REQUESTED = 0, SL_UPDATE_REQUESTED = 1 };

struct sl_suite_params {
  uint16_t suite;
  enum sl_aead aead;
  enum sl_hash hash;
};

/* NULL for a suite that is not TLS 1.3's or not ours. */
const struct sl_suite_params *sl_suite_params(uint16_t suite);
/* "ClientHello" ...; "message of an unknown type" otherwise. */
const char *sl_message_name(unsigned type);
/* "change_cipher_spec" ...; "unknown" otherwise. */
const char *sl_content_type_name(unsigned type);

enum sl_number_kind { SL_KIND_SUITE, SL_KIND_GROUP, SL_KIND_SCHEME };
/* Writes names of a list of 16-bit numbers, "x25519, secp256r1, 0x1234", NUL-terminated and cut with "..." to cap. GREASE
 * (RFC 8701) is left out: it means nothing to whom the sentence is for. "none" when nothing is left. */
void sl_describe_numbers(char *out, size_t cap, enum sl_number_kind kind, struct sl_reader numbers);

#endif
