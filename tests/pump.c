/* pump.c - see pump.h. */
#include "pump.h"
#include "made_certs.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

void (*pump_hook)(bool enters);

static void library(bool enters) {
  if (pump_hook != NULL) pump_hook(enters);
}

struct sl_config *pump_config(const char *key_kind) {
  struct sl_config *config;
  EVP_PKEY *key = make_key(key_kind ? key_kind : "EC:P-256");
  struct cert_wishes wishes = {.names = "DNS:localhost"};
  X509 *cert = make_cert(key, &wishes);
  char *chain = pem_of_cert(cert), *key_pem = pem_of_key(key);
  assert_int_equal(sl_config_new(&config), SL_OK);
  if (sl_config_add_cert_pem(config, chain, strlen(chain), key_pem, strlen(key_pem)) != SL_OK)
    fail_msg("%s", sl_config_why(config));
  free(chain);
  free(key_pem);
  X509_free(cert);
  EVP_PKEY_free(key);
  return config;
}

void pump_open(struct pump *p, struct sl_config *config, size_t n_records) {
  *p = (struct pump){0};
  size_t mem_len = sl_batch_mem_len(n_records);
  p->batch_mem = aligned_alloc(64, (mem_len + 63) / 64 * 64);
  assert_non_null(p->batch_mem);
  assert_int_equal(sl_batch_init(&p->batch, n_records, p->batch_mem, mem_len), SL_OK);
  assert_int_equal(sl_conn_new(&p->conn, config), SL_OK);
}

void pump_close(struct pump *p) {
  sl_conn_free(p->conn);
  sl_batch_wipe(&p->batch);
  free(p->batch_mem);
  sl_buffer_free(&p->to_peer);
  sl_buffer_free(&p->received);
}

static void collect(struct pump *p) {
  uint8_t piece[1000];
  size_t n;
  while ((n = sl_conn_take_output(p->conn, piece, sizeof piece)) > 0)
    assert_int_equal(sl_buffer_append(&p->to_peer, piece, n), SL_OK);
  assert_int_equal(sl_conn_output_len(p->conn), 0);
}

void pump_run(struct pump *p) {
  library(true);
  sl_batch_run(&p->batch);
  library(false);
  collect(p);
}

sl_err pump_feed(struct pump *p, const uint8_t *wire, size_t len) {
  size_t cap = sl_conn_plain_bound(p->conn, len);
  uint8_t *exact = malloc(len + 1), *plain = malloc(cap + 1);
  assert_non_null(exact);
  assert_non_null(plain);
  memcpy(exact + 1, wire, len); /* at an odd address, ending where the allocation does */
  library(true);
  sl_err err = p->feed_err = sl_conn_feed(p->conn, &p->batch, exact + 1, len, plain, cap);
  library(false);
  pump_run(p);
  if (err == SL_OK && sl_conn_plain_len(p->conn) > 0)
    assert_int_equal(sl_buffer_append(&p->received, plain, sl_conn_plain_len(p->conn)), SL_OK);
  free(exact);
  free(plain);
  return err;
}

sl_err pump_send(struct pump *p, const uint8_t *text, size_t len) {
  size_t cap = sl_conn_wire_bound(p->conn, len), wire_len;
  uint8_t *wire = malloc(cap + 1);
  struct iovec piece = {(void *)(uintptr_t)text, len};
  assert_non_null(wire);
  sl_err err = sl_conn_send(p->conn, &p->batch, &piece, 1, wire, cap, &wire_len);
  sl_batch_run(&p->batch);
  if (wire_len > 0) assert_int_equal(sl_buffer_append(&p->to_peer, wire, wire_len), SL_OK);
  collect(p);
  free(wire);
  return err;
}
