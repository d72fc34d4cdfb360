# SPDX-License-Identifier: Apache-2.0
"""Reads the files of cases: what a jq program makes of an input.

    # a comment
    jq: .a, .b          a program; several lines of it follow each other
    in: {"a":1}         an input; without one the program has none (-n)
    out: 1              what it prints, in order, as `jq -c` would
    out: null
    error: TEXT         what it ends with; after what it printed before
    refused: TEXT       instead of out and error: it is not compiled
    differs PEER: KEY   that PEER (jq16, jq17, gojq) says something else, with the reason of that name in `reasons`

An empty line ends a case. A `jq:` line beginning another case may follow at once only after such a line.
"""

import os


class Case:
    def __init__(self, file, line):
        self.file, self.line = os.path.basename(file), line
        self.program = []
        self.inputs = []
        self.outputs = []
        self.error = None
        self.refused = None
        self.differs = {}

    @property
    def name(self):
        return f"{self.file}:{self.line}"

    @property
    def text(self):
        return "\n".join(self.program)


def _take(case, word, rest, where):
    if word == "jq":
        case.program.append(rest)
    elif word == "in":
        case.inputs.append(rest)
    elif word == "out":
        case.outputs.append(rest)
    elif word == "error" and case.error is None:
        case.error = rest
    elif word == "refused" and case.refused is None:
        case.refused = rest
    elif word.startswith("differs ") and word[8:] in ("jq16", "jq17", "gojq"):
        case.differs[word[8:]] = rest
    else:
        raise ValueError(f"{where}: {word}: not a word of a case, or there twice")


def read(path):
    """The cases of one file."""
    cases, case = [], None
    for number, line in enumerate(open(path, encoding="utf-8").read().split("\n"), 1):
        if not line.strip():
            case = None
            continue
        if line.startswith("#"):
            continue
        word, colon, rest = line.partition(":")
        if not colon:
            raise ValueError(f"{path}:{number}: no word before a colon")
        if case is None:
            case = Case(path, number)
            cases.append(case)
        _take(case, word, rest[1:] if rest.startswith(" ") else rest, f"{path}:{number}")
    return cases


def reasons(path):
    """Why peers differ: name -> sentence."""
    found = {}
    for line in open(path, encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            name, _, sentence = line.strip().partition(": ")
            found[name] = sentence
    return found
