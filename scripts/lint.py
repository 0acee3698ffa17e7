#!/usr/bin/env python3
"""Checks of the sources that a compiler does not make.

    scripts/lint.py                all checks          scripts/lint.py calc links    these
    scripts/lint.py --fix          formats C files, rewrites sealane.map from the public headers

Each check is a function from a Tree to Problems, registered by @check. scripts/lint_selftest.py shows each of them a tree
it must refuse and one it must let pass.
"""
import argparse
import ast
import math
import os
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

import sizes as sizes_table
import spills as spills_table

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Problem(NamedTuple):
    path: str
    line: int
    text: str


class Tree:
    """The files of a working tree by relative path, without what builds leave behind."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.paths = []
        for directory, names, files in os.walk(self.root):
            at_root = pathlib.Path(directory) == self.root
            names[:] = sorted(n for n in names if (not n.startswith(".") or n == ".ci") and n != "__pycache__" and
                              not (at_root and re.fullmatch(r"build(-.*)?", n)))
            files = sorted(f for f in files if f != ".git")  # a file in work trees
            self.paths += [(pathlib.Path(directory) / f).relative_to(self.root).as_posix() for f in files]
        self.cache = {}

    def text(self, path):
        if path not in self.cache:
            self.cache[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self.cache[path]

    def matching(self, *suffixes, under=""):
        return [p for p in self.paths if p.endswith(suffixes) and p.startswith(under)]

    def c_files(self, under=""):
        return self.matching(".c", ".h", under=under)

    def shell_scripts(self):
        plain = [p for p in self.paths if "." not in pathlib.Path(p).name or p.endswith((".sh", ".bash"))]
        return [p for p in plain if re.match(r"#!.*\b(ba|da)?sh\b", self.text(p)[:80])]


CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def blank_c(text, strings=True):
    """C text with comments (and the insides of string and character constants) turned to spaces; lines stay."""
    pattern = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[-1] if strings else found
        return re.sub(r"[^\n]", " ", found)

    return pattern.sub(blank, text)


# ---- formatting ------------------------------------------------------------------------------------------------------

CLANG_FORMAT_MAJOR = "14"  # Debian 12's; other versions space some constructs otherwise


def clang_format():
    """The right clang-format's name, or a Problem."""
    seen = []
    for name in (f"clang-format-{CLANG_FORMAT_MAJOR}", "clang-format"):
        try:
            version = subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        if re.search(rf"version {CLANG_FORMAT_MAJOR}\.", version):
            return name
        seen.append(version.strip())
    return Problem("dev", 1, f"needs clang-format {CLANG_FORMAT_MAJOR}, found {' and '.join(seen) or 'none'}")


@check
def format(tree):
    """clang-format would change nothing"""
    tool, files = clang_format(), tree.c_files()
    if isinstance(tool, Problem):
        return [tool]
    if not files:
        return []
    style = f"--style=file:{ROOT / '.clang-format'}"
    result = subprocess.run([tool, style, "--dry-run", *files], cwd=tree.root, capture_output=True, text=True)
    found = re.findall(r"^(.+?):(\d+):\d+: warning: code should be clang-formatted", result.stderr, re.M)
    problems = {Problem(path, int(line), "clang-format differs (./dev fmt)") for path, line in found}
    if result.returncode != 0:
        problems.add(Problem("dev", 1, f"clang-format failed: {result.stderr.strip()[:200]}"))
    return sorted(problems)


# ---- includes point one way ------------------------------------------------------------------------------------------

STANDARD = {f"{name}.h" for name in "assert errno inttypes limits stdarg stdbool stddef stdint stdio string".split()}
PUBLIC_SYSTEM = STANDARD | {"sys/types.h", "sys/uio.h"}
ISA_DIRECTORIES = {"x86_64", "aarch64"}

# For each layer the layers its quoted includes may reach, besides its own. Public headers are open to all.
REACH = {
    "include": set(),
    "engine/x86_64": {"engine", "engine/ipsec_mb", "engine/portable"},
    "engine/ipsec_mb": {"engine"},
    "engine/aarch64": {"engine", "engine/portable"},
    "engine/portable": {"engine"},
    "engine": {"engine/portable"},
    "handshake": {"engine"},
    "provider": {"engine", "handshake"},
    "apps": set(),
    "bench": {"bench/hooks"},
    "bench/hooks": {"engine"},  # what the public headers do not show: a kernel without the API round it
    "examples": set(),
    "tests": {"engine", "engine/portable", "engine/x86_64", "engine/aarch64", "handshake", "provider", "apps", "bench"},
}


def layer_of(path):
    parts = path.split("/")
    if len(parts) > 2 and (parts[0] == "engine" or parts[:2] == ["bench", "hooks"]):
        return "/".join(parts[:2])
    return parts[0]


@check
def includes(tree):
    """apps, provider, bench, tests -> handshake -> engine -> engine/<arch>; public headers are self-contained"""
    problems, files = [], set(tree.paths)
    for path in tree.c_files():
        layer = layer_of(path)
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(<([^>]+)>|"([^"]+)")', blank_c(tree.text(path), False), re.M):
            where, system, quoted = line_of(tree.text(path), match.start()), match.group(2), match.group(3)
            if system and system.startswith("sealane/"):
                if f"include/{system}" not in files:
                    problems.append(Problem(path, where, f"<{system}> is not a public header"))
            elif system:
                if layer == "include" and system not in PUBLIC_SYSTEM:
                    problems.append(Problem(path, where, f"a public header must not need <{system}>"))
                if layer.startswith("engine") and system.startswith("openssl/"):
                    problems.append(Problem(path, where, "the engine does not use libcrypto"))
            else:
                problems += [Problem(path, where, why) for why in quoted_include(files, path, layer, quoted)]
    return problems


def quoted_include(files, path, layer, quoted):
    """Why `path` may not include "quoted": none or one sentence."""
    if layer == "include":
        return ["a public header includes only <sealane/...>"]
    if layer not in REACH:
        return [f"no rule for the directory {layer} (scripts/lint.py, REACH)"]
    beside = os.path.normpath(os.path.join(os.path.dirname(path), quoted))
    top = layer.split("/")[0]
    candidates = [beside, f"{top}/{quoted}", f"engine/{quoted}", quoted]
    target = next((candidate for candidate in candidates if candidate in files), None)
    if target is None:
        return [f'"{quoted}" is not in this tree (a library\'s header is included with <>)']
    if target.startswith("include/"):
        return [f"public headers are included as <{target.removeprefix('include/')}>"]
    reached = layer_of(target)
    if reached != layer and reached not in REACH[layer]:
        return [f"{layer} must not include {reached} ({target})"]
    return []


# ---- names the shared library exports --------------------------------------------------------------------------------

MAP_PATH = "sealane.map"
MAP_NODE = "SEALANE_0"


def declared_api(tree):
    """Functions the public headers mark with SL_API."""
    names = set()
    for path in tree.c_files(under="include/"):
        for match in re.finditer(r"^SL_API\b([^;{]*);", blank_c(tree.text(path)), re.M):
            names |= set(re.findall(r"\b(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", match.group(1)))[:1])
    return names


def map_text(names):
    lines = "".join(f"    {name};\n" for name in sorted(names))
    return ("# sealane.map - what libsealane.so exports: the functions that include/sealane/*.h mark with SL_API.\n"
            f"# Written by ./dev fmt, compared with headers and library by ./dev lint.\n{MAP_NODE} {{\n  global:\n"
            f"{lines}  local:\n    *;\n}};\n")


@check
def exports(tree):
    """libsealane.so exports what the public headers declare and sealane.map lists: sl_* and nothing else"""
    declared, problems = declared_api(tree), []
    problems += [Problem("include/sealane", 1, f"public name {n} does not begin with sl_")
                 for n in sorted(declared) if not n.startswith("sl_")]
    if MAP_PATH not in tree.paths or tree.text(MAP_PATH) != map_text(declared):
        problems.append(Problem(MAP_PATH, 1, "does not list the SL_API functions of include/sealane (./dev fmt)"))
    library = tree.root / "build" / "libsealane.so"
    if not library.exists():
        return problems + [Problem("build/libsealane.so", 1, "is not built (./dev build)")]
    shown = subprocess.run(["nm", "-D", library], capture_output=True, text=True, check=True).stdout
    exported, wanted = set(), set()
    for line in shown.splitlines():
        kind, name = line.split()[-2:]
        (wanted if kind in "Uw" else exported).add(name)
    here = "build/libsealane.so"
    versioned = {n.partition("@")[0] for n in exported} - {MAP_NODE}
    problems += [Problem(here, 1, f"exports {n}, which no public header declares") for n in sorted(versioned - declared)]
    problems += [Problem(here, 1, f"lacks {n}, which a public header declares") for n in sorted(declared - versioned)]
    problems += [Problem(here, 1, f"exports {n} without the version {MAP_NODE}")
                 for n in sorted(exported - {MAP_NODE}) if not n.endswith(f"@@{MAP_NODE}")]
    problems += [Problem(here, 1, f"uses {n}, which nothing defines") for n in sorted(wanted) if n.startswith("sl_")]
    return problems


# ---- constants that state their formula ------------------------------------------------------------------------------

CALC = re.compile(r"/\*\s*calc:(.*?)\*/", re.S)
CONSTANT = re.compile(r"(?:^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+|\b(\w+)[ \t]*=[ \t]*)([^=;\n]*?)[ \t]*[,;]?[ \t]*$")
DEFINITION = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(\S.*)$", re.M)
ENUM_VALUE = re.compile(r"^[ \t]*(?:enum \{ *)?(\w+)[ \t]*=[ \t]*([^,;=\n]+?)[ \t]*(?:,|\}|$)", re.M)
TABLE = re.compile(r"[^;{}]*=\s*\{([^{}]*)\}", re.S)
EACH = re.compile(r"(.+) for (\w+) in (primes|range)\((\d{1,4})\)")
EXPONENT_MAX = 4096
OPERATORS = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b, ast.Mod: lambda a, b: a % b, ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b, ast.BitXor: lambda a, b: a ^ b,
}


class Formula(Exception):
    pass


def root(degree, number):
    """The integer part of a root, exactly."""
    low, high = 0, 1 << number.bit_length() // degree + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= number else (low, middle)
    return low


def primes(n):
    found, candidate = [], 2
    while len(found) < n:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


FUNCTIONS = {"floor": math.floor, "ceil": math.ceil, "log2": math.log2, "sqrt": math.sqrt, "root": root,
             "min": min, "max": max}
SEQUENCES = {"primes": primes, "range": range}


def evaluate(text, names, c_division, depth=0):
    """Value of an arithmetic expression over `names` (constant -> C text); nothing else can be said in it."""
    if depth > 20:
        raise Formula("constants refer to each other in a circle")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise Formula(f"cannot read '{text.strip()}'") from error

    def value(node):
        if isinstance(node, ast.Expression):
            return value(node.body)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return node.value
        if isinstance(node, ast.Name):
            if node.id not in names:
                raise Formula(f"'{node.id}' is no constant of this tree")
            return evaluate(c_to_python(names[node.id]), names, True, depth + 1)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd, ast.Invert)):
            inner = value(node.operand)
            return -inner if isinstance(node.op, ast.USub) else inner if isinstance(node.op, ast.UAdd) else ~inner
        if isinstance(node, ast.BinOp):
            left, right = value(node.left), value(node.right)
            if isinstance(node.op, ast.Div):
                return left // right if c_division else left / right
            if isinstance(node.op, (ast.Pow, ast.LShift, ast.RShift)):
                if abs(right) > EXPONENT_MAX or abs(left) > 2**64:
                    raise Formula("exponent or shift out of bounds")
                if isinstance(node.op, ast.Pow):
                    return left**right
                return left << right if isinstance(node.op, ast.LShift) else left >> right
            if type(node.op) in OPERATORS:
                return OPERATORS[type(node.op)](left, right)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            if not node.keywords:
                return FUNCTIONS[node.func.id](*map(value, node.args))
        raise Formula(f"'{ast.unparse(node)}' is not arithmetic that lint knows")

    try:
        return value(tree)
    except (TypeError, ZeroDivisionError, OverflowError, ValueError) as error:
        raise Formula(str(error)) from error


def c_to_python(text):
    text = re.sub(r"\bU?INT(?:8|16|32|64)_C\(([^()]*)\)", r"(\1)", text)
    text = re.sub(r"\((?:size_t|u?int(?:8|16|32|64)_t|unsigned|int)\)", "", text)
    text = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)(?:[uU]?[lL]{0,2}|[lL]{1,2}[uU])\b", r"\1", text)
    return re.sub(r"\b0+(\d+)\b", lambda m: str(int(m.group(1), 8)) if "8" not in m.group(1) else m.group(0), text)


def check_table(each, numbers, names):
    """Compares "FORMULA for NAME in primes(N)" with the numbers of a table."""
    formula, name, sequence, count = each.groups()
    stated = [evaluate(c_to_python(number), names, c_division=True) for number in numbers.split(",") if number.strip()]
    wanted = [evaluate(formula, {**names, name: str(value)}, False) for value in SEQUENCES[sequence](int(count))]
    if len(stated) != len(wanted):
        raise Formula(f"the table has {len(stated)} numbers, its formula gives {len(wanted)}")
    for i, (a, b) in enumerate(zip(stated, wanted)):
        if a != b:
            raise Formula(f"number {i} of the table is {a}, its formula gives {b}")


@check
def calc(tree):
    """every `calc:` formula stands beside a constant, or above a table, and gives its value"""
    names, problems = {}, []
    for path in tree.c_files():
        code = blank_c(tree.text(path))
        for match in [*DEFINITION.finditer(code), *ENUM_VALUE.finditer(code)]:
            names.setdefault(match.group(1), match.group(2).strip())
    for path in tree.c_files():
        text = tree.text(path)
        formulas = list(CALC.finditer(text))
        marks = len(re.findall(r"\bcalc:", text))
        if marks != len(formulas):
            problems.append(Problem(path, 1, f"{marks - len(formulas)} `calc:` not in the form /* calc: formula  source */"))
        for match in formulas:
            where = line_of(text, match.start())
            before = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
            constant, table = CONSTANT.search(before), TABLE.match(blank_c(text[match.end():]))
            formula = re.split(r"\s{2,}|\n", match.group(1).strip())[0]
            local = {**names, **{m.group(1): m.group(2).strip() for m in DEFINITION.finditer(blank_c(text))}}
            each = EACH.fullmatch(formula)
            try:
                if each and table:
                    check_table(each, table.group(1), local)
                elif constant and not each:
                    wanted = evaluate(formula, local, c_division=False)
                    stated = evaluate(c_to_python(constant.group(3)), local, c_division=True)
                    if wanted != stated:
                        raise Formula(f"{constant.group(1) or constant.group(2)} is {stated}, its formula gives {wanted}")
                else:
                    raise Formula("stands beside no constant, or above no table")
            except Formula as error:
                problems.append(Problem(path, where, f"calc: {error}"))
    return problems


# ---- C habits --------------------------------------------------------------------------------------------------------


@check
def conditionals(tree):
    """no #if inside a function of engine/ or handshake/ (directories choose the ISA, enum constants tune)"""
    problems = []
    for path in [*tree.c_files(under="engine/"), *tree.c_files(under="handshake/")]:
        text = blank_c(tree.text(path))
        depth, function, previous, offset, branches = 0, None, "", 0, []
        for line in text.split("\n"):
            where = line_of(text, offset)
            offset += len(line) + 1
            directive = re.match(r"[ \t]*#[ \t]*(\w+)", line)
            if directive:
                word = directive.group(1)
                if word.startswith("if"):
                    if function is not None:
                        problems.append(Problem(path, where, f"#{word} inside a function that begins in line {function}"))
                    branches.append((depth, function))
                elif word.startswith("el") and branches:
                    depth, function = branches[-1]  # each branch starts from the same braces
                elif word == "endif" and branches:
                    branches.pop()
            if directive or continued(text, offset, line):
                continue
            for character in line:
                if character == "{":
                    opens_function = previous == ")" and function is None
                    depth += 1
                    if opens_function:
                        function, function_depth = where, depth
                elif character == "}":
                    if function is not None and depth == function_depth:
                        function = None
                    depth -= 1
                if not character.isspace():
                    previous = character
    return problems


def continued(text, offset, line):
    """Whether `line`, which ends before offset, belongs to a macro begun on an earlier line."""
    start = offset - 1 - len(line)
    above = text[:start].split("\n")[:-1]
    for earlier in reversed(above):
        if not earlier.rstrip().endswith("\\"):
            return False
        if re.match(r"[ \t]*#", earlier):
            return True
    return False


@check
def first_comment(tree):
    """a C file begins with /* its-name - what it is, why, source */"""
    problems = []
    for path in tree.c_files():
        begin = re.match(r"/\* (\S+) - \S", tree.text(path))
        if not begin or not ("/" + path).endswith("/" + begin.group(1)):
            problems.append(Problem(path, 1, f"does not begin with '/* {pathlib.Path(path).name} - what it is'"))
    return problems


def of_objects(tree, check_name, table):
    """What scripts/spills.py or sizes.py finds in the kernels of build/."""
    if table.TABLE_PATH not in tree.paths:
        return []
    objects = sorted((tree.root / spills_table.OBJECTS).glob("*.o"))
    found, skipped = table.problems(tree.text(table.TABLE_PATH), objects)
    if skipped:
        print(f"n/a  {check_name}: {skipped}")
    return [Problem(table.TABLE_PATH, line, text) for line, text in found]


@check
def spills(tree):
    """hot loops of kernels keep their vectors in registers, but for what scripts/spills.txt allows"""
    return of_objects(tree, "spills", spills_table)


@check
def sizes(tree):
    """kernels take no more bytes than scripts/sizes.txt allows"""
    return of_objects(tree, "sizes", sizes_table)


# ---- scripts, words, documents ---------------------------------------------------------------------------------------


@check
def shell(tree):
    """shellcheck finds nothing"""
    scripts = tree.shell_scripts()
    if not scripts:
        return []
    try:
        result = subprocess.run(["shellcheck", "-x", "-f", "gcc", *scripts], cwd=tree.root, capture_output=True, text=True)
    except OSError:
        return [Problem("dev", 1, "needs shellcheck")]
    problems = [Problem(m.group(1), int(m.group(2)), m.group(3))
                for m in re.finditer(r"^(.+?):(\d+):\d+: (.*)$", result.stdout, re.M)]
    if result.returncode not in (0, 1):
        problems.append(Problem("dev", 1, f"shellcheck failed: {result.stderr.strip()[:200]}"))
    return problems


WORDS = [
    (r"(?<![\w.])/(?:home|root|Users|work|mnt|media)/\w", "a path of one machine"),
    (r"\b(?:FIXME|XXX|HACK)\b", "unfinished work belongs in an issue"),
    (r"\bTODO\b(?!\([^)\s][^)]*\): \S)", "TODO without a reason: TODO(why it waits): what"),
    (r"^(?:<{7}|>{7}|={7})(?: |$)", "a merge was left half done"),
    (r"[ \t]+$", "blanks at the end of the line"),
]
WORDS_EXEMPT = ("scripts/lint.py", "scripts/lint_selftest.py", "LICENSE")
PRIVATE_WORDS = ".lint-words"  # not in git: one regular expression a line, names that must not be published


@check
def words(tree):
    """no machine's paths, no unfinished work without a reason, no private names"""
    rules, problems = list(WORDS), []
    private = tree.root / PRIVATE_WORDS
    if private.exists():
        rules += [(line, "a private name") for line in private.read_text().splitlines() if line.strip()]
    rules = [(re.compile(rule, re.M), why) for rule, why in rules]
    for path in tree.paths:
        if path in WORDS_EXEMPT or path == PRIVATE_WORDS or not is_text(tree.root / path):
            continue
        text = tree.text(path)
        problems += [Problem(path, line_of(text, m.start()), why) for rule, why in rules for m in rule.finditer(text)]
    return problems


def is_text(path):
    with open(path, "rb") as file:
        return b"\0" not in file.read(8192)


@check
def licence(tree):
    """LICENSE is Apache-2.0 in full, and each file of vectors/ names its source and licence"""
    problems = []
    text = tree.text("LICENSE") if "LICENSE" in tree.paths else ""
    if "Apache License" not in text or "END OF TERMS AND CONDITIONS" not in text:
        problems.append(Problem("LICENSE", 1, "is not the full text of the Apache License 2.0"))
    for path in tree.paths:
        if not path.startswith("vectors/") or path.endswith((".md", ".py", ".sh")):
            continue
        head = tree.text(path)[:2000]
        for word in ("source", "licence"):
            if not re.search(rf"{word}:\s*\S", head, re.I):
                problems.append(Problem(path, 1, f"does not name its {word} ('{word}: ...' in a comment at the top)"))
    return problems


LINK = re.compile(r"!?\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")


def anchors(text):
    """The anchors of a document's headings, by the rule of the common hosting sites."""
    found = set()
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", text, re.M):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(slug)
    return found


def prose(text):
    """A document without its code: blanked, so that lines stay."""
    return re.sub(r"^```.*?^```|`[^`\n]*`", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S | re.M)


@check
def links(tree):
    """links between documents lead somewhere"""
    problems = []
    for path in tree.matching(".md"):
        text = prose(tree.text(path))
        for match in LINK.finditer(text):
            target, _, anchor = match.group(1).partition("#")
            if re.match(r"[a-z][a-z+.-]*:", target):
                continue
            where = line_of(text, match.start())
            resolved = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
            if resolved.startswith("..") or not (tree.root / resolved).exists():
                problems.append(Problem(path, where, f"link to {target}, which does not exist"))
            elif anchor and resolved.endswith(".md") and anchor not in anchors(tree.text(resolved)):
                problems.append(Problem(path, where, f"link to #{anchor}, which {resolved} does not have"))
    return problems


# ---- the program -----------------------------------------------------------------------------------------------------


def fix(tree):
    tool = clang_format()
    if isinstance(tool, Problem):
        sys.exit(f"lint: {tool.text}")
    files = tree.c_files()
    if files:
        subprocess.run([tool, "-i", *files], cwd=tree.root, check=True)
    (tree.root / MAP_PATH).write_text(map_text(declared_api(tree)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fix", action="store_true", help="repair what can be repaired without thought")
    parser.add_argument("--selftest", action="store_true", help="test the checks themselves (TAP)")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    arguments = parser.parse_args()
    unknown = set(arguments.checks) - set(CHECKS)
    if unknown:
        parser.error(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
    if arguments.selftest:
        import lint_selftest
        return lint_selftest.main()
    tree = Tree(ROOT)
    if arguments.fix:
        fix(tree)
        return 0
    total = 0
    for name in arguments.checks or CHECKS:
        problems = CHECKS[name](tree)
        total += len(problems)
        print(f"{'ok  ' if not problems else 'FAIL'} {name:13} {CHECKS[name].__doc__}", flush=True)
        for problem in problems:
            print(f"     {problem.path}:{problem.line}: {problem.text}")
    print(f"lint: {total} problem{'s' * (total != 1)}")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
