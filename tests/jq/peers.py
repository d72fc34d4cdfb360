# SPDX-License-Identifier: Apache-2.0
"""Runs one program on one input in each implementation of jq, and compares what they say.

Values are compared by value (numbers exactly, members without their order), since gojq sorts members and
prints numbers in its own form. What an error says is not compared: that they fail is.
"""

import decimal
import json
import os
import re
import shutil
import subprocess

REFUSED = 3  # exit code of a program that does not compile


class Result:
    def __init__(self, outputs, error, refused):
        self.outputs, self.error, self.refused = outputs, error, refused

    def text(self):
        lines = [f"out: {line}" for line in self.outputs]
        if self.refused is not None:
            lines.append(f"refused: {self.refused}")
        if self.error is not None:
            lines.append(f"error: {self.error}")
        return "\n".join(lines) or "nothing"


def _message(stderr):
    """The text of an error, without who says it and where."""
    first = stderr.strip().split("\n")[0] if stderr.strip() else ""
    found = re.match(r"(?:[\w ]*jq: error(?: \(at [^)]*\))?(?: \(not a string\))?: |gojq: (?:error: )?)(.*)", first)
    return found.group(1) if found else first


def run(command, program, inputs, timeout=120):
    """Runs `command -c PROGRAM` on the inputs, one a line."""
    arguments = command + ["-c"] + ([] if inputs else ["-n"])
    arguments.append(" " + program if program.startswith("-") else program)
    done = subprocess.run(
        arguments, input="\n".join(inputs) + "\n", capture_output=True, text=True, errors="replace",
        timeout=timeout, env={**os.environ, "PAGER": "less", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"})
    outputs = [line for line in done.stdout.split("\n") if line]
    if done.returncode < 0 or "AddressSanitizer" in done.stderr or "runtime error:" in done.stderr:
        return Result(outputs, f"died: {done.returncode} {done.stderr[:2000]}", None)
    if done.returncode == REFUSED:
        return Result([], None, _message(done.stderr))
    return Result(outputs, _message(done.stderr) if done.returncode != 0 else None, None)


def _value(text):
    def constant(name):
        return f"constant {name}"

    def pairs(items):
        return ("object", tuple(sorted(dict(items).items(), key=lambda item: item[0])))

    def freeze(value):
        return ("array", tuple(freeze(item) for item in value)) if isinstance(value, list) else value

    def deep(value):
        if isinstance(value, tuple) and value and value[0] == "object":
            return ("object", tuple((name, deep(item)) for name, item in value[1]))
        if isinstance(value, list):
            return ("array", tuple(deep(item) for item in value))
        if isinstance(value, (bool, type(None))):
            return ("constant", value)
        return value

    try:
        return deep(json.loads(text, parse_float=decimal.Decimal, parse_int=decimal.Decimal,
                               parse_constant=constant, object_pairs_hook=pairs))
    except (ValueError, RecursionError, decimal.InvalidOperation):
        return ("text", text)


def same(expected, outputs, failed):
    """True when a peer's result is the expected one of a case."""
    if expected.refused is not None:
        return failed.refused is not None
    if failed.refused is not None or (expected.error is None) != (failed.error is None):
        return False
    if expected.outputs == outputs:
        return True
    return [_value(line) for line in expected.outputs] == [_value(line) for line in outputs]


def peers():
    """name -> command of what is installed here: Debian's jq 1.6, gojq, and jq 1.7 where JQ17 names one."""
    found = {}
    for name, path in (("jq16", shutil.which("jq")), ("gojq", shutil.which("gojq")), ("jq17", os.environ.get("JQ17"))):
        if path:
            found[name] = [path]
    if "jq16" in found:
        version = subprocess.run(found["jq16"] + ["--version"], capture_output=True, text=True).stdout.strip()
        if not version.startswith("jq-1.6"):
            del found["jq16"]
            if version.startswith("jq-1.7"):
                found["jq17"] = [shutil.which("jq")]
    return found
