# SPDX-License-Identifier: Apache-2.0
"""One child process with a log file: start, wait for a line or a port, stop, kill.

    with Process(["xylemd", "run", "x.yaml"], log=folder / "xylemd.log") as bus:
        bus.wait_line(r"ready", 10)
        bus.wait_port(7070, 10)
        bus.kill()                  # SIGKILL to it and to all its children

The child leads a session of its own, so that a kill takes its children too. It
dies with the thread that started it, even when that one is killed with -9, so
start peers from the main thread or from one that outlives them.
"""
import atexit
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import time
import weakref

from . import ports

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_running = weakref.WeakSet()


class PeerError(Exception):
    """A peer did not do what the test needs; the text ends with the tail of its log."""


class Process:
    def __init__(self, args, log, env=None, cwd=None, user=None, stdin=None, stdout=None, tied=True):
        """`env` is added to ours. `user`: run as this account (only root can). `stdout`: subprocess.PIPE
        to read it through .stdout, else it goes to the log like stderr."""
        self.args = [str(a) for a in args]
        self.log = pathlib.Path(log)
        self._seen = 0
        environment = dict(os.environ, **(env or {}))
        if user and os.geteuid() == 0:
            # PDEATHSIG is lost when the user changes; setpriv sets it after that.
            self.args = ["setpriv", "--reuid", user, "--regid", user, "--init-groups",
                         "--pdeathsig", "KILL", *self.args]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log_file:
            self._seen = log_file.tell()
            self.popen = subprocess.Popen(
                self.args, stdin=stdin if stdin is not None else subprocess.DEVNULL,
                stdout=stdout if stdout is not None else log_file, stderr=log_file,
                env=environment, cwd=cwd, start_new_session=True, preexec_fn=_die_with_parent if tied else None)
        _running.add(self)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def stdin(self):
        return self.popen.stdin

    @property
    def stdout(self):
        return self.popen.stdout

    @property
    def returncode(self):
        return self.popen.poll()

    def alive(self):
        return self.popen.poll() is None

    def text(self):
        """The whole log."""
        return self.log.read_text(errors="replace")

    def tail(self, lines=25):
        return "\n".join(self.text().splitlines()[-lines:])

    def mark(self):
        """wait_line() looks only at what is logged after this."""
        self._seen = self.log.stat().st_size

    def wait_line(self, pattern, deadline=30.0):
        """Waits for a log line that matches the regular expression, from the start or mark() on; the match."""
        wanted = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.MULTILINE)
        end = time.monotonic() + deadline
        while True:
            ended = not self.alive()
            with open(self.log, "rb") as log_file:
                log_file.seek(self._seen)
                found = wanted.search(log_file.read())
            if found:
                return found
            if ended or time.monotonic() > end:
                why = f"ended with {self.returncode}" if ended else f"said nothing of that in {deadline} s"
                raise PeerError(f"{self.args[0]}: waiting for /{pattern}/: {why}\n{self.tail()}")
            time.sleep(0.02)  # a file gives no event without inotify

    def wait_port(self, port, deadline=30.0):
        if not ports.wait(port, deadline, alive=self.alive):
            why = "still running" if self.alive() else f"ended with {self.returncode}"
            raise PeerError(f"{self.args[0]}: port {port} does not accept ({why})\n{self.tail()}")

    def wait(self, deadline=30.0):
        """Waits for the end; the exit status."""
        try:
            return self.popen.wait(deadline)
        except subprocess.TimeoutExpired as late:
            raise PeerError(f"{self.args[0]}: still running after {deadline} s\n{self.tail()}") from late

    def send(self, number):
        """A signal, to the process alone."""
        if self.alive():
            self.popen.send_signal(number)

    def stop(self, deadline=30.0, number=signal.SIGTERM):
        """Asks it to end and waits; past the deadline it is killed and PeerError raised. The exit status."""
        self.send(number)
        try:
            return self.wait(deadline)
        except PeerError:
            self.kill()
            raise

    def kill(self):
        """SIGKILL to it and its children, and waits until it is gone."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()
        for pipe in (self.stdin, self.stdout):
            if pipe:
                pipe.close()

    def pause(self):
        """SIGSTOP: alive, holding its ports, and answering nothing."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self):
        os.killpg(self.pid, signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def _die_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@atexit.register
def _kill_all():
    for process in list(_running):
        process.kill()
