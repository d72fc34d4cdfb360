# SPDX-License-Identifier: Apache-2.0
"""Foreign XML through the bus, compared canonically: fidelity_test.py XYLEMD prosody|ejabberd

Each payload goes publish -> journal -> notification -> retrieval, and in at one endpoint and out at another.
What comes back has the same names, namespaces, attributes and text; prefixes may change (servers rewrite them).
A payload that the server alone does not carry from one client to another proves nothing and has to be named.
"""
import json
import pathlib
import sys
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import CLIENT, condition  # noqa: E402

PUBSUB = "http://jabber.org/protocol/pubsub"
EVENT = PUBSUB + "#event"
JSON = "{urn:xmpp:json:0}json"
XYLEM = "{urn:xylem:message:0}event"
BUS = stage.BUS

PAYLOADS = {
    "lang": "<e xmlns='u:e' xml:lang='de'><t xml:lang='en'>x</t><t xml:lang=''>y</t></e>",
    "same_local_names": "<a:e xmlns:a='u:a' xmlns:b='u:b' xmlns:c='u:a' a:t='1' b:t='2' t='3'>"
                        "<b:e b:t='4' a:t='5'/><e xmlns='u:c' t='6'/><c:e/></a:e>",
    "no_namespace": "<e xmlns='u:e'><f xmlns=''><g a='1'/></f><h><f xmlns=''/></h></e>",
    "prefix_again": "<p:e xmlns:p='u:1'><p:e xmlns:p='u:2'><p:e xmlns:p='u:1' p:a='x'/></p:e></p:e>",
    "cdata": "<e xmlns='u:e'><![CDATA[<raw>&amp; ]]>]]&gt;<![CDATA[]]><f><![CDATA[ ]]></f></e>",
    "entities": "<e xmlns='u:e' a='&lt;&amp;&quot;&apos;&gt;'>&lt;&gt;&amp;&quot;&apos;&#x1F600;&#228;</e>",
    "four_bytes": "<e xmlns='u:e' a='\U0001d11e'>\U0001f600\U00010348 ä \u200f\U0010fffd</e>",
    "space": "<e xmlns='u:e'>\n  <f/> tail \n\t<f> </f>\n</e>",
    "mixed": "<e xmlns='u:e'>a<b>b</b>c<b/>d<b xmlns='u:f'>e</b>f</e>",
    "deep": "<e xmlns='u:e'>" + "<f>" * 20 + "x" + "</f>" * 20 + "</e>",
    "wide": "<e xmlns='u:e' " + " ".join(f"a{i}='{i}'" for i in range(50)) + "/>",
    "long": "<e xmlns='u:e'>" + "ä&lt;\U0001f600\"'" * 4000 + "</e>",
}
# What a server itself changes between two of its clients: (server, payload): what it does.
SERVERS_OWN = {}


def canonical(xml):
    text = xml if isinstance(xml, str) else ET.tostring(xml, "unicode")
    return ET.canonicalize(text, rewrite_prefixes=True)


class FidelityTest(stage.Case):
    people = ("alice", "bob")
    xmpp = "allow: [alice@example.com, bob@example.com]"
    config = """
users: {{ alice: {{ role: operator, jids: [alice@example.com] }} }}
connectors:
  desk: {{ xmpp: {{ allow: [alice@example.com] }} }}
  out: {{ xmpp: {{ to: [bob@example.com], event: true }} }}
topics:
  t: {{ access: open }}
routes:
  desk: {{ from: [desk], to: [out] }}
"""

    def each(self):
        for name, payload in PAYLOADS.items():
            yield name, payload, canonical(payload)

    def payload_of(self, item):
        """The XML that an item carries: as an element, or as the data of a CloudEvent in JSON."""
        child = item[0]
        return json.loads(child.text)["data"] if child.tag == JSON else child

    def say_size(self, name, payload):
        stage.say(f"{name}: {len(payload.encode())} bytes, the same canonically")

    async def test_00_what_the_server_itself_carries(self):
        """Client to client: the yardstick for everything below."""
        for name, payload, wanted in self.each():
            self.alice.send(f"<message to='bob@example.com' id='y-{name}'>{payload}<store xmlns='urn:xmpp:hints'/></message>")
            got = await self.bob.message(lambda m, n=name: m.get("id") == f"y-{n}")
            if (sys.argv[2], name) in SERVERS_OWN:
                continue
            self.assertEqual(canonical(got[0]), wanted, name)

    async def test_01_publish_journal_notify_retrieve(self):
        answer = await self.bob.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'><subscribe node='t' jid='bob@example.com'/></pubsub>")
        self.assertEqual(condition(answer), "result")
        for name, payload, wanted in self.each():
            answer = await self.alice.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'><publish node='t'><item id='{name}'>"
                                         f"{payload}</item></publish></pubsub>")
            self.assertEqual(condition(answer), "result", name)
            event = await self.bob.message(lambda m, n=name: any(i.get("id") == n for i in m.iter(f"{{{EVENT}}}item")))
            item = next(event.iter(f"{{{EVENT}}}item"))
            self.assertEqual(canonical(self.payload_of(item)), wanted, f"{name}, notified")
            answer = await self.bob.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><items node='t'><item id='{name}'/></items></pubsub>")
            item = next(answer.iter(f"{{{PUBSUB}}}item"))
            self.assertEqual(canonical(self.payload_of(item)), wanted, f"{name}, retrieved")
            handle = next(m["handle"] for m in self.stage.api(f"messages?id={name}")[1]["messages"])
            url = f"http://127.0.0.1:{self.stage.console}/api/v1/messages/{handle}/data"
            data = self.stage.fetch(url)
            self.assertEqual(canonical(data.decode()), wanted, f"{name}, in the journal")
            self.say_size(name, payload)

    async def test_02_in_at_one_endpoint_and_out_at_another(self):
        for name, payload, wanted in self.each():
            self.assertEqual(condition(await self.alice.iq("set", f"desk@{BUS}", payload)), "result", name)
            out = await self.bob.message(lambda m: m.get("from", "").startswith(f"out@{BUS}"))
            self.assertEqual(canonical(out.findtext(CLIENT + "body")), wanted, f"{name}, as text")
            event = json.loads(out.find(XYLEM).find(JSON).text)
            self.assertEqual(canonical(event["data"]), wanted, f"{name}, in the event")
            self.assertEqual(event["datacontenttype"], "application/xml")


if __name__ == "__main__":
    stage.run(FidelityTest)
