/* messages.h - the handshake messages a server says (RFC 8446 section 4). Each is appended whole, header included. */
#ifndef SEALANE_HANDSHAKE_MESSAGES_H
#define SEALANE_HANDSHAKE_MESSAGES_H

#include "codec.h"
#include "parameters.h"

/* What ServerHello and HelloRetryRequest answer with. */
struct sl_server_hello {
  const uint8_t *random; /* NULL: this is a HelloRetryRequest */
  const uint8_t *session_id;
  size_t session_id_len;
  uint16_t suite;
  uint16_t group;
  const uint8_t *share; /* NULL in a HelloRetryRequest */
  size_t share_len;
};
void sl_write_server_hello(struct sl_writer *w, const struct sl_server_hello *hello);

/* protocol NULL: no ALPN; names_server: acknowledge server_name (RFC 6066 section 3). */
void sl_write_encrypted_extensions(struct sl_writer *w, const uint8_t *protocol, size_t protocol_len,
                                   bool names_server);
/* list: certificate_list, encoded. */
void sl_write_certificate(struct sl_writer *w, const uint8_t *list, size_t list_len);
void sl_write_certificate_verify(struct sl_writer *w, uint16_t scheme, const uint8_t *sig, size_t sig_len);
void sl_write_finished(struct sl_writer *w, const uint8_t *verify_data, size_t len);
void sl_write_key_update(struct sl_writer *w, uint8_t request);

/* What CertificateVerify signs (4.4.3): 64 spaces, a name, a zero, the transcript's hash. */
#define SL_SIGNED_TEXT_MAX 146u /* calc: 64 + 33 + 1 + 48 */
/* Writes it to tbs[0..SL_SIGNED_TEXT_MAX); returns its length. */
size_t sl_certificate_verify_tbs(uint8_t *tbs, const uint8_t *transcript_hash, size_t hash_len);

#endif
