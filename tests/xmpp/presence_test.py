# SPDX-License-Identifier: Apache-2.0
"""Presence of the bus, whole: presence_test.py XYLEMD prosody|ejabberd

The bus and its parts as contacts: who may have them, what they show, and that it is right after restarts, cuts and
kills.
"""
import base64
import hashlib
import pathlib
import sqlite3
import struct
import subprocess
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import CLIENT, Client, condition  # noqa: E402

BUS = stage.BUS
PUBSUB = "http://jabber.org/protocol/pubsub"
VERSION = "<query xmlns='jabber:iq:version'/>"


def shows(address, show=None, words=None):
    """Available presence of that bare address, with this <show/> (None: any; "": none), whose status has `words`."""
    def wanted(stanza):
        found = stanza.findtext(CLIENT + "show", "")
        return (stanza.get("from").split("/")[0] == address and stanza.get("type") is None and show in (None, found)
                and (words is None or words in stanza.findtext(CLIENT + "status", "")))
    return wanted


def chunks(picture):
    """Type and content of each chunk of a PNG, whose sums are right."""
    at, found = 8, []
    while at < len(picture):
        n = int.from_bytes(picture[at:at + 4], "big")
        found.append(picture[at + 4:at + 8 + n])
        assert zlib.crc32(found[-1]) == int.from_bytes(picture[at + 8 + n:at + 12 + n], "big")
        at += 12 + n
    return found


def typed(address, kind):
    return lambda stanza: stanza.get("from").split("/")[0] == address and stanza.get("type") == kind


class PresenceTest(stage.Case):
    people = ("alice", "ops", "mallory")
    xmpp = "allow: [alice@example.com]"
    config = """
users: {{ ops: {{ role: operator, jids: [ops@example.com] }} }}
connectors:
  desk: {{ xmpp: {{ allow: [alice@example.com] }} }}
  away: {{ http: {{ url: "http://127.0.0.1:9/nobody-listens" }} }}
topics:
  orders: {{ title: Orders }}
  a/b: {{ title: "A slash" }}
routes:
  desk: {{ from: [desk], where: '.type != "lost"', to: [topic:orders] }}
  lost: {{ from: [desk], where: '.type == "lost"', to: [away] }}
"""
    PARTS = (BUS, f"route.desk@{BUS}", f"connector.desk@{BUS}", f"topic.orders@{BUS}", f"topic.a\\2fb@{BUS}")

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

    # --- Parts ---------------------------------------------------------------------

    async def test_10_parts_are_contacts(self):
        for address in self.PARTS:
            self.subscribe(self.ops, address)
            await self.ops.presence(typed(address, "subscribed"))
        for address, words in zip(self.PARTS, ("connectors up", "1 lane", "received", "subscribers", "A slash")):
            await self.ops.presence(shows(address, words=words))

    async def test_11_a_paused_lane_is_seen_within_a_second(self):
        # Numbers that changed before come with the state, and not on their own before a minute has passed.
        for n in range(5):
            self.api("publish", {"ingress": "desk", "data": n})
        await self.until("delivered", lambda: self.api("lanes/desk/topic:orders")["delivered"] >= 5)
        self.ops.presences.clear()
        paused = time.monotonic()
        self.api("lanes/desk/topic:orders/pause", {})
        seen = await self.ops.presence(shows(f"route.desk@{BUS}", "dnd", "desk/topic:orders paused"))
        print(f"# seen {time.monotonic() - paused:.2f} s after it was paused", flush=True)
        self.assertIn("5 delivered", seen.findtext(CLIENT + "status"))
        await self.ops.presence(shows(BUS, "dnd", "desk/topic:orders paused"))
        self.assertEqual([p for p in self.ops.presences if p.get("from").startswith("route.desk@")], [])
        self.api("lanes/desk/topic:orders/resume", {})
        await self.ops.presence(shows(f"route.desk@{BUS}", "", "ok"))

    async def test_12_a_destination_that_is_gone(self):
        self.subscribe(self.ops, f"route.lost@{BUS}")
        await self.ops.presence(shows(f"route.lost@{BUS}", ""))
        self.api("publish", {"ingress": "desk", "type": "lost", "data": 1})
        await self.ops.presence(shows(f"route.lost@{BUS}", "xa", "lost/away down"), 60)
        await self.ops.presence(shows(BUS, "away", "lost/away down"))

    async def test_13_what_is_asked_of_a_part(self):
        address = f"route.desk@{BUS}"
        card = (await self.ops.iq("get", address, "<vCard xmlns='vcard-temp'/>"))[0]
        self.assertIn("route.desk", card.findtext("{vcard-temp}FN"))
        picture = base64.b64decode(card.findtext("{vcard-temp}PHOTO/{vcard-temp}BINVAL"))
        self.assertTrue(picture.startswith(b"\x89PNG"))
        self.assertEqual((await self.ops.iq("get", address, "<ping xmlns='urn:xmpp:ping'/>")).get("type"), "result")
        last = (await self.ops.iq("get", address, "<query xmlns='jabber:iq:last'/>"))[0]
        self.assertLess(int(last.get("seconds")), 150)
        for payload in ("<query xmlns='jabber:iq:version'/>", "<time xmlns='urn:xmpp:time'/>"):
            self.assertEqual((await self.ops.iq("get", address, payload)).get("type"), "result")
        self.assertEqual(condition(await self.mallory.iq("get", address, "<vCard xmlns='vcard-temp'/>")),
                         "cancel/service-unavailable")
        self.ops.send(f"<presence type='probe' to='{address}'/>")
        shown = await self.ops.presence(shows(address))
        photo = shown.find("{vcard-temp:x:update}x/{vcard-temp:x:update}photo").text
        self.assertEqual(photo, hashlib.sha1(picture).hexdigest())

    async def test_14_capabilities_are_what_discovery_says(self):
        for address in (BUS, f"route.desk@{BUS}", f"desk@{BUS}"):
            client = self.alice if address.startswith("desk") else self.ops
            client.presences.clear()
            client.send(f"<presence type='probe' to='{address}'/>")
            caps = (await client.presence(shows(address))).find("{http://jabber.org/protocol/caps}c")
            node = f"{caps.get('node')}#{caps.get('ver')}"
            info = (await client.iq(
                "get", address, f"<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>"))[0]
            self.assertEqual(info.get("node"), node)
            identities = sorted(f"{e.get('category')}/{e.get('type')}//{e.get('name')}<" for e in info
                                if e.tag.endswith("identity"))
            features = sorted(e.get("var") for e in info if e.tag.endswith("feature"))
            text = "".join(identities + [feature + "<" for feature in features])
            self.assertEqual(base64.b64encode(hashlib.sha1(text.encode()).digest()).decode(), caps.get("ver"), text)

    async def test_15_who_comes_online_sees_it(self):
        other = await Client(self.stage.server, "ops").login()
        started = time.monotonic()
        for address in self.PARTS:
            await other.presence(shows(address))
        print(f"# all of it {time.monotonic() - started:.2f} s after the login", flush=True)
        await other.logout()

    async def test_16_numbers_alone_wait_a_minute(self):
        """Each message changes numbers; contacts hear of it once a minute at most, of another part's state at once."""
        self.ops.presences.clear()
        began, lost, quiet = time.monotonic(), f"route.lost@{BUS}", (f"route.desk@{BUS}", f"connector.desk@{BUS}")
        for n in range(1, 5):
            before = self.api("lanes/desk/topic:orders")["delivered"]
            self.publish_event("desk", "t", n)
            await self.until("delivered", lambda: self.api("lanes/desk/topic:orders")["delivered"] > before)
            # What is told of another part is the look at all of them that came after it.
            self.api("lanes/lost/away/pause", {})
            await self.ops.presence(shows(lost, "dnd"))
            self.api("lanes/lost/away/resume", {})
            await self.ops.presence(lambda p: shows(lost)(p) and not shows(lost, "dnd")(p))
        most = 1 + int(time.monotonic() - began) // 60
        for address in quiet:
            told = [p.findtext(CLIENT + "status") for p in self.ops.presences if p.get("from").split("/")[0] == address]
            self.assertLessEqual(len(told), most, told)
        self.ops.send(f"<presence type='probe' to='{quiet[0]}'/>")  # who asks is told them as they are
        await self.ops.presence(shows(quiet[0], words=f" {before + 1} delivered"))

    async def test_17_the_picture_shows_the_state(self):
        """In presence by its hash, in the card by its bytes: each state another, each a picture."""
        address = f"route.desk@{BUS}"
        self.ops.presences.clear()
        self.api("lanes/desk/topic:orders/pause", {})
        paused = await self.picture(await self.ops.presence(shows(address, "dnd")), address)
        bus = await self.picture(await self.ops.presence(shows(BUS, "away", "desk/topic:orders paused")), BUS)
        self.api("lanes/desk/topic:orders/resume", {})
        well = await self.picture(await self.ops.presence(shows(address, "")), address)
        self.assertEqual(len({paused, bus, well}), 3)
        for other in (paused, bus):
            # Whoever read the name before the state changed still gets what it names.
            name = hashlib.sha1(other).hexdigest()
            self.assertEqual(base64.b64decode((await self.avatar(address, "data", name))[name].text), other)
            self.assertEqual([a[:4] for a, b in zip(chunks(other), chunks(well)) if a != b], [b"PLTE"])

    async def picture(self, presence, address):
        """What the card has, of the hash that the presence has."""
        card = (await self.ops.iq("get", address, "<vCard xmlns='vcard-temp'/>"))[0]
        picture = base64.b64decode(card.findtext("{vcard-temp}PHOTO/{vcard-temp}BINVAL"))
        self.assertEqual(presence.find("{vcard-temp:x:update}x/{vcard-temp:x:update}photo").text,
                         hashlib.sha1(picture).hexdigest())
        await self.same_avatar(address, picture)
        return picture

    async def avatar(self, address, node, *ids, by=None):
        """The items of a node of XEP-0084."""
        wanted = "".join(f"<item id='{i}'/>" for i in ids)
        answer = await (by or self.ops).iq("get", address, f"<pubsub xmlns='{PUBSUB}'><items node='urn:xmpp:avatar:{node}'>{wanted}</items></pubsub>")
        self.assertEqual(answer.get("type"), "result")
        return {item.get("id"): item[0] for item in answer.iter(f"{{{PUBSUB}}}item")}

    async def same_avatar(self, address, picture):
        """Where clients look that have no use for cards: the same, under the hash of presence."""
        name = hashlib.sha1(picture).hexdigest()
        (current, metadata), = (await self.avatar(address, "metadata")).items()
        info = metadata.find("{urn:xmpp:avatar:metadata}info").attrib
        self.assertEqual((current, info), (name, {"id": name, "bytes": str(len(picture)), "type": "image/png", "width": "32", "height": "32"}))
        self.assertEqual(struct.unpack(">II", picture[16:24]), (32, 32))
        self.assertEqual({i: base64.b64decode(data.text) for i, data in (await self.avatar(address, "data", name, "no-such")).items()},
                         {name: picture})

    async def test_18_avatars_are_retrieved_and_no_more(self):
        """The nodes of XEP-0084 at a part, an endpoint and the domain; whoever may not see the address gets none."""
        for address in (f"route.desk@{BUS}", f"desk@{BUS}", BUS):
            self.assertEqual(len(await self.avatar(address, "metadata", by=self.alice)), 1, address)
            self.assertEqual(await self.avatar(address, "data", "no-such", by=self.alice), {}, address)
        part = f"route.desk@{BUS}"
        ask = f"<pubsub xmlns='{PUBSUB}'><items node='urn:xmpp:avatar:data'/></pubsub>"
        for address, expected in ((part, "cancel/service-unavailable"), (BUS, "auth/forbidden")):
            self.assertEqual(condition(await self.mallory.iq("get", address, ask)), expected)
        for kind, payload in (("set", "<publish node='urn:xmpp:avatar:data'><item id='x'><data xmlns='urn:xmpp:avatar:data'/></item></publish>"),
                              ("get", "<items node='urn:xmpp:other'/>"), ("get", "<subscriptions/>"), ("get", "")):
            answer = await self.ops.iq(kind, part, f"<pubsub xmlns='{PUBSUB}'>{payload}</pubsub>")
            self.assertEqual(condition(answer), "cancel/service-unavailable", payload)

    async def test_19_who_asks_for_it_is_told_of_pictures(self):
        """By `+notify` (XEP-0163): of each contact at the login, of a state that changes; nobody else, and not again."""
        def of(address):
            return lambda m: m.get("from") == address and m.find(f"{{{PUBSUB}#event}}event") is not None

        def named(message):
            items = message.find(f"{{{PUBSUB}#event}}event/{{{PUBSUB}#event}}items")
            self.assertEqual((message.get("type"), items.get("node"), len(items)), ("headline", "urn:xmpp:avatar:metadata", 1))
            info = items[0].find("{urn:xmpp:avatar:metadata}metadata/{urn:xmpp:avatar:metadata}info")
            self.assertEqual(info.get("id"), items[0].get("id"))
            return items[0].get("id")

        def photo(presence):
            return presence.find("{vcard-temp:x:update}x/{vcard-temp:x:update}photo").text
        part, plain = f"route.desk@{BUS}", self.ops
        plain.received.clear()
        other = Client(self.stage.server, "ops")
        other.xmpp.register_plugin("xep_0030")
        # Features are those of the full address, which it has from the server.
        other.xmpp.add_event_handler(
            "session_bind", lambda _: other.xmpp["xep_0030"].add_feature("urn:xmpp:avatar:metadata+notify"))
        await other.login()
        first = {}
        for address in self.PARTS:
            first[address] = named(await other.message(of(address)))
            await other.presence(lambda p, a=address: shows(a)(p) and photo(p) == first[a])
        self.api("lanes/desk/topic:orders/pause", {})
        dark = photo(await other.presence(shows(part, "dnd")))
        self.assertNotEqual(dark, first[part])
        self.assertEqual(named(await other.message(of(part))), dark)
        self.api("lanes/desk/topic:orders/resume", {})
        self.assertEqual(named(await other.message(of(part))), first[part])
        # One for each change, and none to the resource that did not ask.
        await other.iq("get", part, "<ping xmlns='urn:xmpp:ping'/>")
        await plain.iq("get", part, "<ping xmlns='urn:xmpp:ping'/>")
        self.assertEqual([m for client in (other, plain) for m in client.received if of(part)(m)], [])
        await other.logout()

    # --- Changes of the configuration ----------------------------------------------------

    async def test_20_a_part_that_goes_and_comes_back(self):
        self.stage.write(self.config.replace('  a/b: {{ title: "A slash" }}\n', ""))
        self.ops.presences.clear()
        self.api("config/reload", {})
        await self.ops.presence(typed(self.PARTS[4], "unavailable"))
        self.stage.write(self.config)
        self.api("config/reload", {})
        await self.ops.presence(shows(self.PARTS[4], words="A slash"))

    async def test_21_who_is_not_admitted_any_more(self):
        self.subscribe(self.alice, BUS)
        await self.alice.presence(shows(BUS))
        self.stage.xmpp = "allow: [nobody@example.com]"
        self.stage.write(self.config)
        self.api("config/reload", {})
        await self.alice.presence(typed(BUS, "unavailable"))
        await self.alice.presence(typed(BUS, "unsubscribed"))
        self.stage.xmpp = self.xmpp
        self.stage.write(self.config)
        self.api("config/reload", {})

    async def test_22_unsubscribed(self):
        self.subscribe(self.ops, f"desk@{BUS}")
        await self.ops.presence(shows(f"desk@{BUS}"))
        self.ops.send(f"<presence type='unsubscribe' to='desk@{BUS}'/>")
        await self.ops.presence(typed(f"desk@{BUS}", "unavailable"))

    async def test_23_a_reload_that_is_refused_changes_nobody(self):
        """It fails late, when the row of its new lane cannot be written: who was admitted is, and who was not is not."""
        catalogue = sqlite3.connect(self.stage.folder / "data" / "catalogue.db", timeout=20)
        self.subscribe(self.alice, BUS)
        await self.alice.presence(shows(BUS))
        self.alice.presences.clear()
        try:
            with catalogue:
                catalogue.execute("CREATE TRIGGER no_lanes BEFORE INSERT ON lanes BEGIN SELECT RAISE(ABORT, 'no'); END")
            self.stage.xmpp = "allow: [mallory@example.com]"
            self.stage.write(self.config + "  late: {{ from: [desk], to: [topic:late] }}\n")
            status, answer = self.stage.api("config/reload", {})
            self.assertEqual((status, "cannot change" in answer["detail"]), (409, False), answer)
            self.assertEqual(condition(await self.alice.iq("get", BUS, VERSION)), "result")
            self.assertEqual(condition(await self.mallory.iq("get", BUS, VERSION)), "auth/forbidden")
        finally:
            with catalogue:
                catalogue.execute("DROP TRIGGER IF EXISTS no_lanes")
            catalogue.close()
            self.stage.xmpp = self.xmpp
            self.stage.write(self.config)
        self.api("config/reload", {})
        self.assertEqual([p for p in self.alice.presences if p.get("type") in ("unavailable", "unsubscribed")], [])

    # --- Ends ---------------------------------------------------------------------------

    def farewell(self):
        config = self.stage.folder / "xylem.yaml"
        return subprocess.run([self.stage.xylemd, "farewell", config], capture_output=True, text=True, timeout=60,
                              env={"TEST_SECRET": self.stage.server.secret, "PATH": "/usr/bin"}, check=False)

    async def all_right(self, what, started, client=None):
        for address in self.PARTS:
            await (client or self.ops).presence(shows(address))
        took = time.monotonic() - started
        print(f"# {what}: right after {took:.2f} s", flush=True)

    async def test_50_stop_and_start(self):
        self.ops.presences.clear()
        self.assertEqual(self.stage.bus.stop(30), 0)
        for address in self.PARTS:
            await self.ops.presence(typed(address, "unavailable"))
        self.ops.presences.clear()
        self.stage.bus.mark()
        started = time.monotonic()
        self.stage.start_bus()
        await self.all_right("since the start", started)

    async def test_51_killed_and_farewell(self):
        said = self.farewell()
        self.assertEqual((said.returncode, said.stdout), (0, "the bus runs: nothing to say\n"), said.stderr)
        self.stage.bus.kill()
        self.ops.presences.clear()
        said = self.farewell()
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertRegex(said.stdout, r"told \d+ contacts of bus\.example\.com")
        for address in self.PARTS:
            await self.ops.presence(typed(address, "unavailable"))
        self.ops.presences.clear()
        started = time.monotonic()
        self.stage.start_bus()
        await self.all_right("since the start after a kill", started)

    async def test_52_the_server_goes_and_comes_back(self):
        for client in self.people_online.values():
            await client.logout()
        self.stage.server.stop()
        self.stage.bus.mark()
        self.stage.server.start()
        self.stage.bus.wait_line(r"connected as bus\.example\.com", 60)
        started = time.monotonic()
        for user in self.people:
            await self.come_online(user)
        await self.all_right("since the link is up, with the logins", started)


if __name__ == "__main__":
    stage.run(PresenceTest)
