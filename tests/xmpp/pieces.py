# SPDX-License-Identifier: Apache-2.0
"""What is sent and received in pieces, where expat defers (2.6, and Debian's 2.5.0 from deb12u2 on, CVE-2023-52425).

A tag that came in pieces is looked at again only when twice as many bytes are there. Servers and Python leave it at that,
so that the end of a stanza lies there until something else is sent.
"""
import re

TAG = re.compile(r"<[^<]*")
SMALL = 1000  # characters that go in one piece


def pushed(text):
    """The stanza, and behind a large one as many spaces as its longest tag may have bytes: the server reads it to its end."""
    if len(text) <= SMALL:
        return text
    return text + " " * max(len(tag.encode()) for tag in TAG.findall(text))


class Whole:
    """Gives the bytes on at the end of a tag only, so that the parser sees none in pieces."""

    def __init__(self):
        self.waiting = b""

    def add(self, data):
        self.waiting += data
        if not self.waiting.endswith(b">"):
            return b""
        data, self.waiting = self.waiting, b""
        return data
