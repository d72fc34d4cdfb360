# SPDX-License-Identifier: Apache-2.0
"""People's own published events as a source: pep_test.py XYLEMD prosody|ejabberd

What alice hears and where she is come in at an address of the bus and at an account of it; what others publish, and
what nobody asked for, does not.
"""
import json
import pathlib
import sys
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import social, stage  # noqa: E402,F401

BUS = stage.BUS
TUNE, PLACE, MOOD = (f"http://jabber.org/protocol/{name}" for name in ("tune", "geoloc", "mood"))
PUBSUB = "http://jabber.org/protocol/pubsub"


class PepTest(stage.Case):
    people, accounts = ("alice", "bob", "mallory"), ("helper",)
    xmpp = "allow: ['@example.com']"
    config = f"""
connectors:
  life: {{{{ xmpp: {{{{ published: {{{{ nodes: ["{TUNE}", "{PLACE}"], of: [alice@example.com] }}}} }}}} }}}}
  account: {{{{ xmpp_client: {{{{ jid: helper@example.com, password: {{{{ file: "{{folder}}/helper.secret" }}}},
             server: "127.0.0.1:{{client}}", tls: {{{{ plaintext: true }}}},
             published: {{{{ nodes: ["{TUNE}"], of: [alice@example.com] }}}} }}}} }}}}
  heard: {{{{ xmpp: {{{{ to: [bob@example.com], event: true, body: none }}}} }}}}
routes:
  hear: {{{{ from: [life, account], to: [heard] }}}}
"""

    @classmethod
    def set_the_stage(cls):
        cls.stage.values["client"] = cls.stage.server.client_port
        cls.stage.secret("helper.secret", "pw")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for address in (f"life@{BUS}", "helper@example.com"):  # that they see her is through
            cls.loop.run_until_complete(cls.alice.presence(
                lambda p, a=address: p.get("type") is None and p.get("from").startswith(a + "/")
                and p.find("{http://jabber.org/protocol/caps}c") is not None, 60))

    def publish(self, client, node, payload, item="current"):
        return client.iq("set", client.bare, f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='{item}'>{payload}"
                                             "</item></publish></pubsub>")

    async def heard(self, source):
        """The next event that came in there."""
        while True:
            message = await self.bob.message(lambda m: m.get("from", "").startswith(f"heard@{BUS}"))
            event = json.loads(message.find("{urn:xylem:message:0}event")[0].text)
            if event.get("subject") in source:
                return event

    async def test_01_a_tune(self):
        tune = f"<tune xmlns='{TUNE}'><artist>Yes &amp; No</artist><title>Heart of the Sunrise</title></tune>"
        self.assertEqual((await self.publish(self.alice, TUNE, tune)).get("type"), "result")
        events = [await self.heard([TUNE]) for _ in range(2)]  # at the address and at the account
        for event in events:
            self.assertEqual((event["type"], event["subject"], event["source"], event["xmppkind"]),
                             ("xmpp.published", TUNE, "xmpp:alice@example.com", "published"))
            self.assertNotEqual(event["id"], "current")
            self.assertEqual(ET.canonicalize(event["data"], rewrite_prefixes=True),
                             ET.canonicalize(tune, rewrite_prefixes=True))

    async def test_02_only_what_was_asked_for(self):
        """A node that nobody follows; somebody who is not listed; the next that comes is the next that counts."""
        await self.publish(self.alice, MOOD, f"<mood xmlns='{MOOD}'><happy/></mood>")
        self.mallory.send(f"<message to='life@{BUS}' type='headline'><event xmlns='{PUBSUB}#event'><items node='{TUNE}'>"
                          f"<item id='x'><tune xmlns='{TUNE}'/></item></items></event></message>")
        await self.publish(self.alice, PLACE, f"<geoloc xmlns='{PLACE}'><lat>48.85</lat></geoloc>", "here")
        event = await self.heard([TUNE, PLACE, MOOD])
        self.assertEqual((event["subject"], event["id"], event["xmppitem"]), (PLACE, "here", "here"))

    async def test_03_retracted(self):
        if sys.argv[2] == "ejabberd":
            self.skipTest("ejabberd 23.01 told no retract to who has +notify in his caps")
        await self.alice.iq("set", self.alice.bare, f"<pubsub xmlns='{PUBSUB}'><retract node='{PLACE}' notify='true'>"
                                                    "<item id='here'/></retract></pubsub>")
        event = await self.heard([PLACE])
        self.assertEqual((event["type"], event.get("data"), event["xmppitem"]), ("xmpp.retracted", None, "here"))
        self.assertNotEqual(event["id"], "here")


if __name__ == "__main__":
    stage.run(PepTest)
