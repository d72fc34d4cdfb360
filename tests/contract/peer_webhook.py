# SPDX-License-Identifier: Apache-2.0
"""The other side of the webhook source: a producer that signs, and tries again until it is told 202."""
import base64
import hashlib
import hmac
import http.client
import itertools
import json
import pathlib
import socket
import time

from peer import Peer, Sender, run
from peers import ports

SECRET = bytes(range(32))


class Webhook(Peer):
    def __init__(self):
        super().__init__()
        self.number = itertools.count(1)
        self.sender = None

    def start(self, folder):
        self.port = ports.free()
        key = pathlib.Path(folder) / "webhook.key"
        key.write_text("whsec_" + base64.b64encode(SECRET).decode())
        key.chmod(0o600)
        return self.config("webhook", {"path": "/shop", "listen": f"127.0.0.1:{self.port}",
                                       "verify": "standard-webhooks", "secret": {"file": str(key)},
                                       "key": "/data/customer"})

    def headers(self, identifier, body):
        stamp = str(int(time.time()))
        signed = f"{identifier}.{stamp}.".encode() + body
        mac = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
        return {"Content-Type": "application/json", "webhook-id": identifier, "webhook-timestamp": stamp,
                "webhook-signature": "v1," + mac}

    def attempt(self, tag):
        body = json.dumps({"customer": "one", "tag": tag}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", "/shop", body, self.headers(tag, body))
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 202:
                return json.loads(text)["ids"] == [tag]
            assert answer.status == 503 and answer.getheader("Retry-After"), (answer.status, text)
            return False
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def send(self, count):
        if self.sender:
            self.sender.over = True
            self.sender.join()
        tags = [f"w{next(self.number):06d}" for _ in range(count)]
        self.acked = 0
        self.sender = Sender(self, count, lambda i: self.attempt(tags[i]))
        self.sender.start()
        return tags

    def send_broken(self):
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"POST /shop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                               b"Content-Length: 100\r\nwebhook-id: x\r\n"
                               + f"webhook-timestamp: {int(time.time())}\r\n".encode()
                               + b"webhook-signature: v1,AAAA\r\n\r\n{\"half\":")
        return True


if __name__ == "__main__":
    run(Webhook())
