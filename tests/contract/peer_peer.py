# SPDX-License-Identifier: Apache-2.0
"""The other side of peer: the server of peer_xmpp.py, behind which another bus answers and sends."""
import json
import xml.etree.ElementTree as ET

from peer import run
from peer_xmpp import Xmpp

PEER = "{urn:xylem:bus:0}"
OTHER = "bus.other.example"
ERRORS = {"busy": ("cancel", "internal-server-error"), "misconfigured": ("auth", "forbidden")}


class OtherBus(Xmpp):
    kind = "peer"

    def __init__(self):
        super().__init__()
        self.handles = {}  # by ref: a repeat has the same

    def options(self, secret):
        return {"allow": [OTHER], "to": f"from_us@{OTHER}"}

    def iq(self, connection, iq):
        batch = iq.find(PEER + "batch")
        if iq.get("type") in ("result", "error"):
            self.answered(iq)
        elif batch is not None:
            self.take(connection, iq, batch)
        elif iq.find("{http://jabber.org/protocol/disco#info}query") is not None:
            self.reply(connection, iq, "result", "<query xmlns='http://jabber.org/protocol/disco#info'>"
                                                 "<feature var='urn:xylem:bus:0'/></query>")
        else:
            super().iq(connection, iq)

    def answered(self, iq):
        """Taken is what has a handle."""
        taken = iq.find(PEER + "taken")
        good = taken is not None and taken.get("handles")
        self.note(lambda: self.answers.__setitem__(iq.get("id"), "result" if good else "error"))

    @staticmethod
    def reply(connection, iq, kind, content):
        connection.write(f"<iq type='{kind}' from='{iq.get('to')}' to='{iq.get('from')}' id='{iq.get('id')}'>"
                         f"{content}</iq>")

    def take(self, connection, iq, batch):
        mode = self.current
        if mode == "cut":
            connection.close()
        elif mode == "stall":
            self.note(lambda: setattr(self, "stalled", self.stalled + 1))
        elif mode in ERRORS:
            kind, condition = ERRORS[mode]
            self.reply(connection, iq, "error", f"<error type='{kind}'><{condition} "
                                                "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>")
        else:
            self.reply(connection, iq, "result", self.taken(batch, mode))

    def taken(self, batch, mode):
        handles = []
        answer = ET.Element("taken", xmlns="urn:xylem:bus:0")
        for event in batch.iter(PEER + "event"):
            identifier = event.get("id")
            if mode == "wrong" or identifier in self.refused:
                ET.SubElement(answer, "refused", code="invalid").text = "it has to be refused"
                break
            handles.append(self.handles.setdefault(event.get("ref"), f"0-{len(self.handles) + 1}"))
            self.note(lambda: self.received.append(identifier))
        answer.set("handles", " ".join(handles))
        return ET.tostring(answer, "unicode")

    def offer(self, name, tag):
        data = json.dumps({"tag": tag}).replace("&", "&amp;").replace("<", "&lt;")
        return (f"<iq type='set' from='{OTHER}' to='{self.address}' id='{name}'><batch xmlns='urn:xylem:bus:0' stream='s' "
                f"call='{name}' n='1'><event ref='{tag}' id='{tag}' source='/other' type='t'><data>{data}</data></event>"
                "</batch></iq>")


if __name__ == "__main__":
    run(OtherBus())
