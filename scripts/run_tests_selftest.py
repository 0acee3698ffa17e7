#!/usr/bin/env python3
"""Tests of run_tests.py: what it makes of the ways a test program can end. TAP."""
import sys

from run_tests import clean_xml, forced_sets, program_cases

CMOCKA_GOOD = """[==========] Running 3 test(s).
[ RUN      ] first
chatter without an end of line[       OK ] first
[ RUN      ] second
n/a: this CPU has no such unit
[  SKIPPED ] second
[ RUN      ] third
[       OK ] third
[==========] 3 test(s) run.
[  PASSED  ] 2 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] second
"""
CMOCKA_BAD = """[==========] Running 3 test(s).
[ RUN      ] first
[  ERROR   ] --- 0x1 != 0x2
[   LINE   ] --- a.c:9: error: Failure!
[  FAILED  ] first
[ RUN      ] second
Could not run test: Test setup failed
[  ERROR   ] second
[ RUN      ] third
[       OK ] third
[==========] 3 test(s) run.
[  PASSED  ] 1 test(s).
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] first
"""
CMOCKA_DEAD = "[==========] Running 4 test(s).\n[ RUN      ] first\n[       OK ] first\n[ RUN      ] second\n"
CMOCKA_NO_SETUP = "[==========] Running 2 test(s).\n[  FAILED  ] GROUP SETUP\n[  ERROR   ] all\n"

# (what, ctest's status, output, (passed, failed, skipped))
PROGRAMS = [
    ("cmocka, all well", "run", CMOCKA_GOOD, (2, 0, 1)),
    ("cmocka, two groups", "run", CMOCKA_GOOD * 2, (4, 0, 2)),
    ("cmocka, a failure and a failed set-up", "fail", CMOCKA_BAD, (1, 2, 0)),
    ("cmocka, dead in the second of four cases", "fail", CMOCKA_DEAD, (1, 3, 0)),
    ("cmocka, dead and yet status 0", "run", CMOCKA_DEAD, (1, 4, 0)),
    ("cmocka, no group set-up", "fail", CMOCKA_NO_SETUP, (0, 2, 0)),
    ("cmocka, all well but a bad end", "fail", CMOCKA_GOOD, (2, 1, 1)),
    ("cmocka, failures hidden by status 0", "run", CMOCKA_BAD, (1, 3, 0)),
    ("cmocka, an empty list", "run", "[==========] Running 0 test(s).\n[==========] 0 test(s) run.\n", (0, 2, 0)),
    ("TAP, all well", "run", "1..3\nok 1 - a\nok 2 - b # SKIP no browser\nok - c\n", (2, 0, 1)),
    ("TAP, a failure", "fail", "1..2\nok 1 - a\nnot ok 2 - b\n", (1, 1, 0)),
    ("TAP, stopped half way", "fail", "1..5\nok 1 - a\n", (1, 4, 0)),
    ("TAP, the plan last", "run", "ok 1\nok 2\n1..2\n", (2, 0, 0)),
    ("unittest, all well", "run", "..s\n---\nRan 3 tests in 0.1s\n\nOK (skipped=1)\n", (2, 0, 1)),
    ("unittest, subtests of one case fail", "fail",
     "FAIL: test_a (m.T)\n---\nRan 2 tests in 0.1s\n\nFAILED (failures=1, errors=0)\n", (1, 1, 0)),
    ("unittest, stopped half way", "fail", "..", (0, 1, 0)),
    ("neither, well", "run", "ok then\n", (1, 0, 0)),
    ("neither, badly", "fail", "", (0, 1, 0)),
    ("not started", "notrun", "Unable to find executable", (0, 1, 0)),
]
LISTED = [{"name": name, "algorithm": algorithm, "available": available} for name, algorithm, available in (
    ("gcm_a", "aes-gcm", True), ("gcm_b", "aes-gcm", False), ("gcm_c", "aes-gcm", True), ("sha_a", "sha256", True))]


def main():
    answers = []
    for what, status, output, wanted in PROGRAMS:
        verdicts = [verdict for _, verdict in program_cases("program", status, output)]
        got = tuple(verdicts.count(verdict) for verdict in ("passed", "failed", "skipped"))
        answers.append((what, got, wanted))
    answers += [
        ("kernels forced together", forced_sets(LISTED, one_by_one=False), ["gcm_a,sha_a", "gcm_c"]),
        ("kernels forced one by one", forced_sets(LISTED, one_by_one=True), ["gcm_a", "gcm_c", "sha_a"]),
        ("control characters in a report", clean_xml(b"<a>\x01\xff\n</a>"), "<a>?\ufffd\n</a>"),
    ]
    print(f"1..{len(answers)}")
    for number, (what, got, wanted) in enumerate(answers, 1):
        print(f"{'' if got == wanted else 'not '}ok {number} - {what}")
        if got != wanted:
            print(f"# {got}, wanted {wanted}")
    return 0 if all(got == wanted for _, got, wanted in answers) else 1


if __name__ == "__main__":
    sys.exit(main())
