# SPDX-License-Identifier: Apache-2.0
"""Stanzas that only another component can send, through a real server: large_test.py XYLEMD prosody|ejabberd

Servers bound what clients send; a component beside the bus may send what no client can, up to the port's own limit,
which is set wide here. Nested 100,000 deep and a million escaped quotes: whoever sent it hears what was wrong, the
link stays up, and memory stays where it was. And items around the size that a notification has room for: each is told
whole, or refused, or told without its payload; none is passed over.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import memory, stage  # noqa: E402
from tests.xmpp.component import ERRORS, Component, condition  # noqa: E402

BUS, RAW = stage.BUS, "raw.example.com"
PUBSUB = "http://jabber.org/protocol/pubsub"
# ejabberd 23.01 itself ends at some thousand elements inside each other (its XML parser recurses).
DEPTHS = {"prosody": (1000, 30000, 100000), "ejabberd": (1000,)}[sys.argv[2]]
LIMIT = 262144  # xmpp.max_stanza
TOO_DEEP, TOO_LARGE = "wait/policy-violation", "modify/policy-violation"  # also: too many attributes


class LargeTest(stage.Case):
    people = ()
    server_options = {"stanza_limit": 16 << 20, "more_components": [RAW]}
    xmpp = f"allow: [{RAW}], create: [{RAW}]"
    config = f"""
connectors:
  desk: {{{{ xmpp: {{{{ allow: [{RAW}] }}}} }}}}
  paint: {{{{ webhook: {{{{ path: /paint, verify: none, listen: "127.0.0.1:{{hook}}" }}}} }}}}
topics:
  t: {{{{ access: open }}}}
routes:
  paint: {{{{ from: [paint], to: [topic:t] }}}}
  desk: {{{{ from: [desk], to: [topic:t] }}}}
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.raw = Component(cls.stage.server.component_port, RAW, cls.stage.server.secret).__enter__()
        cls.memory = memory.Memory(cls.stage.bus.pid)

    @classmethod
    def tearDownClass(cls):
        cls.raw.__exit__()
        super().tearDownClass()

    def ask(self, name, payload, to=f"desk@{BUS}", kind="set"):
        return condition(self.raw.ask(f"<iq type='{kind}' from='{RAW}' to='{to}' id='{name}'>{payload}</iq>", name))

    def link_stands(self, name):
        self.assertEqual(self.ask(f"{name}-ping", "<ping xmlns='urn:xmpp:ping'/>", BUS, "get"), "result")
        self.assertEqual(self.stage.bus.text().count("connected as"), 1)

    def test_01_at_the_limit_of_depth(self):
        """The payload is at depth 2 of a stanza, which may have 32."""
        for depth, wanted in ((31, "result"), (32, TOO_DEEP)):
            self.assertEqual(self.ask(f"d{depth}", "<a xmlns='u:a'>" + "<a>" * (depth - 1) + "</a>" * depth), wanted, depth)
        self.link_stands("limit")

    def test_02_nested_as_deep_as_the_server_lets_through(self):
        """A ping sent behind it is answered behind it: what has no answer by then, the server did not pass on."""
        for depth in DEPTHS:
            name = f"d{depth}"
            self.raw.send(f"<iq type='set' from='{RAW}' to='desk@{BUS}' id='{name}'><a xmlns='u:a'>"
                          + "<a>" * (depth - 1) + "</a>" * depth + "</iq>")
            self.link_stands(f"deep-{depth}")
            answer = self.raw.answers.pop(name, None)
            stage.say(f"{depth} elements inside each other: {'not passed on' if answer is None else condition(answer)}")
            self.assertIn(answer if answer is None else condition(answer), (TOO_DEEP,) if depth <= 30000 else (TOO_DEEP, TOO_LARGE, None))

    def test_03_a_million_quotes(self):
        """As text and, fewer, since servers read a long tag again and again, in an attribute; servers write them as they like."""
        for entity in ("&quot;", "&apos;", "&#34;", "&lt;"):
            for name, payload in (("text", f"<e xmlns='u:e'>{entity * 1000000}</e>"),
                                  ("value", f"<e xmlns='u:e' a='{entity * 200000}'/>")):
                self.assertEqual(self.ask(f"{name}-{entity[1:-1].strip('#')}", payload), TOO_LARGE, entity)
        self.link_stands("quotes")

    def test_04_many_of_everything(self):
        for name, payload, wanted in (("elements", "<a/>" * 100000, TOO_LARGE), ("texts", "x<a/>" * 50000, TOO_LARGE),
                                      ("attributes", "<a " + " ".join(f"a{i}='1'" for i in range(65)) + "/>", TOO_DEEP)):
            self.assertEqual(self.ask(name, f"<e xmlns='u:e'>{payload}</e>"), wanted, name)
        self.link_stands("many")

    def test_05_what_fits_still_passes(self):
        for name, text in (("small", "&quot;" * 100), ("large", "x" * (LIMIT - 2000))):
            self.assertEqual(self.ask(name, f"<e xmlns='u:e'>{text}</e>"), "result", name)
        self.link_stands("after")

    def test_06_a_long_attribute_goes_out(self):
        """The server reads it in pieces; the bus sees to it that it reads the end, too, and the barrier behind it."""
        self.assertEqual(self.ask("follow", f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='t' jid='{RAW}'/>"
                                  "</pubsub>", BUS), "result")
        for count in (5000, 100000, 200000):
            self.api("publish", {"ingress": "paint", "contenttype": "application/xml",
                                 "data_text": f"<svg xmlns='u:svg' d='{'x' * count}'/>"})
            with self.raw.arrived:
                self.assertTrue(self.raw.arrived.wait_for(lambda: self.painted(count), 60), count)
        self.link_stands("out")

    def painted(self, count):
        return any(len(svg.get("d")) == count for stanza in self.raw.stanzas for svg in stanza.iter("{u:svg}svg"))

    # --- Around the size of an item that a stanza has room for ------------------------------------

    def pubsub(self, name, payload, kind="set"):
        return self.raw.ask(f"<iq type='{kind}' from='{RAW}' to='{BUS}' id='{name}'><pubsub xmlns='{PUBSUB}'>{payload}"
                            "</pubsub></iq>", name)

    def publish(self, size, kind="xml"):
        """The answer's condition and words; the item's id is `KIND-SIZE`."""
        payload = {"xml": "<e xmlns='u:e'>{}</e>", "json": "<json xmlns='urn:xmpp:json:0'>&quot;{}&quot;</json>"}[kind]
        answer = self.pubsub(f"p{kind}{size}", f"<publish node='sized'><item id='{kind}-{size}'>{payload.format('x' * size)}"
                             "</item></publish>")
        return condition(answer), "".join(text.text for text in answer.iter(ERRORS + "text"))

    def told(self, wanted):
        """The first <item/> of a notification for which `wanted` is true: how many `x` it has."""
        def look():
            return [item for stanza in self.raw.stanzas for item in stanza.iter(f"{{{PUBSUB}#event}}item") if wanted(item)]
        with self.raw.arrived:
            self.assertTrue(self.raw.arrived.wait_for(look, 60), "an item was not told")
            return "".join(look()[0].itertext()).count("x")

    def retrieved(self, node, item):
        answer = self.pubsub(f"r{item}", f"<items node='{node}'><item id='{item}'/></items>", "get")
        found = list(answer.iter(f"{{{PUBSUB}}}item"))
        self.assertEqual([i.get("id") for i in found], [item])
        return "".join(found[0].itertext()).count("x")

    def largest(self, wanted, low, high):
        """The largest number for which `wanted` is true: it is for `low` and is not for `high`."""
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if wanted(middle) else (low, middle)
        return low

    def test_07_published_is_told_or_refused(self):
        self.assertEqual(condition(self.pubsub("create", "<create node='sized'/>")), "result")
        self.assertEqual(condition(self.pubsub("follow", f"<subscribe node='sized' jid='{RAW}'/>")), "result")
        for kind in ("xml", "json"):
            limit = self.largest(lambda size: self.publish(size, kind)[0] == "result", 240000, 258000)
            stage.say(f"{kind}: {limit} characters are taken")
            for size in (limit - 1, limit):
                self.assertEqual(self.publish(size, kind)[0], "result")
                self.assertGreaterEqual(self.told(lambda item: item.get("id") == f"{kind}-{size}"), size)
                self.assertGreaterEqual(self.retrieved("sized", f"{kind}-{size}"), size)
            refused, words = self.publish(limit + 1, kind)
            self.assertEqual(refused, "modify/not-acceptable/payload-too-big")
            self.assertIn(f"xmpp.max_stanza {LIMIT}", words)
            answer = self.pubsub("none", f"<items node='sized'><item id='{kind}-{limit + 1}'/></items>", "get")
            self.assertEqual(list(answer.iter(f"{{{PUBSUB}}}item")), [])
        # Larger than any stanza: refused before it is looked into, and it says why as well.
        refused, words = self.publish(LIMIT)
        self.assertEqual(refused, TOO_LARGE)
        self.assertIn(f"xmpp.max_stanza is {LIMIT}", words)
        self.link_stands("published")

    def derived(self, size):
        """What a route puts into topic t: (told, retrieved), how many `x` of it."""
        handle = self.api("publish", {"ingress": "paint", "contenttype": "application/xml",
                                      "data_text": f"<e xmlns='u:e'>{'x' * size}</e>"})["handle"]
        name = f"{handle}.paint"
        return self.told(lambda item: item.get("id") == name), self.retrieved("t", name)

    def test_08_of_a_route_it_is_told_at_any_size(self):
        self.assertEqual(condition(self.pubsub("follow-t", f"<subscribe node='t' jid='{RAW}'/>")), "result")
        limit = self.largest(lambda size: self.derived(size)[0] > 0, 240000, LIMIT)
        stage.say(f"of a route: {limit} characters are told whole")
        self.assertEqual(self.derived(limit - 1)[0], limit - 1)
        self.assertEqual(self.derived(limit)[0], limit)
        for size in (limit + 1, LIMIT, 900000):
            self.assertEqual(self.derived(size), (0, 0))
        self.assertIn("is announced without its payload", self.stage.bus.text())
        self.assertEqual(self.api("hospital/cases")["cases"], [])
        self.link_stands("derived")

    def test_09_the_text_beside_it_gives_way(self):
        """`include_body`: up to 3,000 characters, of which each may be five bytes; with them or without, it is told."""
        options = ("<options><x xmlns='jabber:x:data' type='submit'><field var='pubsub#include_body'><value>1</value></field>"
                   "</x></options>")
        self.assertEqual(condition(self.pubsub("body", f"<subscribe node='t' jid='{RAW}'/>{options}")), "result")
        for size in range(236000, 256000, 1000):
            handle = self.api("publish", {"ingress": "paint", "subject": "&" * 1000, "data_text": "&" * 1000 + "x" * size})["handle"]
            told = self.told(lambda item: item.get("id") == f"{handle}.paint")
            self.assertTrue(told == 0 or told >= size, told)
        self.link_stands("body")

    def test_20_memory(self):
        line, grown = self.memory.grown()
        stage.say(line)
        self.assertLessEqual(grown, 64)


if __name__ == "__main__":
    stage.run(LargeTest)
