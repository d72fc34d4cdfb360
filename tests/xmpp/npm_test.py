# SPDX-License-Identifier: Apache-2.0
"""A client of npm exchanges messages with endpoints: npm_test.py XYLEMD prosody|ejabberd

`npm ci` puts xmpp.js, in the versions of tests/xmpp/npm/package-lock.json, into a folder that git ignores.
"""
import asyncio
import fcntl
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.xmpp import stage  # noqa: E402

BUS = stage.BUS
NPM = pathlib.Path(__file__).resolve().parent / "npm"


def install():
    """Once, also when the tests of both servers run at the same time."""
    with open(NPM / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (NPM / "node_modules/@xmpp/client-core/package.json").exists():
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=NPM, check=True,
                           timeout=240, stdout=subprocess.DEVNULL)


class NpmTest(stage.Case):
    people = ("nina",)
    xmpp = "allow: ['@example.com']"
    config = """
users: {{ ops: {{ role: admin, jids: [ops@example.com] }} }}
connectors:
  bot: {{ xmpp: {{ reply: true, text: "you said: {{/data}}" }} }}
  alerts: {{ xmpp: {{ to: [nina@example.com], confirm: receipt }} }}
routes:
  bot: {{ from: [bot], to: [bot] }}
  alert: {{ from: [alerts], to: [alerts] }}
"""

    @classmethod
    def setUpClass(cls):
        install()
        super().setUpClass()
        cls.loop.run_until_complete(cls.people_online.pop("nina").logout())

    async def test_01_talks_and_gives_receipts(self):
        nina = await asyncio.create_subprocess_exec(
            "node", NPM / "person.mjs", str(self.stage.server.client_port), "nina", f"bot@{BUS}", "grüße & <3",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)

        heard = []  # receipt and answer come in any order

        async def says(key):
            while not any(key in said for said in heard):
                line = await asyncio.wait_for(nina.stdout.readline(), 60)
                self.assertTrue(line, f"no {key}; there is {heard}")
                heard.append(json.loads(line))
                self.assertNotIn("error", heard[-1])
            return heard.pop([key in said for said in heard].index(True))

        # The receipt says: on disk.
        self.assertEqual((await says("receipt"))["receipt"], "n1")
        answer = await says("body")
        self.assertEqual((answer["body"], answer["thread"]), ("you said: grüße & <3", "t-npm"))
        status, message = self.stage.api("publish", {"ingress": "alerts", "data_text": "are you there?"})
        self.assertEqual(status, 200, message)
        self.assertEqual((await says("body"))["body"], "are you there?")
        while self.stage.api(f"messages/{message['handle']}")[1]["lanes"][0]["outcome"] != "delivered":
            await asyncio.sleep(0.02)
        nina.stdin.close()
        self.assertEqual(await asyncio.wait_for(nina.wait(), 30), 0)


if __name__ == "__main__":
    stage.run(NpmTest)
