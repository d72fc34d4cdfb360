# SPDX-License-Identifier: Apache-2.0
"""What lanes and routes can be told: expiry, pause, where, topics, unrouted, alerts."""
import json

from harness import Bus, Sink, case, equal, run, say, until

IN = {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/key", "type": "/data/type"}}


def post(bus, *ids, **more):
    return [bus.post("/in", json.dumps({"id": i, "key": i, "type": "t", **more}))[0] for i in ids]


def bus_of(sink, route=None, **sections):
    return Bus({"in": IN, "out": {"http": {"url": sink.url}}},
               {"r": {"from": ["in"], "deliver": {"probe": "30ms", "backoff": "10ms", "backoff_max": "200ms"},
                      "to": ["out"], **(route or {})}}, **sections)


def outcome(bus, handle, lane):
    rows = [row for row in bus.get(f"messages/{handle}")["lanes"] if row["lane"] == lane]
    return rows[0]["outcome"] if rows else None


@case
def expired():
    "what is older than `expire` is settled as expired, and a later message arrives"
    with Sink() as sink:
        sink.refuse()
        with bus_of(sink, {"deliver": {"expire": "300ms", "probe": "30ms", "backoff": "10ms", "backoff_max": "100ms"}}) as bus:
            handle, = post(bus, "old")
            lane = bus.wait_lane("r/out", expired=1, backlog=0)
            say(f"{lane['expired']} expired")
            until(lambda: outcome(bus, handle, "r/out") == "expired", "the outcome in the trace")
            sink.listen()
            until(lambda: post(bus, "new") and "new" in sink.ids(), "a later message")
            assert "old" not in sink.ids()


@case
def paused():
    "a paused lane stays paused over a restart, takes nothing up, and goes on when it is resumed"
    with Sink() as sink, bus_of(sink) as bus:
        post(bus, "a")
        sink.wait_ids(["a"])
        bus.do("lanes/r/out/pause")
        post(bus, "b", "c")
        say(bus.wait_lane("r/out", state="paused", backlog=2)["state"])
        bus.stop()
        bus.start()
        post(bus, "d")
        lane = bus.wait_lane("r/out", state="paused", backlog=3)
        equal(lane["why"], "paused by admin", "why")
        equal(sink.ids(), ["a"], "delivered while paused")
        bus.do("lanes/r/out/resume")
        sink.wait_ids(["b", "c", "d"])
        bus.wait_lane("r/out", backlog=0)
        equal(sorted(sink.ids()), ["a", "b", "c", "d"], "delivered")


@case
def where_and_filtered():
    "`where` takes some messages, the others are unrouted and counted"
    with Sink() as sink, bus_of(sink, {"where": '.type == "wanted"'}) as bus:
        first, = post(bus, "a", type="wanted")
        second, = post(bus, "b", type="other")
        sink.wait_ids(["a"])
        until(lambda: "unrouted" in json.dumps(bus.get(f"messages/{second}")["lanes"]), "unrouted in the trace")
        metric = [line for line in bus.ask("GET", "/metrics").body.decode().splitlines()
                  if line.startswith("xylem_messages_unrouted_total")]
        say("\n".join(metric))
        equal(metric, ["xylem_messages_unrouted_total 1"], "metric")
        equal(sink.ids(), ["a"], "delivered")


@case
def unrouted_to_the_hospital():
    "`unrouted: hospital` makes a case of what no route takes"
    with Sink() as sink, bus_of(sink, {"where": '.type == "wanted"'}, bus={"unrouted": "hospital"}) as bus:
        post(bus, "b")
        one, = bus.wait_cases(1)
        say(f"{one['code']}: {one['reason']}")


@case
def topic_chain():
    "a topic between two routes carries the message on, with a step in each"
    with Sink() as sink:
        bus = Bus({"in": IN, "out": {"http": {"url": sink.url}}},
                  {"first": {"from": ["in"], "steps": [{"set": {"/data/first": 1}}], "to": ["topic:orders"]},
                   "second": {"from": ["topic:orders"], "steps": [{"set": {"/data/second": 2.50}}], "to": ["out"]}},
                  topics={"orders": {"title": "Orders"}})
        with bus:
            handles = post(bus, "a", "b", "c")
            requests = sink.wait(3)
            say(requests[0].body.decode())
            for request in requests:
                event = json.loads(request.body)
                equal((event["first"], event["second"]), (1, 2.5), "what the steps set")
            for name in ("first/topic:orders", "second/out"):
                equal(bus.wait_lane(name, backlog=0, delivered=3)["delivered"], 3, name)
            shown = until(lambda: (lambda m: m if m["derived"] else None)(bus.get(f"messages/{handles[0]}")), "the derived one")
            say("derived: " + json.dumps(shown["derived"]))


@case
def hospital_alerts():
    "a new case is told to the topic of hospital.alerts"
    with Sink(lambda request: 422) as sink, Sink() as desk:
        bus = Bus({"in": IN, "out": {"http": {"url": sink.url}}, "desk": {"http": {"url": desk.url, "body": "cloudevents"}}},
                  {"r": {"from": ["in"], "to": ["out"]}, "alarm": {"from": ["topic:alerts"], "to": ["desk"]}},
                  topics={"alerts": {}}, hospital={"alerts": "alerts"})
        with bus:
            post(bus, "a")
            bus.wait_cases(1)
            alert = json.loads(desk.wait(1)[0].body)
            say(json.dumps(alert))
            assert "422" in json.dumps(alert), "the reason is not in it"


@case
def stopped_by_a_case():
    "`on_case: stop` stops the lane at the first case until it is resumed, also over a restart"
    with Sink(lambda request: 422 if request.headers["ce-id"] == "bad" else 200) as sink, \
            bus_of(sink, {"deliver": {"on_case": "stop", "order": "strict"}}) as bus:
        post(bus, "a", "bad", "c")
        lane = bus.wait_lane("r/out", state="stopped")
        say(f"{lane['state']}: {lane['why']}")
        bus.stop()
        bus.start()
        # A restart keeps it as a pause, with its reason: nobody resumed it.
        after = bus.wait_lane("r/out", state="paused")
        say(f"after a restart: {after['state']}: {after['why']}")
        equal(after["why"], lane["why"], "why")
        equal(sink.ids(), ["a"], "delivered")
        bus.do("lanes/r/out/resume")
        sink.wait_ids(["a", "c"])


run()
