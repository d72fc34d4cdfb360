# SPDX-License-Identifier: Apache-2.0
"""A TCP relay that can be cut, to lose a connection without touching the server, and can lose parts of what it says."""
import socket
import threading
import time


class Relay:
    def __init__(self, target=None, swallows=None, rate=None):
        """`rate`: bytes a second that it takes from the client, as a slow line. `swallows`: a compiled pattern over bytes; what matches it on the way from the server is lost while `.swallow`
        is set."""
        self.target, self.pairs = target, []
        self.swallows, self.swallow = swallows, threading.Event()
        self.rate = rate
        self.listener = socket.socket()
        if rate:  # and no more than it needs waits in the kernel
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        self.deaf = threading.Event()  # set: what comes from the server is lost
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()  # as a server that is not there
                continue
            self.pairs.append((client, server))
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source, sink, from_server):
        try:
            while data := source.recv(65536):
                if from_server and self.swallow.is_set():
                    data = self.swallows.sub(b"", data)
                if not (from_server and self.deaf.is_set()):
                    sink.sendall(data)
                if self.rate and not from_server:
                    time.sleep(len(data) / self.rate)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        for pair in self.pairs:
            for one in pair:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs = []

    def close(self):
        self.cut()
        self.listener.close()
