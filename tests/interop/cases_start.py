"""Starting and stopping: what is wrong on the command line is said in one line that names it, with exit 1."""
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import time

from harness import HOST, NotRun, Server, case, check, end, run, shorten, start, wait_until
from tls_client import HttpClient


def refused(context, words, names, env=None, command=None, user=None):
    """Starts the server, which must end with exit 1 and one line that holds each of `names`."""
    process = start([command or context.serve, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    env={**os.environ, **(env or {})}, **({"user": user} if user else {}))
    shown = " ".join(str(word) for word in words)
    try:
        out, err = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        check(False, f"{shown}: started instead of refusing")
    finally:
        end(process)
    text = err.decode("utf-8", "backslashreplace")
    check(process.returncode == 1, f"{shown}: exit {process.returncode}: {shorten(text)}")
    check(out == b"", f"{shown}: wrote to standard output: {shorten(out)}")
    check(text.count("\n") == 1 and text.endswith("\n"), f"{shown}: not one line: {text!r}")
    for name in names:
        check(str(name) in text, f"{shown}: the line does not name {name}: {shorten(text)}")


@case
def start_refuses_bad_flags(context):
    cert, key = context.certs.pair("p256")
    listen = ["--listen", f"{HOST}:0"]
    for words, names in ((["--nonsense"], ["--nonsense"]), (["-x"], ["-x"]), (["stray"], ["stray"]), (["--"], ["--"]),
                         (["--listen"], ["--listen"]), (["--cert"], ["--cert"]), (["--root"], ["--root"]),
                         (["--listen", ""], ["--listen"]), (["--listen", "nonsense"], ["--listen", "nonsense"]),
                         (["--listen", "127.0.0.1"], ["--listen", "127.0.0.1"]),
                         (["--listen", "127.0.0.1:70000"], ["--listen", "70000"]),
                         (["--listen", "127.0.0.1:-1"], ["--listen", "-1"]),
                         (["--listen", "127.0.0.1:80x"], ["--listen", "80x"]),
                         (["--listen", "999.0.0.1:0"], ["--listen", "999.0.0.1"]),
                         (["--listen", "192.0.2.1:0"], ["192.0.2.1"]),  # an address this machine does not have
                         ([*listen, "--threads", "0"], ["--threads", "0"]),
                         ([*listen, "--threads", "-1"], ["--threads", "-1"]),
                         ([*listen, "--threads", "many"], ["--threads", "many"]),
                         ([*listen, "--threads", "99999999999999999999"], ["--threads"]),
                         ([*listen, "--suites", "nonsense"], ["--suites", "nonsense"]),
                         ([*listen, "--suites", ""], ["--suites"]),
                         ([*listen, "--suites", "TLS_AES_128_GCM_SHA256:TLS_AES_128_GCM_SHA256"],
                          ["--suites", "TLS_AES_128_GCM_SHA256"]),
                         ([*listen, "--cert", cert], ["--cert", cert]), ([*listen, "--key", key], ["--key", key]),
                         ([*listen, "--keylog", context.folder / "absent" / "keys"], [context.folder / "absent" / "keys"]),
                         ([*listen, "--keylog", context.folder], [context.folder])):
        refused(context, words, names)
    refused(context, listen, ["nonsense"], env={"SEALANE_KERNELS": "nonsense"})


@case
def start_refuses_bad_certificates(context):
    good, key = context.certs.pair("p256")
    other, other_key = context.certs.pair("p256", "other", ["other.example"])
    folder = context.folder / "bad"
    folder.mkdir()

    def write(name, data):
        (folder / name).write_bytes(data)
        return folder / name

    openssl = context.certs.openssl
    encrypted = folder / "encrypted.key"
    run([openssl, "pkey", "-in", key, "-aes128", "-passout", "pass:secret", "-out", encrypted])
    der = folder / "cert.der"
    run([openssl, "x509", "-in", good, "-outform", "DER", "-out", der])
    swapped = write("swapped.pem", context.certs.folder.joinpath("issuer.pem").read_bytes() + good.read_bytes())
    weak, weak_key = context.certs.pair("rsa1024", "weak", ["weak.example"])
    p521, p521_key = context.certs.pair("p521", "large", ["large.example"])
    absent = folder / "absent.pem"
    os.mkfifo(folder / "pipe.pem")
    for cert, k, names in ((absent, key, [absent]), (good, absent, [absent]), (folder, key, [folder]),
                           (good, folder, [folder]), (folder / "pipe.pem", key, [folder / "pipe.pem"]),
                           (write("empty.pem", b""), key, ["empty.pem"]), (good, write("empty.key", b""), ["empty.key"]),
                           (write("binary.pem", bytes(range(256)) * 100), key, ["binary.pem"]),
                           (write("text.pem", b"hello\n"), key, ["text.pem"]),
                           (write("huge.pem", b"\n" * (2 << 20)), key, ["huge.pem"]), (der, key, ["cert.der", "DER"]),
                           (key, key, [key]), (good, good, [good]), (good, other_key, [other_key, good]),
                           (other, key, [key, other]), (good, encrypted, ["encrypted.key", "encrypted"]),
                           (swapped, key, ["swapped.pem", "first"]), (weak, weak_key, [weak, "1024"]),
                           (p521, p521_key, [p521, "secp521r1"]),
                           (write("cut.pem", good.read_bytes()[:200]), key, ["cut.pem"])):
        refused(context, ["--listen", f"{HOST}:0", "--cert", cert, "--key", k], names)
    # the second pair is as strictly looked at as the first
    refused(context, ["--listen", f"{HOST}:0", "--cert", good, "--key", key, "--cert", good, "--key", other_key], [other_key])


def by_nobody(context):
    """(a folder, a server in it, user) for a case that wants rights taken away: root, who has them all, starts as nobody."""
    if os.geteuid() != 0:
        return context.folder, context.serve, None
    folder = context.folder / "nobody"
    folder.mkdir(exist_ok=True)
    os.chmod(context.folder, 0o755)
    command = shutil.copy(context.serve, folder / "sealane-serve")
    user = 65534
    try:
        end(start([command, "--version"], stdout=subprocess.DEVNULL, user=user))
    except OSError as error:
        raise NotRun(f"nobody else than root can start the server here: {error}") from None
    return folder, command, user


@case
def start_tells_of_expired_certificates(context):
    """They are served, as their operator wants it; but a line says that nobody will take them."""
    cert, key = context.certs.pair("p256")
    old = context.folder / "expired.pem"
    asked = run([context.certs.openssl, "req", "-new", "-subj", "/CN=localhost", "-key", key], errors_too=False)
    made = run([context.certs.openssl, "x509", "-req", "-days", "-1", "-signkey", key, "-out", old], given=asked.output)
    check(old.exists(), f"openssl x509: {made}")
    with Server(context, certs=[(cert, key), (old, key)], root=context.root) as server:
        day = time.strftime("%Y-%m-%d", time.gmtime(old.stat().st_mtime - 86400))
        said = server.errors().decode()
        check(said == f"sealane-serve: {old}: the certificate expired {day}: clients will refuse it\n", f"it said {said}")


@case
def start_refuses_unreadable_files(context):
    folder, command, user = by_nobody(context)
    good, key = context.certs.pair("p256")
    cert_copy, key_copy = shutil.copy(good, folder / "open.pem"), shutil.copy(key, folder / "closed.key")
    os.chmod(cert_copy, 0o644)
    os.chmod(key_copy, 0)
    (folder / "closed-root").mkdir(mode=0)
    listen = ["--listen", f"{HOST}:0"]
    refused(context, [*listen, "--cert", cert_copy, "--key", key_copy], [key_copy], command=command, user=user)
    refused(context, [*listen, "--root", folder / "closed-root"], [folder / "closed-root"], command=command, user=user)


@case
def start_refuses_bad_roots(context):
    file = context.folder / "a-file"
    file.write_bytes(b"x")
    for root in (file, context.folder / "absent-folder", file / "below"):
        refused(context, ["--listen", f"{HOST}:0", "--root", root], ["--root", root])


@case
def start_refuses_a_port_in_use(context):
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        address = f"{HOST}:{holder.getsockname()[1]}"
        refused(context, ["--listen", address], [address])
        refused(context, ["--listen", address, "--threads", "4"], [address])
    with Server(context, root=context.root) as server:
        refused(context, ["--listen", server.address], [server.address])


@case
def start_with_too_few_files(context):
    """Every number of files is enough, or what is lacking is said, and is not memory, nor the kernel."""
    has_started = False
    env = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}  # which takes files, too
    for n in range(4, 24):
        process = start([context.serve, "--listen", f"{HOST}:0", "--threads", "2"], stdout=subprocess.PIPE, env=env,
                        stderr=subprocess.PIPE, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
        try:
            first = process.stdout.readline()
            has_started = first != b""
            if has_started:
                process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=20)
        finally:
            end(process)
        if b"error while loading shared libraries" in err:  # the dynamic loader's own words
            continue
        check(process.returncode == 0 if has_started else process.returncode == 1 and b"Too many open files" in err,
              f"{n} files: exit {process.returncode}: {shorten(err)}")
    check(has_started, "23 files are not enough")


@case
def start_with_little_locked_memory(context):
    """io_uring's rings count as locked memory, of which a user has little by default."""
    _, command, user = by_nobody(context)
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    least = 65536 if hard == resource.RLIM_INFINITY else min(65536, hard)
    process = start([command, "--listen", f"{HOST}:0", "--threads", "64"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    user=user, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, least)))
    try:
        if process.stdout.readline() != b"":
            raise NotRun("this kernel does not count a ring's memory, or lets this user lock any amount")
        _, err = process.communicate(timeout=20)
    finally:
        end(process)
    said = f"{least // 1024} KiB of it may be locked; see ulimit -l"  # which shows that the limit was raised before
    check(process.returncode == 1 and said in err.decode(), f"exit {process.returncode}: {shorten(err)}")


@case
def start_tells_help_and_version(context):
    for flag, text in (("--help", "--listen"), ("--version", "sealane-serve")):
        result = run([context.serve, flag])
        check(result.status == 0 and text in result.text, f"{flag}: {result}")
    shown = run([context.serve, "--help"]).text
    for flag in ("--listen", "--cert", "--key", "--root", "--threads", "--suites", "--keylog", "--help", "--version"):
        check(flag in shown, f"--help does not tell of {flag}")


@case
def start_on_several_addresses_and_threads(context):
    with Server(context, "--threads", "4", root=context.root) as server:
        for _ in range(20):
            with HttpClient(server.port) as client:
                client.get("/")
    with contextlib.suppress(OSError):
        probe = socket.socket(socket.AF_INET6)
        probe.bind(("::1", 0))
        probe.close()
        with Server(context, root=context.root, listen="[::1]:0") as server:
            s = socket.create_connection(("::1", server.port), 10)
            s.close()
        return
    raise NotRun("this machine has no IPv6 address ::1")


@case
def start_without_standard_streams(context):
    """Closed ones must not become sockets and files that messages are then written to; broken ones are told of."""
    with socket.socket() as s:
        s.bind((HOST, 0))
        address = "%s:%d" % s.getsockname()
    process = start([context.serve, "--listen", address, "--verbose"],
                    preexec_fn=lambda: [os.close(fd) for fd in range(3)])
    try:
        wait_until(lambda: connects(address), 20, "it does not listen")
        names = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)]
        check(names == ["/dev/null"] * 3, f"0, 1 and 2 are {names}")
    finally:
        end(process)
    with open("/dev/full", "wb") as full:
        process = start([context.serve, "--listen", f"{HOST}:0"], stdout=full, stderr=subprocess.PIPE)
        try:
            _, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            check(False, "goes on though nobody learned its port")
        finally:
            end(process)
    check(process.returncode == 1 and b"standard output" in err, f"exit {process.returncode}: {shorten(err)}")
    for flag in ("--help", "--version"):
        with open("/dev/full", "wb") as full:
            process = start([context.serve, flag], stdout=full, stderr=subprocess.PIPE)
            _, err = process.communicate(timeout=20)
            end(process)
        check(process.returncode == 1 and b"standard output" in err, f"{flag}: exit {process.returncode}: {shorten(err)}")


def connects(address):
    host, port = address.rsplit(":", 1)
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False


@case
def start_refuses_a_pipe_nobody_reads(context):
    """Opening it would wait for its reader for ever, and signals with it."""
    pipe = context.folder / "pipe"
    os.mkfifo(pipe)
    refused(context, ["--listen", f"{HOST}:0", "--keylog", pipe], [pipe])


@case
def stop_when_idle(context):
    """SIGTERM and SIGINT end an idle server at once, with exit 0; so they do with connections that wait."""
    for number in (signal.SIGTERM, signal.SIGINT):
        for n_waiting in (0, 5):
            with Server(context, root=context.root) as server:
                waiting = [HttpClient(server.port) for _ in range(n_waiting)]
                for client in waiting:
                    client.get("/")
                begin = time.monotonic()
                status = server.stop(number, 20)
                check(status == 0, f"{signal.Signals(number).name}: exit {status}: {shorten(server.errors())}")
                took = time.monotonic() - begin
                check(took < 5, f"{signal.Signals(number).name} with {n_waiting} idle connections took {took:.1f} s")
                for client in waiting:
                    check(client.read_all() == b"" and client.ended == "close_notify",
                          f"an idle connection ended by {client.ended}")
                    client.close()
                server.has_ended = True


def fixed_address():
    """An address that nobody else here gets by chance: its port is outside the range of outgoing connections."""
    first, _last = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    for port in range(max(1024, first - 200), first):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return f"{HOST}:{port}"
    raise NotRun(f"no free port below {first}, where outgoing connections begin")


@case
def stop_frees_the_port(context):
    """A server that has ended can be started again at once on its port, every time."""
    address = fixed_address()
    for turn in range(4 if context.is_sanitized else 25):
        with Server(context, "--threads", 1 + turn % 2, root=context.root, listen=address) as server:
            with HttpClient(server.port) as client:
                client.get("/")
            server.process.send_signal(signal.SIGTERM)
            check(server.process.wait() == 0, "not stopped well")  # without a bound, which would make it look at intervals
            server.has_ended = True
