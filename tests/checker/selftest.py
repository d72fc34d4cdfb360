# SPDX-License-Identifier: Apache-2.0
"""The checker itself: verify must catch each kind of violation when there is exactly one of it, and load and
sink must agree with each other over a real socket. Usage: selftest.py CHECKER; prints TAP."""
import hashlib
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import ports                    # noqa: E402
from tests.peers.process import Process          # noqa: E402

CHECKER = sys.argv[1]
COLUMNS = ("received", "distinct", "of maybe", "hospital", "duplicates", "lost", "corrupted", "reordered", "invented")


def message(number, key, sequence):
    return [f"x-{number}", key, str(sequence), hashlib.sha256(f"{number}".encode()).hexdigest()]


def orders():
    return [message(n, f"c{n % 3}", n // 3 + 1) for n in range(30)]


def oracle(rows, maybe=()):
    return "".join(" ".join(["M" if row[0] in maybe else "A", *row, "1"] + (["-", "-"] if row[0] in maybe else ["2", "0-7"]))
                   + "\n" for row in rows)


def receipts(rows):
    return "".join(" ".join([*row, "3"]) + "\n" for row in rows)


def verify(folder, oracle_text, receipts_text, hospital=None):
    (folder / "oracle").write_text(oracle_text)
    (folder / "receipts").write_text(receipts_text)
    arguments = [CHECKER, "verify", "--oracle", folder / "oracle", "--to", f"here={folder}/receipts"]
    if hospital is not None:
        (folder / "hospital").write_text(hospital)
        arguments += ["--hospital", folder / "hospital"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    numbers = re.search(r"^here +(.*)$", done.stdout, re.MULTILINE)
    return done.returncode, dict(zip(COLUMNS, map(int, numbers.group(1).split()))), done.stdout


def expect(folder, status, counts, *arguments, **named):
    code, found, text = verify(folder, *arguments, **named)
    wanted = {"lost": 0, "corrupted": 0, "reordered": 0, "invented": 0, "duplicates": 0, **counts}
    assert code == status and all(found[name] == n for name, n in wanted.items()), f"{code} {found}\n{text}"


def case_kept(folder):
    expect(folder, 0, {"received": 30}, oracle(orders()), receipts(orders()))


def case_one_lost(folder):
    expect(folder, 1, {"lost": 1}, oracle(orders()), receipts(orders()[:17] + orders()[18:]))


def case_one_corrupted(folder):
    rows = orders()
    rows[11] = [*rows[11][:3], "0" * 64]
    expect(folder, 1, {"corrupted": 1}, oracle(orders()), receipts(rows))


def case_key_changed(folder):
    rows = orders()
    rows[11] = [rows[11][0], "c9", *rows[11][2:]]
    expect(folder, 1, {"corrupted": 1}, oracle(orders()), receipts(rows))


def case_one_reordered(folder):
    rows = orders()
    rows[6], rows[9] = rows[9], rows[6]
    expect(folder, 1, {"reordered": 1}, oracle(orders()), receipts(rows))


def case_other_keys_may_pass(folder):
    rows = orders()
    rows[6], rows[7] = rows[7], rows[6]
    expect(folder, 0, {}, oracle(orders()), receipts(rows))


def case_one_invented(folder):
    expect(folder, 1, {"invented": 1}, oracle(orders()), receipts(orders() + [message(99, "c0", 99)]))


def case_duplicates_are_counted(folder):
    expect(folder, 0, {"duplicates": 2}, oracle(orders()), receipts(orders() + orders()[3:5]))


def case_a_duplicate_may_be_corrupted(folder):
    again = [*orders()[3][:3], "1" * 64]
    expect(folder, 1, {"duplicates": 1, "corrupted": 1}, oracle(orders()), receipts(orders() + [again]))


def case_maybe_there_or_not(folder):
    text = oracle(orders(), maybe=("x-4", "x-8"))
    expect(folder, 0, {"of maybe": 1}, text, receipts([row for row in orders() if row[0] != "x-4"]))


def case_hospital_excuses(folder):
    rows = orders()
    expect(folder, 0, {"hospital": 1}, oracle(rows), receipts(rows[:5] + rows[6:]), hospital="x-5 here\n")
    expect(folder, 1, {"lost": 1}, oracle(rows), receipts(rows[:5] + rows[6:]), hospital="x-5 elsewhere\n")
    expect(folder, 0, {}, oracle(rows), receipts(rows[:5] + rows[6:] + [rows[5]]), hospital="x-5\n")


def case_nothing_proves_nothing(folder):
    assert verify(folder, "", "")[0] == 1
    expect(folder, 1, {"lost": 30}, oracle(orders()), "")


def case_lines_not_understood(folder):
    assert verify(folder, oracle(orders()) + "A x\n", receipts(orders()))[0] == 1
    assert verify(folder, oracle(orders()), receipts(orders()) + "x y\n")[0] == 1
    # Cut in the middle by a kill: the line does not count, so its message is lost.
    code, found, _ = verify(folder, oracle(orders()), receipts(orders())[:-20])
    assert code == 1 and found["lost"] == 1


def case_load_against_sink(folder):
    """The sink answers 204 where the bus answers 202: all is refused, all is there, all is maybe."""
    port = ports.free()
    control = folder / "control"
    control.write_text("in delay 1\nin refuse t-77 418\n")
    with Process([CHECKER, "sink", "--port", port, "--folder", folder, "--control", control], folder / "sink.log") as sink:
        sink.wait_line(r"^listening", 10)
        sink.send(signal.SIGHUP)
        sink.wait_line(r"^control 2 lines", 10)
        load = subprocess.run([CHECKER, "load", "--to", f"127.0.0.1:{port}/in", "--oracle", folder / "oracle", "--rate", "2000",
                               "--keys", "64", "--connections", "32", "--seconds", "1", "--drain", "5", "--run", "t"],
                              capture_output=True, text=True, timeout=60, check=False)
        sink.stop(10)
    assert load.returncode == 0, load.stderr
    lines = (folder / "oracle").read_text().splitlines()
    there = {line.split()[0]: line.split()[:4] for line in (folder / "in.receipts").read_text().splitlines()}
    sent = {line.split()[1]: line.split()[1:5] for line in lines}
    assert len(sent) > 77 and len(sent) == len(lines), len(sent)
    assert set(sent) - set(there) == {"t-77"}, set(sent) ^ set(there)
    assert all(sent[name] == row for name, row in there.items())


def main():
    cases = [(name[5:].replace("_", " "), function) for name, function in globals().items() if name.startswith("case_")]
    print(f"1..{len(cases)}")
    failed = 0
    for number, (name, function) in enumerate(cases, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                function(pathlib.Path(folder))
                print(f"ok {number} - {name}", flush=True)
            except Exception as error:  # pylint: disable=broad-except
                failed += 1
                print("".join(f"# {line}\n" for line in repr(error).split("\\n")), end="")
                print(f"not ok {number} - {name}", flush=True)
    return 1 if failed else 0


sys.exit(main())
