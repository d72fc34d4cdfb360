# SPDX-License-Identifier: Apache-2.0
"""The words of XEP-0060 and a bus with two topics: what the tests named pubsub_*_test.py stand on.

Each row of the errors of XEP-0060 that a component can give is provoked and
matched exactly; each feature that discovery announces is used. The names of the
tests stand in docs/xmpp.md and docs/topics.md beside what they show.
"""
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

from tests.xmpp import stage
from tests.xmpp.client import condition

BUS = stage.BUS
NS = "http://jabber.org/protocol/pubsub"
OWNER, EVENT, DATA = NS + "#owner", NS + "#event", "jabber:x:data"
MAM, RSM, ATOM = "urn:xmpp:mam:2", "http://jabber.org/protocol/rsm", "http://www.w3.org/2005/Atom"
INFO, ITEMS = "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"
JSON = "{urn:xmpp:json:0}json"


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


class Case(stage.Case):
    people = ("root", "alice", "bob", "carol", "dave", "mallory")
    xmpp = ("allow: [alice@example.com, bob@example.com, carol@example.com, dave@example.com], "
            "create: [alice@example.com]")
    config = """
users: {{ root: {{ role: admin, jids: [root@example.com] }} }}
connectors:
  desk: {{ xmpp: {{ allow: [alice@example.com] }} }}
topics:
  declared: {{ title: Declared, description: Of the file, subscribe: [bob@example.com], publish: [carol@example.com] }}
  feed: {{ type: "urn:xmpp:microblog:0", access: open, publish: [alice@example.com] }}
routes:
  desk: {{ from: [desk], to: [topic:declared, topic:feed] }}
"""

    def setUp(self):
        """What came before does not count."""
        for client in self.people_online.values():
            client.received.clear()

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

    # --- Nodes with items, pages, the archive -----------------------------------

    async def filled(self, node, n, **config):
        await self.ok(self.create(self.alice, node, access_model="open", **config))
        for start in range(0, n, 50):
            await self.ok(self.publish(self.alice, node, *(f"<item id='i{i}'><a xmlns='u'>{i}</a></item>"
                                                           for i in range(start, min(start + 50, n)))))

    @staticmethod
    def page(**values):
        return f"<set xmlns='{RSM}'>" + "".join(f"<{k}>{v}</{k}>" for k, v in values.items()) + "</set>"

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
