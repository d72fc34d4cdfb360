# SPDX-License-Identifier: Apache-2.0
"""A browser follows a topic: browser_test.py XYLEMD prosody|ejabberd

The library `stanza` in a headless Chromium, over the server's own WebSocket, subscribes to a topic and sees 1,000
items in their order. Chromium is driven by chromedriver (WebDriver, the W3C's); the page comes from this test.
"""
import asyncio
import fcntl
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import ports  # noqa: E402
from tests.peers.process import Process  # noqa: E402
from tests.xmpp import stage  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent / "browser"
ITEMS = 1000


def bundle():
    """The page's script in one file; installs the packages of the lock file on first use."""
    out = FOLDER / "node_modules" / "follow.bundle.js"
    with open(FOLDER / "package.json", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests of both servers may run at the same time
        if not out.exists():
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER, check=True,
                           capture_output=True, timeout=240)
        subprocess.run(["node_modules/.bin/esbuild", "follow.js", "--bundle", "--format=iife", "--define:global=window",
                        f"--outfile={out}", "--log-level=error"], cwd=FOLDER, check=True, timeout=120)
        return out.read_bytes()


class Page:
    """Serves one page with the script, on the loopback."""

    def __init__(self, script):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                content = script if self.path.endswith(".js") else b"<!doctype html><meta charset=utf-8><script src=follow.js></script>"
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/html")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Browser:
    """Chromium behind chromedriver."""

    def __init__(self, folder):
        self.port = ports.free()
        self.driver = Process(["chromedriver", f"--port={self.port}"], log=folder / "chromedriver.log", env={"HOME": str(folder)})
        self.driver.wait_port(self.port, 60)
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder}/chromium"]}
        answer = self.call("POST", "", {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}})
        self.session = answer["sessionId"]

    def call(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/session{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self.call("POST", f"/{self.session}/url", {"url": url})

    def run(self, script, *arguments):
        return self.call("POST", f"/{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def close(self):
        try:
            self.call("DELETE", f"/{self.session}")
        finally:
            self.driver.kill()


class BrowserTest(stage.Case):
    people = ("alice",)
    xmpp = "allow: [alice@example.com]"
    config = """
connectors:
  in: {{ webhook: {{ path: /in, verify: none, listen: "127.0.0.1:{hook}", accept: [array], id: /n, type: number }} }}
topics:
  t: {{ access: open, max_items: 2000 }}
routes:
  r: {{ from: [in], to: [topic:t] }}
"""

    @classmethod
    def setUpClass(cls):
        cls.websocket = ports.free()
        if sys.argv[2] == "prosody":
            cls.server_options = {"modules": ["websocket"], "settings":
                                  f'http_ports = {{ {cls.websocket} }}\nhttp_interfaces = {{ "127.0.0.1" }}\n'
                                  'http_default_host = "example.com"\nconsider_websocket_secure = true'}
        super().setUpClass()
        if sys.argv[2] == "ejabberd":
            cls.websocket = cls.stage.server.api_port
        cls.page = Page(bundle())
        cls.browser = Browser(cls.stage.folder)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.page.close()
        super().tearDownClass()

    async def until(self, script, wanted):
        """Asks the page until it says so; the test's own deadline ends it."""
        while True:
            got = await asyncio.to_thread(self.browser.run, script)
            if wanted(got):
                return got
            errors = await asyncio.to_thread(self.browser.run, "return window.seen.errors")
            self.assertEqual(errors, [])
            await asyncio.sleep(0.1)

    async def test_01_follows_a_topic_for_1000_items(self):
        await asyncio.to_thread(self.browser.open, self.page.url)
        await self.until("return window.seen && window.seen.state", lambda state: state == "loaded")
        await asyncio.to_thread(self.browser.run, "window.follow(arguments[0])", {
            "jid": "alice@example.com", "password": "pw", "service": stage.BUS, "node": "t",
            "websocket": f"ws://127.0.0.1:{self.websocket}/xmpp-websocket"})
        await self.until("return window.seen.state", lambda state: state == "following")
        for first in range(0, ITEMS, 100):
            orders = json.dumps([{"n": f"n{i}"} for i in range(first, first + 100)]).encode()
            self.assertEqual(self.stage.post("/in", orders, **{"Content-Type": "application/json"}), 202)
        await self.until("return window.seen.ids.length", lambda n: n >= ITEMS)
        seen = await asyncio.to_thread(self.browser.run, "return window.seen")
        self.assertEqual((len(seen["ids"]), len(set(seen["ids"]))), (ITEMS, ITEMS))
        self.assertEqual(seen["data"], seen["ids"], "the items' content is the events")
        page = self.stage.api(f"messages?ingress=topic:t&limit={ITEMS}")[1]["messages"]
        order = sorted((int(m["handle"].split("-")[1]), m["id"]) for m in page)
        self.assertEqual(seen["ids"], [name for _, name in order], "in order")
        version = await asyncio.to_thread(self.browser.run, "return navigator.userAgent")
        stage.say(f"{ITEMS} items in order, {version}")


if __name__ == "__main__":
    stage.run(BrowserTest)
