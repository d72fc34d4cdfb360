#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Has Meson run programs that end in every way, and looks at what tests/summary.py makes of each: TAP comes out.

A failure that does not reach the last line of ./check is not seen by anybody.
"""

import pathlib
import subprocess
import sys
import tempfile

SUMMARY = pathlib.Path(__file__).resolve().parents[1] / "summary.py"

# Name, protocol, what the program does, and how its line begins (None: nothing is said about it).
ENDS = [
    ("passes", "tap", "echo 1..1; echo ok 1 - a", None),
    ("one case fails", "tap", "echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1", "FAILED: one case fails: 2 - b"),
    ("a case says why", "tap", "echo 1..1; echo not ok 1 - a; echo '# at b'; echo '# AssertionError: c'; echo '# more'; exit 1",
     "FAILED: a case says why: 1 - a: AssertionError: c"),
    ("a case is skipped", "tap", "echo 'ok 1 - a # SKIP it has no probe'; echo ok 2 - b; echo 1..2",
     "skipped: a case is skipped: 1 - a: it has no probe"),
    ("all is skipped", "tap", "echo '1..0 # SKIP not on this machine'",
     "skipped: all is skipped: not on this machine"),
    ("77", "exitcode", "echo no such program here; exit 77", "skipped: 77: no such program here"),
    ("leaks at its end", "tap", "echo 1..1; echo ok 1 - a; exit 23", "FAILED: leaks at its end: ERROR, exit status 23"),
    ("aborts", "tap", "echo 1..1; echo ok 1 - a; kill -ABRT $$", "FAILED: aborts: ERROR"),
    ("ends too early", "tap", "echo 1..2; echo ok 1 - a", "FAILED: ends too early: ERROR, exit status 0"),
    ("bails out", "tap", "echo 1..2; echo ok 1 - a; echo 'Bail out! no server'", "FAILED: bails out: ERROR"),
    ("hangs", "tap", "echo 1..1; echo ok 1 - a; exec sleep 60", "FAILED: hangs: TIMEOUT"),
    ("hangs without cases", "exitcode", "exec sleep 60", "FAILED: hangs without cases: TIMEOUT"),
]


def project(folder):
    lines = ["project('demo')"]
    for number, (name, protocol, script, _) in enumerate(ENDS):
        program = folder / f"{number}.sh"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        patience = 2 if name.startswith("hangs") else 60
        lines.append(f"test('{name}', find_program('{number}.sh'), protocol: '{protocol}', suite: 's',\n"
                     f"  timeout: {patience})")
    (folder / "meson.build").write_text("\n".join(lines) + "\n")


def summary(file):
    made = subprocess.run([sys.executable, SUMMARY, file], capture_output=True, text=True)
    return made.returncode, made.stdout.splitlines()


def main():
    results = []
    with tempfile.TemporaryDirectory(prefix="xylem-summary-") as name:
        folder = pathlib.Path(name)
        project(folder)
        subprocess.run(["meson", "setup", folder / "b", folder], check=True, capture_output=True)
        subprocess.run(["meson", "test", "-C", folder / "b"], capture_output=True)
        logs = folder / "b/meson-logs"
        file = (logs / "testlog.junit.xml").rename(folder / "run.xml")
        (logs / "testlog.json").rename(folder / "run.json")
        status, lines = summary(file)
        for test, _, _, wanted in ENDS:
            said = [line for line in lines if f"{test}:" in line]
            results.append((test, len(said) == (wanted is not None) and all(line.startswith(wanted) for line in said)))
        results.append(("the last line counts them", status == 1 and ", 8 failed, 3 skipped" in lines[-1]))
        (folder / "run.xml").write_text("<testsuites><testsuite name='demo'><testcase name='a'/></testsuite></testsuites>")
        (folder / "run.json").write_text('{"name": "a", "result": "OK", "returncode": 0}\n')
        results.append(("all passed", summary(file)[0] == 0))
        (folder / "run.json").unlink()
        results.append(("without the JSON lines nothing has passed", summary(file)[0] == 1))
    for line in lines:
        print(f"# {line}")
    print(f"1..{len(results)}")
    for number, (test, good) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {test}")
    return 0 if all(good for _, good in results) else 1


if __name__ == "__main__":
    sys.exit(main())
