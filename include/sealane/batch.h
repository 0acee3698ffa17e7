/* batch.h - all the work of one thread for one turn of its event loop, whatever connection it belongs to.
 *
 *   for each turn:
 *     sl_conn_feed() what arrived, sl_conn_send() what is to go      (tls.h; or sl_batch_add() bare records)
 *     sl_batch_run()                                                 all cryptography happens here, side by side
 *     collect plaintext, wire bytes and events
 *
 * A batch belongs to one thread. It allocates nothing: its memory is the caller's. */
#ifndef SEALANE_BATCH_H
#define SEALANE_BATCH_H

#include <sealane/record.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_task;
struct sl_work;

/* What a batch has done since sl_batch_init(). */
struct sl_batch_stats {
  uint64_t n_runs;          /* calls of sl_batch_run() that found work */
  uint64_t n_sealed;        /* records */
  uint64_t n_opened;        /* records, failed ones included */
  uint64_t n_open_failed;   /* records */
  uint64_t sealed_bytes;    /* text */
  uint64_t opened_bytes;    /* text */
  uint64_t n_key_exchanges; /* points times private keys, of any group: two a handshake */
  uint64_t n_signatures;
  uint64_t n_records_log2[16]; /* how many kernel passes took [2^i, 2^(i+1)) records: batch sizes as a histogram */
};

struct sl_batch {
  struct sl_aead_job *
      *jobs; /* of records that wait for this run: those to seal from the front, to open from the back */
  size_t n_records, n_opens; /* all that wait; those to open */
  size_t cap;
  struct sl_record *lendable;         /* records of the batch's own that connections borrow, free ones linked */
  struct sl_task *tasks, **tasks_end; /* connections to step, in order of waking */
  struct sl_work *works, **works_end; /* key exchanges, signatures */
  struct sl_batch_stats stats;
};

/* Bytes of memory a batch of up to n_records wants. */
SL_API size_t sl_batch_mem_len(size_t n_records);
/* Makes an empty batch of n_records over mem[0..mem_len), aligned to 16 bytes; mem belongs to it until sl_batch_wipe().
 * note:   the batch itself stays where it is until then, too: it points into itself
 * errors: SL_E_ARG n_records is 0 or mem NULL or misaligned; SL_E_SPACE mem_len is under sl_batch_mem_len(n_records) */
SL_API SL_MUST_USE sl_err sl_batch_init(struct sl_batch *batch, size_t n_records, void *mem, size_t mem_len);
/* Forgets everything and erases the memory, which is the caller's again; idempotent. */
SL_API void sl_batch_wipe(struct sl_batch *batch);

/* Adds a record prepared by sl_record_seal() or sl_record_open(), once.
 * errors: SL_E_FULL no room: run the batch and add again; SL_E_ARG the record is not pending */
SL_API SL_MUST_USE sl_err sl_batch_add(struct sl_batch *batch, struct sl_record *record);
/* Records that can still be added before SL_E_FULL. */
SL_API size_t sl_batch_room(const struct sl_batch *batch);

/* Does everything that was added, and what follows from it, until nothing is left but waiting for the caller.
 * out:   each record's results; a record that fails fails alone (see its err), its outputs zeroed
 * order: per key, wire order = order of sl_record_seal(); across keys unspecified
 * time:  independent of key and text bytes; lengths, types and key identity are public
 * ref:   RFC 8446 5.2-5.5 */
SL_API void sl_batch_run(struct sl_batch *batch);

#ifdef __cplusplus
}
#endif
#endif
