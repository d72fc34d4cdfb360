# SPDX-License-Identifier: Apache-2.0
"""Chat with the bus, whole: chat_test.py XYLEMD prosody|ejabberd

Words and answers, who may, what is never carried out, confirmations, receipts, and word of new hospital groups.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import CLIENT, Client, body  # noqa: E402
from tests.xmpp.commands_test import Operated  # noqa: E402

BUS = stage.BUS

DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>"


class ChatTest(Operated):
    count = 0

    def write(self, client, text, to=BUS, extra="", kind="chat"):
        ChatTest.count += 1
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        client.send(f"<message to='{to}' type='{kind}' id='c{self.count}'><body>{text}</body>{extra}</message>")

    async def heard(self, client, address=BUS):
        return await client.message(lambda m: m.get("from") == address and body(m) is not None
                                    and not body(m).startswith("New in the hospital"))

    async def say(self, client, text, to=BUS, extra=""):
        """Writes a line; the answer's text."""
        client.received.clear()
        self.write(client, text, to, extra)
        answer = body(await self.heard(client, to))
        self.assertLess(len(answer.encode()), 4096)
        return answer

    def state(self, lane="orders/out"):
        return self.api(f"lanes/{lane}")["state"]

    # --- Words ---------------------------------------------------------------------

    async def test_01_help_by_role(self):
        ops, vera = await self.say(self.ops, "help"), await self.say(self.vera, "Help")
        self.assertIn("pause lane LANE", ops)
        self.assertIn("replay N", ops)
        self.assertNotIn("pause lane", vera)
        self.assertIn("status", vera)
        self.assertIn("from=", await self.say(self.ops, "help replay"))
        self.assertIn("not one of its users", await self.say(self.alice, "help"))

    async def test_02_status_and_lists(self):
        status = await self.say(self.vera, "status")
        self.assertIn("ready: yes", status)
        self.assertLess(len(status), 500)
        self.assertRegex(await self.say(self.vera, "routes"), r"orders: from shop")
        self.assertRegex(await self.say(self.vera, "lanes route=orders"), r"orders/out: \w+, backlog 0")
        self.assertEqual(await self.say(self.vera, "hospital"), "none")
        # A part says what its presence shows.
        self.assertRegex(await self.say(self.vera, "status", to=f"route.orders@{BUS}"), r"^ok; 2 lanes, backlog 0")
        self.assertRegex(await self.say(self.vera, "Status", to=f"connector.shop@{BUS}"), r"^webhook; \d+ received$")
        self.assertRegex(await self.say(self.vera, "status", to=f"topic.orders@{BUS}"), r"^Orders; 0 subscribers")
        self.assertRegex(await self.say(self.vera, "help", to=f"topic.orders@{BUS}"), "^status\n")

    async def test_03_pause_and_resume(self):
        self.assertIn("pause", await self.say(self.ops, "Pause lane orders/out"))
        self.assertEqual(self.state(), "paused")
        await self.say(self.ops, "resume lane orders/out", to=f"route.orders@{BUS}")
        self.assertNotEqual(self.state(), "paused")
        self.assertIn("which one", await self.say(self.ops, "pause lane"))
        self.assertIn("no lane", await self.say(self.ops, "pause lane no/where"))
        self.assertIn("needs the role operator", await self.say(self.vera, "pause lane orders/out"))
        refused = self.api("audit?limit=1")["records"][0]
        self.assertEqual((refused["who"], refused["operation"], refused["outcome"]), ("vera", "lane-pause", "forbidden"))
        self.assertEqual(await self.say(self.ops, "pause orders/out"), "Write: pause lane LANE")
        self.assertIn("`dance`", await self.say(self.ops, "help dance"))
        self.assertIn("this address is about", await self.say(self.ops, "pause lane bus.unrouted/count",
                                                              to=f"route.orders@{BUS}"))
        self.assertIn("do not know", await self.say(self.ops, "dance"))
        self.assertIn("what is `now`?", await self.say(self.ops, "pause lane orders/out now"))
        self.assertNotEqual(self.state(), "paused")

    async def test_04_hospital(self):
        number = await self.a_case()
        shown = await self.say(self.vera, f"show {number}")
        self.assertIn("no price", shown)
        self.assertIn(f"case: {number}", shown)
        await self.say(self.ops, f"note {number} the shop was asked, and says sorry")
        self.assertIn("the shop was asked, and says sorry", json.dumps(self.api(f"hospital/cases/{number}")))
        await self.say(self.ops, f'edit {number} {{"price": 5}}')
        await self.say(self.ops, f"replay {number}")
        await self.until("resolved", lambda: [c for c in self.cases("resolved") if c["case"] == number])
        handle = self.publish({"price": 1})
        await self.delivered(handle)
        shown = await self.say(self.vera, f"show {handle}")
        self.assertIn(handle, shown)
        self.assertRegex(shown, r"(?m)^orders/out: delivered")
        self.assertIn("not valid JSON", await self.say(self.ops, f"publish shop {{\u201cprice\u201d: 5}}"))

    async def test_05_publish(self):
        answer = await self.say(self.ops, 'publish topic:orders type=t {"held": 3}')
        self.assertIn("handle", answer)
        answer = await self.say(self.ops, "publish hello to all", to=f"topic.orders@{BUS}")
        self.assertIn("handle", answer)

    async def test_06_much_at_once_is_confirmed(self):
        numbers = [await self.a_case() for _ in range(3)]
        asked = await self.say(self.ops, "discard " + " ".join(map(str, numbers)))
        self.assertIn("3 cases", asked)
        self.assertEqual({c["case"] for c in self.cases()} & set(numbers), set(numbers))
        self.assertIn("nothing waits", await self.say(self.ops, "yes 00000"))
        code = asked.split("`yes ")[1].split("`")[0]
        # Somebody else's yes is nobody's.
        self.assertIn("nothing waits", await self.say(self.vera, f"yes {code}"))
        self.assertIn("3 done, 0 refused", await self.say(self.ops, f"yes {code}"))
        self.assertEqual({c["case"] for c in self.cases()} & set(numbers), set())
        self.assertIn("nothing waits", await self.say(self.ops, f"yes {code}"))
        group = self.api(f"hospital/cases/{numbers[0]}")["group"]
        asked = await self.say(self.ops, f"restore group {group}")
        self.assertIn("cases", asked)
        await self.say(self.ops, asked.split("`")[1])
        self.assertLessEqual(set(numbers), {c["case"] for c in self.cases()})
        # A yes is about the cases that were named, and not about what came into the group since.
        asked = await self.say(self.ops, f"discard group {group} note=done")
        later = await self.a_case()
        self.assertEqual(self.api(f"hospital/cases/{later}")["group"], group)
        self.assertIn("3 done, 0 refused", await self.say(self.ops, asked.split("`")[1]))
        self.assertEqual([c["case"] for c in self.cases() if c["group"] == group], [later])
        asked = await self.say(self.ops, "reload")
        self.assertIn("generation", await self.say(self.ops, asked.split("`")[1]))

    async def test_07_thread_type_and_receipt(self):
        self.write(self.vera, "status", extra="<thread>t-7</thread><request xmlns='urn:xmpp:receipts'/>", kind="normal")
        name = f"c{self.count}"
        receipt = await self.vera.message(lambda m: m.find("{urn:xmpp:receipts}received") is not None)
        self.assertEqual(receipt.find("{urn:xmpp:receipts}received").get("id"), name)
        answer = await self.heard(self.vera)
        self.assertEqual(answer.findtext(CLIENT + "thread"), "t-7")
        self.assertNotEqual(answer.get("type"), "chat")

    # --- What is never carried out ------------------------------------------------------

    async def test_10_not_what_was_written_now(self):
        forwarded = ("<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat'>"
                     "<body>pause lane orders/out</body></message></forwarded>")
        for extra in (DELAY, forwarded, f"<received xmlns='urn:xmpp:carbons:2'>{forwarded}</received>",
                      "<replace xmlns='urn:xmpp:message-correct:0' id='c1'/>",
                      "<x xmlns='http://jabber.org/protocol/muc#user'/>"):
            self.assertIn("Nothing was done", await self.say(self.ops, "pause lane orders/out", extra=extra), extra)
            self.assertNotEqual(self.state(), "paused", extra)
        for kind in ("groupchat", "headline", "error"):
            extra = ("<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                     if kind == "error" else "")
            self.write(self.ops, "pause lane orders/out", extra=extra, kind=kind)
        # What comes after has come through: those before were not carried out.
        await self.say(self.ops, "status")
        self.assertNotEqual(self.state(), "paused")

    async def test_11_encrypted(self):
        answer = await self.say(
            self.ops, "I sent you an OMEMO encrypted message but your client doesn't seem to support that.",
            extra="<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>"
                  "<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/>")
        self.assertIn("turn encryption off here", answer)

    async def test_12_no_answer_to_noise(self):
        self.ops.received.clear()
        self.ops.send(f"<message to='{BUS}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
        self.ops.send(f"<message to='{BUS}' type='chat'><received xmlns='urn:xmpp:receipts' id='x'/></message>")
        self.assertIn("ready", await self.say(self.ops, "status"))
        self.assertEqual([body(m) for m in self.ops.received if body(m) and "New in" not in body(m)], [])

    async def test_13_two_machines_do_not_go_on_for_ever(self):
        self.vera.received.clear()
        for _ in range(40):
            self.write(self.vera, "what did you say?")
        # The next answer comes behind all complaints.
        self.write(self.vera, "status")
        await self.vera.message(lambda m: "ready" in (body(m) or ""))
        complaints = [m for m in self.vera.received if "do not know" in (body(m) or "")]
        self.assertLessEqual(len(complaints), 20)
        self.assertGreaterEqual(len(complaints), 1)

    # --- Alerts ---------------------------------------------------------------------------

    async def befriend(self, client):
        client.send(f"<presence type='subscribe' to='{BUS}'/>")
        await client.presence(lambda p: p.get("type") == "subscribe" and p.get("from") == BUS)
        client.send(f"<presence type='subscribed' to='{BUS}'/><presence/>")

    async def next_alert(self, reason):
        """Word of this group; of the other ones that these tests make none came before it. (Of an earlier test's may.)"""
        alert = body(await self.ops.message(lambda m: f": {reason}" in (body(m) or "")))
        self.assertIn("New in the hospital", alert)
        others = {"no cost", "no luck", "no hope"} - {reason}
        self.assertEqual([m for m in self.ops.received if any(f": {other}" in (body(m) or "") for other in others)], [])
        return alert

    async def test_20_new_group_to_who_is_online(self):
        # Whoever has the bus as a contact and lets it see them is known to be online.
        await self.befriend(self.ops)
        await self.say(self.ops, "status")  # comes behind it
        for case in self.cases():
            self.api(f"hospital/cases/{case['case']}/discard", {"version": case["version"]})
        self.ops.received.clear()
        self.vera.received.clear()
        self.restart_with("no cost")
        self.publish({"cost": 1})
        alert = await self.next_alert("no cost")
        number = self.cases()[0]["case"]
        for wanted in ("orders", f"replay {number}", f"show {number}"):
            self.assertIn(wanted, alert)
        # The words that it names do what they say.
        self.assertIn("no cost", await self.say(self.ops, f"show {number}"))
        # A second case of the group is no news: the next that is told is the next group. And vera may not act.
        self.publish({"cost": 2})
        await self.until("two cases", lambda: len(self.cases()) == 2)
        self.restart_with("no luck")
        self.publish({"cost": 2})
        await self.next_alert("no luck")
        self.assertEqual([m for m in self.vera.received if "New in the hospital" in (body(m) or "")], [])

    def restart_with(self, reason):
        """The step now fails with another reason: the next case is a group of its own."""
        self.stage.write(self.config.replace('error("no price")', f'error("{reason}")'))
        self.api("config/reload", {})

    async def test_21_not_twice_in_an_hour_nor_after_a_restart(self):
        for case in self.cases():
            self.api(f"hospital/cases/{case['case']}/discard", {"version": case["version"]})
        self.publish({"cost": 3})
        await self.until("a case", lambda: len(self.cases()) == 1)
        self.assertEqual(self.stage.bus.stop(30), 0)
        self.stage.bus.mark()
        self.stage.start_bus(self.config.replace('error("no price")', 'error("no luck")'))
        case = self.cases()[0]
        self.api(f"hospital/cases/{case['case']}/discard", {"version": case["version"]})
        self.publish({"cost": 4})
        await self.until("a case", lambda: len(self.cases()) == 1)
        self.restart_with("no hope")
        self.publish({"cost": 5})
        await self.next_alert("no hope")

    async def test_22_stored_for_all_when_nobody_is_online(self):
        await self.ops.logout()
        self.restart_with("no idea")
        self.publish({"cost": 5})
        await self.until("a case", lambda: [c for c in self.cases() if "no idea" in c["reason"]])
        # What comes while somebody logs in a server may store for the time after that.
        for _ in range(5):
            again = await Client(self.stage.server, "ops").login()
            try:
                alert = await again.message(lambda m: "no idea" in (body(m) or ""), 5)
                break
            except AssertionError:
                continue
            finally:
                await again.logout()
        self.assertIn("New in the hospital", body(alert))
        del self.people_online["ops"]


if __name__ == "__main__":
    stage.run(ChatTest)
