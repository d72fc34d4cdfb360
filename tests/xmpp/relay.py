# SPDX-License-Identifier: Apache-2.0
"""A TCP relay that can be cut, to lose a connection without touching the server, and can lose parts of what it says."""
import socket
import threading


class Relay:
    def __init__(self, target=None, swallows=None):
        """`swallows`: a compiled pattern over bytes; what matches it on the way from the server is lost while `.swallow`
        is set."""
        self.target, self.pairs = target, []
        self.swallows, self.swallow = swallows, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
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
