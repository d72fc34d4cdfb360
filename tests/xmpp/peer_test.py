# SPDX-License-Identifier: Apache-2.0
"""The bus and a peer of another hand: peer_test.py XYLEMD prosody|ejabberd

docs/bus-to-bus.md is a protocol, so somebody who has only that page must be able to write the other side. He has
(other_peer.py); here he sends and receives, loses answers, answers nonsense, and asks what nobody should.
"""
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.component import condition  # noqa: E402
from tests.xmpp.other_peer import PEER, OtherPeer  # noqa: E402

BUS, RAW = stage.BUS, "raw.example.com"
TAKEN = f"{{{PEER}}}taken"
DEADLINE = 90


def answering(body):
    return lambda peer, iq, batch: peer.answer(iq, body)


def refusing(kind, condition_name, more=""):
    return lambda peer, iq, batch: peer.refuse(iq, kind, condition_name, more)


def loose(peer, iq, batch):
    """A list of XML Schema: white space of any length, also around it."""
    handles = "  ".join(peer.take(iq, batch))
    peer.answer(iq, f"<taken xmlns='{PEER}' handles=' {handles}\n '/>")


#: What cannot be read tells nothing about the message, and is no delivery: attempts, then a case.
UNREADABLE = {
    "nothing": "",
    "no handles": f"<taken xmlns='{PEER}'/>",
    "too few": f"<taken xmlns='{PEER}' handles=''/>",
    "too many": f"<taken xmlns='{PEER}' handles='0-1 0-2'/>",
    "no handle": f"<taken xmlns='{PEER}' handles='one'/>",
    "another namespace": "<taken xmlns='urn:other' handles='0-1'/>",
    "no code": f"<taken xmlns='{PEER}' handles=''><refused>no</refused></taken>",
}

#: Refusals of a batch of one message, and what becomes of it: the lane's state, or the number of attempts before a case.
REFUSALS = [
    ("auth", "forbidden", "", "misconfigured"),
    ("cancel", "service-unavailable", "", "down"),
    ("wait", "resource-constraint", "", "down"),
    ("wait", "policy-violation", "", "down"),
    ("wait", "unexpected-request", f"<out-of-order xmlns='{PEER}'/>", "down"),
    ("cancel", "feature-not-implemented", f"<unsupported-version xmlns='{PEER}'/>", "misconfigured"),
    ("cancel", "remote-server-not-found", "", "down"),
    ("wait", "remote-server-timeout", "", "down"),
    ("modify", "bad-request", "", 2),
    ("modify", "policy-violation", "", 1),
]


class PeerTest(stage.Case):
    server_options = {"more_components": [RAW]}
    config = """
connectors:
  to_raw: {{ peer: {{ to: in@raw.example.com }} }}
  from_raw: {{ peer: {{ allow: [raw.example.com] }} }}
  feed: {{ webhook: {{ listen: "127.0.0.1:{hook}", path: /feed, verify: none, accept: [ndjson], id: /data/id,
           key: /data/key }} }}
topics: {{ got: {{}} }}
routes:
  out: {{ from: [feed], deliver: {{ attempts: 2, backoff: 50ms, backoff_max: 100ms, probe: 50ms, timeout: 10s }},
         to: [to_raw] }}
  in: {{ from: [from_raw], to: [topic:got] }}
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.peer = OtherPeer(cls.stage.server.component_port, RAW, cls.stage.server.secret).__enter__()
        cls.asked = 0

    @classmethod
    def tearDownClass(cls):
        cls.peer.__exit__()
        super().tearDownClass()

    def tearDown(self):
        self.assertEqual(self.peer.complaints, [])

    # --- Helpers -----------------------------------------------------------------------

    def feed(self, name, count=1, key="k"):
        ids = [f"{name}-{n}" for n in range(count)]
        body = "".join(json.dumps({"id": identity, "key": key}) + "\n" for identity in ids)
        self.assertEqual(self.stage.post("/feed", body.encode(), **{"Content-Type": "application/x-ndjson"}), 202)
        return ids

    def waits(self, what, wanted):
        end = time.monotonic() + DEADLINE
        while not (found := wanted()):
            self.assertLess(time.monotonic(), end, f"{what}\n{self.stage.bus.tail(30)}")
            time.sleep(0.02)  # the pace of looking
        return found

    def lane(self):
        return next(lane for lane in self.api("lanes")["lanes"] if lane["lane"] == "out/to_raw")

    def drained(self):
        self.waits("the lane is empty", lambda: self.lane()["backlog"] == 0)

    def taken_since(self, before):
        return [identity for identity, _, _ in self.peer.journal[before:]]

    def a_case(self):
        """The one case there is, discarded."""
        case, = self.waits("a case", lambda: self.api("hospital/cases")["cases"])
        self.api(f"hospital/cases/{case['case']}/discard", {"version": case["version"]})
        return case

    def ask(self, body, kind="set", to=f"from_raw@{BUS}"):
        type(self).asked += 1
        name = f"p{self.asked}"
        return self.peer.component.ask(f"<iq type='{kind}' from='{RAW}' to='{to}' id='{name}'>{body}</iq>", name)

    @staticmethod
    def batch(events, call, number=1, stream="s"):
        return f"<batch xmlns='{PEER}' stream='{stream}' call='{call}' n='{number}'>{events}</batch>"

    @staticmethod
    def event(ref, inside="<data>{}</data>", more=""):
        return f"<event ref='{ref}' id='{ref}' source='/raw' type='t'{more}>{inside}</event>"

    def handles(self, answer):
        self.assertEqual(condition(answer), "result")
        return answer.find(TAKEN).get("handles").split()

    # --- It receives ---------------------------------------------------------------------

    def test_01_receives_each_once_and_in_order(self):
        before, ids = len(self.peer.journal), self.feed("good", 1500)
        self.drained()
        self.assertEqual(self.taken_since(before), ids)

    def test_02_keys_and_data_are_bytes(self):
        for key in ("a b", "a\nb\t", "\u0001", "\u20ac", "'\"<&>", "\ufffe"):
            identity, = self.feed("key", key=key)
            self.drained()
            self.assertEqual(self.peer.journal[-1][:2], (identity, key.encode()))
            self.assertEqual(json.loads(self.peer.journal[-1][2]), {"id": identity, "key": key})

    def test_03_an_answer_that_is_lost_or_comes_twice_changes_nothing(self):
        forgotten = set()

        def forgetful(peer, iq, batch):
            handles = peer.take(iq, batch)
            if len(forgotten) < 20 and batch[0].get("ref") not in forgotten:
                forgotten.add(batch[0].get("ref"))
                peer.refuse(iq, "wait", "remote-server-timeout")  # as a server says when the other's end is gone
            for _ in range(2):
                peer.answer(iq, f"<taken xmlns='{PEER}' handles='{' '.join(handles)}'/>")
        self.peer.behave, before = forgetful, len(self.peer.journal)
        ids = self.feed("forgetful", 1000)
        self.drained()
        self.peer.behave = OtherPeer.good
        self.assertEqual(self.taken_since(before), ids)

    def test_04_a_list_is_a_list(self):
        self.peer.behave, before = loose, len(self.peer.journal)
        ids = self.feed("loose", 3)
        self.drained()
        self.peer.behave = OtherPeer.good
        self.assertEqual(self.taken_since(before), ids)
        self.assertEqual(self.api("hospital/cases")["cases"], [])

    def test_05_what_cannot_be_read_is_no_delivery(self):
        for what, body in UNREADABLE.items():
            self.peer.behave, before = answering(body), len(self.peer.batches)
            identity, = self.feed("unreadable")
            with self.subTest(what):
                case = self.a_case()
                self.assertEqual((case["id"], case["code"]), (identity, "peer-bad-request"))
                self.assertEqual(len(self.peer.batches) - before, 2)
        self.peer.behave = OtherPeer.good

    def test_06_what_is_refused_as_a_whole(self):
        for kind, name, more, wanted in REFUSALS:
            self.peer.behave, before = refusing(kind, name, more), len(self.peer.batches)
            identity, = self.feed("refused")
            with self.subTest(name):
                if isinstance(wanted, int):
                    self.assertEqual(self.a_case()["code"], f"peer-{name}")
                    self.assertEqual(len(self.peer.batches) - before, wanted)
                    continue
                self.waits(f"{wanted} after {name}", lambda: self.lane()["state"] == wanted)
                self.peer.behave = OtherPeer.good
                self.drained()
                self.assertEqual(self.peer.journal[-1][0], identity)
                self.assertEqual(self.api("hospital/cases")["cases"], [])
        self.peer.behave = OtherPeer.good

    def test_07_one_event_is_refused_by_a_code_of_its_own(self):
        def choosy(peer, iq, batch):
            if batch[0].get("id") == "choosy-0":
                return peer.answer(iq, f"<taken xmlns='{PEER}' handles=''><refused code='quota'>enough</refused></taken>")
            return peer.good(iq, batch)
        self.peer.behave, before = choosy, len(self.peer.journal)
        ids = self.feed("choosy", 3)
        self.drained()
        self.peer.behave = OtherPeer.good
        self.assertEqual(self.taken_since(before), ids[1:])
        self.assertEqual((case := self.a_case())["code"], "peer-quota")
        self.assertEqual(case["id"], "choosy-0")

    # --- It sends -------------------------------------------------------------------------

    def test_10_sends_and_repeats(self):
        first = self.handles(self.ask(self.batch(self.event("r1") + self.event("r2"), "c1")))
        self.assertEqual(self.handles(self.ask(self.batch(self.event("r2") + self.event("r1"), "c2"))), first[::-1])
        self.assertEqual(len(set(first)), 2)

    def test_11_the_next_of_a_call_is_the_only_one_that_is_taken(self):
        def asked(ref, number):
            return condition(self.ask(self.batch(self.event(ref), "call", number)))
        out_of_order = "wait/unexpected-request/out-of-order"
        self.assertEqual([asked("n1", 1), asked("n2", 2), asked("n2", 2), asked("n4", 4), asked("n3", 3)],
                         ["result", "result", out_of_order, out_of_order, "result"])
        # Number 1 begins it again.
        self.assertEqual([asked("n1", 1), asked("n4", 4), asked("n2", 2)], ["result", out_of_order, "result"])

    def test_12_white_space_and_what_is_not_of_this_protocol_are_passed_over(self):
        events = ("\n <event ref='w1' id='w1' source='/raw' type='t' other='x'>\n  <x xmlns='urn:other'>y</x>"
                  "<data> a </data>\n </event>\n<x xmlns='urn:other'/>")
        handle, = self.handles(self.ask(self.batch(events, "w")))
        self.assertEqual(self.stage.fetch(f"http://127.0.0.1:{self.stage.console}/api/v1/messages/{handle}/data"), b" a ")

    def test_13_what_is_no_batch_is_a_bad_request(self):
        one = self.batch(self.event("b1"), "b")
        for body, kind in ((one, "get"), (one + self.batch(self.event("b2"), "b", 2), "set"),
                           (f"<taken xmlns='{PEER}' handles='0-1'/>", "set"),
                           (self.batch(self.event("b3", "<data>a<data>b</data></data>"), "b"), "set"),
                           (self.batch(self.event("b4", "<data>a<x xmlns='urn:other'/></data>"), "b"), "set"),
                           (self.batch(self.event("b5", "<data64>YQ</data64>"), "b"), "set"),
                           (self.batch(self.event("b6", "<data64> YQ== </data64>"), "b"), "set")):
            self.assertEqual(condition(self.ask(body, kind)), "modify/bad-request", body)
        self.assertEqual(self.api("messages?ingress=from_raw&id=b1")["messages"], [])


stage.run(PeerTest)
