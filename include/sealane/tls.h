/* tls.h - TLS connections without I/O (RFC 8446): bytes in, bytes out, the cryptography in sl_batch_run().
 *
 *   struct sl_config *config;                  made once, immutable once shared, counted
 *   struct sl_conn *conn;                      one per connection
 *
 *   sl_conn_feed(conn, batch, wire, n, plain, cap)       bytes arrived
 *   sl_conn_send(conn, batch, text, n, wire, cap, &len)  bytes to go
 *   sl_batch_run(batch)
 *   transmit, in this order: the wire of each sl_conn_send() of this turn, then sl_conn_take_output()
 *   read plain[0..sl_conn_plain_len(conn)) and look at sl_conn_state(conn)
 *
 * A connection belongs to one thread at a time and waits in at most one batch. */
#ifndef SEALANE_TLS_H
#define SEALANE_TLS_H

#include <sealane/batch.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_config;
struct sl_conn;

/* ---- configuration ------------------------------------------------------------------------------------------- */

/* Makes an empty server configuration with one reference: all suites, groups x25519 and secp256r1, no certificate.
 * As soon as it has a second reference it is shared and no longer changes: every sl_config_add_*() and
 * sl_config_set_*() that can fail then does, with SL_E_STATE. A change is a new configuration for new connections.
 * errors: SL_E_MEMORY */
SL_API SL_MUST_USE sl_err sl_config_new(struct sl_config **out);
/* Takes one more reference; safe from any thread. */
SL_API struct sl_config *sl_config_ref(struct sl_config *config);
/* Drops one; the last one erases and frees it. NULL is allowed. Connections hold a reference of their own. */
SL_API void sl_config_free(struct sl_config *config);
/* What the last failed sl_config_* call on this object has to say, naming the file or value; "" when none failed. */
SL_API const char *sl_config_why(const struct sl_config *config);

/* Adds a certificate chain (leaf first) and its private key from PEM files. May be called again for further
 * certificates: a connection uses the first whose names match the client's server name and whose key the client's
 * signature algorithms allow, else the first those algorithms allow. Keys: P-256, P-384, RSA of 2048 bits and more
 * (RSA-PSS signatures), Ed25519.
 * errors: SL_E_FILE cannot be read, SL_E_PEM not PEM or not parseable, SL_E_CERT_KEY the key is of a kind TLS 1.3 cannot
 *         sign with here, SL_E_CERT_MISMATCH the key is not the certificate's, SL_E_LENGTH the chain is over 100 KiB,
 *         SL_E_MEMORY, SL_E_STATE; sl_config_why() names the file
 * files:  regular files of at most 1 MiB; the two may be one file; text between the PEM blocks is passed over; an
 *         encrypted key is an error, nothing ever asks for a passphrase */
SL_API SL_MUST_USE sl_err sl_config_add_cert_files(struct sl_config *config, const char *chain_path,
                                                   const char *key_path);
/* The same from memory, SL_E_FILE apart; chain and key may be one text. */
SL_API SL_MUST_USE sl_err sl_config_add_cert_pem(struct sl_config *config, const char *chain, size_t chain_len,
                                                 const char *key, size_t key_len);

/* An application's own signer (HSM, remote). Signs tbs[0..tbs_len) with a TLS SignatureScheme (RFC 8446 4.2.3).
 * returns: SL_OK and *sig_len bytes in sig[0..sig_cap); SL_E_PENDING to answer later with sl_conn_sign_complete();
 *          anything else fails the handshake with it. tbs is valid until the answer. */
typedef sl_err sl_sign_fn(void *ctx, struct sl_conn *conn, uint16_t scheme, const uint8_t *tbs, size_t tbs_len,
                          uint8_t *sig, size_t sig_cap, size_t *sig_len);
/* Adds a chain whose key only `sign` can use; the schemes follow from the leaf's public key. */
SL_API SL_MUST_USE sl_err sl_config_add_cert_signer(struct sl_config *config, const char *chain, size_t chain_len,
                                                    sl_sign_fn *sign, void *ctx);

/* Suites in order of preference, RFC names or AEAD names, separated by ':' ("TLS_AES_128_GCM_SHA256:...").
 * errors: SL_E_ARG an unknown or repeated name, or none */
SL_API SL_MUST_USE sl_err sl_config_set_suites(struct sl_config *config, const char *names);
/* Application protocols in order of preference (RFC 7301). With none set, the client's ALPN is ignored; with some set,
 * a client that offers only others is refused with no_application_protocol.
 * errors: SL_E_ARG an empty name or one over 255 bytes; SL_E_MEMORY */
SL_API SL_MUST_USE sl_err sl_config_set_alpn(struct sl_config *config, const char *const *protocols, size_t n);

/* Gets each secret's line in NSS key log format, without a newline. SECRETS LEAVE THE LIBRARY HERE, and only here. */
typedef void sl_keylog_fn(void *ctx, const char *line);
SL_API void sl_config_set_keylog(struct sl_config *config, sl_keylog_fn *keylog, void *ctx);

/* Replaces the operating system's random bytes, for reproducible tests only. Must fill out[0..len) and return SL_OK. */
typedef sl_err sl_random_fn(void *ctx, uint8_t *out, size_t len);
SL_API void sl_config_set_random(struct sl_config *config, sl_random_fn *random, void *ctx);

/* ---- connections --------------------------------------------------------------------------------------------- */

enum sl_conn_state {
  SL_CONN_HANDSHAKING, /* waits for the peer, or for a signer */
  SL_CONN_OPEN,        /* application data may flow */
  SL_CONN_PEER_CLOSED, /* the peer sent close_notify; we may still send */
  SL_CONN_CLOSED,      /* we sent close_notify (and received the peer's, or not): nothing more can be sent */
  SL_CONN_FAILED       /* see sl_conn_failure() */
};

/* Makes a server connection of `config`. errors: SL_E_MEMORY, SL_E_STATE the config has no certificate, SL_E_KERNEL */
SL_API SL_MUST_USE sl_err sl_conn_new(struct sl_conn **out, struct sl_config *config);
/* Erases and frees; NULL is allowed. Must not be called between any call that was given a batch and that batch's run:
 * the connection, or its records, wait in it then. */
SL_API void sl_conn_free(struct sl_conn *conn);

SL_API enum sl_conn_state sl_conn_state(const struct sl_conn *conn);

/* Room `plain` must have for a feed of wire_len bytes, in bytes: what arrived and was kept, and these. */
SL_API size_t sl_conn_plain_bound(const struct sl_conn *conn, size_t wire_len);
/* Gives the connection bytes that arrived, as many or as few as there are; incomplete records are kept. One feed a run.
 * `wire` is only read; wire and plain stay put until the run. All or nothing.
 * errors: SL_E_SPACE plain_cap is under sl_conn_plain_bound(); SL_E_STATE fed twice in one run; SL_E_CLOSED the peer had
 *         closed, or the connection failed: bytes are ignored; SL_E_OVERLAP wire and plain; SL_E_ARG; SL_E_MEMORY
 * note:   application data goes to plain in order; between its end and plain_cap the content is unspecified, but holds no
 *         plaintext that was not delivered */
SL_API SL_MUST_USE sl_err sl_conn_feed(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *wire,
                                       size_t wire_len, uint8_t *plain, size_t plain_cap);
/* Bytes of application data the last run left in `plain`. Valid until the next feed. */
SL_API size_t sl_conn_plain_len(const struct sl_conn *conn);
/* Tells that the transport's stream ended. Without a close_notify before, the data may be truncated:
 * errors: SL_E_TRUNCATED, which is also the failure then; SL_E_CLOSED the connection had failed already; SL_E_STATE between
 *         a feed and its run */
SL_API SL_MUST_USE sl_err sl_conn_feed_end(struct sl_conn *conn);

/* Room `wire` must have to send text_len bytes. */
SL_API size_t sl_conn_wire_bound(const struct sl_conn *conn, size_t text_len);
/* Turns text into application data records at wire[0..*wire_len), filled by the run. All or nothing.
 * errors: SL_E_STATE the handshake is not done; SL_E_CLOSED; SL_E_SPACE; SL_E_FULL the batch has no room for its records;
 *         SL_E_SEQ more records than the key may still carry: run the batch, which replaces it, and send again; SL_E_OVERLAP
 * note:   An empty text makes no record. Text in place (one piece, one record) begins at wire + SL_RECORD_HEADER_LEN. */
SL_API SL_MUST_USE sl_err sl_conn_send(struct sl_conn *conn, struct sl_batch *batch, const struct iovec *text,
                                       size_t n_text, uint8_t *wire, size_t wire_cap, size_t *wire_len);
/* Says close_notify after everything sent so far; the record appears in the output. What the peer still sends may be fed;
 * a handshake that is under way ends. Idempotent; never fails, also when there is nothing left to close. */
SL_API SL_MUST_USE sl_err sl_conn_close(struct sl_conn *conn, struct sl_batch *batch);
/* Replaces our sending key, and asks the peer to replace its own when ask_peer; the record appears in the output.
 * The library does this by itself before RFC 8446 5.5's limits. errors: SL_E_STATE, SL_E_CLOSED */
SL_API SL_MUST_USE sl_err sl_conn_key_update(struct sl_conn *conn, struct sl_batch *batch, bool ask_peer);

/* Bytes the connection itself wants transmitted: handshake, alerts, key updates. */
SL_API size_t sl_conn_output_len(const struct sl_conn *conn);
/* Moves up to cap of them to wire; returns how many. */
SL_API size_t sl_conn_take_output(struct sl_conn *conn, uint8_t *wire, size_t cap);

/* Completes a signature that an sl_sign_fn left pending: queues the rest of the handshake's flight into `batch`.
 * A failure of the signer is told with sig == NULL. The text to be signed stays valid until this call, or until
 * sl_conn_free(), even when the connection fails before.
 * errors: SL_E_STATE none is pending; SL_E_LENGTH; SL_E_CLOSED the handshake ended meanwhile: the signature is of no use */
SL_API SL_MUST_USE sl_err sl_conn_sign_complete(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *sig,
                                                size_t sig_len);

/* What was negotiated. Strings are never NULL and live as long as the connection. */
struct sl_negotiated {
  const char *version;          /* "TLS 1.3" */
  const char *suite;            /* "TLS_AES_128_GCM_SHA256"; "" before the ServerHello */
  const char *group;            /* "x25519", "secp256r1" */
  const char *signature_scheme; /* "ecdsa_secp256r1_sha256" */
  const char *server_name;      /* the client's SNI; "" when it sent none */
  const char *alpn;             /* the protocol chosen; "" when none */
  const char *kernel;           /* the AEAD kernel of the sending key */
  bool retried;                 /* there was a HelloRetryRequest */
};
SL_API void sl_conn_info(const struct sl_conn *conn, struct sl_negotiated *info);

/* Why a connection failed. */
struct sl_failure {
  sl_err reason;       /* SL_OK while it has not failed */
  uint16_t alert;      /* enum sl_alert sent or received; SL_ALERT_NONE when neither */
  bool alert_received; /* the peer sent it */
  uint8_t message;     /* handshake message type being processed; 0 none */
  int32_t extension;   /* extension being processed; -1 none */
  char text[144];      /* a sentence an operator can act on */
};
SL_API const struct sl_failure *sl_conn_failure(const struct sl_conn *conn);

#ifdef __cplusplus
}
#endif
#endif
