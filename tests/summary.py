#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up the JUnit files of Meson's runs: what was skipped and why, what failed, and one closing line."""

import argparse
import pathlib
import re
import sys
import xml.etree.ElementTree as xml


# What a program printed goes into the file as it is, also what XML cannot hold.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def cases(path):
    text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    for suite in xml.fromstring(NO_XML.sub("?", text)).iter("testsuite"):
        for case in suite.findall("testcase"):
            yield suite.get("name"), case


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    passed, failed, skipped = 0, [], []
    for path in arguments.files:
        for suite, case in cases(path):
            name = f"{suite}: {case.get('name')}"
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                failed.append(name)
            elif skip is not None:
                skipped.append(f"{name}: {skip.get('message') or skip.text or 'no reason given'}")
            else:
                passed += 1
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
