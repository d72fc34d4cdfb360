#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares docs/reference with what xylemd prints from its option tables.

usage: reference.py XYLEMD FOLDER

Pages of modules that this build does not have are not compared; a page that no
table prints any more is reported when its name is of a kind that is built in.
"""
import pathlib
import subprocess
import sys
import tempfile


def main():
    xylemd, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as printed:
        subprocess.run([xylemd, "reference", printed], check=True)
        pages = {page.name: page.read_text() for page in pathlib.Path(printed).iterdir()}
    committed = {page.name: page.read_text() for page in folder.glob("*.md")}
    modules = {f"connector-{name}.md" for name in ("kafka", "postgres", "xmpp_client")} | {"transform-jq.md"}
    complete = modules <= pages.keys()
    wrong = sorted(name for name, text in pages.items()
                   if committed.get(name) != text and (complete or name != "README.md"))
    left = sorted(committed.keys() - pages.keys() - modules)
    for name in wrong:
        print(f"docs/reference/{name} differs from the option table: run `xylemd reference docs/reference`")
    for name in left:
        print(f"docs/reference/{name} is printed from no table: remove it")
    print(f"{len(pages)} pages printed, {len(wrong)} differ, {len(left)} left over")
    return 1 if wrong or left else 0


if __name__ == "__main__":
    sys.exit(main())
