/* limits.h - every bound on what a peer can make a connection keep, count or compute. */
#ifndef SEALANE_HANDSHAKE_LIMITS_H
#define SEALANE_HANDSHAKE_LIMITS_H

/* The longest ClientHello body RFC 8446 4.1.2 can express: version, random, session id, suites, compression, extensions. */
#define SL_CLIENT_HELLO_MAX 131396u /* calc: 2 + 32 + (1 + 32) + (2 + 65534) + (1 + 255) + (2 + 65535) */

/* A connection that idles keeps this much, keys included, and no heap but its two names. */
#define SL_CONN_IDLE_MAX 1536u

/* Records in a row that carry no application data (empty ones, KeyUpdate, ChangeCipherSpec, user_canceled) before the peer
 * is refused. Data in either direction starts the count anew. A peer has no need for more than a few; an application that
 * rotates keys on a silent connection gets this many answers. */
#define SL_IDLE_RECORDS_MAX 32u

/* Bytes of 0-RTT records skipped for a client that offered early data this server refuses (RFC 8446 4.2.10). Servers that
 * hand out tickets for early data allow 14 to 16 KiB as a rule; records and headers included this is four times that. */
#define SL_EARLY_SKIP_MAX 65536u

/* A key is replaced when all but this fraction of the records it may carry (RFC 8446 5.5) have been: the rest is room for
 * whatever an application queues in one turn. */
#define SL_KEY_RESERVE_FRACTION 8u

/* Most records opened side by side for one connection in one go. */
#define SL_OPEN_WINDOW_MAX 1024u

/* How often a random private key is drawn that its group does not have: a sound source misses twice in a row once in 2^64. */
#define SL_SECRET_DRAWS_MAX 8u

#endif
