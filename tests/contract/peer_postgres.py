# SPDX-License-Identifier: Apache-2.0
"""The other side of the postgres sink: a real server that is made to refuse, to lock, to cut and to be away."""
import subprocess
import time

from peer import Peer, run
from peers.postgres import Postgres as Server, program

SCHEMA = """
CREATE TABLE orders (id text PRIMARY KEY, n int);
CREATE ROLE bus LOGIN;
GRANT SELECT, INSERT, UPDATE ON orders TO bus;
CREATE FUNCTION busy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not serialize' USING ERRCODE = '40001'; END $$;
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END $$;
"""
BEGIN = {
    "accept": "SELECT 1",
    "wrong": "ALTER TABLE orders ADD CONSTRAINT refused CHECK (id = '') NOT VALID",
    "busy": "CREATE TRIGGER busy BEFORE INSERT ON orders EXECUTE FUNCTION busy()",
    "cut": "CREATE TRIGGER cut AFTER INSERT ON orders EXECUTE FUNCTION cut()",
    "misconfigured": "REVOKE INSERT ON orders FROM bus",
}
END = """
ALTER TABLE orders DROP CONSTRAINT IF EXISTS refused;
DROP TRIGGER IF EXISTS busy ON orders;
DROP TRIGGER IF EXISTS cut ON orders;
GRANT INSERT ON orders TO bus;
"""


class Postgres(Peer):
    def __init__(self):
        super().__init__()
        self.server = Server()
        self.lock = None

    def start(self, folder):
        self.server.start()
        self.server.sql(SCHEMA)
        return self.config("postgres", {
            "dsn": f"host=127.0.0.1 port={self.server.port} dbname=test user=bus", "table": "orders",
            "on_conflict": "nothing", "conflict_key": ["id"]})

    def mode(self, name):
        self.unlock()
        if not self.server.process.alive():
            self.server.start()
        self.server.sql(END)
        if name == "down":
            self.server.kill()
        elif name == "stall":
            self.lock = subprocess.Popen([program("psql"), "-X", "-q", "-A", "-t", self.server.dsn],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.lock.stdin.write(b"BEGIN; LOCK TABLE orders IN EXCLUSIVE MODE; SELECT 'locked';\n")
            self.lock.stdin.flush()
            assert self.lock.stdout.readline().strip() == b"locked"
        else:
            self.server.sql(BEGIN[name])
        return True

    def unlock(self):
        if self.lock:
            self.lock.stdin.close()
            self.lock.wait(10)
            self.lock.stdout.close()
            self.lock = None

    def refuse(self, identifier):
        self.server.sql(f"ALTER TABLE orders ADD CONSTRAINT refused CHECK (id <> '{identifier}') NOT VALID")
        return True

    def poll(self, condition, milliseconds):
        end = time.monotonic() + milliseconds / 1000
        while not condition() and time.monotonic() < end:
            time.sleep(0.05)  # a table gives no event
        return condition()

    def wait_received(self, count, milliseconds):
        self.poll(lambda: int(self.server.value("SELECT count(*) FROM orders")) >= count, milliseconds)
        return [row[0] for row in self.server.sql("SELECT id FROM orders ORDER BY id")]

    def wait(self, condition, milliseconds):
        """The suite waits for something that has arrived and is not answered: a session that waits for the lock."""
        return self.poll(lambda: self.server.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'bus'") != "0", milliseconds)

    def stop(self):
        self.unlock()
        self.server.close()


if __name__ == "__main__":
    run(Postgres())
