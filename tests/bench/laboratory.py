# SPDX-License-Identifier: Apache-2.0
"""The package bench/lab, for tests: importing this makes `from lab import ...` work."""
import importlib.machinery
import importlib.util
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


def load(path):
    """A program in Python as a module, whatever its name ends in."""
    loader = importlib.machinery.SourceFileLoader(os.path.basename(path).replace("-", "_"), path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module
