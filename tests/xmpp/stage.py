# SPDX-License-Identifier: Apache-2.0
"""What an XMPP test of the whole bus stands on: a real server, people with accounts at it, a bus, and TAP.

    class T(stage.Case):
        config = "connectors: ..."          # beside bus, console and xmpp, which the stage writes
        people = ("alice", "bob")

        async def test_01(self):
            alice = self.people_online["alice"]

            await self.alice.message(...)       # the same

    stage.run(T)                             # program.py XYLEMD prosody|ejabberd

One event loop for all cases of a class; the server and the bus live as long as the class.
"""
import asyncio
import json
import pathlib
import shutil
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

from tests.peers import ports
from tests.peers.ejabberd import Ejabberd
from tests.peers.process import Process
from tests.peers.prosody import Prosody
from tests.xmpp import memory, tap
from tests.xmpp.client import Client

SERVERS = {"prosody": Prosody, "ejabberd": Ejabberd}
BUS = "bus.example.com"
HEAD = """
bus: {{ name: acme, data: {folder}/data }}
console: {{ listen: "127.0.0.1:{console}" }}
xmpp: {{ server: "127.0.0.1:{component}", domain: bus.example.com, secret: {{ env: TEST_SECRET }}, {xmpp} }}
"""


class Stage:
    """The server, and a bus that can be started again. `config` is a format string with {hook} for a free port."""

    def __init__(self, xylemd, kind, config, xmpp="", people=(), component_port=None, **server_options):
        self.xylemd, self.config, self.xmpp = xylemd, config, xmpp
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-stage-"))
        self.server = SERVERS[kind](**server_options)
        self.server.start()
        for user in people:
            self.server.register(user, "pw")
        self.console, self.hook = ports.free(2)
        self.component_port = component_port  # of a relay before the server's, when there is one
        self.values, self.environment = {}, {}  # more for the configuration's {...}, more for the bus
        self.bus = None

    def write(self, config=None):
        self.config = config or self.config
        file = self.folder / "xylem.yaml"
        values = {"folder": self.folder, "console": self.console, "hook": self.hook,
                  "component": self.component_port or self.server.component_port, "xmpp": self.xmpp} | self.values
        file.write_text((HEAD + self.config).format(**values), encoding="utf-8")
        return file

    def start_bus(self, config=None, wait=True, env=None):
        self.bus = Process([self.xylemd, "run", self.write(config)], log=self.folder / "log",
                           env={"TEST_SECRET": self.server.secret, "ASAN_OPTIONS": memory.ASAN} | self.environment
                           | (env or {}))
        if wait:
            self.bus.wait_line(r"connected as bus\.example\.com", 60)
            self.bus.wait_line(r"main: ready", 60)

    def stop_bus(self):
        if self.bus.stop(60) != 0:
            raise AssertionError(f"xylemd ended with {self.bus.returncode}:\n{self.bus.tail(60)}")

    def secret(self, name, text):
        """A file beside the configuration that only its owner may read."""
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o600)

    def check_log(self):
        """Nothing that a sanitizer says may pass, also not of a bus that was killed later."""
        for sign in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer", "WARNING: ThreadSanitizer"):
            if self.bus and sign in self.bus.text():
                raise AssertionError(f"{sign} in the log:\n{self.bus.tail(80)}")

    def token(self):
        return (self.folder / "data" / "admin.token").read_text().strip()

    def api(self, path, body=None, token=None, method=None):
        """The answer's status and JSON (None when there is none) of an operation; the admin's token by default."""
        headers = {"Authorization": f"Bearer {token or self.token()}", "Content-Type": "application/json"}
        return self.http(f"http://127.0.0.1:{self.console}/api/v1/{path}", headers,
                         None if body is None else json.dumps(body).encode(), method)

    def fetch(self, url):
        """The bytes at an address of the console, as the admin."""
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token()}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def post(self, path, data, **headers):
        """Posts to a webhook; the status."""
        return self.http(f"http://127.0.0.1:{self.hook}{path}", headers, data, "POST")[0]

    @staticmethod
    def http(url, headers, data=None, method=None):
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, None

    def status_kb(self, field="VmRSS"):
        """A figure of /proc/PID/status, in KiB."""
        for line in open(f"/proc/{self.bus.pid}/status", encoding="ascii"):
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise AssertionError(f"no {field}")

    def close(self):
        try:
            if self.bus and self.bus.alive():
                self.stop_bus()
            self.check_log()
        finally:
            self.server.__exit__()
            shutil.rmtree(self.folder, ignore_errors=True)


class Case(unittest.TestCase):
    """Cases are coroutines or plain; `self.stage`, and of each of `people` a client `self.NAME` that is online."""
    config, xmpp, people, server_options, deadline = "", "", (), {}, 240
    accounts = ()  # that have no client here

    @classmethod
    def setUpClass(cls):
        cls.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(cls.loop)
        cls.stage = Stage(sys.argv[1], sys.argv[2], cls.config, cls.xmpp, (*cls.people, *cls.accounts),
                          **cls.server_options)
        cls.set_the_stage()
        cls.stage.start_bus()
        cls.people_online = {}
        for name in cls.people:
            cls.loop.run_until_complete(cls.come_online(name))

    @classmethod
    def set_the_stage(cls):
        """What the configuration names has to be there before the bus starts: files, a relay, `stage.values`."""

    @classmethod
    async def come_online(cls, name):
        client = await Client(cls.stage.server, name).login()
        cls.people_online[name] = client
        setattr(cls, name, client)
        return client

    @classmethod
    def tearDownClass(cls):
        for client in cls.people_online.values():
            cls.loop.run_until_complete(client.logout())
        cls.stage.close()

    def run(self, result=None):
        method = getattr(self, self._testMethodName)
        if asyncio.iscoroutinefunction(method):
            setattr(self, self._testMethodName,
                    lambda: self.loop.run_until_complete(asyncio.wait_for(method(), self.deadline)))
        return super().run(result)

    # --- What people do who look after a bus ---------------------------------------------

    def api(self, path, body=None):
        """The JSON of an operation that the admin is granted."""
        status, answer = self.stage.api(path, body)
        self.assertLess(status, 300, f"{path}: {answer}")
        return answer

    def publish_event(self, ingress, kind, data, **attributes):
        """The handle of the message."""
        return self.api("publish", {"ingress": ingress, "type": kind, "data": data} | attributes)["handle"]

    async def delivered(self, handle):
        """Waits until a lane has delivered the message, at most until the case's own deadline."""
        while not any(lane["outcome"] == "delivered" for lane in self.api(f"messages/{handle}")["lanes"]):
            await asyncio.sleep(0.02)

    async def until(self, what, wanted, deadline=30):
        """Calls `wanted` until it returns something true, which is returned."""
        end = self.loop.time() + deadline
        while not (found := wanted()):
            if self.loop.time() > end:
                raise AssertionError(f"{what}: not within {deadline} s\n{self.stage.bus.tail(30)}")
            await asyncio.sleep(0.05)
        return found


def say(text):
    """What a test saw, as TAP diagnostics."""
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def run(*cases):
    tap.run(*cases)
