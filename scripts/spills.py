#!/usr/bin/env python3
"""Finds vector registers that the compiler spilled in the hot loops of the kernels, and compares them with what
scripts/spills.txt allows. `./dev lint spills` does it; alone, it also says which allowance could be lower.

    scripts/spills.py [OBJECT...]        the objects of build/ unless others are named
    scripts/spills.py --update           writes the counts of build/ into the table; what is new there says WHY, for you to
                                         replace: lint refuses the word

A hot loop is one with no loop inside that holds an instruction kernels live on (HOT). A spill is an instruction in it with a
vector register and a place on the stack, found without an index: `(%rsp)`, or `(%rbp)` where that is the frame. Arrays that a
kernel keeps on the stack are read through pointers or with an index, mostly; where not, the table says so.
"""
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

TABLE_PATH = "scripts/spills.txt"
OBJECTS = "build/CMakeFiles/sealane_objects.dir/engine/x86_64"
HOT = re.compile(r"v?aesenc|v?pclmul\w*|vprold|v?pslld|vpmadd52\w*|v?pmuludq")
STACK = re.compile(r"\(%r([sb])p\)")


UNSAID = "WHY"


class Loop(NamedTuple):
    kernel: str
    function: str  # without what the compiler appends to clones
    address: int
    n_instructions: int
    loads: int  # of vectors from the stack, each time round
    stores: int


class Allowance(NamedTuple):
    line: int
    loads: int
    stores: int
    reason: str = ""


def disassembled(path):
    """Function name -> [(address, operation, operands)]."""
    shown = subprocess.run(["objdump", "-d", "-w", "--no-show-raw-insn", path], capture_output=True, text=True, check=True).stdout
    functions, body = {}, []
    for line in shown.splitlines():
        begin = re.match(r"[0-9a-f]+ <(.+)>:$", line)
        if begin:
            body = functions.setdefault(begin.group(1), [])
        instruction = re.match(r"\s+([0-9a-f]+):\s+(\S+)\s*(.*)$", line)
        if instruction:
            body.append((int(instruction.group(1), 16), instruction.group(2), instruction.group(3)))
    return functions


def innermost(body):
    """The loops of a function without a loop inside: first and last address."""
    addresses, ends = {address for address, _, _ in body}, {}
    for address, operation, operands in body:
        target = re.match(r"([0-9a-f]+) <", operands) if operation.startswith("j") else None
        if target and int(target.group(1), 16) <= address and int(target.group(1), 16) in addresses:
            begin = int(target.group(1), 16)
            ends[begin] = max(address, ends.get(begin, 0))
    loops = list(ends.items())
    return [a for a in loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in loops)]


def hot_loops(path):
    found, kernel = [], pathlib.Path(path).name.removesuffix(".o").removesuffix(".c")
    for function, body in disassembled(path).items():
        has_frame = any(operation == "mov" and operands == "%rsp,%rbp" for _, operation, operands in body)
        for begin, end in innermost(body):
            loop = [row for row in body if begin <= row[0] <= end]
            if not any(HOT.fullmatch(operation) for _, operation, _ in loop):
                continue
            loads = stores = 0
            for _, _, operands in loop:
                place = STACK.search(operands)
                if not place or not re.search(r"%[xyz]mm", operands) or (place.group(1) == "b" and not has_frame):
                    continue
                is_store = operands[place.end():].split("{")[0] == ""  # the last operand is the one written
                stores, loads = stores + is_store, loads + (not is_store)
            found.append(Loop(kernel, function.split(".")[0], begin, len(loop), loads, stores))
    return found


def compiler_of(path):
    """ "gcc 12", by the object's own words; "" when it has none."""
    shown = subprocess.run(["objdump", "-s", "-j", ".comment", path], capture_output=True, text=True).stdout
    text = "".join(line.split("  ")[-1] for line in shown.splitlines() if re.match(r" [0-9a-f]{4} ", line))
    match = re.search(r"(GCC|clang version)\W.*?(\d+)\.\d+\.\d+", text)
    return f"{'gcc' if match.group(1) == 'GCC' else 'clang'} {match.group(2)}" if match else ""


def read_rows(text, pattern, columns):
    """(compiler, [(line, match)]) of a table about objects; ValueError says in which line it cannot be read."""
    compiler, rows = "any", []
    for number, line in enumerate(text.splitlines(), 1):
        row = re.fullmatch(pattern, line)
        if line.startswith("compiler "):
            compiler = line.removeprefix("compiler ").strip()
        elif row:
            rows.append((number, row))
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"{number}: cannot read '{line}': {columns}")
    return compiler, rows


def read_table(text):
    """(compiler, {(kernel, function): Allowance}); ValueError as read_rows()."""
    compiler, rows = read_rows(text, r"(\w+)\s+(\w+)\s+(\d+)\s+(\d+)\s+(\S.*)", "kernel, function, loads, stores, reason")
    return compiler, {row.group(1, 2): Allowance(line, int(row.group(3)), int(row.group(4)), row.group(5)) for line, row in rows}


def why_not(compiler, objects):
    """Why a table for this compiler says nothing about these objects, or ""."""
    if not objects:
        return f"no x86-64 kernel in {OBJECTS}"
    for path in objects:
        if compiler not in ("any", compiler_of(path)):
            return f"the table is for {compiler}, {path.name} is by {compiler_of(path) or 'nobody it names'}"
    return ""


def update(table_path, compiler, objects, updated):
    """Writes what updated() makes of the table and the objects of build/; the status to exit with."""
    others = {compiler_of(path) for path in objects} - {compiler}
    if others or not objects:
        print(f"{OBJECTS}: built by {', '.join(sorted(others)) or 'nobody yet'}, not by {compiler}")
        return 1
    table_path.write_text(updated(table_path.read_text(), objects))
    return 0


def worst_by_function(loops):
    """(kernel, function) -> its loop that spills most, with the most loads and the most stores of all its loops."""
    worst = {}
    for loop in sorted(loops, key=lambda loop: loop.loads + loop.stores):
        before = worst.get((loop.kernel, loop.function), loop)
        worst[loop.kernel, loop.function] = loop._replace(loads=max(loop.loads, before.loads),
                                                          stores=max(loop.stores, before.stores))
    return worst


def problems(table, objects):
    """[(line of the table, sentence)], and a sentence why nothing was looked at or ""."""
    try:
        compiler, rows = read_table(table)
    except ValueError as error:
        line, _, text = str(error).partition(": ")
        return [(int(line), text)], ""
    skipped = why_not(compiler, objects)
    if skipped:
        return [], skipped
    found, worst = [], worst_by_function([loop for path in objects for loop in hot_loops(path)])
    for (kernel, function), loop in worst.items():
        allowed = rows.get((kernel, function), Allowance(1, 0, 0))
        if loop.loads > allowed.loads or loop.stores > allowed.stores:
            found.append((allowed.line, f"{kernel}: a hot loop of {function} (the worst has {loop.n_instructions} instructions, at "
                          f"{loop.address:#x}) loads {loop.loads} and stores {loop.stores} vectors on the stack, allowed are "
                          f"{allowed.loads} and {allowed.stores}; if nothing else is as fast, the line is: "
                          f"{kernel} {function} {loop.loads} {loop.stores} {UNSAID}"))
    found += [(row.line, f"{kernel} {function}: say why") for (kernel, function), row in rows.items() if row.reason == UNSAID]
    found += [(row.line, f"{kernel} has no hot loop in a function {function}: delete the line")
              for (kernel, function), row in rows.items() if (kernel, function) not in worst]
    return sorted(found), ""


def has_32_registers(path):
    return any(re.search(r"%zmm|%[xyz]mm(?:1[6-9]|2\d|3[01])\b", operands)
               for body in disassembled(path).values() for _, _, operands in body)


def updated(table, objects):
    """The table with the counts of these objects: exact, or up to the next ten where there are 16 registers."""
    rows, lines = read_table(table)[1], [line for line in table.splitlines() if not re.match(r"\w+\s+\w+\s+\d+\s", line)]
    for path in objects:
        step = 1 if has_32_registers(path) else 10
        for (kernel, function), loop in sorted(worst_by_function(hot_loops(path)).items()):
            loads, stores = (-(-n // step) * step for n in (loop.loads, loop.stores))
            reason = rows.get((kernel, function), Allowance(1, 0, 0, UNSAID)).reason
            if loads + stores > 0:
                lines.append(f"{kernel:15} {function:20} {loads:4} {stores:4}   {reason}")
    return "\n".join(lines) + "\n"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    objects = [pathlib.Path(name) for name in sys.argv[1:]] or sorted((root / OBJECTS).glob("*.o"))
    table = (root / TABLE_PATH).read_text()
    if sys.argv[1:] == ["--update"]:
        return update(root / TABLE_PATH, read_table(table)[0], sorted((root / OBJECTS).glob("*.o")), updated)
    found, skipped = problems(table, objects)
    for line, text in found:
        print(f"{TABLE_PATH}:{line}: {text}")
    if skipped:
        print(f"n/a: {skipped}")
        return 0
    rows = read_table(table)[1]
    for (kernel, function), loop in sorted(worst_by_function([loop for path in objects for loop in hot_loops(path)]).items()):
        allowed = rows.get((kernel, function), Allowance(1, 0, 0))
        lower = " (could be lower)" if allowed.loads > loop.loads and allowed.stores > loop.stores else ""
        print(f"{kernel:16} {function:24} loads {loop.loads:3} of {allowed.loads:3}, stores {loop.stores:3} of {allowed.stores:3}{lower}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
