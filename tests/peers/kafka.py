# SPDX-License-Identifier: Apache-2.0
"""A Kafka broker of the test's own.

    with Kafka() as broker:
        broker.create_topic("orders", partitions=4)
        broker.brokers               # "127.0.0.1:21093"
        broker.kill(); broker.start()

The broker is Apache Kafka from the Maven repository that this machine's `mvn` is
set up for, kept in ${XDG_CACHE_HOME:-~/.cache}/xylem/kafka, one process in KRaft
mode. Where it cannot be had (no Java, no registry), start() falls back to
librdkafka's mock cluster (kafka_mock.py), which speaks the protocol, keeps 5 MB a
partition and forgets everything when it stops; `broker.mock` says so.
allow_mock=False refuses that.
"""
import base64
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import uuid

from . import librdkafka, ports
from .process import PeerError, Process

VERSION = "3.9.1"

_POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>xylem.tests</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""

_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.enable=false
num.network.threads=1
num.io.threads=2
background.threads=1
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
"""

# A test's broker is small and must start fast.
_JVM = ["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-Dorg.slf4j.simpleLogger.showDateTime=true"]


def jars(version=VERSION):
    """The folder with the broker's jars, fetched on first use; PeerError where that is not possible."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "xylem" / "kafka"
    folder = cache / version
    if folder.is_dir():
        return folder
    if not shutil.which("java") or not shutil.which("mvn"):
        raise PeerError("no java or no mvn on this machine")
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(version, folder)
    return folder


def _fetch(version, folder):
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        (pathlib.Path(work) / "pom.xml").write_text(_POM.format(version=version), encoding="utf-8")
        try:
            done = subprocess.run(
                ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={work}/jars",
                 "-DincludeScope=runtime"],
                cwd=work, capture_output=True, text=True, timeout=600, check=False)
        except subprocess.TimeoutExpired as late:
            raise PeerError("mvn did not finish in 600 s") from late
        if done.returncode != 0:
            raise PeerError(f"mvn failed: {(done.stdout + done.stderr).strip()[-600:]}")
        os.rename(f"{work}/jars", folder)


class Kafka:
    def __init__(self, folder=None, port=None, settings=None, version=VERSION, allow_mock=True, mock=False):
        """`folder`: kept when given, else temporary. `settings`: more server properties.
        `mock`: librdkafka's mock cluster on purpose, which starts in no time."""
        self._temporary = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="xylem-kafka-", dir="/tmp"))
        self.port = port
        self.settings = dict(settings or {})
        self.version = version
        self.allow_mock = allow_mock
        self.mock = mock
        self.brokers = None
        self.process = None
        self._controller = None

    def start(self):
        if not self.mock:
            try:
                self._start_broker(jars(self.version))
                return self
            except PeerError as why:
                if not self.allow_mock or self._controller:
                    raise
                print(f"# kafka: no broker here ({why}); using librdkafka's mock cluster, which forgets",
                      file=sys.stderr)
                self.mock = True
        self._start_mock()
        return self

    def _start_broker(self, folder):
        if not self._controller:
            chosen = ports.free(2)
            self.port, self._controller = self.port or chosen[0], chosen[1]
        self.brokers = f"127.0.0.1:{self.port}"
        data = self.folder / "data"
        properties = self.folder / "server.properties"
        self.folder.mkdir(parents=True, exist_ok=True)
        text = _PROPERTIES.format(port=self.port, controller=self._controller, data=data)
        text += "".join(f"{name}={value}\n" for name, value in self.settings.items())
        properties.write_text(text, encoding="utf-8")
        java = ["java", *_JVM, "-cp", f"{folder}/*"]
        if not (data / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            # With `=`, since one name in 64 begins with a hyphen.
            formatting = Process([*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", properties],
                                 log=self.folder / "format.log")
            if formatting.wait(60) != 0:
                raise PeerError(f"kafka: format failed\n{formatting.tail()}")
        self.process = Process([*java, "kafka.Kafka", properties], log=self.folder / "log")
        self.process.wait_line(r"Kafka Server started", 90)

    def _start_mock(self):
        script = pathlib.Path(__file__).parent / "kafka_mock.py"
        self.process = Process([sys.executable, script], log=self.folder / "log", stdin=subprocess.PIPE)
        self.brokers = self.process.wait_line(r"^BROKERS=(\S+)$", 15).group(1).decode()

    def create_topic(self, name, partitions=1, **config):
        """Creates a topic, and is content when it exists; `config` with _ for the dots: min_insync_replicas=1."""
        if self.mock:
            self.process.mark()
            self.process.stdin.write(f"{name} {partitions}\n".encode())
            self.process.stdin.flush()
            self.process.wait_line(rf"^topic {name} ", 10)
            return
        with librdkafka.Client(self.brokers) as client:
            client.create_topic(name, partitions, {key.replace("_", "."): str(value) for key, value in config.items()})

    def produce(self, topic, records, partition=None):
        """Puts tuples (key, value, headers) in, bytes or str; key and value may be None, headers is a dict."""
        with librdkafka.Client(self.brokers) as client:
            for record in records:
                key, value, headers = (*record, None, None)[:3]
                client.produce(topic, key, value, headers or {}, partition)
            client.flush(30)

    def read(self, topic, count=None, deadline=30.0):
        """All records of a topic (or its first `count`), as kcat -J prints them: partition, offset, key,
        payload, headers (a dict here). Without count: what is there now."""
        arguments = ["kcat", "-b", self.brokers, "-C", "-t", topic, "-o", "beginning", "-J", "-q", "-u"]
        arguments += ["-c", str(count)] if count else ["-e"]
        try:
            done = subprocess.run(arguments, capture_output=True, timeout=deadline, check=False)
        except subprocess.TimeoutExpired as late:
            have = len((late.stdout or b"").splitlines())
            raise PeerError(f"kafka: topic {topic} has {have} records after {deadline} s, not {count}") from late
        if done.returncode != 0:
            raise PeerError(f"kcat: {done.stderr.decode(errors='replace')}")
        records = [json.loads(line) for line in done.stdout.decode(errors="surrogateescape").splitlines()]
        for record in records:
            flat = record.get("headers") or []
            record["headers"] = dict(zip(flat[0::2], flat[1::2]))
        return records

    def committed(self, group, topic, partition):
        """The committed offset of a consumer group; None where there is none."""
        with librdkafka.Client(self.brokers, group) as client:
            return client.committed(topic, partition)

    def stop(self, deadline=30.0):
        if self.process and self.process.alive():
            self.process.stop(deadline)

    def kill(self):
        if self.process:
            self.process.kill()

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()

    def close(self):
        self.kill()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
