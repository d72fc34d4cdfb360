# SPDX-License-Identifier: Apache-2.0
"""The Python end of driver.c: a connector under test, with a folder of its own."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from tests.peers.process import PeerError, Process


def event(identity, data, key=None, **attributes):
    """A CloudEvent; `key` orders it. Data is a value, or Raw(text) for bytes that Python would not write."""
    made = {"specversion": "1.0", "id": str(identity), "source": "/test", "type": "test.row", **attributes}
    if key is not None:
        made["partitionkey"] = key
    if data is not None:
        made["data"] = data
    return made


class Driver:
    """Runs connector-driver over {name: {kind: options}}. A killed one can be started again on its journal."""

    def __init__(self, connectors, folder=None):
        self._temporary = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="xylem-driver-", dir="/tmp"))
        self.config = self.folder / "bus.yaml"
        self.process = None
        # JSON is YAML.
        self.config.write_text(json.dumps({"bus": {"name": "test", "data": str(self.folder / "data")},
                                           "connectors": connectors}), encoding="utf-8")

    def start(self):
        (self.folder / "data").mkdir(exist_ok=True)
        self.process = Process([os.environ["XYLEM_DRIVER"], self.config], log=self.folder / "log",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env={"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99"})
        if self._answer() != "ready":
            raise PeerError(f"driver: not ready\n{self.process.tail()}")
        return self

    def send(self, line):
        """A command without waiting for its answer; answer() brings it."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(f"driver: ended with {self.process.wait(10)}\n{self.process.tail(60)}")
        return line.decode().rstrip("\n")

    answer = _answer

    def do(self, line):
        self.send(line)
        return self._answer()

    def ok(self, line):
        said = self.do(line)
        if said != "ok":
            raise PeerError(f"driver: {line}: {said}")

    def sink(self, name, timeout=10.0):
        self.ok(f"sink {name} {int(timeout * 1000)}")

    def deliver(self, events, offset=0):
        """The results: lists [class, code, reason]."""
        return self.deliver_timed(events, offset)[1]

    def deliver_timed(self, events, offset=0):
        self.send_deliver(events, offset)
        return self.results()

    def send_deliver(self, events, offset=0):
        texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in events]
        self.send(f"deliver {offset} [{','.join(texts)}]")

    def results(self):
        said = self._answer()
        if not said.startswith("{"):
            raise PeerError(f"driver: {said}")
        parsed = json.loads(said)
        return parsed["us"] / 1e6, parsed["results"]

    def wait(self, count, seconds=30.0):
        """Waits until the journal has so many messages; how many it has."""
        return int(self.do(f"wait {count} {int(seconds * 1000)}"))

    def dump(self):
        return json.loads(self.do("dump"))

    def end(self):
        """An orderly end; sanitizers speak here."""
        self.process.stdin.close()
        status = self.process.wait(30)
        if status != 0:
            raise PeerError(f"driver: ended with {status}\n{self.process.tail(80)}")

    def kill(self):
        self.process.kill()

    def close(self):
        self.process.kill()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if kind is None and self.process.alive():
                self.end()
        finally:
            self.close()
