# SPDX-License-Identifier: Apache-2.0
"""Order per key, alone and in batches, on one delivery thread and on several."""
import collections
import json

from harness import Bus, Load, Sink, case, equal, in_order, nothing_lost, run, say


def bus_of(sink, http=None, **lane):
    return Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/key", "accept": ["single", "ndjson"]}},
                "out": {"http": {"url": sink.url, **(http or {})}}},
               {"r": {"from": ["in"], "deliver": {"backoff": "10ms", "probe": "20ms", **lane}, "to": ["out"]}})


def post_batches(bus, batches=20, size=50, keys=7):
    ids = []
    for b in range(batches):
        events = [{"id": f"b{b}-{i}", "key": f"k{(b * size + i) % keys}", "n": b * size + i} for i in range(size)]
        handles = bus.post("/in", "\n".join(json.dumps(e) for e in events), {"Content-Type": "application/x-ndjson"})
        equal(len(handles), size, "handles of a batch")
        ids += [e["id"] for e in events]
    return ids


@case
def per_key():
    "messages of one key arrive in the order in which they were acknowledged"
    with Sink() as sink, bus_of(sink) as bus:
        with Load(bus, rate=400, keys=5) as load:
            load.for_seconds(2)
        say(f"{len(load.sent)} of {4 * 5} keys; {nothing_lost(sink, load.sent)} duplicates; answers {dict(load.statuses)}")


@case
def batches_in():
    "a batch is accepted whole and keeps its order per key"
    with Sink() as sink, bus_of(sink) as bus:
        ids = post_batches(bus)
        sink.wait_ids(ids)
        say(f"{len(ids)} messages in {20} batches, {in_order(sink)} duplicates")


@case
def parallel():
    "`parallel: 4` keeps the order per key, also while some answers are 500"
    failing = collections.Counter()

    def now_and_then(request):
        failing[request.headers["ce-id"]] += 1
        return 500 if request.body[-3] % 7 == 0 and failing[request.headers["ce-id"]] == 1 else 200
    with Sink(now_and_then) as sink, bus_of(sink, parallel=4) as bus:
        ids = post_batches(bus, 10)
        sink.wait_ids(ids)
        bus.wait_lane("r/out", backlog=0)
        refused = len([r for r in sink.log if r.status == 500])
        say(f"{len(ids)} messages, {refused} answers of 500, {in_order(sink)} duplicates")
        assert refused > 10, refused
        equal(bus.cases(), [], "cases")


@case
def strict():
    "`order: strict` keeps the order of all, also while some answers are 500"
    tried = collections.Counter()

    def now_and_then(request):
        tried[request.headers["ce-id"]] += 1
        return 500 if request.headers["ce-id"].endswith("7") and tried[request.headers["ce-id"]] == 1 else 200
    with Sink(now_and_then) as sink, bus_of(sink, order="strict") as bus:
        ids = post_batches(bus, 4, 25)
        sink.wait_ids(ids)
        equal(sink.ids(), ids, "the order of all")
        say(f"{len(ids)} in one order, {len([r for r in sink.log if r.status == 500])} answers of 500 between them")


@case
def bodies_of_many():
    "`body: ndjson`, `array` and `cloudevents-batch` carry many messages in one request, in order per key"
    for form in ("ndjson", "array", "cloudevents-batch"):
        with Sink() as sink, bus_of(sink, {"body": form}, **{"batch": {"count": 100, "wait": "20ms"}}) as bus:
            ids = post_batches(bus, 10, keys=50)
            bus.wait_lane("r/out", delivered=len(ids), backlog=0)
            got = []
            for request in sink.taken():
                text = request.body.decode()
                events = [json.loads(line) for line in text.splitlines()] if form == "ndjson" else json.loads(text)
                got += [e["data"] if form == "cloudevents-batch" else e for e in events]
            equal(sorted(e["id"] for e in got), sorted(ids), "delivered")
            order = collections.defaultdict(list)
            for event in got:
                order[event["key"]].append(event["n"])
            assert all(numbers == sorted(numbers) for numbers in order.values()), "order per key"
            say(f"{form}: {len(got)} messages in {len(sink.log)} requests, "
                f"{sink.taken()[0].headers['content-type']}")
            assert len(sink.log) < len(ids) / 2, "not batched"


run()
