# SPDX-License-Identifier: Apache-2.0
"""Topics, archives and commands as nbxmpp sees them, on which Gajim stands: nbxmpp_test.py XYLEMD prosody|ejabberd

It checks the form of what it gets by its own reading of the XEPs, and turns
what it does not like into an error. Its loop is GLib's, not asyncio's.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from gi.repository import GLib  # noqa: E402
from nbxmpp.client import Client  # noqa: E402
from nbxmpp.const import AdHocAction, ConnectionProtocol, ConnectionType  # noqa: E402
from nbxmpp.errors import StanzaError  # noqa: E402
from nbxmpp.modules.dataforms import extend_form  # noqa: E402
from nbxmpp.namespaces import Namespace  # noqa: E402
from nbxmpp.protocol import Iq, JID, Presence  # noqa: E402
from nbxmpp.simplexml import Node  # noqa: E402
from nbxmpp.structs import StanzaHandler  # noqa: E402
from tests.xmpp import stage  # noqa: E402

BUS = JID.from_string(stage.BUS)
DEADLINE_S = 60


class Person:
    """A client that is online, and what it has heard of topics."""

    def __init__(self, server, user):
        self.events = []
        self.client = Client(log_context=user)
        self.client.set_domain(server.domain)
        self.client.set_username(user)
        self.client.set_resource("gajim")
        self.client.set_password("pw")
        self.client.set_custom_host(f"127.0.0.1:{server.client_port}", ConnectionProtocol.TCP, ConnectionType.PLAIN)
        self.client.set_connection_types([ConnectionType.PLAIN])
        self.client.set_protocols([ConnectionProtocol.TCP])
        self.client.set_mechs(["PLAIN", "SCRAM-SHA-1"])
        online = []
        self.client.subscribe("connected", lambda *_: online.append(True))
        self.client.subscribe("connection-failed", lambda *_: online.append(False))
        self.client.register_handler(StanzaHandler(name="message", callback=self._hear, priority=60))
        self.client.connect()
        self.wait("online", lambda: online)
        if not online[0]:
            raise AssertionError(f"{user}: {self.client.get_error()}")
        self.client.send_stanza(Presence())

    def _hear(self, _client, _stanza, properties):
        if properties.is_pubsub and properties.pubsub_event is not None:
            self.events.append(properties.pubsub_event)

    @staticmethod
    def wait(what, wanted):
        """Runs GLib's loop until `wanted` returns something true, which is returned."""
        late = []
        timer = GLib.timeout_add_seconds(DEADLINE_S, lambda: late.append(True))
        while not (found := wanted()) and not late:
            GLib.MainContext.default().iteration(True)
        if late:
            raise AssertionError(f"{what}: not within {DEADLINE_S} s")
        GLib.source_remove(timer)
        return found

    def do(self, module, name, *values, **named):
        """What a task of the library ends with; its errors are raised."""
        ended = []  # what it ends with is there during the callback only

        def done(task):
            try:
                ended.append((task.finish(), None))
            except Exception as error:  # whatever it is: it is raised where it was asked
                ended.append((None, error))
        getattr(self.client.get_module(module), name)(*values, callback=done, **named)
        self.wait(name, lambda: ended)
        result, error = ended[0]
        if error is not None:
            raise error
        return result

    def ask(self, iq):
        answer = []
        self.client.send_stanza(iq, callback=lambda _client, stanza: answer.append(stanza))
        self.wait("an answer", lambda: answer)
        return answer[0]

    def told(self, **wanted):
        """The next event with these attributes."""
        def found():
            for event in self.events:
                if all(getattr(event, name) == value for name, value in wanted.items()):
                    self.events.remove(event)
                    return event
            return None
        return self.wait(f"an event {wanted}", found)

    def leave(self):
        gone = []
        self.client.subscribe("disconnected", lambda *_: gone.append(True))
        self.client.disconnect()
        self.wait("offline", lambda: gone)
        self.client.destroy()


def order(number):
    return Node("order", attrs={"xmlns": "urn:test:order", "number": str(number)})


class NbxmppTest(stage.Case):
    accounts = ("alice", "bob", "root")
    xmpp = 'allow: ["@example.com"], create: [alice@example.com]'
    config = """
users: {{ root: {{ role: admin, jids: [root@example.com] }} }}
connectors:
  desk: {{ xmpp: {{ allow: ["@example.com"] }} }}
routes:
  desk: {{ from: [desk], to: [topic:orders] }}
"""

    def person(self, user):
        person = Person(self.stage.server, user)
        self.addCleanup(person.leave)
        return person

    def test_01_what_the_bus_is(self):
        alice = self.person("alice")
        info = alice.do("Discovery", "disco_info", BUS)
        self.assertEqual({(i.category, i.type) for i in info.identities},
                         {("pubsub", "service"), ("component", "generic")})
        self.assertLessEqual({Namespace.PUBSUB, Namespace.MAM_2, Namespace.COMMANDS, Namespace.PING}, set(info.features))
        self.assertEqual(alice.do("SoftwareVersion", "request_software_version", BUS).name, "Xylem")
        self.assertTrue(alice.do("EntityTime", "request_entity_time", BUS))
        self.assertIsNotNone(alice.do("LastActivity", "request_last_activity", BUS))
        alice.do("Ping", "ping", BUS)

    def test_02_a_topic(self):
        alice, bob = self.person("alice"), self.person("bob")
        create = Iq("set", to=BUS)
        create.addChild("pubsub", namespace=Namespace.PUBSUB).addChild("create", {"node": "gajim"})
        self.assertEqual(alice.ask(create).getType(), "result")
        alice.do("PubSub", "reconfigure_node", "gajim", {"pubsub#access_model": "open", "pubsub#title": "By nbxmpp"}, BUS)
        form = alice.do("PubSub", "get_node_configuration", "gajim", jid=BUS).form
        self.assertEqual((form["pubsub#access_model"].value, form["pubsub#title"].value), ("open", "By nbxmpp"))
        info = bob.do("Discovery", "disco_info", BUS, node="gajim")
        self.assertEqual(info.dataforms[0]["pubsub#title"].value, "By nbxmpp")
        subscribe = Iq("set", to=BUS)
        subscribe.addChild("pubsub", namespace=Namespace.PUBSUB).addChild(
            "subscribe", {"node": "gajim", "jid": "bob@example.com"})
        self.assertEqual(bob.ask(subscribe).getType(), "result")
        for i in range(5):
            result = alice.do("PubSub", "publish", "gajim", order(i), id_=f"o{i}", jid=BUS,
                              options={"pubsub#access_model": "open"})
            self.assertEqual((result.node, result.id), ("gajim", f"o{i}"))
            event = bob.told(node="gajim", id=f"o{i}")
            self.assertEqual(event.item.getTag("order").getAttr("number"), str(i))
        with self.assertRaises(StanzaError) as raised:
            alice.do("PubSub", "publish", "gajim", order(9), id_="o9", jid=BUS,
                     options={"pubsub#access_model": "whitelist"})
        self.assertEqual(raised.exception.app_condition, "precondition-not-met")
        items = bob.do("PubSub", "request_items", "gajim", max_items=2, jid=BUS)
        self.assertEqual([item.getAttr("id") for item in items], ["o3", "o4"])
        self.assertEqual(bob.do("PubSub", "request_item", "gajim", "o1", jid=BUS).getAttr("id"), "o1")
        alice.do("PubSub", "retract", "gajim", "o1", jid=BUS)
        bob.told(node="gajim", id="o1", retracted=True)
        self.assertEqual([i.node for i in bob.do("Discovery", "disco_items", BUS).items], ["gajim"])
        alice.do("PubSub", "purge", "gajim", jid=BUS)
        bob.told(node="gajim", purged=True)
        alice.do("PubSub", "delete", "gajim", jid=BUS)
        bob.told(node="gajim", deleted=True)

    def test_03_every_command(self):
        """Each is begun; forms go back as they came, as far as they may; the library reads every answer."""
        root = self.person("root")
        commands = root.do("AdHoc", "request_command_list", BUS)
        self.assertGreater(len(commands), 20)
        ends = {}
        for command in commands:
            answer = root.do("AdHoc", "execute_command", command)
            for _ in range(3):
                if answer.is_completed:
                    break
                self.assertIn(answer.default, answer.actions, command.node)
                form = extend_form(answer.data)
                if not form.is_valid() or not list(form.iter_fields()):
                    answer = root.do("AdHoc", "execute_command", answer, AdHocAction.CANCEL)
                    break
                form.type_ = "submit"
                answer = root.do("AdHoc", "execute_command", answer, answer.default, form)
            ends[command.node] = answer.status.value
            self.assertTrue(answer.is_completed or answer.is_canceled, command.node)
            if answer.data is not None:
                extend_form(answer.data)
        stage.say(", ".join(f"{node} {end}" for node, end in sorted(ends.items())))
        self.assertEqual({ends[node] for node in ("bus-status", "topics", "routes", "connectors", "lanes")}, {"completed"})


if __name__ == "__main__":
    stage.run(NbxmppTest)
