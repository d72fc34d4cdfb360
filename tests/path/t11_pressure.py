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


run()
