# SPDX-License-Identifier: Apache-2.0
"""As much of librdkafka as the tests need, through ctypes: create a topic, put records in, ask for a
committed offset. Starting a JVM for each of these would take seconds."""
import ctypes

from .process import PeerError

_POINTERS = """rd_kafka_conf_new rd_kafka_new rd_kafka_NewTopic_new rd_kafka_queue_new rd_kafka_queue_poll
rd_kafka_event_CreateTopics_result rd_kafka_headers_new rd_kafka_produceva rd_kafka_topic_partition_list_new
rd_kafka_topic_partition_list_add rd_kafka_mock_cluster_new"""
_TEXTS = "rd_kafka_event_error_string rd_kafka_err2str rd_kafka_error_string rd_kafka_mock_cluster_bootstraps"

_PRODUCER, _CONSUMER = 0, 1
_ALREADY_EXISTS = 36
_COPY = 2
_ANY_PARTITION = -1
_TOPIC, _PARTITION, _VALUE, _KEY, _FLAGS, _HEADERS = 1, 3, 4, 5, 7, 10  # rd_kafka_vtype_t


class _Memory(ctypes.Structure):
    _fields_ = [("at", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class _Value(ctypes.Union):
    _fields_ = [("text", ctypes.c_char_p), ("number", ctypes.c_int32), ("memory", _Memory),
                ("pointer", ctypes.c_void_p), ("pad", ctypes.c_char * 64)]


class _Tagged(ctypes.Structure):  # rd_kafka_vu_t
    _fields_ = [("tag", ctypes.c_int), ("value", _Value)]


class _TopicPartition(ctypes.Structure):
    _fields_ = [("topic", ctypes.c_char_p), ("partition", ctypes.c_int32), ("offset", ctypes.c_int64),
                ("metadata", ctypes.c_void_p), ("metadata_size", ctypes.c_size_t), ("opaque", ctypes.c_void_p),
                ("error", ctypes.c_int), ("private", ctypes.c_void_p)]


_library = None


def library():
    global _library
    if _library is None:
        try:
            lib = ctypes.CDLL("librdkafka.so.1")
        except OSError as missing:
            raise PeerError("no librdkafka on this machine: apt install librdkafka1") from missing
        for name in _POINTERS.split():
            getattr(lib, name).restype = ctypes.c_void_p
        for name in _TEXTS.split():
            getattr(lib, name).restype = ctypes.c_char_p
        lib.rd_kafka_CreateTopics_result_topics.restype = ctypes.POINTER(ctypes.c_void_p)
        lib.rd_kafka_topic_partition_list_add.restype = ctypes.POINTER(_TopicPartition)
        _library = lib
    return _library


def _bytes(value):
    return value.encode() if isinstance(value, str) else value


def new_handle(kind, settings):
    lib = library()
    text = ctypes.create_string_buffer(512)
    conf = lib.rd_kafka_conf_new()
    for name, value in settings.items():
        if lib.rd_kafka_conf_set(ctypes.c_void_p(conf), name.encode(), value.encode(), text, 512) != 0:
            raise PeerError(f"librdkafka: {text.value.decode()}")
    handle = lib.rd_kafka_new(kind, ctypes.c_void_p(conf), text, ctypes.c_size_t(512))
    if not handle:
        raise PeerError(f"librdkafka: {text.value.decode()}")
    return ctypes.c_void_p(handle)


class Client:
    def __init__(self, brokers, group=None):
        """A producer, which can administrate too; with `group` something that can read its offsets."""
        self.lib = library()
        settings = {"bootstrap.servers": brokers, "log_level": "0"}
        settings.update({"group.id": group} if group else {"acks": "all"})
        self.handle = new_handle(_CONSUMER if group else _PRODUCER, settings)

    def create_topic(self, name, partitions, config):
        text = ctypes.create_string_buffer(512)
        lib = self.lib
        topic = ctypes.c_void_p(lib.rd_kafka_NewTopic_new(name.encode(), partitions, 1, text, ctypes.c_size_t(512)))
        for key, value in config.items():
            lib.rd_kafka_NewTopic_set_config(topic, key.encode(), value.encode())
        queue = ctypes.c_void_p(lib.rd_kafka_queue_new(self.handle))
        lib.rd_kafka_CreateTopics(self.handle, (ctypes.c_void_p * 1)(topic), ctypes.c_size_t(1), None, queue)
        event = ctypes.c_void_p(lib.rd_kafka_queue_poll(queue, 30000))
        try:
            if not event:
                raise PeerError(f"create topic {name}: no answer in 30 s")
            if lib.rd_kafka_event_error(event):
                raise PeerError(f"create topic {name}: {lib.rd_kafka_event_error_string(event).decode()}")
            result = ctypes.c_void_p(lib.rd_kafka_event_CreateTopics_result(event))
            topics = lib.rd_kafka_CreateTopics_result_topics(result, ctypes.byref(ctypes.c_size_t()))
            code = lib.rd_kafka_topic_result_error(ctypes.c_void_p(topics[0]))
            if code not in (0, _ALREADY_EXISTS):
                raise PeerError(f"create topic {name}: {lib.rd_kafka_err2str(code).decode()}")
        finally:
            if event:
                lib.rd_kafka_event_destroy(event)
            lib.rd_kafka_NewTopic_destroy(topic)
            lib.rd_kafka_queue_destroy(queue)

    def produce(self, topic, key, value, headers, partition=None):
        lib = self.lib
        key, value = _bytes(key), _bytes(value)
        carried = ctypes.c_void_p(lib.rd_kafka_headers_new(ctypes.c_size_t(len(headers) + 1)))
        for name, content in headers.items():
            content = _bytes(content)
            size = -1 if content is None else len(content)
            lib.rd_kafka_header_add(carried, name.encode(), ctypes.c_ssize_t(-1), content, ctypes.c_ssize_t(size))
        parts = (_Tagged * 6)()
        for part, tag in zip(parts, (_TOPIC, _PARTITION, _VALUE, _KEY, _FLAGS, _HEADERS)):
            part.tag = tag
        parts[0].value.text = topic.encode()
        parts[1].value.number = _ANY_PARTITION if partition is None else partition
        parts[2].value.memory.at, parts[2].value.memory.size = value, len(value or b"")
        parts[3].value.memory.at, parts[3].value.memory.size = key, len(key or b"")
        parts[4].value.number = _COPY
        parts[5].value.pointer = carried.value
        error = ctypes.c_void_p(lib.rd_kafka_produceva(self.handle, parts, ctypes.c_size_t(6)))
        if error:
            text = lib.rd_kafka_error_string(error).decode()
            lib.rd_kafka_error_destroy(error)
            lib.rd_kafka_headers_destroy(carried)
            raise PeerError(f"produce to {topic}: {text}")
        lib.rd_kafka_poll(self.handle, 0)

    def flush(self, seconds):
        code = self.lib.rd_kafka_flush(self.handle, int(seconds * 1000))
        if code != 0:
            raise PeerError(f"kafka did not take everything in {seconds} s: {self.lib.rd_kafka_err2str(code).decode()}")

    def committed(self, topic, partition):
        lib = self.lib
        partitions = ctypes.c_void_p(lib.rd_kafka_topic_partition_list_new(1))
        element = lib.rd_kafka_topic_partition_list_add(partitions, topic.encode(), partition)
        code = lib.rd_kafka_committed(self.handle, partitions, 30000)
        offset = element.contents.offset
        lib.rd_kafka_topic_partition_list_destroy(partitions)
        if code != 0:
            raise PeerError(f"committed offset of {topic}: {lib.rd_kafka_err2str(code).decode()}")
        return offset if offset >= 0 else None

    def close(self):
        if self.handle:
            self.lib.rd_kafka_destroy(self.handle)
            self.handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
