#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Puts every case to `xylemd jq`, which must say exactly what it states, and to Debian's jq and gojq, which must agree.

    oracle.py XYLEMD [FILE.cases ...]       all files of this folder without names
    JQ17=/path/to/jq oracle.py ...          also to a jq 1.7

Where a peer differs, the case says so with a reason (`differs gojq: KEY`); one that agrees after all is a fault too. The
reasons of `differs jq17` are the table in docs/jq.md, row for row.
"""

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import cases  # noqa: E402
import peers  # noqa: E402

DOCS = HERE.parent.parent / "docs/jq.md"
NEVER_ASKED = {"endless"}  # the peer would not come back


def own_fault(case, result):
    """What is wrong with our own result; None: nothing."""
    if case.refused is not None:
        wrong = result.refused is None or case.refused not in result.refused
    else:
        wrong = (case.outputs, case.error, None) != (result.outputs, result.error, result.refused)
    expected = peers.Result(case.outputs, case.error, case.refused)
    return f"expected\n{expected.text()}\nis\n{result.text()}" if wrong else None


def peer_fault(case, name, command):
    stated = case.differs.get(name)
    if stated in NEVER_ASKED:
        return None
    try:
        result = peers.run(command, case.text, case.inputs)
    except subprocess.TimeoutExpired:
        return f"{name} does not come back"
    if peers.same(case, result.outputs, result):
        return f"{name} does not differ: remove `differs {name}: {stated}`" if stated else None
    return None if stated else f"{name} says\n{result.text()}"


def check(case, xylemd, others):
    faults = [own_fault(case, peers.run([xylemd, "jq"], case.text, case.inputs))] if xylemd else []
    faults += [peer_fault(case, name, command) for name, command in others.items()]
    return [fault for fault in faults if fault]


def table_faults(all_cases, reasons):
    """Compares the reasons of jq17 with the rows of the page."""
    used = {case.differs["jq17"] for case in all_cases if "jq17" in case.differs}
    rows = set(re.findall(r"^\| `([a-z0-9-]+)` \|", DOCS.read_text(encoding="utf-8"), re.M))
    for case in all_cases:
        for peer, key in case.differs.items():
            if key not in reasons:
                yield f"{case.name}: differs {peer}: {key}: not in `reasons`"
    for key in sorted(used - rows):
        yield f"docs/jq.md: the table of differences has no row `{key}`, which cases state"
    for key in sorted(rows - used):
        yield f"docs/jq.md: the row `{key}` of the table of differences is shown by no case"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("xylemd", help="the program, or - to ask the peers only")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    files = arguments.files or sorted(HERE.glob("*.cases"))
    all_cases = [case for file in files for case in cases.read(file)]
    others = peers.peers()
    xylemd = None if arguments.xylemd == "-" else arguments.xylemd
    print(f"1..{len(all_cases) + 1}\n# peers: {', '.join(sorted(others)) or 'none'}")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda case: check(case, xylemd, others), all_cases)
        for number, (case, faults) in enumerate(zip(all_cases, results), 1):
            failed += bool(faults)
            title = " ".join(case.text.split()).replace("#", "\\#")
            print(f"{'not ok' if faults else 'ok'} {number} - {case.name} {title}", flush=True)
            for fault in faults:
                print("# " + fault.replace("\n", "\n# "))
    faults = [] if arguments.files else list(table_faults(all_cases, cases.reasons(HERE / "reasons")))
    print(f"{'not ok' if faults else 'ok'} {len(all_cases) + 1} - the reasons and the table of differences")
    for fault in faults:
        print(f"# {fault}")
    return failed > 0 or bool(faults)


if __name__ == "__main__":
    sys.exit(main())
