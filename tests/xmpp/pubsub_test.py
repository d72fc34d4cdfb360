# SPDX-License-Identifier: Apache-2.0
"""Topics as XEP-0060 nodes, whole: pubsub_test.py XYLEMD prosody|ejabberd

Each row of the errors of XEP-0060 that a component can give is provoked and
matched exactly; each feature that discovery announces is used. The names of the
tests stand in docs/xmpp.md beside what they show.
"""
import asyncio
import datetime
import json
import pathlib
import shutil
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import ports  # noqa: E402
from tests.peers.ejabberd import Ejabberd  # noqa: E402
from tests.peers.process import Process  # noqa: E402
from tests.peers.prosody import Prosody  # noqa: E402
from tests.xmpp import tap  # noqa: E402
from tests.xmpp.client import Client, body, condition  # noqa: E402

XYLEMD = sys.argv[1]
SERVER = {"prosody": Prosody, "ejabberd": Ejabberd}[sys.argv[2]]
BUS = "bus.example.com"
NS = "http://jabber.org/protocol/pubsub"
OWNER, EVENT, DATA = NS + "#owner", NS + "#event", "jabber:x:data"
MAM, RSM, ATOM = "urn:xmpp:mam:2", "http://jabber.org/protocol/rsm", "http://www.w3.org/2005/Atom"
INFO, ITEMS = "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"
JSON = "{urn:xmpp:json:0}json"
USERS = ("root", "alice", "bob", "carol", "dave", "mallory")

# What makes an XML payload hard to pass on: names, prefixes, no namespace, CDATA, entities, four bytes.
FOREIGN = ("<p:order xmlns:p='u:p' xmlns:q='u:q' xmlns='u:d' p:t='1' q:t='2' t='3' xml:lang='de'>"
           "<line xmlns=''>&lt;ä&gt; &amp; &quot;😀&quot; 𝄞</line><q:line p:a=\"it's\"/><![CDATA[<raw>&amp;]]> tail\n"
           "</p:order>")

CONFIG = """
bus: {{ name: acme, data: {folder}/data }}
console: {{ listen: "127.0.0.1:{console}" }}
users: {{ root: {{ role: admin, jids: [root@example.com] }} }}
xmpp: {{ server: "127.0.0.1:{component}", domain: bus.example.com, secret: {{ env: TEST_SECRET }},
         allow: [alice@example.com, bob@example.com, carol@example.com, dave@example.com],
         create: [alice@example.com] }}
connectors:
  desk: {{ xmpp: {{ allow: [alice@example.com] }} }}
topics:
  declared: {{ title: Declared, description: Of the file, subscribe: [bob@example.com], publish: [carol@example.com] }}
  feed: {{ type: "urn:xmpp:microblog:0", access: open, publish: [alice@example.com] }}
routes:
  desk: {{ from: [desk], to: [topic:declared, topic:feed] }}
"""


def canonical(xml):
    return ET.canonicalize(xml if isinstance(xml, str) else ET.tostring(xml, "unicode"), rewrite_prefixes=True)


def form(kind, **fields):
    """A submitted form; _ in a name stands for - where PubSub has one."""
    names = {"show_values": "show-values"}
    rows = "".join(f"<field var='pubsub#{names.get(name, name)}'>"
                   + "".join(f"<value>{escape(str(v))}</value>" for v in (value if isinstance(value, list) else [value]))
                   + "</field>" for name, value in fields.items())
    return (f"<x xmlns='{DATA}' type='submit'><field var='FORM_TYPE' type='hidden'><value>{NS}#{kind}</value></field>"
            f"{rows}</x>")


def fields(stanza):
    """The fields of the form inside, without `pubsub#`: values, or a list of them."""
    found = {}
    for field in stanza.iter(f"{{{DATA}}}field"):
        values = [v.text or "" for v in field.findall(f"{{{DATA}}}value")]
        found[field.get("var", "").replace("pubsub#", "")] = values[0] if len(values) == 1 else values
    return found


class PubsubTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-pubsub-"))
        cls.server = SERVER()
        cls.server.start()
        for user in USERS:
            cls.server.register(user, "pw")
        cls.console = ports.free()
        cls.start_bus()
        cls.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(cls.loop)
        cls.clients = [cls.loop.run_until_complete(Client(cls.server, user).login()) for user in USERS]
        cls.root, cls.alice, cls.bob, cls.carol, cls.dave, cls.mallory = cls.clients

    @classmethod
    def start_bus(cls):
        config = cls.folder / "xylem.yaml"
        config.write_text(CONFIG.format(folder=cls.folder, console=cls.console, component=cls.server.component_port))
        cls.bus = Process([XYLEMD, "run", config], log=cls.folder / "log", env={"TEST_SECRET": cls.server.secret})
        cls.bus.wait_line(r"connected as bus\.example\.com", 30)
        cls.bus.wait_line(r"main: ready", 30)

    @classmethod
    def tearDownClass(cls):
        for client in cls.clients:
            cls.loop.run_until_complete(client.logout())
        try:
            if cls.bus.stop(30) != 0:
                raise AssertionError(f"xylemd ended with {cls.bus.returncode}:\n{cls.bus.tail(60)}")
        finally:
            cls.server.__exit__()
            shutil.rmtree(cls.folder, ignore_errors=True)

    def run(self, result=None):
        """Test methods are coroutines."""
        method = getattr(self, self._testMethodName)
        if asyncio.iscoroutinefunction(method):
            setattr(self, self._testMethodName,
                    lambda: self.loop.run_until_complete(asyncio.wait_for(method(), 180)))
        for client in self.clients:
            client.received.clear()
        return super().run(result)

    # --- Words of the protocol -------------------------------------------------

    def get(self, client, payload, ns=NS):
        return client.iq("get", BUS, f"<pubsub xmlns='{ns}'>{payload}</pubsub>")

    def set(self, client, payload, ns=NS):
        return client.iq("set", BUS, f"<pubsub xmlns='{ns}'>{payload}</pubsub>")

    async def ok(self, answer):
        answer = await answer
        self.assertEqual(answer.get("type"), "result", ET.tostring(answer, "unicode"))
        return answer

    async def refused(self, answer, expected):
        answer = await answer
        self.assertEqual(condition(answer), expected, ET.tostring(answer, "unicode"))
        return answer

    def create(self, client, node, **config):
        configure = f"<configure>{form('node_config', **config)}</configure>" if config else ""
        return self.set(client, f"<create node='{node}'/>{configure}")

    def subscribe(self, client, node, jid=None, **options):
        extra = f"<options>{form('subscribe_options', **options)}</options>" if options else ""
        return self.set(client, f"<subscribe node='{node}' jid='{jid or client.bare}'/>{extra}")

    def unsubscribe(self, client, node, jid=None, subid=None):
        subid = f" subid='{subid}'" if subid else ""
        return self.set(client, f"<unsubscribe node='{node}' jid='{jid or client.bare}'{subid}/>")

    def publish(self, client, node, *items, options=""):
        return self.set(client, f"<publish node='{node}'>{''.join(items)}</publish>{options}")

    def retract(self, client, node, item, extra=""):
        return self.set(client, f"<retract node='{node}'{extra}><item id='{item}'/></retract>")

    def items(self, client, node, inner="", extra="", beside=""):
        return self.get(client, f"<items node='{node}'{extra}>{inner}</items>{beside}")

    async def ids(self, client, node, **ask):
        answer = await self.ok(self.items(client, node, **ask))
        return [i.get("id") for i in answer.iter(f"{{{NS}}}item")]

    def affiliate(self, client, node, *pairs):
        rows = "".join(f"<affiliation jid='{jid}' affiliation='{word}'/>" for jid, word in pairs)
        return self.set(client, f"<affiliations node='{node}'>{rows}</affiliations>", OWNER)

    def configure(self, client, node, **config):
        return self.set(client, f"<configure node='{node}'>{form('node_config', **config)}</configure>", OWNER)

    def delete(self, client, node):
        return self.set(client, f"<delete node='{node}'/>", OWNER)

    async def event(self, client, wanted):
        """The next event message of which `wanted` (of the <event/>) is true."""
        return await client.message(lambda m: m.find(f"{{{EVENT}}}event") is not None
                                    and wanted(m.find(f"{{{EVENT}}}event")))

    async def told(self, client, node, item):
        def wanted(event):
            return any(i.get("id") == item for i in event.iter(f"{{{EVENT}}}item")) and event[0].get("node") == node
        return await self.event(client, wanted)

    @staticmethod
    def subscription(answer):
        return next(answer.iter(f"{{{NS}}}subscription"))

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
            "meta-data", "last-published", "multi-subscribe", "rsm", "get-pending",
            "presence-notifications"}, short)
        for never in ("collections", "access-presence", "access-roster", "auto-subscribe", "filtered-notifications"):
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
        # Whoever may not see a node does not learn that it is there.
        for client in (self.dave, self.bob):
            await self.refused(client.iq("get", BUS, f"<query xmlns='{INFO}' node='meta'/>"), "cancel/item-not-found")
            nodes = await self.ok(client.iq("get", BUS, f"<query xmlns='{ITEMS}'/>"))
            self.assertNotIn("meta", [i.get("node") for i in nodes.iter(f"{{{ITEMS}}}item")])

    async def test_103_items_of_a_node(self):
        await self.ok(self.create(self.alice, "listed", access_model="open"))
        await self.ok(self.publish(self.alice, "listed", "<item id='one'><a xmlns='u'/></item>",
                                   "<item id='two'><a xmlns='u'/></item>"))
        answer = await self.ok(self.bob.iq("get", BUS, f"<query xmlns='{ITEMS}' node='listed'/>"))
        found = [(i.get("jid"), i.get("node"), i.get("name")) for i in answer.iter(f"{{{ITEMS}}}item")]
        self.assertEqual(found, [(BUS, None, "one"), (BUS, None, "two")])

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
        await self.refused(self.alice.iq("get", BUS, f"<query xmlns='{INFO}' node='never'/>"), "cancel/item-not-found")

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
        await self.refused(self.get(self.bob, "<default/>", OWNER), "auth/forbidden")
        await self.ok(self.create(self.alice, "full"))
        changed = dict(title="t", description="d", type="u:t", node_type="leaf", access_model="authorize",
                       publish_model="open", deliver_notifications="0", deliver_payloads="0", persist_items="1",
                       max_items="max", max_payload_size="1000", item_expire="3600", notify_config="1",
                       notify_delete="0", notify_retract="0", notify_sub="1", send_last_published_item="never",
                       notification_type="headline", presence_based_delivery="1", purge_offline="1",
                       publish_node_full="reject", itemreply="publisher", subscribe="0", tempsub="1", language="de",
                       contact="alice@example.com")
        await self.ok(self.configure(self.alice, "full", **changed))
        found = fields(await self.ok(self.get(self.alice, "<configure node='full'/>", OWNER)))
        self.assertEqual({name: found[name] for name in changed}, changed)
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
        await self.ok(self.set(self.bob, options + f">{form('subscribe_options', deliver='0', include_body='1')}</options>"))
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

    # --- 6. Publishing ----------------------------------------------------------------------

    async def test_601_publish_errors(self):
        payload = "<a xmlns='u'/>"
        await self.ok(self.create(self.alice, "pub", access_model="open", max_payload_size="200"))
        for items, expected in (
                ((), "modify/bad-request/item-required"),
                (("<item id='a'/>",), "modify/bad-request/payload-required"),
                ((f"<item id='a'>{payload}{payload}</item>",), "modify/bad-request/invalid-payload"),
                (("<item><json xmlns='urn:xmpp:json:0'>{</json></item>",), "modify/bad-request/invalid-payload"),
                ((f"<item><a xmlns='u'>{'x' * 200}</a></item>",), "modify/not-acceptable/payload-too-big"),
                ((f"<item>{payload}</item>",) * 101, "cancel/not-allowed/max-items-exceeded")):
            await self.refused(self.publish(self.alice, "pub", *items), expected)
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

    async def test_610_items_expire(self):
        await self.ok(self.create(self.alice, "milk", access_model="open", item_expire="1"))
        await self.ok(self.publish(self.alice, "milk", "<item id='old'><a xmlns='u'/></item>"))
        while await self.ids(self.bob, "milk"):  # until the test's own deadline
            await asyncio.sleep(0.05)
        await self.ok(self.publish(self.alice, "milk", "<item id='new'><a xmlns='u'/></item>"))
        self.assertEqual(await self.ids(self.bob, "milk", inner="<item id='old'/>"), [])

    # --- 7. Retrieving -------------------------------------------------------------------------

    async def filled(self, node, n, **config):
        await self.ok(self.create(self.alice, node, access_model="open", **config))
        for start in range(0, n, 50):
            await self.ok(self.publish(self.alice, node, *(f"<item id='i{i}'><a xmlns='u'>{i}</a></item>"
                                                           for i in range(start, min(start + 50, n)))))

    @staticmethod
    def page(**values):
        return f"<set xmlns='{RSM}'>" + "".join(f"<{k}>{v}</{k}>" for k, v in values.items()) + "</set>"

    async def paged(self, client, node, **values):
        answer = await self.ok(self.items(client, node, beside=self.page(**values)))
        found = answer.find(f".//{{{RSM}}}set")
        first = found.find(f"{{{RSM}}}first")
        return ([i.get("id") for i in answer.iter(f"{{{NS}}}item")], first.get("index") if first is not None else None,
                found.findtext(f"{{{RSM}}}first"), found.findtext(f"{{{RSM}}}last"), found.findtext(f"{{{RSM}}}count"))

    async def test_701_pages(self):
        await self.filled("pages", 10)
        self.assertEqual(await self.paged(self.bob, "pages", max=4), (["i0", "i1", "i2", "i3"], "0", "i0", "i3", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=4, after="i3"),
                         (["i4", "i5", "i6", "i7"], "4", "i4", "i7", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=4, after="i9"), ([], None, None, None, "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=4, before=""), (["i6", "i7", "i8", "i9"], "6", "i6", "i9", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=2, before="i6"), (["i4", "i5"], "4", "i4", "i5", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=2, index=5), (["i5", "i6"], "5", "i5", "i6", "10"))
        self.assertEqual(await self.paged(self.bob, "pages", max=0), ([], None, None, None, "10"))
        await self.refused(self.items(self.bob, "pages", beside=self.page(max=4, after="no-such")), "cancel/item-not-found")
        self.assertEqual(await self.ids(self.bob, "pages", extra=" max_items='3'"), ["i7", "i8", "i9"])
        self.assertEqual(await self.ids(self.bob, "pages", inner="<item id='i4'/><item id='no'/><item id='i2'/>"), ["i4", "i2"])
        await self.refused(self.items(self.bob, "pages", extra=" max_items='0'"), "modify/bad-request")

    async def test_702_more_than_a_stanza_takes(self):
        await self.ok(self.create(self.alice, "large", access_model="open"))
        for i in range(12):
            await self.ok(self.publish(self.alice, "large", f"<item id='b{i}'><a xmlns='u'>{'x' * 40000}</a></item>"))
        answer = await self.ok(self.items(self.bob, "large"))
        found = [i.get("id") for i in answer.iter(f"{{{NS}}}item")]
        self.assertLess(len(found), 12)
        self.assertEqual(found[-1], "b11")
        self.assertEqual(answer.find(f".//{{{RSM}}}count").text, "12")
        seen, after = [], {}
        while len(seen) < 12:
            ids = (await self.paged(self.bob, "large", max=12, **after))[0]
            self.assertTrue(ids)
            seen += ids
            after = {"after": ids[-1]}
        self.assertEqual(seen, [f"b{i}" for i in range(12)])

    # --- 8. Retracting, purging -------------------------------------------------------------------

    async def test_801_retract(self):
        await self.filled("re", 3)
        await self.ok(self.affiliate(self.alice, "re", (self.carol.bare, "publisher")))
        await self.ok(self.subscribe(self.bob, "re"))
        await self.refused(self.set(self.alice, "<retract><item id='i0'/></retract>"), "modify/bad-request/nodeid-required")
        await self.refused(self.set(self.alice, "<retract node='re'/>"), "modify/bad-request/item-required")
        await self.refused(self.set(self.alice, "<retract node='re'><item/></retract>"), "modify/bad-request/item-required")
        await self.refused(self.retract(self.alice, "re", "no-such"), "cancel/item-not-found")
        await self.refused(self.retract(self.alice, "no-such", "i0"), "cancel/item-not-found")
        await self.refused(self.retract(self.bob, "re", "i0"), "auth/forbidden")
        await self.refused(self.retract(self.carol, "re", "i0"), "auth/forbidden")  # not hers
        await self.ok(self.publish(self.carol, "re", "<item id='hers'><a xmlns='u'/></item>"))
        await self.ok(self.retract(self.carol, "re", "hers"))
        await self.ok(self.retract(self.alice, "re", "i1"))
        for item in ("hers", "i1"):
            await self.event(self.bob, lambda e, i=item: [r.get("id") for r in e.iter(f"{{{EVENT}}}retract")] == [i])
        self.assertEqual(await self.ids(self.bob, "re"), ["i0", "i2"])
        await self.refused(self.retract(self.alice, "re", "i1"), "cancel/item-not-found")
        await self.ok(self.configure(self.alice, "re", notify_retract="0"))
        await self.ok(self.retract(self.alice, "re", "i0"))
        await self.ok(self.retract(self.alice, "re", "i2", " notify='true'"))
        event = await self.event(self.bob, lambda e: next(e.iter(f"{{{EVENT}}}retract"), None) is not None)
        self.assertEqual(next(event.iter(f"{{{EVENT}}}retract")).get("id"), "i2")

    async def test_802_nobody_sees_an_item_after_its_end(self):
        await self.ok(self.create(self.alice, "race", access_model="open"))
        await self.ok(self.subscribe(self.bob, "race"))
        for i in range(30):
            await self.ok(self.publish(self.alice, "race", f"<item id='r{i}'><a xmlns='u'/></item>"))
            await self.ok(self.retract(self.alice, "race", f"r{i}"))
        self.assertEqual(await self.ids(self.bob, "race"), [])
        ended, late = set(), []
        while len(ended) < 30:
            event = await self.event(self.bob, lambda e: e[0].get("node") == "race")
            late += [i.get("id") for i in event.iter(f"{{{EVENT}}}item") if i.get("id") in ended]
            ended |= {r.get("id") for r in event.iter(f"{{{EVENT}}}retract")}
        self.assertEqual(late, [])

    async def test_803_purge(self):
        await self.filled("pu", 5)
        await self.ok(self.subscribe(self.bob, "pu"))
        await self.ok(self.set(self.alice, "<purge node='pu'/>", OWNER))
        await self.event(self.bob, lambda e: e[0].tag == f"{{{EVENT}}}purge" and e[0].get("node") == "pu")
        self.assertEqual(await self.ids(self.bob, "pu"), [])
        await self.ok(self.publish(self.alice, "pu", "<item id='i1'><a xmlns='u'/></item>"))
        self.assertEqual(await self.ids(self.bob, "pu"), ["i1"])

    # --- 9a. Presence ----------------------------------------------------------------------------------

    async def resource(self, user, show=None):
        """One more resource of a user, which shows its presence to the bus."""
        client = await Client(self.server, user).login()
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

    # --- 9. The archive (XEP-0313, XEP-0442) -----------------------------------------------------------

    async def archive(self, client, node, inner="", extra="", **values):
        """Results as (archive id, item id, message), and the <fin/>."""
        rows = "".join(f"<field var='{k.replace('_', '-')}'>" + "".join(f"<value>{v}</value>" for v in (vs if isinstance(vs, list) else [vs]))
                       + "</field>" for k, vs in values.items())
        query = (f"<query xmlns='{MAM}' queryid='q' node='{node}'><x xmlns='{DATA}' type='submit'><field var='FORM_TYPE' "
                 f"type='hidden'><value>{MAM}</value></field>{rows}</x>{inner}{extra}</query>")
        answer = await self.ok(client.iq("set", BUS, query))
        results = []
        for message in [m for m in client.received if m.find(f"{{{MAM}}}result") is not None]:
            client.received.remove(message)
            result = message.find(f"{{{MAM}}}result")
            self.assertEqual(result.get("queryid"), "q")
            self.assertIsNotNone(result.find("{urn:xmpp:forward:0}forwarded/{urn:xmpp:delay}delay"))
            results.append((result.get("id"), next(result.iter(f"{{{EVENT}}}item")).get("id"), result))
        return results, answer.find(f"{{{MAM}}}fin")

    async def test_901_archive(self):
        await self.filled("arc", 10)
        results, fin = await self.archive(self.bob, "arc")
        ids = [r[0] for r in results]
        self.assertEqual([r[1] for r in results], [f"i{i}" for i in range(10)])
        self.assertEqual((fin.get("complete"), fin.findtext(f".//{{{RSM}}}count")), ("true", "10"))
        results, fin = await self.archive(self.bob, "arc", self.page(max=4))
        self.assertEqual(([r[1] for r in results], fin.get("complete")), (["i0", "i1", "i2", "i3"], None))
        results, fin = await self.archive(self.bob, "arc", self.page(max=4, after=fin.findtext(f".//{{{RSM}}}last")))
        self.assertEqual([r[1] for r in results], ["i4", "i5", "i6", "i7"])
        results, fin = await self.archive(self.bob, "arc", self.page(max=4, after=fin.findtext(f".//{{{RSM}}}last")))
        self.assertEqual(([r[1] for r in results], fin.get("complete")), (["i8", "i9"], "true"))
        results, fin = await self.archive(self.bob, "arc", self.page(max=3, before=""))
        self.assertEqual([r[1] for r in results], ["i7", "i8", "i9"])
        results, _ = await self.archive(self.bob, "arc", self.page(max=3, before=""), "<flip-page/>")
        self.assertEqual([r[1] for r in results], ["i9", "i8", "i7"])
        results, _ = await self.archive(self.bob, "arc", after_id=ids[2], before_id=ids[6])
        self.assertEqual([r[1] for r in results], ["i3", "i4", "i5"])
        results, _ = await self.archive(self.bob, "arc", ids=[ids[7], ids[1]])
        self.assertEqual([r[1] for r in results], ["i7", "i1"])
        results, _ = await self.archive(self.bob, "arc", start="2099-01-01T00:00:00Z")
        self.assertEqual(results, [])
        results, _ = await self.archive(self.bob, "arc", end="2099-01-01T00:00:00Z", start="2020-01-01T00:00:00Z")
        self.assertEqual(len(results), 10)

    async def test_902_archive_errors(self):
        await self.filled("arc2", 2)
        query = f"<query xmlns='{MAM}' node='arc2'>{{}}</query>"
        await self.refused(self.bob.iq("set", BUS, query.format(self.page(after="0-99999999"))), "cancel/item-not-found")
        await self.refused(self.bob.iq("set", BUS, query.format(self.page(after="what"))), "cancel/item-not-found")
        await self.refused(self.bob.iq("set", BUS, f"<query xmlns='{MAM}' node='no-such'/>"), "cancel/item-not-found")
        await self.refused(self.bob.iq("set", BUS, f"<query xmlns='{MAM}'/>"), "modify/bad-request/nodeid-required")
        await self.refused(self.dave.iq("set", BUS, f"<query xmlns='{MAM}' node='declared'/>"), "cancel/not-allowed/closed-node")
        await self.refused(self.mallory.iq("set", BUS, f"<query xmlns='{MAM}' node='arc2'/>"), "auth/forbidden")
        form_of = fields(await self.ok(self.bob.iq("get", BUS, f"<query xmlns='{MAM}'/>")))
        self.assertLessEqual({"with", "start", "end", "before-id", "after-id", "ids"}, set(form_of))
        answer = await self.ok(self.bob.iq("get", BUS, f"<metadata xmlns='{MAM}' node='arc2'/>"))
        start, end = answer.find(f".//{{{MAM}}}start"), answer.find(f".//{{{MAM}}}end")
        self.assertNotEqual(start.get("id"), end.get("id"))

    # --- 10. It lasts --------------------------------------------------------------------------------------

    async def test_990_everything_survives_a_restart(self):
        await self.filled("lasting", 5, title="Lasting", max_items="4")
        await self.ok(self.affiliate(self.alice, "lasting", (self.dave.bare, "publisher")))
        mine = self.subscription(await self.ok(self.subscribe(self.bob, "lasting", include_body="1")))
        await self.ok(self.retract(self.alice, "lasting", "i3"))
        await self.ok(self.create(self.alice, "gone", access_model="open"))
        await self.ok(self.publish(self.alice, "gone", "<item id='g'><a xmlns='u'/></item>"))
        await self.ok(self.delete(self.alice, "gone"))
        self.bus.kill()  # what was answered is on disk
        self.bus.mark()
        self.start_bus()
        self.assertEqual(await self.ids(self.bob, "lasting"), ["i1", "i2", "i4"])
        found = fields(await self.ok(self.get(self.alice, "<configure node='lasting'/>", OWNER)))
        self.assertEqual((found["title"], found["max_items"]), ("Lasting", "4"))
        listed = await self.ok(self.get(self.bob, "<subscriptions node='lasting'/>"))
        self.assertEqual([s.get("subid") for s in listed.iter(f"{{{NS}}}subscription")], [mine.get("subid")])
        found = fields(await self.ok(self.get(self.bob, f"<options node='lasting' jid='{self.bob.bare}'/>")))
        self.assertEqual(found["include_body"], "1")
        await self.ok(self.publish(self.dave, "lasting", "<item id='after'><a xmlns='u'/></item>"))
        await self.told(self.bob, "lasting", "after")
        self.assertEqual(await self.ids(self.bob, "lasting"), ["i1", "i2", "i4", "after"])
        await self.refused(self.items(self.bob, "gone"), "cancel/item-not-found")
        await self.ok(self.create(self.alice, "gone", access_model="open"))
        self.assertEqual(await self.ids(self.bob, "gone"), [])

    async def test_995_lists_longer_than_a_stanza(self):
        async def all_of(client, ask, row, key):
            """The rows of all pages, and how many pages there were."""
            seen, after, pages = [], "", 0
            while True:
                answer = await self.ok(client.iq("get", BUS, ask(self.page(after=after) if after else "")))
                rows = [r.get(key) for r in answer.iter(row)]
                part = answer.find(f".//{{{RSM}}}set")
                seen, pages = seen + rows, pages + 1
                if part is None or len(seen) == int(part.findtext(f"{{{RSM}}}count")):
                    return seen, pages
                self.assertTrue(rows)
                after = part.findtext(f"{{{RSM}}}last")
        await self.ok(self.create(self.alice, "crowd"))
        people = [f"{'x' * 150}{i}@example.com" for i in range(1500)]
        for start in range(0, 1500, 500):
            rows = "".join(f"<subscription jid='{p}' subscription='subscribed'/>" for p in people[start:start + 500])
            await self.ok(self.set(self.alice, f"<subscriptions node='crowd'>{rows}</subscriptions>", OWNER))
        seen, pages = await all_of(
            self.alice, lambda page: f"<pubsub xmlns='{OWNER}'><subscriptions node='crowd'/>{page}</pubsub>",
            f"{{{OWNER}}}subscription", "jid")
        self.assertEqual((sorted(seen), pages > 1), (sorted(people), True))
        names = [f"{'n' * 100}{i:04}" for i in range(1300)]
        for name in names:
            await self.ok(self.create(self.alice, name))
        seen, pages = await all_of(self.alice, lambda page: f"<query xmlns='{ITEMS}'>{page}</query>", f"{{{ITEMS}}}item", "node")
        self.assertEqual((set(names) <= set(seen), len(seen) == len(set(seen)), pages > 1), (True, True, True))
        await self.refused(self.alice.iq("get", BUS, f"<query xmlns='{ITEMS}'>{self.page(after='no-such')}</query>"),
                           "cancel/item-not-found")
        await self.ok(self.get(self.alice, "<affiliations/>"))


tap.run(PubsubTest)
