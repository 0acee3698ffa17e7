/* conn.h - the inside of struct sl_conn, and how its parts work together:
 *
 *   conn.c      the calls of tls.h: what applications see
 *   input.c     bytes that arrived: deframed, opened side by side, handed on by content type, in order
 *   server.c    handshake messages: the state table
 *   output.c    what the connection itself says: alerts, key updates, handshake flights; and how it fails
 *
 * All that happens after a feed happens in the task's step (input.c), inside sl_batch_run(). A round of the batch runs
 * records before tasks, so every record an application queued this turn is sealed before a step can replace its key. */
#ifndef SEALANE_HANDSHAKE_CONN_H
#define SEALANE_HANDSHAKE_CONN_H

#include "buffer.h"
#include "config.h"
#include "failure.h"
#include "key_schedule.h"
#include "limits.h"
#include "messages.h"
#include <engine/work.h>

/* Where a connection stands: the rows of server.c's table. */
enum sl_state {
  SL_EXPECT_CLIENT_HELLO,
  SL_EXPECT_SECOND_HELLO, /* after a HelloRetryRequest */
  SL_AWAIT_KEY_EXCHANGE,
  SL_AWAIT_SIGNATURE,
  SL_AWAIT_FLIGHT, /* its records are being sealed */
  SL_EXPECT_FINISHED,
  SL_EXPECT_DATA, /* the handshake is done */
  SL_STATE_END
};

/* Which keys protect a record. */
enum sl_level { SL_LEVEL_PLAIN, SL_LEVEL_HANDSHAKE, SL_LEVEL_TRAFFIC };

/* Where a handshake's one piece of work is. */
enum sl_work_place {
  SL_WORK_NONE, /* done, or none was given */
  SL_WORK_QUEUED,
  SL_WORK_AWAY /* with an application's signer, who answers with sl_conn_sign_complete() */
};

/* What only a handshake needs: made when the ClientHello is complete, erased and freed when the handshake is. */
struct sl_handshake {
  struct sl_record_key read, write; /* of SL_LEVEL_HANDSHAKE */
  struct sl_conn *conn;
  struct sl_key_schedule schedule;
  struct sl_hash_ctx transcript;
  struct sl_secret client_secret, server_secret; /* handshake traffic secrets */
  struct sl_secret client_finished;              /* the verify_data the client's Finished must have */
  struct sl_buffer flight;                       /* EncryptedExtensions...Finished */

  enum sl_level write_level;
  enum sl_work_place work_place;
  sl_err work_err;
  struct sl_work work;

  uint8_t client_random[SL_HELLO_RANDOM_LEN];
  uint8_t session_id[SL_SESSION_ID_MAX];
  uint8_t session_id_len;
  bool skips_early_data;    /* the client offered 0-RTT and none of its second flight has come yet */
  uint32_t early_skipped;   /* bytes */
  uint8_t hello_digest[32]; /* of the first ClientHello, when there is to be a second */

  uint8_t exchange_secret[SL_EXCHANGE_SECRET_LEN], shared[SL_EXCHANGE_SHARED_LEN];
  uint8_t share[SL_SHARE_MAX], peer_share[SL_SHARE_MAX];

  const struct sl_credential *credential;
  const uint8_t *protocol; /* in the config's list; NULL: none */
  uint8_t protocol_len;
  size_t tbs_len, sig_len;
  uint8_t tbs[SL_SIGNED_TEXT_MAX];
  uint8_t sig[SL_SIGNATURE_MAX];
};

struct sl_conn {
  struct sl_record_key read, write; /* of SL_LEVEL_TRAFFIC */
  struct sl_task task;
  struct sl_config *config;
  struct sl_handshake *handshake; /* NULL before and after */

  /* Input. Bytes that do not make a whole record yet are kept in `kept`. In a turn whose feed completed it, that record
   * stands at its front, carry_len bytes long, and what the feed left over is behind it. */
  struct sl_buffer kept;
  const uint8_t *wire, *wire_end; /* the feed's whole records that were not taken yet */
  uint8_t *plain;
  size_t plain_len;         /* application data delivered this turn */
  size_t opened_off;        /* where in plain the next result stands */
  size_t opened_end;        /* behind the last one */
  struct sl_record *opened; /* lent by the batch, in order, results not taken yet */
  struct sl_buffer message; /* a handshake message that is not complete */

  struct sl_buffer output;
  uint16_t carry_len;
  uint16_t window; /* how many records to open at once next time */

  uint16_t suite, scheme;
  uint8_t n_idle; /* records in a row without data */
  uint8_t state;  /* enum sl_state */
  bool is_fed : 1;
  bool carry_taken : 1;
  bool has_failed : 1;
  bool read_closed : 1;  /* close_notify received */
  bool write_closed : 1; /* sl_conn_close() called */
  bool says_close : 1;   /* and its alert is due */
  bool update_due : 1;   /* KeyUpdate to be sent */
  bool update_asks : 1;  /* with update_requested */
  bool update_waits : 1; /* one is in the output, not transmitted yet */
  bool update_asked : 1; /* the peer was asked to replace this read key */
  bool was_retried : 1;
  bool has_server_name : 1;
  uint8_t group_at : 2; /* the group, by its row: sl_group_at() */

  union {
    struct {
      struct sl_secret read_secret, write_secret; /* application traffic secrets */
    };
    struct sl_failure failure; /* when has_failed: secrets are of no use then */
  };
  char *names; /* server_name, NUL, protocol, NUL; NULL: none of them */
};

enum { SL_ALLOCATION_OVERHEAD = 16 }; /* glibc's, for each */
_Static_assert(sizeof(struct sl_conn) + SL_ALLOCATION_OVERHEAD <= SL_CONN_IDLE_MAX,
               "an idle connection keeps too much");

static inline struct sl_conn *sl_conn_of_task(struct sl_task *task) {
  return (struct sl_conn *)(void *)((char *)task - offsetof(struct sl_conn, task));
}

/* ---- input.c -------------------------------------------------------------------------------------------------- */

/* The task's step: goes on until nothing is left but waiting. */
void sl_conn_step(struct sl_task *task, struct sl_batch *batch);
/* Cuts a feed into whole records and what is left over. errors: SL_E_MEMORY: nothing changed */
SL_MUST_USE sl_err sl_input_feed(struct sl_conn *conn, const uint8_t *wire, size_t wire_len);
/* Queues the opening of as many records as may be opened side by side now. What it could not queue it leaves.
 * errors: why there was not even one: SL_E_FULL, or what sl_record_open() says; SL_OK also when none is there */
sl_err sl_input_open(struct sl_conn *conn, struct sl_batch *batch);
/* Forgets results that were not taken: the same records are opened anew, with the key there is then. */
void sl_input_reopen(struct sl_conn *conn, struct sl_batch *batch);
/* Drops input and results that nobody will look at, and wipes their plaintext. */
void sl_input_drop(struct sl_conn *conn, struct sl_batch *batch);

/* ---- server.c ------------------------------------------------------------------------------------------------- */

/* The keys records are expected to arrive under. */
enum sl_level sl_state_level(enum sl_state state);
/* Takes handshake bytes from one record: keeps them, or has the message they complete handled. False: the connection
 * failed. */
bool sl_server_take(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *data, size_t len);
/* Goes on after work that a state awaited. False: there is nothing to go on with. */
bool sl_server_go_on(struct sl_conn *conn, struct sl_batch *batch);
/* Replaces the key of one direction by its successor. */
SL_MUST_USE sl_err sl_conn_replace_key(struct sl_conn *conn, struct sl_record_key *key, struct sl_secret *secret);
/* Erases and frees the handshake's memory; of what a signer still reads from, all that is secret. */
void sl_handshake_free(struct sl_conn *conn);

/* ---- output.c ------------------------------------------------------------------------------------------------- */

/* Appends one unprotected record. */
SL_MUST_USE sl_err sl_output_plain(struct sl_conn *conn, uint8_t type, const uint8_t *data, size_t len);
/* Seals content, in as many records as it takes, and appends them. The batch fills them in this round if it has room: then
 * conn->opened is not NULL until they are done. */
SL_MUST_USE sl_err sl_output_flight(struct sl_conn *conn, struct sl_batch *batch, struct sl_record_key *key,
                                    const uint8_t *data, size_t len);
/* Says what is due at the end of a turn: KeyUpdate, close_notify. */
SL_MUST_USE sl_err sl_output_due(struct sl_conn *conn);
/* Is a key so near its end that it should be replaced now? */
bool sl_key_is_worn(const struct sl_record_key *key);

/* One more record in a row without data. False: the connection failed, there were too many. */
bool sl_conn_count_idle(struct sl_conn *conn, struct sl_batch *batch);
/* Ends the connection: says the alert, keeps the failure, lets go of everything else. Always returns false. Outside a run
 * batch is NULL: nothing may be lent then, and the keys stay for records that wait. */
bool sl_conn_fail(struct sl_conn *conn, struct sl_batch *batch, const struct sl_failure *failure);
/* The same for a failure that needs no more than its reason's own sentence. */
bool sl_conn_fail_plainly(struct sl_conn *conn, struct sl_batch *batch, sl_err reason);

#endif
