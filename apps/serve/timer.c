/* timer.c - a hashed timing wheel (Varghese and Lauck, 1987, scheme 6). */
#include "timer.h"

void timer_init(struct timer *timer) {
  list_init(&timer->link);
  timer->deadline_ms = 0;
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms) {
  for (size_t i = 0; i < TIMER_SLOTS; i++) list_init(&wheel->slots[i]);
  wheel->tick = now_ms / TIMER_TICK_MS;
  wheel->n_timers = 0;
}

void timer_clear(struct timer_wheel *wheel, struct timer *timer) {
  if (list_is_empty(&timer->link)) return;
  list_remove(&timer->link);
  wheel->n_timers--;
}

static void insert(struct timer_wheel *wheel, struct timer *timer) {
  uint64_t tick = (timer->deadline_ms + TIMER_TICK_MS - 1) / TIMER_TICK_MS;
  if (tick <= wheel->tick)
    tick = wheel->tick + 1; /* late already: the next tick is the first that is still looked at */
  list_append(&wheel->slots[tick % TIMER_SLOTS], &timer->link);
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ms) {
  timer_clear(wheel, timer);
  timer->deadline_ms = deadline_ms;
  insert(wheel, timer);
  wheel->n_timers++;
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, void (*fire)(void *ctx, struct timer *timer),
                         void *ctx) {
  uint64_t now_tick = now_ms / TIMER_TICK_MS;
  if (now_tick <= wheel->tick) return;
  /* After a long sleep one turn looks at every slot; more would look twice. */
  if (now_tick - wheel->tick > TIMER_SLOTS) wheel->tick = now_tick - TIMER_SLOTS;
  while (wheel->tick < now_tick) {
    wheel->tick++;
    struct link due;
    list_take_all(&due, &wheel->slots[wheel->tick % TIMER_SLOTS]);
    while (!list_is_empty(&due)) {
      struct timer *timer = LIST_ENTRY(due.next, struct timer, link);
      if (timer->deadline_ms > now_ms) { /* of a later turn of the wheel */
        list_remove(&timer->link);
        insert(wheel, timer);
        continue;
      }
      timer_clear(wheel, timer);
      fire(ctx, timer);
    }
  }
}

int64_t timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms) {
  if (wheel->n_timers == 0) return -1;
  for (uint64_t i = 1; i <= TIMER_SLOTS; i++) {
    uint64_t tick = wheel->tick + i;
    if (list_is_empty(&wheel->slots[tick % TIMER_SLOTS])) continue;
    uint64_t due_ms = tick * TIMER_TICK_MS;
    return due_ms > now_ms ? (int64_t)(due_ms - now_ms) : 0;
  }
  return 0;
}
