# SPDX-License-Identifier: Apache-2.0
"""A destination that refuses connections, or every message, for a while under load (XYLEM_PATH_OUTAGE seconds)."""
import time

from harness import OUTAGE, Bus, Load, Sink, case, describe, equal, in_order, longest_pause, nothing_lost, run, say, until

FAST = {"probe": "100ms", "backoff": "50ms", "backoff_max": "1s"}


def bus_of(sick, well):
    return Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/key"}},
                "sick": {"http": {"url": sick.url}}, "well": {"http": {"url": well.url}}},
               {"r": {"from": ["in"], "deliver": FAST, "to": ["sick", "well"]}})


def backlog(bus, lane):
    return bus.lane(lane)["backlog"]


def outage(begin, end, condition):
    """A load before, during and after; what the issue asks for is printed and checked."""
    with Sink() as sick, Sink() as well, bus_of(sick, well) as bus:
        with Load(bus, rate=150) as load:
            marks = [time.monotonic()]
            load.for_seconds(3)
            before = backlog(bus, "r/sick"), backlog(bus, "r/well")
            marks.append(time.monotonic())
            begin(sick)
            state = until(lambda: (lambda lane: lane if lane["state"] == condition else None)(bus.lane("r/sick")),
                          lambda: f"r/sick {condition}; it is {bus.lane('r/sick')}")
            say(f"lane r/sick: {state['state']}: {state['why']}")
            load.for_seconds(max(0, OUTAGE - (time.monotonic() - marks[1])))
            during = backlog(bus, "r/sick"), backlog(bus, "r/well")
            well.wait_ids([one.id for one in list(load.sent)])
            say("what was acknowledged so far is at r/well")
            status = bus.get("bus")["lanes"]
            say(f"status of the bus: {status[condition]} lane {condition}")
            marks.append(time.monotonic())
            end(sick)
            until(lambda: backlog(bus, "r/sick") < 50, "r/sick catches up by itself, under load")
            say(f"caught up {time.monotonic() - marks[2]:.2f} s after the end of the outage")
            caught = time.monotonic()
            load.for_seconds(2)
            after = backlog(bus, "r/sick"), backlog(bus, "r/well")
            marks.append(time.monotonic())
            sent = load.stop()
        duplicates = nothing_lost(sick, sent), nothing_lost(well, sent)
        bus.wait_lane("r/sick", backlog=0)
        names = "before", "during", "after"
        logs = [before, during, after]
        for i, name in enumerate(names):
            for j, (lane, sink) in enumerate((("r/sick", sick), ("r/well", well))):
                say(f"{name:6} {lane}: {describe(sink, sent, marks[i], marks[i + 1])}; backlog {logs[i][j]}")
        pause = longest_pause(well, marks[1], caught)
        say(f"{len(sent)} acknowledged, 0 lost, duplicates {duplicates}, longest pause of r/well {pause * 1000:.0f} ms; "
            f"answers {dict(load.statuses)}; attempts at r/sick {len(sick.log)}")
        equal(set(load.statuses), {202}, "answers")
        equal(bus.cases(), [], "cases")
        assert during[0] > 50, f"there was no load: backlog {during[0]}"
        in_order(sick)
        in_order(well)


@case
def refused_connections():
    "a sink that refuses connections holds up its own lane only, and the lane catches up by itself"
    outage(lambda sink: sink.refuse(), lambda sink: sink.listen(), "down")


@case
def refused_credentials():
    "401 to everything is an alarm and no case, and the lane resumes by itself"
    def begin(sink):
        sink.behave = lambda request: 401

    def end(sink):
        sink.behave = lambda request: 200
    outage(begin, end, "misconfigured")


run()
