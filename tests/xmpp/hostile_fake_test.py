# SPDX-License-Identifier: Apache-2.0
"""A server that has been taken over, or whoever sits on the wire: hostile_fake_test.py XYLEMD

The bus against a component port that sends what no server does. Where the stream can go on it goes on, and
whoever is named as the sender hears what was wrong; where it cannot, the log says why, and the bus connects again.
"""
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import ports  # noqa: E402
from tests.peers.process import Process  # noqa: E402
from tests.xmpp import memory, tap  # noqa: E402
from tests.xmpp.fake_server import FakeServer  # noqa: E402

XYLEMD = sys.argv[1]
LIMIT = 65536
TITLE = "a\\u0001b\\u001f"  # as the configuration has it
CONFIG = """
bus: {{ name: acme, data: {folder}/data }}
console: {{ listen: "127.0.0.1:{console}" }}
xmpp: {{ server: "127.0.0.1:{port}", domain: bus.example.com, secret: {{ env: TEST_SECRET }}, max_stanza: {limit},
         allow: ["@example.com"] }}
connectors: {{ desk: {{ xmpp: {{ allow: ["@example.com"] }} }} }}
topics: {{ t: {{ access: open, title: "{title}" }} }}
routes: {{ desk: {{ from: [desk], to: [topic:t] }} }}
"""
LAUGHS = ("<!DOCTYPE lolz [<!ENTITY lol0 'lol'>"
          + "".join(f"<!ENTITY lol{i} '{f'&lol{i - 1};' * 10}'>" for i in range(1, 10))
          + "]>")


class HostileFakeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-hostile-"))
        cls.server = FakeServer()
        file = cls.folder / "xylem.yaml"
        file.write_text(CONFIG.format(folder=cls.folder, console=ports.free(), port=cls.server.port, limit=LIMIT,
                                      title=TITLE))
        cls.bus = Process([XYLEMD, "run", file], log=cls.folder / "log",
                          env={"TEST_SECRET": "s3cret", "ASAN_OPTIONS": memory.ASAN})
        cls.stream = cls.server.accept()
        cls.bus.wait_line("main: ready", 60)
        cls.memory = memory.Memory(cls.bus.pid)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        try:
            if cls.bus.stop(60) != 0:
                raise AssertionError(f"xylemd ended with {cls.bus.returncode}:\n{cls.bus.tail(60)}")
        finally:
            shutil.rmtree(cls.folder, ignore_errors=True)

    def alive(self, name):
        """The same stream answers on."""
        self.assertIn("type='result'", self.stream.ask(f"ping-{name}"))

    def ends(self, text, why):
        """The stream ends, the log says why, and the bus comes again."""
        self.bus.mark()
        self.stream.offer(text)
        self.bus.wait_line(why, 60)
        self.stream.until_closed()
        type(self).stream = self.server.accept()
        self.alive("again")

    def sized(self, name, n):
        """An IQ with data for `desk`, n bytes in all."""
        head = f"<iq type='set' from='alice@example.com/x' to='desk@bus.example.com' id='{name}'><e xmlns='u:e'>"
        tail = "</e></iq>"
        escaped = "&lt;" * ((n - len(head) - len(tail)) // 4)
        return head + escaped + "x" * (n - len(head) - len(tail) - len(escaped)) + tail

    def test_01_stanzas_at_the_limit(self):
        for n, wanted in ((LIMIT - 1, "result"), (LIMIT, "result"), (LIMIT + 1, "error")):
            text = self.sized(f"s{n}", n)
            self.assertEqual(len(text), n)
            self.stream.send(text)
            answer = self.stream.until(rf"<iq [^>]*id='s{n}'.*?(</iq>|/>)".encode()).group(0).decode()
            self.assertIn(f"type='{wanted}'", answer, n)
        self.alive("limit")

    def test_02_a_million_quotes(self):
        self.stream.send(f"<iq type='set' from='alice@example.com/x' to='desk@bus.example.com' id='q'><e a='{'&quot;' * 10000}'>"
                         f"{'&quot;' * 1000000}</e></iq>")
        self.assertIn("type='error'", self.stream.until(rb"<iq [^>]*id='q'.*?</iq>").group(0).decode())
        self.alive("quotes")

    def test_03_elements_inside_each_other(self):
        for depth in (33, 1000, 99000):
            self.stream.send(f"<iq type='set' from='alice@example.com/x' to='desk@bus.example.com' id='d{depth}'>"
                             + "<a>" * depth + "</a>" * depth + "</iq>")
            self.assertIn("type='error'", self.stream.until(rf"<iq [^>]*id='d{depth}'.*?</iq>".encode()).group(0).decode())
        self.alive("deep")

    def test_04_attributes_and_declarations_in_floods(self):
        for name, attributes in (("a", [f"a{i}='1'" for i in range(65)]), ("b", [f"a{i}='1'" for i in range(5000)]),
                                 ("c", [f"xmlns:p{i}='u:{i}'" for i in range(65)])):
            self.stream.send(f"<iq type='set' from='alice@example.com/x' to='desk@bus.example.com' id='f{name}'>"
                             f"<e {' '.join(attributes)}/></iq>")
            self.assertIn("type='error'", self.stream.until(rf"<iq [^>]*id='f{name}'.*?</iq>".encode()).group(0).decode())
        self.alive("flood")

    def test_05_stanzas_that_make_no_sense(self):
        for stanza in ("<iq/>", "<iq type='get'/>", "<iq type='get' from='@' to='bus.example.com' id='n1'/>",
                       "<iq type='get' from='a@b@c/d' to='x@y@bus.example.com' id='n2'><ping xmlns='urn:xmpp:ping'/></iq>",
                       "<message/>", "<presence/>", "<message type='error'/>", "<nothing/>", "<iq xmlns='u:other'/>",
                       f"<message from='{'a' * 5000}@example.com' to='desk@bus.example.com'><body>x</body></message>",
                       "<iq type='result' from='bus.example.com' to='bus.example.com' id='x'/>",
                       "<handshake/>", "<stream:features/>", "  \n\t "):
            self.stream.send(stanza)
        self.alive("nonsense")

    def test_06_a_title_that_is_no_xml(self):
        answer = self.stream.ask("title", payload="<query xmlns='http://jabber.org/protocol/disco#items'/>")
        self.assertIn("a\ufffdb\ufffd", answer)
        self.alive("title")

    def test_07_an_answer_that_is_too_large(self):
        """Each item fits; all of them do not: as many as fit are sent, or an error; and never silence."""
        for i in range(3):
            self.stream.send(self.sized(f"l{i}", LIMIT - 2000))
            self.stream.until(rf"<iq [^>]*id='l{i}'.*?(</iq>|/>)".encode())
        answer = self.stream.ask("items", payload="<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='t'/></pubsub>")
        self.assertLessEqual(len(answer.encode()), LIMIT)
        self.alive("items")

    def test_10_a_billion_laughs(self):
        self.ends(LAUGHS + "<message from='alice@example.com' to='bus.example.com'><body>&lol9;</body></message>",
                  "a document type declaration|illegal|not well-formed|syntax error")
        # Where a document type may stand: before the stream's header.
        self.bus.mark()
        self.stream.socket.close()
        self.bus.wait_line("next try", 30)
        connection = self.server.listener.accept()[0]
        connection.sendall(f"<?xml version='1.0'?>{LAUGHS}<stream:stream xmlns='jabber:component:accept' a='&lol9;' "
                           "xmlns:stream='http://etherx.jabber.org/streams' id='1'>".encode())
        self.bus.wait_line("a document type declaration", 60)
        connection.close()
        type(self).stream = self.server.accept()
        self.alive("laughs")

    def test_11_nested_without_end(self):
        self.ends("<message from='alice@example.com' to='desk@bus.example.com'>" + "<a>" * 400000, "nested without end")

    def test_12_a_tag_without_end(self):
        self.ends("<message from='alice@example.com' a='" + "x" * (33 << 20), "a tag of more than|beyond the limit")

    def test_20_memory(self):
        """All of the above, over what the idle bus has."""
        tap_line, grown = self.memory.grown()
        print(f"# {tap_line}", flush=True)
        self.assertLessEqual(grown, 64)


if __name__ == "__main__":
    tap.run(HostileFakeTest)
