# SPDX-License-Identifier: Apache-2.0
"""Ad-hoc commands of the bus, whole: commands_test.py XYLEMD prosody|ejabberd

Who sees and may run what, forms and stages, results, sessions and every error of XEP-0050; by raw stanzas, by slixmpp's
and by aioxmpp's own client of commands.
"""
import json
import pathlib
import sys
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import CLIENT, Client, condition  # noqa: E402

BUS = stage.BUS

COMMANDS = "http://jabber.org/protocol/commands"
DATA = "{jabber:x:data}"
COMMAND = f"{{{COMMANDS}}}"
INFO, ITEMS = (f"<query xmlns='http://jabber.org/protocol/disco#{what}'%s/>" for what in ("info", "items"))

LANES = {"orders/out", "orders/topic:orders"}  # the bus has some of its own beside them


def form(fields, kind="submit"):
    """A form with these values: a list is several."""
    def values(value):
        return "".join(f"<value>{v}</value>" for v in (value if isinstance(value, list) else [value]))
    return (f"<x xmlns='jabber:x:data' type='{kind}'>"
            + "".join(f"<field var='{name}'>{values(value)}</field>" for name, value in fields.items()) + "</x>")


class Answer:
    """A <command/> of an answer."""

    def __init__(self, iq):
        self.condition = condition(iq)
        self.text = iq.findtext(f"{CLIENT}error/{{urn:ietf:params:xml:ns:xmpp-stanzas}}text")
        command = iq.find(COMMAND + "command")
        self.element = command
        if command is None or self.condition != "result":
            return
        self.status, self.session = command.get("status"), command.get("sessionid")
        actions = command.find(COMMAND + "actions")
        self.actions = [a.tag.split("}")[1] for a in actions] if actions is not None else []
        self.default = actions.get("execute") if actions is not None else None
        self.notes = [(n.get("type"), n.text) for n in command.iter(COMMAND + "note")]
        x = command.find(DATA + "x")
        self.form = x
        self.fields = {f.get("var"): [v.text or "" for v in f.findall(DATA + "value")]
                       for f in (x if x is not None else []) if f.tag == DATA + "field" and f.get("var")}
        self.required = {f.get("var") for f in (x if x is not None else [])
                         if f.tag == DATA + "field" and f.find(DATA + "required") is not None}
        self.choices = {f.get("var"): [o.findtext(DATA + "value") for o in f.findall(DATA + "option")]
                        for f in (x if x is not None else []) if f.find(DATA + "option") is not None}
        self.items = [{f.get("var"): f.findtext(DATA + "value") for f in item}
                      for item in (x if x is not None else []) if item.tag == DATA + "item"]


class Operated(stage.Case):
    """A bus with a route that fails, and four people."""
    people = ("ops", "vera", "alice", "mallory")
    xmpp = "allow: [alice@example.com]"
    config = """
users:
  ops: {{ role: deployer, jids: [ops@example.com] }}
  vera: {{ role: viewer, jids: [vera@example.com] }}
connectors:
  shop: {{ webhook: {{ path: /shop, listen: "127.0.0.1:0", verify: none }} }}
  out: {{ file: {{ path: "{folder}/out.ndjson" }} }}
topics:
  orders: {{ title: Orders }}
routes:
  orders:
    from: [shop]
    steps: [{{ jq: 'if .data.price then {{price: (.data.price * 2)}} else error("no price") end' }}]
    to: [out, topic:orders]
"""

    def publish(self, data):
        return self.api("publish", {"ingress": "shop", "data": data})["handle"]

    def cases(self, state="open"):
        return self.api(f"hospital/cases?state={state}")["cases"]

    async def a_case(self):
        """Makes a case; its number."""
        before = {c["case"] for c in self.cases()}
        self.publish({"cost": 1})
        fresh = await self.until("a case", lambda: [c for c in self.cases() if c["case"] not in before])
        return fresh[0]["case"]

    async def command(self, client, node, address=BUS, session=None, action=None, payload=""):
        attributes = f" sessionid='{session}'" if session else ""
        attributes += f" action='{action}'" if action else ""
        return Answer(await client.iq("set", address, f"<command xmlns='{COMMANDS}' node='{node}'{attributes}>"
                                                      f"{payload}</command>"))

    async def nodes(self, client, address=BUS):
        answer = await client.iq("get", address, ITEMS % f" node='{COMMANDS}'")
        self.assertEqual(answer.get("type"), "result", ET.tostring(answer))
        for item in answer[0]:
            self.assertEqual(set(item.keys()), {"jid", "node", "name"})
        return [item.get("node") for item in answer[0]]


class CommandsTest(Operated):

    # --- Discovery -----------------------------------------------------------------

    async def test_01_list_by_role(self):
        ops, vera, alice = [set(await self.nodes(c)) for c in (self.ops, self.vera, self.alice)]
        self.assertLessEqual({"bus-status", "lanes", "lane-pause", "hospital-replay", "config-reload"}, ops)
        self.assertLessEqual({"bus-status", "lanes", "hospital-cases"}, vera)
        self.assertFalse(vera & {"lane-pause", "hospital-replay", "config-reload", "hospital-case-data"})
        self.assertEqual(alice, set())
        refused = await self.mallory.iq("get", BUS, ITEMS % f" node='{COMMANDS}'")
        self.assertEqual(condition(refused), "auth/forbidden")

    async def test_02_list_of_parts(self):
        connector = set(await self.nodes(self.ops, f"connector.shop@{BUS}"))
        route = set(await self.nodes(self.ops, f"route.orders@{BUS}"))
        topic = set(await self.nodes(self.ops, f"topic.orders@{BUS}"))
        self.assertLessEqual({"connector-probe", "publish"}, connector)
        self.assertLessEqual({"lanes", "lane-pause", "hospital-cases", "messages"}, route)
        self.assertLessEqual({"publish", "messages"}, topic)
        self.assertFalse((connector | route | topic) & {"bus-status", "config-reload", "audit"})
        parts = (await self.ops.iq("get", BUS, ITEMS % " node='urn:xylem:parts:0'"))[0]
        self.assertEqual([item.get("jid").split("@")[0] for item in parts],
                         ["connector.out", "connector.shop", "route.orders", "topic.orders"])
        unknown = await self.ops.iq("get", f"route.nothing@{BUS}", ITEMS % f" node='{COMMANDS}'")
        self.assertEqual(condition(unknown), "cancel/service-unavailable")

    async def test_03_info(self):
        features = {f.get("var") for f in (await self.ops.iq("get", f"route.orders@{BUS}", INFO % ""))[0]}
        self.assertIn(COMMANDS, features)
        self.assertIn(COMMANDS, {f.get("var") for f in (await self.ops.iq("get", BUS, INFO % ""))[0]})
        node = (await self.ops.iq("get", BUS, INFO % " node='lane-pause'"))[0]
        self.assertEqual((node[0].get("category"), node[0].get("type")), ("automation", "command-node"))
        self.assertEqual({f.get("var") for f in node if f.get("var")},
                         {"http://jabber.org/protocol/disco#info", COMMANDS, "jabber:x:data"})
        self.assertEqual(condition(await self.vera.iq("get", BUS, INFO % " node='lane-pause'")),
                         "cancel/item-not-found")
        listing = (await self.ops.iq("get", BUS, INFO % f" node='{COMMANDS}'"))[0]
        self.assertEqual((listing[0].get("category"), listing[0].get("type")), ("automation", "command-list"))

    # --- Running ---------------------------------------------------------------------

    async def test_10_one_stage(self):
        answer = await self.command(self.vera, "bus-status")
        self.assertEqual((answer.condition, answer.status), ("result", "completed"))
        self.assertEqual(answer.notes[0][0], "info")
        self.assertIn("ready: yes", answer.notes[0][1])
        self.assertEqual(answer.fields["name"], ["acme"])
        self.assertEqual(answer.fields["lanes.paused"], ["0"])

    async def test_11_list_as_table_and_note(self):
        answer = await self.command(self.vera, "lanes")
        self.assertEqual((answer.status, answer.default, answer.actions), ("executing", "complete", ["complete"]))
        self.assertEqual(set(answer.fields), {"route", "state"})
        answer = await self.command(self.vera, "lanes", session=answer.session, payload=form({}))
        self.assertEqual(answer.status, "completed")
        self.assertLessEqual(LANES, {i["lane"] for i in answer.items})
        self.assertEqual(answer.form[0].tag, DATA + "title")
        self.assertEqual(answer.form[1].tag, DATA + "reported")
        self.assertRegex(answer.notes[0][1], r"orders/out: \w+, backlog \d+")

    async def test_12_choose_and_run(self):
        first = await self.command(self.ops, "lane-pause")
        self.assertLessEqual(LANES, set(first.choices["lane"]))
        self.assertEqual(first.required, {"lane"})
        self.assertEqual(first.form.get("type"), "form")
        done = await self.command(self.ops, "lane-pause", session=first.session, action="complete",
                                  payload=form({"lane": "orders/out"}))
        self.assertEqual((done.status, done.notes[0][0]), ("completed", "info"))
        self.assertEqual(self.api("lanes/orders/out")["state"], "paused")
        # At the route's address only its lanes are there; no action means the default one.
        first = await self.command(self.ops, "lane-resume", address=f"route.orders@{BUS}")
        self.assertEqual(first.choices["lane"], ["orders/out", "orders/topic:orders"])
        await self.command(self.ops, "lane-resume", address=f"route.orders@{BUS}", session=first.session,
                           payload=form({"lane": "orders/out"}))
        self.assertNotEqual(self.api("lanes/orders/out")["state"], "paused")
        audit = self.api("audit?limit=1")["records"][0]
        self.assertEqual((audit["who"], audit["operation"], audit["outcome"]), ("ops", "lane-resume", "ok"))
        self.assertTrue(audit["arguments"]["(from)"].startswith("xmpp ops@example.com/"), audit)

    async def test_13_replay_a_case(self):
        number = await self.a_case()
        first = await self.command(self.ops, "hospital-draft")
        self.assertIn(str(number), first.choices["n"])
        self.assertEqual((first.default, first.actions), ("next", ["next"]))
        second = await self.command(self.ops, "hospital-draft", session=first.session, action="next",
                                    payload=form({"n": str(number)}))
        self.assertEqual((second.status, second.default, second.actions), ("executing", "next", ["prev", "next"]))
        self.assertEqual(json.loads("\n".join(second.fields["data"])), {"cost": 1})
        self.assertNotIn("data_text", second.fields)
        third = await self.command(self.ops, "hospital-draft", session=first.session, action="next", payload=form(
            {"version": second.fields["version"][0], "data": ["{", '"price": 19.50', "}"]}))
        self.assertEqual((third.default, third.actions), ("complete", ["prev", "complete"]))
        again = await self.command(self.ops, "hospital-draft", session=first.session, action="prev")
        self.assertEqual(again.fields["data"], ["{", '"price": 19.50', "}"])
        await self.command(self.ops, "hospital-draft", session=first.session, action="next", payload=form({}))
        done = await self.command(self.ops, "hospital-draft", session=first.session, action="complete")
        self.assertEqual((done.status, done.notes[0][0]), ("completed", "info"), done.notes)
        first = await self.command(self.ops, "hospital-replay")
        second = await self.command(self.ops, "hospital-replay", session=first.session,
                                    payload=form({"n": str(number)}))
        self.assertEqual(second.choices["from"], ["step", "start"])
        self.assertEqual(second.fields["from"], ["step"])
        done = await self.command(self.ops, "hospital-replay", session=first.session,
                                  payload=form({"version": second.fields["version"][0], "from": "step"}))
        self.assertEqual(done.notes[0][0], "info", done.notes)
        await self.until("resolved", lambda: [c for c in self.cases("resolved") if c["case"] == number])
        self.assertIn('{"price":39', (self.stage.folder / "out.ndjson").read_text().replace(" ", ""))

    async def test_14_failed_is_complete_with_an_error_note(self):
        number = await self.a_case()
        first = await self.command(self.ops, "hospital-discard")
        second = await self.command(self.ops, "hospital-discard", session=first.session,
                                    payload=form({"n": str(number)}))
        self.api(f"hospital/cases/{number}/notes", {"text": "changed meanwhile"})
        version = self.api(f"hospital/cases/{number}")["version"]
        self.api(f"hospital/cases/{number}/discard", {"version": version})
        done = await self.command(self.ops, "hospital-discard", session=first.session, payload=form(
            {"version": second.fields["version"][0]}))
        self.assertEqual((done.status, done.notes[0][0]), ("completed", "error"))

    async def test_15_pages(self):
        for _ in range(3):
            await self.a_case()
        first = await self.command(self.vera, "hospital-cases")
        self.assertEqual(first.fields["limit"], ["20"])
        page = await self.command(self.vera, "hospital-cases", session=first.session, payload=form({"limit": "2"}))
        self.assertEqual(len(page.items), 2)
        after = page.notes[0][1].split("more: after=")[1]
        first = await self.command(self.vera, "hospital-cases")
        page = await self.command(self.vera, "hospital-cases", session=first.session,
                                  payload=form({"limit": "2", "after": after}))
        self.assertGreaterEqual(len(page.items), 1)

    async def test_24_a_page_that_no_answer_takes(self):
        """What is left out is said, and how to go on: by the note for who reads it, and for the table."""
        for n in range(300):
            self.publish({"price": n, "text": "-" * 40})
        wanted = [m["handle"] for m in self.api("messages?limit=1000")["messages"]]
        handles, after = [], ""
        while after is not None:
            first = await self.command(self.vera, "messages")
            page = await self.command(self.vera, "messages", session=first.session,
                                      payload=form({"limit": "1000", "after": after}))
            self.assertEqual(page.condition, "result")
            handles += [item["handle"] for item in page.items]
            notes = dict(page.notes)
            said = notes["info"].split("\n")[-1]
            after = notes["warn"].split("more: after=")[1] if "warn" in notes else None
            if after:
                self.assertEqual(after, handles[-1])
                self.assertTrue(said.startswith("more: after=0-"), said)
        self.assertEqual(handles, wanted)
        self.assertGreater(len(handles), 300)

    async def test_25_data_that_no_form_gives_back(self):
        """An edited case must not lose by the form what nobody edited: such data is not put into it."""
        for data, shown in (("one\ntwo\n", ["one", "two", ""]), ("one\r\ntwo", None), ("\x01", None),
                            ("x" * 40000, None)):
            before = {c["case"] for c in self.cases()}
            self.api("publish", {"ingress": "shop", "data_text": data})
            fresh = await self.until("a case", lambda: [c for c in self.cases() if c["case"] not in before])
            first = await self.command(self.ops, "hospital-draft")
            second = await self.command(self.ops, "hospital-draft", session=first.session,
                                        payload=form({"n": str(fresh[0]["case"])}))
            if shown:
                self.assertEqual(second.fields["data_text"], shown)
                continue
            self.assertEqual([second.fields[name] for name in ("data", "data_text")], [[], []])
            words = [f.findtext(DATA + "value") for f in second.form if f.get("type") == "fixed"]
            self.assertIn("not shown", words[0])
            await self.command(self.ops, "hospital-draft", session=first.session, payload=form({}))
            done = await self.command(self.ops, "hospital-draft", session=first.session, action="complete")
            self.assertEqual(done.condition, "modify/bad-request/bad-payload")

    async def test_16_what_changes_much_is_confirmed(self):
        first = await self.command(self.ops, "config-reload")
        self.assertEqual((first.status, first.default), ("executing", "complete"))
        cancelled = await self.command(self.ops, "config-reload", session=first.session, action="cancel")
        self.assertEqual(cancelled.status, "canceled")
        # Clients send back what stood between the fields, without its type and without a name.
        for payload in ("", "<x xmlns='jabber:x:data' type='submit'><field><value>words</value></field></x>"):
            first = await self.command(self.ops, "config-reload")
            done = await self.command(self.ops, "config-reload", session=first.session, payload=payload)
            self.assertEqual(done.status, "completed")

    async def test_17_publish_to_a_topic(self):
        address = f"topic.orders@{BUS}"
        first = await self.command(self.ops, "publish", address=address)
        self.assertNotIn("ingress", first.fields)
        done = await self.command(self.ops, "publish", address=address, session=first.session, payload=form(
            {"data": '{"n": 12345678901234567890}', "type": "t"}))
        self.assertEqual(done.status, "completed", done.notes)
        handle = done.fields["handle"][0]
        with_data = self.api(f"messages/{handle}")
        self.assertEqual(with_data["ingress"], "topic:orders")

    async def test_18_restore_a_case(self):
        """Nothing but the case has to be asked for, and its version is needed all the same."""
        number, open_one = await self.a_case(), await self.a_case()
        version = self.api(f"hospital/cases/{number}")["version"]
        self.api(f"hospital/cases/{number}/discard", {"version": version})
        first = await self.command(self.ops, "hospital-restore")
        self.assertIn(str(number), first.choices["n"])
        self.assertNotIn(str(open_one), first.choices["n"])
        second = await self.command(self.ops, "hospital-restore", session=first.session,
                                    payload=form({"n": str(number)}))
        self.assertEqual((second.status, second.default), ("executing", "complete"))
        self.assertEqual(second.fields["version"], [str(version + 1)])
        done = await self.command(self.ops, "hospital-restore", session=first.session, payload=form({}))
        self.assertEqual((done.status, done.notes[0][0]), ("completed", "info"), done.notes)
        self.assertIn(number, {c["case"] for c in self.cases()})

    async def test_19_a_route_has_its_own_lanes(self):
        address = f"route.orders@{BUS}"
        for lane, wanted in (("bus.unrouted/count", "modify/bad-request/bad-payload"), ("orders/out", "result"),
                             ("out", "result"), ("topic:orders", "result")):
            first = await self.command(self.ops, "lane-resume", address=address)
            done = await self.command(self.ops, "lane-resume", address=address, session=first.session,
                                      payload=form({"lane": lane}))
            self.assertEqual(done.condition, wanted, lane)
            self.assertIn(wanted == "result" and (done.status, done.notes[0][0]), (False, ("completed", "info")))

    # --- Errors -----------------------------------------------------------------------

    async def test_20_errors(self):
        self.assertEqual((await self.command(self.ops, "no-such")).condition, "cancel/item-not-found")
        self.assertEqual((await self.command(self.ops, "bus-status", address=f"route.orders@{BUS}")).condition,
                         "cancel/item-not-found")
        self.assertEqual((await self.command(self.vera, "lane-pause")).condition, "auth/forbidden")
        self.assertEqual((await self.command(self.alice, "bus-status")).condition, "auth/forbidden")
        self.assertEqual((await self.command(self.mallory, "bus-status")).condition, "auth/forbidden")
        self.assertEqual((await self.command(self.ops, "bus-status", action="dance")).condition,
                         "modify/bad-request/malformed-action")
        refused = self.api("audit?limit=1")["records"][0]
        self.assertEqual((refused["who"], refused["operation"], refused["outcome"]), ("vera", "lane-pause", "forbidden"))
        first = await self.command(self.ops, "lane-pause")
        for action in ("next", "prev"):
            self.assertEqual((await self.command(self.ops, "lane-pause", session=first.session, action=action,
                                                 payload=form({"lane": "orders/out"}))).condition,
                             "modify/bad-request/bad-action")
        for payload in (form({}, "result"), form({}), form({"lane": ""}),
                        "<x xmlns='jabber:x:data' type='submit'><field><value>x</value></field></x>"):
            wanted = "modify/bad-request/bad-payload"
            # What is missing has a default only where the client left it alone.
            answer = await self.command(self.ops, "lane-pause", session=first.session, payload=payload)
            self.assertEqual(answer.condition, wanted, payload)
        done = await self.command(self.ops, "lane-pause", session=first.session, payload=form({"lane": "orders/nope"}))
        self.assertEqual((done.status, done.notes[0][0]), ("completed", "error"))
        self.assertEqual((await self.command(self.ops, "lane-pause", session=first.session,
                                             payload=form({"lane": "orders/out"}))).condition,
                         "cancel/not-allowed/session-expired")

    async def test_21_sessions_belong_to_one_resource_and_command(self):
        first = await self.command(self.ops, "lane-pause")
        other = await Client(self.stage.server, "ops").login()
        self.assertEqual((await self.command(other, "lane-pause", session=first.session)).condition,
                         "modify/bad-request/bad-sessionid")
        self.assertEqual((await self.command(self.ops, "lane-resume", session=first.session)).condition,
                         "modify/bad-request/bad-sessionid")
        self.assertEqual((await self.command(self.ops, "lane-pause", session="0" * 64)).condition,
                         "modify/bad-request/bad-sessionid")
        mine = await self.command(other, "lane-pause")
        self.assertNotEqual(mine.session, first.session)
        await other.logout()
        # A wrong value is refused and the session stays.
        first = await self.command(self.ops, "hospital-cases")
        wrong = await self.command(self.ops, "hospital-cases", session=first.session, payload=form({"limit": "many"}))
        self.assertEqual(wrong.condition, "modify/bad-request/bad-payload")
        right = await self.command(self.ops, "hospital-cases", session=first.session, payload=form({"limit": "1"}))
        self.assertEqual(right.status, "completed")

    async def test_22_many_sessions_are_bounded(self):
        first = await self.command(self.ops, "lane-pause")
        for _ in range(17):
            await self.command(self.ops, "lane-pause")
        self.assertEqual((await self.command(self.ops, "lane-pause", session=first.session,
                                             payload=form({"lane": "orders/out"}))).condition,
                         "cancel/not-allowed/session-expired")

    # --- Clients -----------------------------------------------------------------------

    async def test_23_languages(self):
        """English is what there is: asked for or not, and where the stanza only says what the client's stream speaks."""
        command = f"<command xmlns='{COMMANDS}' node='bus-status'{{}}/>"
        for wanted in ("", " xml:lang='en'", " xml:lang='en-GB'", " xml:lang='EN'", " xml:lang=''"):
            answer = Answer(await self.ops.iq("set", BUS, command.format(wanted)))
            self.assertEqual(answer.status, "completed", wanted)
            self.assertEqual(answer.element.get("{http://www.w3.org/XML/1998/namespace}lang"), "en")
        for wanted in (" xml:lang='fr-ca'", " xml:lang='de'", " xml:lang='eng'", " xml:lang='e'"):
            answer = Answer(await self.ops.iq("set", BUS, command.format(wanted)))
            self.assertEqual(answer.condition, "modify/bad-request/bad-locale", wanted)
        answer = Answer(await self.ops.iq("set", f"{BUS}' xml:lang='fr-ca", command.format("")))
        self.assertEqual(answer.status, "completed")

    async def test_30_slixmpp(self):
        xmpp = self.ops.xmpp
        for plugin in ("xep_0030", "xep_0004", "xep_0050"):
            xmpp.register_plugin(plugin)
        listing = await xmpp["xep_0050"].get_commands(jid=BUS)
        nodes = {item[1] for item in listing["disco_items"]["items"]}
        self.assertIn("lane-pause", nodes)
        answer = await xmpp["xep_0050"].send_command(BUS, "bus-status", action="execute")
        self.assertEqual(answer["command"]["status"], "completed")
        first = await xmpp["xep_0050"].send_command(BUS, "lane", action="execute")
        filled = xmpp["xep_0004"].make_form("submit")
        filled.add_field(var="lane", value="orders/out")
        done = await xmpp["xep_0050"].send_command(BUS, "lane", action="complete", payload=filled,
                                                   sessionid=first["command"]["sessionid"])
        self.assertEqual(done["command"]["status"], "completed")
        self.assertIn("orders/out", done["command"]["notes"][0][1])

    async def test_31_aioxmpp(self):
        import aioxmpp
        import aioxmpp.adhoc
        import aioxmpp.adhoc.xso
        jid = aioxmpp.JID.fromstr("ops@example.com")
        security = aioxmpp.make_security_layer("pw", no_verify=True)._replace(tls_required=False)
        client = aioxmpp.PresenceManagedClient(jid, security, override_peer=[
            ("127.0.0.1", self.stage.server.client_port, aioxmpp.connector.STARTTLSConnector())])
        adhoc = client.summon(aioxmpp.AdHocClient)
        bus = aioxmpp.JID.fromstr(BUS)
        async with client.connected():
            self.assertTrue(await adhoc.supports_commands(bus))
            listing = {item.node for item in await adhoc.get_commands(bus)}
            self.assertIn("hospital-cases", listing)
            session = await adhoc.execute(bus, "lanes")
            self.assertEqual(session.status, aioxmpp.adhoc.xso.CommandStatus.EXECUTING)
            reply = aioxmpp.forms.Data(type_=aioxmpp.forms.DataType.SUBMIT)
            await session.proceed(action=aioxmpp.adhoc.xso.ActionType.COMPLETE, payload=[reply])
            self.assertEqual(session.status, aioxmpp.adhoc.xso.CommandStatus.COMPLETED)
            self.assertGreaterEqual(len(session.first_payload.items), 2)


if __name__ == "__main__":
    stage.run(CommandsTest)
