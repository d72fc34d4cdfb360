#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The configurations that the pages print are good: snippets.py SOURCE XYLEMD

Every indented block of README.md, docs/*.md and examples/*/README.md that begins with a section of a configuration
is checked by `xylemd check`, with what the page leaves out put beside it: a section `bus` and `xmpp`, the connectors and
topics that its routes name, the files that it names. Two columns (`# acme   # partner.example`) are two configurations.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

SECTIONS = ("bus", "console", "users", "xmpp", "connectors", "topics", "routes")
XMPP = {"server": "127.0.0.1:5347", "domain": "bus.acme.test", "secret": {"env": "XYLEM_XMPP_SECRET"}}
#: A connector in a module of a third party.
FOREIGN = ("tcp_line",)


def blocks(page):
    """(line, text) of each indented block, without the indentation."""
    lines, begun = page.split("\n") + ["end"], 0
    for number, line in enumerate(lines, 1):
        inside = line.startswith("    ") or (begun and not line.strip())
        if inside and not begun:
            begun = number
        elif not inside and begun:
            yield begun, "\n".join(text[4:] for text in lines[begun - 1:number - 1]).strip("\n") + "\n"
            begun = 0


def columns(text):
    """The block, or its two columns where the first line gives each a name."""
    second = re.match(r"# \S+ {2,}(?=# )", text)
    if not second:
        return [text]
    lines = text.splitlines()
    return ["\n".join(line[:second.end()].rstrip() for line in lines), "\n".join(line[second.end():] for line in lines)]


def configurations(page):
    """(line, text) of what is a configuration, or a part of one."""
    for line, block in blocks(page):
        for text in columns(block):
            if re.match(rf"(#.*\n)*({'|'.join(SECTIONS)}):", text):
                yield line, text.replace(", ... }", " }").replace("{ ..., ", "{ ")


def named(item):
    """The names in an entry of `from` or `to`: a name, or a mapping of it to its delivery."""
    if isinstance(item, str):
        return [item]
    (name, more), = item.items()
    return [name, *([more["otherwise"]] if "otherwise" in (more or {}) else [])]


def completed(parts):
    """The configuration with what the page leaves out."""
    whole = {"bus": {"name": "acme", "data": "./data"}} | parts
    whole["xmpp"] = XMPP | whole.get("xmpp", {})
    connectors = whole.setdefault("connectors", {})
    sides = {side: {name for route in (whole.get("routes") or {}).values() for item in route.get(side, [])
                    for name in named(item) if not name.startswith("topic:")} for side in ("from", "to")}
    for name in (sides["from"] | sides["to"]) - connectors.keys():
        connectors[name] = ({"xmpp": {"allow": ["@acme.test"], "reply": True}} if all(name in side for side in sides.values())
                            else {"webhook": {"path": f"/{name}", "verify": "none"}} if name in sides["from"]
                            else {"http": {"url": f"https://{name}.example/"}})
    return whole


def write_files(value, folder):
    """The files that the configuration names."""
    if isinstance(value, dict):
        for name, inside in value.items():
            if name in ("file", "schema") and isinstance(inside, str):
                file = folder / inside
                file.write_text("{}" if name == "schema" else "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
                file.chmod(0o600)
            write_files(inside, folder)
    elif isinstance(value, list):
        for inside in value:
            write_files(inside, folder)


def problem(text, xylemd):
    """What is wrong with it; None: nothing."""
    with tempfile.TemporaryDirectory(prefix="xylem-snippet-") as name:
        folder = pathlib.Path(name)
        whole = completed(yaml.safe_load(text))
        write_files(whole, folder)
        (folder / "bus.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
        done = subprocess.run([xylemd, "check", "bus.yaml"], cwd=folder, capture_output=True, text=True, check=False,
                              timeout=60, env=os.environ | {"XYLEM_XMPP_SECRET": "s3cret"})
        return None if done.returncode == 0 else done.stdout + done.stderr


def main():
    source, xylemd = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    pages = [source / "README.md", *sorted(source.glob("docs/*.md")), *sorted(source.glob("examples/*/README.md"))]
    count = failed = 0
    for page in pages:
        for line, text in configurations(page.read_text(encoding="utf-8")):
            if any(f"{kind}:" in text for kind in FOREIGN):
                continue
            count += 1
            if wrong := problem(text, xylemd):
                failed += 1
                print(f"{page.relative_to(source)}:{line}: {wrong}")
    print(f"{count} configurations in the pages, {failed} are not good")
    return 1 if failed or count < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
