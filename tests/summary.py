#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up Meson's runs: what was skipped and why, what failed, and one closing line.

    summary.py [--seconds N] NAME.xml ...       NAME.json beside each

The JUnit file has the cases, but not how their program ended: one that exits
badly after its last case (a leak that a sanitizer finds), that ends before its
last case or overstays its time leaves nothing but passed cases there. The JSON
lines of the same run have that, and a program that did not end well is a failure.
"""

import argparse
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml


# What a program printed goes into the file as it is, also what XML cannot hold.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

EXCEPTION = re.compile(r"[\w.]*(Error|Exception)\b")
COMPLAINT = 300  # characters of what a case said of its failure


def test_of(suite, case):
    """The name in meson.build. Meson writes PROJECT.TEST as suite and the case; of a program without cases PROJECT and TEST."""
    test = suite.split(".", 1)[1] if "." in suite else case
    return test.split(" / ")[-1]  # behind PROJECT:SUITE


def cases(path):
    """The test that a case belongs to, and the case."""
    text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    for suite in xml.fromstring(NO_XML.sub("?", text)).iter("testsuite"):
        for case in suite.findall("testcase"):
            yield test_of(suite.get("name"), case.get("name")), case


def reason(case):
    """Why a case was skipped: what stands behind `# SKIP`, or the last line of a program that ended with 77."""
    skip = case.find("skipped")
    said = skip.get("message") or skip.text or case.findtext("system-out") or ""
    lines = said.strip().splitlines()
    return re.sub(r"^1\.\.0 *(# *SKIP *)?", "", lines[-1], flags=re.IGNORECASE) if lines else ""


def ends_of(path):
    """How each program of a run ended: its name and what Meson's JSON line has of it; None without that file."""
    told = pathlib.Path(path).with_suffix(".json")
    if not told.exists():
        return None
    runs = map(json.loads, told.read_text(encoding="utf-8", errors="replace").splitlines())
    return [(run["name"].split(" / ")[-1], run) for run in runs]


def complaints(printed):
    """What a TAP program said of its failed cases: NUMBER - NAME, and of the lines behind `#` that follow the last one, or
    the one that names an exception: behind that, the next case may have said something already."""
    said, failed = {}, None
    for line in printed.splitlines():
        if line.startswith("#") and failed:
            if not EXCEPTION.match(said.get(failed, "")):
                said[failed] = NO_XML.sub("?", line.lstrip("# "))[:COMPLAINT] or said.get(failed, "")
        else:
            failed = line.removeprefix("not ok ") if line.startswith("not ok ") else None
    return said


def badly_ended(path, ends, failed):
    """The programs of a run that failed without a failed case."""
    if ends is None and not failed:
        yield f"{pathlib.Path(path).with_suffix('.json').name} is missing: nobody knows how the programs ended"
    for name, run in ends or ():
        if run["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and name not in failed:
            yield f"{name}: {run['result']}, exit status {run['returncode']}, without a failed case"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    passed, failed, skipped = 0, [], []
    for path in arguments.files:
        with_failed_case, ends = set(), ends_of(path)
        said = {name: complaints(run.get("stdout", "")) for name, run in ends or ()}
        for test, case in cases(path):
            name = test if case.get("name").endswith(test) else f"{test}: {case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                why = said.get(test, {}).get(case.get("name"))
                failed.append(f"{name}: {why}" if why else name)
                with_failed_case.add(test)
            elif case.find("skipped") is not None:
                skipped.append(f"{name}: {reason(case) or 'no reason given'}")
            else:
                passed += 1
        failed += badly_ended(path, ends, with_failed_case)
    print()
    for line in skipped:
        print(f"skipped: {line}")
    for line in failed:
        print(f"FAILED: {line}")
    print(f"time: {arguments.seconds // 60} min {arguments.seconds % 60} s")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
