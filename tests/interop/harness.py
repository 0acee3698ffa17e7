"""What every interop case stands on: a server under test, certificates, clients as processes, verdicts.

A case is a function marked with @case. It returns when all is well, raises Failed with the reason when not, and NotRun with
the reason when this machine or build cannot tell. Nothing here waits without a bound, and whatever a case started is
ended with it.
"""
import contextlib
import hashlib
import os
import pathlib
import re
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HOST = "127.0.0.1"


class Failed(Exception):
    pass


class NotRun(Exception):
    pass


def check(claim, why):
    if not claim:
        raise Failed(why)


def shorten(data, limit=300):
    """Bytes or text of a peer, on one line, for a reason."""
    text = data.decode("utf-8", "backslashreplace") if isinstance(data, bytes) else str(data)
    text = " | ".join(line.strip() for line in text.splitlines() if line.strip())
    return text if len(text) <= limit else text[: limit // 2] + " ... " + text[-limit // 2 :]


# ---- cases -----------------------------------------------------------------------------------------------------------

CASES = []


def case(function=None, *, full=False, seconds=60):
    """Registers a case; full: slow ones; seconds: after which it has failed."""

    def register(f):
        f.full, f.seconds = full, seconds
        CASES.append(f)
        return f

    return register(function) if function else register


class Overtime(BaseException):  # not an Exception, so that no case's own handling swallows it
    pass


@contextlib.contextmanager
def bounded(seconds):
    def expire(_signal, _frame):
        raise Overtime()

    old = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


# ---- processes -------------------------------------------------------------------------------------------------------

STARTED = set()


def start(command, **options):
    """A child in a session of its own, so that its children end with it."""
    options.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen([str(word) for word in command], start_new_session=True, **options)
    STARTED.add(process)
    return process


def end(process):
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    STARTED.discard(process)


def end_all():
    for process in list(STARTED):
        end(process)


class Result:
    def __init__(self, status, output):
        self.status, self.output = status, output
        self.text = output.decode("utf-8", "replace")

    def __str__(self):
        return f"exit {self.status}: {shorten(self.output)}"


def run(command, given=b"", seconds=30, env=None, errors_too=True):
    """Runs a client to its end; Failed when it does not end."""
    process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env,
                    stderr=subprocess.STDOUT if errors_too else subprocess.DEVNULL)
    try:
        output, _ = process.communicate(given, timeout=seconds)
        return Result(process.returncode, output)
    except subprocess.TimeoutExpired:
        raise Failed(f"{pathlib.Path(str(command[0])).name} did not end within {seconds} s") from None
    finally:
        end(process)


def need(program):
    path = shutil.which(program)
    if not path:
        raise NotRun(f"{program} is not installed")
    return path


def wait_until(claim, seconds, why):
    """Looks again and again until claim() is true."""
    limit = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > limit:
            raise Failed(why)
        time.sleep(0.01)


# ---- many downloads at once ------------------------------------------------------------------------------------------


class Downloads:
    """n processes whose outputs are read side by side; only length and hash of each are kept."""

    def __init__(self, commands):
        self.selector = selectors.DefaultSelector()
        self.rows = []
        for command in commands:
            process = start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            row = {"process": process, "length": 0, "hash": hashlib.sha256()}
            self.rows.append(row)
            self.selector.register(process.stdout, selectors.EVENT_READ, row)

    def step(self):
        for key, _ in self.selector.select(0.2):
            data = os.read(key.fd, 1 << 20)
            key.data["length"] += len(data)
            key.data["hash"].update(data)
            if not data:
                self.selector.unregister(key.fileobj)
        return bool(self.selector.get_map())

    def all_began(self):
        return all(row["length"] > 0 for row in self.rows)

    def finish(self):
        """Reads the rest; returns (exit status, length, sha256) of each."""
        while self.step():
            pass
        self.selector.close()
        results = []
        for row in self.rows:
            row["process"].wait(30)
            results.append((row["process"].returncode, row["length"], row["hash"].hexdigest()))
            end(row["process"])
        return results


def write_random_file(path, length):
    """A file of random bytes; returns its sha256."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        while length > 0:
            piece = os.urandom(min(length, 1 << 20))
            digest.update(piece)
            file.write(piece)
            length -= len(piece)
    return digest.hexdigest()


# ---- certificates ----------------------------------------------------------------------------------------------------


class Certificates:
    """An authority, and server certificates of every kind below it, made by the openssl command."""

    KINDS = {
        "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "p521": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
        "rsa2048": ["-newkey", "rsa:2048"],
        "rsa1024": ["-newkey", "rsa:1024"],
        "rsapss": ["-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
        "ed25519": ["-newkey", "ed25519"],
    }

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.made = {}
        self.openssl = need("openssl")
        self._request("ca", "p256", "/CN=authority of a test", ["basicConstraints=critical,CA:TRUE"], None)
        self._request("issuer", "p256", "/CN=issuer of a test", ["basicConstraints=critical,CA:TRUE"], "ca")
        self.ca = self.folder / "ca.pem"

    def _request(self, name, kind, subject, extensions, issuer):
        command = [self.openssl, "req", "-x509", "-nodes", "-days", "2", "-subj", subject, *self.KINDS[kind],
                   "-keyout", self.folder / f"{name}.key", "-out", self.folder / f"{name}.pem"]
        for extension in extensions:
            command += ["-addext", extension]
        if issuer:
            command += ["-CA", self.folder / f"{issuer}.pem", "-CAkey", self.folder / f"{issuer}.key"]
        result = run(command)
        check(result.status == 0, f"openssl req: {result}")

    def pair(self, kind, host=None, names=()):
        """(chain file, key file) for localhost, 127.0.0.1 and names; each is made once."""
        name = "-".join([kind, *(n.replace("*", "star") for n in names)])
        if name not in self.made:
            listed = ["DNS:localhost", f"IP:{HOST}"] if not names else [f"DNS:{n}" for n in names]
            subject = f"/CN={host or name}"
            self._request(name, kind, subject, ["basicConstraints=critical,CA:FALSE", "keyUsage=digitalSignature",
                                                "subjectAltName=" + ",".join(listed)], "issuer")
            chain = self.folder / f"{name}.chain.pem"
            chain.write_bytes((self.folder / f"{name}.pem").read_bytes() + (self.folder / "issuer.pem").read_bytes())
            self.made[name] = (chain, self.folder / f"{name}.key")
        return self.made[name]


# ---- the server ------------------------------------------------------------------------------------------------------


class Server:
    """One sealane-serve. As a context: stopped by SIGTERM at the end, which must end it with exit 0."""

    def __init__(self, context, *flags, certs=None, root=None, env=None, listen=f"{HOST}:0"):
        self.context = context
        pairs = [context.certs.pair("p256")] if certs is None else certs
        command = [context.serve, "--listen", listen]
        for chain, key in pairs:
            command += ["--cert", chain, "--key", key]
        if root:
            command += ["--root", root]
        self.log = tempfile.TemporaryFile(dir=context.folder)
        self.process = start([*command, *flags], stdout=subprocess.PIPE, stderr=self.log, bufsize=0,
                             env={**os.environ, **(env or {})})
        self.pid = self.process.pid
        self.has_ended = False  # a case that stopped it itself says so
        self.announced = b""
        os.set_blocking(self.process.stdout.fileno(), False)
        wait_until(self._is_ready, 30, "sealane-serve did not say that it listens within 30 s")
        match = re.search(rb"listening on https://(\S+):(\d+)/", self.announced)
        if not match:
            raise Failed(f"sealane-serve did not start: {shorten(self.announced + self.errors())}")
        self.port = int(match.group(2))
        self.address = f"{HOST}:{self.port}"
        self.url = f"https://{self.address}/"

    def _is_ready(self):
        self.announced += self.process.stdout.read() or b""
        return re.search(rb"listening on \S+/\s", self.announced) or self.process.poll() is not None

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def check_alive(self):
        check(self.process.poll() is None,
              f"the server ended meanwhile with {self.process.returncode}: {shorten(self.errors(), 2000)}")

    def memory(self, field="VmHWM"):
        """A line of /proc/PID/status in bytes."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1)) * 1024

    def check_memory(self, limit_mib):
        if self.context.is_sanitized:
            return  # a sanitizer's own memory says nothing about ours; the release pass checks
        peak = self.memory("VmHWM") / (1 << 20)
        check(peak < limit_mib, f"the server's memory peaked at {peak:.1f} MiB, over {limit_mib}")

    def n_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def stop(self, number=signal.SIGTERM, seconds=60):
        """Ends it gracefully; returns the exit status."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"the server did not end within {seconds} s after a signal") from None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        try:
            if kind is None:
                if not self.has_ended:
                    self.check_alive()
                    status = self.stop()
                    check(status == 0, f"the server ended with {status} after SIGTERM: {shorten(self.errors(), 2000)}")
                said = self.errors()
                check(b"Sanitizer" not in said and b"runtime error" not in said, shorten(said, 2000))
            elif isinstance(error, Failed) and self.process.poll() is not None:
                raise Failed(f"{error}; the server ended with {self.process.returncode}: "
                             f"{shorten(self.errors(), 2000)}") from None
        finally:
            end(self.process)
            self.log.close()


# ---- the whole -------------------------------------------------------------------------------------------------------


class Workplace:
    """A folder with certificates and files, which all cases of a run share and which goes away with it."""

    last_case = None  # the name of what close() tells, when that can go wrong
    shared = None

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sealane-interop."))
        self.certs = Certificates(self.folder / "certs")
        self.root = self.folder / "root"
        self.root.mkdir()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.n_files_max = hard

    def file(self, name, length):
        """A random file under the root, made once; returns (path of the URL, sha256)."""
        path = self.root / name
        if not path.exists():
            free = shutil.disk_usage(self.folder).free
            if free < length + (256 << 20):
                raise NotRun(f"{self.folder} has only {free >> 20} MiB left, the file needs {length >> 20}")
            path.with_suffix(".sha256").write_text(write_random_file(path, length))
        return name, path.with_suffix(".sha256").read_text()

    def close(self):
        end_all()
        shutil.rmtree(self.folder, ignore_errors=True)


class Context(Workplace):
    """The workplace of the cases about sealane-serve."""

    last_case = "shared_server_ends_well"

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.serve = self.build / "sealane-serve"
        if not os.access(self.serve, os.X_OK):
            raise NotRun(f"{self.serve} is not built (liburing missing, or SEALANE_APPS=OFF)")
        self.is_sanitized = b"__asan_init" in self.serve.read_bytes()
        super().__init__()

    def server(self):
        """A server for cases that want nothing special: certificate P-256 with its issuer, root self.root."""
        if self.shared is None or self.shared.process.poll() is not None:
            self.shared = Server(self, root=self.root)
        return self.shared

    def close(self):
        """Stops the shared server, which must end well."""
        try:
            if self.shared is not None:
                with self.shared:
                    pass
        finally:
            super().close()


def run_cases(context, chosen):
    """Runs cases, speaks TAP; returns how many failed."""
    counts = {"ok": 0, "failed": 0, "n/a": 0}
    print(f"1..{len(chosen) + (context.last_case is not None)}", flush=True)

    def tell(number, name, body, seconds):
        begin = time.monotonic()
        try:
            with bounded(seconds):
                body()
            verdict = "ok"
            line = f"ok {number} - {name} ({time.monotonic() - begin:.1f} s)"
        except NotRun as reason:
            verdict = "n/a"
            line = f"n/a {name}: {reason}\nok {number} - {name} # SKIP {reason}"
        except Overtime:
            verdict, line = "failed", f"not ok {number} - {name}: not done within {seconds} s"
        except Failed as reason:
            verdict, line = "failed", f"not ok {number} - {name}: {reason}"
        except Exception as error:  # a client that broke in a way the case did not foresee is a failure with a name
            trace = error.__traceback__
            while trace.tb_next:
                trace = trace.tb_next
            where = f"{pathlib.Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
            verdict, line = "failed", f"not ok {number} - {name}: {type(error).__name__} {shorten(error)} at {where}"
        counts[verdict] += 1
        print(line, flush=True)

    for number, function in enumerate(chosen, 1):

        def body():
            function(context)
            if context.shared is not None:
                context.shared.check_alive()

        tell(number, function.__name__, body, function.seconds)
        for process in list(STARTED):
            if context.shared is None or process is not context.shared.process:
                end(process)
    if context.last_case:
        tell(len(chosen) + 1, context.last_case, context.close, 90)
    print(f"# {counts['ok']} ok, {counts['failed']} failed, {counts['n/a']} n/a", flush=True)
    return counts["failed"]


def main(arguments, make_context=Context, description="Runs sealane-serve against the clients people use; speaks TAP."):
    import argparse

    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("build", help="the folder that was built")
    parser.add_argument("--full", action="store_true", help="the slow cases instead of the quick ones")
    parser.add_argument("--all", action="store_true", help="both")
    parser.add_argument("--only", default="", metavar="REGEX", help="cases whose name matches, slow or quick")
    parser.add_argument("--list", action="store_true", help="name the cases")
    options = parser.parse_args(arguments)
    chosen = [f for f in CASES if re.search(options.only, f.__name__)]
    if not options.only and not options.all:
        chosen = [f for f in chosen if f.full == options.full]
    if options.list:
        print("\n".join(f"{f.__name__}{' (full)' if f.full else ''}" for f in CASES))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        context = make_context(options.build)
    except NotRun as reason:
        print(f"1..1\nn/a interop: {reason}\nok 1 - interop # SKIP {reason}")
        return 0
    try:
        return 1 if run_cases(context, chosen) else 0
    finally:
        Workplace.close(context)
