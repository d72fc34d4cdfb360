# SPDX-License-Identifier: Apache-2.0
"""Profanity, a client for terminals, operates the bus: profanity_test.py XYLEMD prosody|ejabberd

It is driven in a terminal of tmux, as a person would: lists commands, runs one, fills in a form, and repairs and
replays a case of the hospital. It shows nodes and not names, no tables, and of notes only the first.
"""
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.commands_test import Operated  # noqa: E402

BUS = stage.BUS


class Terminal:
    """A program in a terminal of its own, 200 by 120."""

    def __init__(self, folder, *command):
        self.socket = folder / "tmux"
        self.environment = dict(os.environ, HOME=str(folder), XDG_CONFIG_HOME=str(folder / "config"),
                                XDG_DATA_HOME=str(folder / "data"), TERM="xterm", LANG="C.UTF-8", LC_ALL="C.UTF-8")
        self.environment.pop("TMUX", None)
        self.tmux("new-session", "-d", "-x", "200", "-y", "120", *command)

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *arguments], env=self.environment,
                              capture_output=True, text=True, timeout=30, check=False)
        return done.stdout

    def write(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def screen(self):
        return self.tmux("capture-pane", "-p", "-J")

    def end(self):
        self.tmux("kill-server")


class ProfanityTest(Operated):
    people = ("vera",)

    @classmethod
    def setUpClass(cls):
        for program in ("profanity", "tmux"):
            if not shutil.which(program):
                raise AssertionError(f"no {program}: apt install {program}")
        super().setUpClass()
        cls.stage.server.register("ops", "pw")
        home = cls.stage.folder / "home"
        home.mkdir()
        cls.terminal = Terminal(home, "profanity")

    @classmethod
    def tearDownClass(cls):
        cls.terminal.end()
        super().tearDownClass()

    async def shown(self, text, deadline=60):
        """Waits until the screen shows the text; the screen."""
        try:
            await self.until(text, lambda: text in self.terminal.screen(), deadline)
        except AssertionError:
            raise AssertionError(f"the screen does not show `{text}`:\n{self.terminal.screen()}") from None
        return self.terminal.screen()

    def to_console(self):
        self.terminal.write("/win 1")

    async def test_01_logs_in(self):
        await self.shown("Type '/help' to show complete help")
        self.terminal.write(f"/connect ops@example.com server 127.0.0.1 port {self.stage.server.client_port} tls disable")
        await self.shown("Enter password")
        self.terminal.write("pw")
        await self.shown("logged in successfully")

    async def test_02_lists(self):
        # It lists none before it has seen that the server, or something of it, has commands.
        for _ in range(20):
            self.terminal.write(f"/cmd list {BUS}")
            await self.until("an answer", lambda: any(text in self.terminal.screen() for text in (
                "lane-pause", "does not support ad hoc commands")))
            if "lane-pause" in self.terminal.screen():
                break
            self.terminal.write("/clear")
            await self.until("cleared", lambda: "does not support" not in self.terminal.screen())
        screen = await self.shown("lane-pause")
        for node in ("bus-status", "hospital-replay", "publish"):
            self.assertIn(node, screen)

    async def test_03_runs(self):
        self.terminal.write(f"/cmd exec bus-status {BUS}")
        await self.shown("name: acme")  # the fields, in a window
        self.to_console()
        await self.shown("ready: yes")  # the note, in the console

    async def test_04_fills_in_a_form(self):
        self.terminal.write(f"/cmd exec lane-pause route.orders@{BUS}")
        await self.shown("Form title: pause lane")
        self.terminal.write("/field1 orders/out")
        await self.shown("Field updated")
        self.terminal.write("/form submit")
        await self.until("paused", lambda: self.api("lanes/orders/out")["state"] == "paused")
        await self.shown("done: pause")
        self.terminal.write(f"/cmd exec lane-resume route.orders@{BUS}")
        await self.shown("Form title: resume lane")
        # What is there already is taken: the first of the choices.
        self.terminal.write("/form submit")
        await self.until("resumed", lambda: self.api("lanes/orders/out")["state"] != "paused")

    async def test_05_replays_a_case(self):
        number = await self.a_case()
        version = self.api(f"hospital/cases/{number}")["version"]
        self.api(f"hospital/cases/{number}/draft", {"version": version, "data": {"price": 19.5}})
        self.terminal.write(f"/cmd exec hospital-replay {BUS}")
        await self.shown("Form title: hospital replay")
        self.terminal.write(f"/field1 {number}")
        await self.shown("Field updated")
        self.terminal.write("/form submit")
        # The second stage shows the case that is about to be sent again.
        await self.shown("reason: no price")
        self.terminal.write("/form submit")
        await self.until("resolved", lambda: [c for c in self.cases("resolved") if c["case"] == number], 60)
        self.assertIn('{"price":39', (self.stage.folder / "out.ndjson").read_text().replace(" ", ""))

    async def test_06_chats(self):
        self.terminal.write(f"/msg {BUS} status")
        await self.shown("connectors: 2")


if __name__ == "__main__":
    stage.run(ProfanityTest)
