/* loop.c - one worker: a ring, its sockets, and turns.
 *
 *   a turn:  wait for the ring -> ends of operations, deadlines -> first half of every connection with work
 *            -> sl_batch_run(), once -> second half -> next
 *
 * Whatever became possible within a turn (a request was decrypted, its answer can be sealed) is work of the next one,
 * next to what arrived meanwhile: that is what fills the batch. */
#define _GNU_SOURCE
#include "serve.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SQ_ENTRIES = 1024, CQ_ENTRIES = 8192, RECV_GROUP = 0 };

/* What ended: the low bits of user_data, whose rest is a pointer to the listener or connection. */
enum op { OP_CANCEL, OP_WAKE, OP_ACCEPT, OP_RECV, OP_SEND, OP_READ, OP_MASK = 7 };

static uint64_t user_data(const void *object, enum op op) {
  return (uint64_t)(uintptr_t)object | (uint64_t)op;
}

static int ring_init(struct io_uring *ring, unsigned n_sq, unsigned n_cq) {
  /* Completions are worked off only when this thread asks for them: no interruptions, fuller turns. Linux 6.0 does not
   * know that yet. */
  struct io_uring_params params = {
      .flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, .cq_entries = n_cq};
  int result = io_uring_queue_init_params(n_sq, ring, &params);
  if (result != -EINVAL) return result;
  params = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN, .cq_entries = n_cq};
  return io_uring_queue_init_params(n_sq, ring, &params);
}

/* Registers a ring of n provided buffers, none in it yet. returns: 0 or a negative errno */
static int recv_ring_init(struct io_uring *ring, struct io_uring_buf_ring **recv_ring, unsigned n) {
  void *mem = NULL;
  if (posix_memalign(&mem, 4096, n * sizeof(struct io_uring_buf)) != 0) return -ENOMEM;
  struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)mem, .ring_entries = n, .bgid = RECV_GROUP};
  memset(mem, 0, n * sizeof(struct io_uring_buf));
  int result = io_uring_register_buf_ring(ring, &reg, 0);
  if (result < 0) {
    free(mem);
    return result;
  }
  *recv_ring = mem;
  io_uring_buf_ring_init(*recv_ring);
  return 0;
}

/* Has a multishot receive deliver a byte into a provided buffer. returns: 0, or a negative errno; -EINVAL: it did not */
static int probe_multishot(struct io_uring *ring, struct io_uring_buf_ring *recv_ring, uint8_t byte[static 1]) {
  int pair[2];
  struct io_uring_cqe *cqe;
  struct __kernel_timespec timeout = {.tv_sec = 1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return -errno;
  io_uring_buf_ring_add(recv_ring, byte, 1, 0, io_uring_buf_ring_mask(1), 0);
  io_uring_buf_ring_advance(recv_ring, 1);
  struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
  io_uring_prep_recv_multishot(sqe, pair[0], NULL, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = RECV_GROUP;
  bool works = send(pair[1], "x", 1, MSG_NOSIGNAL) == 1 &&
               io_uring_submit_and_wait_timeout(ring, &cqe, 1, &timeout, NULL) >= 0 && cqe->res == 1 &&
               (cqe->flags & IORING_CQE_F_BUFFER) != 0 && byte[0] == 'x';
  close(pair[0]);
  close(pair[1]);
  return works ? 0 : -EINVAL;
}

void loop_write_error(int error, char *out, size_t cap) {
  struct rlimit limit;
  int n = snprintf(out, cap, "io_uring cannot be set up: %s", strerror(error));
  /* Most often this: rings are locked memory, of which a user has little. */
  if (error == ENOMEM && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && n > 0 &&
      (size_t)n < cap)
    snprintf(out + n, cap - (size_t)n, " (%llu KiB of it may be locked; see ulimit -l, and --threads)",
             (unsigned long long)limit.rlim_cur / 1024);
}

const char *loop_probe(void) {
  static char why[256];
  struct io_uring ring;
  struct io_uring_buf_ring *recv_ring;
  uint8_t byte[1] = {0};
  int result = ring_init(&ring, 4, 8);
  if (result == -ENOSYS || result == -EPERM || result == -EACCES) {
    snprintf(why, sizeof(why),
             "io_uring is not available here (%s): the kernel, kernel.io_uring_disabled or a sandbox forbids it",
             strerror(-result));
    return why;
  }
  if (result == 0) {
    result = recv_ring_init(&ring, &recv_ring, 1);
    if (result == 0) {
      result = probe_multishot(&ring, recv_ring, byte);
      io_uring_unregister_buf_ring(&ring, RECV_GROUP);
    }
    io_uring_queue_exit(&ring); /* ends the receive too */
    if (result == 0) {
      free(recv_ring);
      return NULL;
    }
  }
  if (result == -EINVAL)
    return "this kernel's io_uring lacks multishot receives into provided buffers: Linux 6.0 is needed";
  loop_write_error(-result, why, sizeof(why));
  return why;
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static struct io_uring_sqe *get_sqe(struct worker *worker) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&worker->ring);
  while (sqe == NULL) { /* full: hand over what is there */
    int result = io_uring_submit(&worker->ring);
    if (result < 0 && result != -EINTR && result != -EBUSY && result != -EAGAIN) worker->error = -result;
    if (result == -EBUSY) io_uring_get_events(&worker->ring);
    sqe = io_uring_get_sqe(&worker->ring);
  }
  return sqe;
}

static void accept_arm(struct listener *listener) {
  struct io_uring_sqe *sqe = get_sqe(listener->worker);
  io_uring_prep_multishot_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(sqe, user_data(listener, OP_ACCEPT));
  listener->is_armed = true;
}

static void accept_arm_all(struct worker *worker) {
  worker->accept_is_paused = false;
  for (size_t i = 0; i < worker->n_listeners; i++) {
    if (!worker->listeners[i].is_armed) accept_arm(&worker->listeners[i]);
  }
}

static void cancel(struct worker *worker, uint64_t which) {
  struct io_uring_sqe *sqe = get_sqe(worker);
  io_uring_prep_cancel64(sqe, which, 0);
  io_uring_sqe_set_data64(sqe, user_data(NULL, OP_CANCEL));
}

static void accept_cancel_all(struct worker *worker) {
  for (size_t i = 0; i < worker->n_listeners; i++) {
    if (worker->listeners[i].is_armed) cancel(worker, user_data(&worker->listeners[i], OP_ACCEPT));
  }
}

/* Leaves new connections in the kernel's queue for a moment. */
static void accept_pause(struct worker *worker) {
  if (!worker->accept_is_paused) accept_cancel_all(worker);
  worker->accept_is_paused = true;
  timer_set(&worker->wheel, &worker->accept_timer, worker->now_ms + ACCEPT_RETRY_MS);
}

void loop_recv(struct worker *worker, struct conn *conn) {
  struct io_uring_sqe *sqe = get_sqe(worker);
  io_uring_prep_recv_multishot(sqe, conn->fd, NULL, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = RECV_GROUP;
  io_uring_sqe_set_data64(sqe, user_data(conn, OP_RECV));
  conn->recv_is_armed = true;
  conn->recv_is_cancelled = false;
  conn->n_ops++;
}

void loop_recv_cancel(struct worker *worker, struct conn *conn) {
  cancel(worker, user_data(conn, OP_RECV));
  conn->recv_is_cancelled = true;
}

void loop_send(struct worker *worker, struct conn *conn) {
  struct io_uring_sqe *sqe = get_sqe(worker);
  /* MSG_WAITALL: the kernel goes on by itself after a partial send. */
  io_uring_prep_send(sqe, conn->fd, conn->wire + conn->wire_off, conn->wire_len - conn->wire_off,
                     MSG_WAITALL | MSG_NOSIGNAL);
  io_uring_sqe_set_data64(sqe, user_data(conn, OP_SEND));
  conn->is_sending = true;
  conn->n_ops++;
}

void loop_read(struct worker *worker, struct conn *conn, int fd, uint64_t off, size_t len, bool must_block) {
  struct io_uring_sqe *sqe = get_sqe(worker);
  io_uring_prep_read(sqe, fd, conn->cold, (unsigned)len, off);
  /* The kernel would try it on this thread first, and FUSE, for one, then waits here. */
  if (must_block) sqe->flags |= IOSQE_ASYNC;
  io_uring_sqe_set_data64(sqe, user_data(conn, OP_READ));
  conn->is_reading = true;
  conn->n_ops++;
}

void loop_read_cancel(struct worker *worker, struct conn *conn) {
  cancel(worker, user_data(conn, OP_READ));
}

void loop_recv_recycle(struct worker *worker, int id) {
  io_uring_buf_ring_add(worker->recv_ring, loop_recv_bytes(worker, id), RECV_LEN, (unsigned short)id,
                        io_uring_buf_ring_mask(N_RECV), 0);
  io_uring_buf_ring_advance(worker->recv_ring, 1);
}

static void wake_arm(struct worker *worker) {
  struct io_uring_sqe *sqe = get_sqe(worker);
  io_uring_prep_read(sqe, worker->wake_fd, &worker->wake_word, sizeof(worker->wake_word), 0);
  io_uring_sqe_set_data64(sqe, user_data(NULL, OP_WAKE));
}

/* ---- ends of operations ------------------------------------------------------------------------------------------ */

void loop_conn_gone(struct worker *worker) {
  worker->n_conns--;
  atomic_fetch_sub_explicit(&worker->server->n_open, 1, memory_order_relaxed);
  if (worker->accept_is_paused && !worker->is_draining) {
    timer_clear(&worker->wheel, &worker->accept_timer);
    accept_arm_all(worker);
  }
}

static void accepted(struct listener *listener, int result, bool is_last) {
  struct worker *worker = listener->worker;
  if (is_last) listener->is_armed = false;
  if (result >= 0) {
    if (worker->is_draining) {
      close(result);
    } else if (atomic_fetch_add_explicit(&worker->server->n_open, 1, memory_order_relaxed) >=
               worker->server->max_connections) {
      atomic_fetch_sub_explicit(&worker->server->n_open, 1, memory_order_relaxed);
      stats_add(&worker->stats.n_refused, 1);
      close(result);
      accept_pause(worker);
    } else if (conn_new(worker, result)) {
      worker->n_conns++;
    } else {
      atomic_fetch_sub_explicit(&worker->server->n_open, 1, memory_order_relaxed);
    }
  } else if (result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM) {
    accept_pause(worker); /* trying again at once would spin */
  }
  if (is_last && !worker->is_draining && !worker->accept_is_paused) accept_arm(listener);
}

static void ended(struct worker *worker, const struct io_uring_cqe *cqe) {
  uint64_t data = io_uring_cqe_get_data64(cqe);
  void *object = (void *)(uintptr_t)(data & ~(uint64_t)OP_MASK);
  bool is_last = (cqe->flags & IORING_CQE_F_MORE) == 0;
  switch ((enum op)(data & OP_MASK)) {
  case OP_ACCEPT:
    accepted(object, cqe->res, is_last);
    break;
  case OP_RECV: {
    int buffer_id = (cqe->flags & IORING_CQE_F_BUFFER) != 0 ? (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT) : -1;
    conn_received(worker, object, cqe->res, buffer_id, is_last);
    break;
  }
  case OP_SEND:
    conn_sent(worker, object, cqe->res);
    break;
  case OP_READ:
    conn_has_read(worker, object, cqe->res);
    break;
  case OP_WAKE:
    wake_arm(worker);
    break;
  case OP_CANCEL:
  case OP_MASK:
    break;
  }
}

static void timer_fired(void *ctx, struct timer *timer) {
  struct worker *worker = ctx;
  if (timer != &worker->accept_timer) {
    conn_timed_out(worker, LIST_ENTRY(timer, struct conn, timer));
  } else if (!worker->is_draining) {
    accept_arm_all(worker);
  }
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

static void read_clocks(struct worker *worker) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  worker->now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (worker->now_s != (int64_t)now.tv_sec) {
    worker->now_s = (int64_t)now.tv_sec;
    fields_date_write(worker->date, worker->now_s);
  }
}

/* Hands the ring what was prepared and waits until something has ended, unless there is work. */
static void wait_for_ring(struct worker *worker) {
  int result;
  if (!list_is_empty(&worker->work)) {
    result = io_uring_submit_and_get_events(&worker->ring);
  } else {
    struct io_uring_cqe *cqe;
    int64_t wait_ms = timer_wheel_wait_ms(&worker->wheel, worker->now_ms);
    struct __kernel_timespec timeout = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    result = wait_ms < 0 ? io_uring_submit_and_wait(&worker->ring, 1)
                         : io_uring_submit_and_wait_timeout(&worker->ring, &cqe, 1, &timeout, NULL);
  }
  if (result < 0 && result != -EINTR && result != -ETIME && result != -EBUSY && result != -EAGAIN) {
    worker->error = -result;
  }
}

static void take_ends(struct worker *worker) {
  struct io_uring_cqe *cqe;
  unsigned head;
  io_uring_for_each_cqe(&worker->ring, head, cqe) {
    struct io_uring_cqe copy = *cqe;
    io_uring_cq_advance(&worker->ring, 1); /* now: what follows may have to submit, and that may need the room */
    ended(worker, &copy);
  }
}

static void run_batch(struct worker *worker) {
  struct link turn;
  bool has_room = true;
  list_init(&turn);
  if (list_is_empty(&worker->work)) return;
  arena_reset(&worker->arena);
  while (has_room && !list_is_empty(&worker->work)) {
    struct conn *conn = LIST_ENTRY(worker->work.next, struct conn, queue);
    list_remove(&conn->queue);
    list_append(&turn, &conn->queue);
    conn->is_in_turn = true;
    has_room = conn_before_run(worker, conn);
  }
  sl_batch_run(&worker->batch);
  while (!list_is_empty(&turn)) {
    struct conn *conn = LIST_ENTRY(turn.next, struct conn, queue);
    list_remove(&conn->queue);
    conn->is_in_turn = false;
    conn_after_run(worker, conn);
  }
}

/* Connections that found a pool empty get another turn, as many as there are buffers now. */
static void serve_waiters(struct worker *worker, struct pool *pool) {
  for (size_t i = 0; i < pool->n_free && !list_is_empty(&pool->waiters); i++) {
    struct link *first = pool->waiters.next;
    list_remove(first);
    list_append(&worker->work, first);
  }
}

/* An accept in flight holds its socket, and a ring that is given up lets go of what it holds some time after its process
 * has ended: the next server would find the port taken. So the accepts' cancellations are waited for, too. */
static bool has_drained(const struct worker *worker) {
  if (!worker->is_draining || worker->n_conns > 0) return false;
  for (size_t i = 0; i < worker->n_listeners; i++) {
    if (worker->listeners[i].is_armed) return false;
  }
  return true;
}

static void bury_dead(struct worker *worker) {
  struct link *at = worker->dead.next;
  while (at != &worker->dead) {
    struct conn *conn = LIST_ENTRY(at, struct conn, queue);
    at = at->next;
    if (conn->n_ops == 0) conn_free(worker, conn);
  }
}

static void for_each_conn(struct worker *worker, void (*call)(struct worker *worker, struct conn *conn)) {
  struct link *at = worker->all.next;
  while (at != &worker->all) {
    struct conn *conn = LIST_ENTRY(at, struct conn, all);
    at = at->next;
    call(worker, conn);
  }
}

static void cut(struct worker *worker, struct conn *conn) {
  bool is_owed = conn_is_owed(conn);
  if (is_owed) worker->n_cut++;
  conn_kill(worker, conn, is_owed);
}

static void obey_stop(struct worker *worker) {
  int stop = atomic_load_explicit(&worker->server->stop, memory_order_relaxed);
  if (stop != STOP_NO && !worker->is_draining) {
    worker->is_draining = true;
    accept_cancel_all(worker);
    timer_clear(&worker->wheel, &worker->accept_timer);
    for (size_t i = 0; i < worker->n_listeners; i++) close(worker->listeners[i].fd);
    for_each_conn(worker, conn_drain);
  }
  if (stop == STOP_NOW && !worker->is_cutting) {
    worker->is_cutting = true;
    for_each_conn(worker, cut);
  }
}

static int set_up(struct worker *worker) {
  int result = ring_init(&worker->ring, SQ_ENTRIES, CQ_ENTRIES);
  if (result < 0) return -result;
  result = recv_ring_init(&worker->ring, &worker->recv_ring, N_RECV);
  if (result < 0) {
    io_uring_queue_exit(&worker->ring);
    return -result;
  }
  for (int i = 0; i < N_RECV; i++) loop_recv_recycle(worker, i);
  return 0;
}

void *worker_run(void *arg) {
  struct worker *worker = arg;
  worker->error = set_up(worker);
  bool is_set_up = worker->error == 0;
  sem_post(&worker->server->started);
  if (is_set_up) {
    read_clocks(worker);
    timer_wheel_init(&worker->wheel, worker->now_ms);
    wake_arm(worker);
    accept_arm_all(worker);
    while (worker->error == 0 && !has_drained(worker)) {
      wait_for_ring(worker);
      read_clocks(worker);
      take_ends(worker);
      obey_stop(worker);
      timer_wheel_advance(&worker->wheel, worker->now_ms, timer_fired, worker);
      run_batch(worker);
      bury_dead(worker);
      serve_waiters(worker, &worker->small);
      serve_waiters(worker, &worker->large);
      serve_waiters(worker, &worker->cold);
      stats_publish_batch(&worker->stats, &worker->batch.stats);
    }
    io_uring_queue_exit(&worker->ring);
    free(worker->recv_ring);
  }
  uint64_t one = 1;
  if (write(worker->server->done_fd, &one, sizeof(one)) < 0) abort(); /* an eventfd far from its limit */
  return NULL;
}

static size_t share(size_t total, size_t n_workers, size_t least) {
  return total / n_workers > least ? total / n_workers : least;
}

bool worker_init(struct worker *worker, struct server *server, size_t index, const int *listen_fds, size_t n_listen) {
  enum { MIB = 1048576 };
  *worker = (struct worker){.server = server, .index = index, .wake_fd = -1, .now_s = -1};
  list_init(&worker->work);
  list_init(&worker->dead);
  list_init(&worker->all);
  timer_init(&worker->accept_timer);
  size_t n = server->n_workers;
  size_t batch_mem_len = (sl_batch_mem_len(N_BATCH) + 63) & ~(size_t)63;
  worker->wake_fd = eventfd(0, EFD_CLOEXEC);
  worker->kept_max = share(4 * MIB, n, MIB);
  worker->batch_mem = aligned_alloc(64, batch_mem_len);
  worker->recv_mem = aligned_alloc(4096, (size_t)N_RECV * RECV_LEN);
  worker->listeners = calloc(n_listen, sizeof(*worker->listeners));
  if (worker->wake_fd < 0 || worker->batch_mem == NULL || worker->recv_mem == NULL || worker->listeners == NULL ||
      sl_batch_init(&worker->batch, N_BATCH, worker->batch_mem, batch_mem_len) != SL_OK ||
      !arena_init(&worker->arena, ARENA_LEN) ||
      !pool_init(&worker->large, WIRE_LARGE, share(24 * MIB / WIRE_LARGE, n, 8)) ||
      !pool_init(&worker->small, WIRE_SMALL, share(4 * MIB / WIRE_SMALL, n, 64)) ||
      !pool_init(&worker->cold, TEXT_LARGE, N_COLD)) {
    return false;
  }
  worker->n_listeners = n_listen;
  for (size_t i = 0; i < n_listen; i++) {
    worker->listeners[i] = (struct listener){.worker = worker, .fd = listen_fds[i]};
  }
  return true;
}

void worker_free(struct worker *worker) {
  sl_batch_wipe(&worker->batch);
  arena_free(&worker->arena);
  pool_free(&worker->large);
  pool_free(&worker->small);
  pool_free(&worker->cold);
  free(worker->batch_mem);
  free(worker->recv_mem);
  free(worker->listeners);
  if (worker->wake_fd >= 0) close(worker->wake_fd);
}
