#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manual pages are sound mdoc.
command -v mandoc >/dev/null || exit 77
cd "${RINGPOST_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
mandoc -T lint -W warning docs/man/*.[0-9] && echo "$(ls docs/man/*.[0-9] | wc -l) pages are sound"
