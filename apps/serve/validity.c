/* validity.c - see validity.h. X.509 is libcrypto's. */
#include "validity.h"
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <time.h>

static void describe(const char *what, const ASN1_TIME *when, char *why, size_t why_cap) {
  char day[sizeof "0000-00-00"] = "?";
  struct tm tm;
  if (ASN1_TIME_to_tm(when, &tm) == 1) strftime(day, sizeof day, "%Y-%m-%d", &tm);
  snprintf(why, why_cap, "the certificate %s %s: clients will refuse it", what, day);
}

bool validity_check(const char *path, char *why, size_t why_cap) {
  BIO *file = BIO_new_file(path, "r");
  X509 *cert = file != NULL ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
  bool has_expired = cert != NULL && X509_cmp_current_time(X509_get0_notAfter(cert)) < 0;
  bool is_early = cert != NULL && X509_cmp_current_time(X509_get0_notBefore(cert)) > 0;
  if (has_expired) {
    describe("expired", X509_get0_notAfter(cert), why, why_cap);
  } else if (is_early) {
    describe("is not valid before", X509_get0_notBefore(cert), why, why_cap);
  }
  X509_free(cert);
  BIO_free(file);
  return !has_expired && !is_early;
}
