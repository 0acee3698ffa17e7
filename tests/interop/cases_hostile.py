"""Peers that mean no good: what is not TLS, records that must not be, handshakes that never end, crowds, and clients that
never read. The right alert, bounded memory, and nobody else disturbed."""
import contextlib
import select
import socket
import ssl
import struct
import time

from cases_http import FILES, request, tree
from cases_load import MIB
from harness import Failed, NotRun, Server, case, check, need, run, shorten, wait_until
from tls_client import HttpClient, TlsClient, connect, ending, plain_alerts, record

HANDSHAKE, ALERT, CCS, DATA = 22, 21, 20, 23


def check_others_are_served(context, server):
    with HttpClient(server.port) as client:
        got = client.get("/plain.txt")
        check(got.status == 200 and got.body == FILES["plain.txt"], f"another client got {got.status}")


def client_hello(port):
    """A ClientHello as it is on the wire: (record, handshake message)."""
    with TlsClient(port) as client:
        hello = client.hello()
    return hello, hello[5:]


def message(kind, body, length=None):
    return bytes([kind]) + struct.pack(">I", len(body) if length is None else length)[1:] + body


# ---- before a handshake ----------------------------------------------------------------------------------------------


@case
def hostile_first_bytes(context):
    """Each is answered with the alert the RFC names and the end of the connection."""
    server = tree(context)
    hello, body = client_hello(server.port)
    finished = message(20, bytes(32))
    rows = [
        # name, bytes, alerts that are right
        ("plain HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", {"unexpected_message", "protocol_version"}),
        ("an SSH client", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", {"unexpected_message", "protocol_version"}),
        ("zeros", bytes(1000), {"unexpected_message"}),
        ("all ones", b"\xff" * 1000, {"unexpected_message"}),
        ("an SSL 2.0 hello", bytes.fromhex("802e0103010015000000100100800200800300800400800500800600400700c0") + bytes(16),
         {"unexpected_message", "protocol_version", "decode_error"}),
        ("an oversized record", record(HANDSHAKE, b"\x01" + bytes(100), length=16385), {"record_overflow"}),
        ("the largest length", record(HANDSHAKE, b"\x01" + bytes(100), length=65535), {"record_overflow"}),
        ("an empty handshake record", record(HANDSHAKE, b""), {"unexpected_message", "decode_error"}),
        ("an empty alert", record(ALERT, b""), {"unexpected_message", "decode_error"}),
        ("empty application data", record(DATA, b""), {"unexpected_message"}),
        ("application data", record(DATA, bytes(64)), {"unexpected_message"}),
        ("an unknown record type", record(99, bytes(64)), {"unexpected_message"}),
        ("a heartbeat", record(24, b"\x01\x40\x00" + bytes(16)), {"unexpected_message"}),
        ("ChangeCipherSpec first", record(CCS, b"\x01"), {"unexpected_message"}),
        ("Finished first", record(HANDSHAKE, finished), {"unexpected_message"}),
        ("a ServerHello", record(HANDSHAKE, message(2, body[4:])), {"unexpected_message"}),
        ("a ClientHello of 16 MiB", record(HANDSHAKE, message(1, bytes(1000), 0xFFFFFF)),
         {"decode_error", "illegal_parameter", "record_overflow", "unexpected_message"}),
        ("an empty ClientHello", record(HANDSHAKE, message(1, b"")), {"decode_error"}),
        ("a ClientHello cut inside", record(HANDSHAKE, message(1, body[4:-1])), {"decode_error"}),
        ("a ClientHello with a byte too many", record(HANDSHAKE, message(1, body[4:] + b"\0")), {"decode_error"}),
        ("data inside a hello", record(HANDSHAKE, body[:50]) + record(DATA, bytes(50)), {"unexpected_message"}),
        ("an alert inside a hello", record(HANDSHAKE, body[:50]) + record(ALERT, b"\x01\x5a"), {"unexpected_message"}),
        ("the hello twice", hello + hello, {"unexpected_message", "bad_record_mac", None}),
    ]
    for name, data, right in rows:
        with contextlib.closing(connect(server.port)) as s:
            with contextlib.suppress(ConnectionError):
                s.sendall(data)
            got, how = ending(s, 20)
            check(how != "open", f"{name}: the connection stays open: {shorten(got)}")
            alerts = plain_alerts(got)
            if None not in right:  # None: the answer is under keys, which is all one can see
                check(alerts and alerts[-1] in right, f"{name}: {alerts or shorten(got)}, right is {sorted(right)}")
    check_others_are_served(context, server)


@case
def hostile_alerts_and_ends(context):
    """Peers that leave at any point leave nothing behind."""
    server = tree(context)
    hello, _ = client_hello(server.port)
    check_others_are_served(context, server)
    before = server.n_files()
    pieces = [b"", b"\x16", hello[:5], hello[:6], hello[:9], hello[:100], hello[:-1], hello,
              record(ALERT, b"\x02\x28"), record(ALERT, b"\x01\x00"), hello + record(ALERT, b"\x02\x28"),
              hello + record(CCS, b"\x01"), hello + record(CCS, b"\x01") + record(DATA, bytes(100))]
    for piece in pieces:
        for way in ("close", "half", "reset"):
            s = connect(server.port)
            if piece:
                s.sendall(piece)
            if way == "half":
                s.shutdown(socket.SHUT_WR)
                got, how = ending(s, 20)
                check(how != "open", f"{len(piece)} bytes and FIN: the server does not end: {shorten(got)}")
            elif way == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
    wait_until(lambda: server.n_files() <= before, 20, f"{server.n_files()} files open, {before} before")
    check_others_are_served(context, server)


@case
def hostile_fragmented_hello(context):
    """A ClientHello cut into records of one byte is a ClientHello."""
    server = tree(context)
    with TlsClient(server.port) as client:
        hello = client.hello()
        for byte in hello[5:]:
            client.raw(record(HANDSHAKE, bytes([byte]), version=0x0301))
        client.handshake()
        client.send(request("/plain.txt", "Connection: close"))
        check(FILES["plain.txt"] in client.read_all(), "no answer")
    with TlsClient(server.port) as client:
        for byte in client.hello():
            client.raw(bytes([byte]))
            time.sleep(0.0005)
        client.handshake()
        client.send(request("/plain.txt", "Connection: close"))
        check(FILES["plain.txt"] in client.read_all(), "byte by byte: no answer")


@case
def hostile_hello_bits(context):
    """A bit of each byte of a ClientHello changed: an alert or a handshake, and an end, never anything else."""
    server = tree(context)
    hello, _ = client_hello(server.port)
    for i in range(len(hello)):
        changed = bytearray(hello)
        changed[i] ^= 1 << (i % 8)
        with contextlib.closing(connect(server.port)) as s:
            with contextlib.suppress(ConnectionError):
                s.sendall(changed)
                s.shutdown(socket.SHUT_WR)
            got, how = ending(s, 20)
            check(how != "open", f"byte {i} changed: the connection stays open")
            check(got[:1] in (b"", b"\x15", b"\x16"), f"byte {i} changed: neither alert nor handshake: {shorten(got)}")
    check_others_are_served(context, server)


# ---- after a handshake -----------------------------------------------------------------------------------------------


@case
def hostile_records_of_a_connection(context):
    server = tree(context)
    rows = [
        # name, a function of the client that gives bytes, alerts that are right
        ("a record that was changed", lambda c: flip(c.protect(request("/plain.txt")), 30), {"bad_record_mac"}),
        ("a tag that was changed", lambda c: flip(c.protect(request("/plain.txt")), -1), {"bad_record_mac"}),
        ("a record twice", lambda c: c.protect(b"G") * 2, {"bad_record_mac"}),
        ("a record left out", lambda c: c.protect(b"G") and c.protect(b"E"), {"bad_record_mac"}),
        ("an oversized record", lambda c: record(DATA, bytes(100), length=16641), {"record_overflow"}),
        ("a record of 65535", lambda c: record(DATA, bytes(100), length=65535), {"record_overflow"}),
        ("an empty record", lambda c: record(DATA, b""), {"bad_record_mac", "decode_error", "unexpected_message"}),
        ("a record without room for a tag", lambda c: record(DATA, bytes(16)), {"bad_record_mac", "decode_error"}),
        # 2^14 + 1 + 16 is the longest a record of these AEADs can be, 2^14 + 256 the longest the header may say (5.2)
        ("zeros of the longest record", lambda c: record(DATA, bytes(16401)), {"bad_record_mac"}),
        ("zeros of the longest length", lambda c: record(DATA, bytes(16640)), {"bad_record_mac"}),
        ("a handshake record in the clear", lambda c: record(HANDSHAKE, message(1, bytes(40))), {"unexpected_message"}),
        ("an unknown type", lambda c: record(99, bytes(40)), {"unexpected_message"}),
        ("plain text", lambda c: b"GET / HTTP/1.1\r\n\r\n", {"unexpected_message", "record_overflow"}),
        ("ChangeCipherSpec afterwards", lambda c: record(CCS, b"\x01"), {"unexpected_message"}),
    ]
    for name, make, right in rows:
        with TlsClient(server.port) as client:
            client.handshake()
            client.raw(make(client))
            client.read_all()
            check(client.ended in right, f"{name}: ended by {client.ended}, right is {sorted(right)}")
    check_others_are_served(context, server)


def flip(data, at):
    changed = bytearray(data)
    changed[at] ^= 0x40
    return bytes(changed)


@case
def hostile_plain_alert_afterwards(context):
    """An alert in the clear must not pass for the peer's (RFC 8446 5.1, 6): data goes on or the connection fails."""
    server = tree(context)
    with TlsClient(server.port) as client:
        client.handshake()
        client.raw(record(ALERT, b"\x01\x00"))
        client.read_all()
        check(client.ended in ("unexpected_message", "bad_record_mac", "decode_error"), f"ended by {client.ended}")


@case
def hostile_records_after_close(context):
    """What comes after close_notify is ignored (RFC 8446 6.1); the connection still ends."""
    server = tree(context)
    for rest in (b"", record(DATA, bytes(100)), b"garbage" * 100, record(DATA, bytes(16640)) * 20):
        with TlsClient(server.port) as client:
            client.handshake()
            client.send(request("/plain.txt"))
            with contextlib.suppress(ssl.SSLWantReadError):
                client.tls.unwrap()
            client.flush()
            with contextlib.suppress(ConnectionError):
                client.raw(rest)
            _, how = ending(client.socket, 20)
            check(how != "open", "the connection stays open")
    check_others_are_served(context, server)


@case
def hostile_end_without_close_notify(context):
    server = tree(context)
    with TlsClient(server.port) as client:
        client.handshake()
        client.send(request("/plain.txt"))
        client.socket.shutdown(socket.SHUT_WR)
        got, how = ending(client.socket, 20)
        check(how != "open", "the connection stays open")
    check_others_are_served(context, server)


# ---- slow and silent peers -------------------------------------------------------------------------------------------


@case(seconds=90)
def slow_peers_are_timed_out(context):
    tree(context)
    flags = ("--handshake-timeout", "2", "--idle-timeout", "3", "--stall-timeout", "2")
    with Server(context, *flags, root=context.root) as server, contextlib.ExitStack() as stack:
        hello, _ = client_hello(server.port)
        begin = time.monotonic()
        silent = []
        for what, first in (("silence", b""), ("one byte", b"\x16"), ("half a hello", hello[:100]),
                            ("no Finished", hello)):
            s = stack.enter_context(contextlib.closing(connect(server.port)))
            s.sendall(first)
            silent.append((what, s))
        idle = stack.enter_context(HttpClient(server.port))
        idle.get("/plain.txt")
        half = stack.enter_context(HttpClient(server.port))
        half.send(b"GET /plain.txt HTTP/1.1\r\n")
        # two that never stop, but bring nothing to an end: a byte now and then must not buy more time
        drips = stack.enter_context(contextlib.closing(connect(server.port)))
        fields = stack.enter_context(HttpClient(server.port))
        fields.send(b"GET /plain.txt HTTP/1.1\r\nHost: a\r\n")
        pending = {"a hello that drips in": (drips, lambda i: drips.sendall(hello[i : i + 1])),
                   "a request that drips in": (fields.socket, lambda _: fields.send(b"X: a\r\n"))}
        for i in range(100):
            for what, (s, more) in list(pending.items()):
                try:
                    more(i)
                    if not select.select([s], [], [], 0.1)[0]:
                        continue
                except ConnectionError:
                    pass
                del pending[what]
            if not pending:
                break
        check(not pending, f"{list(pending)}: listened to for {time.monotonic() - begin:.0f} s")
        for what, s in silent:
            data, how = ending(s, 20)
            check(how != "open", f"{what}: still open after {time.monotonic() - begin:.0f} s: {shorten(data)}")
        check(time.monotonic() - begin >= 1.9, "the silent ones were ended too early")
        check(idle.read_all() == b"" and idle.ended == "close_notify", f"an idle connection ended by {idle.ended}")
        half.read_all()
        took = time.monotonic() - begin
        check(took < 25, f"half a request and an idle connection were waited for {took:.1f} s")
        check_others_are_served(context, server)


@case(seconds=90)
def clients_that_never_read(context):
    """A response nobody takes must not pile up in the server, nor hold it."""
    tree(context)
    name, _ = context.file("large-64.bin", 64 * MIB)
    with Server(context, "--stall-timeout", "3", root=context.root) as server:
        check_others_are_served(context, server)
        before = server.n_files()
        clients = []
        for _ in range(50):
            client = TlsClient(server.port, receive_buffer=4096)
            client.handshake()
            client.send(request("/" + name) * 100)
            clients.append(client)
        time.sleep(1)
        check_others_are_served(context, server)
        server.check_memory(64)
        wait_until(lambda: server.n_files() <= before, 40, f"{server.n_files()} files open, {before} before")
        for client in clients:
            client.close()
        check_others_are_served(context, server)


@case
def pipelined_flood(context):
    """A hundred thousand requests sent by one who does not read: the server stops listening to it."""
    tree(context)
    with Server(context, root=context.root) as server:
        with HttpClient(server.port, receive_buffer=4096) as client:
            wire = b"".join(client.protect(request("/plain.txt") * 300) for _ in range(350))
            client.socket.settimeout(2)
            with contextlib.suppress(TimeoutError, socket.timeout, ConnectionError):
                client.raw(wire)
            check_others_are_served(context, server)
            server.check_memory(64)


# ---- crowds ----------------------------------------------------------------------------------------------------------


def crowd(context, n, seconds):
    """n connections, or as many as a process may have files, send one byte each and stay."""
    tree(context)
    n = min(n, context.n_files_max - 200)
    if n < 1000:
        raise NotRun(f"a crowd needs files, and this machine allows a process only {context.n_files_max}")
    with Server(context, "--handshake-timeout", str(seconds), "--max-connections", str(n + 100),
                root=context.root) as server:
        files = server.n_files()  # before any connection
        check_others_are_served(context, server)
        before = server.memory("VmRSS")
        sockets = []
        try:
            for i in range(n):
                s = connect(server.port)
                s.sendall(b"\x16")
                sockets.append(s)
                if i % 1000 == 999:
                    check_others_are_served(context, server)
            wait_until(lambda: server.n_files() >= files + n, 30, f"the server took {server.n_files() - files} of {n}")
            check_others_are_served(context, server)
            result = run([need("curl"), "-sS", "--cacert", context.certs.ca, "-o", "/dev/null", "-w", "%{http_code}",
                          server.url + "plain.txt"])
            check(result.text == "200", f"curl in the crowd: {result}")
            each = (server.memory("VmRSS") - before) / n
            print(f"# {n} connections of one byte: {each:.0f} bytes each, server's peak {server.memory() / MIB:.1f} MiB")
            server.check_memory(64)
            wait_until(lambda: server.n_files() <= files, seconds + 30,
                       f"{server.n_files() - files} connections are left after the time-out")
            check_others_are_served(context, server)
        finally:
            for s in sockets:
                s.close()


@case(seconds=120)
def crowd_of_1000_that_send_one_byte(context):
    crowd(context, 1000, 8)


@case(full=True, seconds=200)
def crowd_of_10000_that_send_one_byte(context):
    crowd(context, 10000, 25)


@case
def connection_limit_holds(context):
    """Above --max-connections others wait or are turned away; the server lives, and serves when there is room again."""
    tree(context)
    with Server(context, "--max-connections", "20", "--threads", "1", root=context.root) as server:
        files = server.n_files()
        crowd_of_it = []
        for _ in range(60):
            with contextlib.suppress(ConnectionError):
                crowd_of_it.append(connect(server.port))
        time.sleep(0.5)
        check(server.n_files() - files <= 22, f"{server.n_files() - files} connections at a time, allowed are 20")
        for s in crowd_of_it:
            s.close()

        def served():
            try:
                check_others_are_served(context, server)
                return True
            except (Failed, OSError):
                return False

        wait_until(served, 20, "nobody is served after the crowd has gone")


@case
def connections_come_and_go(context):
    """Two thousand that connect and leave, some with a reset: nothing is left of them."""
    server = tree(context)
    check_others_are_served(context, server)
    files = server.n_files()
    for i in range(2000):
        s = connect(server.port)
        if i % 3 == 0:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif i % 3 == 1:
            s.sendall(b"\x16\x03\x01")
        s.close()
    wait_until(lambda: server.n_files() <= files, 20, f"{server.n_files() - files} files more than before")
    check_others_are_served(context, server)
