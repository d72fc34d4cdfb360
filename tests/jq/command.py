#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""xylemd jq as a command: options, streams, exit codes. Debian's jq is asked the same where it has the option."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# (arguments, standard input, standard output, exit code, part of standard error)
ROWS = [
    (["-c", "."], '{"a": [1,  2]} 3 "x"\n\n[4]', '{"a":[1,2]}\n3\n"x"\n[4]\n', 0, ""),
    (["."], '{"a":[1,{"b":null}],"c":[],"d":{}}',
     '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "c": [],\n  "d": {}\n}\n', 0, ""),
    (["--tab", "."], '[1]', "[\n\t1\n]\n", 0, ""),
    (["--indent", "1", "."], '{"a":[1]}', '{\n "a": [\n  1\n ]\n}\n', 0, ""),
    (["--indent", "0", "."], '{"a": [1]}', '{"a":[1]}\n', 0, ""),
    (["--indent", "9", "."], "1", "", 2, "indent"),
    (["-r", ".[]"], '["a","b\\nc",1,{"d":"e"}]', 'a\nb\nc\n1\n{\n  "d": "e"\n}\n', 0, ""),
    (["-j", ".[]"], '["a",1,"b"]', "a1b", 0, ""),
    (["-a", "."], '"é𝄞a"', '"\\u00e9\\ud834\\udd1ea"\n', 0, ""),
    (["-Sc", "."], '{"b":1,"a":{"d":1,"c":2}}', '{"a":{"c":2,"d":1},"b":1}\n', 0, ""),
    (["-n", "1, 2"], "3", "1\n2\n", 0, ""),
    (["-nc", "[inputs]"], "1 2 3", "[1,2,3]\n", 0, ""),
    (["-c", "[., input]"], "1 2 3 4", "[1,2]\n[3,4]\n", 0, ""),
    (["-c", "[., input]"], "1 2 3", "[1,2]\n", 5, "No more inputs"),
    (["-n", "reduce inputs as $x (0; . + $x)"], "1 2 3", "6\n", 0, ""),
    (["-n", "first(inputs)"], "1 2", "1\n", 0, ""),
    (["-c", "., [limit(1; inputs)]"], "1 2 3", "1\n[2]\n3\n[]\n", 0, ""),
    (["-sc", "."], '1 "a" [2]', '[1,"a",[2]]\n', 0, ""),
    (["-sc", "."], "", "[]\n", 0, ""),
    (["-R", "."], 'a line\n{"not":json\nlast', '"a line"\n"{\\"not\\":json"\n"last"\n', 0, ""),
    (["-Rs", "."], "a\nb\n", '"a\\nb\\n"\n', 0, ""),
    (["-nR", "[inputs] | length"], "a\nb\n", "2\n", 0, ""),
    (["-nc", "--arg", "x", "1", "--argjson", "y", '{"a":2}', "[$x, $y, $ARGS.named]"], "",
     '["1",{"a":2},{"x":"1","y":{"a":2}}]\n', 0, ""),
    (["-nc", "$ARGS.positional", "--args", "a", "b"], "", '["a","b"]\n', 0, ""),
    (["-nc", "$ARGS.positional", "--jsonargs", "1", '{"a":2}'], "", '[1,{"a":2}]\n', 0, ""),
    (["-nc", "--slurpfile", "f", "FILE", "--rawfile", "g", "FILE", "[$f, $g]"], "", '[[1,{"a":2}],"1\\n{\\"a\\":2}\\n"]\n', 0, ""),
    (["-c", ".", "FILE", "FILE"], "", '1\n{"a":2}\n1\n{"a":2}\n', 0, ""),
    (["-f", "PROGRAM", "FILE"], "", "2\n", 0, ""),
    (["-c", ".", "GONE", "FILE"], "", '1\n{"a":2}\n', 2, "GONE"),
    (["--seq", "."], "1", "\x1e1\n", 0, ""),
    (["--raw-output0", ".[]"], '["a","b"]', "a\0b\0", 0, ""),
    (["-e", "."], "1", "1\n", 0, ""),
    (["-e", "."], "null", "null\n", 1, ""),
    (["-e", "."], "1 false", "1\nfalse\n", 1, ""),
    (["-e", "empty"], "1", "", 4, ""),
    (["."], '{"a":1} {"a":', '{\n  "a": 1\n}\n', 2, "error"),
    (["."], "[1,2] nope", "[\n  1,\n  2\n]\n", 2, "error"),
    (["."], '"\\ud800"', "", 2, "error"),
    ([".a"], '[1] {"a":2}', "2\n", 5, "Cannot index array with string \"a\""),
    (["error"], '{"a":1}', "", 5, '(not a string): {"a":1}'),
    (["1 +"], "1", "", 3, "compile"),
    (["halt"], "1 2", "", 0, ""),
    (["., halt_error"], '"bye\\n" 2', '"bye\\n"\n', 5, "bye\n"),
    (["halt_error(3)"], "{}", "", 3, "{}\n"),
    (["-c", "[.[] | debug]"], "[1]", "[1]\n", 0, '["DEBUG:",1]'),
    (["-r", "$ENV.GREETING, env.GREETING"], "1", "hello\nhello\n", 0, ""),
    (["-nc", '-L', "FOLDER", 'import "m" as m; m::twice(3), (import_none? // 1)'], "", "", 3, "import_none"),
    (["-nc", '-L', "FOLDER", 'import "m" as m; import "d" as $d; [m::twice(3), $d::d]'], "", "[6,[5]]\n", 0, ""),
    (["-c", "."], "[" * 10000 + "]" * 10000, "", 2, "error"),
    (["--step", "-n", "input"], "1", "", 3, "input"),
    (["--step", "-n", "[range(1e12)] | length"], "", "", 5, "limit"),
    (["--step", "-n", "def f: f; f"], "", "", 5, "limit"),
    (["--nosuch", "."], "1", "", 2, "nosuch"),
    ([], "", "", 2, "usage"),
    (["-n", "--argjson", "x", "{", "."], "", "", 2, "argjson"),
]
# Rows in which jq 1.6 has not the option, or another output by design.
NOT_IN_1_6 = ("--raw-output0", "--step", "--indent 9", "--seq", "GONE", "--nosuch", "import_none", "halt_error", "error", "usage",
              "Cannot index array")  # jq looks at the last input only for its exit code


def blocks_differ(xylemd, folder):
    """Documents that end in the middle of a block, and one larger than many."""
    path = folder / "large.json"
    text = "".join(f'{{"n": {i}, "text": "{"x" * (i % 700)}"}}\n' for i in range(6000))
    large = '["' + "y" * 3_000_000 + '"]'
    path.write_text(text + large + " 17")
    done = subprocess.run([xylemd, "jq", "-c", "if type == \"object\" then .n else length end", path], capture_output=True,
                          text=True, timeout=120, check=False)
    wanted = "".join(f"{i}\n" for i in range(6000)) + "1\n17\n"
    if (done.returncode, done.stdout) != (0, wanted):
        return f"{done.returncode} {done.stdout[-300:]} {done.stderr[-300:]}"
    done = subprocess.run([xylemd, "jq", "-n", "[inputs | .n? // 0] | length, add", path], capture_output=True, text=True,
                          timeout=120, check=False)
    return None if done.stdout == f"6002\n{sum(range(6000))}\n" else done.stdout + done.stderr


def run(command, arguments, given, folder):
    files = {"FILE": folder / "file.json", "PROGRAM": folder / "program.jq", "GONE": folder / "GONE", "FOLDER": folder}
    arguments = [str(files.get(argument, argument)) for argument in arguments]
    return subprocess.run([*command, *arguments], input=given.encode(), capture_output=True, timeout=120, check=False,
                          env={**os.environ, "GREETING": "hello"})


def main():
    xylemd, jq = sys.argv[1], shutil.which("jq")
    failed = 0
    print(f"1..{len(ROWS) + 1}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "file.json").write_text('1\n{"a":2}\n')
        (folder / "program.jq").write_text("# the second\nobjects | .a\n")
        (folder / "m.jq").write_text("def twice($x): $x * 2;\n")
        (folder / "d.json").write_text("5")
        for number, (arguments, given, out, code, error) in enumerate(ROWS, 1):
            done = run([xylemd, "jq"], arguments, given, folder)
            text, said = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
            good = (text, done.returncode) == (out, code) and error in said and (error or code or not said)
            title = " ".join(arguments)
            faults = [] if good else [f"{done.returncode} {text[:500]!r} {said[:1500]!r}, not {code} {out!r} {error!r}"]
            if jq and not any(part in title + error for part in NOT_IN_1_6) and len(given) < 10000:
                peer = run([jq], arguments, given, folder)
                if (peer.stdout.decode(errors="replace"), peer.returncode) != (out, code):
                    faults.append(f"jq says {peer.returncode} {peer.stdout!r} {peer.stderr!r}")
            failed += bool(faults)
            print(f"{'not ok' if faults else 'ok'} {number} - {title}".replace("#", "\\#"))
            for fault in faults:
                print("# " + fault.replace("\n", "\n# "))
        fault = blocks_differ(xylemd, folder)
        failed += fault is not None
        print(f"{'not ok' if fault else 'ok'} {len(ROWS) + 1} - documents across blocks\n# {fault or 'all there'}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
