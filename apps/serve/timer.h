/* timer.h - one deadline per connection in a hashed wheel: setting and clearing cost a few instructions, however many
 * there are. Deadlines are rounded up to TIMER_TICK_MS; those past one turn of the wheel stay for further turns. */
#ifndef SEALANE_SERVE_TIMER_H
#define SEALANE_SERVE_TIMER_H

#include "list.h"
#include <stdint.h>

enum { TIMER_SLOTS = 512, TIMER_TICK_MS = 64 };

struct timer {
  struct link link;
  uint64_t deadline_ms;
};

struct timer_wheel {
  struct link slots[TIMER_SLOTS];
  uint64_t tick; /* the last tick that was looked at */
  size_t n_timers;
};

void timer_init(struct timer *timer);
void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);
/* Sets, or moves, a deadline. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ms);
/* Idempotent. */
void timer_clear(struct timer_wheel *wheel, struct timer *timer);
/* Calls `fire` for every timer whose deadline has passed, after clearing it; `fire` may set and clear any timer. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, void (*fire)(void *ctx, struct timer *timer),
                         void *ctx);
/* Milliseconds until the wheel wants to be advanced again; -1 when nothing is set. */
int64_t timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms);

#endif
