# SPDX-License-Identifier: Apache-2.0
"""Who may: approvals, affiliations, the subscriptions of others, and what depends on presence.

    pubsub_people_test.py XYLEMD prosody|ejabberd
"""
import pathlib
import sys
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import pubsub, stage  # noqa: E402
from tests.xmpp.client import Client, condition  # noqa: E402
from tests.xmpp.pubsub import BUS, DATA, EVENT, ITEMS, NS, OWNER, fields, form  # noqa: E402


class PeopleTest(pubsub.Case):
    # --- 4. Approvals -------------------------------------------------------------------

    async def test_401_authorize(self):
        await self.ok(self.create(self.alice, "ask", access_model="authorize", notify_sub="1"))
        await self.ok(self.publish(self.alice, "ask", "<item id='a1'><a xmlns='u'/></item>"))
        await self.refused(self.items(self.bob, "ask"), "auth/not-authorized/not-subscribed")
        pending = self.subscription(await self.ok(self.subscribe(self.bob, "ask")))
        self.assertEqual(pending.get("subscription"), "pending")
        await self.refused(self.subscribe(self.bob, "ask"), "auth/not-authorized/pending-subscription")
        await self.refused(self.items(self.bob, "ask"), "auth/not-authorized/not-subscribed")
        question = await self.alice.message(lambda m: m.find(f"{{{DATA}}}x") is not None)
        asked = fields(question)
        self.assertEqual((asked["FORM_TYPE"], asked["node"], asked["subscriber_jid"], asked["subid"], asked["allow"]),
                         (NS + "#subscribe_authorization", "ask", self.bob.bare, pending.get("subid"), "false"))

        def reply(client, allow, number="1"):
            answer = form("subscribe_authorization", node="ask", subscriber_jid=self.bob.bare,
                          subid=pending.get("subid"), allow=allow)
            client.send(f"<message to='{BUS}' id='r{number}-{client.bare}'>{answer}</message>")
        reply(self.bob, "true")  # nobody approves of oneself
        self.assertEqual(condition(await self.bob.message(lambda m: m.get("id") == f"r1-{self.bob.bare}")), "auth/forbidden")
        reply(self.alice, "true")
        event = await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}subscription")
        self.assertEqual(event.find(f"{{{EVENT}}}event")[0].get("subscription"), "subscribed")
        await self.told(self.bob, "ask", "a1")
        self.assertEqual(await self.ids(self.bob, "ask"), ["a1"])
        event = await self.event(self.alice, lambda e: e[0].tag == f"{{{EVENT}}}subscription")
        self.assertEqual(event.find(f"{{{EVENT}}}event")[0].get("jid"), self.bob.bare)

    async def test_402_denied(self):
        await self.ok(self.create(self.alice, "deny", access_model="authorize"))
        await self.ok(self.subscribe(self.bob, "deny"))
        asked = fields(await self.alice.message(lambda m: m.find(f"{{{DATA}}}x") is not None))
        self.alice.send(f"<message to='{BUS}' id='d1'>" + form(
            "subscribe_authorization", node="deny", subscriber_jid=self.bob.bare, subid=asked["subid"], allow="0") + "</message>")
        event = await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}subscription")
        self.assertEqual(event.find(f"{{{EVENT}}}event")[0].get("subscription"), "none")
        await self.refused(self.unsubscribe(self.bob, "deny"), "cancel/unexpected-request/not-subscribed")

    async def test_403_a_member_needs_no_approval(self):
        await self.ok(self.create(self.alice, "member", access_model="authorize"))
        self.assertEqual(self.subscription(await self.ok(self.subscribe(self.bob, "member"))).get("subscription"), "pending")
        await self.ok(self.affiliate(self.alice, "member", (self.bob.bare, "member"), (self.carol.bare, "member")))
        await self.event(self.bob, lambda e: e[0].get("subscription") == "subscribed")
        self.assertEqual(self.subscription(await self.ok(self.subscribe(self.carol, "member"))).get("subscription"), "subscribed")

    async def test_404_get_pending(self):
        commands = "http://jabber.org/protocol/commands"
        command = f"<command xmlns='{commands}' node='{NS}#get-pending' action='execute'"
        await self.refused(self.dave.iq("set", BUS, command + "/>"), "auth/forbidden")
        await self.ok(self.create(self.alice, "pend", access_model="authorize"))
        await self.ok(self.subscribe(self.bob, "pend"))
        await self.alice.message(lambda m: m.find(f"{{{DATA}}}x") is not None)
        listed = await self.ok(self.alice.iq("get", BUS, f"<query xmlns='{ITEMS}' node='{commands}'/>"))
        self.assertIn(NS + "#get-pending", [i.get("node") for i in listed.iter(f"{{{ITEMS}}}item")])
        answer = await self.ok(self.alice.iq("set", BUS, command + "/>"))
        self.assertEqual(answer[0].get("status"), "executing")
        self.assertIn("pend", [v.text for v in answer.iter(f"{{{DATA}}}value")])
        again = form("subscribe_authorization", node="pend")
        answer = await self.ok(self.alice.iq("set", BUS, f"{command} sessionid='{answer[0].get('sessionid')}'>{again}</command>"))
        self.assertEqual(answer[0].get("status"), "completed")
        asked = fields(await self.alice.message(lambda m: m.find(f"{{{DATA}}}x") is not None))
        self.assertEqual((asked["node"], asked["subscriber_jid"]), ("pend", self.bob.bare))
        no_node = f"<x xmlns='{DATA}' type='submit'/>"
        await self.refused(self.alice.iq("set", BUS, f"{command} sessionid='x'>{no_node}</command>"),
                           "modify/bad-request/nodeid-required")
        # An owner of whom nobody asks anything gets no form that cannot be filled in.
        await self.ok(self.create(self.alice, "quiet"))
        await self.ok(self.affiliate(self.alice, "quiet", (self.dave.bare, "owner")))
        answer = await self.ok(self.dave.iq("set", BUS, command + "/>"))
        self.assertEqual((answer[0].get("status"), [e.tag for e in answer[0]]), ("completed", [f"{{{commands}}}note"]))
        no_such = form("subscribe_authorization", node="no-such")
        await self.refused(self.alice.iq("set", BUS, f"{command} sessionid='x'>{no_such}</command>"), "cancel/item-not-found")

    # --- 5. Affiliations, subscriptions of others -----------------------------------------

    async def test_501_affiliations(self):
        await self.ok(self.create(self.alice, "aff"))
        await self.ok(self.affiliate(self.alice, "aff", (self.bob.bare, "member"), (self.carol.bare, "publish-only"),
                                     (self.dave.bare, "publisher")))
        listed = await self.ok(self.get(self.alice, "<affiliations node='aff'/>", OWNER))
        self.assertEqual({(a.get("jid"), a.get("affiliation")) for a in listed.iter(f"{{{OWNER}}}affiliation")},
                         {(self.alice.bare, "owner"), (self.bob.bare, "member"), (self.carol.bare, "publish-only"),
                          (self.dave.bare, "publisher")})
        own = await self.ok(self.get(self.bob, "<affiliations/>"))
        self.assertIn(("aff", "member"), {(a.get("node"), a.get("affiliation")) for a in own.iter(f"{{{NS}}}affiliation")})
        item = "<item id='x'><a xmlns='u'/></item>"
        await self.refused(self.publish(self.bob, "aff", item), "auth/forbidden")
        await self.ok(self.publish(self.carol, "aff", item))
        await self.ok(self.publish(self.dave, "aff", item))
        await self.refused(self.subscribe(self.carol, "aff"), "auth/forbidden")
        await self.refused(self.items(self.carol, "aff"), "auth/forbidden")
        await self.ok(self.subscribe(self.bob, "aff"))
        await self.ok(self.affiliate(self.alice, "aff", (self.bob.bare, "outcast")))
        await self.event(self.bob, lambda e: e[0].get("subscription") == "none")
        await self.refused(self.items(self.bob, "aff"), "auth/forbidden")
        await self.ok(self.affiliate(self.alice, "aff", (self.bob.bare, "none")))
        listed = await self.ok(self.get(self.alice, "<affiliations node='aff'/>", OWNER))
        self.assertNotIn(self.bob.bare, {a.get("jid") for a in listed.iter(f"{{{OWNER}}}affiliation")})

    async def test_502_partly_bad_affiliations(self):
        await self.ok(self.create(self.alice, "part"))
        answer = await self.refused(
            self.affiliate(self.alice, "part", (self.alice.bare, "none"), (self.bob.bare, "member"), (self.carol.bare, "king")),
            "modify/not-acceptable")
        self.assertEqual({(a.get("jid"), a.get("affiliation")) for a in answer.iter(f"{{{OWNER}}}affiliation")},
                         {(self.alice.bare, "owner"), (self.carol.bare, "none")})
        listed = await self.ok(self.get(self.alice, "<affiliations node='part'/>", OWNER))
        self.assertEqual({(a.get("jid"), a.get("affiliation")) for a in listed.iter(f"{{{OWNER}}}affiliation")},
                         {(self.alice.bare, "owner"), (self.bob.bare, "member")})
        # Two owners, both of whom go in one request: one stays.
        await self.ok(self.affiliate(self.alice, "part", (self.bob.bare, "owner")))
        await self.refused(self.affiliate(self.alice, "part", (self.alice.bare, "none"), (self.bob.bare, "none")),
                           "modify/not-acceptable")
        listed = await self.ok(self.get(self.root, "<affiliations node='part'/>", OWNER))
        self.assertEqual([a.get("affiliation") for a in listed.iter(f"{{{OWNER}}}affiliation")], ["owner"])

    async def test_503_manage_subscriptions(self):
        await self.ok(self.create(self.alice, "manage"))

        def decide(*pairs):
            rows = "".join(f"<subscription jid='{jid}' subscription='{word}'/>" for jid, word in pairs)
            return self.set(self.alice, f"<subscriptions node='manage'>{rows}</subscriptions>", OWNER)
        await self.ok(decide((self.bob.bare, "subscribed"), (self.carol.bare, "subscribed")))
        await self.event(self.bob, lambda e: e[0].get("subscription") == "subscribed")
        listed = await self.ok(self.get(self.alice, "<subscriptions node='manage'/>", OWNER))
        self.assertEqual({(s.get("jid"), s.get("subscription")) for s in listed.iter(f"{{{OWNER}}}subscription")},
                         {(self.bob.bare, "subscribed"), (self.carol.bare, "subscribed")})
        answer = await self.refused(decide((self.bob.bare, "none"), (self.dave.bare, "none"), (self.carol.bare, "perhaps")),
                                    "modify/not-acceptable")
        self.assertEqual({(s.get("jid"), s.get("subscription")) for s in answer.iter(f"{{{OWNER}}}subscription")},
                         {(self.dave.bare, "none"), (self.carol.bare, "subscribed")})
        await self.event(self.bob, lambda e: e[0].get("subscription") == "none")
        # As Smack writes it: in the namespace of a subscriber's own.
        await self.ok(self.set(self.alice, f"<subscriptions node='manage'><subscription xmlns='{NS}' jid='{self.carol.bare}' "
                                           "node='manage' subscription='none'/></subscriptions>", OWNER))
        listed = await self.ok(self.get(self.alice, "<subscriptions node='manage'/>", OWNER))
        self.assertEqual(list(listed.iter(f"{{{OWNER}}}subscription")), [])
        # Nothing that could be done is not done in silence.
        for nothing in ("subscriptions", "affiliations"):
            await self.refused(self.set(self.alice, f"<{nothing} node='manage'><what xmlns='u'/></{nothing}>", OWNER),
                               "modify/bad-request")
            await self.ok(self.set(self.alice, f"<{nothing} node='manage'/>", OWNER))  # which is nothing to do

    async def test_504_publish_models(self):
        item = "<item><a xmlns='u'/></item>"
        await self.ok(self.create(self.alice, "models", access_model="open"))
        await self.refused(self.publish(self.bob, "models", item), "auth/forbidden")
        await self.ok(self.configure(self.alice, "models", publish_model="subscribers"))
        await self.refused(self.publish(self.bob, "models", item), "auth/forbidden")
        await self.ok(self.subscribe(self.bob, "models"))
        await self.ok(self.publish(self.bob, "models", item))
        await self.ok(self.configure(self.alice, "models", publish_model="open"))
        await self.ok(self.publish(self.dave, "models", item))
        await self.refused(self.publish(self.mallory, "models", item), "auth/forbidden")

    async def test_505_whom_a_change_of_access_shuts_out(self):
        """Who may not read is not told either, whatever was allowed when they subscribed (XEP-0060, 13.3)."""
        item = "<item id='{}'><a xmlns='u'/></item>"
        await self.ok(self.create(self.alice, "doors", access_model="authorize", send_last_published_item="never"))
        await self.ok(self.affiliate(self.alice, "doors", (self.carol.bare, "member")))
        for who in (self.bob, self.carol, self.dave):
            await self.ok(self.subscribe(who, "doors"))
        for who in (self.bob, self.dave):  # those who wait may come in at an open door
            await self.refused(self.subscribe(who, "doors"), "auth/not-authorized/pending-subscription")
        await self.ok(self.configure(self.alice, "doors", access_model="open"))
        for who in (self.bob, self.dave):
            await self.event(who, lambda e: e[0].get("subscription") == "subscribed")
        await self.ok(self.publish(self.alice, "doors", item.format("open")))
        for who in (self.bob, self.carol, self.dave):
            await self.told(who, "doors", "open")
        await self.ok(self.configure(self.alice, "doors", access_model="whitelist"))
        await self.ok(self.publish(self.alice, "doors", item.format("closed")))
        for who in (self.bob, self.dave):
            await self.event(who, lambda e: e[0].get("subscription") == "none")
        await self.told(self.carol, "doors", "closed")
        await self.ok(self.configure(self.alice, "doors", access_model="open"))
        await self.ok(self.subscribe(self.bob, "doors"))
        await self.ok(self.publish(self.alice, "doors", item.format("last")))
        await self.told(self.bob, "doors", "last")
        found = [i.get("id") for m in self.bob.received + self.dave.received for i in m.iter(f"{{{EVENT}}}item")]
        self.assertNotIn("closed", found)
        # Whom an owner subscribes to a closed topic is on its list, and is told.
        await self.ok(self.configure(self.alice, "doors", access_model="whitelist"))
        await self.ok(self.set(self.alice, f"<subscriptions node='doors'><subscription jid='{self.dave.bare}' "
                                           "subscription='subscribed'/></subscriptions>", OWNER))
        await self.ok(self.publish(self.alice, "doors", item.format("chosen")))
        await self.told(self.dave, "doors", "chosen")
        await self.ok(self.items(self.dave, "doors"))

    async def test_506_whom_the_configuration_shuts_out(self):
        """Who is taken off the list of a declared topic hears nothing, and is subscribed when he is on it again."""
        def reload(listed):
            self.stage.write(config.replace("subscribe: [bob@example.com]", f"subscribe: [{listed}@example.com]"))
            self.api("config/reload", {})
        config, item = self.stage.config, "<item id='{}'><a xmlns='u'/></item>"
        await self.ok(self.subscribe(self.bob, "declared"))
        await self.ok(self.publish(self.carol, "declared", item.format("d1")))
        await self.told(self.bob, "declared", "d1")
        reload("dave")
        await self.ok(self.subscribe(self.dave, "declared"))
        await self.ok(self.publish(self.carol, "declared", item.format("d2")))
        await self.told(self.dave, "declared", "d2")  # whose turn is behind that of bob
        await self.refused(self.items(self.bob, "declared"), "cancel/not-allowed/closed-node")
        reload("bob")
        await self.ok(self.publish(self.carol, "declared", item.format("d3")))
        await self.told(self.bob, "declared", "d3")
        self.assertNotIn("d2", [i.get("id") for m in self.bob.received for i in m.iter(f"{{{EVENT}}}item")])

    # --- 9a. Presence ----------------------------------------------------------------------------------

    async def resource(self, user, show=None):
        """One more resource of a user, which shows its presence to the bus."""
        client = await Client(self.stage.server, user).login()
        self.presence(client, show)
        # What is answered after it was seen: the same stream, in order.
        await client.iq("get", BUS, "<ping xmlns='urn:xmpp:ping'/>")
        return client

    @staticmethod
    def presence(client, show=None):
        client.send(f"<presence to='{BUS}'>" + (f"<show>{show}</show>" if show else "") + "</presence>")

    async def test_850_only_to_those_who_are_online(self):
        await self.ok(self.create(self.alice, "live", access_model="open", presence_based_delivery="1",
                                  send_last_published_item="on_sub_and_presence"))
        await self.ok(self.subscribe(self.dave, "live"))
        await self.ok(self.publish(self.alice, "live", "<item id='unseen'><a xmlns='u'/></item>"))
        online = await self.resource("dave")
        last = await online.message(lambda m: m.find("{urn:xmpp:delay}delay") is not None)
        self.assertIn("unseen", ET.tostring(last, "unicode"))
        await self.ok(self.publish(self.alice, "live", "<item id='seen'><a xmlns='u'/></item>"))
        await self.told(online, "live", "seen")
        told = [i.get("id") for m in self.dave.received + online.received if m.find("{urn:xmpp:delay}delay") is None
                for i in m.iter(f"{{{EVENT}}}item")]
        self.assertNotIn("unseen", told)
        await online.logout()

    async def test_851_by_what_they_show(self):
        await self.ok(self.create(self.alice, "show", access_model="open"))
        client = await self.resource("dave", "dnd")
        full = f"dave@example.com/{client.xmpp.boundjid.resource}"
        await self.ok(self.subscribe(client, "show", full, show_values=["online", "chat"]))
        await self.ok(self.publish(self.alice, "show", "<item id='busy'><a xmlns='u'/></item>"))
        await self.ok(self.subscribe(self.bob, "show"))
        await self.told(self.bob, "show", "busy")  # the last item, so that the fan-out is through with it
        self.presence(client, "chat")
        await client.iq("get", BUS, "<ping xmlns='urn:xmpp:ping'/>")
        await self.ok(self.publish(self.alice, "show", "<item id='free'><a xmlns='u'/></item>"))
        await self.told(client, "show", "free")
        await client.logout()

    async def test_852_temporary_subscriptions(self):
        await self.ok(self.create(self.alice, "temp", access_model="open", notify_sub="1"))
        client = await self.resource("dave")
        full = f"dave@example.com/{client.xmpp.boundjid.resource}"
        await self.ok(self.subscribe(client, "temp", full, expire="presence"))
        found = fields(await self.ok(self.get(client, f"<options node='temp' jid='{full}'/>")))
        self.assertEqual(found["expire"], "presence")
        await client.logout()
        await self.event(self.alice, lambda e: e[0].get("subscription") == "none" and e[0].get("jid") == full)
        await self.refused(self.unsubscribe(self.dave, "temp", full), "cancel/unexpected-request/not-subscribed")

    async def test_853_purged_when_the_publisher_goes(self):
        await self.ok(self.create(self.alice, "shop", access_model="open", purge_offline="1"))
        await self.ok(self.affiliate(self.alice, "shop", ("mallory@example.com", "publisher")))
        await self.ok(self.subscribe(self.bob, "shop"))
        client = await self.resource("mallory")
        await self.ok(self.publish(client, "shop", "<item id='s1'><a xmlns='u'/></item>"))
        self.assertEqual(await self.ids(self.bob, "shop"), ["s1"])
        await client.logout()
        await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}purge")
        self.assertEqual(await self.ids(self.bob, "shop"), [])
        await self.ok(self.affiliate(self.alice, "shop", ("mallory@example.com", "none")))


if __name__ == "__main__":
    stage.run(PeopleTest)
