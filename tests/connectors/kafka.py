# SPDX-License-Identifier: Apache-2.0
"""The kafka connector against a real broker: records, errors, order and duplicates under kill -9, rebalances.

From basic to complex; run by meson as connectors/kafka. Without a broker (see tests/peers/kafka.py) the
tests that need what the mock cluster lacks are skipped and say so."""
import collections
import json
import random
import sys
import threading
import unittest

from tests.connectors.driver import Driver, event
from tests.peers.kafka import Kafka

NAMES = iter(range(1000))


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Kafka().start()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def topic(self, partitions=1, **config):
        name = f"t{next(NAMES)}"
        self.broker.create_topic(name, partitions, **config)
        return name

    def real(self):
        if self.broker.mock:
            self.skipTest("needs a real broker; the mock cluster forgets and lacks this")

    def driver(self, timeout=10.0, sink=True, **options):
        driver = Driver({"k": {"kafka": {"brokers": self.broker.brokers, **options}}}).start()
        self.addCleanup(driver.__exit__, None)
        if sink:
            driver.sink("k", timeout)
        return driver

    def classes(self, results):
        return [result[0] for result in results]

    def source(self, **options):
        # A group of its own: the mock cluster lets nobody join where somebody has left.
        options.setdefault("group", options.get("topic") or options["topics"][0])
        driver = self.driver(sink=False, **options)
        driver.ok("source k")
        return driver


class Sink(Base):
    def test_1_binary(self):
        topic = self.topic()
        driver = self.driver(topic=topic)
        results = driver.deliver([
            event(1, {"a": 1.10}, key="k1", subject="s \u20ac", datacontenttype="application/json",
                  traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            event(2, None), event(3, "text", datacontenttype="text/plain")])
        self.assertEqual(self.classes(results), ["delivered"] * 3, results)
        first, second, third = self.broker.read(topic, count=3)
        self.assertEqual((first["key"], first["payload"]), ("k1", '{"a": 1.1}'))
        self.assertEqual(first["headers"], {
            "content-type": "application/json", "ce_specversion": "1.0", "ce_id": "1", "ce_source": "/test",
            "ce_type": "test.row", "ce_subject": "s \u20ac", "ce_partitionkey": "k1",
            "ce_traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
        self.assertEqual((second["key"], second["payload"]), (None, None))
        self.assertEqual((third["payload"], third["headers"]["content-type"]), ("text", "text/plain"))

    def test_2_structured_and_plain(self):
        topic = self.topic()
        self.driver(topic=topic, format="structured").deliver([event(1, {"n": 1}, key="k")])
        self.driver(topic=topic, format="plain").deliver([event(2, {"n": 2}, key="k")])
        structured, plain = self.broker.read(topic, count=2)
        self.assertEqual(structured["headers"], {"content-type": "application/cloudevents+json; charset=UTF-8"})
        self.assertEqual(json.loads(structured["payload"])["id"], "1")
        self.assertEqual((plain["headers"], json.loads(plain["payload"])), ({}, {"n": 2}))

    def test_3_topic_by_attribute(self):
        one, two = self.topic(), self.topic()
        driver = self.driver(topic=one, topic_attribute="where")
        results = driver.deliver([event(1, {}), event(2, {}, where=two), event(3, {}, where="no/such name"), event(4, {})])
        self.assertEqual(self.classes(results), ["delivered", "delivered", "wrong", "not-tried"])
        self.assertEqual(len(self.broker.read(one, count=1)), 1)
        self.assertEqual(len(self.broker.read(two, count=1)), 1)

    def test_4_order_of_keys(self):
        topic = self.topic(partitions=4)
        driver = self.driver(topic=topic)
        for batch in range(5):
            rows = [event(n, {"n": n}, key=f"k{n % 17}") for n in range(batch * 2000, batch * 2000 + 2000)]
            self.assertEqual(set(self.classes(driver.deliver(rows, batch * 2000))), {"delivered"})
        self.check_order(topic, 10000, 17)

    def check_order(self, topic, count, keys, duplicates=0):
        """Everything there, first occurrences in order per key; how many came more than once."""
        seen, partitions = collections.defaultdict(list), {}
        records = self.broker.read(topic)
        for record in sorted(records, key=lambda record: (record["partition"], record["offset"])):
            self.assertEqual(partitions.setdefault(record["key"], record["partition"]), record["partition"])
            seen[record["key"]].append(json.loads(record["payload"])["n"])
        again = 0
        for key, numbers in seen.items():
            firsts = list(dict.fromkeys(numbers))
            again += len(numbers) - len(firsts)
            self.assertEqual(firsts, sorted(firsts), key)
        self.assertEqual({n for numbers in seen.values() for n in numbers}, set(range(count)))
        self.assertEqual(len(seen), keys)
        self.assertLessEqual(again, duplicates)
        return again

    def test_5_too_large_here(self):
        topic = self.topic()
        driver = self.driver(topic=topic, max_message=10000)
        results = driver.deliver([event(1, "a"), event(2, "x" * 20000), event(3, "b")])
        self.assertEqual(self.classes(results), ["delivered", "wrong", "not-tried"])
        self.assertEqual(results[1][1], "kafka-10")

    def test_6_too_large_for_the_broker(self):
        self.real()
        topic = self.topic(max_message_bytes=5000)
        driver = self.driver(topic=topic)
        waiting = [(n, event(n, {"n": n, "pad": "x" * (9000 if n in (41, 42, 77) else 10)}, key="k")) for n in range(100)]
        refused = []
        for _ in range(20):
            if not waiting:
                break
            results = driver.deliver([one for _, one in waiting], waiting[0][0])
            refused += [waiting[n][0] for n, result in enumerate(results) if result[0] == "wrong"]
            waiting = [one for one, result in zip(waiting, results) if result[0] not in ("wrong", "delivered")]
        self.assertEqual((refused, waiting), ([41, 42, 77], []))
        numbers = [json.loads(record["payload"])["n"] for record in self.broker.read(topic)]
        self.assertEqual(numbers, [n for n in range(100) if n not in (41, 42, 77)])

    def test_7_tombstone_without_key_on_a_compacted_topic(self):
        self.real()
        topic = self.topic(cleanup_policy="compact")
        driver = self.driver(topic=topic)
        results = driver.deliver([event(1, {}, key="a"), event(2, {}), event(3, {}, key="b")])
        self.assertEqual(results[1][0], "wrong", results)
        self.assertEqual(driver.deliver([event(3, {}, key="b")], 2)[0][0], "delivered")

    def test_8_unknown_topic(self):
        self.real()
        driver = self.driver(topic="nobody-made-this")
        results = driver.deliver([event(1, {}), event(2, {})])
        self.assertEqual(self.classes(results), ["misconfigured", "not-tried"], results)
        self.assertIn("error misconfigured", driver.do("probe k 5000"))

    def test_9_probe(self):
        self.driver(topic=self.topic()).ok("probe k 5000")


class Configuration(unittest.TestCase):
    def refused(self, options, word):
        driver = Driver({"k": {"kafka": {"brokers": "127.0.0.1:1", "topic": "t", **options}}})
        with self.assertRaises(Exception):
            driver.start()
        self.assertIn(word, driver.process.text())
        driver.close()

    def test_properties(self):
        for name in ("plugin.library.paths", "ssl.engine.location", "sasl.kerberos.kinit.cmd",
                     "sasl.oauthbearer.token.endpoint.url", "enable.idempotence", "acks", "no.such.thing"):
            self.refused({"properties": {name: "x"}}, name)
        self.refused({"properties": {"linger.ms": "soon"}}, "linger.ms")

    def test_combinations(self):
        self.refused({"sasl": {"mechanism": "PLAIN"}}, "sasl.username")
        self.refused({"tls": {"ca": "/x"}}, "tls.enabled")
        self.refused({"brokers": "kafka.example:9092", "sasl": {"mechanism": "PLAIN", "username": "u",
                                                               "password": {"env": "HOME"}}}, "in the open")


class SinkFaults(Base):
    check_order = Sink.check_order

    def test_1_nobody_there(self):
        driver = Driver({"k": {"kafka": {"brokers": "127.0.0.1:1", "topic": "t"}}})
        with driver:
            driver.sink("k", 10)
            taken, results = driver.deliver_timed([event(1, {}), event(2, {})])
            self.assertEqual(self.classes(results), ["down", "not-tried"])
            self.assertLess(taken, 9)
            self.assertIn("error down", driver.do("probe k 1000"))

    def test_2_interrupt(self):
        topic = self.topic()
        driver = self.driver(topic=topic, timeout=60)
        driver.deliver([event(1, {"n": 0}, key="k")])
        self.broker.pause()
        try:
            driver.ok("interrupt 300")
            taken, results = driver.deliver_timed([event(2, {"n": 1}, key="k")], 1)
            self.assertEqual(results[0][:2], ["busy", "interrupted"])
            self.assertLess(taken, 5)
        finally:
            self.broker.resume()
        self.assertEqual(driver.deliver([event(2, {"n": 1}, key="k")], 1)[0][0], "delivered")
        self.check_order(topic, 2, 1)

    def test_3_a_broker_that_stops_makes_no_duplicates(self):
        topic = self.topic()
        driver = self.driver(topic=topic, timeout=2)
        driver.deliver([event(0, {"n": 0}, key="k")])
        rows = [event(n, {"n": n}, key="k") for n in range(1, 500)]
        self.broker.pause()
        try:
            results = driver.deliver(rows, 1)
            self.assertIn(results[0][0], ("down", "busy"))
            self.assertEqual(set(self.classes(results[1:])), {"not-tried"})
        finally:
            self.broker.resume()
        for _ in range(20):
            results = driver.deliver(rows, 1)
            if results[0][0] == "delivered":
                break
        self.assertEqual(set(self.classes(results)), {"delivered"})
        self.check_order(topic, 500, 1)

    def test_4_kill_9_in_mid_flow(self):
        self.real()
        topic = self.topic(partitions=3)
        driver = self.driver(topic=topic, timeout=5)
        seed = random.SystemRandom().randint(0, 1 << 30)
        chance = random.Random(seed)
        position, failures, kills, cycle = 0, 0, 0, 0
        while kills < 3 or cycle < 12:
            rows = [event(n, {"n": n}, key=f"k{n % 11}") for n in range(position, position + 5000)]
            waiting = list(enumerate(rows, position))
            breaker = threading.Timer(chance.uniform(0, 0.1), self.broker.kill)
            broken = cycle % 4 == 1
            while waiting:
                driver.send_deliver([one for _, one in waiting], waiting[0][0])
                if broken:
                    breaker.start()
                results = driver.results()[1]
                if broken:
                    breaker.join()
                    kills += 1
                    self.broker.start()
                    broken = False
                left = [one for one, result in zip(waiting, results) if result[0] != "delivered"]
                failures += len(left) > 0
                self.assertEqual([r for r in results if r[0] == "wrong"], [])
                # Positions must stand together for the driver: deliver what is left piece by piece.
                waiting = self.settle(driver, left)
            position += 5000
            cycle += 1
        again = self.check_order(topic, position, 11)
        print(f"# seed {seed}: {position} records, {kills} kills, {failures} failed deliveries, 0 lost, {again} twice",
              file=sys.stderr)

    def settle(self, driver, left):
        """Delivers stretches of neighbouring positions, as many as there are, until all are through."""
        vain = 0
        while vain < 200:
            if not left:
                return []
            before = len(left)
            stretch = 1
            while stretch < len(left) and left[stretch][0] == left[stretch - 1][0] + 1:
                stretch += 1
            results = driver.deliver([one for _, one in left[:stretch]], left[0][0])
            left = [one for one, result in zip(left, results) if result[0] != "delivered"] + left[stretch:]
            vain = 0 if len(left) < before else vain + 1
        self.fail(f"{len(left)} records could not be delivered: {results[0]}")
        return left


class Source(Base):
    def test_1_plain(self):
        topic = self.topic()
        self.broker.produce(topic, [("k1", '{"n":1.10}', {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}),
                                    (None, b"\xff\x00", {}), ("k3", None, {})], partition=0)
        driver = self.source(topic=topic)
        self.assertEqual(driver.wait(3), 3)
        plain, binary, tombstone = driver.dump()
        self.assertEqual((plain["key"], plain["event"]["id"], plain["event"]["data"], plain["event"]["type"]),
                         ("k1", f"{topic}-0-0", {"n": 1.1}, "kafka.record"))
        self.assertTrue(plain["event"]["traceparent"].startswith("00-0af"))
        self.assertEqual((binary["key"], binary["event"]["data_base64"]), (None, "/wA="))
        self.assertEqual((tombstone["key"], "data" in tombstone["event"]), ("k3", False))

    def test_2_events(self):
        topic = self.topic()
        attributes = {"ce_specversion": "1.0", "ce_id": "a", "ce_source": "/s", "ce_type": "t", "ce_myext": "m",
                      "content-type": "application/json"}
        self.broker.produce(topic, [
            ("k", '{"x":19.99}', attributes),
            ("k", '{"specversion":"1.0","id":"b","source":"/s","type":"t","data":{"y":[1]}}',
             {"content-type": "application/cloudevents+json; charset=UTF-8"})])
        driver = self.source(topics=[topic])
        self.assertEqual(driver.wait(2), 2)
        binary, structured = [one["event"] for one in driver.dump()]
        self.assertEqual((binary["id"], binary["myext"], binary["data"]), ("a", "m", {"x": 19.99}))
        self.assertEqual((structured["id"], structured["data"]), ("b", {"y": [1]}))

    def test_3_what_is_no_valid_event_is_not_lost(self):
        topic = self.topic()
        good = {"ce_specversion": "1.0", "ce_id": "a", "ce_source": "/s", "ce_type": "t"}
        bad = [("k", "1", {**good, "ce_id": ""}), ("k", "2", {**good, "ce_Bad-Name": "x"}),
               ("k", "3", {**good, "ce_specversion": "0.2"}), ("k", "4", {**good, "ce_type": b"\xff\xfe"}),
               ("k", "not json", {"content-type": "application/cloudevents+json"}),
               ("k", "5", {"content-type": "application/cloudevents+avro"}), ("k", "6", {"content-type": b"\xff"}),
               ("k", "7", {"traceparent": b"a\nb"}), ("k", "x" * 150000, {}), ("k", "last", good)]
        self.broker.produce(topic, bad)
        driver = Driver({"k": {"kafka": {"brokers": self.broker.brokers, "topic": topic}}})
        text = json.loads(driver.config.read_text())
        text["bus"]["max_message"] = "64KiB"
        driver.config.write_text(json.dumps(text))
        with driver:
            driver.ok("source k")
            self.assertEqual(driver.wait(len(bad)), len(bad))
            events = [one["event"] for one in driver.dump()]
        self.assertEqual([one["id"] for one in events], [f"{topic}-0-{n}" for n in range(9)] + ["a"])
        self.assertEqual([n for n, one in enumerate(events) if "ingesterror" in one], [0, 1, 2, 3, 4, 5, 8])
        self.assertEqual(events[8]["dataref"], f"kafka:{topic}/0/8")
        self.assertNotIn("data", events[8])

    def test_4_offsets_are_committed_and_a_restart_goes_on(self):
        self.real()
        topic = self.topic(partitions=2)
        self.broker.produce(topic, [(f"k{n}", str(n)) for n in range(1000)])
        driver = self.source(topic=topic, group=topic)
        self.assertEqual(driver.wait(1000), 1000)
        driver.ok("stop k")
        committed = [self.broker.committed(topic, topic, n) or 0 for n in range(2)]
        self.assertEqual(sum(committed), 1000)
        self.broker.produce(topic, [("k", "one more")])
        driver.ok("source k")
        self.assertEqual(driver.wait(1001), 1001)
        self.assertEqual(len({one["event"]["id"] for one in driver.dump()}), 1001)

    def test_5_hold(self):
        topic = self.topic()
        driver = self.source(topic=topic, properties={"session.timeout.ms": "6000"})
        self.broker.produce(topic, [("k", "1")])
        self.assertEqual(driver.wait(1), 1)
        driver.ok("hold k")
        self.broker.produce(topic, [("k", str(n)) for n in range(2, 5001)])
        self.assertEqual(driver.wait(2, 8), 1)
        driver.ok("release k")
        self.assertEqual(driver.wait(5000), 5000)
        self.assertEqual([one["event"]["data"] for one in driver.dump()], list(range(1, 5001)))


class SourceFaults(Base):
    def all_of(self, drivers, count, deadline=60):
        """Waits until the drivers together have every number below count; how many came twice."""
        for _ in range(deadline * 2):
            seen = [one["event"]["data"] for driver in drivers for one in driver.dump()]
            if len(set(seen)) >= count:
                self.assertEqual(set(seen), set(range(count)))
                return len(seen) - count
            drivers[0].wait(1 << 40, 0.5)
        self.fail(f"{len(set(seen))} of {count} after {deadline} s")
        return 0

    def test_1_rebalance_loses_nothing(self):
        self.real()
        topic = self.topic(partitions=6)
        first = self.source(topic=topic, group=topic)
        self.broker.produce(topic, [(f"k{n % 50}", str(n)) for n in range(5000)])
        self.assertGreater(first.wait(1), 0)
        second = self.source(topic=topic, group=topic)
        position = 5000
        for _ in range(60):  # until the second has its share
            self.produce(topic, position, 1000)
            position += 1000
            if second.wait(1, 1) > 0:
                break
        self.assertGreater(second.wait(1, 1), 0)
        self.produce(topic, position, 10000)
        second.ok("stop k")
        self.produce(topic, position + 10000, 5000)
        position += 15000
        again = self.all_of([first, second], position)
        print(f"# rebalance: {position} records, 0 lost, {again} twice", file=sys.stderr)

    def produce(self, topic, first, count):
        self.broker.produce(topic, [(f"k{n % 50}", str(n)) for n in range(first, first + count)])

    def test_2_kill_9_of_the_bus(self):
        topic = self.topic(partitions=3)
        self.broker.produce(topic, [(f"k{n % 50}", str(n)) for n in range(1000)])
        driver = Driver({"k": {"kafka": {"brokers": self.broker.brokers, "topic": topic, "group": topic,
                                         "properties": {"session.timeout.ms": "6000"}}}}).start()
        self.addCleanup(driver.close)
        position = 1000
        for _ in range(3):
            driver.ok("source k")
            self.broker.produce(topic, [(f"k{n % 50}", str(n)) for n in range(position, position + 4000)])
            position += 4000
            driver.wait(position - 3000, 10)
            driver.kill()
            driver.start()
        driver.ok("source k")
        again = self.all_of([driver], position)
        print(f"# bus killed: {position} records, 0 lost, {again} twice", file=sys.stderr)
        driver.end()

    def test_3_kill_9_of_the_broker(self):
        self.real()
        topic = self.topic(partitions=3)
        driver = self.source(topic=topic, group=topic)
        self.broker.produce(topic, [(f"k{n % 50}", str(n)) for n in range(5000)])
        self.assertGreater(driver.wait(1), 0)
        self.broker.kill()
        self.broker.start()
        self.broker.produce(topic, [(f"k{n % 50}", str(n)) for n in range(5000, 10000)])
        again = self.all_of([driver], 10000)
        print(f"# broker killed: 10000 records, 0 lost, {again} twice", file=sys.stderr)


    def test_4_stopped_while_records_are_on_their_way(self):
        self.real()
        topic = self.topic(partitions=3)
        self.produce(topic, 0, 60000)
        driver = self.source(topic=topic, group=topic)
        for _ in range(15):
            before = driver.wait(1)
            driver.wait(before + 1, 10)
            driver.ok("stop k")  # librdkafka has fetched more than was handed in
            driver.ok("source k")
        again = self.all_of([driver], 60000)
        print(f"# stopped 15 times: 60000 records, 0 lost, {again} twice", file=sys.stderr)


class Speed(Base):
    def test_sink(self):
        """No time is asserted; the figure is for who reads the log."""
        driver = self.driver(topic=self.topic(partitions=4), timeout=30)
        driver.deliver([event(1, {"n": 1})], 1 << 30)  # connects
        spent = 0.0
        for batch in range(10):
            rows = [event(n, {"n": n, "pad": "x" * 300}, key=f"k{n % 100}") for n in range(2000)]
            taken, results = driver.deliver_timed(rows, batch * 2000)
            self.assertEqual(set(self.classes(results)), {"delivered"})
            spent += taken
        print(f"# sink: {20000 / spent:.0f} records/s in batches of 2000", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(argv=["kafka", "-v", *sys.argv[1:]])
