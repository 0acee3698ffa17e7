"""Much at once: large files, a hundred downloads, ending while they run, memory all the while."""
import signal
import time

from harness import Downloads, Server, case, check, need

MIB = 1 << 20


def fetch(context, url, *words):
    return [need("curl"), "-sS", "--cacert", context.certs.ca, *words, url]


def check_all(results, length, digest):
    for i, (status, got, sha256) in enumerate(results):
        check(status == 0, f"download {i}: curl ended with {status} after {got} bytes")
        check(got == length and sha256 == digest, f"download {i}: {got} bytes, changed on the way")


def one_large_file(context, mib):
    name, digest = context.file(f"large-{mib}.bin", mib * MIB)
    with Server(context, root=context.root) as server:
        begin = time.monotonic()
        check_all(Downloads([fetch(context, server.url + name)]).finish(), mib * MIB, digest)
        server.check_memory(64)
        print(f"# {mib} MiB in {time.monotonic() - begin:.1f} s, server's peak {server.memory() / MIB:.1f} MiB")
    (context.root / name).unlink()


@case
def large_file_of_64_mib(context):
    one_large_file(context, 64)


@case(full=True, seconds=300)
def large_file_of_1_gib(context):
    one_large_file(context, 1024)


def parallel(context, n, mib):
    name, digest = context.file(f"parallel-{mib}.bin", mib * MIB)
    with Server(context, root=context.root) as server:
        begin = time.monotonic()
        check_all(Downloads([fetch(context, server.url + name) for _ in range(n)]).finish(), mib * MIB, digest)
        server.check_memory(64)
        print(f"# {n} x {mib} MiB in {time.monotonic() - begin:.1f} s, server's peak {server.memory() / MIB:.1f} MiB")


@case
def parallel_20_downloads_of_2_mib(context):
    parallel(context, 20, 2)


@case(full=True, seconds=300)
def parallel_100_downloads_of_10_mib(context):
    parallel(context, 100, 10)


def ends_gracefully(context, n, number, *flags):
    """Downloads are slowed down, so that all have begun and none has ended when the signal comes."""
    name, digest = context.file("slow-4.bin", 4 * MIB)
    with Server(context, *flags, root=context.root) as server:
        downloads = Downloads([fetch(context, server.url + name, "--limit-rate", "2M") for _ in range(n)])
        limit = time.monotonic() + 60
        while not downloads.all_began():
            check(time.monotonic() < limit, "not all downloads began within 60 s")
            downloads.step()
        server.process.send_signal(number)
        results = downloads.finish()
        check_all(results, 4 * MIB, digest)
        status = server.wait(30)
        check(status == 0, f"exit {status} after {signal.Signals(number).name}")
        server.has_ended = True


@case(seconds=120)
def sigterm_during_20_downloads(context):
    ends_gracefully(context, 20, signal.SIGTERM)


@case(seconds=120)
def sigint_during_5_downloads(context):
    ends_gracefully(context, 5, signal.SIGINT, "--threads", "2")


@case(full=True, seconds=200)
def sigterm_during_100_downloads(context):
    ends_gracefully(context, 100, signal.SIGTERM)
