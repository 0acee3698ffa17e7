/* limits.c - sealane-bench limits: the throughput of the ports, and what it means for each suite. */
#include "bench.h"
#include "clock.h"
#include "flags.h"
#include "output.h"
#include "port_limits.h"
#include "port_loops.h"
#include "race.h"
#include <math.h>
#include <sealane/cpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A loop's run() as a race lane. */
static bool run_loop(void *ctx, size_t n_calls) {
  ((const struct port_loop *)ctx)->run(n_calls);
  return true;
}

/* What one loop came to. */
struct measured {
  const struct port_loop *loop;
  char na[64]; /* "" when it ran */
  struct race_lane lane;
  double cycles; /* per instruction or byte */
};

/* A loop without instructions of its own says what the CPU lacks. */
static void find_reason(struct measured *m) {
  char *copy = strdup(m->loop->needs), *rest = copy;
  if (copy == NULL) bench_die("out of memory");
  while (rest != NULL) {
    const char *feature = strsep(&rest, " ");
    if (feature[0] == '\0' || bench_cpu_has(feature)) continue;
    snprintf(m->na, sizeof m->na, "CPU lacks %s", feature);
    break;
  }
  free(copy);
}

/* Races all loops that pass `wanted` against the clock. Returns how many there are, runnable or not; *ns_per_cycle. */
static size_t measure(struct measured *all, bool instructions_too, const struct race_limits *limits,
                      double *ns_per_cycle) {
  size_t n = 0, n_lanes = 1;
  struct race_lane *lanes = bench_alloc(n_port_loops + 1, sizeof lanes[0]);
  lanes[0] = (struct race_lane){.run = clock_lane_run};
  for (size_t i = 0; i < n_port_loops; i++) {
    const struct port_loop *loop = &port_loops[i];
    if (loop->role == PORT_INSTRUCTION && !instructions_too) continue;
    struct measured *m = &all[n++];
    *m = (struct measured){.loop = loop};
    find_reason(m);
    if (m->na[0] == '\0') lanes[n_lanes++] = (struct race_lane){.run = run_loop, .ctx = (void *)(uintptr_t)loop};
  }
  if (race_run(lanes, n_lanes, limits) != NULL) bench_die("a loop of the limits failed"); /* they cannot */
  *ns_per_cycle = lanes[0].best / CLOCK_LANE_CYCLES;
  for (size_t i = 0, k = 1; i < n; i++) {
    struct measured *m = &all[i];
    if (m->na[0] != '\0') continue;
    m->lane = lanes[k++];
    m->cycles = m->lane.best / *ns_per_cycle / m->loop->n_per_run;
  }
  free(lanes);
  return n;
}

static bool same_algorithm(enum sl_aead a, enum sl_aead b) {
  return (a == SL_CHACHA20_POLY1305) == (b == SL_CHACHA20_POLY1305);
}

static void find_limit(struct port_limit *limit, enum sl_aead aead, const struct measured *all, size_t n) {
  *limit = (struct port_limit){.text_cycles = INFINITY, .once_cycles = INFINITY};
  for (size_t i = 0; i < n; i++) {
    const struct measured *m = &all[i];
    if (m->na[0] != '\0') continue;
    if (m->loop->role == PORT_TEXT && m->loop->aead == aead && m->cycles < limit->text_cycles) {
      limit->text_cycles = m->cycles;
      limit->bits = m->loop->bits;
    }
    if (m->loop->role == PORT_ONCE && same_algorithm(m->loop->aead, aead))
      limit->once_cycles = fmin(limit->once_cycles, m->cycles);
  }
  if (n_port_loops == 0)
    limit->na = "no port loops for this architecture";
  else if (isinf(limit->text_cycles) || isinf(limit->once_cycles))
    limit->na = "this CPU lacks the instructions";
}

void limits_measure(struct port_limit out[SL_AEAD_END], double seconds) {
  const struct race_limits limits = {.n_rounds = 200, .seconds = seconds};
  double ns_per_cycle;
  struct measured *all = bench_alloc(n_port_loops, sizeof all[0]);
  size_t n = n_port_loops > 0 ? measure(all, false, &limits, &ns_per_cycle) : 0;
  for (enum sl_aead aead = SL_AEAD_NONE; aead < SL_AEAD_END; aead++) find_limit(&out[aead], aead, all, n);
  free(all);
}

double limits_cycles(const struct port_limit *limit, enum sl_aead aead, size_t len) {
  if (limit->na != NULL) return NAN;
  size_t block = aead == SL_CHACHA20_POLY1305 ? 64 : 16, n_blocks = (len + block - 1) / block;
  if (aead != SL_CHACHA20_POLY1305) n_blocks++; /* the mask and the AAD */
  return (double)(n_blocks * block) * limit->text_cycles + (double)block * limit->once_cycles;
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static const char *const role_names[] = {
    [PORT_INSTRUCTION] = "instruction", [PORT_TEXT] = "text", [PORT_ONCE] = "once a record"};

static void print_loop(struct output *out, const struct measured *m, double ns_per_cycle) {
  const struct port_loop *loop = m->loop;
  bool is_mix = loop->role != PORT_INSTRUCTION;
  output_print(out, "%-24s %5u ", loop->name, loop->bits);
  if (m->na[0] != '\0') {
    output_print(out, "%10s  %s\n", "n/a", m->na);
  } else {
    output_print(out, is_mix ? "%10.2f %10.3f %6.1f%%\n" : "%10.3f %10.2f %6.1f%%\n", 1 / m->cycles, m->cycles,
                 m->lane.spread * 100);
  }
  json_begin(out);
  json_text(out, "bench", "limits");
  json_text(out, "loop", loop->name);
  json_integer(out, "bits", loop->bits);
  json_text(out, "role", role_names[loop->role]);
  if (m->na[0] != '\0') {
    json_null(out, "ns");
    json_text(out, "na", m->na);
  } else {
    json_number(out, "ns", m->lane.best / loop->n_per_run);
    json_number(out, "median_ns", m->lane.median / loop->n_per_run);
    json_number(out, "spread", m->lane.spread);
    json_integer(out, "rounds", m->lane.n_rounds);
    json_number(out, is_mix ? "bytes_per_cycle" : "per_cycle", 1 / m->cycles);
    json_number(out, "ghz", 1 / ns_per_cycle);
  }
  json_text(out, "cpu", bench_cpu_name());
  json_end(out);
}

static void print_suite(struct output *out, enum sl_aead aead, const struct port_limit *limit, double ns_per_cycle) {
  static const size_t lens[] = {64, 256, 1350, 16384};
  output_print(out, "%-24s ", sl_aead_name(aead));
  if (limit->na != NULL) {
    output_print(out, "n/a  %s\n", limit->na);
  } else {
    output_print(out, "%5u", limit->bits);
  }
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
    double cycles = limits_cycles(limit, aead, lens[i]);
    if (limit->na == NULL) output_print(out, " %10.1f", cycles);
    json_begin(out);
    json_text(out, "bench", "limits");
    json_text(out, "suite", sl_aead_name(aead));
    json_text(out, "role", "record");
    json_integer(out, "len", lens[i]);
    json_number(out, "ns", cycles * ns_per_cycle);
    if (limit->na != NULL) json_text(out, "na", limit->na);
    if (limit->na == NULL) json_number(out, "cycles", cycles);
    json_text(out, "cpu", bench_cpu_name());
    json_end(out);
  }
  if (limit->na == NULL) output_print(out, "\n");
}

static int run(int argc, char *argv[]) {
  uint64_t n_rounds = 1000;
  double seconds = 2;
  const char *json_path = NULL;
  const struct flag flags[] = {
      flag_rounds(&n_rounds),
      flag_seconds(&seconds, "time, default 2"),
      flag_json(&json_path),
  };
  flags_parse(flags, sizeof flags / sizeof flags[0],
              "Measures how many of the instructions kernels live on the ports take per cycle, alone and in the\n"
              "proportions a suite needs them, and what a record costs at least for it.",
              argc, argv);
  struct output out;
  output_open(&out, json_path);
  output_progress(&out, "limits: %zu loops", n_port_loops);

  const struct race_limits limits = {.n_rounds = n_rounds, .seconds = seconds};
  double ns_per_cycle = NAN;
  struct measured *all = bench_alloc(n_port_loops, sizeof all[0]);
  size_t n = n_port_loops > 0 ? measure(all, true, &limits, &ns_per_cycle) : 0;
  output_print(&out, "%s", bench_cpu_name());
  if (n > 0) output_print(&out, ", %.2f GHz", 1 / ns_per_cycle);
  output_print(&out, "\n\n");
  enum port_role role = PORT_ONCE;
  for (size_t i = 0; i < n; i++) {
    if (i == 0 || (all[i].loop->role == PORT_INSTRUCTION) != (role == PORT_INSTRUCTION)) {
      bool is_mix = all[i].loop->role != PORT_INSTRUCTION;
      output_print(&out, "%s%-24s %5s %10s %10s %7s\n", i > 0 ? "\n" : "", is_mix ? "mix" : "instruction", "bits",
                   is_mix ? "bytes/cyc" : "per cycle", is_mix ? "cycles/B" : "cycles", "spread");
    }
    role = all[i].loop->role;
    print_loop(&out, &all[i], ns_per_cycle);
  }
  output_print(&out, "%s%-24s %5s %10s %10s %10s %10s\n", n > 0 ? "\n" : "", "cycles a record at least", "bits", "64 B",
               "256 B", "1350 B", "16384 B");
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    struct port_limit limit;
    find_limit(&limit, aead, all, n);
    print_suite(&out, aead, &limit, ns_per_cycle);
  }
  free(all);
  output_close(&out);
  return 0;
}

const struct bench_command bench_limits = {
    .name = "limits", .summary = "how much the execution ports take: the bound of every kernel", .run = run};
