# SPDX-License-Identifier: Apache-2.0
"""A journal that is full of what nobody takes."""
import json

from harness import Bus, Load, Sink, case, equal, nothing_lost, run, say, until


@case
def journal_max():
    "with a dead sink and a small journal.max the sources get 503 and Retry-After, and nothing is lost after it"
    with Sink() as sink:
        sink.refuse()
        bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id", "key": "/data/key"}},
                   "out": {"http": {"url": sink.url}}},
                  {"r": {"from": ["in"], "deliver": {"probe": "100ms", "backoff_max": "500ms"}, "to": ["out"]}},
                  bus={"max_message": "64KiB"},
                  journal={"segment": "1MiB", "max": "4MiB", "reserve": "1MiB", "retain": {"bytes": "1MiB"}})
        pad = "x" * 20000
        with bus, Load(bus, rate=200, body=lambda i, key, n: json.dumps({"id": i, "key": key, "n": n, "pad": pad})) as load:
            until(lambda: load.refused > 20, lambda: f"503; there were {dict(load.statuses)}")
            state = bus.get("bus")["journal"]
            say(f"held after {len(load.sent)} messages: {state['unreleased_bytes']} of {state['hold_bytes']} bytes unsettled; "
                f"{load.refused} answers of 503, Retry-After {dict(load.retry_after)}")
            equal(set(load.retry_after), {"1"}, "Retry-After of each 503")
            say(bus.wait_log("journal.max is reached")[-1])
            had = len(load.sent)
            sink.listen()
            until(lambda: len(load.sent) > had + 100, "it takes messages again")
            say(bus.wait_log("there is room again")[-1])
            sent = load.stop()
            duplicates = nothing_lost(sink, sent)
            bus.wait_lane("r/out", backlog=0)
            say(f"{len(sent)} acknowledged, 0 lost, {duplicates} duplicates; answers {dict(load.statuses)}")
            equal(set(load.statuses), {202, 503}, "answers")
            equal(bus.cases(), [], "cases")


@case
def overflow_of_a_lane():
    "`overflow: drop` and `hospital` with a max_backlog move the oldest out of the way; the sources are not held"
    for way in ("drop", "hospital"):
        with Sink() as sink:
            sink.refuse()
            bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id"}}, "out": {"http": {"url": sink.url}}},
                      {"r": {"from": ["in"], "deliver": {"probe": "100ms", "backoff_max": "500ms", "overflow": way,
                                                         "max_backlog": "200KiB"}, "to": ["out"]}})
            with bus:
                ids = [f"m{n}" for n in range(40)]
                for one in ids:
                    bus.post("/in", json.dumps({"id": one, "pad": "x" * 20000}))
                word = "discarded" if way == "drop" else "hospitalised"
                lane = until(lambda: (lambda l: l if l[word] > 20 else None)(bus.lane("r/out")),
                             lambda: f"{word}; it is {bus.lane('r/out')}")
                say(f"{way}: {lane[word]} {word}, backlog {lane['backlog']}")
                sink.listen()
                bus.wait_lane("r/out", backlog=0)
                kept = sink.ids()
                say(f"{way}: delivered {len(kept)}, from {kept[0]} to {kept[-1]}")
                assert "m39" in kept and "m0" not in kept, kept


@case
def hold_of_a_lane():
    "`overflow: hold` with a max_backlog holds the sources back with 503 and Retry-After until the lane caught up"
    with Sink() as sink:
        sink.refuse()
        bus = Bus({"in": {"webhook": {"path": "/in", "id": "/data/id"}}, "out": {"http": {"url": sink.url}}},
                  {"r": {"from": ["in"], "deliver": {"probe": "100ms", "backoff_max": "500ms", "max_backlog": "200KiB"},
                         "to": ["out"]}})
        with bus:
            sent, refused = [], []

            def one_more():
                answer = bus.send("/in", json.dumps({"id": f"m{len(sent)}", "pad": "x" * 5000}))
                (sent if answer.status == 202 else refused).append(f"m{len(sent)}" if answer.status == 202 else answer)
                return refused
            until(one_more, lambda: f"503; {len(sent)} were accepted")
            say(f"after {len(sent)} messages: {refused[0].status} {refused[0].json['detail']}")
            equal((refused[0].status, refused[0].headers.get("retry-after")), (503, "1"), "answer")
            say("\n".join(bus.log_line("max_backlog|held back")))
            sink.listen()
            until(lambda: bus.send("/in", '{"id":"later"}').status == 202, "it takes messages again")
            sink.wait_ids(sent + ["later"])
            bus.wait_lane("r/out", backlog=0)
            equal(bus.cases(), [], "cases")


run()
