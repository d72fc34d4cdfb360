# SPDX-License-Identifier: Apache-2.0
"""Do the peers do what the suites build on? Run as `python3 -m tests.peers.selftest` in the top folder."""
import sys
import unittest

from .kafka import Kafka
from .postgres import Postgres
from .process import PeerError, Process


class ProcessTest(unittest.TestCase):
    def test_line_and_end(self):
        with Process(["sh", "-c", "echo ready; read x"], log="/tmp/xylem-peers-selftest.log") as child:
            child.wait_line("^ready$", 5)
            self.assertEqual(child.wait(5), 1)
            with self.assertRaises(PeerError):
                child.wait_line("never", 5)


class PostgresTest(unittest.TestCase):
    def test_keeps_what_it_committed(self):
        with Postgres() as server:
            server.sql("CREATE TABLE t (a text, b int)")
            server.sql("INSERT INTO t VALUES (E'two\nlines', 1), (NULL, 2)")
            server.kill()
            server.start()
            self.assertEqual(server.sql("SELECT a, b FROM t ORDER BY b"), [["two\nlines", "1"], [None, "2"]])
            server.stop()
            server.start()
            self.assertEqual(server.value("SELECT count(*) FROM t"), "2")

    def test_password(self):
        with Postgres(password="open sesame") as server:
            self.assertEqual(server.value("SELECT 1"), "1")


class KafkaTest(unittest.TestCase):
    def test_broker(self):
        self.records(Kafka(allow_mock=False))

    def test_mock(self):
        self.records(Kafka(mock=True))

    def records(self, kafka):
        with kafka as broker:
            broker.create_topic("t", partitions=1)
            broker.produce("t", [("k", "v", {"h": "x"}), (None, None)])
            found = broker.read("t", count=2)
            self.assertEqual([(r["key"], r["payload"], r["headers"]) for r in found],
                             [("k", "v", {"h": "x"}), (None, None, {})])
            self.assertIsNone(broker.committed("g", "t", 0))
            if not broker.mock:
                broker.kill()
                broker.start()
                self.assertEqual(len(broker.read("t", count=2)), 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
