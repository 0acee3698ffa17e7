/* pairs.h - TLS 1.3 connections of OpenSSL's libssl, client and server in this process, made by real handshakes.
 *
 * Their wire is memory: a BIO that copies to and from where a struct wire points, and does nothing else. (BIO_s_mem grows
 * and shrinks a buffer of its own at each record; this is faster, and what a caller has who wants the bytes.) */
#ifndef SEALANE_BENCH_PAIRS_H
#define SEALANE_BENCH_PAIRS_H

#include <openssl/ssl.h>
#include <sealane/record.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One direction: bytes [begin,end) are on their way. */
struct wire {
  uint8_t *data;
  size_t cap, begin, end;
};

/* A key, its certificate, and what both sides of a libssl connection need of them. */
struct identity {
  SSL_CTX *server, *client;
  char *cert_pem, *key_pem; /* for whoever else wants to be the server */
};
/* P-256, self-signed. Connections will have this suite. Ends the program when libcrypto or libssl refuses. */
void identity_make(struct identity *id, enum sl_aead aead);
void identity_free(struct identity *id);

/* A new SSL that reads from and writes to these wires; is_server says which side it is. */
SSL *pairs_new_ssl(const struct identity *id, bool is_server, struct wire *in, struct wire *out);
/* One step of a handshake; ends the program when it failed. True when it is done. */
bool pairs_step(SSL *ssl, const char *who);
/* Ends the program with libssl's reason. */
_Noreturn void pairs_die(const char *what);

struct pair {
  SSL *server, *client;
  uint8_t secret[64]; /* server_application_traffic_secret_0 */
  size_t secret_len;
};

/* n connections that share two wires, so that one at a time may use them. */
struct pairs {
  enum sl_aead aead;
  size_t n;
  struct pair *pair;
  struct wire to_server, to_client;
  uint8_t *memory; /* of the wires while hands are shaken */
};
/* Makes n connections by n handshakes; `mode` is SSL_MODE_* bits. progress is called now and then. */
void pairs_init(struct pairs *p, const struct identity *id, enum sl_aead aead, size_t n, uint64_t mode,
                void (*progress)(void *ctx, size_t n_done), void *ctx);
void pairs_free(struct pairs *p);
/* Makes the record key of the server's direction: the same connection, ready to be sealed or opened by Sealane. */
void pairs_record_key(const struct pairs *p, size_t i, struct sl_record_key *key);

#endif
