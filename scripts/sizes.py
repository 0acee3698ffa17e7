#!/usr/bin/env python3
"""Holds the kernels' objects to the sizes of scripts/sizes.txt. `./dev lint sizes` does it; alone, it also prints a table of
what they take: instructions, tables, and what unwinds the stack, which no cache sees.

    scripts/sizes.py [OBJECT...]        the objects of build/ unless others are named
    scripts/sizes.py --update           writes the sizes of build/ into the table, each up to the next STEP bytes
"""
import pathlib
import re
import subprocess
import sys

import spills

TABLE_PATH = "scripts/sizes.txt"
STEP = 128  # bytes
NO_KERNELS = {"cpu", "kernels"}


def name_of(path):
    return path.name.removesuffix(".o").removesuffix(".c")


def kernels(objects):
    return [path for path in objects if name_of(path) not in NO_KERNELS]


def size_of(path):
    """(instructions, tables, unwinding): what `size` adds up to text."""
    shown = subprocess.run(["size", "-A", path], capture_output=True, text=True, check=True).stdout
    rows = [(match.group(1), int(match.group(2))) for match in re.finditer(r"^\.(\S+)\s+(\d+)\s", shown, re.M)]
    return tuple(sum(n for section, n in rows if section.split(".")[0] in those)
                 for those in (("text",), ("rodata",), ("eh_frame", "note")))


def read_table(text):
    """(compiler, {kernel: (line, bytes)}); ValueError says in which line the table cannot be read."""
    compiler, rows = "any", {}
    for number, line in enumerate(text.splitlines(), 1):
        row = re.fullmatch(r"(\w+)\s+(\d+)", line)
        if line.startswith("compiler "):
            compiler = line.removeprefix("compiler ").strip()
        elif row:
            rows[row.group(1)] = number, int(row.group(2))
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"{number}: cannot read '{line}': kernel, bytes")
    return compiler, rows


def problems(table, objects):
    """[(line of the table, sentence)], and a sentence why nothing was looked at or ""."""
    try:
        compiler, rows = read_table(table)
    except ValueError as error:
        line, _, text = str(error).partition(": ")
        return [(int(line), text)], ""
    if not objects:
        return [], f"no x86-64 kernel in {spills.OBJECTS}"
    sizes = {}
    for path in kernels(objects):
        if compiler not in ("any", spills.compiler_of(path)):
            return [], f"the table is for {compiler}, {path.name} is by {spills.compiler_of(path) or 'nobody it names'}"
        sizes[name_of(path)] = sum(size_of(path))
    found = []
    for kernel, n in sizes.items():
        line, allowed = rows.get(kernel, (1, 0))
        if n > allowed:
            found.append((line, f"{kernel} takes {n} bytes, allowed are {allowed}"))
    found += [(line, f"there is no {kernel}: delete the line") for kernel, (line, _) in rows.items() if kernel not in sizes]
    return sorted(found), ""


def updated(table, objects):
    lines = [line for line in table.splitlines() if not re.fullmatch(r"\w+\s+\d+", line)]
    lines += [f"{name_of(path):15} {-(-sum(size_of(path)) // STEP) * STEP:6}" for path in kernels(objects)]
    return "\n".join(lines) + "\n"


def report(objects):
    rows = [(f"`{name_of(path)}`", *size_of(path)) for path in kernels(objects)]
    rows.append(("all", *(sum(row[i] for row in rows) for i in (1, 2, 3))))
    print("| | instructions | tables | unwinding | all |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row[0]} | " + " | ".join(f"{n:,}" for n in (*row[1:], sum(row[1:]))) + " |")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    objects = sorted((root / spills.OBJECTS).glob("*.o"))
    table = (root / TABLE_PATH).read_text()
    if sys.argv[1:] == ["--update"]:
        others = {spills.compiler_of(path) for path in kernels(objects)} - {read_table(table)[0]}
        if others or not objects:
            print(f"{spills.OBJECTS}: built by {', '.join(sorted(others)) or 'nobody yet'}, not by {read_table(table)[0]}")
            return 1
        (root / TABLE_PATH).write_text(updated(table, objects))
        return 0
    objects = [pathlib.Path(name) for name in sys.argv[1:]] or objects
    found, skipped = problems(table, objects)
    for line, text in found:
        print(f"{TABLE_PATH}:{line}: {text}")
    if skipped:
        print(f"n/a: {skipped}")
        return 0
    report(objects)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
