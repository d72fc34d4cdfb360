# SPDX-License-Identifier: Apache-2.0
"""An XMPP account that is always there and keeps what it gets: small and quick, for suites that send it thousands.

    with Account(server, "watcher", "pw") as account:
        account.iq("set", "bus.example.com", "<pubsub ...>")   # the answer, as an element
        account.messages                                        # every message so far, as elements, in order

A thread of its own reads, on expat; PLAIN on the loopback, no TLS. Tests that talk rather than listen use
tests/xmpp/client.py.
"""
import base64
import queue
import socket
import threading
import xml.etree.ElementTree as ET

from .process import PeerError

CLIENT = "{jabber:client}"
STREAM = "{http://etherx.jabber.org/streams}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"


class Account:
    def __init__(self, server, user, password, resource="test", deadline=30):
        self.server, self.bare, self.password, self.resource = server, f"{user}@{server.domain}", password, resource
        self.deadline = deadline
        self.messages = []
        self._answers = queue.Queue()
        self._socket = self._parser = self._thread = None
        self._depth, self._count = 0, 0
        self.ended = None  # why the connection ended

    def __enter__(self):
        self._socket = socket.create_connection(("127.0.0.1", self.server.client_port), self.deadline)
        self._open()
        self._element(STREAM + "features")
        word = base64.b64encode(f"\0{self.bare.split('@', maxsplit=1)[0]}\0{self.password}".encode()).decode()
        self._write(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{word}</auth>")
        self._element(SASL + "success")
        self._open()
        self._element(STREAM + "features")
        self._thread = threading.Thread(target=self._read_on, daemon=True)
        self._thread.start()
        self.iq("set", None, f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{self.resource}</resource></bind>")
        self._write("<presence/>")
        return self

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(self.deadline)
        self._socket.close()

    def iq(self, kind, to, payload):
        """Sends an IQ and returns its answer, a result; an error is raised."""
        self._count += 1
        name = f"iq{self._count}"
        address = f" to='{to}'" if to else ""
        self._write(f"<iq type='{kind}' id='{name}'{address}>{payload}</iq>")
        while True:
            try:
                answer = self._answers.get(timeout=self.deadline)
            except queue.Empty:
                raise PeerError(f"{self.bare}: no answer to {payload}; the connection: {self.ended or 'is open'}") from None
            if answer.get("id") == name:
                break
        if answer.get("type") != "result":
            raise PeerError(f"{self.bare}: {payload} was answered {ET.tostring(answer, 'unicode')}")
        return answer

    # --- The stream

    def _write(self, text):
        self._socket.sendall(text.encode())

    def _open(self):
        self._parser, self._depth = ET.XMLPullParser(["start", "end"]), 0
        self._write(f"<stream:stream to='{self.server.domain}' version='1.0' xmlns='jabber:client' "
                    "xmlns:stream='http://etherx.jabber.org/streams'>")

    def _elements(self):
        """The stream's children that have come so far; each is taken out of its parent."""
        for kind, element in self._parser.read_events():
            if kind == "start":
                self._depth += 1
                if self._depth == 1:
                    self._root = element
            else:
                self._depth -= 1
                if self._depth == 1:
                    self._root.remove(element)
                    yield element

    def _element(self, wanted):
        while True:
            for element in self._elements():
                if element.tag == wanted:
                    return element
                raise PeerError(f"{self.bare}: {wanted} was wanted, {ET.tostring(element, 'unicode')} came")
            data = self._socket.recv(65536)
            if not data:
                raise PeerError(f"{self.bare}: the server ended the connection before {wanted}")
            self._parser.feed(data)

    def _read_on(self):
        self._socket.settimeout(None)
        try:
            while data := self._socket.recv(262144):
                self._parser.feed(data)
                for element in self._elements():
                    if element.tag == CLIENT + "message":
                        self.messages.append(element)
                    elif element.tag == CLIENT + "iq" and element.get("type") in ("result", "error"):
                        self._answers.put(element)
            self.ended = "the server closed it"
        except (OSError, ET.ParseError) as why:
            self.ended = str(why)
