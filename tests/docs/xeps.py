#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of XEPs in docs/xmpp.md: each row names a test, and the test exists.

usage: xeps.py SOURCE

The last cell of a row holds names in backquotes: a file of tests (of tests/xmpp,
or a path from the top), then cases in it, then maybe another file with its cases.
Each file has at least one case behind it. Prints the rows, a line each.
"""
import pathlib
import re
import sys


def table(page):
    """The rows between `<!-- xeps -->` and `<!-- end -->`, as lists of cells, without the head."""
    found = re.search(r"<!-- xeps -->\n(.*?)<!-- end -->", page, re.DOTALL)
    rows = [line for line in found.group(1).splitlines() if line.startswith("|")] if found else []
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def path_of(source, name):
    return source / name if "/" in name else source / "tests/xmpp" / name


def tests_of(cell):
    """[(file, [case, ...]), ...] of a row's last cell."""
    found = []
    for name in re.findall(r"`([^`]+)`", cell):
        if re.search(r"\.(py|c|mjs|js)$", name):
            found.append((name, []))
        elif found:
            found[-1][1].append(name)
    return found


def problems(source, row):
    if not re.fullmatch(r"\d{4}|RFC \d+", row[0]):
        yield "the first cell is the XEP's number (four digits) or `RFC N`"
    tests = tests_of(row[-1])
    if not tests:
        yield "names no test"
    for name, cases in tests:
        path = path_of(source, name)
        if not path.is_file():
            yield f"{name} does not exist"
            continue
        text = path.read_text(encoding="utf-8")
        if not cases:
            yield f"{name}: no case is named"
        for case in cases:
            if not re.search(rf"\b{re.escape(case)}\(", text):
                yield f"{name} has no {case}"


def main():
    source = pathlib.Path(sys.argv[1])
    rows = table((source / "docs/xmpp.md").read_text(encoding="utf-8"))
    wrong = [f"docs/xmpp.md, XEP {row[0]}: {problem}" for row in rows for problem in problems(source, row)]
    numbers = [row[0] for row in rows]
    wrong += [f"docs/xmpp.md: XEP {number} stands twice" for number in sorted(set(numbers)) if numbers.count(number) > 1]
    wrong += [] if rows else ["docs/xmpp.md: no table between <!-- xeps --> and <!-- end -->"]
    for row in rows:
        print(f"{row[0]}: {sum(len(cases) for _, cases in tests_of(row[-1]))} cases in "
              + ", ".join(name for name, _ in tests_of(row[-1])))
    print("\n".join(wrong))
    print(f"{len(rows)} XEPs, {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
