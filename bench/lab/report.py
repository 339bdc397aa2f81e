# SPDX-License-Identifier: Apache-2.0
"""ringpost-bench report: makes a page, a table or a summary of result files.

report_data.py reads them, report_table.py has the rows, report_charts.py what charts draw, report_page.py the page.
"""
import argparse
import difflib
import json
import os
import sys

from lab import report_data, report_page, report_table

NAME = "ringpost-bench report"


class Words(argparse.ArgumentParser):
    """A command line whose mistakes are answered with the word that was meant."""

    def error(self, message):
        self.exit(2, f"{NAME}: {message}; --help lists the options\n")


def options_parse(words):
    p = Words(prog=NAME, allow_abbrev=False, description="Makes a page with charts, a Markdown table or a summary in JSON "
              "of results that run and compare wrote. FILE may be - for standard output; without any of the three options the "
              "table is printed.")
    p.add_argument("results", nargs="+", metavar="RESULT.json",
                   help="several of the same scenario are compared over time, several scenarios become chapters")
    p.add_argument("--html", metavar="FILE", help="a page that holds all it needs")
    p.add_argument("--markdown", metavar="FILE", help="a table for documents and commit messages")
    p.add_argument("--json", metavar="FILE", help="the summary, for machines")
    p.add_argument("--base", metavar="TARGET", help="whom ratios are to (floor, else the first of each result)")
    options, unknown = p.parse_known_args(words)
    if unknown:
        near = difflib.get_close_matches(unknown[0].split("=")[0], list(p._option_string_actions), 1)
        p.error(f"no option {unknown[0][:60]}" + (f'; is it {near[0]} that was meant?' if near else ""))
    if len(options.results) > report_data.FILES_MAX:
        p.error(f"{len(options.results)} files, more than the {report_data.FILES_MAX} that a page can show")
    if [options.html, options.markdown, options.json].count("-") > 1:
        p.error("only one of the three can go to standard output")
    if not (options.html or options.markdown or options.json):
        options.markdown = "-"
    return options


def write(path, content):
    """As a whole or not at all; a lone surrogate, which JSON can hold and UTF-8 cannot, becomes a question mark."""
    octets = content.encode("utf-8", "replace")
    if path == "-":
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
        return
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe or a device has no other name
        with open(path, "wb") as f:
            f.write(octets)
        return
    part = f"{path}.part"
    with open(part, "wb") as f:
        f.write(octets)
    os.replace(part, path)


def base_set(results, base):
    known = {key for result in results for key in result.keys}
    if base not in known:
        near = report_data.nearest(base, known)
        raise report_data.Wrong(f"--base {base[:60]}: no such target; " +
                                (f'is it "{near}" that was meant?' if near else f"there are {', '.join(sorted(known))}"))
    for result in results:
        result.base = base if base in result.keys else None


def main(words):
    options = options_parse(words)
    try:
        results = [report_data.Result(path) for path in options.results]
        if options.base:
            base_set(results, options.base)
        groups = report_data.group(results)
        if options.html:
            write(options.html, report_page.Page(groups).write())
        if options.json:
            write(options.json, json.dumps(report_table.machine_readable(groups), indent=1) + "\n")
        if options.markdown:
            write(options.markdown, report_table.markdown(groups))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except report_data.Wrong as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{NAME}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":  # python3 -m lab.report, beside what ringpost-bench starts
    sys.exit(main(sys.argv[1:]))
