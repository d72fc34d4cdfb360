#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the examples of docs/jq.md: each indented block that begins with `jq:` is a case."""

import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import cases  # noqa: E402
import oracle  # noqa: E402
import peers  # noqa: E402


def examples(page):
    """The text of all examples in the form of a file of cases, on the lines where the page has them."""
    lines, inside = [], False
    for line in page.read_text(encoding="utf-8").split("\n"):
        inside = line.startswith("    jq: ") or (inside and line.startswith("    "))
        lines.append(line[4:] if inside else "")
    return "\n".join(lines)


def main():
    xylemd, page = sys.argv[1], HERE.parent.parent / "docs/jq.md"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / page.name
        path.write_text(examples(page), encoding="utf-8")
        found = cases.read(path)
    failed = 0
    print(f"1..{len(found)}")
    for number, case in enumerate(found, 1):
        fault = oracle.own_fault(case, peers.run([xylemd, "jq"], case.text, case.inputs))
        failed += fault is not None
        title = " ".join(case.text.split())[:100].replace("#", "\\#")
        print(f"{'not ok' if fault else 'ok'} {number} - {case.name} {title}")
        if fault:
            print("# " + fault.replace("\n", "\n# "))
    return failed > 0 or not found


if __name__ == "__main__":
    sys.exit(main())
