/* client_hello.c - ClientHello (RFC 8446 4.1.2 and 4.2, RFC 6066 section 3, RFC 7301): one row an extension, one parser a
 * row. What a parser accepts has been looked at to its last byte. Whatever no row names is passed over, which is what
 * keeps GREASE (RFC 8701) and the future working. */
#include "client_hello.h"

#define SEEN_WORDS (65536u / 64u)

/* A set of 16-bit numbers, so that duplicates among thousands of a hostile list cost one step each. */
struct seen {
  uint64_t bits[SEEN_WORDS];
};

static bool seen_has(const struct seen *seen, uint16_t number) {
  return (seen->bits[number / 64] >> (number % 64) & 1) != 0;
}

static void seen_add(struct seen *seen, uint16_t number) {
  seen->bits[number / 64] |= UINT64_C(1) << (number % 64);
}

/* ---- extensions ---------------------------------------------------------------------------------------------- */

struct extension {
  uint16_t type;
  bool may_change; /* in a second ClientHello */
  const char *name;
  /* Reads all of `body`; returns false when it is not what the extension's syntax says, or a refusal in `failure`. */
  bool (*parse)(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure);
};

/* A vector of 16-bit numbers, at least one. */
static bool parse_numbers(struct sl_reader *body, unsigned len_bytes, struct sl_reader *out) {
  return sl_read_only_vector(body, len_bytes, out) && sl_reader_len(out) >= 2 && sl_reader_len(out) % 2 == 0;
}

/* Letters, digits, hyphens and (seen in the wild) underscores in labels of 1 to 63 bytes, 253 in all, no trailing dot
 * (RFC 6066 section 3, RFC 1035 2.3.4). Numbers with dots pass: such a client means an IPv4 address, and no certificate
 * names it. */
static bool is_host_name(const uint8_t *name, size_t len) {
  size_t label_len = 0;
  if (len == 0 || len > 253) return false;
  for (size_t i = 0; i < len; i++) {
    uint8_t c = name[i], lower = c | 0x20;
    if (c == '.') {
      if (label_len == 0) return false;
      label_len = 0;
      continue;
    }
    bool is_legal = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!is_legal || ++label_len > 63) return false;
  }
  return label_len > 0;
}

static bool parse_server_name(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  enum { HOST_NAME = 0 };
  struct sl_reader list, name;
  bool has_host_name = false;
  if (!sl_read_only_vector(body, 2, &list) || sl_reader_len(&list) == 0) return false;
  while (sl_reader_len(&list) > 0) {
    uint8_t type;
    /* "all future data structures associated with new NameTypes MUST begin with a 16-bit length field" */
    if (!sl_read_u8(&list, &type) || !sl_read_vector(&list, 2, &name)) return false;
    if (type != HOST_NAME) continue;
    size_t len = sl_reader_len(&name);
    if (len == 0) return false;
    if (has_host_name) {
      sl_refuse(failure, SL_E_PARAMETER, "the client sent two host names in one server_name extension");
      return false;
    }
    if (!is_host_name(name.at, len)) {
      sl_refuse(failure, SL_E_SERVER_NAME, "the client's server name of %zu bytes is not a host name", len);
      return false;
    }
    has_host_name = true;
    hello->server_name = name;
  }
  return true;
}

static bool parse_groups(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  (void)failure;
  return parse_numbers(body, 2, &hello->groups);
}

static bool parse_schemes(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  (void)failure;
  return parse_numbers(body, 2, &hello->schemes);
}

static bool parse_schemes_cert(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  struct sl_reader unused;
  (void)hello;
  (void)failure;
  return parse_numbers(body, 2, &unused);
}

static bool parse_versions(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  (void)failure;
  return parse_numbers(body, 1, &hello->versions);
}

static bool parse_alpn(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  struct sl_reader list, name;
  (void)failure;
  if (!sl_read_only_vector(body, 2, &list) || sl_reader_len(&list) == 0) return false;
  hello->protocols = list;
  while (sl_reader_len(&list) > 0)
    if (!sl_read_vector(&list, 1, &name) || sl_reader_len(&name) == 0) return false;
  return true;
}

/* An empty list is allowed: it asks for a HelloRetryRequest (4.2.8). */
static bool parse_shares(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  struct sl_reader list, share;
  uint16_t group;
  (void)failure;
  if (!sl_read_only_vector(body, 2, &list)) return false;
  hello->shares = list;
  while (sl_reader_len(&list) > 0)
    if (!sl_read_u16(&list, &group) || !sl_read_vector(&list, 2, &share) || sl_reader_len(&share) == 0) return false;
  return true;
}

static bool parse_cookie(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  struct sl_reader cookie;
  (void)hello;
  (void)failure;
  return sl_read_only_vector(body, 2, &cookie) && sl_reader_len(&cookie) > 0;
}

static bool parse_psk_modes(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  struct sl_reader modes;
  (void)hello;
  (void)failure;
  return sl_read_only_vector(body, 1, &modes) && sl_reader_len(&modes) > 0;
}

static bool parse_early_data(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  (void)hello;
  (void)failure;
  return sl_reader_len(body) == 0;
}

static bool parse_psk(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  struct sl_reader identities, binders, item;
  size_t n_identities = 0, n_binders = 0;
  const uint8_t *age;
  (void)hello;
  if (!sl_read_vector(body, 2, &identities) || !sl_read_only_vector(body, 2, &binders)) return false;
  for (; sl_reader_len(&identities) > 0; n_identities++)
    if (!sl_read_vector(&identities, 2, &item) || sl_reader_len(&item) == 0 || !sl_read_bytes(&identities, 4, &age))
      return false;
  for (; sl_reader_len(&binders) > 0; n_binders++)
    if (!sl_read_vector(&binders, 1, &item) || sl_reader_len(&item) < 32) return false;
  if (n_identities == 0 || n_binders == 0) return false;
  if (n_identities == n_binders) return true;
  sl_refuse(failure, SL_E_PARAMETER, "the client sent %zu PSK identities and %zu binders", n_identities, n_binders);
  return false;
}

static bool parse_anything(struct sl_client_hello *hello, struct sl_reader *body, struct sl_failure *failure) {
  (void)hello;
  (void)failure;
  body->at = body->end;
  return true;
}

static const struct extension extensions[] = {
    {SL_EXT_SERVER_NAME, false, "server_name", parse_server_name},
    {SL_EXT_SUPPORTED_GROUPS, false, "supported_groups", parse_groups},
    {SL_EXT_SIGNATURE_ALGORITHMS, false, "signature_algorithms", parse_schemes},
    {SL_EXT_ALPN, false, "application_layer_protocol_negotiation", parse_alpn},
    {SL_EXT_PADDING, true, "padding", parse_anything},
    {SL_EXT_PRE_SHARED_KEY, true, "pre_shared_key", parse_psk},
    {SL_EXT_EARLY_DATA, true, "early_data", parse_early_data},
    {SL_EXT_SUPPORTED_VERSIONS, false, "supported_versions", parse_versions},
    {SL_EXT_COOKIE, true, "cookie", parse_cookie},
    {SL_EXT_PSK_KEY_EXCHANGE_MODES, false, "psk_key_exchange_modes", parse_psk_modes},
    {SL_EXT_SIGNATURE_ALGORITHMS_CERT, false, "signature_algorithms_cert", parse_schemes_cert},
    {SL_EXT_KEY_SHARE, true, "key_share", parse_shares},
};
enum { N_EXTENSIONS = sizeof extensions / sizeof extensions[0] };

static int extension_row(uint16_t type) {
  for (int i = 0; i < N_EXTENSIONS; i++)
    if (extensions[i].type == type) return i;
  return -1;
}

bool sl_client_hello_has(const struct sl_client_hello *hello, enum sl_extension extension) {
  int row = extension_row((uint16_t)extension);
  return row >= 0 && (hello->present >> row & 1) != 0;
}

/* ---- the message --------------------------------------------------------------------------------------------- */

/* Takes the next extension off a list: false at the end, or where the list is malformed, which a parse found out first. */
static bool next_extension(struct sl_reader *list, uint16_t *type, struct sl_reader *body) {
  return sl_read_u16(list, type) && sl_read_vector(list, 2, body);
}

static sl_err parse_extension(struct sl_client_hello *hello, uint16_t type, struct sl_reader *body, bool is_last,
                              struct sl_failure *failure) {
  int row = extension_row(type);
  if (row < 0) return SL_OK;
  const struct extension *e = &extensions[row];
  hello->present |= UINT32_C(1) << row;
  size_t len = sl_reader_len(body);
  if (!e->parse(hello, body, failure))
    return failure->reason
               ? failure->reason
               : sl_refuse(failure, SL_E_DECODE, "the client's %s extension of %zu bytes is malformed", e->name, len);
  if (type == SL_EXT_PRE_SHARED_KEY && !is_last)
    return sl_refuse(failure, SL_E_PARAMETER, "the client's pre_shared_key is not its last extension");
  return SL_OK;
}

static sl_err parse_extensions(struct sl_client_hello *hello, struct sl_failure *failure) {
  struct seen seen = {0};
  struct sl_reader list = hello->extensions, body;
  uint16_t type;
  while (sl_reader_len(&list) > 0) {
    if (!next_extension(&list, &type, &body))
      return sl_refuse(failure, SL_E_DECODE, "the ClientHello's list of extensions is malformed");
    failure->extension = type;
    if (seen_has(&seen, type))
      return sl_refuse(failure, SL_E_PARAMETER, "the ClientHello has extension %u twice", type);
    seen_add(&seen, type);
    sl_err err = parse_extension(hello, type, &body, sl_reader_len(&list) == 0, failure);
    if (err) return err;
    failure->extension = -1;
  }
  return SL_OK;
}

sl_err sl_client_hello_parse(struct sl_client_hello *hello, const uint8_t *body, size_t len,
                             struct sl_failure *failure) {
  struct sl_reader r = {body, body + len};
  *hello = (struct sl_client_hello){0};
  failure->extension = -1;
  if (!sl_read_u16(&r, &hello->legacy_version) || !sl_read_bytes(&r, SL_HELLO_RANDOM_LEN, &hello->random) ||
      !sl_read_vector(&r, 1, &hello->session_id) || sl_reader_len(&hello->session_id) > SL_SESSION_ID_MAX)
    return sl_refuse(failure, SL_E_DECODE, "the ClientHello of %zu bytes is malformed up to its session id", len);
  if (!sl_read_vector(&r, 2, &hello->suites) || sl_reader_len(&hello->suites) < 2 ||
      sl_reader_len(&hello->suites) % 2 != 0)
    return sl_refuse(failure, SL_E_DECODE, "the ClientHello's list of cipher suites is malformed");
  if (!sl_read_vector(&r, 1, &hello->compression) || sl_reader_len(&hello->compression) == 0)
    return sl_refuse(failure, SL_E_DECODE, "the ClientHello's list of compression methods is malformed");
  hello->before_extensions = (struct sl_reader){body, r.at};
  /* Before TLS 1.3 a ClientHello could end here (RFC 5246 7.4.1.2). */
  if (sl_reader_len(&r) == 0) return SL_OK;
  if (!sl_read_only_vector(&r, 2, &hello->extensions))
    return sl_refuse(failure, SL_E_DECODE, "the ClientHello's extensions do not end where the message does");
  return parse_extensions(hello, failure);
}

bool sl_client_hello_offers(struct sl_reader numbers, uint16_t number) {
  uint16_t offered;
  while (sl_read_u16(&numbers, &offered))
    if (offered == number) return true;
  return false;
}

bool sl_client_hello_share(const struct sl_client_hello *hello, uint16_t group, struct sl_reader *share) {
  struct sl_reader list = hello->shares;
  uint16_t found;
  while (sl_read_u16(&list, &found) && sl_read_vector(&list, 2, share))
    if (found == group) return true;
  return false;
}

/* ---- rules that span extensions ------------------------------------------------------------------------------ */

static const char *version_name(unsigned version) {
  static const char *const names[] = {"SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2"};
  return version >= 0x0300 && version <= SL_TLS_1_2 ? names[version - 0x0300] : "an unknown version";
}

/* What the client can do instead of TLS 1.3: from its list, or, without one, everything up to legacy_version. */
static sl_err refuse_version(const struct sl_client_hello *hello, struct sl_failure *failure) {
  struct sl_reader list = hello->versions;
  unsigned lowest = 0xffff, highest = 0;
  uint16_t version;
  while (sl_read_u16(&list, &version)) {
    if (version < 0x0300 || version > SL_TLS_1_2) continue; /* drafts and GREASE tell an operator nothing */
    if (version < lowest) lowest = version;
    if (version > highest) highest = version;
  }
  failure->extension = SL_EXT_SUPPORTED_VERSIONS;
  if (!sl_client_hello_has(hello, SL_EXT_SUPPORTED_VERSIONS))
    return sl_refuse(failure, SL_E_VERSION, "client offers %s%s, this server accepts TLS 1.3",
                     hello->legacy_version > 0x0301 && hello->legacy_version <= SL_TLS_1_2 ? "at most " : "",
                     version_name(hello->legacy_version > SL_TLS_1_2 ? SL_TLS_1_2 : hello->legacy_version));
  if (highest == 0)
    return sl_refuse(failure, SL_E_VERSION, "client offers no known version, this server accepts TLS 1.3");
  if (lowest == highest)
    return sl_refuse(failure, SL_E_VERSION, "client offers %s, this server accepts TLS 1.3", version_name(lowest));
  return sl_refuse(failure, SL_E_VERSION, "client offers %s-%s, this server accepts TLS 1.3", version_name(lowest),
                   version_name(highest) + strlen("TLS "));
}

/* Shares only of groups that are offered, and one each (4.2.8). */
static sl_err check_shares(const struct sl_client_hello *hello, struct sl_failure *failure) {
  struct seen offered = {0}, shared = {0};
  struct sl_reader groups = hello->groups, shares = hello->shares, share;
  uint16_t group;
  while (sl_read_u16(&groups, &group)) seen_add(&offered, group);
  while (sl_read_u16(&shares, &group) && sl_read_vector(&shares, 2, &share)) {
    if (!seen_has(&offered, group))
      return sl_refuse(failure, SL_E_PARAMETER, "the client sent a key share for group 0x%04x, which it does not offer",
                       group);
    if (seen_has(&shared, group))
      return sl_refuse(failure, SL_E_PARAMETER, "the client sent two key shares for group 0x%04x", group);
    seen_add(&shared, group);
  }
  return SL_OK;
}

/* Extensions a ClientHello must have, and those that need another one (9.2, 4.2.9). */
static const struct {
  uint16_t type;
  uint16_t when; /* the extension that makes it necessary; the same as type: always */
} required[] = {
    {SL_EXT_SIGNATURE_ALGORITHMS, SL_EXT_SIGNATURE_ALGORITHMS},
    {SL_EXT_SUPPORTED_GROUPS, SL_EXT_SUPPORTED_GROUPS},
    {SL_EXT_KEY_SHARE, SL_EXT_KEY_SHARE},
    {SL_EXT_PSK_KEY_EXCHANGE_MODES, SL_EXT_PRE_SHARED_KEY},
};

sl_err sl_client_hello_check(const struct sl_client_hello *hello, struct sl_failure *failure) {
  /* SSL 3.0 is refused even when the list of versions is better (appendix D.5). */
  if (hello->legacy_version <= 0x0300 || !sl_client_hello_offers(hello->versions, SL_TLS_1_3))
    return refuse_version(hello, failure);
  if (sl_reader_len(&hello->compression) != 1 || hello->compression.at[0] != 0)
    return sl_refuse(failure, SL_E_PARAMETER, "the client offers compression, which TLS 1.3 does not have");
  for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
    bool is_needed = required[i].when == required[i].type || sl_client_hello_has(hello, required[i].when);
    if (!is_needed || sl_client_hello_has(hello, required[i].type)) continue;
    failure->extension = required[i].type;
    return sl_refuse(failure, SL_E_EXTENSION, "the ClientHello lacks the %s extension",
                     extensions[extension_row(required[i].type)].name);
  }
  failure->extension = SL_EXT_KEY_SHARE;
  sl_err err = check_shares(hello, failure);
  if (err == SL_OK) failure->extension = -1;
  return err;
}

sl_err sl_client_hello_digest(const struct sl_client_hello *hello, uint8_t digest[32]) {
  struct sl_hash_ctx ctx;
  struct sl_reader list = hello->extensions, body;
  uint16_t type;
  sl_err err = sl_hash_init(&ctx, SL_SHA256);
  if (err) return err;
  sl_hash_update(&ctx, hello->before_extensions.at, sl_reader_len(&hello->before_extensions));
  for (const uint8_t *at = list.at; next_extension(&list, &type, &body); at = list.at) {
    int row = extension_row(type);
    if (row >= 0 && extensions[row].may_change) continue;
    sl_hash_update(&ctx, at, (size_t)(list.at - at));
  }
  sl_hash_final(&ctx, digest);
  return SL_OK;
}
