/* error.h - every way a call or a connection can fail: one enum, one list, one sentence each.
 * Alerts: RFC 8446 section 6. */
#ifndef SEALANE_ERROR_H
#define SEALANE_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SL_API      __attribute__((visibility("default")))
#define SL_MUST_USE __attribute__((warn_unused_result))
#else
#define SL_API
#define SL_MUST_USE
#endif

/* TLS alert descriptions (RFC 8446 section 6, RFC 7301, RFC 5246). SL_ALERT_NONE is outside the wire's range. */
enum sl_alert {
  SL_ALERT_CLOSE_NOTIFY = 0,
  SL_ALERT_UNEXPECTED_MESSAGE = 10,
  SL_ALERT_BAD_RECORD_MAC = 20,
  SL_ALERT_RECORD_OVERFLOW = 22,
  SL_ALERT_HANDSHAKE_FAILURE = 40,
  SL_ALERT_BAD_CERTIFICATE = 42,
  SL_ALERT_UNSUPPORTED_CERTIFICATE = 43,
  SL_ALERT_CERTIFICATE_REVOKED = 44,
  SL_ALERT_CERTIFICATE_EXPIRED = 45,
  SL_ALERT_CERTIFICATE_UNKNOWN = 46,
  SL_ALERT_ILLEGAL_PARAMETER = 47,
  SL_ALERT_UNKNOWN_CA = 48,
  SL_ALERT_ACCESS_DENIED = 49,
  SL_ALERT_DECODE_ERROR = 50,
  SL_ALERT_DECRYPT_ERROR = 51,
  SL_ALERT_PROTOCOL_VERSION = 70,
  SL_ALERT_INSUFFICIENT_SECURITY = 71,
  SL_ALERT_INTERNAL_ERROR = 80,
  SL_ALERT_INAPPROPRIATE_FALLBACK = 86,
  SL_ALERT_USER_CANCELED = 90,
  SL_ALERT_MISSING_EXTENSION = 109,
  SL_ALERT_UNSUPPORTED_EXTENSION = 110,
  SL_ALERT_UNRECOGNIZED_NAME = 112,
  SL_ALERT_BAD_CERTIFICATE_STATUS_RESPONSE = 113,
  SL_ALERT_UNKNOWN_PSK_IDENTITY = 115,
  SL_ALERT_CERTIFICATE_REQUIRED = 116,
  SL_ALERT_NO_APPLICATION_PROTOCOL = 120,
  SL_ALERT_NONE = 256
};

/* X(name, alert a connection sends for it, sentence). Append only: the numbers are ABI. */
#define SL_ERRORS(X)                                                                                                   \
  X(SL_OK, NONE, "no error")                                                                                           \
  /* calls */                                                                                                          \
  X(SL_E_ARG, INTERNAL_ERROR, "an argument is missing or out of range")                                                \
  X(SL_E_LENGTH, INTERNAL_ERROR, "a length is over the algorithm's or the protocol's limit")                           \
  X(SL_E_OVERLAP, INTERNAL_ERROR, "input and output overlap without being the same buffer")                            \
  X(SL_E_SPACE, INTERNAL_ERROR, "the output buffer is too small")                                                      \
  X(SL_E_FULL, INTERNAL_ERROR, "the batch is full: run it, then add again")                                            \
  X(SL_E_STATE, INTERNAL_ERROR, "the call does not fit the object's present state")                                    \
  X(SL_E_KEY, INTERNAL_ERROR, "the key is empty or of another kind")                                                   \
  X(SL_E_AUTH, BAD_RECORD_MAC, "authentication failed: wrong key, or the data was changed on the way")                 \
  X(SL_E_SEQ, INTERNAL_ERROR, "the key has sealed or opened as many records as it may")                                \
  X(SL_E_MEMORY, INTERNAL_ERROR, "out of memory")                                                                      \
  X(SL_E_RANDOM, INTERNAL_ERROR, "the operating system gave no random bytes")                                          \
  X(SL_E_KERNEL, INTERNAL_ERROR, "a kernel asked for by name is unknown or cannot run on this CPU")                    \
  X(SL_E_SELFTEST, INTERNAL_ERROR, "no kernel passed its known-answer test")                                           \
  X(SL_E_CLOSED, NONE, "the connection is closed")                                                                     \
  X(SL_E_PENDING, NONE, "the operation is not complete yet")                                                           \
  X(SL_E_NO_CONTENT_TYPE, UNEXPECTED_MESSAGE, "a protected record holds nothing but padding")                          \
  /* configuration */                                                                                                  \
  X(SL_E_FILE, INTERNAL_ERROR, "a file cannot be read")                                                                \
  X(SL_E_PEM, INTERNAL_ERROR, "the text is not the PEM it should be")                                                  \
  X(SL_E_CERT_KEY, INTERNAL_ERROR, "the certificate's key is of a kind that cannot sign here")                         \
  X(SL_E_CERT_MISMATCH, INTERNAL_ERROR, "the private key does not belong to the certificate")                          \
  /* handshakes: why they fail */                                                                                      \
  X(SL_E_KEY_SHARE, ILLEGAL_PARAMETER, "the peer's key share is not a point that gives a secret")                      \
  X(SL_E_TRUNCATED, NONE, "the stream ended without close_notify: data may be missing")                                \
  X(SL_E_PEER_ALERT, NONE, "the peer ended the connection with an alert")                                              \
  X(SL_E_NOT_TLS, UNEXPECTED_MESSAGE, "the peer does not speak TLS")                                                   \
  X(SL_E_RECORD_TYPE, UNEXPECTED_MESSAGE, "a record of this type must not stand here")                                 \
  X(SL_E_RECORD_OVERFLOW, RECORD_OVERFLOW, "a record is longer than the protocol allows")                              \
  X(SL_E_IDLE_RECORDS, UNEXPECTED_MESSAGE, "too many records in a row that carry no data")                             \
  X(SL_E_EARLY_DATA, UNEXPECTED_MESSAGE, "more early data than is skipped for a client")                               \
  X(SL_E_MESSAGE, UNEXPECTED_MESSAGE, "a handshake message that must not stand here")                                  \
  X(SL_E_DECODE, DECODE_ERROR, "a message is malformed")                                                               \
  X(SL_E_PARAMETER, ILLEGAL_PARAMETER, "a message contradicts the protocol or itself")                                 \
  X(SL_E_SERVER_NAME, ILLEGAL_PARAMETER, "the server name is not a host name")                                         \
  X(SL_E_RETRY, ILLEGAL_PARAMETER, "the second ClientHello is not what the HelloRetryRequest asked for")               \
  X(SL_E_VERSION, PROTOCOL_VERSION, "no common protocol version")                                                      \
  X(SL_E_EXTENSION, MISSING_EXTENSION, "an extension TLS 1.3 needs is missing")                                        \
  X(SL_E_NO_SUITE, HANDSHAKE_FAILURE, "no common cipher suite")                                                        \
  X(SL_E_NO_GROUP, HANDSHAKE_FAILURE, "no common group")                                                               \
  X(SL_E_NO_SCHEME, HANDSHAKE_FAILURE, "no certificate fits the signature schemes of the client")                      \
  X(SL_E_NO_ALPN, NO_APPLICATION_PROTOCOL, "no common application protocol")                                           \
  X(SL_E_FINISHED, DECRYPT_ERROR, "the Finished of the peer does not confirm the handshake")                           \
  X(SL_E_SIGN, INTERNAL_ERROR, "the signer gave no signature")

enum sl_err {
#define SL_ERR_ENUM(name, alert, text) name,
  SL_ERRORS(SL_ERR_ENUM)
#undef SL_ERR_ENUM
      SL_ERR_END
};
typedef enum sl_err sl_err;

/* The constant's own name ("SL_E_AUTH"); never NULL. */
SL_API const char *sl_err_name(sl_err err);
/* One sentence without a full stop; never NULL. */
SL_API const char *sl_err_text(sl_err err);
/* The alert a connection that fails for this reason sends its peer; SL_ALERT_NONE where it sends none. */
SL_API enum sl_alert sl_err_alert(sl_err err);
/* The RFC's name of an alert ("bad_record_mac"); "unknown_alert" for numbers no RFC names. */
SL_API const char *sl_alert_name(unsigned alert);

#ifdef __cplusplus
}
#endif
#endif
