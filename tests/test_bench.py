#!/usr/bin/env python3
"""test_bench.py - sealane-bench from outside: every row there, JSON that parses, errors that name what is wrong.

usage: test_bench.py BUILD/sealane-bench SOURCE_DIR

Nothing here looks at how long anything took: figures must be there and agree with each other, no more.
"""
import contextlib
import itertools
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BENCH, SOURCE = sys.argv[1], sys.argv[2]
QUICK = ["--rounds", "3", "--seconds", "0.001"]
SUITES = ["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]
RIVALS = ["openssl", "boringssl", "ipsec-mb", "direct"]
COMMANDS = ["all", "kernels", "limits", "aead", "record", "memory", "provider", "timing"]
COMPARE = os.path.join(SOURCE, "bench", "compare")


def run(*args, env=None, **kwargs):
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([BENCH, *args], text=True, timeout=120, env={**os.environ, **(env or {})}, **kwargs)


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def split(text):
    """The rows of an aead or record, and its fits."""
    rows = rows_of(text)
    return [r for r in rows if r["bench"] != "fit"], [r for r in rows if r["bench"] == "fit"]


def kernels(env=None):
    done = run("kernels", "--json", "-", env=env)
    assert done.returncode == 0, done.stderr
    return rows_of(done.stdout), done.stderr


# Hides features; what the environment forces may be just what needs them.
def without(features):
    return {"SEALANE_CPU_OFF": features, "SEALANE_KERNELS": ""}


def serving(suite, env=None):
    algorithm = "chacha20-poly1305" if suite.startswith("chacha") else "aes-gcm"
    return [k for k in kernels(env)[0] if k["algorithm"] == algorithm]


class Program(unittest.TestCase):
    def test_version_is_the_header_s(self):
        with open(os.path.join(SOURCE, "include/sealane/version.h"), encoding="ascii") as f:
            version = re.search(r'SEALANE_VERSION "([^"]+)"', f.read()).group(1)
        self.assertEqual(run("--version").stdout, f"sealane-bench {version}\n")

    def test_help_names_every_command_and_option(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        flags = {"all": "quick json plot", "kernels": "json", "limits": "rounds seconds json", "memory": "conns json",
                 "aead": "suite op len batch keys threads kernel rivals rounds seconds json plot",
                 "record": "suite op len batch conns rivals rounds seconds json plot",
                 "provider": "doctor suite op len seconds module json",
                 "timing": "suite kernel len batch samples seconds json"}
        for command in COMMANDS:
            self.assertRegex(done.stdout, rf"(?m)^  {command} +\S")
            text = run(command, "--help")
            self.assertEqual(text.returncode, 0)
            self.assertIn(f"usage: sealane-bench {command} ", text.stdout)
            self.assertEqual(set(re.findall(r"(?m)^  --(\w+) ", text.stdout)), {*flags[command].split(), "help"})

    def test_no_command_prints_usage_and_fails(self):
        done = run()
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("usage:", done.stderr)


class BadInput(unittest.TestCase):
    CASES = [
        (["nonsense"], "nonsense"),
        (["aead", "--nonsense"], "--nonsense"),
        (["aead", "64"], "64: unknown option"),
        (["aead", "--len"], "--len: needs a value"),
        (["aead", "--len", "12x"], "--len: '12x'"),
        (["aead", "--len", "-1"], "--len: '-1'"),
        (["aead", "--len", " 1"], "--len: ' 1'"),
        (["aead", "--len", "64,,65"], "--len: ''"),
        (["aead", "--len=64,64"], "--len: '64' stands twice"),
        (["aead", "--len", "99999999999999999999"], "--len: '99999999999999999999'"),
        (["aead", "--len", ",".join(str(i) for i in range(65))], "has over 64 entries"),
        (["aead", "--batch", "0"], "--batch: '0'"),
        (["aead", "--batch", "1024", "--len", "16777216"], "--batch: '1024' texts of 16777216 bytes"),
        (["aead", "--keys", "0"], "--keys: '0'"),
        (["aead", "--suite", "aes-128-cbc"], "--suite: 'aes-128-cbc'"),
        (["aead", "--suite", "aes-128-gcm,aes-128-gcm"], "--suite: 'aes-128-gcm' stands twice"),
        (["aead", "--op", "sign"], "--op: 'sign'"),
        (["aead", "--rivals", "openssl,nobody"], "--rivals: 'nobody'"),
        (["aead", "--kernel", "gcm_nonsense"], "--kernel: 'gcm_nonsense'"),
        (["aead", "--kernel", ""], "--kernel: the value is empty"),
        (["aead", "--threads", "0"], "--threads: '0'"),
        (["aead", "--threads", "1024"], "--threads: '1024' is over the"),
        (["aead", "--plot", "/nonexistent/x.svg"], "--plot: "),
        (["aead", "--plot", "it's.svg"], "--plot: "),
        (["aead", "--plot", "|touch x.svg"], "--plot: "),
        (["all", "--json", "/nonexistent/x.json"], "/nonexistent/x.json: No such file"),
        (["all", "--quick=1"], "--quick: takes no value"),
        (["limits", "--rounds", "1"], "--rounds: '1'"),
        (["limits", "--json", "/dev/full", "--rounds", "3", "--seconds", "0.001"], "--json: /dev/full: No space left"),
        (["memory", "--conns", "0"], "--conns: '0'"),
        (["record", "--conns", "0"], "--conns: '0'"),
        (["record", "--keys", "64"], "--keys: unknown option"),
        (["record", "--len", "0"], "--len: '0'"),
        (["record", "--len", "16385"], "--len: '16385'"),
        (["record", "--batch", "1025"], "--batch: '1025'"),
        (["record", "--rivals", "ipsec-mb"], "--rivals: 'ipsec-mb'"),
        (["aead", "--rounds", "1"], "--rounds: '1'"),
        (["aead", "--seconds", "0"], "--seconds: '0'"),
        (["aead", "--seconds", "nan"], "--seconds: 'nan'"),
        (["aead", "--json", "/nonexistent/x.json"], "/nonexistent/x.json: No such file"),
        (["timing", "--kernel", "gcm_nonsense"], "--kernel: 'gcm_nonsense'"),
        (["timing", "--len", "16385"], "--len: '16385'"),
        (["timing", "--batch", "65"], "--batch: '65'"),
        (["timing", "--samples", "1"], "--samples: '1'"),
        (["kernels", "--json", "/"], "--json: /: Is a directory"),
        (["kernels", "--json", "/dev/full"], "--json: /dev/full: No space left"),
        (["aead", "--len", "0", *QUICK, "--json", "/dev/full"], "--json: /dev/full: No space left"),
    ]

    def test_one_line_names_it(self):
        for args, message in self.CASES:
            with self.subTest(args=args):
                done = run(*args)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertTrue(done.stderr.startswith("sealane-bench: "), done.stderr)
                self.assertIn(message, done.stderr)

    def test_full_disk_under_standard_output(self):
        for args in ["--help"], ["--version"], ["kernels"], ["aead", "--help"], ["aead", *QUICK], ["kernels", "--json", "-"]:
            with self.subTest(args=args), open("/dev/full", "w", encoding="ascii") as full:
                done = run(*args, stdout=full)
                self.assertEqual(done.returncode, 1)
                self.assertIn("standard output: No space left", done.stderr)

    def test_closed_standard_streams(self):
        """Their numbers must not become the file's."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.json")
            for closed, stream, status in (0, None, 0), (1, "output", 1), (2, None, 0):
                with self.subTest(closed=closed):
                    done = run("kernels", "--json", path, preexec_fn=lambda: os.close(closed))
                    self.assertEqual(done.returncode, status)
                    if stream:
                        self.assertIn(f"standard {stream}: Bad file descriptor", done.stderr)
                    with open(path, encoding="utf-8") as f:
                        self.assertEqual(bool(rows_of(f.read())), status == 0)

    def test_forced_kernel_that_does_not_exist(self):
        for args in ["kernels"], ["aead"], ["record"], ["memory"], ["all"], ["timing"]:
            with self.subTest(args=args):
                done = run(*args, env={"SEALANE_KERNELS": "gcm_nonsense"})
                self.assertEqual(done.returncode, 1)
                self.assertIn("gcm_nonsense", done.stderr)


class Kernels(unittest.TestCase):
    def test_every_algorithm_has_one_chosen_kernel(self):
        rows, table = kernels()
        for algorithm in {row["algorithm"] for row in rows} | {"aes-gcm", "chacha20-poly1305"}:
            self.assertEqual(sum(r["chosen"] for r in rows if r["algorithm"] == algorithm), 1, algorithm)
        for row in rows:
            self.assertEqual(row["bench"], "kernels")
            self.assertIn(row["kernel"], table)
            self.assertEqual(row["available"], row["na"] is None)
            self.assertTrue(row["available"] or row["na"])
            self.assertTrue(row["available"] or not row["chosen"])

    def test_table_goes_to_standard_output_without_json(self):
        done = run("kernels")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for row in kernels()[0]:
            state = "chosen" if row["chosen"] else "available" if row["available"] else f"n/a: {row['na']}"
            self.assertRegex(done.stdout, rf"(?m) {row['kernel']} +{re.escape(state)}$")


class Rows(unittest.TestCase):
    """What aead and record have in common."""

    def check_row(self, row):
        self.assertIn(row["bench"], ["aead", "record"])
        self.assertTrue(row["cpu"])
        if row["ns"] is None:
            self.assertTrue(row["na"])
            return
        self.assertNotIn("na", row)
        self.assertGreater(row["ns"], 0)
        self.assertGreaterEqual(row["median_ns"], row["ns"] * 0.99999)
        self.assertGreaterEqual(row["spread"], 0)
        self.assertEqual(row["rounds"], 3)
        self.assertEqual(row["records_per_round"] % row["batch"], 0)
        self.assertAlmostEqual(row["gbps"], row["len"] / row["ns"], delta=1e-4 * (row["gbps"] + 1))
        self.assertAlmostEqual(row["cycles"], row["ns"] * row["ghz"], delta=1e-4 * row["cycles"])
        if row["port_limit"] is not None:
            self.assertGreater(row["port_limit"], 0)

    def check_fits(self, fits, rows, names):
        """Each row's cycles lie as far from its fit's line as the fit says, and no further."""
        for fit in fits:
            mine = [r for r in rows if all(r[name] == fit[name] for name in names) and
                    (r["impl"] != "sealane" or r["kernel"] == fit["kernel"])]
            self.assertEqual(fit["of"], mine[0]["bench"])
            if all(r["ns"] is None for r in mine):
                self.assertTrue(fit["na"])
                continue
            off = [abs(fit["cycles_per_record"] + fit["cycles_per_byte"] * r["len"] - r["cycles"]) / r["cycles"] for r in mine]
            self.assertEqual(fit["lens"], len(mine))
            self.assertAlmostEqual(max(off), fit["worst"], delta=1e-2 * (max(off) + 0.01))

    def check_ratios(self, rows, rivals=tuple(RIVALS)):
        for row in rows:
            if row["ns"] is None:
                continue
            self.assertEqual(set(row["faster_than"]), set(rivals) - {row["impl"]})
            for rival, ratio in row["faster_than"].items():
                other = next(r for r in rows if r["impl"] == rival)
                if other["ns"] is None:
                    self.assertIsNone(ratio)
                else:
                    self.assertAlmostEqual(ratio, other["ns"] / row["ns"], delta=1e-4 * ratio)


class Aead(Rows):
    def test_all_rows_are_there(self):
        lens, batches, ops = [0, 1, 64, 257], [1, 3], ["seal", "open"]
        done = run("aead", "--suite", ",".join(SUITES), "--op", "seal,open", "--len", "0,1,64,257", "--batch", "1,3",
                   "--keys", "5", "--kernel", "all", "--rivals", ",".join(RIVALS), "--json", "-", *QUICK)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows, fits = split(done.stdout)
        cells = {}
        for row in rows:
            self.check_row(row)
            self.assertEqual(row["keys"], 5)
            cells.setdefault((row["suite"], row["op"], row["len"], row["batch"]), []).append(row)
        self.assertEqual(list(cells), list(itertools.product(SUITES, ops, lens, batches)))
        for (suite, _, _, _), cell in cells.items():
            ours = [row["kernel"] for row in cell if row["impl"] == "sealane"]
            self.assertEqual(ours, [k["kernel"] for k in serving(suite)])
            self.assertEqual([row["impl"] for row in cell if row["impl"] != "sealane"], RIVALS)
            self.check_ratios(cell)
        self.check_fits(fits, rows, ["impl", "suite", "op", "batch", "keys", "threads"])
        lines = {(r["impl"], r["kernel"] if r["impl"] == "sealane" else "", r["suite"], r["op"], r["batch"]) for r in rows}
        self.assertEqual(len(fits), len(lines))
        table_rows = [line for line in done.stderr.splitlines() if re.match(r" *\d+ +\d+  ", line)]
        self.assertEqual(len(table_rows), len(rows))
        for line, row in zip(table_rows, rows):
            self.assertEqual(line.split()[:4], [str(row["len"]), str(row["batch"]), row["impl"], row["kernel"]])
            self.assertEqual("n/a  " in line and row["ns"] is None, row["ns"] is None)

    def test_default_kernel_is_the_chosen_one(self):
        done = run("aead", "--suite", ",".join(SUITES), "--len", "16", "--json", "-", "--rivals", "none", *QUICK)
        self.assertEqual(done.returncode, 0, done.stderr)
        for row in rows_of(done.stdout):
            self.assertEqual(row["impl"], "sealane")
            self.assertEqual([row["kernel"]], [k["kernel"] for k in serving(row["suite"]) if k["chosen"]])
            self.assertEqual(row["faster_than"], {})

    def test_named_kernel_leaves_other_suites_their_own(self):
        done = run("aead", "--suite", ",".join(SUITES), "--len", "16", "--batch", "1", "--json", "-", "--rivals", "none",
                   "--kernel", "gcm_portable", *QUICK)
        self.assertEqual(done.returncode, 0, done.stderr)
        chosen = [k["kernel"] for k in serving("chacha20-poly1305") if k["chosen"]]
        self.assertEqual([r["kernel"] for r in rows_of(done.stdout)], ["gcm_portable", "gcm_portable", *chosen])

    def test_kernel_that_cannot_run_keeps_its_row(self):
        off = without("aes,vaes,aes_arm")
        missing = [k for k in serving("aes-128-gcm", env=off) if not k["available"]]
        if not missing:
            self.skipTest("no AES-GCM kernel of this build needs a feature that can be hidden")
        done = run("aead", "--len", "16", "--batch", "1", "--kernel", missing[0]["kernel"], "--json", "-", *QUICK, env=off)
        self.assertEqual(done.returncode, 0, done.stderr)
        row = rows_of(done.stdout)[0]
        self.assertEqual((row["kernel"], row["ns"], row["na"]), (missing[0]["kernel"], None, missing[0]["na"]))
        self.assertIn(missing[0]["na"], done.stderr)

    def test_json_file_beside_the_table(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.json")
            done = run("aead", f"--json={path}", "--len=64", "--batch=1,7", "--keys=1", "--suite=aes-256-gcm", *QUICK)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            with open(path, encoding="utf-8") as f:
                rows = rows_of(f.read())
        self.check_ratios(rows[: 1 + len(RIVALS)])
        self.assertEqual([(r["batch"], r["impl"]) for r in rows], list(itertools.product([1, 7], ["sealane", *RIVALS])))
        self.assertIn("aes-256-gcm seal", done.stdout)

    def test_progress_is_for_terminals_only(self):
        args = ["aead", "--len", "16", "--batch", "1", *QUICK]
        self.assertNotIn("\r", run(*args).stderr)
        main, terminal = pty.openpty()
        done = run(*args, stderr=terminal)
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal ends; a read gives what has got there, not all
            while piece := os.read(main, 65536):
                shown += piece
        shown = shown.decode()
        os.close(main)
        self.assertEqual(done.returncode, 0)
        self.assertIn("1 of 1: aes-128-gcm seal, 16 bytes, batch of 1", shown)
        self.assertTrue(shown.endswith("\r\x1b[K"), shown)

    def test_keys_and_threads(self):
        threads = [1, 2] if len(os.sched_getaffinity(0)) > 1 else [1]
        done = run("aead", "--op", "seal,open", "--len", "16", "--batch", "2", "--keys", "1,256,257", "--threads",
                   ",".join(map(str, threads)), "--json", "-", *QUICK)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows, fits = split(done.stdout)
        self.assertEqual(fits, [])  # one length is no line
        self.assertEqual([(r["op"], r["threads"], r["keys"], r["impl"]) for r in rows],
                         list(itertools.product(["seal", "open"], threads, [1, 256, 257], ["sealane", *RIVALS])))
        for row in rows:
            self.check_row(row)
            self.assertEqual(row["cold"], row["keys"] > 256)
            if row["threads"] > 1:
                self.assertIsNone(row.get("port_limit"))

    def test_port_limit_is_that_of_the_cpu_there_is(self):
        done = run("aead", "--suite", ",".join(SUITES), "--len", "64", "--batch", "1", "--rivals", "none", "--json", "-",
                   *QUICK)
        self.assertEqual(done.returncode, 0, done.stderr)
        limits = {r["suite"]: r for r in rows_of(run("limits", "--json", "-", *QUICK).stdout) if r["role"] == "record"}
        for row in rows_of(done.stdout):
            self.assertEqual(row["port_limit"] is None, limits[row["suite"]]["ns"] is None, row)


class Limits(unittest.TestCase):
    def test_rows_stay_when_the_cpu_lacks_something(self):
        def measure(env=None):
            done = run("limits", "--json", "-", *QUICK, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            return rows_of(done.stdout), done.stderr
        rows, _ = measure()
        less, table = measure({"SEALANE_CPU_OFF": "avx512f,vaes,aes,aes_arm"})
        self.assertEqual([(r.get("loop"), r.get("bits"), r["role"], r.get("suite"), r.get("len")) for r in rows],
                         [(r.get("loop"), r.get("bits"), r["role"], r.get("suite"), r.get("len")) for r in less])
        for row in rows + less:
            self.assertEqual(row["bench"], "limits")
            self.assertEqual(row["ns"] is None, "na" in row)
            if row["ns"] is None:
                self.assertTrue(row["na"])
            elif row["role"] != "record":
                speed = row.get("per_cycle", row.get("bytes_per_cycle"))
                self.assertAlmostEqual(row["ns"] * row["ghz"] * speed, 1, delta=1e-3)
        self.assertEqual([(r["suite"], r["len"]) for r in rows if r["role"] == "record"],
                         list(itertools.product(SUITES, [64, 256, 1350, 16384])))
        aes = [r for r in less if "aes" in r.get("loop", "")]
        for row in aes:
            self.assertRegex(row["na"], "^CPU lacks ")
            self.assertIn(row["na"], table)
        self.assertEqual([r["ns"] for r in less if r.get("suite") == "aes-128-gcm"], [None] * 4)


class Timing(unittest.TestCase):
    TESTS = ["control", "key", "sealed text", "opened text", "tag"]

    def test_all_rows_are_there(self):
        done = run("timing", "--kernel", "all", "--len", "0,64", "--batch", "2", "--seconds", "0.001", "--json", "-")
        rows, verdicts = rows_of(done.stdout), []
        self.assertEqual([(r["suite"], r["kernel"], r["len"], r["test"]) for r in rows],
                         [(suite, k["kernel"], length, test) for suite in SUITES for k in serving(suite)
                          for length in (0, 64) for test in self.TESTS])
        for row in rows:
            self.assertEqual((row["bench"], row["batch"], row["t"] is None), ("timing", 2, "na" in row))
            if row["t"] is None:
                continue
            verdicts.append((row["test"] == "control", row["verdict"]))
            over = abs(row["t"]) > 5
            wanted = ("found" if over else "NOT FOUND") if row["test"] == "control" else ("LEAK" if over else "no difference")
            self.assertEqual(row["verdict"], wanted)
            self.assertGreaterEqual(row["samples"], 1024)
        self.assertEqual(done.returncode, 1 if {"LEAK", "NOT FOUND"} & {v for _, v in verdicts} else 0)
        self.assertIn((True, "found"), verdicts)

    def test_kernel_that_cannot_run_keeps_its_rows(self):
        done = run("timing", "--suite", "aes-128-gcm", "--kernel", "gcm_vaes512,gcm_portable", "--len", "64", "--seconds", "0.001",
                   "--json", "-", env=without("avx512f"))
        rows = [r for r in rows_of(done.stdout) if r["kernel"] == "gcm_vaes512"]
        if not any(k["kernel"] == "gcm_vaes512" for k in serving("aes-128-gcm")):
            self.skipTest("n/a: no such kernel on this architecture")
        self.assertEqual([r["test"] for r in rows], self.TESTS)
        for row in rows:
            self.assertRegex(row["na"], "avx512f")


class Record(Rows):
    def test_all_rows_are_there(self):
        lens, batches, conns, ops = [1, 64, 16384], [1, 3], [1, 70], ["seal", "open"]
        done = run("record", "--suite", ",".join(SUITES), "--op", "seal,open", "--len", "1,64,16384", "--batch", "1,3",
                   "--conns", "1,70", "--json", "-", *QUICK)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows, fits = split(done.stdout)
        self.assertEqual([(r["suite"], r["op"], r["conns"], r["len"], r["batch"], r["impl"]) for r in rows],
                         list(itertools.product(SUITES, ops, conns, lens, batches, ["sealane", "openssl"])))
        for first, second in zip(rows[::2], rows[1::2]):
            self.check_row(first)
            self.check_row(second)
            self.check_ratios([first, second], ["openssl"])
            self.assertEqual([first["kernel"]], [k["kernel"] for k in serving(first["suite"]) if k["chosen"]])
            self.assertIn(second["kernel"], ["kept buffers", "freed buffers"])
        self.check_fits(fits, rows, ["impl", "suite", "op", "batch", "conns"])

    def test_alone_and_cold(self):
        done = run("record", "--op", "seal,open", "--len", "64", "--batch", "32", "--conns", "300", "--rivals", "none",
                   "--json", "-", *QUICK, env={"SEALANE_KERNELS": "gcm_portable"})
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = rows_of(done.stdout)
        self.assertEqual([(r["op"], r["impl"], r["kernel"], r["cold"]) for r in rows],
                         [(op, "sealane", "gcm_portable", True) for op in ["seal", "open"]])


class Memory(unittest.TestCase):
    IDLE_MAX = 1536  # the library's promise (README)

    def test_all_rows_are_there(self):
        done = run("memory", "--conns", "20", "--json", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = rows_of(done.stdout)
        for row in rows:
            self.assertEqual(row["bench"], "memory")
            self.assertIn(row["what"], done.stderr)
            if row["bytes"] is None:
                self.assertTrue(row["na"])
            else:
                self.assertGreater(row["bytes"], 0)
        idle = [r for r in rows if r["what"].startswith("idle connection")]
        self.assertEqual([(r["impl"], r["of"], r["what"]) for r in idle],
                         [(impl, of, f"idle connection, {when}") for impl, of in
                          [("sealane", ""), ("openssl", "freed buffers"), ("openssl", "kept buffers")]
                          for when in ["fresh", "after data"]])
        for row in idle[:2]:
            if row["bytes"] is not None:
                self.assertLessEqual(row["bytes"], self.IDLE_MAX)
        for suite in SUITES:
            keys = [r for r in rows if r["what"] == f"expanded key, {suite}"]
            self.assertEqual([r["of"] for r in keys if r["impl"] == "sealane"], [k["kernel"] for k in serving(suite)])
            self.assertEqual([r["impl"] for r in keys if r["impl"] != "sealane"], ["openssl", "ipsec-mb"])
        self.assertEqual([r["of"] for r in rows if r["what"] == "code and constants"],
                         [k["kernel"] for k in kernels()[0]] + ["all kernels"])


class All(unittest.TestCase):
    def test_every_command_in_one_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "all.json")
            done = run("all", "--quick", "--json", path)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            with open(path, encoding="utf-8") as f:
                rows = rows_of(f.read())
            self.assertEqual({r["bench"] for r in rows}, {"limits", "aead", "record", "memory", "fit"})
            same = subprocess.run([COMPARE, path, path], text=True, capture_output=True, timeout=60, check=False)
            self.assertEqual(same.returncode, 0, same.stdout + same.stderr)


class Plot(unittest.TestCase):
    ARGS = ["aead", "--suite", "aes-128-gcm,chacha20-poly1305", "--len", "0,64,256", "--batch", "1,2", *QUICK]

    def test_picture(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not installed")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.svg")
            done = run(*self.ARGS, "--plot", path)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            with open(path, encoding="utf-8") as f:
                picture = "".join(re.findall(r"<text[^>]*>(.*?)</text>", f.read(), re.S))
        for text in ["aead aes-128-gcm seal, 64 keys", "aead chacha20-poly1305 seal, 64 keys", "openssl, batch of 1",
                     "ipsec-mb, batch of 2", "bytes of a record"]:
            self.assertIn(text, re.sub(r"<[^>]*>", "", picture))

    def test_without_gnuplot_nothing_is_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.svg")
            for args in self.ARGS, ["all"], ["record"]:
                done = run(*args, "--plot", path, env={"PATH": "/nonexistent"})
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertEqual(done.stderr, "sealane-bench: --plot: gnuplot is not installed (Debian: apt-get install "
                                              "gnuplot-nox)\n")
                self.assertFalse(os.path.exists(path))

    def test_gnuplot_that_fails(self):
        """By its status, or by what it leaves: the real one says nothing about a full disk."""
        for status in 3, 0:
            with self.subTest(status=status), tempfile.TemporaryDirectory() as folder:
                with open(os.path.join(folder, "gnuplot"), "w", encoding="ascii") as f:
                    f.write(f"#!/bin/sh\nexit {status}\n")
                os.chmod(f.name, 0o755)
                done = run(*self.ARGS, "--plot", os.path.join(folder, "out.svg"), env={"PATH": folder})
                self.assertEqual(done.returncode, 1)
                self.assertIn("--plot: gnuplot failed", done.stderr)


class Compare(unittest.TestCase):
    ROW = {"bench": "aead", "impl": "sealane", "kernel": "k", "suite": "s", "op": "seal", "len": 64, "batch": 1, "keys": 64,
           "threads": 1, "ns": 100.0, "spread": 0.1}

    def compare(self, old, new, *args):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("old.json", "new.json")]
            for path, rows in zip(paths, (old, new)):
                with open(path, "w", encoding="utf-8") as f:
                    f.write(rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows))
            done = subprocess.run([COMPARE, *args, *paths], text=True, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def row(self, **changes):
        return {**self.ROW, **changes}

    def test_verdicts(self):
        na = {"ns": None, "na": "CPU lacks it"}
        rival = {"impl": "openssl"}
        memory = {"bench": "memory", "impl": "sealane", "what": "idle connection, fresh", "of": ""}
        for name, old, new, args, status in [
                ("the same", [self.row()], [self.row(spread=0.9, version="2")], [], 0),
                ("a little slower", [self.row()], [self.row(ns=102.9)], [], 0),
                ("slower", [self.row()], [self.row(ns=103.1)], [], 1),
                ("slower within a limit given", [self.row()], [self.row(ns=103.1)], ["--limit", "4"], 0),
                ("faster", [self.row()], [self.row(ns=50)], [], 0),
                ("one of two slower", [self.row(), self.row(len=65)], [self.row(len=65, ns=110), self.row()], [], 1),
                ("gone", [self.row(), self.row(len=65)], [self.row()], [], 1),
                ("n/a now", [self.row()], [self.row(**na)], [], 1),
                ("n/a always", [self.row(**na), self.row(len=65)], [self.row(**na), self.row(len=65)], [], 0),
                ("n/a before", [self.row(**na)], [self.row()], [], 0),
                ("new", [self.row()], [self.row(), self.row(kernel="k2")], [], 0),
                ("a rival slower", [self.row(), self.row(**rival)], [self.row(), self.row(**rival, ns=200)], [], 0),
                ("a rival's other way", [self.row(), self.row(**rival)], [self.row(), self.row(**rival, kernel="job")], [], 0),
                ("bigger", [{**memory, "bytes": 1000}], [{**memory, "bytes": 1040}], [], 1),
                ("measured twice", [self.row()], [self.row(ns=110), self.row(ns=100)], [], 0),
                ("fits do not count", [self.row(), {"bench": "fit", "impl": "sealane"}], [self.row()], [], 0)]:
            with self.subTest(name):
                self.assertEqual(self.compare(old, new, *args)[0], status)

    def test_output_names_the_row_and_the_machine_s_drift(self):
        rival = {"impl": "openssl"}
        status, out, _ = self.compare([self.row(), self.row(**rival)], [self.row(ns=110), self.row(**rival, ns=108)])
        self.assertEqual(status, 1)
        self.assertRegex(out, r"FAIL +100\.00 +110\.00 +\+10\.0 % +slower +aead sealane k s seal len=64 batch=1 keys=64")
        self.assertIn("moved by +8.0 %", out)

    def test_output_that_cannot_be_written_is_no_verdict(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f, open("/dev/full", "w", encoding="ascii") as full:
            f.write(json.dumps(self.row()))
            f.flush()
            for closed, why in (False, "No space left on device"), (True, "Bad file descriptor"):
                with self.subTest(why):
                    done = subprocess.run([COMPARE, f.name, f.name], text=True, stdout=full, stderr=subprocess.PIPE, timeout=60,
                                          check=False, preexec_fn=lambda: os.close(1) if closed else None)
                    self.assertEqual((done.returncode, done.stderr), (2, f"bench/compare: standard output: {why}\n"))

    def test_bad_files(self):
        for old, message in [("", "no rows"), ("{", "old.json:1: not a JSON object"), ("[1]", "not a row"),
                             ('{"bench":"aead","ns":"fast"}', "is no figure"), ('{"bench":"aead","ns":0}', "is no figure"),
                             ('{"bench":"aead","ns":NaN}', "is no figure")]:
            with self.subTest(old=old):
                status, out, err = self.compare(old, [self.row()])
                self.assertEqual((status, out), (2, ""))
                self.assertEqual(err.count("\n"), 1)
                self.assertIn(message, err)
        done = subprocess.run([COMPARE, "/nonexistent/a", "/nonexistent/b"], text=True, capture_output=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "bench/compare: /nonexistent/a: No such file or directory\n")



class Tap(unittest.TestResult):
    """Prints what happened as TAP."""

    def line(self, ok, test, note=""):
        print(f"{'ok' if ok else 'not ok'} {self.testsRun} - {test.id().partition('.')[2]}{note}", flush=True)

    def details(self, test, err):
        print("".join(f"# {line}\n" for line in self._exc_info_to_string(err, test).splitlines()), end="")

    def startTest(self, test):
        super().startTest(test)
        self.subtests_failed = 0

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.subtests_failed += 1
            print(f"# {subtest}")
            self.details(test, err)
        super().addSubTest(test, subtest, err)

    def stopTest(self, test):
        if self.subtests_failed > 0:
            self.line(False, test)

    def addSuccess(self, test):
        self.line(True, test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.details(test, err)
        self.line(False, test)

    def addError(self, test, err):
        self.addFailure(test, err)

    def addSkip(self, test, reason):
        self.line(True, test, f" # SKIP {reason}")


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    print(f"1..{suite.countTestCases()}")
    sys.exit(0 if suite.run(Tap()).wasSuccessful() else 1)
