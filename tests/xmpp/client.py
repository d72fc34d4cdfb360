# SPDX-License-Identifier: Apache-2.0
"""An XMPP account for the tests, on slixmpp: requests as XML, everything received kept and waited for."""
import asyncio
import logging
import xml.etree.ElementTree as ET

import slixmpp

from .pieces import Whole, pushed

logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
CLIENT = "{jabber:client}"


class Account(slixmpp.ClientXMPP):
    def __init__(self, jid, password):
        super().__init__(jid, password)
        self.whole = Whole()

    def data_received(self, data):
        super().data_received(self.whole.add(data))


class Client:
    def __init__(self, server, user, password="pw"):
        self.xmpp = Account(f"{user}@{server.domain}", password)
        self.xmpp["feature_mechanisms"].unencrypted_plain = True
        self.server, self.bare = server, f"{user}@{server.domain}"
        self.received = []  # messages, as elements
        self.presences = []  # presence stanzas, in the order of arrival
        self.news = asyncio.Event()
        self.ready = asyncio.Event()
        self.xmpp.add_event_handler("session_start", self._started)
        self.xmpp.register_handler(slixmpp.xmlstream.handler.Callback(
            "all", slixmpp.xmlstream.matcher.MatchXPath(CLIENT + "message"), self._message))
        self.xmpp.register_handler(slixmpp.xmlstream.handler.Callback(
            "presences", slixmpp.xmlstream.matcher.MatchXPath(CLIENT + "presence"), self._presence))
        self.count = 0

    async def login(self):
        self.xmpp.connect(("127.0.0.1", self.server.client_port), use_ssl=False, force_starttls=False,
                          disable_starttls=True)
        await asyncio.wait_for(self.ready.wait(), 30)
        return self

    async def logout(self):
        gone = asyncio.Event()
        self.xmpp.add_event_handler("disconnected", lambda _: gone.set())
        self.xmpp.disconnect()
        await asyncio.wait_for(gone.wait(), 10)

    def _started(self, _):
        # Servers tell what happens to the contact list only to clients that have asked for it.
        self.xmpp.send_raw("<iq type='get' id='contacts'><query xmlns='jabber:iq:roster'/></iq>")
        self.xmpp.send_presence()
        self.ready.set()

    def _message(self, message):
        self.received.append(message.xml)
        self.news.set()

    def _presence(self, presence):
        self.presences.append(presence.xml)
        self.news.set()

    def send(self, xml):
        """One stanza as text, as it stands."""
        self.xmpp.send_raw(pushed(xml))

    async def iq(self, kind, to, payload):
        """Sends an IQ; the answer as an element, result or error."""
        self.count += 1
        return await self.iq_named(f"t{self.count}", kind, to, payload)

    async def iq_named(self, name, kind, to, payload, deadline=20):
        """The same with an id of one's own, for an IQ that is sent again."""
        answer = asyncio.get_running_loop().create_future()
        matcher = slixmpp.xmlstream.matcher.MatcherId(name)

        def take(stanza):
            if not answer.done():
                answer.set_result(stanza.xml)
        self.xmpp.register_handler(slixmpp.xmlstream.handler.Callback(name, matcher, take, once=True))
        self.xmpp.send_raw(pushed(f"<iq type='{kind}' to='{to}' id='{name}'>{payload}</iq>"))
        return await asyncio.wait_for(answer, deadline)

    async def message(self, wanted, deadline=20):
        """The first message received, now or later, that `wanted` is true of; it is taken out of the list."""
        return await self._first(self.received, wanted, deadline)

    async def presence(self, wanted, deadline=20):
        """The same of presence."""
        return await self._first(self.presences, wanted, deadline)

    async def _first(self, received, wanted, deadline):
        end = asyncio.get_running_loop().time() + deadline
        while True:
            for stanza in received:
                if wanted(stanza):
                    received.remove(stanza)
                    return stanza
            self.news.clear()
            left = end - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self.news.wait(), max(0.01, left))
            except asyncio.TimeoutError:
                raise AssertionError("not received; there is: "
                                     + "; ".join(ET.tostring(m, "unicode")[:500] for m in received[-10:])) from None


def body(message):
    return message.findtext(CLIENT + "body")


def condition(stanza):
    """`type/condition[/application condition]` of an error stanza; `result` of a result."""
    if stanza.get("type") != "error":
        return stanza.get("type")
    error = stanza.find(CLIENT + "error")
    names = [child.tag.split("}")[1] for child in error if not child.tag.endswith("}text")]
    return "/".join([error.get("type"), *names])
