/* error.c - names and sentences of errors and alerts (RFC 8446 section 6): two tables made from error.h's list. */
#include <sealane/error.h>
#include <stddef.h>

struct error_row {
  const char *name, *text;
  enum sl_alert alert;
};

static const struct error_row errors[] = {
#define ERROR_ROW(name, alert, text) [name] = {#name, text, SL_ALERT_##alert},
    SL_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};
static const struct error_row unknown = {"SL_E_?", "an error number this library does not know",
                                         SL_ALERT_INTERNAL_ERROR};

static const struct error_row *row(sl_err err) {
  return (unsigned)err < SL_ERR_END ? &errors[err] : &unknown;
}

const char *sl_err_name(sl_err err) {
  return row(err)->name;
}

const char *sl_err_text(sl_err err) {
  return row(err)->text;
}

enum sl_alert sl_err_alert(sl_err err) {
  return row(err)->alert;
}

static const char *const alerts[] = {
    [SL_ALERT_CLOSE_NOTIFY] = "close_notify",
    [SL_ALERT_UNEXPECTED_MESSAGE] = "unexpected_message",
    [SL_ALERT_BAD_RECORD_MAC] = "bad_record_mac",
    [SL_ALERT_RECORD_OVERFLOW] = "record_overflow",
    [SL_ALERT_HANDSHAKE_FAILURE] = "handshake_failure",
    [SL_ALERT_BAD_CERTIFICATE] = "bad_certificate",
    [SL_ALERT_UNSUPPORTED_CERTIFICATE] = "unsupported_certificate",
    [SL_ALERT_CERTIFICATE_REVOKED] = "certificate_revoked",
    [SL_ALERT_CERTIFICATE_EXPIRED] = "certificate_expired",
    [SL_ALERT_CERTIFICATE_UNKNOWN] = "certificate_unknown",
    [SL_ALERT_ILLEGAL_PARAMETER] = "illegal_parameter",
    [SL_ALERT_UNKNOWN_CA] = "unknown_ca",
    [SL_ALERT_ACCESS_DENIED] = "access_denied",
    [SL_ALERT_DECODE_ERROR] = "decode_error",
    [SL_ALERT_DECRYPT_ERROR] = "decrypt_error",
    [SL_ALERT_PROTOCOL_VERSION] = "protocol_version",
    [SL_ALERT_INSUFFICIENT_SECURITY] = "insufficient_security",
    [SL_ALERT_INTERNAL_ERROR] = "internal_error",
    [SL_ALERT_INAPPROPRIATE_FALLBACK] = "inappropriate_fallback",
    [SL_ALERT_USER_CANCELED] = "user_canceled",
    [SL_ALERT_MISSING_EXTENSION] = "missing_extension",
    [SL_ALERT_UNSUPPORTED_EXTENSION] = "unsupported_extension",
    [SL_ALERT_UNRECOGNIZED_NAME] = "unrecognized_name",
    [SL_ALERT_BAD_CERTIFICATE_STATUS_RESPONSE] = "bad_certificate_status_response",
    [SL_ALERT_UNKNOWN_PSK_IDENTITY] = "unknown_psk_identity",
    [SL_ALERT_CERTIFICATE_REQUIRED] = "certificate_required",
    [SL_ALERT_NO_APPLICATION_PROTOCOL] = "no_application_protocol",
};

const char *sl_alert_name(unsigned alert) {
  if (alert == SL_ALERT_NONE) return "none";
  if (alert >= sizeof alerts / sizeof alerts[0] || alerts[alert] == NULL) return "unknown_alert";
  return alerts[alert];
}
