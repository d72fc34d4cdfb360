# SPDX-License-Identifier: Apache-2.0
"""The server restarted and the connection cut in mid-stream, under load: cuts_test.py XYLEMD prosody|ejabberd [CUTS]

A sender gives each message an id, asks for a receipt, and sends again what got none: what was confirmed is in the
journal once. A program sends IQs the same way. A subscriber of the topic, who is cut off too, has every item in
order after one catch-up: the notifications it got, and then the items behind the last that it knows.
"""
import asyncio
import pathlib
import random
import sys
import time

import slixmpp

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import Client, condition  # noqa: E402
from tests.xmpp.relay import Relay  # noqa: E402

CUTS = int(sys.argv[3]) if len(sys.argv) > 3 else 20
WINDOW = 40  # messages without a receipt at a time
BUS = stage.BUS
PUBSUB = "http://jabber.org/protocol/pubsub"
EVENT = PUBSUB + "#event"
RECEIPTS = "urn:xmpp:receipts"
CONFIG = """
connectors:
  desk: {{ xmpp: {{ allow: ["@example.com"] }} }}
topics:
  t: {{ access: open, max_items: 100000 }}
routes:
  desk: {{ from: [desk], to: [topic:t] }}
"""


class Online:
    """An account that comes back by itself whenever its connection is lost."""

    def __init__(self, server, name, greet=None):
        self.server, self.name, self.greet = server, name, greet
        self.client, self.logins = None, 0

    def lost(self):
        return self.client is None or self.client.xmpp.transport is None

    async def ensure(self):
        while self.lost():
            client = Client(self.server, self.name)
            try:
                client.xmpp.connect(("127.0.0.1", self.server.client_port), use_ssl=False, force_starttls=False,
                                    disable_starttls=True)
                await asyncio.wait_for(client.ready.wait(), 5)
            except (asyncio.TimeoutError, OSError):
                client.xmpp.abort()
                continue
            if self.greet:
                self.greet(client)
            self.client, self.logins = client, self.logins + 1
        return self.client


class CutsTest(stage.Case):
    deadline = 500

    @classmethod
    def setUpClass(cls):
        cls.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(cls.loop)
        cls.stage = stage.Stage(sys.argv[1], sys.argv[2], CONFIG, 'allow: ["@example.com"]', ("alice", "prog", "bob"))
        cls.relay = Relay(cls.stage.server.component_port)
        cls.stage.component_port = cls.relay.port
        cls.stage.start_bus()
        cls.people_online = {}

    @classmethod
    def tearDownClass(cls):
        cls.stage.close()
        cls.relay.close()

    # --- The three that are under way -----------------------------------------------

    async def send_with_receipts(self, online, name, state):
        """Chat messages, each sent until its receipt is there; a new one as soon as the window allows."""
        def greet(client):
            client.xmpp.register_handler(slixmpp.xmlstream.handler.Callback(
                "receipts", slixmpp.xmlstream.matcher.MatchXPath("{jabber:client}message"),
                lambda message: self.take_receipt(message.xml, state)))
            state["again"] = True
        online.greet = greet
        while not (state["stop"] and not state["open"]):
            client = await online.ensure()
            if state.pop("again", False):
                for number in sorted(state["open"]):
                    self.say(client, name, number)
            while not state["stop"] and len(state["open"]) < WINDOW:
                state["open"][state["next"]] = time.monotonic()
                self.say(client, name, state["next"])
                state["next"] += 1
            for number, since in list(state["open"].items()):
                if time.monotonic() - since > 3:  # lost on the way to a server that died
                    state["open"][number] = time.monotonic()
                    self.say(client, name, number)
            await asyncio.sleep(0.02)

    def take_receipt(self, message, state):
        received = message.find(f"{{{RECEIPTS}}}received")
        if message.get("type") != "error" and received is not None:
            number = int(received.get("id").rsplit("-", 1)[1])
            if state["open"].pop(number, None) is not None:
                state["done"].add(number)

    def say(self, client, name, number):
        try:
            client.send(f"<message to='desk@{BUS}' type='chat' id='{name}-{number}'><body>{{\"{name}\": {number}}}</body>"
                        f"<request xmlns='{RECEIPTS}'/></message>")
        except slixmpp.xmlstream.xmlstream.NotConnectedError:
            pass

    async def send_iqs(self, online, state):
        """One IQ after the other, each repeated with its id until a result came."""
        while not state["stop"]:
            number = state["next"]
            while number not in state["done"]:
                client = await online.ensure()
                try:
                    answer = await client.iq_named(f"prog-{number}", "set", f"desk@{BUS}",
                                                   "<event xmlns='urn:xylem:message:0'><json xmlns='urn:xmpp:json:0'>"
                                                   f"{{\"prog\": {number}}}</json></event>", 5)
                    if answer.get("type") == "result":
                        state["done"].add(number)
                except (asyncio.TimeoutError, slixmpp.xmlstream.xmlstream.NotConnectedError):
                    pass
            state["next"] += 1

    async def follow(self, online, state):
        """A subscriber: each item once, in the order in which they came; repeats are known by their id."""
        while not state["stop"]:
            client = await online.ensure()
            if not state["subscribed"]:
                try:
                    answer = await client.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'><subscribe node='t' jid='bob@example.com'/></pubsub>")
                    state["subscribed"] = answer.get("type") == "result"
                except (asyncio.TimeoutError, slixmpp.xmlstream.xmlstream.NotConnectedError):
                    continue
            for message in client.received:
                # What the server kept for somebody offline comes beside what is new, in no order with it.
                kept = message.find("{urn:xmpp:delay}delay") is not None
                for item in message.iter(f"{{{EVENT}}}item"):
                    state["kept" if kept else "seen"].append(item.get("id"))
            client.received.clear()
            await asyncio.sleep(0.02)

    # --- The test ---------------------------------------------------------------------

    async def journaled(self):
        """Every message that came in at the desk, as (who, number), by paging through all."""
        found, after = [], ""
        while True:
            page = self.stage.api(f"messages?ingress=desk&limit=1000{after}")[1]
            for message in page["messages"]:
                found.append(message)
            if not page.get("next"):
                return found
            after = f"&after={page['next']}"

    async def test_01_cuts_under_load(self):
        server = self.stage.server
        alice, prog, bob = (Online(server, name) for name in ("alice", "prog", "bob"))
        chat, iqs = ({"open": {}, "done": set(), "next": 0, "stop": False} for _ in range(2))
        items = {"seen": [], "kept": [], "stop": False, "subscribed": False}
        follower = asyncio.ensure_future(self.follow(bob, items))
        while not items["subscribed"]:
            await asyncio.sleep(0.02)
        senders = [asyncio.ensure_future(self.send_with_receipts(alice, "alice", chat)),
                   asyncio.ensure_future(self.send_iqs(prog, iqs))]
        dice = random.Random(7)
        kinds = []
        for cut in range(CUTS):
            goal = len(chat["done"]) + dice.randint(50, 200)
            while len(chat["done"]) < goal:  # under load, wherever that is
                await asyncio.sleep(0.005)
                for task in [*senders, follower]:
                    if task.done():
                        task.result()
            kind = "server" if cut % 4 == 3 else "link"
            kinds.append(kind)
            self.stage.bus.mark()
            if kind == "server":
                server.kill()
                await self.loop.run_in_executor(None, server.start)
            else:
                self.relay.cut()
            await self.loop.run_in_executor(None, self.stage.bus.wait_line, r"connected as bus", 120)
        chat["stop"] = iqs["stop"] = True
        await asyncio.gather(*senders)
        items["stop"] = True
        await follower
        stage.say(f"{CUTS} cuts: {kinds.count('link')} of the link, {kinds.count('server')} of the server by kill -9; "
                  f"alice logged in {alice.logins} times, bob {bob.logins}")
        type(self).chat, type(self).iqs, type(self).items, type(self).bob = chat, iqs, items, bob

    async def test_02_what_was_confirmed_is_journaled_once(self):
        rows = await self.journaled()
        ids = [row["id"] for row in rows]
        for who, done in (("alice", self.chat["done"]), ("prog", self.iqs["done"])):
            numbers = [int(name.rsplit("-", 1)[1]) for name in ids if name.startswith(who + "-")]
            lost, twice = done - set(numbers), len(numbers) - len(set(numbers))
            stage.say(f"{who}: {len(done)} confirmed, {len(lost)} of them lost, {len(set(numbers))} in the journal, {twice} twice")
            self.assertEqual((len(lost), twice), (0, 0), who)
            self.assertGreater(len(done), 0)

    async def test_03_a_subscriber_has_all_after_one_catch_up(self):
        client = await self.bob.ensure()
        seen = list(dict.fromkeys(self.items["seen"]))
        wanted = []  # all items, oldest first, as the topic's journal has them
        while len(wanted) < len(self.chat["done"]) + len(self.iqs["done"]):
            wanted = await self.all_items(client)
        caught = [name for name in wanted if name not in set(seen)]
        order = {name: place for place, name in enumerate(wanted)}
        wrong = [(a, b) for a, b in zip(seen, seen[1:]) if order[a] > order[b]]
        self.assertEqual(wrong[:5], [], "the notifications came in order")
        first_gap = next((i for i, name in enumerate(wanted) if i >= len(seen) or seen[i] != name), len(wanted))
        have = sorted({*seen, *wanted[first_gap:]}, key=order.__getitem__)
        self.assertEqual(have, wanted)
        stage.say(f"bob: {len(wanted)} items, {len(seen)} of them by notification in order, {len(caught)} by the catch-up; {len(self.items['kept'])} came from the server's offline store, "
                  f"{len(self.items['seen']) - len(seen)} notifications came again with the same id")

    async def all_items(self, client):
        """Page by page (XEP-0059), from the oldest."""
        found, after = [], ""
        while True:
            answer = await client.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><items node='t'/><set xmlns='http://jabber.org/protocol/rsm'>"
                                     f"<max>100</max>{after}</set></pubsub>")
            self.assertEqual(condition(answer), "result")
            page = [item.get("id") for item in answer.iter(f"{{{PUBSUB}}}item")]
            found += page
            last = answer.find(".//{http://jabber.org/protocol/rsm}last")
            if not page or last is None:
                return found
            after = f"<after>{last.text}</after>"

    async def test_04_a_repeat_after_a_restart_of_the_bus(self):
        """What the journal has is known again: a repeat gets its receipt and is not journaled."""
        client = await self.bob.ensure()
        before = len(await self.journaled())
        self.stage.stop_bus()
        self.stage.bus.mark()
        self.stage.start_bus()
        alice = await Client(self.stage.server, "alice").login()
        number = min(self.chat["done"])
        for _ in range(2):
            self.say(alice, "alice", number)
            await alice.message(lambda m: m.find(f"{{{RECEIPTS}}}received") is not None)
        self.assertEqual(len(await self.journaled()), before)
        # The same id with another content is another message.
        alice.send(f"<message to='desk@{BUS}' type='chat' id='alice-{number}'><body>new</body><request xmlns='{RECEIPTS}'/></message>")
        await alice.message(lambda m: m.find(f"{{{RECEIPTS}}}received") is not None)
        self.assertEqual(len(await self.journaled()), before + 1)
        await alice.logout()
        await client.logout()


if __name__ == "__main__":
    stage.run(CutsTest)
