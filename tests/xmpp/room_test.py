# SPDX-License-Identifier: Apache-2.0
"""Rooms as endpoints: room_test.py XYLEMD prosody|ejabberd

The bus enters rooms, says what its routes send, hears what others say, and comes back after all that can put it out.
"""
import asyncio
import json
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import social, stage  # noqa: E402
from tests.xmpp.client import body  # noqa: E402
from tests.xmpp.relay import Relay  # noqa: E402

BUS, ROOMS = stage.BUS, social.ROOMS
MUC = "http://jabber.org/protocol/muc"
USER = f"{{{MUC}#user}}"
KICK = re.compile(rb"<presence(?:(?!</presence>).)*?code=['\"]307['\"].*?</presence>", re.DOTALL)


class RoomTest(stage.Case):
    people = ("alice", "bob")
    xmpp = "allow: ['@example.com']"
    config = """
users: {{ ops: {{ role: admin, jids: [ops@example.com] }} }}
connectors:
  in: {{ xmpp: {{ allow: [alice@example.com] }} }}
  heard: {{ xmpp: {{ to: [bob@example.com], event: true }} }}
  ops: {{ xmpp: {{ room: {{ jid: ops@rooms.example.com, nick: bus, ping: 1s }} }} }}
  quiz: {{ xmpp: {{ room: {{ jid: quiz@rooms.example.com, nick: bus }}, reply: true, text: "{{/data}}!" }} }}
  vault: {{ xmpp: {{ room: {{ jid: vault@rooms.example.com, password: {{ file: "{folder}/room.secret" }} }} }} }}
  fresh: {{ xmpp: {{ room: {{ jid: fresh@rooms.example.com, create: true }} }} }}
routes:
  say: {{ from: [in], where: '.type == "say"', deliver: {{ probe: 100ms, backoff_max: 500ms }}, to: [ops] }}
  tell: {{ from: [in], where: '.type == "fresh"', deliver: {{ probe: 100ms, backoff_max: 500ms }}, to: [fresh] }}
  hide: {{ from: [in], where: '.type == "vault"', deliver: {{ probe: 100ms, backoff_max: 500ms }}, to: [vault] }}
  hear: {{ from: [ops], to: [heard] }}
  ask: {{ from: [quiz], where: '.data != "silence"', to: [quiz] }}
"""

    @classmethod
    def set_the_stage(cls):
        cls.relay = Relay(swallows=KICK)
        cls.relay.target, cls.stage.component_port = cls.stage.server.component_port, cls.relay.port
        cls.stage.secret("room.secret", "sesame")

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.relay.close()

    # --- What a person does --------------------------------------------------------------

    async def enter(self, client, room, nick, password=None):
        secret = f"<password>{password}</password>" if password else ""
        client.send(f"<presence to='{room}@{ROOMS}/{nick}'><x xmlns='{MUC}'>{secret}</x></presence>")
        presence = await client.presence(lambda p: p.get("from") == f"{room}@{ROOMS}/{nick}"
                                         and "110" in self.statuses(p))
        if "201" in self.statuses(presence):
            await client.iq("set", f"{room}@{ROOMS}", f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' "
                                                      "type='submit'/></query>")

    @staticmethod
    def statuses(presence):
        return {s.get("code") for s in presence.iter(USER + "status")}

    def in_room(self, room, nick):
        return lambda p: p.get("from") == f"{room}@{ROOMS}/{nick}" and p.get("type") is None

    def admin(self, client, room, **item):
        client.presences.clear()  # what comes next is what follows
        written = " ".join(f"{name}='{value}'" for name, value in item.items())
        return client.iq("set", f"{room}@{ROOMS}", f"<query xmlns='{MUC}#admin'><item {written}/></query>")

    def said(self, room, nick, text=None):
        return lambda m: (m.get("from") == f"{room}@{ROOMS}/{nick}" and m.get("type") == "groupchat"
                          and body(m) is not None and (text is None or body(m) == text))

    def say(self, client, room, text, more=""):
        client.send(f"<message to='{room}@{ROOMS}' type='groupchat' id='g-{abs(hash(text))}'><body>{text}</body>{more}"
                    "</message>")

    def invite(self, client, room, whom):
        client.send(f"<message to='{room}@{ROOMS}'><x xmlns='{MUC}#user'><invite to='{whom}'/></x></message>")

    def publish(self, kind, data):
        return self.publish_event("in", kind, data)

    async def health(self, name, words):
        end = time.monotonic() + 60
        while True:
            _, answer = self.stage.api("connectors")
            found = [json.dumps(c) for c in answer["connectors"] if c["name"] == name]
            if found and words in found[0]:
                return
            self.assertLess(time.monotonic(), end, f"{words!r} is not in {found}")
            await asyncio.sleep(0.02)

    # --- In -------------------------------------------------------------------------------------

    async def test_01_a_room_that_is_not_there_is_not_made(self):
        await self.health("ops", "there is no such room")
        # Made by a person, it is entered when the bus is invited, or looks again.
        await self.enter(self.alice, "ops", "alice")
        # By its own word, or the room's.
        if sys.argv[2] == "prosody":
            self.alice.send(f"<message to='ops@{BUS}'><x xmlns='jabber:x:conference' jid='ops@{ROOMS}'/></message>")
        else:
            self.invite(self.alice, "ops", f"ops@{BUS}")
        await self.alice.presence(self.in_room("ops", "bus"))
        await self.health("ops", '"up": true')

    async def test_02_one_that_may_be_made(self):
        await self.delivered(self.publish("fresh", "first"))
        await self.enter(self.bob, "fresh", "bob")
        await self.bob.presence(self.in_room("fresh", "fresh"))

    async def test_03_says_and_hears(self):
        handle = self.publish("say", "to all")
        self.assertEqual(body(await self.alice.message(self.said("ops", "bus"))), "to all")
        await self.delivered(handle)
        # What cannot be read is not heard, whatever stands beside it for others.
        self.alice.send(f"<message to='ops@{ROOMS}' type='groupchat' id='secret'><body>I sent you an encrypted message."
                        "</body><encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted></message>")
        self.say(self.alice, "ops", "hello bus")
        heard = await self.bob.message(lambda m: m.get("from", "").startswith(f"heard@{BUS}"))
        event = json.loads(heard.find("{urn:xylem:message:0}event")[0].text)
        # Its own words are not among what it hears.
        self.assertEqual((event["source"], event["data"], event["xmppkind"], event["xmppfrom"]),
                         (f"xmpp:ops@{ROOMS}/alice", "hello bus", "groupchat", f"ops@{ROOMS}/alice"))

    async def test_04_a_bot_in_the_room(self):
        await self.enter(self.alice, "quiz", "bus")  # the nickname is taken
        self.invite(self.alice, "quiz", f"quiz@{BUS}")
        await self.alice.presence(self.in_room("quiz", "bus2"))
        self.say(self.alice, "quiz", "silence")
        self.say(self.alice, "quiz", "echo")
        self.assertEqual(body(await self.alice.message(self.said("quiz", "bus2"))), "echo!")

    async def test_05_a_password(self):
        await self.enter(self.alice, "vault", "alice")
        form = ("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
                f"{MUC}#roomconfig</value></field><field var='muc#roomconfig_passwordprotectedroom'><value>1</value>"
                "</field><field var='muc#roomconfig_roomsecret'><value>{}</value></field></x>")
        for password in ("other", "sesame"):
            answer = await self.alice.iq("set", f"vault@{ROOMS}",
                                         f"<query xmlns='{MUC}#owner'>{form.format(password)}</query>")
            self.assertEqual(answer.get("type"), "result")
            self.invite(self.alice, "vault", f"vault@{BUS}")
            if password == "other":
                await self.health("vault", "it wants another password")
        await self.alice.presence(self.in_room("vault", "vault"))
        await self.delivered(self.publish("vault", "a secret"))

    # --- Out, and in again ------------------------------------------------------------------------

    async def test_06_without_voice(self):
        """Not to be heard is a matter of the room's settings: the message waits, and says why, until they are changed."""
        moderated = ("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#"
                     "roomconfig</value></field><field var='muc#roomconfig_moderatedroom'><value>{}</value></field></x>")
        owner = f"<query xmlns='{MUC}#owner'>{moderated}</query>"
        await self.alice.iq("set", f"ops@{ROOMS}", owner.format(1))
        self.assertEqual((await self.admin(self.alice, "ops", nick="bus", role="visitor")).get("type"), "result")
        handle = self.publish("say", "in a low voice")
        await self.health("ops", "forbidden: ")
        # An occupant's error is no word of the room.
        self.alice.send(f"<message to='ops@{ROOMS}/bus' type='error' id='x'><error type='cancel'><not-acceptable xmlns="
                        "'urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")
        self.assertEqual((await self.admin(self.alice, "ops", nick="bus", role="participant")).get("type"), "result")
        self.assertEqual(body(await self.alice.message(self.said("ops", "bus"))), "in a low voice")
        await self.delivered(handle)
        await self.health("ops", '"up": true')
        self.assertEqual(self.api("hospital/cases")["cases"], [])
        await self.alice.iq("set", f"ops@{ROOMS}", owner.format(0))

    async def test_10_kicked(self):
        await self.admin(self.alice, "ops", nick="bus", role="none")
        await self.health("ops", "kicked out")
        handle = self.publish("say", "while away")
        await self.alice.presence(self.in_room("ops", "bus"), 60)
        self.assertEqual(body(await self.alice.message(self.said("ops", "bus"))), "while away")
        await self.delivered(handle)

    async def test_11_forgotten(self):
        """The room puts it out and the news is lost: asking once in a while finds out."""
        self.relay.swallow.set()
        await self.admin(self.alice, "ops", nick="bus", role="none")
        await self.alice.presence(lambda p: p.get("from") == f"ops@{ROOMS}/bus" and "307" in self.statuses(p))
        self.relay.swallow.clear()
        await self.alice.presence(self.in_room("ops", "bus"), 60)
        await self.delivered(self.publish("say", "here again"))

    async def test_12_banned(self):
        await self.admin(self.alice, "ops", jid=f"ops@{BUS}", affiliation="outcast")
        await self.health("ops", "was banned")
        handle = self.publish("say", "after the ban")
        await self.admin(self.alice, "ops", jid=f"ops@{BUS}", affiliation="none")
        self.invite(self.alice, "ops", f"ops@{BUS}")
        await self.alice.presence(self.in_room("ops", "bus"), 60)
        await self.admin(self.alice, "ops", nick="bus", role="participant")  # ejabberd gives no voice after a ban
        await self.delivered(handle)

    async def test_13_invited_elsewhere(self):
        await self.enter(self.alice, "party", "alice")
        self.invite(self.alice, "party", f"ops@{BUS}")
        declined = await self.alice.message(lambda m: m.find(f"{USER}x/{USER}decline") is not None)
        self.assertTrue(declined.find(f"{USER}x/{USER}decline").get("from").startswith(f"ops@{BUS}"))

    async def test_14_history_is_not_read_again(self):
        """A server that restarts: the bus enters again, and what was said before does not come in twice."""
        self.bob.received.clear()
        self.say(self.alice, "ops", "before")
        await self.bob.message(lambda m: m.get("from", "").startswith(f"heard@{BUS}") and body(m) == "before")
        await self.admin(self.alice, "ops", nick="bus", role="none")
        await self.alice.presence(self.in_room("ops", "bus"), 120)
        self.say(self.alice, "ops", "after")
        heard = await self.bob.message(lambda m: m.get("from", "").startswith(f"heard@{BUS}"))
        self.assertEqual(body(heard), "after")

    async def test_15_destroyed(self):
        answer = await self.alice.iq("set", f"ops@{ROOMS}", f"<query xmlns='{MUC}#owner'><destroy/></query>")
        self.assertEqual(answer.get("type"), "result")
        await self.health("ops", "it was destroyed")
        info = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
        self.assertEqual((await self.alice.iq("get", f"ops@{ROOMS}", info)).get("type"), "error")


if __name__ == "__main__":
    stage.run(RoomTest)
