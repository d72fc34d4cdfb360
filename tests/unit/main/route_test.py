#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""xylemd test: each row is a test as a user writes it, and what the command says about it."""

import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

CONFIG = """
bus: { name: t, data: "${NOWHERE}/data" }
console: { listen: "127.0.0.1:${NO_PORT}" }
users: { ops: { role: operator, token: { file: absent.token } } }
connectors:
  shop: { webhook: { path: /shop, verify: standard-webhooks, secret: { env: NO_SUCH_SECRET } } }
  erp: { http: { url: "http://${NO_HOST}/x" } }
topics: { t: { title: T } }
routes:
  plain:
    from: [shop, "topic:t"]
    where: .type == "order" and .data.n > 0
    steps:
      - set: { /data/seen: true, /subject: "s" }
      - remove: [/data/secret]
      - validate: { schema: s.json }
    to: [erp]
  raw:
    from: [shop]
    to: [erp]
  variable:
    from: [shop]
    steps: [ { set: { /data/v: "${VALUE}" } } ]
    to: [erp]
"""
SCHEMA = '{"properties": {"n": {"maximum": 10}}}'

# (members of the test, exit code, what the output has)
ROWS = [
    ("event: { type: order, data: { n: 1, secret: x } }\n    expect: { data: { n: 1.0, seen: true } }", 0, "ok"),
    ("event: { type: order, data: { n: 1 } }\n    expect: { data: { n: 2, seen: true, more: [1] } }", 1,
     "/n: expected 2, is 1\n      /more: expected [1], is not there"),
    ("event: { type: order, data: { n: 1 } }\n    expect: { data: { n: 1 } }", 1, "/seen: not expected, is true"),
    ("event: { type: order, data: { n: 1, a: [1, { b: 2 }] } }\n    expect: { event: { data: { n: 1, a: [1, { b: 3 }], "
     "seen: true } } }", 1, "/data/a/1/b: expected 3, is 2"),
    ("event: { type: order, data: { n: 1, a/b: [1, 2] } }\n    expect: { data: { n: 1, a/b: [1], seen: true } }", 1,
     "/a~1b/1: not expected, is 2"),
    ("event: { type: order, data: { n: 1 } }\n    expect: { event: { subject: s, type: order } }", 0, "ok"),
    ("event: { type: order, data: { n: 1 } }\n    expect: { event: { subject: t } }", 1, '/subject: expected "t", is "s"'),
    ("event: { type: other, data: { n: 1 } }\n    expect: filtered", 0, "ok"),
    ("event: { type: order, data: { n: 1 } }\n    expect: filtered", 1, "expected filtered, is delivered"),
    ("event: { type: order, from: erp, data: {} }\n    expect: not-taken", 0, "ok"),
    ("event: { type: order, from: erp, data: {} }\n    expect: filtered", 1,
     "is not-taken\n      the event is from `erp`, the route takes from `shop`, `topic:t`"),
    ("event: { type: order, from: 'topic:t', data: { n: 1 } }\n    expect: { outcome: delivered }", 0, "ok"),
    ("event: { type: order, data: { n: 11 } }\n    expect: { code: schema, step: 3, error: maximum 10 }", 0, "ok"),
    ("event: { type: order, data: { n: 11 } }\n    expect: { code: schema, step: 2 }", 1, "step 3 validate fails, schema: /n"),
    ("event: { type: order, data: { n: 11 } }\n    expect: { data: {} }", 1, "expected delivered, is case"),
    ("event: { type: order, data_text: 'no json' }\n    expect: { step: 0, code: where-error }", 0, "ok"),
    ("event: { type: order, data: { n: 11 } }\n    step: 1\n    expect: { data: { n: 11, seen: true } }", 0, "ok"),
    ("event: { data_file: d.json }\n    step: 2\n    expect: { data_text: '{\"n\":1.10,\"big\":12345678901234567890}' }", 0,
     "ok"),
    ("event: { data_file: d.json }\n    step: 2\n    expect: { data: { n: 1.1, big: 12345678901234567891 } }", 1,
     "/big: expected 12345678901234567891, is 12345678901234567890"),
    ("event: { data: null }\n    step: 3\n    expect: { data: null }", 0, "ok"),
    ("event: { data: 1 }\n    step: 4\n    expect: { data: 1 }", 1, "has 3 steps, no step 4"),
    ("event: { data: 1, data_text: x }\n    expect: { data: 1 }", 2, "more than one of `data`"),
    ("event: { data: 1 }\n    expect: { data: 1, code: x }", 2, "another outcome than `delivered`"),
    ("event: { data: 1 }\n    expect: { dta: 1 }", 2, "did you mean"),
    ("event: { data: 1 }\n    expect: nothing", 2, "delivered, filtered, case or not-taken"),
    ("event: { data: 1 }", 2, "`expect` is missing"),
    ("event: { data: 1, time: yesterday }\n    expect: { data: 1 }", 1, "`event` is no event"),
    ("now: never\n    expect: filtered", 2, "`now` is no time"),
]


def run(xylemd, folder, text, *arguments):
    path = folder / "x.test.yaml"
    path.write_text(text)
    return subprocess.run([xylemd, "test", *arguments, path], capture_output=True, text=True, errors="replace", timeout=60, check=False)


def main():
    xylemd = sys.argv[1]
    failed = 0
    cases = [(f"config: c.yaml\ntests:\n  - name: it\n    route: plain\n    {row}\n", code, text) for row, code, text in ROWS]
    variable = "tests: [ { name: v, route: variable, event: { data: {} }, expect: { data: { v: %s } } } ]\n"
    cases += [
        ("config: c.yaml\n" + variable % "'${VALUE}'", 0, "1 passed, 0 failed"),
        ("config: c.yaml\nenvironment: { VALUE: w }\n" + variable % "w", 0, "1 passed, 0 failed"),
        ("config: c.yaml\ntests: []\n", 2, "no list of 1 to"),
        ("config: gone.yaml\n" + variable % 1, 2, "gone.yaml"),
        ("config: c.yaml\ntests: [ { name: n, route: nowhere, expect: filtered } ]\n", 1, "there is no route `nowhere`"),
        ("config: c.yaml\ntests: [ { name: n, route: plian, expect: filtered } ]\n", 1, "did you mean `plain`?"),
        ("config: c.yaml\ntests: [ { name: \"two\\nlines\", route: plain, expect: filtered } ]\n", 0, ": two lines\n"),
        ("", 2, "the file is empty"),
    ]
    print(f"1..{len(cases) + 4}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "c.yaml").write_text(CONFIG)
        (folder / "s.json").write_text(SCHEMA)
        (folder / "d.json").write_text('{"n":1.10,"big":12345678901234567890,"secret":1}')
        for number, (text, code, wanted) in enumerate(cases, 1):
            done = run(xylemd, folder, text)
            good = done.returncode == code and wanted in done.stdout + done.stderr
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {' '.join(text.split())[:100]}")
            if not good:
                print(f"# expected {code} and {wanted!r}: {done.returncode}\n# {done.stdout}{done.stderr}".replace("\n", "\n# "))
        for number, check in enumerate((junit, junit_text, junit_broken, environments), len(cases) + 1):
            fault = check(xylemd, folder)
            failed += bool(fault)
            print(f"{'not ok' if fault else 'ok'} {number} - {check.__name__}" + f"\n{fault}".replace("\n", "\n# ") * bool(fault))
    return failed > 0


def suites(folder):
    return list(xml.etree.ElementTree.parse(folder / "out.xml").getroot())


def junit(xylemd, folder):
    row = "  - name: a <%s>\n    route: plain\n    event: { data: 1 }\n    step: 3\n    expect: { data: %d }\n"
    text = "config: c.yaml\ntests:\n" + row % ("good", 1) + row % ("bad", 2) + row % ("other", 1)
    done = run(xylemd, folder, text, "--junit", folder / "out.xml", "--only", "d>")
    suite = suites(folder)[0]
    cases = {case.get("name"): [failure.text for failure in case] for case in suite}
    good = (done.returncode == 1 and suite.get("tests") == "2" and suite.get("failures") == "1" and
            cases == {"a <good>": [], "a <bad>": ["      the value: expected 2, is 1\n"]})
    return "" if good else f"{done.returncode} {cases}"


def junit_text(xylemd, folder):
    """What XML cannot hold: control characters, two code points, bytes that are no UTF-8. A byte each is told."""
    (folder / "bytes").write_bytes(b"a\xff\xc3b")
    text = ('config: c.yaml\ntests:\n  - name: "a \\u0001\\u001b\\ufffe\\t]]>&\\n\U0001d11e"\n    route: raw\n'
            "    event: { datacontenttype: text/plain, data_file: bytes }\n    expect: { data_text: \"x\\u0002é\" }\n")
    done = run(xylemd, folder, text, "--junit", folder / "out.xml")
    case = suites(folder)[0][0]
    good = (done.returncode == 1 and case.get("name") == "a " + 5 * "\ufffd" + "\t]]>&\n\U0001d11e" and
            "expected `x\ufffdé`, is `a" in case[0].text and "?b`" in case[0].text)
    return "" if good else f"{done.returncode} {case.get('name')!r} {case[0].text!r}"


def junit_broken(xylemd, folder):
    """A file that cannot be run is an error in the report, not a gap."""
    done = run(xylemd, folder, "config: c.yaml\ntests: [ { nam: x } ]\n", "--junit", folder / "out.xml")
    suite = suites(folder)[0]
    good = (done.returncode == 2 and suite.get("errors") == "1" and suite[0][0].tag == "error" and
            "did you mean `name`?" in suite[0][0].text)
    return "" if good else f"{done.returncode} {xml.etree.ElementTree.tostring(suite)}"


def environments(xylemd, folder):
    """What one file sets, the next does not see."""
    both = folder / "both"
    both.mkdir()
    test = "tests: [ { name: v, route: variable, event: { data: {} }, expect: { data: { v: %s } } } ]\n"
    (both / "a.test.yaml").write_text("config: ../c.yaml\nenvironment: { VALUE: w }\n" + test % "w")
    (both / "b.test.yaml").write_text("config: ../c.yaml\n" + test % "'${VALUE}'")
    done = subprocess.run([xylemd, "test", both], capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 and "2 passed" in done.stdout else done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
