# SPDX-License-Identifier: Apache-2.0
"""The bus on XMPP, whole: bus_test.py XYLEMD prosody|ejabberd

People and programs at a real server talk to a running xylemd: who gets what,
messages in and out with their confirmations, topics, and the bus as an account.
"""
import asyncio
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import body, condition  # noqa: E402

BUS = stage.BUS
PUBSUB = "http://jabber.org/protocol/pubsub"
INFO, ITEMS = (f"<query xmlns='http://jabber.org/protocol/disco#{what}'/>" for what in ("info", "items"))
PING = "<ping xmlns='urn:xmpp:ping'/>"
JSON = "{urn:xmpp:json:0}json"


def certificate(folder):
    """A certificate of example.com that signs itself."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out",
                    cert, "-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:example.com"],
                   check=True, capture_output=True)
    os.chmod(key, 0o644)
    return cert, key


def canonical(xml):
    return ET.canonicalize(xml, rewrite_prefixes=True)


class BusTest(stage.Case):
    people, accounts = ("alice", "bob", "ops", "mallory"), ("helper",)
    xmpp = "allow: [alice@example.com, bob@example.com]"
    config = """
users: {{ ops: {{ role: operator, jids: [ops@example.com] }} }}
connectors:
  desk: {{ xmpp: {{ allow: [alice@example.com] }} }}
  alerts: {{ xmpp: {{ to: [bob@example.com], event: true }} }}
  lost: {{ xmpp: {{ to: [nobody@example.com] }} }}
  helper: {{ xmpp_client: {{ jid: helper@example.com, password: {{ env: TEST_PASSWORD }},
            server: "127.0.0.1:{client}", tls: {{ {tls} }}, allow: [alice@example.com], to: [bob@example.com] }} }}
topics:
  orders: {{ title: Orders, description: All orders, subscribe: [bob@example.com], publish: [alice@example.com] }}
  news: {{ access: open }}
routes:
  desk: {{ from: [desk], where: '.type != "lost"', to: [alerts, topic:orders] }}
  lost: {{ from: [desk], where: '.type == "lost"', deliver: {{ attempts: 2, backoff: 10ms }}, to: [lost] }}
  tell: {{ from: [topic:news], to: [helper] }}
  ask: {{ from: [helper], to: [alerts] }}
"""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-bus-"))
        cls.certificate = certificate(cls.folder)
        cls.server_options = {"certificate": cls.certificate}
        super().setUpClass()

    @classmethod
    def set_the_stage(cls):
        cls.stage.values |= {"client": cls.stage.server.client_port, "tls": f"ca: {cls.certificate[0]}"}
        cls.stage.environment["TEST_PASSWORD"] = "pw"

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            shutil.rmtree(cls.folder, ignore_errors=True)

    def restart_bus(self, **values):
        self.stage.stop_bus()
        self.stage.values |= values
        self.stage.start_bus()

    # --- Who gets what ---------------------------------------------------------

    async def test_01_discovery(self):
        info = (await self.alice.iq("get", BUS, INFO))[0]
        found = {(e.get("category"), e.get("type")) for e in info.iter("{http://jabber.org/protocol/disco#info}identity")}
        self.assertEqual(found, {("pubsub", "service"), ("component", "generic")})
        features = {e.get("var") for e in info.iter("{http://jabber.org/protocol/disco#info}feature")}
        self.assertLessEqual({PUBSUB, PUBSUB + "#subscribe", PUBSUB + "#publish", "urn:xmpp:ping",
                              "jabber:iq:version"}, features)
        nodes = [(e.get("node"), e.get("name")) for e in (await self.bob.iq("get", BUS, ITEMS))[0]]
        self.assertEqual(nodes, [("news", "news"), ("orders", "Orders")])
        nodes = [e.get("node") for e in (await self.ops.iq("get", BUS, ITEMS))[0]]
        self.assertEqual(nodes, ["news", "orders"])
        meta = await self.bob.iq("get", BUS, INFO.replace("/>", " node='orders'/>"))
        fields = {f.get("var"): f[0].text for f in meta.iter("{jabber:x:data}field")}
        self.assertEqual(fields["pubsub#title"], "Orders")
        self.assertEqual(fields["pubsub#description"], "All orders")
        self.assertEqual(fields["pubsub#access_model"], "whitelist")

    async def test_02_strangers(self):
        self.assertEqual((await self.mallory.iq("get", BUS, INFO)).get("type"), "result")
        self.assertEqual((await self.mallory.iq("get", BUS, PING)).get("type"), "result")
        for payload in (ITEMS, "<query xmlns='jabber:iq:version'/>",
                        f"<pubsub xmlns='{PUBSUB}'><items node='orders'/></pubsub>"):
            self.assertEqual(condition(await self.mallory.iq("get", BUS, payload)), "auth/forbidden")
        # An address that exists and one that does not look the same.
        for address in ("desk", "no-such"):
            for payload in (INFO, PING):
                self.assertEqual(condition(await self.mallory.iq("get", f"{address}@{BUS}", payload)),
                                 "cancel/service-unavailable")
            self.mallory.send(f"<message to='{address}@{BUS}' type='chat' id='s-{address}'><body>x</body></message>")
            refused = await self.mallory.message(lambda m, a=address: m.get("id") == f"s-{a}")
            self.assertEqual(condition(refused), "auth/forbidden")

    async def test_03_services(self):
        version = (await self.alice.iq("get", BUS, "<query xmlns='jabber:iq:version'/>"))[0]
        self.assertEqual(version[0].text, "Xylem")
        self.assertIsNone(version.find("{jabber:iq:version}os"))
        self.assertIsNotNone((await self.alice.iq("get", BUS, "<query xmlns='jabber:iq:last'/>"))[0].get("seconds"))
        self.assertEqual((await self.alice.iq("get", BUS, "<time xmlns='urn:xmpp:time'/>"))[0][0].text, "+00:00")
        self.assertEqual((await self.alice.iq("get", f"desk@{BUS}", PING)).get("type"), "result")
        for kind in ("get", "set"):
            self.assertEqual(condition(await self.alice.iq(kind, BUS, "<x xmlns='u:unknown'/>")),
                             "cancel/service-unavailable")

    # --- Endpoints -------------------------------------------------------------

    async def test_10_message_in_and_out_with_receipt(self):
        self.alice.send(f"<message to='desk@{BUS}' type='chat' id='m1'><body>{{\"price\": 19.99, \"n\": "
                        "12345678901234567890}</body><request xmlns='urn:xmpp:receipts'/></message>")
        receipt = await self.alice.message(lambda m: m.find("{urn:xmpp:receipts}received") is not None)
        self.assertEqual(receipt.find("{urn:xmpp:receipts}received").get("id"), "m1")
        out = await self.bob.message(lambda m: m.get("from", "").startswith(f"alerts@{BUS}"))
        self.assertEqual(body(out), '{"price": 19.99, "n": 12345678901234567890}')
        event = json.loads(out.find("{urn:xylem:message:0}event").find(JSON).text)
        self.assertEqual((event["id"], event["source"], event["type"]),
                         ("m1", "xmpp:alice@example.com", "xmpp.message"))
        self.assertEqual(out.find("{urn:xmpp:sid:0}origin-id").get("id"), "m1")

    async def test_11_iq_with_event_and_with_foreign_xml(self):
        event = json.dumps({"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "order.created",
                            "data": {"a": 1}})
        payload = f"<event xmlns='urn:xylem:message:0'><json xmlns='urn:xmpp:json:0'>{event}</json></event>"
        self.assertEqual(condition(await self.alice.iq("set", f"desk@{BUS}", payload)), "result")
        out = await self.bob.message(lambda m: m.get("from", "").startswith(f"alerts@{BUS}"))
        self.assertEqual(body(out), '{"a": 1}')

        foreign = ("<p:order xmlns:p='u:p' xmlns='u:d' p:t='1' xml:lang='de' t='2'><line xmlns=''>&lt;ä&gt; 😀</line>"
                   "<![CDATA[<raw>&]]></p:order>")
        self.assertEqual(condition(await self.alice.iq("set", f"desk@{BUS}", foreign)), "result")
        out = await self.bob.message(lambda m: m.get("from", "").startswith(f"alerts@{BUS}"))
        # Servers rewrite prefixes; names, namespaces and content are what has to survive.
        self.assertEqual(canonical(body(out)), canonical(foreign))

    async def test_12_what_is_no_data(self):
        for stanza in (f"<message to='desk@{BUS}' type='error' id='x1'><body>not data</body><error type='cancel'>"
                       "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
                       f"<message to='desk@{BUS}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/>"
                       "</message>",
                       f"<message to='desk@{BUS}' type='headline'><body>not data</body></message>"):
            self.alice.send(stanza)
        self.alice.send(f"<message to='desk@{BUS}' type='chat' id='x2'><body>I sent you an encrypted message</body>"
                        "<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/></message>")
        self.assertEqual(condition(await self.alice.message(lambda m: m.get("id") == "x2")), "modify/not-acceptable")
        self.assertEqual(condition(await self.alice.iq("get", f"desk@{BUS}", "<x xmlns='u:x'/>")),
                         "cancel/service-unavailable")
        self.assertEqual(condition(await self.alice.iq("set", f"desk@{BUS}", "<query xmlns='jabber:iq:roster'/>")),
                         "cancel/service-unavailable")
        # The next that arrives is the next that was data.
        self.alice.send(f"<message to='desk@{BUS}' type='normal' id='x3'><body>data</body></message>")
        out = await self.bob.message(lambda m: m.get("from", "").startswith(f"alerts@{BUS}"))
        self.assertEqual(body(out), "data")

    async def test_13_bob_may_not_send_to_the_desk(self):
        self.bob.send(f"<message to='desk@{BUS}' type='chat' id='f1'><body>x</body></message>")
        self.assertEqual(condition(await self.bob.message(lambda m: m.get("id") == "f1")), "auth/forbidden")

    async def test_14_a_missing_account_is_a_case(self):
        event = json.dumps({"specversion": "1.0", "id": "e-lost", "source": "/x", "type": "lost", "data": 1})
        payload = f"<event xmlns='urn:xylem:message:0'><json xmlns='urn:xmpp:json:0'>{event}</json></event>"
        self.assertEqual(condition(await self.alice.iq("set", f"desk@{BUS}", payload)), "result")
        cases = []
        while not cases:  # until the test's own deadline
            cases = [c for c in self.api("hospital/cases")["cases"] if c["id"] == "e-lost"]
            await asyncio.sleep(0.05)
        self.assertEqual((cases[0]["code"], cases[0]["destination"]), ("xmpp-service-unavailable", "lost"))

    # --- Topics ----------------------------------------------------------------

    def subscribe(self, client, node, jid=None, verb="subscribe"):
        return client.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'><{verb} node='{node}' jid='{jid or client.bare}'/></pubsub>")

    def publish(self, client, node, item):
        return client.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'>{item}</publish></pubsub>")

    async def items(self, client, node, ask=""):
        answer = await client.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><items node='{node}'{ask}/></pubsub>")
        self.assertEqual(answer.get("type"), "result", ET.tostring(answer))
        return [(i.get("id"), json.loads(i.find(JSON).text) if i.find(JSON) is not None else canonical(ET.tostring(i[0])))
                for i in answer.iter(f"{{{PUBSUB}}}item")]

    async def test_20_subscription_errors(self):
        for client, node, jid, verb, expected in (
                (self.alice, "no-such", None, "subscribe", "cancel/item-not-found"),
                (self.ops, "orders", "bob@example.com", "subscribe", "modify/bad-request/invalid-jid"),
                (self.mallory, "orders", None, "subscribe", "auth/forbidden"),
                (self.bob, "orders", None, "unsubscribe", "cancel/unexpected-request/not-subscribed"),
                (self.bob, "no-such", None, "unsubscribe", "cancel/item-not-found")):
            self.assertEqual(condition(await self.subscribe(client, node, jid, verb)), expected)
        answer = await self.bob.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'><create node='mine'/></pubsub>")
        self.assertEqual(condition(answer), "auth/forbidden")
        answer = await self.bob.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><options node='orders' jid='bob@example.com'/></pubsub>")
        self.assertEqual(condition(answer), "modify/unexpected-request/not-subscribed")

    async def test_21_subscribe_notify_retrieve(self):
        for _ in range(2):  # again is a success
            answer = await self.subscribe(self.bob, "orders")
            subscription = answer[0][0]
            self.assertEqual((subscription.get("node"), subscription.get("jid"), subscription.get("subscription")),
                             ("orders", "bob@example.com", "subscribed"))
        payload = "<order xmlns='u:shop' n='1'/>"
        self.assertEqual(condition(await self.publish(self.bob, "orders", f"<item id='no'>{payload}</item>")),
                         "auth/forbidden")
        answer = await self.publish(self.alice, "orders", f"<item id='p1'>{payload}</item>")
        self.assertEqual(answer[0][0][0].get("id"), "p1")
        event = await self.bob.message(lambda m: m.find(f"{{{PUBSUB}#event}}event") is not None and "p1" in ET.tostring(m, "unicode"))
        self.assertIn(event.get("type"), (None, "normal"))
        self.assertEqual(event.get("from"), BUS)
        items = event.find(f"{{{PUBSUB}#event}}event")[0]
        self.assertEqual((items.get("node"), items[0].get("id"), items[0].get("publisher")),
                         ("orders", "p1", "alice@example.com"))
        self.assertEqual(canonical(ET.tostring(items[0][0])), canonical(payload))
        answer = await self.bob.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><items node='orders' max_items='1'/></pubsub>")
        self.assertEqual(canonical(ET.tostring(answer[0][0][0][0])), canonical(payload))

    async def test_22_publish_errors(self):
        for item, expected in (("", "modify/bad-request/item-required"),
                               ("<item id='a'/>", "modify/bad-request/payload-required"),
                               ("<item id='a'><a xmlns='u'/><b xmlns='u'/></item>", "modify/bad-request/invalid-payload"),
                               ("<item><json xmlns='urn:xmpp:json:0'>{</json></item>", "modify/bad-request/invalid-payload"),
                               ("<item><a xmlns='u'/></item>" * 101, "cancel/not-allowed/max-items-exceeded")):
            self.assertEqual(condition(await self.publish(self.alice, "orders", item)), expected)
        self.assertEqual(condition(await self.publish(self.alice, "no-such", "<item><a xmlns='u'/></item>")),
                         "cancel/item-not-found")

    async def test_23_a_route_feeds_the_topic_in_order(self):
        for i in range(50):
            self.alice.send(f"<message to='desk@{BUS}' type='chat' id='o{i}'><body>{{\"i\":{i}}}</body></message>")
        seen = []
        while len(seen) < 50:
            event = await self.bob.message(lambda m: m.find(f"{{{PUBSUB}#event}}event") is not None)
            payload = next(event.iter(JSON), None)
            data = json.loads(payload.text).get("data") if payload is not None else None
            if isinstance(data, dict) and "i" in data:
                seen.append(data["i"])
        self.assertEqual(seen, list(range(50)))
        newest = await self.items(self.bob, "orders", " max_items='3'")
        self.assertEqual([event["data"]["i"] for _, event in newest], [47, 48, 49])
        wanted = newest[0][0]
        answer = await self.bob.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><items node='orders'><item id='{wanted}'/>"
                                   "<item id='no-such'/></items></pubsub>")
        self.assertEqual([i.get("id") for i in answer.iter(f"{{{PUBSUB}}}item")], [wanted])

    async def test_24_all_survives_a_restart(self):
        before = await self.items(self.bob, "orders")
        self.restart_bus()
        answer = await self.bob.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>")
        self.assertEqual([(s.get("node"), s.get("jid")) for s in answer.iter(f"{{{PUBSUB}}}subscription")],
                         [("orders", "bob@example.com")])
        self.assertEqual(await self.items(self.bob, "orders"), before)
        self.assertEqual(condition(await self.publish(self.alice, "orders", "<item id='p2'><a xmlns='u'/></item>")),
                         "result")
        await self.bob.message(lambda m: "p2" in ET.tostring(m, "unicode"))

    async def test_25_unsubscribed_hears_nothing(self):
        self.assertEqual((await self.subscribe(self.ops, "orders")).get("type"), "result")
        self.assertEqual(condition(await self.subscribe(self.bob, "orders", verb="unsubscribe")), "result")
        self.bob.received.clear()
        for name in ("p3", "p4"):
            await self.publish(self.alice, "orders", f"<item id='{name}'><a xmlns='u'/></item>")
        # When another subscriber has the second, the first is through to everybody; the answer comes behind all of it.
        await self.ops.message(lambda m: "p4" in ET.tostring(m, "unicode"))
        await self.bob.iq("get", BUS, PING)
        self.assertNotIn("p3", "".join(ET.tostring(m, "unicode") for m in self.bob.received))
        self.assertEqual((await self.subscribe(self.bob, "orders")).get("type"), "result")
        # The last item comes with the subscription, stamped with its time; it may come as news too.
        last = await self.bob.message(lambda m: m.find("{urn:xmpp:delay}delay") is not None)
        self.assertIn("p4", ET.tostring(last, "unicode"))
        await self.publish(self.alice, "orders", "<item id='p5'><a xmlns='u'/></item>")
        await self.bob.message(lambda m: "p5" in ET.tostring(m, "unicode"))

    # --- The bus as an account ---------------------------------------------------

    async def test_30_account_out(self):
        await self.publish(self.ops, "news", "<item id='n1'><json xmlns='urn:xmpp:json:0'>{\"held\": 3}</json></item>")
        out = await self.bob.message(lambda m: m.get("from", "").startswith("helper@example.com/"), 40)
        self.assertEqual(body(out), '{"held": 3}')

    async def test_31_account_in(self):
        self.bob.received.clear()
        self.alice.send("<message to='helper@example.com' type='chat' id='h1'><body>status ä &lt;&amp;></body>"
                        "<request xmlns='urn:xmpp:receipts'/></message>")
        receipt = await self.alice.message(lambda m: m.find("{urn:xmpp:receipts}received") is not None)
        self.assertEqual(receipt.find("{urn:xmpp:receipts}received").get("id"), "h1")
        out = await self.bob.message(lambda m: m.get("from", "").startswith(f"alerts@{BUS}"))
        self.assertEqual(body(out), "status ä <&>")

    async def test_32_account_checks_the_certificate(self):
        self.restart_bus(tls="insecure_skip_verify: false")
        self.stage.bus.wait_line(r"helper is down: the server's certificate", 30)
        self.restart_bus(tls="insecure_skip_verify: true")
        await self.publish(self.ops, "news", "<item id='n2'><json xmlns='urn:xmpp:json:0'>2</json></item>")
        out = await self.bob.message(lambda m: m.get("from", "").startswith("helper@example.com/"), 40)
        self.assertEqual(body(out), "2")


if __name__ == "__main__":
    stage.run(BusTest)
