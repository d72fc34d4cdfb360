# SPDX-License-Identifier: Apache-2.0
"""Nodes: what discovery says of them, creating, configuring and deleting them.

    pubsub_nodes_test.py XYLEMD prosody|ejabberd
"""
import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import pubsub, stage  # noqa: E402
from tests.xmpp.client import condition  # noqa: E402
from tests.xmpp.pubsub import BUS, DATA, EVENT, INFO, ITEMS, MAM, NS, OWNER, RSM, fields, form  # noqa: E402


class NodesTest(pubsub.Case):
    # --- 1. Discovery ------------------------------------------------------------

    async def test_101_announced_is_what_works(self):
        info = await self.ok(self.alice.iq("get", BUS, f"<query xmlns='{INFO}'/>"))
        features = {f.get("var") for f in info.iter(f"{{{INFO}}}feature")}
        short = {f.split("#")[1] for f in features if f.startswith(NS + "#")}
        self.assertLessEqual({
            "publish", "subscribe", "create-nodes", "create-and-configure", "instant-nodes", "config-node",
            "config-node-max", "delete-nodes", "delete-items", "retract-items", "purge-nodes", "item-ids", "multi-items",
            "persistent-items", "retrieve-items", "retrieve-default", "retrieve-default-sub", "subscription-options",
            "subscription-notifications", "retrieve-subscriptions", "retrieve-affiliations", "manage-subscriptions",
            "modify-affiliations", "member-affiliation", "publisher-affiliation", "publish-only-affiliation",
            "outcast-affiliation", "access-open", "access-authorize", "access-whitelist", "publish-options",
            "auto-create",
            "meta-data", "last-published", "rsm", "get-pending",
            "presence-notifications", "publish-node-full", "leased-subscription"}, short)
        # Who reads multi-subscribe takes each `subscribe` for another subscription; here a repeat is the same one (0073).
        for never in ("multi-subscribe", "collections", "access-presence", "access-roster", "auto-subscribe", "filtered-notifications"):
            self.assertNotIn(never, short)
        self.assertLessEqual({NS, RSM, MAM, MAM + "#extended"}, features)

    async def test_102_meta_data_of_a_node(self):
        meta = await self.ok(self.bob.iq("get", BUS, f"<query xmlns='{INFO}' node='declared'/>"))
        found = fields(meta)
        self.assertEqual(found["FORM_TYPE"], NS + "#meta-data")
        self.assertEqual((found["title"], found["description"], found["access_model"], found["publish_model"],
                          found["max_items"], found["publisher"]),
                         ("Declared", "Of the file", "whitelist", "publishers", "max", "carol@example.com"))
        await self.ok(self.create(self.alice, "meta", title="Mine", type="u:t", language="en", max_items="7"))
        found = fields(await self.ok(self.alice.iq("get", BUS, f"<query xmlns='{INFO}' node='meta'/>")))
        self.assertEqual((found["title"], found["type"], found["language"], found["max_items"], found["creator"],
                          found["owner"]), ("Mine", "u:t", "en", "7", self.alice.bare, self.alice.bare))
        self.assertRegex(found["creation_date"], r"^20\d\d-\d\d-\d\dT")
        # Whoever is not on the list is told what kind of thing it is, as the answer to subscribing tells, and no more.
        for client in (self.dave, self.bob):
            info = await self.ok(client.iq("get", BUS, f"<query xmlns='{INFO}' node='meta'/>"))
            self.assertEqual([dict(i.attrib) for i in info.iter(f"{{{INFO}}}identity")],
                             [{"category": "pubsub", "type": "leaf", "name": "meta"}])
            self.assertIn(NS, [f.get("var") for f in info.iter(f"{{{INFO}}}feature")])
            self.assertIsNone(info.find(f".//{{{DATA}}}x"))
            await self.refused(client.iq("get", BUS, f"<query xmlns='{ITEMS}' node='meta'/>"), "cancel/item-not-found")
            nodes = await self.ok(client.iq("get", BUS, f"<query xmlns='{ITEMS}'/>"))
            self.assertNotIn("meta", [i.get("node") for i in nodes.iter(f"{{{ITEMS}}}item")])
        # An outcast is told nothing.
        await self.ok(self.affiliate(self.alice, "meta", (self.bob.bare, "outcast")))
        for ns in (INFO, ITEMS):
            await self.refused(self.bob.iq("get", BUS, f"<query xmlns='{ns}' node='meta'/>"), "cancel/item-not-found")
        await self.refused(self.bob.iq("get", BUS, f"<query xmlns='{INFO}' node='no-such'/>"), "cancel/item-not-found")

    async def test_103_items_of_a_node(self):
        await self.ok(self.create(self.alice, "listed", access_model="open"))
        await self.ok(self.publish(self.alice, "listed", "<item id='one'><a xmlns='u'/></item>",
                                   "<item id='two'><a xmlns='u'/></item>"))
        answer = await self.ok(self.bob.iq("get", BUS, f"<query xmlns='{ITEMS}' node='listed'/>"))
        found = [(i.get("jid"), i.get("node"), i.get("name")) for i in answer.iter(f"{{{ITEMS}}}item")]
        self.assertEqual(found, [(BUS, None, "one"), (BUS, None, "two")])
        # By pages (XEP-0059).
        for inner, names, index in (("<max>1</max>", ["one"], "0"), ("<max>1</max><after>one</after>", ["two"], "1"),
                                    ("<max>1</max><before/>", ["two"], "1"), ("<max>0</max>", [], None)):
            answer = await self.ok(self.bob.iq("get", BUS, f"<query xmlns='{ITEMS}' node='listed'><set xmlns='{RSM}'>"
                                                           f"{inner}</set></query>"))
            self.assertEqual([i.get("name") for i in answer.iter(f"{{{ITEMS}}}item")], names)
            self.assertEqual(answer.findtext(f".//{{{RSM}}}count"), "2")
            first = answer.find(f".//{{{RSM}}}first")
            self.assertEqual(None if first is None else first.get("index"), index)
        await self.refused(self.bob.iq("get", BUS, f"<query xmlns='{ITEMS}' node='listed'><set xmlns='{RSM}'>"
                                                   "<after>none</after></set></query>"), "cancel/item-not-found")

    # --- 2. Creating, configuring, deleting ----------------------------------------

    async def test_201_who_may_create(self):
        for client in (self.bob, self.dave):
            await self.refused(self.create(client, "theirs"), "auth/forbidden")
            await self.refused(self.set(client, "<create/>"), "auth/forbidden")
        await self.refused(self.create(self.mallory, "theirs"), "auth/forbidden")
        await self.ok(self.create(self.root, "of-root"))
        await self.ok(self.delete(self.root, "of-root"))

    async def test_202_create_and_configure(self):
        answer = await self.ok(self.create(self.alice, "made", access_model="open", max_items="5", title="Ä <&>"))
        self.assertEqual(next(answer.iter(f"{{{NS}}}create")).get("node"), "made")
        found = fields(await self.ok(self.get(self.alice, "<configure node='made'/>", OWNER)))
        self.assertEqual((found["FORM_TYPE"], found["access_model"], found["max_items"], found["title"],
                          found["notification_type"]), (NS + "#node_config", "open", "5", "Ä <&>", "normal"))
        await self.refused(self.create(self.alice, "made"), "cancel/conflict")
        await self.refused(self.create(self.alice, "declared"), "cancel/conflict")
        for model in ("presence", "roster"):
            await self.refused(self.create(self.alice, "never", access_model=model),
                               "modify/not-acceptable/unsupported-access-model")
        await self.refused(self.create(self.alice, "never", max_items="many"), "modify/not-acceptable")
        await self.refused(self.create(self.alice, "x" * 120), "modify/not-acceptable")
        # The node is that of <create/>; and no collections (XEP-0248), by attribute or by form.
        await self.refused(self.set(self.alice, "<create node='never'/><configure node='never'/>"), "modify/bad-request")
        collections = "cancel/feature-not-implemented/unsupported"
        answer = await self.refused(self.set(self.alice, "<create node='never' type='collection'/>"), collections)
        self.assertEqual(next(answer.iter(f"{{{NS}#errors}}unsupported")).get("feature"), "collections")
        await self.refused(self.create(self.alice, "never", node_type="collection"), collections)
        await self.refused(self.get(self.alice, "<default type='collection'/>", OWNER), collections)
        await self.refused(self.alice.iq("get", BUS, f"<query xmlns='{INFO}' node='never'/>"), "cancel/item-not-found")

    async def test_210_two_make_it_at_once(self):
        """One does, and is its only owner; the other's settings and items are not in it."""
        for i in range(5):
            answers = await asyncio.gather(self.create(self.alice, f"race{i}", title="alice"),
                                           self.create(self.root, f"race{i}", title="root"))
            self.assertEqual(sorted(condition(a) for a in answers), ["cancel/conflict", "result"])
            winner = "alice" if answers[0].get("type") == "result" else "root"
            found = fields(await self.ok(self.get(self.root, f"<configure node='race{i}'/>", OWNER)))
            self.assertEqual(found["title"], winner)
            listed = await self.ok(self.get(self.root, f"<affiliations node='race{i}'/>", OWNER))
            self.assertEqual([a.get("jid") for a in listed.iter(f"{{{OWNER}}}affiliation")], [f"{winner}@example.com"])

    async def test_203_instant_node(self):
        names = [next((await self.ok(self.set(self.alice, "<create/>"))).iter(f"{{{NS}}}create")).get("node")
                 for _ in range(2)]
        self.assertNotEqual(*names)
        for name in names:
            await self.ok(self.delete(self.alice, name))

    async def test_204_every_field_of_the_form(self):
        found = fields(await self.ok(self.get(self.alice, "<default/>", OWNER)))
        self.assertLessEqual({
            "title", "description", "type", "node_type", "access_model", "publish_model", "deliver_notifications",
            "deliver_payloads", "persist_items", "max_items", "max_payload_size", "item_expire", "notify_config",
            "notify_delete", "notify_retract", "notify_sub", "send_last_published_item", "notification_type",
            "presence_based_delivery", "purge_offline", "publish_node_full", "itemreply", "subscribe", "tempsub",
            "language", "contact"}, set(found))
        self.assertEqual((found["node_type"], found["max_items"], found["item_expire"], found["notification_type"],
                          found["access_model"]), ("leaf", "max", "max", "normal", "whitelist"))
        self.assertEqual(found["max_payload_size"], str((256 - 8) << 10))  # a number: `max` is no word of this one
        await self.refused(self.get(self.bob, "<default/>", OWNER), "auth/forbidden")
        await self.ok(self.create(self.alice, "full"))
        changed = dict(title="t", description="d", type="u:t", node_type="leaf", access_model="authorize",
                       publish_model="open", deliver_notifications="0", deliver_payloads="0", persist_items="1",
                       max_items="max", max_payload_size="1000", item_expire="3600", notify_config="1",
                       notify_delete="0", notify_retract="0", notify_sub="1", send_last_published_item="never",
                       notification_type="headline", presence_based_delivery="1", purge_offline="1",
                       publish_node_full="reject", itemreply="publisher", subscribe="0", tempsub="1", language="de",
                       contact=["alice@example.com", "bob@example.com"])
        await self.ok(self.configure(self.alice, "full", **changed))
        found = fields(await self.ok(self.get(self.alice, "<configure node='full'/>", OWNER)))
        self.assertEqual({name: found[name] for name in changed}, changed)
        # As xmpp4r writes it: it is the wrapper that makes it an owner's request.
        await self.ok(self.set(self.alice, f"<configure xmlns='{NS}' node='full'>{form('node_config', title='t1')}</configure>", OWNER))
        found = fields(await self.ok(self.get(self.alice, "<configure node='full'/>", OWNER)))
        self.assertEqual((found["title"], found["description"]), ("t1", "d"))
        await self.refused(self.set(self.alice, "<configure xmlns='urn:other' node='full'/>", OWNER), "modify/bad-request")
        # What is not submitted stays; what is unknown is passed over.
        await self.ok(self.configure(self.alice, "full", title="t2", no_such="1"))
        found = fields(await self.ok(self.get(self.alice, "<configure node='full'/>", OWNER)))
        self.assertEqual((found["title"], found["description"]), ("t2", "d"))

    async def test_205_configure_errors(self):
        await self.ok(self.create(self.alice, "conf", access_model="open"))
        for ask in (self.get(self.bob, "<configure node='conf'/>", OWNER), self.configure(self.bob, "conf", title="x"),
                    self.delete(self.bob, "conf"), self.set(self.bob, "<purge node='conf'/>", OWNER),
                    self.get(self.bob, "<affiliations node='conf'/>", OWNER),
                    self.get(self.bob, "<subscriptions node='conf'/>", OWNER),
                    self.affiliate(self.bob, "conf", (self.bob.bare, "owner"))):
            await self.refused(ask, "auth/forbidden")
        for ask in (self.get(self.alice, "<configure node='no-such'/>", OWNER), self.delete(self.alice, "no-such"),
                    self.set(self.alice, "<purge node='no-such'/>", OWNER),
                    self.get(self.alice, "<affiliations node='no-such'/>", OWNER),
                    self.get(self.alice, "<subscriptions node='no-such'/>", OWNER)):
            await self.refused(ask, "cancel/item-not-found")
        await self.refused(self.configure(self.alice, "conf", access_model="roster"),
                           "modify/not-acceptable/unsupported-access-model")
        await self.refused(self.configure(self.alice, "conf", notify_sub="perhaps"), "modify/not-acceptable")
        await self.refused(self.configure(self.alice, "conf", node_type="collection"), "modify/not-acceptable")
        await self.refused(self.get(self.alice, "<configure/>", OWNER), "modify/bad-request/nodeid-required")
        await self.ok(self.set(self.alice, f"<configure node='conf'><x xmlns='{DATA}' type='cancel'/></configure>", OWNER))

    async def test_206_a_declared_topic_is_a_node_too(self):
        found = fields(await self.ok(self.get(self.root, "<configure node='declared'/>", OWNER)))
        self.assertEqual((found["title"], found["access_model"]), ("Declared", "whitelist"))
        await self.ok(self.configure(self.root, "declared", title="Declared", language="en"))
        await self.refused(self.configure(self.root, "declared", access_model="open"), "cancel/not-allowed")
        await self.refused(self.delete(self.root, "declared"), "cancel/not-allowed")
        await self.refused(self.delete(self.bob, "declared"), "auth/forbidden")

    async def test_207_changes_and_the_end_are_told(self):
        await self.ok(self.create(self.alice, "ending", access_model="open", notify_config="1"))
        await self.ok(self.subscribe(self.bob, "ending"))
        await self.ok(self.configure(self.alice, "ending", title="New"))
        event = await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}configuration")
        self.assertEqual(fields(event)["title"], "New")
        await self.ok(self.configure(self.alice, "ending", deliver_payloads="0"))
        event = await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}configuration")
        self.assertEqual((event.find(f"{{{EVENT}}}event")[0].get("node"), len(fields(event))), ("ending", 0))
        await self.ok(self.delete(self.alice, "ending"))
        event = await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}delete")
        self.assertEqual(event.find(f"{{{EVENT}}}event")[0].get("node"), "ending")
        await self.refused(self.items(self.bob, "ending"), "cancel/item-not-found")
        # Its name is free; nothing of it comes back.
        await self.ok(self.create(self.alice, "ending", access_model="open"))
        self.assertEqual(await self.ids(self.bob, "ending"), [])
        answer = await self.ok(self.get(self.bob, "<subscriptions node='ending'/>"))
        self.assertEqual(list(answer.iter(f"{{{NS}}}subscription")), [])

    async def test_212_nothing_is_left_of_what_is_deleted(self):
        """Not of those either who came while it went."""
        for i in range(5):
            await self.ok(self.create(self.alice, "brief", access_model="open"))
            answers = await asyncio.gather(
                self.delete(self.alice, "brief"), self.subscribe(self.bob, "brief"),
                self.affiliate(self.alice, "brief", (self.carol.bare, "owner")))
            self.assertEqual(answers[0].get("type"), "result")
            await self.ok(self.create(self.root, "brief", access_model="open"))
            listed = await self.ok(self.get(self.root, "<affiliations node='brief'/>", OWNER))
            self.assertEqual([a.get("jid") for a in listed.iter(f"{{{OWNER}}}affiliation")], [self.root.bare])
            listed = await self.ok(self.get(self.root, "<subscriptions node='brief'/>", OWNER))
            self.assertEqual(list(listed.iter(f"{{{OWNER}}}subscription")), [])
            await self.ok(self.delete(self.root, "brief"))

    async def test_211_who_waits_is_told_of_the_end(self):
        await self.ok(self.create(self.alice, "waiting", access_model="authorize"))
        await self.ok(self.subscribe(self.bob, "waiting"))
        await self.ok(self.delete(self.alice, "waiting"))
        await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}delete" and e[0].get("node") == "waiting")

    def restart(self, config):
        self.stage.stop_bus()
        self.stage.bus.mark()
        self.stage.start_bus(config)

    async def test_208_routes_name_a_topic_that_nobody_declares(self):
        """One that a client has made, and one that begins with the route; both are nodes with owners of their own."""
        await self.ok(self.create(self.alice, "adopted", access_model="open", title="Mine"))
        await self.ok(self.subscribe(self.bob, "adopted"))
        self.addCleanup(self.restart, self.config)
        self.restart(self.config.replace("to: [topic:declared, topic:feed]",
                                         "to: [topic:adopted, topic:begun]") +
                     "  on: {{ from: [topic:adopted, topic:begun], to: [topic:behind] }}\n")
        # The client's is as it was made, and its maker's.
        found = fields(await self.ok(self.get(self.alice, "<configure node='adopted'/>", OWNER)))
        self.assertEqual((found["title"], found["access_model"]), ("Mine", "open"))
        await self.ok(self.configure(self.alice, "adopted", title="Still mine", access_model="open"))
        await self.refused(self.delete(self.alice, "adopted"), "cancel/not-allowed")
        # The route's began with the defaults; its owners are those of every topic.
        await self.refused(self.create(self.alice, "begun"), "cancel/conflict")
        found = fields(await self.ok(self.get(self.root, "<configure node='begun'/>", OWNER)))
        self.assertEqual((found["title"], found["access_model"]), ("", "whitelist"))
        await self.refused(self.subscribe(self.bob, "begun"), "cancel/not-allowed/closed-node")
        for node in ("begun", "behind"):
            await self.ok(self.configure(self.root, node, access_model="open", title="By root"))
            await self.ok(self.subscribe(self.bob, node))
        self.alice.send(f"<message to='desk@{BUS}' type='chat' id='d1'><body>\"through\"</body></message>")
        for node in ("adopted", "begun"):
            await self.event(self.bob, lambda e, n=node: e[0].get("node") == n)
        for _ in range(2):  # of each of the two
            await self.event(self.bob, lambda e: e[0].get("node") == "behind")
        # What was set is there without the route, and after it; the client's can be deleted then.
        self.restart(self.config)
        await self.refused(self.items(self.bob, "begun"), "cancel/item-not-found")
        found = fields(await self.ok(self.get(self.alice, "<configure node='adopted'/>", OWNER)))
        self.assertEqual(found["title"], "Still mine")
        await self.ok(self.delete(self.alice, "adopted"))

    async def test_209_what_a_new_topic_begins_with(self):
        """`create_access`: for clients that make a node and say nothing of who may subscribe."""
        await self.ok(self.create(self.alice, "older"))
        xmpp = self.stage.xmpp

        def put_back():
            self.stage.xmpp = xmpp
            self.restart(self.config)
        self.addCleanup(put_back)
        self.stage.xmpp = xmpp + ", create_access: open"
        self.restart(self.config)
        found = fields(await self.ok(self.get(self.alice, "<default/>", OWNER)))
        self.assertEqual(found["access_model"], "open")
        await self.ok(self.create(self.alice, "newer"))
        await self.ok(self.create(self.alice, "newer/titled", title="T"))
        await self.ok(self.create(self.alice, "newer/listed", access_model="whitelist"))
        await self.ok(self.publish(self.alice, "newer/published", "<item id='a'><a xmlns='u'/></item>"))
        for node in ("newer", "newer/titled", "newer/published"):
            await self.ok(self.subscribe(self.bob, node))
        for node in ("older", "newer/listed"):
            await self.refused(self.subscribe(self.bob, node), "cancel/not-allowed/closed-node")
        # It is the topic's own from then on.
        self.stage.xmpp = xmpp
        self.restart(self.config)
        await self.ok(self.subscribe(self.carol, "newer"))
        await self.refused(self.subscribe(self.carol, "older"), "cancel/not-allowed/closed-node")


if __name__ == "__main__":
    stage.run(NodesTest)
