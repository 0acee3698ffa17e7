#!/usr/bin/env python3
"""Writes vectors/rfc8448/*.txt (format: README.md), the handshake traces of RFC 8448, step by step.

    vectors/import_traces.py --rfc DIR            writes every file from DIR/rfc8448.txt
    vectors/import_traces.py --rfc DIR --check    says whether the files here are what it would write

One vector is one step of a trace: who does it, what it is as the RFC words it, and its values under the RFC's names.
Steps the RFC gives no values for ("same as server") are left out."""
import argparse
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
TRACES = {
    3: "simple_1rtt",
    4: "resumed_0rtt",
    5: "hello_retry_request",
    6: "client_authentication",
    7: "compatibility_mode",
}
LICENCE = "traces of an RFC, Code Components under the Revised BSD License (IETF Trust Legal Provisions 4.c)"

SECTION = re.compile(r"(\d+)\.  \S")
STEP = re.compile(r"   \{(client|server)\}  (.*)")
VALUE = re.compile(r"      ([A-Za-z][A-Za-z ]*?)(?: \((\d+) octets\))?:  (.*)")
MORE = re.compile(r"         ((?:[0-9a-f]{2} ?)+)")
PAGE = re.compile(r"Thomson +Informational|RFC 8448 +TLS 1.3 Traces")


def lines_of(text):
    """The lines that are content: no page breaks, heads or feet."""
    for line in text.replace("\f", "").splitlines():
        if line.strip() and not PAGE.match(line):
            yield line.rstrip()


def steps_of(text):
    """Yields (section, step), a step being a dict of who, step and values."""
    section, step, name, sizes = 0, None, None, {}
    for line in lines_of(text):
        if match := SECTION.match(line):
            section, name = int(match[1]), None
        elif match := STEP.match(line):
            step, name = {"who": match[1], "step": match[2].rstrip(":")}, None
            yield section, step
        elif step is not None and (match := VALUE.match(line)):
            name = match[1].lower().replace(" ", "_")
            if name in step:
                sys.exit(f"section {section}: {step['step']}: {name} twice")
            words = match[3]
            step[name] = "" if words.startswith("0 (all zero") or words == "(empty)" else words.replace(" ", "")
            sizes[id(step), name] = match[2]
        elif name is not None and (match := MORE.fullmatch(line)):
            step[name] += match[1].replace(" ", "")
        elif name is None and step is not None and line.startswith("      ") and len(step) == 2:
            step["step"] += " " + line.strip().rstrip(":")  # the wording goes on
        else:
            name = None
        if step is not None and name is not None:
            step.setdefault("_sizes", {})[name] = sizes[id(step), name]


def check_sizes(section, step):
    for name, size in step.pop("_sizes", {}).items():
        if size is not None and len(step[name]) != 2 * int(size):
            sys.exit(f"section {section}: {step['step']}: {name} has {len(step[name]) // 2} octets, not {size}")


def files_of(text):
    traces = {section: [] for section in TRACES}
    for section, step in list(steps_of(text)):
        if section not in traces:
            continue
        check_sizes(section, step)
        if len(step) > 2:
            traces[section].append(step)
    for section, steps in traces.items():
        head = [f"# RFC 8448 section {section}, a trace of TLS 1.3", "# source:  RFC 8448", f"# licence: {LICENCE}"]
        blocks = ["\n".join(head)]
        blocks += ["\n".join(f"{name} = {value}".rstrip() for name, value in step.items()) for step in steps]
        yield HERE / "rfc8448" / f"{TRACES[section]}.txt", "\n\n".join(blocks) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rfc", type=pathlib.Path, required=True, help="the folder that holds rfc8448.txt")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    args = parser.parse_args()
    status = 0
    for path, text in files_of((args.rfc / "rfc8448.txt").read_text()):
        if args.check:
            if not path.exists() or path.read_text() != text:
                print(f"{path}: differs")
                status = 1
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        print(f"{path}: {text.count(chr(10) * 2)} steps")
    return status


if __name__ == "__main__":
    sys.exit(main())
