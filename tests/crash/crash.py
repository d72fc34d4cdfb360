# SPDX-License-Identifier: Apache-2.0
"""Kills the bus again and again under load and counts messages.

    crash.py XYLEMD CHECKER [--kills N] [--seed N] [--rate N] [--only plain|power|control] [--keep FOLDER]

One route, webhook -> two HTTP sinks (one slow), a file, PostgreSQL, Kafka and a topic; a second that takes the topic
to a third HTTP sink; a third that takes the orders of one customer in ten to XMPP: a topic with a subscriber, and chat
messages to the same account, at a real server (one in ten, since server and account share the cores); a fourth that has
the orders of another one in ten for somebody who never comes online, so that each is sent on by `otherwise`: to a fourth
HTTP sink, and to a topic that a fifth sink follows. Half of the kills come at random instants, half at a named step (XYLEM_CRASH).
First with the page cache kept, then as power losses (XYLEM_IO=volatile). A kill counts when at least 100
acknowledged messages were unsettled. In the end everything is delivered and `checker verify` compares.

The third part is the negative control: with syncs that do nothing the same run must lose messages, and the
test passes when the checker says so. Prints TAP.
"""
import argparse
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import ports                              # noqa: E402
from tests.peers.kafka import Kafka                        # noqa: E402
from tests.peers.postgres import Postgres                  # noqa: E402
from tests.peers.process import PeerError, Process         # noqa: E402
from tests.peers.prosody import Prosody                    # noqa: E402
from tests.peers.xmpp_account import Account               # noqa: E402

# Steps and how often the bus passes them, about, until the kill is due: the N of XYLEM_CRASH is drawn from it.
STEPS = {"append": 6000, "written": 300, "synced": 300, "evaluated": 12000, "sink-before": 400, "sink-after": 400,
         "catalogue-before": 100, "catalogue-after": 100}
# This one comes seconds after a start, when the bus knows that nobody is there: not drawn, but every tenth kill.
DIVERTED, DIVERTED_OF = "diverted", 40
UNSETTLED = 100
# The customers whose orders go to XMPP; `where` and the checker's view of the oracle say the same.
WATCHED = re.compile(r"7$")
ABSENT = re.compile(r"3$")
DIVERTED_TO, TOLD = ["instead", "missed"], ["subscriber", "chat"]
ORDER = re.compile(r'\{"id":"[^"]*","customer":"[^"]*","seq":\d+,"pad":"[^"]*"\}')
ENDED_BY_KILL = -signal.SIGKILL


class Peers:
    """PostgreSQL, Kafka and an XMPP server with an account, started once for all parts."""

    def __init__(self, plugins):
        self.postgres = Postgres(settings={"fsync": "off"}).start() if "postgres" in plugins else None
        self.kafka = None
        if "kafka" in plugins:
            try:
                self.kafka = Kafka(allow_mock=False).start()
            except PeerError as why:
                # The mock cluster forgets what is old, which the checker would take for losses.
                print(f"# without kafka: {str(why).splitlines()[0][:200]}", flush=True)
        self.xmpp = Prosody().start()
        self.xmpp.register("watcher", "pw")

    def close(self):
        self.xmpp.stop()
        if self.postgres:
            self.postgres.close()
        if self.kafka:
            self.kafka.close()


class Stage:
    """One part: its own data folder, ports, tables, topics and logs."""

    def __init__(self, arguments, peers, plugins, name, seed):
        self.arguments, self.peers, self.name = arguments, peers, name
        self.folder = pathlib.Path(arguments.folder) / name
        self.folder.mkdir(parents=True)
        self.random = random.Random(seed)
        self.hook, self.console, self.sink_port = ports.free(3)
        self.plugins = plugins
        self.destinations = ["fast", "slow", "after"]
        self.word = f"{name}_{os.getpid()}"
        self._configure()
        self.sink = Process([arguments.checker, "sink", "--port", self.sink_port, "--folder", self.folder,
                             "--control", self._control(True)], self.folder / "sink.log")
        self.sink.wait_line(r"^listening", 10)
        self.bus = self.account = None
        self.kills, self.weak, self.by, self.least = 0, 0, {}, None
        self.seconds_up, self.acknowledged_up = 0.0, 0  # from ready to the kill

    def _control(self, slow):
        path = self.folder / "control"
        path.write_text("after inside\nmissed inside\n" + ("slow delay 2\n" if slow else ""))
        return path

    def _configure(self):
        http = f"http://127.0.0.1:{self.sink_port}"
        connectors = {
            "shop": {"webhook": {"path": "/in", "listen": f"127.0.0.1:{self.hook}", "verify": "none", "key": "/data/customer"}},
            "fast": {"http": {"url": f"{http}/fast"}},
            "slow": {"http": {"url": f"{http}/slow", "connections": 6}},
            "after": {"http": {"url": f"{http}/after"}},
            "instead": {"http": {"url": f"{http}/instead"}},
            "missed": {"http": {"url": f"{http}/missed"}},
            "away": {"xmpp": {"to": [f"nobody@{self.peers.xmpp.domain}"], "offline": "discard"}},
            "gone": {"xmpp": {"to": [f"nobody@{self.peers.xmpp.domain}"], "offline": "discard"}},
            "archive": {"file": {"path": str(self.folder / "archive.ndjson"), "format": "ndjson"}}}
        to = ["fast", "slow", "archive"]
        if self.peers.postgres:
            self.peers.postgres.sql(f"CREATE TABLE {self.word} (place bigserial, id text, customer text, seq bigint, pad text)")
            connectors["erp"] = {"postgres": {"dsn": self.peers.postgres.dsn, "table": self.word}}
            to.append("erp")
        if self.peers.kafka:
            self.peers.kafka.create_topic(self.word, partitions=4)
            connectors["events"] = {"kafka": {"brokers": self.peers.kafka.brokers, "topic": self.word}}
            to.append("events")
        connectors["chat"] = {"xmpp": {"to": [self.account_of(self.peers.xmpp)], "body": "data"}}
        self.destinations += to[2:]
        self.config = self.folder / "bus.yaml"
        # JSON is YAML. Small segments, so that files are made, sealed, trimmed and used again all the time.
        self.config.write_text(json.dumps({
            "bus": {"name": "crash", "data": str(self.folder / "data")},
            "journal": {"segment": "16MiB", "retain": {"bytes": "32MiB"}},
            "console": {"listen": f"127.0.0.1:{self.console}", "public_metrics": True},
            "connectors": connectors,
            "xmpp": {"server": f"127.0.0.1:{self.peers.xmpp.component_port}", "domain": self.peers.xmpp.component,
                     "secret": {"env": "XYLEM_XMPP_SECRET"}, "allow": [self.account_of(self.peers.xmpp)]},
            "topics": {"orders": {"title": "Orders"}, "watched": {"access": "open"}, "unseen": {}},
            "routes": {"orders": {"from": ["shop"], "to": [*to, "topic:orders"]},
                       "follow": {"from": ["topic:orders"], "to": ["after"]},
                       "watch": {"from": ["shop"], "where": '.data.customer | endswith("7")',
                                 "to": ["topic:watched", "chat"]},
                       "absent": {"from": ["shop"], "where": '.data.customer | endswith("3")',
                                  "to": [{"away": {"otherwise": "instead"}}, {"gone": {"otherwise": "topic:unseen"}}]},
                       "missed": {"from": ["topic:unseen"], "to": ["missed"]}}}, indent=1))

    @staticmethod
    def account_of(server):
        return f"watcher@{server.domain}"

    # --- The bus

    def start(self, io=None, crash=None):
        """True when it is ready; False when the named step ended it before that."""
        environment = {"XYLEM_IO": io or "", "XYLEM_CRASH": crash or "", "XYLEM_PLUGINS": str(self.arguments.plugins),
                       "XYLEM_XMPP_SECRET": self.peers.xmpp.secret}
        self.bus = Process([self.arguments.xylemd, "run", self.config], self.folder / "bus.log", env=environment)
        try:
            self.bus.wait_line(r"ready: ", 60)
            return True
        except PeerError:
            if self.bus.returncode == ENDED_BY_KILL and crash:
                return False
            raise

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.console}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        return [(name, dict(re.findall(r'(\w+)="([^"]*)"', labels or "")), float(value))
                for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE)]

    def backlog(self):
        return {f"{labels['route']}/{labels['destination']}": int(value)
                for name, labels, value in self.metrics() if name == "xylem_lane_backlog_messages"}

    # --- What the disk says after a kill

    def cursors(self):
        """The committed cursors, read from a copy of the catalogue as the kill left it."""
        with tempfile.TemporaryDirectory(dir=self.folder) as copy:
            for name in ("catalogue.db", "catalogue.db-wal"):
                if (self.folder / "data" / name).exists():
                    shutil.copy(self.folder / "data" / name, copy)
            database = sqlite3.connect(f"{copy}/catalogue.db")
            try:
                return [row[0] for row in database.execute("SELECT cursor_offset FROM lanes WHERE dropped = 0 AND route = 'orders'")]
            finally:
                database.close()

    def status(self):
        fields = (self.folder / "status").read_text().split()
        return dict(zip(("sent", "acknowledged", "maybe", "again", "highest"), map(int, fields)))

    def unsettled(self):
        """How many positions up to the highest acknowledged one the slowest lane had not settled."""
        cursors = self.cursors()
        return self.status()["highest"] + 1 - min(cursors) if cursors else 0

    # --- Kills

    def load(self):
        arguments = [self.arguments.checker, "load", "--to", f"127.0.0.1:{self.hook}/in", "--oracle", self.folder / "oracle",
                     "--status", self.folder / "status", "--rate", self.arguments.rate, "--drain", 60]
        return Process(arguments, self.folder / "load.log")

    def wait_acknowledged(self, more, deadline=20.0):
        wanted = self.status()["acknowledged"] + more
        end = time.monotonic() + deadline
        while self.status()["acknowledged"] < wanted:
            if not self.bus.alive():
                return
            if time.monotonic() > end:
                raise PeerError(f"the bus acknowledges nothing\n{self.bus.tail()}")
            time.sleep(0.01)  # a status file gives no event

    def draw(self):
        """A step and how often it is to be passed; None: an instant."""
        if (self.kills + self.weak) % 10 == 3:
            return DIVERTED, DIVERTED_OF
        step = self.random.choice([None, *STEPS]) if self.random.random() < 0.6 else None
        return step, STEPS.get(step)

    def kill_once(self, io):
        step, most = self.draw()
        crash = f"{step}:{self.random.randint(1, most)}" if step else None
        up = self.start(io, crash)
        since, before = time.monotonic(), self.status()["acknowledged"]
        if up:
            if not step:
                # An instant: so many messages on, and a while that has nothing to do with them.
                self.wait_acknowledged(self.random.randint(200, 5000))
                time.sleep(self.random.uniform(0, 0.1))
            else:
                try:
                    self.bus.wait(20 if step == DIVERTED else 6)
                except PeerError:
                    step = None  # the step was not passed as often: this instant is as good
        if self.bus.alive():
            self.bus.send(signal.SIGKILL)
        if self.bus.wait(30) != ENDED_BY_KILL:
            raise PeerError(f"the bus ended by itself with {self.bus.returncode}\n{self.bus.tail()}")
        if up:
            self.seconds_up += time.monotonic() - since
            self.acknowledged_up += self.status()["acknowledged"] - before
        self.bus.kill()
        self.count(step)

    def count(self, step):
        unsettled = self.unsettled()
        if unsettled < UNSETTLED:
            self.weak += 1
            return
        self.kills += 1
        self.least = unsettled if self.least is None else min(self.least, unsettled)
        name = step or "any instant"
        self.by[name] = self.by.get(name, 0) + 1

    def watch(self):
        """The account subscribes, by the bus that runs, and stays."""
        self.bus.wait_line(r"connected as ", 30)
        self.account = Account(self.peers.xmpp, "watcher", "pw", resource=self.word).__enter__()
        self.account.iq("set", self.peers.xmpp.component, "<pubsub xmlns='http://jabber.org/protocol/pubsub'>"
                        f"<subscribe node='watched' jid='{self.account.bare}'/></pubsub>")

    def kill_many(self, io, kills):
        self.status_begin()
        # One start and orderly stop before the first kill: what is promised about a subscriber begins when it is one.
        self.start()
        self.watch()
        self.bus.stop(60)
        with self.load() as load:
            while self.kills < kills:
                self.kill_once(io)
                if self.weak > kills + 20:
                    raise PeerError(f"{self.weak} kills with less than {UNSETTLED} messages unsettled")
            self.start(io)
            load.send(signal.SIGTERM)
            load.wait(120)
            text = load.text().strip().splitlines()
        print(f"# {self.name}: load: {text[-1]}; while the bus was up: {self.acknowledged_up} in {self.seconds_up:.1f} s, "
              f"{self.acknowledged_up / max(self.seconds_up, 0.001):.0f}/s")
        by = ", ".join(f"{name} {n}" for name, n in sorted(self.by.items()))
        print(f"# {self.name}: {self.kills} kills with {self.least} or more unsettled ({by}); {self.weak} more with fewer", flush=True)

    def status_begin(self):
        (self.folder / "status").write_text("0 0 0 0 0\n")

    # --- The end

    def quiesce(self, deadline=300.0):
        """Waits until no lane has a backlog, and stops the bus."""
        self._control(False)
        self.sink.mark()
        self.sink.send(signal.SIGHUP)
        self.sink.wait_line(r"^control", 10)
        end = time.monotonic() + deadline
        while any(self.backlog().values()):
            if time.monotonic() > end:
                raise PeerError(f"not delivered after {deadline} s: {self.backlog()}\n{self.bus.tail()}")
            time.sleep(0.2)  # metrics give no event
        self.bus.stop(60)
        self.sink.stop(30)

    def dump(self):
        """Receipts of what is no HTTP sink, and the list of the hospital."""
        if self.peers.postgres:
            rows = self.peers.postgres.sql(f"SELECT id, customer, seq, pad FROM {self.word} ORDER BY place")
            self._receipts("erp", ('{"id":"%s","customer":"%s","seq":%s,"pad":"%s"}' % tuple(row) for row in rows))
        if self.peers.kafka:
            done = subprocess.run(["kcat", "-b", self.peers.kafka.brokers, "-C", "-t", self.word, "-o", "beginning", "-e", "-q",
                                   "-f", "%s\n"], capture_output=True, timeout=120, check=True)
            self._receipts("events", done.stdout.decode().splitlines())
        if self.account.ended:
            raise PeerError(f"the account lost its connection: {self.account.ended}")
        texts = [(message.get("type"), "".join(message.itertext())) for message in self.account.messages]
        orders = [(kind, found.group() if found else text) for kind, text in texts for found in [ORDER.search(text)]]
        self._receipts("subscriber", (order for kind, order in orders if kind != "chat"))
        self._receipts("chat", (order for kind, order in orders if kind == "chat"))
        self._receipts("archive", self._whole_lines(self.folder / "archive.ndjson"))
        database = sqlite3.connect(self.folder / "data" / "catalogue.db")
        cases = database.execute("SELECT partition, offset, destination FROM cases").fetchall()
        database.close()
        with open(self.folder / "oracle", encoding="ascii") as oracle:
            handles = {line.split()[7]: line.split()[1] for line in oracle} if cases else {}
        # Where the handle was never acknowledged the line is not understood, which fails the run.
        (self.folder / "hospital").write_text("".join(
            f"{handles.get(f'{partition}-{offset}', 'unknown')} {to or ''}".strip() + "\n" for partition, offset, to in cases))

    def _whole_lines(self, path):
        """The lines of a file without those that a kill cut in the middle of a write: they end early, stand alone,
        and there is at most one a kill."""
        whole, torn = [], 0
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("{") and not line.endswith("}") and line.count('{"id":') <= 1:
                torn += 1
            else:
                whole.append(line)
        if torn > (self.kills + self.weak):
            raise PeerError(f"{path}: {torn} torn lines by {(self.kills + self.weak)} kills")
        print(f"# {path.name}: {torn} torn lines, each on its own")
        return whole

    def _receipts(self, name, payloads):
        shape = re.compile(r'^\{"id":"([^"]+)","customer":"([^"]+)","seq":(\d+),')
        with open(self.folder / f"{name}.receipts", "w", encoding="ascii") as file:
            for payload in payloads:
                found = shape.match(payload)
                fields = found.groups() if found else ("?", "?", "0")
                file.write(" ".join([*fields, hashlib.sha256(payload.encode()).hexdigest(), "0"]) + "\n")

    def verify(self):
        """0 when every promise is kept; and what the checker said."""
        self.dump()
        with open(self.folder / "oracle", encoding="ascii") as oracle:
            lines = list(oracle)
        status, text = self._verify("oracle", self.destinations)
        for name, whose, destinations in (("oracle.watched", WATCHED, TOLD), ("oracle.absent", ABSENT, DIVERTED_TO)):
            (self.folder / name).write_text("".join(line for line in lines if whose.search(line.split()[2])))
            worse, more = self._verify(name, destinations)
            status, text = status or worse, text + more
        return status, text

    def _verify(self, oracle, destinations):
        arguments = [self.arguments.checker, "verify", "--oracle", self.folder / oracle, "--hospital", self.folder / "hospital",
                     "--details", self.folder / f"{oracle}.details"]
        for name in destinations:
            (self.folder / f"{name}.receipts").touch()
            arguments += ["--to", f"{name}={self.folder}/{name}.receipts"]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
        for line in (done.stdout + done.stderr).splitlines():
            print(f"# {line.removeprefix('# ')}")
        return done.returncode, done.stdout

    def close(self):
        if self.account:
            self.account.__exit__()
        for process in (self.bus, self.sink):
            if process:
                process.kill()


def part_kept(stage, io, kills):
    stage.kill_many(io, kills)
    stage.quiesce()
    status, _ = stage.verify()
    assert status == 0, "the checker found violations"


def part_control(stage, kills):
    """With syncs that do nothing messages must be lost, and the checker must say so."""
    stage.start()
    stage.bus.stop(60)
    stage.kill_many("volatile,nosync", kills)
    stage.bus.stop(60)
    stage.start()
    stage.quiesce()
    status, text = stage.verify()
    lost = sum(int(line.split()[6]) for line in text.splitlines() if line.split()[:1] and line.split()[0] in [*stage.destinations, *TOLD, *DIVERTED_TO])
    print(f"# control: {lost} losses reported")
    assert status == 1 and lost > 0, "syncs were taken out and the checker saw no loss: the suite proves nothing"


def attempt(number, name, arguments, peers, run):
    stage = None
    try:
        stage = Stage(arguments, peers, arguments.modules, name.split()[0], arguments.seed + number)
        run(stage)
        print(f"ok {number} - {name}", flush=True)
        return True
    except Exception as error:  # pylint: disable=broad-except
        for line in f"{type(error).__name__}: {error}".splitlines():
            print(f"# {line}")
        print(f"not ok {number} - {name}", flush=True)
        return False
    finally:
        if stage:
            stage.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("xylemd")
    parser.add_argument("checker")
    parser.add_argument("--plugins", default=None, help="folder of the loadable connectors; else beside xylemd's build")
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randint(1, 1 << 30))
    parser.add_argument("--rate", type=int, default=6500)
    parser.add_argument("--only", choices=["plain", "power", "control"])
    parser.add_argument("--keep", help="leave everything in this folder")
    arguments = parser.parse_args()
    arguments.plugins = pathlib.Path(arguments.plugins or pathlib.Path(arguments.xylemd).resolve().parents[2] / "connectors")
    arguments.modules = [path.stem for path in arguments.plugins.glob("*.so")]
    arguments.folder = arguments.keep or tempfile.mkdtemp(prefix="xylem-crash-")
    parts = [(f"plain: {arguments.kills} kills, the page cache kept", lambda stage: part_kept(stage, None, arguments.kills)),
             (f"power: {arguments.kills} power losses", lambda stage: part_kept(stage, "volatile", arguments.kills)),
             ("control: without syncs messages are lost", lambda stage: part_control(stage, 3))]
    parts = [part for part in parts if arguments.only in (None, part[0].split(":")[0])]
    print(f"1..{len(parts)}\n# seed {arguments.seed}; connectors: webhook, http, file, xmpp, {', '.join(arguments.modules)}", flush=True)
    peers, good = None, False
    try:
        peers = Peers(arguments.modules)
        results = [attempt(number, name.replace(":", "", 1), arguments, peers, run) for number, (name, run) in enumerate(parts, 1)]
        good = all(results)
    finally:
        if peers:
            peers.close()
        if good and not arguments.keep:
            shutil.rmtree(arguments.folder, ignore_errors=True)
        else:
            print(f"# everything lies in {arguments.folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
