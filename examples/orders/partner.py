#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The partner of the example: takes orders as JSON by POST, keeps one line an order, refuses countries it does not know.

Usage: partner.py PORT FILE
"""

import http.server
import json
import sys
import threading

COUNTRIES = {"AT", "BE", "CH", "DE", "ES", "FR", "GB", "IT", "NL", "PL"}


def main():
    port, path = int(sys.argv[1]), sys.argv[2]
    lock = threading.Lock()
    kept = open(path, "a", encoding="utf-8")

    class Partner(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if order["country"] not in COUNTRIES:
                return self.answer(422, {"error": f"unknown country {order['country']}"})
            with lock:
                kept.write(json.dumps(order) + "\n")
                kept.flush()
            return self.answer(201, {"taken": order["id"]})

        def answer(self, status, body):
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Partner).serve_forever()


if __name__ == "__main__":
    main()
