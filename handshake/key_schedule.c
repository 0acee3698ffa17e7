/* key_schedule.c - RFC 8446 section 7.1 to 7.3. Time depends on lengths alone; no intermediate value outlives its call. */
#include "key_schedule.h"
#include <engine/bytes.h>
#include <engine/hkdf.h>

sl_err sl_derive_secret(enum sl_hash hash, const struct sl_secret *secret, const char *label,
                        const uint8_t *transcript_hash, struct sl_secret *out) {
  uint8_t empty_hash[SL_HASH_LEN_MAX];
  if (transcript_hash == NULL) {
    sl_err err = sl_hash_once(hash, NULL, 0, empty_hash);
    if (err) return err;
    transcript_hash = empty_hash;
  }
  size_t len = sl_hash_len(hash);
  return sl_hkdf_expand_label(hash, secret->bytes, label, transcript_hash, len, out->bytes, len);
}

sl_err sl_schedule_early(struct sl_key_schedule *schedule, enum sl_hash hash, const uint8_t *psk, size_t psk_len) {
  static const uint8_t zeros[SL_SECRET_MAX];
  size_t len = sl_hash_len(hash);
  if (len == 0 || len > SL_SECRET_MAX) return SL_E_ARG;
  schedule->hash = hash;
  return sl_hkdf_extract(hash, NULL, 0, psk_len > 0 ? psk : zeros, psk_len > 0 ? psk_len : len, schedule->secret.bytes);
}

/* One step down the spine of the schedule: secret = HKDF-Extract(Derive-Secret(secret, "derived", ""), ikm). */
static sl_err next_stage(struct sl_key_schedule *schedule, const uint8_t *ikm, size_t ikm_len) {
  sl_err err = sl_derive_secret(schedule->hash, &schedule->secret, "derived", NULL, &schedule->secret);
  if (err) return err;
  return sl_hkdf_extract(schedule->hash, schedule->secret.bytes, sl_hash_len(schedule->hash), ikm, ikm_len,
                         schedule->secret.bytes);
}

sl_err sl_schedule_handshake(struct sl_key_schedule *schedule, const uint8_t *shared, size_t shared_len,
                             const uint8_t *hello_hash, struct sl_secret *client, struct sl_secret *server) {
  sl_err err = next_stage(schedule, shared, shared_len);
  if (!err) err = sl_derive_secret(schedule->hash, &schedule->secret, "c hs traffic", hello_hash, client);
  if (!err) err = sl_derive_secret(schedule->hash, &schedule->secret, "s hs traffic", hello_hash, server);
  return err;
}

sl_err sl_schedule_master(struct sl_key_schedule *schedule) {
  static const uint8_t zeros[SL_SECRET_MAX];
  return next_stage(schedule, zeros, sl_hash_len(schedule->hash));
}

sl_err sl_schedule_traffic(const struct sl_key_schedule *schedule, const uint8_t *flight_hash, struct sl_secret *client,
                           struct sl_secret *server, struct sl_secret *exporter) {
  sl_err err = sl_derive_secret(schedule->hash, &schedule->secret, "c ap traffic", flight_hash, client);
  if (!err) err = sl_derive_secret(schedule->hash, &schedule->secret, "s ap traffic", flight_hash, server);
  if (!err) err = sl_derive_secret(schedule->hash, &schedule->secret, "exp master", flight_hash, exporter);
  return err;
}

sl_err sl_secret_update(enum sl_hash hash, struct sl_secret *secret) {
  return sl_hkdf_expand_label(hash, secret->bytes, "traffic upd", NULL, 0, secret->bytes, sl_hash_len(hash));
}

sl_err sl_secret_record_key(enum sl_hash hash, enum sl_aead aead, const struct sl_secret *secret,
                            struct sl_record_key *key) {
  uint8_t aead_secret[32], iv[SL_AEAD_NONCE_LEN];
  size_t len = sl_aead_secret_len(aead);
  sl_record_key_wipe(key);
  if (len == 0 || len > sizeof aead_secret) return SL_E_ARG;
  sl_err err = sl_hkdf_expand_label(hash, secret->bytes, "key", NULL, 0, aead_secret, len);
  if (!err) err = sl_hkdf_expand_label(hash, secret->bytes, "iv", NULL, 0, iv, sizeof iv);
  if (!err) err = sl_record_key_init(key, aead, aead_secret, len, iv);
  sl_wipe(aead_secret, sizeof aead_secret);
  sl_wipe(iv, sizeof iv);
  return err;
}

sl_err sl_secret_finished(enum sl_hash hash, const struct sl_secret *secret, const uint8_t *transcript_hash,
                          uint8_t *verify_data) {
  struct sl_secret finished_key;
  size_t len = sl_hash_len(hash);
  sl_err err = sl_hkdf_expand_label(hash, secret->bytes, "finished", NULL, 0, finished_key.bytes, len);
  if (!err) err = sl_hmac_once(hash, finished_key.bytes, len, transcript_hash, len, verify_data);
  sl_wipe(&finished_key, sizeof finished_key);
  return err;
}
