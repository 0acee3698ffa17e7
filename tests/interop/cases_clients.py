"""curl, OpenSSL's s_client and GnuTLS's client: suites, groups, certificates, names, protocols, key updates."""
import hashlib
import os
import re
import subprocess
import time

from harness import HOST, Failed, NotRun, Server, case, check, end, need, run, shorten, start, wait_until

SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


# ---- curl ------------------------------------------------------------------------------------------------------------


def curl(context, *words, seconds=30, env=None, errors_too=True):
    """curl that verifies the server's chain against the test's authority."""
    return run([need("curl"), "-sS", "--cacert", context.certs.ca, *words], seconds=seconds, env=env,
               errors_too=errors_too)


@case
def curl_each_suite(context):
    server = context.server()
    name, digest = context.file("300k.bin", 300_001)
    for suite in SUITES:
        result = curl(context, "-v", "--tls13-ciphers", suite, "-o", context.folder / "out", server.url + name)
        check(result.status == 0, f"{suite}: {result}")
        check(f"TLSv1.3 / {suite}" in result.text, f"{suite} was not chosen: {result}")
        got = hashlib.sha256((context.folder / "out").read_bytes()).hexdigest()
        check(got == digest, f"{suite}: the file arrived changed")


@case
def curl_server_preference(context):
    """The server's order decides, whatever the client's."""
    for wanted in SUITES:
        order = ":".join([wanted, *(s for s in SUITES if s != wanted)])
        with Server(context, "--suites", order, root=context.root) as server:
            result = curl(context, "-v", "-o", "/dev/null", server.url)
            check(f"TLSv1.3 / {wanted}" in result.text, f"order {order}: {result}")
    with Server(context, "--suites", SUITES[1], root=context.root) as server:
        result = curl(context, "-v", "--tls13-ciphers", SUITES[0], server.url)
        check(result.status == 35 and "handshake failure" in result.text, f"no suite in common: {result}")


@case
def curl_keep_alive(context):
    server = context.server()
    name, _ = context.file("300k.bin", 300_001)
    urls = [server.url + name + f"?{i}" for i in range(8)]
    outputs = [word for _ in urls for word in ("-o", "/dev/null")]
    result = curl(context, "-w", "%{http_code} %{num_connects}\\n", *outputs, *urls)
    check(result.status == 0, str(result))
    lines = result.text.split("\n")[:-1]
    check(lines == ["200 1"] + ["200 0"] * 7, f"eight requests on one connection: {lines}")


@case
def curl_head(context):
    server = context.server()
    name, _ = context.file("300k.bin", 300_001)
    result = curl(context, "-I", server.url + name)
    check(result.text.startswith("HTTP/1.1 200 "), str(result))
    check(re.search(r"(?im)^content-length: 300001\r$", result.text), f"no Content-Length: {result}")


@case
def curl_ranges(context):
    server = context.server()
    name, _ = context.file("300k.bin", 300_001)
    whole = (context.root / name).read_bytes()
    out = context.folder / "range"
    for span, expected in (("0-0", whole[:1]), ("0-99", whole[:100]), ("16383-16385", whole[16383:16386]),
                           ("-1", whole[-1:]), ("-100000", whole[-100000:]), ("300000-", whole[300000:]),
                           ("1000-", whole[1000:]), ("299990-400000", whole[299990:]), ("-999999", whole)):
        result = curl(context, "-r", span, "-o", out, "-w", "%{http_code}", server.url + name)
        check(result.text == "206", f"range {span}: {result}")
        check(out.read_bytes() == expected, f"range {span}: other bytes than asked for")
    result = curl(context, "-r", "300001-", "-o", out, "-w", "%{http_code}", server.url + name)
    check(result.text == "416", f"a range beyond the end: {result}")


@case
def curl_chooses_http_1_1(context):
    """curl offers h2 and http/1.1."""
    result = curl(context, "-v", "-o", "/dev/null", context.server().url)
    check(re.search(r"ALPN: server accepted http/1\.1", result.text), str(result))


@case
def curl_refused_with_tls_1_2(context):
    result = curl(context, "-v", "--tlsv1.2", "--tls-max", "1.2", context.server().url)
    check(result.status == 35 and "alert protocol version" in result.text, str(result))


@case
def curl_and_server_log_the_same_keys(context):
    mine, theirs = context.folder / "client.keys", context.folder / "server.keys"
    with Server(context, "--keylog", theirs, root=context.root) as server:
        result = curl(context, "-o", "/dev/null", server.url, env={**os.environ, "SSLKEYLOGFILE": str(mine)})
        check(result.status in (0, 22), str(result))
        if not mine.exists():
            raise NotRun("this curl does not write SSLKEYLOGFILE")
    lines = [line.split() for line in theirs.read_text().splitlines()]
    check(all(re.fullmatch(r"[A-Z_0-9]+ [0-9a-f]{64} ([0-9a-f]{64}|[0-9a-f]{96})", " ".join(line)) for line in lines),
          f"not NSS key log lines: {shorten(theirs.read_text())}")
    logged = {(label, random.lower()): secret.lower() for label, random, secret in lines}
    expected = {}
    for line in mine.read_text().splitlines():
        if not line.startswith("#"):
            label, random, secret = line.split()
            expected[label, random.lower()] = secret.lower()
    for label in ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
                  "SERVER_TRAFFIC_SECRET_0"):
        check(any(key[0] == label for key in logged), f"the server logged no {label}")
    check(all(logged.get(key, secret) == secret for key, secret in expected.items()), "the secrets differ")
    check({random for _, random in logged} == {random for _, random in expected}, "the client randoms differ")
    check(theirs.stat().st_mode & 0o077 == 0, f"others may read the key log: {theirs.stat().st_mode:o}")


@case
def no_key_log_unless_asked(context):
    stray = context.folder / "stray.keys"
    with Server(context, root=context.root, env={"SSLKEYLOGFILE": str(stray)}) as server:
        curl(context, "-o", "/dev/null", server.url)
    check(not stray.exists(), "SSLKEYLOGFILE alone made the server write its secrets")


# ---- OpenSSL ---------------------------------------------------------------------------------------------------------

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def s_client(context, server, *words, given=REQUEST, ca=True):
    """One request through s_client, whose output names what was negotiated."""
    trust = ["-CAfile", context.certs.ca, "-verify_return_error"] if ca else []
    result = run([need("openssl"), "s_client", "-connect", server.address, "-ign_eof", *trust, *words], given)
    if "Usage: s_client" in result.text or "unknown option" in result.text.lower():
        raise NotRun(f"this s_client does not know {' '.join(words)}")
    return result


def check_answered(result, what=""):
    check(result.status == 0 and "HTTP/1.1 " in result.text, f"{what} {result}".strip())


def check_alert(result, number, what):
    check(result.status != 0 and f"SSL alert number {number}" in result.text, f"{what}: {result}")


@case
def openssl_each_suite(context):
    for suite in SUITES:
        result = s_client(context, context.server(), "-ciphersuites", suite)
        check_answered(result, suite)
        check(f"New, TLSv1.3, Cipher is {suite}" in result.text, f"{suite}: {result}")
        check("Server Temp Key: X25519" in result.text, f"{suite}: {result}")
        check("Verify return code: 0 (ok)" in result.text, f"{suite}: {result}")


@case
def openssl_hello_retry_request(context):
    for groups in ("P-256:X25519", "P-521:P-384:X448:X25519"):
        result = s_client(context, context.server(), "-groups", groups, "-msg")
        check_answered(result, groups)
        check(len(re.findall(r">>> .*ClientHello", result.text)) == 2, f"{groups}: not two ClientHellos: {result}")
        check("Server Temp Key: X25519" in result.text, f"{groups}: {result}")
    for suite in SUITES:  # the transcript restarts with each hash
        result = s_client(context, context.server(), "-groups", "P-256:X25519", "-ciphersuites", suite)
        check_answered(result, suite)


@case
def openssl_secp256r1(context):
    """RFC 8446 9.1: every peer has it."""
    for suite in SUITES:
        result = s_client(context, context.server(), "-groups", "P-256", "-ciphersuites", suite, "-msg")
        check_answered(result, suite)
        check("Server Temp Key: ECDH, prime256v1, 256 bits" in result.text, f"{suite}: {result}")
        check(len(re.findall(r">>> .*ClientHello", result.text)) == 1, f"{suite}: not one ClientHello: {result}")
    result = s_client(context, context.server(), "-groups", "P-384:P-256", "-msg")
    check_answered(result, "P-384:P-256")
    check(len(re.findall(r">>> .*ClientHello", result.text)) == 2, f"P-384:P-256: not two ClientHellos: {result}")


@case
def openssl_no_common_group(context):
    for groups in ("P-521", "P-384:X448"):
        check_alert(s_client(context, context.server(), "-groups", groups), 40, f"-groups {groups}")


@case
def openssl_each_certificate(context):
    for kind, shown in (("p256", "Peer signature type: ECDSA"), ("p384", "Peer signature type: ECDSA"),
                        ("rsa2048", "Peer signature type: RSA-PSS"), ("rsapss", "Peer signature type: RSA-PSS"),
                        ("ed25519", "Peer signature type: ed25519")):
        with Server(context, certs=[context.certs.pair(kind)]) as server:
            result = s_client(context, server)
            check_answered(result, kind)
            check(shown in result.text, f"{kind}: {result}")
            check("Verify return code: 0 (ok)" in result.text, f"{kind}: {result}")


@case
def openssl_signature_algorithms(context):
    """An RSA key signs with the digest a peer insists on; where nothing fits, it is handshake_failure."""
    with Server(context, certs=[context.certs.pair("rsa2048")]) as server:
        for bits in (256, 384, 512):
            result = s_client(context, server, "-sigalgs", f"RSA-PSS+SHA{bits}:ECDSA+SHA256")
            check_answered(result, f"SHA-{bits}")
            check(f"Peer signing digest: SHA{bits}" in result.text, f"SHA-{bits}: {result}")
        check_alert(s_client(context, server, "-sigalgs", "ECDSA+SHA256", ca=False), 40, "an RSA key, ECDSA wanted")
        check_alert(s_client(context, server, "-sigalgs", "RSA+SHA256", ca=False), 40, "PKCS #1 v1.5 wanted")
    pairs = [context.certs.pair("ed25519"), context.certs.pair("p256"), context.certs.pair("rsa2048")]
    with Server(context, certs=pairs) as server:
        for algorithms, shown in (("ECDSA+SHA256", "ECDSA"), ("RSA-PSS+SHA256", "RSA-PSS"), ("ed25519", "ed25519"),
                                  ("ECDSA+SHA256:ed25519", "ed25519")):
            result = s_client(context, server, "-sigalgs", algorithms, ca=False)
            check_answered(result, algorithms)
            check(f"Peer signature type: {shown}" in result.text, f"{algorithms}: {result}")


@case
def openssl_names_select_certificates(context):
    pairs = [context.certs.pair("p256", "first", ["a.example"]),
             context.certs.pair("ed25519", "second", ["b.example", "*.wild.example"]),
             context.certs.pair("rsa2048", "third", ["c.example"])]
    with Server(context, certs=pairs) as server:
        for words, subject in ((["-servername", "a.example"], "first"), (["-servername", "b.example"], "second"),
                               (["-servername", "B.Example"], "second"), (["-servername", "c.example"], "third"),
                               (["-servername", "x.wild.example"], "second"),
                               (["-servername", "x.y.wild.example"], "first"),
                               (["-servername", "nobody.example"], "first"), (["-noservername"], "first")):
            result = s_client(context, server, *words)
            check_answered(result, str(words))
            check(re.search(rf"subject=CN = {subject}\b", result.text), f"{words}: not {subject}: {result}")


@case
def openssl_protocols(context):
    for offer in ("http/1.1", "h2,http/1.1", "h2,spdy/3,http/1.1,x"):
        result = s_client(context, context.server(), "-alpn", offer)
        check_answered(result, offer)
        check("ALPN protocol: http/1.1" in result.text, f"{offer}: {result}")
    for offer in ("h2", "imap,ftp"):
        check_alert(s_client(context, context.server(), "-alpn", offer), 120, f"-alpn {offer}")
    result = s_client(context, context.server())
    check("No ALPN negotiated" in result.text, f"nothing offered: {result}")


@case
def openssl_old_versions_are_refused(context):
    check_alert(s_client(context, context.server(), "-tls1_2"), 70, "-tls1_2")
    for version in ("-tls1_1", "-tls1"):
        result = s_client(context, context.server(), version, "-cipher", "DEFAULT@SECLEVEL=0")
        check_alert(result, 70, version)
    result = s_client(context, context.server(), "-no_tls1_3")
    check_alert(result, 70, "-no_tls1_3")


@case
def openssl_record_shapes(context):
    """Short records, padded records, no compatibility mode."""
    long_request = REQUEST.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"x" * 6000 + b"\r\n\r\n")
    for words in (["-max_send_frag", "512"], ["-record_padding", "4096"], ["-record_padding", "16384"],
                  ["-no_middlebox"], ["-no_middlebox", "-groups", "P-256:X25519"]):
        check_answered(s_client(context, context.server(), *words, given=long_request), " ".join(words))


@case
def openssl_reconnects(context):
    """Without tickets every connection is a whole handshake, and OpenSSL must be content with that."""
    result = s_client(context, context.server(), "-reconnect")
    check(len(re.findall(r"^New, TLSv1.3, Cipher is", result.text, re.M)) == 6, f"six full handshakes: {result}")


class Dialogue:
    """A client whose standard input is typed as its output comes."""

    def __init__(self, command):
        self.process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             bufsize=0)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""

    def _shows(self, pattern):
        self.text += (self.process.stdout.read() or b"").decode("utf-8", "replace")
        return re.search(pattern, self.text, re.S) or self.process.poll() is not None

    def expect(self, pattern, seconds=20):
        wait_until(lambda: self._shows(pattern), seconds, f"\"{pattern}\" did not come: {shorten(self.text[-600:])}")
        match = re.search(pattern, self.text, re.S)
        check(match, f"\"{pattern}\" did not come before the end: {shorten(self.text[-600:])}")
        self.text = self.text[match.end() :]

    def type(self, text):
        self.process.stdin.write(text.encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)


@case
def openssl_key_updates(context):
    """k replaces the client's key, K asks the server to replace its own as well; the connection goes on with both."""
    server = context.server()
    name, _ = context.file("300k.bin", 300_001)
    request = f"HEAD /{name} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for suite in SUITES:
        with Dialogue([need("openssl"), "s_client", "-connect", server.address, "-msg", "-ciphersuites", suite]) as peer:
            peer.expect("Verify return code|read R BLOCK|---\n")
            for _ in range(3):
                peer.type("k\n")
                peer.expect(r">>> TLS 1.3, Handshake \[length 0005\], KeyUpdate")
                peer.type(request)
                peer.expect("HTTP/1.1 200 OK")
                peer.type("K\n")
                peer.expect(r">>> TLS 1.3, Handshake \[length 0005\], KeyUpdate")
                peer.type(request)
                peer.expect(r"<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate.*HTTP/1.1 200 OK")


# ---- GnuTLS ----------------------------------------------------------------------------------------------------------

GNUTLS_TLS13 = "NORMAL:-VERS-ALL:+VERS-TLS1.3"


def gnutls(context, server, priority, *words, given=REQUEST):
    return run([need("gnutls-cli"), f"--x509cafile={context.certs.ca}", f"--priority={priority}", "-p",
                server.port, *words, "localhost"], given)


@case
def gnutls_each_suite(context):
    for cipher, shown in (("AES-128-GCM", "AES-128-GCM"), ("AES-256-GCM", "AES-256-GCM"),
                          ("CHACHA20-POLY1305", "CHACHA20-POLY1305")):
        result = gnutls(context, context.server(), f"{GNUTLS_TLS13}:-CIPHER-ALL:+{cipher}")
        check(result.status == 0 and "HTTP/1.1 " in result.text, f"{cipher}: {result}")
        check(re.search(rf"\(TLS1\.3.*\(ECDHE-X25519\).*\({re.escape(shown)}\)", result.text), f"{cipher}: {result}")


@case
def gnutls_each_certificate(context):
    for kind, shown in (("p256", "ECDSA-SECP256R1-SHA256"), ("p384", "ECDSA-SECP384R1-SHA384"),
                        ("rsa2048", "RSA-PSS-RSAE-SHA256"), ("ed25519", "EdDSA-Ed25519")):
        with Server(context, certs=[context.certs.pair(kind)]) as server:
            result = gnutls(context, server, GNUTLS_TLS13)
            check(result.status == 0 and "HTTP/1.1 " in result.text, f"{kind}: {result}")
            check(f"({shown})" in result.text, f"{kind}: {result}")


@case
def gnutls_hello_retry_request(context):
    result = gnutls(context, context.server(), f"{GNUTLS_TLS13}:-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519",
                    "--single-key-share")
    check(result.status == 0 and "HTTP/1.1 " in result.text, str(result))
    check("(ECDHE-X25519)" in result.text, str(result))


@case
def gnutls_secp256r1(context):
    result = gnutls(context, context.server(), f"{GNUTLS_TLS13}:-GROUP-ALL:+GROUP-SECP256R1")
    check(result.status == 0 and "HTTP/1.1 " in result.text, str(result))
    check("(ECDHE-SECP256R1)" in result.text, str(result))


@case
def gnutls_refusals(context):
    server = context.server()
    for priority, alert in ((f"{GNUTLS_TLS13}:-GROUP-ALL:+GROUP-SECP521R1", "Handshake failed"),
                            ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "protocol version"),
                            (f"{GNUTLS_TLS13}:-CIPHER-ALL:+AES-128-CCM", "Handshake failed")):
        result = gnutls(context, server, priority)
        check(result.status != 0 and alert.lower() in result.text.lower(), f"{priority}: not \"{alert}\": {result}")
    result = gnutls(context, server, GNUTLS_TLS13, "--alpn=imap")
    check(result.status != 0 and "application protocol" in result.text.lower(), f"--alpn=imap: {result}")
    result = gnutls(context, server, GNUTLS_TLS13, "--alpn=http/1.1")
    check(result.status == 0 and "Application protocol: http/1.1" in result.text, f"--alpn=http/1.1: {result}")


@case
def gnutls_rekeys(context):
    """The inline command ^rekey1^ replaces the client's key; ^rekey^ and option -e ask the server for a new one as well."""
    for inline in ("^rekey1^", "^rekey^"):
        command = [need("gnutls-cli"), f"--x509cafile={context.certs.ca}", f"--priority={GNUTLS_TLS13}", "-p",
                   context.server().port, "--inline-commands", "localhost"]
        with Dialogue(command) as peer:
            peer.expect("Simple Client Mode")
            peer.type(inline + "\n")
            peer.expect("Rekey was completed")
            peer.type("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            peer.expect(r"HTTP/1\.1 \d+ ")
    result = gnutls(context, context.server(), GNUTLS_TLS13, "-e")
    check("ReHandshake was completed" in result.text and "HTTP/1.1 " in result.text, f"-e: {result}")
