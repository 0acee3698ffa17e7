/* pump.h - a server connection with a batch of its own and its wire in memory. Buffers handed to the library are exactly
 * as long as it asks for, so that sanitizers see any access past them. */
#ifndef SEALANE_TESTS_PUMP_H
#define SEALANE_TESTS_PUMP_H

#include <handshake/buffer.h>
#include <handshake/conn.h>
#include <sealane/sealane.h>

struct pump {
  struct sl_conn *conn;
  struct sl_batch batch;
  void *batch_mem;
  struct sl_buffer to_peer;  /* everything the connection transmitted that nobody took */
  struct sl_buffer received; /* application data */
  sl_err feed_err;           /* what the last feed said */
};

/* Called around every call of the library that may allocate: true before, false after. NULL: nobody is interested. */
extern void (*pump_hook)(bool enters);

/* A configuration with one certificate of a kind made_certs.h knows, for "localhost"; or the default, "EC:P-256". */
struct sl_config *pump_config(const char *key_kind);
void pump_open(struct pump *p, struct sl_config *config, size_t n_records);
void pump_close(struct pump *p);
/* Feeds, runs and collects. Returns what sl_conn_feed() said. */
sl_err pump_feed(struct pump *p, const uint8_t *wire, size_t len);
/* Sends, runs and collects. Returns what sl_conn_send() said. */
sl_err pump_send(struct pump *p, const uint8_t *text, size_t len);
/* Runs and collects. */
void pump_run(struct pump *p);

#endif
