# SPDX-License-Identifier: Apache-2.0
"""People as endpoints: people_test.py XYLEMD prosody|ejabberd

Who gets a message, what counts as delivered, what happens to one for somebody who is not online, and what each error
of the other side leads to. Messages are published as if they came in at `in`; the route is chosen by the type.
"""
import asyncio
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import CLIENT, Client, body  # noqa: E402

BUS = stage.BUS
RECEIPTS = "{urn:xmpp:receipts}"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
# Sinks of one route each, chosen by the type of the event.
SINKS = {
    "receipt": "{{ to: [bob@example.com], confirm: receipt }}",
    "offered": "{{ to: [bob@example.com, dave@example.com], confirm: offered }}",
    "hold": "{{ to: [carol@example.com], offline: hold }}",
    "discard": "{{ to: [carol@example.com], offline: discard }}",
    "fallback": "{{ to: [carol@example.com], offline: fallback, fallback: [bob@example.com] }}",
    "headline": "{{ to: [carol@example.com], type: headline }}",
    "named": """{{ address: /data/jid, allow: ["@example.com"], text: "hello {{/data/name}} & {{{{you}}",
              subject: "{{/type}}", type: normal }}""",
    "strict": "{{ address: /data/jid, allow: ['@example.com', '@nowhere.example'], confirm: receipt }}",
    "unknown": "{{ to: ['\u00dcnkn\u00d6wn@Example.com'] }}",
    "both": "{{ to: [bob@example.com], address: /data, allow: ['@example.com'], event: true, body: none }}",
}
# Probes so far apart that only being told that carol is there brings what is held.
PROBES = {"hold": "probe: 10m, backoff_max: 10m"}
ROUTES = "\n".join(f"  {name}: {{{{ from: [in], where: '.type == \"{name}\"', deliver: {{{{ timeout: 2s, attempts: 2, "
                   f"backoff: 10ms, {PROBES.get(name, 'probe: 100ms, backoff_max: 500ms')} }}}}, to: [{name}] }}}}"
                   for name in SINKS)


def of(name, text=None):
    """A message from that endpoint, with that body (None: any)."""
    return lambda m: m.get("from", "").startswith(f"{name}@{BUS}") and (text is None or body(m) == text)


class PeopleTest(stage.Case):
    people = ("alice", "bob", "dave", "carol")
    xmpp = "allow: ['@example.com']"
    config = """
users: {{ ops: {{ role: admin, jids: [ops@example.com] }} }}
connectors:
  in: {{ xmpp: {{ allow: [alice@example.com] }} }}
  bot: {{ xmpp: {{ allow: ["@example.com"], reply: true }} }}
""" + "\n".join(f"  {name}: {{{{ xmpp: {sink} }}}}" for name, sink in SINKS.items()) + """
routes:
  bot:
    from: [bot]
    steps: [{{ jq: '"you said: \\(.data)"' }}]
    to: [bot]
""" + ROUTES + "\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.loop.run_until_complete(cls.prepare())

    @classmethod
    async def prepare(cls):
        """Dave's client gives receipts by itself; carol shows her presence to whom it may concern, then leaves."""
        await cls.dave.logout()
        cls.dave = cls.people_online["dave"] = Client(cls.stage.server, "dave")
        for plugin in ("xep_0030", "xep_0184"):
            cls.dave.xmpp.register_plugin(plugin)
        await cls.dave.login()
        # The clients grant what they are asked for; the answer shows that it is through.
        for client, name in ((cls.dave, "offered"), *((cls.carol, n) for n in ("hold", "discard", "fallback"))):
            await client.presence(lambda p, n=name: p.get("type") is None and p.get("from").startswith(f"{n}@{BUS}"))
        await cls.carol.logout()
        del cls.people_online["carol"]

    def publish(self, kind, data, identifier=None):
        """The handle of the message."""
        return self.publish_event("in", kind, data, **({"id": identifier} if identifier else {}))

    def lane(self, handle, name):
        """What the lane did with it: (outcome, attempts), or None while it is under way."""
        _, message = self.stage.api(f"messages/{handle}")
        for lane in message["lanes"]:
            if lane["lane"] == f"{name}/{name}" and lane["outcome"] not in (None, "pending", "waiting"):
                return lane["outcome"]
        return None

    async def settled(self, handle, name):
        while not (outcome := self.lane(handle, name)):
            await asyncio.sleep(0.02)
        return outcome

    async def case(self, handle):
        """The open case of the message: its code."""
        while True:
            _, answer = self.stage.api("hospital/cases")
            for case in answer["cases"]:
                if case["handle"] == handle:
                    return case["code"]
            await asyncio.sleep(0.02)

    async def lane_state(self, name, wanted):
        """Waits until the lane says that of itself."""
        while True:
            _, lane = self.stage.api(f"lanes/{name}/{name}")
            if wanted in json.dumps(lane):
                return lane
            await asyncio.sleep(0.02)

    # --- What counts as delivered ---------------------------------------------------

    async def test_01_a_receipt_is_the_delivery(self):
        handle = self.publish("receipt", {"n": 1})
        message = await self.bob.message(of("receipt"))
        self.assertIsNotNone(message.find(RECEIPTS + "request"))
        self.assertIsNone(self.lane(handle, "receipt"))
        self.bob.send(f"<message to='{message.get('from')}'><received xmlns='urn:xmpp:receipts' "
                      f"id='{message.get('id')}'/></message>")
        self.assertEqual(await self.settled(handle, "receipt"), "delivered")

    async def test_02_without_a_receipt_it_is_a_case(self):
        handle = self.publish("receipt", {"n": 2})
        first, second = await self.bob.message(of("receipt")), await self.bob.message(of("receipt"), 60)
        self.assertEqual(first.get("id"), second.get("id"))  # a retry is recognised
        self.assertEqual(await self.case(handle), "xmpp-no-receipt")
        # Anybody else's receipt is none.
        handle = self.publish("receipt", {"n": 3})
        message = await self.bob.message(of("receipt"))
        self.alice.send(f"<message to='{message.get('from')}'><received xmlns='urn:xmpp:receipts' "
                        f"id='{message.get('id')}'/></message>")
        self.assertEqual(await self.case(handle), "xmpp-no-receipt")

    async def test_03_a_receipt_where_a_client_offers_them(self):
        handle = self.publish("offered", {"n": 1})
        mine, daves = await self.bob.message(of("offered")), await self.dave.message(of("offered"))
        self.assertIsNone(mine.find(RECEIPTS + "request"))  # bob's client does not offer them
        self.assertIsNotNone(daves.find(RECEIPTS + "request"))
        self.assertEqual(await self.settled(handle, "offered"), "delivered")

    async def test_04_an_error_finds_its_message(self):
        """However the configuration writes the address: servers answer in lower case, with every letter."""
        handle = self.publish("unknown", {"n": 1})
        self.assertEqual(await self.case(handle), "xmpp-service-unavailable")

    # --- Who is not online ----------------------------------------------------------------

    async def test_10_the_server_stores_or_drops(self):
        # Both servers drop a headline for somebody who is offline, and say nothing: this is what `server` means.
        self.assertEqual(await self.settled(self.publish("headline", 1), "headline"), "delivered")

    async def test_11_discarded(self):
        handle = self.publish("discard", "for carol, later never")
        self.assertEqual(await self.settled(handle, "discard"), "discarded")

    async def test_12_somebody_else(self):
        handle = self.publish("fallback", "for carol or bob")
        self.assertEqual(body(await self.bob.message(of("fallback"))), "for carol or bob")
        self.assertEqual(await self.settled(handle, "fallback"), "delivered")

    async def test_13_held_until_online(self):
        first, second = self.publish("hold", "one"), self.publish("hold", "two")
        await self.lane_state("hold", "carol@example.com is not online")
        self.assertIsNone(self.lane(first, "hold"))
        await self.come_online("carol")
        self.assertEqual([body(await self.carol.message(of("hold"))) for _ in range(2)], ["one", "two"])
        self.assertEqual({await self.settled(first, "hold"), await self.settled(second, "hold")}, {"delivered"})

    async def test_14_whoever_is_online_gets_his_own(self):
        for name in ("discard", "fallback"):
            handle = self.publish(name, f"{name} for carol herself")
            self.assertEqual(body(await self.carol.message(of(name))), f"{name} for carol herself")
            self.assertEqual(await self.settled(handle, name), "delivered")
        self.assertEqual([m for m in self.bob.received if of("fallback")(m)], [])

    async def test_15_who_stands_aside_is_not_online(self):
        """A client with a negative priority gets nothing that is sent to the bare address (RFC 6121, 8.5.2.1.1)."""
        seen = lambda p: p.get("from", "").startswith("carol@") and p.findtext(CLIENT + "priority") == "-1"  # noqa: E731
        self.carol.send("<presence><priority>-1</priority></presence>")
        await self.carol.presence(seen)  # and so has the bus: it stands before this in the server's order
        await self.carol.iq("get", BUS, "<ping xmlns='urn:xmpp:ping'/>")
        self.assertEqual(await self.settled(self.publish("discard", "not to an agent"), "discard"), "discarded")
        self.publish("fallback", "to bob instead")
        self.assertEqual(body(await self.bob.message(of("fallback"))), "to bob instead")
        self.carol.send("<presence><priority>1</priority></presence>")
        await self.carol.iq("get", BUS, "<ping xmlns='urn:xmpp:ping'/>")
        self.publish("fallback", "to carol again")
        self.assertEqual(body(await self.carol.message(of("fallback"))), "to carol again")

    # --- To whom, and what they read ----------------------------------------------------------

    async def test_20_an_address_of_the_event(self):
        handle = self.publish("named", {"jid": "xmpp:bob@example.com", "name": "Bob <3"})
        message = await self.bob.message(of("named"))
        self.assertEqual((body(message), message.findtext(CLIENT + "subject")), ("hello Bob <3 & {you}", "named"))
        self.assertIn(message.get("type"), (None, "normal"))
        self.assertEqual(await self.settled(handle, "named"), "delivered")

    async def test_21_not_to_anybody(self):
        for jid, code in (("stranger@elsewhere.example", "xmpp-address-refused"), ("@@", "xmpp-address"),
                          (None, "xmpp-address"), ([], "xmpp-address"), ("bob@example.com.evil.example", "xmpp-address-refused")):
            self.assertEqual(await self.case(self.publish("named", {"jid": jid})), code)

    async def test_22_several(self):
        handle = self.publish("both", ["dave@example.com", "carol@example.com"])
        for client in (self.bob, self.dave, self.carol):
            message = await client.message(of("both"))
            self.assertIsNone(body(message))
            event = json.loads(message.find("{urn:xylem:message:0}event")[0].text)
            self.assertEqual(event["data"], ["dave@example.com", "carol@example.com"])
        self.assertEqual(await self.settled(handle, "both"), "delivered")
        # Who is named twice gets it once, in whatever case: what comes after it is the next message.
        self.publish("both", ["dave@example.com", "Dave@Example.com", "dave@example.com"])
        handle = self.publish("both", ["dave@example.com", "bob@example.com"])
        for client in (self.dave, self.bob):
            heard = [(await client.message(of("both"))).get("id") for _ in range(2)]
            self.assertEqual(len(set(heard)), 2)
            self.assertEqual(heard[1], f"m-{handle}")
        self.assertEqual(await self.settled(handle, "both"), "delivered")

    async def test_23_a_bot_answers(self):
        """Each his own, in the thread that he was asked in."""
        for client, text in ((self.alice, "one"), (self.bob, "<two> \"quoted\"")):
            escaped = text.replace("<", "&lt;")
            client.send(f"<message to='bot@{BUS}' type='chat' id='q-{client.bare}'><thread>t1</thread>"
                        f"<body>{escaped}</body></message>")
            answer = await client.message(of("bot"))
            self.assertEqual((body(answer), answer.findtext(CLIENT + "thread")), (f"you said: {text}", "t1"))
            reply = answer.find("{urn:xmpp:reply:0}reply")
            self.assertEqual(reply.get("id"), f"q-{client.bare}")
            self.assertTrue(reply.get("to").startswith(client.bare))

    async def test_24_the_sender_is_who_the_server_says(self):
        """An event that claims to come from bob is answered to alice, who sent it."""
        event = json.dumps({"specversion": "1.0", "id": "forged", "source": "/x", "type": "t", "data": "hi",
                            "xmppfrom": "bob@example.com"})
        payload = f"<event xmlns='urn:xylem:message:0'><json xmlns='urn:xmpp:json:0'>{event}</json></event>"
        self.assertEqual((await self.alice.iq("set", f"bot@{BUS}", payload)).get("type"), "result")
        self.assertEqual(body(await self.alice.message(of("bot"))), "you said: hi")

    # --- What errors lead to -------------------------------------------------------------------------

    async def error(self, kind, data, error, condition):
        """Bob's client answers the message with an error, long after the server has confirmed it."""
        handle = self.publish(kind, data)
        message = await self.bob.message(of(kind))
        self.bob.send(f"<message to='{message.get('from')}' type='error' id='{message.get('id')}'><error type='{error}'>"
                      f"<{condition} xmlns='{STANZAS}'/></error></message>")
        return handle, message

    async def test_30_errors_about_an_address_of_the_event(self):
        """The message is at fault: a case, at once or after its attempts; the circuit stays closed."""
        at_once = [("auth", "forbidden"), ("auth", "not-authorized"), ("cancel", "item-not-found"),
                   ("cancel", "not-allowed"), ("modify", "jid-malformed"), ("modify", "bad-request"),
                   ("modify", "not-acceptable"), ("cancel", "feature-not-implemented"), ("cancel", "gone"),
                   ("modify", "redirect"), ("modify", "policy-violation"), ("auth", "subscription-required"),
                   ("auth", "registration-required"), ("cancel", "conflict")]
        for error, condition in at_once:
            handle, _ = await self.error("strict", {"jid": "bob@example.com"}, error, condition)
            self.assertEqual(await self.case(handle), f"xmpp-{condition}")
        again = [("wait", "resource-constraint"), ("wait", "internal-server-error"), ("wait", "policy-violation"),
                 ("wait", "remote-server-timeout"), ("cancel", "remote-server-not-found"),
                 ("wait", "recipient-unavailable"), ("cancel", "service-unavailable"), ("wait", "unexpected-request")]
        for error, condition in again:
            handle, first = await self.error("strict", {"jid": "bob@example.com"}, error, condition)
            second = await self.bob.message(of("strict"))
            self.assertEqual(first.get("id"), second.get("id"), condition)
            self.bob.send(f"<message to='{second.get('from')}'><received xmlns='urn:xmpp:receipts' "
                          f"id='{second.get('id')}'/></message>")
            self.assertEqual(await self.settled(handle, "strict"), "delivered")

    async def test_31_errors_of_the_servers_own(self):
        """An account that is not there, and a domain that is not."""
        self.assertEqual(await self.case(self.publish("strict", {"jid": "nobody@example.com"})),
                         "xmpp-service-unavailable")
        code = await self.case(self.publish("strict", {"jid": "x@nowhere.example"}))
        self.assertIn(code, ("xmpp-remote-server-not-found", "xmpp-not-allowed", "xmpp-remote-server-timeout"))

    async def test_32_errors_about_an_address_of_the_configuration(self):
        """What time or a person at the configuration helps against opens the circuit; nothing becomes a case."""
        for error, condition in (("auth", "forbidden"), ("cancel", "remote-server-not-found")):
            handle, _ = await self.error("receipt", {"why": condition}, error, condition)
            again = await self.bob.message(of("receipt"))  # the probe
            self.bob.send(f"<message to='{again.get('from')}'><received xmlns='urn:xmpp:receipts' "
                          f"id='{again.get('id')}'/></message>")
            self.assertEqual(await self.settled(handle, "receipt"), "delivered")


if __name__ == "__main__":
    stage.run(PeopleTest)
