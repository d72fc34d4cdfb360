#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shows each check of style.py a small tree with one fault: it must find it, and nothing in the tree without one."""

import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import style  # noqa: E402

HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n/* What it is for. */\n"
ROOMS = "<!-- rooms -->\n| `bus/low` | | low |\n| `bus/high` | `low` | high |\n<!-- end -->\n"
SOUND = {
    "bus/low/low.h": HEAD,
    "bus/low/low.c": HEAD + "#include <low/low.h>\n",
    "bus/high/high.h": HEAD,
    "bus/high/high.c": HEAD + "#include <low/low.h>\n",
    "docs/rooms.md": ROOMS,
    "docs/decisions/0001-one.md": "# One\n",
    "docs/README.md": "[rooms](rooms.md) [one](decisions/0001-one.md)\n",
    "README.md": "[docs](docs/README.md)\n",
}
FAULTS = [
    (style.heads, "bus/low/low.c", "/* What it is for. */\n/* Design. */\n"),
    (style.heads, "bus/low/low.c", "/* SPDX-License-Identifier: Apache-2.0 */\nint x;\n\n\n/* late */\n"),
    (style.empty_names, "bus/low/low_utils.c", HEAD),
    (style.arrows, "bus/low/low.c", HEAD + "#include <high/high.h>\n"),
    (style.arrows, "bus/low/low.c", HEAD + '#include "../high/high.h"\n'),
    (style.arrows, "bus/new/new.c", HEAD),
    (style.circles, "docs/rooms.md", ROOMS.replace("`bus/low` | |", "`bus/low` | `high` |")),
    (style.circles, "docs/rooms.md", ROOMS.replace("`bus/low` | |", "`bus/low` | `high/back.h` |")),
    (style.dead_links, "README.md", "[gone](docs/gone.md)\n"),
    (style.lost_pages, "docs/lost.md", "# Lost\n"),
    (style.decision_numbers, "docs/decisions/0001-two.md", "# Two\n"),
]
if shutil.which("clang-format-14"):
    FAULTS.append((style.unformatted, "bus/low/low.c", HEAD + "int   x;\n"))
    FAULTS.append((style.unformatted, "tests/style/unformatted.txt", "bus/low/low.c\n"))


def findings(check, fault=None):
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for name, text in (SOUND | dict([fault] if fault else [])).items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        if fault and "back.h" in fault[1]:
            (tree / "bus/high/back.h").write_text(HEAD + "#include <low/low.h>\n")
        return list(check(tree))


def main():
    print(f"1..{2 * len(FAULTS)}")
    failed = 0
    for number, (check, name, text) in enumerate(FAULTS):
        sound, broken = findings(check), findings(check, (name, text))
        for at, (good, what) in enumerate([(not sound, "passes a sound tree"), (len(broken) == 1, f"finds {name}")], 1):
            failed += not good
            print(f"{'ok' if good else 'not ok'} {2 * number + at} - {check.__name__} {what}")
            if not good:
                print(f"# {sound} {broken}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
