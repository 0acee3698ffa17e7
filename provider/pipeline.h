/* pipeline.h - many texts in one call, under one key: the pipelines that OpenSSL has from 3.5 on (EVP_CipherPipelineEncryptInit()
 * ...). It is the one place where OpenSSL gives more than one text at a time: they go side by side through the kernels, as the
 * records of a batch do. No provider of OpenSSL's own has it.
 *
 * An older libcrypto passes over these entries of a table, as over any number it does not know: that is the whole check. */
#ifndef SEALANE_PROVIDER_PIPELINE_H
#define SEALANE_PROVIDER_PIPELINE_H

#include "cipher.h"

/* What the headers of 3.0 do not have. */
enum {
  FUNC_PIPELINE_ENCRYPT_INIT = 15,
  FUNC_PIPELINE_DECRYPT_INIT = 16,
  FUNC_PIPELINE_UPDATE = 17,
  FUNC_PIPELINE_FINAL = 18,
  PIPES_MAX = 32, /* EVP_MAX_PIPES */
};
#define PARAM_PIPELINE_TAG "pipeline-tag"

/* The entries of a cipher's table; the context begins with a struct cipher. Each text has its own IV, AAD, length and tag. A
 * text may come in any number of pieces. Until the next plain init, the plain calls are refused.
 * key, iv:  NULL keeps what there is, when the number of pipes stays. An IV serves for one text
 * out:      NULL: the pieces are AAD
 * errors:   PROV_E_PIPES another number of pipes than was begun with, or none. Nothing is done then, nor when an argument
 *           is invalid. final: PROV_E_AUTH when one tag or more is wrong; all the texts have ended */
int pipeline_seal_init(void *ctx, const unsigned char *key, size_t key_len, size_t n, const unsigned char **iv,
                       size_t iv_len, const OSSL_PARAM params[]);
int pipeline_open_init(void *ctx, const unsigned char *key, size_t key_len, size_t n, const unsigned char **iv,
                       size_t iv_len, const OSSL_PARAM params[]);
int pipeline_update(void *ctx, size_t n, unsigned char **out, size_t *out_len, const size_t *out_cap,
                    const unsigned char **in, const size_t *len);
int pipeline_final(void *ctx, size_t n, unsigned char **out, size_t *out_len, const size_t *out_cap);

#define PIPELINE_FUNCTIONS                                                                                             \
  {FUNC_PIPELINE_ENCRYPT_INIT, FUNCTION(pipeline_seal_init)},                                                          \
      {FUNC_PIPELINE_DECRYPT_INIT, FUNCTION(pipeline_open_init)}, {FUNC_PIPELINE_UPDATE, FUNCTION(pipeline_update)}, { \
    FUNC_PIPELINE_FINAL, FUNCTION(pipeline_final)                                                                      \
  }

/* For cipher.c. c has no pipes of its own: it gets copies of these (NULL: none). Returns false after an error was added. */
bool pipeline_copy(struct cipher *c, const struct pipes *pipes);
void pipeline_free(struct cipher *c);

/* The parameter "pipeline-tag": a pointer to an array of as many buffers as there are pipes, each of the parameter's size. */
int pipeline_set_tags(struct cipher *c, const OSSL_PARAM *p);
int pipeline_get_tags(const struct cipher *c, const OSSL_PARAM *p);

#endif
