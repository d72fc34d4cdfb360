# SPDX-License-Identifier: Apache-2.0
"""What a path test stands on: the real xylemd, a load, a sink that misbehaves when told to, and TAP.

    from harness import Bus, Sink, case, run, say

    @case
    def a_message_arrives():
        "The sentence that the TAP line shows."
        with Sink() as sink, Bus(connectors={...}, routes={...}) as bus:
            bus.post("/in", b'{"id":"1"}')
            sink.wait(1)

    run()

The rule: a wait is for a condition, with a deadline (`until`); nothing sleeps in the hope that something has
happened meanwhile. A load is paced, which is not a wait. What a test saw is told by say(), as TAP diagnostics.
"""
import collections
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import ports  # noqa: E402
from tests.peers.process import Process  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
XYLEMD = os.environ.get("XYLEMD", str(ROOT / "build/bus/main/xylemd"))
#: How long an outage of the fault tests lasts; `XYLEM_PATH_OUTAGE=30` for the long form.
OUTAGE = float(os.environ.get("XYLEM_PATH_OUTAGE", "5"))
#: A wait's deadline: far beyond what anything takes, so that a slow machine is not a failure.
DEADLINE = 30.0


# --- TAP ---------------------------------------------------------------------------------------------------

_cases = []
_print_lock = threading.Lock()


class Skip(Exception):
    pass


def case(function):
    _cases.append(function)
    return function


def say(text):
    with _print_lock:
        for line in str(text).splitlines() or [""]:
            print("# " + line, flush=True)


def run():
    """Runs the cases in the order of the file, or those that the command line names."""
    chosen = [c for c in _cases if not sys.argv[1:] or c.__name__ in sys.argv[1:]]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, function in enumerate(chosen, 1):
        title = (function.__doc__ or function.__name__).strip().splitlines()[0].rstrip(".")
        title = f"{function.__name__}: {title}".replace("#", "")
        began = time.monotonic()
        try:
            function()
            print(f"ok {number} - {title}", flush=True)
            say(f"took {time.monotonic() - began:.1f} s")
        except Skip as why:
            print(f"ok {number} - {title} # SKIP {why}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {title}", flush=True)
            say(traceback.format_exc())
    sys.exit(1 if failed else 0)


def until(condition, what, deadline=DEADLINE):
    """Waits until condition() is true and returns what it gave; AssertionError with `what` past the deadline."""
    end = time.monotonic() + deadline
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what() if callable(what) else what}")
        time.sleep(0.01)  # the pace of looking


def needs(kind):
    """Skips the case where this build has no such connector or transform."""
    if subprocess.run([XYLEMD, "explain", kind], capture_output=True, check=False).returncode:
        raise Skip(f"this build has no {kind}")


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


# --- The bus -----------------------------------------------------------------------------------------------

class Answer:
    """Status, headers (lower-case names) and body of an answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body.decode(errors='replace')}"


class Bus:
    """A bus in a folder of its own. `config` sections are mappings; every webhook shares one listener."""

    def __init__(self, connectors=None, routes=None, folder=None, data=None, env=None, **sections):
        self._temporary = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="xylem-path-", dir="/tmp"))
        self.folder.mkdir(exist_ok=True)
        self.data = pathlib.Path(data or self.folder / "data")
        self.file = self.folder / "bus.yaml"
        self.port, self.console = ports.free(2)
        self.env = dict(env or {})
        self.process = None
        self.runs = 0
        self.connectors, self.routes, self.sections = connectors or {}, routes or {}, sections
        self.write()

    def write(self):
        """Writes the configuration as it is now in this object."""
        connectors = {}
        for name, kinds in self.connectors.items():
            (kind, options), = kinds.items()
            if kind == "webhook":
                options = {"listen": f"127.0.0.1:{self.port}", "verify": "none", **options}
            connectors[name] = {kind: options}
        whole = {"bus": {"name": "test", "data": str(self.data), **self.sections.get("bus", {})},
                 "console": {"listen": f"127.0.0.1:{self.console}"}, "connectors": connectors,
                 "routes": self.routes}
        for name, section in self.sections.items():
            if name != "bus":
                whole[name] = section
        self.file.write_text(json.dumps(whole, indent=1))  # JSON is YAML

    def start(self, *arguments, env=None):
        self.launch(*arguments, env=env)
        self.process.wait_line(r"ready: ", DEADLINE)
        return self

    def launch(self, *arguments, env=None):
        """Starts it without waiting for it to be ready."""
        self.runs += 1
        environment = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
                       "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", **self.env, **(env or {})}
        self.process = Process([XYLEMD, "run", *arguments, self.file], log=self.folder / f"log.{self.runs}",
                               env=environment)
        return self.process

    def refused(self, *arguments, env=None):
        """Starts it where it has to refuse; its log."""
        process = self.launch(*arguments, env=env)
        status = process.wait(DEADLINE)
        if status != 1:
            raise AssertionError(f"ended with {status}, wanted 1\n{self.log}")
        return self.log

    def stop(self, number=signal.SIGTERM):
        """Asks it to end; seconds that it took. A sanitizer's complaint is a failure here."""
        began = time.monotonic()
        status = self.process.stop(60, number)
        if status != 0:
            raise AssertionError(f"xylemd ended with {status}\n{self.process.tail(60)}")
        return time.monotonic() - began

    def kill(self):
        self.process.kill()

    @property
    def log(self):
        return self.process.text()

    def log_line(self, pattern):
        return re.findall(f"^.*(?:{pattern}).*$", self.log, re.MULTILINE)

    def wait_log(self, pattern, deadline=DEADLINE):
        return until(lambda: self.log_line(pattern), lambda: f"a log line /{pattern}/ in\n{self.process.tail(40)}",
                     deadline)

    def reload(self):
        """SIGHUP, and waits until the bus has said what came of it: True for taken."""
        self.process.mark()
        self.process.send(signal.SIGHUP)
        return b"generation" in self.process.wait_line(r"reload: (generation .*|refused.*)|reload.*(generation|refused)",
                                                       DEADLINE).group(0)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.clean()
            raise

    def __exit__(self, kind, *_):
        try:
            if self.process and self.process.alive():
                if kind is None:
                    self.stop()
                else:
                    say(self.process.tail(30))
                    self.process.kill()
        finally:
            self.clean()

    def clean(self):
        if self.process and self.process.alive():
            self.process.kill()
        if self._temporary and not os.environ.get("XYLEM_PATH_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    # Webhooks

    def connection(self, timeout=DEADLINE):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def send(self, path, body, headers=None, method="POST"):
        with contextlib.closing(self.connection()) as connection:
            body = body if isinstance(body, bytes) else body.encode()
            connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            return Answer(connection.getresponse())

    def post(self, path, body, headers=None):
        """The same, and it has to be accepted: the handles."""
        answer = self.send(path, body, headers)
        if answer.status != 202:
            raise AssertionError(f"POST {path}: {answer}")
        return answer.json["handles"]

    # REST

    @property
    def token(self):
        return (self.data / "admin.token").read_text().strip()

    def ask(self, method, path, body=None, token=True):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.console, timeout=DEADLINE)) as connection:
            headers = {"Content-Type": "application/json"}
            if token:
                headers["Authorization"] = "Bearer " + self.token
            text = None if body is None else body if isinstance(body, (bytes, str)) else json.dumps(body)
            connection.request(method, path, text, headers)
            return Answer(connection.getresponse())

    def get(self, path):
        answer = self.ask("GET", "/api/v1/" + path)
        if answer.status != 200:
            raise AssertionError(f"GET {path}: {answer}")
        return answer.json

    def do(self, path, body=None):
        answer = self.ask("POST", "/api/v1/" + path, {} if body is None else body)
        if answer.status not in (200, 201, 202):
            raise AssertionError(f"POST {path}: {answer}")
        return answer.json

    def lane(self, name):
        """None when there is no such lane."""
        return next((lane for lane in self.get("lanes")["lanes"] if lane["lane"] == name), None)

    def wait_lane(self, name, deadline=DEADLINE, **wanted):
        """Waits until the lane has these members, such as backlog=0, state="paused"."""
        seen = [None]

        def there():
            seen[0] = self.lane(name)
            return seen[0] if seen[0] and all(seen[0][member] == value for member, value in wanted.items()) else None
        return until(there, lambda: f"lane {name} {wanted}; it is {seen[0]}", deadline)

    def cases(self, **filters):
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        return self.get("hospital/cases" + ("?" + query if query else ""))["cases"]

    def wait_cases(self, count, deadline=DEADLINE, **filters):
        until(lambda: len(self.cases(**filters)) == count,
              lambda: f"{count} cases; there are {self.cases(**filters)}", deadline)
        return self.cases(**filters)

    def ready(self):
        return self.ask("GET", "/readyz", token=False)


# --- The sink ----------------------------------------------------------------------------------------------

Request = collections.namedtuple("Request", "time method path headers body status")


class Sink:
    """An HTTP server in threads. `behave(request)` gives a status, or (status, headers, body); it can be replaced
    at any time. Each request is kept in `.log` in the order in which it was answered."""

    def __init__(self, behave=None, port=None):
        self.behave = behave or (lambda request: 200)
        self.port = port or ports.free()
        self.log = []
        self.changed = threading.Condition()
        self._listener = None
        self._open = set()
        self.listen()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until(lambda: self._bound(listener), "the sink's port", 20)
        listener.listen(128)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _bound(self, listener):
        try:
            listener.bind(("127.0.0.1", self.port))
            return True
        except OSError:
            return False

    def refuse(self):
        """From now on connections are refused, and those that are open are cut."""
        listener, self._listener = self._listener, None
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self.changed:
            open_now = list(self._open)
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection.makefile("rb", buffering=65536) as stream:
                while self._one(connection, stream):
                    pass
        except (OSError, ValueError):
            pass
        finally:
            with self.changed:
                self._open.discard(connection)
            connection.close()

    def _one(self, connection, stream):
        line = stream.readline()
        if not line:
            return False
        method, path, _ = line.decode().split(" ", 2)
        headers = {}
        while (line := stream.readline()) not in (b"\r\n", b""):
            name, value = line.decode().split(":", 1)
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = stream.read(int(headers.get("content-length", "0")))
        request = Request(time.monotonic(), method, path, headers, body, None)
        answer = self.behave(request)
        status, more, text = answer if isinstance(answer, tuple) else (answer, {}, b"")
        # Kept before it is answered: what is answered can be seen by nobody before it stands here.
        with self.changed:
            self.log.append(request._replace(status=status, time=time.monotonic()))
            self.changed.notify_all()
        extra = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{extra}\r\n".encode() + text)
        return True

    def taken(self):
        """What was answered with 2xx."""
        return [request for request in list(self.log) if request.status // 100 == 2]

    def ids(self):
        """The event ids of what was taken, in order, repeats and all."""
        return [request.headers.get("ce-id") for request in self.taken()]

    def wait(self, count, deadline=DEADLINE):
        """Waits for `count` taken requests."""
        until(lambda: len(self.log) >= count and len(self.taken()) >= count,
              lambda: f"{count} requests taken; {len(self.taken())} of {len(self.log)} are", deadline)
        return self.taken()

    def wait_ids(self, wanted, deadline=DEADLINE):
        """Waits until every id of `wanted` was taken."""
        wanted = set(wanted)
        missing = [wanted]

        def there():
            missing[0] = wanted - set(self.ids())
            return not missing[0]
        until(there, lambda: f"{len(missing[0])} of {len(wanted)} are missing: {sorted(missing[0])[:5]}", deadline)

    def close(self):
        if self._listener:
            self.refuse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- The load ----------------------------------------------------------------------------------------------

Sent = collections.namedtuple("Sent", "id key number time handle")


class Load:
    """Posts {"id","key","n"} from several senders, each with keys of its own, so that the order in which a key's
    messages were acknowledged is known. What was acknowledged is in `.sent`; `.refused` counts 503."""

    def __init__(self, bus, path="/in", senders=4, rate=200.0, keys=5, prefix="m", body=None):
        self.bus, self.path, self.rate, self.keys, self.prefix = bus, path, rate, keys, prefix
        self.body = body or (lambda identity, key, n: json.dumps({"id": identity, "key": key, "n": n}))
        self.sent, self.refused, self.statuses = [], 0, collections.Counter()
        self.unanswered, self.failed = 0, []
        self.retry_after = collections.Counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(i, rate / senders), daemon=True)
                         for i in range(senders)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.sent

    def for_seconds(self, seconds):
        """Lets the load run on for as long; this is its length, not a wait for something."""
        self._stop.wait(seconds)

    def _send(self, sender, rate):
        connection, n, due = self.bus.connection(), 0, time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1.0 / rate, time.monotonic() - 1.0)
            key = f"{self.prefix}{sender}-{n % self.keys}"
            identity = f"{self.prefix}-{sender}-{n}"
            try:
                sent_at = time.monotonic()
                connection.request("POST", self.path, self.body(identity, key, n), {"Content-Type": "application/json"})
                answer = Answer(connection.getresponse())
            except OSError as error:
                refused = isinstance(error, ConnectionRefusedError)
                with self._lock:
                    self.statuses["refused" if refused else "cut"] += 1
                    self.unanswered += not refused
                    self.failed.append((identity, sent_at, repr(error)))
                connection.close()
                connection, n = self.bus.connection(), n + 1
                continue
            except http.client.HTTPException as error:
                with self._lock:
                    self.statuses["cut"] += 1
                    self.unanswered += 1
                    self.failed.append((identity, sent_at, repr(error)))
                connection.close()
                connection, n = self.bus.connection(), n + 1
                continue
            with self._lock:
                self.statuses[answer.status] += 1
                if answer.status == 202:
                    self.sent.append(Sent(identity, key, n, sent_at, answer.json["handles"][0]))
                elif answer.status == 503:
                    self.refused += 1
                    self.retry_after[answer.headers.get("retry-after")] += 1
            n += 1

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def in_order(sink, sent=None):
    """Per key the first deliveries are in the order in which they were acknowledged. The number of duplicates."""
    order, seen, duplicates = collections.defaultdict(list), set(), 0
    for request in sink.taken():
        event = json.loads(request.body)
        if event["id"] in seen:
            duplicates += 1
            continue
        seen.add(event["id"])
        order[event["key"]].append(event["n"])
    for key, numbers in order.items():
        if numbers != sorted(numbers):
            raise AssertionError(f"key {key}: {numbers}")
    return duplicates


def nothing_lost(sink, sent, deadline=DEADLINE):
    """Waits for every acknowledged message; the number of duplicates. Foreign ids are a failure."""
    assert sent, "nothing was acknowledged: there was no load"
    sink.wait_ids([one.id for one in sent], deadline)
    return in_order(sink)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def latencies(sink, sent, since, until_time):
    """Milliseconds from the post to the sink's first answer, of what was posted between the two times."""
    first = {}
    for request in sink.taken():
        first.setdefault(request.headers.get("ce-id"), request.time)
    return [(first[one.id] - one.time) * 1000 for one in sent if since <= one.time < until_time and one.id in first]


def describe(sink, sent, since, until_time):
    values = latencies(sink, sent, since, until_time)
    return f"p50 {percentile(values, 0.5):.1f} ms, p99 {percentile(values, 0.99):.1f} ms of {len(values)} messages"


def longest_pause(sink, since, until_time):
    """The longest time within the span in which the sink took nothing, in seconds."""
    times = [since] + [r.time for r in sink.taken() if since <= r.time <= until_time] + [until_time]
    return max(later - earlier for earlier, later in zip(times, times[1:]))
