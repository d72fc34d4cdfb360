# SPDX-License-Identifier: Apache-2.0
"""A server, a bus behind it and people: what the tests of the bus on XMPP share.

    class CommandsTest(World):
        CONFIG = '''...'''          # {folder} {console} {component} are filled in
        USERS = ("alice", "ops")    # accounts; each has a client self.alice, ...
        async def test_01_...(self): ...
"""
import asyncio
import json
import pathlib
import shutil
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import ports  # noqa: E402
from tests.peers.ejabberd import Ejabberd  # noqa: E402
from tests.peers.process import Process  # noqa: E402
from tests.peers.prosody import Prosody  # noqa: E402
from tests.xmpp.client import Client  # noqa: E402

SERVERS = {"prosody": Prosody, "ejabberd": Ejabberd}
BUS = "bus.example.com"


class World(unittest.TestCase):
    CONFIG, USERS = "", ()
    XYLEMD, SERVER = None, None  # set from the command line

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-world-"))
        cls.server = SERVERS[cls.SERVER]()
        cls.server.start()
        for user in cls.USERS:
            cls.server.register(user, "pw")
        cls.console = ports.free()
        cls.bus = None
        cls.start_bus()
        cls.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(cls.loop)
        cls.clients = [cls.loop.run_until_complete(Client(cls.server, user).login()) for user in cls.USERS]
        for user, client in zip(cls.USERS, cls.clients):
            setattr(cls, user, client)

    @classmethod
    def write_config(cls, text=None):
        config = cls.folder / "xylem.yaml"
        config.write_text((text or cls.CONFIG).format(folder=cls.folder, console=cls.console,
                                                      component=cls.server.component_port))
        return config

    @classmethod
    def start_bus(cls, text=None):
        config = cls.write_config(text)
        cls.bus = Process([cls.XYLEMD, "run", config], log=cls.folder / "log", env={"TEST_SECRET": cls.server.secret})
        cls.bus.wait_line(r"connected as bus\.example\.com", 30)
        cls.bus.wait_line(r"main: ready", 30)

    @classmethod
    def tearDownClass(cls):
        for client in cls.clients:
            cls.loop.run_until_complete(client.logout())
        try:
            if cls.bus.alive() and cls.bus.stop(30) != 0:
                raise AssertionError(f"xylemd ended with {cls.bus.returncode}:\n{cls.bus.tail(60)}")
            for sign in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer"):
                if sign in cls.bus.text():
                    raise AssertionError(f"{sign} in the log:\n{cls.bus.tail(80)}")
        finally:
            cls.server.__exit__()
            shutil.rmtree(cls.folder, ignore_errors=True)

    def run(self, result=None):
        """Test methods are coroutines."""
        method = getattr(self, self._testMethodName)
        if asyncio.iscoroutinefunction(method):
            setattr(self, self._testMethodName,
                    lambda: self.loop.run_until_complete(asyncio.wait_for(method(), 150)))
        return super().run(result)

    def api(self, path, body=None):
        token = (self.folder / "data" / "admin.token").read_text().strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.console}/api/v1/{path}", data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    async def until(self, what, wanted, deadline=30):
        """Calls `wanted` until it returns something true, which is returned."""
        end = self.loop.time() + deadline
        while not (found := wanted()):
            if self.loop.time() > end:
                raise AssertionError(f"{what}: not within {deadline} s\n{self.bus.tail(30)}")
            await asyncio.sleep(0.05)
        return found


def main(*cases):
    """NAME_test.py XYLEMD prosody|ejabberd"""
    from tests.xmpp import tap
    World.XYLEMD, World.SERVER = sys.argv[1], sys.argv[2]
    tap.run(*cases)
