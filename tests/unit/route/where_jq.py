#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`where` against the jq program: a few thousand expressions from a seeded grammar, each over several events.

Both must say yes, say no, or raise an error. Expressions go to jq many at a time, since each start
of jq costs more than a hundred answers. Numbers stay within what a double returns, since jq 1.6
has doubles and `where` is exact; strings have no U+0000, at which jq 1.6 stops looking.
"""
import json
import random
import subprocess
import sys

NAMES = ["a", "b", "c d", "order", "lines", "qty", "é"]
STRINGS = ['""', '"a"', '"ab"', '"b"', '"order.created"', '"é"', '"\\u0061b"', '"🍏"', '"\\""', '"10"']
NUMBERS = ["0", "1", "-1", "1.0", "10", "19.99", "1e2", "100", "-0.5", "9007199254740991"]
ATTRIBUTES = [".type", ".subject", ".id", ".source", ".time", ".ext", ".specversion", ".datacontenttype"]


def event_value(rng, depth=0):
    kind = rng.randrange(4 if depth > 3 else 7)
    if kind == 0:
        return rng.choice(["null", "true", "false"])
    if kind == 1:
        return rng.choice(NUMBERS)
    if kind < 4:
        return rng.choice(STRINGS)
    if kind == 4:
        return "[" + ",".join(event_value(rng, depth + 1) for _ in range(rng.randrange(4))) + "]"
    members = [json.dumps(rng.choice(NAMES), ensure_ascii=rng.random() < .5) + ":" + event_value(rng, depth + 1)
               for _ in range(rng.randrange(5))]
    return "{" + ",".join(members) + "}"


def event(rng):
    text = '{"specversion":"1.0","id":%s,"source":"s","type":%s' % (
        rng.choice(STRINGS[1:]), rng.choice(['"order.created"', '"order.changed"', '"a"']))
    if rng.random() < .5:
        text += ',"subject":' + rng.choice(STRINGS)
    if rng.random() < .3:
        text += ',"ext":' + rng.choice(STRINGS)
    kind = rng.randrange(8)
    if kind == 0:
        return text + "}"
    if kind == 1:
        return text + ',"datacontenttype":"text/plain","data":%s}' % rng.choice(STRINGS)
    if kind == 2:
        return text + ',"datacontenttype":"image/png","data_base64":"/w=="}'
    return text + ',"data":%s}' % event_value(rng)


def suffix(rng):
    kind = rng.randrange(10)
    if kind < 5:
        name = rng.choice([n for n in NAMES if n.isascii() and " " not in n])
        text = "." + name
    elif kind < 6:
        text = '."%s"' % rng.choice(NAMES)
    elif kind < 7:
        text = '["%s"]' % rng.choice(NAMES)
    else:
        text = "[%s]" % rng.choice(["0", "1", "-1", "-2", "5", "-9"])
    # a space, since `?` and a following `//` would be one word
    return text + ("? " if rng.random() < .12 else "")


def path(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(ATTRIBUTES)
    if kind == 1:
        return "."
    text = ".data"
    for _ in range(rng.randrange(4)):
        text += suffix(rng)
    return text


def test(rng):
    return rng.choice([
        lambda: "not", lambda: "length", lambda: "type",
        lambda: "has(%s)" % rng.choice(['"a"', '"order"', '"é"', '"data"', '"subject"', "0", "1", "-1"]),
        lambda: "startswith(%s)" % rng.choice(STRINGS), lambda: "endswith(%s)" % rng.choice(STRINGS),
        lambda: "contains(%s)" % rng.choice(STRINGS),
        lambda: "IN(%s)" % ",".join(rng.choice(STRINGS + NUMBERS + ["null", "true"])
                                    for _ in range(rng.randrange(1, 4)))])()


def whole(rng, depth):
    """What may give the event itself, and a look into it."""
    text = rng.choice([
        lambda: "select(%s)" % pipe(rng, depth + 1),
        lambda: "(%s // .)" % path(rng),
        lambda: "(if %s then %s else . end)" % (comparison(rng, depth + 1), path(rng))])()
    return text + rng.choice(["", ".type", ".subject", ".data", '["data"]', ".ext", ".id"])


def term(rng, depth):
    kind = rng.randrange(13)
    if kind == 12 and depth < 4:
        return whole(rng, depth)
    if kind < 5 or depth > 4:
        return path(rng)
    if kind < 8:
        return rng.choice(STRINGS + NUMBERS + ["null", "true", "false"])
    if kind < 9:
        return test(rng)
    if kind < 10:
        return "(%s)" % pipe(rng, depth + 1)
    return "(%s | %s)" % (path(rng), test(rng))


def comparison(rng, depth):
    text = term(rng, depth)
    if rng.random() < .6:
        text += " %s %s" % (rng.choice(["==", "!=", "<", "<=", ">", ">="]), term(rng, depth))
    return text


def junction(rng, depth):
    return rng.choice([" and ", " or "]).join(comparison(rng, depth) for _ in range(rng.choice([1, 1, 2, 3])))


def alternative(rng, depth):
    return " // ".join(junction(rng, depth) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def pipe(rng, depth=0):
    return " | ".join(alternative(rng, depth) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def jq(expressions, events):
    """For each event, for each expression: true, false or error."""
    program = ",".join('(try [%s] catch "error" | if . == "error" then . else (.[0] // false | . != false) end)' % e
                       for e in expressions)
    out = subprocess.run(["jq", "-c", "[%s]" % program], input="\n".join(events).encode(),
                         stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in out.decode().splitlines()]


def main():
    rng = random.Random(2026)
    count = {"true": 0, "false": 0, "error": 0}
    for _ in range(40):
        expressions = [pipe(rng) for _ in range(60)]
        events = [event(rng) for _ in range(10)]
        lines = "".join("%s\t%s\n" % (e, v) for v in events for e in expressions)
        ours = subprocess.run([sys.argv[1]], input=lines.encode(), stdout=subprocess.PIPE,
                              check=True).stdout.decode().splitlines()
        theirs = [json.dumps(answer).strip('"') for row in jq(expressions, events) for answer in row]
        if len(ours) != len(theirs):
            sys.exit("%d answers of ours to %d of jq" % (len(ours), len(theirs)))
        for line, mine, other in zip(lines.splitlines(), ours, theirs):
            if mine != other:
                sys.exit("where: %s, jq: %s\n%s" % (mine, other, line.replace("\t", "\n")))
            count[other] += 1
    print("%d answers, each the same as jq's: %s" % (sum(count.values()), count))
    if min(count.values()) < 1000:
        sys.exit("too few of one kind to show anything")


main()
