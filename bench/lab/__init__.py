# SPDX-License-Identifier: Apache-2.0
"""The laboratory of ringpost-bench: scenarios, targets, measurements, results.  docs/benchmark.md is its manual."""
