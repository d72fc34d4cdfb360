# SPDX-License-Identifier: Apache-2.0
"""An ejabberd of the test's own, with accounts and one external component.

    with Ejabberd(component="bus.example.com", secret="s3cret") as server:
        server.register("alice", "pw")       # alice@example.com
        server.client_port, server.component_port

It runs without epmd and without Erlang distribution, with own data folder and
ports on 127.0.0.1; server-to-server only if `federation` is given. Accounts are registered through its HTTP API on a third port.
"""
import json
import os
import pathlib
import shutil
import tempfile
import urllib.error
import urllib.request

from . import ports
from .names import Names
from .process import PeerError, Process

CONFIG = """
hosts: ["{domain}"]
loglevel: info
auth_method: internal
auth_password_format: plain
{certfiles}
{s2s}
acl:
  local: {{ user_regexp: "" }}
  loopback: {{ ip: ["127.0.0.0/8"] }}
access_rules:
  c2s: {{ allow: all }}
  local: {{ allow: local }}
api_permissions:
  "tests":
    who: {{ ip: ["127.0.0.1/8"] }}
    what: ["register", "status"]
listen:
  - {{ port: {client_port}, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144, access: c2s, {starttls} }}
  - {{ port: {api_port}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {{ /api: mod_http_api, /xmpp-websocket: ejabberd_http_ws }} }}
{s2s_listen}
  - port: {component_port}
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    shaper: none
    max_stanza_size: {stanza_limit}
    global_routes: false
    hosts: {{ {components} }}
modules:
  mod_http_api: {{}}
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_offline: {{ store_empty_body: unless_chat_state }}
  mod_stream_mgmt: {{}}
  mod_carboncopy: {{}}
"""

# mod_s2s_dialback is not among the modules: a server shows its certificate or is nobody.
S2S = """s2s_use_starttls: required
s2s_cafile: "{authority}"
s2s_max_retry_delay: 1
outgoing_s2s_families: [ipv4]"""
S2S_LISTEN = '  - {{ port: {port}, ip: "{address}", module: ejabberd_s2s_in, max_stanza_size: 524288 }}'


class Ejabberd:
    kind = "ejabberd"

    def __init__(self, component="bus.example.com", secret="s3cret", domain="example.com", folder=None,
                 client_port=None, component_port=None, stanza_limit=524288, certificate=None,
                 more_components=(), federation=None):
        """`more_components`: further domains with the same secret. `certificate`: (certificate file, key file) of the
        domain: STARTTLS is offered then. `federation`: a federation.Federation; it needs a certificate."""
        self._temporary = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="xylem-ejabberd-"))
        self.domain, self.component, self.secret = domain, component, secret
        free = ports.free(3)
        self.client_port = client_port or free[0]
        self.component_port = component_port or free[1]
        self.api_port = free[2]
        self.stanza_limit, self.certificate, self.federation = stanza_limit, certificate, federation
        self.components = [component, *more_components]
        self.process = self.names = None

    @staticmethod
    def available():
        return shutil.which("erl") is not None and any(
            pathlib.Path(p).is_dir() for p in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/ejabberd"))  and bool(
                shutil.which("ejabberdctl"))

    @staticmethod
    def _libraries():
        """Folders that hold Erlang libraries: ejabberd's own may lie beside the architecture's."""
        return os.pathsep.join(str(p) for p in pathlib.Path("/usr/lib").glob("*-linux-gnu") if any(p.glob("ejabberd-*")))

    def _write_config(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        certfiles, starttls = "", "starttls: false"
        if self.certificate:
            joined = self.folder / "certificate.pem"
            joined.write_text("".join(pathlib.Path(p).read_text() for p in self.certificate))
            certfiles, starttls = f'certfiles: ["{joined}"]', "starttls: true"
        s2s = s2s_listen = ""
        if self.federation:
            s2s = S2S.format(authority=self.federation.authority)
            s2s_listen = S2S_LISTEN.format(port=self.federation.port, address=self.federation.address)
        path = self.folder / "ejabberd.yml"
        path.write_text(CONFIG.format(
            domain=self.domain, client_port=self.client_port, api_port=self.api_port,
            component_port=self.component_port, stanza_limit=self.stanza_limit,
            components=", ".join(f'"{name}": {{ password: "{self.secret}" }}' for name in self.components),
            certfiles=certfiles, starttls=starttls, s2s=s2s, s2s_listen=s2s_listen))
        return path

    def _write_addresses(self):
        """Erlang's resolver, pointed at the test's own name server."""
        self.names = self.names or Names(self.federation.there)
        path = self.folder / "inetrc"
        path.write_text('{resolv_conf, ""}.\n{nameserver, {127,0,0,1}, %d}.\n' % self.names.port)
        return path

    def start(self):
        if not self.available():
            raise PeerError("no ejabberd: apt install ejabberd")
        environment = {"EJABBERD_CONFIG_PATH": str(self._write_config()), "ERL_LIBS": self._libraries(),
                       "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"), "HOME": str(self.folder),
                       "ERL_CRASH_DUMP": "/dev/null"}
        if self.federation:
            environment["ERL_INETRC"] = str(self._write_addresses())
        self.process = Process(
            ["erl", "+K", "true", "+S", "1", "-noinput", "-mnesia", "dir", f'"{self.folder}/mnesia"', "-s", "ejabberd"],
            log=self.folder / "log", env=environment, cwd=str(self.folder))
        for port in (self.client_port, self.component_port, self.api_port):
            self.process.wait_port(port, 60)
        return self

    def register(self, user, password):
        body = json.dumps({"user": user, "host": self.domain, "password": password}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.api_port}/api/register", data=body,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
        except urllib.error.URLError as error:
            raise PeerError(f"ejabberd register {user}: {error}") from error

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
        if self.names:
            self.names.close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)
