/* key_schedule.h - the secrets of a TLS 1.3 connection, named after the stages of RFC 8446 7.1. Each stage overwrites the
 * secret before it, so that one object holds exactly what the next stage needs. */
#ifndef SEALANE_HANDSHAKE_KEY_SCHEDULE_H
#define SEALANE_HANDSHAKE_KEY_SCHEDULE_H

#include <engine/sha2.h>
#include <sealane/record.h>

/* The longest hash of a TLS 1.3 suite: SHA-384. */
#define SL_SECRET_MAX 48u

/* A secret of the suite's hash length. */
struct sl_secret {
  uint8_t bytes[SL_SECRET_MAX];
};

struct sl_key_schedule {
  enum sl_hash hash;
  struct sl_secret secret; /* early, then handshake, then master secret */
};

/* Early Secret = HKDF-Extract(0, PSK); psk NULL with 0: a connection without one. */
SL_MUST_USE sl_err sl_schedule_early(struct sl_key_schedule *schedule, enum sl_hash hash, const uint8_t *psk,
                                     size_t psk_len);
/* Handshake Secret from the (EC)DHE shared secret, and both sides' handshake traffic secrets; `hello_hash` is the
 * transcript of ClientHello...ServerHello. */
SL_MUST_USE sl_err sl_schedule_handshake(struct sl_key_schedule *schedule, const uint8_t *shared, size_t shared_len,
                                         const uint8_t *hello_hash, struct sl_secret *client, struct sl_secret *server);
/* Master Secret. */
SL_MUST_USE sl_err sl_schedule_master(struct sl_key_schedule *schedule);
/* Both sides' first application traffic secrets and the exporter secret; `flight_hash` is the transcript of
 * ClientHello...server Finished. */
SL_MUST_USE sl_err sl_schedule_traffic(const struct sl_key_schedule *schedule, const uint8_t *flight_hash,
                                       struct sl_secret *client, struct sl_secret *server, struct sl_secret *exporter);

/* Derive-Secret(secret, label, messages) with the hash of the messages given; transcript_hash NULL: of no messages. */
SL_MUST_USE sl_err sl_derive_secret(enum sl_hash hash, const struct sl_secret *secret, const char *label,
                                    const uint8_t *transcript_hash, struct sl_secret *out);
/* application_traffic_secret_N+1 replaces _N (RFC 8446 7.2). */
SL_MUST_USE sl_err sl_secret_update(enum sl_hash hash, struct sl_secret *secret);
/* The record key of a traffic secret (RFC 8446 7.3). On error the key is empty. */
SL_MUST_USE sl_err sl_secret_record_key(enum sl_hash hash, enum sl_aead aead, const struct sl_secret *secret,
                                        struct sl_record_key *key);
/* verify_data of a Finished (RFC 8446 4.4.4): sl_hash_len(hash) bytes. */
SL_MUST_USE sl_err sl_secret_finished(enum sl_hash hash, const struct sl_secret *secret, const uint8_t *transcript_hash,
                                      uint8_t *verify_data);

#endif
