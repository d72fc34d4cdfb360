# SPDX-License-Identifier: Apache-2.0
"""The configuration swapped under load: all or nothing, nothing lost, no lane without progress for a second."""
import contextlib
import sqlite3
import time

from harness import Bus, Load, Sink, case, describe, equal, in_order, longest_pause, nothing_lost, run, say, until


@case
def under_load():
    "a route added, one changed, one removed under load: nothing lost, no lane without progress for 1 s"
    with Sink() as stays, Sink() as changes, Sink() as goes, Sink() as comes:
        goes_route = {"from": ["in"], "deliver": {"probe": "100ms", "backoff": "50ms", "backoff_max": "200ms"}, "to": ["goes"]}
        bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/key"}},
                   **{name: {"http": {"url": sink.url}}
                      for name, sink in (("stays", stays), ("changes", changes), ("goes", goes), ("comes", comes))}},
                  {"stays": {"from": ["in"], "to": ["stays"]},
                   "changes": {"from": ["in"], "to": ["changes"]},
                   "goes": dict(goes_route)})
        with bus, Load(bus, rate=150) as load:
            stays.wait(100)
            # The removed one has a backlog when it goes.
            goes.refuse()
            until(lambda: bus.lane("goes/goes")["backlog"] > 20, "a backlog")
            began = time.monotonic()
            bus.routes["changes"]["steps"] = [{"set": {"/data/changed": True}}]
            bus.routes["comes"] = {"from": ["in"], "to": ["comes"]}
            del bus.routes["goes"]
            bus.write()
            equal(bus.reload(), True, "taken")
            say(f"reload took {time.monotonic() - began:.3f} s: {bus.log_line('generation')[-1]}")
            retired = bus.wait_lane("goes/goes", state="retired")
            say(f"goes/goes: {retired['state']}, backlog {retired['backlog']}")
            assert retired["backlog"] > 0, retired
            comes.wait(50)
            until(lambda: b'"changed":true' in changes.taken()[-1].body, "the changed route")
            # A broken file leaves the old one running.
            bus.routes["comes"]["wher"] = "true"
            bus.write()
            equal(bus.reload(), False, "taken")
            say("\n".join(bus.log_line("reload: .*(wher|refused)")))
            had = len(comes.taken())
            comes.wait(had + 50)
            del bus.routes["comes"]["wher"]
            # The name again brings the backlog back.
            bus.routes["goes"] = dict(goes_route)
            bus.write()
            goes.listen()
            equal(bus.reload(), True, "taken")
            until(lambda: bus.lane("goes/goes")["state"] != "retired", "goes/goes is back")
            until(lambda: bus.lane("goes/goes")["backlog"] < 50, "its backlog is delivered")
            say(f"goes/goes: back, {len(goes.taken())} delivered")
            ended = time.monotonic()
            sent = load.stop()
            duplicates = [nothing_lost(sink, sent) for sink in (stays, changes)]
            equal(set(load.statuses), {202}, "answers")
            for sink in (comes, goes):
                in_order(sink)
            first = comes.taken()[0].headers["ce-id"]
            from_there = [one for one in sent if one.time > [s.time for s in sent if s.id == first][0] + 0.5]
            comes.wait_ids([one.id for one in from_there])
            pauses = {name: longest_pause(sink, began, ended) for name, sink in (("stays", stays), ("changes", changes))}
            say(f"{len(sent)} acknowledged, 0 lost on stays and changes, duplicates {duplicates}; longest pause "
                + ", ".join(f"{name} {pause * 1000:.0f} ms" for name, pause in pauses.items()))
            say(f"stays: {describe(stays, sent, began, ended)}")
            for name, pause in pauses.items():
                assert pause < 1, f"{name} made no progress for {pause:.2f} s"
            # What was retired kept its place: nothing of the removed route's own time is missing.
            goes.wait_ids([one.id for one in sent])


@case
def dropped_by_an_operator():
    "a retired lane's backlog is dropped by an operator through REST; a running lane is not"
    with Sink() as sink, Sink() as other:
        sink.refuse()
        bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id"}}, "out": {"http": {"url": sink.url}},
                   "other": {"http": {"url": other.url}}},
                  {"old": {"from": ["in"], "to": ["out"]}, "new": {"from": ["in"], "to": ["other"]}})
        with bus:
            for n in range(10):
                bus.post("/in", f'{{"id":"m{n}"}}')
            refused = bus.ask("POST", "/api/v1/lanes/old/out/drop", {})
            say(f"while it runs: {refused}")
            equal(refused.status, 409, "dropping a running lane")
            del bus.routes["old"]
            bus.write()
            equal(bus.reload(), True, "taken")
            lane = bus.wait_lane("old/out", state="retired", backlog=10)
            say(f"{lane['lane']}: {lane['state']}, backlog {lane['backlog']}")
            bus.do("lanes/old/out/drop")
            until(lambda: bus.lane("old/out") is None, "gone")
            say("dropped: " + bus.log_line("dropped")[-1])
            # Another life under the name begins at the end.
            bus.routes["old"] = {"from": ["in"], "to": ["out"]}
            sink.listen()
            bus.write()
            equal(bus.reload(), True, "taken")
            bus.post("/in", '{"id":"after"}')
            sink.wait_ids(["after"])
            equal(sink.ids(), ["after"], "delivered")


@case
def connectors_changed():
    "source and sink changed under load, ten times: each request is answered with 202 or 503, nothing is lost"
    with Sink() as sink:
        bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/key"}},
                   "out": {"http": {"url": sink.url}}},
                  {"r": {"from": ["in"], "deliver": {"backoff": "20ms", "probe": "50ms"}, "to": ["out"]}})
        with bus, Load(bus, rate=200) as load:
            sink.wait(50)
            began = time.monotonic()
            for i in range(10):
                bus.connectors["in"]["webhook"]["max_body"] = f"{i + 1}MiB"
                bus.connectors["out"]["http"]["connections"] = i + 1
                bus.write()
                equal(bus.reload(), True, "taken")
                had = len(sink.taken())
                sink.wait(had + 20)
            ended = time.monotonic()
            sent = load.stop()
            duplicates = nothing_lost(sink, sent)
            say(f"{len(sent)} acknowledged, 0 lost, {duplicates} duplicates; answers {dict(load.statuses)}; "
                f"longest pause {longest_pause(sink, began, ended) * 1000:.0f} ms")
            for failure in load.failed[:3]:
                say(str(failure))
            assert set(load.statuses) <= {202, 503}, load.statuses
            equal(bus.cases(), [], "cases")


@case
def needs_a_restart():
    "what only a start reads is refused by name or said, each time, and the bus goes on"
    with Sink() as sink:
        bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/id"}}, "out": {"http": {"url": sink.url}}},
                  {"r": {"from": ["in"], "to": ["out"]}}, journal={"max": "256MiB"}, bus={"max_message": "64KiB"})
        with bus:
            had = bus.sections["journal"]
            bus.sections["journal"] = {"max": "257MiB"}
            bus.write()
            for _ in range(2):
                answer = bus.ask("POST", "/api/v1/config/reload", {})
                say(f"journal.max: {answer}")
                equal(answer.status, 409, "the journal's options")
                assert "journal cannot change while the bus runs" in answer.body.decode(), answer.body
            equal(bus.reload(), False, "taken")
            bus.sections["journal"] = had
            bus.sections["bus"]["max_message"] = "32KiB"
            bus.sections["hospital"] = {"max": {"cases": 7}}
            bus.write()
            answer = bus.do("config/reload")
            say(f"max_message, hospital.max.cases: {answer}")
            equal([[word for word in ("max_message", "max.cases") if word in one["detail"]] for one in answer["warnings"]],
                  [["max_message"], ["max.cases"]], "what is said")
            equal(bus.reload(), True, "taken")
            bus.post("/in", '{"id":"after"}')
            sink.wait_ids(["after"])


@case
def refused_late():
    "a reload that cannot write the row of its second lane leaves nothing of the first; the next one makes both"
    with Sink() as sink:
        bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/id"}},
                   **{name: {"http": {"url": sink.url}} for name in ("out", "one", "two")}},
                  {"r": {"from": ["in"], "to": ["out"]}})
        with bus:
            bus.post("/in", '{"id":"before"}')
            sink.wait_ids(["before"])
            bus.routes["late"] = {"from": ["in"], "to": ["one", "two"]}
            bus.write()
            with contextlib.closing(sqlite3.connect(bus.data / "catalogue.db", timeout=20)) as catalogue:
                with catalogue:
                    catalogue.execute("CREATE TRIGGER no_lane BEFORE INSERT ON lanes WHEN new.destination = 'two' "
                                      "BEGIN SELECT RAISE(ABORT, 'no'); END")
                answer = bus.ask("POST", "/api/v1/config/reload", {})
                say(f"refused: {answer}")
                equal(answer.status, 409, "the row cannot be written")
                with catalogue:
                    catalogue.execute("DROP TRIGGER no_lane")
            equal([bus.lane(name) for name in ("late/one", "late/two")], [None, None], "lanes of what was refused")
            bus.post("/in", '{"id":"meanwhile"}')
            sink.wait_ids(["before", "meanwhile"])
            equal(bus.reload(), True, "taken")
            bus.post("/in", '{"id":"after"}')
            bus.wait_lane("late/one", backlog=0, delivered=1)
            bus.wait_lane("late/two", backlog=0, delivered=1)


@case
def cannot_start():
    "a lane that cannot start says so and why, whoever resumes it, and the next reload starts it where it was"
    with Sink() as sink:
        bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/id"}},
                   **{name: {"http": {"url": sink.url}} for name in ("out", "other")}},
                  {"r": {"from": ["in"], "to": ["out"]}, "s": {"from": ["in"], "to": ["other"]}})
        with bus:
            route = bus.routes.pop("r")
            bus.write()
            equal(bus.reload(), True, "taken")
            bus.wait_lane("r/out", state="retired")
            bus.routes["r"] = route
            bus.write()
            with contextlib.closing(sqlite3.connect(bus.data / "catalogue.db", timeout=20)) as catalogue:
                with catalogue:
                    catalogue.execute("CREATE TRIGGER no_return BEFORE UPDATE OF retired ON lanes "
                                      "BEGIN SELECT RAISE(ABORT, 'no'); END")
                equal(bus.reload(), True, "taken")
                lane = bus.wait_lane("r/out", state="stopped")
                say(f"{lane['lane']}: {lane['state']}: {lane['why']}")
                assert lane["why"].startswith("it cannot start: catalogue: no"), lane
                equal(len(bus.log_line("r/out: stopped: it cannot start")), 1, "said once")
                bus.do("lanes/r/out/resume")
                equal(bus.lane("r/out")["state"], "stopped", "resumed")
                equal(bus.ask("POST", "/api/v1/lanes/r/out/drop", {}).status, 409, "it is in the configuration")
                with catalogue:
                    catalogue.execute("DROP TRIGGER no_return")
            bus.post("/in", '{"id":"waits"}')
            sink.wait_ids(["waits"])
            equal(bus.reload(), True, "taken")
            bus.wait_lane("r/out", backlog=0, delivered=1)


run()
