# SPDX-License-Identifier: Apache-2.0
"""The other side of tcp_line for the contract suite. Needs nothing of Xylem's tree: one command a line in, one answer out."""
import json
import pathlib
import socket
import sys
import threading


class Server:
    def __init__(self):
        self.changed = threading.Condition()
        self.mode, self.refused, self.received, self.stalled = "accept", None, [], 0
        self.listener, self.connections = None, []
        self.port = 0

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            for line in connection.makefile("rb"):
                answer = self.answer(json.loads(line)["id"])
                if answer is None:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                connection.sendall(answer)
        except (OSError, ValueError):
            pass

    def answer(self, identifier):
        with self.changed:
            if self.mode == "stall":
                self.stalled += 1
                self.changed.notify_all()
                self.changed.wait_for(lambda: self.mode != "stall")
                return None
            if self.mode == "cut":
                return None
            if self.mode == "busy":
                return b"busy so much to do\n"
            if self.mode == "wrong" or identifier == self.refused:
                return b"wrong this one never\n"
            self.received.append(identifier)
            self.changed.notify_all()
            return b"ok\n"

    def away(self):
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connections = []

    def set_mode(self, name):
        if name == "misconfigured":
            return "no"
        if name == "down":
            self.away()
        elif not self.listener:
            self.listen()
        with self.changed:
            self.mode, self.stalled = name, 0
            self.refused = None if name == "accept" else self.refused
            self.changed.notify_all()
        return "ok"


def obey(server, word, rest):
    if word == "start":
        server.listen()
        config = pathlib.Path(rest[0]) / "contract.yaml"
        config.write_text(json.dumps({"bus": {"name": "contract", "data": rest[0] + "/data"}, "connectors": {
            "under_test": {"tcp_line": {"address": f"127.0.0.1:{server.port}"}}}}))
        return f"ok {config}"
    if word == "mode":
        return server.set_mode(rest[0])
    if word == "refuse":
        server.refused = rest[0]
        return "ok"
    with server.changed:
        if word == "wait-received":
            server.changed.wait_for(lambda: len(set(server.received)) >= int(rest[0]), int(rest[1]) / 1000)
            return "ok " + " ".join(dict.fromkeys(server.received))
        if word == "wait-stalled":
            return "ok" if server.changed.wait_for(lambda: server.stalled > 0, int(rest[0]) / 1000) else "error nothing came"
    return "no" if word in ("send", "send-broken", "wait-acked") else "ok"


def main():
    server = Server()
    for line in sys.stdin:
        word, *rest = line.split()
        print(obey(server, word, rest), flush=True)
        if word == "stop":
            return


if __name__ == "__main__":
    main()
