# SPDX-License-Identifier: Apache-2.0
"""The measurements of the XMPP link: a topic's fan-out and its stream to one subscriber, and what a stanza costs.

The subscribers are addresses of a second component, so that the server only routes, and what it routes is
counted by bench-xmpp-peer. The ceiling is the same program sending the same bytes as a third component through
the same server, while the bus has nothing to do. A server on two cores has its moods, so a stream is measured for
seconds, bus and socket in turns.
"""
import json
import re
import statistics
import subprocess
import time

from tests.peers import ports
from tests.peers.ejabberd import Ejabberd
from tests.peers.process import PeerError, Process
from tests.peers.prosody import Prosody

from .bus import Bus
from .figures import Figure

SERVERS = {"Prosody": Prosody, "ejabberd": Ejabberd}
SINK = "people.example.com"
SOCKET = "raw.example.com"  # as long as the bus's domain
CONFIG = """xmpp: {{ server: "127.0.0.1:{component}", domain: bus.example.com, secret: {{ file: {secret} }}, allow: ["@{sink}"] }}
connectors:
  in: {{ webhook: {{ path: /in, verify: none, listen: "127.0.0.1:{hook}", accept: [array] }} }}
  one: {{ webhook: {{ path: /one, verify: none, listen: "127.0.0.1:{hook}", accept: [single] }} }}
  desk: {{ xmpp: {{ allow: ["@{sink}"] }} }}
topics:
  t: {{ access: open, max_items: 1000 }}{more}
routes:
  in: {{ from: [in, one], to: [topic:t] }}
  desk: {{ from: [desk], where: '.type == "never"', to: [topic:t] }}
"""


class People:
    """bench-xmpp-peer as the subscribers' domain."""

    def __init__(self, programs, folder, server):
        self.process = Process([programs.bench("xmpp-peer"), "sink", f"127.0.0.1:{server.component_port}", SINK,
                                server.secret], log=folder / "people.log", stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(f"bench-xmpp-peer ended\n{self.process.tail()}")
        return json.loads(line)

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self.answer()

    def wait(self, messages, deadline=300):
        end = time.monotonic() + deadline
        while (counted := self.tell("ask"))["messages"] < messages:
            if time.monotonic() > end:
                raise PeerError(f"{counted['messages']} notifications of {messages} after {deadline} s")
            time.sleep(0.02)  # a count gives no event
        return counted

    def sample(self):
        """The content of the first message since the last reset, as the bus wrote it (servers escape quotes)."""
        text = bytes.fromhex(self.tell("sample")["sample"]).decode(errors="replace")
        inside = re.search(r"<message[^>]*>(.*?)</message>", text, re.DOTALL).group(1)
        return inside.replace("&quot;", '"').replace("&apos;", "'").replace("&gt;", ">")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()


class World:
    """A server, the subscribers, a bus with the topic `t`."""

    def __init__(self, programs, folder, kind, topics=1):
        self.programs, self.folder = programs, folder
        self.topics = ["t", *(f"t{i}" for i in range(1, topics))]
        self.server = SERVERS[kind](more_components=[SINK, SOCKET], stanza_limit=1 << 20)
        self.hook = ports.free()

    def __enter__(self):
        self.server.start()
        secret = self.folder / "secret"
        secret.write_text(self.server.secret, encoding="ascii")
        secret.chmod(0o600)
        self.people = People(self.programs, self.folder, self.server)
        self.bus = Bus(self.programs, self.folder / "bus", CONFIG.format(
            component=self.server.component_port, sink=SINK, hook=self.hook, secret=secret,
            more="".join(f"\n  {name}: {{ access: open, max_items: 1000 }}" for name in self.topics[1:])))
        self.start_bus()
        return self

    def start_bus(self):
        """Seconds to readiness; returns when the link is up."""
        taken = self.bus.start()
        self.bus.process.wait_line("connected as", 30)
        return taken

    def __exit__(self, *_):
        self.bus.__exit__()
        self.people.__exit__()
        self.server.__exit__()

    def subscribe(self, count, topic="t"):
        got = self.people.tell(f"subscribe bus.example.com {topic} {count}")
        if got["results"] != count:
            raise PeerError(f"{got} of {count} subscriptions")

    def rate(self, items, subscribers):
        """Items through the topic; notifications a second at the subscribers, from the first to the last; CPU each."""
        self.people.tell("reset")
        before = self.bus.cpu_us()
        stream = items >= 1000
        self.programs.load(self.hook, "/in" if stream else "/one", count=items, batch=100 if stream else 1,
                           connections=4 if stream else 1, body=300)
        got = self.people.wait(items * subscribers)
        spent = (self.bus.cpu_us() - before) / (items * subscribers)
        (self.folder / "content").write_text(self.people.sample(), encoding="utf-8")
        return items * subscribers * 1e6 / (got["last_us"] - got["first_us"]), spent

    def kept(self, items):
        """The same of items that lie in the journal when the first is sent: nothing comes in meanwhile."""
        self.bus.ask("POST", "lanes/bus.topics/subscribers/pause")
        self.people.tell("reset")
        self.programs.load(self.hook, "/in", count=items, batch=100, connections=4, body=300)
        while any(lane["backlog"] for lane in self.bus.ask("GET", "lanes")["lanes"] if lane["lane"] == "in/topic:t"):
            time.sleep(0.05)  # a count gives no event
        before = self.bus.cpu_us()
        self.bus.ask("POST", "lanes/bus.topics/subscribers/resume")
        got = self.people.wait(items)
        spent = (self.bus.cpu_us() - before) / items
        return items * 1e6 / (got["last_us"] - got["first_us"]), spent

    def ceiling(self, items, subscribers):
        """The same bytes from a raw socket."""
        self.people.tell("reset")
        self.programs.run_json("xmpp-peer", "raw", f"127.0.0.1:{self.server.component_port}", SOCKET,
                               self.server.secret, SINK, items, subscribers, self.folder / "content")
        got = self.people.wait(items * subscribers)
        return items * subscribers * 1e6 / (got["last_us"] - got["first_us"])


RAW = "a raw socket through the same server"


def fanout(programs, folder, scale):
    """One item at a time to 1,000 and to 10,000 subscribers."""
    for kind in SERVERS:
        for subscribers, items in ((1000, max(1, int(20 * scale))), (10000, max(1, int(4 * scale)))):
            with World(programs, folder, kind) as world:
                world.subscribe(subscribers)
                world.rate(1, subscribers)  # the first touches every page
                turns = [(world.ceiling(items, subscribers), world.rate(items, subscribers)) for _ in range(3)]
                memory = world.bus.memory_mb("VmHWM")
            sockets, measured = zip(*turns)
            yield beside(f"{kind}: one item to {subscribers:,} subscribers", measured, sockets, items,
                         f"bus at most {memory:.0f} MB resident")


TURNS = 5
TURN_S = 3


def topic(programs, folder, scale):
    """A stream of items to one subscriber; and what the bus spends on a stanza in, and on a question and its answer."""
    for kind in SERVERS:
        with World(programs, folder, kind) as world:
            world.subscribe(1)
            world.rate(10000, 1)  # the first touch every page, of the server too
            items = int(world.ceiling(10000, 1) * TURN_S * scale)
            turns = [(world.ceiling(items, 1), world.kept(items), world.rate(items, 1)) for _ in range(TURNS)]
            yield from stanzas(world, kind, int(30000 * scale))
        sockets, kept, streams = zip(*turns)
        yield beside(f"{kind}: a topic's items to one subscriber", kept, sockets, items,
                     "items that lie in the journal already: topic -> notification alone")
        yield beside(f"{kind}: a topic to one subscriber", streams, sockets, items,
                     "webhook -> topic -> notification: CPU includes taking it in and deriving the item")


def beside(name, measured, sockets, items, note):
    """The medians of turns, with what the bus had of the socket in the worst and the best of them."""
    rates, spent = zip(*measured)
    shares = [100 * rate / ceiling for rate, ceiling in zip(rates, sockets)]
    return Figure("xmpp", name, statistics.median(rates), "/s", statistics.median(sockets), RAW, statistics.median(spent),
                  f"{note}; {len(rates)} turns of {items:,} items, {min(shares):.0f} to {max(shares):.0f} % in each")


def stanzas(world, kind, count):
    for name, to, payload in (
            ("IQ in, journaled, answered", "set desk@bus.example.com", "<order xmlns='u:shop' n='1'>" + "x" * 300 + "</order>"),
            ("ping in, answered", "get bus.example.com", "<ping xmlns='urn:xmpp:ping'/>")):
        before = world.bus.cpu_us()
        got = world.people.tell(f"iq {to} {count} 500 {payload}")
        spent = (world.bus.cpu_us() - before) / count
        taken = (got["last_us"] - got["first_us"]) / 1e6
        failed = f"; {got['errors']} errors" if got["errors"] else ""
        yield Figure("xmpp", f"{kind}: {name}", count / taken, "/s", cpu_us=spent, note=f"500 unanswered at most{failed}")


SUBSCRIBERS = 100


def many(programs, folder, scale):
    """1,000 topics with 100 subscribers each, beside one such topic: memory, start, and one publish."""
    found = {}
    for count in (1, max(2, int(1000 * scale))):
        with World(programs, folder, "Prosody", count) as world:
            for name in world.topics:
                world.subscribe(SUBSCRIBERS, name)
            world.bus.stop()
            started = world.start_bus()
            memory = world.bus.memory_mb("RssAnon")
            world.rate(5, SUBSCRIBERS)  # the first touch every page
            items = max(10, int(200 * scale))
            rate, spent = world.rate(items, SUBSCRIBERS)
            found[count] = memory, started, rate / SUBSCRIBERS, spent * SUBSCRIBERS
    (_, one), (count, all_of) = found.items()
    what, beside = f"{count:,} topics with {SUBSCRIBERS} subscribers each", "one such topic"
    yield Figure("xmpp", f"{what}: memory", all_of[0], "MB", one[0], beside, note="anonymous, after a start")
    yield Figure("xmpp", f"{what}: start", all_of[1], "s", one[1], beside, note="to readiness, subscriptions read")
    yield Figure("xmpp", f"{what}: one publish", all_of[2], "/s", one[2], beside, all_of[3],
                 f"webhook -> topic -> {SUBSCRIBERS} notifications, one after another; CPU with one topic {one[3]:,.0f} us")


MEASUREMENTS = {"xmpp-fanout": fanout, "xmpp-topic": topic, "xmpp-topics": many}
