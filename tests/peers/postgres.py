# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the test's own.

    with Postgres() as server:
        server.sql("CREATE TABLE t (id bigint PRIMARY KEY)")
        server.dsn                   # "host=127.0.0.1 port=... dbname=test user=test"
        server.kill(); server.start()

Own data folder, own port on 127.0.0.1 and own socket folder. The server refuses
to run as root, so root starts it as `postgres` (another account by user=).
"""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

from . import ports
from .process import PeerError, Process

SEARCHED = ["/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"]


def program(name):
    """The path of a server program (Debian keeps them outside PATH); None where there is none."""
    return shutil.which(name, path=os.pathsep.join(SEARCHED + [os.environ.get("PATH", "")]))


class Postgres:
    def __init__(self, folder=None, port=None, password=None, settings=None, user="postgres"):
        """`folder`: kept when given (a second start finds its data), else temporary. `password`: ask for
        it (SCRAM); without one everybody on the loopback is let in. `settings`: lines of postgresql.conf."""
        self._temporary = folder is None
        # The path of a socket may not be longer than 107 bytes.
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="xylem-pg-", dir="/tmp"))
        self.port = port or ports.free()
        self.password = password
        self.settings = dict(settings or {})
        self.account = user if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.data = self.folder / "data"
        self.process = None

    @property
    def dsn(self):
        return f"host=127.0.0.1 port={self.port} dbname=test user=test"

    @property
    def socket_dsn(self):
        return f"host={self.folder} port={self.port} dbname=test user=test"

    def start(self):
        fresh = not (self.data / "PG_VERSION").exists()
        if fresh:
            self._create()
        # A server that was killed leaves its pid file; the number may belong to anybody now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        arguments = [program("postgres"), "-D", self.data, "-p", self.port, "-k", self.folder,
                     "-c", "listen_addresses=127.0.0.1"]
        for name, value in self.settings.items():
            arguments += ["-c", f"{name}={value}"]
        self.process = Process(arguments, log=self.folder / "log", user=self.account, cwd="/")
        self.process.wait_line(r"database system is ready to accept connections", 60)
        if fresh:
            self._psql("postgres", "postgres", "CREATE ROLE test LOGIN SUPERUSER"
                       + (f" PASSWORD '{self.password}'" if self.password else ""))
            self._psql("postgres", "postgres", "CREATE DATABASE test OWNER test")
        return self

    def _create(self):
        if not program("initdb"):
            raise PeerError("no PostgreSQL server programs: apt install postgresql")
        self.folder.mkdir(parents=True, exist_ok=True)
        method = "scram-sha-256" if self.password else "trust"
        secret = self.folder / "password"
        secret.write_text((self.password or "unused") + "\n")
        for path in (self.folder, secret):
            if os.geteuid() == 0:
                shutil.chown(path, self.account, self.account)
        secret.chmod(0o600)
        arguments = [program("initdb"), "-D", self.data, "-U", "postgres", "-A", method, "--pwfile", secret,
                     "-E", "UTF8", "--locale=C", "--no-sync"]
        creation = Process(arguments, log=self.folder / "initdb.log", user=self.account, cwd="/")
        if creation.wait(120) != 0:
            raise PeerError(f"initdb failed:\n{creation.tail()}")

    def sql(self, text, database="test"):
        """Runs SQL (several statements are one transaction); the rows, each a list of strings, NULL as None."""
        return self._psql(database, "test", text)

    def value(self, text, database="test"):
        """The one value of a query, as a string."""
        return self.sql(text, database)[0][0]

    def _psql(self, database, user, text):
        environment = dict(os.environ, PGPASSWORD=self.password or "", PGCONNECT_TIMEOUT="10", PGCLIENTENCODING="UTF8")
        done = subprocess.run(
            [program("psql"), "-X", "-q", "-A", "-t", "-0", "-F", "\x1f", "-P", "null=\x1e", "-v", "ON_ERROR_STOP=1",
             "-h", "127.0.0.1", "-p", str(self.port), "-U", user, "-d", database, "-c", text],
            env=environment, capture_output=True, timeout=120, check=False)
        if done.returncode != 0:
            raise PeerError(f"psql: {done.stderr.decode(errors='replace').strip()}")
        records = done.stdout.decode().split("\0")
        return [[None if field == "\x1e" else field for field in record.split("\x1f")]
                for record in records if record not in ("", "\n")]

    def stop(self, deadline=30.0):
        """An orderly stop that cuts the sessions off (SIGINT: "fast")."""
        if self.process and self.process.alive():
            self.process.stop(deadline, signal.SIGINT)

    def kill(self):
        """kill -9 of the server and all its sessions; start() recovers from the data folder."""
        if self.process:
            # Sessions lead process groups of their own, so the group alone is not enough.
            sessions = self._pids()[1:]
            self.process.kill()
            for pid in sessions:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def pause(self):
        """Every process stopped: connections are taken and nothing is answered."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def _pids(self):
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                                  capture_output=True, text=True, check=False).stdout.split()
        return [self.process.pid] + [int(child) for child in children]

    def close(self):
        self.kill()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
