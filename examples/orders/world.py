#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The worked example: a private Prosody, PostgreSQL and Kafka, a partner, and the bus between them.

    world.py --build FOLDER            starts everything, keeps it in var/orders, stays until Ctrl-C
    world.py --build FOLDER --once     the same in a fresh folder: counts, repairs, counts again, removes it
    --kafka HOST:PORT                  a real broker instead of librdkafka's mock, which forgets

Into an empty journal it sends 100 orders; three of them are bad, each in its own way.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(TOP))
from tests.peers import ports  # noqa: E402
from tests.peers.kafka import Kafka  # noqa: E402
from tests.peers.postgres import Postgres  # noqa: E402
from tests.peers.process import PeerError, Process  # noqa: E402
from tests.peers.prosody import Prosody  # noqa: E402

DOMAIN, SERVICE = "acme.test", "bus.acme.test"
COUNT, BREAKS_SCHEMA, UNKNOWN_CUSTOMER, UNKNOWN_COUNTRY = 100, 17, 42, 77
PORTS = ["shop", "console", "postgres", "client", "component", "partner"]


def order(number):
    lines = [{"sku": f"sku-{number % 7}", "qty": 1 + number % 3, "price_cents": 1999 + number}]
    made = {"id": f"o-{number}", "customer": f"c-{1 + number % 20}", "country": "FR", "lines": lines}
    if number == BREAKS_SCHEMA:
        lines[0]["qty"] = 0
    if number == UNKNOWN_CUSTOMER:
        made["customer"] = "c-99"
    if number == UNKNOWN_COUNTRY:
        made["country"] = "XX"
    return {"order": made}


class UnprivilegedProsody(Prosody):
    """Prosody as its own account where we are root."""

    account = "prosody" if os.geteuid() == 0 else None

    def hand_over(self):
        for path in [self.folder, *self.folder.rglob("*")] if self.account else ():
            shutil.chown(path, self.account, self.account)

    def start(self):
        config = self._write_config()
        self.hand_over()
        self.process = Process(["prosody", "--config", config], log=self.folder / "log", user=self.account, cwd="/")
        self.process.wait_port(self.client_port, 30)
        self.process.wait_port(self.component_port, 30)
        return self

    def register(self, user, password):
        super().register(user, password)
        self.hand_over()


def eventually(what, condition, deadline=60.0):
    """Waits for a condition; says what was waited for when it does not come."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise PeerError(f"{what}: not within {deadline:.0f} s")


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class World:
    def __init__(self, folder, build, kafka):
        self.folder, self.build, self.brokers = folder, build, kafka
        self.running = []
        self.fresh = not (folder / "data").exists()
        folder.mkdir(parents=True, exist_ok=True)
        # The peers run as accounts of their own and must be able to reach what is theirs.
        folder.chmod(0o711)
        self.ports = self.choose_ports()
        self.shop_key = self.secret("shop.key", "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
        self.token = self.secret("ops.token", "xylem_" + secrets.token_hex(32))
        self.component_secret = self.secret("component.secret", secrets.token_hex(16))
        self.passwords = {name: self.secret(f"{name}.password", secrets.token_hex(8))
                          for name in ("ops", "alice", "helpdesk")}

    def secret(self, name, value):
        path = self.folder / name
        if not path.exists():
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
                file.write(value + "\n")
        return path.read_text().strip()

    def choose_ports(self):
        """Those of the last time, so that addresses stay what they were; others where one is taken now."""
        path = self.folder / "ports.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        fresh = ports.free(len(PORTS))
        chosen = {name: kept[name] if name in kept and not ports.accepts(kept[name]) else fresh[i]
                  for i, name in enumerate(PORTS)}
        path.write_text(json.dumps(chosen))
        return chosen

    # --- Starting and stopping

    def begin(self, name, process):
        self.running.append((name, process))
        return process

    def start(self):
        print("starting PostgreSQL, Prosody, Kafka, the partner and the bus ...", flush=True)
        self.start_postgres()
        self.start_prosody()
        self.start_kafka()
        self.start_partner()
        self.start_bus()
        self.start_follower("alice", "orders", self.folder / "alice.jsonl")
        return self

    def start_postgres(self):
        self.postgres = Postgres(folder=self.folder / "postgres", port=self.ports["postgres"])
        made = (self.folder / "postgres" / "data").exists()
        self.begin("postgres", self.postgres.start())
        if not made:
            self.postgres.sql((HERE / "schema.sql").read_text())

    def start_prosody(self):
        self.prosody = UnprivilegedProsody(
            component=SERVICE, secret=self.component_secret, domain=DOMAIN, folder=self.folder / "prosody",
            client_port=self.ports["client"], component_port=self.ports["component"])
        known = (self.folder / "prosody" / "data").exists()
        self.begin("prosody", self.prosody.start())
        for name, password in self.passwords.items() if not known else ():
            self.prosody.register(name, password)

    def start_kafka(self):
        if not self.brokers:
            kafka = self.begin("kafka", Kafka(folder=self.folder / "kafka", mock=True).start())
            kafka.create_topic("orders")
            self.brokers = kafka.brokers
        # What is in the topic is read while it comes: the mock keeps little, and nothing after it stops.
        self.kafka_file = self.folder / "kafka.jsonl"
        out = open(self.kafka_file, "ab")
        self.begin("kcat", Process(["kcat", "-C", "-q", "-u", "-b", self.brokers, "-t", "orders", "-o", "beginning"],
                                   log=self.folder / "kcat.log", stdout=out))

    def start_partner(self):
        self.partner_file = self.folder / "partner.jsonl"
        partner = self.begin("partner", Process(
            ["/usr/bin/python3", HERE / "partner.py", self.ports["partner"], self.partner_file],
            log=self.folder / "partner.log"))
        partner.wait_port(self.ports["partner"], 30)

    def start_bus(self):
        environment = {f"ORDERS_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        environment.update(ORDERS_FOLDER=str(self.folder), ORDERS_KAFKA=self.brokers)
        self.bus = self.begin("xylemd", Process(
            [self.build / "bus/main/xylemd", "run", HERE / "orders.yaml"], log=self.folder / "xylemd.log",
            env=environment))
        self.bus.wait_line(r"ready: (\S+)", 60)
        eventually("the bus on XMPP", lambda: self.operation("bus") is not None)

    def start_follower(self, name, topic, path):
        follower = self.begin(f"follower {name}", Process(
            ["/usr/bin/python3", HERE / "follower.py", self.ports["client"], f"{name}@{DOMAIN}",
             self.folder / f"{name}.password", SERVICE, topic, path], log=self.folder / f"follower-{name}.log"))
        follower.wait_line("following", 30)

    def stop(self):
        for _, process in reversed(self.running):
            try:
                process.stop(30)
            except PeerError as error:
                print(error, file=sys.stderr)
        self.running = []

    # --- The bus

    @property
    def url(self):
        return f"http://127.0.0.1:{self.ports['console']}"

    def operation(self, path):
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", headers={"Authorization": f"Bearer {self.token}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except OSError:
            return None

    def ctl(self, *words):
        done = subprocess.run([self.build / "console/ctl/xylemctl", "--url", self.url, "--token-file",
                               self.folder / "ops.token", *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PeerError(f"xylemctl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def send(self, number):
        body = json.dumps(order(number)).encode()
        key = base64.b64decode(self.shop_key.removeprefix("whsec_"))
        identity, stamp = f"msg-{number}", str(int(time.time()))
        signed = b".".join([identity.encode(), stamp.encode(), body])
        signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['shop']}/orders", data=body, method="POST",
            headers={"Content-Type": "application/json", "webhook-id": identity, "webhook-timestamp": stamp,
                     "webhook-signature": f"v1,{signature}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            if answer.status != 202:
                raise PeerError(f"order {number}: {answer.status}")

    # --- Counting

    def counts(self):
        """Where the orders are: how many, and how many of them more than once."""
        followed = [line["event"]["data"]["id"] for line in lines_of(self.folder / "alice.jsonl") if "event" in line]
        kafka = [line["id"] for line in lines_of(self.kafka_file)]
        partner = [line["id"] for line in lines_of(self.partner_file)]
        rows = int(self.postgres.value("SELECT count(*) FROM orders"))
        return {"PostgreSQL": (rows, 0), "Kafka": (len(set(kafka)), len(kafka) - len(set(kafka))),
                "XMPP subscriber": (len(set(followed)), len(followed) - len(set(followed))),
                "partner": (len(set(partner)), len(partner) - len(set(partner)))}

    def cases(self):
        found = (self.operation("hospital/cases") or {}).get("cases", [])
        return sorted(found, key=lambda case: case["case"])

    def wait_counts(self, wanted):
        try:
            eventually("the orders at their destinations",
                       lambda: {name: count for name, (count, _) in self.counts().items()} == wanted, 60)
        except PeerError:
            pass  # the comparison says what is missing
        return self.counts()


def show(title, counts, cases):
    print(f"\n{title}")
    for name, (count, twice) in counts.items():
        print(f"  {name:<16} {count:>4} orders" + (f", {twice} more than once" if twice else ""))
    print(f"  {'hospital':<16} {len(cases):>4} cases")
    for case in cases:
        where = case["route"] + (f"/{case['destination']}" if case.get("destination") else " (all destinations)")
        print(f"    case {case['case']}: {where}, {case['stage']}: {case['reason']}")


def show_where(world):
    ctl = f"{os.path.relpath(world.build / 'console/ctl/xylemctl')} --bus orders"
    print(f"""
Look around, from this folder and as this user:
  {ctl} status
  {ctl} hospital cases
  {ctl} hospital show 1
  {ctl} tail
  API      {world.url}/api/v1/bus     token in {world.folder}/ops.token
  metrics  {world.url}/metrics        the same token
  XMPP     ops@{DOMAIN} on 127.0.0.1:{world.ports['client']} without TLS, password in {world.folder}/ops.password;
           the bus is {SERVICE}; the topic "orders" is there to subscribe to
  database psql -h 127.0.0.1 -p {world.ports['postgres']} -U test test
""", flush=True)


def send_orders(world):
    began = time.monotonic()
    for number in range(1, COUNT + 1):
        world.send(number)
    print(f"sent {COUNT} orders in {time.monotonic() - began:.1f} s; three of them are bad")


def repair(world):
    """Each case as a person would: look, mend what is wrong, replay."""
    for case in world.cases():
        number = str(case['case'])
        data = json.loads(world.ctl("hospital", "data", number))
        print(f"  case {number}: ", end="")
        if not case.get("destination"):
            data["order"]["lines"][0]["qty"] = 1
            print("the order's quantity is set to 1, and it is replayed from the step that refused it")
        elif case["destination"] == "erp":
            world.postgres.sql(f"INSERT INTO customers VALUES ('{data['customer']}')")
            print("the customer is entered in the database, and the order replayed as it is")
            world.ctl("hospital", "replay", number)
            continue
        else:
            data["country"] = "FR"
            print("the country is mended for the partner, and the order replayed to it")
        edited = world.folder / f"case-{number}.json"
        edited.write_text(json.dumps(data))
        world.ctl("hospital", "edit", number, str(edited))
        world.ctl("hospital", "replay", number)


def once(world):
    send_orders(world)
    before = {"PostgreSQL": 98, "Kafka": 99, "XMPP subscriber": 99, "partner": 98}
    counts = world.wait_counts(before)
    eventually("three cases", lambda: len(world.cases()) >= 3)
    cases = world.cases()
    show("After sending:", counts, cases)
    good = counts == {name: (count, 0) for name, count in before.items()}
    good = good and len(cases) == 3 and len({case["reason"] for case in cases}) == 3
    told = eventually("ops@ is told of three cases",
                      lambda: len([l for l in lines_of(world.folder / "ops.jsonl") if "chat" in l]) >= 3)
    print("  ops@ was told:")
    for line in lines_of(world.folder / "ops.jsonl"):
        print(f"    {line.get('chat')}")
    print("\nRepairing:")
    repair(world)
    after = {name: COUNT for name in before}
    counts = world.wait_counts(after)
    eventually("no open case", lambda: not world.cases())
    show("After the repair:", counts, world.cases())
    good = good and told and counts == {name: (count, 0) for name, count in after.items()}
    print("\nright: every order is everywhere once" if good else "\nWRONG: the counts are not what they should be")
    return 0 if good else 1


def stay(world):
    if world.fresh:
        send_orders(world)
        world.wait_counts({"PostgreSQL": 98, "Kafka": 99, "XMPP subscriber": 99, "partner": 98})
    show("Where the orders are:", world.counts(), world.cases())
    show_where(world)
    print("Ctrl-C stops all of it.", flush=True)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
    print("\nstopping ...")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--kafka", default=os.environ.get("ORDERS_KAFKA_BROKERS"))
    parser.add_argument("--folder", type=pathlib.Path, default=TOP / "var" / "orders")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-orders-")) if arguments.once else arguments.folder.resolve()
    world = World(folder, arguments.build.resolve(), arguments.kafka)
    try:
        world.start()
        if arguments.once:
            world.start_follower("ops", "-", folder / "ops.jsonl")
        return once(world) if arguments.once else stay(world)
    except PeerError as error:
        print(f"\n{error}", file=sys.stderr)
        for log in sorted(folder.glob("*.log")):
            print(f"--- {log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]), file=sys.stderr)
        return 1
    finally:
        world.stop()
        if arguments.once:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
