# SPDX-License-Identifier: Apache-2.0
"""Free TCP ports on the loopback.

The ports lie below the range that the kernel gives to outgoing connections, so
that no connection of another test takes one between the choice and the bind. A
port that was chosen stays with the process that chose it until that ends: a
locked file of its name keeps the tests that run beside it off.
"""
import fcntl
import os
import pathlib
import random
import socket
import tempfile
import time

FIRST, LAST = 20000, 32000
CLAIMS = pathlib.Path(tempfile.gettempdir()) / f"xylem-test-ports-{os.getuid()}"
_claimed = []  # the locks go with their files, so these stay open


def free(count=1):
    """`count` different ports that nobody listens on now; one int for count 1, else a list."""
    CLAIMS.mkdir(exist_ok=True)
    chosen = []
    generator = random.SystemRandom()
    while len(chosen) < count:
        port = generator.randint(FIRST, LAST)
        if _claim(port) and _bindable(port):
            chosen.append(port)
    return chosen[0] if count == 1 else chosen


def _claim(port):
    claim = open(CLAIMS / str(port), "w", encoding="ascii")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        claim.close()
        return False
    _claimed.append(claim)
    return True


def _bindable(port):
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def accepts(port, host="127.0.0.1"):
    """True when something accepts connections there now."""
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def wait(port, deadline=30.0, host="127.0.0.1", alive=lambda: True):
    """Waits until the port accepts; False when the deadline passed or alive() turned false."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if accepts(port, host):
            return True
        if not alive():
            return False
        time.sleep(0.02)  # a port gives no event to wait for
    return False
