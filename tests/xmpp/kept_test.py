# SPDX-License-Identifier: Apache-2.0
"""What topics keep outlives the journal's segments: kept_test.py XYLEMD prosody|ejabberd

The journal is small, and what is poured into it pushes everything else out. Items are looked at before and after:
as retrieved (ids, order, payloads, publishers), in the archive (with their times), by who is subscribed, and by a
route that reads the topic.
"""
import asyncio
import json
import pathlib
import re
import sys
import urllib.request
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import condition  # noqa: E402

BUS = stage.BUS
PUBSUB = "http://jabber.org/protocol/pubsub"
EVENT = PUBSUB + "#event"
MAM = "urn:xmpp:mam:2"
PAD = b'"' + b"x" * 400000 + b'"'


class KeptTest(stage.Case):
    config = """
journal: {{ segment: 4MiB, retain: {{ bytes: 1MiB }} }}
connectors:
  pad: {{ webhook: {{ listen: "127.0.0.1:{hook}", path: /pad, verify: none }} }}
  heard: {{ file: {{ path: {folder}/heard }} }}
topics:
  t: {{ access: open, publish: [alice@example.com], max_items: 40 }}
  many: {{ access: open, publish: [alice@example.com], max_items: 600 }}
routes:
  pad: {{ from: [pad], where: "false", to: [heard] }}
  hear: {{ from: ["topic:t"], to: [heard] }}
"""
    xmpp = 'allow: ["@example.com"]'
    people = ("alice", "bob")

    def setUp(self):
        self.alice, self.bob = self.people_online["alice"], self.people_online["bob"]

    # --- What can be seen of a topic ------------------------------------------------

    async def ok(self, client, kind, payload):
        answer = await client.iq(kind, BUS, payload)
        self.assertEqual(condition(answer), "result", payload)
        return answer

    async def publish(self, node, name, payload):
        await self.ok(self.alice, "set", f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='{name}'>{payload}"
                                         f"</item></publish></pubsub>")

    async def items(self, node):
        """Whole items as text, all pages."""
        found, after = [], ""
        while True:
            answer = await self.ok(self.bob, "get", f"<pubsub xmlns='{PUBSUB}'><items node='{node}'/>"
                                   f"<set xmlns='http://jabber.org/protocol/rsm'><max>200</max>{after}</set></pubsub>")
            page = list(answer.iter(f"{{{PUBSUB}}}item"))
            found += [ET.tostring(item, "unicode") for item in page]
            if not page:
                return found
            after = f"<after>{page[-1].get('id')}</after>"

    async def archive(self, node):
        """(id, stamp, item) of each in the archive, the first 200."""
        self.bob.received.clear()
        await self.ok(self.bob, "set", f"<query xmlns='{MAM}' node='{node}' queryid='q'>"
                                       "<set xmlns='http://jabber.org/protocol/rsm'><max>200</max></set></query>")
        results = [r for m in self.bob.received for r in m.iter(f"{{{MAM}}}result")]
        self.bob.received.clear()
        return [(r.get("id"), next(r.iter("{urn:xmpp:delay}delay")).get("stamp"),
                 ET.tostring(next(r.iter(f"{{{EVENT}}}item")), "unicode")) for r in results]

    async def seen(self, node):
        return await self.items(node), await self.archive(node)

    # --- What pushes it out ----------------------------------------------------------

    async def bury(self):
        """Pours into the journal until its first record is one of those poured in."""
        first = int(self.pour().split("-")[1])
        for _ in range(3000):
            status, _ = self.stage.api(f"messages/0-{first - 1}")
            if status != 200:
                self.assertIn(status, (404, 410))
                return
            self.pour()
            await asyncio.sleep(0.02)
        self.fail("the journal does not let go of anything")

    def pour(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.stage.hook}/pad", data=PAD,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["handles"][0]

    def heard(self):
        """The ids of what the route took from the topic, in order."""
        return [json.loads(line)["id"] for line in (self.stage.folder / "heard").read_text().splitlines()]

    # --- Cases -----------------------------------------------------------------------

    async def test_1_items_are_as_they_were(self):
        await self.ok(self.bob, "set", f"<pubsub xmlns='{PUBSUB}'><subscribe node='t' jid='bob@example.com'/></pubsub>")
        for i in range(60):
            await self.publish("t", f"p{i}", f"<a xmlns='urn:x' n='{i}' xml:lang='fr'><b>{'é' * (i * 20)}</b></a>")
        for i in range(60):
            await self.bob.message(lambda m, n=f"p{i}": any(e.get("id") == n for e in m.iter(f"{{{EVENT}}}item")))
        await self.ok(self.alice, "set", f"<pubsub xmlns='{PUBSUB}'><retract node='t'><item id='p50'/></retract></pubsub>")
        await self.bob.message(lambda m: any(e.get("id") == "p50" for e in m.iter(f"{{{EVENT}}}retract")))
        before = await self.seen("t")
        ids = [re.search(r' id="(p\d+)"', item).group(1) for item in before[0]]
        self.assertEqual(ids, [f"p{i}" for i in range(20, 60) if i != 50])
        self.assertIn("alice@example.com", before[0][0])  # its publisher
        await self.bury()
        self.assertEqual(await self.seen("t"), before)
        self.stage.stop_bus()
        self.stage.start_bus()
        self.assertEqual(await self.seen("t"), before)
        # One more: told, heard by the route, and nothing of the others came again.
        await self.publish("t", "more", "<a xmlns='urn:x'/>")
        await self.bob.message(lambda m: any(e.get("id") == "more" for e in m.iter(f"{{{EVENT}}}item")))
        self.assertEqual([m for m in self.bob.received if m.find(f"{{{EVENT}}}event") is not None], [])
        while len(self.heard()) < 61:
            await asyncio.sleep(0.05)
        self.assertEqual(self.heard(), [f"p{i}" for i in range(60)] + ["more"])
        stage.say(f"{len(before[0])} items kept beyond their segment, each as it was")

    async def test_2_killed_in_the_middle_of_carrying(self):
        self.stage.stop_bus()
        self.stage.start_bus(env={"XYLEM_CRASH": "carried:2"})
        for i in range(600):
            await self.publish("many", f"m{i}", f"<a xmlns='urn:x' n='{i}'/>")
        before = await self.seen("many")
        self.assertEqual(len(before[0]), 600)
        with self.assertRaises(OSError):  # it dies after a part of them was copied
            while True:
                self.pour()
                await asyncio.sleep(0.02)
        self.assertEqual(self.stage.bus.wait(60), -9)
        self.stage.start_bus()
        self.assertEqual(await self.seen("many"), before)
        await self.bury()
        self.assertEqual(await self.seen("many"), before)
        self.assertEqual(len(self.heard()), 61)  # nothing of t came again either


if __name__ == "__main__":
    stage.run(KeptTest)
