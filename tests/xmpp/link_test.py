# SPDX-License-Identifier: Apache-2.0
"""The component link against a real server: link_test.py DRIVER prosody|ejabberd

What a barrier confirms, what comes back as an error, what is sent again after a
lost connection, and that one stanza the server does not bear costs only itself.
"""
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import ports  # noqa: E402
from tests.peers.ejabberd import Ejabberd  # noqa: E402
from tests.peers.prosody import Prosody  # noqa: E402
from tests.xmpp import tap  # noqa: E402
from tests.xmpp.relay import Relay  # noqa: E402

DRIVER = sys.argv[1]
SERVER = {"prosody": Prosody, "ejabberd": Ejabberd}[sys.argv[2]]
LIMIT = 65536  # of the server


class Driver:
    """link_driver as a child: commands in, lines out."""

    def __init__(self, port, secret="s3cret", limit=4 * LIMIT, domain="bus.example.com"):
        self.child = subprocess.Popen([DRIVER, f"127.0.0.1:{port}", domain, str(limit)],
                                      env=dict(os.environ, LINK_SECRET=secret), text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.put(line.rstrip("\n"))

    def tell(self, *commands):
        self.child.stdin.write("".join(c + "\n" for c in commands))
        self.child.stdin.flush()

    def until(self, word, count=1, deadline=30):
        """Reads on until `count` lines began with the word (or one of them); those lines."""
        words = (word,) if isinstance(word, str) else word
        found, end = [], time.monotonic() + deadline
        while len(found) < count:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {word!r} ({len(found)} of {count}) in {deadline} s") from None
            if line.split(" ")[0] in words:
                found.append(line)
        return found if count > 1 else found[0]

    def state(self):
        self.tell("state")
        return dict(pair.split("=") for pair in self.until("state").split(" ")[1:])

    def cpu_seconds(self):
        """User and system time so far."""
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        if self.child.poll() is None:
            self.tell("quit")
        status = self.child.wait(20)
        self.child.stdin.close()
        self.child.stdout.close()
        return status


class LinkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = SERVER(stanza_limit=LIMIT)
        cls.server.start()
        cls.server.register("alice", "pw")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def driver(self, port=None, **options):
        driver = Driver(port or self.server.component_port, **options)
        self.addCleanup(driver.close)
        return driver

    def test_01_connects(self):
        driver = self.driver()
        self.assertEqual(driver.until("up"), "up ")
        self.assertEqual(driver.close(), 0)

    def test_02_wrong_secret_is_said(self):
        driver = self.driver(secret="wrong")
        self.assertIn("not-authorized", driver.until("down"))

    def test_02_a_domain_that_the_server_does_not_have_is_said(self):
        driver = self.driver(domain="bux.example.com")
        self.assertRegex(driver.until("down"), r"host-unknown|not-authorized")  # ejabberd: whatever the domain

    def test_02_the_port_of_clients_is_no_component_port(self):
        driver = self.driver(self.server.client_port)
        self.assertRegex(driver.until("down"), r"no XMPP component port|invalid-namespace|host-unknown|invalid-xml")

    def test_03_barrier_confirms_and_errors_come_before_it(self):
        driver = self.driver()
        driver.until("up")
        driver.tell("send a alice@example.com normal 10", "send b nobody@example.com chat 10",
                    "send c alice@example.com chat 10", "flush")
        self.assertEqual(driver.until("settled", 3),
                         ["settled a ok - -", "settled b unprocessable cancel service-unavailable",
                          "settled c ok - -"])

    def test_04_many_in_order(self):
        driver = self.driver()
        driver.until("up")
        driver.tell(*[f"send m{i} nobody@example.com normal 200" for i in range(3000)], "flush")
        settled = driver.until("settled", 3000, 120)
        self.assertEqual([line.split(" ")[1] for line in settled], [f"m{i}" for i in range(3000)])
        self.assertEqual({line.split(" ", 2)[2] for line in settled}, {"unprocessable cancel service-unavailable"})

    def test_05_refused_before_it_reaches_the_stream(self):
        driver = self.driver()
        driver.until("up")
        driver.tell("raw x alice@example.com <message to='alice@example.com'><body>\x02</body></message>",
                    "send y alice@example.com normal 300000")
        self.assertEqual(driver.until("refused", 2), ["refused x invalid", "refused y too-large"])
        driver.tell("send z alice@example.com normal 1", "flush")
        self.assertEqual(driver.until("settled"), "settled z ok - -")
        self.assertEqual(driver.state()["connects"], "1")

    def test_06_one_that_the_server_does_not_bear_costs_itself(self):
        driver = self.driver()
        driver.until("up")
        # The driver's limit is above the server's: the server closes the stream.
        commands = [f"send g{i} alice@example.com normal 100" for i in range(20)]
        commands.insert(10, f"send bad alice@example.com normal {3 * LIMIT}")
        driver.tell(*commands, "flush")
        # The stream may be gone before the last of them: those are not taken, and said so.
        outcomes = driver.until(("settled", "refused"), 21, 60)
        self.assertLessEqual({line.split(" ")[2] for line in outcomes if line.startswith("refused")}, {"unreachable"})
        settled = dict(line.split(" ", 2)[1:] for line in outcomes if line.startswith("settled"))
        # By the server's word, or, when its reset overtook that, by repetition.
        self.assertRegex(settled.pop("bad"), "^invalid (modify |wait connection-lost)")
        self.assertEqual(set(settled.values()), {"ok - -"})
        if int(driver.state()["connects"]) < 2:
            driver.until("up")
        self.assertGreaterEqual(int(driver.state()["connects"]), 2)

    def test_07_lost_connection_sends_again(self):
        proxy = Relay(self.server.component_port)
        self.addCleanup(proxy.close)
        driver = self.driver(port=proxy.port)
        driver.until("up")
        proxy.deaf.set()  # the server gets them, its confirmation is lost
        driver.tell(*[f"send r{i} alice@example.com normal 100" for i in range(50)], "flush")
        while int(driver.state()["unconfirmed"]) != 50:
            pass
        proxy.deaf.clear()
        proxy.cut()
        driver.until("down")
        settled = driver.until("settled", 50, 60)
        self.assertEqual([line.split(" ")[1] for line in settled], [f"r{i}" for i in range(50)])
        self.assertEqual(driver.state()["unconfirmed"], "0")

    def test_08_server_restart(self):
        driver = self.driver()
        driver.until("up")
        self.server.kill()
        driver.until("down")
        driver.tell("send n alice@example.com normal 1")
        self.assertEqual(driver.until("refused"), "refused n unreachable")
        self.server.start()
        driver.until("up", deadline=90)
        driver.tell("send o alice@example.com normal 1", "flush")
        self.assertEqual(driver.until("settled"), "settled o ok - -")

    def test_09_nobody_there_yet(self):
        port = ports.free()
        driver = self.driver(port=port)
        self.assertIn("refused", driver.until("down"))

    def test_10_waiting_for_a_barrier_costs_nothing(self):
        proxy = Relay(self.server.component_port)
        self.addCleanup(proxy.close)
        driver = self.driver(port=proxy.port)
        driver.until("up")
        proxy.deaf.set()
        driver.tell(*[f"send r{i} alice@example.com normal 100" for i in range(120)], "flush")
        driver.state()
        driver.tell("send later alice@example.com normal 100")
        before = driver.cpu_seconds()
        self.assertIn("no answer to a ping", driver.until("down", deadline=60))
        # Ten seconds of waiting; a loop that does not wait would take all of them, or its share.
        self.assertLess(driver.cpu_seconds() - before, 1)

    def test_11_at_the_limit(self):
        """A stanza of as many escaped bytes as are allowed goes, one more is refused before the stream."""
        # ejabberd counts what it has read, which is the beginning of the next stanza too.
        limit = LIMIT if self.server.kind == "prosody" else LIMIT // 2
        driver = self.driver(limit=limit)
        driver.until("up")
        head, tail = "<message type='chat' from='bus.example.com' to='alice@example.com' id='{}'><body>", "</body></message>"
        for name, n in (("less", limit - 1), ("just", limit), ("more", limit + 1)):
            room = n - len(head.format(name)) - len(tail)
            text = head.format(name) + "&lt;" * (room // 4) + "x" * (room % 4) + tail
            self.assertEqual(len(text), n)
            driver.tell(f"raw {name} alice@example.com {text}")
        self.assertEqual(driver.until("refused"), "refused more too-large")
        driver.tell("flush")
        self.assertEqual(driver.until("settled", 2), ["settled less ok - -", "settled just ok - -"])
        self.assertEqual(driver.state()["connects"], "1")

    def test_12_a_slow_line(self):
        """What takes longer than a ping may is not given up as long as it goes on."""
        proxy = Relay(self.server.component_port, rate=128 * 1024)
        self.addCleanup(proxy.close)
        driver = self.driver(port=proxy.port)
        driver.until("up")
        driver.tell(*[f"send s{i} nobody@example.com normal 50000" for i in range(48)], "flush")
        settled = driver.until("settled", 48, 120)
        self.assertEqual([line.split(" ")[1] for line in settled], [f"s{i}" for i in range(48)])
        self.assertEqual((driver.state()["connects"], driver.state()["resent"]), ("1", "0"))


if __name__ == "__main__":
    tap.run(LinkTest)
