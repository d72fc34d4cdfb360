# SPDX-License-Identifier: Apache-2.0
"""What cannot be delivered becomes a case; what else there is flows on."""
import json
import os
import re
import subprocess

from harness import XYLEMD, Bus, Sink, case, equal, needs, run, say, until

XYLEMCTL = os.environ.get("XYLEMCTL", os.path.join(os.path.dirname(XYLEMD), "../../console/ctl/xylemctl"))

IN = {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/key"}}
FAST = {"backoff": "10ms", "backoff_max": "100ms", "probe": "50ms", "attempts": 4}


def answers(wrong):
    """A behaviour: what wrong() says of the event's id, else 200."""
    return lambda request: wrong(request.headers.get("ce-id"), request) or 200


def bus_of(sink, steps=None, also=(), **lane):
    connectors = {"in": IN, "out": {"http": {"url": sink.url}}}
    for i, other in enumerate(also):
        connectors[f"out{i + 2}"] = {"http": {"url": other.url}}
    route = {"from": ["in"], "deliver": {**FAST, **lane}, "to": [name for name in connectors if name != "in"]}
    if steps:
        route["steps"] = steps
    return Bus(connectors, {"r": route})


def send(bus, count, start=0, **more):
    for n in range(start, start + count):
        bus.post("/in", json.dumps({"id": f"m{n}", "key": f"k{n % 3}", "n": n, **more}))
    return [f"m{n}" for n in range(start, start + count)]


@case
def refused_by_400():
    "400 to one message: one case at once, the rest flow; edited and replayed through REST it arrives"
    with Sink(answers(lambda i, request: 400 if i == "m5" and b'"fixed"' not in request.body else 0)) as sink, \
            bus_of(sink) as bus:
        ids = send(bus, 20)
        sink.wait_ids(set(ids) - {"m5"})
        one, = bus.wait_cases(1)
        say("case: " + json.dumps(one))
        bus.wait_lane("r/out", backlog=0, hospitalised=1)
        number = one["case"]
        whole = bus.get(f"hospital/cases/{number}")
        say("detail: " + json.dumps(whole)[:900])
        equal(len([r for r in sink.log if r.headers.get("ce-id") == "m5"]), 1, "attempts")
        bus.do(f"hospital/cases/{number}/draft",
               f'{{"version": {whole["version"]}, "data": {{"id":"m5","key":"k2","n":5,"fixed":19.990}}}}')
        whole = bus.get(f"hospital/cases/{number}")
        bus.do(f"hospital/cases/{number}/replay", {"version": whole["version"]})
        got = until(lambda: [r for r in sink.taken() if b'"fixed":19.990' in r.body], "the edited message")
        say("edited one arrived as " + json.dumps({n: v for n, v in got[0].headers.items() if n.startswith("ce-")}))
        bus.wait_cases(0)
        say("case after: " + json.dumps(bus.get(f"hospital/cases/{number}"))[:500])
        # An edited message is another message: a new id that names the first.
        assert got[0].headers["ce-id"] != "m5"
        equal(got[0].headers.get("ce-causationid"), "m5", "causationid")


@case
def replayed_as_it_is():
    "a case replayed unedited keeps its id and is resolved; failing again reopens the same case"
    broken = [True]
    with Sink(answers(lambda i, request: 422 if i == "m1" and broken[0] else 0)) as sink, bus_of(sink) as bus:
        send(bus, 3)
        one, = bus.wait_cases(1)
        number = one["case"]
        bus.do(f"hospital/cases/{number}/replay", {"version": bus.get(f"hospital/cases/{number}")["version"]})
        until(lambda: len([r for r in sink.log if r.headers.get("ce-id") == "m1"]) == 2, "the second attempt")
        again = until(lambda: [c for c in bus.cases() if c["state"] == "open"], "open again")
        equal(again[0]["case"], number, "the same case")
        broken[0] = False
        bus.do(f"hospital/cases/{number}/replay", {"version": bus.get(f"hospital/cases/{number}")["version"]})
        sink.wait_ids(["m0", "m1", "m2"])
        bus.wait_cases(0)
        say("sink took " + ", ".join(sink.ids()))
        # Two people with the same version: the second is refused.
        refused = bus.ask("POST", f"/api/v1/hospital/cases/{number}/replay", {"version": 1})
        equal(refused.status, 409, "an old version")
        say(f"old version: {refused}")


@case
def for_ever_500():
    "500 to one message for ever: a case after its attempts, the rest flow"
    with Sink(answers(lambda i, request: 500 if i == "m5" else 0)) as sink, bus_of(sink) as bus:
        ids = send(bus, 20)
        sink.wait_ids(set(ids) - {"m5"})
        one, = bus.wait_cases(1)
        tried = len([r for r in sink.log if r.headers.get("ce-id") == "m5"])
        say(f"{tried} attempts; case: " + json.dumps(one))
        equal(tried, FAST["attempts"], "attempts")
        bus.wait_lane("r/out", backlog=0, state="idle")


@case
def failing_step():
    "a message that fails in a step is one case of its route, for all destinations"
    needs("jq")
    with Sink() as sink, Sink() as second, \
            bus_of(sink, [{"jq": "{id: .data.id, key: .data.key, n: (.data.n + 1)}"}], also=[second]) as bus:
        send(bus, 2)
        bus.post("/in", b'{"id":"bad","key":"k0","n":{"not":"a number"}}')
        send(bus, 3, start=2)
        for one in (sink, second):
            one.wait_ids(["m0", "m1", "m2", "m3", "m4"])
        one, = bus.wait_cases(1)
        say("case: " + json.dumps(one))
        for lane in ("r/out", "r/out2"):
            say(f"{lane}: {bus.wait_lane(lane, backlog=0, hospitalised=1)['hospitalised']} hospitalised")
        equal([i for i in sink.ids() + second.ids() if i == "bad"], [], "delivered")


def shown(bus, *words):
    done = subprocess.run([XYLEMCTL, "--data-folder", str(bus.data), *words], capture_output=True, text=True, check=False)
    equal(done.returncode, 0, f"exit code of {words}: {done.stderr}")
    return done.stdout


@case
def stages_have_one_number():
    "a stage has the same number in a case, its replays, its history, `stages` and xylemctl: 0 where, 1 the first step"
    steps = [{"set": {"/data/seen": True}}, {"validate": {"schema": "s.json"}}]
    with Sink(answers(lambda i, request: 422 if i == "m1" else 0)) as sink:
        bus = bus_of(sink, steps)
        (bus.folder / "s.json").write_text('{"properties": {"n": {"maximum": 1}}}')
        with bus:
            send(bus, 3)  # m1 is refused by the sink, m2 by the second step
            found = {c["id"]: c for c in bus.wait_cases(2)}
            equal([(found[i]["stage"], found[i]["step"]) for i in ("m1", "m2")], [("deliver", 3), ("step 2 validate", 2)], "steps")
            of_route, = bus.get(f"messages/{found['m2']['handle']}/stages")["routes"]
            equal([(stage["stage"], stage["step"]) for stage in of_route["stages"]], [("where", 0), ("step 1 set", 1)], "stages")
            equal((of_route["failure"]["stage"], of_route["failure"]["step"]), ("step 2 validate", 2), "where it fails")
            for name, begins in (("step", 2), ("start", 1)):
                number = found["m2"]["case"]
                bus.do(f"hospital/cases/{number}/replay", {"version": bus.get(f"hospital/cases/{number}")["version"], "from": name})
                until(lambda: bus.get(f"hospital/cases/{number}")["state"] == "open", "failed again")
                whole = bus.get(f"hospital/cases/{number}")
                equal((whole["step"], whole["replays"][-1]["step"]), (2, begins), f"a replay from {name}")
                told = [note["text"] for note in whole["history"] if note["kind"] == "replay"]
                assert f"from stage {begins} " in told[-1], told
            text = shown(bus, "hospital", "show", str(number))
            say(text)
            # A replay's outcome stands in columns, a line for each lane, and not as one long cell.
            lines = text.split("replays:\n")[1].splitlines()[:3]
            equal(lines[0].split(), "REPLAY STEP EDITED WHO TIME MESSAGE DESTINATION OUTCOME SETTLED CODE REASON".split(), "columns")
            for line, begins in zip(lines[1:], "21"):
                assert re.match(rf" +\d  +{begins}  no .* out +hospitalised .* schema +/n: ", line), line
            assert "[{" not in text and "destination=" not in text, text


@case
def one_destination_only():
    "a message that one destination refuses is a case of that lane; the other has it"
    with Sink(answers(lambda i, request: 422 if i == "m1" else 0)) as sink, Sink() as second, \
            bus_of(sink, also=[second]) as bus:
        ids = send(bus, 4)
        second.wait_ids(ids)
        one, = bus.wait_cases(1)
        say("case: " + json.dumps(one))
        equal(bus.wait_lane("r/out2", backlog=0)["hospitalised"], 0, "cases of the other lane")


@case
def key_of_a_case():
    "on_case: continue lets later messages of the key pass; hold_key keeps them behind the case"
    for way in ("continue", "hold_key"):
        with Sink(answers(lambda i, request: 422 if i == "m1" and b'"fixed"' not in request.body else 0)) as sink, \
                bus_of(sink, on_case=way) as bus:
            send(bus, 9)
            one, = bus.wait_cases(1)
            others = {f"m{n}" for n in range(9) if n % 3 != 1}
            sink.wait_ids(others | {"m4", "m7"} if way == "continue" else others)
            lane = bus.wait_lane("r/out", in_flight=0)
            say(f"{way}: taken {sorted(set(sink.ids()))}; blocked keys {lane['blocked_keys']}, state {lane['state']}")
            if way == "hold_key":
                assert not {"m4", "m7"} & set(sink.ids()), "a held key passed"
                equal(lane["blocked_keys"], 1, "blocked keys")


def held(sink, bus):
    """Nine messages of three keys of which m1 is a case; its version."""
    send(bus, 9)
    bus.wait_cases(1)
    sink.wait_ids({f"m{n}" for n in range(9) if n % 3 != 1})
    return bus.get("hospital/cases/1")["version"]


@case
def held_key_let_go():
    "a held key goes on, in order, when its case is discarded or its replay arrives, also after a restart"
    for way in ("discard", "replay"):
        broken = [True]
        with Sink(answers(lambda i, request: 422 if i == "m1" and broken[0] else 0)) as sink, \
                bus_of(sink, on_case="hold_key") as bus:
            version = held(sink, bus)
            bus.stop()
            bus.start()
            send(bus, 3, start=9)
            sink.wait_ids({"m9", "m11"})
            lane = bus.wait_lane("r/out", in_flight=0, blocked_keys=1)
            say(f"after the restart: blocked keys {lane['blocked_keys']}, backlog {lane['backlog']}")
            assert not {"m4", "m7", "m10"} & set(sink.ids()), "a held key passed"
            broken[0] = False
            bus.do(f"hospital/cases/1/{way}", {"version": version})
            sink.wait_ids({"m4", "m7", "m10"})
            bus.wait_lane("r/out", backlog=0, blocked_keys=0)
            of_key = [i for i in sink.ids() if i in ("m1", "m4", "m7", "m10")]
            say(f"{way}: the key's messages came as {of_key}")
            equal(of_key, ([] if way == "discard" else ["m1"]) + ["m4", "m7", "m10"], "order")


run()
