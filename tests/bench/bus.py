# SPDX-License-Identifier: Apache-2.0
"""What the bench starts: xylemd with a configuration of its own, the sink, the ceiling, the load."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request

from tests.peers import ports
from tests.peers.process import PeerError, Process

TICK = os.sysconf("SC_CLK_TCK")


class Programs:
    """Where the programs of a build folder lie."""

    def __init__(self, build):
        self.build = pathlib.Path(build)
        self.xylemd = self.build / "bus/main/xylemd"

    def bench(self, name):
        return self.build / "tests/bench" / f"bench-{name}"

    def run_json(self, name, *arguments, deadline=600):
        """Runs a program of the bench that prints lines of JSON; the list of them."""
        done = subprocess.run([str(self.bench(name)), *map(str, arguments)], capture_output=True, text=True,
                              timeout=deadline, check=False)
        if done.returncode != 0:
            raise PeerError(f"bench-{name}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def load(self, port, path="/orders", **options):
        """bench-http-load; its figures with the rate of messages."""
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        figures = self.run_json("http-load", "--port", port, "--path", path, *arguments)[0]
        figures["rate"] = figures["messages"] * 1e6 / (figures["end_us"] - figures["begin_us"])
        return figures


class Sink:
    """bench-http-sink, asked over HTTP for what it counted."""

    def __init__(self, programs, folder, port=None):
        self.port = port or ports.free()
        self.process = Process([programs.bench("http-sink"), self.port], log=folder / f"sink-{self.port}.log")
        self.process.wait_port(self.port, 10)

    def counted(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=60) as answer:
            return json.load(answer)

    def wait(self, orders, deadline=300):
        """Until so many have come; what was counted then. More than that is an error too."""
        end = time.monotonic() + deadline
        while (counted := self.counted())["orders"] < orders:
            if time.monotonic() > end:
                raise PeerError(f"the sink has {counted['orders']} orders of {orders} after {deadline} s")
            time.sleep(0.05)  # a count gives no event
        if counted["orders"] > orders:
            raise PeerError(f"the sink has {counted['orders']} orders, {orders} were sent")
        return counted

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()


class Bus:
    """xylemd over a folder: started with its start-up time, stopped, killed, weighed."""

    def __init__(self, programs, folder, config):
        self.programs = programs
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "xylem.yaml"
        self.console = ports.free()
        self.file.write_text(f"bus: {{ name: bench, data: ./data }}\n"
                             f"console: {{ listen: 127.0.0.1:{self.console} }}\n{config}", encoding="utf-8")
        self.process = None

    def start(self):
        """Seconds from the start of the process to its word that it is ready."""
        path = self.folder / "notify"
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as said:
            path.unlink(missing_ok=True)
            said.bind(str(path))
            said.settimeout(0.5)
            begin = time.monotonic()
            self.process = Process([self.programs.xylemd, "run", self.file], log=self.folder / "log",
                                   env={"NOTIFY_SOCKET": str(path)})
            while True:
                with contextlib.suppress(TimeoutError):
                    if said.recv(4096).startswith(b"READY=1"):
                        return time.monotonic() - begin
                if not self.process.alive() or time.monotonic() > begin + 300:
                    raise PeerError(f"xylemd is not ready\n{self.process.tail()}")

    def ask(self, method, path):
        """An operation of the console, as the admin."""
        token = (self.folder / "data/admin.token").read_text(encoding="ascii").strip()
        request = urllib.request.Request(f"http://127.0.0.1:{self.console}/api/v1/{path}", method=method,
                                         data=b"{}" if method == "POST" else None,
                                         headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def cpu_us(self):
        """User and system time so far, of all threads."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / TICK

    def memory_mb(self, name):
        """VmRSS (now), VmHWM (the most so far) or RssAnon (without mapped files), in MB."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(text.split(f"{name}:")[1].split()[0]) * 1024 / 1e6

    def stop(self):
        if self.process.stop(60) != 0:
            raise PeerError(f"xylemd did not stop well\n{self.process.tail()}")

    def kill(self):
        self.process.kill()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
