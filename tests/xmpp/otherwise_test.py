# SPDX-License-Identifier: Apache-2.0
"""Another destination for somebody who is away: otherwise_test.py XYLEMD prosody|ejabberd

carol is not online; what the route `duty` has for her goes to bob, `log` to a topic. A crash of the bus between the new
record and the end of the delivery gives neither two records nor one message to both.
"""
import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import Client, body  # noqa: E402

BUS = stage.BUS


def of(name):
    return lambda m: m.get("from", "").startswith(f"{name}@{BUS}")


def item_id(handle):
    return f"{handle}.log/nobody"


class OtherwiseTest(stage.Case):
    people = ("bob", "carol")
    xmpp = "allow: ['@example.com']"
    config = """
connectors:
  in: {{ xmpp: {{ allow: [bob@example.com] }} }}
  carol: {{ xmpp: {{ to: [carol@example.com], offline: discard }} }}
  bob: {{ xmpp: {{ to: [bob@example.com], text: "{{/data/n}} for carol, by {{/divertedfrom}}" }} }}
  nobody: {{ xmpp: {{ to: [nobody@example.com], offline: discard }} }}
  strict: {{ xmpp: {{ address: /data/jid, allow: ["@example.com"] }} }}
topics:
  away: {{ title: Away, subscribe: ["@example.com"] }}
routes:
  duty:
    from: [in]
    where: .type == "duty"
    steps: [{{ jq: '.data | .n += 100' }}]
    to: [{{ carol: {{ otherwise: bob }} }}]
  log: {{ from: [in], where: '.type == "log"', to: [{{ nobody: {{ otherwise: topic:away }} }}] }}
  broken:
    from: [in]
    where: .type == "broken"
    steps: [{{ jq: '.data | .n += 100' }}]
    deliver: {{ otherwise: strict }}
    to: [nobody]
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.loop.run_until_complete(cls.leave())

    @classmethod
    async def leave(cls):
        """Carol shows her presence, then goes: the bus sees her when she comes back."""
        carol = cls.people_online.pop("carol")
        await carol.presence(lambda p: p.get("type") is None and p.get("from").startswith(f"carol@{BUS}"))
        await carol.logout()

    def publish(self, kind, data):
        status, answer = self.stage.api("publish", {"ingress": "in", "type": kind, "key": "k", "data": data})
        self.assertEqual(status, 200, answer)
        return answer["handle"]

    async def lane(self, handle, name):
        """What the lane did with it, as soon as it has."""
        while True:
            status, message = self.stage.api(f"messages/{handle}")
            for lane in message["lanes"] if status == 200 else ():
                if lane["lane"] == name and lane["outcome"] != "pending":
                    return lane
            await asyncio.sleep(0.02)

    async def test_01_to_another_connector(self):
        """In order, past the steps, with the event's own id; the trace says where it went."""
        await self.carol_is_gone()
        self.assertEqual(body(await self.people_online["bob"].message(of("bob"))), "160 for carol, by duty/carol")
        handles = [self.publish("duty", {"n": n}) for n in range(5)]
        heard = [body(await self.people_online["bob"].message(of("bob"))) for _ in handles]
        self.assertEqual(heard, [f"{100 + n} for carol, by duty/carol" for n in range(5)])
        diverted = await self.lane(handles[0], "duty/carol")
        self.assertEqual(diverted["outcome"], "diverted")
        self.assertEqual((await self.lane(diverted["diverted_to"], "duty/bob"))["outcome"], "delivered")
        _, first = self.stage.api(f"messages/{handles[0]}")
        self.assertEqual([(d["handle"], d["ingress"]) for d in first["derived"]],
                         [(diverted["diverted_to"], "lane:duty/bob")])
        _, second = self.stage.api(f"messages/{diverted['diverted_to']}")
        self.assertEqual((second["id"], second["parent"]), (first["id"], handles[0]))
        self.assertEqual([lane["lane"] for lane in second["lanes"]], ["duty/bob"])
        _, routes = self.stage.api("routes")
        duty = next(route for route in routes["routes"] if route["name"] == "duty")
        self.assertEqual((duty["to"], duty["otherwise"]), (["carol"], {"carol": "bob"}))
        _, lane = self.stage.api("lanes/duty/carol")
        self.assertEqual((lane["diverted"], lane["discarded"]), (6, 0))

    async def test_02_to_a_topic(self):
        handle = self.publish("log", {"n": 1})
        diverted = await self.lane(handle, "log/nobody")
        self.assertEqual(diverted["outcome"], "diverted")
        _, item = self.stage.api(f"messages/{diverted['diverted_to']}")
        self.assertEqual((item["ingress"], item["id"]), ("topic:away", item_id(handle)))
        answer = await self.people_online["bob"].iq(
            "get", BUS, "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='away'/></pubsub>")
        items = answer.findall("*/*/{http://jabber.org/protocol/pubsub}item")
        self.assertEqual([item.get("id") for item in items], [item_id(handle)])

    async def test_03_a_case_of_the_other_destination_is_its_own(self):
        """It is replayed as it is, also from the start: the steps have been run."""
        handle = self.publish("broken", {"n": 1, "jid": "@@"})
        diverted = await self.lane(handle, "broken/nobody")
        self.assertEqual((await self.lane(diverted["diverted_to"], "broken/strict"))["outcome"], "hospitalised")
        case = await self.open_case(diverted["diverted_to"])
        _, _ = self.stage.api(f"hospital/cases/{case['case']}/replay",
                              {"version": case["version"], "from": "start"})
        while (again := await self.open_case(diverted["diverted_to"]))["version"] == case["version"] \
                or again["state"] != "open":
            await asyncio.sleep(0.02)
        _, data = self.stage.api(f"hospital/cases/{case['case']}/data")
        self.assertEqual(data["n"], 101)

    async def open_case(self, handle):
        while True:
            _, answer = self.stage.api("hospital/cases")
            for case in answer["cases"]:
                if case["handle"] == handle:
                    return case
            await asyncio.sleep(0.02)

    async def test_04_whoever_is_online_gets_it_himself(self):
        carol = self.people_online["carol"] = await Client(self.stage.server, "carol").login()
        await carol.presence(lambda p: p.get("type") is None and p.get("from").startswith(f"carol@{BUS}"))
        handle = self.publish("duty", {"n": 7})
        await carol.message(lambda m: of("carol")(m) and '"n":107' in body(m))  # the server may have kept others for her
        self.assertEqual((await self.lane(handle, "duty/carol"))["outcome"], "delivered")
        await carol.logout()
        del self.people_online["carol"]

    async def test_05_a_crash_between_the_two(self):
        """The record is on disk and the delivery not settled: at the next start nothing is diverted, or sent, twice."""
        self.stage.stop_bus()
        self.stage.start_bus(env={"XYLEM_CRASH": "diverted:1"})
        try:
            self.publish("duty", {"n": 50})
        except OSError:
            pass  # it was too quick for the answer
        while self.stage.bus.alive():
            await asyncio.sleep(0.02)
        carol = self.people_online["carol"] = await Client(self.stage.server, "carol").login()
        self.stage.start_bus()
        first = await self.people_online["bob"].message(of("bob"))
        self.assertEqual(body(first), "150 for carol, by duty/carol")
        after = self.publish("duty", {"n": 51})
        self.assertIn('"n":151', body(await carol.message(of("carol"))))
        await self.lane(after, "duty/carol")
        # Bob's lane may have sent it before the crash, and sends it again: the same message.
        again = {m.get("id") for m in self.people_online["bob"].received if of("bob")(m)}
        self.assertLessEqual(again, {first.get("id")})
        self.assertEqual([m for m in carol.received if of("carol")(m)], [])
        _, found = self.stage.api("messages?ingress=lane:duty/bob&limit=100")
        self.assertEqual(len(found["messages"]), 7)  # six of the first case, one here

    def reload(self, config):
        self.stage.write(config)
        status, answer = self.stage.api("config/reload", {})
        self.assertEqual(status, 200, answer)

    async def test_06_a_reload(self):
        """`otherwise` is taken away, named otherwise, and put back: each message by what counts when it is turned away."""
        carol = self.people_online.pop("carol")
        self.people_online["bob"].received.clear()
        await carol.logout()
        await self.carol_is_gone()
        with_otherwise, without = self.config, self.config.replace("[{{ carol: {{ otherwise: bob }} }}]", "[carol]")
        self.assertNotEqual(with_otherwise, without)
        self.reload(without)
        self.assertEqual((await self.turned_away("duty", "duty/carol"))["outcome"], "discarded")
        _, lane = self.stage.api("lanes/duty/bob")
        self.assertEqual(lane["state"], "retired")
        self.reload(self.config.replace("otherwise: bob", "otherwise: topic:away"))
        diverted = await self.turned_away("duty", "duty/carol")
        _, item = self.stage.api(f"messages/{diverted['diverted_to']}")
        self.assertEqual(item["ingress"], "topic:away")
        self.reload(with_otherwise)
        diverted = await self.turned_away("duty", "duty/carol")
        self.assertEqual((await self.lane(diverted["diverted_to"], "duty/bob"))["outcome"], "delivered")

    async def carol_is_gone(self):
        """Until the bus has seen her leave, what is for her goes to her, and the server keeps it."""
        while not (await self.turned_away("duty", "duty/carol")).get("diverted_to"):
            pass

    async def turned_away(self, kind, name):
        return await self.lane(self.publish(kind, {"n": 60}), name)


if __name__ == "__main__":
    stage.run(OtherwiseTest)
