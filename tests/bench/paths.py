# SPDX-License-Identifier: Apache-2.0
"""The measurements. Each is a generator of figures, measures its ceiling first, and takes seconds."""
import time

from tests.peers import kafka, ports, postgres
from tests.peers.process import PeerError, Process

from .bus import Bus, Sink
from .figures import Figure

STEPS = {"set": "{ set: { /data/channel: web } }",
         "jq": "{ jq: '.data + {channel: \"web\"}' }"}


def journal(programs, folder, scale):
    lines = programs.run_json("journal", "--json", "--seconds", max(0.3, scale), "--folder", folder)
    for line in lines:
        if line["what"].startswith("append"):
            yield Figure("journal", f"journal, {line['what']}, batch {line['batch']}", line["per_second"], "/s",
                         line["ceiling"], "pwrite+fdatasync of the same bytes", line["cpu_us"])


# --- webhook -> step -> http ---------------------------------------------------

def _webhook_config(step, port, sink_port, batch):
    form = "array" if batch > 1 else "single"
    body = "body: array" if batch > 1 else "body: data, connections: 64"
    lane = f"{{ out: {{ batch: {{ count: {batch} }}, parallel: 2 }} }}" if batch > 1 else "out"
    return f"""connectors:
  in: {{ webhook: {{ path: /orders, verify: none, listen: "127.0.0.1:{port}", accept: [{form}] }} }}
  out: {{ http: {{ url: "http://127.0.0.1:{sink_port}/orders", {body} }} }}
routes:
  orders: {{ from: [in], steps: [ {STEPS[step]} ], deliver: {{ order: none, probe: 100ms, backoff_max: 1s }}, to: [ {lane} ] }}
"""


def _ceiling(programs, folder, **load):
    port = ports.free()
    with Process([programs.bench("http-ceiling"), port], log=folder / "ceiling.log") as server:
        server.wait_port(port, 10)
        return programs.load(port, **load)["rate"]


def webhook(step, batch):
    def measure(programs, folder, scale):
        load = {"count": int((60000 if batch == 1 else 500000) * scale), "batch": batch,
                "connections": 64 if batch == 1 else 16}
        ceiling = _ceiling(programs, folder, **dict(load, count=load["count"] * 3))
        port = ports.free()
        name = f"webhook -> {step} -> http, " + (f"batches of {batch}" if batch > 1 else "singly, 64 connections")
        with Sink(programs, folder) as sink, \
                Bus(programs, folder / "bus", _webhook_config(step, port, sink.port, batch)) as bus:
            idle, begin_cpu = bus.memory_mb("VmRSS"), bus.cpu_us()
            sent = programs.load(port, **load)
            counted = sink.wait(sent["messages"])
            spent = (bus.cpu_us() - begin_cpu) / sent["messages"]
            rate = sent["messages"] * 1e6 / (counted["last_us"] - sent["begin_us"])
            yield Figure("http", name, rate, "/s", ceiling, "libmicrohttpd answering 202 at once", spent,
                         f"taken in {sent['rate']:,.0f}/s, p50 {sent['p50_us'] / 1000:.2f} ms, "
                         f"p99 {sent['p99_us'] / 1000:.2f} ms")
            if step == "set":
                kind = "singly" if batch == 1 else f"batches of {batch}"
                yield Figure("memory", "resident, idle", idle, "MB", 20, "aim")
                yield Figure("memory", f"resident, most under load, {kind}", bus.memory_mb("VmHWM"), "MB", 64, "aim",
                             note=f"{bus.memory_mb('RssAnon'):.1f} MB without mapped files after it")
            bus.stop()
    return measure


# --- Kafka -> set -> PostgreSQL ------------------------------------------------

TABLE = "(number bigint PRIMARY KEY, customer text, total numeric, note text, channel text)"


def _copy(server, folder, count):
    """Rows a second that one COPY takes, of the same columns and bytes."""
    path = folder / "orders.csv"
    note = "n" * 450
    path.write_text("".join(f"{100000000000 + n},c17,19.99,{note},web\n" for n in range(count)), encoding="ascii")
    path.chmod(0o644)
    server.sql(f"CREATE TABLE ceiling {TABLE}")
    begin = time.monotonic()
    server.sql(f"\\copy ceiling FROM '{path}' CSV")
    taken = time.monotonic() - begin
    path.unlink()
    server.sql("DROP TABLE ceiling")
    return count / taken


def _wait_rows(server, bus, count, deadline=180):
    end = time.monotonic() + deadline
    while (rows := int(server.value("SELECT count(*) FROM orders"))) < count:
        if time.monotonic() > end or not bus.process.alive():
            raise PeerError(f"{rows} rows of {count}\n{bus.process.tail()}")
        time.sleep(0.2)  # a table gives no event


def kafka_postgres(programs, folder, scale):
    count = int(300000 * scale)
    # The commit time of each row's transaction says when the first and the last were there.
    with kafka.Kafka(allow_mock=False) as broker, \
            postgres.Postgres(settings={"track_commit_timestamp": "on", "max_wal_size": "4GB"}) as server:
        broker.create_topic("orders", 4)
        programs.run_json("kafka", "produce", broker.brokers, "orders", count)
        read = programs.run_json("kafka", "consume", broker.brokers, "orders", count)[0]
        alone = count * 1e6 / (read["end_us"] - read["begin_us"])
        copy = _copy(server, folder, count)
        server.sql(f"CREATE TABLE orders {TABLE}")
        with Bus(programs, folder / "bus", f"""connectors:
  in: {{ kafka: {{ brokers: "{broker.brokers}", topic: orders, group: bench }} }}
  out: {{ postgres: {{ dsn: "{server.dsn}", table: orders }} }}
routes:
  orders: {{ from: [in], steps: [ {STEPS['set']} ], to: [ {{ out: {{ batch: {{ count: 1000 }}, parallel: 2 }} }} ] }}
""") as bus:
            _wait_rows(server, bus, count)
            spent = bus.cpu_us() / count
            taken = float(server.value("SELECT extract(epoch FROM max(t) - min(t)) FROM "
                                       "(SELECT pg_xact_commit_timestamp(xmin) t FROM orders) x"))
            bus.stop()
        rate = count / taken
        name = "Kafka -> set -> PostgreSQL"
        yield Figure("kafka", name, rate, "/s", copy, "one COPY of the same rows", spent,
                     "first row's commit to the last one's")
        yield Figure("kafka", f"{name} (the other ceiling)", rate, "/s", alone, "librdkafka reading the topic alone")


# --- A backlog -----------------------------------------------------------------

def backlog(programs, folder, scale):
    """A destination that is down, messages that wait for it, the bus started over them, and their delivery."""
    count = int(1000000 * scale)
    port, sink_port = ports.free(2)
    with Bus(programs, folder / "bus", _webhook_config("set", port, sink_port, 100)) as bus:
        sent = programs.load(port, count=count, batch=100, connections=4, body=100)
        waiting = f"{sent['messages']:,} messages of 100 bytes wait"
        yield Figure("backlog", "resident with the backlog", bus.memory_mb("VmRSS"), "MB",
                     note=f"{waiting}; {bus.memory_mb('RssAnon'):.1f} MB without mapped files")
        bus.stop()
        yield Figure("backlog", "start-up with it, after an orderly stop", bus.start(), "s")
        bus.kill()
        yield Figure("backlog", "start-up with it, after kill -9", bus.start(), "s",
                     note=f"resident then {bus.memory_mb('VmRSS'):.1f} MB")
        before = bus.cpu_us()
        with Sink(programs, folder, sink_port) as sink:
            begin = time.monotonic()
            counted = sink.wait(sent["messages"])
            rate = sent["messages"] * 1e6 / (counted["last_us"] - counted["first_us"])
            yield Figure("backlog", "its delivery, in batches of 100", rate, "/s",
                         cpu_us=(bus.cpu_us() - before) / sent["messages"],
                         note=f"all {counted['orders']:,} arrived, {time.monotonic() - begin:.1f} s after the "
                              "destination was back")
            bus.stop()


MEASUREMENTS = {
    "journal": journal,
    "set-singly": webhook("set", 1),
    "set-batches": webhook("set", 100),
    "jq-singly": webhook("jq", 1),
    "jq-batches": webhook("jq", 100),
    "kafka": kafka_postgres,
    "backlog": backlog,
}
