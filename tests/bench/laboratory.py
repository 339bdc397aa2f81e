# SPDX-License-Identifier: Apache-2.0
"""The package bench/lab, for tests: importing this makes `from lab import ...` work."""
import os
import sys

import ringpost

try:
    import yaml  # noqa: F401
except ModuleNotFoundError:
    print("skipped: no python3-yaml")
    sys.exit(77)

BENCH = os.path.join(ringpost.BIN, "ringpost-bench")
os.environ["RINGPOST_BENCH"] = BENCH
sys.path.insert(0, os.path.join(ringpost.SOURCE, "bench"))
