"""What goes wrong round the server: no io_uring, no files left, files that are not in memory, ends that are not graceful, and
clients that leave half of a connection open."""
import contextlib
import ctypes
import hashlib
import json
import os
import resource
import signal
import ssl
import struct
import subprocess
import time

from cases_http import FILES, request, tree
from cases_load import MIB
from harness import Failed, NotRun, Server, case, check, end, shorten, start, wait_until
from slow_files import READ_MAX, SlowFiles
from tls_client import HttpClient, TlsClient, connect, record

IO_URING_SETUP = 425  # the system call's number, on every architecture


def refuse_io_uring():
    """Makes io_uring_setup fail with EPERM from here on, as container runtimes do (seccomp, in the child)."""
    class Filter(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]

    program = struct.pack("=" + "HBBI" * 4, 0x20, 0, 0, 0,       # the number of the call
                          0x15, 0, 1, IO_URING_SETUP,       # this one?
                          0x06, 0, 0, 0x00050000 | 1,       # EPERM
                          0x06, 0, 0, 0x7FFF0000)           # let it pass
    buffer = ctypes.create_string_buffer(program, len(program))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(Filter(4, ctypes.addressof(buffer))), 0, 0) != 0:
        os._exit(77)


@case
def start_without_io_uring(context):
    """A sandbox that forbids it: one line, exit 1."""
    process = start([context.serve, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    preexec_fn=refuse_io_uring)
    try:
        out, err = process.communicate(timeout=20)
    finally:
        end(process)
    if process.returncode == 77:
        raise NotRun("this machine lets no process filter its system calls")
    check(process.returncode == 1, f"exit {process.returncode}: {shorten(err)}")
    check(out == b"" and err.count(b"\n") == 1 and b"io_uring" in err, f"not one line about io_uring: {shorten(out + err)}")


@case
def no_files_left(context):
    """EMFILE when connections come: the server waits without spinning, and goes on when files are there again."""
    tree(context)
    with Server(context, "--threads", "1", "--handshake-timeout", "60", root=context.root) as server:
        with HttpClient(server.port) as first:
            check(first.get("/plain.txt").status == 200, "before")
            limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            # Descriptors are the lowest free numbers: with this limit one more connection fits, or none.
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (server.n_files() + 1, limits[1]))
            crowd = [connect(server.port) for _ in range(20)]
            got = first.get("/plain.txt")
            check(got.status in (200, 503), f"without files: {got.status}")
            check(got.status == 200 or "retry-after" in got.fields, "503 without Retry-After")
            begin = cpu_seconds(server.pid)
            time.sleep(1)
            check(cpu_seconds(server.pid) - begin < 0.3, "the server spins while it has no files")
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
            for s in crowd:
                s.close()
            check(first.get("/plain.txt").body == FILES["plain.txt"], "afterwards")
        with HttpClient(server.port) as client:
            check(client.get("/plain.txt").body == FILES["plain.txt"], "a new connection afterwards")


@case
def no_memory_left(context):
    """Connections that find none are told internal_error or ended; the server lives, idles, and goes on with them gone."""
    if context.is_sanitized:
        raise NotRun("a sanitizer ends the program when it finds no memory")
    tree(context)
    with Server(context, "--threads", "1", "--handshake-timeout", "60", root=context.root) as server:
        with HttpClient(server.port) as client:
            check(client.get("/plain.txt").status == 200, "before")
        limits = resource.prlimit(server.pid, resource.RLIMIT_DATA)
        resource.prlimit(server.pid, resource.RLIMIT_DATA, (server.memory("VmData"), limits[1]))
        with TlsClient(server.port) as client:
            hello = client.hello()
        crowd, refused = [], []
        while len(refused) < 3 and len(crowd) < 3000:
            for _ in range(100):  # each wants a handshake's memory
                crowd.append(connect(server.port))
                with contextlib.suppress(ConnectionError):
                    crowd[-1].sendall(hello[:-1])
            try:
                crowd.append(TlsClient(server.port))
                crowd[-1].handshake()
            except (Failed, ConnectionError) as error:
                refused.append(str(error))
        check(refused, "all found memory: the limit is none")
        check(set(refused) <= {"the handshake failed: internal_error", "the handshake ended by fin",
                               "the handshake ended by reset"}, f"refused by {refused}")
        begin = cpu_seconds(server.pid)
        time.sleep(1)
        check(cpu_seconds(server.pid) - begin < 0.3, "the server spins while it has no memory")
        for s in crowd:
            s.close()
        wait_until(lambda: server.n_files() < 100, 20, "connections stay")
        with HttpClient(server.port) as client:
            check(client.get("/plain.txt").body == FILES["plain.txt"], "afterwards")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_cold(path, length):
    """Takes a file out of the page cache, if this file system lets us."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            os.preadv(fd, [bytearray(4096)], length - 4096, os.RWF_NOWAIT)
        except BlockingIOError:
            return
        except OSError:
            return  # the file system cannot tell: the server reads all of it through the ring
        raise NotRun("files of this file system do not leave memory")
    finally:
        os.close(fd)


@case
def files_that_are_not_in_memory(context):
    """They are read through the ring, while others are served; ranges and pipelining included."""
    tree(context)
    length = 4 * MIB
    name, digest = context.file("cold-4.bin", length)
    with Server(context, "--threads", "1", root=context.root) as server:
        with HttpClient(server.port) as client, HttpClient(server.port) as other:
            make_cold(context.root / name, length)
            client.send(request("/" + name) + request("/" + name, "Range: bytes=1000000-1000009") + request("/plain.txt"))
            check(other.get("/plain.txt").body == FILES["plain.txt"], "another client")
            body = client.response().body
            check(hashlib.sha256(body).hexdigest() == digest, "the file was changed on the way")
            check(client.response().body == body[1000000:1000010], "the range behind it")
            check(client.response().body == FILES["plain.txt"], "the file behind it")
        clients = []
        make_cold(context.root / name, length)
        for i in range(30):  # more than may read at a time
            client = HttpClient(server.port)
            client.send(request("/" + name, f"Range: bytes={i * 130000}-{i * 130000 + 99999}"))
            clients.append(client)
        for i, client in enumerate(clients):
            check(client.response().body == body[i * 130000:i * 130000 + 100000], f"range {i}")
            client.close()


@case
def slow_file_systems_hold_nobody_else(context):
    """A file system that makes its readers wait (FUSE; a network's) and cannot say so beforehand."""
    tree(context)
    with SlowFiles(context.folder / "slow", {"A": b"a" * 100000, "B": b"b" * 10}) as slow, \
            Server(context, "--threads", "1", root=slow.folder) as server:
        with HttpClient(server.port) as waiting, HttpClient(server.port) as client:
            waiting.send(request("/A"))
            held = slow.waiting("A")[0]
            client.socket.settimeout(5)
            check(client.get("/nothing").status == 404, "another client")
            slow.is_quick = True
            check(client.get("/B").body == b"b" * 10, "another file")
            slow.answer(held)
            check(waiting.response().body == b"a" * 100000, "the file that was slow")


@case
def reads_outlive_their_connections(context):
    """A connection that fails while its file is being read: the buffer of that read is nobody else's until it ends."""
    tree(context)
    files = {name: name.encode() * 65536 for name in "AB"}
    with SlowFiles(context.folder / "slow", files) as slow, Server(context, "--threads", "1",
                                                                  root=slow.folder) as server:
        with HttpClient(server.port) as other, HttpClient(server.port) as client:
            other.send(request("/A"))
            first_a = slow.waiting("A")[0]
            other.raw(record(23, bytes(100)))
            check(other.read_all() is not None and other.ended, "the alert")
            client.send(request("/B"))
            slow.answer(slow.waiting("B")[0])
            first_b = slow.waiting("B")[0]
            check(first_b[2] == READ_MAX, "the second half of the read")
            slow.is_quick = True
            slow.answer(first_a)
            time.sleep(0.2)
            slow.answer(first_b)
            body = client.response().body
            check(body == files["B"], f"{body.count(b'A')} bytes of another file")


@case
def half_closed_connections_are_answered(context):
    """A client that says close_notify behind its request still gets the answer, and ours (RFC 8446 6.1)."""
    tree(context)
    name, digest = context.file("half-3.bin", 3 * MIB)
    server = context.server()
    for goes_on in (True, False):
        with HttpClient(server.port) as client:
            client.send(request("/" + name) + request("/plain.txt"))
            with contextlib.suppress(ssl.SSLWantReadError):
                client.tls.unwrap()
            client.flush()
            if not goes_on:
                client.socket.shutdown(1)
            data = bytearray()
            while True:  # after unwrap() the ssl module reads no more: what comes is only counted
                piece = client.socket.recv(65536)
                if not piece:
                    break
                data += piece
            check(len(data) > 3 * MIB, f"{len(data)} bytes came after close_notify")


def read_up_to(client, data, length):
    """Reads as fast as it comes: that grows the kernel's buffers on both sides to their full size."""
    while len(data) < length:
        piece = client.read()
        check(piece, f"ended by {client.ended} after {len(data)} bytes")
        data += piece


@case
def slow_readers_get_all_of_the_last_answer(context):
    """The server is done with a connection long before a slow peer is: what the kernel still holds must arrive."""
    tree(context)
    name, digest = context.file("slow-24.bin", 24 * MIB)
    with Server(context, root=context.root) as server:
        for how in ("close", "stop"):
            with HttpClient(server.port) as client:
                client.send(request("/" + name, *["Connection: close"] * (how == "close")))
                data = bytearray()
                read_up_to(client, data, 22 * MIB)
                if how == "stop":
                    server.process.send_signal(signal.SIGTERM)
                time.sleep(4)
                data += client.read_all()
                check(client.ended == "close_notify", f"{how}: ended by {client.ended} after {len(data)} bytes")
                body = data[data.index(b"\r\n\r\n") + 4:]
                check(hashlib.sha256(body).hexdigest() == digest, f"{how}: {len(body)} bytes that differ")
        status = server.wait(20)
        check(status == 0, f"exit {status}: {shorten(server.errors())}")
        server.has_ended = True


@case
def slow_readers_who_go_on_are_no_stall(context):
    """The kernel asks for more only when a third of its buffer is free. A peer that takes longer for that than
    --stall-timeout, but does take something, has not stalled; one that takes nothing has."""
    tree(context)
    name, _ = context.file("large-64.bin", 64 * MIB)
    with Server(context, "--stall-timeout", "2", root=context.root) as server:
        with HttpClient(server.port) as client:
            client.send(request("/" + name))
            data = bytearray()
            read_up_to(client, data, 24 * MIB)
            for _ in range(70):
                read_up_to(client, data, len(data) + 30000)
                time.sleep(0.1)
            read_up_to(client, data, 64 * MIB)
        with HttpClient(server.port) as client:
            client.send(request("/" + name))
            data = bytearray()
            read_up_to(client, data, 24 * MIB)
            time.sleep(6)
            client.read_all()
            check(client.ended == "reset", f"who takes nothing: {client.ended}")


@case
def bodies_are_dropped(context):
    """A request's body is of no use here: up to a bound it is read and the connection goes on."""
    server = tree(context)
    with HttpClient(server.port) as client:
        for method, status in (("GET", 200), ("PUT", 405)):
            for length in (1, 5000, 1 << 20):
                client.send(request("/plain.txt", f"Content-Length: {length}", method=method) + bytes(length))
                check(client.response().status == status, f"{method} with {length} bytes")
        client.send(request("/plain.txt", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n" * 1000 + b"0\r\nX: y\r\n\r\n")
        check(client.response().status == 200, "chunks")
        client.send(request("/plain.txt", f"Content-Length: {(1 << 20) + 1}"))
        check(client.response().status == 413, "one byte more")
        check(client.read_all() == b"" and client.ended == "close_notify", f"after 413: {client.ended}")


@case
def slow_requests_are_told(context):
    tree(context)
    with Server(context, "--stall-timeout", "1", root=context.root) as server:
        with HttpClient(server.port) as client:
            client.send(b"GET /plain.txt HTTP/1.1\r\nHost: a\r\n")
            check(client.response().status == 408, "half a request")
            check(client.read_all() == b"" and client.ended == "close_notify", f"after 408: {client.ended}")


@case(full=True, seconds=240)
def readers_who_do_not_read_do_not_starve_others(context):
    """More clients that take nothing than there are large buffers: small answers go on, large ones follow soon."""
    tree(context)
    name, _ = context.file("large-64.bin", 64 * MIB)
    with Server(context, "--threads", "1", "--stall-timeout", "60", root=context.root) as server:
        idle = []
        try:
            for _ in range(360):  # one thread has 341
                client = TlsClient(server.port, receive_buffer=4096)
                client.handshake()
                client.send(request("/" + name))
                idle.append(client)
            begin = time.monotonic()
            with HttpClient(server.port) as client:
                check(client.get("/plain.txt").body == FILES["plain.txt"], "a small answer")
                check(time.monotonic() - begin < 3, f"a small answer took {time.monotonic() - begin:.1f} s")
                got = client.get("/" + name, "Range: bytes=0-999999")
                check(len(got.body) == 1000000, "a large answer")
                check(time.monotonic() - begin < 20, f"a large answer took {time.monotonic() - begin:.1f} s")
            server.check_memory(64)
        finally:
            for client in idle:
                client.close()


def slow_client(server, name, n_requests=1):
    """One that has taken the beginning of its answer."""
    client = HttpClient(server.port, receive_buffer=16384)
    client.send(request("/" + name) * n_requests)
    client.buffer = client.read()
    return client


@case
def stop_answers_what_has_arrived(context):
    """SIGTERM with requests in the pipe: all are answered, the connection ends with close_notify, the server with 0."""
    tree(context)
    name, digest = context.file("half-3.bin", 3 * MIB)
    with Server(context, root=context.root) as server:
        client = slow_client(server, name, 3)
        half = HttpClient(server.port)
        half.send(request("/plain.txt")[:-2])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        half.send(b"\r\n")
        got = half.response()
        check(got.status == 200 and got.fields.get("connection") == "close", f"a request that had begun: {got.fields}")
        for i in range(3):
            check(hashlib.sha256(client.response().body).hexdigest() == digest, f"answer {i}")
        for who in (client, half):
            check(who.read_all() == b"" and who.ended == "close_notify", f"ended by {who.ended}")
            who.close()
        status = server.wait(20)
        check(status == 0, f"exit {status}: {shorten(server.errors())}")
        server.has_ended = True


@case
def stop_is_cut_short(context):
    """--grace and a second signal end what does not end: exit 1 and a line that says so."""
    tree(context)
    name, _ = context.file("large-64.bin", 64 * MIB)
    for flags, signals, least, most in ((("--grace", "1"), 1, 0.8, 10), (("--grace", "0"), 1, 0, 5), ((), 2, 0, 5)):
        with Server(context, *flags, root=context.root) as server:
            with slow_client(server, name):
                begin = time.monotonic()
                for _ in range(signals):
                    server.process.send_signal(signal.SIGTERM)
                    time.sleep(0.2)
                status = server.wait(20)
                took = time.monotonic() - begin
            check(status == 1, f"{flags} {signals}: exit {status}")
            check(b"1 connections were cut" in server.errors(), f"{flags}: {shorten(server.errors())}")
            check(least <= took < most, f"{flags} {signals}: took {took:.1f} s")
            server.has_ended = True


@case
def stop_does_not_wait_for_a_hung_read(context):
    """A file system that never answers must not keep the process beyond --grace: exit 1, and a line that says so. One
    that does not even let go of an interrupted reader keeps the kernel from ending it, but not the line from coming."""
    tree(context)
    for is_polite, why in ((True, b"1 connections were cut"), (False, b"never answered")):
        with SlowFiles(context.folder / "slow", {"A": b"a" * 100000}) as slow, \
                Server(context, "--grace", "1", root=slow.folder) as server:
            slow.is_polite = is_polite
            with HttpClient(server.port) as client:
                client.send(request("/A"))
                slow.waiting("A")
                server.process.send_signal(signal.SIGTERM)
                wait_until(lambda: why in server.errors(), 10, f"polite {is_polite}: {shorten(server.errors())}")
            if not is_polite:
                slow.answer(slow.waiting("A")[0])
            status = server.wait(10)
            check(status == 1, f"exit {status}")
            server.has_ended = True


@case
def figures_are_json(context):
    """/live.json parses, and counts; nothing a client sends becomes HTML."""
    with Server(context, certs=[], env={}) as server:
        with connect(server.port) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while s.recv(4096):
                pass
        with HttpClient(server.port) as client:
            before = json.loads(client.get("/live.json").body)
            for _ in range(10):
                client.get("/")
            now = json.loads(client.get("/live.json").body)
            check(now["connection"]["version"] == "TLS 1.3" and now["connection"]["kernel"], str(now["connection"]))
            check(now["requests"] - before["requests"] >= 10, f"{before['requests']} requests, then {now['requests']}")
            check(now["records"]["sealed"] - before["records"]["sealed"] >= 10, "records were not counted")
            passes = now["batch"]["passes_by_records_log2"]
            check(len(passes) == 16 and sum(passes) > 0, f"passes: {passes}")
            check(sum(now["failures"].values()) == 1, f"failures: {now['failures']}")
            check({k["algorithm"] for k in now["kernels"]} >= {"aes-gcm", "chacha20-poly1305"}, str(now["kernels"]))
            page = client.get("/").body.decode()
            check(page.count("</script>") == 2 and "{{" not in page, "the page is not what it was made to be")
    with Server(context, "--verbose", certs=[]) as server:
        with connect(server.port) as s:
            port = s.getsockname()[1]
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while s.recv(4096):
                pass
        wait_until(lambda: f"127.0.0.1:{port}: ".encode() in server.errors(), 10,
                   f"--verbose does not say why {port} failed: {shorten(server.errors())}")
