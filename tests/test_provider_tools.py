#!/usr/bin/env python3
"""OpenSSL's own tools with Sealane's provider and with OpenSSL's: what one makes the other takes, and a provider that cannot be
had leaves the tools at work and the doctor with a reason.

    tests/test_provider_tools.py BUILD
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
CONFIG = BUILD / "openssl-sealane.cnf"
PART = BUILD / "sealane-provider.cnf"
DEFAULT = """openssl_conf = openssl_init
[openssl_init]
providers = provider_section
[provider_section]
default = default_section
[default_section]
activate = 1
"""
SIDES = ("sealane", "default")
PAIRS = [(a, b) for a in SIDES for b in SIDES]


def environment(side, **more):
    names = ("SEALANE_KERNELS", "SEALANE_CPU_OFF")
    env = {name: value for name, value in os.environ.items() if name not in names}
    config = {"sealane": CONFIG, "default": FOLDER / "default.cnf"}.get(side, side)
    return {**env, "OPENSSL_CONF": str(config), **more}


def openssl(side, *args, data=b"", ok=True, **more):
    done = subprocess.run(["openssl", *map(str, args)], input=data, capture_output=True, timeout=60, cwd=FOLDER,
                          env=environment(side, **more))
    if ok and done.returncode != 0:
        raise AssertionError(f"{side}: openssl {args}: {done.stderr.decode(errors='replace')}")
    return done


def doctor(config=CONFIG, **more):
    done = subprocess.run([BUILD / "sealane-bench", "provider", "--doctor"], capture_output=True, text=True, timeout=60,
                          env=environment(config, **more))
    return done.returncode, done.stdout


def is_offered():
    return "sealane" in doctor()[1].split("kernel", 1)[1]


def setUpModule():
    if not is_offered():
        raise unittest.SkipTest("n/a: this CPU has no fast kernel, so nothing is offered")


class Tools(unittest.TestCase):
    def test_list_names_the_provider(self):
        listed = openssl("sealane", "list", "-cipher-algorithms", "-key-exchange-algorithms").stdout.decode()
        for name in ("aes-128-gcm", "aes-256-gcm", "ChaCha20-Poly1305", "X25519"):
            self.assertRegex(listed, rf"(?i){re.escape(name)}.*@ sealane")
            self.assertRegex(listed, rf"(?i){re.escape(name)}.*@ default")

    def test_keys_of_one_are_read_by_the_other(self):
        for maker, reader in PAIRS:
            openssl(maker, "genpkey", "-algorithm", "X25519", "-out", "key.pem")
            text = [openssl(side, "pkey", "-in", "key.pem", "-text", "-check").stdout for side in (maker, reader)]
            self.assertEqual(*text)
            openssl(maker, "pkey", "-in", "key.pem", "-aes-256-cbc", "-passout", "pass:x", "-out", "locked.pem")
            again = openssl(reader, "pkey", "-in", "locked.pem", "-passin", "pass:x").stdout
            self.assertEqual(again, (FOLDER / "key.pem").read_bytes())
            for form in ("PEM", "DER"):
                openssl(maker, "pkey", "-in", "key.pem", "-pubout", "-outform", form, "-out", "public")
                checked = openssl(reader, "pkey", "-pubin", "-inform", form, "-in", "public", "-pubcheck", "-noout")
                self.assertIn(b"valid", checked.stdout + checked.stderr)

    def test_pkeyutl_derives_the_same(self):
        for side in SIDES:
            openssl(side, "genpkey", "-algorithm", "X25519", "-out", f"{side}.pem")
            openssl(side, "pkey", "-in", f"{side}.pem", "-pubout", "-out", f"{side}.pub")
        secrets = {openssl(side, "pkeyutl", "-derive", "-inkey", f"{own}.pem", "-peerkey", f"{peer}.pub").stdout
                   for side in SIDES for own, peer in (SIDES, SIDES[::-1])}
        self.assertEqual({len(secret) for secret in secrets}, {32})
        self.assertEqual(len(secrets), 1)

    def test_low_order_points_are_refused(self):
        openssl("default", "genpkey", "-algorithm", "X25519", "-out", "key.pem")
        head = bytes.fromhex("302a300506032b656e032100")  # SubjectPublicKeyInfo of X25519  RFC 8410
        for u in (0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18):
            (FOLDER / "low.der").write_bytes(head + u.to_bytes(32, "little"))
            for side in SIDES:
                done = openssl(side, "pkeyutl", "-derive", "-inkey", "key.pem", "-peerkey", "low.der", "-peerform", "DER",
                               ok=False)
                self.assertNotEqual(done.returncode, 0, (side, u))
                self.assertEqual(done.stdout, b"")

    def test_cms_goes_both_ways(self):
        message = os.urandom(70000)
        for cipher in ("aes-128-gcm", "aes-256-gcm"):
            for sealer, opener in PAIRS:
                openssl(sealer, "cms", "-encrypt", "-binary", "-stream", f"-{cipher}", "-outform", "DER", "-out", "sealed",
                        "cert.pem", data=message)
                args = ("cms", "-decrypt", "-inform", "DER", "-in", "changed", "-inkey", "cert.key", "-recip", "cert.pem")
                sealed = (FOLDER / "sealed").read_bytes()
                (FOLDER / "changed").write_bytes(sealed)
                self.assertEqual(openssl(opener, *args).stdout, message)
                (FOLDER / "changed").write_bytes(sealed[:-40] + bytes([sealed[-40] ^ 1]) + sealed[-39:])
                self.assertNotEqual(openssl(opener, *args, ok=False).returncode, 0)

    def test_what_is_not_accelerated_is_the_same(self):
        data = os.urandom(5000)
        for args in (("dgst", "-sha256"), ("dgst", "-sha384"), ("dgst", "-sha3-256"), ("dgst", "-sha256", "-hmac", "key"),
                     ("enc", "-aes-256-cbc", "-K", "00" * 32, "-iv", "00" * 16), ("enc", "-chacha20", "-K", "00" * 32),
                     ("enc", "-aes-128-gcm", "-K", "00" * 16, "-iv", "00" * 12),  # both refuse
                     ("mac", "-digest", "SHA256", "-macopt", "key:abcd", "HMAC"),
                     ("mac", "-cipher", "AES-128-GCM", "-macopt", "hexkey:" + "00" * 16, "-macopt", "hexiv:" + "01" * 12,
                      "GMAC"),
                     ("kdf", "-keylen", "42", "-kdfopt", "digest:SHA2-256", "-kdfopt", "key:abc", "-kdfopt", "salt:s", "HKDF")):
            results = [openssl(side, *args, data=data, ok=False) for side in SIDES]
            self.assertEqual(*[(done.returncode, done.stdout) for done in results], args)

    def test_speed_runs(self):
        for name in ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"):
            # With -decrypt, ChaCha20-Poly1305 would be ended without a tag: ours says so, OpenSSL's takes it.
            for more in ((), ("-aead",)) if name.startswith("chacha") else ((), ("-aead",), ("-decrypt",)):
                done = openssl("sealane", "speed", "-seconds", "1", "-bytes", "1000", *more, "-evp", name)
                self.assertNotIn(b"rror", done.stderr)
        done = openssl("sealane", "speed", "-seconds", "1", "ecdhx25519")
        self.assertRegex(done.stdout, rb"X25519")


class Handshakes(unittest.TestCase):
    SUITES = [("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"), ("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"),
              ("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
              ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"),
              ("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305")]

    def server(self, side):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", "cert.pem", "-key",
                                   "cert.key", "-WWW", "-quiet"], cwd=FOLDER, env=environment(side),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                time.sleep(0.02)
        self.fail("s_server does not listen")

    def test_files_come_whole(self):
        body = (FOLDER / "body").read_bytes()
        for server_side, client_side in PAIRS:
            port = self.server(server_side)
            for version, kind, suite in self.SUITES:
                with self.subTest(server=server_side, client=client_side, suite=suite):
                    done = openssl(client_side, "s_client", "-connect", f"127.0.0.1:{port}", version, kind, suite, "-groups",
                                   "X25519:P-256", "-ign_eof", "-quiet", "-CAfile", "cert.pem", "-verify_return_error",
                                   data=b"GET /body HTTP/1.0\r\n\r\n")
                    self.assertEqual(done.stdout.split(b"\r\n\r\n", 1)[1], body)

    def test_sessions_are_resumed(self):
        for server_side, client_side in PAIRS:
            port = self.server(server_side)
            for version, kind, suite in self.SUITES:
                with self.subTest(server=server_side, client=client_side, suite=suite):
                    args = ("s_client", "-connect", f"127.0.0.1:{port}", version, kind, suite, "-ign_eof", "-CAfile", "cert.pem")
                    ask = b"GET /small HTTP/1.0\r\n\r\n"
                    first = openssl(client_side, *args, "-sess_out", "session", data=ask).stdout
                    again = openssl(client_side, *args, "-sess_in", "session", data=ask).stdout
                    self.assertIn(b"New, ", first)
                    self.assertIn(b"Reused, ", again)
                    self.assertIn(suite.encode(), again)


class Failures(unittest.TestCase):
    """The tools go on with OpenSSL's own provider, and the doctor says why."""

    def assert_works(self, config, **more):
        listed = openssl(config, "list", "-providers", **more).stdout
        self.assertIn(b"OpenSSL Default Provider", listed)
        self.assertEqual(openssl(config, "dgst", "-sha256", data=b"abc", **more).stdout,
                         openssl("default", "dgst", "-sha256", data=b"abc").stdout)
        openssl(config, "genpkey", "-algorithm", "X25519", **more)

    def config(self, old, new):
        """The configuration with a change in Sealane's part of it."""
        text, path = PART.read_text(), FOLDER / "changed.cnf"
        self.assertRegex(text, old)
        part = FOLDER / PART.name
        part.write_text(re.sub(old, new, text))
        path.write_text(CONFIG.read_text().replace(str(PART), str(part)))
        self.assertIn(str(part), path.read_text())
        return path

    def test_all_is_well(self):
        status, said = doctor()
        self.assertEqual(status, 0, said)
        self.assertEqual(len(re.findall(r"(?m) sealane +\w+_\w+$", said)), 6)

    def test_no_module(self):
        config = self.config("(?m)^module = .*", f"module = {FOLDER}/missing.so")
        self.assert_works(config)
        self.assertRegex(doctor(config)[1], r"missing\.so cannot be loaded: .*No such file")

    def test_no_module_at_all(self):
        (FOLDER / "damaged.so").write_bytes((BUILD / "sealane.so").read_bytes()[:400])
        config = self.config("(?m)^module = .*", f"module = {FOLDER}/damaged.so")
        self.assert_works(config)
        self.assertRegex(doctor(config)[1], r"damaged\.so cannot be loaded: could not load the shared library")

    def test_a_module_that_is_another_library(self):
        other = next(pathlib.Path("/").glob("lib*/*/libc.so.6"), None) or next(pathlib.Path("/").glob("lib*/libc.so.6"))
        config = self.config("(?m)^module = .*", f"module = {other}")
        self.assert_works(config)
        self.assertRegex(doctor(config)[1], r"libc\.so\.6 cannot be loaded: ")

    def test_a_kernel_that_does_not_exist(self):
        self.assert_works(CONFIG, SEALANE_KERNELS="gcm_quantum")
        status, said = doctor(SEALANE_KERNELS="gcm_quantum")
        self.assertEqual(status, 1)
        self.assertIn('SEALANE_KERNELS: unknown kernel "gcm_quantum"', said)

    def test_a_feature_that_does_not_exist(self):
        self.assert_works(CONFIG, SEALANE_CPU_OFF="flux")
        self.assertIn('SEALANE_CPU_OFF: unknown feature "flux"', doctor(SEALANE_CPU_OFF="flux")[1])

    def test_a_cpu_without_fast_kernels(self):
        off = {"SEALANE_CPU_OFF": "ssse3,bmi2,asimd"}
        self.assert_works(CONFIG, **off)
        status, said = doctor(**off)
        self.assertEqual(status, 1)
        self.assertEqual(len(re.findall(r" default +not offered: this CPU has only its portable kernel", said)), 6)

    def test_not_preferred(self):
        config = self.config("(?m)^default_properties.*", "")
        self.assert_works(config)
        self.assertIn("loaded, but not preferred", doctor(config)[1])

    def test_no_configuration(self):
        self.assertIn("names no module for a provider sealane", doctor("default")[1])
        self.assertIn("cannot be read: ", doctor("/nowhere/openssl.cnf")[1])


if __name__ == "__main__":
    if shutil.which("openssl") is None:
        sys.exit(print("1..0 # skip n/a: no openssl"))
    with tempfile.TemporaryDirectory(prefix="sealane-tools-") as folder:
        FOLDER = pathlib.Path(folder)
        (FOLDER / "default.cnf").write_text(DEFAULT)
        (FOLDER / "body").write_bytes(os.urandom(300000))
        (FOLDER / "small").write_bytes(b"small")
        openssl("default", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "cert.key",
                "-out", "cert.pem", "-subj", "/CN=localhost", "-days", "2", "-config", "/etc/ssl/openssl.cnf")
        unittest.main()
