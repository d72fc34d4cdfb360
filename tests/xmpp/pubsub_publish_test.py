# SPDX-License-Identifier: Apache-2.0
"""Publishing: errors, the kinds of nodes, payloads, publish options, full nodes.

    pubsub_publish_test.py XYLEMD prosody|ejabberd
"""
import asyncio
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import pubsub, stage  # noqa: E402
from tests.xmpp.client import body  # noqa: E402
from tests.xmpp.pubsub import ATOM, BUS, EVENT, JSON, NS, OWNER, canonical, fields, form  # noqa: E402

# What makes an XML payload hard to pass on: names, prefixes, no namespace, CDATA, entities, four bytes.
FOREIGN = ("<p:order xmlns:p='u:p' xmlns:q='u:q' xmlns='u:d' p:t='1' q:t='2' t='3' xml:lang='de'>"
           "<line xmlns=''>&lt;ä&gt; &amp; &quot;😀&quot; 𝄞</line><q:line p:a=\"it's\"/><![CDATA[<raw>&amp;]]> tail\n"
           "</p:order>")


class PublishTest(pubsub.Case):
    # --- 6. Publishing ----------------------------------------------------------------------

    async def test_601_publish_errors(self):
        payload = "<a xmlns='u'/>"
        await self.ok(self.create(self.alice, "pub", access_model="open", max_payload_size="200"))
        for items, expected in (
                ((), "modify/bad-request/item-required"),
                (("<item id='a'/>",), "modify/bad-request/payload-required"),
                ((f"<item id='a'>{payload}{payload}</item>",), "modify/bad-request/invalid-payload"),
                (("<item><json xmlns='urn:xmpp:json:0'>{</json></item>",), "modify/bad-request/invalid-payload"),
                (("<item><json xmlns='urn:xmpp:json:0'>[<b/>]</json></item>",), "modify/bad-request/invalid-payload"),
                (("<item>words <a xmlns='u'/></item>",), "modify/bad-request/invalid-payload"),
                ((f"<item><a xmlns='u'>{'x' * 200}</a></item>",), "modify/not-acceptable/payload-too-big"),
                ((f"<item>{payload}</item>",) * 101, "cancel/not-allowed/max-items-exceeded")):
            await self.refused(self.publish(self.alice, "pub", *items), expected)
        # One operation a request: none is passed over in silence.
        for second in (f"<publish node='pub'><item>{payload}</item></publish>", "<retract node='pub'><item id='a'/></retract>"):
            await self.refused(self.set(self.alice, f"<publish node='pub'><item>{payload}</item></publish>{second}"),
                               "modify/bad-request")
        await self.refused(self.publish(self.bob, "no-such", f"<item>{payload}</item>"), "cancel/item-not-found")
        await self.refused(self.set(self.alice, "<publish><item/></publish>"), "modify/bad-request/nodeid-required")
        await self.ok(self.create(self.alice, "typed", access_model="open", type="u:right"))
        await self.refused(self.publish(self.alice, "typed", "<item><a xmlns='u:wrong'/></item>"),
                           "modify/bad-request/invalid-payload")
        await self.ok(self.publish(self.alice, "typed", "<item><a xmlns='u:right'/></item>"))
        self.assertEqual(await self.ids(self.alice, "pub"), [])

    async def test_602_kinds_of_nodes(self):
        """The four event types of XEP-0060, 4.3."""
        payload = "<a xmlns='u'/>"
        await self.ok(self.create(self.alice, "bell", access_model="open", persist_items="0", deliver_payloads="0"))
        await self.ok(self.subscribe(self.bob, "bell"))
        await self.refused(self.publish(self.alice, "bell", "<item id='a'/>"), "modify/bad-request/item-forbidden")
        await self.ok(self.publish(self.alice, "bell"))
        event = await self.event(self.bob, lambda e: e[0].get("node") == "bell")
        self.assertEqual(len(event.find(f"{{{EVENT}}}event")[0]), 0)
        self.assertIn(b'xylem_topic_items_total{topic="bell"} 1\n', self.stage.fetch(
            f"http://127.0.0.1:{self.stage.console}/metrics"))
        for ask in (self.items(self.alice, "bell"), self.retract(self.alice, "bell", "a"),
                    self.set(self.alice, "<purge node='bell'/>", OWNER)):
            answer = await self.refused(ask, "cancel/feature-not-implemented/unsupported")
            self.assertEqual(next(answer.iter(f"{{{NS}#errors}}unsupported")).get("feature"), "persistent-items")
        await self.ok(self.create(self.alice, "stream", access_model="open", persist_items="0"))
        await self.ok(self.subscribe(self.bob, "stream"))
        await self.ok(self.publish(self.alice, "stream", f"<item id='s'>{payload}</item>"))
        message = await self.told(self.bob, "stream", "s")
        self.assertIsNotNone(next(message.iter("{u}a"), None))
        await self.ok(self.create(self.alice, "hint", access_model="open", deliver_payloads="0"))
        await self.ok(self.subscribe(self.bob, "hint"))
        await self.ok(self.publish(self.alice, "hint", f"<item id='h'>{payload}</item>"))
        message = await self.told(self.bob, "hint", "h")
        self.assertIsNone(next(message.iter("{u}a"), None))
        answer = await self.ok(self.items(self.bob, "hint", "<item id='h'/>"))
        self.assertIsNotNone(next(answer.iter("{u}a"), None))
        await self.ok(self.publish(self.alice, "hint", "<item id='bare'/>"))
        await self.told(self.bob, "hint", "bare")

    async def test_603_xml_is_passed_on_unharmed(self):
        await self.ok(self.create(self.alice, "xml", access_model="open"))
        await self.ok(self.subscribe(self.bob, "xml"))
        await self.ok(self.publish(self.alice, "xml", f"<item id='f'>{FOREIGN}</item>"))
        message = await self.told(self.bob, "xml", "f")
        self.assertEqual(canonical(next(message.iter("{u:p}order"))), canonical(FOREIGN))
        answer = await self.ok(self.items(self.bob, "xml"))
        self.assertEqual(canonical(next(answer.iter("{u:p}order"))), canonical(FOREIGN))
        results, _ = await self.archive(self.bob, "xml")
        self.assertEqual(canonical(next(results[0][2].iter("{u:p}order"))), canonical(FOREIGN))
        self.assertEqual(next(answer.iter(f"{{{NS}}}item")).get("publisher"), self.alice.bare)

    async def test_604_events_in_json(self):
        await self.ok(self.create(self.alice, "json", access_model="open"))
        await self.ok(self.subscribe(self.bob, "json"))
        event = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order.created", "data": {"a": 19.99}}
        await self.ok(self.publish(self.alice, "json", f"<item id='e1'><json xmlns='urn:xmpp:json:0'>{json.dumps(event)}</json></item>"))
        told = json.loads(next((await self.told(self.bob, "json", "e1")).iter(JSON)).text)
        self.assertEqual({name: told[name] for name in event}, event)
        await self.refused(self.publish(self.alice, "json", f"<item id='other'><json xmlns='urn:xmpp:json:0'>{json.dumps(event)}</json></item>"),
                           "modify/bad-request/invalid-payload")

    async def test_605_atom(self):
        """A topic of Atom entries: an entry stays one, an event of a route becomes one."""
        entry = (f"<entry xmlns='{ATOM}'><title>Soliloquy</title><id>tag:d,2003:e</id><updated>2003-12-13T18:30:02Z</updated>"
                 "<author><name>H</name></author></entry>")
        await self.ok(self.subscribe(self.bob, "feed"))
        await self.ok(self.publish(self.alice, "feed", f"<item id='entry'>{entry}</item>"))
        message = await self.told(self.bob, "feed", "entry")
        self.assertEqual(canonical(next(message.iter(f"{{{ATOM}}}entry"))), canonical(entry))
        self.alice.send(f"<message to='desk@{BUS}' id='d1' type='chat'><subject>A &lt;b&gt;</subject><body>text &amp; more</body></message>")
        message = await self.event(self.bob, lambda e: any(t.text == "A <b>" for t in e.iter(f"{{{ATOM}}}title")))
        made = next(message.iter(f"{{{ATOM}}}entry"))
        self.assertEqual(made.findtext(f"{{{ATOM}}}content"), "text & more")
        for needed in ("id", "updated", "published", "author"):
            self.assertIsNotNone(made.find(f"{{{ATOM}}}{needed}"))
        await self.refused(self.publish(self.alice, "feed", "<item><a xmlns='u'/></item>"), "modify/bad-request/invalid-payload")
        # The text beside it is the title, also where that is XHTML (as in XEP-0472).
        await self.ok(self.subscribe(self.dave, "feed", include_body="1"))
        title = ("<title type='xhtml'> <div xmlns='http://www.w3.org/1999/xhtml'><p>at the <strong>Café <em>N.</em></strong>"
                 " now</p></div> </title>")
        await self.ok(self.publish(self.alice, "feed", f"<item id='rich'><entry xmlns='{ATOM}'>{title}</entry></item>"))
        self.assertEqual(body(await self.told(self.dave, "feed", "rich")), "at the Café N. now")

    async def test_606_publish_options(self):
        def options(**values):
            return f"<publish-options>{form('publish-options', **values)}</publish-options>"
        item = "<item id='o'><a xmlns='u'/></item>"
        await self.ok(self.publish(self.alice, "auto", item, options=options(access_model="open", max_items="3")))
        found = fields(await self.ok(self.get(self.alice, "<configure node='auto'/>", OWNER)))
        self.assertEqual((found["access_model"], found["max_items"]), ("open", "3"))
        self.assertEqual(await self.ids(self.bob, "auto"), ["o"])
        await self.ok(self.publish(self.alice, "auto", item, options=options(access_model="open", persist_items="true")))
        for wrong in (dict(access_model="whitelist"), dict(max_items="4"), dict(no_such="1"), dict(access_model="presence")):
            await self.refused(self.publish(self.alice, "auto", item, options=options(**wrong)),
                               "cancel/conflict/precondition-not-met")
        await self.ok(self.publish(self.alice, "auto2", item))
        await self.refused(self.publish(self.bob, "auto3", item, options=options(access_model="open")), "cancel/item-not-found")

    async def test_607_a_full_node(self):
        item = "<item id='{}'><a xmlns='u'/></item>"
        await self.ok(self.create(self.alice, "ring", access_model="open", max_items="2"))
        for i in range(4):
            await self.ok(self.publish(self.alice, "ring", item.format(i)))
        self.assertEqual(await self.ids(self.bob, "ring"), ["2", "3"])
        await self.ok(self.create(self.alice, "jar", access_model="open", max_items="2", publish_node_full="reject"))
        for i in range(2):
            await self.ok(self.publish(self.alice, "jar", item.format(i)))
        await self.refused(self.publish(self.alice, "jar", item.format(2)), "cancel/conflict/node-full")
        self.assertEqual(await self.ids(self.bob, "jar"), ["0", "1"])
        # An id that is there is no item more (12.8), alone or beside others.
        await self.ok(self.publish(self.alice, "jar", item.format(0)))
        self.assertEqual(await self.ids(self.bob, "jar"), ["1", "0"])
        await self.refused(self.publish(self.alice, "jar", item.format(0), item.format(3)), "cancel/conflict/node-full")
        # Of many at once, as many as there is room for are taken, and none pushes another out.
        await self.ok(self.create(self.alice, "cup", access_model="open", max_items="3", publish_node_full="reject"))
        answers = await asyncio.gather(*(self.publish(self.alice, "cup", item.format(f"c{i}")) for i in range(10)))
        taken = [f"c{i}" for i in range(10) if answers[i].get("type") == "result"]
        self.assertTrue(0 < len(taken) <= 3, taken)
        self.assertEqual(await self.ids(self.bob, "cup"), taken)
        # With a smaller bound, what is too much goes, and does not come back with a larger one.
        await self.ok(self.configure(self.alice, "ring", max_items="1"))
        self.assertEqual(await self.ids(self.bob, "ring"), ["3"])
        await self.ok(self.configure(self.alice, "ring", max_items="9"))
        self.assertEqual(await self.ids(self.bob, "ring"), ["3"])

    async def test_608_an_id_again_replaces(self):
        await self.ok(self.create(self.alice, "again", access_model="open"))
        for text in ("one", "two"):
            await self.ok(self.publish(self.alice, "again", f"<item id='x'><a xmlns='u'>{text}</a></item>"))
        await self.ok(self.publish(self.alice, "again", "<item><a xmlns='u'/></item>"))
        answer = await self.ok(self.items(self.bob, "again", "<item id='x'/>"))
        self.assertEqual([a.text for a in answer.iter("{u}a")], ["two"])
        ids = await self.ids(self.bob, "again")
        self.assertEqual((len(ids), ids[0]), (2, "x"))
        self.assertGreater(len(ids[1]), 8)  # one that the bus made

    async def test_609_headlines_and_replies(self):
        await self.ok(self.create(self.alice, "head", access_model="open", notification_type="headline", itemreply="publisher"))
        await self.ok(self.subscribe(self.bob, "head"))
        await self.ok(self.publish(self.alice, "head", "<item id='h'><a xmlns='u'/></item>"))
        message = await self.told(self.bob, "head", "h")
        self.assertEqual(message.get("type"), "headline")
        reply = next(message.iter("{http://jabber.org/protocol/address}address"))
        self.assertEqual((reply.get("type"), reply.get("jid")), ("replyto", self.alice.bare))
        await self.ok(self.configure(self.alice, "head", itemreply="owner", contact=["a@example.com", "b@example.com"]))
        await self.ok(self.publish(self.alice, "head", "<item id='h2'><a xmlns='u'/></item>"))
        replies = (await self.told(self.bob, "head", "h2")).iter("{http://jabber.org/protocol/address}address")
        self.assertEqual([r.get("jid") for r in replies], ["a@example.com", "b@example.com"])

    async def test_610_items_expire(self):
        await self.ok(self.create(self.alice, "milk", access_model="open", item_expire="1"))
        await self.ok(self.publish(self.alice, "milk", "<item id='old'><a xmlns='u'/></item>"))
        while await self.ids(self.bob, "milk"):  # until the test's own deadline
            await asyncio.sleep(0.05)
        await self.ok(self.publish(self.alice, "milk", "<item id='new'><a xmlns='u'/></item>"))
        self.assertEqual(await self.ids(self.bob, "milk", inner="<item id='old'/>"), [])


if __name__ == "__main__":
    stage.run(PublishTest)
