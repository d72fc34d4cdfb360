# SPDX-License-Identifier: Apache-2.0
"""The servers with rooms (rooms.example.com) and people's own published events, for the tests that need them.

    import social                       # puts them into the stage
"""
from tests.peers.ejabberd import Ejabberd
from tests.peers.prosody import Prosody
from tests.xmpp import stage

ROOMS = "rooms.example.com"
PROSODY = f"""
Component "{ROOMS}" "muc"
    modules_enabled = {{ }}
"""
EJABBERD = f"""
  mod_muc: {{ host: "{ROOMS}", access: all, access_create: all, access_admin: none,
             default_room_options: {{ allow_change_subj: true }} }}
  mod_caps: {{}}
  mod_pubsub: {{ host: "pubsub.example.com", access_createnode: local, plugins: [flat, pep] }}
"""


class SocialProsody(Prosody):
    def __init__(self, **options):
        super().__init__(modules=("pep",), **options)

    def _write_config(self):
        path = super()._write_config()
        path.write_text(path.read_text() + PROSODY)
        return path


class SocialEjabberd(Ejabberd):
    def _write_config(self):
        path = super()._write_config()
        path.write_text(path.read_text().rstrip() + EJABBERD)
        return path


stage.SERVERS = {"prosody": SocialProsody, "ejabberd": SocialEjabberd}
