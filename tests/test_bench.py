#!/usr/bin/env python3
"""test_bench.py - sealane-bench from outside: every row there, JSON that parses, errors that name what is wrong.

usage: test_bench.py BUILD/sealane-bench SOURCE_DIR

Nothing here looks at how long anything took: figures must be there and agree with each other, no more.
"""
import itertools
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import unittest

BENCH, SOURCE = sys.argv[1], sys.argv[2]
QUICK = ["--rounds", "3", "--seconds", "0.001"]
SUITES = ["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]
RIVALS = ["openssl", "ipsec-mb"]


def run(*args, env=None, **kwargs):
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([BENCH, *args], text=True, timeout=120, env={**os.environ, **(env or {})}, **kwargs)


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def kernels(env=None):
    done = run("kernels", "--json", "-", env=env)
    assert done.returncode == 0, done.stderr
    return rows_of(done.stdout), done.stderr


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
        for command in ["kernels", "aead"]:
            self.assertIn(command, done.stdout)
        done = run("aead", "--help")
        self.assertEqual(done.returncode, 0)
        for flag in "suite op len batch keys kernel rivals rounds seconds json help".split():
            self.assertIn(f"--{flag} ", done.stdout)

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
        (["aead", "--rounds", "1"], "--rounds: '1'"),
        (["aead", "--seconds", "0"], "--seconds: '0'"),
        (["aead", "--seconds", "nan"], "--seconds: 'nan'"),
        (["aead", "--json", "/nonexistent/x.json"], "/nonexistent/x.json: No such file"),
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

    def test_forced_kernel_that_does_not_exist(self):
        for args in ["kernels"], ["aead"]:
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


class Aead(unittest.TestCase):
    def check_row(self, row):
        self.assertEqual(row["bench"], "aead")
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

    def check_ratios(self, rows):
        for row in rows:
            if row["ns"] is None:
                continue
            self.assertEqual(set(row["faster_than"]), set(RIVALS) - {row["impl"]})
            for rival, ratio in row["faster_than"].items():
                other = next(r for r in rows if r["impl"] == rival)
                if other["ns"] is None:
                    self.assertIsNone(ratio)
                else:
                    self.assertAlmostEqual(ratio, other["ns"] / row["ns"], delta=1e-4 * ratio)

    def test_all_rows_are_there(self):
        lens, batches, ops = [0, 1, 64, 257], [1, 3], ["seal", "open"]
        done = run("aead", "--suite", ",".join(SUITES), "--op", "seal,open", "--len", "0,1,64,257", "--batch", "1,3",
                   "--keys", "5", "--kernel", "all", "--rivals", "openssl,ipsec-mb", "--json", "-", *QUICK)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = rows_of(done.stdout)
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
        off = {"SEALANE_CPU_OFF": "aes,vaes,aes_arm"}
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
        self.assertEqual([(r["batch"], r["impl"]) for r in rows], list(itertools.product([1, 7], ["sealane", *RIVALS])))
        self.assertIn("aes-256-gcm seal", done.stdout)

    def test_progress_is_for_terminals_only(self):
        args = ["aead", "--len", "16", "--batch", "1", *QUICK]
        self.assertNotIn("\r", run(*args).stderr)
        main, terminal = pty.openpty()
        done = run(*args, stderr=terminal)
        os.close(terminal)
        shown = os.read(main, 65536).decode()
        os.close(main)
        self.assertEqual(done.returncode, 0)
        self.assertIn("1 of 1: aes-128-gcm seal, 16 bytes, batch of 1", shown)
        self.assertTrue(shown.endswith("\r\x1b[K"), shown)


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
