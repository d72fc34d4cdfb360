# SPDX-License-Identifier: Apache-2.0
"""The jq language: our engine beside libjq in the same run, and whole programs over a file of a million lines."""
import json
import os
import re
import shutil
import subprocess
import tempfile

from .figures import Figure

LINES = 1_000_000
PROGRAMS = [("mapping", "{id: .order.id, total: (.order.lines|map(.price*.qty)|add), customer: .order.customer}"),
            ("path", ".order.id"), ("identity", "."), ("select", 'select(.meta.channel=="web")')]


def _run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=900, check=True)
    return {line["shape"]: line for line in map(json.loads, done.stdout.splitlines())}


def _instructions(program, shape, rounds):
    """Instructions of one round, by callgrind: of some rounds, less those of none."""
    def collected(count):
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "--shape", shape,
                               "--rounds", str(count)], capture_output=True, text=True, timeout=900, check=True)
        return int(re.search(r"Collected : (\d+)", done.stderr).group(1))
    return (collected(rounds) - collected(0)) / rounds


def engine(programs, folder, scale):
    ours, theirs = programs.bench("jq"), programs.bench("jq-libjq")
    count = int(20000 * scale)
    fast = _run(ours, "--rounds", count)
    slow = _run(theirs, "--rounds", max(200, count // 20))
    for shape, line in fast.items():
        other = slow[shape]
        note = f"libjq {other['us']:.1f} us; compiled in {line['compile_us']:.0f} us, libjq {other['compile_us']:,.0f} us"
        if shutil.which("valgrind"):
            few, many = _instructions(ours, shape, 100), _instructions(theirs, shape, 20)
            note += f"; {few:,.0f} instructions, libjq {many:,.0f} ({many / few:.0f} times)"
        yield Figure("jq", f"jq, {shape}, {line['in']:,} bytes", 1e6 / line["us"], "/s", 1e6 / other["us"], "libjq 1.6",
                     line["us"], note)


def _seconds(command, path):
    """Processor time of one process, which other work on the machine changes less than it does the clock on the wall."""
    begin = os.times()
    with open(path, "rb") as given:
        subprocess.run(command, stdin=given, stdout=subprocess.DEVNULL, check=True, timeout=1800)
    end = os.times()
    return end.children_user - begin.children_user + end.children_system - begin.children_system


def _lines(path, count):
    order = ('{"order":{"id":"A-%d","customer":"c-%d","currency":"EUR","lines":[{"sku":"XY-1000","title":"Garden hose, 20 m",'
             '"qty":2,"price":39.99},{"sku":"XY-2040","title":"Nozzle","qty":%d,"price":19.99}]},"meta":{"channel":"%s",'
             '"campaign":"autumn-26","retries":0}}\n')
    with open(path, "w", encoding="ascii") as out:
        out.writelines(order % (i, i % 1000, 1 + i % 3, "web" if i % 2 else "shop") for i in range(count))


def commands(programs, folder, scale):
    count = int(LINES * scale)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".jsonl") as file:
        _lines(file.name, count)
        for name, program in PROGRAMS:
            took = _seconds([programs.xylemd, "jq", "-c", program], file.name)
            peers = {peer: _seconds([peer, "-c", program], file.name) for peer in ("jq", "gojq") if shutil.which(peer)}
            yield Figure("jq", f"xylemd jq, {name}, {count:,} lines", took, "s", peers.get("jq"), "jq 1.6",
                         took * 1e6 / count, ", ".join(f"{peer} {second / took:.1f} times as long"
                                                       for peer, second in peers.items()))


MEASUREMENTS = {"jq-engine": engine, "jq-command": commands}
