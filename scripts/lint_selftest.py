#!/usr/bin/env python3
"""Tests of the checks in lint.py: each gets trees it must refuse, naming the fault, and trees it must let pass. TAP."""
import pathlib
import platform
import subprocess
import sys
import tempfile

import lint

GOOD_MAP = lint.map_text({"sl_good"})
GOOD_HEADER = "SL_API int sl_good(void);\n"


def library(source, version_script=None):
    """Builds build/libsealane.so of a fixture from one C text."""

    def build(root):
        (root / "build").mkdir()
        (root / "build" / "x.c").write_text(source)
        script = ["-Wl,--version-script=" + str(root / version_script)] if version_script else []
        subprocess.run(["cc", "-shared", "-fPIC", "-w", *script, "-o", "build/libsealane.so", "build/x.c"], cwd=root, check=True)

    return build


LOOP = """\
.globl sealing; .type sealing, @function
sealing:
  mov $9, %%ecx
1: aesenc %%xmm1, %%xmm0
  %s
  dec %%ecx
  jnz 1b
  movaps %%xmm0, -16(%%rsp)
  ret
"""


def kernel(inside):
    """Builds the object of a kernel gcm_x whose function sealing() has one hot loop with these instructions in it."""

    def build(root):
        directory = root / lint.spills_table.OBJECTS
        directory.mkdir(parents=True)
        (directory / "x.s").write_text(LOOP % inside)
        subprocess.run(["as", "-o", "gcm_x.c.o", "x.s"], cwd=directory, check=True)

    return build


# Where the assembler does not know these instructions, only what is said of the table itself is tested.
SPILL_CASES = [] if platform.machine() != "x86_64" else [
    ("spills", "a loop in registers, with stores to the stack behind it and by general registers",
     {"scripts/spills.txt": "compiler any\n"}, None, kernel("movq %rcx, 8(%rsp)\nmovaps (%rdi), %xmm2\nmovaps 8(%rsp,%rcx), %xmm3")),
    ("spills", "a vector that is stored", {"scripts/spills.txt": "compiler any\n"},
     "loads 0 and stores 1 vectors on the stack, allowed are 0 and 0", kernel("movaps %xmm0, 0x20(%rsp)")),
    ("spills", "a vector that is loaded by arithmetic", {"scripts/spills.txt": "compiler any\n"},
     "gcm_x sealing 1 0 WHY", kernel("pxor 0x20(%rsp), %xmm0")),
    ("spills", "as many as are allowed", {"scripts/spills.txt": "# a table\ngcm_x sealing 1 1 because\n"}, None,
     kernel("pxor (%rsp), %xmm0\nmovups %xmm0, (%rsp)")),
    ("spills", "one more than is allowed", {"scripts/spills.txt": "\ngcm_x sealing 1 1 because\n"}, "scripts/spills.txt:2: gcm_x: a hot loop of sealing",
     kernel("pxor (%rsp), %xmm0\npxor 16(%rsp), %xmm0\nmovups %xmm0, (%rsp)")),
    ("spills", "a base pointer that is any other register", {"scripts/spills.txt": ""}, None, kernel("movaps (%rbp), %xmm2")),
    ("spills", "an allowance without a reason", {"scripts/spills.txt": "gcm_x sealing 1 1 WHY\n"}, "gcm_x sealing: say why",
     kernel("pxor (%rsp), %xmm0\nmovups %xmm0, (%rsp)")),
    ("sizes", "a kernel that fits", {"scripts/sizes.txt": "# a table\ngcm_x 400\n"}, None, kernel("movaps (%rdi), %xmm2")),
    ("sizes", "a kernel that does not", {"scripts/sizes.txt": "\ngcm_x 10\n"}, "scripts/sizes.txt:2: gcm_x takes", kernel("movaps (%rdi), %xmm2")),
    ("sizes", "a kernel that has no line", {"scripts/sizes.txt": "compiler any\n"}, "gcm_x takes", kernel("movaps (%rdi), %xmm2")),
    ("sizes", "a line without a kernel", {"scripts/sizes.txt": "gcm_x 400\ngcm_y 400\n"}, "scripts/sizes.txt:2: there is no gcm_y",
     kernel("movaps (%rdi), %xmm2")),
    ("spills", "an allowance for a loop that is gone", {"scripts/spills.txt": "gcm_x opening 1 1 because\n"},
     "no hot loop in a function opening: delete", kernel("nop")),
]

LICENSE = (lint.ROOT / "LICENSE").read_text()

# (check, what the fixture shows, files, what a problem must say or None when there must be none, extra preparation)
CASES = [
    ("format", "well-spaced code", {"engine/a.c": "int a;\n"}, None),
    ("format", "a missing blank", {"engine/a.c": "int a=1;\n"}, "engine/a.c:1: clang-format differs"),
    ("includes", "every allowed direction",
     {"include/sealane/a.h": "#include <sealane/b.h>\n#include <stdint.h>\n", "include/sealane/b.h": "",
      "engine/kernel.h": "#include <sealane/a.h>\n", "engine/select.c": '#include "kernel.h"\n',
      "engine/portable/p.c": '#include "kernel.h"\n', "engine/x86_64/x.c": '#include "kernel.h"\n#include <immintrin.h>\n',
      "handshake/h.c": '#include "kernel.h"\n#include <openssl/x509.h>\n', "apps/serve/s.c": '#include "s.h"\n#include <liburing.h>\n',
      "apps/serve/s.h": "", "bench/b.c": '#include <sealane/a.h>\n#include "hooks/k.h"\n',
      "bench/hooks/k.h": "", "bench/hooks/k.c": '#include "k.h"\n#include "kernel.h"\n', "tests/t.c": '#include "handshake/h.h"\n#include "kernel.h"\n',
      "handshake/h.h": "", "provider/v.c": '#include "kernel.h"\n'}, None),
    ("includes", "engine reaching up", {"engine/a.c": '#include "handshake/h.h"\n', "handshake/h.h": ""},
     "engine/a.c:1: engine must not include handshake"),
    ("includes", "engine reaching up by a crooked path",
     {"engine/a.c": 'int x;\n#  include "../handshake/h.h"\n', "handshake/h.h": ""}, "engine/a.c:2: engine must not include handshake"),
    ("includes", "engine naming an instruction set", {"engine/a.c": '#include "x86_64/v.h"\n', "engine/x86_64/v.h": ""},
     "engine must not include engine/x86_64"),
    ("includes", "one instruction set using another",
     {"engine/aarch64/a.c": '#include "x86_64/v.h"\n', "engine/x86_64/v.h": ""}, "engine/aarch64 must not include engine/x86_64"),
    ("includes", "an app using the engine's inside", {"apps/a.c": '#include "engine/kernel.h"\n', "engine/kernel.h": ""},
     "apps must not include engine"),
    ("includes", "the bench using the handshake's inside", {"bench/a.c": '#include "handshake/h.h"\n', "handshake/h.h": ""},
     "bench must not include handshake"),
    ("includes", "the bench using the engine's inside past its hooks", {"bench/a.c": '#include "kernel.h"\n', "engine/kernel.h": ""},
     "bench must not include engine"),
    ("includes", "a public header with quotes", {"include/sealane/a.h": '#include "b.h"\n', "include/sealane/b.h": ""},
     "a public header includes only <sealane/...>"),
    ("includes", "a public header that needs a library", {"include/sealane/a.h": "#include <openssl/evp.h>\n"},
     "must not need <openssl/evp.h>"),
    ("includes", "a public header that is not there", {"apps/a.c": "#include <sealane/nothing.h>\n"}, "not a public header"),
    ("includes", "a header nobody has", {"engine/a.c": '#include "nothing.h"\n'}, "is not in this tree"),
    ("includes", "libcrypto in the engine", {"engine/a.c": "#include <openssl/evp.h>\n"}, "does not use libcrypto"),
    ("includes", "an include that is only a comment", {"engine/a.c": '/*\n#include "handshake/h.h"\n*/\n', "handshake/h.h": ""}, None),
    ("exports", "header, map and library that agree", {"include/sealane/a.h": GOOD_HEADER, "sealane.map": GOOD_MAP}, None,
     library("int sl_good(void){return 0;} int hidden(void){return 1;}", "sealane.map")),
    ("exports", "no library", {"include/sealane/a.h": GOOD_HEADER, "sealane.map": GOOD_MAP}, "is not built"),
    ("exports", "a map that is out of date",
     {"include/sealane/a.h": GOOD_HEADER + "SL_API SL_MUST_USE int\nsl_more(void);\n", "sealane.map": GOOD_MAP},
     "sealane.map:1: does not list", library("int sl_good(void){return 0;}", "sealane.map")),
    ("exports", "a stray name", {"include/sealane/a.h": GOOD_HEADER, "sealane.map": GOOD_MAP}, "exports helper,",
     library("int sl_good(void){return 0;} int helper(void){return 1;}")),
    ("exports", "a name without its version", {"include/sealane/a.h": GOOD_HEADER, "sealane.map": GOOD_MAP},
     "exports sl_good without the version", library("int sl_good(void){return 0;}")),
    ("exports", "a declared function that is not there", {"include/sealane/a.h": GOOD_HEADER, "sealane.map": GOOD_MAP},
     "lacks sl_good", library("int other;", "sealane.map")),
    ("exports", "a function used but never defined", {"include/sealane/a.h": GOOD_HEADER, "sealane.map": GOOD_MAP},
     "uses sl_gone, which nothing defines", library("int sl_gone(void); int sl_good(void){return sl_gone();}", "sealane.map")),
    ("exports", "a public name of another family", {"include/sealane/a.h": "SL_API int lane_x(void);\n"}, "does not begin with sl_"),
    ("calc", "formulas that hold",
     {"engine/a.h": "#define A 23726566u /* calc: floor(2**24.5)  RFC 8446 5.5 */\n"
                    "#define B (A + 0x10ull) /* calc: A + 16 */\nenum { C = 1u << 14, /* calc: 2**14  bytes */ };\n"
                    "static const uint64_t d = UINT64_C(68719476704); /* calc: (2**32 - 2) * 16 */\n"}, None),
    ("calc", "a value that drifted", {"engine/a.h": "\n#define A 23726567u /* calc: floor(2**24.5)  RFC 8446 5.5 */\n"},
     "engine/a.h:2: calc: A is 23726567, its formula gives 23726566"),
    ("calc", "a formula of words", {"engine/a.h": "#define A 5 /* calc: about five */\n"}, "cannot read"),
    ("calc", "a formula that calls out", {"engine/a.h": "#define A 5 /* calc: __import__('os').getpid() */\n"}, "not arithmetic"),
    ("calc", "a formula that never ends", {"engine/a.h": "#define A 5 /* calc: 9**9**9 */\n"}, "out of bounds"),
    ("calc", "constants in a circle", {"engine/a.h": "#define A B\n#define B A\n#define C 1 /* calc: A */\n"}, "in a circle"),
    ("calc", "an unknown name", {"engine/a.h": "#define A 5 /* calc: ROUNDS / 2 */\n"}, "no constant of this tree"),
    ("calc", "a fraction", {"engine/a.h": "#define A 2 /* calc: 5 / 2 */\n"}, "its formula gives 2.5"),
    ("calc", "a formula beside nothing", {"engine/a.h": "int f(void); /* calc: 1 + 1 */\n"}, "beside no constant"),
    ("calc", "a table that holds",
     {"engine/a.c": "/* calc: root(3, p << 96) % 2**32 for p in primes(3)  FIPS 180-4 */\n"
                    "_Alignas(64) const uint32_t k[3] = {\n    0x428a2f98, 0x71374491, /* p = 5: */ 0xb5c0fbcf,\n};\n"}, None),
    ("calc", "a table with one wrong number",
     {"engine/a.c": "/* calc: i * i for i in range(4)  squares */\nstatic const int t[] = {0, 1, 5, 9};\n"}, "number 2 of the table is 5"),
    ("calc", "a table that is too short",
     {"engine/a.c": "/* calc: i * i for i in range(4)  squares */\nstatic const int t[] = {0, 1, 4};\n"}, "has 3 numbers"),
    ("calc", "a table's formula above none", {"engine/a.c": "/* calc: i for i in range(4) */\nint f(void);\n"}, "above no table"),
    ("calc", "a formula out of form", {"engine/a.h": "#define A 2 // calc: 1 + 1\n"}, "not in the form"),
    ("conditionals", "#if where it belongs",
     {"engine/a.c": '#if defined(X)\nint f(int a) {\n  return a; /* } */\n}\n#else\nint f(int a) {\n  return a + \'}\';\n}\n#endif\n'
                    'static const int t[] = {\n#ifdef X\n    1,\n#endif\n};\n#define M(x) \\\n  do { \\\n  } while (0)\n'
                    'extern "C" {\n#ifdef Y\nint g(void);\n#endif\n}\n'}, None),
    ("conditionals", "#if in a body", {"engine/a.c": "int f(int a)\n{\n  a++;\n#if X\n  a++;\n#endif\n  return a;\n}\n"},
     "engine/a.c:4: #if inside a function that begins in line 2"),
    ("conditionals", "#ifdef in an inner block after a conditional function",
     {"handshake/a.c": "#if X\nint f(int a) {\n#else\nint f(long a) {\n#endif\n  return 0;\n}\nint g(void) {\n  {\n  # ifdef Y\n  # endif\n  }\n}\n"},
     "handshake/a.c:10: #ifdef inside a function that begins in line 8"),
    ("conditionals", "#if in a test, which is free to", {"tests/a.c": "int f(void) {\n#if X\n#endif\n}\n"}, None),
    ("first_comment", "a first line that says what", {"engine/x86_64/a.c": "/* x86_64/a.c - the thing. */\n", "engine/b.h": "/* b.h - it. */"}, None),
    ("first_comment", "the name of another file", {"engine/a.c": "/* b.c - the thing. */\n"}, "does not begin with '/* a.c"),
    ("first_comment", "no comment", {"engine/a.c": "int a;\n"}, "does not begin with"),
    ("shell", "a sound script", {"run": '#!/bin/sh\nprintf "%s\\n" "$1"\n'}, None),
    ("shell", "an unquoted variable", {"tools/run.sh": "#!/bin/bash\nrm $1\n"}, "tools/run.sh:2:"),
    ("shell", "a script known by its first line alone", {"run": "#!/usr/bin/env bash\nrm $1\n"}, "run:2:"),
    ("words", "a TODO with its reason", {"a.c": "/* TODO(needs liburing 2.5): bundles */\n"}, None),
    ("words", "a TODO without", {"a.c": "/* TODO: later */\n"}, "a.c:1: TODO without a reason"),
    ("words", "a mark of unfinished work", {"a.md": "ok\nFIXME\n"}, "a.md:2: unfinished work"),
    ("words", "somebody's home", {"a.md": "see /home/jo/notes\n"}, "a path of one machine"),
    ("words", "a URL that only looks like one", {"a.md": "https://example.org/home/x\n"}, None),
    ("words", "half a merge", {"a.c": "<<<<<<< HEAD\n"}, "half done"),
    ("words", "a private name", {".lint-words": "(?i)project blue\n", "a.md": "as Project Blue says\n"}, "a.md:1: a private name"),
    ("spills", "a table that cannot be read", {"scripts/spills.txt": "compiler any\ngcm_x sealing few\n"}, "scripts/spills.txt:2: cannot read"),
    ("sizes", "a table that cannot be read", {"scripts/sizes.txt": "compiler any\ngcm_x few\n"}, "scripts/sizes.txt:2: cannot read"),
    *SPILL_CASES,
    ("licence", "all in place", {"LICENSE": LICENSE, "vectors/a.txt": "# source: NIST CAVS\n# licence: public domain\n"}, None),
    ("licence", "no licence", {"a.c": ""}, "not the full text"),
    ("licence", "half a licence", {"LICENSE": LICENSE[:3000]}, "not the full text"),
    ("licence", "vectors from nowhere", {"LICENSE": LICENSE, "vectors/a.txt": "# licence: public domain\n00\n"}, "does not name its source"),
    ("links", "links that lead somewhere",
     {"README.md": "# Top Level!\n[a](docs/a.md#the-end) [b](#top-level) [c](https://x.invalid/) `[d](gone)`\n```\n[e](gone)\n```\n",
      "docs/a.md": "## The end\n[up](../README.md)\n"}, None),
    ("links", "a file that is gone", {"README.md": "\n[a](docs/a.md)\n"}, "README.md:2: link to docs/a.md"),
    ("links", "a heading that is gone", {"README.md": "[a](a.md#here)\n", "a.md": "# There\n"}, "link to #here"),
    ("links", "a way out of the tree", {"README.md": "[a](../other/a.md)\n"}, "does not exist"),
]


def fault(check, files, wanted, prepare=None):
    """What is wrong with a check's answer about a fixture; "" when nothing is."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        if prepare:
            prepare(root)
        problems = [f"{p.path}:{p.line}: {p.text}" for p in lint.CHECKS[check](lint.Tree(root))]
    if wanted is None:
        return f"refused: {problems}" if problems else ""
    return "" if any(wanted in problem for problem in problems) else f"did not say '{wanted}' but {problems}"


def main():
    failed, untested = 0, set(lint.CHECKS) - {case[0] for case in CASES if case[3] is not None}
    print(f"1..{len(CASES) + 1}")
    for number, (check, what, *rest) in enumerate(CASES, 1):
        why = fault(check, *rest)
        failed += bool(why)
        print(f"{'not ' * bool(why)}ok {number} - {check}: {what}" + (f"\n# {why}" if why else ""))
    print(f"{'not ' * bool(untested)}ok {len(CASES) + 1} - every check has a tree it refuses {' '.join(sorted(untested))}".rstrip())
    return 1 if failed or untested else 0


if __name__ == "__main__":
    sys.exit(main())
