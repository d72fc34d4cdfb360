# SPDX-License-Identifier: Apache-2.0
"""The postgres sink against a real server: what arrives, what is refused and why, what an outage does.

From basic to complex; run by meson as connectors/postgres."""
import pathlib
import random
import subprocess
import sys
import threading
import unittest

from tests.connectors.driver import Driver, event
from tests.peers.postgres import Postgres, program

SCHEMA = """
CREATE TABLE customers (id text PRIMARY KEY);
INSERT INTO customers VALUES ('c1'), ('c2');
CREATE TABLE orders (id bigint PRIMARY KEY, customer text REFERENCES customers, total numeric,
    note text DEFAULT 'none', version int, CHECK (version >= 0));
CREATE SCHEMA "odd.schema";
CREATE TABLE "odd.schema"."odd""table" (id int PRIMARY KEY, "Mixed ""Case" text);
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE types (id int PRIMARY KEY, n numeric, n2 numeric(10,2), big bigint, f float8, b boolean, t text,
    short varchar(3), fixed char(3), ts timestamptz, d date, j json, jb jsonb, u uuid, by bytea, ints int[],
    texts text[], c colour, p positive, gen int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE deferred (id int PRIMARY KEY, customer text REFERENCES customers DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE guarded (id int PRIMARY KEY);
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.id = 13 THEN RAISE EXCEPTION 'thirteen is unlucky'; END IF; RETURN NEW; END $$;
CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION guard();
CREATE TABLE evolving (id int PRIMARY KEY);
"""


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Postgres().start()
        cls.server.sql(SCHEMA)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def connector(self, table, **options):
        return {"erp": {"postgres": {"dsn": self.server.dsn, "table": table, **options}}}

    def driver(self, table, **options):
        timeout = options.pop("timeout", 10.0)
        driver = Driver(self.connector(table, **options)).start()
        self.addCleanup(driver.__exit__, None)
        driver.sink("erp", timeout)
        return driver

    def classes(self, results):
        return [result[0] for result in results]


class Rows(Base):
    def test_1_rows_arrive(self):
        driver = self.driver("orders")
        rows = [event(n, {"id": n, "customer": "c1", "total": 1.5}) for n in range(100)]
        self.assertEqual(set(self.classes(driver.deliver(rows))), {"delivered"})
        self.assertEqual(self.server.value("SELECT count(*) FROM orders WHERE id < 100 AND note = 'none'"), "100")

    def test_2_again_is_nothing_new(self):
        driver = self.driver("orders")
        rows = [event(n, {"id": 100 + n % 50, "customer": "c1"}) for n in range(100)]
        for _ in range(2):
            self.assertEqual(set(self.classes(driver.deliver(rows))), {"delivered"})
        self.assertEqual(self.server.value("SELECT count(*) FROM orders WHERE id BETWEEN 100 AND 199"), "50")

    def test_3_update_keeps_the_order_of_repeated_keys(self):
        driver = self.driver("orders", on_conflict="update", conflict_key=["id"])
        rows = [event(n, {"id": 200 + n % 7, "version": n}) for n in range(1000)]
        self.assertEqual(set(self.classes(driver.deliver(rows))), {"delivered"})
        self.assertEqual(self.server.sql("SELECT id, version FROM orders WHERE id BETWEEN 200 AND 206 ORDER BY id"),
                         [[str(200 + k), str(max(n for n in range(1000) if n % 7 == k))] for k in range(7)])

    def test_4_update_touches_only_what_is_given(self):
        driver = self.driver("orders", on_conflict="update", conflict_key=["id"])
        driver.deliver([event(1, {"id": 300, "note": "first", "version": 1}), event(2, {"id": 300, "version": 2}),
                        event(3, {"id": 301}), event(4, {"id": 301, "note": None})])
        self.assertEqual(self.server.sql("SELECT note, version FROM orders WHERE id IN (300, 301) ORDER BY id"),
                         [["first", "2"], [None, None]])

    def test_5_names_are_quoted(self):
        driver = self.driver('"odd.schema"."odd""table"')
        self.assertEqual(self.classes(driver.deliver([event(1, {"id": 1, 'Mixed "Case': "x'); DROP TABLE orders;--"})])),
                         ["delivered"])
        self.assertEqual(self.server.value('SELECT "Mixed ""Case" FROM "odd.schema"."odd""table"'),
                         "x'); DROP TABLE orders;--")

    def test_6_types(self):
        driver = self.driver("types")
        self.assertEqual(driver.deliver(['''{"specversion":"1.0","id":"1","source":"/t","type":"t","data":{
            "id":1, "n":12345678901234567890.000000000000000000001, "n2":19.99, "big":9223372036854775807, "f":1e300,
            "b":true, "t":"it's \\"quoted\\"\\n\\ttab \\\\ back \\u20ac", "short":"abc", "fixed":"xyz",
            "ts":"2026-11-21T10:00:00+02:00", "d":"2026-02-28", "j":{"keep": 1.10, "b" : [1]}, "jb":"text",
            "u":"0190163d-8694-739b-aea5-966c26f8ad91", "by":"\\\\xdeadbeef", "ints":[1,null,-3], "texts":["a\\"b","","c,d"],
            "c":"red", "p":5}}'''.replace("\n", " ")])[0][0], "delivered")
        self.assertEqual(self.server.sql("SELECT n, n2, big, f, b, t, short, fixed, ts AT TIME ZONE 'UTC', d, j, jb, u,"
                                         " by, ints, texts, c, p, gen FROM types WHERE id = 1")[0],
                         ["12345678901234567890.000000000000000000001", "19.99", "9223372036854775807", "1e+300", "t",
                          "it's \"quoted\"\n\ttab \\ back \u20ac", "abc", "xyz", "2026-11-21 08:00:00", "2026-02-28",
                          '{"keep": 1.10, "b" : [1]}', '"text"', "0190163d-8694-739b-aea5-966c26f8ad91", "\\xdeadbeef",
                          "{1,NULL,-3}", '{"a\\"b","","c,d"}', "red", "5", "2"])


class Refused(Base):
    def one(self, table, data, **options):
        return self.driver(table, **options).deliver([event(1, data)])[0]

    def test_1_each_with_its_reason(self):
        for table, data, code, word in [
                ("orders", {"id": "x"}, "22P02", "bigint"),
                ("orders", {"id": None}, "23502", "id"),
                ("orders", {"id": 1, "customer": "nobody"}, "23503", "orders_customer_fkey"),
                ("orders", {"id": 1, "version": -1}, "23514", "orders_version_check"),
                ("orders", {"id": 1, "colour": "red"}, "unknown-column", "colour"),
                ("orders", [1], "not-object", "object"),
                ("orders", None, "no-data", "no data"),
                ("orders", {}, "no-columns", "column"),
                ("types", {"id": 1, "t": "a\x00b"}, "nul-in-text", "`t`"),
                ("types", {"id": 1, "jb": "a\x00b"}, "22P05", "Unicode"),
                ("types", {"id": 1, "short": "abcd"}, "22001", "too long"),
                ("types", {"id": 1, "fixed": "abcd"}, "22001", "too long"),
                ("types", {"id": 1, "n2": 123456789.5}, "22003", "overflow"),
                ("types", {"id": 1, "u": "zz"}, "22P02", "uuid"),
                ("types", {"id": 1, "c": "blue"}, "22P02", "colour"),
                ("types", {"id": 1, "p": -1}, "23514", "positive"),
                ("types", {"id": 1, "ints": ["x"]}, "22P02", "integer"),
                ("types", {"id": 1, "gen": 5}, "computed-column", "gen"),
                ("guarded", {"id": 13}, "P0001", "thirteen is unlucky"),
                ("deferred", {"id": 1, "customer": "nobody"}, "23503", "deferred_customer_fkey")]:
            with self.subTest(table=table, data=data):
                failure, got, reason = self.one(table, data)
                self.assertEqual((failure, got), ("wrong", code), reason)
                self.assertIn(word, reason)

    def test_2_unknown_can_be_ignored(self):
        self.assertEqual(self.one("orders", {"id": 400, "colour": "red"}, unknown="ignore")[0], "delivered")

    def test_3_listed_columns_only(self):
        self.assertEqual(self.one("orders", {"id": 401, "note": "x"}, columns=["id", "total"])[1], "unknown-column")

    def test_4_one_bad_row_among_many(self):
        for bad in (0, 1, 499, 500, 700, 998, 999):
            with self.subTest(bad=bad):
                driver = self.driver("orders")
                base = 10000 * (bad + 1)
                rows = [event(n, {"id": base + n, "customer": "nobody" if n == bad else "c1"}) for n in range(1000)]
                results = self.classes(driver.deliver(rows))
                self.assertEqual(results[:bad], ["delivered"] * bad)
                self.assertEqual(results[bad:], ["wrong"] + ["not-tried"] * (999 - bad))
                rest = rows[bad + 1:]
                if rest:
                    self.assertEqual(set(self.classes(driver.deliver(rest))), {"delivered"})
                self.assertEqual(self.server.value(f"SELECT count(*) FROM orders WHERE id BETWEEN {base} AND {base + 999}"),
                                 "999")

    def test_5_many_bad_rows(self):
        driver = self.driver("orders")
        waiting = [event(n, {"id": 50000000 + n, "customer": "nobody" if n % 3 == 0 else "c1"}) for n in range(600)]
        cases = 0
        while waiting:
            results = self.classes(driver.deliver(waiting))
            done = results.index("not-tried") if "not-tried" in results else len(results)
            self.assertGreater(done, 0)
            cases += results[:done].count("wrong")
            waiting = waiting[done:]
        self.assertEqual(cases, 200)
        self.assertEqual(self.server.value("SELECT count(*) FROM orders WHERE id >= 50000000"), "400")

    def test_6_deferred_and_trigger_rows_are_found(self):
        for table, bad in (("deferred", {"id": 57, "customer": "nobody"}), ("guarded", {"id": 13})):
            driver = self.driver(table)
            rows = [event(n, bad if n == bad["id"] else {"id": n}) for n in range(100)]
            results = driver.deliver(rows)
            self.assertEqual([n for n, result in enumerate(results) if result[0] == "wrong"], [bad["id"]])
            driver.deliver(rows[bad["id"] + 1:])
            self.assertEqual(self.server.value(f"SELECT count(*) FROM {table}"), "99")

    def test_7_error_on_conflict(self):
        driver = self.driver("orders", on_conflict="error")
        self.assertEqual(driver.deliver([event(1, {"id": 402})])[0][0], "delivered")
        failure, code, reason = driver.deliver([event(1, {"id": 402})])[0]
        self.assertEqual((failure, code), ("wrong", "23505"))
        self.assertIn("orders_pkey", reason)

    def test_8_equal_keys_of_different_spelling(self):
        driver = self.driver("types", on_conflict="update", conflict_key=["id"])
        rows = [event(1, {"id": 70, "t": "first"}), event(2, {"id": "070", "t": "second"}), event(3, {"id": 71})]
        self.assertEqual(self.classes(driver.deliver(rows)), ["delivered"] * 3)
        self.assertEqual(self.server.value("SELECT t FROM types WHERE id = 70"), "second")

    def test_9_many_shapes(self):
        driver = self.driver("types")
        names = ["n", "big", "f", "t", "short", "ts", "d", "b"]
        values = {"n": 1, "big": 2, "f": 3, "t": "4", "short": "5", "ts": "2026-01-01", "d": "2026-01-01", "b": False}
        rows = [event(n, {"id": 1000 + n, **{name: values[name] for bit, name in enumerate(names) if n >> bit & 1}})
                for n in range(256)]
        self.assertEqual(set(self.classes(driver.deliver(rows))), {"delivered"})
        self.assertEqual(self.server.value("SELECT count(*), count(n), count(b) FROM types WHERE id BETWEEN 1000 AND 1255"),
                         "256")


class Configuration(Base):
    def refused(self, options, word):
        driver = Driver({"erp": {"postgres": options}})
        with self.assertRaises(Exception) as raised:
            driver.start()
        self.assertIn(word, driver.process.text(), raised.exception)
        driver.close()

    def test_1_dsn(self):
        for dsn, word in [("host=h password=x", "password"), ("service=x", "service"), ("passfile=/x", "passfile"),
                          ("nonsense=1", "nonsense"), ("postgresql://u:p@h/db", "password")]:
            self.refused({"dsn": dsn, "table": "t"}, word)

    def test_2_combinations(self):
        dsn = "host=/tmp"
        self.refused({"dsn": dsn, "table": "a.b.c"}, "a.b.c")
        self.refused({"dsn": dsn, "table": "t", "on_conflict": "update"}, "conflict_key")
        self.refused({"dsn": dsn, "table": "t", "on_conflict": "error", "conflict_key": ["id"]}, "conflict_key")

    def test_3_misconfigured(self):
        for options, code in [({"table": "missing"}, "42P01"), ({"table": "orders", "columns": ["nope"]}, "42703"),
                              ({"table": "orders", "dsn": self.server.dsn + " dbname=nope"}, "3D000"),
                              ({"table": "orders", "dsn": self.server.dsn + " user=nope"}, "28000")]:
            driver = Driver(self.connector(**options) if "dsn" not in options else {"erp": {"postgres": options}})
            with driver:
                driver.sink("erp")
                self.assertEqual(driver.deliver([event(1, {"id": 1})])[0][:2], ["misconfigured", code])
                self.assertIn(f"error misconfigured {code}", driver.do("probe erp 3000"))

    def test_4_no_unique_index(self):
        driver = self.driver("orders", on_conflict="update", conflict_key=["note"])
        self.assertEqual(driver.deliver([event(1, {"id": 1, "note": "x"})])[0][:2], ["misconfigured", "42P10"])

    def test_5_password(self):
        secret = pathlib.Path("/tmp") / f"xylem-test-secret-{self.server.port}"
        self.addCleanup(secret.unlink, True)
        with Postgres(password="right one") as server:
            server.sql("CREATE TABLE t (id int)")
            for text, expected in [("wrong one", ["misconfigured", "28P01"]), ("right one", ["delivered", ""])]:
                secret.touch(mode=0o600)
                secret.write_text(text, encoding="utf-8")
                with Driver({"erp": {"postgres": {"dsn": server.dsn, "table": "t", "password": {"file": str(secret)}}}}) as driver:
                    driver.sink("erp")
                    self.assertEqual(driver.deliver([event(1, {"id": 1})])[0][:2], expected)
            with Driver({"erp": {"postgres": {"dsn": server.dsn, "table": "t"}}}) as driver:
                driver.sink("erp")
                self.assertEqual(driver.deliver([event(1, {"id": 1})])[0][:2], ["misconfigured", "28P01"])

    def test_6_probe(self):
        with Driver(self.connector("orders")) as driver:
            driver.ok("probe erp 3000")

    def test_7_commits_are_durable_whatever_the_default(self):
        self.server.sql("ALTER ROLE test SET synchronous_commit = off")
        self.addCleanup(self.server.sql, "ALTER ROLE test RESET synchronous_commit")
        self.server.sql("CREATE TABLE settings (id int, v text DEFAULT current_setting('synchronous_commit'))")
        self.driver("settings").deliver([event(1, {"id": 1})])
        self.assertEqual(self.server.value("SELECT v FROM settings"), "on")


class Faults(Base):
    def test_1_a_dead_server(self):
        driver = self.driver("orders", timeout=5)
        row = [event(1, {"id": 500})]
        self.assertEqual(driver.deliver(row)[0][0], "delivered")
        self.server.kill()
        self.assertEqual(driver.deliver(row)[0][0], "down")
        self.assertIn("error down", driver.do("probe erp 1000"))
        self.server.start()
        self.assertEqual(driver.deliver(row)[0][0], "delivered")

    def test_2_a_restarted_server_costs_no_failure(self):
        driver = self.driver("orders", timeout=5)
        driver.deliver([event(1, {"id": 501})])
        self.server.stop()
        self.server.start()
        self.assertEqual(driver.deliver([event(1, {"id": 502})])[0][0], "delivered")

    def test_3_a_locked_table_times_out(self):
        driver = self.driver("orders", timeout=1)
        driver.deliver([event(1, {"id": 503})])
        with self.locked("orders"):
            taken, results = driver.deliver_timed([event(2, {"id": 504}), event(3, {"id": 505})])
            self.assertEqual(self.classes(results), ["busy", "not-tried"])
            self.assertLess(taken, 3)
        self.assertEqual(driver.deliver([event(2, {"id": 504})])[0][0], "delivered")

    def test_4_a_stopped_server_times_out(self):
        driver = self.driver("orders", timeout=1)
        driver.deliver([event(1, {"id": 506})])
        self.server.pause()
        try:
            self.assertIn(driver.deliver([event(2, {"id": 507})])[0][0], ("busy", "down"))
            self.assertIn(driver.deliver([event(2, {"id": 507})])[0][0], ("busy", "down"))
        finally:
            self.server.resume()
        self.assertEqual(driver.deliver([event(2, {"id": 507})])[0][0], "delivered")

    def test_5_interrupt(self):
        driver = self.driver("orders", timeout=60)
        driver.deliver([event(1, {"id": 508})])
        with self.locked("orders"):
            driver.ok("interrupt 300")
            taken, results = driver.deliver_timed([event(2, {"id": 509})])
            self.assertEqual(results[0][:2], ["busy", "interrupted"])
            self.assertLess(taken, 10)
        self.assertEqual(driver.deliver([event(2, {"id": 509})])[0][0], "delivered")

    def test_6_a_new_column_is_found(self):
        driver = self.driver("evolving")
        self.assertEqual(driver.deliver([event(1, {"id": 1})])[0][0], "delivered")
        self.server.sql("ALTER TABLE evolving ADD COLUMN extra text; SELECT pg_sleep(1.1)")
        self.assertEqual(driver.deliver([event(2, {"id": 2}), event(3, {"id": 3, "extra": "x"})])[1][0], "delivered")
        self.server.sql("ALTER TABLE evolving DROP COLUMN extra, ADD COLUMN other int")
        results = driver.deliver([event(4, {"id": 4, "extra": "x"})])
        if results[0][0] == "misconfigured":  # the statement is older than the table; the next one knows
            results = driver.deliver([event(4, {"id": 4, "extra": "x"})])
        self.assertEqual(results[0][:2], ["wrong", "unknown-column"])

    def test_7_kill_9_in_mid_flow_loses_nothing(self):
        self.server.sql("CREATE TABLE flow (id int PRIMARY KEY, n int)")
        driver = self.driver("flow", timeout=5)
        seed = random.SystemRandom().randint(0, 1 << 30)
        chance = random.Random(seed)
        acknowledged, position, outages = set(), 0, 0
        kills = 0
        while outages < 3 and kills < 30:
            break_now = kills * 2 < position // 500
            size = 10000 if break_now else 500
            rows = [event(n, {"id": n, "n": n}) for n in range(position, position + size)]
            breaker = threading.Timer(chance.uniform(0, 0.08), self.server.kill)
            driver.send_deliver(rows)
            if break_now:
                breaker.start()
            results = self.classes(driver.results()[1])
            done = next((n for n, result in enumerate(results) if result != "delivered"), len(results))
            acknowledged.update(range(position, position + done))
            position += done
            if break_now:
                breaker.join()
                kills += 1
                outages += done < len(results)
                self.server.start()
        rows = {int(row[0]) for row in self.server.sql("SELECT id FROM flow")}
        print(f"# seed {seed}: {len(acknowledged)} rows acknowledged, {kills} kills, {outages} of them in a delivery,"
              f" {len(acknowledged - rows)} lost", file=sys.stderr)
        self.assertEqual(acknowledged - rows, set())
        self.assertGreater(outages, 0)

    def locked(self, table):
        return Lock(self.server, table)


class Lock:
    """Another session holds the table until the block ends."""

    def __init__(self, server, table):
        self.psql = subprocess.Popen([program("psql"), "-X", "-q", "-A", "-t", server.dsn], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
        self.psql.stdin.write(f"BEGIN; LOCK TABLE {table}; SELECT 'locked';\n".encode())
        self.psql.stdin.flush()
        assert self.psql.stdout.readline().strip() == b"locked"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.psql.stdin.close()
        self.psql.wait(10)
        self.psql.stdout.close()


class Speed(Base):
    def test_throughput(self):
        """No time is asserted; the figure is for who reads the log."""
        self.server.sql("CREATE TABLE fast (id bigint PRIMARY KEY, customer text, total numeric, at timestamptz)")
        driver = self.driver("fast")
        spent = 0.0
        for batch in range(20):
            rows = [event(n, {"id": batch * 1000 + n, "customer": f"c{n}", "total": 19.99, "at": "2026-11-21T10:00:00Z"})
                    for n in range(1000)]
            taken, results = driver.deliver_timed(rows)
            self.assertEqual(set(self.classes(results)), {"delivered"})
            spent += taken
        print(f"# {20000 / spent:.0f} rows/s in batches of 1000", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(argv=["postgres", "-v", *sys.argv[1:]])
