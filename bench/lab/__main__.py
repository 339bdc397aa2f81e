# SPDX-License-Identifier: Apache-2.0
"""python3 bench/lab COMMAND ...: how ringpost-bench starts the laboratory."""
import os
import sys

sys.dont_write_bytecode = True  # it may be installed where we may not write
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

if sys.argv[1:2] == ["report"]:
    from lab.report import main
    sys.exit(main(sys.argv[2:]))

try:
    import yaml  # noqa: F401
except ModuleNotFoundError:
    sys.exit("ringpost-bench: run and compare need the Python package yaml (Debian: python3-yaml)")

from lab.command import main

sys.exit(main(sys.argv[1:]))
