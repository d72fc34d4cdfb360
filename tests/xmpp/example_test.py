# SPDX-License-Identifier: Apache-2.0
"""The examples with people in them, as their pages say: example_test.py XYLEMD prosody|ejabberd

Each is started with its own configuration behind a real server; the test plays GitHub, the people and the room.
"""
import asyncio
import hashlib
import hmac
import json
import pathlib
import shutil
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))
from tests.peers import ports  # noqa: E402
from tests.peers.process import Process  # noqa: E402
from tests.xmpp import social, stage, tap  # noqa: E402
from tests.xmpp.client import CLIENT, Client, body  # noqa: E402

XYLEMD, ROOMS, BUS = sys.argv[1], social.ROOMS, stage.BUS
ROUNDS = 100


class ExampleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(cls.loop)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-example-"))
        cls.server = stage.SERVERS[sys.argv[2]]()
        cls.server.start()
        for user in ("alice", "boss", "left", "right"):
            cls.server.register(user, "pw")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def bus(self, name, **more):
        """Starts the example's bus with the variables that its page names; ended after the test."""
        prefix, console = name.upper(), ports.free()
        environment = {f"{prefix}_{key}": str(value) for key, value in {
            "SERVER": f"127.0.0.1:{self.server.component_port}", "DOMAIN": BUS, "SECRET": self.server.secret,
            "XMPP_SECRET": self.server.secret, "DATA": self.folder / name, "CONSOLE_PORT": console, **more}.items()}
        bus = Process([XYLEMD, "run", TOP / "examples" / name / f"{name}.yaml"], log=self.folder / f"{name}.log",
                      env=environment)
        self.addCleanup(lambda: self.assertEqual(bus.stop(60), 0, bus.tail()))
        bus.wait_line(r"connected as bus\.example\.com", 60)
        bus.wait_line(r"main: ready", 60)
        return bus

    def run(self, result=None):
        method = getattr(self, self._testMethodName)
        setattr(self, self._testMethodName, lambda: self.loop.run_until_complete(asyncio.wait_for(method(), 240)))
        return super().run(result)

    async def test_01_bot(self):
        self.bus("bot")
        alice = await Client(self.server, "alice").login()
        for said, answer in (("Ping?", "pong"), ("well, my name is Ada", "Hello, Ada!"), ("what is 19 + 23", "42"),
                             ("nothing that it knows", None), ("ping", "pong")):
            alice.send(f"<message to='bot@{BUS}' type='chat'><body>{said}</body></message>")
            if answer:
                self.assertEqual(body(await alice.message(lambda m: m.get("from", "").startswith(f"bot@{BUS}"))), answer)
        await alice.logout()

    @staticmethod
    def github(port, event, payload, secret="hush", identifier="d-1"):
        data = json.dumps(payload).encode()
        signature = "sha256=" + hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/github", data=data, headers={
            "Content-Type": "application/json", "X-GitHub-Event": event, "X-GitHub-Delivery": identifier,
            "X-Hub-Signature-256": signature})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    async def test_02_github(self):
        secret, hook = self.folder / "hook.secret", ports.free()
        secret.write_text("hush")
        secret.chmod(0o600)
        self.bus("github", PERSON="boss@example.com", ROOM=f"dev@{ROOMS}", HOOK_PORT=hook, SECRET_FILE=secret)
        boss = await Client(self.server, "boss").login()
        boss.send(f"<presence to='dev@{ROOMS}/boss'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        await boss.presence(lambda p: p.get("from") == f"dev@{ROOMS}/github", 60)
        push = {"pusher": {"name": "ada"}, "commits": [{}, {}], "repository": {"full_name": "acme/shop"},
                "head_commit": {"message": "cart: counts what is in it\n\nbody"}}
        issue = {"action": "opened", "sender": {"login": "bob"}, "repository": {"full_name": "acme/shop"},
                 "issue": {"number": 7, "title": "the cart is empty"}}
        self.assertEqual(self.github(hook, "push", push, secret="guessed"), 401)
        self.assertIn(self.github(hook, "push", push), (200, 202))
        sentence = "ada pushed 2 to acme/shop: cart: counts what is in it"
        chat = await boss.message(lambda m: m.get("from", "").startswith(f"boss@{BUS}"))
        self.assertEqual((body(chat), chat.findtext(CLIENT + "subject")), (sentence, "push"))
        in_room = [m for m in [await boss.message(lambda m: m.get("from") == f"dev@{ROOMS}/github" and body(m))]]
        self.assertEqual(body(in_room[0]), sentence)
        self.assertIn(self.github(hook, "issues", issue, identifier="d-2"), (200, 202))
        said = await boss.message(lambda m: m.get("from") == f"dev@{ROOMS}/github" and body(m))
        self.assertEqual(body(said), "bob opened issue #7 of acme/shop: the cart is empty")
        gone = push | {"head_commit": None, "commits": [], "deleted": True, "ref": "refs/heads/cart"}
        self.assertIn(self.github(hook, "push", gone, identifier="d-3"), (200, 202))
        said = await boss.message(lambda m: m.get("from") == f"dev@{ROOMS}/github" and body(m))
        self.assertEqual(body(said), "ada deleted refs/heads/cart of acme/shop")
        await boss.logout()

    async def test_03_pingpong(self):
        self.bus("pingpong")
        player = [sys.executable, TOP / "examples/pingpong/player.py", f"127.0.0.1:{self.server.client_port}"]
        right = Process([*player, "right@example.com", "pw", f"right@{BUS}"], log=self.folder / "right.log")
        self.addCleanup(right.kill)
        right.wait_line("ready", 60)
        left = Process([*player, "left@example.com", "pw", f"left@{BUS}", ROUNDS], log=self.folder / "left.log")
        self.addCleanup(left.kill)
        self.assertEqual(left.wait(200), 0, left.tail())
        stage.say(left.text().splitlines()[-1])
        self.assertIn(f"{ROUNDS} of {ROUNDS} came back, byte for byte", left.text())


if __name__ == "__main__":
    tap.run(ExampleTest)
