# SPDX-License-Identifier: Apache-2.0
"""A component of the tests' own (XEP-0114): stanzas as text out, as elements in.

    with Component(server.component_port, "other.a.test", server.secret) as other:
        answer = other.ask("<iq type='get' to='bus.a.test' id='1'>...</iq>")
"""
import hashlib
import socket
import threading
import xml.etree.ElementTree as ET

from .pieces import Whole, pushed

ACCEPT = "{jabber:component:accept}"
ERRORS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


class Component:
    def __init__(self, port, domain, secret):
        self.port, self.domain, self.secret = port, domain, secret
        self.arrived = threading.Condition()
        self.stanzas, self.answers = [], {}
        self.socket = None
        self.failure = None
        self.whole = Whole()

    def __enter__(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.socket.sendall(f"<stream:stream xmlns='jabber:component:accept' xmlns:stream="
                            f"'http://etherx.jabber.org/streams' to='{self.domain}'>".encode())
        self.parser = ET.XMLPullParser(("start", "end"))
        self.depth = 0
        header = self._next_header()
        digest = hashlib.sha1((header + self.secret).encode()).hexdigest()
        self.socket.sendall(f"<handshake>{digest}</handshake>".encode())
        self.ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        assert self.ready.wait(30), f"no handshake for {self.domain}"
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _events(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the stream")
        self.parser.feed(self.whole.add(data))
        yield from self.parser.read_events()

    def _next_header(self):
        while True:
            for what, element in self._events():
                if what == "start":
                    self.depth += 1
                    return element.get("id")

    def _read(self):
        self.socket.settimeout(None)
        try:
            while True:
                for what, element in self._events():
                    self.depth += 1 if what == "start" else -1
                    if what == "end" and self.depth == 1:
                        self._stanza(element)
        except (OSError, ET.ParseError) as failure:
            self.failure = failure

    def _stanza(self, element):
        if element.tag == ACCEPT + "handshake":
            self.ready.set()
            return
        with self.arrived:
            if element.tag == ACCEPT + "iq" and element.get("type") in ("result", "error"):
                self.answers[element.get("id")] = element
            else:
                self.stanzas.append(element)
            self.arrived.notify_all()

    def send(self, text):
        self.socket.sendall(pushed(text).encode())

    def answer(self, name, deadline=90):
        with self.arrived:
            assert self.arrived.wait_for(lambda: name in self.answers, deadline), f"no answer to {name} ({self.failure})"
            return self.answers.pop(name)

    def ask(self, text, name):
        self.send(text)
        return self.answer(name)


def condition(iq):
    """`type/condition[/application condition]` of an error; `result` of a result."""
    if iq.get("type") != "error":
        return iq.get("type")
    error = iq.find(ACCEPT + "error")
    names = [child.tag.split("}")[1] for child in error if child.tag != ERRORS + "text"]
    return "/".join([error.get("type"), *names])
