/* main.c - sealane-serve: start, signals, stop.
 *
 *   build/sealane-serve && curl -k https://127.0.0.1:8443/ */
#define _GNU_SOURCE
#include "selfsigned.h"
#include "serve.h"
#include "validity.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WHY_CAP = 512, CUT_MS = 3000 };

/* Every error at start ends here: one line, exit 1. */
__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
  va_list args;
  fputs("sealane-serve: ", stderr);
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputs("\n", stderr);
  exit(1);
}

static void flush_output(void) {
  if (fflush(stdout) != 0 || ferror(stdout) != 0) fail("cannot write to standard output: %s", strerror(errno));
}

static size_t count_cpus(void) {
  cpu_set_t set;
  int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (size_t)n : 1;
}

/* Raises a limit as far as allowed. returns: false when it is unknown */
static bool raise_limit(__rlimit_resource_t resource, struct rlimit *limit) {
  if (getrlimit(resource, limit) != 0) return false;
  limit->rlim_cur = limit->rlim_max;
  return setrlimit(resource, limit) == 0 || getrlimit(resource, limit) == 0;
}

/* returns: how many connections the limit of open files leaves room for; files that are being served get the rest */
static size_t connections_allowed(size_t wanted, size_t n_workers, bool has_files) {
  struct rlimit limit;
  if (!raise_limit(RLIMIT_NOFILE, &limit)) return wanted;
  size_t own = 32 + n_workers * (2 + OPTIONS_LIST_MAX);
  size_t n = limit.rlim_cur > own + 1 ? (size_t)limit.rlim_cur - own : 1;
  if (has_files) n -= n / 4 < 1024 ? n / 4 : 1024;
  return wanted < n ? wanted : n;
}

/* One write a line: with O_APPEND, lines of several threads do not mix. */
static void write_keylog(void *ctx, const char *line) {
  struct iovec iov[2] = {{(void *)(uintptr_t)line, strlen(line)}, {(void *)(uintptr_t) "\n", 1}};
  if (writev(*(int *)ctx, iov, 2) < 0) return; /* a full disk: debugging help is not worth a connection */
}

static void open_keylog(struct sl_config *config, const char *path, int *fd) {
  /* O_NONBLOCK: a pipe that nobody reads stops neither the start nor, later, connections. */
  *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
  if (*fd < 0) fail("--keylog: %s: %s", path, strerror(errno));
  sl_config_set_keylog(config, write_keylog, fd);
}

static void set_suites(struct sl_config *config, const char *list) {
  char *names = strdup(list);
  if (names == NULL) fail("out of memory");
  for (char *at = names; *at != '\0'; at++) {
    if (*at == ',') *at = ':';
  }
  sl_err err = sl_config_set_suites(config, names);
  if (err != SL_OK) fail("--suites: '%s': %s", list, sl_config_why(config));
  free(names);
}

static struct sl_config *make_config(const struct options *options, int *keylog_fd) {
  static const char *const protocols[] = {"http/1.1"};
  struct sl_config *config;
  if (sl_config_new(&config) != SL_OK) fail("out of memory");
  for (size_t i = 0; i < options->n_cert; i++) {
    sl_err err = sl_config_add_cert_files(config, options->cert[i], options->key[i]);
    char why[WHY_CAP];
    if (err != SL_OK) fail("--cert/--key: %s", sl_config_why(config));
    if (!validity_check(options->cert[i], why, sizeof(why))) {
      fprintf(stderr, "sealane-serve: %s: %s\n", options->cert[i], why);
    }
  }
  if (options->n_cert == 0) {
    sl_err err = selfsigned_add(config);
    if (err != SL_OK) fail("cannot make a self-signed certificate: %s", sl_err_text(err));
  }
  if (options->suites != NULL) set_suites(config, options->suites);
  if (sl_config_set_alpn(config, protocols, 1) != SL_OK) fail("%s", sl_config_why(config));
  if (options->keylog != NULL) open_keylog(config, options->keylog, keylog_fd);
  return config;
}

/* Opens every address on one socket per worker: fds[worker * n_listen + address]. */
static int *open_listeners(const struct options *options, size_t n_workers, struct address *bound) {
  char why[WHY_CAP];
  int *fds = malloc(n_workers * options->n_listen * sizeof(*fds));
  int *column = malloc(n_workers * sizeof(*column));
  if (fds == NULL || column == NULL) fail("out of memory");
  for (size_t a = 0; a < options->n_listen; a++) {
    if (listen_open(options->listen[a], column, n_workers, &bound[a], why, sizeof(why)) != 0) fail("%s", why);
    for (size_t w = 0; w < n_workers; w++) fds[w * options->n_listen + a] = column[w];
  }
  free(column);
  return fds;
}

static void start_workers(struct server *server, const int *listen_fds) {
  size_t n_listen = server->options->n_listen;
  for (size_t i = 0; i < server->n_workers; i++) {
    errno = ENOMEM;
    if (!worker_init(&server->workers[i], server, i, listen_fds + i * n_listen, n_listen))
      fail("cannot start: %s", strerror(errno));
  }
  for (size_t i = 0; i < server->n_workers; i++) {
    int error = pthread_create(&server->workers[i].thread, NULL, worker_run, &server->workers[i]);
    if (error != 0) fail("--threads: cannot start a thread: %s", strerror(error));
  }
  for (size_t i = 0; i < server->n_workers; i++) {
    while (sem_wait(&server->started) != 0) continue;
  }
  for (size_t i = 0; i < server->n_workers; i++) {
    char why[WHY_CAP];
    if (server->workers[i].error == 0) continue;
    loop_write_error(server->workers[i].error, why, sizeof(why));
    fail("%s", why);
  }
}

static void stop_workers(struct server *server, enum server_stop stop) {
  uint64_t one = 1;
  atomic_store_explicit(&server->stop, stop, memory_order_relaxed);
  for (size_t i = 0; i < server->n_workers; i++) {
    if (write(server->workers[i].wake_fd, &one, sizeof(one)) < 0) abort(); /* eventfds far from their limit */
  }
}

/* Ends the process with threads still at work. Nothing here is missed but the figures of --verbose. */
__attribute__((noreturn)) static void give_up(void) {
  fputs("sealane-serve: connections were cut, and a file that was being read never answered\n", stderr);
  _exit(1);
}

static uint64_t clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits for signals and for the workers to end. A worker that ends by itself (its ring failed) stops the others; one
 * that is still there CUT_MS after it was told to cut waits for a file system that does not answer, and is left. */
static void wait_for_end(struct server *server, int signal_fd) {
  struct pollfd polls[2] = {{.fd = signal_fd, .events = POLLIN}, {.fd = server->done_fd, .events = POLLIN}};
  enum server_stop stop = STOP_NO;
  uint64_t n_done = 0, cut_ms = 0;
  while (n_done < server->n_workers) {
    int timeout_ms = -1;
    if (stop != STOP_NO) {
      uint64_t now_ms = clock_ms();
      timeout_ms = now_ms < cut_ms ? (int)(cut_ms - now_ms) : 0;
    }
    int n = poll(polls, 2, timeout_ms);
    if (n < 0 && errno == EINTR) continue;
    enum server_stop next = stop;
    if (n == 0 && stop == STOP_NOW) give_up();
    if (n == 0) next = STOP_NOW;
    if (polls[1].revents != 0) {
      uint64_t word;
      if (read(server->done_fd, &word, sizeof(word)) == (ssize_t)sizeof(word)) n_done += word;
      if (stop == STOP_NO) next = STOP_GRACEFULLY;
    }
    if (polls[0].revents != 0) {
      struct signalfd_siginfo info;
      if (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        next = stop == STOP_NO ? STOP_GRACEFULLY : STOP_NOW;
      }
    }
    if (next == stop) continue;
    cut_ms = clock_ms() + (next == STOP_GRACEFULLY ? server->options->grace_ms : CUT_MS);
    stop = next;
    stop_workers(server, stop);
  }
}

static void print_figures(const struct server *server) {
  struct stats total = {0};
  for (size_t i = 0; i < server->n_workers; i++) stats_sum(&total, &server->workers[i].stats);
#define PRINT_FIGURE(field, name, ...) fprintf(stderr, "%s %llu\n", name, (unsigned long long)stats_read(&total.field));
  STATS_COUNTERS(PRINT_FIGURE)
  STATS_ENDS(PRINT_FIGURE)
#undef PRINT_FIGURE
  for (size_t i = 1; i < SL_ERR_END; i++) {
    uint64_t n = stats_read(&total.n_failed[i]);
    if (n > 0) fprintf(stderr, "%s %llu\n", sl_err_name((sl_err)i), (unsigned long long)n);
  }
}

/* Joins the workers and tidies up. returns: the exit status */
static int finish(struct server *server) {
  int status = 0;
  size_t n_cut = 0;
  for (size_t i = 0; i < server->n_workers; i++) {
    pthread_join(server->workers[i].thread, NULL);
    n_cut += server->workers[i].n_cut;
    if (server->workers[i].error != 0) {
      fprintf(stderr, "sealane-serve: io_uring failed: %s\n", strerror(server->workers[i].error));
      status = 1;
    }
  }
  if (server->options->is_verbose) print_figures(server);
  if (n_cut > 0) {
    fprintf(stderr, "sealane-serve: %zu connections were cut\n", n_cut);
    status = 1;
  }
  for (size_t i = 0; i < server->n_workers; i++) worker_free(&server->workers[i]);
  free(server->workers);
  sl_config_free(server->config);
  sem_destroy(&server->started);
  close(server->done_fd);
  if (server->root_fd >= 0) close(server->root_fd);
  return status;
}

static void block_signals(int *signal_fd) {
  sigset_t set;
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  *signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
  if (*signal_fd < 0) fail("signalfd: %s", strerror(errno));
}

/* A standard stream that is closed would become the number of a socket, and messages would go to a peer. */
static void open_standard_streams(void) {
  int fd;
  do {
    fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

static void print_ready(const struct server *server, const struct address *bound) {
  if (server->options->n_cert == 0) {
    puts("no --cert: made a self-signed certificate for localhost; clients have to be told to trust it (curl -k)");
  }
  for (size_t a = 0; a < server->options->n_listen; a++) {
    char text[ADDRESS_TEXT_CAP];
    address_write(&bound[a], text);
    printf("listening on https://%s/\n", text);
  }
  flush_output();
}

int main(int argc, char **argv) {
  struct options options;
  char why[WHY_CAP];
  open_standard_streams();
  switch (options_read(&options, argc, argv, why, sizeof(why))) {
  case OPTIONS_RUN:
    break;
  case OPTIONS_DONE:
    flush_output();
    return 0;
  case OPTIONS_WRONG:
    fail("%s", why);
  }
  int signal_fd, keylog_fd = -1;
  block_signals(&signal_fd);
  if (sl_kernels_check(why, sizeof(why)) != SL_OK) fail("%s", why);

  struct server server = {.options = &options, .root_fd = -1, .started_ms = clock_ms()};
  server.n_workers = options.n_threads > 0 ? options.n_threads : count_cpus();
  server.config = make_config(&options, &keylog_fd);
  if (options.root != NULL) {
    server.root_fd = files_open_root(options.root);
    if (server.root_fd < 0) fail("--root: %s: %s", options.root, strerror(errno));
  }
  server.max_connections = connections_allowed(options.max_connections, server.n_workers, server.root_fd >= 0);
  if (server.max_connections < options.max_connections) {
    fprintf(stderr, "sealane-serve: the limit of open files allows %zu connections\n", server.max_connections);
  }
  struct rlimit locked;
  raise_limit(RLIMIT_MEMLOCK, &locked); /* rings count there */
  const char *lack = loop_probe();
  if (lack != NULL) fail("%s", lack);
  struct address bound[OPTIONS_LIST_MAX];
  int *listen_fds = open_listeners(&options, server.n_workers, bound);
  server.done_fd = eventfd(0, EFD_CLOEXEC);
  if (server.done_fd < 0) fail("cannot start: %s", strerror(errno));
  server.workers = aligned_alloc(64, server.n_workers * sizeof(*server.workers));
  if (server.workers == NULL || sem_init(&server.started, 0, 0) != 0) fail("out of memory");
  start_workers(&server, listen_fds);
  free(listen_fds);
  print_ready(&server, bound);

  wait_for_end(&server, signal_fd);
  int status = finish(&server);
  close(signal_fd);
  if (keylog_fd >= 0) close(keylog_fd);
  return status;
}
