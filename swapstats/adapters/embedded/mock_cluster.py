"""librdkafka's own mock cluster: a Kafka protocol broker in memory, inside the library that we have anyway.

The Python client can start one (`test.mock.num.brokers`) but not say how many partitions a topic shall have, nor
spare a group the 3 s before its first assignment. So it is built through librdkafka's C interface, `rdkafka_mock.h`,
whose functions are reached through the extension module of confluent-kafka that is linked with them.
"""

import ctypes
from typing import Any, Self

from confluent_kafka import cimpl

from swapstats.domain.errors import PartError

RD_KAFKA_PRODUCER = 0
ERROR_CHARS = 512
ERRORS_ONLY = b"3"  # syslog's number


class MockCluster:
    """Lives as long as the process, or until closed. It keeps about 5 MB a partition and drops the oldest.

    A topic that was not created here comes to be when first used, with 4 partitions.
    """

    def __init__(self, brokers: int = 1) -> None:
        self._lib = _librdkafka()
        reason = ctypes.create_string_buffer(ERROR_CHARS)
        settings = self._lib.rd_kafka_conf_new()
        self._lib.rd_kafka_conf_set(settings, b"log_level", ERRORS_ONLY, reason, ERROR_CHARS)
        self._owner = self._lib.rd_kafka_new(RD_KAFKA_PRODUCER, settings, reason, ERROR_CHARS)
        if not self._owner:
            raise PartError(f"librdkafka could not be started: {reason.value.decode()}")
        self._cluster = self._lib.rd_kafka_mock_cluster_new(self._owner, brokers)
        if not self._cluster:
            raise PartError("librdkafka could not start its mock cluster")

    @property
    def bootstrap(self) -> str:
        """`host:port`, comma-separated, as clients want it."""
        return str(self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def create_topic(self, name: str, partitions: int) -> None:
        code = self._lib.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if code:
            raise PartError(f"the mock cluster did not create topic {name}: {self._reason(code)}")

    def set_initial_rebalance_delay(self, milliseconds: int) -> None:
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, milliseconds)

    def _reason(self, code: int) -> str:
        return str(self._lib.rd_kafka_err2str(code).decode())

    def close(self) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._owner)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _librdkafka() -> ctypes.CDLL:
    lib = ctypes.CDLL(cimpl.__file__)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    declarations: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_err2str": (text, [number]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in declarations.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib
