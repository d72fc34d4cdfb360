#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random programs over random documents: what `xylemd jq` gives against gojq and Debian's jq 1.6.

    differential.py XYLEMD [--seed N] [--seconds S | --programs N]
    JQ17=/path/to/jq differential.py ...        a jq 1.7 as well

Programs are run many at a time, each as `[limit(9; PROGRAM)]` with its errors caught, so that a process is started once for
hundreds of executions. A result is a finding when it differs from what all peers say (an error is an error, whatever its
text); a peer that differs from the others alone is that peer's affair. Known differences are in `differential.known`.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import grammar  # noqa: E402
import peers  # noqa: E402

BATCH, DOCUMENTS = 40, 8
FAILED = "\u0001failed"


def joined(programs):
    """One program that runs all of them on its input and gives a list of what each made."""
    return "[" + ", ".join(f"(try [limit(9; ({program}))] catch \"\\u0001failed\")" for program in programs) + "]"


def simplified(value):
    """Numbers as doubles; what differs between peers by design is taken out."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return float(value) + 0.0
    if isinstance(value, list):
        return [simplified(item) for item in value]
    if isinstance(value, dict):
        return {key: simplified(item) for key, item in sorted(value.items())}
    return value


def ask(command, programs, documents, timeout):
    """A row for each document, a result for each program in it; None: it does not compile or come back."""
    try:
        done = subprocess.run(command + ["-c", joined(programs)], input="\n".join(documents) + "\n", capture_output=True,
                              text=True, timeout=timeout, errors="replace")
    except subprocess.TimeoutExpired:
        return None
    if done.returncode < 0 or "Sanitizer" in done.stderr or "runtime error" in done.stderr:
        return f"died: {done.returncode} {done.stderr[:3000]}"
    lines = done.stdout.split("\n")[:-1]
    if done.returncode != 0 or len(lines) != len(documents):
        return None
    try:
        return [simplified(json.loads(line)) for line in lines]
    except (ValueError, RecursionError):
        return None


class Campaign:
    def __init__(self, xylemd, seed):
        self.ours, self.others = [xylemd, "jq"], {
            # What takes all memory, jq 1.6 does not survive and gojq does not notice: they get a bound.
            name: (["prlimit", "--as=2000000000"] if name != "gojq" else []) + command
            for name, command in peers.peers().items()}
        self.seed = seed
        self.programs = self.executions = self.skipped = 0
        self.findings = []
        known = HERE / "differential.known"
        self.known = [line.rstrip("\n") for line in open(known, encoding="utf-8")
                      if line.strip() and not line.startswith("#")] if known.exists() else []

    def finding(self, program, document, ours, others):
        if any(part in program for part in self.known):
            return
        if program in self.findings:
            return
        self.findings.append(program)
        print(f"# FINDING\n#   program: {program}\n#   input:   {document}\n#   xylemd:  {ours}", flush=True)
        for name, result in others.items():
            print(f"#   {name}:    {result}", flush=True)

    def compare(self, programs, documents, ours, others):
        for row, document in enumerate(documents):
            for column, program in enumerate(programs):
                mine = ours[row][column]
                theirs = {name: rows[row][column] for name, rows in others.items()}
                if all(result != mine for result in theirs.values()):
                    self.finding(program, document, mine, theirs)

    def run(self, programs, documents):
        """Halves a batch that somebody does not compile or end, until what is left is one program."""
        ours = ask(self.ours, programs, documents, 120)
        others = {name: ask(command, programs, documents, 5) for name, command in self.others.items()}
        others = {name: rows for name, rows in others.items() if isinstance(rows, list)}
        if isinstance(ours, list) and others and (len(others) == len(self.others) or len(programs) == 1):
            self.programs += len(programs)
            self.executions += len(programs) * len(documents)
            self.compare(programs, documents, ours, others)
        elif len(programs) > 1:
            half = len(programs) // 2
            self.run(programs[:half], documents)
            self.run(programs[half:], documents)
        elif isinstance(ours, str) or others:
            self.finding(programs[0], documents, ours or "does not compile, or does not end", others)
        else:
            self.skipped += 1

    def round(self, number):
        source = random.Random(f"{self.seed}/{number}")
        programs = grammar.Programs(source)
        documents = grammar.Documents(source)
        self.run([programs.program(source.randrange(1, 5)) for _ in range(BATCH)],
                 [documents.text() for _ in range(DOCUMENTS)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("xylemd")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--programs", type=int, default=1000)
    arguments = parser.parse_args()
    campaign = Campaign(arguments.xylemd, arguments.seed)
    print(f"1..1\n# seed {arguments.seed}; peers: {', '.join(campaign.others)}", flush=True)
    if not campaign.others:
        print("ok 1 - no peer is installed # SKIP")
        return 0
    end = time.monotonic() + arguments.seconds if arguments.seconds else None
    number = 0
    while time.monotonic() < end if end else number * BATCH < arguments.programs:
        campaign.round(number)
        number += 1
    good = not campaign.findings and campaign.executions > 0
    print(f"{'ok' if good else 'not ok'} 1 - {campaign.programs} programs, {campaign.executions} executions, "
          f"{len(campaign.findings)} findings, {campaign.skipped} that nobody compiles or ends")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
