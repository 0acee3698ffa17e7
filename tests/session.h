/* session.h - a client and a server in one process, reproducible: the same steps give the same bytes. */
#ifndef SEALANE_TESTS_SESSION_H
#define SEALANE_TESTS_SESSION_H

#include "client.h"
#include "pump.h"

struct session {
  struct pump pump;
  struct client client;
  size_t feed_len;              /* bytes at most in one feed; SIZE_MAX: everything at once */
  struct sl_buffer transmitted; /* everything the server ever said */
};

enum session_stage {
  STAGE_NEW,    /* nothing was said */
  STAGE_RETRY,  /* the server asked for another ClientHello */
  STAGE_FLIGHT, /* the server said its Finished */
  STAGE_OPEN    /* and the client its own */
};

/* A configuration with an Ed25519 certificate, whose signatures are reproducible as all else is: its random bytes begin anew
 * with each session_open(). One at a time. */
struct sl_config *session_config(void);
void session_open(struct session *s, struct sl_config *config, enum session_stage stage, size_t feed_len);
void session_close(struct session *s);
/* Feeds what the client has to say and hands it what the server does. */
void session_carry(struct session *s);
/* The server has failed just so, its client got the alert (unless it is SL_ALERT_NONE) and nothing after it, and the
 * connection does nothing any more. */
void session_refused(struct session *s, sl_err reason, unsigned alert, const char *what);
/* The server is open and data passes both ways. */
void session_works(struct session *s, const char *what);

#endif
