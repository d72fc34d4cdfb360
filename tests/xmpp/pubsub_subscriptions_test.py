# SPDX-License-Identifier: Apache-2.0
"""Subscriptions: errors, several of one address, options, their end.

    pubsub_subscriptions_test.py XYLEMD prosody|ejabberd
"""
import asyncio
import contextlib
import datetime
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import pubsub, stage  # noqa: E402
from tests.xmpp.client import Client, body, condition  # noqa: E402
from tests.xmpp.pubsub import BUS, DATA, EVENT, INFO, NS, OWNER, fields, form  # noqa: E402


class SubscriptionsTest(pubsub.Case):
    # --- 3. Subscribing --------------------------------------------------------------

    async def test_301_subscribe_errors(self):
        await self.ok(self.create(self.alice, "white"))
        await self.ok(self.create(self.alice, "closed", access_model="open", subscribe="0"))
        await self.ok(self.create(self.alice, "out", access_model="open"))
        await self.ok(self.affiliate(self.alice, "out", (self.dave.bare, "outcast")))
        await self.refused(self.subscribe(self.bob, "white", self.carol.bare), "modify/bad-request/invalid-jid")
        await self.refused(self.subscribe(self.bob, "white"), "cancel/not-allowed/closed-node")
        await self.refused(self.items(self.bob, "white"), "cancel/not-allowed/closed-node")
        await self.refused(self.subscribe(self.dave, "out"), "auth/forbidden")
        await self.refused(self.items(self.dave, "out"), "auth/forbidden")
        await self.refused(self.subscribe(self.bob, "no-such"), "cancel/item-not-found")
        answer = await self.refused(self.subscribe(self.bob, "closed"), "cancel/feature-not-implemented/unsupported")
        self.assertEqual(next(answer.iter(f"{{{NS}#errors}}unsupported")).get("feature"), "subscribe")
        await self.refused(self.set(self.bob, "<subscribe node='out'/>"), "modify/bad-request/jid-required")
        await self.refused(self.subscribe(self.bob, "out", expire="yesterday"), "modify/bad-request/invalid-options")

    async def test_302_unsubscribe_errors(self):
        await self.ok(self.create(self.alice, "un", access_model="open"))
        await self.refused(self.unsubscribe(self.bob, "un"), "cancel/unexpected-request/not-subscribed")
        await self.refused(self.unsubscribe(self.bob, "no-such"), "cancel/item-not-found")
        await self.refused(self.unsubscribe(self.bob, "un", self.carol.bare), "auth/forbidden")
        await self.ok(self.subscribe(self.bob, "un"))
        await self.refused(self.unsubscribe(self.bob, "un", subid="0000"), "modify/not-acceptable/invalid-subid")
        await self.ok(self.unsubscribe(self.bob, "un"))

    async def test_303_one_subscription_an_address(self):
        await self.ok(self.create(self.alice, "one", access_model="open"))
        first = self.subscription(await self.ok(self.subscribe(self.bob, "one")))
        again = self.subscription(await self.ok(self.subscribe(self.bob, "one")))
        self.assertEqual(first.get("subid"), again.get("subid"))
        self.assertEqual((again.get("subscription"), again.get("jid")), ("subscribed", self.bob.bare))
        full = f"{self.bob.bare}/{self.bob.xmpp.boundjid.resource}"
        other = self.subscription(await self.ok(self.subscribe(self.bob, "one", full)))
        self.assertEqual(other.get("jid"), full)
        listed = await self.ok(self.get(self.bob, "<subscriptions node='one'/>"))
        self.assertEqual({(s.get("jid"), s.get("subid")) for s in listed.iter(f"{{{NS}}}subscription")},
                         {(self.bob.bare, first.get("subid")), (full, other.get("subid"))})
        found = fields(await self.ok(self.alice.iq("get", BUS, f"<query xmlns='{INFO}' node='one'/>")))
        self.assertEqual(found["num_subscribers"], "2")

    async def test_308_options_beside_the_request(self):
        """They belong to the request's node and address, and the answer says which they are (6.3.7)."""
        await self.ok(self.create(self.alice, "beside", access_model="open"))
        options = form("subscribe_options", deliver="1", digest="0", show_values=["chat", "away"])
        subscribe = f"<subscribe node='beside' jid='{self.bob.bare}'/>"
        for wrong in (f"{subscribe}<options node='other'>{options}</options>",
                      f"{subscribe}<options jid='{self.carol.bare}'>{options}</options>",
                      f"<options>{options}</options>{subscribe}"):
            answer = await self.set(self.bob, wrong)
            self.assertTrue(condition(answer).startswith("modify/bad-request"), condition(answer))
        answer = await self.ok(self.set(self.bob, f"{subscribe}<options>{options}</options>"))
        self.assertEqual(self.subscription(answer).get("subscription"), "subscribed")
        data = answer.find(f"{{{NS}}}pubsub/{{{NS}}}options/{{{DATA}}}x")
        self.assertEqual(data.get("type"), "result")
        found = fields(data)
        self.assertEqual((found["FORM_TYPE"], found["deliver"], found["include_body"], found["show-values"]),
                         (NS + "#subscribe_options", "1", "0", ["chat", "away"]))
        # aioxmpp says node and address twice.
        await self.ok(self.set(self.bob, f"{subscribe}<options node='beside' jid='{self.bob.bare}'>{options}</options>"))

    async def test_304_several_with_other_options(self):
        await self.ok(self.create(self.alice, "multi", access_model="open"))
        first = self.subscription(await self.ok(self.subscribe(self.bob, "multi")))
        second = self.subscription(await self.ok(self.subscribe(self.bob, "multi", include_body="1")))
        self.assertNotEqual(first.get("subid"), second.get("subid"))
        options = f"<options node='multi' jid='{self.bob.bare}'"
        for ask in (self.unsubscribe(self.bob, "multi"), self.get(self.bob, options + "/>"),
                    self.items(self.bob, "multi")):
            await self.refused(ask, "modify/bad-request/subid-required")
        for ask in (self.unsubscribe(self.bob, "multi", subid="0000"), self.get(self.bob, options + " subid='0000'/>"),
                    self.items(self.bob, "multi", extra=" subid='0000'")):
            await self.refused(ask, "modify/not-acceptable/invalid-subid")
        await self.ok(self.items(self.bob, "multi", extra=f" subid='{first.get('subid')}'"))
        await self.ok(self.publish(self.alice, "multi", "<item id='m'><json xmlns='urn:xmpp:json:0'>{\"n\":1}</json></item>"))
        message = await self.told(self.bob, "multi", "m")
        # One notification with both ids, and the text that one of them wants.
        subids = {h.text for h in message.iter("{http://jabber.org/protocol/shim}header") if h.get("name") == "SubID"}
        self.assertEqual(subids, {first.get("subid"), second.get("subid")})
        self.assertIn('{"n":1}', body(message))
        await self.ok(self.unsubscribe(self.bob, "multi", subid=second.get("subid")))
        await self.ok(self.publish(self.alice, "multi", "<item id='m2'><a xmlns='u'/></item>"))
        message = await self.told(self.bob, "multi", "m2")
        self.assertEqual(list(message.iter("{http://jabber.org/protocol/shim}header")), [])
        self.assertIsNone(body(message))
        year = datetime.datetime.now().year + 1
        for i in range(9):
            await self.ok(self.subscribe(self.bob, "multi", expire=f"{year}-01-0{i + 1}T00:00:00Z"))
        await self.refused(self.subscribe(self.bob, "multi", expire=f"{year}-02-01T00:00:00Z"),
                           "wait/policy-violation/too-many-subscriptions")

    async def test_305_options(self):
        await self.ok(self.create(self.alice, "opt", access_model="open"))
        default = fields(await self.ok(self.get(self.bob, "<default/>")))
        self.assertEqual((default["FORM_TYPE"], default["deliver"], default["include_body"]),
                         (NS + "#subscribe_options", "1", "0"))
        options = f"<options node='opt' jid='{self.bob.bare}'"
        await self.refused(self.get(self.bob, options + "/>"), "modify/unexpected-request/not-subscribed")
        await self.refused(self.get(self.bob, "<options node='opt'/>"), "modify/bad-request/jid-required")
        await self.refused(self.get(self.bob, f"<options node='opt' jid='{self.carol.bare}'/>"), "auth/forbidden")
        await self.refused(self.get(self.bob, f"<options node='no-such' jid='{self.bob.bare}'/>"), "cancel/item-not-found")
        await self.ok(self.subscribe(self.bob, "opt"))
        for bad in (dict(deliver="perhaps"), dict(expire="soon"), dict(show_values="asleep"), dict(digest="1")):
            await self.refused(self.set(self.bob, options + f">{form('subscribe_options', **bad)}</options>"),
                               "modify/bad-request/invalid-options")
        # Notifications are not gathered (0094): not offered, and only the option's `no` is true.
        self.assertNotIn("digest", fields(await self.ok(self.get(self.bob, options + "/>"))))
        await self.ok(self.set(self.bob, options + f">{form('subscribe_options', deliver='0', include_body='1', digest='0')}"
                               "</options>"))
        found = fields(await self.ok(self.get(self.bob, options + "/>")))
        self.assertEqual((found["deliver"], found["include_body"]), ("0", "1"))
        await self.ok(self.publish(self.alice, "opt", "<item id='no'><a xmlns='u'/></item>"))
        await self.ok(self.set(self.bob, options + f">{form('subscribe_options', deliver='1')}</options>"))
        await self.ok(self.publish(self.alice, "opt", "<item id='yes'><entry xmlns='http://www.w3.org/2005/Atom'>"
                                   "<title>Hello &lt;you&gt;</title></entry></item>"))
        message = await self.event(self.bob, lambda e: e[0].get("node") == "opt")
        self.assertEqual(next(message.iter(f"{{{EVENT}}}item")).get("id"), "yes")
        self.assertEqual(body(message), "Hello <you>")

    async def test_306_a_subscription_ends_at_its_time(self):
        await self.ok(self.create(self.alice, "lease", access_model="open"))
        soon = (datetime.datetime.utcnow() + datetime.timedelta(seconds=2)).isoformat(timespec="milliseconds") + "Z"
        first = self.subscription(await self.ok(self.subscribe(self.bob, "lease", expire=soon)))
        event = await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}subscription")
        told = event.find(f"{{{EVENT}}}event")[0]
        self.assertEqual((told.get("node"), told.get("jid"), told.get("subscription"), told.get("subid")),
                         ("lease", self.bob.bare, "none", first.get("subid")))
        await self.refused(self.unsubscribe(self.bob, "lease"), "cancel/unexpected-request/not-subscribed")

    async def test_307_last_item_on_subscribe(self):
        await self.ok(self.create(self.alice, "last", access_model="open"))
        await self.ok(self.publish(self.alice, "last", "<item id='l1'><a xmlns='u'/></item>", "<item id='l2'><a xmlns='u'/></item>"))
        await self.ok(self.subscribe(self.bob, "last"))
        message = await self.bob.message(lambda m: m.find("{urn:xmpp:delay}delay") is not None)
        self.assertEqual([i.get("id") for i in message.iter(f"{{{EVENT}}}item")], ["l2"])
        self.assertRegex(message.find("{urn:xmpp:delay}delay").get("stamp"), r"Z$")
        await self.ok(self.configure(self.alice, "last", send_last_published_item="never"))
        await self.ok(self.subscribe(self.carol, "last"))
        await self.ok(self.publish(self.alice, "last", "<item id='l3'><a xmlns='u'/></item>"))
        await self.told(self.carol, "last", "l3")
        self.assertEqual([m for m in self.carol.received if m.find("{urn:xmpp:delay}delay") is not None], [])

    def refusing(self):
        """Who is noted in the catalogue for not being reachable, with the condition."""
        with contextlib.closing(sqlite3.connect(f"file:{self.stage.folder}/data/catalogue.db?mode=ro", uri=True)) as found:
            return dict(found.execute("SELECT jid, condition FROM subscriber_refusals"))

    async def refuses(self, *wanted):
        while set(self.refusing()) != set(wanted):
            await asyncio.sleep(0.05)  # the pace of looking; the case has a deadline

    async def test_308_an_error_is_noted_and_does_not_end_it(self):
        ghost = "ghost@example.com"
        await self.ok(self.create(self.alice, "haunted", access_model="open"))
        await self.ok(self.set(self.alice, f"<subscriptions node='haunted'><subscription jid='{ghost}' "
                               "subscription='subscribed'/></subscriptions>", OWNER))
        await self.ok(self.subscribe(self.bob, "haunted"))
        await self.ok(self.publish(self.alice, "haunted", "<item id='g1'><a xmlns='u'/></item>"))
        await self.told(self.bob, "haunted", "g1")
        await self.refuses(ghost)
        stage.say(f"{ghost}: {self.refusing()[ghost]}")
        await self.ok(self.publish(self.alice, "haunted", "<item id='g2'><a xmlns='u'/></item>"))
        await self.told(self.bob, "haunted", "g2")
        listed = await self.ok(self.get(self.alice, "<subscriptions node='haunted'/>", OWNER))
        self.assertEqual({s.get("jid"): s.get("subscription") for s in listed.iter(f"{{{OWNER}}}subscription")},
                         {ghost: "subscribed", self.bob.bare: "subscribed"})
        # Somebody makes the account after all, and shows it.
        self.stage.server.register("ghost", "pw")
        client = await Client(self.stage.server, "ghost").login()
        await client.iq("get", BUS, "<ping xmlns='urn:xmpp:ping'/>")
        await self.refuses()
        await self.ok(self.publish(self.alice, "haunted", "<item id='g3'><a xmlns='u'/></item>"))
        await self.told(client, "haunted", "g3")
        await client.logout()


if __name__ == "__main__":
    stage.run(SubscriptionsTest)
