# SPDX-License-Identifier: Apache-2.0
"""librdkafka's mock cluster as a process of its own.

    python3 kafka_mock.py

prints `BROKERS=host:port`, makes a topic for each line `NAME PARTITIONS` that it
reads (others come by use), and ends with its standard input. It speaks the
protocol, keeps 5 MB a partition, then drops the oldest, and forgets all at the end.
"""
import ctypes
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.peers import librdkafka  # noqa: E402


def main():
    lib = librdkafka.library()
    handle = librdkafka.new_handle(0, {"log_level": "0"})
    cluster = ctypes.c_void_p(lib.rd_kafka_mock_cluster_new(handle, 1))
    print(f"BROKERS={lib.rd_kafka_mock_cluster_bootstraps(cluster).decode()}", flush=True)
    for line in sys.stdin:
        name, partitions = line.split()
        lib.rd_kafka_mock_topic_create(cluster, name.encode(), int(partitions), 1)
        print(f"topic {name} {partitions}", flush=True)
    lib.rd_kafka_mock_cluster_destroy(cluster)
    lib.rd_kafka_destroy(handle)


if __name__ == "__main__":
    main()
