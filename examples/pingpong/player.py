#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One side of the ping-pong: player.py HOST:PORT JID PASSWORD ENDPOINT [SERVES]

Sends Erlang terms {ping, N, Binary} to its endpoint of the bus and waits for {pong, N, Binary}; without SERVES it
answers pings until it is ended. Every term is asked a receipt for, and every one that comes gets one.
"""
import asyncio
import base64
import json
import logging
import os
import struct
import sys
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import slixmpp

logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
EVENT, JSON = "{urn:xylem:message:0}event", "{urn:xmpp:json:0}json"
TYPE = "application/vnd.erlang.term"


# --- Erlang's external term format: as much of it as {atom(), integer(), binary()} needs ------------------------

def encode(atom, number, data):
    name = atom.encode()
    return (b"\x83h\x03w" + bytes([len(name)]) + name + b"b" + struct.pack(">i", number)
            + b"m" + struct.pack(">I", len(data)) + data)


def decode(term):
    if term[:3] != b"\x83h\x03" or term[3:4] != b"w":
        raise ValueError("no term of ours")
    at = 5 + term[4]
    atom = term[5:at].decode()
    if term[at:at + 1] == b"a":  # Erlang writes small integers in one byte
        number, at = term[at + 1], at + 2
    else:
        number, at = struct.unpack(">i", term[at + 1:at + 5])[0], at + 5
    n = struct.unpack(">I", term[at + 1:at + 5])[0]
    return atom, number, term[at + 5:at + 5 + n]


class Player(slixmpp.ClientXMPP):
    def __init__(self, jid, password, endpoint):
        super().__init__(jid, password)
        self["feature_mechanisms"].unencrypted_plain = True
        self.endpoint, self.seen = endpoint, set()
        self.ready, self.ended = asyncio.Event(), asyncio.Event()
        self.pongs = asyncio.Queue()
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("disconnected", lambda _: self.ended.set())
        self.register_handler(slixmpp.xmlstream.handler.Callback(
            "terms", slixmpp.xmlstream.matcher.MatchXPath("{jabber:client}message"), self.heard))

    def started(self, _):
        self.send_presence()
        self.ready.set()

    def serve(self, kind, identifier, term):
        """A term to the other side, as the data of an event."""
        event = json.dumps({"specversion": "1.0", "id": identifier, "source": self.boundjid.bare, "type": kind,
                            "datacontenttype": TYPE, "data_base64": base64.b64encode(term).decode()})
        self.send_raw(f"<message to='{self.endpoint}' id='{identifier}'><event xmlns='urn:xylem:message:0'>"
                      f"<json xmlns='urn:xmpp:json:0'>{escape(event)}</json></event>"
                      "<request xmlns='urn:xmpp:receipts'/></message>")

    def heard(self, stanza):
        element = stanza.xml
        wrapper = element.find(EVENT)
        if wrapper is None:
            return  # a receipt, or an error
        event = json.loads(wrapper.find(JSON).text)
        if event["id"] not in self.seen:  # a repeat is taken once, and gets its receipt again
            self.seen.add(event["id"])
            self.take(event)
        self.send_raw(f"<message to='{element.get('from')}'><received xmlns='urn:xmpp:receipts' "
                      f"id='{element.get('id')}'/></message>")

    def take(self, event):
        term = base64.b64decode(event["data_base64"])
        atom, number, data = decode(term)
        if atom == "ping":
            self.serve("pong", f"pong-{event['id']}", encode("pong", number, data))
        else:
            self.pongs.put_nowait((number, data))


async def play(address, jid, password, endpoint, serves):
    player = Player(jid, password, endpoint)
    host, port = address.rsplit(":", 1)
    player.connect((host, int(port)), use_ssl=False, force_starttls=False, disable_starttls=True)
    await asyncio.wait_for(player.ready.wait(), 60)
    print("ready", flush=True)
    for number in range(serves):
        ball = os.urandom(number % 300)
        player.serve("ping", f"ping-{os.getpid()}-{number}", encode("ping", number, ball))
        if await asyncio.wait_for(player.pongs.get(), 60) != (number, ball):
            sys.exit(f"ball {number} came back as another")
    if serves == 0:
        await player.ended.wait()
    print(f"{serves} of {serves} came back, byte for byte", flush=True)
    player.disconnect()
    await asyncio.wait_for(player.ended.wait(), 10)


if __name__ == "__main__":
    ET.register_namespace("", "jabber:client")
    asyncio.new_event_loop().run_until_complete(play(*sys.argv[1:5], int(sys.argv[5]) if len(sys.argv) > 5 else 0))
