#!/usr/bin/env python3
"""Runs the test programs through ctest, pass by pass, and counts their test cases.

A pass is one build and one environment. Test programs are cmocka's, scripts that speak TAP ("ok 1 - name"), or Python's
unittest; a program that speaks none of these is one case. A program that dies, times out or leaves declared cases unrun has
failed those cases. What is not run is printed as "n/a NAME: reason". The last line is "N passed, M failed[, K skipped]",
alone.

Labels of tests (tests/CMakeLists.txt): kernel  runs once more under each kernel, in turn
                                        full    slow: only with --full
                                        once    about sources or packages, not code: only in the release pass
                                        native  cannot run under emulation (scripts never do, they need no label)
                                        ct      runs itself under valgrind: only in the ct pass
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUTPUT_MAX = 64 << 20  # bytes of one test's output that ctest keeps for us
SHOWN_MAX = 200  # lines of a failed test's output that we show


# ---- what a test program's output says -------------------------------------------------------------------------------

CMOCKA_LINE = re.compile(r"\[(==========|  RUN     | RUN      |       OK |  FAILED  |  SKIPPED |  ERROR   )\] (.*)")
CMOCKA_PLAN = re.compile(r"(?:.*: )?Running (\d+) test\(s\)")
TAP_LINE = re.compile(r"^(not )?ok\b(?:\s+\d+)?\s*(?:-\s*)?(.*)$")
TAP_PLAN = re.compile(r"^1\.\.(\d+)\s*(?:#.*)?$")


def cmocka_cases(lines):
    """Yields (name, verdict) of each case cmocka declared; None when the output is not cmocka's."""
    cases, declared, plans, running = [], 0, 0, None
    for line in lines:
        match = CMOCKA_LINE.search(line)
        if not match:
            continue
        kind, name = match.group(1).strip(), match.group(2).strip()
        if kind == "==========":
            plan = CMOCKA_PLAN.match(name)
            declared += int(plan.group(1)) if plan else 0
            plans += bool(plan)
        elif kind == "RUN":
            if running is not None:
                cases.append((running, "failed"))
            running = name
        elif running is not None and name == running:
            cases.append((running, {"OK": "passed", "SKIPPED": "skipped"}.get(kind, "failed")))
            running = None
    if running is not None:
        cases.append((running + " (died)", "failed"))
    if declared == 0 and not cases:
        return [("no case at all", "failed")] if plans else None
    cases += [("a declared case that did not run", "failed")] * (declared - len(cases))
    return cases


def tap_cases(lines):
    """The same for TAP; None when the output holds no plan and no test line."""
    cases, planned = [], None
    for line in lines:
        plan = TAP_PLAN.match(line)
        if plan:
            planned = (planned or 0) + int(plan.group(1))
            continue
        match = TAP_LINE.match(line)
        if match:
            skip = re.search(r"#\s*skip\b", match.group(2), re.I)
            cases.append((match.group(2), "failed" if match.group(1) else "skipped" if skip else "passed"))
    if planned is None:
        return None  # "ok" alone is too common a word to be taken for TAP
    cases += [("a planned case that did not run", "failed")] * (planned - len(cases))
    return cases


def unittest_cases(lines):
    """The same for Python's unittest, which counts its cases in the end and names only those that failed."""
    ran = [re.match(r"Ran (\d+) tests? in ", line) for line in lines]
    total = sum(int(match.group(1)) for match in ran if match)
    verdict = next((line for line in reversed(lines) if re.match(r"(OK|FAILED)\b", line)), None)
    if not total or not verdict:
        return None
    number = {word: int(n) for word, n in re.findall(r"(\w+)=(\d+)", verdict)}
    failed = min(total, number.get("failures", 0) + number.get("errors", 0))  # subtests count there, but not in the total
    skipped = min(total - failed, number.get("skipped", 0))
    names = re.findall(r"^(?:FAIL|ERROR): (\w+)", "\n".join(lines), re.M) or ["a case"]
    cases = [(names[i % len(names)], "failed") for i in range(failed)] + [("", "skipped")] * skipped
    return cases + [("", "passed")] * (total - len(cases))


def program_cases(name, status, output):
    """All (name, verdict) of one program, from ctest's verdict and the program's own words."""
    if status == "notrun" or status == "disabled":
        return [(f"{name} could not be started", "failed")]
    lines = output.splitlines()
    cases = next((found for found in (read(lines) for read in (cmocka_cases, tap_cases, unittest_cases)) if found), None)
    if cases is None:
        cases = [(name, "passed" if status == "run" else "failed")]
    if status != "run" and not any(verdict == "failed" for _, verdict in cases):
        cases.append((f"{name} ended badly after its cases", "failed"))
    if status == "run" and any(verdict == "failed" for _, verdict in cases):
        cases.append((f"{name} reported success in spite of that", "failed"))
    return cases


# ---- one pass --------------------------------------------------------------------------------------------------------


class Tally:
    def __init__(self, jobs, only):
        self.jobs, self.only = jobs, only
        self.count = Counter()
        self.failures = []
        self.remarks = set()
        self.programs = 0

    def not_run(self, what, why):
        line = f"n/a {what}: {why}"
        if line not in self.remarks:
            self.remarks.add(line)
            print(f"  {line}", flush=True)

    def fail(self, title, why):
        self.count["failed"] += 1
        self.failures.append(f"{title}: {why}")
        print(f"  FAILED {why}", flush=True)

    def run(self, title, directory, environment=None, label=None, without=(), but=()):
        """One pass of ctest in `directory` over tests with `label`, with no label of `without`, not named in `but`."""
        print(f"== {title}", flush=True)
        if not (directory / "CTestTestfile.cmake").exists():
            return self.fail(title, f"{directory} is not built")
        report = directory / "tests.xml"
        report.unlink(missing_ok=True)
        command = ["ctest", "--test-dir", str(directory), "-j", str(self.jobs), "--output-junit", str(report),
                   "--test-output-size-passed", str(OUTPUT_MAX), "--test-output-size-failed", str(OUTPUT_MAX),
                   "--no-tests=ignore", "--timeout", "600"]
        command += ["-R", self.only] if self.only else []
        command += ["-L", f"^{label}$"] if label else []
        command += ["-LE", "^(" + "|".join(without) + ")$"] if without else []
        command += ["-E", "^(" + "|".join(map(re.escape, but)) + ")$"] if but else []
        begin = time.monotonic()
        result = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True)
        if not report.exists():
            print(result.stdout + result.stderr)
            return self.fail(title, f"ctest ended with {result.returncode} and left no report")

        count, slowest = Counter(), (0.0, "")
        suite = ElementTree.fromstring(clean_xml(report.read_bytes()))
        for program in suite.iter("testcase"):
            name, output = program.get("name"), program.findtext("system-out") or ""
            slowest = max(slowest, (float(program.get("time") or 0), name))
            cases = program_cases(name, program.get("status"), output)
            bad = Counter(case for case, verdict in cases if verdict == "failed")
            bad = [case if times == 1 else f"{case}, {times} times" for case, times in bad.items()]
            count.update(verdict for _, verdict in cases)
            self.failures += [f"{title}: {name}: {case}" for case in bad]
            self.programs += 1
            for line in output.splitlines():
                if re.match(r"\s*(ok \d+ - )?n/a\b", line):
                    self.not_run(f"{name}", re.sub(r"^.*?n/a:?\s*", "", line))
            if bad:
                lines = output.splitlines()
                print(f"  FAILED {name}: {', '.join(bad)}; it said{' at its end' * (len(lines) > SHOWN_MAX)}:")
                print("".join(f"    | {line}\n" for line in lines[-SHOWN_MAX:]), end="", flush=True)
        self.count += count
        words = [f"{count[verdict]} {verdict}" for verdict in ("passed", "failed", "skipped") if count[verdict]]
        slow = f", slowest {slowest[1]} {slowest[0]:.1f} s" if slowest[1] else ""
        print(f"  cases: {', '.join(words) or 'none'} ({time.monotonic() - begin:.1f} s{slow})", flush=True)


def clean_xml(raw):
    """ctest copies a program's bytes into its report as they are; XML forbids most control characters."""
    text = raw.decode("utf-8", "replace")
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


def tests_of(directory):
    """The tests of a build: name -> (labels, command)."""
    shown = subprocess.run(["ctest", "--test-dir", str(directory), "--show-only=json-v1"], capture_output=True, text=True,
                           check=True)
    return {test["name"]: ({label for p in test.get("properties", ()) if p["name"] == "LABELS" for label in p["value"]},
                           test.get("command", [""])) for test in json.loads(shown.stdout)["tests"]}


def kernels(directory):
    """What the library of this build says of its kernels: dictionaries with name, algorithm, available, reason."""
    shown = subprocess.run([str(directory / "tests" / "list_kernels")], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in shown.stdout.splitlines()]


def forced_sets(listed, one_by_one):
    """Values of SEALANE_KERNELS that force every available kernel at least once: each alone, or, because algorithms do
    not meet inside a kernel, the n-th of every algorithm together."""
    available = [kernel for kernel in listed if kernel["available"]]
    if one_by_one:
        return [kernel["name"] for kernel in available]
    by_algorithm = {}
    for kernel in available:
        by_algorithm.setdefault(kernel["algorithm"], []).append(kernel["name"])
    depth = max(map(len, by_algorithm.values()), default=0)
    return [",".join(names[row] for names in by_algorithm.values() if row < len(names)) for row in range(depth)]


# ---- the passes ------------------------------------------------------------------------------------------------------

# Not detect_stack_use_after_return: gcc 12 puts objects of more than 32 bytes' alignment at odd places then.
SANITIZERS = {"ASAN_OPTIONS": "strict_string_checks=1:abort_on_error=1",
              "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}


def run_kernels(tally, full):
    directory = ROOT / "build"
    try:
        listed = kernels(directory)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        return tally.fail("kernels", f"the list of kernels could not be had: {error}")
    if not full and not tally.only and not any("kernel" in labels for labels, _ in tests_of(directory).values()):
        return tally.fail("kernels", "no test has the label kernel")
    for kernel in listed:
        if not kernel["available"]:
            tally.not_run(f"kernel {kernel['name']}", kernel["reason"])
    for names in forced_sets(listed, one_by_one=full):
        tally.run(f"kernels {names}", directory, {"SEALANE_KERNELS": names}, label=None if full else "kernel",
                  without=("once", "ct", "full"))


def run_cross(tally, _full):
    directory = ROOT / "build-cross"
    if not (directory / "CTestTestfile.cmake").exists():
        return tally.fail("cross", f"{directory} is not built")
    scripts = []
    for name, (labels, command) in tests_of(directory).items():
        if "once" in labels:
            tally.not_run(f"{name} on aarch64", "about sources or packages: in the release pass")
        elif "native" in labels:
            tally.not_run(f"{name} on aarch64", "cannot run under emulation")
        elif not pathlib.Path(command[0]).name.startswith("qemu"):
            tally.not_run(f"{name} on aarch64", "a script of this machine, which cannot start aarch64 programs")
            scripts.append(name)
    tally.run("aarch64 under qemu-user", directory, without=("native", "once", "ct", "full"), but=scripts)


def run_ct(tally, _full):
    for directory in sorted((ROOT / "build-ct").glob("*-O[123]")):
        tally.run(f"constant time, {directory.name}", directory, label="ct")


PASSES = {
    "release": lambda tally, full: tally.run(
        "release", ROOT / "build", without=("ct",) if full else ("ct", "full")),
    "asan": lambda tally, full: tally.run(
        "ASan + UBSan", ROOT / "build-asan", SANITIZERS, without=("ct", "once") if full else ("ct", "once", "full")),
    # -O0 with assertions: in full also the programs from outside, but never the slow suites
    "debug": lambda tally, full: tally.run(
        "Debug", ROOT / "build-debug", without=("ct", "once", "full") if full else ("ct", "once", "full", "native")),
    "kernels": run_kernels,
    "cross": run_cross,
    "ct": run_ct,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="slow tests too, and the whole suite under each kernel")
    parser.add_argument("--only", metavar="NAME", help="only tests whose name matches this regular expression")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("passes", nargs="+", choices=PASSES, metavar="PASS", help=", ".join(PASSES))
    arguments = parser.parse_args()

    begin = time.monotonic()
    tally = Tally(arguments.jobs, arguments.only)
    for name in arguments.passes:
        PASSES[name](tally, arguments.full)
    if tally.programs == 0:
        tally.fail("all passes", f"no test matches {arguments.only}" if arguments.only else "there are no tests")

    if tally.failures:
        print("\nfailed:")
        for failure in tally.failures:
            print(f"  {failure}")
    print(f"\n{tally.programs} runs of test programs in {time.monotonic() - begin:.0f} s")
    skipped = f", {tally.count['skipped']} skipped" if tally.count["skipped"] else ""
    print(f"{tally.count['passed']} passed, {tally.count['failed']} failed{skipped}")
    return 1 if tally.count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
