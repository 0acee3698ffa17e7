"""Debian's nginx, HAProxy, Apache and `openssl s_server`, unmodified, on the provider; and the proof that they are on it.

A process whose module is merely loaded, or loaded and not preferred, must not pass for one that uses it. The kernel knows
the difference: clearing the "accessed" bits of a process's pages (/proc/PID/clear_refs) and looking at those of the
module's code (/proc/PID/smaps) while a long answer is under way shows whether that code runs for the records of
this connection. A handshake is over by then, so it is the record's cipher that runs.
"""
import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

from harness import HOST, Failed, NotRun, Workplace, check, end, need, run, shorten, start, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNPACKED = ROOT / "build-servers"  # scripts/servers.sh put the servers there that this machine has not installed
MIB = 1 << 20

# As OpenSSL names them; what decides the certificate's kind comes with TLS 1.2's.
TLS13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
TLS12 = tuple(f"ECDHE-{kind}-{cipher}" for kind in ("RSA", "ECDSA")
              for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"))
SUITES = TLS13 + TLS12
CIPHERS = ("AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305")


def cipher_of(suite):
    return CIPHERS[2] if "CHACHA20" in suite else CIPHERS[1] if "256_GCM" in suite or "AES256" in suite else CIPHERS[0]


def curl_words(suite):
    """What makes curl offer this suite alone."""
    if suite in TLS13:
        return ["--tlsv1.3", "--tls13-ciphers", suite]
    return ["--tls-max", "1.2", "--ciphers", suite]


def s_client_words(suite):
    return ["-tls1_3", "-ciphersuites", suite] if suite in TLS13 else ["-tls1_2", "-cipher", suite]


# ---- the workplace ---------------------------------------------------------------------------------------------------


class ProviderContext(Workplace):
    """The workplace of the cases about the provider in other people's programs."""

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.module = self.build / "sealane.so"
        self.conf = self.build / "openssl-sealane.cnf"
        if not self.module.exists():
            raise NotRun(f"{self.module} is not built (SEALANE_PROVIDER=OFF)")
        self.is_sanitized = b"__asan_init" in self.module.read_bytes()
        self.offered = offered_ciphers(self)
        if not self.offered:
            raise NotRun("the provider offers no cipher on this CPU, or under SEALANE_KERNELS")
        super().__init__()
        self.root.joinpath("small.txt").write_text("small\n")

    def env(self, conf=None, **more):
        """The environment of a program that reads `conf`, the configuration that was built unless another is given."""
        env = {**os.environ, **library_path(), "OPENSSL_CONF": str(conf or self.conf)}
        if self.is_sanitized:
            env.update(sanitizer_env())
        return {**env, **more}

    def not_with_sanitizers(self, why):
        """For what goes wrong with the sanitizers' libraries, which have to be preloaded, and not without."""
        if self.is_sanitized:
            raise NotRun(f"sanitized: {why}")

    def conf_with(self, name, *changes):
        """A copy of the configuration with (pattern, replacement) applied."""
        part = (self.build / "sealane-provider.cnf").read_text()
        text = re.sub(r"^\.include \S*/sealane-provider\.cnf$", lambda _: part, self.conf.read_text(), flags=re.M)
        for pattern, replacement in changes:
            text, n = re.subn(pattern, replacement, text, flags=re.M)
            check(n == 1, f"the configuration has {n} times {pattern}")
        path = self.folder / f"{name}.cnf"
        path.write_text(text)
        return path


def offered_ciphers(context):
    """Those of CIPHERS that the provider offers on this machine, or under the kernels that SEALANE_KERNELS forces."""
    result = run([need("openssl"), "list", "-cipher-algorithms"], env=context.env())
    offered = {name for name in CIPHERS if re.search(rf"^ .*\b{name}\b.*@ sealane$", result.text, re.M | re.I)}
    loaded = run([need("openssl"), "list", "-providers"], env=context.env())
    check("Sealane provider" in loaded.text, f"{context.conf} does not load the module: {loaded}")
    return offered


def library_path():
    """For programs that were unpacked, not installed. What LD_LIBRARY_PATH says comes first: another OpenSSL, for one."""
    libraries = [*filter(None, [os.environ.get("LD_LIBRARY_PATH")]), *map(str, sorted(UNPACKED.glob("usr/lib/*-linux-gnu*")))]
    return {"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {}


def sanitizer_env():
    """A module with sanitizers wants their run-time library in a program that has none."""
    found = [subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
             for name in ("libasan.so", "libubsan.so")]
    if not all(os.path.isabs(path) for path in found):
        raise NotRun("the sanitizers' libraries were not found")
    return {"LD_PRELOAD": ":".join(found), "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"}


def program(name):
    """A server, from where it was unpacked or installed."""
    for folder in (UNPACKED / "usr/sbin", UNPACKED / "usr/bin"):
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise NotRun(f"{name} is not installed, and scripts/servers.sh has not unpacked it")
    return path


# ---- the proof -------------------------------------------------------------------------------------------------------


def maps(pid, module):
    return f"{module}\n" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def forget_accesses(pid):
    try:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("1")
    except OSError as error:
        raise NotRun(f"/proc/{pid}/clear_refs cannot be written: {error.strerror}") from None


def accessed_code(pid, module):
    """Bytes of the module's code that this process has run, or looked at, since forget_accesses()."""
    total = 0
    for area in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", pathlib.Path(f"/proc/{pid}/smaps").read_text(), flags=re.M):
        head, _, rest = area.partition("\n")
        if head.endswith(f" {module}") and head.split()[1] == "r-xp":
            total += int(re.search(r"^Referenced:\s+(\d+) kB", rest, re.M).group(1)) * 1024
    return total


class LongAnswer:
    """A download that lasts as long as somebody looks at the two ends: it is read, so the server goes on sealing."""

    def __init__(self, context, host, suite, env=None):
        if cipher_of(suite) not in context.offered:
            raise NotRun(f"the provider does not offer {cipher_of(suite)} here")
        path = context.root / "endless.bin"
        if not path.exists():
            with open(path, "wb") as file:
                file.truncate(1 << 40)  # a hole: it takes no space
        command = [need("curl"), "-sS", "--http1.1", "--cacert", context.certs.ca, *curl_words(suite), "-o", "/dev/null",
                   "--write-out", "%{size_download}", "--limit-rate", "100M", host.url + "endless.bin"]
        self.process = start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
        self.host = host

    def has_begun(self):
        """The handshake is over: curl has written a part of the answer."""
        self.check_under_way()
        written = re.search(r"wchar: (\d+)", pathlib.Path(f"/proc/{self.process.pid}/io").read_text())
        return int(written.group(1)) > MIB

    def check_under_way(self):
        if self.process.poll() is not None:
            raise Failed(f"curl ended: {shorten(self.process.stdout.read())}; {self.host.why()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)


def runs_module(context, pids, answer, seconds=10.0):
    """Whether one of the processes runs the module's code while the answer is under way: True at once, False in the end."""
    wait_until(answer.has_begun, 20, "a long answer does not begin within 20 s")  # the handshake would count, too
    for pid in pids:
        forget_accesses(pid)
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        answer.check_under_way()
        if any(accessed_code(pid, context.module) for pid in pids):
            return True
        time.sleep(0.01)
    return False


def check_on_provider(context, host, suite):
    """The records of a connection of this suite are sealed by the provider's code in the server."""
    for pid in host.workers():
        check(maps(pid, context.module), f"{host.name}: process {pid} has not loaded {context.module}")
    with LongAnswer(context, host, suite) as answer:
        check(runs_module(context, host.workers(), answer),
              f"{host.name}: {suite}: the records are not sealed by the provider")


# ---- servers ---------------------------------------------------------------------------------------------------------


def free_ports(n):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in held:
            s.bind((HOST, 0))
        return [s.getsockname()[1] for s in held]


def children(pid):
    """Process ids below this one."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return sorted(found)


class Host:
    """One unmodified server, on a port of its own. As a context: stopped at the end, which must end it well.

    A subclass says what its command is, given a folder for its files and the port it has to listen on."""

    name = "server"
    stop_signal = signal.SIGTERM
    n_ports = 1
    good_ends = (0,)
    keeps_alive = True

    def __init__(self, context, env=None, **options):
        self.context, self.options = context, options
        self.env = env if env is not None else context.env()
        self.folder = context.folder / f"{self.name}-{time.monotonic_ns()}"
        self.folder.mkdir()
        self.log_path = self.folder / "log"
        for _ in range(5):  # somebody may take a free port before the server does
            self.ports = free_ports(self.n_ports)
            self.port = self.ports[0]
            with open(self.log_path, "ab") as log:
                self.process = start(self.command(), stdout=log, stderr=log, env=self.env, cwd=self.cwd())
            if self._listens():
                break
            end(self.process)
        else:
            raise Failed(f"{self.name} did not start: {self.why()}")
        self.pid = self.process.pid
        self.address = f"{HOST}:{self.port}"
        self.url = f"https://localhost:{self.port}/"  # by name: HAProxy chooses among certificates by it

    def _listens(self):
        """True when it has its ports; False when another has one; Failed when it cannot start."""
        limit = time.monotonic() + 20
        while self.process.poll() is None:
            check(time.monotonic() < limit, f"{self.name} did not listen within 20 s: {self.why()}")
            if set(self.ports) <= self._own_ports():
                return True
            time.sleep(0.01)
        check(re.search(r"in use|cannot bind", self.log(), re.I),
              f"{self.name} ended with {self.process.returncode}: {self.why()}")
        return False

    def _own_ports(self):
        """Ports on which it or a child of it listens, found without a connection that the server would count as one. nginx
        listens on what it got while it tries again to get the rest, which may be another server's."""
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = {f"socket:[{row[9]}]": int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}
        own = set()
        for pid in (self.process.pid, *children(self.process.pid)):
            with contextlib.suppress(OSError):  # it ends
                own.update(os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir())
        return {port for inode, port in listening.items() if inode in own}

    def cwd(self):
        return self.folder

    def log(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*log")))

    def why(self):
        return shorten(self.log()[-1500:], 900) or "it said nothing"

    def workers(self):
        """The processes that have TLS connections."""
        return [self.pid]

    def check_well(self):
        check(self.process.poll() is None, f"{self.name} ended meanwhile with {self.process.returncode}: {self.why()}")
        text = self.log()
        match = re.search(r".*(exited on signal|core dumped|segfault|AddressSanitizer|runtime error|\[alert\]).*", text)
        check(not match, f"{self.name}: {shorten(match.group(0)) if match else ''}")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        try:
            if kind is None:
                self.check_well()
                self.process.send_signal(self.stop_signal)
                try:
                    status = self.process.wait(20)
                except subprocess.TimeoutExpired:
                    raise Failed(f"{self.name} did not end within 20 s after a signal") from None
                check(status in self.good_ends, f"{self.name} ended with {status}: {self.why()}")
        finally:
            end(self.process)


class Nginx(Host):
    """Options: http, a plain listener besides (its port is ports[1]); server, more lines of its server block;
    protocols, n_workers."""

    name = "nginx"
    n_ports = 2

    def command(self):
        rsa, ecdsa = self.context.certs.pair("rsa2048"), self.context.certs.pair("p256")
        user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
        paths = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(f"""
daemon off; {user} pid {self.folder}/pid; error_log {self.folder}/error.log info;
worker_processes {self.options.get("n_workers", 2)}; env OPENSSL_CONF;
events {{ worker_connections 2000; }}
http {{
  access_log off; {paths} root {self.context.root}; sendfile off; client_max_body_size 0; keepalive_requests 100000;
  server {{
    listen {HOST}:{self.port} ssl;
    ssl_certificate {rsa[0]}; ssl_certificate_key {rsa[1]};
    ssl_certificate {ecdsa[0]}; ssl_certificate_key {ecdsa[1]};
    ssl_protocols {self.options.get("protocols", "TLSv1.2 TLSv1.3")}; ssl_ciphers {":".join(TLS12)};
    {self.options.get("server", "ssl_session_cache shared:tls:1m;")}
  }}
  server {{ listen {HOST}:{self.ports[1]}; }}
}}
""")
        return [program("nginx"), "-e", self.folder / "error.log", "-c", self.folder / "nginx.conf"]

    def workers(self):
        wait_until(lambda: children(self.pid), 10, f"nginx has no worker: {self.why()}")
        return children(self.pid)


class Haproxy(Host):
    """In front of an nginx without TLS, or, with backend_tls, with it. Options: backend, backend_tls; settings and bind, more
    of its global section and of its listener."""

    name = "haproxy"
    stop_signal = signal.SIGUSR1  # gracefully; the master then ends with 0
    good_ends = (0, 143)

    def command(self):
        pem = self.folder / "both.pem"
        for kind in ("rsa2048", "p256"):
            chain, key = self.context.certs.pair(kind)
            suffix = {"rsa2048": ".rsa", "p256": ".ecdsa"}[kind]
            pathlib.Path(f"{pem}{suffix}").write_bytes(chain.read_bytes() + key.read_bytes())
        backend = self.options["backend"]
        back = (f"{HOST}:{backend.port} ssl verify required ca-file {self.context.certs.ca} sni str(localhost)"
                f" {self.options['backend_tls']}" if "backend_tls" in self.options else f"{HOST}:{backend.ports[1]}")
        (self.folder / "haproxy.cfg").write_text(f"""
global
  nbthread 4
  ssl-default-bind-ciphers {":".join(TLS12)}
  ssl-load-extra-files bundle
  {self.options.get("settings", "")}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend tls
  bind {HOST}:{self.port} ssl crt {pem} ssl-min-ver TLSv1.2 {self.options.get("bind", "")}
  default_backend files
backend files
  server nginx {back}
""")
        return [program("haproxy"), "-W", "-db", "-f", self.folder / "haproxy.cfg"]

    def workers(self):
        wait_until(lambda: children(self.pid), 10, f"haproxy has no worker: {self.why()}")
        return children(self.pid)


class Apache(Host):
    name = "apache"
    stop_signal = signal.SIGTERM

    def command(self):
        modules = next((folder for folder in (UNPACKED / "usr/lib/apache2/modules",
                                              pathlib.Path("/usr/lib/apache2/modules")) if folder.is_dir()), None)
        if modules is None:
            raise NotRun("Apache's modules are nowhere")
        load = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n"
                       for name in ("mpm_event", "authz_core", "socache_shmcb", "ssl"))
        pairs = "".join(f"SSLCertificateFile {chain}\nSSLCertificateKeyFile {key}\n" for chain, key in
                        (self.context.certs.pair("rsa2048"), self.context.certs.pair("p256")))
        (self.folder / "apache.conf").write_text(f"""{load}
ServerName localhost
ServerRoot {self.folder}
DefaultRuntimeDir {self.folder}
PidFile {self.folder}/pid
ErrorLog {self.folder}/error.log
LogLevel warn ssl:info
Listen {HOST}:{self.port}
DocumentRoot {self.context.root}
<Directory {self.context.root}>
  Require all granted
</Directory>
StartServers 2
ThreadsPerChild 25
EnableSendfile off
SSLEngine on
{pairs}SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLCipherSuite {":".join(TLS12)}
SSLSessionCache shmcb:{self.folder}/sessions(65536)
""")
        return [program("apache2"), "-f", self.folder / "apache.conf", "-DFOREGROUND"]

    def workers(self):
        wait_until(lambda: children(self.pid), 10, f"Apache has no worker: {self.why()}")
        return children(self.pid)


class SServer(Host):
    """`openssl s_server`, serving the files of the root. Options: words, more of its command line."""

    name = "s_server"
    good_ends = (-signal.SIGTERM,)
    keeps_alive = False

    def command(self):
        chain, key = self.context.certs.pair("p256")
        rsa_chain, rsa_key = self.context.certs.pair("rsa2048")
        return [need("openssl"), "s_server", "-accept", f"{HOST}:{self.port}", "-WWW", "-quiet", "-cert", chain, "-key",
                key, "-cert_chain", chain, "-dcert", rsa_chain, "-dkey", rsa_key, "-dcert_chain", rsa_chain,
                *self.options.get("words", ())]

    def cwd(self):
        return self.context.root
