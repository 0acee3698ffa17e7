"""nginx, HAProxy, Apache, curl, s_server and s_client on the provider: every suite, resumption, bodies, uploads,
reloads, a record that was changed on the way."""
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import time

from harness import HOST, Downloads, NotRun, case, check, need, run, start, wait_until
from unmodified import (MIB, ROOT, SUITES, TLS12, TLS13, Apache, Haproxy, LongAnswer, Nginx, SServer, check_on_provider,
                        cipher_of, curl_words, library_path, maps, program, runs_module,
                        s_client_words)

REQUEST = b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def plain_env():
    """Of a program without the provider."""
    return {**{name: value for name, value in os.environ.items() if name != "OPENSSL_CONF"}, **library_path()}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def curl_command(context, *words):
    return [need("curl"), "-sS", "--fail", "--http1.1", "--cacert", context.certs.ca, *words]


def check_fetched(context, host, suite, env=None, may_reconnect=False):
    """One connection, three bodies: of some bytes, of many records, of none. They arrive as they are, under this suite. A server
    that reloads may close a connection between two answers."""
    name, digest = context.file("300k.bin", 300_001)
    out = [context.folder / f"out{i}" for i in range(2)]
    result = run(curl_command(context, "-v", *curl_words(suite), "-o", out[0], host.url + "small.txt", "-o", out[1],
                              host.url + name), env=env or plain_env())
    check(result.status == 0, f"{host.name}: {suite}: {result}; {host.why()}")
    check(re.search(rf"SSL connection using TLSv1\.[23] / {suite}\b", result.text), f"{suite} was not chosen: {result}")
    check(result.text.count("SSL connection using") in ({1, 2} if may_reconnect else {1} if host.keeps_alive else {2}),
          f"{host.name}: {suite}: not one connection: {result}")
    check(out[0].read_text() == "small\n" and sha256(out[1]) == digest, f"{host.name}: {suite}: a file arrived changed")


def offered(context, suites=SUITES):
    return [suite for suite in suites if cipher_of(suite) in context.offered]


def check_each_suite(context, host):
    for suite in SUITES:
        check_fetched(context, host, suite)
    for suite in offered(context):
        check_on_provider(context, host, suite)


# ---- suites ----------------------------------------------------------------------------------------------------------


@case
def the_proof_can_fail(context):
    """A server that has loaded the module and does not prefer it is told from one that runs it."""
    loaded = context.conf_with("loaded", (r"^default_properties.*$", ""))
    with Nginx(context, env=context.env(loaded)) as nginx:
        check(all(maps(pid, context.module) for pid in nginx.workers()), "the module is not loaded")
        with LongAnswer(context, nginx, offered(context)[0]) as answer:
            check(not runs_module(context, nginx.workers(), answer, seconds=0.5),
                  "code of the module is said to run in a server that does not prefer it")


@case
def nginx_each_suite(context):
    with Nginx(context) as nginx:
        check_each_suite(context, nginx)


@case
def haproxy_each_suite(context):
    """Four threads; nginx behind it, without TLS."""
    with Nginx(context, env=plain_env()) as nginx, Haproxy(context, backend=nginx) as haproxy:
        check_each_suite(context, haproxy)


@case
def haproxy_by_its_own_configuration(context):
    """Without OPENSSL_CONF: HAProxy can name providers itself."""
    names = "\n  ".join((f"ssl-provider-path {context.build}", "ssl-provider sealane", "ssl-provider default",
                         "ssl-propquery ?provider=sealane"))
    env = {**context.env(), "OPENSSL_CONF": "/dev/null"}
    with Nginx(context, env=plain_env()) as nginx, Haproxy(context, env=env, backend=nginx, settings=names) as haproxy:
        check_each_suite(context, haproxy)


@case
def haproxy_as_client(context):
    """HAProxy takes TLS off and puts it on again: towards nginx it is the client."""
    with Nginx(context, env=plain_env()) as nginx:
        for words, suite in (("ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256", TLS13[0]),
                             ("ssl-max-ver TLSv1.2 ciphers ECDHE-ECDSA-CHACHA20-POLY1305", TLS12[-1])):
            with Haproxy(context, backend=nginx, backend_tls=words) as haproxy:
                check_fetched(context, haproxy, suite)
                if offered(context, [suite]):
                    check_on_provider(context, haproxy, suite)


@case
def apache_each_suite(context):
    with Apache(context) as apache:
        check_each_suite(context, apache)


@case
def s_server_each_suite(context):
    with SServer(context) as server:
        check_each_suite(context, server)


@case
def curl_each_suite(context):
    """The client is on the provider, the server is not; then both are."""
    context.not_with_sanitizers("curl hangs in setlocale()")
    with Nginx(context, env=plain_env()) as nginx:
        for suite in SUITES:
            check_fetched(context, nginx, suite, env=context.env())
        for suite in offered(context):
            with LongAnswer(context, nginx, suite, env=context.env()) as answer:
                check(runs_module(context, [answer.process.pid], answer),
                      f"curl: {suite}: the records are not opened by the provider")
    with Nginx(context) as nginx:
        for suite in SUITES:
            check_fetched(context, nginx, suite, env=context.env())


@case
def nginx_takes_uploads(context):
    """The server opens what it otherwise seals."""
    name, digest = context.file("upload.bin", 3 * MIB + 17)
    with Nginx(context, server="dav_methods PUT; location /up/ { root " + str(context.folder) + "; }") as nginx:
        (context.folder / "up").mkdir(mode=0o777)
        for suite in SUITES:
            result = run(curl_command(context, *curl_words(suite), "-T", context.root / name, nginx.url + "up/file"),
                         env=plain_env())
            check(result.status == 0, f"{suite}: {result}; {nginx.why()}")
            check(sha256(context.folder / "up/file") == digest, f"{suite}: the upload arrived changed")
            (context.folder / "up/file").unlink()


# ---- resumption ------------------------------------------------------------------------------------------------------


def check_resumes(context, host, suite, *words):
    """s_client stores a session and comes back with it; both ends on the provider."""
    session = context.folder / f"session-{time.monotonic_ns()}"
    command = [need("openssl"), "s_client", "-connect", host.address, "-servername", "localhost", "-ign_eof", "-CAfile",
               context.certs.ca, *s_client_words(suite), *words]
    for extra, kind in ((["-sess_out", session], "New"), (["-sess_in", session], "Reused")):
        result = run([*command, *extra], REQUEST, env=context.env())
        check(result.status == 0 and "small" in result.text, f"{host.name}: {suite} {words}: {result}; {host.why()}")
        check(f"{kind}, TLSv1.{3 if suite in TLS13 else 2}, Cipher is {suite}" in result.text,
              f"{host.name}: {suite} {words}: not {kind}: {result}")


def check_all_resume(context, host, suites):
    for suite in suites:
        check_resumes(context, host, suite)


SOME_SUITES = (*TLS13, TLS12[0], TLS12[4], TLS12[5])


@case
def nginx_resumes_tickets(context):
    with Nginx(context, server="ssl_session_tickets on;") as nginx:
        check_all_resume(context, nginx, SOME_SUITES)


@case
def nginx_resumes_session_ids(context):
    with Nginx(context, server="ssl_session_tickets off; ssl_session_cache shared:tls:1m;") as nginx:
        check_all_resume(context, nginx, SOME_SUITES)


@case
def haproxy_resumes(context):
    with Nginx(context, env=plain_env()) as nginx:
        for bind in ("", "no-tls-tickets"):
            with Haproxy(context, backend=nginx, bind=bind) as haproxy:
                check_all_resume(context, haproxy, SOME_SUITES)


@case
def apache_resumes(context):
    with Apache(context) as apache:
        check_all_resume(context, apache, SOME_SUITES)


# ---- reloads ---------------------------------------------------------------------------------------------------------


def check_downloads(results, length, digest, host):
    for i, (status, got, found) in enumerate(results):
        check(status == 0, f"download {i}: curl ended with {status} after {got} bytes; {host.why()}")
        check(got == length and found == digest, f"download {i}: {got} bytes, changed on the way")


def reload_under_load(context, host, number, n_reloads, n_downloads, mib):
    """New processes take over while old ones end their downloads."""
    name, digest = context.file(f"{mib}m.bin", mib * MIB)
    for i in range(n_reloads):
        before = host.workers()
        suites = [SUITES[(i + j) % len(SUITES)] for j in range(n_downloads)]
        downloads = Downloads([curl_command(context, *curl_words(suite), "--limit-rate", f"{2 * mib}M", host.url + name)
                               for suite in suites])
        limit = time.monotonic() + 30
        while not downloads.all_began():
            check(time.monotonic() < limit, "not all downloads began within 30 s")
            downloads.step()
        host.process.send_signal(number)
        wait_until(lambda: set(host.workers()) - set(before), 20, f"no new process after a reload: {host.why()}")
        check_fetched(context, host, suites[0], may_reconnect=True)
        check_downloads(downloads.finish(), mib * MIB, digest, host)
        wait_until(lambda: not set(host.workers()) & set(before), 20, f"old processes do not end: {host.why()}")
    for suite in offered(context, (TLS13[0], TLS12[-1])):
        check_on_provider(context, host, suite)


@case
def nginx_reloads(context):
    with Nginx(context) as nginx:
        reload_under_load(context, nginx, signal.SIGHUP, 2, 8, 2)


@case
def nginx_upgrades_its_binary(context):
    """SIGUSR2 starts nginx anew with an environment that has only what `env` names: `env OPENSSL_CONF;` has to be there."""
    context.not_with_sanitizers("an nginx that was started anew preloads nothing")
    with Nginx(context, env=plain_env()) as nginx:
        configuration = (nginx.folder / "nginx.conf").read_text()
        command = [str(word) for word in nginx.command()]
    for kept in (True, False):
        text = configuration if kept else configuration.replace("env OPENSSL_CONF;", "")
        (nginx.folder / "nginx.conf").write_text(text)
        # nginx upgrades only when its parent is not the one that it was started by, as for a service
        for name in ("pid", "pid.oldbin"):  # killed, it leaves them
            (nginx.folder / name).unlink(missing_ok=True)
        begin = '"$@" & for i in $(seq 200); do [ -s "$0" ] && break; sleep 0.1; done; sleep 0.1'
        shell = start(["sh", "-c", begin, nginx.folder / "pid", *command], env=context.env())
        try:
            shell.wait(30)
            old = read_pid(nginx.folder / "pid")
            check(maps(old, context.module), "the first nginx has not loaded the module")
            os.kill(old, signal.SIGUSR2)
            wait_until(lambda: (nginx.folder / "pid.oldbin").exists() and read_pid(nginx.folder / "pid") != old, 10,
                       f"no second nginx: {nginx.why()}")
            new = read_pid(nginx.folder / "pid")
            os.kill(old, signal.SIGQUIT)
            check_fetched(context, nginx, TLS13[0], may_reconnect=True)
            check(maps(new, context.module) == kept, f"after an upgrade, with `env` {kept}: {nginx.why()}")
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


def read_pid(path):
    wait_until(lambda: path.exists() and path.read_text().strip(), 10, f"{path} was not written")
    return int(path.read_text())


@case
def haproxy_reloads(context):
    """The master runs itself anew, and finds the configuration again."""
    context.not_with_sanitizers("HAProxy that runs itself anew hangs in setlocale()")
    with Nginx(context, env=plain_env()) as nginx, Haproxy(context, backend=nginx) as haproxy:
        reload_under_load(context, haproxy, signal.SIGUSR2, 2, 8, 2)


# ---- a record that was changed on the way ----------------------------------------------------------------------------


def send_changed_record(context, host, version):
    """After a good handshake, a record that nobody sealed; returns the server's alert."""
    trust = ssl.create_default_context(cafile=str(context.certs.ca))
    trust.minimum_version = trust.maximum_version = version
    with socket.create_connection((HOST, host.port), timeout=10) as raw:
        with trust.wrap_socket(raw, server_hostname="localhost") as tls:
            tls.sendall(REQUEST.replace(b"close", b"keep-alive"))
            answer = b""
            while b"small" not in answer:
                piece = tls.recv(4096)
                check(piece, f"no answer: {answer}")
                answer += piece
            os.write(tls.fileno(), b"\x17\x03\x03\x00\x40" + bytes(64))
            try:
                return f"{len(tls.recv(100))} bytes"
            except ssl.SSLError as error:
                return error.reason


@case
def nginx_refuses_a_changed_record(context):
    """The alert is the right one, and the log calls it a peer's mistake. OpenSSL's own AES-GCM of TLS 1.2 says more: [crit]."""
    if not offered(context, ("TLS_AES_256_GCM_SHA384",)):  # which Python asks for first
        raise NotRun("the provider does not offer AES-256-GCM with these kernels")
    with Nginx(context) as nginx:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            alert = send_changed_record(context, nginx, version)
            check(alert and "BAD_RECORD_MAC" in alert, f"{version.name}: {alert}; {nginx.why()}")
        said = re.compile(r"\[info\] [^[]*SSL_read\(\) failed \(SSL: error:0A000119:SSL routines::decryption failed or bad record mac\)")
        wait_until(lambda: len(said.findall(nginx.log())) == 2, 5, f"nginx's log: {nginx.why()}")


# ---- much at once ----------------------------------------------------------------------------------------------------


def all_hosts(context):
    """Each server in turn, started and with the provider."""
    with Nginx(context) as host:
        yield host
    with Nginx(context, env=plain_env()) as nginx, Haproxy(context, backend=nginx) as host:
        yield host
    with Apache(context) as host:
        yield host


def download_all(context, host, suites, mib):
    name, digest = context.file(f"{mib}m.bin", mib * MIB)
    downloads = Downloads([curl_command(context, *curl_words(suite), host.url + name) for suite in suites])
    check_downloads(downloads.finish(), mib * MIB, digest, host)


@case(full=True, seconds=300)
def large_bodies(context):
    """Half a gigabyte with each suite, three at a time."""
    with Nginx(context) as nginx:
        for i in range(0, len(SUITES), 3):
            download_all(context, nginx, SUITES[i : i + 3], 512)


@case(full=True, seconds=300)
def many_bodies(context):
    """Ninety downloads of 8 MiB at once, ten with each suite, from each server."""
    for host in all_hosts(context):
        download_all(context, host, SUITES * 10, 8)
        for suite in offered(context, (TLS13[0], TLS12[-1])):
            check_on_provider(context, host, suite)


@case(full=True, seconds=300)
def small_bodies(context):
    """Four hundred files of 0 to 20,000 bytes over fifty connections of one client, which is on the provider, too."""
    env = plain_env() if context.is_sanitized else context.env()  # curl_each_suite says why
    folder, out = context.root / "small", context.folder / "small"
    for path in (folder, out):
        path.mkdir()
    texts = {str(i): os.urandom(50 * i) for i in range(400)}
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    for host in all_hosts(context):
        for suite in SUITES:
            result = run(curl_command(context, *curl_words(suite), "--parallel", "--parallel-immediate", "--parallel-max",
                                      "50", host.url + "small/[0-399]", "-o", out / "#1"), env=env)
            check(result.status == 0, f"{host.name}: {suite}: {result}; {host.why()}")
            for name, text in texts.items():
                check((out / name).read_bytes() == text, f"{host.name}: {suite}: body {name} arrived changed")
                (out / name).write_bytes(b"old")


@case(full=True, seconds=300)
def handshakes(context):
    """As many as one client makes in a second, whole ones and resumed ones, in both versions."""
    for host in all_hosts(context):
        # s_time sends no name, and HAProxy then knows one certificate alone
        for suite in (TLS13[0], TLS12[3]) if host.name == "haproxy" else (TLS13[0], TLS12[0], TLS12[3]):
            words = s_client_words(suite)
            for kind in ("-new", "-reuse"):
                result = run([need("openssl"), "s_time", "-connect", host.address, kind, "-time", "1", *words],
                             env=context.env())
                made = re.search(r"(\d+) connections in \d+ real seconds", result.text)
                check(result.status == 0 and made and int(made.group(1)) >= 20,
                      f"{host.name}: {suite} {kind}: {result}; {host.why()}")


@case(full=True, seconds=300)
def nginx_reloads_often(context):
    """Eight times, with thirty downloads under way at each."""
    with Nginx(context) as nginx:
        reload_under_load(context, nginx, signal.SIGHUP, 8, 30, 4)


@case(full=True, seconds=300)
def haproxy_reloads_often(context):
    context.not_with_sanitizers("HAProxy that runs itself anew hangs in setlocale()")
    with Nginx(context, env=plain_env()) as nginx, Haproxy(context, backend=nginx) as haproxy:
        reload_under_load(context, haproxy, signal.SIGUSR2, 8, 30, 4)


@case(full=True, seconds=120)
def bench_of_nginx(context):
    """bench/nginx.sh has a row for each load and provider, and says no when it cannot measure."""
    context.not_with_sanitizers("figures mean nothing")
    bench = ROOT / "bench/nginx.sh"
    for name in ("nginx", "wrk"):
        program(name)
    result = run([bench, "--build", context.build, "--rounds", "1", "--seconds", "1", "--json", "-"], seconds=110,
                 errors_too=False)
    check(result.status == 0, str(result))
    rows = [json.loads(line) for line in result.text.splitlines()]
    if any("na" in row for row in rows):
        raise NotRun(rows[0]["na"])
    found = {(row.get("impl"), row["load"]) for row in rows}
    wanted = {(impl, load) for impl in ("default", "sealane", None) for load in ("small", "large", "handshake")}
    check(found == wanted and len(rows) == len(wanted), f"rows: {result}")
    check(all(row["cpu_us"] > 0 for row in rows if "impl" in row), f"rows without figures: {result}")
    check(all(row["ratio_of_best"] > 0 for row in rows if "impl" not in row), f"rows without ratios: {result}")
    result = run([bench, "--build", context.folder, "--load", "large", "--json", "-"], errors_too=False)
    check(result.status == 0 and "is not built" in json.loads(result.text)["na"], f"without a module: {result}")
    for words in (["--rounds", "0"], ["--load", "huge"], ["--json"], ["--nothing"]):
        result = run([bench, *words])
        check(result.status == 1 and words[0] in result.text, f"{words}: {result}")
