#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The floors of the house, by what files include.

Knowledge points downward: core <- queue | dns | tls <- mta <- tools, tests; bench takes core, tls and mta/smtp, lest
the measure inherit the faults of the measured.  Some libraries have one place each.  Also what every file owes its
reader: a licence line, and a header that stands alone because its own .c includes it first.
"""
import os
import re
import subprocess
import sys

ROOT = os.environ.get("RINGPOST_SOURCE_DIR") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Folder: what its files may include.  The longest folder that fits a file decides.
FLOORS = {
    "core": ["core"],
    "queue": ["core", "queue"],
    "dns": ["core", "dns"],
    "tls": ["core", "tls"],
    "mta": ["core", "queue", "dns", "tls", "mta"],
    # Pure codecs: bytes in, struct out.
    "mta/smtp": ["core", "mta/smtp"],
    "bench": ["core", "tls", "mta/smtp", "bench"],
    "tools": ["core", "queue", "dns", "tls", "mta", "tools"],
    "tests": [""],
}

# Header (from its start): where it may be included.
PLACES = [
    ("liburing", ["core/"]),
    ("jemalloc/", ["core/"]),
    ("openssl/", ["tls/", "dns/ldns_shim.c"]),
    ("ldns/", ["dns/", "tests/"]),
    ("yaml.h", ["mta/settings"]),
]

CODE = re.compile(r"\.[ch]$")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)
LICENSED = re.compile(r"(\.[ch]|\.py|\.sh|CMakeLists\.txt|\.cmake)$")
LICENCE = "SPDX-License-Identifier: Apache-2.0"


def below(path, folder):
    return folder == "" or path == folder or path.startswith(folder + "/")


def files():
    try:
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
                                capture_output=True, text=True, check=True).stdout.split("\n")
        return sorted(p for p in listed if p and os.path.isfile(os.path.join(ROOT, p)))
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive
        found = []
        for directory, names, entries in os.walk(ROOT):
            names[:] = [n for n in names if not n.startswith(".") and n not in ("build", "var")]
            found += [os.path.relpath(os.path.join(directory, e), ROOT) for e in entries]
        return sorted(found)


def check_include(path, quoted, header):
    """What is wrong with one include, or None."""
    if not quoted:
        for start, places in PLACES:
            if header.startswith(start) and not any(path.startswith(p) for p in places):
                return f"<{header}> belongs to {' and '.join(places)}"
        return None
    if path.startswith("tests/") and "/" not in header and os.path.exists(
            os.path.join(ROOT, os.path.dirname(path), header)):
        return None  # a test's own helper
    if not os.path.exists(os.path.join(ROOT, header)):
        return f'"{header}" is no path from the root'
    folder = max((f for f in FLOORS if below(path, f)), key=len, default=None)
    if folder is None:
        return None
    if not any(below(header, f) for f in FLOORS[folder]):
        return f'"{header}": {folder} includes only {", ".join(FLOORS[folder])}'
    if header.endswith("_internal.h") and not path.startswith("tests/"):
        home = os.path.dirname(header)
        if os.path.dirname(path) != home:
            return f'"{header}" is private to {home}/'
    return None


def check_file(path, text):
    if LICENSED.search(path) and LICENCE not in text[:200]:
        yield "no licence line on top"
    if not CODE.search(path):
        return
    includes = [(m.group(1) == '"', m.group(2)) for m in INCLUDE.finditer(text)]
    for quoted, header in includes:
        wrong = check_include(path, quoted, header)
        if wrong:
            yield wrong
    own = path[:-1] + "h"
    if path.endswith(".c") and os.path.exists(os.path.join(ROOT, own)):
        first = next((header for quoted, header in includes), None)
        if first not in (own, own[:-2] + "_internal.h"):
            yield f'includes "{first}" before its own header'


def self_test():
    """The rules must be able to fail."""
    for path, quoted, header in [
            ("queue/segment.c", True, "mta/settings.h"), ("queue/segment.c", True, "dns/resolver.h"),
            ("core/log.c", True, "queue/queue.h"), ("bench/send.c", True, "queue/queue.h"),
            ("bench/send.c", True, "mta/settings.h"), ("mta/smtp/command.c", True, "mta/settings.h"),
            ("queue/segment.c", False, "liburing.h"), ("mta/admin/a.c", False, "openssl/sha.h"),
            ("dns/cache.c", False, "openssl/sha.h"), ("queue/q.c", True, "mta/settings_internal.h"),
            ("core/log.c", True, "log.h")]:
        if check_include(path, quoted, header) is None:
            raise SystemExit(f"includes.py: the rule about {header} in {path} does not hold")


def main():
    self_test()
    wrongs = checked = 0
    for path in files():
        if not (CODE.search(path) or LICENSED.search(path)) or "/corpus/" in path:
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
            text = file.read()
        checked += 1
        for wrong in check_file(path, text):
            print(f"{path}: {wrong}")
            wrongs += 1
    print(f"{checked} files looked at, {wrongs} wrong")
    return 1 if wrongs or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
