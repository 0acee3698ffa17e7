/* failure.c - see failure.h. */
#include "failure.h"
#include <stdarg.h>
#include <stdio.h>

sl_err sl_refuse(struct sl_failure *failure, sl_err reason, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(failure->text, sizeof failure->text, format, args);
  va_end(args);
  failure->reason = reason;
  failure->alert = (uint16_t)sl_err_alert(reason);
  return reason;
}

sl_err sl_refuse_plainly(struct sl_failure *failure, sl_err reason) {
  return sl_refuse(failure, reason, "%s", sl_err_text(reason));
}
