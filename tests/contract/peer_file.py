# SPDX-License-Identifier: Apache-2.0
"""The other side of the file connector: whoever writes the lines that it follows, and reads those that it appends.

A line counts as acknowledged when the remembered position has passed it.
"""
import itertools
import json
import os
import pathlib
import time

from peer import Peer, run


class File(Peer):
    def __init__(self):
        super().__init__()
        self.number = itertools.count(1)
        self.ends = []

    def start(self, folder):
        self.home = pathlib.Path(folder) / "log"
        self.home.mkdir()
        self.path = self.home / "orders.ndjson"
        self.path.touch()
        # The suite asks the sink first, and its lines are not for the source.
        return self.config("file", {"path": str(self.path), "from": "end", "key": "one"})

    # --- of the sink
    def mode(self, name):
        away = self.home.with_name("away")
        if away.exists():
            away.rename(self.home)
        if name == "misconfigured":
            self.home.rename(away)
        return name in ("accept", "misconfigured")

    def wait_received(self, count, milliseconds):
        return list(dict.fromkeys(json.loads(line)["id"] for line in self.path.read_text().splitlines()))

    # --- of the source
    def send(self, count):
        tags = [f"f{next(self.number):06d}" for _ in range(count)]
        self.ends = []
        with open(self.path, "ab") as file:
            for tag in tags:
                file.write(json.dumps({"specversion": "1.0", "id": tag, "source": "/peer", "type": "line",
                                       "data": {"tag": tag}}).encode() + b"\n")
                self.ends.append(file.tell())
        return tags

    def position(self):
        try:
            path = pathlib.Path(self.folder) / "connectors" / "under_test" / "position"
            _, _, inode, offset, *_ = path.read_text().split()
        except FileNotFoundError:
            return 0
        return int(offset) if int(inode) == os.stat(self.path).st_ino else 0

    def wait_acked(self, count, milliseconds):
        end = time.monotonic() + milliseconds / 1000
        while True:
            position = self.position()
            acked = sum(1 for at in self.ends if at <= position)
            if acked >= count or time.monotonic() > end:
                return acked
            time.sleep(0.02)  # a file that is replaced gives no event here

    def send_broken(self):
        # Half a line, a moment for it to be read, and its end: one message, and only then.
        return False


if __name__ == "__main__":
    run(File())
