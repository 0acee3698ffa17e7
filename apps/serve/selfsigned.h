/* selfsigned.h - a certificate for trying things out, made in memory at each start. */
#ifndef SEALANE_SERVE_SELFSIGNED_H
#define SEALANE_SERVE_SELFSIGNED_H

#include <sealane/tls.h>

/* Adds a fresh P-256 key and its self-signed certificate (localhost, 127.0.0.1, ::1; 90 days) to the configuration. The
 * key exists in memory only. errors: SL_E_RANDOM, SL_E_MEMORY and those of sl_config_add_cert_pem() */
SL_MUST_USE sl_err selfsigned_add(struct sl_config *config);

#endif
