# SPDX-License-Identifier: Apache-2.0
"""The other side of the http sink: an HTTP/1.1 server that takes, refuses, cuts, stalls or is away."""
import http.server
import socket
import socketserver
import threading

from peer import Peer, run
from peers import ports

STATUS = {"accept": 202, "wrong": 422, "busy": 500, "misconfigured": 401}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        peer = self.server.peer
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        identifier = self.headers.get("ce-id", "")
        mode = peer.current
        if mode == "stall":
            peer.note(lambda: setattr(peer, "stalled", peer.stalled + 1))
            peer.release.wait()
        if mode in ("stall", "cut"):
            # Half an answer, then the end.
            self.connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Le" if mode == "cut" else b"")
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if mode == "accept" and identifier in peer.refused:
            mode = "wrong"
        if mode == "accept":
            assert body and self.headers["ce-specversion"] == "1.0"
            peer.note(lambda: peer.received.append(identifier))
        answer = b'{"title":"so it is","detail":"the peer is in the mode %s"}' % mode.encode()
        self.send_response(STATUS[mode])
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_OPTIONS(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def get_request(self):
        connection, address = super().get_request()
        with self.peer.changed:
            self.peer.connections.append(connection)
        return connection, address

    def handle_error(self, request, address):
        pass  # connections that are cut are the point


class Http(Peer):
    def __init__(self):
        super().__init__()
        self.server = None
        self.current = "accept"
        self.refused = set()
        self.connections = []
        self.release = threading.Event()

    def start(self, folder):
        self.port = ports.free()
        self.listen()
        return self.config("http", {"url": f"http://127.0.0.1:{self.port}/orders"})

    def listen(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.peer = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def away(self):
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        with self.changed:
            connections, self.connections = self.connections, []
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mode(self, name):
        self.release.set()
        if self.server is None:
            self.listen()
        if name == "stall":
            self.release = threading.Event()
            self.stalled = 0
        if name == "down":
            self.away()
        if name == "accept":
            self.refused.clear()
        self.current = name
        return True

    def refuse(self, identifier):
        self.refused.add(identifier)
        return True

    def stop(self):
        self.release.set()
        if self.server:
            self.away()


if __name__ == "__main__":
    run(Http())
