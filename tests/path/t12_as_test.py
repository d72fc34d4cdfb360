# SPDX-License-Identifier: Apache-2.0
"""A message of the trace becomes a test of the routes that take it."""
import json
import os
import subprocess

from harness import XYLEMD, Bus, Sink, case, equal, run, say, until

XYLEMCTL = os.environ.get("XYLEMCTL", os.path.join(os.path.dirname(XYLEMD), "../../console/ctl/xylemctl"))
BODY = b'{"price": 19.990,\n\t"id": 12345678901234567890, "text": "a\\"b: #c"}'
ROUTES = {
    "mapped": {"from": ["in"], "where": ".data.price > 1", "steps": [{"set": {"/data/seen": True}}, {"remove": ["/data/text"]}],
               "to": ["out"]},
    "refused": {"from": ["in"], "steps": [{"validate": {"schema": "s.json"}}], "to": ["out"]},
    "other": {"from": ["in"], "where": '.type == "nothing"', "to": ["out"]},
}


def ctl(bus, *words):
    done = subprocess.run([XYLEMCTL, "--data-folder", str(bus.data), *words], capture_output=True, text=True, check=False)
    equal(done.returncode, 0, f"exit code of {words}: {done.stderr}")
    return done.stdout


def tested(bus, text):
    path = bus.folder / "m.test.yaml"
    path.write_text(text)
    return subprocess.run([XYLEMD, "test", str(path)], capture_output=True, text=True, check=False)


@case
def round_trip():
    "`show --as-test` writes tests that pass, and that fail when a route changes"
    with Sink() as sink:
        bus = Bus({"in": {"webhook": {"path": "/in"}}, "out": {"http": {"url": sink.url}}}, ROUTES)
        (bus.folder / "s.json").write_text('{"properties": {"price": {"maximum": 10}}}')
        with bus:
            handle, = bus.post("/in", BODY)
            until(lambda: sink.taken() and bus.cases(), "delivered by one route, a case of the other")
            stages = json.loads(ctl(bus, "stages", handle, "--json"))
            equal({route["route"]: route["outcome"] for route in stages["routes"]},
                  {"mapped": "delivered", "refused": "case", "other": "filtered"}, "outcomes")
            mapped, = [route for route in stages["routes"] if route["route"] == "mapped"]
            equal([stage["stage"] for stage in mapped["stages"]], ["where", "step 1 set", "step 2 remove"], "stages")
            equal(mapped["stages"][0]["events"][0]["data_text"].encode(), BODY, "what came in")
            equal(mapped["stages"][2]["events"][0]["data_text"].encode(), sink.taken()[0].body, "what went out")
            shown = ctl(bus, "stages", handle)
            say(shown)
            came, went = (body.decode().translate({10: " ", 9: " "}) for body in (BODY, sink.taken()[0].body))
            for part in (f"route mapped: delivered\n  where\n    {came}\n  step 1 set\n", f"  step 2 remove\n    {went}\n",
                         f"route refused: case\n  where\n    {came}\n  step 1 validate, schema: /price: "):
                assert part in shown, part
            text = ctl(bus, "show", handle, "--as-test")
            say(text)
            done = tested(bus, text)
            equal((done.returncode, done.stdout.splitlines()[-1]), (0, "3 passed, 0 failed"), done.stdout + done.stderr)
            bus.file.write_text(bus.file.read_text().replace("seen", "noticed"))
            done = tested(bus, text)
            equal(done.returncode, 1, done.stdout + done.stderr)
            for line in ("/seen: expected true, is not there", "/noticed: not expected, is true"):
                assert line in done.stdout, done.stdout


@case
def of_another_configuration():
    "stages say when the route was another as the message came in: after a reload, after a restart, and not when it is as then"
    routes = {"r": {"from": ["in"], "steps": [{"validate": {"schema": "s.json"}}], "to": ["out"]}, "q": {"from": ["in"], "to": ["out"]}}

    def same(bus, handle):
        return {route["route"]: (route["same"], "changed" in route) for route in bus.get(f"messages/{handle}/stages")["routes"]}

    as_then, other = {"r": (True, False), "q": (True, False)}, {"r": (False, True), "q": (True, False)}
    with Sink() as sink:
        bus = Bus({"in": {"webhook": {"path": "/in"}}, "out": {"http": {"url": sink.url}}}, routes)
        schema = bus.folder / "s.json"
        schema.write_text("{}")
        with bus:
            handle, = bus.post("/in", BODY)
            sink.wait(2)
            equal(same(bus, handle), as_then, "nothing has changed")
            bus.stop()
            bus.start()
            equal(same(bus, handle), as_then, "after a restart with the same files")
            schema.write_text('{"properties": {"price": {"maximum": 10}}}')  # the route itself reads as before
            equal(bus.reload(), True, "taken")
            equal(same(bus, handle), other, "a file of the route has changed")
            later, = bus.post("/in", BODY)
            equal(same(bus, later), as_then, "what came in after it")
            text = ctl(bus, "stages", handle, "--route", "r")
            say(text)
            assert "note: computed with the configuration of today, which differs from that of the message" in text, text
            bus.stop()
            bus.start()
            equal(same(bus, handle), other, "after a restart with other files")
            bus.stop()
            schema.write_text("{}")
            bus.start()
            equal(same(bus, handle), as_then, "it is again what it was")
            equal(same(bus, later), other, "and not what it was for the later one")


run()
