"""A TLS client whose wire is ours: the ssl module makes the records, the case decides what is sent, and when."""
import contextlib
import re
import socket
import ssl
import struct
import time

from harness import HOST, Failed, check, shorten

ALERTS = {0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
          47: "illegal_parameter", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version",
          80: "internal_error", 109: "missing_extension", 120: "no_application_protocol"}


def connect(port, seconds=20, receive_buffer=None):
    s = socket.socket()
    s.settimeout(seconds)
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.connect((HOST, port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def record(kind, body, version=0x0303, length=None):
    return struct.pack(">BHH", kind, version, len(body) if length is None else length) + body


def ending(s, seconds=20):
    """Reads a connection whose peer should end it. Returns (bytes, how): "fin", "reset" or "open"."""
    data, limit = b"", time.monotonic() + seconds
    while True:
        s.settimeout(max(limit - time.monotonic(), 0.01))
        try:
            piece = s.recv(65536)
        except (TimeoutError, socket.timeout):
            return data, "open"
        except ConnectionError:
            return data, "reset"
        if not piece:
            return data, "fin"
        data += piece


def plain_alerts(data):
    """Names of the unprotected alerts among records."""
    names = []
    while len(data) >= 5:
        kind, _, length = struct.unpack(">BHH", data[:5])
        body, data = data[5 : 5 + length], data[5 + length :]
        if kind == 21 and len(body) == 2:
            names.append(ALERTS.get(body[1], str(body[1])))
    return names


class TlsClient:
    def __init__(self, port, alpn=None, receive_buffer=None):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if alpn:
            context.set_alpn_protocols(alpn)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.socket = connect(port, receive_buffer=receive_buffer)
        self.ended = None  # how the peer ended it: close_notify, fin, reset, or an alert's name

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def hello(self):
        """The ClientHello's record, not sent."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def flush(self):
        self.socket.sendall(self.outgoing.read())

    def _pull(self):
        """More wire bytes; False when there will be none."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            self.ended = "reset"
            return False
        if not data:
            self.ended = "fin"
            self.incoming.write_eof()
            return False
        self.incoming.write(data)
        return True

    def _alert_of(self, error):
        """ "SSLV3_ALERT_BAD_RECORD_MAC" -> "bad_record_mac" """
        match = re.search(r"_ALERT_(\w+)", error.reason or "")
        return match.group(1).lower() if match else (error.reason or str(error)).lower()

    def handshake(self):
        while True:
            try:
                self.tls.do_handshake()
                self.flush()
                return self
            except ssl.SSLWantReadError:
                self.flush()
                if not self._pull():
                    raise Failed(f"the handshake ended by {self.ended}") from None
            except ssl.SSLError as error:
                raise Failed(f"the handshake failed: {self._alert_of(error)}") from None

    def send(self, data):
        self.tls.write(data)
        self.flush()

    def raw(self, data):
        """Bytes on the wire that TLS knows nothing of."""
        self.socket.sendall(data)

    def protect(self, data):
        """The records that would carry data, not sent."""
        self.tls.write(data)
        return self.outgoing.read()

    def read(self):
        """Some plaintext; b"" at the end, and then self.ended says how."""
        while True:
            try:
                data = self.tls.read(65536)
                if not data:
                    self.ended = self.ended or "close_notify"
                return data
            except ssl.SSLWantReadError:
                if not self._pull():
                    if self.ended == "reset":
                        return b""
            except ssl.SSLZeroReturnError:
                self.ended = "close_notify"
                return b""
            except ssl.SSLEOFError:
                self.ended = self.ended or "fin"
                return b""
            except ssl.SSLError as error:
                self.ended = self._alert_of(error)
                return b""

    def read_all(self):
        data = b""
        while piece := self.read():
            data += piece
        return data


class Response:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body


class HttpClient(TlsClient):
    """Requests as raw bytes, responses in their order."""

    def __init__(self, port, **options):
        super().__init__(port, **options)
        self.handshake()
        self.buffer = b""

    def _more(self):
        piece = self.read()
        self.buffer += piece
        return bool(piece)

    def response(self, method="GET"):
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                raise Failed(f"no whole response before the end ({self.ended}): {shorten(self.buffer)}")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [\x20-\x7e]+", first)
        check(match, f"not a status line: {shorten(first)}")
        fields = {}
        for line in lines:
            name, colon, value = line.partition(":")
            check(colon and re.fullmatch(r"[A-Za-z0-9-]+", name), f"not a header field: {shorten(line)}")
            check(name.lower() not in fields, f"the field {name} comes twice")
            fields[name.lower()] = value.strip()
        status = int(match.group(1))
        if method == "HEAD" or status in (204, 304) or status < 200:
            return Response(status, fields, b"")
        return Response(status, fields, self._body(fields))

    def _body(self, fields):
        if "content-length" in fields:
            length = int(fields["content-length"])
            while len(self.buffer) < length:
                if not self._more():
                    raise Failed(f"the body ended by {self.ended} after {len(self.buffer)} of {length} bytes")
            body, self.buffer = self.buffer[:length], self.buffer[length:]
            return body
        check("chunked" not in fields.get("transfer-encoding", ""), "chunked, which no file needs")
        while self._more():
            pass
        body, self.buffer = self.buffer, b""
        return body

    def get(self, target, *fields, method="GET"):
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *fields, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))
        return self.response(method)


def exchange(port, request, method="GET"):
    """One request on a connection of its own."""
    with HttpClient(port) as client:
        client.send(request)
        return client.response(method)
