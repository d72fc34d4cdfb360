# SPDX-License-Identifier: Apache-2.0
"""The other side of the kafka connector: a real broker (tests/peers/kafka.py), read and filled by librdkafka.

It cannot refuse single messages without refusing their neighbours, and has no `busy`: those steps are skipped
here and done by tests/connectors/kafka.py. `acknowledged` is the committed offset of the connector's group."""
import itertools
import json
import time

from peer import Peer, run
from peers.kafka import Kafka as Broker
from peers.process import PeerError

GROUP = "contract"


class Kafka(Peer):
    def __init__(self):
        super().__init__()
        self.broker = Broker()
        self.number = itertools.count(1)
        self.sent = 0        # records in the topic `in`
        self.before = 0      # of them before the last send
        self.away = False
        self.silent = False

    def start(self, folder):
        self.broker.start()
        for topic in ("in", "out"):
            self.broker.create_topic(topic, partitions=1)
        return self.config("kafka", {"brokers": self.broker.brokers, "topic": "out", "topics": ["in"], "group": GROUP,
                                     "properties": {"session.timeout.ms": "6000"}})

    def mode(self, name):
        if self.silent:
            self.broker.resume()
            self.silent = False
        if self.away:
            self.broker.start()
            self.away = False
        if name == "down" and not self.broker.mock:
            self.broker.kill()
            self.away = True
        elif name == "stall":
            self.broker.pause()
            self.silent = True
        else:
            return name == "accept"
        return True

    def wait_received(self, count, milliseconds):
        end = time.monotonic() + milliseconds / 1000
        while True:
            try:
                identifiers = [record["headers"]["ce_id"] for record in self.broker.read("out")]
            except PeerError:
                identifiers = []
            if len(set(identifiers)) >= count or time.monotonic() > end:
                return list(dict.fromkeys(identifiers))
            time.sleep(0.05)  # kcat ends at the end of the topic

    def wait(self, condition, milliseconds):
        """Whether something waits in a broker that is stopped cannot be asked; a moment makes it likely."""
        time.sleep(min(0.5, milliseconds / 1000))
        return True

    def send(self, count):
        tags = [f"r{next(self.number):06d}" for _ in range(count)]
        self.before = self.sent
        self.broker.produce("in", [("one", json.dumps({"tag": tag})) for tag in tags])
        self.sent += count
        return tags

    def wait_acked(self, count, milliseconds):
        end = time.monotonic() + milliseconds / 1000
        while True:
            acked = max(0, (self.broker.committed(GROUP, "in", 0) or 0) - self.before)
            if acked >= count or time.monotonic() > end:
                return acked
            time.sleep(0.05)  # an offset gives no event

    def stop(self):
        self.broker.close()


if __name__ == "__main__":
    run(Kafka())
