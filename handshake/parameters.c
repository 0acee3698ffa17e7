/* parameters.c - the tables of parameters.h. */
#include "parameters.h"
#include <stdio.h>

static const struct sl_suite_params suites[] = {
    {SL_TLS_AES_128_GCM_SHA256, SL_AES_128_GCM, SL_SHA256},
    {SL_TLS_AES_256_GCM_SHA384, SL_AES_256_GCM, SL_SHA384},
    {SL_TLS_CHACHA20_POLY1305_SHA256, SL_CHACHA20_POLY1305, SL_SHA256},
};

const struct sl_suite_params *sl_suite_params(uint16_t suite) {
  for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
    if (suites[i].suite == suite) return &suites[i];
  return NULL;
}

const char *sl_message_name(unsigned type) {
  static const char *const names[] = {
      [0] = "HelloRequest",
      [SL_MSG_CLIENT_HELLO] = "ClientHello",
      [SL_MSG_SERVER_HELLO] = "ServerHello",
      [SL_MSG_NEW_SESSION_TICKET] = "NewSessionTicket",
      [SL_MSG_END_OF_EARLY_DATA] = "EndOfEarlyData",
      [SL_MSG_ENCRYPTED_EXTENSIONS] = "EncryptedExtensions",
      [SL_MSG_CERTIFICATE] = "Certificate",
      [12] = "ServerKeyExchange",
      [SL_MSG_CERTIFICATE_REQUEST] = "CertificateRequest",
      [14] = "ServerHelloDone",
      [SL_MSG_CERTIFICATE_VERIFY] = "CertificateVerify",
      [16] = "ClientKeyExchange",
      [SL_MSG_FINISHED] = "Finished",
      [SL_MSG_KEY_UPDATE] = "KeyUpdate",
  };
  if (type >= sizeof names / sizeof names[0] || names[type] == NULL) return "message of an unknown type";
  return names[type];
}

const char *sl_content_type_name(unsigned type) {
  switch (type) {
  case SL_CONTENT_CHANGE_CIPHER_SPEC:
    return "change_cipher_spec";
  case SL_CONTENT_ALERT:
    return "alert";
  case SL_CONTENT_HANDSHAKE:
    return "handshake";
  case SL_CONTENT_APPLICATION_DATA:
    return "application_data";
  }
  return "unknown";
}

/* Groups a client may name, ours or not (RFC 8446 4.2.7, RFC 7919, RFC 8422, RFC 8734, draft-ietf-tls-ecdhe-mlkem). */
static const struct {
  uint16_t group;
  const char *name;
} groups[] = {
    {0x0015, "secp224r1"},
    {0x0016, "secp256k1"},
    {SL_GROUP_SECP256R1, "secp256r1"},
    {0x0018, "secp384r1"},
    {0x0019, "secp521r1"},
    {0x001a, "brainpoolP256r1"},
    {0x001b, "brainpoolP384r1"},
    {0x001c, "brainpoolP512r1"},
    {SL_GROUP_X25519, "x25519"},
    {0x001e, "x448"},
    {0x001f, "brainpoolP256r1tls13"},
    {0x0020, "brainpoolP384r1tls13"},
    {0x0021, "brainpoolP512r1tls13"},
    {0x0100, "ffdhe2048"},
    {0x0101, "ffdhe3072"},
    {0x0102, "ffdhe4096"},
    {0x0103, "ffdhe6144"},
    {0x0104, "ffdhe8192"},
    {0x11eb, "SecP256r1MLKEM768"},
    {0x11ec, "X25519MLKEM768"},
    {0x11ed, "SecP384r1MLKEM1024"},
};

static const char *number_name(enum sl_number_kind kind, uint16_t number) {
  const char *name = "";
  switch (kind) {
  case SL_KIND_SUITE:
    name = sl_suite_name(number);
    break;
  case SL_KIND_SCHEME:
    name = sl_signature_scheme_name(number);
    if (strcmp(name, "unknown") == 0) name = "";
    break;
  case SL_KIND_GROUP:
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
      if (groups[i].group == number) return groups[i].name;
    break;
  }
  return name;
}

static bool is_grease(uint16_t number) {
  return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

void sl_describe_numbers(char *out, size_t cap, enum sl_number_kind kind, struct sl_reader numbers) {
  static const char cut[] = ", ...";
  size_t at = 0;
  uint16_t number;
  out[0] = 0;
  while (sl_read_u16(&numbers, &number)) {
    if (is_grease(number)) continue;
    char hex[8];
    const char *name = number_name(kind, number), *comma = at > 0 ? ", " : "";
    snprintf(hex, sizeof hex, "0x%04x", number);
    if (name[0] == 0) name = hex;
    size_t room = cap - at, need = strlen(comma) + strlen(name);
    if (need + sizeof cut > room) {
      if (sizeof cut <= room) memcpy(out + at, cut + (at > 0 ? 0 : 2), sizeof cut - (at > 0 ? 0 : 2));
      return;
    }
    at += (size_t)snprintf(out + at, room, "%s%s", comma, name);
  }
  if (at == 0) snprintf(out, cap, "none");
}
