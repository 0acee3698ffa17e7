"""Chromium, without a window: it loads the built-in page, and what it rendered is looked at."""
import re
import shutil
import struct
import zlib

from harness import NotRun, Server, case, check, run, shorten

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1000,1200"]


def chromium(context, *words):
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        raise NotRun("chromium is not installed")
    profile = context.folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    result = run([program, *FLAGS, f"--user-data-dir={profile}", *words], seconds=90, errors_too=False,
                 env={"PATH": "/usr/bin:/bin", "HOME": str(context.folder), "LANG": "C.UTF-8"})
    check(result.status == 0, f"chromium: {result}")
    return result.text


def png_rows(path):
    """(width, rows of unfiltered bytes, bytes a pixel) of a PNG of 8 bits a channel (RFC 2083)."""
    data = path.read_bytes()
    check(data[:8] == b"\x89PNG\r\n\x1a\n", "not a PNG")
    at, packed, width, pixel = 8, b"", 0, 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, _height, depth, colour = struct.unpack(">IIBB", body[:10])
            check(depth == 8 and colour in (2, 6), f"a PNG of another kind: depth {depth}, colour type {colour}")
            pixel = 3 if colour == 2 else 4
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    raw, stride, rows, above = zlib.decompress(packed), width * pixel, [], bytes(width * pixel)
    for start in range(0, len(raw), stride + 1):
        above = unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, pixel)
        rows.append(above)
    return width, rows, pixel


def unfilter(kind, row, above, pixel):
    for i in range(len(row)) if kind else ():
        left = row[i - pixel] if i >= pixel else 0
        corner = above[i - pixel] if i >= pixel else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[i]
        elif kind == 3:
            guess = (left + above[i]) // 2
        else:
            p = left + above[i] - corner
            guess = min((abs(p - left), 0, left), (abs(p - above[i]), 1, above[i]), (abs(p - corner), 2, corner))[2]
        row[i] = (row[i] + guess) & 0xFF
    return bytes(row)


@case(full=True, seconds=240)
def chromium_shows_the_page(context):
    with Server(context, certs=[]) as server:
        text = chromium(context, "--virtual-time-budget=3000", "--dump-dom", server.url)
        check(re.search(r"TLS 1\.3", text) and re.search(r"TLS_(AES|CHACHA20)_\w+", text),
              f"the page names neither version nor suite: {shorten(text)}")
        check("x25519" in text.lower(), f"the page does not name the group: {shorten(text)}")
        check("ERR_" not in text, f"an error page: {shorten(text)}")
        picture = context.folder / "page.png"
        chromium(context, "--virtual-time-budget=3000", f"--screenshot={picture}", server.url)
        check(picture.exists(), "no screenshot")
        kept = context.build / "page.png"
        shutil.copy(picture, kept)
        width, rows, pixel = png_rows(picture)
        colours = {row[i : i + 3] for row in rows[::4] for i in range(0, width * pixel, 4 * pixel)}
        inked = sum(1 for row in rows if len({row[i : i + 3] for i in range(0, width * pixel, pixel)}) > 1)
        check(len(colours) >= 4 and inked >= 100, f"the screenshot is blank: {len(colours)} colours, {inked} rows with ink")
        print(f"# screenshot: {kept}, {len(colours)} colours")


@case(full=True, seconds=240)
def chromium_loads_files(context):
    """A page with a script, a style sheet and an image beside it, over one origin and parallel connections."""
    root = context.folder / "browser-root"
    root.mkdir()
    scripts = "".join(f'<script src="part-{i}.js"></script>' for i in range(30))
    (root / "index.html").write_text(f"<!doctype html><title>t</title><p id=sum>0</p>{scripts}")
    for i in range(30):
        (root / f"part-{i}.js").write_text(f"sum.textContent = +sum.textContent + {i}; /*{'x' * 40000}*/")
    with Server(context, root=root) as server:
        text = chromium(context, "--virtual-time-budget=5000", "--dump-dom", server.url)
        check(f'<p id="sum">{sum(range(30))}</p>' in text, f"not all scripts ran: {shorten(text[:300])}")
