# SPDX-License-Identifier: Apache-2.0
"""What other people's clients send: clients_test.py XYLEMD prosody|ejabberd

Stanzas as Conversations, Dino, Gajim, Movim and Psi write them, to an endpoint (`bot`, whose messages are data), to a
part of the bus and to its domain: what is a message becomes one, what is about a message or a call does not.
"""
import asyncio
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import CLIENT, body, condition  # noqa: E402

BUS = stage.BUS
BOT = f"bot@{BUS}"
PART = f"route.bot@{BUS}"
QUOTE = "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='{n}'/></fallback>"

#: Without a word of anybody: nothing is journaled, nothing is answered.
SILENT = {
    "chat state": "<composing xmlns='http://jabber.org/protocol/chatstates'/><no-store xmlns='urn:xmpp:hints'/>",
    "marker": "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/><store xmlns='urn:xmpp:hints'/>",
    "receipt": "<received xmlns='urn:xmpp:receipts' id='x'/>",
    "reaction": "<reactions xmlns='urn:xmpp:reactions:0' id='x'><reaction>\U0001f44d</reaction></reactions>"
                "<store xmlns='urn:xmpp:hints'/>",
    "reaction with words": "<body>\U0001f44d</body><reactions xmlns='urn:xmpp:reactions:0' id='x'>"
                           "<reaction>\U0001f44d</reaction></reactions>"
                           "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reactions:0'><body/></fallback>",
    "retraction": "<retract xmlns='urn:xmpp:message-retract:1' id='x'/><body>/me took a message back</body>"
                  "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>",
    "call taken back": "<retract xmlns='urn:xmpp:jingle-message:0' id='x'/>",
    "attention": "<attention xmlns='urn:xmpp:attention:0'/>",
}

#: Written by somebody: what is read.
WRITTEN = {
    "plain": ("<body>one</body><markable xmlns='urn:xmpp:chat-markers:0'/>"
              "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/><active xmlns='http://jabber.org/protocol/chatstates'/>", "one"),
    "html": ("<body>two</body><html xmlns='http://jabber.org/protocol/xhtml-im'>"
             "<body xmlns='http://www.w3.org/1999/xhtml'><p>two</p></body></html>", "two"),
    "styled": ("<body>*three* _times_</body><unstyled xmlns='urn:xmpp:styling:0'/>", "*three* _times_"),
    "file": ("<body>https://up.example/a.png</body><x xmlns='jabber:x:oob'><url>https://up.example/a.png</url></x>",
             "https://up.example/a.png"),
    "sticker": ("<body>\U0001f431</body><sticker xmlns='urn:xmpp:stickers:0' pack='p'/>"
                "<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'/>"
                "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body/></fallback>", "\U0001f431"),
    "answer": ("<body>&gt; \u00e4\U0001f49a said\nfour</body><reply xmlns='urn:xmpp:reply:0' to='x@y' id='q7'/>"
               + QUOTE.format(n=10), "four"),
    "corrected": ("<body>three and four</body><replace xmlns='urn:xmpp:message-correct:0' id='w-styled'/>",
                  "three and four"),
    "spoiler": ("<spoiler xmlns='urn:xmpp:spoiler:0'/><body>five</body>", "five"),
    "translation": ("<body xml:lang='de'>sieben</body><body>seven</body>", "seven"),
    "two languages": ("<body xml:lang='en'>six</body><body xml:lang='de'>sechs</body>", "six"),
}

ENCRYPTED = {
    "omemo": "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'><iv>aa</iv></header></encrypted>"
             "<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl' name='OMEMO'/>"
             "<body>I sent you an OMEMO encrypted message but your client doesn't seem to support that.</body>",
    "omemo 2": "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/><payload>aa</payload></encrypted>",
    "pgp": "<body>This message is encrypted.</body><x xmlns='jabber:x:encrypted'>aa</x>",
    "ox": "<openpgp xmlns='urn:xmpp:openpgp:0'>aa</openpgp>",
}

#: Asked of an address that is no client of that kind, as sets: an error, and no message of the bus.
REFUSED = {
    "call": "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'><content creator='initiator' name='a'/>"
            "</jingle>",
    "bytestream": "<query xmlns='http://jabber.org/protocol/bytestreams' sid='1'/>",
    "in-band": "<open xmlns='http://jabber.org/protocol/ibb' sid='1' block-size='4096'/>",
    "register": "<query xmlns='jabber:iq:register'><username>x</username></query>",
    "block": "<block xmlns='urn:xmpp:blocking'><item jid='x@y'/></block>",
    "carbons": "<enable xmlns='urn:xmpp:carbons:2'/>",
    "push": "<enable xmlns='urn:xmpp:push:0' jid='x' node='y'/>",
    "archive": "<query xmlns='urn:xmpp:mam:2'/>",
}


class ClientsTest(stage.Case):
    people = ("alice", "ops")
    xmpp = "allow: ['@example.com']"
    config = """
users: {{ ops: {{ role: admin, jids: [ops@example.com] }} }}
connectors:
  bot: {{ xmpp: {{ allow: ["@example.com"], reply: true }} }}
routes:
  bot: {{ from: [bot], to: [bot] }}
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alice, cls.ops = cls.people_online["alice"], cls.people_online["ops"]

    def send(self, client, to, inside, kind="chat", identifier="c"):
        client.send(f"<message to='{to}' type='{kind}' id='{identifier}'>{inside}</message>")

    def journaled(self):
        _, found = self.stage.api("messages?ingress=bot&limit=100")
        return found["messages"]

    async def nothing_came(self, client, to):
        """Whatever was sent before has been dealt with when this is answered; returns what else was said."""
        await client.iq("get", to, "<ping xmlns='urn:xmpp:ping'/>")
        return [m for m in client.received if m.get("from", "").split("/")[0] == to]

    async def test_01_what_nobody_wrote(self):
        for to, client in ((BOT, self.alice), (PART, self.ops), (BUS, self.ops)):
            for name, inside in SILENT.items():
                client.received.clear()
                self.send(client, to, inside)
                said = await self.nothing_came(client, to)
                self.assertEqual([(name, body(m), m.get("type")) for m in said], [], to)
        # Behind all of it something that was written: the first that the journal has.
        self.send(self.alice, BOT, "<body>first</body>", identifier="first")
        await self.alice.message(lambda m: m.get("from", "").startswith(BOT) and body(m) == "first")
        self.assertEqual([m["id"] for m in self.journaled()], ["first"])

    async def test_02_what_was_written(self):
        for name, (inside, text) in WRITTEN.items():
            self.send(self.alice, BOT, inside, identifier=f"w-{name.replace(' ', '-')}")
            answer = await self.alice.message(lambda m: m.get("from", "").startswith(BOT) and body(m) is not None)
            self.assertEqual(body(answer), text, name)
        handles = {m["id"]: m["handle"] for m in self.journaled()}
        for name, attribute, value in (("w-answer", "xmppanswers", "q7"), ("w-corrected", "xmppreplaces", "w-styled")):
            _, message = self.stage.api(f"messages/{handles[name]}")
            self.assertEqual(message["extensions"][attribute], value)

    async def test_03_words_to_the_bus(self):
        """With what clients put around them."""
        for to, words, answer in ((BUS, "status", "ready"), (PART, "lanes", "bot/bot")):
            for inside in (f"<body>{words}</body><markable xmlns='urn:xmpp:chat-markers:0'/>"
                           "<request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='o1'/>",
                           f"<body>&gt; ready: yes\n{words}</body><reply xmlns='urn:xmpp:reply:0' to='x@y' id='q'/>"
                           + QUOTE.format(n=13),
                           f"<body>{words.title()} </body><unstyled xmlns='urn:xmpp:styling:0'/>"):
                self.ops.received.clear()
                self.send(self.ops, to, inside)
                self.assertIn(answer, await self.word(to), inside)

    async def word(self, address):
        return body(await self.ops.message(lambda m: m.get("from") == address and body(m) is not None))

    async def test_04_encrypted(self):
        before = len(self.journaled())
        for name, inside in ENCRYPTED.items():
            self.send(self.alice, BOT, inside)
            error = await self.alice.message(lambda m: m.get("type") == "error" and m.get("from") == BOT)
            self.assertEqual(condition(error), "modify/not-acceptable", name)
        self.assertEqual(len(self.journaled()), before)
        self.send(self.ops, PART, ENCRYPTED["omemo"])
        self.assertIn("turn encryption off", await self.word(PART))

    async def test_05_iqs_of_clients(self):
        before = len(self.journaled())
        for to, client in ((BOT, self.alice), (PART, self.ops), (BUS, self.ops)):
            for name, payload in REFUSED.items():
                answer = await client.iq("set", to, payload)
                self.assertEqual(answer.get("type"), "error", f"{name} to {to}")
            for payload in ("<query xmlns='jabber:iq:register'/>", "<blocklist xmlns='urn:xmpp:blocking'/>",
                            "<query xmlns='jabber:iq:private'/>", "<query xmlns='jabber:iq:gateway'/>"):
                self.assertEqual(condition(await client.iq("get", to, payload)), "cancel/service-unavailable", payload)
            for payload in ("<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:last'/>",
                            "<query xmlns='jabber:iq:version'/>", "<time xmlns='urn:xmpp:time'/>",
                            "<vCard xmlns='vcard-temp'/>",
                            "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                            "<query xmlns='http://jabber.org/protocol/disco#items'/>"):
                self.assertEqual((await client.iq("get", to, payload)).get("type"), "result", payload)
        self.assertEqual(len(self.journaled()), before)

    async def test_06_what_is_data_stays_data(self):
        """An IQ with XML or JSON of a program, a form, an event: what is not a client's own protocol."""
        for kind, payload in (("iq", "<order xmlns='urn:acme:orders:1' n='1'/>"),
                              ("iq", "<json xmlns='urn:xmpp:json:0'>{\"n\":2}</json>"),
                              ("message", "<order xmlns='urn:acme:orders:1' n='3'/>"),
                              ("message", "<x xmlns='jabber:x:data' type='submit'><field var='n'><value>4</value></field></x>")):
            before = len(self.journaled())
            if kind == "iq":
                self.assertEqual((await self.alice.iq("set", BOT, payload)).get("type"), "result", payload)
            else:
                self.send(self.alice, BOT, payload, "normal")
            while len(self.journaled()) == before:
                await asyncio.sleep(0.02)

    async def test_07_keys_and_names_that_are_asked_for(self):
        """OMEMO's devices and PEP's names: an error, so that clients go on in the clear."""
        for to, client in ((BOT, self.alice), (PART, self.ops), (BUS, self.ops)):
            for node in ("eu.siacs.conversations.axolotl.devicelist", "urn:xmpp:omemo:2:devices",
                         "http://jabber.org/protocol/nick"):
                answer = await client.iq("get", to, "<pubsub xmlns='http://jabber.org/protocol/pubsub'>"
                                                    f"<items node='{node}' max_items='1'/></pubsub>")
                self.assertIn(condition(answer), ("cancel/service-unavailable", "cancel/item-not-found"), f"{node} of {to}")

    async def test_09_an_address_is_an_address_in_capitals(self):
        """ejabberd passes on what was typed; people's telephones begin with a capital."""
        for address in (f"Bot@{BUS}", f"BOT@{BUS.upper()}"):
            answer = await self.alice.iq("get", address, "<ping xmlns='urn:xmpp:ping'/>")
            self.assertEqual(condition(answer), "result", address)
        answer = await self.alice.iq("get", f"Route.BOT@{BUS}", "<query xmlns='jabber:iq:version'/>")
        self.assertEqual(condition(answer), "result")

    async def test_08_calls_do_not_ring_for_ever(self):
        """An offer is rejected at once, by the address that was called; a stranger hears nothing."""
        offers = (("propose xmlns='urn:xmpp:jingle-message:0' id='c-&lt;1&gt;'", "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>",
                   "urn:xmpp:jingle-message:0", "c-<1>"),
                  ("invite xmlns='urn:xmpp:call-invites:0'", "<jingle sid='s' jid='alice@example.com/x'/>", "urn:xmpp:call-invites:0", "the-message"))
        before = len(self.journaled())
        for to, client in ((BOT, self.alice), (PART, self.ops), (BUS, self.ops)):
            await self.nothing_came(client, to)
            client.received.clear()
            for offer, inside, namespace, name in offers:
                # Words for clients that know less stand beside some; they are neither data nor a command.
                for beside in ("", "<body>status</body>"):
                    self.send(client, to, f"<{offer}>{inside}</{offer.split()[0]}>{beside}<store xmlns='urn:xmpp:hints'/>",
                              identifier="the-message")
                    answer = await client.message(lambda m: m.find(f"{{{namespace}}}reject") is not None)
                    self.assertEqual((answer.get("from").split("/")[0], answer.get("type"), body(answer)), (to, "chat", None))
                    self.assertEqual(answer.find(f"{{{namespace}}}reject").get("id"), name)
                    self.assertEqual([m for m in await self.nothing_came(client, to)], [], to)
            if client is self.ops:
                session = ("<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'><content creator='initiator' name='a'/>"
                           "</jingle>")
                self.assertEqual(condition(await client.iq("set", to, session)), "cancel/service-unavailable")
        self.assertEqual(len(self.journaled()), before)

    async def test_12_odd_but_legal(self):
        """A type that nobody knows is `normal` (RFC 6121, 5.2.2); what stands before the content is not the content."""
        for inside, data in (("<body>of no type</body>", b"of no type"),
                             ("<headers xmlns='http://jabber.org/protocol/shim'><header name='Urgency'>high</header></headers>"
                              "<order xmlns='urn:acme:orders:1'>5</order>", b"<order xmlns='urn:acme:orders:1'>5</order>"),
                             ("<amp xmlns='http://jabber.org/protocol/amp'><rule action='drop' condition='deliver' value='stored'/></amp>"
                              "<order xmlns='urn:acme:orders:1'>6</order>", b"<order xmlns='urn:acme:orders:1'>6</order>")):
            before = {m["handle"] for m in self.journaled()}
            self.send(self.alice, BOT, inside, "acme")
            handle, = await self.until(inside, lambda b=before: [m["handle"] for m in self.journaled() if m["handle"] not in b])
            self.assertEqual(self.stage.fetch(f"http://127.0.0.1:{self.stage.console}/api/v1/messages/{handle}/data"), data)
        self.alice.received.clear()
        self.send(self.alice, BOT, "<event xmlns='urn:xylem:message:0'/>", "normal")
        error = await self.alice.message(lambda m: m.get("type") == "error")
        self.assertEqual(condition(error), "modify/bad-request")

    async def test_13_one_payload(self):
        """Two are refused (RFC 6120, 8.2.3), so that none is lost behind the other's result."""
        before = len(self.journaled())
        for kind, to, payload in (("set", BOT, "<order xmlns='urn:acme:orders:1'/><order xmlns='urn:acme:orders:1'/>"),
                                  ("get", BUS, "<ping xmlns='urn:xmpp:ping'/><order xmlns='urn:acme:orders:1'/>"),
                                  ("set", BOT, ""), ("get", BUS, "")):
            self.assertEqual(condition(await self.alice.iq(kind, to, payload)), "modify/bad-request", payload)
        self.assertEqual(len(self.journaled()), before)


if __name__ == "__main__":
    stage.run(ClientsTest)
