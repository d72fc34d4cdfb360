# SPDX-License-Identifier: Apache-2.0
"""A peer of another hand: the receiving side of docs/bus-to-bus.md, written from that page and nothing else.

    with OtherPeer(server.component_port, "raw.example.com", server.secret) as peer:
        peer.behave = OtherPeer.good         # or any function of (peer, iq, batch)
        peer.journal                         # [(id, key, data)] in the order in which they were taken

It keeps to the page's grammar with assertions; what breaks one is kept in `complaints`.
"""
import base64
import threading

from .component import ACCEPT, Component

PEER = "urn:xylem:bus:0"
INFO = "http://jabber.org/protocol/disco#info"
CONDITIONS = "urn:ietf:params:xml:ns:xmpp-stanzas"
ATTRIBUTES = {"ref", "key", "key64", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"}


class OutOfOrder(Exception):
    pass


def name_of(text):
    """The page's `name`: 1 to 96 of U+0021..U+007E without a slash."""
    assert 1 <= len(text) <= 96 and all("!" <= c <= "~" and c != "/" for c in text), text
    return text


class OtherPeer:
    def __init__(self, port, domain, secret):
        self.component = Component(port, domain, secret)
        self.behave = OtherPeer.good
        self.known, self.calls = {}, {}
        self.journal, self.batches, self.complaints = [], [], []
        self.ending = False

    def __enter__(self):
        self.component.__enter__()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        with self.component.arrived:
            self.component.arrived.notify_all()
        self.thread.join()
        self.component.__exit__()

    def _serve(self):
        while not self.ending:
            with self.component.arrived:
                self.component.arrived.wait_for(lambda: self.component.stanzas or self.ending)
                stanzas, self.component.stanzas = self.component.stanzas, []
            for stanza in stanzas:
                try:
                    self._stanza(stanza)
                except OutOfOrder:
                    self.refuse(stanza, "wait", "unexpected-request", f"<out-of-order xmlns='{PEER}'/>")
                except Exception as complaint:  # told by the test, which looks at it
                    self.complaints.append(repr(complaint))

    def _stanza(self, stanza):
        if stanza.tag != ACCEPT + "iq":
            return
        payload, = stanza
        if payload.tag == f"{{{INFO}}}query":
            self.answer(stanza, f"<query xmlns='{INFO}'><feature var='{PEER}'/></query>")
        elif payload.tag == f"{{{PEER}}}batch":
            self.batches.append((payload.get("call"), int(payload.get("n")), len(payload)))
            self.behave(self, stanza, payload)

    # --- Answers ---------------------------------------------------------------------

    def answer(self, iq, body):
        self.component.send(f"<iq type='result' from='{iq.get('to')}' to='{iq.get('from')}' id='{iq.get('id')}'>"
                            f"{body}</iq>")

    def refuse(self, iq, kind, condition, more=""):
        self.component.send(f"<iq type='error' from='{iq.get('to')}' to='{iq.get('from')}' id='{iq.get('id')}'>"
                            f"<error type='{kind}'><{condition} xmlns='{CONDITIONS}'/>{more}</error></iq>")

    def good(self, iq, batch):
        self.answer(iq, f"<taken xmlns='{PEER}' handles='{' '.join(self.take(iq, batch))}'/>")

    # --- Taking in ----------------------------------------------------------------------

    def take(self, iq, batch):
        """The handles of the batch's events, each of which is in the journal then, once."""
        assert set(batch.keys()) == {"stream", "call", "n"}, batch.keys()
        stream = (iq.get("from"), name_of(batch.get("stream")))
        call, number = (*stream, name_of(batch.get("call"))), int(batch.get("n"))
        if number != 1 and self.calls.get(call) != number - 1:
            raise OutOfOrder
        handles = [self._event(stream, event) for event in batch]
        self.calls[call] = number
        return handles

    def _event(self, stream, event):
        assert event.tag == f"{{{PEER}}}event" and set(event.keys()) <= ATTRIBUTES, event.attrib
        assert event.get("id") and event.get("source") and event.get("type"), event.attrib
        name = (*stream, name_of(event.get("ref")))
        if name not in self.known:
            self.journal.append((event.get("id"), self._key(event), self._data(event)))
            self.known[name] = f"7-{len(self.journal)}"
        return self.known[name]

    @staticmethod
    def _key(event):
        if event.get("key64") is None:
            return event.get("key") and event.get("key").encode()
        assert event.get("key") is None
        return base64.b64decode(event.get("key64"), validate=True)

    @staticmethod
    def _data(event):
        data = None
        for child in event:
            assert len(child) == 0 and child.tag in {f"{{{PEER}}}{n}" for n in ("ext", "data", "data64")}, child.tag
            if child.tag.endswith("}ext"):
                assert child.get("name") and set(child.keys()) == {"name"}
                continue
            assert data is None and not child.attrib
            text = child.text or ""
            data = text.encode() if child.tag.endswith("}data") else base64.b64decode(text, validate=True)
        return data
