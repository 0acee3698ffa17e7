/* page.h - the built-in page, and the figures behind it. */
#ifndef SEALANE_SERVE_PAGE_H
#define SEALANE_SERVE_PAGE_H

#include "text.h"
#include <sealane/sealane.h>

struct server;

/* The page brings its own style and script and fetches figures from where it came; nothing else is let in. */
#define PAGE_CONTENT_SECURITY_POLICY                                                                                   \
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "     \
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/* page.html with its {{fields}} filled in for this connection. */
void page_html(struct text *out, const struct server *server, const struct sl_conn *tls);
/* Connection and engine as one JSON object. */
void page_live_json(struct text *out, const struct server *server, const struct sl_conn *tls);

#endif
