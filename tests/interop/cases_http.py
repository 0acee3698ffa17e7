"""HTTP/1.1 over TLS, byte by byte: paths, bad requests, pipelining, ranges, conditions (RFC 9110, RFC 9112)."""
import os
import re
import time

from harness import NotRun, Server, case, check, shorten
from tls_client import HttpClient, exchange

SECRET = b"not below the root: nobody may read this"
FILES = {
    "index.html": b"<!doctype html><title>root</title>",
    "plain.txt": b"0123456789" * 10,
    "empty.txt": b"",
    "style.css": b"p { color: red }",
    "script.js": b"1;",
    "data.json": b"{}",
    "picture.png": b"\x89PNG",
    "picture.svg": b"<svg/>",
    "unknown.zzz": b"?",
    "with space.txt": b"a space",
    "folder/index.html": b"<!doctype html><title>folder</title>",
    "folder/file.txt": b"in a folder",
    "bare/file.txt": b"in a folder without index",
    ".hidden": b"hidden",
    "100%.txt": b"percent",
}


def tree(context):
    """The root with FILES in it, symbolic links and, beside it, a secret."""
    root = context.root
    if not (root / "index.html").exists():
        for name, content in FILES.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(content)
        (context.folder / "secret.txt").write_bytes(SECRET)
        (context.folder / "root-secret").mkdir()
        (context.folder / "root-secret" / "secret.txt").write_bytes(SECRET)
        os.symlink("plain.txt", root / "link-inside.txt")
        os.symlink("folder", root / "folder-link")
        os.symlink("../secret.txt", root / "link-outside.txt")
        os.symlink(context.folder / "secret.txt", root / "link-absolute.txt")
        os.symlink("..", root / "parent")
        os.symlink("loop", root / "loop")
        os.symlink("/proc/self", root / "proc")
        os.mkfifo(root / "pipe")
    return context.server()


def request(target, *fields, method="GET", version="HTTP/1.1", host="Host: localhost"):
    lines = [f"{method} {target} {version}", *([host] if host else []), *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


# ---- what is served --------------------------------------------------------------------------------------------------


@case
def http_files_and_types(context):
    server = tree(context)
    types = {"index.html": "text/html", "plain.txt": "text/plain", "style.css": "text/css", "data.json": "application/json",
             "script.js": "text/javascript", "picture.png": "image/png", "picture.svg": "image/svg+xml",
             "unknown.zzz": "application/octet-stream"}
    with HttpClient(server.port) as client:
        for name, expected in types.items():
            got = client.get("/" + name)
            check(got.status == 200 and got.body == FILES[name], f"{name}: {got.status} {shorten(got.body)}")
            kind = got.fields.get("content-type", "")
            check(kind.split(";")[0] == expected, f"{name} is {expected}, not {kind}")
            check("date" in got.fields, f"{name}: no Date field (RFC 9110 6.6.1)")
        for target, name in (("/", "index.html"), ("/folder/", "folder/index.html"), ("/empty.txt", "empty.txt"),
                             ("/with%20space.txt", "with space.txt"), ("/100%25.txt", "100%.txt"),
                             ("/plain.txt?query=../../x", "plain.txt"), ("/link-inside.txt", "plain.txt"),
                             ("/folder-link/file.txt", "folder/file.txt"), ("/%70lain.txt", "plain.txt"),
                             ("/folder/../plain.txt", "plain.txt"), ("/./plain.txt", "plain.txt"),
                             ("https://localhost/plain.txt", "plain.txt")):
            got = client.get(target)
            check(got.status == 200 and got.body == FILES[name], f"{target}: {got.status} {shorten(got.body)}")
        got = client.get("/folder")
        check(got.status in (301, 308) and got.fields.get("location", "").endswith("/folder/"),
              f"/folder: {got.status} {got.fields}")
        for target in ("/absent.txt", "/folder/absent", "/bare/", "/plain.txt/", "/plain.txt/x", "/loop", "/pipe",
                       "/.hidden", "/" + "x" * 255, "/" + "x" * 256, "/" + "y/" * 1000):
            got = client.get(target)
            check(got.status in (403, 404), f"{shorten(target, 60)}: {got.status} {shorten(got.body)}")


@case
def http_every_length_arrives(context):
    """Lengths round the borders of records and buffers."""
    server = tree(context)
    lengths = [1, 2, 15, 16, 17, 255, 256, 1349, 1350, 4095, 4096, 16361, 16362, 16383, 16384, 16385, 16640, 32767, 32768,
               32769, 65535, 65536, 65537, 131072, 262145]
    whole = os.urandom(max(lengths))
    with HttpClient(server.port) as client:
        for length in lengths:
            (context.root / f"length-{length}").write_bytes(whole[:length])
            got = client.get(f"/length-{length}")
            check(got.status == 200 and got.body == whole[:length], f"{length} bytes: {got.status}, {len(got.body)} came")


@case
def http_path_traversal(context):
    server = tree(context)
    base = str(context.folder)
    targets = ["/../secret.txt", "/../../../../../../../../etc/passwd", "/folder/../../secret.txt", "/..", "/../",
               "/%2e%2e/secret.txt", "/%2E%2E/secret.txt", "/.%2e/secret.txt", "/%2e./secret.txt",
               "/..%2fsecret.txt", "/..%2Fsecret.txt", "/%2e%2e%2fsecret.txt", "/folder%2f..%2f..%2fsecret.txt",
               "/%252e%252e/secret.txt", "/%252e%252e%252fsecret.txt", "/..%5csecret.txt", "/..\\secret.txt",
               "/folder/..\\..\\secret.txt", "/%c0%ae%c0%ae/secret.txt", "/%c0%ae%c0%ae%c0%afsecret.txt",
               "/....//secret.txt", "/..;/secret.txt", "/.../secret.txt", "//../secret.txt", "//etc/passwd",
               "///etc/passwd", base + "/secret.txt", "/" + base + "/secret.txt", "/%2f" + base[1:] + "/secret.txt",
               "/../root-secret/secret.txt", "/link-outside.txt", "/link-absolute.txt", "/parent/secret.txt",
               "/parent/root/plain.txt", "/proc/environ", "/proc/cwd/etc/passwd", "/plain.txt%00.html",
               "/%00", "/../secret.txt%00.txt", "/folder/%2e%2e/%2e%2e/secret.txt", "https://localhost/../secret.txt",
               "/?/../../secret.txt", "../secret.txt", "file:///etc/passwd"]
    for target in targets:
        got = exchange(server.port, request(target))
        check(SECRET not in got.body and b"root:" not in got.body, f"{target} gave what it must not")
        check(got.status in (400, 403, 404) or (target.startswith("/?") and got.body == FILES["index.html"]),
              f"{target}: {got.status} {shorten(got.body)}")
    for raw in (b"/\x00", b"/plain.txt\x00", b"/\x01", b"/\x7f"):  # bytes that no target has
        got = exchange(server.port, b"GET " + raw + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check(got.status in (400, 404), f"{raw}: {got.status}")
    for target in ("/%", "/%2", "/%zz", "/plain.txt%", "/%2x"):
        got = exchange(server.port, request(target))
        check(got.status in (400, 404), f"{target}: {got.status}")


# ---- requests --------------------------------------------------------------------------------------------------------

BAD_REQUESTS = [
    # name, bytes, statuses
    ("no HTTP", b"hello\r\n\r\n", {400, 501}),
    ("binary", bytes(range(128, 200)) + b"\r\n\r\n", {400}),
    ("no version", b"GET /\r\n\r\n", {400, 505}),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", {400, 505}),
    ("HTTP/1.10", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", {400, 505}),
    ("two spaces", b"GET  /  HTTP/1.1\r\nHost: a\r\n\r\n", {200, 400}),  # RFC 9112 3: may be read by its words
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", {400}),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
    ("a Host that is none", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", {400}),
    ("space before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", {400}),
    ("folded field", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", {400}),
    ("field without colon", b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", {400}),
    ("NUL in a field", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", {400}),
    ("CR in a field", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", {400}),
    ("length and chunks", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     {400}),
    ("two lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", {400}),
    ("a length that is none", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\nhello", {400}),
    ("a negative length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", {400}),
    ("a length past 64 bits", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", {400, 413}),
    ("a chunk size that is none", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", {400}),
    ("an unknown method", b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405, 501}),
    ("POST", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", {405, 501}),
    ("DELETE", b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", {405, 501}),
    ("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405, 501}),
    ("a long target", b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {414, 431, 400}),
    ("a long field", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100000 + b"\r\n\r\n", {431, 400}),
    ("many fields", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 20000 + b"\r\n", {431, 400}),
    ("a long field name", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X" * 100000 + b": a\r\n\r\n", {431, 400}),
    ("a huge body", b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n" + b"a" * 100000, {405, 413, 501}),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 501, 505}),
]


@case
def http_bad_requests(context):
    server = tree(context)
    for name, data, statuses in BAD_REQUESTS:
        with HttpClient(server.port) as client:
            try:
                client.send(data)
            except ConnectionError:
                pass  # refused before the whole was sent
            got = client.response()
            check(got.status in statuses, f"{name}: {got.status}, not one of {sorted(statuses)}")
            if got.status == 405:
                check({"GET", "HEAD"} <= set(re.split(r",\s*", got.fields.get("allow", ""))),
                      f"{name}: Allow is {got.fields.get('allow')} (RFC 9110 15.5.6)")
            if got.status not in (200, 405, 501):  # where the next request begins is not known: the connection ends
                rest = client.read_all()
                check(client.ended in ("close_notify", "reset"), f"{name}: ended by {client.ended}: {shorten(rest)}")
                check(b"HTTP/1.1 200" not in rest, f"{name}: answered twice")


@case
def http_hidden_requests_stay_hidden(context):
    """A body that looks like a request is not one."""
    server = tree(context)
    hidden = b"GET /plain.txt HTTP/1.1\r\nHost: a\r\n\r\n"
    for head in (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(hidden),
                 b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(hidden)):
        tail = b"\r\n0\r\n\r\n" if b"chunked" in head else b""
        with HttpClient(server.port) as client:
            client.send(head + hidden + tail + request("/folder/file.txt", "Connection: close"))
            everything = client.read_all()
            check(FILES["plain.txt"] not in everything, "the body was taken for a request")


@case
def http_pipelining(context):
    server = tree(context)
    names = ["plain.txt", "empty.txt", "style.css", "folder/file.txt", "absent"] * 20
    with HttpClient(server.port) as client:
        client.send(b"".join(request("/" + name) for name in names))
        for i, name in enumerate(names):
            got = client.response()
            check(got.status == (404 if name == "absent" else 200), f"request {i}: {got.status}")
            check(name == "absent" or got.body == FILES[name], f"request {i}: not in order")
        one = request("/plain.txt") * 3
        for byte in one:  # one byte a record, one record a write
            client.send(bytes([byte]))
        for i in range(3):
            check(client.response().body == FILES["plain.txt"], f"byte by byte: request {i}")
        client.send(request("/plain.txt", method="HEAD") + request("/style.css") + request("/absent", method="HEAD") +
                    request("/", "Connection: close") + request("/plain.txt"))
        check(client.response("HEAD").fields["content-length"] == "100", "HEAD among others")
        check(client.response().body == FILES["style.css"], "after HEAD")
        check(client.response("HEAD").status == 404, "HEAD of nothing")
        check(client.response().body == FILES["index.html"], "the last")
        check(client.read_all() == b"" and client.ended == "close_notify", f"after Connection: close: {client.ended}")


@case
def http_connections_end_as_asked(context):
    server = tree(context)
    for sent, lasts in ((request("/plain.txt"), True), (request("/plain.txt", "Connection: close"), False),
                        (request("/plain.txt", "Connection: keep-alive, Close"), False),
                        (request("/plain.txt", version="HTTP/1.0"), False),
                        (request("/plain.txt", version="HTTP/1.0", host=None), False),
                        (request("/plain.txt", "Connection: keep-alive", version="HTTP/1.0"), None)):
        with HttpClient(server.port) as client:
            client.send(sent)
            check(client.response().body == FILES["plain.txt"], shorten(sent))
            if lasts is True:
                check(client.get("/style.css").body == FILES["style.css"], f"{shorten(sent)}: no second request")
            elif lasts is False:
                check(client.read_all() == b"" and client.ended == "close_notify",
                      f"{shorten(sent)}: ended by {client.ended}")


@case
def http_head(context):
    server = tree(context)
    with HttpClient(server.port) as client:
        for target in ("/plain.txt", "/empty.txt", "/folder/", "/absent", "/folder"):
            full, head = client.get(target), client.get(target, method="HEAD")
            check(full.status == head.status, f"{target}: {full.status} and {head.status}")
            for field in ("content-length", "content-type", "etag", "last-modified", "location"):
                check(full.fields.get(field) == head.fields.get(field), f"{target}: {field} differs")


@case
def http_ranges(context):
    server = tree(context)
    text = FILES["plain.txt"]
    with HttpClient(server.port) as client:
        for span, start, stop in (("0-0", 0, 1), ("0-9", 0, 10), ("90-", 90, 100), ("-1", 99, 100), ("-10", 90, 100),
                                  ("95-1000", 95, 100), ("-1000", 0, 100), ("0-", 0, 100), ("99-99", 99, 100)):
            got = client.get("/plain.txt", f"Range: bytes={span}")
            check(got.status == 206 and got.body == text[start:stop], f"{span}: {got.status} {shorten(got.body)}")
            check(got.fields.get("content-range") == f"bytes {start}-{stop - 1}/100",
                  f"{span}: Content-Range {got.fields.get('content-range')}")
        for span in ("100-", "100-200", "-0", "99999999999999999999-"):
            got = client.get("/plain.txt", f"Range: bytes={span}")
            check(got.status == 416 and got.fields.get("content-range") == "bytes */100",
                  f"{span}: {got.status} {got.fields.get('content-range')}")
        check(client.get("/empty.txt", "Range: bytes=0-").status in (200, 416), "a range of nothing")
        # what is not a range is ignored, and several may be (RFC 9110 14.2)
        for field in ("lines=1-2", "bytes=", "bytes=a-b", "bytes=5-2", "bytes", "bytes=--1", "bytes=1-2-3"):
            got = client.get("/plain.txt", f"Range: {field}")
            check(got.status in (200, 400, 416), f"Range: {field}: {got.status}")
            check(got.status != 200 or got.body == text, f"Range: {field}: another body")
        got = client.get("/plain.txt", "Range: bytes=0-1,5-6")
        if got.status == 200:
            check(got.body == text, "two ranges: another body")
        else:
            check(got.status == 206, f"two ranges: {got.status}")
            kind = got.fields.get("content-type", "")
            check(kind.startswith("multipart/byteranges") or got.fields.get("content-range"), f"two ranges: {kind}")
        got = client.get("/plain.txt", "Range: bytes=" + ",".join("0-" for _ in range(2000)))
        check(len(got.body) < 10000, f"2000 overlapping ranges made {len(got.body)} bytes")
        got = client.get("/plain.txt", "Range: bytes=0-9", method="HEAD")
        check(got.status in (200, 206), f"HEAD with a range: {got.status}")


@case
def http_conditions(context):
    server = tree(context)
    with HttpClient(server.port) as client:
        first = client.get("/plain.txt")
        date, tag = first.fields.get("last-modified"), first.fields.get("etag")
        check(date and tag, f"no validators: {first.fields}")
        check(re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date), f"not a date: {date}")
        long_ago = "Sun, 06 Nov 1994 08:49:37 GMT"
        for fields, status in (([f"If-Modified-Since: {date}"], 304), ([f"If-Modified-Since: {long_ago}"], 200),
                               (["If-Modified-Since: yesterday"], 200), ([f"If-None-Match: {tag}"], 304),
                               (['If-None-Match: "other"'], 200), (["If-None-Match: *"], 304),
                               ([f'If-None-Match: "a", {tag}, "b"'], 304),
                               (['If-None-Match: "other"', f"If-Modified-Since: {date}"], 200),
                               ([f"If-Range: {tag}", "Range: bytes=0-1"], 206),
                               (['If-Range: "other"', "Range: bytes=0-1"], 200),
                               ([f"If-Unmodified-Since: {long_ago}"], 412), (['If-Match: "other"'], 412)):
            got = client.get("/plain.txt", *fields)
            check(got.status == status, f"{fields}: {got.status}, not {status}")
            if status == 304:
                check(got.fields.get("etag") == tag, f"{fields}: 304 without the ETag")
        time.sleep(1.1)  # Last-Modified counts seconds
        (context.root / "changing.txt").write_bytes(b"one")
        tag = client.get("/changing.txt").fields["etag"]
        (context.root / "changing.txt").write_bytes(b"other")
        got = client.get("/changing.txt", f"If-None-Match: {tag}")
        check(got.status == 200 and got.body == b"other", f"a changed file: {got.status}")


@case
def http_expect_continue(context):
    server = tree(context)
    with HttpClient(server.port) as client:
        client.send(request("/plain.txt", "Expect: 100-continue"))
        got = client.response()
        if got.status == 100:
            got = client.response()
        check(got.status == 200, f"GET with Expect: {got.status}")
    with HttpClient(server.port) as client:
        client.send(request("/plain.txt", "Expect: something"))
        check(client.response().status == 417, "an unknown expectation")


@case
def http_file_that_shrinks(context):
    """A file cut while it is sent cannot fill its Content-Length: the connection must break, not hang, not lie."""
    server = tree(context)
    path = context.root / "shrinking.bin"
    path.write_bytes(os.urandom(64 << 20))
    with HttpClient(server.port, receive_buffer=16384) as client:
        client.send(request("/shrinking.bin", "Connection: close"))
        first = client.read()
        check(first.startswith(b"HTTP/1.1 200"), shorten(first))
        os.truncate(path, 1 << 20)
        length = len(first)
        while piece := client.read():
            length += len(piece)
        check(client.ended != "close_notify" or length > (64 << 20), f"{length} bytes and a clean end")
    path.unlink()
    server.check_alive()


@case
def built_in_page(context):
    """Without --root there is a page about this connection; without --cert a certificate of the server's own."""
    with Server(context, certs=[]) as server:
        with HttpClient(server.port) as client:
            got = client.get("/")
            text = got.body.decode()
            check(got.status == 200 and got.fields["content-type"].startswith("text/html"), f"{got.status} {got.fields}")
            check(client.tls.cipher()[0] in text, f"the page does not name {client.tls.cipher()[0]}: {shorten(text)}")
            check("TLS 1.3" in text and "x25519" in text.lower(), f"neither version nor group: {shorten(text)}")
            check("http://" not in re.sub(r"http://www\.w3\.org/", "", text), "the page loads from elsewhere")
            check(client.get("/absent").status == 404, "a page that is not there")
            check(client.get("/", method="HEAD").status == 200, "HEAD")
