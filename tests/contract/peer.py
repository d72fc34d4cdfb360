# SPDX-License-Identifier: Apache-2.0
"""What a peer of the contract suite is made of; README.md says what each command means.

    class Mine(Peer):
        def start(self, folder): ...; return self.config("mine", {"url": ...})
        def mode(self, name): ...
        ...
    if __name__ == "__main__":
        run(Mine())
"""
import json
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))


class Peer:
    """Override what the connector's other side can do; None or False means `no`: the step is skipped."""

    def __init__(self):
        self.changed = threading.Condition()
        self.received = []        # ids of what a sink has delivered, in order, repeats included
        self.acked = 0            # of the last send
        self.trouble = None       # what ended it
        self.stalled = 0          # requests that were received in the mode `stall`
        self.folder = None

    # --- what a peer of a sink does
    def start(self, folder):
        """Starts the other side; returns the path of a configuration with one connector."""
        raise NotImplementedError

    def stop(self):
        pass

    def mode(self, name):
        """accept, wrong, busy, misconfigured, down, cut, stall. False: cannot. accept ends all others."""
        return name == "accept"

    def refuse(self, identifier):
        """Refuses this one message as wrong from now on, until the mode is accept. False: cannot."""
        return False

    # --- what a peer of a source does
    def send(self, count):
        """Begins to send so many messages of one key, in order, and keeps trying each until it is acknowledged.
        Returns at once, with one tag a message that stands in its data; sets self.acked to 0 and counts it up."""
        return None

    def send_broken(self):
        """Sends half a message and breaks off. False: cannot."""
        return False

    # --- help
    def config(self, kind, options, name="under_test"):
        """Writes a configuration with this one connector; JSON is YAML."""
        path = pathlib.Path(self.folder) / "contract.yaml"
        path.write_text(json.dumps({"bus": {"name": "contract", "data": str(pathlib.Path(self.folder) / "data")},
                                    "connectors": {name: {kind: options}}}))
        return path

    def note(self, change):
        """Runs `change` under the lock and wakes who waits."""
        with self.changed:
            change()
            self.changed.notify_all()

    def wait(self, condition, milliseconds):
        with self.changed:
            return self.changed.wait_for(condition, milliseconds / 1000)

    # Override both where the other side must be asked instead of telling.
    def wait_received(self, count, milliseconds):
        self.wait(lambda: len(set(self.received)) >= count, milliseconds)
        with self.changed:
            return list(dict.fromkeys(self.received))

    def wait_acked(self, count, milliseconds):
        self.wait(lambda: self.acked >= count or self.trouble, milliseconds)
        if self.trouble:
            raise self.trouble
        return self.acked


class Sender(threading.Thread):
    """Sends in the background: calls `attempt(i)` until it is true, for each i in turn."""

    def __init__(self, peer, count, attempt):
        super().__init__(daemon=True)
        self.peer, self.count, self.attempt = peer, count, attempt
        self.over = False

    def run(self):
        for i in range(self.count):
            try:
                while not self.over and not self.attempt(i):
                    time.sleep(0.05)  # a producer's pause before it tries again
            except Exception as error:  # said by wait_acked
                self.peer.note(lambda: setattr(self.peer, "trouble", error))
                return
            if self.over:
                return
            self.peer.note(lambda: setattr(self.peer, "acked", self.peer.acked + 1))


def _answer(peer, word, rest):
    if word == "start":
        peer.folder = rest[0]
        return "ok", str(peer.start(rest[0]))
    if word == "mode":
        return ("ok" if peer.mode(rest[0]) else "no"), ""
    if word == "refuse":
        return ("ok" if peer.refuse(rest[0]) else "no"), ""
    if word == "wait-received":
        return "ok", " ".join(peer.wait_received(int(rest[0]), int(rest[1])))
    if word == "wait-stalled":
        return ("ok" if peer.wait(lambda: peer.stalled > 0, int(rest[0])) else "error"), "nothing arrived to stall"
    if word == "send":
        tags = peer.send(int(rest[0]))
        return ("no", "") if tags is None else ("ok", " ".join(tags))
    if word == "wait-acked":
        return "ok", str(peer.wait_acked(int(rest[0]), int(rest[1])))
    if word == "send-broken":
        return ("ok" if peer.send_broken() else "no"), ""
    return "error", f"unknown command {word}"


def run(peer):
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "stop":
            break
        try:
            answer, text = _answer(peer, word, rest)
        except Exception as error:  # whatever it is, the suite shall say it
            answer, text = "error", f"{type(error).__name__}: {error}".replace("\n", " ")
        print(answer, text, flush=True)
    peer.stop()
    print("ok", flush=True)
