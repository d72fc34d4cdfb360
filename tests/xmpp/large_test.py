# SPDX-License-Identifier: Apache-2.0
"""Stanzas that only another component can send, through a real server: large_test.py XYLEMD prosody|ejabberd

Servers bound what clients send; a component beside the bus may send what no client can, up to the port's own limit,
which is set wide here. Nested 100,000 deep and a million escaped quotes: whoever sent it hears what was wrong, the
link stays up, and memory stays where it was.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import memory, stage  # noqa: E402
from tests.xmpp.component import Component, condition  # noqa: E402

BUS, RAW = stage.BUS, "raw.example.com"
# ejabberd 23.01 itself ends at some thousand elements inside each other (its XML parser recurses).
DEPTHS = {"prosody": (1000, 30000, 100000), "ejabberd": (1000,)}[sys.argv[2]]
LIMIT = 262144  # xmpp.max_stanza
TOO_DEEP, TOO_LARGE = "wait/policy-violation", "modify/policy-violation"  # also: too many attributes


class LargeTest(stage.Case):
    people = ()
    server_options = {"stanza_limit": 16 << 20, "more_components": [RAW]}
    xmpp = f"allow: [{RAW}]"
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

    def test_20_memory(self):
        line, grown = self.memory.grown()
        stage.say(line)
        self.assertLessEqual(grown, 64)


if __name__ == "__main__":
    stage.run(LargeTest)
