/* failure.h - how a refusal is told: the reason and its alert from error.h's list, and a sentence with the values at hand. */
#ifndef SEALANE_HANDSHAKE_FAILURE_H
#define SEALANE_HANDSHAKE_FAILURE_H

#include <sealane/tls.h>

/* Fills in reason, alert and text, leaves message and extension as they are. Returns reason. */
__attribute__((format(printf, 3, 4))) sl_err sl_refuse(struct sl_failure *failure, sl_err reason, const char *format,
                                                       ...);
/* The same with the reason's own sentence. */
sl_err sl_refuse_plainly(struct sl_failure *failure, sl_err reason);

#endif
