# SPDX-License-Identifier: Apache-2.0
"""What the webhook source takes, and how it says no."""
import base64
import hashlib
import hmac
import json
import time

from harness import Bus, Sink, case, equal, run, say

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
EVENT = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order.created", "subject": "o/1",
         "partitionkey": "c1", "datacontenttype": "application/json", "data": {"total": 19.90}}


def bus_of(sink, **options):
    return Bus({"in": {"webhook": {"path": "/in", **options}}, "out": {"http": {"url": sink.url, "body": "cloudevents"}}},
               {"r": {"from": ["in"], "to": ["out"]}})


def events(sink, count):
    return [json.loads(request.body) for request in sink.wait(count)]


@case
def binary():
    "a CloudEvent in binary mode keeps its attributes and its data"
    with Sink() as sink, bus_of(sink) as bus:
        bus.post("/in", b'{"total": 19.90}', {"ce-specversion": "1.0", "ce-id": "e1", "ce-source": "/shop",
                                              "ce-type": "order.created", "ce-subject": "o/1", "ce-colour": "gr%C3%BCn"})
        event, = events(sink, 1)
        say(sink.taken()[0].body.decode())
        for name, value in {"id": "e1", "source": "/shop", "type": "order.created", "subject": "o/1", "colour": "grün"}.items():
            equal(event[name], value, name)
        assert b"19.90" in sink.taken()[0].body


@case
def structured():
    "a CloudEvent in structured mode keeps its attributes and its data"
    with Sink() as sink, bus_of(sink) as bus:
        bus.post("/in", json.dumps(EVENT).replace("19.9}", "19.90}"), {"Content-Type": "application/cloudevents+json"})
        event, = events(sink, 1)
        say(sink.taken()[0].body.decode())
        equal({name: event[name] for name in ("id", "source", "type", "subject")},
              {name: EVENT[name] for name in ("id", "source", "type", "subject")}, "attributes")
        assert b"19.90" in sink.taken()[0].body


@case
def batch():
    "a batch of CloudEvents is accepted whole, and refused whole when one is wrong"
    form = {"Content-Type": "application/cloudevents-batch+json"}
    with Sink() as sink, bus_of(sink) as bus:
        many = [dict(EVENT, id=f"e{n}") for n in range(5)]
        equal(len(bus.post("/in", json.dumps(many), form)), 5, "handles")
        equal([e["id"] for e in events(sink, 5)], [e["id"] for e in many], "delivered, one key in order")
        broken = many[:4] + [{"specversion": "1.0", "id": "x"}]
        answer = bus.send("/in", json.dumps(broken), form)
        say(answer)
        equal(answer.status, 400, "status")
        bus.post("/in", json.dumps([dict(EVENT, id="last")]), form)
        equal([e["id"] for e in events(sink, 6)][5:], ["last"], "nothing of the refused batch")


@case
def ndjson():
    "NDJSON makes each line a message, byte for byte"
    with Sink() as sink, Bus({"in": {"webhook": {"path": "/in"}}, "out": {"http": {"url": sink.url, "body": "data"}}},
                             {"r": {"from": ["in"], "deliver": {"order": "strict"}, "to": ["out"]}}) as bus:
        handles = bus.post("/in", b'{"a": 1.0}\n{"a":12345678901234567890}\n', {"Content-Type": "application/x-ndjson"})
        equal(len(handles), 2, "handles")
        equal([r.body for r in sink.wait(2)], [b'{"a": 1.0}', b'{"a":12345678901234567890}'], "lines")


def signed(body, identity="msg_1", when=None, key=SECRET):
    when = str(int(time.time()) if when is None else when)
    digest = hmac.new(base64.b64decode(key), f"{identity}.{when}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": identity, "webhook-timestamp": when,
            "webhook-signature": "v1," + base64.b64encode(digest).decode()}


@case
def signature():
    "Standard Webhooks: a signed request is taken; unsigned, changed, old and wrongly signed ones get 401"
    with Sink() as sink:
        bus = bus_of(sink, verify="standard-webhooks", secret={"file": "shop.key"})
        (bus.folder / "shop.key").write_text("whsec_" + SECRET)
        (bus.folder / "shop.key").chmod(0o600)
        with bus:
            body = b'{"a":1}'
            equal(bus.send("/in", body, signed(body)).status, 202, "signed")
            wrong = {"unsigned": {}, "changed body": signed(b'{"a":2}'), "an hour old": signed(body, when=int(time.time()) - 3600),
                     "another key": signed(body, key=base64.b64encode(b"x" * 32).decode())}
            for name, headers in wrong.items():
                answer = bus.send("/in", body, headers)
                say(f"{name}: {answer}")
                equal(answer.status, 401, name)
            event, = events(sink, 1)
            equal(event["id"], "msg_1", "id of the message")
            assert SECRET not in bus.log and "whsec" not in bus.log, "the secret is in the log"


@case
def refusals():
    "400, 404, 405, 413 and 415 say what is wrong, and nothing of it is accepted"
    with Sink() as sink, bus_of(sink, max_body="4KiB", content_type="application/json") as bus:
        cases = [
            (400, "POST", "/in", b'{"a":', {"Content-Type": "application/cloudevents+json"}),
            (400, "POST", "/in", b'{"specversion":"1.0"}', {"Content-Type": "application/cloudevents+json"}),
            (404, "POST", "/nobody", b"{}", {}),
            (405, "DELETE", "/in", b"", {}),
            (413, "POST", "/in", b"x" * 5000, {}),
            (415, "POST", "/in", b"<a/>", {"Content-Type": "text/xml"}),
        ]
        for status, method, path, body, headers in cases:
            answer = bus.send(path, body, headers, method)
            say(f"{method} {path}: {answer}".strip())
            equal(answer.status, status, f"{method} {path}")
            equal(answer.headers["content-type"], "application/problem+json", "content type")
        bus.post("/in", b"{}")
        equal(len(events(sink, 1)), 1, "delivered")
        equal(bus.get("bus")["journal"]["appended"], 1, "appended")


run()
