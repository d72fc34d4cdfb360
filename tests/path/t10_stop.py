# SPDX-License-Identifier: Apache-2.0
"""SIGTERM under load."""
import threading
import time

from harness import Bus, Load, Sink, case, equal, nothing_lost, run, say, until


def bus_of(sink):
    return Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/key"}},
                "out": {"http": {"url": sink.url}}},
               {"r": {"from": ["in"], "deliver": {"probe": "50ms", "backoff": "50ms"}, "to": ["out"]}})


def stop_under_load(sink, bus, before=lambda: None):
    with Load(bus, rate=400, senders=8) as load:
        sink.wait(200)
        before()
        term = time.monotonic()
        took = bus.stop()
        sent = load.stop()
    say(f"ended {took:.2f} s after SIGTERM; {len(sent)} acknowledged, {len(set(sink.ids()))} delivered until then; "
        f"answers {dict(load.statuses)}")
    assert took < 30, took
    # "cut" is a request written to a connection that was idle and closed; a request from before is answered.
    unanswered = [failure for failure in load.failed if failure[1] < term]
    equal(unanswered, [], "requests from before SIGTERM without an answer")
    after = [one for one in load.failed if "Refused" not in one[2]]
    say(f"each request from before SIGTERM was answered; of later ones {len(after)} met a closed connection")
    equal([one for one in after if "BrokenPipe" not in one[2] and "Reset" not in one[2] and "Disconnected" not in one[2]],
          [], "other ends")
    return sent


@case
def under_load():
    "every request is answered, the bus ends in time, and after the next start nothing is lost and nothing comes twice"
    with Sink() as sink, bus_of(sink) as bus:
        sent = stop_under_load(sink, bus)
        bus.start()
        duplicates = nothing_lost(sink, sent)
        bus.wait_lane("r/out", backlog=0)
        say(f"after the next start: {len(sent)} acknowledged, 0 lost, {duplicates} duplicates")
        equal(duplicates, 0, "duplicates")


@case
def with_a_slow_sink():
    "deliveries in flight are finished; at most those come twice"
    slow, gate = threading.Event(), threading.Event()

    def behave(request):
        if slow.is_set():
            gate.wait(0.2)
        return 200

    def fill():
        slow.set()
        until(lambda: bus.lane("r/out")["backlog"] > 100, "a backlog")
    with Sink(behave) as sink, bus_of(sink) as bus:
        sent = stop_under_load(sink, bus, fill)
        slow.clear()
        left = len({one.id for one in sent} - set(sink.ids()))
        bus.start()
        duplicates = nothing_lost(sink, sent)
        bus.wait_lane("r/out", backlog=0)
        say(f"{left} waited for the next start and came then; 0 lost, {duplicates} duplicates (8 connections)")
        assert left > 0, "nothing was in flight"
        assert duplicates <= 8, duplicates


@case
def with_a_dead_sink():
    "a backlog is no reason to wait: it is found again by the next start"
    with Sink() as sink, bus_of(sink) as bus:
        def die():
            sink.refuse()
            until(lambda: bus.lane("r/out")["backlog"] > 100, "a backlog")
        sent = stop_under_load(sink, bus, die)
        held = len(set(sink.ids()))
        sink.listen()
        bus.start()
        duplicates = nothing_lost(sink, sent)
        say(f"{held} before, {len(sent)} in the end: 0 lost, {duplicates} duplicates")


run()
