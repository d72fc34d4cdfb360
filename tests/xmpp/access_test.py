# SPDX-License-Identifier: Apache-2.0
"""Who gets what, over every face: access_test.py XYLEMD prosody|ejabberd PAGE [--write] [--xylemctl PROGRAM]

A stranger, a subscriber, a publisher, an operator and an admin each try everything: every operation of the
table by REST, by xylemctl and as a command, chat words, discovery, PubSub, archives, presence, endpoints, and the
addresses of parts. What each got is a table, which PAGE (docs/access.md) holds; any difference is a failure.
"""
import asyncio
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402
from tests.xmpp.client import body, condition  # noqa: E402

PAGE = pathlib.Path(sys.argv[3])
WRITE = "--write" in sys.argv
XYLEMCTL = sys.argv[sys.argv.index("--xylemctl") + 1] if "--xylemctl" in sys.argv else None
BUS = stage.BUS
PEOPLE = ("stranger", "subscriber", "publisher", "operator", "admin")
PUBSUB = "http://jabber.org/protocol/pubsub"
OWNER = PUBSUB + "#owner"
COMMANDS = "http://jabber.org/protocol/commands"
MARKS = ("<!-- access -->\n", "<!-- end -->\n")
# What stands for the braces of a path: names that exist where that is harmless, and none where it is not.
VALUES = {"name": "desk", "lane": "r/topic:t", "handle": "0-1", "n": "999999"}


def disco(what, node=""):
    return f"<query xmlns='http://jabber.org/protocol/disco#{what}'{node and f' node={node!r}'}/>"


def pubsub(inner, owner=False):
    return f"<pubsub xmlns='{OWNER if owner else PUBSUB}'>{inner}</pubsub>"


# (what, type, to, payload); {jid} is one's own address.
QUESTIONS = [
    ("the domain: disco#info", "get", BUS, disco("info")),
    ("the domain: disco#items", "get", BUS, disco("items")),
    ("the domain: ping", "get", BUS, "<ping xmlns='urn:xmpp:ping'/>"),
    ("the domain: version", "get", BUS, "<query xmlns='jabber:iq:version'/>"),
    ("the domain: last activity", "get", BUS, "<query xmlns='jabber:iq:last'/>"),
    ("the domain: time", "get", BUS, "<time xmlns='urn:xmpp:time'/>"),
    ("the domain: vCard", "get", BUS, "<vCard xmlns='vcard-temp'/>"),
    ("the domain: list of commands", "get", BUS, disco("items", COMMANDS)),
    ("the domain: an unknown question", "get", BUS, "<x xmlns='u:unknown'/>"),
    ("topic `t`: disco#info", "get", BUS, disco("info", "t")),
    ("topic `t`: disco#items", "get", BUS, disco("items", "t")),
    ("topic `t`: subscribe", "set", BUS, pubsub("<subscribe node='t' jid='{jid}'/>")),
    ("topic `t`: subscribe somebody else", "set", BUS, pubsub("<subscribe node='t' jid='nobody@example.com'/>")),
    ("topic `t`: publish", "set", BUS, pubsub("<publish node='t'><item id='{name}'><a xmlns='u:a'/></item></publish>")),
    ("topic `t`: items", "get", BUS, pubsub("<items node='t'/>")),
    ("topic `t`: archive (MAM)", "set", BUS, "<query xmlns='urn:xmpp:mam:2' node='t' queryid='q'/>"),
    ("topic `t`: own subscriptions", "get", BUS, pubsub("<subscriptions node='t'/>")),
    ("topic `t`: own affiliations", "get", BUS, pubsub("<affiliations/>")),
    ("topic `t`: options", "get", BUS, pubsub("<options node='t' jid='{jid}'/>")),
    ("topic `t`: retract one's own item", "set", BUS, pubsub("<retract node='t'><item id='{name}'/></retract>")),
    ("topic `t`: retract another's item", "set", BUS, pubsub("<retract node='t'><item id='admins'/></retract>")),
    ("topic `t`: configuration", "get", BUS, pubsub("<configure node='t'/>", True)),
    ("topic `t`: its affiliations", "get", BUS, pubsub("<affiliations node='t'/>", True)),
    ("topic `t`: its subscriptions", "get", BUS, pubsub("<subscriptions node='t'/>", True)),
    ("topic `t`: make oneself its owner", "set", BUS,
     pubsub("<affiliations node='t'><affiliation jid='{jid}' affiliation='owner'/></affiliations>", True)),
    ("topic `t`: purge", "set", BUS, pubsub("<purge node='t'/>", True)),
    ("topic `t`: delete", "set", BUS, pubsub("<delete node='t'/>", True)),
    ("topic `t`: unsubscribe", "set", BUS, pubsub("<unsubscribe node='t' jid='{jid}'/>")),
    ("a topic that does not exist: items", "get", BUS, pubsub("<items node='no-such'/>")),
    ("make a topic", "set", BUS, pubsub("<create node='made-by-{name}'/>")),
    ("an endpoint: disco#info", "get", f"desk@{BUS}", disco("info")),
    ("an endpoint: ping", "get", f"desk@{BUS}", "<ping xmlns='urn:xmpp:ping'/>"),
    ("an endpoint: data by IQ", "set", f"desk@{BUS}", "<a xmlns='u:a'/>"),
    ("an endpoint that does not exist: ping", "get", f"no-such@{BUS}", "<ping xmlns='urn:xmpp:ping'/>"),
    ("a connector's address: disco#info", "get", f"connector.desk@{BUS}", disco("info")),
    ("a connector's address: list of commands", "get", f"connector.desk@{BUS}", disco("items", COMMANDS)),
    ("a route's address: disco#info", "get", f"route.r@{BUS}", disco("info")),
    ("a topic's address: disco#info", "get", f"topic.t@{BUS}", disco("info")),
]


class AccessTest(stage.Case):
    people = PEOPLE
    xmpp = "allow: [subscriber@example.com, publisher@example.com]"
    deadline = 280
    config = """
users: {{ operator: {{ role: operator, token: {{ env: TOKEN_OPERATOR }}, jids: [operator@example.com] }},
          admin: {{ role: admin, token: {{ env: TOKEN_ADMIN }}, jids: [admin@example.com] }} }}
connectors:
  desk: {{ xmpp: {{ allow: [publisher@example.com] }} }}
topics:
  t: {{ subscribe: [subscriber@example.com], publish: [publisher@example.com] }}
routes:
  r: {{ from: [desk], to: [topic:t] }}
"""

    @classmethod
    def setUpClass(cls):
        os.environ.update({f"TOKEN_{name.upper()}": f"{name}-0123456789abcdef0123456789abcdef" for name in PEOPLE})
        cls.rows = []  # (face, what, [five results])
        super().setUpClass()

    def token(self, name):
        """Of the five only users have one; with xylemctl the others try one that they made up."""
        return f"{name}-0123456789abcdef0123456789abcdef"

    def note(self, face, what, results):
        self.rows.append((face, what, results))

    async def each(self, face, what, ask):
        """One row: `ask(name)` for each of the five."""
        self.note(face, what, [await ask(name) for name in PEOPLE])

    # --- REST, xylemctl -----------------------------------------------------------

    def document(self):
        return self.stage.http(f"http://127.0.0.1:{self.stage.console}/api/openapi.json",
                               {"Authorization": f"Bearer {self.token('admin')}"})[1]

    def operations(self):
        for path, methods in sorted(self.document()["paths"].items()):
            for method, operation in methods.items():
                if operation["operationId"] != "events":
                    yield operation["operationId"], method.upper(), path, operation

    async def rest(self, name, method, path):
        url = f"http://127.0.0.1:{self.stage.console}" + re.sub(r"\{(\w+)\}", lambda m: VALUES[m.group(1)], path)
        headers = {"Content-Type": "application/json"}
        if name in ("operator", "admin"):  # the others are no users: they have none
            headers["Authorization"] = f"Bearer {self.token(name)}"
        status = (await asyncio.to_thread(self.stage.http, url, headers, b"{}" if method == "POST" else None, method))[0]
        return "no" if status in (401, 403) else "yes"

    async def test_01_rest(self):
        for identity, method, path, _ in self.operations():
            await self.each("REST", f"`{identity}`", lambda name, m=method, p=path: self.rest(name, m, p))

    async def test_02_xylemctl(self):
        if XYLEMCTL is None:
            self.fail("no xylemctl given")
        for words in (["status"], ["pause", "lane", "r/topic:t"], ["config"]):  # ten wrong tokens, and the address has to wait
            async def ask(name, words=words):
                environment = dict(os.environ, XYLEM_URL=f"http://127.0.0.1:{self.stage.console}", HOME="/nonexistent")
                environment["XYLEM_TOKEN"] = self.token(name)
                done = await asyncio.to_thread(subprocess.run, [XYLEMCTL, *words], capture_output=True, text=True,
                                               env=environment, timeout=60, check=False)
                return "yes" if done.returncode == 0 else "no"
            await self.each("xylemctl", f"`{' '.join(words)}`", ask)

    # --- XMPP: questions ------------------------------------------------------------

    async def question(self, name, kind, to, payload):
        client = self.people_online[name]
        if "made-by" in payload:
            payload = payload.replace("made-by-{name}", f"made-by-{name}")
        answer = await client.iq(kind, to, payload.replace("{jid}", client.bare).replace("{name}", name))
        got = condition(answer)
        if got == "result" and "disco#items" in payload:
            return f"{len(list(answer[0]))} listed"
        return "yes" if got == "result" else got

    async def test_10_questions(self):
        admin = self.people_online["admin"]
        await admin.iq("set", BUS, pubsub("<publish node='t'><item id='admins'><a xmlns='u:a'/></item></publish>"))
        for what, kind, to, payload in QUESTIONS:
            await self.each("XMPP", what, lambda name, k=kind, t=to, p=payload: self.question(name, k, t, p))

    async def test_11_commands(self):
        for identity, _, _, _ in self.operations():
            async def ask(name, node=identity):
                client = self.people_online[name]
                answer = await client.iq("set", BUS, f"<command xmlns='{COMMANDS}' node='{node}' action='execute'/>")
                got = condition(answer)
                if got == "result" and answer[0].get("status") == "executing":
                    await client.iq("set", BUS, f"<command xmlns='{COMMANDS}' node='{node}' action='cancel' "
                                    f"sessionid='{answer[0].get('sessionid')}'/>")
                return "yes" if got == "result" else got
            await self.each("XMPP command", f"`{identity}`", ask)

    # --- XMPP: messages and presence ---------------------------------------------------

    async def answer_to(self, client, stanza, is_answer, received):
        """What comes back for a stanza, or `silence`: nothing within two seconds behind an answered ping."""
        received.clear()
        client.send(stanza)
        await client.iq("get", BUS, "<ping xmlns='urn:xmpp:ping'/>")
        end = asyncio.get_running_loop().time() + 2
        while asyncio.get_running_loop().time() < end:
            for one in received:
                if is_answer(one):
                    return one
            await asyncio.sleep(0.02)
        return None

    async def test_20_chat(self):
        for what, to, text in (("the domain: `status`", BUS, "status"), ("the domain: `pause lane r/topic:t`", BUS, "pause lane r/topic:t"),
                               ("the domain: `resume lane r/topic:t`", BUS, "resume lane r/topic:t"), ("the domain: `config`", BUS, "config"),
                               ("a route's address: `help`", f"route.r@{BUS}", "help")):
            async def ask(name, to=to, text=text):
                client = self.people_online[name]
                got = await self.answer_to(client, f"<message to='{to}' type='chat' id='c'><body>{text}</body></message>",
                                           lambda m: m.get("from", "").split("/")[0] == to, client.received)
                if got is None:
                    return "silence"
                if got.get("type") == "error":
                    return condition(got)
                # Whoever is no user is told so; of an operation above their role users hear what they may.
                return "no" if re.search("not one of its users|I do not know|needs the role", body(got) or "") else "yes"
            await self.each("XMPP chat", what, ask)

    async def test_21_data_by_message(self):
        async def ask(name):
            client = self.people_online[name]
            got = await self.answer_to(client, f"<message to='desk@{BUS}' type='chat' id='d'><body>x</body><request xmlns='urn:xmpp:receipts'/></message>",
                                       lambda m: m.get("from", "").startswith(f"desk@{BUS}"), client.received)
            return "silence" if got is None else condition(got) if got.get("type") == "error" else "yes"
        await self.each("XMPP chat", "an endpoint: data", ask)

    async def test_22_presence(self):
        for what, to in (("the domain: see its presence", BUS), ("a route's address: see its presence", f"route.r@{BUS}"),
                         ("an endpoint: see its presence", f"desk@{BUS}")):
            async def ask(name, to=to):
                client = self.people_online[name]
                got = await self.answer_to(client, f"<presence to='{to}' type='subscribe'/>",
                                           lambda p: p.get("from", "").split("/")[0] == to and p.get("type") in ("subscribed", "unsubscribed", "error"),
                                           client.presences)
                return "silence" if got is None else {"subscribed": "yes", "unsubscribed": "no"}.get(got.get("type"), "error")
            await self.each("XMPP presence", what, ask)

    # --- The table ------------------------------------------------------------------------

    def table(self):
        yield "| face | what | " + " | ".join(PEOPLE) + " |"
        yield "|---" * (len(PEOPLE) + 2) + "|"
        for face, what, results in self.rows:
            yield f"| {face} | {what} | " + " | ".join(results) + " |"

    def test_90_the_page_says_so(self):
        text = PAGE.read_text(encoding="utf-8")
        begin, end = text.index(MARKS[0]) + len(MARKS[0]), text.index(MARKS[1])
        now = list(self.table())
        if WRITE:
            PAGE.write_text(text[:begin] + "\n".join(now) + "\n" + text[end:], encoding="utf-8")
            return
        stage.say("\n".join(now))
        kept = text[begin:end].splitlines()
        differ = [f"page: {line}" for line in kept if line not in now] + [f"now:  {line}" for line in now if line not in kept]
        self.assertEqual(differ, [], "\n" + "\n".join(differ) + f"\nwhat is right is written by {pathlib.Path(__file__).name} ... --write")

    def test_91_nobody_gets_more_than_the_table_of_roles_says(self):
        """Independent of the page: REST and commands agree with the role that each operation names."""
        roles = ["viewer", "payload-viewer", "operator", "deployer", "admin"]
        wanted = {}
        for identity, _, _, operation in self.operations():
            least = roles.index(operation["x-xylem-role"])
            wanted[f"`{identity}`"] = [False, False, False, least <= roles.index("operator"), True]
        for face, what, results in self.rows:
            if face in ("REST", "XMPP command"):
                self.assertEqual([got == "yes" for got in results], wanted[what], f"{face} {what}")


if __name__ == "__main__":
    stage.run(AccessTest)
