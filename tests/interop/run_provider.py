#!/usr/bin/env python3
"""The provider in other people's programs: Debian's nginx, HAProxy, Apache, curl and openssl, unmodified, with
build/sealane.so loaded by configuration alone.

    tests/interop/run_provider.py build              the quick cases (some 20 s on two cores)
    tests/interop/run_provider.py --full build       the slow ones: much data, many connections
    tests/interop/run_provider.py --only REGEX build those whose name matches

Output is TAP. The servers are those that are installed or that scripts/servers.sh unpacked into build-servers/; they
listen on loopback, on ports of their own, and end with the case that started them.
"""
import sys

sys.dont_write_bytecode = True  # the sources' folder stays as it is

import cases_broken  # noqa: E402, F401  importing registers the cases
import cases_unmodified  # noqa: E402, F401
from harness import main  # noqa: E402
from unmodified import ProviderContext  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], ProviderContext, "Runs other people's programs on the provider; speaks TAP."))
