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
    (["-c", "[., input]"], "1 2 3", "[1,2]\n", 5, "(at <stdin>:0): No more inputs"),
    (["-n", "reduce inputs as $x (0; . + $x)"], "1 2 3", "6\n", 0, ""),
    (["-n", "first(inputs)"], "1 2", "1\n", 0, ""),
    (["-c", "., [limit(1; inputs)]"], "1 2 3", "1\n[2]\n3\n[]\n", 0, ""),
    (["-sc", "."], '1 "a" [2]', '[1,"a",[2]]\n', 0, ""),
    (["-sc", "."], "", "[]\n", 0, ""),
    (["-R", "."], 'a line\n{"not":json\nlast', '"a line"\n"{\\"not\\":json"\n"last"\n', 0, ""),
    (["-Rs", "."], "a\nb\n", '"a\\nb\\n"\n', 0, ""),
    (["-nR", "[inputs] | length"], "a\nb\n", "2\n", 0, ""),
    (["--stream", "-c", "."], '3 [] {"a":[1,{"b":2}]}"x"[[],{}]', '[[],3]\n[[],[]]\n[["a",0],1]\n[["a",1,"b"],2]\n[["a",1,"b"]]\n[["a",1]]\n[["a"]]\n'
     '[[],"x"]\n[[0],[]]\n[[1],{}]\n[[1]]\n', 0, ""),
    (["--stream", "-c", "."], '{"a":1,\n"b":[2,', '[["a"],1]\n[["b",0],2]\n', 5, "at <stdin>:2"),
    (["--stream", "-c", "."], "[1,2", "[[0],1]\n", 5, "ends within a list"),
    (["--stream", "-c", "."], '{"a":1}\n{"b" 2}', '[["a"],1]\n[["a"]]\n', 5, "at <stdin>:2): not valid JSON: a colon"),
    (["--stream", "-c", "."], "[1}", "[[0],1]\n", 5, "a comma or a closing bracket"),
    (["--stream", "-c", "."], "[1,]", "[[0],1]\n", 5, "a value is expected"),
    (["--stream", "-c", "."], '{"a":1,}', '[["a"],1]\n', 5, "a member name"),
    (["--stream", "-c", "."], '{{"a":1}}', "", 5, "a member name"),
    (["--stream", "-c", "."], ']', "", 5, "a value"),
    (["--stream", "-c", "."], "[" * 10001, "", 5, "deeper"),
    (["--stream", "-sc", "."], '{"a":1} 2', '[[["a"],1],[["a"]],[[],2]]\n', 0, ""),
    (["--stream", "-nc", "fromstream(inputs)"], '{"a":[1,{"b":2}]} 3 []', '{"a":[1,{"b":2}]}\n3\n[]\n', 0, ""),
    (["--stream", "-nc", "fromstream(1 | truncate_stream(inputs))"], '{"a":[1,{"b":2}],"c":3}', '[1,{"b":2}]\n', 0, ""),
    (["--stream", "-Rc", "."], "a", '"a"\n', 0, ""),
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
    (["."], '{"a":1} {"a":', '{\n  "a": 1\n}\n', 5, "error"),
    (["."], "[1,2] nope", "[\n  1,\n  2\n]\n", 5, "error"),
    (["."], '"\\ud800"', "", 5, "error"),
    (["-c", "."], '[1]\n[2,\n\n3', "[1]\n", 5, "at <stdin>:4"),
    (["-c", "."], '[1]\n[2,\nx,\n3]', "[1]\n", 5, "at <stdin>:3"),
    (["-c", ".", "FILE", "BROKEN"], "", '1\n{"a":2}\n[3]\n', 5, "broken.json:2"),
    (["-c", "."], '1[2]"x"{"a":3}4"y"null[true]', '1\n[2]\n"x"\n{"a":3}\n4\n"y"\nnull\n[true]\n', 0, ""),
    (["-c", "."], "truefalse", "", 5, "error"),
    (["-c", "."], "\ufeff[1] 2", "[1]\n2\n", 0, ""),
    (["-c", ".", "MARKED", "MARKED"], "", '{"a":1}\n{"a":1}\n', 0, ""),
    (["-cs", ".", "MARKED", "MARKED"], "", '[{"a":1},{"a":1}]\n', 0, ""),
    (["."], "\ufe00", "", 5, "error"),
    (["-c", "."], '{"a":1}\r\n\r\n[2]\r\n', '{"a":1}\n[2]\n', 0, ""),
    (["-R", "."], "a\r\nb", '"a\\r"\n"b"\n', 0, ""),
    (["."], "", "", 0, ""),
    (["."], " \n\n", "", 0, ""),
    (["-e", "."], "", "", 4, ""),
    ([".a"], '[1] {"a":2}', "2\n", 5, "Cannot index array with string \"a\""),
    (["error"], '{"a":1}', "", 5, '(not a string): {"a":1}'),
    (["1 +"], "1", "", 3, "compile"),
    (["halt"], "1 2", "", 0, ""),
    (["., halt_error"], '"bye\\n" 2', '"bye\\n"\n', 5, "bye\n"),
    (["halt_error(3)"], "{}", "", 3, "{}\n"),
    (["-c", "[.[] | debug]"], "[1]", "[1]\n", 0, '["DEBUG:",1]'),
    (["-n", '"a\\n" | stderr | empty'], "", "", 0, "a\n"),
    (["-n", '[1, "a"] | stderr | empty'], "", "", 0, '[1,"a"]'),
    (["-n", "error"], "", "", 5, "(at <unknown>) (not a string): null"),
    (["-n", "--slurpfile", "x", "GONE", "."], "", "", 2, "could not open"),
    (["-n", "--slurpfile", "x", "BROKEN", "."], "", "", 2, "not valid JSON"),
    (["-r", "$ENV.GREETING, env.GREETING"], "1", "hello\nhello\n", 0, ""),
    (["-nc", '-L', "FOLDER", 'import "m" as m; m::twice(3), (import_none? // 1)'], "", "", 3, "import_none"),
    (["-nc", '-L', "FOLDER", 'import "m" as m; import "d" as $d; [m::twice(3), $d::d]'], "", "[6,[5]]\n", 0, ""),
    (["-c", "."], "[" * 10000 + "]" * 10000, "", 5, "error"),
    (["--step", "-n", "input"], "1", "", 3, "input"),
    (["--step", "-n", "[range(1e12)] | length"], "", "", 5, "limit"),
    (["--step", "-n", "def f: f; f"], "", "", 5, "limit"),
    (["--nosuch", "."], "1", "", 2, "nosuch"),
    ([], "[]", "[]\n", 0, ""),
    (["-c"], "[1, 2]", "[1,2]\n", 0, ""),
    ([""], "1", "", 3, "no program"),
    (["# nothing"], "1", "", 3, "no program"),
    (["-f", "LIBRARY"], "1", "", 3, "no program"),
    (["-.a"], '{"a":1}', "-1\n", 0, ""),
    (["-n", "-1"], "", "-1\n", 0, ""),
    (["-nc", "-[1][0]"], "", "-1\n", 0, ""),
    (["-n", "--", "-1"], "", "-1\n", 0, ""),
    (["-nr", '"a"'], "", "a\n", 0, ""),
    (["-cr", "--", ".[]?", "FILE"], "", "2\n", 0, ""),
    (["-c", ".", "FILE", "-"], "3", '1\n{"a":2}\n3\n', 0, ""),
    (["-c", ".", "FOLDER", "FILE"], "", '1\n{"a":2}\n', 2, "cannot be read"),
    (["-nc", "--arg", "x", "1", "--argjson", "x", "2", "[$x, $ARGS.named]"], "", '["1",{"x":"1"}]\n', 0, ""),
    (["-nc", "$ARGS.positional", "--args", "a", "--jsonargs", "1", "--args", "b"], "", '["a",1,"b"]\n', 0, ""),
    (["-n", "$ARGS.positional", "--jsonargs", "{"], "", "", 2, "jsonargs"),
    (["-c", "[input_filename, input_line_number]"], '1\n2\n\n{\n}\n"x"', '["<stdin>",1]\n["<stdin>",2]\n["<stdin>",5]\n["<stdin>",5]\n', 0, ""),
    (["-Rc", "[., input_line_number]"], "a\nb\n", '["a",1]\n["b",2]\n', 0, ""),
    (["-nc", "input_filename, input_line_number, ([inputs] | length), input_filename", "FILE"], "", "null\n0\n2\nnull\n", 0, ""),
    (["-r", 'input_filename | split("/") | last', "FILE", "MARKED"], "", "file.json\nfile.json\nmarked.json\n", 0, ""),
    (["-c", ".a"], '1\n\n\n[2]\n{"a":3}', "3\n", 5, "(at <stdin>:4): Cannot index array"),
    (["--raw-output0", "-j", ".[]"], '["a",1]', "a\x001\x00", 0, ""),
    (["--raw-output0", ".[]"], '["a","b\\u0000c","d"]', "a\0", 5, "NUL"),
    (["-n", "null | halt_error"], "", "", 5, ""),
    (["-nb", "1"], "", "1\n", 0, ""),
    (["--version"], "", "jq-1.7.1 (the language, by xylemd)\n", 0, ""),
    (["-nc", "-L", "FOLDER", "--arg", "x", "1", 'import "args" as a; a::all'], "", '["1","1"]\n', 0, ""),
    (["-nc", "-L", "FOLDER", 'import "args" as a; a::all'], "", "", 3, "$x is not defined"),
    (["-nc", "-L", "FOLDER", 'import "two" as $d; import "sub" as s; import "sub/more" as m; [$d, s::one, m::two]'], "", '[[1,[2],3],1,2]\n', 0, ""),
    (["-n", "--argjson", "x", "{", "."], "", "", 2, "argjson"),
]
# Rows in which jq 1.6 has not the option, or another output by design.
NOT_IN_1_6 = ("--raw-output0", "--step", "--indent 9", "--seq", "GONE", "--nosuch", "import_none", "halt_error", "error", "no program",
              "-nb", "--version", '"args"', "ends within", "member name", "a value", "comma or", "deeper", "--jsonargs", "MARKED", " -- ", "input_line_number, (", "FOLDER FILE", "at <stdin>", "broken.json", '"two"', "-e .",
              "Cannot index array", "Cannot iterate")  # jq looks at the last input only for its exit code


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


def colors_differ(xylemd, folder):
    """The bytes of jq 1.7.1, where they are asked for."""
    esc = {"n": "\x1b[0;90m", "w": "\x1b[0;39m", "s": "\x1b[0;32m", "c": "\x1b[1;39m", "k": "\x1b[1;34m", "0": "\x1b[0m"}
    value = '[{"a":true,"b":"x"},-1.5,null,[],{}]'
    usual = ("{c}[{c}{{{0}{k}\"a\"{0}{c}:{0}{w}true{0}{c},{0}{k}\"b\"{0}{c}:{0}{s}\"x\"{0}{c}{c}}}{0}{c},{w}-1.5{0}{c},{n}null{0}{c},"
             "{c}[]{0}{c},{c}{{}}{0}{c}{c}]{0}\n").format(*[esc["0"]], **esc)
    indented = "{c}{{\n  {0}{k}\"a\"{0}{c}: {0}{c}[\n    {w}1{0}{c},\n    {w}2{0}{c}\n  {c}]{0}{c}\n{c}}}{0}\n".format(*[esc["0"]], **esc)
    rows = [(["-Cc", "."], value, {}, usual, ""), (["-C", "."], '{"a":[1,2]}', {}, indented, ""),
            (["-CMc", "."], value, {}, value + "\n", ""), (["-c", "."], value, {}, value + "\n", ""),
            (["-Cr", ".[]"], '["a\\n"]', {}, "a\n\n", ""), (["-C", "."], "null", {"NO_COLOR": "1"}, esc["n"] + "null" + esc["0"] + "\n", ""),
            (["-C", "."], "[null]", {"JQ_COLORS": "4;31::::: 1"}, None, "JQ_COLORS"),
            (["-Cc", "."], "null", {"JQ_COLORS": "4;31"}, "\x1b[4;31mnull\x1b[0m\n", ""),
            (["-Cc", "."], '{"a":0}', {"JQ_COLORS": "1:2:3:4:5:6:7:8"},
             '\x1b[7m{\x1b[0m\x1b[8m"a"\x1b[0m\x1b[7m:\x1b[0m\x1b[4m0\x1b[0m\x1b[7m\x1b[7m}\x1b[0m\n', "")]
    for arguments, given, environment, wanted, said in rows:
        done = subprocess.run([xylemd, "jq", *arguments], input=given, capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, **environment})
        if done.returncode or (wanted is not None and done.stdout != wanted) or said not in done.stderr or (done.stderr and not said):
            return f"{arguments} {environment}: {done.returncode} {done.stdout!r} {done.stderr!r}"
    return None


def streams_differ(xylemd, folder):
    """Events of a file of many blocks, with strings larger than one, against those that the language makes."""
    path = folder / "stream.json"
    parts = [f'{{"n{i}": [{i}, {{"text": "{"x" * (i % 900)}\\\\\\"", "e": [], "f": [{{}}, -{i}.5e3]}}]}}' for i in range(1500)]
    path.write_text("[" + ",\n".join(parts) + ', "' + "z" * 1_200_000 + '", true] ' + "7")
    done = [subprocess.run([xylemd, "jq", "-c", *arguments, path], capture_output=True, text=True, timeout=120, check=False)
            for arguments in (["--stream", "."], ["tostream"])]
    good = done[0].stdout == done[1].stdout and done[0].returncode == done[1].returncode == 0 and done[0].stdout.count("\n") > 9000
    return None if good else f"{done[0].returncode} {done[0].stderr[-300:]} {done[0].stdout[:300]}"


def run(command, arguments, given, folder):
    files = {"FILE": folder / "file.json", "PROGRAM": folder / "program.jq", "GONE": folder / "GONE", "FOLDER": folder,
             "LIBRARY": folder / "m.jq", "BROKEN": folder / "broken.json", "MARKED": folder / "marked.json"}
    arguments = [str(files.get(argument, argument)) for argument in arguments]
    return subprocess.run([*command, *arguments], input=given.encode(), capture_output=True, timeout=120, check=False,
                          env={**os.environ, "GREETING": "hello"})


def main():
    xylemd, jq = sys.argv[1], shutil.which("jq")
    failed = 0
    print(f"1..{len(ROWS) + 3}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "file.json").write_text('1\n{"a":2}\n')
        (folder / "program.jq").write_text("# the second\nobjects | .a\n")
        (folder / "m.jq").write_text("def twice($x): $x * 2;\n")
        (folder / "d.json").write_text("5")
        (folder / "two.json").write_text("1 [2]\n3")
        (folder / "broken.json").write_text("[3]\n{,")
        (folder / "marked.json").write_bytes(b'\xef\xbb\xbf{"a":1}')
        (folder / "args.jq").write_text("def all: [$x, $ARGS.named.x];\n")
        (folder / "sub").mkdir()
        (folder / "sub/sub.jq").write_text("def one: 1;")
        (folder / "sub/more.jq").write_text("def two: 2;")
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
        for number, (title, differ) in enumerate(
                (("documents across blocks", blocks_differ), ("events across blocks", streams_differ), ("colours", colors_differ)), len(ROWS) + 1):
            fault = differ(xylemd, folder)
            failed += fault is not None
            print(f"{'not ok' if fault else 'ok'} {number} - {title}\n# {fault or 'all there'}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
