#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same documents through python3's json: accepted by both or by neither, same values.

Python reads a little more than RFC 8259 (NaN, lone surrogates); that is taken out below.
"""
import json
import random
import subprocess
import sys
from decimal import Decimal

SCALARS = ["null", "true", "false", "0", "-0", "19.99", "12345678901234567890", "1e-400", "1E+5",
           '""', '"abc"', '"\\u00e9\\ud83c\\udf4f"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"Müller"',
           '"sixteen bytes and more of them"', '"🍏"', '"\u2028"']
PIECES = ["{", "}", "[", "]", ",", ":", '"', "\\", "\\u", "d800", "0", "1", "-", "+", ".", "e", " ",
          "\t", "\x00", "\x1f", "\x7f", "é", "\ufeff", "nul", "true", "NaN", "/", "'"]


def value(rng, depth=0):
    kind = 0 if depth > 5 else rng.randrange(4)
    space = rng.choice(["", "", "", " ", "\n", "\r\n\t"])
    if kind < 2:
        return space + rng.choice(SCALARS) + space
    items = [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 2:
        return space + "[" + ",".join(items) + "]" + space
    names = ['"k%d"' % rng.randrange(3) if rng.random() < 0.9 else '"\\u006b1"' for _ in items]
    return space + "{" + ",".join(n + space + ":" + i for n, i in zip(names, items)) + "}" + space


def broken(rng, text):
    for _ in range(rng.randrange(3)):
        at = rng.randrange(len(text) + 1)
        if rng.random() < 0.5:
            text = text[:at] + rng.choice(PIECES) + text[at:]
        else:
            text = text[:at] + text[at + 1:]
    return text.encode()


def numbers(rng):
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 40))).lstrip("0") or "0"
    text = rng.choice(["", "-"]) + digits
    if rng.random() < 0.6:
        text += "." + "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 40)))
    if rng.random() < 0.6:
        text += rng.choice("eE") + rng.choice(["", "+", "-"]) + str(rng.randrange(0, 340))
    return text.encode()


def refuse(name):
    raise ValueError(name)


def paired(item):
    if isinstance(item, str):
        item.encode()  # raises on a lone surrogate
    elif isinstance(item, list):
        for child in item:
            paired(child)
    elif isinstance(item, dict):
        for name, child in item.items():
            paired(name)
            paired(child)


def read_all(text):
    """With every member of a repeated name, so that an earlier one is looked at too."""
    return json.loads(text, parse_constant=refuse, parse_float=Decimal, parse_int=Decimal,
                      object_pairs_hook=lambda pairs: [list(pair) for pair in pairs])


def main():
    rng = random.Random(5280)
    documents = [broken(rng, value(rng)) for _ in range(20000)] + [numbers(rng) for _ in range(20000)]
    stream = b"".join(b"%d\n%s" % (len(d), d) for d in documents)
    lines = subprocess.run([sys.argv[1]], input=stream, stdout=subprocess.PIPE, check=True).stdout
    lines = lines.decode().split("\n")[:-1]
    taken = refused = 0
    if len(lines) != len(documents):
        sys.exit("%d answers to %d documents" % (len(lines), len(documents)))
    for document, line in zip(documents, lines):
        again, number = line.rsplit(" ", 1)
        try:
            text = document.decode()
            paired(read_all(text))
            want = json.loads(text, parse_constant=refuse, parse_float=Decimal, parse_int=Decimal)
        except ValueError:
            refused += 1
            if again != "no":
                sys.exit("taken, but not by python: %r" % document)
            continue
        taken += 1
        if again == "no":
            sys.exit("refused, but not by python: %r" % document)
        got = json.loads(again, parse_float=Decimal, parse_int=Decimal)
        if got != want:
            sys.exit("%r is read as %r" % (document, got))
        if number != "-" and float.fromhex(number) != float(text):
            sys.exit("%r is read as %s" % (document, number))
    print("%d documents: %d accepted, %d refused, by both" % (len(documents), taken, refused))
    if taken < 5000 or refused < 5000:
        sys.exit("too few of one kind to show anything")


main()
