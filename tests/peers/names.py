# SPDX-License-Identifier: Apache-2.0
"""A name server for the few names of a test: where the XMPP server of a domain is (SRV, RFC 2782), and nothing else.

    with Names({"bus.a.test": ("127.0.0.2", 20001)}) as names:
        names.port                                              # UDP, on 127.0.0.1

The target of the SRV record is the address itself: whoever looks that up needs no name server.
"""
import socket
import struct
import threading

SERVICE = "_xmpp-server._tcp."
SRV, IN = 33, 1


def _name(question):
    """The name at the beginning of the bytes, and how many it takes."""
    labels, at = [], 0
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode("ascii", "replace"))
        at += 1 + question[at]
    return ".".join(labels), at + 1


def _wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class Names:
    def __init__(self, there):
        self.there = there
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                request, sender = self._socket.recvfrom(4096)
            except OSError:
                return
            try:
                self._socket.sendto(self._answer(request), sender)
            except (IndexError, struct.error):
                pass  # not a question

    def _answer(self, request):
        name, length = _name(request[12:])
        question = request[12:12 + length + 4]
        kind, _ = struct.unpack("!HH", question[-4:])
        found = self.there.get(name[len(SERVICE):]) if name.startswith(SERVICE) and kind == SRV else None
        head = request[:2] + struct.pack("!HHHHH", 0x8580 | (0 if found else 3), 1, 1 if found else 0, 0, 0)
        if not found:
            return head + question
        data = struct.pack("!HHH", 0, 0, found[1]) + _wire(found[0])
        return head + question + b"\xc0\x0c" + struct.pack("!HHIH", SRV, IN, 60, len(data)) + data

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
