# SPDX-License-Identifier: Apache-2.0
"""A server's component port that says exactly what a test tells it to say, right or wrong."""
import re
import socket

HEADER = ("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
          "xmlns:stream='http://etherx.jabber.org/streams' id='fake' from='bus.example.com'>")


class Stream:
    """One connection of a component, after its handshake."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(60)
        self.text = b""
        self.until(rb"<stream:stream[^>]*>")
        self.send(HEADER)
        self.until(rb"<handshake>[0-9a-f]{40}</handshake>")
        self.send("<handshake/>")

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def offer(self, text):
        """Sends as much as the other side takes before it hangs up; the number of bytes."""
        data, sent = text if isinstance(text, bytes) else text.encode(), 0
        try:
            while sent < len(data):
                sent += self.socket.send(data[sent:sent + 65536])
        except OSError:
            pass
        return sent

    def until(self, pattern):
        """Reads until the regular expression is in what came; the match. What is before its end is taken out."""
        while True:
            found = re.search(pattern, self.text, re.DOTALL)
            if found:
                self.text = self.text[found.end():]
                return found
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError(f"the component hung up; it said {self.text!r}")
            self.text += data

    def until_closed(self):
        """Reads to the end of the connection."""
        try:
            while data := self.socket.recv(65536):
                self.text += data
        except ConnectionError:
            pass
        self.socket.close()

    def ask(self, name, kind="get", sender="alice@example.com/x", to="bus.example.com",
            payload="<ping xmlns='urn:xmpp:ping'/>"):
        """An IQ; its answer, as text."""
        self.send(f"<iq type='{kind}' from='{sender}' to='{to}' id='{name}'>{payload}</iq>")
        return self.until(rb"<iq [^>]*id='" + name.encode() + rb"'.*?(</iq>|/>)").group(0).decode()


class FakeServer:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(60)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        return Stream(self.listener.accept()[0])

    def close(self):
        self.listener.close()
