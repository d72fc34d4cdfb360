# SPDX-License-Identifier: Apache-2.0
"""The other side of xmpp_client: the server of peer_xmpp.py, with a client's login."""
from peer import run
from peer_xmpp import SENDER, STREAM, Xmpp

BIND = "urn:ietf:params:xml:ns:xmpp-bind"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


class XmppClient(Xmpp):
    kind, namespace, address = "xmpp_client", "jabber:client", "bus@example.com/xylem"

    def options(self, secret):
        return {"jid": "bus@example.com", "password": {"file": secret}, "server": f"127.0.0.1:{self.port}",
                "tls": {"plaintext": True}, "allow": [SENDER], "to": ["taker@example.com"]}

    def sections(self, secret):
        return {}

    def opened(self, connection, again):
        super().opened(connection, again)
        feature = (f"<bind xmlns='{BIND}'/>" if again else
                   f"<mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism></mechanisms>")
        connection.write(f"<stream:features>{feature}</stream:features>")

    def iq(self, connection, iq):
        name = iq.get("id")
        if iq.find(f"{{{BIND}}}bind") is not None:
            connection.write(f"<iq type='result' id='{name}'><bind xmlns='{BIND}'><jid>{self.address}</jid></bind></iq>")
        elif iq.get("type") in ("get", "set"):
            self.bring_back(connection, f"<iq type='result' from='example.com' id='{name}'/>")

    def offer(self, name, tag):
        return (f"<message type='chat' from='{SENDER}' to='{self.address}' id='{name}'><body>{{\"tag\":\"{tag}\"}}</body>"
                "<request xmlns='urn:xmpp:receipts'/></message>")


if __name__ == "__main__":
    run(XmppClient())
