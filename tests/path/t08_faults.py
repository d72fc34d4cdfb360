# SPDX-License-Identifier: Apache-2.0
"""Broken disks and broken files: what the bus says and does."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from harness import Bus, Sink, Skip, case, equal, in_order, run, say, until

SMALL = {"segment": "1MiB", "reserve": "1MiB", "max": "64MiB", "retain": {"bytes": "1MiB"}}


def bus_of(sink, **more):
    return Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/key"}},
                "out": {"http": {"url": sink.url}}},
               {"r": {"from": ["in"], "deliver": {"probe": "50ms", "backoff": "20ms", "backoff_max": "200ms"},
                      "to": ["out"]}}, journal=SMALL, bus={"max_message": "64KiB"}, **more)


def body(n, size=0):
    return json.dumps({"id": f"m{n}", "key": "k", "n": n, "pad": "x" * size})


def journal_log(bus, word=""):
    """What it said of warnings and errors, without the one about root."""
    return "\n".join(line for line in bus.log.splitlines()
                     if (" error " in line or " warning" in line or "journal" in line) and "as root" not in line and word in line)


@contextlib.contextmanager
def small_disk(size):
    """A file system of its own, `size` large; only root can."""
    if os.geteuid() != 0:
        raise Skip("mounting needs root")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-path-disk-", dir="/tmp"))
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True,
                          text=True, check=False)
    if made.returncode:
        folder.rmdir()
        raise Skip("mount: " + made.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
        folder.rmdir()


@case
def sync_fails():
    "a failed sync: nothing more is acknowledged, /readyz says so, committed ones go out, a restart recovers"
    seen = set()
    for nth in (6, 12, 15, 18, 20, 23, 40):
        with Sink() as sink:
            sink.refuse()
            bus = bus_of(sink, env={"XYLEM_IO": f"fault:fdatasync:{nth}:EIO"})
            try:
                with contextlib.suppress(Exception):
                    bus.start()
                if not bus.process.alive():
                    say(f"fdatasync {nth}: not started: {bus.log.splitlines()[-1]}")
                    seen.add("start")
                    continue
                acknowledged, failed = [], None
                for n in range(200):
                    answer = bus.send("/in", body(n))
                    if answer.status == 202:
                        acknowledged.append(f"m{n}")
                        if bus.ready().status == 503:
                            failed = "catalogue"
                            break
                    else:
                        failed = "journal"
                        break
                assert failed, "no fault in 200 messages"
                ready = until(lambda: (lambda a: a if a.status == 503 else None)(bus.ready()), "/readyz 503")
                say(f"fdatasync {nth} hit the {failed} after {len(acknowledged)} acknowledged; /readyz: {ready}")
                seen.add(failed)
                if failed == "journal":
                    say(f"  the sender got {answer} Retry-After {answer.headers.get('retry-after')}")
                    equal(bus.send("/in", body(1000)).status, 503, "later messages")
                sink.listen()
                if failed == "journal":
                    sink.wait_ids(acknowledged)
                    say(f"  {len(acknowledged)} committed ones were delivered meanwhile")
                bus.stop()
                bus.start(env={"XYLEM_IO": ""})
                equal(bus.ready().status, 200, "/readyz after the restart")
                bus.post("/in", body(2000))
                sink.wait_ids(acknowledged + ["m2000"])
                say(f"  after the restart {len(set(sink.ids()))} delivered, {in_order(sink)} duplicates")
            finally:
                bus.clean()
    assert "journal" in seen, f"the journal's own sync never failed: {seen}"


@case
def disk_full():
    "a full disk holds the sources back with 503 and Retry-After, and recovers by itself when there is room"
    with small_disk("24m") as disk, Sink() as sink:
        sink.refuse()
        with bus_of(sink, data=disk / "data") as bus:
            stuffing = disk / "stuffing"
            with open(stuffing, "wb") as file:
                free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
                file.write(b"\0" * max(0, free - 4 * 1024 * 1024))
            sent, refused = [], None
            for n in range(2000):
                answer = bus.send("/in", body(n, 20000))
                if answer.status != 202:
                    refused = answer
                    break
                sent.append(f"m{n}")
            assert refused, "never full"
            say(f"after {len(sent)} messages: {refused}; Retry-After: {refused.headers.get('retry-after')}")
            equal(refused.status, 503, "status")
            assert refused.headers.get("retry-after"), "no Retry-After"
            say(f"/readyz: {bus.ready()}")
            say(journal_log(bus))
            # What is committed is delivered meanwhile, settlements can be written.
            sink.listen()
            sink.wait_ids(sent)
            say(f"{len(set(sink.ids()))} delivered while full")
            stuffing.unlink()
            until(lambda: bus.send("/in", body(5000)).status == 202, "it takes messages again")
            sink.wait_ids(["m5000"])
            until(lambda: bus.ready().status == 200, "/readyz 200")
            say(bus.wait_log("there is room again")[-1])
            equal(bus.cases(), [], "cases")


@case
def data_read_only():
    "a data folder that is read-only refuses to start and says which"
    with small_disk("16m") as disk, Sink() as sink:
        bus = bus_of(sink, data=disk / "data")
        try:
            bus.start()
            bus.stop()
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            log = bus.refused()
            say(log)
            assert str(disk) in log and "ead-only" in log, "the folder and the reason are not named"
        finally:
            bus.clean()


# --- Damaged files -----------------------------------------------------------------------------------------

class Kept:
    """A bus with `count` acknowledged messages, each a batch of its own, none of them delivered; stopped."""

    def __init__(self, count):
        self.sink = Sink()
        self.sink.refuse()
        self.bus = bus_of(self.sink)
        self.bus.start()
        self.add(range(count))
        self.bus.stop()

    def add(self, numbers):
        for n in numbers:
            self.bus.post("/in", body(n))

    def segment(self, n):
        """The file that message n is in, and the bytes of its batch: a marker stands before it."""
        wanted = b'{"id": "m%d"' % n
        file = next(f for f in sorted((self.bus.data / "journal").glob("*.segment")) if wanted in f.read_bytes())
        text = file.read_bytes()
        at = text.index(wanted)
        after = text.find(b"COMT", at)
        return file, text.rindex(b"COMT", 0, at), after if after >= 0 else at + len(body(n))

    @staticmethod
    def write(path, at, data):
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bus.clean()
        self.sink.close()


def delivered_without(kept, lost):
    """Starts with --accept-gap, and what is not lost arrives."""
    kept.sink.listen()
    kept.bus.start("--accept-gap")
    say(journal_log(kept.bus))
    kept.bus.post("/in", body(9))
    wanted = {f"m{n}" for n in range(6)} - {f"m{n}" for n in lost} | {"m9"}
    kept.sink.wait_ids(wanted)
    kept.bus.wait_lane("r/out", backlog=0)
    equal(set(kept.sink.ids()), wanted, "delivered")
    say(f"delivered: {sorted(set(kept.sink.ids()))}")
    kept.bus.stop()
    kept.bus.start()
    say("a later start needs no --accept-gap")
    kept.bus.stop()


@case
def byte_flipped():
    "a byte flipped in the middle of a segment: refused with the place, --accept-gap goes on without that batch"
    with Kept(6) as kept:
        file, first, _ = kept.segment(2)
        first += 48  # behind its marker, which is whole
        at = file.read_bytes().index(b'"m2"') + 1
        kept.write(file, at, bytes([file.read_bytes()[at] ^ 0x10]))
        log = kept.bus.refused()
        say(f"flipped byte {at} of {file.name}, in a record that begins at {first}:")
        say(log.splitlines()[-1])
        assert file.name in log and str(first) in log and "--accept-gap" in log, "the place is not named"
        equal(kept.sink.log, [], "delivered")
        delivered_without(kept, [2])
        assert list(kept.bus.data.glob("**/quarantine*")), "nothing lies aside"


@case
def acknowledged_one_torn():
    "an acknowledged batch torn at the end: refused, the gap is named"
    with Kept(6) as kept:
        file, first, end = kept.segment(5)
        kept.write(file, first + 60, b"\0" * (end - first - 60 + 64))
        log = kept.bus.refused()
        say(log.splitlines()[-1])
        assert "0-6" in log and "--accept-gap" in log, "the gap is not named"
        delivered_without(kept, [5])


@case
def unacknowledged_one_torn():
    "the last batch, never acknowledged, torn at any byte: cut, and the rest is whole"
    with Kept(6) as kept:
        bus, data = kept.bus, kept.bus.data
        earlier = kept.bus.folder / "earlier"
        shutil.copytree(data, earlier)
        bus.start()
        bus.post("/in", body(6))
        bus.stop()
        file, first, end = kept.segment(6)
        end = (end + 7) // 8 * 8
        length, cut, whole, told = end - first, [], [], None
        after = bus.folder / "after"
        data.rename(after)
        steps = range(0, length + 1, 1 if os.environ.get("XYLEM_PATH_LONG") else 23)
        for n in sorted({*steps, 1, 47, 48, 49, length - 1, length}):
            # The journal with the batch, beside a catalogue that knows nothing of an acknowledgement.
            shutil.copytree(earlier, data)
            shutil.rmtree(data / "journal")
            shutil.copytree(after / "journal", data / "journal")
            kept.write(file, first + n, b"\0" * (length - n))
            bus.start()
            journal = bus.get("bus")["journal"]
            (whole if journal["end"] == "0-8" else cut).append(n)
            assert journal["end"] in ("0-7", "0-8"), journal
            assert "accept-gap" not in bus.log
            said = bus.log_line("torn")
            # Less than a marker may be nothing that can be recognised.
            if n >= 48:
                equal(bool(said), journal["end"] == "0-7", f"{n} bytes: whether a cut is told: {said}")
            told = said[0] if said else told
            bus.stop()
            if n < length:
                shutil.rmtree(data)
        say(f"a batch of {length} bytes, torn at {len(cut)} places from {cut[0]} to {cut[-1]}: cut; whole at {whole}")
        say(told)
        # Bytes of padding at the end are zero either way.
        assert whole and min(whole) > length - 9, whole
        kept.sink.listen()
        bus.start()
        kept.sink.wait_ids([f"m{n}" for n in range(7)])
        bus.stop()


@case
def catalogue_gone():
    "a journal without its catalogue refuses to start"
    with Kept(6) as kept:
        for file in kept.bus.data.glob("catalogue.db*"):
            file.unlink()
        log = kept.bus.refused()
        say(log.splitlines()[-1])
        assert "catalogue" in log and "not started" in log


@case
def two_on_one_folder():
    "a second bus on the same data folder refuses to start"
    with Sink() as sink, bus_of(sink) as bus:
        second = Bus(bus.connectors, bus.routes, data=bus.data)
        try:
            say(second.refused().splitlines()[-1])
            equal(bus.ready().status, 200, "the first one")
        finally:
            second.clean()


run()
