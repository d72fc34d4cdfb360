# SPDX-License-Identifier: Apache-2.0
"""No digit of a number changes on its way."""
import json

from harness import Bus, Sink, case, equal, needs, run, say, until

BODY = b'{"price":19.99,"id":12345678901234567890,"tiny":1e-400}'


def through(steps, check):
    with Sink() as sink, Bus({"in": {"webhook": {"path": "/in"}}, "out": {"http": {"url": sink.url}}},
                             {"r": {"from": ["in"], "steps": steps, "to": ["out"]}} if steps else
                             {"r": {"from": ["in"], "to": ["out"]}}) as bus:
        handle, = bus.post("/in", BODY)
        check(bus, sink, handle)


@case
def no_steps():
    "a route without steps passes the bytes on"
    def check(bus, sink, handle):
        request, = sink.wait(1)
        say(request.body.decode())
        equal(request.body, BODY, "bytes")
    through(None, check)


@case
def through_set():
    "`set` keeps every digit of what it does not set"
    def check(bus, sink, handle):
        request, = sink.wait(1)
        say(request.body.decode())
        for literal in (b"19.99", b"12345678901234567890", b"1e-400"):
            assert literal in request.body, literal
        equal(json.loads(request.body)["seen"], True, "what was set")
    through([{"set": {"/data/seen": True}}], check)


@case
def through_jq():
    "`jq` keeps every digit of what it does not calculate with"
    def check(bus, sink, handle):
        request, = sink.wait(1)
        say(request.body.decode())
        equal(json.loads(request.body, parse_int=str, parse_float=str),
              {"all": [{"price": "19.99", "id": "12345678901234567890", "tiny": "1e-400"}], "id": "12345678901234567890"},
              "literals")
    through([{"jq": "{all: [.data], id: .data.id}"}], check)


@case
def through_jq_of_plain_numbers():
    "`jq` keeps 19.99 and a number of 15 digits"
    needs("jq")
    with Sink() as sink, Bus({"in": {"webhook": {"path": "/in"}}, "out": {"http": {"url": sink.url}}},
                             {"r": {"from": ["in"], "steps": [{"jq": "{price: .data.price, n: .data.n}"}],
                                    "to": ["out"]}}) as bus:
        bus.post("/in", b'{"price":19.99,"n":123456789012345,"more":1}')
        request, = sink.wait(1)
        say(request.body.decode())
        equal(request.body.strip(), b'{"price":19.99,"n":123456789012345}', "result")


run()
