# SPDX-License-Identifier: Apache-2.0
"""Bus to bus: federation_test.py XYLEMD [MESSAGES KILLS]

Two buses, one behind Prosody on 127.0.0.2, one behind ejabberd on 127.0.0.3, each server
with a certificate of the tests' own authority, no dialback. What docs/bus-to-bus.md says
is asked of them one by one; at the end MESSAGES go each way (2,000) while each of the two
buses and the two servers is killed KILLS times (1), and the two journals are compared.
"""
import collections
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time
import unittest

XYLEMD = sys.argv[1]
MESSAGES, KILLS = (int(n) for n in (sys.argv[2:4] or (2000, 1)))
os.environ["XYLEMD"] = XYLEMD
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "path")]
from harness import Bus, Sink, say, until  # noqa: E402
from tests.peers import ports  # noqa: E402
from tests.peers.ejabberd import Ejabberd  # noqa: E402
from tests.peers.federation import Authority, Federation  # noqa: E402
from tests.peers.prosody import Prosody  # noqa: E402
from tests.xmpp import tap  # noqa: E402
from tests.xmpp.component import Component, condition  # noqa: E402

PEER = "urn:xylem:bus:0"
TAKEN = "{%s}taken" % PEER
INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
#: Quick probes, so that a test of a minute has seen many outages. The window is small, and so is what is remembered.
DELIVER = {"probe": "100ms", "backoff": "100ms", "backoff_max": "1s", "timeout": "5s", "window": 1024}
DEADLINE = 60


def bus_of(name, other, server, slow):
    """The bus behind `server`: what comes in at the webhook goes to the other one."""
    return Bus(
        connectors={
            "feed": {"webhook": {"path": "/feed", "accept": ["ndjson"], "id": "/data/id", "key": "/data/key",
                                 "type": "/data/type"}},
            f"to_{other}": {"peer": {"to": f"from_{name}@bus.{other}.test"}},
            f"also_{other}": {"peer": {"to": f"from_{name}@bus.{other}.test"}},
            f"from_{other}": {"peer": {"allow": [f"bus.{other}.test"], "remember": 4096}},
            "from_raw": {"peer": {"allow": ["raw.a.test"], "remember": 256}},
            "slow": {"http": {"url": slow.url}},
            "to_nobody": {"peer": {"to": f"nobody@bus.{other}.test"}},
        },
        topics={"got": {}},
        routes={
            "out": {"from": ["feed"], "where": '.type != "lost" and .type != "both"', "deliver": DELIVER,
                    "to": [f"to_{other}"]},
            # Two ways to one address: two destinations.
            "both": {"from": ["feed"], "where": '.type == "both"', "deliver": DELIVER,
                     "to": [f"to_{other}", f"also_{other}"]},
            "lost": {"from": ["feed"], "where": '.type == "lost"', "deliver": DELIVER, "to": ["to_nobody"]},
            "in": {"from": [f"from_{other}", "from_raw"], "to": ["topic:got"]},
            "slow": {"from": [f"from_{other}"], "where": '.type == "slow"',
                     "deliver": {**DELIVER, "max_backlog": "200KiB"}, "to": ["slow"]},
            # Both buses send on what is of this type: a circle.
            "circle": {"from": [f"from_{other}"], "where": '.type == "circle"', "deliver": DELIVER,
                       "to": [f"to_{other}"]},
        },
        xmpp={"server": f"127.0.0.1:{server.component_port}", "domain": f"bus.{name}.test",
              "secret": {"env": "TEST_SECRET"}},
        env={"TEST_SECRET": server.secret}, bus={"max_message": "128KiB"})


def lines(messages):
    return "".join(json.dumps(m) + "\n" for m in messages)


def journal(bus, ingress):
    """All messages that came in there, the oldest first: (handle, id, key)."""
    found, after = [], ""
    while True:
        page = bus.get(f"messages?ingress={ingress}&limit=1000{after}")
        found += [(m["handle"], m["id"], m["key"]) for m in page["messages"]]
        if not page["next"]:
            return found[::-1]
        after = f"&after={page['next']}"


def received(bus, ingress):
    return next(c["received"] for c in bus.get("connectors")["connectors"] if c["name"] == ingress)


class FederationTest(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-federation-"))
        cls.authority = Authority(cls.folder)
        port_a, port_b = ports.free(2)
        there_a = {name: ("127.0.0.2", port_a) for name in ("a.test", "bus.a.test", "raw.a.test")}
        there_b = {name: ("127.0.0.3", port_b) for name in ("b.test", "bus.b.test")}
        cls.a_server = Prosody(
            domain="a.test", component="bus.a.test", more_components=["raw.a.test"],
            certificate=cls.authority.certificate("a.test", "bus.a.test", "raw.a.test"),
            federation=Federation("127.0.0.2", port_a, cls.authority.file, there_b))
        cls.b_server = Ejabberd(
            domain="b.test", component="bus.b.test", certificate=cls.authority.certificate("b.test", "bus.b.test"),
            federation=Federation("127.0.0.3", port_b, cls.authority.file, there_a))
        cls.a_server.start()
        cls.b_server.start()
        cls.slow = Sink()
        cls.a, cls.b = bus_of("a", "b", cls.a_server, cls.slow), bus_of("b", "a", cls.b_server, cls.slow)
        for bus in (cls.a, cls.b):
            bus.start()
            bus.wait_log(r"connected as bus\..\.test")

    @classmethod
    def tearDownClass(cls):
        try:
            for bus in (cls.a, cls.b):
                bus.stop()
        finally:
            for one in (cls.a, cls.b):
                one.clean()
            cls.slow.refuse()
            for server in (cls.a_server, cls.b_server):
                server.__exit__()
            shutil.rmtree(cls.folder, ignore_errors=True)

    def feed(self, bus, messages):
        return bus.post("/feed", lines(messages), {"Content-Type": "application/x-ndjson"})

    def arrived(self, bus, ingress, identity):
        """The message with this id, once it is in the journal there."""
        return until(lambda: next((m for m in bus.get(f"messages?ingress={ingress}&id={identity}")["messages"]), None),
                     f"{identity} at {ingress}", DEADLINE)

    def settled(self, bus, handle, lane):
        """What the lane did with it, once it has."""
        return until(lambda: next((hop for hop in bus.get(f"messages/{handle}")["lanes"]
                                   if hop["lane"] == lane and hop["outcome"] != "pending"), None),
                     f"{lane} with {handle}", DEADLINE)

    # --- One by one ----------------------------------------------------------------

    def test_01_one_message_and_its_trace_on_both_sides(self):
        for here, there, name, other in ((self.a, self.b, "a", "b"), (self.b, self.a, "b", "a")):
            data = {"id": f"one-{name}", "key": "k", "type": "t", "text": "\u20ac <&> \U0001f600", "number": 19.990}
            handle, = self.feed(here, [data])
            message = self.arrived(there, f"from_{name}", data["id"])
            shown = there.get(f"messages/{message['handle']}")
            self.assertEqual(shown["origin"], {"bus": f"bus.{name}.test", "handle": handle})
            self.assertEqual(shown["extensions"]["xylemhops"], "1")
            hop = self.settled(here, handle, f"out/to_{other}")
            self.assertEqual((hop["outcome"], hop["remote_handle"]), ("delivered", message["handle"]))
            sent = here.ask("GET", f"/api/v1/messages/{handle}/data").body
            self.assertEqual(there.ask("GET", f"/api/v1/messages/{message['handle']}/data").body, sent)

    def test_02_an_address_that_is_not_there_holds_the_lane_and_makes_no_case(self):
        self.feed(self.a, [{"id": "lost", "key": "k", "type": "lost"}])
        lane = self.a.wait_lane("lost/to_nobody", state="down")
        self.assertIn("service-unavailable", lane["why"])
        self.assertEqual(self.a.cases(), [])

    def test_03_a_circle_ends_after_eight_buses(self):
        handle, = self.feed(self.a, [{"id": "round", "key": "k", "type": "circle"}])
        case, = until(lambda: self.a.cases() + self.b.cases(), "a case", DEADLINE)
        self.assertEqual(case["code"], "peer-hops")
        rounds = [m for bus, ingress in ((self.a, "from_b"), (self.b, "from_a"))
                  for m in bus.get(f"messages?ingress={ingress}&id=round")["messages"]]
        self.assertEqual(len(rounds), 8)

    # --- What the protocol says, asked by a component that is another bus -------------

    def batch(self, raw, events, stream="s", call="c", number=1, to="from_raw@bus.a.test", namespace=PEER):
        self.count = getattr(self, "count", 0) + 1
        name = f"q{self.count}"
        return raw.ask(f"<iq type='set' from='raw.a.test' to='{to}' id='{name}'><batch xmlns='{namespace}' "
                       f"stream='{stream}' call='{call}' n='{number}'>{events}</batch></iq>", name)

    def event(self, ref, identity=None, more="<data>{}</data>", attributes=""):
        return f"<event ref='{ref}' id='{identity or ref}' source='/raw' type='t'{attributes}>{more}</event>"

    def handles(self, answer):
        self.assertEqual(condition(answer), "result")
        return answer.find(TAKEN).get("handles").split()

    def raw(self):
        return Component(self.a_server.component_port, "raw.a.test", self.a_server.secret)

    def test_04_a_repeat_is_known_before_and_after_a_crash(self):
        with self.raw() as raw:
            first = self.handles(self.batch(raw, self.event("r1") + self.event("r2"), call="x1"))
            self.assertEqual(len(set(first)), 2)
            again = self.handles(self.batch(raw, self.event("r2") + self.event("r3") + self.event("r1"), call="x2"))
            self.assertEqual([again[0], again[2]], [first[1], first[0]])
            # Another stream, another message, though of the same name.
            other = self.handles(self.batch(raw, self.event("r1"), stream="s2", call="x3"))
            self.assertNotIn(other[0], first)
            for _ in range(2):  # from the journal, and then from the file that the first start left
                self.a.kill()
                self.a.start()
                self.a.wait_log(r"connected as bus\.a\.test")
                self.assertEqual(self.handles(self.batch(raw, self.event("r2") + self.event("r1"), call="x4")),
                                 first[::-1])
            ids = [m[1] for m in journal(self.a, "from_raw")]
            self.assertEqual(sorted(ids), ["r1", "r1", "r2", "r3"])

    def test_05_batches_of_a_call_are_taken_in_their_order(self):
        with self.raw() as raw:
            out_of_order = "wait/unexpected-request/out-of-order"
            self.assertEqual(condition(self.batch(raw, self.event("o2"), call="o", number=2)), out_of_order)
            self.handles(self.batch(raw, self.event("o1"), call="o", number=1))
            self.handles(self.batch(raw, self.event("o2"), call="o", number=2))
            self.assertEqual(condition(self.batch(raw, self.event("o4"), call="o", number=4)), out_of_order)
            # What is refused in the middle ends the call.
            answer = self.batch(raw, self.event("o3") + self.event("o5", attributes=" time='noon'")
                                + self.event("o6"), call="o", number=3)
            self.assertEqual(len(self.handles(answer)), 1)
            refused = answer.find(TAKEN)[0]
            self.assertEqual(refused.get("code"), "invalid")
            self.assertIn("time", refused.text)
            self.assertEqual(condition(self.batch(raw, self.event("o7"), call="o", number=4)), out_of_order)
            self.assertEqual([m[1] for m in journal(self.a, "from_raw")][-3:], ["o1", "o2", "o3"])

    def test_06_what_is_refused_and_how(self):
        hops = "<ext name='xylemhops'>8</ext>"
        with self.raw() as raw:
            for events, code in ((self.event("e1", more=hops), "hops"),
                                 (self.event("e2", more=f"<data>{'x' * 140000}</data>"), "too-large"),
                                 (self.event("e3", attributes=" dataschema='&#127;'"), "invalid"),
                                 ("<event ref='e4' source='/raw' type='t'/>", "invalid"),
                                 (self.event("e5", more="<ext name='Bad'>x</ext>"), "invalid")):
                answer = self.batch(raw, events, call=code)
                self.assertEqual(self.handles(answer), [])
                self.assertEqual(answer.find(TAKEN)[0].get("code"), code, events[:60])
            for events in ("", "<event/>", self.event("bad ref"), "<other/>",
                           self.event("e6", more="<data>a</data><data>b</data>"),
                           self.event("e7", more="<data64>?</data64>"), self.event("e8", more="<new/>")):
                self.assertEqual(condition(self.batch(raw, events)), "modify/bad-request", events)
            self.assertEqual(condition(self.batch(raw, self.event("e9"), namespace="urn:xylem:bus:1")),
                             "cancel/feature-not-implemented/unsupported-version")
            self.assertEqual(condition(self.batch(raw, self.event("e9"), number=0)), "modify/bad-request")
            # An address that lets others in is not there for this one.
            self.assertEqual(condition(self.batch(raw, self.event("e9"), to="from_b@bus.a.test")),
                             "cancel/service-unavailable")

    def test_07_the_version_is_found_by_discovery(self):
        with self.raw() as raw:
            answer = raw.ask(f"<iq type='get' from='raw.a.test' to='from_raw@bus.a.test' id='d'>{INFO}</iq>", "d")
            features = {f.get("var") for f in answer.iter("{http://jabber.org/protocol/disco#info}feature")}
            self.assertIn(PEER, features)

    def test_08_bytes_arrive_as_they_were(self):
        with self.raw() as raw:
            self.handles(self.batch(raw, self.event("b1", more="<data64>AP8NCg==</data64>")
                                    + self.event("b2", more="<data/>") + self.event("b3", more=""), call="b"))
        for identity, data in (("b1", b"\x00\xff\r\n"), ("b2", b"")):
            message = self.arrived(self.a, "from_raw", identity)
            self.assertEqual(self.a.ask("GET", f"/api/v1/messages/{message['handle']}/data").body, data)

    # --- Who is not verified -------------------------------------------------------------

    def test_09_a_server_with_a_foreign_certificate_is_nobody(self):
        good = self.b_server.certificate
        before = received(self.a, "from_b")
        (self.folder / "foreign").mkdir()
        self.b_server.kill()
        self.b_server.certificate = Authority(self.folder / "foreign", "foreign").certificate("b.test", "bus.b.test")
        self.b_server.start()
        self.feed(self.a, [{"id": "verified-a", "key": "k", "type": "t"}])
        self.feed(self.b, [{"id": "verified-b", "key": "k", "type": "t"}])
        self.a.wait_lane("out/to_b", state="down", deadline=DEADLINE)
        self.b.wait_lane("out/to_a", state="down", deadline=DEADLINE)
        self.assertEqual(received(self.a, "from_b"), before)
        self.assertEqual(self.b.get("messages?ingress=from_a&id=verified-a")["messages"], [])
        self.b_server.kill()
        self.b_server.certificate = good
        self.b_server.start()
        self.arrived(self.b, "from_a", "verified-a")
        self.arrived(self.a, "from_b", "verified-b")

    # --- A receiver that has enough ----------------------------------------------------------

    def test_10_a_receiver_that_is_held_back_costs_no_attempts(self):
        self.slow.refuse()
        count = 0

        def one_more():
            nonlocal count
            self.feed(self.b, [{"id": f"slow-{count}", "key": "k", "type": "slow", "text": "x" * 5000}])
            count += 1
            lane = self.b.lane("out/to_a")
            return lane if lane["state"] == "down" else None
        lane = until(one_more, lambda: f"out/to_a down; {count} were fed", DEADLINE)
        self.assertIn("held back", lane["why"])
        with self.raw() as raw:  # what other addresses take in is not held
            self.handles(self.batch(raw, self.event("h1"), call="h"))
        self.slow.listen()
        self.b.wait_lane("out/to_a", DEADLINE, backlog=0)
        self.a.wait_lane("slow/slow", DEADLINE, backlog=0)
        taken = [json.loads(r.body)["id"] for r in self.slow.taken() if r.status == 200]
        self.assertEqual(list(dict.fromkeys(taken)), [f"slow-{n}" for n in range(count)])
        self.assertEqual(self.b.cases(route="out"), [])

    # --- Under kills ------------------------------------------------------------------------

    def feed_all(self, bus, name, share, sent):
        """Messages of 50 keys, 50 at a time; what gets no answer is sent under new ids. Stops when told to."""
        while len(sent) < share:
            number = len(sent)
            attempt = f"{name}-{number}-{time.monotonic_ns()}"
            body = lines([{"id": f"{attempt}-{i}", "key": f"{name}{(number + i) * 7 % 50}", "type": "load",
                           "n": number + i, "text": "'\"<&>" * 20} for i in range(50)])
            try:
                answer = bus.send("/feed", body, {"Content-Type": "application/x-ndjson"})
                if answer.status == 202:
                    sent += answer.json["handles"]
                    continue
            except (OSError, ValueError):
                pass
            time.sleep(0.05)  # a producer's pause before it tries again

    def count_repeats(self):
        """What the buses counted since their last start."""
        for bus, ingress in ((self.a, "from_b"), (self.b, "from_a")):
            for line in bus.ask("GET", "/metrics").body.decode().splitlines():
                if "repeats" in line and f'"{ingress}"' in line:
                    self.repeats += int(float(line.split()[-1]))

    def restart(self, victim):
        if isinstance(victim, Bus):
            self.count_repeats()
        began = time.monotonic()
        victim.kill()
        victim.start()
        return time.monotonic() - began

    def test_11_under_kills_each_message_is_in_the_other_journal_once_and_in_order(self):
        began = time.monotonic()
        victims = {"bus a": self.a, "bus b": self.b, "prosody": self.a_server, "ejabberd": self.b_server}
        plan = list(victims) * KILLS
        random.Random(MESSAGES * 1000 + KILLS).shuffle(plan)
        sent, self.repeats = {"a": [], "b": []}, 0
        for number, name in enumerate([*plan, None], 1):
            share = MESSAGES * number // (len(plan) + 1)
            feeders = [threading.Thread(target=self.feed_all, args=(bus, which, share, sent[which]))
                       for which, bus in (("a", self.a), ("b", self.b))]
            for feeder in feeders:
                feeder.start()
            if name:
                until(lambda: any(len(handles) >= share - MESSAGES // (len(plan) + 1) // 2
                                  for handles in sent.values()), "half of a share is fed", DEADLINE)
                took = self.restart(victims[name])
                say(f"killed {name} at {len(sent['a'])} and {len(sent['b'])} fed; up again after {took:.1f} s")
            for feeder in feeders:
                feeder.join()
        for bus, lane in ((self.a, "out/to_b"), (self.b, "out/to_a")):
            bus.wait_lane(lane, DEADLINE * 3, backlog=0)
        self.count_repeats()
        say(f"{len(plan)} kills, {KILLS} of each; at least {self.repeats} repeats were known; "
            f"{time.monotonic() - began:.0f} s")
        self.compare(self.a, self.b, "a", sent["a"])
        self.compare(self.b, self.a, "b", sent["b"])

    # --- One that cannot travel -------------------------------------------------------------

    def test_12_what_is_too_large_for_a_stanza_is_a_case_and_costs_only_itself(self):
        before = len(self.a.cases(route="out"))
        self.feed(self.a, [{"id": "large-1", "key": "k", "type": "t"},
                           {"id": "large-2", "key": "k", "type": "t", "text": "x" * 100000},
                           {"id": "large-3", "key": "k", "type": "t"}])
        self.arrived(self.b, "from_a", "large-3")
        case = self.a.wait_cases(before + 1, DEADLINE, route="out")[-1]
        self.assertEqual((case["code"], case["id"]), ("peer-too-large", "large-2"))
        ids = [m[1] for m in journal(self.b, "from_a") if m[1].startswith("large-")]
        self.assertEqual(ids, ["large-1", "large-3"])

    # --- Two ways to one address -----------------------------------------------------------

    def test_13_two_connectors_with_one_address_are_two_streams(self):
        """Each lane of a route delivers what it takes: no message of one is a repeat of the other's."""
        sent = self.feed(self.a, [{"id": f"both-{n}", "key": "k", "type": "both"} for n in range(20)])
        there = {lane: [self.settled(self.a, handle, lane)["remote_handle"] for handle in sent]
                 for lane in ("both/to_b", "both/also_b")}
        self.assertEqual(len({*there["both/to_b"], *there["both/also_b"]}), 40)
        arrived = {m[0]: m[1] for m in journal(self.b, "from_a") if m[1].startswith("both-")}
        for lane, handles in there.items():
            self.assertEqual([arrived[h] for h in handles], [f"both-{n}" for n in range(20)], lane)
        self.assertEqual(len(arrived), 40)

    def compare(self, here, there, name, acknowledged):
        """Every message of the journal here is once in the journal there, and each key is in the same order."""
        mine = [m for m in journal(here, "feed") if m[1].startswith(f"{name}-")]
        theirs = [m for m in journal(there, f"from_{name}") if m[1].startswith(f"{name}-")]
        self.assertLessEqual(set(acknowledged), {handle for handle, _, _ in mine}, "acknowledged and not in the journal")
        self.assertGreaterEqual(len(mine), MESSAGES)
        counts = collections.Counter(identity for _, identity, _ in theirs)
        twice = [identity for identity, n in counts.items() if n > 1]
        missing = [identity for _, identity, _ in mine if identity not in counts]
        self.assertEqual((twice[:5], missing[:5]), ([], []), f"{len(twice)} twice, {len(missing)} missing")
        order = {}
        for where, messages in (("here", mine), ("there", theirs)):
            order[where] = collections.defaultdict(list)
            for _, identity, key in messages:
                order[where][key].append(identity)
        self.assertEqual(len(order["here"]), 50)
        wrong = [key for key, ids in order["here"].items() if order["there"][key] != ids]
        self.assertEqual(wrong, [], "keys whose order is another one there")
        other = "b" if name == "a" else "a"
        hidden = dict((identity, handle) for handle, identity, _ in theirs)
        for handle, identity, _ in random.Random(1).sample(mine, 20):
            hop = self.settled(here, handle, f"out/to_{other}")
            self.assertEqual((hop["outcome"], hop["remote_handle"]), ("delivered", hidden[identity]))
            self.assertEqual(there.get(f"messages/{hidden[identity]}")["origin"]["handle"], handle)
        say(f"from {name}: {len(mine)} in its journal, {len(theirs)} in the other, {len(twice)} twice, "
            f"{len(missing)} missing, {len(order['here'])} keys in order")


sys.argv[1:] = []
tap.run(FederationTest)
