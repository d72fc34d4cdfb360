# SPDX-License-Identifier: Apache-2.0
"""What the pages print works: pages_test.py XYLEMD prosody|ejabberd

A server that is configured as docs/xmpp.md and docs/bus-to-bus.md say, and a bus as docs/xmpp.md says, are brought
together. Nothing is added but what every server has (a domain, folders, ports of the test in the place of 5347).
"""
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "path")]
os.environ["XYLEMD"] = sys.argv[1]
from harness import Bus  # noqa: E402
from tests.docs.snippets import blocks  # noqa: E402
from tests.peers.ejabberd import Ejabberd  # noqa: E402
from tests.peers.federation import Authority  # noqa: E402
from tests.peers.prosody import Prosody  # noqa: E402
from tests.xmpp import tap  # noqa: E402
from tests.xmpp.component import Component  # noqa: E402

KIND = sys.argv[2]
DOMAIN, BUS = "acme.test", "bus.acme.test"
FOLDERS = """run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ info = "*console" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {client_port} }}
s2s_ports = {{ }}
http_ports = {{ }}
https_ports = {{ }}
modules_enabled = {{ "roster", "saslauth", "tls", "dialback", "disco" }}
"""
LISTENERS = """  - {{ port: {client_port}, ip: "127.0.0.1", module: ejabberd_c2s }}
  - {{ port: {api_port}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {{ /api: mod_http_api }} }}
"""


def blocks_under(page, heading):
    """The indented blocks below the heading of the page, up to the next heading."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    part = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL).group(1)
    return [block for _, block in blocks(part)]


def printed(server, text, files):
    """The text as the page has it, with the test's port and files."""
    text = re.sub(r"\b5347\b", str(server.component_port), text)
    for pattern, file in files.items():
        text, n = re.subn(pattern, str(file), text)
        assert n, f"the page has no {pattern}"
    return text


class AsPrintedProsody(Prosody):
    def _write_config(self):
        (self.folder / "data").mkdir(exist_ok=True)
        listener, component = blocks_under("xmpp.md", "Prosody")
        between, = (b for b in blocks_under("bus-to-bus.md", "8. Servers") if "s2s_secure_auth" in b)
        files = {r'(?<=certificate = ")[^"]*': self.certificate[0], r'(?<=key = ")[^"]*': self.certificate[1]}
        path = self.folder / "prosody.cfg.lua"
        path.write_text(FOLDERS.format(folder=self.folder, client_port=self.client_port)
                        + printed(self, listener, {}) + printed(self, between, files)
                        + f'VirtualHost "{DOMAIN}"\n' + printed(self, component, {}))
        return path


class AsPrintedEjabberd(Ejabberd):
    def _write_config(self):
        listener, = (b for b in blocks_under("xmpp.md", "ejabberd") if b.startswith("listen:"))
        between, = (b for b in blocks_under("bus-to-bus.md", "8. Servers") if "s2s_use_starttls" in b)
        joined = self.folder / "both.pem"
        joined.write_text("".join(pathlib.Path(p).read_text() for p in self.certificate))
        files = {r"/etc/ssl/certs/ca-certificates\.crt": self.authority, r"/etc/ejabberd/certs/\*\.pem": joined}
        path = self.folder / "ejabberd.yml"
        path.write_text(f'hosts: ["{DOMAIN}"]\n' + printed(self, between, files) + printed(self, listener, {})
                        + LISTENERS.format(client_port=self.client_port, api_port=self.api_port)
                        + "modules: { mod_http_api: {} }\n")
        return path


class PagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = {"prosody": AsPrintedProsody, "ejabberd": AsPrintedEjabberd}[KIND](domain=DOMAIN, component=BUS)
        cls.server.folder.mkdir(exist_ok=True)
        authority = Authority(cls.server.folder)
        cls.server.authority = authority.file
        cls.server.certificate = authority.certificate(DOMAIN, BUS)
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    if KIND == "prosody":
        def test_00_prosody_finds_nothing_wrong(self):
            done = subprocess.run(["prosodyctl", "--config", self.server.folder / "prosody.cfg.lua", "check", "config"],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertIn("All checks passed", done.stdout, done.stdout + done.stderr)

    def test_01_the_bus_of_the_page_connects(self):
        configuration = next(b for b in blocks_under("xmpp.md", "Configuration") if "xmpp:" in b)
        with Bus(env={"XYLEM_XMPP_SECRET": "..."}) as bus:  # as the pages have it
            head = f'bus: {{ name: acme, data: "{bus.data}" }}\nconsole: {{ listen: "127.0.0.1:{bus.console}" }}\n'
            bus.stop()
            bus.file.write_text(head + printed(self.server, configuration, {}))
            bus.start()
            bus.wait_log(rf"connected as {re.escape(BUS)}")

    def test_02_who_comes_back_is_let_in(self):
        """Prosody by `kick_old`; ejabberd lets in whoever comes."""
        with Component(self.server.component_port, BUS, "..."):
            with Component(self.server.component_port, BUS, "..."):
                pass


tap.run(PagesTest)
