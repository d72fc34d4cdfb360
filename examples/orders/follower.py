#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An ordinary XMPP account that follows a topic of the bus, and keeps a line for each item and each chat message.

Usage: follower.py PORT JID PASSWORD-FILE SERVICE TOPIC FILE      (TOPIC "-": only listens to chats)
Prints "following" when the server has confirmed the subscription. slixmpp: apt install python3-slixmpp
"""

import json
import logging
import sys

import slixmpp

ITEM = "{http://jabber.org/protocol/pubsub#event}event/{*}items/{*}item"


class Follower(slixmpp.ClientXMPP):
    def __init__(self, jid, password, service, topic, path):
        super().__init__(jid, password)
        self.service, self.topic = service, topic
        self.kept = open(path, "a", encoding="utf-8")
        self["feature_mechanisms"].unencrypted_plain = True
        for plugin in ("xep_0030", "xep_0060", "xep_0199"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", self.started)
        self.register_handler(slixmpp.Callback("all", slixmpp.MatchXPath("{jabber:client}message"), self.message))

    async def started(self, _):
        self.send_presence()
        if self.topic != "-":
            await self["xep_0060"].subscribe(self.service, self.topic)
        print("following", flush=True)

    def message(self, message):
        for item in message.xml.findall(ITEM):
            event = json.loads("".join(item.itertext()))
            self.keep({"item": item.get("id"), "event": event})
        if message["type"] in ("chat", "normal") and message["body"]:
            self.keep({"chat": message["body"], "from": str(message["from"])})

    def keep(self, line):
        self.kept.write(json.dumps(line) + "\n")
        self.kept.flush()


def main():
    logging.basicConfig(level=logging.ERROR)
    port, jid, password_file, service, topic, path = sys.argv[1:7]
    with open(password_file, encoding="utf-8") as file:
        follower = Follower(jid, file.read().strip(), service, topic, path)
    follower.connect(("127.0.0.1", int(port)), use_ssl=False, force_starttls=False, disable_starttls=True)
    follower.process(forever=True)


if __name__ == "__main__":
    main()
