# SPDX-License-Identifier: Apache-2.0
"""The other side of xmpp and xmpp_client: a server of a few lines that takes, refuses, cuts, stalls or is away.

It speaks to one connection at a time: the component handshake, or the login of a client (PLAIN, without TLS). What
goes to other addresses than the connector's own is taken; pings, and IQs to the component itself, come back."""
import json
import os
import queue
import socket
import threading
import time
import uuid
import xml.etree.ElementTree as ET

from peer import Peer, Sender, run
from peers import ports

ERRORS = {"wrong": ("modify", "bad-request"), "busy": ("wait", "resource-constraint"),
          "misconfigured": ("auth", "forbidden")}
SENDER = "producer@example.com"
ORIGIN = "{urn:xmpp:sid:0}origin-id"
STREAM = "http://etherx.jabber.org/streams"


class Connection:
    def __init__(self, peer, connection):
        self.peer, self.socket = peer, connection
        self.lock = threading.Lock()
        self.up = False

    def write(self, text):
        with self.lock:
            self.socket.sendall(text.encode())

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def run(self):
        try:
            while self.stream():
                pass
        except (OSError, ET.ParseError):
            pass
        self.up = False
        self.socket.close()

    def stream(self):
        """One stream; True when the client starts another on the same connection (after its login)."""
        parser, depth = ET.XMLPullParser(("start", "end")), 0
        while True:
            data = self.socket.recv(65536)
            if not data:
                return False
            parser.feed(data)
            for what, element in parser.read_events():
                if what == "start":
                    depth += 1
                    if depth == 1:
                        self.peer.opened(self, self.up)
                else:
                    depth -= 1
                    if depth == 0:
                        return False
                    if depth == 1 and self.stanza(element):
                        return True

    def stanza(self, element):
        name = element.tag.split("}")[1]
        if name == "handshake":
            self.up = True
            self.write("<handshake/>")
        elif name == "auth":
            self.write("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
            self.up = True
            return True
        elif name == "iq":
            self.peer.iq(self, element)
        elif name == "message":
            self.peer.message(self, element)
        return False


class Xmpp(Peer):
    kind, namespace, address = "xmpp", "jabber:component:accept", "under_test@bus.example.com"

    def __init__(self):
        super().__init__()
        self.current, self.refused = "accept", set()
        self.listener = self.connection = None
        self.held = queue.Queue()     # what the mode `stall` did not answer
        self.answers = {}             # of our own IQs and messages, by id

    def start(self, folder):
        self.port = ports.free()
        self.listen()
        os.environ["CONTRACT_SECRET"] = "s3cret"
        secret = os.path.join(folder, "secret")
        with open(secret, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write("s3cret")
        path = self.config(self.kind, self.options(secret))
        config = json.loads(path.read_text())
        config.update(self.sections(secret))
        path.write_text(json.dumps(config))
        return path

    def options(self, secret):
        return {"allow": [SENDER], "to": ["taker@example.com"]}

    def sections(self, secret):
        return {"xmpp": {"server": f"127.0.0.1:{self.port}", "domain": "bus.example.com", "secret": {"file": secret}}}

    def stop(self):
        self.mode("down")

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()

    def serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connection = Connection(self, connection)
            threading.Thread(target=self.connection.run, daemon=True).start()

    # --- the server's part
    def opened(self, connection, again):
        connection.write(f"<?xml version='1.0'?><stream:stream xmlns='{self.namespace}' xmlns:stream='{STREAM}' "
                         "from='bus.example.com' id='1' version='1.0'>")

    def iq(self, connection, iq):
        name = iq.get("id")
        if iq.get("type") in ("result", "error"):
            self.note(lambda: self.answers.__setitem__(name, iq.get("type")))
            return
        back = (f"<iq type='get' from='{iq.get('from')}' to='{iq.get('to')}' id='{name}'>"
                "<ping xmlns='urn:xmpp:ping'/></iq>")
        self.bring_back(connection, back)

    def bring_back(self, connection, text):
        if self.current == "stall":
            self.held.put((connection, text))
        else:
            connection.write(text)

    def message(self, connection, message):
        receipt = message.find("{urn:xmpp:receipts}received")
        if receipt is not None or message.get("type") == "error":
            name = receipt.get("id") if receipt is not None else message.get("id")
            self.note(lambda: self.answers.__setitem__(name, "result" if receipt is not None else "error"))
            return
        origin = message.find(ORIGIN)
        identifier = origin.get("id") if origin is not None else ""
        mode = self.current
        if mode == "cut":
            connection.close()
        elif mode == "stall":
            self.note(lambda: setattr(self, "stalled", self.stalled + 1))
        elif mode in ERRORS or identifier in self.refused:
            kind, condition = ERRORS[mode if mode in ERRORS else "wrong"]
            connection.write(f"<message type='error' from='{message.get('to')}' to='{message.get('from')}' "
                             f"id='{message.get('id')}'><error type='{kind}'>"
                             f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")
        else:
            self.note(lambda: self.received.append(identifier))

    # --- what the suite asks for
    def mode(self, name):
        self.current = name
        if name == "accept":
            self.refused = set()
        self.stalled = 0
        if name == "down" and self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which would keep the port
            self.listener.close()
            self.listener = None
            if self.connection:
                self.connection.close()
        elif name != "down" and not self.listener:
            self.listen()
        if name != "stall":
            while not self.held.empty():
                connection, text = self.held.get()
                try:
                    connection.write(text)
                except OSError:
                    pass
        return True

    def refuse(self, identifier):
        self.refused.add(identifier)
        return True

    def send(self, count):
        self.acked, self.trouble = 0, None
        tags = [f"tag-{uuid.uuid4()}" for _ in range(count)]
        Sender(self, count, lambda i: self.hand_in(tags[i])).start()
        return tags

    def offer(self, name, tag):
        return (f"<iq type='set' from='{SENDER}' to='{self.address}' id='{name}'><event xmlns='urn:xylem:message:0'>"
                f"<json xmlns='urn:xmpp:json:0'>{{\"tag\":\"{tag}\"}}</json></event></iq>")

    def hand_in(self, tag):
        name = str(uuid.uuid4())
        connection = self.connection
        try:
            if not connection or not connection.up:
                return False
            connection.write(self.offer(name, tag))
        except OSError:
            return False
        self.wait(lambda: name in self.answers, 5000)
        with self.changed:
            return self.answers.pop(name, None) == "result"

    def send_broken(self):
        """Half a stanza, then the end of the connection."""
        deadline = time.monotonic() + 10
        while not (self.connection and self.connection.up) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.connection.write(self.offer("broken", "broken")[:-20])
        self.connection.close()
        return True


if __name__ == "__main__":
    run(Xmpp())
