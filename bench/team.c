/* team.c - pinned threads. They wait spinning: waking a sleeper takes longer than some samples last. */
#define _GNU_SOURCE /* CPU sets */
#include "team.h"
#include "bench.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SPINS_BEFORE_YIELD = 2000 }; /* some 20 us; then somebody else may need the CPU more */

struct member {
  struct team *team;
  size_t index;
  pthread_t thread;
  bool ok;
};

struct team {
  cpu_set_t cpus_before; /* the caller's */
  size_t n_threads;
  struct member *members;                 /* the caller's is [0] */
  bool (*run)(void *ctx, size_t n_calls); /* NULL: end */
  void *const *ctx;
  size_t n_calls;
  _Alignas(64) atomic_size_t n_started; /* pieces of work given out so far */
  _Alignas(64) atomic_size_t n_done;    /* members, other than the caller, that finished the present one */
};

static void get_cpus(cpu_set_t *cpus) {
  if (sched_getaffinity(0, sizeof *cpus, cpus) != 0)
    bench_die("--threads: this machine has more CPUs than can be counted");
}

size_t team_cpus(void) {
  cpu_set_t cpus;
  get_cpus(&cpus);
  return (size_t)CPU_COUNT(&cpus);
}

/* The calling thread goes to the index-th of the CPUs. */
static void pin(const cpu_set_t *cpus, size_t index) {
  cpu_set_t one;
  CPU_ZERO(&one);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, cpus)) continue;
    if (index-- > 0) continue;
    CPU_SET(cpu, &one);
    break;
  }
  if (pthread_setaffinity_np(pthread_self(), sizeof one, &one) != 0)
    bench_die("--threads: cannot pin a thread to a CPU");
}

static void wait_while(atomic_size_t *counter, size_t value) {
  for (unsigned spins = 0; atomic_load_explicit(counter, memory_order_acquire) == value; spins++) {
    if (spins >= SPINS_BEFORE_YIELD) sched_yield();
  }
}

static void *serve(void *arg) {
  struct member *m = arg;
  struct team *team = m->team;
  pin(&team->cpus_before, m->index);
  for (size_t n = 0;; n++) {
    wait_while(&team->n_started, n);
    if (team->run == NULL) return NULL;
    m->ok = team->run(team->ctx[m->index], team->n_calls);
    atomic_fetch_add_explicit(&team->n_done, 1, memory_order_release);
  }
}

struct team *team_start(size_t n_threads) {
  struct team *team = bench_alloc(1, sizeof *team);
  get_cpus(&team->cpus_before);
  if (n_threads > (size_t)CPU_COUNT(&team->cpus_before))
    bench_die("--threads: %zu threads, but this process may use %d CPUs", n_threads, CPU_COUNT(&team->cpus_before));
  team->n_threads = n_threads;
  team->members = bench_alloc(n_threads, sizeof team->members[0]);
  for (size_t i = 0; i < n_threads; i++) {
    struct member *m = &team->members[i];
    *m = (struct member){.team = team, .index = i};
    int err = i == 0 ? 0 : pthread_create(&m->thread, NULL, serve, m);
    if (err != 0) bench_die("--threads: cannot start thread %zu: %s", i + 1, strerror(err));
  }
  pin(&team->cpus_before, 0);
  return team;
}

static void start_work(struct team *team, bool (*run)(void *ctx, size_t n_calls), void *const *ctx, size_t n_calls) {
  team->run = run;
  team->ctx = ctx;
  team->n_calls = n_calls;
  atomic_store_explicit(&team->n_done, 0, memory_order_relaxed);
  atomic_fetch_add_explicit(&team->n_started, 1, memory_order_release);
}

bool team_run(struct team *team, bool (*run)(void *ctx, size_t n_calls), void *const *ctx, size_t n_calls) {
  start_work(team, run, ctx, n_calls);
  bool ok = run(ctx[0], n_calls);
  for (size_t done = 0; done < team->n_threads - 1;) {
    done = atomic_load_explicit(&team->n_done, memory_order_acquire);
    if (done < team->n_threads - 1) wait_while(&team->n_done, done);
  }
  for (size_t i = 1; i < team->n_threads; i++) ok &= team->members[i].ok;
  return ok;
}

void team_stop(struct team *team) {
  if (team == NULL) return;
  start_work(team, NULL, NULL, 0);
  for (size_t i = 1; i < team->n_threads; i++) pthread_join(team->members[i].thread, NULL);
  (void)pthread_setaffinity_np(pthread_self(), sizeof team->cpus_before, &team->cpus_before);
  free(team->members);
  free(team);
}
