# SPDX-License-Identifier: Apache-2.0
"""What an XMPP test of the whole bus stands on: a real server, people with accounts at it, a bus, and TAP.

    class T(stage.Case):
        config = "connectors: ..."          # beside bus, console and xmpp, which the stage writes
        people = ("alice", "bob")

        async def test_01(self):
            alice = self.people_online["alice"]

    stage.run(T)                             # program.py XYLEMD prosody|ejabberd

One event loop for all cases of a class; the server and the bus live as long as the class.
"""
import asyncio
import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import slixmpp

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
        self.bus = None

    def write(self, config=None):
        self.config = config or self.config
        file = self.folder / "xylem.yaml"
        values = {"folder": self.folder, "console": self.console, "hook": self.hook,
                  "component": self.component_port or self.server.component_port, "xmpp": self.xmpp}
        file.write_text((HEAD + self.config).format(**values), encoding="utf-8")
        return file

    def start_bus(self, config=None, wait=True):
        self.bus = Process([self.xylemd, "run", self.write(config)], log=self.folder / "log",
                           env={"TEST_SECRET": self.server.secret, "ASAN_OPTIONS": memory.ASAN})
        if wait:
            self.bus.wait_line(r"connected as bus\.example\.com", 60)
            self.bus.wait_line(r"main: ready", 60)

    def stop_bus(self):
        if self.bus.stop(60) != 0:
            raise AssertionError(f"xylemd ended with {self.bus.returncode}:\n{self.bus.tail(60)}")

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
        finally:
            self.server.__exit__()
            shutil.rmtree(self.folder, ignore_errors=True)


class Case(unittest.TestCase):
    """Cases are coroutines or plain; `self.stage`, `self.people_online[name]`."""
    config, xmpp, people, server_options, deadline = "", "", (), {}, 240

    @classmethod
    def setUpClass(cls):
        cls.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(cls.loop)
        cls.stage = Stage(sys.argv[1], sys.argv[2], cls.config, cls.xmpp, cls.people, **cls.server_options)
        cls.stage.start_bus()
        cls.people_online = {}
        for name in cls.people:
            cls.people_online[name] = cls.loop.run_until_complete(Client(cls.stage.server, name).login())

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


def say(text):
    """What a test saw, as TAP diagnostics."""
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def run(*cases):
    tap.run(*cases)
