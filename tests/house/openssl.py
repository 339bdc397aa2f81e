#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No OpenSSL in our processes: BoringSSL would capture its symbols, or the other way round.

Looks at every library that the loader gives our programs for the version names that OpenSSL puts on its symbols, or that
its users ask for.
"""
import os
import re
import subprocess
import sys

BIN = os.environ.get("RINGPOST_BIN_DIR") or (sys.argv[1] if len(sys.argv) > 1 else "build/release/bin")
MARK = re.compile(rb"\0OPENSSL_[0-9][0-9._]*[a-z]*\0")


def libraries(program):
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if "not found" in listed:
        raise SystemExit(f"{program}: a library is missing:\n{listed}")
    return re.findall(r"(/\S+) \(0x", listed)


def main():
    programs = [p for p in ("ringpost", "ringpostctl", "ringpost-bench") if os.path.exists(os.path.join(BIN, p))]
    if not programs:
        print(f"no programs in {BIN}: build first")
        return 77
    wrongs = 0
    for program in programs:
        for library in libraries(os.path.join(BIN, program)):
            with open(library, "rb") as file:
                if MARK.search(file.read()):
                    print(f"{program}: {library} is OpenSSL, or wants it")
                    wrongs += 1
    print(f"{', '.join(programs)}: {wrongs} libraries of or with OpenSSL")
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
