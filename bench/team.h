/* team.h - threads, each on a CPU of its own, that start the same work at the same moment. */
#ifndef SEALANE_BENCH_TEAM_H
#define SEALANE_BENCH_TEAM_H

#include <stdbool.h>
#include <stddef.h>

struct team;

/* CPUs this process may run on. */
size_t team_cpus(void);
/* n_threads in all, the caller being the first; each is pinned to one of the CPUs this process may run on.
 * Ends the program when there are not that many. */
struct team *team_start(size_t n_threads);
/* Thread i does run(ctx[i], n_calls); returns when all are done: true when all said so. */
bool team_run(struct team *team, bool (*run)(void *ctx, size_t n_calls), void *const *ctx, size_t n_calls);
/* Ends the threads and gives the caller its CPUs back. NULL is allowed. */
void team_stop(struct team *team);

#endif
