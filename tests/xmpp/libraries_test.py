# SPDX-License-Identifier: Apache-2.0
"""Topics as the PubSub modules of two XMPP libraries see them: libraries_test.py XYLEMD prosody|ejabberd

slixmpp and aioxmpp parse and check what a server sends by their own reading of
the XEPs: what they accept, other programs on them do.
"""
import asyncio
import pathlib
import sys
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import aioxmpp  # noqa: E402
import aioxmpp.connector  # noqa: E402
import aioxmpp.pubsub  # noqa: E402
import aioxmpp.pubsub.xso as pubsub_xso  # noqa: E402
import aioxmpp.xso as xso  # noqa: E402
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import Client  # noqa: E402

BUS = stage.BUS


@pubsub_xso.as_payload_class
class Order(xso.XSO):
    """A payload as a program of its own would define it."""
    TAG = ("urn:test:order", "order")
    number = xso.Attr("number")


async def aioxmpp_client(server, user):
    layer = aioxmpp.make_security_layer("pw", no_verify=True)._replace(tls_required=False)
    peer = [("127.0.0.1", server.client_port, aioxmpp.connector.STARTTLSConnector())]
    client = aioxmpp.PresenceManagedClient(aioxmpp.JID.fromstr(f"{user}@example.com"), layer, override_peer=peer)
    client.summon(aioxmpp.PubSubClient)
    client.summon(aioxmpp.DiscoClient)
    return client


class LibrariesTest(stage.Case):
    accounts = ("alice", "bob", "amy")
    xmpp = 'allow: ["@example.com"], create: [alice@example.com, amy@example.com]'

    async def test_01_slixmpp(self):
        alice, bob = [await Client(self.stage.server, user).login() for user in ("alice", "bob")]
        for client in (alice, bob):
            client.xmpp.register_plugin("xep_0060")
        owner, reader = alice.xmpp["xep_0060"], bob.xmpp["xep_0060"]
        await owner.create_node(BUS, "slix")
        form = (await owner.get_node_config(BUS, "slix"))["pubsub_owner"]["configure"]["form"]
        self.assertEqual(form.get_values()["pubsub#access_model"], "whitelist")
        form.reply()
        form["type"] = "submit"
        form.set_values({"pubsub#access_model": "open", "pubsub#title": "By slixmpp"})
        await owner.set_node_config(BUS, "slix", form)
        heard = asyncio.get_running_loop().create_future()
        bob.xmpp.add_event_handler("pubsub_publish", lambda m: heard.done() or heard.set_result(m))
        retracted = asyncio.get_running_loop().create_future()
        bob.xmpp.add_event_handler("pubsub_retract", lambda m: retracted.done() or retracted.set_result(m))
        deleted = asyncio.get_running_loop().create_future()
        bob.xmpp.add_event_handler("pubsub_delete", lambda m: deleted.done() or deleted.set_result(m))
        subscription = (await reader.subscribe(BUS, "slix"))["pubsub"]["subscription"]
        self.assertEqual((subscription["subscription"], subscription["node"]), ("subscribed", "slix"))
        await owner.publish(BUS, "slix", id="one", payload=ET.fromstring("<order xmlns='urn:test:order' number='7'/>"))
        message = await asyncio.wait_for(heard, 20)
        self.assertEqual(message["pubsub_event"]["items"]["item"]["id"], "one")
        items = (await reader.get_items(BUS, "slix"))["pubsub"]["items"]
        self.assertEqual([(i["id"], i["payload"].get("number")) for i in items], [("one", "7")])
        own = (await reader.get_subscriptions(BUS))["pubsub"]["subscriptions"]
        self.assertEqual([s["node"] for s in own], ["slix"])
        await owner.modify_affiliations(BUS, "slix", [("bob@example.com", "publisher")])
        await reader.publish(BUS, "slix", id="two", payload=ET.fromstring("<order xmlns='urn:test:order' number='8'/>"))
        await owner.retract(BUS, "slix", "one", notify=True)
        self.assertEqual((await asyncio.wait_for(retracted, 20))["pubsub_event"]["items"]["retract"]["id"], "one")
        await owner.purge(BUS, "slix")
        await owner.delete_node(BUS, "slix")
        self.assertEqual((await asyncio.wait_for(deleted, 20))["pubsub_event"]["delete"]["node"], "slix")
        for client in (alice, bob):
            await client.logout()

    async def test_02_aioxmpp(self):
        client = await aioxmpp_client(self.stage.server, "amy")
        bus = aioxmpp.JID.fromstr(BUS)
        async with client.connected():
            pubsub, disco = client.summon(aioxmpp.PubSubClient), client.summon(aioxmpp.DiscoClient)
            features = await pubsub.get_features(bus)
            for feature in ("PUBLISH", "SUBSCRIBE", "CREATE_NODES", "RETRIEVE_ITEMS", "LAST_PUBLISHED", "GET_PENDING"):
                self.assertIn(getattr(aioxmpp.pubsub.xso.Feature, feature), features)
            self.assertTrue((await pubsub.create(bus)))  # an instant node
            await pubsub.create(bus, "aio")
            form = await pubsub.get_default_config(bus)  # of a subscription
            self.assertEqual(form.get_form_type(), "http://jabber.org/protocol/pubsub#subscribe_options")
            form = await pubsub.get_node_config(bus, "aio")
            self.assertEqual(form.get_form_type(), "http://jabber.org/protocol/pubsub#node_config")
            published = asyncio.get_running_loop().create_future()
            pubsub.on_item_published.connect(
                lambda jid, node, item, message=None, **_: None if published.done() else published.set_result((node, item)))
            gone = asyncio.get_running_loop().create_future()
            pubsub.on_item_retracted.connect(
                lambda jid, node, name, message=None, **_: None if gone.done() else gone.set_result((node, name)))
            result = await pubsub.subscribe(bus, "aio")
            self.assertEqual(result.payload.subscription, "subscribed")
            self.assertTrue(result.payload.subid)
            order = Order()
            order.number = "12"
            self.assertEqual(await pubsub.publish(bus, "aio", order, id_="first"), "first")
            node, item = await asyncio.wait_for(published, 20)
            self.assertEqual((node, item.id_, item.registered_payload.number), ("aio", "first", "12"))
            items = (await pubsub.get_items(bus, "aio")).payload.items
            self.assertEqual([(i.id_, i.registered_payload.number) for i in items], [("first", "12")])
            items = (await pubsub.get_items_by_id(bus, "aio", ["first"])).payload.items
            self.assertEqual(len(items), 1)
            nodes = await pubsub.get_nodes(bus)
            self.assertIn("aio", [name for name, _ in nodes])
            info = await disco.query_info(bus, node="aio")
            self.assertEqual([(i.category, i.type_) for i in info.identities], [("pubsub", "leaf")])
            await pubsub.change_node_affiliations(bus, "aio", [(aioxmpp.JID.fromstr("bob@example.com"), "member")])
            affiliations = (await pubsub.get_node_affiliations(bus, "aio")).payload.affiliations
            self.assertEqual({(str(a.jid), a.affiliation) for a in affiliations},
                             {("amy@example.com", "owner"), ("bob@example.com", "member")})
            self.assertEqual(len((await pubsub.get_node_subscriptions(bus, "aio")).payload.subscriptions), 1)
            with self.assertRaises(aioxmpp.errors.XMPPError) as raised:
                await pubsub.create(bus, "aio")
            self.assertEqual(raised.exception.condition, aioxmpp.ErrorCondition.CONFLICT)
            await pubsub.retract(bus, "aio", "first", notify=True)
            self.assertEqual(await asyncio.wait_for(gone, 20), ("aio", "first"))
            # What clients made is in the list that operators see.
            topics = await asyncio.get_running_loop().run_in_executor(None, self.api, "topics")
            mine = [t for t in topics["topics"] if t["name"] == "aio"][0]
            self.assertEqual((mine["declared"], mine["creator"], mine["subscriptions"]), (False, "amy@example.com", 1))
            await pubsub.unsubscribe(bus, "aio")
            await pubsub.delete(bus, "aio")


if __name__ == "__main__":
    stage.run(LibrariesTest)
