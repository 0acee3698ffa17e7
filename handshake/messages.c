/* messages.c - see messages.h. */
#include "messages.h"

/* SHA-256 of "HelloRetryRequest": the random that tells it from a ServerHello (RFC 8446 4.1.3). */
static const uint8_t retry_random[SL_HELLO_RANDOM_LEN] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static size_t begin(struct sl_writer *w, enum sl_message type) {
  sl_write_u8(w, (uint8_t)type);
  return sl_write_begin(w, 3);
}

static void end(struct sl_writer *w, size_t start) {
  sl_write_end(w, 3, start);
}

static size_t begin_extension(struct sl_writer *w, enum sl_extension type) {
  sl_write_u16(w, (uint16_t)type);
  return sl_write_begin(w, 2);
}

static void write_vector(struct sl_writer *w, unsigned len_bytes, const uint8_t *data, size_t len) {
  size_t start = sl_write_begin(w, len_bytes);
  sl_write_bytes(w, data, len);
  sl_write_end(w, len_bytes, start);
}

void sl_write_server_hello(struct sl_writer *w, const struct sl_server_hello *hello) {
  size_t message = begin(w, SL_MSG_SERVER_HELLO);
  sl_write_u16(w, SL_TLS_1_2);
  sl_write_bytes(w, hello->random ? hello->random : retry_random, SL_HELLO_RANDOM_LEN);
  write_vector(w, 1, hello->session_id, hello->session_id_len);
  sl_write_u16(w, hello->suite);
  sl_write_u8(w, 0); /* no compression */
  size_t extensions = sl_write_begin(w, 2);
  size_t share = begin_extension(w, SL_EXT_KEY_SHARE);
  sl_write_u16(w, hello->group);
  if (hello->share != NULL) write_vector(w, 2, hello->share, hello->share_len);
  sl_write_end(w, 2, share);
  size_t version = begin_extension(w, SL_EXT_SUPPORTED_VERSIONS);
  sl_write_u16(w, SL_TLS_1_3);
  sl_write_end(w, 2, version);
  sl_write_end(w, 2, extensions);
  end(w, message);
}

void sl_write_encrypted_extensions(struct sl_writer *w, const uint8_t *protocol, size_t protocol_len,
                                   bool names_server) {
  size_t message = begin(w, SL_MSG_ENCRYPTED_EXTENSIONS);
  size_t extensions = sl_write_begin(w, 2);
  if (names_server) sl_write_end(w, 2, begin_extension(w, SL_EXT_SERVER_NAME));
  if (protocol != NULL) {
    size_t alpn = begin_extension(w, SL_EXT_ALPN);
    size_t list = sl_write_begin(w, 2);
    write_vector(w, 1, protocol, protocol_len);
    sl_write_end(w, 2, list);
    sl_write_end(w, 2, alpn);
  }
  sl_write_end(w, 2, extensions);
  end(w, message);
}

void sl_write_certificate(struct sl_writer *w, const uint8_t *list, size_t list_len) {
  size_t message = begin(w, SL_MSG_CERTIFICATE);
  sl_write_u8(w, 0); /* certificate_request_context: empty in a handshake */
  write_vector(w, 3, list, list_len);
  end(w, message);
}

void sl_write_certificate_verify(struct sl_writer *w, uint16_t scheme, const uint8_t *sig, size_t sig_len) {
  size_t message = begin(w, SL_MSG_CERTIFICATE_VERIFY);
  sl_write_u16(w, scheme);
  write_vector(w, 2, sig, sig_len);
  end(w, message);
}

void sl_write_finished(struct sl_writer *w, const uint8_t *verify_data, size_t len) {
  size_t message = begin(w, SL_MSG_FINISHED);
  sl_write_bytes(w, verify_data, len);
  end(w, message);
}

void sl_write_key_update(struct sl_writer *w, uint8_t request) {
  size_t message = begin(w, SL_MSG_KEY_UPDATE);
  sl_write_u8(w, request);
  end(w, message);
}

size_t sl_certificate_verify_tbs(uint8_t *tbs, const uint8_t *transcript_hash, size_t hash_len) {
  static const char name[] = "TLS 1.3, server CertificateVerify"; /* its NUL is the zero that follows */
  memset(tbs, ' ', 64);
  memcpy(tbs + 64, name, sizeof name);
  memcpy(tbs + 64 + sizeof name, transcript_hash, hash_len);
  return 64 + sizeof name + hash_len;
}
