/* client.h - a small TLS 1.3 client for fault tests: it does what a test tells it to, right or wrong. It shares the library's
 * codec and key schedule; that these are right is shown by tests against RFC 8448 and libssl.
 *
 * A client writes bytes to `wire`, for the server, and is handed the server's with client_take(). */
#ifndef SEALANE_TESTS_CLIENT_H
#define SEALANE_TESTS_CLIENT_H

#include <handshake/codec.h>
#include <handshake/key_schedule.h>
#include <handshake/parameters.h>

#define HELLO_EXTENSIONS_MAX 40

/* A ClientHello in parts, for tests to change. */
struct hello {
  uint16_t legacy_version;
  uint8_t random[32];
  struct sl_buffer session_id, suites, compression;
  bool has_extensions;
  size_t n_extensions;
  struct {
    uint16_t type;
    struct sl_buffer body;
  } extensions[HELLO_EXTENSIONS_MAX];
  struct sl_buffer trailer; /* bytes behind the extensions */
};

void buffer_set(struct sl_buffer *buffer, const void *data, size_t len);
/* Sets an extension's body where it stands, or adds it at the end. */
void hello_set(struct hello *hello, uint16_t type, const void *body, size_t len);
/* Adds an extension at the end, even if there is one. */
void hello_add(struct hello *hello, uint16_t type, const void *body, size_t len);
void hello_remove(struct hello *hello, uint16_t type);
void hello_free(struct hello *hello);

struct client {
  struct hello hello; /* what client_say_hello() says; a plain browser-like one after client_open() */
  struct sl_buffer wire;
  struct sl_buffer transcript;
  const struct sl_suite_params *suite; /* NULL before the ServerHello */
  const struct sl_group_params *group; /* of the key share; x25519 after client_open() */
  uint8_t exchange_secret[SL_EXCHANGE_SECRET_LEN], share[SL_SHARE_MAX];
  struct sl_key_schedule schedule;
  struct sl_secret client_handshake, server_handshake, read_secret, write_secret, exporter;
  struct sl_record_key read, write;
  enum client_level { CLIENT_PLAIN, CLIENT_HANDSHAKE, CLIENT_TRAFFIC } read_level, write_level;
  struct sl_buffer from_server; /* an incomplete record */
  struct sl_buffer message;     /* incomplete handshake messages */
  struct sl_buffer said;        /* all handshake message bytes of the server */
  struct sl_buffer data;        /* application data */
  unsigned n_ccs, n_key_updates, n_update_requests, n_records;
  bool was_retried, got_flight, got_close;
  int alert; /* -1: none came */
  enum client_level alert_level;
};

/* With an x25519 share, or without one, which gets it a HelloRetryRequest. */
void client_open(struct client *client, bool has_share);
/* Takes another group for the key share, as the only one there is. */
void client_take_group(struct client *client, uint16_t group);
void client_close(struct client *client);

/* The message as it stands in client->hello, its header included; also into the transcript. */
void client_write_hello(struct client *client, struct sl_buffer *message);
/* The same as one unprotected record per 2^14 bytes, on the wire. */
void client_say_hello(struct client *client);
/* Puts the key share in place, for the second hello. */
void client_add_share(struct client *client);

/* One record, unprotected. */
void client_plain(struct client *client, uint8_t type, const void *data, size_t len);
/* One record with the keys of client->write_level. */
void client_sealed(struct client *client, uint8_t type, const void *data, size_t len, size_t pad_len);
/* The Finished as a message, header included: 36 or 52 bytes. */
size_t client_finished(struct client *client, uint8_t *message);
/* The Finished on the wire; traffic keys from here on. */
void client_say_finished(struct client *client);
void client_say_key_update(struct client *client, uint8_t request);
/* Replaces the writing key without saying so. */
void client_rotate(struct client *client);

/* Looks at everything the server said. Fails the test when the server breaks the protocol. */
void client_take(struct client *client, const uint8_t *data, size_t len);

#endif
