# SPDX-License-Identifier: Apache-2.0
"""Presence of the bus, whole: presence_test.py XYLEMD prosody|ejabberd

The bus and its parts as contacts: who may have them, what they show, and that it is right after restarts, cuts and
kills.
"""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp.client import CLIENT  # noqa: E402
from tests.xmpp.world import BUS, World, main  # noqa: E402


def shows(address, show=None, words=None):
    """Available presence of that bare address, with this <show/> (None: any; "": none), whose status has `words`."""
    def wanted(stanza):
        found = stanza.findtext(CLIENT + "show", "")
        return (stanza.get("from").split("/")[0] == address and stanza.get("type") is None and show in (None, found)
                and (words is None or words in stanza.findtext(CLIENT + "status", "")))
    return wanted


def typed(address, kind):
    return lambda stanza: stanza.get("from").split("/")[0] == address and stanza.get("type") == kind


class PresenceTest(World):
    USERS = ("alice", "ops", "mallory")
    CONFIG = """
bus: {{ name: acme, data: {folder}/data }}
console: {{ listen: "127.0.0.1:{console}" }}
users: {{ ops: {{ role: operator, jids: [ops@example.com] }} }}
xmpp: {{ server: "127.0.0.1:{component}", domain: bus.example.com, secret: {{ env: TEST_SECRET }},
         allow: [alice@example.com] }}
connectors:
  desk: {{ xmpp: {{ allow: [alice@example.com] }} }}
topics:
  orders: {{ title: Orders }}
routes:
  desk: {{ from: [desk], to: [topic:orders] }}
"""

    def subscribe(self, client, address):
        client.send(f"<presence type='subscribe' to='{address}'/>")

    async def test_01_admitted(self):
        for address in (BUS, f"desk@{BUS}"):
            self.subscribe(self.alice, address)
            await self.alice.presence(typed(address, "subscribed"))
            await self.alice.presence(shows(address))
        # In return the bus asks to see her, once.
        self.assertEqual(sum(p.get("type") == "subscribe" for p in self.alice.presences), 1)

    async def test_02_not_admitted(self):
        """An address that exists and one that does not look the same."""
        for address in (BUS, f"desk@{BUS}", f"nothing@{BUS}"):
            self.subscribe(self.mallory, address)
            await self.mallory.presence(typed(address, "unsubscribed"))
            self.assertEqual([p for p in self.mallory.presences if p.get("type") is None and BUS in p.get("from")], [])

    async def test_03_nothing_there(self):
        self.subscribe(self.alice, f"nothing@{BUS}")
        await self.alice.presence(typed(f"nothing@{BUS}", "unsubscribed"))

    async def test_50_stop_and_start(self):
        self.alice.presences.clear()
        self.assertEqual(self.bus.stop(30), 0)
        await self.alice.presence(typed(BUS, "unavailable"))
        await self.alice.presence(typed(f"desk@{BUS}", "unavailable"))
        self.bus.mark()
        self.start_bus()
        started = time.monotonic()
        await self.alice.presence(shows(BUS))
        await self.alice.presence(shows(f"desk@{BUS}"))
        print(f"# right {time.monotonic() - started:.2f} s after the start", flush=True)


if __name__ == "__main__":
    main(PresenceTest)
