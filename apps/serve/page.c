/* page.c - see page.h. The page itself is page.html, which the build turns into page_template. */
#include "page.h"
#include "serve.h"
#include <sealane/version.h>
#include <string.h>

extern const char page_template[];

enum { KERNELS_MAX = 64 };

static uint64_t uptime_ms(const struct server *server) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 - server->started_ms;
}

static void add_u64(struct text *out, const char *name, uint64_t value, const char *after) {
  text_str(out, "\"");
  text_str(out, name);
  text_str(out, "\":");
  text_u64(out, value);
  text_str(out, after);
}

static void add_string(struct text *out, const char *name, const char *value, const char *after) {
  text_str(out, "\"");
  text_str(out, name);
  text_str(out, "\":");
  text_json(out, value);
  text_str(out, after);
}

static void add_connection(struct text *out, const struct sl_conn *tls) {
  struct sl_negotiated info;
  sl_conn_info(tls, &info);
  text_str(out, "{");
  add_string(out, "version", info.version, ",");
  add_string(out, "suite", info.suite, ",");
  add_string(out, "group", info.group, ",");
  add_string(out, "signature_scheme", info.signature_scheme, ",");
  add_string(out, "server_name", info.server_name, ",");
  add_string(out, "alpn", info.alpn, ",");
  add_string(out, "kernel", info.kernel, ",");
  text_str(out, info.retried ? "\"retried\":true}" : "\"retried\":false}");
}

static void add_kernels(struct text *out) {
  struct sl_kernel_info kernels[KERNELS_MAX];
  size_t n = sl_kernels_list(kernels, KERNELS_MAX);
  bool is_first = true;
  text_str(out, "[");
  for (size_t i = 0; i < n && i < KERNELS_MAX; i++) {
    if (!kernels[i].chosen) continue;
    text_str(out, is_first ? "{" : ",{");
    add_string(out, "algorithm", kernels[i].algorithm, ",");
    add_string(out, "kernel", kernels[i].name, "}");
    is_first = false;
  }
  text_str(out, "]");
}

static void add_batch(struct text *out, const struct stats *total) {
  struct sl_batch_stats batch;
  stats_read_batch(total, &batch);
  text_str(out, "\"records\":{");
  add_u64(out, "sealed", batch.n_sealed, ",");
  add_u64(out, "opened", batch.n_opened, ",");
  add_u64(out, "open_failed", batch.n_open_failed, ",");
  add_u64(out, "sealed_bytes", batch.sealed_bytes, ",");
  add_u64(out, "opened_bytes", batch.opened_bytes, "},\"batch\":{");
  add_u64(out, "runs", batch.n_runs, ",");
  add_u64(out, "key_exchanges", batch.n_key_exchanges, ",");
  add_u64(out, "signatures", batch.n_signatures, ",\"passes_by_records_log2\":[");
  for (size_t i = 0; i < sizeof(batch.n_records_log2) / sizeof(batch.n_records_log2[0]); i++) {
    if (i > 0) text_str(out, ",");
    text_u64(out, batch.n_records_log2[i]);
  }
  text_str(out, "]}");
}

static void add_failures(struct text *out, const struct stats *total) {
  text_str(out, "\"failures\":{");
  bool is_first = true;
  for (size_t i = 1; i < SL_ERR_END; i++) {
    uint64_t n = stats_read(&total->n_failed[i]);
    if (n == 0) continue;
    if (!is_first) text_str(out, ",");
    add_u64(out, sl_err_name((sl_err)i), n, "");
    is_first = false;
  }
#define ADD_END(field, name, sentence)                                                                                 \
  if (stats_read(&total->field) != 0) {                                                                                \
    if (!is_first) text_str(out, ",");                                                                                 \
    add_u64(out, name, stats_read(&total->field), "");                                                                 \
    is_first = false;                                                                                                  \
  }
  STATS_ENDS(ADD_END)
#undef ADD_END
  text_str(out, "}");
}

void page_live_json(struct text *out, const struct server *server, const struct sl_conn *tls) {
  struct stats total = {0};
  char cpu[256];
  for (size_t i = 0; i < server->n_workers; i++) stats_sum(&total, &server->workers[i].stats);
  sl_cpu_describe(cpu, sizeof(cpu));

  text_str(out, "{");
  add_string(out, "sealane", SEALANE_VERSION, ",\"connection\":");
  add_connection(out, tls);
  text_str(out, ",");
  add_u64(out, "uptime_ms", uptime_ms(server), ",");
  add_u64(out, "threads", server->n_workers, ",");
  add_string(out, "cpu", cpu, ",\"kernels\":");
  add_kernels(out);
  text_str(out, ",");
  add_u64(out, "open_connections", atomic_load_explicit(&server->n_open, memory_order_relaxed), ",");
#define ADD_COUNTER(field, name) add_u64(out, name, stats_read(&total.field), ",");
  STATS_COUNTERS(ADD_COUNTER)
#undef ADD_COUNTER
  add_batch(out, &total);
  text_str(out, ",");
  add_failures(out, &total);
  text_str(out, "}\n");
}

/* One {{field}} of the template. */
static void add_field(struct text *out, const char *name, size_t name_len, const struct server *server,
                      const struct sl_conn *tls) {
  struct sl_negotiated info;
  sl_conn_info(tls, &info);
  const struct {
    const char *name, *value;
  } fields[] = {
      {"release", SEALANE_VERSION},
      {"version", info.version},
      {"suite", info.suite},
      {"group", info.group},
      {"signature_scheme", info.signature_scheme},
      {"server_name", info.server_name[0] != '\0' ? info.server_name : "none sent"},
      {"alpn", info.alpn[0] != '\0' ? info.alpn : "none"},
      {"kernel", info.kernel},
      {"retried", info.retried ? "yes, one HelloRetryRequest" : "no, at the first try"},
  };
  for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
    if (strlen(fields[i].name) == name_len && memcmp(fields[i].name, name, name_len) == 0) {
      text_html(out, fields[i].value);
    }
  }
  if (name_len == 4 && memcmp(name, "live", 4) == 0) page_live_json(out, server, tls);
}

void page_html(struct text *out, const struct server *server, const struct sl_conn *tls) {
  const char *at = page_template;
  for (;;) {
    const char *open = strstr(at, "{{");
    const char *close = open != NULL ? strstr(open, "}}") : NULL;
    if (close == NULL) break;
    text_add(out, at, (size_t)(open - at));
    add_field(out, open + 2, (size_t)(close - open - 2), server, tls);
    at = close + 2;
  }
  text_str(out, at);
}
