# SPDX-License-Identifier: Apache-2.0
"""Is the reason for a component link of our own still there? probe_test.py PROBE

Each test names a defect of the installed libstrophe and says whether it shows.
A defect that is gone is no failure: the line then says that the decision
(docs/decisions/0070-component-link.md) may be opened again.
"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers.prosody import Prosody  # noqa: E402
from tests.xmpp import tap  # noqa: E402

PROBE = sys.argv[1]
SENT = ("<message from='a@example.com' to='bus.example.com'><x xmlns='u:x' xmlns:a='u:a' xmlns:b='u:b' xml:lang='de' "
        "a:t='1' b:t='2'><y xmlns=''/></x></message>")


def probe(what, port, *more):
    """Exit status (negative: killed by that signal) and lines."""
    done = subprocess.run([PROBE, what, "127.0.0.1", str(port), "bus.example.com", *more], timeout=60, text=True,
                          env=dict(os.environ, PROBE_SECRET="s3cret"), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout.splitlines()


def verdict(defect, shows, detail):
    print(f"# {defect}: " + (f"still so ({detail})" if shows else f"GONE ({detail}): reopen the decision"), flush=True)


class FakeServer:
    """Accepts a component, whatever its secret, and sends it one message as it stands."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self.listener.accept()
        seen = b""
        while b"to=" not in seen:
            seen += connection.recv(4096)
        connection.sendall(b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
                           b"xmlns:stream='http://etherx.jabber.org/streams' from='bus.example.com' id='1'>")
        while b"handshake" not in seen:
            seen += connection.recv(4096)
        connection.sendall(b"<handshake/>")
        connection.sendall(SENT.encode())
        while connection.recv(4096):
            pass


class ProbeTest(unittest.TestCase):
    def test_1_component_connection(self):
        with Prosody() as server:
            status, lines = probe("component", server.component_port)
            self.assertTrue(status < 0 or "connected" in lines, (status, lines))
            verdict("a component connection ends the process", status < 0,
                    signal.Signals(-status).name if status < 0 else "it connects")

    def test_2_descriptors(self):
        with Prosody() as server:
            status, lines = probe("descriptors", server.component_port, "workaround")
            verdict("a socket numbered 1024 or more ends the process", status < 0,
                    signal.Signals(-status).name if status < 0 else "it connects: " + " ".join(lines))

    def test_3_received_xml(self):
        server = FakeServer()
        status, lines = probe("component", server.port, "workaround")
        got = [line for line in lines if line.startswith("message ")]
        self.assertEqual(len(got), 1, (status, lines))
        text = got[0]
        verdict("xml:lang becomes another attribute", "xml:lang" not in text, text)
        verdict("two prefixed attributes of one name become one", not ('"1"' in text and '"2"' in text), text)
        verdict("xmlns='' is lost", "xmlns=\"\"" not in text and "xmlns=''" not in text, text)


if __name__ == "__main__":
    tap.run(ProbeTest)
