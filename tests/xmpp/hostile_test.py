# SPDX-License-Identifier: Apache-2.0
"""Hostile input through a real server: hostile_test.py XYLEMD prosody|ejabberd

What strangers to XML put into every field they reach, by HTTP, Kafka and XMPP. Each message arrives as it was,
or its sender hears of it, or it is a case with its reason; nothing else is held up, and the link never breaks.
"""
import base64
import http.client
import json
import pathlib
import sys
from xml.sax import saxutils

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers.kafka import Kafka  # noqa: E402
from tests.xmpp import memory, stage  # noqa: E402
from tests.xmpp.client import Client, body, condition  # noqa: E402

BUS = stage.BUS
PUBSUB = "http://jabber.org/protocol/pubsub"
EVENT = PUBSUB + "#event"
JSON = "{urn:xmpp:json:0}json"

# Bytes that are no text of XML 1.0 in UTF-8, and how often a data of each is sent.
BROKEN = {
    "nul": b"a\x00b", "soh": b"a\x01b", "vt": b"\x0b", "esc": b"\x1b[2J", "us": b"\x1f", "lone": b"\x80", "overlong": b"\xc0\xaf",
    "cut": b"ab\xe2\x82", "surrogate": b"\xed\xa0\x80", "beyond": b"\xf4\x90\x80\x80", "latin1": b"gr\xfc\xdfe", "fffe": b"\xef\xbf\xbe",
    "ffff": b"\xef\xbf\xbf", "long": b"x" * 5000 + b"\x08",
}
WHOLE = {
    "del": b"\x7f", "c1": b"\xc2\x85\xc2\x9f", "tab": b"a\tb\nc\r\nd\r", "marks": b"&<>\"'&amp;]]>&#1;&lol9;", "tags": b"</body></message><x/>",
    "stream": b"</stream:stream>", "cdata": b"<![CDATA[]]>", "dtd": b"<!DOCTYPE a [<!ENTITY b 'c'>]>&b;", "rtl": "\u202eabc\u2066".encode(),
    "high": "\U0010ffff\U0001f600".encode(), "quotes": b'"' * 40000,
}


# ejabberd 23.01 itself ends (its XML parser recurses) when a client nests some thousand elements.
DEPTH = {"prosody": 30000, "ejabberd": 1000}[sys.argv[2]]


class HostileTest(stage.Case):
    people = ("alice", "bob", "eve")
    xmpp = "allow: [alice@example.com, bob@example.com]"
    config = """
users: {{ alice: {{ role: operator, jids: [alice@example.com] }} }}
connectors:
  text: {{ webhook: {{ path: /text, verify: none, listen: "127.0.0.1:{hook}", accept: [single, cloudevents], id: "header:x-id", type: text }} }}
  desk: {{ xmpp: {{ allow: [alice@example.com] }} }}
  out: {{ xmpp: {{ to: [bob@example.com] }} }}
  log: {{ kafka: {{ brokers: "{kafka}", topics: [in], group: g }} }}
topics:
  t: {{ access: open }}
routes:
  text: {{ from: [text, desk, log], to: [out, topic:t] }}
"""

    @classmethod
    def setUpClass(cls):
        cls.kafka = Kafka(mock=True)
        cls.kafka.start()
        cls.kafka.create_topic("in")
        cls.config = cls.config.replace("{kafka}", cls.kafka.brokers)
        super().setUpClass()
        cls.memory = memory.Memory(cls.stage.bus.pid)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.kafka.close()

    def setUp(self):
        self.bob.received.clear()

    def webhook(self, data, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.stage.hook, timeout=60)
        connection.request("POST", "/text", data, {"Content-Type": "text/plain", **headers})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    async def case_of(self, name):
        """The hospital's case of this event; waits for it."""
        while True:
            cases = [c for c in self.stage.api("hospital/cases")[1]["cases"] if c["id"] == name]
            if cases:
                return cases[0]
            await self.stage_turn()

    async def stage_turn(self):
        """A turn of the loop while another process works; the test's own deadline ends it."""
        await stage.asyncio.sleep(0.05)

    async def notified(self, name):
        """The event that the topic's subscriber gets for this id."""
        def wanted(message):
            for item in message.iter(f"{{{EVENT}}}item"):
                if len(item) == 0 or item[0].tag != JSON:
                    continue
                event = json.loads(item[0].text)
                if name in (event["id"], event.get("causationid")):
                    return True
            return False
        return json.loads(next((await self.bob.message(wanted)).iter(JSON)).text)

    async def link_stands(self):
        self.assertEqual(condition(await self.alice.iq("get", BUS, "<ping xmlns='urn:xmpp:ping'/>")), "result")
        self.assertEqual(self.stage.bus.text().count("connected as"), 1)

    async def test_01_subscribe(self):
        answer = await self.bob.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'><subscribe node='t' jid='bob@example.com'/></pubsub>")
        self.assertEqual(condition(answer), "result")

    async def test_02_data_that_is_no_xml(self):
        for name, data in BROKEN.items():
            self.assertEqual(self.webhook(data, **{"x-id": f"b-{name}"}), 202, name)
            case = await self.case_of(f"b-{name}")
            self.assertEqual((case["code"], case["destination"]), ("xmpp-not-xml", "out"), name)
            self.assertRegex(case["reason"], "no character of XML")
        await self.link_stands()

    async def test_03_the_topic_carries_it_as_json(self):
        """The subscriber has every one of them: a CloudEvent in JSON escapes or encodes what XML cannot have."""
        for name, data in BROKEN.items():
            self.assertEqual(self.webhook(data, **{"x-id": f"j-{name}"}), 202, name)
            event = await self.notified(f"j-{name}")
            got = base64.b64decode(event["data_base64"]) if "data_base64" in event else event["data"].encode()
            self.assertEqual(got, data, name)
        await self.link_stands()

    async def test_04_data_that_looks_like_xml(self):
        for name, data in WHOLE.items():
            self.assertEqual(self.webhook(data, **{"x-id": f"w-{name}"}), 202, name)
            out = await self.bob.message(lambda m: m.get("from", "").startswith(f"out@{BUS}"))
            # Servers may normalise line ends, as XML does.
            self.assertEqual(body(out).replace("\r\n", "\n").replace("\r", "\n").encode(errors="surrogatepass"),
                             data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), name)
            await self.notified(f"w-{name}")
        await self.link_stands()

    async def test_05_attributes_by_http(self):
        """Binary mode takes them percent-encoded from headers, structured mode by JSON escapes: both are refused."""
        base = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
        for field in ("ce-id", "ce-source", "ce-type", "ce-subject", "ce-ext"):
            for bad in ("a%01b", "a%00b", "a%1Fb", "%EF%BF%BF", "%ED%A0%80", "%C2%85", "%FF"):
                self.assertEqual(self.webhook(b"x", **dict(base, **{field: bad})), 400, f"{field}: {bad}")
        for field in ("id", "source", "type", "subject", "ext"):
            for bad in ("\\u0001", "\\u0000", "\\ud800", "\\uffff"):
                event = '{"specversion":"1.0","id":"1","source":"/s","type":"t"' + f',"{field}":"a{bad}"' + "}"
                event = event if field not in ("id", "source", "type") else event.replace(f'"{field}":"{dict(id="1", source="/s", type="t")[field]}",', "", 1)
                self.assertEqual(self.webhook(event.encode(), **{"Content-Type": "application/cloudevents+json"}), 400, f"{field}: {bad}")
        await self.link_stands()

    async def test_06_headers_by_kafka(self):
        """A record whose attributes are no text costs itself: what stands behind it arrives."""
        base = {"ce_specversion": b"1.0", "ce_id": b"1", "ce_source": b"/s", "ce_type": b"t", "content-type": b"text/plain"}
        records = [(b"k\x01", b"x", dict(base, **{field: bad}))
                   for field in ("ce_id", "ce_source", "ce_type", "ce_subject", "ce_ext", "content-type")
                   for bad in (b"a\x01b", b"a\x00b", b"\xff", b"\xed\xa0\x80", b"\xef\xbf\xbf")]
        self.kafka.produce("in", [*records, (b"k", b"the last", dict(base, ce_id=b"last"))])
        event = await self.notified("last")
        self.assertEqual(event["data"], "the last")
        await self.bob.message(lambda m: body(m) == "the last")
        await self.link_stands()

    async def test_07_events_by_chat(self):
        for field in ("id", "source", "type", "subject", "ext"):
            event = {"specversion": "1.0", "id": "c", "source": "/s", "type": "t", field: "a\x01b"}
            text = json.dumps(event).replace('"', "&quot;")
            self.alice.send(f"<message to='desk@{BUS}' type='chat' id='c-{field}'><body>{text}</body></message>")
            refused = await self.alice.message(lambda m, f=field: m.get("id") == f"c-{f}")
            self.assertEqual(condition(refused), "modify/bad-request", field)
        # In the data an escape is JSON and stays one.
        text = json.dumps({"specversion": "1.0", "id": "c-data", "source": "/s", "type": "t", "data": {"s": "a\x01\uffff"}})
        self.alice.send(f"<message to='desk@{BUS}' type='chat' id='c1'><body>{text.replace('&', '&amp;')}</body></message>")
        out = await self.bob.message(lambda m: (body(m) or "").startswith("{"))
        self.assertEqual(json.loads(body(out)), {"s": "a\x01\uffff"})
        # Of a string people get the text; what is none is a case.
        text = json.dumps({"specversion": "1.0", "id": "c-text", "source": "/s", "type": "t", "data": "a\x01"})
        self.alice.send(f"<message to='desk@{BUS}' type='chat' id='c2'><body>{text}</body></message>")
        self.assertEqual((await self.case_of("c-text"))["code"], "xmpp-not-xml")
        await self.link_stands()

    async def test_08_what_a_client_cannot_say(self):
        """The server ends the client that says it; the bus hears nothing of it, or can read it over."""
        for text in ("<body>&#1;</body>", "<body>\x01</body>", "<!-- c --><body>x</body>", "<?pi?><body>x</body>", "<p:x/>"):
            person = await Client(self.stage.server, "eve").login()
            person.xmpp.send_raw(f"<message to='desk@{BUS}' type='chat'>{text}</message>")
            person.xmpp.abort()
            await self.link_stands()

    async def test_09_deep_and_wide_from_a_client(self):
        for name, payload in (("deep", "<a>" * DEPTH + "</a>" * DEPTH), ("wide", "<e " + " ".join(f"a{i}='1'" for i in range(5000)) + "/>"),
                              ("many", "<a/>" * 20000)):
            person = await Client(self.stage.server, "alice").login()
            person.xmpp.send_raw(f"<iq type='set' to='desk@{BUS}' id='{name}'><e xmlns='u:e'>{payload}</e></iq>")
            # Whatever the server thinks of it: what is asked behind it, by another, is answered.
            await self.link_stands()
            person.xmpp.abort()

    async def test_10_quotes(self):
        """As many escaped quotes as a client may send, exactly."""
        for number, (count, entity) in enumerate(((40000, "&quot;"), (40000, "&apos;"), (40000, "&#34;"))):
            self.alice.send(f"<message to='desk@{BUS}' type='chat' id='q{number}'><body>{entity * count}</body></message>")
            out = await self.bob.message(lambda m: (body(m) or "x")[0] in "\"'")
            self.assertEqual(len(body(out)), count)
        # A million does not come through: the server ends the client, or the bus refuses it.
        person = await Client(self.stage.server, "eve").login()
        person.xmpp.send_raw(f"<message to='desk@{BUS}' type='chat'><body>{'&quot;' * 1000000}</body></message>")
        await self.link_stands()
        person.xmpp.abort()

    async def test_11_addresses(self):
        """Resources are any text; the answer finds its way back."""
        for resource in ("a&apos;b&lt;&amp;&gt;\"", "ä 水 /@", "x" * 1000):
            person = Client(self.stage.server, "alice")
            person.xmpp.requested_jid.resource = resource.replace("&apos;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
            await person.login()
            self.assertEqual(condition(await person.iq("get", BUS, "<ping xmlns='urn:xmpp:ping'/>")), "result")
            self.assertEqual(condition(await person.iq("set", f"desk@{BUS}", "<x xmlns='u:x'/>")), "result")
            await person.logout()
        await self.link_stands()

    async def test_12_data_that_only_calls_itself_xml(self):
        """What is no XML element, alone and whole, does not stand in an item as one."""
        for number, data in enumerate((b"", b"</item></items></event></message>", b"<a>", b"<a/><b/>", b"text", b"<a>\x01</a>", b"<a>&#1;</a>",
                                       b"<!DOCTYPE a><a/>", b"<!-- c --><a/>", b"<a><?pi?></a>", b"<p:a/>", b"<a b='1' b='2'/>", b"</stream:stream>",
                                       b"<a/></stream:stream><b/>", b"<a>&lol;</a>", b"<a>\xff</a>", b"<a>" * 40 + b"</a>" * 40)):
            name = f"x-{number}"
            self.assertEqual(self.webhook(data, **{"x-id": name, "Content-Type": "application/xml"}), 202, data)
            event = await self.notified(name)  # as JSON
            got = base64.b64decode(event["data_base64"]) if "data_base64" in event else event.get("data", "").encode()
            self.assertEqual(got, data)
        await self.link_stands()

    async def test_13_names_too_large_for_a_stanza(self):
        """An item that no notification can carry, nor a text beside it, costs itself: the next one comes."""
        marks = "&" * 60000
        answer = await self.bob.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'><options node='t' jid='bob@example.com'><x xmlns='jabber:x:data' "
                                   "type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#subscribe_options</value>"
                                   "</field><field var='pubsub#include_body'><value>1</value></field></x></options></pubsub>")
        self.assertEqual(condition(answer), "result")
        event = json.dumps({"specversion": "1.0", "id": "large-subject", "source": "/t", "type": "t", "subject": marks})
        self.assertEqual(self.webhook(event.encode(), **{"Content-Type": "application/cloudevents+json"}), 202)
        handle = self.stage.api("messages?id=large-subject")[1]["messages"][0]["handle"]
        await self.bob.message(lambda m: any(i.get("id") == f"{handle}.text" for i in m.iter(f"{{{EVENT}}}item")))
        self.assertEqual(self.stage.api("publish", {"ingress": "topic:t", "id": marks})[0], 200)
        self.assertEqual(self.webhook(b"small", **{"x-id": "small"}), 202)
        self.assertEqual((await self.notified("small"))["data"], "small")
        await self.link_stands()

    async def test_14_large_items_asked_for_at_once(self):
        """An answer is as large as a stanza may be, and so is about what is kept while it is made."""
        text = "x" * 200000
        for number in range(3):
            self.assertEqual(self.webhook(text.encode(), **{"x-id": f"big-{number}"}), 202)
            name = (await self.notified(f"big-{number}"))["id"]
        for asked, wanted in ((400, "result"), (3000, "error/not-allowed/max-items-exceeded")):
            answer = await self.bob.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><items node='t'>{f'<item id={chr(39)}{name}{chr(39)}/>' * asked}"
                                       "</items></pubsub>")
            self.assertEqual(condition(answer), wanted.replace("error", "cancel"))
            if wanted == "result":
                self.assertEqual([i.get("id") for i in answer.iter(f"{{{PUBSUB}}}item")], [name])
        await self.link_stands()

    async def test_15_quotes_in_an_attribute(self):
        """A server writes each as six bytes, so that one tag is larger than a stanza may be: it costs its sender's stanza."""
        for name, to in (("eve", f"desk@{BUS}"), ("eve", BUS), ("alice", f"desk@{BUS}")):  # strangers too
            person = await Client(self.stage.server, name).login()
            for count in (60000, 200000):
                payload = f"<e xmlns='u:e' a=\"{chr(39) * count}\" b='1'/>"
                person.send(f"<message to='{to}' id='a{count}' c=\"{chr(39) * 100}\">{payload}</message>")
                answer = await person.iq("set", to, payload)
                self.assertIn(condition(answer).split("/")[1], ("policy-violation", "service-unavailable", "forbidden"))
                await self.link_stands()
            for count in (40000, 43000, 200000):  # what an answer has to repeat
                for attribute in ("id", "type", "xml:lang"):
                    person.send(f"<message to='{to}' {attribute}=\"{chr(39) * count}\"><body>x</body></message>")
                person.send(f"<iq type='get' to='{to}' id=\"{chr(39) * count}\"><x xmlns='u:x'/></iq>")
                await self.link_stands()
            await person.logout()

    async def test_20_memory(self):
        line, grown = self.memory.grown()
        stage.say(line)
        self.assertLessEqual(grown, 64)


if __name__ == "__main__":
    stage.run(HostileTest)
