# SPDX-License-Identifier: Apache-2.0
"""The bus as an ordinary account: client_test.py XYLEMD prosody|ejabberd

Roster and presence, priorities, rooms, people who are not online; a connection that is cut, resumed, and made again
while thousands of other descriptors are open.
"""
import asyncio
import json
import os
import pathlib
import re
import resource
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import social, stage  # noqa: E402
from tests.xmpp.client import Client, body, condition  # noqa: E402
from tests.xmpp.relay import Relay  # noqa: E402

BUS, ROOMS = stage.BUS, social.ROOMS
MUC = "http://jabber.org/protocol/muc"
DESCRIPTORS = 2000
ACCOUNT = """{{ xmpp_client: {{ jid: {name}@example.com, password: {{ file: "{folder}/account.secret" }},
             server: "127.0.0.1:{port}", tls: {{ plaintext: true }}, {more} }} }}"""


def account(name, more, port="{relay}"):
    return ACCOUNT.replace("{name}", name).replace("{port}", port).replace("{more}", more)


class ClientTest(stage.Case):
    people, accounts = ("alice", "bob", "carol", "mallory"), ("helper", "agent")
    xmpp = "allow: ['@example.com']"
    config = f"""
users: {{{{ ops: {{{{ role: admin, jids: [ops@example.com] }}}} }}}}
connectors:
  hook: {{{{ webhook: {{{{ path: /hook, listen: "127.0.0.1:{{hook}}", verify: none }}}} }}}}
  in: {{{{ xmpp: {{{{ allow: [alice@example.com] }}}} }}}}
  heard: {{{{ xmpp: {{{{ to: [bob@example.com] }}}} }}}}
  helper: {account("helper", "allow: [alice@example.com], to: [carol@example.com], offline: hold, confirm: receipt")}
  agent: {account("agent", "allow: ['@example.com'], priority: -1, reply: true")}
  room: {account("agent", "resource: room, priority: -1, room: {{ jid: ops@rooms.example.com, nick: agent, create: true }}")}
routes:
  hold: {{{{ from: [in], where: '.type == "hold"', deliver: {{{{ timeout: 5s, probe: 100ms, backoff_max: 500ms }}}}, to: [helper] }}}}
  say: {{{{ from: [in], where: '.type == "say"', deliver: {{{{ probe: 100ms, backoff_max: 500ms }}}}, to: [room] }}}}
  hear: {{{{ from: [helper, hook, room], to: [heard] }}}}
  answer: {{{{ from: [agent], to: [agent] }}}}
"""

    @classmethod
    def setUpClass(cls):
        resource.setrlimit(resource.RLIMIT_NOFILE, (4 * DESCRIPTORS, max(
            4 * DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        os.environ["LSAN_OPTIONS"] = f"suppressions={pathlib.Path(__file__).parent / 'strophe.supp'}"
        super().setUpClass()
        for name in ("helper@example.com", "agent@example.com"):
            cls.stage.bus.wait_line(rf"xmpp: {name}: connected", 60)

    @classmethod
    def set_the_stage(cls):
        cls.relay = Relay(swallows=re.compile(rb"<iq (?=[^>]*id=['\"]xylem-)(?=[^>]*from=['\"]example\.com['\"])[^>]*/>"))
        cls.relay.target = cls.stage.server.client_port
        cls.stage.values["relay"] = cls.relay.port
        cls.stage.secret("account.secret", "pw")

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.relay.close()

    def publish(self, kind, data):
        return self.publish_event("in", kind, data)

    async def heard(self):
        return body(await self.bob.message(lambda m: m.get("from", "").startswith(f"heard@{BUS}"), 60))

    async def test_01_contacts(self):
        """Who may talk with it may have it as a contact; of others it is silent."""
        for client in (self.mallory, self.alice):
            client.send("<presence type='subscribe' to='helper@example.com'/>")
        await self.alice.presence(lambda p: p.get("from") == "helper@example.com/xylem" and p.get("type") is None)
        self.assertEqual([(p.get("from"), p.get("type")) for p in self.mallory.presences
                          if p.get("from").startswith("helper@") and p.get("type") != "unavailable"], [])
        info = await self.alice.iq("get", "helper@example.com/xylem",
                                   "<query xmlns='http://jabber.org/protocol/disco#info'/>")
        features = {f.get("var") for f in info.iter("{http://jabber.org/protocol/disco#info}feature")}
        self.assertIn("urn:xmpp:receipts", features)

    async def test_02_a_negative_priority(self):
        """A personal agent: what goes to the bare address is the person's, the agent answers at its own."""
        person = await Client(self.stage.server, "agent").login()
        await person.presence(lambda p: p.get("from") == str(person.xmpp.boundjid))
        self.alice.send("<message to='agent@example.com' type='chat' id='p1'><body>for the person</body></message>")
        self.assertEqual(body(await person.message(lambda m: m.get("id") == "p1")), "for the person")
        self.alice.send("<message to='agent@example.com/xylem' type='chat' id='p2'><body>for the agent</body></message>")
        answer = await self.alice.message(lambda m: m.get("from") == "agent@example.com/xylem")
        self.assertEqual(body(answer), "for the agent")
        await person.logout()

    async def test_02_calls_do_not_ring_for_ever(self):
        """An offer is rejected, unless a client of a person's rings too; of a stranger's nobody hears."""
        call = "urn:xmpp:jingle-message:0"

        def offer(client, to, name):
            client.send(f"<message to='{to}' type='chat'><propose xmlns='{call}' id='{name}'>"
                        "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>"
                        "<store xmlns='urn:xmpp:hints'/></message>")

        async def rejected(name):
            answer = await self.alice.message(lambda m: m.find(f"{{{call}}}reject") is not None)
            self.assertEqual((answer.get("from"), answer.get("type"), answer.find(f"{{{call}}}reject").get("id")),
                             ("helper@example.com/xylem", "chat", name))
        offer(self.alice, "helper@example.com", "c1")
        await rejected("c1")
        person = await Client(self.stage.server, "helper").login()
        await person.presence(lambda p: p.get("from") == "helper@example.com/xylem" and p.get("type") is None)
        for client in (self.alice, self.mallory):
            offer(client, "helper@example.com", "c2")
            await person.message(lambda m: m.find(f"{{{call}}}propose") is not None)
        offer(self.mallory, "helper@example.com/xylem", "c3")
        offer(self.alice, "helper@example.com/xylem", "c4")
        await rejected("c4")  # c2 was not, or it had come before
        address = str(person.xmpp.boundjid)
        await person.logout()
        await self.alice.presence(lambda p: p.get("from") == address and p.get("type") == "unavailable")
        for client in (self.alice, self.mallory):
            offer(client, "helper@example.com", "c5")
        await rejected("c5")
        self.assertEqual([m for m in (*self.mallory.received, *self.alice.received) if m.get("type") != "error"
                          and m.get("from").startswith("helper@")], [])

    async def test_02_who_may_ask_what_it_is(self):
        """For anybody else the account is not online: the server says the same of a resource that is not there."""
        for kind, payload, answer in (("get", "<ping xmlns='urn:xmpp:ping'/>", "result"),
                                      ("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "result"),
                                      ("get", "<query xmlns='jabber:iq:version'/>", "result"),
                                      ("get", "<query xmlns='jabber:iq:last'/>", "cancel/service-unavailable"),
                                      ("set", "<order xmlns='urn:acme:orders:1'/>", "result")):
            self.assertEqual(condition(await self.alice.iq(kind, "helper@example.com/xylem", payload)), answer, payload)
            for there in ("xylem", "nowhere"):
                self.assertEqual(condition(await self.mallory.iq(kind, f"helper@example.com/{there}", payload)),
                                 "cancel/service-unavailable", f"{payload} at {there}")
        await self.heard()

    async def test_02_only_the_server_confirms(self):
        """A result that somebody else sends, with the id of the ping behind a message, is none."""
        self.relay.swallow.set()
        self.alice.send("<message to='agent@example.com/xylem' type='chat' id='forged'><body>to confirm</body></message>")
        await self.alice.message(lambda m: m.get("from") == "agent@example.com/xylem" and body(m) == "to confirm")
        for number in range(100):
            self.mallory.send(f"<iq type='result' to='agent@example.com/xylem' id='xylem-{number}'/>")
        await self.mallory.iq("get", "agent@example.com/xylem", "<ping xmlns='urn:xmpp:ping'/>")  # it has read them
        found = self.api("messages?ingress=agent&limit=10")["messages"]
        handle, = (m["handle"] for m in found if m["id"] == "forged")
        lane, = (lane for lane in self.api(f"messages/{handle}")["lanes"] if lane["lane"] == "answer/agent")
        self.assertEqual(lane["outcome"], "pending")
        self.relay.swallow.clear()
        self.relay.cut()
        await self.delivered(handle)

    async def test_03_held_until_online_and_a_receipt(self):
        await self.carol.presence(lambda p: p.get("from").startswith("helper@example.com"), 30)
        await self.carol.logout()
        del self.people_online["carol"]
        handle = self.publish("hold", "wake up")
        while "carol@example.com is not online" not in json.dumps(self.stage.api("lanes/hold/helper")[1]):
            await asyncio.sleep(0.02)
        carol = await self.come_online("carol")
        message = await carol.message(lambda m: m.get("from", "").startswith("helper@example.com"))
        self.assertEqual(body(message), "wake up")
        carol.send(f"<message to='{message.get('from')}'><received xmlns='urn:xmpp:receipts' id='{message.get('id')}'/>"
                   "</message>")
        await self.delivered(handle)

    async def test_04_a_room(self):
        self.alice.send(f"<presence to='ops@{ROOMS}/alice'><x xmlns='{MUC}'/></presence>")
        await self.alice.presence(lambda p: p.get("from") == f"ops@{ROOMS}/agent", 30)
        handle = self.publish("say", "from the account")
        said = await self.alice.message(lambda m: m.get("from") == f"ops@{ROOMS}/agent" and body(m) is not None)
        self.assertEqual(body(said), "from the account")
        await self.delivered(handle)
        self.alice.send(f"<message to='ops@{ROOMS}' type='groupchat' id='r1'><body>to the account</body></message>")
        self.assertEqual(await self.heard(), "to the account")

    async def test_05_a_cut_connection_is_resumed(self):
        """What was sent to it meanwhile is not lost, and comes once."""
        for i in range(3):
            self.stage.bus.mark()
            self.relay.cut()
            for part in range(5):
                self.alice.send(f"<message to='helper@example.com' type='chat' id='c{i}-{part}'><body>cut {i} {part}</body>"
                                "</message>")
            self.stage.bus.wait_line(r"xmpp: helper@example\.com: connected, the stream was resumed", 60)
            self.assertEqual([await self.heard() for _ in range(5)], [f"cut {i} {part}" for part in range(5)])

    async def test_05_whoever_was_online_still_is(self):
        """Who is online is not told again on a resumed stream."""
        self.stage.bus.mark()
        self.relay.cut()
        self.stage.bus.wait_line(r"xmpp: helper@example\.com: connected, the stream was resumed", 60)
        handle = self.publish("hold", "still there")
        message = await self.carol.message(lambda m: body(m) == "still there")
        self.carol.send(f"<message to='{message.get('from')}'><received xmlns='urn:xmpp:receipts' id='{message.get('id')}'/>"
                        "</message>")
        await self.delivered(handle)

    async def test_06_thousands_of_descriptors(self):
        """libstrophe cannot use a socket numbered 1024 or more; the connector keeps a low one for it."""
        many = [socket.create_connection(("127.0.0.1", self.stage.hook), source_address=(f"127.0.0.{2 + i // 900}", 0))
                for i in range(DESCRIPTORS)]
        try:
            folder = pathlib.Path(f"/proc/{self.stage.bus.pid}/fd")
            while len(list(folder.iterdir())) < DESCRIPTORS:
                await asyncio.sleep(0.05)
            highest = max(int(f.name) for f in folder.iterdir())
            stage.say(f"{len(list(folder.iterdir()))} descriptors, the highest is {highest}")
            self.assertGreaterEqual(highest, DESCRIPTORS)
            for i in range(3):
                self.stage.bus.mark()
                self.relay.cut()
                self.stage.bus.wait_line(r"xmpp: helper@example\.com: connected", 60)
                self.alice.send(f"<message to='helper@example.com' type='chat' id='d{i}'><body>high {i}</body></message>")
                self.assertEqual(await self.heard(), f"high {i}")
        finally:
            for one in many:
                one.close()

    async def test_07_a_server_that_restarts(self):
        for name in list(self.people_online):
            await self.people_online.pop(name).logout()
        self.stage.bus.mark()
        self.stage.server.stop()
        self.stage.server.start()
        self.stage.bus.wait_line(r"xmpp: helper@example\.com: connected", 90)
        alice, _ = await self.come_online("alice"), await self.come_online("bob")
        alice.send("<message to='helper@example.com' type='chat' id='s1'><body>after the restart</body></message>")
        self.assertEqual(await self.heard(), "after the restart")


if __name__ == "__main__":
    stage.run(ClientTest)
