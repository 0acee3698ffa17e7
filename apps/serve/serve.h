/* serve.h - what the parts of the server know of each other: the server, its threads (workers), their connections.
 *
 *   main.c      start, signals, stop          loop.c        one worker: its ring, its turns
 *   options.c   the command line              conn.c        one connection: TLS, and bytes in and out
 *   listen.c    listening sockets             conn_input.c  what arrives on it
 *   http.c      requests                      exchange.c    one request and its answer
 *   files.c     targets to files              fields.c      ranges, conditions, dates
 *   pool.c      bounded memory                page.c        the built-in page and /live.json
 *   stats.c     figures                       timer.c       deadlines
 *   text.c      growing text                  mime.c        content types
 */
#ifndef SEALANE_SERVE_H
#define SEALANE_SERVE_H

#include "exchange.h"
#include "listen.h"
#include "options.h"
#include "pool.h"
#include "stats.h"
#include "timer.h"
#include <liburing.h>
#include <pthread.h>
#include <sealane/sealane.h>
#include <semaphore.h>

enum server_stop {
  STOP_NO,
  STOP_GRACEFULLY, /* finish what has begun */
  STOP_NOW         /* cut what is left */
};

struct server {
  const struct options *options;
  struct sl_config *config;
  int root_fd; /* -1: the built-in page */
  struct worker *workers;
  size_t n_workers;
  size_t max_connections;
  uint64_t started_ms;
  sem_t started;         /* posted by each worker when its ring is set up, or failed */
  int done_fd;           /* eventfd, written by each worker when it ends */
  _Atomic size_t n_open; /* connections; the only thing all workers write, once per connection and end */
  _Atomic int stop;      /* enum server_stop */
};

/* Memory. Everything a worker holds for bytes on their way is one of these; connections wait when a pool is empty.
 *
 * With n workers: large buffers 24 MiB / n in all and at least 8 per worker, small ones 4 MiB / n and at least 64,
 * received bytes 1 MiB, the arena 2 MiB, cold reads 8 * 64 KiB, kept input 4 MiB / n and at least 1 MiB. */
enum {
  TEXT_LARGE = 65536, /* plaintext of one send: 4 full records */
  TEXT_SMALL = 6144,
  WIRE_LARGE = 73728, /* what that becomes, and up to 8 KiB of the connection's own output behind it */
  WIRE_SMALL = 8192,
  RECV_LEN = 4096, /* one provided buffer: requests and ClientHellos are smaller */
  N_RECV = 256,
  ARENA_LEN = 2097152,
  N_COLD = 8,
  N_BATCH = 1024,        /* records of one run */
  IN_MAX = 32768,        /* wire bytes kept unread for one connection before receiving stops */
  LINGER_MS = 2000,      /* how long a peer that has it all may take to close its side after we closed ours */
  LINGER_MAX = 1048576,  /* and how many bytes it may still send */
  DRAIN_IDLE_MS = 100,   /* after SIGTERM: for requests that are already in the kernel */
  ACCEPT_RETRY_MS = 100, /* after the limit of connections or of files was hit */
  PROGRESS_LEN = 65536   /* bytes of a request body, or of answers, that earn a new --stall-timeout */
};

enum conn_phase {
  CONN_HANDSHAKE,
  CONN_OPEN,
  CONN_FLUSH,  /* the last bytes (an alert, close_notify) are on their way */
  CONN_LINGER, /* our side is closed: what the peer still sends is dropped until it closes too, because closing with
                  bytes unread makes the kernel send a reset, which can overtake the alert */
  CONN_DEAD    /* waits for its operations in the ring to end */
};

/* What the connection's timer is for. */
enum conn_timing { TIMING_NONE, TIMING_HANDSHAKE, TIMING_REQUEST, TIMING_IDLE, TIMING_SEND, TIMING_LINGER };

/* Received bytes that wait for their feed on the heap, since a connection must not hold provided buffers for long. */
struct kept {
  struct kept *next;
  size_t len, off;
  uint8_t bytes[];
};

struct conn {
  struct link queue; /* in worker.work, a turn's list, a pool's waiters or worker.dead */
  struct link all;
  struct timer timer;
  struct sl_conn *tls;       /* made when the first byte arrives, freed when our side is closed */
  struct exchange *exchange; /* the request that is arriving or being answered */

  struct kept *in_first, **in_last; /* wire bytes kept on the heap, after those in provided buffers */
  struct kept *held;                /* plaintext behind the request being answered: pipelined requests */
  uint8_t *wire;                    /* the one buffer on its way out, from `pool` */
  uint8_t *cold;                    /* file data read through the ring */
  const uint8_t *fed;               /* this turn's plaintext */
  struct pool *wire_pool;
  struct pool *waits_for; /* the pool that had nothing left */
  size_t in_len;          /* of in_first.., with what keeping costs */
  size_t wire_len, wire_off;
  size_t cold_len;
  size_t lingered_len;
  uint64_t body_mark;   /* exchange body bytes at the last extension of TIMING_REQUEST */
  uint64_t acked_mark;  /* bytes the peer had acknowledged at progress_ms */
  uint64_t progress_ms; /* when it had last taken enough of the answers */
  struct address peer;  /* with --verbose */
  int fd;
  int recv_first, recv_last; /* provided buffers that wait, linked through worker.recv_next; -1 none */
  int feeding_recv;          /* the provided buffer of this turn's feed; -1 none */
  struct kept *feeding_kept; /* or the kept one */
  uint8_t n_ops;             /* operations in the ring that name this connection */
  uint8_t phase;             /* enum conn_phase */
  uint8_t timing;            /* enum conn_timing */
  bool recv_is_armed, recv_is_cancelled, is_sending, is_reading;
  bool has_fin;     /* the peer's stream has ended */
  bool wants_close; /* say close_notify when the answers before it are sealed */
  bool said_close;
  bool has_failed;     /* the TLS connection, and it was counted */
  bool cold_is_sealed; /* the batch is done with conn.cold after this turn */
  bool is_in_turn;     /* between the two halves of a turn: the batch holds pointers into it */
};

struct listener {
  struct worker *worker;
  int fd;
  bool is_armed;
};

struct worker {
  struct server *server;
  size_t index;
  pthread_t thread;
  struct listener *listeners;
  size_t n_listeners;
  int wake_fd; /* eventfd, written by the main thread after it changed server.stop */
  int error;   /* errno of what made the ring unusable; 0 none. Known after server.started, and after the thread */
  uint64_t wake_word;

  struct io_uring ring;
  struct io_uring_buf_ring *recv_ring;
  uint8_t *recv_mem;
  int16_t recv_next[N_RECV];
  uint16_t recv_len[N_RECV];

  struct sl_batch batch;
  void *batch_mem;
  struct arena arena;
  struct pool large, small, cold;
  size_t kept_len, kept_max; /* input on the heap, with what keeping costs */

  struct timer_wheel wheel;
  struct timer accept_timer;
  struct link work; /* connections with something to do in the next turn */
  struct link dead; /* whose operations are ending */
  struct link all;
  uint64_t now_ms;
  int64_t now_s;
  char date[FIELDS_DATE_CAP];
  size_t n_conns;
  size_t n_cut; /* connections that STOP_NOW ended amid a request or an answer */
  bool is_draining, is_cutting, accept_is_paused;
  struct stats stats;
};

/* ---- loop.c ---- */

/* returns: NULL when this kernel and sandbox can do all that the loop asks for, else a sentence */
const char *loop_probe(void);
/* Writes why a ring cannot be had: a sentence. */
void loop_write_error(int error, char *out, size_t cap);
/* Takes a worker's memory and event. returns: false when there is none, errno says why */
bool worker_init(struct worker *worker, struct server *server, size_t index, const int *listen_fds, size_t n_listen);
void worker_free(struct worker *worker);
/* The thread. */
void *worker_run(void *worker);

/* For conn.c: operations in the ring. */
void loop_recv(struct worker *worker, struct conn *conn);
void loop_recv_cancel(struct worker *worker, struct conn *conn);
void loop_send(struct worker *worker, struct conn *conn);
void loop_read(struct worker *worker, struct conn *conn, int fd, uint64_t off, size_t len, bool must_block);
void loop_read_cancel(struct worker *worker, struct conn *conn);
/* Gives a provided buffer back to the kernel. */
void loop_recv_recycle(struct worker *worker, int id);
static inline uint8_t *loop_recv_bytes(struct worker *worker, int id) {
  return worker->recv_mem + (size_t)id * RECV_LEN;
}
/* A place for a connection is free again. */
void loop_conn_gone(struct worker *worker);

/* ---- conn.c ---- */

/* Takes an accepted socket over. returns: false (and closes it) when there is no memory */
bool conn_new(struct worker *worker, int fd);
/* Ends of operations: result as in the CQE. */
void conn_received(struct worker *worker, struct conn *conn, int result, int buffer_id, bool is_last);
void conn_sent(struct worker *worker, struct conn *conn, int result);
void conn_has_read(struct worker *worker, struct conn *conn, int result);
void conn_timed_out(struct worker *worker, struct conn *conn);
/* The two halves of a turn, around sl_batch_run(). returns: false when the arena or the batch is full, so that further
 * connections had better wait for the next turn */
bool conn_before_run(struct worker *worker, struct conn *conn);
void conn_after_run(struct worker *worker, struct conn *conn);
/* SIGTERM: end when nothing is owed any more. */
void conn_drain(struct worker *worker, struct conn *conn);
/* Would ending it now lose something: an answer, or bytes of one that the peer has not acknowledged? */
bool conn_is_owed(const struct conn *conn);
/* Ends it without another word; with a reset when is_reset. */
void conn_kill(struct worker *worker, struct conn *conn, bool is_reset);
/* Frees a dead connection whose operations have ended (n_ops is 0). */
void conn_free(struct worker *worker, struct conn *conn);

#endif
