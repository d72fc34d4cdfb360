# SPDX-License-Identifier: Apache-2.0
"""A Prosody of the test's own, with accounts and one external component.

    with Prosody(component="bus.example.com", secret="s3cret") as server:
        server.register("alice", "pw")       # alice@example.com
        server.client_port, server.component_port

Own data folder, own ports on 127.0.0.1, no TLS and no server-to-server unless
`federation` is given: it is for the loopback and for nothing else.
"""
import pathlib
import shutil
import subprocess
import tempfile

from . import ports
from .process import PeerError, Process

CONFIG = """
run_as_root = true
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ info = "*console" }}
plugin_paths = {{ "{folder}/plugins" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {client_port} }}
{s2s}
http_ports = {{ }}
https_ports = {{ }}
component_ports = {{ {component_port} }}
component_interfaces = {{ "127.0.0.1" }}
component_stanza_size_limit = {stanza_limit}
modules_enabled = {{ "roster", "saslauth", "disco", "ping", "offline", "carbons", "smacks", {modules} }}
modules_disabled = {{ {disabled} }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
ssl = {ssl}
{settings}
VirtualHost "{domain}"
{components}"""

COMPONENT = """Component "{name}"
    component_secret = "{secret}"
    component_conflict_resolve = "kick_old"
    modules_enabled = {{ }}
"""

NO_S2S = "s2s_ports = { }"
S2S = """s2s_ports = {{ {port} }}
s2s_interfaces = {{ "{address}" }}
s2s_require_encryption = true
s2s_secure_auth = true"""

# Where other servers are, without a name server.
ADDRESSES = """
module:set_global();
local service, manual = require "net.resolvers.service", require "net.resolvers.manual";
local there = {{ {there} }};
local ask = service.new;
function service.new(host, ...)
	local at = there[host];
	if at then return manual.new({{ {{ "tcp", at[1], at[2], {{}} }} }}, "tcp"); end
	return ask(host, ...);
end
"""


class Prosody:
    kind = "prosody"

    def __init__(self, component="bus.example.com", secret="s3cret", domain="example.com", folder=None,
                 client_port=None, component_port=None, stanza_limit=524288, modules=(), settings="", certificate=None,
                 more_components=(), federation=None):
        """`more_components`: further domains with the same secret. `certificate`: (certificate file, key file) of the
        domain: STARTTLS is offered then. `settings`: lines of the global part of the configuration. `federation`: a
        federation.Federation; it needs a certificate."""
        self._temporary = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="xylem-prosody-"))
        self.domain, self.component, self.secret = domain, component, secret
        free = ports.free(2)
        self.client_port = client_port or free[0]
        self.component_port = component_port or free[1]
        self.stanza_limit, self.modules, self.settings = stanza_limit, list(modules), settings
        self.certificate, self.federation = certificate, federation
        self.components = [component, *more_components]
        self.process = None

    @staticmethod
    def available():
        return shutil.which("prosody") is not None

    def _write_config(self):
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        modules = self.modules + (["tls"] if self.certificate else [])
        disabled = ([] if self.federation else ["s2s"]) + ([] if self.certificate else ["tls"])
        ssl = 'certificate = "%s", key = "%s"' % self.certificate if self.certificate else ""
        s2s = NO_S2S
        if self.federation:
            s2s = S2S.format(port=self.federation.port, address=self.federation.address)
            ssl += f', cafile = "{self.federation.authority}"'
            modules.append("addresses")
            self._write_addresses()
        ssl = f"{{ {ssl} }}"
        path = self.folder / "prosody.cfg.lua"
        path.write_text(CONFIG.format(
            folder=self.folder, client_port=self.client_port, component_port=self.component_port,
            stanza_limit=self.stanza_limit, modules="".join(f'"{m}", ' for m in modules),
            disabled=", ".join(f'"{m}"' for m in disabled), ssl=ssl, s2s=s2s, settings=self.settings, domain=self.domain,
            components="".join(COMPONENT.format(name=name, secret=self.secret) for name in self.components)))
        return path

    def _write_addresses(self):
        there = ", ".join(f'["{name}"] = {{ "{address}", {port} }}'
                          for name, (address, port) in self.federation.there.items())
        (self.folder / "plugins").mkdir(exist_ok=True)
        (self.folder / "plugins" / "mod_addresses.lua").write_text(ADDRESSES.format(there=there))

    def start(self):
        if not self.available():
            raise PeerError("no prosody: apt install prosody")
        self.process = Process(["prosody", "--config", self._write_config()], log=self.folder / "log")
        self.process.wait_port(self.client_port, 30)
        self.process.wait_port(self.component_port, 30)
        return self

    def register(self, user, password):
        done = subprocess.run(["prosodyctl", "--config", self.folder / "prosody.cfg.lua", "register", user,
                               self.domain, password], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise PeerError(f"prosodyctl register {user}: {done.stdout}{done.stderr}")

    def stop(self, deadline=30.0):
        if self.process and self.process.alive():
            self.process.stop(deadline)

    def kill(self):
        if self.process:
            self.process.kill()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)
