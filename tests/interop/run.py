#!/usr/bin/env python3
"""Interoperability: build/sealane-serve against the clients of Debian 12 and against peers that mean no good.

    tests/interop/run.py build              the quick cases (under two minutes on two cores)
    tests/interop/run.py --full build       the slow ones: gigabytes, ten thousand connections, a browser
    tests/interop/run.py --only REGEX build those whose name matches

Output is TAP. Files and certificates are made in a folder of their own, which goes away; ports are the kernel's choice.
"""
import sys

sys.dont_write_bytecode = True  # the sources' folder stays as it is

import cases_browser  # noqa: E402, F401  importing registers the cases
import cases_clients  # noqa: E402, F401
import cases_faults  # noqa: E402, F401
import cases_hostile  # noqa: E402, F401
import cases_http  # noqa: E402, F401
import cases_load  # noqa: E402, F401
import cases_start  # noqa: E402, F401
from harness import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
