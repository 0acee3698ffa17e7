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
    """(compiler, {kernel: (line, bytes)}); ValueError as spills.read_rows()."""
    compiler, rows = spills.read_rows(text, r"(\w+)\s+(\d+)", "kernel, bytes")
    return compiler, {row.group(1): (line, int(row.group(2))) for line, row in rows}


def problems(table, objects):
    """[(line of the table, sentence)], and a sentence why nothing was looked at or ""."""
    try:
        compiler, rows = read_table(table)
    except ValueError as error:
        line, _, text = str(error).partition(": ")
        return [(int(line), text)], ""
    skipped = spills.why_not(compiler, kernels(objects))
    if skipped:
        return [], skipped
    sizes = {name_of(path): sum(size_of(path)) for path in kernels(objects)}
    found = []
    for kernel, n in sizes.items():
        line, allowed = rows.get(kernel, (1, 0))
        if n > allowed:
            found.append((line, f"{kernel} takes {n} bytes, allowed are {allowed}"))
    found += [(line, f"there is no {kernel}: delete the line") for kernel, (line, _) in rows.items() if kernel not in sizes]
    return sorted(found), ""


def updated(table, objects):
    lines = [line for line in table.splitlines() if not re.fullmatch(r"\w+\s+\d+", line)]
    lines += [f"{name_of(path):15} {-(-sum(size_of(path)) // STEP) * STEP:6}" for path in objects]
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
        return spills.update(root / TABLE_PATH, read_table(table)[0], kernels(objects), updated)
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
