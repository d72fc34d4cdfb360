# SPDX-License-Identifier: Apache-2.0
"""Characters that XML cannot have, shown to people: characters_test.py XYLEMD prosody|ejabberd

They come in by other doors: data by webhooks, keys, what destinations answer, what expressions say, operators' notes
by REST, titles of the configuration. Alerts, chat words, ad-hoc commands, status lines, items and the archive show
them. Whatever is asked is answered, with U+FFFD where a character cannot stand, and the link never breaks.
"""
import base64
import http.client
import http.server
import json
import pathlib
import re
import sys
import threading
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import ports  # noqa: E402
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import CLIENT, body, condition  # noqa: E402

BUS = stage.BUS
COMMANDS, PUBSUB = ("http://jabber.org/protocol/" + name for name in ("commands", "pubsub"))
MAM = "urn:xmpp:mam:2"
COMMAND, DATA = f"{{{COMMANDS}}}", "{jabber:x:data}"
JSON, ENTRY = "{urn:xmpp:json:0}json", "{http://www.w3.org/2005/Atom}entry"
FFFD = "\ufffd"

#: As JSON writes them; what cannot be said in UTF-8 only so.
ESCAPED = {
    "nul": "a\\u0000b", "controls": "".join(f"\\u{c:04x}" for c in range(1, 32) if c not in (9, 10, 13)) + "b",
    "noncharacters": "a\\ufffe\\uffffb", "del": "a\\u007fb", "surrogates": "a\\ud800b\\udfff", "cut": "\\udbff",
    "c1": "a\\u0085\\u009fb", "long": "\\u0001\\ud83d\\ude00" * 400,
}
#: No JSON: the webhook says so. As text they are data like any other.
LONE = ("surrogates", "cut")
RAW = b"a\x00b\x01\x08\x0b\x1b[31m\x1f\x7f\xef\xbf\xbe\xef\xbf\xbf\xff\xed\xa0\x80\xc0\xaf\xe2\x82"  # the last is half of one
#: Of two bytes each, behind one byte, so that whoever cuts at an even place cuts one in two.
ODD = "x" + "ä" * 3000


class Partner(http.server.BaseHTTPRequestHandler):
    """A destination that refuses in the worst words."""
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = 503 if self.path == "/down" else 422
        self.wfile.write(b"HTTP/1.1 %d W\x01\xff\x1b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
                         % (status, len(RAW), RAW))

    do_HEAD = do_GET = do_POST

    def log_message(self, *_):
        pass


class CharactersTest(stage.Case):
    people = ("ops", "bob")
    xmpp = "allow: [bob@example.com]"
    config = """
users: {{ ops: {{ role: admin, jids: [ops@example.com] }} }}
connectors:
  in: {{ webhook: {{ path: /in, listen: "127.0.0.1:{hook}", verify: none, id: "header:x-id", type: "header:x-type", key: /data/key }} }}
  partner: {{ http: {{ url: "http://127.0.0.1:{partner}/" }} }}
  away: {{ http: {{ url: "http://127.0.0.1:{partner}/down" }} }}
topics:
  t: {{ access: open, title: "a\\u0001b\\u001f\\ufffe", description: "\\u0001\\x1b\\u007f" }}
  feed: {{ type: "urn:xmpp:microblog:0", access: open }}
routes:
  says: {{ from: [in], where: '.type == "says"', steps: [{{ jq: 'error(.data.s)' }}], to: [topic:t] }}
  key: {{ from: [in], where: '.type == "key"', steps: [{{ jq: '.data | keys[0] | error("the member \\(.)")' }}], to: [topic:t] }}
  shape: {{ from: [in], where: '.type == "shape"', steps: [{{ validate: {{ schema: none.schema.json }} }}], to: [topic:t] }}
  partner: {{ from: [in], where: '.type == "partner"', to: [partner] }}
  away: {{ from: [in], where: '.type == "away"', to: [away] }}
  topics: {{ from: [in], where: '.type == "topic"', to: [topic:t, topic:feed] }}
"""

    @classmethod
    def set_the_stage(cls):
        cls.partner = http.server.ThreadingHTTPServer(("127.0.0.1", ports.free()), Partner)
        threading.Thread(target=cls.partner.serve_forever, daemon=True).start()
        cls.stage.values["partner"] = cls.partner.server_address[1]
        (cls.stage.folder / "none.schema.json").write_text('{"type": "object", "additionalProperties": false}')
        cls.handles, cls.told = {}, []

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.partner.shutdown()
        cls.partner.server_close()

    def hand_in(self, kind, name, data):
        """By the webhook, as JSON if it may be; the message's handle."""
        contenttype = "text/plain" if name in ("raw", *LONE) else "application/json"
        request = urllib.request.Request(f"http://127.0.0.1:{self.stage.hook}/in", data=data, headers={
            "Content-Type": contenttype, "x-id": f"{kind}-{name}", "x-type": kind})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.assertEqual(answer.status, 202, name)
        except urllib.error.HTTPError as refused:
            self.fail(f"{kind} {name}: {refused.code} {refused.read()}")
        self.handles[f"{kind}-{name}"] = self.api(f"messages?id={kind}-{name}")["messages"][0]["handle"]
        return self.handles[f"{kind}-{name}"]

    async def link_stands(self):
        self.assertEqual(condition(await self.ops.iq("get", BUS, "<ping xmlns='urn:xmpp:ping'/>")), "result")
        self.assertEqual(self.stage.bus.text().count("connected as"), 1)

    async def said(self, words):
        """The answer to words."""
        self.ops.send(f"<message to='{BUS}' type='chat'><body>{words}</body></message>")
        return body(await self.ops.message(lambda m: m.get("from") == BUS and not body(m).startswith("New in the hospital")))

    async def command(self, node, session=None, payload=""):
        more = f" sessionid='{session}'" if session else ""
        answer = await self.ops.iq("set", BUS, f"<command xmlns='{COMMANDS}' node='{node}'{more}>{payload}</command>")
        return answer, answer.find(COMMAND + "command")

    @staticmethod
    def form(values):
        return ("<x xmlns='jabber:x:data' type='submit'>"
                + "".join(f"<field var='{n}'><value>{v}</value></field>" for n, v in values.items()) + "</x>")

    async def commanded(self, node, values):
        """The command with these values, through its stages; its last answer as text."""
        answer, command = await self.command(node)
        for _ in range(4):
            self.assertIsNotNone(command, node)
            if command.get("status") == "completed":
                break
            asked = {f.get("var") for f in command.iter(DATA + "field")}
            answer, command = await self.command(node, command.get("sessionid"),
                                                 self.form({n: v for n, v in values.items() if n in asked}))
        self.assertEqual(command.get("status"), "completed", node)
        return "\n".join("".join(e.itertext()) for e in command)

    def cases(self):
        return {c["id"]: c["case"] for c in self.api("hospital/cases?limit=500")["cases"]}

    # --- In by other doors -------------------------------------------------------------

    async def test_01_cases_are_told(self):
        """Each new group comes as a message, whatever its reason is made of."""
        for text in (ESCAPED[name] for name in LONE):
            connection = http.client.HTTPConnection("127.0.0.1", self.stage.hook, timeout=60)
            connection.request("POST", "/in", f'{{"s": "{text}"}}', {"Content-Type": "application/json", "x-id": "lone", "x-type": "says"})
            self.assertEqual(connection.getresponse().status, 400, text)
            connection.close()
        for name, text in ESCAPED.items():
            self.hand_in("says", name, f'{{"s": "says {name} {text}", "key": "k{text}"}}'.encode())
            self.hand_in("key", name, f'{{"{text}": 1}}'.encode())
            self.hand_in("shape", name, f'{{"{text}": 1}}'.encode())
        self.hand_in("partner", "raw", RAW)
        wanted = {f"{kind}-{name}" for kind in ("says", "key", "shape") for name in ESCAPED} | {"partner-raw"}
        await self.until("a case of each", lambda: set(self.cases()) >= wanted, 60)
        groups = {g["group"] for g in self.api("hospital/groups")["groups"]}
        alerts = {}
        while set(alerts) < groups:
            text = body(await self.ops.message(lambda m: (body(m) or "").startswith("New in the hospital")))
            alerts[int(re.search(r"group (\d+)", text).group(1))] = text
        self.assertTrue(any(FFFD in text for text in alerts.values()), alerts)
        await self.link_stands()

    async def test_02_notes_and_attributes_by_rest(self):
        number = self.cases()["says-del"]
        for text in (*ESCAPED.values(), "\\u0000"):
            status, _ = self.raw_api(f"hospital/cases/{number}/notes", f'{{"text": "{text}"}}')
            self.assertIn(status, (200, 400), text)
            for field in ("id", "source", "type", "subject", "key"):
                status, answer = self.raw_api("publish", f'{{"ingress": "in", "data": 1, "{field}": "{text}"}}')
                self.assertIn(status, (200, 400), f"{field}: {text}")
                if status == 200:
                    self.handles[f"rest {field} {text}"] = answer["handle"]
        self.assertTrue(any(h.startswith("rest key") for h in self.handles))

    def raw_api(self, path, text):
        """Like stage.api, with JSON that json.dumps would not write."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.stage.console}/api/v1/{path}", data=text.encode(), headers={
            "Authorization": f"Bearer {self.stage.token()}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())

    # --- Shown -------------------------------------------------------------------------

    async def test_10_words(self):
        seen = ""
        lists = ["status", "connectors", "lanes", "topics", "routes", "search", "audit", "config", "hospital groups", "hospital cases"]
        cases = [f"{words} {n}" for n in self.cases().values() for words in ("hospital show", "hospital data")]
        messages = [f"{words} {h}" for h in self.handles.values() for words in ("show", "data", "stages")]
        for words in (*lists, *cases, *messages):
            answer = await self.said(words)
            self.assertTrue(answer, words)
            seen += answer
        self.assertIn(FFFD, seen)
        await self.link_stands()

    async def test_11_commands(self):
        seen = ""
        for node in ("bus-status", "connectors", "lanes", "topics", "routes", "messages", "audit", "hospital-groups", "hospital-cases"):
            seen += await self.commanded(node, {})
        for number in self.cases().values():
            for node in ("hospital-case", "hospital-case-data"):
                seen += await self.commanded(node, {"n": str(number)})
        for handle in self.handles.values():
            for node in ("message", "message-data", "message-stages"):
                seen += await self.commanded(node, {"handle": handle})
        self.assertIn(FFFD, seen)
        await self.link_stands()

    async def test_12_status_lines(self):
        self.hand_in("away", "raw", RAW)
        for address in (BUS, f"route.away@{BUS}", f"connector.away@{BUS}", f"connector.partner@{BUS}", f"topic.t@{BUS}"):
            self.ops.send(f"<presence type='subscribe' to='{address}'/>")
        await self.ops.presence(lambda p: p.get("from").startswith("route.away@") and "down" in p.findtext(CLIENT + "status", ""), 60)
        shown = await self.ops.presence(lambda p: p.get("from").startswith("topic.t@") and p.get("type") is None)
        self.assertIn(f"a{FFFD}b{FFFD}", shown.findtext(CLIENT + "status"))
        why = self.api("lanes/away/away")["why"]
        self.assertIn("503", why)
        self.assertIn("503", await self.said("lane away/away"))
        await self.link_stands()

    async def test_13_discovery(self):
        for payload in ("<query xmlns='http://jabber.org/protocol/disco#items'/>",
                        "<query xmlns='http://jabber.org/protocol/disco#info' node='t'/>"):
            answer = await self.bob.iq("get", BUS, payload)
            self.assertEqual(condition(answer), "result")
            self.assertIn(FFFD, "".join("".join(e.attrib.values()) + "".join(e.itertext()) for e in answer.iter()))
        card = await self.ops.iq("get", f"topic.t@{BUS}", "<vCard xmlns='vcard-temp'/>")
        self.assertEqual(condition(card), "result")

    async def test_14_items_and_the_archive(self):
        for node in ("t", "feed"):
            answer = await self.bob.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'><subscribe node='{node}' jid='bob@example.com'/></pubsub>")
            self.assertEqual(condition(answer), "result")
        wanted = {f"topic-{name}": f'{{"s": "{text}"}}'.encode() for name, text in ESCAPED.items()} | {"topic-raw": RAW}
        for name, data in wanted.items():
            self.hand_in("topic", name[6:], data)
        for name, data in wanted.items():
            message = await self.bob.message(lambda m, n=name: any(e["causationid"] == n for e in self.events(m)))
            self.assertEqual([self.bytes_of(e) for e in self.events(message)], [data], name)
            await self.bob.message(lambda m: next(m.iter(ENTRY), None) is not None)
        answer = await self.bob.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><items node='t'/></pubsub>")
        self.assertEqual({(e["causationid"], self.bytes_of(e)) for e in self.events(answer)}, set(wanted.items()))
        answer = await self.bob.iq("get", BUS, f"<pubsub xmlns='{PUBSUB}'><items node='feed'/></pubsub>")
        self.assertEqual(len(list(answer.iter(ENTRY))), len(wanted))
        for node in ("t", "feed"):
            self.bob.received.clear()
            answer = await self.bob.iq("set", BUS, f"<query xmlns='{MAM}' node='{node}' queryid='q'/>")
            self.assertEqual(condition(answer), "result")
            found = [m for m in self.bob.received if m.find(f"{{{MAM}}}result") is not None]
            self.assertEqual(len(found), len(wanted))
        await self.link_stands()

    @staticmethod
    def events(stanza):
        return [json.loads(element.text) for element in stanza.iter(JSON)]

    @staticmethod
    def bytes_of(event):
        """The data's bytes. JSON stands in the event as it was handed in: its escapes are escapes still."""
        if "data_base64" in event:
            return base64.b64decode(event["data_base64"])
        if isinstance(event["data"], str):
            return event["data"].encode()
        return next(f'{{"s": "{text}"}}'.encode() for name, text in ESCAPED.items()
                    if name not in LONE and json.loads(f'"{text}"') == event["data"]["s"])

    # --- What people send, cut in the middle of a character ----------------------------------

    async def test_20_words_that_are_cut(self):
        for words in ("", "show ", "pause lane ", "hospital show ", "search type=", "yes ", "help ", "publish in data=", "probe "):
            self.ops.send(f"<message to='{BUS}' type='chat' id='w'><body>{words}{ODD}</body></message>")
        await self.link_stands()
        self.assertTrue(await self.said("status"))

    async def test_21_fields_that_are_cut(self):
        """Every command, every field: there is an answer, and it is one."""
        listing = await self.ops.iq("get", BUS, f"<query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'/>")
        for node in [item.get("node") for item in listing[0]]:
            _, command = await self.command(node)
            fields = [f.get("var") for f in command.iter(DATA + "field") if f.get("var")]
            for field in fields:
                _, command = await self.command(node)
                answer, _ = await self.command(node, command.get("sessionid"), self.form({field: ODD}))
                self.assertIn(answer.get("type"), ("result", "error"), f"{node} {field}")
        await self.link_stands()

    async def test_22_pubsub_that_is_cut(self):
        for payload in (f"<subscribe node='{ODD}' jid='bob@example.com'/>", f"<create node='{ODD}'/>", f"<publish node='{ODD}'/>",
                        f"<subscribe node='t' jid='{ODD}'/>", f"<retract node='t'><item id='{ODD}'/></retract>"):
            answer = await self.bob.iq("set", BUS, f"<pubsub xmlns='{PUBSUB}'>{payload}</pubsub>")
            self.assertEqual(answer.get("type"), "error", payload[:20])
        answer = await self.bob.iq("set", BUS, f"<query xmlns='{MAM}' node='t'><set xmlns='http://jabber.org/protocol/rsm'>"
                                               f"<after>{ODD}</after></set></query>")
        self.assertEqual(answer.get("type"), "error")
        await self.link_stands()


if __name__ == "__main__":
    stage.run(CharactersTest)
