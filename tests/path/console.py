#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The console on a whole bus: REST and xylemctl against a running xylemd.

Its partner refuses what is bad.

usage: console.py XYLEMD XYLEMCTL   (XYLEM_PLUGINS in the environment as for xylemd)
"""
import http.client
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from peers import ports  # noqa: E402
from peers.process import Process  # noqa: E402

DEADLINE_S = 30
XYLEMD, XYLEMCTL = (os.path.abspath(path) for path in sys.argv[1:3])
TOKENS = {"viewer": "viewer-0123456789abcdef", "operator": "operator-0123456789abcdef",
          "deployer": "deployer-0123456789abcdef"}


class Partner(http.server.ThreadingHTTPServer):
    """Takes what has no `bad` in it, and remembers it."""

    def __init__(self):
        self.taken = []
        partner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if b"bad" not in body:
                    partner.taken.append(body)
                self.send_response(422 if b"bad" in body else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Bus:
    def __init__(self, folder, partner_port):
        self.folder = folder
        self.hook = ports.free()
        self.port = ports.free()
        for role, token in TOKENS.items():
            path = folder / f"{role}.token"
            path.write_text(token)
            path.chmod(0o600)
        self.text = f"""
bus: {{ name: path, data: ./data }}
console: {{ listen: "127.0.0.1:{self.port}", max_body: 64KiB }}
users:
  vera: {{ role: viewer, token: {{ file: viewer.token }} }}
  otto: {{ role: operator, token: {{ file: operator.token }} }}
  dora: {{ role: deployer, token: {{ file: deployer.token }} }}
connectors:
  shop: {{ webhook: {{ path: /shop, verify: none, listen: "127.0.0.1:{self.hook}" }} }}
  partner: {{ http: {{ url: "http://127.0.0.1:{partner_port}/in" }} }}
topics:
  news: {{ title: News }}
routes:
  orders: {{ from: [shop], to: [partner, topic:news], deliver: {{ order: none }} }}
"""
        (folder / "xylem.yaml").write_text(self.text)
        plugins = os.path.abspath(os.environ.get("XYLEM_PLUGINS", "."))
        self.environment = {"XDG_RUNTIME_DIR": str(folder), "XYLEM_PLUGINS": plugins}
        self.process = None

    def start(self):
        self.process = Process([XYLEMD, "run", "xylem.yaml"], log=self.folder / "log", env=self.environment,
                               cwd=self.folder)
        self.process.wait_line("ready: http", DEADLINE_S)

    def admin(self):
        return (self.folder / "data/admin.token").read_text().strip()

    def ask(self, method, path, token=None, body=None, headers=None):
        """Status, headers and body of one request; a JSON body is read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        head = {"Authorization": "Bearer " + token} if token else {}
        if body is not None:
            head["Content-Type"] = "application/json"
        head.update(headers or {})
        connection.request(method, path, body=body, headers=head)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        kind = answer.getheader("Content-Type", "")
        return answer.status, answer.headers, json.loads(data) if "json" in kind and data else data

    def api(self, method, path, body=None, status=200, headers=None):
        text = json.dumps(body) if body is not None else None
        got, _, answer = self.ask(method, "/api/v1/" + path, self.admin(), text, headers)
        assert got == status, (method, path, got, answer)
        return answer

    def ctl(self, *arguments, code=0, given=None, environment=None):
        done = subprocess.run([XYLEMCTL, *arguments], input=given, capture_output=True, timeout=DEADLINE_S,
                              env={**os.environ, **self.environment, **(environment or {})}, check=False)
        assert done.returncode == code, (arguments, done)
        return done.stdout.decode("utf-8", "surrogateescape")

    def post(self, data):
        connection = http.client.HTTPConnection("127.0.0.1", self.hook, timeout=DEADLINE_S)
        connection.request("POST", "/shop", body=data, headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 202, answer.status
        return json.loads(answer.read())["handles"][0]


def until(what, check):
    """Asks again until it is so, or the deadline passes."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        threading.Event().wait(0.02)
    raise AssertionError(f"not within {DEADLINE_S} s: {what}")


def lane(bus, name="orders/partner"):
    return bus.api("GET", "lanes/" + name)


# --- The cases, from basic to complex -----------------------------------------------


def t01_who_gets_in(bus, partner):
    assert bus.ask("GET", "/livez")[0] == 200
    assert bus.ask("GET", "/readyz")[0] == 200
    assert bus.ask("GET", "/metrics")[0] == 401
    assert b"xylem_build_info" in bus.ask("GET", "/metrics", TOKENS["viewer"])[2]
    token = bus.folder / "data/admin.token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert bus.admin() not in (bus.folder / "log").read_text()
    viewer, operator = TOKENS["viewer"], TOKENS["operator"]
    pause = "/api/v1/lanes/orders/partner/pause"
    rows = [("GET", "/api/v1/bus", None, None, {}, 401), ("GET", "/api/v1/bus", viewer, None, {}, 200),
            ("POST", pause, viewer, "{}", {}, 403), ("GET", "/api/v1/nosuch", viewer, None, {}, 404),
            ("DELETE", "/api/v1/bus", viewer, None, {}, 405),
            ("POST", pause, operator, "{}", {"Content-Type": "text/plain"}, 415),
            ("GET", "/api/v1/bus", viewer, None, {"Host": "evil.test"}, 403),
            ("GET", "/api/v1/bus", viewer, None, {"Origin": "http://evil.test"}, 403)]
    for method, path, who, body, headers, status in rows:
        got, head, answer = bus.ask(method, path, who, body, headers)
        assert got == status, (method, path, got, answer)
        assert status < 400 or head["Content-Type"] == "application/problem+json"
    assert bus.ask("POST", "/api/v1/publish", operator, "x" * 70000)[0] == 413


def t02_every_get_answers(bus, partner):
    document = bus.ask("GET", "/api/openapi.json", bus.admin())[2]
    assert document["openapi"] == "3.1.0"
    for path, item in document["paths"].items():
        if "get" in item and "{" not in path and not path.endswith("/events"):
            status, _, answer = bus.ask("GET", path, bus.admin())
            assert status == 200 and isinstance(answer, dict), (path, answer)


def t03_a_message_is_found_with_its_bytes(bus, partner):
    data = b'{"price":19.990,"id":12345678901234567890,"tiny":1e-400}'
    handle = bus.post(data)
    until("delivered to both", lambda: ["delivered", "delivered"] ==
          [one["outcome"] for one in bus.api("GET", "messages/" + handle)["lanes"]])
    assert data in partner.taken
    status, head, body = bus.ask("GET", f"/api/v1/messages/{handle}/data", bus.admin())
    assert status == 200 and head["Content-Disposition"] == "attachment"
    assert bus.ctl("data", handle).encode() == data
    assert bus.ask("GET", f"/api/v1/messages/{handle}/data", TOKENS["viewer"])[0] == 403
    found = bus.api("GET", "messages?limit=1000&ingress=shop")
    assert handle in [message["handle"] for message in found["messages"]]


def t04_pages_join_up(bus, partner):
    handles = {bus.post(b'{"page": %d}' % number) for number in range(7)}
    seen, path = [], "messages?ingress=shop&limit=3"
    after = ""
    while True:
        page = bus.api("GET", path + after)
        seen += [message["handle"] for message in page["messages"]]
        if not page["next"]:
            break
        after = "&after=" + page["next"]
    assert len(seen) == len(set(seen)) and handles <= set(seen)
    everything = json.loads(bus.ctl("search", "--ingress", "shop", "--limit", "2", "--all", "--json"))
    assert [message["handle"] for message in everything["messages"]] == seen


def t05_a_key_publishes_once(bus, partner):
    body = {"ingress": "shop", "data": {"once": 1}, "id": "once"}
    first = bus.api("POST", "publish", body, headers={"Idempotency-Key": '"key-1"'})
    again = bus.api("POST", "publish", body, headers={"Idempotency-Key": '"key-1"'})
    assert first == again
    other = {"ingress": "shop", "data": 2}
    bus.api("POST", "publish", other, status=422, headers={"Idempotency-Key": '"key-1"'})
    bus.process.kill()
    bus.start()
    assert bus.api("POST", "publish", body, headers={"Idempotency-Key": '"key-1"'}) == first
    found = bus.api("GET", "messages?id=once&ingress=shop")["messages"]
    assert [message["handle"] for message in found] == [first["handle"]]


def t06_events_stream(bus, partner):
    connection = http.client.HTTPConnection("127.0.0.1", bus.port, timeout=DEADLINE_S)
    connection.request("GET", "/api/v1/events?types=settled",
                       headers={"Authorization": "Bearer " + TOKENS["viewer"]})
    answer = connection.getresponse()
    assert answer.getheader("Content-Type") == "text/event-stream"
    handle = bus.post(b'{"stream": 1}')
    seen = []
    while len(seen) < 2:
        line = answer.readline().decode()
        assert line, "the stream ended"
        assert not line.startswith("event:") or line.strip() == "event: settled"
        if line.startswith("data: ") and json.loads(line[6:])["handle"] == handle:
            seen.append(json.loads(line[6:])["lane"])
    assert sorted(seen) == ["orders/partner", "orders/topic:news"]
    connection.close()


def t07_a_paused_lane_keeps(bus, partner):
    bus.ctl("pause", "lane", "orders/partner")
    assert lane(bus)["state"] == "paused"
    before = len(partner.taken)
    handle = bus.post(b'{"paused": 1}')
    until("the other lane goes on", lambda: {one["lane"]: one["outcome"] for one in
          bus.api("GET", "messages/" + handle)["lanes"]} ==
          {"orders/partner": "pending", "orders/topic:news": "delivered"})
    assert len(partner.taken) == before
    bus.ctl("resume", "lane", "orders/partner")
    until("delivered after resume", lambda: b'{"paused": 1}' in partner.taken)


def t08_a_case_is_repaired(bus, partner):
    bus.post(b'{"bad": 1}')
    case = until("a case", lambda: bus.api("GET", "hospital/cases")["cases"])[0]
    number, version = case["case"], case["version"]
    assert case["code"] == "http-422"
    path = f"hospital/cases/{number}/"
    bus.api("POST", path + "draft", {"version": version, "data": {"good": 1}})
    bus.api("POST", path + "draft", {"version": version, "data": {"other": 1}}, status=409)
    bus.api("POST", path + "replay", {"version": version}, status=409)
    bus.ctl("hospital", "replay", str(number))
    until("resolved", lambda: bus.api("GET", f"hospital/cases/{number}")["state"] == "resolved")
    assert b'{"good": 1}' in partner.taken
    bus.ctl("hospital", "replay", str(number), code=1)
    bus.ctl("hospital", "replay", "99999", code=1)


def t09_a_group_is_repaired(bus, partner):
    for number in range(5):
        bus.post(b'{"bad": %d}' % number)
    until("five cases", lambda: len(bus.api("GET", "hospital/cases?state=open")["cases"]) == 5)
    group = bus.api("GET", "hospital/groups")["groups"][0]["group"]
    for case in bus.api("GET", f"hospital/cases?group={group}")["cases"]:
        text = bus.ctl("hospital", "edit", str(case["case"]), "-", given=b'{"mended": %d}' % case["case"])
        assert "draft kept" in text
    assert "5 done, 0 refused" in bus.ctl("hospital", "replay", "--group", str(group))
    until("all resolved", lambda: not bus.api("GET", "hospital/cases")["cases"])
    assert len([body for body in partner.taken if b"mended" in body]) == 5


def t10_a_broken_file_changes_nothing(bus, partner):
    before = bus.api("GET", "config")["generation"]
    (bus.folder / "xylem.yaml").write_text(bus.text + "nosuch: 1\n")
    problem = bus.api("POST", "config/reload", {}, status=400)
    assert problem["errors"][0]["line"] > 1 and "nosuch" in problem["detail"], problem
    assert bus.api("GET", "config")["generation"] == before
    (bus.folder / "xylem.yaml").write_text(bus.text.replace("title: News", "title: Other"))
    assert bus.api("POST", "config/reload", {})["generation"] != before
    assert bus.api("GET", "topics")["topics"][0]["title"] == "Other"


def t11_the_audit_tells(bus, partner):
    records = bus.api("GET", "audit?limit=1000")["records"]
    seen = {(record["who"], record["operation"], record["outcome"]) for record in records}
    assert ("admin", "lane-pause", "ok") in seen and ("vera", "lane-pause", "forbidden") in seen
    assert ("vera", "message-data", "forbidden") in seen and ("admin", "hospital-draft", "conflict") in seen
    assert "mended" not in json.dumps(records)


def t12_xylemctl_for_scripts(bus, partner):
    assert "ready       yes" in bus.ctl("status")
    assert json.loads(bus.ctl("lanes", "--json"))["lanes"]
    assert "\x1b" not in bus.ctl("lanes")
    bus.ctl("nosuch", code=2)
    bus.ctl("pause", "lane", code=2)
    bus.ctl("lane", "nosuch/lane", code=1)
    bus.ctl("lanes", "--url", f"http://127.0.0.1:{ports.free()}", code=3)
    bus.ctl("lanes", code=4, environment={"XYLEM_TOKEN": "wrong"})
    bus.ctl("reload", code=1, environment={"XYLEM_TOKEN": TOKENS["viewer"]})
    elsewhere = {"XDG_RUNTIME_DIR": "/nonexistent"}
    bus.ctl("lanes", "--data-folder", str(bus.folder / "data"), environment=elsewhere)
    data = bytes(range(256))
    handle = json.loads(bus.ctl("publish", "shop", "--json", given=data))["handle"]
    assert bus.ctl("data", handle).encode("utf-8", "surrogateescape") == data
    exact = b'{"tiny": 1e-400, "long": 123456789012345678901234567890}'
    handle = json.loads(bus.ctl("publish", "shop", "--data", exact.decode(), "--json"))["handle"]
    assert bus.ctl("data", handle).encode() == exact


def t12_xylemctl_edits_and_finds_its_words(bus, partner):
    bus.post(b'{"bad": 7}')
    case, = until("a case", lambda: bus.api("GET", "hospital/cases")["cases"])
    number = str(case["case"])
    assert "failed again" not in bus.ctl("hospital", "discard", number)
    bus.ctl("hospital", "restore", number)
    editor = {"EDITOR": "sed -i s/7/8/", "VISUAL": "sed -i s/7/8/"}
    bus.ctl("hospital", "edit", number, environment=editor)
    assert bus.ctl("hospital", "data", number, "--which", "draft") == '{"bad": 8}'
    editor = {"EDITOR": "sed -i s/8/9/", "VISUAL": "sed -i s/8/9/"}
    bus.ctl("hospital", "edit", number, environment=editor)
    assert bus.ctl("hospital", "data", number, "--which", "draft") == '{"bad": 9}'
    bus.ctl("hospital", "discard", number)
    groups = bus.ctl("hospital", "groups", "--json")
    assert bus.ctl("hospital", "--json") == bus.ctl("--json", "hospital") == groups
    bus.ctl("hospital", "nosuch", code=2)
    assert "One of: failing, draft, original" in bus.ctl("hospital", "data", "--help")
    assert "usage: xylemctl tail" in bus.ctl("tail", "--help", environment={"XYLEM_URL": "http://127.0.0.1:1"})


def t13_tail_shows_and_ends(bus, partner):
    tail = subprocess.Popen([XYLEMCTL, "tail", "accepted", "--count", "2", "--json"], stdout=subprocess.PIPE,
                            env=dict(os.environ, **bus.environment))
    stop = threading.Event()

    def feed():
        while not stop.is_set():
            bus.post(b"{}")
            stop.wait(0.1)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        out, _ = tail.communicate(timeout=DEADLINE_S)
    finally:
        stop.set()
        feeder.join()
    assert tail.returncode == 0
    events = [json.loads(line) for line in out.decode().splitlines()]
    assert [event["event"] for event in events] == ["accepted", "accepted"]


def t14_wrong_tokens_are_slowed(bus, partner):
    statuses = [bus.ask("GET", "/api/v1/bus", "wrong")[0] for _ in range(20)]
    assert set(statuses) == {401, 429} and statuses[-1] == 429, statuses
    assert bus.ask("GET", "/api/v1/bus", bus.admin())[0] == 200


def t15_stopping_ends_streams_and_leaves_nothing(bus, partner):
    connection = http.client.HTTPConnection("127.0.0.1", bus.port, timeout=DEADLINE_S)
    connection.request("GET", "/api/v1/events", headers={"Authorization": "Bearer " + bus.admin()})
    answer = connection.getresponse()
    bus.process.stop()
    answer.read()
    assert not (bus.folder / "data/console.json").exists()
    assert not list((bus.folder / "xylem").glob("*.json"))
    bus.ctl("status", "--data-folder", str(bus.folder / "data"), code=3)


def main():
    names = sorted(name for name in globals() if name[0] == "t" and name[1:3].isdigit())
    cases = [(name, globals()[name]) for name in names]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="xylem-path-console-"))
    partner = Partner()
    bus = Bus(folder, partner.server_address[1])
    failed = 0
    print(f"1..{len(cases)}", flush=True)
    try:
        bus.start()
        for number, (name, case) in enumerate(cases, 1):
            try:
                case(bus, partner)
                print(f"ok {number} - {name[4:]}", flush=True)
            except Exception as error:  # noqa: BLE001 - a case may fail in any way
                failed += 1
                print(f"not ok {number} - {name[4:]}\n# {error!r}", flush=True)
        if "Sanitizer" in (folder / "log").read_text() or "runtime error" in (folder / "log").read_text():
            failed += 1
    finally:
        if failed:
            print("# " + "\n# ".join((folder / "log").read_text().splitlines()[-60:]))
        if bus.process:
            bus.process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
