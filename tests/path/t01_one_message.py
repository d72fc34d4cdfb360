# SPDX-License-Identifier: Apache-2.0
"""One message from a webhook to its destinations."""
import json

from harness import Bus, Sink, case, equal, needs, run, say, until

BODY = b'{ "id" : "order-1",\t"total": 19.90, "name": "J\xc3\xb6rg" }\n'


@case
def webhook_to_http():
    "a message goes from a webhook to an HTTP endpoint, byte for byte, and its trace says so"
    with Sink() as sink, Bus({"in": {"webhook": {"path": "/in", "id": "/data/id"}},
                              "out": {"http": {"url": sink.url}}},
                             {"r": {"from": ["in"], "to": ["out"]}}) as bus:
        handle, = bus.post("/in", BODY)
        request, = sink.wait(1)
        equal(request.body, BODY, "data")
        equal(request.headers["ce-id"], "order-1", "ce-id")
        equal(request.headers["ce-type"], "in.received", "ce-type")
        equal(request.headers["content-type"], "application/json", "content type")
        lane = bus.wait_lane("r/out", delivered=1, backlog=0)
        say(f"handle {handle}; lane r/out: {lane['state']}, {lane['delivered']} delivered")
        shown = until(lambda: (lambda m: m if "delivered" in json.dumps(m) else None)(bus.get(f"messages/{handle}")),
                      "the outcome in the trace")
        say(json.dumps(shown)[:600])
        raw = bus.ask("GET", f"/api/v1/messages/{handle}/data")
        equal((raw.status, raw.body), (200, BODY), "data over REST")
        equal(bus.ready().status, 200, "/readyz")


@case
def webhook_to_file():
    "a message goes from a webhook to a file and to an HTTP endpoint"
    needs("file")
    with Sink() as sink, Bus({"in": {"webhook": {"path": "/in", "id": "/data/id"}}}, {}) as bus:
        target = bus.folder / "out.ndjson"
        bus.connectors["out"] = {"http": {"url": sink.url}}
        bus.connectors["disk"] = {"file": {"path": str(target)}}
        bus.routes["r"] = {"from": ["in"], "to": ["out", "disk"]}
        bus.write()
        equal(bus.reload(), True, "reload")
        bus.post("/in", b'{"id":"1","price":19.99}')
        sink.wait(1)
        until(lambda: target.exists() and target.read_bytes().endswith(b"\n"), "a line in the file")
        say(target.read_text())
        assert "19.99" in target.read_text()


@case
def a_destination_is_not_read_back():
    "a file that only routes write to takes nothing in; when a route reads it, it does; and no more when none does"
    needs("file")
    with Sink() as sink, Bus({"in": {"webhook": {"path": "/in", "id": "/data/id"}}, "out": {"http": {"url": sink.url}}}, {}) as bus:
        bus.connectors["disk"] = {"file": {"path": str(bus.folder / "out.ndjson")}}
        bus.routes["write"] = {"from": ["in"], "to": ["disk"]}
        bus.write()
        equal(bus.reload(), True, "reload")
        sources = lambda: {c["name"]: c["source"] for c in bus.get("connectors")["connectors"]}  # noqa: E731
        equal(sources(), {"in": True, "out": False, "disk": False}, "sources")
        bus.post("/in", b'{"id":"1"}')
        bus.wait_lane("write/disk", delivered=1, backlog=0)
        bus.routes["read"] = {"from": ["disk"], "where": '.id == "1"', "to": ["out"]}
        bus.write()
        equal(bus.reload(), True, "reload")
        equal(sources()["disk"], True, "disk is a source")
        equal(sink.wait(1)[0].headers["ce-id"], "1", "what was written is read")
        del bus.routes["read"]
        bus.write()
        equal(bus.reload(), True, "reload")
        equal(sources()["disk"], False, "disk is a source")


@case
def found_after_a_restart():
    "a message that nobody took before a stop is delivered after the next start, once"
    with Sink() as sink:
        sink.refuse()
        bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id"}}, "out": {"http": {"url": sink.url}}},
                  {"r": {"from": ["in"], "deliver": {"probe": "50ms"}, "to": ["out"]}})
        with bus:
            bus.post("/in", BODY)
            took = bus.stop()
            say(f"stopped in {took:.2f} s")
            sink.listen()
            bus.start()
            sink.wait(1)
            bus.wait_lane("r/out", backlog=0)
            bus.stop()
            bus.start()
            bus.wait_lane("r/out", backlog=0, in_flight=0)
            equal(sink.ids(), ["order-1"], "delivered")


run()
