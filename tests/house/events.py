#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/operations.md lists every event of the log, and no other."""
import os
import re
import sys
from pathlib import Path

FOLDERS = ("core", "queue", "dns", "tls", "mta")
CALL = re.compile(r"\blog_(?:error|warn|info|debug|write)\(([^;]*?)(?:LOG_[A-Z]|fields|\);)", re.DOTALL)
NAME = re.compile(r'"([a-z][a-z.-]*)"')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def written_by(text):
    """Event names that calls in this source name themselves."""
    return {name for call in CALL.findall(text) for name in NAME.findall(call)}


def listed_in(page):
    """Event names in the first column of the table."""
    rows = re.findall(r"^\| (`[^|]*`) \| (?:error|warn|info|debug) \|", page, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def differences(sources, page):
    written = set().union(*(written_by(text) for text in sources))
    literals = set().union(*(set(LITERAL.findall(text)) for text in sources))
    listed = listed_in(page)
    return ([f"{name}: logged, but not in docs/operations.md" for name in sorted(written - listed)] +
            [f"{name}: in docs/operations.md, but nothing logs it" for name in sorted(listed - literals)])


def main():
    source = 'log_warn(r->log, low ? "tide-low" : "tide-high",\n LOG_UINT("cm", 3));'
    assert differences([source], "| `tide-low`, `tide-high` | warn | at sea | cm |") == []
    assert len(differences([source], "| `tide-low`, `ebb` | warn | at sea | cm |")) == 2

    root = Path(os.environ.get("RINGPOST_SOURCE_DIR", Path(__file__).parents[2]))
    sources = [f.read_text() for folder in FOLDERS for f in sorted((root / folder).rglob("*.c"))]
    page = (root / "docs" / "operations.md").read_text()
    found = differences(sources, page)
    for line in found:
        print(line)
    print(f"{len(listed_in(page))} events are listed")
    return 1 if found or not listed_in(page) else 0


if __name__ == "__main__":
    sys.exit(main())
