/* client_hello.h - ClientHello (RFC 8446 4.1.2): taken apart and checked against everything that needs no knowledge of the
 * server's own choices. */
#ifndef SEALANE_HANDSHAKE_CLIENT_HELLO_H
#define SEALANE_HANDSHAKE_CLIENT_HELLO_H

#include "failure.h"
#include "parameters.h"

/* Every field points into the message. Vectors are without their length; an absent extension is an empty one. */
struct sl_client_hello {
  uint16_t legacy_version;
  const uint8_t *random; /* SL_HELLO_RANDOM_LEN */
  struct sl_reader session_id, suites, compression;
  struct sl_reader before_extensions; /* the body up to here */
  struct sl_reader extensions;
  uint32_t present;             /* one bit an extension we know, by its row in the table */
  struct sl_reader server_name; /* the host_name */
  struct sl_reader groups, schemes, versions, shares, protocols;
};

/* Parses body[0..len), the message without its header: all syntax, ours to use or not; extensions at most once each.
 * errors: SL_E_DECODE, SL_E_PARAMETER, SL_E_SERVER_NAME: told in `failure` */
SL_MUST_USE sl_err sl_client_hello_parse(struct sl_client_hello *hello, const uint8_t *body, size_t len,
                                         struct sl_failure *failure);
/* Checks what TLS 1.3 asks of a ClientHello as a whole: versions, compression, extensions that need each other (9.2).
 * errors: SL_E_VERSION, SL_E_PARAMETER, SL_E_EXTENSION */
SL_MUST_USE sl_err sl_client_hello_check(const struct sl_client_hello *hello, struct sl_failure *failure);

bool sl_client_hello_has(const struct sl_client_hello *hello, enum sl_extension extension);
bool sl_client_hello_offers(struct sl_reader numbers, uint16_t number);
/* The key share for a group; false when there is none. */
bool sl_client_hello_share(const struct sl_client_hello *hello, uint16_t group, struct sl_reader *share);
/* Condenses what a second ClientHello must repeat (RFC 8446 4.1.2): all but the extensions a client may change. */
SL_MUST_USE sl_err sl_client_hello_digest(const struct sl_client_hello *hello, uint8_t digest[32]);

#endif
