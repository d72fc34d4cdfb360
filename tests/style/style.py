#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a reader of the tree may rely on, as a test: form, heads of files, arrows between rooms, names, links of the docs.

    style.py --tree FOLDER [--archive libcore.a]

Each check takes the tree and yields what is wrong, one line a finding; TAP comes out.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

SOURCES = ["bus", "connectors", "transforms", "console", "tests", "examples"]
EMPTY_NAMES = {"util", "utils", "common", "misc", "helper", "helpers"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"^```.*?^```|^(?: {4}|\t).*?$|`[^`\n]*`", re.M | re.S)


class Skip(Exception):
    """What a check needs is not on this machine."""


def walk(tree, folders, *endings):
    for folder in folders:
        for path in sorted((tree / folder).rglob("*")):
            hidden = any(part.startswith(("build", ".", "node_modules")) for part in path.relative_to(tree).parts)
            if path.suffix in endings and path.is_file() and not hidden:
                yield path


def name_of(tree, path):
    return path.relative_to(tree).as_posix()


# --- Form -----------------------------------------------------------------------------------------


def unformatted(tree):
    """The files that clang-format would change; those that wait in a list must still be in need of it."""
    program = shutil.which("clang-format-14")
    if not program:
        raise Skip("clang-format-14 is not installed")
    waiting = set()
    listed = tree / "tests/style/unformatted.txt"
    if listed.exists():
        waiting = {line for line in listed.read_text().splitlines() if line and not line.startswith("#")}
    names = [name_of(tree, path) for path in walk(tree, SOURCES, ".c", ".h")]
    made = subprocess.run([program, "--dry-run", *names], cwd=tree, capture_output=True, text=True, check=True)
    wanting = {line.split(":")[0] for line in made.stderr.splitlines() if "[-Wclang-format-violations]" in line}
    for name in names:
        if name in wanting and name not in waiting:
            yield f"{name}: run clang-format-14 -i on it"
        if name not in wanting and name in waiting:
            yield f"{name}: is in form now; take it out of tests/style/unformatted.txt"
    for name in sorted(waiting):
        if not (tree / name).exists():
            yield f"{name}: is gone; take it out of tests/style/unformatted.txt"


# --- Heads and names ------------------------------------------------------------------------------


def heads(tree):
    for path in walk(tree, SOURCES, ".c", ".h"):
        lines = path.read_text().split("\n")
        if lines[0] != "/* SPDX-License-Identifier: Apache-2.0 */":
            yield f"{name_of(tree, path)}:1: the first line names the license (SPDX)"
        if path.suffix == ".c" and not any(line.startswith("/*") for line in lines[1:4]):
            yield f"{name_of(tree, path)}:2: a comment says what the file is for"


def empty_names(tree):
    for path in walk(tree, SOURCES, ".c", ".h", ".py", ".sh"):
        if EMPTY_NAMES & set(re.split(r"[_.-]", path.name)[:-1]):
            yield f"{name_of(tree, path)}: a file is named after a noun, not after a drawer"


# --- Arrows ---------------------------------------------------------------------------------------


def allowed(tree):
    """Room -> what docs/rooms.md lets it include: rooms, and single headers."""
    table = (tree / "docs/rooms.md").read_text().split("<!-- rooms -->")[1].split("<!-- end -->")[0]
    rooms = {}
    for line in table.splitlines():
        cells = line.split("|")
        names = re.findall(r"`([^`]+)`", cells[1]) if len(cells) > 3 else []
        if names:
            rooms[names[0].removeprefix("bus/")] = set(re.findall(r"`([^`]+)`", cells[2]))
    return rooms


def room_of(name):
    parts = name.split("/")
    if parts[0] == "bus":
        return parts[1]
    below = "/".join(parts[:2])
    return below if below in ("console/ctl", "console/xmpp") else parts[0]


def included(tree, path):
    """The files of the tree that a file includes, as paths from its top."""
    for match in INCLUDE.finditer(path.read_text()):
        brackets, wanted = match[1] == "<", match[2]
        places = [] if brackets else [path.parent]
        for folder in [*places, tree / "bus", tree / "bus/contract", tree]:
            found = folder / wanted
            if found.is_file():
                yield name_of(tree, pathlib.Path(os.path.normpath(found)))
                break


def arrows(tree):
    rooms = allowed(tree)
    for path in walk(tree, [folder for folder in SOURCES if folder != "tests"], ".c", ".h"):
        name = name_of(tree, path)
        room = room_of(name)
        if room not in rooms:
            yield f"{name}: docs/rooms.md does not know the room {room}"
            continue
        for other in included(tree, path):
            header = other.removeprefix("bus/")
            if room_of(other) not in {room, "contract"} | rooms[room] and header not in rooms[room]:
                yield f"{name}: includes {header}, which docs/rooms.md does not allow to {room}"


def circles(tree):
    """Whole-room arrows have no circle, and a header let in alone does not lead back to who includes it."""
    rooms = allowed(tree)
    arrows_of = {room: {other for other in others if not other.endswith(".h")} for room, others in rooms.items()}
    left = dict(arrows_of)
    while left:
        free = [room for room, others in left.items() if not others & set(left)]
        if not free:
            yield "rooms that include one another: " + ", ".join(sorted(left))
            return
        for room in free:
            del left[room]
    for room, others in rooms.items():
        for header in sorted(other for other in others if other.endswith(".h")):
            for reached in reach(tree, header):
                if room_of(reached) == room:
                    yield f"{room} may include {header}, but that leads back to {reached}"


def reach(tree, header):
    start = f"bus/{header}" if (tree / "bus" / header).is_file() else header
    seen, ahead = set(), [start]
    while ahead:
        name = ahead.pop()
        if name not in seen and (tree / name).is_file():
            seen.add(name)
            ahead += included(tree, tree / name)
    return seen - {start}


# --- Symbols --------------------------------------------------------------------------------------


def doubled_symbols(archive):
    if not archive:
        raise Skip("no archive was given")
    made = subprocess.run(["nm", "-A", "-g", "--defined-only", archive], capture_output=True, text=True, check=True)
    homes = {}
    for line in made.stdout.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "TDBR" and not words[2].startswith(("__", "asan.")):
            homes.setdefault(words[2], set()).add(words[0].split(":")[-2])
    if len(homes) < 100:
        yield f"only {len(homes)} symbols in {archive}: nothing was tested"
    for symbol, objects in sorted(homes.items()):
        if len(objects) > 1:
            yield f"{symbol} is defined in {' and '.join(sorted(objects))}"


# --- Pages ----------------------------------------------------------------------------------------


def links_of(path):
    for target in LINK.findall(CODE.sub("", path.read_text())):
        if "://" not in target and not target.startswith("mailto:"):
            yield target, pathlib.Path(os.path.normpath(path.parent / target))


def pages(tree):
    yield tree / "README.md"
    yield from walk(tree, ["docs", "examples", "tests"], ".md")


def dead_links(tree):
    for page in pages(tree):
        for target, place in links_of(page):
            if not place.exists():
                yield f"{name_of(tree, page)}: links to {target}, which is not there"


def lost_pages(tree):
    """Every page of docs/ can be found from docs/README.md, by its links or those of another README."""
    found = set()
    for index in [tree / "docs/README.md", *sorted((tree / "docs").glob("*/README.md"))]:
        if index == tree / "docs/README.md" or index in found:
            found |= {place for _, place in links_of(index)}
    for page in walk(tree, ["docs"], ".md"):
        if page not in found and page != tree / "docs/README.md":
            yield f"{name_of(tree, page)}: docs/README.md does not lead to it"


def decision_numbers(tree):
    homes = {}
    for page in sorted((tree / "docs/decisions").glob("*.md")):
        number = page.name.split("-")[0]
        if number in homes:
            yield f"{page.name}: {homes[number]} has this number already"
        homes[number] = page.name


# --- All of it ------------------------------------------------------------------------------------

CHECKS = [
    ("each file has its license and a comment that says what it is for", heads),
    ("no file is a drawer", empty_names),
    ("rooms include what docs/rooms.md allows", arrows),
    ("arrows between rooms go one way", circles),
    ("links of the pages lead somewhere", dead_links),
    ("every page is found from docs/README.md", lost_pages),
    ("every decision has a number of its own", decision_numbers),
    ("clang-format agrees", unformatted),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", type=pathlib.Path, required=True)
    parser.add_argument("--archive")
    arguments = parser.parse_args()
    tree = pathlib.Path(os.path.abspath(arguments.tree))
    checks = [(title, lambda check=check: check(tree)) for title, check in CHECKS]
    checks.append(("no function is defined in two rooms", lambda: doubled_symbols(arguments.archive)))
    print(f"1..{len(checks)}")
    failed = 0
    for number, (title, check) in enumerate(checks, 1):
        try:
            findings = list(check())
        except Skip as reason:
            print(f"ok {number} - {title} # SKIP {reason}", flush=True)
            continue
        for finding in findings:
            print(f"# {finding}")
        failed += bool(findings)
        print(f"{'not ok' if findings else 'ok'} {number} - {title}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
